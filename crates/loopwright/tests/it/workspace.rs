//! The local workspace as its clients meet it: over HTTP, with jobs that run,
//! and a server that is killed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::join_all;
use http::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, command};
use crate::receiver::PATIENCE;

/// Says that it has begun, waits at a gate, and says that it has ended.
const AT_A_GATE: &str = "import sys\n\
                         with open(sys.argv[1], 'a') as log: print('begin', file=log)\n\
                         open(sys.argv[2]).readline()\n\
                         with open(sys.argv[1], 'a') as log: print('end', file=log)\n";
/// Says that it has begun and ended.
const SHORT: &str = "import sys\n\
                     with open(sys.argv[1], 'a') as log: print('begin', file=log)\n\
                     with open(sys.argv[1], 'a') as log: print('end', file=log)\n";

/// Where tasks wait until the test lets them pass.
struct Gate {
    path: PathBuf,
    pipe: File,
}

impl Gate {
    fn at(path: PathBuf) -> Self {
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is there");
        assert!(made.success());
        // Open for both, so that neither side waits for the other to open it.
        let pipe = File::options().read(true).write(true).open(&path).expect("the pipe was made");
        Gate { path, pipe }
    }

    fn open(&mut self) {
        self.pipe.write_all(b"go\n").expect("a pipe takes a few bytes");
    }
}

async fn import(house: &House, path: &str, text: &str) {
    let body = json!({ "path": path, "format": "AUTO", "overwrite": true, "content": BASE64.encode(text) });
    house.workspace(Method::POST, "/api/2.0/workspace/import", body).await;
}

/// Makes a job with one task: a program with parameters.
async fn new_job(house: &House, version: &str, program: &str, parameters: &[&Path]) -> Json {
    import(house, "/Shared/task.py", program).await;
    let task = json!({ "python_file": "/Shared/task.py", "parameters": parameters });
    let job = json!({ "name": "task", "tasks": [{ "task_key": "main", "spark_python_task": task }] });
    house.workspace(Method::POST, &format!("/api/{version}/jobs/create"), job).await["job_id"].clone()
}

async fn run_now(house: &House, version: &str, job: &Json) -> Json {
    let path = format!("/api/{version}/jobs/run-now");
    house.workspace(Method::POST, &path, json!({ "job_id": job })).await["run_id"].clone()
}

