//! The second listener: a Databricks workspace, as its clients know it.
//!
//! Versions 2.0, 2.1 and 2.2 of the Jobs API have the same bodies; they differ
//! in defaults, so each route knows over which one it was reached. Numbers are
//! 64-bit integers from end to end: nothing passes through a double.

mod problem;
mod caller;
mod number;
mod jobs;
mod runs;
mod run_view;
mod files;
mod secrets;
mod identity;
mod pages;
mod statements;
mod warehouses;
mod volumes;
mod dbfs;
mod serving;
mod catalog;
mod queries;
mod table;
mod tokens;
mod oauth;
mod scim;
mod people;
mod permissions;
mod destinations;
mod addresses;
mod repairs;
mod within;
mod faults;
mod limits;
mod ways;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post, put};
use workspace::ApiVersion;

use crate::app::App;
use crate::fault::{self, Voice};
use crate::{body, health};

use table::Table;

pub use faults::Faults;
pub use limits::WorkspaceLimits;
pub use ways::WorkspaceWays;

/// Bytes of a request at most; the real one says the same.
const REQUEST_BYTES_MAX: usize = 10 << 20;

/// Returns the routes of the workspace listener.
pub(crate) fn routes(app: &App) -> Router<App> {
    // Whoever has no token learns nothing, not even which paths there are.
    let behind_sign_in = behind_sign_in()
        .router()
        .fallback(problem::no_endpoint)
        .method_not_allowed_fallback(problem::no_endpoint)
        .layer(from_fn_with_state(app.clone(), ways::as_before))
        .layer(from_fn_with_state(limits::Meter::new(app.workspace_ways.limits, app.clock.clone()), limits::pass))
        .layer(from_fn_with_state(app.clone(), caller::sign_in));
    open_to_all()
        .router()
        .merge(behind_sign_in)
        .layer(body::at_most(REQUEST_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), faults::strike))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

/// Returns the routes that need no token.
pub(crate) fn open_to_all() -> Table {
    Table::new()
        .merge(pages::routes())
        .merge(oauth::routes())
        .route("/.well-known/databricks-config", get(identity::discovery))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/api/2.0/sql/results", get(statements::open_link))
}

/// Returns the routes that need a token.
pub(crate) fn behind_sign_in() -> Table {
    let mut behind_sign_in = Table::new()
        .route("/api/2.0/workspace/import", post(files::import))
        .route("/api/2.0/workspace/export", get(files::export))
        .route("/api/2.0/workspace/list", get(files::list))
        .route("/api/2.0/workspace/get-status", get(files::get_status))
        .route("/api/2.0/workspace/mkdirs", post(files::mkdirs))
        .route("/api/2.0/workspace/delete", post(files::delete))
        .route("/api/2.0/workspace-files/import-file/{*path}", post(files::import_file))
        .route("/api/2.0/secrets/scopes/create", post(secrets::create_scope))
        .route("/api/2.0/secrets/scopes/list", get(secrets::list_scopes))
        .route("/api/2.0/secrets/scopes/delete", post(secrets::delete_scope))
        .route("/api/2.0/secrets/put", post(secrets::put))
        .route("/api/2.0/secrets/list", get(secrets::list))
        .route("/api/2.0/secrets/delete", post(secrets::delete))
        .route("/api/2.0/secrets/get", get(secrets::get))
        .route("/api/2.0/secrets/acls/put", post(secrets::put_acl))
        .route("/api/2.0/secrets/acls/get", get(secrets::get_acl))
        .route("/api/2.0/secrets/acls/list", get(secrets::list_acls))
        .route("/api/2.0/secrets/acls/delete", post(secrets::delete_acl))
        .route("/api/2.0/preview/scim/v2/Me", get(identity::me));
    for (path, version) in
        [("/api/2.0/jobs", ApiVersion::V2_0), ("/api/2.1/jobs", ApiVersion::V2_1), ("/api/2.2/jobs", ApiVersion::V2_2)]
    {
        behind_sign_in = behind_sign_in.nest(path, of_jobs().knowing(version));
    }
    behind_sign_in
        .merge(of_sql())
        .merge(of_files())
        .merge(of_serving())
        .merge(of_catalog())
        .merge(pages::behind_sign_in())
        .merge(tokens::routes())
        .merge(scim::routes())
        .merge(scim::secrets())
        .merge(permissions::routes())
        .merge(destinations::routes())
        .merge(addresses::routes())
        .merge(faults::routes())
}

