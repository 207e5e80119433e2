//! The SQL of the workspace: plain functions over a transaction.

mod columns;
mod identity;
mod repairs;
mod query;
mod timetables;
mod notices;

use base::args;
use base::db::{Error as DbError, Row, Tx};
use base::{Actor, Timestamp};

use crate::decide::Execution;
use crate::error::Error;
use crate::job::Job;
use crate::paging::Place;
use crate::run::{Overriding, ResultState, Run, RunCause, RunState, RunType, TaskRun, TaskState};
use crate::secrets::{SecretInfo, SecretRef, SecretScope};
use crate::settings::{FORMAT, JobSettings};
use crate::token::TokenInfo;
use crate::view::{RunCounts, RunsQuery};
use crate::{JobId, RunId};

pub(crate) use identity::*;
pub(crate) use notices::*;
pub(crate) use repairs::*;
pub(crate) use timetables::*;

use columns::{TaskColumns, run_columns, run_state};
use query::Query;

/// A stored text that does not read back: the column is named.
fn shape(column: usize) -> Error {
    Error::Database(DbError::Shape { column })
}

/// How an actor is stored. What made it act is not kept with it.
fn actor_text(actor: &Actor) -> String {
    serde_json::to_string(actor).expect("an actor is made of texts")
}

fn actor_of(text: Option<String>, column: usize) -> Result<Option<Actor>, Error> {
    text.map(|text| serde_json::from_str(&text).map_err(|_| shape(column))).transpose()
}

/// Stores a token; false if one with that digest is known.
pub(crate) fn insert_token(tx: &mut dyn Tx, token: &TokenInfo, digest: &[u8]) -> Result<bool, Error> {
    let owner = actor_text(&token.owner);
    let added = tx.execute(
        "INSERT INTO workspace_tokens (id, digest, comment, owner, owner_id, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) DO NOTHING",
        args![&token.id, digest, &token.comment, owner, &token.owner.id, token.created_at, token.expires_at],
    )?;
    Ok(added > 0)
}

const TOKEN: &str = "SELECT id, comment, owner, created_at, expires_at FROM workspace_tokens";

fn token_of(row: &Row) -> Result<TokenInfo, Error> {
    let owner: Actor = serde_json::from_str(&row.get::<String>(2)?).map_err(|_| shape(2))?;
    Ok(TokenInfo { id: row.get(0)?, comment: row.get(1)?, owner, created_at: row.get(3)?, expires_at: row.get(4)? })
}

/// Finds the token with a digest, unless it is revoked.
pub(crate) fn token_by_digest(tx: &mut dyn Tx, digest: &[u8]) -> Result<Option<TokenInfo>, Error> {
    let row = tx.query_one(&format!("{TOKEN} WHERE digest = $1 AND revoked_at IS NULL"), args![digest])?;
    row.as_ref().map(token_of).transpose()
}

/// Tells whether a token is that of a task run which goes on.
pub(crate) fn is_token_of_task(tx: &mut dyn Tx, digest: &[u8]) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM workspace_tokens WHERE digest = $1 AND revoked_at IS NULL AND task_run IS NOT NULL";
    Ok(tx.query_one(sql, args![digest])?.is_some())
}

/// Says that a token is that of a task run: it ends with it, and no list shows it.
pub(crate) fn bind_token(tx: &mut dyn Tx, id: &str, task_run: RunId) -> Result<(), Error> {
    tx.execute("UPDATE workspace_tokens SET task_run = $2 WHERE id = $1", args![id, task_run])?;
    Ok(())
}

/// Revokes the tokens of a task run.
fn revoke_tokens_of(tx: &mut dyn Tx, task_run: RunId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE workspace_tokens SET revoked_at = $2 WHERE task_run = $1 AND revoked_at IS NULL",
        args![task_run, now],
    )?;
    Ok(())
}

/// Lists the tokens that are not revoked: of one owner, or all.
pub(crate) fn tokens(tx: &mut dyn Tx, owner_id: Option<&str>) -> Result<Vec<TokenInfo>, Error> {
    let rows = match owner_id {
        Some(owner) => tx.query(
            &format!("{TOKEN} WHERE revoked_at IS NULL AND task_run IS NULL AND owner_id = $1 ORDER BY created_at, id"),
            args![owner],
        )?,
        None => tx.query(
            &format!("{TOKEN} WHERE revoked_at IS NULL AND task_run IS NULL ORDER BY created_at, id"),
            args![],
        )?,
    };
    rows.iter().map(token_of).collect()
}

