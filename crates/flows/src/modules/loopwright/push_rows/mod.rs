//! Rows into a pool.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{connection, needed};
use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};
use crate::value::Value;

/// Pushes rows into a table of a pool, by a job of the Data Push API.
pub const PUSH_ROWS: Module = module!("loopwright:PushRows", versions[1], Behaviour::Effect(push));

/// Rows, planned to be pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct PushCall {
    /// The connection to the Loopwright that has the pool.
    pub connection: String,
    /// Id or name of the pool.
    pub pool: String,
    /// The job as it is made, without the mark by which it is found again.
    pub job: Json,
    /// The rows are those to be deleted.
    pub deletes: bool,
    /// The rows as CSV, with a row of headers.
    pub csv: Bytes,
    /// How many there are, where that is known.
    pub rows: Option<u64>,
}

fn invalid(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

fn push(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let rows = call.input.field("rows");
    let csv = call.input.field("csv");
    match (rows.is_empty(), csv.is_empty()) {
        (false, true) => plan(call, &rows),
        (true, false) => {
            let text = csv.to_bytes();
            plan_csv(call, text, None)
        }
        (false, false) => Err(invalid("give either \"rows\" or \"csv\"")),
        (true, true) => Err(invalid("missing value of required parameter \"rows\"")),
    }
}

/// Plans to push rows that are values. No rows are no push.
pub(super) fn plan(call: &Call<'_>, rows: &Value) -> Result<Plan, ModuleError> {
    let rows: Vec<Value> = match rows {
        Value::Array(rows) => rows.to_vec(),
        row @ Value::Collection(_) => vec![row.clone()],
        other => return Err(invalid(format!("rows: \"{}\" is no list of rows", short(&other.to_text())))),
    };
    if rows.is_empty() && call.input.field("mode").to_text() != "replace" {
        return Ok(Plan::Nothing(vec![pushed(0, None)]));
    }
    plan_csv(call, written(&rows)?, Some(rows.len() as u64))
}

fn plan_csv(call: &Call<'_>, csv: Bytes, rows: Option<u64>) -> Result<Plan, ModuleError> {
    let input = call.input;
    let mode = Some(input.field("mode").to_text()).filter(|mode| !mode.is_empty());
    let mode = mode.or_else(|| call.parameter("mode").map(str::to_owned)).unwrap_or_else(|| "upsert".into());
    let mut keys = list(&input.field("keys"));
    if keys.is_empty() {
        keys = call.parameters.get("keys").cloned().map(|keys| list(&Value::from_json(keys))).unwrap_or_default();
    }
    let (job_type, needs_keys) = match mode.as_str() {
        "upsert" | "delete" => ("DELTA", true),
        "append" => ("DELTA", false),
        "replace" => ("REPLACE", false),
        other => return Err(invalid(format!("mode: \"{other}\" is not upsert, append, replace or delete"))),
    };
    if needs_keys && keys.is_empty() {
        return Err(invalid(format!("mode \"{mode}\" needs \"keys\": the columns that tell rows apart")));
    }
    if mode == "append" && !keys.is_empty() {
        return Err(invalid("mode \"append\" has no keys: with keys it is \"upsert\""));
    }
    let mut job = json!({
        "targetName": needed(call, "table")?.trim(), "type": job_type, "fileType": "CSV",
        "keys": if mode == "append" { Vec::new() } else { keys },
    });
    if mode == "upsert" {
        job["upsertStrategy"] = "UPSERT_WITH_UNCHANGED_METADATA".into();
    }
    let columns = call.parameters.get("columns").and_then(Json::as_array).cloned().unwrap_or_default();
    if !columns.is_empty() {
        let column = |column: &Json| json!({"columnName": column["name"], "columnType": column_type(&column["type"])});
        job["tableSchema"] =
            json!({"tableName": job["targetName"], "columns": columns.iter().map(column).collect::<Vec<_>>()});
    }
    let separator = input.field("separator");
    if !separator.is_empty() {
        job["csvParsingOptions"] = json!({"separatorSequence": separator.to_text()});
    }
    Ok(Plan::Push(Box::new(PushCall {
        connection: connection(call.parameters),
        pool: needed(call, "pool")?.trim().to_owned(),
        job,
        deletes: mode == "delete",
        csv,
        rows,
    })))
}

/// Returns the type of a column as the Data Push API calls it.
fn column_type(name: &Json) -> &'static str {
    match name.as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "integer" => "INTEGER",
        "number" | "float" => "FLOAT",
        "boolean" => "BOOLEAN",
        "date" | "datetime" => "DATETIME",
        _ => "STRING",
    }
}

/// Makes the bundle of a push.
pub(crate) fn pushed(rows: u64, job: Option<&str>) -> Value {
    Value::collection([
        ("rows", Value::Int(i64::try_from(rows).unwrap_or(i64::MAX))),
        ("job", job.map_or(Value::Absent, Value::text)),
        ("status", Value::text("DONE")),
    ])
}

fn list(value: &Value) -> Vec<String> {
    let all: Vec<String> = match value {
        Value::Array(values) => values.iter().map(Value::to_text).collect(),
        other => other.to_text().split(',').map(str::to_owned).collect(),
    };
    all.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Writes rows as CSV: a column for each name that any row has, in the order
/// in which they first come.
pub(crate) fn written(rows: &[Value]) -> Result<Bytes, ModuleError> {
    let mut columns = indexmap::IndexSet::new();
    for row in rows {
        let Value::Collection(fields) = row else {
            return Err(invalid(format!("rows: \"{}\" is no row of named values", short(&row.to_text()))));
        };
        columns.extend(fields.keys().cloned());
    }
    if columns.is_empty() {
        return Err(invalid("rows: no row has a column"));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| invalid(format!("rows: {error}"));
    writer.write_record(&columns).map_err(failed)?;
    for row in rows {
        writer.write_record(columns.iter().map(|column| row.field(column).to_text())).map_err(failed)?;
    }
    Ok(writer.into_inner().map_err(|error| invalid(format!("rows: {error}")))?.into())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_csv_with_the_columns_of_all_of_them() {
        let rows = Value::from_json(json!([
            {"id": 1, "name": "a \"b\", c"},
            {"id": 2, "when": "2026-01-01T00:00:00Z", "name": null},
            {"name": "line\nbreak", "big": 812_345_678_901_234_567_i64},
        ]));
        let Value::Array(rows) = rows else { unreachable!("it is one") };
        let text = written(&rows).expect("CSV");
        expect_test::expect![[r#"
            id,name,when,big
            1,"a ""b"", c",,
            2,,2026-01-01T00:00:00Z,
            ,"line
            break",,812345678901234567
        "#]]
        .assert_eq(&String::from_utf8_lossy(&text));
        let wrong = written(&[Value::Int(1)]).expect_err("it is no row");
        assert_eq!(wrong.message, "rows: \"1\" is no row of named values");
    }
}
