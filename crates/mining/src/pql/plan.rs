//! A text that was checked: names are places, every expression has a type and
//! a table it stands on.
//!
//! *Grain* is the word for what an expression has one value per: row of a
//! table, distinct combination of a DOMAIN_TABLE, group of a result, or just
//! one. Values are pulled from the 1-side to the N-side where they meet.

mod functions;
mod calendars;
mod aggregates;
mod processes;

use std::sync::Arc;

use jiff::tz::TimeZone;

pub use aggregates::{Aggregate, Aggregation, Global, Lookup, Moving, PullUp, Reduction, Window, WindowKind};
pub use calendars::{CalendarPlan, CalendarRows, CalendarTable, Work, Worked};
pub use functions::{ClockPart, DatePart, Function, Unit};
pub use processes::{Boundary, Edges, Occurrence, Pairing, Process};

use super::catalog::{Catalog, Path};
use super::syntax::{Comparison, Span};
use crate::value::{Type, Value};

/// What an expression has one value per.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// One value in all.
    Constant,
    /// Row of the table at this place of the catalog.
    Table(usize),
    /// Combination of the DOMAIN_TABLE at this place of the program.
    Domain(usize),
    /// Group of the result.
    Group,
    /// Pair of events of a case, as SOURCE and TARGET make them.
    Edges,
}

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// True, false or unknown; only conditions do.
    Truth,
    /// Values of a type.
    Of(Type),
    /// Nothing but NULL, which fits everywhere.
    Nothing,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique in its program, so that results can be kept.
    pub id: u32,
    /// What it computes.
    pub op: Op,
    /// What it yields.
    pub yields: Yield,
    /// What it has one value per.
    pub grain: Grain,
    /// Where it stands in the text.
    pub span: Span,
}

/// What a node computes.
#[derive(Clone, Debug)]
pub enum Op {
    /// The values of a column.
    Column {
        /// Place in the catalog.
        table: usize,
        /// Place in the table.
        column: usize,
    },
    /// A value from the text.
    Constant(Value),
    /// The instant of the evaluation.
    Now,
    /// The day, hour or minute of the evaluation.
    ClockPart(ClockPart),
    /// The same on the walls of a time zone.
    ZonedClock(ClockPart, TimeZone),
    /// A function of the values of one row and a working calendar.
    Worked(Box<Worked>),
    /// A function of the values of one row.
    Apply(Function, Vec<Node>),
    /// Two values compared.
    Compare(Comparison, Box<Node>, Box<Node>),
    /// Both hold.
    And(Box<Node>, Box<Node>),
    /// At least one holds.
    Or(Box<Node>, Box<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// There is no value.
    IsNull(Box<Node>),
    /// One of several constants.
    In(Box<Node>, Vec<Value>),
    /// A text fits a pattern.
    Like(Box<Node>, Box<Node>),
    /// The value of the first branch whose condition holds; NULL as soon as a
    /// condition cannot be decided.
    Case(Vec<(Node, Node)>, Option<Box<Node>>),
    /// A column brought to another table.
    Bind(Box<Node>),
    /// Values of the N-side, aggregated per row of the grain.
    PullUp(Box<PullUp>),
    /// An operator over the events of a case.
    Process(Box<Process>),
    /// A value that depends on the rows around, in an order.
    Window(Box<Window>),
    /// A value of a table that is not joined, found by equal keys.
    Lookup(Box<Lookup>),
    /// Values of rows that the FILTERs of the query keep, NULL for the others.
    FilterToNull(Box<Node>, Vec<(Node, Way)>),
    /// Conditions brought to the grain one by one, all of which hold.
    BindFilters(Vec<(Node, Way)>),
    /// An aggregate of its own over all that the FILTERs of the query keep.
    Global(Box<Global>),
    /// The moving aggregate at this place of the query.
    Moving(usize),
    /// The aggregate at this place of the query.
    Aggregate(usize),
    /// The group key at this place of the query.
    Dimension(usize),
}

/// A DOMAIN_TABLE.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Whose combinations it holds: rows of a table, or pairs of events.
    pub source: Grain,
    /// The columns, each on `source` or on its 1-side.
    pub keys: Vec<Node>,
    /// As written, so that two equal ones are one.
    pub text: String,
}

