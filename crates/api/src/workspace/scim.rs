//! Service principals, in the words of SCIM.
//!
//! People and groups are read in `people`.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{PrincipalChange, PrincipalSecret, ServicePrincipal};

use super::people;
use super::problem;
use super::table::Table;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::door::RequestId;
use crate::fault::Fault;
use crate::problem::json_as;

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal";
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// The group of those who may do everything.
pub(super) const ADMINISTRATORS: &str = "admins";

/// Returns the routes of SCIM, without `Me`.
pub(super) fn routes() -> Table {
    use axum::routing::get;
    Table::new()
        .route("/api/2.0/preview/scim/v2/ServicePrincipals", get(list).post(create))
        .route("/api/2.0/preview/scim/v2/ServicePrincipals/{id}", get(get_one).put(put).patch(patch).delete(delete))
        .merge(people::routes())
        .speaking(say)
}

/// Returns the routes of secrets of service principals.
pub(super) fn secrets() -> Table {
    use axum::routing::{delete, get};
    let below = "servicePrincipals/{id}/credentials/secrets";
    Table::new()
        .route(&format!("/api/2.0/accounts/{below}"), get(list_secrets).post(create_secret))
        .route(&format!("/api/2.0/accounts/{below}/{{secret}}"), delete(delete_secret))
}

/// Says a fault as SCIM does.
fn say(fault: &Fault, _: &RequestId) -> Response {
    let (status, _) = problem::words(fault);
    let mut body = json!({ "schemas": [ERROR_SCHEMA], "detail": fault.detail, "status": status.as_str() });
    match status {
        StatusCode::CONFLICT => body["scimType"] = "uniqueness".into(),
        StatusCode::BAD_REQUEST => body["scimType"] = "invalidValue".into(),
        _ => {}
    }
    json_as("application/scim+json", status, &body)
}

/// A service principal, as it is sent.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    application_id: Option<String>,
    display_name: Option<String>,
    active: Option<bool>,
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    value: Option<String>,
    display: Option<String>,
}

impl Sent {
    fn change(&self) -> Result<PrincipalChange, Fault> {
        let administrator = self.groups.as_ref().map(|groups| is_of_administrators(groups)).transpose()?;
        Ok(PrincipalChange { display_name: self.display_name.clone(), active: self.active, administrator })
    }
}

fn is_of_administrators(groups: &[Group]) -> Result<bool, Fault> {
    for group in groups {
        let name = group.display.as_deref().or(group.value.as_deref()).unwrap_or_default();
        if name != ADMINISTRATORS && name != "users" {
            let detail = format!("there is no group \"{name}\": there are \"users\" and \"{ADMINISTRATORS}\"");
            return Err(Fault::invalid("groups", "parameter-invalid", detail));
        }
    }
    let named = |group: &Group| {
        group.display.as_deref() == Some(ADMINISTRATORS) || group.value.as_deref() == Some(ADMINISTRATORS)
    };
    Ok(groups.iter().any(named))
}

/// Which of them are wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    pub(super) filter: Option<String>,
    start_index: Option<usize>,
    count: Option<usize>,
}

impl Wanted {
    /// Writes the part of a list that is wanted.
    pub(super) fn page(&self, found: &[Value]) -> Value {
        let start = self.start_index.unwrap_or(1).max(1);
        let resources: Vec<&Value> = found.iter().skip(start - 1).take(self.count.unwrap_or(100)).collect();
        json!({
            "schemas": [LIST_SCHEMA],
            "totalResults": found.len(),
            "startIndex": start,
            "itemsPerPage": resources.len(),
            "Resources": resources,
        })
    }
}

/// A change, operation by operation.
#[derive(Deserialize)]
struct Patch {
    #[serde(rename = "Operations", alias = "operations")]
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    op: String,
    path: Option<String>,
    value: Option<Value>,
}

async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(sent): body::Json<Sent>,
) -> Result<Response, Fault> {
    let change = sent.change()?;
    let made = app.workspace.create_principal(&actor, sent.application_id, change).await?;
    Ok((StatusCode::CREATED, Json(wire(&made))).into_response())
}

async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Fault> {
    let filter = wanted.filter.as_deref().map(parse_filter).transpose()?;
    let found = app.workspace.principals(&actor).await?;
    let found: Vec<Value> = found
        .iter()
        .filter(|principal| match &filter {
            None => true,
            Some((Field::ApplicationId, value)) => principal.application_id == *value,
            Some((Field::DisplayName, value)) => principal.display_name.eq_ignore_ascii_case(value),
        })
        .map(wire)
        .collect();
    Ok(Json(wanted.page(&found)))
}

enum Field {
    ApplicationId,
    DisplayName,
}

