//! What the compatible subscription API has no word for: how a subscription
//! stands, its signing secret, and the way past one event.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Timestamp};
use events::{LastSuccess, Listed, Sink, SubscriptionId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::delivery::Settings;
use crate::app::App;
use crate::body::{MaybeJson, Object};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::problem::{Problem, Problems};
use crate::rights;

/// The old secret signs along for a day, unless something else is asked for.
const OVERLAP_USUAL_HOURS: f64 = 24.0;
/// A week is enough to bring a new secret to any receiver.
const OVERLAP_HOURS_MAX: f64 = 168.0;

/// A subscription as its owner sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SubscriptionDetails)]
pub(super) struct Subscription {
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
    /// What its owner calls it.
    name: String,
    /// The knowledge model, `package.key`.
    knowledge_model: String,
    /// The trigger's id in it.
    trigger: String,
    /// Who made it.
    owner: String,
    /// Where the events go.
    #[schema(required = true)]
    callback: Option<String>,
    /// The hook of this program that has the events.
    #[schema(required = true)]
    hook: Option<String>,
    /// `active`, `failed`, `suspended`, `paused` or `rejected`.
    #[schema(pattern = "^(active|failed|suspended|paused|rejected)$", examples("active"))]
    status: &'static str,
    /// Why; empty where there is nothing to say.
    reason: String,
    /// All events up to here are delivered, or passed over on record.
    cursor: u64,
    /// The last event of the trigger.
    head: u64,
    /// Events that wait.
    queued: u64,
    /// The last event that was delivered.
    #[schema(required = true)]
    last_success_offset: Option<u64>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_success_at: Option<Timestamp>,
    /// Events delivered in all.
    delivered: u64,
    /// Attempts failed in all.
    failures: u64,
    /// How patient it is.
    policy: Settings,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its definition last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// How a secret is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rotation {
    /// So long the old secret signs along, so that a receiver can be told the
    /// new one in peace. 24 if nothing is said; fractions are possible.
    #[schema(minimum = 0, maximum = 168, examples(24))]
    overlap_hours: Option<f64>,
}

/// A signing secret.
#[derive(Serialize, ToSchema)]
pub(super) struct SecretShown {
    /// `whsec_` and Base64, as the libraries of Standard Webhooks take it.
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]+=*$")]
    secret: String,
}

/// For the document: which subscription.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the path is matched with")]
pub(super) struct Which {
    /// The subscription's id.
    #[param(value_type = String, format = "uuid")]
    subscription: SubscriptionId,
}

/// Shows how a subscription stands.
#[utoipa::path(
    get,
    path = "/api/v1/subscriptions/{subscription}",
    operation_id = "showStanding",
    tag = "delivery",
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

/// Passes over the event that is in the way, and sets the subscription going.
///
/// The event goes on record as skipped by hand. It is refused unless the
/// subscription is failed or rejected and an event is queued.
#[utoipa::path(
    post,
    path = "/api/v1/subscriptions/{subscription}/skip",
    operation_id = "skipEvent",
    tag = "delivery",
    params(Which),
    responses(
        (status = 200, description = "The subscription, active again.", body = Subscription),
        Problems,
        (status = 409, description = "Its state forbids it.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn skip(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Subscription>, Fault> {
    let id = managed(&app, &actor, &id).await?;
    app.events.skip_one(&actor, id).await?;
    Ok(Json(app.events.get(&actor, id).await?.into()))
}

/// Gives the signing secret, once.
#[utoipa::path(
    get,
    path = "/api/v1/subscriptions/{subscription}/secret",
    operation_id = "readSecret",
    tag = "delivery",
    params(Which),
    responses(
        (status = 200, description = "The secret.", body = SecretShown),
        Problems,
        (status = 410, description = "It was read before; a new one can be made.", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn secret(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<SecretShown>, Fault> {
    let id = managed(&app, &actor, &id).await?;
    let secret = app.events.read_secret(&actor, id).await?;
    Ok(Json(SecretShown { secret: secret.expose().to_owned() }))
}

/// Makes a new signing secret and gives it, once.
#[utoipa::path(
    post,
    path = "/api/v1/subscriptions/{subscription}/secret/rotate",
    operation_id = "rotateSecret",
    tag = "delivery",
    params(Which),
    request_body = Option<Rotation>,
    responses((status = 200, description = "The new secret.", body = SecretShown), Problems)
)]
pub(super) async fn rotate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    MaybeJson(rotation): MaybeJson<Object<Rotation>>,
) -> Result<Json<SecretShown>, Fault> {
    let hours = rotation.and_then(|Object(rotation)| rotation.overlap_hours).unwrap_or(OVERLAP_USUAL_HOURS);
    if !(0.0..=OVERLAP_HOURS_MAX).contains(&hours) {
        let detail = format!("\"overlapHours\" must lie between 0 and {OVERLAP_HOURS_MAX}");
        return Err(Fault::invalid("overlapHours", "overlap-out-of-bounds", detail));
    }
    let id = managed(&app, &actor, &id).await?;
    let overlap = Duration::from_secs_f64(hours * 3_600.0);
    let secret = app.events.rotate_secret(&actor, id, overlap).await?;
    Ok(Json(SecretShown { secret: secret.expose().to_owned() }))
}

/// Checks the rights on the package of a subscription. Whether it is the
/// caller's own is for the verb to say.
pub(super) async fn managed(app: &App, actor: &Actor, id: &str) -> Result<SubscriptionId, Fault> {
    let id = read_id(id)?;
    let listed = app.events.get(actor, id).await?;
    rights::subscribe_to_model(app, actor, &listed.subscription.trigger.knowledge_model).await?;
    Ok(id)
}

/// Reads the id of a subscription. What is no id names none.
pub(super) fn read_id(id: &str) -> Result<SubscriptionId, Fault> {
    id.parse().map_err(|_| events::Error::NotFound { id: id.to_owned() }.into())
}

impl From<Listed> for Subscription {
    fn from(listed: Listed) -> Self {
        let Listed { subscription, head, queued } = listed;
        let (callback, hook) = match subscription.sink {
            Sink::Https { uri } => (Some(uri), None),
            Sink::Local { hook } => (None, Some(hook)),
        };
        let (last_success_offset, last_success_at) = match subscription.standing.last_success {
            LastSuccess::None => (None, None),
            LastSuccess::Event { offset, at } => (Some(offset.0), Some(at)),
        };
        Subscription {
            id: subscription.id,
            name: subscription.name,
            knowledge_model: subscription.trigger.knowledge_model,
            trigger: subscription.trigger.trigger,
            owner: subscription.owner.name,
            callback,
            hook,
            status: subscription.standing.state.word(),
            reason: subscription.standing.reason,
            cursor: subscription.standing.cursor.0,
            head: head.0,
            queued,
            last_success_offset,
            last_success_at,
            delivered: subscription.standing.delivered,
            failures: subscription.standing.failures,
            policy: subscription.policy.into(),
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}
