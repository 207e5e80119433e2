//! XES: the XML in which process mining tools exchange event logs.
//!
//! A log becomes one table with one row per event, in the order of the file.
//! The rules:
//!
//! * An attribute of an event is a column of its name (`concept:name`,
//!   `time:timestamp`); one of its trace is a column with `case:` in front
//!   (`case:concept:name`).
//! * An attribute below an attribute, or in a container, is a column whose name
//!   is the path, with `/` between: `cost:total/currency`. A list is one text:
//!   a JSON array with an object of one field per item.
//! * A name that one event states twice is `name`, then `name#2`.
//! * A value that is empty is nothing. So is a number that is none (`NaN`).
//! * What a trace or an event lacks, and a global declares, has the global's
//!   value, unless that is one of the place holders that tools write:
//!   `__INVALID__`, 1970, an empty text, and any number or truth value.
//! * Extensions are not needed to read a log. Classifiers are noted.
//! * A trace without events has no row, and is counted.
//!
//! The file streams: one event is in memory at a time.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value as Json, json};

use crate::csv::{Charset, Refusal, read_boolean, read_iso};

use super::source::{BytesRead, CountedFile, SourceText};
use super::value::{Field, Value};
use super::{LogFile, LogNotes, Take, Told};

/// Elements that may stand inside each other.
const DEPTH_MAX: usize = 64;

/// Place holders of tools that know no default.
const NO_TEXTS: [&str; 2] = ["__INVALID__", ""];

/// Reads a log and hands out its rows.
pub(crate) fn read(
    file: &LogFile,
    progress: &BytesRead,
    notes: &mut LogNotes,
    take: &mut Take<'_>,
) -> Result<(), Refusal> {
    let opened = CountedFile::open(&file.path, progress).map_err(|error| file.refusal(&error))?;
    let charset = declared_charset(file)?;
    let text = SourceText::open(opened, charset).map_err(|error| file.refusal(&error))?;
    let mut reader = Reader::from_reader(text);
    reader.config_mut().expand_empty_elements = true;
    let log = Log::new(file, notes, take);
    log.read(reader)
}

/// Returns the charset that the XML declaration names.
fn declared_charset(file: &LogFile) -> Result<Option<Charset>, Refusal> {
    let head = super::format::Head::of(&file.path).map_err(|error| file.refusal(&error))?;
    let start = String::from_utf8_lossy(&head.bytes[..head.bytes.len().min(200)]).into_owned();
    let declaration = start.split_once("?>").map_or("", |(declaration, _)| declaration);
    let Some((_, encoding)) = declaration.split_once("encoding=") else { return Ok(None) };
    let Some(quote) = encoding.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { return Ok(None) };
    let name = encoding[1..].split(quote).next().unwrap_or_default();
    match Charset::of(name) {
        Some(charset) => Ok(Some(charset)),
        None => Err(file.refusal(&format!("its encoding \"{name}\" is not one of {}", Charset::NAMES))),
    }
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Log,
    Trace,
    Event,
    Global(Scope),
    Attribute(Kind),
    /// The items of a list.
    Values,
    /// Anything else; what is in it is skipped.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Trace,
    Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Time,
    Integer,
    Float,
    Boolean,
    List,
    Container,
}

/// An attribute with what is below it.
struct Attribute {
    kind: Kind,
    key: String,
    value: Option<Value>,
    children: Vec<Attribute>,
    /// The items of a list, where they stand apart from its attributes.
    items: Option<Vec<Attribute>>,
}

/// An element that is open.
struct Open {
    tag: Tag,
    line: u64,
    /// The attribute itself, where it is one.
    attribute: Option<Attribute>,
    /// Attributes that have ended below it.
    attributes: Vec<Attribute>,
}

struct Log<'a, 't> {
    file: &'a LogFile,
    notes: &'a mut LogNotes,
    take: &'a mut Take<'t>,
    open: Vec<Open>,
    /// Fields of the trace that is open.
    of_trace: Vec<Field>,
    trace_events: u64,
    trace_defaults: Vec<Field>,
    event_defaults: Vec<Field>,
    has_root: bool,
}

