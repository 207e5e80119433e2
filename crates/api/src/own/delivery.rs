//! The delivery settings of a subscription: how patient it is.
//!
//! PUT takes them as a whole, and what is left out has its default. PATCH is a
//! JSON merge: what is left out stays, `null` means the default.

use axum::Json;
use axum::extract::{Path, State};
use events::{OnError, OnRejection, OnSuspension, Policy};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, SchemaType};
use utoipa::openapi::{ObjectBuilder, Type};

use super::subscriptions::{Which, managed, read_id};
use crate::app::App;
use crate::body::{self, Integer, Object};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::problem::Problems;

/// Delivery settings. Every pause is spread by 20 % to either side, and a
/// receiver that asks for patience gets up to an hour of it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeliverySettings)]
pub(super) struct Settings {
    /// Pauses between the attempts of an active subscription; there is one
    /// attempt more than there are pauses.
    #[schema(schema_with = pauses)]
    retry_pauses_ms: Vec<Integer>,
    /// Time for a whole call, the answer included.
    #[schema(value_type = u64, minimum = 100, maximum = 300_000)]
    timeout_ms: Integer,
    /// First pause between the probes of a failed subscription; each is twice
    /// the one before.
    #[schema(value_type = u64, minimum = 100, maximum = 86_400_000)]
    probe_first_ms: Integer,
    /// Longest pause between probes, if it is longer than the first one.
    #[schema(value_type = u64, minimum = 100, maximum = 86_400_000)]
    probe_max_ms: Integer,
    /// A subscription that has been failed for so long is suspended.
    #[schema(value_type = u64, minimum = 1_000, maximum = 31_536_000_000_i64)]
    suspend_after_ms: Integer,
    /// Its owner is alerted when it has been failed for so long, each time
    /// once.
    #[schema(schema_with = alerts)]
    alert_after_ms: Vec<Integer>,
    /// What happens to an event whose attempts are used up; `skip` is the same
    /// as the configuration `SKIP_ERRORS`.
    on_error: ErrorRule,
    /// What it means when the receiver answers that the event itself is wrong
    /// (a 3xx or 4xx that does not ask for patience).
    on_rejection: RejectionRule,
    /// What a suspension does to the events that wait.
    on_suspension: SuspensionRule,
    /// Calls per second at most; nothing means as many as the receiver bears.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    rate_per_second: Option<Integer>,
    /// Events that one call carries at most. With 1 its body is an event, with
    /// more it is an array of them.
    #[schema(value_type = u32, minimum = 1, maximum = 100)]
    batch_events_max: Integer,
}

/// A change of delivery settings: what is left out stays, `null` means the
/// default.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeliverySettingsChange)]
pub(super) struct Change {
    #[serde(deserialize_with = "said")]
    #[schema(schema_with = pauses_or_null)]
    retry_pauses_ms: Option<Option<Vec<Integer>>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 100, maximum = 300_000)]
    timeout_ms: Option<Option<Integer>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 100, maximum = 86_400_000)]
    probe_first_ms: Option<Option<Integer>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 100, maximum = 86_400_000)]
    probe_max_ms: Option<Option<Integer>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1_000, maximum = 31_536_000_000_i64)]
    suspend_after_ms: Option<Option<Integer>>,
    #[serde(deserialize_with = "said")]
    #[schema(schema_with = alerts_or_null)]
    alert_after_ms: Option<Option<Vec<Integer>>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<ErrorRule>)]
    on_error: Option<Option<ErrorRule>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<RejectionRule>)]
    on_rejection: Option<Option<RejectionRule>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<SuspensionRule>)]
    on_suspension: Option<Option<SuspensionRule>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    rate_per_second: Option<Option<Integer>>,
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100)]
    batch_events_max: Option<Option<Integer>>,
}

/// What happens to an event whose attempts are used up.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ErrorRule {
    /// It stays queued, and the subscription fails.
    Keep,
    /// It is lost, on record, and the subscription goes on.
    Skip,
}

