//! Webhooks: hooks with an address. The queue of one is a row of `hooks`.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::hook::{HookSettings, Learning, WebhookInfo, queue_of};
use crate::structure::Structure;

/// No flow takes from the hook.
const NOBODY: &str = "";

/// A webhook, and the secret part of its address.
#[derive(Clone, Debug)]
pub(crate) struct WebhookRow {
    pub(crate) info: WebhookInfo,
    pub(crate) sealed_token: Vec<u8>,
}

/// The secret part of an address, as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredToken {
    pub(crate) hash: String,
    pub(crate) sealed: Vec<u8>,
}

const COLUMNS: &str = "webhooks.name, webhooks.settings, webhooks.learned, webhooks.learned_at, \
     webhooks.listening_since, webhooks.refused, webhooks.ignored, webhooks.created_at, webhooks.updated_at, \
     webhooks.sealed_token, hooks.flow, hooks.waiting, hooks.waiting_bytes";
const FROM: &str = "FROM webhooks JOIN hooks ON hooks.hook = 'hook.' || webhooks.name";

fn webhook_row(row: &Row) -> Result<WebhookRow, Error> {
    let settings: String = row.get(1)?;
    let (learned, learned_at): (Option<String>, Option<Timestamp>) = (row.get(2)?, row.get(3)?);
    let learned = learned.and_then(|text| serde_json::from_str::<Structure>(&text).ok());
    let learning = match (row.get::<Option<Timestamp>>(4)?, learned, learned_at) {
        (Some(since), ..) => Learning::Listening { since },
        (None, Some(items), Some(at)) => Learning::Determined { at, items },
        (None, ..) => Learning::Never,
    };
    let info = WebhookInfo {
        name: row.get(0)?,
        settings: serde_json::from_str(&settings).map_err(|_| Error::Shape { column: 1 })?,
        flow: Some(row.get::<String>(10)?).filter(|flow| flow != NOBODY),
        learning,
        waiting: row.get(11)?,
        waiting_bytes: row.get(12)?,
        refused: row.get(5)?,
        ignored: row.get(6)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    };
    Ok(WebhookRow { info, sealed_token: row.get(9)? })
}

pub(crate) fn webhook(tx: &mut dyn Tx, name: &str) -> Result<Option<WebhookRow>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} {FROM} WHERE webhooks.name = $1"), args![name])?;
    row.as_ref().map(webhook_row).transpose()
}

pub(crate) fn webhook_by_token(tx: &mut dyn Tx, hash: &str) -> Result<Option<WebhookRow>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} {FROM} WHERE webhooks.token_hash = $1"), args![hash])?;
    row.as_ref().map(webhook_row).transpose()
}

pub(crate) fn webhooks(tx: &mut dyn Tx) -> Result<Vec<WebhookRow>, Error> {
    let rows = tx.query(&format!("SELECT {COLUMNS} {FROM} ORDER BY webhooks.name"), args![])?;
    rows.iter().map(webhook_row).collect()
}

/// Makes a webhook with its queue.
pub(crate) fn add_webhook(
    tx: &mut dyn Tx,
    name: &str,
    settings: &HookSettings,
    token: &StoredToken,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO webhooks (name, token_hash, sealed_token, settings, refused, ignored, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, 0, 0, $5, $5)",
        args![name, &token.hash, token.sealed.as_slice(), stored(settings), now],
    )?;
    super::make_hook(tx, &queue_of(name), NOBODY)
}

pub(crate) fn set_webhook(tx: &mut dyn Tx, name: &str, settings: &HookSettings, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE webhooks SET settings = $2, updated_at = $3 WHERE name = $1";
    tx.execute(sql, args![name, stored(settings), now])?;
    Ok(())
}

pub(crate) fn set_token(tx: &mut dyn Tx, name: &str, token: &StoredToken, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE webhooks SET token_hash = $2, sealed_token = $3, updated_at = $4 WHERE name = $1";
    tx.execute(sql, args![name, &token.hash, token.sealed.as_slice(), now])?;
    Ok(())
}

/// Removes a webhook with its queue and everything on it.
pub(crate) fn delete_webhook(tx: &mut dyn Tx, name: &str) -> Result<(), Error> {
    let queue = queue_of(name);
    tx.execute("DELETE FROM webhooks WHERE name = $1", args![name])?;
    tx.execute("DELETE FROM hook_items WHERE hook = $1", args![&queue])?;
    tx.execute("DELETE FROM hooks WHERE hook = $1", args![&queue])?;
    Ok(())
}

/// Begins to listen, or stops.
pub(crate) fn set_listening(tx: &mut dyn Tx, name: &str, since: Option<Timestamp>) -> Result<(), Error> {
    tx.execute("UPDATE webhooks SET listening_since = $2 WHERE name = $1", args![name, since])?;
    Ok(())
}

/// Remembers what was learned, and stops listening; tells whether it listened.
pub(crate) fn set_learned(tx: &mut dyn Tx, name: &str, learned: &Structure, now: Timestamp) -> Result<bool, Error> {
    let learned = serde_json::to_string(learned).expect("fields are text keys and JSON");
    let sql = "UPDATE webhooks SET learned = $2, learned_at = $3, listening_since = NULL \
               WHERE name = $1 AND listening_since IS NOT NULL";
    Ok(tx.execute(sql, args![name, learned, now])? > 0)
}

/// Counts a request whose data did not fit.
pub(crate) fn count_mismatch(tx: &mut dyn Tx, name: &str, is_refused: bool) -> Result<(), Error> {
    let sql = match is_refused {
        true => "UPDATE webhooks SET refused = refused + 1 WHERE name = $1",
        false => "UPDATE webhooks SET ignored = ignored + 1 WHERE name = $1",
    };
    tx.execute(sql, args![name])?;
    Ok(())
}

/// Lets a flow take from a webhook, and from no other one. If another flow
/// takes from it, nothing changes and that flow's key is returned.
pub(crate) fn claim_webhook(tx: &mut dyn Tx, name: &str, flow: &str) -> Result<Option<String>, Error> {
    let queue = queue_of(name);
    let row = tx.query_one("SELECT flow FROM hooks WHERE hook = $1", args![&queue])?;
    let owner: Option<String> = row.map(|row| row.get(0)).transpose()?;
    if let Some(owner) = owner.filter(|owner| owner != NOBODY && owner != flow) {
        return Ok(Some(owner));
    }
    release_webhooks(tx, flow, Some(name))?;
    tx.execute("UPDATE hooks SET flow = $2 WHERE hook = $1", args![&queue, flow])?;
    Ok(None)
}

/// Lets a flow take from no webhook any more, but for one.
pub(crate) fn release_webhooks(tx: &mut dyn Tx, flow: &str, but: Option<&str>) -> Result<(), Error> {
    let sql = "UPDATE hooks SET flow = $2 WHERE flow = $1 AND hook <> $3 \
               AND hook IN (SELECT 'hook.' || name FROM webhooks)";
    tx.execute(sql, args![flow, NOBODY, queue_of(but.unwrap_or_default())])?;
    Ok(())
}

fn stored(settings: &HookSettings) -> String {
    serde_json::to_string(settings).expect("settings have text keys and JSON")
}
