//! Pools and what is in them: rows, jobs, sources, data models.

use http::Method;

use crate::own::{AnyObject, data_jobs, data_models, import_shown, imports, memory, pools, push_jobs, sources, sql};
use crate::surface::Surface;

/// Adds its operations.
pub(in crate::own) fn routes(surface: Surface) -> Surface {
    surface
        .about("pools")
        .told(Method::GET, "/pools", pools::list, ("listPools", "Lists the pools that the caller may use."))
        .gives_list::<pools::PoolShown>()
        .told(Method::POST, "/pools", pools::create, ("createPool", "Makes a pool."))
        .takes_form::<pools::NewPool>()
        .gives::<pools::PoolShown>()
        .told(Method::GET, "/pools/{pool}", pools::show, ("showPool", "Shows a pool, by id or name."))
        .gives::<pools::PoolShown>()
        .told(Method::GET, "/pools/{pool}/tables", pools::tables, ("listTables", "Lists the tables of a pool."))
        .gives_list::<pools::Table>()
        .told(
            Method::GET,
            "/pools/{pool}/tables/{table}",
            pools::table,
            ("showTable", "Shows a table or a view with some of its rows."),
        )
        .gives::<pools::TableWithRows>()
        .told(
            Method::POST,
            "/pools/{pool}/tables/{table}/flush",
            pools::flush,
            ("flushTable", "Brings a table to rest and tells the version that holds it."),
        )
        .gives::<pools::Flushed>()
        .told(
            Method::GET,
            "/pools/{pool}/push-jobs",
            push_jobs::list,
            ("listPushJobs", "Lists the newest push jobs of a pool."),
        )
        .gives_list::<push_jobs::JobShown>()
        .told(Method::GET, "/pools/{pool}/push-jobs/{job}", push_jobs::show, ("showPushJob", "Shows a push job."))
        .gives::<push_jobs::DetailsShown>()
        .told(
            Method::POST,
            "/pools/{pool}/push-jobs/{job}/reload",
            push_jobs::reload,
            ("reloadPushJob", "Loads a push job again under other options."),
        )
        .takes_form::<AnyObject>()
        .gives::<push_jobs::JobShown>()
        .about("imports")
        .told(
            Method::GET,
            "/pools/{pool}/imports/{import}",
            imports::show,
            ("showImport", "Shows an import, and how far it has come."),
        )
        .gives::<import_shown::Shown>()
        .told(
            Method::PUT,
            "/pools/{pool}/imports/{import}",
            imports::choose,
            ("chooseForImport", "Says something else about an import than was guessed."),
        )
        .takes_form::<imports::Options>()
        .gives::<import_shown::Shown>()
        .told(Method::DELETE, "/pools/{pool}/imports/{import}", imports::remove, ("removeImport", "Forgets an import."))
        .gives_nothing()
        .told(
            Method::POST,
            "/pools/{pool}/imports/{import}/commit",
            imports::commit,
            ("commitImport", "Sends the rows of an import on their way."),
        )
        .gives::<import_shown::Progress>()
        .about("sql")
        .told(
            Method::GET,
            "/pools/{pool}/sql",
            sql::running,
            ("listStatements", "Lists the statements of a pool that are under way."),
        )
        .gives_list::<sql::Running>()
        .told(Method::POST, "/pools/{pool}/sql", sql::ask, ("askSql", "Answers a question in SQL."))
        .takes_form::<sql::Question>()
        .gives::<sql::Answer>()
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
        .gives_list::<data_jobs::Shown>()
        .told(
            Method::POST,
            "/pools/{pool}/data-jobs",
            data_jobs::create,
            ("createDataJob", "Makes a data job, or puts the one of this name anew."),
        )
        .takes_form::<data_jobs::DataJobText>()
        .gives::<data_jobs::Shown>()
        .told(Method::GET, "/pools/{pool}/data-jobs/{job}", data_jobs::show, ("showDataJob", "Shows a data job."))
        .gives::<data_jobs::Shown>()
        .told(
            Method::PUT,
            "/pools/{pool}/data-jobs/{job}",
            data_jobs::put,
            ("putDataJob", "Puts what a data job does anew, or makes one of this name."),
        )
        .takes_form::<data_jobs::DataJobText>()
        .gives::<data_jobs::Shown>()
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
        .gives::<data_jobs::RunShown>()
        .told(
            Method::GET,
            "/pools/{pool}/data-jobs/{job}/runs",
            data_jobs::runs,
            ("listDataJobRuns", "Lists the runs of a data job, the newest first."),
        )
        .gives_list::<data_jobs::RunShown>()
        .told(
            Method::GET,
            "/pools/{pool}/data-jobs/{job}/runs/{run}",
            data_jobs::show_run,
            ("showDataJobRun", "Shows a run of a data job with its statements."),
        )
        .gives::<data_jobs::RunWithStatements>()
        .told(
            Method::DELETE,
            "/pools/{pool}/data-jobs/{job}/runs/{run}",
            data_jobs::cancel_run,
            ("cancelDataJobRun", "Cancels a run of a data job."),
        )
        .gives::<data_jobs::RunShown>()
        .about("data models")
        .told(
            Method::GET,
            "/pools/{pool}/data-models",
            data_models::list,
            ("listDataModels", "Lists the data models of a pool."),
        )
        .gives_list::<data_models::DataModelShown>()
        .told(
            Method::POST,
            "/pools/{pool}/data-models/guess",
            data_models::guess,
            ("guessDataModel", "Guesses a data model from the tables there are, and says why."),
        )
        .takes_form::<data_models::GuessFrom>()
        .gives::<data_models::Advice>()
        .told(
            Method::GET,
            "/pools/{pool}/data-models/{key}/memory",
            memory::show,
            ("showDataModelInMemory", "Tells how a data model stands in memory, and what it takes."),
        )
        .gives::<memory::InMemory>()
        .told(
            Method::GET,
            "/pools/{pool}/data-models/{key}",
            data_models::show,
            ("showDataModel", "Shows a data model."),
        )
        .gives::<data_models::DataModelShown>()
        .told(
            Method::PUT,
            "/pools/{pool}/data-models/{key}",
            data_models::put,
            ("putDataModel", "Makes a data model, or replaces it by a new version."),
        )
        .takes_form::<data_models::NewDataModel>()
        .gives::<data_models::DataModelShown>()
        .about("sources")
        .told(Method::GET, "/pools/{pool}/sources", sources::list, ("listSources", "Lists the sources of a pool."))
        .gives_list::<sources::SourceShown>()
        .told(Method::GET, "/pools/{pool}/sources/{key}", sources::show, ("showSource", "Shows a source."))
        .gives::<sources::SourceShown>()
        .told(Method::PUT, "/pools/{pool}/sources/{key}", sources::put, ("putSource", "Makes a source, or changes it."))
        .takes_form::<sources::NewSource>()
        .gives::<sources::SourceShown>()
        .told(
            Method::DELETE,
            "/pools/{pool}/sources/{key}",
            sources::remove,
            ("removeSource", "Removes a source; the rows that it brought stay."),
        )
        .gives_nothing()
        .told(Method::POST, "/pools/{pool}/sources/{key}/run", sources::run, ("runSource", "Lets a source look now."))
        .gives::<sources::SourceShown>()
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/pause",
            sources::pause,
            ("pauseSource", "Lets a source look only when asked."),
        )
        .gives::<sources::SourceShown>()
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/resume",
            sources::resume,
            ("resumeSource", "Lets a source look by itself again."),
        )
        .gives::<sources::SourceShown>()
        .told(
            Method::GET,
            "/pools/{pool}/sources/{key}/runs",
            sources::runs,
            ("listSourceRuns", "Lists what a source brought and failed to bring."),
        )
        .gives_list::<sources::RunShown>()
        .told(
            Method::POST,
            "/pools/{pool}/sources/{key}/test",
            sources::test,
            ("testSource", "Tries a source, one that is there or one that is only written down."),
        )
        .takes_form::<sources::NewSource>()
        .gives::<sources::SampleShown>()
}
