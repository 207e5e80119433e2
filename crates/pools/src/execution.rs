//! What it takes to execute one push job.
//!
//! Claim it (recorded: RUNNING), read its chunks and stage the rows, commit
//! them, record what it came to (DONE or ERROR), remove its files. Between any
//! two of these steps the process may end. Then the job is RUNNING, and only
//! the rows know whether it has happened: [`Pools::recover`] asks them.

use base::Timestamp;
use base::db::Tx;
use base::error::{Coded, Kind, chain};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::continuous::{Item, ORDERED_BYTES_MAX};
use crate::csv::{self, ChunkFile, Refusal};
use crate::import::BytesRead;
use crate::push_job::{self, Chunk, ChunkKind, FileType, Input, PushJob, State};
use crate::rows::Rows;
use crate::{Commit, Committed, Error, Mode, Piece, Pools, PushJobId, TablesError, push_tables, tables};

/// Pieces that may wait for the tables while the next one is read.
const PIECES_AHEAD: usize = 1;

/// What executing a job came to.
pub(crate) enum Outcome {
    /// Its rows are durable.
    Committed { committed: Committed, logs: Vec<String> },
    /// Nothing of it is visible: the rows are at fault.
    Refused { logs: Vec<String> },
    /// Nothing of it is visible, and the rows are not at fault.
    Failed { logs: Vec<String> },
    /// It was broken off, or nobody knows: it stays RUNNING until someone asks.
    Unknown,
}

/// A job and what it came to.
pub(crate) struct Settled {
    pub(crate) job: PushJob,
    pub(crate) outcome: Outcome,
}

/// What is recorded about a job that has ended.
struct End {
    id: PushJobId,
    state: State,
    committed: Option<Committed>,
    logs: Vec<String>,
    kept_until: Option<Timestamp>,
}

impl Pools {
    /// Executes a job if it still waits; false if nobody knows what became of
    /// it.
    pub(crate) async fn execute_now(&self, job: PushJobId, stop: &CancellationToken) -> Result<bool, Error> {
        let _running = Running::of(self, job);
        let Some(mut claimed) = self.claim(job).await? else { return Ok(true) };
        if claimed[0].job.spec.continuous.is_some() {
            let _also: Vec<_> = claimed[1..].iter().map(|item| Running::of(self, item.job.id)).collect();
            return self.execute_items(claimed, stop).await;
        }
        let Item { job, chunks } = claimed.remove(0);
        let outcome = self.load(&job, &chunks, stop).await;
        self.settle(&job, outcome).await
    }

    /// Claims a job, and with a file of continuous push those that go with it.
    async fn claim(&self, job: PushJobId) -> Result<Option<Vec<Item>>, Error> {
        let now = self.clock.now();
        self.db
            .write("pools.claim", move |tx| {
                let Some(known) = tables::job(tx, job)? else { return Ok(None) };
                let Some(next) = push_job::next(known.state, Input::Claim) else { return Ok(None) };
                tables::move_job(tx, job, known.state, next, now)?;
                let chunks = tables::chunks(tx, job)?;
                let followers = match known.spec.continuous {
                    Some(_) => {
                        let bytes = chunks.iter().map(|chunk| chunk.bytes).sum();
                        Pools::followers(tx, &known, bytes, now)?
                    }
                    None => Vec::new(),
                };
                let mut claimed = vec![Item { job: known, chunks }];
                claimed.extend(followers);
                Ok(Some(claimed))
            })
            .await
    }

    /// Brings the rows in.
    async fn load(&self, job: &PushJob, chunks: &[Chunk], stop: &CancellationToken) -> Outcome {
        if let Some(refused) = self.came_too_late(job).await {
            return refused;
        }
        let staged = match job.spec.file_type {
            FileType::Csv if job.spec.import.is_some() => self.stage_import(job, chunks, stop).await,
            FileType::Csv => self.stage_csv(job, chunks, stop).await,
            FileType::Parquet => self.stage_parquet(job, chunks).await,
        };
        match staged {
            Ok(notes) => self.commit_staged(job, job.spec.mode(), notes).await,
            Err(failure) => {
                self.tables.abandon(job.id);
                match failure {
                    Failure::Refused(sentence) => Outcome::Refused { logs: vec![sentence] },
                    Failure::Broken(sentence) => Outcome::Failed { logs: vec![sentence] },
                    Failure::Interrupted => Outcome::Unknown,
                }
            }
        }
    }

