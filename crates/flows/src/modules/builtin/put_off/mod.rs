//! Break.

use crate::modules::{Behaviour, Directive, Module};

/// Stores a failed bundle as an incomplete execution.
pub const BREAK: Module = module!("builtin:Break", versions[1], Behaviour::Directive(Directive::Break));
