"""Does what a page of docs/guide says: runs its shell blocks one after the
other in one shell, and looks that each line of the text block behind one comes
out of it. `…` in such a line stands for anything.

    python tests/check_guide.py PATH_OF_LOOPWRIGHT PAGE
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

KEY = "me:a-long-secret"
EDGE = "-- end of block --"


def blocks(page):
    """Returns the shell blocks with what they must print."""
    found = []
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S):
        if kind == "sh":
            found.append([text, ""])
        elif kind == "text":
            found[-1][1] = text
    return found


def pattern(line):
    return ".*".join(re.escape(part) for part in line.split("…"))


def start(program, data):
    environment = {
        **os.environ,
        "LOOPWRIGHT_BOOTSTRAP_APP_KEY": KEY,
        "LOOPWRIGHT_HOST_ALIASES": "*.azuredatabricks.net=workspace,*.celonis.cloud=this",
        "LOOPWRIGHT_LOG": "warn",
    }
    free = ["--listen", "127.0.0.1:0", "--workspace-listen", "127.0.0.1:0"]
    server = subprocess.Popen([program, "serve", "--data", data, *free], env=environment, stdout=subprocess.PIPE, text=True)
    return server, [server.stdout.readline().strip().removeprefix("listening on ") for _ in range(2)]


def main():
    program, page = sys.argv[1:]
    text = pathlib.Path(page).read_text()
    with tempfile.TemporaryDirectory() as folder:
        server, (url, workspace) = start(program, folder + "/data")
        try:
            text = text.replace("http://127.0.0.1:8080", url).replace("http://127.0.0.1:8081", workspace)
            asked = blocks(text)
            script = "set -euo pipefail\n" + "".join(f"{block}\necho '{EDGE}'\n" for block, _ in asked)
            path = f"{pathlib.Path(program).resolve().parent}:{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
            )
            printed = done.stdout.split(EDGE)
            assert done.returncode == 0, f"block {len(printed)} of {len(asked)} failed:\n{done.stdout}\n{done.stderr}"
            for (_, wanted), came in zip(asked, printed):
                for line in wanted.splitlines():
                    assert re.search(f"^{pattern(line)}$", came, re.M), f"expected {line!r}, and this came:\n{came}"
        finally:
            server.terminate()
            assert server.wait() == 0
    print(f"ok   {page}: {len(asked)} blocks, every line as it stands there")


if __name__ == "__main__":
    main()
