//! OCEL 2.0 as JSON: object-centric event logs.
//!
//! An event touches many objects, so there is no one case, and a log becomes
//! several tables. With a log that is called `shop` they are:
//!
//! | table | one row per | columns |
//! |---|---|---|
//! | `shop_events` | event | `event_id`, `activity`, `timestamp`, and each attribute |
//! | `shop_event_objects` | object that an event touches | `event_id`, `activity`, `timestamp`, `object_id`, `qualifier` |
//! | `shop_TYPE` | object of this type | `object_id`, and each attribute as it was first |
//! | `shop_object_objects` | relation of two objects | `object_id`, `related_id`, `qualifier` |
//! | `shop_object_changes` | value that an attribute took | `object_id`, `object_type`, `attribute`, `value`, `timestamp` |
//!
//! `shop_event_objects` repeats activity and time, so that each kind of object
//! can be the case of a data model without a join. A value dated 1970 holds
//! from the beginning, as the standard has it, and is no change. What a type
//! declares of an attribute is believed where its values bear it out; else the
//! column is as wide as they need, and the log says so.
//!
//! The file streams, whatever the order of its parts: one event or one object
//! is in memory at a time.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::BufReader;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::csv::{Refusal, read_iso};
use crate::rows::ColumnType;

use super::source::{BytesRead, CountedFile, SourceText};
use super::value::{Field, Value};
use super::{LogFile, LogNotes, Take, Told};

/// The table of events.
pub(crate) const EVENTS: &str = "events";
/// The table of what an event touches.
pub(crate) const EVENT_OBJECTS: &str = "event_objects";
/// The table of how objects belong together.
pub(crate) const OBJECT_OBJECTS: &str = "object_objects";
/// The table of what became of the attributes of objects.
pub(crate) const OBJECT_CHANGES: &str = "object_changes";

/// Columns of ours; an attribute of such a name steps aside.
const EVENT_COLUMNS: [&str; 3] = ["event_id", "activity", "timestamp"];
const OBJECT_COLUMNS: [&str; 1] = ["object_id"];

/// Reads a log and hands out its rows.
pub(crate) fn read(
    file: &LogFile,
    progress: &BytesRead,
    notes: &mut LogNotes,
    take: &mut Take<'_>,
) -> Result<(), Refusal> {
    let opened = CountedFile::open(&file.path, progress).map_err(|error| file.refusal(&error))?;
    let text = SourceText::open(opened, None).map_err(|error| file.refusal(&error))?;
    let ended = Rc::new(Cell::new(false));
    let reading = Reading { out: RefCell::new(Out { take, notes, refused: None, parts: 0 }), ended: ended.clone() };
    let elements = Elements { text, ended };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 << 10, elements));
    let read = json.deserialize_map(&reading).and_then(|()| json.end());
    let out = reading.out.into_inner();
    if let Some(refusal) = out.refused {
        return Err(refusal);
    }
    read.map_err(|error| file.refusal(&place_of(&error)))?;
    if out.parts == 0 {
        return Err(file.refusal(&"it has none of objectTypes, eventTypes, objects and events, as OCEL 2.0 has"));
    }
    Ok(())
}

/// Puts the place in front, as everywhere.
fn place_of(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("line {line}, column {column}: {what}")
}

/// A text of which one element is read after the other; none of them may be
/// endless.
struct Elements {
    text: SourceText,
    /// An element has ended since the last look.
    ended: Rc<Cell<bool>>,
}

impl std::io::Read for Elements {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.ended.replace(false) {
            self.text.next_element();
        }
        self.text.read(into)
    }
}

struct Out<'a, 't> {
    take: &'a mut Take<'t>,
    notes: &'a mut LogNotes,
    /// Why the reading was broken off, where it was not by the JSON.
    refused: Option<Refusal>,
    /// How many of the four parts were there.
    parts: u32,
}

/// Visits the parts of a log.
struct Reading<'a, 't> {
    out: RefCell<Out<'a, 't>>,
    ended: Rc<Cell<bool>>,
}

impl Reading<'_, '_> {
    fn tell<E: serde::de::Error>(&self, told: Told<'_>) -> Result<(), E> {
        let mut out = self.out.borrow_mut();
        (out.take)(told).map_err(|refusal| {
            out.refused = Some(refusal);
            E::custom("broken off")
        })
    }

