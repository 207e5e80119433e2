//! Watching a trigger: who matches, who starts to, who stops, and when time
//! alone will change that.
//!
//! A [`Watch`] holds the *target*: the record instances that satisfy the
//! trigger on its root, by case, so that a commit replaces the answers of the
//! cases that it touched and leaves the others alone. Beside it stands what is
//! *stored*: the matched set that is durable. [`Watch::advance`] looks and
//! says by how much the two differ; nothing is stored before the difference is.

mod looking;
mod arming;
mod members;
mod survey;
mod side_by_side;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use base::{Causes, Timestamp};

use self::arming::Deadlines;
use self::members::Members;
pub(crate) use self::side_by_side::side_by_side;
pub(crate) use self::survey::{Survey, SurveyFault, Surveyed, Ticket};
use crate::crossings::{Crossings, Why};
use crate::detect::Findings;
use crate::evaluate::{Evaluator, Group, InScope};
use crate::figures::{Figures, Links, dirty_rows, has_case};
use crate::knowledge_model::FireOn;
use crate::log::{EventLog, NO_ROW, Renumbering, Touched};
use crate::matched_set::{Difference, Standing, Stored};
use crate::ports::Reason;
use crate::pql::plan::Grain;
use crate::trigger::Trigger;
use crate::views::Preview;

/// Which instances are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those of these cases; of a record that is not below the case, these rows.
    Units(Vec<u32>),
}

/// A trigger on a root.
pub(crate) struct Watch {
    pub(crate) trigger: Arc<Trigger>,
    /// What matched at publication has not all been taken note of yet; until
    /// then nothing fires.
    pub(crate) silent: bool,
    evaluator: Evaluator,
    /// The shared figures that it reads.
    links: Links,
    members: Arc<Members>,
    /// What its detector said last, if it stands on one.
    detected: Findings,
    deadlines: Deadlines,
    crossings: Crossings,
    /// A condition reads figures in a way that cannot be told apart: all are
    /// looked at when one of them moves.
    reads_all: bool,
    /// What changed since a trigger that is evaluated whole was last looked at.
    pub(crate) stale: Option<News>,
    /// Until when such a trigger rests, on the wall clock.
    pub(crate) rests_until: Timestamp,
    /// Whose look at everything is waited for.
    surveyed_by: Option<Ticket>,
    /// Why the last one failed, if it did.
    pub(crate) survey_fault: Option<SurveyFault>,
    /// Instances looked at since the watch began; the tests hold it to what was
    /// touched, due or crossed.
    #[cfg(test)]
    pub(crate) looked_at: u64,
}

impl Watch {
    pub(crate) fn new(
        trigger: Arc<Trigger>,
        figures: &mut Figures,
        log: Arc<EventLog>,
        stored: HashMap<Arc<str>, Stored>,
        silent: bool,
    ) -> Self {
        let evaluator = Evaluator::new(log, trigger.program.clone(), 0);
        let links = match trigger.reach.whole {
            true => Links::default(),
            false => {
                let conditions = trigger.selection.conditions.iter().map(|(condition, _)| condition);
                figures.keep(&trigger.program, conditions.chain(&trigger.values))
            }
        };
        Watch {
            trigger,
            silent,
            evaluator,
            links,
            members: Arc::new(Members::new(stored)),
            detected: Findings::default(),
            deadlines: Deadlines::default(),
            crossings: Crossings::default(),
            reads_all: false,
            stale: None,
            rests_until: Timestamp::EPOCH,
            surveyed_by: None,
            survey_fault: None,
            #[cfg(test)]
            looked_at: 0,
        }
    }

    /// Returns the shared figures that it reads.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Counts the instances that satisfy the trigger and wait outside the
    /// matched set, because it is full.
    pub(crate) fn waiting(&self) -> u64 {
        self.members.waiting()
    }

    /// Moves to a root that says the same with other row numbers.
    pub(crate) fn stand_on(&mut self, folded: Arc<EventLog>, rows: &Renumbering<'_>) {
        self.evaluator = Evaluator::new(folded, self.trigger.program.clone(), 0);
        let own = match self.trigger.target {
            Grain::Table(table) if !self.trigger.in_case => Some(table),
            _ => None,
        };
        let unit = |unit: u32| own.map_or(unit, |table| if unit == NO_ROW { unit } else { rows.row(table, unit) });
        let known = |number: u32| (number != NO_ROW).then_some(number);
        if own.is_some() {
            Arc::make_mut(&mut self.members).renumber(unit);
            self.deadlines.renumber(|before| known(unit(before)));
        }
        if own.is_some() || self.crossings.name_rows() {
            self.crossings.renumber(|before| known(unit(before)), |table, row| known(rows.row(table, row)));
        }
    }

