//! Flows that call one another.

use base::Timestamp;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::failing::path_of;
use super::{End, Scope, Teller, Walk, id_of};
use crate::run::{OperationStatus, Outcome, RunId};
use crate::value::Value;

/// What the id of a called run has of the operation that calls it; the rest of
/// it is its time.
pub(in crate::simulation) type Name = String;

/// A call of another flow.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Called {
    /// The run that it starts.
    pub(in crate::simulation) child: Name,
    pub(in crate::simulation) flow: String,
    pub(in crate::simulation) input: Json,
}

/// A run of another flow.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Child {
    pub(in crate::simulation) id: RunId,
    /// How it ended, if it has.
    pub(in crate::simulation) outcome: Option<Outcome>,
    pub(in crate::simulation) ended_at: Option<Timestamp>,
    pub(in crate::simulation) outputs: Option<Value>,
}

/// Returns the name of a run.
pub(in crate::simulation) fn name_of(run: RunId) -> Name {
    named(&run.to_string().replace('-', ""))
}

/// Leaves out of 32 hexadecimal digits the time, the version and the variant.
fn named(digits: &str) -> Name {
    format!("{}{}", &digits[13..16], &digits[17..])
}

/// Returns the name of the run that an operation of a run starts.
fn child_of(run: &str, module: u32, path: &str) -> Name {
    let mut key = hex::encode(Sha256::digest(format!("{run}\n{module}\n{path}")));
    key.truncate(40);
    named(&hex::encode(&Sha256::digest(format!("call\n{key}"))[..16]))
}

impl<'a> Teller<'a> {
    pub(super) fn call(&mut self, node: &'a Json, input: &Value, scope: &Scope) -> Walk {
        let child = child_of(self.run, id_of(node), &path_of(scope));
        let flow = node["parameters"]["flow"].as_str().unwrap_or_default().to_owned();
        self.calls.push(Called { child: child.clone(), flow, input: input.field("input").to_json() });
        let Some(run) = self.children.get(&child) else { return Err(End::Unanswered) };
        let bundle = if node["parameters"]["wait"] == true {
            let Some(outcome) = run.outcome else { return Err(End::Unanswered) };
            self.waited_for.push(child);
            self.steps += 1;
            if matches!(outcome, Outcome::Error | Outcome::Cancelled) {
                return self.fail(node, scope, "RuntimeError");
            }
            run.outputs.clone().unwrap_or_else(|| Value::collection::<String>([]))
        } else {
            self.steps += 1;
            Value::collection([("executionId", Value::text(run.id.to_string()))])
        };
        self.done(node, OperationStatus::Success);
        self.emit(id_of(node), vec![bundle], scope)
    }
}
