//! This crate's SQL: one function per statement.

use base::Timestamp;
use base::args;
use base::db::{Error, Migration, Row, Tx};

use crate::pool::{Pool, Status};
use crate::push_job::{Chunk, ChunkKind, PushJob, State};
use crate::{ChunkId, Committed, DataModel, DataModelId, DataModelSpec, PoolId, PushJobId};

/// The tables of this crate.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "pools/0001_pools", sql: include_str!("../migrations/0001_pools.sql") },
    Migration { name: "pools/0002_continuous_push", sql: include_str!("../migrations/0002_continuous_push.sql") },
    Migration { name: "pools/0003_data_jobs", sql: include_str!("../migrations/0003_data_jobs.sql") },
    Migration { name: "pools/0004_sources", sql: include_str!("../migrations/0004_sources.sql") },
    Migration { name: "pools/0005_imports", sql: include_str!("../migrations/0005_imports.sql") },
    Migration { name: "pools/0006_causes", sql: include_str!("../migrations/0006_causes.sql") },
];

/// Jobs that a list shows at most.
const JOBS_LISTED_MAX: usize = 1_000;

// Pools.

const POOL: &str = "id, name, created_at, created_by";

fn pool_of(row: &Row) -> Result<Pool, Error> {
    Ok(Pool { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)?, created_by: row.get(3)? })
}

pub(crate) fn insert_pool(tx: &mut dyn Tx, pool: &Pool) -> Result<bool, Error> {
    let inserted = tx.execute(
        &format!("INSERT INTO pools ({POOL}) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING"),
        args![pool.id, &pool.name, pool.created_at, &pool.created_by],
    )?;
    Ok(inserted == 1)
}

pub(crate) fn pools(tx: &mut dyn Tx) -> Result<Vec<Pool>, Error> {
    tx.query(&format!("SELECT {POOL} FROM pools ORDER BY name"), args![])?.iter().map(pool_of).collect()
}

pub(crate) fn pool(tx: &mut dyn Tx, id: PoolId) -> Result<Option<Pool>, Error> {
    tx.query_one(&format!("SELECT {POOL} FROM pools WHERE id = $1"), args![id])?.as_ref().map(pool_of).transpose()
}

pub(crate) fn pool_named(tx: &mut dyn Tx, name: &str) -> Result<Option<Pool>, Error> {
    tx.query_one(&format!("SELECT {POOL} FROM pools WHERE name = $1"), args![name])?.as_ref().map(pool_of).transpose()
}

/// What an ended job adds to the figures of its pool.
pub(crate) fn count_ended(tx: &mut dyn Tx, pool: PoolId, state: State, rows: u64) -> Result<(), Error> {
    tx.execute(
        "UPDATE pools SET rows_in = rows_in + $2, jobs_done = jobs_done + $3, jobs_failed = jobs_failed + $4, \
         jobs_canceled = jobs_canceled + $5 WHERE id = $1",
        args![pool, rows, state == State::Done, state == State::Error, state == State::Canceled],
    )?;
    Ok(())
}

pub(crate) fn status(tx: &mut dyn Tx) -> Result<Status, Error> {
    let mut status = Status::default();
    // Sums are of another type than what they sum up in PostgreSQL, so that we
    // add ourselves.
    for row in tx.query("SELECT rows_in, jobs_done, jobs_failed, jobs_canceled FROM pools", args![])? {
        status.pools += 1;
        status.rows_in += row.get::<u64>(0)?;
        status.jobs_done += row.get::<u64>(1)?;
        status.jobs_failed += row.get::<u64>(2)?;
        status.jobs_canceled += row.get::<u64>(3)?;
    }
    let open = tx.query(
        "SELECT state, COUNT(*) FROM push_jobs WHERE state IN ('NEW', 'QUEUED', 'RUNNING') GROUP BY state",
        args![],
    )?;
    for row in open {
        let count = row.get::<u64>(1)?;
        match State::of(&row.get::<String>(0)?) {
            Some(State::New) => status.jobs_new = count,
            Some(State::Queued) => status.jobs_queued = count,
            _ => status.jobs_running = count,
        }
    }
    Ok(status)
}

// Push jobs.

const JOB: &str = "id, pool, state, spec, logs, commit_number, upserted, deleted, created_at, created_by, executed_at, \
                   changed_at";

