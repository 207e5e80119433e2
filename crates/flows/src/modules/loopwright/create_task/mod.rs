//! A task whose answer is waited for later.

use super::task::{Question, asked};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Makes a task and gives its link, so that the flow can send it to somebody
/// before it waits.
pub const CREATE_TASK: Module = module!("loopwright:CreateTask", versions[1], Behaviour::Effect(create));

fn create(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    Ok(Plan::Ask(Box::new(Question::New { task: asked(call)?, waits: false })))
}
