//! How far behind a subscription may fall, and how much there may be.

use base::db::{Row, Tx};
use base::testing::{databases, on_every_engine};
use base::{Coded as _, args};
use expect_test::{Expect, expect};
use parking_lot::Mutex;

use super::*;
use crate::retention::{Lag, Waits};
use crate::tables::{self, Keep};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn whoever_is_behind_is_told_before_it_is_too_late() {
    let check = |bytes, hours: u64, expected| {
        let waits = Waits { bytes, bytes_max: 1_000, age: HOUR * hours as u32, age_max: HOUR * 100 };
        assert_eq!(waits.lag(), expected, "{bytes} bytes, {hours} h");
    };
    for (bytes, hours, expected) in [
        (0, 0, Lag::Small),
        (499, 49, Lag::Small),
        (500, 0, Lag::Fair),
        (0, 50, Lag::Fair),
        (799, 79, Lag::Fair),
        (800, 0, Lag::Near),
        (0, 80, Lag::Near),
        (1_000, 100, Lag::Near),
        (1_001, 0, Lag::TooFar),
        (0, 101, Lag::TooFar),
    ] {
        check(bytes, hours, expected);
    }
}

/// What a log holds, counted by hand and by its own account.
pub(super) fn accounts(tx: &mut dyn Tx) -> ((u64, u64), (u64, u64)) {
    let number = |row: Option<Row>, column| row.expect("a row").get::<u64>(column).expect("a number");
    let by_hand = "SELECT CAST(COALESCE(SUM(octet_length(document)), 0) AS BIGINT), COUNT(*) FROM event_log";
    let row = tx.query_one(by_hand, args![]).expect("counts");
    let own = tx.query_one("SELECT bytes, head - trimmed FROM event_logs", args![]).expect("a log");
    ((number(row.clone(), 0), number(row, 1)), (number(own.clone(), 0), number(own, 1)))
}

#[test]
fn a_log_keeps_accounts_of_its_bytes_and_is_trimmed_by_them() {
    on_every_engine::<Control>(&[base::MIGRATIONS, MIGRATIONS], |db| {
        db.write_blocking("test.accounts", |tx| {
            let now = SimClock::default().now();
            let orders = |keys: std::ops::RangeInclusive<u64>| keys.map(|key| order(key, now)).collect::<Vec<_>>();
            drop(tables::append(tx, &late_orders(), &orders(1..=20), now)?);
            drop(tables::append(tx, &late_orders(), &orders(15..=30), now)?);
            let log = tables::log_of(tx, &late_orders())?.log;
            let (by_hand, own) = accounts(tx);
            assert_eq!((by_hand, by_hand.1), (own, 30));
            let each = by_hand.0 / 30;

            let keep = |bytes_max| Keep { since: now, bytes_max };
            assert_eq!(tables::trim(tx, log, keep(by_hand.0), 100)?, 0, "all of it fits");
            assert_eq!(tables::trim(tx, log, keep(10 * each), 5)?, 5, "a piece at a time");
            assert_eq!(accounts(tx).0, accounts(tx).1);
            while tables::trim(tx, log, keep(10 * each), 5)? > 0 {}
            let (by_hand, own) = accounts(tx);
            assert_eq!(by_hand, own);
            assert!(by_hand.0 <= 10 * each && by_hand.1 >= 9, "{by_hand:?}");
            assert_eq!(tables::trim(tx, log, keep(0), 100)?, by_hand.1);
            assert_eq!(accounts(tx), ((0, 0), (0, 0)));
            // What is appended to an empty log counts from where it stood.
            drop(tables::append(tx, &late_orders(), &orders(31..=32), now)?);
            assert_eq!(accounts(tx).0, accounts(tx).1);
            Ok::<_, base::db::Error>(())
        })
        .expect("the transaction is committed");
    });
}

