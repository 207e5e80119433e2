//! Choosing and looking up.

use super::{ANY, Function, at, function, lazy, text_at};
use crate::mapping::Problem;
use crate::mapping::evaluate::{Surroundings, element, equal, evaluate};
use crate::mapping::expression::Expression;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    // These look only at what they need, so that what is not chosen may be
    // something that cannot be computed.
    lazy("if", "if(condition; then; [else])", 2, 3, |arguments, around| {
        let taken = if around.semantics().truth(&value(arguments, 0, around)?) { 1 } else { 2 };
        value(arguments, taken, around)
    }),
    lazy("ifempty", "ifempty(value; otherwise)", 2, 2, |arguments, around| {
        let first = value(arguments, 0, around)?;
        if first.is_empty() { value(arguments, 1, around) } else { Ok(first) }
    }),
    lazy("switch", "switch(value; case; result; …; [else])", 3, ANY, |arguments, around| {
        let subject = value(arguments, 0, around)?;
        let mut place = 1;
        while place + 1 < arguments.len() {
            if equal(&subject, &value(arguments, place, around)?, &around.zone()) {
                return value(arguments, place + 1, around);
            }
            place += 2;
        }
        value(arguments, place, around)
    }),
    lazy("case", "case(number; first; second; …)", 2, ANY, |arguments, around| {
        let number = value(arguments, 0, around)?.to_i64().and_then(|number| usize::try_from(number).ok());
        match number {
            Some(number) if (1..arguments.len()).contains(&number) => value(arguments, number, around),
            _ => Ok(Value::Null),
        }
    }),
    lazy("ifin", "ifin(value; one; …; then; else)", 4, ANY, |arguments, around| {
        let subject = value(arguments, 0, around)?;
        let (then, otherwise) = (arguments.len() - 2, arguments.len() - 1);
        for place in 1..then {
            if subject == value(arguments, place, around)? {
                return value(arguments, then, around);
            }
        }
        value(arguments, otherwise, around)
    }),
    function("in", "in(value; one; …)", 2, ANY, |arguments, _| {
        // The same value of the same type: "2" is not 2.
        Ok(Value::Bool(arguments[1..].contains(&arguments[0])))
    }),
    function("isBlank", "isBlank(value)", 1, 1, |arguments, _| Ok(Value::Bool(arguments[0].is_empty()))),
    function("equal", "equal(a; b)", 2, 2, |arguments, around| {
        Ok(Value::Bool(equal(&arguments[0], &arguments[1], &around.zone())))
    }),
    function("get", "get(collection or array; path)", 2, 2, |arguments, _| {
        Ok(followed(&arguments[0], &text_at(arguments, 1)))
    }),
    function("pick", "pick(collection; key; …)", 2, ANY, |arguments, _| select(arguments, true)),
    function("omit", "omit(collection; key; …)", 2, ANY, |arguments, _| select(arguments, false)),
    function("mergeCollections", "mergeCollections(collection; collection)", 2, 2, |arguments, _| {
        let mut merged = crate::value::Collection::new();
        for place in 0..2 {
            match at(arguments, place) {
                Value::Collection(fields) => {
                    merged.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                nothing if !nothing.exists() => {}
                other => return Err(format!("\"{}\" is not a collection", other.to_text())),
            }
        }
        Ok(Value::Collection(merged.into()))
    }),
];

/// Comes to the value of an argument; absent where it was left out.
fn value(arguments: &[Expression], place: usize, around: &dyn Surroundings) -> Result<Value, Problem> {
    arguments.get(place).map_or(Ok(Value::Absent), |expression| evaluate(expression, around))
}

/// Follows a path with dots, in which numbers are places in arrays.
pub(super) fn followed(start: &Value, path: &str) -> Value {
    path.split('.').fold(start.clone(), |value, segment| match segment.parse::<i64>() {
        Ok(index) if matches!(value, Value::Array(_)) => element(&value, index),
        _ => value.field(segment),
    })
}

fn select(arguments: &[Value], keep: bool) -> Result<Value, String> {
    let fields = match &arguments[0] {
        Value::Collection(fields) => fields,
        nothing if !nothing.exists() => return Ok(Value::Absent),
        other => return Err(format!("\"{}\" is not a collection", other.to_text())),
    };
    // Several keys may also come as one array.
    let named: Vec<String> = arguments[1..]
        .iter()
        .flat_map(|argument| match argument {
            Value::Array(keys) => keys.iter().map(Value::to_text).collect(),
            key => vec![key.to_text()],
        })
        .collect();
    let chosen = fields.iter().filter(|(name, _)| named.contains(name) == keep);
    Ok(Value::collection(chosen.map(|(name, value)| (name.clone(), value.clone()))))
}
