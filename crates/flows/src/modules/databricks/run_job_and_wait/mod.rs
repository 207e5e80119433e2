//! A job is run, and its end waited for.

use crate::databricks::body;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Starts a run of a job and goes on when it has ended, with what its tasks gave.
pub const RUN_JOB_AND_WAIT: Module = module!("databricks:RunJobAndWait", versions[1], Behaviour::Effect(run));

fn run(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let wait = body::wait(call)?;
    super::run_now(call, RUN_JOB_AND_WAIT.name, Some(wait))
}
