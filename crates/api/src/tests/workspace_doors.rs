//! Who gets into the workspace, and who does not: every route is tried.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{Answer, House, WORKSPACE_TOKEN, request, send};
use crate::peer::Peer;
use crate::workspace::{behind_sign_in, open_to_all};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What somebody who has been permitted nothing gets.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// 403, because the object is somebody else's or only administrators may.
    Denied,
    /// Not 403: there is no object, or only what is one's own.
    Open,
    /// Data, files and secrets, whose rights are told in tests of their own.
    Elsewhere,
}

use Expected::{Denied, Elsewhere, Open};

/// Every route behind the sign-in. Whoever adds one says here what becomes of
/// somebody who has been permitted nothing. A path that ends in `*` stands for
/// all below.
const ROUTES: &[(&str, Expected)] = &[
    ("/api/2.x/jobs/create", Open),
    ("/api/2.x/jobs/get", Denied),
    ("/api/2.x/jobs/list", Open),
    ("/api/2.x/jobs/update", Denied),
    ("/api/2.x/jobs/reset", Denied),
    ("/api/2.x/jobs/delete", Denied),
    ("/api/2.x/jobs/run-now", Denied),
    ("/api/2.x/jobs/runs/submit", Open),
    ("/api/2.x/jobs/runs/get", Denied),
    ("/api/2.x/jobs/runs/get-output", Denied),
    ("/api/2.x/jobs/runs/list", Open),
    ("/api/2.x/jobs/runs/cancel", Denied),
    ("/api/2.x/jobs/runs/cancel-all", Denied),
    ("/api/2.x/jobs/runs/repair", Denied),
    ("/api/2.x/jobs/runs/delete", Denied),
    ("/api/2.x/jobs/runs/export", Denied),
    ("/api/2.0/permissions/jobs/{id}", Denied),
    ("/api/2.0/permissions/jobs/{id}/permissionLevels", Denied),
    ("/api/2.0/permissions/serving-endpoints/*", Denied),
    ("/api/2.0/token/create", Open),
    ("/api/2.0/token/list", Open),
    ("/api/2.0/token/delete", Open),
    ("/api/2.0/token-management/tokens", Denied),
    ("/api/2.0/token-management/tokens/{id}", Denied),
    ("/api/2.0/token-management/on-behalf-of/tokens", Denied),
    ("/api/2.0/preview/scim/v2/Me", Open),
    ("/api/2.0/preview/scim/v2/ServicePrincipals", Open),
    ("/api/2.0/preview/scim/v2/ServicePrincipals/{id}", Denied),
    ("/api/2.0/preview/scim/v2/Users", Open),
    ("/api/2.0/preview/scim/v2/Users/{id}", Open),
    ("/api/2.0/preview/scim/v2/Groups", Open),
    ("/api/2.0/preview/scim/v2/Groups/{id}", Open),
    ("/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets", Denied),
    ("/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets/{secret}", Denied),
    ("/api/2.0/ip-access-lists", Denied),
    ("/api/2.0/ip-access-lists/{id}", Denied),
    ("/api/2.0/workspace-conf", Denied),
    ("/api/2.0/loopwright/logs", Denied),
    ("/__control/*", Denied),
    ("/api/2.0/loopwright/next-run", Denied),
    ("/api/2.0/notification-destinations", Elsewhere),
    ("/api/2.0/notification-destinations/{id}", Denied),
    ("/api/2.0/workspace/*", Elsewhere),
    ("/api/2.0/workspace-files/*", Elsewhere),
    ("/api/2.0/secrets/*", Elsewhere),
    ("/api/2.0/sql/*", Elsewhere),
    ("/api/2.0/fs/*", Elsewhere),
    ("/api/2.0/dbfs/*", Elsewhere),
    ("/api/2.0/serving-endpoints*", Elsewhere),
    ("/serving-endpoints/*", Elsewhere),
    ("/api/2.1/unity-catalog/*", Elsewhere),
];

/// Routes that need no token.
const OPEN_TO_ALL: &[&str] = &[
    "/",
    "/jobs",
    "/jobs/{*rest}",
    "/runs",
    "/settings/{*rest}",
    "/assets/{*file}",
    "/icon.svg",
    "/login",
    "/oidc/v1/token",
    "/oidc/.well-known/oauth-authorization-server",
    "/oidc/.well-known/openid-configuration",
    "/.well-known/openid-configuration",
    "/.well-known/databricks-config",
    "/health/live",
    "/health/ready",
    // The address is a secret in itself: it is signed, and ends.
    "/api/2.0/sql/results",
];

