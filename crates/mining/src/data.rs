//! Questions to the data of a published model: by the names that the model
//! gives, answered by the query engine.
//!
//! A [`DataQuestion`] is what the Intelligence API is asked. It becomes the
//! tree of a query (nothing is pasted together as text, so nothing that is
//! asked can mean more than a value) and from there on it is a query like any
//! other: joined, filtered and grouped as PQL says, on everything that is
//! committed, at the process clock.
//!
//! * Without KPIs there is a row for each row of the most detailed record that
//!   is asked for; with KPIs one for each combination of the fields.
//! * The filters of the records that are asked for hold, and so do the global
//!   ones, where they are joined.
//! * The first [`RECORDS_MAX`] rows in the order asked for can be had, a page
//!   at a time.

pub(crate) mod filter_language;
mod asking;
mod search;
mod summary;

use base::error::Kind;

use self::asking::Asking;
pub(crate) use asking::type_of_attribute;
pub(crate) use filter_language::instant;
pub use summary::FieldSummary;

use crate::Error;
use crate::knowledge_model::{ColumnType, KnowledgeModel};
use crate::mining::Mining;
use crate::post::blocking;
use crate::pql::syntax::Expr;
use crate::value::Value;

/// Fields and KPIs of a question at most.
pub const FIELDS_MAX: usize = 200;
/// Rows of a filtered and sorted result that can be had.
pub const RECORDS_MAX: u64 = 5_000;

/// A question to the data of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataQuestion {
    /// The record whose fields are meant; without one, fields are written
    /// `RECORD.FIELD`.
    pub record: Option<String>,
    /// What is shown.
    pub fields: Vec<String>,
    /// Which KPIs are.
    pub kpis: Vec<String>,
    /// Filters of the model.
    pub filters: Vec<String>,
    /// Texts in the filter language; all of them hold.
    pub filter_exprs: Vec<String>,
    /// Fields or KPIs with a sign before them, `+` or nothing, or `-`.
    pub sort: Vec<String>,
    /// The first page is 0.
    pub page: u64,
    /// Rows on a page.
    pub page_size: u64,
    /// Whether equal rows are shown once.
    pub distinct: bool,
    /// What is searched for.
    pub search: Option<Search>,
}

/// A search for what is like a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What is searched for.
    pub term: String,
    /// Where: a field.
    pub field: String,
    /// How much of the term must be found, in percent; 80 if nothing is said.
    pub precision: Option<u8>,
}

/// An answer to a [`DataQuestion`].
#[derive(Clone, Debug, PartialEq)]
pub struct DataAnswer {
    /// The columns.
    pub headers: Vec<Header>,
    /// The rows of the page, each as long as `headers`.
    pub rows: Vec<Vec<Value>>,
    /// Rows of all pages, at most [`RECORDS_MAX`].
    pub total: u64,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As it was asked for.
    pub id: String,
    /// What people read.
    pub name: String,
    /// As the model says, or as its expression yields.
    pub column_type: ColumnType,
    /// Format, as the model says.
    pub format: Option<String>,
    /// Unit, as the model says.
    pub unit: Option<String>,
    /// Whether it is a KPI.
    pub is_aggregate: bool,
}

/// Why a question cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say what they are")]
pub enum QuestionFault {
    #[error("knowledge model \"{model}\" has no record \"{record}\"{hint}")]
    UnknownRecord { model: String, record: String, hint: String },
    #[error("there is no field \"{field}\"{hint}")]
    UnknownField { field: String, hint: String },
    #[error("there is no KPI \"{kpi}\"{hint}")]
    UnknownKpi { kpi: String, hint: String },
    #[error("there is no filter \"{filter}\"{hint}")]
    UnknownFilter { filter: String, hint: String },
    #[error("filterExpr {text:?}, column {column}: {detail}")]
    BadFilter { text: String, column: usize, detail: String },
    #[error("{asked} fields and KPIs are asked for; at most {FIELDS_MAX} are possible")]
    TooMany { asked: usize },
    #[error("nothing is asked for: name at least one field or KPI")]
    Nothing,
    #[error("a KPI has no place in the data of one record; ask at the model, where fields are written RECORD.FIELD")]
    KpiOfRecord,
    #[error("cannot sort by \"{field}\", which is not among the fields and KPIs that are asked for{hint}")]
    SortUnknown { field: String, hint: String },
    #[error("the sort names \"{field}\" in both directions; leave one out")]
    SortOpposite { field: String },
    #[error("an entry of the sort names no field")]
    SortEmpty,
    #[error("{detail}")]
    BadSearch { detail: String },
}

impl QuestionFault {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            QuestionFault::UnknownRecord { .. } => Kind::NotFound,
            _ => Kind::Invalid,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            QuestionFault::UnknownRecord { .. } => "record-unknown",
            QuestionFault::UnknownField { .. } => "field-unknown",
            QuestionFault::UnknownKpi { .. } => "kpi-unknown",
            QuestionFault::UnknownFilter { .. } => "filter-unknown",
            QuestionFault::BadFilter { .. } => "filter-expression-invalid",
            QuestionFault::TooMany { .. } => "fields-too-many",
            QuestionFault::Nothing => "fields-missing",
            QuestionFault::KpiOfRecord => "kpi-of-record",
            QuestionFault::SortUnknown { .. } => "sort-illegal",
            QuestionFault::SortOpposite { .. } => "sort-opposite",
            QuestionFault::SortEmpty => "sort-empty",
            QuestionFault::BadSearch { .. } => "search-invalid",
        }
    }
}

impl Mining {
    /// Answers a question to the data of the published version. Every commit
    /// that is durable when the question is asked is in.
    pub async fn data(&self, model: &str, question: DataQuestion) -> Result<DataAnswer, Error> {
        let (source, data_model) = self.published_text(model).await?;
        let (root, clock) = self.fresh_root(data_model).await?;
        let now = clock.now(self.clock.now()).as_millis();
        let id = model.to_owned();
        blocking(move || {
            let model = KnowledgeModel::of(&source)?;
            Asking { id: &id, vocabulary: &model.vocabulary(), model: &model, root: &root, now }.answer(&question)
        })
        .await
    }

    /// Tells what the values of each field of a record are like.
    pub async fn record_summary(&self, model: &str, record: &str) -> Result<Vec<FieldSummary>, Error> {
        let (source, data_model) = self.published_text(model).await?;
        let (root, clock) = self.fresh_root(data_model).await?;
        let now = clock.now(self.clock.now()).as_millis();
        let (id, record) = (model.to_owned(), record.to_owned());
        blocking(move || {
            let model = KnowledgeModel::of(&source)?;
            let asking = Asking { id: &id, vocabulary: &model.vocabulary(), model: &model, root: &root, now };
            summary::of_record(&asking, &record)
        })
        .await
    }
}

/// Returns the filters that are part of every question.
pub(crate) fn global_filters(model: &KnowledgeModel) -> Result<Vec<Expr>, Error> {
    let mut filters = Vec::new();
    for filter in model.filters.iter().filter(|filter| filter.global) {
        let ids = std::slice::from_ref(&filter.id);
        filters.extend(crate::knowledge_model::all_of(&model.filters, ids));
    }
    Ok(filters)
}
