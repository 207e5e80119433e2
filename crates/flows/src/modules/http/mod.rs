//! HTTP: the two generations of "Make a request".
//!
//! A module plans an [`HttpCall`] here; `send` performs it. Status is data:
//! an answer of any status is a bundle, unless the module is told to evaluate
//! states as errors. Credentials come from a connection that the setting
//! `connection` names, and are added in the moment of sending, so that neither
//! the flow nor the history ever holds them.

mod body;
mod request;
mod send;

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;

use super::{Behaviour, Module};

pub(crate) use request::repeats_in_doubt;
pub use request::{has_safe_method, redacted_input, redacted_output};
pub use send::send;

/// "Make a request", version 3.
pub const SEND_DATA: Module = Module {
    name: "http:ActionSendData",
    versions: &[3],
    schema: include_str!("send-data.json"),
    behaviour: Behaviour::Effect(request::send_data),
    is_json: |node, field| {
        let content_type = node.mapper["contentType"].as_str().unwrap_or_default();
        field == "data" && content_type.contains("json")
    },
};

/// "Make a request", version 4.
pub const MAKE_REQUEST: Module = Module {
    name: "http:MakeRequest",
    versions: &[4],
    schema: include_str!("make-request.json"),
    behaviour: Behaviour::Effect(request::make_request),
    is_json: |_, field| field == "jsonStringBodyContent",
};

/// Names of both generations, for the check of flows.
pub const NAMES: [&str; 2] = ["http:ActionSendData", "http:MakeRequest"];

/// A request, planned.
#[derive(Clone)]
pub struct HttpCall {
    /// GET, POST …
    pub method: Method,
    /// With its query string.
    pub url: String,
    /// Without those of the connection.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Bytes,
    /// For the whole call.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub redirects_max: u8,
    /// Connection whose credentials are added.
    pub connection: Option<String>,
    /// The answer is parsed by its content type.
    pub parse: bool,
    /// A status of 400 and above is an error.
    pub evaluate_errors: bool,
    /// Version 4 gives headers as a collection, version 3 as a list.
    pub headers_by_name: bool,
}

#[cfg(test)]
mod tests;
