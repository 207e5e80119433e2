//! The process map: which activity follows which, how often and how fast.
//!
//! A virtual start stands before the first event of each case and a virtual
//! end behind its last. What is shown of the map is decided in two steps:
//!
//! 1. Activities: the most frequent ones that together have the wanted share
//!    of all events, at least one. A hidden activity is stepped over, so that
//!    its neighbours follow each other; the figures are those of what is left.
//! 2. Edges: the most frequent ones that together have the wanted share of all
//!    steps. Beside them stay the edges that connect: from the start to each
//!    activity and from each to the end leads a path, the one whose rarest
//!    edge is the most frequent.
//!
//! Of equally frequent ones the first in the order of the alphabet wins.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use super::durations::Durations;
use super::slice::Slice;

/// How much of the map is shown; shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// Of all events.
    pub activities: f64,
    /// Of all steps from one activity to the next, start and end included.
    pub edges: f64,
}

impl Default for Coverage {
    fn default() -> Self {
        Coverage { activities: 1.0, edges: 1.0 }
    }
}

/// A directly-follows graph.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessMap {
    /// Cases that were looked at.
    pub cases: u64,
    /// Their events.
    pub events: u64,
    /// Events of hidden activities among them.
    pub events_hidden: u64,
    /// Cases of which nothing is shown, because all their activities are
    /// hidden.
    pub cases_hidden: u64,
    /// Most frequent first.
    pub activities: Vec<MapActivity>,
    /// How many activities there are, hidden ones included.
    pub activities_total: u64,
    /// Most frequent first.
    pub edges: Vec<MapEdge>,
    /// How many edges lie between the activities that are shown, hidden edges
    /// included.
    pub edges_total: u64,
}

/// An activity on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapActivity {
    /// Its name.
    pub name: Arc<str>,
    /// Its events.
    pub events: u64,
    /// Cases in which it occurs.
    pub cases: u64,
    /// Cases that begin with it.
    pub starts: u64,
    /// Cases that end with it.
    pub ends: u64,
    /// From its event to the next one of the case; the last event has none.
    pub sojourn: Option<Durations>,
    /// From its start to its end, where the data model names both.
    pub service: Option<Durations>,
}

/// A step from one activity to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct MapEdge {
    /// Nothing for the virtual start.
    pub from: Option<Arc<str>>,
    /// Nothing for the virtual end.
    pub to: Option<Arc<str>>,
    /// How often it was taken.
    pub events: u64,
    /// In how many cases.
    pub cases: u64,
    /// Between the two events; none at start and end.
    pub durations: Option<Durations>,
}

/// A place on the map: start and end are 0 and 1, activities follow.
type Place = usize;
const START: Place = 0;
const END: Place = 1;
const FIRST: Place = 2;

#[derive(Default)]
struct EdgeFigures {
    events: u64,
    cases: u64,
    last_case: Option<usize>,
    durations: Vec<i64>,
}

#[derive(Clone, Default)]
struct ActivityFigures {
    events: u64,
    cases: u64,
    last_case: Option<usize>,
    sojourns: Vec<i64>,
    services: Vec<i64>,
}

/// Draws the map of a slice.
pub(crate) fn draw(slice: &Slice, coverage: Coverage) -> ProcessMap {
    let shown = shown_activities(slice, coverage.activities);
    let mut activities = vec![ActivityFigures::default(); slice.activities.len()];
    let mut edges: HashMap<(Place, Place), EdgeFigures> = HashMap::new();
    let (mut events_hidden, mut cases_hidden) = (0, 0);
    for trace in slice.traces() {
        let mut take = |from: Place, to: Place, took: Option<i64>| {
            let edge = edges.entry((from, to)).or_default();
            edge.events += 1;
            edge.cases += u64::from(edge.last_case.replace(trace.place) != Some(trace.place));
            edge.durations.extend(took);
        };
        let mut before: Option<(u32, i64)> = None;
        for (at, (step, time)) in trace.steps.iter().zip(trace.times).enumerate() {
            if !shown[*step as usize] {
                events_hidden += 1;
                continue;
            }
            let figures = &mut activities[*step as usize];
            figures.events += 1;
            figures.cases += u64::from(figures.last_case.replace(trace.place) != Some(trace.place));
            figures.services.extend(trace.ends.get(at).copied().flatten().map(|end| end - time));
            match before {
                None => take(START, FIRST + *step as usize, None),
                Some((from, since)) => {
                    take(FIRST + from as usize, FIRST + *step as usize, Some(time - since));
                    activities[from as usize].sojourns.push(time - since);
                }
            }
            before = Some((*step, *time));
        }
        match before {
            Some((last, _)) => take(FIRST + last as usize, END, None),
            None => cases_hidden += 1,
        }
    }
    let name = |place: Place| place.checked_sub(FIRST).map(|step| slice.activities[step].clone());
    let kept = shown_edges(&edges, coverage.edges, &name);
    let weight = |from: Place, to: Place| edges.get(&(from, to)).map_or(0, |edge| edge.events);
    let mut of_activities: Vec<MapActivity> = Vec::new();
    for (step, figures) in activities.into_iter().enumerate().filter(|(step, _)| shown[*step]) {
        of_activities.push(MapActivity {
            name: slice.activities[step].clone(),
            events: figures.events,
            cases: figures.cases,
            starts: weight(START, FIRST + step),
            ends: weight(FIRST + step, END),
            sojourn: Durations::of(figures.sojourns),
            service: Durations::of(figures.services),
        });
    }
    of_activities.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.name.cmp(&other.name)));
    let edges_total = edges.len() as u64;
    let of_edges = kept.into_iter().map(|(from, to)| {
        let figures = edges.remove(&(from, to)).unwrap_or_default();
        let (events, cases) = (figures.events, figures.cases);
        MapEdge { from: name(from), to: name(to), events, cases, durations: Durations::of(figures.durations) }
    });
    let of_edges = of_edges.collect();
    ProcessMap {
        cases: slice.cases.len() as u64,
        events: slice.event_count(),
        events_hidden,
        cases_hidden,
        activities: of_activities,
        activities_total: slice.activities.len() as u64,
        edges: of_edges,
        edges_total,
    }
}

