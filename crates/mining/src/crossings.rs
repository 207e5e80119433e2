//! Who reads which group of a shared figure, and on which side of it they are.
//!
//! Per threshold and group this holds the instances in the order of their own
//! side, taken at instant 0 of the clock. When the figure moves from a to b, or
//! the clock moves on, those are crossed whose own side lies in between; nobody
//! else can come to another answer, so nobody else is asked. The next instant
//! at which time alone crosses somebody is that of the one nearest to the
//! figure. There is no timer per instance that would have to be set anew each
//! time the figure moves.

use std::collections::{BTreeSet, HashMap};

use crate::evaluate::Group;
use crate::figures::{double_of, ordered};
use crate::pql::deadline::next_change;
use crate::pql::plan::Grain;

/// Time that rounding may blur, in milliseconds, with room to spare.
const MARGIN_MILLIS: f64 = 1.01;

/// A reason to read a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The threshold at this place.
    Threshold(usize),
    /// A condition in which the figure stands somewhere.
    Loose,
}

type Key = (Why, Grain, Group);

/// The instances by the groups that they read.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    groups: HashMap<Key, Readers>,
    by_unit: HashMap<u32, Vec<(Key, i64)>>,
    deadlines: BTreeSet<(i64, Key)>,
}

#[derive(Debug, Default)]
struct Readers {
    /// By their own side, in the order of doubles.
    units: BTreeSet<(i64, u32)>,
    /// The group's side when it was last looked at.
    figure: Option<f64>,
    /// By how much one's own side grows per millisecond.
    slope: f64,
    /// Everybody here is right up to this instant.
    seen: i64,
    due: Option<i64>,
}

/// How an instance stands to a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Side {
    /// One's own side at instant 0.
    pub(crate) own: f64,
    /// The group's.
    pub(crate) figure: Option<f64>,
    pub(crate) slope: f64,
}

impl Crossings {
    /// Forgets an instance.
    pub(crate) fn forget(&mut self, unit: u32) {
        for (key, own) in self.by_unit.remove(&unit).unwrap_or_default() {
            let Some(readers) = self.groups.get_mut(&key) else { continue };
            readers.units.remove(&(own, unit));
            if readers.units.is_empty() {
                if let Some(due) = readers.due {
                    self.deadlines.remove(&(due, key.clone()));
                }
                self.groups.remove(&key);
            } else {
                let seen = readers.seen;
                self.arm(&key, seen);
            }
        }
    }

    /// Takes note of an instance that was just evaluated at `now`.
    pub(crate) fn put(&mut self, unit: u32, why: Why, grain: Grain, group: &Group, side: Side, now: i64) {
        let key = (why, grain, group.clone());
        // Both zeroes are one number.
        let own = ordered(side.own + 0.0);
        let readers = self.groups.entry(key.clone()).or_insert_with(|| Readers { seen: now, ..Readers::default() });
        readers.figure = side.figure;
        readers.slope = side.slope;
        if readers.units.insert((own, unit)) {
            self.by_unit.entry(unit).or_default().push((key.clone(), own));
        }
        self.arm(&key, now);
    }

    /// Returns an instance that reads a group.
    pub(crate) fn representative(&self, why: Why, grain: Grain, group: &Group) -> Option<u32> {
        let readers = self.groups.get(&(why, grain, group.clone()))?;
        readers.units.first().map(|(_, unit)| *unit)
    }

    /// Lists those that a figure passes on its way to where it stands now.
    pub(crate) fn moved(&mut self, why: Why, grain: Grain, group: &Group, figure: Option<f64>, now: i64) -> Vec<u32> {
        let key = (why, grain, group.clone());
        let Some(readers) = self.groups.get_mut(&key) else { return Vec::new() };
        let before = std::mem::replace(&mut readers.figure, figure);
        let crossed = match (before, figure) {
            (Some(before), Some(figure)) if before.to_bits() == figure.to_bits() => return Vec::new(),
            (None, None) => return Vec::new(),
            (Some(before), Some(figure)) => {
                let at_now = |figure: f64| figure - readers.slope * now as f64;
                readers.between(at_now(before), at_now(figure))
            }
            _ => readers.everybody(),
        };
        self.arm(&key, now);
        crossed
    }

