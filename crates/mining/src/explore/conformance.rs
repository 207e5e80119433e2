//! Conformance: how far cases keep to what is allowed, and where they do not.
//!
//! What is allowed is a list of paths or a graph of steps. Each variant, not
//! each case, is *aligned*: of all ways to make an allowed path out of it by
//! leaving out what it has too much (`extra`) and putting in what it lacks
//! (`missing`) one with the fewest changes is taken, of several such ways
//! always the same one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::Deserialize;

use super::slice::Slice;
use super::variants::{group, variant_id};
use crate::Error;

/// What cases may do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Allowed {
    /// One of these paths, from the first activity to the last.
    Variants {
        /// Each a list of activities.
        variants: Vec<Vec<String>>,
    },
    /// Any path along these steps.
    Flow(AllowedFlow),
}

/// Steps that are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedFlow {
    /// Activities with which a case may begin.
    pub start: Vec<String>,
    /// Activities with which a case may end.
    pub end: Vec<String>,
    /// Pairs of activities of which the second may follow the first.
    pub edges: Vec<(String, String)>,
}

/// How far cases keep to what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformance {
    /// Cases that were looked at.
    pub cases: u64,
    /// Those that keep to it.
    pub cases_fitting: u64,
    /// The variants that they take.
    pub variants: u64,
    /// Those that keep to it.
    pub variants_fitting: u64,
    /// The mean over all cases of 1 − changes / (events + length of the
    /// shortest allowed path), which is 1 for a case that keeps to it.
    pub fitness: f64,
    /// What deviates, most cases first.
    pub deviations: Vec<Deviation>,
    /// Ids of the variants that do not keep to it, most cases first, with
    /// their cases and changes.
    pub unfitting: Vec<(String, u64, u64)>,
}

/// One kind of deviation at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Too much or too little.
    pub kind: DeviationKind,
    /// The activity that is.
    pub activity: Arc<str>,
    /// The allowed activity before it; nothing at the start.
    pub after: Option<Arc<str>>,
    /// Cases in which it occurs.
    pub cases: u64,
    /// How often it occurs in them.
    pub occurrences: u64,
    /// Some of the cases.
    pub examples: Vec<Arc<str>>,
}

/// Kinds of deviations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviationKind {
    /// It happened where it is not allowed.
    Extra,
    /// It did not happen though it has to.
    Missing,
}

/// Cases shown per deviation.
const EXAMPLES: usize = 5;

/// States with labelled transitions; the first state is where a case begins.
struct Automaton {
    labels: Vec<Arc<str>>,
    /// Per state the labels that may follow, each with the state it leads to.
    transitions: Vec<Vec<(usize, usize)>>,
    accepts: Vec<bool>,
}

impl Allowed {
    /// Reads what is allowed from JSON or YAML.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_saphyr::from_str(text).map_err(|_| Error::BadAllowed {
            detail: "what is allowed is either { variants: [[…], …] } or { start: […], end: […], edges: [[a, b], …] }"
                .into(),
        })
    }

    fn automaton(&self) -> Result<Automaton, Error> {
        let mut automaton = Automaton { labels: Vec::new(), transitions: vec![Vec::new()], accepts: vec![false] };
        match self {
            Allowed::Variants { variants } => {
                for variant in variants {
                    let mut state = 0;
                    for activity in variant {
                        let label = automaton.label(activity);
                        let known = automaton.transitions[state].iter().find(|(known, _)| *known == label);
                        state = match known {
                            Some((_, next)) => *next,
                            None => {
                                let next = automaton.state();
                                automaton.transitions[state].push((label, next));
                                next
                            }
                        };
                    }
                    automaton.accepts[state] = true;
                }
            }
            Allowed::Flow(flow) => {
                let mut states: HashMap<&str, (usize, usize)> = HashMap::new();
                let named =
                    flow.start.iter().chain(&flow.end).chain(flow.edges.iter().flat_map(|(from, to)| [from, to]));
                for name in named {
                    if !states.contains_key(name.as_str()) {
                        let known = (automaton.label(name), automaton.state());
                        states.insert(name, known);
                    }
                }
                for start in &flow.start {
                    automaton.transitions[0].push(states[start.as_str()]);
                }
                for (from, to) in &flow.edges {
                    let (_, from) = states[from.as_str()];
                    automaton.transitions[from].push(states[to.as_str()]);
                }
                for end in &flow.end {
                    automaton.accepts[states[end.as_str()].1] = true;
                }
            }
        }
        Ok(automaton)
    }
}

