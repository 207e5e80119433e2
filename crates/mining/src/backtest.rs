//! Backtest: a trigger on history, as if it were live.
//!
//! The rows become known one instant after the other ([`arrivals`]); the same
//! [`Watch`] that follows a live model looks at each commit and at each
//! deadline in between, on a root that holds nothing of what comes later.
//! Nothing is stored and nothing is sent.
//!
//! ```text
//!   rows known until `from` ─▶ what matches is known and silent
//!   next instant ─▶ deadlines up to it, each at its own ─▶ its rows, one commit
//!   … ─▶ deadlines up to `to` ─▶ score against the outcome
//! ```
//!
//! It equals what the live engine fires if the rows had been pushed at the
//! instants of the replay, one push per instant; a test holds the two against
//! each other. It differs from a history in which rows came late: each row is
//! taken as known at its own time.

mod arrivals;
mod score;
mod verbs;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use base::{Causes, Timestamp};
use pools::{Change, DataModel, Mode, Rows};

pub(crate) use self::arrivals::Arrivals;
pub use self::score::Score;
pub(crate) use self::score::{Ending, judge};
pub use self::verbs::{BacktestsUnderWay, Running};
use crate::Error;
use crate::figures::Figures;
use crate::log::{Applied, EventLog, Touched};
use crate::matched_set::Difference;
use crate::ports::{Field, Reason};
use crate::trigger::Trigger;
use crate::watch::{News, Watch, Which};

/// What to replay, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BacktestWanted {
    /// Begin here, with all that is known by then; milliseconds since 1970. If
    /// nothing is said, before the first event.
    pub from: Option<i64>,
    /// End here; milliseconds since 1970. If nothing is said, at the last event.
    pub to: Option<i64>,
    /// Milliseconds from one push to the next; if nothing is said, each instant
    /// is a push of its own.
    pub every: Option<i64>,
    /// A condition in PQL on the finished case that says that it went badly.
    pub outcome: Option<String>,
    /// A condition in PQL that says that a case is finished; if nothing is
    /// said, that it does not satisfy the filter OPEN.
    pub finished: Option<String>,
    /// Which activities end a case, in place of what the filter OPEN says.
    pub end_set: Option<EndSet>,
    /// Values of the model's variables, in place of its own.
    pub variables: BTreeMap<String, String>,
    /// By table the column that says when a row becomes known.
    pub known_by: BTreeMap<String, String>,
    /// The draft instead of the published version.
    pub draft: bool,
}

/// Which activities end a case.
#[derive(Clone, Debug, PartialEq)]
pub enum EndSet {
    /// These.
    Activities(Vec<String>),
    /// Those with which at least this share of all cases ends, from 0 to 1, as
    /// far as it is known when the replay begins.
    Learned(f64),
}

/// What a trigger would have fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Backtest {
    /// The knowledge model's id.
    pub model: String,
    /// The trigger's id.
    pub trigger: String,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// The activities that end a case, if they were given or learned.
    pub end_set: Option<Vec<String>>,
    /// Cases at the end.
    pub cases: u64,
    /// Events at the end.
    pub events: u64,
    /// Rows of the activity table without a time, which are never known.
    pub timeless: u64,
    /// How many commits were evaluated.
    pub commits: u64,
    /// How many deadlines were evaluated.
    pub deadlines: u64,
    /// Instances that matched when the replay began, and stayed silent.
    pub known_before: u64,
    /// In the order in which they fired.
    pub firings: Vec<Firing>,
    /// Instances that match at the end.
    pub matching: u64,
    /// Days in UTC on which something fired, with how much.
    pub per_day: Vec<(Timestamp, u64)>,
    /// Mean over all days between begin and end.
    pub per_day_mean: f64,
    /// Against the outcome, if there is one.
    pub score: Option<Score>,
}

/// A signal that would have been fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The record instance as text.
    pub identifier: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What made it fire.
    pub occasion: Occasion,
    /// For the how-manieth time.
    pub episode: u64,
    /// Identifier and outputs, as the event would have shown them.
    pub fields: Vec<Field>,
    /// When the instance stopped to match, if it did.
    pub left_at: Option<Timestamp>,
}

/// What made a trigger fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Rows that came in.
    Data,
    /// Time alone.
    Time,
}

/// How far a replay is; shared with those who look on or stop it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Commits in all; 0 while rows are being read.
    pub total: AtomicU64,
    /// Commits that were evaluated.
    pub done: AtomicU64,
    /// The instant that is evaluated, in milliseconds since 1970.
    pub at: AtomicI64,
    stop: AtomicBool,
}

