//! Tables at rest: Delta.
//!
//! A table's folder holds Parquet files and a Delta log that says which of
//! them count. Each commit to that log carries the number of the last commit
//! of ours that it contains, as an application transaction. So a restart knows
//! from the table itself where in the write-ahead log to go on, and no crash
//! loses or doubles a row.
//!
//! Only this crate commits under a pool's folder. The protocol stays at reader
//! 1, writer 2, without deletion vectors: what every Delta reader knows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add, Metadata, PrimitiveType, Protocol, Remove, StructField, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, OutputMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::StreamExt as _;
use parking_lot::Mutex;
use pools::rows::{ColumnSchema, ColumnType, Schema};
use pools::schema::Shape;
use pools::{CommitNumber, PoolId, SEQ_COLUMN, TablesError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::bounds::Extents;
use crate::disk::{Disk, is_full};
use crate::error::failed;
use crate::files::Written;
use crate::keys::{Coder, KeyRange};
use crate::skipping::key_range;
use crate::store::LastingStore;

/// The key columns, as a JSON list, in the table's configuration.
const KEYS_PROPERTY: &str = "loopwright.keys";

/// The Delta log is folded into a checkpoint this often.
const CHECKPOINT_INTERVAL: u64 = 100;

/// What of a table is at rest.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// The version of the Delta table; `None` before the first.
    pub(crate) version: Option<u64>,
    /// The last commit that it contains.
    pub(crate) through: CommitNumber,
    /// Columns and keys then.
    pub(crate) shape: Shape,
    /// The files that count.
    pub(crate) files: Vec<RestFile>,
}

/// A file that counts.
#[derive(Clone, Debug)]
pub(crate) struct RestFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its name in the Delta log.
    pub(crate) name: String,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// What is known of its columns.
    pub(crate) extents: Arc<Extents>,
    /// Between which keys of the table its rows lie, if that is known.
    pub(crate) keys: Option<KeyRange>,
    /// Shared by all who may still read it.
    #[expect(dead_code, reason = "it counts who holds it")]
    held: Arc<()>,
}

/// The files of a table that someone may still read, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<Mutex<HashMap<String, Weak<()>>>>);

impl Held {
    fn hold(&self, name: &str) -> Arc<()> {
        let mut held = self.0.lock();
        if let Some(holder) = held.get(name).and_then(Weak::upgrade) {
            return holder;
        }
        let holder = Arc::new(());
        held.insert(name.to_owned(), Arc::downgrade(&holder));
        holder
    }

    /// Tells whether someone may still read a file.
    pub(crate) fn is_held(&self, name: &str) -> bool {
        let mut held = self.0.lock();
        held.retain(|_, holder| holder.strong_count() > 0);
        held.contains_key(name)
    }
}

/// What a flush does to a table at rest.
#[derive(Debug)]
pub(crate) struct Step {
    /// The table's name.
    pub(crate) name: String,
    /// Columns and keys from now on.
    pub(crate) shape: Shape,
    /// The last commit that the table contains from now on.
    pub(crate) through: CommitNumber,
    /// Files that no longer count.
    pub(crate) gone: Vec<RestFile>,
    /// Files that count from now on.
    pub(crate) written: Vec<Written>,
    /// When it happens, in milliseconds.
    pub(crate) now_ms: i64,
    /// The same rows only lie in other files.
    pub(crate) moves_rows: bool,
}

/// A table's Delta log, open.
pub(crate) struct Delta {
    folder: PathBuf,
    app: String,
    table: DeltaTable,
    held: Held,
    retention: Duration,
}

