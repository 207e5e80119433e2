//! Choosing and looking up.

use super::{ANY, Function, at, function, text_at};
use crate::mapping::evaluate::{element, equal};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    // These three look only at what they need, so `evaluate` does them itself.
    function("if", "if(condition; then; [else])", 2, 3, |_, _| Ok(Value::Absent)),
    function("ifempty", "ifempty(value; otherwise)", 2, 2, |_, _| Ok(Value::Absent)),
    function("switch", "switch(value; case; result; …; [else])", 3, ANY, |_, _| Ok(Value::Absent)),
    function("get", "get(collection or array; path)", 2, 2, |arguments, _| {
        let mut value = at(arguments, 0);
        for segment in text_at(arguments, 1).split('.') {
            value = match segment.parse::<i64>() {
                Ok(index) if matches!(value, Value::Array(_)) => element(&value, index),
                _ => value.field(segment),
            };
        }
        Ok(value)
    }),
    function("pick", "pick(collection; key; …)", 2, ANY, |arguments, _| Ok(select(arguments, true))),
    function("omit", "omit(collection; key; …)", 2, ANY, |arguments, _| Ok(select(arguments, false))),
    function("equal", "equal(a; b)", 2, 2, |arguments, _| Ok(Value::Bool(equal(&arguments[0], &arguments[1])))),
];

fn select(arguments: &[Value], keep: bool) -> Value {
    let Value::Collection(fields) = &arguments[0] else { return Value::Absent };
    let named: Vec<String> = arguments[1..].iter().map(Value::to_text).collect();
    let chosen = fields.iter().filter(|(name, _)| named.contains(name) == keep);
    Value::collection(chosen.map(|(name, value)| (name.clone(), value.clone())))
}
