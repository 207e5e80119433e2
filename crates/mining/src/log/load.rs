//! From the rows of a pool to a root.

use pools::{CommitNumber, DataModel, Tables, TablesError};

use super::event_log::{Applied, EventLog};
use crate::Error;

/// Changes read at once while tables of different commits are brought
/// together.
const CHANGES_AT_ONCE: usize = 64;

/// How often a load starts over because a table was replaced meanwhile.
const ATTEMPTS: usize = 10;

/// Loads a data model as it was after a commit, or says that it is not known
/// any more.
///
/// Each table is read as near before the commit as it is still known, and then
/// follows it.
pub async fn load_at(tables: &dyn Tables, model: &DataModel, through: CommitNumber) -> Result<Option<EventLog>, Error> {
    let refused = |detail: String| Error::BadDataModel { data_model: model.key.clone(), detail };
    let mut loaded = Vec::new();
    let mut numbers = Vec::new();
    for name in &model.tables {
        let Some(info) = tables.table(model.pool, name).await? else { return Ok(None) };
        let snapshot = match tables.scan_at(model.pool, name, through).await {
            Err(TablesError::Forgotten { .. } | TablesError::UnknownTable { .. }) => return Ok(None),
            snapshot => snapshot?,
        };
        numbers.push(snapshot.number);
        loaded.push((snapshot.rows, info.keys));
    }
    let first = numbers.iter().copied().min().unwrap_or(through);
    let mut log = EventLog::new(model, &loaded, first).map_err(refused)?;
    while log.number < through {
        let changes = match tables.changes(model.pool, log.number, CHANGES_AT_ONCE).await {
            Err(TablesError::Forgotten { .. }) => return Ok(None),
            changes => changes?,
        };
        let (before, of_now): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.number <= through);
        for change in &before {
            let place = model.tables.iter().position(|name| name.eq_ignore_ascii_case(&change.table));
            if place.is_some_and(|place| change.number <= numbers[place]) {
                log.number = change.number;
            } else if let Applied::Reload = log.apply(change) {
                return Ok(None);
            }
        }
        if before.is_empty() || !of_now.is_empty() {
            log.number = through;
        }
    }
    Ok(Some(log))
}

/// Loads a data model at the head of its pool.
///
/// Each table is read at its own commit, for there is no way to read several
/// at one; what was committed between the first and the last is then applied
/// on top, to each table from its own number on.
pub async fn load(tables: &dyn Tables, model: &DataModel) -> Result<EventLog, Error> {
    let refused = |detail: String| Error::BadDataModel { data_model: model.key.clone(), detail };
    'again: for _ in 0..ATTEMPTS {
        let mut loaded = Vec::new();
        let mut numbers = Vec::new();
        for name in &model.tables {
            let info = tables.table(model.pool, name).await?;
            let info = info.ok_or_else(|| refused(format!("table \"{name}\" does not exist in its pool")))?;
            let snapshot = tables.scan(model.pool, name, None).await?;
            numbers.push(snapshot.number);
            loaded.push((snapshot.rows, info.keys));
        }
        let first = numbers.iter().copied().min().unwrap_or(0);
        let last = numbers.iter().copied().max().unwrap_or(0);
        let mut log = EventLog::new(model, &loaded, first).map_err(refused)?;
        // They are packed; what follows has the memory that they took.
        drop(loaded);
        while log.number < last {
            let changes = match tables.changes(model.pool, log.number, CHANGES_AT_ONCE).await {
                // The first table is older than what is kept; read it again.
                Err(TablesError::Forgotten { .. }) => continue 'again,
                changes => changes?,
            };
            if changes.is_empty() {
                break;
            }
            for change in changes {
                let place = model.tables.iter().position(|name| name.eq_ignore_ascii_case(&change.table));
                if place.is_some_and(|place| change.number <= numbers[place]) {
                    log.number = change.number;
                    continue;
                }
                if let Applied::Reload = log.apply(&change) {
                    continue 'again;
                }
            }
        }
        return Ok(log);
    }
    Err(refused("its tables are being replaced faster than they can be read".into()))
}
