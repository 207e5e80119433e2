//! Incomplete executions.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use super::long;
use crate::incomplete::{IncompleteId, IncompleteInfo, IncompleteState, NewIncomplete, StoredRetry};
use crate::run::RunId;

const COLUMNS: &str = "id, flow, run, version, module, class, message, state, attempts, retry_at, retry_run, \
                       LENGTH(place), created_at, updated_at";

fn info(row: &Row) -> Result<IncompleteInfo, Error> {
    Ok(IncompleteInfo {
        id: row.get(0)?,
        flow: row.get(1)?,
        run: row.get(2)?,
        version: row.get(3)?,
        module: row.get(4)?,
        class: row.get(5)?,
        reason: row.get(6)?,
        state: match row.get::<String>(7)?.as_str() {
            "open" => IncompleteState::Open,
            "resolved" => IncompleteState::Resolved,
            "deleted" => IncompleteState::Deleted,
            _ => return Err(Error::Shape { column: 7 }),
        },
        attempts: row.get(8)?,
        retry_at: row.get(9)?,
        retry_run: row.get(10)?,
        size: row.get(11)?,
        created_at: row.get(12)?,
        updated_at: row.get(13)?,
    })
}

/// An incomplete execution with what an attempt needs.
#[derive(Clone, Debug)]
pub(crate) struct IncompleteRow {
    pub(crate) info: IncompleteInfo,
    pub(crate) place: String,
    pub(crate) detail: String,
}

fn whole(row: &Row) -> Result<IncompleteRow, Error> {
    Ok(IncompleteRow { info: info(row)?, place: row.get(14)?, detail: row.get(15)? })
}

pub(crate) fn incomplete(tx: &mut dyn Tx, id: IncompleteId) -> Result<Option<IncompleteRow>, Error> {
    let sql = format!("SELECT {COLUMNS}, place, detail FROM incomplete WHERE id = $1");
    tx.query_one(&sql, args![id])?.as_ref().map(whole).transpose()
}

/// Lists those of a flow, newest first; only open ones if so asked.
pub(crate) fn incompletes(
    tx: &mut dyn Tx,
    flow: &str,
    open_only: bool,
    limit: u32,
) -> Result<Vec<IncompleteInfo>, Error> {
    let open = if open_only { "AND state = 'open'" } else { "" };
    let sql =
        format!("SELECT {COLUMNS} FROM incomplete WHERE flow = $1 {open} ORDER BY created_at DESC, id DESC LIMIT $2");
    tx.query(&sql, args![flow, limit])?.iter().map(info).collect()
}

/// Lists those that are due to be tried again, of flows that are switched on
/// and not among `others`.
pub(crate) fn due_incompletes(
    tx: &mut dyn Tx,
    now: Timestamp,
    others: &[String],
    limit: usize,
) -> Result<Vec<IncompleteRow>, Error> {
    let mut args = args![now, limit].to_vec();
    let mut except = String::new();
    for flow in others {
        args.push(flow.into());
        except.push_str(&format!(" AND flow <> ${}", args.len()));
    }
    let sql = format!(
        "SELECT {COLUMNS}, place, detail FROM incomplete WHERE state = 'open' AND retry_at <= $1{except} AND flow IN \
         (SELECT key FROM flows WHERE active = 1 AND paused IS NULL) ORDER BY retry_at, id LIMIT $2"
    );
    tx.query(&sql, &args)?.iter().map(whole).collect()
}

/// Returns when the next of them is due, after `now`.
pub(crate) fn next_incomplete(tx: &mut dyn Tx, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MIN(retry_at) FROM incomplete WHERE state = 'open' AND retry_at > $1";
    tx.query_one(sql, args![now])?.map_or(Ok(None), |row| row.get(0))
}

pub(crate) fn open_incompletes(tx: &mut dyn Tx, flow: &str) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) FROM incomplete WHERE flow = $1 AND state = 'open'";
    tx.query_one(sql, args![flow])?.map_or(Ok(0), |row| row.get(0))
}

/// An incomplete execution that is being tried.
pub(crate) struct Tried {
    pub(crate) id: IncompleteId,
    pub(crate) module: u32,
    pub(crate) place: String,
    /// Attempts before.
    pub(crate) attempts: u32,
    /// Somebody asked for this one.
    pub(crate) by_person: bool,
}

/// Returns the open one of which a run is an attempt.
pub(crate) fn tried_by(tx: &mut dyn Tx, run: RunId) -> Result<Option<Tried>, Error> {
    let sql = "SELECT id, module, place, attempts, by_person FROM incomplete WHERE retry_run = $1 AND state = 'open'";
    let Some(row) = tx.query_one(sql, args![run])? else { return Ok(None) };
    Ok(Some(Tried {
        id: row.get(0)?,
        module: row.get(1)?,
        place: row.get(2)?,
        attempts: row.get(3)?,
        by_person: row.get(4)?,
    }))
}

