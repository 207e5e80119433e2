//! Continuous push: files that come one by one, without a job around them.
//!
//! A caller sends a Parquet file and is told at once that it is safe. Inside,
//! each file is a push job of its own that is QUEUED from its first moment,
//! in line with all other jobs of its table. What differs:
//!
//! * It is always an upsert. The keys are those that the table has; a table
//!   that is new, or has none, gets the named ones, and where none are named
//!   all columns of the file together.
//! * Files of one table that wait side by side come in with one commit, so
//!   that a thousand small files are not a thousand commits. One of them
//!   *leads*: the commit bears its id, and after a crash the others ask for
//!   that one. If they do not go together, each goes alone.
//! * An order column may tell which row of a key is the newest; see
//!   [`newest`](crate::newest).

use std::sync::Arc;

use base::db::{Control, Db, Tx};
use base::{Actor, Timestamp, audit};
use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::execution::{Outcome, Settled, of_tables};
use crate::newest::{Newest, columns_of, newest};
use crate::pools::{must_have_pool, shown_name};
use crate::push_job::{self, Chunk, ChunkKind, FileType, Input, PushJob, PushJobSpec, PushType, State};
use crate::rows::{Rows, Schema};
use crate::spool::{Spool, Upload};
use crate::{
    CHANGE_DATE_COLUMN, ChunkId, Committed, Error, Mode, Piece, PoolId, Pools, PushJobId, SEQ_COLUMN, TableInfo,
    TablesError, kept, push_tables, tables,
};

/// Files that come in with one commit at most.
const GROUP_FILES_MAX: usize = 64;
/// Bytes of files after which a group ends.
const GROUP_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a file whose newest rows are to be found: it is read into memory.
pub(crate) const ORDERED_BYTES_MAX: u64 = 64 << 20;
/// What every Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// A file of continuous push on its way in. Dropped before
/// [`Pools::accept_item`], nothing of it stays.
pub struct ItemUpload {
    upload: Upload,
    db: Db<Control>,
    spool: Arc<Spool>,
    bytes_max: u64,
    file_name: String,
    start: Vec<u8>,
}

impl ItemUpload {
    /// Returns the name by which logs speak of the file.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Takes the next bytes. After an error, drop the upload.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.upload.bytes() + bytes.len() as u64 > self.bytes_max {
            return Err(Error::ChunkTooLarge { bytes_max: self.bytes_max });
        }
        let missing = MAGIC.len().saturating_sub(self.start.len());
        self.start.extend(bytes.iter().take(missing));
        if self.start.len() == MAGIC.len() && self.start != MAGIC {
            return Err(self.not_parquet());
        }
        if !self.upload.has_room(bytes.len()) {
            kept::make_room(&self.db, &self.spool, bytes.len() as u64).await?;
        }
        self.upload.write(&bytes).await
    }

    fn not_parquet(&self) -> Error {
        let detail = "it is not Parquet, and continuous push takes nothing else; push CSV by a data push job".into();
        Error::BadItem { file: self.file_name.clone(), detail }
    }
}

/// A file with its chunk row.
pub(crate) struct Item {
    pub(crate) job: PushJob,
    pub(crate) chunks: Vec<Chunk>,
}

impl Pools {
    /// Begins to take a file of continuous push.
    pub async fn add_item(&self, pool: PoolId, file_name: &str) -> Result<ItemUpload, Error> {
        self.db.read("pools.add_item", move |tx| must_have_pool(tx, pool)).await?;
        let id = ChunkId::new(self.clock.now(), &*self.chance);
        Ok(ItemUpload {
            upload: self.spool.upload(id),
            db: self.db.clone(),
            spool: self.spool.clone(),
            bytes_max: self.options.chunk_bytes_max,
            file_name: shown_name(file_name),
            start: Vec::new(),
        })
    }

