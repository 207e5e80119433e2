//! Rollback.

use crate::modules::{Behaviour, Directive, Module};

/// Stops the run as an error.
pub const ROLLBACK: Module = module!("builtin:Rollback", versions[1], Behaviour::Directive(Directive::Rollback));
