//! Jobs that really run.

use std::time::Duration;

use base::Secret;
use expect_test::expect;
use serde_json::json;

use super::{House, admin, story, with_parameters};
use crate::folder::TaskFolder;
use crate::{ApiVersion, FailedRuns, Options, Overriding, RunId, RunRequest};

#[tokio::test]
async fn a_job_runs_and_its_output_can_be_read() {
    let house = House::new();
    house.workspace.create_scope(&admin(), "loopwright").await.expect("a new scope");
    let secret = Secret::new("id:geheim");
    house.workspace.put_secret(&admin(), "loopwright", "app-key", &secret).await.expect("a new secret");
    house.script("/Shared/score.sh", "echo \"$@ in $PLAIN\"; echo key=$KEY home=$HOME").await;
    let settings = json!({
        "name": "score",
        "parameters": [{ "name": "case_id", "default": "none" }, { "name": "days", "default": "5" }],
        "job_clusters": [{ "job_cluster_key": "c", "new_cluster": {
            "num_workers": 0,
            "spark_env_vars": { "KEY": "{{secrets/loopwright/app-key}}", "PLAIN": "plain" },
        } }],
        "tasks": [{
            "task_key": "main",
            "job_cluster_key": "c",
            "spark_python_task": {
                "python_file": "/Workspace/Shared/score.sh",
                "parameters": ["{{job.parameters.case_id}}", "{{ job.parameters.days }}", "{{task.name}}", "{{else}}"],
            },
        }],
    });
    let job = house.job_of(settings).await;
    let run = house.workspace.run_now(&admin(), job, with_parameters(&[("case_id", "4711")])).await.expect("a run");
    let view = house.until_ended(run).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | main#0: TERMINATED SUCCESS"].assert_eq(&story(&view));
    assert_eq!(view.page_url, format!("http://127.0.0.1:8081/?o=1#job/{job}/run/{run}"));

    let output = house.workspace.output(view.tasks[0].run).await.expect("an output");
    expect![[r"
        4711 5 main {{else}} in plain
        key=[REDACTED] home=
    "]]
    .assert_eq(&output.logs);
    assert_eq!(output.metadata.job_run, run);
    assert_eq!(house.workspace.output(run).await.expect("a run of one task").logs, output.logs);

    let folder = house.workspace.task_folder(run, view.tasks[0].run).path;
    for file in std::fs::read_dir(&folder).expect("the folder of the task") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        assert!(!text.contains("geheim"), "{} holds the secret", path.display());
    }
}

const RAISING: &str = "import sys\nprint('before', flush=True)\ndef f():\n    raise ValueError('no such case')\nf()\n";

#[tokio::test]
async fn an_exception_ends_as_an_internal_error_unless_told_otherwise() {
    for (failed_runs, expected) in [
        (
            FailedRuns::InternalError,
            expect!["INTERNAL_ERROR FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | main#0: TERMINATED FAILED"],
        ),
        (
            FailedRuns::Terminated,
            expect!["TERMINATED FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | main#0: TERMINATED FAILED"],
        ),
    ] {
        let house = House::with(Options { failed_runs, ..Options::default() });
        let job = house.job(RAISING, json!({})).await;
        let run = house.run_now(job).await;
        let view = house.until_ended(run).await;
        expected.assert_eq(&story(&view));
        assert_eq!(view.state.message, "Task main failed with message: Workload failed, see run output for details.");
        let output = house.workspace.output(view.tasks[0].run).await.expect("an output");
        assert_eq!(output.error.as_deref(), Some("ValueError: no such case"));
        let trace = output.error_trace.expect("a traceback");
        assert!(trace.starts_with("Traceback (most recent call last):\n"), "{trace}");
        assert!(trace.ends_with("in f\n    raise ValueError('no such case')\nValueError: no such case"), "{trace}");
        assert!(output.logs.starts_with("before\nTraceback"), "{}", output.logs);
        assert!(output.logs.ends_with("no such case\n"), "{}", output.logs);
    }
}

#[tokio::test]
async fn what_cannot_start_is_a_failed_attempt_that_says_why() {
    let cases = [
        (
            json!({ "spark_python_task": { "python_file": "/Shared/other.sh" } }),
            "there is no file \"/Shared/other.sh\" in the workspace",
        ),
        (
            json!({ "new_cluster": { "spark_env_vars": { "A": "{{secrets/none/key}}" } } }),
            "secret \"none/key\" cannot be used: there is no secret scope \"none\"",
        ),
    ];
    let house = House::new();
    for (task, expected) in cases {
        let job = house.job("true", task).await;
        let view = house.until_ended(house.run_now(job).await).await;
        let output = house.workspace.output(view.run).await.expect("an output");
        assert_eq!(output.error, Some(format!("the process could not be started: {expected}")));
    }
    let house = House::with(Options { python: "/no/such/python".into(), ..Options::default() });
    let job = house.job("true", json!({})).await;
    let view = house.until_ended(house.run_now(job).await).await;
    let error = house.workspace.output(view.run).await.expect("an output").error.expect("an error");
    assert!(error.contains("\"/no/such/python\": No such file"), "{error}");
}

#[tokio::test]
async fn a_failed_task_is_tried_again_after_its_pause() {
    let house = House::new();
    let script = "n=$(cat tries 2>/dev/null || echo 0); echo $((n + 1)) > tries; echo try $n; [ $n -ge 2 ]";
    let job = house.job(script, json!({ "max_retries": 2, "min_retry_interval_millis": 60_000 })).await;
    let run = house.run_now(job).await;
    let waits = |attempt| {
        move |view: &crate::RunView| {
            view.tasks[0].attempt == attempt && view.tasks[0].state.life_cycle == "WAITING_FOR_RETRY"
        }
    };
    let first = house.until(run, waits(1)).await;
    expect!["RUNNING | WAITING | main#1: WAITING_FOR_RETRY"].assert_eq(&story(&first));
    house.advance(Duration::from_mins(1));
    house.until(run, waits(2)).await;
    house.advance(Duration::from_mins(1));
    let view = house.until_ended(run).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | main#2: TERMINATED SUCCESS"].assert_eq(&story(&view));

    let attempts: Vec<RunId> = view.history.iter().chain(&view.tasks).map(|task| task.run).collect();
    assert_eq!(attempts.len(), 3);
    for (attempt, id) in attempts.iter().enumerate() {
        let output = house.workspace.output(*id).await.expect("an output");
        assert!(output.logs.ends_with(&format!("try {attempt}\n")), "{}", output.logs);
        assert_eq!(output.metadata.original, attempts[0]);
    }
}

#[tokio::test]
async fn retries_are_spent_some_time() {
    let house = House::new();
    let job = house.job("exit 3", json!({ "max_retries": 1 })).await;
    let view = house.until_ended(house.run_now(job).await).await;
    expect!["INTERNAL_ERROR FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | main#1: TERMINATED FAILED"]
        .assert_eq(&story(&view));
    let output = house.workspace.output(view.run).await.expect("an output");
    assert_eq!(output.error.as_deref(), Some("the process ended with exit code 3"));
}

/// Starts a grandchild, tells both pids, and listens to nobody.
const STUBBORN: &str = "trap '' TERM; (trap '' TERM; read go < $1) & echo $! up; read go < $1";

#[tokio::test]
async fn a_timeout_ends_the_whole_process_group() {
    let house = House::new();
    let gate = house.gate("gate");
    let task = json!({
        "timeout_seconds": 30,
        "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": [gate.to_string()] },
    });
    let job = house.job(STUBBORN, task).await;
    let run = house.run_now(job).await;
    house.until_printed(run, "up").await;
    let folder = folder_of(&house, run).await;
    let grandchild = house.workspace.output(run).await.expect("an output").logs;
    let grandchild: i32 = grandchild.split(' ').next().expect("a pid").parse().expect("a pid");

    house.advance(Duration::from_secs(30));
    let view = house.until(run, |view| view.tasks[0].state.life_cycle == "TERMINATING").await;
    expect!["RUNNING | RUNNING | main#0: TERMINATING"].assert_eq(&story(&view));
    house.advance(house.workspace.options().stop_grace);
    let view = house.until_ended(run).await;
    expect!["TERMINATED TIMEDOUT | TERMINATED CANCELED CLIENT_ERROR | main#0: TERMINATED TIMEDOUT"]
        .assert_eq(&story(&view));
    assert!(view.state.user_cancelled_or_timedout);
    let processes = folder.processes().expect("the pids were left");
    assert!(!processes.task.is_alive());
    assert_eq!(crate::folder::Identity::of(grandchild), None, "the grandchild is gone too");
}

