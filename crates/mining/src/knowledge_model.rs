//! A knowledge model as a person writes it: YAML with PQL inside.
//!
//! The form is the one known from Celonis Studio, with `triggers:` added. Only
//! what is evaluated is read here; what a text says beyond that is the subject
//! of [`notices`](crate::notices). The stored text is the user's and leaves
//! again as it came.

use std::collections::HashSet;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::Error;
use crate::pql::check::Vocabulary;

/// A parsed knowledge model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeModel {
    /// Key, name, version.
    #[serde(alias = "Metadata")]
    pub metadata: Metadata,
    /// Id, `POOL/KEY` or key of the data model; `${{key}}` is read as the key.
    pub data_model_id: Spanned<String>,
    /// Values that expressions may use.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// What there is to look at.
    #[serde(default)]
    pub records: Vec<Record>,
    /// Named conditions.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Named aggregates.
    #[serde(default)]
    pub kpis: Vec<Kpi>,
    /// Named activity columns.
    #[serde(default)]
    pub event_logs: Vec<EventLogText>,
    /// What to watch.
    #[serde(default)]
    pub triggers: Vec<TriggerText>,
}

/// Key and name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// With the package the model's id.
    pub key: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
}

/// A variable.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Used as `<%= ID %>`.
    pub id: Spanned<String>,
    /// What it stands for.
    pub value: Scalar,
}

/// A value with or without quotes.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `48`
    Int(i64),
    /// `0.95`
    Float(f64),
    /// `"48"`
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Scalar::Int(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
        }
    }
}

/// A record: rows of a table with names for what is known of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// The table.
    pub pql: Spanned<String>,
    /// What tells one instance from another.
    pub identifier: Attribute,
    /// Conditions that every instance satisfies.
    #[serde(default)]
    pub filter_ids: Vec<Spanned<String>>,
    /// What is known of an instance.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Attributes that are 1 or 0.
    #[serde(default)]
    pub flags: Vec<Attribute>,
}

/// A named expression.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// The expression.
    pub pql: Spanned<String>,
    /// Unit.
    pub unit: Option<String>,
    /// Format.
    pub format: Option<String>,
}

/// A named condition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
pub struct Filter {
    /// Its id.
    pub id: Spanned<String>,
    /// The condition, with or without FILTER before it.
    pub pql: Spanned<String>,
    /// Further conditions that have to hold.
    #[serde(default)]
    pub filter_ids: Vec<Spanned<String>>,
}

/// A named aggregate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kpi {
    /// Its id.
    pub id: Spanned<String>,
    /// The expression.
    pub pql: Spanned<String>,
}

/// A named activity column.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventLogText {
    /// Its id.
    pub id: Spanned<String>,
    /// The column.
    pub pql: Spanned<String>,
}

/// A trigger.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerText {
    /// Its id.
    pub id: Spanned<String>,
    /// What people read.
    pub display_name: Option<String>,
    /// The record whose instances it watches.
    pub record: Spanned<String>,
    /// All of these have to hold.
    #[serde(default)]
    pub filter_ids: Vec<Spanned<String>>,
    /// Attributes that the event shows.
    #[serde(default)]
    pub outputs: Vec<Spanned<String>>,
    /// At most so many instances match at once.
    #[serde(default = "item_limit")]
    pub item_limit: u64,
    /// What happens beyond that.
    #[serde(default)]
    pub when_full: WhenFull,
    /// Whether what matches already at the first publication fires.
    #[serde(default)]
    pub fire_existing: bool,
    /// Which changes of the matched set fire.
    #[serde(default)]
    pub fire_on: FireOn,
    /// When an instance may fire once more.
    #[serde(default)]
    pub rearm: Rearm,
    /// On which occasions it is evaluated.
    #[serde(default)]
    pub evaluate: Occasions,
    /// Whether what newly matches after a change of the logic fires.
    #[serde(default)]
    pub on_logic_change: OnLogicChange,
    /// Whether signals are recorded instead of sent.
    #[serde(default)]
    pub shadow: bool,
    /// How many signals are sent at most; more are held and sent later.
    #[serde(default)]
    pub caps: Caps,
}

/// Which changes of the matched set fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FireOn {
    /// An instance starts to match.
    #[default]
    Enter,
    /// It stops.
    Leave,
    /// Either.
    Both,
}

