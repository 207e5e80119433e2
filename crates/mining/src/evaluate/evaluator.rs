//! From nodes to vectors.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::aggregation::{Groups, aggregate};
use super::frame::{Frame, is_linked};
use super::vector::{GroupKey, Operand, Places, Vector};
use super::{process, scalar};
use crate::log::{EventLog, NO_ROW};
use crate::pql::catalog::Path;
use crate::pql::check::type_of;
use crate::pql::deadline::{ClockUse, next_change};
use crate::pql::plan::{ClockPart, Grain, Node, Op, Program, PullUp, Selection, Unit, Way};
use crate::value::Value;

/// Evaluates nodes of one program on one root.
pub struct Evaluator {
    log: Arc<EventLog>,
    program: Arc<Program>,
    scope: Scope,
    now: Cell<i64>,
    frames: RefCell<HashMap<usize, Arc<Frame>>>,
    lifts: RefCell<Lifts>,
    domains: RefCell<HashMap<usize, Arc<DomainRows>>>,
    /// Costly nodes; those that look at the clock are marked.
    kept: RefCell<HashMap<u32, (Arc<Vector>, bool)>>,
}

/// From one grain to another: per value the place of its partner.
type Lifts = HashMap<(Grain, Grain), Arc<Vec<u32>>>;

enum Scope {
    Whole,
    Cases(Vec<u32>),
}

/// The combinations of a DOMAIN_TABLE.
struct DomainRows {
    places: HashMap<Vec<GroupKey>, u32>,
    keys: Vec<Vec<Value>>,
}

/// Evaluates for some cases, with the whole at hand for what depends on more.
pub(crate) struct InScope<'a> {
    own: &'a Evaluator,
    whole: &'a Evaluator,
}

impl Evaluator {
    /// Stands on a root at an instant, for all rows.
    pub fn new(log: Arc<EventLog>, program: Arc<Program>, now: i64) -> Self {
        Evaluator::with_scope(log, program, now, Scope::Whole)
    }

    fn with_scope(log: Arc<EventLog>, program: Arc<Program>, now: i64, scope: Scope) -> Self {
        Evaluator {
            log,
            program,
            scope,
            now: Cell::new(now),
            frames: RefCell::default(),
            lifts: RefCell::default(),
            domains: RefCell::default(),
            kept: RefCell::default(),
        }
    }

    /// Returns the root.
    pub fn log(&self) -> &Arc<EventLog> {
        &self.log
    }

    /// Moves to another instant; what does not look at the clock stays.
    pub fn set_now(&self, now: i64) {
        if self.now.replace(now) != now {
            self.kept.borrow_mut().retain(|_, (_, clocked)| !*clocked);
        }
    }

    /// Forgets what was computed; it can be computed again.
    pub(crate) fn rest(&self) {
        self.frames.take();
        self.lifts.take();
        self.domains.take();
        self.kept.take();
    }

    /// Evaluates over everything.
    pub(crate) fn everything<T>(&self, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        run(&InScope { own: self, whole: self })
    }

    /// Evaluates over some cases at an instant.
    pub(crate) fn cases<T>(&self, cases: &[u32], now: i64, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        let scope = Scope::Cases(cases.to_vec());
        let own = Evaluator::with_scope(self.log.clone(), self.program.clone(), now, scope);
        run(&InScope { own: &own, whole: self })
    }
}

impl<'a> InScope<'a> {
    fn is_whole(&self) -> bool {
        matches!(self.own.scope, Scope::Whole)
    }

