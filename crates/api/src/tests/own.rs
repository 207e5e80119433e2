//! Our own interface.

use expect_test::expect;

use super::{House, check};

#[tokio::test]
async fn whoever_has_no_key_or_no_right_is_told_so() {
    let house = House::open().await;
    check(
        &house.call_with(None, "GET /api/v1/pools").await,
        expect![[r#"
        401 application/problem+json
        {
          "type": "/docs/problems#credentials-missing",
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
          "type": "/docs/problems#credentials-scheme",
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
          "type": "/docs/problems#app-key-unknown",
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
          "type": "/docs/problems#permission-denied",
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
          "type": "/docs/problems#permission-denied",
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
          "type": "/docs/problems#pool-name-taken",
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
          "type": "/docs/problems#pool-unknown",
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
          "type": "/docs/problems#table-unknown",
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
          "type": "/docs/problems#body-malformed",
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
          "type": "/docs/problems#body-mismatch",
          "title": "Bad Request",
          "status": 400,
          "detail": "the body does not fit: unknown field `title`, expected `name` at line 2 column 9",
          "instance": "<1>",
          "code": "body-mismatch",
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
          "type": "/docs/problems#body-empty",
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
          "type": "/docs/problems#name-invalid",
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
          "type": "/docs/problems#sql-statement",
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
          "type": "/docs/problems#app-key-unknown",
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
          "type": "/docs/problems#permission-unknown",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"use-everything\" is not a permission: use-pool, admin-pool, data-push, continuous-data-push, use-package, edit-package, manage-subscriptions, create-pool, create-package, manage-connections, read-audit are",
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
          "type": "/docs/problems#query-malformed",
          "title": "Bad Request",
          "status": 400,
          "detail": "the query string does not fit: limit: invalid digit found in string",
          "instance": "<1>",
          "code": "query-malformed"
        }
    "#]],
    );
}
