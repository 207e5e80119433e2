//! What a refusal of a workspace means, and what to do about it.
//!
//! A status alone says little: 404 is a wrong address or a wrong id, 403 a
//! missing right or a list of addresses. So the error's own code and words are
//! read, and told together with what we know of the connection.

use base::Timestamp;
use base::http::HttpError;
use serde_json::{Value as Json, json};

use super::{first_line, text_of};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// Letters of what a workspace said that are told.
const SAID_CHARS_MAX: usize = 500;

/// What is known of whoever was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Name of the connection.
    pub(crate) connection: String,
    /// Where the workspace is.
    pub(crate) workspace: String,
    /// The connection is that of a service principal.
    pub(crate) is_principal: bool,
    /// When its token ends, as far as somebody said it.
    pub(crate) expires_at: Option<Timestamp>,
}

/// What a question was about, for whoever must be told what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Such as `job 12`.
    pub(crate) what: String,
    /// The right that it needs, such as `CAN MANAGE RUN`.
    pub(crate) right: &'static str,
    /// Where a person finds its id.
    pub(crate) find: &'static str,
}

/// A refusal as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Such as `PERMISSION_DENIED`; empty where nothing is said.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The body is of a workspace and not a page of something else.
    pub(crate) is_of_api: bool,
}

impl Refusal {
    /// Reads a refusal in any of the forms that workspaces have.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let cut = |text: &str| text.trim().chars().take(SAID_CHARS_MAX).collect::<String>();
        match serde_json::from_slice::<Json>(body) {
            Ok(json) if json.is_object() => {
                let of = |names: &[&str]| {
                    names.iter().map(|name| text_of(&json, name)).find(|text| !text.is_empty()).unwrap_or_default()
                };
                let code = match &json["error_code"] {
                    Json::Number(number) => number.to_string(),
                    _ => of(&["error_code", "scimType", "errorCode"]).to_owned(),
                };
                let message = cut(of(&["message", "detail", "error_description", "error"]));
                Refusal { status, code, message, is_of_api: true }
            }
            // "CODE: text", as old parts of the API say it.
            _ => {
                let line = first_line(&text);
                let is_code = |code: &str| {
                    code.len() > 3 && code.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_'))
                };
                match line.split_once(": ").filter(|(code, _)| is_code(code)) {
                    Some((code, message)) => {
                        Refusal { status, code: code.to_owned(), message: cut(message), is_of_api: true }
                    }
                    None => {
                        let is_page = line.starts_with('<');
                        let message = if is_page { String::new() } else { cut(line) };
                        Refusal { status, code: String::new(), message, is_of_api: text.trim().is_empty() }
                    }
                }
            }
        }
    }

    /// Tells whether the same question may be answered later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.status, 429 | 500 | 502..=504) || self.code == "COULD_NOT_ACQUIRE_LOCK"
    }

    /// Tells whether it says that nothing was done.
    pub(crate) fn did_nothing(&self) -> bool {
        self.status == 429 || self.code == "COULD_NOT_ACQUIRE_LOCK"
    }

    fn says_that_it_is_missing(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        matches!(self.code.as_str(), "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND" | "DOES_NOT_EXIST")
            || message.contains("does not exist") && matches!(self.status, 400 | 404)
    }
}

/// Says what a refusal means and what to do about it.
pub(crate) fn explain(refusal: &Refusal, facts: &Facts, subject: Option<&Subject>, sent: &[u8]) -> ModuleError {
    let Facts { connection, workspace, .. } = facts;
    let (class, meaning, mend) = match refusal.status {
        _ if refusal.says_that_it_is_missing() => {
            let what = subject.map_or_else(|| "what was asked for".to_owned(), |subject| subject.what.clone());
            let find = subject.map_or("look at its id or name", |subject| subject.find);
            (
                Class::InvalidConfigurationError,
                format!("{what} does not exist in {workspace}"),
                format!("{find}; and see whether connection \"{connection}\" leads to the right workspace"),
            )
        }
        400 => {
            let place =
                malformed(sent).map_or_else(String::new, |place| format!(" (our body is not valid JSON: {place})"));
            (
                Class::DataError,
                format!("the workspace does not understand the request{place}"),
                "look at the module's fields".into(),
            )
        }
        401 => (Class::InvalidAccessTokenError, unaccepted(facts), new_secret(facts)),
        403 => denied(refusal, facts, subject),
        404 => (
            Class::InvalidConfigurationError,
            format!("{workspace} has nothing at this address, so it is probably not the address of a workspace"),
            format!("copy the address of the workspace from the browser into connection \"{connection}\""),
        ),
        409 => {
            (Class::DataError, "it is there already, or somebody else changes it".into(), "look what is there".into())
        }
        413 => {
            (Class::DataError, "the request is too large".into(), "send a file to a volume and pass its path".into())
        }
        429 => (
            Class::RateLimitError,
            "the workspace is asked too often, or has no room for another run".into(),
            "let fewer runs go at once, or switch on the job's queue".into(),
        ),
        501 => (
            Class::InvalidConfigurationError,
            "the workspace does not do this".into(),
            "see in its documentation what it does".into(),
        ),
        300..=399 => (
            Class::InvalidConfigurationError,
            format!("{workspace} leads elsewhere, perhaps to a page to sign in"),
            format!("copy the address of the workspace from the browser into connection \"{connection}\""),
        ),
        500.. => (Class::ConnectionError, "the workspace has trouble of its own".into(), "try again later".into()),
        _ => (Class::RuntimeError, "the workspace refused the request".into(), "see what it says".into()),
    };
    let said = match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", "") => String::new(),
        ("", message) => format!(" ({message})"),
        (code, "") => format!(" ({code})"),
        (code, message) => format!(" ({code}: {message})"),
    };
    let detail = json!({
        "statusCode": refusal.status, "errorCode": refusal.code, "said": refusal.message, "meaning": meaning,
        "mend": mend, "workspace": workspace, "connection": connection,
    });
    ModuleError::new(class, format!("[{}] {meaning}{said}: {mend}", refusal.status))
        .with_detail(Value::from_json(detail))
}

