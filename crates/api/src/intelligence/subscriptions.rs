//! Subscriptions: standing requests to receive a trigger's events.
//!
//! They need rights on the package of their knowledge model, and belong to
//! whoever made them.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Secret, Timestamp};
use events::{LastSuccess, Listed, NewSubscription, Offset, OnError, Paging, Sink, Sort, SubscriptionId, TriggerRef};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{Object as ObjectSchema, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::event::CallbackBody;
use super::page::{self, Asked, Page, Wanted};
use super::problem::Problems;
use super::triggers;
use crate::app::App;
use crate::body::{self, Object, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Events that one call takes out by hand at most.
const EXTRACTED_MAX: usize = 50;

/// The fields by which the list can be sorted.
const SORT_FIELDS: [&str; 11] = [
    "id",
    "name",
    "knowledgeModelId",
    "triggerId",
    "ownerName",
    "status",
    "creationDate",
    "latestSucceedEvent",
    "offset",
    "lastSuccessEventOffset",
    "latestSucceedOffset",
];

/// What a subscription is to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "late orders, to the warehouse",
    "callbackInfo": {
        "uri": "https://warehouse.example.com/events",
        "protocol": "HTTPS",
        "headers": { "Authorization": "Bearer of-the-receiver" }
    },
    "configurations": []
})))]
pub(super) struct SubscriptionRequest {
    /// What its owner calls it: not blank, without zero characters.
    #[schema(min_length = 1, max_length = 1024, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    name: String,
    #[schema(value_type = CallbackRequest)]
    callback_info: Object<CallbackRequest>,
    /// What is different from the usual.
    #[serde(default, deserialize_with = "each_once")]
    configurations: Option<BTreeSet<Configuration>>,
}

/// Where the events go.
#[derive(Deserialize, ToSchema)]
struct CallbackRequest {
    /// An absolute address that begins with `https`, without credentials. (A
    /// server may be set to take `http`, for people who develop a receiver.)
    #[schema(min_length = 1, max_length = 1024, format = "uri")]
    uri: String,
    #[expect(dead_code, reason = "reading it is the check: there is only one")]
    protocol: Protocol,
    /// Sent with every call, and never told again; 8192 bytes in all.
    #[schema(schema_with = headers_schema)]
    headers: Option<BTreeMap<String, Option<String>>>,
}

/// How the callback is called.
#[derive(Serialize, Deserialize, ToSchema)]
enum Protocol {
    #[serde(rename = "HTTPS")]
    Https,
}

/// A way to be different from the usual.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
enum Configuration {
    /// An event that cannot be delivered is passed over, on record.
    #[serde(rename = "SKIP_ERRORS")]
    SkipErrors,
}

/// A subscription. Its headers are never told.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
    /// What its owner calls it.
    name: String,
    /// The knowledge model, `package.key`.
    knowledge_model_id: String,
    /// The trigger's id in it.
    trigger_id: String,
    /// Who made it.
    owner_name: String,
    /// `active`, `failed`, `suspended`, `paused` or `rejected`.
    #[schema(pattern = "^(active|failed|suspended|paused|rejected)$", examples("active"))]
    status: &'static str,
    /// What is different from the usual.
    configurations: Vec<Configuration>,
    /// When the last event was delivered.
    #[schema(value_type = Option<String>, format = DateTime)]
    latest_succeed_event: Option<Timestamp>,
    /// The last event that was delivered; 0 before the first.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The same.
    #[schema(value_type = u64)]
    last_success_event_offset: Offset,
    /// The same, by the name that the API's prose has for it.
    #[schema(value_type = u64)]
    latest_succeed_offset: Offset,
    #[schema(value_type = String, format = DateTime)]
    creation_date: Timestamp,
    callback_info: CallbackShown,
}

/// Where the events go, as far as it is told.
#[derive(Serialize, ToSchema)]
struct CallbackShown {
    uri: String,
    protocol: Protocol,
}

/// The id of a new subscription.
#[derive(Serialize, ToSchema)]
pub(super) struct Created {
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
}