#[test]
fn what_somebody_waits_for_is_not_among_what_is_trimmed_by_bytes() {
    on_every_engine::<Control>(&[base::MIGRATIONS, MIGRATIONS], |db| {
        db.write_blocking("test.pinned", |tx| {
            let now = SimClock::default().now();
            let orders: Vec<NewEvent> = (1..=10).map(|key| order(key, now)).collect();
            drop(tables::append(tx, &late_orders(), &orders, now)?);
            let log = tables::log_of(tx, &late_orders())?.log;
            tx.execute(
                "INSERT INTO subscriptions (id, log, name, owner_id, owner_name, uri, policy, birth, created_at,
                   updated_at, state, reason, generation, cursor_offset, floor_offset, reached_offset, attempts, due_at,
                   delivered, failures)
                 VALUES ($1, $2, '', '', '', 'https://receiver.example', '{}', 0, 0, 0, 'paused', '', 1, 4, 0, 0, 0, 0,
                   0, 0)",
                args![SubscriptionId::from_bytes([1; 16]), log],
            )?;
            let keep = Keep { since: now, bytes_max: 0 };
            assert_eq!(tables::trim(tx, log, keep, 100)?, 4);
            assert_eq!(tables::trim(tx, log, keep, 100)?, 0);
            Ok::<_, base::db::Error>(())
        })
        .expect("the transaction is committed");
    });
}

#[test]
fn a_log_of_before_gets_its_accounts_with_the_migration() {
    on_every_engine::<Control>(&[base::MIGRATIONS, &MIGRATIONS[..1]], |db| {
        db.write_blocking("test.migration", |tx| {
            for log in 1..=2_u64 {
                let sql = "INSERT INTO event_logs VALUES ($1, 'm', $2, 4, 1, 0, 0)";
                tx.execute(sql, args![log, log.to_string()])?;
                for offset in 2..=4_u64 {
                    let document = "é".repeat(offset as usize);
                    let sql = "INSERT INTO event_log VALUES ($1, $2, $3, 'id', 0, 0, $4)";
                    tx.execute(sql, args![log, offset, offset.to_string(), document])?;
                }
            }
            let migration = MIGRATIONS.iter().find(|migration| migration.name == "events/0003_notices");
            let sql: String = migration
                .expect("it is there")
                .sql
                .lines()
                .filter(|line| !line.trim().starts_with("--"))
                .collect::<Vec<_>>()
                .join("\n");
            for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
                tx.execute(statement, args![])?;
            }
            let rows = tx.query("SELECT bytes_through FROM event_log ORDER BY log, log_offset", args![])?;
            let through: Vec<u64> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            assert_eq!(through, [4, 10, 18, 4, 10, 18]);
            let rows = tx.query("SELECT bytes, bytes_ever FROM event_logs", args![])?;
            for row in rows {
                assert_eq!((row.get::<u64>(0)?, row.get::<u64>(1)?), (18, 18));
            }
            Ok::<_, base::db::Error>(())
        })
        .expect("the transaction is committed");
    });
}

/// Makes a house where events wait ten hours at most and so many bytes.
async fn strict(queue_bytes_max: u64) -> (House, Arc<ScriptedHttp>) {
    let (mut house, http) = House::scripted().await;
    house.options = Options { queue_age_max: HOUR * 10, queue_bytes_max, keep_events: HOUR, ..Options::default() };
    house.crash().await;
    (house, http)
}

async fn check_notices(house: &House, expected: Expect) {
    let page = house.events.notices(&actor("root", true), Paging::default()).await.expect("notices");
    let line = |notice: &Notice| format!("{}: {}", notice.kind.word(), notice.text);
    let lines: Vec<String> = page.content.iter().rev().map(line).collect();
    expected.assert_eq(&lines[1..].join("\n"));
}

/// Returns the first offset that the log still holds.
async fn first_kept(house: &House) -> Offset {
    house.events.tail(&late_orders(), "test", Offset::START, 1).await.expect("a log").first_kept
}

