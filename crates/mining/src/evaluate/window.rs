//! Values that depend on the rows around: windows over a table, and moving
//! aggregates over a result.

use super::aggregation::{Spread, aggregate};
use super::evaluator::InScope;
use super::groups::{Groups, Of};
use super::keys::group;
use super::operand::Operand;
use super::order::put_in_order;
use super::row_list::RowList;
use super::vector::Vector;
use crate::log::NO_ROW;
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregation, Grain, Moving, Window, WindowKind};
use crate::value::{Type, Value};

/// How many members of windows are aggregated at once, so that many wide
/// windows do not stand in memory side by side.
const MEMBERS_MAX: usize = 1 << 20;

/// Computes a window over all rows of a grain.
pub(super) fn window(scope: &InScope<'_>, window: &Window, result: Type, grain: Grain) -> Vector {
    let length = scope.length(grain);
    let value = scope.operand(&window.value, grain);
    let partition: Vec<Operand> = window.partition.iter().map(|key| scope.operand(key, grain)).collect();
    let order: Vec<(Operand, bool)> =
        window.order.iter().map(|(key, descending)| (scope.operand(key, grain), *descending)).collect();
    let mut sorted: Vec<u32> = (0..length as u32).collect();
    put_in_order(&mut sorted, &order);
    let grouped = group(&RowList::all(length), &partition);
    let sequences = sequences(&sorted, &grouped.groups, grouped.firsts.len());
    let sequences = sequences.iter().map(Vec::as_slice);
    match window.kind {
        WindowKind::Index => whole(length, sequences, |rows, found| {
            let present = rows.iter().filter(|row| !value.is_null(**row as usize));
            for (place, row) in present.enumerate() {
                found[*row as usize] = Some(place as i64 + 1);
            }
        }),
        WindowKind::Neighbour(by) => neighbours(by, &value, length, sequences),
        WindowKind::RunningSum if result == Type::Int => whole(length, sequences, |rows, found| {
            // Nothing yet, a sum, or too large: the last stays so.
            let mut sum: Option<Option<i64>> = None;
            for row in rows {
                if let Some(value) = value.int(*row as usize) {
                    sum = Some(sum.unwrap_or(Some(0)).and_then(|sum| sum.checked_add(value)));
                }
                found[*row as usize] = sum.flatten();
            }
        }),
        WindowKind::RunningSum => doubles(length, sequences, |rows, found| {
            let mut sum: Option<f64> = None;
            for row in rows {
                if let Some(value) = value.float(*row as usize) {
                    sum = Some(sum.unwrap_or(0.0) + value);
                }
                found[*row as usize] = sum;
            }
        }),
        WindowKind::Average(from, to) => doubles(length, sequences, |rows, found| {
            for (place, row) in rows.iter().enumerate() {
                let around = &rows[around(place, from, to, rows.len())];
                let (mut count, mut sum) = (0_u32, 0.0);
                for value in around.iter().filter_map(|row| value.float(*row as usize)) {
                    count += 1;
                    sum += value;
                }
                found[*row as usize] = (count > 0).then(|| sum / f64::from(count));
            }
        }),
        WindowKind::ZScore => doubles(length, sequences, |rows, found| {
            let mut spread = Spread::default();
            rows.iter().filter_map(|row| value.float(*row as usize)).for_each(|value| spread.add(value));
            let deviation = spread.variance().map(f64::sqrt).filter(|deviation| *deviation > 0.0);
            for row in rows {
                let distance = value.float(*row as usize).map(|value| value - spread.mean);
                found[*row as usize] = distance.zip(deviation).map(|(distance, deviation)| distance / deviation);
            }
        }),
        WindowKind::FillConstant => {
            let mut places = vec![NO_ROW; length];
            for rows in sequences {
                let mut last = NO_ROW;
                for row in rows {
                    if !value.is_null(*row as usize) {
                        last = value.place(*row as usize).map_or(NO_ROW, |place| place as u32);
                    }
                    places[*row as usize] = last;
                }
            }
            value.vector.gather(&places)
        }
        WindowKind::FillLinear => doubles(length, sequences, |rows, found| fill_linear(&value, rows, found)),
    }
}

/// Cuts rows by group; within a group they stay in order.
fn sequences(rows: &[u32], groups: &[u32], count: usize) -> Vec<Vec<u32>> {
    let mut sequences = vec![Vec::new(); count];
    for row in rows {
        sequences[groups[*row as usize] as usize].push(*row);
    }
    sequences
}

