//! Operators over the events of a case, in their order.

use std::collections::HashSet;

use super::evaluator::InScope;
use super::vector::{Operand, Texts, Vector};
use crate::log::NO_ROW;
use crate::pql::plan::{Boundary, Grain, Occurrence, Process};
use crate::value::Type;

/// Computes an operator on its own grain, activities or cases.
pub(super) fn compute(scope: &InScope<'_>, process: &Process, result: Type, grain: Grain) -> Vector {
    let roles = &scope.log().catalog().roles;
    let events = Grain::Table(roles.activity_table);
    let frame = scope.frame(roles.activity_table);
    let segments: Vec<_> = frame.segments().collect();
    match process {
        Process::Neighbour { value, by } => {
            let value = scope.operand(value, events);
            let mut places = vec![NO_ROW; frame.rows.len()];
            for (_, segment) in segments {
                neighbours(&value, segment, *by, &mut places);
            }
            value.spread(frame.rows.len()).gather(&places)
        }
        Process::Position { value, reverse } => {
            let value = scope.operand(value, events);
            let mut positions = vec![None; frame.rows.len()];
            for (_, segment) in segments {
                let mut rows: Vec<usize> = segment.filter(|row| !value.is_null(*row)).collect();
                if *reverse {
                    rows.reverse();
                }
                for (position, row) in rows.into_iter().enumerate() {
                    positions[row] = Some(position as i64 + 1);
                }
            }
            Vector::ints(positions)
        }
        Process::Variant(value) => {
            let value = scope.operand(value, events);
            let mut variants = vec![None; scope.length(grain)];
            for (case, segment) in segments {
                let activities: Vec<&str> = segment.filter_map(|row| value.text(row)).collect();
                if let Some(place) = case_place(scope, grain, case) {
                    variants[place] = (!activities.is_empty()).then(|| activities.join(", "));
                }
            }
            let mut texts = Texts::default();
            for variant in variants {
                texts.push(variant.as_deref());
            }
            texts.finish()
        }
        Process::Match { value, conditions } => {
            let value = scope.operand(value, events);
            // A case without events has nothing to exclude; it matches nothing.
            let mut matches = vec![Some(0); scope.length(grain)];
            for (case, segment) in segments {
                let activities: Vec<&str> = segment.filter_map(|row| value.text(row)).collect();
                if let Some(place) = case_place(scope, grain, case) {
                    matches[place] = Some(matches_all(&activities, conditions).into());
                }
            }
            Vector::ints(matches)
        }
        Process::Rework(filter) => {
            let filter = filter.as_ref().map(|filter| scope.operand(filter, events));
            let counts = |row: &usize| filter.as_ref().is_none_or(|filter| filter.truth(*row) == Some(true));
            let mut numbers = vec![Some(0); scope.length(grain)];
            for (case, segment) in segments {
                if let Some(place) = case_place(scope, grain, case) {
                    numbers[place] = Some(segment.filter(counts).count() as i64);
                }
            }
            Vector::ints(numbers)
        }
        Process::Throughput { from, to, time, value } => {
            debug_assert_eq!(result, Type::Int, "remapped times are whole numbers");
            let (time, value) = (scope.operand(time, events), scope.operand(value, events));
            let mut spans = vec![None; scope.length(grain)];
            for (case, segment) in segments {
                let Some(place) = case_place(scope, grain, case) else { continue };
                let rows: Vec<usize> = segment.filter(|row| value.text(*row).is_some()).collect();
                if rows.len() > 1 {
                    spans[place] = span(&rows, from, to, &time, &value);
                }
            }
            Vector::ints(spans)
        }
    }
}

fn case_place(scope: &InScope<'_>, grain: Grain, case: u32) -> Option<usize> {
    let Grain::Table(table) = grain else { return None };
    let row = scope.log().case(case).row;
    let place = if row == NO_ROW { NO_ROW } else { scope.frame(table).place(row) };
    (place != NO_ROW).then_some(place as usize)
}

/// Finds for each event of a case the event `by` values further on. An event
/// without a value sees what the last one before it with a value sees, or,
/// backwards, what the next one sees.
fn neighbours(value: &Operand, segment: std::ops::Range<usize>, by: i64, places: &mut [u32]) {
    let present: Vec<usize> = segment.clone().filter(|row| !value.is_null(*row)).collect();
    for row in segment {
        let before = present.partition_point(|other| *other < row) as i64;
        let is_present = present.get(before as usize) == Some(&row);
        let own = if by > 0 && !is_present { before - 1 } else { before };
        let wanted = usize::try_from(own + by).ok().and_then(|place| present.get(place));
        places[row] = wanted.map_or(NO_ROW, |row| *row as u32);
    }
}

fn matches_all(activities: &[&str], conditions: &[(Occurrence, Vec<String>)]) -> bool {
    let present: HashSet<&str> = activities.iter().copied().collect();
    let is_one_of = |activity: Option<&&str>, names: &[String]| {
        activity.is_some_and(|activity| names.iter().any(|name| name == activity))
    };
    let occurs = |name: &String| present.contains(name.as_str());
    !activities.is_empty()
        && conditions.iter().all(|(occurrence, names)| match occurrence {
            Occurrence::Starting => is_one_of(activities.first(), names),
            Occurrence::Ending => is_one_of(activities.last(), names),
            Occurrence::Node => names.iter().all(occurs),
            Occurrence::NodeAny => names.iter().any(occurs),
            Occurrence::Excluding => !names.iter().any(occurs),
            Occurrence::ExcludingAll => !names.iter().all(occurs),
        })
}

fn span(rows: &[usize], from: &Boundary, to: &Boundary, time: &Operand, value: &Operand) -> Option<i64> {
    let is = |row: &&usize, name: &String| value.text(**row) == Some(name.as_str());
    let find = |boundary: &Boundary| match boundary {
        Boundary::CaseStart => rows.first(),
        Boundary::CaseEnd => rows.last(),
        Boundary::First(name) => rows.iter().find(|row| is(row, name)),
        Boundary::Last(name) => rows.iter().rev().find(|row| is(row, name)),
    };
    let (start, end) = (time.int(*find(from)?)?, time.int(*find(to)?)?);
    (end >= start).then_some(end - start)
}
