//! Where a workspace gives out tokens: it says so in a document at a known
//! place, which leads to the standard one (RFC 8414).

use base::http::{Http, Method, Request, Response};
use serde_json::Value as Json;
use url::Url;

use crate::modules::{Class, ModuleError};

/// Says where tokens are asked for, beside the address of the workspace.
const OF_DATABRICKS: &str = "/.well-known/databricks-config";
/// Says it, beside the address that the first document names.
const STANDARD: &str = "/.well-known/oauth-authorization-server";
/// Where tokens are given out if nobody says otherwise.
const USUAL: &str = "/oidc/v1/token";

/// Finds the address at which a workspace gives out tokens.
pub(super) async fn token_url(name: &str, workspace: &str, http: &dyn Http) -> Result<String, ModuleError> {
    let workspace = workspace.trim_end_matches('/');
    let first = ask(name, &format!("{workspace}{OF_DATABRICKS}"), http).await?;
    let base = match &first {
        Some(config) => endpoint(config)?,
        // Older workspaces have only the second document.
        None => format!("{workspace}/oidc"),
    };
    let base = trusted(name, &base, workspace, http)?;
    let Some(second) = ask(name, &format!("{base}{STANDARD}"), http).await? else {
        return Ok(format!("{workspace}{USUAL}"));
    };
    match second["token_endpoint"].as_str() {
        Some(address) => trusted(name, address, workspace, http),
        None => Err(refused(name, "the workspace does not say where tokens are given out (\"token_endpoint\")")),
    }
}

fn endpoint(config: &Json) -> Result<String, ModuleError> {
    let account = config["account_id"].as_str().unwrap_or_default();
    let endpoint = config["oidc_endpoint"].as_str().unwrap_or_default().replace("{account_id}", account);
    if endpoint.is_empty() {
        return Err(ModuleError::new(
            Class::InvalidConfigurationError,
            "the workspace's document databricks-config names no \"oidc_endpoint\"",
        ));
    }
    Ok(endpoint.trim_end_matches('/').to_owned())
}

/// Asks for a document; nothing where there is none.
async fn ask(name: &str, url: &str, http: &dyn Http) -> Result<Option<Json>, ModuleError> {
    let mut request = Request::new(Method::GET, url);
    request.response_bytes_max = 1 << 20;
    request.redirects_max = 0;
    let answer: Response = http.send(request).await.map_err(|error| {
        let message = format!("connection \"{name}\" does not find out where tokens are given out: {error}");
        ModuleError::new(Class::ConnectionError, message)
    })?;
    match answer.status.as_u16() {
        200 => Ok(serde_json::from_slice(&answer.body).ok()),
        500.. => {
            let message = format!(
                "connection \"{name}\" does not find out where tokens are given out: the answer is {}",
                answer.status
            );
            Err(ModuleError::new(Class::ConnectionError, message))
        }
        _ => Ok(None),
    }
}

/// Lets the secret go only to where it is safe: by https, or to the workspace
/// itself. Our own workspace is called as the connection calls it, whatever
/// it says: it cannot know by which of its names it is known there.
fn trusted(name: &str, address: &str, workspace: &str, http: &dyn Http) -> Result<String, ModuleError> {
    let url = Url::parse(address)
        .map_err(|_| refused(name, &format!("\"{address}\" is not an address at which tokens are given out")))?;
    if http.own_address(workspace).is_some() {
        return Ok(format!("{workspace}{}", url.path().trim_end_matches('/')));
    }
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let is_there = host(workspace) == url.host_str().map(str::to_owned);
    if url.scheme() == "https" || is_there || http.own_address(address).is_some() {
        return Ok(address.trim_end_matches('/').to_owned());
    }
    Err(refused(
        name,
        &format!("the workspace sends to {} for tokens, which is not protected", base::http::shown(address)),
    ))
}

fn refused(name: &str, why: &str) -> ModuleError {
    ModuleError::new(Class::InvalidConfigurationError, format!("connection \"{name}\" is given no token: {why}"))
}