impl Delta {
    /// Opens a table's Delta log as far as it has grown, without making one.
    /// Files that no longer count are kept for the retention.
    pub(crate) async fn open(
        disk: Arc<dyn Disk>,
        pool: PoolId,
        folder: &Path,
        held: Held,
        retention: Duration,
    ) -> Result<Delta, TablesError> {
        let place =
            Url::from_directory_path(folder).map_err(|()| failed("the data folder must be an absolute path"))?;
        let store = Arc::new(LastingStore::new(disk));
        let builder = DeltaTableBuilder::from_url(place.clone()).map_err(failed)?.with_storage_backend(store, place);
        let mut table = builder.build().map_err(failed)?;
        if has_commits(folder).map_err(failed)? {
            table.load().await.map_err(failed)?;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Ok(Delta { folder: folder.to_owned(), app: format!("loopwright/{pool}/{name}"), table, held, retention })
    }

    /// Returns what is at rest, and the table's name; `None` if nothing ever
    /// came to rest.
    pub(crate) async fn rest(&self) -> Result<Option<(String, Rest)>, TablesError> {
        let Ok(state) = self.table.snapshot() else { return Ok(None) };
        let log = self.table.log_store();
        let through = state.transaction_version(log.as_ref(), &self.app).await.map_err(failed)?;
        let through = through.ok_or_else(|| failed("the table at rest was not written by this program"))?;
        let metadata = state.metadata();
        let keys = metadata.configuration().get(KEYS_PROPERTY).cloned().unwrap_or_else(|| "[]".to_owned());
        let keys = serde_json::from_str(&keys).map_err(failed)?;
        let shape = Shape { schema: schema_of(&state.schema())?, keys };
        let coder = if shape.keys.is_empty() { None } else { Some(Coder::new(&shape).map_err(failed)?) };
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            let name = view.path().into_owned();
            let rows = view.num_records().ok_or_else(|| failed(format!("the size of \"{name}\" is not known")))?;
            let path = self.folder.join(&name);
            let extents = Extents::parse(&view.stats().unwrap_or_default(), &shape.schema);
            let keys = coder.as_ref().and_then(|coder| key_range(coder, &extents));
            let (extents, held) = (Arc::new(extents), self.held.hold(&name));
            files.push(RestFile { path, name, rows: rows as u64, bytes: view.size() as u64, extents, keys, held });
        }
        // Names begin with a commit number, so this is about the order of
        // arrival.
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let name = metadata.name().unwrap_or_default().to_owned();
        Ok(Some((name, Rest { version: Some(state.version()), through: through as u64, shape, files })))
    }

    /// Commits a step. If it returns an error the step may have been taken
    /// nevertheless: open the log again to know.
    pub(crate) async fn commit(&mut self, step: Step) -> Result<Rest, TablesError> {
        let before = match self.rest().await? {
            Some((_, rest)) => rest,
            None => Rest::default(),
        };
        let mut actions = Vec::new();
        if before.version.is_none() {
            let protocol = json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
            actions.push(Action::Protocol(serde_json::from_value::<Protocol>(protocol).map_err(failed)?));
        }
        if before.version.is_none() || before.shape != step.shape {
            actions.push(Action::Metadata(self.metadata(&step)?));
        }
        let changes = !step.moves_rows;
        actions.extend(step.gone.iter().map(|file| Action::Remove(remove(file, step.now_ms, changes))));
        actions.extend(step.written.iter().map(|file| Action::Add(add(file, step.now_ms, changes))));
        let through = i64::try_from(step.through).map_err(failed)?;
        let transaction = Transaction::new_with_last_update(&self.app, through, Some(step.now_ms));
        let next = before.version.map_or(0, |version| version + 1);
        let properties = CommitProperties::default()
            .with_application_transaction(transaction)
            .with_create_checkpoint(true)
            .with_cleanup_expired_logs(Some(next > 0 && next.is_multiple_of(CHECKPOINT_INTERVAL)))
            .with_max_retries(0);
        let operation = if step.moves_rows {
            let target_size = step.written.iter().map(|file| file.bytes as i64).max().unwrap_or(0);
            DeltaOperation::Optimize { predicate: None, target_size }
        } else {
            DeltaOperation::StreamingUpdate {
                output_mode: if step.gone.is_empty() { OutputMode::Append } else { OutputMode::Update },
                query_id: self.app.clone(),
                epoch_id: through,
            }
        };
        let state = self.table.snapshot().ok();
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(state.map(|state| state as &dyn TableReference), self.table.log_store(), operation)
            .await
            .map_err(of_delta)?;
        self.table.state = Some(committed.snapshot());
        match self.rest().await? {
            Some((_, rest)) if rest.through == step.through => Ok(rest),
            _ => Err(failed("the table at rest does not hold what was just committed")),
        }
    }

    /// Returns the files that the log remembers to have let go of, and when,
    /// in milliseconds. Those of long ago are forgotten.
    pub(crate) async fn let_go(&self) -> Result<HashMap<String, i64>, TablesError> {
        let Ok(state) = self.table.snapshot() else { return Ok(HashMap::new()) };
        let log = self.table.log_store();
        let mut gone = HashMap::new();
        let mut tombstones = state.all_tombstones(log.as_ref());
        while let Some(tombstone) = tombstones.next().await {
            let tombstone = tombstone.map_err(failed)?;
            let at = tombstone.deletion_timestamp().unwrap_or(i64::MAX);
            gone.insert(tombstone.path().into_owned(), at);
        }
        Ok(gone)
    }

