//! The example that the demo plays, inside the binary.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use base::Timestamp;

/// Name of the pool, the table of events, and the model.
pub(crate) const POOL: &str = "purchase-to-pay";
pub(crate) const TABLE: &str = "PurchaseEvents";
pub(crate) const MODEL: &str = "purchase-to-pay.late-steps";
pub(crate) const TRIGGER: &str = "LONG_WAIT";
pub(crate) const FLOW: &str = "score-late-order";

/// Everything before this instant is history; the rest is played live.
pub(crate) const HISTORY_ENDS: &str = "2011-09-26T00:00:00Z";
/// The live part is played in steps of six hours.
pub(crate) const STEP_SECONDS: u64 = 6 * 3_600;
/// So many steps reach beyond the end of the log.
pub(crate) const STEPS: u64 = 76;

/// The files of `examples/purchase-to-pay`.
const FILES: [(&str, &[u8]); 7] = [
    ("loopwright.yaml", include_bytes!("../../../../examples/purchase-to-pay/loopwright.yaml")),
    ("data-model.yaml", include_bytes!("../../../../examples/purchase-to-pay/data-model.yaml")),
    ("knowledge-model.yaml", include_bytes!("../../../../examples/purchase-to-pay/knowledge-model.yaml")),
    ("jobs/job.json", include_bytes!("../../../../examples/purchase-to-pay/jobs/job.json")),
    ("jobs/score_case.py", include_bytes!("../../../../examples/purchase-to-pay/jobs/score_case.py")),
    ("flows/score-late-order.yaml", include_bytes!("../../../../examples/purchase-to-pay/flows/score-late-order.yaml")),
    ("flows/chase-order.yaml", include_bytes!("../../../../examples/purchase-to-pay/flows/chase-order.yaml")),
];
const EVENTS: &[u8] = include_bytes!("../../../../examples/purchase-to-pay/events.csv.gz");

/// Writes the example's files below a folder and returns where.
pub(crate) fn unpack(below: &Path) -> Result<PathBuf> {
    let folder = below.join("example");
    for (name, bytes) in FILES {
        let file = folder.join(name);
        let parent = file.parent().expect("every file lies in the example's folder");
        std::fs::create_dir_all(parent)?;
        std::fs::write(&file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(folder)
}

/// The event log in order of time, as lines of CSV.
pub(crate) struct Log {
    header: String,
    rows: Vec<(Timestamp, String)>,
    next: usize,
}

impl Log {
    /// Reads the log. Rows of equal time keep the order of the file.
    pub(crate) fn read() -> Result<Self> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(EVENTS).read_to_string(&mut text)?;
        let mut lines = text.lines();
        let header = lines.next().ok_or_else(|| anyhow!("the example's log is empty"))?.to_owned();
        let mut rows = Vec::new();
        for line in lines {
            let time = line.rsplit(',').next().unwrap_or_default();
            rows.push((time.parse::<Timestamp>()?, line.to_owned()));
        }
        rows.sort_by_key(|(time, _)| *time);
        Ok(Log { header, rows, next: 0 })
    }

    /// Returns how many rows there are in all.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns how many rows stand before `time`.
    pub(crate) fn rows_before(&self, time: Timestamp) -> usize {
        self.rows.partition_point(|(at, _)| *at < time)
    }

    /// Takes the rows before `time` (and at it, if `inclusive`) that were not
    /// taken yet, at most `rows_max`, as CSV with its header; nothing if there
    /// are none.
    pub(crate) fn take_until(&mut self, time: Timestamp, inclusive: bool, rows_max: usize) -> Option<(usize, String)> {
        let within = |at: Timestamp| at < time || inclusive && at == time;
        let rest = &self.rows[self.next..];
        let count = rest.iter().take(rows_max).take_while(|(at, _)| within(*at)).count();
        if count == 0 {
            return None;
        }
        let mut csv = self.header.clone();
        for (_, line) in &rest[..count] {
            csv.push('\n');
            csv.push_str(line);
        }
        csv.push('\n');
        self.next += count;
        Some((count, csv))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_example_is_inside() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/purchase-to-pay");
        let mut there = Vec::new();
        for below in ["", "jobs/", "flows/"] {
            for entry in std::fs::read_dir(folder.join(below)).expect("a folder") {
                let entry = entry.expect("an entry");
                let name = entry.file_name().into_string().expect("a name");
                if entry.path().is_file() && !["README.md", "events.csv.gz"].contains(&name.as_str()) {
                    there.push(format!("{below}{name}"));
                }
            }
        }
        let mut inside: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        there.sort();
        inside.sort();
        assert_eq!(inside, there);
    }
}
