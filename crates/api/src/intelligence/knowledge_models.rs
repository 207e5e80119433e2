//! Knowledge models and their records, as the last publication has them.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{FieldView, RecordView, Type};
use serde::Serialize;
use serde_json::{Value, json};

use super::page::{Page, Wanted};
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A knowledge model in a list.
#[derive(Serialize)]
pub(super) struct Model {
    id: String,
    name: String,
    published: String,
}

/// A record in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    id: String,
    name: String,
    description: Option<String>,
    short_display_name: Option<String>,
    internal_note: Option<String>,
}

/// A record with its fields.
#[derive(Serialize)]
pub(super) struct RecordWithFields {
    #[serde(flatten)]
    record: Record,
    fields: Vec<RecordField>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordField {
    id: String,
    name: String,
    description: Option<String>,
    short_display_name: Option<String>,
    internal_note: Option<String>,
    #[serde(rename = "type")]
    field_type: &'static str,
    format: Option<String>,
    unit: Option<String>,
}

/// Lists the published knowledge models that the caller may use.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    wanted: Wanted,
) -> Result<Json<Page<Model>>, Fault> {
    let models = rights::usable_models(&app, &actor).await?;
    let published = models.into_iter().filter(|model| model.published.is_some());
    let models = published
        .map(|model| Model { id: model.id, name: model.display_name, published: plain_time(model.changed_at) })
        .collect();
    let page = wanted.cut(
        models,
        &[
            ("id", |a, b| a.id.cmp(&b.id)),
            ("name", |a, b| a.name.cmp(&b.name)),
            ("published", |a, b| a.published.cmp(&b.published)),
        ],
    )?;
    Ok(Json(page))
}

/// Shows a knowledge model.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let summary = app.mining.get(&model).await?.summary;
    if summary.published.is_none() {
        return Err(mining::Error::NotPublished { model }.into());
    }
    Ok(Json(json!({ "id": summary.id, "name": summary.display_name, "extendedKMId": null })))
}

/// Lists the records.
pub(super) async fn records(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    wanted: Wanted,
) -> Result<Json<Page<Record>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let records = app.mining.records(&model).await?;
    let records = records.into_iter().map(|view| Record::new(view.id, view.name)).collect();
    let page = wanted.cut(records, &[("id", |a, b| a.id.cmp(&b.id)), ("name", |a, b| a.name.cmp(&b.name))])?;
    Ok(Json(page))
}

/// Shows a record with its fields.
pub(super) async fn record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, record)): Path<(String, String)>,
) -> Result<Json<RecordWithFields>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let records = app.mining.records(&model).await?;
    let found = records.into_iter().find(|view| view.id == record);
    let unknown = || {
        let detail = format!("knowledge model \"{model}\" has no record \"{record}\"");
        Fault::not_found("record-unknown", detail)
    };
    Ok(Json(found.ok_or_else(unknown)?.into()))
}

/// Returns the word of the wire for a type.
pub(super) fn type_word(field_type: Type) -> &'static str {
    match field_type {
        Type::Int => "integer",
        Type::Float => "float",
        Type::Date => "datetime",
        Type::String => "string",
    }
}

/// Writes a time as this API does: `2026-02-03 09:15:00`.
fn plain_time(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).map_or(text.clone(), |seconds| seconds.replace('T', " "))
}

impl Record {
    fn new(id: String, name: String) -> Self {
        Record { id, name, description: None, short_display_name: None, internal_note: None }
    }
}

impl From<RecordView> for RecordWithFields {
    fn from(view: RecordView) -> Self {
        let fields = view.fields.into_iter().map(RecordField::from).collect();
        RecordWithFields { record: Record::new(view.id, view.name), fields }
    }
}

impl From<FieldView> for RecordField {
    fn from(view: FieldView) -> Self {
        RecordField {
            id: view.id,
            name: view.name,
            description: None,
            short_display_name: None,
            internal_note: None,
            field_type: type_word(view.field_type),
            format: view.format,
            unit: view.unit,
        }
    }
}
