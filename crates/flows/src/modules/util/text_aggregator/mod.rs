//! Text aggregator.

use crate::modules::util::separator;
use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Joins the texts of its feeder's bundles.
pub const TEXT_AGGREGATOR: Module = module!(
    "util:TextAggregator",
    versions[1],
    Behaviour::Aggregator(|gathered| {
        let between = separator(gathered.parameters, "rowSeparator", "otherRowSeparator", "");
        let texts: Vec<String> = gathered.items.iter().map(|item| item.field("value").to_text()).collect();
        Ok(Value::collection([("text", Value::text(texts.join(between)))]))
    })
);
