//! From the rows of a pool to a root.

use pools::{CommitNumber, DataModel, Rows, TableInfo, Tables, TablesError};

use super::event_log::{Applied, EventLog};
use super::size::Room;
use crate::Error;
use crate::post::blocking;

/// Changes read at once while tables of different commits are brought
/// together.
const CHANGES_AT_ONCE: usize = 64;

/// How often a load starts over because a table was replaced meanwhile.
const ATTEMPTS: usize = 10;

/// The rows of all tables, each with its push keys and the commit at which it
/// was read.
type Read = (Vec<(Rows, Vec<String>)>, Vec<CommitNumber>);

/// Loads a data model as it was after a commit, or says that it is not known
/// any more.
///
/// Each table is read as near before the commit as it is still known, and then
/// follows it.
pub async fn load_at(
    tables: &dyn Tables,
    model: &DataModel,
    room: Room,
    through: CommitNumber,
) -> Result<Option<EventLog>, Error> {
    let (mut loaded, mut numbers) = Read::default();
    for info in admitted(tables, model, room).await? {
        let snapshot = match tables.scan_at(model.pool, &info.name, through).await {
            Err(TablesError::Forgotten { .. } | TablesError::UnknownTable { .. }) => return Ok(None),
            snapshot => snapshot?,
        };
        numbers.push(snapshot.number);
        loaded.push((snapshot.rows, info.keys));
    }
    let first = numbers.iter().copied().min().unwrap_or(through);
    let mut log = match packed(model, loaded, first).await {
        // It may have been mended since.
        Err(Error::BadDataModel { .. }) => return Ok(None),
        log => log?,
    };
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
    fitting(model, room, log).map(Some)
}

/// Loads a data model at the head of its pool, if there is room for it.
///
/// Each table is read at its own commit, for there is no way to read several
/// at one; what was committed between the first and the last is then applied
/// on top, to each table from its own number on.
pub async fn load(tables: &dyn Tables, model: &DataModel, room: Room) -> Result<EventLog, Error> {
    'again: for _ in 0..ATTEMPTS {
        let (mut loaded, mut numbers) = Read::default();
        for info in admitted(tables, model, room).await? {
            let snapshot = tables.scan(model.pool, &info.name, None).await?;
            numbers.push(snapshot.number);
            loaded.push((snapshot.rows, info.keys));
        }
        let first = numbers.iter().copied().min().unwrap_or(0);
        let last = numbers.iter().copied().max().unwrap_or(0);
        let mut log = packed(model, loaded, first).await?;
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
        return fitting(model, room, log);
    }
    Err(refused(model, "its tables are being replaced faster than they can be read".into()))
}

fn refused(model: &DataModel, detail: String) -> Error {
    Error::BadDataModel { data_model: model.key.clone(), detail }
}

fn too_large(model: &DataModel, detail: String) -> Error {
    Error::DataModelTooLarge { data_model: model.key.clone(), detail }
}

/// Describes the tables of a data model, unless one is missing or they cannot
/// fit whatever their values are.
async fn admitted(tables: &dyn Tables, model: &DataModel, room: Room) -> Result<Vec<TableInfo>, Error> {
    let mut infos = Vec::new();
    for name in &model.tables {
        let info = tables.table(model.pool, name).await?;
        let missing = || refused(model, format!("table \"{name}\" does not exist in its pool"));
        infos.push(info.ok_or_else(missing)?);
    }
    room.admit(&infos).map_err(|detail| too_large(model, detail))?;
    Ok(infos)
}

/// Packs what was read, on a thread where it may take its time.
async fn packed(model: &DataModel, loaded: Vec<(Rows, Vec<String>)>, number: CommitNumber) -> Result<EventLog, Error> {
    let model = model.clone();
    blocking(move || EventLog::of_rows(&model, loaded, number).map_err(|detail| refused(&model, detail))).await
}

fn fitting(model: &DataModel, room: Room, log: EventLog) -> Result<EventLog, Error> {
    match room.check(&log) {
        Ok(()) => Ok(log),
        Err(detail) => Err(too_large(model, detail)),
    }
}
