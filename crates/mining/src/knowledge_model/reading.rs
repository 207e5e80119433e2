//! From a tree to a model: every key, and all mistakes.

use std::collections::HashSet;

use base::Timestamp;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::{
    About, Action, Anomaly, Attribute, AttributeKind, Base, ColumnType, DataTrigger, Direction, EventLogText, Filter,
    KnowledgeModel, Kpi, Metadata, Parameter, Record, Source, Target, TriggerText, Variable, refused,
};
use crate::Error;
use crate::model_form::{Object, Reading, join};
use crate::tree::{Tree, first_line};

const COLUMN_TYPES: [(&str, ColumnType); 10] = [
    ("string", ColumnType::String),
    ("integer", ColumnType::Integer),
    ("int", ColumnType::Integer),
    ("float", ColumnType::Float),
    ("number", ColumnType::Number),
    ("boolean", ColumnType::Boolean),
    ("date", ColumnType::Date),
    ("time", ColumnType::Time),
    ("datetime", ColumnType::Datetime),
    ("timestamp", ColumnType::Timestamp),
];

/// Characters of a short name at most.
const SHORT_NAME_MAX: usize = 20;

/// Reads a text, laid over those that it extends.
pub(super) fn read(source: &Source) -> Result<KnowledgeModel, Error> {
    let own = Tree::parse(&source.text)?;
    let at_base = own.value.get("base").map_or(own.referenced, |base| base.referenced);
    let mut tree = own.value.clone();
    for base in &source.bases {
        tree = inherited(Tree::parse(base)?.value, at_base).extended_by(tree);
    }
    let tree = Spanned::new(tree, own.referenced, own.defined);
    let mut reading = Reading::default();
    let mut switched_off = HashSet::new();
    let model = Object::new(&tree, "");
    let is_extension = reading.one_of(model, "kind", &[("BASE", false), ("EXTENSION", true)]).unwrap_or(false);
    let base = reading.object(model, "base", base);
    let metadata_key = if tree.value.get("metadata").is_some() { "metadata" } else { "Metadata" };
    heading(&mut reading, model, metadata_key, base.as_ref(), is_extension);
    let metadata = reading.object(model, metadata_key, metadata);
    let data_model_id = if is_extension && source.bases.is_empty() {
        reading.text(model, "dataModelId").or_else(|| Some(Spanned::new(String::new(), model.at, model.at)))
    } else {
        reading.needed(model, "dataModelId")
    };
    let off = &mut switched_off;
    let variables = reading.list(model, "variables", |reading, object, _| {
        let value = reading.word(object, "value").unwrap_or_default();
        with_id(reading, object, "variable", off, |_, id| Some(Variable { id, value }))
    });
    let records = reading.list(model, "records", |reading, object, path| record(reading, object, path, off));
    let filters = reading.list(model, "filters", |reading, object, path| filter(reading, object, path, off));
    let kpis = reading.list(model, "kpis", |reading, object, path| kpi(reading, object, path, off));
    let event_logs = reading.list(model, "eventLogs", |reading, object, _| event_log(reading, object, off));
    for second in event_logs.iter().filter(|log| log.is_default).skip(1) {
        let path = format!("eventLogs.{}", second.id.value);
        reading.mistake(&path, second.id.referenced, "a second event log is the default; leave one");
    }
    let event_log_references = reading.object(model, "eventLogsMetadata", event_logs_metadata).unwrap_or_default();
    let anomalies = reading.list(model, "anomalies", |reading, object, _| anomaly(reading, object, off));
    let actions = reading.list(model, "actions", |reading, object, _| action(reading, object, off));
    reading.list(model, "activities", |reading, object, _| {
        reading.text(object, "value");
        with_id(reading, object, "activity", off, |_, id| Some(id))
    });
    let triggers = triggers(&mut reading, source, model, at_base, off);
    let (Some(metadata), Some(data_model_id)) = (metadata, data_model_id) else {
        return Err(refused("?", reading.mistakes));
    };
    let model = KnowledgeModel {
        metadata,
        base,
        data_model_id,
        variables,
        records,
        filters,
        kpis,
        event_logs,
        event_log_references,
        anomalies,
        actions,
        triggers,
        switched_off,
    };
    doubles(&mut reading, &model);
    if reading.mistakes.is_empty() { Ok(model) } else { Err(refused(&model.metadata.key.value, reading.mistakes)) }
}

