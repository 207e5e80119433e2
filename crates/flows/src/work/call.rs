//! Flows that call one another.
//!
//! A call is an effect that ends with another run. That run's id comes from the
//! key of the operation and from when it was asked for, so however often the call is performed, there is one
//! run. The caller sleeps as a row; the last barrier of the other run wakes it,
//! and then it performs the call again and finds the run ended.

use std::time::Duration;

use base::db::Tx;
use base::{Causes, Timestamp};
use sha2::{Digest, Sha256};

use super::advance::InFlight;
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::{Class, FlowCall, ModuleError, Settled};
use crate::run::{Outcome, RunId, RunState, STARTED_BY_FLOW};
use crate::tables::{self, NewRun};
use crate::value::Value;

/// A caller looks by itself after so long, should nobody have woken it.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// The same while the other flow is busy with another run.
const BUSY: Duration = Duration::from_secs(5);

/// What came of a call.
pub(super) enum Called {
    /// It is through.
    Settled(Settled),
    /// The caller sleeps until it is woken.
    Sleeps(Timestamp),
}

impl Flows {
    /// Starts the run that a call asks for, if it has not been started, and
    /// looks how it stands.
    pub(super) async fn call_flow(
        &self,
        caller: RunId,
        asked: &InFlight,
        call: &FlowCall,
        causes: &Causes,
    ) -> Result<Called, Error> {
        let refused = |class, message: String| Ok(Called::Settled(Settled::new(Err(ModuleError::new(class, message)))));
        let flow = match self.flow(&call.flow).await {
            Ok(flow) => flow,
            Err(Error::UnknownFlow { key }) => {
                return refused(Class::InvalidConfigurationError, format!("flow \"{key}\" does not exist"));
            }
            Err(error) => return Err(error),
        };
        let program = match self.program(flow.published.as_ref().unwrap_or(&flow.draft)).await {
            Ok(program) => program,
            Err(Error::BadDocument { detail, .. }) => return refused(Class::InvalidConfigurationError, detail),
            Err(error) => return Err(error),
        };
        if let Some(first) = program.errors().next() {
            let message = format!("flow \"{}\" would not run: {first}", flow.key);
            return refused(Class::InvalidConfigurationError, message);
        }
        let input = match program.form.fill(&call.input, &program.zone) {
            Ok(input) => input.to_json(),
            Err(misfits) => {
                let told: Vec<String> = misfits.iter().map(ToString::to_string).collect();
                return refused(Class::BundleValidationError, told.join("; "));
            }
        };
        let child = NewRun {
            id: child_of(&asked.intent.key, asked.asked_at),
            ..self.new_run(&flow, &program, STARTED_BY_FLOW)
        };
        let step = Step {
            caller,
            child,
            input: serde_json::json!([input]).to_string(),
            causes: causes.clone(),
            waits: call.waits,
            is_sequential: program.is_sequential,
            depth_max: self.limits().call_depth_max,
        };
        let called = self.db.write("flows.call", move |tx| perform(tx, &step)).await?;
        self.nudge.notify_one();
        Ok(called)
    }
}

struct Step {
    caller: RunId,
    child: NewRun,
    input: String,
    causes: Causes,
    waits: bool,
    is_sequential: bool,
    depth_max: u32,
}

/// Returns the run that an operation starts, however often it is performed. Like
/// all ids of runs it begins with its time, that at which it was asked for.
fn child_of(key: &str, asked_at: Timestamp) -> RunId {
    RunId::from_bytes(id_of("call", key, asked_at))
}

/// Returns the id of what an operation makes, however often it is performed.
pub(super) fn id_of(what: &str, key: &str, asked_at: Timestamp) -> [u8; 16] {
    let hash = Sha256::digest(format!("{what}\n{key}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[..6].copy_from_slice(&asked_at.as_millis().to_be_bytes()[2..]);
    // Version 7 and its variant (RFC 9562).
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    bytes
}

fn perform(tx: &mut dyn Tx, step: &Step) -> Result<Called, Error> {
    let settled = |result| Ok(Called::Settled(Settled::new(result)));
    let (id, now) = (step.child.id, step.child.now);
    tables::expect_live(tx, step.caller)?;
    let known = tables::run(tx, id)?;
    if known.is_none() {
        let depth = tables::call_depth(tx, step.caller)? + 1;
        if depth > step.depth_max {
            let message = format!("flows call one another more than {} deep", step.depth_max);
            return settled(Err(ModuleError::new(Class::RuntimeError, message)));
        }
        if step.is_sequential && tables::has_open_run(tx, &step.child.flow)? {
            if tables::flows_above(tx, step.caller)?.contains(&step.child.flow) {
                let message = format!("flow \"{}\" is sequential and would wait for itself", step.child.flow);
                return settled(Err(ModuleError::new(Class::InvalidConfigurationError, message)));
            }
            tables::sleep_until(tx, step.caller, now.plus(BUSY))?;
            return Ok(Called::Sleeps(now.plus(BUSY)));
        }
        tables::insert_run(tx, &step.child, &step.input, std::slice::from_ref(&step.causes))?;
        tables::add_call(tx, id, step.caller, depth, step.waits)?;
    }
    if !step.waits {
        return settled(Ok(vec![Value::collection([("executionId", Value::text(id.to_string()))])]));
    }
    let Some(ended) = known.map(|row| row.info).filter(|info| info.state == RunState::Ended) else {
        tables::sleep_until(tx, step.caller, now.plus(LOOK_AGAIN))?;
        return Ok(Called::Sleeps(now.plus(LOOK_AGAIN)));
    };
    let how = match ended.outcome {
        Some(Outcome::Error) => Some("ended as an error"),
        Some(Outcome::Cancelled) => Some("was cancelled"),
        _ => None,
    };
    if let Some(how) = how {
        let reason = ended.reason.unwrap_or_default();
        let message = format!("run {id} of flow \"{}\" {how}: {reason}", ended.flow);
        return settled(Err(ModuleError::new(Class::RuntimeError, message)));
    }
    let outputs = tables::outputs(tx, id)?.and_then(|text| serde_json::from_str(&text).ok());
    settled(Ok(vec![outputs.map_or_else(|| Value::collection::<String>([]), Value::from_stored)]))
}
