//! Get elements from text.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::pattern::Pattern;
use crate::value::Value;

/// Gives a bundle for each address, number and so on in a text. Parameter
/// `type`; mapper: `text`.
pub const ELEMENTS_FROM_TEXT: Module = module!("regexp:GetElementsFromText", versions[1], Behaviour::Loop(elements));

/// Kinds of elements, with the pattern of each. An address does not end with
/// the full stop of its sentence.
const KINDS: [(&[&str], &str, &str); 4] = [
    (
        &["email", "emails"],
        "email",
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+",
    ),
    (&["url", "urls", "http"], "url", r#"(?:https?|ftp)://[^\s<>"'`{}|\\^\[\]]*[^\s<>"'`{}|\\^\[\].,;:!?()]"#),
    (&["phone", "phones"], "phone", r"(?<![A-Za-z0-9])(?:\+|00)?\(?\d{1,4}\)?(?:[ ./-]?\(?\d{1,4}\)?){2,6}(?!\d)"),
    (&["number", "numbers"], "number", r"(?<![A-Za-z0-9.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z0-9])"),
];

fn elements(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let kind = super::kind(call);
    let Some((_, name, pattern)) = KINDS.iter().find(|(names, ..)| names.contains(&kind.as_str())) else {
        let message = format!("parameters.type: \"{kind}\" is not email, url, phone or number");
        return Err(ModuleError::new(Class::InvalidConfigurationError, message));
    };
    let pattern = Pattern::read(pattern, "g").map_err(super::unreadable)?;
    let text = call.input.field("text").to_text();
    let found = pattern.matches(&text).map_err(super::gave_up)?;
    let found = found.iter().map(|matched| match (*name, &matched.groups[0]) {
        ("number", Value::Text(text)) => {
            Value::collection([(*name, crate::value::read_number(text).unwrap_or_default())])
        }
        (_, whole) => Value::collection([(*name, whole.clone())]),
    });
    Ok(super::or_empty(call, found.collect()))
}
