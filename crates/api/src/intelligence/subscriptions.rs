//! Subscriptions: standing requests to receive a trigger's events.
//!
//! They need rights on the package of their knowledge model, and belong to
//! whoever made them.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Secret, Timestamp};
use events::{LastSuccess, Listed, NewSubscription, Offset, OnError, Paging, Sink, Sort, SubscriptionId, TriggerRef};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::page::{self, Page, Wanted};
use super::triggers;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Events that one call takes out by hand at most.
const EXTRACTED_MAX: usize = 50;

/// What a subscription is to be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionRequest {
    name: String,
    callback_info: CallbackRequest,
    configurations: Option<Vec<Configuration>>,
}

#[derive(Deserialize)]
struct CallbackRequest {
    uri: String,
    #[expect(dead_code, reason = "reading it is the check: there is only one")]
    protocol: Protocol,
    headers: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Serialize, Deserialize)]
enum Protocol {
    #[serde(rename = "HTTPS")]
    Https,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Configuration {
    #[serde(rename = "SKIP_ERRORS")]
    SkipErrors,
}

/// A subscription in a list. Its headers are never told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    id: SubscriptionId,
    name: String,
    knowledge_model_id: String,
    trigger_id: String,
    owner_name: String,
    status: &'static str,
    configurations: Vec<Configuration>,
    latest_succeed_event: Option<Timestamp>,
    offset: Offset,
    last_success_event_offset: Offset,
    /// The name that the API's prose has for the field before.
    latest_succeed_offset: Offset,
    creation_date: Timestamp,
    callback_info: CallbackShown,
}

#[derive(Serialize)]
struct CallbackShown {
    uri: String,
    protocol: Protocol,
}

/// The id of a new subscription.
#[derive(Serialize)]
pub(super) struct Created {
    id: SubscriptionId,
}

/// Events that were taken out by hand, as the callback would have had them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extracted {
    page_size: usize,
    content: Vec<Box<RawValue>>,
}

/// Makes a subscription.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    body::Json(request): body::Json<SubscriptionRequest>,
) -> Result<(StatusCode, Json<Created>), Fault> {
    rights::subscribe_to_model(&app, &actor, &model).await?;
    let trigger = triggers::find(&app, &actor, &model, &trigger).await?;
    let trigger = TriggerRef::new(model, trigger.id);
    let made = app.events.create(&actor, &trigger, request.into()).await?;
    Ok((StatusCode::CREATED, Json(Created { id: made.id })))
}

/// Lists the caller's subscriptions; an administrator sees all.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    wanted: Wanted,
) -> Result<Json<Page<Subscription>>, Fault> {
    let sort = match wanted.sort.trim() {
        "" => Sort::default(),
        text => Sort::parse(text)?,
    };
    let page = app.events.list(&actor, sort, Paging { page: wanted.page, size: wanted.size }).await?;
    let content = page.content.into_iter().map(Subscription::from).collect();
    Ok(Json(wanted.envelope(content, page.total)))
}

/// Replaces a subscription's definition and sets it going.
pub(super) async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(request): body::Json<SubscriptionRequest>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.update(&actor, id, request.into()).await?;
    Ok(StatusCode::OK)
}

/// Ends a subscription.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops deliveries; events queue.
pub(super) async fn pause(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.pause(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Goes on where it was paused.
pub(super) async fn resume(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.resume(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Goes on with fresh events only.
pub(super) async fn resume_from_latest(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.resume_from_latest(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts again at `fromOffset`, at the earliest event by default.
pub(super) async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(given): Query<HashMap<String, String>>,
) -> Result<StatusCode, Fault> {
    let from = page::number(&given, "fromOffset")?.map_or(Offset::START, Offset);
    let id = managed(&app, &actor, &id).await?;
    app.events.replay(&actor, id, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the next undelivered events out by hand.
pub(super) async fn extract(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Extracted>, Fault> {
    let id = managed(&app, &actor, &id).await?;
    let mut content = Vec::new();
    for event in app.events.extract(&actor, id).await? {
        content.push(serde_json::from_slice(&event).expect("events are written as JSON"));
    }
    Ok(Json(Extracted { page_size: EXTRACTED_MAX, content }))
}

/// Checks the rights on the package of a subscription. Whether it is the
/// caller's own is for the verb to say.
async fn managed(app: &App, actor: &Actor, id: &str) -> Result<SubscriptionId, Fault> {
    let unknown = |_| Fault::from(events::Error::NotFound { id: id.to_owned() });
    let id = id.parse::<SubscriptionId>().map_err(unknown)?;
    let listed = app.events.get(actor, id).await?;
    rights::subscribe_to_model(app, actor, &listed.subscription.trigger.knowledge_model).await?;
    Ok(id)
}

impl From<SubscriptionRequest> for NewSubscription {
    fn from(request: SubscriptionRequest) -> Self {
        let headers = request.callback_info.headers.unwrap_or_default();
        let configurations = request.configurations.unwrap_or_default();
        NewSubscription {
            name: request.name,
            uri: request.callback_info.uri,
            headers: headers.into_iter().map(|(name, value)| (name, Secret::new(value.unwrap_or_default()))).collect(),
            skip_errors: configurations.contains(&Configuration::SkipErrors),
        }
    }
}

impl From<Listed> for Subscription {
    fn from(listed: Listed) -> Self {
        let subscription = listed.subscription;
        let (offset, latest) = match subscription.standing.last_success {
            LastSuccess::None => (Offset::START, None),
            LastSuccess::Event { offset, at } => (offset, Some(at)),
        };
        let configurations = match subscription.policy.on_error {
            OnError::Skip => vec![Configuration::SkipErrors],
            OnError::Keep => Vec::new(),
        };
        let uri = match subscription.sink {
            Sink::Https { uri } => uri,
            Sink::Local { hook } => format!("loopwright://hook/{hook}"),
        };
        Subscription {
            id: subscription.id,
            name: subscription.name,
            knowledge_model_id: subscription.trigger.knowledge_model,
            trigger_id: subscription.trigger.trigger,
            owner_name: subscription.owner.name,
            status: subscription.standing.state.word(),
            configurations,
            latest_succeed_event: latest,
            offset,
            last_success_event_offset: offset,
            latest_succeed_offset: offset,
            creation_date: subscription.created_at,
            callback_info: CallbackShown { uri, protocol: Protocol::Https },
        }
    }
}
