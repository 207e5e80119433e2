//! What `mining` asks of its neighbours, as narrow as it can be said.
//!
//! The two traits are implemented here for `pools::Pools` and
//! `events::Events`; a test implements them in a few lines.

use base::db::Tx;
use base::error::Coded;
use base::{BoxFuture, Causes, Kind, Timestamp};
use events::{Appended, EventField, Events, NewEvent, NoticeKind, TriggerRef};
use pools::{DataModel, Pools};
use serde_json::Value as Json;

use crate::Error;

/// Where data models are found.
pub trait DataModels: Send + Sync {
    /// Finds a data model by id, by `POOL/KEY`, or by a key that is unique.
    fn find<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<DataModel, Error>>;
}

/// A field of a signal, named and typed as the event will show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The attribute's id.
    pub id: String,
    /// Its value when the trigger was evaluated.
    pub value: Json,
    /// `INT`, `FLOAT`, `DATE` or `STRING`.
    pub kind: &'static str,
    /// Whether this is the record's identifier.
    pub is_identifier: bool,
}

/// The fact that a trigger fired for a record instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The knowledge model's id, `package.key`.
    pub knowledge_model: String,
    /// The trigger's id in it.
    pub trigger: String,
    /// Unique per trigger: appending the same key twice appends once.
    pub key: String,
    /// The record instance as text.
    pub identifier: String,
    /// The same in its own type.
    pub typed_identifier: Json,
    /// Identifier first, then the trigger's outputs.
    pub fields: Vec<Field>,
    /// The instant of the evaluation, on the process clock.
    pub evaluated_at: Timestamp,
    /// What made it fire.
    pub reason: Reason,
    /// The chain of what led to the rows that made it fire, as their commit
    /// named it; empty if it did not, or if time alone made it fire. Whoever
    /// acts on the signal hands it on, with the signal itself as its last
    /// link, so that a loop that feeds itself is seen.
    pub causes: Causes,
}

/// What made a signal fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Rows arrived.
    Data,
    /// Rows arrived that tell of something earlier than was known of the case.
    LateData,
    /// Time passed.
    Time,
    /// The trigger had not been evaluated for a while; what changed in between
    /// is told at once.
    CatchUp,
    /// The trigger means something else now.
    LogicChange,
    /// The process clock was set back; nothing fires then.
    SetBack,
}

impl Reason {
    /// Returns the word that an event shows.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Data => "data",
            Reason::LateData => "late_data",
            Reason::Time => "time",
            Reason::CatchUp => "catch-up",
            Reason::LogicChange => "logic change",
            Reason::SetBack => "set back",
        }
    }

    /// Reads what [`Reason::word`] wrote.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "late_data" => Reason::LateData,
            "time" => Reason::Time,
            "catch-up" => Reason::CatchUp,
            "logic change" => Reason::LogicChange,
            "set back" => Reason::SetBack,
            _ => Reason::Data,
        }
    }
}

/// Where signals go.
pub trait Outbox: Send + Sync {
    /// Appends signals of one trigger to its log, in the caller's transaction.
    fn append(&self, tx: &mut dyn Tx, signals: &[Signal]) -> Result<Option<Appended>, Error>;

    /// Says, after the transaction is durable, that there is something new.
    fn announce(&self, appended: Appended);

    /// Tells administrators that a data model is not followed, or is again, in
    /// the caller's transaction.
    fn tell(&self, tx: &mut dyn Tx, news: &DataModelNews) -> Result<(), Error> {
        let _ = (tx, news);
        Ok(())
    }

    /// Says, after the transaction is durable, that there is something told.
    fn told(&self) {}
}

/// That a data model is not followed for now, or is followed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataModelNews {
    /// The key of the data model.
    pub data_model: String,
    /// Names what it tells of; the same is told once.
    pub about: String,
    /// Whether it is followed again.
    pub is_back: bool,
    /// The news in whole sentences.
    pub text: String,
}

impl DataModelNews {
    /// Writes the news, if there are models that it concerns; `detail` says
    /// why they are not followed.
    pub(crate) fn of(data_model: &str, about: &str, detail: Option<&str>, models: &[String]) -> Option<Self> {
        let named = match models {
            [] => return None,
            [one] => format!("The knowledge model \"{one}\" on it"),
            _ => format!("The knowledge models \"{}\" on it", models.join("\", \"")),
        };
        let (is, matches) = if models.len() == 1 { ("is", "it matches") } else { ("are", "they match") };
        let text = match detail {
            Some(detail) => {
                let (first, rest) = detail.split_at(detail.chars().next().map_or(0, char::len_utf8));
                format!(
                    "{}{rest}. {named} {is} set aside: what {matches} is kept, nothing fires, and the commit that mends \
                     this brings all of it back.",
                    first.to_uppercase()
                )
            }
            None => format!("Data model \"{data_model}\" is followed again. {named} {is} evaluated as before."),
        };
        let (data_model, about) = (data_model.to_owned(), about.to_owned());
        Some(DataModelNews { data_model, about, is_back: detail.is_none(), text })
    }
}

impl DataModels for Pools {
    fn find<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<DataModel, Error>> {
        Box::pin(async move {
            self.find_data_model(reference).await.map_err(|error| match error {
                pools::Error::AmbiguousDataModel { .. } => {
                    Error::AmbiguousDataModel { reference: reference.to_owned() }
                }
                error => match error.kind() {
                    Kind::NotFound => Error::UnknownDataModel { reference: reference.to_owned() },
                    kind => Error::DataModels { detail: error.to_string(), kind },
                },
            })
        })
    }
}

impl Outbox for Events {
    fn append(&self, tx: &mut dyn Tx, signals: &[Signal]) -> Result<Option<Appended>, Error> {
        let Some(first) = signals.first() else { return Ok(None) };
        let trigger = TriggerRef::new(&first.knowledge_model, &first.trigger);
        let field = |field: &Field| EventField {
            id: field.id.clone(),
            value: field.value.clone(),
            kind: field.kind.to_owned(),
            is_identifier: field.is_identifier,
        };
        let event = |signal: &Signal| NewEvent {
            key: signal.key.clone(),
            identifier: signal.identifier.clone(),
            typed_identifier: signal.typed_identifier.clone(),
            fields: signal.fields.iter().map(field).collect(),
            at: signal.evaluated_at,
        };
        let events: Vec<NewEvent> = signals.iter().map(event).collect();
        Ok(Some(Events::append(self, tx, &trigger, &events)?))
    }

    fn announce(&self, appended: Appended) {
        Events::announce(self, appended);
    }

    fn tell(&self, tx: &mut dyn Tx, news: &DataModelNews) -> Result<(), Error> {
        let kind = if news.is_back { NoticeKind::DataModelBack } else { NoticeKind::DataModelRefused };
        Ok(self.tell_administrators(tx, kind, &news.about, &news.data_model, &news.text)?)
    }

    fn told(&self) {
        self.announce_notices();
    }
}