impl Progress {
    /// Asks the replay to stop; it ends with [`Error::Cancelled`].
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn go_on(&self) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// A watch on its way through history.
struct Follower {
    watch: Watch,
    /// What the watch reads of many cases.
    figures: Figures,
    /// Never goes back, as in a live model.
    at: i64,
    deadlines: u64,
    known_before: u64,
    firings: Vec<Firing>,
    /// The last firing or silent entry of whoever is in.
    standing: BTreeMap<Arc<str>, (i64, Option<usize>)>,
}

impl Follower {
    fn new(trigger: &Arc<Trigger>, log: &Arc<EventLog>, from: i64, silent: bool) -> Self {
        let mut figures = Figures::new(log.clone());
        let watch = Watch::new(trigger.clone(), &mut figures, log.clone(), HashMap::new(), silent);
        let (firings, standing) = (Vec::new(), BTreeMap::new());
        let mut follower = Follower { watch, figures, at: from, deadlines: 0, known_before: 0, firings, standing };
        follower.look(&Which::All, from, Occasion::Data);
        follower
    }

    fn look(&mut self, which: &Which, instant: i64, occasion: Occasion) {
        self.at = self.at.max(instant);
        let silent = self.watch.silent;
        let difference = self.watch.advance(which, self.at, &self.figures, &News::of(Reason::Data));
        let at = Timestamp::from_millis(self.at);
        self.watch.accept(&difference, at);
        self.note(difference, at, occasion, silent);
    }

    fn note(&mut self, difference: Difference, at: Timestamp, occasion: Occasion, silent: bool) {
        for identifier in difference.leaves.iter().chain(&difference.displaced) {
            if let Some((_, Some(firing))) = self.standing.remove(identifier) {
                self.firings[firing].left_at = Some(at);
            }
        }
        for enter in difference.enters {
            if silent {
                self.known_before += 1;
                self.standing.insert(enter.identifier, (self.at, None));
                continue;
            }
            self.standing.insert(enter.identifier.clone(), (self.at, Some(self.firings.len())));
            self.firings.push(Firing {
                identifier: enter.identifier,
                at,
                occasion,
                episode: enter.episode,
                fields: enter.fields,
                left_at: None,
            });
        }
    }

    /// Evaluates every deadline up to an instant, each at its own.
    fn walk(&mut self, until: i64, progress: &Progress) -> Result<(), Error> {
        while let Some(next) = self.watch.next_deadline().filter(|next| *next <= until) {
            progress.go_on()?;
            let instant = next.max(self.at);
            let due = self.watch.due(instant);
            let Some(which) = due.or_else(|| self.whole()) else { break };
            self.look(&which, instant, Occasion::Time);
            self.deadlines += 1;
        }
        Ok(())
    }

    fn commit(&mut self, log: &Arc<EventLog>, touched: &Touched, instant: i64) {
        self.figures.follow(log, touched);
        let which = self.watch.after_commit(log, touched, &self.figures, self.at.max(instant));
        let which = self.whole().unwrap_or(which);
        self.look(&which, instant, Occasion::Data);
    }

    /// A trigger that is evaluated whole rests between two evaluations when it
    /// is live; here it is evaluated at each occasion.
    fn whole(&mut self) -> Option<Which> {
        self.watch.stale.take().map(|_| Which::All)
    }
}

/// The triggers of a replay: the one that is tested, and what it is held
/// against.
pub(crate) struct Cast {
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) outcome: Option<Arc<Trigger>>,
    pub(crate) finished: Option<Arc<Trigger>>,
}

/// A stretch of history in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) every: Option<i64>,
}

impl Stretch {
    /// Reads what is wanted of what there is.
    pub(crate) fn of(wanted: &BacktestWanted, arrivals: &Arrivals) -> Result<Self, Error> {
        let refused = |detail: &str| Err(Error::BadBacktest { detail: detail.to_owned() });
        let Some((first, last)) = arrivals.span() else {
            return refused("there is no event with a time, so there is nothing to replay");
        };
        if wanted.every.is_some_and(|every| every <= 0) {
            return refused("\"every\" has to be longer than nothing");
        }
        let from = wanted.from.unwrap_or(first - 1);
        let end = wanted.every.map_or(last, |every| from + (last - from + every - 1).div_euclid(every) * every);
        let to = wanted.to.unwrap_or(end.max(from));
        if to < from {
            return refused("\"to\" lies before \"from\"");
        }
        Ok(Stretch { from, to, every: wanted.every })
    }
}

