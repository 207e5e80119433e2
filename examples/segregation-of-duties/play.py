"""Plays the loop of segregated duties: from an approval of one's own order to a page that tells it.

    python3 examples/segregation-of-duties/play.py [--once] [--program PATH]

The log's last days come in live. Whoever approves the payment of an order that they
created is a signal: a job logs the violation with all events of the order in a Delta
table and scores everybody's recent approvals, the compliance page is written anew, and
mail and message go out. In the end nothing is believed but what is read again.
"""

import csv
import gzip
import json
import pathlib
import sys
from collections import Counter
from datetime import datetime, timedelta

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent
sys.path.insert(0, str(EXAMPLES))

from play import Play, Refused, Client, say, until  # noqa: E402
from play.packages import python_with  # noqa: E402

LOG = EXAMPLES / "purchase-to-pay" / "events.csv.gz"
MODEL, TRIGGER, FLOW = "segregation-of-duties.purchases", "SAME_HANDS", "audit-violation"
TABLE, PAGE = "PurchaseEvents", "compliance"
FIRST_DUTY, SECOND_DUTY = "Create Purchase Order", "Approve Purchase Order for payment"
HISTORY_ENDS, PLAY_ENDS, STEP = datetime(2011, 9, 6), datetime(2011, 10, 11), timedelta(days=5)
STREAM_TYPES = {"case_id": "STRING", "timestamp": "DATETIME", "start_timestamp": "DATETIME"}


