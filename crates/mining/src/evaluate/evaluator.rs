//! From nodes to vectors.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::domains::DomainRows;
use super::given::Given;
use super::operand::{Operand, Places};
use super::process::EdgeRows;
use super::reads::stays_in_case;
use super::sight::Sight;
use super::vector::Vector;
use super::worked::{self, Calendars};
use super::{lookup, process, query, scalar, window};
use crate::dates;
use crate::log::{EventLog, NO_ROW};
use crate::pql::check::type_of;
use crate::pql::plan::{ClockPart, Grain, Node, Op, Program, Window, Worked, Yield};
use crate::value::Value;

/// Evaluates nodes of one program on one root.
pub struct Evaluator {
    pub(super) log: Arc<EventLog>,
    pub(super) program: Arc<Program>,
    pub(super) scope: Scope,
    now: Cell<i64>,
    /// Rows in scope, and where their partners stand.
    pub(super) sight: Arc<Sight>,
    /// Where the partners of what the program makes itself stand.
    pub(super) lifts: RefCell<Lifts>,
    pub(super) domains: RefCell<HashMap<usize, Arc<DomainRows>>>,
    pub(super) edges: RefCell<Option<Arc<EdgeRows>>>,
    /// Costly nodes; those that look at the clock are marked.
    kept: RefCell<HashMap<u32, (Arc<Vector>, bool)>>,
    /// The moving aggregates of the query, once its rows have their order.
    moving: RefCell<Vec<Arc<Vector>>>,
    /// Working calendars by the node that goes by them.
    calendars: RefCell<HashMap<u32, Arc<Calendars>>>,
}

/// From one grain to another: per value the place of its partner.
type Lifts = HashMap<(Grain, Grain), Arc<Vec<u32>>>;

/// What is looked at.
pub(super) enum Scope {
    Whole,
    Cases(Vec<u32>),
    /// These rows of a table, with their 1-side partners; what stands below
    /// them has to be given.
    Rows(usize, Vec<u32>),
    /// These combinations of a DOMAIN_TABLE; what stands below has to be given.
    Combinations(usize, Vec<Vec<Value>>),
}

/// Evaluates for some cases, with the whole at hand for what depends on more.
pub(crate) struct InScope<'a> {
    pub(super) own: &'a Evaluator,
    whole: &'a Evaluator,
    /// Shared figures that are kept elsewhere.
    pub(super) given: Option<&'a dyn Given>,
}

impl Evaluator {
    /// Stands on a root at an instant, for all rows.
    pub fn new(log: Arc<EventLog>, program: Arc<Program>, now: i64) -> Self {
        Evaluator::with_scope(log, program, now, Scope::Whole, Arc::default())
    }

    fn with_scope(log: Arc<EventLog>, program: Arc<Program>, now: i64, scope: Scope, sight: Arc<Sight>) -> Self {
        Evaluator {
            log,
            program,
            scope,
            now: Cell::new(now),
            sight,
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
        self.sight.forget();
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
        let (log, program) = (self.log.clone(), self.program.clone());
        let own = Evaluator::with_scope(log, program, self.now.get(), Scope::Whole, Arc::default());
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
        let sight = match (&scope, given) {
            (Scope::Cases(cases), Some(given)) => given.sight(&self.log, cases),
            _ => None,
        };
        let (log, program) = (self.log.clone(), self.program.clone());
        let own = Evaluator::with_scope(log, program, now, scope, sight.unwrap_or_default());
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
        Vector::of_column(self.own.log.table(table).column(column), &frame.rows)
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
    pub(super) fn of_everything(&self, node: &Node) -> Vector {
        let vector = self.everything().vector(node);
        match self.places_in_whole(node.grain) {
            Some(places) => vector.gather(&places),
            None => (*vector).clone(),
        }
    }

    /// Returns a moving aggregate of the query.
    fn moving(&self, place: usize) -> Arc<Vector> {
        self.own.moving.borrow()[place].clone()
    }

    /// Keeps the moving aggregates of the query, for those who refer to them.
    pub(super) fn set_moving(&self, vectors: Vec<Arc<Vector>>) {
        *self.own.moving.borrow_mut() = vectors;
    }

    /// Returns what all nodes share.
    pub(crate) fn program(&self) -> &Program {
        &self.own.program
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
