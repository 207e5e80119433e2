//! What callers do in a simulated life, and where the diagram leads.

use serde_json::value::RawValue;

use super::world::{Fate, fate};
use super::*;
use crate::signature::SigningKey;

/// The delivery settings that subscriptions have.
pub(super) fn policies() -> Vec<Policy> {
    let ms = |pauses: &[u64]| pauses.to_vec();
    vec![
        Policy::default(),
        Policy { on_error: OnError::Skip, ..Policy::default() },
        Policy { on_rejection: OnRejection::Reject, on_suspension: OnSuspension::Keep, ..Policy::default() },
        Policy { retry_pauses_ms: ms(&[]), on_rejection: OnRejection::Reject, ..Policy::default() },
        Policy { retry_pauses_ms: ms(&[1_000]), suspend_after_ms: 3_600_000, ..Policy::default() },
        Policy { batch_events_max: 5, on_rejection: OnRejection::Reject, ..Policy::default() },
        Policy { on_error: OnError::Skip, on_rejection: OnRejection::Reject, ..Policy::default() },
        Policy { rate_per_second: Some(2), on_rejection: OnRejection::Reject, ..Policy::default() },
        Policy {
            batch_events_max: 100,
            on_error: OnError::Skip,
            on_rejection: OnRejection::Reject,
            retry_pauses_ms: ms(&[1_000]),
            ..Policy::default()
        },
        Policy { retry_pauses_ms: ms(&[100, 100]), probe_first_ms: 100, probe_max_ms: 1_000, ..Policy::default() },
    ]
}

impl World {
    /// Makes a subscription; tells whether the disk let it.
    pub(super) async fn subscribe(&mut self, policy: Policy) -> bool {
        let events = self.house.events.clone();
        let made = async {
            let id = events.create(&ada(), &late_orders(), request("orders")).await?.id;
            let secret = events.read_secret(&ada(), id).await?;
            Ok::<_, Error>((id, secret, events.set_policy(&ada(), id, policy.clone()).await?.standing))
        };
        let made = made.await;
        match fate(&made) {
            Fate::Done => {}
            Fate::Full => {
                self.full();
                return false;
            }
            Fate::Unclear => {
                self.unclear(None, None).await;
                return false;
            }
            Fate::Refused => broken(Property::States, format!("a subscription was refused: {:?}", made.err())),
        }
        let (id, secret, standing) = made.expect("it is done");
        let key = SigningKey::new(&secret).expect("a secret is one");
        let generation = standing.generation;
        let reader = Reader { keys: vec![(key, None)], generation, policy, ..Reader::default() };
        self.receivers.ledger.lock().readers.insert(id, reader);
        self.subscriptions.push(id);
        self.states.insert(id, standing.state.word());
        self.report.count("lives", "subscriptions", 1);
        self.tell(format!("{id} is made"));
        true
    }

