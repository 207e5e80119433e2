"""The book of orders: what is known, what happened, who changed what, and what
is still to be told to others. One SQLite file; every change is one transaction.

A change and the rows that tell of it (the outbox) are written together, so that
whoever reads the outbox misses nothing and hears of nothing that did not happen.

The book also holds a *course* for each order: what the world will do with it and
when. No real order system has that. Here it stands for the people and trucks that
a play cannot bring along, and only `play_until` reads it.
"""

import hashlib
import json
import sqlite3
import threading
from datetime import datetime, timedelta, timezone

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, supplier TEXT NOT NULL, carrier TEXT NOT NULL, term_days INTEGER NOT NULL,
    due_at TEXT, step TEXT, step_at TEXT, status TEXT NOT NULL, cause TEXT);
CREATE TABLE IF NOT EXISTS carriers (
    carrier TEXT PRIMARY KEY, promised_hours REAL NOT NULL, kept_share REAL NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    event_id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, activity TEXT NOT NULL, resource TEXT NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changes (
    change_id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
    field TEXT NOT NULL, before TEXT, after TEXT, note TEXT);
CREATE TABLE IF NOT EXISTS answers (
    idempotency_key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    message_id INTEGER PRIMARY KEY, target TEXT NOT NULL, message TEXT NOT NULL, cause TEXT, push_job TEXT);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (message_id) WHERE push_job IS NULL;
CREATE TABLE IF NOT EXISTS course (
    order_id TEXT NOT NULL, place INTEGER NOT NULL, activity TEXT NOT NULL, resource TEXT NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT NOT NULL, PRIMARY KEY (order_id, place));
CREATE INDEX IF NOT EXISTS course_by_time ON course (ended_at);
CREATE TABLE IF NOT EXISTS clock (now TEXT NOT NULL);
"""

# An order that stands at this step awaits its delivery, and the delivery term runs from it; one that
# has come to one of the last ones goes no further.
AWAITS_DELIVERY = "Confirm Purchase Order"
ENDS = {"Pay Invoice"}
# What a change may say. `cause` is what led to it, in the words of whoever asks; it goes with all
# that is told of the order from then on.
CHANGEABLE = {"carrier", "expected_step", "note", "cause"}


class Refusal(Exception):
    """A request that cannot be granted; the text tells the caller why."""


class NotFound(Refusal):
    """There is no such order."""


class Forbidden(Refusal):
    """The caller is known, and may not do this."""


class Invalid(Refusal):
    """The request says something that cannot be meant."""


class Conflict(Refusal):
    """The request made sense once, but the order has moved on, or the key was used for another request."""


class Book:
    """The orders of one file. Calls may come from several threads; they take turns."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA busy_timeout = 10000")
        self.db.executescript(TABLES)
        self.turn = threading.Lock()

    # Looking

    def order(self, order_id):
        with self.turn:
            return dict(self.row_of(order_id))

    def orders(self, status=None):
        with self.turn:
            query = "SELECT * FROM orders WHERE status = coalesce(?, status) ORDER BY order_id"
            return [dict(row) for row in self.db.execute(query, [status])]

    def events(self, order_id):
        return self.of_order("events", "event_id", order_id)

    def changes(self, order_id):
        return self.of_order("changes", "change_id", order_id)

    def of_order(self, table, by, order_id):
        with self.turn:
            self.row_of(order_id)
            rows = self.db.execute(f"SELECT * FROM {table} WHERE order_id = ? ORDER BY {by}", [order_id])
            return [dict(row) for row in rows]

    def outbox(self):
        """Tells how many messages wait to be pushed, and how many of each kind were."""
        with self.turn:
            counted = self.db.execute("SELECT target, push_job IS NULL, count(*) FROM outbox GROUP BY 1, 2").fetchall()
            return {
                "waiting": sum(count for _, waits, count in counted if waits),
                "pushed": {target: count for target, waits, count in counted if not waits},
            }

    def clock(self):
        with self.turn:
            return {"now": self.now()}

    # Changing

    def change(self, order_id, wanted, by, idempotency_key):
        """Gives an order another carrier. The same request under the same key gives the same answer
        and changes nothing a second time."""
        request = hashlib.sha256(json.dumps([order_id, wanted, by], sort_keys=True).encode()).hexdigest()
        with self.turn, self.db:
            self.db.execute("BEGIN IMMEDIATE")
            known = self.db.execute(
                "SELECT request, answer FROM answers WHERE idempotency_key = ?", [idempotency_key]
            ).fetchone()
            if known and known["request"] != request:
                raise Conflict(f'the key "{idempotency_key}" was used for another request: take a new one')
            if known:
                return json.loads(known["answer"])
            answer = self.changed(order_id, wanted, by)
            if idempotency_key:
                row = [idempotency_key, request, json.dumps(answer)]
                self.db.execute("INSERT INTO answers VALUES (?, ?, ?)", row)
            return answer

    def changed(self, order_id, wanted, by):
        order = self.row_of(order_id)
        unknown = sorted(set(wanted) - CHANGEABLE)
        if unknown:
            raise Invalid(f'an order has no field "{unknown[0]}" that can be changed: there are {", ".join(sorted(CHANGEABLE))}')
        if not isinstance(wanted.get("carrier"), str):
            raise Invalid('"carrier" is missing: say who is to bring the order')
        carrier = self.db.execute("SELECT * FROM carriers WHERE carrier = ?", [wanted["carrier"]]).fetchone()
        if carrier is None:
            raise Invalid(f'there is no carrier "{wanted["carrier"]}"')
        if wanted.get("expected_step", order["step"]) != order["step"]:
            raise Conflict(f'order {order_id} stands at "{order["step"]}" and not at "{wanted["expected_step"]}" any more')
        if order["step"] != AWAITS_DELIVERY:
            raise Conflict(f'order {order_id} stands at "{order["step"]}": only one that awaits its delivery changes carriers')
        self.db.execute(
            "UPDATE orders SET carrier = ?, cause = ? WHERE order_id = ?", [carrier["carrier"], wanted.get("cause"), order_id]
        )
        self.db.execute(
            "INSERT INTO changes (order_id, at, by, field, before, after, note) VALUES (?, ?, ?, 'carrier', ?, ?, ?)",
            [order_id, self.now(), by, order["carrier"], carrier["carrier"], wanted.get("note")],
        )
        self.bend_course(order_id, carrier)
        self.tell_order(order_id)
        return dict(self.row_of(order_id))

    # The world

    def load(self, orders, carriers, now):
        """Fills an empty book: `orders` are (fields, steps); steps that ended before `now` have happened."""
        with self.turn, self.db:
            self.db.execute("BEGIN IMMEDIATE")
            if self.db.execute("SELECT count(*) FROM orders").fetchone()[0]:
                raise Conflict("there are orders in the book already")
            self.db.execute("INSERT INTO clock VALUES (?)", [now])
            self.db.executemany("INSERT INTO carriers VALUES (?, ?, ?)", carriers)
            for fields, steps in orders:
                self.db.execute(
                    "INSERT INTO orders (order_id, supplier, carrier, term_days, status) VALUES (?, ?, ?, ?, 'expected')", fields
                )
                rows = [[fields[0], place, *step] for place, step in enumerate(steps)]
                self.db.executemany("INSERT INTO course VALUES (?, ?, ?, ?, ?, ?)", rows)
        return self.play_until(now)

    def play_until(self, now):
        """Lets the world go on until `now`: every step whose time has come happens."""
        parsed(now)
        with self.turn, self.db:
            self.db.execute("BEGIN IMMEDIATE")
            if now < self.now():
                raise Conflict(f"it is {self.now()} already: time does not go back")
            self.db.execute("UPDATE clock SET now = ?", [now])
            coming = "SELECT * FROM course WHERE ended_at <= ? ORDER BY ended_at, order_id, place"
            due = self.db.execute(coming, [now]).fetchall()
            for step in due:
                self.happen(step)
            return {"now": now, "happened": len(due)}

    def happen(self, step):
        order_id, ended_at = step["order_id"], step["ended_at"]
        self.db.execute("DELETE FROM course WHERE order_id = ? AND place = ?", [order_id, step["place"]])
        added = self.db.execute(
            "INSERT INTO events (order_id, activity, resource, started_at, ended_at) VALUES (?, ?, ?, ?, ?)",
            [order_id, step["activity"], step["resource"], step["started_at"], ended_at],
        )
        before = self.row_of(order_id)
        status = "closed" if step["activity"] in ENDS else "open"
        due_at = before["due_at"]
        if step["activity"] == AWAITS_DELIVERY and not due_at:
            due_at = text_of(parsed(ended_at) + timedelta(days=before["term_days"]))
        self.db.execute(
            "UPDATE orders SET step = ?, step_at = ?, status = ?, due_at = ? WHERE order_id = ?",
            [step["activity"], ended_at, status, due_at, order_id],
        )
        self.tell("events", {
            "event_id": added.lastrowid, "case_id": order_id, "activity": step["activity"],
            "resource": step["resource"], "start_timestamp": step["started_at"], "timestamp": ended_at,
        }, before["cause"])
        if (before["status"], before["due_at"]) != (status, due_at):
            self.tell_order(order_id)

    def bend_course(self, order_id, carrier):
        """The new carrier brings the goods, counted from now: as often as it is said to keep its promise
        in 0.7 to 1 times the promised hours, else in 1 to 1.8 times. It is drawn from the names of both."""
        steps = self.db.execute("SELECT * FROM course WHERE order_id = ? ORDER BY place", [order_id]).fetchall()
        if not steps:
            return
        luck, span, *_ = (byte / 256 for byte in hashlib.sha256(f"{order_id}/{carrier['carrier']}".encode()).digest())
        times_promised = 0.7 + 0.3 * span if luck < carrier["kept_share"] else 1 + 0.8 * span
        arrives = parsed(self.now()) + timedelta(hours=carrier["promised_hours"] * times_promised)
        shift = arrives - parsed(steps[0]["ended_at"])
        for step in steps:
            times = [text_of(max(parsed(step[name]) + shift, parsed(self.now()))) for name in ("started_at", "ended_at")]
            self.db.execute(
                "UPDATE course SET started_at = ?, ended_at = ? WHERE order_id = ? AND place = ?",
                [*times, order_id, step["place"]],
            )

    # Telling

    def tell_order(self, order_id):
        order = self.row_of(order_id)
        row = {name: order[name] for name in ("supplier", "carrier", "due_at", "status")}
        self.tell("orders", {"case_id": order_id, **row}, order["cause"])

    def tell(self, target, message, cause):
        row = [target, json.dumps(message), cause]
        self.db.execute("INSERT INTO outbox (target, message, cause) VALUES (?, ?, ?)", row)

    # Within a turn

    def row_of(self, order_id):
        row = self.db.execute("SELECT * FROM orders WHERE order_id = ?", [order_id]).fetchone()
        if row is None:
            raise NotFound(f'there is no order "{order_id}"')
        return row

    def now(self):
        row = self.db.execute("SELECT now FROM clock").fetchone()
        return row[0] if row else "1970-01-01T00:00:00.000Z"


def parsed(text):
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        raise Invalid(f'"{text}" is no time such as 2011-09-26T00:00:00.000Z') from None


def text_of(time):
    """All times are UTC with milliseconds, so that they compare as texts."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
