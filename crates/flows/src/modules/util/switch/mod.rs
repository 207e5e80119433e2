//! Switch.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::pattern::Pattern;
use crate::value::Value;

/// Translates a value by a list of cases; what fits none ends here, unless
/// there is an output for all others.
pub const SWITCH: Module = module!("util:Switcher", versions[1], Behaviour::Pure(switch));

fn switch(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let input = call.input.field("input").to_text();
    let are_patterns = call.input.field("useRegExpMatch").truth();
    let fits = |pattern: &str| match are_patterns {
        true => Pattern::read(pattern, "").and_then(|pattern| pattern.is_in(&input)),
        false => Ok(pattern == input),
    };
    let output = |output: Value| Ok(vec![Value::collection([("output", output)])]);
    if let Value::Array(cases) = call.input.field("casesTable") {
        for case in cases.iter() {
            let is_met = fits(&case.field("pattern").to_text())
                .map_err(|problem| ModuleError::new(Class::BundleValidationError, problem))?;
            if is_met {
                return output(case.field("output"));
            }
        }
    }
    match call.input.field("elseOutput") {
        otherwise if otherwise.is_empty() => Ok(Vec::new()),
        otherwise => output(otherwise),
    }
}
