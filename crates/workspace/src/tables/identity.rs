//! The SQL of permissions, service principals, and address lists.

use base::args;
use base::db::{Row, Tx};
use base::{Actor, Timestamp};

use super::query::Query;
use super::shape;
use crate::RunId;
use crate::addresses::{AddressList, AddressListSort};
use crate::error::Error;
use crate::permission::{Level, Principal, Rule};
use crate::principal::{PrincipalSecret, ServicePrincipal};

/// Returns the rules of a job or a submitted run.
pub(crate) fn rules(tx: &mut dyn Tx, object: i64) -> Result<Vec<Rule>, Error> {
    let rows = tx.query(
        "SELECT sort, principal, subject_id, level FROM workspace_permissions WHERE object_id = $1 \
         ORDER BY sort, principal",
        args![object],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Rule {
                principal: Principal::stored(&row.get::<String>(0)?, row.get(1)?).ok_or_else(|| shape(0))?,
                subject: row.get(2)?,
                level: Level::parse(&row.get::<String>(3)?).ok_or_else(|| shape(3))?,
            })
        })
        .collect()
}

pub(crate) fn set_rules(tx: &mut dyn Tx, object: i64, rules: &[Rule]) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_permissions WHERE object_id = $1", args![object])?;
    for rule in rules {
        tx.execute(
            "INSERT INTO workspace_permissions (object_id, sort, principal, subject_id, level) \
             VALUES ($1, $2, $3, $4, $5)",
            args![object, rule.principal.sort(), rule.principal.name(), rule.subject.clone(), rule.level.as_str()],
        )?;
    }
    Ok(())
}

