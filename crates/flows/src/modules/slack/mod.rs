//! Slack.

pub mod create_message;

use serde_json::Value as Json;

use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// Reads what Slack, or a webhook of it, answered to a message.
///
/// The Web API says what went wrong in a 200; webhooks say it in plain text.
pub(crate) fn answered(status: u16, body: &[u8], retry_after: Option<u64>) -> Result<Value, ModuleError> {
    let json: Json = serde_json::from_slice(body).unwrap_or_default();
    let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
    if status == 429 {
        let error = ModuleError::new(Class::RateLimitError, "Slack asks for patience: too many messages");
        return Err(ModuleError { retry_after, ..error });
    }
    match json["ok"].as_bool() {
        Some(true) if status < 400 => return Ok(Value::from_json(json)),
        None if status < 300 && text == "ok" => return Ok(Value::collection([("ok", Value::Bool(true))])),
        _ => {}
    }
    let said = json["error"].as_str().unwrap_or(&text);
    let class = if status >= 500 { Class::ConnectionError } else { class_of(said) };
    let mut message = format!("Slack refused the message: {}", if said.is_empty() { "no reason given" } else { said });
    if status >= 400 {
        message = format!("[{status}] {message}");
    }
    if let Some(needed) = json["needed"].as_str() {
        message.push_str(&format!("; the app needs the scope \"{needed}\""));
    }
    if let Some(hint) = mend(said) {
        message.push_str(&format!(": {hint}"));
    }
    let error = ModuleError { retry_after, ..ModuleError::new(class, message) };
    Err(error.with_detail(Value::from_json(json)))
}

/// Returns the class of an error by Slack's own word for it.
fn class_of(said: &str) -> Class {
    match said {
        "not_authed"
        | "invalid_auth"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "missing_scope"
        | "no_permission"
        | "not_allowed_token_type"
        | "access_denied"
        | "org_login_required"
        | "ekm_access_denied"
        | "invalid_token" => Class::InvalidAccessTokenError,
        "no_service" | "no_service_id" | "no_team" | "team_disabled" | "action_prohibited" | "method_deprecated"
        | "unknown_method" => Class::InvalidConfigurationError,
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => Class::RateLimitError,
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "rollup_error" => Class::ConnectionError,
        _ => Class::DataError,
    }
}

fn mend(said: &str) -> Option<&'static str> {
    Some(match said {
        "not_in_channel" => "invite the app into the channel (/invite @app)",
        "channel_not_found" => "give the id of the channel, or its name, and invite the app into a private one",
        "invalid_auth" | "token_revoked" | "token_expired" | "not_authed" => "put a new token into the connection",
        "no_service" | "invalid_token" => "the webhook was removed: put its new address into the connection",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_says_has_its_class() {
        for (status, body, expected) in [
            (200, r#"{"ok": true, "ts": "1.2", "channel": "C1"}"#, r#"{"ok":true,"ts":"1.2","channel":"C1"}"#),
            (200, "ok", r#"{"ok":true}"#),
            (
                200,
                r#"{"ok": false, "error": "not_in_channel"}"#,
                "DataError: Slack refused the message: not_in_channel: invite the app into the channel (/invite @app)",
            ),
            (
                200,
                r#"{"ok": false, "error": "missing_scope", "needed": "chat:write"}"#,
                "InvalidAccessTokenError: Slack refused the message: missing_scope; the app needs the scope \"chat:write\"",
            ),
            (429, "", "RateLimitError: Slack asks for patience: too many messages"),
            (400, "invalid_payload", "DataError: [400] Slack refused the message: invalid_payload"),
            (
                404,
                "no_service",
                "InvalidConfigurationError: [404] Slack refused the message: no_service: the webhook was removed: put its new address into the connection",
            ),
            (503, "<html>", "ConnectionError: [503] Slack refused the message: <html>"),
            (200, "<html>", "DataError: Slack refused the message: <html>"),
            (500, "", "ConnectionError: [500] Slack refused the message: no reason given"),
        ] {
            let told = match answered(status, body.as_bytes(), Some(30)) {
                Ok(bundle) => bundle.to_json().to_string(),
                Err(error) => {
                    assert_eq!(error.retry_after, Some(30));
                    error.to_string()
                }
            };
            assert_eq!(told, expected, "{status} {body}");
        }
    }
}