impl Automaton {
    fn label(&mut self, name: &str) -> usize {
        self.labels.iter().position(|known| &**known == name).unwrap_or_else(|| {
            self.labels.push(name.into());
            self.labels.len() - 1
        })
    }

    fn state(&mut self) -> usize {
        self.transitions.push(Vec::new());
        self.accepts.push(false);
        self.transitions.len() - 1
    }
}

/// A step of an alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// Case and path go on together.
    Both(usize),
    /// Only the case does, at this place.
    Case(usize),
    /// Only the path does.
    Path(usize),
}

/// Aligns a case with the allowed paths; `None` if no path ends at all.
fn align(automaton: &Automaton, steps: &[Option<usize>]) -> Option<(u64, Vec<Move>)> {
    let states = automaton.transitions.len();
    let node = |place: usize, state: usize| place * states + state;
    let mut best = vec![u64::MAX; (steps.len() + 1) * states];
    let mut came: Vec<Option<(usize, Move)>> = vec![None; best.len()];
    let mut done = vec![false; best.len()];
    let mut open = VecDeque::from([(0_usize, 0_usize)]);
    best[0] = 0;
    while let Some((place, state)) = open.pop_front() {
        let here = node(place, state);
        if std::mem::replace(&mut done[here], true) {
            continue;
        }
        if place == steps.len() && automaton.accepts[state] {
            let mut moves = Vec::new();
            let mut at = here;
            while let Some((before, step)) = came[at] {
                moves.push(step);
                at = before;
            }
            moves.reverse();
            return Some((best[here], moves));
        }
        let mut go = |place: usize, state: usize, step: Move, cost: u64| {
            let next = node(place, state);
            if best[here] + cost < best[next] {
                best[next] = best[here] + cost;
                came[next] = Some((here, step));
                if cost == 0 { open.push_front((place, state)) } else { open.push_back((place, state)) }
            }
        };
        if place < steps.len() {
            go(place + 1, state, Move::Case(place), 1);
        }
        for (label, next) in &automaton.transitions[state] {
            go(place, *next, Move::Path(*label), 1);
        }
        if place < steps.len() {
            for (label, next) in &automaton.transitions[state] {
                if steps[place] == Some(*label) {
                    go(place + 1, *next, Move::Both(*label), 0);
                }
            }
        }
    }
    None
}

/// Kind of a deviation, its activity, and the allowed one before it.
type Spot = (DeviationKind, Arc<str>, Option<Arc<str>>);