    /// Tells whom it looks at when it begins. One that is evaluated whole keeps
    /// nobody waiting, unless what matches now is to be noted, or told to the
    /// person who publishes.
    pub(crate) fn at_the_beginning(&mut self, news: &News) -> Option<Which> {
        if self.trigger.reach.whole && !self.silent && news.reason != Reason::LogicChange {
            self.stale = Some(news.clone());
            return None;
        }
        Some(Which::All)
    }

    /// Moves to another root and tells whom that makes it look at: those that
    /// the commit touched, and those that a figure passed on its way.
    pub(crate) fn after_commit(
        &mut self,
        log: &Arc<EventLog>,
        touched: &Touched,
        figures: &Figures,
        now: i64,
    ) -> Which {
        let before = self.evaluator.log().clone();
        self.evaluator = Evaluator::new(log.clone(), self.trigger.program.clone(), 0);
        if self.trigger.reach.whole {
            self.stale.get_or_insert_with(|| News::of(Reason::Data));
            return Which::Units(Vec::new());
        }
        let Grain::Table(table) = self.trigger.target else {
            // The model as a whole: it reads nothing but figures.
            let is_moved = !figures.moved(&self.links).is_empty() || figures.turned(&self.links);
            return if is_moved { Which::All } else { Which::Units(Vec::new()) };
        };
        let mut units: BTreeSet<u32> = BTreeSet::new();
        if self.trigger.in_case {
            units.extend(&touched.cases);
            let roles = &log.catalog().roles;
            if table != roles.activity_table && table != roles.case_table {
                // An instance without a case is found only among all.
                let rows = dirty_rows(&before, log, touched, table);
                let strays = |log: &EventLog, row: u32| {
                    (row as usize) < log.table(table).capacity()
                        && log.table(table).is_alive(row)
                        && !has_case(log, table, row)
                };
                if rows.iter().any(|row| strays(&before, *row) || strays(log, *row)) {
                    return Which::All;
                }
            }
        } else {
            units = dirty_rows(&before, log, touched, table);
        }
        if self.trigger.wishes.on_load {
            // What time has changed since the last rows is told with these.
            match self.due_now(now) {
                Some(Which::All) => return Which::All,
                Some(Which::Units(due)) => units.extend(due),
                None => {}
            }
        }
        for unit in &units {
            self.crossings.forget(*unit);
        }
        let moved = figures.moved(&self.links);
        let turned = figures.turned(&self.links);
        if self.reads_all && (turned || !moved.is_empty()) {
            return Which::All;
        }
        if turned {
            units.extend(self.crossings.calendar_readers());
        }
        for (grain, group) in &moved {
            units.extend(self.crossings.readers(Why::Loose, *grain, group));
            for place in 0..self.trigger.reach.thresholds.len() {
                let why = Why::Threshold(place);
                let Some(unit) = self.crossings.representative(why, *grain, group) else { continue };
                let figure = self.figure_of(figures, place, unit, group);
                units.extend(self.crossings.moved(why, *grain, group, figure, now));
            }
        }
        Which::Units(units.into_iter().collect())
    }

