//! Finding runs, ending them, forgetting them.

use base::Clock as _;

use super::*;
use crate::{RunFilter, Standing};

const NAP: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 5
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - { id: 2, module: "http:ActionSendData", filter: { conditions: [[{ a: "{{1.url}}", o: exist }]] }, mapper: { url: "{{1.url}}", parseResponse: true } }
      - flow:
          - { id: 3, module: "util:FunctionSleep", filter: { conditions: [[{ a: "{{1.nap}}", o: exist }]] }, mapper: { duration: 86400 } }
      - flow:
          - { id: 4, module: "loopwright:Fail", filter: { conditions: [[{ a: "{{1.fails}}", o: exist }]] }, mapper: { message: "{{1.fails}}" } }
"#;

/// The names of the runs that a filter finds, by pages of two.
async fn found(flows: &Flows, filter: RunFilter) -> String {
    let (mut names, mut before) = (Vec::new(), None);
    loop {
        let page = flows.find_runs(filter.clone(), before, 2).await.expect("runs");
        for run in page.runs {
            let details = flows.run_details(run.id).await.expect("a run");
            names.push(details.input[0]["name"].as_str().unwrap_or("?").to_owned());
        }
        match page.next {
            None => return names.join(" "),
            next => before = next,
        }
    }
}

#[tokio::test]
async fn runs_are_found_by_how_they_stand_when_they_began_and_what_went_through() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        flows.put(&ann(), "nap", NAP).await.expect("a draft");
        flows.put(&ann(), "other", NAP).await.expect("a draft");
        let begun = house.clock.now();
        for (flow, input) in [
            ("nap", json!({"name": "one", "order": "Ünder \"Quotes\""})),
            ("nap", json!({"name": "two", "url": "https://x.example/", "nap": 1})),
            ("other", json!({"name": "three", "fails": "no vendor 50% off"})),
            ("nap", json!({"name": "four", "nap": 1})),
        ] {
            http.push(200, r#"{"answer": "Sentinel"}"#);
            flows.run_once(&ann(), flow, input).await.expect("a run");
            flows.run_until_idle().await;
            house.clock.advance(Duration::from_mins(1));
        }
        let filter = |standings: &[Standing], text: &str| RunFilter {
            standings: standings.to_vec(),
            text: Some(text.to_owned()).filter(|text| !text.is_empty()),
            ..RunFilter::default()
        };
        for (standings, text, expected) in [
            (&[][..], "", "four three two one"),
            (&[Standing::Sleeping], "", "four two"),
            (&[Standing::Success, Standing::Error], "", "three one"),
            (&[Standing::Running, Standing::Held, Standing::Warning, Standing::Cancelled], "", ""),
            (&[], "ünder \"quotes\"", "one"),
            (&[], "NO VENDOR", "three"),
            (&[], "50% o", "three"),
            (&[], "50_ o", ""),
            (&[], "sentinel", "two"),
            (&[Standing::Error], "sentinel", ""),
        ] {
            assert_eq!(found(&flows, filter(standings, text)).await, expected, "{standings:?} {text}");
        }
        let since = |minutes: u64| Some(begun.plus(Duration::from_secs(60 * minutes)));
        let of = |flow: &str| RunFilter { flow: Some(flow.into()), ..RunFilter::default() };
        assert_eq!(found(&flows, of("nap")).await, "four two one");
        assert_eq!(found(&flows, RunFilter { from: since(1), to: since(3), ..of("nap") }).await, "two");
        assert_eq!(found(&flows, RunFilter { started_by: Some("signal".into()), ..of("nap") }).await, "");
        let unknown = flows.find_runs(of("none"), None, 2).await.expect_err("there is no such flow");
        assert_eq!(unknown.to_string(), "flow \"none\" does not exist");
    }
}

#[tokio::test]
async fn a_search_leaves_confidential_bundles_alone() {
    let flow = r#"
metadata: { scenario: { confidential: true } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:ComposeTransformer", filter: { conditions: [[{ a: "{{1.iban}}", o: "text:equal", b: "none" }]] }, mapper: { value: "{{1.iban}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "secret", flow).await.expect("a draft");
        flows.run_once(&ann(), "secret", json!({"iban": "DE-4711"})).await.expect("a run");
        flows.run_until_idle().await;
        let search = RunFilter { text: Some("4711".into()), ..RunFilter::default() };
        assert_eq!(flows.find_runs(search, None, 10).await.expect("runs").runs, []);
        let run = only_run(&flows, "secret").await;
        assert_eq!(run.operations[1].status, OperationStatus::Filtered);
        let told = serde_json::to_string(&run).expect("JSON");
        assert!(!told.contains("4711"), "{told}");
    }
}

