"""Scores an order that waits too long in one step, and recommends what to do.

It reads the order and the history of the step from the pool, with SQL; prints
what it found; leaves one row in the pool's audit table; and prints its result
as JSON on the last line, where the flow that started it reads it.

Python 3.9, standard library only. From the environment:
  LOOPWRIGHT_URL      where Loopwright listens
  LOOPWRIGHT_APP_KEY  id:secret of an app key that may use the pool and push to it
  LOOPWRIGHT_POOL     name or id of the pool
"""

import argparse
import base64
import csv
import http.client
import io
import json
import os
import statistics
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

EVENTS = "PurchaseEvents"
AUDIT = "ScoringAudit"
AUDIT_COLUMNS = {
    "run_id": "STRING",
    "case_id": "STRING",
    "step": "STRING",
    "waiting_hours": "FLOAT",
    "threshold_hours": "FLOAT",
    "score": "FLOAT",
    "remaining_hours": "FLOAT",
    "action": "STRING",
    "reason": "STRING",
    "scored_at": "STRING",
}
# A restart of the server takes seconds; a run that outlives it only has to wait.
PATIENCE = timedelta(minutes=2)
TRY_AGAIN = {429, 502, 503, 504}


class Gone(Exception):
    """The server did not answer; whether it did what it was asked is open."""


class Loopwright:
    """The three calls that this job needs."""

    def __init__(self, url, app_key, pool):
        self.url = url.rstrip("/")
        self.pool = quote(pool, safe="")
        self.authorization = "AppKey " + base64.b64encode(app_key.encode()).decode()

    def sql(self, query):
        """Returns the rows of a query, each as a dictionary."""
        answer = self.patiently("POST", f"/api/v1/pools/{self.pool}/sql", {"query": query, "limit": 100_000})
        return answer["rows"]

    def has_table(self, name):
        tables = self.patiently("GET", f"/api/v1/pools/{self.pool}/tables")
        return any(table["name"] == name for table in tables)

    def append(self, table, columns, row):
        """Appends a row through the Data Push API and waits until it is durable."""
        job = self.filled_push_job(table, columns, row)
        try:
            self.patiently("POST", f"{job}/")
        except urllib.error.HTTPError as error:
            # Asked twice, because the first answer was lost: the job's status decides.
            print(f"execute answered {error.code}", flush=True)
        while True:
            status = self.patiently("GET", job)
            if status["status"] == "DONE":
                return
            if status["status"] not in ("QUEUED", "RUNNING"):
                raise SystemExit(f"the push into {table} ended as {status['status']}: {status.get('logs')}")
            time.sleep(0.2)

    def filled_push_job(self, table, columns, row):
        """Creates a push job with one chunk; one whose chunk is in doubt is left alone."""
        schema = [{"columnName": name, "columnType": kind} for name, kind in columns.items()]
        spec = {
            "targetName": table,
            "type": "DELTA",
            "fileType": "CSV",
            "tableSchema": {"tableName": table, "columns": schema},
        }
        jobs = f"/integration/api/v1/data-push/{self.pool}/jobs"
        deadline = datetime.now() + PATIENCE
        while True:
            job = self.patiently("POST", f"{jobs}/", spec)
            try:
                self.call("POST", f"{jobs}/{job['id']}/chunks/upserted", upload=as_csv(columns, row))
                return f"{jobs}/{job['id']}"
            except Gone as gone:
                wait_or_give_up(gone, deadline, 1)

    def patiently(self, method, path, body=None):
        """Calls until there is an answer, for calls that may be repeated."""
        deadline, pause = datetime.now() + PATIENCE, 0.2
        while True:
            try:
                return self.call(method, path, body)
            except Gone as gone:
                wait_or_give_up(gone, deadline, pause)
                pause = min(2 * pause, 2)

    def call(self, method, path, body=None, upload=None):
        headers = {"Authorization": self.authorization, "Accept": "application/json"}
        data = None
        if upload is not None:
            boundary = uuid.uuid4().hex
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
            head = 'Content-Disposition: form-data; name="file"; filename="row.csv"\r\nContent-Type: text/csv'
            data = f"--{boundary}\r\n{head}\r\n\r\n{upload}\r\n--{boundary}--\r\n".encode()
        elif body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code in TRY_AGAIN:
                raise Gone(f"{method} {path}: {error.code}") from None
            print(f"{method} {path}: {error.code} {error.read(2000).decode(errors='replace')}", flush=True)
            raise
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"{method} {path}: {error}") from None
        return json.loads(text) if text else None


def wait_or_give_up(gone, deadline, seconds):
    if datetime.now() > deadline:
        raise SystemExit(f"the server did not come back: {gone}")
    print(f"waiting for the server ({gone})", flush=True)
    time.sleep(seconds)


def as_csv(columns, row):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow(row[name] for name in columns)
    return text.getvalue()


