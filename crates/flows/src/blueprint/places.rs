//! Where something stands in the text of a flow: line and column for a person,
//! bytes for whoever changes one word and leaves the rest as it was written.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// The places of a text.
pub struct Places<'a> {
    text: &'a str,
    tree: Spanned<Tree>,
}

/// A place for a person; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A text whose parts know where they stand.
enum Tree {
    Object(Vec<(Spanned<String>, Spanned<Tree>)>),
    List(Vec<Spanned<Tree>>),
    Scalar(String),
}

impl<'a> Places<'a> {
    /// Reads a text, YAML or JSON, which is YAML as well; nothing if it cannot
    /// be read.
    pub fn of(text: &'a str) -> Option<Self> {
        Some(Places { text, tree: serde_saphyr::from_str(text).ok()? })
    }

    /// Finds a field of a module, or what is next above it and there; of the
    /// whole flow if no module is given.
    pub fn place(&self, module: Option<u32>, field: Option<&str>) -> Option<Place> {
        let start = match module {
            Some(id) => module_of(&self.tree, &id.to_string())?,
            None => flow_of(&self.tree)?,
        };
        let mut at = start.defined;
        let mut tree = &start.value;
        for part in parts(field.unwrap_or_default()) {
            let Some((place, inside)) = tree.inside(&part) else { break };
            at = place;
            tree = &inside.value;
        }
        (at.line() > 0).then(|| Place { line: at.line(), column: at.column() })
    }

    /// Finds the bytes of a scalar of a module, with its quotes.
    pub fn scalar(&self, module: u32, field: &str) -> Option<Range<usize>> {
        let mut found = module_of(&self.tree, &module.to_string())?;
        for part in parts(field) {
            found = found.value.inside(&part)?.1;
        }
        let Tree::Scalar(_) = found.value else { return None };
        let span = found.defined.span();
        let (start, length) = span.byte_offset().zip(span.byte_len())?;
        let range = start as usize..(start + length) as usize;
        self.text.get(range.clone()).map(|_| range)
    }
}

impl Tree {
    fn inside(&self, part: &Part) -> Option<(Location, &Spanned<Tree>)> {
        match (self, part) {
            (Tree::Object(fields), Part::Name(name)) => {
                fields.iter().find(|(known, _)| known.value == *name).map(|(key, value)| (key.defined, value))
            }
            (Tree::List(items), Part::Index(index)) => {
                items.get(index.checked_sub(1)?).map(|item| (item.defined, item))
            }
            _ => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Spanned<Tree>> {
        self.inside(&Part::Name(name.to_owned())).map(|(_, value)| value)
    }

    fn is(&self, text: &str) -> bool {
        matches!(self, Tree::Scalar(scalar) if scalar == text)
    }
}

enum Part {
    Name(String),
    Index(usize),
}

/// Takes `mapper.headers[2].value` apart.
fn parts(field: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for word in field.split('.').filter(|word| !word.is_empty()) {
        let mut rest = word.split('[');
        parts.extend(rest.next().filter(|name| !name.is_empty()).map(|name| Part::Name(name.to_owned())));
        parts.extend(rest.filter_map(|index| index.strip_suffix(']')?.parse().ok()).map(Part::Index));
    }
    parts
}

/// Finds the module with an id, wherever it stands.
fn module_of<'a>(tree: &'a Spanned<Tree>, id: &str) -> Option<&'a Spanned<Tree>> {
    match &tree.value {
        Tree::Object(fields) => {
            let is_it =
                tree.value.get("module").is_some() && tree.value.get("id").is_some_and(|known| known.value.is(id));
            if is_it {
                return Some(tree);
            }
            fields.iter().find_map(|(_, value)| module_of(value, id))
        }
        Tree::List(items) => items.iter().find_map(|item| module_of(item, id)),
        Tree::Scalar(_) => None,
    }
}

/// Finds the document inside its container.
fn flow_of(tree: &Spanned<Tree>) -> Option<&Spanned<Tree>> {
    let Tree::Object(fields) = &tree.value else { return None };
    if tree.value.get("flow").is_some() {
        return Some(tree);
    }
    fields.iter().find_map(|(_, value)| flow_of(value))
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Grow)
    }
}

struct Grow;

impl<'de> Visitor<'de> for Grow {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flow")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(String::new()))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(String::new()))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Tree::Object(object))
    }
}
