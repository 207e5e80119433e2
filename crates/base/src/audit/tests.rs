//! The trail, on every engine.

use serde_json::json;

use super::*;
use crate::db::{Control, Db};
use crate::testing;
use crate::time::{Clock, SimClock};

fn check_on_every_engine(check: impl Fn(Db<Control>)) {
    testing::on_every_engine(&[crate::MIGRATIONS], check);
}

fn create_and_remove(db: &Db<Control>) {
    let now = SimClock::default().now();
    db.write_blocking("test.record", move |tx| {
        let actor = Actor::system("test");
        let pool = json!({"name": "Orders \"2026\""});
        record(tx, &actor, "create", "pool", "p-1", None, Some(&pool), now)?;
        record(tx, &actor, "remove", "pool", "p-1", Some(&pool), None, now)
    })
    .expect("two rows");
}

#[test]
fn the_newest_row_comes_first_and_reads_as_it_was_written() {
    check_on_every_engine(|db| {
        create_and_remove(&db);
        let rows = db.read_blocking("test.page", |tx| page(tx, None, 10)).expect("a page");
        let [removed, created] = &rows[..] else { panic!("two rows") };
        assert_eq!((removed.sequence, removed.verb.as_str(), &removed.after), (2, "remove", &None));
        assert_eq!(created.after, Some(json!({"name": "Orders \"2026\""})));
        assert_eq!((created.actor_kind, created.actor_id.as_str()), (ActorKind::System, "system:test"));
        let older = db.read_blocking("test.page", |tx| page(tx, Some(2), 10)).expect("a page");
        assert_eq!(older, std::slice::from_ref(created));
    });
}

#[test]
fn a_whole_chain_is_whole_and_ends_in_the_last_hash() {
    check_on_every_engine(|db| {
        let empty = db.read_blocking("test.verify", verify).expect("a walk");
        assert_eq!(empty, Chain::Whole { rows: 0, hash: String::new() });
        create_and_remove(&db);
        let last = db.read_blocking("test.page", |tx| page(tx, None, 1)).expect("a page").remove(0);
        let walked = db.read_blocking("test.verify", verify).expect("a walk");
        assert_eq!(walked, Chain::Whole { rows: 2, hash: last.hash });
    });
}

#[test]
fn a_row_that_was_altered_or_taken_out_is_found() {
    for (tampering, sequence) in [
        ("UPDATE audit SET actor_name = 'somebody else' WHERE sequence = 1", 1),
        ("UPDATE audit SET after = NULL WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 1", 2),
    ] {
        check_on_every_engine(|db| {
            create_and_remove(&db);
            db.write_blocking("test.tamper", move |tx| tx.execute(tampering, args![])).expect("a change by hand");
            let walked = db.read_blocking("test.verify", verify).expect("a walk");
            assert_eq!(walked, Chain::Broken { sequence }, "{tampering}");
        });
    }
}
