//! The Intelligence API: knowledge models, their triggers, and subscriptions.
//!
//! Paths, words and error codes are those that clients of Celonis know; where
//! they say nothing, the nearest of their words is used.

mod problem;
mod page;
mod knowledge_models;
mod triggers;
mod subscriptions;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post, put};

use crate::app::App;
use crate::fault::{self, Voice};
use crate::{body, caller};

/// Bytes of a request at most: the longest is a subscription with its headers.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Returns the routes below `/intelligence/api`.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/knowledge-models", get(knowledge_models::list))
        .route("/knowledge-models/{model}", get(knowledge_models::show))
        .route("/knowledge-models/{model}/records", get(knowledge_models::records))
        .route("/knowledge-models/{model}/records/{record}", get(knowledge_models::record))
        .route("/knowledge-models/{model}/triggers", get(triggers::list))
        .route("/knowledge-models/{model}/triggers/{trigger}", get(triggers::show))
        .route("/knowledge-models/{model}/triggers/{trigger}/subscriptions", post(subscriptions::create))
        .route("/subscriptions", get(subscriptions::list))
        .route("/subscriptions/{subscription}", put(subscriptions::update).delete(subscriptions::delete))
        .route("/subscriptions/{subscription}/pause", patch(subscriptions::pause))
        .route("/subscriptions/{subscription}/resume", patch(subscriptions::resume))
        .route("/subscriptions/{subscription}/resume-from-latest", patch(subscriptions::resume_from_latest))
        .route("/subscriptions/{subscription}/replay", patch(subscriptions::replay))
        .route("/subscriptions/{subscription}/events", patch(subscriptions::extract))
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(REQUEST_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}