    /// Returns the group's side of a threshold, as one of its readers sees it.
    fn figure_of(&self, figures: &Figures, place: usize, unit: u32, group: &Group) -> Option<f64> {
        let side = |scope: &InScope<'_>| {
            let found = self.sides(scope, place, |_| true);
            let found =
                found.into_iter().flatten().find(|found| found.groups.len() == 1 && found.groups[0].1 == *group);
            found.and_then(|found| found.side.figure)
        };
        self.in_scope(&[unit], 0, figures, side)
    }

    /// Returns the next instant in milliseconds at which it has to look.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        if self.trigger.wishes.on_load {
            return None;
        }
        [self.deadlines.next(), self.crossings.next()].into_iter().flatten().min()
    }

    /// Tells who is due at an instant, if anybody is.
    pub(crate) fn due(&mut self, now: i64) -> Option<Which> {
        if self.trigger.wishes.on_load {
            return None;
        }
        if self.trigger.reach.whole {
            if self.deadlines.all.is_some_and(|at| at <= now) {
                self.stale.get_or_insert_with(|| News::of(Reason::Time));
                self.deadlines.all = None;
            }
            return None;
        }
        self.due_now(now)
    }

    fn due_now(&mut self, now: i64) -> Option<Which> {
        if self.deadlines.all.is_some_and(|at| at <= now) {
            return Some(Which::All);
        }
        let crossed = self.crossings.due(now);
        let due = self.deadlines.queue.range(..=(now, u32::MAX)).map(|(_, unit)| *unit);
        let units: BTreeSet<u32> = due.chain(crossed.iter().flatten().copied()).collect();
        if units.is_empty() && crossed.is_none() {
            return None;
        }
        Some(Which::Units(units.into_iter().collect()))
    }

    /// Looks at instances at an instant and tells the difference to what is
    /// stored.
    pub(crate) fn advance(&mut self, which: &Which, now: i64, figures: &Figures, news: &News) -> Difference {
        if *which == Which::Units(Vec::new()) {
            return Difference::default();
        }
        self.evaluator.set_now(now);
        let found = self.find(which, now, figures);
        self.arm(which, now, figures);

        let members = Arc::make_mut(&mut self.members);
        let mut changed: Vec<Arc<str>> = Vec::new();
        let mut left: HashMap<Arc<str>, u32> = HashMap::new();
        let replaced: Vec<u32> = match which {
            Which::All => members.by_unit.keys().copied().collect(),
            Which::Units(units) => units.clone(),
        };
        for unit in replaced {
            for identifier in members.by_unit.remove(&unit).unwrap_or_default() {
                let count = members.counts.get_mut(&identifier).expect("what stands in a unit is counted");
                *count -= 1;
                if *count == 0 {
                    members.counts.remove(&identifier);
                    left.insert(identifier.clone(), unit);
                }
                changed.push(identifier);
            }
        }
        for (identifier, unit) in &found {
            *members.counts.entry(identifier.clone()).or_default() += 1;
            members.by_unit.entry(*unit).or_default().push(identifier.clone());
        }
        if *which == Which::All {
            // After a restart the target starts empty; what is stored must
            // leave all the same if it no longer matches.
            changed.extend(members.known().cloned());
        }
        let mut difference = self.decide(changed, &found, now, figures, news);
        if self.trigger.wishes.fire_on != FireOn::Enter {
            let fires = |identifier: &&Arc<str>| {
                self.members.stored(identifier).is_some_and(|stored| {
                    // Whoever came back too early came without a signal, and goes
                    // without one.
                    let quiet = stored.fired_at.is_some_and(|at| at != stored.since);
                    stored.standing == Standing::In && !(quiet && self.trigger.wishes.cooldown_millis > 0)
                })
            };
            let leaving: Vec<Arc<str>> = difference.leaves.iter().filter(fires).cloned().collect();
            difference.farewells = self.farewells(&leaving, &left, now, figures, news);
        }
        if *which == Which::All && !self.trigger.reach.whole {
            // From here on it looks at those that are touched or passed; what it
            // knows of all would be as large as the log, for each trigger.
            self.evaluator.rest();
        }
        difference
    }

    /// Tells what a look at everything would change.
    pub(crate) fn preview(&mut self, now: i64, figures: &Figures) -> Preview {
        let difference = self.advance(&Which::All, now, figures, &News::of(Reason::LogicChange));
        self.told_of(&difference)
    }

    /// Sums up a difference that is not stored yet.
    pub(crate) fn told_of(&self, difference: &Difference) -> Preview {
        Preview {
            trigger: self.trigger.id.clone(),
            matching: self.members.counts.len() as u64,
            new: difference.enters.len() as u64,
            leaving: difference.leaves.len() as u64,
            fires: !self.silent,
        }
    }
}

/// What made somebody look.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) reason: Reason,
    /// Cases of which something earlier than was known has arrived.
    pub(crate) late: HashSet<u32>,
    /// How many cases the commit touched.
    pub(crate) touched: usize,
    /// What led to the rows that arrived, as the commit names it.
    pub(crate) causes: Causes,
}

impl News {
    pub(crate) fn of(reason: Reason) -> Self {
        News { reason, late: HashSet::new(), touched: 0, causes: Causes::NONE }
    }

    /// Adds what led to rows that arrived later.
    fn led_to_also_by(&mut self, causes: &Causes) {
        self.causes = Causes::together([&self.causes, causes]);
    }

    fn reason_of(&self, late: bool) -> Reason {
        if late && self.reason == Reason::Data { Reason::LateData } else { self.reason }
    }
}
