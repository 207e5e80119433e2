//! The turns of sources.
//!
//! What is due stands in the database as due work, one row per source. A turn
//! is a handful of steps, between any two of which the process may end: look,
//! record what was found together with its queued push job, wait for the job,
//! record what it came to, look again, and at last record when to look next.
//! After a failure that is later each time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::db::Tx;
use base::error::chain;
use base::work::{self, Backoff, Due, NewWork, Verdict, WorkId};
use base::{Actor, Timestamp, audit};
use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::folder::{self, Candidate, Fate};
use super::tables::{self, FileState, KnownFile};
use super::{
    Cursor, Folder, Origin, Outside, Source, SourceFormat, SourceId, SourceRun, SourceRunId, SourceRunState, Trouble,
};
use super::{foreign, json as json_rows, url};
use crate::push_job::{self, Chunk, ChunkKind, Input, PushJob, State};
use crate::spool::{Spooled, Upload};
use crate::{ChunkId, CsvOptions, Error, FileType, PoolId, Pools, PushJobId, PushJobSpec, tables as job_tables};

/// The due work of sources.
pub(super) const KIND: &str = "pools.source";
/// Who holds it: there is one process on a database.
const OWNER: &str = "sources";
const LEASE: Duration = Duration::from_mins(1);
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// Sources whose turn it is at the same time.
const TURNS_AT_ONCE: usize = 4;
/// How long the worker rests at most.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long after a failure a source looks again.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(30), cap: Duration::from_hours(1) };
/// Bytes of JSON that are read at once.
const JSON_BYTES_MAX: u64 = 256 << 20;

/// What looking came to.
pub(super) enum Found {
    /// Nothing that is not in.
    Nothing,
    /// Rows, spooled.
    Rows(Box<Find>),
}

/// Rows that wait for their push job.
pub(super) struct Find {
    /// What they are, for people.
    pub(super) label: String,
    pub(super) push: PushJobSpec,
    pub(super) chunks: Vec<Brought>,
    /// How far the source has come once they are in.
    pub(super) cursor: Cursor,
    pub(super) file: Option<Candidate>,
}

/// A chunk in the spool that no job has yet. Dropped, it is gone.
pub(super) struct Brought {
    upload: Upload,
    file_name: String,
    pub(super) spooled: Spooled,
}

/// A chunk that is being written.
pub(super) struct Filling {
    upload: Upload,
    file_name: String,
    bytes_max: u64,
}

impl Filling {
    pub(super) fn bytes(&self) -> u64 {
        self.upload.bytes()
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Trouble> {
        if self.bytes() + bytes.len() as u64 > self.bytes_max {
            return Err(Error::ChunkTooLarge { bytes_max: self.bytes_max }.into());
        }
        Ok(self.upload.write(&bytes).await?)
    }

    pub(super) async fn finish(mut self) -> Result<Brought, Trouble> {
        let spooled = self.upload.finish().await?;
        Ok(Brought { upload: self.upload, file_name: self.file_name, spooled })
    }
}

/// What a turn is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for this push job.
    Pushing(PoolId, PushJobId),
    /// Look again.
    More,
    /// It is over.
    Rest,
}

/// What one turn knows.
#[derive(Default)]
pub(super) struct Turn {
    /// Files that it has not looked at yet.
    files: Option<VecDeque<Candidate>>,
    /// Why it failed.
    trouble: Option<Trouble>,
}