fn whole<'a>(
    length: usize,
    sequences: impl Iterator<Item = &'a [u32]>,
    mut fill: impl FnMut(&[u32], &mut [Option<i64>]),
) -> Vector {
    let mut found = vec![None; length];
    sequences.for_each(|rows| fill(rows, &mut found));
    Vector::ints(found)
}

fn doubles<'a>(
    length: usize,
    sequences: impl Iterator<Item = &'a [u32]>,
    mut fill: impl FnMut(&[u32], &mut [Option<f64>]),
) -> Vector {
    let mut found: Vec<Option<f64>> = vec![None; length];
    sequences.for_each(|rows| fill(rows, &mut found));
    Vector::floats(found.into_iter().map(|value| value.filter(|value| value.is_finite())))
}

/// Counts rows with a value only. A row without one sees what the next row
/// with a value sees to the front, or the last one to the back.
fn neighbours<'a>(by: i64, value: &Operand, length: usize, sequences: impl Iterator<Item = &'a [u32]>) -> Vector {
    let mut places = vec![NO_ROW; length];
    for rows in sequences {
        let present: Vec<u32> = rows.iter().copied().filter(|row| !value.is_null(*row as usize)).collect();
        let mut before = 0_i64;
        for row in rows {
            let is_null = value.is_null(*row as usize);
            let own = if is_null && by > 0 { before - 1 } else { before };
            let seen = usize::try_from(own + by).ok().and_then(|place| present.get(place));
            if let Some(place) = seen.and_then(|seen| value.place(*seen as usize)) {
                places[*row as usize] = place as u32;
            }
            before += i64::from(!is_null);
        }
    }
    value.vector.gather(&places)
}

/// Draws lines over what is missing. Before the first value and after the last
/// one there is no line.
fn fill_linear(value: &Operand, rows: &[u32], found: &mut [Option<f64>]) {
    let mut last: Option<(usize, f64)> = None;
    for (place, row) in rows.iter().enumerate() {
        let Some(own) = value.float(*row as usize) else { continue };
        if let Some((from, before)) = last {
            for between in from + 1..place {
                let share = (between - from) as f64 / (place - from) as f64;
                found[rows[between] as usize] = Some(before + (own - before) * share);
            }
        }
        found[*row as usize] = Some(own);
        last = Some((place, own));
    }
}

/// Returns the places from one offset to another, as far as they exist.
fn around(place: usize, from: i64, to: i64, length: usize) -> std::ops::Range<usize> {
    let bounded = |place: i64| place.clamp(0, length as i64) as usize;
    let start = bounded((place as i64).saturating_add(from));
    start..bounded((place as i64).saturating_add(to).saturating_add(1)).max(start)
}

/// Aggregates around each row of a result. `rows` are its rows in order;
/// what comes out stands at the rows' own places among `length`.
pub(super) fn moving(moving: &Moving, value: &Operand, rows: &[u32], length: usize, result: Type) -> Vector {
    let width = (moving.end - moving.start + 1).max(1) as usize;
    let mut found = vec![Value::Null; length];
    for first in (0..rows.len()).step_by((MEMBERS_MAX / width).max(1)) {
        let last = (first + (MEMBERS_MAX / width).max(1)).min(rows.len());
        let (mut members, mut groups) = (Vec::new(), Vec::new());
        for place in first..last {
            for row in &rows[around(place, moving.start, moving.end, rows.len())] {
                members.push(*row);
                groups.push((place - first) as u32);
            }
        }
        let members =
            Groups { rows: &RowList::Listed(members), of: Of::Each(&groups), count: last - first, filter: None };
        let reduced = aggregate(moving.aggregation, result, value, "", members);
        // One value does not spread; here, unlike elsewhere, that is NULL.
        let spreads = matches!(moving.aggregation, Aggregation::Stdev | Aggregation::Var);
        let counts = spreads.then(|| aggregate(Aggregation::Count, Type::Int, value, "", members));
        for (place, row) in rows[first..last].iter().enumerate() {
            let enough = counts.as_ref().is_none_or(|counts| counts.value(place) != Value::Int(1));
            if enough {
                found[*row as usize] = reduced.value(place);
            }
        }
    }
    Vector::of(result, found)
}

/// Returns the type of what a moving aggregate yields.
pub(super) fn moving_type(moving: &Moving) -> Type {
    moving.aggregation.result(type_of(&moving.value))
}
