//! The ports as the real neighbours implement them: data models from
//! [`pools::Pools`], signals into [`events::Events`], in one database.

use std::sync::Arc;

use base::chance::SeededChance;
use base::db::{Control, Db};
use base::error::Coded;
use base::secret::KeyRing;
use base::testing::{ScriptedHttp, databases};
use base::time::SimClock;
use base::{Actor, Timestamp, args};
use events::{Events, NoHooks};
use pools::memory::MemTables;
use pools::{Commit, DataModelSpec, Mode, Piece, PoolId, Pools, PushJobId, Tables};

use super::triggers::{CHANGED, EVENTS, one_trigger};
use super::{actor, at, rows};
use crate::{DataModels, Mining};

async fn push(tables: &MemTables, pool: PoolId, job: u8, text: &str) {
    let job = PushJobId::from_bytes([job; 16]);
    tables.stage(pool, job, Piece::Upsert(rows(text))).await.expect("it is staged");
    let commit =
        Commit { pool, table: "EV".into(), job, mode: Mode::Append, at: Timestamp::EPOCH, causes: base::Causes::NONE };
    tables.commit(commit).await.expect("it is committed");
}

fn spec(case_column: &str) -> DataModelSpec {
    serde_json::from_value(serde_json::json!({
        "tables": ["EV"],
        "activity": {
            "table": "EV", "caseColumn": case_column, "activityColumn": "ACT", "timestampColumn": "TS",
        },
    }))
    .expect("a data model")
}

async fn offsets(db: &Db<Control>) -> Vec<(String, i64)> {
    let select = "SELECT event_key, log_offset FROM event_log ORDER BY log_offset";
    let rows = db.read("test.events", move |tx| tx.query(select, args![])).await.expect("a read");
    rows.iter().map(|row| (row.get(0).expect("a text"), row.get(1).expect("a number"))).collect()
}

#[tokio::test]
async fn pools_name_the_data_model_and_events_take_the_signals() {
    let migrations = &[base::MIGRATIONS, pools::MIGRATIONS, events::MIGRATIONS, crate::MIGRATIONS];
    for (engine, _guard, db) in databases::<Control>(migrations) {
        eprintln!("on {engine}");
        let clock = Arc::new(SimClock::at(at("2026-03-01 12:00")));
        let chance = Arc::new(SeededChance::new(1));
        let tables = Arc::new(MemTables::new());
        let spool = tempfile::tempdir().expect("a folder");
        let pools = Pools::new(db.clone(), tables.clone(), spool.path().to_owned(), clock.clone(), chance.clone());
        let pools = Arc::new(pools);
        let ports = events::Ports {
            db: db.clone(),
            http: Arc::new(ScriptedHttp::default()),
            local: Arc::new(NoHooks),
            notifier: Arc::new(events::LogNotifier),
            keys: Arc::new(KeyRing::generate(&*chance)),
            clock: clock.clone(),
            chance: chance.clone(),
        };
        let events = Events::open(ports, events::Options::default()).await.expect("an empty database");
        let mining =
            Mining::new(db.clone(), tables.clone(), pools.clone(), events.clone(), clock.clone(), chance.clone());

        let actor: Actor = actor();
        let pool = pools.create(&actor, "Purchasing").await.expect("a pool");
        push(&tables, pool.id, 1, EVENTS).await;
        let made = pools.put_data_model(&actor, pool.id, "orders", spec("CASE")).await.expect("a data model").model;
        for reference in ["orders", "Purchasing/orders", &made.id.to_string()] {
            assert_eq!(DataModels::find(&*pools, reference).await.expect("it is there"), made, "{reference}");
        }
        for reference in ["ordres", "Sales/orders", "01010101-0101-0101-0101-010101010101"] {
            let error = DataModels::find(&*pools, reference).await.expect_err("there is none");
            assert_eq!(error.code(), "data-model-unknown", "{reference}");
        }

        mining.put_draft(&actor, "p", &one_trigger(CHANGED, "")).await.expect("a draft");
        mining.publish(&actor, "p.km").await.expect("it fits");
        push(&tables, pool.id, 2, "ID | CASE | ACT | TS:time | USER\nd | 1 | Change | 2026-03-01 11:00 | cid").await;
        mining.catch_up().await.expect("it follows");
        assert_eq!(offsets(&db).await.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["T/1/1"]);

        // The pool's data model changes under the published model.
        pools.put_data_model(&actor, pool.id, "orders", spec("ID")).await.expect("a new version");
        push(&tables, pool.id, 3, "ID | CASE | ACT | TS:time | USER\ne | 9 | Change | 2026-03-01 11:00 | cid").await;
        mining.catch_up().await.expect("it follows");
        let text = one_trigger(CHANGED, "").replace(r#""EV_CASES"."CASE""#, r#""EV_CASES"."ID""#);
        mining.put_draft(&actor, "p", &text).await.expect("a draft");
        let publication = mining.publish(&actor, "p.km").await.expect("it fits the new version");
        assert_eq!(publication.triggers[0].matched, 3, "each change is a case of its own now");
    }
}