#[tokio::test]
async fn a_run_that_was_looked_at_before_looks_the_same_until_it_is_forgotten() {
    for (engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "nap", NAP).await.expect("a draft");
        let run = flows.run_once(&ann(), "nap", json!({"fails": "no vendor"})).await.expect("a run");
        flows.run_until_idle().await;
        let first = flows.run_details(run).await.expect("a run");
        assert_eq!(first, flows.run_details(run).await.expect("a run"), "{engine}");
        assert_eq!(first, house.engine(Arc::new(ScriptedHttp::default()), 2).run_details(run).await.expect("a run"));
        let later = house.clock.advance(Duration::from_mins(1));
        assert_eq!(flows.forget_runs_before(later).await.expect("it is forgotten"), 1);
        assert!(matches!(flows.run_details(run).await, Err(Error::UnknownRun { id }) if id == run), "{engine}");
    }
}

#[tokio::test]
async fn a_cancelled_run_goes_no_further() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        flows.put(&ann(), "nap", NAP).await.expect("a draft");
        let asleep = flows.run_once(&ann(), "nap", json!({"nap": 1, "fails": "late"})).await.expect("a run");
        flows.run_until_idle().await;
        flows.cancel(&ann(), asleep).await.expect("it is ended");
        house.clock.advance(Duration::from_hours(48));
        flows.run_until_idle().await;
        let info = flows.run_details(asleep).await.expect("a run").info;
        assert_eq!((info.state, info.outcome), (RunState::Ended, Some(Outcome::Cancelled)));
        assert_eq!(info.reason.as_deref(), Some("cancelled by Loopwright (ann)"));
        let again = flows.cancel(&ann(), asleep).await.expect_err("it has ended");
        assert_eq!(again.to_string(), format!("run \"{asleep}\" has ended already"));
        assert_eq!(flows.counts().await.expect("counts").cancelled, 1);
        let audit = flows.audit(None, 10).await.expect("a trail");
        assert_eq!((audit[0].verb.as_str(), audit[0].object_kind.as_str()), ("cancel", "run"));
    }
}

#[tokio::test]
async fn an_effect_in_flight_ends_by_itself_and_nothing_comes_after_it() {
    for (_engine, _guard, house) in houses() {
        let peer = Arc::new(Silence(ScriptedHttp::default()));
        let flows = house.engine(peer.clone(), 1);
        let flow = POST_ONCE.replace("loopwright:Signal", "loopwright:Manual");
        flows.put(&ann(), "pay", &flow).await.expect("a draft");
        let run = flows.run_once(&ann(), "pay", json!({"n": 1})).await.expect("a run");
        {
            let mut work = std::pin::pin!(flows.run_until_idle());
            while peer.0.requests().is_empty() {
                tokio::select! {
                    () = &mut work => {}
                    () = tokio::task::yield_now() => {}
                }
            }
            flows.cancel(&ann(), run).await.expect("it is ended");
        }
        let info = flows.run_details(run).await.expect("a run").info;
        let reason = "cancelled by Loopwright (ann); what module 2 asked for may still have happened";
        assert_eq!((info.outcome, info.reason.as_deref()), (Some(Outcome::Cancelled), Some(reason)));
        // Another life of the engine finds nothing to do.
        let http = Arc::new(ScriptedHttp::default());
        house.engine(http.clone(), 2).run_until_idle().await;
        assert!(http.requests().is_empty());
    }
}

/// Answers when it is told to.
struct Slow {
    script: ScriptedHttp,
    answers: tokio::sync::Notify,
}

