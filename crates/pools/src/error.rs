//! What can be wrong with data integration.

use base::db;
use base::error::{Coded, Kind};

use crate::push_job::State;
use crate::{DataRunId, PushJobId, RunState, TablesError};

/// Why a pool, a push job or a data model is not as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such pool.
    #[error("data pool \"{pool}\" does not exist")]
    UnknownPool {
        /// Id or name, as asked for.
        pool: String,
    },
    /// Names of pools are unique.
    #[error("a data pool named \"{name}\" exists already")]
    PoolNameTaken {
        /// The name.
        name: String,
    },
    /// A name is empty, too long, or holds what a name cannot hold.
    #[error("\"{name}\" is no name for a {noun}: {detail}")]
    BadName {
        /// As given.
        name: String,
        /// What was to be named.
        noun: &'static str,
        /// Which rule it breaks.
        detail: &'static str,
    },
    /// No such push job in this pool.
    #[error("push job \"{job}\" does not exist")]
    UnknownJob {
        /// As asked for.
        job: PushJobId,
    },
    /// The fields of a push job contradict each other.
    #[error("the push job cannot be made: {detail}")]
    BadJob {
        /// Which field, and why.
        detail: String,
    },
    /// A push job is executed once.
    #[error("push job \"{job}\" cannot be executed again: it is {state}")]
    ExecutedAlready {
        /// The job.
        job: PushJobId,
        /// Where it stands.
        state: State,
    },
    /// There is nothing to execute.
    #[error("push job \"{job}\" has no chunks yet")]
    NoChunks {
        /// The job.
        job: PushJobId,
    },
    /// Chunks are added before a job is executed.
    #[error("push job \"{job}\" takes no more chunks: it is {state}")]
    NoMoreChunks {
        /// The job.
        job: PushJobId,
        /// Where it stands.
        state: State,
    },
    /// What runs cannot be deleted, and what has ended cannot be canceled.
    #[error("push job \"{job}\" cannot be {verb}: it is {state}")]
    WrongState {
        /// The job.
        job: PushJobId,
        /// What was asked.
        verb: &'static str,
        /// Where it stands.
        state: State,
    },
    /// Only keys say which row a deletion means.
    #[error("push job \"{job}\" takes no rows to delete: it has no keys")]
    DeletesNeedKeys {
        /// The job.
        job: PushJobId,
    },
    /// A file of continuous push cannot be taken.
    #[error("file \"{file}\" failed Parquet validation: {detail}")]
    BadItem {
        /// The name it came with.
        file: String,
        /// What is wrong with it, and the mend.
        detail: String,
    },
    /// More jobs were executed than an installation allows.
    #[error("at most {max} push jobs are executed {per}: try again in {retry_after_s} s")]
    TooManyExecutions {
        /// The limit.
        max: u64,
        /// What it is counted by.
        per: &'static str,
        /// When it begins anew.
        retry_after_s: u64,
    },
    /// A job cannot be loaded again.
    #[error("push job \"{job}\" cannot be loaded again: {detail}")]
    CannotReload {
        /// The job.
        job: PushJobId,
        /// Why, and the mend.
        detail: String,
    },
    /// A chunk is larger than a chunk may be.
    #[error("a chunk holds at most {bytes_max} bytes: split the file, or raise \"chunk_bytes_max\"")]
    ChunkTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// No room is left for chunks; what was there is intact.
    #[error("the disk that holds uploaded chunks is full")]
    SpoolFull,
    /// A chunk cannot be written or read.
    #[error("chunk file \"{file}\" failed")]
    Spool {
        /// Its name.
        file: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// No such data model in this pool.
    #[error("data model \"{key}\" does not exist")]
    UnknownDataModel {
        /// Key or id, as asked for.
        key: String,
    },
    /// The key alone does not say which one is meant.
    #[error("{pools} pools have a data model \"{key}\": write POOL/{key}")]
    AmbiguousDataModel {
        /// The key.
        key: String,
        /// How many pools have it.
        pools: usize,
    },
    /// A data model contradicts itself or its tables.
    #[error("data model \"{key}\" cannot be kept: {detail}")]
    BadDataModel {
        /// Its key.
        key: String,
        /// Which table or column, and why.
        detail: String,
    },
    /// No such data job in this pool.
    #[error("data job \"{job}\" does not exist")]
    UnknownDataJob {
        /// Id or name, as asked for.
        job: String,
    },
    /// Names of data jobs are unique in their pool.
    #[error("a data job named \"{name}\" exists already in this pool")]
    DataJobNameTaken {
        /// The name.
        name: String,
    },
    /// A data job contradicts itself, or would start itself.
    #[error("data job \"{name}\" cannot be kept: {detail}")]
    BadDataJob {
        /// Its name.
        name: String,
        /// Which statement or table, and why.
        detail: String,
    },
    /// No such run in this pool.
    #[error("run \"{run}\" of a data job does not exist")]
    UnknownDataRun {
        /// As asked for.
        run: DataRunId,
    },
    /// What has ended cannot be canceled.
    #[error("run \"{run}\" cannot be canceled: it is {}", .state.as_str())]
    DataRunEnded {
        /// The run.
        run: DataRunId,
        /// Where it stands.
        state: RunState,
    },
    /// No such source in this pool.
    #[error("source \"{key}\" does not exist")]
    UnknownSource {
        /// As asked for.
        key: String,
    },
    /// A source contradicts itself, or asks for what is closed.
    #[error("source \"{key}\" cannot be kept: {detail}")]
    BadSource {
        /// Its key.
        key: String,
        /// Which field, and why.
        detail: String,
    },
    /// A source cannot be tried out.
    #[error("source \"{key}\" does not work: {detail}")]
    SourceTrouble {
        /// Its key.
        key: String,
        /// What happened.
        detail: String,
    },
    /// A sealed secret does not open.
    #[error(transparent)]
    Secret(#[from] base::secret::SecretError),
    /// No such import in this pool.
    #[error("import \"{import}\" does not exist")]
    UnknownImport {
        /// As asked for.
        import: crate::ImportId,
    },
    /// Files cannot be imported, or not in this way.
    #[error("the import cannot be made: {detail}")]
    BadImport {
        /// Which file, line or column, and why.
        detail: String,
    },
    /// What is committed is not changed any more.
    #[error("import \"{import}\" is committed already")]
    ImportCommitted {
        /// The import.
        import: crate::ImportId,
    },
    /// The rows are not as asked.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The control database did not do as told.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownPool { .. }
            | Error::UnknownJob { .. }
            | Error::UnknownImport { .. }
            | Error::UnknownSource { .. }
            | Error::UnknownDataModel { .. }
            | Error::UnknownDataJob { .. }
            | Error::UnknownDataRun { .. } => Kind::NotFound,
            Error::PoolNameTaken { .. }
            | Error::ExecutedAlready { .. }
            | Error::NoChunks { .. }
            | Error::NoMoreChunks { .. }
            | Error::WrongState { .. }
            | Error::CannotReload { .. }
            | Error::ImportCommitted { .. }
            | Error::AmbiguousDataModel { .. }
            | Error::DataJobNameTaken { .. }
            | Error::DataRunEnded { .. } => Kind::Conflict,
            Error::BadName { .. }
            | Error::BadJob { .. }
            | Error::DeletesNeedKeys { .. }
            | Error::BadSource { .. }
            | Error::SourceTrouble { .. }
            | Error::BadImport { .. }
            | Error::BadItem { .. }
            | Error::BadDataModel { .. }
            | Error::BadDataJob { .. } => Kind::Invalid,
            Error::TooManyExecutions { .. } => Kind::TooMany,
            Error::ChunkTooLarge { .. } => Kind::TooLarge,
            Error::SpoolFull => Kind::Unavailable,
            Error::Spool { .. } => Kind::Internal,
            Error::Secret(error) => error.kind(),
            Error::Tables(error) => error.kind(),
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::UnknownPool { .. } => "pool-unknown",
            Error::PoolNameTaken { .. } => "pool-name-taken",
            Error::BadName { .. } => "name-invalid",
            Error::UnknownJob { .. } => "push-job-unknown",
            Error::BadJob { .. } => "push-job-invalid",
            Error::ExecutedAlready { .. } => "push-job-executed",
            Error::NoChunks { .. } => "push-job-empty",
            Error::NoMoreChunks { .. } => "push-job-closed",
            Error::WrongState { .. } => "push-job-state",
            Error::DeletesNeedKeys { .. } => "push-job-keyless",
            Error::BadItem { .. } => "parquet-invalid",
            Error::TooManyExecutions { .. } => "push-executions-exceeded",
            Error::CannotReload { .. } => "push-job-not-reloadable",
            Error::ChunkTooLarge { .. } => "chunk-too-large",
            Error::SpoolFull => "disk-full",
            Error::Spool { .. } => "chunk-failed",
            Error::UnknownDataModel { .. } => "data-model-unknown",
            Error::AmbiguousDataModel { .. } => "data-model-ambiguous",
            Error::BadDataModel { .. } => "data-model-invalid",
            Error::UnknownDataJob { .. } => "data-job-unknown",
            Error::DataJobNameTaken { .. } => "data-job-name-taken",
            Error::BadDataJob { .. } => "data-job-invalid",
            Error::UnknownDataRun { .. } => "data-run-unknown",
            Error::DataRunEnded { .. } => "data-run-ended",
            Error::UnknownSource { .. } => "source-unknown",
            Error::BadSource { .. } => "source-invalid",
            Error::SourceTrouble { .. } => "source-trouble",
            Error::Secret(error) => error.code(),
            Error::UnknownImport { .. } => "import-unknown",
            Error::BadImport { .. } => "import-invalid",
            Error::ImportCommitted { .. } => "import-committed",
            Error::Tables(error) => error.code(),
            Error::Database(error) => error.code(),
        }
    }
}
