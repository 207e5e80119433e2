//! The schedule, in memory: who sits where, and whose turn it is.
//!
//! Every subscription has a *seat*: its standing (a little ahead of the
//! database), whether a call is in flight, and what it did that no commit has
//! saved yet. [`Roster::turn`] looks at the clock and says what is to be done;
//! the engine does it and brings back the outcome. Nothing here waits, calls
//! or reads a clock, and everything here can be rebuilt from the tables: a
//! crash loses at most the unsaved, which is then delivered once more.
//!
//! Three rules keep it right:
//! * only the event behind the cursor is tried, and never twice at once;
//! * a seat that is *held* starts no call and changes for nobody but its
//!   holder, a verb in the middle of its commit;
//! * whoever saves a seat's row has the seat's *pen*, so that two commits
//!   cannot overtake each other.

mod lanes;
mod reading;
mod saving;
mod chores;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use tokio::sync::Mutex as Pen;

use crate::callback::Sink;
use crate::event::{Offset, TriggerRef};
use crate::log::Log;
use crate::outlet::{Call, Finished, Outlet};
use crate::seat::Seat;
use crate::subscription::{State, Subscription, SubscriptionId};
use crate::tables::{LogId, LogRow, Progress};
use crate::view::Tally;

pub(crate) use lanes::{Lane, Slots};
pub(crate) use reading::READ_EVENTS;
#[cfg(test)]
pub(crate) use reading::WINDOW_BYTES_MAX;
pub(crate) use saving::Group;
#[cfg(test)]
pub(crate) use saving::{SAVE_AFTER, SAVE_RESULTS};

use chores::{TIDY_EVERY, WATCH_EVERY};
use lanes::Lanes;
use reading::Window;
use saving::UNSAVED_MAX;

/// A nudge that got lost is made up for by a look at all logs.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// After the database refused, it is asked again.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// What the engine is to do.
pub(crate) enum Order {
    /// Make a call; bring back [`Roster::finished`].
    Call(Box<Call>),
    /// Read a log behind an offset, so many bytes at most; bring back
    /// [`Roster::read`].
    Read { log: LogId, after: Offset, bytes_max: usize },
    /// Save progress; bring back [`Roster::saved`].
    Save(Group),
    /// Look where all logs stand; bring back [`Roster::looked`].
    Look,
    /// Remove what has grown old; bring back [`Roster::tidied`].
    Tidy,
    /// Look who is too far behind; bring back [`Roster::watched`].
    Watch,
    /// Send notices; bring back [`Roster::told`].
    Tell,
}

/// Everyone's place.
pub(crate) struct Roster {
    seats: BTreeMap<SubscriptionId, Seat>,
    logs: BTreeMap<LogId, Log>,
    log_of: HashMap<TriggerRef, LogId>,
    /// When somebody has to be looked at again.
    alarms: BTreeSet<(Timestamp, SubscriptionId)>,
    lanes: Lanes,
    /// Logs that somebody waits to have read.
    unread: BTreeSet<LogId>,
    window: Window,
    /// Who has done what no commit knows of.
    unsaved: BTreeSet<SubscriptionId>,
    results: usize,
    save_at: Timestamp,
    saving: bool,
    /// The last commit failed: the next one waits for its time.
    troubled: bool,
    look_at: Timestamp,
    looking: bool,
    tidy_at: Timestamp,
    watch_at: Timestamp,
    /// When notices are to be sent.
    tell_at: Timestamp,
    telling: bool,
    /// The latest time that it was told.
    seen: Timestamp,
}

