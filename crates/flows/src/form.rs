//! What a person fills in to start a flow by hand.
//!
//! A flow declares its inputs in `interface.input` (older documents say
//! `io.input_spec`), in the specification of fields that blueprints use
//! everywhere. From it come two things: a JSON Schema, from which the browser
//! draws the form, and the check of what was filled in. What a flow reads as
//! `{{var.input.name}}` has the declared type, or its default, or is absent.
//! Values that nobody declared go through as they are.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use crate::pattern::Pattern;
use crate::value::{Collection, FieldType, Value, convert};

/// The declared inputs of a flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: String,
    label: Option<String>,
    help: Option<String>,
    /// As it is written, such as `text` or `url`.
    kind: String,
    kept_as: FieldType,
    is_required: bool,
    default: Option<Json>,
    /// Values to choose from, with what people call them.
    options: Vec<(Json, Option<String>)>,
    min: Option<f64>,
    max: Option<f64>,
    items_max: Option<u64>,
    pattern: Option<String>,
    /// Fields of a collection, and of each item of an array of collections.
    fields: Vec<Field>,
    /// What each item of an array is.
    item: Option<Box<Field>>,
}

/// Says that a value that was filled in does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which field, such as `order.lines[2].amount`.
    pub field: String,
    /// What is wrong with it, as the rest of a sentence that begins with its name.
    pub problem: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" {}", self.field, self.problem)
    }
}

impl Form {
    /// Reads `interface.input`: a list of fields. Nothing at all is a form
    /// without fields.
    pub fn read(document: &Json) -> Result<Self, String> {
        Ok(Form { fields: fields(document)? })
    }

    /// Tells whether the flow declares an input of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Tells whether the flow declares no inputs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the form as JSON Schema (2020-12). What has no word there is
    /// said in `format` (`date-time`, `time`, `uri`, `email`, `password`,
    /// `multiline`).
    pub fn schema(&self, title: &str) -> Json {
        let mut schema = object_schema(&self.fields);
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["title"] = title.into();
        schema
    }

    /// Checks what was filled in: converts it to the declared types and puts
    /// defaults where nothing is. All that does not fit is told at once. Dates
    /// without an offset are in `zone`.
    pub fn fill(&self, input: &Value, zone: &TimeZone) -> Result<Value, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let filled = fill_all(&self.fields, input, "", zone, &mut misfits);
        if misfits.is_empty() { Ok(filled) } else { Err(misfits) }
    }

    /// Makes dates again of what [`Form::fill`] gave and what was written down
    /// since, as JSON that knows only texts. What is no date stays as it is.
    pub fn restore(&self, filled: Value, zone: &TimeZone) -> Value {
        if self.fields.iter().any(Field::has_dates) { restore_all(&self.fields, filled, zone) } else { filled }
    }
}

fn fields(document: &Json) -> Result<Vec<Field>, String> {
    match document {
        Json::Null => Ok(Vec::new()),
        Json::Array(fields) => fields.iter().map(|each| field(each, true)).collect(),
        _ => Err("the inputs of a flow must be a list of fields".to_owned()),
    }
}

fn field(document: &Json, is_named: bool) -> Result<Field, String> {
    let text =
        |name: &str| document.get(name).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text("name").unwrap_or_default();
    if is_named && name.is_empty() {
        return Err(format!("an input has no \"name\": {document}"));
    }
    let kind = text("type").unwrap_or_else(|| "text".to_owned());
    let about = |problem: String| format!("the input \"{name}\": {problem}");
    let validate = document.get("validate").unwrap_or(&Json::Null);
    let rule = |name: &str| validate.get(name).or_else(|| document.get(name)).filter(|value| !value.is_null());
    let pattern = match rule("pattern") {
        None => None,
        Some(Json::String(pattern)) => {
            Pattern::read(pattern, "").map_err(|problem| about(format!("its pattern: {problem}")))?;
            Some(pattern.clone())
        }
        Some(Json::Object(pattern)) => pattern.get("regexp").and_then(Json::as_str).map(str::to_owned),
        Some(other) => return Err(about(format!("\"pattern\" must be a text, not {other}"))),
    };
    let mut options: Vec<(Json, Option<String>)> = Vec::new();
    for option in rule("enum").and_then(Json::as_array).into_iter().flatten() {
        options.push((option.clone(), None));
    }
    for option in document.get("options").and_then(Json::as_array).into_iter().flatten() {
        match option.get("value") {
            Some(value) => {
                options.push((value.clone(), option.get("label").and_then(Json::as_str).map(str::to_owned)));
            }
            None => options.push((option.clone(), None)),
        }
    }
    let kept_as = match FieldType::named(&kind) {
        _ if document.get("multiple").and_then(Json::as_bool) == Some(true) => FieldType::Array,
        kept_as => kept_as,
    };
    let spec = document.get("spec").unwrap_or(&Json::Null);
    let (mut inner, mut item) = (Vec::new(), None);
    match (kept_as, spec) {
        (_, Json::Null) => {}
        (FieldType::Array, Json::Object(_)) => item = Some(Box::new(self::field(spec, false)?)),
        _ => inner = fields(spec).map_err(about)?,
    }
    Ok(Field {
        label: text("label"),
        help: text("help"),
        kept_as,
        is_required: document.get("required").and_then(Json::as_bool).unwrap_or(false),
        default: document.get("default").filter(|value| !value.is_null()).cloned(),
        options,
        min: rule("min").and_then(Json::as_f64),
        max: rule("max").and_then(Json::as_f64),
        items_max: rule("maxItems").and_then(Json::as_u64),
        pattern,
        fields: inner,
        item,
        name,
        kind,
    })
}

