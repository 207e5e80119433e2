//! Flows that call us in somebody's name, and people who answer them.

use super::*;

const ASK: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "loopwright:WaitForApproval", mapper: { title: "Pay <b>17</b>?", text: "a & b", assignee: ann } }
"#;

const QUERY: &str = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "loopwright:QueryPool", mapper: { pool: p, sql: "SELECT 1" } }
"#;

async fn begun(house: &House, key: &str, text: &str) -> flows::RunId {
    for (what, body) in [
        (format!("PUT /api/v1/flows/{key}"), text),
        (format!("POST /api/v1/flows/{key}/publish"), ""),
        (format!("POST /api/v1/flows/{key}/run"), "{}"),
    ] {
        let answer = house.call(&what, body.to_owned()).await;
        assert!(answer.status.is_success(), "{what}: {}", answer.body);
        if let Some(id) = answer.body.starts_with("{\"id\"").then(|| answer.json()["id"].clone()) {
            return id.as_str().expect("an id").parse().expect("an id");
        }
    }
    unreachable!("a run was started")
}

/// Lets the engine work until something is so.
async fn until(house: &House, is_so: impl AsyncFn() -> bool) {
    let stop = CancellationToken::new();
    let engine = tokio::spawn(house.app.flows.clone().run(stop.clone()));
    while !is_so().await {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    engine.await.expect("an engine ends when it is told");
}

async fn has_ended(house: &House, run: flows::RunId) -> bool {
    house.app.flows.run_details(run).await.expect("a run").info.state == flows::RunState::Ended
}

#[tokio::test]
async fn a_flow_calls_us_with_the_rights_of_its_publisher_and_no_longer() {
    let house = House::open().await;
    house.http.push(200, r#"{"columns": [], "rows": [{"a": 1}], "truncated": false}"#);
    let run = begun(&house, "ask", QUERY).await;
    until(&house, async || has_ended(&house, run).await).await;
    let sent = house.http.requests().pop().expect("a call");
    assert_eq!(sent.url, "loopwright://this/api/v1/pools/p/sql");
    let seal = sent.headers["authorization"].to_str().expect("text").to_owned();
    let as_flow = async |what: &str| house.call_with(Some(&seal), what).await;
    let me = as_flow("GET /api/cloud").await;
    assert_eq!(me.json()["name"], "bootstrap (admin) (by flow \"ask\")", "{}", me.body);
    assert_eq!(house.call_with(Some(&seal.replace("Flow", "Bearer")), "GET /api/cloud").await.status, 401);
    let workspace = request("GET /api/2.0/preview/scim/v2/Me", Some(&seal), Body::empty());
    assert_eq!(send(&house.workspace, workspace).await.status, 200);

    let administrator = house.app.access.authenticate(Some(&app_key(ADMINISTRATOR))).await.expect("the key");
    house.app.access.revoke_app_key(&administrator, "admin").await.expect("it is revoked");
    assert_eq!(as_flow("GET /api/cloud").await.status, 401, "nobody stands behind it any more");
}

#[tokio::test]
async fn whoever_has_the_link_answers_once_and_needs_no_account() {
    let house = House::open().await;
    let run = begun(&house, "ask", ASK).await;
    until(&house, async || !house.app.flows.tasks(true, 1).await.expect("tasks").is_empty()).await;
    let tasks = house.call("GET /api/v1/tasks", "").await.json();
    assert_eq!((tasks.as_array().map(Vec::len), &tasks[0]["link"]), (Some(1), &Value::Null), "a list shows no link");
    let id = tasks[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.call_as_stranger("GET /api/v1/tasks").await.status, 403);
    let shown = house.call(&format!("GET /api/v1/tasks/{id}"), "").await.json();
    let link = shown["link"].as_str().expect("a link").to_owned();

    let anybody = async |what: String, body: &str| send(&house.main, request(&what, None, body.to_owned())).await;
    let page = anybody(format!("GET {link}"), "").await;
    assert!(page.body.contains("<h1>Pay &lt;b&gt;17&lt;/b&gt;?</h1><p>a &amp; b</p>"), "{}", page.body);
    assert!(page.headers["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    for (body, status) in [
        ("decision=perhaps", 400),
        ("decision=reject&comment=not+now%21&name=Bob+%3Ci%3E", 200),
        ("decision=approve", 409),
    ] {
        assert_eq!(anybody(format!("POST {link}"), body).await.status.as_u16(), status, "{body}");
    }
    assert_eq!(anybody("GET /tasks/guessed".into(), "").await.status, 404);
    until(&house, async || has_ended(&house, run).await).await;
    let details = house.app.flows.run_details(run).await.expect("a run");
    let bundle = &details.operations[1].output[0];
    assert_eq!(
        (&bundle["decision"], &bundle["comment"], &bundle["by"]),
        (&json!("rejected"), &json!("not now!"), &json!("Bob <i>"))
    );
    let again = house.call(&format!("POST /api/v1/tasks/{id}/answer"), r#"{"decision": "approve"}"#).await;
    assert_eq!((again.status.as_u16(), again.json()["code"].as_str()), (409, Some("task-closed")), "{}", again.body);
}

#[tokio::test]
async fn who_may_run_flows_starts_what_is_published_and_answers_it() {
    let house = House::open().await;
    begun(&house, "ask", ASK).await;
    let stranger = app_key(&house.stranger);
    let call = async |what: &str, body: &'static str| send(&house.main, request(what, Some(&stranger), body)).await;
    house.grant_to_stranger_on_team("use-package").await;
    let refused = call("POST /api/v1/flows/ask/run", "{}").await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (403, Some("permission-denied")));

    house.grant_to_stranger_on_team("run-flows").await;
    let may = call("GET /api/v1/me", "").await.json()["may"].clone();
    assert_eq!((&may["runFlows"], &may["editFlows"]), (&json!(true), &json!(false)));
    let started = call("POST /api/v1/flows/ask/run", "{}").await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.body);
    let run: flows::RunId = started.json()["id"].as_str().expect("an id").parse().expect("an id");
    for (what, body) in [
        ("POST /api/v1/flows/ask/run?of=draft", "{}"),
        ("PUT /api/v1/flows/ask", ASK),
        ("POST /api/v1/flows/ask/publish", ""),
        ("POST /api/v1/flows/ask/deactivate", ""),
    ] {
        assert_eq!(call(what, body).await.status, StatusCode::FORBIDDEN, "{what}");
    }

    let asked = async || call("GET /api/v1/tasks", "").await.json().as_array().is_some_and(|tasks| tasks.len() == 2);
    until(&house, asked).await;
    let tasks = call("GET /api/v1/tasks", "").await.json();
    let own = tasks.as_array().expect("tasks").iter().find(|task| task["run"] == json!(run.to_string()));
    let id = own.expect("it asks")["id"].as_str().expect("an id").to_owned();
    let answered = call(&format!("POST /api/v1/tasks/{id}/answer"), r#"{"decision": "approve"}"#).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
    until(&house, async || has_ended(&house, run).await).await;

    // A draft alone is nothing to start for who may not change it.
    assert!(house.call("PUT /api/v1/flows/draft", ASK).await.status.is_success());
    assert_eq!(call("POST /api/v1/flows/draft/run", "{}").await.json()["code"], "flow-not-published");
}