/// Returns the object whose rules count for a run or a task run.
pub(crate) fn object_of_run(tx: &mut dyn Tx, run: RunId) -> Result<Option<i64>, Error> {
    let of_run = "SELECT COALESCE(job_id, id) FROM workspace_runs WHERE id = $1";
    let of_attempt = "SELECT COALESCE(r.job_id, r.id) FROM workspace_runs r \
                      JOIN workspace_task_runs t ON t.run_id = r.id WHERE t.id = $1";
    for sql in [of_run, of_attempt] {
        if let Some(row) = tx.query_one(sql, args![run])? {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
}

/// Narrows a list to what somebody may see; `object` is the column, or the
/// expression, whose rules count. It says the same as `Rule::is_about`.
pub(super) fn only_seen_by(query: &mut Query, object: &str, viewer: Option<&Actor>) {
    let Some(viewer) = viewer.filter(|viewer| !viewer.administrator) else { return };
    let sort = Principal::of(viewer).sort();
    query.and(
        &format!("{object} IN (SELECT object_id FROM workspace_permissions WHERE subject_id = "),
        vec![viewer.id.as_str().into()],
        "",
    );
    // One condition in three parts, because each takes values of its own.
    query.go_on(" OR (subject_id IS NULL AND sort = ", vec![sort.into()], "");
    query.go_on(" AND principal IN (", vec![viewer.name.as_str().into(), viewer.id.as_str().into()], "))");
    query.go_on(" OR (sort = 'group' AND principal = ", vec!["users".into()], "))");
}

const PRINCIPAL: &str =
    "SELECT id, application_id, display_name, active, administrator, created_at FROM workspace_service_principals";

fn principal_of(row: &Row) -> Result<ServicePrincipal, Error> {
    Ok(ServicePrincipal {
        id: row.get(0)?,
        application_id: row.get(1)?,
        display_name: row.get(2)?,
        active: row.get(3)?,
        administrator: row.get(4)?,
        created_at: row.get(5)?,
    })
}

/// Stores a new service principal; false if its application id is taken.
pub(crate) fn insert_principal(tx: &mut dyn Tx, principal: &ServicePrincipal) -> Result<bool, Error> {
    let added = tx.execute(
        "INSERT INTO workspace_service_principals \
         (id, application_id, display_name, active, administrator, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (application_id) DO NOTHING",
        args![
            principal.id,
            &principal.application_id,
            &principal.display_name,
            principal.active,
            principal.administrator,
            principal.created_at
        ],
    )?;
    Ok(added > 0)
}

pub(crate) fn principals(tx: &mut dyn Tx) -> Result<Vec<ServicePrincipal>, Error> {
    tx.query(&format!("{PRINCIPAL} ORDER BY created_at, id"), args![])?.iter().map(principal_of).collect()
}

pub(crate) fn principal(tx: &mut dyn Tx, id: i64) -> Result<ServicePrincipal, Error> {
    let row = tx.query_one(&format!("{PRINCIPAL} WHERE id = $1"), args![id])?;
    principal_of(&row.ok_or_else(|| Error::NoPrincipal(id.to_string()))?)
}

pub(crate) fn set_principal(tx: &mut dyn Tx, principal: &ServicePrincipal) -> Result<(), Error> {
    tx.execute(
        "UPDATE workspace_service_principals SET display_name = $2, active = $3, administrator = $4 WHERE id = $1",
        args![principal.id, &principal.display_name, principal.active, principal.administrator],
    )?;
    Ok(())
}

pub(crate) fn delete_principal(tx: &mut dyn Tx, id: i64) -> Result<(), Error> {
    for sql in [
        "DELETE FROM workspace_access_tokens WHERE principal_id = $1",
        "DELETE FROM workspace_principal_secrets WHERE principal_id = $1",
        "DELETE FROM workspace_service_principals WHERE id = $1",
    ] {
        tx.execute(sql, args![id])?;
    }
    Ok(())
}

/// Forgets secrets and tokens whose time is over.
pub(crate) fn drop_ended_credentials(tx: &mut dyn Tx, now: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_access_tokens WHERE expires_at <= $1", args![now])?;
    tx.execute("DELETE FROM workspace_principal_secrets WHERE expires_at <= $1", args![now])?;
    Ok(())
}

pub(crate) fn insert_principal_secret(
    tx: &mut dyn Tx,
    principal: i64,
    secret: &PrincipalSecret,
    digest: &[u8],
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_principal_secrets (id, principal_id, digest, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
        args![&secret.id, principal, digest, secret.created_at, secret.expires_at],
    )?;
    Ok(())
}

pub(crate) fn principal_secrets(tx: &mut dyn Tx, principal: i64) -> Result<Vec<PrincipalSecret>, Error> {
    let rows = tx.query(
        "SELECT id, created_at, expires_at FROM workspace_principal_secrets WHERE principal_id = $1 \
         ORDER BY created_at, id",
        args![principal],
    )?;
    rows.iter()
        .map(|row| Ok(PrincipalSecret { id: row.get(0)?, created_at: row.get(1)?, expires_at: row.get(2)? }))
        .collect()
}

pub(crate) fn delete_principal_secret(tx: &mut dyn Tx, principal: i64, id: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM workspace_access_tokens WHERE secret_id = $1", args![id])?;
    let gone = tx
        .execute("DELETE FROM workspace_principal_secrets WHERE principal_id = $1 AND id = $2", args![principal, id])?;
    Ok(gone > 0)
}

/// Finds an active principal and its secret by what was presented.
pub(crate) fn principal_by_secret(
    tx: &mut dyn Tx,
    application_id: &str,
    digest: &[u8],
    now: Timestamp,
) -> Result<Option<(i64, String)>, Error> {
    let row = tx.query_one(
        "SELECT p.id, s.id FROM workspace_principal_secrets s \
         JOIN workspace_service_principals p ON p.id = s.principal_id \
         WHERE s.digest = $1 AND p.application_id = $2 AND p.active = 1 AND s.expires_at > $3",
        args![digest, application_id, now],
    )?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

pub(crate) fn insert_access_token(
    tx: &mut dyn Tx,
    digest: &[u8],
    principal: i64,
    secret: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_access_tokens (digest, principal_id, secret_id, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
        args![digest, principal, secret, now, expires_at],
    )?;
    Ok(())
}

/// Finds the active principal that an access token stands for.
pub(crate) fn principal_by_access_token(
    tx: &mut dyn Tx,
    digest: &[u8],
    now: Timestamp,
) -> Result<Option<ServicePrincipal>, Error> {
    let row = tx.query_one(
        "SELECT p.id, p.application_id, p.display_name, p.active, p.administrator, p.created_at \
         FROM workspace_access_tokens t JOIN workspace_service_principals p ON p.id = t.principal_id \
         WHERE t.digest = $1 AND t.expires_at > $2 AND p.active = 1",
        args![digest, now],
    )?;
    row.as_ref().map(principal_of).transpose()
}

/// Finds an active principal by application id.
pub(crate) fn active_principal(tx: &mut dyn Tx, application_id: &str) -> Result<Option<ServicePrincipal>, Error> {
    let row = tx.query_one(&format!("{PRINCIPAL} WHERE application_id = $1 AND active = 1"), args![application_id])?;
    row.as_ref().map(principal_of).transpose()
}

pub(crate) fn address_lists(tx: &mut dyn Tx) -> Result<Vec<AddressList>, Error> {
    let rows = tx.query(
        "SELECT id, label, sort, addresses, enabled, created_by, created_at, updated_at FROM workspace_ip_lists \
         ORDER BY created_at, id",
        args![],
    )?;
    rows.iter()
        .map(|row| {
            Ok(AddressList {
                id: row.get(0)?,
                label: row.get(1)?,
                sort: AddressListSort::parse(&row.get::<String>(2)?).ok_or_else(|| shape(2))?,
                addresses: serde_json::from_str(&row.get::<String>(3)?).map_err(|_| shape(3))?,
                enabled: row.get(4)?,
                created_by: row.get(5)?,
                created_at: row.get(6)?,
                updated_at: row.get(7)?,
            })
        })
        .collect()
}

pub(crate) fn save_address_list(tx: &mut dyn Tx, list: &AddressList) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_ip_lists (id, label, sort, addresses, enabled, created_by, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO UPDATE SET label = EXCLUDED.label, sort = EXCLUDED.sort, \
         addresses = EXCLUDED.addresses, enabled = EXCLUDED.enabled, updated_at = EXCLUDED.updated_at",
        args![
            &list.id,
            &list.label,
            list.sort.as_str(),
            serde_json::to_string(&list.addresses).expect("a list of texts"),
            list.enabled,
            &list.created_by,
            list.created_at,
            list.updated_at
        ],
    )?;
    Ok(())
}

pub(crate) fn delete_address_list(tx: &mut dyn Tx, id: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM workspace_ip_lists WHERE id = $1", args![id])? > 0)
}

pub(crate) fn switch(tx: &mut dyn Tx, name: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT value FROM workspace_switches WHERE name = $1", args![name])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

pub(crate) fn set_switch(tx: &mut dyn Tx, name: &str, value: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_switches (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value",
        args![name, value],
    )?;
    Ok(())
}
