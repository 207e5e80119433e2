//! The verbs of imports: stage, look, choose, commit, forget.

use std::time::Duration;

use base::db::Tx;
use base::error::chain;
use base::{Actor, audit};
use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::import::{self, Document, Import, ImportFile, ImportJob, ImportOptions, ImportState, jobs_of, refuse};
use super::import_tables::{self, ImportRow};
use super::{LogFile, preview};
use crate::pools::must_have_pool;
use crate::push_job::{self, Chunk, ChunkKind, Input, PushJob, PushJobSpec, State};
use crate::rows::{ColumnSchema, Schema};
use crate::schema::{self, Shape};
use crate::spool::Upload;
use crate::{ChunkId, Error, Format, ImportId, Mode, PoolId, Pools, PushJobId, tables};

/// How long files wait for a person's word.
const STAGED_FOR: Duration = Duration::from_hours(24);
/// How long a committed import is told of.
const TOLD_FOR: Duration = Duration::from_hours(30 * 24);
/// How often what is stale is looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// Files that one import may have.
const FILES_MAX: usize = 1_000;

/// A file on its way into an import. Dropped before the import is staged,
/// nothing of it stays.
pub struct ImportUpload {
    upload: Upload,
    name: String,
    whole: Option<(String, u64)>,
}

impl ImportUpload {
    /// Takes the next bytes. After an error, drop the upload.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.upload.write(&bytes).await
    }

    /// Says that all bytes came.
    pub async fn finish(&mut self) -> Result<(), Error> {
        let spooled = self.upload.finish().await?;
        self.whole = Some((spooled.checksum, spooled.bytes));
        Ok(())
    }
}

impl Pools {
    /// Begins to take a file of an import.
    pub fn import_file(&self, name: &str) -> ImportUpload {
        let id = ChunkId::new(self.clock.now(), &*self.chance);
        let name: String = name.trim().chars().filter(|letter| !letter.is_control()).take(255).collect();
        let name = if name.is_empty() { "file".to_owned() } else { name };
        ImportUpload { upload: self.spool.upload(id), name, whole: None }
    }

