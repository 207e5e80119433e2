//! The lake as a whole, on a disk that can be made to fail.

mod big;
mod disks;
mod faults;
mod laws;
mod rest;
mod skipping;
mod sql;
mod asking;
mod transforms;
mod tidy;

use std::path::Path;
use std::sync::Arc;

use base::chance::SeededChance;
use base::time::SimClock;
use base::{Chance, Timestamp};
use pools::memory::MemTables;
use pools::rows::{Cell, ColumnBuilder, ColumnType, Rows};
use pools::schema::text_of;
use pools::{Change, Commit, Committed, Mode, Piece, PoolId, PushJobId, SEQ_COLUMN, Tables, TablesError};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::{Error, Lake, Options};
use disks::FaultyDisk;

/// Reads rows from a small drawing: first line the columns `name:type`, then a
/// line per row, `-` for nothing.
fn rows(drawing: &str) -> Rows {
    let mut lines = drawing.trim().lines();
    let header = lines.next().expect("a header");
    let mut builders: Vec<_> = header
        .split_whitespace()
        .map(|column| {
            let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
            let column_type = match kind {
                "integer" => ColumnType::Integer,
                "float" => ColumnType::Float,
                "time" => ColumnType::Time,
                "boolean" => ColumnType::Boolean,
                _ => ColumnType::Text,
            };
            (ColumnBuilder::new(name, column_type), column_type)
        })
        .collect();
    for line in lines {
        for (text, (builder, column_type)) in line.split_whitespace().zip(&mut builders) {
            builder.push(match (text, column_type) {
                ("-", _) => Cell::Null,
                (text, ColumnType::Integer) => Cell::Integer(text.parse().expect("an integer")),
                (text, ColumnType::Float) => Cell::Float(text.parse().expect("a float")),
                (text, ColumnType::Boolean) => Cell::Boolean(text == "true"),
                (text, ColumnType::Time) => Cell::Time(text.parse::<Timestamp>().expect("a time").as_micros()),
                (text, ColumnType::Text) => Cell::Text(text),
            });
        }
    }
    Rows::new(builders.into_iter().map(|(builder, _)| builder.finish()).collect())
}

/// Draws rows: a line of columns with their types, then a line per row.
fn drawing(rows: &Rows) -> String {
    let kind = |column_type| format!("{column_type:?}").to_ascii_lowercase();
    let header = rows.columns().iter().map(|column| format!("{}:{}", column.name, kind(column.values.column_type())));
    let mut lines = vec![header.collect::<Vec<_>>().join(" ")];
    for row in 0..rows.len() {
        let cells = rows.columns().iter().map(|column| match column.cell(row) {
            Cell::Null => "-".to_owned(),
            Cell::Integer(seq) if column.name == SEQ_COLUMN => format!("{}/{}", seq >> 32, seq & 0xffff_ffff),
            cell => text_of(cell),
        });
        lines.push(cells.collect::<Vec<_>>().join(" "));
    }
    lines.join("\n") + "\n"
}

fn by_id(keep_missing: bool) -> Mode {
    Mode::Upsert { keys: vec!["id".into()], keep_missing }
}

/// Small limits, so that small tests cross them.
fn small() -> Options {
    Options { segment_bytes_max: 2_000, file_bytes_max: 100_000, ..Options::default() }
}

/// The same, and every row goes to disk at once.
fn spilling() -> Options {
    Options { staged_bytes_max: 0, ..small() }
}

/// A lake and the model that it must agree with.
struct Pond {
    folder: TempDir,
    disk: Arc<FaultyDisk>,
    clock: Arc<SimClock>,
    options: Options,
    lake: Option<Arc<Lake>>,
    model: MemTables,
    pool: PoolId,
    chance: SeededChance,
}

impl Pond {
    fn new() -> Self {
        Pond::with(small())
    }

    fn with(options: Options) -> Self {
        let mut pond = Pond::closed(options);
        pond.open().expect("an empty folder opens");
        pond
    }

