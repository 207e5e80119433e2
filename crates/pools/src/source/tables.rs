//! The SQL of sources: one function per statement.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use super::{BadFile, Cursor, Source, SourceId, SourceRun, SourceRunId, SourceRunState, SourceSpec};
use crate::PoolId;

/// Runs that a list shows, and that are kept of a source.
pub(super) const RUNS_KEPT: usize = 200;

fn json_of<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, Error> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| Error::Shape { column })
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own documents are JSON")
}

const SOURCE: &str = "id, pool, key, version, spec, sealed, cursor, paused, failures, last_error, last_run_at, \
                      next_at, rows_in, runs_done, runs_failed, created_at, created_by, changed_at";

fn source_of(row: &Row) -> Result<Source, Error> {
    Ok(Source {
        id: row.get(0)?,
        pool: row.get(1)?,
        key: row.get(2)?,
        version: row.get(3)?,
        spec: json_of::<SourceSpec>(row, 4)?,
        sealed: row.get(5)?,
        cursor: json_of::<Cursor>(row, 6)?,
        paused: row.get(7)?,
        failures: row.get(8)?,
        last_error: row.get(9)?,
        last_run_at: row.get(10)?,
        next_at: row.get(11)?,
        rows_in: row.get(12)?,
        runs_done: row.get(13)?,
        runs_failed: row.get(14)?,
        created_at: row.get(15)?,
        created_by: row.get(16)?,
        changed_at: row.get(17)?,
    })
}

pub(super) fn insert(tx: &mut dyn Tx, source: &Source) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO sources (id, pool, key, version, spec, sealed, cursor, paused, next_at, created_at, created_by, \
         changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        args![
            source.id,
            source.pool,
            &source.key,
            source.version,
            json(&source.spec),
            source.sealed.clone(),
            json(&source.cursor),
            source.paused,
            source.next_at,
            source.created_at,
            &source.created_by,
            source.changed_at
        ],
    )?;
    Ok(())
}

/// Writes what a person may change.
pub(super) fn update(tx: &mut dyn Tx, source: &Source) -> Result<(), Error> {
    tx.execute(
        "UPDATE sources SET version = $2, spec = $3, sealed = $4, cursor = $5, paused = $6, next_at = $7, \
         changed_at = $8, failures = $9, last_error = $10 WHERE id = $1",
        args![
            source.id,
            source.version,
            json(&source.spec),
            source.sealed.clone(),
            json(&source.cursor),
            source.paused,
            source.next_at,
            source.changed_at,
            source.failures,
            source.last_error.clone()
        ],
    )?;
    Ok(())
}

/// Writes how far it came and how it went.
pub(super) fn progress(tx: &mut dyn Tx, source: &Source) -> Result<(), Error> {
    tx.execute(
        "UPDATE sources SET cursor = $2, failures = $3, last_error = $4, last_run_at = $5, next_at = $6, \
         rows_in = $7, runs_done = $8, runs_failed = $9 WHERE id = $1",
        args![
            source.id,
            json(&source.cursor),
            source.failures,
            source.last_error.clone(),
            source.last_run_at,
            source.next_at,
            source.rows_in,
            source.runs_done,
            source.runs_failed
        ],
    )?;
    Ok(())
}

pub(super) fn delete(tx: &mut dyn Tx, id: SourceId) -> Result<(), Error> {
    tx.execute("DELETE FROM sources WHERE id = $1", args![id])?;
    Ok(())
}

pub(crate) fn by_key(tx: &mut dyn Tx, pool: PoolId, key: &str) -> Result<Option<Source>, Error> {
    tx.query_one(&format!("SELECT {SOURCE} FROM sources WHERE pool = $1 AND key = $2"), args![pool, key])?
        .as_ref()
        .map(source_of)
        .transpose()
}

pub(super) fn by_id(tx: &mut dyn Tx, id: SourceId) -> Result<Option<Source>, Error> {
    tx.query_one(&format!("SELECT {SOURCE} FROM sources WHERE id = $1"), args![id])?.as_ref().map(source_of).transpose()
}

