//! The triggers of a knowledge model.

use axum::Json;
use axum::extract::{Path, State};
use base::Actor;
use mining::TriggerView;
use serde::Serialize;

use super::knowledge_models::type_word;
use super::page::{Page, Wanted};
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A trigger in a list.
#[derive(Serialize)]
pub(super) struct Trigger {
    id: String,
    record: String,
    name: String,
}

/// A trigger with what its events carry.
#[derive(Serialize)]
pub(super) struct TriggerWithFields {
    id: String,
    name: String,
    fields: Vec<TriggerField>,
}

#[derive(Serialize)]
struct TriggerField {
    name: String,
    #[serde(rename = "type")]
    field_type: &'static str,
    format: Option<String>,
    unit: Option<String>,
}

/// Lists the triggers of the published version.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    wanted: Wanted,
) -> Result<Json<Page<Trigger>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let triggers = app.mining.triggers(&model).await?;
    let triggers =
        triggers.into_iter().map(|view| Trigger { id: view.id, record: view.record, name: view.name }).collect();
    let page = wanted.cut(
        triggers,
        &[
            ("id", |a, b| a.id.cmp(&b.id)),
            ("record", |a, b| a.record.cmp(&b.record)),
            ("name", |a, b| a.name.cmp(&b.name)),
        ],
    )?;
    Ok(Json(page))
}

/// Shows a trigger.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
) -> Result<Json<TriggerWithFields>, Fault> {
    Ok(Json(find(&app, &actor, &model, &trigger).await?.into()))
}

/// Finds a trigger that the caller may use.
pub(super) async fn find(app: &App, actor: &Actor, model: &str, trigger: &str) -> Result<TriggerView, Fault> {
    rights::use_model(app, actor, model).await?;
    let triggers = app.mining.triggers(model).await?;
    let unknown = || {
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        Fault::from(mining::Error::UnknownTrigger { model, trigger, hint: String::new() })
    };
    triggers.into_iter().find(|view| view.id == trigger).ok_or_else(unknown)
}

impl From<TriggerView> for TriggerWithFields {
    fn from(view: TriggerView) -> Self {
        let fields = view.fields.into_iter().map(|field| TriggerField {
            name: field.name,
            field_type: type_word(field.field_type),
            format: field.format,
            unit: field.unit,
        });
        TriggerWithFields { id: view.id, name: view.name, fields: fields.collect() }
    }
}
