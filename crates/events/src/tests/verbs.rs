//! What callers can do, and what they are told when they cannot.

use base::Coded as _;
use base::http::HttpError;
use base::{Secret, audit};
use expect_test::{Expect, expect};

use super::*;

fn check_refused<T>(answer: Result<T, Error>, expected: Expect) {
    let Err(error) = answer else { panic!("it should have been refused") };
    let text = base::error::chain(&error).to_string();
    let is_id = |word: &str| word.parse::<SubscriptionId>().is_ok();
    let words: Vec<&str> = text.split('"').map(|word| if is_id(word) { "s-1" } else { word }).collect();
    expected.assert_eq(&format!("{:?} {}: {}", error.kind(), error.code(), words.join("\"")));
}

#[tokio::test]
async fn a_request_is_checked_at_the_door() {
    let (house, http) = House::scripted().await;
    let create = async |request| house.events.create(&ada(), &late_orders(), request).await;
    let uri = |uri: &str| NewSubscription { uri: uri.into(), ..request("orders") };
    let header = |name: &str, value: &str| NewSubscription {
        headers: vec![(name.into(), Secret::new(value))],
        ..request("orders")
    };
    check_refused(
        create(request(" ")).await,
        expect!["Invalid subscription-name-illegal: the name of a subscription must have 1 to 1024 characters"],
    );
    check_refused(
        create(request(&"x".repeat(1_025))).await,
        expect!["Invalid subscription-name-illegal: the name of a subscription must have 1 to 1024 characters"],
    );
    check_refused(
        create(uri("receiver.example")).await,
        expect![[
            r#"Invalid callback-uri-illegal: the callback "receiver.example" cannot be used: it is not an absolute address"#
        ]],
    );
    check_refused(
        create(uri("http://receiver.example/?key=1")).await,
        expect![[
            r#"Invalid callback-uri-illegal: the callback "http://receiver.example/" cannot be used: it must begin with https"#
        ]],
    );
    check_refused(
        create(uri("ftp://receiver.example")).await,
        expect![[
            r#"Invalid callback-uri-illegal: the callback "ftp://receiver.example" cannot be used: it is neither http nor https"#
        ]],
    );
    check_refused(
        create(uri("https://ada:secret@receiver.example/in")).await,
        expect![[
            r#"Invalid callback-uri-illegal: the callback "https://receiver.example/in" cannot be used: credentials belong into a header"#
        ]],
    );
    check_refused(
        create(header("", "x")).await,
        expect!["Invalid callback-header-empty: a callback header needs a name and a value"],
    );
    check_refused(
        create(header("Cookie", "x")).await,
        expect![[
            r#"Invalid callback-header-refused: the callback header "Cookie" cannot be set: only Authorization, Content-Type, User-Agent, Host, Accept and names that begin with X- may be set"#
        ]],
    );
    check_refused(
        create(header("X-Line", "a\nb")).await,
        expect![[
            r#"Invalid callback-header-refused: the callback header "X-Line" cannot be set: its value has characters that no header can carry"#
        ]],
    );
    check_refused(
        create(header("X-Long", &"x".repeat(8_192))).await,
        expect![
            "Invalid callback-headers-too-long: the callback headers have 8198 bytes, more than the 8192 that are allowed"
        ],
    );
    assert!(http.requests().is_empty(), "nobody was called");

    drop(create(request("orders")).await.expect("any answer to the probe counts"));
    http.push_error(HttpError::UnknownHost { host: "receiver.example".into() });
    check_refused(
        create(request("orders")).await,
        expect![[
            r#"Invalid callback-failed: the callback could not be reached: cannot find the host "receiver.example""#
        ]],
    );
    assert!(Callback::parse("http://127.0.0.1:9/in", &[], true).is_ok(), "http is an option");
}

#[test]
fn what_is_shown_of_an_address_is_no_secret() {
    for (uri, expected) in [
        ("https://receiver.example/in?key=s3cret", "https://receiver.example/in"),
        ("https://receiver.example/in#s3cret", "https://receiver.example/in"),
        ("https://receiver.example/users/@ada", "https://receiver.example/users/@ada"),
        ("https://ada:s3cret@receiver.example/in", "https://receiver.example/in"),
        ("https://ada:s3?cret@receiver.example/in", "https://receiver.example/in"),
        ("https://ada:s3/cr@et@receiver.example", "https://receiver.example"),
    ] {
        assert_eq!(callback::shown(uri), expected);
        let shown = format!("{:?}", Sink::Https { uri: uri.into() });
        assert_eq!(shown, format!("Https({expected})"));
    }
}

