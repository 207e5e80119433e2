//! The fields of a module with their mappings, ready to be evaluated.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::mapping::{Problem, Surroundings, Template};
use crate::structure::{self, Field, Structure};
use crate::value::{Collection, Value};

/// A field, a list of fields or a collection of fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapper {
    /// Nothing is mapped here.
    Fixed(Value),
    /// A text with mappings.
    Template(Template),
    /// A text that cannot be read; evaluating it is an error.
    Broken(Problem),
    /// Fields in order.
    Array(Vec<Mapper>),
    /// Fields by name; names are not mapped.
    Collection(Vec<(String, Mapper)>),
    /// Fields whose types are known.
    Typed(Box<Mapper>, Form),
}

/// What the fields of a module must come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Each is converted to its type.
    Fields(Vec<Field>),
    /// They become what the structure describes.
    Structure(Structure),
}

/// Why a field came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its mapping cannot be read or evaluated.
    #[error(transparent)]
    Mapping(#[from] Problem),
    /// What it came to is not of its type.
    #[error("{0}")]
    Form(String),
}

impl Mapper {
    /// Compiles the mapper of a module. `is_json` tells which of its fields
    /// hold JSON text; `problems` collects what cannot be read, with its field.
    pub fn compile(json: &Json, is_json: &dyn Fn(&str) -> bool, problems: &mut Vec<(String, Problem)>) -> Self {
        match json {
            Json::Null => Mapper::Fixed(Value::collection::<String>([])),
            Json::Object(fields) => Mapper::Collection(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), inner(value, name, is_json(name), problems)))
                    .collect(),
            ),
            other => inner(other, "", false, problems),
        }
    }

    /// Compiles a single field.
    pub fn compile_value(json: &Json, problems: &mut Vec<(String, Problem)>) -> Self {
        inner(json, "", false, problems)
    }

    /// Holds what the fields come to against a form.
    pub fn typed(self, form: Form) -> Self {
        match &form {
            Form::Fields(fields) if fields.is_empty() => self,
            _ => Mapper::Typed(self.into(), form),
        }
    }

    /// Returns the names of the fields, in their order; those of a structure
    /// first, in the order of the structure.
    pub fn names(&self) -> Vec<String> {
        match self {
            Mapper::Typed(mapper, Form::Structure(structure)) => {
                let mut names: Vec<String> = structure.fields.iter().map(|field| field.name.clone()).collect();
                let more: Vec<String> = mapper.names().into_iter().filter(|name| !names.contains(name)).collect();
                names.extend(more);
                names
            }
            Mapper::Typed(mapper, Form::Fields(_)) => mapper.names(),
            Mapper::Collection(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
            Mapper::Fixed(Value::Collection(fields)) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Returns all templates with the paths of their fields.
    pub fn templates(&self) -> Vec<(String, &Template)> {
        let mut found = Vec::new();
        self.visit("", &mut found);
        found
    }

    fn visit<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Template)>) {
        match self {
            Mapper::Fixed(_) | Mapper::Broken(_) => {}
            Mapper::Template(template) => found.push((path.to_owned(), template)),
            Mapper::Typed(mapper, _) => mapper.visit(path, found),
            Mapper::Array(fields) => {
                for (place, field) in fields.iter().enumerate() {
                    field.visit(&format!("{path}[{}]", place + 1), found);
                }
            }
            Mapper::Collection(fields) => {
                for (name, field) in fields {
                    field.visit(&below(path, name), found);
                }
            }
        }
    }

    /// Comes to a value; fields that come to nothing are left out. The error
    /// names the field.
    pub fn evaluate(&self, around: &dyn Surroundings) -> Result<Value, (String, Failure)> {
        self.evaluate_at("", around)
    }

    fn evaluate_at(&self, path: &str, around: &dyn Surroundings) -> Result<Value, (String, Failure)> {
        match self {
            Mapper::Fixed(value) => Ok(value.clone()),
            Mapper::Template(template) => {
                template.evaluate(around).map_err(|problem| (path.to_owned(), problem.into()))
            }
            Mapper::Broken(problem) => Err((path.to_owned(), problem.clone().into())),
            Mapper::Typed(mapper, form) => form.hold(&mapper.evaluate_at(path, around)?, &around.zone()),
            Mapper::Array(fields) => {
                let mut values = Vec::with_capacity(fields.len());
                for (place, field) in fields.iter().enumerate() {
                    values.push(field.evaluate_at(&format!("{path}[{}]", place + 1), around)?);
                }
                Ok(Value::array(values))
            }
            Mapper::Collection(fields) => {
                let mut values = Collection::with_capacity(fields.len());
                for (name, field) in fields {
                    let value = field.evaluate_at(&below(path, name), around)?;
                    if value != Value::Absent {
                        values.insert(name.clone(), value);
                    }
                }
                Ok(Value::Collection(values.into()))
            }
        }
    }
}

impl Form {
    fn hold(&self, value: &Value, zone: &TimeZone) -> Result<Value, (String, Failure)> {
        let held = match self {
            Form::Fields(fields) => structure::fit(fields, value, zone),
            Form::Structure(structure) => structure.shape(value, zone).map_err(|mut found| found.swap_remove(0)),
        };
        held.map_err(|mismatch| (mismatch.path, Failure::Form(mismatch.text)))
    }
}

fn inner(json: &Json, path: &str, is_json: bool, problems: &mut Vec<(String, Problem)>) -> Mapper {
    match json {
        Json::String(text) => {
            let template = if is_json { Template::json(text) } else { Template::parse(text) };
            match template {
                Ok(template) => match template.literal() {
                    Some(text) => Mapper::Fixed(Value::text(text)),
                    None => Mapper::Template(template),
                },
                Err(problem) => {
                    problems.push((path.to_owned(), problem.clone()));
                    Mapper::Broken(problem)
                }
            }
        }
        Json::Array(values) => {
            let field =
                |(place, value): (usize, &Json)| inner(value, &format!("{path}[{}]", place + 1), false, problems);
            Mapper::Array(values.iter().enumerate().map(field).collect())
        }
        Json::Object(fields) => {
            let field =
                |(name, value): (&String, &Json)| (name.clone(), inner(value, &below(path, name), false, problems));
            Mapper::Collection(fields.iter().map(field).collect())
        }
        simple => Mapper::Fixed(Value::from_json(simple.clone())),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