def text_literal(text):
    return "'" + text.replace("'", "''") + "'"


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def hours(span):
    return span.total_seconds() / 3600


def history_of(loopwright, step, case_id):
    """Returns, for every time another order left the step: hours waited, hours to its last event."""
    rows = loopwright.sql(
        f"""
        WITH steps AS (
            SELECT case_id, activity, "timestamp" AS ended,
                   LEAD("timestamp") OVER (PARTITION BY case_id ORDER BY "timestamp") AS next_ended,
                   MAX("timestamp") OVER (PARTITION BY case_id) AS last_ended
            FROM "{EVENTS}"
        )
        SELECT ended, next_ended, last_ended FROM steps
        WHERE activity = {text_literal(step)} AND next_ended IS NOT NULL
          AND CAST(case_id AS VARCHAR) <> {text_literal(case_id)}
        """
    )
    times = [(instant(row["ended"]), instant(row["next_ended"]), instant(row["last_ended"])) for row in rows]
    return [(hours(next_step - ended), hours(last - ended)) for ended, next_step, last in times]


def load_of(loopwright, resource, until):
    """Returns what a resource did in the week before, as a multiple of its usual week."""
    rows = loopwright.sql(
        f"""SELECT "timestamp" AS ended FROM "{EVENTS}" WHERE resource = {text_literal(resource)}"""
    )
    times = sorted(at for at in (instant(row["ended"]) for row in rows) if at <= until)
    weeks = max((until - times[0]) / timedelta(weeks=1), 1) if times else 1
    last_week = sum(at > until - timedelta(weeks=1) for at in times)
    return last_week / max(len(times) / weeks, 1)


def score(history, waiting, load):
    """Says how unusual the wait is (0 to 1), and how many hours the order still needs."""
    share_shorter = sum(waited < waiting for waited, _ in history) / len(history) if history else 1.0
    # Orders that had waited at least as long tell what is left; if there is none, the slowest do.
    alike = [total for waited, total in history if waited >= waiting]
    alike = alike or sorted(total for _, total in history)[-10:]
    remaining = max(statistics.median(alike) - waiting, 0.0) if alike else 0.0
    return round(0.8 * share_shorter + 0.2 * min(load / 2, 1), 3), round(remaining, 1)


def recommend(points, waiting, threshold, load, resource):
    if waiting >= 2 * threshold or points >= 0.95:
        return "expedite", f"waits {waiting:.0f} h, {waiting / max(threshold, 0.1):.1f} times the usual limit"
    if load >= 1.5:
        return "reassign", f"{resource} has {load:.1f} times the work of a usual week"
    return "remind", f"waits {waiting:.0f} h where {threshold:.0f} h are the limit"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case-id", required=True)
    parser.add_argument("--step", required=True)
    parser.add_argument("--waiting-hours", type=float, required=True)
    parser.add_argument("--threshold-hours", type=float, required=True)
    parser.add_argument("--run-id", required=True)
    order = parser.parse_args()
    print(f"scoring order {order.case_id}: {order.waiting_hours:.1f} h in \"{order.step}\"", flush=True)

    loopwright = Loopwright(
        os.environ["LOOPWRIGHT_URL"], os.environ["LOOPWRIGHT_APP_KEY"], os.environ["LOOPWRIGHT_POOL"]
    )
    events = loopwright.sql(
        f"""SELECT activity, resource, "timestamp" AS ended FROM "{EVENTS}"
            WHERE CAST(case_id AS VARCHAR) = {text_literal(order.case_id)} ORDER BY "timestamp" """
    )
    if not events:
        raise SystemExit(f"there is no order {order.case_id}")
    last = events[-1]
    history = history_of(loopwright, order.step, order.case_id)
    load = load_of(loopwright, last["resource"], instant(last["ended"]))
    print(f"{len(events)} events so far, {len(history)} comparable waits, {last['resource']} at {load:.1f} of usual", flush=True)

    points, remaining = score(history, order.waiting_hours, load)
    action, reason = recommend(points, order.waiting_hours, order.threshold_hours, load, last["resource"])
    result = {
        "run_id": order.run_id,
        "case_id": order.case_id,
        "step": order.step,
        "waiting_hours": order.waiting_hours,
        "threshold_hours": order.threshold_hours,
        "score": points,
        "remaining_hours": remaining,
        "action": action,
        "reason": reason,
        "scored_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }

    # A second attempt of the same run finds the row of the first.
    of_this_run = f"""SELECT run_id FROM "{AUDIT}" WHERE run_id = {text_literal(order.run_id)}"""
    if loopwright.has_table(AUDIT) and loopwright.sql(of_this_run):
        print("this run is in the audit table already", flush=True)
    else:
        loopwright.append(AUDIT, AUDIT_COLUMNS, result)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