/// What it means when the receiver answers that the event itself is wrong.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum RejectionRule {
    /// The same as any other error: it is tried again.
    Retry,
    /// The subscription is rejected at once.
    Reject,
}

/// What a suspension does to the events that wait.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum SuspensionRule {
    /// They are lost, on record.
    Destroy,
    /// They wait until an update sets the subscription going again.
    Keep,
}

/// Shows the delivery settings.
#[utoipa::path(
    get,
    path = "/api/v1/subscriptions/{subscription}/delivery",
    operation_id = "showDelivery",
    tag = "delivery",
    params(Which),
    responses((status = 200, description = "The settings.", body = Settings), Problems)
)]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Settings>, Fault> {
    let listed = app.events.get(&actor, read_id(&id)?).await?;
    Ok(Json(listed.subscription.policy.into()))
}

/// Replaces the delivery settings; what is left out has its default.
///
/// The state stays as it is.
#[utoipa::path(
    put,
    path = "/api/v1/subscriptions/{subscription}/delivery",
    operation_id = "replaceDelivery",
    tag = "delivery",
    params(Which),
    request_body = Settings,
    responses((status = 200, description = "The settings, as they are now.", body = Settings), Problems)
)]
pub(super) async fn replace(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(Object(settings)): body::Json<Object<Settings>>,
) -> Result<Json<Settings>, Fault> {
    let id = managed(&app, &actor, &id).await?;
    let changed = app.events.set_policy(&actor, id, settings.into()).await?;
    Ok(Json(changed.policy.into()))
}

/// Changes some delivery settings.
///
/// What is left out stays, `null` means the default. The state stays as it is.
#[utoipa::path(
    patch,
    path = "/api/v1/subscriptions/{subscription}/delivery",
    operation_id = "changeDelivery",
    tag = "delivery",
    params(Which),
    request_body(content(
        (Change = "application/merge-patch+json"),
        (Change = "application/json"),
    )),
    responses((status = 200, description = "The settings, as they are now.", body = Settings), Problems)
)]
pub(super) async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(Object(change)): body::Json<Object<Change>>,
) -> Result<Json<Settings>, Fault> {
    let id = managed(&app, &actor, &id).await?;
    let changed = app.events.edit_policy(&actor, id, move |policy| change.applied_to(policy)).await?;
    Ok(Json(changed.policy.into()))
}

/// Tells what was said, a `null` included, from what was not.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Change {
    fn applied_to(&self, policy: &Policy) -> Policy {
        let now = Settings::from(policy.clone());
        let usual = Settings::default();
        let changed = Settings {
            retry_pauses_ms: merged(self.retry_pauses_ms.clone(), now.retry_pauses_ms, usual.retry_pauses_ms),
            timeout_ms: merged(self.timeout_ms, now.timeout_ms, usual.timeout_ms),
            probe_first_ms: merged(self.probe_first_ms, now.probe_first_ms, usual.probe_first_ms),
            probe_max_ms: merged(self.probe_max_ms, now.probe_max_ms, usual.probe_max_ms),
            suspend_after_ms: merged(self.suspend_after_ms, now.suspend_after_ms, usual.suspend_after_ms),
            alert_after_ms: merged(self.alert_after_ms.clone(), now.alert_after_ms, usual.alert_after_ms),
            on_error: merged(self.on_error, now.on_error, usual.on_error),
            on_rejection: merged(self.on_rejection, now.on_rejection, usual.on_rejection),
            on_suspension: merged(self.on_suspension, now.on_suspension, usual.on_suspension),
            rate_per_second: self.rate_per_second.unwrap_or(now.rate_per_second),
            batch_events_max: merged(self.batch_events_max, now.batch_events_max, usual.batch_events_max),
        };
        changed.into()
    }
}

fn merged<T>(said: Option<Option<T>>, now: T, usual: T) -> T {
    match said {
        None => now,
        Some(None) => usual,
        Some(Some(value)) => value,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Policy::default().into()
    }
}

