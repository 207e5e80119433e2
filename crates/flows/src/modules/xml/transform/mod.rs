//! Transform to XML.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::{Value, write_xml};

/// Writes a collection as an XML document. Mapper: `object`.
pub const TRANSFORM: Module = module!("xml:TransformToXML", versions[1], Behaviour::Pure(transform));

fn transform(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let indent = match call.parameter("space") {
        Some("tab") => "\t".to_owned(),
        Some(number) => " ".repeat(number.parse().unwrap_or(0).min(8)),
        None => String::new(),
    };
    let written = write_xml(&call.input.field("object"), &indent);
    let text = written.map_err(|text| ModuleError::new(Class::BundleValidationError, text))?;
    Ok(vec![Value::collection([("xml", Value::text(text))])])
}
