"""Lets official clients talk to a fresh server: the Databricks SDK runs a job
in the local workspace, and the Standard Webhooks libraries verify an event.

    python tests/check_clients.py PATH_OF_LOOPWRIGHT [NODE]

The library for Node is asked too if a Node is given; its packages must be
installed in tests/node.
"""

import base64
import gzip
import http.server
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid

import standardwebhooks
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import jobs, workspace

ROOT = pathlib.Path(__file__).parent.parent
KEY = "clients:only-for-tests"
KEY_TEXT = base64.b64encode(KEY.encode()).decode()
TOKEN = "dapi-only-for-tests"


class Server:
    """A server on a fresh folder and free ports."""

    def __init__(self, program, data, callback_port):
        environment = {
            **os.environ,
            "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY,
            "LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN": TOKEN,
            "LOOPWRIGHT_CALLBACK_HTTP": "true",
            "LOOPWRIGHT_EGRESS_ALLOW": f"127.0.0.1:{callback_port}",
            "LOOPWRIGHT_LOG": "warn",
        }
        free = ["--listen", "127.0.0.1:0", "--workspace-listen", "127.0.0.1:0"]
        command = [program, "serve", "--data", data, *free]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        prefix = "listening on "
        self.url, self.workspace_url = (self.process.stdout.readline().strip().removeprefix(prefix) for _ in range(2))
        self.program = program

    def call(self, method, path, body=None, content_type="application/json"):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {KEY_TEXT}")
        request.add_header("Content-Type", content_type)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def verb(self, *arguments):
        """Runs a verb of the command line against this server."""
        environment = {
            **os.environ,
            "LOOPWRIGHT_URL": self.url,
            "LOOPWRIGHT_APP_KEY": KEY,
            "LOOPWRIGHT_WORKSPACE_URL": self.workspace_url,
            "LOOPWRIGHT_WORKSPACE_TOKEN": TOKEN,
        }
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        self.process.terminate()
        assert self.process.wait() == 0



def check_databricks_sdk(server):
    client = WorkspaceClient(host=server.workspace_url, token=TOKEN)
    assert client.current_user.me().user_name
    path = "/Shared/clients/greet.py"
    client.workspace.upload(path, b"import sys\nprint('hello', *sys.argv[1:])\n", format=workspace.ImportFormat.AUTO)
    task = jobs.Task(
        task_key="greet",
        spark_python_task=jobs.SparkPythonTask(python_file=path, parameters=["{{job.parameters.name}}"]),
    )
    parameter = jobs.JobParameterDefinition(name="name", default="nobody")
    job = client.jobs.create(name="greet", tasks=[task], parameters=[parameter])
    token = str(uuid.uuid4())
    started = client.jobs.run_now(job.job_id, idempotency_token=token, job_parameters={"name": "Ada"})
    again = client.jobs.run_now(job.job_id, idempotency_token=token, job_parameters={"name": "Ada"})
    assert started.run_id == again.run_id, "the same token is the same run"
    run = started.result()
    assert run.state.result_state == jobs.RunResultState.SUCCESS, run.state
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.logs == "hello Ada\n", output.logs
    assert [listed.run_id for listed in client.jobs.list_runs(job_id=job.job_id)] == [started.run_id]
    assert client.jobs.get(job.job_id).settings.max_concurrent_runs == 1
    try:
        client.jobs.get(job.job_id + 1)
        raise AssertionError("a job that does not exist was found")
    except DatabricksError as error:
        assert "does not exist" in str(error), error
    print("ok   the Databricks SDK creates a job, runs it once and reads its output")


def history(folder):
    """Writes the part of the log in which some orders are still open."""
    with gzip.open(ROOT / "examples/purchase-to-pay/events.csv.gz", "rt") as log:
        header, *rows = log.read().splitlines()
    file = pathlib.Path(folder) / "history.csv"
    known = [row for row in rows if row.rsplit(",", 1)[1] < "2011-09-26"]
    file.write_text("\n".join([header, *known]) + "\n")
    return file


