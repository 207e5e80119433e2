//! What a model offers to those who ask, and its data.

use std::fmt::Write as _;

use expect_test::expect;

use super::super::{self as tests, House, check};

/// Returns the model of the reference page.
fn model_of_the_page() -> String {
    let page = include_str!("../../../../../docs/reference/knowledge-models.md");
    let block = page.split("```yaml\n").nth(1).expect("the page has a whole example");
    block.split("```").next().expect("it ends").to_owned()
}

const LATE: &str = "/intelligence/api/knowledge-models/purchasing.late-orders";

/// A house in which the model of the reference page is published.
async fn with_late_orders() -> House {
    let house = House::open().await;
    house.published().await;
    house.push_events("CASE,STEP,AT\n1,Deliver,2026-01-02T00:00:00Z\n3,Order,2025-12-20T00:00:00Z\n").await;
    let put = house.call("PUT /api/v1/models/purchasing.late-orders", model_of_the_page()).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let published = house.call("POST /api/v1/models/purchasing.late-orders/publish", "").await;
    assert_eq!(published.status, 200, "{}", published.body);
    assert_eq!(published.json()["notices"], serde_json::json!([]), "the page says nothing in vain");
    house
}

#[tokio::test]
async fn a_model_tells_what_it_offers() {
    let house = with_late_orders().await;
    let path = format!("GET {LATE}");
    check(
        &house.call(&path, "").await,
        expect![[r#"
        200 application/json
        {
          "id": "purchasing.late-orders",
          "name": "Late orders",
          "extendedKMId": null
        }
    "#]],
    );
    check(
        &house.call(&format!("{path}/filters?sort=-id"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 2,
          "sort": "-id",
          "content": [
            {
              "id": "OPEN",
              "name": "Not delivered",
              "description": "No delivery yet."
            },
            {
              "id": "LATE",
              "name": "Too late",
              "description": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("{path}/kpis"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 2,
          "sort": "",
          "content": [
            {
              "id": "ORDERS",
              "name": "Orders",
              "description": null,
              "format": null,
              "unit": null,
              "direction": "None",
              "target": null,
              "parameters": []
            },
            {
              "id": "LATE_ORDERS",
              "name": "Late orders",
              "description": null,
              "format": null,
              "unit": null,
              "direction": "Down",
              "target": "5",
              "parameters": []
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("{path}/records"), "").await,
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
              "name": "Purchase order",
              "description": "An order from its creation to its delivery.",
              "shortDisplayName": "Order",
              "internalNote": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("{path}/records/PURCHASE"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "PURCHASE",
          "name": "Purchase order",
          "description": "An order from its creation to its delivery.",
          "shortDisplayName": "Order",
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
            },
            {
              "id": "LAST_STEP",
              "name": "Last step",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "string",
              "format": null,
              "unit": null
            },
            {
              "id": "SINCE",
              "name": "Created",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "datetime",
              "format": null,
              "unit": null
            },
            {
              "id": "AGE",
              "name": "Age",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "float",
              "format": null,
              "unit": "d"
            },
            {
              "id": "DELIVERED",
              "name": "Delivered",
              "description": null,
              "shortDisplayName": null,
              "internalNote": null,
              "type": "boolean",
              "format": null,
              "unit": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("{path}/records/PURCHASE/summary"), "").await,
        expect![[r#"
            200 application/json
            [
              {
                "id": "ORDER_ID",
                "name": "Order",
                "type": "integer",
                "count": 3,
                "distinct": 3,
                "min": 1,
                "max": 3,
                "avg": 2.0
              },
              {
                "id": "STEPS",
                "name": "Steps",
                "type": "integer",
                "count": 3,
                "distinct": 2,
                "min": 1,
                "max": 2,
                "avg": 1.3333333333333333
              },
              {
                "id": "LAST_STEP",
                "name": "Last step",
                "type": "string",
                "count": 3,
                "distinct": 2,
                "min": "Deliver",
                "max": "Order",
                "avg": null
              },
              {
                "id": "SINCE",
                "name": "Created",
                "type": "datetime",
                "count": 3,
                "distinct": 3,
                "min": "2025-12-20T00:00:00.000Z",
                "max": "2026-01-01T01:00:00.000Z",
                "avg": null
              },
              {
                "id": "AGE",
                "name": "Age",
                "type": "float",
                "count": 3,
                "distinct": 3,
                "min": -0.041666666666666664,
                "max": 12.0,
                "avg": 3.986111111111111
              },
              {
                "id": "DELIVERED",
                "name": "Delivered",
                "type": "boolean",
                "count": 3,
                "distinct": 2,
                "min": 0,
                "max": 1,
                "avg": 0.3333333333333333
              }
            ]
        "#]],
    );
    for unknown in ["filters", "kpis", "records", "data?fields=A.B", "query?fields=A.B"] {
        let path = format!("GET /intelligence/api/knowledge-models/purchasing.none/{unknown}");
        let answer = house.call(&path, "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorCode"]), (404, &"KM_MODEL_NOTFOUND".into()), "{path}");
        assert_eq!(house.call_as_stranger(&path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn data_is_had_by_get_and_by_post() {
    let house = with_late_orders().await;
    let record = format!("{LATE}/records/PURCHASE");
    let got = house
        .call(&format!("GET {record}/data?fields=ORDER_ID,LAST_STEP,DELIVERED,AGE&filters=OPEN&sort=+AGE"), "")
        .await;
    check(
        &got,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 2,
          "sort": [
            "AGE"
          ],
          "content": {
            "headers": [
              {
                "id": "ORDER_ID",
                "name": "Order",
                "type": "integer",
                "format": null,
                "unit": null,
                "aggregation": false,
                "filterable": true,
                "sortable": true
              },
              {
                "id": "LAST_STEP",
                "name": "Last step",
                "type": "string",
                "format": null,
                "unit": null,
                "aggregation": false,
                "filterable": true,
                "sortable": true
              },
              {
                "id": "DELIVERED",
                "name": "Delivered",
                "type": "boolean",
                "format": null,
                "unit": null,
                "aggregation": false,
                "filterable": true,
                "sortable": true
              },
              {
                "id": "AGE",
                "name": "Age",
                "type": "float",
                "format": null,
                "unit": "d",
                "aggregation": false,
                "filterable": true,
                "sortable": true
              }
            ],
            "data": [
              {
                "ORDER_ID": 2,
                "LAST_STEP": "Order",
                "DELIVERED": false,
                "AGE": -0.041666666666666664
              },
              {
                "ORDER_ID": 3,
                "LAST_STEP": "Order",
                "DELIVERED": false,
                "AGE": 12.0
              }
            ]
          }
        }
    "#]],
    );
    let posted = r#"{"projection":{"fields":"ORDER_ID,LAST_STEP,DELIVERED,AGE","filters":{"kmFilterNames":["OPEN"]},"sort":"AGE"}}"#;
    assert_eq!(house.call(&format!("POST {record}/data"), posted).await.body, got.body);
    let filter = "GET {}/data?fields=ORDER_ID&filterExpr=DELIVERED%20eq%20true&filterExpr=SINCE%20ge%202026-01-01T01:00:00+01:00";
    check(
        &house.call(&filter.replace("{}", &record), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "sort": [],
          "content": {
            "headers": [
              {
                "id": "ORDER_ID",
                "name": "Order",
                "type": "integer",
                "format": null,
                "unit": null,
                "aggregation": false,
                "filterable": true,
                "sortable": true
              }
            ],
            "data": [
              {
                "ORDER_ID": 1
              }
            ]
          }
        }
    "#]],
    );
    check(
        &house
            .call(&format!("GET {LATE}/data?fields=PURCHASE.LAST_STEP&kpis=ORDERS,LATE_ORDERS&sort=-ORDERS"), "")
            .await,
        expect![[r#"
            200 application/json
            {
              "page": 0,
              "pageSize": 50,
              "total": 2,
              "sort": [
                "-ORDERS"
              ],
              "content": {
                "headers": [
                  {
                    "id": "PURCHASE.LAST_STEP",
                    "name": "Last step",
                    "type": "string",
                    "format": null,
                    "unit": null,
                    "aggregation": false,
                    "filterable": true,
                    "sortable": true
                  },
                  {
                    "id": "ORDERS",
                    "name": "Orders",
                    "type": "integer",
                    "format": null,
                    "unit": null,
                    "aggregation": true,
                    "filterable": false,
                    "sortable": true
                  },
                  {
                    "id": "LATE_ORDERS",
                    "name": "Late orders",
                    "type": "integer",
                    "format": null,
                    "unit": null,
                    "aggregation": true,
                    "filterable": false,
                    "sortable": true
                  }
                ],
                "data": [
                  {
                    "PURCHASE.LAST_STEP": "Order",
                    "ORDERS": 2,
                    "LATE_ORDERS": 1
                  },
                  {
                    "PURCHASE.LAST_STEP": "Deliver",
                    "ORDERS": 1,
                    "LATE_ORDERS": 0
                  }
                ]
              }
            }
        "#]],
    );
    let posted = r#"{"fields":["PURCHASE.LAST_STEP"],"kpis":["ORDERS"],"sort":"-ORDERS","pagination":{"pageNumber":1,"pageSize":1},
        "search":{"term":"deliver","field":"PURCHASE.LAST_STEP"},"options":["distinct"]}"#;
    check(
        &house.call(&format!("POST {LATE}/data"), posted).await,
        expect![[r#"
        200 application/json
        {
          "page": 1,
          "pageSize": 1,
          "total": 1,
          "sort": [
            "-ORDERS"
          ],
          "content": {
            "headers": [
              {
                "id": "PURCHASE.LAST_STEP",
                "name": "Last step",
                "type": "string",
                "format": null,
                "unit": null,
                "aggregation": false,
                "filterable": true,
                "sortable": true
              },
              {
                "id": "ORDERS",
                "name": "Orders",
                "type": "integer",
                "format": null,
                "unit": null,
                "aggregation": true,
                "filterable": false,
                "sortable": true
              }
            ],
            "data": []
          }
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/query?kpis=ORDERS"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "sort": [],
          "content": [
            {
              "ORDERS": 3
            }
          ]
        }
    "#]],
    );
    let query = format!(
        "GET {record}/query?fields=ORDER_ID&page=1&pageSize=1&searchTerm=ordr&searchField=LAST_STEP&searchPrecision=75"
    );
    check(
        &house.call(&query, "").await,
        expect![[r#"
            200 application/json
            {
              "page": 1,
              "pageSize": 1,
              "total": 2,
              "sort": [],
              "content": [
                {
                  "ORDER_ID": 3
                }
              ]
            }
        "#]],
    );
}

#[tokio::test]
async fn questions_that_cannot_be_answered_have_the_codes_of_the_original() {
    let house = with_late_orders().await;
    let mut told = String::new();
    for query in [
        "GET /data",
        "GET /data?fields=",
        "GET /data?fields=ORDER_ID&sort=AGE",
        "GET /data?fields=AGE&sort=AGE,-AGE",
        "GET /data?fields=AGE&sort=",
        "GET /data?fields=AGES",
        "GET /data?fields=AGE&kpis=ORDERS",
        "GET /data?fields=AGE&filters=OPENED",
        "GET /data?fields=AGE&filterExpr=AGE%20gt%20old",
        "GET /data?fields=AGE&page=first",
        "GET /data?fields=AGE&pageSize=0",
        "GET /data?fields=AGE&options=all",
        "GET /data?fields=AGE&options=distinct,distinct",
        "GET /data?fields=AGE&searchTerm=x",
        "GET /data?fields=AGE&searchTerm=x&searchField=LAST_STEP&searchPrecision=101",
        "POST /data",
        "GET /spec",
    ] {
        let (method, path) = query.split_once(' ').expect("a method");
        let answer = house.call(&format!("{method} {LATE}/records/PURCHASE{path}"), "[]").await;
        let body = answer.json();
        let _ = writeln!(told, "{query}\n  {} {} {}", answer.status.as_u16(), body["errorCode"], body["detail"]);
    }
    for path in ["records/INVOICE/data?fields=A", "records/INVOICE/summary", "data?fields=AGE", "spec"] {
        let answer = house.call(&format!("GET {LATE}/{path}"), "").await;
        let body = answer.json();
        let _ = writeln!(told, "{path}\n  {} {} {}", answer.status.as_u16(), body["errorCode"], body["detail"]);
    }
    let odata = house.call("GET /intelligence/api/odata/purchasing.late-orders.svc/$metadata", "").await;
    assert_eq!(odata.status, 501);
    expect![[r#"
        GET /data
          400 "GENERAL_PARAMETER_MISSING" "nothing is asked for: name at least one field or KPI"
        GET /data?fields=
          400 "GENERAL_PARAMETER_MISSING" "nothing is asked for: name at least one field or KPI"
        GET /data?fields=ORDER_ID&sort=AGE
          400 "SORT_UNKNOWN_FIELD" "cannot sort by \"AGE\", which is not among the fields and KPIs that are asked for"
        GET /data?fields=AGE&sort=AGE,-AGE
          400 "SORT_HAS_OPPOSITE" "the sort names \"AGE\" in both directions; leave one out"
        GET /data?fields=AGE&sort=
          400 "SORT_IS_EMPTY" "an entry of the sort names no field"
        GET /data?fields=AGES
          400 "GENERAL_PARAMETER_ILLEGAL" "there is no field \"AGES\"; did you mean \"AGE\"?"
        GET /data?fields=AGE&kpis=ORDERS
          400 "GENERAL_CONSTRAINT_VIOLATION" "a KPI has no place in the data of one record; ask at the model, where fields are written RECORD.FIELD"
        GET /data?fields=AGE&filters=OPENED
          400 "GENERAL_PARAMETER_ILLEGAL" "there is no filter \"OPENED\"; did you mean \"OPEN\"?"
        GET /data?fields=AGE&filterExpr=AGE%20gt%20old
          400 "GENERAL_PARAMETER_ILLEGAL" "filterExpr \"AGE gt old\", column 8: \"old\" is not a number, which the field holds"
        GET /data?fields=AGE&page=first
          400 "GENERAL_PARAMETER_MISSMATCH" "\"page\" must be a whole number from 0, not \"first\""
        GET /data?fields=AGE&pageSize=0
          400 "GENERAL_CONSTRAINT_VIOLATION" "\"pageSize\" must be at least 1"
        GET /data?fields=AGE&options=all
          400 "GENERAL_PARAMETER_ILLEGAL" "\"all\" is no option; there is \"distinct\""
        GET /data?fields=AGE&options=distinct,distinct
          400 "GENERAL_CONSTRAINT_VIOLATION" "at most one option is possible"
        GET /data?fields=AGE&searchTerm=x
          400 "GENERAL_PARAMETER_MISSING" "a search needs \"searchTerm\" and \"searchField\""
        GET /data?fields=AGE&searchTerm=x&searchField=LAST_STEP&searchPrecision=101
          400 "GENERAL_PARAMETER_ILLEGAL" "the precision of a search is a number from 1 to 100"
        POST /data
          400 "GENERAL_CONSTRAINT_VIOLATION" "the body is not an object"
        GET /spec
          501 "GENERAL_NOT_IMPLEMENTED" "this operation of the beta is not offered; the data can be had at …/data and …/query"
        records/INVOICE/data?fields=A
          404 "KM_RECORD_NOTFOUND" "knowledge model \"purchasing.late-orders\" has no record \"INVOICE\""
        records/INVOICE/summary
          404 "KM_RECORD_NOTFOUND" "knowledge model \"purchasing.late-orders\" has no record \"INVOICE\""
        data?fields=AGE
          400 "GENERAL_PARAMETER_ILLEGAL" "there is no field \"AGE\"; a field is written RECORD.FIELD here"
        spec
          501 "GENERAL_NOT_IMPLEMENTED" "this operation of the beta is not offered; the data can be had at …/data and …/query"
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn every_answer_tells_how_much_is_left() {
    let house = with_late_orders().await;
    let limits = crate::RequestLimits { per_second: 2, per_day: 100 };
    let metered = crate::main_router(crate::App { intelligence_limits: limits, ..house.app.clone() });
    let mut told = String::new();
    for path in ["filters", "data", "filters"] {
        let asked = tests::request(&format!("GET {LATE}/{path}"), Some(&tests::app_key(tests::ADMINISTRATOR)), "");
        let answer = tests::send(&metered, asked).await;
        let [limit, remaining, reset, later] =
            ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"]
                .map(|name| answer.header(name));
        let _ =
            writeln!(told, "{} limit {limit} remaining {remaining} reset {reset:?} {later:?}", answer.status.as_u16());
        if answer.status == 429 {
            check(
                &answer,
                expect![[r#"
                429 application/problem+json
                {
                  "title": "Too Many Requests",
                  "status": 429,
                  "detail": "at most 2 requests are possible; there is room in 1 s",
                  "errorCode": "LIMIT_RATE_EXCEEDED",
                  "instance": "<1>"
                }
            "#]],
            );
        }
    }
    expect![[r#"
        200 limit 2 remaining 1 reset "" ""
        400 limit 2 remaining 0 reset "" ""
        429 limit 2 remaining 0 reset "1" "1"
    "#]]
    .assert_eq(&told);
}