    /// Refuses a job that was to take another one's place, where somebody has
    /// written into the table since.
    async fn came_too_late(&self, job: &PushJob) -> Option<Outcome> {
        let before = job.spec.instead_of?;
        match self.tables.table(job.pool, &job.spec.target).await {
            Ok(Some(table)) if table.changed_by != before => {
                let (name, now) = (&table.name, table.changed_by);
                let sentence = format!(
                    "table \"{name}\" was changed by commit {now} since; it would be lost, so nothing was loaded again"
                );
                Some(Outcome::Refused { logs: vec![sentence] })
            }
            Ok(_) => None,
            Err(error) => Some(of_tables(&error, vec![error.to_string()])),
        }
    }

    /// Commits what was staged for a job.
    pub(crate) async fn commit_staged(&self, job: &PushJob, mode: Mode, mut logs: Vec<String>) -> Outcome {
        let commit = Commit {
            pool: job.pool,
            table: job.spec.target.clone(),
            job: job.id,
            mode,
            at: job.executed_at.unwrap_or(job.created_at),
            causes: job.spec.causes.clone(),
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
                of_tables(&error, logs)
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
        let schema = match job.spec.mode() {
            Mode::Replace => None,
            Mode::Append | Mode::Upsert { .. } => self.tables.columns(job.pool, &job.spec.target).await?,
        };
        let (newest, said) = newest_counts(job, chunks)?;
        let files = chunks.iter().map(|chunk| ChunkFile {
            kind: chunk.kind,
            name: chunk.file_name.clone(),
            path: self.spool.path(chunk.id),
            read: BytesRead::default(),
        });
        let (spec, files, stop) = (job.spec.clone(), files.collect::<Vec<_>>(), stop.clone());
        let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            csv::load(&spec, &files, schema.as_ref(), |piece| {
                if stop.is_cancelled() || pieces.blocking_send(piece).is_err() {
                    return Err(Refusal::Stopped);
                }
                Ok(())
            })
        });
        // Rows of which only the newest count wait until all have come.
        let mut came = Vec::new();
        while let Some(piece) = arriving.recv().await {
            match piece {
                Piece::Upsert(rows) if newest => came.push(rows),
                piece => self.tables.stage(job.pool, job.id, piece).await?,
            }
        }
        match reading.await {
            Ok(Ok(mut notes)) => {
                notes.extend(said);
                self.stage_newest(job, came, &mut notes).await?;
                Ok(notes)
            }
            Ok(Err(Refusal::Rows(sentence))) => Err(Failure::Refused(sentence)),
            Err(error) if error.is_panic() => {
                tracing::error!(push_job.id = %job.id, "the reading of a push job's chunks panicked");
                Err(Failure::Broken("the chunks could not be read: this is a fault of Loopwright".into()))
            }
            Ok(Err(Refusal::Stopped)) | Err(_) => Err(Failure::Interrupted),
        }
    }

    async fn stage_newest(&self, job: &PushJob, came: Vec<Rows>, notes: &mut Vec<String>) -> Result<(), Failure> {
        let (Some(order), false) = (&job.spec.newest_by, came.is_empty()) else { return Ok(()) };
        let rows = self.only_newest(job, came, &job.spec.keys(), order, notes).await?;
        for rows in rows {
            self.tables.stage(job.pool, job.id, Piece::Upsert(rows)).await?;
        }
        Ok(())
    }

    async fn stage_parquet(&self, job: &PushJob, chunks: &[Chunk]) -> Result<Vec<String>, Failure> {
        let (newest, said) = newest_counts(job, chunks)?;
        let mut came = Vec::new();
        for chunk in chunks {
            let path = self.spool.path(chunk.id);
            if newest {
                came.push(self.tables.read_parquet(&path).await?);
                continue;
            }
            let piece = match chunk.kind {
                ChunkKind::Upsert => Piece::UpsertParquet(path),
                ChunkKind::Delete => Piece::DeleteParquet(path),
            };
            self.tables.stage(job.pool, job.id, piece).await.map_err(|error| match error {
                // The caller knows the file by the name it came with.
                TablesError::BadFile { detail, .. } => {
                    Failure::Refused(format!("file \"{}\": {detail}", chunk.file_name))
                }
                error => error.into(),
            })?;
        }
        let mut notes: Vec<String> = said.into_iter().collect();
        self.stage_newest(job, came, &mut notes).await?;
        Ok(notes)
    }

    /// Records what a job came to and tells those who wait for it; false if
    /// there is nothing to record.
    pub(crate) async fn settle(&self, job: &PushJob, outcome: Outcome) -> Result<bool, Error> {
        self.settle_all(vec![Settled { job: job.clone(), outcome }]).await
    }

    /// The same for jobs that ended together, in one transaction.
    pub(crate) async fn settle_all(&self, settled: Vec<Settled>) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut ends = Vec::new();
        for Settled { job, outcome } in settled {
            let is_of_rows = !matches!(outcome, Outcome::Failed { .. });
            let (input, committed, mut logs) = match outcome {
                Outcome::Committed { committed, logs } => (Input::Committed, Some(committed), logs),
                Outcome::Refused { logs } | Outcome::Failed { logs } => (Input::Refused, None, logs),
                Outcome::Unknown => return Ok(false),
            };
            let state = push_job::next(State::Running, input).expect("a job that runs can end");
            let kept_until = is_of_rows.then(|| self.kept_until(&job, state, &mut logs, now)).flatten();
            tracing::info!(push_job.id = %job.id, state = %state, table = %job.spec.target, "a push job has ended");
            ends.push(End { id: job.id, state, committed, logs, kept_until });
        }
        let files = self
            .db
            .write("pools.settle", move |tx| {
                let mut files = Vec::new();
                for end in &ends {
                    if tables::move_job(tx, end.id, State::Running, end.state, now)? {
                        record_end(tx, end)?;
                    }
                    if end.kept_until.is_none() {
                        files.extend(tables::chunks(tx, end.id)?.into_iter().map(|chunk| chunk.id));
                    }
                }
                Ok::<_, Error>(files)
            })
            .await?;
        self.ended.send_modify(|count| *count += 1);
        self.spool.remove(files).await;
        Ok(true)
    }
}

