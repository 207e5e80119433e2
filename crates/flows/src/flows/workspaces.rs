//! The verbs about workspaces: the jobs that are there to be picked, and the
//! record of calls.

use base::Actor;

use super::{Behind, Flows};
use crate::databricks::act::{Act, Errand, Next};
use crate::databricks::{CallInfo, JobChoice};
use crate::error::Error;
use crate::modules::ModuleError;
use crate::tables;
use crate::work::databricks::{Caller, Heard};

/// Jobs that are told at once.
const JOBS_MAX: usize = 1_000;
/// Calls that are told at once.
const CALLS_MAX: u32 = 1_000;

impl Flows {
    /// Lists the jobs of a connection's workspace, for whoever picks one; only
    /// those of a name if there is one.
    pub async fn jobs_of_connection(
        &self,
        actor: &Actor,
        connection: &str,
        name: Option<&str>,
    ) -> Result<Vec<JobChoice>, Error> {
        let info = self.connection(connection).await?;
        let failed = |error: &ModuleError| Error::Workspace { name: info.name.clone(), detail: error.message.clone() };
        let behind = Behind::Person(actor);
        let unsealed = self.unseal(&info.name, &behind).await.map_err(|error| failed(&error))?;
        let act = Act::List { name: name.map(str::to_owned), limit: JOBS_MAX };
        let errand = Errand { connection: info.name.clone(), module: "databricks:ListJobs", act };
        let caller = Caller { behind, run: None, operation: errand.module };
        let mut known = crate::databricks::act::Known::default();
        loop {
            let now = self.clock.now();
            let ask = match errand.next(&known, "", now) {
                Next::Ask(ask) => ask,
                Next::Done(result) => {
                    let jobs = result.map_err(|error| failed(&error))?;
                    return Ok(jobs.iter().map(|job| choice(&job.to_json())).collect());
                }
                Next::Keep | Next::Watch(_) => unreachable!("a list is a row of questions"),
            };
            match self.ask_workspace(&unsealed, &ask, None, &caller).await {
                Heard::Answer(response) => {
                    let answer = crate::databricks::act::Answer { body: &response.body, model: None };
                    errand.take(&mut known, &ask, &answer, now).map_err(|error| failed(&error))?;
                }
                Heard::Later { error, .. } | Heard::Refused { error, .. } | Heard::Unasked(error) => {
                    return Err(failed(&error));
                }
            }
        }
    }

    /// Returns the calls that were made with a connection, the newest first,
    /// before an id if there is one.
    pub async fn calls_of_connection(
        &self,
        connection: &str,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<CallInfo>, Error> {
        let (connection, before) = (connection.to_owned(), before.map(str::to_owned));
        let limit = limit.clamp(1, CALLS_MAX);
        let read =
            move |tx: &mut dyn base::db::Tx| tables::calls_to_workspace(tx, &connection, before.as_deref(), limit);
        Ok(self.db.read("flows.databricks_calls", read).await?)
    }

    /// Forgets the calls that are older than they are kept.
    pub(crate) async fn forget_old_calls(&self) -> Result<u64, Error> {
        let before = self.clock.now().minus(self.options.databricks.calls_kept);
        let forget = move |tx: &mut dyn base::db::Tx| tables::forget_calls_to_workspace(tx, before);
        Ok(self.db.write("flows.forget_databricks_calls", forget).await?)
    }
}

fn choice(job: &serde_json::Value) -> JobChoice {
    let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
    JobChoice {
        job_id: crate::databricks::id_of(&job["job_id"]).map(|id| id.to_string()).unwrap_or_default(),
        name: text("name"),
        creator: Some(text("creator_user_name")).filter(|creator| !creator.is_empty()),
    }
}
