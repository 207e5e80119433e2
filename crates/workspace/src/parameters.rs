//! References in parameters: `{{job.parameters.case_id}}`.
//!
//! A reference that can never have a value is refused when the job is written,
//! or when the run is made; one that has none when the task's turn has come
//! fails the task. Braces around anything else are left alone, because they
//! may well be meant: what begins with none of [`SPACES`] is no reference.

use std::collections::BTreeMap;

use crate::error::Error;

/// How names begin that this workspace gives out.
const SPACES: [&str; 6] = ["job.", "task.", "tasks.", "workspace.", "secrets/", "input."];

/// What references stand for in one attempt of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Values of `{{NAME}}`, under the whole name.
    pub values: BTreeMap<String, String>,
}

/// Refuses references to what this workspace does not have.
pub(crate) fn check(parameters: &[&str]) -> Result<(), Error> {
    for name in parameters.iter().flat_map(|text| references(text)) {
        if name.starts_with("secrets/") {
            return Err(Error::Unsupported {
                setting: format!("{{{{{name}}}}} in parameters"),
                hint: ": parameters can be seen; put it into spark_env_vars".into(),
            });
        }
        if name.starts_with("tasks.") && name.contains(".output.") {
            return Err(Error::Unsupported {
                setting: format!("{{{{{name}}}}}"),
                hint: ": set a task value, and refer to that as {{tasks.KEY.values.NAME}}".into(),
            });
        }
    }
    Ok(())
}

/// Puts values in the place of references.
pub(crate) fn resolve(text: &str, known: &References) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_reference(rest) {
        out.push_str(before);
        match known.values.get(&plain(name)) {
            Some(value) => out.push_str(value),
            None if is_reference(name) => return Err(Error::Parameter { detail: unknown(name) }),
            None => out.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_reference(name: &str) -> bool {
    name == "input" || SPACES.iter().any(|space| name.starts_with(space))
}

/// Says what is wrong with a name that has no value.
fn unknown(name: &str) -> String {
    let what = match name.split_once('.') {
        Some(("job", rest)) if rest.starts_with("parameters.") => "is not a parameter of the job or of this run",
        Some(("tasks", rest)) if rest.contains(".values.") => "is not a value that a task before this one has set",
        Some(("tasks", _)) => "is nothing that is known of a task before this one",
        Some(("input", _)) => "is not in the input of this iteration",
        _ if name == "input" => "is only there inside of a \"for_each_task\"",
        _ if name.starts_with("secrets/") => "is a secret, and not for this place",
        _ => "is not a value that this workspace gives out",
    };
    format!("\"{{{{{name}}}}}\" {what}")
}

/// Takes away the backticks that may stand around a part of a name.
fn plain(name: &str) -> String {
    name.replace('`', "")
}

/// Returns the names in the double braces of a text.
pub(crate) fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next_reference(rest) {
        names.push(name);
        rest = after;
    }
    names
}

/// Splits a text at its first `{{name}}`.
fn next_reference(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("{{")?;
    let length = text[start + 2..].find("}}")?;
    let name = &text[start + 2..start + 2 + length];
    Some((&text[..start], name.trim(), &text[start + 4 + length..]))
}