impl Roster {
    pub(crate) fn new(slots: Slots, now: Timestamp) -> Self {
        Roster {
            seats: BTreeMap::new(),
            logs: BTreeMap::new(),
            log_of: HashMap::new(),
            alarms: BTreeSet::new(),
            lanes: Lanes::new(slots),
            unread: BTreeSet::new(),
            window: Window::default(),
            unsaved: BTreeSet::new(),
            results: 0,
            save_at: Timestamp::FAR_FUTURE,
            saving: false,
            troubled: false,
            look_at: now.plus(LOOK_EVERY),
            looking: false,
            tidy_at: now.plus(TIDY_EVERY),
            watch_at: now.plus(WATCH_EVERY),
            // What waited when the program ended has waited long enough.
            tell_at: now,
            telling: false,
            seen: now,
        }
    }

    // Coming and going.

    /// Gives a subscription its seat.
    pub(crate) fn seat(&mut self, subscription: Subscription, log: LogRow, outlet: Arc<Outlet>, now: Timestamp) {
        let id = subscription.id;
        self.log_of.insert(subscription.trigger.clone(), log.log);
        let known = self.logs.entry(log.log).or_insert_with(|| Log::at(log, subscription.trigger.clone()));
        known.followers.insert(id);
        let grown = known.grows_to(log);
        self.seats.insert(id, Seat::new(subscription, log.log, outlet, now));
        if grown {
            self.wake_followers(log.log, now);
        }
        // Events appended between the commit and this line had nobody to tell.
        self.unread.insert(log.log);
        self.schedule(id, now);
    }

    /// Takes away the seat of a subscription whose end was committed. A call in
    /// flight may end; it counts for nothing.
    pub(crate) fn unseat(&mut self, id: SubscriptionId) {
        let Some(seat) = self.seats.remove(&id) else { return };
        if let Some(alarm) = seat.alarm {
            self.alarms.remove(&(alarm, id));
        }
        self.unsaved.remove(&id);
        self.results -= seat.attempts.len();
        self.window.forget_reader(id);
        let Some(log) = self.logs.get_mut(&seat.log) else { return };
        log.followers.remove(&id);
        log.waiting.remove(&id);
        if log.followers.is_empty() {
            self.window.forget_log(seat.log, log);
            self.logs.remove(&seat.log);
            self.log_of.remove(&seat.subscription.trigger);
        }
    }

    // Verbs.

    /// Returns the pen of a seat.
    pub(crate) fn pen(&self, id: SubscriptionId) -> Option<Arc<Pen<()>>> {
        self.seats.get(&id).map(|seat| seat.pen.clone())
    }

    /// Holds a seat for a verb, and returns the progress that the verb's
    /// commit has to save first. The caller has the pen.
    pub(crate) fn hold(&mut self, id: SubscriptionId) -> Option<Progress> {
        let seat = self.seats.get_mut(&id)?;
        seat.held = true;
        Some(seat.progress(id))
    }

