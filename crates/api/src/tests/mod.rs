//! The routers, called in process: real facades over a new database, rows in
//! memory, time and chance from the test.
//!
//! A snapshot shows status, content type and body. Ids stand as `<1>`, `<2>` …
//! in order of their first appearance, so that a snapshot tells which are the
//! same and nothing else about them.

#![expect(clippy::needless_raw_string_hashes, reason = "updated snapshots are written with them")]

mod own;
mod runs;
mod models;
mod explore;
mod standing;
mod push;
mod intelligence;
mod contract;
mod openapi;
mod described;
mod workspace;
mod workspace_data;
mod workspace_doors;
mod workspace_faults;
mod workspace_times;
mod door;
mod feedback;
mod outcomes;
mod hooks;
mod tasks;
mod documents;
mod mapping;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use base::chance::SeededChance;
use base::db::{self, Control, Db};
use base::http::{Http, HttpError};
use base::secret::KeyRing;
use base::sql::{Sql, SqlAnswer, SqlColumn, SqlDownload, SqlError, SqlForm, SqlRequest, SqlRunning};
use base::testing::{DatabaseGuard, ScriptedHttp, databases};
use base::time::{ShiftedClock, SimClock};
use base::{BoxFuture, Chance, Clock, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use expect_test::Expect;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::App;

const ADMINISTRATOR: &str = "admin:the-administrators-secret";
const WORKSPACE_TOKEN: &str = "dapi-0123456789abcdef";

/// All of it, on a folder that goes when it does.
struct House {
    app: App,
    main: Router,
    workspace: Router,
    /// An app key that has been granted nothing.
    stranger: String,
    /// What answers the calls that go out.
    http: Arc<ScriptedHttp>,
    /// What the event engine was made of.
    ports: events::Ports,
    /// What time it is.
    clock: Arc<SimClock>,
    /// Where the flows keep their runs.
    flows_db: Db<db::Flows>,
    /// What seals their connections.
    keys: Arc<KeyRing>,
    _guards: (DatabaseGuard, DatabaseGuard, tempfile::TempDir),
}

/// A way out on which nobody ever answers.
#[derive(Default)]
struct Silent {
    asked: Notify,
}

impl Http for Silent {
    fn send(&self, _request: base::http::Request) -> BoxFuture<'_, Result<base::http::Response, HttpError>> {
        self.asked.notify_one();
        Box::pin(std::future::pending())
    }
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl House {
    async fn open() -> Self {
        House::open_with(pools::Options::default()).await
    }

    async fn open_with(options: pools::Options) -> Self {
        House::open_in_ways(options, |_| crate::WorkspaceWays::default()).await
    }

    /// The same, whose workspace behaves in some ways. It is handed its clock,
    /// which they may put off.
    async fn open_in_ways(
        options: pools::Options,
        ways: impl FnOnce(Arc<ShiftedClock>) -> crate::WorkspaceWays,
    ) -> Self {
        let time = Arc::new(SimClock::default());
        let clock: Arc<dyn Clock> = time.clone();
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(7));
        let keys = Arc::new(KeyRing::generate(&*chance));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let migrations = &[
            base::MIGRATIONS,
            access::MIGRATIONS,
            pools::MIGRATIONS,
            events::MIGRATIONS,
            ::workspace::MIGRATIONS,
            mining::MIGRATIONS,
        ];
        let (_, control_guard, control) = databases::<Control>(migrations).remove(0);
        let (_, flows_guard, flows_db) = databases::<db::Flows>(&[base::MIGRATIONS, flows::MIGRATIONS]).remove(0);
        let of_flows = flows_db.clone();
        let http = Arc::new(ScriptedHttp::default());
        let tables: Arc<dyn pools::Tables> = Arc::new(pools::memory::MemTables::with_parquet(push::read_parquet));

        let access = Arc::new(access::Access::new(control.clone(), clock.clone(), chance.clone()));
        access.bootstrap_app_key(ADMINISTRATOR).await.expect("a plain key");
        let administrator = access.authenticate(Some(&app_key(ADMINISTRATOR))).await.expect("the key just made");
        let stranger = access.create_app_key(&administrator, "stranger", false).await.expect("a plain name");
        let spool = folder.path().join("spool");
        let (of_pools, of_tables) = (control.clone(), tables.clone());
        let pools = pools::Pools::with_options(of_pools, of_tables, spool, clock.clone(), chance.clone(), options);
        let pools = Arc::new(pools);
        let ports = events::Ports {
            db: control.clone(),
            http: http.clone(),
            local: Arc::new(events::NoHooks),
            notifier: Arc::new(events::LogNotifier),
            keys: keys.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
        };
        let events = events::Events::open(ports.clone(), events::Options::default()).await.expect("an empty database");
        let flows = flows::Flows::new(
            flows_db,
            http.clone(),
            keys.clone(),
            clock.clone(),
            chance.clone(),
            flows::Options::default(),
        );
        let shifted = Arc::new(ShiftedClock::over(clock.clone()));
        let ways = ways(shifted.clone());
        let workspace = ::workspace::Workspace::new(
            control.clone(),
            folder.path().join("workspace"),
            keys.clone(),
            shifted,
            chance.clone(),
            ::workspace::Options::default(),
        );
        workspace.bootstrap_token(&Secret::new(WORKSPACE_TOKEN)).await.expect("a long token");
        let mining = mining::Mining::new(control, tables, pools.clone(), events.clone(), clock.clone(), chance.clone());
        let app = App {
            access,
            pools,
            events,
            flows: Arc::new(flows),
            workspace: Arc::new(workspace),
            workspace_ways: ways,
            mining: Arc::new(mining),
            sql: Arc::new(OneRow),
            management_requests_max: 50,
            hook_bytes_max: 5 << 20,
            trusted_proxies: Arc::new(["10.0.0.0/8".parse().expect("a range")]),
            intelligence_limits: crate::RequestLimits { per_second: 1_000, per_day: 6_000 },
            clock,
            chance,
            metrics: Arc::default(),
            readiness: Arc::default(),
        };
        House {
            main: crate::main_router(app.clone()),
            workspace: crate::workspace_router(app.clone()),
            stranger: stranger.credential.text().expose().to_owned(),
            app,
            http,
            ports,
            clock: time,
            flows_db: of_flows,
            keys,
            _guards: (control_guard, flows_guard, folder),
        }
    }

    /// Calls the main listener as the administrator: `"GET /path"`.
    async fn call(&self, what: &str, body: impl Into<Body>) -> Answer {
        send(&self.main, request(what, Some(&app_key(ADMINISTRATOR)), body)).await
    }

    /// Calls the main listener with the app key that has been granted nothing.
    async fn call_as_stranger(&self, what: &str) -> Answer {
        send(&self.main, request(what, Some(&app_key(&self.stranger)), Body::empty())).await
    }

    /// Grants that app key a permission on the whole team.
    async fn grant_to_stranger_on_team(&self, permission: &str) {
        let me = self.call_as_stranger("GET /api/v1/me").await.json();
        let grant = serde_json::json!({"subject": me["id"], "permission": permission});
        assert_eq!(self.call("POST /api/v1/permissions", grant.to_string()).await.status, StatusCode::CREATED);
    }

    /// Calls the main listener with any authorization, or none.
    async fn call_with(&self, authorization: Option<&str>, what: &str) -> Answer {
        send(&self.main, request(what, authorization, Body::empty())).await
    }

    /// Calls the workspace's listener.
    async fn call_workspace(&self, what: &str, body: impl Into<Body>) -> Answer {
        let authorization = format!("Bearer {WORKSPACE_TOKEN}");
        send(&self.workspace, request(what, Some(&authorization), body)).await
    }

    /// Brings a run into doubt: an engine ends while its request is under way,
    /// and the next one cannot know whether it arrived.
    async fn hold(&self, run: flows::RunId) {
        let silent = Arc::new(Silent::default());
        let (db, keys) = (self.flows_db.clone(), self.keys.clone());
        let (clock, chance) = (self.app.clock.clone(), self.app.chance.clone());
        let first = flows::Flows::new(db, silent.clone(), keys, clock, chance, flows::Options::default());
        let ending = tokio::spawn(Arc::new(first).run(CancellationToken::new()));
        silent.asked.notified().await;
        ending.abort();
        assert!(ending.await.is_err(), "it ended at a bad time");

        let stop = CancellationToken::new();
        let next = tokio::spawn(self.app.flows.clone().run(stop.clone()));
        while self.app.flows.run_details(run).await.expect("a run").info.state != flows::RunState::InDoubt {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        next.await.expect("an engine ends when it is told");
    }

    /// Makes the pool "Purchasing" and returns its id.
    async fn pool(&self) -> String {
        let made = self.call("POST /api/v1/pools", r#"{"name":"Purchasing"}"#).await;
        made.json()["id"].as_str().expect("a new pool has an id").to_owned()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON answer")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Compares status, content type and body with what is expected.
fn check(answer: &Answer, expected: Expect) {
    let kind = answer.header(CONTENT_TYPE.as_str());
    let body = match serde_json::from_str::<Value>(&answer.body) {
        Ok(json) => serde_json::to_string_pretty(&json).expect("JSON that was just read"),
        Err(_) => answer.body.clone(),
    };
    let mut shown = format!("{} {kind}\n{body}", answer.status.as_u16()).trim_end().to_owned();
    shown.push('\n');
    expected.assert_eq(&without_ids(&shown));
}

/// Puts `<1>`, `<2>` … in the place of UUIDs.
fn without_ids(text: &str) -> String {
    const LENGTH: usize = 36;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut shown = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let candidate = rest.get(..LENGTH).filter(|candidate| is_id(candidate));
        if let Some(id) = candidate {
            let next = seen.len() + 1;
            let _ = write!(shown, "<{}>", seen.entry(id).or_insert(next));
            rest = &rest[LENGTH..];
        } else {
            shown.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    shown
}

fn is_id(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn app_key(text: &str) -> String {
    format!("AppKey {}", BASE64.encode(text))
}

fn request(what: &str, authorization: Option<&str>, body: impl Into<Body>) -> Request {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(path);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(body.into()).expect("a plain request")
}

async fn send(router: &Router, request: Request) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = router.clone().oneshot(request).await.expect("a router answers whatever comes");
    let (parts, body) = response.into_parts();
    // A stream does not end by itself; who wants to hear it takes it up otherwise.
    let is_stream = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let body = if is_stream { Body::empty() } else { body };
    let body = body.collect().await.expect("a body in memory").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("answers are text");
    let is_json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if parts.status.is_success() && is_json {
        described::hold(&method, &path, &body);
    }
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Answers every question with one row, or refuses it.
struct OneRow;

impl Sql for OneRow {
    fn run(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlAnswer, SqlError>> {
        Box::pin(async move {
            if !request.statement.starts_with("SELECT") {
                return Err(SqlError::Statement { detail: "expected SELECT at line 1, column 1".into() });
            }
            let column = |name: &str, kind: &str| SqlColumn { name: name.into(), kind: kind.into() };
            Ok(SqlAnswer {
                columns: vec![column("CASE_ID", "text"), column("N", "integer")],
                rows: vec![vec![json!("4711"), json!(i64::MAX)]],
                truncated: false,
                next: None,
            })
        })
    }

    fn page<'a>(&'a self, _: &'a str, cursor: &'a str, _: usize) -> BoxFuture<'a, Result<SqlAnswer, SqlError>> {
        Box::pin(async move { Err(SqlError::PageGone { cursor: cursor.into(), minutes: 5 }) })
    }

    fn download(&self, request: SqlRequest, form: SqlForm) -> BoxFuture<'_, Result<SqlDownload, SqlError>> {
        Box::pin(async move {
            if !request.statement.starts_with("SELECT") {
                return Err(SqlError::Statement { detail: "expected SELECT at line 1, column 1".into() });
            }
            let pieces = ["CASE_ID,N\n", "4711,9\n"].map(|piece| Ok(Bytes::from(format!("{form:?} {piece}"))));
            Ok(Box::pin(futures::stream::iter(pieces)) as SqlDownload)
        })
    }

    fn running(&self, _: &str) -> Vec<SqlRunning> {
        let (id, statement, asked_by) = ("7".into(), "SELECT 1".into(), "somebody".into());
        vec![SqlRunning { id, statement, asked_by, since: base::Timestamp::EPOCH, between_pages: false }]
    }

    fn cancel(&self, _: &str, id: &str) -> bool {
        id == "7"
    }
}