fn record_end(tx: &mut dyn Tx, end: &End) -> Result<(), Error> {
    let Some(job) = tables::job(tx, end.id)? else { return Ok(()) };
    tables::set_logs(tx, end.id, &end.logs)?;
    if let Some(committed) = end.committed {
        tables::set_committed(tx, end.id, committed)?;
    }
    push_tables::set_kept(tx, end.id, end.kept_until)?;
    tables::count_ended(tx, job.pool, end.state, end.committed.map_or(0, |committed| committed.upserted))?;
    Ok(())
}

pub(crate) fn summary(committed: Committed) -> String {
    let Committed { number, upserted, deleted } = committed;
    format!("{upserted} rows came in and {deleted} were deleted with commit {number}")
}

/// Why rows could not be staged.
pub(crate) enum Failure {
    Refused(String),
    Broken(String),
    Interrupted,
}

impl From<TablesError> for Failure {
    fn from(error: TablesError) -> Self {
        match error.kind() {
            Kind::Invalid => Failure::Refused(error.to_string()),
            _ => Failure::Broken(error.to_string()),
        }
    }
}

/// Tells whether only the newest row of each key counts, and what there is to
/// say about that.
fn newest_counts(job: &PushJob, chunks: &[Chunk]) -> Result<(bool, Option<String>), Failure> {
    let Some(order) = &job.spec.newest_by else { return Ok((false, None)) };
    if job.spec.keys().is_empty() {
        let note = format!("duplicateRemovalColumn \"{order}\" has no effect: the job has no keys");
        return Ok((false, Some(note)));
    }
    if chunks.iter().any(|chunk| chunk.kind == ChunkKind::Delete) {
        let note = format!("duplicateRemovalColumn \"{order}\" has no effect: the job deletes rows too");
        return Ok((false, Some(note)));
    }
    if chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() > ORDERED_BYTES_MAX {
        let megabytes = ORDERED_BYTES_MAX >> 20;
        let sentence = format!("with duplicateRemovalColumn a job has at most {megabytes} MiB: split it");
        return Err(Failure::Refused(sentence));
    }
    Ok((true, None))
}

/// Tells whether the rows or the tables are at fault.
pub(crate) fn of_tables(error: &TablesError, logs: Vec<String>) -> Outcome {
    match error.kind() {
        Kind::Invalid => Outcome::Refused { logs },
        _ => Outcome::Failed { logs },
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
