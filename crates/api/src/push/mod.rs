//! Data integration as clients of Celonis know it: the Data Push API on both
//! of its base paths, the calls that tell pools and tables, and what SDKs ask
//! before they do anything.

mod problem;
pub(crate) mod job_form;
mod jobs;
mod chunks;
mod continuous;
mod integration;
mod cloud;

pub(crate) use job_form::read_again;
pub(crate) use jobs::read_id;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use tower::ServiceBuilder;
use tower_http::decompression::{DecompressionBody, RequestDecompressionLayer};

use crate::app::App;
use crate::fault::{self, Fault, Voice};
use crate::own::data_jobs;
use crate::{body, caller};

/// Bytes of a JSON document at most. A chunk has the limit of `pools`.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Returns the routes of data integration.
pub(crate) fn routes(app: &App) -> Router<App> {
    let integration = Router::new()
        .route("/pools", get(integration::pools).post(integration::create_pool))
        .route("/pools/paged", get(integration::pools_paged))
        .route("/pools/{pool}", get(integration::pool))
        .route("/pools/{pool}/tables", get(integration::tables))
        .route("/pools/{pool}/data-models", get(integration::data_models))
        .route("/pools/{pool}/logs/status", get(data_jobs::statuses))
        .route("/pools/{pool}/jobs/{job}/cancel", post(data_jobs::cancel))
        .route("/v2/data-pools/{pool}/data-jobs/{job}/execute", post(data_jobs::execute))
        .route("/pools/{pool}/overviews/data-sources", get(integration::data_sources))
        .nest("/v1/data-push/{pool}", data_push());
    Router::new()
        .nest("/integration/api", spoken(integration, app))
        .nest("/continuous-batch-processing/api/v1/{pool}", spoken(items(), app))
        .nest("/data-ingestion/api/v1/data-push/{pool}", spoken(data_push(), app))
        .nest("/api/cloud", spoken(of_cloud(), app))
        .nest("/api/team", spoken(of_team(), app))
}

fn of_team() -> Router<App> {
    Router::new().route("/", get(cloud::team)).route("/cui-settings/cui-pdf-cover", get(cloud::marking))
}

fn data_push() -> Router<App> {
    Router::new()
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{job}", get(jobs::show).post(jobs::execute).delete(jobs::delete))
        .route("/jobs/{job}/chunks", get(chunks::list))
        .merge(uploads())
}

fn uploads() -> Router<App> {
    taking_files(
        Router::new()
            .route("/jobs/{job}/chunks/upserted", post(chunks::upsert))
            .route("/jobs/{job}/chunks/deleted", post(chunks::delete)),
    )
}

fn items() -> Router<App> {
    taking_files(Router::new().route("/items", post(continuous::push)))
}

/// Files may come compressed, and may be large; `pools` counts their bytes as
/// they are unpacked.
fn taking_files(routes: Router<App>) -> Router<App> {
    let unpacking = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .map_request(|request: http::Request<DecompressionBody<Body>>| request.map(Body::new));
    routes.layer(DefaultBodyLimit::disable()).layer(unpacking).layer(from_fn(packing_known))
}

fn of_cloud() -> Router<App> {
    Router::new()
        .route("/", get(cloud::user))
        .route("/permissions", get(cloud::permissions))
        .route("/team", get(cloud::team))
}

fn spoken(routes: Router<App>, app: &App) -> Router<App> {
    routes
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(DOCUMENT_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

/// Refuses bodies that are packed in a way which nobody here can unpack.
async fn packing_known(request: Request, next: Next) -> Response {
    let packed = request.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    match packed {
        None | Some("gzip" | "identity") => next.run(request).await,
        Some(other) => {
            let detail = format!("content encoding \"{other}\" is not understood: send \"gzip\", or send it as it is");
            Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding-unknown", detail).into_response()
        }
    }
}
