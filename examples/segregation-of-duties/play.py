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
import subprocess
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
        # A mail server, and a reader of Delta tables, neither of them ours.
        self.python = python_with("aiosmtpd>=1.4,<2", "deltalake>=1,<2", "pyarrow")
        receivers = play.child("receivers", [self.python, HERE / "receivers.py", self.inbox], listens=2)
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
        # Before that nobody knows how many signals there are.
        until("the trigger has looked at it", self.looked)
        until("every signal's run has ended", self.nothing_under_way, deadline=240, seen=lambda: self.program.runs(FLOW))
        for kind in ("mail", "message"):
            until(f"each {kind} has arrived", lambda: len(self.received(kind)) >= self.signals())

    def again(self):
        """Pushes a violation's approval a second time, and runs the job a second time, as senders do that heard nothing."""
        who = self.violations()[0]
        before = self.counts()
        row = next(row for row in self.events if (row["case_id"], row["resource"], row["activity"]) == (str(who["case_id"]), who["who"], SECOND_DUTY))
        self.pool.push_rows(TABLE, [row], types=STREAM_TYPES)
        until("the trigger has looked at it", self.looked)
        job = self.program.job_id("segregation-of-duties-audit")
        given = {"case_id": str(who["case_id"]), "who": who["who"], "seen_at": who["seen_at"], "signal": who["signal"]}
        run = self.program.workspace.post("/api/2.1/jobs/run-now", {"job_id": job, "job_parameters": given})["run_id"]
        ended = until(
            "the job has run again",
            lambda: next((one for one in self.program.job_runs(job) if one["run_id"] == run and one["state"].get("result_state")), None), deadline=180,
        )
        until("every signal's run has ended", self.nothing_under_way)
        after = self.counts()
        self.play.verify(
            "a violation that comes again is neither signalled nor logged nor told a second time",
            before == after and ended["state"]["result_state"] == "SUCCESS", f"signals, rows, mails and messages were {before}, and are {after}",
        )

    def counts(self):
        return self.signals(), len(self.violations()), len(self.received("mail")), len(self.received("message"))

    def looked(self):
        state = self.program.client.get(f"/api/v1/models/{MODEL}/state")
        return state["commit"] >= state["head"]

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
        self.verify_delta(rows)
        self.verify_page(rows)
        for line in self.program.command("outcomes", MODEL, TRIGGER).splitlines():
            say(f"     {line}")
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

    def verify_delta(self, rows):
        """Reads the audit table with a package that knows nothing of us, from its folder."""

        def at_rest():
            folders = [log.parent for log in self.play.data.glob("**/AuditViolations/_delta_log")]
            if not folders:
                return []
            read = subprocess.run([self.python, HERE / "read_delta.py", folders[0]], stdout=subprocess.PIPE, text=True, check=True)
            return json.loads(read.stdout)

        def all_at_rest():
            read = at_rest()
            return read if len(read) >= len(rows) else None

        read = until("the rows of the audit table have come to rest", all_at_rest, deadline=180, seen=lambda: len(at_rest()))
        outline = lambda all_rows: sorted((row["violation_id"], row["events"], row["context"], row["signal"]) for row in all_rows)  # noqa: E731
        self.play.verify("the deltalake package reads the same rows from the table's folder", outline(read) == outline(rows), f"{len(read)} rows")

    def scores(self, now):
        """Counts by hand who approved what in the 90 days before, and how much of it was their own."""
        creators, approved = {}, {}
        for row in self.events:
            if row["timestamp"] < zulu(now) and row["activity"] == FIRST_DUTY:
                creators.setdefault(row["case_id"], set()).add(row["resource"])
            if row["activity"] == SECOND_DUTY and zulu(now - timedelta(days=90)) < row["timestamp"] < zulu(now):
                approved.setdefault(row["resource"], set()).add(row["case_id"])
        own = {who: sum(who in creators[case] for case in cases) for who, cases in approved.items()}
        return {who: (len(cases), own[who], round(100 * own[who] / (len(cases) + 5), 1)) for who, cases in approved.items()}

    def verify_page(self, rows):
        page = self.program.client.get(f"/api/v1/pages/{PAGE}")
        expected = self.scores(max(instant(row["seen_at"]) for row in rows))
        latest = self.pool.sql('SELECT * FROM "ComplianceScores" WHERE scored_at = (SELECT max(scored_at) FROM "ComplianceScores")')
        written = {row["who"]: (row["approvals"], row["own_orders"], row["score"]) for row in latest}
        self.play.verify("the scores are those that one counts by hand from the log", written == expected, f"{len(written)} people")
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page["text"].splitlines() if line.startswith("| ")]
        shown = {who: (int(approvals), int(own), float(score)) for who, approvals, own, score in cells[1:]}
        worst = max(expected, key=lambda who: expected[who][2])
        self.play.verify(
            "the compliance page tells how many violations there are, and everybody's score",
            f"**{len(rows)} violations**" in page["text"] and shown == expected, f"version {page['version']}, with {worst} at {expected[worst][2]}",
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
