//! Cases told one after the other: activities as numbers, times in order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::log::EventLog;
use crate::pql::catalog::Catalog;
use crate::pql::operators::hint;
use crate::value::Value;

/// Share of all cases that has to end in an activity for it to be an end.
const END_SHARE: f64 = 0.1;

/// An event: its activity as a number, and its time in milliseconds.
pub(super) type Event = (u32, i64);

/// The names of activities by their numbers.
#[derive(Default)]
pub(super) struct Activities {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Activities {
    pub(super) fn name(&self, number: u32) -> &Arc<str> {
        &self.names[number as usize]
    }

    fn number(&mut self, name: Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

/// Tells each case with at least one event up to `now`, in no order.
pub(super) fn tell(log: &EventLog, now: i64, mut case: impl FnMut(u32, &[Event])) -> Activities {
    let roles = &log.catalog().roles;
    let table = log.table(roles.activity_table);
    let (activity, time) = (table.column(roles.activity_column), table.column(roles.timestamp_column));
    let mut activities = Activities::default();
    let mut events: Vec<Event> = Vec::new();
    for number in 0..log.case_count() {
        events.clear();
        for row in log.case(number).events.iter() {
            let (Value::Date(at), name) = (time.value(row), activity.value(row)) else { continue };
            // Those of a case stand in order of time.
            if at > now {
                break;
            }
            let name = if let Value::Text(name) = name { name } else { name.to_string().into() };
            events.push((activities.number(name), at));
        }
        if !events.is_empty() {
            case(number, &events);
        }
    }
    activities
}

/// Activities with which a case ends.
#[derive(Debug)]
pub(crate) enum EndSet {
    /// A person said so.
    Named(HashSet<String>),
    /// Those in which at least a tenth of all cases end as far as is known.
    Learned,
}

impl EndSet {
    pub(crate) fn of(names: &[String]) -> Self {
        if names.is_empty() { EndSet::Learned } else { EndSet::Named(names.iter().cloned().collect()) }
    }

    /// Tells which activities are ends, given how many cases end in each.
    pub(super) fn resolve(&self, activities: &Activities, ends: &HashMap<u32, u64>) -> HashSet<u32> {
        let cases: u64 = ends.values().sum();
        let is_end = |(activity, count): &(&u32, &u64)| match self {
            EndSet::Named(names) => names.contains(&**activities.name(**activity)),
            EndSet::Learned => **count as f64 >= END_SHARE * cases as f64,
        };
        ends.iter().filter(is_end).map(|(activity, _)| *activity).collect()
    }
}

/// Finds a column of a table by name.
pub(super) fn column(catalog: &Catalog, table: usize, name: &str) -> Result<usize, String> {
    let own = &catalog.tables[table];
    own.columns.iter().position(|(column, _)| column.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let hint = hint(name, own.columns.iter().map(|(name, _)| name.as_str()));
        format!("table \"{}\" has no column \"{name}\"{hint}", own.name)
    })
}

/// Returns the element of a quantile by the rule of PQL; `values` are put in
/// another order.
pub(super) fn quantile(values: &mut [i64], fraction: f64) -> Option<i64> {
    if values.is_empty() {
        return None;
    }
    let place = crate::evaluate::quantile_place(fraction, values.len());
    Some(*values.select_nth_unstable(place).1)
}
