//! Webhooks: from a request to its run and back to the caller.

use base::Causes;
use expect_test::{Expect, expect};

use super::*;
use crate::hook::{Answer, Arrival, Expected, HookSettings, Learning, OnMismatch, Response, Webhook};
use crate::structure::Structure;
use crate::value::Value;

/// Collects what came, and answers with a number of its own.
const ANSWERING: &str = r#"
flow:
  - { id: 1, module: "gateway:CustomWebHook" }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/{{1.n}}" } }
  - { id: 3, module: "gateway:WebhookRespond", filter: { conditions: [[{ a: "{{1.n}}", o: "number:notequal", b: "0" }]] }, mapper: { status: "201", body: "got {{1.n}}" } }
  - { id: 4, module: "gateway:WebhookRespond", filter: { conditions: [[{ a: "{{1.n}}", o: "number:notequal", b: "0" }]] }, mapper: { status: "500", body: "never seen" } }
"#;

fn arrival(data: Json) -> Arrival {
    Arrival {
        data: Value::from_json(data),
        method: "POST".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        key: None,
        causes: Causes::NONE,
    }
}

async fn door(flows: &Flows, name: &str) -> Arc<Webhook> {
    let token = flows.hook(name).await.expect("a hook").token;
    flows.knock(token.expose(), None).await.expect("the hook is open")
}

async fn bring(flows: &Flows, name: &str, data: Json) -> Result<Answer, Error> {
    Ok(flows.bring(&*door(flows, name).await, arrival(data)).await?.answer().await)
}

#[tokio::test]
async fn seven_hundred_requests_at_a_limit_of_three_hundred_are_three_runs_in_order() {
    let flow = r#"
scheduling: { type: indefinitely, interval: 300 }
flow:
  - { id: 1, module: "gateway:CustomWebHook", parameters: { maxResults: 300 } }
  - { id: 2, module: "util:TextAggregator", parameters: { feeder: 1, rowSeparator: "," }, mapper: { value: "{{1.n}}" } }
  - { id: 3, module: "http:ActionSendData", mapper: { url: "https://x.example/", method: post, bodyType: raw, data: "{{2.text}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "collect", flow).await;
        for n in 0..700 {
            assert_eq!(bring(&flows, "collect", json!({"n": n})).await.expect("room"), Answer::Accepted);
        }
        flows.run_until_idle().await;
        assert!(flows.runs("collect", 10).await.expect("runs").is_empty(), "items wait for the schedule");
        for _ in 0..4 {
            http.push(200, "");
            house.clock.advance(Duration::from_mins(5));
            flows.run_until_idle().await;
        }
        let sent: Vec<String> =
            http.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
        let expected = |numbers: std::ops::Range<u32>| numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(sent, [expected(0..300), expected(300..600), expected(600..700)]);
        let runs = flows.runs("collect", 10).await.expect("runs");
        assert_eq!(runs.len(), 3, "a time without items starts nothing");
        assert!(runs.iter().all(|run| run.started_by == "schedule" && run.outcome == Some(Outcome::Success)));
    }
}

#[tokio::test]
async fn a_run_takes_as_many_as_the_flow_says() {
    let yaml = "flow: [{ id: 1, module: 'gateway:CustomWebHook' }]".to_owned();
    let limited = "flow: [{ id: 1, module: 'gateway:CustomWebHook', parameters: { maxResults: 5 } }]".to_owned();
    let blueprint = json!({"name": "B", "flow": [{"id": 1, "module": "gateway:CustomWebHook", "version": 1,
        "parameters": {"hook": 3_456_789}, "mapper": {}}], "metadata": {"version": 1}});
    let cases = [(yaml, vec![2, 2, 2, 1]), (limited, vec![5, 2]), (blueprint.to_string(), vec![1; 7])];
    for (_engine, _guard, house) in houses() {
        for (number, (text, sizes)) in cases.iter().enumerate() {
            let flows = house.engine(Arc::new(ScriptedHttp::default()), number as u64 + 1);
            let key = format!("f{number}");
            publish(&flows, &key, text).await;
            flows.deactivate(&ann(), &key).await.expect("it is switched off");
            for n in 0..7 {
                bring(&flows, &key, json!({"n": n})).await.expect("room");
            }
            assert_eq!(flows.list().await.expect("flows")[number].waiting, 7, "events wait while it is switched off");
            flows.activate(&ann(), &key).await.expect("it is switched on");
            flows.run_until_idle().await;
            let mut taken = Vec::new();
            for run in flows.runs(&key, 10).await.expect("runs") {
                taken.push(flows.run_details(run.id).await.expect("a run").input.len());
            }
            taken.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(&taken, sizes, "{text}");
        }
    }
}

#[tokio::test]
async fn the_caller_has_what_its_own_bundle_was_answered_or_how_the_run_ended() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "answering", ANSWERING).await;
        let stop = CancellationToken::new();
        let working = tokio::spawn(flows.clone().run(stop.clone()));
        http.push(200, "");
        let answered = bring(&flows, "answering", json!({"n": 7})).await.expect("room");
        let expected = Response { status: 201, headers: Vec::new(), body: Value::text("got 7") };
        assert_eq!(answered, Answer::Response(expected));
        http.push(200, "");
        assert_eq!(bring(&flows, "answering", json!({"n": 0})).await.expect("room"), Answer::Accepted);
        http.push_error(base::http::HttpError::UnknownHost { host: "x.example".into() });
        let failed = Answer::Failed {
            reason: "module 2 (http:ActionSendData) failed: ConnectionError: cannot find the host \"x.example\"".into(),
        };
        publish(&flows, "answering", &ANSWERING.replace("flow:", "metadata: { loopwright: { retries: 0 } }\nflow:"))
            .await;
        assert_eq!(bring(&flows, "answering", json!({"n": 8})).await.expect("room"), failed);
        stop.cancel();
        working.await.expect("the engine ends");
        assert_eq!(bring(&flows, "answering", json!({"n": 9})).await.expect("room"), Answer::Accepted);
        flows.deactivate(&ann(), "answering").await.expect("it is switched off");
        let answered = bring(&flows, "answering", json!({"n": 10})).await.expect("room");
        assert_eq!(answered, Answer::Accepted, "nobody waits for a flow that is switched off");
    }
}

