//! A job is run, and its end not waited for.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Starts a run of a job and goes on at once.
pub const RUN_JOB: Module = module!("databricks:RunJob", versions[1], Behaviour::Effect(run));

fn run(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    super::run_now(call, RUN_JOB.name, None)
}
