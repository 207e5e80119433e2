//! What can go wrong in a module, and what the engine does about it where the
//! flow itself says nothing.
//!
//! The classes and their reactions are those of the original. A failure that a
//! module brings about is data of the run and no error of the engine.

use std::time::Duration;

use serde_json::Value as Json;

use crate::value::Value;

/// Classes of errors, as the original names them in `N.error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the original")]
pub enum Class {
    RuntimeError,
    DataError,
    BundleValidationError,
    DuplicateDataError,
    ConnectionError,
    RateLimitError,
    ModuleTimeoutError,
    OutOfSpaceError,
    InvalidAccessTokenError,
    InvalidConfigurationError,
    UnexpectedError,
    MaxResultsExceededError,
    MaxFileSizeExceededError,
    IncompleteDataError,
    InconsistencyError,
    ScenarioTimeoutError,
    OperationsLimitExceededError,
    DataSizeLimitExceededError,
    ExecutionInterruptedError,
}

/// What somebody who asks for patience is given, if nothing is said.
const RATE_LIMIT_PAUSE: Duration = Duration::from_mins(20);

/// What the engine does about a failure that no error route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The run ends as an error.
    End,
    /// The bundle can be stored as an incomplete execution while the others go
    /// on; it is tried again by itself if `retries`.
    Store {
        /// Trying again may help.
        retries: bool,
    },
    /// The run ends as an error; its bundle can be stored.
    StoreAndEnd,
}

/// Every class with its name.
const CLASSES: [(Class, &str); 19] = [
    (Class::RuntimeError, "RuntimeError"),
    (Class::DataError, "DataError"),
    (Class::BundleValidationError, "BundleValidationError"),
    (Class::DuplicateDataError, "DuplicateDataError"),
    (Class::ConnectionError, "ConnectionError"),
    (Class::RateLimitError, "RateLimitError"),
    (Class::ModuleTimeoutError, "ModuleTimeoutError"),
    (Class::OutOfSpaceError, "OutOfSpaceError"),
    (Class::InvalidAccessTokenError, "InvalidAccessTokenError"),
    (Class::InvalidConfigurationError, "InvalidConfigurationError"),
    (Class::UnexpectedError, "UnexpectedError"),
    (Class::MaxResultsExceededError, "MaxResultsExceededError"),
    (Class::MaxFileSizeExceededError, "MaxFileSizeExceededError"),
    (Class::IncompleteDataError, "IncompleteDataError"),
    (Class::InconsistencyError, "InconsistencyError"),
    (Class::ScenarioTimeoutError, "ScenarioTimeoutError"),
    (Class::OperationsLimitExceededError, "OperationsLimitExceededError"),
    (Class::DataSizeLimitExceededError, "DataSizeLimitExceededError"),
    (Class::ExecutionInterruptedError, "ExecutionInterruptedError"),
];

impl Class {
    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        CLASSES.iter().find(|(class, _)| *class == self).map_or("RuntimeError", |(_, name)| name)
    }

    /// Finds a class by its name; one that nobody knows is a `RuntimeError`.
    pub fn named(name: &str) -> Self {
        CLASSES.iter().find(|(_, known)| *known == name).map_or(Class::RuntimeError, |(class, _)| *class)
    }

    /// Returns what the engine does where no error route takes the failure.
    pub fn reaction(self) -> Reaction {
        match self {
            Class::DataError | Class::BundleValidationError | Class::DuplicateDataError => {
                Reaction::Store { retries: false }
            }
            Class::ConnectionError | Class::RateLimitError | Class::ModuleTimeoutError | Class::OutOfSpaceError => {
                Reaction::Store { retries: true }
            }
            Class::InvalidAccessTokenError
            | Class::InvalidConfigurationError
            | Class::UnexpectedError
            | Class::MaxResultsExceededError
            | Class::MaxFileSizeExceededError => Reaction::StoreAndEnd,
            Class::RuntimeError
            | Class::IncompleteDataError
            | Class::InconsistencyError
            | Class::ScenarioTimeoutError
            | Class::OperationsLimitExceededError
            | Class::DataSizeLimitExceededError
            | Class::ExecutionInterruptedError => Reaction::End,
        }
    }

    /// Tells whether a run that ends with it counts towards the failures in a
    /// row after which its flow is switched off.
    pub fn counts(self) -> bool {
        !matches!(
            self,
            Class::DataError
                | Class::BundleValidationError
                | Class::DuplicateDataError
                | Class::ConnectionError
                | Class::ModuleTimeoutError
                | Class::ExecutionInterruptedError
        )
    }

    /// Tells whether the same data may do better later.
    pub fn may_pass(self) -> bool {
        self.reaction() == (Reaction::Store { retries: true }) || self == Class::IncompleteDataError
    }

    /// Tells whether it is unknown what the other side did.
    pub(crate) fn leaves_open_what_happened(self) -> bool {
        matches!(self, Class::ConnectionError | Class::ModuleTimeoutError)
    }
}

