//! The verbs about data stores.

use base::db::Tx;
use base::{Actor, audit};
use serde_json::json;

use super::{Flows, check_name};
use crate::error::Error;
use crate::hook::Expected;
use crate::modules::ModuleError;
use crate::store::{Change, Record, StoreInfo, StoreSettings};
use crate::tables::{self, StoreId, StoreRow};
use crate::value::Value;

/// Records of one page at most.
const PAGE_MAX: usize = 1_000;

impl Flows {
    /// Makes a store, or sets what there is of one; its records stay as they
    /// are, also where a new structure would not take them.
    pub async fn put_store(&self, actor: &Actor, name: &str, settings: StoreSettings) -> Result<(), Error> {
        check_name(name)?;
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        let id = StoreId::new(now, &*self.chance).to_string();
        self.db
            .write("flows.put_store", move |tx| {
                if let Some(structure) = settings.structure.as_ref().and_then(Expected::name)
                    && tables::structure(tx, structure)?.is_none()
                {
                    return Err(Error::UnknownStructure { name: structure.to_owned() });
                }
                let before = named(tx, &name)?;
                if before.as_ref().is_some_and(|row| row.info.settings == settings) {
                    return Ok(());
                }
                for number in &settings.imported_ids {
                    free_store_number(tx, *number, &name)?;
                }
                let id = before.as_ref().map_or(&id, |row| &row.id).clone();
                let (records, bytes) = before.as_ref().map_or((0, 0), |row| (row.info.records, row.info.bytes));
                let info =
                    StoreInfo { name: name.clone(), settings: settings.clone(), records, bytes, updated_at: now };
                let row = StoreRow { id, info };
                let verb = if before.is_some() { "update" } else { "create" };
                match &before {
                    None => tables::add_store(tx, &row)?,
                    Some(_) => tables::set_store(tx, &row)?,
                }
                let (before, after) = (before.map(|row| row.info.to_json()), row.info.to_json());
                audit::record(tx, &actor, verb, "data-store", &name, before.as_ref(), Some(&after), now)?;
                Ok(())
            })
            .await
    }

