"""Compares flow engines: ours, the bare loop, and what else can be installed.

    python tests/bench_flows.py --bench PATH --program PATH --peers-folder FOLDER [--postgres URL PID]
        [--quick] [--peers ours,bare,node-red,…] [--variant A,B,C,D,F] [--connections 1,32,128]
        [--rounds N] [--seconds N] [--sleepers N] [--json FILE] [NAME…]

Names: rates, latency, sleep, crash. Each engine is started and stopped for
each round, one after the other, and the rounds are interleaved, so that an
hour in which the machine is slow is slow for all. Printed is the median of the
rounds with its spread; CPU time is that of all processes of an engine, and is
what says most on a machine that others use too.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from flow_engines import ENGINES, Missing, free_port

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
VARIANTS = {
    "A": "hook, set, filter, JSON, call, answer",
    "B": "the same without the call",
    "C": "answered at once, done later",
    "D": "20 times: sleep 100 ms, ask, decide",
    "F": "A with a body of 160 KB",
}


class Load:
    """Callers and sink, in a process of their own."""

    def __init__(self, program):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "load", str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do, **order):
        print(json.dumps({"do": do, **order}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load ended at {do} {order}")
        return json.loads(line)

    def drive(self, engine, variant, **order):
        return self.ask("drive", port=engine.port, path=engine.path(variant), headers=engine.headers, **order)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def tree(roots):
    """Returns some processes with all that they have started."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, left = [], list(roots)
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def usage(roots):
    """Returns CPU seconds, bytes written and resident bytes of some process trees."""
    used = {"cpu_s": 0.0, "written": 0, "resident": 0}
    for pid in tree(roots):
        folder = pathlib.Path(f"/proc/{pid}")
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            used["cpu_s"] += (int(fields[11]) + int(fields[12])) / TICKS
            used["resident"] += int(fields[21]) * PAGE
            lines = dict(line.split(": ") for line in (folder / "io").read_text().splitlines())
            used["written"] += int(lines["write_bytes"])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return used


def disk_bytes(folder):
    return sum(entry.lstat().st_blocks * 512 for entry in pathlib.Path(folder).rglob("*") if entry.is_file())


class Bench:
    def __init__(self, asked):
        self.asked = asked
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="loopwright-flows-", dir=asked.peers_folder))
        self.load = Load(asked.bench)
        self.started = 0
        self.skipped = {}

    def close(self):
        self.load.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def engine(self, name):
        settings = {"bench": self.asked.bench, "program": self.asked.program, "postgres": self.asked.postgres}
        return ENGINES[name](pathlib.Path(self.asked.peers_folder), settings)

    def engines(self):
        """Yields the engines that can be had, installed."""
        for name in self.asked.peers:
            if name not in self.skipped:
                engine = self.engine(name)
                try:
                    engine.install()
                    yield engine
                except Missing as missing:
                    self.skip(name, missing)

    def skip(self, name, reason):
        self.skipped[name] = str(reason)
        say(f"{name} is left out: {' '.join(str(reason).split())[:300]}")

    def start(self, engine):
        """Starts an engine on an empty folder; tells whether it runs."""
        self.started += 1
        try:
            seconds = engine.start(self.folder / f"data-{self.started}", self.load.port)
        except Missing as missing:
            self.skip(engine.name.split()[0], missing)
            return False
        say(f"{engine.name} answers after {seconds:.1f} s")
        return True

    def flush(self):
        return self.load.ask("flush", folder=str(self.folder))

    def measured(self, engine, variant, **order):
        """Drives an engine and returns what it took."""
        self.load.ask("sink")
        flush, before = self.flush(), usage(engine.pids())
        told = self.load.drive(engine, variant, **order)
        after, seen = usage(engine.pids()), self.load.ask("seen")
        runs = max(told["answered"], 1)
        return {
            **told, **seen, "flush_ms": flush["p50_ms"], "load": os.getloadavg()[0],
            "cpu_ms": (after["cpu_s"] - before["cpu_s"]) * 1000 / runs,
            "kb": (after["written"] - before["written"]) / 1024 / runs,
            "resident_mb": after["resident"] / (1 << 20),
        }


