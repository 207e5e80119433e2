//! Whether two rows seem to be the same thing, booked twice.
//!
//! Rows are first put together by what has to be equal, then compared within
//! a window of days. So the cost is that of the pairs which could be the same,
//! not of all pairs.

use std::collections::HashMap;
use std::sync::Arc;

use super::story::column;
use super::{Detector, Measure};
use crate::log::EventLog;
use crate::pql::catalog::Catalog;
use crate::pql::operators::hint;
use crate::value::{Type, Value};

/// What is known of a duplicate: the later of two rows, and the earlier.
pub(super) const FIELDS: &[(&str, Type)] = &[("DUPLICATE_OF", Type::String), ("SIMILARITY", Type::Float)];

const DAY_MILLIS: f64 = 86_400_000.0;

/// The parameters, with columns found.
pub(super) struct Sought {
    table: usize,
    identifier: usize,
    equal: Vec<usize>,
    alike: Vec<usize>,
    pub(super) similarity: f64,
    number: Option<usize>,
    pub(super) tolerance: f64,
    date: Option<usize>,
    days: f64,
}

impl Sought {
    /// Finds the table and the columns; the error names what is missing.
    pub(super) fn of(detector: &Detector, catalog: &Catalog) -> Result<Self, String> {
        let Detector::FuzzyDuplicates { table, identifier, equal, alike, similarity, number, tolerance, date, days } =
            detector
        else {
            return Err("it looks for no duplicates".to_owned());
        };
        let place = catalog.table(table).ok_or_else(|| {
            let hint = hint(table, catalog.tables.iter().map(|table| table.name.as_str()));
            format!("there is no table \"{table}\"{hint}")
        })?;
        let find = |name: &String| column(catalog, place, name);
        let typed = |name: &Option<String>, fits: &[Type], wanted: &str| {
            let Some(name) = name else { return Ok(None) };
            let column = find(name)?;
            let own = catalog.tables[place].columns[column].1;
            if fits.contains(&own) {
                Ok(Some(column))
            } else {
                Err(format!("column \"{name}\" holds {own} and no {wanted}"))
            }
        };
        let sought = Sought {
            table: place,
            identifier: find(identifier)?,
            equal: equal.iter().map(find).collect::<Result<_, _>>()?,
            alike: alike.iter().map(find).collect::<Result<_, _>>()?,
            similarity: *similarity,
            number: typed(number, &[Type::Int, Type::Float], "numbers")?,
            tolerance: *tolerance,
            date: typed(date, &[Type::Date], "dates")?,
            days: *days,
        };
        if sought.equal.is_empty() && sought.alike.is_empty() && sought.number.is_none() {
            return Err("it needs at least one of \"equal\", \"alike\" and \"number\"".to_owned());
        }
        Ok(sought)
    }
}

/// A row that is compared.
struct Candidate {
    identifier: Value,
    alike: Vec<Option<Arc<str>>>,
    number: Option<f64>,
    at: Option<i64>,
}

/// Finds rows for which there is an earlier one that is nearly the same.
pub(super) fn look(detector: &Detector, log: &EventLog, now: i64) -> Vec<Measure> {
    let Ok(sought) = Sought::of(detector, log.catalog()) else { return Vec::new() };
    let table = log.table(sought.table);
    let value = |row: u32, place: usize| table.column(place).value(row);
    let mut groups: HashMap<Vec<String>, Vec<Candidate>> = HashMap::new();
    for row in table.rows() {
        let equal: Vec<Value> = sought.equal.iter().map(|place| value(row, *place)).collect();
        let identifier = value(row, sought.identifier);
        let number = sought.number.map(|place| value(row, place));
        let at = sought.date.map(|place| value(row, place));
        let is_missing = |value: &Option<Value>| *value == Some(Value::Null);
        // What is not known equals nothing.
        if equal.contains(&Value::Null) || identifier == Value::Null || is_missing(&number) || is_missing(&at) {
            continue;
        }
        let at = if let Some(Value::Date(at)) = at { Some(at) } else { None };
        if at.is_some_and(|at| at > now) {
            continue;
        }
        let number = match number {
            Some(Value::Int(number)) => Some(number as f64),
            Some(Value::Float(number)) => Some(number),
            _ => None,
        };
        let plain = |place: &usize| match value(row, *place) {
            Value::Null => None,
            other => Some(Arc::from(plain(&other.to_string()))),
        };
        let alike = sought.alike.iter().map(plain).collect();
        let key = equal.iter().map(ToString::to_string).collect();
        groups.entry(key).or_default().push(Candidate { identifier, alike, number, at });
    }
    let mut measures = Vec::new();
    for mut group in groups.into_values() {
        // By date, or else by number: so that what is too far off ends the search.
        let by_number =
            |one: &Candidate, other: &Candidate| one.number.unwrap_or(0.0).total_cmp(&other.number.unwrap_or(0.0));
        group.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| by_number(one, other)));
        for (place, later) in group.iter().enumerate() {
            let best = group[..place]
                .iter()
                .rev()
                .take_while(|earlier| sought.is_near(earlier, later))
                .filter_map(|earlier| Some((sought.similarity_of(earlier, later)?, earlier)))
                .max_by(|one, other| one.0.total_cmp(&other.0));
            if let Some((similarity, earlier)) = best {
                measures.push(Measure {
                    identifier: later.identifier.to_string().into(),
                    values: vec![Value::Text(earlier.identifier.to_string().into()), Value::Float(similarity)],
                    fires: true,
                    due: None,
                });
            }
        }
    }
    measures
}

impl Sought {
    fn is_near(&self, earlier: &Candidate, later: &Candidate) -> bool {
        match (earlier.at, later.at) {
            (Some(earlier), Some(later)) => (later - earlier) as f64 <= self.days * DAY_MILLIS,
            // Without dates the group stands in order of the number.
            _ => self.has_same_number(earlier, later),
        }
    }

    fn has_same_number(&self, one: &Candidate, other: &Candidate) -> bool {
        match (one.number, other.number) {
            (Some(one), Some(other)) => (one - other).abs() <= self.tolerance * one.abs().max(other.abs()),
            _ => true,
        }
    }

    /// Returns how alike two rows are; nothing if they are not the same.
    fn similarity_of(&self, one: &Candidate, other: &Candidate) -> Option<f64> {
        if one.identifier == other.identifier || !self.has_same_number(one, other) {
            return None;
        }
        let mut least = 1.0_f64;
        for (one, other) in one.alike.iter().zip(&other.alike) {
            let similarity = strsim::normalized_damerau_levenshtein(one.as_deref()?, other.as_deref()?);
            least = least.min(similarity);
        }
        (least >= self.similarity).then_some(least)
    }
}

/// Leaves out what people write differently: case, blanks, signs, leading
/// zeros.
fn plain(text: &str) -> String {
    let letters: String = text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let trimmed = letters.trim_start_matches('0');
    if trimmed.is_empty() { letters } else { trimmed.to_owned() }
}