/// What all nodes of one check share.
#[derive(Clone, Debug)]
pub struct Program {
    /// Against which it was checked.
    pub catalog: Arc<Catalog>,
    /// Its DOMAIN_TABLEs.
    pub domains: Vec<Domain>,
    /// The pairs of SOURCE and TARGET.
    pub edges: Option<Edges>,
}

impl Program {
    /// Tells whether values of `to` can be brought to `from`: whether `from`
    /// is the same, or on the N-side of it.
    pub fn reaches(&self, from: Grain, to: Grain) -> bool {
        match (from, to) {
            (Grain::Edges, Grain::Edges) => true,
            (Grain::Table(_) | Grain::Edges, Grain::Domain(domain)) => self.reaches(from, self.domains[domain].source),
            // A pair belongs to a case, so it sees what the case sees.
            (Grain::Edges, to) => self.reaches(Grain::Table(self.catalog.roles.case_table), to),
            (_, Grain::Constant) => true,
            (Grain::Table(from), Grain::Table(to)) => matches!(self.catalog.path(from, to), Path::Over(_)),
            (from, to) => from == to,
        }
    }

    /// Tells whether each row of the grain belongs to one case, so that the
    /// rows of a case are all that its values depend on.
    pub fn is_in_case(&self, grain: Grain) -> bool {
        grain == Grain::Edges
            || matches!(grain, Grain::Table(table) if self.reaches(grain, Grain::Table(self.catalog.roles.case_table))
            && matches!(self.catalog.path(table, self.catalog.roles.case_table), Path::Over(_)))
    }

    /// Returns the name of a grain for messages.
    pub fn name(&self, grain: Grain) -> String {
        match grain {
            Grain::Constant => "a constant".to_owned(),
            Grain::Table(table) => format!("table \"{}\"", self.catalog.tables[table].name),
            Grain::Domain(domain) => self.domains[domain].text.clone(),
            Grain::Group => "a group".to_owned(),
            Grain::Edges => "the pairs of SOURCE and TARGET".to_owned(),
        }
    }
}

/// Conditions brought to one table.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The table.
    pub target: Grain,
    /// The conditions, each with its way.
    pub conditions: Vec<(Node, Way)>,
}

/// How a condition comes to the rows that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It stands there, or on the 1-side: a row stays if its partner does.
    Down,
    /// It stands on the N-side: a row stays if at least one of its rows does.
    Up,
    /// Up to this table, and down from there.
    Over(usize),
}

/// A checked query.
#[derive(Clone, Debug)]
pub struct QueryPlan {
    /// Shared by all its nodes.
    pub program: Program,
    /// The common table.
    pub grain: Grain,
    /// Its FILTERs, on the common table.
    pub selection: Selection,
    /// Whether equal rows are shown once.
    pub distinct: bool,
    /// Name and value of each column. In a grouped query they stand on groups.
    pub columns: Vec<(String, Node)>,
    /// Order, largest first if true.
    pub order: Vec<(Node, bool)>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// After so many rows.
    pub offset: u64,
    /// Group keys, on the common table; `None` for a query without aggregates.
    pub groups: Option<Vec<Node>>,
    /// What the groups are reduced to.
    pub aggregates: Vec<Aggregate>,
    /// What is aggregated over the rows of the result, in their order.
    pub moving: Vec<Moving>,
}

