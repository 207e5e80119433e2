//! A knowledge model as a person writes it: YAML with PQL inside.
//!
//! The form is the one known from Celonis Studio, with `triggers:` added. What
//! is read here is obeyed; what a text says beyond that is the subject of
//! [`notices`](crate::notices). The stored text is the user's and leaves again
//! as it came.
//!
//! A model is read in two steps. Reading takes every key, tells all mistakes at
//! once, and lays an extension over its base. *Settling* then leaves only what
//! holds: objects that are switched off are gone, the filters of an attribute
//! or a KPI are part of its expression, a global filter is one of every
//! trigger, and the older trigger form has become triggers.

mod trigger_text;
mod reading;
mod settling;

pub(crate) use settling::all_of;
pub use trigger_text::{Caps, FireOn, MODEL, Occasions, OnLogicChange, TriggerText, WhenFull};

use std::collections::HashSet;

use base::Timestamp;
use serde_saphyr::Spanned;

use crate::Error;
use crate::error::ModelMistake;
use crate::pql::check::Vocabulary;
use crate::tree::Tree;

/// What was published: a text, and those that it extends, as they were then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user wrote it.
    pub text: String,
    /// What it extends, the nearest first.
    pub bases: Vec<String>,
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Source { text: text.to_owned(), bases: Vec::new() }
    }
}

/// A parsed knowledge model.
#[derive(Debug)]
pub struct KnowledgeModel {
    /// Key, name, version.
    pub metadata: Metadata,
    /// Whether it stands alone or extends another one.
    pub base: Option<Base>,
    /// Id, `POOL/KEY` or key of the data model; `${{key}}` is a variable of
    /// this name, or the key. Empty in an extension that does not say.
    pub data_model_id: Spanned<String>,
    /// Values that expressions may use.
    pub variables: Vec<Variable>,
    /// What there is to look at.
    pub records: Vec<Record>,
    /// Named conditions.
    pub filters: Vec<Filter>,
    /// Named aggregates.
    pub kpis: Vec<Kpi>,
    /// Named activity columns.
    pub event_logs: Vec<EventLogText>,
    /// Which event logs belong together.
    pub event_log_references: Vec<Spanned<String>>,
    /// Named observations of KPIs.
    pub anomalies: Vec<Anomaly>,
    /// What can be done about a record.
    pub actions: Vec<Action>,
    /// What to watch.
    pub triggers: Vec<TriggerText>,
    /// Kind and id, in upper case, of what `scope: DISABLED` switches off.
    pub switched_off: HashSet<(&'static str, String)>,
}

/// Key and name.
#[derive(Debug)]
pub struct Metadata {
    /// With the package the model's id.
    pub key: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
}

/// What an extension extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// `PACKAGE.KEY`, or a key of the same package.
    pub key: Spanned<String>,
    /// The number of a publication, or the version in its metadata; the last
    /// publication if nothing is said.
    pub version: Option<String>,
}

/// What people are told of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What people read.
    pub display_name: Option<String>,
    /// The same in at most 20 characters.
    pub short_display_name: Option<String>,
    /// In sentences.
    pub description: Option<String>,
    /// For those who write models.
    pub internal_note: Option<String>,
}

/// A variable.
#[derive(Debug)]
pub struct Variable {
    /// Used as `<%= ID %>`.
    pub id: Spanned<String>,
    /// What it stands for.
    pub value: String,
}

/// A record: rows of a table with names for what is known of them.
#[derive(Debug)]
pub struct Record {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// More of that.
    pub about: About,
    /// The table.
    pub pql: Spanned<String>,
    /// What tells one instance from another.
    pub identifier: Attribute,
    /// Conditions that every instance satisfies.
    pub filter_ids: Vec<Spanned<String>>,
    /// What is known of an instance: attributes of every kind.
    pub attributes: Vec<Attribute>,
    /// The older trigger form, before it is settled.
    data_triggers: Vec<DataTrigger>,
}

