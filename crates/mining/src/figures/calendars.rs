//! Working calendars that stand in tables, kept from one commit to the next.
//!
//! A calendar is read anew when a row of its table changes, which is seldom and
//! costs that table. Who goes by it is asked again then, and has other timers;
//! nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Tense;
use super::roots::Roots;
use crate::evaluate::{Calendars, Evaluator, Group};
use crate::log::EventLog;
use crate::pql::plan::{CalendarPlan, Grain, Program};

/// The calendars of one plan.
pub(super) struct KeptCalendars {
    program: Arc<Program>,
    plan: CalendarPlan,
    /// Equal plans have equal texts.
    pub(super) text: String,
    tables: BTreeSet<usize>,
    /// On the root before the last commit.
    before: Arc<Calendars>,
    now: Arc<Calendars>,
    /// What the last commit changed.
    pub(super) moved: Moved,
    /// Nobody asks for them any more; they keep their place in the list.
    pub(super) rests: bool,
    /// Reading them failed; whoever goes by them has to ask for them anew.
    pub(super) is_broken: bool,
}

/// Which calendars have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Moved {
    #[default]
    None,
    /// Those of these groups.
    Groups(BTreeSet<Group>),
    /// There are calendars by name where there was one for all, or the other
    /// way round.
    All,
}

impl Moved {
    pub(super) fn is_empty(&self) -> bool {
        *self == Moved::None
    }

    pub(super) fn is_of_all(&self) -> bool {
        *self == Moved::All
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        let groups = if let Moved::Groups(groups) = self { Some(groups) } else { None };
        groups.into_iter().flatten()
    }
}

impl KeptCalendars {
    pub(super) fn new(program: &Arc<Program>, plan: &CalendarPlan, text: String, log: &Arc<EventLog>) -> Self {
        let mut tables = BTreeSet::new();
        collect_tables(plan, &mut tables);
        let now = read(program, plan, log);
        KeptCalendars {
            program: program.clone(),
            plan: plan.clone(),
            text,
            tables,
            before: now.clone(),
            now,
            moved: Moved::None,
            rests: false,
            is_broken: false,
        }
    }

    /// Returns itself, if what it holds can be relied on.
    pub(super) fn whole(&self) -> &Self {
        assert!(!self.is_broken, "a working calendar could not follow a commit");
        self
    }

    /// Returns the calendars on one of two roots.
    pub(super) fn on(&self, tense: Tense) -> &Arc<Calendars> {
        match tense {
            Tense::Before => &self.before,
            Tense::Now => &self.now,
        }
    }

    /// Forgets the calendars, for nobody asks any more.
    pub(super) fn rest(&mut self) {
        self.rests = true;
        self.before = Arc::default();
        self.now = Arc::default();
        self.moved = Moved::None;
    }

    /// Follows a commit.
    pub(super) fn follow(&mut self, roots: &Roots<'_>) {
        self.before = self.now.clone();
        self.moved = Moved::None;
        if self.tables.iter().all(|table| roots.rows(*table).is_empty()) {
            return;
        }
        self.now = read(&self.program, &self.plan, &roots.now);
        self.moved = match self.now.changed_since(&self.before) {
            None => Moved::All,
            Some(names) if names.is_empty() => Moved::None,
            Some(names) => Moved::Groups(names.into_iter().collect()),
        };
    }
}

fn read(program: &Arc<Program>, plan: &CalendarPlan, log: &Arc<EventLog>) -> Arc<Calendars> {
    let evaluator = Evaluator::new(log.clone(), program.clone(), 0);
    Arc::new(evaluator.everything(|scope| Calendars::new(scope, plan)))
}

fn collect_tables(plan: &CalendarPlan, tables: &mut BTreeSet<usize>) {
    match plan {
        CalendarPlan::Known(_) => {}
        CalendarPlan::Table(table) => {
            let Grain::Table(place) = table.grain else { unreachable!("only tables hold calendars that are kept") };
            tables.insert(place);
        }
        CalendarPlan::Intersect(one, other) => {
            collect_tables(one, tables);
            collect_tables(other, tables);
        }
    }
}
