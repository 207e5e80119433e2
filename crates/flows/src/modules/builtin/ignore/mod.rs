//! Ignore.

use crate::modules::{Behaviour, Directive, Module};

/// Drops the bundle that failed.
pub const IGNORE: Module = module!("builtin:Ignore", versions[1], Behaviour::Directive(Directive::Ignore));
