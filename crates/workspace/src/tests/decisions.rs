//! What follows from what, without a process or a row.

use std::time::Duration;

use base::Timestamp;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::decide::{Admission, Effect, Ending, Execution, How, Input, admit, decide, due, first_attempts};
use crate::run::{Overriding, Run, RunCause, RunState, RunType, TaskRun, TaskState};
use crate::{ApiVersion, JobSettings, RunId};

const GRACE: Duration = Duration::from_secs(10);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn execution(document: Json) -> Execution {
    let settings = JobSettings::read(document, ApiVersion::V2_1).expect("good settings");
    let run = Run {
        id: RunId(1),
        job: None,
        kind: RunType::SubmitRun,
        name: "run".into(),
        creator: "ada".into(),
        run_as: None,
        launched_by: None,
        cause: RunCause::OneTime,
        warned_at: None,
        settings,
        overriding: Overriding::default(),
        state: RunState::Active,
        message: String::new(),
        created_at: at(0),
        started_at: Some(at(0)),
        ended_at: None,
    };
    let mut number = 9;
    let attempts = first_attempts(&run, || {
        number += 1;
        RunId(number)
    });
    decide(Execution { run, attempts }, &Input::Look, at(0), GRACE).0
}

/// Tasks `key` or `key: upstream …, run_if`, each a line.
fn tasks(lines: &[&str]) -> Json {
    let task = |line: &&str| {
        let (key, rest) = line.split_once(": ").unwrap_or((line, ""));
        let (upstream, run_if) = rest.split_once(", ").unwrap_or((rest, "ALL_SUCCESS"));
        let depends_on: Vec<Json> = upstream.split_whitespace().map(|key| json!({ "task_key": key })).collect();
        json!({
            "task_key": key, "depends_on": depends_on, "run_if": run_if,
            "spark_python_task": { "python_file": "/x" },
        })
    };
    json!({ "tasks": lines.iter().map(task).collect::<Vec<_>>() })
}

fn ending(how: How) -> Ending {
    Ending::plain(how)
}

/// Runs all that is pending; `exits` gives the exit code of a task, 0 if it is not named.
fn play(mut execution: Execution, exits: &[(&str, i32)]) -> Execution {
    while let Some(attempt) = execution.attempts.iter().find(|attempt| attempt.state == TaskState::Pending).cloned() {
        let code = exits.iter().find(|(key, _)| *key == attempt.task_key).map_or(0, |(_, code)| *code);
        let (placed, _) = decide(execution, &Input::Place(attempt.id), at(1), GRACE);
        let ended =
            Input::Ended { attempt: attempt.id, ending: ending(How::Exited(code)), next: RunId(attempt.id.0 + 100) };
        execution = decide(placed, &ended, at(2), GRACE).0;
    }
    execution
}

fn told(execution: &Execution) -> String {
    let state = |state: TaskState| match state {
        TaskState::Ended { result, .. } => result.as_str().to_owned(),
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
    };
    let of_run = match execution.run.state {
        RunState::Ended(result) => result.as_str().to_owned(),
        other => format!("{other:?}"),
    };
    let tasks: Vec<String> =
        execution.attempts.iter().map(|attempt| format!("{} {}", attempt.task_key, state(attempt.state))).collect();
    format!("{of_run}: {}", tasks.join(", "))
}

fn check(lines: &[&str], exits: &[(&str, i32)], expected: Expect) {
    expected.assert_eq(&told(&play(execution(tasks(lines)), exits)));
}

#[test]
fn run_if_decides_who_runs_after_whom() {
    check(&["a", "b: a", "c: b"], &[], expect!["SUCCESS: a SUCCESS, b SUCCESS, c SUCCESS"]);
    check(&["a", "b: a", "c: b"], &[("a", 1)], expect!["FAILED: a FAILED, b UPSTREAM_FAILED, c UPSTREAM_FAILED"]);
    check(&["a", "b: a, ALL_DONE"], &[("a", 1)], expect!["SUCCESS_WITH_FAILURES: a FAILED, b SUCCESS"]);
    check(&["a", "b: a, ALL_FAILED"], &[], expect!["SUCCESS: a SUCCESS, b EXCLUDED"]);
    check(&["a", "b: a, AT_LEAST_ONE_FAILED"], &[("a", 1)], expect!["SUCCESS_WITH_FAILURES: a FAILED, b SUCCESS"]);
    check(
        &["a", "b", "c: a b, AT_LEAST_ONE_SUCCESS"],
        &[("a", 1)],
        expect!["SUCCESS_WITH_FAILURES: a FAILED, b SUCCESS, c SUCCESS"],
    );
    check(&["a", "b", "c: a b, NONE_FAILED"], &[("a", 1)], expect!["FAILED: a FAILED, b SUCCESS, c UPSTREAM_FAILED"]);
    check(&["a", "b: a, ALL_FAILED", "c: b"], &[], expect!["SUCCESS: a SUCCESS, b EXCLUDED, c EXCLUDED"]);
}