#[tokio::test]
async fn only_the_owner_or_an_administrator_manages_it() {
    let (house, _http) = House::scripted().await;
    let id = house.subscribe().await;
    let (events, eve, root) = (&house.events, actor("eve", false), actor("root", true));
    check_refused(
        events.get(&eve, id).await,
        expect![[
            r#"Denied subscription-of-somebody-else: subscription "s-1" belongs to somebody else; only its owner or an administrator may do this"#
        ]],
    );
    for refused in [
        events.pause(&eve, id).await.err(),
        events.resume(&eve, id).await.err(),
        events.resume_from_latest(&eve, id).await.err(),
        events.replay(&eve, id, Offset(0)).await.err(),
        events.update(&eve, id, request("hers")).await.err(),
        events.extract(&eve, id).await.err(),
        events.skip_one(&eve, id).await.err(),
        events.set_policy(&eve, id, Policy::default()).await.err(),
        events.read_secret(&eve, id).await.err(),
        events.read_secret(&root, id).await.err(),
        events.rotate_secret(&eve, id, Duration::ZERO).await.err(),
        events.deliveries(&eve, id, DeliveryFilter::default(), Paging::default()).await.err(),
        events.delete(&eve, id).await.err(),
    ] {
        assert_eq!(refused.expect("it is refused").code(), "subscription-of-somebody-else");
    }
    assert_eq!(house.standing(id).await, Standing::new(Offset(0)), "nothing has changed");
    events.pause(&root, id).await.expect("an administrator may");
    events.resume(&ada(), id).await.expect("the owner may");

    let nobody = SubscriptionId::from_bytes([0; 16]);
    check_refused(
        events.pause(&root, nobody).await,
        expect![[r#"NotFound subscription-not-found: there is no subscription "s-1""#]],
    );
}

#[tokio::test]
async fn a_pause_keeps_the_queue_and_a_resume_goes_on_from_there() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([1, 2, 3]).await;
    house.pass(Duration::from_mins(1)).await;
    assert_eq!(http.requests().len(), 1, "only the probe");
    assert_eq!(house.events.get(&ada(), id).await.expect("it is there").queued, 3);
    check_refused(
        house.events.pause(&ada(), id).await,
        expect![[r#"Conflict pause-while-paused: cannot pause subscription "s-1": it is paused"#]],
    );
    check_refused(
        house.events.extract(&ada(), id).await,
        expect![[r#"Conflict extract-while-paused: cannot extract from subscription "s-1": it is paused"#]],
    );
    for _ in 0..3 {
        http.push(200, "");
    }
    house.events.resume(&ada(), id).await.expect("it goes on");
    house.events.step().await;
    assert_eq!(http.requests().len(), 4);
    check_refused(
        house.events.resume(&ada(), id).await,
        expect![[r#"Conflict resume-while-active: cannot resume subscription "s-1": it is active"#]],
    );
}

#[tokio::test]
async fn resuming_from_the_latest_passes_over_the_queue_on_record() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.append([1, 2]).await;
    house.events.resume_from_latest(&ada(), id).await.expect("it goes on");
    http.push(200, "");
    house.append([3]).await;
    house.events.step().await;
    assert_eq!(http.requests()[1].headers["loopwright-offset"], "3");
    let skips = house.skips(id).await;
    assert_eq!(skips, [Skipped { first: Offset(1), last: Offset(2), reason: SkipReason::ResumedFromLatest }]);
}

#[tokio::test]
async fn a_replay_sends_the_same_bytes_again_and_says_so() {
    let (house, http) = House::scripted().await;
    house.append([1, 2]).await;
    let id = house.subscribe().await;
    house.append([3, 4]).await;
    for _ in 0..5 {
        http.push(200, "");
    }
    house.events.step().await;
    house.events.replay(&ada(), id, Offset(0)).await.expect("from the beginning");
    house.append([5]).await;
    house.events.step().await;
    let calls = http.requests();
    let shown: Vec<String> = calls[1..]
        .iter()
        .map(|call| {
            let text = |name: &str| call.headers[name].to_str().expect("our headers are text").to_owned();
            format!("{} {}", text("loopwright-offset"), text("loopwright-replay"))
        })
        .collect();
    assert_eq!(shown, ["3 false", "4 false", "3 true", "4 true", "5 false"]);
    assert_eq!(calls[1].body, calls[3].body);
    assert_eq!(calls[1].headers["webhook-id"], calls[3].headers["webhook-id"]);
    check_refused(
        house.events.replay(&ada(), id, Offset(2)).await,
        expect![[r#"Invalid replay-before-start: cannot replay subscription "s-1": its events begin at offset 3"#]],
    );
    check_refused(
        house.events.replay(&ada(), id, Offset(9)).await,
        expect![[r#"Invalid replay-ahead: cannot replay subscription "s-1": the next event will have offset 6"#]],
    );
}

#[tokio::test]
async fn what_could_not_be_delivered_can_be_taken_out_by_hand() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.append(1..=60).await;
    http.push(410, "");
    house.events.step().await;
    let extract = async || house.events.extract(&ada(), id).await.expect("events are taken out");
    let first = extract().await;
    assert_eq!(first.len(), 50);
    assert_eq!(first[0], http.requests()[1].body, "the body that the callback would have received");
    assert_eq!(house.standing(id).await.state.word(), "failed");
    assert_eq!(extract().await.len(), 10);
    assert_eq!(house.standing(id).await.state.word(), "failed");
    assert_eq!(extract().await.len(), 0, "who takes pages until one is empty is given that one");
    check_refused(
        house.events.extract(&ada(), id).await,
        expect![[r#"Conflict extract-while-active: cannot extract from subscription "s-1": it is active"#]],
    );
    let standing = house.standing(id).await;
    // There is nothing left that could be wrong, and nothing to probe with.
    assert_eq!((standing.state.word(), standing.cursor), ("active", Offset(60)));
    let skips = house.skips(id).await;
    assert_eq!(
        skips.iter().map(|skip| (skip.first, skip.last)).collect::<Vec<_>>(),
        [(Offset(1), Offset(50)), (Offset(51), Offset(60))]
    );
}

#[tokio::test]
async fn what_has_nothing_left_to_lose_is_not_given_up() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.append([1]).await;
    http.push(410, "");
    house.events.step().await;
    assert_eq!(house.events.extract(&ada(), id).await.expect("it is failed").len(), 1);
    assert_eq!(house.standing(id).await.state.word(), "failed");
    house.pass(Duration::from_hours(8)).await;
    house.save().await;
    assert_eq!(house.standing(id).await.state.word(), "active");
}

#[tokio::test]
async fn one_event_that_is_wrong_can_be_passed_over_by_hand() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    let rejecting = Policy { on_rejection: OnRejection::Reject, ..Policy::default() };
    house.events.set_policy(&ada(), id, rejecting).await.expect("it is changed");
    check_refused(
        house.events.skip_one(&ada(), id).await,
        expect![[r#"Conflict skip-while-active: cannot skip an event of subscription "s-1": it is active"#]],
    );
    house.append([1, 2, 3]).await;
    http.push(400, "not this one");
    house.events.step().await;
    http.push(410, "");
    let skipped = house.events.skip_one(&ada(), id).await.expect("it is rejected").standing;
    assert_eq!((skipped.state, skipped.cursor, skipped.generation), (State::Active, Offset(1), 2));
    house.events.step().await;
    house.save().await;
    assert_eq!(house.standing(id).await.state.word(), "failed");
    http.push(200, "");
    house.events.skip_one(&ada(), id).await.expect("it is failed");
    house.events.step().await;
    let calls: Vec<_> = http.requests()[1..].iter().map(|call| call.headers["loopwright-offset"].clone()).collect();
    assert_eq!(calls, ["1", "2", "3"]);
    let by_hand = |offset| Skipped { first: Offset(offset), last: Offset(offset), reason: SkipReason::ByHand };
    assert_eq!(house.skips(id).await, [by_hand(1), by_hand(2)]);
}

#[tokio::test]
async fn eight_hours_of_failure_suspend_it_over_a_restart_and_an_update_brings_it_back() {
    let (mut house, http) = House::scripted().await;
    let id = house.subscribe().await;
    house.append([1, 2]).await;
    http.push(410, "");
    house.events.step().await;
    house.save().await;
    let State::Failed { since } = house.standing(id).await.state else { panic!("it is failed") };
    house.crash().await;
    // The script is empty: every probe fails to connect.
    house.clock.set(since.plus(Duration::from_millis(8 * 3_600_000 - 1)));
    house.events.step().await;
    house.events.step().await;
    assert_eq!(house.standing(id).await.state, State::Failed { since });
    house.pass(Duration::from_millis(1)).await;
    let standing = house.standing(id).await;
    assert_eq!(standing.state, State::Suspended { queue: Queue::Destroyed });
    check_refused(
        house.events.replay(&ada(), id, Offset(1)).await,
        expect![[r#"Conflict replay-while-suspended: cannot replay subscription "s-1": it is suspended"#]],
    );
    assert_eq!(house.events.extract(&ada(), id).await.expect("nothing is left").len(), 0);

    house.events.update(&ada(), id, request("again")).await.expect("an update brings it back");
    house.append([3]).await;
    http.push(200, "");
    house.events.step().await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor), (State::Active, Offset(3)));
    let skips = house.skips(id).await;
    assert_eq!(skips, [Skipped { first: Offset(1), last: Offset(2), reason: SkipReason::Suspension }]);
}

#[tokio::test]
async fn the_secret_is_read_once_and_by_its_owner() {
    let (house, _http) = House::scripted().await;
    let id = house.subscribe().await;
    let secret = house.events.read_secret(&ada(), id).await.expect("once");
    assert!(secret.expose().starts_with("whsec_"));
    check_refused(
        house.events.read_secret(&ada(), id).await,
        expect![[
            r#"Gone secret-already-read: the secret of subscription "s-1" was already read; rotate it to get a new one"#
        ]],
    );
    let rotated = house.events.rotate_secret(&ada(), id, Duration::ZERO).await.expect("a new one");
    assert!(!rotated.matches(secret.expose()));
}

#[tokio::test]
async fn a_seal_that_cannot_be_opened_stops_a_verb_before_it_changes_anything() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    let spoil = |tx: &mut dyn base::db::Tx| {
        tx.execute("UPDATE subscription_secrets SET sealed = $1", base::args![vec![0_u8; 60]])
    };
    house.db.write("test.spoil", spoil).await.expect("it is spoiled");
    for refused in [house.events.read_secret(&ada(), id).await.err(), house.events.pause(&ada(), id).await.err()] {
        assert_eq!(refused.expect("it is refused").code(), "secret-sealed");
    }
    assert_eq!(house.standing(id).await.state, State::Active);
    let read = house.db.read("test.read", |tx| {
        tx.query("SELECT 1 FROM subscription_secrets WHERE read_at IS NOT NULL", base::args![])
    });
    assert_eq!(read.await.expect("rows").len(), 0, "what nobody got to see was not read");
    // Deliveries go on with the key that was opened when it took its seat.
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    assert_eq!(http.requests().len(), 2);
}

#[tokio::test]
async fn delivery_settings_are_checked_and_change_no_state() {
    let (house, _http) = House::scripted().await;
    let id = house.subscribe().await;
    let hasty = Policy { timeout_ms: 1, ..Policy::default() };
    check_refused(
        house.events.set_policy(&ada(), id, hasty).await,
        expect![[
            r#"Invalid delivery-setting-out-of-bounds: the delivery setting "timeoutMs" is 1, it must lie between 100 and 300000"#
        ]],
    );
    let patient = Policy { suspend_after_ms: 3_600_000, ..Policy::default() };
    let before = house.standing(id).await;
    let changed = house.events.set_policy(&ada(), id, patient.clone()).await.expect("it is changed");
    assert_eq!((changed.policy, changed.standing), (patient, before));
}

#[tokio::test]
async fn deleting_ends_everything_and_the_trail_tells_the_story() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    house.events.pause(&ada(), id).await.expect("it is paused");
    house.events.delete(&ada(), id).await.expect("it is deleted");
    house.append([2]).await;
    house.events.step().await;
    assert_eq!(http.requests().len(), 2);
    assert!(matches!(house.events.get(&ada(), id).await, Err(Error::NotFound { .. })));
    let status = house.events.status().await.expect("counts");
    assert_eq!((status.events, status.callbacks.subscriptions, status.callbacks.delivered), (2, 0, 1));

    let entries = house.db.read("test.audit", |tx| tx.query("SELECT verb FROM audit ORDER BY sequence", base::args![]));
    let verbs: Vec<String> = entries.await.expect("a trail").iter().map(|row| row.get(0).expect("a verb")).collect();
    assert_eq!(verbs, ["create", "pause", "delete"]);
    let whole = house.db.read("test.audit", audit::verify).await.expect("a trail");
    assert!(matches!(whole, audit::Chain::Whole { rows: 3, .. }));
}

#[tokio::test]
async fn headers_and_secrets_lie_sealed_in_the_database() {
    let (house, _http) = House::scripted().await;
    let id = house.subscribe().await;
    let secret = house.events.read_secret(&ada(), id).await.expect("once");
    let rows = house
        .db
        .read("test.sealed", |tx| {
            let mut rows = tx.query("SELECT headers_sealed FROM subscriptions", base::args![])?;
            rows.extend(tx.query("SELECT sealed FROM subscription_secrets", base::args![])?);
            rows.iter().map(|row| row.get::<Vec<u8>>(0)).collect::<Result<Vec<_>, _>>()
        })
        .await
        .expect("rows");
    assert_eq!(rows.len(), 2);
    for row in rows {
        let text = String::from_utf8_lossy(&row).into_owned();
        assert!(!text.contains("t0ken") && !text.contains(secret.expose()));
    }
}