impl Pools {
    /// Lets sources take their turns until `stop`.
    pub async fn run_sources(self: Arc<Self>, stop: CancellationToken) {
        if let Err(error) = self.db.write("pools.free_sources", |tx| work::free(tx, &[KIND])).await {
            tracing::error!(error = %chain(&error), "sources cannot be taken up; they wait for their leases");
        }
        let mut turns = JoinSet::new();
        while !stop.is_cancelled() {
            let room = TURNS_AT_ONCE.saturating_sub(turns.len());
            let rest = match self.claim_sources(room).await {
                Ok((due, rest)) => {
                    for due in due {
                        let (pools, stop) = (self.clone(), stop.clone());
                        turns.spawn(async move { pools.take_turn(&due, &stop).await });
                    }
                    if turns.len() >= TURNS_AT_ONCE { LOOK_EVERY } else { rest }
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "sources cannot be looked for; they wait");
                    LOOK_EVERY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.source_nudge.notified() => {}
                Some(_) = turns.join_next() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        while turns.join_next().await.is_some() {}
    }

    /// Takes what is due, and tells how long nothing else will be.
    async fn claim_sources(&self, room: usize) -> Result<(Vec<Due>, Duration), Error> {
        let now = self.clock.now();
        self.db
            .write("pools.claim_sources", move |tx| {
                let due = work::claim(tx, OWNER, &[KIND], now, LEASE, room)?;
                let next = work::next_due(tx, &[KIND])?;
                Ok((due, next.map_or(LOOK_EVERY, |next| next.since(now).min(LOOK_EVERY))))
            })
            .await
    }

    /// Lets every source that is due take its turn, and executes what comes of
    /// it. For tests and tools that have no worker.
    pub async fn drain_sources(&self) -> Result<(), Error> {
        loop {
            let (due, _) = self.claim_sources(TURNS_AT_ONCE).await?;
            if due.is_empty() {
                return Ok(());
            }
            for due in due {
                let Ok(id) = due.key.parse::<SourceId>() else { continue };
                let mut turn = Turn::default();
                while let step = self.step(id, &mut turn).await?
                    && step != Step::Rest
                {
                    self.drain().await?;
                }
                self.end_turn(&due, id, turn).await?;
            }
        }
    }

    async fn take_turn(&self, due: &Due, stop: &CancellationToken) {
        let Ok(id) = due.key.parse::<SourceId>() else { return };
        let turn = async {
            if !self.source_turns.lock().insert(id) {
                // It was put anew while its turn lasts.
                return self.later(due, Duration::from_secs(1)).await;
            }
            let _taken = Taken(self, id);
            let mut turn = Turn::default();
            loop {
                match self.step(id, &mut turn).await? {
                    Step::Pushing(pool, job) => match self.settled(pool, job).await {
                        Ok(_) | Err(Error::UnknownJob { .. }) => {}
                        Err(error) => return Err(error),
                    },
                    Step::More => {}
                    Step::Rest => return self.end_turn(due, id, turn).await,
                }
            }
        };
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                let (lease, until) = (due.lease.clone(), self.clock.now().plus(LEASE));
                let renewed = self.db.write("pools.renew_source", move |tx| work::renew(tx, &lease, until)).await;
                if let Err(error) = renewed {
                    tracing::warn!(%error, source.id = %id, "the lease of a source cannot be renewed");
                }
            }
        };
        let outcome = tokio::select! {
            outcome = turn => outcome,
            () = renewing => Ok(()),
            // What is under way is taken up at the next start.
            () = stop.cancelled() => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::error!(error = %chain(&error), source.id = %id, "the turn of a source broke off; it is taken again");
            if let Err(error) = self.later(due, BACKOFF.first).await {
                tracing::error!(error = %chain(&error), source.id = %id, "a source waits for its lease to run out");
            }
        }
    }

    async fn later(&self, due: &Due, wait: Duration) -> Result<(), Error> {
        let (lease, at) = (due.lease.clone(), self.clock.now().plus(wait));
        self.db
            .write("pools.delay_source", move |tx| {
                let _: Verdict = work::retry(tx, &lease, at)?;
                Ok(())
            })
            .await
    }

