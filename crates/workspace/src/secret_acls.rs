//! Who may do what with the secrets of a scope.
//!
//! Whoever makes a scope may MANAGE it; others get READ, WRITE or MANAGE, by
//! name. `users` stands for everybody, `admins` for administrators, who may do
//! everything anyway.

use std::fmt;

use base::db::Tx;
use base::{Actor, args};
use serde_json::json;

use crate::data_error::DataError;
use crate::error::Error;
use crate::secrets::SecretRef;
use crate::tables;
use crate::workspace::{Workspace, note};

/// What somebody may do with a scope; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPermission {
    /// See keys, and use values.
    Read,
    /// Set and remove values.
    Write,
    /// Say who may what, and remove the scope.
    Manage,
}

impl SecretPermission {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            SecretPermission::Read => "READ",
            SecretPermission::Write => "WRITE",
            SecretPermission::Manage => "MANAGE",
        }
    }

    /// Reads the word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        [SecretPermission::Read, SecretPermission::Write, SecretPermission::Manage]
            .into_iter()
            .find(|permission| permission.as_str() == word)
    }
}

impl fmt::Display for SecretPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everybody.
const USERS: &str = "users";
/// Administrators.
const ADMINS: &str = "admins";

impl Workspace {
    /// Refuses whoever may not do so much with a scope. A scope that is not
    /// there is not there for anybody.
    pub async fn check_secret_permission(
        &self,
        actor: &Actor,
        scope: &str,
        wanted: SecretPermission,
    ) -> Result<(), DataError> {
        let (who, scope) = (actor.clone(), scope.to_owned());
        self.db.read("workspace.secret_permission", move |tx| check(tx, &who, &scope, wanted)).await
    }

    /// Lists the scopes of which somebody may see the keys.
    pub async fn readable_scopes(&self, actor: &Actor) -> Result<Vec<crate::SecretScope>, DataError> {
        let actor = actor.clone();
        self.db
            .read("workspace.readable_scopes", move |tx| {
                let mut scopes = Vec::new();
                for scope in tables::scopes(tx)? {
                    if permission(tx, &actor, &scope.name)?.is_some() {
                        scopes.push(scope);
                    }
                }
                Ok(scopes)
            })
            .await
    }

    /// Says what a principal may do with a scope.
    pub async fn put_secret_acl(
        &self,
        actor: &Actor,
        scope: &str,
        principal: &str,
        permission: SecretPermission,
    ) -> Result<(), DataError> {
        if principal.trim().is_empty() || principal.chars().count() > 256 {
            return Err(DataError::Invalid("\"principal\" must be the name of somebody, or \"users\"".into()));
        }
        let (actor, scope, principal) = (actor.clone(), scope.to_owned(), principal.to_owned());
        let now = self.clock.now();
        self.db
            .write("workspace.put_secret_acl", move |tx| {
                check(tx, &actor, &scope, SecretPermission::Manage)?;
                put(tx, &scope, &principal, permission)?;
                let after = json!({ "principal": principal, "permission": permission.as_str() });
                Ok(note(tx, &actor, "grant", "workspace-secret-scope", &scope, (None, Some(after)), now)?)
            })
            .await
    }

    /// Takes back what a principal may do with a scope.
    pub async fn delete_secret_acl(&self, actor: &Actor, scope: &str, principal: &str) -> Result<(), DataError> {
        let (actor, scope, principal) = (actor.clone(), scope.to_owned(), principal.to_owned());
        let now = self.clock.now();
        self.db
            .write("workspace.delete_secret_acl", move |tx| {
                check(tx, &actor, &scope, SecretPermission::Manage)?;
                let gone = tx.execute(
                    "DELETE FROM workspace_secret_acls WHERE scope = $1 AND principal = $2",
                    args![&scope, &principal],
                )?;
                if gone == 0 {
                    return Err(no_acl(&scope, &principal));
                }
                let before = json!({ "principal": principal });
                Ok(note(tx, &actor, "revoke", "workspace-secret-scope", &scope, (Some(before), None), now)?)
            })
            .await
    }

    /// Lists who may do what with a scope.
    pub async fn secret_acls(&self, actor: &Actor, scope: &str) -> Result<Vec<(String, SecretPermission)>, DataError> {
        let (actor, scope) = (actor.clone(), scope.to_owned());
        self.db
            .read("workspace.secret_acls", move |tx| {
                check(tx, &actor, &scope, SecretPermission::Manage)?;
                acls(tx, &scope)
            })
            .await
    }

