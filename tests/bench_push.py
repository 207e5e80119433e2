"""Measures pushes, beside DuckDB and Polars that read the same file and write
Parquet.

    python tests/bench_push.py PATH_OF_LOOPWRIGHT [--quick] [NAME…]

Names: load, upserts, sustained, memory.
"""

import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

from pushing import Server

MIB = 1 << 20
ACTIVITIES = [f"Activity number {number}" for number in range(40)]
PEOPLE = [f"Person {number:03}" for number in range(300)]

PEERS = {
    "DuckDB": """
import duckdb, sys
duckdb.execute("SET threads = 2")
duckdb.execute(f"COPY (SELECT * FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet)")
""",
    "Polars": """
import polars, sys
polars.scan_csv(sys.argv[1], try_parse_dates=True).sink_parquet(sys.argv[2])
""",
}


def say(line):
    print(line, flush=True)


def figure(name, value, unit, beside=""):
    say(f"{name:<66} {value:>12} {unit:<6} {beside}")


def write_log(path, bytes_wanted):
    """Writes an event log of about a size; returns its rows."""
    chance = random.Random(1)
    rows = 0
    with open(path, "w") as file:
        written = file.write("case_id,activity,resource,start,end,amount,comment\n")
        while written < bytes_wanted:
            lines = []
            for _ in range(10_000):
                rows += 1
                minute = chance.randrange(500_000)
                day, rest = divmod(minute, 1440)
                date = f"2026-{1 + day // 28 % 12:02}-{1 + day % 28:02}T{rest // 60:02}:{rest % 60:02}"
                lines.append(
                    f"C{rows // 8:09},{chance.choice(ACTIVITIES)},{chance.choice(PEOPLE)},{date}:00.000Z,"
                    f"{date}:30.000Z,{chance.randrange(1_000_000) / 100},note {chance.randrange(5_000)}\n"
                )
            written += file.write("".join(lines))
    return rows


def share(values, part):
    values = sorted(values)
    return values[min(int(len(values) * part), len(values) - 1)]


def load(server, folder, quick):
    path = folder / "log.csv"
    rows = write_log(path, (40 if quick else 300) * MIB)
    size = path.stat().st_size
    say(f"\nload: {rows} rows, {size / MIB:.0f} MiB of CSV")
    pool = server.pool("load")
    begun, used = time.monotonic(), server.processor_seconds()
    server.push(pool, "Log", [path], kind="REPLACE")
    count = server.sql(pool, "SELECT count(*) FROM Log")[0][0]
    ours = time.monotonic() - begun
    assert count == rows, f"{count} of {rows} rows are there"
    used = server.processor_seconds() - used
    figure("CSV push to DONE and queryable", f"{rows / ours:,.0f}", "rows/s", f"{size / MIB / ours:.1f} MiB/s")
    figure("  processor time of the server for it", f"{used:.1f}", "s", f"{size / MIB / used:.1f} MiB/s of one core")
    for name, program in PEERS.items():
        out = folder / "peer.parquet"
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", program, str(path), str(out)], check=True)
        theirs = time.monotonic() - begun
        figure(f"{name}: the same CSV to Parquet", f"{rows / theirs:,.0f}", "rows/s", f"we take {ours / theirs:.2f} times as long")
        out.unlink()
    begun = time.monotonic()
    server.flush(pool, "Log")
    figure("  until it is at rest, from DONE on", f"{time.monotonic() - begun:.1f}", "s")
    path.unlink()


def base_table(server, pool, table, rows):
    """Makes a keyed table of so many rows, and brings it to rest."""
    for first in range(0, rows, 1_000_000):
        count = min(1_000_000, rows - first)
        body = "id,name,amount\n" + "".join(f"{key},customer {key},{key % 977}.5\n" for key in range(first, first + count))
        server.push(pool, table, [body.encode()], keys=["id"])
    server.flush(pool, table)


