//! A run of a data job: how far it came, and what each statement did.

use base::{Causes, Timestamp};
use sha2::{Digest, Sha256};

use crate::transformation::Verb;
use crate::{CommitNumber, DataJobId, DataJobSpec, DataRunId, PoolId, PushJobId};

/// A run of a data job.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRun {
    /// Its id.
    pub id: DataRunId,
    /// Which job.
    pub job: DataJobId,
    /// Whose tables.
    pub pool: PoolId,
    /// Where it stands.
    pub state: RunState,
    /// What started it.
    pub cause: Cause,
    /// What led to it, where that is known; its commits carry it on.
    pub causes: Causes,
    /// The job as it was when the run was asked for.
    pub spec: DataJobSpec,
    /// Why it failed, with the place.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who asked.
    pub created_by: String,
    /// When its first statement began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// Its statements run, or will go on after a restart.
    Running,
    /// All statements are done.
    Done,
    /// A statement failed; those behind it did not run.
    Error,
    /// Somebody stopped it; what was committed by then stays.
    Canceled,
}

impl RunState {
    /// Returns the word under which it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Queued => "QUEUED",
            RunState::Running => "RUNNING",
            RunState::Done => "DONE",
            RunState::Error => "ERROR",
            RunState::Canceled => "CANCELED",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        let all = [RunState::Queued, RunState::Running, RunState::Done, RunState::Error, RunState::Canceled];
        all.into_iter().find(|state| state.as_str() == word)
    }

    /// Tells whether nothing will happen any more.
    pub fn is_final(self) -> bool {
        !matches!(self, RunState::Queued | RunState::Running)
    }
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person or a script.
    Hand,
    /// The schedule.
    Schedule,
    /// A table that is watched.
    Change,
}

impl Cause {
    /// Returns the word under which it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Hand => "HAND",
            Cause::Schedule => "SCHEDULE",
            Cause::Change => "CHANGE",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Cause::Hand, Cause::Schedule, Cause::Change].into_iter().find(|cause| cause.as_str() == word)
    }
}

/// What became of a statement of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRun {
    /// Its place in the run, from 1.
    pub place: usize,
    /// The transformation.
    pub transformation: String,
    /// Its place in the transformation, from 1.
    pub number: usize,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What it does.
    pub verb: Verb,
    /// To which table or view.
    pub target: String,
    /// What became of it; nothing as long as it did not end.
    pub ended: Option<StatementEnd>,
}

/// How a statement ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementEnd {
    /// The commit that made it durable, if it wrote rows.
    pub number: Option<CommitNumber>,
    /// Rows inserted or changed.
    pub upserted: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it failed.
    pub error: Option<String>,
}

/// Returns the name under which a statement of a run commits: the same for
/// ever, so that it commits once.
pub(crate) fn commit_id(run: DataRunId, place: usize) -> PushJobId {
    let digest = Sha256::new().chain_update("data-run/").chain_update(format!("{run}/{place}")).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    PushJobId::from_bytes(bytes)
}
