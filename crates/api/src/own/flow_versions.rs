//! Versions of a flow: what was published when, what differs, the way back; and
//! a flow as it is handed on.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use flows::blueprint::Format;
use flows::difference::{FieldChange, FlowDifference, ModuleChange};
use flows::template::{self, Template};
use flows::{FlowVersion, Reading};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::flows::Remark;
use crate::app::App;
use crate::body::{self, MaybeJson, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// What is said about a publication.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PublicationRemarks)]
pub(super) struct Remarks {
    /// What its publisher says about it.
    #[serde(default)]
    pub(super) note: Option<String>,
}

/// Which text of a flow is wanted, and how it is written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `draft`, `published` or the number of a version; the draft if it is left out.
    of: Option<String>,
    /// `json` or `yaml`; JSON if it is left out.
    format: Option<String>,
}

/// Lists the publications, the latest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<Vec<FlowVersion>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.versions(&flow).await?))
}

/// What two texts of a flow differ in.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowDifference)]
pub(super) struct Difference {
    /// Settings of the flow as a whole.
    settings: Vec<FieldChange>,
    modules: Vec<ModuleChange>,
    /// The same in words.
    text: String,
}

/// An older version that was published again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowRolledBack)]
pub(super) struct RolledBack {
    key: String,
    /// The new one.
    version: u64,
    of_version: u64,
}

/// What a flow can be made of.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowTemplate)]
pub(super) struct TemplateShown {
    key: String,
    title: String,
    description: String,
    /// What is to be filled in, as JSON Schema.
    #[schema(value_type = Object)]
    form: Value,
}

/// A draft that was made of a template.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowFromTemplate)]
pub(super) struct Made {
    key: String,
    text: String,
    notices: Vec<Remark>,
}

/// Compares two texts.
pub(super) async fn difference(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, from, to)): Path<(String, String, String)>,
) -> Result<Json<Difference>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let difference: FlowDifference = app.flows.difference(&flow, reading(&from)?, reading(&to)?).await?;
    let text = difference.to_string();
    Ok(Json(Difference { settings: difference.settings, modules: difference.modules, text }))
}

/// Publishes the text of an older version again, as a new one.
pub(super) async fn roll_back(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, version)): Path<(String, String)>,
    MaybeJson(remarks): MaybeJson<Remarks>,
) -> Result<Json<RolledBack>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let Reading::Version(version) = reading(&version)? else {
        let detail = "a rollback names the number of a version; the draft is published at /publish";
        return Err(Fault::invalid("version", "version-invalid", detail));
    };
    let note = remarks.unwrap_or_default().note;
    let number = app.flows.roll_back(&actor, &flow, version, note).await?;
    Ok(Json(RolledBack { key: flow, version: number, of_version: version }))
}

/// Lists the templates, each with the form of what is to be filled in.
pub(super) async fn templates(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<Vec<TemplateShown>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let shown = |template: Template| TemplateShown {
        form: template.form(),
        key: template.key,
        title: template.title,
        description: template.description,
    };
    Ok(Json(template::templates().into_iter().map(shown).collect()))
}

/// What is filled into a template, and what the flow is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlowToMake)]
pub(super) struct FromTemplate {
    /// Key of the flow that is made.
    key: String,
    /// What was filled in.
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
}

/// Makes a draft of a template.
pub(super) async fn from_template(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(template): Path<String>,
    body::Json(new): body::Json<FromTemplate>,
) -> Result<Json<Made>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let Some(template) = template::find(&template) else {
        return Err(Fault::not_found("template-unknown", format!("there is no template \"{template}\"")));
    };
    if app.flows.list().await?.iter().any(|flow| flow.key == new.key) {
        let detail = format!("flow \"{}\" is there already: choose another key", new.key);
        return Err(Fault::invalid("key", "flow-exists", detail));
    }
    let text = template.fill(&new.parameters);
    let text = text.map_err(|detail| Fault::invalid("parameters", "template-misfit", detail))?;
    let notices = app.flows.put(&actor, &new.key, &text).await?;
    Ok(Json(Made { key: new.key, text, notices: notices.into_iter().map(Remark::from).collect() }))
}

/// Hands a flow on as a blueprint, or in YAML; it imports back to the same.
pub(super) async fn blueprint(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    rights::use_flows(&app, &actor).await?;
    let of = wanted.of.as_deref().map_or(Ok(Reading::Draft), reading)?;
    let (format, content_type) = match wanted.format.as_deref() {
        None | Some("json") => (Format::Json, "application/json"),
        Some("yaml") => (Format::Yaml, "application/yaml"),
        Some(other) => {
            let detail = format!("\"{other}\" is no format: json and yaml are");
            return Err(Fault::invalid("format", "format-invalid", detail));
        }
    };
    let text = app.flows.export(&flow, of, format).await?;
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}

pub(super) fn reading(text: &str) -> Result<Reading, Fault> {
    text.parse().map_err(|()| {
        let detail = format!("\"{text}\" is no version: write its number, \"draft\" or \"published\"");
        Fault::invalid("version", "version-invalid", detail)
    })
}
