//! Data stores, their records, and changes that wait for the end of a cycle.

use std::collections::BTreeMap;

use base::args;
use base::db::{Error, Row, Tx};
use base::{Timestamp, id};

use crate::hook::Expected;
use crate::modules::{Class, ModuleError, Settled};
use crate::run::RunId;
use crate::store::{Change, Record, Shelf, StoreInfo, StoreLimits, StoreSettings, judged};
use crate::structure::Structure;
use crate::value::Value;

/// Records read at once.
const PAGE: u32 = 500;

id! {
    /// Names a store, whatever it is called.
    pub(crate) StoreId
}

/// A store with what its records are held against.
#[derive(Clone, Debug)]
pub(crate) struct StoreRow {
    pub(crate) id: String,
    pub(crate) info: StoreInfo,
}

const COLUMNS: &str = "id, name, structure, imported, records, bytes, updated_at";

pub(crate) fn stores(tx: &mut dyn Tx) -> Result<Vec<StoreRow>, Error> {
    tx.query(&format!("SELECT {COLUMNS} FROM data_stores ORDER BY name"), args![])?.iter().map(store_row).collect()
}

/// Finds a store by its name, or by the number under which a blueprint names it.
pub(crate) fn store(tx: &mut dyn Tx, name: &str) -> Result<Option<StoreRow>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} FROM data_stores WHERE name = $1"), args![name])?;
    if let Some(row) = row {
        return store_row(&row).map(Some);
    }
    let Ok(number) = name.strip_prefix("datastore:").unwrap_or(name).parse::<u64>() else { return Ok(None) };
    Ok(stores(tx)?.into_iter().find(|row| row.info.settings.imported_ids.contains(&number)))
}

fn store_row(row: &Row) -> Result<StoreRow, Error> {
    let (structure, imported): (String, String) = (row.get(2)?, row.get(3)?);
    // What is written here was read before.
    let structure: serde_json::Value = serde_json::from_str(&structure).unwrap_or_default();
    let settings = StoreSettings {
        structure: if structure.is_null() { None } else { Expected::read(&structure).ok() },
        imported_ids: serde_json::from_str(&imported).unwrap_or_default(),
    };
    let info =
        StoreInfo { name: row.get(1)?, settings, records: row.get(4)?, bytes: row.get(5)?, updated_at: row.get(6)? };
    Ok(StoreRow { id: row.get(0)?, info })
}

pub(crate) fn add_store(tx: &mut dyn Tx, row: &StoreRow) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO data_stores (id, name, structure, imported, records, bytes, updated_at) \
         VALUES ($1, $2, 'null', '[]', 0, 0, $3)",
        args![&row.id, &row.info.name, row.info.updated_at],
    )?;
    set_store(tx, row)
}

/// Writes name and settings of a store.
pub(crate) fn set_store(tx: &mut dyn Tx, row: &StoreRow) -> Result<(), Error> {
    let StoreInfo { name, settings, updated_at, .. } = &row.info;
    let structure = settings.structure.as_ref().map_or(serde_json::Value::Null, Expected::to_json).to_string();
    let imported = serde_json::Value::from(settings.imported_ids.clone()).to_string();
    tx.execute(
        "UPDATE data_stores SET name = $2, structure = $3, imported = $4, updated_at = $5 WHERE id = $1",
        args![&row.id, name, structure, imported, *updated_at],
    )?;
    Ok(())
}

pub(crate) fn delete_store(tx: &mut dyn Tx, id: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM store_records WHERE store = $1", args![id])?;
    tx.execute("DELETE FROM store_changes WHERE store = $1", args![id])?;
    tx.execute("DELETE FROM data_stores WHERE id = $1", args![id])?;
    Ok(())
}

/// Returns records in the order of their keys, those behind `after`.
pub(crate) fn store_records(
    tx: &mut dyn Tx,
    store: &str,
    after: Option<&str>,
    records_max: u32,
) -> Result<Vec<Record>, Error> {
    let rows = match after {
        Some(after) => tx.query(
            "SELECT key, data, updated_at FROM store_records WHERE store = $1 AND key > $2 ORDER BY key LIMIT $3",
            args![store, after, records_max],
        )?,
        None => tx.query(
            "SELECT key, data, updated_at FROM store_records WHERE store = $1 ORDER BY key LIMIT $2",
            args![store, records_max],
        )?,
    };
    rows.iter().map(|row| Ok(Record { key: row.get(0)?, data: read(row.get(1)?), updated_at: row.get(2)? })).collect()
}

/// Returns a record.
pub(crate) fn store_record(tx: &mut dyn Tx, store: &str, key: &str) -> Result<Option<Record>, Error> {
    let sql = "SELECT key, data, updated_at FROM store_records WHERE store = $1 AND key = $2";
    let row = tx.query_one(sql, args![store, key])?;
    row.map(|row| Ok(Record { key: row.get(0)?, data: read(row.get(1)?), updated_at: row.get(2)? })).transpose()
}

