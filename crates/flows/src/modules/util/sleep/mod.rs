//! Sleep.

use std::time::Duration;

use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};

/// Longest sleep: a year. Blueprints of others stop at 300 seconds.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// Lets time pass; a sleeping run is a row.
pub const SLEEP: Module = module!("util:FunctionSleep", versions[1], Behaviour::Effect(sleep));

fn sleep(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let duration = call.input.field("duration");
    match duration.to_f64() {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Plan::Wait(Duration::from_secs_f64(seconds))),
        _ => Err(ModuleError::new(
            Class::BundleValidationError,
            format!("\"{}\" is not a number of seconds between 0 and a year", duration.to_text()),
        )),
    }
}