#[test]
fn a_disabled_task_is_passed_over() {
    let mut document = tasks(&["a", "b: a"]);
    document["tasks"][0]["disabled"] = json!(true);
    expect!["SUCCESS: a DISABLED, b SUCCESS"].assert_eq(&told(&play(execution(document), &[])));
}

#[test]
fn a_cancel_ends_what_waits_and_stops_what_runs() {
    let started = execution(tasks(&["a", "b: a"]));
    let (running, _) = decide(started, &Input::Place(RunId(10)), at(1), GRACE);
    let (stopping, effects) = decide(running, &Input::Cancel, at(2), GRACE);
    assert_eq!(effects, [Effect::Stop(RunId(10))]);
    expect!["Stopping(Canceled): a Stopping, b CANCELED"].assert_eq(&told(&stopping));
    assert_eq!(due(&stopping), Some(at(12)));
    let (again, effects) = decide(stopping.clone(), &Input::Cancel, at(3), GRACE);
    assert_eq!((again, effects), (stopping.clone(), vec![]));
    let (killed, effects) = decide(stopping, &Input::Look, at(12), GRACE);
    assert_eq!((effects, due(&killed)), (vec![Effect::Kill(RunId(10))], Some(at(22))));
    let gone = Input::Ended { attempt: RunId(10), ending: ending(How::Signaled(9)), next: RunId(110) };
    expect!["CANCELED: a CANCELED, b CANCELED"].assert_eq(&told(&decide(killed, &gone, at(13), GRACE).0));
}

#[test]
fn a_timeout_is_tried_again_only_on_request() {
    for (retry_on_timeout, expected) in
        [(false, expect!["TIMEDOUT: a TIMEDOUT"]), (true, expect!["Active: a TIMEDOUT, a WaitingForRetry"])]
    {
        let mut document = tasks(&["a"]);
        let task = &mut document["tasks"][0];
        (task["timeout_seconds"], task["max_retries"]) = (json!(5), json!(1));
        (task["retry_on_timeout"], task["min_retry_interval_millis"]) = (json!(retry_on_timeout), json!(1_000));
        let (running, _) = decide(execution(document), &Input::Place(RunId(10)), at(1), GRACE);
        assert_eq!(due(&running), Some(at(6)));
        let (stopping, effects) = decide(running, &Input::Look, at(6), GRACE);
        assert_eq!(effects, [Effect::Stop(RunId(10))]);
        let ended = Input::Ended { attempt: RunId(10), ending: ending(How::Exited(0)), next: RunId(110) };
        expected.assert_eq(&told(&decide(stopping, &ended, at(7), GRACE).0));
    }
}

#[test]
fn an_attempt_that_an_adopted_supervisor_timed_has_its_own_end() {
    let (running, _) = decide(execution(tasks(&["a"])), &Input::Place(RunId(10)), at(1), GRACE);
    let ran = Some(Duration::from_secs(2));
    let ended = Input::Ended { attempt: RunId(10), ending: Ending { ran, ..ending(How::Exited(0)) }, next: RunId(110) };
    let (ended, _) = decide(running, &ended, at(900), GRACE);
    assert!(matches!(ended.attempts[0].state, TaskState::Ended { at: end, .. } if end == at(3)));
    assert_eq!(ended.run.ended_at, Some(at(900)));
}

fn condition(key: &str) -> Json {
    json!({ "task_key": key, "condition_task": { "op": "EQUAL_TO", "left": "1", "right": "1" } })
}

#[test]
fn a_condition_lets_one_arm_go_and_passes_over_the_other_to_its_end() {
    let arm = |key: &str, upstream: Json| json!({ "task_key": key, "depends_on": [upstream], "spark_python_task": { "python_file": "/x" } });
    let mut join = arm("join", json!({ "task_key": "yes" }));
    join["depends_on"] = json!([{ "task_key": "yes" }, { "task_key": "no after" }]);
    let document = json!({ "tasks": [
        condition("if"),
        arm("yes", json!({ "task_key": "if", "outcome": "true" })),
        arm("no", json!({ "task_key": "if", "outcome": "false" })),
        arm("no after", json!({ "task_key": "no" })),
        join,
    ] });
    for (answer, expected) in [
        (true, expect!["SUCCESS: if SUCCESS, yes SUCCESS, no EXCLUDED, no after EXCLUDED, join SUCCESS"]),
        (false, expect!["SUCCESS: if SUCCESS, yes EXCLUDED, no SUCCESS, no after SUCCESS, join SUCCESS"]),
    ] {
        let (placed, _) = decide(execution(document.clone()), &Input::Place(RunId(10)), at(1), GRACE);
        let ended = Input::Ended { attempt: RunId(10), ending: ending(How::Done(Some(answer))), next: RunId(110) };
        expected.assert_eq(&told(&play(decide(placed, &ended, at(1), GRACE).0, &[])));
    }
    let refused =
        Input::Ended { attempt: RunId(10), ending: ending(How::Refused("no number".into())), next: RunId(110) };
    let (placed, _) = decide(execution(document), &Input::Place(RunId(10)), at(1), GRACE);
    let (failed, _) = decide(placed, &refused, at(1), GRACE);
    assert_eq!(failed.attempts[0].error.as_deref(), Some("no number"));
    expect![
        "FAILED: if FAILED, yes UPSTREAM_FAILED, no UPSTREAM_FAILED, no after UPSTREAM_FAILED, join UPSTREAM_FAILED"
    ]
    .assert_eq(&told(&failed));
}

