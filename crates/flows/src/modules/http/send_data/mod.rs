//! "Make a request" of the first generation.

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make a request", version 3.
pub const SEND_DATA: Module = module!(
    "http:ActionSendData",
    versions[3],
    Behaviour::Effect(request::send_data),
    json | node,
    field | {
        let content_type = node.mapper["contentType"].as_str().unwrap_or_default();
        field == "data" && content_type.contains("json")
    }
);
