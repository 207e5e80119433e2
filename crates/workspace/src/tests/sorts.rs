//! Tasks that the server does itself, in whole runs: conditions, loops, other
//! jobs, SQL; and what they tell each other.

use std::sync::Arc;

use base::BoxFuture;
use expect_test::expect;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use super::{House, admin, story, with_parameters};
use crate::decide::Input;
use crate::record::advance;
use crate::sql::{AnswerColumn, Answered, Asked, Piece, StatementError, Statements};
use crate::view::BodyOutput;
use crate::{ApiVersion, Options, RunId, RunRequest, RunView, tables};

impl House {
    async fn submit(&self, tasks: Json) -> RunId {
        let settings = json!({ "tasks": tasks });
        self.workspace.submit(&admin(), settings, ApiVersion::V2_2).await.expect("good settings")
    }

    async fn play(&self, tasks: Json) -> RunView {
        let run = self.submit(tasks).await;
        self.until_ended(run).await
    }

    async fn logs_of(&self, view: &RunView, key: &str) -> String {
        let task = view.tasks.iter().find(|task| task.key == key).expect("a task");
        self.workspace.output(task.run).await.expect("an output").logs
    }
}

fn shell(key: &str, parameters: &[&str]) -> Json {
    json!({ "task_key": key, "spark_python_task": { "python_file": "/Shared/task.sh", "parameters": parameters } })
}

#[tokio::test]
async fn a_condition_compares_what_a_notebook_has_set() {
    let house = House::with(Options::default());
    house.script("/Shared/say.py", "import sys; print(*sys.argv[1:])").await;
    let say = |key: &str, outcome: &str, text: &str| {
        json!({
            "task_key": key, "depends_on": [{ "task_key": "if", "outcome": outcome }],
            "spark_python_task": { "python_file": "/Shared/say.py", "parameters": [text] },
        })
    };
    let tasks = json!([
        { "task_key": "score", "notebook_task": { "notebook_path": "/Shared/score" } },
        {
            "task_key": "if", "depends_on": [{ "task_key": "score" }],
            "condition_task": { "op": "GREATER_THAN", "left": "{{tasks.score.values.risk}}", "right": "0.5" },
        },
        say("act", "true", "risk {{tasks.score.values.risk}} of {{tasks.score.values.who}}, {{tasks.score.result_state}}"),
        say("rest", "false", "nothing to do"),
    ]);
    for (risk, expected) in [
        (
            "0.9",
            expect![
                "TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | score#0: TERMINATED SUCCESS | if#0: TERMINATED SUCCESS | act#0: TERMINATED SUCCESS | rest#0: SKIPPED EXCLUDED"
            ],
        ),
        (
            "0.1",
            expect![
                "TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | score#0: TERMINATED SUCCESS | if#0: TERMINATED SUCCESS | act#0: SKIPPED EXCLUDED | rest#0: TERMINATED SUCCESS"
            ],
        ),
    ] {
        let source = format!(
            "dbutils.jobs.taskValues.set(key='risk', value={risk})\ndbutils.jobs.taskValues.set('who', {{'name': 'ada'}})"
        );
        house.script("/Shared/score.py", &source).await;
        let view = house.play(tasks.clone()).await;
        expected.assert_eq(&story(&view));
        if risk == "0.9" {
            assert_eq!(house.logs_of(&view, "act").await, "risk 0.9 of {\"name\":\"ada\"}, success\n");
        }
        let resolved = house.workspace.show_run_resolved(view.run).await.expect("a run");
        assert_eq!(resolved.tasks[1].resolved, Some(json!({ "condition_task": { "left": risk, "right": "0.5" } })));
        assert_eq!(resolved.tasks[1].detail.answer, Some(risk == "0.9"));
    }
}

#[tokio::test]
async fn what_has_no_value_fails_the_task_and_says_so() {
    let house = House::new();
    house.script("/Shared/task.sh", "echo $1").await;
    for (text, expected) in [
        ("{{tasks.other.values.x}}", "\"{{tasks.other.values.x}}\" is not a value that a task before this one has set"),
        ("{{job.naem}}", "\"{{job.naem}}\" is not a value that this workspace gives out"),
        ("{{input}}", "\"{{input}}\" is only there inside of a \"for_each_task\""),
    ] {
        let view = house.play(json!([shell("main", &[text])])).await;
        let error = house.workspace.output(view.run).await.expect("an output").error.expect("an error");
        assert_eq!(error, format!("the process could not be started: {expected}"));
    }
    let tasks = json!([{ "task_key": "if", "condition_task": { "op": "LESS_THAN", "left": "many", "right": "3" } }]);
    let view = house.play(tasks).await;
    let error = house.workspace.output(view.run).await.expect("an output").error;
    assert_eq!(error.as_deref(), Some("the left side of the condition is \"many\", which is not a number"));
}

