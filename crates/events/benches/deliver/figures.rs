//! Numbers: clocks, shares, and the table in the end.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use base::Clock as _;
use base::time::SystemClock;

/// Ticks of the kernel's clock in a second, as Linux tells processor time.
const TICKS: f64 = 100.0;
/// Cores that the goals are told for.
pub(crate) const CORES: f64 = 2.0;

/// Prints a line.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: then nobody misses it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The wall clock, in microseconds; the same for all processes.
pub(crate) fn wall_micros() -> i64 {
    SystemClock.now().as_micros()
}

/// Returns the processor time that a process has used, its threads together.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("only Linux tells the processor time")?;
    // The name in brackets may hold blanks; count from behind it.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |place: usize| rest.split(' ').nth(place).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS)
}

/// Returns the resident memory of a process, and the most that it ever had, in MiB.
pub(crate) fn memory_mib(pid: u32) -> Result<(f64, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("only Linux tells the memory")?;
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0)
    };
    Ok((kib("VmRSS:") / 1_024.0, kib("VmHWM:") / 1_024.0))
}

/// Returns the bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Measures how long the disk takes to make 4 KiB durable, in milliseconds.
pub(crate) fn flushes(folder: &Path) -> Result<Vec<f64>> {
    let path = folder.join("flush-probe");
    let mut file = std::fs::File::create(&path)?;
    let mut taken = Vec::new();
    for _ in 0..300 {
        file.write_all(&[0; 4_096])?;
        let begun = Instant::now();
        file.sync_data()?;
        taken.push(millis(begun.elapsed()));
    }
    std::fs::remove_file(path)?;
    Ok(taken)
}

pub(crate) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// Returns the value below which this share of all lies; 0 where there are none.
pub(crate) fn share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Two goals for a figure, and on which side of them it is better.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least so much: good, moonshot.
    AtLeast(f64, f64),
    /// At most so much: good, moonshot.
    AtMost(f64, f64),
    /// It is told, and has no goal.
    None,
}

/// The table.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
    /// Calls in a second of the bare loop, once it was measured.
    pub(crate) limit: Option<Limit>,
}

/// What the bare loop reached.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// Calls in a second.
    pub(crate) rate: f64,
    /// Calls in a second of the sender's processor time, times the cores.
    pub(crate) by_cpu: f64,
}

impl Table {
    /// Adds a figure; `limit` is what physics allows, in the same unit.
    pub(crate) fn add(&mut self, what: &str, unit: &str, value: f64, goal: Goal, limit: Option<f64>) {
        let (good, moonshot, verdict) = match goal {
            Goal::AtLeast(good, moonshot) => (round(good), round(moonshot), grade(value >= good, value >= moonshot)),
            Goal::AtMost(good, moonshot) => (round(good), round(moonshot), grade(value <= good, value <= moonshot)),
            Goal::None => (String::new(), String::new(), ""),
        };
        let goals = if good.is_empty() { String::new() } else { format!("{good} / {moonshot}") };
        let of_limit = limit.map_or(String::new(), |limit| format!("{:.0} %", 100.0 * value / limit));
        say(&format!("{what:<64} {:>10} {unit:<9} {goals:<19} {verdict:<9} {of_limit}", round(value)));
        self.rows.push([what.into(), format!("{} {unit}", round(value)), goals, verdict.into(), of_limit]);
    }

    /// Prints all of it once more, as a page keeps it.
    pub(crate) fn print(&self) {
        say("\n| figure | measured | good / moonshot | reached | of the bare loop |\n|---|---|---|---|---|");
        for row in &self.rows {
            say(&format!("| {} |", row.join(" | ")));
        }
    }
}

fn grade(good: bool, moonshot: bool) -> &'static str {
    match (good, moonshot) {
        (_, true) => "moonshot",
        (true, false) => "good",
        _ => "not yet",
    }
}

fn round(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
