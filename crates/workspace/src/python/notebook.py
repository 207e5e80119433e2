"""Runs a notebook in source form, cell by cell, in one namespace.

The server writes this file into the folder of the task and says everything
else on the standard input, as JSON: so no secret stands in a file, in the
arguments or in the environment. What the notebook leaves behind, its exit
value and its task values, goes into the folder `out`.

Only the standard library is used: the interpreter may have nothing else.
"""

import ast
import base64
import builtins
import importlib
import json
import linecache
import os
import re
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

CONTEXT = json.loads(sys.stdin.read() or "{}")
OUT = CONTEXT["out"]
SITE = os.path.join(OUT, "site")
VALUE_BYTES_MAX = 48 * 1024
MODULES_AT_START = set(sys.modules)


class NotebookExit(BaseException):
    """Leaves the notebook; no `except Exception` of it can hold this up."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class NotebookError(Exception):
    """Something that this workspace cannot do, in words for the author."""


class CellError(Exception):
    """What went wrong in a cell, and in which."""

    def __init__(self, cell, cause):
        super().__init__(str(cause))
        self.cell = cell
        self.cause = cause


class Cell:
    """A part of a notebook: where it stands, its language and its text."""

    def __init__(self, path, number, language, text):
        self.path = path
        self.number = number
        self.language = language
        self.text = text

    @property
    def name(self):
        return f"{self.path}, cell {self.number}"


def cells_of(path, source):
    """Splits the source of a notebook into its cells."""
    lines = source.splitlines()
    comment = "--" if lines and lines[0].startswith("-- Databricks notebook source") else "#"
    language = "sql" if comment == "--" else "python"
    if lines and lines[0].strip() == f"{comment} Databricks notebook source":
        del lines[0]
    border = re.compile(rf"^{comment} COMMAND -+\s*$")
    parts, part = [], []
    for line in lines:
        if border.match(line):
            parts.append(part)
            part = []
        else:
            part.append(line)
    parts.append(part)
    cells = []
    for number, part in enumerate(parts, 1):
        cells.extend(pieces_of(path, number, language, comment, part))
    return cells


def pieces_of(path, number, language, comment, lines):
    """Tells what a cell is: plain text of the notebook's language, or magic."""
    title = re.compile(rf"^{comment} DBTITLE ")
    magic = re.compile(rf"^{comment} MAGIC ?(.*)$")
    found = [magic.match(line) for line in lines if line.strip() and not title.match(line)]
    if not found:
        return []
    if not all(found):
        return [Cell(path, number, language, "\n".join(lines))]
    text = [match.group(1) for match in found]
    head = re.match(r"\s*%(\S+)\s?(.*)$", text[0])
    if head is None:
        return [Cell(path, number, "md", "\n".join(text))]
    if head.group(1) in ("pip", "run"):
        # Several of them may stand in one cell, each in its line.
        pieces = [re.match(r"\s*%(\S+)\s?(.*)$", line) for line in text]
        return [Cell(path, number, piece.group(1), piece.group(2)) for piece in pieces if piece]
    return [Cell(path, number, head.group(1), "\n".join([head.group(2), *text[1:]]))]


ASKED = set()


def redacted(text):
    """Takes out the token, and what the notebook has asked for."""
    token = os.environ.get("DATABRICKS_TOKEN")
    for secret in [*sorted(ASKED, key=len, reverse=True), token]:
        if secret and secret.strip():
            text = text.replace(secret, "[REDACTED]")
    return text


