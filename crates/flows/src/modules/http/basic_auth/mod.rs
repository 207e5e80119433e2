//! "Make a Basic Auth request".

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make a Basic Auth request", version 3.
pub const BASIC_AUTH: Module = module!(
    "http:ActionSendDataBasicAuth",
    versions[3],
    Behaviour::Effect(|call| request::send_data_as(call, "a user name and a password")),
    json | node,
    field | request::is_json(node, field)
);
