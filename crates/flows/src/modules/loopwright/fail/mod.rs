//! Fail.

use crate::modules::{Behaviour, Class, Module, ModuleError};

/// Fails with a message: what the flow's author knows to be wrong shall not
/// end as a success. Its class decides what the engine does about it.
pub const FAIL: Module = module!(
    "loopwright:Fail",
    versions[1],
    Behaviour::Pure(|call| {
        let message = call.input.field("message").to_text();
        let class = Class::named(&call.input.field("type").to_text());
        Err(ModuleError::new(class, message).with_detail(call.input.field("detail")))
    })
);
