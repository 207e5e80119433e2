//! What a receiver sees, and what its answers lead to.

use base::BoxFuture;
use base::http::{HttpError, Method, Request};
use base::testing::reply;
use expect_test::{Expect, expect};
use parking_lot::Mutex;

use super::*;
use crate::signature::SigningKey;
use crate::work::StopWithin;

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().expect("our headers are text"))
}

/// Shows a call as the receiver sees it, without what depends on chance.
fn seen(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method, request.url)];
    let mut names: Vec<&str> = request.headers.keys().map(base::http::HeaderName::as_str).collect();
    names.sort_unstable();
    for name in names {
        let value = match name {
            "webhook-signature" | "loopwright-subscription" => "…",
            name => header(request, name),
        };
        lines.push(format!("{name}: {value}"));
    }
    lines.join("\n")
}

/// Shows the attempts of a subscription, the first one first.
async fn log_of(house: &House, id: SubscriptionId) -> String {
    let paging = Paging { page: 0, size: 100 };
    let page = house.events.deliveries(&ada(), id, DeliveryFilter::default(), paging).await.expect("a log");
    let line = |a: &Attempt| {
        let next = a.next_at.map_or("-".into(), |at| format!("+{} ms", at.since(a.started_at).as_millis()));
        let status = a.status.map_or("-".into(), |status| status.to_string());
        format!("{}/{} {} {status} [{}] {}, next {next}", a.offset, a.number, a.verdict.word(), a.answer, a.detail)
    };
    page.content.iter().rev().map(line).collect::<Vec<_>>().join("\n")
}

async fn check_log(house: &House, id: SubscriptionId, expected: Expect) {
    house.save().await;
    expected.assert_eq(&log_of(house, id).await);
}

