//! What a backtest says would have fired is what does fire, on the example of
//! this house and on small logs where one can count along.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::late_steps::{DATA_MODEL, MODEL, log, push};
use super::{House, actor, at, model};
use crate::Error;
use crate::backtest::{Backtest, BacktestWanted, EndSet, Occasion};
use pools::Mode;

fn shown(backtest: &Backtest) -> String {
    let mut text = format!(
        "{} to {}: {} commits, {} known before, {} match at the end\n",
        backtest.from, backtest.to, backtest.commits, backtest.known_before, backtest.matching
    );
    for one in &backtest.firings {
        let left = one.left_at.map_or(String::new(), |at| format!(" until {at}"));
        text += &format!("{} {} ({:?}, {}){left}\n", one.at, one.identifier, one.occasion, one.episode);
    }
    if let Some(score) = &backtest.score {
        text += &format!(
            "bad {}, warned {}, in time {}, false alarms {}, undecided {}, bad before {}\n",
            score.bad, score.warned, score.warned_in_time, score.false_alarms, score.undecided, score.bad_before
        );
        let lead = score.lead.map(|lead| (lead.count, lead.median / 3_600_000));
        text += &format!("precision {:?}, recall {:?}, lead (n, hours) {lead:?}\n", score.precision, score.recall);
    }
    text
}

#[tokio::test]
async fn a_backtest_fires_what_the_live_engine_fires() {
    let house = House::new(serde_json::from_str(DATA_MODEL).expect("a data model"));
    let lines = log();
    let start = at("2011-09-26T00:00:00Z");
    let split = lines.partition_point(|line| at(&line[4]) <= start);
    house.push("PurchaseEvents", Mode::Append, push(&lines[..split])).await;
    let mining = house.mining();
    mining.put_draft(&actor(), "purchase-to-pay", MODEL).await.expect("a draft");
    let name = "purchase-to-pay.late-steps";
    mining.set_clock(&actor(), name, start, 0.0).await.expect("the clock is set");
    mining.publish(&actor(), name).await.expect("it fits");
    let (mut now, mut next) = (start, split);
    while next < lines.len() {
        now = now.plus(Duration::from_hours(12));
        mining.set_clock(&actor(), name, now, 0.0).await.expect("the clock is set");
        let until = lines.partition_point(|line| at(&line[4]) <= now);
        if until > next {
            house.push("PurchaseEvents", Mode::Append, push(&lines[next..until])).await;
            mining.catch_up().await.expect("it follows");
            next = until;
        }
    }
    let live: Vec<String> = house.fired().await.iter().map(|(at, _, key)| format!("{at} {key}")).collect();

    let wanted =
        BacktestWanted { from: Some(start.as_millis()), every: Some(12 * 3_600_000), ..BacktestWanted::default() };
    let found = mining.backtest(name, "LONG_WAIT", wanted).await.expect("it is replayed");
    let mut replayed: Vec<(base::Timestamp, String)> =
        found.firings.iter().map(|one| (one.at, format!("LONG_WAIT/{}/{}", one.identifier, one.episode))).collect();
    replayed.sort();
    let replayed: Vec<String> = replayed.into_iter().map(|(at, key)| format!("{at} {key}")).collect();
    assert_eq!(replayed, live);
    assert_eq!((found.to, found.events, found.cases), (now, 9_119, 608));
    let matched = mining.matched(name, "LONG_WAIT").await.expect("a trigger");
    assert_eq!(found.matching, matched.len() as u64);
    let by_time = found.firings.iter().filter(|one| one.occasion == Occasion::Time).count();
    assert!(by_time > 10, "{by_time} of {}", found.firings.len());
    assert_eq!(found.per_day.iter().map(|(_, count)| count).sum::<u64>(), found.firings.len() as u64);
}

const EVENTS: &str = "
    CASE | ACT     | TS:time
    1    | Create  | 2026-03-01 08:00
    1    | Approve | 2026-03-01 09:00
    1    | Pay     | 2026-03-01 12:00
    2    | Create  | 2026-03-01 10:00
    2    | Approve | 2026-03-03 10:00
    2    | Pay     | 2026-03-03 11:00
    3    | Create  | 2026-03-02 00:00
    3    | Cancel  | 2026-03-03 12:00
    4    | Create  | 2026-03-03 00:00
