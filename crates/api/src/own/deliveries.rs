//! What became of events: the delivery log, and what was passed over.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use events::{Attempt, DeliveryFilter, LogFilter, Logged, SkipShown, State as Standing, SubscriptionId, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::{self, Asked};
use super::subscriptions::{Which, read_id};
use crate::app::App;
use crate::body::{Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::problem::Problems;

/// One try of a delivery.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    /// The event's position in the log of its trigger.
    offset: u64,
    /// The last event of the batch that the call carried; the same where it
    /// carried one.
    through: u64,
    /// The `webhook-id` of the call.
    event_id: String,
    /// Rises whenever the subscription starts over.
    generation: u64,
    /// 1 for the first attempt of the event in this generation.
    attempt: u32,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Milliseconds from the beginning of the call to its end.
    took_ms: u64,
    /// `delivered`, `failed`, `skipped`, `rejected`, `busy` or `late`.
    verdict: &'static str,
    /// The status of the answer, if there was one.
    #[schema(required = true)]
    status: Option<u16>,
    /// Why there was no answer, or why it is no success.
    detail: String,
    /// The first 512 bytes of the answer.
    answer: String,
    /// When the event is tried next, if it is.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<Timestamp>,
}

/// Some attempts, the latest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Deliveries)]
pub(super) struct DeliveryPage {
    page: u64,
    page_size: u64,
    /// How many there are on all pages.
    total: u64,
    deliveries: Vec<Delivery>,
}

/// One try of a delivery, and whose it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoggedDelivery {
    #[schema(value_type = String, format = "uuid")]
    subscription: SubscriptionId,
    /// What the subscription is called; empty if it was deleted.
    name: String,
    #[serde(flatten)]
    delivery: Delivery,
}

/// Some attempts of several subscriptions, the latest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryLog {
    page: u64,
    page_size: u64,
    /// How many there are on all pages, counted up to 10,000.
    total: u64,
    deliveries: Vec<LoggedDelivery>,
}

/// Events that a subscription passed over without success.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Skip {
    /// The first.
    first: u64,
    /// The last.
    last: u64,
    /// Why, as a word such as `errors`, `extracted` or `suspension`.
    reason: &'static str,
    /// The generation in which that was.
    generation: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Some skips, in order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Skips)]
pub(super) struct SkipPage {
    page: u64,
    page_size: u64,
    /// How many there are on all pages.
    total: u64,
    skips: Vec<Skip>,
}

/// Which attempts of a subscription are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// The first page is 0.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    page: Option<Whole>,
    /// Entries on a page, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_223_372_036_854_775_807_i64)]
    page_size: Option<Whole>,
    /// Only those that ended so.
    #[param(value_type = Option<VerdictWord>, inline)]
    verdict: Option<String>,
    /// Only those that began at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that began before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// Which attempts of several subscriptions are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct LogAsked {
    /// The first page is 0.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    page: Option<Whole>,
    /// Entries on a page, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_223_372_036_854_775_807_i64)]
    page_size: Option<Whole>,
    /// Only those of this subscription.
    #[param(value_type = Option<String>, format = "uuid")]
    subscription: Option<String>,
    /// Only those that ended so.
    #[param(value_type = Option<VerdictWord>, inline)]
    verdict: Option<String>,
    /// Only those of subscriptions that are in this state now.
    #[param(value_type = Option<StateWord>, inline)]
    state: Option<String>,
    /// Only those that began at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that began before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// How an attempt can end.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it describes; a test holds it against the words of the engine")]
enum VerdictWord {
    Delivered,
    Failed,
    Skipped,
    Rejected,
    Busy,
    Late,
}

/// Where a subscription stands.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it describes; a test holds it against the words of the engine")]
enum StateWord {
    Active,
    Failed,
    Suspended,
    Paused,
    Rejected,
}