class Redacting:
    """A stream that shows no secret. Whoever supervises the process looks for
    the long ones once more; a short one would be found where nobody meant it,
    so it is looked for only when it was asked for, and only here."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        self._stream.write(redacted(text))
        return len(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def leave(name, text):
    """Leaves a file whole or not at all."""
    place = os.path.join(OUT, name)
    with open(place + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(place + ".new", place)


class Api:
    """Calls the workspace on behalf of whoever the run is of."""

    def call(self, method, path, body=None, raw=None, headers=None):
        host, token = os.environ.get("DATABRICKS_HOST"), os.environ.get("DATABRICKS_TOKEN")
        if not host or not token:
            raise NotebookError("this run has no token: make its job anew, so that it runs on somebody's behalf")
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(host + path, data=data, method=method, headers=headers or {})
        request.add_header("Authorization", "Bearer " + token)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=330) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            try:
                text = json.loads(text).get("message", text)
            except ValueError:
                pass
            raise NotebookError(f"{method} {path.split('?')[0]}: {error.code}: {text}") from None

    def json(self, method, path, body=None):
        return json.loads(self.call(method, path, body) or b"{}")


API = Api()


class Widgets:
    """Parameters of the notebook. What the run gives wins over defaults."""

    def __init__(self, given):
        self._given = dict(given)
        self._defaults = {}

    def text(self, name, defaultValue="", label=None):
        self._defaults.setdefault(name, str(defaultValue))

    def dropdown(self, name, defaultValue, choices, label=None):
        if str(defaultValue) not in [str(choice) for choice in choices]:
            raise ValueError(f'the default "{defaultValue}" of widget "{name}" is not one of its choices')
        self._defaults.setdefault(name, str(defaultValue))

    def combobox(self, name, defaultValue, choices, label=None):
        self._defaults.setdefault(name, str(defaultValue))

    multiselect = dropdown

    def get(self, name):
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        raise ValueError(f'there is no widget "{name}": declare it, or give the run a parameter of that name')

    def getArgument(self, name, defaultValue=None):
        if name in self._given or name in self._defaults:
            return self.get(name)
        return defaultValue

    def getAll(self):
        return {**self._defaults, **self._given}

    def remove(self, name):
        self._given.pop(name, None)
        self._defaults.pop(name, None)

    def removeAll(self):
        self._given.clear()
        self._defaults.clear()


class TaskValues:
    """What tasks tell those behind them."""

    def __init__(self):
        self._own = {}

    def set(self, key, value):
        text = json.dumps(value)
        if len(text.encode()) > VALUE_BYTES_MAX:
            raise ValueError(f'the task value "{key}" has more than {VALUE_BYTES_MAX} bytes as JSON')
        self._own[key] = value
        leave("values.json", json.dumps(self._own))

    def get(self, taskKey, key, default=None, debugValue=None):
        values = CONTEXT["task_values"].get(taskKey, {})
        if key in values:
            return values[key]
        if default is not None:
            return default
        raise ValueError(f'task "{taskKey}" has set no value "{key}" before this task began')


class Jobs:
    def __init__(self):
        self.taskValues = TaskValues()


class Secrets:
    """Secrets by scope and key. Whatever prints one prints `[REDACTED]`."""

    def get(self, scope, key):
        scopes = CONTEXT["secrets"]
        if scope not in scopes:
            raise ValueError(f'there is no secret scope "{scope}" that this run may read')
        if key not in scopes[scope]:
            raise ValueError(f'there is no secret "{key}" in scope "{scope}"')
        ASKED.add(scopes[scope][key])
        return scopes[scope][key]

    def getBytes(self, scope, key):
        return self.get(scope, key).encode()

    def list(self, scope):
        if scope not in CONTEXT["secrets"]:
            raise ValueError(f'there is no secret scope "{scope}" that this run may read')
        return [SecretMetadata(key) for key in sorted(CONTEXT["secrets"][scope])]

    def listScopes(self):
        return [SecretScope(name) for name in sorted(CONTEXT["secrets"])]


class SecretMetadata:
    def __init__(self, key):
        self.key = key

    def __repr__(self):
        return f"SecretMetadata(key={self.key!r})"


class SecretScope:
    def __init__(self, name):
        self.name = name

    def getName(self):
        return self.name

    def __repr__(self):
        return f"SecretScope(name={self.name!r})"


class FileInfo:
    def __init__(self, path, name, size, modificationTime):
        self.path, self.name, self.size, self.modificationTime = path, name, size, modificationTime

    def isDir(self):
        return self.name.endswith("/")

    def __repr__(self):
        return f"FileInfo(path={self.path!r}, name={self.name!r}, size={self.size})"


BLOCK_BYTES = 1 << 20


class Fs:
    """Files of volumes and of DBFS, through the DBFS API, which knows both."""

    def _place(self, path):
        path = path[len("dbfs:"):] if path.startswith("dbfs:") else path
        if not path.startswith("/"):
            raise NotebookError(f'"{path}" is not a whole path: it begins with "/Volumes/", "dbfs:/" or "/"')
        return path.rstrip("/") or "/"

    def _about(self, verb, path):
        return API.json("GET", f"/api/2.0/dbfs/{verb}?path=" + urllib.parse.quote(self._place(path)))

    def _told(self, verb, **body):
        return API.json("POST", "/api/2.0/dbfs/" + verb, body)

    def ls(self, path):
        def info(one):
            name = one["path"].rsplit("/", 1)[-1] + ("/" if one.get("is_dir") else "")
            return FileInfo("dbfs:" + one["path"], name, one.get("file_size", 0), one.get("modification_time", 0))

        return [info(one) for one in self._about("list", path).get("files", [])]

    def mkdirs(self, path):
        self._told("mkdirs", path=self._place(path))
        return True

    def put(self, path, contents, overwrite=False):
        self._write(path, contents.encode() if isinstance(contents, str) else contents, overwrite)
        return True

    def _write(self, path, data, overwrite):
        handle = self._told("create", path=self._place(path), overwrite=overwrite)["handle"]
        for start in range(0, len(data), BLOCK_BYTES):
            block = base64.b64encode(data[start : start + BLOCK_BYTES]).decode()
            self._told("add-block", handle=handle, data=block)
        self._told("close", handle=handle)

    def _read(self, path, most=None):
        data, place = b"", urllib.parse.quote(self._place(path))
        while most is None or len(data) < most:
            length = BLOCK_BYTES if most is None else min(BLOCK_BYTES, most - len(data))
            part = API.json("GET", f"/api/2.0/dbfs/read?path={place}&offset={len(data)}&length={length}")
            if not part.get("bytes_read"):
                break
            data += base64.b64decode(part["data"])
        return data

    def head(self, path, maxBytes=65536):
        return self._read(path, maxBytes).decode("utf-8", "replace")

    def cp(self, source, target, recurse=False):
        if not self._about("get-status", source).get("is_dir"):
            self._write(target, self._read(source), True)
            return True
        if not recurse:
            raise NotebookError(f'"{source}" is a folder: pass recurse=True to copy what is in it')
        self.mkdirs(target)
        for one in self.ls(source):
            self.cp(one.path, self._place(target) + "/" + one.name.rstrip("/"), True)
        return True

    def mv(self, source, target, recurse=False):
        self.cp(source, target, recurse)
        return self.rm(source, recurse)

    def rm(self, path, recurse=False):
        self._told("delete", path=self._place(path), recursive=recurse)
        return True


class Notebook:
    def exit(self, value=""):
        raise NotebookExit(str(value))

    def run(self, path, timeout_seconds=0, arguments=None):
        """Runs another notebook as a run of its own, and returns its exit value."""
        task = {
            "task_key": "main",
            "timeout_seconds": timeout_seconds,
            "notebook_task": {
                "notebook_path": absolute(CONTEXT["path"], path),
                "base_parameters": {name: str(value) for name, value in (arguments or {}).items()},
            },
        }
        settings = {"run_name": path, "tasks": [task]}
        run = API.json("POST", "/api/2.1/jobs/runs/submit", settings)["run_id"]
        pause = 0.1
        while True:
            view = API.json("GET", f"/api/2.1/jobs/runs/get?run_id={run}")
            if view["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 2)
        output = API.json("GET", f"/api/2.1/jobs/runs/get-output?run_id={view['tasks'][0]['run_id']}")
        if view["state"].get("result_state") != "SUCCESS":
            raise NotebookError(f'notebook "{path}" failed in run {run}: {output.get("error") or view["state"]}')
        return output.get("notebook_output", {}).get("result", "")


class Library:
    def restartPython(self):
        """Forgets the notebook's names and the modules that it has loaded."""
        for name in set(sys.modules) - MODULES_AT_START:
            del sys.modules[name]
        importlib.invalidate_caches()
        NAMESPACE.clear()
        NAMESPACE.update(fresh_namespace())