fn read(data: String) -> Value {
    Value::from_stored(serde_json::from_str(&data).unwrap_or_default())
}

fn stored(tx: &mut dyn Tx, store: &str, key: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT data FROM store_records WHERE store = $1 AND key = $2", args![store, key])?;
    row.map(|row| row.get(0)).transpose()
}

/// What a store says about its records.
fn structure_of(tx: &mut dyn Tx, store: &StoreRow) -> Result<Option<Structure>, Error> {
    Ok(match &store.info.settings.structure {
        None => None,
        Some(Expected::Written(structure)) => Some(structure.clone()),
        Some(Expected::Named(name)) => super::structure(tx, name)?.map(|info| info.structure),
    })
}

/// Records of a store as a run sees them: with its own changes that are not
/// committed yet.
pub(crate) struct SeenBy<'a> {
    tx: &'a mut dyn Tx,
    store: &'a StoreRow,
    run: Option<RunId>,
    structure: Option<Structure>,
    limits: &'a StoreLimits,
}

impl<'a> SeenBy<'a> {
    pub(crate) fn new(
        tx: &'a mut dyn Tx,
        store: &'a StoreRow,
        run: Option<RunId>,
        limits: &'a StoreLimits,
    ) -> Result<Self, Error> {
        let structure = structure_of(tx, store)?;
        Ok(SeenBy { tx, store, run, structure, limits })
    }

    /// Returns its changes: those of a record, or all.
    fn changes(&mut self, key: Option<&str>) -> Result<Vec<Change>, Error> {
        let Some(run) = self.run else { return Ok(Vec::new()) };
        let rows = match key {
            Some(key) => self.tx.query(
                "SELECT change FROM store_changes WHERE run = $1 AND store = $2 AND (key = $3 OR key IS NULL) \
                 ORDER BY number",
                args![run, &self.store.id, key],
            )?,
            None => self.tx.query(
                "SELECT change FROM store_changes WHERE run = $1 AND store = $2 ORDER BY number",
                args![run, &self.store.id],
            )?,
        };
        let texts = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
        Ok(texts.iter().filter_map(|text| change_of(text)).collect())
    }

