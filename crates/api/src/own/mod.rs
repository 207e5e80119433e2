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
mod held;
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
use axum::routing::get;
use http::Method;
use utoipa::OpenApi;

use crate::app::App;
use crate::body::{self, DOCUMENT_BYTES_MAX};
use crate::fault::{self, Mistake, Voice};
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

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const CSV: &str = "text/csv";

/// Returns the operations that take files as long as they are.
pub(crate) fn uploads() -> Surface {
    let path = "/pools/{pool}/imports";
    Surface::default()
        .about("imports")
        .told(Method::GET, path, imports::list, ("listImports", "Lists the imports of a pool, the newest first."))
        .told(Method::POST, path, imports::stage, ("stageImport", "Takes files and looks at them; no row is written."))
        .asks::<imports::Said>()
        .takes("multipart/form-data")
}

/// Returns all other operations but the document itself.
pub(crate) fn surface() -> Surface {
    let surface = data(Surface::default());
    let surface = models(surface);
    let surface = automation(surface);
    house(deliveries(surface))
}

/// Pools and what is in them: rows, jobs, sources, data models.
fn data(surface: Surface) -> Surface {
    surface
        .about("pools")
        .told(Method::GET, "/pools", pools::list, ("listPools", "Lists the pools that the caller may use."))
        .told(Method::POST, "/pools", pools::create, ("createPool", "Makes a pool."))
        .takes(JSON)
        .told(Method::GET, "/pools/{pool}", pools::show, ("showPool", "Shows a pool, by id or name."))
        .told(Method::GET, "/pools/{pool}/tables", pools::tables, ("listTables", "Lists the tables of a pool."))
        .told(
            Method::GET,
            "/pools/{pool}/tables/{table}",
            pools::table,
            ("showTable", "Shows a table or a view with some of its rows."),
        )
        .told(
            Method::POST,
            "/pools/{pool}/tables/{table}/flush",
            pools::flush,
            ("flushTable", "Brings a table to rest and tells the version that holds it."),
        )
        .told(
            Method::GET,
            "/pools/{pool}/push-jobs",
            push_jobs::list,
            ("listPushJobs", "Lists the newest push jobs of a pool."),
        )
        .told(Method::GET, "/pools/{pool}/push-jobs/{job}", push_jobs::show, ("showPushJob", "Shows a push job."))
        .told(
            Method::POST,
            "/pools/{pool}/push-jobs/{job}/reload",
            push_jobs::reload,
            ("reloadPushJob", "Loads a push job again under other options."),
        )
        .takes(JSON)
        .about("imports")
        .told(
            Method::GET,
            "/pools/{pool}/imports/{import}",
            imports::show,
            ("showImport", "Shows an import, and how far it has come."),
        )
        .told(
            Method::PUT,
            "/pools/{pool}/imports/{import}",
            imports::choose,
            ("chooseForImport", "Says something else about an import than was guessed."),
        )
        .takes(JSON)
        .told(Method::DELETE, "/pools/{pool}/imports/{import}", imports::remove, ("removeImport", "Forgets an import."))
        .told(
            Method::POST,
            "/pools/{pool}/imports/{import}/commit",
            imports::commit,
            ("commitImport", "Sends the rows of an import on their way."),
        )
        .about("sql")
        .told(
            Method::GET,
            "/pools/{pool}/sql",
            sql::running,
            ("listStatements", "Lists the statements of a pool that are under way."),
        )
        .told(Method::POST, "/pools/{pool}/sql", sql::ask, ("askSql", "Answers a question in SQL."))
        .takes(JSON)
        .told(
            Method::DELETE,
            "/pools/{pool}/sql/{id}",
            sql::cancel,
            ("cancelStatement", "Stops a statement: one's own, or anyone's for whoever administers the pool."),
        )
        .gives_nothing()
        .about("data jobs")
        .told(
            Method::GET,
            "/pools/{pool}/data-jobs",
            data_jobs::list,
            ("listDataJobs", "Lists the data jobs of a pool."),
        )
        .told(
            Method::POST,
            "/pools/{pool}/data-jobs",
            data_jobs::create,
            ("createDataJob", "Makes a data job, or puts the one of this name anew."),
        )
        .takes(JSON)
        .told(Method::GET, "/pools/{pool}/data-jobs/{job}", data_jobs::show, ("showDataJob", "Shows a data job."))
        .told(
            Method::PUT,
            "/pools/{pool}/data-jobs/{job}",
            data_jobs::put,
            ("putDataJob", "Puts what a data job does anew, or makes one of this name."),
        )
        .takes(JSON)
        .told(
            Method::DELETE,
            "/pools/{pool}/data-jobs/{job}",
            data_jobs::delete,
            ("deleteDataJob", "Deletes a data job with its runs."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/pools/{pool}/data-jobs/{job}/run",
            data_jobs::run,
            ("runDataJob", "Asks for a run of a data job."),
        )
        .told(
            Method::GET,
            "/pools/{pool}/data-jobs/{job}/runs",
            data_jobs::runs,
            ("listDataJobRuns", "Lists the runs of a data job, the newest first."),
        )
        .told(
            Method::GET,
            "/pools/{pool}/data-jobs/{job}/runs/{run}",
            data_jobs::show_run,
            ("showDataJobRun", "Shows a run of a data job with its statements."),
        )
        .told(
            Method::DELETE,
            "/pools/{pool}/data-jobs/{job}/runs/{run}",
            data_jobs::cancel_run,
            ("cancelDataJobRun", "Cancels a run of a data job."),
        )
        .about("data models")
        .told(
            Method::GET,
            "/pools/{pool}/data-models",
            data_models::list,
            ("listDataModels", "Lists the data models of a pool."),
        )
        .told(
            Method::POST,
            "/pools/{pool}/data-models/guess",
            data_models::guess,
            ("guessDataModel", "Guesses a data model from the tables there are, and says why."),
        )
        .takes(JSON)
        .told(
            Method::GET,
            "/pools/{pool}/data-models/{key}/memory",
            memory::show,
            ("showDataModelInMemory", "Tells how a data model stands in memory, and what it takes."),
        )
        .told(
            Method::GET,
            "/pools/{pool}/data-models/{key}",
            data_models::show,
            ("showDataModel", "Shows a data model."),
        )
        .told(
            Method::PUT,
            "/pools/{pool}/data-models/{key}",
            data_models::put,
            ("putDataModel", "Makes a data model, or replaces it by a new version."),
        )
        .takes(JSON)
        .about("sources")
        .told(Method::GET, "/pools/{pool}/sources", sources::list, ("listSources", "Lists the sources of a pool."))
        .told(Method::GET, "/pools/{pool}/sources/{key}", sources::show, ("showSource", "Shows a source."))
        .told(Method::PUT, "/pools/{pool}/sources/{key}", sources::put, ("putSource", "Makes a source, or changes it."))
        .takes(JSON)
        .told(
            Method::DELETE,
            "/pools/{pool}/sources/{key}",
            sources::remove,
            ("removeSource", "Removes a source; the rows that it brought stay."),
        )
        .gives_nothing()
        .told(Method::POST, "/pools/{pool}/sources/{key}/run", sources::run, ("runSource", "Lets a source look now."))
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/pause",
            sources::pause,
            ("pauseSource", "Lets a source look only when asked."),
        )
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/resume",
            sources::resume,
            ("resumeSource", "Lets a source look by itself again."),
        )
        .told(
            Method::GET,
            "/pools/{pool}/sources/{key}/runs",
            sources::runs,
            ("listSourceRuns", "Lists what a source brought and failed to bring."),
        )
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/test",
            sources::test,
            ("testSource", "Tries a source, one that is there or one that is only written down."),
        )
        .takes(JSON)
}

