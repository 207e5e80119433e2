//! What can go wrong here, for code that reacts and for the person who reads.

use base::error::{Coded, Kind};

/// Why a question to `mining` has no answer, or a wish is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No knowledge model has this id.
    #[error("knowledge model \"{model}\" does not exist")]
    UnknownModel {
        /// As asked for.
        model: String,
    },
    /// The knowledge model has only a draft.
    #[error("knowledge model \"{model}\" is not published")]
    NotPublished {
        /// Its id.
        model: String,
    },
    /// The published version has no such trigger.
    #[error("knowledge model \"{model}\" has no trigger \"{trigger}\"{hint}")]
    UnknownTrigger {
        /// Its id.
        model: String,
        /// As asked for.
        trigger: String,
        /// ` (did you mean …)`, or nothing.
        hint: String,
    },
    /// The record has no instance of this name.
    #[error(
        "trigger \"{trigger}\" watches no record \"{identifier}\"; write the identifier as the trigger's list shows it"
    )]
    UnknownInstance {
        /// The trigger's id.
        trigger: String,
        /// As asked for.
        identifier: String,
    },
    /// The key of a package or a model cannot be part of an id.
    #[error("\"{key}\" cannot be a key: letters, digits, \"-\" and \"_\" are allowed")]
    BadKey {
        /// As given.
        key: String,
    },
    /// The text is not a knowledge model.
    #[error("line {line}, column {column}: {detail}")]
    Yaml {
        /// 1-based.
        line: u64,
        /// 1-based.
        column: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A part of a knowledge model does not hold together.
    #[error("knowledge model \"{model}\", {path} (line {line}): {detail}")]
    InvalidModel {
        /// Its id.
        model: String,
        /// Which part, such as `triggers.LONG_WAIT`.
        path: String,
        /// 1-based line of the model's text.
        line: u64,
        /// What is wrong there; for an expression with its position.
        detail: String,
    },
    /// A query is not PQL, or does not fit the data model.
    #[error(transparent)]
    Pql(#[from] crate::pql::Faults),
    /// A knowledge model refers to a data model that is not there.
    #[error("data model \"{reference}\" does not exist")]
    UnknownDataModel {
        /// As written in the knowledge model.
        reference: String,
    },
    /// The name of a data model fits more than one.
    #[error("data model \"{reference}\" exists in several pools; write POOL/KEY instead")]
    AmbiguousDataModel {
        /// As written in the knowledge model.
        reference: String,
    },
    /// Data model and tables do not fit.
    #[error("data model \"{data_model}\" cannot be loaded: {detail}")]
    BadDataModel {
        /// Its key.
        data_model: String,
        /// Which table, which column.
        detail: String,
    },
    /// The clock cannot be set like this.
    #[error("the process clock cannot run at speed {speed}: it takes a number from 0 to 1000000")]
    BadSpeed {
        /// As given.
        speed: f64,
    },
    /// Somebody else published or took over the model in the meantime.
    #[error("knowledge model \"{model}\" was changed in the meantime")]
    Overtaken {
        /// Its id.
        model: String,
    },
    /// The rows could not be read.
    #[error("the tables could not be read")]
    Tables(#[from] pools::TablesError),
    /// Data integration could not answer.
    #[error("{detail}")]
    DataModels {
        /// What it said.
        detail: String,
        /// Of which kind its error was.
        kind: Kind,
    },
    /// An evaluation stopped half-way, which is a mistake of ours.
    #[error("the evaluation stopped unexpectedly: {detail}")]
    Broken {
        /// What it said.
        detail: String,
    },
    /// The control database failed.
    #[error(transparent)]
    Database(#[from] base::db::Error),
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownModel { .. }
            | Error::UnknownTrigger { .. }
            | Error::UnknownInstance { .. }
            | Error::NotPublished { .. } => Kind::NotFound,
            Error::BadKey { .. }
            | Error::Yaml { .. }
            | Error::InvalidModel { .. }
            | Error::Pql(_)
            | Error::UnknownDataModel { .. }
            | Error::AmbiguousDataModel { .. }
            | Error::BadDataModel { .. }
            | Error::BadSpeed { .. } => Kind::Invalid,
            Error::Overtaken { .. } => Kind::Conflict,
            Error::Broken { .. } => Kind::Internal,
            Error::Tables(error) => error.kind(),
            Error::DataModels { kind, .. } => *kind,
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::UnknownModel { .. } => "knowledge-model-unknown",
            Error::NotPublished { .. } => "knowledge-model-not-published",
            Error::UnknownTrigger { .. } => "trigger-unknown",
            Error::UnknownInstance { .. } => "record-instance-unknown",
            Error::BadKey { .. } => "key-invalid",
            Error::Yaml { .. } => "knowledge-model-not-yaml",
            Error::InvalidModel { .. } => "knowledge-model-invalid",
            Error::Pql(_) => "pql-invalid",
            Error::UnknownDataModel { .. } => "data-model-unknown",
            Error::AmbiguousDataModel { .. } => "data-model-ambiguous",
            Error::BadDataModel { .. } => "data-model-unloadable",
            Error::BadSpeed { .. } => "clock-speed-invalid",
            Error::Overtaken { .. } => "knowledge-model-overtaken",
            Error::Tables(error) => error.code(),
            Error::DataModels { .. } => "data-models-failed",
            Error::Broken { .. } => "evaluation-broken",
            Error::Database(error) => error.code(),
        }
    }
}
