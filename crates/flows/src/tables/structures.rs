//! Data structures, and those that a stored text was compiled with.

use base::args;
use base::db::{Error, Row, Tx};

use crate::structure::{Structure, StructureInfo};

const COLUMNS: &str = "name, spec, imported, updated_at";

pub(crate) fn put_structure(tx: &mut dyn Tx, info: &StructureInfo) -> Result<(), Error> {
    let imported = serde_json::Value::from(info.imported_ids.clone()).to_string();
    tx.execute(
        "INSERT INTO structures (name, spec, imported, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET spec = $2, imported = $3, updated_at = $4",
        args![&info.name, info.structure.to_json().to_string(), imported, info.updated_at],
    )?;
    Ok(())
}

pub(crate) fn structures(tx: &mut dyn Tx) -> Result<Vec<StructureInfo>, Error> {
    tx.query(&format!("SELECT {COLUMNS} FROM structures ORDER BY name"), args![])?.iter().map(structure_row).collect()
}

pub(crate) fn structure(tx: &mut dyn Tx, name: &str) -> Result<Option<StructureInfo>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} FROM structures WHERE name = $1"), args![name])?;
    row.as_ref().map(structure_row).transpose()
}

pub(crate) fn delete_structure(tx: &mut dyn Tx, name: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM structures WHERE name = $1", args![name])?;
    Ok(())
}

fn structure_row(row: &Row) -> Result<StructureInfo, Error> {
    let (spec, imported): (String, String) = (row.get(1)?, row.get(2)?);
    // What is written here was read before.
    let spec = serde_json::from_str(&spec).unwrap_or_default();
    Ok(StructureInfo {
        name: row.get(0)?,
        structure: Structure::read(&spec).unwrap_or_default(),
        imported_ids: serde_json::from_str(&imported).unwrap_or_default(),
        updated_at: row.get(3)?,
    })
}

/// Keeps the structures with which a text was compiled, in JSON by name.
pub(crate) fn put_text_structures(tx: &mut dyn Tx, hash: &str, structures: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO text_structures (hash, structures) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        args![hash, structures],
    )?;
    Ok(())
}

pub(crate) fn text_structures(tx: &mut dyn Tx, hash: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT structures FROM text_structures WHERE hash = $1", args![hash])?;
    row.map(|row| row.get(0)).transpose()
}