#[tokio::test]
async fn a_paused_one_that_nobody_resumes_is_told_and_then_suspended_on_record() {
    let (house, http) = strict(u64::MAX).await;
    let id = house.subscribe().await;
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([2, 3]).await;
    for _ in 0..11 {
        house.pass(HOUR).await;
        if house.standing(id).await.state == State::Paused {
            assert_eq!(first_kept(&house).await.max(Offset(2)), Offset(2), "what it waits for is kept");
        }
    }
    house.pass(HOUR).await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor), (State::Suspended { queue: Queue::Destroyed }, Offset(3)));
    assert_eq!(house.skips(id).await, [Skipped { first: Offset(2), last: Offset(3), reason: SkipReason::Retention }]);
    assert_eq!(first_kept(&house).await, Offset(4), "now nobody holds them");
    check_notices(&house, expect![[r#"
        paused: The subscription "orders" was paused. Its events queue until it is resumed.
        retention-near: 2 events wait for the subscription "orders", with 438 bytes of at most 18446744073709551615; the oldest has waited for 8 h of at most 10 h. When there is more, it will be suspended and lose them. Nothing is lost until then.
        suspended: The subscription "orders" was suspended: retention: it was 2 events behind, more or older ones than are kept. 2 events are lost, and so is what comes until it is updated."#]]).await;

    // An update sets it going with what is fresh.
    http.push(200, "");
    house.events.update(&ada(), id, request("orders")).await.expect("it goes on");
    house.append([4]).await;
    house.events.step().await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor, standing.delivered), (State::Active, Offset(4), 2));
}

#[tokio::test]
async fn a_queue_that_is_kept_through_a_suspension_is_not_kept_for_ever() {
    let (house, http) = strict(u64::MAX).await;
    let id = house.subscribe().await;
    let policy = Policy { on_suspension: OnSuspension::Keep, suspend_after_ms: 1_000, ..Policy::default() };
    house.events.set_policy(&ada(), id, policy).await.expect("it is changed");
    http.push(410, "");
    house.append([1]).await;
    house.events.step().await;
    house.pass(HOUR).await;
    assert_eq!(house.standing(id).await.state, State::Suspended { queue: Queue::Kept });
    for _ in 0..11 {
        house.pass(HOUR).await;
    }
    assert_eq!(house.standing(id).await.state, State::Suspended { queue: Queue::Destroyed });
    assert_eq!(house.skips(id).await[0].reason, SkipReason::Retention);
}

#[tokio::test]
async fn who_comes_back_is_told_again_when_it_falls_behind_again() {
    let (house, http) = strict(u64::MAX).await;
    let id = house.subscribe().await;
    for key in 1..=2 {
        house.events.pause(&ada(), id).await.expect("it is paused");
        house.append([key]).await;
        for _ in 0..9 {
            house.pass(HOUR).await;
        }
        http.push(200, "");
        house.events.resume(&ada(), id).await.expect("it goes on");
        house.events.step().await;
        house.pass(HOUR).await;
        assert_eq!(house.standing(id).await.cursor, Offset(key));
    }
    let page = house.events.notices(&ada(), Paging::default()).await.expect("notices");
    let near = page.content.iter().filter(|notice| notice.kind == NoticeKind::RetentionNear).count();
    assert_eq!(near, 2, "once each time");
}

#[tokio::test]
async fn too_many_bytes_suspend_only_those_who_are_behind() {
    let (house, http) = strict(2_000).await;
    let behind = house.subscribe().await;
    http.push(200, "");
    let well = house.subscribe().await;
    house.events.pause(&ada(), behind).await.expect("it is paused");
    for key in 1..=20 {
        http.push(200, "");
        house.append([key]).await;
        house.events.step().await;
        house.pass(Duration::from_mins(1)).await;
    }
    house.save().await;
    assert_eq!(house.standing(well).await.cursor, Offset(20));
    let standing = house.standing(behind).await;
    assert_eq!(standing.state, State::Suspended { queue: Queue::Destroyed });
    let lost: u64 = house.skips(behind).await.iter().map(|skip| skip.last.since(skip.first) + 1).sum();
    assert_eq!(lost, standing.cursor.0, "each is on record");
    let page = house.events.notices(&ada(), Paging::default()).await.expect("notices");
    let kinds: Vec<_> = page.content.iter().rev().map(|notice| notice.kind.word()).collect();
    assert_eq!(kinds, ["created", "created", "paused", "retention-near", "suspended"]);
}

/// A hook that never has room, until it has.
#[derive(Default)]
struct Hook(Mutex<Option<Vec<Offset>>>);

impl LocalSink for Hook {
    fn deliver(&self, _hook: &str, delivery: LocalDelivery) -> base::BoxFuture<'_, Result<(), Busy>> {
        let mut stored = self.0.lock();
        let room = stored.as_mut().map(|stored| stored.push(delivery.offset));
        Box::pin(async move { room.ok_or(Busy) })
    }
}

