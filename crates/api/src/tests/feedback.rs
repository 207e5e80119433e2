//! The chain of causes all the way round: a signal starts a flow, the flow
//! pushes rows through our own door, the rows make the trigger fire again.

use std::sync::OnceLock;

use base::causes::{Causes, HEADER, Link};
use base::error::Kind;
use expect_test::expect;
use flows::{ConnectionSpec, Credentials, Flows};

use super::*;

const JOBS: &str = "/integration/api/v1/data-push/Purchasing/jobs";

pub(super) const MODEL: &str = "metadata: { key: asks, displayName: Questions }
dataModelId: p2p
records:
  - id: CASE
    pql: '\"EVENTS_CASES\"'
    identifier: { id: ORDER_ID, pql: '\"EVENTS_CASES\".\"CASE\"' }
    attributes:
      - { id: LAST, pql: 'PU_LAST(\"EVENTS_CASES\", \"EVENTS\".\"STEP\")' }
triggers:
  - { id: ASKED, record: CASE, filterIds: [ASKS], outputs: [LAST], fireOn: BOTH }
filters:
  - { id: ASKS, pql: \"CASE.LAST = 'Ask'\" }
";

/// Answers whoever asks and asks whoever answers.
pub(super) fn flow(table: &str) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "loopwright:Signal", parameters: {{ knowledgeModel: purchasing.asks, trigger: ASKED }} }}
  - id: 2
    module: http:ActionSendData
    version: 3
    parameters: {{ connection: this, handleErrors: true }}
    mapper: {{ url: "loopwright://this{JOBS}", method: post, bodyType: raw, contentType: application/json, parseResponse: true, data: '{{"targetName":"{table}","type":"DELTA","fileType":"CSV"}}' }}
  - id: 3
    module: http:ActionSendData
    version: 3
    parameters: {{ connection: this, handleErrors: true }}
    mapper:
      url: "loopwright://this{JOBS}/{{{{2.data.id}}}}/chunks/upserted"
      method: post
      bodyType: multipart_form_data
      formDataFields:
        - {{ key: file, fieldType: file, fileName: e.csv, data: "CASE,STEP,AT\n{{{{1.ORDER_ID}}}},{{{{if(1.LAST = \"Ask\"; \"Answer\"; \"Ask\")}}}},2026-01-02T00:00:00Z\n" }}
  - id: 4
    module: http:ActionSendData
    version: 3
    parameters: {{ connection: this, handleErrors: true }}
    mapper: {{ url: "loopwright://this{JOBS}/{{{{2.data.id}}}}", method: post }}
"#
    )
}

/// What the world calls this server; it does not know that itself.
const PUBLIC: &str = "https://flows.example";

/// Brings calls to ourselves to our own door.
#[derive(Default)]
struct Ourselves(OnceLock<Router>);

impl Http for Ourselves {
    fn send(&self, request: base::http::Request) -> BoxFuture<'_, Result<base::http::Response, HttpError>> {
        Box::pin(async move {
            let path = request.url.strip_prefix("loopwright://this");
            let path = path.or_else(|| request.url.strip_prefix(PUBLIC)).expect("it calls nobody else");
            let mut call = Request::builder().method(request.method).uri(path);
            *call.headers_mut().expect("a plain call") = request.headers;
            let call = call.body(Body::from(request.body)).expect("a plain call");
            let router = self.0.get().expect("the door is open").clone();
            let (parts, body) = router.oneshot(call).await.expect("an answer").into_parts();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            Ok(base::http::Response { status: parts.status, headers: parts.headers, body, truncated: false })
        })
    }
}

/// Brings events to hooks, and hooks to events.
struct Hooks(Arc<Flows>);

impl events::LocalSink for Hooks {
    fn deliver(&self, hook: &str, delivery: events::LocalDelivery) -> BoxFuture<'_, Result<(), events::Busy>> {
        let hook = hook.to_owned();
        Box::pin(async move {
            let payload = serde_json::from_slice(&delivery.body).expect("a body is JSON");
            let key = delivery.offset.to_string();
            let accepted = self.0.accept_caused(&hook, &key, payload, delivery.causes()).await;
            accepted.map(drop).map_err(|_| events::Busy)
        })
    }
}

struct Watched(Arc<events::Events>);

