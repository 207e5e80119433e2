//! The state diagram: everything that can happen to a subscription.
//!
//! [`decide`] is a pure function: what a subscription is, what happens, and
//! what lies around it go in; what it becomes comes out. No clock, no chance
//! and no database: the golden table in `tests/` prints the diagram from this
//! code, a simulation replays it, a crash repeats it.
//!
//! An attempt carries the generation in which it began. Whoever changes what
//! is to be delivered (replay, resume, update, extraction, suspension) raises
//! the generation, and what still comes back from the old one is ignored.

use std::time::Duration;

use base::Timestamp;

use crate::event::Offset;
use crate::policy::{self, OnError, OnRejection, OnSuspension, Patience, Policy};
use crate::refusal::{Refusal, Verb};
use crate::subscription::{LastSuccess, Queue, SkipReason, Skipped, Standing, State};
use crate::telling::span;

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// Stop, and let events queue.
    Pause,
    /// Go on where it was paused.
    Resume,
    /// Go on with fresh events only.
    ResumeFromLatest,
    /// The definition is replaced.
    Update,
    /// Start again at this offset; 0 means as early as possible.
    Replay {
        /// The first event to be delivered again.
        from: Offset,
    },
    /// The owner takes events out by hand.
    Extract {
        /// The last one taken.
        through: Offset,
    },
    /// The owner passes over the event behind the cursor.
    SkipOne,
    /// The end.
    Delete,
    /// An attempt came to an end.
    Attempted {
        /// The generation in which it began.
        generation: u64,
        /// The first event that it carried.
        offset: Offset,
        /// The last one; the same, unless it carried a batch.
        through: Offset,
        /// How it ended.
        outcome: Outcome,
        /// A fraction in `0.0..1.0`, for jitter.
        luck: f64,
    },
    /// Time has passed.
    Clock,
    /// More waits for it, or for longer, than the log keeps for anybody.
    Retention,
}

/// How an attempt ended, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has the event, or every event of the batch.
    Delivered,
    /// It may work later.
    Failed(Patience),
    /// The receiver says that this event is wrong.
    Declined,
    /// The receiver says that it is gone for good.
    Gone,
    /// A hook of this program has no room.
    Busy,
}

/// What lies around a subscription when something happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its delivery settings.
    pub policy: &'a Policy,
    /// The last offset of its log.
    pub head: Offset,
    /// Everything up to here has been removed from the log.
    pub trimmed: Offset,
    /// The present time.
    pub now: Timestamp,
}

/// What a subscription becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing changes.
    Stays,
    /// It goes on like this.
    Becomes(Standing),
    /// It goes on like this, and these events were passed over without
    /// success, which is put on record with the same commit.
    Skips(Standing, Skipped),
    /// It ends, and its queue with it.
    Ends,
}

/// Tells what a subscription becomes when something happens to it.
#[expect(clippy::match_same_arms, reason = "each arm is an arrow of the diagram")]
pub fn decide(s: &Standing, input: Input, around: &Around<'_>) -> Result<Next, Refusal> {
    match (s.state, input) {
        (_, Input::Delete) => Ok(Next::Ends),

        (State::Suspended { queue: Queue::Destroyed }, Input::Update) => Ok(s.restored(around)),
        (_, Input::Update) => Ok(Next::Becomes(s.active_again(around.now))),

        (State::Active, Input::Pause) => Ok(Next::Becomes(Standing { state: State::Paused, ..s.clone() })),
        (State::Paused, Input::Resume) => Ok(Next::Becomes(s.active_again(around.now))),
        (State::Paused, Input::ResumeFromLatest) => {
            Ok(s.active_again(around.now).moved_ahead(around.head, SkipReason::ResumedFromLatest))
        }

        (State::Suspended { .. }, Input::Replay { .. }) => Err(refusal(Verb::Replay, s.state)),
        (_, Input::Replay { from }) => s.replayed(from, around),

        (State::Active | State::Paused, Input::Extract { .. }) => Err(refusal(Verb::Extract, s.state)),
        (State::Suspended { queue: Queue::Destroyed }, Input::Extract { .. }) => Ok(Next::Stays),
        (_, Input::Extract { through }) => Ok(s.extracted(through, around)),

        (State::Failed { .. } | State::Rejected, Input::SkipOne) => s.skipped_by_hand(around),
        (_, Input::SkipOne) => Err(refusal(Verb::SkipOne, s.state)),

        (_, Input::Pause) => Err(refusal(Verb::Pause, s.state)),
        (_, Input::Resume) => Err(refusal(Verb::Resume, s.state)),
        (_, Input::ResumeFromLatest) => Err(refusal(Verb::ResumeFromLatest, s.state)),

        (_, Input::Attempted { generation, offset, .. }) if generation != s.generation || offset != s.cursor.next() => {
            Ok(Next::Stays)
        }
        (State::Suspended { .. } | State::Rejected, Input::Attempted { .. }) => Ok(Next::Stays),
        (_, Input::Attempted { through, outcome: Outcome::Delivered, .. }) => {
            Ok(Next::Becomes(s.delivered(through, around.now)))
        }
        // What fails behind a pause has no consequence: resuming begins anew.
        (State::Paused, Input::Attempted { .. }) => Ok(Next::Stays),
        (_, Input::Attempted { offset, through, outcome, luck, .. }) => {
            let batch = through > offset;
            Ok(if batch { s.batch_failed(outcome, luck, around) } else { s.failed_once(outcome, luck, around) })
        }

        (State::Failed { since }, Input::Clock) if around.now >= since.plus(around.policy.suspend_after()) => {
            // Where nothing waits, because it was taken out by hand, there is
            // nothing to probe with and nothing to give up.
            let nothing_waits = s.cursor >= around.head;
            Ok(Next::Becomes(if nothing_waits { s.active_again(around.now) } else { s.suspended(around.policy) }))
        }
        (State::Failed { since }, Input::Clock) => Ok(s.alerted(around.policy.alerts_due(around.now.since(since)))),
        (_, Input::Clock) => Ok(Next::Stays),

        (State::Suspended { queue: Queue::Destroyed }, Input::Retention) => Ok(Next::Stays),
        (_, Input::Retention) => Ok(s.overtaken(around.head)),
    }
}