    /// Looks at files that came and keeps them for a person's word.
    pub async fn stage_files(
        &self,
        actor: &Actor,
        pool: PoolId,
        options: ImportOptions,
        uploads: Vec<ImportUpload>,
    ) -> Result<Import, Error> {
        if uploads.len() > FILES_MAX {
            return Err(refuse(format!("it has more than {FILES_MAX} files")));
        }
        let mut files = Vec::new();
        for upload in &uploads {
            let (checksum, bytes) = upload.whole.clone().ok_or_else(|| refuse("a file has not come to its end"))?;
            files.push(ImportFile { id: upload.upload.id(), name: upload.name.clone(), checksum, bytes });
        }
        let document = self.look_into(&files, options).await?;
        let now = self.clock.now();
        let row = ImportRow {
            id: ImportId::new(now, &*self.chance),
            pool,
            document,
            created_at: now,
            created_by: actor.name.clone(),
            committed: false,
        };
        let id = row.id;
        let mut uploads = uploads;
        // Whoever called may go away while the rows are written; then the files
        // must stay, for the rows may have made it.
        for upload in &mut uploads {
            upload.upload.keep();
        }
        let actor = actor.clone();
        let staged = self
            .db
            .write("pools.stage_import", move |tx| {
                must_have_pool(tx, pool)?;
                import_tables::insert(tx, &row, &files)?;
                let after = json!({ "pool": pool, "files": row.document.names });
                audit::record(tx, &actor, "create", "import", &id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await;
        if let Err(error) = staged {
            for upload in &mut uploads {
                upload.upload.discard();
            }
            return Err(error);
        }
        self.import(pool, id).await
    }

    /// Reads files for what they hold and makes the preview.
    async fn look_into(&self, files: &[ImportFile], options: ImportOptions) -> Result<Document, Error> {
        let logs = self.log_files(files);
        let bytes = files.iter().map(|file| file.bytes).sum();
        let names = files.iter().map(|file| file.name.clone()).collect();
        let (read, chosen) = (logs.clone(), options.clone());
        let (format, (mut parts, mut notes)) = on_thread(move || {
            let format = preview::format_of_all(&read, &chosen)?;
            Ok((format, preview::parts_of(&read, format)?))
        })
        .await?;
        if format == Format::Parquet {
            let (part, strange) = self.parquet_part(&logs).await?;
            (parts, notes) = (vec![part], strange);
        }
        on_thread(move || {
            let preview = preview::preview(&logs, bytes, format, &parts, &notes, &options)?;
            Ok(Document { options, preview, parts, notes, bytes, names })
        })
        .await
    }

    /// Says something else about an import that is not committed yet; what is
    /// unset is guessed anew.
    pub async fn choose_import(
        &self,
        actor: &Actor,
        pool: PoolId,
        id: ImportId,
        options: ImportOptions,
    ) -> Result<Import, Error> {
        let (row, files) = self.staged_import(pool, id).await?;
        let is_other = options.format.is_some_and(|format| format != row.document.preview.format);
        let document = if is_other {
            // Another format is another reading of the files.
            self.look_into(&files, options).await?
        } else {
            let logs = self.log_files(&files);
            let Document { preview, parts, notes, bytes, names, .. } = row.document;
            on_thread(move || {
                let preview = preview::preview(&logs, bytes, preview.format, &parts, &notes, &options)?;
                Ok(Document { options, preview, parts, notes, bytes, names })
            })
            .await?
        };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("pools.choose_import", move |tx| {
                let known = import_of(tx, pool, id)?;
                must_be_staged(&known)?;
                import_tables::set_document(tx, id, &document)?;
                let after = json!(document.options);
                audit::record(tx, &actor, "update", "import", &id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.import(pool, id).await
    }

    /// Sends the rows of an import on their way: one push job for each table,
    /// all of them or none.
    pub async fn commit_import(&self, actor: &Actor, pool: PoolId, id: ImportId) -> Result<Import, Error> {
        let (row, files) = self.staged_import(pool, id).await?;
        let specs = jobs_of(&row.document)?;
        self.must_fit(pool, &row.document, &specs).await?;
        let now = self.clock.now();
        let (mut jobs, mut links) = (Vec::new(), Vec::new());
        for spec in specs {
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
            let mut chunks = Vec::new();
            for file in &files {
                let chunk = ChunkId::new(now, &*self.chance);
                links.push(self.spool.link(file.id, chunk).await?);
                chunks.push(Chunk {
                    id: chunk,
                    job: job.id,
                    kind: ChunkKind::Upsert,
                    file_name: file.name.clone(),
                    checksum: file.checksum.clone(),
                    bytes: file.bytes,
                    created_at: now,
                });
            }
            jobs.push((job, chunks));
        }
        links.iter_mut().for_each(Upload::keep);
        let actor = actor.clone();
        let committed = self
            .db
            .write("pools.commit_import", move |tx| {
                let known = import_of(tx, pool, id)?;
                if !import_tables::set_committed(tx, id, now)? {
                    return Err(Error::ImportCommitted { import: known.id });
                }
                for (place, (job, chunks)) in jobs.iter().enumerate() {
                    tables::insert_job(tx, job)?;
                    for chunk in chunks {
                        tables::insert_chunk(tx, chunk)?;
                    }
                    let queued = push_job::next(State::New, Input::Execute).expect("a new job can be executed");
                    tables::move_job(tx, job.id, State::New, queued, now)?;
                    tables::enqueue_job(tx, job.id, now)?;
                    import_tables::insert_job(tx, id, place, job.id, &job.spec.target)?;
                }
                import_tables::delete_files(tx, id)?;
                let tables: Vec<_> = jobs.iter().map(|(job, _)| job.spec.target.as_str()).collect();
                let after = json!({ "tables": tables });
                audit::record(tx, &actor, "commit", "import", &id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await;
        if let Err(error) = committed {
            links.iter_mut().for_each(Upload::discard);
            return Err(error);
        }
        self.nudge.notify_one();
        self.spool.remove(files.into_iter().map(|file| file.id).collect()).await;
        self.import(pool, id).await
    }

    /// Lets through what the tables there are will take, so that a log of
    /// several tables does not stop at its second one.
    async fn must_fit(&self, pool: PoolId, document: &Document, specs: &[PushJobSpec]) -> Result<(), Error> {
        for spec in specs {
            if spec.mode() == Mode::Replace {
                continue;
            }
            let Some(table) = self.tables.table(pool, &spec.target).await? else { continue };
            let mut incoming = Schema { columns: Vec::new() };
            if let (Format::Parquet, Some(part)) = (document.preview.format, document.parts.first()) {
                let columns = part.columns.iter().cloned();
                let column = |(name, column_type)| ColumnSchema { name, column_type };
                incoming.columns.extend(columns.map(column));
            }
            for column in spec.import.iter().flat_map(|reading| &reading.columns) {
                let Some(name) = column.target.clone() else { continue };
                let column_type = column.column_type.unwrap_or(crate::rows::ColumnType::Text);
                incoming.columns.push(ColumnSchema { name, column_type });
            }
            let shape = Shape { schema: table.schema, keys: table.keys };
            schema::after(Some(&shape), &spec.mode(), &incoming)
                .map_err(|detail| refuse(format!("its rows do not fit table \"{}\": {detail}", spec.target)))?;
        }
        Ok(())
    }

    /// Forgets an import; what waits is removed, what is on its way or has
    /// arrived stays.
    pub async fn delete_import(&self, actor: &Actor, pool: PoolId, id: ImportId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let files = self
            .db
            .write("pools.delete_import", move |tx| {
                let known = import_of(tx, pool, id)?;
                let files = import_tables::files(tx, id)?;
                import_tables::delete(tx, id)?;
                let before = json!({ "files": known.document.names, "committed": known.committed });
                audit::record(tx, &actor, "delete", "import", &id.to_string(), Some(&before), None, now)?;
                Ok::<_, Error>(files)
            })
            .await?;
        self.spool.remove(files.into_iter().map(|file| file.id).collect()).await;
        Ok(())
    }

    /// Returns an import with how far it has come.
    pub async fn import(&self, pool: PoolId, id: ImportId) -> Result<Import, Error> {
        let (row, jobs) = self
            .db
            .read("pools.import", move |tx| {
                let row = import_of(tx, pool, id)?;
                let jobs = import_jobs(tx, id)?;
                Ok::<_, Error>((row, jobs))
            })
            .await?;
        Ok(self.shown(row, jobs))
    }

    /// Lists the imports of a pool, the newest first, at most 1,000.
    pub async fn imports(&self, pool: PoolId) -> Result<Vec<Import>, Error> {
        let rows = self
            .db
            .read("pools.imports", move |tx| {
                must_have_pool(tx, pool)?;
                let mut all = Vec::new();
                for row in import_tables::imports(tx, pool)? {
                    let jobs = import_jobs(tx, row.id)?;
                    all.push((row, jobs));
                }
                Ok::<_, Error>(all)
            })
            .await?;
        Ok(rows.into_iter().map(|(row, jobs)| self.shown(row, jobs)).collect())
    }

    fn shown(&self, row: ImportRow, jobs: Vec<ImportJob>) -> Import {
        let state = import::state_of(row.committed, &jobs);
        let Document { options, preview, bytes, names, .. } = row.document;
        let (mut bytes_read, mut rows_read) = (0, 0);
        for job in &jobs {
            let (read, rows) = match job.state {
                Some(State::Running) => self.progress.of(job.job).unwrap_or_default(),
                Some(State::Done) | None => (bytes, job.rows),
                Some(_) => (0, 0),
            };
            bytes_read += read.min(bytes);
            rows_read += rows;
        }
        Import {
            id: row.id,
            pool: row.pool,
            options,
            preview,
            files: names,
            bytes,
            state,
            bytes_read: bytes_read / jobs.len().max(1) as u64,
            rows_read,
            jobs,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }

    /// Waits until the jobs of an import have ended.
    pub async fn settled_import(&self, pool: PoolId, id: ImportId) -> Result<Import, Error> {
        let mut ended = self.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let known = self.import(pool, id).await?;
            if known.state != ImportState::Loading || ended.changed().await.is_err() {
                return Ok(known);
            }
        }
    }

    /// Removes imports that nobody came back to, until `stop`.
    pub async fn sweep_imports(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.sweep_stale_imports().await {
                tracing::error!(error = %chain(&error), "imports that are stale cannot be looked for; they wait");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
        }
    }

    /// Removes imports that nobody came back to; tells how many.
    pub async fn sweep_stale_imports(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        let (staged_before, committed_before) = (now.minus(STAGED_FOR), now.minus(TOLD_FOR));
        let (count, files) = self
            .db
            .write("pools.sweep_imports", move |tx| {
                let stale = import_tables::stale(tx, staged_before, committed_before)?;
                let mut files = Vec::new();
                for id in &stale {
                    files.extend(import_tables::files(tx, *id)?.into_iter().map(|file| file.id));
                    import_tables::delete(tx, *id)?;
                }
                Ok::<_, Error>((stale.len(), files))
            })
            .await?;
        if count > 0 {
            tracing::info!(imports = count, "imports that nobody came back to were removed");
        }
        self.spool.remove(files).await;
        Ok(count)
    }

    async fn staged_import(&self, pool: PoolId, id: ImportId) -> Result<(ImportRow, Vec<ImportFile>), Error> {
        self.db
            .read("pools.staged_import", move |tx| {
                let row = import_of(tx, pool, id)?;
                must_be_staged(&row)?;
                let files = import_tables::files(tx, id)?;
                Ok((row, files))
            })
            .await
    }

    fn log_files(&self, files: &[ImportFile]) -> Vec<LogFile> {
        files.iter().map(|file| LogFile { name: file.name.clone(), path: self.spool.path(file.id) }).collect()
    }
}

/// Finds an import of this pool; that of another one does not exist here.
fn import_of(tx: &mut dyn Tx, pool: PoolId, id: ImportId) -> Result<ImportRow, Error> {
    must_have_pool(tx, pool)?;
    let known = import_tables::import(tx, id)?.filter(|known| known.pool == pool);
    known.ok_or(Error::UnknownImport { import: id })
}

fn must_be_staged(row: &ImportRow) -> Result<(), Error> {
    if row.committed { Err(Error::ImportCommitted { import: row.id }) } else { Ok(()) }
}

fn import_jobs(tx: &mut dyn Tx, id: ImportId) -> Result<Vec<ImportJob>, Error> {
    let mut jobs = Vec::new();
    for (job, table) in import_tables::jobs(tx, id)? {
        let known = tables::job(tx, job)?;
        let rows = known.as_ref().and_then(|known| known.committed).map_or(0, |committed| committed.upserted);
        let (state, logs) = known.map_or((None, Vec::new()), |known| (Some(known.state), known.logs));
        jobs.push(ImportJob { job, table, state, logs, rows });
    }
    Ok(jobs)
}

/// Files are read on a thread that may wait for the disk.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "the reading of an import broke off");
            Err(refuse("the files could not be read: this is a fault of Loopwright"))
        }
    }
}

#[cfg(test)]
mod tests;
