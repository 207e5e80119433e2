//! What there is to tell: from a change of standing to a notice in words.
//!
//! A subscription's notices come out of two standings, before and after, and
//! so are as certain as the decision between them: who made it, a verb, a
//! receiver or the clock, does not matter. [`NewNotice::about`] names the
//! change by where in its life the subscription was. A commit that is repeated
//! writes the same name, and nothing twice.

use std::fmt::Write as _;
use std::time::Duration;

use base::Timestamp;

use crate::callback::{Sink, shown};
use crate::event::Offset;
use crate::notice::NoticeKind;
use crate::policy::OnSuspension;
use crate::subscription::{Owner, Queue, Standing, State, Subscription, SubscriptionId};

/// A notice that no commit has written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewNotice {
    /// Names what it tells of; there is one notice per name.
    pub(crate) about: String,
    pub(crate) kind: NoticeKind,
    pub(crate) subscription: Option<SubscriptionId>,
    pub(crate) name: String,
    pub(crate) owner: Option<Owner>,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

impl NewNotice {
    /// Makes a notice for administrators.
    pub(crate) fn for_administrators(kind: NoticeKind, about: String, at: Timestamp, text: String) -> Self {
        NewNotice { about, kind, subscription: None, name: String::new(), owner: None, at, text }
    }

    /// Makes a notice for the owner of a subscription. Hooks of this program
    /// have nobody who would want to know.
    fn of(s: &Subscription, kind: NoticeKind, place: &str, at: Timestamp, text: String) -> Option<Self> {
        if let Sink::Local { .. } = s.sink {
            return None;
        }
        Some(NewNotice {
            about: format!("{}/{}/{place}", kind.word(), s.id),
            kind,
            subscription: Some(s.id),
            name: s.name.clone(),
            owner: Some(s.owner.clone()),
            at,
            text,
        })
    }
}

/// Tells that a subscription was made.
pub(crate) fn created(s: &Subscription, now: Timestamp) -> Option<NewNotice> {
    let Sink::Https { uri } = &s.sink else { return None };
    let text = format!(
        "The subscription \"{}\" was created by {}. {} receives the events of the trigger {} from offset {} on.",
        s.name,
        s.owner.name,
        shown(uri),
        s.trigger,
        s.birth.next(),
    );
    NewNotice::of(s, NoticeKind::Created, "", now, text)
}

/// Tells that a subscription was deleted, and what went with it.
pub(crate) fn deleted(s: &Subscription, head: Offset, now: Timestamp) -> Option<NewNotice> {
    let mut text = format!("The subscription \"{}\" was deleted.", s.name);
    match s.standing.queued(head) {
        0 => {}
        queued => add(&mut text, &format!("{} for it and will not be delivered.", counted(queued, "waited"))),
    }
    NewNotice::of(s, NoticeKind::Deleted, "", now, text)
}

/// Tells what the owner of a subscription should know about what it has
/// become, seen from what it was; nothing if that is no news.
pub(crate) fn changed(s: &Subscription, before: &Standing, head: Offset, now: Timestamp) -> Option<NewNotice> {
    let after = &s.standing;
    let (kind, text) = match (before.state, after.state) {
        (State::Failed { .. }, State::Failed { since }) if after.alerts > before.alerts => {
            (NoticeKind::Alert, alert_text(s, since, head, now))
        }
        (State::Failed { .. }, State::Failed { .. }) => return None,
        (_, State::Failed { since }) => (NoticeKind::Failed, failed_text(s, since, head)),
        (was, is) if was == is => return None,
        (_, State::Suspended { queue }) => (NoticeKind::Suspended, suspended_text(s, queue, before.queued(head))),
        (_, State::Rejected) => (NoticeKind::Rejected, rejected_text(s, head)),
        (_, State::Paused) => {
            let text = format!("The subscription \"{}\" was paused. Its events queue until it is resumed.", s.name);
            (NoticeKind::Paused, text)
        }
        (State::Paused, State::Active) => {
            let text = format!("The subscription \"{}\" was resumed.", s.name);
            (NoticeKind::Resumed, text + &on_its_way(before, after, head))
        }
        (was, State::Active) => {
            let text = format!("The subscription \"{}\" is active again; it was {}.", s.name, was.word());
            (NoticeKind::ActiveAgain, text + &on_its_way(before, after, head))
        }
    };
    // Within a generation the cursor only goes forward, and no standing comes
    // back without one of the two having moved.
    let place = match kind {
        NoticeKind::Alert => format!("{}/{}/{}", after.generation, after.cursor, after.alerts),
        _ => format!("{}/{}", after.generation, after.cursor),
    };
    NewNotice::of(s, kind, &place, now, text)
}

