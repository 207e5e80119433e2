//! Data stores: what flows do there is done once, and counts when it should.

use super::*;
use crate::store::StoreSettings;

async fn with_store(house: &House) -> Arc<Flows> {
    let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
    flows.put_store(&ann(), "orders", StoreSettings::default()).await.expect("a store");
    flows
}

async fn run(flows: &Arc<Flows>, key: &str, text: &str) -> RunDetails {
    flows.put(&ann(), key, text).await.expect("a flow");
    let run = flows.run_once(&ann(), key, json!({})).await.expect("a run");
    flows.run_until_idle().await;
    flows.run_details(run).await.expect("a run")
}

async fn records(flows: &Flows) -> String {
    let records = flows.store_records("orders", None, 100).await.expect("records");
    let info = flows.store("orders").await.expect("the store");
    assert_eq!(info.records, records.len() as u64, "the count is kept");
    records.iter().map(|record| format!("{}={}", record.key, record.data.to_json())).collect::<Vec<_>>().join(" ")
}

fn flow(auto_commit: bool, steps: &str) -> String {
    format!("metadata: {{ scenario: {{ autoCommit: {auto_commit} }} }}\nflow:\n{steps}")
}

const ADD: &str = "  - { id: 1, module: \"datastore:AddRecord\", parameters: { datastore: orders }, mapper: { key: a, data: { n: 1 } } }\n";
const COUNT: &str = "  - { id: 2, module: \"datastore:CountRecords\", parameters: { datastore: orders } }\n";
const FAIL: &str = "  - { id: 3, module: \"loopwright:Fail\", mapper: { message: \"no\" } }\n";

#[tokio::test]
async fn what_a_run_wrote_is_there_in_the_next() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        for auto_commit in [true, false] {
            let key = format!("f{auto_commit}");
            let again = flow(
                auto_commit,
                "  - { id: 1, module: \"datastore:UpdateRecord\", parameters: { datastore: orders }, mapper: { key: k, upsert: true, data: { tags: [x] } } }\n",
            );
            for _ in 0..2 {
                assert_eq!(run(&flows, &key, &again).await.info.outcome, Some(Outcome::Success), "{engine}");
            }
        }
        assert_eq!(records(&flows).await, r#"k={"tags":["x","x","x","x"]}"#, "{engine}");
    }
}

#[tokio::test]
async fn a_failed_run_leaves_what_was_committed() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        for (auto_commit, expected) in [(true, r#"a={"n":1}"#), (false, "")] {
            flows.clear_store(&ann(), "orders").await.expect("it is empty");
            let details = run(&flows, "f", &flow(auto_commit, &format!("{ADD}{COUNT}{FAIL}"))).await;
            assert_eq!(details.info.outcome, Some(Outcome::Error), "{engine}");
            let counted = details.operations.iter().find(|operation| operation.module == 2).expect("it was counted");
            assert_eq!(counted.output[0]["count"], json!(1), "{engine}: the run sees what it wrote");
            assert_eq!(records(&flows).await, expected, "{engine}: autoCommit {auto_commit}");
            let left = house.db.read("test", |tx| tables_left(tx)).await.expect("rows");
            assert_eq!(left, 0, "{engine}: nothing waits any more");
        }
    }
}

fn tables_left(tx: &mut dyn base::db::Tx) -> Result<i64, db::Error> {
    let row = tx.query_one("SELECT COUNT(*) FROM store_changes", &[])?;
    row.map_or(Ok(0), |row| row.get(0))
}

#[tokio::test]
async fn commit_and_rollback_say_what_counts() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        for (directive, expected) in [("Commit", r#"a={"n":1}"#), ("Rollback", ""), ("Ignore", r#"a={"n":1}"#)] {
            flows.clear_store(&ann(), "orders").await.expect("it is empty");
            let fails = format!(
                "{ADD}  - {{ id: 3, module: \"loopwright:Fail\", mapper: {{ message: \"no\" }}, onerror: [{{ id: 4, module: \"builtin:{directive}\" }}] }}\n"
            );
            run(&flows, "f", &flow(false, &fails)).await;
            assert_eq!(records(&flows).await, expected, "{engine}: {directive}");
        }
    }
}

