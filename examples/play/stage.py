"""The stage: flags, a data folder, children, and the list of what was verified."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from .child import Child
from .program import Program

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def say(line):
    print(line, flush=True)


class Play:
    """One play of one example, from its flags to its exit status.

    Leaving it ends all that was started, the last first, and removes the data
    folder. An error inside is told as one line and makes the status 1.
    """

    def __init__(self, name, description, arguments=None):
        flags = argparse.ArgumentParser(prog=f"examples/{name}/play.py", description=description.splitlines()[0])
        flags.add_argument("--once", action="store_true", help="end after the loop was verified, on free ports")
        flags.add_argument("--program", type=pathlib.Path, help="the program; else what was built here, or is on the PATH")
        flags.add_argument("--listen", default="127.0.0.1:8080", help="where pages and API listen without --once")
        flags.add_argument("--workspace-listen", default="127.0.0.1:8081", help="the same for the local workspace")
        self.flags = flags.parse_args(arguments)
        self.name = name
        self.once = self.flags.once
        self.begun = time.monotonic()
        self.verified = []
        self.status = 1
        self.programs = []
        self.endings = []

    def __enter__(self):
        # Whoever ends the play from outside ends its children too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("the play was asked to end"))
        self.data = pathlib.Path(tempfile.mkdtemp(prefix=f"loopwright-{self.name}-"))
        return self

    def __exit__(self, kind, error, _trace):
        try:
            if error is None:
                self.tell()
                if not self.once:
                    self.stay()
        except KeyboardInterrupt:
            pass
        finally:
            # Ending takes a moment; a second Ctrl-C must leave nothing behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for end in reversed(self.endings):
                end()
            if isinstance(error, Exception):
                say(f"failed: {error}")
                self.tell_logs()
            shutil.rmtree(self.data, ignore_errors=True)
        # An error of the driver's own code shows its place.
        return kind is not None and issubclass(kind, KeyboardInterrupt)

    def child(self, name, command, listens=True, **environment):
        """Starts a process of the example, such as its source system, and waits until it listens, if it does."""
        words = [str(part) for part in command]
        child = Child(name, words, self.data / f"{name}.log", {**os.environ, **environment}, int(listens))
        self.endings.append(child.stop)
        return child

    def program(self, reach=(), **settings):
        """Starts the program. It may call the addresses in `reach`, such as a source system's."""
        free = "127.0.0.1:0"
        program = Program(
            self.binary(),
            self.data,
            free if self.once else self.flags.listen,
            free if self.once else self.flags.workspace_listen,
            reach,
            settings,
        )
        self.endings.append(program.stop)
        self.programs.append(program)
        say(f"the program listens on {program.url}")
        if not self.once:
            say(f"sign in there with the app key  {program.app_key}")
        return program

    def binary(self):
        """Finds the program: the flag, then what was built here, then the PATH."""
        built = [REPOSITORY / "target" / profile / "loopwright" for profile in ("release", "debug")]
        found = [self.flags.program] if self.flags.program else [path for path in built if path.is_file()]
        found = found or [shutil.which("loopwright")]
        if not found[0] or not pathlib.Path(found[0]).is_file():
            raise FileNotFoundError("there is no program: build it with `cargo build --release`, or name it with --program")
        return pathlib.Path(found[0]).resolve()

    def verify(self, what, holds, seen):
        """Notes and prints whether something holds, with what was read: `seen`."""
        self.verified.append((what, bool(holds)))
        say(f"{'ok  ' if holds else 'NOT '} {what}: {seen}")
        return bool(holds)

    def tell(self):
        """Prints the end of the report, and sets the exit status."""
        wrong = [what for what, holds in self.verified if not holds]
        seconds = time.monotonic() - self.begun
        if not self.verified:
            say("nothing was verified")
        elif wrong:
            say(f"{len(wrong)} of {len(self.verified)} do not hold ({seconds:.0f} s): {'; '.join(wrong)}")
        else:
            say(f"verified: {len(self.verified)} of {len(self.verified)} ({seconds:.0f} s)")
            self.status = 0

    def stay(self):
        """Leaves everything up until the person presses Ctrl-C."""
        for program in self.programs:
            say(f"the server stays up on {program.url}; sign in with  {program.app_key}")
        say("press Ctrl-C to end the play")
        for program in self.programs:
            program.child.process.wait()
        raise RuntimeError("the server has ended by itself")

    def tell_logs(self):
        """Prints the ends of the children's logs, which go with the data folder."""
        for log in sorted(self.data.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            if lines:
                say(f"the end of {log.name}:\n  " + "\n  ".join(lines))
