//! What flows are made of: the modules, with the forms of their settings.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use flows::modules;
use flows::modules::catalogue::{self, Listed};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A kind of module.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModuleKind)]
pub(super) struct Shown {
    /// `app:Name`, as blueprints have it.
    name: &'static str,
    /// Versions of the app that are known; a flow without one gets the last.
    versions: &'static [u32],
    /// The part of the name before the colon.
    app: &'static str,
    /// What people call the app.
    app_name: &'static str,
    /// The app's colour, as `#rrggbb`; white text on it can be read.
    colour: &'static str,
    /// What people call the module.
    label: String,
    /// What it does, in a sentence.
    description: String,
    /// `start`, `action`, `effect`, `respond`, `loop`, `aggregator`, `router`,
    /// `if-else`, `merge`, `repeat-until` or `directive`.
    kind: &'static str,
    /// It runs what older flows bring, and is not offered for new ones.
    older: bool,
    /// JSON Schema with the properties `parameters` and `mapper`.
    #[schema(value_type = Object)]
    schema: Value,
    /// An SVG of 24 by 24 in the colour of the text around it.
    icon: &'static str,
    /// Fields that its bundles are known to have.
    #[schema(value_type = Vec<OutputField>)]
    outputs: Value,
    /// What people type who look for it.
    words: &'static [&'static str],
}

/// A field that a module gives.
#[derive(Serialize, ToSchema)]
pub(super) struct OutputField {
    name: String,
    /// `text`, `number`, `boolean`, `date`, `collection`, `array`, `buffer` or `any`.
    kind: String,
    /// What people call it.
    #[schema(nullable = false)]
    label: Option<String>,
    /// Fields of a collection, or of each item of an array.
    #[schema(no_recursion, nullable = false)]
    fields: Option<Vec<OutputField>>,
}

impl From<Listed> for Shown {
    fn from(listed: Listed) -> Self {
        let Listed {
            name,
            versions,
            app,
            app_name,
            colour,
            label,
            description,
            kind,
            older,
            schema,
            icon,
            outputs,
            words,
        } = listed;
        Shown { name, versions, app, app_name, colour, label, description, kind, older, schema, icon, outputs, words }
    }
}

/// Lists the kinds of modules.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Shown>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(catalogue::listed().into_iter().map(Shown::from).collect()))
}

/// Shows the page of the reference about a module, in Markdown.
pub(super) async fn page(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(module): Path<String>,
) -> Result<Response, Fault> {
    rights::use_flows(&app, &actor).await?;
    let Some(found) = modules::find(&module) else {
        return Err(Fault::not_found("module-unknown", format!("there is no module \"{module}\"")));
    };
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], found.page).into_response())
}
