//! Several events in one call.

use base::BoxFuture;
use base::http::{HttpError, Request};
use base::testing::{ScriptedHttp, reply};
use bytes::Bytes;
use expect_test::{Expect, expect};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::schedule::{NOW, id};
use super::*;
use crate::load::{BATCH_BYTES_MAX, Form, Load};
use crate::log::Log;
use crate::outlet::{Call, Outlet};
use crate::signature::SigningKey;
use crate::tables::LogRow;

fn batching(batch_events_max: u32) -> Policy {
    Policy { batch_events_max, ..Policy::default() }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().expect("our headers are text")
}

async fn subscribed(policy: Policy) -> (House, Arc<ScriptedHttp>, SubscriptionId) {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.events.set_policy(&ada(), id, policy).await.expect("the settings are in bounds");
    (house, http, id)
}

/// Shows which offsets each call carried, and in which attempt.
fn check_calls(http: &ScriptedHttp, expected: Expect) {
    let shown =
        |call: &Request| format!("{} ({})", header(call, "loopwright-offset"), header(call, "loopwright-attempt"));
    let calls: Vec<String> = http.requests().iter().skip(1).map(shown).collect();
    expected.assert_eq(&calls.join("  "));
}

/// A receiver that wants neither the thirteenth event nor a batch with it in it.
#[derive(Default)]
struct Picky {
    calls: Mutex<Vec<String>>,
}

impl Http for Picky {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<base::http::Response, HttpError>> {
        let Some(offsets) = request.headers.get("loopwright-offset") else {
            return Box::pin(async { Ok(reply(200, "")) });
        };
        let offsets = offsets.to_str().expect("our headers are text").to_owned();
        let (first, last) = offsets.split_once('-').unwrap_or((&offsets, &offsets));
        let number = |text: &str| text.parse::<u64>().expect("an offset");
        let status = if (number(first)..=number(last)).contains(&13) { 400 } else { 200 };
        self.calls.lock().push(if status == 400 { format!("({offsets})") } else { offsets });
        Box::pin(async move { Ok(reply(status, "")) })
    }
}

/// Lets a receiver answer.
async fn answers(house: &House, http: &ScriptedHttp, statuses: impl IntoIterator<Item = u16>) {
    for status in statuses {
        http.push(status, "");
    }
    house.events.step().await;
}

#[tokio::test]
async fn a_batch_is_an_array_of_what_single_calls_would_carry() {
    let (house, http, id) = subscribed(batching(3)).await;
    let secret = house.events.read_secret(&ada(), id).await.expect("the owner reads it");
    house.append(1..=6).await;
    answers(&house, &http, [200, 200, 200]).await;
    check_calls(&http, expect!["1 (1)  2-3 (1)  4-6 (1)"]);

    let calls = http.requests();
    let events: Vec<Json> = serde_json::from_slice(&calls[2].body).expect("an array");
    let ids: Vec<&str> = events.iter().filter_map(|event| event["event"]["id"].as_str()).collect();
    assert_eq!(header(&calls[2], "webhook-id"), format!("{}+2", ids[0]));
    let only: Vec<Json> = serde_json::from_slice(&calls[1].body).expect("an array, even of one");
    assert_eq!(only[0]["event"]["id"].as_str(), Some(header(&calls[1], "webhook-id")));
    let key = SigningKey::new(&secret).expect("a secret of the right form");
    for call in &calls[1..] {
        let (id, at) = (header(call, "webhook-id"), header(call, "webhook-timestamp"));
        let verified = key.verify(id, at, header(call, "webhook-signature"), &call.body, house.clock.now());
        verified.expect("the signature fits");
    }

    // Without batches the same events have the same bytes, each by itself.
    let bodies = calls[1..].iter().map(|call| call.body.clone()).collect::<Vec<_>>();
    house.events.set_policy(&ada(), id, Policy::default()).await.expect("it is changed");
    house.events.replay(&ada(), id, Offset(2)).await.expect("from the second");
    answers(&house, &http, [200; 5]).await;
    let singles: Vec<Bytes> = http.requests()[4..].iter().map(|call| call.body.clone()).collect();
    let joined = |singles: &[Bytes]| [b"[", &singles.join(&b","[..])[..], b"]"].concat();
    assert_eq!((joined(&singles[..2]), joined(&singles[2..])), (bodies[1].to_vec(), bodies[2].to_vec()));
}