#[tokio::test]
async fn a_timeout_of_the_run_ends_its_tasks() {
    let house = House::new();
    let gate = house.gate("gate");
    house.script("/Shared/task.sh", "read go < $1").await;
    let task = |key: &str| json!({ "task_key": key, "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": [gate.to_string()] } });
    let mut after = task("after");
    after["depends_on"] = json!([{ "task_key": "before" }]);
    let job = house.job_of(json!({ "timeout_seconds": 5, "tasks": [task("before"), after] })).await;
    let run = house.run_now(job).await;
    house.until(run, |view| view.tasks[0].state.life_cycle == "RUNNING").await;
    house.advance(Duration::from_secs(5));
    let view = house.until_ended(run).await;
    expect!["TERMINATED TIMEDOUT | TERMINATED CANCELED CLIENT_ERROR | before#0: TERMINATED TIMEDOUT | after#0: SKIPPED TIMEDOUT"]
        .assert_eq(&story(&view));
}

#[tokio::test]
async fn a_cancelled_run_stops_and_asking_again_changes_nothing() {
    let house = House::new();
    let gate = house.gate("gate");
    let task = json!({ "max_retries": 5, "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": [gate.to_string()] } });
    let job = house.job("echo up; read go < $1", task).await;
    let run = house.run_now(job).await;
    house.until_printed(run, "up").await;
    house.workspace.cancel(&admin(), run).await.expect("a run");
    let view = house.until_ended(run).await;
    expect!["TERMINATED CANCELED | TERMINATED USER_CANCELED SUCCESS | main#0: TERMINATED CANCELED"]
        .assert_eq(&story(&view));
    house.workspace.cancel(&admin(), run).await.expect("a run");
    assert_eq!(house.workspace.show_run(run).await.expect("a run"), view);
}

