//! The facade: the verbs that the HTTP interface and the program call.

use std::sync::Arc;

use base::db::{Control, Db};
use base::{Actor, Chance, Clock, Timestamp};
use pools::Tables;
use tokio_util::sync::CancellationToken;

use crate::ports::{DataModels, Outbox};
use crate::value::{Answer, Type};
use crate::Error;

/// A knowledge model in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSummary {
    /// `package.key`.
    pub id: String,
    /// The package.
    pub package: String,
    /// The key in the package.
    pub key: String,
    /// What people read.
    pub display_name: String,
    /// The last published version.
    pub published: Option<u64>,
    /// When the draft was last written.
    pub changed_at: Timestamp,
}

/// A knowledge model with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTexts {
    /// What the list shows.
    pub summary: ModelSummary,
    /// The draft, as the user wrote it.
    pub draft: String,
    /// The published text.
    pub published: Option<String>,
}

/// How much work a trigger is at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Local: touched cases only.
    L,
    /// Keyed: touched groups.
    K,
    /// Threshold: a local value against a common figure or against the clock.
    T,
    /// Full.
    F,
}

/// A trigger of a published model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The record whose instances it watches.
    pub record: String,
    /// Identifier first, then the outputs.
    pub fields: Vec<FieldView>,
    /// How much work it is.
    pub class: Class,
    /// When and over what it is evaluated, in words.
    pub cost: String,
    /// At most this many instances match at once.
    pub item_limit: u64,
    /// Instances that match now.
    pub matched: u64,
    /// Signals fired since the trigger exists.
    pub fired: u64,
}

/// A field of a trigger or an attribute of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What it holds.
    pub field_type: Type,
    /// Unit, as the model says.
    pub unit: Option<String>,
    /// Format, as the model says.
    pub format: Option<String>,
    /// Whether it is the identifier.
    pub is_identifier: bool,
}

/// A record of a published model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Identifier first, then the attributes.
    pub fields: Vec<FieldView>,
}

/// What publishing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The model's id.
    pub model: String,
    /// The new version.
    pub version: u64,
    /// Its triggers, with class, cost and how many instances match.
    pub triggers: Vec<TriggerView>,
}

/// A process clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockView {
    /// What it shows.
    pub now: Timestamp,
    /// Seconds per second; `None` for the wall clock.
    pub speed: Option<f64>,
}

/// A record instance that satisfies a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The record instance as text.
    pub identifier: String,
    /// The instant since which it matches.
    pub since: Timestamp,
    /// 1 for the first time it matched, 2 for the second …
    pub episode: u64,
}

/// Figures for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cases that are open, over all data models with a published model.
    pub cases_open: u64,
    /// Signals fired, ever.
    pub signals: u64,
}

/// Process intelligence over the rows of all pools.
pub struct Mining {
    db: Db<Control>,
    tables: Arc<dyn Tables>,
    data_models: Arc<dyn DataModels>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl Mining {
    /// Makes the engine; nothing is loaded before it is asked for or
    /// [`Mining::run`].
    pub fn new(
        db: Db<Control>,
        tables: Arc<dyn Tables>,
        data_models: Arc<dyn DataModels>,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Self {
        Mining { db, tables, data_models, outbox, clock, chance }
    }

    /// Stores a draft; its id is the package and the `metadata.key` of the text.
    pub async fn put_draft(&self, _actor: &Actor, _package: &str, _yaml: &str) -> Result<ModelSummary, Error> {
        todo!()
    }

    /// Publishes the draft: checks every expression against the data model,
    /// takes note of what matches already, and follows the data from here on.
    pub async fn publish(&self, _actor: &Actor, _model: &str) -> Result<Publication, Error> {
        todo!()
    }

    /// Lists the knowledge models by id.
    pub async fn list(&self) -> Result<Vec<ModelSummary>, Error> {
        todo!()
    }

    /// Returns a knowledge model with its texts.
    pub async fn get(&self, _model: &str) -> Result<ModelTexts, Error> {
        todo!()
    }

    /// Lists the triggers of the published version.
    pub async fn triggers(&self, _model: &str) -> Result<Vec<TriggerView>, Error> {
        todo!()
    }

    /// Lists the records of the published version.
    pub async fn records(&self, _model: &str) -> Result<Vec<RecordView>, Error> {
        todo!()
    }

    /// Answers a query against the model's data at its process clock.
    pub async fn query(&self, _model: &str, _pql: &str) -> Result<Answer, Error> {
        todo!()
    }

    /// Sets the process clock of the model's data model. First evaluates every
    /// commit that is durable now at the old clock, then each deadline up to
    /// `now` at its own instant.
    pub async fn set_clock(
        &self,
        _actor: &Actor,
        _model: &str,
        _now: Timestamp,
        _speed: f64,
    ) -> Result<ClockView, Error> {
        todo!()
    }

    /// Reads the process clock of the model's data model.
    pub async fn clock(&self, _model: &str) -> Result<ClockView, Error> {
        todo!()
    }

    /// Lists the record instances that satisfy a trigger, by identifier.
    pub async fn matched(&self, _model: &str, _trigger: &str) -> Result<Vec<Matched>, Error> {
        todo!()
    }

    /// Counts for a status page.
    pub async fn counters(&self) -> Result<Counters, Error> {
        todo!()
    }

    /// Evaluates every commit that is durable now and every deadline that has
    /// passed.
    pub async fn catch_up(&self) -> Result<(), Error> {
        todo!()
    }

    /// Follows commits and deadlines until told to stop.
    pub async fn run(self: Arc<Self>, _stop: CancellationToken) {
        todo!()
    }
}
