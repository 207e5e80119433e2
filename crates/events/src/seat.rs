//! A subscription's place in the engine, and what the outcome of a call does there.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use tokio::sync::Mutex as Pen;

use crate::callback::Sink;
use crate::delivery::{Attempt, Verdict};
use crate::diagram::{Around, Input, Next, Outcome, decide};
use crate::event::Offset;
use crate::load::Form;
use crate::outlet::{Finished, Outlet};
use crate::pace::{Lesson, Pace};
use crate::roster::{Lane, READ_EVENTS};
use crate::subscription::{Standing, State, Subscription, SubscriptionId};
use crate::tables::{LogId, Progress, SkipRecord};
use crate::telling::{self, NewNotice};

/// A subscription as the engine has it: a little ahead of its row.
pub(crate) struct Seat {
    pub(crate) subscription: Subscription,
    pub(crate) log: LogId,
    pub(crate) outlet: Arc<Outlet>,
    /// What its receiver's answers have taught.
    pub(crate) pace: Pace,
    /// Whoever has it saves the row.
    pub(crate) pen: Arc<Pen<()>>,
    /// A call is in flight.
    pub(crate) calling: bool,
    /// A verb is under way.
    pub(crate) held: bool,
    /// A result that came in while the seat was held.
    pub(crate) parked: Option<(Finished, f64)>,
    /// When it is looked at again.
    pub(crate) alarm: Option<Timestamp>,
    /// Where it stands among the ready, if it does.
    pub(crate) ready: Option<Lane>,
    /// Attempts that no commit has saved.
    pub(crate) attempts: Vec<Attempt>,
    /// Skips that no commit has saved.
    pub(crate) skips: Vec<SkipRecord>,
    /// Notices that no commit has saved.
    pub(crate) notices: Vec<NewNotice>,
}

