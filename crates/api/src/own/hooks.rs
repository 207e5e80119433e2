//! Webhooks: addresses at which requests from outside start flows.
//!
//! An address is a secret: whoever knows it can bring data. It is shown to
//! those who may change flows, and to nobody else.

use axum::Json;
use axum::extract::{Path, State};
use base::{AddressRange, Timestamp};
use flows::hook::{Learning, OnMismatch, WebhookDetails, WebhookInfo};
use flows::{Expected, HookSettings};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::MaybeJson;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// What is set of a hook. What is left out is as in a new one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = HookToPut)]
pub(super) struct NewHook {
    /// What people call it.
    #[serde(default)]
    label: String,
    /// Requests are taken; so it is if nothing is said.
    #[serde(default)]
    enabled: Option<bool>,
    /// From where requests may come, with commas or as a list.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    addresses: Option<Addresses>,
    /// The headers are part of the data.
    #[serde(default)]
    with_headers: bool,
    /// The method is part of the data.
    #[serde(default)]
    with_method: bool,
    /// JSON is not read: its text is the data.
    #[serde(default)]
    pass_through: bool,
    /// What data must be made of: the name of a data structure, or one itself.
    #[schema(value_type = Option<Value>)]
    #[serde(default)]
    structure: Option<Value>,
    /// What becomes of data that is not: `refuse` or `ignore`.
    #[serde(default)]
    on_mismatch: Mismatching,
    /// Numbers under which flows that were drawn elsewhere name it.
    #[serde(default)]
    imported_ids: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Addresses {
    Text(String),
    List(Vec<String>),
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = HookMismatch)]
enum Mismatching {
    #[default]
    Refuse,
    Ignore,
}

/// A hook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hook {
    name: String,
    label: String,
    enabled: bool,
    addresses: Vec<String>,
    with_headers: bool,
    with_method: bool,
    pass_through: bool,
    #[schema(value_type = Option<Value>, required = true)]
    structure: Option<Value>,
    on_mismatch: Mismatching,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imported_ids: Vec<u64>,
    #[schema(required = true)]
    flow: Option<String>,
    learning: LearningShown,
    waiting: u64,
    /// Bytes of the data that waits.
    waiting_bytes: u64,
    refused: u64,
    ignored: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Its address below that of this server, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<String>,
}

/// How far a hook is with finding out what its data is made of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
#[schema(as = HookLearning)]
enum LearningShown {
    Never,
    Listening {
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
    },
    Determined {
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
        /// As fields of data structures.
        items: Value,
    },
}

/// Lists the hooks, without their addresses.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Hook>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.hooks().await?.into_iter().map(Hook::from).collect()))
}

/// Shows a hook; its address is there for those who may change flows.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Hook>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let hook = app.flows.hook(&name).await?;
    let sees_address = rights::edit_flows(&app, &actor).await.is_ok();
    Ok(Json(if sees_address { hook.into() } else { hook.info.into() }))
}

/// Makes a hook, or sets the one of this name anew.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    MaybeJson(new): MaybeJson<NewHook>,
) -> Result<Json<Hook>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let settings = new.unwrap_or_default().read()?;
    Ok(Json(app.flows.put_hook(&actor, &name, settings).await?.into()))
}

/// Removes a hook with everything that waits on it.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_hook(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a hook another address.
pub(super) async fn renew(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Hook>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    Ok(Json(app.flows.renew_hook(&actor, &name).await?.into()))
}

/// Lets the next request tell what the data is made of.
pub(super) async fn listen(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Hook>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    Ok(Json(app.flows.listen_on_hook(&actor, &name, true).await?.into()))
}

/// Stops listening.
pub(super) async fn stop_listening(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Hook>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    Ok(Json(app.flows.listen_on_hook(&actor, &name, false).await?.into()))
}

impl NewHook {
    fn read(self) -> Result<HookSettings, Fault> {
        let addresses = match self.addresses {
            None => String::new(),
            Some(Addresses::Text(text)) => text,
            Some(Addresses::List(list)) => list.join(","),
        };
        let addresses = AddressRange::list(&addresses)
            .map_err(|error| Fault::invalid("addresses", "hook-address-invalid", error.to_string()))?;
        let structure = self.structure.filter(|document| !document.is_null());
        let structure = structure.as_ref().map(Expected::read).transpose();
        let structure = structure.map_err(|error| Fault::invalid("structure", "hook-structure-invalid", error))?;
        Ok(HookSettings {
            label: self.label,
            enabled: self.enabled.unwrap_or(true),
            addresses,
            with_headers: self.with_headers,
            with_method: self.with_method,
            passes_through: self.pass_through,
            structure,
            on_mismatch: match self.on_mismatch {
                Mismatching::Refuse => OnMismatch::Refuse,
                Mismatching::Ignore => OnMismatch::Ignore,
            },
            imported_ids: self.imported_ids,
        })
    }
}

impl From<WebhookInfo> for Hook {
    fn from(info: WebhookInfo) -> Self {
        let WebhookInfo {
            name,
            settings,
            flow,
            learning,
            waiting,
            waiting_bytes,
            refused,
            ignored,
            created_at,
            updated_at,
        } = info;
        Hook {
            name,
            label: settings.label,
            enabled: settings.enabled,
            addresses: settings.addresses.iter().map(ToString::to_string).collect(),
            with_headers: settings.with_headers,
            with_method: settings.with_method,
            pass_through: settings.passes_through,
            structure: settings.structure.as_ref().map(Expected::to_json),
            on_mismatch: match settings.on_mismatch {
                OnMismatch::Refuse => Mismatching::Refuse,
                OnMismatch::Ignore => Mismatching::Ignore,
            },
            imported_ids: settings.imported_ids,
            flow,
            learning: match learning {
                Learning::Never => LearningShown::Never,
                Learning::Listening { since } => LearningShown::Listening { since },
                Learning::Determined { at, items } => {
                    LearningShown::Determined { at, items: items.to_json()["spec"].take() }
                }
            },
            waiting,
            waiting_bytes,
            refused,
            ignored,
            created_at,
            updated_at,
            path: None,
        }
    }
}

impl From<WebhookDetails> for Hook {
    fn from(hook: WebhookDetails) -> Self {
        let path = Some(format!("/hooks/{}", hook.token.expose()));
        Hook { path, ..hook.info.into() }
    }
}
