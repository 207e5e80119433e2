//! What detectors find, on logs that are made for it.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::tests::{at, model, rows};

/// A log of events `case activity time source`, and a table of invoices.
fn log(events: &str, invoices: &str) -> EventLog {
    let events = rows(&format!("CASE | ACT | TS:time | SRC\n{events}"));
    let invoices = rows(&format!("ID | VENDOR | REF | AMOUNT:float | DATE:time\n{invoices}"));
    let model = model(&["EV", "INV"], None, &[]);
    EventLog::new(&model, &[(events, Vec::new()), (invoices, Vec::new())], 1).expect("it loads")
}

fn detector(json: &str) -> Detector {
    serde_json::from_str(json).expect("a detector")
}

fn check(log: &EventLog, json: &str, now: &str, expected: &Expect) {
    let detector = detector(json);
    detector.check(log.catalog()).expect("it fits");
    let findings = detector.look(log, at(now).as_millis());
    let mut text = String::new();
    for finding in &findings.found {
        assert_eq!(finding.values.len() + 1, detector.fields().len());
        let values: Vec<String> = finding.values.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{}: {}", finding.identifier, values.join(" | "));
    }
    if let Some(next) = findings.next {
        let _ = writeln!(text, "next at {}", base::Timestamp::from_millis(next));
    }
    expected.assert_eq(&text);
}

/// Cases of two events a day: `A B` until day 8, `A C` from then on.
fn drifting() -> EventLog {
    let mut events = String::new();
    for day in 1..=16 {
        let second = if day <= 8 { "B" } else { "C" };
        let hours = if day <= 8 { 10 } else { 14 };
        let _ = writeln!(events, "{day} | A | 2026-03-{day:02} 08:00 | x");
        let _ = writeln!(events, "{day} | {second} | 2026-03-{day:02} {hours}:00 | x");
    }
    log(&events, "")
}

