//! Trying a connection: a call that does no harm, and what came of it in words.

use base::http::{Method, Request};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ConnectionInfo, Credentials, Slack, Unsealed};

/// What came of trying a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionTrial)]
pub struct Tested {
    /// It works.
    pub ok: bool,
    /// What was called, without secrets.
    pub called: String,
    /// The status of the answer, where there is one.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// What came of it, in a sentence.
    pub said: String,
    /// What to do, if it does not work.
    #[schema(required = true)]
    pub mend: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A harmless call that fits a connection.
pub(crate) enum Trial {
    /// A request.
    Http {
        /// What is sent.
        request: Box<Request>,
        /// How it is shown.
        called: String,
    },
    /// The questions who calls and which jobs there are.
    Workspace,
    /// A greeting to a mail server.
    Mail,
    /// There is nothing that could be called.
    Nothing,
}

impl Unsealed {
    /// Returns what to call: at an address that somebody gave, or at the usual
    /// one of the kind.
    pub(crate) fn trial(&self, info: &ConnectionInfo, url: Option<&str>) -> Trial {
        let get = |url: String| {
            let called = format!("GET {}", base::http::shown(&url));
            Trial::Http { request: Box::new(Request::new(Method::GET, url)), called }
        };
        let at = |path: &str| info.origin.as_ref().map(|origin| format!("{}{path}", origin.trim_end_matches('/')));
        match (&self.credentials, info.kind.as_str()) {
            (Credentials::Smtp(_), _) => Trial::Mail,
            (Credentials::Slack(Slack::Webhook { url }), _) => {
                // A message without a text is refused, by a webhook that is there.
                let mut request = Request::new(Method::POST, url.expose());
                request.headers.insert("content-type", base::http::HeaderValue::from_static("application/json"));
                request.body = "{}".into();
                Trial::Http { request: Box::new(request), called: "POST the webhook, with an empty message".into() }
            }
            (Credentials::Slack(slack), _) => {
                let method = format!("{}/auth.test", slack.origin().trim_end_matches('/'));
                let called = format!("POST {method}");
                Trial::Http { request: Box::new(Request::new(Method::POST, method)), called }
            }
            (_, _) if url.is_some() => get(url.unwrap_or_default().to_owned()),
            (_, "databricks-pat" | "databricks-oauth") if info.origin.is_some() => Trial::Workspace,
            (_, "databricks-pat" | "databricks-oauth") => Trial::Nothing,
            (Credentials::Ourselves(_), _) if info.name == "local-workspace" => Trial::Workspace,
            (Credentials::Ourselves(_) | Credentials::AppKey(_), _) => at("/api/cloud").map_or(Trial::Nothing, get),
            _ => at("/").map_or(Trial::Nothing, get),
        }
    }
}

/// Says what an answer means for a connection.
pub(crate) fn judged(unsealed: &Unsealed, status: u16, body: &[u8]) -> (bool, String, Option<String>) {
    if let Credentials::Slack(slack) = &unsealed.credentials {
        return of_slack(slack, status, body);
    }
    match status {
        401 => (
            false,
            "the secret was not accepted".into(),
            Some("put the right secret into the connection, or a new one if it has ended".into()),
        ),
        403 => (
            false,
            "the secret was accepted, but it does not have the right to make this call".into(),
            Some("give its owner that right, or try another address with {\"url\": …}".into()),
        ),
        407 => (false, "a proxy wants to know who calls".into(), Some("ask who runs the network".into())),
        500.. => (false, "the other side has trouble of its own".into(), Some("try again later".into())),
        404 => (
            true,
            "the other side answers, and did not refuse the secret; there is nothing at this address".into(),
            Some("try an address that is there with {\"url\": …} to be sure".into()),
        ),
        400.. => (true, "the other side answers, and did not refuse the secret".into(), None),
        300.. => (
            true,
            "the other side answers and leads elsewhere; it may be its page to sign in".into(),
            Some("try an address of its API with {\"url\": …} to be sure".into()),
        ),
        _ => (true, "it works".into(), None),
    }
}

fn of_slack(slack: &Slack, status: u16, body: &[u8]) -> (bool, String, Option<String>) {
    let text = String::from_utf8_lossy(body);
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if let Slack::Webhook { .. } = slack {
        let is_there = status == 400 || status < 300;
        return match is_there {
            true => (true, "the webhook is there, and refused the empty message as it should".into(), None),
            false => {
                let said: String = text.trim().chars().take(100).collect();
                (
                    false,
                    format!("the webhook said {said}"),
                    Some("put the webhook's new address into the connection".into()),
                )
            }
        };
    }
    match (json["ok"].as_bool(), json["error"].as_str()) {
        (Some(true), _) => {
            let name = |field: &str| json[field].as_str().unwrap_or("?").to_owned();
            (true, format!("it works: \"{}\" in the workspace \"{}\"", name("user"), name("team")), None)
        }
        (_, Some(error)) => {
            (false, format!("Slack said {error}"), Some("put the token of a bot (xoxb-…) into the connection".into()))
        }
        _ => (false, "the answer is not that of Slack".into(), Some("look at the connection's \"base\"".into())),
    }
}
