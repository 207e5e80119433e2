//! One shared figure: what its groups are, and how it follows a commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::calendars::KeptCalendars;
use super::roots::{Roots, has_case};
use super::tally::{Kind, Tally};
use super::{Links, Seen, Tense};
use crate::evaluate::{Contribution, Evaluator, Group, InScope, Sights};
use crate::log::{EventLog, NO_ROW, Renumbering};
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregation, Grain, Lookup, Node, Op, Program, PullUp};
use crate::value::Value;

/// What rows put into a figure.
pub(super) enum Offer {
    /// A value, for the row of a grain that they lead to.
    PullUp(PullUp, Grain),
    /// A value, for whoever looks for their keys.
    Lookup(Lookup),
}

/// A figure with its groups.
pub(super) struct Figure {
    program: Arc<Program>,
    offer: Offer,
    kind: Kind,
    /// Those that it stands on.
    pub(super) links: Links,
    /// Counts the rows of the combinations that it goes over, if it does.
    pub(super) combinations: Option<usize>,
    groups: HashMap<Group, Tally>,
    /// Groups that the last commit moved, with the figure before it.
    pub(super) moved: HashMap<Group, Value>,
    /// Nobody asks for it any more; it keeps its place in the list.
    pub(super) rests: bool,
    /// Following it failed; whoever reads it has to ask for it anew.
    pub(super) is_broken: bool,
}

/// What a figure may stand on.
#[derive(Clone, Copy)]
pub(super) struct Below<'a> {
    pub(super) figures: &'a [Figure],
    pub(super) calendars: &'a [KeptCalendars],
    /// What is in scope on the root of now.
    pub(super) sights: &'a Sights,
}

impl Figure {
    /// Describes the figure of a node, without its groups.
    pub(super) fn new(program: &Arc<Program>, node: &Node, links: Links, combinations: Option<usize>) -> Self {
        let (offer, kind) = match &node.op {
            Op::PullUp(pull_up) => (Offer::PullUp((**pull_up).clone(), node.grain), Kind::of(pull_up, type_of(node))),
            Op::Lookup(lookup) => {
                // Of several rows with one key the last one counts.
                let own = type_of(&lookup.value);
                let kind = Kind { aggregation: Aggregation::Last, own, result: own, delimiter: "".into() };
                (Offer::Lookup((**lookup).clone()), kind)
            }
            other => unreachable!("{other:?} is no figure"),
        };
        Figure {
            program: program.clone(),
            offer,
            kind,
            links,
            combinations,
            groups: HashMap::new(),
            moved: HashMap::new(),
            rests: false,
            is_broken: false,
        }
    }

    /// Forgets its groups, for nobody asks any more.
    pub(super) fn rest(&mut self) {
        self.rests = true;
        self.groups = HashMap::new();
        self.moved = HashMap::new();
    }

    /// Computes the groups on a root.
    pub(super) fn compute(&mut self, below: Below<'_>, log: &Arc<EventLog>) {
        self.groups = self.computed_anew(below, log);
    }

    /// Takes over the numbers that rows have after a fold.
    pub(super) fn renumber(&mut self, rows: &Renumbering<'_>, log: &EventLog) {
        // What moved at the commit before has been looked at.
        self.moved = HashMap::new();
        if let Offer::PullUp(_, Grain::Table(table)) = self.offer {
            let renumbered = std::mem::take(&mut self.groups).into_iter().filter_map(|(group, tally)| match group {
                Group::Row(row) => {
                    Some(rows.row(table, row)).filter(|row| *row != NO_ROW).map(|row| (Group::Row(row), tally))
                }
                group => Some((group, tally)),
            });
            self.groups = renumbered.collect();
        }
        let roles = &log.catalog().roles;
        if let Grain::Table(from) = self.from()
            && self.kind.is_ordered()
            // Events and cases stand by the number of the case, which stays.
            && ![roles.activity_table, roles.case_table].contains(&from)
        {
            self.groups.values_mut().for_each(|tally| tally.renumber(|row| rows.row(from, row)));
        }
    }

    /// Returns whose rows put in.
    fn from(&self) -> Grain {
        match &self.offer {
            Offer::PullUp(pull_up, _) => pull_up.from,
            Offer::Lookup(lookup) => lookup.value.grain,
        }
    }

    /// Returns itself, if what it holds can be relied on.
    pub(super) fn whole(&self) -> &Self {
        assert!(!self.is_broken, "a figure that several cases share could not follow a commit");
        self
    }

    /// Returns the figure of a group.
    pub(super) fn value(&self, group: &Group, tense: Tense) -> Value {
        self.whole();
        if tense == Tense::Before
            && let Some(before) = self.moved.get(group)
        {
            return before.clone();
        }
        self.groups.get(group).map_or_else(|| self.kind.start().value(&self.kind), |tally| tally.value(&self.kind))
    }

    fn contributions(&self, scope: &InScope<'_>) -> Vec<Contribution> {
        match &self.offer {
            Offer::PullUp(pull_up, target) => scope.contributions(pull_up, *target, self.kind.is_ordered()),
            Offer::Lookup(lookup) => scope.offered(lookup),
        }
    }

