//! What two texts of a flow differ in, module by module, for people who think
//! in modules and settings. Where a module stands on the canvas does not count.
//! Secrets that stand in a text are not shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::blueprint::{self, List, Placed, Spot};
use crate::literal::{self, Literal};

/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 200;
/// Keys of a module that hold other modules, or say where it is.
const ELSEWHERE: [&str; 2] = ["id", "onerror"];

/// What two texts differ in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FlowDifference {
    /// Settings of the flow as a whole.
    pub settings: Vec<FieldChange>,
    /// Modules, those that are there now in their order, then those that went.
    pub modules: Vec<ModuleChange>,
}

/// What became of a module.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleChange {
    /// Its id.
    pub module: u64,
    /// `app:Name`, as it is now.
    pub kind: String,
    /// The name that a person gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// What happened.
    pub change: Change,
    /// Where it stands now, or stood before it went, in words.
    pub place: String,
    /// Where it stood before, if it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub place_before: Option<String>,
    /// Settings that are other now.
    pub fields: Vec<FieldChange>,
}

/// What happened to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ModuleChangeKind)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It stands elsewhere, and may be another one too.
    Moved,
    /// It is another one.
    Changed,
}

/// A setting that is other now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FieldChange {
    /// Such as `mapper.headers[2].value`.
    pub field: String,
    /// What it was, as JSON; nothing if it was not there.
    #[schema(required = true)]
    pub before: Option<String>,
    /// What it is; nothing if it is not there.
    #[schema(required = true)]
    pub after: Option<String>,
}

impl FlowDifference {
    /// Tells whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.modules.is_empty()
    }
}

/// Compares two documents.
pub fn difference(before: &Json, after: &Json) -> FlowDifference {
    let secrets: Vec<Literal> = literal::find(before).into_iter().chain(literal::find(after)).collect();
    let (old, new) = (running(before), running(after));
    let stays = unmoved(&old, &new);
    let mut modules = Vec::new();
    for (place, (spot, node)) in new.iter().enumerate() {
        let change = |change, place_before, fields| ModuleChange {
            module: id_of(node),
            kind: text(node, "module"),
            label: label_of(node),
            change,
            place: in_words(spot, &new, place),
            place_before,
            fields,
        };
        let Some(at) = old.iter().position(|(_, other)| id_of(other) == id_of(node)) else {
            modules.push(change(Change::Added, None, Vec::new()));
            continue;
        };
        let (spot_before, node_before) = &old[at];
        let fields = fields(&own(node_before), &own(node), &secrets);
        if spot_before.list != spot.list || !stays.contains(&id_of(node)) {
            modules.push(change(Change::Moved, Some(in_words(spot_before, &old, at)), fields));
        } else if !fields.is_empty() {
            modules.push(change(Change::Changed, None, fields));
        }
    }
    for (place, (spot, node)) in old.iter().enumerate() {
        if new.iter().all(|(_, other)| id_of(other) != id_of(node)) {
            modules.push(ModuleChange {
                module: id_of(node),
                kind: text(node, "module"),
                label: label_of(node),
                change: Change::Removed,
                place: in_words(spot, &old, place),
                place_before: None,
                fields: Vec::new(),
            });
        }
    }
    FlowDifference { settings: fields(&around(before), &around(after), &secrets), modules }
}

/// Returns the modules that run.
fn running(document: &Json) -> Vec<Placed<'_>> {
    blueprint::modules(document).into_iter().filter(|(spot, _)| !spot.is_orphan).collect()
}

/// Finds the most modules that kept their order: the others have moved.
fn unmoved(old: &[Placed<'_>], new: &[Placed<'_>]) -> Vec<u64> {
    let before = |spot: &Spot, id: u64| old.iter().position(|(was, node)| id_of(node) == id && was.list == spot.list);
    let common: Vec<(u64, usize)> =
        new.iter().filter_map(|(spot, node)| Some((id_of(node), before(spot, id_of(node))?))).collect();
    // The longest rising sequence, kept as its length and what comes before.
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(common.len());
    for (place, (_, at)) in common.iter().enumerate() {
        let longest = (0..place).filter(|earlier| common[*earlier].1 < *at).max_by_key(|earlier| best[*earlier].0);
        best.push((longest.map_or(1, |earlier| best[earlier].0 + 1), longest));
    }
    let mut ids = Vec::new();
    let mut at = (0..best.len()).max_by_key(|place| best[*place].0);
    while let Some(place) = at {
        ids.push(common[place].0);
        at = best[place].1;
    }
    ids
}

fn id_of(node: &Map<String, Json>) -> u64 {
    node.get("id").and_then(Json::as_u64).unwrap_or_default()
}