    /// Takes one step of a turn.
    pub(super) async fn step(&self, id: SourceId, turn: &mut Turn) -> Result<Step, Error> {
        let found = self
            .db
            .read("pools.source_step", move |tx| {
                let Some(source) = tables::by_id(tx, id)? else { return Ok::<_, Error>(None) };
                let open = tables::open_run(tx, id)?;
                let job = match open.as_ref().and_then(|run| run.push_job) {
                    Some(job) => job_tables::job(tx, job)?,
                    None => None,
                };
                Ok(Some((source, open, job)))
            })
            .await?;
        match found {
            None => Ok(Step::Rest),
            Some((source, Some(run), job)) => match job {
                Some(job) if !job.state.is_final() => Ok(Step::Pushing(source.pool, job.id)),
                job => self.settle_run(source, run, job, turn).await,
            },
            Some((source, None, _)) => match self.look(&source, turn).await {
                Ok(Found::Nothing) => Ok(Step::Rest),
                Ok(Found::Rows(find)) => {
                    let label = find.label.clone();
                    match self.record_find(&source, *find).await {
                        Ok(()) => Ok(Step::More),
                        Err(Error::Database(error)) => Err(error.into()),
                        Err(error) => self.fail(&source, turn, label, Trouble::from(error)).await,
                    }
                }
                Err(trouble) => {
                    let label = source.spec.origin.word().to_owned();
                    self.fail(&source, turn, label, trouble).await
                }
            },
        }
    }

    async fn look(&self, source: &Source, turn: &mut Turn) -> Result<Found, Trouble> {
        let Some(outside) = self.outside.get() else {
            return Err(Trouble::new("this installation has no way out for sources"));
        };
        let secrets = super::verbs::opened(source, outside)?;
        match &source.spec.origin {
            Origin::Folder(folder) => self.look_at_folder(source, folder, outside, turn).await,
            Origin::Url(url) => self.look_at_url(source, url, &secrets, outside).await,
            Origin::Postgres(postgres) => self.look_at_postgres(source, postgres, &secrets, outside).await,
        }
    }

    /// Finds the next file.
    async fn look_at_folder(
        &self,
        source: &Source,
        folder: &Folder,
        outside: &Outside,
        turn: &mut Turn,
    ) -> Result<Found, Trouble> {
        if turn.files.is_none() {
            let (folder, roots) = (folder.clone(), outside.folders.clone());
            let listed = on_thread(move || folder::list(&folder, &roots)).await?;
            turn.files = Some(listed.into());
        }
        while let Some(candidate) = turn.files.as_mut().and_then(VecDeque::pop_front) {
            let (id, name) = (source.id, candidate.name.clone());
            let known =
                self.db.read("pools.source_file", move |tx| Ok::<_, Error>(tables::file(tx, id, &name)?)).await?;
            match folder::fate(&candidate, known.as_ref(), folder, self.clock.now()) {
                Fate::Wait | Fate::Leave => {}
                Fate::Tidy => self.clear_away(folder, outside, candidate, turn).await,
                Fate::Take => match self.take_file(source, folder, outside, &candidate).await {
                    Ok(None) => {}
                    Ok(Some(find)) if known.as_ref().is_some_and(|known| known.is_content(&find)) => {
                        let (id, file) = (source.id, candidate.clone());
                        self.db
                            .write("pools.touch_source_file", move |tx| {
                                Ok::<_, Error>(tables::touch_file(tx, id, &file.name, file.bytes, file.modified_at)?)
                            })
                            .await?;
                        let taken = known.is_some_and(|known| known.state == FileState::Taken);
                        if taken {
                            self.clear_away(folder, outside, candidate, turn).await;
                        }
                    }
                    Ok(Some(find)) => return Ok(Found::Rows(find)),
                    Err(trouble) if trouble.ours => return Err(trouble),
                    Err(trouble) => self.refuse_file(source, &candidate, trouble).await?,
                },
            }
        }
        Ok(Found::Nothing)
    }

    /// Spools the first file there is, whatever is known of it.
    pub(super) async fn sample_of_folder(
        &self,
        source: &Source,
        folder: &Folder,
        outside: &Outside,
    ) -> Result<Found, Trouble> {
        let (there, roots) = (folder.clone(), outside.folders.clone());
        let files = on_thread(move || folder::list(&there, &roots)).await?;
        let Some(first) = files.first() else { return Ok(Found::Nothing) };
        Ok(self.take_file(source, folder, outside, first).await?.map_or(Found::Nothing, Found::Rows))
    }