fn fill_all(fields: &[Field], input: &Value, path: &str, zone: &TimeZone, misfits: &mut Vec<Misfit>) -> Value {
    let mut filled = match input {
        Value::Collection(given) => (**given).clone(),
        _ => Collection::new(),
    };
    for field in fields {
        let place = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        match field.fill(&input.field(&field.name), &place, zone, misfits) {
            Value::Absent => drop(filled.shift_remove(&field.name)),
            value => drop(filled.insert(field.name.clone(), value)),
        }
    }
    Value::Collection(filled.into())
}

fn restore_all(fields: &[Field], filled: Value, zone: &TimeZone) -> Value {
    let Value::Collection(filled) = filled else { return filled };
    let mut filled = (*filled).clone();
    for field in fields.iter().filter(|field| field.has_dates()) {
        if let Some(value) = filled.get_mut(&field.name) {
            *value = field.restore(std::mem::take(value), zone);
        }
    }
    Value::Collection(filled.into())
}

impl Field {
    /// Tells whether it is a date, or has some inside.
    fn has_dates(&self) -> bool {
        self.kept_as == FieldType::Date
            || self.fields.iter().any(Field::has_dates)
            || self.item.as_deref().is_some_and(Field::has_dates)
    }

    fn restore(&self, value: Value, zone: &TimeZone) -> Value {
        match (self.kept_as, value) {
            (FieldType::Date, value) => convert(value.clone(), FieldType::Date, zone).unwrap_or(value),
            (FieldType::Array, Value::Array(items)) => {
                let restored = |each: &Value| match &self.item {
                    Some(item) => item.restore(each.clone(), zone),
                    None => restore_all(&self.fields, each.clone(), zone),
                };
                Value::array(items.iter().map(restored).collect())
            }
            (_, value) => restore_all(&self.fields, value, zone),
        }
    }

    /// Returns the value for what was given; what is wrong is added to `misfits`.
    fn fill(&self, given: &Value, path: &str, zone: &TimeZone, misfits: &mut Vec<Misfit>) -> Value {
        let mut wrong = |problem: String| {
            misfits.push(Misfit { field: path.to_owned(), problem });
            Value::Absent
        };
        // A form sends an empty text for what was left empty.
        let value = match (given.is_empty(), &self.default) {
            (true, Some(default)) => Value::from_json(default.clone()),
            (true, None) if self.is_required => return wrong(format!("is missing: it must be {}", self.wanted())),
            (true, None) => return Value::Absent,
            (false, _) => given.clone(),
        };
        let value = match convert(value, self.kept_as, zone) {
            Ok(value) => value,
            Err(problem) => return wrong(format!("does not fit: {problem}")),
        };
        if let Some(problem) = self.broken_rule(&value) {
            return wrong(problem);
        }
        match &value {
            Value::Collection(_) if !self.fields.is_empty() => fill_all(&self.fields, &value, path, zone, misfits),
            Value::Array(items) => {
                let place = |number: usize| format!("{path}[{}]", number + 1);
                let mut filled = Vec::with_capacity(items.len());
                for (number, each) in items.iter().enumerate() {
                    filled.push(match (&self.item, each) {
                        (Some(item), each) => item.fill(each, &place(number), zone, misfits),
                        (None, Value::Collection(_)) if !self.fields.is_empty() => {
                            fill_all(&self.fields, each, &place(number), zone, misfits)
                        }
                        (None, each) => each.clone(),
                    });
                }
                Value::array(filled)
            }
            _ => value,
        }
    }