/// Events that were taken out by hand, as the callback would have had them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extracted {
    /// So many at most.
    page_size: usize,
    #[schema(value_type = Vec<CallbackBody>)]
    content: Vec<Box<RawValue>>,
}

/// Where a replay begins.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ReplayAsked {
    /// The first event to be delivered again; 0, or nothing, means as early as
    /// possible.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    from_offset: Option<Whole>,
}

/// For the document: which subscription.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the path is matched with")]
struct Which {
    /// The subscription's id.
    #[param(value_type = String, format = "uuid")]
    subscription: SubscriptionId,
}

/// For the document: the orders of the list.
struct Order;

impl IntoParams for Order {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![page::sort_parameter(&SORT_FIELDS)]
    }
}

/// For the document: which headers may be set. What is refused beyond it is a
/// name that stands there twice, in different case.
fn headers_schema() -> ObjectSchema {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^(Authorization|Content-Type|User-Agent|Host|Accept|[Xx]-[A-Za-z0-9-]*)$"));
    let value = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$"));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .property_names(Some(name.build()))
        .additional_properties(Some(AdditionalProperties::RefOr(value.build().into())))
        .build()
}

/// Reads a list in which nothing stands twice.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeSet<Configuration>>, D::Error> {
    let Some(given) = Option::<Vec<Configuration>>::deserialize(deserializer)? else { return Ok(None) };
    let count = given.len();
    let once: BTreeSet<Configuration> = given.into_iter().collect();
    if once.len() < count {
        return Err(serde::de::Error::custom("an entry stands there twice"));
    }
    Ok(Some(once))
}

/// Makes a subscription.
///
/// The callback is asked with a HEAD request whether it is there: any HTTP
/// answer counts. The subscription gets the events that come from now on.
#[utoipa::path(
    post,
    path = "/intelligence/api/knowledge-models/{model}/triggers/{trigger}/subscriptions",
    operation_id = "createSubscription",
    tag = "subscriptions",
    params(
        ("model" = String, Path, description = "The knowledge model, `package.key`."),
        ("trigger" = String, Path, description = "The trigger's id in it."),
    ),
    request_body = SubscriptionRequest,
    responses((status = 201, description = "The subscription is made and active.", body = Created), Problems)
)]
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    body::Json(Object(request)): body::Json<Object<SubscriptionRequest>>,
) -> Result<(StatusCode, Json<Created>), Fault> {
    rights::subscribe_to_model(&app, &actor, &model).await?;
    let trigger = triggers::find(&app, &actor, &model, &trigger).await.map_err(trigger_failed)?;
    let trigger = TriggerRef::new(model, trigger.id);
    let made = app.events.create(&actor, &trigger, request.into()).await.map_err(|error| match error {
        error @ events::Error::TooManySubscriptions { .. } => trigger_failed(error.into()),
        error => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(Created { id: made.id })))
}

/// Lists the caller's subscriptions; an administrator sees all.
#[utoipa::path(
    get,
    path = "/intelligence/api/subscriptions",
    operation_id = "listSubscriptions",
    tag = "subscriptions",
    params(Asked, Order),
    responses((status = 200, description = "A page of subscriptions.", body = Page<Subscription>), Problems)
)]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    wanted: Wanted,
) -> Result<Json<Page<Subscription>>, Fault> {
    let sort = match wanted.sort.as_str() {
        "" => Sort::default(),
        text => Sort::parse(text)?,
    };
    let page = app.events.list(&actor, sort, Paging { page: wanted.page, size: wanted.size }).await?;
    let content = page.content.into_iter().map(Subscription::from).collect();
    Ok(Json(wanted.envelope(content, page.total)))
}

/// Shows one subscription, as it stands in the list.
#[utoipa::path(
    get,
    path = "/intelligence/api/subscriptions/{subscription}",
    operation_id = "showSubscription",
    tag = "subscriptions",
    params(Which),
    responses((status = 200, description = "The subscription.", body = Subscription), Problems)
)]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Subscription>, Fault> {
    Ok(Json(app.events.get(&actor, read_id(&id)?).await?.into()))
}

