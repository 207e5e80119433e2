//! Texts taken apart: patterns in the manner of JavaScript, and HTML.

pub mod parser;
pub mod advanced_parser;
pub mod replace;
pub mod html_to_text;
pub mod elements_from_text;
pub mod elements_from_html;
mod html;

use super::builtin::iterator::numbered;
use super::{Call, Class, ModuleError};
use crate::pattern::Pattern;
use crate::value::{Collection, Value};

/// Reads a pattern with the flags that a module has as fields or settings.
fn read(call: &Call<'_>, pattern: &str) -> Result<Pattern, ModuleError> {
    if pattern.is_empty() {
        let message = "missing value of required parameter \"pattern\"";
        return Err(ModuleError::new(Class::BundleValidationError, message));
    }
    let is_on = |name: &str| call.is_on(name) || call.input.field(name).truth();
    let mut flags = String::new();
    for (flag, is_set) in
        [('g', is_on("global")), ('i', !is_on("sensitive")), ('m', is_on("multiline")), ('s', is_on("singleline"))]
    {
        if is_set {
            flags.push(flag);
        }
    }
    Pattern::read(pattern, &flags).map_err(unreadable)
}

/// Gives a bundle for each match.
fn matches(call: &Call<'_>, pattern: &str) -> Result<Vec<Value>, ModuleError> {
    let text = call.input.field("text").to_text();
    let found = read(call, pattern)?.matches(&text).map_err(gave_up)?;
    let bundle = |(place, matched): (usize, crate::pattern::Match)| {
        let mut fields = Collection::new();
        fields.insert("i".into(), Value::Int(place as i64 + 1));
        for (number, group) in matched.groups.iter().enumerate().skip(1) {
            fields.insert(format!("${number}"), group.clone());
        }
        for (name, number) in matched.names {
            fields.insert(name, matched.groups[number].clone());
        }
        let groups = matched.groups.iter().map(|group| if group.exists() { group.clone() } else { Value::Null });
        fields.insert("__IMTMATCH__".into(), Value::array(groups.collect()));
        Value::collection(fields)
    };
    Ok(or_empty(call, found.into_iter().enumerate().map(bundle).collect()))
}

/// Numbers bundles; one empty one stands for none, where that is wanted.
fn or_empty(call: &Call<'_>, bundles: Vec<Value>) -> Vec<Value> {
    let continues = call.is_on("continueWhenNoRes") || call.input.field("continueWhenNoRes").truth();
    if bundles.is_empty() && continues {
        return vec![Value::collection([("__IMTLENGTH__", Value::Int(0))])];
    }
    numbered(bundles)
}

/// Returns the kind of elements that a module looks for.
fn kind(call: &Call<'_>) -> String {
    let named = ["type", "kind", "pattern"].iter().find_map(|name| call.parameter(name));
    named.map_or_else(|| call.input.field("type").to_text(), str::to_owned)
}

fn unreadable(text: String) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, text)
}

fn gave_up(text: String) -> ModuleError {
    ModuleError::new(Class::DataError, text)
}
