//! Schedules as examples. 2026-01-01 is a Thursday; clocks in Berlin move on
//! 29 March at 02:00 and on 25 October at 03:00.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an example is a date and time")
}

/// Shows the first four times after `after`.
fn check(schedule: &str, after: &str, expected: Expect) {
    let shown = match Schedule::parse(schedule) {
        Ok(schedule) => show(&schedule, after),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

fn show(schedule: &Schedule, after: &str) -> String {
    let mut times = Vec::new();
    let mut last = at(after);
    while times.len() < 4 {
        let Some(next) = schedule.next_after(last) else {
            times.push("never".into());
            break;
        };
        times.push(next.to_string().replace(":00.000Z", "Z"));
        last = next;
    }
    times.join(" ")
}

fn check_cron(cron: &str, zone: &str, after: &str, expected: Expect) {
    expected.assert_eq(&show(&Schedule::cron(cron, zone).expect("a cron text"), after));
}

#[test]
fn what_has_no_time_never_happens_by_itself() {
    check(r#"{"type": "immediately"}"#, "2026-01-01T00:00:00Z", expect!["never"]);
    check(r#"{"type": "on-demand"}"#, "2026-01-01T00:00:00Z", expect!["never"]);
}

#[test]
fn an_interval_keeps_its_beat_however_late_one_asks() {
    check(
        r#"{"type": "indefinitely", "interval": 900}"#,
        "2026-01-01T00:01:02Z",
        expect!["2026-01-01T00:15Z 2026-01-01T00:30Z 2026-01-01T00:45Z 2026-01-01T01:00Z"],
    );
    // The editor's quarter of an hour, if nothing is said.
    assert_eq!(Schedule::parse(r#"{"type": "indefinitely"}"#), Schedule::every(900));
    let schedule = Schedule::every(900).expect("a quarter of an hour").anchored_at(at("2026-01-01T00:07:00Z"));
    assert_eq!(show(&schedule, "2025-01-01T00:00:00Z").split(' ').next(), Some("2026-01-01T00:07Z"));
    assert_eq!(show(&schedule, "2026-01-01T05:00:00Z").split(' ').next(), Some("2026-01-01T05:07Z"));
}

#[test]
fn an_interval_can_be_narrowed_to_office_hours() {
    check(
        r#"{"type": "indefinitely", "interval": 7200,
            "restrict": [{"days": [1, 2, 3, 4, 5], "time": ["09:00", "13:00"]}]}"#,
        "2026-01-02T09:30:00Z",
        expect!["2026-01-02T10:00Z 2026-01-02T12:00Z 2026-01-05T10:00Z 2026-01-05T12:00Z"],
    );
    check(
        r#"{"type": "indefinitely", "interval": 3600, "restrict": [{"months": [7], "time": ["23:00", "01:00"]}]}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-07-01T00:00Z 2026-07-01T23:00Z 2026-07-02T00:00Z 2026-07-02T23:00Z"],
    );
    // A window in which no beat falls.
    check(
        r#"{"type": "indefinitely", "interval": 86400, "restrict": [{"time": ["09:00", "10:00"]}]}"#,
        "2026-01-01T00:00:00Z",
        expect!["never"],
    );
}

#[test]
fn a_beginning_and_an_end_hold() {
    check(
        r#"{"type": "daily", "time": "08:30", "between": ["2026-02-01T08:30:00Z", "2026-02-02T12:00:00Z"]}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-02-01T08:30Z 2026-02-02T08:30Z never"],
    );
}

#[test]
fn an_interval_with_a_beginning_counts_from_there() {
    let text =
        r#"{"type": "indefinitely", "interval": 3600, "between": ["2026-02-01T08:30:00Z", "2026-02-01T10:45:00Z"]}"#;
    check(text, "2026-01-01T00:00:00Z", expect!["2026-02-01T08:30Z 2026-02-01T09:30Z 2026-02-01T10:30Z never"]);
    let schedule = Schedule::parse(text).expect("an example is a schedule");
    let switched_on = schedule.clone().anchored_at(at("2026-01-15T00:07:00Z"));
    assert_eq!(switched_on.next_after(at("2026-01-15T00:07:00Z")), Some(at("2026-02-01T08:30:00Z")));
}

#[test]
fn a_list_of_dates_is_gone_through_in_order() {
    check(
        r#"{"type": "dates", "timezone": "Europe/Berlin",
            "dates": ["2026-03-01T09:00:00", "2026-02-03T09:15:00+01:00", "2026-02-03T08:15:00Z"]}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-02-03T08:15Z 2026-03-01T08:00Z never"],
    );
}

#[test]
fn what_was_missed_happens_once_or_not_at_all() {
    let check = |more: &str, due: &str, now: &str, expected: &str| {
        let text = format!(r#"{{"type": "daily", "time": "08:30"{more}}}"#);
        let taken = Schedule::parse(&text).expect("an example is a schedule").take(at(due), at(now));
        let shown = if taken.happens { "happens" } else { "left out" };
        assert_eq!(format!("{shown}, next {}", taken.next.expect("each day")), expected, "{more} {now}");
    };
    let none = r#", "catchUp": "none""#;
    let due = "2026-01-02T08:30:00Z";
    check("", due, "2026-01-02T08:30:00Z", "happens, next 2026-01-03T08:30:00.000Z");
    check("", due, "2026-01-09T10:00:00Z", "happens, next 2026-01-10T08:30:00.000Z");
    check(none, due, "2026-01-02T08:34:59Z", "happens, next 2026-01-03T08:30:00.000Z");
    check(none, due, "2026-01-09T10:00:00Z", "left out, next 2026-01-10T08:30:00.000Z");
    check(none, due, "2026-01-09T08:31:00Z", "happens, next 2026-01-10T08:30:00.000Z");
    // A clock that was set back does not bring the same time again.
    check("", due, "2026-01-02T08:29:00Z", "happens, next 2026-01-03T08:30:00.000Z");
}

#[test]
fn other_calendars_agree() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("tests/calendars.json")).expect("JSON");
    assert!(cases.len() > 500, "{}", cases.len());
    for case in cases {
        let schedule = Schedule::parse(&case["schedule"].to_string()).expect("a case is a schedule");
        let mut last = at(case["after"].as_str().expect("a time"));
        let mut times = Vec::new();
        for _ in case["times"].as_array().expect("times") {
            last = schedule.next_after(last).unwrap_or_else(|| panic!("{case}: it ends after {last}"));
            times.push(Json::from(last.to_string().replace(".000Z", "Z")));
        }
        assert_eq!(Json::from(times), case["times"], "{case}");
    }
}

#[test]
fn once_is_once() {
    check(
        r#"{"type": "once", "date": "2026-02-03T09:15:00+01:00"}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-02-03T08:15Z never"],
    );
    check(
        r#"{"type": "once", "date": "2026-02-03T09:15:00", "timezone": "Europe/Berlin"}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-02-03T08:15Z never"],
    );
}

#[test]
fn days_of_the_week_of_the_month_and_of_the_year() {
    check(
        r#"{"type": "weekly", "days": [1, 0], "time": "06:00"}"#,
        "2026-01-01T00:00:00Z",
        expect!["2026-01-04T06:00Z 2026-01-05T06:00Z 2026-01-11T06:00Z 2026-01-12T06:00Z"],
    );
    check(
        r#"{"type": "monthly", "days": [31], "time": "06:00"}"#,
        "2026-01-31T06:00:00Z",
        expect!["2026-03-31T06:00Z 2026-05-31T06:00Z 2026-07-31T06:00Z 2026-08-31T06:00Z"],
    );
    check(
        r#"{"type": "yearly", "months": [2], "days": [29], "time": "00:00"}"#,
        "2090-01-01T00:00:00Z",
        expect!["2092-02-29T00:00Z 2096-02-29T00:00Z 2104-02-29T00:00Z 2108-02-29T00:00Z"],
    );
    check(
        r#"{"type": "yearly", "months": [2], "days": [30], "time": "00:00"}"#,
        "2026-01-01T00:00:00Z",
        expect!["never"],
    );
}

#[test]
fn a_skipped_time_of_day_happens_later_and_a_doubled_one_once() {
    let daily = r#"{"type": "daily", "time": "02:30", "timezone": "Europe/Berlin"}"#;
    check(
        daily,
        "2026-03-27T12:00:00Z",
        expect!["2026-03-28T01:30Z 2026-03-29T01:30Z 2026-03-30T00:30Z 2026-03-31T00:30Z"],
    );
    check(
        daily,
        "2026-10-23T12:00:00Z",
        expect!["2026-10-24T00:30Z 2026-10-25T00:30Z 2026-10-26T01:30Z 2026-10-27T01:30Z"],
    );
    // Asked within the gap's aftermath: the skipped 02:30 is still to come, at 03:30.
    check(
        daily,
        "2026-03-29T01:10:00Z",
        expect!["2026-03-29T01:30Z 2026-03-30T00:30Z 2026-03-31T00:30Z 2026-04-01T00:30Z"],
    );
}

#[test]
fn cron_names_minutes_hours_days_months_and_weekdays() {
    check_cron(
        "30 8 * * MON-FRI",
        "UTC",
        "2026-01-02T08:30:00Z",
        expect!["2026-01-05T08:30Z 2026-01-06T08:30Z 2026-01-07T08:30Z 2026-01-08T08:30Z"],
    );
    check_cron(
        "*/20 8 1 * *",
        "Asia/Kolkata",
        "2026-01-01T03:00:00Z",
        expect!["2026-01-01T03:10Z 2026-02-01T02:30Z 2026-02-01T02:50Z 2026-02-01T03:10Z"],
    );
    check_cron("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", expect!["never"]);
    let schedule = Schedule::quartz("0 30 8 ? * 2", "UTC").expect("Quartz counts Monday as 2");
    assert_eq!(
        show(&schedule, "2026-01-01T00:00:00Z"),
        "2026-01-05T08:30Z 2026-01-12T08:30Z 2026-01-19T08:30Z 2026-01-26T08:30Z"
    );
}

#[test]
fn cron_at_one_time_of_day_is_neither_lost_nor_doubled() {
    check_cron(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        expect!["2026-03-29T01:30Z 2026-03-30T00:30Z 2026-03-31T00:30Z 2026-04-01T00:30Z"],
    );
    check_cron(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        expect!["2026-10-25T00:30Z 2026-10-26T01:30Z 2026-10-27T01:30Z 2026-10-28T01:30Z"],
    );
}

#[test]
fn cron_that_repeats_follows_real_time() {
    check_cron(
        "*/30 * * * *",
        "Europe/Berlin",
        "2026-03-29T00:30:00Z",
        expect!["2026-03-29T01:00Z 2026-03-29T01:30Z 2026-03-29T02:00Z 2026-03-29T02:30Z"],
    );
    check_cron(
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        expect!["2026-10-25T00:00Z 2026-10-25T00:30Z 2026-10-25T01:00Z 2026-10-25T01:30Z"],
    );
    // There is no 02:xx on that day.
    check_cron(
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        expect!["2026-03-30T00:00Z 2026-03-30T00:30Z 2026-03-31T00:00Z 2026-03-31T00:30Z"],
    );
}

#[test]
fn what_is_not_a_schedule_is_refused_with_its_value() {
    for (text, expected) in [
        (
            r#"{"type": "hourly"}"#,
            expect![
                "not a schedule: unknown variant `hourly`, expected one of `immediately`, `on-demand`, `indefinitely`, `once`, `dates`, `daily`, `weekly`, `monthly`, `yearly`, `cron` at line 1 column 18"
            ],
        ),
        (
            r#"{"type": "indefinitely", "interval": 59}"#,
            expect!["not a schedule: an interval of 59 s is shorter than 60 s (\"interval\" counts seconds)"],
        ),
        (
            r#"{"type": "daily", "time": "25:00"}"#,
            expect![[r#"not a schedule: "25:00" is not a time of day such as "08:30""#]],
        ),
        (
            r#"{"type": "weekly", "days": [7], "time": "08:00"}"#,
            expect![[r#"not a schedule: 7 in "days" is not within 0 to 6"#]],
        ),
        (r#"{"type": "weekly", "days": [], "time": "08:00"}"#, expect![[r#"not a schedule: "days" is empty"#]]),
        (
            r#"{"type": "once", "date": "soon"}"#,
            expect![[r#"not a schedule: "soon" is not a date and time such as 2026-02-03T09:15:00Z"#]],
        ),
        (
            r#"{"type": "daily", "time": "08:00", "timezone": "Mars/Olympus"}"#,
            expect![[r#"not a schedule: "Mars/Olympus" is not a time zone such as "Europe/Berlin""#]],
        ),
        (
            r#"{"type": "cron", "cron": "* * *"}"#,
            expect![[
                r#"not a schedule: "* * *" is not a cron text: Invalid pattern: Pattern must have 5 fields when seconds are disallowed"#
            ]],
        ),
        (
            r#"{"type": "cron", "cron": "0 0 0 * * *"}"#,
            expect![[
                r#"not a schedule: "0 0 0 * * *" is not a cron text: Invalid pattern: Pattern must have 5 fields when seconds are disallowed"#
            ]],
        ),
    ] {
        check(text, "2026-01-01T00:00:00Z", expected);
    }
}

#[test]
fn every_example_of_the_reference_is_a_schedule() {
    let page = include_str!("../../../../docs/reference/schedules.md");
    let examples: Vec<&str> =
        page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert_eq!(examples.len(), 6);
    for example in examples {
        assert_ne!(show(&Schedule::parse(example).expect(example), "2026-01-01T00:00:00Z"), "never", "{example}");
    }
}

#[test]
fn a_schedule_survives_its_text_form() {
    for text in [
        r#"{"type":"immediately"}"#,
        r#"{"type":"indefinitely","interval":900,"restrict":[{"days":[1],"time":["09:00","17:00"]}]}"#,
        r#"{"type":"yearly","months":[2,3],"days":[29],"time":"08:30","timezone":"Europe/Berlin"}"#,
        r#"{"type":"once","date":"2026-02-03T08:15:00.000Z"}"#,
        r#"{"type":"cron","cron":"*/5 * * * *"}"#,
        r#"{"type":"dates","dates":["2026-02-03T08:15:00.000Z","2026-03-01T08:00:00.000Z"]}"#,
        r#"{"type":"weekly","days":[1,5],"time":"02:30","timezone":"Europe/Berlin","catchUp":"none"}"#,
        r#"{"type":"daily","time":"08:30","between":["2026-02-01T00:00:00.000Z","2026-03-01T00:00:00.000Z"]}"#,
    ] {
        let schedule = Schedule::parse(text).expect("an example is a schedule");
        assert_eq!(serde_json::to_string(&schedule).expect("a text form"), text);
    }
}

/// Any schedule that repeats.
fn schedules() -> impl Strategy<Value = Schedule> {
    let zone = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Africa/Casablanca",
        "Pacific/Apia",
    ]);
    let time = (0..24u8, 0..60u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let some = |range: std::ops::RangeInclusive<u8>| prop::collection::vec(range, 1..4);
    let rule = prop_oneof![
        (60u64..200_000).prop_map(|interval| serde_json::json!({"type": "indefinitely", "interval": interval})),
        (60u64..20_000, some(0..=6), time.clone(), time.clone()).prop_map(|(interval, days, from, to)| {
            serde_json::json!({"type": "indefinitely", "interval": interval, "restrict": [{"days": days, "time": [from, to]}]})
        }),
        time.clone().prop_map(|time| serde_json::json!({"type": "daily", "time": time})),
        (some(0..=6), time.clone()).prop_map(|(days, time)| serde_json::json!({"type": "weekly", "days": days, "time": time})),
        (some(1..=31), time.clone()).prop_map(|(days, time)| serde_json::json!({"type": "monthly", "days": days, "time": time})),
        (some(1..=12), some(1..=28), time).prop_map(|(months, days, time)| {
            serde_json::json!({"type": "yearly", "months": months, "days": days, "time": time})
        }),
        (0..60u8, 0..24u8).prop_map(|(minute, hour)| serde_json::json!({"type": "cron", "cron": format!("{minute} {hour} * * *")})),
        (1..30u8, 0..24u8).prop_map(|(step, hour)| serde_json::json!({"type": "cron", "cron": format!("*/{step} {hour} * * *")})),
        Just(serde_json::json!({"type": "cron", "cron": "15 1-3 * * 0"})),
    ];
    (rule, zone).prop_map(|(mut rule, zone)| {
        rule["timezone"] = zone.into();
        Schedule::parse(&rule.to_string()).expect("what is made here is a schedule")
    })
}

proptest! {
    /// Whatever is asked, the answer lies ahead, and nothing lies between.
    #[test]
    fn the_next_time_is_the_next(
        schedule in schedules(),
        seconds in 1_700_000_000i64..1_900_000_000,
        part in 0.0..1.0f64,
    ) {
        let after = Timestamp::from_micros(seconds * 1_000_000 + 7);
        // A window may be too narrow for the beat to ever fall into it.
        let Some(next) = schedule.next_after(after) else { return Ok(()) };
        prop_assert!(next > after);
        let span = next.as_micros() - after.as_micros();
        let between = Timestamp::from_micros(after.as_micros() + ((span - 1) as f64 * part) as i64);
        prop_assert_eq!(schedule.next_after(between), Some(next));
    }

    /// Whoever goes from one time to the next, now and then late, never comes
    /// to one twice, never too early, and not backwards.
    #[test]
    fn a_walk_through_time_is_never_early_and_never_twice(
        schedule in schedules(),
        seconds in 1_700_000_000i64..1_900_000_000,
        late in prop::collection::vec(prop_oneof![Just(0), 0i64..200_000], 1..20),
    ) {
        let begun = Timestamp::from_micros(seconds * 1_000_000);
        let schedule = schedule.anchored_at(begun);
        let Some(mut due) = schedule.next_after(begun) else { return Ok(()) };
        prop_assert!(due > begun);
        for late in late {
            let now = Timestamp::from_micros(due.as_micros() + late * 1_000_000);
            let taken = schedule.take(due, now);
            prop_assert!(taken.happens);
            // What comes next is a time of the schedule, whenever one asks.
            prop_assert_eq!(taken.next, schedule.next_after(now));
            let Some(next) = taken.next else { return Ok(()) };
            prop_assert!(next > now && next > due);
            due = next;
        }
    }
}
