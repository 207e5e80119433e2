//! All modules of a document, wherever they stand, also of one that cannot be
//! compiled.

use serde_json::{Map, Value as Json};

/// Where a module stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Its JSON pointer, such as `/flow/0/routes/1/flow/2`.
    pub pointer: String,
    /// Its place in its list; the first is 0.
    pub position: usize,
    /// What its list is.
    pub list: List,
    /// It is, or is inside, an error route.
    pub handles: bool,
    /// It is inside a branch of an if-else.
    pub in_branch: bool,
    /// It lies beside the flow, and is never run.
    pub is_orphan: bool,
}

/// What a list of modules is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// The flow itself.
    Flow,
    /// The route of the router with this id; the first is 0.
    Route(u64, usize),
    /// The branch of the if-else with this id.
    Branch(u64, usize),
    /// The error route of the module with this id.
    OnError(u64),
    /// The body of the repeat-until with this id.
    Body(u64),
    /// One of the pieces beside the flow.
    Orphans(usize),
}

impl Spot {
    /// Tells whether it is what begins the flow.
    pub fn is_first(&self) -> bool {
        self.list == List::Flow && self.position == 0
    }
}

/// A module and where it stands.
pub type Placed<'a> = (Spot, &'a Map<String, Json>);

/// Returns all modules in the order of the text; those beside the flow last.
pub fn modules(document: &Json) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    let outside = Spot {
        pointer: "/flow".into(),
        position: 0,
        list: List::Flow,
        handles: false,
        in_branch: false,
        is_orphan: false,
    };
    list(&document["flow"], &outside, &mut found);
    let orphans = document.pointer("/metadata/designer/orphans").and_then(Json::as_array);
    for (place, piece) in orphans.into_iter().flatten().enumerate() {
        let pointer = format!("/metadata/designer/orphans/{place}");
        let spot = Spot { pointer, list: List::Orphans(place), is_orphan: true, ..outside.clone() };
        list(piece, &spot, &mut found);
    }
    found
}

fn list<'a>(nodes: &'a Json, at: &Spot, found: &mut Vec<Placed<'a>>) {
    for (position, node) in nodes.as_array().into_iter().flatten().enumerate() {
        let Some(node) = node.as_object() else { continue };
        let spot = Spot { pointer: format!("{}/{position}", at.pointer), position, ..at.clone() };
        found.push((spot.clone(), node));
        let id = node.get("id").and_then(Json::as_u64).unwrap_or_default();
        let inside = |key: &str| Spot { pointer: format!("{}/{key}", spot.pointer), ..spot.clone() };
        for (place, route) in each(node, "routes") {
            let spot = inside(&format!("routes/{place}/flow"));
            list(&route["flow"], &Spot { list: List::Route(id, place), ..spot }, found);
        }
        for (place, branch) in each(node, "branches") {
            let spot = inside(&format!("branches/{place}/flow"));
            list(&branch["flow"], &Spot { list: List::Branch(id, place), in_branch: true, ..spot }, found);
        }
        let body = Spot { list: List::Body(id), ..inside("flow") };
        list(node.get("flow").unwrap_or(&Json::Null), &body, found);
        let handler = Spot { list: List::OnError(id), handles: true, ..inside("onerror") };
        list(node.get("onerror").unwrap_or(&Json::Null), &handler, found);
    }
}

fn each<'a>(node: &'a Map<String, Json>, key: &str) -> impl Iterator<Item = (usize, &'a Json)> {
    node.get(key).and_then(Json::as_array).into_iter().flatten().enumerate()
}

/// Calls `visit` for each text inside a value, with its path such as
/// `headers[2].value`.
pub fn texts<'a>(value: &'a Json, path: &str, visit: &mut dyn FnMut(&str, &'a str)) {
    match value {
        Json::String(text) => visit(path, text),
        Json::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                texts(item, &format!("{path}[{}]", place + 1), visit);
            }
        }
        Json::Object(fields) => {
            for (name, item) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                texts(item, &path, visit);
            }
        }
        _ => {}
    }
}
