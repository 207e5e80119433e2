//! Fail.

use crate::modules::{Behaviour, Class, Module, ModuleError};

/// Fails with a message: what the flow's author knows to be wrong shall not
/// end as a success.
pub const FAIL: Module = module!(
    "loopwright:Fail",
    versions[1],
    Behaviour::Pure(|call| {
        let message = call.input.field("message").to_text();
        Err(ModuleError::new(Class::RuntimeError, message))
    })
);
