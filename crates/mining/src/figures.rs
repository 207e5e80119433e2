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
//! What the clock has a part in is not kept: it changes without a commit.

mod tally;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use self::tally::{Kind, Tally};
pub(crate) use self::tally::{double_of, ordered};
use crate::evaluate::{Contribution, Evaluator, Given, Group, InScope, is_shared};
use crate::log::{EventLog, Touched};
use crate::pql::catalog::Path;
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregation, Grain, Node, Op, Program, PullUp, Yield};
use crate::pql::syntax::Span;
use crate::value::{Type, Value};

/// The shared figures of a data model.
pub(crate) struct Figures {
    log: Arc<EventLog>,
    /// Each after those that it stands on.
    list: Vec<Figure>,
    by_text: HashMap<String, usize>,
}

/// From the nodes of a program to the figures that are kept for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Figure and grain in the words of the program.
    nodes: HashMap<u32, (usize, Grain)>,
}

struct Figure {
    program: Arc<Program>,
    pull_up: PullUp,
    target: Grain,
    kind: Kind,
    /// Those that it stands on.
    links: Links,
    /// Counts the rows of the combinations that it goes over, if it does.
    combinations: Option<usize>,
    groups: HashMap<Group, Tally>,
    /// Groups that the last commit moved, with the figure before it.
    moved: HashMap<Group, Value>,
    /// Nobody asks for it any more; it keeps its place in the list.
    rests: bool,
    /// Following it failed; whoever reads it has to ask for it anew.
    is_broken: bool,
}

/// Which of two roots figures are read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tense {
    Before,
    Now,
}

/// Figures as one program asks for them.
pub(crate) struct Seen<'a> {
    figures: &'a [Figure],
    links: &'a Links,
    tense: Tense,
}

impl Given for Seen<'_> {
    fn keeps(&self, node: u32) -> bool {
        self.links.nodes.contains_key(&node)
    }

    fn value(&self, node: u32, group: &Group) -> Value {
        let (place, _) = self.links.nodes[&node];
        self.figures[place].value(group, self.tense)
    }
}

impl Links {
    /// Goes through the figures, each with its grain.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (usize, Grain)> {
        self.nodes.values().copied()
    }

    /// Tells whether the figure of a node is kept.
    pub(crate) fn keep(&self, node: u32) -> bool {
        self.nodes.contains_key(&node)
    }
}

impl Figures {
    pub(crate) fn new(log: Arc<EventLog>) -> Self {
        Figures { log, list: Vec::new(), by_text: HashMap::new() }
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
        Seen { figures: &self.list, links, tense: Tense::Now }
    }

    /// Lists the groups of a figure that the last commit moved.
    pub(crate) fn moved(&self, figure: usize) -> impl Iterator<Item = &Group> {
        self.list[figure].whole().moved.keys()
    }

