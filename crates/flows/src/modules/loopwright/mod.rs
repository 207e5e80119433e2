//! Modules of our own.
//!
//! Those that work with pools and knowledge models call our own interface by
//! HTTP, as anybody would: by the connection *This Loopwright*, or another one
//! that has its place in `origin`.

pub mod signal;
pub mod manual;
pub mod repeat_until;
pub mod fail;
pub mod given;
pub mod push_rows;
pub mod write_row;
pub mod query_model;
pub mod query_pool;
pub mod task;
pub mod create_task;
pub mod wait_for_approval;

use serde_json::{Map, Value as Json};

use crate::connection::built_in::BuiltIn;
use crate::modules::http::{HttpCall, Shape, named, path_part};
use crate::modules::{Call, Class, ModuleError, Plan};

/// Where our own interface is, if a connection does not know another place.
pub(crate) const THIS: &str = "loopwright://this";

/// Returns the connection that a module names, or our own.
fn connection(parameters: &Map<String, Json>) -> String {
    named::connection(parameters).unwrap_or_else(|| BuiltIn::ThisLoopwright.name().to_owned())
}

/// Returns a field that must be filled in.
fn needed(call: &Call<'_>, name: &str) -> Result<String, ModuleError> {
    let text = call.input.field(name).to_text();
    if text.trim().is_empty() {
        let message = format!("missing value of required parameter \"{name}\"");
        return Err(ModuleError::new(Class::BundleValidationError, message));
    }
    Ok(text)
}

/// Plans a question whose answer is a table.
fn question(call: &Call<'_>, path: &str, mut body: Map<String, Json>) -> Result<Plan, ModuleError> {
    let limit = call.input.field("limit");
    if !limit.is_empty() {
        let wrong = || {
            let message = format!("limit: \"{}\" is not a number of rows", limit.to_text());
            ModuleError::new(Class::BundleValidationError, message)
        };
        let rows = limit.to_i64().and_then(|rows| u64::try_from(rows).ok()).ok_or_else(wrong)?;
        body.insert("limit".into(), rows.into());
    }
    let shape = if call.is_on("together") { Shape::Table } else { Shape::Rows };
    let call = HttpCall::of_service(THIS, path, &Json::Object(body), connection(call.parameters), shape);
    Ok(Plan::Http(Box::new(call)))
}

/// Puts a name into a path.
fn in_path(name: &str) -> String {
    path_part(name.trim())
}