    /// Spools a file; nothing if it changed under our eyes.
    async fn take_file(
        &self,
        source: &Source,
        folder: &Folder,
        outside: &Outside,
        candidate: &Candidate,
    ) -> Result<Option<Box<Find>>, Trouble> {
        let (there, roots, listed) = (folder.clone(), outside.folders.clone(), candidate.clone());
        let file = on_thread(move || folder::open(&there, &roots, &listed)).await?;
        let mut push = source.spec.push.clone();
        let format = SourceFormat::of_name(&candidate.name).unwrap_or(match push.file_type {
            FileType::Csv => SourceFormat::Csv,
            FileType::Parquet => SourceFormat::Parquet,
        });
        let unreadable =
            |error: std::io::Error| Trouble::new(format!("file \"{}\" cannot be read: {error}", candidate.name));
        let mut reader = tokio::fs::File::from_std(file);
        let brought = if format == SourceFormat::Json {
            if candidate.bytes > JSON_BYTES_MAX {
                return Err(Trouble::new(format!(
                    "JSON of more than {JSON_BYTES_MAX} bytes is not read: split the file"
                )));
            }
            let mut whole = Vec::new();
            reader.read_to_end(&mut whole).await.map_err(unreadable)?;
            let whole = self.unpacked_whole(whole.into()).await?;
            self.spool_json(whole, candidate.name.clone(), &mut push).await?
        } else {
            push.file_type = if format == SourceFormat::Parquet { FileType::Parquet } else { FileType::Csv };
            let mut filling = self.begin_chunk(candidate.name.clone());
            loop {
                let mut block = bytes::BytesMut::with_capacity(1 << 20);
                if reader.read_buf(&mut block).await.map_err(unreadable)? == 0 {
                    break;
                }
                filling.write(block.freeze()).await?;
            }
            Some(filling.finish().await?)
        };
        let (file, listed) = (reader.into_std().await, candidate.clone());
        if !on_thread(move || Ok(folder::is_still(&file, &listed))).await? {
            return Ok(None);
        }
        let brought = brought.ok_or_else(|| Trouble::new(format!("file \"{}\" holds no rows", candidate.name)))?;
        Ok(Some(Box::new(Find {
            label: candidate.name.clone(),
            push,
            chunks: vec![brought],
            cursor: source.cursor.clone(),
            file: Some(candidate.clone()),
        })))
    }

    /// Puts a file on the list of bad ones; the others go on.
    async fn refuse_file(&self, source: &Source, candidate: &Candidate, trouble: Trouble) -> Result<(), Trouble> {
        let now = self.clock.now();
        let mut run = tables::new_run(SourceRunId::new(now, &*self.chance), source, candidate.name.clone(), now);
        (run.state, run.detail, run.ended_at) = (SourceRunState::Error, Some(trouble.sentence.clone()), Some(now));
        let (id, version, file) = (source.id, source.version, candidate.clone());
        self.db
            .write("pools.refuse_source_file", move |tx| {
                let Some(mut source) = tables::by_id(tx, id)?.filter(|source| source.version == version) else {
                    return Ok::<_, Error>(());
                };
                source.runs_failed += 1;
                tables::progress(tx, &source)?;
                tables::insert_run(tx, id, &run)?;
                let known = KnownFile {
                    bytes: file.bytes,
                    modified_at: file.modified_at,
                    checksum: String::new(),
                    state: FileState::Bad,
                };
                Ok(tables::put_file(tx, id, &file.name, &known, run.detail.as_deref(), now)?)
            })
            .await?;
        tracing::warn!(source.id = %source.id, file = candidate.name, reason = trouble.sentence, "a file of a source cannot be read");
        Ok(())
    }

    async fn clear_away(&self, folder: &Folder, outside: &Outside, candidate: Candidate, turn: &mut Turn) {
        let (folder, roots) = (folder.clone(), outside.folders.clone());
        if let Err(trouble) = on_thread(move || folder::tidy(&folder, &roots, &candidate)).await {
            turn.trouble = Some(trouble);
        }
    }

    // What was found.

    pub(super) fn begin_chunk(&self, file_name: String) -> Filling {
        let id = ChunkId::new(self.clock.now(), &*self.chance);
        Filling { upload: self.spool.upload(id), file_name, bytes_max: self.options.chunk_bytes_max }
    }

