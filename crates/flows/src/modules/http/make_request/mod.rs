//! "Make a request" of the second generation.

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Make a request", version 4.
pub const MAKE_REQUEST: Module = module!(
    "http:MakeRequest",
    versions[4],
    Behaviour::Effect(request::make_request),
    json | _,
    field | field == "jsonStringBodyContent"
);
