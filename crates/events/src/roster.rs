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

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use tokio::sync::{Mutex as Pen, OwnedMutexGuard as HeldPen};

use crate::callback::Sink;
use crate::event::{Event, Offset, TriggerRef};
use crate::log::Log;
use crate::outlet::{Call, Finished, Outlet};
use crate::seat::Seat;
use crate::subscription::{State, Subscription, SubscriptionId};
use crate::tables::{LogId, LogRow, Progress};
use crate::view::Tally;

/// A result waits at most so long for its commit …
pub(crate) const SAVE_AFTER: Duration = Duration::from_millis(50);
/// … and at most so many results wait for one.
pub(crate) const SAVE_RESULTS: usize = 1_000;
/// Results that may be unsaved in all; above it no call starts, because the
/// database does not keep up.
const UNSAVED_MAX: usize = 4 * SAVE_RESULTS;
/// Events read from a log at once.
pub(crate) const READ_EVENTS: usize = 256;
/// Bytes of events held in memory, over all logs.
const WINDOW_BYTES_MAX: usize = 64 << 20;
/// A nudge that got lost is made up for by a look at all logs.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// After the database refused, it is asked again.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// What has grown old is removed.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// What the engine is to do.
pub(crate) enum Order {
    /// Make a call; bring back [`Roster::finished`].
    Call(Box<Call>),
    /// Read a log behind an offset; bring back [`Roster::read`].
    Read { log: LogId, after: Offset },
    /// Save progress; bring back [`Roster::saved`].
    Save(Batch),
    /// Look where all logs stand; bring back [`Roster::looked`].
    Look,
    /// Remove what has grown old.
    Tidy,
}

/// Progress on its way into one commit, with the pens of those whose it is.
pub(crate) struct Batch {
    pub(crate) progress: Vec<Progress>,
    pub(crate) pens: Vec<HeldPen<()>>,
}

/// Everyone's place.
pub(crate) struct Roster {
    calls_max: usize,
    calls: usize,
    seats: BTreeMap<SubscriptionId, Seat>,
    logs: BTreeMap<LogId, Log>,
    log_of: HashMap<TriggerRef, LogId>,
    /// When somebody has to be looked at again.
    alarms: BTreeSet<(Timestamp, SubscriptionId)>,
    /// Whose turn it is, in order.
    ready: VecDeque<SubscriptionId>,
    /// Logs that somebody waits to have read.
    unread: BTreeSet<LogId>,
    window_bytes: usize,
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
    /// The time of the last turn.
    seen: Timestamp,
}

impl Roster {
    pub(crate) fn new(calls_max: usize, now: Timestamp) -> Self {
        Roster {
            calls_max,
            calls: 0,
            seats: BTreeMap::new(),
            logs: BTreeMap::new(),
            log_of: HashMap::new(),
            alarms: BTreeSet::new(),
            ready: VecDeque::new(),
            unread: BTreeSet::new(),
            window_bytes: 0,
            unsaved: BTreeSet::new(),
            results: 0,
            save_at: Timestamp::FAR_FUTURE,
            saving: false,
            troubled: false,
            look_at: now.plus(LOOK_EVERY),
            looking: false,
            tidy_at: now.plus(TIDY_EVERY),
            seen: now,
        }
    }

    // Coming and going.

    /// Gives a subscription its seat.
    pub(crate) fn seat(&mut self, subscription: Subscription, log: LogRow, outlet: Arc<Outlet>, now: Timestamp) {
        let id = subscription.id;
        self.log_of.insert(subscription.trigger.clone(), log.log);
        let known = self.logs.entry(log.log).or_insert_with(|| Log::at(log));
        known.followers.insert(id);
        let grown = known.grows_to(log);
        self.seats.insert(id, Seat::new(subscription, log.log, outlet));
        if grown {
            self.wake_followers(log.log, now);
        }
        // Events appended between the commit and this line had nobody to tell.
        self.unread.insert(log.log);
        self.schedule(id, now);
    }