impl<'a, 't> Log<'a, 't> {
    fn new(file: &'a LogFile, notes: &'a mut LogNotes, take: &'a mut Take<'t>) -> Self {
        Log {
            file,
            notes,
            take,
            open: Vec::new(),
            of_trace: Vec::new(),
            trace_events: 0,
            trace_defaults: Vec::new(),
            event_defaults: Vec::new(),
            has_root: false,
        }
    }

    fn read(mut self, mut reader: Reader<SourceText>) -> Result<(), Refusal> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let place = reader.get_ref().place();
            let decoder = reader.decoder();
            let event = match reader.read_event_into(&mut buffer) {
                Ok(event) => event,
                Err(error) => {
                    let place = reader.get_ref().place();
                    return Err(self.refuse(place, &words(&error)));
                }
            };
            match event {
                Event::Start(start) => self.start(&start, decoder, place)?,
                Event::End(_) => {
                    let resets = self.end(place)?;
                    if resets {
                        reader.get_mut().next_element();
                    }
                }
                Event::Eof => return self.finish(reader.get_ref().place()),
                _ => {}
            }
        }
    }

    fn refuse(&self, (line, column): (u64, u64), detail: &str) -> Refusal {
        Refusal::Rows(format!("file \"{}\", line {line}, column {column}: {detail}", self.file.name))
    }

    fn start(
        &mut self,
        start: &BytesStart<'_>,
        decoder: quick_xml::encoding::Decoder,
        place: (u64, u64),
    ) -> Result<(), Refusal> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.refuse(place, &format!("more than {DEPTH_MAX} elements stand inside each other")));
        }
        let above = self.open.last().map(|open| open.tag);
        let name = start.local_name();
        let (mut key, mut value, mut scope) = (None, None, None);
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.refuse(place, &error.to_string()))?;
            let text = attribute.decode_and_unescape_value(decoder);
            let text = text.map_err(|error| self.refuse(place, &words(&error)))?;
            match attribute.key.as_ref() {
                b"key" => key = Some(text.into_owned()),
                b"value" | b"keys" => value = Some(text.into_owned()),
                b"scope" => scope = Some(text.into_owned()),
                b"name" if name.as_ref() == b"classifier" => key = Some(text.into_owned()),
                _ => {}
            }
        }
        let tag = tag_of(name.as_ref(), above, scope.as_deref());
        match tag {
            Tag::Log => self.has_root = true,
            Tag::Trace => self.begin_trace(),
            Tag::Event => self.settle_trace()?,
            Tag::Other if name.as_ref() == b"classifier" => {
                let (key, value) = (key.clone().unwrap_or_default(), value.clone().unwrap_or_default());
                self.notes.add(format!("classifier \"{key}\" names an activity by {value}"));
            }
            _ => {}
        }
        if above.is_none() && tag != Tag::Log {
            let name = String::from_utf8_lossy(name.as_ref()).into_owned();
            return Err(self.refuse(place, &format!("the root is <{name}>, where XES has <log>")));
        }
        let attribute = match tag {
            Tag::Attribute(kind) => Some(self.attribute(kind, key, value, place)?),
            _ => None,
        };
        self.open.push(Open { tag, line: place.0, attribute, attributes: Vec::new() });
        Ok(())
    }

    fn attribute(
        &self,
        kind: Kind,
        key: Option<String>,
        value: Option<String>,
        place: (u64, u64),
    ) -> Result<Attribute, Refusal> {
        let Some(key) = key.filter(|key| !key.trim().is_empty()) else {
            return Err(self.refuse(place, "an attribute has no key"));
        };
        let above = self.open.last().map(|open| open.tag);
        if above == Some(Tag::Trace) && self.trace_events > 0 {
            let detail = format!("attribute \"{key}\" of a trace stands behind its events: XES has it before them");
            return Err(self.refuse(place, &detail));
        }
        let given = value.unwrap_or_default();
        let value = value_of(kind, &given);
        let value = value.map_err(|what| {
            let shown: String = given.chars().take(60).collect();
            self.refuse(place, &format!("attribute \"{key}\": {shown:?} is not {what}"))
        })?;
        Ok(Attribute { kind, key, value, children: Vec::new(), items: None })
    }

    fn begin_trace(&mut self) {
        self.of_trace.clear();
        self.trace_events = 0;
    }

    /// Makes the fields of a trace, once its first event is there.
    fn settle_trace(&mut self) -> Result<(), Refusal> {
        let Some(trace) = self.open.last_mut().filter(|open| open.tag == Tag::Trace) else {
            self.of_trace.clear();
            return Ok(());
        };
        if self.trace_events == 0 {
            let attributes = std::mem::take(&mut trace.attributes);
            self.of_trace.clear();
            for attribute in &attributes {
                flatten("case:", attribute, &mut self.of_trace);
            }
            add_defaults(&mut self.of_trace, &self.trace_defaults);
            if !self.of_trace.iter().any(|(name, _)| name == "case:concept:name") {
                self.notes.count("traces have no concept:name; their events belong to no case");
            }
        }
        self.trace_events += 1;
        Ok(())
    }

    /// Closes an element; true where what was in it can be forgotten.
    fn end(&mut self, place: (u64, u64)) -> Result<bool, Refusal> {
        let Some(closed) = self.open.pop() else {
            return Err(self.refuse(place, "an element is closed that was not opened"));
        };
        match closed.tag {
            Tag::Attribute(_) => {
                let mut attribute = closed.attribute.expect("an attribute was opened");
                attribute.children = closed.attributes;
                if let Some(above) = self.open.last_mut()
                    && !matches!(above.tag, Tag::Log | Tag::Other)
                {
                    above.attributes.push(attribute);
                }
            }
            Tag::Values => {
                if let Some(list) = self.open.last_mut().and_then(|open| open.attribute.as_mut()) {
                    list.items.get_or_insert_default().extend(closed.attributes);
                }
            }
            Tag::Global(scope) => {
                let (prefix, defaults) = match scope {
                    Scope::Trace => ("case:", &mut self.trace_defaults),
                    Scope::Event => ("", &mut self.event_defaults),
                };
                for attribute in &closed.attributes {
                    flatten(prefix, attribute, defaults);
                }
                defaults.retain(|(_, value)| is_default(value));
            }
            Tag::Event => {
                let mut fields = self.of_trace.clone();
                let first = fields.len();
                for attribute in &closed.attributes {
                    flatten_after(first, "", attribute, &mut fields);
                }
                add_defaults(&mut fields, &self.event_defaults);
                (self.take)(Told::Row { part: "", fields: &fields, line: Some(closed.line) })?;
                return Ok(true);
            }
            Tag::Trace => {
                if self.trace_events == 0 {
                    self.notes.count("traces have no events, and so no rows");
                }
                return Ok(true);
            }
            Tag::Log => return Ok(true),
            Tag::Other => {}
        }
        // What stands in the log itself is not kept.
        Ok(self.open.len() == 1)
    }

    fn finish(self, place: (u64, u64)) -> Result<(), Refusal> {
        if let Some(open) = self.open.last() {
            let name = match open.tag {
                Tag::Log => "log",
                Tag::Trace => "trace",
                Tag::Event => "event",
                Tag::Global(_) => "global",
                Tag::Values => "values",
                Tag::Attribute(_) | Tag::Other => "element",
            };
            let detail = format!("the file ends inside <{name}>, which begins in line {}", open.line);
            return Err(self.refuse(place, &detail));
        }
        if !self.has_root {
            return Err(self.refuse(place, "there is no <log> in it"));
        }
        Ok(())
    }
}

