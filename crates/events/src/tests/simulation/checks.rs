//! The books against what the receivers saw: P1, P4, P5, P6, P8 and P14.

use base::args;
use base::db::Tx;

use super::*;

/// The books of one moment.
#[derive(Default)]
pub(super) struct Books {
    pub(super) head: u64,
    pub(super) trimmed: u64,
    subscriptions: Vec<(Subscription, Vec<Skipped>)>,
    /// The first and the last event that are in the log; with the accounts,
    /// there is none missing in between.
    kept: (Option<u64>, Option<u64>),
    /// What the log holds, counted by hand, and by its own account.
    accounts: ((u64, u64), (u64, u64)),
    /// The oldest first; nothing if they were not looked at.
    notices: Option<Vec<Notice>>,
}

impl Books {
    pub(super) fn read(tx: &mut dyn Tx, with_notices: bool) -> Result<Books, base::db::Error> {
        let mut books = Books::default();
        for log in crate::tables::logs(tx)? {
            (books.head, books.trimmed) = (log.head.0, log.trimmed.0);
            books.accounts = super::super::retention::accounts(tx);
        }
        if with_notices {
            let all = Paging { page: 0, size: 100_000 };
            let mut notices = crate::tables::notices(tx, &actor("root", true), all)?.content;
            notices.reverse();
            books.notices = Some(notices);
        }
        if let Some(row) = tx.query_one("SELECT MIN(log_offset), MAX(log_offset) FROM event_log", args![])? {
            books.kept = (row.get(0)?, row.get(1)?);
        }
        for stored in crate::tables::all(tx)? {
            let skips = crate::tables::skips(tx, stored.subscription.id)?;
            books.subscriptions.push((stored.subscription, skips.into_iter().map(|record| record.skipped).collect()));
        }
        Ok(books)
    }

    pub(super) fn ids(&self) -> Vec<SubscriptionId> {
        self.subscriptions.iter().map(|(subscription, _)| subscription.id).collect()
    }

    /// Every change of a state is told once, in its own commit.
    fn telling(&self, notices: &[Notice]) {
        let told = match super::super::notices::follow(notices) {
            Ok(told) => told,
            Err(what) => broken(Property::Telling, what),
        };
        for (subscription, _) in &self.subscriptions {
            let (id, state) = (subscription.id, subscription.standing.state.word());
            if told.get(&id) != Some(&state) {
                broken(Property::Telling, format!("{id} is {state}, and {:?} was told last", told.get(&id)));
            }
        }
        let known = |id: &SubscriptionId| self.subscription(*id).is_some();
        if let Some((id, state)) = told.iter().find(|(id, state)| !known(id) && **state != "deleted") {
            broken(Property::Telling, format!("{id} is gone, and yet it was told to be {state}"));
        }
    }

    fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.iter().map(|(subscription, _)| subscription).find(|subscription| subscription.id == id)
    }
}

impl World {
    /// Compares the books with what the receivers saw.
    pub(super) fn books(&mut self, books: &Books) {
        let is_empty = books.trimmed == books.head;
        let expected = if is_empty { (None, None) } else { (Some(books.trimmed + 1), Some(books.head)) };
        if books.kept != expected {
            broken(Property::Conservation, format!("the log should hold {expected:?} and holds {:?}", books.kept));
        }
        let (by_hand, own) = books.accounts;
        if by_hand != own {
            broken(Property::Conservation, format!("the log holds {by_hand:?}, and its account says {own:?}"));
        }
        if let Some(notices) = &books.notices {
            books.telling(notices);
        }
        for (subscription, skips) in &books.subscriptions {
            let (id, standing) = (subscription.id, &subscription.standing);
            if !self.subscriptions.contains(&id) {
                continue;
            }
            if !standing.queue_is_destroyed() && standing.cursor.0 < books.trimmed {
                broken(Property::Conservation, format!("{id}: what it waits for was removed"));
            }
            let mut ledger = self.receivers.ledger.lock();
            let reader = ledger.reader(id);
            for offset in subscription.birth.0 + 1..=standing.cursor.0 {
                let is_skipped = || skips.iter().any(|skip| (skip.first.0..=skip.last.0).contains(&offset));
                if !reader.acknowledged.contains(&offset) && !is_skipped() {
                    broken(Property::Cursor, format!("{id}: the cursor is beyond {offset}, which nobody acknowledged"));
                }
            }
            if let State::Suspended { .. } = standing.state {
                reader.silent = true;
            }
            if standing.generation != reader.generation && !standing.delivers() {
                reader.generation = standing.generation;
            }
        }
        self.trimmed = books.trimmed;
        self.complaints();
    }

    /// Ends the life if a receiver has something to complain about.
    pub(super) fn complaints(&self) {
        if let Some((property, what)) = self.receivers.ledger.lock().complaints.first() {
            broken(*property, what);
        }
    }

