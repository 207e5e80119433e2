//! The SQL of imports: one function per statement.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use super::import::{Document, ImportFile};
use crate::{ChunkId, ImportId, PoolId, PushJobId};

/// Imports that a list shows at most.
const IMPORTS_LISTED_MAX: usize = 1_000;

/// An import as its row tells it.
pub(crate) struct ImportRow {
    pub(crate) id: ImportId,
    pub(crate) pool: PoolId,
    pub(crate) document: Document,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: String,
    pub(crate) committed: bool,
}

const IMPORT: &str = "id, pool, document, created_at, created_by, committed_at";

fn import_of(row: &Row) -> Result<ImportRow, Error> {
    let committed_at: Option<Timestamp> = row.get(5)?;
    Ok(ImportRow {
        id: row.get(0)?,
        pool: row.get(1)?,
        document: serde_json::from_str(&row.get::<String>(2)?).map_err(|_| Error::Shape { column: 2 })?,
        created_at: row.get(3)?,
        created_by: row.get(4)?,
        committed: committed_at.is_some(),
    })
}

fn json(document: &Document) -> String {
    serde_json::to_string(document).expect("our own documents are JSON")
}

pub(crate) fn insert(tx: &mut dyn Tx, import: &ImportRow, files: &[ImportFile]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO imports (id, pool, document, created_at, created_by) VALUES ($1, $2, $3, $4, $5)",
        args![import.id, import.pool, json(&import.document), import.created_at, &import.created_by],
    )?;
    for (place, file) in files.iter().enumerate() {
        tx.execute(
            "INSERT INTO import_files (id, import, place, name, checksum, bytes) VALUES ($1, $2, $3, $4, $5, $6)",
            args![file.id, import.id, place as u64, &file.name, &file.checksum, file.bytes],
        )?;
    }
    Ok(())
}

pub(crate) fn import(tx: &mut dyn Tx, id: ImportId) -> Result<Option<ImportRow>, Error> {
    tx.query_one(&format!("SELECT {IMPORT} FROM imports WHERE id = $1"), args![id])?.as_ref().map(import_of).transpose()
}

pub(crate) fn imports(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<ImportRow>, Error> {
    let statement = format!("SELECT {IMPORT} FROM imports WHERE pool = $1 ORDER BY id DESC LIMIT {IMPORTS_LISTED_MAX}");
    tx.query(&statement, args![pool])?.iter().map(import_of).collect()
}

pub(crate) fn files(tx: &mut dyn Tx, import: ImportId) -> Result<Vec<ImportFile>, Error> {
    let statement = "SELECT id, name, checksum, bytes FROM import_files WHERE import = $1 ORDER BY place";
    let rows = tx.query(statement, args![import])?;
    let file =
        |row: &Row| Ok(ImportFile { id: row.get(0)?, name: row.get(1)?, checksum: row.get(2)?, bytes: row.get(3)? });
    rows.iter().map(file).collect()
}

/// Returns the files that an import still waits with.
pub(crate) fn files_needed(tx: &mut dyn Tx) -> Result<Vec<ChunkId>, Error> {
    tx.query("SELECT id FROM import_files", args![])?.iter().map(|row| row.get(0)).collect()
}

pub(crate) fn set_document(tx: &mut dyn Tx, id: ImportId, document: &Document) -> Result<(), Error> {
    tx.execute("UPDATE imports SET document = $2 WHERE id = $1", args![id, json(document)])?;
    Ok(())
}

/// Says that an import is committed; false if it was before.
pub(crate) fn set_committed(tx: &mut dyn Tx, id: ImportId, now: Timestamp) -> Result<bool, Error> {
    let moved =
        tx.execute("UPDATE imports SET committed_at = $2 WHERE id = $1 AND committed_at IS NULL", args![id, now])?;
    Ok(moved == 1)
}

pub(crate) fn delete_files(tx: &mut dyn Tx, import: ImportId) -> Result<(), Error> {
    tx.execute("DELETE FROM import_files WHERE import = $1", args![import])?;
    Ok(())
}

pub(crate) fn insert_job(
    tx: &mut dyn Tx,
    import: ImportId,
    place: usize,
    job: PushJobId,
    table: &str,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO import_jobs (import, place, job, table_name) VALUES ($1, $2, $3, $4)",
        args![import, place as u64, job, table],
    )?;
    Ok(())
}

pub(crate) fn jobs(tx: &mut dyn Tx, import: ImportId) -> Result<Vec<(PushJobId, String)>, Error> {
    let statement = "SELECT job, table_name FROM import_jobs WHERE import = $1 ORDER BY place";
    tx.query(statement, args![import])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub(crate) fn delete(tx: &mut dyn Tx, id: ImportId) -> Result<(), Error> {
    tx.execute("DELETE FROM import_jobs WHERE import = $1", args![id])?;
    tx.execute("DELETE FROM import_files WHERE import = $1", args![id])?;
    tx.execute("DELETE FROM imports WHERE id = $1", args![id])?;
    Ok(())
}

/// Returns imports that nobody comes back to: staged before the one time, or
/// committed before the other.
pub(crate) fn stale(
    tx: &mut dyn Tx,
    staged_before: Timestamp,
    committed_before: Timestamp,
) -> Result<Vec<ImportId>, Error> {
    let rows = tx.query(
        "SELECT id FROM imports WHERE committed_at IS NULL AND created_at < $1 OR committed_at < $2 LIMIT 100",
        args![staged_before, committed_before],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}