/// Revokes a token of an owner, or of anybody; false if there is none.
pub(crate) fn revoke_token(tx: &mut dyn Tx, id: &str, owner_id: Option<&str>, now: Timestamp) -> Result<bool, Error> {
    let touched = match owner_id {
        Some(owner) => tx.execute(
            "UPDATE workspace_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND owner_id = $3",
            args![id, now, owner],
        )?,
        None => tx.execute(
            "UPDATE workspace_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            args![id, now],
        )?,
    };
    Ok(touched > 0)
}

pub(crate) fn insert_job(tx: &mut dyn Tx, job: &Job) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_jobs (id, name, creator, created_at, settings_format, settings, owner) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![
            job.id,
            &job.settings.name,
            &job.creator,
            job.created_at,
            FORMAT,
            job.settings.document().to_string(),
            job.owner.as_ref().map(actor_text)
        ],
    )?;
    Ok(())
}

const JOB: &str = "SELECT id, creator, created_at, settings, owner FROM workspace_jobs";

fn job_of(row: &Row) -> Result<Job, Error> {
    Ok(Job {
        id: row.get(0)?,
        creator: row.get(1)?,
        created_at: row.get(2)?,
        settings: JobSettings::stored(&row.get::<String>(3)?)?,
        owner: actor_of(row.get(4)?, 4)?,
    })
}

/// Finds a job, or says that there is none.
pub(crate) fn job(tx: &mut dyn Tx, id: JobId) -> Result<Job, Error> {
    let row = tx.query_one(&format!("{JOB} WHERE id = $1"), args![id])?;
    job_of(&row.ok_or(Error::NoJob(id))?)
}

/// Lists jobs at a place, newest first.
pub(crate) fn jobs(
    tx: &mut dyn Tx,
    name: Option<&str>,
    viewer: Option<&Actor>,
    place: Place,
    offset: u32,
    limit: u32,
) -> Result<Vec<Job>, Error> {
    let mut query = Query::new(JOB);
    query.at(place);
    if let Some(name) = name {
        query.and("LOWER(name) = LOWER(", vec![name.into()], ")");
    }
    only_seen_by(&mut query, "id", viewer);
    let rows = query.newest(tx, offset, limit)?;
    rows.iter().map(job_of).collect()
}

/// Stores what a job is, and on whose behalf it runs.
pub(crate) fn set_settings(
    tx: &mut dyn Tx,
    id: JobId,
    settings: &JobSettings,
    owner: Option<&Actor>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE workspace_jobs SET name = $2, settings_format = $3, settings = $4, owner = $5 WHERE id = $1",
        args![id, &settings.name, FORMAT, settings.document().to_string(), owner.map(actor_text)],
    )?;
    Ok(())
}

pub(crate) fn delete_job(tx: &mut dyn Tx, id: JobId) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_jobs WHERE id = $1", args![id])?;
    Ok(())
}

/// Finds the run that a token of a job made. A submitted run has the job 0.
pub(crate) fn run_of_token(tx: &mut dyn Tx, job: JobId, token: &str) -> Result<Option<RunId>, Error> {
    let row =
        tx.query_one("SELECT run_id FROM workspace_run_tokens WHERE job_id = $1 AND token = $2", args![job, token])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

pub(crate) fn keep_token(tx: &mut dyn Tx, job: JobId, token: &str, run: RunId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_run_tokens (job_id, token, run_id, created_at) VALUES ($1, $2, $3, $4)",
        args![job, token, run, now],
    )?;
    Ok(())
}

/// Stores a new run with its first attempts.
pub(crate) fn insert_execution(tx: &mut dyn Tx, execution: &Execution) -> Result<(), Error> {
    let run = &execution.run;
    let (state, outcome) = run_columns(run.state);
    tx.execute(
        "INSERT INTO workspace_runs (id, job_id, kind, name, creator, settings_format, settings, overriding, \
         state, outcome, message, created_at, started_at, ended_at, run_as, launched_by, cause, warned_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        args![
            run.id,
            run.job,
            run.kind.as_str(),
            &run.name,
            &run.creator,
            FORMAT,
            run.settings.document().to_string(),
            serde_json::to_string(&run.overriding).expect("parameters are texts"),
            state,
            outcome,
            &run.message,
            run.created_at,
            run.started_at,
            run.ended_at,
            run.run_as.as_ref().map(actor_text),
            run.launched_by,
            run.cause.as_str(),
            run.warned_at
        ],
    )?;
    for attempt in &execution.attempts {
        save_attempt(tx, attempt)?;
    }
    Ok(())
}

