"""Measures event logs of 1, 10 and 100 million events: load, size, three
questions beside DuckDB, Polars and PM4Py on the same columns in the same run,
pushes of 300 rows, and a tick.

    python tests/bench_signals.py PATH_OF_BENCH [--quick] [EVENTS…]

`--quick` leaves out 100 million. Each program has two threads and 16 GiB; who
needs more of these, or more time than there is, has given up, and what it
answered until then counts. The others get case numbers where we have ids as
text, and keep the order of arrival among events of one second, as we do; the
answers stand side by side (how many rows, and sum and maximum of the last
column; quantiles are picked by another rule by each). A ratio is our time by
theirs, so below 1 is faster.

On two quiet processors 1 million takes about a minute, 10 million about four,
of which PM4Py takes half, 100 million about a quarter of an hour, the tick half
a minute. Fails only where we do.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

MEMORY_KIB = 16 << 20

# By size: how often a question is asked, the fastest counts; how many seconds
# we have, and how many each of the others. All of it is less than 25 minutes.
EFFORT = {1_000_000: (7, 120, 60), 10_000_000: (3, 180, 120), 100_000_000: (1, 540, 180)}

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

rounds = int(sys.argv[2])

def best(name, run):
    seconds, processors = [], time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - start)
    processors = (time.process_time() - processors) / rounds
    numbers = [float(number) for number in answer if number is not None and number == number]
    told = f"{len(answer)} rows, {sum(numbers):.0f} in all, {max(numbers, default=0):.0f} at most"
    print(f"{name}\\t{min(seconds):.6f}\\ts\\t{processors:.3f}\\t{told}", flush=True)

def load(run):
    start, processors = time.perf_counter(), time.process_time()
    loaded = run()
    print(f"load\\t{time.perf_counter() - start:.6f}\\ts\\t{time.process_time() - processors:.3f}\\t", flush=True)
    return loaded
"""

PEERS = {
    "DuckDB": """
import duckdb
base = duckdb.connect()
base.execute("SET threads = 2")
base.execute("SET memory_limit = '14GB'")
base.execute("SET enable_progress_bar = false")
load(lambda: base.execute("CREATE TABLE ev AS SELECT * FROM source"))
del source
ask = lambda text: lambda: [row[-1] for row in base.execute(text).fetchall()]
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
ev = load(lambda: pl.from_arrow(source))
del source
last = lambda frame: frame.get_column(frame.columns[-1]).to_list()
best("variants", lambda: last(ev.lazy().sort("case", "ts", maintain_order=True)
    .group_by("case", maintain_order=True).agg(pl.col("act").cast(pl.String))
    .with_columns(pl.col("act").list.join(", ")).group_by("act").len().sort("len", descending=True).collect()))
best("p95 per step", lambda: last(ev.lazy().sort("case", "ts", maintain_order=True)
    .with_columns(next=pl.col("ts").shift(-1).over("case"))
    .group_by("act").agg((pl.col("next") - pl.col("ts")).dt.total_seconds().quantile(0.95, "lower")).collect()))
best("stuck cases", lambda: last(ev.lazy().group_by("case").agg(pl.col("act").sort_by("ts", maintain_order=True).last(), pl.col("ts").max())
    .filter(~pl.col("act").cast(pl.String).is_in(["Pay invoice", "Reject order"])
        & (pl.col("ts").cast(pl.Int64) < end - 30 * 86400000000)).select(pl.len()).collect()))
""",
    "PM4Py": """
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    import pandas, pm4py
frame = source.to_pandas()
del source
frame["case"] = frame["case"].astype(str)
frame["act"] = frame["act"].astype(str)
log = load(lambda: pm4py.format_dataframe(frame, case_id="case", activity_key="act", timestamp_key="ts"))
best("variants", lambda: list(pm4py.get_variants(log).values()))
def steps():
    one = log[["case:concept:name", "concept:name", "time:timestamp"]]
    spans = one.groupby("case:concept:name", sort=False)["time:timestamp"].shift(-1) - one["time:timestamp"]
    return list(spans.dt.total_seconds().groupby(one["concept:name"]).quantile(0.95, "lower"))
best("p95 per step", steps)
def stuck():
    last = log.groupby("case:concept:name", sort=False).last()
    late = last["time:timestamp"] < pandas.Timestamp(end - 30 * 86400000000, unit="us", tz="UTC")
    return [(late & ~last["concept:name"].isin(["Pay invoice", "Reject order"])).sum()]
best("stuck cases", stuck)
""",
}


def say(line):
    print(line, flush=True)


def run(command, patience):
    """Runs a program within its limits; returns its figures, and why it gave up."""
    limited = ["bash", "-c", f'ulimit -v {MEMORY_KIB}; exec "$@"', "limited", *command]
    try:
        done = subprocess.run(limited, capture_output=True, text=True, timeout=patience)
        said, failed = done.stdout, done.returncode != 0 and (done.stderr.strip().splitlines() or ["killed"])[-1]
    except subprocess.TimeoutExpired as late:
        said, failed = (late.stdout or b"").decode(), f"not done after {patience} s"
    figures = [line.split("\t") for line in said.splitlines() if line.count("\t") > 1]
    return {name: (float(value), unit, *rest) for name, value, unit, *rest in figures}, failed


def show(name, value, unit, beside=""):
    say(f"  {name:<34} {value:>12.3f} {unit:<12} {beside}".rstrip())


def measure(program, events, folder):
    """Measures one size; tells whether we got through."""
    say(f"\n{events / 1e6:g} million events")
    start = time.monotonic()
    rounds, patience, others = EFFORT.get(events, EFFORT[10_000_000])
    ours, failed = run([program, "log", str(events), str(rounds), str(folder)], patience)
    for name, (value, unit, *more) in ours.items():
        show(name, value, unit, f"{more[0]} s of both processors; {' '.join(more[1:])}".strip("; ") if more else "")
    if failed:
        say(f"  we gave up: {failed}")
    for peer, text in PEERS.items():
        if peer == "PM4Py" and events > 10_000_000:
            say(f"  {peer} is asked up to 10 million")
            continue
        theirs, reason = run([sys.executable, "-c", READ + text, str(folder), str(rounds)], others)
        for question in QUESTIONS:
            if question in theirs:
                value, unit, processors, answer = theirs[question]
                ratio = f"ours/{peer} {ours[question][0] / value:.2f}; " if question in ours else ""
                show(f"{peer}, {question}", value, unit, f"{ratio}{processors} s of both processors; {answer}")
        if reason:
            place = next((question for question in QUESTIONS if question not in theirs), "its end")
            say(f"  {peer} gave up at {place if 'load' in theirs else 'loading'}: {reason[:120]}")
    for file in folder.iterdir():
        file.unlink()
    say(f"  all of this took {time.monotonic() - start:.0f} s")
    return not failed


def main():
    program, *rest = sys.argv[1:]
    sizes = [int(size) for size in rest if size != "--quick"] or sorted(EFFORT)
    if "--quick" in rest:
        sizes = [size for size in sizes if size <= 10_000_000]
    with tempfile.TemporaryDirectory() as folder:
        done = [measure(program, size, pathlib.Path(folder)) for size in sizes]
    say("\nA tick that makes 10,000 of a million open cases due")
    figures, failed = run([program, "tick", "1000000", "10000"], 180)
    for name, (value, unit, *_) in figures.items():
        show(name, value, unit)
    if failed:
        say(f"  we gave up: {failed}")
    sys.exit(0 if all(done) and not failed else 1)


main()
