//! Push jobs: one upload into one table.
//!
//! A job is made, takes chunks, and is executed once:
//!
//! ```text
//! NEW ─execute─▶ QUEUED ─claim─▶ RUNNING ─┬─committed───▶ DONE
//!  │               │ ▲                    ├─refused─────▶ ERROR
//!  └────cancel─────┤ └────────────────────┴─interrupted
//!                  └─▶ CANCELED
//! ```
//!
//! DONE is derived: the commit of the rows is what counts, and after a crash a
//! RUNNING job asks for it before anything is done again.

use std::fmt;

use base::{Causes, Timestamp};
use serde::{Deserialize, Serialize};

use crate::csv::CsvOptions;
use crate::{ChunkId, CommitNumber, Committed, Error, ImportReading, Mode, PoolId, PushJobId};

/// Where a push job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Made; takes chunks.
    New,
    /// Executed; waits for its turn.
    Queued,
    /// Its rows are being read.
    Running,
    /// Its rows are durable and visible.
    Done,
    /// Nothing of it is visible; its logs say why.
    Error,
    /// Given up before it ran.
    Canceled,
}

impl State {
    /// All states, in order of life.
    pub const ALL: [State; 6] = [State::New, State::Queued, State::Running, State::Done, State::Error, State::Canceled];

    /// Returns the word for it on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            State::New => "NEW",
            State::Queued => "QUEUED",
            State::Running => "RUNNING",
            State::Done => "DONE",
            State::Error => "ERROR",
            State::Canceled => "CANCELED",
        }
    }

    /// Reads the word.
    pub fn of(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Tells whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, State::Done | State::Error | State::Canceled)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can happen to a push job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Execute,
    Claim,
    Committed,
    Refused,
    Interrupted,
    Cancel,
}

/// Tells where a job stands after something happened; `None` if that cannot
/// happen to it.
pub(crate) fn next(state: State, input: Input) -> Option<State> {
    match (state, input) {
        (State::New, Input::Execute) | (State::Running, Input::Interrupted) => Some(State::Queued),
        (State::Queued, Input::Claim) => Some(State::Running),
        (State::Running, Input::Committed) => Some(State::Done),
        (State::Running, Input::Refused) => Some(State::Error),
        (State::New | State::Queued, Input::Cancel) => Some(State::Canceled),
        _ => None,
    }
}

/// Whether a job adds to its table or takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PushType {
    /// The table holds these rows and no others afterwards.
    Replace,
    /// With keys an upsert, without an append.
    Delta,
}

/// What the chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FileType {
    /// Text with separators.
    Csv,
    /// Columns with types.
    Parquet,
}

/// What becomes of the columns that an upsert lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpsertStrategy {
    /// They keep their values.
    #[default]
    UpsertWithUnchangedMetadata,
    /// They become null.
    UpsertWithNullification,
}

/// A type that a table schema declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeclaredType {
    /// Whole numbers.
    Integer,
    /// A day.
    Date,
    /// A time of day; kept as text, because it is no point in time.
    Time,
    /// A day and a time of day.
    DateTime,
    /// Numbers with decimals.
    Float,
    /// True or false.
    Boolean,
    /// Text.
    String,
}

/// A column that a table schema declares. Its type binds: a value that does
/// not fit fails the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredColumn {
    /// Its name, in any case.
    pub name: String,
    /// What it holds.
    pub column_type: DeclaredType,
    /// Letters that a text keeps at most; `None` for all.
    pub length: Option<u32>,
    /// Takes part in the primary key.
    pub key: bool,
}

/// What a file of continuous push says beside what every push job says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Continuous {
    /// What the caller calls itself; kept for the answer.
    pub client: Option<String>,
}

/// What a caller asks of a push job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushJobSpec {
    /// The table.
    pub target: String,
    /// Whether to add or to replace.
    pub job_type: PushType,
    /// What the chunks are.
    pub file_type: FileType,
    /// Key columns of an upsert.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What becomes of missing columns.
    #[serde(default)]
    pub upsert_strategy: UpsertStrategy,
    /// The connection that the caller names; kept for the answer.
    #[serde(default)]
    pub connection: Option<String>,
    /// Letters that a text keeps at most where no column says otherwise;
    /// `None` for all.
    #[serde(default)]
    pub fallback_varchar_length: Option<u32>,
    /// Columns whose types are declared.
    #[serde(default)]
    pub declared: Vec<DeclaredColumn>,
    /// How CSV is written.
    #[serde(default)]
    pub csv: CsvOptions,
    /// The column that tells which of several rows with one key is the newest:
    /// the one with the greatest value. `None`: the one that came last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_by: Option<String>,
    /// The commit that the job takes back: it runs only while that is the
    /// last one of its table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<CommitNumber>,
    /// The file came by continuous push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuous: Option<Continuous>,
    /// Whatever else the caller wants to find in the answer again. Not looked
    /// at here.
    #[serde(default)]
    pub echo: serde_json::Value,
    /// How the files are read, where the job is that of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportReading>,
    /// What led to the job: the caller's ([`base::Actor::causes`]), not
    /// something to ask for. Its commit carries it on.
    #[serde(default, skip_serializing_if = "Causes::is_empty")]
    pub causes: Causes,
}

