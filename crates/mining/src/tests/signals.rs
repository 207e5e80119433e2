//! The templates under `examples/signals`, each on a real log: what they find
//! is what a reckoning of its own finds, which knows nothing of this crate
//! (`tests/expect_signals.py`).

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Timestamp;
use pools::rows::ColumnType;
use pools::{DataModel, DataModelId};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{pool, table};
use crate::figures::Figures;
use crate::knowledge_model::KnowledgeModel;
use crate::log::EventLog;
use crate::ports::Reason;
use crate::trigger::check_model;
use crate::watch::{News, Watch, Which};

#[derive(Deserialize)]
struct Expected {
    log: String,
    now: String,
    count: usize,
    sha256: String,
    first: Vec<String>,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn millis(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_millis()
}

pub(super) fn data_model() -> DataModel {
    serde_json::from_value(json!({
        "id": DataModelId::from_bytes([9; 16]), "pool": pool(), "key": "data_model", "version": 1, "name": "Cases",
        "tables": ["EVENTS", "CASES"], "foreignKeys": [],
        "activity": {
            "table": "EVENTS", "caseColumn": "case_id", "activityColumn": "activity", "timestampColumn": "timestamp",
            "caseTable": "CASES",
        },
    }))
    .expect("a data model")
}

/// Loads what is known of a log at an instant, in the order of the file, with
/// the side table that the templates' parameters name.
pub(super) fn load(log: &str, now: &str) -> Arc<EventLog> {
    let file = match log {
        "purchase-to-pay" => "purchase-to-pay/events.csv.gz".to_owned(),
        other => format!("logs/{other}.csv.gz"),
    };
    let packed = std::fs::read(examples().join(file)).expect("the log is there");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("the log unpacks");
    assert!(!text.contains('"'), "no cell of these logs needs quotes");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let place = |name: &str| header.iter().position(|column| *column == name);
    let time = place("timestamp").expect("a time");
    let mut events = Vec::new();
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let cell = |line: &[&str], name: &str| place(name).map_or("-", |place| line[place]).to_owned();
    let cell = |line: &[&str], name: &str| Some(cell(line, name)).filter(|cell| !cell.is_empty()).unwrap_or("-".into());
    let later = |at: &str, days: i64| Timestamp::from_millis(millis(at) + days * 86_400_000).to_string();
    for line in lines.filter(|line| line[time] <= now) {
        let (case, at) = (cell(&line, "case_id"), line[time].to_owned());
        events.push(["case_id", "activity", "timestamp", "resource", "amount"].map(|name| cell(&line, name)).to_vec());
        // No log says who sold and until when; that is made up from the case.
        let vendor = case.parse::<u64>().map_or("-".to_owned(), |number| format!("v{}", number * 7_919 % 40));
        let side = cases
            .entry(case.clone())
            .or_insert_with(|| vec![case, cell(&line, "amount"), cell(&line, "budget_number"), vendor, at.clone()]);
        if at < side[4] {
            side[4] = at;
        }
    }
    let cases: Vec<Vec<String>> = cases
        .into_values()
        .map(|mut side| {
            side.extend([later(&side[4], 14), later(&side[4], 30)]);
            side
        })
        .collect();
    let columns = |columns: &[(&str, ColumnType)]| -> Vec<(String, ColumnType)> {
        columns.iter().map(|(name, column_type)| ((*name).to_owned(), *column_type)).collect()
    };
    let (text, time, float) = (ColumnType::Text, ColumnType::Time, ColumnType::Float);
    let of_events =
        columns(&[("case_id", text), ("activity", text), ("timestamp", time), ("resource", text), ("amount", float)]);
    let of_cases = columns(&[
        ("case_id", text),
        ("amount", float),
        ("budget_number", text),
        ("vendor", text),
        ("submitted_at", time),
        ("discount_until", time),
        ("due", time),
    ]);
    let loaded = [(table(&of_events, &events), Vec::new()), (table(&of_cases, &cases), Vec::new())];
    Arc::new(EventLog::new(&data_model(), &loaded, 1).expect("it loads"))
}

/// Reads the templates by their names.
pub(super) fn templates() -> BTreeMap<String, String> {
    let mut templates = BTreeMap::new();
    for entry in std::fs::read_dir(examples().join("signals")).expect("the templates are there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            templates.insert(name, std::fs::read_to_string(&path).expect("a template is read"));
        }
    }
    templates
}

/// Lists what a template finds at an instant, sorted.
fn found(template: &str, log: &Arc<EventLog>, now: &str) -> Vec<String> {
    let path = examples().join(format!("signals/{template}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let model = KnowledgeModel::parse(&text).unwrap_or_else(|error| panic!("{template}: {error}"));
    let published = check_model(template, &model, &data_model(), log.catalog());
    let published = published.unwrap_or_else(|error| panic!("{template}: {error}"));
    assert_eq!(published.triggers.len(), 1, "{template} has one trigger");
    let mut figures = Figures::new(log.clone());
    let trigger = published.triggers[0].clone();
    let mut watch = Watch::new(trigger, &mut figures, log.clone(), HashMap::new(), false);
    let difference = watch.advance(&Which::All, millis(now), &figures, &News::of(Reason::Data));
    let mut found: Vec<String> = difference.enters.iter().map(|enter| enter.identifier.to_string()).collect();
    found.sort();
    found
}

#[test]
fn every_template_finds_what_a_reckoning_of_its_own_finds() {
    let expected = std::fs::read_to_string(examples().join("signals/expected.json")).expect("what is expected");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).expect("JSON");
    let mut logs = HashMap::new();
    let mut wrong = String::new();
    for (template, expected) in &expected {
        let log = logs
            .entry((expected.log.clone(), expected.now.clone()))
            .or_insert_with(|| load(&expected.log, &expected.now))
            .clone();
        let found = found(template, &log, &expected.now);
        let digest = Sha256::digest(found.join("\n").as_bytes());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let first: Vec<_> = found.iter().take(3).cloned().collect();
        if (found.len(), &digest, &first) != (expected.count, &expected.sha256, &expected.first) {
            let (count, sample) = (expected.count, &expected.first);
            wrong += &format!("{template}: found {} {first:?}, expected {count} {sample:?}\n", found.len());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(templates().len(), expected.len(), "each template is expected to find something");
}
