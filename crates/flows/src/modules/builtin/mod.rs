//! Flow control.

use serde_json::{Map, Value as Json};

use super::{Behaviour, Call, Class, Directive, Module, ModuleError, nothing_is_json};
use crate::value::{Collection, Value};

/// Turns of a repeater.
const REPEATS_MAX: i64 = 10_000;

/// Sends each bundle along every route whose filter lets it pass.
pub const ROUTER: Module = Module {
    name: "builtin:BasicRouter",
    versions: &[1],
    schema: include_str!("router.json"),
    behaviour: Behaviour::Router,
    is_json: nothing_is_json,
};

/// Makes a bundle of each element of an array.
pub const ITERATOR: Module = Module {
    name: "builtin:BasicFeeder",
    versions: &[1],
    schema: include_str!("iterator.json"),
    behaviour: Behaviour::Loop(iterate),
    is_json: nothing_is_json,
};

/// Makes a bundle with `i` for each turn.
pub const REPEATER: Module = Module {
    name: "builtin:BasicRepeater",
    versions: &[1],
    schema: include_str!("repeater.json"),
    behaviour: Behaviour::Loop(repeat),
    is_json: nothing_is_json,
};

/// Collects its feeder's bundles into an array.
pub const AGGREGATOR: Module = Module {
    name: "builtin:BasicAggregator",
    versions: &[1],
    schema: include_str!("aggregator.json"),
    behaviour: Behaviour::Aggregator(collect),
    is_json: nothing_is_json,
};

/// Drops the bundle that failed.
pub const IGNORE: Module = directive("builtin:Ignore", include_str!("ignore.json"), Directive::Ignore);
/// Goes on with another bundle.
pub const RESUME: Module = directive("builtin:Resume", include_str!("resume.json"), Directive::Resume);
/// Stops the run as a success.
pub const COMMIT: Module = directive("builtin:Commit", include_str!("commit.json"), Directive::Commit);
/// Stops the run as an error.
pub const ROLLBACK: Module = directive("builtin:Rollback", include_str!("rollback.json"), Directive::Rollback);

const fn directive(name: &'static str, schema: &'static str, directive: Directive) -> Module {
    Module { name, versions: &[1], schema, behaviour: Behaviour::Directive(directive), is_json: nothing_is_json }
}

fn iterate(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let elements = match call.input.field("array") {
        Value::Array(elements) => elements.to_vec(),
        Value::Absent | Value::Null => Vec::new(),
        single => vec![single],
    };
    let length = Value::Int(elements.len() as i64);
    let bundle = |(place, element): (usize, Value)| {
        let mut fields = match element {
            Value::Collection(fields) => (*fields).clone(),
            other => Collection::from_iter([("value".to_owned(), other)]),
        };
        fields.insert("__IMTINDEX__".into(), Value::Int(place as i64 + 1));
        fields.insert("__IMTLENGTH__".into(), length.clone());
        Value::collection(fields)
    };
    Ok(elements.into_iter().enumerate().map(bundle).collect())
}

fn repeat(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let number = |name: &str, otherwise: f64| match call.input.field(name) {
        value if value.is_empty() => Ok(otherwise),
        value => value.to_f64().ok_or_else(|| {
            let message = format!("\"{}\" is not a number for \"{name}\"", value.to_text());
            ModuleError::new(Class::BundleValidationError, message)
        }),
    };
    let (start, repeats, step) = (number("start", 1.0)?, number("repeats", 0.0)?, number("step", 1.0)?);
    let repeats = repeats as i64;
    if !(0..=REPEATS_MAX).contains(&repeats) {
        let message = format!("{repeats} is not a number of repeats between 0 and {REPEATS_MAX}");
        return Err(ModuleError::new(Class::BundleValidationError, message));
    }
    Ok((0..repeats).map(|turn| Value::collection([("i", Value::number(start + step * turn as f64))])).collect())
}

fn collect(_parameters: &Map<String, Json>, items: Vec<Value>) -> Value {
    let length = Value::Int(items.len() as i64);
    Value::collection([("array", Value::array(items)), ("__IMTAGGLENGTH__", length)])
}
