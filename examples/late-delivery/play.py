"""Plays the loop of late deliveries: from a wait that is too long to the order that moved on.

    python3 examples/late-delivery/play.py [--once] [--program PATH]

The order system (../source-system) has all orders; its connector pushes what happens
into a pool. The log is played on the model's process clock, twelve hours a step. When
a delivery is late in coming, the flow lets a job score the order and gives it to
another carrier in the order system. An order is called verified when the order system,
the pool and the trigger all say that it has gone on.
"""

import json
import pathlib
import secrets
import statistics
import sys
from datetime import datetime, timedelta

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent
sys.path.insert(0, str(EXAMPLES))

import world  # noqa: E402
from play import Client, Play, say, until  # noqa: E402

MODEL, TRIGGER, FLOW = "late-delivery.deliveries", "LATE_DELIVERY", "reroute-late-delivery"
AWAITS = "Confirm Purchase Order"
HISTORY_ENDS = datetime(2011, 9, 12)
STEP = timedelta(hours=12)
# Then the connector is killed, and another one takes over.
CONNECTOR_BREAKS = datetime(2011, 9, 20)
PLAY_ENDS = datetime(2011, 10, 13)
# The first training waits for pip, which downloads scikit-learn.
TRAINED_SECONDS = 600


class Loop:
    """The program, the order system and its connector, on one stage."""

    def __init__(self, play):
        self.play = play
        token = secrets.token_urlsafe(16)
        own = secrets.token_urlsafe(16)
        database = play.data / "orders.db"
        system = EXAMPLES / "source-system"
        source = play.child(
            "source-system", [sys.executable, system / "serve.py", "--database", database, "--port", 0],
            ORDERS_TOKENS=f"flow={token},world={own}",
        )
        self.orders = Client.with_token(source.url, own)
        self.program = play.program(reach=[source.address])
        self.pool = self.program.pool("late-delivery")
        self.connector_command = [sys.executable, system / "connector.py", "--database", database]
        self.connector = self.start_connector()
        self.tokens = {"ORDERS_URL": source.url, "ORDERS_TOKEN": token}
        # When each order was first flagged, and how long the verified ones took from then on.
        self.first_signals = {}
        self.verified = {}
        # Messages that waited when the connector was killed.
        self.broken = 0

    def start_connector(self):
        return self.play.child(
            "connector", self.connector_command, listens=False,
            LOOPWRIGHT_URL=self.program.url, LOOPWRIGHT_APP_KEY=self.program.app_key, LOOPWRIGHT_POOL=self.pool.id,
        )

    # Before the play begins

    def bring_in_history(self):
        """Fills the order system; its connector pushes what has happened so far."""
        orders = world.orders()
        carriers = world.carriers()
        now = text_of(HISTORY_ENDS)
        promised = [[row["carrier"], row["promised_hours"], row["kept_share"]] for row in carriers]
        loaded = self.orders.post("/load", {"orders": orders, "carriers": promised, "now": now})
        self.pushed()
        self.pool.push_rows("Carriers", carriers, types={"promised_hours": "FLOAT", "kept_share": "FLOAT", "price_eur": "FLOAT"})
        arms = world.arms([fields[0] for fields, _ in orders])
        self.pool.push_rows("TrialArms", arms, types={"case_id": "STRING"}, keys=["case_id"])
        rows = self.pool.value('SELECT count(*) AS n FROM "OrderEvents"')
        self.play.verify(
            "the connector pushed every event of the history", rows == loaded["happened"], f"{rows} of {loaded['happened']}"
        )
        say(self.program.apply(HERE, **self.tokens).strip())

    def train(self):
        """Runs the job that learns from the history, and holds its model against a naive forecast."""
        job = self.program.job_id("late-delivery-train")
        begun = datetime.now()
        run = self.program.workspace.post("/api/2.1/jobs/run-now", {"job_id": job})["run_id"]
        path = f"/api/2.1/jobs/runs/get?run_id={run}"

        def ended():
            shown = self.program.workspace.get(path)
            return shown if shown["state"]["life_cycle_state"] in ("TERMINATED", "INTERNAL_ERROR", "SKIPPED") else None

        say("the model is being trained; the first time pip installs scikit-learn before")
        shown = until("the model is trained", ended, deadline=TRAINED_SECONDS)
        output = self.program.workspace.get(f"/api/2.1/jobs/runs/get-output?run_id={shown['tasks'][0]['run_id']}")
        if shown["state"].get("result_state") != "SUCCESS":
            raise RuntimeError(f"the training did not succeed: {output.get('error')}\n{output.get('error_trace', '')}")
        for line in output["logs"].splitlines()[:-1]:
            say(f"  train: {line}")
        result = parsed_last_line(output["logs"])
        say(f"the training took {(datetime.now() - begun).seconds} s with whatever had to be installed")
        model, naive = result["model_error_hours"], result["naive_error_hours"]
        self.play.verify(
            f"on {result['orders_held_out']} orders held out, all later, the model errs less than the naive forecast",
            model < naive, f"{model} h against {naive} h",
        )

    def look_back(self):
        """Replays the history on the trigger: were late deliveries flagged before they were due?"""
        answer = self.program.client.post(
            f"/api/v1/models/{MODEL}/triggers/{TRIGGER}/backtest",
            {"from": "2011-06-01T00:00:00Z", "to": zulu(HISTORY_ENDS), "limit": 10_000},
        )
        for signal in answer["signals"]:
            self.first_signals.setdefault(signal["identifier"], signal["at"])
        self.flagged_in_time("history", "e.timestamp >= TIMESTAMP '2011-06-01 00:00:00'")

    # The play

    def step_to(self, now):
        """Lets the world, then the process clock, go on to `now`; waits until all signals are answered."""
        breaks = now == CONNECTOR_BREAKS
        if breaks:
            self.connector.kill()
        self.orders.post("/clock", {"now": text_of(now)})
        if breaks:
            self.broken = self.orders.get("/outbox")["waiting"]
            say(f"the connector was killed; {self.broken} messages wait for the next one")
            self.connector = self.start_connector()
        self.pushed()
        self.program.set_clock(MODEL, zulu(now))
        until("nobody's time has come that was not looked at", lambda: self.next_deadline() > now)
        until("every signal's run has ended", self.nothing_under_way, deadline=180)
        # What the flow has changed is told before time goes on.
        self.pushed()
        self.verify_those_that_moved()

    def pushed(self):
        def nothing_waits():
            if not self.connector.runs():
                raise RuntimeError(f"the connector has ended: {self.connector.last_words()}")
            return self.orders.get("/outbox")["waiting"] == 0

        until("the connector has pushed the outbox", nothing_waits, deadline=180)

    def next_deadline(self):
        state = self.program.client.get(f"/api/v1/models/{MODEL}/state")
        return instant(state["nextDeadline"] or "9999-12-31T00:00:00Z")

    def nothing_under_way(self):
        status = self.program.client.get("/api/v1/status")
        ended = sum(status["runs"].get(state, 0) for state in ("succeeded", "warning", "failed"))
        return status["signals"] == ended

    def recommendations(self):
        if "Recommendations" not in self.pool.tables():
            return []
        return self.pool.sql('SELECT * FROM "Recommendations" ORDER BY flagged_at, case_id')

    def acted(self):
        return [row for row in self.recommendations() if row["arm"] == "act" and row["action"] == "reroute"]

    def verify_those_that_moved(self):
        """Says of an order on which the flow acted that it is verified, once three places say so."""
        left = [row for row in self.acted() if row["case_id"] not in self.verified]
        if not left:
            return
        matched = self.program.matched(MODEL, TRIGGER)
        for row in left:
            name = row["case_id"]
            order = self.orders.get(f"/orders/{name}")
            changes = [change for change in self.orders.get(f"/orders/{name}/changes") if change["by"] == "flow"]
            if order["step"] == AWAITS or not changes:
                continue
            news = self.pool.sql(
                f"""SELECT activity, "timestamp" FROM "OrderEvents" WHERE case_id = '{name}'
                    AND "timestamp" > TIMESTAMP '{sql_time(changes[0]["at"])}' ORDER BY "timestamp", event_id"""
            )
            if not news or name in matched:
                continue
            waited = hours(instant(news[0]["timestamp"]) - instant(row["flagged_at"]))
            self.verified[name] = waited
            due = row["hours_to_due"]
            told = f"due in {due:.0f} h" if due > 0 else f"overdue for {-due:.0f} h"
            say(
                f"verified: order {name}, {told} at its signal, went to {changes[0]['after']} and is past "
                f"\"{news[0]['activity']}\" {waited:.0f} h later; the trigger has let go of it"
            )

    # The report

    def report(self):
        acted, rows = self.acted(), self.recommendations()
        signals = self.program.client.get("/api/v1/status")["signals"]
        succeeded = self.program.runs(FLOW, status="success")
        job_runs = self.program.job_runs(self.program.job_id("late-delivery-score"))
        done = [run for run in job_runs if run["state"].get("result_state") == "SUCCESS"]
        verify = self.play.verify
        verify(
            "each signal had one run of the flow, one of the job and one recommendation",
            signals > 0 and signals == len(succeeded) == len(done) == len(job_runs) == len(rows),
            f"{signals} signals, {len(succeeded)} runs, {len(done)} job runs, {len(rows)} recommendations",
        )
        verify(
            "every order on which the flow acted went on: in the order system, in the pool, out of the trigger",
            acted and all(row["case_id"] in self.verified for row in acted),
            f"{len(self.verified)} of {len(acted)}",
        )
        changed = [
            change for row in rows for change in self.orders.get(f"/orders/{row['case_id']}/changes") if change["by"] == "flow"
        ]
        verify(
            "the order system was changed once for each, and not for those held out",
            sorted(change["order_id"] for change in changed) == sorted(row["case_id"] for row in acted),
            f"{len(changed)} changes; {len(rows) - len(acted)} orders held out",
        )
        in_pool = self.pool.sql('SELECT count(*) AS rows, count(DISTINCT event_id) AS events FROM "OrderEvents"')[0]
        told = self.orders.get("/outbox")
        verify(
            "nothing was lost or doubled on the way, though the connector was killed",
            self.broken and not told["waiting"] and in_pool["rows"] == in_pool["events"] == told["pushed"]["events"],
            f"{told['pushed']['events']} events there, {in_pool['rows']} here; {self.broken} waited when it was killed",
        )
        for row in rows:
            self.first_signals.setdefault(row["case_id"], row["flagged_at"])
        for line in self.program.command("outcomes", MODEL, TRIGGER).splitlines():
            say(f"     {line}")
        outcomes = self.program.outcomes(MODEL, TRIGGER)
        closed, episodes = outcomes["episodes"]["leftBy"]["chain"], outcomes["episodes"]
        verify(
            "the program's own tracking says the same: where the flow acted, what it did made the condition go away",
            closed == len(acted) and outcomes["actedOn"]["succeeded"] == len(rows),
            f"{outcomes['actedOn']['succeeded']} acted on, {episodes['left']} left, {closed} of them by the chain, {episodes['stillThere']} still there",
        )
        self.compare(rows)
        self.flagged_in_time(
            "the play, orders on which nobody acted",
            f"""e.timestamp >= TIMESTAMP '{sql_time(text_of(HISTORY_ENDS))}'
                AND e.case_id NOT IN ({", ".join(f"'{row['case_id']}'" for row in acted)})""",
        )

    def compare(self, rows):
        """Compares the orders on which the flow acted with those held out."""
        delivered = {
            row["case_id"]: row for row in self.pool.sql(
                f"""SELECT e.case_id, min(e."timestamp") AS at, min(o.due_at) AS due_at FROM "OrderEvents" e
                    JOIN "Orders" o ON o.case_id = e.case_id WHERE e.activity = '{world.DELIVERED}' GROUP BY e.case_id"""
            )
        }
        waits = {"act": [], "hold out": []}
        for arm, told in (("act", "acted on"), ("hold out", "held out")):
            could_be_in_time = in_time = 0
            for row in rows:
                end = delivered.get(row["case_id"])
                if not end or row["arm"] != arm:
                    continue
                flagged_at, at, due_at = instant(row["flagged_at"]), instant(end["at"]), instant(end["due_at"])
                waits[arm].append(hours(at - flagged_at))
                could_be_in_time += flagged_at < due_at
                in_time += flagged_at < due_at and at <= due_at
            if waits[arm]:
                say(
                    f"     {told}: {len(waits[arm])} orders, delivered {statistics.median(waits[arm]):.0f} h after the signal "
                    f"(median); {could_be_in_time} were not due yet at the signal, {in_time} of these came in time"
                )
        if self.play.verify(
            "there are orders in both arms", waits["act"] and waits["hold out"],
            f"{len(waits['act'])} acted on, {len(waits['hold out'])} held out, by a seed",
        ):
            self.play.verify(
                "orders on which the flow acted went on sooner than those held out",
                statistics.median(waits["act"]) < statistics.median(waits["hold out"]),
                f"{statistics.median(waits['act']):.0f} h against {statistics.median(waits['hold out']):.0f} h (median)",
            )

    def flagged_in_time(self, when, which):
        """Tells how many of the orders that were delivered late had been flagged before they were due."""
        late = self.pool.sql(
            f"""SELECT e.case_id, min(o.due_at) AS due_at FROM "OrderEvents" e JOIN "Orders" o ON o.case_id = e.case_id
                WHERE e.activity = '{world.DELIVERED}' AND {which} GROUP BY e.case_id
                HAVING min(e."timestamp") > min(o.due_at)"""
        )
        ahead = [
            hours(instant(order["due_at"]) - instant(self.first_signals[order["case_id"]]))
            for order in late if order["case_id"] in self.first_signals
        ]
        ahead = [lead for lead in ahead if lead > 0]
        share = f"{len(ahead)} of {len(late)} late deliveries were flagged before they were due"
        lead = f", {statistics.median(ahead):.0f} h ahead (median)" if ahead else ""
        self.play.verify(f"late deliveries were flagged in time ({when})", ahead, share + lead)


def parsed_last_line(logs):
    return json.loads(logs.strip().splitlines()[-1])


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "").replace("+00:00", ""))


def text_of(time):
    """Times of the order system: UTC with milliseconds."""
    return time.isoformat(timespec="milliseconds") + "Z"


def zulu(time):
    return time.isoformat() + "Z"


def sql_time(text):
    return instant(text).isoformat(sep=" ")


def hours(span):
    return span / timedelta(hours=1)


def main():
    with Play("late-delivery", __doc__) as play:
        loop = Loop(play)
        loop.bring_in_history()
        loop.train()
        loop.look_back()
        now = HISTORY_ENDS
        while now < PLAY_ENDS:
            now += STEP
            loop.step_to(now)
        loop.report()
    sys.exit(play.status)


if __name__ == "__main__":
    main()