    fn keep_below(&mut self, program: &Arc<Program>, node: &Node, links: &mut Links) {
        node.each_child(|child| self.keep_below(program, child, links));
        let Op::PullUp(pull_up) = &node.op else { return };
        if program.is_in_case(node.grain) || !is_kept(program, node) {
            return;
        }
        if let Grain::Domain(domain) = pull_up.from
            && !self.keep_combinations(program, domain, links)
        {
            return;
        }
        let text = text_of(program, node);
        let place = match self.by_text.get(&text) {
            Some(place) => *place,
            None => self.add(program, node, pull_up, links.clone(), text),
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

    fn add(&mut self, program: &Arc<Program>, node: &Node, pull_up: &PullUp, known: Links, text: String) -> usize {
        let mut links = Links::default();
        node.walk(&mut |below| {
            if let Some(link) = known.nodes.get(&below.id) {
                links.nodes.insert(below.id, *link);
            }
        });
        let combinations = match pull_up.from {
            Grain::Domain(domain) => known.nodes.get(&(u32::MAX - 1 - domain as u32)).map(|(place, _)| *place),
            _ => None,
        };
        let kind = Kind {
            aggregation: pull_up.aggregation,
            own: type_of(&pull_up.value),
            result: type_of(node),
            delimiter: pull_up.delimiter.clone(),
        };
        let mut figure = Figure {
            program: program.clone(),
            pull_up: pull_up.clone(),
            target: node.grain,
            kind,
            links,
            combinations,
            groups: HashMap::new(),
            moved: HashMap::new(),
            rests: false,
            is_broken: false,
        };
        figure.groups = figure.computed_anew(&self.list, &self.log);
        self.list.push(figure);
        self.by_text.insert(text, self.list.len() - 1);
        self.list.len() - 1
    }

    /// Follows a commit to the new root.
    pub(crate) fn follow(&mut self, log: &Arc<EventLog>, touched: &Touched) {
        let before = std::mem::replace(&mut self.log, log.clone());
        let roots = Roots { before, now: log.clone(), touched, rows: HashMap::new().into() };
        for place in 0..self.list.len() {
            let (below, rest) = self.list.split_at_mut(place);
            let figure = &mut rest[0];
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

    /// Tells whether a group or a part of a figure is named by the number of a
    /// row, which a fold changes.
    pub(crate) fn name_rows(&self) -> bool {
        self.list.iter().any(|figure| !figure.rests && figure.names_rows(&self.log))
    }

    /// Moves to a root that says the same with other row numbers.
    pub(crate) fn stand_on(&mut self, folded: Arc<EventLog>) {
        self.log = folded;
    }

    /// Forgets what none of these asks for any more.
    pub(crate) fn keep_only<'a>(&mut self, links: impl IntoIterator<Item = &'a Links>) {
        let mut open: Vec<usize> = links.into_iter().flat_map(Links::figures).map(|(place, _)| place).collect();
        let mut used = HashSet::new();
        while let Some(place) = open.pop() {
            if used.insert(place) {
                open.extend(self.list[place].links.figures().map(|(place, _)| place));
                open.extend(self.list[place].combinations);
            }
        }
        self.by_text.retain(|_, place| used.contains(place));
        for (_, figure) in self.list.iter_mut().enumerate().filter(|(place, _)| !used.contains(place)) {
            figure.rests = true;
            figure.groups = HashMap::new();
            figure.moved = HashMap::new();
        }
    }
}

/// Two roots and what differs between them.
struct Roots<'a> {
    before: Arc<EventLog>,
    now: Arc<EventLog>,
    touched: &'a Touched,
    /// Rows of a table that changed or whose 1-side did.
    rows: std::cell::RefCell<HashMap<usize, Arc<BTreeSet<u32>>>>,
}

impl Roots<'_> {
    fn rows(&self, table: usize) -> Arc<BTreeSet<u32>> {
        let found = || Arc::new(dirty_rows(&self.before, &self.now, self.touched, table));
        self.rows.borrow_mut().entry(table).or_insert_with(found).clone()
    }
}

/// Lists the rows of a table that a commit changed, or whose 1-side it did.
pub(crate) fn dirty_rows(before: &EventLog, now: &EventLog, touched: &Touched, table: usize) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (changed, row) in &touched.rows {
        for log in [before, now] {
            if (*row as usize) < log.table(*changed).capacity()
                && let Path::Over(joins) = log.catalog().path(table, *changed)
            {
                // From the changed row downwards. Where the way leads over the
                // events of a case, its rows come with the case.
                if joins.contains(&0) {
                    continue;
                }
                let down =
                    |rows: Vec<u32>, join: &usize| rows.into_iter().flat_map(|row| log.children(*join, row)).collect();
                found.extend(joins.iter().rev().fold(vec![*row], down));
            }
        }
    }
    found
}

impl Figure {
    /// Returns itself, if what it holds can be relied on.
    fn whole(&self) -> &Self {
        assert!(!self.is_broken, "a figure that several cases share could not follow a commit");
        self
    }

