//! Aggregate to JSON.

use serde_json::Value as Json;

use crate::modules::json::written;
use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Writes its fields for each bundle of its feeder, as the text of an array.
pub const AGGREGATE: Module = module!(
    "json:AggregateToJSON",
    versions[1],
    Behaviour::Aggregator(|gathered| {
        let rows = Json::Array(gathered.items.iter().map(Value::to_json).collect());
        Ok(Value::collection([("json", Value::text(written(&rows, gathered.parameters)))]))
    })
);
