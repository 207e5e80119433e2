"""What is known of an order that awaits its delivery: the features of the model.

Training and scoring take them from here, so that both mean the same.
"""

import bisect
import collections
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

# The milestones of all orders, in the order of time.
EVENTS = """
    SELECT case_id, activity, timestamp FROM {schema}.OrderEvents
    WHERE timestamp <= :now ORDER BY timestamp, event_id
"""


def instant(text):
    """Reads a time as the SQL statement API tells it; all are UTC."""
    return datetime.fromisoformat(text.replace("Z", "").replace("+00:00", ""))


def hours(span):
    return span / timedelta(hours=1)


class Order:
    """The milestones of one order."""

    def __init__(self):
        self.ordered = self.confirmed = self.delivered = None
        self.steps_before = 0


def orders_of(rows):
    """Returns the orders that were confirmed, by name."""
    found = collections.defaultdict(Order)
    for row in rows:
        order, at = found[row["case_id"]], instant(row["timestamp"])
        if row["activity"] == ORDERED:
            order.ordered = order.ordered or at
        elif row["activity"] == CONFIRMED:
            order.confirmed = order.confirmed or at
        elif row["activity"] == DELIVERED:
            order.delivered = order.delivered or at
        if not order.confirmed:
            order.steps_before += 1
    return {name: order for name, order in found.items() if order.ordered and order.confirmed}


class Past:
    """What had been seen of all orders at any instant. Nothing later is looked at."""

    def __init__(self, orders):
        ended = sorted(
            (order.delivered, hours(order.delivered - order.confirmed)) for order in orders.values() if order.delivered
        )
        self.ends = [at for at, _ in ended]
        self.waits = [wait for _, wait in ended]
        self.orders = sorted(orders.values(), key=lambda order: order.confirmed)
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
