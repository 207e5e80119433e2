//! SQL in a workspace.

use serde_json::json;

use crate::databricks::act::{Act, Sql};
use crate::databricks::body::{self, invalid};
use crate::databricks::statement;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan, http};

/// Runs a statement on a warehouse and waits for its end; each row is a bundle.
pub const EXECUTE_STATEMENT: Module = module!("databricks:ExecuteStatement", versions[1], Behaviour::Effect(execute));

fn execute(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let text = body::needed(call, "statement")?;
    let mut sent =
        json!({"statement": text, "warehouse_id": body::needed(call, "warehouse_id")?, "format": "JSON_ARRAY"});
    for name in ["catalog", "schema"] {
        let value = call.input.field(name).to_text();
        if !value.is_empty() {
            sent[name] = value.into();
        }
    }
    let limit = call.input.field("row_limit");
    if !limit.is_empty() {
        let rows = limit.to_i64().filter(|rows| *rows > 0);
        let wrong = || invalid(format!("row_limit: \"{}\" is not a number of rows", limit.to_text()));
        sent["row_limit"] = rows.ok_or_else(wrong)?.into();
    }
    let parameters = body::bound(&call.input.field("parameters"))?;
    if !parameters.is_empty() {
        sent["parameters"] = parameters.into();
    }
    sent["disposition"] = match call.parameter("disposition").unwrap_or("INLINE") {
        known @ ("INLINE" | "EXTERNAL_LINKS") => known.into(),
        other => return Err(invalid(format!("disposition: \"{other}\" is not INLINE or EXTERNAL_LINKS"))),
    };
    let is_safe = statement::only_reads(&text) || http::repeats_in_doubt(call.parameters);
    let (deadline, together) = (body::minutes(call, "deadline")?, call.is_on("together"));
    super::planned(call, EXECUTE_STATEMENT.name, Act::Sql(Sql { body: sent, deadline, together, is_safe }))
}
