"""Pushes event logs into a server and holds what it finds in them against
PM4Py, DuckDB and plain Python: variants, directly-follows edges, durations and
percentiles by both rules, rework, cases that are stuck as of a date, and
segregation of duties.

    python tests/check_mining.py PATH_OF_LOOPWRIGHT [FOLDER]

It knows the logs under `examples`; further ones are taken from FOLDER, files
`*.csv.gz` with the columns case_id, activity, timestamp. Without PM4Py its part
is left out, which is said aloud.
"""

import csv
import gzip
import io
import json
import math
import pathlib
import sys
import tempfile
import time
import urllib.parse

import duckdb

from pushing import Server

try:
    import pandas
    import pm4py
except ImportError:
    pm4py = None

ROOT = pathlib.Path(__file__).parent.parent
LOGS = {
    "purchase-to-pay": ROOT / "examples/purchase-to-pay/events.csv.gz",
    "loan-application": ROOT / "examples/logs/loan-application.csv.gz",
    "declarations": ROOT / "examples/logs/declarations.csv.gz",
    "purchase-variants": ROOT / "examples/logs/purchase-variants.csv.gz",
}
# Two activities that one person must not do in one case.
DUTIES = {
    "purchase-to-pay": ("Create Purchase Order", "Approve Purchase Order for payment"),
    "loan-application": ("Assess loan risk", "Design loan offer"),
    "purchasing-example": ("Create Purchase Order", "Approve Purchase Order for payment"),
}
# Waits to have seen before a step is judged.
SAMPLES_MIN = 20