";

const WAITS: &str = r#"
metadata: { key: waits }
dataModelId: orders
variables: [ { id: HOURS_MAX, value: 24 } ]
records:
  - id: ORDER
    pql: '"EV_CASES"'
    identifier: { id: ID, pql: '"EV_CASES"."CASE"' }
    attributes:
      - { id: STEPS, pql: 'PU_COUNT("EV_CASES", "EV"."ACT")' }
filters:
  - { id: OPEN, pql: "MATCH_ACTIVITIES(ENDING['Pay']) = 0" }
  - { id: WAITS, pql: 'HOURS_BETWEEN(PU_LAST("EV_CASES", "EV"."TS"), NOW()) > <%= HOURS_MAX %>' }
triggers:
  - { id: LONG, record: ORDER, filterIds: [OPEN, WAITS], outputs: [STEPS] }
"#;

async fn check(wanted: BacktestWanted, expected: &Expect) {
    let house = House::new(model(&["EV"], None, &[]));
    house.append("EV", EVENTS).await;
    house.mining().put_draft(&actor(), "p", WAITS).await.expect("a draft");
    let wanted = BacktestWanted { draft: true, ..wanted };
    let text = match house.mining().backtest("p.waits", "LONG", wanted).await {
        Ok(found) => shown(&found),
        Err(error) => error.to_string(),
    };
    assert!(house.fired().await.is_empty(), "a backtest sends nothing");
    expected.assert_eq(&text);
}

fn millis(text: &str) -> Option<i64> {
    Some(at(text).as_millis())
}

