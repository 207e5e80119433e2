//! Secrets that stand in the text of a flow, where everybody can read them who
//! sees the flow, and the way out: into a connection.
//!
//! A secret in a request becomes the request's connection. One in a variable is
//! moved too where the variable is only sent as a credential; else the person
//! is told where it is used. A secret is never shown: its first four letters
//! are, so that somebody can tell which one it is.

mod find;
mod moving;

use base::Secret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::connection::Credentials;
use crate::flow::{Notice, Severity};

pub use find::find;
pub use moving::{Moved, move_into_connections};

/// A secret in a text.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretInText)]
pub struct Literal {
    /// Id of the module.
    pub module: u32,
    /// Field of the module, such as `mapper.headers[2].value`.
    pub field: String,
    /// What it is, in words.
    pub what: &'static str,
    /// Its first letters.
    pub shown: String,
    /// Where it can go.
    pub home: Home,
    #[serde(skip)]
    secret: Secret,
    #[serde(skip)]
    credentials: Option<Credentials>,
    #[serde(skip)]
    sites: Vec<Site>,
}

/// Where a secret can go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SecretHome)]
pub enum Home {
    /// A connection of this kind takes its place.
    Connection(&'static str),
    /// It cannot be moved by itself; the text says what a person can do.
    Nowhere(String),
}

/// What is taken out of a text when a secret moves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Site {
    /// An entry of a list, in the module at the pointer.
    Entry { module: String, list: String, index: usize },
    /// A parameter of an address.
    Query { module: String, parameter: String },
    /// A field that becomes empty.
    Field { module: String, field: String },
}

impl Literal {
    /// Says that it stands there, and how it is moved.
    pub fn notice(&self) -> Notice {
        let (what, shown) = (self.what, &self.shown);
        let way = match &self.home {
            Home::Connection(_) => "`loopwright flow secrets FLOW --move NAME` moves it into a connection".to_owned(),
            Home::Nowhere(why) => why.clone(),
        };
        let text = format!("{what} ({shown}) stands in the text, for everybody to read: {way}");
        Notice { severity: Severity::Warning, module: Some(self.module), field: Some(self.field.clone()), text }
    }

    /// Puts dots in its place in a text that is shown to people.
    pub(crate) fn masked_in(&self, text: &str) -> String {
        text.replace(self.secret.expose(), &self.shown)
    }
}

impl std::fmt::Debug for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "module {}, {}: {} ({})", self.module, self.field, self.what, self.shown)
    }
}

/// Shows which secret one is: at most four letters, and never more than a
/// quarter of it.
fn shown(secret: &str) -> String {
    if secret.ends_with('…') {
        return secret.to_owned();
    }
    let letters = (secret.chars().count() / 4).min(4);
    let start: String = secret.chars().take(letters).collect();
    format!("{start}…")
}

/// Puts dots in the place of every secret in a text that is shown to people.
pub fn masked(text: &str) -> String {
    find::mask(text)
}

/// Puts dots in the place of a value if its name, or what it looks like, says
/// that it is secret.
pub fn masked_value(name: &str, text: &str) -> String {
    if find::is_secret_name(name) && !text.contains("{{") && !text.is_empty() { shown(text) } else { masked(text) }
}

#[cfg(test)]
mod tests;
