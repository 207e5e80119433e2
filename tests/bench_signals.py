"""Measures event logs of 1, 10 and 100 million events: load, size, three
questions beside DuckDB, Polars and PM4Py on the same columns in the same run,
pushes of 300 rows, and a tick.

    python tests/bench_signals.py PATH_OF_BENCH [--quick] [EVENTS…]

`--quick` leaves out 100 million. Each program has two threads and 16 GiB; who
needs more, or longer than 15 minutes, has given up. The others get case numbers
where we have ids as text, and keep the order of arrival among events of one
second, as we do: the answers are shown side by side.
"""

import pathlib
import subprocess
import sys
import tempfile

PATIENCE_S = 900
MEMORY_KIB = 16 << 20

QUESTIONS = ["variants", "p95 per step", "stuck cases"]

READ = """
import json, pathlib, sys, time
import numpy, pyarrow
folder = pathlib.Path(sys.argv[1])
about = json.loads((folder / "log.json").read_text())
case = numpy.fromfile(folder / "case.u32", dtype="uint32")
activity = numpy.fromfile(folder / "activity.u8", dtype="uint8")
ts = numpy.fromfile(folder / "time.i64", dtype="int64")
names = pyarrow.array(about["activities"])
source = pyarrow.table({
    "case": case,
    "act": pyarrow.DictionaryArray.from_arrays(pyarrow.array(activity.astype("int8")), names),
    "ts": pyarrow.array(ts).cast(pyarrow.timestamp("us")),
})
end = about["end"]
del case, activity, ts

def best(name, run, rounds=3):
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - start)
    print(f"{name}\\t{min(seconds):.6f}\\ts\\t{answer}", flush=True)
"""

PEERS = {
    "DuckDB": """
import duckdb
base = duckdb.connect()
base.execute("SET threads = 2")
base.execute("SET memory_limit = '14GB'")
start = time.perf_counter()
base.execute("CREATE TABLE ev AS SELECT * FROM source")
print(f"load\\t{time.perf_counter() - start:.6f}\\ts\\t", flush=True)
del source
ask = lambda text: lambda: (lambda rows: f"{len(rows)} rows, first {rows[0]}")(base.execute(text).fetchall())
best("variants", ask('''SELECT v, count(*) n FROM (SELECT string_agg(act, ', ' ORDER BY ts, rowid) v FROM ev GROUP BY "case")
    GROUP BY v ORDER BY n DESC'''))
best("p95 per step", ask('''SELECT act, quantile_disc(epoch(next) - epoch(ts), 0.95) FROM
    (SELECT act, ts, lead(ts) OVER (PARTITION BY "case" ORDER BY ts, rowid) next FROM ev) GROUP BY act'''))
best("stuck cases", ask(f'''SELECT count(*) FROM (SELECT last(act ORDER BY ts, rowid) AS last, max(ts) latest FROM ev GROUP BY "case")
    WHERE last NOT IN ('Pay invoice', 'Reject order') AND latest < make_timestamp({end} - 30 * 86400000000)'''))
""",
    "Polars": """
import os
os.environ["POLARS_MAX_THREADS"] = "2"
import polars as pl
start = time.perf_counter()
ev = pl.from_arrow(source)
print(f"load\\t{time.perf_counter() - start:.6f}\\ts\\t", flush=True)
del source
say = lambda frame: f"{frame.height} rows, first {frame.row(0)}"
best("variants", lambda: say(ev.lazy().sort("case", "ts", maintain_order=True)
    .group_by("case", maintain_order=True).agg(pl.col("act").cast(pl.String))
    .with_columns(pl.col("act").list.join(", ")).group_by("act").len().sort("len", descending=True).collect()))
best("p95 per step", lambda: say(ev.lazy().sort("case", "ts", maintain_order=True)
    .with_columns(next=pl.col("ts").shift(-1).over("case"))
    .group_by("act").agg((pl.col("next") - pl.col("ts")).dt.total_seconds().quantile(0.95, "lower")).collect()))
best("stuck cases", lambda: say(ev.lazy().group_by("case").agg(pl.col("act").sort_by("ts", maintain_order=True).last(), pl.col("ts").max())
    .filter(~pl.col("act").cast(pl.String).is_in(["Pay invoice", "Reject order"])
        & (pl.col("ts").cast(pl.Int64) < end - 30 * 86400000000)).select(pl.len()).collect()))
""",
    "PM4Py": """
import pandas, pm4py
frame = source.to_pandas()
del source
frame["case"] = frame["case"].astype(str)
frame["act"] = frame["act"].astype(str)
start = time.perf_counter()
log = pm4py.format_dataframe(frame, case_id="case", activity_key="act", timestamp_key="ts")
print(f"load\\t{time.perf_counter() - start:.6f}\\ts\\t", flush=True)
best("variants", lambda: f"{len(pm4py.get_variants(log))} rows", 1)
def steps():
    one = log[["case:concept:name", "concept:name", "time:timestamp"]]
    spans = one.groupby("case:concept:name", sort=False)["time:timestamp"].shift(-1) - one["time:timestamp"]
    return f"{len(spans.dt.total_seconds().groupby(one['concept:name']).quantile(0.95, 'lower'))} rows"
best("p95 per step", steps, 1)
def stuck():
    last = log.groupby("case:concept:name", sort=False).last()
    late = last["time:timestamp"] < pandas.Timestamp(end - 30 * 86400000000, unit="us", tz="UTC")
    return int((late & ~last["concept:name"].isin(["Pay invoice", "Reject order"])).sum())
best("stuck cases", stuck, 1)
""",
}