    /// Returns all stores by name.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        let rows = self.db.read("flows.stores", tables::stores).await?;
        Ok(rows.into_iter().map(|row| row.info).collect())
    }

    /// Returns a store.
    pub async fn store(&self, name: &str) -> Result<StoreInfo, Error> {
        let name = name.to_owned();
        self.db.read("flows.store", move |tx| Ok(must_be(tx, &name)?.info)).await
    }

    /// Calls a store otherwise. Flows that name it must be changed too.
    pub async fn rename_store(&self, actor: &Actor, name: &str, to: &str) -> Result<(), Error> {
        check_name(to)?;
        let (actor, name, to, now) = (actor.clone(), name.to_owned(), to.to_owned(), self.clock.now());
        self.db
            .write("flows.rename_store", move |tx| {
                let mut row = must_be(tx, &name)?;
                if name == to {
                    return Ok(());
                }
                if named(tx, &to)?.is_some() {
                    return Err(Error::StoreTaken { name: to.clone() });
                }
                row.info.name.clone_from(&to);
                row.info.updated_at = now;
                tables::set_store(tx, &row)?;
                let (before, after) = (json!({ "name": name }), json!({ "name": to }));
                audit::record(tx, &actor, "rename", "data-store", &name, Some(&before), Some(&after), now)?;
                Ok(())
            })
            .await
    }

    /// Removes a store with all its records.
    pub async fn delete_store(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_store", move |tx| {
                let row = must_be(tx, &name)?;
                tables::delete_store(tx, &row.id)?;
                audit::record(tx, &actor, "delete", "data-store", &name, Some(&row.info.to_json()), None, now)?;
                Ok(())
            })
            .await
    }

    /// Returns records in the order of their keys: those behind the key
    /// `after`, at most `records_max` and 1,000.
    pub async fn store_records(
        &self,
        name: &str,
        after: Option<String>,
        records_max: usize,
    ) -> Result<Vec<Record>, Error> {
        let (name, records_max) = (name.to_owned(), records_max.clamp(1, PAGE_MAX) as u32);
        self.db
            .read("flows.store_records", move |tx| {
                let row = must_be(tx, &name)?;
                Ok(tables::store_records(tx, &row.id, after.as_deref(), records_max)?)
            })
            .await
    }

    /// Returns a record.
    pub async fn store_record(&self, name: &str, key: &str) -> Result<Record, Error> {
        let (name, key) = (name.to_owned(), key.to_owned());
        self.db
            .read("flows.store_record", move |tx| {
                let row = must_be(tx, &name)?;
                let record = tables::store_record(tx, &row.id, &key)?;
                record.ok_or_else(|| Error::UnknownRecord { store: name.clone(), key: key.clone() })
            })
            .await
    }

    /// Puts a record in the place of one of the same key, or adds it.
    pub async fn put_store_record(&self, actor: &Actor, name: &str, key: &str, data: Value) -> Result<(), Error> {
        let change = Change::Add { key: key.to_owned(), data, overwrites: true };
        self.change_by_hand(actor, name, "put-record", key, change).await
    }

    /// Removes a record; none is there is no error.
    pub async fn delete_store_record(&self, actor: &Actor, name: &str, key: &str) -> Result<(), Error> {
        let change = Change::Delete { key: key.to_owned() };
        self.change_by_hand(actor, name, "delete-record", key, change).await
    }

    /// Removes all records of a store.
    pub async fn clear_store(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        self.change_by_hand(actor, name, "clear", "", Change::Clear).await
    }

    /// The audit has which record was changed, and not what is in it.
    async fn change_by_hand(
        &self,
        actor: &Actor,
        name: &str,
        verb: &'static str,
        key: &str,
        change: Change,
    ) -> Result<(), Error> {
        let (actor, name, key, now) = (actor.clone(), name.to_owned(), key.to_owned(), self.clock.now());
        let limits = self.limits().stores.clone();
        self.db
            .write("flows.change_store_by_hand", move |tx| {
                let row = must_be(tx, &name)?;
                if let Err(error) = tables::change_records(tx, &row, &change, &limits, now)? {
                    let ModuleError { message, .. } = error;
                    return Err(Error::BadRecord { store: name.clone(), detail: message });
                }
                let after = json!({"key": key});
                audit::record(tx, &actor, verb, "data-store", &name, None, Some(&after), now)?;
                Ok(())
            })
            .await
    }
}

/// Finds a store by its name only.
fn named(tx: &mut dyn Tx, name: &str) -> Result<Option<StoreRow>, Error> {
    Ok(tables::stores(tx)?.into_iter().find(|row| row.info.name == name))
}

fn must_be(tx: &mut dyn Tx, name: &str) -> Result<StoreRow, Error> {
    named(tx, name)?.ok_or_else(|| Error::UnknownStore { name: name.to_owned() })
}

/// Lets a store stand for a number; returns which one did before.
pub(super) fn map_store(
    tx: &mut dyn Tx,
    number: u64,
    name: &str,
    now: base::Timestamp,
) -> Result<Option<String>, Error> {
    let mut row = must_be(tx, name)?;
    let before = free_store_number(tx, number, name)?;
    if row.info.settings.imported_ids.contains(&number) {
        return Ok(Some(name.to_owned()));
    }
    row.info.settings.imported_ids.push(number);
    row.info.updated_at = now;
    tables::set_store(tx, &row)?;
    Ok(before)
}

/// What another store stood for before, it does no longer; returns which.
fn free_store_number(tx: &mut dyn Tx, number: u64, but: &str) -> Result<Option<String>, Error> {
    for mut row in tables::stores(tx)? {
        if row.info.name != but && row.info.settings.imported_ids.contains(&number) {
            row.info.settings.imported_ids.retain(|id| *id != number);
            tables::set_store(tx, &row)?;
            return Ok(Some(row.info.name));
        }
    }
    Ok(None)
}
