//! Which connections a module names.
//!
//! Flows of our own name a connection in the setting `connection`. Blueprints
//! have numbers, of connections or of keys, under names that depend on the
//! module; `connection:12` and `key:34` are what a connection of ours may say
//! that it stands for.

use serde_json::{Map, Value as Json};

/// Settings that hold the number of a connection.
const CONNECTIONS: [&str; 3] = ["connection", "__IMTCONN__", "account"];
/// Settings that hold the number of a key.
const KEYS: [&str; 3] = ["key", "auth", "__IMTKEY__"];

/// Returns the connection whose credentials are added to a request.
pub(crate) fn connection(parameters: &Map<String, Json>) -> Option<String> {
    let of = |names: &[&str], kind| names.iter().find_map(|name| written(parameters.get(*name)?, kind));
    of(&CONNECTIONS, "connection").or_else(|| of(&KEYS, "key")).or_else(|| {
        // Version 4 has one setting for each way to authenticate.
        let is_key = |name: &str| name.ends_with("Keychain") && !is_certificate(name) && name != "proxyKeychain";
        let keychain = parameters.iter().filter(|(name, _)| is_key(name)).find_map(|(_, value)| written(value, "key"));
        keychain.or_else(|| {
            let account =
                parameters.iter().filter(|(name, _)| name.ends_with("Account") || name.ends_with("Connection"));
            account.into_iter().find_map(|(_, value)| written(value, "connection"))
        })
    })
}

/// Returns the connection whose certificate is shown.
pub(crate) fn certificate(parameters: &Map<String, Json>) -> Option<String> {
    parameters.iter().filter(|(name, _)| is_certificate(name)).find_map(|(_, value)| written(value, "key"))
}

fn is_certificate(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.contains("certificate") || lower.contains("mtls")
}

/// Tells whether settings of a module of this name are connections: of those
/// that send nothing they mean something else.
pub(crate) fn are_connections(module: &str) -> bool {
    ["http:", "email:", "slack:", "loopwright:", "databricks:"].iter().any(|app| module.starts_with(app))
}

fn written(value: &Json, kind: &str) -> Option<String> {
    match value {
        Json::Number(number) => Some(format!("{kind}:{number}")),
        Json::String(text) if text.is_empty() => None,
        Json::String(text) if text.bytes().all(|letter| letter.is_ascii_digit()) => Some(format!("{kind}:{text}")),
        Json::String(name) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_is_named_or_has_a_number() {
        for (parameters, expected) in [
            (json!({}), (None, None)),
            (json!({"connection": "databricks"}), (Some("databricks"), None)),
            (json!({"connection": "databricks", "auth": 7}), (Some("databricks"), None)),
            (json!({"__IMTCONN__": 12}), (Some("connection:12"), None)),
            (json!({"account": "12"}), (Some("connection:12"), None)),
            (json!({"key": 34}), (Some("key:34"), None)),
            (json!({"auth": 34, "handleErrors": true}), (Some("key:34"), None)),
            (json!({"authenticationType": "apiKey", "apiKeyKeychain": 5, "proxyKeychain": ""}), (Some("key:5"), None)),
            (json!({"tlsType": "mTls", "mTlsKeychain": 6}), (None, Some("key:6"))),
            (json!({"certificate": "ours", "connection": "a"}), (Some("a"), Some("ours"))),
        ] {
            let parameters = parameters.as_object().expect("an object");
            let found = (connection(parameters), certificate(parameters));
            assert_eq!((found.0.as_deref(), found.1.as_deref()), expected, "{parameters:?}");
        }
    }
}
