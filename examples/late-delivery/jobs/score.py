"""Scores one order that awaits its delivery for long, and recommends who should bring it.

Loads the model that train.py has saved, forecasts how long the order still waits,
looks up with SQL which carriers are free to bring it sooner, and prints its
recommendation as JSON on the last line, where the flow reads it. It changes
nothing; the flow does.
"""

import argparse
import json

import joblib

import waits
from lake import Lake

# Of those who bring it sooner than the forecast: first whoever promises to be in time, with half a
# day to spare for handing it over, and keeps promises; of these the cheapest. Where nobody is sure to
# be in time the quickest still may be; where it is too late already, the cheapest will do.
ALTERNATIVES = """
    WITH offers AS (
        SELECT carrier, promised_hours, kept_share, price_eur, CAST(:hours_to_due AS DOUBLE) AS hours_to_due,
               promised_hours + 12 <= CAST(:hours_to_due AS DOUBLE) AND kept_share >= 0.85 AS sure
        FROM {schema}.Carriers
        WHERE alternative = 'yes' AND promised_hours < CAST(:forecast AS DOUBLE)
          AND carrier <> (SELECT carrier FROM {schema}.Orders WHERE case_id = :case_id)
    )
    SELECT carrier, promised_hours, kept_share, price_eur FROM offers
    ORDER BY sure DESC, CASE WHEN NOT sure AND hours_to_due > 0 THEN promised_hours ELSE price_eur END, carrier
"""
ORDER = """
    SELECT o.due_at, o.carrier, t.arm
    FROM {schema}.Orders o LEFT JOIN {schema}.TrialArms t ON t.case_id = o.case_id
    WHERE o.case_id = :case_id
"""


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--schema", required=True, help="catalog.schema")
    flags.add_argument("--case-id", required=True)
    flags.add_argument("--flagged-at", required=True, help="the instant at which the signal was raised")
    asked = flags.parse_args()
    lake, schema = Lake(), asked.schema
    now = waits.instant(asked.flagged_at)

    found = lake.sql(ORDER.format(schema=schema), case_id=asked.case_id)
    if not found:
        raise SystemExit(f"there is no order {asked.case_id}")
    order = found[0]
    rows = lake.sql(waits.MILESTONES.format(schema=schema), now=now.isoformat(sep=" "))
    orders = {row["case_id"]: waits.Order(row) for row in rows}
    if asked.case_id not in orders:
        raise SystemExit(f"order {asked.case_id} was not confirmed by {now}: it does not await its delivery")
    known = waits.Past(orders.values()).features(orders[asked.case_id], now)

    saved = joblib.load(lake.volume(schema, "models") / "delivery-wait.joblib")
    if saved["features"] != waits.FEATURES:
        raise SystemExit("the model was learned with other features: run the job that trains it")
    # Each tree has its own forecast; how many of them come after the due date is the risk.
    forecasts = sorted(tree.predict([known])[0] for tree in saved["model"].estimators_)
    forecast = sum(forecasts) / len(forecasts)
    hours_to_due = waits.hours(waits.instant(order["due_at"]) - now)
    risk = sum(hours > hours_to_due for hours in forecasts) / len(forecasts)
    print(f"order {asked.case_id} has waited {known[0]:.0f} h and is due in {hours_to_due:.0f} h; forecast: {forecast:.0f} h more")

    alternatives = lake.sql(
        ALTERNATIVES.format(schema=schema), forecast=forecast, hours_to_due=hours_to_due, case_id=asked.case_id
    )
    for offer in alternatives:
        print(f"  {offer['carrier']}: {offer['promised_hours']} h, kept {offer['kept_share']}, {offer['price_eur']} EUR")
    best = alternatives[0] if alternatives else None
    print(json.dumps({
        "case_id": asked.case_id,
        "forecast_hours": round(forecast, 1),
        "hours_to_due": round(hours_to_due, 1),
        "risk": round(risk, 2),
        "action": "reroute" if best else "wait",
        "carrier": best["carrier"] if best else order["carrier"],
        "promised_hours": float(best["promised_hours"]) if best else None,
        "arm": order["arm"] or "act",
    }))


if __name__ == "__main__":
    main()