/// Reads `applicationId eq "…"` or `displayName eq "…"`.
fn parse_filter(filter: &str) -> Result<(Field, String), Fault> {
    let refuse = || {
        let detail = format!("filter \"{filter}\" is none of: applicationId eq \"…\", displayName eq \"…\"");
        Fault::invalid("filter", "parameter-invalid", detail)
    };
    let mut words = filter.trim().splitn(3, ' ');
    let (Some(field), Some(operator), Some(value)) = (words.next(), words.next(), words.next()) else {
        return Err(refuse());
    };
    let field = match field {
        "applicationId" => Field::ApplicationId,
        "displayName" => Field::DisplayName,
        _ => return Err(refuse()),
    };
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(refuse());
    }
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Ok((field, value.to_owned()))
}

async fn get_one(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    Ok(Json(wire(&app.workspace.principal(&actor, number(&id)).await?)))
}

async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let change =
        PrincipalChange { administrator: Some(sent.change()?.administrator.unwrap_or(false)), ..sent.change()? };
    let change = PrincipalChange { active: Some(change.active.unwrap_or(true)), ..change };
    Ok(Json(wire(&app.workspace.change_principal(&actor, number(&id), change).await?)))
}

async fn patch(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(patch): body::Json<Patch>,
) -> Result<Json<Value>, Fault> {
    let mut change = PrincipalChange::default();
    for operation in &patch.operations {
        read_operation(operation, &mut change)?;
    }
    Ok(Json(wire(&app.workspace.change_principal(&actor, number(&id), change).await?)))
}

fn read_operation(operation: &Operation, change: &mut PrincipalChange) -> Result<(), Fault> {
    let refuse = |what: String| Fault::invalid("Operations", "parameter-invalid", what);
    let path = operation.path.as_deref().unwrap_or_default();
    let removes = operation.op.eq_ignore_ascii_case("remove");
    if !removes && !["add", "replace"].iter().any(|known| operation.op.eq_ignore_ascii_case(known)) {
        return Err(refuse(format!("operation \"{}\" is none of add, replace, remove", operation.op)));
    }
    let fields = match (path, &operation.value) {
        ("", Some(value)) if value.is_object() => value.clone(),
        ("active" | "displayName" | "groups", Some(value)) => json!({ path: value }),
        // `remove` names the member in brackets.
        (path, None) if removes && path.starts_with("groups") => json!({ "groups": [] }),
        _ => {
            return Err(refuse(format!("path \"{path}\" is none of active, displayName, groups")));
        }
    };
    if removes && !path.starts_with("groups") {
        return Err(refuse(format!("\"{path}\" cannot be removed: replace it")));
    }
    let sent: Sent = serde_json::from_value(fields)
        .map_err(|error| refuse(format!("the value of \"{path}\" does not fit: {error}")))?;
    let read = sent.change()?;
    change.display_name = read.display_name.or(change.display_name.take());
    change.active = read.active.or(change.active);
    change.administrator = if removes { Some(false) } else { read.administrator.or(change.administrator) };
    Ok(())
}

async fn delete(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<StatusCode, Fault> {
    app.workspace.delete_principal(&actor, number(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new secret.
#[derive(Default, Deserialize)]
struct NewSecret {
    lifetime: Option<String>,
}

async fn create_secret(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::MaybeJson(new): body::MaybeJson<NewSecret>,
) -> Result<Json<Value>, Fault> {
    let life = match new.unwrap_or_default().lifetime {
        None => None,
        Some(text) => {
            let seconds = text.strip_suffix('s').and_then(|digits| digits.parse().ok());
            let seconds: u64 = seconds.ok_or_else(|| {
                let detail = format!("lifetime \"{text}\" is not a number of seconds such as \"86400s\"");
                Fault::invalid("lifetime", "parameter-invalid", detail)
            })?;
            Some(Duration::from_secs(seconds))
        }
    };
    let (secret, text) = app.workspace.create_principal_secret(&actor, number(&id), life).await?;
    let mut answer = secret_wire(&secret, app.clock.now());
    answer["secret"] = text.expose().into();
    Ok(Json(answer))
}

async fn list_secrets(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    let secrets = app.workspace.principal_secrets(&actor, number(&id)).await?;
    let now = app.clock.now();
    Ok(Json(json!({ "secrets": secrets.iter().map(|secret| secret_wire(secret, now)).collect::<Vec<_>>() })))
}

async fn delete_secret(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_principal_secret(&actor, number(&id), &secret).await?;
    Ok(Json(json!({})))
}

/// What is no number names nobody.
fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn secret_wire(secret: &PrincipalSecret, now: base::Timestamp) -> Value {
    json!({
        "id": secret.id,
        "status": if secret.expires_at > now { "ACTIVE" } else { "EXPIRED" },
        "create_time": secret.created_at.to_string(),
        "update_time": secret.created_at.to_string(),
        "expire_time": secret.expires_at.to_string(),
    })
}

fn wire(principal: &ServicePrincipal) -> Value {
    let groups = if principal.administrator { json!([{ "display": ADMINISTRATORS }]) } else { json!([]) };
    json!({
        "schemas": [SCHEMA],
        "id": principal.id.to_string(),
        "applicationId": principal.application_id,
        "displayName": principal.display_name,
        "active": principal.active,
        "groups": groups,
        "entitlements": [{ "value": "workspace-access" }],
    })
}