def say(line=""):
    print(line, file=sys.stderr, flush=True)


def rates(bench):
    """Runs a second, for each variant and number of connections."""
    asked, taken = bench.asked, {}
    for turn in range(asked.rounds):
        for engine in bench.engines():
            if not bench.start(engine):
                continue
            try:
                for variant in asked.variant:
                    for connections in asked.connections:
                        if engine.path(variant) is None:
                            continue
                        figures = one_rate(bench, engine, variant, connections)
                        taken.setdefault((variant, connections, engine.name), []).append(figures)
                        say(
                            f"  round {turn + 1}, {variant}, {connections} connections: {figures['rate']:.0f}/s, "
                            f"{figures['cpu_ms']:.3f} CPU-ms, {figures['failed']} failed {figures['fault'] or ''}"
                        )
            finally:
                engine.stop()
                shutil.rmtree(engine.data, ignore_errors=True)
    return [row(bench, *key, rounds) for key, rounds in sorted(taken.items(), key=lambda item: item[0][:2])]


def one_rate(bench, engine, variant, connections):
    asked = bench.asked
    order = {"connections": connections, "timeout_s": 60.0}
    if variant == "F":
        order["padding"] = 160 << 10
    if variant in "CD":
        order["settle_calls"] = {"C": 1, "D": 20}[variant]
    if variant == "D":
        # A round of twenty takes two seconds at least: what counts is how many go abreast.
        return bench.measured(engine, variant, count=connections * (2 if asked.quick else 10), **order)
    warm = {**order, "seconds": asked.seconds / 3}
    bench.load.ask("sink")
    bench.load.drive(engine, variant, **warm)
    return bench.measured(engine, variant, seconds=asked.seconds, **order)


def row(bench, variant, connections, name, rounds):
    """Folds the rounds of an engine into a row: medians, and the spread of what is compared."""
    def middle(figure):
        values = [figures[figure] for figures in rounds if figures[figure] is not None]
        return statistics.median(values) if values else None

    engine = bench.engine(next(known for known, of in ENGINES.items() if of.name == name))
    spread = {figure: [min(r[figure] for r in rounds), max(r[figure] for r in rounds)] for figure in ("rate", "cpu_ms")}
    figures = ("rate", "p50_ms", "p90_ms", "p99_ms", "cpu_ms", "kb", "resident_mb", "flush_ms", "load")
    return {
        "engine": name, "version": engine.version, "durable": engine.durable, "variant": variant,
        "connections": connections, **{figure: middle(figure) for figure in figures}, "spread": spread,
        "failed": sum(figures["failed"] for figures in rounds), "answered": sum(f["answered"] for f in rounds),
        "unsettled": sum(figures["settled"] is False for figures in rounds), "rounds": len(rounds),
    }


def ratios(rows):
    """Adds to each row what we do by what it does: above 1 in `rate`, below 1 in `cpu` we are better.
    Where the program was not asked for, the engine alone stands for it."""
    names = [ENGINES[name].name for name in ("loopwright", "engine")]
    us = next((name for name in names if any(r["engine"] == name for r in rows)), None)
    ours = {(r["variant"], r["connections"]): r for r in rows if r["engine"] == us}
    for each in rows:
        us = ours.get((each["variant"], each["connections"]))
        if us and us is not each and each["rate"] and each["cpu_ms"]:
            each["ours_by_it"] = {"rate": us["rate"] / each["rate"], "cpu": us["cpu_ms"] / each["cpu_ms"]}


def number(value, digits=3):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"


def rates_table(rows):
    head = ["engine", "variant", "connections", "runs/s (spread)", "p50", "p90", "p99 ms", "CPU-ms a run", "KB written a run",
            "resident MB", "failed", "flush ms", "load", "ours ÷ it: rate", "CPU"]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for r in rows:
        spread = "–".join(number(value) for value in r["spread"]["rate"])
        by = r.get("ours_by_it", {})
        failed = f"{r['failed']}" + (" (not all done)" if r["unsettled"] else "")
        cells = [f"{r['engine']} {r['version']}".strip(), r["variant"], r["connections"], f"{number(r['rate'])} ({spread})",
                 number(r["p50_ms"]), number(r["p90_ms"]), number(r["p99_ms"]), number(r["cpu_ms"]), number(r["kb"]),
                 number(r["resident_mb"]), failed, number(r["flush_ms"]), number(r["load"]), number(by.get("rate")),
                 number(by.get("cpu"))]
        yield "| " + " | ".join(map(str, cells)) + " |"