#[tokio::test]
async fn each_cycle_is_committed_by_itself() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        let text = "
metadata: { scenario: { autoCommit: false, roundtrips: 3 } }
flow:
  - { id: 1, module: \"datastore:CountRecords\", parameters: { datastore: orders } }
  - { id: 2, module: \"datastore:AddRecord\", parameters: { datastore: orders }, mapper: { key: \"c{{1.count}}\", data: {} } }
  - { id: 3, module: \"loopwright:Fail\", mapper: { message: \"no\" }, filter: { conditions: [[{ a: \"{{1.count}}\", o: \"number:equal\", b: \"2\" }]] } }
";
        let details = run(&flows, "f", text).await;
        assert_eq!(details.info.outcome, Some(Outcome::Error), "{engine}");
        assert_eq!(records(&flows).await, "c0={} c1={}", "{engine}: the third is rolled back");
    }
}

#[tokio::test]
async fn two_runs_at_the_same_time_lose_no_change() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        for auto_commit in [true, false] {
            flows.clear_store(&ann(), "orders").await.expect("it is empty");
            let text = flow(
                auto_commit,
                "  - { id: 1, module: \"builtin:BasicRepeater\", mapper: { repeats: 5 } }
  - { id: 2, module: \"datastore:UpdateRecord\", parameters: { datastore: orders }, mapper: { key: all, upsert: true, data: { seen: [\"{{1.i}}\"] } } }\n",
            );
            flows.put(&ann(), "f", &text).await.expect("a flow");
            for _ in 0..4 {
                flows.run_once(&ann(), "f", json!({})).await.expect("a run");
            }
            flows.run_until_idle().await;
            let record = flows.store_record("orders", "all").await.expect("the record");
            let seen = record.data.to_json()["seen"].as_array().map_or(0, Vec::len);
            assert_eq!(seen, 20, "{engine}: autoCommit {auto_commit}");
        }
    }
}

#[tokio::test]
async fn a_cycle_that_cannot_be_committed_ends_as_inconsistent() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        let text = flow(
            false,
            "  - { id: 1, module: \"datastore:AddRecord\", parameters: { datastore: orders }, mapper: { key: a, data: { n: 1 } } }
  - { id: 2, module: \"util:FunctionSleep\", mapper: { duration: 10 } }\n",
        );
        flows.put(&ann(), "f", &text).await.expect("a flow");
        let run = flows.run_once(&ann(), "f", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        assert_eq!(records(&flows).await, "", "{engine}: nobody else sees it");
        flows.put_store_record(&ann(), "orders", "a", crate::value::Value::Absent).await.expect("a record");
        house.clock.advance(Duration::from_secs(10));
        flows.run_until_idle().await;
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(
            details.info.reason.as_deref(),
            Some(
                "InconsistencyError: the cycle cannot be committed: data store \"orders\": DuplicateDataError: a record \
                 with the key \"a\" is there already"
            ),
            "{engine}"
        );
        assert_eq!(records(&flows).await, "a={}", "{engine}");
    }
}

#[tokio::test]
async fn a_change_that_is_performed_again_changes_nothing() {
    for (engine, _guard, house) in houses() {
        let flows = with_store(&house).await;
        for at_once in [true, false] {
            flows.clear_store(&ann(), "orders").await.expect("it is empty");
            let id = RunId::from_bytes([u8::from(at_once); 16]);
            let change =
                crate::store::Change::Add { key: "a".into(), data: crate::value::Value::Absent, overwrites: false };
            let mut told = Vec::new();
            for _ in 0..2 {
                let change = change.clone();
                let limits = house.options.limits.stores.clone();
                let made = house.db.write("test", move |tx| {
                    tables::change_store(tx, "orders", &change, (id, 1), at_once, &limits, Timestamp::EPOCH)
                });
                told.push(made.await.expect("a database").expect("it is done"));
            }
            assert_eq!(told[0], told[1], "{engine}");
        }
    }
}

