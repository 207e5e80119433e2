//! The example log, against figures that were computed elsewhere.

use std::io::Read as _;
use std::sync::Arc;

use pools::DataModel;
use pools::rows::ColumnType;

use super::super::table;
use super::ask;
use crate::log::EventLog;

const LOG: &[u8] = include_bytes!("../../../../../examples/purchase-to-pay/events.csv.gz");
/// Its heading says how it was computed.
const EDGES: &str = include_str!("purchase-to-pay-edges.csv");
const DATA_MODEL: &str = r#"{
    "id": "09090909-0909-0909-0909-090909090909", "pool": "07070707-0707-0707-0707-070707070707",
    "key": "orders", "version": 1, "name": "Purchase orders", "tables": ["EV"], "foreignKeys": [],
    "activity": { "table": "EV", "caseColumn": "case_id", "activityColumn": "activity", "timestampColumn": "timestamp" }
}"#;

fn log() -> Arc<EventLog> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(LOG).read_to_string(&mut text).expect("the log unpacks");
    let lines: Vec<Vec<String>> =
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let columns = [
        ("case_id", ColumnType::Text),
        ("activity", ColumnType::Text),
        ("resource", ColumnType::Text),
        ("start_timestamp", ColumnType::Time),
        ("timestamp", ColumnType::Time),
    ];
    let rows = table(&columns.map(|(name, column_type)| (name.to_owned(), column_type)), &lines);
    let model: DataModel = serde_json::from_str(DATA_MODEL).expect("a data model");
    Arc::new(EventLog::new(&model, &[(rows, Vec::new())], 1).expect("it loads"))
}

fn lines(log: &Arc<EventLog>, pql: &str) -> Vec<String> {
    let answer = ask(log, pql).expect(pql);
    answer.rows.iter().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")).collect()
}

#[test]
fn edges_of_the_example_are_those_of_a_plain_script() {
    let expected: Vec<&str> = EDGES.lines().filter(|line| !line.starts_with('#')).collect();
    let found = lines(
        &log(),
        r#"TABLE(SOURCE("EV"."activity") AS source, TARGET("EV"."activity") AS target, COUNT(SOURCE("EV"."activity")),
                 TO_INT(SUM(DATEDIFF(mi, SOURCE("EV"."timestamp"), TARGET("EV"."timestamp")))))
           ORDER BY source, target"#,
    );
    assert_eq!(found, expected);
}

#[test]
fn cases_of_the_example() {
    // 608 cases in 121 variants, 250 of them with an activity that comes again,
    // by the same script with one line more for each.
    let log = log();
    let figures = r#"COUNT_TABLE("EV_CASES"), COUNT(DISTINCT VARIANT("EV"."activity")),
        SUM(CASE WHEN PU_MAX("EV_CASES", INDEX_ACTIVITY_TYPE("EV"."activity")) > 1 THEN 1 ELSE 0 END)"#;
    assert_eq!(lines(&log, figures), ["608;121;250"]);
    // The same question in three grammars.
    let amended = [
        "PROCESS EQUALS 'Amend Request for Quotation' TO 'Analyze Request for Quotation'",
        "MATCH_PROCESS_REGEX('Amend Request for Quotation' >> 'Analyze Request for Quotation') = 1",
        "MATCH_PROCESS(NODE['Amend Request for Quotation'] AS a, NODE['Analyze Request for Quotation'] AS b
                       CONNECTED BY DIRECT[a, b]) = 1",
        r#"SOURCE("EV"."activity") = 'Amend Request for Quotation'
           AND TARGET("EV"."activity") = 'Analyze Request for Quotation'"#,
    ];
    let counts = amended.map(|condition| lines(&log, &format!(r#"FILTER {condition}; COUNT_TABLE("EV_CASES")"#)));
    assert_eq!(counts, [["238"], ["238"], ["238"], ["238"]]);
}