impl Seat {
    /// Gives a subscription a place where nothing has happened yet.
    pub(crate) fn new(subscription: Subscription, log: LogId, outlet: Arc<Outlet>, now: Timestamp) -> Self {
        Seat {
            subscription: within_reach(subscription, now),
            log,
            outlet,
            pace: Pace::unknown(now),
            pen: Arc::default(),
            calling: false,
            held: false,
            parked: None,
            alarm: None,
            ready: None,
            attempts: Vec::new(),
            skips: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Takes over what a verb has written.
    pub(crate) fn take_over(&mut self, subscription: Subscription, outlet: Arc<Outlet>, now: Timestamp) {
        self.pace.fill(&self.subscription.policy, now);
        if subscription.sink != self.subscription.sink {
            self.pace.start_over();
        }
        if subscription.standing.generation != self.subscription.standing.generation {
            self.pace.narrow();
        }
        self.subscription = within_reach(subscription, now);
        self.outlet = outlet;
    }

    /// Tells whether its next event is to be tried, once it is due.
    pub(crate) fn may_be_called(&self, head: Offset) -> bool {
        let standing = &self.subscription.standing;
        !self.calling && standing.delivers() && standing.cursor < head
    }

    /// Tells whether it will soon need what comes behind `head`.
    pub(crate) fn keeps_up(&self, head: Offset) -> bool {
        let standing = &self.subscription.standing;
        standing.delivers() && head.since(standing.cursor) <= READ_EVENTS as u64
    }

    /// Returns when its next event may be tried.
    pub(crate) fn due(&self, now: Timestamp) -> Timestamp {
        let Subscription { policy, standing, .. } = &self.subscription;
        standing.due.max(self.pace.ready_at(policy, now))
    }

    /// Returns where its next call waits for a slot.
    pub(crate) fn lane(&self) -> Lane {
        match self.subscription.standing.state {
            State::Failed { .. } => Lane::Probe,
            _ if self.pace.is_slow() => Lane::Slow,
            _ => Lane::Fast,
        }
    }

    /// Returns the form of its next call. What has failed once is tried alone,
    /// and so is a probe: after a failure the pace has narrowed to one event.
    pub(crate) fn form(&self) -> Form {
        let Subscription { policy, sink, .. } = &self.subscription;
        match sink {
            Sink::Https { .. } if policy.batch_events_max > 1 => Form::Array { events_max: self.pace.width(policy) },
            Sink::Https { .. } | Sink::Local { .. } => Form::Object,
        }
    }

    /// Follows a clock that was set back.
    pub(crate) fn set_back(&mut self, span: Duration) {
        let due = &mut self.subscription.standing.due;
        *due = due.minus(span);
        self.pace.set_back(span);
    }

    /// Returns what a commit has to save.
    pub(crate) fn progress(&self, id: SubscriptionId) -> Progress {
        Progress {
            id,
            standing: self.subscription.standing.clone(),
            attempts: self.attempts.clone(),
            skips: self.skips.clone(),
            notices: self.notices.clone(),
        }
    }

    /// Returns what a commit has to save, and takes it for saved.
    pub(crate) fn take_progress(&mut self, id: SubscriptionId) -> Progress {
        Progress {
            id,
            standing: self.subscription.standing.clone(),
            attempts: std::mem::take(&mut self.attempts),
            skips: std::mem::take(&mut self.skips),
            notices: std::mem::take(&mut self.notices),
        }
    }

    /// Draws the consequences of an attempt; tells whether there is something
    /// to save.
    pub(crate) fn settle(&mut self, finished: Finished, luck: f64, head: Offset, now: Timestamp) -> bool {
        let Finished { outcome, mut attempt, .. } = finished;
        let before = &self.subscription.standing;
        let Attempt { generation, offset, through, .. } = attempt;
        if generation == before.generation {
            let took = Duration::from_millis(attempt.took_ms);
            let lesson = Lesson { outcome, status: attempt.status, took, events: through.since(offset) + 1 };
            self.pace.learn(lesson, &self.subscription.policy, now);
        }
        let input = Input::Attempted { generation, offset, through, outcome, luck };
        let next = decide(before, input, &self.around(now)).unwrap_or(Next::Stays);
        attempt.verdict = match (&next, outcome) {
            (Next::Stays, _) if attempt.generation != before.generation => Verdict::Late,
            (Next::Skips(..), _) => Verdict::Skipped,
            (_, Outcome::Delivered) => Verdict::Delivered,
            (_, Outcome::Busy) => Verdict::Busy,
            (Next::Becomes(standing), _) if standing.state == State::Rejected => Verdict::Rejected,
            _ => Verdict::Failed,
        };
        match next {
            Next::Becomes(standing) => self.becomes(standing, &mut attempt, head, now),
            Next::Skips(standing, skipped) => {
                self.skips.push(SkipRecord { generation: standing.generation, skipped, at: now });
                self.becomes(standing, &mut attempt, head, now);
            }
            // A result that changes nothing has nothing to say about the state either.
            Next::Stays | Next::Ends => {}
        }
        // A hook may be full for days. That it still is says nothing new.
        let is_news = attempt.verdict != Verdict::Busy || attempt.number == 1;
        if is_news {
            self.attempts.push(attempt);
        }
        is_news
    }

    /// Lets an attempt say why the new state is what it is, and the new state
    /// when the next attempt comes.
    fn becomes(&mut self, mut standing: Standing, attempt: &mut Attempt, head: Offset, now: Timestamp) {
        if matches!(standing.state, State::Failed { .. } | State::Rejected) {
            standing.reason.clone_from(&attempt.detail);
        }
        if matches!(attempt.verdict, Verdict::Failed | Verdict::Busy) && standing.delivers() {
            attempt.next_at = Some(standing.due);
        }
        self.turns(standing, head, now);
    }

    /// Takes a new standing over, and notes what there is to tell of it.
    fn turns(&mut self, standing: Standing, head: Offset, now: Timestamp) {
        announce(&self.subscription, &standing);
        let before = std::mem::replace(&mut self.subscription.standing, standing);
        self.notices.extend(telling::changed(&self.subscription, &before, head, now));
    }

    /// Looks at the clock; tells whether that changed anything.
    pub(crate) fn let_time_pass(&mut self, head: Offset, now: Timestamp) -> bool {
        let around = Around { head, ..self.around(now) };
        let Ok(Next::Becomes(next)) = decide(&self.subscription.standing, Input::Clock, &around) else {
            return false;
        };
        self.turns(next, head, now);
        true
    }

    /// Stops holding on to events that are too many or too old to be kept.
    /// A hook, which nobody could update, goes on with fresh ones.
    pub(crate) fn is_overtaken(&mut self, head: Offset, now: Timestamp) {
        let id = self.subscription.id;
        let inputs: &[Input] = match self.subscription.sink {
            Sink::Https { .. } => &[Input::Retention],
            Sink::Local { .. } => &[Input::Retention, Input::Update],
        };
        for input in inputs {
            let around = Around { head, ..self.around(now) };
            match decide(&self.subscription.standing, *input, &around) {
                Ok(Next::Becomes(standing)) => self.turns(standing, head, now),
                Ok(Next::Skips(standing, skipped)) => {
                    let (first, last) = (skipped.first, skipped.last);
                    tracing::error!(subscription.id = %id, %first, %last, "events are lost: they waited too long");
                    self.skips.push(SkipRecord { generation: standing.generation, skipped, at: now });
                    self.turns(standing, head, now);
                }
                Ok(Next::Stays | Next::Ends) | Err(_) => {}
            }
        }
    }

    /// Returns what matters to the outcome of an attempt. Where the log stands
    /// does not: verbs ask for that, and they read it in their transaction.
    fn around(&self, now: Timestamp) -> Around<'_> {
        let Subscription { policy, standing, .. } = &self.subscription;
        Around { policy, head: standing.cursor, trimmed: Offset::START, now }
    }
}

/// Brings the next attempt within reach. If the wall clock was set back since
/// the row was written, what was to wait a minute does not wait for the old
/// time to come round.
fn within_reach(mut subscription: Subscription, now: Timestamp) -> Subscription {
    let latest = now.plus(subscription.policy.pause_max());
    subscription.standing.due = subscription.standing.due.min(latest);
    subscription
}

/// Tells the operator that a subscription has changed its state by itself.
fn announce(before: &Subscription, after: &Standing) {
    let (id, reason) = (before.id, after.reason.as_str());
    match (before.standing.state, after.state) {
        (State::Active | State::Paused, State::Failed { .. }) => {
            tracing::warn!(subscription.id = %id, reason, "subscription failed");
        }
        (State::Failed { .. }, State::Suspended { .. }) => {
            tracing::error!(subscription.id = %id, reason, "subscription suspended");
        }
        (State::Active | State::Failed { .. }, State::Rejected) => {
            tracing::warn!(subscription.id = %id, reason, "subscription rejected");
        }
        (State::Failed { .. }, State::Active) => {
            tracing::info!(subscription.id = %id, "subscription active again");
        }
        _ => {}
    }
}
