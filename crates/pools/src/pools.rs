//! The verbs of data integration.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::db::{Control, Db, Tx};
use base::{Actor, Chance, Clock, Timestamp, audit};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Notify, watch};

use crate::chunk_upload::{ChunkUpload, takes_chunks};
use crate::limits::Executions;
use crate::pool::{self, Pool, Status};
use crate::push_job::{self, Chunk, ChunkKind, Input, PushJob, PushJobSpec, State};
use crate::source::{Outside, SourceId};
use crate::spool::Spool;
use crate::{
    ChunkId, DataModel, DataModelId, DataModelSpec, Error, PoolId, PushJobId, TableInfo, Tables, TablesError,
    data_model, push_tables, tables,
};

/// What an installation may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that uploaded chunks may take on disk together.
    pub spool_bytes_max: u64,
    /// Bytes that one chunk may have.
    pub chunk_bytes_max: u64,
    /// Push jobs that run at the same time.
    pub jobs_at_once: usize,
    /// How long the chunks of a job stay that may be loaded again; zero for
    /// not at all.
    pub keep_chunks: Duration,
    /// Bytes that kept chunks may have together.
    pub keep_chunks_bytes_max: u64,
    /// Push jobs that may be executed in a second; 0 for any number.
    pub executions_per_second_max: u64,
    /// Push jobs that may be executed in an hour of the clock; 0 for any number.
    pub executions_per_hour_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            spool_bytes_max: u64::MAX,
            chunk_bytes_max: 1 << 30,
            jobs_at_once: 4,
            keep_chunks: Duration::from_hours(24),
            keep_chunks_bytes_max: 4 << 30,
            executions_per_second_max: 0,
            executions_per_hour_max: 0,
        }
    }
}

/// Data integration: pools, push jobs, tables, data models.
pub struct Pools {
    pub(crate) db: Db<Control>,
    pub(crate) tables: Arc<dyn Tables>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) options: Options,
    /// Wakes the worker.
    pub(crate) nudge: Notify,
    /// Counts the jobs that ended since the start.
    pub(crate) ended: watch::Sender<u64>,
    /// Jobs that run in this process.
    pub(crate) running: Mutex<HashSet<PushJobId>>,
    /// Counts executions against the limits.
    pub(crate) executions: Mutex<Executions>,
    /// Data jobs.
    pub(crate) data_jobs: crate::data_job_work::DataJobs,
    /// How sources reach the world, and what wakes them.
    pub(crate) outside: OnceLock<Outside>,
    pub(crate) source_nudge: Notify,
    /// Sources whose turn it is in this process.
    pub(crate) source_turns: Mutex<HashSet<SourceId>>,
    /// How far those of them have come that are imports.
    pub(crate) progress: crate::import::Progress,
}

impl Pools {
    /// Puts data integration together; `spool` is the folder in which chunks
    /// wait for their job.
    pub fn new(
        db: Db<Control>,
        tables: Arc<dyn Tables>,
        spool: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Self {
        Pools::with_options(db, tables, spool, clock, chance, Options::default())
    }

    /// The same as [`Pools::new`], for those who set something.
    pub fn with_options(
        db: Db<Control>,
        tables: Arc<dyn Tables>,
        spool: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        options: Options,
    ) -> Self {
        Pools {
            db,
            tables,
            spool: Arc::new(Spool::new(spool.into(), options.spool_bytes_max)),
            clock,
            chance,
            options,
            nudge: Notify::new(),
            ended: watch::Sender::new(0),
            running: Mutex::default(),
            executions: Mutex::default(),
            data_jobs: crate::data_job_work::DataJobs::default(),
            outside: OnceLock::new(),
            source_nudge: Notify::new(),
            source_turns: Mutex::default(),
            progress: crate::import::Progress::default(),
        }
    }

    // Pools.

    /// Makes a pool; its name must be new.
    pub async fn create(&self, actor: &Actor, name: &str) -> Result<Pool, Error> {
        let name = pool::named("data pool", name)?;
        let now = self.clock.now();
        let pool = Pool { id: PoolId::new(now, &*self.chance), name, created_at: now, created_by: actor.name.clone() };
        let (made, actor) = (pool.clone(), actor.clone());
        self.db
            .write("pools.create", move |tx| {
                if !tables::insert_pool(tx, &made)? {
                    return Err(Error::PoolNameTaken { name: made.name.clone() });
                }
                let after = json!({ "name": made.name });
                audit::record(tx, &actor, "create", "pool", &made.id.to_string(), None, Some(&after), now)?;
                Ok(())
            })
            .await?;
        Ok(pool)
    }

    /// Tells the names of writes to the control database from now on, each once
    /// it is durable, whichever crate wrote.
    pub fn committed(&self) -> tokio::sync::broadcast::Receiver<&'static str> {
        self.db.committed()
    }

