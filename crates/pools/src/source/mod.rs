//! Sources: rows that come by themselves.
//!
//! A *source* belongs to a pool and fills one of its tables. It watches a
//! folder, asks an address, or reads a PostgreSQL by query and watermark, each
//! time its *rhythm* says so. Whatever it finds becomes an ordinary push job.
//!
//! From the outside in: this chapter says what a source is, [`verbs`] what can
//! be done with one, [`work`] when it takes its turn, and [`folder`], [`url`]
//! and [`foreign`] how each kind finds rows; [`json`] and [`lines`] make CSV of
//! what is none.
//!
//! What cannot happen here:
//!
//! * A row comes twice because the process ended. What was found is recorded in
//!   the transaction that queues its push job, together with how far the source
//!   will have come; the source moves on in the transaction that notices that
//!   the job is done.
//! * A source overtakes itself: its next turn begins when its last job has
//!   ended.
//! * A secret is shown again. It goes in, is sealed, and leaves only for the
//!   place it is meant for.

mod tables;
mod verbs;
mod work;
mod folder;
mod url;
mod foreign;
mod json;
mod lines;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::foreign::{Foreign, WATERMARK, WatermarkKind};
use base::http::Http;
use base::schedule::Schedule;
use base::secret::KeyRing;
use base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Mode, PoolId, PushJobId, PushJobSpec, PushType};

pub(crate) use tables::by_key;
pub use verbs::Sample;

base::id! {
    /// Names a source.
    pub SourceId
}

base::id! {
    /// Names a run of a source.
    pub SourceRunId
}

/// How sources reach the world.
#[derive(Clone)]
pub struct Outside {
    /// The guarded way out.
    pub http: Arc<dyn Http>,
    /// Foreign databases.
    pub foreign: Arc<dyn Foreign>,
    /// Seals the secrets of sources.
    pub keys: Arc<KeyRing>,
    /// Folders below which folders may be watched.
    pub folders: Vec<PathBuf>,
}

/// What a source is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// Where the rows are.
    pub origin: Origin,
    /// The push job that they become.
    pub push: PushJobSpec,
    /// When to look.
    pub rhythm: Rhythm,
}

/// Where rows are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// Files in a folder.
    Folder(Folder),
    /// The answer of an address.
    Url(Url),
    /// The answer to a query.
    Postgres(Postgres),
}

impl Origin {
    /// Returns the word for its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Origin::Folder(_) => "folder",
            Origin::Url(_) => "url",
            Origin::Postgres(_) => "postgres",
        }
    }
}

/// A watched folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Folder {
    /// The folder; files of its subfolders are not looked at.
    pub path: PathBuf,
    /// Which names: `*` stands for any letters, `?` for one.
    pub pattern: String,
    /// A file is whole when nobody has written to it for so long.
    pub settle_seconds: u64,
    /// What becomes of a file that is in.
    pub afterwards: Afterwards,
}

/// What becomes of a file that is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Afterwards {
    /// It stays.
    Keep,
    /// It is deleted.
    Delete,
    /// It goes into another folder.
    Move(PathBuf),
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SourceFormat {
    /// Text with separators.
    Csv,
    /// Columns with types.
    Parquet,
    /// An array of objects, or an object a line.
    Json,
}

impl SourceFormat {
    /// Returns what a file of this name usually is. (Event logs in XES find
    /// their place here.)
    pub(crate) fn of_name(name: &str) -> Option<SourceFormat> {
        let name = name.to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        match plain.rsplit_once('.')?.1 {
            "csv" | "tsv" | "txt" => Some(SourceFormat::Csv),
            "parquet" => Some(SourceFormat::Parquet),
            "json" | "jsonl" | "ndjson" => Some(SourceFormat::Json),
            _ => None,
        }
    }
}

