"""Holds a running server against its own OpenAPI document: the document itself
must be one; and of the operations that describe themselves to the last bound,
those on subscriptions, schemathesis makes requests that the document allows, and
requests that it does not, and every answer must be one that the document knows.

    python tests/check_contract.py PATH_OF_LOOPWRIGHT
"""

import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import openapi_spec_validator

from check_clients import KEY_TEXT, ROOT, Server, history

HERE = pathlib.Path(__file__).parent
# The same requests every time.
SEED = "20261122"
EXAMPLES_PER_OPERATION = "40"
# The other operations are told in a line: they say too little of their bodies.
TAGS = ["triggers", "subscriptions", "delivery", "document"]


class Receiver:
    """A receiver that takes events, breaks, or says that they are wrong, as its path says."""

    ANSWERS = {"broken": 500, "wrong": 422}

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(204)
                self.end_headers()

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(Receiver.ANSWERS.get(self.path.split("/")[1], 204))
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def some_trigger(server):
    """Brings a published model into being whose trigger has fired."""
    server.call("POST", "/api/v1/pools", {"name": "purchase-to-pay"})
    with tempfile.TemporaryDirectory() as folder:
        server.verb("push", "purchase-to-pay", "PurchaseEvents", str(history(folder)))
    server.verb("apply", str(ROOT / "examples/purchase-to-pay"))
    model, trigger = "purchase-to-pay.late-steps", "LONG_WAIT"
    server.call("POST", f"/api/v1/models/{model}/clock", {"now": "2011-12-24T00:00:00Z", "speed": 0})
    return model, trigger


def check_document(server):
    openapi_spec_validator.validate(server.call("GET", "/api/v1/openapi.json"))
    print("ok   the document is one")


def check(server, receiver, model, trigger):
    environment = {
        **os.environ,
        "CONTRACT_URL": server.url,
        "CONTRACT_KEY": KEY_TEXT,
        "CONTRACT_MODEL": model,
        "CONTRACT_TRIGGER": trigger,
        "CONTRACT_CALLBACK": receiver.url,
        "SCHEMATHESIS_HOOKS": "contract_hooks",
        "PYTHONPATH": str(HERE),
    }
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    options = ["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all"]
    options += ["--seed", SEED, "--max-examples", EXAMPLES_PER_OPERATION, "--header", f"Authorization: Bearer {KEY_TEXT}"]
    options += [word for tag in TAGS for word in ("--include-tag", tag)]
    command = [program, "--no-color", "run", f"{server.url}/api/v1/openapi.json", *options]
    # What it remembers of failures would change the next run.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, env=environment, cwd=folder)
    assert done.returncode == 0, "the server does not keep to its document"
    print("ok   every answer is one that the document knows")


def main():
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as data:
        server = Server(sys.argv[1], data, receiver.port)
        try:
            check_document(server)
            check(server, receiver, *some_trigger(server))
        finally:
            server.stop()
    print("2 passed, 0 failed")


main()
