"""Declarations as the forecast sees them: what is known at a moment, and how long the payment took from then on.

Both the job that learns and the endpoint that answers use this file, so that they
cannot see a declaration differently. Standard library only.
"""

from datetime import datetime

PAID = "Payment Handled"

# The events of the declarations that were paid last, the earliest first.
LATEST = """
    WITH paid AS (
        SELECT case_id, max(timestamp) AS paid_at FROM {schema}.DeclarationEvents
        WHERE case_id IN (SELECT case_id FROM {schema}.DeclarationEvents WHERE activity = 'Payment Handled')
        GROUP BY case_id ORDER BY paid_at DESC, case_id LIMIT {cases}
    )
    SELECT e.case_id, e.activity, e.timestamp, e.amount FROM {schema}.DeclarationEvents e
    JOIN paid ON paid.case_id = e.case_id ORDER BY paid.paid_at, e.case_id, e.timestamp, e.event_id
"""


def instant(text):
    return datetime.fromisoformat(str(text).replace("Z", "+00:00").replace(" ", "T")).replace(tzinfo=None)


def hours(span):
    return span.total_seconds() / 3600


def traces(rows):
    """Puts events together by declaration, in the order in which they come."""
    cases = {}
    for row in rows:
        cases.setdefault(row["case_id"], []).append((instant(row["timestamp"]), row["activity"], float(row["amount"])))
    return list(cases.values())


def features(trace, activities):
    """What is known of a declaration after its last event so far.

    How often each activity has happened, so that a way through the process that
    nobody had seen before is a zero in a model that is older than it.
    """
    begun, (now, last, amount) = trace[0][0], trace[-1]
    happened = [activity for _, activity, _ in trace]
    row = [hours(now - begun), amount, now.weekday(), now.hour, len(trace)]
    return row + [happened.count(activity) for activity in activities] + [float(last == activity) for activity in activities]


def moments(cases, activities):
    """One row for each event but the last: what was known then, the activity, and the hours until the payment."""
    known, last, took = [], [], []
    for trace in cases:
        paid = trace[-1][0]
        for length in range(1, len(trace)):
            known.append(features(trace[:length], activities))
            last.append(trace[length - 1][1])
            took.append(hours(paid - trace[length - 1][0]))
    return known, last, took
