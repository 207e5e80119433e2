//! People and groups, in the words of SCIM: to be read.
//!
//! People are those who have an app key on the main listener. They are made
//! and removed there, so that there is one list of who may come in; what would
//! write one is refused here. There are two groups, and who belongs to them
//! follows from the key.

use axum::Json;
use axum::extract::{Path, State};
use base::Actor;
use http::StatusCode;
use serde_json::{Value, json};

use super::scim::{ADMINISTRATORS, Wanted};
use super::table::Table;
use crate::app::App;
use crate::body::Query;
use crate::caller::Caller;
use crate::fault::Fault;

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The group of all.
const EVERYBODY: &str = "users";

/// Returns the routes of people and groups.
pub(super) fn routes() -> Table {
    use axum::routing::any;
    let users = any(no_writing).get(users);
    let groups = any(no_writing).get(groups);
    let (user, group) = (any(no_writing).get(user), any(no_writing).get(group));
    Table::new()
        .route("/api/2.0/preview/scim/v2/Users", users)
        .route("/api/2.0/preview/scim/v2/Users/{id}", user)
        .route("/api/2.0/preview/scim/v2/Groups", groups)
        .route("/api/2.0/preview/scim/v2/Groups/{id}", group)
}

/// Somebody who may come in, or could.
struct Person {
    id: String,
    name: String,
    is_active: bool,
    is_administrator: bool,
}

/// Lists people: all for administrators, oneself for others.
async fn people(app: &App, actor: &Actor) -> Result<Vec<Person>, Fault> {
    let own = Person {
        id: actor.id.clone(),
        name: actor.name.clone(),
        is_active: true,
        is_administrator: actor.administrator,
    };
    let is_program = actor.id.starts_with("service-principal:");
    if !actor.administrator {
        return Ok(if is_program { Vec::new() } else { vec![own] });
    }
    let mut people: Vec<Person> = app
        .access
        .app_keys(actor)
        .await?
        .into_iter()
        .map(|key| Person {
            id: key.id,
            name: key.name,
            is_active: key.revoked_at.is_none(),
            is_administrator: key.administrator,
        })
        .collect();
    // Whoever holds the first token of the workspace has no app key.
    if !is_program && people.iter().all(|person| person.id != own.id) {
        people.push(own);
    }
    Ok(people)
}

async fn users(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Fault> {
    let name = wanted.filter.as_deref().map(|filter| named(filter, "userName")).transpose()?;
    let people = people(&app, &actor).await?;
    let found = people.iter().filter(|person| name.as_ref().is_none_or(|name| person.name.eq_ignore_ascii_case(name)));
    let found: Vec<Value> = found.map(user_wire).collect();
    Ok(Json(wanted.page(&found)))
}

async fn user(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let people = people(&app, &actor).await?;
    let found = people.iter().find(|person| person.id == id);
    found.map(|person| Json(user_wire(person))).ok_or_else(|| not_found("user", &id))
}

async fn groups(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Fault> {
    let name = wanted.filter.as_deref().map(|filter| named(filter, "displayName")).transpose()?;
    let people = people(&app, &actor).await?;
    let found = [ADMINISTRATORS, EVERYBODY].into_iter().filter(|group| name.as_ref().is_none_or(|name| name == group));
    let found: Vec<Value> = found.map(|group| group_wire(group, &people)).collect();
    Ok(Json(wanted.page(&found)))
}

async fn group(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let people = people(&app, &actor).await?;
    let found = [ADMINISTRATORS, EVERYBODY].into_iter().find(|group| *group == id);
    found.map(|group| Json(group_wire(group, &people))).ok_or_else(|| not_found("group", &id))
}

async fn no_writing(Caller(_): Caller) -> Fault {
    let detail = "people and groups are not made here: people are those with an app key of the main listener, which \
                  administrators make there; programs are at /api/2.0/preview/scim/v2/ServicePrincipals";
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

fn not_found(what: &str, id: &str) -> Fault {
    Fault::not_found("principal-not-found", format!("there is no {what} \"{id}\""))
}

/// Reads `FIELD eq "…"`.
fn named(filter: &str, field: &str) -> Result<String, Fault> {
    let rest = filter.trim().strip_prefix(field).map(str::trim_start);
    let value = rest.and_then(|rest| rest.strip_prefix("eq ").or_else(|| rest.strip_prefix("EQ "))).map(str::trim);
    match value {
        Some(value) => {
            let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            Ok(inside.unwrap_or(value).to_owned())
        }
        None => {
            let detail = format!("filter \"{filter}\" is not: {field} eq \"…\"");
            Err(Fault::invalid("filter", "parameter-invalid", detail))
        }
    }
}

fn user_wire(person: &Person) -> Value {
    let groups: &[&str] = if person.is_administrator { &[ADMINISTRATORS, EVERYBODY] } else { &[EVERYBODY] };
    let groups: Vec<Value> = groups.iter().map(|group| json!({ "value": group, "display": group })).collect();
    json!({
        "schemas": [USER_SCHEMA],
        "id": person.id,
        "userName": person.name,
        "displayName": person.name,
        "active": person.is_active,
        "emails": [],
        "groups": groups,
        "entitlements": [{ "value": "workspace-access" }],
    })
}

fn group_wire(group: &str, people: &[Person]) -> Value {
    let belongs = people.iter().filter(|person| person.is_active && (group == EVERYBODY || person.is_administrator));
    let members: Vec<Value> = belongs.map(|person| json!({ "value": person.id, "display": person.name })).collect();
    json!({ "schemas": [GROUP_SCHEMA], "id": group, "displayName": group, "members": members })
}
