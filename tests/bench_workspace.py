"""Measures the local workspace, beside MiniLake, which runs Python tasks as
processes too; and how flows wait for many runs (`bench_waiting.py`).

    python tests/bench_workspace.py PATH_OF_LOOPWRIGHT [--quick] [--minilake PYTHON]
"""

import argparse
import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import bench_waiting

TOKEN = "dapi-only-for-benchmarks"
# The first line that a task prints is when that was.
PROGRAM = b"import time\nprint(time.time(), flush=True)\n"
SLEEPER = b"import time\ntime.sleep(600)\n"


class Workspace:
    """A workspace at an address, with one connection for each thread."""

    def __init__(self, address):
        self.address = address
        self.local = threading.local()

    def call(self, method, path, body=None):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.address, timeout=60)
        text = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.local.connection.request(method, path, text, headers)
        answer = self.local.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode(errors='replace')[:300]}")
        return json.loads(content) if content else {}

    def file(self, path, content):
        body = {"path": path, "format": "AUTO", "overwrite": True, "content": base64.b64encode(content).decode()}
        self.call("POST", "/api/2.0/workspace/import", body)

    def job(self, name, file, **settings):
        task = {"task_key": "only", "spark_python_task": {"python_file": file}}
        return self.call("POST", "/api/2.2/jobs/create", {"name": name, "tasks": [task], **settings})["job_id"]

    def run_now(self, job):
        return self.call("POST", "/api/2.2/jobs/run-now", {"job_id": job})["run_id"]

    def run(self, run):
        return self.call("GET", f"/api/2.2/jobs/runs/get?run_id={run}")

    def wait(self, run):
        """Waits until a run has ended, and returns it and when that was seen."""
        deadline = time.time() + 30
        while time.time() < deadline:
            seen = self.run(run)
            if seen["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                return seen, time.time()
            time.sleep(0.002)
        raise RuntimeError(f"run {run} does not end: {seen['state']}")


def of_ours(program, folder):
    environment = {**os.environ, "LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN": TOKEN, "LOOPWRIGHT_LOG": "error"}
    free = ["--listen", "127.0.0.1:0", "--workspace-listen", "127.0.0.1:0"]
    process = subprocess.Popen([program, "serve", "--data", folder, *free], env=environment, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline().strip().removeprefix("listening on ") for _ in range(2)]
    return process, urllib.parse.urlparse(lines[1]).netloc


def of_minilake(python, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Without containers, as ours; it starts the same interpreter.
    settings = {"MINILAKE_DATA_DIR": folder, "MINILAKE_JOB_EXECUTOR": "subprocess", "MINILAKE_NOTEBOOK": "0"}
    environment = {**os.environ, **settings, "HOME": folder}
    command = [python, "-m", "minilake", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, f"127.0.0.1:{port}"
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("MiniLake does not come up")


def percentiles(values):
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def latencies(workspace, count):
    """Milliseconds from run-now to the first line, and to the end seen by a client."""
    workspace.file("/Shared/bench/first_line.py", PROGRAM)
    job = workspace.job("first line", "/Shared/bench/first_line.py")
    first, ended = [], []
    for number in range(count + 3):
        begun = time.time()
        seen, seen_at = workspace.wait(workspace.run_now(job))
        if seen["state"].get("result_state") != "SUCCESS":
            raise RuntimeError(f"the task did not succeed: {seen['state']}")
        task = seen["tasks"][0]["run_id"]
        logs = workspace.call("GET", f"/api/2.2/jobs/runs/get-output?run_id={task}")["logs"]
        if number >= 3:
            first.append((float(logs.split()[0]) - begun) * 1000)
            ended.append((seen_at - begun) * 1000)
    return percentiles(first), percentiles(ended)


def rate(seconds, threads, act):
    """How often per second some threads can do something."""
    counts, stop = [0] * threads, time.time() + seconds

    def work(place):
        while time.time() < stop:
            act()
            counts[place] += 1

    begun = time.time()
    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.time() - begun)


def measure(workspace, quick):
    first, ended = latencies(workspace, 10 if quick else 100)
    figures = {"first line, p50": first[0], "first line, p99": first[1], "ended, p50": ended[0], "ended, p99": ended[1]}
    seconds = 2 if quick else 10
    workspace.file("/Shared/bench/sleeper.py", SLEEPER)
    # One run sleeps, so that those behind it are taken in and wait.
    job = workspace.job("sleeper", "/Shared/bench/sleeper.py", queue={"enabled": True}, max_concurrent_runs=1)
    open_run = workspace.run_now(job)
    figures["runs/get a second"] = rate(seconds, 4, lambda: workspace.run(open_run))
    figures["run-now a second"] = rate(seconds, 4, lambda: workspace.run_now(job))
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minilake", help="a Python that has the package minilake")
    asked = parser.parse_args()
    sides = [("ours", lambda folder: of_ours(asked.program, folder))]
    if asked.minilake:
        sides.append(("MiniLake", lambda folder: of_minilake(asked.minilake, folder)))
    results = {}
    for name, start in sides:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process, address = start(folder)
            try:
                results[name] = measure(Workspace(address), asked.quick)
            except Exception as error:
                print(f"{name} could not be measured to the end: {error}", file=sys.stderr)
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
    ours, peer = results.get("ours", {}), results.get("MiniLake", {})
    print(f"{'':<22}{'ours':>12}{'MiniLake':>12}{'ratio':>9}")
    for name, value in ours.items():
        unit = "" if "second" in name else " ms"
        other = peer.get(name)
        shown = f"{other:>9.1f}{unit:<3}" if other is not None else f"{'–':>12}"
        # Above 1 is better for us, whichever way the figure points.
        better = None if other is None else (value / other if "second" in name else other / value)
        print(f"{name:<22}{value:>9.1f}{unit:<3}{shown}{'' if better is None else f'{better:>8.1f}x'}")
    bench_waiting.measure(asked.program, asked.quick)


if __name__ == "__main__":
    main()
