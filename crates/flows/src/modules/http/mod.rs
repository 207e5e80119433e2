//! HTTP: the two generations of "Make a request", and what is like it.
//!
//! A module plans an [`HttpCall`] here; `send` performs it. Status is data:
//! an answer of any status is a bundle, unless the module is told to evaluate
//! states as errors. Credentials come from a connection that a setting names,
//! and are added in the moment of sending, so that neither the flow nor the
//! history ever holds them.

pub mod send_data;
pub mod basic_auth;
pub mod api_key_auth;
pub mod oauth;
pub mod get_file;
pub mod make_request;
pub mod download_file;
pub mod resolve_url;
mod request;
pub(crate) mod named;
mod body;
mod cookies;
mod send;
mod answer;
mod redact;

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;

pub(crate) use answer::{of_status, retry_after};
pub(crate) use body::{path_part, urlencoded, with_query};
pub use cookies::{Cookie, Jar};
pub use redact::{redacted_input, redacted_output};
pub use request::has_safe_method;
pub(crate) use request::repeats_in_doubt;
pub(crate) use send::class_of;
pub use send::send;

/// Names of all modules that send a request, for the check of flows and for
/// the history.
pub const NAMES: [&str; 8] = [
    "http:ActionSendData",
    "http:ActionSendDataBasicAuth",
    "http:ActionSendDataAPIKeyAuth",
    "http:ActionSendDataOAuth",
    "http:ActionGetFile",
    "http:MakeRequest",
    "http:DownloadFile",
    "http:ResolveUrl",
];

/// A request, planned.
#[derive(Clone)]
pub struct HttpCall {
    /// GET, POST …
    pub method: Method,
    /// With its query string.
    pub url: String,
    /// Where a service usually is: this begins the address, and a connection
    /// may know another place.
    pub service: Option<&'static str>,
    /// Without those of the connection.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Bytes,
    /// For the whole call, redirects included.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub redirects_max: u8,
    /// Connection whose credentials are added.
    pub connection: Option<String>,
    /// Connection whose certificate is shown.
    pub certificate: Option<String>,
    /// Certificates in PEM that are trusted besides the well-known authorities.
    pub authorities: Option<String>,
    /// Whoever answers is believed.
    pub believes_anybody: bool,
    /// The answer may come compressed.
    pub compressed: bool,
    /// Cookies of the run; nothing where they are not shared.
    pub jar: Option<Jar>,
    /// The answer is parsed by its content type.
    pub parse: bool,
    /// A status of 400 and above is an error.
    pub evaluate_errors: bool,
    /// What becomes of the answer.
    pub shape: Shape,
}

/// Which bundle is made of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Version 3: `headers` is a list of names and values.
    First,
    /// Version 4: `headers` is a collection.
    Second,
    /// A file, with headers as in version 3.
    FirstFile,
    /// A file, with headers as in version 4.
    SecondFile,
    /// The address at the end of all redirects.
    Address,
    /// What Slack says of a message.
    Slack,
    /// A bundle for each row of a table that our own interface gives.
    Rows,
    /// The same table as one bundle.
    Table,
}

impl HttpCall {
    /// Plans a call to a service with a body of JSON, with what its module
    /// says of the connection. Other states than success are errors.
    pub(crate) fn of_service(
        service: &'static str,
        path: &str,
        body: &serde_json::Value,
        connection: String,
        shape: Shape,
    ) -> Self {
        HttpCall {
            method: Method::POST,
            url: format!("{service}{path}"),
            service: Some(service),
            headers: vec![("Content-Type".into(), "application/json; charset=utf-8".into())],
            body: Bytes::from(body.to_string()),
            timeout: Duration::from_mins(2),
            redirects_max: 0,
            connection: Some(connection),
            certificate: None,
            authorities: None,
            believes_anybody: false,
            compressed: false,
            jar: None,
            parse: true,
            evaluate_errors: true,
            shape,
        }
    }
}

/// Makes of an answer what the engine is given, for tests without a network.
#[cfg(test)]
pub(crate) fn settle(call: &HttpCall, response: base::http::Response) -> crate::modules::Settled {
    let answered = answer::Answered { response, address: call.url.clone(), cookies: Vec::new() };
    answer::settled(call, answered, base::Timestamp::EPOCH)
}

#[cfg(test)]
mod tests;
