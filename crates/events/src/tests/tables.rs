//! Every statement of `tables.rs`, on every engine that is at hand.

use base::db::Tx;
use base::testing::on_every_engine;
use base::{Secret, args};

use super::*;
use crate::delivery::{Attempt, Verdict};
use crate::tables as t;
use crate::tables::{Keep, LogRow, Progress, SkipRecord, Stored, StoredSecret};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Runs a check inside one transaction that is committed.
fn check(check: impl Fn(&mut dyn Tx) + Send + Sync + Clone + 'static) {
    on_every_engine::<Control>(&[base::MIGRATIONS, MIGRATIONS], |db| {
        let check = check.clone();
        db.write_blocking("test.tables", move |tx| {
            check(tx);
            Ok::<_, base::db::Error>(())
        })
        .expect("the transaction is committed");
    });
}

fn id(number: u8) -> SubscriptionId {
    SubscriptionId::from_bytes([number; 16])
}

fn stored(tx: &mut dyn Tx, number: u8, sink: Sink) -> Stored {
    let log = t::log_of(tx, &late_orders()).expect("a log");
    let subscription = Subscription {
        id: id(number),
        name: format!("number {number}"),
        trigger: late_orders(),
        owner: Owner { id: if number.is_multiple_of(2) { "ada".into() } else { "bob".into() }, name: "A Name".into() },
        sink,
        policy: Policy::default(),
        standing: Standing::new(log.head),
        birth: log.head,
        created_at: NOW.plus(Duration::from_secs(number.into())),
        updated_at: NOW,
    };
    let stored = Stored { subscription, log, headers_sealed: vec![1, 2, 3] };
    t::insert(tx, &stored).expect("a new subscription fits");
    stored
}

fn https(tx: &mut dyn Tx, number: u8) -> Stored {
    stored(tx, number, Sink::Https { uri: format!("https://receiver.example/{number}") })
}

fn attempt(offset: u64, number: u32, verdict: Verdict) -> Attempt {
    Attempt {
        generation: 1,
        offset: Offset(offset),
        through: Offset(offset),
        event_id: event::event_id(&late_orders(), &format!("order {offset}")),
        number,
        started_at: NOW.plus(Duration::from_secs(offset)),
        took_ms: 12,
        verdict,
        status: Some(200),
        detail: "it's fine".into(),
        answer: "ok".into(),
        next_at: None,
    }
}

#[test]
fn offsets_are_given_out_once_per_key() {
    check(|tx| {
        let orders = |keys: &[u64]| keys.iter().map(|key| order(*key, NOW)).collect::<Vec<_>>();
        let offsets = |numbers: &[u64]| numbers.iter().copied().map(Offset).collect::<Vec<_>>();
        assert_eq!(t::append(tx, &late_orders(), &[], NOW).unwrap(), []);
        assert_eq!(t::append(tx, &late_orders(), &orders(&[7, 8]), NOW).unwrap(), offsets(&[1, 2]));
        assert_eq!(t::append(tx, &late_orders(), &orders(&[8, 9, 9, 7]), NOW).unwrap(), offsets(&[2, 3, 3, 1]));
        let elsewhere = TriggerRef::new("purchasing.orders", "other");
        assert_eq!(t::append(tx, &elsewhere, &orders(&[7]), NOW).unwrap(), offsets(&[1]));

        let LogRow { log, head, trimmed } = t::log_of(tx, &late_orders()).unwrap();
        assert_eq!((head, trimmed), (Offset(3), Offset(0)));
        let (row, events) = t::read_log(tx, log, Offset(1), 10).unwrap();
        assert_eq!(row.head, Offset(3));
        assert_eq!(events.iter().map(|event| event.offset).collect::<Vec<_>>(), offsets(&[2, 3]));
        assert_eq!(t::read_log(tx, log, Offset(0), 1).unwrap().1.len(), 1);
        assert_eq!(t::logs(tx).unwrap().len(), 2);
        assert_eq!(t::totals(tx).unwrap(), (4, 0, 0));
    });
}

