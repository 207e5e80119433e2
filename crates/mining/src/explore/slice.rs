//! Which cases a question is about.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Error;
use crate::evaluate::{Evaluator, InScope};
use crate::log::{EventLog, NO_ROW};
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::plan::{Grain, Node, Selection};
use crate::value::Value;

/// Which cases a question is about; all of them, if nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Conditions in PQL, with or without FILTER before them. All have to hold.
    /// One on events keeps a case as soon as one of its events satisfies it.
    pub filters: Vec<String>,
    /// Filters of the knowledge model, by their ids.
    pub filter_ids: Vec<String>,
    /// Milliseconds since 1970; inclusive.
    pub from: Option<i64>,
    /// Milliseconds since 1970; exclusive.
    pub to: Option<i64>,
    /// What of a case has to lie between the two.
    pub within: Within,
}

/// What of a case has to lie in a range of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Within {
    /// At least a moment between its first and its last event.
    #[default]
    Touching,
    /// Its first event.
    Started,
    /// Its last event.
    Ended,
    /// All of it.
    Whole,
}

/// Cases cut out of a root: their events one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    /// Names by code, in order of first appearance.
    pub(crate) activities: Vec<Arc<str>>,
    /// Case numbers of the root.
    pub(crate) cases: Vec<u32>,
    /// Ids as text.
    pub(crate) ids: Vec<Arc<str>>,
    /// Where the events of each case begin; one longer than `cases`.
    starts: Vec<usize>,
    /// Activity codes.
    steps: Vec<u32>,
    /// Milliseconds since 1970.
    times: Vec<i64>,
    /// Ends of activities, where the data model says where they stand.
    ends: Vec<Option<i64>>,
}

/// The events of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace<'a> {
    /// Its place in the slice.
    pub(crate) place: usize,
    pub(crate) steps: &'a [u32],
    pub(crate) times: &'a [i64],
    /// Empty if no column tells them.
    pub(crate) ends: &'a [Option<i64>],
}

impl Trace<'_> {
    /// Returns the time from the first to the last event in milliseconds; of a
    /// case of one event it is 0.
    pub(crate) fn duration(&self) -> i64 {
        self.end() - self.start()
    }

    pub(crate) fn start(&self) -> i64 {
        self.times[0]
    }

    pub(crate) fn end(&self) -> i64 {
        self.times[self.times.len() - 1]
    }
}

impl Slice {
    /// Cuts the wanted cases out of a root at an instant of the process clock.
    pub(crate) fn cut(log: &Arc<EventLog>, vocabulary: &Vocabulary, wanted: &Wanted, now: i64) -> Result<Self, Error> {
        let catalog = log.catalog().clone();
        let roles = catalog.roles.clone();
        let mut checker = Checker::new(catalog.clone(), vocabulary);
        let (cases, events) = (Grain::Table(roles.case_table), Grain::Table(roles.activity_table));
        let mut selection = Selection { target: cases, conditions: Vec::new() };
        for filter in &wanted.filters {
            let node = checker.condition(filter)?;
            let way = checker.way(&node, cases).map_err(|detail| Error::Unexplorable { detail })?;
            selection.conditions.push((node, way));
        }
        let column = |checker: &mut Checker<'_>, place: usize| column_of(checker, roles.activity_table, place);
        let id = column(&mut checker, roles.case_column)?;
        let activity = column(&mut checker, roles.activity_column)?;
        let time = column(&mut checker, roles.timestamp_column)?;
        let end = roles.end_timestamp_column.map(|place| column(&mut checker, place)).transpose()?;
        let evaluator = Evaluator::new(log.clone(), Arc::new(checker.finish()), now);
        Ok(evaluator.everything(|scope| {
            let kept = (!selection.conditions.is_empty()).then(|| keep(scope, &selection, log.case_count()));
            let columns = Columns { id: &id, activity: &activity, time: &time, end: end.as_ref() };
            Slice::read(scope, events, &columns, |case, first, last| {
                kept.as_ref().is_none_or(|kept| kept[case as usize]) && wanted.is_in_time(first, last)
            })
        }))
    }