impl Node {
    /// Calls `visit` with the node and with each node below it, aggregates'
    /// own excepted.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        self.each_child(|child| child.walk(visit));
    }

    /// Calls `visit` with each node right below.
    pub fn each_child<'a>(&'a self, mut visit: impl FnMut(&'a Node)) {
        match &self.op {
            Op::Column { .. }
            | Op::Constant(_)
            | Op::Now
            | Op::ClockPart(_)
            | Op::ZonedClock(..)
            | Op::Aggregate(_)
            | Op::Dimension(_)
            | Op::Moving(_)
            | Op::Global(_) => {}
            Op::Window(window) => {
                visit(&window.value);
                window.order.iter().for_each(|(key, _)| visit(key));
                window.partition.iter().for_each(visit);
            }
            Op::Lookup(lookup) => {
                visit(&lookup.value);
                for (own, other) in &lookup.keys {
                    visit(own);
                    visit(other);
                }
            }
            Op::FilterToNull(value, conditions) => {
                visit(value);
                for (condition, _) in conditions {
                    visit(condition);
                }
            }
            Op::BindFilters(conditions) => {
                for (condition, _) in conditions {
                    visit(condition);
                }
            }
            Op::Apply(_, arguments) => arguments.iter().for_each(visit),
            Op::Worked(worked) => worked.arguments.iter().chain(&worked.ident).for_each(visit),
            Op::Compare(_, left, right) | Op::And(left, right) | Op::Or(left, right) | Op::Like(left, right) => {
                visit(left);
                visit(right);
            }
            Op::Not(value) | Op::IsNull(value) | Op::In(value, _) | Op::Bind(value) => visit(value),
            Op::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    visit(condition);
                    visit(value);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
            Op::PullUp(pull_up) => {
                visit(&pull_up.value);
                pull_up.filter.iter().for_each(&mut visit);
                pull_up.order.iter().for_each(|(key, _)| visit(key));
            }
            Op::Process(process) => match &**process {
                Process::Neighbour { value, .. }
                | Process::Position { value, .. }
                | Process::Variant { value, .. }
                | Process::Pattern { value, .. }
                | Process::Crop { value, .. }
                | Process::Conformance { value, .. }
                | Process::Conforms { value, .. }
                | Process::Match { value, .. } => visit(value),
                Process::Rework { filter, value } => [filter, value].into_iter().flatten().for_each(visit),
                Process::EdgeEnd { value, filter, .. } => {
                    visit(value);
                    filter.iter().for_each(visit);
                }
                Process::Throughput { time, value, .. } => {
                    visit(time);
                    visit(value);
                }
            },
        }
    }

    /// Tells whether the node itself, not those below, depends on the order
    /// of rows of any case, so that every change may change every value.
    pub fn is_window(&self) -> bool {
        matches!(self.op, Op::Window(_))
    }

    /// Tells whether the node itself, not those below, is a value that rows
    /// of other cases have a part in.
    pub fn is_shared(&self, program: &Program) -> bool {
        match &self.op {
            Op::PullUp(_) => !program.is_in_case(self.grain),
            Op::Window(_) | Op::Lookup(_) => true,
            Op::BindFilters(conditions) => {
                let in_case = |condition: &Node| program.is_in_case(condition.grain);
                !program.is_in_case(self.grain)
                    || conditions.iter().any(|(condition, way)| match way {
                        Way::Down => false,
                        Way::Up => !in_case(condition),
                        Way::Over(table) => !in_case(condition) || !program.is_in_case(Grain::Table(*table)),
                    })
            }
            _ => false,
        }
    }

    /// Tells whether the node itself, not those below, reads the clock.
    pub fn reads_clock(&self) -> bool {
        matches!(self.op, Op::Now | Op::ClockPart(_) | Op::ZonedClock(..))
    }

    /// Tells whether the node itself goes by a calendar that stands in a
    /// table, whose rows belong to no case.
    pub fn reads_calendar(&self) -> bool {
        matches!(&self.op, Op::Worked(worked) if worked.calendar.reads_table())
    }

    /// Tells whether the clock has a part in the value.
    pub fn is_clocked(&self) -> bool {
        let mut clocked = false;
        self.walk(&mut |node| clocked |= node.reads_clock());
        clocked
    }
}
