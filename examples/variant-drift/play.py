"""Plays the loop of drifting variants: from another way through the process to a model that knows it.

    python3 examples/variant-drift/play.py [--once] [--program PATH]

Travel declarations of 2017 and 2018 come in, half a month a step. Whenever the last
250 ran otherwise than the 250 before, twice in a row, the flow lets a job learn anew.
What it learned is served only if it forecasts later declarations better. The log
decides which: the play knows of no outcome beforehand.
"""

import csv
import gzip
import json
import pathlib
import sys
from datetime import datetime

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent
sys.path.insert(0, str(EXAMPLES))

from play import Play, say, until  # noqa: E402

LOG = EXAMPLES / "logs" / "declarations.csv.gz"
MODEL, TRIGGER, FLOW, ASKING = "variant-drift.declarations", "VARIANT_DRIFT", "retrain-on-drift", "forecast-payment"
JOB, ENDPOINT, TABLE = "variant-drift-retrain", "payment-forecast", "DeclarationEvents"
HISTORY_ENDS, PLAY_ENDS = datetime(2017, 7, 15), datetime(2018, 3, 1)
# The first training waits for pip, which downloads scikit-learn.
TRAINED_SECONDS = 600
ENDED = ("TERMINATED", "INTERNAL_ERROR", "SKIPPED")


