//! A flow as an editor works on it: its document, stored over the draft that
//! its author has seen, and what its modules last gave.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base::{Coded, Timestamp};
use flows::blueprint::Format;
use flows::{Document, Reading, Seen};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::flow_versions::reading;
use super::flows::Remark;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Which text of a flow is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `draft`, `published` or the number of a version; the draft if it is left out.
    of: Option<String>,
}

/// A flow's text as a document.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowDocument)]
pub(super) struct Shown {
    /// Names this text; a draft is stored over it with `If-Match`.
    revision: String,
    /// What stands in it, as the flow's file has it.
    #[schema(value_type = Object)]
    document: Value,
    /// What it is stored in: `yaml` or `blueprint`.
    format: &'static str,
    /// When the draft was last stored.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Id of who stored this text.
    #[schema(required = true)]
    changed_by: Option<String>,
}

/// What came of storing a document.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowStored)]
pub(super) struct Stored {
    /// Names the draft that is stored now.
    revision: String,
    /// What is noteworthy about it.
    notices: Vec<Remark>,
}

/// What a module last gave.
#[derive(Serialize, ToSchema)]
#[schema(as = ModuleSample)]
pub(super) struct Sample {
    /// Its last bundles, the latest last; at most three.
    #[schema(value_type = Vec<Object>)]
    bundles: Vec<Value>,
    /// What it was given for the last of them.
    #[schema(value_type = Value)]
    input: Value,
    /// In which run.
    run: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What the modules of a flow last gave.
#[derive(Serialize, ToSchema)]
#[schema(as = ModuleSamples)]
pub(super) struct Samples {
    /// By the module's id.
    modules: BTreeMap<u32, Sample>,
}

impl From<Document> for Shown {
    fn from(read: Document) -> Self {
        let Document { revision, document, format, changed_at, changed_by } = read;
        let format = match format {
            Format::Json => "blueprint",
            Format::Yaml => "yaml",
        };
        Shown { revision, document, format, changed_at, changed_by }
    }
}

/// Shows a flow's text as a document.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    rights::use_flows(&app, &actor).await?;
    let of = wanted.of.as_deref().map_or(Ok(Reading::Draft), reading)?;
    let shown = Shown::from(app.flows.document(&flow, of).await?);
    Ok(([(ETAG, format!("\"{}\"", shown.revision))], Json(shown)).into_response())
}

/// Stores a document as the draft, over the one that its author has seen.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    headers: HeaderMap,
    body::Json(document): body::Json<Value>,
) -> Result<Response, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let stored = app.flows.put_document(&actor, &flow, &document, seen(&headers)?).await;
    let (revision, notices) = match stored {
        Ok(stored) => stored,
        Err(error @ flows::Error::DraftChanged { .. }) => {
            let theirs = match app.flows.document(&flow, Reading::Draft).await {
                Ok(document) => Some(Shown::from(document)),
                // It is not there: somebody expected a draft where there is none.
                Err(flows::Error::UnknownFlow { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let (status, detail) = (StatusCode::CONFLICT, error.to_string());
            let problem = json!({
                "type": format!("urn:loopwright:problem:{}", error.code()), "title": "Conflict",
                "status": status.as_u16(), "code": error.code(), "detail": detail, "theirs": theirs,
            });
            return Ok((status, [("content-type", "application/problem+json")], Json(problem)).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let tag = format!("\"{revision}\"");
    let notices = notices.into_iter().map(Remark::from).collect();
    Ok(([(ETAG, tag)], Json(Stored { revision, notices })).into_response())
}

/// Reads what the author has seen.
fn seen(headers: &HeaderMap) -> Result<Seen, Fault> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::trim);
    match (text(IF_MATCH), text(IF_NONE_MATCH)) {
        (Some(tag), None) if tag != "*" => Ok(Seen::Revision(tag.trim_matches('"').to_owned())),
        (None, Some("*")) => Ok(Seen::Nothing),
        _ => {
            let detail = "say over which draft this one is stored: If-Match with its revision, or If-None-Match: * \
                          for a new flow";
            Err(Fault::new(StatusCode::PRECONDITION_REQUIRED, "revision-missing", detail))
        }
    }
}

/// Shows what the modules of a flow last gave.
pub(super) async fn samples(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<Samples>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let samples = app.flows.samples(&flow).await?;
    let shown = |(module, sample): (u32, flows::Sample)| {
        let flows::Sample { bundles, input, run, at } = sample;
        (module, Sample { bundles, input, run: run.to_string(), at })
    };
    Ok(Json(Samples { modules: samples.into_iter().map(shown).collect() }))
}
