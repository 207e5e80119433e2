//! Patterns of Java and forms of ISO 8601.

use base::Timestamp;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(pattern: &str, texts: &[&str], expected: Expect) {
    let format = match DateFormat::of(pattern) {
        Ok(format) => format,
        Err(detail) => return expected.assert_eq(&detail),
    };
    let read = |text: &&str| match format.read(text) {
        Some(micros) => format!("{text} = {}\n", Timestamp::from_micros(micros)),
        None => format!("{text} does not fit\n"),
    };
    expected.assert_eq(&texts.iter().map(read).collect::<String>());
}

#[test]
fn patterns_as_they_come() {
    check(
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        &[
            "2026-02-03T09:15:00.123Z",
            "2026-02-03T09:15:00.5+02:00",
            "2026-02-03 09:15:00.123Z",
            "2026-02-30T00:00:00.0Z",
        ],
        expect![[r"
            2026-02-03T09:15:00.123Z = 2026-02-03T09:15:00.123Z
            2026-02-03T09:15:00.5+02:00 = 2026-02-03T07:15:00.500Z
            2026-02-03 09:15:00.123Z does not fit
            2026-02-30T00:00:00.0Z does not fit
        "]],
    );
    check(
        "dd.MM.yyyy HH:mm",
        &["03.02.2026 09:15", "3.2.2026 9:15", "03.02.26 09:15", "03.02.2026 09:15:00", "03.13.2026 09:15"],
        expect![[r"
            03.02.2026 09:15 = 2026-02-03T09:15:00.000Z
            3.2.2026 9:15 = 2026-02-03T09:15:00.000Z
            03.02.26 09:15 does not fit
            03.02.2026 09:15:00 does not fit
            03.13.2026 09:15 does not fit
        "]],
    );
    check(
        "yyyyMMddHHmmss",
        &["20260203091500", "2026020309150"],
        expect![[r"
            20260203091500 = 2026-02-03T09:15:00.000Z
            2026020309150 does not fit
        "]],
    );
    check(
        "M/d/yy h:mm a",
        &["2/3/26 9:15 PM", "2/3/26 12:00 am", "2/3/99 12:30 pm"],
        expect![[r"
            2/3/26 9:15 PM = 2026-02-03T21:15:00.000Z
            2/3/26 12:00 am = 2026-02-03T00:00:00.000Z
            2/3/99 12:30 pm = 1999-02-03T12:30:00.000Z
        "]],
    );
    check(
        "EEE, d MMM yyyy HH:mm:ss Z",
        &["Tue, 3 Feb 2026 09:15:00 +0100", "Tuesday, 3 February 2026 09:15:00 UTC"],
        expect![[r"
            Tue, 3 Feb 2026 09:15:00 +0100 = 2026-02-03T08:15:00.000Z
            Tuesday, 3 February 2026 09:15:00 UTC = 2026-02-03T09:15:00.000Z
        "]],
    );
}

#[test]
fn what_people_mean_is_understood() {
    check(
        "YYYY-MM-DDTHH:mm",
        &["2026-02-03T09:15"],
        expect![[r"
        2026-02-03T09:15 = 2026-02-03T09:15:00.000Z
    "]],
    );
    check(
        "yyyy-MM-dd hh:mm:ss",
        &["2026-02-03 21:15:00"],
        expect![[r"
        2026-02-03 21:15:00 = 2026-02-03T21:15:00.000Z
    "]],
    );
    check(
        "yyyy-DDD",
        &["2026-034"],
        expect![[r"
        2026-034 = 2026-02-03T00:00:00.000Z
    "]],
    );
    check("yyyy-MM-dd qq", &[], expect![[r#""q" is no part of a date"#]]);
    check("yyyy-MM-dd'T", &[], expect!["a quote is not closed"]);
    assert!(!DateFormat::of("hh:mm:ss").unwrap().names_a_day());
    assert!(DateFormat::of("hh:mm:ss").unwrap().read("2026-02-03").is_none());
}

#[test]
fn iso_forms() {
    let read = |text| read_iso(text).map(|micros| Timestamp::from_micros(micros).to_string());
    for (text, time) in [
        ("2026-02-03", "2026-02-03T00:00:00.000Z"),
        ("2026-02-03 09:15", "2026-02-03T09:15:00.000Z"),
        ("2026-02-03T09:15:30", "2026-02-03T09:15:30.000Z"),
        ("2026-02-03 09:15:30.123456", "2026-02-03T09:15:30.123456Z"),
        ("2026-02-03T09:15:30,5+02:00", "2026-02-03T07:15:30.500Z"),
        ("2026-02-03 09:15:30 UTC", "2026-02-03T09:15:30.000Z"),
        ("2026-02-03T09:15:30-0330", "2026-02-03T12:45:30.000Z"),
    ] {
        assert_eq!(read(text).as_deref(), Some(time), "{text}");
    }
    for text in [
        "",
        "2026",
        "20260203",
        "2026-2-3",
        "2026-02-03T",
        "2026-02-03T25:00",
        "2026-02-03x",
        "2026-02-03T09:15Zz",
        "äää-äääääääää",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_time_that_was_written_is_read(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(read_iso(&time.to_string()), Some(micros));
        let millis = Timestamp::from_millis(time.as_millis());
        let format = DateFormat::of("yyyy-MM-dd'T'HH:mm:ss.SSSXXX").unwrap();
        prop_assert_eq!(format.read(&millis.to_string()), Some(millis.as_micros()));
    }

    #[test]
    fn no_text_and_no_pattern_breaks_the_reader(pattern in "[yMdHhmsSaXE'T:. -]{0,20}", text in "\\PC{0,30}") {
        if let Ok(format) = DateFormat::of(&pattern) {
            let _ = format.read(&text);
        }
        let _ = read_iso(&text);
    }
}

proptest::proptest! {
    #[test]
    fn the_short_way_reads_what_the_long_one_does(
        year in 0..10_000, month in 0..14, day in 0..33, hour in 0..26, minute in 0..62, second in 0..62,
        between in "[T ]", rest in "(\\.[0-9]{1,8})?Z?",
    ) {
        let date = format!("{year:04}-{month:02}-{day:02}");
        let time = format!("{date}{between}{hour:02}:{minute:02}:{second:02}{rest}");
        for text in [date, time] {
            if let Some(micros) = super::read_plain_iso(text.as_bytes()) {
                proptest::prop_assert_eq!(Some(micros), super::read_any_iso(&text), "{}", text);
            }
        }
    }
}
