//! Figures that several cases share, kept up to date by what a commit touches.
//!
//! "Longer than the 95th percentile of its step" reads a figure that every case
//! has a part in. Computing it anew at each commit would cost the whole log
//! each time. Here each such figure remembers, per group, a [tally](tally): a
//! commit takes out what the touched cases put in on the root before, and adds
//! what they put in on the new one. The outcome is that of a computation from
//! scratch, to the last bit, and the groups whose figure moved are known.
//!
//! Equal figures of several triggers, also of several models, are kept once;
//! a figure may stand on others, which come before it in the list.
//!
//! A value that is looked up in another table is such a figure too: its groups
//! are the keys. Working calendars that stand in tables are kept beside the
//! figures, for what goes by them changes when their rows do.
//!
//! What the clock has a part in is not kept: it changes without a commit.
//!
//! * `figure`, `tally`: a figure, and what is known of each of its groups;
//! * `calendars`: working calendars;
//! * `roots`: what a commit made different; `kept`: what can be followed at all;
//! * `naming`: when two figures are one.

mod figure;
mod tally;
mod calendars;
mod roots;
mod kept;
mod naming;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use self::calendars::KeptCalendars;
use self::figure::{Below, Figure};
use self::kept::is_kept;
pub(crate) use self::kept::{is_followed, is_made_of_figures};
use self::naming::{text_of, text_of_calendar};
use self::roots::Roots;
pub(crate) use self::roots::{dirty_rows, has_case};
pub(crate) use self::tally::{double_of, ordered};
use crate::evaluate::{Calendars, Given, Group, Sight, Sights, is_shared};
use crate::log::{EventLog, Renumbering, Touched};
use crate::pql::plan::{Aggregation, CalendarPlan, Grain, Node, Op, Program, PullUp, Yield};
use crate::pql::syntax::Span;
use crate::value::{Type, Value};

/// The shared figures of a data model.
pub(crate) struct Figures {
    log: Arc<EventLog>,
    /// Each after those that it stands on.
    list: Vec<Figure>,
    by_text: HashMap<String, usize>,
    /// Working calendars that stand in tables.
    calendars: Vec<KeptCalendars>,
    /// What is in scope after a commit, for all who look then.
    sights: Sights,
}

/// From the nodes of a program to the figures that are kept for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Figure and grain in the words of the program.
    nodes: HashMap<u32, (usize, Grain)>,
    /// Calendars by the nodes that go by them.
    calendars: HashMap<u32, usize>,
}

/// Which of two roots figures are read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tense {
    Before,
    Now,
}

/// Figures as one program asks for them.
pub(crate) struct Seen<'a> {
    below: Below<'a>,
    links: &'a Links,
    tense: Tense,
}

impl Given for Seen<'_> {
    fn keeps(&self, node: u32) -> bool {
        self.links.nodes.contains_key(&node)
    }

    fn value(&self, node: u32, group: &Group) -> Value {
        let (place, _) = self.links.nodes[&node];
        self.below.figures[place].value(group, self.tense)
    }

    fn calendars(&self, node: u32) -> Option<Arc<Calendars>> {
        let place = self.links.calendars.get(&node)?;
        Some(self.below.calendars[*place].whole().on(self.tense).clone())
    }

    fn sight(&self, log: &Arc<EventLog>, cases: &[u32]) -> Option<Arc<Sight>> {
        self.below.sights.of(log, cases)
    }
}

impl Links {
    /// Goes through the figures, each with its grain.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (usize, Grain)> {
        self.nodes.values().copied()
    }

    /// Goes through the working calendars.
    fn calendars(&self) -> impl Iterator<Item = usize> {
        self.calendars.values().copied()
    }

    /// Tells whether the figure of a node is kept.
    fn keep(&self, node: u32) -> bool {
        self.nodes.contains_key(&node)
    }
}

impl Figures {
    pub(crate) fn new(log: Arc<EventLog>) -> Self {
        let sights = Sights::new(log.clone());
        Figures { log, list: Vec::new(), by_text: HashMap::new(), calendars: Vec::new(), sights }
    }

