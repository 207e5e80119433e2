//! Table aggregator.

use crate::modules::util::separator;
use crate::modules::{Behaviour, Gathered, Module, ModuleError};
use crate::value::Value;

/// Writes items of its feeder's bundles as rows of a text.
pub const TABLE_AGGREGATOR: Module = module!("util:AggregateAggregator", versions[1], Behaviour::Aggregator(aggregate));

fn aggregate(gathered: &Gathered<'_>) -> Result<Value, ModuleError> {
    let between = separator(gathered.parameters, "columnSeparator", "otherColumnSeparator", "\t");
    let below = separator(gathered.parameters, "rowSeparator", "otherRowSeparator", "\n");
    let row = |item: &Value| {
        let cells = gathered.fields.iter().map(|field| item.field(field).to_text());
        cells.collect::<Vec<_>>().join(between)
    };
    let rows: Vec<String> = gathered.items.iter().map(row).collect();
    Ok(Value::collection([("text", Value::text(rows.join(below)))]))
}
