"""The world of this example: a real log, and side data that is synthetic.

The log (../purchase-to-pay/events.csv.gz) knows nothing of due dates, carriers and
trials. They are drawn here from a fixed seed and the order's name, so that every
play has the same. Nothing of it is learnt from the log.
"""

import collections
import csv
import gzip
import hashlib
import pathlib
import random

LOG = pathlib.Path(__file__).resolve().parent.parent / "purchase-to-pay" / "events.csv.gz"
SEED = 2011
DELIVERED = "Deliver Goods Services"

# Days from the supplier's confirmation to the due date, as a contract might have it.
TERM_DAYS = (8, 10, 12, 14)
# The carriers that bring orders as a rule; which one is drawn.
USUAL_CARRIERS = ("Northway", "Ostline", "Meridian Freight")
# Who brings an order when the usual one does not: what they promise, how often they keep it, and their price.
ALTERNATIVES = (
    ("Kestrel Express", 30.0, 0.96, 480.0),
    ("Harbour & Rail", 60.0, 0.90, 190.0),
    ("Citylink Couriers", 40.0, 0.72, 260.0),
    ("Atlas Air", 18.0, 0.93, 1150.0),
)


def drawn(order_id, what):
    """A generator of random numbers of its own for each order and purpose."""
    return random.Random(hashlib.sha256(f"{SEED}/{order_id}/{what}".encode()).digest())


def orders():
    """Returns each order as (fields, steps), as the source system loads them."""
    steps = collections.defaultdict(list)
    with gzip.open(LOG, "rt", encoding="utf-8", newline="") as log:
        for row in csv.DictReader(log):
            steps[row["case_id"]].append(row)
    loaded = []
    for order_id, rows in steps.items():
        rows.sort(key=lambda row: row["timestamp"])
        # Whoever confirms an order in the log is taken for its supplier.
        supplier = next((row["resource"] for row in rows if row["activity"] == "Confirm Purchase Order"), "none")
        fields = [
            order_id, supplier,
            drawn(order_id, "carrier").choice(USUAL_CARRIERS),
            drawn(order_id, "term").choice(TERM_DAYS),
        ]
        course = [[row["activity"], row["resource"], row["start_timestamp"], row["timestamp"]] for row in rows]
        loaded.append([fields, course])
    return loaded


def carriers():
    """Returns the side table of carriers: synthetic, and says so in each row."""
    rows = [
        {"carrier": name, "promised_hours": 96.0, "kept_share": 0.5, "price_eur": 120.0, "alternative": "no"}
        for name in USUAL_CARRIERS
    ]
    rows += [
        {"carrier": name, "promised_hours": hours, "kept_share": share, "price_eur": price, "alternative": "yes"}
        for name, hours, share, price in ALTERNATIVES
    ]
    return [{**row, "origin": f"synthetic, seed {SEED}"} for row in rows]


def arms(order_ids):
    """Returns the side table of the trial: for which orders the flow acts, half of them by the seed."""
    return [
        {
            "case_id": order_id,
            "arm": drawn(order_id, "arm").choice(("act", "hold out")),
            "origin": f"synthetic, seed {SEED}",
        }
        for order_id in order_ids
    ]
