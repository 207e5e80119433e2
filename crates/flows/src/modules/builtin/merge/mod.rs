//! Merge.

use crate::modules::{Behaviour, Module};

/// Branches of an if-else come back to it.
pub const MERGE: Module = module!("builtin:BasicMerge", versions[1], Behaviour::Merge);