    /// Lists the pools by name.
    pub async fn list(&self) -> Result<Vec<Pool>, Error> {
        self.db.read("pools.list", |tx| Ok(tables::pools(tx)?)).await
    }

    /// Returns a pool by its id or, if that names none, by its name.
    pub async fn pool(&self, id_or_name: &str) -> Result<Pool, Error> {
        let asked = id_or_name.to_owned();
        self.db
            .read("pools.pool", move |tx| {
                let by_id = match asked.parse::<PoolId>() {
                    Ok(id) => tables::pool(tx, id)?,
                    Err(_) => None,
                };
                let found = match by_id {
                    Some(pool) => Some(pool),
                    None => tables::pool_named(tx, &asked)?,
                };
                found.ok_or(Error::UnknownPool { pool: asked })
            })
            .await
    }

    /// Returns figures for a status page.
    pub async fn status(&self) -> Result<Status, Error> {
        self.db.read("pools.status", |tx| Ok(tables::status(tx)?)).await
    }

    // Tables.

    /// Returns the port to the rows.
    pub fn rows(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    /// Lists the tables of a pool with their columns, keys and row counts.
    pub async fn tables(&self, pool: PoolId) -> Result<Vec<TableInfo>, Error> {
        self.known_pool(pool).await?;
        Ok(self.tables.list(pool).await?)
    }

    /// Describes a table, its name in any case.
    pub async fn table(&self, pool: PoolId, table: &str) -> Result<TableInfo, Error> {
        self.known_pool(pool).await?;
        let found = self.tables.table(pool, table).await?;
        found.ok_or_else(|| Error::Tables(TablesError::UnknownTable { table: table.to_owned() }))
    }

    async fn known_pool(&self, pool: PoolId) -> Result<(), Error> {
        self.db.read("pools.known", move |tx| must_have_pool(tx, pool)).await
    }

    // Push jobs.

    /// Makes a push job.
    pub async fn create_job(&self, actor: &Actor, pool: PoolId, spec: PushJobSpec) -> Result<PushJob, Error> {
        let now = self.clock.now();
        let spec = PushJobSpec { causes: actor.causes.clone(), ..spec };
        let job = PushJob {
            id: PushJobId::new(now, &*self.chance),
            pool,
            spec: spec.checked()?,
            state: State::New,
            logs: Vec::new(),
            committed: None,
            created_at: now,
            created_by: actor.name.clone(),
            executed_at: None,
            changed_at: now,
        };
        let (made, actor) = (job.clone(), actor.clone());
        self.db
            .write("pools.create_job", move |tx| {
                must_have_pool(tx, made.pool)?;
                tables::insert_job(tx, &made)?;
                let after = json!({ "pool": made.pool, "table": made.spec.target, "type": made.spec.job_type });
                audit::record(tx, &actor, "create", "push-job", &made.id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        Ok(job)
    }

    /// Lists the push jobs of a pool, the newest first, at most 1,000.
    pub async fn jobs(&self, pool: PoolId) -> Result<Vec<PushJob>, Error> {
        self.db
            .read("pools.jobs", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::jobs(tx, pool)?)
            })
            .await
    }

    /// Returns a push job.
    pub async fn job(&self, pool: PoolId, job: PushJobId) -> Result<PushJob, Error> {
        self.db.read("pools.job", move |tx| job_of(tx, pool, job)).await
    }

    /// Executes a push job: it waits for its turn from now on.
    pub async fn execute(&self, actor: &Actor, pool: PoolId, job: PushJobId) -> Result<PushJob, Error> {
        self.execute_newest(actor, pool, job, None).await
    }

    /// Executes a push job. Where a column is named, it tells which of several
    /// rows with one key is the newest.
    pub async fn execute_newest(
        &self,
        actor: &Actor,
        pool: PoolId,
        job: PushJobId,
        newest_by: Option<String>,
    ) -> Result<PushJob, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.count_execution(now)?;
        let executed = self
            .db
            .write("pools.execute", move |tx| {
                let known = job_of(tx, pool, job)?;
                let Some(next) = push_job::next(known.state, Input::Execute) else {
                    return Err(Error::ExecutedAlready { job, state: known.state });
                };
                if tables::chunks(tx, job)?.is_empty() {
                    return Err(Error::NoChunks { job });
                }
                let mut spec = known.spec.clone();
                if newest_by.is_some() {
                    spec.newest_by.clone_from(&newest_by);
                }
                // Whoever executes it makes the rows visible; if that one does
                // not say why, whoever made the job did.
                if !actor.causes.is_empty() {
                    spec.causes.clone_from(&actor.causes);
                }
                if spec != known.spec {
                    push_tables::set_spec(tx, job, &spec)?;
                }
                tables::move_job(tx, job, known.state, next, now)?;
                tables::enqueue_job(tx, job, now)?;
                record_move(tx, &actor, "execute", job, known.state, next, now)?;
                job_of(tx, pool, job)
            })
            .await?;
        self.nudge.notify_one();
        Ok(executed)
    }

    /// Gives up a push job that does not run yet.
    pub async fn cancel(&self, actor: &Actor, pool: PoolId, job: PushJobId) -> Result<PushJob, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let (canceled, chunks) = self
            .db
            .write("pools.cancel", move |tx| {
                let known = job_of(tx, pool, job)?;
                let Some(next) = push_job::next(known.state, Input::Cancel) else {
                    return Err(Error::WrongState { job, verb: "canceled", state: known.state });
                };
                tables::move_job(tx, job, known.state, next, now)?;
                tables::count_ended(tx, pool, next, 0)?;
                record_move(tx, &actor, "cancel", job, known.state, next, now)?;
                Ok((job_of(tx, pool, job)?, tables::chunks(tx, job)?))
            })
            .await?;
        self.forget(chunks).await;
        Ok(canceled)
    }

