//! Our own interface, `/api/v1`: what the browser, the command line and the
//! demo use, and whatever no compatible surface has a word for.

mod pools;
mod push_jobs;
mod sql;
pub(crate) mod data_jobs;
mod data_models;
mod memory;
mod sources;
mod imports;
mod packages;
mod models;
mod versions;
mod explore;
mod backtests;
mod run_events;
mod connections;
mod flows;
mod page;
mod subscriptions;
mod delivery;
mod deliveries;
mod notices;
mod tail;
mod app_keys;
mod permissions;
mod audit;
mod status;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use http::Method;
use utoipa::OpenApi;

use crate::app::App;
use crate::body::{self, DOCUMENT_BYTES_MAX};
use crate::fault::{self, Voice};
use crate::surface::Surface;
use crate::{caller, openapi, problem};

/// Where this interface lies.
pub(crate) const PREFIX: &str = "/api/v1";

/// Returns the routes below [`PREFIX`].
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/pools", get(pools::list).post(pools::create))
        .route("/pools/{pool}", get(pools::show))
        .route("/pools/{pool}/tables", get(pools::tables))
        .route("/pools/{pool}/tables/{table}/flush", post(pools::flush))
        .route("/pools/{pool}/push-jobs", get(push_jobs::list))
        .route("/pools/{pool}/push-jobs/{job}", get(push_jobs::show))
        .route("/pools/{pool}/push-jobs/{job}/reload", post(push_jobs::reload))
        .route("/pools/{pool}/tables/{table}", get(pools::table))
        .route("/pools/{pool}/sql", get(sql::running).post(sql::ask))
        .route("/pools/{pool}/sql/{id}", delete(sql::cancel))
        .route("/pools/{pool}/data-jobs", get(data_jobs::list).post(data_jobs::create))
        .route("/pools/{pool}/data-jobs/{job}", get(data_jobs::show).put(data_jobs::put).delete(data_jobs::delete))
        .route("/pools/{pool}/data-jobs/{job}/run", post(data_jobs::run))
        .route("/pools/{pool}/data-jobs/{job}/runs", get(data_jobs::runs))
        .route("/pools/{pool}/data-jobs/{job}/runs/{run}", get(data_jobs::show_run).delete(data_jobs::cancel_run))
        .route("/pools/{pool}/data-models", get(data_models::list))
        .route("/pools/{pool}/data-models/guess", post(data_models::guess))
        .route("/pools/{pool}/imports/{import}", get(imports::show).put(imports::choose).delete(imports::remove))
        .route("/pools/{pool}/imports/{import}/commit", post(imports::commit))
        .route("/pools/{pool}/data-models/{key}", get(data_models::show).put(data_models::put))
        .route("/pools/{pool}/data-models/{key}/memory", get(memory::show))
        .route("/pools/{pool}/sources", get(sources::list))
        .route("/pools/{pool}/sources/{key}", get(sources::show).put(sources::put).delete(sources::remove))
        .route("/pools/{pool}/sources/{key}/run", post(sources::run))
        .route("/pools/{pool}/sources/{key}/pause", post(sources::pause))
        .route("/pools/{pool}/sources/{key}/resume", post(sources::resume))
        .route("/pools/{pool}/sources/{key}/runs", get(sources::runs))
        .route("/pools/{pool}/sources/{key}/test", post(sources::test))
        .route("/packages", get(packages::list))
        .route("/packages/{package}", get(packages::show).put(packages::put))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::show).put(models::put))
        .route("/models/{model}/publish", post(models::publish))
        .route("/models/{model}/check", post(models::check))
        .route("/models/{model}/versions", get(versions::list))
        .route("/models/{model}/versions/{version}", get(versions::show))
        .route("/models/{model}/versions/{version}/publish", post(versions::roll_back))
        .route("/models/{model}/versions/{version}/diff/{other}", get(versions::difference))
        .route("/models/{model}/query", post(models::query))
        .route("/models/{model}/clock", get(models::clock).post(models::set_clock))
        .route("/models/{model}/triggers", get(models::triggers))
        .route("/models/{model}/triggers/{trigger}/matched", get(models::matched))
        .route("/models/{model}/triggers/{trigger}/why/{identifier}", get(backtests::why))
        .route("/models/{model}/triggers/{trigger}/backtest", post(backtests::run))
        .route("/models/{model}/map", get(explore::map))
        .route("/models/{model}/variants", get(explore::variants))
        .route("/models/{model}/cases", get(explore::cases))
        .route("/models/{model}/cases/{case}", get(explore::case))
        .route("/models/{model}/throughput", get(explore::throughput))
        .route("/models/{model}/activities", get(explore::activities))
        .route("/models/{model}/conformance", post(explore::conformance))
        .route("/backtests", get(backtests::list))
        .route("/backtests/{number}", delete(backtests::stop))
        .route("/flows/events.csv", get(run_events::of_flows))
        .route("/jobs/events.csv", get(run_events::of_jobs))
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
        .route("/app-keys", get(app_keys::list).post(app_keys::create))
        .route("/app-keys/{key}", delete(app_keys::revoke))
        .route("/permissions", get(permissions::list).post(permissions::grant))
        .route("/permissions/revoke", post(permissions::revoke))
        .route("/audit", get(audit::list))
        .route("/status", get(status::status))
        .route("/me", get(status::me))
        .merge(surface().into_router())
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(DOCUMENT_BYTES_MAX))
        // Files are as long as they are; the spool has the limit.
        .merge(uploads())
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        // Behind the sign-in, which is for what stands above it only.
        .route("/openapi.json", get(openapi::show).fallback(fault::unknown_method))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

fn uploads() -> Router<App> {
    Router::new()
        .route("/pools/{pool}/imports", get(imports::list).post(imports::stage))
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(DefaultBodyLimit::disable())
}

/// Returns the operations that concern subscriptions, which [`Document`]
/// describes.
pub(crate) fn surface() -> Surface {
    Surface::default()
        .on(Method::GET, "/subscriptions/{subscription}", subscriptions::show)
        .on(Method::POST, "/subscriptions/{subscription}/skip", subscriptions::skip)
        .on(Method::GET, "/subscriptions/{subscription}/secret", subscriptions::secret)
        .on(Method::POST, "/subscriptions/{subscription}/secret/rotate", subscriptions::rotate)
        .on(Method::GET, "/subscriptions/{subscription}/delivery", delivery::show)
        .on(Method::PUT, "/subscriptions/{subscription}/delivery", delivery::replace)
        .on(Method::PATCH, "/subscriptions/{subscription}/delivery", delivery::change)
        .on(Method::GET, "/subscriptions/{subscription}/deliveries", deliveries::of_subscription)
        .on(Method::GET, "/subscriptions/{subscription}/skips", deliveries::skips)
        .on(Method::GET, "/deliveries", deliveries::of_all)
        .on(Method::GET, "/notices", notices::list)
        .on(Method::GET, "/triggers/{model}/{trigger}/events", tail::events)
}

/// For the document: the operations of [`surface`], and the document itself.
#[derive(OpenApi)]
#[openapi(paths(
    subscriptions::show,
    subscriptions::skip,
    subscriptions::secret,
    subscriptions::rotate,
    delivery::show,
    delivery::replace,
    delivery::change,
    deliveries::of_subscription,
    deliveries::skips,
    deliveries::of_all,
    notices::list,
    tail::events,
    openapi::show,
))]
pub(crate) struct Document;
