"""What is known of an order that awaits its delivery: the features of the model.

Training and scoring take them from here, so that both mean the same.
"""

import bisect
from datetime import datetime, timedelta

ORDERED, CONFIRMED, DELIVERED = "Create Purchase Order", "Confirm Purchase Order", "Deliver Goods Services"
RECENT = 15
TWO_WEEKS = timedelta(days=14)
FEATURES = [
    "hours since it was confirmed",
    "hours since it was ordered",
    "mean wait of the last 15 delivered",
    "longest wait of the last 15 delivered",
    "orders that await delivery",
    "of these, confirmed earlier",
    "orders delivered in two weeks",
    "steps before",
]

# The milestones of all orders that were confirmed, as they were known at an instant.
MILESTONES = f"""
    WITH milestones AS (
        SELECT case_id,
               min(CASE WHEN activity = '{ORDERED}' THEN timestamp END) AS ordered,
               min(CASE WHEN activity = '{CONFIRMED}' THEN timestamp END) AS confirmed,
               min(CASE WHEN activity = '{DELIVERED}' THEN timestamp END) AS delivered
        FROM {{schema}}.OrderEvents WHERE timestamp <= :now GROUP BY case_id
    )
    SELECT m.case_id, m.ordered, m.confirmed, m.delivered, count(*) AS steps_before
    FROM milestones m JOIN {{schema}}.OrderEvents e ON e.case_id = m.case_id AND e.timestamp < m.confirmed
    WHERE m.ordered IS NOT NULL
    GROUP BY m.case_id, m.ordered, m.confirmed, m.delivered
    ORDER BY m.confirmed, m.case_id
"""


def instant(text):
    """Reads a time as the SQL statement API tells it; all are UTC."""
    return datetime.fromisoformat(text.replace("Z", "").replace("+00:00", ""))


def hours(span):
    return span / timedelta(hours=1)


class Order:
    """The milestones of one order, from a row of MILESTONES."""

    def __init__(self, row):
        self.ordered, self.confirmed = instant(row["ordered"]), instant(row["confirmed"])
        self.delivered = instant(row["delivered"]) if row["delivered"] else None
        self.steps_before = int(row["steps_before"])


class Past:
    """What had been seen of all orders at any instant. Nothing later is looked at."""

    def __init__(self, orders):
        ended = sorted(
            (order.delivered, hours(order.delivered - order.confirmed)) for order in orders if order.delivered
        )
        self.ends = [at for at, _ in ended]
        self.waits = [wait for _, wait in ended]
        self.orders = sorted(orders, key=lambda order: order.confirmed)
        self.starts = [order.confirmed for order in self.orders]

    def features(self, order, now):
        """Returns what is known of an order at `now`, in the order of FEATURES."""
        ended = bisect.bisect_left(self.ends, now)
        recent = self.waits[max(ended - RECENT, 0):ended] or [0.0]
        before = self.orders[:bisect.bisect_left(self.starts, order.confirmed)]
        return [
            hours(now - order.confirmed),
            hours(now - order.ordered),
            sum(recent) / len(recent),
            max(recent),
            bisect.bisect_right(self.starts, now) - ended,
            sum(1 for other in before if not other.delivered or other.delivered > now),
            ended - bisect.bisect_left(self.ends, now - TWO_WEEKS),
            order.steps_before,
        ]
