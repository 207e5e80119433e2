//! The matched set of a trigger as it is stored, and differences to it.
//!
//! A record instance is known to the set from the first time that it enters;
//! its episodes are counted from there, also after it has left.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use base::{Causes, Timestamp};
use serde_json::{Value as Json, json};

use crate::ports::{Field, Reason, Signal};
use crate::value::Type;

/// How a record instance stands to the matched set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was in it once.
    Out,
    /// It is in it.
    In,
    /// It had to make room for a newer one. It comes back when it has stopped
    /// to satisfy the trigger and starts again; else the two would push each
    /// other out for ever, firing each time.
    Displaced,
}

impl Standing {
    /// Reads what [`Standing::code`] wrote.
    pub(crate) fn of(code: i64) -> Self {
        match code {
            0 => Standing::Out,
            2 => Standing::Displaced,
            _ => Standing::In,
        }
    }

    /// Returns the number under which it is stored.
    pub(crate) fn code(self) -> i64 {
        match self {
            Standing::Out => 0,
            Standing::In => 1,
            Standing::Displaced => 2,
        }
    }
}

/// What is durable of a record instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Whether it matches.
    pub(crate) standing: Standing,
    /// For the how-manieth time.
    pub(crate) episode: u64,
    /// Since this instant.
    pub(crate) since: Timestamp,
    /// When it last fired.
    pub(crate) fired_at: Option<Timestamp>,
}

/// A record instance that starts to match, or stops.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Enter {
    pub(crate) identifier: Arc<str>,
    pub(crate) episode: u64,
    pub(crate) typed: Json,
    pub(crate) fields: Vec<Field>,
    /// It is in the set without a signal.
    pub(crate) quiet: bool,
    pub(crate) reason: Reason,
}

/// On which end of an episode a signal fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Enter,
    Leave,
}

/// By how much the target differs from what is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub(crate) enters: Vec<Enter>,
    /// They no longer satisfy the trigger.
    pub(crate) leaves: Vec<Arc<str>>,
    /// They do, but make room.
    pub(crate) displaced: Vec<Arc<str>>,
    /// What there is to say of those that leave, if that fires.
    pub(crate) farewells: Vec<Enter>,
}

impl Difference {
    /// Counts what a transaction has to move.
    pub(crate) fn len(&self) -> usize {
        self.enters.len() + self.leaves.len() + self.displaced.len()
    }

    /// Cuts it into parts, each small enough for one closure; none of nothing.
    pub(crate) fn in_parts(self) -> VecDeque<Difference> {
        closures(&[self]).into_iter().filter_map(|mut closure| closure.remove(&0)).collect()
    }
}

/// Items that one closure moves at most.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// What one transaction moves, by the place of the trigger in its model.
pub(crate) type Closure = BTreeMap<usize, Difference>;

/// Cuts the differences of all triggers into closures; at least one, even of
/// nothing. Whoever leaves does so before others enter.
pub(crate) fn closures(differences: &[Difference]) -> Vec<Closure> {
    enum Item {
        Leave(Arc<str>, Option<Enter>),
        Displace(Arc<str>),
        Enter(Enter),
    }
    let mut items = Vec::new();
    for (place, difference) in differences.iter().enumerate() {
        let told: HashMap<&Arc<str>, &Enter> =
            difference.farewells.iter().map(|farewell| (&farewell.identifier, farewell)).collect();
        let leave = |identifier: &Arc<str>| {
            (place, Item::Leave(identifier.clone(), told.get(identifier).map(|farewell| (*farewell).clone())))
        };
        items.extend(difference.leaves.iter().map(leave));
        items.extend(difference.displaced.iter().map(|identifier| (place, Item::Displace(identifier.clone()))));
        items.extend(difference.enters.iter().map(|enter| (place, Item::Enter(enter.clone()))));
    }
    let mut closures = vec![Closure::new()];
    for (number, (place, item)) in items.into_iter().enumerate() {
        if number > 0 && number % ITEMS_MAX == 0 {
            closures.push(Closure::new());
        }
        let closure = closures.last_mut().expect("there is always one");
        let part = closure.entry(place).or_default();
        match item {
            Item::Leave(identifier, farewell) => {
                part.leaves.push(identifier);
                part.farewells.extend(farewell);
            }
            Item::Displace(identifier) => part.displaced.push(identifier),
            Item::Enter(enter) => part.enters.push(enter),
        }
    }
    closures
}

