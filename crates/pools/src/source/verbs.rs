//! What can be done with sources.

use std::collections::BTreeMap;

use base::db::Tx;
use base::http::shown;
use base::work::{self, WorkId};
use base::{Actor, Secret, Timestamp, audit};
use serde_json::{Value as Json, json};

use super::folder;
use super::tables;
use super::work::{Found, KIND, enqueue, on_thread};
use super::{BadFile, Cursor, Origin, Outside, Source, SourceId, SourceRun, SourceSecrets, SourceSpec, Trouble};
use crate::csv::{self, ChunkFile, Refusal};
use crate::pools::must_have_pool;
use crate::push_job::ChunkKind;
use crate::rows::Cell;
use crate::{Error, FileType, Piece, PoolId, Pools};

/// Rows that a sample shows.
const SAMPLE_ROWS: usize = 20;
/// Letters that the key of a source has at most.
const KEY_LETTERS_MAX: usize = 100;

/// The first rows of what a source would bring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Where they come from: the file, the address, the watermarks.
    pub label: Option<String>,
    /// Columns and their types.
    pub columns: Vec<(String, crate::rows::ColumnType)>,
    /// Rows; a value stands at its column's place.
    pub rows: Vec<Vec<Json>>,
    /// What is strange about it, in sentences.
    pub notes: Vec<String>,
}

impl Pools {
    /// Opens the world to sources; once, when the house is wired.
    pub fn open_to_sources(&self, outside: Outside) {
        // A second call is a mistake of the wiring, and changes nothing.
        let _ = self.outside.set(outside);
    }

    /// Makes a source, or changes it. Returns false beside it if it was that
    /// already. Secrets that are not given stay.
    pub async fn put_source(
        &self,
        actor: &Actor,
        pool: PoolId,
        key: &str,
        spec: SourceSpec,
        secrets: SourceSecrets,
        paused: Option<bool>,
    ) -> Result<(Source, bool), Error> {
        let key = checked_key(key)?;
        let refuse = |detail: String| Error::BadSource { key: key.clone(), detail };
        let outside = self.outside.get().ok_or_else(|| refuse("this installation has no sources".into()))?.clone();
        let known = self.known_source(pool, &key).await?;
        let (spec, secrets) = self.complete(&key, spec, secrets, known.as_ref(), &outside).await?;
        let before = known.as_ref().map(|known| opened(known, &outside)).transpose();
        let before = before.map_err(|trouble| refuse(trouble.sentence))?;
        let now = self.clock.now();
        let paused = paused.unwrap_or(known.as_ref().is_some_and(|known| known.paused));
        let id = known.as_ref().map_or_else(|| SourceId::new(now, &*self.chance), |known| known.id);
        let same_spec = known.as_ref().is_some_and(|known| known.spec == spec) && before.as_ref() == Some(&secrets);
        if let Some(known) = &known
            && same_spec
            && known.paused == paused
        {
            return Ok((known.clone(), false));
        }
        let sealed = outside.keys.seal(&purpose(id), &written(&secrets), &*self.chance);
        let (work_id, actor) = (WorkId::new(now, &*self.chance), actor.clone());
        let source = self
            .db
            .write("pools.put_source", move |tx| {
                must_have_pool(tx, pool)?;
                let known = tables::by_key(tx, pool, &key)?;
                let mut source = known.clone().unwrap_or_else(|| Source {
                    id,
                    pool,
                    key: key.clone(),
                    version: 0,
                    spec: spec.clone(),
                    paused,
                    cursor: Cursor::default(),
                    failures: 0,
                    last_error: None,
                    last_run_at: None,
                    next_at: None,
                    rows_in: 0,
                    runs_done: 0,
                    runs_failed: 0,
                    created_at: now,
                    created_by: actor.name.clone(),
                    changed_at: now,
                    sealed: Vec::new(),
                });
                if source.id != id {
                    // Somebody made one of this key a moment ago.
                    return Err(Error::BadSource { key: key.clone(), detail: "it was just made: put it again".into() });
                }
                if !same_spec {
                    source.version += 1;
                    source.cursor = carried(&source, &spec);
                    if let Some(run) = tables::open_run(tx, id)? {
                        let watermark = source.cursor.watermark.is_some().then(|| run.cursor.watermark.clone());
                        let cursor = Cursor { watermark: watermark.flatten(), ..source.cursor.clone() };
                        tables::adopt_run(tx, &run, source.version, &cursor)?;
                    }
                    (source.failures, source.last_error) = (0, None);
                    tables::forget_bad_files(tx, id)?;
                }
                (source.spec, source.sealed, source.paused, source.changed_at) =
                    (spec.clone(), sealed.clone(), paused, now);
                source.next_at = first_turn(&source, now);
                let verb = if known.is_some() { "update" } else { "create" };
                match &known {
                    Some(_) => tables::update(tx, &source)?,
                    None => tables::insert(tx, &source)?,
                }
                work::cancel(tx, KIND, &id.to_string())?;
                if let Some(at) = source.next_at {
                    enqueue(tx, id, work_id, at)?;
                }
                let (before, after) = (known.as_ref().map(told), told(&source));
                audit::record(tx, &actor, verb, "source", &id.to_string(), before.as_ref(), Some(&after), now)?;
                Ok(source)
            })
            .await?;
        self.source_nudge.notify_one();
        Ok((source, true))
    }

