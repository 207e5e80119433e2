//! Looking at what is under way in workspaces, for all runs together.
//!
//! A run that waits for a job is a row. Here somebody looks at the rows that
//! are due: a few are asked for one by one, and where many are open on one
//! connection, the workspace is asked for the list of its open runs, and only
//! for those that are not on it any more. So a thousand open runs cost some
//! forty calls a minute. What has ended is written down, which wakes the run.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::error::chain;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::databricks::{Caller, Heard};
use crate::connection::Unsealed;
use crate::connection::built_in::BuiltIn;
use crate::databricks::act::{Ask, Kind, What};
use crate::databricks::{id_of, pace, text_of};
use crate::error::Error;
use crate::flows::{Behind, Flows};
use crate::tables::{self, Conversation, Open};

/// Nothing is looked at more often than this.
const SHORTEST: Duration = Duration::from_millis(50);
/// Longest time without a look at the rows.
const LONGEST: Duration = Duration::from_mins(1);
/// Runs that are asked for one by one in one round of a connection.
const AT_ONCE: usize = 100;
/// What the record of calls says of looks.
const LOOKING: &str = "databricks:Wait";

/// What is looked at together: a connection, and at our own workspace an author.
type Group = (String, String, String);

/// Looks that are under way, at most one of each kind.
#[derive(Default)]
struct Looks {
    under_way: JoinSet<Looked>,
    groups: HashSet<Group>,
    ends_are_looked_for: bool,
    /// When ends that start flows are to be looked for; nothing while somebody
    /// does, unless it is asked for again.
    ends_at: Option<Timestamp>,
}

/// A look that is through.
enum Looked {
    Group(Group),
    Ends(Timestamp),
}

impl Looks {
    fn through(&mut self, looked: Result<Looked, JoinError>, now: Timestamp) {
        match looked {
            Ok(Looked::Group(group)) => _ = self.groups.remove(&group),
            Ok(Looked::Ends(next)) => {
                self.ends_are_looked_for = false;
                // Somebody may have asked for it meanwhile.
                self.ends_at = Some(self.ends_at.map_or(next, |asked| asked.min(next)));
            }
            Err(error) => {
                tracing::error!(%error, "a look at a workspace broke off");
                self.groups.clear();
                self.ends_are_looked_for = false;
                self.ends_at = Some(now.plus(LONGEST));
            }
        }
    }
}

