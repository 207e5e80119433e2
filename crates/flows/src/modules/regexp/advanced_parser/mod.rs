//! Match pattern, the pattern mapped.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Gives a bundle for each match of a pattern in a text. Mapper: `pattern`,
/// `text`.
pub const ADVANCED_PARSER: Module = module!("regexp:AdvancedParser", versions[1], Behaviour::Loop(parse));

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let pattern = call.input.field("pattern").to_text();
    super::matches(call, &pattern)
}
