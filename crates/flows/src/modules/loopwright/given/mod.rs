//! Given bundle.

use serde_json::Value as Json;

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Gives a bundle that is written in its settings, as it is: to try what comes
/// behind it without what would come before. Parameters: `bundle`.
pub const GIVEN: Module = module!(
    "loopwright:Given",
    versions[1],
    Behaviour::Pure(|call| {
        let bundle = call.parameters.get("bundle").cloned().unwrap_or(Json::Null);
        Ok(vec![Value::from_json(bundle)])
    })
);