    /// What changes make of a record. One that others have made impossible
    /// meanwhile is told when the cycle is committed.
    fn changed<'c>(&self, changes: impl Iterator<Item = &'c Change>, data: Option<Value>) -> Option<Value> {
        changes.fold(data, |data, change| {
            let Ok(changed) = change.apply(data.clone()) else { return data };
            let changed = changed?;
            judged(changed, self.structure.as_ref(), self.limits).map_or(data, |(changed, _)| Some(changed))
        })
    }

    fn committed(&mut self, each: &mut dyn FnMut(&str, Value) -> bool) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let page = store_records(self.tx, &self.store.id, after.as_deref(), PAGE)?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map(|record| record.key.clone());
            for record in page {
                if !each(&record.key, record.data) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

impl Shelf for SeenBy<'_> {
    type Error = Error;

    fn record(&mut self, key: &str) -> Result<Option<Value>, Error> {
        let before = stored(self.tx, &self.store.id, key)?.map(read);
        let changes = self.changes(Some(key))?;
        Ok(self.changed(changes.iter(), before))
    }

    fn each(&mut self, each: &mut dyn FnMut(&str, Value) -> bool) -> Result<(), Error> {
        let changes = self.changes(None)?;
        if changes.is_empty() {
            return self.committed(each);
        }
        let is_cleared = changes.contains(&Change::Clear);
        let mut of_key: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for key in changes.iter().filter_map(Change::key) {
            of_key.entry(key).or_default();
        }
        for change in &changes {
            match change.key() {
                Some(key) => of_key.entry(key).or_default().push(change),
                None => of_key.values_mut().for_each(|changes| changes.push(change)),
            }
        }
        let mut records: BTreeMap<String, Option<Value>> = of_key.keys().map(|key| ((*key).to_owned(), None)).collect();
        self.committed(&mut |key, data| {
            if !is_cleared || of_key.contains_key(key) {
                records.insert(key.to_owned(), Some(data));
            }
            true
        })?;
        for (key, data) in records {
            let data = match of_key.get(key.as_str()) {
                Some(changes) => self.changed(changes.iter().copied(), data),
                None => data,
            };
            if let Some(data) = data
                && !each(&key, data)
            {
                break;
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<u64, Error> {
        if self.changes(None)?.is_empty() {
            return Ok(self.store.info.records);
        }
        let mut records = 0;
        self.each(&mut |_, _| {
            records += 1;
            true
        })?;
        Ok(records)
    }
}

fn change_of(text: &str) -> Option<Change> {
    Change::from_stored(&serde_json::from_str(text).ok()?)
}

/// Makes a change, at once or when the cycle of its run is committed, and
/// remembers what came of it: the same effect again has the same result.
pub(crate) fn change_store(
    tx: &mut dyn Tx,
    name: &str,
    change: &Change,
    effect: (RunId, u64),
    at_once: bool,
    limits: &StoreLimits,
    now: Timestamp,
) -> Result<Result<Settled, ModuleError>, Error> {
    let (run, number) = effect;
    let sql = "SELECT result FROM store_results WHERE run = $1 AND number = $2";
    if let Some(row) = tx.query_one(sql, args![run, number])? {
        let known: String = row.get(0)?;
        if let Some(settled) = Settled::from_stored(serde_json::from_str(&known).unwrap_or_default()) {
            return Ok(Ok(settled));
        }
    }
    let Some(store) = store(tx, name)? else { return Ok(Err(no_store(name))) };
    let made = if at_once {
        make(tx, &store, change, limits, now)?
    } else {
        // Whether it can be done is told now, and done it is at the commit.
        let mut seen = SeenBy::new(tx, &store, Some(run), limits)?;
        let judged = match change.key() {
            None => Ok(()),
            Some(key) => {
                let before = seen.record(key)?;
                let structure = seen.structure.clone();
                change
                    .apply(before)
                    .and_then(|data| data.map_or(Ok(()), |data| judged(data, structure.as_ref(), limits).map(|_| ())))
            }
        };
        if judged.is_ok() {
            tx.execute(
                "INSERT INTO store_changes (run, number, store, key, change) VALUES ($1, $2, $3, $4, $5)",
                args![run, number, &store.id, change.key(), change.to_stored().to_string()],
            )?;
        }
        judged
    };
    if let Err(error) = made {
        return Ok(Err(error));
    }
    let settled = Settled::new(Ok(vec![change.told()]));
    tx.execute(
        "INSERT INTO store_results (run, number, result) VALUES ($1, $2, $3) \
         ON CONFLICT (run) DO UPDATE SET number = excluded.number, result = excluded.result",
        args![run, number, settled.to_stored().to_string()],
    )?;
    Ok(Ok(settled))
}

/// Says that a store is not here, and what to do about one that a flow
/// brought along.
pub(crate) fn no_store(name: &str) -> ModuleError {
    let message = match name.strip_prefix("datastore:") {
        Some(_) => {
            format!("no data store stands for \"{name}\": `loopwright flow map {name} STORE` says which one does")
        }
        None => format!("data store \"{name}\" does not exist: `loopwright data-stores create {name}` makes it"),
    };
    ModuleError::new(Class::InvalidConfigurationError, message)
}

/// What changes come to in one store.
struct Outcome {
    store: StoreRow,
    clears: bool,
    /// The data of each record that changes, in its stored form.
    records: BTreeMap<String, Option<String>>,
    /// Its records and their bytes afterwards.
    has: (i64, i64),
}

/// Changes records; nothing is changed if that is refused.
pub(crate) fn make(
    tx: &mut dyn Tx,
    store: &StoreRow,
    change: &Change,
    limits: &StoreLimits,
    now: Timestamp,
) -> Result<Result<(), ModuleError>, Error> {
    let mut outcome = Outcome::none(store.clone());
    match outcome.take(tx, change, limits)? {
        Ok(()) => outcome.write(tx, now).map(Ok),
        refused => Ok(refused),
    }
}

impl Outcome {
    fn none(store: StoreRow) -> Self {
        let has = (store.info.records as i64, store.info.bytes as i64);
        Outcome { store, clears: false, records: BTreeMap::new(), has }
    }

    /// Takes one more change in.
    fn take(
        &mut self,
        tx: &mut dyn Tx,
        change: &Change,
        limits: &StoreLimits,
    ) -> Result<Result<(), ModuleError>, Error> {
        let Some(key) = change.key() else {
            self.records.clear();
            self.clears = true;
            self.has = (0, 0);
            return Ok(Ok(()));
        };
        let before = match self.records.get(key) {
            Some(before) => before.clone(),
            None if self.clears => None,
            None => stored(tx, &self.store.id, key)?,
        };
        let size = |data: &Option<String>| data.as_ref().map_or(0, |data| (data.len() + key.len()) as i64);
        let (was_there, bytes_before) = (before.is_some(), size(&before));
        let structure = structure_of(tx, &self.store)?;
        let after = change.apply(before.map(read)).and_then(|data| match data {
            Some(data) => judged(data, structure.as_ref(), limits).map(|(_, stored)| Some(stored)),
            None => Ok(None),
        });
        let after = match after {
            Ok(after) => after,
            Err(error) => return Ok(Err(error)),
        };
        let (more, more_bytes) = (i64::from(after.is_some()) - i64::from(was_there), size(&after) - bytes_before);
        let (records, bytes) = (self.has.0 + more, self.has.1 + more_bytes);
        let full = |what: String| {
            let message = format!("data store \"{}\" is full: {what}", self.store.info.name);
            Ok(Err(ModuleError::new(Class::OutOfSpaceError, message)))
        };
        if more > 0 && records > limits.records_max as i64 {
            return full(format!("{} records are allowed (data_store_records_max)", limits.records_max));
        }
        if more_bytes > 0 && bytes > limits.bytes_max as i64 {
            return full(format!("{} bytes are allowed (data_store_bytes_max)", limits.bytes_max));
        }
        self.has = (records, bytes);
        self.records.insert(key.to_owned(), after);
        Ok(Ok(()))
    }

    fn write(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<(), Error> {
        let id = &self.store.id;
        if self.clears {
            tx.execute("DELETE FROM store_records WHERE store = $1", args![id])?;
        }
        for (key, data) in &self.records {
            match data {
                Some(data) => tx.execute(
                    "INSERT INTO store_records (store, key, data, updated_at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (store, key) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at",
                    args![id, key, data, now],
                )?,
                None => tx.execute("DELETE FROM store_records WHERE store = $1 AND key = $2", args![id, key])?,
            };
        }
        let sql = "UPDATE data_stores SET records = $2, bytes = $3, updated_at = $4 WHERE id = $1";
        tx.execute(sql, args![id, self.has.0, self.has.1, now])?;
        Ok(())
    }
}

/// What the changes of a run up to an effect come to, or why they cannot be
/// committed. It writes nothing.
fn outcomes(
    tx: &mut dyn Tx,
    run: RunId,
    up_to: u64,
    limits: &StoreLimits,
) -> Result<Result<Vec<Outcome>, String>, Error> {
    let waiting = waiting(tx, run, up_to)?;
    if waiting.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let mut outcomes: Vec<Outcome> = stores(tx)?.into_iter().map(Outcome::none).collect();
    let mut changed = std::collections::BTreeSet::new();
    for (id, change) in waiting {
        // Who removes a store forgets what was to change in it.
        let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.store.id == id) else { continue };
        if let Err(error) = outcome.take(tx, &change, limits)? {
            return Ok(Err(format!("data store \"{}\": {error}", outcome.store.info.name)));
        }
        changed.insert(id);
    }
    outcomes.retain(|outcome| changed.contains(&outcome.store.id));
    Ok(Ok(outcomes))
}

/// Tells why the changes of a run up to an effect cannot be committed, if so.
pub(super) fn cannot_commit(
    tx: &mut dyn Tx,
    run: RunId,
    up_to: u64,
    limits: &StoreLimits,
) -> Result<Option<String>, Error> {
    Ok(outcomes(tx, run, up_to, limits)?.err())
}

/// Commits the changes of a run up to an effect.
pub(super) fn commit_changes(
    tx: &mut dyn Tx,
    run: RunId,
    up_to: u64,
    limits: &StoreLimits,
    now: Timestamp,
) -> Result<(), Error> {
    for outcome in outcomes(tx, run, up_to, limits)?.unwrap_or_default() {
        outcome.write(tx, now)?;
    }
    tx.execute("DELETE FROM store_changes WHERE run = $1 AND number <= $2", args![run, up_to])?;
    Ok(())
}

/// Ends what a run may change, as a barrier does.
#[cfg(test)]
pub(crate) fn end_changes(tx: &mut dyn Tx, run: RunId, up_to: u64, limits: &StoreLimits) -> Result<(), Error> {
    if cannot_commit(tx, run, up_to, limits)?.is_none() {
        commit_changes(tx, run, up_to, limits, Timestamp::EPOCH)?;
    }
    forget_changes(tx, run)
}

/// Forgets the changes of a run that were not committed.
pub(super) fn forget_changes(tx: &mut dyn Tx, run: RunId) -> Result<(), Error> {
    tx.execute("DELETE FROM store_changes WHERE run = $1", args![run])?;
    Ok(())
}

fn waiting(tx: &mut dyn Tx, run: RunId, up_to: u64) -> Result<Vec<(String, Change)>, Error> {
    let sql = "SELECT store, change FROM store_changes WHERE run = $1 AND number <= $2 ORDER BY number";
    let mut waiting = Vec::new();
    for row in tx.query(sql, args![run, up_to])? {
        if let Some(change) = change_of(&row.get::<String>(1)?) {
            waiting.push((row.get(0)?, change));
        }
    }
    Ok(waiting)
}