    fn metadata(&self, step: &Step) -> Result<Metadata, TablesError> {
        // A table keeps its id for life.
        let known = self.table.snapshot().ok().map(|state| state.metadata().id().to_owned());
        let id = known.unwrap_or_else(|| uuid::Uuid::from_bytes(content_id(&self.app)).to_string());
        let keys = serde_json::to_string(&step.shape.keys).map_err(failed)?;
        let schema = struct_of(&step.shape.schema)?;
        let metadata = json!({
            "id": id,
            "name": step.name,
            "description": null,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": serde_json::to_string(&schema).map_err(failed)?,
            "partitionColumns": [],
            "configuration": {
                KEYS_PROPERTY: keys,
                "delta.checkpointInterval": CHECKPOINT_INTERVAL.to_string(),
                "delta.logRetentionDuration": interval(self.retention),
                "delta.deletedFileRetentionDuration": interval(self.retention),
            },
            "createdTime": step.now_ms,
        });
        serde_json::from_value(metadata).map_err(failed)
    }
}

/// Returns a duration as Delta writes it.
fn interval(duration: Duration) -> String {
    format!("interval {} seconds", duration.as_secs())
}

/// Tells whether a table was ever committed to. A crash can leave its folder
/// without a commit in it.
fn has_commits(folder: &Path) -> std::io::Result<bool> {
    let log = match std::fs::read_dir(folder.join("_delta_log")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        log => log?,
    };
    for entry in log {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sixteen bytes that say which table this is.
fn content_id(app: &str) -> [u8; 16] {
    let digest = Sha256::digest(app.as_bytes());
    digest[..16].try_into().expect("a digest is longer")
}

fn add(file: &Written, now_ms: i64, changes: bool) -> Add {
    Add {
        path: file.name.clone(),
        size: file.bytes as i64,
        modification_time: now_ms,
        data_change: changes,
        stats: Some(file.stats.clone()),
        ..Add::default()
    }
}

fn remove(file: &RestFile, now_ms: i64, changes: bool) -> Remove {
    Remove {
        path: file.name.clone(),
        data_change: changes,
        deletion_timestamp: Some(now_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::new()),
        size: Some(file.bytes as i64),
        ..Remove::default()
    }
}

fn struct_of(schema: &Schema) -> Result<StructType, TablesError> {
    let columns = schema.columns.iter().map(|column| {
        let primitive = match column.column_type {
            ColumnType::Integer => PrimitiveType::Long,
            ColumnType::Float => PrimitiveType::Double,
            ColumnType::Time => PrimitiveType::Timestamp,
            ColumnType::Boolean => PrimitiveType::Boolean,
            ColumnType::Text => PrimitiveType::String,
        };
        StructField::nullable(&column.name, primitive)
    });
    StructType::try_new(columns.chain([StructField::nullable(SEQ_COLUMN, PrimitiveType::Long)])).map_err(failed)
}

fn schema_of(schema: &StructType) -> Result<Schema, TablesError> {
    let mut columns = Vec::new();
    for field in schema.fields().filter(|field| field.name() != SEQ_COLUMN) {
        let deltalake::kernel::DataType::Primitive(primitive) = field.data_type() else {
            return Err(failed(format!("column \"{}\" at rest is of a type that is not ours", field.name())));
        };
        let column_type = match primitive {
            PrimitiveType::Long => ColumnType::Integer,
            PrimitiveType::Double => ColumnType::Float,
            PrimitiveType::Timestamp => ColumnType::Time,
            PrimitiveType::Boolean => ColumnType::Boolean,
            PrimitiveType::String => ColumnType::Text,
            other => return Err(failed(format!("column \"{}\" at rest is {other:?}", field.name()))),
        };
        columns.push(ColumnSchema { name: field.name().clone(), column_type });
    }
    Ok(Schema { columns })
}

/// Returns what an error of the Delta log means; it may hide a failing disk.
fn of_delta(error: DeltaTableError) -> TablesError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = source {
        if inner.downcast_ref::<std::io::Error>().is_some_and(is_full) {
            return TablesError::Full;
        }
        source = inner.source();
    }
    failed(error)
}

/// Returns the name of a table's folder: what every file system takes, and
/// different for names that differ beyond case.
pub(crate) fn folder_name(table: &str) -> String {
    const LENGTH_MAX: usize = 120;
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') => char::from(byte).to_string(),
        byte => format!("~{byte:02X}"),
    };
    let mut name: String = table.bytes().map(escaped).collect();
    if name.is_empty() || name.len() > LENGTH_MAX {
        let digest = Sha256::digest(table.to_ascii_lowercase().as_bytes());
        let digest = uuid::Uuid::from_slice(&digest[..16]).expect("sixteen bytes").simple();
        name.truncate(LENGTH_MAX);
        return format!("{name}~{digest}");
    }
    name
}
