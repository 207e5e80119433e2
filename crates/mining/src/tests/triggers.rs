//! Triggers: who fires, when, and how often.

use std::fmt::Write as _;
use std::sync::Arc;

use base::error::Coded;
use expect_test::{Expect, expect};
use pools::{Mode, Piece};
use tokio_util::sync::CancellationToken;

use super::{House, actor, at, model, rows};
use crate::Class;

pub(super) const EVENTS: &str = "
    ID | CASE | ACT     | TS:time          | USER
    a  | 1    | Create  | 2026-03-01 08:00 | ann
    b  | 2    | Create  | 2026-03-01 09:00 | ben
    c  | 2    | Change  | 2026-03-01 10:00 | ann";

pub(super) fn keyed() -> Mode {
    Mode::Upsert { keys: vec!["ID".into()], keep_missing: false }
}

pub(super) async fn house() -> House {
    let house = House::new(model(&["EV"], None, &[]));
    house.push("EV", keyed(), vec![Piece::Upsert(rows(EVENTS))]).await;
    house
}

/// Writes a model with a record of cases and one trigger with one filter.
pub(super) fn one_trigger(filter: &str, more: &str) -> String {
    format!(
        r#"
kind: BASE
metadata: {{ key: km, displayName: Orders }}
dataModelId: orders
unknownKey: {{ is: kept }}
records:
  - id: ORDER
    pql: '"EV_CASES"'
    identifier: {{ id: CASE, pql: '"EV_CASES"."CASE"' }}
    attributes:
      - {{ id: LAST, pql: 'PU_LAST("EV_CASES", "EV"."ACT")' }}
      - {{ id: SINCE, pql: 'PU_LAST("EV_CASES", "EV"."TS")' }}
      - {{ id: EVENTS, pql: 'PU_COUNT("EV_CASES", "EV"."ACT")' }}
filters:
  - id: WANTED
    pql: |
      {filter}
triggers:
  - {{ id: T, record: ORDER, filterIds: [WANTED], outputs: [LAST, SINCE, EVENTS]{more} }}
"#
    )
}

/// Lifts the caps, for those who fire more than they let through.
pub(super) const UNCAPPED: &str = ", caps: { perCommit: null, perMinute: null }";

pub(super) const CHANGED: &str = r#"PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = 'Change') > 0"#;
pub(super) const STUCK: &str = r"HOURS_BETWEEN(ORDER.SINCE, NOW()) > 2 AND ORDER.LAST != 'Pay'";