def kept_calls(server, received, data):
    """Subscribes, lets events come, and returns calls with what a library
    should make of them."""
    server.verb("push", "purchase-to-pay", "PurchaseEvents", str(history(data)))
    server.verb("apply", str(ROOT / "examples/purchase-to-pay"))
    trigger = "/intelligence/api/knowledge-models/purchase-to-pay.late-steps/triggers/LONG_WAIT"
    callback = {"uri": received.url, "protocol": "HTTPS"}
    made = server.call("POST", f"{trigger}/subscriptions", {"name": "library", "callbackInfo": callback})
    secret = server.call("GET", f"/api/v1/subscriptions/{made['id']}/secret")["secret"]
    clock = "/api/v1/models/purchase-to-pay.late-steps/clock"
    server.call("POST", clock, {"now": "2011-12-24T00:00:00Z", "speed": 0})
    headers, body = received.calls.get(timeout=30)
    event = standardwebhooks.Webhook(secret).verify(body, headers)
    assert event["subscriberId"] == made["id"] and event["event"]["identifier"], event

    # During a rotation every call bears both signatures.
    rotated = server.call("POST", f"/api/v1/subscriptions/{made['id']}/secret/rotate", {"overlapHours": 1})["secret"]
    server.call("PATCH", f"/intelligence/api/subscriptions/{made['id']}/replay?fromOffset=1")
    both_headers, both_body = headers, body
    while len(both_headers["webhook-signature"].split()) < 2:
        both_headers, both_body = received.calls.get(timeout=30)

    other = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    older = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}
    return [
        ("an event", secret, headers, body, True),
        ("an event during a rotation, by the old secret", secret, both_headers, both_body, True),
        ("an event during a rotation, by the new secret", rotated, both_headers, both_body, True),
        ("an event from before the rotation, by the new secret", rotated, headers, body, False),
        ("a changed body", secret, headers, body + b" ", False),
        ("a changed id", secret, {**headers, "webhook-id": str(uuid.uuid4())}, body, False),
        ("a changed timestamp", secret, older, body, False),
        ("another secret", other, headers, body, False),
    ]


def believed_by_python(secret, headers, body):
    try:
        standardwebhooks.Webhook(secret).verify(body, headers)
        return True
    except standardwebhooks.webhooks.WebhookVerificationError:
        return False


def believed_by_node(node, calls):
    """Asks the library for Node of all calls at once."""
    asked = [
        {"what": what, "secret": secret, "headers": headers, "body": base64.b64encode(body).decode()}
        for what, secret, headers, body, _ in calls
    ]
    script = str(ROOT / "tests/node/verify_events.mjs")
    done = subprocess.run([node, script], input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_verdicts(library, calls, verdicts):
    assert len(calls) == len(verdicts)
    for (what, _, _, _, expected), verdict in zip(calls, verdicts):
        assert verdict == expected, f"{library}: {what} was {'believed' if verdict else 'refused'}"
    print(f"ok   Standard Webhooks for {library} verifies what is ours, and refuses what was changed ({len(calls)} calls)")


class Received:
    """A receiver that keeps what it was sent."""

    def __init__(self):
        self.calls = queue.Queue()
        calls = self.calls

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(204)
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def main():
    received = Received()
    with tempfile.TemporaryDirectory() as data:
        server = Server(sys.argv[1], data, received.port)
        try:
            server.call("POST", "/api/v1/pools", {"name": "purchase-to-pay"})
            check_databricks_sdk(server)
            calls = kept_calls(server, received, data)
            verdicts = [believed_by_python(secret, headers, body) for _, secret, headers, body, _ in calls]
            check_verdicts("Python", calls, verdicts)
            passed = 2
            if len(sys.argv) > 2:
                check_verdicts("Node", calls, believed_by_node(sys.argv[2], calls))
                passed += 1
        finally:
            server.stop()
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
