//! "Make a request" of the first generation.

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make a request", version 3.
pub const SEND_DATA: Module = module!(
    "http:ActionSendData",
    versions[3],
    Behaviour::Effect(request::send_data),
    json | node,
    field | request::is_json(node, field)
);