/// Knowledge models, their triggers, and what the process looks like.
fn models(surface: Surface) -> Surface {
    surface
        .about("knowledge models")
        .told(Method::GET, "/packages", packages::list, ("listPackages", "Lists the packages that the caller may use."))
        .told(Method::GET, "/packages/{package}", packages::show, ("showPackage", "Shows a package."))
        .told(
            Method::PUT,
            "/packages/{package}",
            packages::put,
            ("putPackage", "Makes a package, or gives it another name."),
        )
        .takes(JSON)
        .told(
            Method::GET,
            "/models",
            models::list,
            ("listModels", "Lists the knowledge models of the packages that the caller may use."),
        )
        .gives::<Vec<models::Model>>()
        .told(Method::GET, "/models/{model}", models::show, ("showModel", "Shows a knowledge model with its texts."))
        .gives::<models::ModelDetails>()
        .told(Method::PUT, "/models/{model}", models::put, ("putModel", "Stores the draft of a knowledge model."))
        .takes(YAML)
        .gives::<models::Model>()
        .told(
            Method::POST,
            "/models/{model}/check",
            models::check,
            ("checkModel", "Checks the draft as publishing it would, and changes nothing."),
        )
        .gives::<models::Findings>()
        .told(
            Method::GET,
            "/models/{model}/preview",
            models::preview,
            ("previewModel", "Tells what publishing the draft would do to the matched sets, without doing it."),
        )
        .gives::<Vec<models::Preview>>()
        .told(Method::POST, "/models/{model}/publish", models::publish, ("publishModel", "Publishes the draft."))
        .gives::<models::Published>()
        .told(
            Method::GET,
            "/models/{model}/notices",
            models::notices,
            (
                "listModelNotices",
                "Lists what the published text says without effect, and the names in it that no event bears.",
            ),
        )
        .gives::<Vec<Mistake>>()
        .told(
            Method::GET,
            "/models/{model}/state",
            models::state,
            (
                "showModelState",
                "Tells how a model and its triggers stand: evaluated up to where, what comes next, what is held.",
            ),
        )
        .gives::<models::Standing>()
        .told(
            Method::GET,
            "/models/{model}/versions",
            versions::list,
            ("listModelVersions", "Lists the publications, the latest first."),
        )
        .gives::<Vec<versions::Version>>()
        .told(
            Method::GET,
            "/models/{model}/versions/{version}",
            versions::show,
            ("showModelVersion", "Returns a text: of a version by its number, the `draft`, or what is `published`."),
        )
        .told(
            Method::POST,
            "/models/{model}/versions/{version}/publish",
            versions::roll_back,
            ("rollBackModel", "Publishes the text of an older version again; the draft stays as it is."),
        )
        .gives::<models::Published>()
        .told(
            Method::GET,
            "/models/{model}/versions/{version}/diff/{other}",
            versions::difference,
            ("compareModelVersions", "Compares two texts of a model, object by object and line by line."),
        )
        .gives::<versions::Difference>()
        .told(
            Method::POST,
            "/models/{model}/query",
            models::query,
            ("queryModel", "Answers a question in PQL, with notes about what is strange in it."),
        )
        .takes(JSON)
        .gives::<models::Answer>()
        .told(Method::GET, "/models/{model}/clock", models::clock, ("showModelClock", "Shows the process clock."))
        .gives::<models::Clock>()
        .told(
            Method::POST,
            "/models/{model}/clock",
            models::set_clock,
            (
                "setModelClock",
                "Sets the process clock; every instant up to the new time is evaluated before the answer.",
            ),
        )
        .takes(JSON)
        .gives::<models::Clock>()
        .about("model triggers")
        .told(
            Method::GET,
            "/models/{model}/triggers",
            models::triggers,
            (
                "listModelTriggers",
                "Lists the triggers of the published version: class, cost, cadence, and how much there is.",
            ),
        )
        .gives::<Vec<models::Trigger>>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}",
            models::trigger,
            ("showModelTrigger", "Tells how a trigger stands."),
        )
        .gives::<models::TriggerState>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/matched",
            models::matched,
            ("listMatched", "Lists the record instances that satisfy a trigger now."),
        )
        .gives::<Vec<models::MatchedInstance>>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/held",
            held::list,
            ("listHeld", "Lists the signals that a cap holds back, the next one first."),
        )
        .asks::<held::Asked>()
        .gives::<held::HeldPage>()
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/held/release",
            held::release,
            ("releaseHeld", "Sends signals that a cap holds back, whatever the cap says."),
        )
        .takes(JSON)
        .gives::<held::Settled>()
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/held/drop",
            held::drop,
            ("dropHeld", "Drops signals that a cap holds back; they are never sent."),
        )
        .takes(JSON)
        .gives::<held::Settled>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/shadows",
            held::shadows,
            ("listShadows", "Lists what a trigger in shadow mode would have sent, the last 1,000."),
        )
        .gives::<Vec<held::SignalShown>>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/why/{identifier}",
            backtests::why,
            ("explainTrigger", "Tells why a trigger holds an instance or does not."),
        )
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/backtest",
            backtests::run,
            ("backtestTrigger", "Replays history on a trigger: what would have fired, and was it right?"),
        )
        .takes(JSON)
        .told(Method::GET, "/backtests", backtests::list, ("listBacktests", "Lists the backtests under way."))
        .told(Method::DELETE, "/backtests/{number}", backtests::stop, ("stopBacktest", "Stops a backtest."))
        .gives_nothing()
        .about("exploration")
        .told(
            Method::GET,
            "/models/{model}/map",
            explore::map,
            ("drawMap", "Draws the process map: which activity follows which, how often and how fast."),
        )
        .asks::<explore::MapAsked>()
        .told(
            Method::GET,
            "/models/{model}/variants",
            explore::variants,
            ("listVariants", "Lists the ways that cases take."),
        )
        .asks::<explore::VariantsAsked>()
        .told(Method::GET, "/models/{model}/cases", explore::cases, ("listCases", "Lists cases."))
        .asks::<explore::CasesAsked>()
        .told(
            Method::GET,
            "/models/{model}/cases/{case}",
            explore::case,
            ("showCase", "Shows a case with its events, what triggers know of it, and the signals that they sent."),
        )
        .told(
            Method::GET,
            "/models/{model}/throughput",
            explore::throughput,
            ("countThroughput", "Counts cases by how long they take."),
        )
        .asks::<explore::ThroughputAsked>()
        .told(
            Method::GET,
            "/models/{model}/activities",
            explore::activities,
            ("listActivities", "Tells what there is to say about each activity, rework included."),
        )
        .asks::<explore::ActivitiesAsked>()
        .told(
            Method::POST,
            "/models/{model}/conformance",
            explore::conformance,
            ("compareWithAllowed", "Compares cases with what is allowed; the body says that, in JSON or YAML."),
        )
        .asks::<explore::ConformanceAsked>()
        .takes(YAML)
}

