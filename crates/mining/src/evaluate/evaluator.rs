//! From nodes to vectors.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;

use super::aggregation::{Groups, aggregate};
use super::frame::{Frame, is_linked};
use super::given::{Given, Group};
use super::keys::group;
use super::moving::Moving;
use super::process::EdgeRows;
use super::reads::stays_in_case;
use super::vector::{GroupKey, Operand, Places, Vector};
use super::worked::{self, Calendars};
use super::{lookup, process, query, scalar, window};
use crate::dates;
use crate::log::{EventLog, NO_ROW};
use crate::pql::catalog::Path;
use crate::pql::check::type_of;
use crate::pql::deadline::{Course, next_change};
use crate::pql::plan::{ClockPart, Grain, Node, Op, Program, PullUp, Selection, Way, Window, Worked, Yield};
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
    edges: RefCell<Option<Arc<EdgeRows>>>,
    /// Costly nodes; those that look at the clock are marked.
    kept: RefCell<HashMap<u32, (Arc<Vector>, bool)>>,
    /// The moving aggregates of the query, once its rows have their order.
    moving: RefCell<Vec<Arc<Vector>>>,
    /// Working calendars by the node that goes by them.
    calendars: RefCell<HashMap<u32, Arc<Calendars>>>,
}

/// From one grain to another: per value the place of its partner.
type Lifts = HashMap<(Grain, Grain), Arc<Vec<u32>>>;

enum Scope {
    Whole,
    Cases(Vec<u32>),
    /// These rows of a table, with their 1-side partners; what stands below
    /// them has to be given.
    Rows(usize, Vec<u32>),
    /// These combinations of a DOMAIN_TABLE; what stands below has to be given.
    Combinations(usize, Vec<Vec<Value>>),
}

/// The combinations of a DOMAIN_TABLE.
struct DomainRows {
    /// Per row of the source its combination, or [`NO_ROW`]; nothing where the
    /// combinations were named from outside.
    of_source: Option<Vec<u32>>,
    /// How many there are.
    count: usize,
    /// The first row of each combination.
    firsts: Vec<u32>,
    /// What each is, made when somebody asks.
    keys: OnceLock<Arc<Vec<Vec<Value>>>>,
    /// Made when rows of touched cases have to find their combinations.
    places: OnceLock<HashMap<Vec<GroupKey>, u32>>,
}

impl DomainRows {
    /// Returns the place of a combination, once they can be found by key.
    fn place(&self, key: &[Value]) -> u32 {
        let key: Vec<GroupKey> = key.iter().cloned().map(GroupKey::from).collect();
        self.places.get().and_then(|places| places.get(&key)).copied().unwrap_or(NO_ROW)
    }
}