#[tokio::test]
async fn the_same_key_is_stored_once() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put_hook(&ann(), "orders", HookSettings::default()).await.expect("a hook");
        let webhook = door(&flows, "orders").await;
        for key in [
            Some("k-1".to_owned()),
            Some("k-1".to_owned()),
            Some("x".repeat(5_000)),
            Some("x".repeat(5_000)),
            None,
            None,
        ] {
            let again = Arrival { key, ..arrival(json!({})) };
            assert_eq!(flows.bring(&webhook, again).await.expect("room").answer().await, Answer::Accepted);
        }
        assert_eq!(flows.hook("orders").await.expect("a hook").info.waiting, 4);
    }
}

fn show(learning: &Learning) -> String {
    match learning {
        Learning::Never => "never".into(),
        Learning::Listening { .. } => "listening".into(),
        Learning::Determined { items, .. } => items.to_json()["spec"].to_string(),
    }
}

#[tokio::test]
async fn the_next_request_tells_what_the_data_is_made_of() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let settings = HookSettings { with_method: true, ..HookSettings::default() };
        flows.put_hook(&ann(), "deliveries", settings).await.expect("a hook");
        let check = async |expected: Expect, waiting: u64| {
            let info = flows.hook("deliveries").await.expect("a hook").info;
            expected.assert_eq(&show(&info.learning));
            assert_eq!(info.waiting, waiting);
        };
        check(expect!["never"], 0).await;
        flows.listen_on_hook(&ann(), "deliveries", true).await.expect("it listens");
        check(expect!["listening"], 0).await;
        flows.listen_on_hook(&ann(), "deliveries", false).await.expect("it stops");
        check(expect!["never"], 0).await;
        flows.listen_on_hook(&ann(), "deliveries", true).await.expect("it listens");
        let sample = json!({"OrderId": "4711", "DeliveryDate": "2026-03-01"});
        bring(&flows, "deliveries", sample.clone()).await.expect("room");
        let learned = expect![[
            r#"[{"name":"OrderId","type":"text"},{"name":"DeliveryDate","type":"text"},{"name":"__IMTMETHOD__","type":"text"}]"#
        ]];
        check(learned, 0).await;
        bring(&flows, "deliveries", sample.clone()).await.expect("room");
        assert_eq!(flows.hook("deliveries").await.expect("a hook").info.waiting, 1);

        // A flow that is at work loses nothing while somebody listens.
        let flow =
            "flow: [{ id: 1, module: 'gateway:CustomWebHook', parameters: { hook: deliveries, maxResults: 9 } }]";
        publish(&flows, "at-work", flow).await;
        flows.listen_on_hook(&ann(), "deliveries", true).await.expect("it listens");
        bring(&flows, "deliveries", json!({"a": 1})).await.expect("room");
        flows.run_until_idle().await;
        assert_eq!(only_run(&flows, "at-work").await.input.len(), 2);
    }
}

