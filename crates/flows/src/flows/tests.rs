mod packages;
mod structures;

use base::chance::SeededChance;
use base::testing::{ScriptedHttp, databases};
use base::time::SimClock;
use base::{Coded, Secret, args};

use super::*;
use crate::connection::{ConnectionSpec, Credentials};

const FLOW: &str = r#"
name: Late
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE } }
"#;

/// Remembers what was asked for; knows only the trigger `LATE`.
#[derive(Default)]
struct Watched(Mutex<Vec<String>>);

impl Signals for Watched {
    fn watch(&self, hook: &str, knowledge_model: &str, trigger: &str) -> BoxFuture<'_, Result<(), SignalsError>> {
        let known = trigger == "LATE" || trigger == "LATER";
        let detail = format!("trigger \"{trigger}\" does not exist");
        self.0.lock().push(format!("{hook} {knowledge_model}/{trigger}"));
        Box::pin(async move { if known { Ok(()) } else { Err(SignalsError { kind: Kind::NotFound, detail }) } })
    }

    fn unwatch(&self, hook: &str) -> BoxFuture<'_, Result<(), SignalsError>> {
        self.0.lock().push(format!("not {hook}"));
        Box::pin(async { Ok(()) })
    }
}

struct Desk {
    flows: Flows,
    watched: Arc<Watched>,
    http: Arc<ScriptedHttp>,
    ann: Actor,
}

fn desks() -> Vec<(base::testing::DatabaseGuard, Desk)> {
    let made = databases::<db::Flows>(&[base::MIGRATIONS, crate::MIGRATIONS]).into_iter();
    made.map(|(_, guard, db)| {
        let chance = Arc::new(SeededChance::new(1));
        let keys = Arc::new(KeyRing::generate(&*chance));
        let http = Arc::new(ScriptedHttp::default());
        let flows = Flows::new(db, http.clone(), keys, Arc::new(SimClock::default()), chance, Options::default());
        let watched = Arc::new(Watched::default());
        flows.set_signals(watched.clone());
        (guard, Desk { flows, watched, http, ann: Actor::system("ann") })
    })
    .collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.expect_err("it is refused");
    format!("{} {error}", error.code())
}

#[tokio::test]
async fn publishing_and_activating_are_two_acts() {
    for (_guard, Desk { flows, watched, ann, .. }) in desks() {
        assert_eq!(refused(flows.activate(&ann, "late").await), "flow-unknown flow \"late\" does not exist");
        flows.put(&ann, "late", FLOW).await.expect("a draft");
        assert_eq!(
            refused(flows.activate(&ann, "late").await),
            "flow-not-published flow \"late\" has no published version yet"
        );
        assert_eq!(flows.publish(&ann, "late").await.expect("a version"), 1);
        assert!(watched.0.lock().is_empty());
        flows.activate(&ann, "late").await.expect("it is switched on");
        flows.put(&ann, "late", &FLOW.replace("LATE", "LATER")).await.expect("a draft");
        assert!(flows.get("late").await.expect("a flow").info.draft_ahead);
        assert_eq!(flows.publish(&ann, "late").await.expect("a version"), 2);
        flows.deactivate(&ann, "late").await.expect("it is switched off");
        let expected = ["flow.late p.k/LATE", "not flow.late", "flow.late p.k/LATER", "not flow.late"];
        assert_eq!(*watched.0.lock(), expected);
        let info = &flows.list().await.expect("flows")[0];
        assert_eq!((info.name.as_str(), info.version, info.state), ("Late", Some(2), FlowState::Inactive));
        let verbs = flows.db.read("test.audit", |tx| tx.query("SELECT verb FROM audit ORDER BY sequence", args![]));
        let verbs: Vec<String> = verbs.await.expect("rows").iter().map(|row| row.get(0).expect("text")).collect();
        assert_eq!(verbs, ["create", "publish", "activate", "update", "publish", "deactivate"]);
    }
}

