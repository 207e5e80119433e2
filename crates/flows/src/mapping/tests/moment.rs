//! Formats of dates as moment.js has them, which people learnt by heart.
//!
//! `moment.json` is what that library answered: times, zones, formats and
//! texts, and the other way round texts, zones, formats and times.

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::mapping::dates;

#[derive(Deserialize)]
struct Answers {
    source: String,
    write: Vec<(String, String, String, String)>,
    /// When the texts were read.
    now: String,
    read: Vec<(String, String, String, Option<String>)>,
}

/// Zones whose abbreviations the two databases write differently are left out
/// of `z`; nobody should show those anyway.
fn answers() -> Answers {
    serde_json::from_str(include_str!("moment.json")).expect("the answers can be read")
}

fn zoned(time: &str, zone: &str) -> jiff::Zoned {
    let time: jiff::Timestamp = time.parse().expect("a time");
    time.to_zoned(TimeZone::get(zone).expect("a zone"))
}

#[test]
fn dates_are_written_as_moment_writes_them() {
    let answers = answers();
    assert!(answers.write.len() > 150, "{} was asked too little", answers.source);
    let mut wrong = Vec::new();
    for (time, zone, format, expected) in &answers.write {
        let ours = dates::format(&zoned(time, zone), format);
        if ours != *expected {
            wrong.push(format!("{time} {zone} {format:?}\n  moment {expected:?}\n  ours   {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), answers.write.len(), wrong.join("\n"));
}

#[test]
fn dates_are_read_as_moment_reads_them() {
    let answers = answers();
    assert!(answers.read.len() > 100, "{} was asked too little", answers.source);
    let mut wrong = Vec::new();
    for (text, zone, format, expected) in &answers.read {
        let ours = dates::parse(text, format, &zoned(&answers.now, zone)).ok().map(|time| time.to_string());
        if ours != *expected {
            wrong.push(format!("{text:?} {zone} {format:?}\n  moment {expected:?}\n  ours   {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), answers.read.len(), wrong.join("\n"));
}