fn tag_of(name: &[u8], above: Option<Tag>, scope: Option<&str>) -> Tag {
    match (name, above) {
        (b"log", None) => Tag::Log,
        (_, None | Some(Tag::Other)) => Tag::Other,
        (b"trace", Some(Tag::Log)) => Tag::Trace,
        // A log may hold events of no trace.
        (b"event", Some(Tag::Log | Tag::Trace)) => Tag::Event,
        (b"global", Some(Tag::Log)) if scope == Some("trace") => Tag::Global(Scope::Trace),
        (b"global", Some(Tag::Log)) => Tag::Global(Scope::Event),
        (b"values", Some(Tag::Attribute(Kind::List))) => Tag::Values,
        (b"string" | b"id", _) => Tag::Attribute(Kind::Text),
        (b"date", _) => Tag::Attribute(Kind::Time),
        (b"int", _) => Tag::Attribute(Kind::Integer),
        (b"float", _) => Tag::Attribute(Kind::Float),
        (b"boolean", _) => Tag::Attribute(Kind::Boolean),
        (b"list", _) => Tag::Attribute(Kind::List),
        (b"container", _) => Tag::Attribute(Kind::Container),
        _ => Tag::Other,
    }
}

/// Reads a value; the error says what it is not.
fn value_of(kind: Kind, text: &str) -> Result<Option<Value>, &'static str> {
    if kind == Kind::Text {
        return Ok(Some(text).filter(|text| !text.is_empty()).map(|text| Value::Text(text.to_owned())));
    }
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match kind {
        Kind::Text | Kind::List | Kind::Container => Ok(None),
        Kind::Time => read_iso(text)
            .map(|micros| Some(Value::Time(micros)))
            .ok_or("a date, such as 2026-02-03T09:15:00.000+01:00"),
        Kind::Integer => text.parse().map(|value| Some(Value::Integer(value))).map_err(|_| "a whole number"),
        Kind::Float => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(Value::Float(value))),
            Ok(_) => Ok(None),
            Err(_) => Err("a number"),
        },
        Kind::Boolean => {
            read_boolean(text).map(|value| Some(Value::Boolean(value))).ok_or("a truth value, true or false")
        }
    }
}

