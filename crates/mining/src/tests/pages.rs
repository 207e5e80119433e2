//! The pages of the reference: every operator has one, and every example on it
//! says what the program answers.
//!
//! A page is `docs/reference/pql/NAME.md`. Its title lists the operators that
//! it is about; each of them is used in at least one of its examples. An
//! example is a block marked `pql`, followed by the answer as a table, or by a
//! block marked `text` with the message if it is refused. With
//! `UPDATE_EXPECT=1` the answers are written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pools::Rows;
use serde_json::json;

use super::{at, pool, table};
use crate::evaluate::answer;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::operators::OPERATORS;
use crate::value::Answer;
use pools::rows::ColumnType;
use pools::{DataModel, DataModelId};

/// When the examples are asked.
const NOW: &str = "2026-03-09 12:00";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/pql")
}

/// Reads the cells of a line of a table.
fn cells(line: &str) -> Vec<String> {
    line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Reads the table under a heading of the introduction.
fn rows_of(introduction: &str, name: &str) -> Rows {
    let under = introduction.split(&format!("## {name}\n")).nth(1).expect("the introduction shows the table");
    let lines: Vec<&str> = under.lines().skip_while(|line| !line.starts_with('|')).collect();
    let lines: Vec<&str> = lines.into_iter().take_while(|line| line.starts_with('|')).collect();
    let column = |cell: String| match cell.split_once(':') {
        Some((name, "int")) => (name.to_owned(), ColumnType::Integer),
        Some((name, "float")) => (name.to_owned(), ColumnType::Float),
        Some((name, "time")) => (name.to_owned(), ColumnType::Time),
        _ => (cell, ColumnType::Text),
    };
    let columns: Vec<_> = cells(lines[0]).into_iter().map(column).collect();
    let null = |cell: String| if cell == "NULL" { "-".to_owned() } else { cell };
    let values: Vec<Vec<String>> = lines[2..].iter().map(|line| cells(line).into_iter().map(null).collect()).collect();
    table(&columns, &values)
}

/// The data model of all examples.
pub(super) fn log() -> Arc<EventLog> {
    let introduction = std::fs::read_to_string(folder().join("README.md")).expect("the introduction is there");
    let names = ["EVENTS", "ORDERS", "VENDORS", "ITEMS"];
    let loaded = names.map(|name| (rows_of(&introduction, name), Vec::new()));
    let model: DataModel = serde_json::from_value(json!({
        "id": DataModelId::from_bytes([9; 16]), "pool": pool(), "key": "orders", "version": 1, "name": "Orders",
        "tables": names,
        "foreignKeys": [
            { "fromTable": "ORDERS", "fromColumns": ["VENDOR_ID"], "toTable": "VENDORS", "toColumns": ["ID"] },
            { "fromTable": "ITEMS", "fromColumns": ["ORDER_ID"], "toTable": "ORDERS", "toColumns": ["ORDER_ID"] },
        ],
        "activity": {
            "table": "EVENTS", "caseColumn": "ORDER_ID", "activityColumn": "ACTIVITY", "timestampColumn": "TIME",
            "endTimestampColumn": "END_TIME", "caseTable": "ORDERS",
        },
    }))
    .expect("a data model");
    Arc::new(EventLog::new(&model, &loaded, 1).expect("it loads"))
}

/// Lists the cells of the table under a heading, without the header.
fn lines_of(introduction: &str, name: &str) -> Vec<Vec<String>> {
    let under = introduction.split(&format!("## {name}\n")).nth(1).expect("the introduction shows the table");
    let lines = under.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    // Empty cells count, so the bars at the ends are taken off one by one.
    let inside = |line: &str| line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|')).map(str::to_owned);
    let cells = |line: String| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.skip(2).filter_map(inside).map(cells).collect()
}

/// The KPIs and variables of all examples.
pub(super) fn words() -> Vocabulary {
    let introduction = std::fs::read_to_string(folder().join("README.md")).expect("the introduction is there");
    let mut words = Vocabulary::default();
    for line in lines_of(&introduction, "KPIs") {
        let defaults = line[2].split(',').map(|one| Some(one.trim().to_owned()).filter(|one| !one.is_empty()));
        let defaults = defaults.collect::<Vec<_>>();
        if defaults != [None] {
            words.kpi_defaults.insert(line[0].clone(), defaults);
        }
        words.kpis.insert(line[0].clone(), line[1].clone());
    }
    for line in lines_of(&introduction, "Variables") {
        words.variables.insert(line[0].clone(), line[1].clone());
    }
    words
}

/// Asks, and writes the answer as it stands on a page.
fn answered(log: &Arc<EventLog>, pql: &str) -> String {
    let vocabulary = words();
    match Checker::new(log.catalog().clone(), &vocabulary).query(pql) {
        Ok(plan) => as_table(&answer(log.clone(), &plan, at(NOW).as_millis())),
        Err(faults) => format!("```text\n{faults}\n```\n"),
    }
}

fn as_table(answer: &Answer) -> String {
    let mut lines = vec![answer.columns.iter().map(|column| column.name.replace('|', "\\|")).collect::<Vec<_>>()];
    lines.extend(answer.rows.iter().map(|row| row.iter().map(|value| value.to_string().replace('|', "\\|")).collect()));
    let widths: Vec<usize> = (0..answer.columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// A page with its answers as they are now, and its queries.
fn rewritten(log: &Arc<EventLog>, page: &str) -> (String, Vec<String>) {
    let (mut text, mut queries) = (String::new(), Vec::new());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        if line != "```pql" {
            continue;
        }
        let mut query = String::new();
        for line in lines.by_ref() {
            text.push_str(line);
            text.push('\n');
            if line == "```" {
                break;
            }
            query.push_str(line);
            query.push('\n');
        }
        // What stood there as the answer makes room.
        while lines.peek().is_some_and(|line| line.is_empty()) {
            lines.next();
        }
        if lines.peek() == Some(&"```text") {
            lines.next();
            lines.by_ref().take_while(|line| *line != "```").for_each(drop);
        }
        while lines.peek().is_some_and(|line| line.starts_with('|')) {
            lines.next();
        }
        text.push('\n');
        text.push_str(&answered(log, &query));
        queries.push(query);
        while lines.peek().is_some_and(|line| line.is_empty()) {
            lines.next();
        }
        if lines.peek().is_some() {
            text.push('\n');
        }
    }
    (text, queries)
}

/// Reads the pages by their names, the introduction excepted.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).expect("the reference is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "md") && name != "README.md" {
            pages.insert(name, std::fs::read_to_string(&path).expect("a page is read"));
        }
    }
    pages
}

