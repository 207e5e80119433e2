//! Values that are too long for a row.
//!
//! Rows are read and written often, and a chunk of data may have megabytes. So
//! a long text is stored once under its hash, and the row holds a reference,
//! `@` and the hash; what is stored in a row is JSON, which never begins with
//! that letter. Both are written in one transaction, in the same database, so
//! that a reference is never without its value, and a copy of the file has all.

use base::args;
use base::db::{Error, Tx};
use sha2::{Digest, Sha256};

use crate::run::RunId;

/// Bytes of a text that stays in its row.
pub(crate) const INLINE_BYTES_MAX: usize = 16 << 10;

/// Returns what a row of a run holds for a text: the text, or a reference to it.
pub(crate) fn keep(tx: &mut dyn Tx, run: RunId, text: &str) -> Result<Option<String>, Error> {
    if text.len() <= INLINE_BYTES_MAX {
        return Ok(None);
    }
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    tx.execute(
        "INSERT INTO long_values (hash, value) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        args![&hash, text],
    )?;
    tx.execute(
        "INSERT INTO long_value_uses (hash, run) VALUES ($1, $2) ON CONFLICT (hash, run) DO NOTHING",
        args![&hash, run],
    )?;
    Ok(Some(format!("@{hash}")))
}

/// Returns the text for what a row holds.
pub(crate) fn fetch(tx: &mut dyn Tx, held: String) -> Result<String, Error> {
    let Some(hash) = held.strip_prefix('@') else { return Ok(held) };
    let row = tx.query_one("SELECT value FROM long_values WHERE hash = $1", args![hash])?;
    row.ok_or_else(|| Error::Failed { detail: format!("a long value is missing: {hash}") })?.get(0)
}

/// Forgets the long values of a run that no other run holds.
pub(crate) fn forget(tx: &mut dyn Tx, run: RunId) -> Result<(), Error> {
    for row in tx.query("DELETE FROM long_value_uses WHERE run = $1 RETURNING hash", args![run])? {
        let hash: String = row.get(0)?;
        tx.execute(
            "DELETE FROM long_values WHERE hash = $1 \
             AND NOT EXISTS (SELECT 1 FROM long_value_uses WHERE long_value_uses.hash = long_values.hash)",
            args![&hash],
        )?;
    }
    Ok(())
}
