"""Walks through a workspace with one generation of the Databricks SDK, as its
users do. The address and the credentials come from the environment, where the
SDK itself looks for them; what is there already comes as JSON.

    python tests/databricks_generation.py '{"warehouse": …, "table": …, "endpoint": …}'
"""

import http.server
import io
import json
import queue
import sys
import threading
import urllib.error
import urllib.request
import uuid

from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs, sql, workspace
from databricks.sdk.version import __version__

try:
    from databricks.sdk.errors import DatabricksError
except ImportError:  # The first generations have it elsewhere.
    from databricks.sdk.core import DatabricksError

NOTEBOOK = b"""# Databricks notebook source
dbutils.widgets.text("case_id", "none")
case = dbutils.widgets.get("case_id")
print("scoring", case)

# COMMAND ----------

dbutils.notebook.exit(f"score of {case}")
"""


def python_task(key, path, *parameters, after=()):
    return jobs.Task(
        task_key=key,
        spark_python_task=jobs.SparkPythonTask(python_file=path, parameters=list(parameters)),
        depends_on=[jobs.TaskDependency(task_key=before) for before in after],
    )


def file(client, path, text):
    client.workspace.upload(path, text, format=workspace.ImportFormat.AUTO, overwrite=True)


def check_run_and_output(client, folder):
    file(client, f"{folder}/greet.py", b"import sys\nprint('hello', *sys.argv[1:])\n")
    task = python_task("greet", f"{folder}/greet.py", "{{job.parameters.name}}")
    job = client.jobs.create(
        name=f"greet {__version__}", tasks=[task], parameters=[jobs.JobParameterDefinition(name="name", default="nobody")]
    )
    token = str(uuid.uuid4())
    started = client.jobs.run_now(job.job_id, idempotency_token=token, job_parameters={"name": "Ada"})
    again = client.jobs.run_now(job.job_id, idempotency_token=token, job_parameters={"name": "Ada"})
    assert started.run_id == again.run_id, "the same token is the same run"
    run = started.result()
    assert run.state.result_state == jobs.RunResultState.SUCCESS, run.state
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.logs == "hello Ada\n", output.logs
    assert [listed.run_id for listed in client.jobs.list_runs(job_id=job.job_id)] == [started.run_id]


def check_notebook(client, folder):
    client.workspace.upload(
        f"{folder}/score", NOTEBOOK, format=workspace.ImportFormat.SOURCE, language=workspace.Language.PYTHON, overwrite=True
    )
    task = jobs.Task(task_key="score", notebook_task=jobs.NotebookTask(notebook_path=f"{folder}/score"))
    job = client.jobs.create(name="score", tasks=[task])
    run = client.jobs.run_now(job.job_id, notebook_params={"case_id": "4711"}).result()
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.notebook_output.result == "score of 4711", output


def check_lists(client, folder):
    file(client, f"{folder}/nothing.py", b"")
    name = f"one of many {__version__}"
    made = {client.jobs.create(name=name, tasks=[python_task("t", f"{folder}/nothing.py")]).job_id for _ in range(23)}
    listed = [job.job_id for job in client.jobs.list(name=name, limit=5)]
    assert len(listed) == len(set(listed)) == 23 and set(listed) == made, "every job once, over all pages"
    for job in made:
        client.jobs.delete(job)


def check_cancel(client, folder):
    file(client, f"{folder}/long.py", b"import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    job = client.jobs.create(name="long", tasks=[python_task("long", f"{folder}/long.py")])
    run = client.jobs.run_now(job.job_id)
    client.jobs.cancel_run(run.run_id)
    ended = run.result()
    assert ended.state.result_state == jobs.RunResultState.CANCELED, ended.state


def check_repair(client, folder):
    file(client, f"{folder}/first.py", b"print('done once')\n")
    file(client, f"{folder}/second.py", b"raise ValueError('no delivery date')\n")
    tasks = [
        python_task("first", f"{folder}/first.py"),
        python_task("second", f"{folder}/second.py", after=["first"]),
    ]
    job = client.jobs.create(name="fails at first", tasks=tasks)
    waiter = client.jobs.run_now(job.job_id)
    try:
        run = waiter.result()
    except DatabricksError:
        run = client.jobs.get_run(waiter.run_id)
    except Exception as error:  # The class has another name in each generation.
        assert "INTERNAL_ERROR" in str(error), error
        run = client.jobs.get_run(waiter.run_id)
    assert run.state.result_state == jobs.RunResultState.FAILED, run.state
    failed = client.jobs.get_run_output(next(task.run_id for task in run.tasks if task.task_key == "second"))
    assert failed.error == "ValueError: no delivery date", failed.error
    file(client, f"{folder}/second.py", b"print('mended')\n")
    client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True).result()
    repaired = client.jobs.get_run(run.run_id)
    assert repaired.state.result_state == jobs.RunResultState.SUCCESS, repaired.state
    attempts = {task.task_key: task.attempt_number for task in repaired.tasks}
    assert attempts == {"first": 0, "second": 1}, f"only what failed runs again: {attempts}"