/// Evaluates for some cases, with the whole at hand for what depends on more.
pub(crate) struct InScope<'a> {
    own: &'a Evaluator,
    whole: &'a Evaluator,
    /// Shared figures that are kept elsewhere.
    given: Option<&'a dyn Given>,
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
            edges: RefCell::default(),
            kept: RefCell::default(),
            moving: RefCell::default(),
            calendars: RefCell::default(),
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
        self.edges.take();
        self.kept.take();
    }

    /// Evaluates over everything.
    pub(crate) fn everything<T>(&self, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        run(&InScope { own: self, whole: self, given: None })
    }

    /// Evaluates over everything, with figures that are kept elsewhere. What was
    /// kept of them before is forgotten.
    pub(crate) fn everything_given<T>(&self, given: &dyn Given, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        let own = Evaluator::with_scope(self.log.clone(), self.program.clone(), self.now.get(), Scope::Whole);
        run(&InScope { own: &own, whole: &own, given: Some(given) })
    }

    /// Evaluates over some cases at an instant.
    pub(crate) fn cases<T>(
        &self,
        cases: &[u32],
        now: i64,
        given: Option<&dyn Given>,
        run: impl FnOnce(&InScope<'_>) -> T,
    ) -> T {
        self.scoped(Scope::Cases(cases.to_vec()), now, given, run)
    }

    /// Evaluates over some rows of a table that is not below the case.
    pub(crate) fn rows<T>(
        &self,
        table: usize,
        rows: &[u32],
        now: i64,
        given: Option<&dyn Given>,
        run: impl FnOnce(&InScope<'_>) -> T,
    ) -> T {
        self.scoped(Scope::Rows(table, rows.to_vec()), now, given, run)
    }

    /// Evaluates over some combinations of a DOMAIN_TABLE.
    pub(crate) fn combinations<T>(
        &self,
        domain: usize,
        keys: Vec<Vec<Value>>,
        given: &dyn Given,
        run: impl FnOnce(&InScope<'_>) -> T,
    ) -> T {
        self.scoped(Scope::Combinations(domain, keys), 0, Some(given), run)
    }

    fn scoped<T>(&self, scope: Scope, now: i64, given: Option<&dyn Given>, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        let own = Evaluator::with_scope(self.log.clone(), self.program.clone(), now, scope);
        run(&InScope { own: &own, whole: self, given })
    }
}

impl<'a> InScope<'a> {
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.own.scope, Scope::Whole)
    }

    pub(super) fn everything(&self) -> InScope<'a> {
        InScope { own: self.whole, whole: self.whole, given: None }
    }

    /// Returns how many values an expression of a grain has.
    pub(crate) fn length(&self, grain: Grain) -> usize {
        match grain {
            Grain::Constant | Grain::Group => 1,
            Grain::Table(table) => self.frame(table).rows.len(),
            Grain::Domain(domain) => self.domain(domain).count,
            Grain::Edges => self.edges().cases.len(),
        }
    }

    /// Returns the pairs that SOURCE and TARGET make of the events in scope.
    pub(crate) fn edges(&self) -> Arc<EdgeRows> {
        if let Some(edges) = &*self.own.edges.borrow() {
            return edges.clone();
        }
        let described = self.own.program.edges.as_ref().expect("the check noted the pairs of SOURCE and TARGET");
        let edges = Arc::new(EdgeRows::of(self, described));
        *self.own.edges.borrow_mut() = Some(edges.clone());
        edges
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
            Scope::Rows(own, rows) => return Frame::above(log, *own, rows, table),
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
            (Grain::Table(_) | Grain::Edges, _) => {
                if let Some(known) = self.own.lifts.borrow().get(&(from, to)) {
                    return Places::Listed(known.clone());
                }
                let listed = Arc::new(match to {
                    Grain::Domain(domain) => self.domain_places(from, domain),
                    Grain::Table(table) => match from {
                        Grain::Table(from) => self.partner_places(from, table),
                        _ => self.places_of_edges(table),
                    },
                    Grain::Constant | Grain::Group | Grain::Edges => unreachable!("handled above, or never lifted"),
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

    /// Tells for each pair of events where the partner of its case stands.
    fn places_of_edges(&self, to: usize) -> Vec<u32> {
        let log = &self.own.log;
        let case_table = log.catalog().roles.case_table;
        let Path::Over(joins) = log.catalog().path(case_table, to) else { unreachable!("the check found a path") };
        let target = self.frame(to);
        let partner = |case: &u32| {
            let row = Some(log.case(*case).row).filter(|row| *row != NO_ROW)?;
            joins.iter().try_fold(row, |row, join| log.partner(*join, row))
        };
        self.edges().cases.iter().map(|case| partner(case).map_or(NO_ROW, |row| target.place(row))).collect()
    }

    /// Tells for each row or pair in scope where it stands in the whole.
    fn places_in_whole(&self, grain: Grain) -> Option<Vec<u32>> {
        match grain {
            Grain::Table(table) => {
                let all = self.everything().frame(table);
                Some(self.frame(table).rows.iter().map(|row| all.place(*row)).collect())
            }
            Grain::Edges => {
                let all = self.everything().edges().of_case();
                let mut places = Vec::new();
                for (case, own) in self.edges().of_case() {
                    places.extend(own.zip(all.get(&case).cloned().unwrap_or_default()));
                }
                places.sort_unstable();
                Some(places.into_iter().map(|(_, place)| place as u32).collect())
            }
            Grain::Constant | Grain::Domain(_) | Grain::Group => None,
        }
    }

    fn domain_places(&self, grain: Grain, domain: usize) -> Vec<u32> {
        let rows = self.domain(domain);
        let described = &self.own.program.domains[domain];
        if let (true, Some(of_source)) = (self.has_own_domains(), &rows.of_source) {
            return match self.places(grain, described.source) {
                Places::Listed(places) => {
                    let place = |place: &u32| if *place == NO_ROW { NO_ROW } else { of_source[*place as usize] };
                    places.iter().map(place).collect()
                }
                _ => of_source.clone(),
            };
        }
        let known = self.found_by_key(domain);
        let operands: Vec<Operand> = described.keys.iter().map(|key| self.operand(key, grain)).collect();
        let place = |row: usize| {
            let key: Vec<Value> = operands.iter().map(|operand| operand.value(row)).collect();
            known.place(&key)
        };
        (0..self.length(grain)).map(place).collect()
    }

    /// Tells whether the combinations of a DOMAIN_TABLE are those of what is in
    /// scope rather than of the whole.
    fn has_own_domains(&self) -> bool {
        self.is_whole() || self.given.is_some()
    }

    /// Returns what the combinations of a DOMAIN_TABLE are.
    fn domain_keys(&self, domain: usize) -> Arc<Vec<Vec<Value>>> {
        let rows = self.domain(domain);
        let made = rows.keys.get_or_init(|| {
            let home = if self.has_own_domains() { self } else { &self.everything() };
            let described = &self.own.program.domains[domain];
            let operands: Vec<Operand> = described.keys.iter().map(|key| home.operand(key, described.source)).collect();
            let key = |row: &u32| operands.iter().map(|operand| operand.value(*row as usize)).collect();
            Arc::new(rows.firsts.iter().map(key).collect())
        });
        made.clone()
    }

    /// Returns the combinations of a DOMAIN_TABLE, to be found by their keys.
    fn found_by_key(&self, domain: usize) -> Arc<DomainRows> {
        let rows = self.domain(domain);
        rows.places.get_or_init(|| {
            let keys = self.domain_keys(domain);
            let key = |key: &Vec<Value>| key.iter().cloned().map(GroupKey::from).collect();
            keys.iter().enumerate().map(|(place, values)| (key(values), place as u32)).collect()
        });
        rows
    }

    /// Lists the combinations of a DOMAIN_TABLE, always of the whole. A
    /// combination with a missing part is none.
    ///
    /// Where figures are given, only the combinations in scope are listed: the
    /// figures of others are not asked for.
    fn domain(&self, domain: usize) -> Arc<DomainRows> {
        if !self.is_whole() && self.given.is_none() {
            return self.everything().domain(domain);
        }
        if let Some(known) = self.own.domains.borrow().get(&domain) {
            return known.clone();
        }
        if let Scope::Combinations(own, keys) = &self.own.scope
            && *own == domain
        {
            let rows = Arc::new(DomainRows {
                of_source: None,
                count: keys.len(),
                firsts: Vec::new(),
                keys: OnceLock::from(Arc::new(keys.clone())),
                places: OnceLock::new(),
            });
            self.own.domains.borrow_mut().insert(domain, rows.clone());
            return rows;
        }
        let described = &self.own.program.domains[domain];
        let grain = described.source;
        let operands: Vec<Operand> = described.keys.iter().map(|key| self.operand(key, grain)).collect();
        let all: Vec<u32> = (0..self.length(grain) as u32).collect();
        let grouped = group(&all, &operands);
        let mut firsts = Vec::new();
        let mut numbers = Vec::with_capacity(grouped.firsts.len());
        for row in grouped.firsts {
            let is_whole = operands.iter().all(|operand| !operand.is_null(row as usize));
            numbers.push(if is_whole { firsts.len() as u32 } else { NO_ROW });
            if is_whole {
                firsts.push(row);
            }
        }
        let of_source = grouped.groups.iter().map(|group| numbers[*group as usize]).collect();
        let rows = Arc::new(DomainRows {
            of_source: Some(of_source),
            count: firsts.len(),
            firsts,
            keys: OnceLock::new(),
            places: OnceLock::new(),
        });
        self.own.domains.borrow_mut().insert(domain, rows.clone());
        rows
    }

    /// Evaluates a node and brings it to a grain.
    pub(crate) fn operand(&self, node: &Node, at: Grain) -> Operand {
        Operand { vector: self.vector(node), places: self.places(at, node.grain) }
    }

    /// Evaluates a node on its own grain.
    pub(crate) fn vector(&self, node: &Node) -> Arc<Vector> {
        let costly = matches!(
            node.op,
            Op::PullUp(_)
                | Op::Process(_)
                | Op::Window(_)
                | Op::Lookup(_)
                | Op::FilterToNull(..)
                | Op::BindFilters(_)
                | Op::Global(_)
        );
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
            Op::ClockPart(part) => self.clock_part(*part, &TimeZone::UTC),
            Op::ZonedClock(part, zone) => self.clock_part(*part, zone),
            Op::Worked(worked) => worked::compute(&self.calendars(node.id, worked), worked, &operand, length()),
            Op::Bind(value) => (*operand(value).spread(length())).clone(),
            Op::PullUp(pull_up) => self.pull_up(node, pull_up),
            Op::Process(process) => {
                process::compute(self, process, type_of(node), node.yields == Yield::Truth, node.grain)
            }
            Op::Window(described) if !self.sees_all_around(described, node.grain) => self.of_everything(node),
            Op::Window(described) => window::window(self, described, type_of(node), node.grain),
            Op::Lookup(described) => lookup::lookup(self, node, described),
            Op::FilterToNull(value, conditions) => {
                let kept = self.selected(node.grain, conditions);
                let value = operand(value);
                let place = |row: usize| value.place(row).filter(|_| kept[row]).map_or(NO_ROW, |place| place as u32);
                let places: Vec<u32> = (0..kept.len()).map(place).collect();
                value.vector.gather(&places)
            }
            Op::BindFilters(conditions) => {
                let mut holds = vec![true; length()];
                // One by one: each of them may hold for another row below.
                for condition in conditions {
                    let one = self.selected(node.grain, [condition]);
                    holds.iter_mut().zip(one).for_each(|(holds, one)| *holds &= one);
                }
                Vector::truths(holds.into_iter().map(Some))
            }
            Op::Global(global) => query::global(&self.everything(), global),
            Op::Moving(place) => (*self.moving(*place)).clone(),
            Op::Aggregate(_) | Op::Dimension(_) => unreachable!("groups are evaluated by the query"),
            _ => scalar::rowwise(node, &operand, length()),
        }
    }

    fn column(&self, table: usize, column: usize) -> Vector {
        let frame = self.frame(table);
        Vector::of_column(self.own.log.table(table).column(column), &frame.rows, frame.is_start)
    }

    fn clock_part(&self, part: ClockPart, zone: &TimeZone) -> Vector {
        let shown = dates::clock(part, zone, self.own.now.get());
        if part == ClockPart::Today { Vector::dates(vec![shown]) } else { Vector::ints(vec![shown]) }
    }

    /// Returns the calendars that a node goes by, always those of the whole.
    pub(crate) fn calendars(&self, node: u32, worked: &Worked) -> Arc<Calendars> {
        if let Some(given) = self.given.and_then(|given| given.calendars(node)) {
            return given;
        }
        if let Some(known) = self.whole.calendars.borrow().get(&node) {
            return known.clone();
        }
        let calendars = Arc::new(Calendars::new(&self.everything(), &worked.calendar));
        self.whole.calendars.borrow_mut().insert(node, calendars.clone());
        calendars
    }

    /// Returns the shared figures that are kept elsewhere, if there are any.
    pub(super) fn given(&self) -> Option<&'a dyn Given> {
        self.given
    }

    /// Tells whether all rows that a window looks at are in scope with its own.
    fn sees_all_around(&self, window: &Window, grain: Grain) -> bool {
        match self.own.scope {
            Scope::Whole => true,
            Scope::Cases(_) => stays_in_case(self.program(), window, grain),
            Scope::Rows(..) | Scope::Combinations(..) => false,
        }
    }

    /// Evaluates a node over everything and picks the rows in scope.
    fn of_everything(&self, node: &Node) -> Vector {
        let vector = self.everything().vector(node);
        match self.places_in_whole(node.grain) {
            Some(places) => vector.gather(&places),
            None => (*vector).clone(),
        }
    }

    fn pull_up(&self, node: &Node, pull_up: &PullUp) -> Vector {
        if let Some(given) = self.given.filter(|given| given.keeps(node.id)) {
            let groups = self.groups(node.grain);
            return Vector::of(type_of(node), groups.iter().map(|group| given.value(node.id, group)));
        }
        if !self.is_whole() && !self.own.program.is_in_case(node.grain) {
            if let (Grain::Domain(domain), true) = (node.grain, self.given.is_some()) {
                let vector = self.everything().vector(node);
                let all = self.everything().found_by_key(domain);
                let keys = self.domain_keys(domain);
                return vector.gather(&keys.iter().map(|key| all.place(key)).collect::<Vec<_>>());
            }
            return self.of_everything(node);
        }
        let from = pull_up.from;
        let value = self.operand(&pull_up.value, from);
        let filter = pull_up.filter.as_ref().map(|filter| self.operand(filter, from));
        let places = self.places(from, node.grain);
        let target = |row: u32| match &places {
            Places::Same => row,
            Places::First => 0,
            Places::Listed(places) => places[row as usize],
        };
        let counts = |row: u32| filter.as_ref().is_none_or(|filter| filter.truth(row as usize) == Some(true));
        let mut rows: Vec<u32> =
            (0..self.length(from) as u32).filter(|row| counts(*row) && target(*row) != NO_ROW).collect();
        self.put_in_order(&mut rows, &pull_up.order, from);
        let groups: Vec<u32> = rows.iter().map(|row| target(*row)).collect();
        let groups = Groups { rows: &rows, group_of: &groups, count: self.length(node.grain) };
        aggregate(pull_up.aggregation, type_of(node), &value, &pull_up.delimiter, groups)
    }

    /// Sorts rows of a grain by keys; equal ones stay as they were.
    pub(super) fn put_in_order(&self, rows: &mut [u32], order: &[(Node, bool)], grain: Grain) {
        if order.is_empty() {
            return;
        }
        let keys: Vec<(Operand, bool)> =
            order.iter().map(|(key, descending)| (self.operand(key, grain), *descending)).collect();
        rows.sort_by(|one, other| scalar::by_keys(&keys, *one as usize, *other as usize));
    }

    /// Returns a moving aggregate of the query.
    fn moving(&self, place: usize) -> Arc<Vector> {
        self.own.moving.borrow()[place].clone()
    }

    /// Keeps the moving aggregates of the query, for those who refer to them.
    pub(super) fn set_moving(&self, vectors: Vec<Arc<Vector>>) {
        *self.own.moving.borrow_mut() = vectors;
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
            let Some(places) = self.places_in_whole(target) else { return all };
            return places.into_iter().map(|place| all[place as usize]).collect();
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
        comparisons: &[(Node, Course)],
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
        for (comparison, course) in comparisons {
            let Op::Compare(_, left, right) = &comparison.op else { continue };
            let grain = comparison.grain;
            let next: Box<dyn Fn(usize) -> Option<i64>> = match course {
                Course::Linear(slope) => {
                    let (left, right) = (self.operand(left, grain), self.operand(right, grain));
                    Box::new(move |row| next_change(left.float(row)? - right.float(row)?, *slope, now))
                }
                Course::Monotone => {
                    let moving = Moving::new(self, comparison);
                    Box::new(move |row| moving.next_change(row, now))
                }
            };
            let per_case = in_case && self.own.program.is_in_case(grain);
            let cases = if per_case { self.cases_of(grain, case_table) } else { vec![NO_ROW; self.length(grain)] };
            for (row, case) in cases.into_iter().enumerate() {
                let Some(change) = next(row) else { continue };
                if !per_case {
                    all = Some(all.map_or(change, |known| known.min(change)));
                } else if asked_cases.contains(&case) {
                    by_case.entry(case).and_modify(|known: &mut i64| *known = change.min(*known)).or_insert(change);
                }
            }
        }
        (by_case, all)
    }

    /// Names what stands at each place of a grain, the same on every root.
    pub(crate) fn groups(&self, grain: Grain) -> Vec<Group> {
        match grain {
            Grain::Constant | Grain::Group => vec![Group::All],
            Grain::Table(table) => self.frame(table).rows.iter().map(|row| Group::Row(*row)).collect(),
            Grain::Domain(domain) => self.domain_keys(domain).iter().map(|key| Group::key(key)).collect(),
            Grain::Edges => unreachable!("pairs belong to one case, and no figure of several has a value for them"),
        }
    }

    /// Returns what all nodes share.
    pub(crate) fn program(&self) -> &Program {
        &self.own.program
    }

    /// Returns the case of each row of a grain, or [`NO_ROW`].
    pub(crate) fn cases_of(&self, grain: Grain, case_table: usize) -> Vec<u32> {
        let log = &self.own.log;
        if grain == Grain::Edges {
            return self.edges().cases.clone();
        }
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
            Op::Moving(place) => self.moving(*place),
            Op::Worked(worked) => Arc::new(worked::compute(&self.calendars(node.id, worked), worked, &operand, count)),
            _ => Arc::new(scalar::rowwise(node, &operand, count)),
        }
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.own.log
    }
}
