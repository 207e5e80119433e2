//! Generated event logs, and how fast they are loaded, asked and followed.
//!
//! ```text
//! bench log EVENTS [ROUNDS] [FOLDER]   load, size, three questions, pushes; columns into FOLDER
//! bench ask EVENTS [ROUNDS]            load, size and the questions alone
//! bench tick CASES DUE                 an instant at which DUE of CASES open cases become due
//! ```
//!
//! Each figure is a line: its name, a number, its unit, and the seconds of all
//! processors where these were counted. Of the rounds of a question the fastest
//! counts, and of its processors the mean. `tests/bench_signals.py` runs this
//! beside other programs on the same columns.

mod process;
mod tables;
mod following;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use mining::evaluate::answer;
use mining::log::EventLog;
use mining::pql::check::{Checker, Vocabulary};
use mining::{Answer, Value};
use pools::{DataModel, DataModelId, PoolId};
use serde_json::json;

const SEED: u64 = 5;

/// Cases that have not ended and where nothing has happened for 30 days.
const STUCK: &str = r#"FILTER PU_LAST("ORDERS", "EV"."ACT") NOT IN ('Pay invoice', 'Reject order');
    FILTER DAYS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) > 30; COUNT_TABLE("ORDERS")"#;

const QUESTIONS: [(&str, &str); 3] = [
    ("variants", r#"TABLE(VARIANT("EV"."ACT") AS "variant", COUNT_TABLE("ORDERS") AS "cases") ORDER BY "cases" DESC"#),
    ("p95 per step", r#""EV"."ACT", QUANTILE(SECONDS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.95)"#),
    ("stuck cases", STUCK),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["log", events, ref more @ ..] => {
            let rounds = more.first().map_or(Ok(3), |rounds| rounds.parse())?;
            measure_log(events.parse()?, rounds, more.get(1).map(Path::new))?;
            following::pushes(events.parse()?)
        }
        ["ask", events] => measure_log(events.parse()?, 3, None),
        ["ask", events, rounds] => measure_log(events.parse()?, rounds.parse()?, None),
        ["tick", cases, due] => following::tick(cases.parse()?, due.parse()?),
        _ => bail!("usage: bench log EVENTS [ROUNDS] [FOLDER] | bench ask EVENTS [ROUNDS] | bench tick CASES DUE"),
    }
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn figure(name: &str, value: f64, unit: &str, processors: Option<f64>) {
    let processors = processors.map_or(String::new(), |seconds| format!("\t{seconds:.3}"));
    println!("{name}\t{value:.6}\t{unit}{processors}");
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn answered(name: &str, (seconds, processors): (f64, f64), answer: &str) {
    println!("{name}\t{seconds:.6}\ts\t{processors:.3}\t{answer}");
}

/// Measures seconds, and those of all processors.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (start, before) = (Instant::now(), processor_seconds());
    let result = work();
    (result, start.elapsed().as_secs_f64(), processor_seconds() - before)
}

/// Reads what this process has used of the processors, to a hundredth.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Reads a figure of this process in bytes.
fn memory(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok()).unwrap_or_default() * 1024.0
}

fn data_model() -> DataModel {
    serde_json::from_value(json!({
        "id": DataModelId::from_bytes([9; 16]), "pool": PoolId::from_bytes([7; 16]), "key": "orders", "version": 1,
        "name": "Orders", "tables": ["EV", "ORDERS", "VENDOR"],
        "foreignKeys": [
            { "fromTable": "ORDERS", "fromColumns": ["VENDOR"], "toTable": "VENDOR", "toColumns": ["ID"] },
        ],
        "activity": {
            "table": "EV", "caseColumn": "CASE", "activityColumn": "ACT", "timestampColumn": "TS",
            "caseTable": "ORDERS", "caseTableColumn": "CASE",
        },
    }))
    .expect("a data model")
}

/// Says about an answer what others can say about theirs: how many rows it
/// has, and sum and maximum of its last column.
fn told(answer: &Answer) -> String {
    let numbers = answer.rows.iter().filter_map(|row| match row.last() {
        Some(Value::Int(number)) => Some(*number as f64),
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    });
    let (sum, most) = numbers.fold((0.0, 0.0_f64), |(sum, most), number| (sum + number, most.max(number)));
    format!("{} rows, {sum:.0} in all, {most:.0} at most", answer.rows.len())
}

fn measure_log(events: usize, rounds: usize, folder: Option<&Path>) -> Result<()> {
    let generated = process::Log::new(SEED, events);
    if let Some(folder) = folder {
        write_columns(&generated, folder)?;
    }
    let (cases, end) = (generated.cases, generated.end);
    let rows = process::events(&generated);
    drop(generated);
    let loaded = [rows, process::orders(SEED, cases), process::vendors()].map(|rows| (rows, Vec::new()));
    let (log, seconds, processors) = timed(|| EventLog::of_rows(&data_model(), loaded.into(), 1));
    let log = Arc::new(log.map_err(anyhow::Error::msg)?);
    figure("load", seconds, "s", Some(processors));
    figure("load rate", events as f64 / seconds / 1e6, "M events/s", None);
    figure("peak while loading", memory("VmHWM") / events as f64, "bytes/event", None);
    let size = log.size();
    figure("columns", size.columns as f64 / events as f64, "bytes/event", None);
    figure("texts", size.words as f64 / events as f64, "bytes/event", None);
    figure("joins and order", size.joins as f64 / events as f64, "bytes/event", None);
    figure("whole process", memory("VmRSS") / events as f64, "bytes/event", None);
    let vocabulary = Vocabulary::default();
    for (name, pql) in QUESTIONS {
        let plan = Checker::new(log.catalog().clone(), &vocabulary).query(pql);
        let plan = plan.map_err(|faults| anyhow::anyhow!("{name}: {faults}"))?;
        let (mut best, mut all) = (f64::MAX, 0.0);
        let mut text = String::new();
        for _ in 0..rounds {
            let (answer, seconds, processors) = timed(|| answer(log.clone(), &plan, end / 1_000));
            best = best.min(seconds);
            all += processors;
            text = told(&answer);
        }
        answered(name, (best, all / rounds as f64), &text);
    }
    figure("peak while asking", memory("VmHWM") / events as f64, "bytes/event", None);
    let (folded, seconds, processors) = timed(|| log.folded());
    figure("fold", seconds, "s", Some(processors));
    drop((folded, log));
    Ok(())
}

/// Writes the columns as plain arrays for the programs beside us.
fn write_columns(log: &process::Log, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let write = |name: &str, bytes: &mut dyn Iterator<Item = [u8; 8]>, width: usize| -> Result<()> {
        let path = folder.join(name);
        let mut file =
            std::io::BufWriter::new(std::fs::File::create(&path).with_context(|| path.display().to_string())?);
        for value in bytes {
            file.write_all(&value[..width])?;
        }
        Ok(file.flush()?)
    };
    write("case.u32", &mut log.case_of.iter().map(|case| u64::from(*case).to_le_bytes()), 4)?;
    write("activity.u8", &mut log.activities.iter().map(|code| u64::from(*code).to_le_bytes()), 1)?;
    write("time.i64", &mut log.times.iter().map(|time| time.to_le_bytes()), 8)?;
    std::fs::write(folder.join("log.json"), json!({ "end": log.end, "activities": process::ACTIVITIES }).to_string())?;
    Ok(())
}