class Listener(http.server.BaseHTTPRequestHandler):
    """Takes webhooks."""

    told = queue.Queue()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Listener.told.put((self.headers.get("Authorization"), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def check_schedule(client, folder):
    file(client, f"{folder}/tick.py", b"print('tick')\n")
    server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The first generations have no class for destinations.
    call = client.api_client.do
    where = {"url": f"http://127.0.0.1:{server.server_port}/hook", "username": "ann", "password": "pw"}
    destinations = "/api/2.0/notification-destinations"
    made = call("POST", destinations, body={"display_name": "walk", "config": {"generic_webhook": where}})
    assert made["config"]["generic_webhook"]["password_set"] and "pw" not in json.dumps(made), made
    every_second = {"quartz_cron_expression": "* * * * * ?", "timezone_id": "Europe/Berlin"}
    settings = {
        "name": f"ticks {__version__}",
        "tasks": [python_task("tick", f"{folder}/tick.py").as_dict()],
        "schedule": {**every_second, "pause_status": "UNPAUSED"},
        "webhook_notifications": {"on_success": [{"id": made["id"]}]},
    }
    job = client.jobs.create(
        name=settings["name"],
        tasks=[python_task("tick", f"{folder}/tick.py")],
        schedule=jobs.CronSchedule.from_dict(settings["schedule"]),
        webhook_notifications=jobs.JobSettings.from_dict(settings).webhook_notifications,
    )
    sign_in, told = Listener.told.get(timeout=60)
    assert sign_in == "Basic YW5uOnB3", sign_in
    assert told["event_type"] == "jobs.on_success" and told["job"]["job_id"] == str(job.job_id), told
    run = client.jobs.get_run(int(told["run"]["run_id"]))
    assert run.trigger.value == "PERIODIC" and run.state.result_state == jobs.RunResultState.SUCCESS, run
    paused = {"schedule": {**every_second, "pause_status": "PAUSED"}}
    client.jobs.update(job.job_id, new_settings=jobs.JobSettings.from_dict(paused))
    read = client.jobs.get(job.job_id).settings
    assert read.schedule.pause_status.value == "PAUSED" and read.webhook_notifications.on_success[0].id == made["id"], read
    client.jobs.delete(job.job_id)
    call("DELETE", f"{destinations}/{made['id']}")
    server.shutdown()


def check_sql(client, there):
    answer = client.statement_execution.execute_statement(
        statement=f"SELECT n, label FROM {there['table']} WHERE n >= :least ORDER BY n",
        warehouse_id=there["warehouse"],
        parameters=[sql.StatementParameterListItem(name="least", value="0", type="INT")],
        wait_timeout="30s",
    )
    assert answer.status.state == sql.StatementState.SUCCEEDED, answer.status
    assert answer.manifest.total_chunk_count == 3, answer.manifest
    rows, chunk = [], answer.result
    while True:
        rows.extend(chunk.data_array)
        if chunk.next_chunk_index is None:
            break
        chunk = client.statement_execution.get_statement_result_chunk_n(answer.statement_id, chunk.next_chunk_index)
    assert rows == [[str(n), f"row {n}"] for n in range(there["rows"])], "all chunks, in order, as texts"
    failed = client.statement_execution.execute_statement("SELECT no_such_column", there["warehouse"])
    assert failed.status.state == sql.StatementState.FAILED and "no_such_column" in failed.status.error.message, failed


def check_files(client, there):
    path, content = f"{there['volume']}/{__version__}/in.bin", bytes(range(256)) * 4_000
    client.files.upload(path, io.BytesIO(content), overwrite=True)
    assert client.files.download(path).contents.read() == content


def check_files_of_notebooks(client, folder, there):
    """What a notebook copies and moves with dbutils.fs, the client reads."""
    place = f"{there['volume']}/{__version__}-fs"
    source = f"""# Databricks notebook source
place = "{place}"
dbutils.fs.put("dbfs:/tmp{folder}/in.txt", "from a notebook", True)
dbutils.fs.mkdirs(place + "/one")
dbutils.fs.mv("/tmp{folder}/in.txt", place + "/one/in.txt")
dbutils.fs.cp(place + "/one", place + "/two", recurse=True)
dbutils.notebook.exit(" ".join(file.name for file in dbutils.fs.ls("dbfs:" + place)))
"""
    client.workspace.upload(
        f"{folder}/files",
        source.encode(),
        format=workspace.ImportFormat.SOURCE,
        language=workspace.Language.PYTHON,
        overwrite=True,
    )
    task = jobs.Task(task_key="files", notebook_task=jobs.NotebookTask(notebook_path=f"{folder}/files"))
    run = client.jobs.run_now(client.jobs.create(name="files", tasks=[task]).job_id).result()
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.notebook_output.result == "one/ two/", output
    assert client.files.download(f"{place}/two/in.txt").contents.read() == b"from a notebook"


def check_serving(client, there):
    answer = client.serving_endpoints.query(there["endpoint"], dataframe_records=[{"days": 3}, {"days": 9}])
    assert answer.predictions == [False, True], answer


def check_refusals(client):
    try:
        client.jobs.get(1)
        raise AssertionError("a job that does not exist was found")
    except DatabricksError as error:
        assert "Job 1 does not exist" in str(error), error


def check_short_tokens(client, folder):
    """A run outlasts the token with which it was started: the SDK buys the next one by itself."""
    first = client.config.authenticate()["Authorization"]
    file(client, f"{folder}/lasts.py", b"import time\nfor second in range(8):\n    time.sleep(1)\nprint('over')\n")
    job = client.jobs.create(name="lasts", tasks=[python_task("lasts", f"{folder}/lasts.py")])
    run = client.jobs.run_now(job.job_id).result()
    assert run.state.result_state == jobs.RunResultState.SUCCESS, run.state
    assert client.jobs.get_run_output(run.tasks[0].run_id).logs == "over\n"
    request = urllib.request.Request(client.config.host + "/api/2.0/preview/scim/v2/Me", headers={"Authorization": first})
    try:
        urllib.request.urlopen(request)
        raise AssertionError("the first token is still good")
    except urllib.error.HTTPError as error:
        assert error.code == 401, error


def check_lost_answers(client, folder):
    """The workspace does the work and loses the answer; the SDK asks again, by itself or by its caller."""
    file(client, f"{folder}/nothing.py", b"")
    job = client.jobs.create(name="asked twice", max_concurrent_runs=9, tasks=[python_task("t", f"{folder}/nothing.py")])
    lose = {"route": "POST /api/2.*/jobs/run-now", "drop": "after"}
    client.api_client.do("POST", "/__control/faults", body=lose)
    token = str(uuid.uuid4())
    try:
        started = client.jobs.run_now(job.job_id, idempotency_token=token)
    except (OSError, DatabricksError):
        started = client.jobs.run_now(job.job_id, idempotency_token=token)
    runs = [run.run_id for run in client.jobs.list_runs(job_id=job.job_id)]
    assert runs == [started.run_id], f"one run, though it was asked for twice: {runs}"
    rules = client.api_client.do("GET", "/__control/faults")["rules"]
    assert rules[-1]["struck"] == 1, rules
    client.api_client.do("POST", "/__control/reset", body={})


def main():
    there = json.loads(sys.argv[1])
    client = WorkspaceClient()
    me = client.current_user.me().user_name
    folder = f"/Shared/{__version__}-{me}"
    if there.get("only") == "faults":
        check_short_tokens(client, folder)
        check_lost_answers(client, folder)
        print(f"ok   databricks-sdk {__version__} as {me}: a run that outlasts its token, an answer that is lost")
        return
    check_run_and_output(client, folder)
    check_notebook(client, folder)
    check_lists(client, folder)
    check_cancel(client, folder)
    check_repair(client, folder)
    check_schedule(client, folder)
    check_sql(client, there)
    check_files(client, there)
    check_files_of_notebooks(client, folder, there)
    check_serving(client, there)
    check_refusals(client)
    print(f"ok   databricks-sdk {__version__} as {me}: runs, notebook, lists, cancel, repair, schedule, SQL, files, serving")


if __name__ == "__main__":
    main()
