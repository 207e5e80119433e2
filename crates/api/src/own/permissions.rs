//! Permissions: who has been granted what, and on what.

use access::{Grant, Permission, Scope};
use axum::Json;
use axum::extract::State;
use base::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A grant as it is asked for: on a pool, on a package, or on the team if
/// neither is named.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = GrantAsked)]
pub(super) struct Asked {
    /// Id of an app key.
    subject: String,
    /// Such as `data-push`.
    permission: String,
    /// Id or name of a pool.
    pool: Option<String>,
    /// Key of a package.
    package: Option<String>,
}

/// Which grants are wanted: of a subject, or on a scope.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Id of an app key; the caller's own if nothing is said.
    subject: Option<String>,
    /// Id or name of a pool.
    pool: Option<String>,
    /// Key of a package.
    package: Option<String>,
}

/// A permission that somebody has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Grant)]
pub(super) struct GrantShown {
    subject: String,
    permission: &'static str,
    #[schema(required = true)]
    pool: Option<String>,
    #[schema(required = true)]
    package: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
    granted_by: String,
}

/// Lists grants: of `subject`, on `pool` or `package`, else the caller's own.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<GrantShown>>, Fault> {
    let grants = if wanted.pool.is_none() && wanted.package.is_none() {
        app.access.grants_of(&actor, wanted.subject.as_deref().unwrap_or(&actor.id)).await?
    } else {
        let scope = scope(&app, &actor, wanted.pool, wanted.package).await?;
        app.access.grants_on(&actor, &scope).await?
    };
    Ok(Json(grants.into_iter().map(GrantShown::from).collect()))
}

/// Gives an app key a permission.
pub(super) async fn grant(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<Asked>,
) -> Result<(StatusCode, Json<GrantShown>), Fault> {
    let permission = read(&asked.permission)?;
    let scope = scope(&app, &actor, asked.pool, asked.package).await?;
    let granted = app.access.grant(&actor, &asked.subject, permission, &scope).await?;
    Ok((StatusCode::CREATED, Json(granted.into())))
}

/// Takes a permission back.
pub(super) async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<Asked>,
) -> Result<StatusCode, Fault> {
    let permission = read(&asked.permission)?;
    let scope = scope(&app, &actor, asked.pool, asked.package).await?;
    app.access.revoke(&actor, &asked.subject, permission, &scope).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(permission: &str) -> Result<Permission, Fault> {
    Permission::parse(permission).ok_or_else(|| {
        let known: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        let detail = format!("\"{permission}\" is not a permission: {} are", known.join(", "));
        Fault::invalid("permission", "permission-unknown", detail)
    })
}

async fn scope(app: &App, actor: &base::Actor, pool: Option<String>, package: Option<String>) -> Result<Scope, Fault> {
    match (pool, package) {
        (None, None) => Ok(Scope::Team),
        (Some(pool), None) => {
            let pool = rights::pool(app, actor, &pool, Permission::AdminPool).await?;
            Ok(Scope::Pool(pool.id.to_string()))
        }
        (None, Some(package)) => Ok(Scope::Package(app.access.package(actor, &package).await?.key)),
        (Some(_), Some(_)) => {
            let detail = "a permission is granted on a pool or on a package, not on both";
            Err(Fault::invalid("package", "permission-scope", detail))
        }
    }
}

impl From<Grant> for GrantShown {
    fn from(grant: Grant) -> Self {
        let (pool, package) = match grant.scope {
            Scope::Team => (None, None),
            Scope::Pool(id) => (Some(id), None),
            Scope::Package(key) => (None, Some(key)),
        };
        GrantShown {
            subject: grant.subject,
            permission: grant.permission.as_str(),
            pool,
            package,
            granted_at: grant.granted_at,
            granted_by: grant.granted_by,
        }
    }
}
