//! What people are told: in which words, when, and exactly once.

use std::collections::{BTreeMap, VecDeque};

use base::BoxFuture;
use base::testing::databases;
use expect_test::{Expect, expect};
use parking_lot::Mutex;

use super::*;
use crate::telling;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Keeps the batches that it took; refuses as scripted.
#[derive(Default)]
struct MailBag {
    refusals: Mutex<VecDeque<NotifyFailed>>,
    /// Refuses any batch with a notice of this kind, for ever.
    never: Mutex<Option<NoticeKind>>,
    batches: Mutex<Vec<Vec<Notice>>>,
}

impl Notifier for MailBag {
    fn notify(&self, notices: Vec<Notice>) -> BoxFuture<'_, Result<(), NotifyFailed>> {
        let never = self.never.lock().is_some_and(|kind| notices.iter().any(|notice| notice.kind == kind));
        let refused = match self.refusals.lock().pop_front() {
            None if never => Some(NotifyFailed { transient: false, detail: "no such address".into() }),
            refused => refused,
        };
        if refused.is_none() {
            self.batches.lock().push(notices);
        }
        Box::pin(async { refused.map_or(Ok(()), Err) })
    }
}

impl MailBag {
    /// Shows the batches by the kinds in them.
    fn shown(&self) -> Vec<String> {
        let kinds = |batch: &Vec<Notice>| batch.iter().map(|notice| notice.kind.word()).collect::<Vec<_>>().join(" ");
        self.batches.lock().iter().map(kinds).collect()
    }
}

/// Makes a house with a mail bag and one subscription.
async fn told() -> (House, Arc<ScriptedHttp>, Arc<MailBag>, SubscriptionId) {
    let (mut house, http) = House::scripted().await;
    let bag = Arc::new(MailBag::default());
    house.ports.notifier = bag.clone();
    house.crash().await;
    house.events.step().await;
    let id = house.subscribe().await;
    (house, http, bag, id)
}

/// Returns all notices, the oldest first.
async fn notices(house: &House) -> Vec<Notice> {
    let page = house.events.notices(&actor("root", true), Paging { page: 0, size: 1_000 }).await.expect("notices");
    assert_eq!(page.total, page.content.len() as u64);
    page.content.into_iter().rev().collect()
}

