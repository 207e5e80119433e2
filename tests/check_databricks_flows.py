"""Lets flows work in a Databricks workspace with each of the twelve modules, as a
person with a token and as a service principal, and looks with the unmodified
Databricks SDK at what came of it: the run, the rows, the file. Then each way to
be refused is tried, and what the flow is told must say what it means and what
to do.

    python tests/check_databricks_flows.py PATH_OF_LOOPWRIGHT
"""

import json
import pathlib
import re
import sys
import tempfile
import time
import urllib.request

from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs, workspace

from check_databricks import ROWS, TOKEN, Server, furnish, service_principal

FOLDER = "/Shared/flows"
TABLE = "loopwright.sdk.actions"
SCORE = b"""# Databricks notebook source
print("scoring", dbutils.widgets.get("case_id"))
dbutils.notebook.exit(dbutils.widgets.get("case_id") + ": by air")
"""
RAISES = b"print('reading')\nraise ValueError('case 17 has no delivery date')\n"
PROGRAMS = {
    "fails.py": RAISES,
    "sleeps.py": b"import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
    "echoes.py": b"import sys\nprint(*sys.argv[1:])\n",
}
BIG = 9_007_199_254_740_993  # No double can hold it.


class World:
    """A server, the SDK of its administrator, and jobs that flows start."""

    def __init__(self, server, folder):
        self.server, self.folder, self.flows = server, pathlib.Path(folder) / "flows", {}
        self.there = furnish(server, folder)
        self.client = WorkspaceClient(host=server.workspace_url, token=TOKEN)
        self.job = self.make_jobs()

    def upload(self, name, text, **form):
        form = form or {"format": workspace.ImportFormat.AUTO}
        self.client.workspace.upload(f"{FOLDER}/{name}", text, overwrite=True, **form)

    def make_jobs(self):
        self.client.workspace.mkdirs(FOLDER)
        self.upload("score", SCORE, format=workspace.ImportFormat.SOURCE, language=workspace.Language.PYTHON)
        for name, text in PROGRAMS.items():
            self.upload(name, text)

        def python(name, *parameters):
            return {"spark_python_task": jobs.SparkPythonTask(f"{FOLDER}/{name}.py", parameters=list(parameters))}

        bodies = {
            "score": {"notebook_task": jobs.NotebookTask(f"{FOLDER}/score")},
            "fails": python("fails"),
            "sleeps": python("sleeps"),
            "echoes": python("echoes", "{{job.parameters.case_id}}"),
            "alone": python("sleeps"),
        }
        case = [jobs.JobParameterDefinition(name="case_id", default="0")]
        return {
            name: self.client.jobs.create(
                name=name,
                tasks=[jobs.Task(task_key=name, **body)],
                parameters=case,
                queue=jobs.QueueSettings(enabled=name != "alone"),
            ).job_id
            for name, body in bodies.items()
        }

    def connect(self, name, kind, secret, **fields):
        settings = [word for field in fields.items() for word in ("--set", "=".join(field))]
        put = ["connections", "put", name, "--kind", kind, *settings, "--secret-file", "-"]
        self.server.verb(*put, told=secret)

    def add(self, key, *modules):
        """Adds a flow that somebody starts by hand, of these modules with their
        parameters and mappers."""
        inputs = sorted(set(re.findall(r"var\.input\.(\w+)", json.dumps(modules))))
        steps = [
            {"id": number, "module": module, "parameters": parameters, "mapper": mapper}
            for number, (module, parameters, mapper) in enumerate([("loopwright:Manual", {}, {}), *modules], start=1)
        ]
        self.flows[key] = {"name": key, "interface": {"input": [{"name": name} for name in inputs]}, "flow": steps}

    def apply(self):
        self.folder.mkdir()
        entries = []
        for key, flow in self.flows.items():
            (self.folder / f"{key}.yaml").write_text(json.dumps(flow))
            entries.append({"key": key, "file": f"{key}.yaml"})
        (self.folder / "loopwright.yaml").write_text(json.dumps({"pool": "sdk", "flows": entries}))
        self.server.verb("apply", str(self.folder))

    def ran(self, key, **inputs):
        """Runs a flow to its end, and returns it as the command line shows it."""
        self.server.verb("flow", "run", key, "--input", json.dumps(inputs), "--wait", may_fail=True)
        latest = json.loads(self.server.verb("flow", "runs", key, "--limit", "1", "--json"))
        return json.loads(self.server.verb("run", "show", latest["id"], "--json"))

    def gave(self, key, **inputs):
        """Runs a flow, and returns the bundles that its last module gave."""
        run = self.ran(key, **inputs)
        assert run["outcome"] == "success", f"{key}: {json.dumps(run, indent=1)}"
        return run["operations"][-1]["output"]

    def refused(self, key, **inputs):
        """Runs a flow, and returns the error of its module."""
        run = self.ran(key, **inputs)
        assert run["outcome"] == "error", f"{key}: {json.dumps(run, indent=1)}"
        return run["operations"][1]["detail"]

    def run(self, run_id):
        return self.client.jobs.get_run(run_id)

    def rows(self, statement):
        answer = self.client.statement_execution.execute_statement(statement, self.there["warehouse"], wait_timeout="30s")
        assert answer.status.state.value == "SUCCEEDED", answer.status
        return answer.result.data_array or []