    /// Deletes a push job with its chunks, unless it runs. Rows that it brought
    /// stay.
    pub async fn delete(&self, actor: &Actor, pool: PoolId, job: PushJobId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let chunks = self
            .db
            .write("pools.delete", move |tx| {
                let known = job_of(tx, pool, job)?;
                if known.state == State::Running {
                    return Err(Error::WrongState { job, verb: "deleted", state: known.state });
                }
                let chunks = tables::chunks(tx, job)?;
                if !known.state.is_final() {
                    tables::count_ended(tx, pool, State::Canceled, 0)?;
                }
                tables::delete_job(tx, job)?;
                let before = json!({ "table": known.spec.target, "state": known.state.as_str() });
                audit::record(tx, &actor, "delete", "push-job", &job.to_string(), Some(&before), None, now)?;
                Ok(chunks)
            })
            .await?;
        self.forget(chunks).await;
        Ok(())
    }

    /// Removes the files of a job that is not to run any more, and lets those
    /// go on that waited for it.
    async fn forget(&self, chunks: Vec<Chunk>) {
        self.ended.send_modify(|count| *count += 1);
        self.nudge.notify_one();
        self.spool.remove(chunks.into_iter().map(|chunk| chunk.id).collect()).await;
    }

    /// Waits until a push job has ended, and returns it.
    pub async fn settled(&self, pool: PoolId, job: PushJobId) -> Result<PushJob, Error> {
        let mut ended = self.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let known = self.job(pool, job).await?;
            if known.state.is_final() {
                return Ok(known);
            }
            if ended.changed().await.is_err() {
                return Ok(known);
            }
        }
    }

    // Chunks.

    /// Begins to take a chunk. Give it the bytes as they come, then
    /// [`ChunkUpload::finish`] it; dropped before, nothing of it stays.
    pub async fn add_chunk(
        &self,
        pool: PoolId,
        job: PushJobId,
        kind: ChunkKind,
        file_name: &str,
    ) -> Result<ChunkUpload, Error> {
        self.db
            .read("pools.add_chunk", move |tx| {
                let known = job_of(tx, pool, job)?;
                if kind == ChunkKind::Delete && !matches!(known.spec.mode(), crate::Mode::Upsert { .. }) {
                    return Err(Error::DeletesNeedKeys { job });
                }
                takes_chunks(&known)
            })
            .await?;
        let id = ChunkId::new(self.clock.now(), &*self.chance);
        Ok(ChunkUpload {
            upload: self.spool.upload(id),
            db: self.db.clone(),
            clock: self.clock.clone(),
            spool: self.spool.clone(),
            bytes_max: self.options.chunk_bytes_max,
            pool,
            job,
            kind,
            file_name: shown_name(file_name),
        })
    }

    /// Lists the chunks of a push job in the order in which they came.
    pub async fn chunks(&self, pool: PoolId, job: PushJobId) -> Result<Vec<Chunk>, Error> {
        self.db
            .read("pools.chunks", move |tx| {
                job_of(tx, pool, job)?;
                Ok(tables::chunks(tx, job)?)
            })
            .await
    }

    // Data models.

    /// Makes a data model, or a new version of it where something changed.
    pub async fn put_data_model(
        &self,
        actor: &Actor,
        pool: PoolId,
        key: &str,
        mut spec: DataModelSpec,
    ) -> Result<PutDataModel, Error> {
        let key = data_model::checked_key(key)?;
        if spec.name.trim().is_empty() {
            spec.name.clone_from(&key);
        }
        let existing = self.tables(pool).await?;
        let refuse = |detail| Error::BadDataModel { key: key.clone(), detail };
        let notes = data_model::check(&spec, &existing).map_err(refuse)?;
        let (actor, now) = (actor.clone(), self.clock.now());
        let fresh = DataModelId::new(now, &*self.chance);
        let model = self
            .db
            .write("pools.put_data_model", move |tx| {
                let before = tables::model(tx, pool, &key)?;
                if let Some(before) = &before
                    && before.spec() == spec
                {
                    return Ok(before.clone());
                }
                let id = before.as_ref().map_or(fresh, |before| before.id);
                let version = before.as_ref().map_or(0, |before| before.version) + 1;
                let model = DataModel::new(id, pool, key.clone(), version, spec.clone());
                tables::insert_model(tx, &model, &actor.name, now)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let before = before.map(|before| json!(before));
                let after = json!(model);
                audit::record(tx, &actor, verb, "data-model", &id.to_string(), before.as_ref(), Some(&after), now)?;
                Ok::<_, Error>(model)
            })
            .await?;
        Ok(PutDataModel { model, notes })
    }

    /// Lists the data models of a pool by key.
    pub async fn data_models(&self, pool: PoolId) -> Result<Vec<DataModel>, Error> {
        self.db
            .read("pools.data_models", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::models(tx, pool)?)
            })
            .await
    }

    /// Returns the present version of a data model, by its key or its id.
    pub async fn data_model(&self, pool: PoolId, key: &str) -> Result<DataModel, Error> {
        let key = key.to_owned();
        self.db
            .read("pools.data_model", move |tx| {
                must_have_pool(tx, pool)?;
                let by_key = tables::model(tx, pool, &key)?;
                let found = match (by_key, key.parse::<DataModelId>()) {
                    (Some(model), _) => Some(model),
                    (None, Ok(id)) => tables::model_by_id(tx, id)?.filter(|model| model.pool == pool),
                    (None, Err(_)) => None,
                };
                found.ok_or(Error::UnknownDataModel { key })
            })
            .await
    }

    /// Finds the present version of a data model by its id, by `POOL/KEY` (the
    /// pool by id or name), or by a key that only one pool has.
    pub async fn find_data_model(&self, reference: &str) -> Result<DataModel, Error> {
        if let Ok(id) = reference.parse::<DataModelId>() {
            return self.data_model_by_id(id).await;
        }
        if let Some((pool, key)) = reference.rsplit_once('/') {
            let pool = self.pool(pool).await?;
            return self.data_model(pool.id, key).await;
        }
        let key = reference.to_owned();
        self.db
            .read("pools.find_data_model", move |tx| {
                let mut found = tables::models_with_key(tx, &key)?;
                match found.len() {
                    0 => Err(Error::UnknownDataModel { key }),
                    1 => Ok(found.remove(0)),
                    pools => Err(Error::AmbiguousDataModel { key, pools }),
                }
            })
            .await
    }

    /// Returns the present version of a data model of any pool.
    pub async fn data_model_by_id(&self, id: DataModelId) -> Result<DataModel, Error> {
        self.db
            .read("pools.data_model_by_id", move |tx| {
                tables::model_by_id(tx, id)?.ok_or(Error::UnknownDataModel { key: id.to_string() })
            })
            .await
    }
}

