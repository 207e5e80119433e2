//! If-else.

use crate::modules::{Behaviour, Module};

/// Sends each bundle along the first branch whose condition holds.
pub const IF_ELSE: Module = module!("builtin:BasicIfElse", versions[1], Behaviour::IfElse);