/// Lists what was tried for a subscription, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/subscriptions/{subscription}/deliveries",
    operation_id = "listDeliveries",
    tag = "delivery",
    params(Which, Filter),
    responses((status = 200, description = "A page of attempts.", body = DeliveryPage), Problems)
)]
pub(super) async fn of_subscription(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(asked): Query<Filter>,
) -> Result<Json<DeliveryPage>, Fault> {
    let paging = page::paging(asked.page, asked.page_size)?;
    let filter = DeliveryFilter { verdict: verdict(asked.verdict.as_deref())?, from: asked.from, to: asked.to };
    let page = app.events.deliveries(&actor, read_id(&id)?, filter, paging).await?;
    let deliveries = page.content.into_iter().map(Delivery::from).collect();
    Ok(Json(DeliveryPage { page: paging.page, page_size: paging.size, total: page.total, deliveries }))
}

/// Lists what was tried for all subscriptions, the latest first.
///
/// They are the caller's own; an administrator sees those of everybody.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    operation_id = "listAllDeliveries",
    tag = "delivery",
    params(LogAsked),
    responses((status = 200, description = "A page of attempts.", body = DeliveryLog), Problems)
)]
pub(super) async fn of_all(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<LogAsked>,
) -> Result<Json<DeliveryLog>, Fault> {
    let paging = page::paging(asked.page, asked.page_size)?;
    let filter = LogFilter {
        subscription: asked.subscription.as_deref().map(read_id).transpose()?,
        verdict: verdict(asked.verdict.as_deref())?,
        state: state(asked.state.as_deref())?,
        from: asked.from,
        to: asked.to,
    };
    let page = app.events.delivery_log(&actor, filter, paging).await?;
    let deliveries = page.content.into_iter().map(LoggedDelivery::from).collect();
    Ok(Json(DeliveryLog { page: paging.page, page_size: paging.size, total: page.total, deliveries }))
}

/// Lists the events that a subscription passed over without success, and why.
#[utoipa::path(
    get,
    path = "/api/v1/subscriptions/{subscription}/skips",
    operation_id = "listSkips",
    tag = "delivery",
    params(Which, Asked),
    responses((status = 200, description = "A page of skips, in order.", body = SkipPage), Problems)
)]
pub(super) async fn skips(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<SkipPage>, Fault> {
    let paging = asked.paging()?;
    let page = app.events.skips(&actor, read_id(&id)?, paging).await?;
    let skips = page.content.into_iter().map(Skip::from).collect();
    Ok(Json(SkipPage { page: paging.page, page_size: paging.size, total: page.total, skips }))
}

fn verdict(word: Option<&str>) -> Result<Option<Verdict>, Fault> {
    let Some(word) = word else { return Ok(None) };
    let unknown = || {
        let known: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
        Fault::invalid("verdict", "verdict-unknown", format!("\"{word}\" is not a verdict: {} are", known.join(", ")))
    };
    Verdict::parse(word).map(Some).ok_or_else(unknown)
}

fn state(word: Option<&str>) -> Result<Option<&'static str>, Fault> {
    let Some(word) = word else { return Ok(None) };
    let unknown = || {
        let known = Standing::WORDS.join(", ");
        Fault::invalid("state", "state-unknown", format!("\"{word}\" is not a state: {known} are"))
    };
    Standing::WORDS.into_iter().find(|known| *known == word).map(Some).ok_or_else(unknown)
}

impl From<Attempt> for Delivery {
    fn from(attempt: Attempt) -> Self {
        Delivery {
            offset: attempt.offset.0,
            through: attempt.through.0,
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

impl From<Logged> for LoggedDelivery {
    fn from(logged: Logged) -> Self {
        let Logged { subscription, name, attempt } = logged;
        LoggedDelivery { subscription, name, delivery: attempt.into() }
    }
}

impl From<SkipShown> for Skip {
    fn from(shown: SkipShown) -> Self {
        Skip {
            first: shown.skipped.first.0,
            last: shown.skipped.last.0,
            reason: shown.skipped.reason.word(),
            generation: shown.generation,
            at: shown.at,
        }
    }
}