#[tokio::test]
async fn a_call_that_was_received_acknowledges_all_that_it_carried() {
    let (house, http, id) = subscribed(batching(100)).await;
    house.append(1..=20).await;
    answers(&house, &http, [200, 200, 200, 204, 200]).await;
    check_calls(&http, expect!["1 (1)  2-3 (1)  4-7 (1)  8-15 (1)  16-20 (1)"]);
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.cursor, standing.delivered), (Offset(20), 20));
    assert_eq!(standing.last_success, LastSuccess::Event { offset: Offset(20), at: NOW });
    let page = house.events.deliveries(&ada(), id, DeliveryFilter::default(), Paging::default()).await.expect("a log");
    let extents: Vec<_> = page.content.iter().map(|attempt| (attempt.offset.0, attempt.through.0)).collect();
    assert_eq!(extents, [(16, 20), (8, 15), (4, 7), (2, 3), (1, 1)], "one row for each call");
}

#[tokio::test]
async fn after_a_failure_the_first_event_is_tried_alone() {
    let (house, http, id) = subscribed(batching(4)).await;
    house.append(1..=9).await;
    answers(&house, &http, [200, 200, 500]).await;
    check_calls(&http, expect!["1 (1)  2-3 (1)  4-7 (1)"]);
    house.save().await;
    assert_eq!(house.standing(id).await.cursor, Offset(3), "what failed acknowledges nothing");
    for _ in 0..2 {
        http.push(500, "");
        house.pass(Duration::from_secs(7)).await;
    }
    answers(&house, &http, [200, 200, 200]).await;
    house.pass(Duration::from_secs(40)).await;
    check_calls(&http, expect!["1 (1)  2-3 (1)  4-7 (1)  4 (2)  4 (3)  4 (4)  5-6 (1)  7-9 (1)"]);
}

#[tokio::test]
async fn an_event_that_is_wrong_is_soon_alone_and_its_neighbours_go_on() {
    let picky = Arc::new(Picky::default());
    let house = House::build(picky.clone(), Arc::new(NoHooks)).await;
    let id = house.subscribe().await;
    let policy = Policy { on_error: OnError::Skip, on_rejection: OnRejection::Reject, ..batching(8) };
    house.events.set_policy(&ada(), id, policy).await.expect("the settings are in bounds");
    house.append(1..=24).await;
    house.events.step().await;
    house.save().await;
    let calls = picky.calls.lock().join(" ");
    expect!["1 2-3 4-7 (8-15) 8 9-10 (11-14) 11 (12-13) 12 (13-14) (13) 14 15-16 17-20 21-24"].assert_eq(&calls);
    let skips = house.skips(id).await;
    assert_eq!(skips, [Skipped { first: Offset(13), last: Offset(13), reason: SkipReason::Rejection }]);
}

#[tokio::test]
async fn a_probe_carries_one_event_and_after_it_batches_grow_again() {
    let (house, http, id) = subscribed(Policy { retry_pauses_ms: vec![], ..batching(8) }).await;
    house.append(1..=12).await;
    answers(&house, &http, [200, 200, 410]).await;
    house.save().await;
    assert_eq!(house.standing(id).await.state.word(), "failed");
    http.push(500, "");
    house.pass(Duration::from_secs(20)).await;
    http.push(200, "");
    http.push(200, "");
    http.push(200, "");
    http.push(200, "");
    house.pass(Duration::from_mins(1)).await;
    check_calls(&http, expect!["1 (1)  2-3 (1)  4-7 (1)  4 (2)  4 (3)  5-6 (1)  7-10 (1)  11-12 (1)"]);
}

