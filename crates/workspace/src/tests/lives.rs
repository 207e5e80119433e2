//! What happens to runs while the server is down.

use std::time::Duration;

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Gate, House, admin, story};
use crate::decide::Input;
use crate::error::Error;
use crate::folder::{Identity, TaskFolder};
use crate::record::advance;
use crate::run::TaskState;
use crate::{Options, RunId, tables};

/// Counts its starts, says so, and waits.
const WAITING: &str = "echo started >> starts; echo first line; read go < $1; echo $go";

async fn waiting_run(house: &House, gate: &Gate, more: serde_json::Value) -> (RunId, TaskFolder) {
    let mut task =
        json!({ "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": [gate.to_string()] } });
    for (name, value) in more.as_object().expect("fields") {
        task[name] = value.clone();
    }
    let job = house.job(WAITING, task).await;
    let run = house.run_now(job).await;
    house.until_printed(run, "first line").await;
    let view = house.workspace.show_run(run).await.expect("the run is there");
    (run, house.workspace.task_folder(run, view.tasks[0].run))
}

fn starts(house: &House) -> usize {
    let file = house.workspace.files_folder().join("Shared/starts");
    std::fs::read_to_string(file).expect("it was started").lines().count()
}

#[tokio::test]
async fn a_running_task_is_adopted_by_the_next_server() {
    let mut house = House::new();
    let mut gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({})).await;
    let before = house.workspace.show_run(run).await.expect("the run is there");
    house.go_down().await;
    house.come_back();
    let after = house.workspace.show_run(run).await.expect("the run is there");
    assert_eq!(story(&after), story(&before));
    assert!(folder.processes().expect("pids").task.is_alive(), "the task outlived its server");
    gate.open();
    let view = house.until_ended(run).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | main#0: TERMINATED SUCCESS"].assert_eq(&story(&view));
    assert_eq!(house.workspace.output(run).await.expect("an output").logs, "first line\ngo\n");
    assert_eq!(starts(&house), 1);
}

#[tokio::test]
async fn a_task_that_ended_meanwhile_has_left_its_result() {
    let mut house = House::new();
    let mut gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({})).await;
    house.go_down().await;
    gate.open();
    tokio::time::timeout(super::PATIENCE, async {
        while folder.exit().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the task ends in time");
    house.come_back();
    let view = house.until_ended(run).await;
    assert_eq!((view.state.result, view.tasks[0].attempt, starts(&house)), (Some("SUCCESS"), 0, 1));
}

#[tokio::test]
async fn a_task_that_is_gone_is_a_failed_attempt_of_the_same_run() {
    let mut house = House::new();
    let mut gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({ "max_retries": 1 })).await;
    house.go_down().await;
    // As if the machine had lost power: nobody can leave word.
    let processes = folder.processes().expect("pids");
    let supervisor = Pid::from_raw(processes.supervisor.pid).expect("a pid");
    kill_process(supervisor, Signal::KILL).expect("it is there");
    house.come_back();
    house.until(run, |view| view.tasks[0].attempt == 1).await;
    gate.open();
    let view = house.until_ended(run).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | main#1: TERMINATED SUCCESS"].assert_eq(&story(&view));
    assert!(!processes.task.is_alive(), "what was left of the first attempt did not go on");
    let first = house.workspace.output(view.history[0].run).await.expect("an output");
    assert_eq!(first.error.as_deref(), Some("the process is gone and has left no exit status"));
    let runs = house.workspace.runs(crate::RunsQuery::default()).await.expect("a list");
    assert_eq!(runs.items.len(), 1, "there is no second run");
}