#[tokio::test]
async fn tasks_run_in_order_and_as_many_as_there_are_places() {
    let house = House::with(Options { python: "/bin/sh".into(), tasks_at_once_max: 1, ..Options::default() });
    house.script("/Shared/good.sh", "echo $1 >> ../order; exit 0").await;
    house.script("/Shared/bad.sh", "echo $1 >> ../order; exit 1").await;
    let task = |key: &str, file: &str, after: &[&str], run_if: &str| {
        let depends_on: Vec<_> = after.iter().map(|key| json!({ "task_key": key })).collect();
        json!({
            "task_key": key, "depends_on": depends_on, "run_if": run_if,
            "spark_python_task": { "python_file": file, "parameters": ["{{task_key}}"] },
        })
    };
    let settings = json!({ "tasks": [
        task("report", "/Shared/good.sh", &["left", "right"], "ALL_DONE"),
        task("publish", "/Shared/good.sh", &["left", "right"], "ALL_SUCCESS"),
        task("left", "/Shared/good.sh", &["load"], "ALL_SUCCESS"),
        task("right", "/Shared/bad.sh", &["load"], "ALL_SUCCESS"),
        task("load", "/Shared/good.sh", &[], "ALL_SUCCESS"),
    ] });
    let run = house.workspace.submit(&admin(), settings, ApiVersion::V2_2).await.expect("good settings");
    let view = house.until_ended(run).await;
    expect![[r"INTERNAL_ERROR FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | report#0: TERMINATED SUCCESS | publish#0: SKIPPED UPSTREAM_FAILED | left#0: TERMINATED SUCCESS | right#0: TERMINATED FAILED | load#0: TERMINATED SUCCESS"]]
        .assert_eq(&story(&view));
    let order = std::fs::read_to_string(house.workspace.files_folder().join("order")).expect("they wrote it");
    let order: Vec<&str> = order.lines().collect();
    assert_eq!((order[0], order[3], order.len()), ("load", "report", 4), "{order:?}");
    assert!(matches!(house.workspace.output(run).await, Err(crate::Error::ManyTasks { tasks: 5, .. })));
}

