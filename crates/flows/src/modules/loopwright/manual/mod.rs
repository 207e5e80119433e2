//! Start by hand.

use crate::modules::{Behaviour, Module};

/// A person starts the flow.
pub const MANUAL: Module = module!("loopwright:Manual", versions[1], Behaviour::Start(|bundle| bundle));
