//! Working calendars: what they answer, against counting millisecond by
//! millisecond would be too slow, minute by minute is not; and the deadlines of
//! conditions that go by them.

use std::sync::Arc;

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use pools::Piece;
use proptest::prelude::*;

use super::{House, actor, at, model, rows, triggers};
use crate::calendar::Calendar;
use crate::evaluate::{Evaluator, answer};
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::deadline::{Boundary, ClockUse, Course};
use crate::pql::plan::{Grain, Node, Program, Selection, Way};
use crate::value::Value;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").expect("it is known")
}

fn office(zone: TimeZone) -> Calendar {
    Calendar::weekly((0..5).map(|day| (day, 8 * HOUR, 16 * HOUR)), zone)
}

fn millis(text: &str) -> i64 {
    at(text).as_millis()
}

fn shown(millis: Option<i64>) -> String {
    millis.map_or("nothing".to_owned(), |millis| base::Timestamp::from_millis(millis).to_string())
}

#[test]
fn time_passes_only_at_work() {
    let office = office(TimeZone::UTC);
    for (from, to, hours) in [
        ("2026-03-02 08:00", "2026-03-02 12:00", 4.0),
        ("2026-03-02 07:00", "2026-03-02 18:00", 8.0),
        ("2026-03-06 15:00", "2026-03-09 09:00", 2.0),
        ("2026-03-07 00:00", "2026-03-08 23:00", 0.0),
        ("2026-03-09 09:00", "2026-03-06 15:00", -2.0),
        ("1960-01-01 00:00", "1960-01-08 00:00", 40.0),
        ("2026-01-01 00:00", "2027-01-01 00:00", 261.0 * 8.0),
    ] {
        let found = office.between(millis(from), millis(to)).expect("it knows all times") as f64 / HOUR as f64;
        assert!((found - hours).abs() < 1e-9, "{from} to {to}: {found}");
    }
}

#[test]
fn the_end_of_a_shift_is_the_begin_of_the_next() {
    let office = office(TimeZone::UTC);
    for (from, hours, to) in [
        ("2026-03-02 08:00", 4, "2026-03-02T12:00:00.000Z"),
        ("2026-03-02 08:00", 8, "2026-03-03T08:00:00.000Z"),
        ("2026-03-06 15:00", 2, "2026-03-09T09:00:00.000Z"),
        ("2026-03-07 12:00", 0, "2026-03-09T08:00:00.000Z"),
        ("2026-03-07 12:00", 1, "2026-03-09T09:00:00.000Z"),
        ("2026-03-03 08:00", -8, "2026-03-02T08:00:00.000Z"),
        ("2026-03-09 09:00", -2, "2026-03-06T15:00:00.000Z"),
    ] {
        assert_eq!(shown(office.add(millis(from), hours * HOUR)), to, "{from} and {hours} h");
    }
}

#[test]
fn an_hour_that_clocks_skip_is_not_worked_and_one_they_repeat_is_twice() {
    let always = Calendar::weekly((0..7).map(|day| (day, 0, DAY)), berlin());
    let nights = Calendar::weekly((0..7).map(|day| (day, HOUR, 4 * HOUR)), berlin());
    // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
    for (begin, end, day, night) in [
        ("2026-03-28 23:00", "2026-03-29 22:00", 23, 2),
        ("2026-10-24 22:00", "2026-10-25 23:00", 25, 4),
        ("2026-07-01 22:00", "2026-07-02 22:00", 24, 3),
    ] {
        assert_eq!(always.between(millis(begin), millis(end)), Some(day * HOUR), "{begin}");
        assert_eq!(nights.between(millis(begin), millis(end)), Some(night * HOUR), "{begin}");
    }
    let office = office(berlin());
    // From Friday afternoon in winter to Monday in summer: 08:00 is 06:00 UTC.
    assert_eq!(shown(office.add(millis("2026-03-27 14:00"), 2 * HOUR)), "2026-03-30T07:00:00.000Z");
    assert_eq!(office.workdays_between(millis("2026-03-27 23:30"), millis("2026-03-30 22:30")), Some(1));
}