    fn computed_anew(&self, below: Below<'_>, log: &Arc<EventLog>) -> HashMap<Group, Tally> {
        let evaluator = Evaluator::new(log.clone(), self.program.clone(), 0);
        let given = Seen { below, links: &self.links, tense: Tense::Now };
        let mut groups: HashMap<Group, Tally> = HashMap::new();
        for one in evaluator.everything_given(&given, |scope| self.contributions(scope)) {
            groups.entry(one.group.clone()).or_insert_with(|| self.kind.start()).add(&self.kind, one);
        }
        groups
    }

    /// Follows a commit, which those below have followed.
    pub(super) fn follow(&mut self, below: Below<'_>, roots: &Roots<'_>) {
        self.moved = HashMap::new();
        let from = self.from();
        // A figure below of another grain moves what any row puts in, and so
        // does a calendar that changes.
        let is_of_rows = |figure: &Figure, grain: Grain| grain == from && matches!(figure.offer, Offer::PullUp(..));
        let reaches_all = |(place, grain): (usize, Grain)| {
            let figure = below.figures[place].whole();
            !figure.moved.is_empty() && !is_of_rows(figure, grain)
        };
        let has_turned = |place: usize| !below.calendars[place].whole().moved.is_empty();
        let anew = self.links.figures().any(reaches_all) || self.links.calendars().any(has_turned);
        if from == Grain::Constant || anew {
            let mut groups = self.computed_anew(below, &roots.now);
            std::mem::swap(&mut self.groups, &mut groups);
            let start = self.kind.start().value(&self.kind);
            let names: HashSet<&Group> = groups.keys().chain(self.groups.keys()).collect();
            let value = |tally: &Tally| tally.value(&self.kind);
            let moved = names.into_iter().filter_map(|name| {
                let before = groups.get(name).map_or_else(|| start.clone(), value);
                let now = self.groups.get(name).map_or_else(|| start.clone(), value);
                (before != now).then(|| (name.clone(), before))
            });
            self.moved = moved.collect();
            return;
        }
        let out = self.touched_on(Tense::Before, below, roots);
        let put = self.touched_on(Tense::Now, below, roots);
        let start = self.kind.start();
        for one in out {
            let tally = self.groups.get_mut(&one.group).expect("what is taken out was put in");
            self.moved.entry(one.group.clone()).or_insert_with(|| tally.value(&self.kind));
            tally.take_out(&self.kind, one);
        }
        for one in put {
            let tally = self.groups.entry(one.group.clone()).or_insert_with(|| start.clone());
            self.moved.entry(one.group.clone()).or_insert_with(|| tally.value(&self.kind));
            tally.add(&self.kind, one);
        }
        let groups = &mut self.groups;
        let kind = &self.kind;
        self.moved.retain(|group, before| {
            let tally = &groups[group];
            let now = tally.value(kind);
            if tally.is_empty() {
                groups.remove(group);
            }
            now != *before
        });
    }

    /// Lists what the touched rows put in on one of the two roots.
    fn touched_on(&self, tense: Tense, below: Below<'_>, roots: &Roots<'_>) -> Vec<Contribution> {
        let log = if tense == Tense::Before { &roots.before } else { &roots.now };
        let evaluator = Evaluator::new(log.clone(), self.program.clone(), 0);
        let given = Seen { below, links: &self.links, tense };
        let run = |scope: &InScope<'_>| self.contributions(scope);
        let from = self.from();
        let of_cases = || {
            let cases: Vec<u32> = roots.touched.cases.iter().copied().filter(|case| *case < log.case_count()).collect();
            evaluator.cases(&cases, 0, Some(&given), run)
        };
        match from {
            Grain::Edges => of_cases(),
            Grain::Table(table) => {
                let in_case = self.program.is_in_case(from);
                let mut found = if in_case { of_cases() } else { Vec::new() };
                let roles = &log.catalog().roles;
                if table == roles.activity_table || table == roles.case_table {
                    return found;
                }
                let mut rows: BTreeSet<u32> = (*roots.rows(table)).clone();
                for (place, grain) in self.links.figures().filter(|(_, grain)| *grain == from) {
                    debug_assert_eq!(grain, from, "others were computed from scratch");
                    rows.extend(below.figures[place].moved.keys().filter_map(|group| match group {
                        Group::Row(row) => Some(*row),
                        _ => None,
                    }));
                }
                let own = log.table(table);
                rows.retain(|row| (*row as usize) < own.capacity() && own.is_alive(*row));
                if in_case {
                    // Those with a case came with it.
                    rows.retain(|row| !has_case(log, table, *row));
                }
                let rows: Vec<u32> = rows.into_iter().collect();
                found.extend(evaluator.rows(table, &rows, 0, Some(&given), run));
                found
            }
            Grain::Domain(domain) => {
                let Some(count) = self.combinations else { return Vec::new() };
                let mut names: HashSet<&Group> = HashSet::new();
                for (place, _) in self.links.figures() {
                    names.extend(below.figures[place].moved.keys());
                }
                names.extend(below.figures[count].moved.keys());
                let lives = |group: &&&Group| below.figures[count].value(group, tense) != Value::Int(0);
                let keys = names.iter().filter(lives).filter_map(|group| group.values()).collect();
                evaluator.combinations(domain, keys, &given, run)
            }
            Grain::Constant | Grain::Group => Vec::new(),
        }
    }
}