    fn broken_rule(&self, value: &Value) -> Option<String> {
        let each_of = |value: &Value, allowed: &dyn Fn(&Value) -> bool| match value {
            Value::Array(values) => values.iter().all(allowed),
            value => allowed(value),
        };
        let is_option = |value: &Value| self.options.iter().any(|(option, _)| text_of(option) == value.to_text());
        if !self.options.is_empty() && !each_of(value, &is_option) {
            let known: Vec<String> = self.options.iter().map(|(option, _)| text_of(option)).collect();
            return Some(format!("is \"{}\", not one of {}", value.to_text(), known.join(", ")));
        }
        // Of a text it is the length that has limits.
        let size = match value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Text(text) => Some(text.chars().count() as f64),
            _ => None,
        };
        let unit = if matches!(value, Value::Text(_)) { " characters long" } else { "" };
        if let (Some(size), Some(min)) = (size, self.min)
            && size < min
        {
            return Some(format!("must be at least {min}{unit}"));
        }
        if let (Some(size), Some(max)) = (size, self.max)
            && size > max
        {
            return Some(format!("must be at most {max}{unit}"));
        }
        if let (Value::Text(text), Some(pattern)) = (value, &self.pattern)
            && Pattern::read(pattern, "").and_then(|pattern| pattern.is_in(text)) != Ok(true)
        {
            return Some(format!("must match {pattern}"));
        }
        match (value, self.items_max) {
            (Value::Array(items), Some(max)) if items.len() as u64 > max => {
                Some(format!("has {} items, and at most {max} are taken", items.len()))
            }
            _ => None,
        }
    }

    /// Says what is wanted, for the message about a missing value.
    fn wanted(&self) -> &'static str {
        match self.kept_as {
            FieldType::Any => "given",
            FieldType::Text => "a text",
            FieldType::Number => "a number",
            FieldType::Integer => "a whole number",
            FieldType::UnsignedInteger => "a whole number from 0 on",
            FieldType::Boolean => "true or false",
            FieldType::Date => "a date such as 2026-02-03T09:15:00Z",
            FieldType::Time => "a time such as 14:30:00",
            FieldType::Collection => "a collection",
            FieldType::Array => "an array",
            FieldType::Buffer => "bytes",
        }
    }

    fn schema(&self) -> Json {
        let mut schema = match self.kept_as {
            FieldType::Any => json!({}),
            FieldType::Text | FieldType::Buffer => json!({"type": "string"}),
            FieldType::Number => json!({"type": "number"}),
            FieldType::Integer => json!({"type": "integer"}),
            FieldType::UnsignedInteger => json!({"type": "integer", "minimum": 0}),
            FieldType::Boolean => json!({"type": "boolean"}),
            FieldType::Date => json!({"type": "string", "format": "date-time"}),
            FieldType::Time => json!({"type": "string", "format": "time"}),
            FieldType::Collection => object_schema(&self.fields),
            FieldType::Array => {
                let items = match &self.item {
                    Some(item) => item.schema(),
                    None if self.fields.is_empty() => json!({}),
                    None => object_schema(&self.fields),
                };
                json!({"type": "array", "items": items})
            }
        };
        let format = match self.kind.as_str() {
            "url" => Some("uri"),
            "email" => Some("email"),
            "password" => Some("password"),
            "editor" => Some("multiline"),
            _ => None,
        };
        let is_text = self.kept_as == FieldType::Text;
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                schema[name] = value;
            }
        };
        put("title", self.label.clone().map(Json::from));
        put("description", self.help.clone().map(Json::from));
        put("default", self.default.clone());
        put("format", format.map(Json::from));
        put(if is_text { "minLength" } else { "minimum" }, self.min.map(plain));
        put(if is_text { "maxLength" } else { "maximum" }, self.max.map(plain));
        put("maxItems", self.items_max.map(Json::from));
        put("pattern", self.pattern.clone().map(Json::from));
        if !self.options.is_empty() {
            let option = |(value, label): &(Json, Option<String>)| match label {
                Some(label) => json!({"const": value, "title": label}),
                None => json!({"const": value}),
            };
            let options = Json::from(self.options.iter().map(option).collect::<Vec<_>>());
            if self.kept_as == FieldType::Array {
                schema["items"]["oneOf"] = options;
            } else {
                schema["oneOf"] = options;
            }
        }
        schema
    }
}

fn object_schema(fields: &[Field]) -> Json {
    let properties: Map<String, Json> = fields.iter().map(|field| (field.name.clone(), field.schema())).collect();
    // What has a default need not be filled in.
    let required = fields.iter().filter(|field| field.is_required && field.default.is_none());
    let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A whole number without a point.
fn plain(number: f64) -> Json {
    Value::number(number).to_json()
}

fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