/// Compares the cases of a slice with what is allowed.
pub(crate) fn compare(slice: &Slice, allowed: &Allowed) -> Result<Conformance, Error> {
    let automaton = allowed.automaton()?;
    let Some((shortest, _)) = align(&automaton, &[]) else {
        let detail = "no allowed path comes to an end; name at least one variant, or an end that the edges lead to";
        return Err(Error::BadAllowed { detail: detail.into() });
    };
    let label = |name: &Arc<str>| automaton.labels.iter().position(|label| label == name);
    let labels: Vec<Option<usize>> = slice.activities.iter().map(label).collect();
    let mut found = Conformance {
        cases: slice.cases.len() as u64,
        cases_fitting: 0,
        variants: 0,
        variants_fitting: 0,
        fitness: 1.0,
        deviations: Vec::new(),
        unfitting: Vec::new(),
    };
    let mut deviations: BTreeMap<Spot, Deviation> = BTreeMap::new();
    let mut lost = 0.0;
    for group in group(slice, None) {
        let steps: Vec<Option<usize>> = group.steps.iter().map(|step| labels[*step as usize]).collect();
        let (changes, moves) = align(&automaton, &steps).expect("some path ends, so that every case can be aligned");
        let cases = group.traces.len() as u64;
        found.variants += 1;
        if changes == 0 {
            found.variants_fitting += 1;
            found.cases_fitting += cases;
            continue;
        }
        found.unfitting.push((variant_id(&slice.names(&group.steps)), cases, changes));
        lost += cases as f64 * changes as f64 / (group.steps.len() as f64 + shortest as f64);
        let mut after: Option<Arc<str>> = None;
        let mut here: BTreeMap<Spot, u64> = BTreeMap::new();
        for step in moves {
            let (kind, activity) = match step {
                Move::Both(label) => {
                    after = Some(automaton.labels[label].clone());
                    continue;
                }
                Move::Case(place) => (DeviationKind::Extra, slice.activities[group.steps[place] as usize].clone()),
                Move::Path(label) => (DeviationKind::Missing, automaton.labels[label].clone()),
            };
            *here.entry((kind, activity.clone(), after.clone())).or_default() += 1;
            if kind == DeviationKind::Missing {
                after = Some(activity);
            }
        }
        for (key, times) in here {
            let (kind, activity, after) = key.clone();
            let deviation = deviations.entry(key).or_insert_with(|| Deviation {
                kind,
                activity,
                after,
                cases: 0,
                occurrences: 0,
                examples: Vec::new(),
            });
            deviation.cases += cases;
            deviation.occurrences += times * cases;
            let room = EXAMPLES - deviation.examples.len();
            deviation.examples.extend(group.traces.iter().take(room).map(|place| slice.ids[*place].clone()));
        }
    }
    found.fitness = if found.cases == 0 { 1.0 } else { 1.0 - lost / found.cases as f64 };
    found.deviations = deviations.into_values().collect();
    // Sorting is stable, so that equal ones stay in the order of their keys.
    found.deviations.sort_by_key(|deviation| std::cmp::Reverse(deviation.cases));
    found.unfitting.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(allowed: &str, expected: &Expect) {
        let slice = Slice::of(&[
            ("1", &[("Create", 0), ("Approve", 1), ("Pay", 2)]),
            ("2", &[("Create", 0), ("Approve", 1), ("Pay", 2)]),
            ("3", &[("Create", 0), ("Pay", 2)]),
            ("4", &[("Create", 0), ("Change", 1), ("Approve", 2), ("Change", 3), ("Pay", 4)]),
            ("5", &[("Approve", 0), ("Create", 1), ("Pay", 2)]),
        ]);
        let text = match Allowed::parse(allowed).and_then(|allowed| compare(&slice, &allowed)) {
            Err(error) => error.to_string(),
            Ok(found) => {
                let fitting = (found.cases_fitting, found.variants_fitting);
                let mut text =
                    format!("{fitting:?} of ({}, {}), fitness {:.4}\n", found.cases, found.variants, found.fitness);
                for one in found.deviations {
                    let after = one.after.as_deref().unwrap_or("▶").to_owned();
                    text += &format!(
                        "{:?} {} after {after}: {} cases, {} times, {:?}\n",
                        one.kind, one.activity, one.cases, one.occurrences, one.examples
                    );
                }
                text
            }
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn deviations_from_a_path_are_named() {
        check(
            "variants: [[Create, Approve, Pay]]",
            &expect![[r#"
                (2, 1) of (5, 4), fitness 0.8433
                Missing Approve after Create: 2 cases, 2 times, ["3", "5"]
                Extra Approve after ▶: 1 cases, 1 times, ["5"]
                Extra Change after Approve: 1 cases, 1 times, ["4"]
                Extra Change after Create: 1 cases, 1 times, ["4"]
            "#]],
        );
    }

    #[test]
    fn a_graph_allows_many_paths() {
        check(
            r#"{"start": ["Create"], "end": ["Pay"],
                "edges": [["Create","Approve"],["Create","Change"],["Change","Approve"],["Approve","Pay"],["Create","Pay"]]}"#,
            &expect![[r#"
                (3, 2) of (5, 4), fitness 0.9314
                Extra Approve after ▶: 1 cases, 1 times, ["5"]
                Extra Change after Approve: 1 cases, 1 times, ["4"]
            "#]],
        );
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        check(
            "variants: []",
            &expect!["no allowed path comes to an end; name at least one variant, or an end that the edges lead to"],
        );
        check(
            "{start: [A], end: [B], edges: []}",
            &expect!["no allowed path comes to an end; name at least one variant, or an end that the edges lead to"],
        );
        check(
            "paths: [A]",
            &expect![
                "what is allowed is either { variants: [[…], …] } or { start: […], end: […], edges: [[a, b], …] }"
            ],
        );
    }

    #[test]
    fn an_alignment_changes_as_little_as_it_can() {
        // Only leaving out and putting in: the distance is len + len − 2 × the
        // longest common subsequence.
        let allowed = Allowed::parse("variants: [[A, B, C, D, E], [A, C, A]]").expect("it is allowed");
        let automaton = allowed.automaton().expect("it has states");
        let label = |name: &str| automaton.labels.iter().position(|label| &**label == name);
        for (case, changes) in
            [("ABCDE", 0), ("ACA", 0), ("AC", 1), ("", 3), ("EDCBA", 4), ("ABXCDE", 1), ("XX", 5), ("BCD", 2)]
        {
            let steps: Vec<Option<usize>> = case.chars().map(|name| label(&name.to_string())).collect();
            let (found, moves) = align(&automaton, &steps).expect("a path ends");
            assert_eq!(found, changes, "{case}");
            assert_eq!(moves.iter().filter(|step| !matches!(step, Move::Both(_))).count() as u64, changes, "{case}");
        }
    }
}
