//! Repeat until.

use crate::modules::{Behaviour, Module};

/// Repeats the modules in `flow` until the conditions in `until` hold for the
/// last bundle that reached their end, at most `repeats` times. That bundle is
/// the output. (A repeater cannot be left early.)
pub const REPEAT_UNTIL: Module = module!("loopwright:RepeatUntil", versions[1], Behaviour::RepeatUntil);