/// Stores what has changed in a run.
pub(crate) fn save_execution(tx: &mut dyn Tx, before: &Execution, after: &Execution) -> Result<(), Error> {
    if before.run != after.run {
        let run = &after.run;
        let (state, outcome) = run_columns(run.state);
        tx.execute(
            "UPDATE workspace_runs SET state = $2, outcome = $3, message = $4, started_at = $5, ended_at = $6, \
             warned_at = $7 WHERE id = $1",
            args![run.id, state, outcome, &run.message, run.started_at, run.ended_at, run.warned_at],
        )?;
    }
    for attempt in &after.attempts {
        if before.attempts.contains(attempt) {
            continue;
        }
        save_attempt(tx, attempt)?;
        if let TaskState::Ended { since: Some(_), at, .. } = attempt.state {
            revoke_tokens_of(tx, attempt.id, at)?;
        }
    }
    Ok(())
}

fn save_attempt(tx: &mut dyn Tx, attempt: &TaskRun) -> Result<(), Error> {
    let columns = TaskColumns::of(attempt.state);
    tx.execute(
        "INSERT INTO workspace_task_runs (id, run_id, task_key, position, attempt, original_id, state, outcome, \
         started_at, due_at, ended_at, message, error, error_trace, parent_id, iteration, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, outcome = EXCLUDED.outcome, \
         started_at = EXCLUDED.started_at, due_at = EXCLUDED.due_at, ended_at = EXCLUDED.ended_at, \
         message = EXCLUDED.message, error = EXCLUDED.error, error_trace = EXCLUDED.error_trace, \
         detail = EXCLUDED.detail",
        args![
            attempt.id,
            attempt.run,
            &attempt.task_key,
            attempt.position,
            attempt.attempt,
            attempt.original,
            columns.state,
            columns.outcome,
            columns.started_at,
            columns.due_at,
            columns.ended_at,
            &attempt.message,
            attempt.error.clone(),
            attempt.error_trace.clone(),
            attempt.parent.unwrap_or(NO_PARENT),
            attempt.iteration,
            serde_json::to_string(&attempt.detail).expect("details are made of texts and JSON")
        ],
    )?;
    Ok(())
}

const RUN: &str = "SELECT id, job_id, kind, name, creator, settings, overriding, state, outcome, message, \
                   created_at, started_at, ended_at, run_as, launched_by, cause, warned_at FROM workspace_runs";

fn run_of(row: &Row) -> Result<Run, Error> {
    let outcome: Option<String> = row.get(8)?;
    Ok(Run {
        id: row.get(0)?,
        job: row.get(1)?,
        kind: RunType::parse(&row.get::<String>(2)?).ok_or_else(|| shape(2))?,
        name: row.get(3)?,
        creator: row.get(4)?,
        settings: JobSettings::stored(&row.get::<String>(5)?)?,
        overriding: serde_json::from_str::<Overriding>(&row.get::<String>(6)?).map_err(|_| shape(6))?,
        state: run_state(&row.get::<String>(7)?, outcome.as_deref()).ok_or_else(|| shape(7))?,
        message: row.get(9)?,
        created_at: row.get(10)?,
        started_at: row.get(11)?,
        ended_at: row.get(12)?,
        run_as: actor_of(row.get(13)?, 13)?,
        launched_by: row.get(14)?,
        cause: RunCause::parse(&row.get::<String>(15)?).ok_or_else(|| shape(15))?,
        warned_at: row.get(16)?,
    })
}

const ATTEMPT: &str = "SELECT id, run_id, task_key, position, attempt, original_id, state, outcome, started_at, \
                       due_at, ended_at, message, error, error_trace, parent_id, iteration, detail \
                       FROM workspace_task_runs";

/// Stands in the column of attempts that are no iterations. No run has this number.
const NO_PARENT: RunId = RunId(0);