    /// Fills in what was not given, and lets through what can work.
    async fn complete(
        &self,
        key: &str,
        spec: SourceSpec,
        mut secrets: SourceSecrets,
        known: Option<&Source>,
        outside: &Outside,
    ) -> Result<(SourceSpec, SourceSecrets), Error> {
        let refuse = |detail: String| Error::BadSource { key: key.to_owned(), detail };
        let mut spec = spec.checked().map_err(refuse)?;
        let old = match known {
            Some(known) => opened(known, outside).map_err(|trouble| refuse(trouble.sentence))?,
            None => SourceSecrets::default(),
        };
        match &mut spec.origin {
            Origin::Folder(folder) => {
                secrets = SourceSecrets::default();
                let mut paths = vec![folder.path.clone()];
                if let super::Afterwards::Move(to) = &folder.afterwards {
                    paths.push(to.clone());
                }
                let roots = outside.folders.clone();
                let real = on_thread(move || {
                    paths.iter().map(|path| folder::opened(path, &roots)).collect::<Result<Vec<_>, _>>()
                });
                let real = real.await.map_err(|trouble| refuse(trouble.sentence))?;
                if real.len() == 2 && real[0] == real[1] {
                    return Err(refuse("afterwards: files would be moved to where they are".into()));
                }
            }
            Origin::Url(url) => {
                secrets.connection = None;
                let address =
                    secrets.url.take().or(old.url.clone()).ok_or_else(|| refuse("url: it is missing".into()))?;
                url.address = shown(address.expose());
                if !["http://", "https://"].iter().any(|scheme| address.expose().starts_with(scheme)) {
                    return Err(refuse(format!("url: \"{}\" is not an http or https address", url.address)));
                }
                let same_host = old.url.as_ref().is_some_and(|old| host_of(old.expose()) == host_of(address.expose()));
                for (name, value) in &mut secrets.headers {
                    if value.is_none() {
                        let kept = old.headers.get(name).cloned().flatten().filter(|_| same_host);
                        *value = Some(kept.ok_or_else(|| {
                            refuse(format!(
                                "headers: the value of \"{name}\" is missing; it is kept for the same host only"
                            ))
                        })?);
                    }
                }
                url.headers = secrets.headers.keys().cloned().collect();
                secrets.url = Some(address);
            }
            Origin::Postgres(_) => {
                let connection = secrets.connection.take().or(old.connection);
                secrets = SourceSecrets { connection, ..SourceSecrets::default() };
                if secrets.connection.is_none() {
                    return Err(refuse("connection: it is missing".into()));
                }
            }
        }
        Ok((spec, secrets))
    }

