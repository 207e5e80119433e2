//! Repeater.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Turns of a repeater.
const REPEATS_MAX: i64 = 10_000;

/// Makes a bundle with `i` for each turn.
pub const REPEATER: Module = module!("builtin:BasicRepeater", versions[1], Behaviour::Loop(repeat));

fn repeat(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let number = |name: &str, otherwise: f64| match call.input.field(name) {
        value if value.is_empty() => Ok(otherwise),
        value => value.to_f64().ok_or_else(|| {
            let message = format!("\"{}\" is not a number for \"{name}\"", value.to_text());
            ModuleError::new(Class::BundleValidationError, message)
        }),
    };
    let (start, repeats, step) = (number("start", 1.0)?, number("repeats", 0.0)?, number("step", 1.0)?);
    let repeats = repeats as i64;
    if !(0..=REPEATS_MAX).contains(&repeats) {
        let message = format!("{repeats} is not a number of repeats between 0 and {REPEATS_MAX}");
        return Err(ModuleError::new(Class::BundleValidationError, message));
    }
    Ok((0..repeats).map(|turn| Value::collection([("i", Value::number(start + step * turn as f64))])).collect())
}