#[test]
fn a_night_shift_ends_on_the_next_day() {
    let nights = Calendar::weekly([(6, 22 * HOUR, 6 * HOUR)], TimeZone::UTC);
    let (sunday, monday) = (millis("2026-03-08 00:00"), millis("2026-03-09 00:00"));
    assert_eq!(nights.between(sunday, sunday + DAY), Some(2 * HOUR));
    assert_eq!(nights.between(monday, monday + DAY), Some(6 * HOUR));
    // It is a shift of Sunday.
    assert_eq!(nights.workdays_between(sunday, sunday + 7 * DAY), Some(1));
    assert_eq!(nights.workdays_between(monday, monday + DAY), Some(0));
}

#[test]
fn exact_intervals_are_known_for_whole_years() {
    let factory = Calendar::intervals(vec![
        (millis("2026-03-02 08:00"), millis("2026-03-02 12:00")),
        (millis("2026-03-02 10:00"), millis("2026-03-02 14:00")),
        (millis("2026-03-05 08:00"), millis("2026-03-05 09:00")),
    ]);
    let year = (millis("2026-01-01 00:00"), millis("2026-12-31 23:59"));
    assert_eq!(factory.between(year.0, year.1), Some(7 * HOUR));
    assert_eq!(factory.between(year.0 - 1, year.1), None);
    assert_eq!(shown(factory.add(millis("2026-03-02 08:00"), 6 * HOUR)), "2026-03-05T08:00:00.000Z");
    assert_eq!(shown(factory.add(millis("2026-03-02 08:00"), 7 * HOUR)), "2026-03-05T09:00:00.000Z");
    assert_eq!(shown(factory.add(millis("2026-03-02 08:00"), 8 * HOUR)), "nothing");
    assert_eq!(factory.workdays_between(year.0, year.1), Some(2));
    assert_eq!(shown(factory.add_workdays(millis("2026-03-01 17:00"), 0)), "2026-03-02T17:00:00.000Z");
    assert_eq!(shown(factory.add_workdays(millis("2026-03-02 17:00"), 1)), "2026-03-05T17:00:00.000Z");
    assert_eq!(shown(factory.add_workdays(millis("2026-03-02 17:00"), 2)), "nothing");
    assert_eq!(Calendar::intervals(Vec::new()).between(0, 0), None);
}

fn any_weekly() -> impl Strategy<Value = Calendar> {
    let minute = (0..=24 * 60_i64).prop_map(|minute| minute * MINUTE);
    let shifts = prop::collection::vec((0..7_usize, minute.clone(), minute), 0..6);
    let zone = prop_oneof![Just(TimeZone::UTC), Just(berlin()), Just(TimeZone::get("America/Sao_Paulo").unwrap())];
    (shifts, zone).prop_map(|(shifts, zone)| Calendar::weekly(shifts, zone))
}

/// Instants of 2017 (when Sao Paulo still changed its clocks at midnight) and
/// 2018, to the minute.
fn any_minute() -> impl Strategy<Value = i64> {
    (0..2 * 365 * 24 * 60_i64).prop_map(|minute| 1_483_228_800_000 + minute * MINUTE)
}