/// An address that is asked by GET. The address itself and the values of its
/// headers are secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Url {
    /// The address as it may be shown.
    pub address: String,
    /// What the answer is; `None` to go by what the server says of it.
    pub format: Option<SourceFormat>,
    /// Names of the headers that are sent.
    pub headers: Vec<String>,
    /// Time for the whole answer.
    pub timeout_seconds: u64,
    /// Bytes that the answer may have.
    pub bytes_max: u64,
}

/// A PostgreSQL that is asked by a query. The connection text is a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Postgres {
    /// The query, with `{{watermark}}` where it goes on.
    pub query: String,
    /// By which column it goes on; `None` reads everything each time.
    pub watermark: Option<WatermarkSpec>,
    /// Rows fetched at once.
    pub batch_rows: usize,
    /// Rows of one push job, but never between equal watermarks.
    pub rows_max: Option<u64>,
    /// Time for one call to the server.
    pub timeout_seconds: u64,
}

/// By which column a query goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatermarkSpec {
    /// A column of the answer.
    pub column: String,
    /// What it holds.
    pub kind: WatermarkKind,
    /// Where it begins; `None` before everything.
    pub start: Option<String>,
    /// How far before the highest watermark it looks again, for rows that are
    /// committed late: seconds, or whole numbers.
    pub overlap: u64,
}

/// When a source looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rhythm {
    /// So long after it has looked last.
    Every {
        /// Seconds, at least one.
        every_seconds: u64,
    },
    /// By the clock.
    Scheduled(Schedule),
}

impl Rhythm {
    /// Returns when it looks next; nothing if only when asked.
    pub(crate) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Rhythm::Every { every_seconds } => Some(now.plus(Duration::from_secs((*every_seconds).max(1)))),
            Rhythm::Scheduled(schedule) => schedule.next_after(now),
        }
    }
}

/// The secrets of a source. Those that are not given stay as they are.
#[derive(Clone, Default, PartialEq)]
pub struct SourceSecrets {
    /// The whole address.
    pub url: Option<Secret>,
    /// Values of headers by name; `None` keeps the one that is there.
    pub headers: BTreeMap<String, Option<Secret>>,
    /// The connection text.
    pub connection: Option<Secret>,
}

impl std::fmt::Debug for SourceSecrets {
    /// Shows names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.headers.keys()).finish_non_exhaustive()
    }
}

/// A source and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Whose table it fills.
    pub pool: PoolId,
    /// What it is called in its pool.
    pub key: String,
    /// Counts changes of what it is asked to do.
    pub version: u64,
    /// What it is asked to do.
    pub spec: SourceSpec,
    /// It looks only when asked.
    pub paused: bool,
    /// How far it has come.
    pub cursor: Cursor,
    /// Turns that failed since one succeeded.
    pub failures: u32,
    /// Why the last turn failed; nothing if it did not.
    pub last_error: Option<String>,
    /// When it last looked.
    pub last_run_at: Option<Timestamp>,
    /// When it looks next.
    pub next_at: Option<Timestamp>,
    /// Rows that it brought.
    pub rows_in: u64,
    /// Push jobs of it that ended well.
    pub runs_done: u64,
    /// Runs that failed.
    pub runs_failed: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of who made it.
    pub created_by: String,
    /// When it was last changed.
    pub changed_at: Timestamp,
    pub(crate) sealed: Vec<u8>,
}

/// How far a source has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// The highest watermark that is in.
    pub watermark: Option<String>,
    /// What the address calls the version of its answer.
    pub etag: Option<String>,
    /// When the address says that its answer was last changed.
    pub last_modified: Option<String>,
    /// SHA-256 of the last content that is in.
    pub content: Option<String>,
    /// The next rows are there already.
    pub more: bool,
}

/// Where a run of a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceRunState {
    /// Its push job has not ended.
    Running,
    /// Its rows are in.
    Done,
    /// Nothing of it is in.
    Error,
}

