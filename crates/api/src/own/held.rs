//! Signals that are not on their way: those that a cap holds back, with a
//! person's hand on them, and those that a trigger in shadow mode only recorded.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::{Fate, Held, Signal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{Integer, MaybeJson, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Signals in a list, if nothing is said.
const LIMIT_USUAL: usize = 100;
/// Signals in a list at most.
const LIMIT_MAX: usize = 10_000;

/// The query string of the list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Signals at most, 100 if nothing is said. Above 10000 it means 10000.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// Which of them.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = HeldWanted)]
pub(super) struct Wanted {
    /// The first so many; all that are held now if it is left out.
    #[schema(value_type = Option<i64>)]
    count: Option<Integer>,
}

/// What a cap holds back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldPage {
    /// How many are held altogether.
    total: u64,
    /// Why they are held.
    reason: String,
    /// When the next one may be sent, on the wall clock.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    sends_at: Option<Timestamp>,
    signals: Vec<HeldSignal>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HeldSignal {
    /// The lowest is sent first.
    place: u64,
    #[serde(flatten)]
    signal: SignalShown,
}

/// A signal that was not sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignalShown {
    /// `TRIGGER/IDENTIFIER/EPISODE`.
    key: String,
    identifier: String,
    /// The instant of the evaluation, on the process clock.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    reason: &'static str,
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// What led to it, the nearest last.
    causes: Vec<String>,
}

/// What became of signals that were held.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settled {
    /// How many were sent or dropped.
    settled: u64,
    /// How many are still held.
    held: u64,
}

/// Lists the signals that a cap holds back.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Json<HeldPage>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let limit = asked.limit.map_or(LIMIT_USUAL, |limit| limit.clamped(1, LIMIT_MAX));
    let signals = app.mining.held(&model, &trigger, limit as u64).await?;
    let standing = app.mining.standing(&model).await?;
    let own = standing.triggers.iter().find(|own| own.trigger.id == trigger);
    Ok(Json(HeldPage {
        total: own.map_or(0, |own| own.trigger.held),
        reason: "a cap of the trigger: \"perCommit\" or \"perMinute\" below \"caps\"".to_owned(),
        sends_at: own.and_then(|own| own.sends_at),
        signals: signals.into_iter().map(HeldSignal::from).collect(),
    }))
}

/// Sends signals that a cap holds back.
pub(super) async fn release(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    MaybeJson(wanted): MaybeJson<Wanted>,
) -> Result<Json<Settled>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    settle(&app, &actor, (&model, &trigger), Fate::Release, wanted).await
}

/// Drops signals that a cap holds back.
pub(super) async fn drop(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    MaybeJson(wanted): MaybeJson<Wanted>,
) -> Result<Json<Settled>, Fault> {
    rights::edit_model(&app, &actor, &model).await?;
    settle(&app, &actor, (&model, &trigger), Fate::Drop, wanted).await
}

async fn settle(
    app: &App,
    actor: &base::Actor,
    (model, trigger): (&str, &str),
    fate: Fate,
    wanted: Option<Wanted>,
) -> Result<Json<Settled>, Fault> {
    let count = wanted.unwrap_or_default().count.map(|count| count.0);
    let settled = app.mining.settle_held(actor, model, trigger, fate, count).await?;
    let triggers = app.mining.triggers(model).await?;
    let held = triggers.iter().find(|own| own.id == trigger).map_or(0, |own| own.held);
    Ok(Json(Settled { settled, held }))
}

/// Lists what a trigger in shadow mode would have sent.
pub(super) async fn shadows(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
) -> Result<Json<Vec<SignalShown>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let shadows = app.mining.shadows(&model, &trigger).await?;
    Ok(Json(shadows.into_iter().map(SignalShown::from).collect()))
}

impl From<Held> for HeldSignal {
    fn from(held: Held) -> Self {
        HeldSignal { place: held.place, signal: held.signal.into() }
    }
}

impl From<Signal> for SignalShown {
    fn from(signal: Signal) -> Self {
        SignalShown {
            key: signal.key,
            identifier: signal.identifier,
            at: signal.evaluated_at,
            reason: signal.reason.word(),
            fields: signal.fields.into_iter().map(|field| (field.id, field.value)).collect(),
            causes: signal.causes.links().iter().map(ToString::to_string).collect(),
        }
    }
}