fn text(node: &Map<String, Json>, key: &str) -> String {
    node.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn label_of(node: &Map<String, Json>) -> Option<String> {
    node.get("metadata")?.pointer("/designer/name")?.as_str().map(str::to_owned)
}

/// Returns what is a module's own: not the modules that hang on it, and not
/// where it is drawn.
fn own(node: &Map<String, Json>) -> Json {
    let mut own = node.clone();
    own.retain(|key, _| !ELSEWHERE.contains(&key.as_str()));
    if own.get("flow").is_some_and(Json::is_array) {
        own.shift_remove("flow");
    }
    for list in ["routes", "branches"] {
        if let Some(Json::Array(ways)) = own.get_mut(list) {
            for way in ways.iter_mut().filter_map(Json::as_object_mut) {
                way.shift_remove("flow");
            }
        }
    }
    if let Some(designer) = own.get_mut("metadata").and_then(|metadata| metadata.get_mut("designer"))
        && let Some(designer) = designer.as_object_mut()
    {
        designer.retain(|key, _| !["x", "y"].contains(&key.as_str()));
    }
    Json::Object(own)
}

/// Returns everything but the modules.
fn around(document: &Json) -> Json {
    let mut around = document.clone();
    if let Some(fields) = around.as_object_mut() {
        fields.shift_remove("flow");
    }
    around
}

fn fields(before: &Json, after: &Json, secrets: &[Literal]) -> Vec<FieldChange> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves(before, String::new(), &mut old);
    leaves(after, String::new(), &mut new);
    let shown = |field: &str, value: Option<&Json>| {
        let name = field.rsplit('.').next().unwrap_or_default();
        value.map(|value| match value {
            Json::String(text) => {
                let text = secrets.iter().fold(text.clone(), |text, secret| secret.masked_in(&text));
                let text = literal::masked_value(name, &text);
                let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                let cut = if cut.len() < text.len() { cut + "…" } else { cut };
                Json::String(cut).to_string()
            }
            other => other.to_string(),
        })
    };
    let all: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let is_other = |field: &&&String| old.get(**field) != new.get(**field);
    let change = |field: &String| FieldChange {
        field: field.clone(),
        before: shown(field, old.get(field).copied()),
        after: shown(field, new.get(field).copied()),
    };
    all.iter().filter(is_other).map(|field| change(field)).collect()
}

/// Takes a value apart down to what has nothing inside.
fn leaves<'a>(value: &'a Json, path: String, found: &mut BTreeMap<String, &'a Json>) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, path, found);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (place, value) in items.iter().enumerate() {
                leaves(value, format!("{path}[{}]", place + 1), found);
            }
        }
        leaf => {
            found.insert(path, leaf);
        }
    }
}

/// Says where a module stands.
fn in_words(spot: &Spot, all: &[Placed<'_>], place: usize) -> String {
    let list = match &spot.list {
        List::Flow => String::new(),
        List::Route(id, route) => format!("in route {} of module {id}", route + 1),
        List::Branch(id, branch) => format!("in branch {} of module {id}", branch + 1),
        List::OnError(id) => format!("in the error route of module {id}"),
        List::Body(id) => format!("inside module {id}"),
        List::Orphans(_) => "beside the flow".to_owned(),
    };
    let before =
        all[..place].iter().rev().find(|(other, _)| other.list == spot.list && other.position + 1 == spot.position);
    let order = match before {
        Some((_, before)) => format!("behind module {}", id_of(before)),
        None => "first".to_owned(),
    };
    if list.is_empty() { order } else { format!("{list}, {order}") }
}

/// What changed, a line each, as a person reads it.
impl fmt::Display for FlowDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            let (sign, ModuleChange { module: id, kind, place, .. }) = (module.change.sign(), module);
            let label = module.label.as_ref().map_or_else(String::new, |label| format!(" \"{label}\""));
            write!(f, "{sign} module {id}, {kind}{label}")?;
            match (&module.change, &module.place_before) {
                (Change::Added | Change::Removed, _) => writeln!(f, ": {}, {place}", module.change.word())?,
                (Change::Moved, Some(before)) => writeln!(f, ": moved here: {place}; before: {before}")?,
                _ => writeln!(f)?,
            }
            module.fields.iter().try_for_each(|field| writeln!(f, "    {field}"))?;
        }
        if !self.settings.is_empty() {
            writeln!(f, "~ the flow")?;
        }
        self.settings.iter().try_for_each(|field| writeln!(f, "    {field}"))
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FieldChange { field, before, after } = self;
        match (before, after) {
            (None, Some(after)) => write!(f, "{field}: {after} is new"),
            (Some(before), None) => write!(f, "{field}: {before} is gone"),
            (Some(before), Some(after)) => write!(f, "{field}: {before} → {after}"),
            (None, None) => write!(f, "{field}"),
        }
    }
}

impl Change {
    fn sign(self) -> char {
        match self {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Moved => '>',
            Change::Changed => '~',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Change::Added => "new",
            Change::Removed => "gone",
            Change::Moved => "moved",
            Change::Changed => "changed",
        }
    }
}

#[cfg(test)]
mod tests;