class Loop:
    """The program with the log's events, up to a moment."""

    def __init__(self, play):
        self.play = play
        with gzip.open(LOG, "rt", encoding="utf-8") as log:
            self.events = list(csv.DictReader(log))
        self.program = play.program()
        self.pool = self.program.pool("variant-drift")
        self.asked = []

    def bring_in_history(self):
        self.push("", zulu(HISTORY_ENDS))
        say(self.program.apply(HERE).strip())

    def push(self, begin, end):
        """Pushes what happened in between; the begin is part of it, the end is not."""
        rows = [row for row in self.events if begin <= row["timestamp"] < end]
        if rows:
            self.pool.push_rows(TABLE, rows, types={"case_id": "STRING", "timestamp": "DATETIME", "amount": "FLOAT"})

    def train_first(self):
        """Runs the job once by hand: there is nothing yet that the new model could be held against but a naive forecast."""
        job = self.program.job_id(JOB)
        run = self.program.workspace.post("/api/2.1/jobs/run-now", {"job_id": job})["run_id"]

        def ended():
            shown = self.program.workspace.get(f"/api/2.1/jobs/runs/get?run_id={run}")
            return shown if shown["state"]["life_cycle_state"] in ENDED else None

        shown = until("the first model is trained", ended, deadline=TRAINED_SECONDS)
        result = self.tell(shown)
        self.play.verify(
            "the first model beats a naive forecast on later declarations, and is served",
            result["decision"] == "served" and self.served() == "1",
            f"{result['error_new']} h against {result['error_naive']} h; the endpoint serves version {self.served()}",
        )
        self.ask("2017-07-17T09:00:00")

    def tell(self, run):
        """Prints what a run of the job has printed, and returns its result."""
        output = self.program.workspace.get(f"/api/2.1/jobs/runs/get-output?run_id={run['tasks'][0]['run_id']}")
        if run["state"].get("result_state") != "SUCCESS":
            raise RuntimeError(f"the job did not succeed: {output.get('error')}\n{output.get('error_trace', '')}")
        *lines, result = output["logs"].strip().splitlines()
        for line in lines:
            say(f"  job: {line}")
        return json.loads(result)

    def served(self):
        """The version that answers now, as the workspace tells it."""
        (entity,) = self.program.workspace.get(f"/api/2.0/serving-endpoints/{ENDPOINT}")["config"]["served_entities"]
        return entity["entity_version"]

    def ask(self, submitted_at):
        """Lets the other flow ask the endpoint, as a person does who hands in a declaration."""
        number = len(self.asked) + 1
        given = {"declaration": f"example-{number}", "amount": 120, "submittedAt": submitted_at}
        run = self.program.client.post(f"/api/v1/flows/{ASKING}/run", given)["id"]
        until("the endpoint was asked", lambda: self.program.client.get(f"/api/v1/runs/{run}?operations=false")["state"] == "ended")
        rows = self.pool.sql(f"SELECT * FROM \"Forecasts\" WHERE declaration = '{given['declaration']}'")
        if not rows:
            ended = self.program.client.get(f"/api/v1/runs/{run}?operations=false")
            raise RuntimeError(f"the run {run} wrote no forecast: {ended['status']} {ended['reason']}")
        self.asked.append({**rows[0], "served": self.served()})
        say(f"a declaration of {submitted_at[:10]} is forecast to be paid after {rows[0]['hours']:.0f} h by version {rows[0]['version']:.0f}")

    def step(self, begin, end):
        """Lets half a month happen, and waits until the trigger has looked and every signal is answered."""
        before = self.signals()
        self.program.set_clock(MODEL, zulu(end))
        self.push(zulu(begin), zulu(end))
        until(f"the trigger has looked at what came until {end:%Y-%m-%d}", self.looked, deadline=180)
        for _ in range(self.signals() - before):
            say(f"{end:%Y-%m-%d}: the variants have drifted")
        until("every signal's run has ended", self.nothing_under_way, deadline=240, seen=lambda: self.program.runs(FLOW))

    def looked(self):
        """The trigger looks at everything in the background: it has a commit that it saw last."""
        state = self.program.client.get(f"/api/v1/models/{MODEL}/state")
        trigger = next(one for one in state["triggers"] if one["id"] == TRIGGER)
        return trigger["commit"] >= state["head"] and trigger["restsUntil"] is None

    def signals(self):
        return self.program.client.get("/api/v1/status")["signals"]

    def nothing_under_way(self):
        return len(self.program.runs(FLOW, status="success,warning,error,cancelled")) == self.signals()

    def report(self):
        rows = self.pool.sql('SELECT * FROM "Retrainings" ORDER BY drifted_at')
        runs = self.program.runs(FLOW, status="success")
        verify = self.play.verify
        verify("each signal had one run and one decision", self.signals() == len(runs) == len(rows) > 0, f"{self.signals()} signals, {len(runs)} runs, {len(rows)} decisions")
        for row in rows:
            say(
                f"     {str(row['drifted_at'])[:10]}: {row['decision']}; new {row['error_new']} h, served {row['error_served']} h, "
                f"naive {row['error_naive']} h"
            )
        served = [row for row in rows if row["decision"] == "served"]
        kept_back = [row for row in rows if row["decision"] == "kept back"]
        verify("the log has both outcomes: a model that is better, and one that is not", served and kept_back, f"{len(served)} served, {len(kept_back)} kept back")
        right = all((row["error_new"] < min(row["error_served"], row["error_naive"])) == (row["decision"] == "served") for row in rows)
        verify("what is served forecast later declarations better than both others", right, f"{len(rows)} decisions")
        verify("the endpoint serves the last that was better", self.served() == str(1 + len(served)), f"version {self.served()}")
        for line in self.program.command("outcomes", MODEL, TRIGGER).splitlines():
            say(f"     {line}")
        outcomes = self.program.outcomes(MODEL, TRIGGER)
        verify(
            "the program's own tracking says what became of the drifts",
            outcomes["episodes"]["entered"] == len(rows) == outcomes["actedOn"]["succeeded"],
            f"{outcomes['episodes']['entered']} began, {outcomes['actedOn']['succeeded']} acted on, {outcomes['episodes']['left']} over",
        )
        versions = [int(one["version"]) for one in self.asked]
        verify(
            "flows that asked were answered by the version that was served by then",
            [str(version) for version in versions] == [one["served"] for one in self.asked] and versions[-1] > versions[0], f"versions {versions}",
        )


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "").replace("+00:00", ""))


def zulu(time):
    return time.isoformat(timespec="milliseconds") + "Z"


def half_months(begin, end):
    """The first and the fifteenth of each month, in pairs."""
    while begin < end:
        if begin.day < 15:
            following = begin.replace(day=15)
        else:
            following = datetime(begin.year + begin.month // 12, begin.month % 12 + 1, 1)
        yield begin, following
        begin = following


def main():
    with Play("variant-drift", __doc__) as play:
        loop = Loop(play)
        loop.bring_in_history()
        loop.train_first()
        for begin, end in half_months(HISTORY_ENDS, PLAY_ENDS):
            loop.step(begin, end)
        loop.ask("2018-03-01T09:00:00")
        loop.report()
    sys.exit(play.status)


if __name__ == "__main__":
    main()
