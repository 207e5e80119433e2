//! Match pattern, the pattern a setting.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Gives a bundle for each match of a pattern in a text.
pub const PARSER: Module = module!("regexp:Parser", versions[1], Behaviour::Loop(parse));

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let pattern = call.parameter("pattern").unwrap_or_default().to_owned();
    super::matches(call, &pattern)
}