/// Takes the most frequent ones until they have the share; of nothing nothing.
fn covering<T>(mut counted: Vec<(u64, T)>, share: f64) -> Vec<T>
where
    T: Clone,
{
    let total: u64 = counted.iter().map(|(count, _)| count).sum();
    let enough = share.clamp(0.0, 1.0) * total as f64;
    let mut so_far = 0_u64;
    let mut taken = Vec::new();
    for (count, one) in counted.drain(..) {
        // A share of one has to mean all, whatever doubles make of the sum.
        if !taken.is_empty() && so_far as f64 >= enough && share < 1.0 {
            break;
        }
        so_far += count;
        taken.push(one);
    }
    taken
}

fn shown_activities(slice: &Slice, share: f64) -> Vec<bool> {
    let mut counts = vec![0_u64; slice.activities.len()];
    for step in slice.traces().flat_map(|trace| trace.steps) {
        counts[*step as usize] += 1;
    }
    let mut counted: Vec<(u64, usize)> = counts.into_iter().enumerate().map(|(step, count)| (count, step)).collect();
    let name = |step: usize| &slice.activities[step];
    counted.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| name(*a).cmp(name(*b))));
    let mut shown = vec![false; slice.activities.len()];
    for step in covering(counted, share) {
        shown[step] = true;
    }
    shown
}

fn shown_edges(
    edges: &HashMap<(Place, Place), EdgeFigures>,
    share: f64,
    name: &impl Fn(Place) -> Option<Arc<str>>,
) -> Vec<(Place, Place)> {
    let mut counted: Vec<(u64, (Place, Place))> = edges.iter().map(|(edge, figures)| (figures.events, *edge)).collect();
    counted.sort_by_cached_key(|(events, (from, to))| (Reverse(*events), name(*from), name(*to)));
    let rank: BTreeMap<(Place, Place), usize> =
        counted.iter().enumerate().map(|(rank, (_, edge))| (*edge, rank)).collect();
    let order: Vec<(Place, Place)> = counted.iter().map(|(_, edge)| *edge).collect();
    let mut kept: std::collections::BTreeSet<(Place, Place)> = covering(counted, share).into_iter().collect();
    let forward = connect(START, &order, &rank, |(from, to)| (from, to));
    let backward = connect(END, &order, &rank, |(from, to)| (to, from));
    kept.extend(forward);
    kept.extend(backward);
    let mut kept: Vec<_> = kept.into_iter().collect();
    kept.sort_by_key(|edge| rank[edge]);
    kept
}

