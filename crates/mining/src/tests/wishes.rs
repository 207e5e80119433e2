//! What a trigger may ask for beyond its conditions: both ends of an episode, a
//! cooldown, shadow mode, caps, and who hears of a changed logic. And the cost:
//! who is looked at when.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use expect_test::expect;
use pools::Piece;

use super::triggers::{CHANGED, STUCK, UNCAPPED, house, keyed, one_trigger};
use super::{House, actor, at, rows};
use crate::Class;

async fn upsert(house: &House, lines: &str) {
    let text = format!("ID | CASE | ACT | TS:time | USER\n{lines}");
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
    house.mining().catch_up().await.expect("it follows");
}

async fn delete(house: &House, id: &str) {
    house.push("EV", keyed(), vec![Piece::Delete(rows(&format!("ID\n{id}")))]).await;
    house.mining().catch_up().await.expect("it follows");
}

async fn keys(house: &House) -> Vec<String> {
    let mut keys: Vec<String> = house.fired().await.into_iter().map(|(_, _, key)| key).collect();
    keys.sort();
    keys
}

async fn fields(house: &House, key: &str) -> String {
    let key = key.to_owned();
    let read =
        move |tx: &mut dyn base::db::Tx| tx.query("SELECT fields FROM outbox WHERE event_key = $1", base::args![&key]);
    house.db.read("test.fields", read).await.expect("a read")[0].get(0).expect("a text")
}

async fn looked_at(house: &House) -> u64 {
    house.mining().looked_at(house.data_model.now().id).await
}

#[tokio::test]
async fn both_ends_of_an_episode_fire_once_over_a_crash() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", fireOn: BOTH")).await;
    delete(&house, "c").await;
    upsert(&house, "d | 1 | Change | 2026-03-01 11:00 | cid").await;
    assert_eq!(keys(&house).await, ["T/1/1", "T/2/1/left"]);
    expect![[r#"CASE="2" LAST="Create" SINCE="2026-03-01T09:00:00.000Z" EVENTS=1 evaluatedAt="2026-03-01T00:00:00.000Z" reason="data" change="LEAVE""#]]
        .assert_eq(&fields(&house, "T/2/1/left").await);

    // A case that is gone has nothing to show but its name; the outbox breaks
    // before it is told, once.
    house.outbox.lock().crashed.store(true, Ordering::SeqCst);
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\na\nd"))]).await;
    house.mining().catch_up().await.expect_err("the outbox is broken");
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    expect![[r#"CASE="1" LAST=null SINCE=null EVENTS=null evaluatedAt="2026-03-01T00:00:00.000Z" reason="data" change="LEAVE""#]]
        .assert_eq(&fields(&house, "T/1/1/left").await);
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(keys(&house).await.len(), 3);
}

#[tokio::test]
async fn leaving_alone_may_fire() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", fireOn: LEAVE")).await;
    upsert(&house, "d | 1 | Change | 2026-03-01 11:00 | cid").await;
    assert_eq!(keys(&house).await, Vec::<String>::new());
    delete(&house, "d").await;
    assert_eq!(keys(&house).await, ["T/1/1/left"]);
}

#[tokio::test]
async fn who_comes_back_too_early_comes_without_a_signal() {
    let house = house().await;
    let mining = house.mining();
    let text = one_trigger(CHANGED, ", fireOn: BOTH, rearm: { after: ON_LEAVE, cooldownMinutes: 60 }");
    mining.put_draft(&actor(), "p", &text).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 12:00").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    for instant in ["2026-03-01 12:00", "2026-03-01 12:59", "2026-03-01 13:00"] {
        house.set_clock("p.km", instant).await;
        upsert(&house, "d | 1 | Change | 2026-03-01 11:00 | cid").await;
        house.restart();
        delete(&house, "d").await;
    }
    assert_eq!(keys(&house).await, ["T/1/1", "T/1/1/left", "T/1/3", "T/1/3/left"]);
}