#[tokio::test]
async fn what_outlives_the_leader_of_its_group_does_not_go_on_either() {
    let mut house = House::new();
    let (gate, mut end) = (house.gate("gate"), house.gate("end"));
    let script = "(read go < $1) & echo $! up; read go < $2";
    let parameters = json!([gate.to_string(), end.to_string()]);
    let task = json!({ "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": parameters } });
    let job = house.job(script, task).await;
    let run = house.run_now(job).await;
    house.until_printed(run, "up").await;
    let view = house.workspace.show_run(run).await.expect("the run is there");
    let folder = house.workspace.task_folder(run, view.tasks[0].run);
    let logs = house.workspace.output(run).await.expect("an output").logs;
    let left = logs.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(Identity::of).expect("a process");
    house.go_down().await;
    let processes = folder.processes().expect("pids");
    kill_process(Pid::from_raw(processes.supervisor.pid).expect("a pid"), Signal::KILL).expect("it is there");
    end.open();
    let all_end = async |identity: &Identity| {
        while identity.is_alive() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, all_end(&processes.task)).await.expect("the leader ends in time");
    assert!(left.is_alive());
    house.come_back();
    assert_eq!(house.until_ended(run).await.state.result, Some("FAILED"));
    tokio::time::timeout(super::PATIENCE, all_end(&left)).await.expect("the rest of the group ends in time");
}

#[tokio::test]
async fn a_start_that_was_intended_and_not_done_is_done_once() {
    let mut house = House::asleep(Options { python: "/bin/sh".into(), ..Options::default() });
    let job = house.job("echo started >> starts", json!({})).await;
    let run = house.run_now(job).await;
    // The server records the intent, and is no more.
    let (now, grace) = (house.clock_now(), house.options.stop_grace);
    let moved = house.workspace.db.write("test.place", move |tx| {
        let attempt = tables::execution(tx, run)?.attempts[0].id;
        advance(tx, run, &Input::Place(attempt), now, grace)
    });
    let moved = moved.await.expect("the intent is recorded");
    assert!(matches!(moved[0].execution.attempts[0].state, TaskState::Running { .. }));
    house.wake_up();
    let view = house.until_ended(run).await;
    assert_eq!((view.state.result, view.tasks[0].attempt, starts(&house)), (Some("SUCCESS"), 0, 1));
}

#[tokio::test]
async fn a_supervisor_that_comes_second_leaves_the_task_alone() {
    let house = House::new();
    let mut gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({})).await;
    let claim = folder.claim().expect("somebody has it");
    let (program, arguments) = house.options.supervisor.split_first().expect("a program");
    let second = std::process::Command::new(program)
        .args(arguments)
        .arg(&folder.path)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("it can be started");
    assert!(second.success());
    assert_eq!(folder.claim(), Some(claim));
    gate.open();
    assert_eq!(house.until_ended(run).await.state.result, Some("SUCCESS"));
    assert_eq!(starts(&house), 1);
}

#[tokio::test]
async fn a_stop_that_was_recorded_is_carried_out_by_the_next_server() {
    let mut house = House::new();
    let gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({})).await;
    house.go_down().await;
    // Recorded, and not acted on.
    let (now, grace) = (house.clock_now(), house.options.stop_grace);
    let recorded =
        house.workspace.db.write("test.cancel", move |tx| advance(tx, run, &Input::Cancel, now, grace)).await;
    recorded.expect("the intent is recorded");
    assert!(folder.processes().expect("pids").task.is_alive());
    house.come_back();
    house.advance(grace);
    let view = house.until_ended(run).await;
    expect!["TERMINATED CANCELED | TERMINATED USER_CANCELED SUCCESS | main#0: TERMINATED CANCELED"]
        .assert_eq(&story(&view));
}