fn refusal(verb: Verb, state: State) -> Refusal {
    Refusal::State { verb, state }
}

impl Standing {
    fn active_again(&self, now: Timestamp) -> Standing {
        Standing {
            state: State::Active,
            reason: String::new(),
            generation: self.generation + 1,
            attempts: 0,
            due: now,
            ..self.clone()
        }
    }

    fn moved_ahead(self, to: Offset, reason: SkipReason) -> Next {
        if to <= self.cursor {
            return Next::Becomes(self);
        }
        let skipped = Skipped { first: self.cursor.next(), last: to, reason };
        Next::Skips(Standing { cursor: to, attempts: 0, ..self }, skipped)
    }

    /// The queue begins anew at the head; what was destroyed goes on record.
    fn restored(&self, around: &Around<'_>) -> Next {
        let anew = Standing { floor: around.head, ..self.active_again(around.now) };
        anew.moved_ahead(around.head, SkipReason::Suspension)
    }

    fn replayed(&self, from: Offset, around: &Around<'_>) -> Result<Next, Refusal> {
        let first = self.floor.max(around.trimmed).next();
        let from = if from == Offset::START { first } else { from };
        if from <= self.floor {
            return Err(Refusal::BeforeStart { first: self.floor.next() });
        }
        if from < first {
            return Err(Refusal::Forgotten { first });
        }
        if from > around.head.next() {
            return Err(Refusal::Ahead { next: around.head.next() });
        }
        let again = Standing { reached: self.reached.max(self.cursor), ..self.active_again(around.now) };
        if from > self.cursor {
            return Ok(again.moved_ahead(from.previous(), SkipReason::ReplayedAhead));
        }
        Ok(Next::Becomes(Standing { cursor: from.previous(), ..again }))
    }

    /// Without an event there is nothing that could be wrong, and nothing to
    /// probe with: whoever asks for more and gets none has settled the matter.
    /// The last page leaves the state alone, because who takes page after page
    /// until one is empty must be given that one, too.
    fn extracted(&self, through: Offset, around: &Around<'_>) -> Next {
        let settled = self.cursor >= around.head && matches!(self.state, State::Failed { .. } | State::Rejected);
        let anew = if settled {
            self.active_again(around.now)
        } else {
            Standing { generation: self.generation + 1, ..self.clone() }
        };
        anew.moved_ahead(through, SkipReason::Extracted)
    }

    fn skipped_by_hand(&self, around: &Around<'_>) -> Result<Next, Refusal> {
        if self.cursor >= around.head {
            return Err(Refusal::NothingQueued);
        }
        Ok(self.active_again(around.now).moved_ahead(self.cursor.next(), SkipReason::ByHand))
    }

    fn delivered(&self, through: Offset, now: Timestamp) -> Standing {
        let state = if self.state == State::Paused { State::Paused } else { State::Active };
        Standing {
            state,
            reason: String::new(),
            cursor: through,
            attempts: 0,
            due: now,
            last_success: LastSuccess::Event { offset: through, at: now },
            delivered: self.delivered + through.since(self.cursor),
            ..self.clone()
        }
    }