#[tokio::test]
async fn a_structure_and_limits_hold() {
    for (engine, _guard, house) in houses() {
        let mut options = house.options.clone();
        options.limits.stores.records_max = 1;
        options.limits.stores.record_bytes_max = 40;
        let house = House { options, ..house };
        let flows = with_store(&house).await;
        let structure = json!({"spec": [{"name": "n", "type": "number", "required": true}], "strict": true});
        let structure = Some(crate::hook::Expected::read(&structure).expect("a structure"));
        let settings = StoreSettings { structure, imported_ids: vec![9] };
        flows.put_store(&ann(), "orders", settings).await.expect("a store");
        let add = |key: &str, data: Json| {
            format!(
                "flow:\n  - {{ id: 1, module: \"datastore:AddRecord\", parameters: {{ datastore: 9 }}, mapper: {{ key: {key}, data: {data} }} }}\n"
            )
        };
        let reason = |details: RunDetails| details.info.reason.unwrap_or_default();
        assert_eq!(reason(run(&flows, "f", &add("a", json!({"n": "7"}))).await), "", "{engine}");
        assert_eq!(records(&flows).await, r#"a={"n":7}"#, "{engine}: it is a number");
        for (key, data, expected) in [
            ("b", json!({"n": 1, "m": 2}), "does not fit at m"),
            ("b", json!({}), "does not fit at n"),
            ("b", json!({"n": 1}), "data store \"orders\" is full"),
            ("a", json!({"n": 1}), "is there already"),
        ] {
            let told = reason(run(&flows, "f", &add(key, data)).await);
            assert!(told.contains(expected), "{engine}: {told}");
        }
    }
}

/// A store that is written to in a loop, by an engine that dies again and
/// again: each change is made once.
#[tokio::test]
async fn whenever_the_engine_dies_each_change_is_made_once() {
    let mut deaths = 0;
    for (seed, auto_commit) in (1..=12_u64).flat_map(|seed| [(seed, true), (seed, false)]) {
        let (_engine, _guard, house) = houses().remove(0);
        let flows = with_store(&house).await;
        let text = flow(
            auto_commit,
            "  - { id: 1, module: \"builtin:BasicRepeater\", mapper: { repeats: 4 } }
  - { id: 2, module: \"datastore:UpdateRecord\", parameters: { datastore: orders }, mapper: { key: all, upsert: true, data: { seen: [\"{{1.i}}\"] } } }
  - { id: 3, module: \"util:FunctionSleep\", mapper: { duration: 1 } }
  - { id: 4, module: \"datastore:AddRecord\", parameters: { datastore: orders }, mapper: { data: { i: \"{{1.i}}\" } } }\n",
        );
        flows.put(&ann(), "f", &text).await.expect("a flow");
        for _ in 0..2 {
            flows.run_once(&ann(), "f", json!({})).await.expect("a run");
        }
        let crash = Arc::new(tokio::sync::Notify::new());
        let clock = Arc::new(crash::DeadlyClock::new(house.clock.clone(), Some(seed), crash.clone()));
        let options = Options { deaths_max: u32::MAX, ..house.options.clone() };
        let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
        for life in 2..10_000 {
            let http = Arc::new(ScriptedHttp::default());
            let chance = Arc::new(SeededChance::new(life));
            let clock: Arc<dyn base::Clock> = clock.clone();
            let engine = Arc::new(Flows::new(house.db.clone(), http, keys.clone(), clock, chance, options.clone()));
            let died = tokio::select! {
                biased;
                () = crash.notified() => true,
                () = engine.run_until_idle() => false,
            };
            drop(engine);
            tokio::task::yield_now().await;
            house.db.write("test.flush", |_| Ok::<_, db::Error>(())).await.expect("the database lives on");
            deaths += u32::from(died);
            let runs = flows.runs("f", 10).await.expect("runs");
            if runs.iter().all(|run| run.state == RunState::Ended) {
                assert!(runs.iter().all(|run| run.outcome == Some(Outcome::Success)), "seed {seed}: {runs:?}");
                break;
            }
            if !died {
                house.clock.advance(Duration::from_secs(1));
            }
        }
        let record = flows.store_record("orders", "all").await.expect("the record").data.to_json();
        let mut seen: Vec<String> =
            record["seen"].as_array().expect("a list").iter().map(ToString::to_string).collect();
        seen.sort();
        let expected = ["1", "1", "2", "2", "3", "3", "4", "4"];
        assert_eq!(
            seen.iter().map(|each| each.trim_matches('"')).collect::<Vec<_>>(),
            expected,
            "seed {seed}, {auto_commit}"
        );
        assert_eq!(flows.store("orders").await.expect("the store").records, 9, "seed {seed}, {auto_commit}");
    }
    assert!(deaths > 24, "the engine died only {deaths} times");
}

mod laws {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Change;
    use crate::value::Value;

    fn change() -> impl Strategy<Value = Change> {
        let data = prop::collection::btree_map("[xy]", 0..9_i64, 0..3)
            .prop_map(|fields| Value::collection(fields.into_iter().map(|(name, number)| (name, Value::Int(number)))));
        ("[a-c]", data, any::<bool>(), 0..9_u8).prop_map(|(key, data, flag, kind)| match kind {
            0..=2 => Change::Add { key, data, overwrites: flag },
            3..=5 => Change::Update { key, data, adds: flag, overwrites_arrays: flag },
            6..=7 => Change::Delete { key },
            _ => Change::Clear,
        })
    }

    /// Runs changes as effects of a run, at once or later; returns what it
    /// sees of the store, and what others see.
    fn seen(before: &[Change], changes: &[Change], at_once: bool, commits: bool) -> (Vec<String>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (_, _guard, house) = houses().remove(0);
            let flows = with_store(&house).await;
            let limits = house.options.limits.stores.clone();
            let id = RunId::from_bytes([7; 16]);
            let (before, changes) = (before.to_vec(), changes.to_vec());
            let written = house.db.write("test", move |tx| {
                for change in &before {
                    let store = tables::store(tx, "orders")?.expect("it is there");
                    let _ = tables::change_records(tx, &store, change, &limits, Timestamp::EPOCH)?;
                }
                for (place, change) in changes.iter().enumerate() {
                    let effect = (id, place as u64 + 1);
                    let _ = tables::change_store(tx, "orders", change, effect, at_once, &limits, Timestamp::EPOCH)?;
                }
                let store = tables::store(tx, "orders")?.expect("it is there");
                let mut own = Vec::new();
                crate::store::Shelf::each(
                    &mut tables::SeenBy::new(tx, &store, Some(id), &limits)?,
                    &mut |key, data| {
                        own.push(format!("{key}={}", data.to_json()));
                        true
                    },
                )?;
                if !at_once {
                    tables::end_changes(tx, id, if commits { u64::MAX >> 1 } else { 0 }, &limits)?;
                }
                Ok::<_, db::Error>(own)
            });
            let own = written.await.expect("a database");
            let others = records(&flows).await;
            let others = others.split(' ').filter(|record| !record.is_empty()).map(str::to_owned).collect();
            (own, others)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// A rollback leaves the store as it was; a commit leaves what the run
        /// saw, which is what it would have seen with every change at once.
        #[test]
        fn a_cycle_counts_as_a_whole_or_not_at_all(
            before in prop::collection::vec(change(), 0..5),
            changes in prop::collection::vec(change(), 0..8),
        ) {
            let (_, untouched) = seen(&before, &[], false, true);
            let (own, rolled_back) = seen(&before, &changes, false, false);
            prop_assert_eq!(rolled_back, untouched);
            let (_, committed) = seen(&before, &changes, false, true);
            prop_assert_eq!(&committed, &own);
            let (_, at_once) = seen(&before, &changes, true, true);
            prop_assert_eq!(committed, at_once);
        }
    }
}
