//! Secrets of the workspace: scopes, keys, and references to them.
//!
//! A value goes in and never comes out over the API. A job's cluster may name
//! it in an environment variable, `{{secrets/scope/key}}`; then the task's
//! process has it, and what the process prints is searched for it.

use base::Timestamp;

use crate::error::Error;

/// Bytes that a value may have.
const VALUE_BYTES_MAX: usize = 128 * 1024;
/// Characters that a name may have.
const NAME_CHARACTERS_MAX: usize = 128;
/// Secrets that a scope may hold.
pub(crate) const SECRETS_MAX: u64 = 1_000;

/// A named set of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretScope {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What can be seen of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its key within the scope.
    pub key: String,
    /// When its value was last set.
    pub updated_at: Timestamp,
}

/// A reference to a secret in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretRef {
    pub(crate) scope: String,
    pub(crate) key: String,
}

impl SecretRef {
    /// Reads what stands between the braces: `secrets/scope/key`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (scope, key) = name.strip_prefix("secrets/")?.split_once('/')?;
        Some(SecretRef { scope: scope.to_owned(), key: key.to_owned() })
    }

    /// For what the value is sealed: it opens in no other place.
    pub(crate) fn purpose(&self) -> String {
        format!("workspace secret {}/{}", self.scope, self.key)
    }
}

/// Refuses what cannot name a scope or a secret.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_fine) {
        return Err(Error::Parameter {
            detail: format!(
                "\"{name}\" is not a {what}: 1 to {NAME_CHARACTERS_MAX} letters, digits, \"-\", \"_\", \".\" or \"@\""
            ),
        });
    }
    Ok(())
}

/// Refuses values that are too long to be secrets.
pub(crate) fn check_value(value: &str) -> Result<(), Error> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::Parameter { detail: format!("the value of a secret has at most {VALUE_BYTES_MAX} bytes") });
    }
    Ok(())
}