#[tokio::test]
async fn a_trigger_in_the_shadow_records_and_sends_nothing() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", shadow: true")).await;
    upsert(&house, "d | 1 | Change | 2026-03-01 11:00 | cid").await;
    upsert(&house, "e | 3 | Change | 2026-03-01 11:00 | cid").await;
    assert_eq!(house.fired().await, []);
    let view = house.mining().triggers("p.km").await.expect("it is published").remove(0);
    assert_eq!((view.matched, view.fired, view.shadowed, view.shadow), (3, 0, 2, true));
    let shadows = house.mining().shadows("p.km", "T").await.expect("a trigger");
    assert_eq!(shadows.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["T/1/1", "T/3/1"]);
    // Out of the shadow, only what comes from now on fires.
    house.publish(&one_trigger(CHANGED, "")).await;
    upsert(&house, "f | 4 | Change | 2026-03-01 11:00 | cid").await;
    assert_eq!(keys(&house).await, ["T/4/1"]);
}

#[tokio::test]
async fn what_is_beyond_a_cap_is_held_and_sent_later_in_order() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", caps: { perCommit: 3, perMinute: 4 }")).await;
    let mut lines = String::new();
    for case in 10..18 {
        writeln!(lines, "n{case} | {case} | Change | 2026-03-01 11:00 | ann").expect("a string takes it");
    }
    let held = async || house.mining().triggers("p.km").await.expect("it is published").remove(0).held;
    upsert(&house, &lines).await;
    assert_eq!((keys(&house).await.len(), held().await), (3, 5), "three at the commit");
    house.clock.set(at("2026-03-01 00:00:02Z"));
    house.mining().catch_up().await.expect("it follows");
    assert_eq!((keys(&house).await.len(), held().await), (4, 4), "four in a minute");
    // A crash while they are sent loses and doubles none of them.
    house.restart();
    house.outbox.lock().crashed.store(true, Ordering::SeqCst);
    house.clock.set(at("2026-03-01 00:01"));
    house.mining().catch_up().await.expect_err("the outbox is broken");
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    house.clock.set(at("2026-03-01 00:03"));
    house.mining().catch_up().await.expect("it goes on");
    house.clock.set(at("2026-03-01 00:05"));
    house.mining().catch_up().await.expect("it goes on");
    let expected: Vec<String> = (10..18).map(|case| format!("T/{case}/1")).collect();
    assert_eq!((keys(&house).await, held().await), (expected, 0));
}

#[tokio::test]
async fn a_backfill_comes_in_portions_unless_the_caps_are_lifted() {
    let mut lines = String::new();
    for case in 1_000..3_500 {
        writeln!(lines, "n{case} | {case} | Change | 2026-03-01 11:00 | ann").expect("a string takes it");
    }
    let backfill = async |more: &str| {
        let house = house().await;
        upsert(&house, &lines).await;
        house.publish(&one_trigger(CHANGED, &format!(", fireExisting: true{more}"))).await;
        let mut seen = Vec::new();
        for second in 0..4 {
            house.clock.set(at(&format!("2026-03-01 00:00:0{second}Z")));
            house.mining().catch_up().await.expect("it follows");
            let held = house.mining().triggers("p.km").await.expect("it is published").remove(0).held;
            seen.push((house.fired().await.len() as u64, held));
        }
        seen
    };
    // One of those that were there before the backfill matches too.
    assert_eq!(backfill("").await, [(1_000, 1_501), (2_000, 501), (2_501, 0), (2_501, 0)]);
    assert_eq!(backfill(UNCAPPED).await, [(2_501, 0); 4]);
    let capped = backfill(", caps: { perMinute: 1200 }").await;
    assert_eq!(capped, [(1_000, 1_501), (1_200, 1_301), (1_200, 1_301), (1_200, 1_301)], "the other cap stays");
}