    /// Takes a file whose bytes have come. When this returns, it is durable
    /// and waits for its turn; its columns have been looked at.
    pub async fn accept_item(
        &self,
        actor: &Actor,
        pool: PoolId,
        spec: PushJobSpec,
        mut item: ItemUpload,
    ) -> Result<PushJob, Error> {
        let spec = PushJobSpec {
            job_type: PushType::Delta,
            file_type: FileType::Parquet,
            continuous: Some(spec.continuous.clone().unwrap_or_default()),
            causes: actor.causes.clone(),
            ..spec
        };
        let spec = spec.checked()?;
        if item.start != MAGIC {
            return Err(item.not_parquet());
        }
        let spooled = item.upload.finish().await?;
        self.check_item(pool, &spec, &item).await?;
        let now = self.clock.now();
        let mut job = PushJob {
            id: PushJobId::new(now, &*self.chance),
            pool,
            spec,
            state: State::New,
            logs: Vec::new(),
            committed: None,
            created_at: now,
            created_by: actor.name.clone(),
            executed_at: None,
            changed_at: now,
        };
        job.state = push_job::next(job.state, Input::Execute).expect("a new job can be executed");
        let chunk = Chunk {
            id: item.upload.id(),
            job: job.id,
            kind: ChunkKind::Upsert,
            file_name: item.file_name.clone(),
            checksum: spooled.checksum,
            bytes: spooled.bytes,
            created_at: now,
        };
        // Whoever called may go away while the row is written; then the file
        // must stay, for the row may have made it.
        item.upload.keep();
        let (made, actor) = (job.clone(), actor.clone());
        let written = self
            .db
            .write("pools.accept_item", move |tx| {
                must_have_pool(tx, pool)?;
                tables::insert_job(tx, &made)?;
                tables::insert_chunk(tx, &chunk)?;
                tables::enqueue_job(tx, made.id, now)?;
                let after = json!({ "pool": made.pool, "table": made.spec.target, "type": "CONTINUOUS" });
                audit::record(tx, &actor, "push", "push-job", &made.id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await;
        if let Err(error) = written {
            item.upload.discard();
            return Err(error);
        }
        self.nudge.notify_one();
        Ok(PushJob { executed_at: Some(now), ..job })
    }

    /// Refuses a file at the door that could not come in later.
    async fn check_item(&self, pool: PoolId, spec: &PushJobSpec, item: &ItemUpload) -> Result<(), Error> {
        let refuse = |detail: String| Error::BadItem { file: item.file_name.clone(), detail };
        let path = self.spool.path(item.upload.id());
        let schema = match self.tables.parquet_head(&path, 0).await {
            Ok(head) => head.first.schema(),
            Err(TablesError::BadFile { detail, .. }) => return Err(refuse(detail)),
            Err(error) => return Err(error.into()),
        };
        let table = self.tables.table(pool, &spec.target).await?;
        let keys = keys_for(spec, table.as_ref(), &schema);
        if keys.is_empty() {
            return Err(refuse("it has no columns".into()));
        }
        if let Some(key) = keys.iter().find(|key| schema.position(key).is_none()) {
            return Err(refuse(format!("key column \"{key}\" is missing; there are {}", names_of(&schema))));
        }
        if let Some(order) = &spec.newest_by {
            if schema.position(order).is_none() {
                let names = names_of(&schema);
                return Err(refuse(format!("duplicateRemovalOrderColumn \"{order}\" is missing; there are {names}")));
            }
            if item.upload.bytes() > ORDERED_BYTES_MAX {
                let megabytes = ORDERED_BYTES_MAX >> 20;
                return Err(refuse(format!(
                    "with duplicateRemovalOrderColumn a file has at most {megabytes} MiB: split it"
                )));
            }
        }
        Ok(())
    }

    /// Takes along with a claimed file those that wait behind it and go
    /// together with it; called in the transaction of the claim.
    pub(crate) fn followers(tx: &mut dyn Tx, leader: &PushJob, bytes: u64, now: Timestamp) -> Result<Vec<Item>, Error> {
        let mut bytes = bytes;
        let mut followers = Vec::new();
        for job in push_tables::queued(tx, leader.pool, &leader.spec.target, GROUP_FILES_MAX - 1)? {
            if !go_together(&leader.spec, &job.spec) {
                break;
            }
            let chunks = tables::chunks(tx, job.id)?;
            bytes += chunks.iter().map(|chunk| chunk.bytes).sum::<u64>();
            if bytes > GROUP_BYTES_MAX {
                break;
            }
            let next = push_job::next(job.state, Input::Claim).expect("a job that waits can be claimed");
            tables::move_job(tx, job.id, job.state, next, now)?;
            push_tables::set_leader(tx, job.id, Some(leader.id))?;
            followers.push(Item { job, chunks });
        }
        Ok(followers)
    }

    /// Brings files in, with one commit if they go together; false if nobody
    /// knows what became of them.
    pub(crate) async fn execute_items(&self, items: Vec<Item>, stop: &CancellationToken) -> Result<bool, Error> {
        if items.len() > 1 {
            match self.bring_items(&items, stop).await {
                Outcome::Unknown => return Ok(false),
                Outcome::Committed { committed, logs } => {
                    self.settle_all(settled_together(&items, committed, &logs)).await?;
                    return Ok(true);
                }
                // One of them is at fault: nothing of the group came in, and
                // from here on each asks for its own commit.
                Outcome::Refused { .. } | Outcome::Failed { .. } => self.part(&items).await?,
            }
        }
        for item in items {
            let outcome = self.bring_items(std::slice::from_ref(&item), stop).await;
            if !self.settle(&item.job, outcome).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn part(&self, items: &[Item]) -> Result<(), Error> {
        let ids: Vec<_> = items.iter().map(|item| item.job.id).collect();
        self.db
            .write("pools.part", move |tx| {
                for id in &ids {
                    push_tables::set_leader(tx, *id, None)?;
                }
                Ok::<_, Error>(())
            })
            .await
    }

    async fn bring_items(&self, items: &[Item], stop: &CancellationToken) -> Outcome {
        let leader = &items[0].job;
        match self.stage_items(items, stop).await {
            Ok((mode, logs)) => self.commit_staged(leader, mode, logs).await,
            Err(outcome) => {
                self.tables.abandon(leader.id);
                outcome
            }
        }
    }

    async fn stage_items(&self, items: &[Item], stop: &CancellationToken) -> Result<(Mode, Vec<String>), Outcome> {
        let leader = &items[0].job;
        let refused = |error: TablesError| of_tables(&error, vec![error.to_string()]);
        let table = self.tables.table(leader.pool, &leader.spec.target).await.map_err(refused)?;
        let files = || items.iter().flat_map(|item| &item.chunks);
        let in_file = |chunk: &Chunk, error: TablesError| match error {
            // The caller knows the file by the name it came with.
            TablesError::BadFile { detail, .. } => {
                Outcome::Refused { logs: vec![format!("file \"{}\": {detail}", chunk.file_name)] }
            }
            error => refused(error),
        };
        let Some(first) = files().next() else {
            return Err(Outcome::Refused { logs: vec!["the file is gone".into()] });
        };
        let head = self.tables.parquet_head(&self.spool.path(first.id), 0).await;
        let schema = head.map_err(|error| in_file(first, error))?.first.schema();
        let keys = keys_for(&leader.spec, table.as_ref(), &schema);
        let mut logs = Vec::new();
        if differ(&leader.spec.keys, &keys) {
            logs.push(format!("the table's own keys were taken: ({})", keys.join(", ")));
        }
        match leader.spec.newest_by.clone() {
            None => {
                for chunk in files() {
                    if stop.is_cancelled() {
                        return Err(Outcome::Unknown);
                    }
                    let piece = Piece::UpsertParquet(self.spool.path(chunk.id));
                    let staged = self.tables.stage(leader.pool, leader.id, piece).await;
                    staged.map_err(|error| in_file(chunk, error))?;
                }
            }
            Some(order) => {
                let mut came = Vec::new();
                for chunk in files() {
                    if stop.is_cancelled() {
                        return Err(Outcome::Unknown);
                    }
                    let rows = self.tables.read_parquet(&self.spool.path(chunk.id)).await;
                    came.push(rows.map_err(|error| in_file(chunk, error))?);
                }
                let rows = self.only_newest(leader, came, &keys, &order, &mut logs).await.map_err(refused)?;
                for rows in rows {
                    let staged = self.tables.stage(leader.pool, leader.id, Piece::Upsert(rows)).await;
                    staged.map_err(refused)?;
                }
            }
        }
        Ok((Mode::Upsert { keys, keep_missing: true }, logs))
    }

    /// Leaves out what is not the newest row of its key, and says so.
    pub(crate) async fn only_newest(
        &self,
        leader: &PushJob,
        came: Vec<Rows>,
        keys: &[String],
        order: &str,
        logs: &mut Vec<String>,
    ) -> Result<Vec<Rows>, TablesError> {
        let mut stored = Vec::new();
        let replaces = leader.spec.mode() == Mode::Replace;
        for rows in came.iter().filter(|_| !replaces) {
            let found = self
                .tables
                .find(leader.pool, &leader.spec.target, columns_of(rows, keys), vec![order.to_owned()])
                .await?;
            stored.push(found);
        }
        let (keys, order) = (keys.to_vec(), order.to_owned());
        let work = move || newest(&came, &keys, &order, &stored);
        let Newest { rows, repeated, outdated } = tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| TablesError::Failed { detail: "the newest rows could not be found".into() })?;
        if repeated > 0 {
            logs.push(format!("{repeated} rows were outdone by newer rows of the same push"));
        }
        if outdated > 0 {
            logs.push(format!("{outdated} rows are older than the stored ones and were left out"));
        }
        Ok(rows)
    }
}

/// Tells whether two files can come in with one commit. A commit has one chain
/// of causes, so those with different ones cannot.
fn go_together(one: &PushJobSpec, other: &PushJobSpec) -> bool {
    other.continuous.is_some()
        && one.newest_by == other.newest_by
        && one.keys == other.keys
        && one.causes == other.causes
}

/// Returns the columns by which rows replace each other.
fn keys_for(spec: &PushJobSpec, table: Option<&TableInfo>, file: &Schema) -> Vec<String> {
    if let Some(table) = table.filter(|table| !table.keys.is_empty()) {
        return table.keys.clone();
    }
    if !spec.keys.is_empty() {
        return spec.keys.clone();
    }
    let ours = [CHANGE_DATE_COLUMN, SEQ_COLUMN];
    let names = file.columns.iter().map(|column| column.name.clone());
    names.filter(|name| !ours.iter().any(|ours| ours.eq_ignore_ascii_case(name))).collect()
}

fn differ(named: &[String], taken: &[String]) -> bool {
    let is_taken = |name: &String| taken.iter().any(|taken| taken.eq_ignore_ascii_case(name));
    !named.is_empty() && (named.len() != taken.len() || !named.iter().all(is_taken))
}

fn names_of(schema: &Schema) -> String {
    let names = schema.columns.iter().take(50).map(|column| format!("\"{}\"", column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// What a commit means to those who came in with it.
fn settled_together(items: &[Item], committed: Committed, logs: &[String]) -> Vec<Settled> {
    let leader = items[0].job.id;
    let follower = Committed { upserted: 0, deleted: 0, ..committed };
    let note = format!("the rows came in with those of push job {leader}, commit {}", committed.number);
    items
        .iter()
        .enumerate()
        .map(|(place, item)| {
            let outcome = match place {
                0 => Outcome::Committed { committed, logs: logs.to_vec() },
                _ => Outcome::Committed { committed: follower, logs: vec![note.clone()] },
            };
            Settled { job: item.job.clone(), outcome }
        })
        .collect()
}
