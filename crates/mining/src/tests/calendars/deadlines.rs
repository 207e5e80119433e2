//! Conditions that go by working time know to the millisecond when they flip.

use std::sync::Arc;

use expect_test::expect;
use pools::Piece;
use proptest::prelude::*;

use super::super::{House, actor, model, rows, triggers};
use super::{DAY, MINUTE, any_minute, log, millis, shown};
use crate::evaluate::Evaluator;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::deadline::{Boundary, ClockUse, Course};
use crate::pql::plan::{Grain, Node, Program, Selection, Way};

/// A condition on cases, ready to be asked at instants.
struct Watched {
    log: Arc<EventLog>,
    program: Arc<Program>,
    selection: Selection,
    clock: ClockUse,
    node: Node,
}

impl Watched {
    fn new(log: &Arc<EventLog>, condition: &str) -> Self {
        let vocabulary = Vocabulary::default();
        let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
        let node = checker.condition(condition).expect("a condition");
        let target = Grain::Table(log.catalog().roles.case_table);
        let selection = Selection { target, conditions: vec![(node.clone(), Way::Down)] };
        let clock = ClockUse::of([&node]);
        Watched { log: log.clone(), program: Arc::new(checker.finish()), selection, clock, node }
    }

    fn truths(&self, now: i64) -> Vec<Option<bool>> {
        let evaluator = Evaluator::new(self.log.clone(), self.program.clone(), now);
        evaluator.everything(|scope| {
            let operand = scope.operand(&self.node, self.selection.target);
            (0..scope.length(self.selection.target)).map(|row| operand.truth(row)).collect()
        })
    }

    /// The next deadline of each case, as a watch arms it.
    fn deadlines(&self, now: i64) -> Vec<Option<i64>> {
        let evaluator = Evaluator::new(self.log.clone(), self.program.clone(), 0);
        let cases = self.log.case_count();
        let (by_case, all) =
            evaluator.everything(|scope| scope.next_changes(&self.selection, &self.clock.comparisons, now));
        assert_eq!(all, None, "each case has its own");
        (0..cases).map(|case| by_case.get(&case).copied()).collect()
    }
}

/// Conditions whose deadline is exact.
const CONDITIONS: [&str; 15] = [
    r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-16:30 TUESDAY 08:00-12:00 SATURDAY)) > 40"#,
    r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-16:30, 'Europe/Berlin')) >= 8.5"#,
    r#"MINUTES_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR(SUNDAY 01:00-04:00, 'Europe/Berlin')) = 180"#,
    r#"DAYS_BETWEEN(NOW(), PU_LAST("ORDERS", "EV"."TS"), WEEKDAY_CALENDAR(FRIDAY 20:00-06:00)) < PU_LAST("ORDERS", "EV"."H") / -10"#,
    r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR("SHIFTS"), "ORDERS"."VENDOR") > 33.3"#,
    r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), FACTORY_CALENDAR("FACTORY"."START", "FACTORY"."END")) > 8"#,
    r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), FACTORY_CALENDAR("FACTORY", "FACTORY"."SITE" = 'a')) < 1000"#,
    r#"ADD_MINUTES(NOW(), -90, WEEKDAY_CALENDAR(MONDAY 08:00-16:30 THURSDAY)) > PU_LAST("ORDERS", "EV"."TS")"#,
    r#"REMAP_TIMESTAMPS(NOW(), HOURS, WEEKDAY_CALENDAR(MONDAY 08:00-16:30)) - REMAP_TIMESTAMPS(PU_LAST("ORDERS", "EV"."TS"), HOURS, WEEKDAY_CALENDAR(MONDAY 08:00-16:30)) > 20"#,
    r#"WORKDAYS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-16:30 THURSDAY)) = 3"#,
    r#"TODAY() > ADD_DAYS(PU_LAST("ORDERS", "EV"."TS"), 3)"#,
    r#"ROUND_WEEK(NOW()) != ROUND_WEEK(PU_LAST("ORDERS", "EV"."TS"))"#,
    r#""ORDERS"."VALUE" * HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) > 100"#,
    r#"FLOOR(DAYS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW())) = 5"#,
    r#"CASE WHEN "ORDERS"."VENDOR" = 'de' THEN HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR(TUESDAY)) ELSE HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) END > 30"#,
];