impl Flows {
    /// Looks at what is under way in workspaces until told to stop. One that
    /// does not answer holds up nobody who waits for another.
    pub async fn watch_workspaces(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = Looks { ends_at: Some(self.clock.now()), ..Looks::default() };
        loop {
            let next = match self.begin_looks(&mut looks).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "what runs in workspaces cannot be looked at yet");
                    Some(self.clock.now().plus(super::DATABASE_RETRY))
                }
            };
            let wait = next.map_or(LONGEST, |at| at.since(self.clock.now()).clamp(SHORTEST, LONGEST));
            tokio::select! {
                () = stop.cancelled() => return,
                Some(looked) = looks.under_way.join_next() => looks.through(looked, self.clock.now()),
                () = self.watch_nudge.notified() => looks.ends_at = Some(self.clock.now()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Begins the looks that are due and not under way; returns when more will be.
    async fn begin_looks(self: &Arc<Self>, looks: &mut Looks) -> Result<Option<Timestamp>, Error> {
        let (groups, now) = (self.open_groups().await?, self.clock.now());
        let mut next = None;
        let mut later = |at: Timestamp| next = [next, Some(at)].into_iter().flatten().min();
        for (group, open) in groups {
            if looks.groups.contains(&group) {
                continue;
            }
            match open.iter().map(|one| one.look_at).min() {
                Some(at) if at > now => later(at),
                _ => {
                    looks.groups.insert(group.clone());
                    let flows = self.clone();
                    looks.under_way.spawn(async move {
                        let looked = flows.look_at_group(open).await;
                        flows.rest(looked.map(|_| ())).await;
                        Looked::Group(group)
                    });
                }
            }
        }
        if looks.ends_are_looked_for {
            return Ok(next);
        }
        match looks.ends_at.take() {
            Some(at) if at > now => {
                looks.ends_at = Some(at);
                later(at);
                return Ok(next);
            }
            _ => looks.ends_are_looked_for = true,
        }
        let flows = self.clone();
        looks.under_way.spawn(async move {
            let looked = flows.look_for_ended_runs().await;
            let next = looked.as_ref().ok().copied().flatten();
            flows.rest(looked.map(|_| ())).await;
            let longest = flows.clock.now().plus(LONGEST);
            Looked::Ends(next.map_or(longest, |at| at.min(longest)))
        });
        Ok(next)
    }

    /// Keeps a look from beginning again at once.
    async fn rest(&self, looked: Result<(), Error>) {
        match looked {
            Ok(()) => tokio::time::sleep(SHORTEST).await,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "what runs in a workspace cannot be looked at yet");
                tokio::time::sleep(super::DATABASE_RETRY).await;
            }
        }
    }

    /// Returns what is waited for, by what is looked at together.
    async fn open_groups(&self) -> Result<BTreeMap<Group, Vec<Open>>, Error> {
        let open = self.db.read("flows.databricks_open", tables::open_conversations).await?;
        let mut groups: BTreeMap<Group, Vec<Open>> = BTreeMap::new();
        for one in open {
            // Our own workspace answers each author by what that one may see.
            let is_ours = BuiltIn::named(&one.of.connection).is_some();
            let author = if is_ours { (one.of.flow.clone(), one.of.version.clone()) } else { Default::default() };
            groups.entry((one.of.connection.clone(), author.0, author.1)).or_default().push(one);
        }
        Ok(groups)
    }

    /// Looks once at everything that is due, one after the other; returns when
    /// more will be.
    #[cfg(test)]
    pub(crate) async fn look_at_workspaces(&self) -> Result<Option<Timestamp>, Error> {
        let mut next = None;
        for group in self.open_groups().await?.into_values() {
            let at = self.look_at_group(group).await?;
            next = [next, at].into_iter().flatten().min();
        }
        let started = self.look_for_ended_runs().await?;
        Ok([next, started].into_iter().flatten().min())
    }

    /// Looks at what is under way on one connection, if some of it is due.
    async fn look_at_group(&self, open: Vec<Open>) -> Result<Option<Timestamp>, Error> {
        let now = self.clock.now();
        let first = open.iter().map(|one| one.look_at).min();
        let Some(one) = open.first().filter(|_| first.is_some_and(|at| at <= now)) else { return Ok(first) };
        let behind = Behind::Flow { flow: &one.of.flow, version: &one.of.version };
        let unsealed = match self.unseal(&one.of.connection, &behind).await {
            Ok(unsealed) => unsealed,
            Err(error) => {
                // Whoever waits is told by its own next question.
                tracing::warn!(connection = one.of.connection, %error, "a workspace cannot be looked at");
                return self.give_up(&open, now).await;
            }
        };
        let runs = open.iter().filter(|one| one.kind == Kind::Run).count();
        let mut ask_each: Vec<&Open> = Vec::new();
        let mut next = None;
        let mut later = |at: Timestamp| next = [next, Some(at)].into_iter().flatten().min();
        if runs >= pace::LIST_FROM {
            let youngest = open.iter().map(|one| now.since(one.since)).min().unwrap_or_default();
            let again = now.plus(self.options.databricks.list_after(youngest, runs, self.is_home(&unsealed)));
            later(again);
            let of_list = open.iter().filter(|one| one.kind == Kind::Run);
            match self.active_runs(&unsealed, &open[0].of).await {
                Some(active) => {
                    let (still, gone): (Vec<&Open>, Vec<&Open>) =
                        of_list.partition(|one| one.id.parse().is_ok_and(|id: i64| active.contains(&id)));
                    self.put_off(&still, again, None).await?;
                    ask_each.extend(gone);
                }
                None => self.put_off(&of_list.collect::<Vec<_>>(), again, Some(now)).await?,
            }
            ask_each.extend(open.iter().filter(|one| one.kind == Kind::Statement && one.look_at <= now));
        } else {
            ask_each.extend(open.iter().filter(|one| one.look_at <= now));
        }
        for one in open.iter().filter(|one| one.look_at > now) {
            later(one.look_at);
        }
        let rest = ask_each.split_off(ask_each.len().min(AT_ONCE));
        for one in rest {
            later(one.look_at.max(now.plus(SHORTEST)));
        }
        for one in ask_each {
            if let Some(at) = self.look_at_one(&unsealed, one).await? {
                later(at);
            }
        }
        Ok(next)
    }

    /// Lets those look who wait, because nobody can look for them.
    async fn give_up(&self, open: &[Open], now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let again = now.plus(self.options.databricks.longest_look);
        let all: Vec<&Open> = open.iter().collect();
        self.put_off(&all, again, Some(now)).await?;
        Ok(Some(again))
    }

    async fn put_off(&self, open: &[&Open], again: Timestamp, failing: Option<Timestamp>) -> Result<(), Error> {
        let all: Vec<(Conversation, Option<Timestamp>)> =
            open.iter().map(|one| (one.of.clone(), failing.map(|at| one.failing_since.unwrap_or(at)))).collect();
        if all.is_empty() {
            return Ok(());
        }
        self.db
            .write("flows.databricks_put_off", move |tx| {
                all.iter().try_for_each(|(of, failing)| tables::look_again(tx, of, again, *failing))
            })
            .await
            .map_err(Error::from)
    }

    /// Returns the runs of a workspace that have not ended; nothing if it
    /// cannot be asked now.
    async fn active_runs(&self, unsealed: &Unsealed, of: &Conversation) -> Option<HashSet<i64>> {
        let caller =
            Caller { behind: Behind::Flow { flow: &of.flow, version: &of.version }, run: None, operation: LOOKING };
        let mut active = HashSet::new();
        let mut page = String::new();
        loop {
            let mut path = format!("/api/2.2/jobs/runs/list?active_only=true&limit={}", pace::PAGE);
            if !page.is_empty() {
                path.push_str(&format!("&page_token={}", crate::modules::http::path_part(&page)));
            }
            self.pass_bucket(unsealed).await;
            let heard = self.ask_workspace(unsealed, &Ask::get(What::Look, path), None, &caller).await;
            let Heard::Answer(response) = heard else {
                tell_of_failure(&heard, unsealed);
                return None;
            };
            let answer: serde_json::Value = serde_json::from_slice(&response.body).ok()?;
            active.extend(answer["runs"].as_array().into_iter().flatten().filter_map(|run| id_of(&run["run_id"])));
            text_of(&answer, "next_page_token").clone_into(&mut page);
            if page.is_empty() {
                return Some(active);
            }
        }
    }

    /// Looks at one run or statement; returns when to look again.
    async fn look_at_one(&self, unsealed: &Unsealed, one: &Open) -> Result<Option<Timestamp>, Error> {
        let behind = Behind::Flow { flow: &one.of.flow, version: &one.of.version };
        let caller = Caller { behind, run: Some(one.of.run), operation: LOOKING };
        self.pass_bucket(unsealed).await;
        let heard = self.ask_workspace(unsealed, &one.kind.look(&one.id), None, &caller).await;
        let now = self.clock.now();
        let pacing = &self.options.databricks;
        let again = now.plus(pacing.look_after(now.since(one.since), self.is_home(unsealed)));
        let ended = match &heard {
            Heard::Answer(response) => {
                let answer: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
                one.kind.is_over(&answer).then(|| answer.to_string())
            }
            Heard::Later { error, after, .. } => {
                let since = one.failing_since.unwrap_or(now);
                if now.since(since) >= pacing.patience {
                    return self.end_with(one, error).await;
                }
                let asked = after.map(|seconds| now.plus(Duration::from_secs(seconds).min(pacing.longest_look * 5)));
                let again = asked.unwrap_or(again).max(again);
                self.put_off(&[one], again, Some(now)).await?;
                return Ok(Some(again));
            }
            Heard::Refused { error, .. } | Heard::Unasked(error) => return self.end_with(one, error).await,
        };
        let Some(ended) = ended else {
            self.put_off(&[one], again, None).await?;
            return Ok(Some(again));
        };
        self.note_end(one, ended, now).await?;
        Ok(None)
    }

    /// Ends the waiting for something that cannot be looked at any more.
    async fn end_with(&self, one: &Open, error: &crate::modules::ModuleError) -> Result<Option<Timestamp>, Error> {
        let ended = serde_json::json!({ "unseen": error.to_stored() }).to_string();
        self.note_end(one, ended, self.clock.now()).await?;
        Ok(None)
    }

    async fn note_end(&self, one: &Open, ended: String, now: Timestamp) -> Result<(), Error> {
        let of = one.of.clone();
        self.db.write("flows.databricks_end", move |tx| tables::note_end(tx, &of, &ended, now)).await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// Waits for leave to call.
    pub(super) async fn pass_bucket(&self, unsealed: &Unsealed) {
        let workspace = unsealed.workspace().unwrap_or_default();
        while let Err(wait) = self.buckets.take(&workspace, self.options.databricks.calls_per_second, self.clock.now())
        {
            tokio::time::sleep(wait).await;
        }
    }
}

fn tell_of_failure(heard: &Heard, unsealed: &Unsealed) {
    if let Heard::Later { error, .. } | Heard::Refused { error, .. } | Heard::Unasked(error) = heard {
        tracing::warn!(connection = unsealed.name(), %error, "the open runs of a workspace cannot be listed");
    }
}