    /// Unpacks what is packed, as far as memory allows.
    pub(super) async fn unpacked_whole(&self, bytes: Bytes) -> Result<Bytes, Trouble> {
        if !url::is_gzip(&bytes) {
            return Ok(bytes);
        }
        on_thread(move || {
            use std::io::Read as _;
            let mut whole = Vec::new();
            let mut packed = flate2::read::MultiGzDecoder::new(&bytes[..]).take(JSON_BYTES_MAX + 1);
            packed.read_to_end(&mut whole).map_err(|error| format!("it is not whole gzip: {error}"))?;
            if whole.len() as u64 > JSON_BYTES_MAX {
                return Err(format!("JSON of more than {JSON_BYTES_MAX} bytes is not read"));
            }
            Ok(whole.into())
        })
        .await
    }

    /// Spools JSON as CSV; nothing if it holds no rows.
    pub(super) async fn spool_json(
        &self,
        document: Bytes,
        file_name: String,
        push: &mut PushJobSpec,
    ) -> Result<Option<Brought>, Trouble> {
        let mut filling = self.begin_chunk(file_name.clone());
        let (blocks, mut arriving) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
        let reading = tokio::task::spawn_blocking(move || {
            json_rows::to_csv(&document, |block| blocks.blocking_send(block).map_err(|_| "nobody listens".to_owned()))
        });
        while let Some(block) = arriving.recv().await {
            filling.write(block.into()).await?;
        }
        let declared = reading.await.map_err(|_| Trouble::new("the reading of JSON broke off"))?;
        let declared = declared.map_err(|sentence| Trouble::new(format!("\"{file_name}\": {sentence}")))?;
        if filling.bytes() == 0 {
            return Ok(None);
        }
        push.file_type = FileType::Csv;
        push.csv = CsvOptions::default();
        foreign::declare(&mut push.declared, declared.into_iter());
        Ok(Some(filling.finish().await?))
    }

    /// Records what was found together with its queued push job: from now on
    /// it comes in, whatever happens to this process.
    async fn record_find(&self, source: &Source, find: Find) -> Result<(), Error> {
        let now = self.clock.now();
        let Find { label, push, mut chunks, cursor, file } = find;
        let job = PushJob {
            id: PushJobId::new(now, &*self.chance),
            pool: source.pool,
            spec: push.checked()?,
            state: State::New,
            logs: Vec::new(),
            committed: None,
            created_at: now,
            created_by: actor_of(source).name,
            executed_at: None,
            changed_at: now,
        };
        let mut run = tables::new_run(SourceRunId::new(now, &*self.chance), source, label, now);
        run.push_job = Some(job.id);
        run.cursor = cursor;
        run.file = file.as_ref().map(|file| file.name.clone());
        let rows: Vec<Chunk> = chunks.iter().map(|brought| brought.chunk_of(job.id, now)).collect();
        let file = file.map(|file| {
            let known = KnownFile {
                bytes: file.bytes,
                modified_at: file.modified_at,
                checksum: chunks.first().map(|chunk| chunk.spooled.checksum.clone()).unwrap_or_default(),
                state: FileState::Pushing,
            };
            (file.name, known)
        });
        // Whoever runs us may be stopped while the rows are written; then the
        // files must stay, for the rows may have made it.
        for chunk in &mut chunks {
            chunk.upload.keep();
        }
        let (id, version, actor) = (source.id, source.version, actor_of(source));
        let recorded = self
            .db
            .write("pools.record_find", move |tx| {
                let known = tables::by_id(tx, id)?.filter(|known| known.version == version);
                if known.is_none() || tables::open_run(tx, id)?.is_some() {
                    return Ok(false);
                }
                queue(tx, &job, &rows, &actor, now)?;
                tables::insert_run(tx, id, &run)?;
                if let Some((name, known)) = &file {
                    tables::put_file(tx, id, name, known, None, now)?;
                }
                Ok::<_, Error>(true)
            })
            .await;
        if !matches!(recorded, Ok(true)) {
            for chunk in &mut chunks {
                chunk.upload.discard();
            }
        }
        recorded?;
        self.nudge.notify_one();
        Ok(())
    }

