//! References in parameters: `{{job.parameters.case_id}}`.
//!
//! A Python file gets its parameters as a list, so the parameters of a job
//! reach it only where its list refers to them. A reference that can never
//! have a value is refused when the job is written, or when the run is made:
//! not passed on as a text with braces. Braces around anything else are left
//! alone, because they may well be meant.

use std::collections::BTreeMap;

use crate::error::Error;

/// What references stand for in one attempt of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Values of `{{NAME}}`, and of `{{job.parameters.NAME}}` under that whole name.
    pub values: BTreeMap<String, String>,
}

/// Refuses references to what this workspace does not have.
pub(crate) fn check(parameters: &[String]) -> Result<(), Error> {
    for text in parameters {
        for name in references(text) {
            if name.starts_with("tasks.") || name.starts_with("secrets/") {
                return Err(Error::Unsupported {
                    setting: format!("{{{{{name}}}}} in parameters"),
                    hint: if name.starts_with("secrets/") {
                        ": parameters can be seen; put it into spark_env_vars".into()
                    } else {
                        String::new()
                    },
                });
            }
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
        match known.values.get(name) {
            Some(value) => out.push_str(value),
            None if name.starts_with("job.parameters.") => {
                return Err(Error::Parameter {
                    detail: format!("\"{{{{{name}}}}}\" is not a parameter of the job or of this run"),
                });
            }
            None => out.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
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