#[tokio::test]
async fn a_case_fires_when_it_enters_and_again_when_it_comes_back() {
    let house = house().await;
    let publication = house.publish(&one_trigger(CHANGED, "")).await;
    assert_eq!(publication.triggers[0].class, Class::L);
    assert_eq!((publication.triggers[0].matched, house.fired().await.len()), (1, 0), "what matched before is known");

    let mining = house.mining();
    house
        .push(
            "EV",
            keyed(),
            vec![Piece::Upsert(rows("ID | CASE | ACT | TS:time | USER\nd | 1 | Change | 2026-03-01 11:00 | cid"))],
        )
        .await;
    mining.catch_up().await.expect("it follows");
    // The change turns out to be of another case, and comes back by a late row.
    house
        .push(
            "EV",
            keyed(),
            vec![Piece::Upsert(rows("ID | CASE | ACT | TS:time | USER\nd | 3 | Change | 2026-03-01 11:00 | cid"))],
        )
        .await;
    mining.catch_up().await.expect("it follows");
    house
        .push(
            "EV",
            keyed(),
            vec![Piece::Upsert(rows("ID | CASE | ACT | TS:time | USER\ne | 1 | Change | 2026-03-01 07:00 | cid"))],
        )
        .await;
    mining.catch_up().await.expect("it follows");
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\ne\nc"))]).await;
    mining.catch_up().await.expect("it follows");
    expect![[r"
        2026-03-01T00:00:00.000Z 1 T/1/1
        2026-03-01T00:00:00.000Z 1 T/1/2
        2026-03-01T00:00:00.000Z 3 T/3/1
    "]]
    .assert_eq(&house.fired_text().await);
    let matched = mining.matched("p.km", "T").await.expect("a trigger");
    assert_eq!(matched.iter().map(|one| one.identifier.as_str()).collect::<Vec<_>>(), ["3"]);
    assert_eq!(mining.counters().await.expect("figures").signals, 3);
}

#[tokio::test]
async fn an_event_shows_identifier_outputs_and_instant() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", fireExisting: true")).await;
    let fields: String =
        house.db.read("test.fields", |tx| tx.query("SELECT fields FROM outbox", base::args![])).await.expect("a read")
            [0]
        .get(0)
        .expect("a text");
    expect![[r#"CASE="2" LAST="Change" SINCE="2026-03-01T10:00:00.000Z" EVENTS=2 evaluatedAt="2026-03-01T00:00:00.000Z" reason="logic change""#]]
    .assert_eq(&fields);
}

#[tokio::test]
async fn a_case_fires_because_time_passes() {
    let house = house().await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(STUCK, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 10:30").await;
    let publication = mining.publish(&actor(), "p.km").await.expect("it fits");
    assert_eq!(publication.triggers[0].class, Class::T);
    expect!["at each commit the cases that it touches; each case once more at the instant at which time alone changes its answer"]
        .assert_eq(&publication.triggers[0].cost);
    assert_eq!(publication.triggers[0].matched, 1, "case 1 waits since 8");

    // Case 1 moves on before its time, pays, and is out of it; case 2 waits.
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 1 | Pay | 2026-03-01 10:29 | ann").await;
    house.set_clock("p.km", "2026-03-01 12:00").await;
    assert_eq!(house.fired().await, [], "exactly two hours are not more than two hours");
    house.set_clock("p.km", "2026-03-05 00:00").await;
    expect!["2026-03-01T12:00:00.001Z 2 T/2/1\n"].assert_eq(&house.fired_text().await);

    // Set back, nothing fires and nothing matches; then it happens once more.
    house.set_clock("p.km", "2026-03-01 11:00").await;
    assert_eq!(mining.matched("p.km", "T").await.expect("a trigger"), []);
    house.restart();
    house.set_clock("p.km", "2026-03-01 13:00").await;
    expect!["2026-03-01T12:00:00.001Z 2 T/2/1\n2026-03-01T12:00:00.001Z 2 T/2/2\n"]
        .assert_eq(&house.fired_text().await);
    let clock = house.mining().clock("p.km").await.expect("a clock");
    assert_eq!((clock.now, clock.speed), (at("2026-03-01 13:00"), Some(0.0)));
}

#[tokio::test]
async fn commits_are_evaluated_at_the_old_clock_and_deadlines_in_order() {
    let house = house().await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(STUCK, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 08:30").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    // Nobody has looked at this commit when the clock is set past it all.
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 4 | Create | 2026-03-01 05:00 | ann").await;
    house.set_clock("p.km", "2026-03-02 00:00").await;
    expect![[r"
        2026-03-01T08:30:00.000Z 4 T/4/1
        2026-03-01T10:00:00.001Z 1 T/1/1
        2026-03-01T12:00:00.001Z 2 T/2/1
    "]]
    .assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn the_wall_clock_fires_deadlines_too() {
    let house = house().await;
    house.clock.set(at("2026-03-01 09:30"));
    house.publish(&one_trigger(STUCK, "")).await;
    house.clock.set(at("2026-03-01 10:30"));
    house.mining().catch_up().await.expect("it follows");
    expect!["2026-03-01T10:00:00.001Z 1 T/1/1\n"].assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn a_crash_between_closures_loses_and_doubles_nothing() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, UNCAPPED)).await;
    let mut text = String::from("ID | CASE | ACT | TS:time | USER\n");
    for case in 1_000..3_500 {
        writeln!(text, "n{case} | {case} | Change | 2026-03-01 11:00 | ann").expect("a string takes it");
    }
    house.outbox.lock().calls_left.store(1, std::sync::atomic::Ordering::SeqCst);
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
    house.mining().catch_up().await.expect_err("the outbox breaks after the first closure");
    assert_eq!(house.fired().await.len(), 1_000);
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(house.fired().await.len(), 2_500, "a second one for a case would break the outbox's key");
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(house.fired().await.len(), 2_500);
}

#[tokio::test]
async fn a_crash_while_the_first_matches_are_noted_does_not_flood() {
    let house = house().await;
    let mut text = String::from("ID | CASE | ACT | TS:time | USER\n");
    for case in 1_000..3_500 {
        writeln!(text, "n{case} | {case} | Change | 2026-03-01 11:00 | ann").expect("a string takes it");
    }
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
    house.publish(&one_trigger(CHANGED, "")).await;
    // As if the process had died after the first of three closures.
    house
        .db
        .write("test.tear", |tx| {
            tx.execute("DELETE FROM mining_matched WHERE identifier > '2'", base::args![])?;
            tx.execute("UPDATE mining_triggers SET silent = 1", base::args![])
        })
        .await
        .expect("a write");
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(house.fired().await, []);
    assert_eq!(house.mining().matched("p.km", "T").await.expect("a trigger").len(), 2_501);
}

#[tokio::test]
async fn a_commit_looks_at_what_it_touches_and_no_more() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let before = house.mining().looked_at(house.data_model.now().id).await;
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 2 | Create | 2026-03-01 05:00 | ann").await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.mining().looked_at(house.data_model.now().id).await - before, 1);
}

#[tokio::test]
async fn a_replaced_table_fires_only_what_changed() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let text = format!("{EVENTS}\n    d  | 7    | Change  | 2026-03-01 10:00 | ann");
    house.push("EV", Mode::Replace, vec![Piece::Upsert(rows(&text))]).await;
    house.mining().catch_up().await.expect("it follows");
    expect!["2026-03-01T00:00:00.000Z 7 T/7/1\n"].assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn a_changed_logic_starts_silently_and_an_unchanged_one_goes_on() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let created = r#"PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = 'Create') > 0"#;
    let publication = house.publish(&one_trigger(created, "")).await;
    assert_eq!((publication.version, publication.triggers[0].matched, house.fired().await.len()), (2, 2, 0));
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 5 | Create | 2026-03-01 05:00 | ann").await;
    // The commit is durable before the same logic is published again.
    house.publish(&one_trigger(created, "")).await;
    expect!["2026-03-01T00:00:00.000Z 5 T/5/1\n"].assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn a_full_set_keeps_who_is_in_it() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", itemLimit: 2")).await;
    house
        .push(
            "EV",
            keyed(),
            vec![Piece::Upsert(rows(
                "ID | CASE | ACT    | TS:time          | USER
                 x  | 5    | Change | 2026-03-01 05:00 | ann
                 y  | 6    | Change | 2026-03-01 05:00 | ann",
            ))],
        )
        .await;
    house.mining().catch_up().await.expect("it follows");
    house.push("EV", keyed(), vec![Piece::Delete(rows("ID\nc"))]).await;
    house.mining().catch_up().await.expect("it follows");
    let keys: Vec<String> = house.fired().await.into_iter().map(|(_, _, key)| key).collect();
    assert_eq!(keys, ["T/5/1", "T/6/1"], "the second one waits until there is room");
}