/// A named expression.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// More of that.
    pub about: About,
    /// In which list it stands.
    pub kind: AttributeKind,
    /// The expression, with the attribute's filters in it.
    pub pql: Spanned<String>,
    /// The expression as it was written.
    pub written: Spanned<String>,
    /// Where one of these does not hold, there is no value.
    pub filter_ids: Vec<Spanned<String>>,
    /// Of which type it is meant to be.
    pub column_type: Option<Spanned<ColumnType>>,
    /// Unit.
    pub unit: Option<String>,
    /// Format.
    pub format: Option<String>,
}

/// Kinds of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// Tells one instance from another.
    Identifier,
    /// Of `attributes` or `newAttributes`.
    Plain,
    /// Kept beside the data; read only here.
    Augmented,
    /// 1 or 0.
    Flag,
    /// The larger, the more urgent.
    Priority,
}

/// The types that a model can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the file")]
pub enum ColumnType {
    String,
    Date,
    Time,
    Datetime,
    Timestamp,
    Integer,
    Boolean,
    Number,
    Float,
}

/// A named condition.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
pub struct Filter {
    /// Its id.
    pub id: Spanned<String>,
    /// More for people.
    pub about: About,
    /// The condition, with or without FILTER before it.
    pub pql: Spanned<String>,
    /// Further conditions that have to hold.
    pub filter_ids: Vec<Spanned<String>>,
    /// Whether it is one of every question and every trigger.
    pub global: bool,
}

/// A named aggregate.
#[derive(Debug)]
pub struct Kpi {
    /// Its id.
    pub id: Spanned<String>,
    /// More for people.
    pub about: About,
    /// The expression, with the KPI's filters in it and what stands for its
    /// parameters if nothing is said.
    pub pql: Spanned<String>,
    /// The same with its parameters open, for calls with arguments.
    pub open: Spanned<String>,
    /// The expression as it was written.
    pub written: Spanned<String>,
    /// Only what satisfies these is aggregated.
    pub filter_ids: Vec<Spanned<String>>,
    /// Unit.
    pub unit: Option<String>,
    /// Format.
    pub format: Option<String>,
    /// `{p1}`, `{p2}` … in the expression, in this order.
    pub parameters: Vec<Parameter>,
    /// What is wished for, and when.
    pub targets: Vec<Target>,
    /// Whether more is better.
    pub desired_direction: Direction,
}

/// A parameter of a KPI.
#[derive(Debug)]
pub struct Parameter {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// What stands for it if nothing is said.
    pub default_value: Option<Spanned<String>>,
    /// Whether the default is a text rather than PQL.
    pub is_text: bool,
}

impl Parameter {
    /// Returns what stands for it if nothing is said, as PQL.
    pub fn default_text(&self) -> Option<String> {
        let default = &self.default_value.as_ref()?.value;
        Some(if self.is_text { format!("'{}'", default.replace('\'', "''")) } else { default.clone() })
    }
}

/// What a KPI should be.
#[derive(Debug)]
pub struct Target {
    /// A number.
    pub value: String,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until before when.
    pub until: Option<Timestamp>,
}

/// Whether more of a KPI is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
    /// Neither.
    Neutral,
    /// Nothing is said.
    #[default]
    None,
}

/// A named activity column.
#[derive(Debug)]
pub struct EventLogText {
    /// Its id.
    pub id: Spanned<String>,
    /// The column.
    pub pql: Spanned<String>,
    /// The record of its cases.
    pub record_id: Option<Spanned<String>>,
    /// Whether it is the one that is meant if nothing is said.
    pub is_default: bool,
}

/// A named observation of KPIs.
#[derive(Debug)]
pub struct Anomaly {
    /// Its id.
    pub id: Spanned<String>,
    /// What it looks at.
    pub kpi_ids: Vec<Spanned<String>>,
}