impl PushJobSpec {
    /// Makes the plainest job: append CSV to a table.
    pub fn csv(target: impl Into<String>) -> Self {
        PushJobSpec {
            target: target.into(),
            job_type: PushType::Delta,
            file_type: FileType::Csv,
            keys: Vec::new(),
            upsert_strategy: UpsertStrategy::default(),
            connection: None,
            fallback_varchar_length: None,
            declared: Vec::new(),
            csv: CsvOptions::default(),
            newest_by: None,
            instead_of: None,
            continuous: None,
            echo: serde_json::Value::Null,
            import: None,
            causes: Causes::NONE,
        }
    }

    /// Returns the key columns: those of the job, else those that the declared
    /// columns mark.
    pub fn keys(&self) -> Vec<String> {
        if !self.keys.is_empty() {
            return self.keys.clone();
        }
        self.declared.iter().filter(|column| column.key).map(|column| column.name.clone()).collect()
    }

    /// Returns what the job does to its table.
    pub fn mode(&self) -> Mode {
        let keys = self.keys();
        match self.job_type {
            // Which keys is decided when the table and the file are known.
            _ if self.continuous.is_some() => Mode::Upsert { keys, keep_missing: true },
            PushType::Replace => Mode::Replace,
            PushType::Delta if keys.is_empty() => Mode::Append,
            PushType::Delta => {
                Mode::Upsert { keys, keep_missing: self.upsert_strategy == UpsertStrategy::UpsertWithUnchangedMetadata }
            }
        }
    }

    /// Lets through what can be executed, names trimmed.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        let refuse = |detail: String| Error::BadJob { detail };
        self.target = crate::pool::named("table", &self.target)?;
        self.csv.check().map_err(refuse)?;
        // Zero stands for "unset" on the wire.
        self.fallback_varchar_length = self.fallback_varchar_length.filter(|length| *length > 0);
        for column in &mut self.declared {
            column.length = column.length.filter(|length| *length > 0);
        }
        for (place, column) in self.declared.iter().enumerate() {
            if self.declared[..place].iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
                return Err(refuse(format!("tableSchema names column \"{}\" twice", column.name)));
            }
        }
        if self.keys.iter().any(|key| key.trim().is_empty()) {
            return Err(refuse("a key has no name".into()));
        }
        Ok(self)
    }
}

/// A push job.
#[derive(Clone, Debug, PartialEq)]
pub struct PushJob {
    /// Its id.
    pub id: PushJobId,
    /// Whose table it fills.
    pub pool: PoolId,
    /// What was asked.
    pub spec: PushJobSpec,
    /// Where it stands.
    pub state: State,
    /// What there is to say about it, in sentences.
    pub logs: Vec<String>,
    /// What it came to, once it is done.
    pub committed: Option<Committed>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of who made it.
    pub created_by: String,
    /// When it was executed.
    pub executed_at: Option<Timestamp>,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// What a chunk's rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// To insert, or to replace by key.
    Upsert,
    /// Keys to delete.
    Delete,
}

impl ChunkKind {
    /// Returns the word for it on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ChunkKind::Upsert => "UPSERT",
            ChunkKind::Delete => "DELETE",
        }
    }

    /// Reads the word.
    pub fn of(word: &str) -> Option<ChunkKind> {
        [ChunkKind::Upsert, ChunkKind::Delete].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One uploaded file of a push job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its id, and the name of its file in the spool.
    pub id: ChunkId,
    /// Whose chunk it is.
    pub job: PushJobId,
    /// What its rows are for.
    pub kind: ChunkKind,
    /// The name that the caller gave the file; logs speak of it.
    pub file_name: String,
    /// SHA-256 of the bytes as they came, in hexadecimal.
    pub checksum: String,
    /// How many bytes came.
    pub bytes: u64,
    /// When it had come.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests;
