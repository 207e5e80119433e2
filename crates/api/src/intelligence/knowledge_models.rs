//! Knowledge models and their records, as the last publication has them.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{About, ColumnType, Direction, FieldShown, FilterShown, KpiShown, RecordShown, Type};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, Wanted};
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A knowledge model in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeModel)]
pub(super) struct Model {
    id: String,
    name: String,
    published: String,
}

/// A knowledge model.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeModelDetails)]
pub(super) struct Details {
    id: String,
    name: String,
    /// The model that it extends.
    #[serde(rename = "extendedKMId")]
    #[schema(required = true)]
    extends: Option<String>,
}

/// A record in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KnowledgeRecord)]
pub(super) struct Record {
    id: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    #[schema(required = true)]
    short_display_name: Option<String>,
    #[schema(required = true)]
    internal_note: Option<String>,
}

/// A record with its fields.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeRecordWithFields)]
pub(super) struct RecordWithFields {
    #[serde(flatten)]
    record: Record,
    fields: Vec<RecordField>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KnowledgeRecordField)]
struct RecordField {
    id: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    #[schema(required = true)]
    short_display_name: Option<String>,
    #[schema(required = true)]
    internal_note: Option<String>,
    #[serde(rename = "type")]
    field_type: &'static str,
    #[schema(required = true)]
    format: Option<String>,
    #[schema(required = true)]
    unit: Option<String>,
}

/// A filter in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeFilter)]
pub(super) struct Filter {
    id: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
}

/// A KPI in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeKpi)]
pub(super) struct Kpi {
    id: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    #[schema(required = true)]
    format: Option<String>,
    #[schema(required = true)]
    unit: Option<String>,
    direction: &'static str,
    #[schema(required = true)]
    target: Option<String>,
    parameters: Vec<Parameter>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeKpiParameter)]
struct Parameter {
    id: String,
    name: String,
    #[schema(required = true)]
    value: Option<String>,
}

/// Lists the published knowledge models that the caller may use.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    wanted: Wanted,
) -> Result<Json<Page<Model>>, Fault> {
    let models = rights::usable_models(&app, &actor).await?;
    let models = models.into_iter().filter_map(|model| {
        let published = plain_time(model.published_at?);
        Some(Model { id: model.id, name: model.display_name, published })
    });
    let page = wanted.cut(
        models.collect(),
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
) -> Result<Json<Details>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let summary = app.mining.get(&model).await?.summary;
    let extends = app.mining.describe(&model).await?.extends;
    Ok(Json(Details { id: summary.id, name: summary.display_name, extends }))
}

/// Lists the filters.
pub(super) async fn filters(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    wanted: Wanted,
) -> Result<Json<Page<Filter>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let filters = app.mining.describe(&model).await?.filters.into_iter();
    let filters = filters.map(|FilterShown { id, name, description, .. }| Filter { id, name, description }).collect();
    let page = wanted.cut(filters, &[("id", |a, b| a.id.cmp(&b.id)), ("name", |a, b| a.name.cmp(&b.name))])?;
    Ok(Json(page))
}

/// Lists the KPIs.
pub(super) async fn kpis(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    wanted: Wanted,
) -> Result<Json<Page<Kpi>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let kpis = app.mining.describe(&model).await?.kpis.into_iter().map(Kpi::from).collect();
    let page = wanted.cut(kpis, &[("id", |a, b| a.id.cmp(&b.id)), ("name", |a, b| a.name.cmp(&b.name))])?;
    Ok(Json(page))
}

/// Lists the records.
pub(super) async fn records(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    wanted: Wanted,
) -> Result<Json<Page<Record>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let records = app.mining.describe(&model).await?.records;
    let records = records.into_iter().map(|shown| Record::new(shown.id, shown.name, shown.about)).collect();
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
    let records = app.mining.describe(&model).await?.records;
    let found = records.into_iter().find(|shown| shown.id == record);
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

/// Returns the word of the wire for what a model calls a type.
pub(super) fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "string",
        ColumnType::Date => "date",
        // The wire has no word for a time of day alone.
        ColumnType::Time | ColumnType::Datetime => "datetime",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Integer => "integer",
        ColumnType::Boolean => "boolean",
        ColumnType::Number => "number",
        ColumnType::Float => "float",
    }
}

/// Writes a time as this API does: `2026-02-03 09:15:00`.
fn plain_time(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).map_or(text.clone(), |seconds| seconds.replace('T', " "))
}

impl Record {
    fn new(id: String, name: String, about: About) -> Self {
        let About { short_display_name, description, internal_note, .. } = about;
        Record { id, name, description, short_display_name, internal_note }
    }
}

impl From<RecordShown> for RecordWithFields {
    fn from(shown: RecordShown) -> Self {
        let fields = shown.fields.into_iter().map(RecordField::from).collect();
        RecordWithFields { record: Record::new(shown.id, shown.name, shown.about), fields }
    }
}

impl From<FieldShown> for RecordField {
    fn from(shown: FieldShown) -> Self {
        RecordField {
            id: shown.id,
            name: shown.name,
            description: shown.about.description,
            short_display_name: shown.about.short_display_name,
            internal_note: shown.about.internal_note,
            field_type: type_name(shown.column_type),
            format: shown.format,
            unit: shown.unit,
        }
    }
}

impl From<KpiShown> for Kpi {
    fn from(shown: KpiShown) -> Self {
        let direction = match shown.direction {
            Direction::Increase => "Up",
            Direction::Decrease => "Down",
            Direction::Neutral | Direction::None => "None",
        };
        let parameter = |(id, name, value)| Parameter { id, name, value };
        Kpi {
            id: shown.id,
            name: shown.name,
            description: shown.description,
            format: shown.format,
            unit: shown.unit,
            direction,
            target: shown.target,
            parameters: shown.parameters.into_iter().map(parameter).collect(),
        }
    }
}
