"""A server of our own for checks and benchmarks, and pushes to it over HTTP,
with nothing but the standard library: as any script would do it."""

import base64
import http.client
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

KEY = "pushing:only-for-tests"
AUTHORIZATION = "AppKey " + base64.b64encode(KEY.encode()).decode()
EDGE = "edge-of-a-form"
PIECE_BYTES = 1 << 20


class Server:
    """A server on a folder, at a free port."""

    def __init__(self, program, data, **settings):
        environment = {**os.environ, "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY, "LOOPWRIGHT_LOG": "warn", **settings}
        command = [program, "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--workspace-listen", "off"]
        self.data = pathlib.Path(data)
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        self.address = urllib.parse.urlparse(line.removeprefix("listening on ")).netloc
        self.connection = http.client.HTTPConnection(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=None, content_type="application/json", length=None):
        """Calls, and returns the answer as JSON; a failure is an error."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        headers = {"Authorization": AUTHORIZATION, "Content-Type": content_type}
        if length is not None:
            headers["Content-Length"] = str(length)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def pool(self, name):
        return self.call("POST", "/api/v1/pools", {"name": name})["id"]

    def sql(self, pool, query):
        """Asks SQL, and returns the rows as tuples."""
        rows = self.call("POST", f"/api/v1/pools/{pool}/sql", {"query": query})["rows"]
        return [tuple(row.values()) for row in rows]

    def flush(self, pool, table):
        return self.call("POST", f"/api/v1/pools/{pool}/tables/{table}/flush")

    def push(self, pool, table, chunks, keys=(), kind="DELTA", file_type="CSV", kept=None):
        """Pushes files or bytes and waits until the job has ended; returns it."""
        jobs = f"/integration/api/v1/data-push/{pool}/jobs"
        spec = {"targetName": table, "dataPoolId": pool, "type": kind, "fileType": file_type, "keys": list(keys)}
        job = f"{jobs}/{self.call('POST', jobs, spec)['id']}"
        for chunk in chunks:
            self.chunk(job, chunk)
        self.call("POST", job)
        pause = 0.0005
        while True:
            shown = self.call("GET", job)
            if shown["status"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        if shown["status"] != "DONE":
            raise RuntimeError(f"{job}: {shown['status']} {shown['logs']}")
        return shown

    def chunk(self, job, content):
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="rows"\r\n\r\n'.encode()
        tail = f"\r\n--{EDGE}--\r\n".encode()
        is_file = isinstance(content, pathlib.Path)
        length = content.stat().st_size if is_file else len(content)

        def pieces():
            yield head
            if is_file:
                with content.open("rb") as file:
                    while piece := file.read(PIECE_BYTES):
                        yield piece
            else:
                yield content
            yield tail

        form = f"multipart/form-data; boundary={EDGE}"
        self.call("POST", f"{job}/chunks/upserted", pieces(), form, len(head) + length + len(tail))

    def table_folder(self, pool, table):
        """Returns where the Delta table lies."""
        return self.data / "lake" / pool / table

    def memory_mib(self, what="VmRSS"):
        """Returns what the kernel says of the server's memory."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"no {what}")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def written_bytes(self):
        """Returns the bytes that the server has caused to be written to disks."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        raise RuntimeError("no write_bytes")

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
