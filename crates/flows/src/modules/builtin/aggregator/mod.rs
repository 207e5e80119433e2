//! Array aggregator.

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Collects its feeder's bundles into an array.
pub const AGGREGATOR: Module = module!(
    "builtin:BasicAggregator",
    versions[1],
    Behaviour::Aggregator(|gathered| {
        let length = Value::Int(gathered.items.len() as i64);
        Ok(Value::collection([("array", Value::array(gathered.items.to_vec())), ("__IMTAGGLENGTH__", length)]))
    })
);