    /// A pond whose lake is yet to be opened.
    fn closed(options: Options) -> Self {
        let chance = SeededChance::new(7);
        Pond {
            folder: tempfile::tempdir().expect("a folder"),
            disk: Arc::new(FaultyDisk::new(7)),
            clock: Arc::default(),
            options,
            lake: None,
            model: MemTables::new(),
            pool: PoolId::new(Timestamp::EPOCH, &chance),
            chance,
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        let disk: Arc<dyn Disk> = self.disk.clone();
        let clock = self.clock.clone();
        self.lake = Some(Arc::new(Lake::open_on(disk, self.folder.path(), clock, self.options.clone())?));
        Ok(())
    }

    fn restart(&mut self) {
        self.lake = None;
        self.open().expect("it opens again");
    }

    fn lake(&self) -> &Arc<Lake> {
        self.lake.as_ref().expect("the lake is open")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn log_folder(&self) -> std::path::PathBuf {
        self.path().join(self.pool.to_string()).join("~log")
    }

    fn job(&self) -> PushJobId {
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes);
        PushJobId::from_bytes(bytes)
    }

    fn commit(&self, table: &str, job: PushJobId, mode: Mode) -> Commit {
        Commit {
            pool: self.pool,
            table: table.into(),
            job,
            mode,
            at: Timestamp::from_millis(1_767_225_600_000),
            causes: base::Causes::NONE,
        }
    }

    /// Pushes a job into the lake alone.
    async fn push_job(
        &self,
        table: &str,
        job: PushJobId,
        mode: Mode,
        pieces: Vec<Piece>,
    ) -> Result<Committed, TablesError> {
        for piece in pieces {
            self.lake().stage(self.pool, job, piece).await?;
        }
        self.lake().commit(self.commit(table, job, mode)).await
    }

    /// Pushes the same job into the model alone.
    async fn push_model(
        &self,
        table: &str,
        job: PushJobId,
        mode: Mode,
        pieces: Vec<Piece>,
    ) -> Result<Committed, TablesError> {
        for piece in pieces {
            self.model.stage(self.pool, job, piece).await?;
        }
        self.model.commit(self.commit(table, job, mode)).await
    }

    /// Pushes into both, and they must agree about it.
    async fn push(&self, table: &str, mode: Mode, pieces: Vec<Piece>) -> Result<Committed, TablesError> {
        let job = self.job();
        let real = self.push_job(table, job, mode.clone(), pieces.clone()).await;
        let model = self.push_model(table, job, mode, pieces).await;
        assert_eq!(real.as_ref().map_err(ToString::to_string), model.as_ref().map_err(ToString::to_string));
        real
    }

    async fn flush(&self, table: &str) -> Result<u64, TablesError> {
        self.lake().flush(self.pool, table).await
    }

    /// Checks that lake and model hold the same.
    async fn agree(&self) {
        let real = self.lake().list(self.pool).await.expect("the lake lists its tables");
        let model = self.model.list(self.pool).await.expect("the model lists its tables");
        assert_eq!(real, model);
        for table in &real {
            let real = self.lake().scan(self.pool, &table.name, None).await.expect("the lake reads");
            let model = self.model.scan(self.pool, &table.name, None).await.expect("the model reads");
            assert_eq!(drawing(&real.rows), drawing(&model.rows), "table {}", table.name);
            assert_eq!(real.number, model.number);
        }
    }

    /// Checks that lake and model tell the same story after a commit.
    async fn agree_on_changes(&self, after: u64) {
        let real = self.lake().changes(self.pool, after, usize::MAX).await.expect("the lake tells");
        let model = self.model.changes(self.pool, after, usize::MAX).await.expect("the model tells");
        let story = |changes: &[Change]| changes.iter().map(story).collect::<Vec<_>>().join("\n");
        assert_eq!(story(&real), story(&model));
    }
}

fn story(change: &Change) -> String {
    let deletes = drawing(&change.deletes);
    let mut deletes: Vec<_> = deletes.lines().collect();
    deletes.sort_unstable();
    let upserts = drawing(&change.upserts);
    format!("{} {} {:?} {}\n{upserts}{deletes:?}", change.number, change.table, change.mode, change.at)
}