/// Replays a stretch of history on the root of its beginning.
pub(crate) fn replay(
    model: &DataModel,
    arrivals: &Arrivals,
    mut log: Arc<EventLog>,
    stretch: Stretch,
    cast: &Cast,
    progress: &Progress,
) -> Result<Backtest, Error> {
    let Stretch { from, to, every } = stretch;
    let steps = arrivals.steps(from, to, every);
    progress.total.store(steps.len() as u64, Ordering::Relaxed);
    let silent = !cast.trigger.fire_existing;
    let mut tested = Follower::new(&cast.trigger, &log, from, silent);
    let mut outcome = cast.outcome.as_ref().map(|outcome| Follower::new(outcome, &log, from, true));
    for (done, (at, instants)) in steps.iter().enumerate() {
        progress.go_on()?;
        progress.at.store(*at, Ordering::Relaxed);
        for follower in [Some(&mut tested), outcome.as_mut()].into_iter().flatten() {
            follower.walk(*at, progress)?;
        }
        let mut root = (*log).clone();
        // A replay is over before a fold would be worth it.
        root.hold_rows(true);
        let mut touched = Touched::default();
        for (place, rows) in arrivals.batch(instants) {
            let change = change(&model.tables[place], rows, root.number + 1, *at);
            match root.apply(&change) {
                Applied::Touched(own) => touched.join(own),
                Applied::Reload => {
                    let detail = format!(
                        "two rows of table \"{}\" have the same key, and others point to it; keep one of them",
                        model.tables[place]
                    );
                    return Err(Error::BadBacktest { detail });
                }
            }
        }
        log = Arc::new(root);
        for follower in [Some(&mut tested), outcome.as_mut()].into_iter().flatten() {
            follower.commit(&log, &touched, *at);
        }
        progress.done.store(done as u64 + 1, Ordering::Relaxed);
    }
    for follower in [Some(&mut tested), outcome.as_mut()].into_iter().flatten() {
        follower.walk(to, progress)?;
    }
    let score = outcome.map(|outcome| {
        let is_old = |since: &(i64, Option<usize>)| since.1.is_none();
        let finished = cast.finished.as_ref().map(|finished| {
            let matching = Follower::new(finished, &log, to, true);
            matching.standing.into_keys().collect()
        });
        let ending = Ending {
            bad: outcome.standing.iter().map(|(identifier, (since, _))| (identifier.clone(), *since)).collect(),
            bad_before: outcome
                .standing
                .iter()
                .filter(|(_, since)| is_old(since))
                .map(|(identifier, _)| identifier.clone())
                .collect(),
            finished,
        };
        judge(&tested.firings, &ending)
    });
    let roles = &log.catalog().roles;
    let events = log.table(roles.activity_table).len() - log.excluded();
    let cases = (0..log.case_count()).filter(|case| !log.case(*case).events.is_empty()).count();
    let days = ((to - from) as f64 / DAY as f64).max(f64::MIN_POSITIVE);
    Ok(Backtest {
        model: String::new(),
        trigger: cast.trigger.id.clone(),
        from: Timestamp::from_millis(from),
        to: Timestamp::from_millis(to),
        end_set: None,
        cases: cases as u64,
        events: events as u64,
        timeless: arrivals.timeless,
        commits: steps.len() as u64,
        deadlines: tested.deadlines,
        known_before: tested.known_before,
        matching: tested.standing.len() as u64,
        per_day: per_day(&tested.firings),
        per_day_mean: if to > from { tested.firings.len() as f64 / days } else { 0.0 },
        firings: tested.firings,
        score,
    })
}

const DAY: i64 = 86_400_000;

fn per_day(firings: &[Firing]) -> Vec<(Timestamp, u64)> {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    for firing in firings {
        *days.entry(firing.at.as_millis().div_euclid(DAY) * DAY).or_default() += 1;
    }
    days.into_iter().map(|(day, count)| (Timestamp::from_millis(day), count)).collect()
}

/// Writes rows as a commit would.
fn change(table: &str, rows: Rows, number: u64, at: i64) -> Change {
    Change {
        number,
        table: table.to_owned(),
        mode: Mode::Append,
        upserts: rows,
        deletes: Rows::default(),
        at: Timestamp::from_millis(at),
        // History is told without what led to it.
        causes: Causes::NONE,
    }
}

/// Lists the activities with which at least a share of all cases ends.
pub(crate) fn learned_ends<'a>(last: impl IntoIterator<Item = &'a Arc<str>>, share: f64) -> Vec<String> {
    let mut counts: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    let mut cases = 0_u64;
    for activity in last {
        *counts.entry(activity).or_default() += 1;
        cases += 1;
    }
    let enough = |count: u64| count as f64 >= share * cases as f64;
    counts.into_iter().filter(|(_, count)| enough(*count)).map(|(activity, _)| activity.to_string()).collect()
}
