//! Runs of workspaces that end, and start flows.
//!
//! For each active flow that starts like this the workspace is asked which runs
//! are open and which have ended lately. A run that is seen open is written
//! down, so that its end is found however long it takes; one that began and
//! ended between two looks stands among those that have ended lately. A call of
//! the workspace at the flow's own address only writes a run down as one to be
//! looked at. Before an end counts the run itself is asked for. The item that
//! starts the flow bears the run and its repair as its key, so it is stored
//! once, and only then the end is written down as known.

use std::collections::HashSet;
use std::time::Duration;

use base::error::chain;
use base::{Causes, Timestamp};
use serde_json::Value as Json;

use super::databricks::{Caller, Heard};
use crate::connection::Unsealed;
use crate::databricks::act::{Act, Answer, Ask, Errand, Known, Next, What};
use crate::databricks::ended::Wanted;
use crate::databricks::{id_of, pace, run, text_of};
use crate::error::Error;
use crate::flows::{Behind, Flows, hook_of};
use crate::program::{Program, Start};
use crate::tables::{self, FlowRow};

/// Time between two looks of a flow.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// The same at our own workspace.
const LOOK_EVERY_AT_HOME: Duration = Duration::from_secs(5);
/// So far back those are looked at again that have ended: lists are late, and
/// a short run can be repaired between two looks.
const OVERLAP: Duration = Duration::from_hours(1);
/// Pages of those that have ended, in one look.
const PAGES_MAX: usize = 200;
/// What the record of calls says of looks.
const LOOKING: &str = "databricks:RunEnded";

impl Flows {
    /// Looks for ends of runs that start flows, where that is due; returns when
    /// it is due again.
    pub(super) async fn look_for_ended_runs(&self) -> Result<Option<Timestamp>, Error> {
        let flows = self.db.read("flows.list", tables::flows).await?;
        let mut next = None;
        let mut listening = Vec::new();
        for flow in flows.into_iter().filter(FlowRow::takes_items) {
            let Some(program) = self.published(&flow).await? else { continue };
            let Start::RunEnded { wanted, .. } = &program.start else { continue };
            listening.push(flow.key.clone());
            let at = match self.look_for(&flow, &program, wanted).await {
                Ok(at) => at,
                // The hook is full, or the database busy: nothing is lost.
                Err(error) => {
                    tracing::warn!(flow.key, error = %chain(&error), "ends of runs cannot start a flow yet");
                    self.clock.now().plus(super::DATABASE_RETRY)
                }
            };
            next = [next, Some(at)].into_iter().flatten().min();
        }
        let known = self.db.read("flows.databricks_starts", tables::listening_flows).await?;
        for flow in known.into_iter().filter(|flow| !listening.contains(flow)) {
            // Whoever is switched on again begins anew.
            self.db.write("flows.databricks_unlisten", move |tx| tables::forget_listening(tx, &flow)).await?;
        }
        Ok(next)
    }

    async fn look_for(&self, flow: &FlowRow, program: &Program, wanted: &Wanted) -> Result<Timestamp, Error> {
        let now = self.clock.now();
        let (key, connection) = (flow.key.clone(), wanted.connection.clone());
        let listening =
            self.db.write("flows.databricks_listen", move |tx| tables::listen(tx, &key, &connection, now)).await?;
        if listening.look_at > now && !listening.has_hints {
            return Ok(listening.look_at);
        }
        let behind = Behind::Flow { flow: &flow.key, version: &program.hash };
        let caller = Caller { behind, run: None, operation: LOOKING };
        let again = |every: Duration| self.clock.now().plus(every);
        let unsealed = match self.unseal(&wanted.connection, &behind).await {
            Ok(unsealed) => unsealed,
            Err(error) => {
                tracing::warn!(flow.key, %error, "a workspace cannot be looked at");
                return self.look_next(flow, again(LOOK_EVERY), None).await;
            }
        };
        let every = if self.is_home(&unsealed) { LOOK_EVERY_AT_HOME } else { LOOK_EVERY };
        let is_due = listening.look_at <= now;
        let mut candidates: HashSet<i64> = HashSet::new();
        let key = flow.key.clone();
        let open = self.db.read("flows.databricks_open_runs", move |tx| tables::open_runs(tx, &key)).await?;
        let mut active = HashSet::new();
        if is_due {
            let Some(runs) = self.runs_listed(&unsealed, &caller, wanted, "active_only=true", None).await else {
                return self.look_next(flow, again(every), None).await;
            };
            active.extend(runs.iter().filter_map(|run| id_of(&run["run_id"])));
            let from = listening.since.max(listening.looked_at.minus(OVERLAP));
            let Some(ended) = self.runs_listed(&unsealed, &caller, wanted, "completed_only=true", Some(from)).await
            else {
                return self.look_next(flow, again(every), None).await;
            };
            let key = flow.key.clone();
            let seen = self.db.read("flows.databricks_ended", move |tx| tables::ended_runs(tx, &key)).await?;
            let is_news = |run: &&Json| {
                let at = run["end_time"].as_i64().unwrap_or(0);
                id_of(&run["run_id"]).is_some_and(|id| seen.get(&id).is_none_or(|known| *known != at))
            };
            candidates.extend(ended.iter().filter(is_news).filter_map(|run| id_of(&run["run_id"])));
            let (key, fresh) = (flow.key.clone(), active.clone());
            self.db.write("flows.databricks_open_runs", move |tx| tables::add_open_runs(tx, &key, &fresh)).await?;
            self.tell_of_long_runs(flow, program, wanted, &runs, &open).await?;
        }
        candidates.extend(open.keys().filter(|id| !active.contains(id)));
        for id in candidates {
            self.confirm(flow, program, wanted, &unsealed, &caller, id, listening.since).await?;
        }
        // A hint alone is no look at everything.
        let at = if is_due { again(every) } else { listening.look_at };
        self.look_next(flow, at, is_due.then_some(now)).await
    }

