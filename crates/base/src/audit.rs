//! The row that says who changed what.
//!
//! A verb that changes something calls [`record`] inside the transaction of
//! the change: either both are there or neither is. Rows are only added, and
//! each bears a hash over its own text and the hash of the row before it, so
//! that [`verify`] finds a row that was altered, inserted or taken out
//! afterwards. (Whoever can write the database can also compute a whole new
//! chain; against that, keep the [`Chain::Whole`] hash somewhere else.)
//!
//! Each database file has a trail of its own, because a transaction cannot
//! span two files.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::actor::{Actor, ActorKind};
use crate::args;
use crate::db::{Error, Row, Tx};
use crate::time::Timestamp;

/// Rows read at once while the chain is verified.
const VERIFY_ROWS: usize = 1_000;

/// One row of the trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// 1, 2, 3 … without gaps.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Id of who did it.
    pub actor_id: String,
    /// The name that the actor had at that time.
    pub actor_name: String,
    /// What sort of someone the actor is.
    pub actor_kind: ActorKind,
    /// What was done: `create`, `pause`, `revoke` …
    pub verb: String,
    /// To what kind of object: `pool`, `subscription` …
    pub object_kind: String,
    /// To which one.
    pub object_id: String,
    /// The object before, without its secrets; nothing if it was made.
    pub before: Option<Json>,
    /// The object after, without its secrets; nothing if it was removed.
    pub after: Option<Json>,
    /// SHA-256 over the previous row's hash and this row, in hexadecimal.
    pub hash: String,
}

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every row follows from the one before it.
    Whole {
        /// How many rows there are.
        rows: u64,
        /// Hash of the last one; empty for an empty trail.
        hash: String,
    },
    /// A row does not follow from the one before it.
    Broken {
        /// The first such row.
        sequence: u64,
    },
}

/// Adds a row to the trail, in the transaction of the change it tells of.
///
/// `before` and `after` must not contain secrets: the trail is read by
/// everyone who may read it, and it never forgets.
#[expect(clippy::too_many_arguments, reason = "a row has these parts; a struct would only name them twice")]
pub fn record(
    tx: &mut dyn Tx,
    actor: &Actor,
    verb: &str,
    object_kind: &str,
    object_id: &str,
    before: Option<&Json>,
    after: Option<&Json>,
    now: Timestamp,
) -> Result<(), Error> {
    let last = tx.query_one("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1", args![])?;
    let (last_sequence, last_hash) = match last {
        Some(row) => (row.get::<u64>(0)?, row.get::<String>(1)?),
        None => (0, String::new()),
    };
    let mut stored = Stored {
        sequence: last_sequence + 1,
        at: now,
        actor_id: actor.id.clone(),
        actor_name: actor.name.clone(),
        actor_kind: actor.kind.as_str().to_owned(),
        verb: verb.to_owned(),
        object_kind: object_kind.to_owned(),
        object_id: object_id.to_owned(),
        before: before.map(Json::to_string),
        after: after.map(Json::to_string),
        hash: String::new(),
    };
    stored.hash = stored.hash_after(&last_hash);
    tx.execute(
        "INSERT INTO audit (sequence, at, actor_id, actor_name, actor_kind, verb, object_kind, object_id, \
         before, after, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            stored.sequence,
            stored.at,
            stored.actor_id,
            stored.actor_name,
            stored.actor_kind,
            stored.verb,
            stored.object_kind,
            stored.object_id,
            stored.before,
            stored.after,
            stored.hash
        ],
    )?;
    Ok(())
}

/// Reads at most `limit` rows that stand before `before_sequence` (the newest
/// if there is none), newest first.
pub fn page(tx: &mut dyn Tx, before_sequence: Option<u64>, limit: usize) -> Result<Vec<Entry>, Error> {
    let before = before_sequence.map_or(i64::MAX, |sequence| i64::try_from(sequence).unwrap_or(i64::MAX));
    let rows = tx.query(
        "SELECT sequence, at, actor_id, actor_name, actor_kind, verb, object_kind, object_id, before, after, hash \
         FROM audit WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
        args![before, limit],
    )?;
    rows.iter().map(|row| Stored::read(row)?.into_entry()).collect()
}

/// Walks the trail from its beginning and tells whether it is whole.
pub fn verify(tx: &mut dyn Tx) -> Result<Chain, Error> {
    let (mut sequence, mut hash) = (0, String::new());
    loop {
        let rows = tx.query(
            "SELECT sequence, at, actor_id, actor_name, actor_kind, verb, object_kind, object_id, before, after, hash \
             FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            args![sequence, VERIFY_ROWS],
        )?;
        if rows.is_empty() {
            return Ok(Chain::Whole { rows: sequence, hash });
        }
        for row in &rows {
            let stored = Stored::read(row)?;
            if stored.sequence != sequence + 1 || stored.hash_after(&hash) != stored.hash {
                return Ok(Chain::Broken { sequence: stored.sequence });
            }
            (sequence, hash) = (stored.sequence, stored.hash);
        }
    }
}

/// A row exactly as it stands in the table: the hash is over texts, so that no
/// later way of printing JSON can break an old chain.
struct Stored {
    sequence: u64,
    at: Timestamp,
    actor_id: String,
    actor_name: String,
    actor_kind: String,
    verb: String,
    object_kind: String,
    object_id: String,
    before: Option<String>,
    after: Option<String>,
    hash: String,
}

impl Stored {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Stored {
            sequence: row.get(0)?,
            at: row.get(1)?,
            actor_id: row.get(2)?,
            actor_name: row.get(3)?,
            actor_kind: row.get(4)?,
            verb: row.get(5)?,
            object_kind: row.get(6)?,
            object_id: row.get(7)?,
            before: row.get(8)?,
            after: row.get(9)?,
            hash: row.get(10)?,
        })
    }

    /// The row's text is a JSON array of its columns: unambiguous, whatever
    /// the columns contain.
    fn hash_after(&self, previous: &str) -> String {
        let text = serde_json::json!([
            self.sequence,
            self.at.as_micros(),
            self.actor_id,
            self.actor_name,
            self.actor_kind,
            self.verb,
            self.object_kind,
            self.object_id,
            self.before,
            self.after,
        ])
        .to_string();
        hex::encode(Sha256::new().chain_update(previous).chain_update("\n").chain_update(text).finalize())
    }

    fn into_entry(self) -> Result<Entry, Error> {
        let json = |text: Option<String>, column| {
            text.map(|text| serde_json::from_str(&text).map_err(|_| Error::Shape { column })).transpose()
        };
        Ok(Entry {
            sequence: self.sequence,
            at: self.at,
            actor_id: self.actor_id,
            actor_name: self.actor_name,
            actor_kind: ActorKind::parse(&self.actor_kind).ok_or(Error::Shape { column: 4 })?,
            verb: self.verb,
            object_kind: self.object_kind,
            object_id: self.object_id,
            before: json(self.before, 8)?,
            after: json(self.after, 9)?,
            hash: self.hash,
        })
    }
}

#[cfg(test)]
mod tests;