impl From<Policy> for Settings {
    fn from(policy: Policy) -> Self {
        Settings {
            retry_pauses_ms: policy.retry_pauses_ms.into_iter().map(Integer).collect(),
            timeout_ms: Integer(policy.timeout_ms),
            probe_first_ms: Integer(policy.probe_first_ms),
            probe_max_ms: Integer(policy.probe_max_ms),
            suspend_after_ms: Integer(policy.suspend_after_ms),
            alert_after_ms: policy.alert_after_ms.into_iter().map(Integer).collect(),
            on_error: match policy.on_error {
                OnError::Keep => ErrorRule::Keep,
                OnError::Skip => ErrorRule::Skip,
            },
            on_rejection: match policy.on_rejection {
                OnRejection::Retry => RejectionRule::Retry,
                OnRejection::Reject => RejectionRule::Reject,
            },
            on_suspension: match policy.on_suspension {
                OnSuspension::Destroy => SuspensionRule::Destroy,
                OnSuspension::Keep => SuspensionRule::Keep,
            },
            rate_per_second: policy.rate_per_second.map(|rate| Integer(rate.into())),
            batch_events_max: Integer(policy.batch_events_max.into()),
        }
    }
}

impl From<Settings> for Policy {
    fn from(settings: Settings) -> Self {
        // In which order somebody writes the alerts down means nothing.
        let mut alert_after_ms = plain(settings.alert_after_ms);
        alert_after_ms.sort_unstable();
        Policy {
            retry_pauses_ms: plain(settings.retry_pauses_ms),
            timeout_ms: settings.timeout_ms.0,
            probe_first_ms: settings.probe_first_ms.0,
            probe_max_ms: settings.probe_max_ms.0,
            suspend_after_ms: settings.suspend_after_ms.0,
            alert_after_ms,
            on_error: match settings.on_error {
                ErrorRule::Keep => OnError::Keep,
                ErrorRule::Skip => OnError::Skip,
            },
            on_rejection: match settings.on_rejection {
                RejectionRule::Retry => OnRejection::Retry,
                RejectionRule::Reject => OnRejection::Reject,
            },
            on_suspension: match settings.on_suspension {
                SuspensionRule::Destroy => OnSuspension::Destroy,
                SuspensionRule::Keep => OnSuspension::Keep,
            },
            rate_per_second: settings.rate_per_second.map(narrow),
            batch_events_max: narrow(settings.batch_events_max),
        }
    }
}

fn plain(numbers: Vec<Integer>) -> Vec<u64> {
    numbers.into_iter().map(|number| number.0).collect()
}

/// What is too large for a setting stays too large, and is refused as such.
fn narrow(number: Integer) -> u32 {
    u32::try_from(number.0).unwrap_or(u32::MAX)
}

/// For the document: a list of spans, or `null`.
fn spans(kinds: &[Type], least: u64, most: u64) -> ArrayBuilder {
    let span = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most));
    ArrayBuilder::new().schema_type(SchemaType::from_iter(kinds.iter().cloned())).items(span)
}

const DAY_MS: u64 = 86_400_000;
const PAUSES_MAX: usize = 20;
const ALERTS_MAX: usize = 10;

fn pauses() -> Array {
    spans(&[Type::Array], 0, DAY_MS).max_items(Some(PAUSES_MAX)).build()
}

fn pauses_or_null() -> Array {
    spans(&[Type::Array, Type::Null], 0, DAY_MS).max_items(Some(PAUSES_MAX)).build()
}

fn alerts() -> Array {
    spans(&[Type::Array], 1, 365 * DAY_MS).max_items(Some(ALERTS_MAX)).unique_items(true).build()
}

fn alerts_or_null() -> Array {
    spans(&[Type::Array, Type::Null], 1, 365 * DAY_MS).max_items(Some(ALERTS_MAX)).unique_items(true).build()
}