/// Returns the edges of the paths from a place to all others whose rarest edge
/// is the most frequent. The edges are read in the direction of `look`.
fn connect(
    root: Place,
    order: &[(Place, Place)],
    rank: &BTreeMap<(Place, Place), usize>,
    look: impl Fn((Place, Place)) -> (Place, Place),
) -> Vec<(Place, Place)> {
    let mut leaving: HashMap<Place, Vec<(Place, Place)>> = HashMap::new();
    for edge in order {
        leaving.entry(look(*edge).0).or_default().push(*edge);
    }
    let mut reached = std::collections::HashSet::from([root]);
    let mut tree = Vec::new();
    // By rank: the lower, the more frequent. The next edge is always the most
    // frequent one that leads out of what is reached.
    let mut open: BinaryHeap<Reverse<(usize, (Place, Place))>> = BinaryHeap::new();
    let mut from = root;
    loop {
        for edge in leaving.get(&from).into_iter().flatten() {
            open.push(Reverse((rank[edge], *edge)));
        }
        let next = loop {
            let Some(Reverse((_, edge))) = open.pop() else { return tree };
            if reached.insert(look(edge).1) {
                break edge;
            }
        };
        tree.push(next);
        from = look(next).1;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(slice: &Slice, activities: f64, edges: f64, expected: &Expect) {
        let map = draw(slice, Coverage { activities, edges });
        let mut text = format!("{} cases, {} events, {} hidden\n", map.cases, map.events, map.events_hidden);
        for one in &map.activities {
            let (name, events, cases) = (&one.name, one.events, one.cases);
            text += &format!("{name}: {events} in {cases}, starts {}, ends {}", one.starts, one.ends);
            text += &one.sojourn.map_or(String::new(), |took| format!(", median {} p95 {}", took.median, took.p95));
            text += "\n";
        }
        for edge in &map.edges {
            let name = |one: &Option<Arc<str>>, virtual_name: &str| one.as_deref().unwrap_or(virtual_name).to_owned();
            text += &format!("{} → {}: {} in {}", name(&edge.from, "▶"), name(&edge.to, "■"), edge.events, edge.cases);
            text += &edge.durations.map_or(String::new(), |took| format!(", mean {}", took.mean));
            text += "\n";
        }
        expected.assert_eq(&text);
    }

    fn orders() -> Slice {
        Slice::of(&[
            ("1", &[("Create", 0), ("Approve", 10), ("Pay", 30)]),
            ("2", &[("Create", 0), ("Approve", 20), ("Pay", 40)]),
            ("3", &[("Create", 0), ("Change", 5), ("Change", 6), ("Approve", 20), ("Pay", 90)]),
            ("4", &[("Call", 0)]),
        ])
    }

    #[test]
    fn start_and_end_are_places_of_their_own() {
        check(
            &orders(),
            1.0,
            1.0,
            &expect![[r"
                4 cases, 12 events, 0 hidden
                Approve: 3 in 3, starts 0, ends 0, median 20 p95 70
                Create: 3 in 3, starts 3, ends 0, median 10 p95 20
                Pay: 3 in 3, starts 0, ends 3
                Change: 2 in 1, starts 0, ends 0, median 14 p95 14
                Call: 1 in 1, starts 1, ends 1
                ▶ → Create: 3 in 3
                Approve → Pay: 3 in 3, mean 36.666666666666664
                Pay → ■: 3 in 3
                Create → Approve: 2 in 2, mean 15
                ▶ → Call: 1 in 1
                Call → ■: 1 in 1
                Change → Approve: 1 in 1, mean 14
                Change → Change: 1 in 1, mean 1
                Create → Change: 1 in 1, mean 5
            "]],
        );
    }

    #[test]
    fn hidden_activities_are_stepped_over() {
        check(
            &orders(),
            0.75,
            1.0,
            &expect![[r"
                4 cases, 12 events, 3 hidden
                Approve: 3 in 3, starts 0, ends 0, median 20 p95 70
                Create: 3 in 3, starts 3, ends 0, median 20 p95 20
                Pay: 3 in 3, starts 0, ends 3
                ▶ → Create: 3 in 3
                Approve → Pay: 3 in 3, mean 36.666666666666664
                Create → Approve: 3 in 3, mean 16.666666666666668
                Pay → ■: 3 in 3
            "]],
        );
    }

    #[test]
    fn an_activity_that_is_shown_stays_connected() {
        check(
            &orders(),
            1.0,
            0.0,
            &expect![[r"
                4 cases, 12 events, 0 hidden
                Approve: 3 in 3, starts 0, ends 0, median 20 p95 70
                Create: 3 in 3, starts 3, ends 0, median 10 p95 20
                Pay: 3 in 3, starts 0, ends 3
                Change: 2 in 1, starts 0, ends 0, median 14 p95 14
                Call: 1 in 1, starts 1, ends 1
                ▶ → Create: 3 in 3
                Approve → Pay: 3 in 3, mean 36.666666666666664
                Pay → ■: 3 in 3
                Create → Approve: 2 in 2, mean 15
                ▶ → Call: 1 in 1
                Call → ■: 1 in 1
                Change → Approve: 1 in 1, mean 14
                Create → Change: 1 in 1, mean 5
            "]],
        );
    }

    #[test]
    fn of_nothing_there_is_an_empty_map() {
        check(&Slice::of(&[]), 1.0, 1.0, &expect!["0 cases, 0 events, 0 hidden\n"]);
    }
}
