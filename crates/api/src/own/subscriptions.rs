//! What the compatible subscription API has no word for: the signing secret
//! and the delivery log.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use events::{Attempt, DeliveryFilter, LastSuccess, Listed, Paging, Policy, Sink, SubscriptionId, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{MaybeJson, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// The old secret signs along for a day, unless something else is asked for.
const OVERLAP_USUAL_SECONDS: u64 = 24 * 3_600;
const OVERLAP_SECONDS_MAX: u64 = 30 * 24 * 3_600;
const PAGE_SIZE_MAX: u64 = 1_000;

/// A subscription as its owner sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    id: SubscriptionId,
    name: String,
    knowledge_model: String,
    trigger: String,
    owner: String,
    callback: Option<String>,
    hook: Option<String>,
    status: &'static str,
    reason: String,
    cursor: u64,
    head: u64,
    queued: u64,
    last_success_offset: Option<u64>,
    last_success_at: Option<Timestamp>,
    delivered: u64,
    failures: u64,
    policy: Policy,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// One try of a delivery.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    offset: u64,
    event_id: String,
    generation: u64,
    attempt: u32,
    started_at: Timestamp,
    took_ms: u64,
    verdict: &'static str,
    status: Option<u16>,
    detail: String,
    answer: String,
    next_at: Option<Timestamp>,
}

/// Some deliveries, the latest first.
#[derive(Serialize)]
pub(super) struct Deliveries {
    total: u64,
    deliveries: Vec<Delivery>,
}

/// Which deliveries are wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default)]
    page: u64,
    page_size: Option<u64>,
    verdict: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// How a secret is replaced.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rotation {
    overlap_seconds: Option<u64>,
}

/// Shows a subscription.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Subscription>, Fault> {
    Ok(Json(app.events.get(&actor, read_id(&id)?).await?.into()))
}

/// Gives the signing secret to the owner, once.
pub(super) async fn secret(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    let secret = app.events.read_secret(&actor, read_id(&id)?).await?;
    Ok(Json(json!({ "secret": secret.expose() })))
}

/// Makes a new signing secret and gives it to the owner.
pub(super) async fn rotate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    MaybeJson(rotation): MaybeJson<Rotation>,
) -> Result<Json<Value>, Fault> {
    let seconds = rotation.unwrap_or_default().overlap_seconds.unwrap_or(OVERLAP_USUAL_SECONDS);
    if seconds > OVERLAP_SECONDS_MAX {
        let detail = format!("\"overlapSeconds\" must be at most {OVERLAP_SECONDS_MAX}");
        return Err(Fault::invalid("overlapSeconds", "overlap-too-long", detail));
    }
    let secret = app.events.rotate_secret(&actor, read_id(&id)?, Duration::from_secs(seconds)).await?;
    Ok(Json(json!({ "secret": secret.expose() })))
}

/// Lists what was tried.
pub(super) async fn deliveries(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Deliveries>, Fault> {
    let verdict = match wanted.verdict.as_deref() {
        None => None,
        Some(word) => Some(Verdict::parse(word).ok_or_else(|| {
            let known: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
            let detail = format!("\"{word}\" is not a verdict: {} are", known.join(", "));
            Fault::invalid("verdict", "verdict-unknown", detail)
        })?),
    };
    let filter = DeliveryFilter { verdict, from: wanted.from, to: wanted.to };
    let size = wanted.page_size.unwrap_or(50).clamp(1, PAGE_SIZE_MAX);
    let page = app.events.deliveries(&actor, read_id(&id)?, filter, Paging { page: wanted.page, size }).await?;
    Ok(Json(Deliveries { total: page.total, deliveries: page.content.into_iter().map(Delivery::from).collect() }))
}

fn read_id(id: &str) -> Result<SubscriptionId, Fault> {
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
            policy: subscription.policy,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}

impl From<Attempt> for Delivery {
    fn from(attempt: Attempt) -> Self {
        Delivery {
            offset: attempt.offset.0,
            event_id: attempt.event_id.to_string(),
            generation: attempt.generation,
            attempt: attempt.number,
            started_at: attempt.started_at,
            took_ms: attempt.took_ms,
            verdict: attempt.verdict.word(),
            status: attempt.status,
            detail: attempt.detail,
            answer: attempt.answer,
            next_at: attempt.next_at,
        }
    }
}
