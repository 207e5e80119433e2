"""Plays the way of a row: from a webhook, through a flow, into a table of a data pool.

    python3 examples/webhook-to-pool/play.py [--once] [--program PATH]

A sender posts a thousand deliveries to a webhook, some of them twice and some that are
no deliveries. Runs of the flow take 300 at a time and push each lot as one CSV. Nothing
is believed but what SQL reads afterwards.
"""

import pathlib
import sys
from datetime import date, datetime, timedelta, timezone
from urllib.parse import quote, urlencode

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from play import Client, Play, until  # noqa: E402
from play.client import Refused  # noqa: E402

FLOW, HOOK, TABLE = "webhook-to-pool", "deliveries", "ContiPush"
DELIVERIES = 1000
LOT = 300
# Every so many requests is sent again with the same key, as senders do that heard nothing.
TWICE_EVERY = 50
FIRST_DAY = date(2026, 1, 5)
DAYS = 28


def deliveries():
    """Made up, each with a day that tells which one it is."""
    for number in range(DELIVERIES):
        day = FIRST_DAY + timedelta(days=number % DAYS)
        yield {"OrderId": f"{4500000 + number}", "DeliveryDate": day.strftime("%d.%m.%Y")}


def send_all(play, program):
    """Sends all deliveries: by an address bar, and as JSON, in turn."""
    path = standing(program)["path"]
    sender = Client(program.url)
    for number, delivery in enumerate(deliveries()):
        key = {"Idempotency-Key": f"delivery-{number}"}
        for _ in range(2 if number % TWICE_EVERY == 0 else 1):
            if number % 2:
                sender.call("POST", path, delivery, key)
            else:
                sender.send("GET", f"{path}?{urlencode(delivery)}", None, key)
    reasons = [refusal(sender, path, wrong) for wrong in ({"OrderId": "1"}, {"Order": "1", "DeliveryDate": "05.01.2026"})]
    play.verify("what is no delivery is refused, with the reason", all(reasons), "; ".join(map(str, reasons)))
    waiting = standing(program)["waiting"]
    play.verify("each delivery waits once", waiting == DELIVERIES, f"{waiting} wait of {DELIVERIES}")


def refusal(sender, path, wrong):
    try:
        sender.call("POST", path, wrong)
    except Refused as refused:
        return refused.body["detail"] if refused.status == 400 else None
    return None


def standing(program):
    return program.client.get(f"/api/v1/hooks/{quote(HOOK)}")


def run_lots(play, program):
    """Lets the flow take what waits: by hand, because every 5 minutes is long for a play."""
    lots = -(-DELIVERIES // LOT)
    for _ in range(lots):
        run = program.client.call("POST", f"/api/v1/flows/{FLOW}/run?with=waiting")["id"]
        until("the run has ended", lambda: program.client.get(f"/api/v1/runs/{run}?operations=false")["state"] == "ended", deadline=180)
    runs = program.runs(FLOW)
    took = [len(program.client.get(f"/api/v1/runs/{run['id']}?operations=false")["input"]) for run in reversed(runs)]
    succeeded = [run for run in runs if run["status"] == "success"]
    play.verify(
        "the runs took 300, 300, 300 and the rest", took == [LOT] * (lots - 1) + [DELIVERIES % LOT] and len(succeeded) == lots,
        f"{took}, {len(succeeded)} succeeded",
    )
    flow = program.client.get(f"/api/v1/flows/{FLOW}")
    ahead = (instant(flow["nextAt"]) - datetime.now(timezone.utc)).total_seconds() if flow["nextAt"] else None
    play.verify(
        "the next run comes by itself, within 5 minutes", flow["state"] == "active" and ahead is not None and ahead <= 300,
        f"the flow is {flow['state']}, the next run in {ahead:.0f} s" if ahead is not None else f"the flow is {flow['state']}",
    )


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def look(play, pool):
    """Asks the table by SQL: is it all there, and once?"""
    columns = [column["name"] for column in pool.client.get(f"{pool.path}/tables/{TABLE}")["columns"]]
    play.verify(
        "the table has the two columns of the CSV", columns[:2] == ["Order ID", "Requested Delivery Date"], ", ".join(columns)
    )
    rows = pool.sql(f'SELECT * FROM "{TABLE}" ORDER BY "Order ID"')
    sent = [(one["OrderId"], one["DeliveryDate"]) for one in deliveries()]
    there = [(str(row["Order ID"]), date.fromisoformat(str(row["Requested Delivery Date"])[:10]).strftime("%d.%m.%Y")) for row in rows]
    play.verify("every delivery is a row, once, with its day", there == sent, f"{len(rows)} rows, {len(set(there))} different")
    jobs = pool.client.get(f"{pool.jobs}/")
    done = [job for job in jobs if job["status"] == "DONE"]
    play.verify("there was one push job for each run", len(jobs) == len(done) == -(-DELIVERIES // LOT), f"{len(done)} of {len(jobs)} are DONE")

    def counted():
        if "DeliveriesPerDay" not in pool.tables():
            return None
        days = pool.sql('SELECT * FROM "DeliveriesPerDay" ORDER BY day')
        return days if sum(row["deliveries"] for row in days) == DELIVERIES else None

    days = until("the data job has counted them by day", counted, deadline=180)
    play.verify("the data job that follows the table has counted them", len(days) == DAYS, f"{len(days)} days")


def main():
    with Play("webhook-to-pool", __doc__) as play:
        program = play.program()
        program.apply(HERE)
        send_all(play, program)
        run_lots(play, program)
        look(play, program.pool("webhook-to-pool"))
    sys.exit(play.status)


if __name__ == "__main__":
    main()
