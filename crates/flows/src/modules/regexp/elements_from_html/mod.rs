//! Get elements from HTML.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Gives a bundle for each link, image and so on of a page. Parameter `type`;
/// mapper: `html` or `text`.
pub const ELEMENTS_FROM_HTML: Module = module!("regexp:GetElementsFromHTML", versions[1], Behaviour::Loop(elements));

fn elements(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let kind = super::kind(call);
    let tag = match kind.as_str() {
        "link" | "links" | "a" => "a",
        "image" | "images" | "img" => "img",
        "heading" | "headings" => "h",
        "script" | "scripts" => "script",
        "iframe" | "iframes" => "iframe",
        "form" | "forms" => "form",
        _ => {
            let message = format!("parameters.type: \"{kind}\" is not link, image, heading, script, iframe or form");
            return Err(ModuleError::new(Class::InvalidConfigurationError, message));
        }
    };
    let html = match call.input.field("html") {
        Value::Absent => call.input.field("text"),
        html => html,
    };
    let found = super::html::elements(&html.to_text(), tag);
    Ok(super::or_empty(call, found))
}
