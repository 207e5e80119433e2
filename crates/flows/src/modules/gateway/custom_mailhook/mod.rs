//! Start on a mail.

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// A mail that comes to a hook starts the flow. Parameters: `hook`,
/// `maxResults`.
pub const CUSTOM_MAILHOOK: Module =
    module!("gateway:CustomMailHook", versions[1], Behaviour::Start(|brought| Value::from_stored(brought.to_json())));