fn unaccepted(facts: &Facts) -> String {
    let expiry = facts.expires_at.map_or_else(String::new, |at| format!("; it is said to end on {at}"));
    match facts.is_principal {
        true => "the token of the service principal is not accepted".to_owned(),
        false => format!("the token is invalid or expired{expiry}"),
    }
}

fn new_secret(facts: &Facts) -> String {
    let connection = &facts.connection;
    match facts.is_principal {
        true => format!("make a new secret for the service principal and put it into connection \"{connection}\""),
        false => format!(
            "make a new one in the workspace (Settings, Developer, Access tokens) and put it into connection \
             \"{connection}\""
        ),
    }
}

fn denied(refusal: &Refusal, facts: &Facts, subject: Option<&Subject>) -> (Class, String, String) {
    let (connection, said) = (&facts.connection, refusal.message.to_ascii_lowercase());
    let is_list = ["ip acl", "ip access list", "blocked by databricks", "source ip", "ip address"];
    if is_list.iter().any(|words| said.contains(words)) {
        return (
            Class::InvalidConfigurationError,
            "the workspace's list of addresses does not let this server in".into(),
            "add the address from which this server calls to the workspace's IP access list; that takes some minutes"
                .into(),
        );
    }
    if said.contains("invalid access token") || said.contains("token is expired") {
        return (Class::InvalidAccessTokenError, unaccepted(facts), new_secret(facts));
    }
    let what = subject.map_or_else(|| "it".to_owned(), |subject| subject.what.clone());
    let right = subject.map_or("the right", |subject| subject.right);
    (
        Class::InvalidConfigurationError,
        format!("who is behind connection \"{connection}\" may not use {what}"),
        format!("give them {right} on {what}; if they have it, ask whether an IP access list keeps this server out"),
    )
}

/// Tells where a body that should be JSON is not.
pub(crate) fn malformed(body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let problem = serde_json::from_slice::<serde::de::IgnoredAny>(body).err()?;
    let (line, column) = (problem.line(), problem.column());
    let what = problem.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    Some(format!("{what} in line {line}, column {column}"))
}

/// Says what no answer at all means.
pub(crate) fn unanswered(error: &HttpError, facts: &Facts) -> ModuleError {
    let connection = &facts.connection;
    let mend = match error {
        HttpError::UnknownHost { .. } => {
            format!("look at the name of the host in connection \"{connection}\"")
        }
        HttpError::Tls { .. } => {
            "look at the port, and at whether the certificate is one that is trusted (ca_file)".to_owned()
        }
        HttpError::Forbidden { .. } => "ask who runs this server to open that address".to_owned(),
        HttpError::BadAddress { .. } => {
            format!("copy the address of the workspace from the browser into connection \"{connection}\"")
        }
        HttpError::Connect { .. } | HttpError::Timeout { .. } | HttpError::Broken { .. } => {
            "see whether the workspace is up, and whether a firewall is between".to_owned()
        }
    };
    let class = match error {
        HttpError::Forbidden { .. } | HttpError::BadAddress { .. } => Class::InvalidConfigurationError,
        _ => Class::ConnectionError,
    };
    ModuleError::new(class, format!("{error}: {mend}"))
}

/// Tells whether a failure to get an answer may pass.
pub(crate) fn may_be_answered_later(error: &HttpError) -> bool {
    !matches!(error, HttpError::Forbidden { .. } | HttpError::BadAddress { .. })
}

/// Tells whether nothing was sent, so that nothing can have happened.
pub(crate) fn was_not_sent(error: &HttpError) -> bool {
    matches!(error, HttpError::UnknownHost { .. } | HttpError::Connect { .. } | HttpError::Tls { .. })
}

