//! A text in YAML before anything is expected of it: objects, lists and
//! scalars, each with its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::Error;

/// YAML of any shape, whose parts know where they stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Object(Vec<(Spanned<String>, Spanned<Tree>)>),
    List(Vec<Spanned<Tree>>),
    /// As text; nothing is the empty text.
    Scalar(String),
}

impl Tree {
    /// Reads a text; a mistake is told with its place.
    pub(crate) fn parse(text: &str) -> Result<Spanned<Tree>, Error> {
        let tree: Spanned<Tree> = serde_saphyr::from_str(text).map_err(|error| not_yaml(&error))?;
        Ok(as_written(tree, text))
    }

    /// Returns what stands below a key of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Spanned<Tree>> {
        let Tree::Object(entries) = self else { return None };
        entries.iter().find(|(known, _)| known.value == key).map(|(_, value)| value)
    }

    /// Returns a scalar that is not empty.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Tree::Scalar(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Returns the id of an object.
    pub(crate) fn id(&self) -> Option<&str> {
        self.get("id")?.value.text()
    }

    /// Tells whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Tree::Object(entries) => entries.is_empty(),
            Tree::List(items) => items.is_empty(),
            Tree::Scalar(text) => text.is_empty(),
        }
    }

    /// Tells whether it is nothing, or one of these values.
    pub(crate) fn is_one_of(&self, values: &[&str]) -> bool {
        match self {
            Tree::Scalar(text) => text.is_empty() || values.contains(&text.as_str()),
            _ => self.is_empty(),
        }
    }

    /// Says the same whatever the places, in one line.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Tree::Scalar(text) => text.clone(),
            Tree::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.value.in_words()).collect();
                format!("[{}]", items.join(", "))
            }
            Tree::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{}: {}", key.value, value.value.in_words()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Tells whether two trees say the same, wherever it is written and in
    /// whatever order an object has its keys.
    pub(crate) fn says_the_same(&self, other: &Tree) -> bool {
        match (self, other) {
            (Tree::Scalar(one), Tree::Scalar(two)) => one == two,
            (Tree::List(one), Tree::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.value.says_the_same(&two.value))
            }
            (Tree::Object(one), Tree::Object(two)) => {
                one.len() == two.len()
                    && one.iter().all(|(key, value)| {
                        other.get(&key.value).is_some_and(|other| value.value.says_the_same(&other.value))
                    })
            }
            _ => self.is_empty() && other.is_empty(),
        }
    }

    /// Lays an extension over this tree: its objects override by key, its lists
    /// of objects by id. What stands in the extension keeps its place.
    pub(crate) fn extended_by(self, over: Tree) -> Tree {
        match (self, over) {
            (Tree::Object(mut below), Tree::Object(above)) => {
                for (key, value) in above {
                    match below.iter().position(|(known, _)| known.value == key.value) {
                        Some(place) => {
                            let (_, before) = below.remove(place);
                            let merged = before.value.extended_by(value.value);
                            let value = Spanned::new(merged, value.referenced, value.defined);
                            below.insert(place, (key, value));
                        }
                        None => below.push((key, value)),
                    }
                }
                Tree::Object(below)
            }
            (Tree::List(mut below), Tree::List(above)) if has_ids(&below) && has_ids(&above) => {
                for item in above {
                    match below.iter().position(|known| known.value.id() == item.value.id()) {
                        Some(place) => {
                            let before = below.remove(place);
                            let merged = before.value.extended_by(item.value);
                            below.insert(place, Spanned::new(merged, item.referenced, item.defined));
                        }
                        None => below.push(item),
                    }
                }
                Tree::List(below)
            }
            (below, above) => {
                if above.is_empty() {
                    below
                } else {
                    above
                }
            }
        }
    }

    /// Moves everything to one place: where a text says that it takes this over.
    pub(crate) fn moved_to(self, at: Location) -> Tree {
        let moved = |tree: Spanned<Tree>| Spanned::new(tree.value.moved_to(at), at, at);
        match self {
            Tree::Object(entries) => Tree::Object(
                entries.into_iter().map(|(key, value)| (Spanned::new(key.value, at, at), moved(value))).collect(),
            ),
            Tree::List(items) => Tree::List(items.into_iter().map(moved).collect()),
            scalar @ Tree::Scalar(_) => scalar,
        }
    }
}

/// Gives bare words their letters back. The version `1.10` is not the number
/// 1.1, and a filter may be called `OFF`: what a scalar means is not for YAML
/// to say, but for the key above it.
fn as_written(tree: Spanned<Tree>, text: &str) -> Spanned<Tree> {
    let Spanned { value, referenced, defined } = tree;
    let value = match value {
        Tree::Object(entries) => {
            Tree::Object(entries.into_iter().map(|(key, value)| (key, as_written(value, text))).collect())
        }
        Tree::List(items) => Tree::List(items.into_iter().map(|item| as_written(item, text)).collect()),
        Tree::Scalar(read) => {
            let span = defined.span();
            let bytes = span.byte_offset().zip(span.byte_len());
            let written = bytes.and_then(|(start, length)| text.get(start as usize..(start + length) as usize));
            let is_bare = |word: &&str| {
                !word.is_empty()
                    && !word.starts_with(['\'', '"', '|', '>', '&', '*', '!'])
                    && !word.contains(char::is_whitespace)
            };
            match written.map(str::trim).filter(is_bare) {
                Some(word) if !read.is_empty() => Tree::Scalar(word.to_owned()),
                _ => Tree::Scalar(read),
            }
        }
    };
    Spanned::new(value, referenced, defined)
}

fn has_ids(items: &[Spanned<Tree>]) -> bool {
    items.iter().all(|item| item.value.id().is_some())
}

/// Says where a text is not what it should be.
pub(crate) fn not_yaml(error: &serde_saphyr::Error) -> Error {
    let place = error.location();
    Error::Yaml {
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        detail: first_line(&error.to_string()),
    }
}

/// Takes the message without the place before it, which is told apart, and
/// without the excerpt that the parser draws below it.
pub(crate) fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not a knowledge model");
    let said = line.strip_prefix("error: line ").and_then(|rest| rest.split_once(": "));
    said.map_or(line, |(_, said)| said).to_owned()
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
        f.write_str("YAML")
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

    // `1.0` stays a number with a point: it is a FLOAT where it is used.
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(format!("{value:?}")))
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