fn expectation(path: &str) -> Option<Expected> {
    let path = ["/api/2.1/jobs", "/api/2.2/jobs", "/api/2.0/jobs"]
        .iter()
        .find_map(|version| path.strip_prefix(version))
        .map_or_else(|| path.to_owned(), |rest| format!("/api/2.x/jobs{rest}"));
    let fits = |listed: &str| match listed.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == listed,
    };
    ROUTES.iter().find(|(listed, _)| fits(listed)).map(|(_, expected)| *expected)
}

/// A call that would do something, were it permitted: all names that any of
/// the routes asks for.
async fn attempt(house: &House, method: &str, path: &str, token: Option<&str>, job: &Value) -> Answer {
    let mut path = path.replace("{id}", &job.to_string());
    while let Some((start, end)) = path.find('{').zip(path.find('}')) {
        path.replace_range(start..=end, "x");
    }
    let query = format!("job_id={job}&run_id={job}&keys=enableIpAccessLists&scope=s&key=k");
    let body = json!({
        "job_id": job,
        "run_id": job,
        "new_settings": {},
        "token_id": "t",
        "application_id": "a",
        "label": "l",
        "list_type": "ALLOW",
        "ip_addresses": [],
        "enabled": true,
        "rerun_all_failed_tasks": true,
        "displayName": "n",
        "Operations": [],
        "access_control_list": [],
        "tasks": [{ "task_key": "t", "spark_python_task": { "python_file": "/Shared/x.py" } }],
    });
    let body = match path.as_str() {
        "/api/2.0/workspace-conf" => json!({ "enableIpAccessLists": "true" }),
        path if path.ends_with("/jobs/create") || path.ends_with("/submit") => {
            json!({ "name": "n", "tasks": body["tasks"] })
        }
        _ => body,
    };
    let authorization = token.map(|token| format!("Bearer {token}"));
    send(
        &house.workspace,
        request(&format!("{method} {path}?{query}"), authorization.as_deref(), Body::from(body.to_string())),
    )
    .await
}

/// Makes a service principal and a token for it.
async fn principal(house: &House, name: &str) -> (String, String) {
    let made = house
        .call_workspace("POST /api/2.0/preview/scim/v2/ServicePrincipals", json!({ "displayName": name }).to_string());
    let made = made.await;
    assert_eq!(made.status, 201, "{}", made.body);
    let application_id = made.json()["applicationId"].as_str().expect("an id").to_owned();
    let token = json!({ "application_id": application_id }).to_string();
    let token = house.call_workspace("POST /api/2.0/token-management/on-behalf-of/tokens", token).await;
    (application_id, token.json()["token_value"].as_str().expect("a token").to_owned())
}

fn job() -> String {
    json!({
        "name": "payroll",
        "tasks": [{ "task_key": "main", "spark_python_task": { "python_file": "/Shared/payroll.py" } }],
    })
    .to_string()
}

async fn new_token(house: &House, more: Value) -> (String, String) {
    let made = house.call_workspace("POST /api/2.0/token/create", more.to_string()).await.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["token_info"]["token_id"]), text(&made["token_value"]))
}