/// Tells whether a global says something that an event could have said.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Text(text) | Value::Loose(text) => !NO_TEXTS.contains(&text.as_str()),
        // In whatever zone the place holder's 1970 was written.
        Value::Time(micros) => micros.abs() > 24 * 3_600 * 1_000_000,
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => false,
    }
}

fn add_defaults(fields: &mut Vec<Field>, defaults: &[Field]) {
    for (name, value) in defaults {
        if !fields.iter().any(|(known, _)| known == name) {
            fields.push((name.clone(), value.clone()));
        }
    }
}

/// Makes fields of an attribute and of what is below it.
fn flatten(prefix: &str, attribute: &Attribute, fields: &mut Vec<Field>) {
    flatten_after(0, prefix, attribute, fields);
}

/// The same, where the fields before `first` are those of something else.
fn flatten_after(first: usize, prefix: &str, attribute: &Attribute, fields: &mut Vec<Field>) {
    let path = format!("{prefix}{}", attribute.key);
    let mut value = attribute.value.clone();
    let mut below = attribute.children.as_slice();
    if attribute.kind == Kind::List {
        let items = attribute.items.as_deref().unwrap_or_else(|| std::mem::take(&mut below));
        value = Some(Value::Text(Json::Array(items.iter().map(item).collect()).to_string()));
    }
    if let Some(value) = value {
        let mut name = path.clone();
        let mut count = 1;
        while fields[first..].iter().any(|(known, _)| *known == name) {
            count += 1;
            name = format!("{path}#{count}");
        }
        fields.push((name, value));
    }
    let prefix = format!("{path}/");
    for attribute in below {
        flatten_after(first, &prefix, attribute, fields);
    }
}

/// Writes an item of a list as JSON.
fn item(attribute: &Attribute) -> Json {
    let own = match &attribute.value {
        Some(Value::Integer(value)) => json!(value),
        Some(Value::Float(value)) => json!(value),
        Some(Value::Boolean(value)) => json!(value),
        Some(value) => json!(super::value::text(value)),
        None => Json::Null,
    };
    let below = attribute.items.iter().flatten().chain(&attribute.children);
    let below: Vec<Json> = below.map(item).collect();
    let mut object = Map::new();
    object.insert(attribute.key.clone(), if own.is_null() && !below.is_empty() { json!(below) } else { own.clone() });
    if !own.is_null() && !below.is_empty() {
        object.insert(format!("{}/", attribute.key), json!(below));
    }
    Json::Object(object)
}

/// Says what is wrong with the XML, without the words of the library for where.
fn words(error: &quick_xml::Error) -> String {
    let text = match error {
        quick_xml::Error::Io(error) => error.to_string(),
        error => format!("the XML is broken: {error}"),
    };
    text.strip_prefix("the XML is broken: syntax error: ")
        .map_or_else(|| text.clone(), |rest| format!("the XML is broken: {rest}"))
}
