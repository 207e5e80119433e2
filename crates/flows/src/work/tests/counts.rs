//! Counters that go on from run to run.

use super::*;

const COUNTS: &str = r#"
flow:
  - { id: 1, module: "builtin:BasicRepeater", mapper: { repeats: 2 } }
  - { id: 2, module: "util:FunctionIncrement", parameters: { reset: scenario } }
  - { id: 3, module: "util:FunctionIncrement", parameters: { reset: execution } }
"#;

#[tokio::test]
async fn a_counter_goes_on_from_run_to_run() {
    for (engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        for (key, expected) in [("a", [1, 2]), ("a", [3, 4]), ("b", [1, 2])] {
            flows.put(&ann(), key, COUNTS).await.expect("a flow");
            let run = flows.run_once(&ann(), key, json!({})).await.expect("a run");
            flows.run_until_idle().await;
            let details = flows.run_details(run).await.expect("a run");
            let numbers = |module: u32| -> Vec<Json> {
                let of = details.operations.iter().filter(|operation| operation.module == module);
                of.map(|operation| operation.output[0]["i"].clone()).collect()
            };
            assert_eq!(numbers(2), expected, "{engine}: {key}");
            assert_eq!(numbers(3), [1, 2], "{engine}: {key}");
        }
    }
}

#[tokio::test]
async fn what_is_counted_again_after_a_crash_has_the_same_number() {
    for (_engine, _guard, house) in houses() {
        let count = |run: RunId, effect: u64| house.db.write("test", move |tx| tables::count(tx, "f", 2, run, effect));
        let run = |number: u8| RunId::from_bytes([number; 16]);
        let mut numbers = Vec::new();
        for (of, effect) in [(1, 1), (1, 1), (2, 1), (1, 2), (2, 1), (1, 2)] {
            numbers.push(count(run(of), effect).await.expect("a number"));
        }
        assert_eq!(numbers, [1, 1, 2, 3, 2, 3]);
    }
}
