//! Our own interface, `/api/v1`: what the browser, the command line and the
//! demo use, and whatever no compatible surface has a word for.

mod pools;
mod data_models;
mod packages;
mod models;
mod connections;
mod flows;
mod subscriptions;
mod app_keys;
mod permissions;
mod audit;
mod status;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::app::App;
use crate::body::{self, DOCUMENT_BYTES_MAX};
use crate::fault::{self, Voice};
use crate::{caller, problem};

/// Returns the routes below `/api/v1`.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/pools", get(pools::list).post(pools::create))
        .route("/pools/{pool}", get(pools::show))
        .route("/pools/{pool}/tables", get(pools::tables))
        .route("/pools/{pool}/tables/{table}/flush", post(pools::flush))
        .route("/pools/{pool}/sql", post(pools::sql))
        .route("/pools/{pool}/data-models", get(data_models::list))
        .route("/pools/{pool}/data-models/{key}", get(data_models::show).put(data_models::put))
        .route("/packages", get(packages::list))
        .route("/packages/{package}", get(packages::show).put(packages::put))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::show).put(models::put))
        .route("/models/{model}/publish", post(models::publish))
        .route("/models/{model}/query", post(models::query))
        .route("/models/{model}/clock", get(models::clock).post(models::set_clock))
        .route("/models/{model}/triggers", get(models::triggers))
        .route("/models/{model}/triggers/{trigger}/matched", get(models::matched))
        .route("/connections", get(connections::list))
        .route("/connections/{name}", put(connections::put).delete(connections::remove))
        .route("/flows", get(flows::list))
        .route("/flows/{flow}", get(flows::show).put(flows::put))
        .route("/flows/{flow}/publish", post(flows::publish))
        .route("/flows/{flow}/activate", post(flows::activate))
        .route("/flows/{flow}/deactivate", post(flows::deactivate))
        .route("/flows/{flow}/run", post(flows::run_once))
        .route("/flows/{flow}/runs", get(flows::runs))
        .route("/flows/{flow}/variables", put(flows::set_variables))
        .route("/runs/{run}", get(flows::run))
        .route("/runs/{run}/decide", post(flows::decide))
        .route("/subscriptions/{subscription}", get(subscriptions::show))
        .route("/subscriptions/{subscription}/secret", get(subscriptions::secret).post(subscriptions::rotate))
        .route("/subscriptions/{subscription}/deliveries", get(subscriptions::deliveries))
        .route("/app-keys", get(app_keys::list).post(app_keys::create))
        .route("/app-keys/{key}", delete(app_keys::revoke))
        .route("/permissions", get(permissions::list).post(permissions::grant))
        .route("/permissions/revoke", post(permissions::revoke))
        .route("/audit", get(audit::list))
        .route("/status", get(status::status))
        .route("/me", get(status::me))
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(DOCUMENT_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}
