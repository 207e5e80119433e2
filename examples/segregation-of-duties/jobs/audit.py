"""Logs a violation of segregated duties, and scores everybody's recent approvals.

The violation goes into the audit table with all events of its order, once: the same
order, person and pair of duties is one row, however often it is reported. Then
everybody who approved in the last 90 days is scored over all of these transactions,
and the scores are written as of now. The last line is the result as JSON.
Standard library only.
"""

import argparse
import json

from lake import Lake

FIRST_DUTY, SECOND_DUTY = "Create Purchase Order", "Approve Purchase Order for payment"
RECENT_DAYS = 90
# Below so many approvals a share says little; the score is held back by as many imagined good ones.
DOUBT = 5

VIOLATIONS = """
    CREATE TABLE IF NOT EXISTS {schema}.AuditViolations (
        violation_id STRING, case_id STRING, who STRING, first_duty STRING, second_duty STRING, created_at TIMESTAMP,
        approved_at TIMESTAMP, seen_at TIMESTAMP, signal STRING, events BIGINT, context STRING
    ) USING DELTA
"""
SCORES = """
    CREATE TABLE IF NOT EXISTS {schema}.ComplianceScores (
        scored_at TIMESTAMP, who STRING, approvals BIGINT, own_orders BIGINT, score DOUBLE
    ) USING DELTA
"""
EVENTS = """
    SELECT activity, resource, start_timestamp, timestamp FROM {schema}.PurchaseEvents
    WHERE case_id = :case_id ORDER BY timestamp, start_timestamp, activity
"""
LOG = """
    INSERT INTO {schema}.AuditViolations
    SELECT :violation_id, :case_id, :who, :first_duty, :second_duty, CAST(:created_at AS TIMESTAMP),
           CAST(:approved_at AS TIMESTAMP), CAST(:seen_at AS TIMESTAMP), :signal, CAST(:events AS BIGINT), :context
    WHERE NOT EXISTS (SELECT 1 FROM {schema}.AuditViolations WHERE violation_id = :violation_id)
"""
# Each approval of the last days, and whether whoever approved had created the order.
APPROVALS = """
    SELECT a.resource AS who, a.case_id,
           max(CASE WHEN c.resource = a.resource THEN 1 ELSE 0 END) AS own
    FROM {schema}.PurchaseEvents a JOIN {schema}.PurchaseEvents c ON c.case_id = a.case_id AND c.activity = :first_duty
    WHERE a.activity = :second_duty AND a.timestamp <= CAST(:seen_at AS TIMESTAMP)
      AND a.timestamp > CAST(:since AS TIMESTAMP)
    GROUP BY a.resource, a.case_id
"""
SCORED = """
    INSERT INTO {schema}.ComplianceScores
    SELECT CAST(:seen_at AS TIMESTAMP), :who, CAST(:approvals AS BIGINT), CAST(:own_orders AS BIGINT), CAST(:score AS DOUBLE)
    WHERE NOT EXISTS (SELECT 1 FROM {schema}.ComplianceScores WHERE scored_at = CAST(:seen_at AS TIMESTAMP) AND who = :who)
"""


def violation_of(events, who):
    """Finds when a person did the one duty and when the other, first."""
    def first(duty):
        return next((event["timestamp"] for event in events if event["activity"] == duty and event["resource"] == who), None)

    created, approved = first(FIRST_DUTY), first(SECOND_DUTY)
    if created is None or approved is None:
        raise SystemExit(f"{who} did not do both: the events say {created} and {approved}")
    return created, approved


def score(own, approvals):
    """0 to 100: the share of one's own orders among those that one approved, held back where there are few."""
    return round(100 * own / (approvals + DOUBT), 1)


def standing(who, worst):
    """Says where somebody stands. An approval may come to be known when it is no longer recent."""
    place = next((place for place, (name, _) in enumerate(worst, 1) if name == who), None)
    return f"place {place} of {len(worst)} who approved" if place else "no approval in these days"


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--schema", "--case-id", "--who", "--seen-at", "--signal"):
        flags.add_argument(name, required=True)
    asked = flags.parse_args()
    lake = Lake()

    def sql(statement, **parameters):
        return lake.sql(statement.format(schema=asked.schema), **parameters)

    sql(VIOLATIONS)
    sql(SCORES)
    events = sql(EVENTS, case_id=asked.case_id)
    if not events:
        raise SystemExit(f"there is no order {asked.case_id}")
    created, approved = violation_of(events, asked.who)
    sql(
        LOG, violation_id=f"{asked.case_id}/{asked.who}", case_id=asked.case_id, who=asked.who, first_duty=FIRST_DUTY,
        second_duty=SECOND_DUTY, created_at=created, approved_at=approved, seen_at=asked.seen_at, signal=asked.signal,
        events=len(events),
        context=json.dumps(events),
    )
    print(f"order {asked.case_id}: {asked.who} created it at {created} and approved it at {approved}; {len(events)} events are logged with it")

    (since,) = sql("SELECT CAST(CAST(:seen_at AS TIMESTAMP) - INTERVAL '{days}' DAY AS STRING) AS since".replace("{days}", str(RECENT_DAYS)), seen_at=asked.seen_at)
    approvals = sql(APPROVALS, first_duty=FIRST_DUTY, second_duty=SECOND_DUTY, seen_at=asked.seen_at, since=since["since"])
    people = {}
    for row in approvals:
        people.setdefault(row["who"], []).append(int(row["own"]))
    scores = {who: score(sum(own), len(own)) for who, own in people.items()}
    for who, own in people.items():
        sql(SCORED, seen_at=asked.seen_at, who=who, approvals=len(own), own_orders=sum(own), score=scores[who])
    worst = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    for who, value in worst[:5]:
        print(f"  {value:5.1f} {who}")
    print(json.dumps({
        "created_at": created, "approved_at": approved, "events": len(events), "score": scores.get(asked.who, 0),
        "standing": standing(asked.who, worst), "transactions": len(approvals),
    }))


if __name__ == "__main__":
    main()
