//! A data model names what is missing.

use expect_test::{Expect, expect};

use super::*;
use crate::rows::{ColumnSchema, ColumnType, Schema};

fn table(name: &str, columns: &[&str]) -> TableInfo {
    let columns = columns.iter().map(|name| ColumnSchema { name: (*name).into(), column_type: ColumnType::Text });
    TableInfo {
        name: name.into(),
        schema: Schema { columns: columns.collect() },
        rows: 0,
        keys: Vec::new(),
        changed_by: 1,
    }
}

fn spec() -> DataModelSpec {
    let written = r#"{
        "tables": ["Events", "Cases"],
        "foreignKeys": [
            {"fromTable": "Events", "fromColumns": ["Case"], "toTable": "Cases", "toColumns": ["Id"]}
        ],
        "activity": {
            "table": "Events", "caseColumn": "Case", "activityColumn": "Activity", "timestampColumn": "Time",
            "caseTable": "Cases", "caseTableColumn": "Id"
        }
    }"#;
    serde_json::from_str(written).expect("the form that people write")
}

fn check_with(change: impl Fn(&mut DataModelSpec), expected: Expect) {
    let mut spec = spec();
    change(&mut spec);
    let tables = [table("EVENTS", &["case", "activity", "time"]), table("Other", &[])];
    let answer = match check(&spec, &tables) {
        Ok(notes) => notes.join("; "),
        Err(detail) => format!("refused: {detail}"),
    };
    expected.assert_eq(&answer);
}

#[test]
fn a_table_that_is_yet_to_come_is_a_note() {
    check_with(|_| {}, expect![[r#"table "Cases" does not exist yet"#]]);
}

#[test]
fn what_is_missing_is_named() {
    check_with(
        |spec| spec.activity.timestamp_column = "When".into(),
        expect![[r#"refused: table "Events" has no column "When""#]],
    );
    check_with(
        |spec| spec.activity.sorting_column = Some("Order".into()),
        expect![[r#"refused: table "Events" has no column "Order""#]],
    );
    check_with(
        |spec| spec.foreign_keys[0].to_table = "Vendors".into(),
        expect![[r#"refused: table "Vendors" is not among its tables"#]],
    );
    check_with(
        |spec| spec.foreign_keys[0].to_columns.clear(),
        expect![[
            r#"refused: the foreign key from "Events" to "Cases" needs as many columns on one side as on the other"#
        ]],
    );
    check_with(
        |spec| spec.activity.case_table_column = None,
        expect!["refused: caseTable and caseTableColumn belong together"],
    );
    check_with(|spec| spec.tables.push("cases".into()), expect![[r#"refused: table "cases" is listed twice"#]]);
}
