//! Looking for records: conditions in the form of filters, but with names of
//! fields on their left sides.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{Asker, Shelf};
use crate::filter::holds;
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    /// Any of these, each of which is all of its conditions; no list at all
    /// finds every record.
    any: Vec<Vec<Condition>>,
    /// By which fields the records are ordered, the first first. Otherwise
    /// they come in the order of their keys.
    sort: Vec<(String, Order)>,
    /// Records at most.
    limit: usize,
    /// One empty bundle is given where nothing is found.
    continues: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    field: String,
    operator: String,
    operand: Value,
}

/// Which way records are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

impl Search {
    /// Reads the evaluated fields `filter` and `sort` of a module. The error
    /// is a sentence.
    pub(crate) fn read(filter: &Value, sort: &Value, limit: Option<usize>, continues: bool) -> Result<Self, String> {
        let conditions = match filter {
            Value::Collection(_) => filter.field("conditions"),
            other => other.clone(),
        };
        let mut any = Vec::new();
        for group in elements(&conditions) {
            let all: Vec<Condition> = elements(&group).iter().map(condition).collect::<Result<_, _>>()?;
            any.push(all);
        }
        let mut keys = Vec::new();
        for each in elements(sort) {
            let key = each.field("key").to_text();
            if key.is_empty() {
                return Err("\"sort\" has an entry without \"key\"".into());
            }
            let order = match each.field("order").to_text().as_str() {
                "desc" | "DESC" | "descending" => Order::Descending,
                "" | "asc" | "ASC" | "ascending" => Order::Ascending,
                other => return Err(format!("\"sort\" has the order \"{other}\": \"asc\" and \"desc\" are orders")),
            };
            keys.push((key, order));
        }
        Ok(Search { any, sort: keys, limit: limit.unwrap_or(usize::MAX), continues })
    }

    /// Tells whether a record is what is looked for.
    pub(crate) fn finds(&self, key: &str, data: &Value, asker: &Asker<'_>) -> bool {
        let holds = |condition: &Condition| {
            let left = asker.semantics.left_side(&condition.operator, column(key, data, &condition.field));
            holds(&condition.operator, &left, &condition.operand, asker.zone)
        };
        self.any.is_empty() || self.any.iter().any(|all| all.iter().all(holds))
    }

    pub(super) fn run<S: Shelf>(
        &self,
        shelf: &mut S,
        asker: &Asker<'_>,
    ) -> Result<Result<Vec<Value>, ModuleError>, S::Error> {
        let mut found: Vec<(String, Value)> = Vec::new();
        let (mut bytes, is_ordered) = (0, self.sort.is_empty());
        shelf.each(&mut |key, data| {
            if is_ordered && found.len() >= self.limit {
                return false;
            }
            if self.finds(key, &data, asker) {
                bytes += key.len() + data.size();
                found.push((key.to_owned(), data));
                // So many are cut off at once, that sorting is no waste.
                if !is_ordered && self.limit < 10_000 && found.len() >= 4 * self.limit.max(250) {
                    self.order(&mut found);
                    bytes = found.iter().map(|(key, data)| key.len() + data.size()).sum();
                }
            }
            bytes <= asker.bytes_max
        })?;
        if bytes > asker.bytes_max {
            let message = format!("more than {} bytes were found: set a limit or a narrower filter", asker.bytes_max);
            return Ok(Err(ModuleError::new(Class::DataSizeLimitExceededError, message)));
        }
        self.order(&mut found);
        let length = Value::Int(found.len() as i64);
        let bundle = |(place, (key, data)): (usize, (String, Value))| {
            Value::collection([
                ("key", Value::text(key)),
                ("data", data),
                ("__IMTINDEX__", Value::Int(place as i64 + 1)),
                ("__IMTLENGTH__", length.clone()),
            ])
        };
        let bundles: Vec<Value> = found.into_iter().enumerate().map(bundle).collect();
        Ok(Ok(match bundles.is_empty() && self.continues {
            true => vec![Value::collection([("__IMTLENGTH__", Value::Int(0))])],
            false => bundles,
        }))
    }

    fn order(&self, found: &mut Vec<(String, Value)>) {
        if !self.sort.is_empty() {
            found.sort_by(|(left_key, left), (right_key, right)| {
                for (name, order) in &self.sort {
                    let (left, right) = (column(left_key, left, name), column(right_key, right, name));
                    let ordering = match (left.exists(), right.exists()) {
                        // Records without the field come last either way.
                        (false, false) => Ordering::Equal,
                        (false, true) => return Ordering::Greater,
                        (true, false) => return Ordering::Less,
                        (true, true) => ordered(&left, &right),
                    };
                    let ordering = if *order == Order::Descending { ordering.reverse() } else { ordering };
                    if ordering.is_ne() {
                        return ordering;
                    }
                }
                left_key.cmp(right_key)
            });
        }
        found.truncate(self.limit);
    }
}

fn elements(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.to_vec(),
        Value::Absent | Value::Null => Vec::new(),
        // A flow of ours may have written the JSON itself.
        Value::Text(text) => match serde_json::from_str::<Json>(text).map(Value::from_json) {
            Ok(Value::Array(values)) => values.to_vec(),
            _ => Vec::new(),
        },
        other => vec![other.clone()],
    }
}

fn condition(value: &Value) -> Result<Condition, String> {
    let field = value.field("a").to_text();
    if field.is_empty() {
        return Err("a condition of \"filter\" has no field \"a\"".into());
    }
    let operator = match value.field("o") {
        Value::Absent => "exist".to_owned(),
        operator => operator.to_text(),
    };
    Ok(Condition { field, operator, operand: value.field("b") })
}

/// Returns the value of a column: a field by its whole name, else the record's
/// key, else a field inside of another one.
fn column(key: &str, data: &Value, name: &str) -> Value {
    let field = data.field(name);
    if field != Value::Absent {
        return field;
    }
    if name == "key" || name == "__KEY__" {
        return Value::text(key);
    }
    name.split('.').fold(data.clone(), |value, part| value.field(part))
}

/// Orders values of any types: a total order, unlike that of the mapping
/// language, because a sort relies on it.
fn ordered(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Absent | Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Date(_) => 3,
        _ => 4,
    };
    match (left, right) {
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let number = |value: &Value| value.to_f64().unwrap_or_default();
            number(left).total_cmp(&number(right))
        }
        _ => rank(left).cmp(&rank(right)).then_with(|| left.to_text().cmp(&right.to_text())),
    }
}
