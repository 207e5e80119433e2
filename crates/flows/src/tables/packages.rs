//! Packages, and variables that flows share.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::package::{PackageVersion, Part, PartKind};

/// Puts a flow into a package, or takes it out of one.
pub(crate) fn put_in_package(tx: &mut dyn Tx, flow: &str, package: Option<&str>) -> Result<(), Error> {
    tx.execute("UPDATE flows SET package = $2 WHERE key = $1", args![flow, package.map(str::to_owned)])?;
    Ok(())
}

pub(crate) fn add_package_version(tx: &mut dyn Tx, package: &str, version: &PackageVersion) -> Result<(), Error> {
    let PackageVersion { version: number, note, of_version, published_at, published_by, parts } = version;
    tx.execute(
        "INSERT INTO package_versions (package, number, note, of_version, published_at, published_by) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![package, *number, note.clone(), *of_version, *published_at, published_by],
    )?;
    for part in parts {
        tx.execute(
            "INSERT INTO package_parts (package, number, kind, key, version) VALUES ($1, $2, $3, $4, $5)",
            args![package, *number, part.kind.word(), &part.key, part.version],
        )?;
    }
    Ok(())
}

/// Lists the versions of a package with their parts, the newest first.
pub(crate) fn package_versions(tx: &mut dyn Tx, package: &str) -> Result<Vec<PackageVersion>, Error> {
    let sql = "SELECT number, note, of_version, published_at, published_by FROM package_versions WHERE package = $1 \
               ORDER BY number DESC";
    let mut versions = tx.query(sql, args![package])?.iter().map(version_row).collect::<Result<Vec<_>, Error>>()?;
    let sql = "SELECT kind, key, version, number FROM package_parts WHERE package = $1 ORDER BY number, kind, key";
    for row in tx.query(sql, args![package])? {
        let number: u64 = row.get(3)?;
        let Some(kind) = PartKind::named(&row.get::<String>(0)?) else { continue };
        if let Some(version) = versions.iter_mut().find(|version| version.version == number) {
            version.parts.push(Part { kind, key: row.get(1)?, version: row.get(2)? });
        }
    }
    // Knowledge models first, as they are published.
    for version in &mut versions {
        version.parts.sort_by_key(|part| part.kind);
    }
    Ok(versions)
}

pub(crate) fn package_version(tx: &mut dyn Tx, package: &str, number: u64) -> Result<Option<PackageVersion>, Error> {
    Ok(package_versions(tx, package)?.into_iter().find(|version| version.version == number))
}

fn version_row(row: &Row) -> Result<PackageVersion, Error> {
    Ok(PackageVersion {
        version: row.get(0)?,
        note: row.get(1)?,
        of_version: row.get(2)?,
        published_at: row.get(3)?,
        published_by: row.get(4)?,
        parts: Vec::new(),
    })
}

pub(crate) fn shared_variables(tx: &mut dyn Tx, scope: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT variables FROM shared_variables WHERE scope = $1", args![scope])?;
    row.map(|row| row.get(0)).transpose()
}

pub(crate) fn set_shared_variables(tx: &mut dyn Tx, scope: &str, variables: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO shared_variables (scope, variables, updated_at) VALUES ($1, $2, $3) \
               ON CONFLICT (scope) DO UPDATE SET variables = $2, updated_at = $3";
    tx.execute(sql, args![scope, variables, now])?;
    Ok(())
}