/// Why a module failed. It is data of the run, not an error of the engine.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {message}", class.as_str())]
pub struct ModuleError {
    /// Its class.
    pub class: Class,
    /// What happened.
    pub message: String,
    /// What else is known, for error routes: `N.error.detail`.
    pub detail: Value,
    /// Seconds after which the other side asked to be tried again.
    pub retry_after: Option<u64>,
}

impl ModuleError {
    /// Makes an error.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        ModuleError { class, message: message.into(), detail: Value::Absent, retry_after: None }
    }

    /// Adds what else is known.
    #[must_use]
    pub fn with_detail(self, detail: Value) -> Self {
        ModuleError { detail, ..self }
    }

    /// Returns how long nobody should try again: what the other side asked for,
    /// or what is usual where it asked for patience and did not say.
    pub fn pause(&self) -> Option<Duration> {
        match self.retry_after {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => (self.class == Class::RateLimitError).then_some(RATE_LIMIT_PAUSE),
        }
    }

    /// Returns what error routes see as `N.error`.
    pub fn told(&self) -> Value {
        Value::collection([
            ("type", Value::text(self.class.as_str())),
            ("message", Value::text(&self.message)),
            ("detail", self.detail.clone()),
        ])
    }

    /// Writes it for the journal.
    pub(crate) fn to_stored(&self) -> Json {
        let mut stored = serde_json::json!({"type": self.class.as_str(), "message": self.message});
        if self.detail != Value::Absent {
            stored["detail"] = self.detail.to_stored();
        }
        if let Some(seconds) = self.retry_after {
            stored["retryAfter"] = seconds.into();
        }
        stored
    }

    /// Reads what [`ModuleError::to_stored`] wrote.
    pub(crate) fn from_stored(json: &Json) -> Option<Self> {
        let detail = json.get("detail").cloned().map_or(Value::Absent, Value::from_stored);
        Some(ModuleError {
            class: Class::named(json["type"].as_str()?),
            message: json["message"].as_str()?.to_owned(),
            detail,
            retry_after: json["retryAfter"].as_u64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_its_name() {
        for (class, name) in CLASSES {
            assert_eq!((class.as_str(), Class::named(name)), (name, class));
        }
        assert_eq!(Class::named("SomethingElse"), Class::RuntimeError);
    }

    #[test]
    fn an_error_is_read_as_it_was_written() {
        let detail = Value::collection([("statusCode", Value::Int(429))]);
        let error = ModuleError::new(Class::RateLimitError, "slower").with_detail(detail);
        assert_eq!(error.pause(), Some(RATE_LIMIT_PAUSE));
        let error = ModuleError { retry_after: Some(30), ..error };
        assert_eq!(error.pause(), Some(Duration::from_secs(30)));
        assert_eq!(ModuleError::from_stored(&error.to_stored()), Some(error));
    }
}
