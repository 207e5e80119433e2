//! App keys: the long-lived credentials of programs.

use access::AppKey;
use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// An app key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppKeyToMake)]
pub(super) struct NewKey {
    name: String,
    #[serde(default)]
    administrator: bool,
}

/// An app key with its secret, which is shown this once. It has no `Debug`.
#[derive(Serialize, ToSchema)]
#[schema(as = AppKeyMade)]
pub(super) struct Made {
    id: String,
    name: String,
    /// `id:secret`.
    key: String,
    /// What stands in a request as `Authorization`.
    header: String,
}

/// An app key without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppKey)]
pub(super) struct Key {
    id: String,
    name: String,
    administrator: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    revoked_at: Option<Timestamp>,
}

/// Lists the app keys, the revoked ones included.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Key>>, Fault> {
    let keys = app.access.app_keys(&actor).await?;
    Ok(Json(keys.into_iter().map(Key::from).collect()))
}

/// Makes an app key. The answer is the only time that its secret is seen:
/// `key` as clients of ours take it from their environment, `header` as it
/// stands in a request.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<NewKey>,
) -> Result<(StatusCode, Json<Made>), Fault> {
    let made = app.access.create_app_key(&actor, &new.name, new.administrator).await?;
    let body = Made {
        key: made.credential.text().expose().to_owned(),
        header: format!("AppKey {}", made.credential.encoded().expose()),
        id: made.app_key.id,
        name: made.app_key.name,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Takes an app key back.
pub(super) async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(key): Path<String>,
) -> Result<StatusCode, Fault> {
    app.access.revoke_app_key(&actor, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<AppKey> for Key {
    fn from(key: AppKey) -> Self {
        let AppKey { id, name, administrator, created_at, created_by, revoked_at } = key;
        Key { id, name, administrator, created_at, created_by, revoked_at }
    }
}