    /// Returns what a principal may do with a scope.
    pub async fn secret_acl(&self, actor: &Actor, scope: &str, principal: &str) -> Result<SecretPermission, DataError> {
        let all = self.secret_acls(actor, scope).await?;
        let found = all.into_iter().find(|(name, _)| name == principal);
        found.map(|(_, permission)| permission).ok_or_else(|| no_acl(scope, principal))
    }

    /// Tells the value of a secret to a task, whose owner may read it.
    pub async fn secret_for_task(
        &self,
        actor: &Actor,
        authorization: Option<&str>,
        scope: &str,
        key: &str,
    ) -> Result<base::Secret, DataError> {
        self.check_secret_permission(actor, scope, SecretPermission::Read).await?;
        if !self.is_token_of_task(authorization).await? {
            return Err(DataError::OutsideOfJobs(format!(
                "secret \"{key}\" of scope \"{scope}\" can only be read from inside a job"
            )));
        }
        Ok(self.open_secret(&SecretRef { scope: scope.to_owned(), key: key.to_owned() }).await?)
    }

    /// Tells whether a token was made for a task.
    async fn is_token_of_task(&self, authorization: Option<&str>) -> Result<bool, DataError> {
        let Some(token) = authorization.and_then(crate::token::bearer) else { return Ok(false) };
        let digest = crate::token::digest(token);
        Ok(self.db.read("workspace.token", move |tx| tables::is_token_of_task(tx, &digest)).await?)
    }
}

/// Gives the maker of a scope what belongs to its maker.
pub(crate) fn entrust(tx: &mut dyn Tx, scope: &str, maker: &Actor, everybody: bool) -> Result<(), Error> {
    let principal = if everybody { USERS } else { maker.name.as_str() };
    tx.execute(
        "INSERT INTO workspace_secret_acls (scope, principal, permission) VALUES ($1, $2, 'MANAGE') \
         ON CONFLICT (scope, principal) DO NOTHING",
        args![scope, principal],
    )?;
    Ok(())
}

/// Forgets who may do what with a scope that goes.
pub(crate) fn forget(tx: &mut dyn Tx, scope: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_secret_acls WHERE scope = $1", args![scope])?;
    Ok(())
}

fn put(tx: &mut dyn Tx, scope: &str, principal: &str, permission: SecretPermission) -> Result<(), DataError> {
    tx.execute(
        "INSERT INTO workspace_secret_acls (scope, principal, permission) VALUES ($1, $2, $3) \
         ON CONFLICT (scope, principal) DO UPDATE SET permission = EXCLUDED.permission",
        args![scope, principal, permission.as_str()],
    )?;
    Ok(())
}

fn acls(tx: &mut dyn Tx, scope: &str) -> Result<Vec<(String, SecretPermission)>, DataError> {
    let rows = tx.query(
        "SELECT principal, permission FROM workspace_secret_acls WHERE scope = $1 ORDER BY principal",
        args![scope],
    )?;
    let mut acls = Vec::new();
    for row in &rows {
        let word: String = row.get(1)?;
        let permission = SecretPermission::parse(&word).ok_or(base::db::Error::Shape { column: 1 })?;
        acls.push((row.get(0)?, permission));
    }
    Ok(acls)
}

fn permission(tx: &mut dyn Tx, actor: &Actor, scope: &str) -> Result<Option<SecretPermission>, DataError> {
    if actor.administrator {
        return Ok(Some(SecretPermission::Manage));
    }
    let is_meant = |principal: &str| {
        principal == actor.name
            || principal == actor.id
            || principal == USERS
            || (principal == ADMINS && actor.administrator)
    };
    let acls = acls(tx, scope)?;
    Ok(acls.into_iter().filter(|(principal, _)| is_meant(principal)).map(|(_, permission)| permission).max())
}

fn check(tx: &mut dyn Tx, actor: &Actor, scope: &str, wanted: SecretPermission) -> Result<(), DataError> {
    if permission(tx, actor, scope)?.is_none_or(|has| has < wanted) {
        return Err(DataError::Denied(format!(
            "{} does not have {wanted} permission on secret scope \"{scope}\"",
            actor.name
        )));
    }
    if !tables::has_scope(tx, scope)? {
        return Err(Error::NoScope(scope.to_owned()).into());
    }
    Ok(())
}

fn no_acl(scope: &str, principal: &str) -> DataError {
    DataError::NotFound(format!("there is no ACL for \"{principal}\" on secret scope \"{scope}\""))
}