/// Says of a plain call to a workspace what a refusal means; for modules that
/// know nothing of Databricks.
pub(crate) fn hint(url: &str, status: u16, body: &[u8], sent: &[u8]) -> Option<String> {
    if status < 400 || !super::address::leads_to_databricks(url) {
        return None;
    }
    let refusal = Refusal::read(status, body);
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let job = serde_json::from_slice::<Json>(sent).ok().and_then(|sent| super::id_of(&sent["job_id"]));
    let mend = match status {
        _ if refusal.says_that_it_is_missing() => {
            "this id does not exist there: look at the address of its page in the workspace".to_owned()
        }
        400 => match malformed(sent) {
            Some(place) => format!("the body is not valid JSON: {place}"),
            None => return None,
        },
        401 => "the token is invalid or expired: make a new one and put it into the connection".to_owned(),
        403 => match job {
            Some(job) if path.ends_with("run-now") => {
                format!("who is behind the token lacks CAN MANAGE RUN on job {job}, or an IP access list is in the way")
            }
            _ => "who is behind the token lacks a right, or an IP access list is in the way".to_owned(),
        },
        404 => "nothing is at this address: look at the address of the workspace and at the path".to_owned(),
        429 => "the workspace is asked too often: try again later".to_owned(),
        _ => return None,
    };
    Some(mend)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn facts() -> Facts {
        Facts {
            connection: "dbx".into(),
            workspace: "https://adb-1.2.azuredatabricks.net".into(),
            is_principal: false,
            expires_at: Some(Timestamp::from_millis(1_767_225_600_000)),
        }
    }

    #[test]
    fn a_refusal_says_what_it_means_and_what_to_do() {
        let job = Subject {
            what: "job 77".into(),
            right: "CAN MANAGE RUN",
            find: "look at the id in the address of the job's page (#job/ID)",
        };
        let mut told = String::new();
        for (status, body) in [
            (400, r#"{"error_code": "MALFORMED_REQUEST", "message": "Could not parse request"}"#),
            (400, r#"{"error_code": "INVALID_PARAMETER_VALUE", "message": "Job 77 does not exist."}"#),
            (401, ""),
            (403, r#"{"error_code": "PERMISSION_DENIED", "message": "ann does not have Manage Run on 77"}"#),
            (403, r#"{"message": "Source IP address: 1.2.3.4 is blocked by Databricks IP ACL"}"#),
            (403, "Invalid access token."),
            (404, r#"{"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}"#),
            (404, "<html><body>Not Found</body></html>"),
            (429, r#"{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}"#),
            (503, "TEMPORARILY_UNAVAILABLE: try later"),
        ] {
            let refusal = Refusal::read(status, body.as_bytes());
            let error = explain(&refusal, &facts(), Some(&job), b"{\"job_id\": 77,\n \"a\" 1}");
            told.push_str(&format!("{error}\n"));
        }
        expect![[r#"
            DataError: [400] the workspace does not understand the request (our body is not valid JSON: expected `:` in line 2, column 6) (MALFORMED_REQUEST: Could not parse request): look at the module's fields
            InvalidConfigurationError: [400] job 77 does not exist in https://adb-1.2.azuredatabricks.net (INVALID_PARAMETER_VALUE: Job 77 does not exist.): look at the id in the address of the job's page (#job/ID); and see whether connection "dbx" leads to the right workspace
            InvalidAccessTokenError: [401] the token is invalid or expired; it is said to end on 2026-01-01T00:00:00.000Z: make a new one in the workspace (Settings, Developer, Access tokens) and put it into connection "dbx"
            InvalidConfigurationError: [403] who is behind connection "dbx" may not use job 77 (PERMISSION_DENIED: ann does not have Manage Run on 77): give them CAN MANAGE RUN on job 77; if they have it, ask whether an IP access list keeps this server out
            InvalidConfigurationError: [403] the workspace's list of addresses does not let this server in (Source IP address: 1.2.3.4 is blocked by Databricks IP ACL): add the address from which this server calls to the workspace's IP access list; that takes some minutes
            InvalidAccessTokenError: [403] the token is invalid or expired; it is said to end on 2026-01-01T00:00:00.000Z (Invalid access token.): make a new one in the workspace (Settings, Developer, Access tokens) and put it into connection "dbx"
            InvalidConfigurationError: [404] https://adb-1.2.azuredatabricks.net has nothing at this address, so it is probably not the address of a workspace (ENDPOINT_NOT_FOUND: No API found): copy the address of the workspace from the browser into connection "dbx"
            InvalidConfigurationError: [404] https://adb-1.2.azuredatabricks.net has nothing at this address, so it is probably not the address of a workspace: copy the address of the workspace from the browser into connection "dbx"
            RateLimitError: [429] the workspace is asked too often, or has no room for another run (REQUEST_LIMIT_EXCEEDED: slow down): let fewer runs go at once, or switch on the job's queue
            ConnectionError: [503] the workspace has trouble of its own (TEMPORARILY_UNAVAILABLE: try later): try again later
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn what_may_pass_is_told_from_what_is_final() {
        for status in [429, 500, 502, 503, 504] {
            assert!(Refusal::read(status, b"").may_pass(), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 501] {
            assert!(!Refusal::read(status, b"").may_pass(), "{status}");
        }
        assert!(Refusal::read(400, br#"{"error_code": "COULD_NOT_ACQUIRE_LOCK"}"#).may_pass());
    }
}