async fn check(house: &House, expected: Expect) {
    let line = |notice: &Notice| format!("{} {}: {}", notice.at, notice.kind.word(), notice.text);
    let lines: Vec<String> = notices(house).await.iter().map(line).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn a_life_is_told_in_words() {
    let (house, http, _bag, id) = told().await;
    house.append([1, 2, 3]).await;
    http.push(410, "");
    house.events.step().await;
    for _ in 0..9 {
        house.pass(Duration::from_hours(1)).await;
    }
    house.events.update(&ada(), id, request("orders again")).await.expect("it goes on");
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([4]).await;
    house.events.resume(&ada(), id).await.expect("it goes on");
    http.push(410, "");
    house.events.step().await;
    house.save().await;
    http.push(200, "");
    house.pass(Duration::from_secs(18)).await;
    house.save().await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([5, 6]).await;
    house.events.resume_from_latest(&ada(), id).await.expect("it goes on");
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([7]).await;
    house.events.delete(&ada(), id).await.expect("it ends");
    check(&house, expect![[r#"
        2026-01-01T00:00:00.000Z created: The subscription "orders" was created by ADA. https://receiver.example/in receives the events of the trigger purchasing.orders/late-orders from offset 1 on.
        2026-01-01T00:00:00.000Z failed: The subscription "orders" has been failed since 2026-01-01T00:00:00.000Z. The last attempt ended with: 410 Gone: the receiver says that it is gone for good. 3 events wait for it. It will be suspended at 2026-01-01T08:00:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        2026-01-01T01:00:00.000Z alert: The subscription "orders" has been failed for 1 h, since 2026-01-01T00:00:00.000Z. The last attempt ended with: 410 Gone: the receiver says that it is gone for good. 3 events wait for it. It will be suspended at 2026-01-01T08:00:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        2026-01-01T04:00:00.000Z alert: The subscription "orders" has been failed for 4 h, since 2026-01-01T00:00:00.000Z. The last attempt ended with: cannot connect to https://receiver.example/in?key=1: the script has no more replies. 3 events wait for it. It will be suspended at 2026-01-01T08:00:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        2026-01-01T07:00:00.000Z alert: The subscription "orders" has been failed for 7 h, since 2026-01-01T00:00:00.000Z. The last attempt ended with: cannot connect to https://receiver.example/in?key=1: the script has no more replies. 3 events wait for it. It will be suspended at 2026-01-01T08:00:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        2026-01-01T08:00:00.000Z suspended: The subscription "orders" was suspended: failed for 8 h: cannot connect to https://receiver.example/in?key=1: the script has no more replies. 3 events are lost, and so is what comes until it is updated.
        2026-01-01T09:00:00.000Z active-again: The subscription "orders again" is active again; it was suspended. 3 events were not transferred and will not be; the record of skips says which. Nothing waits for it.
        2026-01-01T09:00:00.000Z paused: The subscription "orders again" was paused. Its events queue until it is resumed.
        2026-01-01T09:00:00.000Z resumed: The subscription "orders again" was resumed. 1 event waits for it and will be delivered now.
        2026-01-01T09:00:00.000Z failed: The subscription "orders again" has been failed since 2026-01-01T09:00:00.000Z. The last attempt ended with: 410 Gone: the receiver says that it is gone for good. 1 event waits for it. It will be suspended at 2026-01-01T17:00:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        2026-01-01T09:00:18.050Z active-again: The subscription "orders again" is active again; it was failed. Nothing waits for it.
        2026-01-01T09:00:18.100Z paused: The subscription "orders again" was paused. Its events queue until it is resumed.
        2026-01-01T09:00:18.100Z resumed: The subscription "orders again" was resumed. 2 events were not transferred and will not be; the record of skips says which. Nothing waits for it.
        2026-01-01T09:00:18.100Z paused: The subscription "orders again" was paused. Its events queue until it is resumed.
        2026-01-01T09:00:18.100Z deleted: The subscription "orders again" was deleted. 1 event waited for it and will not be delivered."#]]).await;
}

fn subscription(policy: Policy, standing: Standing) -> Subscription {
    Subscription {
        id: SubscriptionId::from_bytes([1; 16]),
        name: "orders".into(),
        trigger: late_orders(),
        owner: Owner { id: "ada".into(), name: "Ada".into() },
        sink: Sink::Https { uri: "https://receiver.example/in?key=s3cret".into() },
        policy,
        standing,
        birth: Offset(2),
        created_at: NOW,
        updated_at: NOW,
    }
}

#[test]
fn what_is_told_depends_on_where_it_was_and_where_it_is() {
    let since = NOW.minus(Duration::from_mins(90));
    let states = [
        State::Active,
        State::Failed { since },
        State::Paused,
        State::Rejected,
        State::Suspended { queue: Queue::Kept },
        State::Suspended { queue: Queue::Destroyed },
    ];
    let mut table = String::new();
    for before in states {
        for after in states {
            let before = Standing { state: before, cursor: Offset(4), ..Standing::new(Offset(2)) };
            let after = Standing { state: after, reason: "500 oh".into(), ..before.clone() };
            let s = subscription(Policy::default(), after.clone());
            let news = telling::changed(&s, &before, Offset(5), NOW);
            let kind = news.map_or("-", |news| news.kind.word());
            table.push_str(&format!("{:<10} {:<10} {kind}\n", before.state.word(), after.state.word()));
        }
    }
    expect![[r"
        active     active     -
        active     failed     failed
        active     paused     paused
        active     rejected   rejected
        active     suspended  suspended
        active     suspended  suspended
        failed     active     active-again
        failed     failed     -
        failed     paused     paused
        failed     rejected   rejected
        failed     suspended  suspended
        failed     suspended  suspended
        paused     active     resumed
        paused     failed     failed
        paused     paused     -
        paused     rejected   rejected
        paused     suspended  suspended
        paused     suspended  suspended
        rejected   active     active-again
        rejected   failed     failed
        rejected   paused     paused
        rejected   rejected   -
        rejected   suspended  suspended
        rejected   suspended  suspended
        suspended  active     active-again
        suspended  failed     failed
        suspended  paused     paused
        suspended  rejected   rejected
        suspended  suspended  -
        suspended  suspended  suspended
        suspended  active     active-again
        suspended  failed     failed
        suspended  paused     paused
        suspended  rejected   rejected
        suspended  suspended  suspended
        suspended  suspended  -
    "]]
    .assert_eq(&table);
}

#[test]
fn the_words_say_what_is_lost_and_what_is_not() {
    let since = NOW.minus(Duration::from_mins(90));
    let tell = |policy: Policy, before: State, after: State, queued: u64| {
        let before = Standing { state: before, cursor: Offset(4), ..Standing::new(Offset(2)) };
        let after = Standing { state: after, reason: "500 oh".into(), alerts: 1, ..before.clone() };
        let news = telling::changed(&subscription(policy, after), &before, Offset(4 + queued), NOW);
        news.expect("that is news").text
    };
    let keeping = || Policy { on_suspension: OnSuspension::Keep, ..Policy::default() };
    let failed = State::Failed { since };
    let texts = [
        tell(Policy::default(), State::Active, failed, 1),
        tell(keeping(), State::Active, failed, 7),
        tell(Policy::default(), failed, failed, 7),
        tell(Policy::default(), failed, State::Suspended { queue: Queue::Destroyed }, 1),
        tell(keeping(), failed, State::Suspended { queue: Queue::Kept }, 2),
        tell(Policy::default(), failed, State::Rejected, 2),
        tell(Policy::default(), State::Rejected, State::Active, 0),
    ];
    expect![[r#"
        The subscription "orders" has been failed since 2025-12-31T22:30:00.000Z. The last attempt ended with: 500 oh. 1 event waits for it. It will be suspended at 2026-01-01T06:30:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        The subscription "orders" has been failed since 2025-12-31T22:30:00.000Z. The last attempt ended with: 500 oh. 7 events wait for it. It will be suspended at 2026-01-01T06:30:00.000Z unless it recovers, is updated or is deleted. Nothing is lost even then. What waits can also be taken out by hand.
        The subscription "orders" has been failed for 90 min, since 2025-12-31T22:30:00.000Z. The last attempt ended with: 500 oh. 7 events wait for it. It will be suspended at 2026-01-01T06:30:00.000Z unless it recovers, is updated or is deleted. Nothing is lost until then. What waits can also be taken out by hand.
        The subscription "orders" was suspended: 500 oh. 1 event is lost, and so is what comes until it is updated.
        The subscription "orders" was suspended: 500 oh. 2 events are kept, and so is what comes; all of it waits until it is updated or taken out by hand.
        The receiver of the subscription "orders" says that its event 5 is wrong. The last attempt ended with: 500 oh. 2 events wait for it, this one included. It goes on when it is updated or replayed; until then events can be taken out by hand.
        The subscription "orders" is active again; it was rejected. Nothing waits for it."#]].assert_eq(&texts.join("\n"));
    for text in texts {
        assert!(!text.contains("s3cret"));
    }
}

#[test]
fn spans_are_shown_in_a_unit_that_suits_them() {
    for (seconds, shown) in [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (5_400, "90 min"),
        (4 * 3_600, "4 h"),
        (47 * 3_600, "47 h"),
        (24 * 86_400, "24 days"),
    ] {
        assert_eq!(telling::span(Duration::from_secs(seconds)), shown);
    }
}

#[tokio::test]
async fn notices_are_sent_together_a_minute_after_the_first() {
    let (house, _http, bag, id) = told().await;
    house.pass(Duration::from_secs(40)).await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.pass(Duration::from_secs(19)).await;
    assert!(bag.shown().is_empty(), "the first has not waited for a minute");
    house.pass(Duration::from_secs(1)).await;
    assert_eq!(bag.shown(), ["created paused"]);
    house.pass(Duration::from_mins(5)).await;
    house.events.resume(&ada(), id).await.expect("it goes on");
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(bag.shown(), ["created paused", "resumed"], "each is sent once");
}

#[tokio::test]
async fn what_waited_at_a_crash_is_sent_at_once_after_it() {
    let (mut house, _http, bag, _id) = told().await;
    house.crash().await;
    house.events.step().await;
    assert_eq!(bag.shown(), ["created"]);
    house.crash().await;
    house.pass(Duration::from_hours(1)).await;
    assert_eq!(bag.shown(), ["created"], "and not again after the next");
}

#[tokio::test]
async fn a_notifier_that_cannot_now_is_asked_again_later_and_later_and_in_order() {
    let (house, http, bag, id) = told().await;
    let later = NotifyFailed { transient: true, detail: "the mail server is away".into() };
    bag.refusals.lock().extend(std::iter::repeat_n(later, 9));
    let (mut last, mut pauses) = (house.clock.now(), Vec::new());
    let left = || bag.refusals.lock().len();
    while left() > 0 {
        let before = left();
        house.pass(Duration::from_mins(1)).await;
        if left() < before {
            pauses.push(house.clock.now().since(last).as_secs() / 60);
            last = house.clock.now();
        }
    }
    assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60], "minutes between the attempts");
    // Deliveries go on meanwhile, and news queues behind the old.
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    assert_eq!(http.requests().len(), 2);
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.pass(Duration::from_mins(59)).await;
    assert!(bag.shown().is_empty());
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(bag.shown(), ["created paused"]);
}

#[tokio::test]
async fn a_notice_that_can_never_be_sent_keeps_no_other_back() {
    let (house, _http, bag, id) = told().await;
    *bag.never.lock() = Some(NoticeKind::Paused);
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.events.resume(&ada(), id).await.expect("it goes on");
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(bag.shown(), ["created", "resumed"]);
    let rows = house.db.read("test.notices", |tx| {
        tx.query("SELECT kind, state, detail FROM subscription_notices ORDER BY id", base::args![])
    });
    let text = |row: &base::db::Row, column| row.get::<String>(column).expect("a text");
    let rows: Vec<String> = rows
        .await
        .expect("rows")
        .iter()
        .map(|row| format!("{} {} {}", text(row, 0), text(row, 1), text(row, 2)).trim_end().to_owned())
        .collect();
    assert_eq!(rows, ["created sent", "paused given-up no such address", "resumed sent"]);
    house.pass(Duration::from_hours(2)).await;
    assert_eq!(bag.shown().len(), 2, "it is not tried again");
}

#[tokio::test]
async fn a_change_that_a_crash_undid_was_never_told() {
    let (mut house, http, _bag, _id) = told().await;
    house.append([1]).await;
    http.push(410, "");
    house.events.step().await;
    // Not saved: neither is the notice.
    house.crash().await;
    assert_eq!(notices(&house).await.len(), 1);
    http.push(410, "");
    house.events.step().await;
    house.save().await;
    house.crash().await;
    house.pass(Duration::from_hours(2)).await;
    house.save().await;
    let kinds: Vec<_> = notices(&house).await.iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::Created, NoticeKind::Failed, NoticeKind::Alert]);
    house.crash().await;
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(notices(&house).await.len(), 3, "an alert is not raised again after a restart");
}

#[tokio::test]
async fn one_sees_ones_own_notices_and_an_administrator_sees_all() {
    let (house, _http, _bag, id) = told().await;
    let seen = async |actor: Actor| house.events.notices(&actor, Paging::default()).await.expect("notices").total;
    assert_eq!((seen(ada()).await, seen(actor("eve", false)).await, seen(actor("root", true)).await), (1, 0, 1));
    house.events.delete(&ada(), id).await.expect("it ends");
    assert_eq!(seen(ada()).await, 2);
    let notice = house.events.notices(&ada(), Paging { page: 0, size: 1 }).await.expect("notices").content.remove(0);
    assert_eq!((notice.kind, notice.subscription, notice.name.as_str()), (NoticeKind::Deleted, Some(id), "orders"));
    assert_eq!(notice.owner, Some(Owner { id: "ada".into(), name: "ADA".into() }));
}

#[tokio::test]
async fn hooks_tell_nobody() {
    let (house, _http) = House::scripted().await;
    house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("it is watched");
    house.append([1]).await;
    house.pass(Duration::from_hours(9)).await;
    house.events.unwatch(&ada(), "flow/1").await.expect("it is no longer watched");
    check(&house, expect![""]).await;
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    for kind in NoticeKind::ALL {
        assert_eq!(NoticeKind::parse(kind.word()), Some(kind));
    }
    assert_eq!(NoticeKind::parse("nonsense"), None);
}

#[tokio::test]
async fn notices_are_written_once_sent_and_forgotten_on_every_engine() {
    for (engine, guard, db) in databases(&[base::MIGRATIONS, MIGRATIONS]) {
        eprintln!("on {engine}");
        let http = Arc::new(ScriptedHttp::default());
        http.push(405, "");
        let mut house = House::on(db, Box::new(guard), http, Arc::new(NoHooks)).await;
        let bag = Arc::new(MailBag::default());
        house.ports.notifier = bag.clone();
        house.crash().await;
        let id = house.subscribe().await;
        let again = |tx: &mut dyn base::db::Tx| {
            let stored = crate::tables::all(tx)?.remove(0);
            let news = telling::created(&stored.subscription, NOW);
            crate::tables::insert_notices(tx, news.as_slice())
        };
        house.db.write("test.again", again).await.expect("it changes nothing");
        house.events.pause(&ada(), id).await.expect("it is paused");
        house.pass(Duration::from_mins(1)).await;
        assert_eq!(bag.shown(), ["created paused"]);
        let ids: Vec<u64> = notices(&house).await.iter().map(|notice| notice.id).collect();
        assert!(ids.is_sorted() && ids.len() == 2, "{ids:?}");
        // A week later what was sent is gone, and no id comes again.
        house.pass(Duration::from_hours(7 * 24 + 1)).await;
        assert_eq!(notices(&house).await, []);
        house.events.resume(&ada(), id).await.expect("it goes on");
        assert!(notices(&house).await[0].id > ids[1]);
    }
}

/// Follows the notices of every subscription through the diagram, the oldest
/// first, and returns what each was last said to be; complains of a notice that
/// cannot come where it does.
pub(super) fn follow(notices: &[Notice]) -> Result<BTreeMap<SubscriptionId, &'static str>, String> {
    let mut told = BTreeMap::new();
    for notice in notices {
        let Some(id) = notice.subscription else { continue };
        let before = told.get(&id).copied().unwrap_or("nothing");
        let after = match (before, notice.kind) {
            ("nothing", NoticeKind::Created)
            | ("paused", NoticeKind::Resumed)
            | ("failed" | "rejected" | "suspended", NoticeKind::ActiveAgain) => "active",
            ("active" | "paused", NoticeKind::Failed) | ("failed", NoticeKind::Alert) => "failed",
            ("active", NoticeKind::Paused) => "paused",
            ("active" | "failed", NoticeKind::Rejected) => "rejected",
            ("nothing" | "deleted", kind) => return Err(format!("{id} is {before}, and yet {kind:?}")),
            // Whoever is too far behind is suspended from any state.
            (_, NoticeKind::Suspended) => "suspended",
            (_, NoticeKind::Deleted) => "deleted",
            (before, NoticeKind::RetentionNear) => before,
            (before, kind) => return Err(format!("{id} is {before}, and yet {kind:?}")),
        };
        told.insert(id, after);
    }
    Ok(told)
}
