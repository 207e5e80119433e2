//! Knowledge models over our own interface and over the compatible one, from
//! pushed rows to a subscriber's event.

use axum::body::Body;
use expect_test::expect;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::{ADMINISTRATOR, House, app_key, check, request, send};

pub(super) const MODEL: &str = "metadata: { key: late, displayName: Late orders }
dataModelId: p2p
records:
  - id: PURCHASE
    displayName: Order
    pql: '\"EVENTS_CASES\"'
    identifier: { id: ORDER_ID, displayName: Order, pql: '\"EVENTS_CASES\".\"CASE\"' }
    attributes:
      - { id: STEPS, displayName: Steps, pql: 'PU_COUNT(\"EVENTS_CASES\", \"EVENTS\".\"STEP\")', unit: steps }
triggers:
  - { id: LONG, displayName: Long order, record: PURCHASE, filterIds: [MANY_STEPS], outputs: [STEPS] }
filters:
  - { id: MANY_STEPS, pql: 'PURCHASE.STEPS > 1' }
";

impl House {
    pub(super) async fn push_events(&self, csv: &str) {
        let jobs = "/integration/api/v1/data-push/Purchasing/jobs";
        let spec = r#"{"targetName":"EVENTS","type":"DELTA","fileType":"CSV"}"#;
        let made = self.call(&format!("POST {jobs}"), spec).await.json();
        let job = format!("{jobs}/{}", made["id"].as_str().expect("an id"));
        let form =
            format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"e\"\r\n\r\n{csv}\r\n--b--\r\n");
        let what = format!("POST {job}/chunks/upserted");
        let mut upload = request(&what, Some(&app_key(ADMINISTRATOR)), Body::from(form));
        upload.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"));
        assert_eq!(send(&self.main, upload).await.status, 200);
        assert_eq!(self.call(&format!("POST {job}"), "").await.status, 200);
        self.app.pools.drain().await.expect("the worker works");
        let ended = self.call(&format!("GET {job}"), "").await.json();
        assert_eq!(ended["status"], "DONE", "{ended}");
    }

    /// Brings rows, a data model and the published knowledge model into being.
    pub(super) async fn published(&self) {
        self.pool().await;
        self.push_events("CASE,STEP,AT\n1,Order,2026-01-01T00:00:00Z\n2,Order,2026-01-01T01:00:00Z\n").await;
        let spec = r#"{"tables":["EVENTS"],"activity":{"table":"EVENTS","caseColumn":"CASE",
            "activityColumn":"STEP","timestampColumn":"AT"}}"#;
        let put = self.call("PUT /api/v1/pools/Purchasing/data-models/p2p", spec).await;
        assert_eq!(put.status, 200, "{}", put.body);
        assert_eq!(self.call("PUT /api/v1/packages/purchasing", r#"{"name":"Purchasing"}"#).await.status, 200);
        let put = self.call("PUT /api/v1/models/purchasing.late", MODEL).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let published = self.call("POST /api/v1/models/purchasing.late/publish", "").await;
        assert_eq!(published.status, 200, "{}", published.body);
    }
}

