//! Cases: a list of them, and one with all that is known of it.

use std::collections::HashSet;
use std::sync::Arc;

use base::Timestamp;

use super::actions::CaseAction;
use super::slice::{Slice, column_of, text};
use super::variants::variant_id;
use crate::Error;
use crate::evaluate::Evaluator;
use crate::log::EventLog;
use crate::matched_set::{End, key};
use crate::pql::check::{Checker, Vocabulary, type_of};
use crate::pql::plan::Grain;
use crate::value::{AnswerColumn, Value};

/// An order of cases. Equal ones stand in the order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaseOrder {
    /// Latest start first.
    #[default]
    Start,
    /// Longest first.
    Duration,
    /// Most events first.
    Events,
    /// By id.
    Id,
}

/// A case in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Its id.
    pub id: Arc<str>,
    /// First event, in milliseconds since 1970.
    pub start: i64,
    /// Last event.
    pub end: i64,
    /// How many events there are.
    pub events: u64,
    /// The last activity.
    pub last: Arc<str>,
    /// The id of its variant.
    pub variant: String,
}

/// Some of the cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasesPage {
    /// How many cases there are on all pages.
    pub total: u64,
    /// Those on the page.
    pub cases: Vec<CaseRow>,
}

/// A case with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseView {
    /// Its id.
    pub id: Arc<str>,
    /// First event, in milliseconds since 1970.
    pub start: i64,
    /// Last event.
    pub end: i64,
    /// The columns of the activity table.
    pub columns: Vec<AnswerColumn>,
    /// In the order of (time, sorting column, arrival).
    pub events: Vec<CaseEvent>,
    /// The columns of the case table, and its row, if there is one.
    pub case_columns: Vec<AnswerColumn>,
    /// Empty if the case has no row in the case table.
    pub case_values: Vec<Value>,
    /// The id of its variant.
    pub variant: String,
    /// How many cases take that variant, this one included.
    pub variant_cases: u64,
    /// How many cases there are.
    pub cases: u64,
    /// What triggers know of the case; empty for a draft.
    pub instances: Vec<Instance>,
    /// What can be done about it; empty for a draft.
    pub actions: Vec<CaseAction>,
}

/// An event of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseEvent {
    /// What happened.
    pub activity: Arc<str>,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Milliseconds since the event before; nothing for the first.
    pub wait: Option<i64>,
    /// In the order of the columns.
    pub values: Vec<Value>,
}

/// A record instance of a case in the matched set of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The trigger.
    pub trigger: String,
    /// The record instance as text.
    pub identifier: String,
    /// Whether it matches now, as far as is stored.
    pub matches: bool,
    /// How often it has entered the matched set; each time but the silent ones
    /// it fired a signal with the key `TRIGGER/IDENTIFIER/EPISODE`.
    pub episode: u64,
    /// When it entered last, on the process clock.
    pub since: Timestamp,
}

/// Episodes whose signals are named, the last ones.
const EPISODES_NAMED: u64 = 500;

impl Instance {
    /// Returns the keys under which its signals were sent, if they were.
    pub fn keys(&self) -> Vec<String> {
        let first = self.episode.saturating_sub(EPISODES_NAMED) + 1;
        let ends = |episode: u64| {
            let enter = key(&self.trigger, &self.identifier, episode, End::Enter);
            [enter, key(&self.trigger, &self.identifier, episode, End::Leave)]
        };
        (first..=self.episode).flat_map(ends).collect()
    }
}

