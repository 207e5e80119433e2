//! Commit.

use crate::modules::{Behaviour, Directive, Module};

/// Stops the run as a success.
pub const COMMIT: Module = module!("builtin:Commit", versions[1], Behaviour::Directive(Directive::Commit));
