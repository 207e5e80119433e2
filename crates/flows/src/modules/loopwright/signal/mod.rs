//! Start on a signal.

use crate::modules::{Behaviour, Module};
use crate::value::{Collection, Value};

/// A trigger of a knowledge model starts the flow. Parameters:
/// `knowledgeModel`, `trigger`.
pub const SIGNAL: Module = module!("loopwright:Signal", versions[1], Behaviour::Start(signal));

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