#[tokio::test]
async fn the_time_and_the_names_of_a_run_can_be_referred_to() {
    let house = House::new();
    house.script("/Shared/task.sh", "for each; do echo $each; done").await;
    let texts = [
        "{{job.start_time.iso_date}}",
        "{{job.start_time.year}}",
        "{{job.start_time.is_weekday}}",
        "{{job.trigger.type}}",
        "{{task.execution_count}}",
        "{{workspace.id}}",
    ];
    let view = house.play(json!([shell("main", &texts)])).await;
    let started = view.start.expect("it has begun").to_string();
    let lines = house.logs_of(&view, "main").await;
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], &started[..10]);
    assert_eq!((lines[1], &lines[3..]), (&started[..4], &["one_time", "1", "1"][..]));
}

#[tokio::test]
async fn a_loop_runs_its_task_once_for_each_input() {
    let house = House::new();
    house.script("/Shared/task.sh", "echo \"$@\"; [ \"$1\" != bad ]").await;
    let each = |inputs: &str, parameters: &[&str]| {
        json!([{ "task_key": "loop", "for_each_task": {
            "inputs": inputs, "concurrency": 2, "task": shell("each", parameters),
        } }])
    };
    let view = house.play(each(r#"["a", "b c", 3]"#, &["<{{input}}>"])).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | loop#0: TERMINATED SUCCESS"].assert_eq(&story(&view));
    let of_loop = house.workspace.show_run(view.tasks[0].run).await.expect("a task run");
    let mut said = Vec::new();
    for iteration in &of_loop.iterations {
        said.push(house.workspace.output(iteration.run).await.expect("an output").logs);
    }
    assert_eq!(said, ["<a>\n", "<b c>\n", "<3>\n"]);

    let view = house.play(each(r#"[{"case": "1"}, {"case": "bad"}]"#, &["{{input.case}}"])).await;
    expect!["INTERNAL_ERROR FAILED | TERMINATED RUN_EXECUTION_ERROR CLIENT_ERROR | loop#0: TERMINATED FAILED"]
        .assert_eq(&story(&view));
    let output = house.workspace.output(view.run).await.expect("an output");
    assert_eq!(output.error.as_deref(), Some("1 of 2 iterations did not succeed"));

    let view = house.play(each("{{tasks.before.values.x}}", &["x"])).await;
    let error = house.workspace.output(view.run).await.expect("an output").error.expect("an error");
    assert!(error.contains("is not a value that a task before this one has set"), "{error}");
}

#[tokio::test]
async fn a_loop_goes_on_in_the_next_server_where_it_was() {
    let mut house = House::new();
    let mut gate = house.gate("gate");
    house.script("/Shared/task.sh", "echo started $2 >> starts; echo up; read go < $1").await;
    let task = shell("each", &[&gate.to_string(), "{{input}}"]);
    let run =
        house.submit(json!([{ "task_key": "loop", "for_each_task": { "inputs": "[1, 2]", "task": task } }])).await;
    let loop_run = house.until(run, |view| view.tasks[0].state.life_cycle == "RUNNING").await.tasks[0].run;
    house.until_printed_by_iteration(loop_run, 0).await;
    house.go_down().await;
    house.come_back();
    gate.open();
    house.until_printed_by_iteration(loop_run, 1).await;
    gate.open();
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("SUCCESS"));
    let starts = house.workspace.files_folder().join("Shared/starts");
    assert_eq!(std::fs::read_to_string(starts).expect("they were started"), "started 1\nstarted 2\n");
}

impl House {
    async fn until_printed_by_iteration(&self, loop_run: RunId, number: usize) {
        let wait = async {
            loop {
                let view = self.workspace.show_run(loop_run).await.expect("a task run");
                if let Some(iteration) = view.iterations.get(number)
                    && self.workspace.output(iteration.run).await.expect("an output").logs.contains("up")
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::PATIENCE, wait).await.expect("it prints in time");
    }
}

#[tokio::test]
async fn what_the_server_does_itself_is_done_by_the_next_one_too() {
    let mut house = House::asleep(Options { python: "/bin/sh".into(), ..Options::default() });
    house.script("/Shared/task.sh", "echo $1").await;
    let run = house
        .submit(json!([
            { "task_key": "if", "condition_task": { "op": "EQUAL_TO", "left": "1", "right": "1" } },
            { "task_key": "loop", "for_each_task": { "inputs": "[1, 2]", "task": shell("each", &["{{input}}"]) } },
        ]))
        .await;
    // The server records that their turn has come, and is no more.
    let (now, grace) = (base::Clock::now(&*house.clock), house.options.stop_grace);
    let placed = house.workspace.db.write("test.place", move |tx| {
        for attempt in tables::execution(tx, run)?.attempts {
            advance(tx, run, &Input::Place(attempt.id), now, grace)?;
        }
        Ok::<_, crate::Error>(())
    });
    placed.await.expect("the intent is recorded");
    let view = house.workspace.show_run(run).await.expect("a run");
    expect!["RUNNING | RUNNING | if#0: RUNNING | loop#0: RUNNING"].assert_eq(&story(&view));
    house.wake_up();
    let view = house.until_ended(run).await;
    expect!["TERMINATED SUCCESS | TERMINATED SUCCESS SUCCESS | if#0: TERMINATED SUCCESS | loop#0: TERMINATED SUCCESS"]
        .assert_eq(&story(&view));
}

/// A job that waits at a gate, and one that runs it.
async fn job_in_job(house: &House, script: &str) -> (crate::JobId, crate::JobId) {
    house.script("/Shared/task.sh", script).await;
    let inner = json!({
        "name": "inner", "parameters": [{ "name": "case_id", "default": "none" }],
        "tasks": [shell("main", &["{{job.parameters.case_id}}", "{{job.trigger.type}}"])],
    });
    let inner = house.job_of(inner).await;
    let outer = json!({
        "name": "outer", "parameters": [{ "name": "case", "default": "1" }],
        "tasks": [{ "task_key": "other", "run_job_task": {
            "job_id": inner, "job_parameters": { "case_id": "case {{job.parameters.case}}" },
        } }],
    });
    (inner, house.job_of(outer).await)
}

async fn run_inside(house: &House, outer: RunId) -> RunId {
    let wait = async {
        loop {
            let output = house.workspace.output(outer).await.expect("an output");
            if let BodyOutput::RunJob { run: Some(run) } = output.of_body {
                return run;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, wait).await.expect("the other job is run in time")
}

#[tokio::test]
async fn a_job_runs_another_and_its_result_follows() {
    // A job that waits for another takes up no place.
    let house = House::with(Options { python: "/bin/sh".into(), tasks_at_once_max: 1, ..Options::default() });
    let (_, outer) = job_in_job(&house, "echo \"$@\"; [ \"$1\" != 'case bad' ]").await;
    let run = house.workspace.run_now(&admin(), outer, with_parameters(&[("case", "4711")])).await.expect("a run");
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("SUCCESS"));
    let inside = run_inside(&house, run).await;
    assert_eq!(house.workspace.output(inside).await.expect("an output").logs, "case 4711 run_job_task\n");

    let run = house.workspace.run_now(&admin(), outer, with_parameters(&[("case", "bad")])).await.expect("a run");
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("FAILED"));
    let error = house.workspace.output(run).await.expect("an output").error.expect("an error");
    assert!(error.ends_with("ended as FAILED"), "{error}");
}

#[tokio::test]
async fn a_job_inside_a_job_survives_a_restart_and_is_stopped_with_it() {
    let mut house = House::new();
    let gate = house.gate("gate");
    let (_, outer) = job_in_job(&house, &format!("echo up; read go < {gate}")).await;
    let run = house.run_now(outer).await;
    let inside = run_inside(&house, run).await;
    house.until_printed(inside, "up").await;
    house.go_down().await;
    house.come_back();
    assert_eq!(run_inside(&house, run).await, inside, "there is no second one");
    house.workspace.cancel(&admin(), run).await.expect("a run");
    assert_eq!(house.until_ended(run).await.state.result, Some("CANCELED"));
    assert_eq!(house.until_ended(inside).await.state.result, Some("CANCELED"));
    assert_eq!(house.workspace.runs(crate::RunsQuery::default()).await.expect("a list").items.len(), 2);
}

#[tokio::test]
async fn jobs_in_a_circle_are_refused() {
    let house = House::new();
    let (inner, outer) = job_in_job(&house, "true").await;
    let change = json!({ "tasks": [{ "task_key": "main", "run_job_task": { "job_id": outer } }] });
    house.workspace.update_job(&admin(), inner, change, vec!["tasks/main".into()]).await.expect("good settings");
    let run = house.run_now(outer).await;
    assert_eq!(house.until_ended(run).await.state.result, Some("FAILED"));
    let inside = run_inside(&house, run).await;
    let error = house.workspace.output(inside).await.expect("an output").error.expect("an error");
    let expected =
        format!("jobs cannot run inside of themselves, nor deeper than ten: {outer} runs {inner} runs {outer}");
    assert_eq!(error, expected);
}

/// Answers every statement with what it was asked.
#[derive(Default)]
struct Echo {
    asked: Mutex<Vec<String>>,
}

impl Statements for Echo {
    fn run(&self, asked: Asked) -> BoxFuture<'_, Result<Answered, StatementError>> {
        Box::pin(async move {
            if asked.statement.contains("nonsense") {
                return Err(StatementError::bad("there is no table \"nonsense\""));
            }
            let parameters: Vec<_> = asked
                .parameters
                .iter()
                .map(|one| format!("{}={}", one.name, one.value.as_deref().unwrap_or("NULL")))
                .collect();
            let said = format!("{} [{}] as {}", asked.statement, parameters.join(","), asked.actor.name);
            self.asked.lock().push(said.clone());
            let column = AnswerColumn {
                name: "said".into(),
                type_name: "STRING".into(),
                type_text: "STRING".into(),
                precision: None,
                scale: None,
            };
            let (send, pieces) = mpsc::channel(1);
            let bytes = json!([[said], [null]]).to_string().into_bytes();
            send.try_send(Ok(Piece { rows: 2, bytes, truncated: false })).expect("there is room");
            Ok(Answered { columns: vec![column], pieces, used: None })
        })
    }
}

#[tokio::test]
async fn the_statements_of_a_file_are_sent_in_order() {
    let house = House::new();
    let echo = Arc::new(Echo::default());
    house.workspace.set_statements(echo.clone());
    house.script("/Shared/a.sql", "-- first; a comment\nSELECT :day;\nINSERT INTO t VALUES (1)").await;
    let sql = |path: &str| {
        json!({ "task_key": "sql", "sql_task": {
            "warehouse_id": "local", "file": { "path": path }, "parameters": { "day": "{{job.parameters.day}}" },
        } })
    };
    let job = house
        .job_of(json!({ "parameters": [{ "name": "day", "default": "mon" }], "tasks": [sql("/Shared/a.sql")] }))
        .await;
    let request = RunRequest {
        overriding: crate::Overriding { sql_params: [("extra".into(), "1".into())].into(), ..Default::default() },
        ..RunRequest::default()
    };
    let run = house.workspace.run_now(&admin(), job, request).await.expect("a run");
    let view = house.until_ended(run).await;
    assert_eq!(view.state.result, Some("SUCCESS"), "{:?}", house.workspace.output(run).await);
    expect![[r#"
        [
            "-- first; a comment\nSELECT :day [day=mon,extra=1] as ada",
            "INSERT INTO t VALUES (1) [day=mon,extra=1] as ada",
        ]
    "#]]
    .assert_debug_eq(&*echo.asked.lock());
    let BodyOutput::Sql { text, warehouse, lookup_keys } =
        house.workspace.output(run).await.expect("an output").of_body
    else {
        panic!("it is the output of SQL");
    };
    assert!(text.contains("SELECT :day"), "{text}");
    assert_eq!((warehouse.as_str(), lookup_keys.len()), ("local", 2));
    let printed = house.workspace.logs(view.tasks[0].run, crate::LogPlace::default()).await.expect("a log").output;
    assert!(printed.starts_with("said\n-- first") && printed.ends_with("as ada\nNULL\n"), "{printed}");

    house.script("/Shared/a.sql", "SELECT 1;\nSELECT * FROM nonsense;\nSELECT 3").await;
    let run = house.run_now(job).await;
    house.until_ended(run).await;
    let error = house.workspace.output(run).await.expect("an output").error;
    assert_eq!(error.as_deref(), Some("statement 2: there is no table \"nonsense\""));
    assert_eq!(echo.asked.lock().len(), 3, "nothing is sent behind a failure");
}

#[tokio::test]
async fn a_saved_query_is_sent_with_its_own_values() {
    let house = House::new();
    let echo = Arc::new(Echo::default());
    house.workspace.set_statements(echo.clone());
    let query = json!({ "query_text": "SELECT :day, :n", "parameters": [
        { "name": "day", "text_value": { "value": "mon" } }, { "name": "n", "numeric_value": { "value": 3 } },
    ] });
    let query = query.as_object().expect("fields").clone();
    let query = house.workspace.create_query(&admin(), query).await.expect("a query");
    let task = |id: &str| {
        json!([{ "task_key": "sql", "sql_task": {
        "warehouse_id": "local", "query": { "query_id": id }, "parameters": { "day": "tue" },
    } }])
    };
    assert_eq!(house.play(task(&query.id)).await.state.result, Some("SUCCESS"));
    assert_eq!(*echo.asked.lock(), ["SELECT :day, :n [day=tue,n=3] as ada"]);
    assert_eq!(house.play(task("none")).await.state.result, Some("FAILED"));
}