#[tokio::test]
async fn a_list_of_the_caller_takes_the_place_of_the_tasks_own() {
    let house = House::new();
    let task = json!({ "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": ["own"] } });
    let job = house.job("for each; do echo \"<$each>\"; done", task).await;
    let list = ["--case", "47 11", "{{job.id}}", ""].map(str::to_owned).to_vec();
    let overriding = Overriding { python_params: Some(list), ..Overriding::default() };
    let run = house.workspace.run_now(&admin(), job, RunRequest { overriding, ..RunRequest::default() }).await;
    let view = house.until_ended(run.expect("a run")).await;
    let output = house.workspace.output(view.run).await.expect("an output");
    assert_eq!(output.logs, format!("<--case>\n<47 11>\n<{job}>\n<>\n"));
}

/// A job whose task has a secret in its environment.
async fn job_with_a_secret(house: &House) -> crate::JobId {
    house.workspace.create_scope(&admin(), "s").await.expect("a new scope");
    house.workspace.put_secret(&admin(), "s", "k", &Secret::new("geheim")).await.expect("a new secret");
    let cluster = json!({ "new_cluster": { "spark_env_vars": { "KEY": "{{secrets/s/k}}" } } });
    house.job("true", cluster).await
}

fn assert_no_secret_in(folder: &TaskFolder) {
    for file in std::fs::read_dir(&folder.path).expect("the folder of the task") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        assert!(!text.contains("geheim"), "{} holds the secret", path.display());
    }
}

#[tokio::test]
async fn no_secret_stays_where_no_supervisor_came() {
    let mut house = House::asleep(Options::default());
    house.options.supervisor = vec!["/no/such/supervisor".into()];
    house.come_back();
    let job = job_with_a_secret(&house).await;
    let run = house.run_now(job).await;
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("FAILED"));
    assert_no_secret_in(&folder_of(&house, run).await);
}

#[tokio::test]
async fn no_secret_of_a_server_before_stays_where_the_next_cannot_start_the_task() {
    let mut house = House::asleep(Options { python: "/bin/sh".into(), ..Options::default() });
    let job = job_with_a_secret(&house).await;
    let run = house.run_now(job).await;
    let folder = folder_of(&house, run).await;
    // The server before wrote what is to run, and came no further.
    let task = crate::folder::TaskFile { secrets: vec!["geheim".into()], ..Default::default() };
    folder.prepare(&task).expect("the disk is there");
    house.workspace.delete_secret(&admin(), "s", "k").await.expect("it was there");
    house.wake_up();
    assert_eq!(house.until_ended(run).await.state.result, Some("FAILED"));
    assert_no_secret_in(&folder);
}

async fn folder_of(house: &House, run: RunId) -> TaskFolder {
    let view = house.workspace.show_run(run).await.expect("the run is there");
    house.workspace.task_folder(run, view.tasks[0].run)
}
