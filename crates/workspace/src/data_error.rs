//! What can be wrong with a request to the data side of the workspace:
//! statements, volumes, serving endpoints.

use base::{Coded, Kind};

use crate::error::Error;

/// Why the data side did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The request does not make sense.
    #[error("{0}")]
    Invalid(String),
    /// The API has it, this workspace does not.
    #[error("{0}")]
    Unsupported(String),
    /// What is named is not there.
    #[error("{0}")]
    NotFound(String),
    /// What is to be made is there already, or in use.
    #[error("{0}")]
    Exists(String),
    /// It cannot be done in the state in which it is.
    #[error("{0}")]
    State(String),
    /// A folder is to go that has something in it.
    #[error("{0}")]
    NotEmpty(String),
    /// A secret is asked for by somebody else than a task.
    #[error("{0}")]
    OutsideOfJobs(String),
    /// The caller may not.
    #[error("{0}")]
    Denied(String),
    /// It is larger than is taken here.
    #[error("{0}")]
    TooLarge(String),
    /// Too many ask at once.
    #[error("{0}")]
    TooMany(String),
    /// What is served failed, in its own words.
    #[error("{0}")]
    Function(String),
    /// What is called elsewhere did not answer.
    #[error("{0}")]
    Upstream(String),
    /// The body is not in the form that it says.
    #[error("{0}")]
    Malformed(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
    /// The disk under the workspace's folder failed.
    #[error("cannot {deed} \"{path}\"")]
    Disk {
        /// What was attempted.
        deed: &'static str,
        /// Where, as the caller names it.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Something that the rest of the workspace refused.
    #[error(transparent)]
    Workspace(#[from] Error),
}

impl From<base::db::Error> for DataError {
    fn from(error: base::db::Error) -> Self {
        DataError::Workspace(error.into())
    }
}

impl Coded for DataError {
    fn kind(&self) -> Kind {
        match self {
            DataError::Invalid(_)
            | DataError::Unsupported(_)
            | DataError::State(_)
            | DataError::NotEmpty(_)
            | DataError::OutsideOfJobs(_)
            | DataError::Function(_)
            | DataError::Malformed(_) => Kind::Invalid,
            DataError::NotFound(_) => Kind::NotFound,
            DataError::Exists(_) => Kind::Conflict,
            DataError::Denied(_) => Kind::Denied,
            DataError::TooLarge(_) => Kind::TooLarge,
            DataError::TooMany(_) => Kind::TooMany,
            DataError::Unavailable(_) | DataError::Upstream(_) => Kind::Unavailable,
            DataError::Disk { .. } => Kind::Internal,
            DataError::Workspace(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            DataError::Invalid(_) => "parameter-invalid",
            DataError::Unsupported(_) => "not-implemented",
            DataError::NotFound(_) => "resource-not-found",
            DataError::Exists(_) => "resource-exists",
            DataError::State(_) => "state-invalid",
            DataError::NotEmpty(_) => "directory-not-empty",
            DataError::OutsideOfJobs(_) => "secret-not-readable",
            DataError::Denied(_) => "permission-denied",
            DataError::TooLarge(_) => "body-too-long",
            DataError::TooMany(_) => "too-many-calls",
            DataError::Upstream(_) => "upstream-failed",
            DataError::Malformed(_) => "body-malformed",
            DataError::Function(_) => "served-function-failed",
            DataError::Unavailable(_) => "unavailable",
            DataError::Disk { .. } => "workspace-disk",
            DataError::Workspace(error) => error.code(),
        }
    }
}