    async fn known_source(&self, pool: PoolId, key: &str) -> Result<Option<Source>, Error> {
        let key = key.to_owned();
        self.db
            .read("pools.source", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::by_key(tx, pool, &key)?)
            })
            .await
    }

    /// Lists the sources of a pool by key.
    pub async fn sources(&self, pool: PoolId) -> Result<Vec<Source>, Error> {
        self.db
            .read("pools.sources", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::of_pool(tx, pool)?)
            })
            .await
    }

    /// Returns a source.
    pub async fn source(&self, pool: PoolId, key: &str) -> Result<Source, Error> {
        self.known_source(pool, key).await?.ok_or_else(|| Error::UnknownSource { key: key.to_owned() })
    }

    /// Removes a source. Rows that it brought stay, and a push job of it that
    /// runs comes to its end.
    pub async fn delete_source(&self, actor: &Actor, pool: PoolId, key: &str) -> Result<(), Error> {
        self.change_source(actor, pool, key, "delete", |tx, source, _, _| {
            work::cancel(tx, KIND, &source.id.to_string())?;
            tables::delete(tx, source.id)?;
            Ok(None)
        })
        .await
        .map(drop)
    }

    /// Lets a source look only when asked.
    pub async fn pause_source(&self, actor: &Actor, pool: PoolId, key: &str) -> Result<Source, Error> {
        self.change_source(actor, pool, key, "pause", |tx, source, _, _| {
            (source.paused, source.next_at) = (true, None);
            work::cancel(tx, KIND, &source.id.to_string())?;
            tables::update(tx, source)?;
            Ok(Some(source.clone()))
        })
        .await
    }

    /// Lets a source look by itself again.
    pub async fn resume_source(&self, actor: &Actor, pool: PoolId, key: &str) -> Result<Source, Error> {
        self.change_source(actor, pool, key, "resume", |tx, source, work_id, now| {
            source.paused = false;
            source.next_at = first_turn(source, now);
            tables::update(tx, source)?;
            if let Some(at) = source.next_at {
                enqueue(tx, source.id, work_id, at)?;
            }
            Ok(Some(source.clone()))
        })
        .await
    }

    /// Lets a source look now, once, also while it is paused; files that were
    /// refused are tried again.
    pub async fn run_source(&self, actor: &Actor, pool: PoolId, key: &str) -> Result<Source, Error> {
        self.change_source(actor, pool, key, "run", |tx, source, work_id, now| {
            tables::forget_bad_files(tx, source.id)?;
            source.next_at = Some(now);
            tables::update(tx, source)?;
            enqueue(tx, source.id, work_id, now)?;
            Ok(Some(source.clone()))
        })
        .await
    }

    async fn change_source(
        &self,
        actor: &Actor,
        pool: PoolId,
        key: &str,
        verb: &'static str,
        change: impl Fn(&mut dyn Tx, &mut Source, WorkId, Timestamp) -> Result<Option<Source>, Error> + Send + 'static,
    ) -> Result<Source, Error> {
        let (key, actor, now) = (key.to_owned(), actor.clone(), self.clock.now());
        let work_id = WorkId::new(now, &*self.chance);
        let changed = self
            .db
            .write("pools.change_source", move |tx| {
                must_have_pool(tx, pool)?;
                let known = tables::by_key(tx, pool, &key)?;
                let mut source = known.ok_or_else(|| Error::UnknownSource { key: key.clone() })?;
                let before = told(&source);
                let after = change(tx, &mut source, work_id, now)?;
                let (id, shown) = (source.id.to_string(), after.as_ref().map(told));
                audit::record(tx, &actor, verb, "source", &id, Some(&before), shown.as_ref(), now)?;
                Ok::<_, Error>(after.unwrap_or(source))
            })
            .await?;
        self.source_nudge.notify_one();
        Ok(changed)
    }

    /// Lists what a source brought and failed to bring, the newest first.
    pub async fn source_runs(&self, pool: PoolId, key: &str) -> Result<Vec<SourceRun>, Error> {
        let source = self.source(pool, key).await?;
        self.db.read("pools.source_runs", move |tx| Ok(tables::runs(tx, source.id)?)).await
    }

    /// Lists the files of a source that cannot be read.
    pub async fn bad_files(&self, pool: PoolId, key: &str) -> Result<Vec<BadFile>, Error> {
        let source = self.source(pool, key).await?;
        self.db.read("pools.bad_files", move |tx| Ok(tables::bad_files(tx, source.id)?)).await
    }

    /// Shows the first rows of what a source would bring, and brings nothing.
    /// Without a specification it is that of the source that there is.
    pub async fn test_source(
        &self,
        pool: PoolId,
        key: &str,
        draft: Option<(SourceSpec, SourceSecrets)>,
    ) -> Result<Sample, Error> {
        let refuse = |detail: String| Error::SourceTrouble { key: key.to_owned(), detail };
        let outside = self.outside.get().ok_or_else(|| refuse("this installation has no sources".into()))?.clone();
        let known = self.known_source(pool, key).await?;
        let (spec, secrets) = match (draft, &known) {
            (Some((spec, secrets)), known) => self.complete(key, spec, secrets, known.as_ref(), &outside).await?,
            (None, Some(known)) => {
                (known.spec.clone(), opened(known, &outside).map_err(|trouble| refuse(trouble.sentence))?)
            }
            (None, None) => return Err(Error::UnknownSource { key: key.to_owned() }),
        };
        let now = self.clock.now();
        let mut source = known.unwrap_or_else(|| draft_of(pool, key, &spec, SourceId::new(now, &*self.chance), now));
        source.sealed = outside.keys.seal(&purpose(source.id), &written(&secrets), &*self.chance);
        source.spec = spec;
        // It looks as if for the first time, so that there is something to see.
        source.cursor = Cursor::default();
        self.sample(&source, &secrets, &outside).await.map_err(|trouble| refuse(trouble.sentence))
    }

    async fn sample(&self, source: &Source, secrets: &SourceSecrets, outside: &Outside) -> Result<Sample, Trouble> {
        let found = match &source.spec.origin {
            Origin::Folder(folder) => self.sample_of_folder(source, folder, outside).await?,
            Origin::Url(url) => self.look_at_url(source, url, secrets, outside).await?,
            Origin::Postgres(postgres) => {
                let mut few = postgres.clone();
                (few.rows_max, few.batch_rows) = (Some(SAMPLE_ROWS as u64), SAMPLE_ROWS);
                self.look_at_postgres(source, &few, secrets, outside).await?
            }
        };
        let Found::Rows(find) = found else {
            return Ok(Sample { notes: vec!["there are no rows now".into()], ..Sample::default() });
        };
        if find.push.file_type == FileType::Parquet {
            let notes = vec!["it is Parquet: columns and types are as in the file".into()];
            return Ok(Sample { label: Some(find.label.clone()), notes, ..Sample::default() });
        }
        let files: Vec<ChunkFile> = find
            .chunks
            .iter()
            .map(|chunk| {
                let (id, name) = chunk.chunk();
                ChunkFile {
                    kind: ChunkKind::Upsert,
                    name: name.to_owned(),
                    path: self.spool.path(id),
                    read: crate::import::BytesRead::default(),
                }
            })
            .collect();
        let table = self.tables.table(source.pool, &find.push.target).await.ok().flatten();
        let push = find.push.clone();
        let mut sample = on_thread(move || read_sample(&push, &files, table.as_ref())).await?;
        sample.label = Some(find.label.clone());
        Ok(sample)
    }
}

