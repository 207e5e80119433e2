"""A process of the play: started, known by its address, and ended with it."""

import os
import select
import signal
import subprocess
import time

READY_SECONDS = 60
STOP_SECONDS = 25
READY = "listening on http://"


class Child:
    """Starts a command and waits until it has printed `listening on http://HOST:PORT`.

    What it prints to standard error goes to `log`. With `addresses` 0 it is not
    waited for: it is a process that listens nowhere.
    """

    def __init__(self, name, command, log, environment=None, addresses=1):
        self.name = name
        self.log = log
        with open(log, "ab") as errors:
            # A session of its own: Ctrl-C reaches the driver alone, which ends
            # its children in order.
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, start_new_session=True,
            )
        try:
            self.addresses = self.read_addresses(addresses)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.address = self.addresses[0] if addresses else None
        self.url = f"http://{self.address}" if addresses else None

    def read_addresses(self, count):
        # Read without a buffer, so that `select` sees all that is there. The
        # pipe stays open: these children print no more than these lines.
        output, found, text = self.process.stdout.fileno(), [], b""
        ends = time.monotonic() + READY_SECONDS
        while len(found) < count:
            if not select.select([output], [], [], max(ends - time.monotonic(), 0))[0]:
                raise TimeoutError(f"{self.name} was not ready after {READY_SECONDS} s; its log is {self.log}")
            piece = os.read(output, 4096)
            if not piece:
                raise RuntimeError(f"{self.name} ended before it was ready: {self.last_words()}")
            text += piece
            lines = text.decode(errors="replace").split("\n")[:-1]
            found = [line[len(READY):].strip() for line in lines if line.startswith(READY)]
        return found

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-5:]).strip() or "it said nothing"

    def runs(self):
        return self.process.poll() is None

    def kill(self):
        """Ends the process as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks the process to end, and ends it if it does not."""
        if self.runs():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