/// Replaces a subscription's definition and sets it going.
///
/// It does so from any state. The callback is not asked first: the next
/// delivery will tell.
#[utoipa::path(
    put,
    path = "/intelligence/api/subscriptions/{subscription}",
    operation_id = "updateSubscription",
    tag = "subscriptions",
    params(Which),
    request_body = SubscriptionRequest,
    responses((status = 200, description = "It is replaced and active."), Problems)
)]
pub(super) async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(Object(request)): body::Json<Object<SubscriptionRequest>>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.update(&actor, id, request.into()).await?;
    Ok(StatusCode::OK)
}

/// Ends a subscription.
#[utoipa::path(
    delete,
    path = "/intelligence/api/subscriptions/{subscription}",
    operation_id = "deleteSubscription",
    tag = "subscriptions",
    params(Which),
    responses((status = 204, description = "It is gone, with its queue."), Problems)
)]
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
#[utoipa::path(
    patch,
    path = "/intelligence/api/subscriptions/{subscription}/pause",
    operation_id = "pauseSubscription",
    tag = "subscriptions",
    params(Which),
    responses((status = 204, description = "It is paused."), Problems)
)]
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
#[utoipa::path(
    patch,
    path = "/intelligence/api/subscriptions/{subscription}/resume",
    operation_id = "resumeSubscription",
    tag = "subscriptions",
    params(Which),
    responses((status = 204, description = "It is active."), Problems)
)]
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
///
/// What had queued is passed over, on record.
#[utoipa::path(
    patch,
    path = "/intelligence/api/subscriptions/{subscription}/resume-from-latest",
    operation_id = "resumeSubscriptionFromLatest",
    tag = "subscriptions",
    params(Which),
    responses((status = 204, description = "It is active."), Problems)
)]
pub(super) async fn resume_from_latest(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.resume_from_latest(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delivers events again.
///
/// It begins at `fromOffset`, at the earliest event by default.
#[utoipa::path(
    patch,
    path = "/intelligence/api/subscriptions/{subscription}/replay",
    operation_id = "replaySubscription",
    tag = "subscriptions",
    params(Which, ReplayAsked),
    responses((status = 204, description = "It is active, and starts over."), Problems)
)]
pub(super) async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(asked): Query<ReplayAsked>,
) -> Result<StatusCode, Fault> {
    let from = asked.from_offset.map_or(Offset::START, |from| Offset(from.0));
    let id = managed(&app, &actor, &id).await?;
    app.events.replay(&actor, id, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the next undelivered events out by hand.
///
/// It is refused while the subscription is active or paused.
#[utoipa::path(
    patch,
    path = "/intelligence/api/subscriptions/{subscription}/events",
    operation_id = "extractEvents",
    tag = "subscriptions",
    params(Which),
    responses((status = 200, description = "At most 50 events; the next call returns the next ones.", body = Extracted), Problems)
)]
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
    let id = read_id(id)?;
    let listed = app.events.get(actor, id).await?;
    rights::subscribe_to_model(app, actor, &listed.subscription.trigger.knowledge_model).await?;
    Ok(id)
}

fn read_id(id: &str) -> Result<SubscriptionId, Fault> {
    id.parse().map_err(|_| events::Error::NotFound { id: id.to_owned() }.into())
}

/// Says that a trigger which is there cannot be subscribed to: what it stands on
/// no longer holds together, or there are too many subscriptions.
fn trigger_failed(fault: Fault) -> Fault {
    match fault.status {
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT => {
            let detail = format!("the trigger cannot be subscribed to: {}", fault.detail);
            Fault::new(StatusCode::BAD_REQUEST, "trigger-failed", detail)
        }
        _ => fault,
    }
}

impl From<SubscriptionRequest> for NewSubscription {
    fn from(request: SubscriptionRequest) -> Self {
        let Object(callback) = request.callback_info;
        let headers = callback.headers.unwrap_or_default();
        let configurations = request.configurations.unwrap_or_default();
        NewSubscription {
            name: request.name,
            uri: callback.uri,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_the_document_names_can_be_sorted_by() {
        for field in SORT_FIELDS {
            assert!(Sort::parse(field).is_ok(), "{field}");
            assert!(Sort::parse(&format!("-{}", field.to_uppercase())).is_ok(), "{field}");
        }
    }
}