#[test]
fn a_read_brings_so_many_bytes_and_at_least_one_event() {
    check(|tx| {
        let long = |key| NewEvent { identifier: "x".repeat(1_000), ..order(key, NOW) };
        t::append(tx, &late_orders(), &[long(1), long(2), order(3, NOW), order(4, NOW), long(5)], NOW).unwrap();
        let log = t::log_of(tx, &late_orders()).unwrap().log;
        let mut read = |after, limit, bytes_max| {
            let (_, events) = t::read_log_within(tx, log, Offset(after), limit, bytes_max).unwrap();
            events.iter().map(|event| event.offset.0).collect::<Vec<_>>()
        };
        assert_eq!(read(0, 9, 1), [1]);
        assert_eq!(read(0, 9, 2_000), [1, 2]);
        assert_eq!(read(1, 9, 2_000), [2, 3, 4, 5]);
        assert_eq!(read(1, 2, 2_000), [2, 3]);
        assert_eq!(read(0, 9, 1 << 20), [1, 2, 3, 4, 5]);
        assert_eq!(read(5, 9, 1), Vec::<u64>::new());
    });
}

#[test]
fn what_is_trimmed_is_behind_everyone_and_old() {
    check(|tx| {
        let early: Vec<NewEvent> = (1..=5).map(|key| order(key, NOW)).collect();
        t::append(tx, &late_orders(), &early, NOW).unwrap();
        t::append(tx, &late_orders(), &[order(6, NOW)], NOW.plus(Duration::from_mins(1))).unwrap();
        let log = t::log_of(tx, &late_orders()).unwrap().log;
        let soon = NOW.plus(Duration::from_secs(1));
        let old = |since| Keep { since, bytes_max: u64::MAX };
        assert_eq!(t::trim(tx, log, old(NOW), 10).unwrap(), 0, "nothing is old");

        let reader = https(tx, 2);
        let mut standing = reader.subscription.standing.clone();
        standing.cursor = Offset(3);
        assert!(t::save_standing(tx, reader.subscription.id, &standing).unwrap());
        assert_eq!(t::trim(tx, log, old(soon), 2).unwrap(), 2, "a piece at a time");
        assert_eq!(t::trim(tx, log, old(soon), 10).unwrap(), 1, "the reader holds the rest");
        assert_eq!(t::log_of(tx, &late_orders()).unwrap().trimmed, Offset(3));

        standing.state = State::Suspended { queue: Queue::Kept };
        assert!(t::save_standing(tx, reader.subscription.id, &standing).unwrap());
        assert_eq!(t::trim(tx, log, old(soon), 10).unwrap(), 0, "a kept queue holds on");
        standing.state = State::Suspended { queue: Queue::Destroyed };
        assert!(t::save_standing(tx, reader.subscription.id, &standing).unwrap());
        assert_eq!(t::trim(tx, log, old(soon), 10).unwrap(), 2, "a destroyed one does not; the sixth is not old");
    });
}

