//! A template, or a filter, tried at once, with bundles that somebody has at hand: what an
//! editor shows below a field while it is written.
//!
//! Whoever may look at flows may try what they like, so a trial is small: the
//! text, the bundles, and every value on the way are limited.

use std::collections::BTreeMap;

use base::{Chance, Timestamp};
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::token::{Token, Tokens};
use super::{Problem, Surroundings, Template, functions};
use crate::filter::{Filter, Judgement};
use crate::value::{FieldType, Value, convert};

/// Bytes of a template at most.
pub const TEMPLATE_BYTES_MAX: usize = 32 << 10;

/// Bytes of all bundles together at most, and of every value on the way.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// What is tried.
#[derive(Clone, Debug, Default)]
pub struct Tryout {
    /// The text with its expressions.
    pub template: String,
    /// What earlier modules have given, by their ids.
    pub bundles: BTreeMap<u32, Json>,
    /// What names of the engine stand for, such as `var`.
    pub names: BTreeMap<String, Json>,
    /// The time zone of the flow, by its name; UTC without one.
    pub zone: Option<String>,
    /// The type of the field for which it is meant.
    pub kind: Option<String>,
    /// The field holds JSON text, so that what is mapped is escaped.
    pub is_json: bool,
}

/// Conditions that are tried, as they stand in a filter.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Lists of conditions, any of which is enough.
    pub conditions: Json,
    /// What earlier modules have given, by their ids.
    pub bundles: BTreeMap<u32, Json>,
    /// What names of the engine stand for, such as `var`.
    pub names: BTreeMap<String, Json>,
    /// The time zone of the flow, by its name; UTC without one.
    pub zone: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Tried {
    /// A value.
    Value(Value),
    /// The template has a mistake.
    Mistake(Mistake),
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// Where it begins, in UTF-16 units of the template as browsers count them.
    pub start: usize,
    /// Where it ends; what stands at that place is no longer part of it.
    pub end: usize,
    /// What may stand in its place instead, where that is plain.
    pub fix: Option<String>,
}

/// Why something cannot be tried at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The text is too long.
    #[error("the template has {0} bytes; {TEMPLATE_BYTES_MAX} can be tried")]
    TemplateTooLong(usize),
    /// The conditions are too long.
    #[error("the conditions have {0} bytes; {TEMPLATE_BYTES_MAX} can be tried")]
    ConditionsTooLong(usize),
    /// The bundles are too large.
    #[error("the bundles have more than {VALUE_BYTES_MAX} bytes; leave out what the template does not use")]
    BundlesTooLarge,
    /// Nobody knows the time zone.
    #[error("\"{0}\" is not a time zone; names are such as \"Europe/Berlin\"")]
    ZoneUnknown(String),
    /// Nobody knows the type.
    #[error("\"{0}\" is not a type of a field")]
    KindUnknown(String),
}

impl Refused {
    /// Returns the field of [`Tryout`] that is refused.
    pub fn field(&self) -> &'static str {
        match self {
            Refused::TemplateTooLong(_) => "template",
            Refused::ConditionsTooLong(_) => "conditions",
            Refused::BundlesTooLarge => "bundles",
            Refused::ZoneUnknown(_) => "zone",
            Refused::KindUnknown(_) => "kind",
        }
    }

    /// Returns its code.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::TemplateTooLong(_) => "template-too-long",
            Refused::ConditionsTooLong(_) => "conditions-too-long",
            Refused::BundlesTooLarge => "bundles-too-large",
            Refused::ZoneUnknown(_) => "zone-unknown",
            Refused::KindUnknown(_) => "kind-unknown",
        }
    }
}

impl Tryout {
    /// Comes to a value, or finds the mistake.
    pub fn evaluate(self, now: Timestamp, chance: &dyn Chance) -> Result<Tried, Refused> {
        if self.template.len() > TEMPLATE_BYTES_MAX {
            return Err(Refused::TemplateTooLong(self.template.len()));
        }
        let kind = match self.kind.as_deref() {
            None | Some("any") => FieldType::Any,
            Some(name) => match FieldType::named(name) {
                FieldType::Any => return Err(Refused::KindUnknown(name.to_owned())),
                kind => kind,
            },
        };
        let desk = Desk::new(self.bundles, self.names, self.zone, now, chance)?;
        let read = if self.is_json { Template::json(&self.template) } else { Template::parse(&self.template) };
        Ok(match read.and_then(|template| template.evaluate(&desk)) {
            Err(problem) => Tried::Mistake(Mistake::of(&self.template, problem)),
            Ok(value) => match convert(value, kind, &desk.zone) {
                Ok(value) => Tried::Value(value),
                Err(message) => {
                    let end = units(&self.template);
                    Tried::Mistake(Mistake { message, start: 0, end, fix: None })
                }
            },
        })
    }
}