fn attempt_of(row: &Row) -> Result<TaskRun, Error> {
    let columns = TaskColumns {
        state: row.get(6)?,
        outcome: row.get(7)?,
        started_at: row.get(8)?,
        due_at: row.get(9)?,
        ended_at: row.get(10)?,
    };
    Ok(TaskRun {
        id: row.get(0)?,
        run: row.get(1)?,
        task_key: row.get(2)?,
        position: row.get(3)?,
        attempt: row.get(4)?,
        original: row.get(5)?,
        state: columns.read().ok_or_else(|| shape(6))?,
        message: row.get(11)?,
        error: row.get(12)?,
        error_trace: row.get(13)?,
        parent: Some(row.get(14)?).filter(|parent| *parent != NO_PARENT),
        iteration: row.get(15)?,
        detail: serde_json::from_str(&row.get::<String>(16)?).map_err(|_| shape(16))?,
    })
}

/// Finds a run with its attempts, or says that there is none.
pub(crate) fn execution(tx: &mut dyn Tx, id: RunId) -> Result<Execution, Error> {
    let row = tx.query_one(&format!("{RUN} WHERE id = $1"), args![id])?;
    with_attempts(tx, run_of(&row.ok_or(Error::NoRun(id))?)?)
}

fn with_attempts(tx: &mut dyn Tx, run: Run) -> Result<Execution, Error> {
    let rows = tx.query(
        &format!("{ATTEMPT} WHERE run_id = $1 ORDER BY position, parent_id, iteration, attempt"),
        args![run.id],
    )?;
    Ok(Execution { run, attempts: rows.iter().map(attempt_of).collect::<Result<_, _>>()? })
}