pub(super) fn of_pool(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<Source>, Error> {
    let rows = tx.query(&format!("SELECT {SOURCE} FROM sources WHERE pool = $1 ORDER BY key"), args![pool])?;
    rows.iter().map(source_of).collect()
}

// Runs.

const RUN: &str = "id, version, state, label, file, push_job, cursor, row_count, detail, started_at, ended_at";

fn run_of(row: &Row) -> Result<SourceRun, Error> {
    Ok(SourceRun {
        id: row.get(0)?,
        version: row.get(1)?,
        state: SourceRunState::of(&row.get::<String>(2)?).ok_or(Error::Shape { column: 2 })?,
        label: row.get(3)?,
        file: row.get(4)?,
        push_job: row.get(5)?,
        cursor: json_of(row, 6)?,
        rows: row.get(7)?,
        detail: row.get(8)?,
        started_at: row.get(9)?,
        ended_at: row.get(10)?,
    })
}

/// Adds a run, and forgets the oldest.
pub(super) fn insert_run(tx: &mut dyn Tx, source: SourceId, run: &SourceRun) -> Result<(), Error> {
    tx.execute(
        &format!(
            "INSERT INTO source_runs (source, {RUN}, place) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
             COALESCE(MAX(place), 0) + 1 FROM source_runs WHERE source = $1"
        ),
        args![
            source,
            run.id,
            run.version,
            run.state.as_str(),
            &run.label,
            run.file.clone(),
            run.push_job,
            json(&run.cursor),
            run.rows,
            run.detail.clone(),
            run.started_at,
            run.ended_at
        ],
    )?;
    tx.execute(
        "DELETE FROM source_runs WHERE source = $1 AND state <> 'RUNNING' AND place <= \
         (SELECT MAX(place) FROM source_runs WHERE source = $1) - $2",
        args![source, RUNS_KEPT],
    )?;
    Ok(())
}

pub(super) fn end_run(tx: &mut dyn Tx, run: &SourceRun) -> Result<bool, Error> {
    let ended = tx.execute(
        "UPDATE source_runs SET state = $2, row_count = $3, detail = $4, ended_at = $5 WHERE id = $1 AND state = 'RUNNING'",
        args![run.id, run.state.as_str(), run.rows, run.detail.clone(), run.ended_at],
    )?;
    Ok(ended == 1)
}

/// The one whose push job has not ended, as far as the source knows.
pub(super) fn open_run(tx: &mut dyn Tx, source: SourceId) -> Result<Option<SourceRun>, Error> {
    tx.query_one(
        &format!("SELECT {RUN} FROM source_runs WHERE source = $1 AND state = 'RUNNING' ORDER BY place LIMIT 1"),
        args![source],
    )?
    .as_ref()
    .map(run_of)
    .transpose()
}

/// Lets a run that is under way count for another version of its source.
pub(super) fn adopt_run(tx: &mut dyn Tx, run: &SourceRun, version: u64, cursor: &Cursor) -> Result<(), Error> {
    tx.execute("UPDATE source_runs SET version = $2, cursor = $3 WHERE id = $1", args![run.id, version, json(cursor)])?;
    Ok(())
}

/// The newest first.
pub(super) fn runs(tx: &mut dyn Tx, source: SourceId) -> Result<Vec<SourceRun>, Error> {
    let rows = tx.query(
        &format!("SELECT {RUN} FROM source_runs WHERE source = $1 ORDER BY place DESC LIMIT $2"),
        args![source, RUNS_KEPT],
    )?;
    rows.iter().map(run_of).collect()
}

pub(super) fn new_run(id: SourceRunId, source: &Source, label: String, now: Timestamp) -> SourceRun {
    SourceRun {
        id,
        state: SourceRunState::Running,
        label,
        push_job: None,
        rows: 0,
        detail: None,
        started_at: now,
        ended_at: None,
        version: source.version,
        file: None,
        cursor: Cursor::default(),
    }
}

// Files.

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownFile {
    pub(super) bytes: u64,
    pub(super) modified_at: Timestamp,
    pub(super) checksum: String,
    pub(super) state: FileState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// Its push job has not ended.
    Pushing,
    /// It is in.
    Taken,
    /// It cannot be read.
    Bad,
}

impl FileState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            FileState::Pushing => "PUSHING",
            FileState::Taken => "TAKEN",
            FileState::Bad => "BAD",
        }
    }
}

pub(super) fn file(tx: &mut dyn Tx, source: SourceId, name: &str) -> Result<Option<KnownFile>, Error> {
    let row = tx.query_one(
        "SELECT bytes, modified_at, checksum, state FROM source_files WHERE source = $1 AND name = $2",
        args![source, name],
    )?;
    let Some(row) = row else { return Ok(None) };
    let word: String = row.get(3)?;
    let states = [FileState::Pushing, FileState::Taken, FileState::Bad];
    let state = states.into_iter().find(|state| state.as_str() == word).ok_or(Error::Shape { column: 3 })?;
    Ok(Some(KnownFile { bytes: row.get(0)?, modified_at: row.get(1)?, checksum: row.get(2)?, state }))
}

pub(super) fn put_file(
    tx: &mut dyn Tx,
    source: SourceId,
    name: &str,
    file: &KnownFile,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO source_files (source, name, bytes, modified_at, checksum, state, detail, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (source, name) DO UPDATE SET bytes = excluded.bytes, \
         modified_at = excluded.modified_at, checksum = excluded.checksum, state = excluded.state, \
         detail = excluded.detail, changed_at = excluded.changed_at",
        args![
            source,
            name,
            file.bytes,
            file.modified_at,
            &file.checksum,
            file.state.as_str(),
            detail.map(str::to_owned),
            now
        ],
    )?;
    Ok(())
}

/// The file was touched, and is what it was.
pub(super) fn touch_file(
    tx: &mut dyn Tx,
    source: SourceId,
    name: &str,
    bytes: u64,
    modified_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE source_files SET bytes = $3, modified_at = $4 WHERE source = $1 AND name = $2",
        args![source, name, bytes, modified_at],
    )?;
    Ok(())
}

pub(super) fn set_file_state(
    tx: &mut dyn Tx,
    source: SourceId,
    name: &str,
    state: FileState,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE source_files SET state = $3, detail = $4, changed_at = $5 WHERE source = $1 AND name = $2",
        args![source, name, state.as_str(), detail.map(str::to_owned), now],
    )?;
    Ok(())
}

/// Lets bad files be tried again.
pub(super) fn forget_bad_files(tx: &mut dyn Tx, source: SourceId) -> Result<(), Error> {
    tx.execute("DELETE FROM source_files WHERE source = $1 AND state = 'BAD'", args![source])?;
    Ok(())
}

pub(super) fn bad_files(tx: &mut dyn Tx, source: SourceId) -> Result<Vec<BadFile>, Error> {
    let rows = tx.query(
        "SELECT name, detail, changed_at FROM source_files WHERE source = $1 AND state = 'BAD' ORDER BY name LIMIT 1000",
        args![source],
    )?;
    rows.iter()
        .map(|row| {
            Ok(BadFile {
                name: row.get(0)?,
                detail: row.get::<Option<String>>(1)?.unwrap_or_default(),
                at: row.get(2)?,
            })
        })
        .collect()
}
