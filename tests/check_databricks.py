"""Lets three generations of the unmodified Databricks SDK walk through a fresh
workspace, each with an access token and as a service principal (OAuth M2M).

    python tests/check_databricks.py PATH_OF_LOOPWRIGHT [PYTHON…]

Each further Python has another generation of the SDK.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from pushing import KEY

HERE = pathlib.Path(__file__).parent
TOKEN = "dapi-only-for-tests"
ROWS = 1_000
# A model that is as good as its program text: late is what waits for more than a week.
MODEL = b"def predict(records):\n    return [record['days'] > 7 for record in records]\n"


class Server:
    """A server on a fresh folder and free ports; small chunks, so that a
    thousand rows are three of them."""

    def __init__(self, program, data, **settings):
        environment = {
            **os.environ,
            "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY,
            "LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN": TOKEN,
            "LOOPWRIGHT_WORKSPACE_CHUNK_ROWS": "400",
            # The walk listens for webhooks on this machine.
            "LOOPWRIGHT_EGRESS_ALLOW": "127.0.0.0/8",
            "LOOPWRIGHT_LOG": "warn",
            **settings,
        }
        free = ["--listen", "127.0.0.1:0", "--workspace-listen", "127.0.0.1:0"]
        command = [program, "serve", "--data", data, *free]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        prefix = "listening on "
        self.url, self.workspace_url = (self.process.stdout.readline().strip().removeprefix(prefix) for _ in range(2))
        self.program = program

    def call(self, method, path, body=None):
        """Calls the workspace as its administrator."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.workspace_url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def verb(self, *arguments, told=None, may_fail=False):
        """Runs a verb of the command line against this server."""
        environment = {
            **os.environ,
            "LOOPWRIGHT_URL": self.url,
            "LOOPWRIGHT_APP_KEY": KEY,
            "LOOPWRIGHT_WORKSPACE_URL": self.workspace_url,
            "LOOPWRIGHT_WORKSPACE_TOKEN": TOKEN,
        }
        done = subprocess.run([self.program, *arguments], env=environment, input=told, capture_output=True, text=True)
        assert may_fail or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def push(self, pool, table, file):
        self.verb("push", "--create-pool", pool, table, str(file))

    def stop(self):
        self.process.terminate()
        assert self.process.wait() == 0


def furnish(server, folder):
    """Puts into the workspace what all generations find there."""
    rows = pathlib.Path(folder) / "rows.csv"
    rows.write_text("n,label\n" + "".join(f"{n},row {n}\n" for n in range(ROWS)))
    server.push("sdk", "numbers", rows)
    content = base64.b64encode(MODEL).decode()
    server.call(
        "POST", "/api/2.0/workspace/import", {"path": "/Shared/late.py", "format": "AUTO", "content": content, "overwrite": True}
    )
    entity = {"name": "late-1", "entity_name": "/Shared/late.py:predict", "entity_version": "1"}
    server.call("POST", "/api/2.0/serving-endpoints", {"name": "late", "config": {"served_entities": [entity]}})
    server.call(
        "POST",
        "/api/2.1/unity-catalog/volumes",
        {"catalog_name": "loopwright", "schema_name": "sdk", "name": "files", "volume_type": "MANAGED"},
    )
    warehouse = server.call("GET", "/api/2.0/sql/warehouses")["warehouses"][0]["id"]
    return {
        "warehouse": warehouse,
        "table": "loopwright.sdk.numbers",
        "rows": ROWS,
        "endpoint": "late",
        "volume": "/Volumes/loopwright/sdk/files",
    }


def service_principal(server, groups=("admins",)):
    """Makes a service principal: as an administrator it may do everything, in no
    group nothing."""
    principals = "/api/2.0/preview/scim/v2/ServicePrincipals"
    made = server.call("POST", principals, {"displayName": "sdk", "groups": [{"value": group} for group in groups]})
    secrets = f"/api/2.0/accounts/servicePrincipals/{made['id']}/credentials/secrets"
    secret = server.call("POST", secrets, {})
    return made["applicationId"], secret["secret"]


def walk(python, server, way, there):
    """Lets one generation walk through a workspace, signed in in one way."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    environment = {**clean, "DATABRICKS_HOST": server.workspace_url, **way}
    subprocess.run([python, str(HERE / "databricks_generation.py"), json.dumps(there)], env=environment, check=True)


def as_principal(client_id, client_secret):
    return {"DATABRICKS_CLIENT_ID": client_id, "DATABRICKS_CLIENT_SECRET": client_secret}


def main():
    program, *others = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder + "/data")
        try:
            there = furnish(server, folder)
            for python in [sys.executable, *others]:
                for way in [{"DATABRICKS_TOKEN": TOKEN}, as_principal(*service_principal(server))]:
                    walk(python, server, way, there)
        finally:
            server.stop()
        # Tokens that end before the run does, and answers that are lost.
        settings = {"LOOPWRIGHT_WORKSPACE_ACCESS_TOKEN_SECONDS": "3", "LOOPWRIGHT_WORKSPACE_FAULTS": "true"}
        server = Server(program, folder + "/faults", **settings)
        try:
            way = as_principal(*service_principal(server))
            for python in [sys.executable, *others]:
                walk(python, server, way, {"only": "faults"})
        finally:
            server.stop()


if __name__ == "__main__":
    main()