    /// Keeps the shared figures below some nodes from here on.
    pub(crate) fn keep<'a>(&mut self, program: &Arc<Program>, nodes: impl IntoIterator<Item = &'a Node>) -> Links {
        let mut links = Links::default();
        for node in nodes {
            self.keep_below(program, node, &mut links);
        }
        links
    }

    /// Returns the figures as the nodes of a program ask for them.
    pub(crate) fn seen<'a>(&'a self, links: &'a Links) -> Seen<'a> {
        Seen { below: self.below(), links, tense: Tense::Now }
    }

    /// Lists the groups that the last commit moved, of the figures and calendars
    /// that a program asks for, in its words.
    pub(crate) fn moved(&self, links: &Links) -> BTreeSet<(Grain, Group)> {
        let figures = links
            .figures()
            .flat_map(|(place, grain)| self.list[place].whole().moved.keys().map(move |group| (grain, group.clone())));
        // Whoever goes by a calendar is noted below everything.
        let calendars = links.calendars().flat_map(|place| self.calendars[place].whole().moved.groups());
        figures.chain(calendars.map(|group| (Grain::Constant, group.clone()))).collect()
    }

    /// Tells whether the last commit changed a calendar such that whoever goes
    /// by it may go by another one now.
    pub(crate) fn turned(&self, links: &Links) -> bool {
        links.calendars().any(|place| self.calendars[place].whole().moved.is_of_all())
    }

    fn below(&self) -> Below<'_> {
        Below { figures: &self.list, calendars: &self.calendars, sights: &self.sights }
    }

    fn keep_below(&mut self, program: &Arc<Program>, node: &Node, links: &mut Links) {
        node.each_child(|child| self.keep_below(program, child, links));
        if let Op::Worked(worked) = &node.op
            && worked.calendar.reads_table()
            && is_followed(program, node)
        {
            let place = self.keep_calendars(program, &worked.calendar);
            links.calendars.insert(node.id, place);
        }
        if !is_shared(program, node) || !is_kept(program, node) {
            return;
        }
        if let Op::PullUp(pull_up) = &node.op
            && let Grain::Domain(domain) = pull_up.from
            && !self.keep_combinations(program, domain, links)
        {
            return;
        }
        let text = text_of(program, node);
        let place = match self.by_text.get(&text) {
            Some(place) => *place,
            None => self.add(program, node, links, text),
        };
        links.nodes.insert(node.id, (place, node.grain));
    }

    /// Counts the rows of each combination, so that it is known which there are.
    fn keep_combinations(&mut self, program: &Arc<Program>, domain: usize, links: &mut Links) -> bool {
        let one = |op, yields, grain, id| Node { id, op, yields, grain, span: Span::default() };
        let int = Yield::Of(Type::Int);
        let value = one(Op::Constant(Value::Int(1)), int, Grain::Constant, u32::MAX);
        let from = program.domains[domain].source;
        let count = PullUp {
            aggregation: Aggregation::Count,
            value,
            filter: None,
            order: Vec::new(),
            from,
            delimiter: "".into(),
        };
        // No program has so many nodes that these numbers are taken.
        let id = u32::MAX - 1 - domain as u32;
        let count = one(Op::PullUp(Box::new(count)), int, Grain::Domain(domain), id);
        self.keep_below(program, &count, links);
        links.keep(id)
    }

    fn keep_calendars(&mut self, program: &Arc<Program>, plan: &CalendarPlan) -> usize {
        let text = text_of_calendar(plan);
        let usable = |kept: &KeptCalendars| !kept.rests && !kept.is_broken && kept.text == text;
        if let Some(place) = self.calendars.iter().position(usable) {
            return place;
        }
        self.calendars.push(KeptCalendars::new(program, plan, text, &self.log));
        self.calendars.len() - 1
    }

    fn add(&mut self, program: &Arc<Program>, node: &Node, known: &Links, text: String) -> usize {
        let mut links = Links::default();
        node.walk(&mut |below| {
            links.nodes.extend(known.nodes.get(&below.id).map(|link| (below.id, *link)));
            links.calendars.extend(known.calendars.get(&below.id).map(|place| (below.id, *place)));
        });
        let combinations = match &node.op {
            Op::PullUp(pull_up) => match pull_up.from {
                Grain::Domain(domain) => known.nodes.get(&(u32::MAX - 1 - domain as u32)).map(|(place, _)| *place),
                _ => None,
            },
            _ => None,
        };
        let mut figure = Figure::new(program, node, links, combinations);
        figure.compute(self.below(), &self.log);
        self.list.push(figure);
        self.by_text.insert(text, self.list.len() - 1);
        self.list.len() - 1
    }

    /// Follows a commit to the new root.
    pub(crate) fn follow(&mut self, log: &Arc<EventLog>, touched: &Touched) {
        let before = std::mem::replace(&mut self.log, log.clone());
        self.sights = Sights::new(log.clone());
        let roots = Roots::new(before, log.clone(), touched);
        for kept in self.calendars.iter_mut().filter(|kept| !kept.rests && !kept.is_broken) {
            let followed = panic::catch_unwind(AssertUnwindSafe(|| kept.follow(&roots)));
            kept.is_broken = followed.is_err();
        }
        for place in 0..self.list.len() {
            let (figures, rest) = self.list.split_at_mut(place);
            let (below, figure) = (Below { figures, calendars: &self.calendars, sights: &self.sights }, &mut rest[0]);
            if figure.rests || figure.is_broken {
                continue;
            }
            // A mistake in one figure stops those who read it, and nobody else.
            if panic::catch_unwind(AssertUnwindSafe(|| figure.follow(below, &roots))).is_err() {
                figure.is_broken = true;
                self.by_text.retain(|_, known| *known != place);
            }
        }
    }

    /// Moves to a root that says the same with other row numbers.
    pub(crate) fn stand_on(&mut self, folded: Arc<EventLog>, rows: &Renumbering<'_>) {
        for figure in self.list.iter_mut().filter(|figure| !figure.rests && !figure.is_broken) {
            figure.renumber(rows, &folded);
        }
        self.sights = Sights::new(folded.clone());
        self.log = folded;
    }

    /// Forgets what none of these asks for any more.
    pub(crate) fn keep_only<'a>(&mut self, links: impl IntoIterator<Item = &'a Links>) {
        let mut calendars = HashSet::new();
        let mut open = Vec::new();
        for links in links {
            open.extend(links.figures().map(|(place, _)| place));
            calendars.extend(links.calendars());
        }
        let mut used = HashSet::new();
        while let Some(place) = open.pop() {
            if used.insert(place) {
                let figure = &self.list[place];
                open.extend(figure.links.figures().map(|(place, _)| place));
                open.extend(figure.combinations);
                calendars.extend(figure.links.calendars());
            }
        }
        self.by_text.retain(|_, place| used.contains(place));
        for (_, figure) in self.list.iter_mut().enumerate().filter(|(place, _)| !used.contains(place)) {
            figure.rest();
        }
        for (_, kept) in self.calendars.iter_mut().enumerate().filter(|(place, _)| !calendars.contains(place)) {
            kept.rest();
        }
    }
}
