//! Router.

use crate::modules::{Behaviour, Module};

/// Sends each bundle along every route whose filter lets it pass.
pub const ROUTER: Module = module!("builtin:BasicRouter", versions[1], Behaviour::Router);
