//! Subscriptions: standing requests to receive a trigger's events.
//!
//! They need rights on the package of their knowledge model, and belong to
//! whoever made them.

use axum::Json;
use axum::extract::{Path, State};
use base::Actor;
use events::{Offset, Paging, Sort, SubscriptionId, TriggerRef};
use http::StatusCode;

use super::page::{Asked, Page, Wanted};
use super::problem::Problems;
use super::subscription::{Created, Extracted, Order, ReplayAsked, Subscription, SubscriptionRequest, Which};
use super::triggers;
use crate::app::App;
use crate::body::{self, Object, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Events that one call takes out by hand at most.
const EXTRACTED_MAX: usize = 50;

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
/// It is refused while the subscription is active or paused. A page without
/// events sets a failed or rejected subscription going again.
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