#[tokio::test]
async fn a_changed_logic_fires_if_it_is_asked_to() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let created = r#"PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = 'Create') > 0"#;
    let draft = one_trigger(created, "");
    house.mining().put_draft(&actor(), "p", &draft).await.expect("a draft");
    let preview = house.mining().preview("p.km").await.expect("it fits").remove(0);
    assert_eq!((preview.matching, preview.new, preview.leaving, preview.fires), (2, 1, 0, false));
    assert_eq!(house.mining().matched("p.km", "T").await.expect("a trigger").len(), 1, "nothing was done");
    let publication = house.publish(&one_trigger(created, ", onLogicChange: fire")).await;
    let preview = &publication.previews[0];
    assert_eq!((preview.matching, preview.new, preview.leaving, preview.fires), (2, 1, 0, true));
    assert_eq!(keys(&house).await, ["T/1/1"]);
    assert!(fields(&house, "T/1/1").await.ends_with(r#"reason="logic change""#));
    let changed = house.publish(&one_trigger(CHANGED, "")).await;
    let preview = &changed.previews[0];
    assert_eq!((preview.matching, preview.new, preview.leaving, preview.fires), (1, 0, 1, false));
}

#[tokio::test]
async fn a_trigger_may_ask_to_hear_of_rows_only() {
    let house = house().await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(STUCK, ", evaluate: ON_LOAD")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 08:30").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    house.set_clock("p.km", "2026-03-01 10:30").await;
    assert_eq!(house.fired().await, [], "case 1 waits since 8, but no row has come");
    upsert(&house, "x | 7 | Create | 2026-03-01 10:29 | ann").await;
    expect!["2026-03-01T10:30:00.000Z 1 T/1/1\n"].assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn rows_that_tell_of_something_earlier_are_late() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    upsert(&house, "d | 1 | Change | 2026-03-01 07:00 | cid").await;
    upsert(&house, "e | 3 | Change | 2026-03-01 07:00 | cid").await;
    assert!(fields(&house, "T/1/1").await.ends_with(r#"reason="late_data""#));
    assert!(fields(&house, "T/3/1").await.ends_with(r#"reason="data""#));
}

#[tokio::test]
async fn a_model_whose_evaluation_fails_does_not_hold_up_another() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    house.publish(&one_trigger(CHANGED, "").replace("key: km", "key: other")).await;
    let mining = house.mining();
    let post = mining.post(house.data_model.now().id);
    post.live.clone().lock_owned().await.as_mut().expect("it is loaded").models[0].breaks = true;
    upsert(&house, "d | 1 | Change | 2026-03-01 11:00 | cid").await;
    let by_model = async |model: &'static str| {
        let read =
            move |tx: &mut dyn base::db::Tx| tx.query("SELECT fields FROM outbox WHERE model = $1", base::args![model]);
        house.db.read("test.fired", read).await.expect("a read").len()
    };
    assert_eq!((by_model("p.km").await, by_model("p.other").await), (0, 1));
    assert_eq!(mining.detached(), [("p.km".to_owned(), "a test broke it".to_owned())]);
    upsert(&house, "e | 3 | Change | 2026-03-01 11:00 | cid").await;
    assert_eq!((by_model("p.km").await, by_model("p.other").await), (0, 2));
    house.clock.set(at("2026-03-01 00:01"));
    mining.catch_up().await.expect("it follows");
    assert_eq!((by_model("p.km").await, by_model("p.other").await), (2, 2));
    assert_eq!(mining.detached(), []);
}

#[tokio::test]
async fn what_is_evaluated_whole_has_a_pace_of_its_own() {
    let house = house().await;
    // How many cases wait is a figure that moves with the clock.
    let crowd = r#"PU_COUNT(CONSTANT(), "EV_CASES"."CASE", HOURS_BETWEEN(ORDER.SINCE, NOW()) > 2) > 1"#;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(crowd, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 09:00").await;
    let trigger = mining.publish(&actor(), "p.km").await.expect("it fits").triggers.remove(0);
    assert_eq!(trigger.class, Class::F);
    expect!["all cases, in the background after a commit, at most every 5 seconds and at most a twentieth of the time, because it depends on more than can be followed row by row"]
        .assert_eq(&trigger.cost);
    house.set_clock("p.km", "2026-03-01 12:00").await;
    mining.catch_up().await.expect("it follows");
    assert_eq!(house.fired().await, [], "only case 1 waits for more than two hours");
    house.set_clock("p.km", "2026-03-01 12:30").await;
    mining.catch_up().await.expect("it follows");
    assert_eq!(house.fired().await, [], "it rests");
    house.clock.set(at("2026-03-01 00:01"));
    mining.catch_up().await.expect("it follows");
    expect![[r"
        2026-03-01T12:30:00.000Z 1 T/1/1
        2026-03-01T12:30:00.000Z 2 T/2/1
    "]]
    .assert_eq(&house.fired_text().await);
}

/// A log of many cases in ten steps, all waiting.
async fn crowd() -> House {
    let house = house().await;
    let mut text = String::from("ID | CASE | ACT | TS:time | USER\n");
    for case in 100..400 {
        let (step, hour, minute) = (case % 10, case / 60, case % 60);
        writeln!(text, "a{case} | {case} | S{step} | 2026-03-01 {hour:02}:{minute:02} | ann")
            .expect("a string takes it");
        let wait = case % 7;
        let hour = hour + wait;
        writeln!(text, "b{case} | {case} | W{step} | 2026-03-01 {hour:02}:{minute:02} | ann")
            .expect("a string takes it");
    }
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
    house
}

#[tokio::test]
async fn a_figure_of_everything_asks_only_whom_it_passes() {
    let house = crowd().await;
    let slow = r#"CALC_THROUGHPUT(CASE_START TO CASE_END, REMAP_TIMESTAMPS("EV"."TS", MINUTES)) * 1.0 >
        PU_QUANTILE(CONSTANT(), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")) * 60.0, 0.5)"#;
    let trigger = house.publish(&one_trigger(slow, "")).await.triggers.remove(0);
    assert_eq!(trigger.class, Class::T);
    expect!["at each commit the cases that it touches; when a shared figure moves, those that it passes"]
        .assert_eq(&trigger.cost);
    let before = looked_at(&house).await;
    upsert(&house, "x | 100 | S0 | 2026-03-01 03:00 | ann").await;
    // The median stays at three hours, or moves past nobody.
    assert_eq!(looked_at(&house).await - before, 1, "the touched one");
}

#[tokio::test]
async fn a_step_whose_figure_moves_asks_only_whom_it_passes() {
    let house = crowd().await;
    let late = r#"ORDER.LAST != 'Pay' AND HOURS_BETWEEN(ORDER.SINCE, NOW()) >
        PU_LAST("EV_CASES", PU_MAX(DOMAIN_TABLE("EV"."ACT"), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS"))),
            INDEX_ACTIVITY_ORDER_REVERSE("EV"."ACT") = 1)"#;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(late, ", itemLimit: 1000")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 13:00").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    // Ten waits of one hour and of nine: the figure of W1 moves from nothing to
    // one hour, which asks all that wait there; then to nine.
    let before = looked_at(&house).await;
    upsert(&house, "x | 101 | Pay | 2026-03-01 08:41 | ann").await;
    assert_eq!(looked_at(&house).await - before, 30, "the touched one, and 29 more that wait at W1");
    let before = looked_at(&house).await;
    upsert(&house, "y | 111 | Pay | 2026-03-01 18:51 | ann").await;
    let moved = looked_at(&house).await - before;
    assert!(moved < 30, "{moved}: those who wait longer than before and shorter than now");
    let (before, fired) = (looked_at(&house).await, house.fired().await.len());
    house.set_clock("p.km", "2026-03-01 23:59").await;
    let (due, fired) = (looked_at(&house).await - before, house.fired().await.len() - fired);
    assert!(fired > 5 && due <= 3 * fired as u64, "{due} looked at, {fired} fired because time passed");
}

#[tokio::test]
async fn a_condition_of_a_group_asks_its_cases_only_when_it_turns() {
    let house = crowd().await;
    let busy = r#"PU_SUM("EV_CASES", BIND("EV", PU_COUNT(DOMAIN_TABLE("EV"."ACT"), "EV"."ACT"))) > 0 AND
        PU_LAST("EV_CASES", PU_COUNT(DOMAIN_TABLE("EV"."USER"), "EV"."ACT") , "EV"."ACT" != 'x') > 0"#;
    // Readers of several figures are asked when one of them moves; no more.
    let trigger = house.publish(&one_trigger(busy, "")).await.triggers.remove(0);
    assert_eq!(trigger.class, Class::K);
    let crowded = r#"PU_COUNT(CONSTANT(), "EV"."ACT") > 100"#;
    let trigger = house.publish(&one_trigger(crowded, "")).await.triggers.remove(0);
    assert_eq!(trigger.class, Class::K);
    expect!["at each commit the cases that it touches; those of a group whose shared condition turns"]
        .assert_eq(&trigger.cost);
    let before = looked_at(&house).await;
    upsert(&house, "x | 100 | S0 | 2026-03-01 03:00 | ann").await;
    assert_eq!(looked_at(&house).await - before, 1);
}