/// Flows, what they connect to, and their runs.
fn automation(surface: Surface) -> Surface {
    surface
        .about("flows")
        .told(
            Method::GET,
            "/connections",
            connections::list,
            ("listConnections", "Lists the connections; no secret is shown."),
        )
        .told(
            Method::PUT,
            "/connections/{name}",
            connections::put,
            ("putConnection", "Stores a connection; replaces one of the same name."),
        )
        .takes(JSON)
        .gives_nothing()
        .told(Method::DELETE, "/connections/{name}", connections::remove, ("removeConnection", "Removes a connection."))
        .gives_nothing()
        .told(Method::GET, "/flows", flows::list, ("listFlows", "Lists the flows."))
        .told(Method::GET, "/flows/{flow}", flows::show, ("showFlow", "Shows a flow with its texts."))
        .told(
            Method::PUT,
            "/flows/{flow}",
            flows::put,
            ("putFlow", "Stores the draft of a flow; the body is its text, YAML or a blueprint."),
        )
        .takes(YAML)
        .told(
            Method::POST,
            "/flows/{flow}/publish",
            flows::publish,
            ("publishFlow", "Makes the draft the version that runs."),
        )
        .told(
            Method::POST,
            "/flows/{flow}/activate",
            flows::activate,
            ("activateFlow", "Switches schedule or hook on."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/flows/{flow}/deactivate",
            flows::deactivate,
            ("deactivateFlow", "Switches schedule or hook off."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/flows/{flow}/run",
            flows::run_once,
            ("runFlow", "Starts one run; the body is its start bundle, an empty one if left out."),
        )
        .takes(JSON)
        .told(
            Method::GET,
            "/flows/{flow}/runs",
            flows::runs,
            ("listFlowRuns", "Lists the latest runs of a flow, newest first."),
        )
        .asks::<flows::Wanted>()
        .told(
            Method::PUT,
            "/flows/{flow}/variables",
            flows::set_variables,
            ("setFlowVariables", "Sets values of the flow's variables."),
        )
        .takes(JSON)
        .gives_nothing()
        .told(Method::GET, "/runs/{run}", flows::run, ("showFlowRun", "Shows a run with its operations."))
        .told(
            Method::POST,
            "/runs/{run}/decide",
            flows::decide,
            ("decideFlowRun", "Takes a person's decision about a run that is in doubt or parked."),
        )
        .takes(JSON)
        .gives_nothing()
        .told(
            Method::GET,
            "/flows/events.csv",
            run_events::of_flows,
            ("exportFlowRuns", "Exports the runs of flows as an event log."),
        )
        .asks::<run_events::Asked>()
        .gives_text(CSV)
        .told(
            Method::GET,
            "/jobs/events.csv",
            run_events::of_jobs,
            ("exportJobRuns", "Exports the runs of jobs as an event log."),
        )
        .asks::<run_events::Asked>()
        .gives_text(CSV)
}

/// Who may do what, who did what, and how the whole is doing.
fn house(surface: Surface) -> Surface {
    surface
        .about("house")
        .told(
            Method::GET,
            "/app-keys",
            app_keys::list,
            ("listAppKeys", "Lists the app keys, the revoked ones included; no secret is shown."),
        )
        .told(
            Method::POST,
            "/app-keys",
            app_keys::create,
            ("createAppKey", "Makes an app key; its secret is shown this once."),
        )
        .takes(JSON)
        .told(Method::DELETE, "/app-keys/{key}", app_keys::revoke, ("revokeAppKey", "Takes an app key back."))
        .gives_nothing()
        .told(
            Method::GET,
            "/permissions",
            permissions::list,
            ("listPermissions", "Lists grants: of a subject, on a pool or package, else the caller's own."),
        )
        .asks::<permissions::Wanted>()
        .told(Method::POST, "/permissions", permissions::grant, ("grantPermission", "Gives an app key a permission."))
        .takes(JSON)
        .told(
            Method::POST,
            "/permissions/revoke",
            permissions::revoke,
            ("revokePermission", "Takes a permission back."),
        )
        .takes(JSON)
        .gives_nothing()
        .told(Method::GET, "/audit", audit::list, ("listAudit", "Lists entries of an audit trail, the latest first."))
        .asks::<audit::Wanted>()
        .told(Method::GET, "/status", status::status, ("showStatus", "Tells how much has gone round the loop."))
        .told(Method::GET, "/me", status::me, ("showMe", "Tells who is signed in."))
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