#[test]
fn conditions_on_working_time_have_deadlines_of_their_own() {
    let log = log();
    for condition in CONDITIONS {
        let watched = Watched::new(&log, condition);
        assert_eq!(watched.clock.comparisons.len(), 1, "{condition}");
        assert_eq!(watched.clock.comparisons[0].1, Course::Monotone, "{condition}");
        assert!(watched.clock.boundaries.is_empty() && !watched.clock.irregular, "{condition}");
    }
    // The clock alone on one side is simpler still.
    let condition = r#"NOW() >= ADD_HOURS(PU_LAST("ORDERS", "EV"."TS"), 10, WEEKDAY_CALENDAR(MONDAY))"#;
    assert_eq!(Watched::new(&log, condition).clock.comparisons[0].1, Course::Linear(1.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The deadline is the millisecond at which the evaluator's answer flips:
    /// it has flipped there, and nowhere before.
    #[test]
    fn deadlines_are_exact(
        place in 0..CONDITIONS.len(),
        now in any_minute(),
        within in 0..MINUTE,
        between in prop::collection::vec(0.0..1.0, 12),
    ) {
        let log = log();
        let watched = Watched::new(&log, CONDITIONS[place]);
        let now = now + within;
        let answers = watched.truths(now);
        for (case, deadline) in watched.deadlines(now).into_iter().enumerate() {
            // Without a deadline it stays as it is, for the years at hand.
            let until = deadline.unwrap_or(now + 5 * 365 * DAY);
            prop_assert!(until > now);
            let stays = |instant: i64| watched.truths(instant)[case] == answers[case];
            for part in &between {
                let instant = now + ((until - now) as f64 * part) as i64;
                prop_assert!(instant >= until || stays(instant), "case {} at {}", case, shown(Some(instant)));
            }
            prop_assert!(stays(until - 1), "case {} before {}", case, shown(Some(until)));
            if deadline.is_some() {
                prop_assert!(!stays(until), "case {} at {}", case, shown(Some(until)));
            }
        }
    }

    /// Random shifts, hours and instants, against a walk over every minute.
    #[test]
    fn deadlines_agree_with_waiting(
        shifts in prop::collection::vec((0..7_usize, 0..24_u32, 0..60_u32, 0..24_u32), 1..4),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Sao_Paulo"]),
        hours in 0..30_u32,
        sign in prop::sample::select(vec![">", ">=", "=", "<"]),
        now in any_minute(),
    ) {
        let log = log();
        let shifts: Vec<String> = shifts.iter().map(|(day, begin, minute, end)| {
            format!("{} {begin:02}:{minute:02}-{end:02}:00", crate::pql::parse::WEEKDAYS[*day])
        }).collect();
        let condition = format!(
            r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR({}, '{zone}')) {sign} {hours}"#,
            shifts.join(" "),
        );
        let watched = Watched::new(&log, &condition);
        // All is to the minute here, so it flips at a minute or right behind.
        let answers = watched.truths(now);
        let deadlines = watched.deadlines(now);
        let mut open: Vec<usize> = (0..answers.len()).collect();
        let minutes = (1..2_000_i64).map(|minute| now + minute * MINUTE).flat_map(|minute| [minute, minute + 1]);
        for instant in minutes.chain([now + 1]) {
            let truths = watched.truths(instant);
            open.retain(|case| {
                let flipped = truths[*case] != answers[*case];
                assert!(!flipped || deadlines[*case].is_some_and(|at| at <= instant), "{condition} case {case}");
                if flipped && instant != now + 1 {
                    let before = watched.truths(deadlines[*case].expect("armed") - 1)[*case];
                    assert_eq!(before, answers[*case], "{condition} case {case}");
                }
                !flipped
            });
            if open.is_empty() {
                break;
            }
        }
        for case in open {
            assert!(deadlines[case].is_none_or(|at| at > now + 1_999 * MINUTE + 1), "{condition} case {case}");
        }
    }
}

#[tokio::test]
async fn a_trigger_waits_for_working_time() {
    // The cases begin on Sunday, 1 March, and nobody works before Monday.
    let house = triggers::house().await;
    let condition =
        "MINUTES_BETWEEN(ORDER.SINCE, NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-08:20 TUESDAY, 'Europe/Berlin')) > 30";
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &triggers::one_trigger(condition, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 10:30").await;
    let publication = mining.publish(&actor(), "p.km").await.expect("it fits");
    expect!["at each commit the cases that it touches; each case once more at the instant at which time alone changes its answer"]
        .assert_eq(&publication.triggers[0].cost);
    house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 1 | Pay | 2026-03-02 07:10 | ann").await;
    house.set_clock("p.km", "2026-03-03 12:00").await;
    expect![[r"
        2026-03-02T23:10:00.001Z 2 T/2/1
        2026-03-02T23:20:00.001Z 1 T/1/1
    "]]
    .assert_eq(&house.fired_text().await);
}

#[tokio::test]
async fn a_calendar_that_changes_arms_all_cases_anew() {
    let house = House::new(model(&["EV", "SHIFTS"], None, &[]));
    let shifts = "ID | WEEKDAY | SHIFT_BEGIN | SHIFT_END\ns | FRIDAY | 08:00 | 16:00";
    house.push("SHIFTS", triggers::keyed(), vec![Piece::Upsert(rows(shifts))]).await;
    let events = "ID | CASE | ACT | TS:time | USER\na | 1 | Create | 2026-03-01 08:00 | ann";
    house.push("EV", triggers::keyed(), vec![Piece::Upsert(rows(events))]).await;
    let mining = house.mining();
    let condition = r#"HOURS_BETWEEN(ORDER.SINCE, NOW(), WEEKDAY_CALENDAR("SHIFTS")) > 2"#;
    mining.put_draft(&actor(), "p", &triggers::one_trigger(condition, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 10:30").await;
    let publication = mining.publish(&actor(), "p.km").await.expect("it fits");
    expect!["at each commit the cases that it touches; when a working calendar changes, those that go by it; each case once more at the instant at which time alone changes its answer"].assert_eq(&publication.triggers[0].cost);
    // From Friday to Monday.
    house.append("SHIFTS", "ID | WEEKDAY | SHIFT_BEGIN | SHIFT_END\ns | MONDAY | 08:00 | 16:00").await;
    house.set_clock("p.km", "2026-03-08 00:00").await;
    expect!["2026-03-02T10:00:00.001Z 1 T/1/1\n"].assert_eq(&house.fired_text().await);
}

#[test]
fn what_comes_back_is_asked_at_boundaries() {
    let log = log();
    let boundaries = |condition: &str| {
        let watched = Watched::new(&log, condition);
        assert!(watched.clock.comparisons.is_empty(), "{condition}");
        let now = millis("2018-03-25 00:30");
        (shown(watched.clock.next_boundary(now)), watched.clock.irregular)
    };
    for (condition, next) in [
        ("HOUR_NOW() >= 9", "2018-03-25T01:00:00.000Z"),
        ("HOUR_NOW('Asia/Kathmandu') >= 9", "2018-03-25T01:15:00.000Z"),
        // The clocks change half an hour from now, and the day is an hour shorter.
        ("TODAY('Europe/Berlin') = {d '2018-03-25'}", "2018-03-25T01:00:00.000Z"),
        ("DAY_OF_WEEK(NOW()) = 1", "2018-03-26T00:00:00.000Z"),
        ("HOURS(CONVERT_TIMEZONE(NOW(), 'America/New_York')) = 1", "2018-03-25T01:00:00.000Z"),
        ("IN_CALENDAR(NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-16:30)) = 1", "2018-03-26T08:00:00.000Z"),
        ("DAY_OF_WEEK(TODAY()) IN (1, 2)", "2018-03-26T00:00:00.000Z"),
    ] {
        assert_eq!(boundaries(condition), (next.to_owned(), false), "{condition}");
    }
    let watched = Watched::new(&log, r#"ADD_MONTHS(NOW(), 1) > PU_LAST("ORDERS", "EV"."TS")"#);
    assert!(watched.clock.irregular && matches!(watched.clock.boundaries[..], [Boundary::Every(300_000)]));
}
