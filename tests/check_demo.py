"""Checks a finished demo with programs that we did not write.

DuckDB computes from the log which cases had to fire and when; the `deltalake`
package reads the tables from the disk. Both are compared with what the demo
reported.

    python tests/check_demo.py DATA_FOLDER REPORT.json
"""

import collections
import datetime
import json
import pathlib
import sys

import deltalake
import duckdb

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "purchase-to-pay"

# The definition of "too long in one step", as the example's knowledge model
# has it: open cases, waits that are over as the sample, at least 20 of them,
# element floor(0.95 * n) of the sorted waits, strictly greater.
MATCHED = """
WITH known AS (
    SELECT case_id, activity, time, place FROM log WHERE time < ? OR (? AND time <= ?)
),
steps AS (
    SELECT *, lead(time) OVER (PARTITION BY case_id ORDER BY time, place) AS next_time FROM known
),
waits AS (
    SELECT activity, epoch_ms(next_time) - epoch_ms(time) AS wait FROM steps WHERE next_time IS NOT NULL
),
ranked AS (
    SELECT activity, wait,
           row_number() OVER (PARTITION BY activity ORDER BY wait) - 1 AS place,
           count(*) OVER (PARTITION BY activity) AS n
    FROM waits
),
thresholds AS (
    SELECT activity, wait AS threshold FROM ranked
    WHERE n >= 20 AND place = least(n - 1, (n * 95) // 100)
)
SELECT case_id FROM steps JOIN thresholds USING (activity)
WHERE next_time IS NULL
  AND activity NOT IN ('Pay Invoice', 'Analyze Request for Quotation', 'Analyze Purchase Requisition')
  AND epoch_ms(?::TIMESTAMP) - epoch_ms(time) > threshold
"""


def expected_signals(report):
    """Plays the log as the demo did and returns how often each case fires."""
    db = duckdb.connect()
    db.execute(
        f"""CREATE TABLE log AS
            SELECT case_id, activity, "timestamp"::TIMESTAMP AS time, row_number() OVER () AS place
            FROM read_csv('{EXAMPLE / "events.csv.gz"}', all_varchar = true)"""
    )
    start = datetime.datetime.fromisoformat(report["historyEnds"].replace("Z", ""))
    step = datetime.timedelta(seconds=report["stepSeconds"])

    def matched(known_until, inclusive, now):
        rows = db.execute(MATCHED, [known_until, inclusive, known_until, now]).fetchall()
        return {case for (case,) in rows}

    fired = collections.Counter()
    by_time_alone = 0
    inside = matched(start, False, start)
    before = (start, False)
    for number in range(1, report["steps"] + 1):
        now = start + number * step
        waited = matched(*before, now)
        fired.update(waited - inside)
        by_time_alone += len(waited - inside)
        before = (now, True)
        inside = matched(*before, now)
        fired.update(inside - waited)
    return fired, by_time_alone


def rows_at_rest(data, pool, table):
    """Reads a table of the pool from the disk, as any reader of Delta would."""
    folders = [log.parent for log in (pathlib.Path(data) / "lake").rglob("_delta_log")]
    folder = [folder for folder in folders if folder.name.lower() == table.lower() and pool in str(folder)]
    assert len(folder) == 1, f"table {table} is at {folder} of {folders}"
    return deltalake.DeltaTable(str(folder[0])).to_pyarrow_table().to_pylist()


def same_rows(at_rest, by_sql, key):
    """Compares rows by their key, column by column, as texts."""
    as_text = lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value)
    columns = [name for name in by_sql[0] if not name.startswith("_")]
    left = {str(row[key]): row for row in at_rest}
    right = {str(row[key]): row for row in by_sql}
    assert len(at_rest) == len(by_sql), (len(at_rest), len(by_sql))
    assert left.keys() == right.keys(), left.keys() ^ right.keys()
    for name in right:
        for column in columns:
            one, other = left[name][column], right[name][column]
            if hasattr(one, "isoformat"):
                other = datetime.datetime.fromisoformat(other.replace("Z", "+00:00"))
                one = one if one.tzinfo else one.replace(tzinfo=datetime.timezone.utc)
            assert as_text(one) == as_text(other), (name, column, one, other)


def main():
    data, report_file = sys.argv[1:]
    report = json.loads(pathlib.Path(report_file).read_text())
    assert all(check["holds"] for check in report["checks"]), report["checks"]

    expected, by_time_alone = expected_signals(report)
    seen = collections.Counter(event["event"]["identifier"] for event in report["events"])
    assert len(expected) > 20, f"only {len(expected)} cases are expected"
    assert by_time_alone > 0, "some cases must become late because time passes"
    assert seen == expected, f"missing {expected - seen}, surplus {seen - expected}"
    print(f"ok   {sum(seen.values())} signals for {len(seen)} cases are the ones that DuckDB computes")

    for table, rows in (("ScoringAudit", report["audit"]), ("RecommendedActions", report["actions"])):
        same_rows(rows_at_rest(data, report["pool"], table), rows, "run_id")
        print(f"ok   {len(rows)} rows of {table} on the disk are the ones that SQL returns")

    log_rows = rows_at_rest(data, report["pool"], "PurchaseEvents")
    db = duckdb.connect()
    total = db.execute(f"SELECT count(*) FROM read_csv('{EXAMPLE / 'events.csv.gz'}', all_varchar = true)")
    assert len(log_rows) == total.fetchone()[0], len(log_rows)
    print(f"ok   {len(log_rows)} rows of the log lie on the disk")
    print("4 passed, 0 failed")


main()
