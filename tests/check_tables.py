"""Reads the tables on disk with the `deltalake` and `duckdb` packages, while
rows are pushed and afterwards, and compares each look with a model.

    python tests/check_tables.py PATH_OF_LOOPWRIGHT
"""

import pathlib
import random
import sys
import tempfile
import threading

import deltalake
import duckdb

from pushing import Server

PUSHES = 120
KEYS = 4_000
ROWS = 250
# Rows asked for by SQL at once: an answer has an end.
PAGE = 5_000


class Model:
    """What a table holds after each commit."""

    def __init__(self, keyed):
        self.keyed = keyed
        self.states = {0: {}}

    def push(self, commit, rows):
        state = dict(self.states[max(self.states)])
        for key, value in rows:
            state[key if self.keyed else value] = (key, value)
        self.states[commit] = state

    def at(self, commit):
        return self.states[max(number for number in self.states if number <= commit)]


def check_look(folder, app, model, seen):
    """Looks at a table on disk once; true if there was something to see."""
    try:
        table = deltalake.DeltaTable(str(folder))
    except deltalake.exceptions.TableNotFoundError:
        return False
    commit = table.transaction_version(app)
    if commit is None or commit in seen:
        return False
    expected = sorted(model.at(commit).values())
    rows = table.to_pyarrow_table(columns=["key", "value"])
    assert sorted(zip(*(column.to_pylist() for column in rows.columns))) == expected, f"deltalake, commit {commit}"
    files = table.file_uris()
    if files:
        query = f"SELECT key, value FROM read_parquet({files!r}) ORDER BY key, value"
        assert duckdb.sql(query).fetchall() == expected, f"duckdb, commit {commit}"
    seen.add(commit)
    return True


def main(program):
    chance = random.Random(4711)
    with tempfile.TemporaryDirectory() as data, Server(program, data) as server:
        pool = server.pool("read from outside")
        tables = {"Upserted": Model(True), "Appended": Model(False)}
        over = threading.Event()
        seen = {name: set() for name in tables}
        failures = []
        lock = threading.Lock()

        def look_on():
            try:
                while not over.is_set():
                    for name, model in tables.items():
                        with lock:
                            check_look(server.table_folder(pool, name), f"loopwright/{pool}/{name}", model, seen[name])
            except BaseException as failure:  # noqa: BLE001, it is told by the main thread
                failures.append(failure)

        reader = threading.Thread(target=look_on)
        reader.start()
        value = 0
        for push in range(PUSHES):
            for name, model in tables.items():
                rows = []
                for _ in range(ROWS):
                    value += 1
                    rows.append((chance.randrange(KEYS), value))
                csv = "key,value\n" + "".join(f"{key},{number}\n" for key, number in rows)
                with lock:
                    server.push(pool, name, [csv.encode()], keys=["key"] if model.keyed else [])
                    commit = server.sql(pool, f"SELECT max(_seq) FROM {name}")[0][0] >> 32
                    model.push(commit, rows)
            if push % 10 == 9:
                for name in tables:
                    server.flush(pool, name)
        over.set()
        reader.join()
        if failures:
            raise failures[0]
        during = {name: len(commits) for name, commits in seen.items()}
        for name, model in tables.items():
            server.flush(pool, name)
            seen[name].clear()
            app = f"loopwright/{pool}/{name}"
            assert check_look(server.table_folder(pool, name), app, model, seen[name]), f"{name} is not there"
            assert max(seen[name]) == max(model.states), f"{name} is not whole"
            by_sql = []
            for first in range(0, value + 1, PAGE):
                wanted = f"value >= {first} AND value < {first + PAGE}"
                by_sql += server.sql(pool, f"SELECT key, value FROM {name} WHERE {wanted}")
            assert sorted(by_sql) == sorted(model.at(max(model.states)).values()), f"SQL, {name}"
        assert min(during.values()) >= 3, f"there were too few looks during the load: {during}"
    looks = sum(during.values())
    print(f"ok   deltalake and duckdb see {looks} states of two tables during {2 * PUSHES} pushes, and the last one")


if __name__ == "__main__":
    main(str(pathlib.Path(sys.argv[1])))