#[tokio::test]
async fn data_that_does_not_fit_is_refused_or_ignored_and_counted() {
    let structure = Structure::read(&json!([{"name": "OrderId", "type": "text", "required": true}]));
    let structure = Some(Expected::Written(structure.expect("a structure")));
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let settings = HookSettings { structure: structure.clone(), ..HookSettings::default() };
        flows.put_hook(&ann(), "strict", settings.clone()).await.expect("a hook");
        let refused = bring(&flows, "strict", json!({"Order": 1})).await.expect_err("it does not fit");
        assert_eq!(refused.to_string(), "the data does not fit at \"OrderId\": missing value of required parameter");
        let settings = HookSettings { on_mismatch: OnMismatch::Ignore, ..settings };
        flows.put_hook(&ann(), "strict", settings).await.expect("a hook");
        for data in [json!({"Order": 1}), json!(["a"]), json!({"OrderId": 4711})] {
            assert_eq!(bring(&flows, "strict", data).await.expect("it is taken"), Answer::Accepted);
        }
        let info = flows.hook("strict").await.expect("a hook").info;
        assert_eq!((info.refused, info.ignored, info.waiting), (1, 2, 1));
    }
}

#[tokio::test]
async fn a_hook_checks_with_a_stored_structure_as_it_is_now() {
    let with = |kind: &str| Structure::read(&json!([{"name": "n", "type": kind, "required": true}])).expect("fields");
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let settings = HookSettings { structure: Some(Expected::Named("order".into())), ..HookSettings::default() };
        let missing = flows.put_hook(&ann(), "h", settings.clone()).await.map(drop).expect_err("it is not there");
        expect![[r#"hook "h" is to check with data structure "order", which does not exist: put that first"#]]
            .assert_eq(&missing.to_string());
        assert!(flows.hooks().await.expect("hooks").is_empty());

        flows.put_structure(&ann(), "order", with("number"), Vec::new()).await.expect("a structure");
        flows.put_hook(&ann(), "h", settings.clone()).await.expect("a hook");
        let refused = bring(&flows, "h", json!({"n": "x"})).await.expect_err("it does not fit");
        expect![[r#"the data does not fit at "n": "x" is not a number"#]].assert_eq(&refused.to_string());
        flows.put_structure(&ann(), "order", with("text"), Vec::new()).await.expect("another structure");
        assert_eq!(bring(&flows, "h", json!({"n": "x"})).await.expect("it fits now"), Answer::Accepted);
        assert_eq!(flows.hook("h").await.expect("a hook").info.settings, settings, "its name is what is set");

        flows.put_hook(&ann(), "i", settings).await.expect("another hook");
        let in_use = flows.delete_structure(&ann(), "order").await.expect_err("it is in use");
        expect![[
            r#"data structure "order" is what hooks "h", "i" check with: set another one there, or none, before"#
        ]]
        .assert_eq(&in_use.to_string());
        flows.put_hook(&ann(), "h", HookSettings::default()).await.expect("a hook");
        flows.delete_hook(&ann(), "i").await.expect("it is gone");
        flows.delete_structure(&ann(), "order").await.expect("nobody needs it");
    }
}

#[tokio::test]
async fn a_hook_belongs_to_one_flow() {
    let on =
        |hook: &str| format!("flow: [{{ id: 1, module: 'gateway:CustomWebHook', parameters: {{ hook: {hook} }} }}]");
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "first", &on("shared")).await;
        flows.put(&ann(), "second", &on("shared")).await.expect("a draft");
        let taken = flows.publish(&ann(), "second").await.expect_err("it is taken");
        assert_eq!(
            taken.to_string(),
            "hook \"shared\" belongs to flow \"first\": name another hook, or none to have one of the flow's own"
        );
        let in_use = flows.delete_hook(&ann(), "shared").await.expect_err("it is in use");
        assert_eq!(in_use.to_string(), "hook \"shared\" starts flow \"first\", which is active: deactivate that first");
        publish(&flows, "first", &on("other")).await;
        flows.publish(&ann(), "second").await.expect("it is free now");
        let owners: Vec<_> =
            flows.hooks().await.expect("hooks").into_iter().map(|hook| (hook.name, hook.flow)).collect();
        assert_eq!(owners, [("other".into(), Some("first".into())), ("shared".into(), Some("second".to_owned()))]);

        let old = flows.hook("shared").await.expect("a hook").token;
        flows.renew_hook(&ann(), "shared").await.expect("another address");
        assert!(matches!(flows.knock(old.expose(), None).await, Err(Error::UnknownAddress)));
        bring(&flows, "shared", json!({})).await.expect("room");
        flows.delete_hook(&ann(), "shared").await.expect("nobody uses it");
        assert!(matches!(flows.hook("shared").await, Err(Error::UnknownHook { .. })));
        flows.activate(&ann(), "second").await.expect("it has a hook again");
        assert_eq!(flows.hook("shared").await.expect("a hook").info.waiting, 0);
        let trail: Vec<_> = flows.audit(None, 100).await.expect("the trail").into_iter().rev().collect();
        let verbs: Vec<_> = trail.iter().filter(|row| row.object_kind == "hook").map(|row| row.verb.as_str()).collect();
        assert_eq!(verbs, ["create", "create", "renew", "delete", "create"]);
        let written = format!("{trail:?}");
        assert!(!written.contains(old.expose()), "an address is a secret");
    }
}

#[tokio::test]
async fn a_closed_hook_says_why() {
    for (_engine, _guard, mut house) in houses() {
        house.options.hook_requests_per_10s_max = 2;
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let addresses = base::AddressRange::list("10.0.0.0/8").expect("a list");
        let settings = HookSettings { addresses, ..HookSettings::default() };
        let token = flows.put_hook(&ann(), "h", settings.clone()).await.expect("a hook").token;
        let from = |address: &str| Some(address.parse().expect("an address"));
        let knock = async |address: Option<std::net::IpAddr>| flows.knock(token.expose(), address).await;
        assert!(matches!(knock(from("11.0.0.1")).await, Err(Error::HookClosed { .. })));
        assert!(matches!(knock(None).await, Err(Error::HookClosed { .. })));
        assert!(knock(from("10.0.0.1")).await.is_ok() && knock(from("10.0.0.2")).await.is_ok());
        let refused = knock(from("10.0.0.3")).await.expect_err("one too many");
        assert_eq!(refused.to_string(), "this hook takes 2 requests in 10 seconds: try again in 10 s");
        house.clock.advance(Duration::from_secs(10));
        assert!(knock(from("10.0.0.1")).await.is_ok());
        flows.put_hook(&ann(), "h", HookSettings { enabled: false, ..settings }).await.expect("a hook");
        assert!(matches!(knock(from("10.0.0.1")).await, Err(Error::HookDisabled)));
        for unknown in ["", "abc", &"x".repeat(1_000)] {
            assert!(matches!(flows.knock(unknown, from("10.0.0.1")).await, Err(Error::UnknownAddress)));
        }
    }
}

/// What waits on a hook, in items and bytes.
async fn queue(flows: &Flows, name: &str) -> (u64, u64) {
    let info = flows.hook(name).await.expect("a hook").info;
    (info.waiting, info.waiting_bytes)
}

#[tokio::test]
async fn a_queue_is_bounded_by_bytes_too_and_loses_nothing() {
    let failing = json!({"name": "F", "metadata": {"scenario": {"maxErrors": 3}}, "flow": [
        {"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": "h"}},
        {"id": 2, "module": "loopwright:Fail", "mapper": {"message": "no", "type": "RuntimeError"}},
    ]})
    .to_string();
    let mended = "flow: [{ id: 1, module: 'gateway:CustomWebHook', parameters: { hook: h } }]";
    for (_engine, _guard, mut house) in houses() {
        house.options.hook_queue_bytes_max = 40;
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put_hook(&ann(), "h", HookSettings::default()).await.expect("a hook");
        let of = |letters: usize| json!({"text": "ä".repeat(letters)});
        // {"text":""} and two bytes for each letter.
        assert_eq!(bring(&flows, "h", of(5)).await.expect("room"), Answer::Accepted);
        assert_eq!(queue(&flows, "h").await, (1, 21));
        let full = bring(&flows, "h", of(6)).await.expect_err("23 bytes are too many");
        expect![[r#"hook "hook.h" is busy: items that wait for its flow: 1, with 21 bytes"#]]
            .assert_eq(&full.to_string());
        assert_eq!(bring(&flows, "h", of(4)).await.expect("room for less"), Answer::Accepted);
        assert_eq!(queue(&flows, "h").await, (2, 40));

        publish(&flows, "f", &failing).await;
        flows.run_until_idle().await;
        assert_eq!(queue(&flows, "h").await, (2, 40), "what failed is back");
        publish(&flows, "f", mended).await;
        flows.activate(&ann(), "f").await.expect("it is mended");
        flows.run_until_idle().await;
        assert_eq!(queue(&flows, "h").await, (0, 0));
        assert_eq!(flows.counts().await.expect("counts").succeeded, 1, "both came with one run");

        flows.deactivate(&ann(), "f").await.expect("it is off");
        assert_eq!(bring(&flows, "h", of(100)).await.expect("alone it may wait"), Answer::Accepted);
        assert!(matches!(bring(&flows, "h", of(1)).await, Err(Error::Busy { waiting: 1, waiting_bytes: 211, .. })));
    }
}