#[test]
fn a_subscription_reads_back_as_it_was_written() {
    check(|tx| {
        let before = https(tx, 2);
        let read = t::find(tx, id(2)).unwrap().expect("it is there");
        assert_eq!(read.subscription, before.subscription);
        assert_eq!(read.headers_sealed, [1, 2, 3]);

        let mut changed = before.clone();
        changed.subscription.name = "another".into();
        changed.subscription.sink = Sink::Https { uri: "https://elsewhere.example".into() };
        changed.subscription.policy.on_error = OnError::Skip;
        changed.headers_sealed = vec![4];
        t::save_definition(tx, &changed).unwrap();

        for state in [
            State::Active,
            State::Failed { since: NOW },
            State::Paused,
            State::Rejected,
            State::Suspended { queue: Queue::Kept },
            State::Suspended { queue: Queue::Destroyed },
        ] {
            let standing = Standing {
                state,
                reason: "because".into(),
                generation: 2,
                cursor: Offset(7),
                floor: Offset(1),
                reached: Offset(9),
                attempts: 3,
                due: NOW.plus(Duration::from_secs(9)),
                last_success: LastSuccess::Event { offset: Offset(7), at: NOW },
                delivered: 70,
                failures: 5,
                alerts: 2,
            };
            assert!(t::save_standing(tx, id(2), &standing).unwrap());
            changed.subscription.standing = standing;
            let read = t::find(tx, id(2)).unwrap().expect("it is there");
            assert_eq!(read.subscription, changed.subscription);
            assert_eq!(read.headers_sealed, [4]);
        }
        let late = Standing { generation: 1, ..changed.subscription.standing.clone() };
        assert!(!t::save_standing(tx, id(2), &late).unwrap(), "an old generation is not written");
        assert!(!t::save_standing(tx, id(3), &late).unwrap(), "nor is a subscription that is not there");
    });
}

#[test]
fn progress_is_saved_with_its_attempts_and_skips() {
    check(|tx| {
        let reader = https(tx, 2);
        let skip = SkipRecord {
            generation: 1,
            skipped: Skipped { first: Offset(2), last: Offset(4), reason: SkipReason::Errors },
            at: NOW,
        };
        let batch = Attempt { through: Offset(9), ..attempt(1, 1, Verdict::Delivered) };
        let progress = |number: u8| Progress {
            id: id(number),
            standing: Standing { cursor: Offset(4), ..reader.subscription.standing.clone() },
            attempts: vec![batch.clone(), attempt(2, 1, Verdict::Skipped)],
            skips: vec![skip.clone()],
            notices: Vec::new(),
        };
        t::save_progress(tx, &[progress(2), progress(9)]).unwrap();
        t::save_progress(tx, &[progress(2)]).unwrap();
        assert_eq!(t::skips(tx, id(2)).unwrap(), std::slice::from_ref(&skip));
        assert_eq!(t::skips(tx, id(9)).unwrap(), [], "whoever is gone leaves nothing behind");

        let page = |tx: &mut dyn Tx, filter, page| {
            t::deliveries(tx, id(2), filter, Paging { page, size: 1 }).expect("a page of attempts")
        };
        let first = page(tx, DeliveryFilter::default(), 0);
        assert_eq!(first, Page { content: vec![attempt(2, 1, Verdict::Skipped)], total: 2 });
        let second = page(tx, DeliveryFilter::default(), 1);
        assert_eq!(second.content, std::slice::from_ref(&batch));
        let delivered = DeliveryFilter { verdict: Some(Verdict::Delivered), ..DeliveryFilter::default() };
        assert_eq!(page(tx, delivered, 0).total, 1);
        let later = DeliveryFilter { from: Some(NOW.plus(Duration::from_secs(2))), ..DeliveryFilter::default() };
        assert_eq!(page(tx, later, 0).total, 1);

        assert_eq!(t::forget_deliveries(tx, NOW.plus(Duration::from_secs(2)), 10).unwrap(), 1);
        assert_eq!(page(tx, DeliveryFilter::default(), 0).total, 1);
    });
}

