//! Parse CSV.

use csv::ReaderBuilder;

use crate::modules::builtin::iterator::numbered;
use crate::modules::csv::delimiter;
use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Makes a bundle of each row, with `col1`, `col2` and so on.
pub const PARSE: Module = module!("csv:ParseCSV", versions[1], Behaviour::Loop(parse));

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let field = |name: &str| call.input.field(name);
    let columns_max = match field("columns") {
        value if value.is_empty() => None,
        value => value.to_i64().and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0),
    };
    let bytes = field("csv").to_bytes();
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(&field("delimiter").to_text(), &field("otherDelimiter").to_text())?)
        .has_headers(field("containsHeaders").truth())
        .flexible(true)
        .from_reader(bytes.as_ref());
    let mut rows = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|problem| {
            ModuleError::new(Class::BundleValidationError, format!("source is not valid CSV: {problem}"))
        })?;
        let cells = record.iter().take(columns_max.unwrap_or(usize::MAX)).enumerate();
        let cell =
            |(place, cell): (usize, &[u8])| (format!("col{}", place + 1), Value::text(String::from_utf8_lossy(cell)));
        rows.push(Value::collection(cells.map(cell)));
    }
    Ok(numbered(rows))
}