#[tokio::test]
async fn every_route_is_tried_by_those_who_may_not() {
    let house = House::open().await;
    let job = house.call_workspace("POST /api/2.1/jobs/create", job()).await.json()["job_id"].clone();
    let (_, unpermitted) = principal(&house, "nobody").await;
    let (revoked_id, revoked) = new_token(&house, json!({ "comment": "revoked" })).await;
    let gone = house.call_workspace("POST /api/2.0/token/delete", json!({ "token_id": revoked_id }).to_string()).await;
    assert_eq!(gone.status, 200);
    let (_, expired) = new_token(&house, json!({ "lifetime_seconds": 60 })).await;
    house.clock.advance(Duration::from_mins(1));
    let open = open_to_all();
    let missing: Vec<_> = open.paths().iter().filter(|path| !OPEN_TO_ALL.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "say in OPEN_TO_ALL that everybody may call {missing:?}");
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    for path in behind_sign_in().paths() {
        let expected = expectation(path).unwrap_or_else(|| panic!("say in ROUTES who may call {path}"));
        let mut denied = 0;
        for method in METHODS {
            for (sort, token) in [
                ("no token", None),
                ("an unknown token", Some("dapi0000")),
                ("an expired token", Some(expired.as_str())),
                ("a revoked token", Some(revoked.as_str())),
            ] {
                let answer = attempt(&house, method, path, token, &job).await;
                assert_eq!(answer.status, 401, "{method} {path} with {sort}: {}", answer.body);
                let told = answer.json();
                let said = format!("{} {}", told["error_code"], told["message"]);
                *refusals.entry(said).or_default() += 1;
            }
            let answer = attempt(&house, method, path, Some(&unpermitted), &job).await;
            assert_ne!(answer.status, 401, "{method} {path}: {}", answer.body);
            match (expected, answer.status) {
                // That method is not there.
                (_, StatusCode::NOT_FOUND) if answer.body.contains("No API found") => {}
                (Denied, StatusCode::FORBIDDEN) => denied += 1,
                (Denied, status) => panic!("{method} {path} is not denied but {status}: {}", answer.body),
                (Open, StatusCode::FORBIDDEN) if path.ends_with("/ServicePrincipals") && method == "POST" => {}
                (Open, StatusCode::FORBIDDEN) => panic!("{method} {path} is denied: {}", answer.body),
                (Open | Elsewhere, _) => {}
            }
            assert!(!answer.body.contains("payroll"), "{method} {path} tells of the job: {}", answer.body);
        }
        assert!(denied > 0 || !matches!(expected, Denied), "{path} was never denied");
    }
    // They are told apart by nobody.
    assert_eq!(refusals.len(), 1, "{refusals:?}");
}