/// What is switched off: kind and id, in upper case.
type Off = HashSet<(&'static str, String)>;

/// Notes what is wrong with the first lines of a model: what it is, what it
/// extends, how it is called.
fn heading(reading: &mut Reading, model: Object<'_>, metadata_key: &str, base: Option<&Base>, is_extension: bool) {
    match (base, is_extension) {
        (None, true) => {
            let detail = "an EXTENSION says what it extends; write base: { key: PACKAGE.KEY }";
            reading.mistake("base", model.at, detail);
        }
        (Some(base), false) => {
            reading.mistake("base", base.key.referenced, "only a model of kind: EXTENSION has a base; write that");
        }
        _ => {}
    }
    if !model.has(metadata_key) {
        reading.mistake("metadata", model.at, "the key \"metadata\" is missing; write metadata: { key: KEY }");
    }
}

fn filter(reading: &mut Reading, object: Object<'_>, path: &str, off: &mut Off) -> Option<Filter> {
    with_id(reading, object, "filter", off, |reading, id| {
        Some(Filter {
            about: about(reading, object, path),
            pql: reading.needed(object, "pql")?,
            filter_ids: reading.texts(object, "filterIds"),
            global: reading.truth(object, "global"),
            id,
        })
    })
}

fn event_log(reading: &mut Reading, object: Object<'_>, off: &mut Off) -> Option<EventLogText> {
    with_id(reading, object, "event log", off, |reading, id| {
        Some(EventLogText {
            pql: reading.needed(object, "pql")?,
            record_id: reading.text(object, "recordId"),
            is_default: reading.truth(object, "defaultEventLog"),
            id,
        })
    })
}

fn anomaly(reading: &mut Reading, object: Object<'_>, off: &mut Off) -> Option<Anomaly> {
    with_id(reading, object, "anomaly", off, |reading, id| {
        let mut kpi_ids = reading.texts(object, "kpiIds");
        kpi_ids.extend(reading.list(object, "kpis", |reading, object, _| reading.needed(object, "kpiId")));
        Some(Anomaly { id, kpi_ids })
    })
}

fn action(reading: &mut Reading, object: Object<'_>, off: &mut Off) -> Option<Action> {
    with_id(reading, object, "action", off, |reading, id| {
        let inputs = reading.list(object, "inputs", |reading, object, _| {
            let name = reading.needed(object, "name");
            Some((name?, reading.needed(object, "attribute")?))
        });
        let about = about(reading, object, &format!("actions.{}", id.value));
        Some(Action {
            id,
            about,
            flow: reading.word(object, "skillKey"),
            records: reading.texts(object, "records"),
            filters: reading.texts(object, "filters"),
            inputs,
        })
    })
}

/// Reads key and name alone.
pub(super) fn head(tree: &Spanned<Tree>) -> Option<Metadata> {
    let mut reading = Reading::default();
    let key = if tree.value.get("metadata").is_some() { "metadata" } else { "Metadata" };
    reading.object(Object::new(tree, ""), key, metadata)
}

/// Reads what a text extends, and nothing else.
pub(super) fn base_of(tree: &Spanned<Tree>) -> Option<Base> {
    Reading::default().object(Object::new(tree, ""), "base", base)
}

fn metadata(reading: &mut Reading, object: Object<'_>, _: &str) -> Option<Metadata> {
    let key = reading.needed(object, "key")?;
    // What an author calls a version is looked for in the versions' texts.
    reading.text(object, "version");
    Some(Metadata { key, display_name: reading.word(object, "displayName") })
}

/// Takes from a base what an extension inherits. It stands where the extension
/// names its base: there is the line that can be changed.
fn inherited(base: Tree, at: Location) -> Tree {
    let Tree::Object(mut entries) = base else { return base };
    entries.retain(|(key, _)| !matches!(key.value.as_str(), "kind" | "base" | "metadata" | "Metadata"));
    Tree::Object(entries).moved_to(at)
}

fn base(reading: &mut Reading, object: Object<'_>, _: &str) -> Option<Base> {
    let key = reading.needed(object, "key")?;
    Some(Base { key, version: reading.word(object, "version") })
}

/// Reads an object with an id; one that is switched off is checked, noted and
/// left out.
fn with_id<T>(
    reading: &mut Reading,
    object: Object<'_>,
    kind: &'static str,
    off: &mut Off,
    read: impl FnOnce(&mut Reading, Spanned<String>) -> Option<T>,
) -> Option<T> {
    let is_off = reading.one_of(object, "scope", &[("ENABLED", false), ("DISABLED", true)]).unwrap_or(false);
    let id = reading.needed(object, "id")?;
    let name = id.value.to_uppercase();
    let read = read(reading, id);
    if is_off {
        off.insert((kind, name));
        return None;
    }
    read
}

fn about(reading: &mut Reading, object: Object<'_>, path: &str) -> About {
    let short = reading.text(object, "shortDisplayName");
    if let Some(short) = short.as_ref().filter(|short| short.value.chars().count() > SHORT_NAME_MAX) {
        let detail = format!("\"{}\" is longer than {SHORT_NAME_MAX} characters; shorten it", short.value);
        reading.mistake(&join(path, "shortDisplayName"), short.referenced, detail);
    }
    About {
        display_name: reading.word(object, "displayName"),
        short_display_name: short.map(|short| short.value),
        description: reading.word(object, "description"),
        internal_note: reading.word(object, "internalNote"),
    }
}

fn record(reading: &mut Reading, object: Object<'_>, path: &str, off: &mut Off) -> Option<Record> {
    let mut attributes = Vec::new();
    let mut attributes_off = HashSet::new();
    for (key, kind) in [
        ("attributes", AttributeKind::Plain),
        ("newAttributes", AttributeKind::Plain),
        ("augmentedAttributes", AttributeKind::Augmented),
        ("flags", AttributeKind::Flag),
        ("priorities", AttributeKind::Priority),
    ] {
        attributes
            .extend(reading.list(object, key, |reading, object, path| {
                attribute(reading, object, path, kind, &mut attributes_off)
            }));
    }
    let mut triggers_off = HashSet::new();
    let data_triggers = reading.list(object, "dataTriggers", |reading, object, _| {
        with_id(reading, object, "trigger", &mut triggers_off, |reading, id| {
            let display_name = reading.word(object, "displayName");
            Some(DataTrigger { id, display_name, filter_ids: reading.texts(object, "filterIds") })
        })
    });
    let has_identifier = reading.object(object, "identifier", |_, _, _| Some(())).is_some();
    let identifier = reading.object(object, "identifier", |reading, object, path| {
        attribute(reading, object, path, AttributeKind::Identifier, &mut attributes_off)
    });
    let record = with_id(reading, object, "record", off, |reading, id| {
        let about = about(reading, object, path);
        let pql = reading.needed(object, "pql");
        if !has_identifier {
            let detail = "the key \"identifier\" is missing; write identifier: { id: ID, pql: '\"TABLE\".\"KEY\"' }";
            reading.mistake(path, id.referenced, detail);
        }
        let display_name = about.display_name.clone();
        let filter_ids = reading.texts(object, "filterIds");
        Some(Record {
            id,
            display_name,
            about,
            pql: pql?,
            identifier: identifier?,
            filter_ids,
            attributes,
            data_triggers,
        })
    });
    if let Some(record) = &record {
        off.extend(
            attributes_off.into_iter().map(|(kind, id)| (kind, format!("{}.{id}", record.id.value.to_uppercase()))),
        );
        off.extend(triggers_off);
    }
    record
}

fn attribute(
    reading: &mut Reading,
    object: Object<'_>,
    path: &str,
    kind: AttributeKind,
    off: &mut Off,
) -> Option<Attribute> {
    let column_type = reading.one_of(object, "columnType", &COLUMN_TYPES);
    let column_type = column_type.zip(reading.text(object, "columnType"));
    let column_type = column_type.map(|(value, text)| Spanned::new(value, text.referenced, text.defined));
    with_id(reading, object, "attribute", off, |reading, id| {
        let about = about(reading, object, path);
        // What is kept beside the data is here its default, or nothing.
        let pql = match reading.text(object, "defaultValue") {
            _ if kind != AttributeKind::Augmented || object_has(reading, object, "pql") => {
                reading.needed(object, "pql")?
            }
            Some(value) => {
                let is_text = !matches!(column_type.as_ref().map(|given| given.value), Some(given) if given != ColumnType::String);
                let pql = if is_text { format!("'{}'", value.value.replace('\'', "''")) } else { value.value };
                Spanned::new(pql, value.referenced, value.defined)
            }
            None => Spanned::new("NULL".to_owned(), object.at, object.at),
        };
        Some(Attribute {
            display_name: about.display_name.clone(),
            about,
            kind,
            written: pql.clone(),
            pql,
            filter_ids: reading.texts(object, "filterIds"),
            column_type,
            unit: reading.word(object, "unit"),
            format: reading.word(object, "format"),
            id,
        })
    })
}

fn object_has(reading: &mut Reading, object: Object<'_>, key: &str) -> bool {
    reading.text(object, key).is_some()
}

fn kpi(reading: &mut Reading, object: Object<'_>, path: &str, off: &mut Off) -> Option<Kpi> {
    let parameters = reading.list(object, "parameters", |reading, object, _| {
        const TYPES: [(&str, bool); 5] =
            [("VARIABLE", false), ("TABLE", false), ("INTEGER", false), ("TEXT", true), ("PQL", false)];
        Some(Parameter {
            id: reading.needed(object, "id")?,
            display_name: reading.word(object, "displayName"),
            default_value: reading.text(object, "defaultValue"),
            is_text: reading.one_of(object, "type", &TYPES).unwrap_or(false),
        })
    });
    let targets = reading.list(object, "targets", |reading, object, path| {
        let value = reading.needed(object, "value")?;
        if value.value.parse::<f64>().is_err() {
            reading.mistake(&join(path, "value"), value.referenced, format!("\"{}\" is not a number", value.value));
        }
        let from = instant(reading, object, "dateFrom", path);
        Some(Target { value: value.value, from, until: instant(reading, object, "dateUntil", path) })
    });
    const DIRECTIONS: [(&str, Direction); 4] = [
        ("INCREASE", Direction::Increase),
        ("DECREASE", Direction::Decrease),
        ("NEUTRAL", Direction::Neutral),
        ("NONE", Direction::None),
    ];
    with_id(reading, object, "KPI", off, |reading, id| {
        let pql = reading.needed(object, "pql")?;
        Some(Kpi {
            about: about(reading, object, path),
            written: pql.clone(),
            open: pql.clone(),
            pql,
            filter_ids: reading.texts(object, "filterIds"),
            unit: reading.word(object, "unit"),
            format: reading.word(object, "format"),
            parameters,
            targets,
            desired_direction: reading.one_of(object, "desiredDirection", &DIRECTIONS).unwrap_or_default(),
            id,
        })
    })
}

fn instant(reading: &mut Reading, object: Object<'_>, key: &str, path: &str) -> Option<Timestamp> {
    let text = reading.text(object, key)?;
    let millis = crate::data::instant(&text.value);
    if millis.is_none() {
        let detail = format!("\"{}\" is not a date such as 2026-02-01 or 2026-02-01T08:00:00Z", text.value);
        reading.mistake(&join(path, key), text.referenced, detail);
    }
    millis.map(Timestamp::from_millis)
}

fn event_logs_metadata(reading: &mut Reading, object: Object<'_>, _: &str) -> Option<Vec<Spanned<String>>> {
    const TYPES: [(&str, ()); 2] = [("INTERLEAVED", ()), ("NON_INTERLEAVED", ())];
    let mut ids = reading.list(object, "transitions", |reading, object, _| {
        reading.one_of(object, "type", &TYPES);
        let first = reading.needed(object, "firstEventLogId");
        Some(vec![first?, reading.needed(object, "secondEventLogId")?])
    });
    ids.extend(reading.list(object, "eventLogs", |reading, object, _| {
        Some(reading.text(object, "eventLogId").or_else(|| reading.text(object, "id")).into_iter().collect())
    }));
    Some(ids.into_iter().flatten().collect())
}

/// Reads the triggers of all texts, the nearest first: a trigger is overridden
/// as a whole.
fn triggers(
    reading: &mut Reading,
    source: &Source,
    model: Object<'_>,
    at_base: Location,
    off: &mut Off,
) -> Vec<TriggerText> {
    #[derive(Deserialize)]
    struct Triggers {
        triggers: Option<Vec<TriggerText>>,
    }
    let mut all: Vec<TriggerText> = Vec::new();
    for (place, text) in std::iter::once(&source.text).chain(&source.bases).enumerate() {
        let read = match serde_saphyr::from_str::<Triggers>(text) {
            Ok(read) => read.triggers.unwrap_or_default(),
            Err(error) => {
                let line = error.location().map_or(1, |place| place.line());
                let detail = first_line(&error.to_string());
                reading.mistakes.push(crate::error::ModelMistake { path: "triggers".to_owned(), line, detail });
                continue;
            }
        };
        for mut trigger in read {
            if place > 0 {
                if all.iter().any(|known| known.id.value.eq_ignore_ascii_case(&trigger.id.value)) {
                    continue;
                }
                let named = [&mut trigger.id, &mut trigger.record].into_iter();
                for text in named.chain(&mut trigger.filter_ids).chain(&mut trigger.outputs) {
                    (text.referenced, text.defined) = (at_base, at_base);
                }
            }
            all.push(trigger);
        }
    }
    let mut triggers_off = HashSet::new();
    // The whole tree, base and extension, says which of them are switched off.
    let mut scopes = Reading::default();
    scopes.list(model, "triggers", |reading, object, _| {
        with_id(reading, object, "trigger", &mut triggers_off, |_, _| Some(()))
    });
    let of_scope = |path: &str| path.rsplit_once('.').is_some_and(|(_, key)| key == "scope");
    reading.mistakes.extend(scopes.mistakes.into_iter().filter(|mistake| of_scope(&mistake.path)));
    all.retain(|trigger| !triggers_off.contains(&("trigger", trigger.id.value.to_uppercase())));
    off.extend(triggers_off);
    all
}

fn doubles(reading: &mut Reading, model: &KnowledgeModel) {
    let data_triggers = model.records.iter().flat_map(|record| &record.data_triggers);
    let triggers = model.triggers.iter().map(|one| &one.id).chain(data_triggers.map(|one| &one.id));
    let lists: [(&str, &str, Vec<&Spanned<String>>); 8] = [
        ("variable", "variables", model.variables.iter().map(|one| &one.id).collect()),
        ("record", "records", model.records.iter().map(|one| &one.id).collect()),
        ("filter", "filters", model.filters.iter().map(|one| &one.id).collect()),
        ("KPI", "kpis", model.kpis.iter().map(|one| &one.id).collect()),
        ("event log", "eventLogs", model.event_logs.iter().map(|one| &one.id).collect()),
        ("anomaly", "anomalies", model.anomalies.iter().map(|one| &one.id).collect()),
        ("action", "actions", model.actions.iter().map(|one| &one.id).collect()),
        ("trigger", "triggers", triggers.collect()),
    ];
    for (kind, key, ids) in lists {
        double(reading, kind, key, ids);
    }
    for record in &model.records {
        let path = format!("records.{}", record.id.value);
        double(reading, "attribute", &path, record.all_attributes().map(|attribute| &attribute.id));
    }
}

fn double<'a>(reading: &mut Reading, kind: &str, path: &str, ids: impl IntoIterator<Item = &'a Spanned<String>>) {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id.value.to_uppercase()) {
            let detail = format!("there is a second {kind} \"{}\"; rename one", id.value);
            reading.mistake(&join(path, &id.value), id.referenced, detail);
        }
    }
}