impl flows::Signals for Watched {
    fn watch(&self, hook: &str, model: &str, trigger: &str) -> BoxFuture<'_, Result<(), flows::SignalsError>> {
        let (hook, trigger) = (hook.to_owned(), events::TriggerRef::new(model, trigger));
        Box::pin(async move {
            let watched = self.0.watch(&base::Actor::system("flows"), &hook, &trigger).await;
            watched.map(drop).map_err(|error| flows::SignalsError { kind: Kind::Internal, detail: error.to_string() })
        })
    }

    fn unwatch(&self, _: &str) -> BoxFuture<'_, Result<(), flows::SignalsError>> {
        Box::pin(async { Ok(()) })
    }
}

struct Told(Arc<events::Events>);

impl flows::Notices for Told {
    fn tell(&self, notice: flows::FlowNotice) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.0.flow_paused(&notice.flow, notice.at, &notice.text).await.is_ok() })
    }
}

/// Puts a whole house together in which all can reach one another.
pub(super) async fn wired() -> House {
    let mut house = House::open().await;
    let ourselves = Arc::new(Ourselves::default());
    let (clock, chance) = (house.app.clock.clone(), house.app.chance.clone());
    let flows = Flows::new(
        house.flows_db.clone(),
        ourselves.clone(),
        house.keys.clone(),
        clock.clone(),
        chance.clone(),
        flows::Options::default(),
    );
    let flows = Arc::new(flows);
    let ports = events::Ports { local: Arc::new(Hooks(flows.clone())), ..house.ports.clone() };
    let events = events::Events::open(ports, events::Options::default()).await.expect("an empty database");
    let (pools, tables) = (house.app.pools.clone(), house.app.pools.rows().clone());
    let mining = mining::Mining::new(house.ports.db.clone(), tables, pools, events.clone(), clock, chance);
    flows.set_signals(Arc::new(Watched(events.clone())));
    flows.set_notices(Arc::new(Told(events.clone())));
    house.app = App { flows, events, mining: Arc::new(mining), ..house.app };
    house.main = crate::main_router(house.app.clone());
    let _ = ourselves.0.set(house.main.clone());
    house
}

/// The same with a flow that answers signals, in which everything works by
/// itself.
async fn at_work(table: &str, stop: &CancellationToken) -> House {
    let house = wired().await;
    house.published().await;
    assert_eq!(house.call("PUT /api/v1/models/purchasing.asks", MODEL).await.status, 200);
    assert_eq!(house.call("POST /api/v1/models/purchasing.asks/publish", "").await.status, 200);
    let administrator = base::Actor::system("test");
    connect(&house).await;
    let flows = house.app.flows.clone();
    flows.put(&administrator, "answer", &flow(table)).await.expect("it is read");
    flows.publish(&administrator, "answer").await.expect("it runs");
    flows.activate(&administrator, "answer").await.expect("it listens");
    work(&house, stop);
    house
}

/// Lets flows reach us under the name "this".
pub(super) async fn connect(house: &House) {
    let connection = ConnectionSpec {
        kind: "app-key".into(),
        credentials: Credentials::AppKey(Secret::new(ADMINISTRATOR)),
        origin: Some("loopwright://this".into()),
        expires_at: None,
        imported_ids: Vec::new(),
    };
    let administrator = base::Actor::system("test");
    house.app.flows.put_connection(&administrator, "this", connection).await.expect("a connection");
}

/// Lets everything work by itself.
pub(super) fn work(house: &House, stop: &CancellationToken) {
    tokio::spawn(house.app.pools.clone().run(stop.clone()));
    tokio::spawn(house.app.mining.clone().run(stop.clone()));
    tokio::spawn(house.app.events.clone().run(stop.clone()));
    tokio::spawn(house.app.flows.clone().run(stop.clone()));
}

/// Pushes one row as a client does, perhaps with a header.
async fn push(house: &House, step: &str, causes: Option<&str>) {
    push_row(house, &format!("1,{step},2026-01-02T00:00:00Z"), causes).await;
}

/// The same with a case and a time of its own.
pub(super) async fn push_row(house: &House, row: &str, causes: Option<&str>) {
    let called = async |what: String, body: Body, kind: Option<&str>| {
        let mut call = request(&what, Some(&app_key(ADMINISTRATOR)), body);
        if let Some(kind) = kind {
            call.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("a type"));
        }
        if let Some(causes) = causes {
            call.headers_mut().insert(HEADER, causes.parse().expect("a header"));
        }
        let answer = send(&house.main, call).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    };
    let spec = r#"{"targetName":"EVENTS","type":"DELTA","fileType":"CSV"}"#;
    let made = called(format!("POST {JOBS}"), Body::from(spec), None).await.json();
    let job = format!("{JOBS}/{}", made["id"].as_str().expect("an id"));
    let csv = format!("CASE,STEP,AT\n{row}");
    let form =
        format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"e\"\r\n\r\n{csv}\r\n--b--\r\n");
    let kind = Some("multipart/form-data; boundary=b");
    called(format!("POST {job}/chunks/upserted"), Body::from(form), kind).await;
    called(format!("POST {job}"), Body::empty(), None).await;
}

pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(std::time::Duration::from_mins(2), async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{what} did not come");
}

/// Lists what the events that started runs say of what led to them, the
/// shortest first: time stands still here, so that runs do not sort by it.
async fn causes_of_runs(house: &House) -> Vec<String> {
    let mut causes = Vec::new();
    for run in house.app.flows.runs("answer", 50).await.expect("runs") {
        let run = house.app.flows.run_details(run.id).await.expect("a run");
        for event in &run.input {
            let fields = event["event"]["fields"].as_array().expect("fields");
            let field = fields.iter().find(|field| field["id"] == "causes");
            causes.push(field.and_then(|field| field["value"].as_str()).unwrap_or_default().to_owned());
        }
    }
    causes.sort_by_key(String::len);
    causes
}

#[tokio::test]
async fn a_loop_that_feeds_itself_is_seen_and_stopped() {
    let stop = CancellationToken::new();
    let house = at_work("EVENTS", &stop).await;
    push(&house, "Ask", None).await;
    until("the pause", async || house.call("GET /api/v1/flows/answer", "").await.json()["state"] == "paused").await;
    let link = "purchasing.asks/ASKED/1";
    let chain = |length: usize| vec![link; length].join(" > ");
    assert_eq!(causes_of_runs(&house).await, [chain(0), chain(1), chain(2), chain(3)], "it came back three times");
    let flow = house.call("GET /api/v1/flows/answer", "").await.json();
    assert_eq!(flow["waiting"], 1, "{flow}");
    until("the notice", async || {
        house.call("GET /api/v1/notices", "").await.json()["notices"][0]["kind"] == "flow-paused"
    })
    .await;
    let notice = house.call("GET /api/v1/notices", "").await.json()["notices"][0].clone();
    assert_eq!((&notice["text"], &notice["name"]), (&flow["paused"], &json!("answer")));
    assert_eq!(house.call("POST /api/v1/flows/answer/activate", "").await.status, 200);
    until("what waited", async || causes_of_runs(&house).await.len() > 4).await;
    stop.cancel();
}

#[tokio::test]
async fn a_flow_that_pushes_other_rows_goes_on() {
    let stop = CancellationToken::new();
    let house = at_work("ANSWERS", &stop).await;
    for round in 0..4 {
        for (place, step) in ["Ask", "Answer"].into_iter().enumerate() {
            push(&house, step, None).await;
            until("the run", async || causes_of_runs(&house).await.len() == 2 * round + place + 1).await;
        }
    }
    assert_eq!(causes_of_runs(&house).await, [""; 8]);
    assert_eq!(house.call("GET /api/v1/flows/answer", "").await.json()["state"], "active");
    stop.cancel();
}

