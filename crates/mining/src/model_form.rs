//! Reading objects out of a tree, noting everything that is not as it must be.
//!
//! A mistake does not end the reading: what can be read is read, so that a
//! person is told all mistakes of a text at once.

use serde_saphyr::{Location, Spanned};

use crate::error::ModelMistake;
use crate::pql::operators::hint;
use crate::tree::Tree;

/// An object of a model's text, and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    tree: &'a Tree,
    pub(crate) at: Location,
    path: &'a str,
}

impl<'a> Object<'a> {
    pub(crate) fn new(tree: &'a Spanned<Tree>, path: &'a str) -> Self {
        Object { tree: &tree.value, at: tree.referenced, path }
    }

    /// Tells whether there is more than nothing under a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<Tree>> {
        self.tree.get(key).filter(|value| !value.value.is_empty())
    }
}

/// Collects the mistakes of a reading.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) mistakes: Vec<ModelMistake>,
}

impl Reading {
    pub(crate) fn mistake(&mut self, path: &str, at: Location, detail: impl Into<String>) {
        self.mistakes.push(ModelMistake { path: path.to_owned(), line: at.line(), detail: detail.into() });
    }

    /// Reads a scalar.
    pub(crate) fn text(&mut self, object: Object<'_>, key: &str) -> Option<Spanned<String>> {
        let value = object.get(key)?;
        match &value.value {
            Tree::Scalar(text) => Some(Spanned::new(text.clone(), value.referenced, value.defined)),
            _ => {
                let detail = format!("\"{key}\" takes one value, not a list or an object");
                self.mistake(&join(object.path, key), value.referenced, detail);
                None
            }
        }
    }

    /// Reads a scalar without its place.
    pub(crate) fn word(&mut self, object: Object<'_>, key: &str) -> Option<String> {
        self.text(object, key).map(|text| text.value)
    }

    /// Reads a scalar that must be there.
    pub(crate) fn needed(&mut self, object: Object<'_>, key: &str) -> Option<Spanned<String>> {
        if object.get(key).is_none() {
            let known = match object.tree {
                Tree::Object(entries) => entries.iter().map(|(key, _)| key.value.as_str()).collect(),
                _ => Vec::new(),
            };
            let meant = hint(key, known).replace("did you mean", "is it meant by");
            self.mistake(object.path, object.at, format!("the key \"{key}\" is missing{meant}"));
        }
        self.text(object, key)
    }

    /// Reads `true` or `false`; nothing is false.
    pub(crate) fn truth(&mut self, object: Object<'_>, key: &str) -> bool {
        self.one_of(object, key, &[("true", true), ("false", false)]).unwrap_or(false)
    }

    /// Reads a word that is one of several.
    pub(crate) fn one_of<T: Copy>(&mut self, object: Object<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(object, key)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text.value));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let detail = format!("\"{}\" is not one of {}", text.value, known.join(", "));
            self.mistake(&join(object.path, key), text.referenced, detail);
        }
        found.map(|(_, value)| *value)
    }

    /// Reads a list of scalars; one alone is a list of one.
    pub(crate) fn texts(&mut self, object: Object<'_>, key: &str) -> Vec<Spanned<String>> {
        let Some(value) = object.get(key) else { return Vec::new() };
        let items = match &value.value {
            Tree::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for item in items {
            match item.value.text() {
                Some(text) => texts.push(Spanned::new(text.to_owned(), item.referenced, item.defined)),
                None => {
                    let detail = format!("\"{key}\" takes a list of ids, such as {key}: [ONE, TWO]");
                    self.mistake(&join(object.path, key), item.referenced, detail);
                }
            }
        }
        texts
    }

    /// Reads an object below a key.
    pub(crate) fn object<T>(
        &mut self,
        object: Object<'_>,
        key: &str,
        read: impl FnOnce(&mut Self, Object<'_>, &str) -> Option<T>,
    ) -> Option<T> {
        let value = object.get(key)?;
        let path = join(object.path, key);
        if !matches!(value.value, Tree::Object(_)) {
            self.mistake(&path, value.referenced, format!("\"{key}\" takes keys and values"));
            return None;
        }
        read(self, Object::new(value, &path), &path)
    }

    /// Reads a list of objects; each is named by its id in messages.
    pub(crate) fn list<T>(
        &mut self,
        object: Object<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, Object<'_>, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = object.get(key) else { return Vec::new() };
        let path = join(object.path, key);
        let Tree::List(items) = &value.value else {
            self.mistake(&path, value.referenced, format!("\"{key}\" takes a list: begin each entry with \"- \""));
            return Vec::new();
        };
        let mut read_items = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let name = item.value.id().map_or_else(|| format!("{}", place + 1), str::to_owned);
            let path = join(&path, &name);
            if matches!(item.value, Tree::Object(_)) {
                read_items.extend(read(self, Object::new(item, &path), &path));
            } else {
                self.mistake(&path, item.referenced, format!("an entry of \"{key}\" takes keys and values"));
            }
        }
        read_items
    }
}

/// Writes the path of a key.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
