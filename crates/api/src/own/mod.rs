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
mod import_shown;
mod packages;
mod models;
mod versions;
mod held;
mod outcomes;
mod explore;
mod explored;
mod backtests;
mod why;
mod run_events;
mod connections;
mod tasks;
mod flows;
mod incomplete;
mod runs;
mod hooks;
mod flow_imports;
mod flow_versions;
mod documents;
mod operations;
mod modules;
mod mapping;
mod stream;
mod flow_secrets;
mod package_versions;
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
mod data_stores;
mod structures;
mod pages;
mod table;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::Method;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use crate::app::App;
use crate::body::{self, DOCUMENT_BYTES_MAX};
use crate::fault::{self, Voice};
use crate::surface::Surface;
use crate::{caller, openapi, problem};

/// Where this interface lies.
pub(crate) const PREFIX: &str = "/api/v1";

/// Returns the routes below [`PREFIX`].
pub(crate) fn routes(app: &App) -> Router<App> {
    surface()
        .into_router()
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(DOCUMENT_BYTES_MAX))
        // Files are as long as they are; the spool has the limit.
        .merge(
            uploads()
                .into_router()
                .method_not_allowed_fallback(fault::unknown_method)
                .layer(DefaultBodyLimit::disable()),
        )
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        // Behind the sign-in, which is for what stands above it only.
        .route("/openapi.json", get(openapi::show).fallback(fault::unknown_method))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

const YAML: &str = "application/yaml";
const CSV: &str = "text/csv";

/// Returns the operations that take files as long as they are.
pub(crate) fn uploads() -> Surface {
    let path = "/pools/{pool}/imports";
    Surface::default()
        .about("imports")
        .told(Method::GET, path, imports::list, ("listImports", "Lists the imports of a pool, the newest first."))
        .gives_list::<import_shown::Progress>()
        .told(Method::POST, path, imports::stage, ("stageImport", "Takes files and looks at them; no row is written."))
        .asks::<imports::Said>()
        .takes("multipart/form-data")
        .gives::<import_shown::Shown>()
}

/// Returns all other operations but the document itself.
pub(crate) fn surface() -> Surface {
    let surface = table::data::routes(Surface::default());
    let surface = table::models::routes(surface);
    let surface = table::automation::routes(surface);
    table::house::routes(deliveries(surface))
}

/// What concerns subscriptions; [`Document`] describes it.
fn deliveries(surface: Surface) -> Surface {
    surface
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

/// For the document: the operations of [`deliveries`], and the document itself.
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

/// For the document: a JSON object whose fields are its writer's own.
pub(crate) struct AnyObject;

impl PartialSchema for AnyObject {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true))).into()
    }
}

impl ToSchema for AnyObject {}