class Loop:
    """The program, and those who hear of violations."""

    def __init__(self, play):
        self.play = play
        self.inbox = play.data / "received"
        self.inbox.mkdir()
        receivers = play.child("receivers", [python_with("aiosmtpd>=1.4,<2"), HERE / "receivers.py", self.inbox], listens=2)
        self.mail, self.channel = receivers.addresses
        self.program = play.program(reach=[self.mail, self.channel])
        self.pool = self.program.pool("segregation-of-duties")
        with gzip.open(LOG, "rt", encoding="utf-8") as log:
            self.events = sorted(csv.DictReader(log), key=lambda row: row["timestamp"])

    def bring_in_history(self):
        self.push("", zulu(HISTORY_ENDS))
        host, port = self.mail.rsplit(":", 1)
        said = self.program.apply(HERE, MAIL_HOST=host, MAIL_PORT=port, SLACK_WEBHOOK=f"http://{self.channel}/services/play")
        say(said.strip())

    def push(self, begin, end):
        rows = [row for row in self.events if begin <= row["timestamp"] < end]
        if rows:
            self.pool.push_rows(TABLE, rows, types=STREAM_TYPES)

    def step(self, begin, end):
        # What happened in between is known at its end.
        self.program.set_clock(MODEL, zulu(end))
        self.push(zulu(begin), zulu(end))
        until("every signal's run has ended", self.nothing_under_way, deadline=240, seen=lambda: self.program.runs(FLOW))
        for kind in ("mail", "message"):
            until(f"each {kind} has arrived", lambda: len(self.received(kind)) >= self.signals())

    def again(self):
        """Lets an order's last event come again with another time: the order still violates, and is logged no second time."""
        who = self.violations()[0]
        before = (self.signals(), len(self.violations()))
        row = next(row for row in reversed(self.events) if row["case_id"] == who["case_id"])
        self.pool.push_rows(TABLE, [{**row, "activity": "Archive", "timestamp": zulu(PLAY_ENDS)}], types=STREAM_TYPES)
        job = self.program.job_id("segregation-of-duties-audit")
        given = {"case_id": who["case_id"], "who": who["who"], "seen_at": zulu(PLAY_ENDS)}
        run = self.program.workspace.post("/api/2.1/jobs/run-now", {"job_id": job, "job_parameters": given})["run_id"]
        ended = until(
            "the job has run again",
            lambda: next((one for one in self.program.job_runs(job) if one["run_id"] == run and one["state"].get("result_state")), None), deadline=180,
        )
        after = (self.signals(), len(self.violations()))
        self.play.verify(
            "an order that violates is neither signalled nor logged a second time",
            before == after and ended["state"]["result_state"] == "SUCCESS", f"signals and rows were {before}, and are {after}",
        )

    def signals(self):
        return self.program.client.get("/api/v1/status")["signals"]

    def nothing_under_way(self):
        return len(self.program.runs(FLOW, status="success,warning,error,cancelled,held")) == self.signals()

    def received(self, kind):
        return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(self.inbox.glob(f"{kind}-*.json"))]

    def violations(self):
        if "AuditViolations" not in self.pool.tables():
            return []
        return self.pool.sql('SELECT * FROM "AuditViolations" ORDER BY approved_at, case_id')

    def expected(self):
        """Counts by hand what is to be found: who created and approved the same order, from the log itself."""
        did = {}
        for row in self.events:
            if row["timestamp"] < zulu(PLAY_ENDS) and row["activity"] in (FIRST_DUTY, SECOND_DUTY):
                did.setdefault((row["case_id"], row["resource"]), set()).add(row["activity"])
                if row["activity"] == SECOND_DUTY:
                    did[(row["case_id"], row["resource"], "at")] = row["timestamp"]
        pairs = {key for key, duties in did.items() if len(key) == 2 and len(duties) == 2}
        return {key for key in pairs if did[(*key, "at")] >= zulu(HISTORY_ENDS)}

    def report(self):
        verify = self.play.verify
        rows, runs = self.violations(), self.program.runs(FLOW)
        succeeded = [run for run in runs if run["status"] == "success"]
        verify("each signal had one run, and all of them succeeded", self.signals() == len(runs) == len(succeeded) > 0, f"{self.signals()} signals, {len(succeeded)} of {len(runs)} runs")
        logged = Counter((str(row["case_id"]), row["who"]) for row in rows)
        verify("the audit table has every violation of these days, once", set(logged) == self.expected() and max(logged.values(), default=0) == 1, f"{len(rows)} rows for {len(self.expected())} violations in the log")
        whole = [len(json.loads(row["context"])) == row["events"] == self.events_until(row) for row in rows]
        verify("each row has all events that its order had by then", rows and all(whole), f"{sum(row['events'] for row in rows)} events with {len(rows)} rows")
        self.verify_delta(len(rows))
        self.verify_page(len(rows))
        outcomes = self.program.outcomes(MODEL, TRIGGER)
        verify(
            "the program's own tracking says what became of them: each was acted on, and what was done stays done",
            outcomes["actedOn"]["succeeded"] == len(rows) == outcomes["episodes"]["entered"] and outcomes["episodes"]["left"] == 0,
            f"{outcomes['episodes']['entered']} entered, {outcomes['actedOn']['succeeded']} acted on, {outcomes['episodes']['left']} left; half were acted on within {outcomes['actedOn']['medianUntilRun']} ms",
        )
        for kind, say_of in (("mail", lambda one: one["subject"]), ("message", lambda one: one["text"])):
            told = sorted(say_of(one).split(":")[0] for one in self.received(kind))
            verify(f"there is one {kind} for each violation", told == sorted(f"Order {row['case_id']}" for row in rows), f"{len(told)} of {len(rows)}")

    def events_until(self, row):
        """Events of an order that were pushed when its violation was seen: steps come whole."""
        return sum(1 for event in self.events if event["case_id"] == str(row["case_id"]) and event["timestamp"] < zulu(instant(row["seen_at"])))

    def verify_delta(self, count):
        """Reads the log of the Delta table as any reader of Delta would begin to."""
        logs = lambda: [log for log in self.play.data.glob("**/AuditViolations/_delta_log/*.json")]  # noqa: E731

        def rows_at_rest():
            actions = [json.loads(line) for log in sorted(logs()) for line in log.read_text(encoding="utf-8").splitlines()]
            added = {one["add"]["path"]: json.loads(one["add"].get("stats") or "{}").get("numRecords", 0) for one in actions if "add" in one}
            for one in actions:
                if "remove" in one:
                    added.pop(one["remove"]["path"], None)
            return sum(added.values())

        until("the rows of the audit table have come to rest", lambda: logs() and rows_at_rest() == count, deadline=180, seen=lambda: logs() and rows_at_rest())
        self.play.verify("the audit table is a Delta table with these rows", rows_at_rest() == count, f"{rows_at_rest()} rows in its log of {len(logs())} commits")

    def verify_page(self, count):
        page = self.program.client.get(f"/api/v1/pages/{PAGE}")
        scores = self.pool.sql('SELECT * FROM "ComplianceScores" WHERE scored_at = (SELECT max(scored_at) FROM "ComplianceScores")')
        worst = max(scores, key=lambda row: row["score"])
        self.play.verify(
            "the compliance page tells how many there are, and the worst score",
            f"**{count} violations**" in page["text"] and f"| {worst['who']} |" in page["text"], f"version {page['version']}, with {worst['who']} at {worst['score']}",
        )
        refused = None
        try:
            Client(self.program.url).get(f"/api/v1/pages/{PAGE}")
        except Refused as error:
            refused = error.status
        self.play.verify("nobody reads it who is not signed in", refused == 401, f"a stranger is answered {refused}")


def instant(text):
    return datetime.fromisoformat(str(text).replace("Z", "").replace("+00:00", ""))


def zulu(time):
    return time.isoformat(timespec="milliseconds") + "Z"


def main():
    with Play("segregation-of-duties", __doc__) as play:
        loop = Loop(play)
        loop.bring_in_history()
        now = HISTORY_ENDS
        while now < PLAY_ENDS:
            loop.step(now, now + STEP)
            now += STEP
        loop.report()
        loop.again()
        if not play.once:
            say(f"the page is at {loop.program.url}/pages/{PAGE}")
    sys.exit(play.status)


if __name__ == "__main__":
    main()
