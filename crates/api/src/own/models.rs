//! Knowledge models: drafts, versions, queries, the process clock.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{Class, ClockView, FieldView, Matched, ModelSummary, ModelTexts, Publication, TriggerView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::app::App;
use crate::body::{self, Text};
use crate::caller::Caller;
use crate::fault::{Fault, Mistake};
use crate::rights;

/// A knowledge model in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Model {
    id: String,
    package: String,
    key: String,
    name: String,
    /// The last published version, if there is one.
    published: Option<u64>,
    published_at: Option<Timestamp>,
    changed_at: Timestamp,
}

/// A knowledge model with its texts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelDetails {
    #[serde(flatten)]
    model: Model,
    draft: String,
    published_text: Option<String>,
}

/// A trigger as publishing classifies it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trigger {
    id: String,
    name: String,
    record: String,
    fields: Vec<Field>,
    class: &'static str,
    cost: String,
    item_limit: u64,
    matched: u64,
    fired: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    unit: Option<String>,
    format: Option<String>,
    is_identifier: bool,
}

/// What publishing did.
#[derive(Serialize)]
pub(super) struct Published {
    model: String,
    version: u64,
    triggers: Vec<Trigger>,
    /// What the text says without effect.
    notices: Vec<Mistake>,
}

/// What a draft is like before it is published.
#[derive(Serialize)]
pub(super) struct Findings {
    /// What keeps it from being published.
    mistakes: Vec<Mistake>,
    /// What it says without effect.
    notices: Vec<Mistake>,
}

/// A question in PQL.
#[derive(Deserialize)]
pub(super) struct Question {
    pql: String,
}

/// Columns and rows; a row maps column names to values.
#[derive(Serialize)]
pub(super) struct Answer {
    columns: Vec<Column>,
    rows: Vec<Map<String, Value>>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
}

/// The process clock: where to set it, or what it shows.
#[derive(Serialize, Deserialize)]
pub(super) struct Clock {
    now: Timestamp,
    /// Seconds per second, 0 for a clock that stands; `null` for the wall clock.
    #[serde(default)]
    speed: Option<f64>,
}

/// A record instance that satisfies a trigger.
#[derive(Serialize)]
pub(super) struct MatchedInstance {
    identifier: String,
    since: Timestamp,
    episode: u64,
}

/// Lists the knowledge models of the packages that the caller may use.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Model>>, Fault> {
    let models = rights::usable_models(&app, &actor).await?;
    Ok(Json(models.into_iter().map(Model::from).collect()))
}

/// Shows a knowledge model with its texts.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<ModelDetails>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.get(&model).await?.into()))
}

/// Stores the draft of a knowledge model; the body is its YAML text.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Text(yaml): Text,
) -> Result<Json<Model>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    let Some((package, key)) = rights::split(&model) else {
        let detail = format!("\"{model}\" is not the id of a knowledge model: it is written PACKAGE.KEY");
        return Err(Fault::invalid("model", "knowledge-model-id-invalid", detail));
    };
    // The text names its own key. Under an address that says something else it
    // would overwrite a model that nobody meant.
    if let Some(written) = written_key(&yaml).filter(|written| written != key) {
        let detail = format!("the text says key \"{written}\", the address says \"{key}\"");
        return Err(Fault::invalid("metadata.key", "knowledge-model-key-mismatch", detail));
    }
    // A draft in a package that is not there could never be shared.
    app.access.package(&actor, package).await?;
    Ok(Json(app.mining.put_draft(&actor, package, &yaml).await.map_err(in_places)?.into()))
}

/// Reads the key of a text; a text without one is for `mining` to refuse.
fn written_key(yaml: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(alias = "Metadata")]
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        key: String,
    }
    serde_saphyr::from_str::<Head>(yaml).ok().map(|head| head.metadata.key)
}

/// Publishes the draft.
pub(super) async fn publish(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Published>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.publish(&actor, &model).await.map_err(in_places)?.into()))
}

/// Checks the draft as publishing it would, and changes nothing.
pub(super) async fn check(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Findings>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let mining::Findings { mistakes, notices } = app.mining.check_draft(&model).await?;
    let mistakes = mistakes.into_iter().map(mistake).collect();
    Ok(Json(Findings { mistakes, notices: notices.into_iter().map(notice).collect() }))
}

