//! From where the workspace may be called.

use axum::Json;
use axum::extract::{Path, State};
use base::AddressRange;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workspace::{ADDRESS_LISTS_SWITCH, AddressList, AddressListChange, AddressListSort};

use super::table::Table;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Returns the routes of address lists and of the switch that makes them count.
pub(super) fn routes() -> Table {
    use axum::routing::get;
    Table::new()
        .route("/api/2.0/ip-access-lists", get(list).post(create))
        .route("/api/2.0/ip-access-lists/{id}", get(get_one).put(replace).patch(change).delete(delete))
        .route("/api/2.0/workspace-conf", get(switches).patch(switch))
}

/// A list, as it is sent.
#[derive(Deserialize)]
struct Sent {
    label: Option<String>,
    list_type: Option<String>,
    ip_addresses: Option<Vec<String>>,
    enabled: Option<bool>,
}

impl Sent {
    fn read(self) -> Result<AddressListChange, Fault> {
        let invalid = |field: &'static str, detail: String| Fault::invalid(field, "parameter-invalid", detail);
        let sort = self.list_type.map(|word| {
            let detail = || format!("list_type \"{word}\" is neither \"ALLOW\" nor \"BLOCK\"");
            AddressListSort::parse(&word).ok_or_else(|| invalid("list_type", detail()))
        });
        let addresses = self.ip_addresses.map(|texts| {
            let read = |text: &String| {
                text.trim().parse::<AddressRange>().map_err(|error| invalid("ip_addresses", error.to_string()))
            };
            texts.iter().map(read).collect::<Result<Vec<_>, _>>()
        });
        Ok(AddressListChange {
            label: self.label,
            sort: sort.transpose()?,
            addresses: addresses.transpose()?,
            enabled: self.enabled,
        })
    }
}

async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let made = app.workspace.create_address_list(&actor, sent.read()?).await?;
    Ok(Json(json!({ "ip_access_list": wire(&made) })))
}

async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let lists = app.workspace.address_lists(&actor).await?;
    Ok(Json(json!({ "ip_access_lists": lists.iter().map(wire).collect::<Vec<_>>() })))
}

async fn get_one(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let list = app.workspace.address_list(&actor, &id).await?;
    Ok(Json(json!({ "ip_access_list": wire(&list) })))
}

async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let list = app.workspace.change_address_list(&actor, &id, sent.read()?).await?;
    Ok(Json(json!({ "ip_access_list": wire(&list) })))
}

async fn replace(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let change = sent.read()?;
    let missing = [
        ("label", change.label.is_none()),
        ("list_type", change.sort.is_none()),
        ("ip_addresses", change.addresses.is_none()),
        ("enabled", change.enabled.is_none()),
    ];
    if let Some((field, _)) = missing.into_iter().find(|(_, is_missing)| *is_missing) {
        let detail = format!("\"{field}\" is missing: PUT replaces all of a list, PATCH some of it");
        return Err(Fault::invalid(field, "body-field-missing", detail));
    }
    let list = app.workspace.change_address_list(&actor, &id, change).await?;
    Ok(Json(json!({ "ip_access_list": wire(&list) })))
}

async fn delete(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    app.workspace.delete_address_list(&actor, &id).await?;
    Ok(Json(json!({})))
}

/// Which switches are wanted.
#[derive(Deserialize)]
struct Keys {
    keys: String,
}

async fn switches(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Keys>,
) -> Result<Json<Value>, Fault> {
    let is_on = app.workspace.address_lists_enabled(&actor).await?;
    let mut answer = Map::new();
    for key in wanted.keys.split(',').map(str::trim) {
        known(key)?;
        answer.insert(key.to_owned(), is_on.to_string().into());
    }
    Ok(Json(Value::Object(answer)))
}

async fn switch(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(sent): body::Json<Map<String, Value>>,
) -> Result<Json<Value>, Fault> {
    app.workspace.address_lists_enabled(&actor).await?;
    for (key, value) in &sent {
        known(key)?;
        let enabled = match value {
            Value::Bool(enabled) => *enabled,
            Value::String(text) if text == "true" => true,
            Value::String(text) if text == "false" => false,
            other => {
                let detail = format!("\"{key}\" must be \"true\" or \"false\", not {other}");
                return Err(Fault::invalid(key.clone(), "parameter-invalid", detail));
            }
        };
        app.workspace.enable_address_lists(&actor, enabled).await?;
    }
    Ok(Json(json!({})))
}

fn known(key: &str) -> Result<(), Fault> {
    if key == ADDRESS_LISTS_SWITCH {
        return Ok(());
    }
    let detail = format!("\"{key}\" is not a switch of this workspace: \"{ADDRESS_LISTS_SWITCH}\" is");
    Err(Fault::invalid("keys", "parameter-invalid", detail))
}

fn wire(list: &AddressList) -> Value {
    json!({
        "list_id": list.id,
        "label": list.label,
        "list_type": list.sort.as_str(),
        "ip_addresses": list.addresses,
        "address_count": list.addresses.len(),
        "enabled": list.enabled,
        "created_by": list.created_by,
        "created_at": list.created_at.as_millis(),
        "updated_at": list.updated_at.as_millis(),
    })
}
