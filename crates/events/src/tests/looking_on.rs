//! Looking on, the log of all deliveries, and how many secrets sign.

use base::testing::databases;

use super::*;

#[tokio::test]
async fn whoever_looks_on_sees_what_a_callback_would() {
    let (house, http) = House::scripted().await;
    let nothing = house.events.tail(&late_orders(), "listener", Offset::START, 10).await.expect("no log yet");
    assert_eq!(nothing, Tail { head: Offset(0), first_kept: Offset(1), events: Vec::new() });
    let id = house.subscribe().await;
    house.append([1, 2, 3]).await;
    http.push(200, "");
    house.events.step().await;

    let tail = house.events.tail(&late_orders(), &id.to_string(), Offset::START, 2).await.expect("a tail");
    assert_eq!((tail.head, tail.first_kept, tail.events.len()), (Offset(3), Offset(1), 2));
    let sent = &http.requests()[1];
    assert_eq!(tail.events[0].body, sent.body, "the same bytes");
    assert_eq!(sent.headers["webhook-id"], tail.events[0].id.to_string().as_str());
    let rest = house.events.tail(&late_orders(), "listener", tail.events[1].offset, 2).await.expect("a tail");
    assert_eq!(rest.events.iter().map(|event| event.offset).collect::<Vec<_>>(), [Offset(3)]);
    let body = String::from_utf8(rest.events[0].body.to_vec()).expect("JSON is text");
    assert!(body.starts_with(r#"{"subscriberId":"listener","triggerId":"late-orders","offset":3,"#), "{body}");
    assert_eq!(house.standing(id).await.cursor, Offset(0), "looking on moves no cursor");
}

#[tokio::test]
async fn whoever_waits_for_a_log_to_grow_hears_of_it() {
    let (house, _http) = House::scripted().await;
    let (events, trigger) = (&house.events, late_orders());
    assert!(!events.grown(&trigger, Offset(0), Duration::ZERO).await.expect("a look"), "nothing is there");
    // The test would last for an hour if nobody told the one who waits.
    let (grown, ()) = tokio::join!(events.grown(&trigger, Offset(1), Duration::from_hours(1)), async {
        house.append([1]).await;
        events.nudge(&TriggerRef::new("purchasing.orders", "other"));
        house.append([2]).await;
    });
    assert!(grown.expect("it has grown"));
    assert!(events.grown(&trigger, Offset(1), Duration::ZERO).await.expect("a look"), "it is there already");
}

/// Shows a page of the log of all deliveries.
async fn shown(house: &House, actor: &Actor, filter: LogFilter, page: u64) -> (String, u64) {
    let paging = Paging { page, size: 3 };
    let page = house.events.delivery_log(actor, filter, paging).await.expect("a log");
    let line = |logged: &Logged| {
        let name = if logged.name.is_empty() { "(deleted)" } else { &logged.name };
        format!("{name} {}/{} {}", logged.attempt.offset, logged.attempt.number, logged.attempt.verdict.word())
    };
    (page.content.iter().map(line).collect::<Vec<_>>().join(", "), page.total)
}

#[tokio::test]
async fn the_log_of_all_deliveries_shows_everyone_his_own() {
    for (engine, guard, db) in databases(&[base::MIGRATIONS, MIGRATIONS]) {
        eprintln!("on {engine}");
        let http = Arc::new(ScriptedHttp::default());
        let house = House::on(db, Box::new(guard), http.clone(), Arc::new(NoHooks)).await;
        let make = async |who: &Actor, name: &str| {
            http.push(405, "");
            house.events.create(who, &late_orders(), request(name)).await.expect("a subscription").id
        };
        let (bob, root) = (actor("bob", false), actor("root", true));
        house.events.watch(&ada(), "flow/1", &late_orders()).await.expect("a hook");
        house.append([1]).await;
        house.events.step().await;
        house.clock.advance(Duration::from_secs(1));
        let well = make(&ada(), "well").await;
        http.push(200, "");
        house.append([2]).await;
        house.events.step().await;
        house.clock.advance(Duration::from_secs(1));
        let ill = make(&bob, "ill").await;
        house.events.pause(&ada(), well).await.expect("it is paused");
        let since = house.clock.now();
        http.push(410, "");
        house.append([3]).await;
        house.events.step().await;
        house.save().await;

        let all = LogFilter::default;
        let verdict = |verdict| LogFilter { verdict: Some(verdict), ..all() };
        let state = |state| LogFilter { state: Some(state), ..all() };
        assert_eq!(shown(&house, &ada(), all(), 0).await, ("well 2/1 delivered".into(), 1));
        assert_eq!(shown(&house, &bob, all(), 0).await, ("ill 3/1 failed".into(), 1));
        assert_eq!(shown(&house, &actor("eve", false), all(), 0).await, (String::new(), 0));
        let (seen, total) = shown(&house, &root, all(), 0).await;
        assert_eq!((seen.as_str(), total), ("ill 3/1 failed, well 2/1 delivered, flow/1 1/1 busy", 3));
        assert_eq!(shown(&house, &root, all(), 1).await, (String::new(), 3));
        assert_eq!(shown(&house, &root, verdict(Verdict::Failed), 0).await, ("ill 3/1 failed".into(), 1));
        assert_eq!(shown(&house, &root, verdict(Verdict::Delivered), 0).await, ("well 2/1 delivered".into(), 1));
        assert_eq!(shown(&house, &root, state("failed"), 0).await, ("ill 3/1 failed".into(), 1));
        assert_eq!(shown(&house, &root, state("paused"), 0).await, ("well 2/1 delivered".into(), 1));
        assert_eq!(shown(&house, &root, state("rejected"), 0).await, (String::new(), 0));
        let later = LogFilter { from: Some(since), ..all() };
        assert_eq!(shown(&house, &root, later, 0).await, ("ill 3/1 failed".into(), 1));
        let earlier = LogFilter { to: Some(since), subscription: Some(well), ..all() };
        assert_eq!(shown(&house, &ada(), earlier, 0).await, ("well 2/1 delivered".into(), 1));
        let hers = LogFilter { subscription: Some(ill), ..all() };
        let refused = house.events.delivery_log(&ada(), hers, Paging::default()).await.expect_err("it is bob's");
        assert_eq!(base::Coded::code(&refused), "subscription-of-somebody-else");

        house.events.delete(&bob, ill).await.expect("it ends");
        assert_eq!(shown(&house, &bob, all(), 0).await, (String::new(), 0));
        assert_eq!(shown(&house, &root, hers, 0).await, ("(deleted) 3/1 failed".into(), 1));
    }
}

#[tokio::test]
async fn skips_come_by_the_page() {
    let (house, http) = House::scripted().await;
    let skipping = NewSubscription { skip_errors: true, ..request("skipping") };
    let id = house.events.create(&ada(), &late_orders(), skipping).await.expect("a subscription").id;
    for key in 1..=3 {
        http.push(410, "");
        house.append([key]).await;
        house.events.step().await;
    }
    house.save().await;
    let page = house.events.skips(&ada(), id, Paging { page: 1, size: 2 }).await.expect("skips");
    let skipped = Skipped { first: Offset(3), last: Offset(3), reason: SkipReason::Errors };
    let at = house.clock.now().minus(Duration::from_millis(50));
    assert_eq!(page, Page { content: vec![SkipShown { skipped, generation: 1, at }], total: 3 });
}

#[tokio::test]
async fn five_secrets_sign_at_once_and_no_more() {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    let mut secrets = vec![house.events.read_secret(&ada(), id).await.expect("once")];
    let signatures = async || {
        http.push(200, "");
        house.append([http.requests().len() as u64]).await;
        house.events.step().await;
        http.requests().last().expect("a call").clone()
    };
    for rotation in 1..=6 {
        let new = house.events.rotate_secret(&ada(), id, Duration::from_hours(24)).await.expect("a new secret");
        secrets.push(new);
        let call = signatures().await;
        let text = |name: &str| call.headers[name].to_str().expect("our headers are text").to_owned();
        assert_eq!(text("webhook-signature").split(' ').count(), (rotation + 1).min(5));
        let fits = |secret: &base::Secret| {
            let key = signature::SigningKey::new(secret).expect("a secret of the right form");
            let (id, at) = (text("webhook-id"), text("webhook-timestamp"));
            key.verify(&id, &at, &text("webhook-signature"), &call.body, house.clock.now()).is_ok()
        };
        let fitting: Vec<bool> = secrets.iter().rev().map(fits).collect();
        let expected: Vec<bool> = (0..secrets.len()).map(|age| age < 5).collect();
        assert_eq!(fitting, expected, "the newest five sign");
    }
    // Without an overlap the new one is alone at once.
    house.events.rotate_secret(&ada(), id, Duration::ZERO).await.expect("a new secret");
    let call = signatures().await;
    assert_eq!(call.headers["webhook-signature"].to_str().expect("text").split(' ').count(), 1);
}
