//! Records that outlive runs.

pub mod add_record;
pub mod update_record;
pub mod get_record;
pub mod search_record;
pub mod exist_record;
pub mod delete_record;
pub mod delete_all_records;
pub mod count_records;

use serde_json::{Map, Value as Json};

use super::{Call, Class, ModuleError, Plan};
use crate::store::{Act, StoreCall};
use crate::value::Value;

/// Letters of a key at most.
const KEY_CHARS_MAX: usize = 256;

/// Returns how a module names its store: by its name, or by the number under
/// which a blueprint brought it, as `datastore:NUMBER`.
pub(crate) fn store_of(parameters: &Map<String, Json>) -> Option<String> {
    match parameters.get("datastore")? {
        Json::Number(number) => Some(format!("datastore:{number}")),
        Json::String(text) if text.is_empty() => None,
        Json::String(text) if text.bytes().all(|letter| letter.is_ascii_digit()) => Some(format!("datastore:{text}")),
        Json::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn plan(call: &Call<'_>, act: Act) -> Result<Plan, ModuleError> {
    let store = store_of(call.parameters).ok_or_else(|| {
        ModuleError::new(Class::InvalidConfigurationError, "parameters.datastore does not name a data store")
    })?;
    Ok(Plan::Store(Box::new(StoreCall { store, act })))
}

fn key(call: &Call<'_>) -> Result<String, ModuleError> {
    let key = key_or_none(call)?;
    if key.is_empty() {
        return Err(ModuleError::new(Class::BundleValidationError, "missing value of required parameter \"key\""));
    }
    Ok(key)
}

fn key_or_none(call: &Call<'_>) -> Result<String, ModuleError> {
    let wrong = |text: String| ModuleError::new(Class::BundleValidationError, text);
    let key = match call.input.field("key") {
        Value::Collection(_) => return Err(wrong("key: a collection is no text".into())),
        key => key.to_text(),
    };
    if key.chars().count() > KEY_CHARS_MAX || key.contains('\0') {
        return Err(wrong(format!("key: it has more than {KEY_CHARS_MAX} letters, or a letter of value 0")));
    }
    Ok(key)
}

/// Returns the fields of a record.
fn data(call: &Call<'_>) -> Result<Value, ModuleError> {
    match call.input.field("data") {
        data @ Value::Collection(_) => Ok(data),
        Value::Absent | Value::Null => Ok(Value::collection::<String>([])),
        other => {
            let message = format!("data: \"{}\" is not a collection", other.to_text());
            Err(ModuleError::new(Class::BundleValidationError, message))
        }
    }
}
