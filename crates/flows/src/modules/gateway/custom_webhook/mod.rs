//! Start on a request to the flow's own address.

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// A request to a hook starts the flow. Parameters: `hook`, `maxResults`.
pub const CUSTOM_WEBHOOK: Module =
    module!("gateway:CustomWebHook", versions[1], Behaviour::Start(|brought| Value::from_stored(brought.to_json())));