fn read_sample(
    push: &crate::PushJobSpec,
    files: &[ChunkFile],
    table: Option<&crate::TableInfo>,
) -> Result<Sample, String> {
    let mut sample = Sample::default();
    let read = csv::load(push, files, table.map(|table| &table.schema), |piece| {
        let Piece::Upsert(rows) = piece else { return Ok(()) };
        if sample.columns.is_empty() {
            let columns = rows.schema().columns.into_iter();
            sample.columns = columns.map(|column| (column.name, column.column_type)).collect();
        }
        for row in 0..rows.len() {
            if sample.rows.len() == SAMPLE_ROWS {
                return Err(Refusal::Stopped);
            }
            sample.rows.push(rows.columns().iter().map(|column| json_of(column.cell(row))).collect());
        }
        Ok(())
    });
    match read {
        Ok(notes) => sample.notes = notes,
        Err(Refusal::Stopped) => {}
        Err(Refusal::Rows(sentence)) => return Err(sentence),
    }
    Ok(sample)
}

fn json_of(cell: Cell<'_>) -> Json {
    match cell {
        Cell::Null => Json::Null,
        Cell::Integer(number) => json!(number),
        Cell::Float(number) => json!(number),
        Cell::Time(micros) => json!(Timestamp::from_micros(micros).to_string()),
        Cell::Boolean(truth) => json!(truth),
        Cell::Text(text) => json!(text),
    }
}