fn job_of(row: &Row) -> Result<PushJob, Error> {
    let number: Option<u64> = row.get(5)?;
    let committed = match number {
        Some(number) => Some(Committed { number, upserted: row.get(6)?, deleted: row.get(7)? }),
        None => None,
    };
    Ok(PushJob {
        id: row.get(0)?,
        pool: row.get(1)?,
        state: State::of(&row.get::<String>(2)?).ok_or(Error::Shape { column: 2 })?,
        spec: json_of(row, 3)?,
        logs: json_of(row, 4)?,
        committed,
        created_at: row.get(8)?,
        created_by: row.get(9)?,
        executed_at: row.get(10)?,
        changed_at: row.get(11)?,
    })
}

fn json_of<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, Error> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| Error::Shape { column })
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own documents are JSON")
}

pub(crate) fn insert_job(tx: &mut dyn Tx, job: &PushJob) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO push_jobs (id, pool, table_key, state, spec, logs, created_at, created_by, changed_at, continuous) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            job.id,
            job.pool,
            job.spec.target.to_ascii_lowercase(),
            job.state.as_str(),
            json(&job.spec),
            json(&job.logs),
            job.created_at,
            &job.created_by,
            job.changed_at,
            job.spec.continuous.is_some()
        ],
    )?;
    Ok(())
}

pub(crate) fn job(tx: &mut dyn Tx, id: PushJobId) -> Result<Option<PushJob>, Error> {
    tx.query_one(&format!("SELECT {JOB} FROM push_jobs WHERE id = $1"), args![id])?.as_ref().map(job_of).transpose()
}

/// The newest first, without the files of continuous push.
pub(crate) fn jobs(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<PushJob>, Error> {
    let rows = tx.query(
        &format!("SELECT {JOB} FROM push_jobs WHERE pool = $1 AND continuous = 0 ORDER BY id DESC LIMIT $2"),
        args![pool, JOBS_LISTED_MAX],
    )?;
    rows.iter().map(job_of).collect()
}

/// Moves a job from one state to the next; false if it was not in that state.
pub(crate) fn move_job(tx: &mut dyn Tx, id: PushJobId, from: State, to: State, now: Timestamp) -> Result<bool, Error> {
    let moved = tx.execute(
        "UPDATE push_jobs SET state = $3, changed_at = $4 WHERE id = $1 AND state = $2",
        args![id, from.as_str(), to.as_str(), now],
    )?;
    Ok(moved == 1)
}

/// Puts an executed job behind all others.
pub(crate) fn enqueue_job(tx: &mut dyn Tx, id: PushJobId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE push_jobs SET executed_at = $2, turn = (SELECT COALESCE(MAX(turn), 0) + 1 FROM push_jobs) \
         WHERE id = $1",
        args![id, now],
    )?;
    Ok(())
}

