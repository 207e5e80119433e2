//! Databricks, as a client: what our modules ask a workspace, and what its
//! answers mean.
//!
//! * [`address`]: the address of a workspace as people paste it;
//! * [`problem`]: what a refusal means, and what to do about it;
//! * [`run`]: how a run stands, and when it is over;
//! * [`act`]: what a module wants, as a conversation: the next question, given
//!   what is known so far;
//! * [`body`]: the bodies of those questions, with their checks;
//! * [`statement`]: results of SQL that come in chunks;
//! * [`pace`]: pauses between looks and between tries, and how many calls a
//!   workspace is sent;
//! * [`aloud`]: a whole conversation with somebody who answers at once;
//! * [`ended`]: runs that end, as starts of flows.
//!
//! Everything here is decided without a network and without a clock. Who holds
//! such a conversation is elsewhere: the engine (`work::databricks`), a test
//! that stands in a flow's file (`cases`), the pages of the modules.
//!
//! What cannot happen here: that an answer of 200 is taken for the success of a
//! run or of a statement; that an id passes through a double; that a state
//! which nobody knows ends a wait.

pub(crate) mod address;
pub(crate) mod problem;
pub(crate) mod run;
pub(crate) mod body;
pub(crate) mod statement;
pub(crate) mod act;
pub(crate) mod pace;
pub(crate) mod aloud;
pub(crate) mod ended;

use serde::Serialize;
use serde_json::Value as Json;

use base::Timestamp;
use utoipa::ToSchema;

pub use act::{Errand, Wait};
pub use ended::{Results, Wanted};

/// A job of a workspace, for whoever picks one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabricksJob)]
pub struct JobChoice {
    /// Its id as text: browsers read numbers as doubles, and these have up to
    /// 18 digits.
    pub job_id: String,
    /// What people call it.
    pub name: String,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub creator: Option<String>,
}

/// One call to a workspace, as the record of calls keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabricksCall)]
pub struct CallInfo {
    /// Later calls have greater ids.
    pub id: String,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The connection that it used.
    pub connection: String,
    /// The workspace to which it went.
    pub workspace: String,
    /// Who stands behind it.
    pub who: String,
    /// Key of the flow, if one asked for it.
    #[schema(required = true)]
    pub flow: Option<String>,
    /// Hash of the flow's text.
    #[schema(required = true)]
    pub version: Option<String>,
    /// The flow's run.
    #[schema(required = true)]
    pub run: Option<String>,
    /// The module, or what else wanted it.
    pub operation: String,
    /// GET, POST …
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// What keeps it from starting something twice.
    #[schema(required = true)]
    pub idempotency_token: Option<String>,
    /// The workspace's run that it was about or that it started, as text.
    #[schema(required = true)]
    pub databricks_run: Option<String>,
    /// Status of the answer; nothing if there was none.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// What the answer or the failure to get one is called.
    #[schema(required = true)]
    pub error_code: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// SHA-256 of method, path, query and body, in hexadecimal.
    pub request_hash: String,
}

/// Reads an id: a whole number, or the digits of one. Nothing if it is
/// something else, or was a double on the way and may have lost digits.
pub(crate) fn id_of(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Returns a text of an answer; empty if there is none.
pub(crate) fn text_of<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

/// Returns the first line of a text that says something.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}