#[test]
fn variants_drift_when_their_shares_move() {
    let log = drifting();
    let parameters = |bound: f64, reference: &str, rows: u32| {
        format!(
            r#"{{"kind": "VARIANT_DRIFT", "windowCases": 4, "referenceCases": 4, "distance": {bound},
                "reference": "{reference}", "windowsInARow": {rows}, "endActivities": ["B", "C"]}}"#
        )
    };
    // The window of days 9 to 12 has nothing in common with days 5 to 8.
    check(
        &log,
        &parameters(0.9, "BEFORE", 1),
        "2026-03-12 20:00",
        &expect![[r"
        variants: 1.0 | 2026-03-09T14:00:00.000Z | 2026-03-12T14:00:00.000Z | A, C | A, B
    "]],
    );
    // Half of it has.
    check(
        &log,
        &parameters(0.4, "BEFORE", 1),
        "2026-03-10 20:00",
        &expect![[r"
        variants: 0.5 | 2026-03-07T10:00:00.000Z | 2026-03-10T14:00:00.000Z | A, C | A, B
    "]],
    );
    check(&log, &parameters(0.5, "BEFORE", 1), "2026-03-10 20:00", &expect![[""]]);
    // Four days later everything is as it was before, unless that means the first.
    check(&log, &parameters(0.9, "BEFORE", 1), "2026-03-16 20:00", &expect![[""]]);
    check(
        &log,
        &parameters(0.9, "FIRST", 2),
        "2026-03-16 20:00",
        &expect![[r"
        variants: 1.0 | 2026-03-13T14:00:00.000Z | 2026-03-16T14:00:00.000Z | A, C | A, B
    "]],
    );
    check(&log, &parameters(0.9, "FIRST", 2), "2026-03-13 20:00", &expect![[""]]);
    // Too few cases say nothing.
    check(&log, &parameters(0.0, "BEFORE", 1), "2026-03-04 20:00", &expect![[""]]);
}

#[test]
fn durations_drift_when_a_step_takes_longer() {
    let mut events = String::new();
    for day in 1..=12 {
        let hour = if day <= 6 { 10 } else { 14 };
        let _ = writeln!(events, "{day} | A | 2026-03-{day:02} 08:00 | x\n{day} | B | 2026-03-{day:02} {hour}:00 | x");
    }
    let log = log(&events, "");
    let parameters = r#"{"kind": "DURATION_DRIFT", "windowSteps": 3, "referenceSteps": 3, "factor": 2}"#;
    check(
        &log,
        parameters,
        "2026-03-09 20:00",
        &expect![[r"
        A → B: A | B | 2.0 | 6.0 | 3.0
    "]],
    );
    check(&log, parameters, "2026-03-06 20:00", &expect![[""]]);
    check(&log, parameters, "2026-03-12 20:00", &expect![[""]]);
}

#[test]
fn silence_is_longer_than_the_longest_pause() {
    let mut events = String::new();
    for hour in 0..20 {
        let _ = writeln!(events, "{hour} | A | 2026-03-01 {hour:02}:00 | sap");
        if hour < 6 {
            let _ = writeln!(events, "{hour} | B | 2026-03-01 {hour:02}:30 | crm");
        }
    }
    let log = log(&events, "");
    let parameters = r#"{"kind": "SILENCE", "column": "SRC", "factor": 1.5, "pausesMin": 3}"#;
    check(
        &log,
        parameters,
        "2026-03-01 07:00",
        &expect![[r"
        next at 2026-03-01T07:00:00.001Z
    "]],
    );
    check(
        &log,
        parameters,
        "2026-03-01 08:00",
        &expect![[r"
        crm: 2026-03-01T05:30:00.000Z | 2.5 | 1.0
        next at 2026-03-01T09:30:00.001Z
    "]],
    );
    check(
        &log,
        r#"{"kind": "SILENCE", "pausesMin": 3}"#,
        "2026-03-02 00:00",
        &expect![[r"
        all: 2026-03-01T19:00:00.000Z | 5.0 | 1.0
    "]],
    );
    check(&log, r#"{"kind": "SILENCE", "pausesMin": 1000}"#, "2026-03-02 00:00", &expect![[""]]);
}

#[test]
fn a_backlog_is_more_than_usual_at_this_hour_of_the_week() {
    let mut events = String::new();
    let mut case = 0;
    // One case waits each Monday at noon, and on the fifth there are four.
    for (day, waiting) in [(2, 1), (9, 2), (16, 1), (23, 2), (30, 6)] {
        for _ in 0..waiting {
            case += 1;
            let _ =
                writeln!(events, "{case} | A | 2026-03-{day:02} 08:00 | x\n{case} | B | 2026-03-{day:02} 18:00 | x");
        }
    }
    let log = log(&events, "");
    let parameters = r#"{"kind": "BACKLOG", "weeks": 4, "casesMin": 2, "endActivities": ["B"]}"#;
    check(
        &log,
        parameters,
        "2026-03-30 12:00",
        &expect![[r"
        A: 6 | 1.5 | 3.232050807568877
        next at 2026-03-30T13:00:00.000Z
    "]],
    );
    check(
        &log,
        parameters,
        "2026-03-23 12:00",
        &expect![[r"
        next at 2026-03-23T13:00:00.000Z
    "]],
    );
    check(
        &log,
        parameters,
        "2026-03-30 20:00",
        &expect![[r"
        next at 2026-03-30T21:00:00.000Z
    "]],
    );
}

#[test]
fn duplicates_are_alike_and_near() {
    let log = log(
        "1 | A | 2026-03-01 08:00 | x",
        "i1 | v1 | RE-0815   | 100.0 | 2026-01-01 00:00
         i2 | v1 | re 0815   | 100.0 | 2026-01-20 00:00
         i3 | v2 | RE-0815   | 100.0 | 2026-01-20 00:00
         i4 | v1 | RE-0816   | 100.5 | 2026-02-01 00:00
         i5 | v1 | RE-0815   | 100.0 | 2026-06-01 00:00
         i6 | v1 | -         | 100.0 | 2026-01-21 00:00
         i7 | -  | RE-0815   | 100.0 | 2026-01-21 00:00
         i8 | v1 | 4711      | 100.0 | 2026-01-22 00:00",
    );
    let parameters = |similarity: f64, tolerance: f64| {
        format!(
            r#"{{"kind": "FUZZY_DUPLICATES", "table": "INV", "identifier": "ID", "equal": ["VENDOR"], "alike": ["REF"],
                "similarity": {similarity}, "number": "AMOUNT", "tolerance": {tolerance}, "date": "DATE", "days": 90}}"#
        )
    };
    check(
        &log,
        &parameters(1.0, 0.0),
        "2026-07-01 00:00",
        &expect![[r"
        i2: i1 | 1.0
    "]],
    );
    check(
        &log,
        &parameters(0.8, 0.01),
        "2026-07-01 00:00",
        &expect![[r"
            i2: i1 | 1.0
            i4: i1 | 0.8333333333333334
        "]],
    );
    check(&log, &parameters(1.0, 0.0), "2026-01-10 00:00", &expect![[""]]);
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let log = drifting();
    let refused = |json: &str| detector(json).check(log.catalog()).expect_err("it does not fit");
    let duplicates = r#"{"kind": "FUZZY_DUPLICATES", "table": "INVO", "identifier": "ID"}"#;
    expect![[r#"there is no table "INVO"; did you mean "INV"?"#]].assert_eq(&refused(duplicates));
    let duplicates =
        r#"{"kind": "FUZZY_DUPLICATES", "table": "INV", "identifier": "ID", "date": "REF", "equal": ["REF"]}"#;
    expect![[r#"column "REF" holds STRING and no dates"#]].assert_eq(&refused(duplicates));
    let drift = r#"{"kind": "VARIANT_DRIFT", "distance": 1.5}"#;
    expect![[r#""distance" is 1.5, and goes from 0 to 1"#]].assert_eq(&refused(drift));
    let unknown =
        serde_json::from_str::<Detector>(r#"{"kind": "SILENCE", "colum": "SRC"}"#).expect_err("no such parameter");
    expect!["unknown field `colum`, expected one of `column`, `quantile`, `factor`, `pausesMin`"]
        .assert_eq(&unknown.to_string());
}