impl Http for Slow {
    fn send(
        &self,
        request: base::http::Request,
    ) -> base::BoxFuture<'_, Result<base::http::Response, base::http::HttpError>> {
        Box::pin(async move {
            let answer = self.script.send(request);
            self.answers.notified().await;
            answer.await
        })
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_cancel_is_told_and_changes_nothing() {
    let secret = format!("metadata: {{ scenario: {{ confidential: true }} }}\n{POST_ONCE}");
    for (text, is_told) in [(POST_ONCE, true), (&secret, false)] {
        for (_engine, _guard, house) in houses() {
            let peer = Arc::new(Slow { script: ScriptedHttp::default(), answers: tokio::sync::Notify::new() });
            peer.script.push(201, r#"{"id": 5}"#);
            let flows = house.engine(peer.clone(), 1);
            let flow = text.replace("loopwright:Signal", "loopwright:Manual")
                + "  - { id: 3, module: \"http:ActionSendData\", mapper: { url: \"https://x.example/next\" } }\n";
            flows.put(&ann(), "pay", &flow).await.expect("a draft");
            let run = flows.run_once(&ann(), "pay", json!({"n": 1})).await.expect("a run");
            let stop = CancellationToken::new();
            let engine = tokio::spawn(flows.clone().run(stop.clone()));
            while peer.script.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            flows.cancel(&ann(), run).await.expect("it is ended");
            let before = flows.run_details(run).await.expect("a run");
            assert_eq!(before.late, None);
            house.clock.advance(Duration::from_secs(7));
            peer.answers.notify_one();
            stop.cancel();
            engine.await.expect("the engine ends when the answer is there");
            let after = flows.run_details(run).await.expect("a run");
            assert_eq!((&after.info, &after.operations), (&before.info, &before.operations));
            assert_eq!(peer.script.requests().len(), 1, "nothing follows");
            let late = after.late.map(|late| (late.module, late.status_code, late.ended_at.since(late.started_at)));
            assert_eq!(late, is_told.then_some((2, Some(201), Duration::from_secs(7))));
            let kept = flows.db.read("test.late", |tx| tx.query("SELECT 1 FROM late_results", base::args![])).await;
            assert_eq!(kept.expect("rows").len(), usize::from(is_told));
        }
    }
}

#[tokio::test]
async fn old_runs_are_forgotten_and_those_that_still_live_are_not() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "nap", NAP).await.expect("a draft");
        for input in [json!({"name": "old"}), json!({"name": "asleep", "nap": 1})] {
            flows.run_once(&ann(), "nap", input).await.expect("a run");
        }
        flows.run_module(&ann(), "nap", crate::Which::Usual, 4, &crate::Trial::default()).await.expect("a run");
        flows.run_until_idle().await;
        let between = house.clock.advance(Duration::from_mins(1));
        house.clock.advance(Duration::from_mins(1));
        flows.run_once(&ann(), "nap", json!({"name": "new"})).await.expect("a run");
        flows.run_until_idle().await;
        let texts = || flows.db.read("test.texts", |tx| tx.query("SELECT hash FROM flow_texts", base::args![]));
        assert_eq!(texts().await.expect("texts").len(), 2);
        assert_eq!(flows.forget_runs_before(between).await.expect("some are forgotten"), 2);
        assert_eq!(found(&flows, RunFilter::default()).await, "new asleep");
        assert_eq!(flows.forget_runs_before(between).await.expect("nothing is left"), 0);
        assert_eq!(texts().await.expect("texts").len(), 1, "the module's own text went with its run");
    }
}

#[tokio::test]
async fn items_are_forgotten_with_their_runs_and_their_keys_are_known_until_then() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "util:FunctionSleep", mapper: { duration: "{{1.nap}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "nap", flow).await;
        for (key, nap) in [("short", 0), ("long", 86_400)] {
            flows.accept("flow.nap", key, json!({"nap": nap})).await.expect("room");
        }
        flows.run_until_idle().await;
        flows.deactivate(&ann(), "nap").await.expect("it is off");
        flows.accept("flow.nap", "waits", json!({"nap": 0})).await.expect("room");
        let later = house.clock.advance(Duration::from_hours(1));
        let mut brought = Vec::new();
        for forgets in [false, true] {
            if forgets {
                assert_eq!(flows.forget_runs_before(later).await.expect("one is forgotten"), 1);
            }
            for key in ["short", "long", "waits"] {
                let accepted = flows.accept("flow.nap", key, json!({"nap": 0})).await.expect("room");
                brought.push(accepted == Accepted::Stored);
            }
        }
        assert_eq!(brought, [false, false, false, true, false, false], "only the forgotten one is new again");
        // What still waits and what was given back begin their runs.
        flows.activate(&ann(), "nap").await.expect("it is on");
        flows.run_until_idle().await;
        assert_eq!(flows.runs("nap", 10).await.expect("runs").len(), 3);
        let kept = flows.db.read("test.items", |tx| tx.query("SELECT 1 FROM hook_items", base::args![])).await;
        assert_eq!(kept.expect("items").len(), 3);
        house.clock.advance(Duration::from_hours(48));
        flows.run_until_idle().await;
        let end = house.clock.advance(Duration::from_hours(1));
        assert_eq!(flows.forget_runs_before(end).await.expect("all are forgotten"), 3);
        let kept = flows.db.read("test.items", |tx| tx.query("SELECT 1 FROM hook_items", base::args![])).await;
        assert!(kept.expect("items").is_empty());
    }
}