    /// Takes a seat away. A call in flight may end; it counts for nothing.
    fn unseat(&mut self, id: SubscriptionId) {
        let Some(seat) = self.seats.remove(&id) else { return };
        if let Some(alarm) = seat.alarm {
            self.alarms.remove(&(alarm, id));
        }
        self.unsaved.remove(&id);
        self.results -= seat.attempts.len();
        let Some(log) = self.logs.get_mut(&seat.log) else { return };
        log.followers.remove(&id);
        log.waiting.remove(&id);
        if log.followers.is_empty() {
            self.window_bytes -= log.forget();
            self.logs.remove(&seat.log);
            self.log_of.remove(&seat.subscription.trigger);
        }
    }

    /// Notes that a trigger's log has grown; tells whether anybody cares.
    pub(crate) fn nudge(&mut self, trigger: &TriggerRef) -> bool {
        let Some(log) = self.log_of.get(trigger) else { return false };
        self.unread.insert(*log);
        true
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
        self.unsaved.remove(&id);
        seat.subscription = subscription;
        seat.outlet = outlet;
        if self.logs.get_mut(&log.log).is_some_and(|known| known.grows_to(log)) {
            self.wake_followers(log.log, now);
        }
        self.release(id, now);
    }

    /// Takes away the seat of a subscription whose end was committed.
    pub(crate) fn end(&mut self, id: SubscriptionId) {
        self.unseat(id);
    }

    // The engine.

    /// Says what is to be done now.
    pub(crate) fn turn(&mut self, now: Timestamp, may_call: bool) -> Vec<Order> {
        self.follow_the_clock(now);
        self.ring(now);
        let mut orders = Vec::new();
        while may_call && self.calls < self.calls_max && self.results < UNSAVED_MAX {
            let Some(id) = self.ready.pop_front() else { break };
            if let Some(call) = self.begin(id, now) {
                orders.push(Order::Call(Box::new(call)));
            }
        }
        self.read_what_is_missing(&mut orders);
        if let Some(batch) = self.batch(now) {
            orders.push(Order::Save(batch));
        }
        if now >= self.look_at && !self.looking {
            self.looking = true;
            orders.push(Order::Look);
        }
        if now >= self.tidy_at {
            self.tidy_at = now.plus(TIDY_EVERY);
            orders.push(Order::Tidy);
        }
        orders
    }

    /// Returns when [`Roster::turn`] has something to do at the latest, if
    /// nothing happens before.
    pub(crate) fn wakes_at(&self) -> Timestamp {
        let alarm = self.alarms.first().map_or(Timestamp::FAR_FUTURE, |(at, _)| *at);
        let nothing_to_save = self.saving || self.unsaved.is_empty();
        let save = if nothing_to_save { Timestamp::FAR_FUTURE } else { self.save_at };
        let look = if self.looking { Timestamp::FAR_FUTURE } else { self.look_at };
        alarm.min(save).min(look).min(self.tidy_at)
    }

    /// Makes the next turn save, however short the wait was, unless the
    /// database is in trouble.
    pub(crate) fn hurry(&mut self) {
        if !self.unsaved.is_empty() && !self.troubled {
            self.save_at = Timestamp::EPOCH;
        }
    }

    /// Takes the outcome of a call.
    pub(crate) fn finished(&mut self, finished: Finished, luck: f64, now: Timestamp) {
        self.calls -= 1;
        let id = finished.subscription;
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.calling = false;
        if seat.held {
            seat.parked = Some((finished, luck));
            return;
        }
        self.settle(finished, luck, now);
        self.schedule(id, now);
    }

