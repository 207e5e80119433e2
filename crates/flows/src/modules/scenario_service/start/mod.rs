//! Start scenario.

use crate::modules::{Behaviour, Module};

/// Another flow starts this one, or a person.
pub const START: Module =
    module!("scenario-service:StartSubscenario", versions[1, 2], Behaviour::Start(|bundle| bundle));
