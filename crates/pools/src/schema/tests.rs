//! Columns widen; keys stay.

use expect_test::{Expect, expect};

use super::*;

fn schema(columns: &str) -> Schema {
    let columns = columns.split_whitespace().map(|column| {
        let (name, kind) = column.split_once(':').expect("name:type");
        let column_type = match kind {
            "integer" => ColumnType::Integer,
            "float" => ColumnType::Float,
            "time" => ColumnType::Time,
            "boolean" => ColumnType::Boolean,
            _ => ColumnType::Text,
        };
        ColumnSchema { name: name.into(), column_type }
    });
    Schema { columns: columns.collect() }
}

fn upsert(keys: &[&str]) -> Mode {
    Mode::Upsert { keys: keys.iter().map(|key| (*key).into()).collect(), keep_missing: true }
}

fn check(table: Option<(&str, &[&str])>, mode: Mode, incoming: &str, expected: Expect) {
    let table = table
        .map(|(columns, keys)| Shape { schema: schema(columns), keys: keys.iter().map(|key| (*key).into()).collect() });
    let answer = match after(table.as_ref(), &mode, &schema(incoming)) {
        Ok(shape) => {
            let columns = shape.schema.columns.iter();
            let columns: Vec<_> = columns.map(|column| format!("{}:{:?}", column.name, column.column_type)).collect();
            format!("{} keys ({})", columns.join(" "), shape.keys.join(", "))
        }
        Err(detail) => detail,
    };
    expected.assert_eq(&answer);
}

#[test]
fn a_new_table_takes_the_columns_as_they_come() {
    check(None, Mode::Append, "Id:integer", expect!["Id:Integer _CELONIS_CHANGE_DATE:Time keys ()"]);
    check(None, upsert(&["ID"]), "Id:integer", expect!["Id:Integer _CELONIS_CHANGE_DATE:Time keys (Id)"]);
    check(None, Mode::Append, "", expect!["there are no columns"]);
    check(None, Mode::Append, "_SEQ:integer", expect![[r#""_seq" is a column of ours and cannot be pushed"#]]);
}

#[test]
fn types_widen_and_columns_are_added() {
    check(
        Some(("Id:integer Price:integer When:time", &[])),
        Mode::Append,
        "id:text price:float Note:text",
        expect!["Id:Text Price:Float When:Time Note:Text _CELONIS_CHANGE_DATE:Time keys ()"],
    );
}

#[test]
fn a_replacement_starts_anew() {
    check(
        Some(("Id:text Old:text", &["Id"])),
        Mode::Replace,
        "Id:integer",
        expect!["Id:Integer _CELONIS_CHANGE_DATE:Time keys ()"],
    );
}

#[test]
fn keys_are_known_and_do_not_change() {
    let table = Some(("A:text B:text C:text", &["A", "B"] as &[&str]));
    check(
        table,
        upsert(&["b", "a"]),
        "A:text B:text",
        expect!["A:Text B:Text C:Text _CELONIS_CHANGE_DATE:Time keys (A, B)"],
    );
    check(table, upsert(&["A"]), "A:text B:text", expect!["its keys are (A, B), not (A)"]);
    check(table, upsert(&["D"]), "A:text", expect![[r#"key column "D" is missing"#]]);
}