class DbUtils:
    def __init__(self):
        self.widgets = Widgets(CONTEXT["widgets"])
        self.notebook = Notebook()
        self.jobs = Jobs()
        self.secrets = Secrets()
        self.fs = Fs()
        self.library = Library()

    def __getattr__(self, name):
        raise AttributeError(f"dbutils.{name} is not there: this workspace has widgets, notebook, jobs, secrets, fs")


DBUTILS = DbUtils()


class Spark:
    """The session of Spark Connect, made when it is first used."""

    _session = None

    def __getattr__(self, name):
        return getattr(self._there(), name)

    def _there(self):
        if Spark._session is None:
            remote = os.environ.get("SPARK_REMOTE")
            if not remote:
                raise NotebookError(
                    'there is no Spark: set "spark_remote" in the configuration of the server to a Spark Connect '
                    'endpoint, such as "sc://127.0.0.1:15002"'
                )
            try:
                from pyspark.sql import SparkSession
            except ImportError as error:
                raise NotebookError(
                    f"there is no pyspark in {sys.executable}: add the library \"pyspark[connect]\" to the task "
                    f"({error})"
                ) from None
            Spark._session = SparkSession.builder.remote(remote).getOrCreate()
        return Spark._session


def display(*values):
    for value in values:
        show = getattr(value, "show", None)
        show() if callable(show) else print(value)


