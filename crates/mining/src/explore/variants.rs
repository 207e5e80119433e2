//! Variants: the different ways that cases take, from the most trodden on.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::durations::Durations;
use super::slice::Slice;

/// Which variants are asked for, and how they are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariantsWanted {
    /// An activity that follows itself is written at most so often in a row;
    /// `None` for as often as it happened. As SHORTENED in PQL.
    pub repeats_max: Option<u32>,
    /// In which order.
    pub order: VariantOrder,
    /// After so many.
    pub offset: usize,
    /// At most so many; 0 for all.
    pub limit: usize,
}

/// An order of variants. Equal ones follow the alphabet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VariantOrder {
    /// Most cases first.
    #[default]
    Cases,
    /// Longest median first.
    Median,
    /// Most activities first.
    Length,
    /// Latest new case first.
    LastSeen,
    /// Latest first appearance first: what is new.
    FirstSeen,
}

/// A way that cases take.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Digests its activities: the same in every log and at any time.
    pub id: String,
    /// In order.
    pub activities: Vec<Arc<str>>,
    /// Cases that take it.
    pub cases: u64,
    /// Of all cases that were looked at, from 0 to 1.
    pub share: f64,
    /// From the first to the last event of a case.
    pub durations: Durations,
    /// When its first case began, in milliseconds since 1970.
    pub first_seen: i64,
    /// When its latest case began.
    pub last_seen: i64,
    /// The latest case that takes it.
    pub example: Arc<str>,
}

/// Some of the variants.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantsPage {
    /// Cases that were looked at.
    pub cases: u64,
    /// How many variants they take.
    pub total: u64,
    /// Those on the page.
    pub variants: Vec<Variant>,
}

/// The cases of a variant.
pub(crate) struct Group {
    pub(crate) steps: Vec<u32>,
    /// Places in the slice.
    pub(crate) traces: Vec<usize>,
}

/// Writes repetitions at most so often in a row.
pub(crate) fn shortened(steps: &[u32], repeats_max: Option<u32>) -> Vec<u32> {
    let Some(repeats_max) = repeats_max else { return steps.to_vec() };
    let mut kept: Vec<u32> = Vec::with_capacity(steps.len());
    let mut run = 0;
    for step in steps {
        run = if kept.last() == Some(step) { run + 1 } else { 1 };
        if run <= repeats_max.max(1) {
            kept.push(*step);
        }
    }
    kept
}

/// Puts cases of one variant together, in the order in which they are found.
pub(crate) fn group(slice: &Slice, repeats_max: Option<u32>) -> Vec<Group> {
    let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for trace in slice.traces() {
        let steps = shortened(trace.steps, repeats_max);
        let place = *places.entry(steps).or_insert_with_key(|steps| {
            groups.push(Group { steps: steps.clone(), traces: Vec::new() });
            groups.len() - 1
        });
        groups[place].traces.push(trace.place);
    }
    groups
}

/// Digests the activities of a variant.
pub(crate) fn variant_id<'a>(activities: impl IntoIterator<Item = &'a Arc<str>>) -> String {
    let mut hash = Sha256::new();
    for activity in activities {
        hash.update((activity.len() as u64).to_be_bytes());
        hash.update(activity.as_bytes());
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lists the variants of a slice.
pub(crate) fn list(slice: &Slice, wanted: VariantsWanted) -> VariantsPage {
    let cases = slice.cases.len() as u64;
    let groups = group(slice, wanted.repeats_max);
    let total = groups.len() as u64;
    let mut variants: Vec<Variant> = groups.into_iter().map(|group| describe(slice, &group, cases)).collect();
    variants.sort_by(|one, other| {
        let by_wish = match wanted.order {
            VariantOrder::Cases => other.cases.cmp(&one.cases),
            VariantOrder::Median => other.durations.median.cmp(&one.durations.median),
            VariantOrder::Length => other.activities.len().cmp(&one.activities.len()),
            VariantOrder::LastSeen => other.last_seen.cmp(&one.last_seen),
            VariantOrder::FirstSeen => other.first_seen.cmp(&one.first_seen),
        };
        by_wish.then_with(|| other.cases.cmp(&one.cases)).then_with(|| one.activities.cmp(&other.activities))
    });
    let limit = if wanted.limit == 0 { usize::MAX } else { wanted.limit };
    let variants = variants.into_iter().skip(wanted.offset).take(limit).collect();
    VariantsPage { cases, total, variants }
}

fn describe(slice: &Slice, group: &Group, cases: u64) -> Variant {
    let activities = slice.names(&group.steps);
    let starts = || group.traces.iter().map(|place| slice.trace(*place).start());
    let latest = group.traces.iter().copied().max_by_key(|place| (slice.trace(*place).start(), Reverse(*place)));
    let durations = group.traces.iter().map(|place| slice.trace(*place).duration()).collect();
    Variant {
        id: variant_id(&activities),
        activities,
        cases: group.traces.len() as u64,
        share: group.traces.len() as f64 / cases as f64,
        durations: Durations::of(durations).expect("a variant has a case"),
        first_seen: starts().min().expect("a variant has a case"),
        last_seen: starts().max().expect("a variant has a case"),
        example: slice.ids[latest.expect("a variant has a case")].clone(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(wanted: VariantsWanted, expected: &Expect) {
        let slice = Slice::of(&[
            ("1", &[("Create", 0), ("Pay", 10)]),
            ("2", &[("Create", 5), ("Change", 6), ("Change", 7), ("Change", 8), ("Pay", 50)]),
            ("3", &[("Create", 9), ("Change", 10), ("Pay", 12)]),
            ("4", &[("Create", 2), ("Pay", 32)]),
        ]);
        let page = list(&slice, wanted);
        let mut text = format!("{} cases, {} variants\n", page.cases, page.total);
        for one in page.variants {
            let took = (one.durations.median, one.durations.p95);
            let seen = (one.first_seen, one.last_seen);
            let _ = writeln!(
                text,
                "{} × {} ({}): {took:?}, seen {seen:?}, such as {}",
                one.cases,
                one.activities.join(", "),
                one.share,
                one.example
            );
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn variants_are_counted_and_timed() {
        check(
            VariantsWanted::default(),
            &expect![[r"
                4 cases, 3 variants
                2 × Create, Pay (0.5): (30, 30), seen (0, 2), such as 4
                1 × Create, Change, Change, Change, Pay (0.25): (45, 45), seen (5, 5), such as 2
                1 × Create, Change, Pay (0.25): (3, 3), seen (9, 9), such as 3
            "]],
        );
        let newest =
            VariantsWanted { order: VariantOrder::FirstSeen, offset: 1, limit: 1, ..VariantsWanted::default() };
        check(
            newest,
            &expect![[r"
                4 cases, 3 variants
                1 × Create, Change, Change, Change, Pay (0.25): (45, 45), seen (5, 5), such as 2
            "]],
        );
    }

    #[test]
    fn repetitions_can_be_shortened() {
        let wanted = VariantsWanted { repeats_max: Some(1), ..VariantsWanted::default() };
        check(
            wanted,
            &expect![[r"
                4 cases, 2 variants
                2 × Create, Change, Pay (0.5): (45, 45), seen (5, 9), such as 3
                2 × Create, Pay (0.5): (30, 30), seen (0, 2), such as 4
            "]],
        );
        assert_eq!(shortened(&[1, 1, 1, 2, 1, 1], Some(2)), [1, 1, 2, 1, 1]);
    }
}
