//! A person decides.

use super::task::{Question, asked};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Makes a task and waits for its answer, or for that of a task that was made
/// before.
pub const WAIT_FOR_APPROVAL: Module = module!("loopwright:WaitForApproval", versions[1], Behaviour::Effect(wait));

fn wait(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let known = call.input.field("task");
    let question = if known.is_empty() {
        Question::New { task: asked(call)?, waits: true }
    } else {
        Question::Known { id: known.to_text().trim().to_owned() }
    };
    Ok(Plan::Ask(Box::new(question)))
}