fn of_sql() -> Table {
    let execute = || post(statements::execute).layer(body::at_most(statements::REQUEST_BYTES_MAX));
    Table::new()
        .route("/api/2.0/sql/statements", execute())
        // Older clients write it so.
        .route("/api/2.0/sql/statements/", execute())
        .route("/api/2.0/sql/statements/{id}", get(statements::get).delete(statements::close))
        .route("/api/2.0/sql/statements/{id}/result/chunks/{chunk}", get(statements::chunk))
        .route("/api/2.0/sql/statements/{id}/cancel", post(statements::cancel))
        .route("/api/2.0/sql/history/queries", get(statements::history))
        .route("/api/2.0/sql/warehouses", get(warehouses::list).post(warehouses::create))
        .route("/api/2.0/sql/warehouses/{id}", get(warehouses::get).delete(warehouses::delete))
        .route("/api/2.0/sql/warehouses/{id}/edit", post(warehouses::edit))
        .route("/api/2.0/sql/warehouses/{id}/start", post(warehouses::start))
        .route("/api/2.0/sql/warehouses/{id}/stop", post(warehouses::stop))
}

fn of_files() -> Table {
    let file = get(volumes::get_file).put(volumes::put_file).delete(volumes::delete_file);
    let folder =
        get(volumes::list_folder).head(volumes::head_folder).put(volumes::put_folder).delete(volumes::delete_folder);
    Table::new()
        .route("/api/2.0/fs/files/{*path}", file)
        .route("/api/2.0/fs/directories/{*path}", folder)
        .route("/api/2.0/dbfs/put", post(dbfs::put))
        .route("/api/2.0/dbfs/create", post(dbfs::create))
        .route("/api/2.0/dbfs/add-block", post(dbfs::add_block))
        .route("/api/2.0/dbfs/close", post(dbfs::close))
        .route("/api/2.0/dbfs/read", get(dbfs::read))
        .route("/api/2.0/dbfs/list", get(dbfs::list))
        .route("/api/2.0/dbfs/get-status", get(dbfs::get_status))
        .route("/api/2.0/dbfs/mkdirs", post(dbfs::mkdirs))
        .route("/api/2.0/dbfs/move", post(dbfs::rename))
        .route("/api/2.0/dbfs/delete", post(dbfs::delete))
}

fn of_serving() -> Table {
    let at_most = || body::at_most(serving::CALL_BYTES_MAX);
    Table::new()
        .route("/api/2.0/serving-endpoints", get(serving::list).post(serving::create))
        .route("/api/2.0/serving-endpoints/{name}", get(serving::get).delete(serving::delete))
        .route("/api/2.0/serving-endpoints/{name}/config", put(serving::deploy))
        .route("/api/2.0/serving-endpoints/{name}/served-models/{entity}/logs", get(serving::logs))
        .route("/serving-endpoints/{name}/invocations", post(serving::invoke).layer(at_most()))
        .route("/serving-endpoints/chat/completions", post(serving::chat).layer(at_most()))
}

fn of_catalog() -> Table {
    Table::new()
        .route("/api/2.1/unity-catalog/catalogs", get(catalog::catalogs))
        .route("/api/2.1/unity-catalog/catalogs/{name}", get(catalog::catalog))
        .route("/api/2.1/unity-catalog/schemas", get(catalog::schemas))
        .route("/api/2.1/unity-catalog/schemas/{name}", get(catalog::schema))
        .route("/api/2.1/unity-catalog/tables", get(catalog::tables))
        .route("/api/2.1/unity-catalog/tables/{name}", get(catalog::table))
        .route("/api/2.1/unity-catalog/tables/{name}/exists", get(catalog::table_exists))
        .route("/api/2.1/unity-catalog/volumes", get(catalog::volumes).post(catalog::create_volume))
        .route("/api/2.1/unity-catalog/volumes/{name}", get(catalog::volume).delete(catalog::delete_volume))
        .route("/api/2.1/unity-catalog/current-metastore-assignment", get(catalog::metastore))
        .route("/api/2.1/unity-catalog/{*rest}", any(catalog::not_there))
        .route("/api/2.0/sql/queries", get(queries::list).post(queries::create))
        .route("/api/2.0/sql/queries/{id}", get(queries::get).patch(queries::update).delete(queries::delete))
        .route("/api/2.0/sql/sessions", any(queries::no_sessions))
        .route("/api/2.0/sql/sessions/{id}", any(queries::no_sessions))
}

fn of_jobs() -> Table {
    Table::new()
        .route("/create", post(jobs::create))
        .route("/get", get(jobs::get))
        .route("/list", get(jobs::list))
        .route("/update", post(jobs::update))
        .route("/reset", post(jobs::reset))
        .route("/delete", post(jobs::delete))
        .route("/run-now", post(runs::run_now))
        .route("/runs/submit", post(runs::submit))
        .route("/runs/get", get(runs::get))
        .route("/runs/get-output", get(runs::get_output))
        .route("/runs/list", get(runs::list))
        .route("/runs/cancel", post(runs::cancel))
        .route("/runs/delete", post(runs::delete))
        .route("/runs/repair", post(repairs::repair))
        .route("/runs/cancel-all", post(repairs::cancel_all))
        .route("/runs/export", get(repairs::export))
}
