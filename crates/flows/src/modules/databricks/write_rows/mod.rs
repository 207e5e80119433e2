//! Rows into a table of the lakehouse.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::databricks::act::{Act, FILE_MARK, Sql};
use crate::databricks::body::{self, invalid};
use crate::modules::loopwright::push_rows;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::value::Value;

/// Writes rows into a table: as a file in a volume that `COPY INTO` takes in.
pub const WRITE_ROWS: Module = module!("databricks:WriteRows", versions[1], Behaviour::Effect(write));

fn write(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let rows: Vec<Value> = match call.input.field("rows") {
        Value::Array(rows) => rows.to_vec(),
        row @ Value::Collection(_) => vec![row],
        other if other.is_empty() => Vec::new(),
        _ => return Err(invalid("rows: a list of named values is needed")),
    };
    let csv = call.input.field("csv");
    if rows.is_empty() && csv.is_empty() {
        return Ok(Plan::Nothing(vec![Value::collection([("rows", Value::Int(0))])]));
    }
    if !rows.is_empty() && !csv.is_empty() {
        return Err(invalid("give either \"rows\" or \"csv\""));
    }
    let table = quoted(&body::needed(call, "table")?)?;
    let volume = body::needed(call, "volume")?;
    super::upload_file::checked(&volume)?;
    let usual = if csv.is_empty() { "json" } else { "csv" };
    let (ending, content) = match (call.parameter("format").unwrap_or(usual), csv.is_empty()) {
        ("csv", true) => ("csv", push_rows::written(&rows)?),
        ("csv", false) => ("csv", csv.to_bytes()),
        ("json", true) => ("json", lines(&rows)?),
        ("json", false) => return Err(invalid("format: \"csv\" is needed where \"csv\" is given")),
        (other, _) => return Err(invalid(format!("format: \"{other}\" is not json or csv"))),
    };
    let adds = if call.is_on("addColumns") { " COPY_OPTIONS ('mergeSchema' = 'true')" } else { "" };
    let format = match ending {
        "csv" => {
            "CSV FORMAT_OPTIONS ('header' = 'true', 'inferSchema' = 'true', 'multiLine' = 'true', 'escape' = '\"')"
        }
        _ => "JSON FORMAT_OPTIONS ('inferSchema' = 'true')",
    };
    let statement = format!("COPY INTO {table} FROM '{FILE_MARK}' FILEFORMAT = {format}{adds}");
    let sent = json!({
        "statement": statement, "warehouse_id": body::needed(call, "warehouse_id")?, "format": "JSON_ARRAY",
        "disposition": "INLINE",
    });
    // A file is taken in once, however often it is asked for.
    let sql = Sql { body: sent, deadline: body::minutes(call, "deadline")?, together: true, is_safe: true };
    let count = (!rows.is_empty()).then_some(rows.len() as u64);
    super::planned(call, WRITE_ROWS.name, Act::Write { volume, ending, content, rows: count, sql })
}

/// Puts quotes around the parts of a table's name.
fn quoted(name: &str) -> Result<String, ModuleError> {
    let parts: Vec<&str> = name.split('.').map(|part| part.trim().trim_matches('`')).collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(invalid(format!("table: \"{name}\" is not CATALOG.SCHEMA.TABLE")));
    }
    Ok(parts.iter().map(|part| format!("`{}`", part.replace('`', "``"))).collect::<Vec<_>>().join("."))
}

/// Writes rows as JSON, one in each line.
fn lines(rows: &[Value]) -> Result<Bytes, ModuleError> {
    let mut text = String::new();
    for row in rows {
        let Value::Collection(_) = row else {
            return Err(invalid(format!("rows: \"{}\" is no row of named values", row.to_text())));
        };
        text.push_str(&Json::to_string(&row.to_json()));
        text.push('\n');
    }
    Ok(text.into())
}