/// What became of a data model that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutDataModel {
    /// The version that holds now.
    pub model: DataModel,
    /// What is strange about it, in sentences.
    pub notes: Vec<String>,
}

pub(crate) fn must_have_pool(tx: &mut dyn Tx, pool: PoolId) -> Result<(), Error> {
    match tables::pool(tx, pool)? {
        Some(_) => Ok(()),
        None => Err(Error::UnknownPool { pool: pool.to_string() }),
    }
}

/// Finds a job of this pool; the job of another one does not exist here.
pub(crate) fn job_of(tx: &mut dyn Tx, pool: PoolId, job: PushJobId) -> Result<PushJob, Error> {
    must_have_pool(tx, pool)?;
    let known = tables::job(tx, job)?.filter(|known| known.pool == pool);
    known.ok_or(Error::UnknownJob { job })
}

/// Logs speak of a file by its name, so it must have a decent one.
pub(crate) fn shown_name(file_name: &str) -> String {
    let trimmed = file_name.trim();
    let file_name = if trimmed.is_empty() { "file" } else { trimmed };
    file_name.chars().filter(|letter| !letter.is_control()).take(255).collect()
}

fn record_move(
    tx: &mut dyn Tx,
    actor: &Actor,
    verb: &str,
    job: PushJobId,
    from: State,
    to: State,
    now: Timestamp,
) -> Result<(), Error> {
    let (before, after) = (json!({ "state": from.as_str() }), json!({ "state": to.as_str() }));
    audit::record(tx, actor, verb, "push-job", &job.to_string(), Some(&before), Some(&after), now)?;
    Ok(())
}

#[cfg(test)]
mod tests;