    /// Lets go of a seat after a verb that failed: it goes on as it was.
    pub(crate) fn release(&mut self, id: SubscriptionId, now: Timestamp) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.held = false;
        if let Some((finished, luck)) = seat.parked.take() {
            self.settle(finished, luck, now);
        }
        self.schedule(id, now);
    }

    /// Lets go of a seat after a verb whose commit also saved the progress.
    pub(crate) fn change(&mut self, subscription: Subscription, outlet: Arc<Outlet>, log: LogRow, now: Timestamp) {
        let id = subscription.id;
        let Some(seat) = self.seats.get_mut(&id) else { return };
        self.results -= seat.attempts.len();
        seat.attempts.clear();
        seat.skips.clear();
        seat.notices.clear();
        self.unsaved.remove(&id);
        seat.take_over(subscription, outlet, now);
        if self.logs.get_mut(&log.log).is_some_and(|known| known.grows_to(log)) {
            self.wake_followers(log.log, now);
        }
        self.release(id, now);
    }

    // The engine.

    /// Says what is to be done now.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Vec<Order> {
        self.follow_the_clock(now);
        self.ring(now);
        let mut orders = Vec::new();
        self.lanes.age(now);
        while self.results < UNSAVED_MAX {
            let Some((lane, id)) = self.lanes.next() else { break };
            if let Some(call) = self.begin(lane, id, now) {
                orders.push(Order::Call(Box::new(call)));
            }
        }
        self.read_what_is_missing(&mut orders);
        if let Some(group) = self.group(now) {
            orders.push(Order::Save(group));
        }
        if now >= self.look_at && !self.looking {
            self.looking = true;
            orders.push(Order::Look);
        }
        self.chores_due(now, &mut orders);
        orders
    }

    /// Says what is left to do when the program stops: nothing new begins, and
    /// what came back is saved at once.
    pub(crate) fn last_turn(&mut self, now: Timestamp) -> Option<Order> {
        self.hurry();
        self.group(now).map(Order::Save)
    }

    /// Tells whether no result waits for a commit, or for a verb to end.
    pub(crate) fn all_is_saved(&self) -> bool {
        !self.saving && self.unsaved.is_empty() && self.seats.values().all(|seat| seat.parked.is_none())
    }

    /// Returns when [`Roster::turn`] has something to do at the latest, if
    /// nothing happens before.
    pub(crate) fn wakes_at(&self) -> Timestamp {
        let alarm = self.alarms.first().map_or(Timestamp::FAR_FUTURE, |(at, _)| *at);
        let nothing_to_save = self.saving || self.unsaved.is_empty();
        let save = if nothing_to_save { Timestamp::FAR_FUTURE } else { self.save_at };
        let look = if self.looking { Timestamp::FAR_FUTURE } else { self.look_at };
        let tell = if self.telling { Timestamp::FAR_FUTURE } else { self.tell_at };
        alarm.min(save).min(look).min(self.tidy_at).min(self.watch_at).min(tell)
    }

    /// Takes the outcome of a call.
    pub(crate) fn finished(&mut self, finished: Finished, luck: f64, now: Timestamp) {
        // A pause that begins now must not be taken for one of before.
        self.follow_the_clock(now);
        let id = finished.subscription;
        self.lanes.land(id);
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.calling = false;
        if seat.held {
            seat.parked = Some((finished, luck));
            return;
        }
        self.settle(finished, luck, now);
        self.schedule(id, now);
    }

    /// Returns where a subscription stands at this very moment.
    #[cfg(test)]
    pub(crate) fn standing(&self, id: SubscriptionId) -> Option<crate::Standing> {
        self.seats.get(&id).map(|seat| seat.subscription.standing.clone())
    }

    /// Returns a subscription as it is at this very moment.
    #[cfg(test)]
    pub(crate) fn present(&self, id: SubscriptionId) -> Option<Subscription> {
        self.seats.get(&id).map(|seat| seat.subscription.clone())
    }

    /// Counts the subscriptions: those with a callback, and those of hooks.
    pub(crate) fn tallies(&self) -> (Tally, Tally) {
        let (mut callbacks, mut hooks) = (Tally::default(), Tally::default());
        for seat in self.seats.values() {
            let tally = match seat.subscription.sink {
                Sink::Https { .. } => &mut callbacks,
                Sink::Local { .. } => &mut hooks,
            };
            let standing = &seat.subscription.standing;
            let head = self.logs.get(&seat.log).map_or(standing.cursor, |log| log.head);
            let well = matches!(standing.state, State::Active | State::Paused);
            tally.subscriptions += 1;
            tally.in_trouble += u64::from(!well);
            tally.delivered += standing.delivered;
            tally.failures += standing.failures;
            tally.queued += standing.queued(head);
        }
        (callbacks, hooks)
    }

    /// If somebody has set the wall clock back, what was to wait a minute still
    /// waits a minute. Deadlines by the wall clock, such as a suspension, stay.
    fn follow_the_clock(&mut self, now: Timestamp) {
        let back = self.seen.since(now);
        self.seen = now;
        if back.is_zero() {
            return;
        }
        let times = [&mut self.save_at, &mut self.look_at, &mut self.tidy_at, &mut self.watch_at, &mut self.tell_at];
        for at in times {
            *at = at.minus(back);
        }
        self.lanes.set_back(back);
        let ids: Vec<SubscriptionId> = self.seats.keys().copied().collect();
        for id in ids {
            if let Some(seat) = self.seats.get_mut(&id) {
                seat.set_back(back);
            }
            self.schedule(id, now);
        }
    }

    /// Lets those whose time has come be looked at.
    fn ring(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.alarms.first().copied() {
            if at > now {
                return;
            }
            self.alarms.pop_first();
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            seat.alarm = None;
            if seat.held {
                continue;
            }
            let head = self.logs.get(&seat.log).map_or(Offset::START, |log| log.head);
            if seat.let_time_pass(head, now) {
                self.note_unsaved(id, now);
                // Suspending stops calls: it is not left to wait for company.
                self.save_at = now;
            }
            self.schedule(id, now);
        }
    }

    /// Puts a seat where it belongs: among the ready, or behind an alarm.
    fn schedule(&mut self, id: SubscriptionId, now: Timestamp) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        if let Some(alarm) = seat.alarm.take() {
            self.alarms.remove(&(alarm, id));
        }
        if seat.held {
            return;
        }
        let standing = &seat.subscription.standing;
        let mut alarm = Timestamp::FAR_FUTURE;
        if let State::Failed { since } = standing.state {
            let policy = &seat.subscription.policy;
            alarm = since.plus(policy.suspend_after());
            if let Some(after) = policy.next_alert(standing.alerts) {
                alarm = alarm.min(since.plus(after));
            }
        }
        let head = self.logs.get(&seat.log).map_or(Offset::START, |log| log.head);
        if seat.may_be_called(head) {
            let due = seat.due(now);
            if due > now {
                alarm = alarm.min(due);
            } else if seat.ready != Some(seat.lane()) {
                // If it stood elsewhere, nobody will find it there any more.
                seat.ready = Some(seat.lane());
                self.lanes.queue(seat.lane(), id);
            }
        }
        if alarm < Timestamp::FAR_FUTURE {
            seat.alarm = Some(alarm);
            self.alarms.insert((alarm, id));
        }
    }

    /// Begins the call of a seat whose turn it is; nothing if it has changed
    /// its mind, or if its event must be read first.
    fn begin(&mut self, lane: Lane, id: SubscriptionId, now: Timestamp) -> Option<Call> {
        let seat = self.seats.get_mut(&id)?;
        seat.ready.take_if(|ready| *ready == lane)?;
        let log = self.logs.get_mut(&seat.log)?;
        let standing = &seat.subscription.standing;
        if seat.held || !seat.may_be_called(log.head) || seat.due(now) > now {
            return None;
        }
        let replay = standing.is_replay(standing.cursor.next());
        // What is new does not travel with what was seen before.
        let end = if replay { standing.reached } else { log.head };
        let Some(load) = log.load(standing.cursor, seat.form(), end) else {
            log.waiting.insert(id);
            self.unread.insert(seat.log);
            return None;
        };
        let call = Call {
            subscription: id,
            trigger: log.trigger.clone(),
            generation: standing.generation,
            number: standing.attempts + 1,
            replay,
            load,
            outlet: seat.outlet.clone(),
            timeout: seat.subscription.policy.timeout(),
        };
        seat.pace.spend(&seat.subscription.policy, now);
        seat.calling = true;
        self.lanes.take_off(lane, id, now);
        Some(call)
    }

    /// Draws the consequences of an attempt.
    fn settle(&mut self, finished: Finished, luck: f64, now: Timestamp) {
        let id = finished.subscription;
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let results = seat.attempts.len();
        let head = self.logs.get(&seat.log).map_or(Offset::START, |log| log.head);
        if seat.settle(finished, luck, head, now) {
            self.results += seat.attempts.len() - results;
            self.note_unsaved(id, now);
        }
    }
}
