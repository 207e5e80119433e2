//! Data structures: what fields a collection has, of which types.
//!
//! A structure is written by hand or learned from a sample. It says how JSON
//! is created (numbers without quotes, dates as ISO 8601, what is empty left
//! out), and whether data that comes in is what a flow expects. The same
//! specification of fields stands in blueprints, in `metadata.expect`: there it
//! says of which type the fields of a module are.
//!
//! [`Structure::check`] judges data that came from outside, and changes
//! nothing. [`Structure::shape`] makes of mapped values what the structure
//! describes. [`Structure::learn`] reads a structure off a sample.

mod field;
mod learn;
mod shape;

use base::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

pub(crate) use field::fields_of;
pub use field::{Field, Inside};
pub(crate) use shape::fit;

use crate::value::Value;

/// The fields of a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structure {
    /// In the order in which they are written.
    pub fields: Vec<Field>,
    /// Items that are no fields are refused.
    pub strict: bool,
}

impl Serialize for Structure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Structure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Structure::read(&Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A structure that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StructureInfo {
    /// What flows call it.
    pub name: String,
    /// Its fields.
    pub structure: Structure,
    /// Numbers under which flows that were drawn elsewhere name it.
    pub imported_ids: Vec<u64>,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// Where data is not what a structure says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {text}")]
pub struct Mismatch {
    /// Which item, such as `lines[2].sku`; places are counted from 1.
    pub path: String,
    /// What is wrong with it.
    pub text: String,
}

impl Structure {
    /// Reads `{"spec": […], "strict": false}`, or the list of fields alone.
    /// The error is a sentence for the author.
    pub fn read(document: &Json) -> Result<Self, String> {
        let (spec, strict) = match document {
            Json::Array(_) => (document, false),
            Json::Object(_) => (&document["spec"], document["strict"].as_bool().unwrap_or(false)),
            _ => return Err("a structure is a list of fields".into()),
        };
        let Json::Array(spec) = spec else { return Err("\"spec\" must be a list of fields".into()) };
        Ok(Structure { fields: field::read_all(spec, "")?, strict })
    }

    /// Writes what [`Structure::read`] reads.
    pub fn to_json(&self) -> Json {
        json!({"spec": self.fields.iter().map(Field::to_json).collect::<Vec<_>>(), "strict": self.strict})
    }

    /// Returns the structure of a sample that was parsed before.
    pub fn learn(sample: &Value) -> Self {
        learn::structure_of(sample)
    }

    /// Returns the structure of a sample as text: JSON, XML, or CSV of which
    /// the first row names the columns. Which one it is shows itself.
    pub fn learn_text(sample: &str) -> Result<Self, String> {
        learn::structure_of_text(sample)
    }

    /// Tells whether data is what the structure says; else all that is wrong
    /// with it. A text that reads as the wanted type is right, because forms
    /// and query strings have nothing but texts.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Mismatch>> {
        let mut found = Vec::new();
        shape::arrived(self, value, &mut found);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Converts data that came from outside to the types of its fields, with
    /// defaults for what is not there; or tells the first thing that does not
    /// fit. It accepts what [`Structure::check`] accepts.
    pub fn fit(&self, data: &Value) -> Result<Value, Mismatch> {
        let mut found = Vec::new();
        let fitted = shape::arrived(self, data, &mut found);
        found.into_iter().next().map_or(Ok(fitted), Err)
    }

    /// Makes of mapped values what the structure describes: its fields in
    /// their order and of their types, with their defaults; what is empty and
    /// may be is left out, what is no field stands behind. Dates without an
    /// offset are in `zone`.
    pub fn shape(&self, value: &Value, zone: &TimeZone) -> Result<Value, Vec<Mismatch>> {
        let mut found = Vec::new();
        let shaped = shape::shape(self, value, zone, &mut found);
        if found.is_empty() { Ok(shaped) } else { Err(found) }
    }
}

#[cfg(test)]
mod tests;