#[tokio::test]
async fn a_receiver_gets_one_signed_event_per_call() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    let secret = house.events.read_secret(&ada(), id).await.expect("the owner reads it");
    http.push(200, "");
    http.push(204, "");
    assert_eq!(house.append([4711, 4712]).await, [Offset(1), Offset(2)]);
    house.events.step().await;

    let requests = http.requests();
    let [probe, first, second] = &requests[..] else { panic!("a probe and two calls, not {requests:?}") };
    assert_eq!((probe.method.clone(), header(probe, "authorization")), (Method::HEAD, "Bearer t0ken"));
    expect![[r"
        POST https://receiver.example/in?key=1
        authorization: Bearer t0ken
        content-type: application/json
        loopwright-attempt: 1
        loopwright-offset: 1
        loopwright-replay: false
        loopwright-subscription: …
        user-agent: Loopwright
        webhook-id: 22f23ecd-5bde-85ce-8f66-b18ec08b68c4
        webhook-signature: …
        webhook-timestamp: 1767225600"]]
    .assert_eq(&seen(first));
    let body = String::from_utf8(first.body.to_vec()).expect("JSON is text");
    expect![[r#"{"subscriberId":"<id>","triggerId":"late-orders","offset":1,"creationDate":"2026-01-01T00:00:00.000Z","event":{"id":"22f23ecd-5bde-85ce-8f66-b18ec08b68c4","identifier":"4711","typedIdentifier":4711,"fields":[{"id":"ORDER_ID","value":4711,"type":"INT","isIdentifier":true},{"id":"CITY","value":"Ulm","type":"STRING","isIdentifier":false}]}}"#]]
    .assert_eq(&body.replace(&id.to_string(), "<id>"));

    let key = SigningKey::new(&secret).expect("a secret of the right form");
    for call in [first, second] {
        key.verify(
            header(call, "webhook-id"),
            header(call, "webhook-timestamp"),
            header(call, "webhook-signature"),
            &call.body,
            house.clock.now(),
        )
        .expect("the signature fits");
        assert_eq!(header(call, "loopwright-subscription"), id.to_string());
    }
    assert_eq!(header(second, "loopwright-offset"), "2");
    check_log(
        &house,
        id,
        expect![[r"
        1/1 delivered 200 [] , next -
        2/1 delivered 204 [] , next -"]],
    )
    .await;
    let standing = house.standing(id).await;
    assert_eq!((standing.cursor, standing.delivered), (Offset(2), 2));
}

#[tokio::test]
async fn only_the_head_is_tried_until_it_is_received() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.append([1, 2]).await;
    for status in [500, 302] {
        http.push(status, "no");
    }
    http.push_error(HttpError::Timeout { target: "receiver.example:443".into(), after_ms: 30_000 });
    house.events.step().await;
    house.pass(Duration::from_secs(2)).await;
    house.pass(Duration::from_secs(6)).await;
    http.push(429, "slowly");
    house.pass(Duration::from_secs(73)).await;
    assert_eq!(http.requests().len(), 1 + 4);
    let bodies: Vec<_> = http.requests()[1..].iter().map(|request| request.body.clone()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "every attempt has the same bytes");
    house.save().await;
    assert_eq!(house.standing(id).await.state, State::Active);

    // The last attempt fails too.
    http.push(500, "");
    house.pass(Duration::from_secs(145)).await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state.word(), standing.cursor), ("failed", Offset(0)));
    assert_eq!(standing.reason, "500 Internal Server Error");

    // The probe is the head event itself; once it is received all follow.
    http.push(200, "");
    http.push(200, "");
    house.pass(Duration::from_secs(18)).await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor), (State::Active, Offset(2)));
    check_log(
        &house,
        id,
        expect![[r"
        1/1 failed 500 [no] 500 Internal Server Error, next +945 ms
        1/2 failed 302 [no] 302 Found: the receiver does not accept the event, next +4493 ms
        1/3 failed - [] no complete answer from receiver.example:443 within 30000 ms, next +60000 ms
        1/4 failed 429 [slowly] 429 Too Many Requests, next +124302 ms
        1/5 failed 500 [] 500 Internal Server Error, next +14313 ms
        1/6 delivered 200 [] , next -
        2/1 delivered 200 [] , next -"]],
    )
    .await;
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let (mut house, _http) = House::scripted().await;
    let id = house.subscribe().await;
    let mut later = reply(503, "");
    later.headers.insert("retry-after", "Thu, 01 Jan 2026 00:05:00 GMT".parse().expect("a header value"));
    house.ports.http = Arc::new(ScriptedHttp::new([Ok(later)]));
    house.crash().await;
    house.append([1]).await;
    house.events.step().await;
    house.save().await;
    assert_eq!(house.standing(id).await.due.to_string(), "2026-01-01T00:05:00.000Z");
}

#[tokio::test]
async fn with_skip_errors_the_event_is_lost_on_record_and_the_next_one_follows() {
    let (house, http) = House::scripted().await;
    let skipping = NewSubscription { skip_errors: true, ..request("skipping") };
    let id = house.events.create(&ada(), &late_orders(), skipping).await.expect("a subscription").id;
    house.append([1, 2]).await;
    http.push(410, "gone");
    http.push(200, "");
    house.events.step().await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor, standing.delivered), (State::Active, Offset(2), 1));
    let skips = house.skips(id).await;
    assert_eq!(skips, [Skipped { first: Offset(1), last: Offset(1), reason: SkipReason::Errors }]);
    check_log(
        &house,
        id,
        expect![[r"
        1/1 skipped 410 [gone] 410 Gone: the receiver says that it is gone for good, next -
        2/1 delivered 200 [] , next -"]],
    )
    .await;
}

#[tokio::test]
async fn a_crash_repeats_at_most_what_was_not_saved() {
    let (mut house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.append([1]).await;
    http.push(200, "");
    house.events.step().await;
    house.save().await;
    house.append([2]).await;
    http.push(200, "");
    house.events.step().await;
    // Not saved: the engine is gone before the 50 ms are over.
    house.crash().await;
    assert_eq!(house.standing(id).await.cursor, Offset(1));
    http.push(200, "");
    house.events.step().await;
    house.save().await;
    assert_eq!(house.standing(id).await.cursor, Offset(2));
    let offsets: Vec<_> =
        http.requests()[1..].iter().map(|call| header(call, "loopwright-offset").to_owned()).collect();
    assert_eq!(offsets, ["1", "2", "2"]);
    assert_eq!(http.requests()[2].body, http.requests()[3].body);
}

#[tokio::test]
async fn both_secrets_sign_while_the_old_one_lasts() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    let old = house.events.read_secret(&ada(), id).await.expect("the owner reads it");
    let new = house.events.rotate_secret(&ada(), id, Duration::from_hours(1)).await.expect("a new secret");
    let check = |call: &Request, secret: &base::Secret, fits: bool| {
        let key = SigningKey::new(secret).expect("a secret of the right form");
        let (id, at) = (header(call, "webhook-id"), header(call, "webhook-timestamp"));
        let verified = key.verify(id, at, header(call, "webhook-signature"), &call.body, house.clock.now());
        assert_eq!(verified.is_ok(), fits);
    };
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    check(&http.requests()[1], &old, true);
    check(&http.requests()[1], &new, true);
    house.clock.advance(Duration::from_hours(1));
    http.push(200, "");
    house.append([2]).await;
    house.events.step().await;
    check(&http.requests()[2], &old, false);
    check(&http.requests()[2], &new, true);
}

/// A hook that has room for so many deliveries.
#[derive(Default)]
struct Hook {
    room: Mutex<usize>,
    stored: Mutex<Vec<(String, LocalDelivery)>>,
}

impl LocalSink for Hook {
    fn deliver(&self, hook: &str, delivery: LocalDelivery) -> BoxFuture<'_, Result<(), Busy>> {
        let mut room = self.room.lock();
        let answer = if *room == 0 { Err(Busy) } else { Ok(()) };
        if answer.is_ok() {
            *room -= 1;
            self.stored.lock().push((hook.to_owned(), delivery));
        }
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn a_hook_without_room_is_asked_again_for_as_long_as_it_takes() {
    let hook = Arc::new(Hook::default());
    let house = House::build(Arc::new(ScriptedHttp::default()), hook.clone()).await;
    let id = house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("it is watched");
    assert_eq!(house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("once more"), id);
    house.append([1, 2]).await;
    for _ in 0..40 {
        house.pass(Duration::from_hours(1)).await;
    }
    assert_eq!(house.events.status().await.expect("counts").hooks.queued, 2);
    *hook.room.lock() = 5;
    house.pass(Duration::from_secs(6)).await;
    let stored = hook.stored.lock().clone();
    let offsets: Vec<_> = stored.iter().map(|(hook, delivery)| (hook.as_str(), delivery.offset)).collect();
    assert_eq!(offsets, [("flow/1", Offset(1)), ("flow/1", Offset(2))]);

    // Out there nobody sees it.
    let root = actor("root", true);
    assert!(matches!(house.events.get(&root, id).await, Err(Error::NotFound { .. })));
    assert!(matches!(house.events.delete(&root, id).await, Err(Error::NotFound { .. })));
    assert_eq!(house.events.list(&root, Sort::default(), Paging::default()).await.expect("a list").total, 0);
    house.events.unwatch(&ada(), "flow/1").await.expect("it is no longer watched");
    house.append([3]).await;
    house.events.step().await;
    assert_eq!(hook.stored.lock().len(), 2);
}

#[tokio::test]
async fn two_who_watch_for_the_same_hook_get_the_same_subscription() {
    let hook = Arc::new(Hook::default());
    let house = House::build(Arc::new(ScriptedHttp::default()), hook.clone()).await;
    let (ada, trigger, events) = (ada(), late_orders(), &house.events);
    let (one, other) = tokio::join!(events.watch(&ada, "flow/1", &trigger), events.watch(&ada, "flow/1", &trigger));
    assert_eq!(one.expect("it is watched"), other.expect("it is watched already"));
    // Whoever stops watching waits for those who have begun to.
    let (watched, unwatched) = tokio::join!(events.watch(&ada, "flow/2", &trigger), events.unwatch(&ada, "flow/2"));
    watched.expect("it is watched");
    unwatched.expect("it is no longer watched");
    assert_eq!(house.events.status().await.expect("counts").hooks.subscriptions, 1);
}

/// Answers every call with 200 and tells when there was one.
#[derive(Default)]
struct Bell {
    rung: tokio::sync::Notify,
    calls: std::sync::atomic::AtomicUsize,
}

impl Http for Bell {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<base::http::Response, HttpError>> {
        if request.method == Method::POST {
            self.rung.notify_one();
            self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        Box::pin(async { Ok(reply(200, "")) })
    }
}

#[tokio::test]
async fn a_nudge_wakes_the_engine_and_a_stop_saves_what_it_did() {
    let bell = Arc::new(Bell::default());
    let house = House::build(bell.clone(), Arc::new(NoHooks)).await;
    let id = house.subscribe().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(house.events.clone().run(stop.clone()));
    house.append([1]).await;
    bell.rung.notified().await;
    // The clock stands still, so no group commit is due: only the stop saves.
    stop.cancel();
    running.await.expect("the engine ends");
    assert_eq!(house.standing(id).await.cursor, Offset(1));
    house.append([2]).await;
    assert_eq!(house.events.get(&ada(), id).await.expect("it is there").queued, 1);
}

#[tokio::test]
async fn a_stop_saves_what_was_received_however_slow_the_disk_is() {
    let bell = Arc::new(Bell::default());
    let mut house = House::build(bell.clone(), Arc::new(NoHooks)).await;
    let id = house.subscribe().await;
    house.append([1]).await;
    house.events.step().await;
    // Somebody is ahead of the last save, for longer than calls are waited for.
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (begun, (go_on, wait)) = (Mutex::new(Some(begun)), std::sync::mpsc::channel::<()>());
    let db = house.db.clone();
    let slow = tokio::spawn(async move {
        let hold = move |_: &mut dyn base::db::Tx| {
            begun.lock().take().expect("it runs once").send(()).expect("the test waits");
            wait.recv().expect("the test says when");
            Ok::<_, Error>(())
        };
        db.write("test.slow", hold).await
    });
    has_begun.await.expect("the database is busy");
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let within = StopWithin { calls: Duration::ZERO, saves: Duration::from_mins(1) };
    let mut running = tokio::spawn(house.events.clone().run_and_stop(stop, within));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut running).await;
    assert!(early.is_err(), "it must not end before all is saved");
    go_on.send(()).expect("the database waits");
    running.await.expect("the engine ends");
    slow.await.expect("it ran").expect("it is done");
    assert_eq!(house.standing(id).await.cursor, Offset(1));
    house.crash().await;
    house.events.step().await;
    assert_eq!(bell.calls.load(std::sync::atomic::Ordering::SeqCst), 1, "nothing comes twice");
}

#[tokio::test]
#[should_panic(expected = "a bug in a verb")]
async fn a_bug_in_a_verb_is_not_taken_for_a_stop() {
    let verb = change::to_the_end::<()>(async { panic!("a bug in a verb") });
    let _never = verb.await;
}