/// Adds to a fault what is wrong in a model, place by place.
pub(super) fn in_places(error: mining::Error) -> Fault {
    let mistakes = error.model_mistakes().into_iter().map(mistake).collect();
    Fault::from(error).in_places(mistakes)
}

fn mistake(mistake: mining::ModelMistake) -> Mistake {
    let mining::ModelMistake { path, line, detail } = mistake;
    Mistake { path, line, detail }
}

fn notice(notice: mining::Notice) -> Mistake {
    let mining::Notice { path, line, detail } = notice;
    Mistake { path, line, detail }
}

/// Answers a question in PQL.
pub(super) async fn query(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    body::Json(question): body::Json<Question>,
) -> Result<Json<Answer>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.query(&model, &question.pql).await?.into()))
}

/// Shows the process clock.
pub(super) async fn clock(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Clock>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.clock(&model).await?.into()))
}

/// Sets the process clock. Answers when every instant up to the new time has
/// been evaluated.
pub(super) async fn set_clock(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    body::Json(clock): body::Json<Clock>,
) -> Result<Json<Clock>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    let view = app.mining.set_clock(&actor, &model, clock.now, clock.speed.unwrap_or(1.0)).await?;
    Ok(Json(view.into()))
}

/// Lists the triggers of the published version.
pub(super) async fn triggers(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Vec<Trigger>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let triggers = app.mining.triggers(&model).await?;
    Ok(Json(triggers.into_iter().map(Trigger::from).collect()))
}

/// Lists the record instances that satisfy a trigger now.
pub(super) async fn matched(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
) -> Result<Json<Vec<MatchedInstance>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let matched = app.mining.matched(&model, &trigger).await?;
    Ok(Json(matched.into_iter().map(MatchedInstance::from).collect()))
}

impl From<ModelSummary> for Model {
    fn from(summary: ModelSummary) -> Self {
        let ModelSummary { id, package, key, display_name, published, changed_at, published_at } = summary;
        Model { id, package, key, name: display_name, published, published_at, changed_at }
    }
}

impl From<ModelTexts> for ModelDetails {
    fn from(texts: ModelTexts) -> Self {
        ModelDetails { model: texts.summary.into(), draft: texts.draft, published_text: texts.published }
    }
}

impl From<TriggerView> for Trigger {
    fn from(view: TriggerView) -> Self {
        let TriggerView { id, name, record, fields, class, cost, item_limit, matched, fired, .. } = view;
        let class = match class {
            Class::L => "L",
            Class::K => "K",
            Class::T => "T",
            Class::F => "F",
        };
        let fields = fields.into_iter().map(Field::from).collect();
        Trigger { id, name, record, fields, class, cost, item_limit, matched, fired }
    }
}

impl From<FieldView> for Field {
    fn from(view: FieldView) -> Self {
        let FieldView { id, name, field_type, unit, format, is_identifier } = view;
        Field { id, name, kind: field_type.to_string(), unit, format, is_identifier }
    }
}

impl From<Publication> for Published {
    fn from(publication: Publication) -> Self {
        let Publication { model, version, triggers, notices, .. } = publication;
        let triggers = triggers.into_iter().map(Trigger::from).collect();
        Published { model, version, triggers, notices: notices.into_iter().map(notice).collect() }
    }
}

impl From<mining::Answer> for Answer {
    fn from(answer: mining::Answer) -> Self {
        let columns = answer.columns.iter();
        let columns: Vec<Column> = columns
            .map(|column| Column { name: column.name.clone(), column_type: column.column_type.to_string() })
            .collect();
        let names = || answer.columns.iter().map(|column| column.name.clone());
        let rows = answer.rows.iter();
        let rows = rows.map(|row| names().zip(row.iter().map(mining::Value::to_json)).collect()).collect();
        Answer { columns, rows }
    }
}

impl From<ClockView> for Clock {
    fn from(view: ClockView) -> Self {
        Clock { now: view.now, speed: view.speed }
    }
}

impl From<Matched> for MatchedInstance {
    fn from(matched: Matched) -> Self {
        let Matched { identifier, since, episode } = matched;
        MatchedInstance { identifier, since, episode }
    }
}