    async fn look_next(&self, flow: &FlowRow, at: Timestamp, looked_at: Option<Timestamp>) -> Result<Timestamp, Error> {
        let key = flow.key.clone();
        self.db
            .write("flows.databricks_look_next", move |tx| tables::look_for_ends_at(tx, &key, at, looked_at))
            .await?;
        Ok(at)
    }

    /// Lists runs, the latest first, back to those that began before a time;
    /// nothing if the workspace cannot be asked now.
    async fn runs_listed(
        &self,
        unsealed: &Unsealed,
        caller: &Caller<'_>,
        wanted: &Wanted,
        which: &str,
        from: Option<Timestamp>,
    ) -> Option<Vec<Json>> {
        let mut runs: Vec<Json> = Vec::new();
        let mut page = String::new();
        for _ in 0..PAGES_MAX {
            let mut path = format!("/api/2.2/jobs/runs/list?{which}&limit={}", pace::PAGE);
            if let Some(job) = wanted.job {
                path.push_str(&format!("&job_id={job}"));
            }
            if !page.is_empty() {
                path.push_str(&format!("&page_token={}", crate::modules::http::path_part(&page)));
            }
            self.pass_bucket(unsealed).await;
            let response = match self.ask_workspace(unsealed, &Ask::get(What::Look, path), None, caller).await {
                Heard::Answer(response) => response,
                Heard::Later { error, .. } | Heard::Refused { error, .. } | Heard::Unasked(error) => {
                    tracing::warn!(connection = unsealed.name(), %error, "the runs of a workspace cannot be listed");
                    return None;
                }
            };
            let answer: Json = serde_json::from_slice(&response.body).ok()?;
            runs.extend(answer["runs"].as_array().cloned().unwrap_or_default());
            text_of(&answer, "next_page_token").clone_into(&mut page);
            let began = |run: &Json| run["start_time"].as_i64().map(Timestamp::from_millis);
            let is_back = from.is_some_and(|from| runs.last().and_then(began).is_some_and(|at| at < from));
            if page.is_empty() || is_back {
                break;
            }
        }
        Some(runs)
    }