def fresh_namespace():
    return {
        "__name__": "__main__",
        "__builtins__": builtins,
        "dbutils": DBUTILS,
        "display": display,
        "displayHTML": print,
        "getArgument": DBUTILS.widgets.getArgument,
        "spark": Spark(),
    }


NAMESPACE = fresh_namespace()


def absolute(here, path):
    """Resolves the path of another notebook beside this one."""
    if path.startswith("/"):
        return path
    return os.path.normpath(os.path.join(os.path.dirname(here), path))


def disk_path(path):
    inside = path[len("/Workspace"):] if path.startswith("/Workspace/") else path
    place = os.path.normpath(os.path.join(CONTEXT["root"], inside.lstrip("/")))
    if not place.startswith(CONTEXT["root"] + os.sep):
        raise NotebookError(f'"{path}" leads out of the workspace')
    for candidate in (place, place + ".py", place + ".sql"):
        if os.path.isfile(candidate):
            return candidate
    raise NotebookError(f'there is no notebook "{path}" in the workspace')


def run_notebook(path, place):
    with open(place, encoding="utf-8") as file:
        source = file.read()
    if path == CONTEXT["path"]:
        # For whoever exports the run: the notebook may be another one by then.
        leave("source.txt", redacted(source))
    for cell in cells_of(path, source):
        try:
            run_cell(cell)
        except (NotebookExit, CellError):
            raise
        except BaseException as error:
            raise CellError(cell, error) from error


def run_cell(cell):
    if cell.language in ("md", "md-sandbox"):
        return
    if cell.language == "python":
        run_python(cell)
    elif cell.language == "sql":
        run_sql(cell)
    elif cell.language == "pip":
        run_pip(cell)
    elif cell.language == "run":
        path = absolute(cell.path, cell.text.strip().strip("\"'"))
        run_notebook(path, disk_path(path))
    elif cell.language == "sh":
        done = subprocess.run(["/bin/sh", "-c", cell.text])
        if done.returncode:
            raise NotebookError(f"the shell ended with exit code {done.returncode}")
    elif cell.language == "fs":
        verb, *arguments = cell.text.split()
        display(getattr(DBUTILS.fs, verb)(*arguments))
    else:
        raise NotebookError(f'a cell in "%{cell.language}" cannot be run here: python, sql, md, pip, run, sh and fs can')


