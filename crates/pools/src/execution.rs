//! What it takes to execute one push job.
//!
//! Claim it (recorded: RUNNING), read its chunks and stage the rows, commit
//! them, record what it came to (DONE or ERROR), remove its files. Between any
//! two of these steps the process may end. Then the job is RUNNING, and only
//! the rows know whether it has happened: [`Pools::recover`] asks them.

use base::db::Tx;
use base::error::chain;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::csv::{self, ChunkFile, Refusal};
use crate::import::BytesRead;
use crate::push_job::{self, Chunk, ChunkKind, FileType, Input, PushJob, State};
use crate::{Commit, Committed, Error, Mode, Piece, Pools, PushJobId, TablesError, tables};

/// Pieces that may wait for the tables while the next one is read.
const PIECES_AHEAD: usize = 1;

/// What executing a job came to.
pub(crate) enum Outcome {
    /// Its rows are durable.
    Committed { committed: Committed, logs: Vec<String> },
    /// Nothing of it is visible.
    Refused { logs: Vec<String> },
    /// It was broken off, or nobody knows: it stays RUNNING until someone asks.
    Unknown,
}

impl Pools {
    /// Executes a job if it still waits; false if nobody knows what became of
    /// it.
    pub(crate) async fn execute_now(&self, job: PushJobId, stop: &CancellationToken) -> Result<bool, Error> {
        let _running = Running::of(self, job);
        let Some((job, chunks)) = self.claim(job).await? else { return Ok(true) };
        let outcome = self.load(&job, &chunks, stop).await;
        self.settle(&job, outcome).await
    }

    async fn claim(&self, job: PushJobId) -> Result<Option<(PushJob, Vec<Chunk>)>, Error> {
        let now = self.clock.now();
        self.db
            .write("pools.claim", move |tx| {
                let Some(known) = tables::job(tx, job)? else { return Ok(None) };
                let Some(next) = push_job::next(known.state, Input::Claim) else { return Ok(None) };
                tables::move_job(tx, job, known.state, next, now)?;
                let chunks = tables::chunks(tx, job)?;
                Ok(Some((known, chunks)))
            })
            .await
    }

    /// Brings the rows in.
    async fn load(&self, job: &PushJob, chunks: &[Chunk], stop: &CancellationToken) -> Outcome {
        let staged = match job.spec.file_type {
            FileType::Csv if job.spec.import.is_some() => self.stage_import(job, chunks, stop).await,
            FileType::Csv => self.stage_csv(job, chunks, stop).await,
            FileType::Parquet => self.stage_parquet(job, chunks).await,
        };
        let mut logs = match staged {
            Ok(notes) => notes,
            Err(failure) => {
                self.tables.abandon(job.id);
                return match failure {
                    Failure::Refused(sentence) => Outcome::Refused { logs: vec![sentence] },
                    Failure::Interrupted => Outcome::Unknown,
                };
            }
        };
        let commit = Commit {
            pool: job.pool,
            table: job.spec.target.clone(),
            job: job.id,
            mode: job.spec.mode(),
            at: job.executed_at.unwrap_or(job.created_at),
        };
        match self.tables.commit(commit).await {
            Ok(committed) => {
                logs.push(summary(committed));
                Outcome::Committed { committed, logs }
            }
            Err(error) => self.after_refused_commit(job, error, logs).await,
        }
    }

    /// A commit that failed may have happened all the same: a sync can break
    /// after the bytes are down. So the rows are asked.
    async fn after_refused_commit(&self, job: &PushJob, error: TablesError, mut logs: Vec<String>) -> Outcome {
        self.tables.abandon(job.id);
        match self.tables.outcome(job.pool, job.id).await {
            Ok(Some(committed)) => {
                logs.push(summary(committed));
                Outcome::Committed { committed, logs }
            }
            Ok(None) => {
                logs.push(error.to_string());
                Outcome::Refused { logs }
            }
            Err(again) => {
                tracing::error!(push_job.id = %job.id, %error, again = %chain(&again), "nobody knows whether a push job was committed");
                Outcome::Unknown
            }
        }
    }

