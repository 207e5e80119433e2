"""The connector of the order system: pushes the outbox into a data pool.

It reads what waits in the order system's database, oldest first, pushes it
through the Data Push API, and marks it as pushed once the job is DONE. If it is
ended in between, the rows are pushed again; they have keys, so that changes
nothing. While Loopwright does not answer, it waits and tries again.

From the environment: LOOPWRIGHT_URL, LOOPWRIGHT_APP_KEY (a key that may push to
the pool), LOOPWRIGHT_POOL (its id). Python 3.9, standard library only.
"""

import argparse
import json
import os
import pathlib
import signal
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from play import Client, Pool, Refused, Unanswered, as_csv  # noqa: E402

ROWS_MAX = 20_000
LOOK_AGAIN_SECONDS = 0.05
TRY_AGAIN_SECONDS = 1

# Which table of the pool each kind of message becomes a row of. Orders come
# first: an event without its order would stand alone for a moment.
TARGETS = {
    "orders": {
        "table": "Orders",
        "keys": ["case_id"],
        "types": {
            "case_id": "STRING", "supplier": "STRING", "carrier": "STRING", "due_at": "DATETIME", "status": "STRING",
        },
    },
    "events": {
        "table": "OrderEvents",
        "keys": ["event_id"],
        "types": {
            "event_id": "INTEGER", "case_id": "STRING", "activity": "STRING", "resource": "STRING",
            "start_timestamp": "DATETIME", "timestamp": "DATETIME",
        },
    },
}


def push_what_waits(db, pool):
    """Pushes one batch; returns whether there was something.

    Rows that somebody's change has led to go in a push job of their own, which
    says so: then Loopwright knows which signal the rows answer.
    """
    waiting = db.execute(
        "SELECT message_id, target, message, cause FROM outbox WHERE push_job IS NULL ORDER BY message_id LIMIT ?",
        [ROWS_MAX],
    ).fetchall()
    for name, target in TARGETS.items():
        by_cause = {}
        for number, kind, message, cause in waiting:
            if kind == name:
                by_cause.setdefault(cause, []).append((number, json.loads(message)))
        for cause, messages in by_cause.items():
            # Of several rows with one key in one batch the last is the newest.
            rows = list({row[target["keys"][0]]: row for _, row in messages}.values())
            job = pool.push(target["table"], as_csv(rows), types=target["types"], keys=target["keys"], causes=cause)
            with db:
                db.executemany(
                    "UPDATE outbox SET push_job = ? WHERE message_id = ?", [(job["id"], number) for number, _ in messages]
                )
    return bool(waiting)


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--database", default="orders.db")
    database = flags.parse_args().database
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    db = sqlite3.connect(database, timeout=10)
    client = Client.with_app_key(os.environ["LOOPWRIGHT_URL"], os.environ["LOOPWRIGHT_APP_KEY"])
    pool = Pool(client, os.environ["LOOPWRIGHT_POOL"])
    while True:
        try:
            if not push_what_waits(db, pool):
                time.sleep(LOOK_AGAIN_SECONDS)
        except Unanswered as error:
            print(f"waiting for Loopwright: {error}", file=sys.stderr, flush=True)
            time.sleep(TRY_AGAIN_SECONDS)
        except Refused as refused:
            if refused.status not in (429, 502, 503, 504):
                raise
            print(f"trying again: {refused}", file=sys.stderr, flush=True)
            time.sleep(TRY_AGAIN_SECONDS)


if __name__ == "__main__":
    main()
