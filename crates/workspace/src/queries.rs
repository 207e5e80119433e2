//! Saved queries: SQL with a name, which a task can run by its id.

use base::db::{Row, Tx};
use base::{Actor, Timestamp, args};
use serde_json::{Map, Value as Json, json};

use crate::data_error::DataError;
use crate::workspace::{Workspace, note};

/// A saved query.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedQuery {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub owner: String,
    owner_id: String,
    /// What it says, in the words of the API.
    pub document: Map<String, Json>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl SavedQuery {
    /// Returns the statement.
    pub fn text(&self) -> &str {
        self.document.get("query_text").and_then(Json::as_str).unwrap_or_default()
    }

    /// Returns a word of it, such as `warehouse_id`, `catalog` or `schema`.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Json::as_str).filter(|word| !word.is_empty())
    }
}

impl Workspace {
    /// Saves a query.
    pub async fn create_query(&self, actor: &Actor, document: Map<String, Json>) -> Result<SavedQuery, DataError> {
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes);
        let now = self.clock.now();
        let mut document = document;
        document.entry("display_name").or_insert_with(|| json!("New query"));
        let made = SavedQuery {
            id: hex::encode(bytes),
            owner: actor.name.clone(),
            owner_id: actor.id.clone(),
            document,
            created_at: now,
            updated_at: now,
        };
        if made.text().trim().is_empty() {
            return Err(DataError::Invalid("\"query.query_text\" is missing".into()));
        }
        let (known, actor) = (made.clone(), actor.clone());
        self.db
            .write("workspace.create_query", move |tx| {
                tx.execute(
                    "INSERT INTO workspace_queries (id, owner, owner_id, document, created_at, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $5)",
                    args![&known.id, &known.owner, &known.owner_id, json!(known.document).to_string(), now],
                )?;
                Ok::<_, DataError>(note(tx, &actor, "create", "sql-query", &known.id, (None, None), now)?)
            })
            .await?;
        Ok(made)
    }

    /// Returns a query.
    pub async fn query(&self, id: &str) -> Result<SavedQuery, DataError> {
        let id = id.to_owned();
        self.db.read("workspace.query", move |tx| one(tx, &id)).await
    }

    /// Lists queries by id, behind one.
    pub async fn queries(&self, after: Option<&str>, limit: u32) -> Result<Vec<SavedQuery>, DataError> {
        let after = after.unwrap_or_default().to_owned();
        self.db
            .read("workspace.queries", move |tx| {
                let rows = tx.query(&format!("{QUERY} WHERE id > $1 ORDER BY id LIMIT $2"), args![&after, limit])?;
                rows.iter().map(query_of).collect()
            })
            .await
    }

    /// Changes what is named of a query.
    pub async fn update_query(
        &self,
        actor: &Actor,
        id: &str,
        changes: Map<String, Json>,
    ) -> Result<SavedQuery, DataError> {
        let (actor, row, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.update_query", move |tx| {
                let mut known = one(tx, &row)?;
                may_change(&actor, &known)?;
                known.document.extend(changes.clone());
                known.updated_at = now;
                tx.execute(
                    "UPDATE workspace_queries SET document = $2, updated_at = $3 WHERE id = $1",
                    args![&row, json!(known.document).to_string(), now],
                )?;
                note(tx, &actor, "update", "sql-query", &row, (None, None), now)?;
                Ok(known)
            })
            .await
    }

    /// Removes a query.
    pub async fn delete_query(&self, actor: &Actor, id: &str) -> Result<(), DataError> {
        let (actor, row, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_query", move |tx| {
                may_change(&actor, &one(tx, &row)?)?;
                tx.execute("DELETE FROM workspace_queries WHERE id = $1", args![&row])?;
                Ok(note(tx, &actor, "delete", "sql-query", &row, (None, None), now)?)
            })
            .await
    }
}

fn may_change(actor: &Actor, query: &SavedQuery) -> Result<(), DataError> {
    if actor.administrator || actor.id == query.owner_id {
        return Ok(());
    }
    Err(DataError::Denied(format!("{} may not change a query of {}", actor.name, query.owner)))
}

const QUERY: &str = "SELECT id, owner, owner_id, document, created_at, updated_at FROM workspace_queries";

fn one(tx: &mut dyn Tx, id: &str) -> Result<SavedQuery, DataError> {
    let row = tx.query_one(&format!("{QUERY} WHERE id = $1"), args![id])?;
    query_of(&row.ok_or_else(|| DataError::NotFound(format!("there is no query \"{id}\"")))?)
}

fn query_of(row: &Row) -> Result<SavedQuery, DataError> {
    Ok(SavedQuery {
        id: row.get(0)?,
        owner: row.get(1)?,
        owner_id: row.get(2)?,
        document: serde_json::from_str(&row.get::<String>(3)?).map_err(|_| base::db::Error::Shape { column: 3 })?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
    })
}