    /// Which event of a batch the receiver could not take, nobody knows. So
    /// nothing is passed over, rejected or given up for it: the head event is
    /// tried alone, at once if there is something wrong with one of them.
    fn batch_failed(&self, outcome: Outcome, luck: f64, around: &Around<'_>) -> Next {
        let patience = match outcome {
            Outcome::Failed(patience) => Some(patience),
            // That nobody is there is no matter of events.
            Outcome::Gone if around.policy.on_error == OnError::Keep => {
                return self.failed_once(outcome, luck, around);
            }
            Outcome::Gone | Outcome::Declined | Outcome::Busy | Outcome::Delivered => None,
        };
        let attempts = self.attempts + 1;
        let pause = patience.map(|patience| around.policy.pause_before_retry(attempts, patience, luck));
        Next::Becomes(Standing {
            attempts,
            failures: self.failures + 1,
            due: around.now.plus(pause.unwrap_or_default()),
            ..self.clone()
        })
    }

    fn failed_once(&self, outcome: Outcome, luck: f64, around: &Around<'_>) -> Next {
        let Around { policy, now, .. } = *around;
        let tried = Standing { attempts: self.attempts + 1, failures: self.failures + 1, ..self.clone() };
        let skips = policy.on_error == OnError::Skip;
        let rejects = policy.on_rejection == OnRejection::Reject;
        let patience = match outcome {
            Outcome::Busy => {
                let due = now.plus(policy::busy_pause(self.attempts, luck));
                return Next::Becomes(Standing { due, failures: self.failures, ..tried });
            }
            Outcome::Declined if rejects && skips => return tried.skipped(SkipReason::Rejection, now),
            Outcome::Declined if rejects => {
                return Next::Becomes(Standing { state: State::Rejected, reason: "rejected".into(), ..tried });
            }
            Outcome::Gone if skips => return tried.skipped(SkipReason::Errors, now),
            Outcome::Gone => return Next::Becomes(tried.failing(Patience::Own, luck, around)),
            Outcome::Failed(patience) => patience,
            Outcome::Declined | Outcome::Delivered => Patience::Own,
        };
        if let State::Active = self.state
            && let Some(pause) = policy.retry_pause(tried.attempts, patience, luck)
        {
            return Next::Becomes(Standing { due: now.plus(pause), ..tried });
        }
        if skips {
            return tried.skipped(SkipReason::Errors, now);
        }
        Next::Becomes(tried.failing(patience, luck, around))
    }

    /// Failed it becomes or stays; either way the next probe is set.
    fn failing(self, patience: Patience, luck: f64, around: &Around<'_>) -> Standing {
        let since = match self.state {
            State::Failed { since } => since,
            _ => around.now,
        };
        let failed_for: Duration = around.now.since(since);
        let due = around.now.plus(around.policy.probe_pause(failed_for, patience, luck));
        let alerts = if let State::Failed { .. } = self.state { self.alerts } else { 0 };
        Standing { state: State::Failed { since }, due, alerts, ..self }
    }

    /// All alerts that have become due are raised as one: after a standstill
    /// nobody wants to hear of the first when the third is due.
    fn alerted(&self, due: u32) -> Next {
        if due <= self.alerts {
            return Next::Stays;
        }
        Next::Becomes(Standing { alerts: due, ..self.clone() })
    }

    fn skipped(self, reason: SkipReason, now: Timestamp) -> Next {
        let to = self.cursor.next();
        Standing { state: State::Active, reason: String::new(), due: now, ..self }.moved_ahead(to, reason)
    }

    /// What it is too far behind to receive goes on record at once, because it
    /// will be removed from the log.
    fn overtaken(&self, head: Offset) -> Next {
        let queued = head.since(self.cursor);
        let suspended = Standing {
            state: State::Suspended { queue: Queue::Destroyed },
            reason: format!("retention: it was {queued} events behind, more or older ones than are kept"),
            generation: self.generation + 1,
            attempts: 0,
            ..self.clone()
        };
        suspended.moved_ahead(head, SkipReason::Retention)
    }

    fn suspended(&self, policy: &Policy) -> Standing {
        let failed_for = span(policy.suspend_after());
        let queue = match policy.on_suspension {
            OnSuspension::Destroy => Queue::Destroyed,
            OnSuspension::Keep => Queue::Kept,
        };
        Standing {
            state: State::Suspended { queue },
            reason: format!("failed for {failed_for}: {}", self.reason),
            generation: self.generation + 1,
            attempts: 0,
            ..self.clone()
        }
    }
}
