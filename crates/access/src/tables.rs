//! The SQL of this crate.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::app_key::AppKey;
use crate::package::Package;
use crate::permission::{Grant, Permission, Scope};
use crate::team::Team;

/// An app key with what its secret is checked against.
pub(crate) struct StoredKey {
    pub(crate) app_key: AppKey,
    pub(crate) secret_hash: String,
}

pub(crate) fn team(tx: &mut dyn Tx) -> Result<Option<Team>, Error> {
    let row = tx.query_one("SELECT id, name, created_at FROM team", args![])?;
    row.map(|row| Ok(Team { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })).transpose()
}

pub(crate) fn insert_team(tx: &mut dyn Tx, team: &Team) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO team (id, name, created_at) VALUES ($1, $2, $3)",
        args![team.id, &team.name, team.created_at],
    )?;
    Ok(())
}

const KEY_COLUMNS: &str = "id, name, administrator, created_at, created_by, revoked_at, secret_hash";

pub(crate) fn app_key(tx: &mut dyn Tx, id: &str) -> Result<Option<StoredKey>, Error> {
    let row = tx.query_one(&format!("SELECT {KEY_COLUMNS} FROM app_keys WHERE id = $1"), args![id])?;
    row.as_ref().map(read_key).transpose()
}

pub(crate) fn app_keys(tx: &mut dyn Tx) -> Result<Vec<AppKey>, Error> {
    let rows = tx.query(&format!("SELECT {KEY_COLUMNS} FROM app_keys ORDER BY created_at, id"), args![])?;
    rows.iter().map(|row| Ok(read_key(row)?.app_key)).collect()
}

pub(crate) fn insert_app_key(tx: &mut dyn Tx, key: &AppKey, secret_hash: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO app_keys (id, name, administrator, created_at, created_by, secret_hash) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![&key.id, &key.name, key.administrator, key.created_at, &key.created_by, secret_hash],
    )?;
    Ok(())
}

pub(crate) fn set_secret_hash(tx: &mut dyn Tx, id: &str, secret_hash: &str) -> Result<(), Error> {
    tx.execute("UPDATE app_keys SET secret_hash = $2 WHERE id = $1", args![id, secret_hash])?;
    Ok(())
}

pub(crate) fn set_revoked(tx: &mut dyn Tx, id: &str, at: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE app_keys SET revoked_at = $2 WHERE id = $1", args![id, at])?;
    Ok(())
}

fn read_key(row: &Row) -> Result<StoredKey, Error> {
    let app_key = AppKey {
        id: row.get(0)?,
        name: row.get(1)?,
        administrator: row.get(2)?,
        created_at: row.get(3)?,
        created_by: row.get(4)?,
        revoked_at: row.get(5)?,
    };
    Ok(StoredKey { app_key, secret_hash: row.get(6)? })
}

pub(crate) fn package(tx: &mut dyn Tx, key: &str) -> Result<Option<Package>, Error> {
    let row = tx.query_one("SELECT key, name, created_at FROM packages WHERE key = $1", args![key])?;
    row.as_ref().map(read_package).transpose()
}

pub(crate) fn packages(tx: &mut dyn Tx) -> Result<Vec<Package>, Error> {
    let rows = tx.query("SELECT key, name, created_at FROM packages ORDER BY key", args![])?;
    rows.iter().map(read_package).collect()
}

pub(crate) fn put_package(tx: &mut dyn Tx, package: &Package) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO packages (key, name, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (key) DO UPDATE SET name = excluded.name",
        args![&package.key, &package.name, package.created_at],
    )?;
    Ok(())
}

fn read_package(row: &Row) -> Result<Package, Error> {
    Ok(Package { key: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })
}

const GRANT_COLUMNS: &str = "subject, permission, scope_kind, scope_id, granted_at, granted_by";

/// Tells whether the grant is new.
pub(crate) fn insert_grant(tx: &mut dyn Tx, grant: &Grant) -> Result<bool, Error> {
    let (kind, id) = grant.scope.parts();
    let added = tx.execute(
        &format!(
            "INSERT INTO grants ({GRANT_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (subject, permission, scope_kind, scope_id) DO NOTHING"
        ),
        args![&grant.subject, grant.permission.as_str(), kind, id, grant.granted_at, &grant.granted_by],
    )?;
    Ok(added > 0)
}

/// Tells whether there was such a grant.
pub(crate) fn delete_grant(
    tx: &mut dyn Tx,
    subject: &str,
    permission: Permission,
    scope: &Scope,
) -> Result<bool, Error> {
    let (kind, id) = scope.parts();
    let gone = tx.execute(
        "DELETE FROM grants WHERE subject = $1 AND permission = $2 AND scope_kind = $3 AND scope_id = $4",
        args![subject, permission.as_str(), kind, id],
    )?;
    Ok(gone > 0)
}

pub(crate) fn grants_of(tx: &mut dyn Tx, subject: &str) -> Result<Vec<Grant>, Error> {
    let rows = tx.query(
        &format!("SELECT {GRANT_COLUMNS} FROM grants WHERE subject = $1 ORDER BY scope_kind, scope_id, permission"),
        args![subject],
    )?;
    rows.iter().map(read_grant).collect()
}

pub(crate) fn grants_on(tx: &mut dyn Tx, scope: &Scope) -> Result<Vec<Grant>, Error> {
    let (kind, id) = scope.parts();
    let rows = tx.query(
        &format!(
            "SELECT {GRANT_COLUMNS} FROM grants WHERE scope_kind = $1 AND scope_id = $2 ORDER BY subject, permission"
        ),
        args![kind, id],
    )?;
    rows.iter().map(read_grant).collect()
}

fn read_grant(row: &Row) -> Result<Grant, Error> {
    Ok(Grant {
        subject: row.get(0)?,
        permission: Permission::parse(&row.get::<String>(1)?).ok_or(Error::Shape { column: 1 })?,
        scope: Scope::from_parts(&row.get::<String>(2)?, row.get(3)?).ok_or(Error::Shape { column: 2 })?,
        granted_at: row.get(4)?,
        granted_by: row.get(5)?,
    })
}
