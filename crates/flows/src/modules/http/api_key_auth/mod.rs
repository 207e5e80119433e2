//! "Make an API Key Auth request".

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make an API Key Auth request", version 3.
pub const API_KEY_AUTH: Module = module!(
    "http:ActionSendDataAPIKeyAuth",
    versions[3],
    Behaviour::Effect(|call| request::send_data_as(call, "an API key")),
    json | node,
    field | request::is_json(node, field)
);