    /// Records what a push job came to.
    async fn settle_run(
        &self,
        source: Source,
        mut run: SourceRun,
        job: Option<PushJob>,
        turn: &mut Turn,
    ) -> Result<Step, Error> {
        let now = self.clock.now();
        let done = job.as_ref().is_some_and(|job| job.state == State::Done);
        run.ended_at = Some(now);
        run.state = if done { SourceRunState::Done } else { SourceRunState::Error };
        run.rows = job.as_ref().and_then(|job| job.committed).map_or(0, |committed| committed.upserted);
        run.detail = match &job {
            _ if done => None,
            Some(job) if job.state == State::Error => Some(job.logs.join("; ")),
            Some(job) => Some(format!("its push job was {}", job.state.as_str().to_ascii_lowercase())),
            None => Some("its push job was deleted".into()),
        };
        let (id, ended) = (source.id, run.clone());
        let recorded = self
            .db
            .write("pools.settle_source", move |tx| {
                let Some(mut source) = tables::by_id(tx, id)? else { return Ok::<_, Error>(()) };
                if !tables::end_run(tx, &ended)? {
                    return Ok(());
                }
                if done {
                    source.cursor = moved_on(&source, &ended);
                    source.rows_in += ended.rows;
                    source.runs_done += 1;
                } else {
                    source.runs_failed += 1;
                }
                tables::progress(tx, &source)?;
                if let Some(name) = &ended.file {
                    let state = if done { FileState::Taken } else { FileState::Bad };
                    tables::set_file_state(tx, id, name, state, ended.detail.as_deref(), now)?;
                }
                Ok(())
            })
            .await;
        recorded?;
        match (&source.spec.origin, done) {
            (Origin::Folder(folder), true) => {
                self.tidy_run(&source, folder, &run, turn).await?;
                Ok(Step::More)
            }
            // One bad file holds nobody up.
            (Origin::Folder(_), false) => Ok(Step::More),
            (_, true) if run.cursor.more => Ok(Step::More),
            (_, true) => Ok(Step::Rest),
            (_, false) => {
                turn.trouble = Some(Trouble::new(run.detail.unwrap_or_default()));
                Ok(Step::Rest)
            }
        }
    }

    async fn tidy_run(&self, source: &Source, folder: &Folder, run: &SourceRun, turn: &mut Turn) -> Result<(), Error> {
        let (Some(name), Some(outside)) = (run.file.clone(), self.outside.get()) else { return Ok(()) };
        let (id, asked) = (source.id, name.clone());
        let known = self.db.read("pools.source_file", move |tx| Ok::<_, Error>(tables::file(tx, id, &asked)?)).await?;
        if let Some(known) = known {
            let candidate = Candidate { name, bytes: known.bytes, modified_at: known.modified_at };
            self.clear_away(folder, outside, candidate, turn).await;
        }
        Ok(())
    }

    /// Notes why a turn ends; a run tells of it unless the last one told the
    /// same.
    async fn fail(&self, source: &Source, turn: &mut Turn, label: String, trouble: Trouble) -> Result<Step, Error> {
        let now = self.clock.now();
        if source.last_error.as_ref() != Some(&trouble.sentence) {
            let mut run = tables::new_run(SourceRunId::new(now, &*self.chance), source, label, now);
            (run.state, run.detail, run.ended_at) = (SourceRunState::Error, Some(trouble.sentence.clone()), Some(now));
            let id = source.id;
            self.db
                .write("pools.fail_source", move |tx| {
                    let Some(mut source) = tables::by_id(tx, id)? else { return Ok::<_, Error>(()) };
                    source.runs_failed += 1;
                    tables::progress(tx, &source)?;
                    Ok(tables::insert_run(tx, id, &run)?)
                })
                .await?;
        }
        turn.trouble = Some(trouble);
        Ok(Step::Rest)
    }

