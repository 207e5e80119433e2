//! Knowledge models: drafts, versions, queries, the process clock.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{
    Class, ClockView, FieldView, Following, Matched, ModelStanding, ModelSummary, ModelTexts, Publication,
    TriggerStanding, TriggerView,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{self, Text};
use crate::caller::Caller;
use crate::fault::{Fault, Mistake};
use crate::rights;

/// A knowledge model in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Model {
    id: String,
    package: String,
    key: String,
    name: String,
    /// The last published version, if there is one.
    #[schema(required = true)]
    published: Option<u64>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    published_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

/// A knowledge model with its texts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelDetails {
    #[serde(flatten)]
    model: Model,
    draft: String,
    #[schema(required = true)]
    published_text: Option<String>,
}

/// A trigger as publishing classifies it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelTrigger)]
pub(super) struct Trigger {
    id: String,
    name: String,
    record: String,
    fields: Vec<Field>,
    /// L, K, T or F: local, keyed, threshold, full.
    class: &'static str,
    /// Over what it is evaluated.
    cost: String,
    /// When it is evaluated.
    cadence: &'static str,
    item_limit: u64,
    /// Instances that satisfy it now.
    matched: u64,
    /// Signals that it sent since it exists.
    fired: u64,
    /// Signals that a cap holds back.
    held: u64,
    /// Signals that were recorded and not sent.
    shadowed: u64,
    /// Whether it records and sends nothing.
    shadow: bool,
}

/// How a trigger stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TriggerState {
    #[serde(flatten)]
    trigger: Trigger,
    /// The instant of the last evaluation, on the process clock.
    #[schema(value_type = String, format = DateTime)]
    evaluated_at: Timestamp,
    /// Every commit up to this number was evaluated.
    commit: u64,
    /// When time alone may next change its answer, on the process clock.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_deadline: Option<Timestamp>,
    /// Until when a trigger that is evaluated whole rests before it looks at
    /// what has changed, on the wall clock; now while it looks. Null if it has
    /// looked at everything up to `commit`.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    rests_until: Option<Timestamp>,
    /// Instances that satisfy it beyond `itemLimit` and wait for room.
    waiting: u64,
    /// When the next signal that is held may be sent, on the wall clock.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    sends_at: Option<Timestamp>,
}

/// How a model stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelStanding)]
pub(super) struct Standing {
    model: String,
    version: u64,
    /// `followed`, `detached` or `notLoaded`.
    state: &'static str,
    /// Why it is not followed.
    #[schema(required = true)]
    reason: Option<String>,
    /// When a model that is detached is tried again, on the wall clock.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    again_at: Option<Timestamp>,
    /// What the process clock shows.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// The instant of the process clock at which it was evaluated last: that of
    /// a commit, or of a deadline. Nothing can have changed since.
    #[schema(value_type = String, format = DateTime)]
    evaluated_at: Timestamp,
    /// Every commit up to this number was evaluated.
    commit: u64,
    /// The last durable commit of the pool.
    head: u64,
    /// When time alone may next change an answer, on the process clock.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_deadline: Option<Timestamp>,
    triggers: Vec<TriggerState>,
    /// What the last publication did, if the program runs since then.
    previews: Vec<Preview>,
}

/// What publishing a trigger does to its matched set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Preview {
    trigger: String,
    /// Instances that satisfy it.
    matching: u64,
    /// Those among them that did not match before.
    new: u64,
    /// Instances that matched before and satisfy it no more.
    leaving: u64,
    /// Whether the change fires, or is only taken note of.
    fires: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Field {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[schema(required = true)]
    unit: Option<String>,
    #[schema(required = true)]
    format: Option<String>,
    is_identifier: bool,
}

/// What publishing did.
#[derive(Serialize, ToSchema)]
pub(super) struct Published {
    model: String,
    version: u64,
    triggers: Vec<Trigger>,
    /// What the text says without effect, and names that no event bears.
    notices: Vec<Mistake>,
    /// What it did to the matched sets.
    previews: Vec<Preview>,
}

/// What a draft is like before it is published.
#[derive(Serialize, ToSchema)]
pub(super) struct Findings {
    /// What keeps it from being published.
    mistakes: Vec<Mistake>,
    /// What it says without effect.
    notices: Vec<Mistake>,
}

/// A question in PQL.
#[derive(Deserialize, ToSchema)]
#[schema(as = PqlQuestion)]
pub(super) struct Question {
    pql: String,
}