#[tokio::test]
async fn the_background_follows_commits() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 5 | Change | 2026-03-01 05:00 | ann").await;
    let outbox = house.outbox.lock().clone();
    outbox.nudged.notified().await;
    assert_eq!(house.fired().await.len(), 1);
    stop.cancel();
    running.await.expect("it stops");
    assert!(Arc::strong_count(&house.mining()) > 0);
}

pub(super) async fn refused(text: &str, expected: &Expect) {
    let house = house().await;
    let mining = house.mining();
    let error = match mining.put_draft(&actor(), "p", text).await {
        Err(error) => error,
        Ok(draft) => mining.publish(&actor(), &draft.id).await.expect_err("it does not fit"),
    };
    expected.assert_eq(&format!("{}: {error}", error.code()));
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_refused_with_the_place() {
    refused(
        &one_trigger(r#"PU_COUNT("EV_CASES", "EV"."AKT") > 0"#, ""),
        &expect![[r#"knowledge-model-invalid: knowledge model "p.km", filters.WANTED (line 17): line 1, column 22: table "EV" has no column "AKT"; did you mean "ACT"?"#]],
    )
    .await;
    refused(
        &one_trigger(CHANGED, "").replace("record: ORDER", "record: ORDRE"),
        &expect![[r#"knowledge-model-invalid: knowledge model "p.km", triggers.T (line 19): there is no record "ORDRE"; did you mean "ORDER"?"#]],
    )
    .await;
    refused(
        &one_trigger(CHANGED, "").replace("dataModelId: orders", "dataModelId: ordres"),
        &expect![[r#"data-model-unknown: data model "ordres" does not exist"#]],
    )
    .await;
    refused("metadata: [", &expect!["knowledge-model-not-yaml: line 1, column 11: unclosed bracket '['"]).await;
    let house = house().await;
    let error = house.mining().query("p.none", "1").await.expect_err("there is no such model");
    assert_eq!(error.code(), "knowledge-model-unknown");
}