    /// Asks for a run that may have ended, and starts the flow if it has.
    #[expect(clippy::too_many_arguments, reason = "they are the parts of one look")]
    async fn confirm(
        &self,
        flow: &FlowRow,
        program: &Program,
        wanted: &Wanted,
        unsealed: &Unsealed,
        caller: &Caller<'_>,
        id: i64,
        since: Timestamp,
    ) -> Result<(), Error> {
        let act = Act::Get { run: id, outputs: wanted.outputs };
        let errand = Errand { connection: wanted.connection.clone(), module: LOOKING, act };
        let mut known = Known::default();
        let bundle = loop {
            let ask = match errand.next(&known, "", self.clock.now()) {
                Next::Ask(ask) => ask,
                Next::Done(Ok(bundles)) => break bundles.into_iter().next(),
                Next::Done(Err(_)) | Next::Keep | Next::Watch(_) => break None,
            };
            self.pass_bucket(unsealed).await;
            match self.ask_workspace(unsealed, &ask, None, caller).await {
                Heard::Answer(response) => {
                    let answer = Answer { body: &response.body, model: None };
                    if let Err(error) = errand.take(&mut known, &ask, &answer, self.clock.now()) {
                        tracing::warn!(connection = unsealed.name(), run = id, %error, "the end of a run is not clear");
                        return Ok(());
                    }
                    let Some(seen) = &known.ended else { continue };
                    if !run::is_over(seen) || !wanted.is_of_job(seen) {
                        let (key, is_foreign) = (flow.key.clone(), !wanted.is_of_job(seen));
                        let forget = move |tx: &mut dyn base::db::Tx| match is_foreign {
                            true => tables::close_run(tx, &key, id),
                            false => Ok(()),
                        };
                        return Ok(self.db.write("flows.databricks_not_ended", forget).await?);
                    }
                }
                Heard::Refused { error, refusal }
                    if !errand.overlooks(&mut known, &ask, refusal.status, &error.message) =>
                {
                    // There is no such run, or we may not see it: then it is nobody's hint.
                    let key = flow.key.clone();
                    let forget = move |tx: &mut dyn base::db::Tx| tables::close_run(tx, &key, id);
                    return Ok(self.db.write("flows.databricks_unseen", forget).await?);
                }
                Heard::Refused { .. } => {}
                Heard::Later { error, .. } | Heard::Unasked(error) => {
                    tracing::warn!(connection = unsealed.name(), run = id, %error, "a run cannot be looked at yet");
                    return Ok(());
                }
            }
        };
        let (Some(bundle), Some(seen)) = (bundle, known.ended.as_ref()) else { return Ok(()) };
        let ended_at = seen["end_time"].as_i64().unwrap_or(0);
        let is_new = ended_at >= since.as_millis();
        if is_new && wanted.takes(seen) {
            let mut payload = bundle.to_json();
            payload["event"] = "ended".into();
            // A run that is repaired ends again, and only once each time.
            let item = format!("run:{id}:{}", run::repair_of(seen));
            self.bring_end(flow, program, &item, payload).await?;
        }
        let (key, now) = (flow.key.clone(), self.clock.now());
        self.db.write("flows.databricks_end_seen", move |tx| tables::see_end(tx, &key, id, ended_at, now)).await?;
        Ok(())
    }

    /// Starts the flow for runs that take too long, once each.
    async fn tell_of_long_runs(
        &self,
        flow: &FlowRow,
        program: &Program,
        wanted: &Wanted,
        runs: &[Json],
        told: &std::collections::HashMap<i64, bool>,
    ) -> Result<(), Error> {
        let Some(exceeds) = wanted.exceeds else { return Ok(()) };
        let now = self.clock.now();
        for one in runs {
            let Some(id) = id_of(&one["run_id"]) else { continue };
            let began = one["start_time"].as_i64().filter(|at| *at > 0).map(Timestamp::from_millis);
            let is_long = began.is_some_and(|at| now.since(at) > exceeds);
            if !is_long || told.get(&id).copied().unwrap_or(false) {
                continue;
            }
            let mut payload = run::bundle(one, &std::collections::HashMap::new());
            payload["event"] = "exceeded".into();
            self.bring_end(flow, program, &format!("long:{id}"), payload).await?;
            let key = flow.key.clone();
            self.db.write("flows.databricks_long", move |tx| tables::tell_long(tx, &key, id)).await?;
        }
        Ok(())
    }

    async fn bring_end(&self, flow: &FlowRow, program: &Program, item: &str, payload: Json) -> Result<(), Error> {
        let Some(hook) = hook_of(&flow.key, program) else { return Ok(()) };
        self.accept_keyed(&hook, item, true, payload, Causes::default()).await?;
        Ok(())
    }

    /// Takes a call of a workspace about a run as a hint that it may have ended.
    pub(crate) async fn take_hint(&self, flow: &str, told: &Json) -> Result<(), Error> {
        let id = [&told["run"]["run_id"], &told["run"]["parent_run_id"], &told["run_id"]];
        // Of a task's run its parent is meant.
        let parent = id_of(id[1]);
        let Some(id) = parent.or_else(|| id_of(id[0])).or_else(|| id_of(id[2])) else { return Ok(()) };
        let key = flow.to_owned();
        self.db.write("flows.databricks_hint", move |tx| tables::add_hint(tx, &key, id)).await?;
        self.watch_nudge.notify_one();
        Ok(())
    }
}
