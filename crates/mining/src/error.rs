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
    /// Several parts of a knowledge model do not hold together.
    #[error("knowledge model \"{model}\" has {} mistakes: {}", mistakes.len(), listed(mistakes))]
    InvalidModelInPlaces {
        /// Its id.
        model: String,
        /// All of them, in the order of the text.
        mistakes: Vec<ModelMistake>,
    },
    /// A question to the data of a model cannot be answered.
    #[error(transparent)]
    Question(#[from] crate::data::QuestionFault),
    /// A model was never published in this version.
    #[error("knowledge model \"{model}\" has no version {version}{hint}")]
    UnknownVersion {
        /// Its id.
        model: String,
        /// As asked for.
        version: String,
        /// ` (…)`, or nothing.
        hint: String,
    },
    /// What an extension extends cannot be used.
    #[error("knowledge model \"{model}\" cannot extend \"{base}\": {detail}")]
    BadBase {
        /// The extension's id.
        model: String,
        /// As written.
        base: String,
        /// Why, and what to do.
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
    /// There is no room in memory for a data model.
    #[error("data model \"{data_model}\" does not fit into the memory for data models: {detail}")]
    DataModelTooLarge {
        /// Its key.
        data_model: String,
        /// What it takes, what there is, and the mend.
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
    /// A filter of an exploration does not reach the cases.
    #[error("the filter has no effect on cases: {detail}")]
    Unexplorable {
        /// Why not.
        detail: String,
    },
    /// The knowledge model has no such filter.
    #[error("knowledge model \"{model}\" has no filter \"{filter}\"{hint}")]
    UnknownFilter {
        /// Its id.
        model: String,
        /// As asked for.
        filter: String,
        /// ` (did you mean …)`, or nothing.
        hint: String,
    },
    /// No case has this id, or it has no events.
    #[error("there is no case \"{case}\" with events")]
    UnknownCase {
        /// As asked for.
        case: String,
    },
    /// No instance of the record has this identifier.
    #[error("record \"{record}\" has no instance \"{identifier}\"")]
    UnknownInstance {
        /// The record of the trigger.
        record: String,
        /// As asked for.
        identifier: String,
    },
    /// What is said to be allowed cannot be read, or allows nothing.
    #[error("{detail}")]
    BadAllowed {
        /// What is wrong with it.
        detail: String,
    },
    /// A backtest cannot be run like this.
    #[error("{detail}")]
    BadBacktest {
        /// What is wrong with the wish, and the mend.
        detail: String,
    },
    /// Somebody stopped it.
    #[error("the backtest was stopped")]
    Cancelled,
    /// No backtest with this number is under way.
    #[error("no backtest {number} is under way")]
    UnknownBacktest {
        /// As asked for.
        number: u64,
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

/// A part of a knowledge model that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelMistake {
    /// Which part, such as `records.ORDER.CITY`.
    pub path: String,
    /// 1-based line of the model's text.
    pub line: u64,
    /// What is wrong there, and the mend; for an expression with its position.
    pub detail: String,
}

fn listed(mistakes: &[ModelMistake]) -> String {
    let one = |mistake: &ModelMistake| format!("{} (line {}): {}", mistake.path, mistake.line, mistake.detail);
    mistakes.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Returns what is wrong with a knowledge model, place by place; nothing
    /// if the error is about something else.
    pub fn model_mistakes(&self) -> Vec<ModelMistake> {
        match self {
            Error::InvalidModelInPlaces { mistakes, .. } => mistakes.clone(),
            Error::InvalidModel { path, line, detail, .. } => {
                vec![ModelMistake { path: path.clone(), line: *line, detail: detail.clone() }]
            }
            Error::Yaml { line, detail, .. } => {
                vec![ModelMistake { path: String::new(), line: *line, detail: detail.clone() }]
            }
            _ => Vec::new(),
        }
    }
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownModel { .. }
            | Error::UnknownTrigger { .. }
            | Error::UnknownVersion { .. }
            | Error::NotPublished { .. }
            | Error::UnknownFilter { .. }
            | Error::UnknownCase { .. }
            | Error::UnknownInstance { .. }
            | Error::UnknownBacktest { .. } => Kind::NotFound,
            Error::BadKey { .. }
            | Error::Yaml { .. }
            | Error::InvalidModel { .. }
            | Error::InvalidModelInPlaces { .. }
            | Error::BadBase { .. }
            | Error::Pql(_)
            | Error::UnknownDataModel { .. }
            | Error::AmbiguousDataModel { .. }
            | Error::BadDataModel { .. }
            | Error::BadSpeed { .. }
            | Error::Unexplorable { .. }
            | Error::BadAllowed { .. }
            | Error::BadBacktest { .. } => Kind::Invalid,
            Error::Question(fault) => fault.kind(),
            Error::DataModelTooLarge { .. } => Kind::TooLarge,
            Error::Overtaken { .. } | Error::Cancelled => Kind::Conflict,
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
            Error::BadKey { .. } => "key-invalid",
            Error::Yaml { .. } => "knowledge-model-not-yaml",
            Error::InvalidModel { .. } | Error::InvalidModelInPlaces { .. } => "knowledge-model-invalid",
            Error::Question(fault) => fault.code(),
            Error::UnknownVersion { .. } => "knowledge-model-version-unknown",
            Error::BadBase { .. } => "knowledge-model-base-invalid",
            Error::Pql(_) => "pql-invalid",
            Error::UnknownDataModel { .. } => "data-model-unknown",
            Error::AmbiguousDataModel { .. } => "data-model-ambiguous",
            Error::BadDataModel { .. } => "data-model-unloadable",
            Error::DataModelTooLarge { .. } => "data-model-too-large",
            Error::BadSpeed { .. } => "clock-speed-invalid",
            Error::Overtaken { .. } => "knowledge-model-overtaken",
            Error::Tables(error) => error.code(),
            Error::DataModels { .. } => "data-models-failed",
            Error::Unexplorable { .. } => "filter-unreachable",
            Error::UnknownFilter { .. } => "filter-unknown",
            Error::UnknownCase { .. } => "case-unknown",
            Error::UnknownInstance { .. } => "instance-unknown",
            Error::BadAllowed { .. } => "allowed-path-invalid",
            Error::BadBacktest { .. } => "backtest-invalid",
            Error::Cancelled => "backtest-stopped",
            Error::UnknownBacktest { .. } => "backtest-unknown",
            Error::Broken { .. } => "evaluation-broken",
            Error::Database(error) => error.code(),
        }
    }
}