/// Lists the queries of all pages.
pub(super) fn examples() -> Vec<String> {
    let query = |block: &str| block.split("```").next().map(str::to_owned);
    pages().values().flat_map(|page| page.split("```pql\n").skip(1).filter_map(query).collect::<Vec<_>>()).collect()
}

/// Reads the operators that a page's title names.
fn title(page: &str) -> Vec<String> {
    let first = page.lines().next().unwrap_or_default().trim_start_matches('#');
    first.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

/// Tells whether a query uses a word.
fn uses(query: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    query.split(|c| !is_part(c)).any(|part| part.eq_ignore_ascii_case(word))
}

#[test]
fn every_operator_has_a_page_and_every_example_is_true() {
    let log = log();
    let pages = pages();
    let mut wrong = String::new();
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, page) in &pages {
        let (now, queries) = rewritten(&log, page);
        if now != *page && std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(folder().join(name), &now).expect("the page is written");
        } else if now != *page {
            let _ = writeln!(wrong, "{name} does not say what is answered:\n{now}");
        }
        for operator in title(page) {
            if !queries.iter().any(|query| uses(query, &operator)) {
                let _ = writeln!(wrong, "{name}: no example uses {operator}");
            }
            owners.entry(operator).or_default().push(name.clone());
        }
    }
    for (operator, _) in OPERATORS {
        match owners.get(*operator).map_or(0, Vec::len) {
            0 => {
                let _ = writeln!(wrong, "{operator} has no page");
            }
            1 => {}
            _ => {
                let _ = writeln!(wrong, "{operator} has more than one page");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
