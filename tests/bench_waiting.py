"""Measures how flows wait for many open runs of a workspace, beside a plain loop
with the Databricks SDK that does the same with a thread for each run. The
workspace is a stand-in that counts what it is asked; its runs end when it is
told to end them. A part of `bench_workspace.py`.
"""

import base64
import concurrent.futures
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

KEY = "waiting:only-for-benchmarks"
TOKEN = "dapi-only-for-benchmarks"
JOB = 912_345_678_901_234_567
PAGE = 24


class Standin(http.server.BaseHTTPRequestHandler):
    """A workspace that has one job, whose runs stay open until `/end` names them."""

    protocol_version = "HTTP/1.1"
    # Answers go out in one piece, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    lock = threading.Lock()
    ended, tokens, asked, resumed = {}, {}, 0, {}

    def answer(self, body, status=200):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def shown(self, run):
        at = Standin.ended[run]
        state = {"life_cycle_state": "RUNNING"} if at is None else {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        task = {"task_key": "only", "run_id": run + 1_000_000, "state": state}
        return {"job_id": JOB, "run_id": run, "state": state, "start_time": 1, "end_time": int((at or 0) * 1000), "tasks": [task]}

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        if self.path == "/end":  # Not of the workspace, and not counted.
            with Standin.lock:
                Standin.ended[sent["run_id"]] = time.time()
            return self.answer({})
        with Standin.lock:
            Standin.asked += 1
            token = sent.get("idempotency_token") or str(len(Standin.ended))
            run = Standin.tokens.setdefault(token, 812_345_678_900_000_000 + len(Standin.ended))
            Standin.ended.setdefault(run, None)
        self.answer({"run_id": run, "number_in_job": run})

    def do_GET(self):
        path, _, query = self.path.partition("?")
        wanted = dict(urllib.parse.parse_qsl(query))
        with Standin.lock:
            if path == "/told":
                return self.answer({"asked": Standin.asked, "runs": list(Standin.ended.items()), "resumed": Standin.resumed})
            if path == "/resumed":
                Standin.resumed[wanted["run_id"]] = time.time()
                return self.answer({})
            Standin.asked += 1
            if path.endswith("/runs/get"):
                return self.answer(self.shown(int(wanted["run_id"])))
            if path.endswith("/runs/get-output"):
                return self.answer({"metadata": self.shown(int(wanted["run_id"]) - 1_000_000), "logs": "done\n"})
            if path.endswith("/runs/list"):
                begin = int(wanted.get("page_token") or 0)
                still = [run for run, at in Standin.ended.items() if at is None]
                body = {"runs": [self.shown(run) for run in still[begin : begin + PAGE]]}
                if begin + PAGE < len(still):
                    body["next_page_token"] = str(begin + PAGE)
                return self.answer(body)
        self.answer({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such path"}, 404)

    def log_message(self, *_):
        pass


def stand_in():
    """Answers until it is killed."""

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 1024

    server = Server(("127.0.0.1", 0), Standin)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def naive(address, count):
    """Starts runs, and waits for each in a thread of its own, as a script would."""
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(host=f"http://{address}", token=TOKEN)

    def wait():
        run = client.jobs.run_now(JOB).result()
        with urllib.request.urlopen(f"http://{address}/resumed?run_id={run.run_id}") as answer:
            answer.read()

    with concurrent.futures.ThreadPoolExecutor(int(count)) as pool:
        for _ in range(int(count)):
            pool.submit(wait)


class Far:
    """The stand-in as a process, so that nobody's threads are in its way."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, __file__, "stand-in"], stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{self.process.stdout.readline().strip()}"

    def call(self, path, body=None):
        connection = http.client.HTTPConnection(self.address)
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        told = json.loads(connection.getresponse().read())
        connection.close()
        return told


def of_process(pid):
    """Resident memory in MiB, and seconds of processor time."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return memory, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(what, look, seconds):
    deadline = time.time() + seconds
    while not (seen := look()):
        if time.time() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} seconds")
        time.sleep(0.2)
    return seen


def watched(far, pid, count, seconds, ends):
    """Lets all runs stay open for a while, then ends some, one each second."""
    until(f"{count} runs are open", lambda: len(far.call("/told")["runs"]) >= count, count)
    time.sleep(20)  # Who has just started looks more often.
    before, (_, busy) = far.call("/told")["asked"], of_process(pid)
    begun = time.time()
    time.sleep(seconds)
    asked, (memory, busy_after), took = far.call("/told")["asked"] - before, of_process(pid), time.time() - begun
    runs = [run for run, _ in far.call("/told")["runs"]]
    ending = runs[:: max(1, len(runs) // ends)][:ends]
    for run in ending:
        far.call("/end", {"run_id": run})
        time.sleep(1)
    until("what was waited for goes on", lambda: len(far.call("/told")["resumed"]) >= len(ending), 300)
    told = far.call("/told")
    ended = {str(run): at for run, at in told["runs"] if at is not None}
    waits = sorted(at - ended[run] for run, at in told["resumed"].items())
    return {
        "requests a second": asked / took,
        "memory, MiB": memory,
        "processor, ms each second": (busy_after - busy) / took * 1000,
        "end to going on, p50, s": statistics.median(waits),
        "end to going on, worst, s": waits[-1],
    }


def ours(program, count, seconds, ends):
    far = Far()
    settings = {"LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY, "LOOPWRIGHT_EGRESS_ALLOW": "127.0.0.0/8", "LOOPWRIGHT_LOG": "error"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--workspace-listen", "off"]
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)
        try:
            address = urllib.parse.urlparse(process.stdout.readline().strip().removeprefix("listening on ")).netloc
            connection = http.client.HTTPConnection(address)
            authorization = "AppKey " + base64.b64encode(KEY.encode()).decode()

            def call(method, path, body, kind="application/json"):
                text = body if isinstance(body, str) else json.dumps(body)
                connection.request(method, f"/api/v1{path}", text, {"Authorization": authorization, "Content-Type": kind})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status >= 300:
                    raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")

            there = {"kind": "databricks-pat", "host": f"http://{far.address}", "token": TOKEN}
            call("PUT", "/connections/far", there)
            goes_on = {"url": f"http://{far.address}/resumed?run_id={{{{2.run_id}}}}", "method": "get"}
            flow = [
                {"id": 1, "module": "loopwright:Manual"},
                {"id": 2, "module": "databricks:RunJobAndWait", "parameters": {"connection": "far"}, "mapper": {"job_id": str(JOB)}},
                {"id": 3, "module": "http:ActionSendData", "mapper": goes_on},
            ]
            call("PUT", "/flows/waits", json.dumps({"name": "Waits", "flow": flow}), "application/yaml")
            call("POST", "/flows/waits/publish", {})
            idle, _ = of_process(process.pid)
            for _ in range(count):
                call("POST", "/flows/waits/run", {})
            figures = watched(far, process.pid, count, seconds, ends)
            return {"memory when idle, MiB": idle, **figures}
        finally:
            process.kill()
            far.process.kill()


def threads(count, seconds, ends):
    far = Far()
    process = subprocess.Popen([sys.executable, __file__, "naive", far.address, str(count)], stderr=subprocess.DEVNULL)
    try:
        return watched(far, process.pid, count, seconds, ends)
    finally:
        process.kill()
        far.process.kill()


def measure(program, quick):
    """Prints the figures of both sides."""
    count, seconds, ends = (100, 20, 10) if quick else (1_000, 120, 60)
    sides = {"ours": ours(program, count, seconds, ends), "SDK, threads": threads(count, seconds, ends)}
    print(f"\n{count} open runs{'':<20}{'ours':>12}{'SDK, threads':>16}{'ratio':>9}")
    for name, value in sides["ours"].items():
        other = sides["SDK, threads"].get(name)
        ratio = "" if other is None else f"{other / max(value, 0.001):>8.1f}x"
        print(f"{name:<30}{value:>12.2f}{'–' if other is None else format(other, '.2f'):>16}{ratio}")


if __name__ == "__main__":
    {"stand-in": stand_in, "naive": naive}[sys.argv[1]](*sys.argv[2:])