/// Stores a new one; the same one again changes nothing.
pub(crate) fn add_incomplete(
    tx: &mut dyn Tx,
    flow: &str,
    run: RunId,
    version: &str,
    new: &NewIncomplete,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO incomplete (id, flow, run, version, module, class, message, detail, place, state, attempts, retry, \
         retry_at, created_at, updated_at, confidential) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', 0, $10, $11, $12, $12, $13) \
         ON CONFLICT (id) DO NOTHING",
        args![
            new.id,
            flow,
            run,
            version,
            new.module,
            new.class,
            &new.message,
            &new.detail,
            &new.place,
            stored(&new.retry),
            new.retry.next(0, now),
            now,
            new.is_confidential
        ],
    )?;
    Ok(())
}

/// Lets one that failed again stand where it failed this time, after so many
/// attempts there.
pub(crate) fn move_incomplete(
    tx: &mut dyn Tx,
    id: IncompleteId,
    run: RunId,
    version: &str,
    new: &NewIncomplete,
    attempts: u32,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE incomplete SET run = $2, version = $3, module = $4, class = $5, message = $6, detail = $7, place = $8, \
         attempts = $9, retry = $10, retry_at = $11, retry_run = NULL, updated_at = $12, \
         confidential = CASE WHEN $13 = 1 THEN 1 ELSE confidential END WHERE id = $1",
        args![
            id,
            run,
            version,
            new.module,
            new.class,
            &new.message,
            &new.detail,
            &new.place,
            attempts,
            stored(&new.retry),
            new.retry.next(attempts, now),
            now,
            new.is_confidential
        ],
    )?;
    Ok(())
}

/// Notes an attempt that ended as an error without getting anywhere.
pub(crate) fn fail_attempt(tx: &mut dyn Tx, id: IncompleteId, reason: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE incomplete SET attempts = attempts + 1, message = $2, retry_at = NULL, retry_run = NULL, \
         updated_at = $3 WHERE id = $1",
        args![id, reason, now],
    )?;
    Ok(())
}

/// Notes that an attempt is under way, if none is and it still stands where it
/// was `seen`; tells whether. Another attempt may have come and gone since, and
/// what that one has done must not be done again.
pub(crate) fn begin_attempt(
    tx: &mut dyn Tx,
    seen: &IncompleteInfo,
    run: RunId,
    by_person: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE incomplete SET retry_at = NULL, retry_run = $2, updated_at = $3, by_person = $4 \
               WHERE id = $1 AND state = 'open' AND run = $5 AND attempts = $6 \
               AND (retry_run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE id = retry_run AND state <> 'ended'))";
    Ok(tx.execute(sql, args![seen.id, run, now, by_person, seen.run, seen.attempts])? > 0)
}

/// Ends an open one; tells whether it was open.
pub(crate) fn close_incomplete(
    tx: &mut dyn Tx,
    id: IncompleteId,
    state: IncompleteState,
    now: Timestamp,
) -> Result<bool, Error> {
    let state = match state {
        IncompleteState::Open => return Ok(false),
        IncompleteState::Resolved => "resolved",
        IncompleteState::Deleted => "deleted",
    };
    let sql = "UPDATE incomplete SET state = $2, retry_at = NULL, updated_at = $3 WHERE id = $1 AND state = 'open' \
               RETURNING confidential, retry_run";
    let Some(row) = tx.query_one(sql, args![id, state, now])? else { return Ok(false) };
    let (is_confidential, attempt): (bool, Option<RunId>) = (row.get(0)?, row.get(1)?);
    // Whoever deletes it wants its data gone.
    if is_confidential || state == "deleted" {
        tx.execute("UPDATE incomplete SET place = '{}', detail = 'null' WHERE id = $1", args![id])?;
    }
    if is_confidential && let Some(attempt) = attempt {
        forget_place(tx, attempt)?;
    }
    Ok(true)
}

/// Forgets from which place a run went on, that has come to its end or comes
/// to it now: a run that is cancelled has it still.
fn forget_place(tx: &mut dyn Tx, attempt: RunId) -> Result<(), Error> {
    let sql = "UPDATE runs SET input = '[]' WHERE id = $1 AND state = 'ended'";
    if tx.execute(sql, args![attempt])? > 0 {
        tx.execute("DELETE FROM journal WHERE run = $1", args![attempt])?;
        long::forget(tx, attempt)?;
    }
    Ok(())
}

fn stored(retry: &StoredRetry) -> String {
    serde_json::to_string(retry).expect("numbers can be written")
}
