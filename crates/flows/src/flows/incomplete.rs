//! The verbs about incomplete executions.

use base::{Actor, audit};
use serde_json::{Map, json};

use super::{Flows, known};
use crate::engine::Place;
use crate::error::Error;
use crate::incomplete::{IncompleteDetails, IncompleteId, IncompleteInfo, IncompleteState, RetryVersion};
use crate::run::RunId;
use crate::tables::{self, IncompleteRow};
use crate::value::Value;
use crate::work::Attempt;

impl Flows {
    /// Lists the incomplete executions of a flow, newest first, at most
    /// `limit`; only open ones if so asked.
    pub async fn incompletes(&self, key: &str, open_only: bool, limit: u32) -> Result<Vec<IncompleteInfo>, Error> {
        let key = key.to_owned();
        self.db
            .read("flows.incompletes", move |tx| {
                known(tx, &key)?;
                Ok(tables::incompletes(tx, &key, open_only, limit)?)
            })
            .await
    }

    /// Returns an incomplete execution of a flow with its bundles.
    pub async fn incomplete(&self, key: &str, id: IncompleteId) -> Result<IncompleteDetails, Error> {
        let row = self.incomplete_row(key, id).await?;
        let program = self.program(&row.info.version).await?;
        let place = serde_json::from_str(&row.place).ok().and_then(|place| Place::from_stored(&place));
        let bundles = match place {
            Some(place) => {
                let mut bundles = place.told(&program);
                let mut error = json!({"type": row.info.class, "message": row.info.reason});
                let detail = serde_json::from_str(&row.detail).map_or(Value::Absent, Value::from_stored);
                if detail.exists() && !program.is_confidential {
                    error["detail"] = detail.to_json();
                }
                bundles.insert(place.module.to_string(), json!({ "error": error }));
                bundles
            }
            None => Map::new(),
        };
        Ok(IncompleteDetails { info: row.info, bundles })
    }

    /// Lets an open one go on now, with the version in which it failed or
    /// another one that still has the module; returns the run.
    pub async fn retry_incomplete(
        &self,
        actor: &Actor,
        key: &str,
        id: IncompleteId,
        version: RetryVersion,
    ) -> Result<RunId, Error> {
        let row = self.incomplete_row(key, id).await?;
        let flow = self.flow(key).await?;
        let hash = match version {
            RetryVersion::Same => row.info.version.clone(),
            RetryVersion::Published => {
                flow.published.clone().ok_or_else(|| Error::NotPublished { key: key.to_owned() })?
            }
            RetryVersion::Draft => flow.draft.clone(),
        };
        let program = self.program(&hash).await?;
        let errors: Vec<_> = program.errors().collect();
        if let Some(first) = errors.first() {
            return Err(Error::NotRunnable { key: key.to_owned(), first: first.to_string(), count: errors.len() });
        }
        if !program.steps.iter().any(|step| step.id == row.info.module) {
            return Err(Error::NotResumable { id, module: row.info.module });
        }
        let attempt = self.start_attempt(&row, Some((actor, &hash))).await?;
        self.nudge.notify_one();
        match attempt {
            Attempt::Started(run) => Ok(run),
            Attempt::Blocked | Attempt::NotOpen => Err(Error::NotOpen { id }),
        }
    }

    /// Says that an open one is done, because a person saw to it.
    pub async fn resolve_incomplete(&self, actor: &Actor, key: &str, id: IncompleteId) -> Result<(), Error> {
        self.close_incomplete(actor, key, id, "resolve", IncompleteState::Resolved).await
    }

    /// Deletes an open one with its data; what it was stays in the list.
    pub async fn delete_incomplete(&self, actor: &Actor, key: &str, id: IncompleteId) -> Result<(), Error> {
        self.close_incomplete(actor, key, id, "delete", IncompleteState::Deleted).await
    }

    async fn close_incomplete(
        &self,
        actor: &Actor,
        key: &str,
        id: IncompleteId,
        verb: &'static str,
        state: IncompleteState,
    ) -> Result<(), Error> {
        let before = self.incomplete_row(key, id).await?.info;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("flows.close_incomplete", move |tx| {
                if !tables::close_incomplete(tx, id, state, now)? {
                    return Err(Error::NotOpen { id });
                }
                let before = json!({"state": before.state, "attempts": before.attempts, "reason": before.reason});
                audit::record(tx, &actor, verb, "incomplete", &id.to_string(), Some(&before), None, now)?;
                Ok(())
            })
            .await?;
        // A sequential flow may have waited for it.
        self.nudge.notify_one();
        Ok(())
    }

    async fn incomplete_row(&self, key: &str, id: IncompleteId) -> Result<IncompleteRow, Error> {
        let key = key.to_owned();
        self.db
            .read("flows.incomplete", move |tx| {
                known(tx, &key)?;
                let row = tables::incomplete(tx, id)?.filter(|row| row.info.flow == key);
                row.ok_or(Error::UnknownIncomplete { id })
            })
            .await
    }
}