/// Lists cases of a slice; of one variant, if that is said.
pub(crate) fn list(
    slice: &Slice,
    variant: Option<&str>,
    order: CaseOrder,
    offset: usize,
    limit: usize,
) -> Result<CasesPage, Error> {
    let mut places: Vec<usize> = (0..slice.cases.len()).collect();
    if let Some(variant) = variant {
        let mut known: std::collections::HashMap<&[u32], bool> = std::collections::HashMap::new();
        places.retain(|place| {
            let steps = slice.trace(*place).steps;
            *known.entry(steps).or_insert_with(|| variant_id(&slice.names(steps)) == variant)
        });
    }
    places.sort_by(|one, other| {
        let (a, b) = (slice.trace(*one), slice.trace(*other));
        let by_wish = match order {
            CaseOrder::Start => b.start().cmp(&a.start()),
            CaseOrder::Duration => b.duration().cmp(&a.duration()),
            CaseOrder::Events => b.steps.len().cmp(&a.steps.len()),
            CaseOrder::Id => std::cmp::Ordering::Equal,
        };
        by_wish.then_with(|| slice.ids[*one].cmp(&slice.ids[*other]))
    });
    let total = places.len() as u64;
    let row = |place: usize| {
        let trace = slice.trace(place);
        CaseRow {
            id: slice.ids[place].clone(),
            start: trace.start(),
            end: trace.end(),
            events: trace.steps.len() as u64,
            last: slice.activities[trace.steps[trace.steps.len() - 1] as usize].clone(),
            variant: variant_id(&slice.names(trace.steps)),
        }
    };
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(CasesPage { total, cases: places.into_iter().skip(offset).take(limit).map(row).collect() })
}

/// Finds a case of a root by its id.
pub(crate) fn find(slice: &Slice, id: &str) -> Result<usize, Error> {
    slice.ids.iter().position(|known| &**known == id).ok_or_else(|| Error::UnknownCase { case: id.to_owned() })
}

/// Shows a case; `slice` holds all cases of the root.
pub(crate) fn show(log: &Arc<EventLog>, slice: &Slice, id: &str) -> Result<CaseView, Error> {
    let place = find(slice, id)?;
    let (trace, case) = (slice.trace(place), slice.cases[place]);
    let roles = log.catalog().roles.clone();
    let (columns, rows) = read(log, roles.activity_table, case)?;
    let (case_columns, case_rows) = read(log, roles.case_table, case)?;
    let events = rows.into_iter().enumerate().map(|(at, values)| CaseEvent {
        activity: text(&values[roles.activity_column]),
        at: trace.times[at],
        wait: at.checked_sub(1).map(|before| trace.times[at] - trace.times[before]),
        values,
    });
    Ok(CaseView {
        id: slice.ids[place].clone(),
        start: trace.start(),
        end: trace.end(),
        columns,
        events: events.collect(),
        case_columns,
        case_values: case_rows.into_iter().next().unwrap_or_default(),
        variant: variant_id(&slice.names(trace.steps)),
        variant_cases: slice.traces().filter(|other| other.steps == trace.steps).count() as u64,
        cases: slice.cases.len() as u64,
        instances: Vec::new(),
        actions: Vec::new(),
    })
}

/// Reads the rows of a case in a table, with all columns.
fn read(log: &Arc<EventLog>, table: usize, case: u32) -> Result<(Vec<AnswerColumn>, Vec<Vec<Value>>), Error> {
    let vocabulary = Vocabulary::default();
    let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
    let described = &log.catalog().tables[table].columns;
    let mut nodes = Vec::new();
    let mut columns = Vec::new();
    for (place, (name, _)) in described.iter().enumerate() {
        let node = column_of(&mut checker, table, place)?;
        columns.push(AnswerColumn { name: name.clone(), column_type: type_of(&node) });
        nodes.push(node);
    }
    let evaluator = Evaluator::new(log.clone(), Arc::new(checker.finish()), 0);
    let grain = Grain::Table(table);
    let rows = evaluator.cases(&[case], 0, None, |scope| {
        let operands: Vec<_> = nodes.iter().map(|node| scope.operand(node, grain)).collect();
        (0..scope.length(grain)).map(|row| operands.iter().map(|operand| operand.value(row)).collect()).collect()
    });
    Ok((columns, rows))
}

/// Lists the identifiers of a trigger's instances that belong to a case.
pub(crate) fn identifiers(log: &Arc<EventLog>, trigger: &crate::trigger::Trigger, case: u32) -> Vec<String> {
    if !trigger.in_case {
        return Vec::new();
    }
    let evaluator = Evaluator::new(log.clone(), trigger.program.clone(), 0);
    evaluator.cases(&[case], 0, None, |scope| {
        let identifier = scope.operand(&trigger.values[0], trigger.target);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for row in 0..scope.length(trigger.target) {
            let value = identifier.value(row);
            if value != Value::Null && seen.insert(value.to_string()) {
                found.push(value.to_string());
            }
        }
        found
    })
}