def pql(values, share):
    """Element at floor(share * n) of the sorted values, at most the last."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


class Log:
    """A log as its file has it, and in DuckDB: in order of case, time, row."""

    def __init__(self, name, path):
        self.name = name
        self.text = gzip.open(path, "rt", newline="").read()
        rows = list(csv.DictReader(io.StringIO(self.text)))
        self.has_resource = "resource" in rows[0]
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        self.db.execute("CREATE TABLE raw (n BIGINT, c VARCHAR, a VARCHAR, x VARCHAR, r VARCHAR)")
        frame = {
            "n": list(range(len(rows))),
            "c": [row["case_id"] for row in rows],
            "a": [row["activity"] for row in rows],
            "x": [row["timestamp"] for row in rows],
            "r": [row.get("resource") or None for row in rows],
        }
        self.db.execute(
            "INSERT INTO raw SELECT unnest($n), unnest($c), unnest($a), unnest($x), unnest($r)", frame
        )
        self.db.execute("CREATE TABLE log AS SELECT n, c, a, r, epoch_ms(CAST(x AS TIMESTAMPTZ)) AS t FROM raw")

    def ask(self, query, *values):
        return self.db.execute(query, values).fetchall()

    def cases(self):
        """Returns per case its activities and times in order."""
        query = "SELECT c, list(a ORDER BY t, n), list(t ORDER BY t, n) FROM log GROUP BY c"
        return {case: (steps, times) for case, steps, times in self.ask(query)}


def prepare(server, log):
    """Pushes a log and makes a data model and a knowledge model of it."""
    pool = server.pool(log.name)
    text = log.text.encode()
    server.push(pool, "Events", [text], kind="REPLACE")
    columns = {"case_id": "caseColumn", "activity": "activityColumn", "timestamp": "timestampColumn"}
    activity = {"table": "Events", **{role: column for column, role in columns.items()}}
    server.call("PUT", f"/api/v1/pools/{pool}/data-models/{log.name}", {"tables": ["Events"], "activity": activity})
    package = "checks"
    server.call("PUT", f"/api/v1/packages/{package}", {"name": "Checks"})
    model = f"{package}.{log.name}"
    server.call("PUT", f"/api/v1/models/{model}", knowledge_model(log).encode(), "text/yaml")
    server.call("POST", f"/api/v1/models/{model}/publish")
    return model


def end_set(log):
    """Activities in which at least 10 % of all cases end."""
    ends = {}
    cases = log.cases()
    for steps, _ in cases.values():
        ends[steps[-1]] = ends.get(steps[-1], 0) + 1
    return sorted(name for name, count in ends.items() if count >= 0.1 * len(cases))


def knowledge_model(log):
    """The signals that are checked, in the words of a person."""
    lead = 'ACTIVITY_LEAD("Events"."timestamp")'
    wait = f'HOURS_BETWEEN("Events"."timestamp", {lead})'
    domain = 'DOMAIN_TABLE("Events"."activity")'
    limit = f"""PU_LAST("Events_CASES", CASE WHEN PU_COUNT({domain}, {lead}) >= {SAMPLES_MIN}
        THEN PU_QUANTILE({domain}, {wait}, 0.95) END, INDEX_ACTIVITY_ORDER_REVERSE("Events"."activity") = 1)"""
    ends = ", ".join("'" + name.replace("'", "''") + "'" for name in end_set(log)) or "'no activity at all'"
    model = {
        "metadata": {"key": log.name},
        "dataModelId": log.name,
        "records": [{
            "id": "CASE", "pql": '"Events_CASES"',
            "identifier": {"id": "ID", "pql": '"Events_CASES"."case_id"'},
            "attributes": [
                {"id": "WAITING", "pql": 'HOURS_BETWEEN(PU_LAST("Events_CASES", "Events"."timestamp"), NOW())'},
                {"id": "LIMIT", "pql": limit},
            ],
        }],
        "filters": [
            {"id": "OPEN", "pql": f"MATCH_ACTIVITIES(ENDING[{ends}]) = 0"},
            {"id": "TOO_LONG", "pql": "CASE.WAITING > CASE.LIMIT".replace("CASE.", '"CASE".')},
        ],
        "triggers": [{"id": "STUCK", "record": "CASE", "filterIds": ["OPEN", "TOO_LONG"], "itemLimit": 1_000_000}],
    }
    return json.dumps(model)


def get(server, model, what, **asked):
    query = "?" + urllib.parse.urlencode(asked) if asked else ""
    return server.call("GET", f"/api/v1/models/{model}/{what}{query}")


def same(what, found, expected):
    if found != expected:
        if isinstance(found, (dict, set)) and isinstance(expected, (dict, set)):
            wrong = [key for key in set(found) | set(expected)
                     if (found.get(key) != expected.get(key) if isinstance(found, dict) else (key in found) != (key in expected))]
            shown = wrong[:5]
            pairs = [(key, found.get(key), expected.get(key)) for key in shown] if isinstance(found, dict) else shown
            raise AssertionError(f"{what}: {len(wrong)} differ, such as {pairs}")
        raise AssertionError(f"{what}: found {str(found)[:300]}, expected {str(expected)[:300]}")


def check_variants(server, model, log):
    expected = {}
    for steps, times in log.cases().values():
        expected.setdefault(tuple(steps), []).append(times[-1] - times[0])
    found, offset = {}, 0
    while True:
        page = get(server, model, "variants", limit=10_000, offset=offset)
        for one in page["variants"]:
            took = one["durations"]
            found[tuple(one["activities"])] = (one["cases"], took["median"], took["p95"])
        offset += len(page["variants"])
        if offset >= page["total"] or not page["variants"]:
            break
    same("variants", found, {steps: (len(of), pql(of, 0.5), pql(of, 0.95)) for steps, of in expected.items()})
    return f"{len(found)} variants"


def check_edges(server, model, log):
    rows = log.ask("""SELECT a, next, count(*), count(DISTINCT c), list(gap) FROM
        (SELECT c, a, lead(a) OVER w AS next, lead(t) OVER w - t AS gap FROM log
         WINDOW w AS (PARTITION BY c ORDER BY t, n)) WHERE next IS NOT NULL GROUP BY a, next""")
    expected = {(one, other): (events, cases, min(gaps), pql(gaps, 0.5), pql(gaps, 0.95), max(gaps))
                for one, other, events, cases, gaps in rows}
    process = get(server, model, "map")
    found = {}
    for edge in process["edges"]:
        if edge["from"] is not None and edge["to"] is not None:
            took = edge["durations"]
            found[edge["from"], edge["to"]] = (edge["events"], edge["cases"], took["min"], took["median"], took["p95"], took["max"])
    same("directly-follows edges", found, expected)
    return f"{len(found)} edges"


def check_durations(server, model, log):
    took = "SELECT max(t) - min(t) AS d FROM log GROUP BY c"
    values = [row[0] for row in log.ask(took)]
    linear = log.ask(f"SELECT quantile_cont(d, 0.5), quantile_cont(d, 0.95) FROM ({took})")[0]
    answer = get(server, model, "throughput")
    durations = answer["durations"]
    found = [durations[name] for name in ("count", "min", "median", "p95", "max")]
    same("case durations", found, [len(values), min(values), pql(values, 0.5), pql(values, 0.95), max(values)])
    for name, expected in zip(("medianLinear", "p95Linear"), linear):
        assert abs(answer[name] - expected) < 0.01, f"{name}: found {answer[name]}, expected {expected}"
    same("the histogram", sum(one["cases"] for one in answer["bins"]), len(values))
    # The language agrees with the pictures.
    for share in (0.5, 0.95):
        # CALC_THROUGHPUT has no value for a case of one event.
        text = f"""TABLE(QUANTILE(MILLIS_BETWEEN(PU_MIN("Events_CASES", "Events"."timestamp"),
            PU_MAX("Events_CASES", "Events"."timestamp")), {share}) AS "it")"""
        found = server.call("POST", f"/api/v1/models/{model}/query", {"pql": text})["rows"][0]["it"]
        same(f"QUANTILE {share} in PQL", found, pql(values, share))
    return f"{len(values)} durations by both rules"


def check_rework(server, model, log):
    query = "SELECT a, count(*) FROM (SELECT c, a FROM log GROUP BY c, a HAVING count(*) > 1) GROUP BY a"
    expected = dict(log.ask(query))
    answer = get(server, model, "activities")
    same("rework", {one["name"]: one["reworkCases"] for one in answer["activities"] if one["reworkCases"]}, expected)
    cases = log.ask("SELECT count(DISTINCT c) FROM (SELECT c FROM log GROUP BY c, a HAVING count(*) > 1)")[0][0]
    same("cases with rework", answer["reworkCases"], cases)
    return f"{cases} cases with rework"


def check_stuck(server, model, log):
    """As of a date that three quarters of all events have passed."""
    times = sorted(row[0] for row in log.ask("SELECT t FROM log"))
    then = times[len(times) * 3 // 4]
    ends = set(end_set(log))
    known, sojourns = {}, {}
    for case, (steps, at) in log.cases().items():
        events = [(step, time) for step, time in zip(steps, at) if time <= then]
        if events:
            known[case] = events
            for (step, since), (_, until) in zip(events, events[1:]):
                sojourns.setdefault(step, []).append(until - since)
    limits = {step: pql(of, 0.95) for step, of in sojourns.items() if len(of) >= SAMPLES_MIN}
    expected = {case for case, events in known.items()
                if events[-1][0] not in ends and events[-1][0] in limits and then - events[-1][1] > limits[events[-1][0]]}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(then // 1000)) + f".{then % 1000:03}Z"
    # Everything known by then matches silently, so that what matches is told
    # by what is known before: the replay begins and ends at that instant.
    replayed = server.call(
        "POST", f"/api/v1/models/{model}/triggers/STUCK/backtest", {"from": stamp, "to": stamp, "limit": 100_000}
    )
    same("stuck cases as of a date", replayed["knownBefore"], len(expected))
    same("cases known by then", replayed["cases"], len(known))
    return f"{len(expected)} stuck as of {stamp}"


def check_duties(server, model, log):
    if log.name not in DUTIES or not log.has_resource:
        return "no duties to segregate"
    one, other = DUTIES[log.name]
    rows = log.ask("""SELECT DISTINCT x.c FROM log x JOIN log y ON x.c = y.c AND x.r = y.r
        WHERE x.a = $1 AND y.a = $2""", one, other)
    both = f"""PU_MAX(DOMAIN_TABLE("Events"."case_id", "Events"."resource"), CASE WHEN "Events"."activity" = '{one}' THEN 1 ELSE 0 END) = 1
        AND PU_MAX(DOMAIN_TABLE("Events"."case_id", "Events"."resource"), CASE WHEN "Events"."activity" = '{other}' THEN 1 ELSE 0 END) = 1"""
    text = f'FILTER {both}; TABLE("Events"."case_id" AS "case", COUNT("Events"."activity") AS "n") LIMIT 100000'
    found = server.call("POST", f"/api/v1/models/{model}/query", {"pql": text})["rows"]
    same("segregation of duties", {str(row["case"]) for row in found}, {row[0] for row in rows})
    return f"{len(rows)} cases in which one person did both"


def check_pm4py(server, model, log):
    if pm4py is None:
        return "PM4Py is not installed: left out"
    rows = log.ask("SELECT c, a, t, n FROM log ORDER BY c, t, n")
    frame = pandas.DataFrame(rows, columns=["case:concept:name", "concept:name", "t", "n"])
    frame["time:timestamp"] = pandas.to_datetime(frame["t"], unit="ms", utc=True)
    frame = frame.drop(columns=["t", "n"])
    # Rows stand in order already, and PM4Py's own sort is stable.
    dfg, starts, ends = pm4py.discover_dfg(frame)
    process = get(server, model, "map")
    inner = {(edge["from"], edge["to"]): edge["events"] for edge in process["edges"] if edge["from"] and edge["to"]}
    same("PM4Py: edges", inner, dict(dfg))
    same("PM4Py: starts", {e["to"]: e["events"] for e in process["edges"] if e["from"] is None}, dict(starts))
    same("PM4Py: ends", {e["from"]: e["events"] for e in process["edges"] if e["to"] is None}, dict(ends))
    variants = {steps: count if isinstance(count, int) else len(count) for steps, count in pm4py.get_variants(frame).items()}
    page = get(server, model, "variants", limit=10_000)
    if page["total"] <= 10_000:
        same("PM4Py: variants", {tuple(one["activities"]): one["cases"] for one in page["variants"]}, variants)
    rework = pm4py.get_rework_cases_per_activity(frame)
    answer = get(server, model, "activities")
    same("PM4Py: rework", {a["name"]: a["reworkCases"] for a in answer["activities"] if a["reworkCases"]}, dict(rework))
    return f"PM4Py {pm4py.__version__} agrees"


CHECKS = [check_variants, check_edges, check_durations, check_rework, check_stuck, check_duties, check_pm4py]


def main(program, folder=None):
    logs = dict(LOGS)
    for path in sorted(pathlib.Path(folder).glob("*.csv.gz")) if folder else []:
        logs[path.name.removesuffix(".csv.gz")] = path
    failures = 0
    with tempfile.TemporaryDirectory() as data, Server(program, data) as server:
        for name, path in logs.items():
            log = Log(name, path)
            model = prepare(server, log)
            for check in CHECKS:
                try:
                    print(f"ok   {name}: {check(server, model, log)}", flush=True)
                except (AssertionError, RuntimeError) as failure:
                    failures += 1
                    print(f"FAIL {name}, {check.__name__}: {failure}", flush=True)
    if failures:
        sys.exit(f"{failures} checks failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