/// The next job of each table, in order of execution. Where one runs, those
/// behind it stay behind it, also while nobody knows what became of it.
pub(crate) fn waiting(tx: &mut dyn Tx, limit: usize) -> Result<Vec<(PushJobId, PoolId, String)>, Error> {
    let rows = tx.query(
        "SELECT id, pool, table_key FROM push_jobs job WHERE state = 'QUEUED' AND NOT EXISTS \
         (SELECT 1 FROM push_jobs earlier WHERE earlier.state IN ('QUEUED', 'RUNNING') AND earlier.pool = job.pool \
         AND earlier.table_key = job.table_key AND earlier.turn < job.turn) ORDER BY turn LIMIT $1",
        args![limit],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

pub(crate) fn jobs_in(tx: &mut dyn Tx, state: State) -> Result<Vec<(PushJobId, PoolId)>, Error> {
    let rows = tx.query("SELECT id, pool FROM push_jobs WHERE state = $1 ORDER BY turn", args![state.as_str()])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub(crate) fn set_logs(tx: &mut dyn Tx, id: PushJobId, logs: &[String]) -> Result<(), Error> {
    tx.execute("UPDATE push_jobs SET logs = $2 WHERE id = $1", args![id, json(&logs)])?;
    Ok(())
}

pub(crate) fn set_committed(tx: &mut dyn Tx, id: PushJobId, committed: Committed) -> Result<(), Error> {
    tx.execute(
        "UPDATE push_jobs SET commit_number = $2, upserted = $3, deleted = $4 WHERE id = $1",
        args![id, committed.number, committed.upserted, committed.deleted],
    )?;
    Ok(())
}

/// Deletes a job with its chunks.
pub(crate) fn delete_job(tx: &mut dyn Tx, id: PushJobId) -> Result<(), Error> {
    tx.execute("DELETE FROM push_jobs WHERE id = $1", args![id])?;
    Ok(())
}

// Chunks.

fn chunk_of(row: &Row) -> Result<Chunk, Error> {
    Ok(Chunk {
        id: row.get(0)?,
        job: row.get(1)?,
        kind: ChunkKind::of(&row.get::<String>(2)?).ok_or(Error::Shape { column: 2 })?,
        file_name: row.get(3)?,
        checksum: row.get(4)?,
        bytes: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// Adds a chunk behind the others of its job.
pub(crate) fn insert_chunk(tx: &mut dyn Tx, chunk: &Chunk) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO push_job_chunks (id, job, place, kind, file_name, checksum, bytes, created_at) \
         SELECT $1, $2, COALESCE(MAX(place), 0) + 1, $3, $4, $5, $6, $7 FROM push_job_chunks WHERE job = $2",
        args![
            chunk.id,
            chunk.job,
            chunk.kind.as_str(),
            &chunk.file_name,
            &chunk.checksum,
            chunk.bytes,
            chunk.created_at
        ],
    )?;
    Ok(())
}

/// In the order in which they came.
pub(crate) fn chunks(tx: &mut dyn Tx, job: PushJobId) -> Result<Vec<Chunk>, Error> {
    let rows = tx.query(
        "SELECT id, job, kind, file_name, checksum, bytes, created_at FROM push_job_chunks WHERE job = $1 ORDER BY place",
        args![job],
    )?;
    rows.iter().map(chunk_of).collect()
}

/// Chunks whose files are still needed, or kept.
pub(crate) fn open_chunks(tx: &mut dyn Tx) -> Result<Vec<ChunkId>, Error> {
    let rows = tx.query(
        "SELECT chunk.id FROM push_job_chunks chunk JOIN push_jobs job ON job.id = chunk.job \
         WHERE job.state IN ('NEW', 'QUEUED', 'RUNNING') OR job.kept_until IS NOT NULL",
        args![],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

// Data models.

fn model_of(row: &Row) -> Result<DataModel, Error> {
    let spec: DataModelSpec = json_of(row, 4)?;
    Ok(DataModel::new(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, spec))
}

const MODEL: &str = "id, pool, key, version, spec";

pub(crate) fn insert_model(tx: &mut dyn Tx, model: &DataModel, created_by: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        &format!("INSERT INTO data_models ({MODEL}, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)"),
        args![model.id, model.pool, &model.key, model.version, json(&model.spec()), now, created_by],
    )?;
    Ok(())
}

/// The present version.
pub(crate) fn model(tx: &mut dyn Tx, pool: PoolId, key: &str) -> Result<Option<DataModel>, Error> {
    tx.query_one(
        &format!("SELECT {MODEL} FROM data_models WHERE pool = $1 AND key = $2 ORDER BY version DESC LIMIT 1"),
        args![pool, key],
    )?
    .as_ref()
    .map(model_of)
    .transpose()
}

/// The present version.
pub(crate) fn model_by_id(tx: &mut dyn Tx, id: DataModelId) -> Result<Option<DataModel>, Error> {
    tx.query_one(&format!("SELECT {MODEL} FROM data_models WHERE id = $1 ORDER BY version DESC LIMIT 1"), args![id])?
        .as_ref()
        .map(model_of)
        .transpose()
}

/// The present versions, by key.
pub(crate) fn models(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<DataModel>, Error> {
    let rows = tx.query(
        &format!(
            "SELECT {MODEL} FROM data_models model WHERE pool = $1 AND version = \
             (SELECT MAX(version) FROM data_models other WHERE other.pool = model.pool AND other.key = model.key) \
             ORDER BY key"
        ),
        args![pool],
    )?;
    rows.iter().map(model_of).collect()
}

/// The present versions of all pools' data models with a key.
pub(crate) fn models_with_key(tx: &mut dyn Tx, key: &str) -> Result<Vec<DataModel>, Error> {
    let rows = tx.query(
        &format!(
            "SELECT {MODEL} FROM data_models model WHERE key = $1 AND version = \
             (SELECT MAX(version) FROM data_models other WHERE other.pool = model.pool AND other.key = model.key)"
        ),
        args![key],
    )?;
    rows.iter().map(model_of).collect()
}
