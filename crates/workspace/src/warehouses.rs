//! SQL warehouses: names under which statements are asked.
//!
//! There is one engine, so a warehouse costs nothing and sizes mean nothing;
//! but clients look for one, start it, stop it. One called `local` is there
//! from the beginning. A stopped one starts by itself when a statement comes,
//! as the real ones do.

use base::db::{Row, Tx};
use base::{Actor, Timestamp, args};
use serde_json::{Map, Value as Json, json};

use crate::data_error::DataError;
use crate::workspace::{Workspace, note};

/// A warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct Warehouse {
    /// Its id.
    pub id: String,
    /// Its name; unique.
    pub name: String,
    /// Who made it.
    pub creator: String,
    /// Whether it runs.
    pub is_running: bool,
    /// What was said about it besides; given back as it came.
    pub settings: Map<String, Json>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Workspace {
    /// Lists the warehouses.
    pub async fn warehouses(&self) -> Result<Vec<Warehouse>, DataError> {
        self.db
            .read("workspace.warehouses", |tx| {
                let rows = tx.query(&format!("{WAREHOUSE} ORDER BY created_at, id"), args![])?;
                rows.iter().map(warehouse_of).collect()
            })
            .await
    }

    /// Returns a warehouse.
    pub async fn warehouse(&self, id: &str) -> Result<Warehouse, DataError> {
        let id = id.to_owned();
        self.db.read("workspace.warehouse", move |tx| one(tx, &id)).await
    }

    /// Makes a warehouse, which runs at once.
    pub async fn create_warehouse(
        &self,
        actor: &Actor,
        name: &str,
        settings: Map<String, Json>,
    ) -> Result<Warehouse, DataError> {
        must_administer(actor)?;
        let name = named(name)?;
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        let now = self.clock.now();
        let creator = actor.name.clone();
        let made = Warehouse { id: hex::encode(bytes), name, creator, is_running: true, settings, created_at: now };
        let (actor, known) = (actor.clone(), made.clone());
        self.db
            .write("workspace.create_warehouse", move |tx| {
                let added = tx.execute(
                    "INSERT INTO workspace_warehouses (id, name, creator, is_running, settings, created_at) \
                     VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (name) DO NOTHING",
                    args![&known.id, &known.name, &known.creator, json!(known.settings).to_string(), now],
                )?;
                if added == 0 {
                    return Err(DataError::Exists(format!("there is already a warehouse \"{}\"", known.name)));
                }
                let after = json!({ "name": known.name });
                note(tx, &actor, "create", "sql-warehouse", &known.id, (None, Some(after)), now)?;
                Ok(())
            })
            .await?;
        Ok(made)
    }

    /// Changes name and settings of a warehouse.
    pub async fn edit_warehouse(
        &self,
        actor: &Actor,
        id: &str,
        name: Option<&str>,
        settings: Map<String, Json>,
    ) -> Result<(), DataError> {
        must_administer(actor)?;
        let name = name.map(named).transpose()?;
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.edit_warehouse", move |tx| {
                let before = one(tx, &id)?;
                let name = name.clone().unwrap_or(before.name.clone());
                let mut merged = before.settings.clone();
                merged.extend(settings.clone());
                let taken = tx
                    .query_one("SELECT id FROM workspace_warehouses WHERE name = $1 AND id <> $2", args![&name, &id])?;
                if taken.is_some() {
                    return Err(DataError::Exists(format!("there is already a warehouse \"{name}\"")));
                }
                tx.execute(
                    "UPDATE workspace_warehouses SET name = $2, settings = $3 WHERE id = $1",
                    args![&id, &name, json!(merged).to_string()],
                )?;
                let (before, after) = (json!({ "name": before.name }), json!({ "name": name }));
                note(tx, &actor, "update", "sql-warehouse", &id, (Some(before), Some(after)), now)?;
                Ok(())
            })
            .await
    }

    /// Starts or stops a warehouse. What runs on it goes on.
    pub async fn run_warehouse(&self, actor: &Actor, id: &str, runs: bool) -> Result<(), DataError> {
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.run_warehouse", move |tx| {
                if one(tx, &id)?.is_running == runs {
                    return Ok(());
                }
                set_running(tx, &id, runs)?;
                let verb = if runs { "start" } else { "stop" };
                note(tx, &actor, verb, "sql-warehouse", &id, (None, None), now)?;
                Ok(())
            })
            .await
    }

    /// Removes a warehouse.
    pub async fn delete_warehouse(&self, actor: &Actor, id: &str) -> Result<(), DataError> {
        must_administer(actor)?;
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_warehouse", move |tx| {
                one(tx, &id)?;
                tx.execute("DELETE FROM workspace_warehouses WHERE id = $1", args![&id])?;
                note(tx, &actor, "delete", "sql-warehouse", &id, (None, None), now)?;
                Ok(())
            })
            .await
    }

    /// Makes sure that a warehouse is there and runs.
    pub(crate) async fn wake_warehouse(&self, id: &str) -> Result<(), DataError> {
        if self.warehouse(id).await?.is_running {
            return Ok(());
        }
        let id = id.to_owned();
        self.db.write("workspace.wake_warehouse", move |tx| set_running(tx, &id, true)).await
    }
}

fn must_administer(actor: &Actor) -> Result<(), DataError> {
    if actor.administrator {
        return Ok(());
    }
    Err(DataError::Denied(format!("{} may not make, change or remove warehouses: an administrator may", actor.name)))
}

fn named(name: &str) -> Result<String, DataError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(DataError::Invalid("\"name\" must be a text of 1 to 100 letters".into()));
    }
    Ok(name.to_owned())
}

const WAREHOUSE: &str = "SELECT id, name, creator, is_running, settings, created_at FROM workspace_warehouses";

fn one(tx: &mut dyn Tx, id: &str) -> Result<Warehouse, DataError> {
    let row = tx.query_one(&format!("{WAREHOUSE} WHERE id = $1"), args![id])?;
    let missing = || {
        DataError::NotFound(format!(
            "there is no SQL warehouse \"{id}\": \"local\" is always there unless it was deleted, and \
             GET /api/2.0/sql/warehouses lists all"
        ))
    };
    warehouse_of(&row.ok_or_else(missing)?)
}

fn set_running(tx: &mut dyn Tx, id: &str, runs: bool) -> Result<(), DataError> {
    tx.execute("UPDATE workspace_warehouses SET is_running = $2 WHERE id = $1", args![id, i64::from(runs)])?;
    Ok(())
}

fn warehouse_of(row: &Row) -> Result<Warehouse, DataError> {
    let settings: String = row.get(4)?;
    Ok(Warehouse {
        id: row.get(0)?,
        name: row.get(1)?,
        creator: row.get(2)?,
        is_running: row.get::<i64>(3)? != 0,
        settings: serde_json::from_str(&settings).map_err(|_| base::db::Error::Shape { column: 4 })?,
        created_at: row.get(5)?,
    })
}