#[test]
fn lists_show_ones_own_in_the_order_asked_for() {
    check(|tx| {
        for number in [2, 3, 4] {
            https(tx, number);
        }
        stored(tx, 5, Sink::Local { hook: "flow/1".into() });
        let list = |tx: &mut dyn Tx, actor: &Actor, sort: &str, page| {
            let page = t::list(tx, actor, Sort::parse(sort).unwrap(), Paging { page, size: 2 }).expect("a list");
            let names: Vec<String> = page.content.into_iter().map(|listed| listed.subscription.name).collect();
            (names.join(", "), page.total)
        };
        let root = actor("root", true);
        assert_eq!(list(tx, &root, "name", 0), ("number 2, number 3".into(), 3));
        assert_eq!(list(tx, &root, "name", 1), ("number 4".into(), 3));
        assert_eq!(list(tx, &root, "-creationDate", 0), ("number 4, number 3".into(), 3));
        assert_eq!(list(tx, &ada(), " NAME", 0), ("number 2, number 4".into(), 2));
        assert_eq!(list(tx, &actor("eve", false), "id", 0), (String::new(), 0));
        for sort in ["id", "knowledgeModelId", "triggerId", "ownerName", "status", "latestSucceedEvent", "+offset"] {
            assert_eq!(list(tx, &root, sort, 0).1, 3, "{sort}");
        }
        assert_eq!(Sort::parse("name,id").unwrap_err().to_string(), r#"subscriptions cannot be sorted by "name,id""#);
        assert_eq!(t::of_hook(tx, "flow/1").unwrap().len(), 1);
        assert_eq!(t::all(tx).unwrap().len(), 4);
    });
}

#[test]
fn secrets_come_newest_first_and_end() {
    check(|tx| {
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let secret = |made_at| StoredSecret { made_at, sealed: vec![9], valid_until: None, read_at: None };
        t::insert_secret(tx, id(2), &secret(at(0))).unwrap();
        assert!(t::mark_read(tx, id(2), at(0), at(1)).unwrap());
        assert!(!t::mark_read(tx, id(2), at(0), at(2)).unwrap(), "it is read once");
        t::end_secrets(tx, id(2), at(10), at(5)).unwrap();
        t::insert_secret(tx, id(2), &secret(at(5))).unwrap();
        let secrets = t::secrets(tx, id(2)).unwrap();
        let valid: Vec<_> = secrets.iter().map(|secret| (secret.made_at, secret.valid_until)).collect();
        assert_eq!(valid, [(at(5), None), (at(0), Some(at(10)))]);
        t::end_secrets(tx, id(2), at(40), at(20)).unwrap();
        let made: Vec<_> = t::secrets(tx, id(2)).unwrap().iter().map(|secret| secret.made_at).collect();
        assert_eq!(made, [at(5)], "what has ended is removed");
    });
}

#[test]
fn deleting_leaves_only_the_counts() {
    check(|tx| {
        let reader = https(tx, 2);
        t::insert_secret(tx, id(2), &StoredSecret { made_at: NOW, sealed: vec![], valid_until: None, read_at: None })
            .unwrap();
        let standing = Standing { delivered: 7, failures: 2, ..reader.subscription.standing };
        t::save_standing(tx, id(2), &standing).unwrap();
        let read = t::find(tx, id(2)).unwrap().expect("it is there");
        t::delete(tx, &read).unwrap();
        assert!(t::find(tx, id(2)).unwrap().is_none());
        assert_eq!(t::totals(tx).unwrap(), (0, 7, 2));
        for table in ["subscriptions", "subscription_secrets", "subscription_skips"] {
            let left = tx.query(&format!("SELECT 1 FROM {table}"), args![]).unwrap();
            assert!(left.is_empty(), "{table}");
        }
    });
}

#[test]
fn sealed_headers_do_not_open_in_another_row() {
    let chance = SeededChance::new(3);
    let keys = KeyRing::generate(&chance);
    let headers = [("Authorization".to_owned(), Secret::new("Bearer t0ken"))];
    let callback = Callback::parse("https://receiver.example", &headers, false).unwrap();
    let sealed = outlet::seal_headers(&keys, id(1), &callback, &chance);
    assert!(!String::from_utf8_lossy(&sealed).contains("t0ken"));
    assert!(keys.open(&format!("events.headers/{}", id(1)), &sealed).is_ok());
    assert!(keys.open(&format!("events.headers/{}", id(2)), &sealed).is_err());
}