/// Columns and rows; a row maps column names to values.
#[derive(Serialize, ToSchema)]
pub(super) struct Answer {
    columns: Vec<Column>,
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Map<String, Value>>,
    /// What is strange about the question, such as an activity name that no
    /// event bears.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
}

/// The process clock: where to set it, or what it shows.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct Clock {
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// Seconds per second, 0 for a clock that stands; `null` for the wall clock. Left out when the clock is set, it
    /// stays as it is.
    #[serde(default)]
    speed: Option<f64>,
}

/// A record instance that satisfies a trigger.
#[derive(Serialize, ToSchema)]
pub(super) struct MatchedInstance {
    identifier: String,
    #[schema(value_type = String, format = DateTime)]
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
    let (answer, notes) = app.mining.ask(&model, &question.pql).await?;
    Ok(Json(Answer { notes, ..answer.into() }))
}

/// Tells what publishing the draft would do, without doing it.
pub(super) async fn preview(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Vec<Preview>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let previews = app.mining.preview(&model).await.map_err(in_places)?;
    Ok(Json(previews.into_iter().map(Preview::from).collect()))
}

/// Lists what the published text says without effect.
pub(super) async fn notices(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Vec<Mistake>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.notices(&model).await?.into_iter().map(notice).collect()))
}

/// Tells how a published model and its triggers stand.
pub(super) async fn state(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
) -> Result<Json<Standing>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.standing(&model).await?.into()))
}

/// Tells how a trigger stands.
pub(super) async fn trigger(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
) -> Result<Json<TriggerState>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let standing = app.mining.trigger_standing(&model, &trigger).await?;
    let mut shown = Standing::from(standing);
    Ok(Json(shown.triggers.pop().expect("it stands for one trigger")))
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
    // Whoever moves a clock that stands does not start it; the wall clock runs as fast as time does.
    let speed = match clock.speed {
        Some(speed) => speed,
        None => app.mining.clock(&model).await?.speed.unwrap_or(1.0),
    };
    let view = app.mining.set_clock(&actor, &model, clock.now, speed).await?;
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
        let TriggerView {
            id,
            name,
            record,
            fields,
            class,
            cost,
            cadence,
            item_limit,
            matched,
            fired,
            held,
            shadowed,
            shadow,
        } = view;
        let class = match class {
            Class::L => "L",
            Class::K => "K",
            Class::T => "T",
            Class::F => "F",
        };
        let fields = fields.into_iter().map(Field::from).collect();
        Trigger { id, name, record, fields, class, cost, cadence, item_limit, matched, fired, held, shadowed, shadow }
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
        let Publication { model, version, triggers, notices, previews } = publication;
        let triggers = triggers.into_iter().map(Trigger::from).collect();
        let previews = previews.into_iter().map(Preview::from).collect();
        Published { model, version, triggers, notices: notices.into_iter().map(notice).collect(), previews }
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
        Answer { columns, rows, notes: Vec::new() }
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

impl From<ModelStanding> for Standing {
    fn from(standing: ModelStanding) -> Self {
        let ModelStanding {
            model,
            version,
            following,
            now,
            through,
            evaluated_at,
            head,
            next_deadline,
            triggers,
            previews,
        } = standing;
        let (state, reason, again_at) = match following {
            Following::Followed => ("followed", None, None),
            Following::Detached { detail, again_at } => ("detached", Some(detail), Some(again_at)),
            Following::NotLoaded => {
                let reason = "its data is not in memory: it is being loaded, or it no longer fits its data model";
                ("notLoaded", Some(reason.to_owned()), None)
            }
        };
        let trigger = |standing: TriggerStanding| TriggerState {
            trigger: standing.trigger.into(),
            evaluated_at,
            commit: through,
            next_deadline: standing.next_deadline,
            rests_until: standing.rests_until,
            waiting: standing.waiting,
            sends_at: standing.sends_at,
        };
        Standing {
            model,
            version,
            state,
            reason,
            again_at,
            now,
            evaluated_at,
            commit: through,
            head,
            next_deadline,
            triggers: triggers.into_iter().map(trigger).collect(),
            previews: previews.into_iter().map(Preview::from).collect(),
        }
    }
}

impl From<mining::Preview> for Preview {
    fn from(preview: mining::Preview) -> Self {
        let mining::Preview { trigger, matching, new, leaving, fires } = preview;
        Preview { trigger, matching, new, leaving, fires }
    }
}
