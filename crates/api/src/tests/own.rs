//! Our own interface.

use expect_test::expect;
use serde_json::json;

use super::{House, app_key, check, request, send};

#[tokio::test]
async fn whoever_has_no_key_or_no_right_is_told_so() {
    let house = House::open().await;
    check(
        &house.call_with(None, "GET /api/v1/pools").await,
        expect![[r#"
            401 application/problem+json
            {
              "type": "urn:loopwright:problem:credentials-missing",
              "title": "Unauthorized",
              "status": 401,
              "detail": "the request has no authorization header",
              "instance": "<1>",
              "code": "credentials-missing"
            }
        "#]],
    );
    check(
        &house.call_with(Some("Basic YTpi"), "GET /api/v1/pools").await,
        expect![[r#"
            401 application/problem+json
            {
              "type": "urn:loopwright:problem:credentials-scheme",
              "title": "Unauthorized",
              "status": 401,
              "detail": "the authorization header is malformed: its scheme must be Bearer or AppKey",
              "instance": "<1>",
              "code": "credentials-scheme"
            }
        "#]],
    );
    check(
        &house.call_with(Some("bearer YTpi"), "GET /api/v1/pools").await,
        expect![[r#"
            401 application/problem+json
            {
              "type": "urn:loopwright:problem:app-key-unknown",
              "title": "Unauthorized",
              "status": 401,
              "detail": "the app key is unknown or revoked",
              "instance": "<1>",
              "code": "app-key-unknown"
            }
        "#]],
    );
    check(
        &house.call_as_stranger("GET /api/v1/audit").await,
        expect![[r#"
            403 application/problem+json
            {
              "type": "urn:loopwright:problem:permission-denied",
              "title": "Forbidden",
              "status": 403,
              "detail": "\"stranger\" lacks the permission \"read-audit\" on the team",
              "instance": "<1>",
              "code": "permission-denied"
            }
        "#]],
    );
    // Whoever may not see a pool does not learn that it is not there.
    check(
        &house.call_as_stranger("GET /api/v1/pools/Purchasing").await,
        expect![[r#"
            403 application/problem+json
            {
              "type": "urn:loopwright:problem:permission-denied",
              "title": "Forbidden",
              "status": 403,
              "detail": "\"stranger\" lacks the permission \"use-pool\" on pool \"Purchasing\"",
              "instance": "<1>",
              "code": "permission-denied"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_pool_is_made_once_and_found_by_id_or_name() {
    let house = House::open().await;
    check(
        &house.call("POST /api/v1/pools", r#"{"name":"Purchasing"}"#).await,
        expect![[r#"
        201 application/json
        {
          "id": "<1>",
          "name": "Purchasing",
          "createdAt": "2026-01-01T00:00:00.000Z",
          "createdBy": "bootstrap (admin)"
        }
    "#]],
    );
    check(
        &house.call("POST /api/v1/pools", r#"{"name":"Purchasing"}"#).await,
        expect![[r#"
            409 application/problem+json
            {
              "type": "urn:loopwright:problem:pool-name-taken",
              "title": "Conflict",
              "status": 409,
              "detail": "a data pool named \"Purchasing\" exists already",
              "instance": "<1>",
              "code": "pool-name-taken"
            }
        "#]],
    );
    let pools = house.call("GET /api/v1/pools", "").await;
    check(
        &pools,
        expect![[r#"
        200 application/json
        [
          {
            "id": "<1>",
            "name": "Purchasing",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "createdBy": "bootstrap (admin)"
          }
        ]
    "#]],
    );
    let id = pools.json()[0]["id"].as_str().expect("a pool has an id").to_owned();
    let by_name = house.call("GET /api/v1/pools/Purchasing", "").await;
    let by_id = house.call(&format!("GET /api/v1/pools/{id}"), "").await;
    assert_eq!(by_name.body, by_id.body);
    check(
        &house.call("GET /api/v1/pools/Sales/tables", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:pool-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "data pool \"Sales\" does not exist",
              "instance": "<1>",
              "code": "pool-unknown"
            }
        "#]],
    );
    check(
        &house.call("POST /api/v1/pools/Purchasing/tables/ORDERS/flush", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:table-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "table \"ORDERS\" does not exist in this pool",
              "instance": "<1>",
              "code": "table-unknown"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_named_with_line_and_column() {
    let house = House::open().await;
    check(
        &house.call("POST /api/v1/pools", "{\n  \"name\": \"Purchasing\",\n}").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-malformed",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body is not valid JSON: trailing comma at line 3 column 1",
              "instance": "<1>",
              "code": "body-malformed",
              "line": 3,
              "column": 1
            }
        "#]],
    );
    check(
        &house.call("POST /api/v1/pools", "{\n  \"title\": \"Purchasing\"\n}").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body does not fit at \"title\": unknown field `title`, expected `name` at line 2 column 9",
              "instance": "<1>",
              "code": "body-mismatch",
              "attribute": "title",
              "line": 2,
              "column": 9
            }
        "#]],
    );
    check(
        &house.call("POST /api/v1/pools", "").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-empty",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body is empty, JSON was expected",
              "instance": "<1>",
              "code": "body-empty"
            }
        "#]],
    );
    check(
        &house.call("POST /api/v1/pools", r#"{"name":"  "}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:name-invalid",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"  \" is no name for a data pool: it is empty",
              "instance": "<1>",
              "code": "name-invalid"
            }
        "#]],
    );
}

#[tokio::test]
async fn sql_answers_with_rows_by_column_name() {
    let house = House::open().await;
    house.pool().await;
    let path = "POST /api/v1/pools/Purchasing/sql";
    check(
        &house.call(path, r#"{"query":"SELECT 1"}"#).await,
        expect![[r#"
        200 application/json
        {
          "columns": [
            {
              "name": "CASE_ID",
              "type": "text"
            },
            {
              "name": "N",
              "type": "integer"
            }
          ],
          "rows": [
            {
              "CASE_ID": "4711",
              "N": 9223372036854775807
            }
          ],
          "truncated": false
        }
    "#]],
    );
    check(
        &house.call(path, r#"{"query":"DROP TABLE ORDERS"}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:sql-statement",
              "title": "Bad Request",
              "status": 400,
              "detail": "expected SELECT at line 1, column 1",
              "instance": "<1>",
              "code": "sql-statement"
            }
        "#]],
    );
}

#[tokio::test]
async fn an_app_key_is_shown_once_and_revoked_for_good() {
    let house = House::open().await;
    let made = house.call("POST /api/v1/app-keys", r#"{"name":"connector"}"#).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let header = made["header"].as_str().expect("the header to send");
    assert_eq!(house.call_with(Some(header), "GET /api/v1/me").await.status, 200);
    let listed = house.call("GET /api/v1/app-keys", "").await;
    assert!(!listed.body.contains(made["key"].as_str().expect("the key")), "a list never has a secret");
    let id = made["id"].as_str().expect("an id");
    assert_eq!(house.call(&format!("DELETE /api/v1/app-keys/{id}"), "").await.status, 204);
    check(
        &house.call_with(Some(header), "GET /api/v1/me").await,
        expect![[r#"
            401 application/problem+json
            {
              "type": "urn:loopwright:problem:app-key-unknown",
              "title": "Unauthorized",
              "status": 401,
              "detail": "the app key is unknown or revoked",
              "instance": "<1>",
              "code": "app-key-unknown"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_permission_opens_one_pool_and_nothing_else() {
    let house = House::open().await;
    house.pool().await;
    let subject = house.stranger.split(':').next().expect("an id").to_owned();
    let body = format!(r#"{{"subject":"{subject}","permission":"use-pool","pool":"Purchasing"}}"#);
    check(
        &house.call("POST /api/v1/permissions", body.clone()).await,
        expect![[r#"
        201 application/json
        {
          "subject": "<1>",
          "permission": "use-pool",
          "pool": "<2>",
          "package": null,
          "grantedAt": "2026-01-01T00:00:00.000Z",
          "grantedBy": "admin"
        }
    "#]],
    );
    assert_eq!(house.call_as_stranger("GET /api/v1/pools/Purchasing").await.status, 200);
    assert_eq!(house.call_as_stranger("GET /api/v1/pools/Purchasing/tables").await.status, 200);
    assert_eq!(house.call_as_stranger("GET /integration/api/v1/data-push/Purchasing/jobs").await.status, 403);
    assert_eq!(house.call("POST /api/v1/permissions/revoke", body).await.status, 204);
    assert_eq!(house.call_as_stranger("GET /api/v1/pools/Purchasing").await.status, 403);
    let unknown = r#"{"subject":"a","permission":"use-everything"}"#;
    check(
        &house.call("POST /api/v1/permissions", unknown).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:permission-unknown",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"use-everything\" is not a permission: use-pool, admin-pool, data-push, continuous-data-push, use-package, edit-package, run-flows, manage-subscriptions, create-pool, create-package, manage-connections, read-audit are",
              "instance": "<1>",
              "code": "permission-unknown",
              "attribute": "permission"
            }
        "#]],
    );
}

#[tokio::test]
async fn the_audit_trail_tells_who_made_a_pool() {
    let house = House::open().await;
    house.pool().await;
    let trail = house.call("GET /api/v1/audit?limit=1", "").await.json();
    assert_eq!(trail[0]["actor"]["id"], "admin");
    assert_eq!(trail[0]["verb"], "create");
    assert_eq!(trail[0]["object"]["kind"], "pool");
    check(
        &house.call("GET /api/v1/audit?limit=all", "").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:query-malformed",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"limit\" must be a whole number from 0 to 9223372036854775807, not \"all\"",
              "instance": "<1>",
              "code": "query-malformed",
              "attribute": "limit"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_data_store_keeps_records() {
    let house = House::open().await;
    let path = "/api/v1/data-stores/orders";
    let refused = house.call(&format!("PUT {path}"), r#"{"structure": "order"}"#).await;
    assert_eq!(refused.status, 404, "{}", refused.body);
    let body = r#"{"structure": {"spec": [{"name": "n", "type": "number"}], "strict": true}, "importedIds": [5]}"#;
    assert_eq!(house.call(&format!("PUT {path}"), body).await.status, 200);
    // What is left out stays.
    check(
        &house.call(&format!("PUT {path}"), "{}").await,
        expect![[r#"
            200 application/json
            {
              "name": "orders",
              "structure": {
                "spec": [
                  {
                    "name": "n",
                    "type": "number"
                  }
                ],
                "strict": true
              },
              "importedIds": [
                5
              ],
              "records": 0,
              "bytes": 0,
              "updatedAt": "2026-01-01T00:00:00.000Z"
            }
        "#]],
    );
    for key in ["a", "b/c", "d"] {
        let put = house.call(&format!("PUT {path}/records/{}", key.replace('/', "%2F")), r#"{"n": "7"}"#).await;
        assert!(put.status == 200 && put.body.contains("\"n\": 7") || put.body.contains("\"n\":7"), "{}", put.body);
    }
    let misfit = house.call(&format!("PUT {path}/records/x"), r#"{"m": 1}"#).await;
    assert!(misfit.status == 400 && misfit.body.contains("does not fit at m"), "{}", misfit.body);
    check(
        &house.call(&format!("GET {path}/records?limit=2"), "").await,
        expect![[r#"
        200 application/json
        {
          "records": [
            {
              "key": "a",
              "data": {
                "n": 7
              },
              "updatedAt": "2026-01-01T00:00:00.000Z"
            },
            {
              "key": "b/c",
              "data": {
                "n": 7
              },
              "updatedAt": "2026-01-01T00:00:00.000Z"
            }
          ],
          "next": "b/c"
        }
    "#]],
    );
    let behind = house.call(&format!("GET {path}/records?after=b%2Fc"), "").await;
    assert!(behind.body.contains("\"d\"") && !behind.body.contains("next"), "{}", behind.body);
    assert_eq!(house.call(&format!("DELETE {path}/records/a"), "").await.status, 204);
    assert_eq!(house.call(&format!("GET {path}/records/a"), "").await.status, 404);
    assert_eq!(house.call(&format!("POST {path}/rename"), r#"{"name": "other"}"#).await.status, 204);
    assert_eq!(house.call(&format!("GET {path}"), "").await.status, 404);
    let mapped = house.call("PUT /api/v1/flow-imports/datastore:9", r#"{"name": "other"}"#).await;
    assert_eq!(mapped.status, 204, "{}", mapped.body);
    assert_eq!(house.call("DELETE /api/v1/data-stores/other/records", "").await.status, 204);
    let listed = house.call("GET /api/v1/data-stores", "").await;
    assert!(listed.body.contains("\"records\": 0") || listed.body.contains("\"records\":0"), "{}", listed.body);
    assert_eq!(house.call("DELETE /api/v1/data-stores/other", "").await.status, 204);
}

#[tokio::test]
async fn a_page_is_written_whole_and_read_by_whoever_may_see_flows() {
    let house = House::open().await;
    let path = "/api/v1/pages/compliance";
    assert_eq!(house.call(&format!("GET {path}"), "").await.status, 404);
    let body = r##"{"title":" Compliance ","text":"# How we stand\n\n| who | what |\n|---|---|\n"}"##;
    check(
        &house.call(&format!("PUT {path}"), body).await,
        expect![[r##"
            200 application/json
            {
              "name": "compliance",
              "title": "Compliance",
              "version": 1,
              "writtenBy": "bootstrap (admin)",
              "writtenAt": "2026-01-01T00:00:00.000Z",
              "text": "# How we stand\n\n| who | what |\n|---|---|\n"
            }
        "##]],
    );
    // A call that is repeated after a crash changes nothing.
    assert_eq!(house.call(&format!("PUT {path}"), body).await.json()["version"], 1);
    let other = house.call(&format!("PUT {path}"), r#"{"title":"Compliance","text":"All is well."}"#).await;
    assert_eq!(other.json()["version"], 2);
    let listed = house.call("GET /api/v1/pages", "").await.json();
    assert_eq!((&listed[0]["name"], &listed[0]["text"]), (&"compliance".into(), &serde_json::Value::Null));
    for (body, detail) in [
        (r#"{"title":" ","text":""}"#.to_owned(), "its title has no letter"),
        (serde_json::json!({"title": "x".repeat(201), "text": ""}).to_string(), "more than 200"),
        (serde_json::json!({"title": "Long", "text": "x".repeat((1 << 20) + 1)}).to_string(), "1048576 are the most"),
        (r#"{"title":"No text"}"#.to_owned(), "missing field"),
    ] {
        let refused = house.call(&format!("PUT {path}"), body).await;
        assert!(refused.status == 400 && refused.body.contains(detail), "{} {}", refused.status, refused.body);
    }
    assert_eq!(house.call("PUT /api/v1/pages/no%20name", r#"{"title":"a","text":""}"#).await.status, 400);
    assert_eq!(house.call(&format!("GET {path}"), "").await.json()["text"], "All is well.");
    assert_eq!(house.call(&format!("DELETE {path}"), "").await.status, 204);
    assert_eq!(house.call(&format!("DELETE {path}"), "").await.status, 404);
}

#[tokio::test]
async fn a_data_structure_is_written_or_learnt() {
    let house = House::open().await;
    let path = "/api/v1/data-structures/order";
    let body = r#"{"spec":[{"name":"id","type":"number","required":true}],"strict":true,"importedIds":[77]}"#;
    check(
        &house.call(&format!("PUT {path}"), body).await,
        expect![[r#"
        200 application/json
        {
          "name": "order",
          "spec": [
            {
              "name": "id",
              "type": "number",
              "required": true
            }
          ],
          "strict": true,
          "importedIds": [
            77
          ],
          "updatedAt": "2026-01-01T00:00:00.000Z"
        }
    "#]],
    );
    let learnt = house.call(&format!("PUT {path}"), r#"{"sample":"{\"id\": 1, \"lines\": [{\"sku\": \"A\"}]}"}"#).await;
    check(
        &learnt,
        expect![[r#"
        200 application/json
        {
          "name": "order",
          "spec": [
            {
              "name": "id",
              "type": "number"
            },
            {
              "name": "lines",
              "type": "array",
              "spec": {
                "type": "collection",
                "spec": [
                  {
                    "name": "sku",
                    "type": "text"
                  }
                ]
              }
            }
          ],
          "strict": false,
          "importedIds": [],
          "updatedAt": "2026-01-01T00:00:00.000Z"
        }
    "#]],
    );
    let listed = house.call("GET /api/v1/data-structures", "").await;
    assert!(listed.body.contains("\"order\"") && listed.body.contains("\"sku\""), "{}", listed.body);
    for (body, detail) in [
        (r#"{"spec":[{"type":"text"}]}"#, "spec[1] has no \\\"name\\\""),
        (r#"{"sample":"{"}"#, "the sample is not JSON"),
        (r"{}", "give either"),
    ] {
        let refused = house.call(&format!("PUT {path}"), body).await;
        assert!(refused.status == 400 && refused.body.contains(detail), "{}", refused.body);
    }
    assert_eq!(house.call(&format!("DELETE {path}"), "").await.status, 204);
    assert_eq!(house.call(&format!("GET {path}"), "").await.status, 404);
}

#[tokio::test]
async fn a_connection_never_tells_its_secret() {
    let house = House::open().await;
    for body in [
        r#"{"kind":"app-key","secret":"connector:very-secret","origin":"loopwright://this"}"#,
        r#"{"kind":"basic","user":"me","password":"very-secret"}"#,
        r#"{"kind":"query","parameter":"key","value":"very-secret","importedIds":["key:34"]}"#,
        r#"{"kind":"oauth-client-credentials","tokenUrl":"https://a.example/token","clientId":"me","secret":"very-secret"}"#,
        r#"{"kind":"client-certificate","certificate":"-----BEGIN CERTIFICATE-----","secret":"-----BEGIN very-secret"}"#,
        r#"{"kind":"bearer","token":"very-secret"}"#,
    ] {
        let put = house.call("PUT /api/v1/connections/this-loopwright", body).await;
        assert_eq!(put.status, 204, "{}", put.body);
        let listed = house.call("GET /api/v1/connections", "").await;
        assert!(!listed.body.contains("very-secret"), "{}", listed.body);
    }
    check(
        &house.call("GET /api/v1/connections", "").await,
        expect![[r#"
            200 application/json
            [
              {
                "name": "local-workspace",
                "kind": "built-in",
                "origin": "loopwright://workspace",
                "expiresAt": null,
                "updatedAt": "1970-01-01T00:00:00.000Z",
                "builtIn": true
              },
              {
                "name": "this-loopwright",
                "kind": "bearer",
                "origin": null,
                "expiresAt": null,
                "updatedAt": "2026-01-01T00:00:00.000Z"
              }
            ]
        "#]],
    );
    let path = "PUT /api/v1/connections/other";
    check(
        &house.call(path, r#"{"kind":"bearer"}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:connection-incomplete",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"secret\" is missing",
              "instance": "<1>",
              "code": "connection-incomplete",
              "attribute": "secret"
            }
        "#]],
    );
    check(
        &house.call(path, r#"{"kind":"oauth","secret":"a"}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:connection-kind-unknown",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"oauth\" is not a kind of connection: \"app-key\", \"bearer\", \"basic\", \"header\", \"query\", \"oauth-client-credentials\", \"client-certificate\", \"databricks-pat\", \"databricks-oauth\", \"smtp\", \"slack\", \"slack-webhook\" are",
              "instance": "<1>",
              "code": "connection-kind-unknown",
              "attribute": "kind"
            }
        "#]],
    );
    check(
        &house.call_as_stranger("GET /api/v1/connections").await,
        expect![[r#"
            403 application/problem+json
            {
              "type": "urn:loopwright:problem:permission-denied",
              "title": "Forbidden",
              "status": 403,
              "detail": "\"stranger\" lacks the permission \"manage-connections\" on the team",
              "instance": "<1>",
              "code": "permission-denied"
            }
        "#]],
    );
    assert_eq!(house.call("DELETE /api/v1/connections/this-loopwright", "").await.status, 204);
}

#[tokio::test]
async fn a_flow_is_put_published_and_run() {
    let house = House::open().await;
    let text = "name: Say hello
flow:
  - id: 1
    module: util:SetVariable2
    version: 1
    mapper: { name: greeting, scope: roundtrip, value: hello }
";
    check(
        &house.call("PUT /api/v1/flows/hello", text).await,
        expect![[r#"
        200 application/json
        {
          "key": "hello",
          "notices": []
        }
    "#]],
    );
    check(
        &house.call("POST /api/v1/flows/hello/publish", "{}").await,
        expect![[r#"
        200 application/json
        {
          "key": "hello",
          "version": 1
        }
    "#]],
    );
    assert_eq!(house.call("PUT /api/v1/flows/hello/variables", r#"{"pool":"p-1"}"#).await.status, 204);
    let flow = house.call("GET /api/v1/flows/hello", "").await;
    check(
        &flow,
        expect![[r#"
        200 application/json
        {
          "key": "hello",
          "name": "Say hello",
          "state": "inactive",
          "version": 1,
          "draftAhead": false,
          "hook": null,
          "waiting": 0,
          "nextAt": null,
          "updatedAt": "2026-01-01T00:00:00.000Z",
          "draft": "name: Say hello\nflow:\n  - id: 1\n    module: util:SetVariable2\n    version: 1\n    mapper: { name: greeting, scope: roundtrip, value: hello }\n",
          "published": "name: Say hello\nflow:\n  - id: 1\n    module: util:SetVariable2\n    version: 1\n    mapper: { name: greeting, scope: roundtrip, value: hello }\n",
          "variables": {
            "pool": "p-1"
          },
          "notices": []
        }
    "#]],
    );
    let run = house.call("POST /api/v1/flows/hello/run", "").await;
    assert_eq!(run.status, 202, "{}", run.body);
    let id = run.json()["id"].as_str().expect("a run has an id").to_owned();
    let runs = house.call("GET /api/v1/flows/hello/runs", "").await.json();
    assert_eq!(runs[0]["id"], id.as_str());
    assert_eq!(runs[0]["state"], "live");
    assert_eq!(house.call(&format!("GET /api/v1/runs/{id}"), "").await.status, 200);
    check(
        &house.call("GET /api/v1/runs/4711", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:run-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "run \"4711\" does not exist",
              "instance": "<1>",
              "code": "run-unknown"
            }
        "#]],
    );
    check(
        &house.call("GET /api/v1/flows/goodbye", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:flow-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "flow \"goodbye\" does not exist",
              "instance": "<1>",
              "code": "flow-unknown"
            }
        "#]],
    );
    let broken = house.call("PUT /api/v1/flows/broken", "name: [").await;
    assert_eq!((broken.status.as_u16(), &broken.json()["code"]), (400, &json!("flow-unreadable")));
    check(
        &house.call("POST /api/v1/flows/hello/run", "[1").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-malformed",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body is not valid JSON: EOF while parsing a list at line 1 column 2",
              "instance": "<1>",
              "code": "body-malformed",
              "line": 1,
              "column": 2
            }
        "#]],
    );
}

#[tokio::test]
async fn a_data_model_is_put_in_versions() {
    let house = House::open().await;
    house.pool().await;
    let path = "/api/v1/pools/Purchasing/data-models/p2p";
    let spec = r#"{"key":"p2p","tables":["EVENTS"],"activity":{"table":"EVENTS","caseColumn":"CASE",
        "activityColumn":"STEP","timestampColumn":"AT"}}"#;
    check(
        &house.call(&format!("PUT {path}"), spec).await,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "pool": "<2>",
          "key": "p2p",
          "version": 1,
          "name": "p2p",
          "tables": [
            "EVENTS"
          ],
          "foreignKeys": [],
          "activity": {
            "table": "EVENTS",
            "caseColumn": "CASE",
            "activityColumn": "STEP",
            "timestampColumn": "AT",
            "endTimestampColumn": null,
            "sortingColumn": null,
            "caseTable": null,
            "caseTableColumn": null
          },
          "notes": [
            "table \"EVENTS\" does not exist yet"
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("PUT {path}"), spec.replace("\"p2p\"", "\"o2c\"")).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:data-model-key-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body says key \"o2c\", the address says \"p2p\"",
              "instance": "<1>",
              "code": "data-model-key-mismatch",
              "attribute": "key"
            }
        "#]],
    );
    check(
        &house.call(&format!("PUT {path}"), spec.replace("caseColumn", "caseColum")).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body does not fit at \"activity.caseColum\": unknown field `caseColum`, expected one of `table`, `caseColumn`, `activityColumn`, `timestampColumn`, `endTimestampColumn`, `sortingColumn`, `caseTable`, `caseTableColumn` at line 1 column 73",
              "instance": "<1>",
              "code": "body-mismatch",
              "attribute": "activity.caseColum",
              "line": 1,
              "column": 73
            }
        "#]],
    );
    check(
        &house.call("GET /api/v1/pools/Purchasing/data-models/o2c", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:data-model-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "data model \"o2c\" does not exist",
              "instance": "<1>",
              "code": "data-model-unknown"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_held_run_is_decided_once_and_the_audit_tells_by_whom() {
    let house = House::open().await;
    // Its request may have been sent when the program ended.
    let flow = "flow:\n  - { id: 1, module: \"http:ActionSendData\", mapper: { url: \"https://x.example/pay\", method: post } }\n";
    house.call("PUT /api/v1/flows/pay", flow).await;
    let made = house.call("POST /api/v1/flows/pay/run", "").await.json();
    let decide = format!("POST /api/v1/runs/{}/decide", made["id"].as_str().expect("an id"));
    let abandon = r#"{"decision":"abandon"}"#;
    check(
        &house.call(&decide, abandon).await,
        expect![[r#"
            409 application/problem+json
            {
              "type": "urn:loopwright:problem:run-not-held",
              "title": "Conflict",
              "status": 409,
              "detail": "run \"<1>\" does not wait for a decision",
              "instance": "<2>",
              "code": "run-not-held"
            }
        "#]],
    );
    let id: flows::RunId = made["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    house.hold(id).await;
    let stranger = send(&house.main, request(&decide, Some(&app_key(&house.stranger)), abandon)).await;
    assert_eq!(stranger.status, 403);
    assert_eq!(house.call(&decide, r#"{"decision":"wait"}"#).await.status, 400);
    assert_eq!(house.call(&decide, r#"{"decision":"repeat"}"#).await.status, 204);
    assert_eq!(house.call(&decide, abandon).await.status, 409, "it goes on");
    house.hold(id).await;
    assert_eq!(house.call(&decide, abandon).await.status, 204);
    let run = house.call(&format!("GET /api/v1/runs/{id}"), "").await.json();
    assert_eq!((run["state"].as_str(), run["outcome"].as_str()), (Some("ended"), Some("error")));
    assert_eq!(house.call("POST /api/v1/runs/4711/decide", abandon).await.status, 404);
    let trail = house.call("GET /api/v1/audit?of=flows&limit=2", "").await.json();
    let told: Vec<(Option<&str>, Option<&str>)> =
        trail.as_array().into_iter().flatten().map(|row| (row["actor"]["id"].as_str(), row["verb"].as_str())).collect();
    assert_eq!(told, [(Some("admin"), Some("abandon")), (Some("admin"), Some("repeat"))]);
    assert_eq!(house.call_as_stranger("GET /api/v1/audit?of=flows").await.status, 403);
}