    pub(super) async fn verb(&mut self) {
        const VERBS: [(&str, u64); 10] = [
            ("pause", 4),
            ("resume", 4),
            ("resume from latest", 2),
            ("update", 2),
            ("replay", 3),
            ("extract", 3),
            ("skip", 3),
            ("delete", 2),
            ("rotate", 2),
            ("settings", 1),
        ];
        if self.subscriptions.is_empty() {
            return;
        }
        // Half of the time for somebody whose state does not last.
        let is_rare = |id: &SubscriptionId| matches!(self.states.get(id), Some(&("rejected" | "failed")));
        let rare: Vec<usize> =
            (0..self.subscriptions.len()).filter(|place| is_rare(&self.subscriptions[*place])).collect();
        let place = match self.draw(2) {
            0 if !rare.is_empty() => rare[self.draw(rare.len() as u64) as usize],
            _ => self.draw(self.subscriptions.len() as u64) as usize,
        };
        let mut lot = self.draw(VERBS.iter().map(|(_, weight)| weight).sum());
        let drawn = VERBS.iter().find(|(_, weight)| {
            let is_drawn = lot < *weight;
            lot = lot.saturating_sub(*weight);
            is_drawn
        });
        let (verb, _) = *drawn.expect("the lot is less than the sum of all weights");
        let id = self.subscriptions[place];
        let before = self.house.events.roster().standing(id).expect("it has a seat");
        let state = before.state.word();
        let head = Offset(self.receivers.ledger.lock().head);
        let from = Offset(self.draw(head.0 + 3));
        let known = policies();
        let policy = known[self.draw(known.len() as u64) as usize].clone();
        let overlap = Duration::from_hours([0, 1, 24][self.draw(3) as usize]);
        let now = self.house.clock.now();
        let events = self.house.events.clone();
        let (mut secret, mut taken) = (None, Vec::new());
        let answer = match verb {
            "pause" => events.pause(&ada(), id).await.map(drop),
            "resume" => events.resume(&ada(), id).await.map(drop),
            "resume from latest" => events.resume_from_latest(&ada(), id).await.map(drop),
            "update" => events.update(&ada(), id, request("again")).await.map(drop),
            "replay" => events.replay(&ada(), id, from).await.map(drop),
            "extract" => events.extract(&ada(), id).await.map(|bodies| taken = bodies),
            "skip" => events.skip_one(&ada(), id).await.map(drop),
            "rotate" => events.rotate_secret(&ada(), id, overlap).await.map(|made| secret = Some(made)),
            "settings" => events.set_policy(&ada(), id, policy.clone()).await.map(drop),
            _ => events.delete(&ada(), id).await,
        };
        drop(events);
        self.tell(format!("{verb} {id}, which is {state}"));
        self.report.been.insert((verb, state));
        let arrow = arrow(verb, &before, from.0, Log { head: head.0, trimmed: self.trimmed });
        match (fate(&answer), arrow) {
            (Fate::Done, Ok(_)) => {}
            (Fate::Refused, Err(expected)) if is_refused(&answer, expected) => return,
            (Fate::Full, _) => return self.full(),
            (Fate::Unclear, _) => {
                let until = (verb == "rotate").then(|| now.plus(overlap));
                self.receivers.ledger.lock().reader(id).has_no_answer(until, now);
                return self.unclear(None, Some(id)).await;
            }
            _ => broken(Property::States, format!("{verb} while {state}: {answer:?} and not {arrow:?}")),
        }
        let Some(after) = self.house.events.roster().standing(id) else {
            let mut ledger = self.receivers.ledger.lock();
            let reader = ledger.reader(id);
            (reader.silent, reader.ended) = (true, true);
            self.subscriptions.remove(place);
            self.failed.remove(&id);
            return;
        };
        if Ok(after.state.word()) != arrow {
            broken(Property::States, format!("{verb} while {state} leads to {}", after.state.word()));
        }
        self.states.insert(id, after.state.word());
        if let Some(failed) = self.failed.get_mut(&id)
            && let State::Failed { since } = after.state
            && verb == "settings"
        {
            failed.deadline = since.plus(policy.suspend_after());
        }
        let mut ledger = self.receivers.ledger.lock();
        let reader = ledger.reader(id);
        reader.silent = !matches!(after.state, State::Active | State::Failed { .. });
        if let Some(secret) = secret {
            reader.end_keys(now.plus(overlap), now);
            reader.keys.push((SigningKey::new(&secret).expect("a secret is one"), None));
        }
        if verb == "settings" {
            reader.policy = policy;
            reader.began.clear();
        }
        let expected = if verb == "extract" { extracted(&before, head) } else { 0 };
        let events = taken.iter().map(|body| serde_json::from_slice::<Box<RawValue>>(body).expect("an object"));
        let differs = (before.cursor.0 + 1..).zip(events).any(|(offset, event)| !reader.is_known(offset, &event));
        if differs || taken.len() as u64 != expected {
            broken(Property::Identity, format!("{id}: {} of {expected} were taken out, or others", taken.len()));
        }
        if verb == "replay" {
            reader.settled.clear();
            let first = if from == Offset::START { before.floor.0.max(self.trimmed) + 1 } else { from.0 };
            reader.acknowledged.retain(|offset| *offset < first);
            reader.reached = reader.reached.max(before.cursor.0);
        }
        if after.generation != reader.generation {
            reader.generation = after.generation;
            reader.first_seen.clear();
            reader.failed_at = None;
        }
    }
}

/// How much of a log there is.
#[derive(Clone, Copy)]
struct Log {
    head: u64,
    trimmed: u64,
}

/// Tells where the arrow of a verb leads to, or why there is none.
fn arrow(verb: &str, s: &Standing, from: u64, log: Log) -> Result<&'static str, &'static str> {
    let (state, Log { head, trimmed }) = (s.state.word(), log);
    let in_trouble = matches!(state, "failed" | "rejected");
    match verb {
        "pause" if state == "active" => Ok("paused"),
        "resume" | "resume from latest" if state == "paused" => Ok("active"),
        "replay" if state == "suspended" => Err("state"),
        "replay" if from > 0 && from <= s.floor.0 => Err("before start"),
        "replay" if from > 0 && from <= trimmed => Err("forgotten"),
        "replay" if from > head + 1 => Err("ahead"),
        "replay" | "update" => Ok("active"),
        "skip" if in_trouble && s.cursor.0 >= head => Err("nothing queued"),
        "skip" if in_trouble => Ok("active"),
        // Whoever asks for more and gets none has settled the matter.
        "extract" if in_trouble && s.cursor.0 == head => Ok("active"),
        "extract" if !matches!(state, "active" | "paused") => Ok(state),
        "pause" | "resume" | "resume from latest" | "skip" | "extract" => Err("state"),
        _ => Ok(state),
    }
}

/// Returns how many events an extraction takes.
fn extracted(s: &Standing, head: Offset) -> u64 {
    s.queued(head).min(50)
}

/// Tells whether a verb was refused, and for this reason.
fn is_refused<T>(answer: &Result<T, Error>, expected: &str) -> bool {
    let Err(Error::Refused { refusal, .. }) = answer else { return false };
    let reason = match refusal {
        Refusal::State { .. } => "state",
        Refusal::NothingQueued => "nothing queued",
        Refusal::BeforeStart { .. } => "before start",
        Refusal::Forgotten { .. } => "forgotten",
        Refusal::Ahead { .. } => "ahead",
    };
    reason == expected
}

impl Reader {
    /// A verb on its subscription may count or not; if it was a rotation, the
    /// secrets that it has may end at a time.
    fn has_no_answer(&mut self, until: Option<Timestamp>, now: Timestamp) {
        self.unclear = true;
        if let Some(until) = until {
            self.end_keys(until, now);
        }
    }

    /// Ends the secrets that it has, as a rotation does.
    fn end_keys(&mut self, until: Timestamp, now: Timestamp) {
        for (_, valid_until) in &mut self.keys {
            *valid_until = Some(valid_until.map_or(until, |sooner| sooner.min(until)));
        }
        self.keys.retain(|(_, valid_until)| valid_until.is_none_or(|until| now < until));
    }
}