fn draft_of(pool: PoolId, key: &str, spec: &SourceSpec, id: SourceId, now: Timestamp) -> Source {
    Source {
        id,
        pool,
        key: key.to_owned(),
        version: 0,
        spec: spec.clone(),
        paused: true,
        cursor: Cursor::default(),
        failures: 0,
        last_error: None,
        last_run_at: None,
        next_at: None,
        rows_in: 0,
        runs_done: 0,
        runs_failed: 0,
        created_at: now,
        created_by: String::new(),
        changed_at: now,
        sealed: Vec::new(),
    }
}

/// What the audit trail says of a source: all but its secrets.
fn told(source: &Source) -> Json {
    json!({ "key": source.key, "spec": source.spec, "paused": source.paused })
}

fn checked_key(key: &str) -> Result<String, Error> {
    let refuse = |detail| Err(Error::BadName { name: key.to_owned(), noun: "source", detail });
    if key.is_empty() || key.chars().count() > KEY_LETTERS_MAX {
        return refuse("it has 1 to 100 letters");
    }
    if !key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)) {
        return refuse("it is made of letters, digits, \"-\", \"_\" and \".\"");
    }
    Ok(key.to_owned())
}

/// A source that looks every so often looks at once; one with a clock waits
/// for it.
fn first_turn(source: &Source, now: Timestamp) -> Option<Timestamp> {
    match &source.spec.rhythm {
        _ if source.paused => None,
        super::Rhythm::Every { .. } => Some(now),
        super::Rhythm::Scheduled(schedule) => schedule.next_after(now),
    }
}

/// Tells how far a source has come that is asked for something else now: what
/// it knew of contents is void, and its watermark holds for its column only.
fn carried(source: &Source, spec: &SourceSpec) -> Cursor {
    let column = |spec: &SourceSpec| match &spec.origin {
        Origin::Postgres(postgres) => {
            postgres.watermark.as_ref().map(|watermark| (watermark.column.to_ascii_lowercase(), watermark.kind))
        }
        Origin::Folder(_) | Origin::Url(_) => None,
    };
    let same = column(&source.spec) == column(spec) && source.spec.push.target.eq_ignore_ascii_case(&spec.push.target);
    Cursor { watermark: source.cursor.watermark.clone().filter(|_| same), ..Cursor::default() }
}

// Secrets.

fn purpose(id: SourceId) -> String {
    format!("source {id} secrets")
}

/// Opens the secrets of a source.
pub(super) fn opened(source: &Source, outside: &Outside) -> Result<SourceSecrets, Trouble> {
    let text = outside.keys.open(&purpose(source.id), &source.sealed);
    let text = text.map_err(|error| Trouble::new(error.to_string()))?;
    read(&text).ok_or_else(|| Trouble::new("its secrets cannot be read: put it again"))
}

fn written(secrets: &SourceSecrets) -> Secret {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let headers: BTreeMap<&String, Option<String>> =
        secrets.headers.iter().map(|(name, value)| (name, text(value))).collect();
    let whole = json!({ "url": text(&secrets.url), "connection": text(&secrets.connection), "headers": headers });
    Secret::new(whole.to_string())
}

fn read(text: &Secret) -> Option<SourceSecrets> {
    let whole: Json = serde_json::from_str(text.expose()).ok()?;
    let secret = |value: &Json| value.as_str().map(Secret::new);
    let headers = whole["headers"].as_object()?.iter();
    Some(SourceSecrets {
        url: secret(&whole["url"]),
        connection: secret(&whole["connection"]),
        headers: headers.map(|(name, value)| (name.clone(), secret(value))).collect(),
    })
}

/// Scheme, host and port: where the values of headers may go.
fn host_of(address: &str) -> &str {
    let from = address.find("://").map_or(0, |place| place + 3);
    let end = address[from..].find(['/', '?', '#']).map_or(address.len(), |place| from + place);
    &address[..end]
}