    /// Takes what was read of a log.
    pub(crate) fn read(
        &mut self,
        log: LogId,
        after: Offset,
        read: Result<(LogRow, Vec<Event>), base::db::Error>,
        now: Timestamp,
    ) {
        let Some(known) = self.logs.get_mut(&log) else { return };
        known.reading = false;
        let (row, events) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, log, "a log cannot be read; it is tried again");
                self.look_at = self.look_at.min(now.plus(PAUSE_AFTER_TROUBLE));
                return;
            }
        };
        let grown = known.grows_to(row);
        let waiting = std::mem::take(&mut known.waiting);
        let last = events.last().map_or(after, |event| event.offset);
        self.remember(log, events);
        if grown {
            self.wake_followers(log, now);
        }
        for id in waiting {
            let Some(cursor) = self.seats.get(&id).map(|seat| seat.subscription.standing.cursor) else { continue };
            let was_asked_for = cursor >= after && cursor < last.max(after.next()) && cursor < row.head;
            if was_asked_for && !self.holds(log, cursor.next()) {
                // Never pass over a gap in silence: an operator must look.
                tracing::error!(subscription.id = %id, offset = %cursor.next(), "an event is missing from its log");
                continue;
            }
            self.schedule(id, now);
        }
    }

    /// Takes where all logs stand.
    pub(crate) fn looked(&mut self, looked: Result<Vec<LogRow>, base::db::Error>, now: Timestamp) {
        self.looking = false;
        self.look_at = now.plus(LOOK_EVERY);
        let rows = match looked {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "the logs cannot be looked at; it is tried again");
                return;
            }
        };
        for row in rows {
            let Some(log) = self.logs.get(&row.log) else { continue };
            if row.head > log.head || !log.waiting.is_empty() {
                self.unread.insert(row.log);
            }
        }
    }

    /// Takes the outcome of a commit.
    pub(crate) fn saved(&mut self, batch: Batch, saved: Result<(), base::db::Error>, now: Timestamp) {
        self.saving = false;
        self.troubled = saved.is_err();
        let Err(error) = saved else {
            self.save_at = if self.unsaved.is_empty() { Timestamp::FAR_FUTURE } else { now.plus(SAVE_AFTER) };
            return;
        };
        tracing::error!(%error, "deliveries cannot be saved; it is tried again");
        self.save_at = now.plus(PAUSE_AFTER_TROUBLE);
        for progress in batch.progress {
            let Some(seat) = self.seats.get_mut(&progress.id) else { continue };
            self.results += progress.attempts.len();
            seat.attempts.splice(0..0, progress.attempts);
            seat.skips.splice(0..0, progress.skips);
            self.unsaved.insert(progress.id);
        }
    }

    /// Returns where a subscription stands at this very moment.
    #[cfg(test)]
    pub(crate) fn standing(&self, id: SubscriptionId) -> Option<crate::Standing> {
        self.seats.get(&id).map(|seat| seat.subscription.standing.clone())
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
        for at in [&mut self.save_at, &mut self.look_at, &mut self.tidy_at] {
            *at = at.minus(back);
        }
        let ids: Vec<SubscriptionId> = self.seats.keys().copied().collect();
        for id in ids {
            if let Some(seat) = self.seats.get_mut(&id) {
                let due = &mut seat.subscription.standing.due;
                *due = due.minus(back);
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
            if seat.let_time_pass(now) {
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
            alarm = since.plus(seat.subscription.policy.suspend_after());
        }
        let head = self.logs.get(&seat.log).map_or(Offset::START, |log| log.head);
        if seat.may_be_called(head) {
            if standing.due > now {
                alarm = alarm.min(standing.due);
            } else if !seat.ready {
                seat.ready = true;
                self.ready.push_back(id);
            }
        }
        if alarm < Timestamp::FAR_FUTURE {
            seat.alarm = Some(alarm);
            self.alarms.insert((alarm, id));
        }
    }

    /// Begins the call of a seat whose turn it is; nothing if it has changed
    /// its mind, or if its event must be read first.
    fn begin(&mut self, id: SubscriptionId, now: Timestamp) -> Option<Call> {
        let seat = self.seats.get_mut(&id)?;
        seat.ready = false;
        let log = self.logs.get_mut(&seat.log)?;
        let standing = &seat.subscription.standing;
        if seat.held || !seat.may_be_called(log.head) || standing.due > now {
            return None;
        }
        let offset = standing.cursor.next();
        let Some(event) = log.window.get(&offset) else {
            log.waiting.insert(id);
            self.unread.insert(seat.log);
            return None;
        };
        let call = Call {
            subscription: id,
            trigger: seat.subscription.trigger.clone(),
            generation: standing.generation,
            number: standing.attempts + 1,
            replay: standing.is_replay(offset),
            event: event.clone(),
            outlet: seat.outlet.clone(),
            timeout: seat.subscription.policy.timeout(),
        };
        seat.calling = true;
        self.calls += 1;
        Some(call)
    }

    fn read_what_is_missing(&mut self, orders: &mut Vec<Order>) {
        let mut still_unread = BTreeSet::new();
        for log in std::mem::take(&mut self.unread) {
            let Some(known) = self.logs.get_mut(&log) else { continue };
            if known.reading {
                still_unread.insert(log);
                continue;
            }
            let cursors = known.waiting.iter().filter_map(|id| self.seats.get(id));
            let after = cursors.map(|seat| seat.subscription.standing.cursor).min().unwrap_or(known.head);
            known.reading = true;
            orders.push(Order::Read { log, after });
        }
        self.unread = still_unread;
    }

    fn batch(&mut self, now: Timestamp) -> Option<Batch> {
        let is_due = now >= self.save_at || (self.results >= SAVE_RESULTS && !self.troubled);
        if self.saving || self.unsaved.is_empty() || !is_due {
            return None;
        }
        let mut batch = Batch { progress: Vec::new(), pens: Vec::new() };
        let mut results = 0;
        for id in self.unsaved.clone() {
            let seat = self.seats.get_mut(&id).expect("whoever leaves is taken off this list");
            // A verb that has the pen saves this progress with its own commit.
            let Ok(pen) = seat.pen.clone().try_lock_owned() else { continue };
            if results > 0 && results + seat.attempts.len() > SAVE_RESULTS {
                break;
            }
            results += seat.attempts.len();
            batch.progress.push(seat.progress(id));
            batch.pens.push(pen);
            seat.attempts.clear();
            seat.skips.clear();
            self.unsaved.remove(&id);
        }
        if batch.progress.is_empty() {
            // All of them are in a verb's hands; look again soon.
            self.save_at = now.plus(SAVE_AFTER);
            return None;
        }
        self.results -= results;
        self.saving = true;
        Some(batch)
    }

    /// Draws the consequences of an attempt.
    fn settle(&mut self, finished: Finished, luck: f64, now: Timestamp) {
        let id = finished.subscription;
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Some(log) = self.logs.get(&seat.log) else { return };
        let results = seat.attempts.len();
        if seat.settle(finished, luck, log.head, log.trimmed, now) {
            self.results += seat.attempts.len() - results;
            self.note_unsaved(id, now);
        }
    }

    fn note_unsaved(&mut self, id: SubscriptionId, now: Timestamp) {
        if self.unsaved.is_empty() && !self.saving {
            self.save_at = now.plus(SAVE_AFTER);
        }
        self.unsaved.insert(id);
    }

    fn wake_followers(&mut self, log: LogId, now: Timestamp) {
        let Some(known) = self.logs.get(&log) else { return };
        for id in known.followers.clone() {
            self.schedule(id, now);
        }
    }

    /// Keeps events at hand. When the room is used up all of it is given back:
    /// what is needed is read again, and nobody has to keep accounts.
    fn remember(&mut self, log: LogId, events: Vec<Event>) {
        if self.window_bytes > WINDOW_BYTES_MAX {
            self.window_bytes = 0;
            for known in self.logs.values_mut() {
                known.forget();
            }
        }
        if let Some(known) = self.logs.get_mut(&log) {
            self.window_bytes += known.remember(events);
        }
    }

    fn holds(&self, log: LogId, offset: Offset) -> bool {
        self.logs.get(&log).is_some_and(|log| log.window.contains_key(&offset))
    }
}