def latency(bench):
    """From a call to the first byte at the sink, at a fixed rate; the whole flow at it too."""
    asked, rows = bench.asked, []
    for turn in range(asked.rounds):
        for engine in bench.engines():
            if not bench.start(engine):
                continue
            try:
                for rate in asked.rate:
                    for variant in "CA":
                        if engine.path(variant) is None:
                            continue
                        order = {"connections": 256, "rate": rate, "timeout_s": 30.0}
                        if variant == "C":
                            order["settle_calls"] = 1
                        bench.load.drive(engine, variant, seconds=asked.seconds / 3, **order)
                        figures = bench.measured(engine, variant, seconds=asked.seconds, **order)
                        rows.append({"engine": engine.name, "variant": variant, "asked_rate": rate, "round": turn + 1, **figures})
                        say(f"  {variant} at {rate}/s: {figures['p50_ms']} / {figures['p99_ms']} ms, sink {figures['sink']}")
            finally:
                engine.stop()
                shutil.rmtree(engine.data, ignore_errors=True)
    return rows


def latency_table(rows):
    yield ("| engine | calls/s | answer p50 / p99 ms | sent → first byte at the sink p50 / p99 ms | answered → first byte "
           "| whole flow p50 / p99 ms | failed | flush ms | load |")
    yield "|" + "---|" * 9

    for name, rate in dict.fromkeys((r["engine"], r["asked_rate"]) for r in rows):
        here = [r for r in rows if (r["engine"], r["asked_rate"]) == (name, rate)]

        def middle(variant, read):
            values = [read(r) for r in here if r["variant"] == variant and read(r) is not None]
            return number(statistics.median(values)) if values else "–"

        def both(variant, *keys):
            return " / ".join(middle(variant, (lambda r, key=key: r["sink"].get(key) if key.startswith("after") else r[key])) for key in keys)

        yield (f"| {name} | {number(rate)} | {both('C', 'p50_ms', 'p99_ms')} "
               f"| {both('C', 'after_sent_p50_ms', 'after_sent_p99_ms')} | {both('C', 'after_answer_p50_ms', 'after_answer_p99_ms')} "
               f"| {both('A', 'p50_ms', 'p99_ms')} | {sum(r['failed'] for r in here)} | {middle('A', lambda r: r['flush_ms'])} "
               f"| {middle('A', lambda r: r['load'])} |")


def sleep(bench):
    """Runs that sleep: memory, disk, a kill, the start afterwards, and all due at once."""
    rows = []
    for engine in bench.engines():
        if engine.path("G") is None:
            continue
        for sleepers in bench.asked.sleepers:
            rows.append({"engine": engine.name, "sleepers": sleepers, **one_sleep(bench, engine, sleepers)})
            say(json.dumps(rows[-1]))
    return rows


