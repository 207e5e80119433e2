//! Secrets of the workspace: scopes, keys, and references to them.
//!
//! A value goes in and never comes out over the API. A job's cluster may name
//! it in an environment variable, `{{secrets/scope/key}}`; then the task's
//! process has it, and what the process prints is searched for it.

use base::{Actor, Secret, Timestamp};

use crate::error::Error;
use crate::secret_acls;
use crate::tables;
use crate::workspace::{Workspace, note};

/// Bytes that a value may have.
const VALUE_BYTES_MAX: usize = 128 * 1024;
/// Characters that a name may have.
const NAME_CHARACTERS_MAX: usize = 128;
/// Secrets that a scope may hold.
const SECRETS_MAX: u64 = 1_000;

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

impl Workspace {
    /// Makes a scope for secrets that its maker may manage.
    pub async fn create_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        self.create_scope_for(actor, name, false).await
    }

    /// Makes a scope for secrets that its maker may manage, or everybody.
    pub async fn create_scope_for(&self, actor: &Actor, name: &str, everybody: bool) -> Result<(), Error> {
        check_name("scope", name)?;
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("workspace.create_scope", move |tx| {
                if !tables::insert_scope(tx, &name, now)? {
                    return Err(Error::ScopeExists(name.clone()));
                }
                secret_acls::entrust(tx, &name, &actor, everybody)?;
                note(tx, &actor, "create", "workspace-secret-scope", &name, (None, None), now)
            })
            .await
    }

    /// Lists the scopes.
    pub async fn scopes(&self) -> Result<Vec<SecretScope>, Error> {
        self.db.read("workspace.scopes", tables::scopes).await
    }

    /// Removes a scope with its secrets.
    pub async fn delete_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_scope", move |tx| {
                if !tables::delete_scope(tx, &name)? {
                    return Err(Error::NoScope(name.clone()));
                }
                secret_acls::forget(tx, &name)?;
                note(tx, &actor, "delete", "workspace-secret-scope", &name, (None, None), now)
            })
            .await
    }

    /// Sets the value of a secret. Tasks that run already keep the old one.
    pub async fn put_secret(&self, actor: &Actor, scope: &str, key: &str, value: &Secret) -> Result<(), Error> {
        check_name("key of a secret", key)?;
        check_value(value.expose())?;
        let place = SecretRef { scope: scope.to_owned(), key: key.to_owned() };
        let sealed = self.keys.seal(&place.purpose(), value, &*self.chance);
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.put_secret", move |tx| {
                if !tables::has_scope(tx, &place.scope)? {
                    return Err(Error::NoScope(place.scope.clone()));
                }
                tables::put_secret(tx, &place, &sealed, now)?;
                if tables::secrets(tx, &place.scope)?.len() as u64 > SECRETS_MAX {
                    return Err(Error::Parameter { detail: format!("a scope holds at most {SECRETS_MAX} secrets") });
                }
                let name = format!("{}/{}", place.scope, place.key);
                note(tx, &actor, "put", "workspace-secret", &name, (None, None), now)
            })
            .await
    }

    /// Lists the secrets of a scope, without their values.
    pub async fn secrets(&self, scope: &str) -> Result<Vec<SecretInfo>, Error> {
        let scope = scope.to_owned();
        self.db
            .read("workspace.secrets", move |tx| {
                if tables::has_scope(tx, &scope)? { tables::secrets(tx, &scope) } else { Err(Error::NoScope(scope)) }
            })
            .await
    }

    /// Removes a secret.
    pub async fn delete_secret(&self, actor: &Actor, scope: &str, key: &str) -> Result<(), Error> {
        let place = SecretRef { scope: scope.to_owned(), key: key.to_owned() };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_secret", move |tx| {
                if !tables::delete_secret(tx, &place)? {
                    return Err(no_secret(&place));
                }
                let name = format!("{}/{}", place.scope, place.key);
                note(tx, &actor, "delete", "workspace-secret", &name, (None, None), now)
            })
            .await
    }

    /// Opens a secret for a task. There is no verb for it: values stay inside.
    pub(crate) async fn open_secret(&self, place: &SecretRef) -> Result<Secret, Error> {
        let wanted = place.clone();
        let sealed = self.db.read("workspace.open_secret", move |tx| tables::sealed_secret(tx, &wanted)).await?;
        let sealed = sealed.ok_or_else(|| no_secret(place))?;
        Ok(self.keys.open(&place.purpose(), &sealed)?)
    }
}

fn no_secret(place: &SecretRef) -> Error {
    Error::NoSecret { scope: place.scope.clone(), key: place.key.clone() }
}

/// Refuses what cannot name a scope or a secret.
fn check_name(what: &str, name: &str) -> Result<(), Error> {
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
fn check_value(value: &str) -> Result<(), Error> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::Parameter { detail: format!("the value of a secret has at most {VALUE_BYTES_MAX} bytes") });
    }
    Ok(())
}
