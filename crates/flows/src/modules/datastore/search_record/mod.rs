//! Search records.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};
use crate::store::{Act, Search};
use crate::value::Value;

/// Looks for records. Mapper: `filter`, `sort`; parameters: `limit`,
/// `continueWhenNoRes`.
pub const SEARCH_RECORD: Module = module!("datastore:SearchRecord", versions[1], Behaviour::Effect(search));

fn search(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let wrong = |text: String| ModuleError::new(Class::BundleValidationError, text);
    let set = |name: &str| match call.input.field(name) {
        Value::Absent => call.parameters.get(name).cloned().map(Value::from_json).unwrap_or_default(),
        value => value,
    };
    let limit = match set("limit") {
        limit if limit.is_empty() => None,
        limit => {
            let number = limit.to_i64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0);
            Some(number.ok_or_else(|| wrong(format!("limit: \"{}\" is not a number from 1 on", limit.to_text())))?)
        }
    };
    let continues = set("continueWhenNoRes").truth();
    let search = Search::read(&call.input.field("filter"), &call.input.field("sort"), limit, continues);
    super::plan(call, Act::Search(search.map_err(wrong)?))
}