#[tokio::test]
async fn a_model_is_drafted_and_published() {
    let house = House::open().await;
    check(
        &house.call("PUT /api/v1/models/purchasing.late", MODEL).await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:package-not-found",
          "title": "Not Found",
          "status": 404,
          "detail": "there is no package \"purchasing\"",
          "instance": "<1>",
          "code": "package-not-found"
        }
    "#]],
    );
    check(
        &house.call("PUT /api/v1/models/late", MODEL).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-id-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"late\" is not the id of a knowledge model: it is written PACKAGE.KEY",
          "instance": "<1>",
          "code": "knowledge-model-id-invalid",
          "attribute": "model"
        }
    "#]],
    );
    check(
        &house.call("PUT /api/v1/models/purchasing.early", MODEL).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-key-mismatch",
          "title": "Bad Request",
          "status": 400,
          "detail": "the text says key \"late\", the address says \"early\"",
          "instance": "<1>",
          "code": "knowledge-model-key-mismatch",
          "attribute": "metadata.key"
        }
    "#]],
    );
    house.published().await;
    check(
        &house.call("GET /api/v1/models", "").await,
        expect![[r#"
            200 application/json
            [
              {
                "id": "purchasing.late",
                "package": "purchasing",
                "key": "late",
                "name": "Late orders",
                "published": 1,
                "publishedAt": "2026-01-01T00:00:00.000Z",
                "changedAt": "2026-01-01T00:00:00.000Z"
              }
            ]
        "#]],
    );
    check(
        &house.call("POST /api/v1/models/purchasing.late/publish", "").await,
        expect![[r#"
            200 application/json
            {
              "model": "purchasing.late",
              "version": 2,
              "triggers": [
                {
                  "id": "LONG",
                  "name": "Long order",
                  "record": "PURCHASE",
                  "fields": [
                    {
                      "id": "ORDER_ID",
                      "name": "Order",
                      "type": "INT",
                      "unit": null,
                      "format": null,
                      "isIdentifier": true
                    },
                    {
                      "id": "STEPS",
                      "name": "Steps",
                      "type": "INT",
                      "unit": "steps",
                      "format": null,
                      "isIdentifier": false
                    }
                  ],
                  "class": "L",
                  "cost": "at each commit the cases that it touches",
                  "cadence": "at each commit",
                  "itemLimit": 10000,
                  "matched": 0,
                  "fired": 0,
                  "held": 0,
                  "shadowed": 0,
                  "shadow": false
                }
              ],
              "notices": [],
              "previews": [
                {
                  "trigger": "LONG",
                  "matching": 0,
                  "new": 0,
                  "leaving": 0,
                  "fires": true
                }
              ]
            }
        "#]],
    );
    check(
        &house.call("GET /api/v1/models/purchasing.none", "").await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-unknown",
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.none\" does not exist",
          "instance": "<1>",
          "code": "knowledge-model-unknown"
        }
    "#]],
    );
}

#[tokio::test]
async fn a_question_in_pql_is_answered_by_column_name() {
    let house = House::open().await;
    house.published().await;
    let path = "POST /api/v1/models/purchasing.late/query";
    let question = r#"{"pql":"TABLE(PURCHASE.ORDER_ID AS \"order\", PURCHASE.STEPS AS \"steps\")"}"#;
    check(
        &house.call(path, question).await,
        expect![[r#"
        200 application/json
        {
          "columns": [
            {
              "name": "order",
              "type": "INT"
            },
            {
              "name": "steps",
              "type": "INT"
            }
          ],
          "rows": [
            {
              "order": 1,
              "steps": 1
            },
            {
              "order": 2,
              "steps": 1
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(path, r#"{"pql":"TABLE("}"#).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:pql-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "line 1, column 7: expected an expression, the text ends",
          "instance": "<1>",
          "code": "pql-invalid"
        }
    "#]],
    );
}

#[tokio::test]
async fn the_process_clock_is_read_and_set() {
    let house = House::open().await;
    house.published().await;
    let path = "/api/v1/models/purchasing.late/clock";
    check(
        &house.call(&format!("GET {path}"), "").await,
        expect![[r#"
        200 application/json
        {
          "now": "2026-01-01T00:00:00.000Z",
          "speed": null
        }
    "#]],
    );
    let set = r#"{"now":"2026-02-01T00:00:00Z","speed":0}"#;
    check(
        &house.call(&format!("POST {path}"), set).await,
        expect![[r#"
        200 application/json
        {
          "now": "2026-02-01T00:00:00.000Z",
          "speed": 0.0
        }
    "#]],
    );
    // A clock that stands is moved on, and stands.
    check(
        &house.call(&format!("POST {path}"), r#"{"now":"2026-02-02T00:00:00Z"}"#).await,
        expect![[r#"
        200 application/json
        {
          "now": "2026-02-02T00:00:00.000Z",
          "speed": 0.0
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {path}"), r#"{"now":"tomorrow"}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body does not fit at \"now\": \"tomorrow\" is not a date and time such as 2026-02-03T09:15:00Z at line 1 column 18",
              "instance": "<1>",
              "code": "body-mismatch",
              "attribute": "now",
              "line": 1,
              "column": 18
            }
        "#]],
    );
}

#[tokio::test]
async fn the_compatible_interface_tells_the_published_version() {
    let house = House::open().await;
    house.published().await;
    let path = "/intelligence/api/knowledge-models";
    check(
        &house.call(&format!("GET {path}?sort=-id"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "sort": "-id",
          "content": [
            {
              "id": "purchasing.late",
              "name": "Late orders",
              "published": "2026-01-01 00:00:00"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}?sort=id,name"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "title": "Bad Request",
              "status": 400,
              "detail": "\"sort\" takes exactly one field and one sign",
              "errorCode": "GENERAL_PARAMETER_ILLEGAL",
              "instance": "<1>"
            }
        "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "purchasing.late",
          "name": "Late orders",
          "extendedKMId": null
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/records"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "sort": "",
          "content": [
            {
              "id": "PURCHASE",
              "name": "Order",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/records/PURCHASE"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "PURCHASE",
          "name": "Order",
          "description": null,
          "shortDisplayName": null,
          "internalNote": null,
          "fields": [
            {
              "id": "ORDER_ID",
              "name": "Order",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "integer",
              "format": null,
              "unit": null
            },
            {
              "id": "STEPS",
              "name": "Steps",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "integer",
              "format": null,
              "unit": "steps"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/records/INVOICE"), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.late\" has no record \"INVOICE\"",
          "errorCode": "KM_RECORD_NOTFOUND",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/triggers?pageSize=1"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 1,
          "total": 1,
          "sort": "",
          "content": [
            {
              "id": "LONG",
              "record": "PURCHASE",
              "name": "Long order"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/triggers/LONG"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "LONG",
          "name": "Long order",
          "fields": [
            {
              "name": "Order",
              "type": "integer",
              "format": null,
              "unit": null
            },
            {
              "name": "Steps",
              "type": "integer",
              "format": null,
              "unit": "steps"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.late/triggers/SHORT"), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.late\" has no trigger \"SHORT\"",
          "errorCode": "SUBSCRIPTION_TRIGGER_NOTFOUND",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/purchasing.none/triggers"), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.none\" does not exist",
          "errorCode": "KM_MODEL_NOTFOUND",
          "instance": "<1>"
        }
    "#]],
    );
}

#[tokio::test]
async fn a_pushed_row_makes_a_trigger_fire() {
    let house = House::open().await;
    house.published().await;
    let path = "POST /intelligence/api/knowledge-models/purchasing.late/triggers/LONG/subscriptions";
    let asked = r#"{"name":"a","callbackInfo":{"uri":"https://example.com/a","protocol":"HTTPS"}}"#;
    house.http.push_error(base::http::HttpError::UnknownHost { host: "example.com".into() });
    check(
        &house.call(path, asked).await,
        expect![[r#"
        400 application/problem+json
        {
          "title": "Bad Request",
          "status": 400,
          "detail": "the callback could not be reached: cannot find the host \"example.com\"",
          "errorCode": "SUBSCRIPTION_CALLBACK_FAILED",
          "instance": "<1>"
        }
    "#]],
    );
    check(
        &house.call(&path.replace("LONG", "SHORT"), asked).await,
        expect![[r#"
        404 application/problem+json
        {
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.late\" has no trigger \"SHORT\"",
          "errorCode": "SUBSCRIPTION_TRIGGER_NOTFOUND",
          "instance": "<1>"
        }
    "#]],
    );
    house.http.push(200, "");
    let made = house.call(path, asked).await;
    assert_eq!(made.status, 201, "{}", made.body);

    house.push_events("CASE,STEP,AT\n2,Deliver,2026-01-01T02:00:00Z\n").await;
    house.app.mining.catch_up().await.expect("the model is loaded");
    check(
        &house.call("GET /api/v1/models/purchasing.late/triggers/LONG/matched", "").await,
        expect![[r#"
        200 application/json
        [
          {
            "identifier": "2",
            "since": "2026-01-01T00:00:00.000Z",
            "episode": 1
          }
        ]
    "#]],
    );
    let status = house.call("GET /api/v1/status", "").await.json();
    assert_eq!(status["signals"], 1, "{status}");
}

#[tokio::test]
async fn all_mistakes_of_a_model_are_told_with_their_lines() {
    let house = House::open().await;
    house.published().await;
    let wrong = MODEL
        .replace("displayName: Order\n", "displayname: Order\n    scope: ON\n")
        .replace("record: PURCHASE", "record: ORDER");
    check(
        &house.call("PUT /api/v1/models/purchasing.late", wrong.clone()).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "knowledge model \"late\", records.PURCHASE.scope (line 6): \"ON\" is not one of ENABLED, DISABLED",
          "instance": "<1>",
          "code": "knowledge-model-invalid",
          "mistakes": [
            {
              "path": "records.PURCHASE.scope",
              "line": 6,
              "detail": "\"ON\" is not one of ENABLED, DISABLED"
            }
          ]
        }
    "#]],
    );
    let wrong = wrong.replace("scope: ON", "scope: ENABLED").replace("PURCHASE.STEPS > 1", "PURCHASE.STEP > 1");
    assert_eq!(house.call("PUT /api/v1/models/purchasing.late", wrong).await.status, 200);
    check(
        &house.call("POST /api/v1/models/purchasing.late/check", "").await,
        expect![[r#"
        200 application/json
        {
          "mistakes": [
            {
              "path": "triggers.LONG",
              "line": 12,
              "detail": "there is no record \"ORDER\""
            },
            {
              "path": "filters.MANY_STEPS",
              "line": 14,
              "detail": "line 1, column 1: record \"PURCHASE\" has no attribute \"STEP\"; did you mean \"STEPS\"?"
            }
          ],
          "notices": [
            {
              "path": "records.PURCHASE.displayname",
              "line": 5,
              "detail": "the key \"displayname\" is not known and has no effect; did you mean \"displayName\"?"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call("POST /api/v1/models/purchasing.late/publish", "").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "knowledge model \"purchasing.late\" has 2 mistakes: triggers.LONG (line 12): there is no record \"ORDER\"; filters.MANY_STEPS (line 14): line 1, column 1: record \"PURCHASE\" has no attribute \"STEP\"; did you mean \"STEPS\"?",
          "instance": "<1>",
          "code": "knowledge-model-invalid",
          "mistakes": [
            {
              "path": "triggers.LONG",
              "line": 12,
              "detail": "there is no record \"ORDER\""
            },
            {
              "path": "filters.MANY_STEPS",
              "line": 14,
              "detail": "line 1, column 1: record \"PURCHASE\" has no attribute \"STEP\"; did you mean \"STEPS\"?"
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn versions_are_listed_compared_and_taken_back() {
    let house = House::open().await;
    house.published().await;
    let path = "/api/v1/models/purchasing.late/versions";
    let other = MODEL.replace("STEPS > 1", "STEPS > 2").replace("unit: steps", "unit: step");
    assert_eq!(house.call("PUT /api/v1/models/purchasing.late", other).await.status, 200);
    check(
        &house.call(&format!("GET {path}/published/diff/draft"), "").await,
        expect![[r#"
        200 application/json
        {
          "objects": [
            {
              "list": "records",
              "id": "PURCHASE",
              "change": "changed",
              "keys": [
                {
                  "key": "attributes.STEPS.unit",
                  "before": "steps",
                  "after": "step"
                }
              ]
            },
            {
              "list": "filters",
              "id": "MANY_STEPS",
              "change": "changed",
              "keys": [
                {
                  "key": "pql",
                  "before": "PURCHASE.STEPS > 1",
                  "after": "PURCHASE.STEPS > 2"
                }
              ]
            },
            {
              "list": "triggers",
              "id": "LONG",
              "change": "changed",
              "keys": [],
              "logicChanged": true
            }
          ],
          "text": "@@ -6,8 +6,8 @@\n     pql: '\"EVENTS_CASES\"'\n     identifier: { id: ORDER_ID, displayName: Order, pql: '\"EVENTS_CASES\".\"CASE\"' }\n     attributes:\n-      - { id: STEPS, displayName: Steps, pql: 'PU_COUNT(\"EVENTS_CASES\", \"EVENTS\".\"STEP\")', unit: steps }\n+      - { id: STEPS, displayName: Steps, pql: 'PU_COUNT(\"EVENTS_CASES\", \"EVENTS\".\"STEP\")', unit: step }\n triggers:\n   - { id: LONG, displayName: Long order, record: PURCHASE, filterIds: [MANY_STEPS], outputs: [STEPS] }\n filters:\n-  - { id: MANY_STEPS, pql: 'PURCHASE.STEPS > 1' }\n+  - { id: MANY_STEPS, pql: 'PURCHASE.STEPS > 2' }\n"
        }
    "#]],
    );
    assert_eq!(house.call("POST /api/v1/models/purchasing.late/publish", "").await.status, 200);
    let back = house.call(&format!("POST {path}/1/publish"), "").await;
    assert_eq!((back.status.as_u16(), &back.json()["version"]), (200, &3.into()));
    check(
        &house.call(&format!("GET {path}"), "").await,
        expect![[r#"
        200 application/json
        [
          {
            "version": 3,
            "name": null,
            "publishedAt": "2026-01-01T00:00:00.000Z",
            "publishedBy": "bootstrap (admin)",
            "ofVersion": 1,
            "current": true
          },
          {
            "version": 2,
            "name": null,
            "publishedAt": "2026-01-01T00:00:00.000Z",
            "publishedBy": "bootstrap (admin)",
            "ofVersion": null,
            "current": false
          },
          {
            "version": 1,
            "name": null,
            "publishedAt": "2026-01-01T00:00:00.000Z",
            "publishedBy": "bootstrap (admin)",
            "ofVersion": null,
            "current": false
          }
        ]
    "#]],
    );
    assert_eq!(house.call(&format!("GET {path}/3"), "").await.json()["text"], MODEL);
    check(
        &house.call(&format!("GET {path}/9"), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-version-unknown",
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.late\" has no version 9; the last one is 3",
          "instance": "<1>",
          "code": "knowledge-model-version-unknown"
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {path}/last"), "").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-version-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"last\" is no version: write its number, \"draft\" or \"published\"",
          "instance": "<1>",
          "code": "knowledge-model-version-invalid",
          "attribute": "version"
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {path}/draft/publish"), "").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:knowledge-model-version-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "a rollback names the number of a version; the draft is published at /publish",
          "instance": "<1>",
          "code": "knowledge-model-version-invalid",
          "attribute": "version"
        }
    "#]],
    );
    let stranger = house.call_as_stranger(&format!("GET {path}")).await;
    assert_eq!(stranger.status, 403);
    let audit = house.call("GET /api/v1/audit", "").await;
    assert!(audit.body.contains("roll-back"), "{}", audit.body);
}

#[tokio::test]
async fn a_data_model_tells_what_it_takes_in_memory() {
    let house = House::open().await;
    house.published().await;
    let told = house.call("GET /api/v1/pools/Purchasing/data-models/p2p/memory", "").await.json();
    let load = &told["load"];
    let figures = ["cases", "events", "rows", "excluded", "loadedCommit", "commit"].map(|name| load[name].as_u64());
    assert_eq!((told["state"].as_str(), figures), (Some("loaded"), [2, 2, 4, 0, 1, 1].map(Some)), "{told}");
    let of_columns = |table: &serde_json::Value| {
        let columns = table["columns"].as_array().expect("columns").iter();
        columns.map(|column| column["bytes"].as_u64().expect("bytes")).sum::<u64>()
    };
    let tables: u64 = load["tables"].as_array().expect("tables").iter().map(of_columns).sum();
    let bytes = &load["bytes"];
    // The texts of joined keys belong to no column.
    let of_values = bytes["columns"].as_u64().zip(bytes["texts"].as_u64()).map(|(values, texts)| values + texts);
    assert!(tables > 0 && Some(tables) <= of_values, "{told}");
}
