//! Pools and what is in them: rows, jobs, sources, data models.

use http::Method;

use crate::own::{JSON, data_jobs, data_models, imports, memory, pools, push_jobs, sources, sql};
use crate::surface::Surface;

/// Adds its operations.
pub(in crate::own) fn routes(surface: Surface) -> Surface {
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
