//! The Intelligence API.

mod data;

use expect_test::expect;

use super::{House, check};

#[tokio::test]
async fn callers_without_a_key_get_the_two_answers_of_the_original() {
    let house = House::open().await;
    let path = "GET /intelligence/api/subscriptions";
    check(
        &house.call_with(None, path).await,
        expect![[r#"
        401 application/json
        {
          "error": "Unauthorized"
        }
    "#]],
    );
    check(
        &house.call_with(Some("Token abc"), path).await,
        expect![[r#"
        401 text/plain; charset=utf-8
        The Authorization header must use the scheme Bearer or AppKey (case-insensitive).
    "#]],
    );
    check(
        &house.call_with(Some("AppKey bm9ib2R5OnNlY3JldA=="), path).await,
        expect![[r#"
        401 application/json
        {
          "error": "Unauthorized"
        }
    "#]],
    );
}

#[tokio::test]
async fn whoever_has_no_right_on_the_package_is_told_so() {
    let house = House::open().await;
    check(
        &house.call_as_stranger("GET /intelligence/api/knowledge-models/p2p.km/triggers").await,
        expect![[r#"
        403 application/problem+json
        {
          "title": "Forbidden",
          "status": 403,
          "detail": "\"stranger\" lacks the permission \"use-package\" on package \"p2p\"",
          "errorCode": "ADMIN_ACCESS_ERROR",
          "instance": "<1>"
        }
    "#]],
    );
    assert_eq!(house.call_as_stranger("GET /intelligence/api/subscriptions").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_has_the_code_of_the_original() {
    let house = House::open().await;
    let unknown = "0197a3f0-0000-7000-8000-000000000000";
    check(
        &house.call(&format!("PATCH /intelligence/api/subscriptions/{unknown}/pause"), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "there is no subscription \"<1>\"",
          "errorCode": "SUBSCRIPTION_SUBSCRIPTION_NOTFOUND",
          "instance": "<2>"
        }
    "#]],
    );
    check(
        &house.call("DELETE /intelligence/api/subscriptions/4711", "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "there is no subscription \"4711\"",
          "errorCode": "SUBSCRIPTION_SUBSCRIPTION_NOTFOUND",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call("GET /intelligence/api/no-such-thing", "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "there is nothing at GET /intelligence/api/no-such-thing",
          "errorCode": "GENERAL_NOTFOUND_PATH",
          "instance": "<1>"
        }
    "#]],
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_refuse_what_they_cannot_do() {
    let house = House::open().await;
    check(
        &house.call("GET /intelligence/api/subscriptions?page=2&pageSize=10&sort=+name", "").await,
        expect![[r#"
        200 application/json
        {
          "page": 2,
          "pageSize": 10,
          "total": 0,
          "sort": "name",
          "content": []
        }
    "#]],
    );
    check(
        &house.call("GET /intelligence/api/subscriptions?page=first", "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "\"page\" must be a whole number from 0 to 9223372036854775807, not \"first\"",
              "errorCode": "GENERAL_PARAMETER_MISSMATCH",
              "instance": "<1>"
            }
        "#]],
    );
    check(
        &house.call("GET /intelligence/api/subscriptions?pageSize=0", "").await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "\"pageSize\" must be at least 1",
          "errorCode": "GENERAL_CONSTRAINT_VIOLATION",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call("GET /intelligence/api/subscriptions?sort=colour", "").await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "subscriptions cannot be sorted by \"colour\"",
          "errorCode": "SORT_UNKNOWN_FIELD",
          "instance": "<1>"
        }
    "#]],
    );
    let replay = "PATCH /intelligence/api/subscriptions/4711/replay?fromOffset=-1";
    check(
        &house.call(replay, "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "\"fromOffset\" must be a whole number from 0 to 9223372036854775807, not \"-1\"",
              "errorCode": "GENERAL_PARAMETER_MISSMATCH",
              "instance": "<1>"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_named_with_line_and_column() {
    let house = House::open().await;
    let path = "POST /intelligence/api/knowledge-models/p2p.km/triggers/LATE/subscriptions";
    check(
        &house.call(path, "{\"name\": \"a\",\n  \"callbackInfo\": {").await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "the body is not valid JSON: EOF while parsing an object at line 2 column 19",
          "errorCode": "GENERAL_PARAMETER_ILLEGAL",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call(path, r#"{"name":"a","callbackInfo":{"uri":"https://a","protocol":"FTP"}}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "the body does not fit at \"callbackInfo.protocol\": unknown variant `FTP`, expected `HTTPS` at line 1 column 62",
              "errorCode": "GENERAL_CONSTRAINT_VIOLATION",
              "instance": "<1>"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_subscription_is_managed_by_the_verbs_of_the_original() {
    let house = House::open().await;
    let id = subscription(&house).await;
    check(
        &house.call("GET /intelligence/api/subscriptions", "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "sort": "",
          "content": [
            {
              "id": "<1>",
              "name": "late orders",
              "knowledgeModelId": "p2p.km",
              "triggerId": "LATE",
              "ownerName": "bootstrap (admin)",
              "status": "active",
              "configurations": [],
              "latestSucceedEvent": null,
              "offset": 0,
              "lastSuccessEventOffset": 0,
              "latestSucceedOffset": 0,
              "creationDate": "2026-01-01T00:00:00.000Z",
              "callbackInfo": {
                "uri": "https://example.com/a?token=1",
                "protocol": "HTTPS"
              }
            }
          ]
        }
    "#]],
    );
    let path = format!("/intelligence/api/subscriptions/{id}");
    for (verb, status) in [
        ("PATCH PATH/pause", 204),
        ("PATCH PATH/resume", 204),
        ("PATCH PATH/pause", 204),
        ("PATCH PATH/resume-from-latest", 204),
        ("PATCH PATH/replay?fromOffset=0", 204),
        ("PATCH PATH/replay", 204),
    ] {
        let answer = house.call(&verb.replace("PATH", &path), "").await;
        assert_eq!(answer.status, status, "{verb}: {}", answer.body);
        assert_eq!(answer.body, "");
    }
    check(
        &house.call(&format!("PATCH {path}/resume"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "cannot resume subscription \"<1>\": it is active; there is nothing to do",
              "errorCode": "SUBSCRIPTION_RESUME_WHILE_ACTIVE",
              "instance": "<2>"
            }
        "#]],
    );
    check(
        &house.call(&format!("PATCH {path}/events"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "cannot extract from subscription \"<1>\": it is active; its events are delivered as they come",
              "errorCode": "SUBSCRIPTION_EXTRACT_WHILE_ACTIVE",
              "instance": "<2>"
            }
        "#]],
    );
    check(
        &house.call(&format!("PATCH {path}/replay?fromOffset=99"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "cannot replay subscription \"<1>\": the next event will have offset 1; ask for that offset or an earlier one",
              "errorCode": "SUBSCRIPTION_REPLAY_AHEAD",
              "instance": "<2>"
            }
        "#]],
    );

    let skips = r#"{"name":"again","callbackInfo":{"uri":"https://example.com/b","protocol":"HTTPS"},
        "configurations":["SKIP_ERRORS"]}"#;
    house.http.push(200, "");
    check(
        &house.call(&format!("PUT {path}"), skips).await,
        expect![[r#"
        200
    "#]],
    );
    let listed = house.call("GET /intelligence/api/subscriptions", "").await.json();
    assert_eq!(listed["content"][0]["configurations"][0], "SKIP_ERRORS");
    let illegal = skips.replace("https://", "ftp://");
    check(
        &house.call(&format!("PUT {path}"), illegal).await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "the callback \"ftp://example.com/b\" cannot be used: it is neither http nor https",
          "errorCode": "SUBSCRIPTION_URI_ILLEGAL",
          "instance": "<1>"
        }
    "#]],
    );
    let nameless = skips.replace("\"HTTPS\"", "\"HTTPS\",\"headers\":{\"Authorization\":null}");
    check(
        &house.call(&format!("PUT {path}"), nameless).await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "a callback header needs a name and a value",
          "errorCode": "SUBSCRIPTION_EMPTY_HEADER",
          "instance": "<1>"
        }
    "#]],
    );

    assert_eq!(house.call(&format!("DELETE {path}"), "").await.status, 204);
    assert_eq!(house.call(&format!("DELETE {path}"), "").await.status, 404);
}

#[tokio::test]
async fn the_signing_secret_is_read_once() {
    let house = House::open().await;
    let id = subscription(&house).await;
    let path = format!("/api/v1/subscriptions/{id}");
    let first = house.call(&format!("GET {path}/secret"), "").await.json();
    assert!(first["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{first}");
    check(
        &house.call(&format!("GET {path}/secret"), "").await,
        expect![[r#"
            410 application/problem+json
            {
              "type": "urn:loopwright:problem:secret-already-read",
              "title": "Gone",
              "status": 410,
              "detail": "the secret of subscription \"<1>\" was already read; rotate it to get a new one",
              "instance": "<2>",
              "code": "secret-already-read"
            }
        "#]],
    );
    let next = house.call(&format!("POST {path}/secret/rotate"), r#"{"overlapHours":0.5}"#).await.json();
    assert_ne!(first["secret"], next["secret"]);
    check(
        &house.call_as_stranger(&format!("GET {path}/secret")).await,
        expect![[r#"
            403 application/problem+json
            {
              "type": "urn:loopwright:problem:subscription-of-somebody-else",
              "title": "Forbidden",
              "status": 403,
              "detail": "subscription \"<1>\" belongs to somebody else; only its owner or an administrator may do this",
              "instance": "<2>",
              "code": "subscription-of-somebody-else"
            }
        "#]],
    );
    check(
        &house.call(&format!("GET {path}/deliveries"), "").await,
        expect![[r#"
            200 application/json
            {
              "page": 0,
              "pageSize": 50,
              "total": 0,
              "deliveries": []
            }
        "#]],
    );
    check(
        &house.call(&format!("GET {path}/deliveries?verdict=good"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:verdict-unknown",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"good\" is not a verdict: delivered, failed, skipped, rejected, busy, late are",
              "instance": "<1>",
              "code": "verdict-unknown",
              "attribute": "verdict"
            }
        "#]],
    );
}

/// Makes a subscription to a trigger that no model has to have.
async fn subscription(house: &House) -> String {
    let administrator = super::app_key(super::ADMINISTRATOR);
    let administrator = house.app.access.authenticate(Some(&administrator)).await.expect("its key");
    let request = events::NewSubscription {
        name: "late orders".into(),
        uri: "https://example.com/a?token=1".into(),
        headers: vec![("Authorization".into(), base::Secret::new("Bearer receivers-secret"))],
        skip_errors: false,
    };
    house.http.push(200, "");
    let trigger = events::TriggerRef::new("p2p.km", "LATE");
    let made = house.app.events.create(&administrator, &trigger, request).await.expect("the probe was answered");
    made.id.to_string()
}
