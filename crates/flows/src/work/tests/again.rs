//! Runs that go on from an operation of an earlier one.

use super::*;
use crate::run::Operation;
use crate::{Again, StartingAt, Which};

/// Two lines, each asked for outside; what comes is collected and told.
fn orders(address: &str) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: rate, value: "{{{{1.rate}}}}", scope: execution }} }}
  - {{ id: 3, module: "builtin:BasicFeeder", mapper: {{ array: "{{{{1.lines}}}}" }} }}
  - {{ id: 4, module: "http:ActionSendData", parameters: {{ handleErrors: true }}, mapper: {{ url: "{address}/{{{{3.value}}}}", method: post, parseResponse: true }} }}
  - {{ id: 5, module: "util:GetVariable2", mapper: {{ name: rate }} }}
  - {{ id: 6, module: "util:TextAggregator", parameters: {{ feeder: 3 }}, mapper: {{ value: "{{{{3.value}}}}={{{{4.data.price * 5.rate}}}};" }} }}
"#
    )
}

async fn again(flows: &Arc<Flows>, run: RunId, again: Again) -> String {
    match flows.run_again(&ann(), run, &again).await {
        Ok(run) => {
            flows.run_until_idle().await;
            let details = flows.run_details(run).await.expect("a run");
            let told = |operation: &Operation| {
                let output: Vec<_> = operation.output.iter().map(|bundle| bundle["text"].to_string()).collect();
                format!("{} {}", operation.module, if operation.module == 6 { output.concat() } else { String::new() })
            };
            let operations: Vec<_> =
                details.operations.iter().map(|operation| told(operation).trim().to_owned()).collect();
            let outcome = details.info.outcome.expect("it has ended").word();
            format!("{} {outcome}: {}", details.info.started_by, operations.join(", "))
        }
        Err(error) => error.to_string().replace(&run.to_string(), "R"),
    }
}

fn at(number: u64) -> Again {
    Again { at: StartingAt::Operation(number), ..Again::default() }
}

#[tokio::test]
async fn a_run_goes_on_from_any_operation_of_an_earlier_one() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        flows.put(&ann(), "f", &orders("https://x.example")).await.expect("a draft");
        http.push(200, r#"{"price": 2}"#);
        http.push(500, "{}");
        let run = flows.run_once(&ann(), "f", json!({"rate": 10, "lines": ["a", "b"]})).await.expect("a run");
        flows.run_until_idle().await;
        let details = flows.run_details(run).await.expect("a run");
        let numbers: Vec<_> = details.operations.iter().map(|operation| (operation.number, operation.module)).collect();
        assert_eq!(numbers, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 4)]);

        // What failed is tried again, and the aggregator gets this one bundle.
        http.push(200, r#"{"price": 3}"#);
        let failure = Again { at: StartingAt::Failure, ..Again::default() };
        assert_eq!(again(&flows, run, failure).await, r#"operation success: 4, 5, 6 "b=30;""#);
        let (first, second) = (http.requests()[1].headers.clone(), http.requests()[2].headers.clone());
        assert_ne!(first["idempotency-key"], second["idempotency-key"], "a person wants it done anew");

        // A bundle that a module gave is corrected.
        http.push(200, r#"{"price": 3}"#);
        let edited = Again { bundles: [(3, json!({"value": "c"}))].into(), ..at(6) };
        assert_eq!(again(&flows, run, edited).await, r#"operation success: 4, 5, 6 "c=30;""#);
        assert_eq!(http.requests()[3].url, "https://x.example/c");

        // So is the flow.
        flows.put(&ann(), "f", &orders("https://mended.example")).await.expect("a draft");
        http.push(200, r#"{"price": 4}"#);
        let mended = Again { which: Some(Which::Draft), ..at(4) };
        assert_eq!(again(&flows, run, mended).await, r#"operation success: 4, 5, 6 "a=40;""#);
        assert_eq!(http.requests()[4].url, "https://mended.example/a");

        // The first operation is the start itself.
        for _ in 0..2 {
            http.push(200, r#"{"price": 1}"#);
        }
        let input = Some(vec![json!({"rate": 5, "lines": ["x", "y"]})]);
        let whole = r#"replay success: 1, 2, 3, 4, 5, 4, 5, 6 "x=5;y=5;""#;
        assert_eq!(again(&flows, run, Again { input, ..at(1) }).await, whole);

        let refused = |why: &str| format!("run R cannot be run again from there: {why}");
        let bundles = [(9, json!({}))].into();
        let not_seen = refused("module 4 does not see a bundle of module 9");
        assert_eq!(again(&flows, run, Again { bundles, ..at(6) }).await, not_seen);
        assert_eq!(again(&flows, run, at(7)).await, refused("it has no operation 7"));
        flows.put(&ann(), "f", "flow: [{ id: 1, module: \"loopwright:Manual\" }]").await.expect("a draft");
        let gone = Again { which: Some(Which::Draft), ..at(6) };
        assert_eq!(again(&flows, run, gone).await, refused("the version to run has no module 4"));
    }
}

#[tokio::test]
async fn a_filter_is_asked_again_and_a_run_in_the_middle_has_no_start() {
    let flow = |limit: &str| {
        format!(
            r#"
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - {{ id: 2, module: "util:ComposeTransformer", mapper: {{ value: "{{{{1.n}}}}" }}, filter: {{ conditions: [[{{ a: "{{{{1.n}}}}", o: "number:less", b: "{limit}" }}]] }} }}
  - {{ id: 3, module: "util:TextAggregator", parameters: {{ feeder: 1 }}, mapper: {{ value: "{{{{2.value}}}}" }} }}
"#
        )
    };
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "f", &flow("5")).await.expect("a draft");
        let run = flows.run_once(&ann(), "f", json!({"n": 7})).await.expect("a run");
        flows.run_until_idle().await;
        // Not passed again, and passed in the mended version.
        assert_eq!(again(&flows, run, at(2)).await, "operation success: 2");
        flows.put(&ann(), "f", &flow("9")).await.expect("a draft");
        let mended = Again { which: Some(Which::Draft), ..at(2) };
        assert_eq!(again(&flows, run, mended.clone()).await, "operation success: 2, 3");
        let middle = flows.run_again(&ann(), run, &mended).await.expect("a run");
        flows.run_until_idle().await;
        let no_start = again(&flows, middle, Again::default()).await;
        assert!(no_start.contains("keeps nothing to start another one with"), "{no_start}");
        // But it can be gone on from as any other.
        assert_eq!(again(&flows, middle, at(1)).await, "operation success: 2, 3");
        let collected = again(&flows, run, at(3)).await;
        assert!(collected.contains("choose an operation before it"), "{collected}");
    }
}
