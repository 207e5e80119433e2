"""Learns from the log how long orders still wait for their delivery.

Reads the history with SQL, and is measured as it would have been used: for each of
the last months it learns on what had been delivered before, forecasts the orders of
the month, and is held against a naive forecast. Then it learns on everything and
saves the model in a volume. The last line is the result as JSON.
"""

import argparse
import json
from datetime import datetime, timedelta
from statistics import mean, median

import joblib
import sklearn
from sklearn.ensemble import RandomForestRegressor

import waits
from lake import Lake

MONTHS_MEASURED = 4
SEED = 2011


def moments_of(orders, past):
    """One row for each day that an order waited: what was known then, and how long it still took."""
    known, took = [], []
    for order in orders:
        now = order.confirmed
        while now < order.delivered:
            known.append(past.features(order, now))
            took.append(waits.hours(order.delivered - now))
            now += timedelta(days=1)
    return known, took


def forest():
    return RandomForestRegressor(n_estimators=100, min_samples_leaf=10, random_state=SEED)


def naive(orders, known):
    """Forecasts as one would without a model: what was usual for orders that had waited as long."""
    all_waits = sorted(waits.hours(order.delivered - order.confirmed) for order in orders)
    forecasts = []
    for row in known:
        longer = [wait - row[0] for wait in all_waits if wait > row[0]]
        # Of those that waited longest of all, the longest wait tells what is possible.
        forecasts.append(median(longer) if longer else all_waits[-1])
    return forecasts


def last_months(until):
    """Returns the last months as (begin, end), the earliest first; the one of `until` is the last."""
    begin = until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [(begin, until + timedelta(seconds=1))]
    while len(months) < MONTHS_MEASURED:
        end = begin
        begin = (begin - timedelta(days=1)).replace(day=1)
        months.insert(0, (begin, end))
    return months


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--schema", required=True, help="catalog.schema")
    schema = flags.parse_args().schema

    lake = Lake()
    rows = lake.sql(waits.MILESTONES.format(schema=schema), now=datetime.now().isoformat(sep=" "))
    orders = [waits.Order(row) for row in rows]
    past = waits.Past(orders)
    delivered = sorted((order for order in orders if order.delivered), key=lambda order: order.confirmed)
    print(f"{len(orders)} confirmed orders, {len(delivered)} of them delivered", flush=True)

    held_out, model_errors, naive_errors = 0, [], []
    for begin, end in last_months(delivered[-1].confirmed):
        before = [order for order in delivered if order.delivered < begin]
        month = [order for order in delivered if begin <= order.confirmed < end]
        if not before or not month:
            continue
        known, took = moments_of(month, past)
        forecasts = forest().fit(*moments_of(before, past)).predict(known)
        of_model = [abs(a - b) for a, b in zip(forecasts, took)]
        of_naive = [abs(a - b) for a, b in zip(naive(before, known), took)]
        print(
            f"{begin:%Y-%m}: learned on {len(before)} orders, {len(month)} later ones: mean error "
            f"{mean(of_model):.1f} h, naive {mean(of_naive):.1f} h", flush=True,
        )
        held_out += len(month)
        model_errors += of_model
        naive_errors += of_naive
    if not held_out:
        raise SystemExit("there are too few orders to hold some out: let more history come in first")

    model = forest().fit(*moments_of(delivered, past))
    file = lake.volume(schema, "models") / "delivery-wait.joblib"
    joblib.dump({"model": model, "features": waits.FEATURES, "sklearn": sklearn.__version__}, file)
    ranked = sorted(zip(model.feature_importances_, waits.FEATURES), reverse=True)
    for weight, feature in ranked:
        print(f"  {weight:.2f} {feature}")
    print(json.dumps({
        "file": file.name,
        "bytes": file.stat().st_size,
        "orders": len(delivered),
        "orders_held_out": held_out,
        "model_error_hours": round(mean(model_errors), 1),
        "naive_error_hours": round(mean(naive_errors), 1),
        "learned_at": datetime.now().astimezone().isoformat(timespec="seconds"),
    }))


if __name__ == "__main__":
    main()
