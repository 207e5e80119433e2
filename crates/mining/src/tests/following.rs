//! Following: places at the pool, new versions of the data model, and what
//! happens when something fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use expect_test::expect;
use pools::rows::ColumnType;
use pools::{Mode, Piece, Tables as _};
use tokio_util::sync::CancellationToken;

use super::triggers::{CHANGED, STUCK, house, keyed, one_trigger};
use super::{House, actor, at, model, pool, rows, table};

async fn change(house: &House, id: &str, case: &str) {
    let line = format!("ID | CASE | ACT | TS:time | USER\n{id} | {case} | Change | 2026-03-01 11:00 | cid");
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&line))]).await;
}

#[tokio::test]
async fn whoever_follows_keeps_a_place_and_takes_leave() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    assert!(house.tables.consumers().is_empty(), "a question alone keeps no place");
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    house.tables.consumers_are(&[1]).await;
    change(&house, "x", "5").await;
    house.tables.consumers_are(&[2]).await;
    stop.cancel();
    running.await.expect("it stops");
    assert!(house.tables.consumers().is_empty());
}

#[tokio::test]
async fn a_data_model_that_no_model_needs_is_given_up() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    house.tables.consumers_are(&[1]).await;
    // The model is published on another data model; here its row is moved.
    house
        .db
        .write("test.move", |tx| {
            tx.execute("UPDATE mining_versions SET data_model = '01010101-0101-0101-0101-010101010101'", base::args![])
        })
        .await
        .expect("a write");
    let id = house.data_model.now().id;
    house.mining().post(id).changed.notify_one();
    house.tables.consumers_are(&[]).await;
    stop.cancel();
    running.await.expect("it stops");
    assert!(house.mining().post(id).shown().is_none(), "nor is it kept in memory");
}

#[tokio::test]
async fn publications_that_cross_do_not_wait_for_each_other() {
    let house = house().await;
    let on = |key: &str, data_model: &str| {
        let text = one_trigger(CHANGED, "").replace("key: km", &format!("key: {key}"));
        text.replace("dataModelId: orders", &format!("dataModelId: {data_model}"))
    };
    house.publish(&on("one", "orders")).await;
    house.publish(&on("two", "others")).await;
    let (one, two) = (on("one", "others"), on("two", "orders"));
    let cross = async { tokio::join!(house.publish(&one), house.publish(&two)) };
    let crossed = tokio::time::timeout(std::time::Duration::from_secs(30), cross).await;
    crossed.expect("neither waits for the other");
    change(&house, "x", "5").await;
    house.mining().catch_up().await.expect("it follows");
    let signals = house.mining().counters().await.expect("figures").signals;
    assert_eq!((house.fired().await.len() as u64, signals), (2, 2), "each model fires on its new data model");
}

#[tokio::test]
async fn a_new_version_of_the_data_model_is_picked_up_silently() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    change(&house, "x", "1").await;
    // From now on the user is what a case is: all of them have seen a change.
    {
        let mut model = house.data_model.0.lock();
        model.version = 2;
        model.activity.case_column = "USER".into();
    }
    let text = one_trigger(CHANGED, "").replace(r#""EV_CASES"."CASE""#, r#""EV_CASES"."USER""#);
    house.mining().catch_up().await.expect("it follows");
    let fired = house.fired_text().await;
    expect!["2026-03-01T00:00:00.000Z 1 T/1/1\n"].assert_eq(&fired);
    house.publish(&text).await;
    change(&house, "y", "2").await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.fired_text().await, fired, "cid was known before");
    let matched = house.mining().matched("p.km", "T").await.expect("a trigger");
    assert_eq!(matched.iter().map(|one| one.identifier.as_str()).collect::<Vec<_>>(), ["ann", "cid"]);
}

#[tokio::test]
async fn a_wider_data_model_goes_on_without_loss() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    house.append("VENDOR", "ID\nv1").await;
    change(&house, "x", "1").await;
    {
        let mut model = house.data_model.0.lock();
        model.version = 2;
        model.tables.push("VENDOR".into());
    }
    house.mining().catch_up().await.expect("it follows");
    change(&house, "y", "7").await;
    house.mining().catch_up().await.expect("it follows");
    expect![[r"
        2026-03-01T00:00:00.000Z 1 T/1/1
        2026-03-01T00:00:00.000Z 7 T/7/1
    "]]
    .assert_eq(&house.fired_text().await);
    house.mining().query("p.km", r#"COUNT_TABLE("VENDOR")"#).await.expect("the new table is known");
}

#[tokio::test]
async fn a_model_that_cannot_be_followed_is_not_tried_in_a_circle() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    house.tables.consumers_are(&[1]).await;
    house.tables.broken.store(true, Ordering::SeqCst);
    let before = house.tables.reads.load(Ordering::SeqCst);
    // Commits come faster than it may be tried: the rests are a second and more.
    for number in 0..50 {
        change(&house, &format!("x{number}"), "5").await;
        assert_eq!(house.fired().await, []);
    }
    let tries = house.tables.reads.load(Ordering::SeqCst) - before;
    assert!((1..10).contains(&tries), "{tries} tries at 50 commits");
    house.tables.broken.store(false, Ordering::SeqCst);
    // A word from outside cuts the rest short.
    house.mining().post(house.data_model.now().id).changed.notify_one();
    house.tables.consumers_are(&[51]).await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.fired().await.len(), 1);
    stop.cancel();
    running.await.expect("it stops");
}

