//! What is kept of runs, where, and for how long.

use super::*;

/// Answers each request with a long text.
struct Talker(usize);

impl Http for Talker {
    fn send(
        &self,
        _request: base::http::Request,
    ) -> base::BoxFuture<'_, Result<base::http::Response, base::http::HttpError>> {
        let text = "x".repeat(self.0);
        Box::pin(async move { Ok(base::testing::reply(200, &text)) })
    }
}

async fn number(house: &House, sql: &'static str) -> u64 {
    let read = house.db.read("test.number", move |tx| tx.query_one(sql, base::args![])?.expect("a row").get(0));
    read.await.expect("a number")
}

#[tokio::test]
async fn what_arrives_at_an_idle_flow_starts_at_the_door() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "pay", POST_ONCE).await;
        let stop = CancellationToken::new();
        let engine = tokio::spawn(flows.clone().run(stop.clone()));
        // The first one may come before the loop is there.
        for n in 1..=3 {
            http.push(200, "ok");
            let key = n.to_string();
            assert_eq!(flows.accept("flow.pay", &key, json!({"n": n})).await.expect("room"), Accepted::Stored);
            assert_eq!(flows.accept("flow.pay", &key, json!({"n": n})).await.expect("room"), Accepted::Known);
            while flows.counts().await.expect("counts").succeeded < n {
                tokio::task::yield_now().await;
            }
        }
        stop.cancel();
        engine.await.expect("the engine ends");
        let sent: Vec<_> = http.requests().iter().map(|request| request.body.clone()).collect();
        assert_eq!(sent, ["1", "2", "3"]);
        for run in flows.runs("pay", 10).await.expect("runs") {
            let run = flows.run_details(run.id).await.expect("a run");
            let told: Vec<_> = run.operations.iter().map(|each| (each.module, each.status_code)).collect();
            assert_eq!((told, run.note), (vec![(1, None), (2, Some(200))], None));
        }
    }
}

#[tokio::test]
async fn a_run_without_an_effect_begins_and_ends_in_one_transaction() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: doubled, value: "{{1.n * 2}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "double", flow).await;
        let (_open, mut arriving) = flows.door.open();
        assert_eq!(flows.accept("flow.double", "1", json!({"n": 21})).await.expect("room"), Accepted::Stored);
        assert!(arriving.try_recv().is_err(), "there is nothing left to do");
        let run = only_run(&flows, "double").await;
        assert_eq!(run.info.outcome, Some(Outcome::Success));
        assert_eq!(run.operations[1].output, [json!({"doubled": 42})]);
    }
}

#[tokio::test]
async fn nothing_overtakes_what_waits_on_a_hook() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "pay", POST_ONCE).await;
        flows.accept("flow.pay", "1", json!({"n": 1})).await.expect("room");
        {
            let (_open, mut arriving) = flows.door.open();
            flows.accept("flow.pay", "2", json!({"n": 2})).await.expect("room");
            assert!(arriving.try_recv().is_err());
        }
        http.push(200, "ok");
        http.push(200, "ok");
        flows.run_until_idle().await;
        assert_eq!(flows.counts().await.expect("counts").succeeded, 2);
    }
}

#[tokio::test]
async fn a_long_value_is_kept_once_and_beside() {
    let flow = r#"
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x.example/a" } }
  - { id: 2, module: "util:FunctionSleep", mapper: { duration: 60 } }
  - { id: 3, module: "util:SetVariable2", mapper: { name: letters, value: "{{length(1.data)}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(Talker(100_000)), 1);
        flows.put(&ann(), "long", flow).await.expect("a flow");
        let mut runs = Vec::new();
        for _ in 0..2 {
            runs.push(flows.run_once(&ann(), "long", json!({"text": "y".repeat(50_000)})).await.expect("a run"));
        }
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_mins(1));
        // Another engine, so that the machine is built from what is stored.
        let flows = house.engine(Arc::new(Talker(1)), 2);
        flows.run_until_idle().await;
        for run in runs {
            let run = flows.run_details(run).await.expect("a run");
            assert_eq!(run.operations[2].output, [json!({"letters": 100_000})]);
            assert_eq!(run.input[0]["text"].as_str().map(str::len), Some(50_000));
        }
        assert_eq!(number(&house, "SELECT COUNT(*) FROM long_values").await, 2, "each value once");
        let longest = "SELECT MAX(LENGTH(result)) FROM journal";
        assert!(number(&house, longest).await < 1_000);
    }
}

#[tokio::test]
async fn of_a_confidential_run_the_way_is_kept_and_not_the_bundles() {
    let flow = r#"
metadata: { scenario: { confidential: true } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/{{1.name}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        http.push(200, "the diagnosis");
        let flows = house.engine(http, 1);
        publish(&flows, "quiet", flow).await;
        flows.accept("flow.quiet", "1", json!({"name": "Meier"})).await.expect("room");
        flows.run_until_idle().await;
        let run = only_run(&flows, "quiet").await;
        let told: Vec<_> = run.operations.iter().map(|each| (each.module, each.status_code)).collect();
        assert_eq!(told, [(1, None), (2, Some(200))]);
        let kept = "SELECT COUNT(*) FROM runs WHERE input LIKE '%Meier%'";
        assert_eq!(number(&house, kept).await, 0);
        assert_eq!(number(&house, "SELECT COUNT(*) FROM journal").await, 0);
        assert!(!serde_json::to_string(&run).expect("JSON").contains("Meier"));
    }
}

#[tokio::test]
async fn a_run_that_kills_the_program_is_parked_and_others_are_not_blamed() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let get = POST_ONCE.replace("method: post", "method: get");
        publish(&flows, "pay", &get).await;
        flows.accept("flow.pay", "1", json!({"n": 7})).await.expect("room");
        // Whoever only waits for an answer is never blamed for a death.
        for _ in 0..5 {
            die_in_flight(&house, Arc::new(Silence(ScriptedHttp::default()))).await;
        }
        assert_eq!(number(&house, "SELECT deaths FROM runs").await, 4);
        // As after a death in the midst of a step.
        let mark = "UPDATE runs SET deaths = 3003";
        house.db.write("test.mark", move |tx| tx.execute(mark, base::args![])).await.expect("a mark");
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 3);
        flows.run_until_idle().await;
        let run = only_run(&flows, "pay").await;
        assert_eq!(run.info.state, RunState::Parked);
        let reason = run.info.reason.expect("a reason");
        assert!(reason.starts_with("the program died several times while it worked on this run"), "{reason}");

        http.push(200, "ok");
        flows.decide(&ann(), run.info.id, Decision::Repeat).await.expect("a decision");
        flows.run_until_idle().await;
        assert_eq!(only_run(&flows, "pay").await.info.outcome, Some(Outcome::Success));
    }
}