def one_sleep(bench, engine, sleepers):
    if not bench.start(engine):
        return {}
    try:
        # How fast they are made decides when they are to wake.
        trial = bench.load.drive(engine, "G", connections=128, count=sleepers // 20 or 1, first=sleepers, due_in_s=86_400.0, timeout_s=60.0)
        due_in = sleepers / max(trial["rate"], 1) * 1.5 + 20
        bench.load.ask("sink")
        before, on_disk = usage(engine.pids()), disk_bytes(engine.data)
        begun = time.monotonic()
        told = bench.load.drive(engine, "G", connections=128, count=sleepers, due_in_s=due_in, timeout_s=60.0)
        made, after = time.monotonic() - begun, usage(engine.pids())
        figures = {
            "made_per_s": told["rate"], "failed": told["failed"], "fault": told["fault"],
            "cpu_ms": (after["cpu_s"] - before["cpu_s"]) * 1000 / sleepers,
            "written_bytes": (after["written"] - before["written"]) / sleepers,
            "resident_mb": after["resident"] / (1 << 20), "resident_bytes_each": (after["resident"] - before["resident"]) / sleepers,
            "disk_bytes_each": (disk_bytes(engine.data) - on_disk) / sleepers,
        }
        engine.kill()
        stood = time.monotonic()
        try:
            figures["ready_s"] = engine.start(engine.data, bench.load.port)
        except Missing as missing:
            return {**figures, "fault": str(missing)}
        figures["resident_after_start_mb"] = usage(engine.pids())["resident"] / (1 << 20)
        early = bench.load.ask("seen")["calls"]
        left = due_in - (time.monotonic() - begun)
        figures.update({"made_s": made, "early": early, "due_after_start_s": left})
        used = usage(engine.pids())
        seen = bench.load.ask("await", calls=told["answered"], seconds=max(left, 0) + 30 + sleepers / 100)
        used_after = usage(engine.pids())
        late = time.monotonic() - seen["latest_ago_s"] - max(begun + due_in, stood) if seen["latest_ago_s"] else None
        spread = seen["first_to_latest_s"] or 0
        figures.update({
            "woken": seen["distinct"], "repeated": seen["repeated"], "all_s": late,
            "woken_per_s": seen["distinct"] / spread if spread else None, "wake_cpu_ms": (used_after["cpu_s"] - used["cpu_s"]) * 1000 / sleepers,
            "resident_at_wake_mb": used_after["resident"] / (1 << 20), "flush_ms": bench.flush()["p50_ms"], "load": os.getloadavg()[0],
        })
        if bench.asked.resume:
            figures["resume"] = one_resume(bench, engine, min(sleepers, 100_000), trial["rate"])
        return figures
    finally:
        engine.kill()
        shutil.rmtree(engine.data, ignore_errors=True)


def one_resume(bench, engine, runs, rate):
    """Kills while runs sleep, starts again after all are due, and waits for their calls."""
    bench.load.ask("sink")
    due_in = runs / max(rate, 1) * 1.5 + 5
    begun = time.monotonic()
    told = bench.load.drive(engine, "G", connections=128, count=runs, due_in_s=due_in, timeout_s=60.0)
    engine.kill()
    time.sleep(max(begun + due_in + 1 - time.monotonic(), 0))
    before = bench.load.ask("seen")["calls"]
    stood = time.monotonic()
    try:
        ready = engine.start(engine.data, bench.load.port)
    except Missing as missing:
        return {"fault": str(missing)}
    seen = bench.load.ask("await", calls=told["answered"], seconds=60 + runs / 100)
    ended = time.monotonic() - (seen["latest_ago_s"] or 0)
    return {
        "runs": told["answered"], "called_before": before, "ready_s": ready, "first_s": time.monotonic() - (seen["first_ago_s"] or 0) - stood if not before else None,
        "all_s": ended - stood, "reached": seen["reached"], "distinct": seen["distinct"], "repeated": seen["repeated"],
    }


def sleep_table(rows):
    yield ("| engine | sleepers | made/s | CPU-ms to make | KB written | resident MB (bytes each) | disk bytes each | SIGKILL to ready s "
           "| resident after start MB | woken/s | due to the last call s | CPU-ms to wake | woken / repeated | SIGKILL, all overdue: first / all calls s |")
    yield "|" + "---|" * 14
    for r in rows:
        if "made_per_s" not in r:
            continue
        resume = r.get("resume") or {}
        yield (f"| {r['engine']} | {r['sleepers']:,} | {number(r['made_per_s'])} | {number(r['cpu_ms'])} | {number(r['written_bytes'] / 1024)} "
               f"| {number(r['resident_mb'])} ({number(r['resident_bytes_each'])}) | {number(r['disk_bytes_each'])} | {number(r.get('ready_s'))} "
               f"| {number(r.get('resident_after_start_mb'))} | {number(r.get('woken_per_s'))} | {number(r.get('all_s'))} | {number(r.get('wake_cpu_ms'))} "
               f"| {r.get('woken', '–')} / {r.get('repeated', '–')} | {number(resume.get('first_s'))} / {number(resume.get('all_s'))} of {resume.get('runs', 0):,} |")


def crash(bench):
    """Kills each engine while its calls are in flight, and counts what came of them."""
    rows = []
    for engine in bench.engines():
        if engine.path("C") is None or not bench.start(engine):
            continue
        try:
            bench.load.ask("sink", delay_ms=15_000)
            told = bench.load.drive(engine, "C", connections=10, count=10 if bench.asked.quick else 50, timeout_s=20.0)
            time.sleep(4)
            before = bench.load.ask("seen")
            engine.kill()
            bench.load.ask("flush", folder=str(bench.folder))
            try:
                ready = engine.start(engine.data, bench.load.port)
            except Missing as missing:
                bench.skip(engine.name.split()[0], missing)
                continue
            time.sleep(20 if bench.asked.quick else 45)
            after = bench.load.ask("seen")
            rows.append({
                "engine": engine.name, "answered": told["answered"], "called_before": before["distinct"], "ready_s": ready,
                "lost": told["answered"] - after["distinct"], "repeated": after["repeated"], "called": after["distinct"], "held": engine.held(),
            })
            say(json.dumps(rows[-1]))
        finally:
            engine.kill()
            shutil.rmtree(engine.data, ignore_errors=True)
    return rows


def crash_table(rows):
    yield "| engine | answered | called before SIGKILL | called in the end | never called | called again | held in doubt | SIGKILL to ready s |"
    yield "|" + "---|" * 8
    for r in rows:
        held = "–" if r["held"] is None else r["held"]
        yield (f"| {r['engine']} | {r['answered']} | {r['called_before']} | {r['called']} | {r['lost']} | {r['repeated']} "
               f"| {held} | {number(r['ready_s'])} |")


MEASUREMENTS = {"rates": (rates, rates_table), "latency": (latency, latency_table), "sleep": (sleep, sleep_table), "crash": (crash, crash_table)}


def arguments(words):
    def words_of(text):
        return [word.strip() for word in text.split(",") if word.strip()]

    parser = argparse.ArgumentParser(description="Compares flow engines.")
    parser.add_argument("--bench", required=True)
    parser.add_argument("--program")
    parser.add_argument("--peers-folder", required=True)
    parser.add_argument("--postgres", nargs=2, metavar=("URL", "PID"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", type=words_of, default=list(ENGINES))
    parser.add_argument("--variant", type=words_of)
    parser.add_argument("--connections", type=lambda text: [int(word) for word in words_of(text)])
    parser.add_argument("--rate", type=lambda text: [float(word) for word in words_of(text)], default=[100.0])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--sleepers", type=lambda text: [int(word) for word in words_of(text)])
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json")
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args(words)
    asked.names = asked.names or list(MEASUREMENTS)
    asked.variant = asked.variant or (["A", "B", "C"] if asked.quick else list(VARIANTS))
    asked.connections = asked.connections or ([32] if asked.quick else [1, 32, 128])
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    asked.seconds = asked.seconds or (3.0 if asked.quick else 8.0)
    asked.sleepers = asked.sleepers or ([10_000] if asked.quick else [100_000, 1_000_000])
    asked.peers = ["loopwright" if name == "ours" else name for name in asked.peers]
    if asked.postgres:
        asked.postgres = (asked.postgres[0], int(asked.postgres[1]))
    for what, given, known in [("measurement", asked.names, MEASUREMENTS), ("engine", asked.peers, ENGINES), ("variant", asked.variant, VARIANTS)]:
        for name in given:
            if name not in known:
                parser.error(f'there is no {what} "{name}"; there are: {", ".join(known)}')
    return asked


def main(words):
    asked = arguments(words)
    pathlib.Path(asked.peers_folder).mkdir(parents=True, exist_ok=True)
    bench = Bench(asked)
    results = {"date": datetime.date.today().isoformat(), "processors": os.cpu_count(), "quick": asked.quick}
    try:
        for name in asked.names:
            measure, table = MEASUREMENTS[name]
            say(f"\n{name}: {measure.__doc__}")
            rows = results[name] = measure(bench)
            if name == "rates":
                ratios(rows)
            print(f"\n### {name}\n")
            print("\n".join(table(rows)), flush=True)
        results["left_out"] = bench.skipped
    finally:
        bench.close()
        if asked.json:
            pathlib.Path(asked.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