#[tokio::test]
async fn time_alone_fires_between_the_events() {
    check(
        BacktestWanted { to: millis("2026-03-05 00:00"), ..BacktestWanted::default() },
        &expect![[r"
            2026-03-01T07:59:59.999Z to 2026-03-05T00:00:00.000Z: 9 commits, 0 known before, 2 match at the end
            2026-03-02T10:00:00.001Z 2 (Time, 1) until 2026-03-03T10:00:00.000Z
            2026-03-03T00:00:00.001Z 3 (Time, 1) until 2026-03-03T12:00:00.000Z
            2026-03-04T00:00:00.001Z 4 (Time, 1)
            2026-03-04T12:00:00.001Z 3 (Time, 2)
        "]],
    )
    .await;
    // What matches when it begins is known; what comes after the end is not.
    check(
        BacktestWanted {
            from: millis("2026-03-02 12:00"),
            to: millis("2026-03-03 11:00"),
            ..BacktestWanted::default()
        },
        &expect![[r"
            2026-03-02T12:00:00.000Z to 2026-03-03T11:00:00.000Z: 3 commits, 1 known before, 1 match at the end
            2026-03-03T00:00:00.001Z 3 (Time, 1)
        "]],
    )
    .await;
    // One push a day, at midnight: deadlines are met in between all the same.
    check(
        BacktestWanted { from: millis("2026-03-01 00:00"), every: Some(24 * 3_600_000), ..BacktestWanted::default() },
        &expect![[r"
            2026-03-01T00:00:00.000Z to 2026-03-04T00:00:00.000Z: 3 commits, 0 known before, 0 match at the end
            2026-03-02T10:00:00.001Z 2 (Time, 1) until 2026-03-04T00:00:00.000Z
            2026-03-03T00:00:00.001Z 3 (Time, 1) until 2026-03-04T00:00:00.000Z
        "]],
    )
    .await;
}

#[tokio::test]
async fn signals_are_held_against_an_outcome() {
    // Order 2 takes more than 40 hours, which its signal told before; order 3
    // is not paid, which nobody says is bad; it is still open.
    check(
        BacktestWanted {
            to: millis("2026-03-05 00:00"),
            outcome: Some(r#"CALC_THROUGHPUT(CASE_START TO CASE_END, REMAP_TIMESTAMPS("EV"."TS", HOURS)) > 40"#.into()),
            ..BacktestWanted::default()
        },
        &expect![[r"
            2026-03-01T07:59:59.999Z to 2026-03-05T00:00:00.000Z: 9 commits, 0 known before, 2 match at the end
            2026-03-02T10:00:00.001Z 2 (Time, 1) until 2026-03-03T10:00:00.000Z
            2026-03-03T00:00:00.001Z 3 (Time, 1) until 2026-03-03T12:00:00.000Z
            2026-03-04T00:00:00.001Z 4 (Time, 1)
            2026-03-04T12:00:00.001Z 3 (Time, 2)
            bad 1, warned 1, in time 1, false alarms 0, undecided 2, bad before 0
            precision Some(1.0), recall Some(1.0), lead (n, hours) Some((1, 23))
        "]],
    )
    .await;
    check(
        BacktestWanted {
            to: millis("2026-03-05 00:00"),
            outcome: Some(r#""EV"."ACT" = 'Cancel'"#.into()),
            finished: Some("MATCH_ACTIVITIES(ENDING['Pay', 'Cancel']) = 1".into()),
            ..BacktestWanted::default()
        },
        &expect![[r"
            2026-03-01T07:59:59.999Z to 2026-03-05T00:00:00.000Z: 9 commits, 0 known before, 2 match at the end
            2026-03-02T10:00:00.001Z 2 (Time, 1) until 2026-03-03T10:00:00.000Z
            2026-03-03T00:00:00.001Z 3 (Time, 1) until 2026-03-03T12:00:00.000Z
            2026-03-04T00:00:00.001Z 4 (Time, 1)
            2026-03-04T12:00:00.001Z 3 (Time, 2)
            bad 1, warned 1, in time 1, false alarms 1, undecided 1, bad before 0
            precision Some(0.5), recall Some(1.0), lead (n, hours) Some((1, 11))
        "]],
    )
    .await;
}

#[tokio::test]
async fn wishes_take_the_place_of_what_the_model_says() {
    check(
        BacktestWanted { variables: [("HOURS_MAX".to_owned(), "47".to_owned())].into(), ..BacktestWanted::default() },
        &expect![[r"
            2026-03-01T07:59:59.999Z to 2026-03-03T12:00:00.000Z: 9 commits, 0 known before, 0 match at the end
            2026-03-03T09:00:00.001Z 2 (Time, 1) until 2026-03-03T10:00:00.000Z
        "]],
    )
    .await;
    check(
        BacktestWanted {
            to: millis("2026-03-06 00:00"),
            end_set: Some(EndSet::Activities(vec!["Pay".into(), "Cancel".into()])),
            ..BacktestWanted::default()
        },
        &expect![[r"
            2026-03-01T07:59:59.999Z to 2026-03-06T00:00:00.000Z: 9 commits, 0 known before, 1 match at the end
            2026-03-02T10:00:00.001Z 2 (Time, 1) until 2026-03-03T10:00:00.000Z
            2026-03-03T00:00:00.001Z 3 (Time, 1) until 2026-03-03T12:00:00.000Z
            2026-03-04T00:00:00.001Z 4 (Time, 1)
        "]],
    )
    .await;
    // Until then order 1 has ended with Pay, and 2 and 3 stand at Create, which
    // is all that can be known: of three cases two end there.
    check(
        BacktestWanted {
            from: millis("2026-03-02 01:00"),
            to: millis("2026-03-06 00:00"),
            end_set: Some(EndSet::Learned(0.4)),
            ..BacktestWanted::default()
        },
        &expect![[r"
            2026-03-02T01:00:00.000Z to 2026-03-06T00:00:00.000Z: 4 commits, 0 known before, 3 match at the end
            2026-03-02T12:00:00.001Z 1 (Time, 1)
            2026-03-04T11:00:00.001Z 2 (Time, 1)
            2026-03-04T12:00:00.001Z 3 (Time, 1)
        "]],
    )
    .await;
}

#[tokio::test]
async fn a_wish_that_cannot_be_met_is_told() {
    let wanted = BacktestWanted::default;
    check(
        BacktestWanted { outcome: Some("HOURS_MAX > ".into()), ..wanted() },
        &expect!["the outcome is no condition on the record: line 1, column 13: expected an expression, the text ends"],
    )
    .await;
    check(
        BacktestWanted { outcome: Some(r#""EV"."NOPE" = 1"#.into()), ..wanted() },
        &expect![[r#"the outcome is no condition on the record: line 1, column 1: table "EV" has no column "NOPE""#]],
    )
    .await;
    check(
        BacktestWanted { end_set: Some(EndSet::Learned(0.1)), ..wanted() },
        &expect![[r#"an end set is learned from what was known at "from"; say where that is"#]],
    )
    .await;
    check(
        BacktestWanted { variables: [("HOUR_MAX".into(), "1".into())].into(), ..wanted() },
        &expect![[r#"there is no variable "HOUR_MAX"; did you mean "HOURS_MAX"?"#]],
    )
    .await;
    check(
        BacktestWanted { from: millis("2026-03-05 00:00"), to: millis("2026-03-04 00:00"), ..wanted() },
        &expect![[r#""to" lies before "from""#]],
    )
    .await;
    check(BacktestWanted { every: Some(0), ..wanted() }, &expect![[r#""every" has to be longer than nothing"#]]).await;
    check(
        BacktestWanted { known_by: [("EV".into(), "WHEN".into())].into(), ..wanted() },
        &expect![[r#"table "EV" has no column "WHEN" to be known by"#]],
    )
    .await;
}

#[tokio::test]
async fn rows_are_known_when_their_time_comes() {
    let house =
        House::new(model(&["EV", "ORDERS", "VENDOR"], Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "VENDOR")]));
    house.append("EV", "CASE | ACT | TS:time\n 1 | Create | 2026-03-01 08:00\n 1 | Pay | 2026-03-04 08:00\n 2 | Create | 2026-03-02 08:00").await;
    house
        .append("ORDERS", "CASE | VENDOR | CHECKED:time\n 1 | v1 | 2026-03-03 00:00\n 2 | v1 | 2026-03-03 12:00")
        .await;
    house.append("VENDOR", "VENDOR | NAME\n v1 | Miller").await;
    // Two orders of one vendor at a time: all cases of a vendor hang together.
    let two = r#"
metadata: { key: two }
dataModelId: orders
records:
  - { id: VENDOR, pql: '"VENDOR"', identifier: { id: ID, pql: '"VENDOR"."VENDOR"' } }
filters:
  - { id: TWO, pql: 'PU_COUNT("VENDOR", "ORDERS"."CASE") > 1' }
triggers:
  - { id: TWO, record: VENDOR, filterIds: [TWO] }
"#;
    house.mining().put_draft(&actor(), "p", two).await.expect("a draft");
    let run = |known_by: &[(&str, &str)]| {
        let known_by = known_by.iter().map(|(table, column)| ((*table).to_owned(), (*column).to_owned())).collect();
        let wanted = BacktestWanted { draft: true, known_by, ..BacktestWanted::default() };
        let mining = house.mining();
        async move { shown(&mining.backtest("p.two", "TWO", wanted).await.expect("it is replayed")) }
    };
    expect![[r"
        2026-03-01T07:59:59.999Z to 2026-03-04T08:00:00.000Z: 3 commits, 0 known before, 1 match at the end
        2026-03-02T08:00:00.000Z v1 (Data, 1)
    "]]
    .assert_eq(&run(&[]).await);
    expect![[r"
        2026-03-01T07:59:59.999Z to 2026-03-04T08:00:00.000Z: 5 commits, 0 known before, 1 match at the end
        2026-03-03T12:00:00.000Z v1 (Data, 1)
    "]]
    .assert_eq(&run(&[("orders", "CHECKED")]).await);
}

#[tokio::test]
async fn a_backtest_can_be_stopped() {
    let house = House::new(model(&["EV"], None, &[]));
    house.append("EV", EVENTS).await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", WAITS).await.expect("a draft");
    assert!(mining.backtests().is_empty());
    assert!(matches!(mining.stop_backtest(7), Err(Error::UnknownBacktest { number: 7 })));
    // Before its first step it is asked to stop.
    let wanted = BacktestWanted { draft: true, ..BacktestWanted::default() };
    let mut run = Box::pin(mining.backtest("p.waits", "LONG", wanted));
    let pending = futures_poll(&mut run);
    if pending {
        for running in mining.backtests() {
            mining.stop_backtest(running.number).expect("it is under way");
        }
        drop(run);
    }
    assert!(mining.backtests().is_empty(), "whoever stops waiting gives up his place");
}

/// Polls once; true if it is not over.
fn futures_poll<F: Future>(future: &mut std::pin::Pin<Box<F>>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_pending()
}

const RANDOM: &str = r#"
metadata: { key: random }
dataModelId: orders
records:
  - { id: ORDER, pql: '"EV_CASES"', identifier: { id: ID, pql: '"EV_CASES"."CASE"' } }
filters:
  - { id: OPEN, pql: "MATCH_ACTIVITIES(ENDING['c']) = 0" }
  - { id: WAITS, pql: 'MINUTES_BETWEEN(PU_LAST("EV_CASES", "EV"."TS"), NOW()) > 30' }
  - id: LONGER
    pql: |
      MINUTES_BETWEEN(PU_LAST("EV_CASES", "EV"."TS"), NOW()) > PU_LAST("EV_CASES",
        PU_QUANTILE(DOMAIN_TABLE("EV"."ACT"), MINUTES_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.5),
        INDEX_ACTIVITY_ORDER_REVERSE("EV"."ACT") = 1)
  - { id: AGAIN, pql: 'PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = ''a'') > 1' }
triggers:
  - { id: WAITS, record: ORDER, filterIds: [OPEN, WAITS] }
  - { id: LONGER, record: ORDER, filterIds: [OPEN, LONGER] }
  - { id: AGAIN, record: ORDER, filterIds: [AGAIN] }
"#;

/// Any history, pushed live at its own instants, fires what a backtest of its
/// rows says: for local conditions, for those with a threshold shared by all
/// cases, and for the clock.
#[test]
fn any_history_is_replayed_as_it_was() {
    use proptest::prelude::*;

    let events = prop::collection::vec((0_u8..5, 0_usize..3, 0_i64..240), 1..40);
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    proptest::test_runner::TestRunner::new(config)
        .run(&events, |mut events| {
            events.sort_by_key(|(_, _, minute)| *minute);
            runtime.block_on(replayed_as_it_was(&events));
            Ok(())
        })
        .expect("the two agree");
}

async fn replayed_as_it_was(events: &[(u8, usize, i64)]) {
    let start = at("2026-03-01 00:00");
    let minute = |minutes: i64| start.plus(Duration::from_secs(minutes as u64 * 60));
    let text = |events: &[(u8, usize, i64)]| {
        let line =
            |(case, step, at): &(u8, usize, i64)| format!("{case} | {} | {}\n", ["a", "b", "c"][*step], minute(*at));
        let lines: String = events.iter().map(line).collect();
        format!("CASE | ACT | TS:time\n{lines}")
    };
    let house = House::new(model(&["EV"], None, &[]));
    // The first rows are known before anybody looks.
    let split = events.partition_point(|(.., at)| *at <= events[0].2);
    house.append("EV", &text(&events[..split])).await;
    let first = minute(events[0].2);
    let mining = house.mining();
    mining.put_draft(&actor(), "p", RANDOM).await.expect("a draft");
    mining.set_clock(&actor(), "p.random", first, 0.0).await.expect("the clock is set");
    mining.publish(&actor(), "p.random").await.expect("it fits");
    let mut rest = &events[split..];
    while let Some((.., now)) = rest.first() {
        mining.set_clock(&actor(), "p.random", minute(*now), 0.0).await.expect("the clock is set");
        let until = rest.partition_point(|(.., at)| at <= now);
        house.append("EV", &text(&rest[..until])).await;
        mining.catch_up().await.expect("it follows");
        rest = &rest[until..];
    }
    let end = minute(300);
    mining.set_clock(&actor(), "p.random", end, 0.0).await.expect("the clock is set");
    let live: Vec<String> = house.fired().await.iter().map(|(at, _, key)| format!("{at} {key}")).collect();
    let mut replayed = Vec::new();
    for trigger in ["WAITS", "LONGER", "AGAIN"] {
        let wanted =
            BacktestWanted { from: Some(first.as_millis()), to: Some(end.as_millis()), ..BacktestWanted::default() };
        let found = mining.backtest("p.random", trigger, wanted).await.expect("it is replayed");
        let line = |one: &crate::backtest::Firing| {
            (one.at, format!("{trigger}/{}/{}", one.identifier, one.episode), one.identifier.to_string())
        };
        replayed.extend(found.firings.iter().map(line));
    }
    replayed.sort_by(|one, other| (one.0, &one.2, &one.1).cmp(&(other.0, &other.2, &other.1)));
    let replayed: Vec<String> = replayed.into_iter().map(|(at, key, _)| format!("{at} {key}")).collect();
    assert_eq!(replayed, live);
}
