//! Bringing the tables up to date.
//!
//! Each crate owns a folder of numbered SQL files and nobody else's tables
//! stand in them. A file that has been applied must not change: its text is
//! remembered by checksum, and a difference stops the start, because two
//! installations would silently differ. So does a file that only a newer
//! version knows: an older one would write rows that the newer one does not
//! expect.

use sha2::{Digest, Sha256};

use super::{Error, Tx};
use crate::args;

/// One step, embedded in the crate that owns the tables.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `crate/0001_what_it_adds`.
    pub name: &'static str,
    /// Statements, separated by semicolons.
    pub sql: &'static str,
}

/// Makes the list of what has been applied.
pub(super) const BOOKKEEPING: &str =
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL)";

/// Applies what is missing, in order; `batch` runs a text of several statements.
pub(super) fn apply<T: Tx>(
    tx: &mut T,
    migrations: &[&[Migration]],
    batch: impl Fn(&mut T, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    for migration in migrations.iter().flat_map(|of_crate| of_crate.iter()) {
        let checksum = hex::encode(Sha256::digest(migration.sql.as_bytes()));
        let known = tx.query_one("SELECT checksum FROM migrations WHERE name = $1", args![migration.name])?;
        match known {
            None => {
                batch(tx, migration.sql)?;
                tx.execute("INSERT INTO migrations (name, checksum) VALUES ($1, $2)", args![migration.name, checksum])?;
            }
            Some(row) if row.get::<String>(0)? == checksum => {}
            Some(_) => {
                return Err(Error::Failed {
                    detail: format!("migration \"{}\" was applied with another text", migration.name),
                });
            }
        }
    }
    let ours: Vec<&str> = migrations.iter().flat_map(|of_crate| of_crate.iter()).map(|ours| ours.name).collect();
    for row in tx.query("SELECT name FROM migrations ORDER BY name", args![])? {
        let name = row.get::<String>(0)?;
        if !ours.contains(&name.as_str()) {
            return Err(Error::Failed {
                detail: format!("it was last opened by a newer version, which applied migration \"{name}\""),
            });
        }
    }
    Ok(())
}
