//! Parse XML.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::{Value, read_xml};

/// Reads an XML document. Mapper: `xml`.
pub const PARSE: Module = module!("xml:ParseXML", versions[1], Behaviour::Pure(parse));

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let wrong = |text: String| ModuleError::new(Class::BundleValidationError, text);
    match call.input.field("xml") {
        Value::Absent | Value::Null => Err(wrong("missing value of required parameter \"xml\"".into())),
        // It has been parsed before, e.g. by an HTTP module.
        parsed @ Value::Collection(_) => Ok(vec![parsed]),
        document => read_xml(&document.to_bytes()).map(|value| vec![value]).map_err(wrong),
    }
}
