//! How fast CSV is read: a made event log of 200 MB, once as it mostly comes
//! and once with quotes, in MB/s of one core.
//!
//! `cargo bench -p pools` prints a line each.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Instant;

use pools::PushJobSpec;
use pools::csv::read_file;

const BYTES: usize = 200_000_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (what, quoted) in [("plain", false), ("quoted", true)] {
        let path = folder.path().join(what);
        let bytes = write_log(&path, quoted);
        let mut best = f64::MAX;
        let mut rows = 0;
        for _ in 0..3 {
            let began = spent();
            rows = 0;
            read_file(&PushJobSpec::csv("Activities"), &path, |piece| rows += piece.len()).expect("the file is whole");
            best = best.min(spent() - began);
        }
        let (speed, rows_per_s) = (bytes as f64 / 1e6 / best, rows as f64 / best);
        let mut line = String::new();
        let _ = write!(line, "csv {what}: {speed:.0} MB/s, {rows_per_s:.0} rows/s ({rows} rows, {bytes} bytes)");
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// Tells the seconds that this thread has had of a processor, so that what
/// else runs does not count; where the system does not say, those of the clock.
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or_else(|| BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Writes an event log: case, activity, time, user, amount, a free text.
fn write_log(path: &std::path::Path, quoted: bool) -> usize {
    let activities = ["Create Purchase Order", "Approve", "Change Price", "Receive Goods", "Record Invoice", "Pay"];
    let quote = if quoted { "\"" } else { "" };
    let mut text = String::with_capacity(BYTES + 1_000);
    text.push_str("_CASE_KEY,ACTIVITY,EVENTTIME,USER,NET_AMOUNT,QUANTITY,NOTE\n");
    let mut state = 1u64;
    let mut event = 0u64;
    while text.len() < BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = state >> 33;
        let case = event / 6;
        let (day, hour, minute, second) = (1 + dice % 28, dice % 24, dice % 60, (dice >> 7) % 60);
        let _ = writeln!(
            text,
            "{quote}PO-{case:08}{quote},{quote}{}{quote},2026-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02},\
             {quote}user{:03}{quote},{}.{:02},{},{quote}note {}{quote}",
            activities[(event % 6) as usize],
            1 + dice % 12,
            dice % 400,
            dice % 100_000,
            dice % 100,
            dice % 1_000,
            dice % 50_000,
        );
        event += 1;
    }
    std::fs::write(path, &text).expect("a file of 200 MB");
    text.len()
}