def run_python(cell):
    # Tracebacks show the line of the cell.
    linecache.cache[cell.name] = (len(cell.text), None, [line + "\n" for line in cell.text.splitlines()], cell.name)
    tree = ast.parse(cell.text, cell.name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, cell.name, "exec"), NAMESPACE)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), cell.name, "eval"), NAMESPACE)
        if value is not None:
            print(repr(value))


def statements_of(text):
    """Splits SQL at its semicolons, but not in texts and comments."""
    token = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|;", re.S)
    begin = 0
    for found in token.finditer(text):
        if found.group() == ";":
            yield text[begin:found.start()]
            begin = found.end()
    yield text[begin:]


def run_sql(cell):
    for statement in statements_of(cell.text):
        plain = re.sub(r"--[^\n]*|/\*.*?\*/", "", statement, flags=re.S)
        if plain.strip():
            run_statement(statement.strip())


def run_statement(statement):
    markers = set(re.findall(r"(?<![:\w]):([A-Za-z_]\w*)", statement))
    widgets = DBUTILS.widgets.getAll()
    body = {
        "statement": statement,
        "wait_timeout": "30s",
        "parameters": [{"name": name, "value": value} for name, value in widgets.items() if name in markers],
    }
    if CONTEXT.get("warehouse_id"):
        body["warehouse_id"] = CONTEXT["warehouse_id"]
    answer = API.json("POST", "/api/2.0/sql/statements", body)
    while answer["status"]["state"] in ("PENDING", "RUNNING"):
        time.sleep(0.2)
        answer = API.json("GET", f"/api/2.0/sql/statements/{answer['statement_id']}")
    if answer["status"]["state"] != "SUCCEEDED":
        error = answer["status"].get("error", {})
        raise NotebookError(f"{error.get('error_code', answer['status']['state'])}: {error.get('message', statement)}")
    columns = [column["name"] for column in answer.get("manifest", {}).get("schema", {}).get("columns", [])]
    if columns:
        print("\t".join(columns))
    result = answer.get("result") or {}
    while result:
        for row in result.get("data_array") or []:
            print("\t".join("NULL" if value is None else value for value in row))
        link = result.get("next_chunk_internal_link")
        result = API.json("GET", link) if link else None


def run_pip(cell):
    words = cell.text.split()
    if words[:1] != ["install"]:
        raise NotebookError(f'"%pip {cell.text}" cannot be run here: "%pip install" can')
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", SITE]
    done = subprocess.run([*command, *CONTEXT["pip_arguments"], *words[1:]], capture_output=True, text=True)
    print(done.stdout, end="")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotebookError(f'"%pip {cell.text}" failed: {lines[-1] if lines else done.returncode}')
    if SITE not in sys.path:
        sys.path.insert(0, SITE)
    importlib.invalidate_caches()


def tell(error):
    """Prints the traceback of the author's own lines, and names the cell."""
    cause = error.cause
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if frame.filename != __file__]
    lines = traceback.format_exception_only(type(cause), cause)
    first = next((index for index, line in enumerate(lines) if not line.startswith(" ")), 0)
    lines[first] = lines[first].rstrip("\n") + f" (in {error.cell.name})\n"
    text = ["Traceback (most recent call last):\n", *traceback.format_list(frames), *lines]
    if not frames:
        text.insert(1, f'  File "{error.cell.name}"\n')
    sys.stdout.flush()
    sys.stderr.write("".join(text))


def main():
    os.makedirs(OUT, exist_ok=True)
    sys.stdout, sys.stderr = Redacting(sys.stdout), Redacting(sys.stderr)
    folder = os.path.dirname(CONTEXT["notebook"])
    sys.path[0] = folder
    sys.argv = [CONTEXT["path"]]
    try:
        run_notebook(CONTEXT["path"], CONTEXT["notebook"])
    except NotebookExit as left:
        leave("exit.txt", redacted(left.value))
    except CellError as error:
        if isinstance(error.cause, SystemExit):
            raise error.cause
        tell(error)
        return 1
    return 0


sys.exit(main())