/// A loop over `count` inputs whose task may be tried again `retries` times,
/// just opened, and a task behind it.
fn opened_loop(count: i64, concurrency: u32, retries: i64) -> Execution {
    let nested = json!({ "task_key": "each", "max_retries": retries, "spark_python_task": { "python_file": "/x" } });
    let document = json!({ "tasks": [
        { "task_key": "loop", "for_each_task": { "inputs": "[]", "concurrency": concurrency, "task": nested } },
        { "task_key": "after", "depends_on": [{ "task_key": "loop" }], "spark_python_task": { "python_file": "/x" } },
    ] });
    let (placed, _) = decide(execution(document), &Input::Place(RunId(10)), at(1), GRACE);
    let iterations = (0..count).map(|number| (RunId(50 + number), json!(number))).collect();
    let opened = Input::Opened { attempt: RunId(10), iterations, next: RunId(90) };
    decide(placed, &opened, at(1), GRACE).0
}

fn end_attempt(execution: Execution, id: i64, code: i32) -> Execution {
    let (placed, _) = decide(execution, &Input::Place(RunId(id)), at(1), GRACE);
    let ended = Input::Ended { attempt: RunId(id), ending: ending(How::Exited(code)), next: RunId(id + 100) };
    decide(placed, &ended, at(2), GRACE).0
}

#[test]
fn iterations_go_as_there_is_room_and_end_their_task() {
    let opened = opened_loop(3, 2, 0);
    expect!["Active: loop Running, each Pending, each Pending, each Blocked, after Blocked"].assert_eq(&told(&opened));
    let one = end_attempt(opened, 50, 0);
    expect!["Active: loop Running, each SUCCESS, each Pending, each Pending, after Blocked"].assert_eq(&told(&one));
    let two = end_attempt(one.clone(), 51, 0);
    let all = end_attempt(two.clone(), 52, 0);
    expect!["Active: loop SUCCESS, each SUCCESS, each SUCCESS, each SUCCESS, after Pending"].assert_eq(&told(&all));
    let failed = end_attempt(two, 52, 1);
    expect!["FAILED: loop FAILED, each SUCCESS, each SUCCESS, each FAILED, after UPSTREAM_FAILED"]
        .assert_eq(&told(&failed));
    assert_eq!(failed.attempts[0].error.as_deref(), Some("1 of 3 iterations did not succeed"));
    expect!["Active: loop SUCCESS, after Pending"].assert_eq(&told(&opened_loop(0, 1, 0)));
}

#[test]
fn an_iteration_is_tried_again_on_its_own() {
    let failed = end_attempt(opened_loop(2, 1, 1), 50, 1);
    expect!["Active: loop Running, each FAILED, each Pending, each Blocked, after Blocked"].assert_eq(&told(&failed));
    let (again, _) = decide(failed, &Input::Look, at(3), GRACE);
    assert_eq!(again.attempts[2].detail.input, Some(json!(0)), "with the same input");
    let over = end_attempt(end_attempt(again, 150, 0), 51, 0);
    expect!["Active: loop SUCCESS, each FAILED, each SUCCESS, each SUCCESS, after Pending"].assert_eq(&told(&over));
}

#[test]
fn a_cancel_goes_through_to_the_iterations() {
    let (running, _) = decide(opened_loop(3, 1, 0), &Input::Place(RunId(50)), at(1), GRACE);
    let (stopping, effects) = decide(running, &Input::Cancel, at(2), GRACE);
    assert_eq!(effects, [Effect::Stop(RunId(10)), Effect::Stop(RunId(50))]);
    expect!["Stopping(Canceled): loop Stopping, each Stopping, each CANCELED, each CANCELED, after CANCELED"]
        .assert_eq(&told(&stopping));
    let gone = Input::Ended { attempt: RunId(50), ending: ending(How::Signaled(15)), next: RunId(110) };
    expect!["CANCELED: loop CANCELED, each CANCELED, each CANCELED, each CANCELED, after CANCELED"]
        .assert_eq(&told(&decide(stopping, &gone, at(3), GRACE).0));
}