/// What can be done about a record.
#[derive(Debug)]
pub struct Action {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read of it.
    pub about: About,
    /// The key of the action flow that does it.
    pub flow: Option<String>,
    /// For which records.
    pub records: Vec<Spanned<String>>,
    /// Under which conditions.
    pub filters: Vec<Spanned<String>>,
    /// Which attribute goes into which input.
    pub inputs: Vec<(Spanned<String>, Spanned<String>)>,
}

/// The older trigger form: a record and filters.
#[derive(Debug)]
struct DataTrigger {
    id: Spanned<String>,
    display_name: Option<String>,
    filter_ids: Vec<Spanned<String>>,
}

impl KnowledgeModel {
    /// Parses a text that extends nothing; all mistakes are told, each with its
    /// line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::of(&Source::from(text))
    }

    /// Parses a text with those that it extends.
    pub fn of(source: &Source) -> Result<Self, Error> {
        let mut model = reading::read(source)?;
        settling::settle(&mut model);
        Ok(model)
    }

    /// Returns key and name of a text, if it has them, whatever else is wrong.
    pub fn head(text: &str) -> Result<Option<Metadata>, Error> {
        Ok(reading::head(&Tree::parse(text)?))
    }

    /// Returns what a text extends, if it says so.
    pub fn base_of(text: &str) -> Result<Option<Base>, Error> {
        Ok(reading::base_of(&Tree::parse(text)?))
    }

    /// Returns the reference to the data model without `${{…}}` around it.
    pub fn data_model(&self) -> &str {
        let reference = self.data_model_id.value.trim();
        let inner = reference.strip_prefix("${{").and_then(|inner| inner.strip_suffix("}}")).map(str::trim);
        let Some(inner) = inner else { return reference };
        let variable = self.variables.iter().find(|variable| variable.id.value == inner);
        variable.map_or(inner, |variable| variable.value.trim())
    }

    /// Returns the words that the model adds to PQL.
    pub fn vocabulary(&self) -> Vocabulary {
        let mut words = Vocabulary::default();
        for variable in &self.variables {
            words.variables.insert(variable.id.value.clone(), variable.value.clone());
        }
        for record in &self.records {
            for attribute in record.all_attributes() {
                let name = (record.id.value.to_uppercase(), attribute.id.value.to_uppercase());
                words.attributes.insert(name, attribute.pql.value.clone());
            }
        }
        for kpi in &self.kpis {
            let id = kpi.id.value.to_uppercase();
            // Arguments may be given, so nothing is filled in yet.
            words.kpis.insert(id.clone(), kpi.open.value.clone());
            words.kpi_defaults.insert(id, kpi.parameters.iter().map(Parameter::default_text).collect());
        }
        words
    }

    /// Finds a filter by its id, ignoring case as references in a model do.
    pub fn filter(&self, id: &str) -> Option<&Filter> {
        self.filters.iter().find(|filter| filter.id.value.eq_ignore_ascii_case(id))
    }

    /// Finds a record by its id, ignoring case.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id.value.eq_ignore_ascii_case(id))
    }
}

impl Record {
    /// Goes through the identifier and all attributes.
    pub fn all_attributes(&self) -> impl Iterator<Item = &Attribute> {
        std::iter::once(&self.identifier).chain(&self.attributes)
    }
}

impl Kpi {
    /// Returns the target that is valid at an instant.
    pub fn target_at(&self, now: Timestamp) -> Option<&Target> {
        let valid = |target: &&Target| {
            target.from.is_none_or(|from| from <= now) && target.until.is_none_or(|until| now < until)
        };
        self.targets.iter().find(valid)
    }
}

/// Makes an error of mistakes, of which there is at least one.
pub(crate) fn refused(model: &str, mut mistakes: Vec<ModelMistake>) -> Error {
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.len() == 1 {
        let ModelMistake { path, line, detail } = mistakes.remove(0);
        return Error::InvalidModel { model: model.to_owned(), path, line, detail };
    }
    Error::InvalidModelInPlaces { model: model.to_owned(), mistakes }
}

/// Returns the line on which a text stands, from 1.
pub(crate) fn line(text: &Spanned<String>) -> u64 {
    text.referenced.line()
}