    /// By themselves subscriptions take few arrows, and one of them at its time.
    /// What the engine says counts here: a full disk may keep the books from
    /// being written for a while.
    pub(super) fn arrows(&mut self) {
        let now = self.house.clock.now();
        for id in &self.subscriptions {
            let Some(present) = self.house.events.roster().present(*id) else { continue };
            let Subscription { policy, standing, .. } = present;
            let after = standing.state.word();
            let before = self.states.insert(*id, after).unwrap_or(after);
            // Whoever is too far behind is suspended from any state.
            let overtaken = after == "suspended" && standing.reason.starts_with("retention");
            if overtaken {
                self.report.been.insert(("fall behind", "suspended"));
            }
            let moves = matches!(before, "active" | "failed") && after != "paused";
            if before != after && !moves && !overtaken {
                broken(Property::States, format!("{id} went from {before} to {after} by itself"));
            }
            match standing.state {
                State::Failed { since } => {
                    let deadline = since.plus(policy.suspend_after());
                    if now >= deadline {
                        broken(Property::EightHours, format!("{id}: it should be suspended"));
                    }
                    let earlier = self.failed.get(id).filter(|_| before == "failed");
                    if earlier.is_some_and(|failed| failed.deadline != deadline) {
                        broken(Property::EightHours, format!("{id}: its time begins anew"));
                    }
                    let latest = earlier.map_or(now, |failed| failed.latest.max(now));
                    let (alerts, raised) = (standing.alerts, earlier.map_or(0, |failed| failed.alerts));
                    if alerts < policy.alerts_due(now.since(since)) {
                        broken(Property::Telling, format!("{id}: an alert is due, and was not raised"));
                    }
                    if alerts > raised && alerts > policy.alerts_due(latest.since(since)) {
                        broken(Property::Telling, format!("{id}: an alert was raised before it was due"));
                    }
                    if alerts > raised {
                        self.report.been.insert(("alert", "failed"));
                    }
                    self.failed.insert(*id, Failed { deadline, latest, alerts });
                }
                State::Suspended { .. } => {
                    if let Some(failed) = self.failed.remove(id)
                        && !overtaken
                        && failed.latest.max(now) < failed.deadline
                    {
                        broken(Property::EightHours, format!("{id}: it was suspended too soon"));
                    }
                }
                State::Active | State::Rejected | State::Paused => drop(self.failed.remove(id)),
            }
        }
    }

    /// Compares what a crash left with what was answered before it, and takes
    /// over what had no answer.
    pub(super) fn after_crash(&mut self, books: &Books) {
        let mut ledger = self.receivers.ledger.lock();
        let known = books.head == ledger.head || self.unclear_head == Some(books.head);
        if !known {
            let (told, unclear) = (ledger.head, self.unclear_head);
            let found = books.head;
            broken(Property::Conservation, format!("{told} were answered, {unclear:?} unclear, {found} are there"));
        }
        ledger.head = books.head;
        self.unclear_head = None;
        for id in books.ids() {
            if ledger.readers.get(&id).is_some_and(|reader| reader.ended && !reader.unclear) {
                broken(Property::Silence, format!("{id}: a delete was answered and is undone"));
            }
        }
        let mut ended = Vec::new();
        for id in &self.subscriptions {
            let reader = ledger.reader(*id);
            let unclear = std::mem::take(&mut reader.unclear);
            let Some(subscription) = books.subscription(*id) else {
                if !unclear {
                    broken(Property::Conservation, format!("{id}: the subscription is lost"));
                }
                (reader.silent, reader.ended) = (true, true);
                ended.push(*id);
                continue;
            };
            let standing = &subscription.standing;
            if standing.generation < reader.generation {
                broken(Property::States, format!("{id}: what was answered in a generation is undone"));
            }
            if reader.silent && standing.delivers() && !unclear {
                broken(Property::Silence, format!("{id}: a pause or a suspension was answered and is undone"));
            }
            if standing.generation != reader.generation {
                reader.first_seen.clear();
                reader.generation = standing.generation;
            }
            reader.policy = subscription.policy.clone();
            // What lies behind was not saved, and has to be delivered again.
            reader.acknowledged.retain(|offset| *offset <= standing.cursor.0);
            reader.reached = standing.reached.0;
            reader.silent = !standing.delivers();
            self.states.insert(*id, standing.state.word());
            match standing.state {
                State::Failed { since } => {
                    let deadline = since.plus(subscription.policy.suspend_after());
                    let (latest, alerts) = (self.house.clock.now(), standing.alerts);
                    self.failed.insert(*id, Failed { deadline, latest, alerts });
                }
                _ => drop(self.failed.remove(id)),
            }
        }
        self.subscriptions.retain(|id| !ended.contains(id));
        self.failed.retain(|id, _| !ended.contains(id));
    }
}

/// A subscription that is failed, and the latest time that it has seen since.
pub(super) struct Failed {
    pub(super) deadline: Timestamp,
    pub(super) latest: Timestamp,
    pub(super) alerts: u32,
}
