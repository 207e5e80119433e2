//! The Intelligence API: knowledge models, their triggers, and subscriptions.
//!
//! Paths, words and error codes are those that clients of Celonis know; where
//! they say nothing, the nearest of their words is used.

mod problem;
mod page;
mod turnstile;
mod meter;
mod event;
mod knowledge_models;
mod data;
mod triggers;
mod subscription;
mod subscriptions;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::Method;
use utoipa::OpenApi;

pub(crate) use self::event::CallbackBody;
use self::meter::Meter;
pub use self::meter::RequestLimits;
pub(crate) use self::problem::Problems;
use self::turnstile::Turnstile;
use crate::app::App;
use crate::fault::{self, Voice};
use crate::surface::Surface;
use crate::{body, caller};

/// Where this API lies.
pub(crate) const PREFIX: &str = "/intelligence/api";

/// Bytes of a request at most: the longest is a subscription with its headers.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Returns the routes below [`PREFIX`].
pub(crate) fn routes(app: &App) -> Router<App> {
    let turnstile = Turnstile::new(app.management_requests_max);
    let meter = Meter::new(app.intelligence_limits, app.clock.clone());
    Router::new()
        .merge(reads().layer(from_fn_with_state(meter, meter::pass)))
        .merge(surface().into_router().layer(from_fn_with_state(turnstile, turnstile::pass)))
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(REQUEST_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

/// Returns the operations that read a model and its data.
fn reads() -> Router<App> {
    Router::new()
        .route("/knowledge-models", get(knowledge_models::list))
        .route("/knowledge-models/{model}", get(knowledge_models::show))
        .route("/knowledge-models/{model}/filters", get(knowledge_models::filters))
        .route("/knowledge-models/{model}/kpis", get(knowledge_models::kpis))
        .route("/knowledge-models/{model}/records", get(knowledge_models::records))
        .route("/knowledge-models/{model}/records/{record}", get(knowledge_models::record))
        .route("/knowledge-models/{model}/records/{record}/data", get(data::of_record).post(data::of_record_posted))
        .route("/knowledge-models/{model}/records/{record}/query", get(data::rows_of_record))
        .route("/knowledge-models/{model}/records/{record}/summary", get(data::summary))
        .route("/knowledge-models/{model}/data", get(data::of_model).post(data::of_model_posted))
        .route("/knowledge-models/{model}/query", get(data::rows_of_model))
        .route("/knowledge-models/{model}/spec", get(data::not_there))
        .route("/knowledge-models/{model}/records/{record}/spec", get(data::not_there))
        .route("/odata/{service}", get(data::not_there))
        .route("/odata/{service}/{*rest}", get(data::not_there))
}

/// Returns the operations on triggers and subscriptions, which [`Document`]
/// describes.
pub(crate) fn surface() -> Surface {
    Surface::default()
        .on(Method::GET, "/knowledge-models/{model}/triggers", triggers::list)
        .on(Method::GET, "/knowledge-models/{model}/triggers/{trigger}", triggers::show)
        .on(Method::POST, "/knowledge-models/{model}/triggers/{trigger}/subscriptions", subscriptions::create)
        .on(Method::GET, "/subscriptions", subscriptions::list)
        .on(Method::GET, "/subscriptions/{subscription}", subscriptions::show)
        .on(Method::PUT, "/subscriptions/{subscription}", subscriptions::update)
        .on(Method::DELETE, "/subscriptions/{subscription}", subscriptions::delete)
        .on(Method::PATCH, "/subscriptions/{subscription}/pause", subscriptions::pause)
        .on(Method::PATCH, "/subscriptions/{subscription}/resume", subscriptions::resume)
        .on(Method::PATCH, "/subscriptions/{subscription}/resume-from-latest", subscriptions::resume_from_latest)
        .on(Method::PATCH, "/subscriptions/{subscription}/replay", subscriptions::replay)
        .on(Method::PATCH, "/subscriptions/{subscription}/events", subscriptions::extract)
}

/// For the document: the operations of [`surface`].
#[derive(OpenApi)]
#[openapi(
    paths(
        triggers::list,
        triggers::show,
        subscriptions::create,
        subscriptions::list,
        subscriptions::show,
        subscriptions::update,
        subscriptions::delete,
        subscriptions::pause,
        subscriptions::resume,
        subscriptions::resume_from_latest,
        subscriptions::replay,
        subscriptions::extract,
    ),
    components(schemas(problem::Problem, problem::Unauthorized, event::CallbackBody))
)]
pub(crate) struct Document;
