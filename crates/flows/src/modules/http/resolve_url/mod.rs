//! "Resolve a target URL".

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Resolve a target URL", version 4.
pub const RESOLVE_URL: Module = module!("http:ResolveUrl", versions[4], Behaviour::Effect(request::resolve_url));