fn any_calendar() -> impl Strategy<Value = Calendar> {
    let interval = (any_minute(), 0..3 * DAY / MINUTE).prop_map(|(begin, minutes)| (begin, begin + minutes * MINUTE));
    let factory = prop::collection::vec(interval, 1..6).prop_map(Calendar::intervals);
    let one = prop_oneof![any_weekly(), factory];
    (one.clone(), prop::option::of(one)).prop_map(|(one, other)| match other {
        Some(other) => one.intersect(&other),
        None => one,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sums and lookups agree with asking minute by minute.
    #[test]
    fn sums_agree_with_counting(calendar in any_calendar(), from in any_minute(), minutes in 0..6_000_i64) {
        let to = from + minutes * MINUTE;
        let counted = (0..minutes).filter(|minute| calendar.covers(from + minute * MINUTE)).count() as i64;
        prop_assert_eq!(calendar.before(to) - calendar.before(from), counted * MINUTE);
        // From number to instant and back.
        let number = calendar.before(from);
        if let Some(instant) = calendar.at(number) {
            prop_assert!(calendar.covers(instant));
            prop_assert_eq!(calendar.before(instant), number);
            prop_assert!(instant >= from);
        }
        if let Some(edge) = calendar.next_edge(from) {
            let is_other = |instant: i64| calendar.covers(instant) != calendar.covers(from);
            prop_assert!(edge > from && (edge - from > 30 * DAY || is_other(edge)), "{} {}", from, edge);
            let steps = ((edge - from) / MINUTE).min(20_000);
            prop_assert!((0..steps).all(|minute| !is_other(from + minute * MINUTE)));
        }
    }

    /// An intersection is worked when both are.
    #[test]
    fn both_have_to_work(one in any_weekly(), other in any_calendar(), instant in any_minute()) {
        let both = one.intersect(&other);
        if both.knows(instant) && other.knows(instant) {
            prop_assert_eq!(both.covers(instant), one.covers(instant) && other.covers(instant));
        }
    }
}

/// Three orders with a last event, and calendars in tables.
fn log() -> Arc<EventLog> {
    let events = rows(
        "CASE | ACT    | TS:time          | USER | H:float
         1    | Create | 2018-03-02 13:30 | ann  | 3
         2    | Create | 2018-03-23 15:10 | ben  | 40
         3    | Create | 2018-10-27 01:20 | ann  | -
         4    | Create | 2018-12-30 12:00 | cid  | 7.5",
    );
    let orders = rows(
        "CASE | VENDOR | VALUE:int
         1    | de     | 2
         2    | br     | -3
         3    | -      | 1
         4    | de     | 5",
    );
    let shifts = rows(
        "IDENT | WEEKDAY | SHIFT_BEGIN | SHIFT_END
         de    | MONDAY  | 08:00       | 16:30
         de    | tuesday | 08:00       | 12:00
         de    | FRIDAY  | 12:00       | 12:00
         br    | SUNDAY  | 22:00       | 06:00
         br    | FRIDAY  | 00:00       | 24:00",
    );
    let factory = rows(
        "START:time       | END:time         | SITE
         2018-03-05 08:00 | 2018-03-05 17:00 | a
         2018-03-07 08:00 | 2018-03-07 12:00 | a
         2018-03-07 10:00 | 2018-03-08 00:00 | b
         2018-11-01 00:00 | 2018-11-03 00:00 | a",
    );
    let tfacs = rows(
        "IDENT | JAHR:int | MON01 | MON02 | MON03                           | MON04 | MON05 | MON06 | MON07 | MON08 | MON09 | MON10 | MON11 | MON12
         X     | 2018     | 1     | 01    | 1100111110011111001111100111110 | 0     | 0     | 0     | 0     | 0     | 0     | 0     | 0     | 0000000000000000000000000000011",
    );
    let model = model(&["EV", "ORDERS", "SHIFTS", "FACTORY", "TFACS"], Some("ORDERS"), &[]);
    let loaded = [events, orders, shifts, factory, tfacs].map(|rows| (rows, Vec::new()));
    Arc::new(EventLog::new(&model, &loaded, 1).expect("it loads"))
}

fn check(pql: &str, expected: &Expect) {
    let log = log();
    let vocabulary = Vocabulary::default();
    let text = match Checker::new(log.catalog().clone(), &vocabulary).query(pql) {
        Ok(plan) => {
            let answer = answer(log, &plan, millis("2018-03-09 12:00"));
            let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ") + "\n";
            answer.rows.iter().map(line).collect()
        }
        Err(faults) => faults.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn calendars_in_tables_are_chosen_by_ident() {
    check(
        r#""ORDERS"."VENDOR", "EV"."TS", HOURS_BETWEEN("EV"."TS", ADD_DAYS("EV"."TS", 7), WEEKDAY_CALENDAR("SHIFTS"), "ORDERS"."VENDOR"),
           IN_CALENDAR("EV"."TS", WEEKDAY_CALENDAR("SHIFTS"), "ORDERS"."VENDOR"),
           HOURS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR("SHIFTS"))"#,
        &expect![[r"
            de | 2018-03-02T13:30:00.000Z | 12.5 | 0 | NULL
            br | 2018-03-23T15:10:00.000Z | 32.0 | 1 | NULL
            NULL | 2018-10-27T01:20:00.000Z | NULL | NULL | NULL
            de | 2018-12-30T12:00:00.000Z | 12.5 | 0 | NULL
        "]],
    );
    check(
        r#""EV"."TS", HOURS_BETWEEN("EV"."TS", {ts '2018-12-31 00:00'}, FACTORY_CALENDAR("FACTORY"."START", "FACTORY"."END")),
           HOURS_BETWEEN("EV"."TS", {ts '2018-12-31 00:00'}, FACTORY_CALENDAR("FACTORY", "FACTORY"."SITE" = 'a')),
           WORKDAYS_BETWEEN("EV"."TS", {d '2018-12-31'}, WORKDAY_CALENDAR("TFACS", 'X')),
           ADD_WORKDAYS(WORKDAY_CALENDAR("TFACS"), "EV"."TS", 1),
           ADD_HOURS("EV"."TS", 5, INTERSECT(WEEKDAY_CALENDAR(MONDAY TUESDAY WEDNESDAY 09:00-11:00), FACTORY_CALENDAR("FACTORY")))"#,
        &expect![[r"
            2018-03-02T13:30:00.000Z | 73.0 | 61.0 | 22 | 2018-03-05T13:30:00.000Z | 2018-03-05T13:00:00.000Z
            2018-03-23T15:10:00.000Z | 48.0 | 48.0 | 7 | 2018-03-26T15:10:00.000Z | NULL
            2018-10-27T01:20:00.000Z | 48.0 | 48.0 | 1 | 2018-12-31T01:20:00.000Z | NULL
            2018-12-30T12:00:00.000Z | 0.0 | 0.0 | 1 | 2018-12-31T12:00:00.000Z | NULL
        "]],
    );
}

#[test]
fn mistakes_with_calendars() {
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), FACTORY_CALENDAR("FACTORY", "FACTORY"."END" < NOW()))"#,
        &expect!["line 1, column 61: a calendar cannot depend on the clock"],
    );
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-25:00))"#,
        &expect!["line 1, column 63: a time of day goes from 00:00 to 24:00"],
    );
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR(MONDY 08:00-16:00))"#,
        &expect![[r#"line 1, column 50: there is no day "MONDY"; did you mean "MONDAY"?"#]],
    );
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR("ORDERS"))"#,
        &expect![[r#"line 1, column 50: table "ORDERS" has no column "WEEKDAY""#]],
    );
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), "EV"."TS")"#,
        &expect![
            "line 1, column 33: expected a calendar, as in WEEKDAY_CALENDAR(MONDAY 08:00-16:00 TUESDAY 08:00-16:00)"
        ],
    );
    check(
        r#"MONTHS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR(MONDAY))"#,
        &expect![
            "line 1, column 1: MONTHS_BETWEEN goes by no calendar: months and years of working time have no length"
        ],
    );
    check(
        "WEEKDAY_CALENDAR(MONDAY)",
        &expect![
            "line 1, column 1: WEEKDAY_CALENDAR can stand only as the calendar of another operator, as in HOURS_BETWEEN(a, b, WEEKDAY_CALENDAR(…))"
        ],
    );
    check(
        r#"HOURS_BETWEEN("EV"."TS", NOW(), WEEKDAY_CALENDAR(MONDAY, 'Europe/Berln'))"#,
        &expect![[r#"line 1, column 58: there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?"#]],
    );
}

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
