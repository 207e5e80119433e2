"""How schemathesis gets to what lies behind the door: real triggers, real
subscriptions in every state, callbacks that are there. Loaded by
`check_contract.py`, which starts the server.

Nothing is left out here. What is accepted beyond the document are two answers
to requests whose form is right, and whose moment is wrong: a state that
forbids the verb (HTTP has 409 for it, this API has 400), and a secret that was
read before (410). Each must carry its own code.
"""

import itertools
import json
import os
import re
import urllib.error
import urllib.request

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

URL = os.environ["CONTRACT_URL"]
KEY = os.environ["CONTRACT_KEY"]
MODEL, TRIGGER = os.environ["CONTRACT_MODEL"], os.environ["CONTRACT_TRIGGER"]
CALLBACK = os.environ["CONTRACT_CALLBACK"]

WRONG_MOMENT = re.compile(
    r"SUBSCRIPTION_(PAUSE|RESUME|RESUME_FROM_LATEST|REPLAY|EXTRACT)_WHILE_(ACTIVE|FAILED|SUSPENDED|PAUSED|REJECTED)"
    r"|SUBSCRIPTION_REPLAY_(AHEAD|BEFORE_START|FORGOTTEN)"
)

# A callback must be there when a subscription is made; some of ours break when
# an event comes.
schemathesis.openapi.format(
    "uri", st.tuples(st.sampled_from(["well", "broken"]), st.text("abcxyz", max_size=8)).map(lambda t: CALLBACK + "/".join(t))
)


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Subscriptions:
    """Subscriptions in every state that a test can bring about at once."""

    def __init__(self):
        self.makers = itertools.cycle([self.active, self.paused, self.failing, self.rejecting])
        self.known = [next(self.makers)() for _ in range(4)]
        self.turn = itertools.cycle(range(4))

    def next(self):
        place = next(self.turn)
        try:
            call("GET", f"/intelligence/api/subscriptions/{self.known[place]}")
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            self.known[place] = [self.active, self.paused, self.failing, self.rejecting][place]()
        return self.known[place]

    def make(self, path):
        callback = {"uri": CALLBACK + path, "protocol": "HTTPS"}
        trigger = f"/intelligence/api/knowledge-models/{MODEL}/triggers/{TRIGGER}"
        return call("POST", f"{trigger}/subscriptions", {"name": path, "callbackInfo": callback})["id"]

    def active(self):
        return self.make("well/active")

    def paused(self):
        made = self.make("well/paused")
        call("PATCH", f"/intelligence/api/subscriptions/{made}/pause")
        return made

    def failing(self):
        made = self.make("broken/failing")
        call("PATCH", f"/api/v1/subscriptions/{made}/delivery", {"retryPausesMs": [], "probeFirstMs": 100})
        return made

    def rejecting(self):
        made = self.make("wrong/rejecting")
        call("PATCH", f"/api/v1/subscriptions/{made}/delivery", {"onRejection": "reject"})
        return made


subscriptions = None


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts names that exist into paths that schemathesis meant to be right."""
    global subscriptions
    part = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
    if part is None or not part.mode.is_positive:
        return
    for name, value in (("model", MODEL), ("trigger", TRIGGER)):
        if name in case.path_parameters:
            case.path_parameters[name] = value
    # There, schemathesis goes on with the subscriptions that it has made.
    if "subscription" in case.path_parameters and case.meta.phase.name != TestPhase.STATEFUL:
        subscriptions = subscriptions or Subscriptions()
        case.path_parameters["subscription"] = subscriptions.next()


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    told = response.json()
    if response.status_code == 400:
        return not WRONG_MOMENT.fullmatch(told.get("errorCode", ""))
    return not (response.status_code == 410 and told["code"] == "secret-already-read")
