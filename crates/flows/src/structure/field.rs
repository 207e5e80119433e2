//! The specification of a field, in the form of the original.

use serde_json::{Map, Value as Json};

use crate::value::FieldType;

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What it is called.
    pub name: String,
    /// What people call it.
    pub label: Option<String>,
    /// Its type.
    pub kind: FieldType,
    /// It must be there and not be empty.
    pub required: bool,
    /// Stands in its place where it is empty; [`Json::Null`] for none.
    pub default: Json,
    /// What its items or elements are.
    pub inside: Inside,
    /// `validate`: `min`, `max`, `enum`, `pattern`, `maxItems`; [`Json::Null`]
    /// for none.
    pub limits: Json,
}

/// What is in a field that has structure.
#[derive(Clone, Debug, PartialEq)]
pub enum Inside {
    /// Anything, or nothing.
    Anything,
    /// The fields of a collection.
    Fields(Vec<Field>),
    /// The elements of an array.
    Elements(Box<Field>),
}

impl Field {
    /// Makes an optional field of a type.
    pub fn new(name: impl Into<String>, kind: FieldType) -> Self {
        Field {
            name: name.into(),
            label: None,
            kind,
            required: false,
            default: Json::Null,
            inside: Inside::Anything,
            limits: Json::Null,
        }
    }

    /// Reads one as blueprints have it; what nobody knows is of any type.
    fn read(spec: &Map<String, Json>) -> Self {
        let text = |name: &str| spec.get(name).and_then(Json::as_str);
        let is_on = |name: &str| spec.get(name).and_then(Json::as_bool).unwrap_or(false);
        let kind = FieldType::named(text("type").unwrap_or("any"));
        let mut field = Field {
            label: text("label").map(str::to_owned),
            required: is_on("required"),
            default: spec.get("default").cloned().unwrap_or_default(),
            inside: inside(kind, spec.get("spec")),
            limits: spec.get("validate").filter(|limits| limits.is_object()).cloned().unwrap_or_default(),
            ..Field::new(text("name").unwrap_or_default(), kind)
        };
        if is_on("multiple") && kind != FieldType::Array {
            let element = Field { required: false, default: Json::Null, ..field.clone() };
            field =
                Field { kind: FieldType::Array, inside: Inside::Elements(element.into()), limits: Json::Null, ..field };
        }
        field
    }

    pub(super) fn to_json(&self) -> Json {
        let mut spec = Map::new();
        if !self.name.is_empty() {
            spec.insert("name".into(), self.name.clone().into());
        }
        if let Some(label) = &self.label {
            spec.insert("label".into(), label.clone().into());
        }
        spec.insert("type".into(), self.kind.as_str().into());
        if self.required {
            spec.insert("required".into(), true.into());
        }
        for (name, value) in [("default", &self.default), ("validate", &self.limits)] {
            if !value.is_null() {
                spec.insert(name.into(), value.clone());
            }
        }
        match &self.inside {
            Inside::Anything => {}
            Inside::Fields(fields) => {
                spec.insert("spec".into(), fields.iter().map(Field::to_json).collect());
            }
            Inside::Elements(element) => {
                spec.insert("spec".into(), element.to_json());
            }
        }
        Json::Object(spec)
    }
}

/// The elements of an array are one field without a name, or a list of fields
/// that each element has.
fn inside(kind: FieldType, spec: Option<&Json>) -> Inside {
    match (kind, spec) {
        (FieldType::Array, Some(Json::Object(element))) => Inside::Elements(Field::read(element).into()),
        (FieldType::Array, Some(fields @ Json::Array(list))) => {
            let element = match list.as_slice() {
                [Json::Object(only)] if !only.contains_key("name") => Field::read(only),
                _ => Field { inside: Inside::Fields(fields_of(fields)), ..Field::new("", FieldType::Collection) },
            };
            Inside::Elements(element.into())
        }
        (FieldType::Collection, Some(fields @ Json::Array(_))) => Inside::Fields(fields_of(fields)),
        _ => Inside::Anything,
    }
}

/// Reads a list of fields as blueprints have it; what is none is passed over.
pub(crate) fn fields_of(list: &Json) -> Vec<Field> {
    let Json::Array(list) = list else { return Vec::new() };
    list.iter().filter_map(Json::as_object).map(Field::read).filter(|field| !field.name.is_empty()).collect()
}

/// Reads a list of fields that a person wrote, and is strict about it.
pub(super) fn read_all(list: &[Json], path: &str) -> Result<Vec<Field>, String> {
    let mut fields: Vec<Field> = Vec::new();
    for (place, spec) in list.iter().enumerate() {
        let at = format!("{path}spec[{}]", place + 1);
        let Json::Object(spec) = spec else { return Err(format!("{at} must be an object")) };
        let field = Field::read(spec);
        if field.name.is_empty() {
            return Err(format!("{at} has no \"name\""));
        }
        if fields.iter().any(|known| known.name == field.name) {
            return Err(format!("the field \"{}\" stands twice", field.name));
        }
        must_be_known(spec, &field.name)?;
        fields.push(field);
    }
    Ok(fields)
}

fn must_be_known(spec: &Map<String, Json>, path: &str) -> Result<(), String> {
    let kind = spec.get("type").and_then(Json::as_str).unwrap_or_default();
    if FieldType::named(kind) == FieldType::Any && kind != "any" {
        return Err(format!(
            "\"{path}\" has the type \"{kind}\": text, number, integer, boolean, date, time, buffer, collection and \
             array are types"
        ));
    }
    match spec.get("spec") {
        Some(Json::Array(inside)) if inside.iter().any(|field| field.get("name").is_some()) => {
            read_all(inside, &format!("{path}."))?;
            Ok(())
        }
        Some(Json::Object(element)) => must_be_known(element, &format!("{path}[]")),
        _ => Ok(()),
    }
}
