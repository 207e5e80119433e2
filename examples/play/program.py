"""Loopwright itself, as a child process, and the calls that drivers need."""

import os
import secrets
import subprocess
from urllib.parse import quote, urlencode

from .child import Child
from .client import Client
from .pool import Pool

# Virtual environments of tasks outlive a play: one of scikit-learn takes half a
# minute and 300 MB. The program names each by what is in it.
ENVIRONMENTS = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loopwright", "task-environments"
)


class Program:
    """A running server with its own data folder, an administrator's app key and a workspace token."""

    def __init__(self, binary, data, listen, workspace_listen, reach=(), settings=None, key="play"):
        self.binary = str(binary)
        self.app_key = f"{key}:{secrets.token_urlsafe(24)}"
        self.token = f"dapi{secrets.token_hex(16)}"
        environment = {
            "LOOPWRIGHT_TASK_ENVIRONMENTS": ENVIRONMENTS,
            "LOOPWRIGHT_CALLBACK_HTTP": "true",
            **os.environ,
            "LOOPWRIGHT_BOOTSTRAP_APP_KEY": self.app_key,
            "LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN": self.token,
            # Outgoing calls reach these addresses of this machine and no others.
            "LOOPWRIGHT_EGRESS_ALLOW": ",".join(reach),
            **{f"LOOPWRIGHT_{name.upper()}": str(value) for name, value in (settings or {}).items()},
        }
        if not reach:
            del environment["LOOPWRIGHT_EGRESS_ALLOW"]
        command = [self.binary, "serve", "--data", str(data), "--listen", listen]
        command += ["--workspace-listen", workspace_listen]
        self.child = Child("loopwright", command, data / "server.log", environment, addresses=2)
        self.url, self.workspace_url = (f"http://{address}" for address in self.child.addresses)
        self.client = Client.with_app_key(self.url, self.app_key)
        self.workspace = Client.with_token(self.workspace_url, self.token)

    def environment(self, **values):
        """Returns what the program's own verbs, and `${env.NAME}` in files, find in the environment."""
        return {
            **os.environ,
            "LOOPWRIGHT_URL": self.url,
            "LOOPWRIGHT_APP_KEY": self.app_key,
            "LOOPWRIGHT_WORKSPACE_URL": self.workspace_url,
            "LOOPWRIGHT_WORKSPACE_TOKEN": self.token,
            **values,
        }

    def command(self, *arguments, **values):
        """Runs a verb of the program as a person would, and returns what it printed."""
        done = subprocess.run(
            [self.binary, *arguments], env=self.environment(**values), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise RuntimeError(f"loopwright {' '.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout

    def apply(self, folder, **values):
        """Brings a folder with a loopwright.yaml into being; `values` are for its `${env.NAME}`."""
        return self.command("apply", str(folder), **values)

    def pool(self, name):
        """Returns the pool of that name; makes it if it is not there."""
        for pool in self.client.get("/api/v1/pools"):
            if pool["name"] == name:
                return Pool(self.client, pool["id"])
        return Pool(self.client, self.client.post("/api/v1/pools", {"name": name})["id"])

    def set_clock(self, model, now):
        """Sets a model's process clock to an instant (text in UTC) and lets it stand there."""
        self.client.post(f"/api/v1/models/{quote(model)}/clock", {"now": now, "speed": 0})

    def matched(self, model, trigger):
        """Returns the identifiers that satisfy a trigger now."""
        path = f"/api/v1/models/{quote(model)}/triggers/{quote(trigger)}/matched"
        return {match["identifier"] for match in self.client.get(path)}

    def outcomes(self, model, trigger):
        """Returns what became of the cases of a trigger: acted on, gone, gone because of what a flow did, still there."""
        return self.client.get(f"/api/v1/models/{quote(model)}/triggers/{quote(trigger)}/outcomes")

    def runs(self, flow, **where):
        """Returns the runs of a flow, the newest first; `where` as in /api/v1/runs (status, text …)."""
        found, before = [], {}
        while True:
            page = self.client.get("/api/v1/runs?" + urlencode({"flow": flow, **where, **before}))
            found += page["runs"]
            if not page.get("next"):
                return found
            before = {"before": page["next"]}

    def job_runs(self, job_id):
        """Returns the runs of a job of the local workspace with their tasks, the newest first."""
        found, token = [], ""
        while True:
            asked = urlencode({"job_id": job_id, "expand_tasks": "true", "limit": 24, "page_token": token})
            page = self.workspace.get(f"/api/2.1/jobs/runs/list?{asked}")
            found += page.get("runs", [])
            token = page.get("next_page_token")
            if not token:
                return found

    def job_id(self, name):
        """Returns the id of the one job with that name."""
        jobs = self.workspace.get("/api/2.1/jobs/list?" + urlencode({"name": name})).get("jobs", [])
        if len(jobs) != 1:
            raise LookupError(f"there are {len(jobs)} jobs with the name {name!r} in the workspace")
        return jobs[0]["job_id"]

    def stop(self):
        self.child.stop()
