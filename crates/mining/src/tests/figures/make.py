"""Computes with DuckDB and plain Python what exploration has to find in the
example logs; the tests read the results and know nothing of this script.

    python crates/mining/src/tests/figures/make.py     (in the root of the repository)
"""

import csv
import gzip
import json
import math
import pathlib

import duckdb

LOGS = {
    "purchase-to-pay": "examples/purchase-to-pay/events.csv.gz",
    "loan-application": "examples/logs/loan-application.csv.gz",
}
HERE = pathlib.Path(__file__).parent


def pql(values, share):
    """Element at floor(share * n) of the sorted values, at most the last."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


def figures_of(values):
    return {"count": len(values), "min": min(values), "median": pql(values, 0.5), "p95": pql(values, 0.95),
            "mean": sum(values) / len(values), "max": max(values)} if values else None


def changes(case, allowed):
    """Fewest events to leave out and to put in: by the longest common subsequence."""
    row = [0] * (len(allowed) + 1)
    for step in case:
        diagonal = 0
        for place, other in enumerate(allowed, 1):
            diagonal, row[place] = row[place], diagonal + 1 if step == other else max(row[place], row[place - 1])
    return len(case) + len(allowed) - 2 * row[-1]


def main():
    for name, path in LOGS.items():
        with gzip.open(path, "rt") as file:
            rows = [(row["case_id"], row["activity"], row["timestamp"]) for row in csv.DictReader(file)]
        db = duckdb.connect()
        db.execute("CREATE TABLE log (n BIGINT, c VARCHAR, a VARCHAR, t BIGINT)")
        millis = db.execute("SELECT epoch_ms(CAST(x AS TIMESTAMPTZ)) FROM (SELECT unnest($1) AS x)", [[r[2] for r in rows]]).fetchall()
        db.executemany("INSERT INTO log VALUES ($1, $2, $3, $4)", [(n, r[0], r[1], m[0]) for n, (r, m) in enumerate(zip(rows, millis))])
        db.execute("""CREATE TABLE ev AS SELECT *, lead(a) OVER w AS next, lead(t) OVER w - t AS gap, lag(a) OVER w AS before,
            lag(a, 2) OVER w AS before2, row_number() OVER w AS place, count(*) OVER (PARTITION BY c) AS size
            FROM log WINDOW w AS (PARTITION BY c ORDER BY t, n)""")
        edges = {}
        for one, other, case, gap in db.execute("SELECT a, next, c, gap FROM ev WHERE next IS NOT NULL").fetchall():
            edges.setdefault((one, other), []).append((case, gap))
        cases = db.execute("""SELECT c, list(a ORDER BY t, n), max(t) - min(t), min(t), max(t) FROM log GROUP BY c ORDER BY c""").fetchall()
        variants = {}
        for _, steps, duration, start, _ in cases:
            variants.setdefault(tuple(steps), []).append((duration, start))
        durations = [case[2] for case in cases]
        linear = db.execute("SELECT quantile_cont(d, 0.5), quantile_cont(d, 0.95) FROM (SELECT max(t) - min(t) AS d FROM log GROUP BY c)").fetchone()
        activities = db.execute("""SELECT a, count(*), count(DISTINCT c), count(*) FILTER (place = 1), count(*) FILTER (place = size),
            count(*) FILTER (before = a), count(*) FILTER (before2 = a AND before <> a) FROM ev GROUP BY a ORDER BY count(*) DESC, a""").fetchall()
        again = dict(db.execute("SELECT a, count(*) FROM (SELECT c, a FROM log GROUP BY c, a HAVING count(*) > 1) GROUP BY a").fetchall())
        rework = db.execute("SELECT count(DISTINCT c) FROM (SELECT c FROM log GROUP BY c, a HAVING count(*) > 1)").fetchone()[0]
        ranked = sorted(variants.items(), key=lambda one: (-len(one[1]), one[0]))
        allowed = [list(steps) for steps, _ in ranked[:3]]
        shortest = min(map(len, allowed))
        lost = {steps: min(changes(steps, path) for path in allowed) for steps in variants}
        fitness = 1 - sum(len(of) * lost[steps] / (len(steps) + shortest) for steps, of in variants.items()) / len(cases)
        result = {
            "made": f"by make.py beside this file, with DuckDB {duckdb.__version__} and plain Python",
            "cases": len(cases), "events": len(rows), "rework_cases": rework,
            "durations": {**figures_of(durations), "median_linear": linear[0], "p95_linear": linear[1]},
            "variants_total": len(variants),
            "variants": [{"activities": list(steps), "cases": len(of), "median": pql([d for d, _ in of], 0.5),
                          "p95": pql([d for d, _ in of], 0.95), "first_seen": min(s for _, s in of),
                          "last_seen": max(s for _, s in of)} for steps, of in ranked[:25]],
            "edges": sorted(({"from": one, "to": other, "events": len(of), "cases": len({c for c, _ in of}),
                              "durations": figures_of([g for _, g in of])} for (one, other), of in edges.items()),
                            key=lambda edge: (edge["from"], edge["to"])),
            "activities": [{"name": a, "events": e, "cases": c, "starts": s, "ends": n, "self_loops": l, "ping_pongs": p,
                            "rework_cases": again.get(a, 0)} for a, e, c, s, n, l, p in activities],
            "conformance": {"allowed": allowed, "cases_fitting": sum(len(variants[tuple(path)]) for path in allowed), "fitness": fitness},
        }
        (HERE / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