#[tokio::test]
async fn queued_runs_are_called_after_a_restart_too() {
    let mut house = House::new();
    let mut gate = house.gate("gate");
    house.script("/Shared/task.sh", "read go < $1").await;
    let settings = json!({
        "queue": { "enabled": true },
        "tasks": [{ "task_key": "main", "spark_python_task": {
            "python_file": "/Shared/task.sh", "parameters": [gate.to_string()],
        } }],
    });
    let job = house.job_of(settings).await;
    let first = house.run_now(job).await;
    house.until(first, |view| view.state.life_cycle == "RUNNING").await;
    let second = house.run_now(job).await;
    let waiting = house.workspace.show_run(second).await.expect("a run");
    expect!["QUEUED | QUEUED | main#0: BLOCKED"].assert_eq(&story(&waiting));
    assert_eq!(waiting.status.queue_code, Some("MAX_CONCURRENT_RUNS_REACHED"));
    house.go_down().await;
    house.come_back();
    gate.open();
    house.until_ended(first).await;
    house.until(second, |view| view.state.life_cycle == "RUNNING").await;
    gate.open();
    assert_eq!(house.until_ended(second).await.state.result, Some("SUCCESS"));
}

#[tokio::test]
async fn an_active_run_cannot_be_deleted_and_a_deleted_one_is_gone() {
    let house = House::new();
    let mut gate = house.gate("gate");
    let (run, folder) = waiting_run(&house, &gate, json!({})).await;
    assert!(matches!(house.workspace.delete_run(&admin(), run).await, Err(Error::StillActive(_))));
    gate.open();
    house.until_ended(run).await;
    house.workspace.delete_run(&admin(), run).await.expect("it is over");
    assert!(matches!(house.workspace.show_run(run).await, Err(Error::NoRun(_))));
    assert!(!folder.path.exists());
}

#[tokio::test]
async fn a_run_that_ended_long_ago_goes_with_its_output_and_its_repairs() {
    let house = House::new();
    let job = house
        .job(
            "echo $1; test \"$1\" = well",
            json!({ "spark_python_task": {
        "python_file": "/Shared/task.sh", "parameters": ["{{job.parameters.how}}"],
    } }),
        )
        .await;
    let change = json!({ "parameters": [{ "name": "how", "default": "badly" }] });
    house.workspace.update_job(&admin(), job, change, vec![]).await.expect("good settings");
    let once = house.workspace.run_now(&admin(), job, super::with_token("once")).await.expect("it runs");
    house.until_ended(once).await;
    let again = crate::RepairRequest { rerun_all_failed_tasks: true, ..crate::RepairRequest::default() };
    house.workspace.repair_run(&admin(), once, again).await.expect("it has failed");
    house.until(once, |view| view.end.is_some() && view.tasks[0].attempt == 1).await;
    house.advance(Duration::from_hours(24));
    let later = house.run_now(job).await;
    house.until_ended(later).await;
    let (folder, other) = (house.workspace.run_folder(once), house.workspace.run_folder(later));
    assert!(folder.exists() && other.exists());

    // Sixty days are the rule; a day less is not yet.
    house.advance(Duration::from_hours(58 * 24));
    let still = house.run_now(job).await;
    house.until_ended(still).await;
    assert!(house.workspace.show_run(once).await.is_ok() && folder.exists());
    let mut changes = house.workspace.changes();
    house.advance(Duration::from_hours(24));
    let gone = async {
        while house.workspace.show_run(once).await.is_ok() {
            changes.changed().await.expect("the workspace is there");
        }
    };
    tokio::time::timeout(super::PATIENCE, gone).await.expect("the loop looks for old runs");
    assert!(matches!(house.workspace.show_run(once).await, Err(Error::NoRun(_))));
    assert!(house.workspace.show_run(later).await.is_ok() && other.exists());
    let repairs = house.workspace.db.read("test.repairs", move |tx| crate::tables::repairs(tx, once)).await;
    assert_eq!(repairs.expect("rows"), []);
    // Its token makes no other run, for ever.
    let refused = house.workspace.run_now(&admin(), job, super::with_token("once")).await;
    assert!(matches!(refused, Err(Error::TokenOfDeletedRun(run)) if run == once), "{refused:?}");
}

impl House {
    fn clock_now(&self) -> base::Timestamp {
        base::Clock::now(&*self.clock)
    }
}
