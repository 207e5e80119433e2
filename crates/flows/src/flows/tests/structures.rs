//! Structures that change while flows go on, and numbers that blueprints bring.

use super::*;
use crate::structure::Structure;

const CREATES: &str = r#"
name: Creates
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "json:CreateJSON", parameters: { type: 77 }, mapper: { id: "{{1.id}}" } }
"#;

fn structure(kind: &str) -> Structure {
    Structure::read(&json!([{"name": "id", "type": kind}])).expect("a structure")
}

/// Runs a version and returns the JSON that it creates.
async fn created(flows: &Flows, hash: &str) -> String {
    let program = flows.program(hash).await.expect("a program");
    let facts = crate::engine::Facts {
        run: crate::run::RunId::new(flows.clock.now(), &*flows.chance),
        flow: "f".into(),
        name: "F".into(),
        variables: crate::value::Value::Null,
        seed: 1,
    };
    let start = crate::value::Value::from_json(json!({"id": "7"}));
    let mut machine = crate::engine::Machine::new(program, facts, vec![start], flows.clock.now());
    assert!(matches!(machine.walk(100), crate::engine::Stop::End(_)));
    machine.take_operations().pop().expect("an operation").output[0]["json"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_version_keeps_its_structures() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        // Nothing is known of its fields yet.
        let notices = flows.put(&ann, "f", CREATES).await.expect("a draft");
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!(flows.publish(&ann, "f").await.expect("a version"), 1);
        flows.put_structure(&ann, "order", structure("number"), vec![77]).await.expect("a structure");
        assert_eq!(flows.publish(&ann, "f").await.expect("a version"), 2, "the text is the same, the structure is new");
        assert_eq!(flows.publish(&ann, "f").await.expect("a version"), 2);
        let second = flows.get("f").await.expect("a flow");
        assert!(second.notices.is_empty() && second.draft == CREATES, "{:?}", second.notices);
        let hash = flows.flow("f").await.expect("a flow").published.expect("a version");
        assert_eq!(created(&flows, &hash).await, r#"{"id":7}"#);
        flows.put_structure(&ann, "order", structure("text"), vec![77]).await.expect("a structure");
        flows.programs.lock().clear();
        assert_eq!(created(&flows, &hash).await, r#"{"id":7}"#, "what is published stays");
        assert_eq!(flows.publish(&ann, "f").await.expect("a version"), 3);
        let third = flows.flow("f").await.expect("a flow").published.expect("a version");
        assert_eq!(created(&flows, &third).await, r#"{"id":"7"}"#);
        flows.delete_structure(&ann, "order").await.expect("it is removed");
        assert_eq!(created(&flows, &third).await, r#"{"id":"7"}"#);
        assert_eq!(
            refused(flows.delete_structure(&ann, "order").await),
            "structure-unknown data structure \"order\" does not exist"
        );
        let verbs: Vec<String> = flows.audit(None, 100).await.expect("rows").into_iter().map(|row| row.verb).collect();
        assert_eq!(verbs.iter().filter(|verb| *verb == "publish").count(), 3, "{verbs:?}");
    }
}

#[tokio::test]
async fn a_number_of_a_blueprint_is_found_by_whom_it_stands_for() {
    for (_guard, Desk { flows, ann, http, .. }) in desks() {
        let flows = Arc::new(flows);
        let blueprint = r#"{"flow": [{"id": 1, "module": "http:ActionSendDataAPIKeyAuth", "version": 3,
            "parameters": {"auth": 34, "handleErrors": true}, "mapper": {"url": "https://a.example/", "method": "get"}}]}"#;
        flows.put(&ann, "f", blueprint).await.expect("a draft");
        let spec = |imported_ids: &[&str]| ConnectionSpec {
            kind: "header".into(),
            credentials: Credentials::Header { header: "x-key".into(), value: Secret::new("s3cret") },
            origin: None,
            expires_at: None,
            imported_ids: imported_ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert_eq!(
            refused(flows.put_connection(&ann, "shop", spec(&["34"])).await),
            "connection-incomplete connection \"shop\" is not complete: \"34\" is not an id such as connection:12 or key:34"
        );
        let run = flows.run_once(&ann, "f", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        let told = flows.run_details(run).await.expect("a run");
        assert_eq!(
            told.info.reason.as_deref(),
            Some(
                "module 1 (http:ActionSendDataAPIKeyAuth) failed: InvalidConfigurationError: no connection stands for \
                 \"key:34\": put one that has it among its \"importedIds\""
            )
        );
        flows.put_connection(&ann, "shop", spec(&["key:34", "connection:5"])).await.expect("a connection");
        http.push(200, "{}");
        let run = flows.run_once(&ann, "f", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        assert_eq!(http.requests()[0].headers["x-key"], "s3cret");
        let told = serde_json::to_string(&flows.run_details(run).await.expect("a run").operations).expect("JSON");
        assert!(!told.contains("s3cret"), "{told}");
        // Another may stand for it from now on, and whoever is gone stands for nothing.
        flows.put_connection(&ann, "other", spec(&["key:34"])).await.expect("a connection");
        let ids = async |name: &str| flows.connection(name).await.expect("a connection").imported_ids;
        assert_eq!((ids("other").await, ids("shop").await), (vec!["key:34".into()], vec!["connection:5".into()]));
        let used = flows.delete_connection(&ann, "other").await.expect_err("a flow names it");
        assert_eq!(used.to_string(), "connection \"other\" is named by flow \"f\": name another one there before");
        flows.delete_connection(&ann, "shop").await.expect("it is removed");
        assert!(flows.connection("shop").await.is_err() && ids("other").await == ["key:34"]);
    }
}

const IMPORTED: &str = r#"{"name": "In", "flow": [
    {"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": 77, "maxResults": 1}},
    {"id": 2, "module": "http:ActionSendDataBasicAuth", "version": 3, "parameters": {"key": 34}, "mapper": {"url": "https://x.example", "method": "get"}}
]}"#;

/// What the flow's notices say of its numbers, and the hook that it takes from.
async fn stands(flows: &Flows) -> (Vec<String>, Option<String>) {
    let flow = flows.get("in").await.expect("a flow");
    (flow.notices.iter().filter_map(|notice| notice.field.clone()).collect(), flow.info.hook)
}

#[tokio::test]
async fn numbers_of_a_blueprint_are_mapped_to_ours() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        assert_eq!(flows.put(&ann, "in", IMPORTED).await.expect("a draft").len(), 2);
        flows.publish(&ann, "in").await.expect("a version");
        let both = || vec!["parameters.hook".to_owned(), "parameters.key".to_owned()];
        assert_eq!(stands(&flows).await, (both(), Some("hook.in".into())));

        let (hook, key) = ("hook:77".parse().expect("a number"), "key:34".parse().expect("a number"));
        assert_eq!(
            refused(flows.map_import(&ann, hook, "deliveries").await),
            "hook-unknown hook \"deliveries\" does not exist"
        );
        assert_eq!(
            refused(flows.map_import(&ann, key, "shop").await),
            "connection-unknown connection \"shop\" does not exist"
        );
        let credentials = crate::Credentials::Basic { user: "ann".into(), password: base::Secret::new("secret") };
        let spec = crate::ConnectionSpec {
            kind: "basic".into(),
            credentials,
            origin: None,
            expires_at: None,
            imported_ids: Vec::new(),
        };
        flows.put_connection(&ann, "shop", spec).await.expect("a connection");
        flows.put_hook(&ann, "deliveries", crate::HookSettings::default()).await.expect("a hook");
        flows.map_import(&ann, "key:34".parse().expect("a number"), "shop").await.expect("it is mapped");
        flows.map_import(&ann, "hook:77".parse().expect("a number"), "deliveries").await.expect("it is mapped");
        assert_eq!(stands(&flows).await, (Vec::new(), Some("hook.in".into())), "what is published stays");
        assert_eq!(flows.publish(&ann, "in").await.expect("a version"), 2);
        assert_eq!(stands(&flows).await, (Vec::new(), Some("hook.deliveries".into())));
        let owner = flows.hook("deliveries").await.expect("a hook").info.flow;
        assert_eq!(owner.as_deref(), Some("in"));

        flows.programs.lock().clear();
        let settings = crate::HookSettings { imported_ids: vec![77], ..crate::HookSettings::default() };
        flows.put_hook(&ann, "other", settings).await.expect("it has the number now");
        let imports: Vec<_> = flows.imports().await.expect("all").into_iter().collect();
        assert_eq!(imports, [("hook:77".into(), "other".into()), ("key:34".into(), "shop".to_owned())]);
        assert_eq!(stands(&flows).await.1.as_deref(), Some("hook.deliveries"), "a version keeps its hook");
        assert_eq!(flows.publish(&ann, "in").await.expect("a version"), 3);
        assert_eq!(stands(&flows).await.1.as_deref(), Some("hook.other"));
        let trail = flows.audit(None, 100).await.expect("rows");
        let mapped: Vec<_> = trail.iter().rev().filter(|row| row.verb == "map").map(|row| &*row.object_id).collect();
        assert_eq!(mapped, ["key:34", "hook:77"]);
    }
}