def eventually(what, look, seconds=30):
    """Waits until something is seen; returns it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.1)
    return seen


def add_modules(world, who):
    """Adds a flow for each module, all with the same connection."""
    at, job, warehouse = {"connection": who}, world.job, world.there["warehouse"]
    run, case = {"run_id": "{{var.input.run}}"}, {"case_id": "{{var.input.case}}"}

    def add(name, module, mapper, **parameters):
        world.add(f"{who}-{name}", (f"databricks:{module}", {**at, **parameters}, mapper))

    add("run-and-wait", "RunJobAndWait", {"job_id": str(job["score"]), "job_parameters": case, "deadline": 1})
    add("fails", "RunJobAndWait", {"job_id": job["fails"]})
    add("too-long", "RunJobAndWait", {"job_id": job["sleeps"], "deadline": 0.02})
    add("run", "RunJob", {"job_id": "{{var.input.job}}", "job_parameters": case})
    add("get", "GetRun", run)
    add("cancel", "CancelRun", run)
    add("repair", "RepairRun", run)
    add("list", "ListJobs", {"limit": 50})
    once = [{"task_key": "once", "spark_python_task": {"python_file": f"{FOLDER}/echoes.py", "parameters": ["once only"]}}]
    add("submit", "SubmitRun", {"run_name": f"once by {who}", "tasks": json.dumps(once)})
    add("ask", "QueryEndpoint", {"endpoint": "late", "dataframe_records": [{"days": 3}, {"days": 9}]})
    select = f"SELECT n, label, n + {BIG} AS big FROM {world.there['table']} WHERE n >= :least ORDER BY n"
    asked = {"warehouse_id": warehouse, "statement": select, "parameters": {"least": 0}}
    lines = {"path": f"{world.there['volume']}/{who}.csv", "data": '{{join(map(2.rows; "big"); newline)}}'}
    world.add(
        f"{who}-select",
        ("databricks:ExecuteStatement", {**at, "together": True}, asked),
        ("databricks:UploadFile", at, lines),
    )
    add("upload", "UploadFile", {"path": f"{world.there['volume']}/{who}.txt", "data": "grüße an {{var.input.case}}"})
    rows = [{"case_id": "{{var.input.case}}", "action": f"by air, says {who}", "weight": BIG}]
    add("write", "WriteRows", {"warehouse_id": warehouse, "table": TABLE, "volume": world.there["volume"], "rows": rows})


def check_runs(world, who, me):
    [done] = world.gave(f"{who}-run-and-wait", case="17")
    assert done["result_state"] == "SUCCESS" and done["tasks"][0]["result"] == "17: by air", done
    assert done["parameters"] == {"case_id": "17"}, done
    seen = world.run(done["run_id"])
    assert seen.state.result_state == jobs.RunResultState.SUCCESS and seen.creator_user_name == me, seen
    calls = world.server.verb("connections", "calls", who).splitlines()
    starts = [call for call in calls if "jobs/run-now" in call and str(done["run_id"]) in call]
    assert len(starts) == 1, f"the record of calls has the start: {calls}"

    [started] = world.gave(f"{who}-run", job=str(world.job["echoes"]), case="a b")
    assert world.client.jobs.wait_get_run_job_terminated_or_skipped(started["run_id"]).job_id == world.job["echoes"]
    [told] = world.gave(f"{who}-get", run=str(started["run_id"]))
    assert told["succeeded"] and told["tasks"][0]["logs"] == "a b\n", told

    [started] = world.gave(f"{who}-run", job=str(world.job["sleeps"]), case="0")
    [told] = world.gave(f"{who}-get", run=str(started["run_id"]))
    assert "result_state" not in told and told["state"] in ("PENDING", "RUNNING"), told
    world.gave(f"{who}-cancel", run=str(started["run_id"]))
    ended = world.client.jobs.wait_get_run_job_terminated_or_skipped(started["run_id"])
    assert ended.state.result_state == jobs.RunResultState.CANCELED, ended.state

    late = world.refused(f"{who}-too-long")
    assert re.fullmatch(r"RuntimeError: run \d+ was cancelled, because it took longer than 1 second", late), late
    [cancelled] = list(world.client.jobs.list_runs(job_id=world.job["sleeps"], limit=1))[:1]
    ended = world.client.jobs.wait_get_run_job_terminated_or_skipped(cancelled.run_id)
    assert ended.state.result_state == jobs.RunResultState.CANCELED, ended.state

    [once] = world.gave(f"{who}-submit")
    assert once["tasks"][0]["logs"] == "once only\n", once
    seen = world.run(once["run_id"])
    assert (seen.run_type, seen.run_name) == (jobs.RunType.SUBMIT_RUN, f"once by {who}"), seen


def check_failure_and_repair(world, who):
    error = world.refused(f"{who}-fails")
    run_id = int(re.search(r"run (\d+) of job", error)[1])
    log_url = world.run(run_id).tasks[0].run_page_url
    assert error == (
        f"RuntimeError: run {run_id} of job {world.job['fails']} ended as FAILED: "
        f'ValueError: case 17 has no delivery date (task "fails"); its log: {log_url}'
    ), error
    with urllib.request.urlopen(log_url) as page:
        assert page.status == 200 and b"<html" in page.read().lower()
    world.upload("fails.py", b"print('mended')\n")
    [mended] = world.gave(f"{who}-repair", run=str(run_id))
    world.upload("fails.py", RAISES)
    assert mended["succeeded"] and [task["logs"] for task in mended["tasks"]] == ["mended\n"], mended
    assert world.run(run_id).state.result_state == jobs.RunResultState.SUCCESS


def check_the_rest(world, who):
    listed = {(job["job_id"], job["name"]) for job in world.gave(f"{who}-list")}
    assert listed == {(job.job_id, job.settings.name) for job in world.client.jobs.list()}, listed
    [answer] = world.gave(f"{who}-ask")
    assert answer["predictions"] == [False, True], answer

    [file] = world.gave(f"{who}-select")
    lines = world.client.files.download(file["path"]).contents.read().decode().split("\n")
    assert lines == [str(n + BIG) for n in range(ROWS)], "all chunks, in order, every digit"
    [file] = world.gave(f"{who}-upload", case="Ada")
    content = world.client.files.download(file["path"]).contents.read()
    assert content.decode() == "grüße an Ada" and file["size"] == len(content), content

    [written] = world.gave(f"{who}-write", case=f"of {who}")
    assert (written["rows"], written["inserted"]) == (1, 1), written
    rows = world.rows(f"SELECT case_id, action, weight FROM {TABLE} WHERE case_id = 'of {who}'")
    assert rows == [[f"of {who}", f"by air, says {who}", str(BIG)]], rows
    left = [entry.path for entry in world.client.files.list_directory_contents(world.there["volume"])]
    assert all("loopwright-" not in path for path in left), f"the file of the rows is gone: {left}"


def add_refusals(world):
    """Adds a flow for each way to be refused, and one that starts when a run ends."""
    score, echoes, run_now = str(world.job["score"]), world.job["echoes"], "loopwright://workspace/api/2.1/jobs/run-now"
    for who in ("stale", "stranger", "lost"):
        world.add(f"{who}-run", ("databricks:RunJob", {"connection": who}, {"job_id": "{{var.input.job}}"}))
    tasks = '[{"task_key": "a"},\n {"task_key" "b"}]'
    world.add("written-wrong", ("databricks:SubmitRun", {"connection": "token"}, {"tasks": tasks}))
    body = {"url": run_now, "method": "post", "bodyType": "raw", "contentType": "application/json"}
    data = f'{{\n  "job_id": {echoes},,\n}}'
    strict = {"connection": "local-bearer", "handleErrors": True}
    world.add("sent-wrong", ("http:ActionSendData", strict, {**body, "data": data}))
    world.add("no-such-task", ("databricks:RunJob", {"connection": "token"}, {"job_id": score, "only": ["nobody"]}))
    world.add("no-room", ("databricks:RunJobAndWait", {"connection": "token"}, {"job_id": world.job["alone"]}))
    sql = {"warehouse_id": world.there["warehouse"], "statement": "SELECT no_such_column"}
    world.add("no-such-column", ("databricks:ExecuteStatement", {"connection": "token"}, sql))


def add_start(world):
    """Adds a flow that starts when a run of a job fails."""
    parameters = {"connection": "token", "job": str(world.job["fails"]), "results": "failure"}
    start = {"id": 1, "module": "databricks:RunEnded", "parameters": parameters}
    value = {"value": "{{1.run_id}}: {{1.result_state}}, {{1.error}}"}
    world.flows["ends"] = {"name": "ends", "flow": [start, {"id": 2, "module": "util:ComposeTransformer", "mapper": value}]}


def check_refusals(world):
    server, job, alone = world.server, world.job["score"], world.job["alone"]
    world.client.jobs.run_now(alone)
    where = re.escape(server.workspace_url)
    new_token = r"make a new one in the workspace \(Settings, Developer, Access tokens\) and put it into connection \"stale\""
    no_right = (
        r"\[403\] who is behind connection \"stranger\" may not use job {0} \(PERMISSION_DENIED: .*\): "
        r"give them CAN MANAGE RUN on job {0}; .*"
    )
    for what, key, job_id, told in [
        ("an unknown token", "stale-run", job, rf"\[401\] the token is invalid or expired; .*: {new_token}"),
        ("no right on a job", "stranger-run", job, no_right.format(job)),
        # Whoever has no right is not told what there is.
        ("no right on no job", "stranger-run", 17, no_right.format(17)),
        ("a wrong job", "token-run", 17, rf"\[404\] job 17 does not exist in {where} .*: look at the id in the address.*"),
        (
            "a wrong address",
            "lost-run",
            job,
            r"\[404\] loopwright://this has nothing at this address, so it is probably not the address of a workspace "
            r".*: copy the address of the workspace from the browser into connection \"lost\"",
        ),
        ("tasks that are no JSON", "written-wrong", None, r"tasks: it is not valid JSON: .* in line 2, column 14"),
        ("a body that is no JSON", "sent-wrong", None, r"\[400\] .* \(the body is not valid JSON: .* in line 2, column \d+\)"),
        ("a task that is not there", "no-such-task", None, r'\[400\] .*"only" names task "nobody".*'),
        ("a column that is not there", "no-such-column", None, r"statement \S+ ended as FAILED: .*no_such_column.*"),
        (
            "no room and no queue",
            "no-room",
            None,
            rf"run \d+ of job {alone} ended as MAXIMUM_CONCURRENT_RUNS_REACHED: .*: switch on its queue, .*; its log: http.*",
        ),
    ]:
        error = world.refused(key, **({} if job_id is None else {"job": str(job_id)}))
        assert re.fullmatch(rf"\w+Error: {told}", error), f"{what}: {error}"
    for who, told in [("stale", "401"), ("lost", "404")]:
        tested = server.verb("connections", "test", who, may_fail=True)
        assert f"failed  [{told}]" in tested and "\nmend    " in tested, tested
    assert "give \"" in server.verb("connections", "test", "stranger"), "it is told that no job is to be seen"
    print("ok   ten refusals, each with its meaning and its mend")


def check_ends(world):
    """Runs that end start a flow, once each: the workspace calls its address
    never, at once and twice, or late."""
    server, told = world.server, {}
    [hook] = re.findall(r"http\S+", server.verb("hooks", "show", "ends"))

    def hint(run_id):
        body = {"event_type": "jobs.on_failure", "workspace_id": 1, "run": {"run_id": run_id}, "job": {"job_id": world.job["fails"]}}
        request = urllib.request.Request(hook, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200, answer.status

    def heard():
        """What the flow said of the runs below; the failing runs of earlier checks may start it too."""
        runs = [json.loads(line) for line in server.verb("flow", "runs", "ends", "--json").splitlines()]
        shown = [json.loads(server.verb("run", "show", run["id"], "--json")) for run in runs]
        values = [run["operations"][1]["output"][0]["value"] for run in shown if len(run["operations"]) > 1]
        return [value for value in values if value.split(":")[0] in told]

    late = None
    for calls in (0, 2, 0):
        run_id = world.client.jobs.run_now(world.job["fails"]).run_id
        eventually("the run ends", lambda: world.run(run_id).state.result_state)
        for _ in range(calls):
            hint(run_id)
        if late:
            hint(late)
        told[str(run_id)] = f"{run_id}: FAILED, ValueError: case 17 has no delivery date"
        eventually("its end starts the flow", lambda: told[str(run_id)] in heard())
        late = run_id
    values = heard()
    assert sorted(values) == sorted(told.values()), f"once each: {values}"
    print("ok   the end of a run starts a flow once, called never, twice or late")


def main():
    with tempfile.TemporaryDirectory() as folder:
        # Tokens of service principals end so soon that flows must fetch new ones.
        server = Server(sys.argv[1], folder + "/data", LOOPWRIGHT_WORKSPACE_ACCESS_TOKEN_SECONDS="5")
        try:
            world = World(server, folder)
            client_id, secret = service_principal(server)
            world.rows(f"CREATE TABLE {TABLE} (case_id STRING, action STRING, weight BIGINT)")
            world.connect("token", "databricks-pat", TOKEN, host=server.workspace_url)
            world.connect("principal", "databricks-oauth", secret, host=server.workspace_url, clientId=client_id)
            people = {"token": world.client.current_user.me().user_name, "principal": client_id}
            stranger_id, stranger_secret = service_principal(server, groups=())
            world.connect("stale", "databricks-pat", "dapi-of-last-year", host=server.workspace_url)
            world.connect("stranger", "databricks-oauth", stranger_secret, host=server.workspace_url, clientId=stranger_id)
            world.connect("lost", "databricks-pat", TOKEN, host="loopwright://this")
            world.connect("local-bearer", "bearer", TOKEN, origin="loopwright://workspace")
            for who in people:
                add_modules(world, who)
            add_refusals(world)
            add_start(world)
            world.apply()
            for who, me in people.items():
                assert f'the workspace knows us as "{me}"' in server.verb("connections", "test", who)
                picked = server.verb("connections", "jobs", who)
                assert all(f"{job}  {name} " in picked for name, job in world.job.items()), picked
                check_runs(world, who, me)
                check_failure_and_repair(world, who)
                check_the_rest(world, who)
                print(f"ok   eleven modules as {who}")
            check_refusals(world)
            check_ends(world)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