/// Tells that so much waits for a subscription, or for so long, that it will
/// be suspended.
pub(crate) fn retention_near(
    s: &Subscription,
    head: Offset,
    waits: &crate::retention::Waits,
    now: Timestamp,
) -> Option<NewNotice> {
    let mut text = format!(
        "{} for the subscription \"{}\", with {} bytes of at most {}; the oldest has waited for {} of at most {}.",
        counted(s.standing.queued(head), "waits"),
        s.name,
        waits.bytes,
        waits.bytes_max,
        span(waits.age),
        span(waits.age_max),
    );
    add(&mut text, "When there is more, it will be suspended and lose them. Nothing is lost until then.");
    NewNotice::of(s, NoticeKind::RetentionNear, &now.as_micros().to_string(), now, text)
}

fn failed_text(s: &Subscription, since: Timestamp, head: Offset) -> String {
    let mut text = format!("The subscription \"{}\" has been failed since {since}.", s.name);
    add(&mut text, &last_answer(s));
    add(&mut text, &format!("{} for it.", counted(s.standing.queued(head), "waits")));
    add(&mut text, &until_suspended(s, since));
    text
}

fn alert_text(s: &Subscription, since: Timestamp, head: Offset, now: Timestamp) -> String {
    let failed_for = span(now.since(since));
    let mut text = format!("The subscription \"{}\" has been failed for {failed_for}, since {since}.", s.name);
    add(&mut text, &last_answer(s));
    add(&mut text, &format!("{} for it.", counted(s.standing.queued(head), "waits")));
    add(&mut text, &until_suspended(s, since));
    text
}

fn suspended_text(s: &Subscription, queue: Queue, queued: u64) -> String {
    let mut text = format!("The subscription \"{}\" was suspended: {}.", s.name, s.standing.reason);
    let became = match queue {
        Queue::Destroyed => format!("{} lost, and so is what comes until it is updated.", counted(queued, "is")),
        Queue::Kept => format!(
            "{} kept, and so is what comes; all of it waits until it is updated or taken out by hand.",
            counted(queued, "is")
        ),
    };
    add(&mut text, &became);
    text
}

fn rejected_text(s: &Subscription, head: Offset) -> String {
    let offset = s.standing.cursor.next();
    let mut text = format!("The receiver of the subscription \"{}\" says that its event {offset} is wrong.", s.name);
    add(&mut text, &last_answer(s));
    add(&mut text, &format!("{} for it, this one included.", counted(s.standing.queued(head), "waits")));
    add(&mut text, "It goes on when it is updated or replayed; until then events can be taken out by hand.");
    text
}

/// Says what becomes of the events of a subscription that goes on.
fn on_its_way(before: &Standing, after: &Standing, head: Offset) -> String {
    let mut text = String::new();
    let is_new_start = after.generation > before.generation;
    let passed_over = if is_new_start { after.cursor.since(before.cursor) } else { 0 };
    if passed_over > 0 {
        let over = counted(passed_over, "was");
        add(&mut text, &format!("{over} not transferred and will not be; the record of skips says which."));
    }
    match after.queued(head) {
        0 => add(&mut text, "Nothing waits for it."),
        queued => add(&mut text, &format!("{} for it and will be delivered now.", counted(queued, "waits"))),
    }
    text
}

fn last_answer(s: &Subscription) -> String {
    match s.standing.reason.as_str() {
        "" => String::new(),
        reason => format!("The last attempt ended with: {reason}."),
    }
}

fn until_suspended(s: &Subscription, since: Timestamp) -> String {
    let at = since.plus(s.policy.suspend_after());
    let then = match s.policy.on_suspension {
        OnSuspension::Destroy => "Nothing is lost until then.",
        OnSuspension::Keep => "Nothing is lost even then.",
    };
    format!(
        "It will be suspended at {at} unless it recovers, is updated or is deleted. {then} \
         What waits can also be taken out by hand."
    )
}

fn add(text: &mut String, sentence: &str) {
    if !sentence.is_empty() {
        write!(text, " {sentence}").expect("a text can be written to");
    }
}

/// Counts events with a verb that is given in its singular.
fn counted(count: u64, verb: &str) -> String {
    let plural = match verb {
        "waits" => "wait",
        "is" => "are",
        "was" => "were",
        verb => verb,
    };
    match count {
        0 => format!("No event {verb}"),
        1 => format!("1 event {verb}"),
        count => format!("{count} events {plural}"),
    }
}

/// Shows a length of time in the largest unit that suits it, rounded down.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 if !seconds.is_multiple_of(3_600) => format!("{} min", seconds / 60),
        seconds @ 0..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