/// Names the signal at one end of an episode: unique per trigger, and the same
/// whenever it is written.
pub(crate) fn key(trigger: &str, identifier: &str, episode: u64, end: End) -> String {
    match end {
        End::Enter => format!("{trigger}/{identifier}/{episode}"),
        End::Leave => format!("{trigger}/{identifier}/{episode}/left"),
    }
}

/// Writes the signal of an instance that starts or stops to match. Where only
/// one of the two fires, `end` is nothing and the event does not show it.
pub(crate) fn signal(
    model: &str,
    trigger: &str,
    enter: &Enter,
    end: End,
    shows_end: bool,
    causes: &Causes,
    at: Timestamp,
) -> Signal {
    let mut fields = enter.fields.clone();
    let own = |id: &str, value: String, own: Type| Field {
        id: id.to_owned(),
        value: Json::from(value),
        kind: kind(own),
        is_identifier: false,
    };
    fields.push(own("evaluatedAt", at.to_string(), Type::Date));
    fields.push(own("reason", enter.reason.word().to_owned(), Type::String));
    if shows_end {
        let word = if end == End::Enter { "ENTER" } else { "LEAVE" };
        fields.push(own("change", word.to_owned(), Type::String));
    }
    if !causes.is_empty() {
        fields.push(own("causes", causes.to_string(), Type::String));
    }
    Signal {
        knowledge_model: model.to_owned(),
        trigger: trigger.to_owned(),
        key: key(trigger, &enter.identifier, enter.episode, end),
        identifier: enter.identifier.to_string(),
        typed_identifier: enter.typed.clone(),
        fields,
        evaluated_at: at,
        reason: enter.reason,
        causes: causes.clone(),
    }
}

/// Writes a signal down, to be sent later.
pub(crate) fn written(signal: &Signal) -> String {
    let field = |field: &Field| json!([field.id, field.value, field.kind, field.is_identifier]);
    json!({
        "model": signal.knowledge_model,
        "trigger": signal.trigger,
        "key": signal.key,
        "identifier": signal.identifier,
        "typed": signal.typed_identifier,
        "fields": signal.fields.iter().map(field).collect::<Vec<_>>(),
        "at": signal.evaluated_at.as_micros(),
        "reason": signal.reason.word(),
        "causes": signal.causes,
    })
    .to_string()
}

/// Reads what [`written`] wrote.
pub(crate) fn read_back(text: &str) -> Option<Signal> {
    let json: Json = serde_json::from_str(text).ok()?;
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let kinds = [Type::Int, Type::Float, Type::Date, Type::String].map(kind);
    let field = |field: &Json| {
        Some(Field {
            id: field[0].as_str()?.to_owned(),
            value: field[1].clone(),
            kind: kinds.into_iter().find(|kind| field[2] == *kind)?,
            is_identifier: field[3].as_bool()?,
        })
    };
    let causes = json["causes"].as_str().and_then(|text| Causes::parse(text).ok());
    Some(Signal {
        knowledge_model: text("model")?,
        trigger: text("trigger")?,
        key: text("key")?,
        identifier: text("identifier")?,
        typed_identifier: json["typed"].clone(),
        fields: json["fields"].as_array()?.iter().map(field).collect::<Option<_>>()?,
        evaluated_at: Timestamp::from_micros(json["at"].as_i64()?),
        reason: Reason::of(json["reason"].as_str()?),
        causes: causes.unwrap_or_default(),
    })
}

/// Names a type as the event does.
pub(crate) fn kind(field_type: Type) -> &'static str {
    match field_type {
        Type::Int => "INT",
        Type::Float => "FLOAT",
        Type::Date => "DATE",
        Type::String => "STRING",
    }
}