#[tokio::test]
async fn a_trigger_that_does_not_exist_keeps_the_flow_inactive() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        flows.put(&ann, "late", &FLOW.replace("LATE", "NONE")).await.expect("a draft");
        flows.publish(&ann, "late").await.expect("a version");
        assert_eq!(
            refused(flows.activate(&ann, "late").await),
            "flow-signal-unavailable the signal that starts flow \"late\" is not available"
        );
        assert_eq!(flows.list().await.expect("flows")[0].state, FlowState::Inactive);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_what_cannot_run_is_not_published() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        let bad_name = "name-invalid \"a b\" is not a name: use letters, digits, \".\", \"_\" and \"-\", at most 100";
        assert_eq!(refused(flows.put(&ann, "a b", FLOW).await), bad_name);
        assert_eq!(
            refused(flows.put(&ann, "a", "{\"flow\": 1}").await),
            "flow-unreadable the text of flow \"a\" cannot be read: invalid type: integer `1`, expected a sequence"
        );
        let notices = flows.put(&ann, "a", r#"{"flow": [{"id": 1, "module": "builtin:Ignore"}]}"#).await;
        assert_eq!(notices.expect("a draft").len(), 1);
        let not_runnable = "flow-not-runnable flow \"a\" cannot be published: module 1: \"builtin:Ignore\" can only stand in an error route";
        assert_eq!(refused(flows.publish(&ann, "a").await), not_runnable);
        assert_eq!(refused(flows.run_once(&ann, "a", json!({})).await), not_runnable);
        assert_eq!(
            refused(flows.run_once(&ann, "a", json!([])).await),
            "run-input-invalid the input of a run must be a JSON object"
        );
    }
}

#[tokio::test]
async fn a_connection_shows_everything_but_its_secret() {
    for (_guard, Desk { flows, ann, .. }) in desks() {
        let spec = |expires_at| ConnectionSpec {
            kind: "databricks-pat".into(),
            credentials: Credentials::Bearer(Secret::new("dapi-secret")),
            origin: Some("https://adb-1.azuredatabricks.net".into()),
            expires_at,
            imported_ids: Vec::new(),
        };
        let console = Some("https://accounts.cloud.databricks.com/login".to_owned());
        let refusal = refused(flows.put_connection(&ann, "ws", ConnectionSpec { origin: console, ..spec(None) }).await);
        assert!(refusal.contains("accounts.cloud.databricks.com is the account console and no workspace"), "{refusal}");
        // Without a date it ends in 90 days, and what was pasted too much does not count.
        let pasted = Some("https://adb-1.azuredatabricks.net/?o=1#job/77".to_owned());
        flows.put_connection(&ann, "ws", ConnectionSpec { origin: pasted, ..spec(None) }).await.expect("a connection");
        assert_eq!(flows.connection("ws").await.expect("it is there").origin, spec(None).origin);
        let mut connections = flows.connections().await.expect("connections");
        let built_in: Vec<String> =
            connections.extract_if(.., |known| known.built_in).map(|known| known.name).collect();
        assert_eq!(built_in, ["local-workspace", "this-loopwright"], "they are always there");
        let shown = serde_json::to_string(&connections).expect("JSON");
        assert_eq!(
            shown,
            r#"[{"name":"ws","kind":"databricks-pat","origin":"https://adb-1.azuredatabricks.net","expiresAt":"2026-04-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}]"#
        );
        let rows = flows.db.read("test.sealed", |tx| tx.query_one("SELECT sealed FROM connections", args![]));
        let sealed: Vec<u8> = rows.await.expect("a row").expect("a row").get(0).expect("bytes");
        assert!(!String::from_utf8_lossy(&sealed).contains("dapi"));
        flows.delete_connection(&ann, "ws").await.expect("it is removed");
        assert_eq!(
            refused(flows.delete_connection(&ann, "ws").await),
            "connection-unknown connection \"ws\" does not exist"
        );
    }
}