#[test]
fn places_decide_whether_a_run_starts() {
    let check = |most: u32, queue: bool, asked: Option<bool>, active: u64, expected: Admission| {
        let document = json!({ "max_concurrent_runs": most, "queue": { "enabled": queue } });
        let settings = JobSettings::read(document, ApiVersion::V2_1).expect("good settings");
        assert_eq!(admit(&settings, asked, active), expected, "{most} {queue} {asked:?} {active}");
    };
    check(1, false, None, 0, Admission::Start);
    check(1, false, None, 1, Admission::Skip);
    check(1, true, None, 1, Admission::Queue);
    check(1, false, Some(true), 1, Admission::Queue);
    check(1, true, Some(false), 1, Admission::Skip);
    check(0, true, None, 0, Admission::Skip);
}

#[derive(Clone, Debug)]
enum Move {
    Wait(i64),
    Place(usize),
    End(usize, i32),
    Open(usize, usize),
    Cancel,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (0..8i64).prop_map(Move::Wait),
        6 => (0..8usize).prop_map(Move::Place),
        6 => (0..8usize, 0..2i32).prop_map(|(index, code)| Move::End(index, code)),
        3 => (0..8usize, 0..4usize).prop_map(|(index, count)| Move::Open(index, count)),
        1 => Just(Move::Cancel),
    ];
    proptest::collection::vec(one, 0..60)
}

proptest! {
    /// Whatever happens in whatever order: a task has one open attempt at
    /// most, what has ended stays so, and a run that has no open attempt is over.
    #[test]
    fn a_run_keeps_its_promises(moves in moves(), retries in 0..3i64, limit in 0..6u64) {
        let mut document = tasks(&["a", "b: a", "c: a, ALL_DONE", "d: b c, AT_LEAST_ONE_FAILED"]);
        document["timeout_seconds"] = json!(30);
        let nested = json!({ "task_key": "each", "max_retries": retries, "spark_python_task": { "python_file": "/x" } });
        let each = json!({ "task_key": "e", "for_each_task": { "inputs": "[]", "concurrency": 2, "task": nested } });
        document["tasks"].as_array_mut().expect("tasks").push(each);
        for task in document["tasks"].as_array_mut().expect("tasks") {
            (task["max_retries"], task["timeout_seconds"]) = (json!(retries), json!(limit));
            task["retry_on_timeout"] = json!(true);
        }
        let mut execution = execution(document);
        let (mut now, mut next) = (0, 1_000);
        for step in moves {
            let of = |index: usize| execution.attempts[index % execution.attempts.len()].id;
            next += 1;
            let input = match step {
                Move::Wait(seconds) => { now += seconds; Input::Look }
                Move::Place(index) => Input::Place(of(index)),
                Move::End(index, code) => Input::Ended { attempt: of(index), ending: ending(How::Exited(code)), next: RunId(next) },
                Move::Open(index, count) => {
                    next += 10;
                    let iterations = (0..count).map(|one| (RunId(next - 1 - one as i64), json!(one))).collect();
                    Input::Opened { attempt: of(index), iterations, next: RunId(next) }
                }
                Move::Cancel => Input::Cancel,
            };
            let before = execution.clone();
            let (after, effects) = decide(execution, &input, at(now), GRACE);
            for attempt in before.attempts.iter().filter(|attempt| attempt.state.result().is_some()) {
                prop_assert!(after.attempts.contains(attempt), "what has ended stays as it is");
            }
            if !before.run.state.is_open() {
                prop_assert_eq!((&after, effects.len()), (&before, 0), "nothing happens after the end");
            }
            for parent in after.attempts.iter().filter(|attempt| attempt.detail.iterations.is_some()) {
                let of_parent = |attempt: &&TaskRun| attempt.parent == Some(parent.id) && attempt.state.result().is_none();
                let open: Vec<&TaskRun> = after.attempts.iter().filter(of_parent).collect();
                prop_assert!(open.iter().filter(|one| one.state != TaskState::Blocked).count() <= 2, "no more than there is room");
                prop_assert_eq!(parent.state.result().is_none(), !open.is_empty(), "it ends with its last iteration");
            }
            for key in ["a", "b", "c", "d", "e"] {
                let open = after.attempts.iter().filter(|attempt| attempt.task_key == key && attempt.state.result().is_none());
                prop_assert!(open.count() <= 1);
            }
            let is_open = after.attempts.iter().any(|attempt| attempt.state.result().is_none());
            prop_assert_eq!(is_open, after.run.state.is_open());
            prop_assert!(due(&after).is_none_or(|due| due > at(now)), "what is due is done");
            execution = after;
        }
    }
}