    fn read(scope: &InScope<'_>, events: Grain, columns: &Columns<'_>, wanted: impl Fn(u32, i64, i64) -> bool) -> Self {
        let Grain::Table(table) = events else { unreachable!("events stand in a table") };
        let frame = scope.frame(table);
        let [id, activity, time] = [columns.id, columns.activity, columns.time].map(|node| scope.operand(node, events));
        let end = columns.end.map(|node| scope.operand(node, events));
        let mut slice = Slice { starts: vec![0], ..Slice::default() };
        let mut by_code: HashMap<u32, u32> = HashMap::new();
        let mut by_name: HashMap<Arc<str>, u32> = HashMap::new();
        for (case, rows) in frame.segments() {
            let millis = |row: usize| time.date(row).unwrap_or_default();
            if rows.is_empty() || !wanted(case, millis(rows.start), millis(rows.end - 1)) {
                continue;
            }
            slice.cases.push(case);
            slice.ids.push(text(&id.value(rows.start)));
            for row in rows {
                let code = activity.code(row);
                let known = code.and_then(|code| by_code.get(&code)).copied();
                let step = known.unwrap_or_else(|| {
                    let name = text(&activity.value(row));
                    let step = *by_name.entry(name.clone()).or_insert_with(|| {
                        slice.activities.push(name);
                        slice.activities.len() as u32 - 1
                    });
                    if let Some(code) = code {
                        by_code.insert(code, step);
                    }
                    step
                });
                slice.steps.push(step);
                slice.times.push(millis(row));
                if let Some(end) = &end {
                    slice.ends.push(end.date(row));
                }
            }
            slice.starts.push(slice.steps.len());
        }
        slice
    }

    /// Makes a slice of written cases, for tests of what stands on it.
    #[cfg(test)]
    pub(crate) fn of(cases: &[(&str, &[(&str, i64)])]) -> Self {
        let mut slice = Slice { starts: vec![0], ..Slice::default() };
        for (place, (id, events)) in cases.iter().enumerate() {
            slice.cases.push(place as u32);
            slice.ids.push((*id).into());
            for (activity, time) in *events {
                let known = slice.activities.iter().position(|known| &**known == *activity);
                let step = known.unwrap_or_else(|| {
                    slice.activities.push((*activity).into());
                    slice.activities.len() - 1
                });
                slice.steps.push(step as u32);
                slice.times.push(*time);
            }
            slice.starts.push(slice.steps.len());
        }
        slice
    }

    /// Goes through the cases.
    pub(crate) fn traces(&self) -> impl Iterator<Item = Trace<'_>> {
        (0..self.cases.len()).map(|place| self.trace(place))
    }

    /// Returns the case at a place.
    pub(crate) fn trace(&self, place: usize) -> Trace<'_> {
        let events = self.starts[place]..self.starts[place + 1];
        let ends = if self.ends.is_empty() { &[] } else { &self.ends[events.clone()] };
        Trace { place, steps: &self.steps[events.clone()], times: &self.times[events], ends }
    }

    /// Returns how many events there are.
    pub(crate) fn event_count(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Returns the names of activities.
    pub(crate) fn names(&self, steps: &[u32]) -> Vec<Arc<str>> {
        steps.iter().map(|step| self.activities[*step as usize].clone()).collect()
    }
}

/// The columns that a slice is read from.
struct Columns<'a> {
    id: &'a Node,
    activity: &'a Node,
    time: &'a Node,
    end: Option<&'a Node>,
}

impl Wanted {
    fn is_in_time(&self, first: i64, last: i64) -> bool {
        let from = self.from.unwrap_or(i64::MIN);
        let is_before_end = |at: i64| self.to.is_none_or(|to| at < to);
        let is_in = |at: i64| at >= from && is_before_end(at);
        match self.within {
            Within::Touching => last >= from && is_before_end(first),
            Within::Started => is_in(first),
            Within::Ended => is_in(last),
            Within::Whole => is_in(first) && is_in(last),
        }
    }
}

/// Tells for each case number whether its row of the case table is selected.
fn keep(scope: &InScope<'_>, selection: &Selection, count: u32) -> Vec<bool> {
    let Grain::Table(table) = selection.target else { unreachable!("cases stand in a table") };
    let selected = scope.selected(selection.target, &selection.conditions);
    let mut kept = vec![false; count as usize];
    for (case, selected) in scope.cases_of(selection.target, table).into_iter().zip(selected) {
        if case != NO_ROW {
            kept[case as usize] |= selected;
        }
    }
    kept
}

/// Checks a column of the catalog, as if somebody had written its name.
pub(super) fn column_of(checker: &mut Checker<'_>, table: usize, place: usize) -> Result<Node, Error> {
    let quote = |name: &str| name.replace('"', "\"\"");
    let named = &checker.program().catalog.tables[table];
    let text = format!("\"{}\".\"{}\"", quote(&named.name), quote(&named.columns[place].0));
    Ok(checker.value(&text)?)
}

/// Writes an id or an activity as people read it.
pub(super) fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string().into(),
    }
}
