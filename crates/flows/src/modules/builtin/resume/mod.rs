//! Resume.

use crate::modules::{Behaviour, Directive, Module};

/// Goes on with another bundle.
pub const RESUME: Module = module!("builtin:Resume", versions[1], Behaviour::Directive(Directive::Resume));
