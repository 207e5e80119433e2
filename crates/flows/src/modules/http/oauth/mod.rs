//! "Make an OAuth 2.0 request".

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make an OAuth 2.0 request", version 3.
pub const OAUTH: Module = module!(
    "http:ActionSendDataOAuth",
    versions[3],
    Behaviour::Effect(|call| request::send_data_as(call, "OAuth 2.0 client credentials")),
    json | node,
    field | request::is_json(node, field)
);
