use serde_json::{Value as Json, json};

use super::*;
use crate::blueprint::{self, Entry, Format};
use crate::package::{Part, PartKind};
use crate::{ImportOptions, Reading, SharedScope};

fn flow(name: &str, duration: u32) -> String {
    format!(
        "name: {name}\nflow:\n  - {{ id: 1, module: \"util:FunctionSleep\", mapper: {{ duration: {duration} }} }}\n"
    )
}

#[tokio::test]
async fn an_unknown_module_is_named_and_does_not_keep_a_flow_from_being_published() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        let text = r#"{"name": "F", "scheduling": {"type": "daily", "time": "09:00"}, "flow": [{"id": 4, "module": "acme:Do", "version": 1}]}"#;
        flows.put(&ann, "f", text).await.expect("a draft");
        flows.publish(&ann, "f").await.expect("a version");
        let told = flows.activate(&ann, "f").await.expect("it is switched on");
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["module 4: module \"acme:Do\" does not exist here: a run fails when it comes to it"]);
    }
}

#[tokio::test]
async fn a_version_comes_back_and_a_changed_draft_stays() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        for (duration, note) in [(1, None), (2, Some("slower".to_owned()))] {
            flows.put(&ann, "f", &flow("F", duration)).await.expect("a draft");
            flows.publish_noted(&ann, "f", note).await.expect("a version");
        }
        let told = flows.difference("f", Reading::Version(1), Reading::Published).await.expect("a difference");
        assert_eq!(told.to_string(), "~ module 1, util:FunctionSleep\n    mapper.duration: 1 → 2\n");
        assert_eq!(flows.roll_back(&ann, "f", 1, Some("back".into())).await.expect("a version"), 3);
        assert_eq!(flows.text("f", Reading::Draft).await.expect("a draft"), flow("F", 1));
        let versions = flows.versions("f").await.expect("versions");
        let told: Vec<_> =
            versions.iter().map(|it| (it.version, it.note.as_deref(), it.of_version, it.current)).collect();
        assert_eq!(told, [(3, Some("back"), Some(1), true), (2, Some("slower"), None, false), (1, None, None, false)]);
        flows.put(&ann, "f", &flow("F", 9)).await.expect("a draft");
        flows.roll_back(&ann, "f", 2, None).await.expect("a version");
        assert_eq!(flows.text("f", Reading::Published).await.expect("a text"), flow("F", 2));
        assert_eq!(flows.text("f", Reading::Draft).await.expect("a draft"), flow("F", 9), "nobody published it");
        let unknown = flows.roll_back(&ann, "f", 7, None).await;
        assert_eq!(refused(unknown), "version-unknown flow \"f\" has no version 7");
    }
}

#[tokio::test]
async fn a_package_is_published_whole_or_not_at_all() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        for key in ["a", "b", "other"] {
            flows.put(&ann, key, &flow(key, 1)).await.expect("a draft");
        }
        for key in ["a", "b"] {
            flows.put_in_package(&ann, key, Some("p2p")).await.expect("it is moved");
        }
        let model = |version| vec![Part { kind: PartKind::KnowledgeModel, key: "p2p.orders".into(), version }];
        let first = flows.publish_package(&ann, "p2p", Some("first".into()), model(3)).await.expect("a version");
        let parts: Vec<String> =
            first.parts.iter().map(|part| format!("{} {} {}", part.kind.word(), part.key, part.version)).collect();
        assert_eq!(parts, ["knowledge-model p2p.orders 3", "flow a 1", "flow b 1"]);
        let again = flows.publish_package(&ann, "p2p", None, model(3)).await.expect("a version");
        assert_eq!(again, first, "nothing has changed");

        flows.put(&ann, "a", &flow("a", 2)).await.expect("a draft");
        flows.put(&ann, "b", r#"{"flow": [{"id": 1, "module": "builtin:Ignore"}]}"#).await.expect("a draft");
        let broken = flows.publish_package(&ann, "p2p", None, model(4)).await;
        assert!(refused(broken).starts_with("flow-not-runnable flow \"b\""));
        assert_eq!(flows.versions("a").await.expect("versions").len(), 1, "none of it is published");

        flows.put(&ann, "b", &flow("b", 2)).await.expect("a draft");
        flows.publish_package(&ann, "p2p", None, model(4)).await.expect("a version");
        let back = flows.roll_back_package(&ann, "p2p", 1, None, model(5)).await.expect("a version");
        assert_eq!((back.version, back.of_version), (3, Some(1)));
        assert_eq!(flows.text("a", Reading::Published).await.expect("a text"), flow("a", 1));
        let states: Vec<_> = flows.list().await.expect("flows").iter().map(|flow| flow.state).collect();
        assert!(states.iter().all(|state| *state == FlowState::Inactive), "publishing switches nothing on");
    }
}

