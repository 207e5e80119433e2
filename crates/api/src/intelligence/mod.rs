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
use crate::own::AnyObject;
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
        .merge(reads().into_router().merge(absent()).layer(from_fn_with_state(meter, meter::pass)))
        .merge(surface().into_router().layer(from_fn_with_state(turnstile, turnstile::pass)))
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(REQUEST_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

/// Returns the operations that read a model and its data.
pub(crate) fn reads() -> Surface {
    Surface::default()
        .about("intelligence")
        .told(
            Method::GET,
            "/knowledge-models",
            knowledge_models::list,
            ("listKnowledgeModels", "Lists the published knowledge models that the caller may use."),
        )
        .gives_as::<page::Page<knowledge_models::Model>, knowledge_models::Model>("Page_KnowledgeModel")
        .told(
            Method::GET,
            "/knowledge-models/{model}",
            knowledge_models::show,
            ("showKnowledgeModel", "Shows a knowledge model."),
        )
        .gives::<knowledge_models::Details>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/filters",
            knowledge_models::filters,
            ("listFilters", "Lists the filters."),
        )
        .gives_as::<page::Page<knowledge_models::Filter>, knowledge_models::Filter>("Page_KnowledgeFilter")
        .told(Method::GET, "/knowledge-models/{model}/kpis", knowledge_models::kpis, ("listKpis", "Lists the KPIs."))
        .gives_as::<page::Page<knowledge_models::Kpi>, knowledge_models::Kpi>("Page_KnowledgeKpi")
        .told(
            Method::GET,
            "/knowledge-models/{model}/records",
            knowledge_models::records,
            ("listRecords", "Lists the records."),
        )
        .gives_as::<page::Page<knowledge_models::Record>, knowledge_models::Record>("Page_KnowledgeRecord")
        .told(
            Method::GET,
            "/knowledge-models/{model}/records/{record}",
            knowledge_models::record,
            ("showRecord", "Shows a record with its fields."),
        )
        .gives::<knowledge_models::RecordWithFields>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/records/{record}/data",
            data::of_record,
            ("readRecord", "Answers a question in the query string, to one record."),
        )
        .gives::<data::DataTable>()
        .told(
            Method::POST,
            "/knowledge-models/{model}/records/{record}/data",
            data::of_record_posted,
            ("askRecord", "Answers a question in JSON, to one record."),
        )
        .takes_form::<AnyObject>()
        .gives::<data::DataTable>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/records/{record}/query",
            data::rows_of_record,
            ("readRecordRows", "Answers with rows alone, of one record."),
        )
        .gives::<data::DataRows>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/records/{record}/summary",
            data::summary,
            ("summarizeRecord", "Tells what the values of each field of a record are like."),
        )
        .gives_list::<data::Summary>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/data",
            data::of_model,
            ("readModel", "Answers a question in the query string, across records."),
        )
        .gives::<data::DataTable>()
        .told(
            Method::POST,
            "/knowledge-models/{model}/data",
            data::of_model_posted,
            ("askModel", "Answers a question in JSON, across records."),
        )
        .takes_form::<AnyObject>()
        .gives::<data::DataTable>()
        .told(
            Method::GET,
            "/knowledge-models/{model}/query",
            data::rows_of_model,
            ("readModelRows", "Answers with rows alone, across records."),
        )
        .gives::<data::DataRows>()
}

/// Returns what the original has in its beta and we have not.
fn absent() -> Router<App> {
    Router::new()
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
