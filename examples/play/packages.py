"""A Python with packages, for what a driver starts and does not write itself."""

import hashlib
import os
import pathlib
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loopwright", "play-environments")


def python_with(*packages):
    """Returns a Python that has some packages; they are installed on first use, which takes a moment."""
    name = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:16]
    folder = CACHE / name
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.is_file():
        for command in (
            [sys.executable, "-m", "venv", "--clear", folder],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        ):
            ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if ran.returncode != 0:
                raise RuntimeError(f"{', '.join(packages)} cannot be installed: {ran.stdout.strip()[-500:]}")
        done.touch()
    return python