#[tokio::test]
async fn an_archive_is_brought_in_whole_or_not_at_all() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        let entry = |id: u32, text: &str| Entry {
            name: format!("20260101-scenario-{id}.json"),
            bytes: text.as_bytes().to_vec(),
        };
        let good = r#"{"name": "Push it, now!", "flow": [
            {"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": 77}},
            {"id": 2, "module": "acme:Do", "parameters": {"__IMTCONN__": 12}},
            {"id": 3, "module": "http:ActionSendDataAPIKeyAuth", "version": 3, "parameters": {"auth": 5}, "mapper": {"url": "https://x.example"}}]}"#;
        let archive = blueprint::write_archive(&[entry(1, good), entry(2, good)]);
        let options = ImportOptions { dry_run: true, package: Some("p2p".into()), ..ImportOptions::default() };
        let told = flows.import(&ann, &archive, options.clone()).await.expect("it can be read");
        assert!(flows.list().await.expect("flows").is_empty(), "it is only told");
        assert_eq!(
            (told[0].unmapped.as_slice(), told[0].unknown_modules.as_slice()),
            (["hook:77".to_owned(), "key:5".to_owned()].as_slice(), ["acme:Do".to_owned()].as_slice())
        );
        flows.import(&ann, &archive, ImportOptions { dry_run: false, ..options.clone() }).await.expect("it is stored");
        let keys: Vec<_> =
            flows.list().await.expect("flows").into_iter().map(|flow| (flow.key, flow.package)).collect();
        assert_eq!(
            keys,
            [("push-it-now".to_owned(), Some("p2p".to_owned())), ("push-it-now-2".into(), Some("p2p".into()))]
        );
        // Again it is the same flows; in another package they are others.
        let into = async |package: &str| {
            let options = ImportOptions { package: Some(package.into()), ..ImportOptions::default() };
            let told = flows.import(&ann, &archive, options).await.expect("it is stored");
            told.into_iter().map(|flow| (flow.key, flow.replaces)).collect::<Vec<_>>()
        };
        assert_eq!(into("p2p").await, [("push-it-now".to_owned(), true), ("push-it-now-2".into(), true)]);
        let others = [("push-it-now-3".to_owned(), false), ("push-it-now-4".into(), false)];
        assert_eq!(into("copy").await, others);
        assert_eq!(into("copy").await, others.map(|(key, _)| (key, true)));
        let of_old = flows.get("push-it-now").await.expect("a flow").info.package;
        assert_eq!(of_old.as_deref(), Some("p2p"));
        let exported = flows.export("push-it-now", Reading::Draft, Format::Json).await.expect("a blueprint");
        let read = |text: &str| serde_json::from_str::<Json>(text).expect("JSON");
        assert_eq!(read(&exported), read(good));
        let archive = blueprint::write_archive(&[entry(1, &good.replace("Push", "Pull")), entry(2, "{}")]);
        let refused = refused(flows.import(&ann, &archive, ImportOptions { dry_run: false, ..options }).await);
        assert_eq!(
            refused,
            "flow-unreadable the text of flow \"20260101-scenario-2.json\" cannot be read: missing field `flow`"
        );
        assert_eq!(flows.list().await.expect("flows").len(), 4);
    }
}

#[tokio::test]
async fn a_secret_leaves_the_text_and_the_tables() {
    const TOKEN: &str = "dapi0123456789abcdef0123456789abcdef";
    for (_guard, Desk { flows, ann, .. }) in desks() {
        let text = json!({"name": "F", "flow": [{"id": 1, "module": "http:ActionSendData", "version": 3, "mapper": {
            "url": "https://x.example", "headers": [{"name": "Authorization", "value": format!("Bearer {TOKEN}")}]}}]});
        let notices = flows.put(&ann, "f", &text.to_string()).await.expect("a draft");
        assert!(notices.iter().any(|notice| notice.text.starts_with("a Databricks token (dapi…)")), "{notices:?}");
        assert!(notices.iter().all(|notice| !notice.text.contains(TOKEN)));
        let moved = flows.move_literals(&ann, "f", "databricks").await.expect("it moves");
        assert_eq!((moved.connections.len(), moved.left.len(), moved.kept_in_history), (1, 0, false));
        assert!(!flows.text("f", Reading::Draft).await.expect("a draft").contains(TOKEN));
        let rows = flows.db.read("test.texts", |tx| tx.query("SELECT text FROM flow_texts", args![])).await;
        let texts: Vec<String> = rows.expect("rows").iter().map(|row| row.get(0).expect("text")).collect();
        assert!(texts.iter().all(|text| !text.contains(TOKEN)), "the old draft is forgotten");
        assert!(flows.literals("f").await.expect("secrets").is_empty());
        flows.put(&ann, "g", &text.to_string()).await.expect("a draft");
        let taken = refused(flows.move_literals(&ann, "g", "databricks").await);
        assert_eq!(taken, "connection-exists connection \"databricks\" is there already: choose another name");
    }
}

#[tokio::test]
async fn shared_variables_are_beside_those_of_the_flow() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        flows.put(&ann, "f", &(flow("F", 1) + "variables: { own: 1 }\n")).await.expect("a draft");
        let Json::Object(variables) = json!({"env": "eu-1"}) else { unreachable!("it is an object") };
        flows.set_shared_variables(&ann, SharedScope::Team, variables.clone()).await.expect("they are set");
        assert_eq!(flows.shared_variables(SharedScope::Team).await.expect("variables"), variables);
        assert!(flows.shared_variables(SharedScope::Organization).await.expect("variables").is_empty());
        let row = flows.flow("f").await.expect("a flow");
        let program = flows.program(&row.draft).await.expect("a program");
        let run = flows.new_run(&row, &program, "manual");
        let kept: Json = serde_json::from_str(&run.variables).expect("JSON");
        assert_eq!(kept, json!({"own": 1, "$team": {"env": "eu-1"}}));
    }
}
