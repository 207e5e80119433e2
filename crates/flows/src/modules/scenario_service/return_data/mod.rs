//! Return output.

use crate::modules::{Behaviour, Module};

/// Says what the run gives back to whoever called the flow.
pub const RETURN_DATA: Module = module!(
    "scenario-service:ReturnData",
    versions[1, 2],
    Behaviour::Pure(|call| {
        call.variables.set_outputs(call.input.clone());
        Ok(vec![call.input.clone()])
    })
);