def upserts(server, _folder, quick):
    pool = server.pool("upserts")
    sizes = [10_000, 1_000_000] if quick else [10_000, 1_000_000, 10_000_000]
    chance = random.Random(2)
    for size in sizes:
        say(f"\nupserts of 300 rows into {size:,} rows")
        table = f"Upserts{size}"
        base_table(server, pool, table, size)
        taken, before = [], server.written_bytes()
        for push in range(60 if quick else 200):
            keys = chance.sample(range(size), 300)
            body = "id,name,amount\n" + "".join(f"{key},changed {push},{push}.5\n" for key in keys)
            begun = time.monotonic()
            server.push(pool, table, [body.encode()], keys=["id"])
            taken.append((time.monotonic() - begun) * 1_000)
        written = (server.written_bytes() - before) / len(taken)
        figure("  create, chunk, execute, DONE: p50", f"{share(taken, 0.5):.1f}", "ms", f"p99 {share(taken, 0.99):.1f} ms")
        figure("  written to disk for each push, flusher included", f"{written / 1024:.0f}", "KiB")
        before, begun = server.written_bytes(), time.monotonic()
        server.flush(pool, table)
        written = (server.written_bytes() - before) / len(taken)
        took = time.monotonic() - begun
        figure("  the flush afterwards, for each push", f"{written / 1024:.0f}", "KiB", f"{took:.1f} s in all")
        begun = time.monotonic()
        rows = server.sql(pool, f"SELECT count(*), count(DISTINCT id) FROM {table}")
        assert rows == [(size, size)], rows


def sustained(server, _folder, quick):
    seconds, each, rate = (15 if quick else 60), 500, 10_000
    say(f"\nsustained: {rate} rows a second for {seconds} s, {each} rows to a push")
    pool = server.pool("sustained")
    base_table(server, pool, "Steady", 200_000)
    log = server.table_folder(pool, "Steady") / "_delta_log"
    commits = lambda: len(list(log.glob("*.json")))  # noqa: E731
    before, chance, taken, late = commits(), random.Random(3), [], 0.0
    begun = time.monotonic()
    pushes = seconds * rate // each
    for push in range(pushes):
        due = begun + push * each / rate
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
        late = max(late, time.monotonic() - due)
        keys = [chance.randrange(400_000) for _ in range(each)]
        body = "id,name,amount\n" + "".join(f"{key},changed {push},{push}.5\n" for key in keys)
        asked = time.monotonic()
        server.push(pool, "Steady", [body.encode()], keys=["id"])
        taken.append((time.monotonic() - asked) * 1_000)
    took = time.monotonic() - begun
    figure("  rows a second", f"{pushes * each / took:,.0f}", "rows/s", f"the latest push began {late:.2f} s late")
    figure("  a push, p50", f"{share(taken, 0.5):.1f}", "ms", f"p99 {share(taken, 0.99):.1f} ms")
    figure("  Delta commits of the table meanwhile", f"{commits() - before}", "", f"at most {took:.0f} are allowed")


def memory(server, folder, quick):
    # A chunk has at most 1 GiB, and the file grows a little beyond its size.
    size = (128 if quick else 1000) * MIB
    path = folder / "big.csv"
    rows = write_log(path, size)
    for table, kind, keys in [("Replaced", "REPLACE", []), ("Appended", "DELTA", []), ("Keyed", "DELTA", ["case_id", "start"])]:
        pool = server.pool(f"memory {table}")
        idle = server.memory_mib()
        server.forget_peak()
        begun = time.monotonic()
        server.push(pool, table, [path], kind=kind, keys=keys)
        took = time.monotonic() - begun
        peak = server.memory_mib("VmHWM")
        say(f"\nmemory: one chunk of {path.stat().st_size / MIB:.0f} MiB, {rows} rows, {table}")
        figure("  peak above idle", f"{peak - idle:.0f}", "MiB", f"idle {idle:.0f} MiB; the goal is 256 MiB")
        figure("  push to DONE", f"{took:.1f}", "s", f"{path.stat().st_size / MIB / took:.1f} MiB/s")
        server.forget_peak()
        begun = time.monotonic()
        server.flush(pool, table)
        figure("  the flush afterwards", f"{time.monotonic() - begun:.1f}", "s", f"peak {server.memory_mib('VmHWM') - idle:.0f} MiB above idle")
    path.unlink()


MEASUREMENTS = {"load": load, "upserts": upserts, "sustained": sustained, "memory": memory}


def main(program, *arguments):
    quick = "--quick" in arguments
    names = [name for name in arguments if not name.startswith("--")] or list(MEASUREMENTS)
    for name in names:
        if name not in MEASUREMENTS:
            raise SystemExit(f'there is no measurement "{name}"; there are: {", ".join(MEASUREMENTS)}')
    folder = pathlib.Path(tempfile.mkdtemp(prefix="loopwright-bench-"))
    try:
        for name in names:
            with Server(program, folder / f"data-{name}") as server:
                MEASUREMENTS[name](server, folder, quick)
            shutil.rmtree(folder / f"data-{name}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