/// Reads a run again and again until something is true of it.
async fn until(house: &House, run: &Json, is_true: impl Fn(&Json) -> bool) -> Json {
    let path = format!("/api/2.2/jobs/runs/get?run_id={run}");
    let mut last = Json::Null;
    let looked = tokio::time::timeout(PATIENCE, async {
        loop {
            last = house.workspace(Method::GET, &path, Json::Null).await;
            if is_true(&last) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let came = looked.await.is_ok();
    assert!(came, "run {run} does not come so far: {last}");
    last
}

async fn until_over(house: &House, run: &Json) -> Json {
    until(house, run, |run| run["status"]["state"] == "TERMINATED").await
}

/// Lists the runs of a job, newest first.
async fn runs_of(house: &House, job: &Json) -> Vec<Json> {
    let list = house.workspace(Method::GET, &format!("/api/2.2/jobs/runs/list?job_id={job}"), Json::Null).await;
    list["runs"].as_array().cloned().unwrap_or_default()
}

fn result(run: &Json) -> String {
    let word = |name: &str| run["state"][name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", word("life_cycle_state"), word("result_state"))
}

/// Check 4: what comes while a job runs is passed over, or waits for its turn.
#[tokio::test]
async fn five_triggers_at_once_are_one_run_over_2_1_and_five_in_turn_over_2_2() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let log = data.path().join("one");
    let mut gate = Gate::at(data.path().join("gate"));
    let job = new_job(&house, "2.1", AT_A_GATE, &[&log, &gate.path]).await;
    let asked = [(); 5].map(|()| run_now(&house, "2.1", &job));
    let runs = join_all(asked).await;
    gate.open();
    let mut results = Vec::new();
    for run in runs {
        results.push(result(&until_over(&house, &run).await));
    }
    results.sort_unstable();
    let skipped = "SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED";
    assert_eq!(results, [skipped, skipped, skipped, skipped, "TERMINATED SUCCESS"]);
    assert_eq!(std::fs::read_to_string(&log).expect("a log"), "begin\nend\n");

    let log = data.path().join("five");
    let job = new_job(&house, "2.2", SHORT, &[&log]).await;
    let asked = [(); 5].map(|()| run_now(&house, "2.2", &job));
    let runs = join_all(asked).await;
    for run in runs {
        assert_eq!(result(&until_over(&house, &run).await), "TERMINATED SUCCESS");
    }
    assert_eq!(std::fs::read_to_string(&log).expect("a log"), "begin\nend\n".repeat(5), "one after the other");
}

/// Check 5, its first half: what does not fit into one answer is read in several.
#[tokio::test]
async fn a_job_of_250_tasks_is_seen_whole_page_by_page() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let condition = json!({ "op": "EQUAL_TO", "left": "1", "right": "1" });
    let tasks: Vec<Json> =
        (0..250).map(|n| json!({ "task_key": format!("t{n:03}"), "condition_task": condition })).collect();
    let job = json!({ "name": "many", "tasks": tasks });
    let refused = house.try_workspace(Method::POST, "/api/2.1/jobs/create", job.clone()).await.expect("an answer");
    assert_eq!(refused.0, 400, "{}", refused.1);
    let job = house.workspace(Method::POST, "/api/2.2/jobs/create", job).await["job_id"].clone();
    let whole = async |path: String, list: fn(&Json) -> &Json| {
        let (mut keys, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = house.workspace(Method::GET, &format!("{path}&page_token={token}"), Json::Null).await;
            let tasks = list(&page).as_array().expect("tasks").clone();
            keys.extend(tasks.iter().map(|task| task["task_key"].as_str().unwrap_or_default().to_owned()));
            pages += 1;
            match page["next_page_token"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return (keys, pages),
            }
        }
    };
    let expected: Vec<String> = (0..250).map(|n| format!("t{n:03}")).collect();
    let shown = whole(format!("/api/2.2/jobs/get?job_id={job}"), |page| &page["settings"]["tasks"]).await;
    assert_eq!(shown, (expected.clone(), 3));
    let run = run_now(&house, "2.2", &job).await;
    assert_eq!(result(&until_over(&house, &run).await), "TERMINATED SUCCESS");
    let shown = whole(format!("/api/2.2/jobs/runs/get?run_id={run}"), |page| &page["tasks"]).await;
    assert_eq!(shown, (expected, 3));
}

/// Check 5, its second half: a number of 18 digits goes through the variables of a flow.
#[tokio::test]
async fn the_numbers_of_jobs_and_runs_survive_a_flow() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let log = data.path().join("log");
    let job = new_job(&house, "2.2", SHORT, &[&log]).await;
    assert!(job.as_i64().is_some_and(|number| number > 1 << 46), "{job} is exact in a double");
    let flow = r#"
name: numbers
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:SetVariable2", mapper: { name: job, value: "{{1.job}}" } }
  - { id: 3, module: "databricks:RunJob", parameters: { connection: local-workspace }, mapper: { job_id: "{{2.job}}" } }
  - { id: 4, module: "util:SetVariable2", mapper: { name: run, value: "{{3.run_id}}" } }
  - { id: 5, module: "databricks:GetRun", parameters: { connection: local-workspace }, mapper: { run_id: "{{4.run}}" } }
"#;
    let (status, answer) = house.call(Method::PUT, "/api/v1/flows/numbers", flow).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    house.expect(Method::POST, "/api/v1/flows/numbers/publish", Json::Null).await;
    for given in [json!({ "job": job }), json!({ "job": job.to_string() })] {
        let (status, run) = house.post("/api/v1/flows/numbers/run", given).await;
        assert!((200..300).contains(&status), "{status} {run}");
        let path = format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"));
        let ended = house.wait_for(&path, "an end", |run| run["state"] == "ended").await;
        assert_eq!(ended["outcome"], "success", "{ended}");
    }
    assert_eq!(runs_of(&house, &job).await.len(), 2);
}

/// Check 6: a run goes on without its server, and a request that died with it
/// makes no second run when it is sent again.
#[tokio::test]
async fn a_kill_in_the_middle_makes_no_second_run() {
    let data = tempfile::tempdir().expect("a folder");
    let mut house = House::start(data.path()).await;
    let log = data.path().join("log");
    let mut gate = Gate::at(data.path().join("gate"));
    let job = new_job(&house, "2.2", AT_A_GATE, &[&log, &gate.path]).await;
    let run = run_now(&house, "2.2", &job).await;
    let begun = tokio::time::timeout(PATIENCE, async {
        while !log.exists() {
            tokio::task::yield_now().await;
        }
    });
    begun.await.expect("the task begins");
    house.child.kill().await.expect("SIGKILL");
    house = House::start(data.path()).await;
    assert_eq!(result(&until(&house, &run, |run| run["state"]["life_cycle_state"] == "RUNNING").await), "RUNNING ");
    gate.open();
    assert_eq!(result(&until_over(&house, &run).await), "TERMINATED SUCCESS");
    assert_eq!(std::fs::read_to_string(&log).expect("a log"), "begin\nend\n", "the task ran once");

    // The kill comes before, while or after the request is worked on.
    let log = data.path().join("more");
    let job = new_job(&house, "2.2", SHORT, &[&log]).await;
    for round in 0..4 {
        let body = json!({ "job_id": job, "idempotency_token": format!("round-{round}") });
        let asked = house.try_workspace(Method::POST, "/api/2.2/jobs/run-now", body.clone());
        let killed = async {
            for _ in 0..round * 4 {
                tokio::task::yield_now().await;
            }
            let pid = house.child.id().expect("it runs").cast_signed();
            let pid = rustix::process::Pid::from_raw(pid).expect("a process");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        };
        let (first, ()) = tokio::join!(asked, killed);
        house.child.wait().await.expect("an end");
        house = House::start(data.path()).await;
        let again = house.workspace(Method::POST, "/api/2.2/jobs/run-now", body).await;
        if let Some((200, first)) = first {
            assert_eq!(first["run_id"], again["run_id"], "round {round}");
        }
        assert_eq!(result(&until_over(&house, &again["run_id"]).await), "TERMINATED SUCCESS", "round {round}");
        assert_eq!(runs_of(&house, &job).await.len(), round + 1, "one run for each token");
    }
    assert_eq!(std::fs::read_to_string(&log).expect("a log"), "begin\nend\n".repeat(4));
}

/// What failed runs once more, in the same run, with what was mended.
#[tokio::test]
async fn a_failed_run_is_repaired_over_http() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    import(&house, "/Shared/first.py", "print('first')\n").await;
    import(&house, "/Shared/second.py", "raise ValueError('no delivery date')\n").await;
    let task = |key: &str, after: &[&str]| {
        let depends_on: Vec<Json> = after.iter().map(|key| json!({ "task_key": key })).collect();
        let body = json!({ "python_file": format!("/Shared/{key}.py") });
        json!({ "task_key": key, "depends_on": depends_on, "spark_python_task": body })
    };
    let job = json!({ "name": "repaired", "tasks": [task("first", &[]), task("second", &["first"])] });
    let job = house.workspace(Method::POST, "/api/2.2/jobs/create", job).await["job_id"].clone();
    let run = run_now(&house, "2.2", &job).await;
    let failed = until_over(&house, &run).await;
    assert_eq!(result(&failed), "INTERNAL_ERROR FAILED");
    let of = |run: &Json, key: &str| {
        let tasks = run["tasks"].as_array().expect("tasks").clone();
        tasks.into_iter().find(|task| task["task_key"] == key).expect("a task")
    };
    let output = format!("/api/2.2/jobs/runs/get-output?run_id={}", of(&failed, "second")["run_id"]);
    assert_eq!(house.workspace(Method::GET, &output, Json::Null).await["error"], "ValueError: no delivery date");

    import(&house, "/Shared/second.py", "print('mended')\n").await;
    let asked = json!({ "run_id": run, "rerun_all_failed_tasks": true });
    let repair = house.workspace(Method::POST, "/api/2.2/jobs/runs/repair", asked.clone()).await;
    let mended = until(&house, &run, |run| result(run) == "TERMINATED SUCCESS").await;
    let attempts = ["first", "second"].map(|key| of(&mended, key)["attempt_number"].clone());
    assert_eq!(attempts, [json!(0), json!(1)], "only what failed runs again");
    let history = format!("/api/2.2/jobs/runs/get?run_id={run}&include_history=true");
    let history = house.workspace(Method::GET, &history, Json::Null).await["repair_history"].clone();
    assert_eq!((&history[0]["type"], &history[1]["id"]), (&json!("ORIGINAL"), &repair["repair_id"]));
    // There is nothing left to repair, and nobody repairs beside another.
    let refused = house.try_workspace(Method::POST, "/api/2.2/jobs/runs/repair", asked).await.expect("an answer");
    assert_eq!((refused.0, &refused.1["error_code"]), (400, &json!("INVALID_STATE")));
}