    fn row<E: serde::de::Error>(&self, table: &str, fields: &[Field]) -> Result<(), E> {
        self.tell(Told::Row { part: table, fields, line: None })
    }
}

impl<'de> Visitor<'de> for &Reading<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with objectTypes, eventTypes, objects and events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        while let Some(part) = parts.next_key::<String>()? {
            let known = match part.as_str() {
                "objectTypes" => parts.next_value_seed(Each(self, object_type)).map(|()| 1)?,
                "eventTypes" => parts.next_value_seed(Each(self, event_type)).map(|()| 1)?,
                "objects" => parts.next_value_seed(Each(self, object)).map(|()| 1)?,
                "events" => parts.next_value_seed(Each(self, event)).map(|()| 1)?,
                _ => parts.next_value::<IgnoredAny>().map(|_| 0)?,
            };
            self.out.borrow_mut().parts += known;
        }
        Ok(())
    }
}

/// Reads a list one element after the other.
struct Each<'r, 'a, 't, T>(&'r Reading<'a, 't>, fn(&Reading<'a, 't>, T) -> Result<(), String>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, '_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, '_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<T>()? {
            (self.1)(self.0, element).map_err(serde::de::Error::custom)?;
            self.0.ended.set(true);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct TypeForm {
    name: String,
    #[serde(default)]
    attributes: Vec<AttributeType>,
}

#[derive(Deserialize)]
struct AttributeType {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct ObjectForm {
    id: String,
    #[serde(rename = "type")]
    object_type: String,
    #[serde(default)]
    attributes: Vec<AttributeForm>,
    #[serde(default)]
    relationships: Vec<Relation>,
}

#[derive(Deserialize)]
struct EventForm {
    id: String,
    #[serde(rename = "type")]
    activity: String,
    time: String,
    #[serde(default)]
    attributes: Vec<AttributeForm>,
    #[serde(default)]
    relationships: Vec<Relation>,
}

#[derive(Deserialize)]
struct AttributeForm {
    name: String,
    #[serde(default)]
    value: Json,
    #[serde(default)]
    time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relation {
    object_id: String,
    #[serde(default)]
    qualifier: Option<String>,
}

fn object_type(reading: &Reading<'_, '_>, form: TypeForm) -> Result<(), String> {
    declare(reading, &object_table(&form.name), &OBJECT_COLUMNS, &form.attributes)
}

fn event_type(reading: &Reading<'_, '_>, form: TypeForm) -> Result<(), String> {
    declare(reading, EVENTS, &EVENT_COLUMNS, &form.attributes)
}

fn declare(reading: &Reading<'_, '_>, table: &str, ours: &[&str], attributes: &[AttributeType]) -> Result<(), String> {
    let columns = attributes.iter().map(|attribute| {
        let column_type = match attribute.kind.as_str() {
            "integer" => ColumnType::Integer,
            "float" => ColumnType::Float,
            "time" | "date" => ColumnType::Time,
            "boolean" => ColumnType::Boolean,
            _ => ColumnType::Text,
        };
        (aside(&attribute.name, ours), column_type)
    });
    // Ours stand in front, also where there is no row.
    let our_type = |name: &str| if name == "timestamp" { ColumnType::Time } else { ColumnType::Text };
    let columns: Vec<_> = ours.iter().map(|name| ((*name).to_owned(), our_type(name))).chain(columns).collect();
    reading
        .tell::<serde_json::Error>(Told::Declared { part: table, columns: &columns })
        .map_err(|error| error.to_string())
}

/// Returns the table of the objects of a type.
fn object_table(object_type: &str) -> String {
    let reserved = [EVENTS, EVENT_OBJECTS, OBJECT_OBJECTS, OBJECT_CHANGES];
    let clash = reserved.iter().any(|name| name.eq_ignore_ascii_case(object_type));
    if clash { format!("{object_type}_") } else { object_type.to_owned() }
}

/// Returns the column of an attribute, beside our own ones.
fn aside(name: &str, ours: &[&str]) -> String {
    let clash = ours.iter().any(|our| our.eq_ignore_ascii_case(name));
    if clash { format!("{name}_") } else { name.to_owned() }
}

fn object(reading: &Reading<'_, '_>, form: ObjectForm) -> Result<(), String> {
    let id = || Value::Text(form.id.clone());
    let mut first: Vec<(String, i64, Value)> = Vec::new();
    let mut changes = Vec::new();
    for attribute in &form.attributes {
        let micros = match &attribute.time {
            Some(time) => micros_of(time, || format!("attribute \"{}\" of object \"{}\"", attribute.name, form.id))?,
            None => 0,
        };
        let Some(value) = value_of(&attribute.value) else { continue };
        if micros != 0 {
            changes.push([
                ("object_id".to_owned(), id()),
                ("object_type".to_owned(), Value::Text(form.object_type.clone())),
                ("attribute".to_owned(), Value::Text(attribute.name.clone())),
                ("value".to_owned(), Value::Text(super::value::text(&value).into_owned())),
                ("timestamp".to_owned(), Value::Time(micros)),
            ]);
        }
        let name = aside(&attribute.name, &OBJECT_COLUMNS);
        match first.iter_mut().find(|(known, ..)| *known == name) {
            Some(known) if micros < known.1 => (known.1, known.2) = (micros, value),
            Some(_) => {}
            None => first.push((name, micros, value)),
        }
    }
    let mut fields = vec![("object_id".to_owned(), id())];
    fields.extend(first.into_iter().map(|(name, _, value)| (name, value)));
    tell(reading, &object_table(&form.object_type), &fields)?;
    for change in &changes {
        tell(reading, OBJECT_CHANGES, change)?;
    }
    for relation in &form.relationships {
        let mut fields =
            vec![("object_id".to_owned(), id()), ("related_id".to_owned(), Value::Text(relation.object_id.clone()))];
        fields.extend(qualifier(relation));
        tell(reading, OBJECT_OBJECTS, &fields)?;
    }
    Ok(())
}

fn event(reading: &Reading<'_, '_>, form: EventForm) -> Result<(), String> {
    let micros = micros_of(&form.time, || format!("event \"{}\"", form.id))?;
    let head = vec![
        ("event_id".to_owned(), Value::Text(form.id.clone())),
        ("activity".to_owned(), Value::Text(form.activity.clone())),
        ("timestamp".to_owned(), Value::Time(micros)),
    ];
    let mut fields = head.clone();
    for attribute in &form.attributes {
        let name = aside(&attribute.name, &EVENT_COLUMNS);
        if fields.iter().any(|(known, _)| *known == name) {
            return Err(format!("event \"{}\" states attribute \"{}\" twice", form.id, attribute.name));
        }
        fields.extend(value_of(&attribute.value).map(|value| (name, value)));
    }
    tell(reading, EVENTS, &fields)?;
    if form.relationships.is_empty() {
        reading.out.borrow_mut().notes.count("events touch no object");
    }
    for relation in &form.relationships {
        let mut fields = head.clone();
        fields.push(("object_id".to_owned(), Value::Text(relation.object_id.clone())));
        fields.extend(qualifier(relation));
        tell(reading, EVENT_OBJECTS, &fields)?;
    }
    Ok(())
}

fn tell(reading: &Reading<'_, '_>, table: &str, fields: &[Field]) -> Result<(), String> {
    reading.row::<serde_json::Error>(table, fields).map_err(|error| error.to_string())
}

fn qualifier(relation: &Relation) -> Option<Field> {
    let text = relation.qualifier.clone().filter(|text| !text.is_empty())?;
    Some(("qualifier".to_owned(), Value::Text(text)))
}

fn micros_of(time: &str, what: impl Fn() -> String) -> Result<i64, String> {
    read_iso(time.trim())
        .ok_or_else(|| format!("the time of {} is {time:?}, which is no ISO 8601 date and time", what()))
}

fn value_of(json: &Json) -> Option<Value> {
    match json {
        Json::Null => None,
        Json::String(text) if text.is_empty() => None,
        Json::String(text) => Some(Value::Loose(text.clone())),
        Json::Bool(value) => Some(Value::Boolean(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Some(Value::Integer(value)),
            None => number.as_f64().map(Value::Float),
        },
        // What is nested has no column of its own in this format.
        nested => Some(Value::Text(nested.to_string())),
    }
}