#[tokio::test]
async fn a_hook_that_is_full_for_too_long_goes_on_with_fresh_events() {
    let hook = Arc::new(Hook::default());
    let mut house = House::build(Arc::new(ScriptedHttp::default()), hook.clone()).await;
    house.options.queue_age_max = HOUR * 10;
    house.crash().await;
    let id = house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("it is watched");
    house.append([1, 2]).await;
    for _ in 0..12 {
        house.pass(HOUR).await;
    }
    house.append([3]).await;
    *hook.0.lock() = Some(Vec::new());
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(*hook.0.lock(), Some(vec![Offset(3)]));
    let skips = house.db.read("test.skips", move |tx| tables::skips(tx, id)).await.expect("skips");
    assert_eq!(skips[0].skipped, Skipped { first: Offset(1), last: Offset(2), reason: SkipReason::Retention });
    assert_eq!(house.events.notices(&actor("root", true), Paging::default()).await.expect("none").total, 0);
}

#[tokio::test]
async fn many_subscriptions_are_told_of_and_too_many_are_refused_if_wanted() {
    let (mut house, http) = House::scripted().await;
    house.options.limits = Limits { subscriptions_max: 5, ..Limits::default() };
    house.crash().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        http.push(405, "");
        ids.push(house.subscribe().await);
    }
    house.options.limits.enforce = true;
    house.crash().await;
    http.push(405, "");
    let refused = house.events.create(&ada(), &late_orders(), request("orders")).await.expect_err("it is refused");
    assert_eq!((refused.code(), refused.kind()), ("too-many-subscriptions", base::Kind::Conflict));
    assert_eq!(refused.to_string(), "there are already 5 subscriptions, as many as are allowed");
    house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("hooks do not count");
    for id in &ids[..3] {
        house.events.delete(&ada(), *id).await.expect("it ends");
    }
    http.push(405, "");
    house.subscribe().await;
    let page = house.events.notices(&actor("root", true), Paging::default()).await.expect("notices");
    let limits = page.content.iter().rev().filter(|notice| notice.kind == NoticeKind::TooManySubscriptions);
    let texts: Vec<&str> = limits.clone().map(|notice| notice.text.as_str()).collect();
    expect![[r"
        There are now 4 subscriptions with a callback; 5 are allowed, and more than that are only told of.
        There are now 5 subscriptions with a callback; 5 are allowed, and more than that are only told of.
        There are now 4 subscriptions with a callback; 5 are allowed, and more than that are refused."]]
    .assert_eq(&texts.join("\n"));
    assert!(limits.clone().all(|notice| notice.owner.is_none() && notice.subscription.is_none()));
}

#[tokio::test]
async fn many_events_in_a_day_are_told_of_once_on_every_engine_and_never_refused() {
    for (engine, guard, db) in databases(&[base::MIGRATIONS, MIGRATIONS]) {
        eprintln!("on {engine}");
        let mut house = House::on(db, Box::new(guard), Arc::new(ScriptedHttp::default()), Arc::new(NoHooks)).await;
        house.options.limits = Limits { events_per_day_max: 10, enforce: true, ..Limits::default() };
        house.crash().await;
        let told = async || {
            house.pass(Duration::from_mins(1)).await;
            let page = house.events.notices(&actor("root", true), Paging::default()).await.expect("notices");
            page.content.iter().rev().map(|notice| notice.text.clone()).collect::<Vec<_>>()
        };
        house.append(1..=7).await;
        assert_eq!(told().await, [""; 0]);
        house.append([7, 8]).await;
        assert_eq!(told().await.len(), 1);
        assert_eq!(told().await.len(), 1, "once is enough");
        assert_eq!(house.append(9..=14).await.len(), 6, "none is refused");
        let texts = told().await;
        expect![[r"
            8 events have come in since midnight (UTC); 10 in a day are what this installation is meant for. None is refused or lost.
            14 events have come in since midnight (UTC); 10 in a day are what this installation is meant for. None is refused or lost."]].assert_eq(&texts.join("\n"));
        house.pass(HOUR * 24).await;
        house.append([15]).await;
        assert_eq!(told().await.len(), 2, "a new day begins anew");
    }
}