    /// Lists everybody who reads a group.
    pub(crate) fn readers(&self, why: Why, grain: Grain, group: &Group) -> Vec<u32> {
        self.groups.get(&(why, grain, group.clone())).map(Readers::everybody).unwrap_or_default()
    }

    /// Lists everybody who goes by a working calendar.
    pub(crate) fn calendar_readers(&self) -> Vec<u32> {
        let is_calendar = |key: &Key| matches!(key, (Why::Loose, Grain::Constant, Group::Key(_)));
        self.groups.iter().filter(|(key, _)| is_calendar(key)).flat_map(|(_, readers)| readers.everybody()).collect()
    }

    /// Tells whether a group is named by the number of a row.
    pub(crate) fn name_rows(&self) -> bool {
        self.groups.keys().any(|(.., group)| matches!(group, Group::Row(_)))
    }

    /// Gives instances and the groups that are rows other numbers. Whoever has
    /// none is forgotten.
    pub(crate) fn renumber(&mut self, unit: impl Fn(u32) -> Option<u32>, row: impl Fn(usize, u32) -> Option<u32>) {
        let renamed = |(why, grain, group): Key| match (grain, group) {
            (Grain::Table(table), Group::Row(own)) => Some((why, grain, Group::Row(row(table, own)?))),
            (grain, group) => Some((why, grain, group)),
        };
        let before = std::mem::take(self);
        for (own, keys) in before.by_unit {
            let Some(own) = unit(own) else { continue };
            self.by_unit.insert(own, keys.into_iter().filter_map(|(key, side)| Some((renamed(key)?, side))).collect());
        }
        for (key, mut readers) in before.groups {
            let Some(key) = renamed(key) else { continue };
            readers.units = readers.units.into_iter().filter_map(|(side, own)| Some((side, unit(own)?))).collect();
            self.deadlines.extend(readers.due.map(|due| (due, key.clone())));
            self.groups.insert(key, readers);
        }
    }

    /// Returns the next instant at which time alone crosses somebody.
    pub(crate) fn next(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Lists those that time has crossed, and sets the next instants; nothing
    /// if none was due.
    pub(crate) fn due(&mut self, now: i64) -> Option<Vec<u32>> {
        let due: Vec<Key> =
            self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| key.clone()).collect();
        if due.is_empty() {
            return None;
        }
        let mut crossed = Vec::new();
        for key in due {
            let readers = &self.groups[&key];
            if let Some(figure) = readers.figure {
                let at = |instant: i64| figure - readers.slope * instant as f64;
                crossed.extend(readers.between(at(readers.seen), at(now)));
            }
            self.arm(&key, now);
        }
        Some(crossed)
    }

    /// Sets the next instant of a group.
    fn arm(&mut self, key: &Key, now: i64) {
        let readers = self.groups.get_mut(key).expect("only groups with readers are armed");
        readers.seen = now;
        let next = readers.next_crossing(now);
        if readers.due != next {
            if let Some(due) = std::mem::replace(&mut readers.due, next) {
                self.deadlines.remove(&(due, key.clone()));
            }
            if let Some(next) = next {
                self.deadlines.insert((next, key.clone()));
            }
        }
    }
}

impl Readers {
    fn everybody(&self) -> Vec<u32> {
        self.units.iter().map(|(_, unit)| *unit).collect()
    }

    fn between(&self, one: f64, other: f64) -> Vec<u32> {
        let (low, high) = (one.min(other), one.max(other));
        let margin = self.margin(low.abs().max(high.abs()));
        let range = (ordered(low - margin + 0.0), 0)..=(ordered(high + margin + 0.0), u32::MAX);
        self.units.range(range).map(|(_, unit)| *unit).collect()
    }