/// Finds the run that an attempt of a task belongs to.
pub(crate) fn run_of_attempt(tx: &mut dyn Tx, attempt: RunId) -> Result<Option<RunId>, Error> {
    let row = tx.query_one("SELECT run_id FROM workspace_task_runs WHERE id = $1", args![attempt])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Lists runs at a place, newest first.
pub(crate) fn runs(tx: &mut dyn Tx, wanted: &RunsQuery, place: Place, limit: u32) -> Result<Vec<Execution>, Error> {
    let mut query = Query::new(RUN);
    query.at(place);
    if let Some(job) = wanted.job {
        query.and("job_id = ", vec![job.into()], "");
    }
    match wanted.active {
        Some(true) => query.and("state <> ", vec!["ended".into()], ""),
        Some(false) => query.and("state = ", vec!["ended".into()], ""),
        None => {}
    }
    only_seen_by(&mut query, "COALESCE(job_id, id)", wanted.viewer.as_ref());
    if let Some(kind) = wanted.kind {
        query.and("kind = ", vec![kind.as_str().into()], "");
    }
    if let Some(from) = wanted.start_from {
        query.and("created_at >= ", vec![from.into()], "");
    }
    if let Some(to) = wanted.start_to {
        query.and("created_at <= ", vec![to.into()], "");
    }
    let rows = query.newest(tx, 0, limit)?;
    rows.iter().map(|row| with_attempts(tx, run_of(row)?)).collect()
}

/// Returns the runs that are active or being stopped, in the order in which they were made.
pub(crate) fn runs_to_watch(tx: &mut dyn Tx) -> Result<Vec<RunId>, Error> {
    let rows = tx.query(
        "SELECT id FROM workspace_runs WHERE state = 'active' OR state = 'stopping' ORDER BY created_at, id",
        args![],
    )?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// Counts the runs of a job that take up one of its places.
pub(crate) fn active_runs(tx: &mut dyn Tx, job: JobId) -> Result<u64, Error> {
    let row = tx.query_one(
        "SELECT COUNT(*) FROM workspace_runs WHERE job_id = $1 AND (state = 'active' OR state = 'stopping')",
        args![job],
    )?;
    Ok(row.map_or(Ok(0), |row| row.get(0))?)
}

/// Returns the run of a job that has waited longest.
pub(crate) fn oldest_queued(tx: &mut dyn Tx, job: JobId) -> Result<Option<RunId>, Error> {
    let row = tx.query_one(
        "SELECT id FROM workspace_runs WHERE job_id = $1 AND state = 'queued' ORDER BY created_at, id LIMIT 1",
        args![job],
    )?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Removes a run with all that is known of it but its idempotency token.
pub(crate) fn delete_run(tx: &mut dyn Tx, id: RunId) -> Result<(), Error> {
    for statement in [
        // Tokens of its tasks have ended with them.
        "DELETE FROM workspace_tokens WHERE task_run IN (SELECT id FROM workspace_task_runs WHERE run_id = $1)",
        "DELETE FROM workspace_task_runs WHERE run_id = $1",
        "DELETE FROM workspace_repairs WHERE run_id = $1",
        // A run of a job has none of its own.
        "DELETE FROM workspace_permissions WHERE object_id = $1",
        "DELETE FROM workspace_runs WHERE id = $1",
    ] {
        tx.execute(statement, args![id])?;
    }
    Ok(())
}

/// Returns runs that had ended at a time, the oldest end first, with that end.
pub(crate) fn runs_ended_by(
    tx: &mut dyn Tx,
    at: Timestamp,
    limit: usize,
) -> Result<Vec<(RunId, Option<Timestamp>)>, Error> {
    let rows = tx.query(
        "SELECT id, ended_at FROM workspace_runs WHERE state = 'ended' AND ended_at <= $1 ORDER BY ended_at, id LIMIT $2",
        args![at, limit],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub(crate) fn run_counts(tx: &mut dyn Tx) -> Result<RunCounts, Error> {
    let mut counts = RunCounts::default();
    let rows = tx.query("SELECT state, outcome, COUNT(*) FROM workspace_runs GROUP BY state, outcome", args![])?;
    for row in rows {
        let (state, outcome): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let count: u64 = row.get(2)?;
        let sort = match run_state(&state, outcome.as_deref()).ok_or_else(|| shape(0))? {
            RunState::Queued => &mut counts.queued,
            RunState::Active | RunState::Stopping(_) => &mut counts.active,
            RunState::Ended(ResultState::Success | ResultState::SuccessWithFailures) => &mut counts.succeeded,
            RunState::Ended(ResultState::Canceled | ResultState::UpstreamCanceled) => &mut counts.canceled,
            RunState::Ended(ResultState::Failed | ResultState::TimedOut | ResultState::UpstreamFailed) => {
                &mut counts.failed
            }
            RunState::Ended(_) => &mut counts.skipped,
        };
        *sort += count;
    }
    Ok(counts)
}

pub(crate) fn insert_scope(tx: &mut dyn Tx, name: &str, now: Timestamp) -> Result<bool, Error> {
    let added = tx.execute(
        "INSERT INTO workspace_secret_scopes (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        args![name, now],
    )?;
    Ok(added > 0)
}

pub(crate) fn scopes(tx: &mut dyn Tx) -> Result<Vec<SecretScope>, Error> {
    let rows = tx.query("SELECT name, created_at FROM workspace_secret_scopes ORDER BY name", args![])?;
    rows.iter().map(|row| Ok(SecretScope { name: row.get(0)?, created_at: row.get(1)? })).collect()
}

pub(crate) fn has_scope(tx: &mut dyn Tx, name: &str) -> Result<bool, Error> {
    Ok(tx.query_one("SELECT name FROM workspace_secret_scopes WHERE name = $1", args![name])?.is_some())
}

/// Removes a scope with its secrets; false if there is none.
pub(crate) fn delete_scope(tx: &mut dyn Tx, name: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM workspace_secrets WHERE scope = $1", args![name])?;
    Ok(tx.execute("DELETE FROM workspace_secret_scopes WHERE name = $1", args![name])? > 0)
}

pub(crate) fn put_secret(tx: &mut dyn Tx, place: &SecretRef, sealed: &[u8], now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_secrets (scope, name, sealed, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (scope, name) DO UPDATE SET sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at",
        args![&place.scope, &place.key, sealed, now],
    )?;
    Ok(())
}

pub(crate) fn sealed_secret(tx: &mut dyn Tx, place: &SecretRef) -> Result<Option<Vec<u8>>, Error> {
    let row = tx.query_one(
        "SELECT sealed FROM workspace_secrets WHERE scope = $1 AND name = $2",
        args![&place.scope, &place.key],
    )?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

pub(crate) fn secrets(tx: &mut dyn Tx, scope: &str) -> Result<Vec<SecretInfo>, Error> {
    let rows =
        tx.query("SELECT name, updated_at FROM workspace_secrets WHERE scope = $1 ORDER BY name", args![scope])?;
    rows.iter().map(|row| Ok(SecretInfo { key: row.get(0)?, updated_at: row.get(1)? })).collect()
}

pub(crate) fn delete_secret(tx: &mut dyn Tx, place: &SecretRef) -> Result<bool, Error> {
    let touched =
        tx.execute("DELETE FROM workspace_secrets WHERE scope = $1 AND name = $2", args![&place.scope, &place.key])?;
    Ok(touched > 0)
}
