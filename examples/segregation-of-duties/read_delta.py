"""Reads a Delta table with the `deltalake` package, as anybody may who has the folder.

    python read_delta.py FOLDER

Prints its rows as JSON.
"""

import json
import sys

import deltalake

print(json.dumps(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table().to_pylist(), default=str))
