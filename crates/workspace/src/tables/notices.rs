//! The SQL of notification destinations, and of what is still to be told.

use base::Timestamp;
use base::args;
use base::db::{Row, Tx};

use super::shape;
use crate::RunId;
use crate::destinations::{Destination, DestinationSort};
use crate::error::Error;
use crate::notices::{Notice, RunEvent};

const DESTINATION: &str = "SELECT id, display_name, sort, sealed, created_at FROM workspace_destinations";

fn destination_of(row: &Row) -> Result<(Destination, Vec<u8>), Error> {
    let sort = DestinationSort::parse(&row.get::<String>(2)?).ok_or_else(|| shape(2))?;
    let destination = Destination { id: row.get(0)?, display_name: row.get(1)?, sort, created_at: row.get(4)? };
    Ok((destination, row.get(3)?))
}

/// Stores a destination, be it new or changed.
pub(crate) fn put_destination(tx: &mut dyn Tx, destination: &Destination, sealed: &[u8]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_destinations (id, display_name, sort, sealed, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET display_name = EXCLUDED.display_name, sort = EXCLUDED.sort, \
         sealed = EXCLUDED.sealed",
        args![&destination.id, &destination.display_name, destination.sort.as_str(), sealed, destination.created_at],
    )?;
    Ok(())
}

/// Finds a destination with its sealed address.
pub(crate) fn destination(tx: &mut dyn Tx, id: &str) -> Result<Option<(Destination, Vec<u8>)>, Error> {
    tx.query_one(&format!("{DESTINATION} WHERE id = $1"), args![id])?.as_ref().map(destination_of).transpose()
}

/// Lists the destinations, oldest first.
pub(crate) fn destinations(tx: &mut dyn Tx) -> Result<Vec<(Destination, Vec<u8>)>, Error> {
    tx.query(&format!("{DESTINATION} ORDER BY created_at, id"), args![])?.iter().map(destination_of).collect()
}

/// Removes a destination, with what it was still to be told.
pub(crate) fn delete_destination(tx: &mut dyn Tx, id: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM workspace_notices WHERE destination_id = $1", args![id])?;
    Ok(tx.execute("DELETE FROM workspace_destinations WHERE id = $1", args![id])? > 0)
}

/// Writes down what is to be told. The same once more changes nothing.
pub(crate) fn insert_notice(tx: &mut dyn Tx, notice: &Notice) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_notices (id, destination_id, run_id, event, told, attempts, due_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        args![
            &notice.id,
            &notice.destination,
            notice.run,
            notice.event.as_str(),
            notice.told.to_string(),
            notice.attempts,
            notice.due_at,
            notice.created_at
        ],
    )?;
    Ok(())
}

fn notice_of(row: &Row) -> Result<Notice, Error> {
    Ok(Notice {
        id: row.get(0)?,
        destination: row.get(1)?,
        run: row.get::<RunId>(2)?,
        event: RunEvent::parse(&row.get::<String>(3)?).ok_or_else(|| shape(3))?,
        told: serde_json::from_str(&row.get::<String>(4)?).map_err(|_| shape(4))?,
        attempts: row.get(5)?,
        due_at: row.get(6)?,
        created_at: row.get(7)?,
    })
}

/// Lists what is to be told now, oldest first.
pub(crate) fn due_notices(tx: &mut dyn Tx, now: Timestamp, most: u32) -> Result<Vec<Notice>, Error> {
    let sql = "SELECT id, destination_id, run_id, event, told, attempts, due_at, created_at FROM workspace_notices \
               WHERE due_at <= $1 ORDER BY due_at, created_at, id LIMIT $2";
    tx.query(sql, args![now, most])?.iter().map(notice_of).collect()
}

/// Returns when the next attempt to tell something is due.
pub(crate) fn next_notice(tx: &mut dyn Tx) -> Result<Option<Timestamp>, Error> {
    let row = tx.query_one("SELECT MIN(due_at) FROM workspace_notices", args![])?;
    Ok(row.map_or(Ok(None), |row| row.get(0))?)
}

/// Remembers that an attempt failed.
pub(crate) fn put_off_notice(tx: &mut dyn Tx, id: &str, attempts: u32, due_at: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE workspace_notices SET attempts = $2, due_at = $3 WHERE id = $1", args![id, attempts, due_at])?;
    Ok(())
}

pub(crate) fn delete_notice(tx: &mut dyn Tx, id: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_notices WHERE id = $1", args![id])?;
    Ok(())
}
