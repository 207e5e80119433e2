//! On whose behalf the runs of a job act.
//!
//! That is whoever made the job, unless its `run_as` names another one. Who
//! names another must be allowed to act for it: administrators are, and
//! everybody for oneself. The same holds for whoever changes *what* the runs
//! do (tasks, parameters, clusters, environments): otherwise the right to
//! manage an administrator's job would be the right to be one. Names,
//! schedules, limits and notifications can be changed by all who may manage
//! the job (docs/decisions/0026-runs-act-for-whoever-answers-for-them.md).

use base::Actor;
use base::db::Tx;
use serde_json::Value as Json;

use crate::error::Error;
use crate::settings::{JobSettings, RunAs};
use crate::tables;

/// What of a job's settings its runs do.
const DEEDS: [&str; 4] = ["tasks", "job_clusters", "environments", "parameters"];

/// How a service principal's id begins.
const PRINCIPAL: &str = "service-principal:";

/// A job, as it was before a change.
pub(crate) struct Before<'a> {
    pub(crate) settings: &'a JobSettings,
    pub(crate) owner: Option<&'a Actor>,
}

/// Returns on whose behalf the runs of new settings act.
pub(crate) fn of_new(tx: &mut dyn Tx, actor: &Actor, settings: &JobSettings) -> Result<Actor, Error> {
    match &settings.run_as {
        None => Ok(actor.clone()),
        Some(run_as) => named(tx, actor, run_as),
    }
}

/// Returns on whose behalf the runs of changed settings act. Jobs from before
/// this was kept have nobody, until somebody is named.
pub(crate) fn of_changed(
    tx: &mut dyn Tx,
    actor: &Actor,
    before: &Before<'_>,
    after: &JobSettings,
) -> Result<Option<Actor>, Error> {
    if let Some(run_as) = &after.run_as
        && before.settings.run_as.as_ref() != Some(run_as)
        && !before.owner.is_some_and(|owner| names(run_as, owner))
    {
        return named(tx, actor, run_as).map(Some);
    }
    let deeds = |settings: &JobSettings| {
        let document = settings.document();
        DEEDS.map(|word| document.get(word).cloned().unwrap_or(Json::Null))
    };
    match before.owner {
        Some(owner) if deeds(before.settings) != deeds(after) && !may_act_for(actor, owner) => {
            Err(Error::CannotActFor { user: actor.name.clone(), other: owner.name.clone() })
        }
        owner => Ok(owner.cloned()),
    }
}

fn may_act_for(actor: &Actor, other: &Actor) -> bool {
    actor.administrator || actor.id == other.id
}

/// Tells whether `run_as` names an actor.
fn names(run_as: &RunAs, actor: &Actor) -> bool {
    match (&run_as.user_name, &run_as.service_principal_name, actor.id.strip_prefix(PRINCIPAL)) {
        (Some(name), _, None) => *name == actor.name || *name == actor.id,
        (_, Some(name), Some(id)) => name == id,
        _ => false,
    }
}

/// Finds whom `run_as` names, if `actor` may act for it.
fn named(tx: &mut dyn Tx, actor: &Actor, run_as: &RunAs) -> Result<Actor, Error> {
    if names(run_as, actor) {
        return Ok(actor.clone());
    }
    let other = run_as.service_principal_name.as_ref().or(run_as.user_name.as_ref()).cloned().unwrap_or_default();
    if !actor.administrator {
        return Err(Error::CannotActFor { user: actor.name.clone(), other });
    }
    match &run_as.service_principal_name {
        Some(id) => match tables::active_principal(tx, id)? {
            Some(principal) => Ok(principal.actor()),
            None => Err(Error::Settings { detail: format!("run_as: there is no active service principal \"{id}\"") }),
        },
        None => Err(Error::Unsupported {
            setting: format!("run_as.user_name \"{other}\""),
            hint: ": it takes yourself, or a service principal by its application id; other people set it themselves"
                .into(),
        }),
    }
}