def say(line):
    print(line, flush=True)


def run(command):
    """Runs a program within its limits; returns its figures, and why it gave up."""
    limited = ["bash", "-c", f'ulimit -v {MEMORY_KIB}; exec "$@"', "limited", *command]
    try:
        done = subprocess.run(limited, capture_output=True, text=True, timeout=PATIENCE_S)
        said, failed = done.stdout, done.returncode != 0 and (done.stderr.strip().splitlines() or ["killed"])[-1]
    except subprocess.TimeoutExpired as late:
        said, failed = (late.stdout or b"").decode(), f"not done after {PATIENCE_S} s"
    figures = [line.split("\t") for line in said.splitlines()]
    return {name: (float(value), unit, *rest) for name, value, unit, *rest in figures}, failed


def measure(program, events, folder):
    say(f"\n{events / 1e6:g} million events")
    ours, failed = run([program, "log", str(events), str(folder)])
    for name, (value, unit, *more) in ours.items():
        beside = f"{more[0]} s of both processors; {' '.join(more[1:])}" if more else ""
        say(f"  {name:<34} {value:>12.3f} {unit:<12} {beside}")
    if failed:
        say(f"  gave up: {failed}")
    for peer, text in PEERS.items():
        if peer == "PM4Py" and events > 10_000_000:
            continue
        theirs, failed = run([sys.executable, "-c", READ + text, str(folder)])
        for question in QUESTIONS:
            if question in theirs and question in ours:
                value, _, answer = theirs[question]
                times = value / ours[question][0]
                say(f"  {peer + ', ' + question:<34} {value:>12.3f} s            {times:.1f} times ours; {answer[:60]}")
        if failed:
            say(f"  {peer} gave up: {failed[:120]}")
    for file in folder.iterdir():
        file.unlink()


def main():
    program, *rest = sys.argv[1:]
    sizes = [int(size) for size in rest if size != "--quick"] or [1_000_000, 10_000_000, 100_000_000]
    if "--quick" in rest:
        sizes = [size for size in sizes if size <= 10_000_000]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            measure(program, size, pathlib.Path(folder))
    say("\nA tick that makes 10,000 of a million open cases due")
    figures, failed = run([program, "tick", "1000000", "10000"])
    for name, (value, unit, *_) in figures.items():
        say(f"  {name:<34} {value:>12.3f} {unit}")
    if failed:
        say(f"  gave up: {failed}")


main()