impl SourceRunState {
    /// Returns the word for it on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceRunState::Running => "RUNNING",
            SourceRunState::Done => "DONE",
            SourceRunState::Error => "ERROR",
        }
    }

    fn of(word: &str) -> Option<SourceRunState> {
        [SourceRunState::Running, SourceRunState::Done, SourceRunState::Error]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// What a source once brought, or failed to bring.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRun {
    /// Its id.
    pub id: SourceRunId,
    /// Where it stands.
    pub state: SourceRunState,
    /// The file, the address, or the watermarks.
    pub label: String,
    /// The push job; nothing if it did not come to one.
    pub push_job: Option<PushJobId>,
    /// Rows that it brought.
    pub rows: u64,
    /// Why it failed.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    version: u64,
    file: Option<String>,
    cursor: Cursor,
}

/// A file that is not in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub detail: String,
    /// Since when that is known.
    pub at: Timestamp,
}

impl SourceSpec {
    /// Tells what cannot work, in a sentence. Names come out trimmed.
    pub(crate) fn checked(mut self) -> Result<Self, String> {
        self.push = self.push.checked().map_err(|error| error.to_string())?;
        match &self.rhythm {
            Rhythm::Every { every_seconds: 0 } => return Err("schedule: it looks at most every second".into()),
            Rhythm::Scheduled(schedule) if schedule.is_immediate() => {
                return Err("schedule: \"immediately\" is no time; say everySeconds".into());
            }
            Rhythm::Every { .. } | Rhythm::Scheduled(_) => {}
        }
        match &mut self.origin {
            Origin::Folder(folder) => {
                if folder.pattern.is_empty() || folder.pattern.contains('/') {
                    return Err("pattern: it is one for names of files, such as *.csv".into());
                }
            }
            Origin::Url(url) => {
                if url.bytes_max == 0 || url.timeout_seconds == 0 {
                    return Err("bytesMax and timeoutSeconds are at least 1".into());
                }
            }
            Origin::Postgres(postgres) => postgres.check(&self.push)?,
        }
        Ok(self)
    }
}

impl Postgres {
    fn check(&self, push: &PushJobSpec) -> Result<(), String> {
        let says = self.query.contains(WATERMARK);
        if self.query.trim().is_empty() {
            return Err("query: it is empty".into());
        }
        let Some(watermark) = &self.watermark else {
            return if says {
                Err(format!("query: {WATERMARK} needs \"watermark\", which names its column"))
            } else {
                Ok(())
            };
        };
        if !says {
            return Err(format!("query: it never says {WATERMARK}; write WHERE {} > {WATERMARK}", watermark.column));
        }
        if push.job_type == PushType::Replace {
            return Err("type: REPLACE would leave only the rows since the watermark; say DELTA".into());
        }
        if watermark.overlap > 0 && watermark.kind == WatermarkKind::Text {
            return Err("overlap: a text has no distance; leave it away".into());
        }
        if watermark.overlap > 0 && push.mode() == Mode::Append {
            return Err("overlap: rows that come again need keys to be known by".into());
        }
        if let Some(start) = &watermark.start {
            let fits = match watermark.kind {
                WatermarkKind::Integer => start.parse::<i64>().is_ok(),
                WatermarkKind::Timestamp => start.parse::<Timestamp>().is_ok(),
                WatermarkKind::Text => true,
            };
            if !fits {
                return Err(format!("start: \"{start}\" is no value of the watermark"));
            }
        }
        Ok(())
    }
}

/// Why a turn came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) sentence: String,
    /// Not before this time has gone.
    pub(crate) wait: Option<Duration>,
    /// It is no fault of what was looked at: a full disk here is no bad file.
    pub(crate) ours: bool,
}

impl Trouble {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Trouble { sentence: sentence.into(), wait: None, ours: false }
    }
}

impl From<crate::Error> for Trouble {
    fn from(error: crate::Error) -> Self {
        let ours = !matches!(error, crate::Error::ChunkTooLarge { .. } | crate::Error::BadJob { .. });
        Trouble { ours, ..Trouble::new(base::error::chain(&error).to_string()) }
    }
}

#[cfg(test)]
mod tests;