    fn names_rows(&self, log: &EventLog) -> bool {
        let roles = &log.catalog().roles;
        // Values in order stand by the number of their row, events and cases by
        // the number of the case, which stays.
        let by_case = [roles.activity_table, roles.case_table].map(Grain::Table).contains(&self.pull_up.from);
        matches!(self.target, Grain::Table(_)) || (self.kind.is_ordered() && !by_case)
    }

    fn value(&self, group: &Group, tense: Tense) -> Value {
        self.whole();
        if tense == Tense::Before
            && let Some(before) = self.moved.get(group)
        {
            return before.clone();
        }
        self.groups.get(group).map_or_else(|| self.kind.start().value(&self.kind), |tally| tally.value(&self.kind))
    }

    fn contributions(&self, scope: &InScope<'_>) -> Vec<Contribution> {
        scope.contributions(&self.pull_up, self.target, self.kind.is_ordered())
    }

    fn computed_anew(&self, below: &[Figure], log: &Arc<EventLog>) -> HashMap<Group, Tally> {
        let evaluator = Evaluator::new(log.clone(), self.program.clone(), 0);
        let given = Seen { figures: below, links: &self.links, tense: Tense::Now };
        let mut groups: HashMap<Group, Tally> = HashMap::new();
        for one in evaluator.everything_given(&given, |scope| self.contributions(scope)) {
            groups.entry(one.group.clone()).or_insert_with(|| self.kind.start()).add(&self.kind, one);
        }
        groups
    }

