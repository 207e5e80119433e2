//! Moving secrets out of a text.

use serde_json::{Map, Value as Json, json};

use super::{Home, Literal, Site};
use crate::connection::{ConnectionSpec, Credentials};

/// What moving came to.
pub struct Moved {
    /// The document without the secrets.
    pub document: Json,
    /// Connections to make, each with what was moved into it.
    pub connections: Vec<(String, ConnectionSpec, Vec<Literal>)>,
    /// Secrets that stay where they are.
    pub left: Vec<Literal>,
}

/// Moves every secret that can move into connections: the first is called
/// `name`, others `name-2` and so on. The same secret in several modules
/// becomes one connection.
pub fn move_into_connections(document: &Json, name: &str) -> Moved {
    let mut moved = Moved { document: document.clone(), connections: Vec::new(), left: Vec::new() };
    let mut sites: Vec<(Site, String)> = Vec::new();
    for literal in super::find(document) {
        let (Home::Connection(kind), Some(credentials)) = (&literal.home, &literal.credentials) else {
            moved.left.push(literal);
            continue;
        };
        let is_taken = |site: &&Site| sites.iter().any(|(known, _)| known.module() == site.module());
        let senders =
            literal.sites.iter().filter(|site| !matches!(site, Site::Field { field, .. } if is_variable(field)));
        if senders.clone().any(|site| is_taken(&site)) {
            // A module sends one connection only.
            moved.left.push(Literal {
                home: Home::Nowhere("the module gets another connection already: take this one out by hand".into()),
                ..literal
            });
            continue;
        }
        let known = moved.connections.iter().position(|(_, spec, of)| {
            spec.kind == *kind && of.iter().any(|other| other.secret.expose() == literal.secret.expose())
        });
        let place = known.unwrap_or_else(|| {
            let number = moved.connections.len() + 1;
            let name = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            moved.connections.push((name, spec_of(kind, credentials.clone()), Vec::new()));
            number - 1
        });
        let (name, _, of) = &mut moved.connections[place];
        sites.extend(literal.sites.iter().map(|site| (site.clone(), name.clone())));
        of.push(literal);
    }
    // From the back, so that entries of a list keep their places until then.
    sites.sort_by_key(|(site, _)| std::cmp::Reverse(site.index()));
    for (site, name) in &sites {
        take_out(&mut moved.document, site, name);
    }
    moved
}

fn spec_of(kind: &str, credentials: Credentials) -> ConnectionSpec {
    ConnectionSpec { kind: kind.to_owned(), credentials, origin: None, expires_at: None, imported_ids: Vec::new() }
}

/// Tells whether a field is that of a variable, and not of a request.
fn is_variable(field: &str) -> bool {
    field.starts_with("variables/") || field == "value"
}

impl Site {
    /// Returns the pointer of the module from which something is taken out.
    pub(super) fn module(&self) -> &str {
        match self {
            Site::Entry { module, .. } | Site::Query { module, .. } | Site::Field { module, .. } => module,
        }
    }

    fn index(&self) -> usize {
        match self {
            Site::Entry { index, .. } => *index,
            _ => 0,
        }
    }
}

fn take_out(document: &mut Json, site: &Site, connection: &str) {
    let Some(node) = document.pointer_mut(site.module()) else { return };
    match site {
        Site::Entry { list, index, .. } => {
            if let Some(Json::Array(entries)) = node["mapper"].get_mut(list)
                && *index < entries.len()
            {
                entries.remove(*index);
            }
        }
        Site::Query { parameter, .. } => {
            if let Some(url) = node["mapper"]["url"].as_str() {
                node["mapper"]["url"] = without(url, parameter).into();
            }
        }
        Site::Field { field, .. } => {
            if let Some(value) = node.pointer_mut(&format!("/mapper/{field}")) {
                *value = Json::String(String::new());
            }
            if is_variable(field) {
                return;
            }
        }
    }
    if !node["parameters"].is_object() {
        node["parameters"] = Json::Object(Map::new());
    }
    node["parameters"]["connection"] = json!(connection);
}

/// Returns an address without a parameter of its query.
fn without(url: &str, parameter: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let is_other = |pair: &&str| pair.split_once('=').is_none_or(|(name, _)| name != parameter);
    let rest: Vec<&str> = query.split('&').filter(is_other).collect();
    if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) }
}
