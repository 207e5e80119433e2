//! `app-key`: making, listing and revoking app keys.

use anyhow::Result;
use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::say;
use crate::client::{Client, segment};

#[derive(Subcommand)]
pub(crate) enum AppKeyVerb {
    /// Make a key and print it; it is shown this once.
    Create {
        /// What people will know it by.
        name: String,
    },
    /// List keys without their secrets.
    List,
    /// Revoke a key; it stops working at once.
    Revoke {
        /// Its id.
        id: String,
    },
}

pub(super) async fn run(verb: AppKeyVerb, client: &Client) -> Result<()> {
    match verb {
        AppKeyVerb::Create { name } => {
            let made = client.post("/api/v1/app-keys", &json!({ "name": name })).await?;
            say(made["key"].as_str().unwrap_or_default());
        }
        AppKeyVerb::List => {
            let keys = client.get("/api/v1/app-keys").await?;
            for key in keys.as_array().into_iter().flatten() {
                let text = |member: &str| key[member].as_str().unwrap_or_default().to_owned();
                say(&format!("{:<38} {:<24} {}", text("id"), text("name"), text("createdAt")));
            }
        }
        AppKeyVerb::Revoke { id } => {
            client.json(Method::DELETE, &format!("/api/v1/app-keys/{}", segment(&id)), None).await?;
            say(&format!("app key \"{id}\" is revoked"));
        }
    }
    Ok(())
}