impl Trial {
    /// Judges, or says what is wrong with the conditions.
    pub fn judge(self, now: Timestamp, chance: &dyn Chance) -> Result<Result<Judgement, String>, Refused> {
        let bytes = self.conditions.to_string().len();
        if bytes > TEMPLATE_BYTES_MAX {
            return Err(Refused::ConditionsTooLong(bytes));
        }
        let desk = Desk::new(self.bundles, self.names, self.zone, now, chance)?;
        let mut unknown = Vec::new();
        let filter = Filter::read(&self.conditions, &mut |operator| unknown.push(operator.to_owned()));
        let mut told = Judgement::default();
        Ok(match (filter, unknown.first()) {
            (Err(wrong), _) => Err(wrong),
            (Ok(_), Some(operator)) => Err(format!("\"{operator}\" is not an operator")),
            (Ok(filter), None) => match filter.judge_telling(&desk, &mut told) {
                Ok(_) => Ok(told),
                Err(problem) => Err(problem.text),
            },
        })
    }
}

/// What a template sees that is tried.
struct Desk<'a> {
    bundles: BTreeMap<u32, Value>,
    names: BTreeMap<String, Value>,
    zone: TimeZone,
    now: Timestamp,
    chance: &'a dyn Chance,
}

impl<'a> Desk<'a> {
    fn new(
        bundles: BTreeMap<u32, Json>,
        names: BTreeMap<String, Json>,
        zone: Option<String>,
        now: Timestamp,
        chance: &'a dyn Chance,
    ) -> Result<Self, Refused> {
        let zone = match zone {
            Some(name) => TimeZone::get(&name).map_err(|_| Refused::ZoneUnknown(name))?,
            None => TimeZone::UTC,
        };
        let bundles = bundles.into_iter().map(|(module, bundle)| (module, Value::from_json(bundle))).collect();
        let names = names.into_iter().map(|(name, value)| (name, Value::from_json(value))).collect();
        let desk = Desk { bundles, names, zone, now, chance };
        if super::is_larger(desk.bundles.values().chain(desk.names.values()), VALUE_BYTES_MAX) {
            return Err(Refused::BundlesTooLarge);
        }
        Ok(desk)
    }
}

impl Surroundings for Desk<'_> {
    fn bundle(&self, module: u32) -> Option<Value> {
        self.bundles.get(&module).cloned()
    }
    fn name(&self, name: &str) -> Option<Value> {
        self.names.get(name).cloned()
    }
    fn now(&self) -> Timestamp {
        self.now
    }
    fn chance(&self) -> &dyn Chance {
        self.chance
    }
    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }
    fn value_bytes_max(&self) -> usize {
        VALUE_BYTES_MAX
    }
}

impl Mistake {
    /// Finds what a problem is about: it knows only where that begins.
    fn of(template: &str, problem: Problem) -> Self {
        let rest = &template[problem.at..];
        let (from, length, fix) = match (Tokens::new(template, problem.at).take(), rest.chars().next()) {
            // The end was reached: it is the whole expression that is not closed.
            (_, None) => {
                let open = template.rfind("{{").unwrap_or(0);
                (open, template.len() - open, Some(format!("{}}}}}", template[open..].trim_end())))
            }
            (Err(_), Some(',')) => (problem.at, 1, Some(";".to_owned())),
            (Err(_), Some(quote @ ('\u{201c}' | '\u{201d}' | '\u{201e}'))) => {
                (problem.at, quote.len_utf8(), Some("\"".to_owned()))
            }
            (Err(_), Some('"' | '\'' | '`')) => (problem.at, rest.len(), None),
            (Err(_), Some(letter)) => (problem.at, letter.len_utf8(), None),
            (Ok((token, _)), Some(_)) => {
                let mut tokens = Tokens::new(template, problem.at);
                let length = tokens.take().map_or(rest.len(), |_| tokens.place() - problem.at);
                let fix = match token {
                    Token::Word(name) if functions::find(&name).is_none() => functions::nearest(&name),
                    _ => None,
                };
                (problem.at, length, fix.filter(|_| problem.text.contains("does not exist")))
            }
        };
        let start = units(&template[..from]);
        let end = start + units(&template[from..from + length]);
        Mistake { message: problem.text, start, end, fix }
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