    /// How far off the line between two sides may be.
    fn margin(&self, magnitude: f64) -> f64 {
        MARGIN_MILLIS * self.slope.abs() + 8.0 * f64::EPSILON * magnitude
    }

    fn next_crossing(&self, now: i64) -> Option<i64> {
        let figure = self.figure.filter(|_| self.slope != 0.0)?;
        let line = figure - self.slope * now as f64;
        let margin = self.margin(line.abs().max(figure.abs()));
        let change = |(own, _): &(i64, u32)| next_change(double_of(*own) - figure, self.slope, now);
        // Those nearest to the line cross it first.
        if self.slope > 0.0 {
            self.units.range(..=(ordered(line + margin), u32::MAX)).rev().find_map(change)
        } else {
            self.units.range((ordered(line - margin), 0)..).find_map(change)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3_600_000.0;

    /// Waiting since so many hours; they are late after the figure.
    fn waiting(since: &[i64], figure: f64, now: i64) -> Crossings {
        let mut crossings = Crossings::default();
        for (unit, hour) in since.iter().enumerate() {
            let own = -(*hour as f64);
            let side = Side { own, figure: Some(figure), slope: 1.0 / HOUR };
            crossings.put(unit as u32, Why::Threshold(0), Grain::Constant, &Group::All, side, now);
        }
        crossings
    }

    fn hours(hours: f64) -> i64 {
        (hours * HOUR) as i64
    }

    #[test]
    fn the_one_nearest_to_the_figure_is_due_first() {
        // After 5 hours: since 1, 2 and 9 o'clock; it is 4.
        let mut crossings = waiting(&[1, 2, 9], 5.0, hours(4.0));
        assert_eq!(crossings.next(), Some(hours(6.0)));
        assert_eq!(crossings.due(hours(5.9)), None);
        assert_eq!(crossings.due(hours(6.0)), Some(vec![0]));
        assert_eq!(crossings.next(), Some(hours(6.0) + 1), "exactly then is not later than then");
        assert_eq!(crossings.due(hours(6.0) + 1), Some(vec![0]));
        assert_eq!(crossings.next(), Some(hours(7.0)));
        crossings.forget(1);
        assert_eq!(crossings.next(), Some(hours(14.0)));
    }

    #[test]
    fn other_numbers_change_nothing_else() {
        let mut crossings = Crossings::default();
        for (unit, hour) in [(3, 1), (5, 2), (8, 9)] {
            let side = Side { own: -f64::from(hour), figure: Some(5.0), slope: 1.0 / HOUR };
            crossings.put(unit, Why::Threshold(0), Grain::Table(2), &Group::Row(7), side, hours(4.0));
        }
        crossings.renumber(|unit| Some(unit / 2), |table, row| (table == 2).then_some(row - 7));
        assert_eq!(crossings.readers(Why::Threshold(0), Grain::Table(2), &Group::Row(0)), [4, 2, 1]);
        assert_eq!(crossings.readers(Why::Threshold(0), Grain::Table(2), &Group::Row(7)), Vec::<u32>::new());
        assert_eq!(crossings.next(), Some(hours(6.0)));
        crossings.forget(1);
        assert_eq!(crossings.due(hours(7.0)), Some(vec![2]));
        for unit in [2, 4] {
            crossings.forget(unit);
        }
        assert_eq!(crossings.next(), None);
    }

    #[test]
    fn a_figure_that_moves_asks_those_that_it_passes() {
        let mut crossings = waiting(&[1, 2, 9], 5.0, hours(10.0));
        let mut to = |figure| crossings.moved(Why::Threshold(0), Grain::Constant, &Group::All, figure, hours(10.0));
        assert_eq!(to(Some(5.5)), Vec::<u32>::new());
        assert_eq!(to(Some(8.5)), [1]);
        assert_eq!(to(Some(20.0)), [0]);
        assert_eq!(to(None).len(), 3);
        assert_eq!(to(Some(20.0)).len(), 3);
        assert_eq!(crossings.next(), Some(hours(21.0)));
    }
}
