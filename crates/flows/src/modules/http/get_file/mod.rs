//! "Get a file".

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Get a file", versions 2 and 3.
pub const GET_FILE: Module = module!(
    "http:ActionGetFile",
    versions[2, 3],
    Behaviour::Effect(request::get_file)
);