/// When an instance may fire once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rearm {
    /// After it has left the set; there is no other way.
    pub after: RearmAfter,
    /// And not before so many minutes have passed on the process clock since it
    /// fired. One that comes back earlier is in the set without a signal.
    #[serde(alias = "cooldown")]
    pub cooldown_minutes: u32,
}

/// What an instance must have done before it may fire once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RearmAfter {
    /// It has left the set.
    #[default]
    OnLeave,
}

/// On which occasions a trigger is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Occasions {
    /// At commits, and when time alone changes an answer.
    #[default]
    Continuous,
    /// When rows arrive, and never because time passes.
    OnLoad,
}

/// What newly matches because the logic of a trigger changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnLogicChange {
    /// Is known and does not fire.
    #[default]
    #[serde(alias = "silent")]
    Silent,
    /// Fires.
    #[serde(alias = "fire")]
    Fire,
}

/// How many signals are sent at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Caps {
    /// At one commit or deadline.
    pub per_commit: Option<u64>,
    /// In one minute of the wall clock.
    pub per_minute: Option<u64>,
}

fn item_limit() -> u64 {
    10_000
}

/// What happens to instances beyond the item limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WhenFull {
    /// New ones wait until there is room.
    #[default]
    KeepExisting,
    /// The oldest make room.
    ReplaceExisting,
}

impl KnowledgeModel {
    /// Parses a text; a mistake is told with its line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let model: KnowledgeModel = serde_saphyr::from_str(text).map_err(|error| not_yaml(&error))?;
        model.refuse_doubles()?;
        Ok(model)
    }

    /// Returns the reference to the data model without `${{…}}` around it.
    pub fn data_model(&self) -> &str {
        let reference = self.data_model_id.value.trim();
        let inner = reference.strip_prefix("${{").and_then(|inner| inner.strip_suffix("}}"));
        inner.map_or(reference, str::trim)
    }

    /// Returns the words that the model adds to PQL.
    pub fn vocabulary(&self) -> Vocabulary {
        let mut words = Vocabulary::default();
        for variable in &self.variables {
            words.variables.insert(variable.id.value.clone(), variable.value.text());
        }
        for record in &self.records {
            for attribute in record.all_attributes() {
                let name = (record.id.value.to_uppercase(), attribute.id.value.to_uppercase());
                words.attributes.insert(name, attribute.pql.value.clone());
            }
        }
        for kpi in &self.kpis {
            words.kpis.insert(kpi.id.value.to_uppercase(), kpi.pql.value.clone());
        }
        words
    }

    fn refuse_doubles(&self) -> Result<(), Error> {
        let lists: [(&str, Vec<&Spanned<String>>); 5] = [
            ("variable", self.variables.iter().map(|one| &one.id).collect()),
            ("record", self.records.iter().map(|one| &one.id).collect()),
            ("filter", self.filters.iter().map(|one| &one.id).collect()),
            ("KPI", self.kpis.iter().map(|one| &one.id).collect()),
            ("trigger", self.triggers.iter().map(|one| &one.id).collect()),
        ];
        for (kind, ids) in lists {
            refuse_double(kind, ids)?;
        }
        for record in &self.records {
            refuse_double("attribute", record.all_attributes().map(|attribute| &attribute.id))?;
        }
        Ok(())
    }
}

impl Record {
    /// Goes through identifier, attributes and flags.
    pub fn all_attributes(&self) -> impl Iterator<Item = &Attribute> {
        std::iter::once(&self.identifier).chain(&self.attributes).chain(&self.flags)
    }
}

fn refuse_double<'a>(kind: &str, ids: impl IntoIterator<Item = &'a Spanned<String>>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id.value.to_uppercase()) {
            return Err(Error::Yaml {
                line: line(id),
                column: id.referenced.column(),
                detail: format!("there is a second {kind} \"{}\"", id.value),
            });
        }
    }
    Ok(())
}

/// Says where a text is not what it should be.
pub(crate) fn not_yaml(error: &serde_saphyr::Error) -> Error {
    let place = error.location();
    Error::Yaml {
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        detail: first_line(&error.to_string()),
    }
}

/// Returns the line on which a text stands, from 1.
pub(crate) fn line(text: &Spanned<String>) -> u64 {
    text.referenced.line()
}

/// Takes the message without the place before it, which is told apart, and
/// without the excerpt that the parser draws below it.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not a knowledge model");
    let said = line.strip_prefix("error: line ").and_then(|rest| rest.split_once(": "));
    said.map_or(line, |(_, said)| said).to_owned()
}
