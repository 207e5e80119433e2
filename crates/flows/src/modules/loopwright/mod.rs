//! Modules of our own.

use super::{Behaviour, Class, Module, ModuleError, nothing_is_json};
use crate::value::{Collection, Value};

/// A trigger of a knowledge model starts the flow. Parameters:
/// `knowledgeModel`, `trigger`.
pub const SIGNAL: Module = Module {
    name: "loopwright:Signal",
    versions: &[1],
    schema: include_str!("signal.json"),
    behaviour: Behaviour::Start(signal),
    is_json: nothing_is_json,
};

/// A person starts the flow.
pub const MANUAL: Module = Module {
    name: "loopwright:Manual",
    versions: &[1],
    schema: include_str!("manual.json"),
    behaviour: Behaviour::Start(|bundle| bundle),
    is_json: nothing_is_json,
};

/// Repeats the modules in `flow` until the conditions in `until` hold for the
/// last bundle that reached their end, at most `repeats` times. That bundle is
/// the output. (A repeater cannot be left early.)
pub const REPEAT_UNTIL: Module = Module {
    name: "loopwright:RepeatUntil",
    versions: &[1],
    schema: include_str!("repeat-until.json"),
    behaviour: Behaviour::RepeatUntil,
    is_json: nothing_is_json,
};

/// Fails with a message: what the flow's author knows to be wrong shall not
/// end as a success.
pub const FAIL: Module = Module {
    name: "loopwright:Fail",
    versions: &[1],
    schema: include_str!("fail.json"),
    behaviour: Behaviour::Pure(|call| {
        let message = call.input.field("message").to_text();
        Err(ModuleError::new(Class::RuntimeError, message))
    }),
    is_json: nothing_is_json,
};

/// Makes the bundle of a signal from what is told of its event: each attribute
/// of the record under its own name, and beside them what tutorials call
/// `case_id` and `signal_name`, where no attribute has that name. It
/// understands the body of a callback (`event.fields` is a list) and the
/// short form of the local sink (`fields` is a collection). Anything else, as
/// from a person who tries the flow, stays as it is.
fn signal(told: Value) -> Value {
    let event = told.field("event");
    let mut bundle = Collection::new();
    match (event.field("fields"), told.field("fields")) {
        (Value::Array(attributes), _) => {
            for attribute in attributes.iter() {
                bundle.insert(attribute.field("id").to_text(), attribute.field("value"));
            }
        }
        (_, Value::Collection(attributes)) => bundle.extend((*attributes).clone()),
        _ => return told,
    }
    let mut besides = |name: &str, value: Value| {
        if value.exists() {
            bundle.entry(name.to_owned()).or_insert(value);
        }
    };
    for source in [&event, &told] {
        besides("case_id", source.field("identifier"));
        besides("identifier", source.field("identifier"));
    }
    besides("signal_name", told.field("triggerId"));
    besides("event_id", event.field("id"));
    besides("event_id", told.field("eventId"));
    besides("offset", told.field("offset"));
    Value::Collection(bundle.into())
}