#[tokio::test]
async fn what_is_new_does_not_travel_with_a_replay() {
    let (house, http, id) = subscribed(batching(8)).await;
    house.append(1..=5).await;
    answers(&house, &http, [200, 200, 200]).await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append(6..=9).await;
    // All of them are at hand.
    house.events.step().await;
    house.events.replay(&ada(), id, Offset(1)).await.expect("from the beginning");
    answers(&house, &http, [200, 200, 200, 200, 200]).await;
    let replays: Vec<String> = http.requests()[4..]
        .iter()
        .map(|call| format!("{} {}", header(call, "loopwright-offset"), header(call, "loopwright-replay")))
        .collect();
    assert_eq!(replays, ["1 true", "2-3 true", "4-5 true", "6-9 false"]);
}

/// A log with events of these sizes.
fn log_of(sizes: &[usize]) -> Log {
    let row = LogRow { log: 1, head: Offset(sizes.len() as u64), trimmed: Offset::START };
    let mut log = Log::at(row, late_orders());
    let event = |(place, size): (usize, &usize)| Event {
        id: event::event_id(&late_orders(), &place.to_string()),
        offset: Offset(place as u64 + 1),
        at: NOW,
        document: format!("\"{}\"", "x".repeat(*size)).into(),
    };
    log.remember(1, sizes.iter().enumerate().map(event).collect());
    log
}

fn extent(log: &Log, cursor: u64, events_max: usize) -> String {
    let load = log.load(Offset(cursor), Form::Array { events_max }, Offset(u64::MAX));
    load.map_or("nothing".into(), |load| load.offsets())
}

#[test]
fn a_batch_is_what_is_at_hand_without_a_gap_up_to_its_limits() {
    let kib = 1 << 10;
    let mut log = log_of(&[10, 10, 10, 10, 10]);
    assert_eq!(extent(&log, 0, 100), "1-5");
    assert_eq!(extent(&log, 0, 3), "1-3");
    assert_eq!(extent(&log, 4, 3), "5");
    assert_eq!(extent(&log, 5, 3), "nothing");
    log.forget(1, Offset(3)..=Offset(3));
    assert_eq!(extent(&log, 0, 100), "1-2");
    assert_eq!(extent(&log, 2, 100), "nothing");
    let large = log_of(&[100 * kib, 100 * kib, 100 * kib, 300 * kib, 10]);
    assert_eq!(extent(&large, 0, 100), "1-2");
    assert_eq!(extent(&large, 2, 100), "3");
    assert_eq!(extent(&large, 3, 100), "4", "one that is too large goes alone");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The body of a batch never exceeds its limit, whatever the events, and the
    /// same extent is the same call.
    #[test]
    fn a_body_keeps_its_limit(
        sizes in prop::collection::vec(0..60_000usize, 1..20),
        trigger in "[\\PC\u{1}\"]{0,40}",
    ) {
        let mut log = log_of(&sizes);
        log.trigger = Arc::new(TriggerRef::new("purchasing.orders", trigger));
        let load = || log.load(Offset(0), Form::Array { events_max: 100 }, Offset(u64::MAX)).expect("it is at hand");
        let body = load().body(id(1), &log.trigger);
        prop_assert!(body.len() <= BATCH_BYTES_MAX);
        let events: Vec<Json> = serde_json::from_slice(&body).expect("an array");
        prop_assert_eq!(events.len() as u64, load().through().0);
        prop_assert_eq!((load().id(), load().body(id(1), &log.trigger)), (load().id(), body));
    }
}

/// A hook that never answers.
struct Abyss;

impl LocalSink for Abyss {
    fn deliver(&self, _hook: &str, _delivery: LocalDelivery) -> BoxFuture<'_, Result<(), Busy>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_hook_that_hangs_is_busy() {
    let house = House::build(Arc::new(ScriptedHttp::new([Ok(reply(200, ""))])), Arc::new(Abyss)).await;
    let event = log_of(&[10]).window.remove(&Offset(1)).expect("it is at hand").event;
    let call = Call {
        subscription: id(1),
        trigger: Arc::new(late_orders()),
        generation: 1,
        number: 1,
        replay: false,
        load: Load::One(event),
        outlet: Arc::new(Outlet::Local { hook: "flow/1".into() }),
        timeout: Duration::ZERO,
    };
    let finished = call.make(house.ports).await;
    assert_eq!(finished.outcome, Outcome::Busy);
    assert_eq!(finished.attempt.detail, "the hook did not answer within 0 ms");
}
