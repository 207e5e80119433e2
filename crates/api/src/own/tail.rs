//! Looking on: the events of a trigger as they come, without a subscription.
//!
//! For people who develop a receiver. Nothing is delivered, no cursor moves;
//! whoever asks says up to where it has seen, and may wait for more.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use events::{EventId, Offset, Tail, TriggerRef};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{Query, WHOLE_MAX, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::intelligence::CallbackBody;
use crate::problem::Problems;
use crate::rights;

/// Events in one answer, if nothing is said.
const LIMIT_USUAL: u64 = 100;
/// Events in one answer at most.
const LIMIT_MAX: u64 = 1_000;
/// Whoever waits asks again after so many seconds; proxies cut longer ones off.
const WAIT_SECONDS_MAX: u64 = 30;
/// Characters of the name of whoever looks on, at most.
const SUBSCRIBER_CHARS_MAX: usize = 200;

/// From where on, and for how long.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only events behind this offset; 0, or nothing, means from the first that
    /// is kept.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    after: Option<Whole>,
    /// Events in the answer at most, 100 if nothing is said.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Whole>,
    /// If there are none yet, the answer waits so long for the first.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 30)]
    wait_seconds: Option<Whole>,
    /// What stands as `subscriberId` in the bodies, `listener` if nothing is
    /// said.
    #[param(min_length = 1, max_length = 200)]
    subscriber: Option<String>,
}

/// A piece of a trigger's log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tail)]
pub(super) struct Shown {
    /// The last offset of the log; 0 if nothing was ever fired.
    head: u64,
    /// The first offset that is still kept, or that will be the next.
    first_kept: u64,
    /// The events, in order.
    events: Vec<ShownEvent>,
}

/// An event as a callback would have it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TailEvent)]
struct ShownEvent {
    /// Its position.
    offset: u64,
    /// The `webhook-id` of a call that carries it.
    #[schema(value_type = String, format = "uuid")]
    id: EventId,
    /// When the condition became true.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The body of such a call, byte by byte.
    #[schema(value_type = CallbackBody)]
    body: Box<RawValue>,
}

/// Shows the events of a trigger behind an offset.
///
/// Nothing is delivered, and no subscription moves. Where there are none yet,
/// the answer may wait for the first.
#[utoipa::path(
    get,
    path = "/api/v1/triggers/{model}/{trigger}/events",
    operation_id = "tailEvents",
    tag = "triggers",
    params(
        ("model" = String, Path, description = "The knowledge model, `package.key`."),
        ("trigger" = String, Path, description = "The trigger's id in it."),
        Asked,
    ),
    responses((status = 200, description = "A piece of the log.", body = Shown), Problems)
)]
pub(super) async fn events(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Json<Shown>, Fault> {
    let limit = bounded("limit", asked.limit, LIMIT_USUAL, 1..=LIMIT_MAX)?;
    let wait = Duration::from_secs(bounded("waitSeconds", asked.wait_seconds, 0, 0..=WAIT_SECONDS_MAX)?);
    let after = Offset(bounded("after", asked.after, 0, 0..=WHOLE_MAX)?);
    let subscriber = asked.subscriber.unwrap_or_else(|| "listener".to_owned());
    if subscriber.is_empty() || subscriber.chars().count() > SUBSCRIBER_CHARS_MAX {
        let detail = format!("\"subscriber\" must have 1 to {SUBSCRIBER_CHARS_MAX} characters");
        return Err(Fault::invalid("subscriber", "parameter-out-of-bounds", detail));
    }
    rights::subscribe_to_model(&app, &actor, &model).await?;
    let known = app.mining.triggers(&model).await?;
    if !known.iter().any(|view| view.id == trigger) {
        return Err(mining::Error::UnknownTrigger { model, trigger, hint: String::new() }.into());
    }
    let trigger = TriggerRef::new(model, trigger);
    if !wait.is_zero() {
        app.events.grown(&trigger, after, wait).await?;
    }
    let limit = usize::try_from(limit).expect("at most a thousand");
    Ok(Json(app.events.tail(&trigger, &subscriber, after, limit).await?.into()))
}

fn bounded(
    name: &'static str,
    given: Option<Whole>,
    usual: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64, Fault> {
    let value = given.map_or(usual, |given| given.0);
    if !bounds.contains(&value) {
        let detail = format!("\"{name}\" must lie between {} and {}", bounds.start(), bounds.end());
        return Err(Fault::invalid(name, "parameter-out-of-bounds", detail));
    }
    Ok(value)
}

impl From<Tail> for Shown {
    fn from(tail: Tail) -> Self {
        let events = tail.events.into_iter().map(|event| ShownEvent {
            offset: event.offset.0,
            id: event.id,
            at: event.at,
            body: serde_json::from_slice(&event.body).expect("bodies are written as JSON"),
        });
        Shown { head: tail.head.0, first_kept: tail.first_kept.0, events: events.collect() }
    }
}