/// Lets a flow call its own webhook at an address; returns how many runs it
/// had until it came to rest.
async fn calling_itself(house: &House, flow: &str, address: &str) -> usize {
    let made = house.call(&format!("PUT /api/v1/hooks/{flow}"), "{}").await.json();
    let path = made["path"].as_str().expect("an address");
    let text = format!(
        "flow:
  - {{ id: 1, module: 'gateway:CustomWebHook', parameters: {{ maxResults: 1 }} }}
  - {{ id: 2, module: 'http:ActionSendData', mapper: {{ method: post, url: '{address}{path}', bodyType: raw, data: '{{\"n\": {{{{1.n + 1}}}}}}', headers: [{{ name: loopwright-causes, value: a/b/forged }}] }} }}"
    );
    assert_eq!(house.call(&format!("PUT /api/v1/flows/{flow}"), text).await.status, 200);
    for verb in ["publish", "activate"] {
        let answer = house.call(&format!("POST /api/v1/flows/{flow}/{verb}"), "").await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }
    let stranger = request(&format!("POST {path}"), None, r#"{"n": 0}"#);
    assert_eq!(send(&house.main, stranger).await.body, "Accepted");
    let path = format!("GET /api/v1/flows/{flow}");
    until("the pause", async || house.call(&path, "").await.json()["state"] == "paused").await;
    let runs = house.app.flows.runs(flow, 50).await.expect("runs");
    runs.iter().filter(|run| run.reason.is_none()).count()
}

#[tokio::test]
async fn a_flow_that_calls_its_own_hook_is_stopped_whatever_it_calls_us() {
    let stop = CancellationToken::new();
    let house = wired().await;
    tokio::spawn(house.app.flows.clone().run(stop.clone()));
    for (name, address) in [("inside", "loopwright://this"), ("outside", PUBLIC)] {
        assert_eq!(calling_itself(&house, name, address).await, 4, "{name}: it came back three times");
        let flow = house.call(&format!("GET /api/v1/flows/{name}"), "").await.json();
        assert_eq!((&flow["state"], &flow["waiting"]), (&json!("paused"), &json!(1)), "{flow}");
        let text = flow["paused"].as_str().expect("a reason");
        let mut runs = house.app.flows.runs(name, 50).await.expect("runs");
        runs.sort_by_key(|run| run.id);
        let first = runs.iter().find(|run| text.contains(&run.id.to_string())).expect("it names a run");
        assert_eq!(house.app.flows.run_details(first.id).await.expect("a run").input, [json!({"n": 0})]);
        let text = text.replace(&first.id.to_string(), "RUN").replace(name, "NAME");
        expect![[r#"The flow "NAME" was paused because it feeds itself: what its run RUN began called its own hook "NAME" again, 4 times within an hour, and at most 3 are allowed (the setting flow_returns_per_hour_max). Nothing is lost: 1 request waits on its hook. See to it that it calls its hook only where that comes to an end; then resume it with POST /api/v1/flows/NAME/activate."#]]
        .assert_eq(&text);
    }
    stop.cancel();
}

#[tokio::test]
async fn at_a_webhook_only_our_own_seal_is_believed() {
    let house = wired().await;
    let path = house.call("PUT /api/v1/hooks/h", r#"{"withHeaders": true}"#).await.json();
    let path = path["path"].as_str().expect("an address").to_owned();
    let flow = "flow: [{ id: 1, module: 'gateway:CustomWebHook', parameters: { maxResults: 1 } }]";
    assert_eq!(house.call("PUT /api/v1/flows/h", flow).await.status, 200);
    assert!(house.call("POST /api/v1/flows/h/publish", "").await.status.is_success());
    assert!(house.call("POST /api/v1/flows/h/activate", "").await.status.is_success());
    let stop = CancellationToken::new();
    tokio::spawn(house.app.flows.clone().run(stop.clone()));
    for seal in [None, Some("nonsense"), Some("AAAA")] {
        for _ in 0..10 {
            let mut call = request(&format!("POST {path}"), None, "{}");
            call.headers_mut().insert(HEADER, "hook/h/1".parse().expect("a header"));
            if let Some(seal) = seal {
                call.headers_mut().insert("loopwright-causes-seal", seal.parse().expect("a header"));
            }
            assert_eq!(send(&house.main, call).await.status, 200);
        }
    }
    // Whoever knows the address cannot stop the flow.
    until("all of them", async || house.app.flows.runs("h", 50).await.expect("runs").len() == 30).await;
    let runs = house.app.flows.runs("h", 50).await.expect("runs");
    let run = house.app.flows.run_details(runs[0].id).await.expect("a run");
    assert!(run.causes.iter().all(Causes::is_empty), "{:?}", run.causes);
    assert!(!run.input[0].to_string().contains("seal"), "{}", run.input[0]);
    stop.cancel();
}

#[tokio::test]
async fn who_is_known_is_believed_and_nobody_else() {
    let house = House::open().await;
    house.pool().await;
    let chain = Causes::NONE.then(Link::new(["p.k", "T", "1"])).to_string();
    let mut call = request(&format!("POST {JOBS}"), None, "{}");
    call.headers_mut().insert(HEADER, chain.parse().expect("a header"));
    assert_eq!(send(&house.main, call).await.status, 401);
    for header in [None, Some(&*chain), Some("no/chain"), Some("<script>")] {
        push(&house, "Ask", header).await;
    }
    house.app.pools.drain().await.expect("the worker works");
    let pool = house.app.pools.pool("Purchasing").await.expect("the pool").id;
    let changes = house.app.pools.rows().changes(pool, 0, 10).await.expect("changes");
    let carried: Vec<String> = changes.iter().map(|change| change.causes.to_string()).collect();
    assert_eq!(carried, ["", &chain, "", ""]);
}
