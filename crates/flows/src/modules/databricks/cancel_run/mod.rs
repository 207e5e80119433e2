//! A run is stopped.

use crate::databricks::act::Act;
use crate::databricks::body;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Asks a workspace to cancel a run, which it does some time later.
pub const CANCEL_RUN: Module = module!("databricks:CancelRun", versions[1], Behaviour::Effect(cancel));

fn cancel(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let run = body::needed_id(call, "run_id")?;
    super::planned(call, CANCEL_RUN.name, Act::Cancel { run })
}