    /// Records how a turn went and when the next one is.
    async fn end_turn(&self, due: &Due, id: SourceId, turn: Turn) -> Result<(), Error> {
        let (now, lease) = (self.clock.now(), due.lease.clone());
        let trouble = turn.trouble;
        if let Some(trouble) = &trouble {
            tracing::warn!(source.id = %id, reason = trouble.sentence, "a source failed and looks again later");
        }
        let seed = self.chance.number();
        self.db
            .write("pools.end_turn", move |tx| {
                let Some(mut source) = tables::by_id(tx, id)? else {
                    let _: Verdict = work::complete(tx, &lease)?;
                    return Ok(());
                };
                source.failures = if trouble.is_some() { source.failures.saturating_add(1) } else { 0 };
                source.last_error = trouble.as_ref().map(|trouble| trouble.sentence.clone());
                source.last_run_at = Some(now);
                source.next_at = next_turn(&source, trouble.as_ref(), now, seed);
                let reported = match source.next_at {
                    Some(at) => work::retry(tx, &lease, at)?,
                    None => work::complete(tx, &lease)?,
                };
                if reported == Verdict::Stale {
                    // It was put, paused or resumed meanwhile: that holds.
                    source.next_at = tables::by_id(tx, id)?.and_then(|known| known.next_at);
                }
                Ok::<_, Error>(tables::progress(tx, &source)?)
            })
            .await
    }
}

/// Decides when a source looks next.
pub(super) fn next_turn(source: &Source, trouble: Option<&Trouble>, now: Timestamp, seed: u64) -> Option<Timestamp> {
    let usual = source.spec.rhythm.next_after(now).filter(|_| !source.paused)?;
    let Some(trouble) = trouble else { return Some(usual) };
    let wait = BACKOFF.wait(source.failures, &base::chance::SeededChance::new(seed));
    Some(now.plus(wait.max(trouble.wait.unwrap_or_default())))
}

/// Tells how far a source has come with a run that is done; a run of another
/// form of the source tells nothing about this one.
fn moved_on(source: &Source, run: &SourceRun) -> Cursor {
    if run.version == source.version {
        return run.cursor.clone();
    }
    source.cursor.clone()
}

pub(super) fn actor_of(source: &Source) -> Actor {
    Actor::system(&format!("source {}", source.key))
}

/// Makes a push job that waits for its turn.
fn queue(tx: &mut dyn Tx, job: &PushJob, chunks: &[Chunk], actor: &Actor, now: Timestamp) -> Result<(), Error> {
    job_tables::insert_job(tx, job)?;
    for chunk in chunks {
        job_tables::insert_chunk(tx, chunk)?;
    }
    let next = push_job::next(State::New, Input::Execute).expect("a new job can be executed");
    job_tables::move_job(tx, job.id, State::New, next, now)?;
    job_tables::enqueue_job(tx, job.id, now)?;
    let after = json!({ "pool": job.pool, "table": job.spec.target, "type": job.spec.job_type });
    audit::record(tx, actor, "create", "push-job", &job.id.to_string(), None, Some(&after), now)?;
    Ok(())
}

impl Brought {
    fn chunk_of(&self, job: PushJobId, now: Timestamp) -> Chunk {
        Chunk {
            id: self.upload.id(),
            job,
            kind: ChunkKind::Upsert,
            file_name: self.file_name.clone(),
            checksum: self.spooled.checksum.clone(),
            bytes: self.spooled.bytes,
            created_at: now,
        }
    }
}

impl Brought {
    /// Where the bytes lie, for a look at them.
    pub(super) fn chunk(&self) -> (ChunkId, &str) {
        (self.upload.id(), &self.file_name)
    }
}

impl KnownFile {
    fn is_content(&self, find: &Find) -> bool {
        find.chunks.first().is_some_and(|chunk| chunk.spooled.checksum == self.checksum)
    }
}

/// Asks for a turn of a source.
pub(super) fn enqueue(tx: &mut dyn Tx, id: SourceId, work_id: WorkId, at: Timestamp) -> Result<(), Error> {
    let work = NewWork { id: work_id, kind: KIND, key: id.to_string(), due_at: at, payload: serde_json::Value::Null };
    Ok(work::enqueue(tx, &work)?)
}

pub(super) async fn on_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(act).await {
        Ok(outcome) => outcome.map_err(Trouble::new),
        Err(_) => Err(Trouble::new("a look at the disk was broken off")),
    }
}

/// Says that a source takes its turn, until it is dropped.
struct Taken<'a>(&'a Pools, SourceId);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.source_turns.lock().remove(&self.1);
    }
}
