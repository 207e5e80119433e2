//! Schedules as examples. 2026-01-01 is a Thursday; clocks in Berlin move on
//! 29 March at 02:00 and on 25 October at 03:00.

use expect_test::{Expect, expect};
use proptest::prelude::*;

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
                "not a schedule: unknown variant `hourly`, expected one of `immediately`, `on-demand`, `indefinitely`, `once`, `daily`, `weekly`, `monthly`, `yearly`, `cron` at line 1 column 18"
            ],
        ),
        (
            r#"{"type": "indefinitely", "interval": 59}"#,
            expect!["not a schedule: an interval of 59 s is shorter than 60 s"],
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
fn a_schedule_survives_its_text_form() {
    for text in [
        r#"{"type":"immediately"}"#,
        r#"{"type":"indefinitely","interval":900,"restrict":[{"days":[1],"time":["09:00","17:00"]}]}"#,
        r#"{"type":"yearly","months":[2,3],"days":[29],"time":"08:30","timezone":"Europe/Berlin"}"#,
        r#"{"type":"once","date":"2026-02-03T08:15:00.000Z"}"#,
        r#"{"type":"cron","cron":"*/5 * * * *"}"#,
        r#"{"type":"daily","time":"08:30","between":["2026-02-01T00:00:00.000Z","2026-03-01T00:00:00.000Z"]}"#,
    ] {
        let schedule = Schedule::parse(text).expect("an example is a schedule");
        assert_eq!(serde_json::to_string(&schedule).expect("a text form"), text);
    }
}

proptest! {
    /// Whatever is asked, the answer lies ahead, and nothing lies between.
    #[test]
    fn the_next_time_is_the_next(
        schedule in prop::sample::select(vec![
            r#"{"type": "daily", "time": "02:30", "timezone": "Europe/Berlin"}"#,
            r#"{"type": "daily", "time": "23:59", "timezone": "America/Sao_Paulo"}"#,
            r#"{"type": "weekly", "days": [0], "time": "02:00", "timezone": "Australia/Lord_Howe"}"#,
            r#"{"type": "cron", "cron": "*/10 * * * *", "timezone": "Europe/Berlin"}"#,
            r#"{"type": "cron", "cron": "15 1-3 * * 0", "timezone": "America/New_York"}"#,
            r#"{"type": "cron", "cron": "30 2 * * *", "timezone": "America/New_York"}"#,
            r#"{"type": "indefinitely", "interval": 3600, "restrict": [{"days": [0], "time": ["01:00", "04:00"]}], "timezone": "Europe/Berlin"}"#,
        ]),
        seconds in 1_700_000_000i64..1_900_000_000,
        part in 0.0..1.0f64,
    ) {
        let schedule = Schedule::parse(schedule).expect("an example is a schedule");
        let after = Timestamp::from_micros(seconds * 1_000_000 + 7);
        let next = schedule.next_after(after).expect("it happens again");
        prop_assert!(next > after);
        let span = next.as_micros() - after.as_micros();
        let between = Timestamp::from_micros(after.as_micros() + ((span - 1) as f64 * part) as i64);
        prop_assert_eq!(schedule.next_after(between), Some(next));
    }
}
