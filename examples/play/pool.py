"""A data pool: rows in by the Data Push API, rows out by SQL."""

import csv
import io
from urllib.parse import quote

from .waiting import until

CHUNK_BYTES_MAX = 16 << 20


class Pool:
    def __init__(self, client, pool_id):
        self.client = client
        self.id = pool_id
        self.path = f"/api/v1/pools/{quote(pool_id, safe='')}"
        self.jobs = f"/integration/api/v1/data-push/{quote(pool_id, safe='')}/jobs"

    def push(self, table, content, types=None, keys=(), replace=False, causes=None):
        """Pushes CSV with its header and waits until the rows are there.

        `types` declares columns (STRING, INTEGER, FLOAT, DATETIME …); the
        others are guessed. Rows with equal `keys` take each other's place.
        `causes` is the chain of signals that led to the rows, if any did, such
        as `package.model/TRIGGER/4711`.
        """
        headers = {"Loopwright-Causes": causes} if causes else {}
        spec = {"targetName": table, "type": "REPLACE" if replace else "DELTA", "fileType": "CSV", "keys": list(keys)}
        if types:
            columns = [{"columnName": name, "columnType": kind} for name, kind in types.items()]
            spec["tableSchema"] = {"tableName": table, "columns": columns}
        job = f"{self.jobs}/{self.client.post(f'{self.jobs}/', spec, **headers)['id']}"
        for chunk in in_chunks(content):
            self.client.upload(f"{job}/chunks/upserted", f"{table}.csv", chunk)
        self.client.post(job, **headers)
        ended = until(f"the push into {table} has ended", lambda: self.ended(job), deadline=180)
        if ended["status"] != "DONE":
            raise RuntimeError(f"the push into {table} ended as {ended['status']}: {ended.get('logs')}")
        return ended

    def ended(self, job):
        shown = self.client.get(job)
        return shown if shown["status"] not in ("NEW", "QUEUED", "RUNNING") else None

    def push_rows(self, table, rows, **how):
        """Pushes dictionaries; the first one's keys are the columns."""
        return self.push(table, as_csv(rows), **how)

    def sql(self, query):
        """Returns the rows of a query, each as a dictionary."""
        return self.client.post(f"{self.path}/sql", {"query": query, "limit": 100_000})["rows"]

    def value(self, query):
        """Returns the one value of a query with one row and one column."""
        (row,) = self.sql(query)
        (value,) = row.values()
        return value

    def tables(self):
        """Returns the names of the tables."""
        return {table["name"] for table in self.client.get(f"{self.path}/tables")}


def as_csv(rows):
    """Writes dictionaries as CSV text; nothing (None) is an empty field."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def in_chunks(content):
    """Cuts CSV text at ends of lines; each chunk has the header. Fields must have no line breaks
    where the text is longer than one chunk."""
    content = content.encode() if isinstance(content, str) else content
    if len(content) <= CHUNK_BYTES_MAX:
        yield content
        return
    header, _, rest = content.partition(b"\n")
    while rest:
        end = len(rest) if len(rest) <= CHUNK_BYTES_MAX else rest.rindex(b"\n", 0, CHUNK_BYTES_MAX) + 1
        yield header + b"\n" + rest[:end]
        rest = rest[end:]