    async fn stage_csv(
        &self,
        job: &PushJob,
        chunks: &[Chunk],
        stop: &CancellationToken,
    ) -> Result<Vec<String>, Failure> {
        let table = match job.spec.mode() {
            Mode::Replace => None,
            Mode::Append | Mode::Upsert { .. } => self.tables.table(job.pool, &job.spec.target).await?,
        };
        let files = chunks.iter().map(|chunk| ChunkFile {
            kind: chunk.kind,
            name: chunk.file_name.clone(),
            path: self.spool.path(chunk.id),
            read: BytesRead::default(),
        });
        let (spec, files, stop) = (job.spec.clone(), files.collect::<Vec<_>>(), stop.clone());
        let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            let schema = table.as_ref().map(|table| &table.schema);
            csv::load(&spec, &files, schema, |piece| {
                if stop.is_cancelled() || pieces.blocking_send(piece).is_err() {
                    return Err(Refusal::Stopped);
                }
                Ok(())
            })
        });
        while let Some(piece) = arriving.recv().await {
            self.tables.stage(job.pool, job.id, piece).await?;
        }
        match reading.await {
            Ok(Ok(notes)) => Ok(notes),
            Ok(Err(Refusal::Rows(sentence))) => Err(Failure::Refused(sentence)),
            Err(error) if error.is_panic() => {
                tracing::error!(push_job.id = %job.id, "the reading of a push job's chunks panicked");
                Err(Failure::Refused("the chunks could not be read: this is a fault of Loopwright".into()))
            }
            Ok(Err(Refusal::Stopped)) | Err(_) => Err(Failure::Interrupted),
        }
    }

    async fn stage_parquet(&self, job: &PushJob, chunks: &[Chunk]) -> Result<Vec<String>, Failure> {
        for chunk in chunks {
            let path = self.spool.path(chunk.id);
            let piece = match chunk.kind {
                ChunkKind::Upsert => Piece::UpsertParquet(path),
                ChunkKind::Delete => Piece::DeleteParquet(path),
            };
            self.tables.stage(job.pool, job.id, piece).await.map_err(|error| match error {
                // The caller knows the file by the name it came with.
                TablesError::BadFile { detail, .. } => {
                    Failure::Refused(format!("file \"{}\": {detail}", chunk.file_name))
                }
                error => Failure::Refused(error.to_string()),
            })?;
        }
        Ok(Vec::new())
    }

    /// Records what a job came to and tells those who wait for it; false if
    /// there is nothing to record.
    pub(crate) async fn settle(&self, job: &PushJob, outcome: Outcome) -> Result<bool, Error> {
        let (input, committed, logs) = match outcome {
            Outcome::Committed { committed, logs } => (Input::Committed, Some(committed), logs),
            Outcome::Refused { logs } => (Input::Refused, None, logs),
            Outcome::Unknown => return Ok(false),
        };
        let (id, now) = (job.id, self.clock.now());
        let state = push_job::next(State::Running, input).expect("a job that runs can end");
        let chunks = self
            .db
            .write("pools.settle", move |tx| {
                if tables::move_job(tx, id, State::Running, state, now)? {
                    record_end(tx, id, state, committed, &logs)?;
                }
                Ok::<_, Error>(tables::chunks(tx, id)?)
            })
            .await?;
        tracing::info!(push_job.id = %id, state = %state, table = %job.spec.target, "a push job has ended");
        self.ended.send_modify(|count| *count += 1);
        self.spool.remove(chunks.into_iter().map(|chunk| chunk.id).collect()).await;
        Ok(true)
    }
}

fn record_end(
    tx: &mut dyn Tx,
    id: PushJobId,
    state: State,
    committed: Option<Committed>,
    logs: &[String],
) -> Result<(), Error> {
    let Some(job) = tables::job(tx, id)? else { return Ok(()) };
    tables::set_logs(tx, id, logs)?;
    if let Some(committed) = committed {
        tables::set_committed(tx, id, committed)?;
    }
    tables::count_ended(tx, job.pool, state, committed.map_or(0, |committed| committed.upserted))?;
    Ok(())
}

pub(crate) fn summary(committed: Committed) -> String {
    let Committed { number, upserted, deleted } = committed;
    format!("{upserted} rows came in and {deleted} were deleted with commit {number}")
}

/// Why rows could not be staged.
pub(crate) enum Failure {
    Refused(String),
    Interrupted,
}

impl From<TablesError> for Failure {
    fn from(error: TablesError) -> Self {
        Failure::Refused(error.to_string())
    }
}

/// Says that a job runs in this process, until it is dropped.
struct Running<'a>(&'a Pools, PushJobId);

impl<'a> Running<'a> {
    fn of(pools: &'a Pools, job: PushJobId) -> Self {
        pools.running.lock().insert(job);
        Running(pools, job)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.lock().remove(&self.1);
    }
}
