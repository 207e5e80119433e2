//! HTTP: the two generations of "Make a request".
//!
//! A module plans an [`HttpCall`] here; `send` performs it. Status is data:
//! an answer of any status is a bundle, unless the module is told to evaluate
//! states as errors. Credentials come from a connection that the setting
//! `connection` names, and are added in the moment of sending, so that neither
//! the flow nor the history ever holds them.

pub mod send_data;
pub mod make_request;
mod body;
mod request;
mod send;

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;

pub(crate) use request::repeats_in_doubt;
pub use request::{has_safe_method, redacted_input, redacted_output};
pub use send::send;

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