#[tokio::test]
async fn a_panic_in_an_evaluation_is_an_error_and_leaves_nothing_half_done() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let mining = house.mining();
    let post = mining.post(house.data_model.now().id);
    let guard = post.live.clone().lock_owned().await;
    let error = mining
        .with_live(guard, &post, |live| {
            live.models.clear();
            if live.models.is_empty() { panic!("a bug") } else { Ok(()) }
        })
        .await
        .map(drop)
        .expect_err("it panics");
    assert_eq!(error.to_string(), "the evaluation stopped unexpectedly: a bug");
    change(&house, "x", "5").await;
    mining.catch_up().await.expect("it was loaded anew");
    assert_eq!(house.fired().await.len(), 1);
}

#[tokio::test]
async fn a_log_without_rows_is_a_log() {
    let house = House::new(model(&["EV"], None, &[]));
    let columns = [("CASE", ColumnType::Text), ("ACT", ColumnType::Text), ("TS", ColumnType::Time)];
    let columns = columns.map(|(name, column_type)| (name.to_owned(), column_type));
    house.push("EV", Mode::Append, vec![Piece::Upsert(table(&columns, &[]))]).await;
    house.publish(&one_trigger(CHANGED, "")).await;
    house.append("EV", "CASE | ACT | TS:time\n1 | Change | 2026-03-01 11:00").await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.fired().await.len(), 1);
}

#[tokio::test]
async fn a_table_that_does_not_exist_yet_is_named_and_may_come() {
    let house = House::new(model(&["EV"], None, &[]));
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(CHANGED, "")).await.expect("a draft");
    let error = mining.publish(&actor(), "p.km").await.expect_err("there is no table");
    expect![[r#"data model "orders" cannot be loaded: table "EV" does not exist in its pool"#]]
        .assert_eq(&error.to_string());
    house.append("EV", "CASE | ACT | TS:time\n1 | Change | 2026-03-01 11:00").await;
    let publication = mining.publish(&actor(), "p.km").await.expect("now there is");
    assert_eq!(publication.triggers[0].matched, 1);
}

#[tokio::test]
async fn cases_that_are_due_at_one_instant_fire_at_it_each_once() {
    let house = house().await;
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 5 | Create | 2026-03-01 08:00 | ann").await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(STUCK, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 09:00").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    for instant in ["2026-03-01 10:00", "2026-03-01 10:01", "2026-03-01 10:01"] {
        house.set_clock("p.km", instant).await;
        house.restart();
    }
    expect![[r"
        2026-03-01T10:00:00.001Z 1 T/1/1
        2026-03-01T10:00:00.001Z 5 T/5/1
    "]]
    .assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn room_that_time_makes_goes_to_those_who_wait() {
    // Whoever changed within the last two hours; there is room for one.
    let recent = r"ORDER.LAST = 'Change' AND HOURS_BETWEEN(ORDER.SINCE, NOW()) < 2";
    let house = house().await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(recent, ", itemLimit: 1")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 11:00").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    change(&house, "x", "5").await;
    change(&house, "y", "6").await;
    mining.catch_up().await.expect("it follows");
    assert_eq!(house.fired().await, [], "case 2 is in the set");
    house.set_clock("p.km", "2026-03-01 12:30").await;
    expect!["2026-03-01T12:00:00.000Z 5 T/5/1\n"].assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn who_made_room_does_not_fire_again_before_it_left() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", itemLimit: 1, whenFull: REPLACE_EXISTING")).await;
    house.clock.set(at("2026-03-01 00:01"));
    change(&house, "x", "5").await;
    house.mining().catch_up().await.expect("it follows");
    let keys = async || house.fired().await.into_iter().map(|(_, _, key)| key).collect::<Vec<_>>();
    assert_eq!(keys().await, ["T/5/1"]);
    // Case 2 satisfies the trigger as before; neither a restart nor another of
    // its rows makes it enter.
    house.restart();
    house.mining().catch_up().await.expect("it follows");
    change(&house, "y", "2").await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(keys().await, ["T/5/1"]);
    // It leaves and comes back.
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\ny\nc"))]).await;
    house.mining().catch_up().await.expect("it follows");
    house.clock.set(at("2026-03-01 00:02"));
    change(&house, "z", "2").await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(keys().await, ["T/5/1", "T/2/2"]);
}

#[tokio::test]
async fn a_status_page_does_not_wait_for_an_evaluation() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let mining: Arc<_> = house.mining();
    let _busy = mining.post(house.data_model.now().id).live.clone().lock_owned().await;
    assert_eq!(mining.counters().await.expect("figures").cases_open, 2);
}

#[tokio::test]
async fn what_came_and_went_while_nobody_followed_fires_all_the_same() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    house.restart();
    change(&house, "x", "5").await;
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\nx"))]).await;
    change(&house, "y", "6").await;
    house.mining().catch_up().await.expect("it follows");
    let keys = async || house.fired().await.into_iter().map(|(_, _, key)| key).collect::<Vec<_>>();
    assert_eq!(keys().await, ["T/5/1", "T/6/1"]);
    let matched = house.mining().matched("p.km", "T").await.expect("a trigger");
    assert_eq!(matched.iter().map(|one| one.identifier.as_str()).collect::<Vec<_>>(), ["2", "6"]);

    // Where the past is forgotten, the head is all that there is.
    house.restart();
    change(&house, "z", "7").await;
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\nz"))]).await;
    let head = *house.tables.head(pool()).borrow();
    house.tables.forget(pool(), head);
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(keys().await, ["T/5/1", "T/6/1"]);
}