/// Check 9: neither the answer nor the rows tell that there is a job.
#[tokio::test]
async fn who_may_not_is_told_the_same_of_what_is_and_what_is_not() {
    let house = House::open().await;
    let job = house.call_workspace("POST /api/2.2/jobs/create", job()).await.json()["job_id"].clone();
    let (name, token) = principal(&house, "nobody").await;
    let authorization = format!("Bearer {token}");
    let call = async |what: String, body: Value| {
        send(&house.workspace, request(&what, Some(&authorization), Body::from(body.to_string()))).await
    };
    for (what, level, object) in [("get?job_id", "CAN_VIEW", "job"), ("runs/get?run_id", "CAN_VIEW", "run")] {
        for number in [job.clone(), json!(4711)] {
            let answer = call(format!("GET /api/2.2/jobs/{what}={number}"), json!({})).await;
            let told = answer.json();
            assert_eq!((answer.status.as_u16(), told["error_code"].as_str()), (403, Some("PERMISSION_DENIED")));
            let expected = format!(
                "User {name} does not have {level} permission on {object} {number}; its owner or an administrator can give it"
            );
            assert_eq!(told["message"], expected);
        }
    }
    let run_now = async || call("POST /api/2.2/jobs/run-now".into(), json!({ "job_id": job })).await.status.as_u16();
    let list = async || call("GET /api/2.2/jobs/list".into(), json!({})).await.json()["jobs"].as_array().map(Vec::len);
    let permit = async |level: &str| {
        let entry = json!({ "service_principal_name": name, "permission_level": level });
        let body = json!({ "access_control_list": [entry] }).to_string();
        let answer = house.call_workspace(&format!("PATCH /api/2.0/permissions/jobs/{job}"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    assert_eq!((list().await, run_now().await), (None, 403));
    let refused = call("POST /api/2.2/jobs/run-now".into(), json!({ "job_id": job })).await.json();
    let expected = format!(
        "User {name} does not have CAN_MANAGE_RUN permission on job {job}; its owner or an administrator can give it"
    );
    assert_eq!(refused["message"], expected);
    let started = house.call_workspace(&format!("GET /api/2.2/jobs/runs/list?job_id={job}"), "").await.json();
    assert_eq!(started.get("runs"), None, "who may not has started no run");
    permit("CAN_VIEW").await;
    assert_eq!((list().await, run_now().await), (Some(1), 403));
    permit("CAN_MANAGE_RUN").await;
    assert_eq!((list().await, run_now().await), (Some(1), 200));
    let runs = call("GET /api/2.2/jobs/runs/list".into(), json!({})).await.json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
    let delete = async || call("POST /api/2.2/jobs/delete".into(), json!({ "job_id": job })).await.status.as_u16();
    assert_eq!(delete().await, 403);
    permit("CAN_MANAGE").await;
    let levels = call(format!("GET /api/2.0/permissions/jobs/{job}/permissionLevels"), json!({})).await.json();
    assert_eq!(levels["permission_levels"].as_array().map(Vec::len), Some(4));
    assert_eq!(delete().await, 200);
    // Its runs are still there for those who could see it.
    let run = &runs["runs"][0]["run_id"];
    assert_eq!(call(format!("GET /api/2.2/jobs/runs/get?run_id={run}"), json!({})).await.status, 200);
}

#[tokio::test]
async fn a_service_principal_buys_tokens_that_end() {
    let house = House::open().await;
    let metadata = house.call_workspace("GET /oidc/.well-known/oauth-authorization-server", "").await.json();
    assert_eq!(metadata["token_endpoint"], "http://127.0.0.1:8081/oidc/v1/token");
    let (client, _) = principal(&house, "etl").await;
    let filter = format!("GET /api/2.0/preview/scim/v2/ServicePrincipals?filter=applicationId%20eq%20%22{client}%22");
    let found = house.call_workspace(&filter, "").await.json();
    assert_eq!(found["totalResults"], 1);
    let id = found["Resources"][0]["id"].as_str().expect("an id").to_owned();
    let secrets = format!("/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets");
    let made = house.call_workspace(&format!("POST {secrets}"), "").await.json();
    let secret = Secret::new(made["secret"].as_str().expect("a secret"));
    let buy = async |client: &str, secret: &str| {
        let basic = format!("Basic {}", BASE64.encode(format!("{client}:{secret}")));
        let mut asked =
            request("POST /oidc/v1/token", Some(&basic), Body::from("grant_type=client_credentials&scope=all-apis"));
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        send(&house.workspace, asked).await
    };
    for (client, secret) in [("x", secret.expose()), (client.as_str(), "dose0000")] {
        let refused = buy(client, secret).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (401, &json!("invalid_client")));
        assert_eq!(refused.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes), Some(&b"application/json"[..]));
    }
    let bought = buy(&client, secret.expose()).await.json();
    assert_eq!((&bought["token_type"], &bought["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let token = format!("Bearer {}", bought["access_token"].as_str().expect("a token"));
    let me =
        async || send(&house.workspace, request("GET /api/2.0/preview/scim/v2/Me", Some(&token), Body::empty())).await;
    let answer = me().await;
    assert_eq!(answer.headers.get("x-databricks-org-id").map(HeaderValue::as_bytes), Some(&b"1"[..]));
    assert_eq!(answer.json()["userName"], client);
    house.clock.advance(Duration::from_mins(59));
    assert_eq!(me().await.status, 200);
    house.clock.advance(Duration::from_mins(1));
    assert_eq!(me().await.status, 401);
    // Five secrets, and no more.
    for expected in [200, 200, 200, 200, 400] {
        let made = house.call_workspace(&format!("POST {secrets}"), "").await;
        assert_eq!(made.status.as_u16(), expected, "{}", made.body);
    }
    let too_long = json!({ "lifetime": "63072001s" }).to_string();
    assert_eq!(house.call_workspace(&format!("POST {secrets}"), too_long).await.status, 400);
    // Whoever is switched off is out, whatever it holds.
    let off = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] }).to_string();
    let off = house.call_workspace(&format!("PATCH /api/2.0/preview/scim/v2/ServicePrincipals/{id}"), off).await;
    assert_eq!(off.status, 200, "{}", off.body);
    assert_eq!(buy(&client, secret.expose()).await.status, 401);
}

#[tokio::test]
async fn lists_shut_addresses_out() {
    let house = House::open().await;
    let from = async |address: &str| {
        let authorization = format!("Bearer {WORKSPACE_TOKEN}");
        let mut asked = request("GET /api/2.1/jobs/list", Some(&authorization), Body::empty());
        let address: SocketAddr = format!("{address}:4711").parse().expect("an address");
        asked.extensions_mut().insert(Peer(address));
        send(&house.workspace, asked).await
    };
    let list = json!({ "label": "office", "list_type": "ALLOW", "ip_addresses": ["203.0.113.0/24"] }).to_string();
    assert_eq!(house.call_workspace("POST /api/2.0/ip-access-lists", list).await.status, 200);
    assert_eq!(from("198.51.100.1").await.status, 200);
    let on = json!({ "enableIpAccessLists": "true" }).to_string();
    assert_eq!(house.call_workspace("PATCH /api/2.0/workspace-conf", on).await.status, 200);
    let refused = from("198.51.100.1").await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json()["message"],
        "Source IP address: 198.51.100.1 is blocked by Databricks IP ACL for workspace"
    );
    assert_eq!(from("203.0.113.7").await.status, 200);
    assert_eq!(from("127.0.0.1").await.status, 200);
}
