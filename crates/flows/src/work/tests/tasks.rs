//! Questions to people.

use super::*;
use crate::Answerer;
use crate::task::{TaskDecision, TaskInfo, TaskState};

const ASK: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: loopwright:WaitForApproval
    mapper: { title: "Expedite {{1.case}}?", text: "It is late.", fields: { case: "{{1.case}}" }, hours: 24, otherwise: reject }
"#;

const SEND_LINK: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "loopwright:CreateTask", mapper: { title: "Pay?" } }
  - { id: 3, module: "util:FunctionSleep", mapper: { duration: 60 } }
  - { id: 4, module: "loopwright:WaitForApproval", mapper: { task: "{{2.id}}" } }
"#;

async fn begun(house: &House, key: &str, text: &str) -> (Arc<Flows>, TaskInfo) {
    let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
    flows.set_address("https://lw.example/");
    flows.put(&ann(), key, text).await.expect("a flow");
    flows.run_once(&ann(), key, json!({"case": 17})).await.expect("a run");
    flows.run_until_idle().await;
    let mut tasks = flows.tasks(true, 10).await.expect("tasks");
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    (flows, tasks.remove(0))
}

async fn link(flows: &Flows, task: &TaskInfo, name: &str) -> Answerer {
    let link = flows.task(task.id).await.expect("a task").link;
    let token = link.expose().strip_prefix("https://lw.example/tasks/").expect("our address");
    assert_eq!(flows.task_at(token).await.expect("it leads to the task").id, task.id);
    Answerer::Link { token: Secret::new(token), name: name.into() }
}

async fn answered(flows: &Arc<Flows>, task: &TaskInfo) -> Json {
    flows.run_until_idle().await;
    let run = flows.run_details(task.run).await.expect("a run");
    assert_eq!(run.info.state, RunState::Ended, "{run:?}");
    run.operations.last().expect("operations").output[0].clone()
}

#[tokio::test]
async fn a_run_sleeps_until_somebody_answers_and_survives_restarts() {
    for (_engine, _guard, house) in houses() {
        let (flows, task) = begun(&house, "ask", ASK).await;
        assert_eq!((task.title.as_str(), task.fields[0].value.as_str()), ("Expedite 17?", "17"));
        assert!(flows.run_details(task.run).await.expect("a run").info.wakes_at.is_some());
        let by = link(&flows, &task, "Bob").await;
        drop(flows);
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 2);
        flows.set_address("https://lw.example");
        // It looks by itself now and then, and finds nothing.
        house.clock.advance(Duration::from_hours(2));
        flows.run_until_idle().await;
        assert_eq!(flows.tasks(true, 10).await.expect("tasks").len(), 1, "there is still one");

        flows.answer_task(None, by.clone(), TaskDecision::Approved, " go ahead ").await.expect("an answer");
        let bundle = answered(&flows, &task).await;
        assert_eq!(
            bundle,
            json!({"decision": "approved", "approved": true, "comment": "go ahead", "by": "Bob",
                   "at": "2026-01-01T02:00:00.000Z", "task": task.id.to_string()})
        );
        let again = flows.answer_task(None, by, TaskDecision::Rejected, "").await.expect_err("only once");
        assert_eq!(
            again.to_string(),
            format!("task \"{}\" cannot be answered any more: it was approved by Bob", task.id)
        );
        let wrong = Answerer::Link { token: Secret::new("guessed"), name: String::new() };
        assert!(flows.answer_task(None, wrong, TaskDecision::Approved, "").await.is_err());
    }
}

#[tokio::test]
async fn a_deadline_answers_in_place_of_people() {
    for (word, decision) in [("reject", "rejected"), ("approve", "approved"), ("continue", "expired")] {
        for (_engine, _guard, house) in houses() {
            let (flows, task) = begun(&house, "ask", &ASK.replace("reject", word)).await;
            let by = link(&flows, &task, "").await;
            house.clock.advance(Duration::from_hours(24));
            let late = flows.answer_task(None, by, TaskDecision::Approved, "").await.expect_err("too late");
            assert!(late.to_string().ends_with("its time is over"), "{late}");
            let bundle = answered(&flows, &task).await;
            assert_eq!((&bundle["decision"], &bundle["by"]), (&json!(decision), &json!("deadline")));
        }
    }
    for (_engine, _guard, house) in houses() {
        let (flows, task) = begun(&house, "ask", &ASK.replace("reject", "fail")).await;
        house.clock.advance(Duration::from_hours(25));
        flows.run_until_idle().await;
        let reason = flows.run_details(task.run).await.expect("a run").info.reason.unwrap_or_default();
        assert!(reason.ends_with("RuntimeError: nobody answered \"Expedite 17?\" in time"), "{reason}");
    }
}

#[tokio::test]
async fn what_ends_a_run_withdraws_its_task() {
    for (_engine, _guard, house) in houses() {
        let (flows, task) = begun(&house, "ask", ASK).await;
        let by = link(&flows, &task, "").await;
        flows.cancel(&ann(), task.run).await.expect("it is cancelled");
        assert!(flows.tasks(true, 10).await.expect("tasks").is_empty());
        assert_eq!(flows.task(task.id).await.expect("a task").info.state, TaskState::Withdrawn);
        let gone = flows.answer_task(None, by, TaskDecision::Approved, "").await.expect_err("it is withdrawn");
        assert!(gone.to_string().ends_with("its run has ended"), "{gone}");
    }
}

#[tokio::test]
async fn a_task_can_be_sent_before_it_is_waited_for_and_answered_before() {
    for (_engine, _guard, house) in houses() {
        let (flows, task) = begun(&house, "pay", SEND_LINK).await;
        let by = link(&flows, &task, "").await;
        // The run sleeps meanwhile, and an answer does not shorten that.
        let wakes_at = flows.run_details(task.run).await.expect("a run").info.wakes_at;
        flows.answer_task(None, by, TaskDecision::Rejected, "").await.expect("an answer");
        flows.run_until_idle().await;
        assert_eq!(flows.run_details(task.run).await.expect("a run").info.wakes_at, wakes_at);
        house.clock.advance(Duration::from_mins(1));
        let bundle = answered(&flows, &task).await;
        assert_eq!((&bundle["decision"], &bundle["by"]), (&json!("rejected"), &json!("link")));
    }
}

#[tokio::test]
async fn a_question_that_is_asked_again_is_one_task() {
    for (_engine, _guard, house) in houses() {
        let (flows, task) = begun(&house, "ask", ASK).await;
        for seed in 2..5 {
            drop(house.engine(Arc::new(ScriptedHttp::default()), seed));
            house.clock.advance(Duration::from_hours(2));
            flows.run_until_idle().await;
        }
        assert_eq!(flows.tasks(false, 10).await.expect("tasks").len(), 1);
        flows.answer_task(Some(task.id), Answerer::Known(ann()), TaskDecision::Approved, "").await.expect("an answer");
        assert_eq!(answered(&flows, &task).await["approved"], true);
    }
}
