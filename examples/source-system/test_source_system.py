"""What the order system promises, tried over HTTP.

    python3 examples/source-system/test_source_system.py
"""

import pathlib
import sqlite3
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from play import Client, Refused  # noqa: E402
from play.child import Child  # noqa: E402

TERM_DAYS = 10
COURSE = [
    ["Create Purchase Order", "Ann", "2026-03-01T08:00:00.000Z", "2026-03-01T09:00:00.000Z"],
    ["Confirm Purchase Order", "Bob", "2026-03-02T08:00:00.000Z", "2026-03-02T09:00:00.000Z"],
    ["Deliver Goods Services", "Cid", "2026-03-30T08:00:00.000Z", "2026-03-30T09:00:00.000Z"],
    ["Pay Invoice", "Ann", "2026-03-31T08:00:00.000Z", "2026-03-31T09:00:00.000Z"],
]
CARRIERS = [["Slow", 96.0, 0.5], ["Fast", 20.0, 1.0]]


class SourceSystem(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = pathlib.Path(folder.name, "orders.db")
        command = [sys.executable, str(HERE / "serve.py"), "--database", str(self.database), "--port", "0"]
        child = Child("orders", command, pathlib.Path(folder.name, "log"), {"ORDERS_TOKENS": "flow=f-1,world=w-1"})
        self.addCleanup(child.stop)
        self.flow, self.world = Client.with_token(child.url, "f-1"), Client.with_token(child.url, "w-1")
        self.stranger = Client.with_token(child.url, "f-2")
        orders = [[["7", "Bob", "Slow", TERM_DAYS], COURSE], [["8", "Bob", "Slow", TERM_DAYS], COURSE[:1]]]
        self.world.post("/load", {"orders": orders, "carriers": CARRIERS, "now": "2026-03-10T00:00:00.000Z"})

    def refused(self, status, words, call, *arguments, **named):
        with self.assertRaises(Refused) as caught:
            call(*arguments, **named)
        self.assertEqual(caught.exception.status, status)
        self.assertIn(words, caught.exception.body["error"])

    def messages(self):
        with sqlite3.connect(self.database) as db:
            return db.execute("SELECT target, message, cause FROM outbox ORDER BY message_id").fetchall()

    def test_an_order_is_shown_as_it_stands(self):
        order = self.flow.get("/orders/7")
        self.assertEqual((order["step"], order["carrier"], order["status"]), ("Confirm Purchase Order", "Slow", "open"))
        self.assertEqual(order["due_at"], "2026-03-12T09:00:00.000Z")
        self.assertEqual([event["activity"] for event in self.flow.get("/orders/7/events")], [step[0] for step in COURSE[:2]])

    def test_another_carrier_lets_the_order_go_on_sooner_and_the_outbox_tells(self):
        changed = self.flow.patch("/orders/7", {"carrier": "Fast", "cause": "p.m/T/7"}, idempotency_key="k-1")
        self.assertEqual(changed["carrier"], "Fast")
        before = len(self.messages())
        self.world.post("/clock", {"now": "2026-03-11T00:00:00.000Z"})
        self.assertEqual(self.flow.get("/orders/7")["step"], "Deliver Goods Services")
        target, message, cause = self.messages()[before]
        self.assertEqual((target, cause), ("events", "p.m/T/7"))
        self.assertIn("Deliver Goods Services", message)
        (change,) = self.flow.get("/orders/7/changes")
        self.assertEqual((change["by"], change["before"], change["after"]), ("flow", "Slow", "Fast"))

    def test_the_same_key_changes_nothing_a_second_time(self):
        first = self.flow.patch("/orders/7", {"carrier": "Fast"}, idempotency_key="k-1")
        told = len(self.messages())
        self.assertEqual(self.flow.patch("/orders/7", {"carrier": "Fast"}, idempotency_key="k-1"), first)
        self.assertEqual((len(self.flow.get("/orders/7/changes")), len(self.messages())), (1, told))
        self.refused(409, "used for another request", self.flow.patch, "/orders/7", {"carrier": "Slow"}, idempotency_key="k-1")

    def test_who_is_unknown_is_told_so_and_nothing_else(self):
        self.refused(401, "token", self.stranger.get, "/orders/7")
        self.refused(401, "token", self.stranger.patch, "/orders/nobody", {})

    def test_what_cannot_be_is_refused_with_words(self):
        self.refused(404, 'no order "9"', self.flow.patch, "/orders/9", {"carrier": "Fast"})
        self.refused(400, 'no carrier "Fats"', self.flow.patch, "/orders/7", {"carrier": "Fats"})
        self.refused(400, '"carrier" is missing', self.flow.patch, "/orders/7", {})
        self.refused(400, 'no field "step"', self.flow.patch, "/orders/7", {"step": "Pay Invoice"})
        self.refused(400, "no JSON", self.flow.send, "PATCH", "/orders/7", b"{", {})
        self.refused(409, "not at", self.flow.patch, "/orders/7", {"carrier": "Fast", "expected_step": "Pay Invoice"})
        self.refused(409, "only one that awaits", self.flow.patch, "/orders/8", {"carrier": "Fast"})
        self.refused(409, "time does not go back", self.world.post, "/clock", {"now": "2026-03-01T00:00:00.000Z"})
        self.assertEqual(self.flow.get("/orders/7/changes"), [])

    def test_only_the_world_moves_time(self):
        self.refused(403, "world", self.flow.post, "/clock", {"now": "2026-03-20T00:00:00.000Z"})


if __name__ == "__main__":
    unittest.main()