    fn everything(&self) -> InScope<'a> {
        InScope { own: self.whole, whole: self.whole }
    }

    /// Returns how many values an expression of a grain has.
    pub(crate) fn length(&self, grain: Grain) -> usize {
        match grain {
            Grain::Constant | Grain::Group => 1,
            Grain::Table(table) => self.frame(table).rows.len(),
            Grain::Domain(domain) => self.domain(domain).keys.len(),
        }
    }

    pub(crate) fn frame(&self, table: usize) -> Arc<Frame> {
        if let Some(frame) = self.own.frames.borrow().get(&table) {
            return frame.clone();
        }
        let frame = Arc::new(self.make_frame(table));
        self.own.frames.borrow_mut().insert(table, frame.clone());
        frame
    }

    fn make_frame(&self, table: usize) -> Frame {
        let log = &self.own.log;
        let catalog = log.catalog();
        let cases = match &self.own.scope {
            Scope::Cases(cases) if is_linked(catalog, table) => cases,
            _ => return Frame::whole(log, table),
        };
        if self.own.program.is_in_case(Grain::Table(table)) {
            return Frame::below(log, table, cases);
        }
        // On the 1-side of cases: the partners of what is in scope.
        let mut rows = BTreeSet::new();
        for (place, (many, one)) in catalog.joins.iter().enumerate() {
            if *one == table && is_linked(catalog, *many) {
                rows.extend(self.frame(*many).rows.iter().filter_map(|row| log.partner(place, *row)));
            }
        }
        Frame::of(rows.into_iter().collect())
    }

    /// Tells for each row of `from` where its value of the grain `to` stands.
    pub(crate) fn places(&self, from: Grain, to: Grain) -> Places {
        match (from, to) {
            _ if from == to => Places::Same,
            (_, Grain::Constant) => Places::First,
            (Grain::Table(from_table), _) => {
                if let Some(known) = self.own.lifts.borrow().get(&(from, to)) {
                    return Places::Listed(known.clone());
                }
                let listed = Arc::new(match to {
                    Grain::Domain(domain) => self.domain_places(from_table, domain),
                    Grain::Table(table) => self.partner_places(from_table, table),
                    Grain::Constant | Grain::Group => unreachable!("handled above, or never lifted"),
                });
                self.own.lifts.borrow_mut().insert((from, to), listed.clone());
                Places::Listed(listed)
            }
            _ => unreachable!("the check lets only tables be on the N-side"),
        }
    }

    fn partner_places(&self, from: usize, to: usize) -> Vec<u32> {
        let log = &self.own.log;
        let Path::Over(joins) = log.catalog().path(from, to) else { unreachable!("the check found a path") };
        let target = self.frame(to);
        let frame = self.frame(from);
        if let [0, further @ ..] = &*joins
            && frame.is_by_case()
        {
            // All events of a case lead to the same row, found once.
            let mut places = vec![NO_ROW; frame.rows.len()];
            for (case, events) in frame.segments() {
                let row = Some(log.case_row(case)).filter(|row| *row != NO_ROW);
                let found = row.and_then(|row| further.iter().try_fold(row, |row, join| log.partner(*join, row)));
                places[events].fill(found.map_or(NO_ROW, |row| target.place(row)));
            }
            return places;
        }
        let partner = |row: &u32| {
            let found = joins.iter().try_fold(*row, |row, join| log.partner(*join, row));
            found.map_or(NO_ROW, |row| target.place(row))
        };
        frame.rows.iter().map(partner).collect()
    }

    fn domain_places(&self, from: usize, domain: usize) -> Vec<u32> {
        let keys = &self.own.program.domains[domain].keys;
        let grain = Grain::Table(from);
        let operands: Vec<Operand> = keys.iter().map(|key| self.operand(key, grain)).collect();
        let rows = self.domain(domain);
        let place = |row: usize| {
            let key: Vec<GroupKey> = operands.iter().map(|operand| operand.value(row).into()).collect();
            rows.places.get(&key).copied().unwrap_or(NO_ROW)
        };
        (0..self.length(grain)).map(place).collect()
    }

    /// Lists the combinations of a DOMAIN_TABLE, always of the whole. A
    /// combination with a missing part is none.
    fn domain(&self, domain: usize) -> Arc<DomainRows> {
        if !self.is_whole() {
            return self.everything().domain(domain);
        }
        if let Some(known) = self.own.domains.borrow().get(&domain) {
            return known.clone();
        }
        let described = &self.own.program.domains[domain];
        let grain = Grain::Table(described.source);
        let operands: Vec<Operand> = described.keys.iter().map(|key| self.operand(key, grain)).collect();
        let mut rows = DomainRows { places: HashMap::new(), keys: Vec::new() };
        for row in 0..self.length(grain) {
            let values: Vec<Value> = operands.iter().map(|operand| operand.value(row)).collect();
            if values.contains(&Value::Null) {
                continue;
            }
            let key: Vec<GroupKey> = values.iter().cloned().map(GroupKey::from).collect();
            if let std::collections::hash_map::Entry::Vacant(entry) = rows.places.entry(key) {
                entry.insert(rows.keys.len() as u32);
                rows.keys.push(values);
            }
        }
        let rows = Arc::new(rows);
        self.own.domains.borrow_mut().insert(domain, rows.clone());
        rows
    }

    /// Evaluates a node and brings it to a grain.
    pub(crate) fn operand(&self, node: &Node, at: Grain) -> Operand {
        Operand { vector: self.vector(node), places: self.places(at, node.grain) }
    }

    /// Evaluates a node on its own grain.
    pub(crate) fn vector(&self, node: &Node) -> Arc<Vector> {
        let costly = matches!(node.op, Op::PullUp(_) | Op::Process(_));
        if !costly {
            return Arc::new(self.compute(node));
        }
        if let Some((known, _)) = self.own.kept.borrow().get(&node.id) {
            return known.clone();
        }
        let vector = Arc::new(self.compute(node));
        self.own.kept.borrow_mut().insert(node.id, (vector.clone(), node.is_clocked()));
        vector
    }

    fn compute(&self, node: &Node) -> Vector {
        let length = || self.length(node.grain);
        let operand = |child: &Node| self.operand(child, node.grain);
        match &node.op {
            Op::Column { table, column } => self.column(*table, *column),
            Op::Constant(value) => Vector::of(type_of(node), [value.clone()]),
            Op::Now => Vector::dates(vec![Some(self.own.now.get())]),
            Op::ClockPart(part) => self.clock_part(*part),
            Op::Bind(value) => (*operand(value).spread(length())).clone(),
            Op::PullUp(pull_up) => self.pull_up(node, pull_up),
            Op::Process(process) => process::compute(self, process, type_of(node), node.grain),
            Op::Aggregate(_) | Op::Dimension(_) => unreachable!("groups are evaluated by the query"),
            _ => scalar::rowwise(node, &operand, length()),
        }
    }

    fn column(&self, table: usize, column: usize) -> Vector {
        let frame = self.frame(table);
        Vector::of_column(self.own.log.table(table).column(column), &frame.rows, frame.is_start)
    }

    fn clock_part(&self, part: ClockPart) -> Vector {
        let now = self.own.now.get();
        let [day, hour, minute] = [Unit::Days, Unit::Hours, Unit::Minutes].map(|unit| unit.millis() as i64);
        match part {
            ClockPart::Today => Vector::dates(vec![Some(now.div_euclid(day) * day)]),
            ClockPart::Hour => Vector::ints(vec![Some(now.rem_euclid(day) / hour)]),
            ClockPart::Minute => Vector::ints(vec![Some(now.rem_euclid(hour) / minute)]),
        }
    }

    fn pull_up(&self, node: &Node, pull_up: &PullUp) -> Vector {
        if !self.is_whole() && !self.own.program.is_in_case(node.grain) {
            let vector = self.everything().vector(node);
            return match node.grain {
                Grain::Table(table) => {
                    let all = self.everything().frame(table);
                    let places: Vec<u32> = self.frame(table).rows.iter().map(|row| all.place(*row)).collect();
                    vector.gather(&places)
                }
                _ => (*vector).clone(),
            };
        }
        let from = pull_up.from;
        let value = self.operand(&pull_up.value, from);
        let filter = pull_up.filter.as_ref().map(|filter| self.operand(filter, from));
        let places = self.places(from, node.grain);
        let target = |row: usize| match &places {
            Places::Same => row as u32,
            Places::First => 0,
            Places::Listed(places) => places[row],
        };
        let length = self.length(from);
        let mut rows: Vec<usize> = (0..length).collect();
        let keys: Vec<_> =
            pull_up.order.iter().map(|(key, descending)| (self.operand(key, from), *descending)).collect();
        if !keys.is_empty() {
            rows.sort_by(|one, other| scalar::by_keys(&keys, *one, *other));
        }
        let counts = |row: usize| filter.as_ref().is_none_or(|filter| filter.truth(row) == Some(true));
        let members: Vec<(usize, u32)> = rows
            .into_iter()
            .filter(|row| counts(*row))
            .map(|row| (row, target(row)))
            .filter(|(_, place)| *place != NO_ROW)
            .collect();
        let groups = Groups { members: &members, count: self.length(node.grain) };
        aggregate(pull_up.aggregation, type_of(node), &value, &groups)
    }

    /// Tells for each row of the target whether it satisfies all conditions.
    pub(crate) fn selected<'s>(
        &self,
        target: Grain,
        conditions: impl IntoIterator<Item = &'s (Node, Way)>,
    ) -> Vec<bool> {
        let length = self.length(target);
        let mut selected = vec![true; length];
        // Conditions on one table are joined before they travel, so that one
        // and the same row has to satisfy them all.
        let mut by_home: Vec<((Grain, Way), Vec<&Node>)> = Vec::new();
        for (condition, way) in conditions {
            let home = (condition.grain, *way);
            match by_home.iter_mut().find(|(known, _)| *known == home) {
                Some((_, together)) => together.push(condition),
                None => by_home.push((home, vec![condition])),
            }
        }
        for ((grain, way), together) in by_home {
            for (row, keep) in self.brought(target, grain, way, &together).into_iter().enumerate() {
                selected[row] &= keep;
            }
        }
        selected
    }

    fn brought(&self, target: Grain, grain: Grain, way: Way, together: &[&Node]) -> Vec<bool> {
        let length = self.length(target);
        let meeting = match way {
            Way::Down => {
                let operands: Vec<Operand> = together.iter().map(|node| self.operand(node, target)).collect();
                return (0..length)
                    .map(|row| operands.iter().all(|operand| operand.truth(row) == Some(true)))
                    .collect();
            }
            Way::Up => target,
            Way::Over(table) => Grain::Table(table),
        };
        let program = &self.own.program;
        let stays_in_case = program.is_in_case(grain) && program.is_in_case(meeting);
        if !self.is_whole() && !stays_in_case {
            let all = self.everything().brought(target, grain, way, together);
            let Grain::Table(table) = target else { return all };
            let frame = self.everything().frame(table);
            return self.frame(table).rows.iter().map(|row| all[frame.place(*row) as usize]).collect();
        }
        let vectors: Vec<Arc<Vector>> = together.iter().map(|node| self.vector(node)).collect();
        let holds = |row: usize| vectors.iter().all(|vector| vector.truth(row) == Some(true));
        let mut met = vec![false; self.length(meeting)];
        let up = self.places(grain, meeting);
        for row in (0..self.length(grain)).filter(|row| holds(*row)) {
            match &up {
                Places::Same => met[row] = true,
                Places::First => met[0] = true,
                Places::Listed(places) if places[row] != NO_ROW => met[places[row] as usize] = true,
                Places::Listed(_) => {}
            }
        }
        match self.places(target, meeting) {
            Places::Same => met,
            Places::First => vec![met[0]; length],
            Places::Listed(places) => places.iter().map(|place| *place != NO_ROW && met[*place as usize]).collect(),
        }
    }

    /// Returns the cases (or all, as `None`) whose answer may change with time,
    /// each with the next instant after `now`.
    ///
    /// Only rows are asked that satisfy the conditions that do not look at the
    /// clock: the others change with the next commit at the earliest.
    pub(crate) fn next_changes(
        &self,
        selection: &Selection,
        clock: &ClockUse,
        now: i64,
    ) -> (HashMap<u32, i64>, Option<i64>) {
        let mut by_case = HashMap::new();
        let mut all: Option<i64> = None;
        let case_table = self.own.log.catalog().roles.case_table;
        let steady = selection.conditions.iter().filter(|(condition, _)| !condition.is_clocked());
        let asked = self.selected(selection.target, steady);
        if !asked.contains(&true) {
            return (by_case, all);
        }
        let in_case = self.own.program.is_in_case(selection.target);
        let cases_of_target = self.cases_of(selection.target, case_table);
        let asked_cases: std::collections::HashSet<u32> =
            asked.iter().zip(&cases_of_target).filter(|(asked, _)| **asked).map(|(_, case)| *case).collect();
        for (comparison, slope) in &clock.comparisons {
            let Op::Compare(_, left, right) = &comparison.op else { continue };
            let grain = comparison.grain;
            let (left, right) = (self.operand(left, grain), self.operand(right, grain));
            let per_case = in_case && self.own.program.is_in_case(grain);
            let cases = if per_case { self.cases_of(grain, case_table) } else { vec![NO_ROW; self.length(grain)] };
            for (row, case) in cases.into_iter().enumerate() {
                let (Some(left), Some(right)) = (left.float(row), right.float(row)) else { continue };
                let Some(change) = next_change(left - right, *slope, now) else { continue };
                if !per_case {
                    all = Some(all.map_or(change, |known| known.min(change)));
                } else if asked_cases.contains(&case) {
                    by_case.entry(case).and_modify(|known: &mut i64| *known = change.min(*known)).or_insert(change);
                }
            }
        }
        (by_case, all)
    }

    /// Returns the case of each row of a grain, or [`NO_ROW`].
    pub(crate) fn cases_of(&self, grain: Grain, case_table: usize) -> Vec<u32> {
        let log = &self.own.log;
        let Grain::Table(table) = grain else { return vec![NO_ROW; self.length(grain)] };
        let frame = self.frame(table);
        if table == log.catalog().roles.activity_table && frame.is_by_case() {
            let mut cases = vec![NO_ROW; frame.rows.len()];
            frame.segments().for_each(|(case, events)| cases[events].fill(case));
            return cases;
        }
        if table == case_table || table == log.catalog().roles.activity_table {
            return frame.rows.iter().map(|row| log.case_of(table, *row).unwrap_or(NO_ROW)).collect();
        }
        if !self.own.program.is_in_case(grain) {
            return vec![NO_ROW; frame.rows.len()];
        }
        let Path::Over(joins) = log.catalog().path(table, case_table) else { return vec![NO_ROW; frame.rows.len()] };
        let case = |row: &u32| {
            let row = joins.iter().try_fold(*row, |row, join| log.partner(*join, row))?;
            log.case_of(case_table, row)
        };
        frame.rows.iter().map(|row| case(row).unwrap_or(NO_ROW)).collect()
    }

    /// Evaluates a node on groups: its aggregates and keys are at hand.
    pub(crate) fn on_groups(
        &self,
        node: &Node,
        keys: &[Arc<Vector>],
        aggregates: &[Arc<Vector>],
        count: usize,
    ) -> Arc<Vector> {
        let operand = |child: &Node| {
            let vector = self.on_groups(child, keys, aggregates, count);
            let places = if child.grain == Grain::Group { Places::Same } else { Places::First };
            Operand { vector, places }
        };
        if node.grain != Grain::Group {
            return self.vector(node);
        }
        match &node.op {
            Op::Aggregate(place) => aggregates[*place].clone(),
            Op::Dimension(place) => keys[*place].clone(),
            _ => Arc::new(scalar::rowwise(node, &operand, count)),
        }
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.own.log
    }
}