    fn follow(&mut self, below: &[Figure], roots: &Roots<'_>) {
        self.moved = HashMap::new();
        let from = self.pull_up.from;
        // A figure below of another grain moves what any row puts in.
        let reaches_all = |(place, grain): (usize, Grain)| grain != from && !below[place].whole().moved.is_empty();
        if from == Grain::Constant || self.links.figures().any(reaches_all) {
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
    fn touched_on(&self, tense: Tense, below: &[Figure], roots: &Roots<'_>) -> Vec<Contribution> {
        let log = if tense == Tense::Before { &roots.before } else { &roots.now };
        let evaluator = Evaluator::new(log.clone(), self.program.clone(), 0);
        let given = Seen { figures: below, links: &self.links, tense };
        let run = |scope: &InScope<'_>| self.contributions(scope);
        let from = self.pull_up.from;
        match from {
            Grain::Edges => unreachable!("figures over pairs of events are not kept"),
            Grain::Table(table) => {
                let mut found = Vec::new();
                let in_case = self.program.is_in_case(from);
                if in_case {
                    let cases: Vec<u32> =
                        roots.touched.cases.iter().copied().filter(|case| *case < log.case_count()).collect();
                    found = evaluator.cases(&cases, 0, Some(&given), run);
                }
                let roles = &log.catalog().roles;
                if table == roles.activity_table || table == roles.case_table {
                    return found;
                }
                let mut rows: BTreeSet<u32> = (*roots.rows(table)).clone();
                for (place, grain) in self.links.figures().filter(|(_, grain)| *grain == from) {
                    debug_assert_eq!(grain, from, "others were computed from scratch");
                    rows.extend(below[place].moved.keys().filter_map(|group| match group {
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
                    names.extend(below[place].moved.keys());
                }
                names.extend(below[count].moved.keys());
                let lives = |group: &&&Group| below[count].value(group, tense) != Value::Int(0);
                let keys = names.iter().filter(lives).filter_map(|group| group.values()).collect();
                evaluator.combinations(domain, keys, &given, run)
            }
            Grain::Constant | Grain::Group => Vec::new(),
        }
    }
}

/// Tells whether a row of a table below the case belongs to one.
pub(crate) fn has_case(log: &EventLog, table: usize, row: u32) -> bool {
    let case_table = log.catalog().roles.case_table;
    let Path::Over(joins) = log.catalog().path(table, case_table) else { return false };
    let reached = joins.iter().try_fold(row, |row, join| log.partner(*join, row));
    let case = reached.and_then(|row| log.case_of(case_table, row).map(|case| (case, row)));
    case.is_some_and(|(case, row)| log.case(case).row == row)
}

/// Tells whether a shared figure can be followed row by row.
pub(crate) fn is_kept(program: &Program, node: &Node) -> bool {
    let mut has_pairs = false;
    node.walk(&mut |node| has_pairs |= node.grain == Grain::Edges);
    // Pairs of events have no numbers of their own.
    !node.is_clocked() && !has_pairs && keys_are_plain(program, node)
}

/// Tells whether the DOMAIN_TABLEs that a figure stands on have keys without
/// clock and without figures of their own.
fn keys_are_plain(program: &Program, node: &Node) -> bool {
    let mut grains = vec![node.grain];
    node.walk(&mut |node| grains.push(node.grain));
    grains.iter().all(|grain| match grain {
        Grain::Domain(domain) => program.domains[*domain].keys.iter().all(|key| {
            let mut plain = program.domains[*domain].source != Grain::Edges;
            key.walk(&mut |node| {
                plain &= !node.reads_clock() && !is_shared(program, node);
            });
            plain
        }),
        _ => true,
    })
}

/// Returns a text that equal nodes share, whatever their program calls them.
///
/// It is the tree as it is, without the numbers of nodes and places in the
/// text, and with the keys of DOMAIN_TABLEs in place of theirs. Taken from the
/// tree and not from the words, because words may name other words.
fn text_of(program: &Program, node: &Node) -> String {
    let text = anonymous(&spelt(&format!("{node:?}")));
    let mut named = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Domain(") {
        named.push_str(before);
        let (number, after) = after.split_once(')').unwrap_or((after, ""));
        match number.parse::<usize>().ok().and_then(|number| program.domains.get(number)) {
            Some(domain) => {
                let keys = anonymous(&spelt(&format!("{:?}", domain.keys)));
                named.push_str(&format!("DomainOf({:?}, {keys})", domain.source));
            }
            None => named.push_str(&format!("Domain({number})")),
        }
        rest = after;
    }
    named + rest
}

/// Spells out what stands in quotes as numbers, so that a text of the user's
/// cannot look like a part of the tree.
fn spelt(text: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                inside = !inside;
                found.push('"');
            }
            '\\' if inside => {
                let escaped = letters.next().map_or(0, u32::from);
                found.push_str(&format!("\\{escaped} "));
            }
            letter if inside => found.push_str(&format!("{} ", u32::from(letter))),
            letter => found.push(letter),
        }
    }
    found
}

/// Takes numbers of nodes and places in the text out of a tree's description.
fn anonymous(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("Node { id: ") {
        found.push_str(before);
        found.push_str("Node {");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    found.push_str(rest);
    let mut cleared = String::new();
    let mut rest = found.as_str();
    while let Some((before, after)) = rest.split_once("span: Span {") {
        cleared.push_str(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    cleared + rest
}

#[cfg(test)]
mod tests {
    use super::{anonymous, spelt};

    #[test]
    fn equal_trees_have_equal_texts_and_words_do_not_look_like_trees() {
        let text = |text: &str| anonymous(&spelt(text));
        let one = text(
            "Node { id: 3, op: X(Node { id: 4, span: Span { start: 1, end: 2 } }), span: Span { start: 0, end: 9 } }",
        );
        let other = text(
            "Node { id: 8, op: X(Node { id: 2, span: Span { start: 5, end: 6 } }), span: Span { start: 7, end: 9 } }",
        );
        assert_eq!(one, other);
        assert_ne!(text(r#"Text("Node { id: 1")"#), text(r#"Text("Node { id: 2")"#));
        assert_ne!(text(r#"Text("a\"b")"#), text(r#"Text("a", "b")"#));
    }
}