/// All runs of a job end by one call, those that run and those that wait.
#[tokio::test]
async fn all_runs_of_a_job_are_canceled_over_http() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let gate = Gate::at(data.path().join("gate"));
    let log = data.path().join("log");
    let job = new_job(&house, "2.2", AT_A_GATE, &[&log, &gate.path]).await;
    let other = new_job(&house, "2.2", AT_A_GATE, &[&log, &gate.path]).await;
    let runs = [run_now(&house, "2.2", &job).await, run_now(&house, "2.2", &job).await];
    let kept = run_now(&house, "2.2", &other).await;
    until(&house, &runs[0], |run| run["state"]["life_cycle_state"] == "RUNNING").await;
    until(&house, &runs[1], |run| run["state"]["life_cycle_state"] == "QUEUED").await;
    let waiting = json!({ "job_id": job, "all_queued_runs": true });
    house.workspace(Method::POST, "/api/2.2/jobs/runs/cancel-all", waiting).await;
    assert_eq!(result(&until_over(&house, &runs[1]).await), "TERMINATED CANCELED");
    assert_eq!(runs_of(&house, &job).await[1]["state"]["life_cycle_state"], "RUNNING");
    house.workspace(Method::POST, "/api/2.2/jobs/runs/cancel-all", json!({ "job_id": job })).await;
    assert_eq!(result(&until_over(&house, &runs[0]).await), "TERMINATED CANCELED");
    let still = until(&house, &kept, |run| run["state"]["life_cycle_state"] == "RUNNING").await;
    assert_eq!(still["job_id"], other);
    house.workspace(Method::POST, "/api/2.2/jobs/runs/cancel", json!({ "run_id": kept })).await;
    assert_eq!(result(&until_over(&house, &kept).await), "TERMINATED CANCELED");
}

/// A server that may be made to fail says so where it starts, and its clock can
/// be made to jump.
#[tokio::test]
async fn a_timeout_of_an_hour_passes_in_a_moment() {
    let data = tempfile::tempdir().expect("a folder");
    let mut command = command(data.path());
    command.env("LOOPWRIGHT_WORKSPACE_FAULTS", "true");
    let house = House::start_by(command).await;
    let gate = Gate::at(data.path().join("gate"));
    let log = data.path().join("log");
    let job = new_job(&house, "2.2", AT_A_GATE, &[&log, &gate.path]).await;
    let change = json!({ "job_id": job, "new_settings": { "timeout_seconds": 3600 } });
    house.workspace(Method::POST, "/api/2.2/jobs/update", change).await;
    let run = run_now(&house, "2.2", &job).await;
    until(&house, &run, |run| run["state"]["life_cycle_state"] == "RUNNING").await;
    house.workspace(Method::POST, "/__control/clock", json!({ "jump_seconds": 3600 })).await;
    assert_eq!(result(&until_over(&house, &run).await), "TERMINATED TIMEDOUT");
}
