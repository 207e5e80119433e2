//! Replace.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Replaces what matches a pattern. Mapper: `pattern`, `value`, `text`, flags.
pub const REPLACE: Module = module!("regexp:Replace", versions[1], Behaviour::Pure(replace));

fn replace(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let pattern = super::read(call, &call.input.field("pattern").to_text())?;
    let (text, new) = (call.input.field("text").to_text(), call.input.field("value").to_text());
    let replaced = pattern.replace(&text, &new).map_err(super::gave_up)?;
    Ok(vec![Value::collection([("text", Value::text(replaced))])])
}
