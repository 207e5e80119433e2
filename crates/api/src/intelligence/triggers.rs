//! The triggers of a knowledge model.

use axum::Json;
use axum::extract::{Path, State};
use base::Actor;
use mining::TriggerView;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::knowledge_models::type_word;
use super::page::{self, Asked, Key, Page, Wanted};
use super::problem::Problems;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A trigger in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Trigger {
    /// Its id in the knowledge model.
    #[schema(examples("LATE_ORDERS"))]
    id: String,
    /// The record whose instances it watches.
    #[schema(examples("ORDER"))]
    record: String,
    /// What people read.
    #[schema(examples("Late orders"))]
    name: String,
}

/// A trigger with what its events carry.
#[derive(Serialize, ToSchema)]
pub(super) struct TriggerWithFields {
    /// Its id in the knowledge model.
    #[schema(examples("LATE_ORDERS"))]
    id: String,
    /// What people read.
    name: String,
    /// The identifier first.
    fields: Vec<TriggerField>,
}

#[derive(Serialize, ToSchema)]
struct TriggerField {
    /// What people read.
    name: String,
    /// `string`, `integer`, `float` or `datetime`.
    #[serde(rename = "type")]
    #[schema(examples("integer"))]
    field_type: &'static str,
    /// How it is shown, where the knowledge model says so.
    format: Option<String>,
    /// In what it is measured, where the knowledge model says so.
    unit: Option<String>,
}

const KEYS: [Key<Trigger>; 3] =
    [("id", |a, b| a.id.cmp(&b.id)), ("record", |a, b| a.record.cmp(&b.record)), ("name", |a, b| a.name.cmp(&b.name))];

/// For the document: the orders of this list.
pub(super) struct Order;

impl IntoParams for Order {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![page::sort_parameter(&KEYS.map(|(name, _)| name))]
    }
}

/// Lists the triggers of the published version.
#[utoipa::path(
    get,
    path = "/intelligence/api/knowledge-models/{model}/triggers",
    operation_id = "listTriggers",
    tag = "triggers",
    params(("model" = String, Path, description = "The knowledge model, `package.key`."), Asked, Order),
    responses((status = 200, description = "A page of triggers.", body = Page<Trigger>), Problems)
)]
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
    let page = wanted.cut(triggers, &KEYS)?;
    Ok(Json(page))
}

/// Shows a trigger with what its events carry.
#[utoipa::path(
    get,
    path = "/intelligence/api/knowledge-models/{model}/triggers/{trigger}",
    operation_id = "showTrigger",
    tag = "triggers",
    params(
        ("model" = String, Path, description = "The knowledge model, `package.key`."),
        ("trigger" = String, Path, description = "The trigger's id in it."),
    ),
    responses((status = 200, description = "The trigger.", body = TriggerWithFields), Problems)
)]
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
