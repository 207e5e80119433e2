//! Exploration, backtest and why over our own interface; runs as event logs.

use axum::body::Body;
use expect_test::expect;
use tokio_util::sync::CancellationToken;

use super::{House, check};

const LATE: &str = "/api/v1/models/purchasing.late";

impl House {
    async fn explored(&self) {
        self.published().await;
        self.push_more().await;
    }

    async fn push_more(&self) {
        self.push_events(
            "CASE,STEP,AT\n1,Pay,2026-01-02T00:00:00Z\n2,Check,2026-01-01T02:00:00Z\n2,Pay,2026-01-01T05:00:00Z\n",
        )
        .await;
    }
}

#[tokio::test]
async fn the_process_is_drawn_and_told() {
    let house = House::open().await;
    house.explored().await;
    check(
        &house.call(&format!("GET {LATE}/map?activities=0.8&edges=1"), "").await,
        expect![[r#"
        200 application/json
        {
          "cases": 2,
          "events": 5,
          "eventsHidden": 1,
          "casesHidden": 0,
          "activitiesTotal": 3,
          "edgesTotal": 3,
          "activities": [
            {
              "name": "Order",
              "events": 2,
              "cases": 2,
              "starts": 2,
              "ends": 0,
              "sojourn": {
                "count": 2,
                "min": 14400000,
                "median": 86400000,
                "p95": 86400000,
                "mean": 50400000.0,
                "max": 86400000
              },
              "service": null
            },
            {
              "name": "Pay",
              "events": 2,
              "cases": 2,
              "starts": 0,
              "ends": 2,
              "sojourn": null,
              "service": null
            }
          ],
          "edges": [
            {
              "from": null,
              "to": "Order",
              "events": 2,
              "cases": 2,
              "durations": null
            },
            {
              "from": "Order",
              "to": "Pay",
              "events": 2,
              "cases": 2,
              "durations": {
                "count": 2,
                "min": 14400000,
                "median": 86400000,
                "p95": 86400000,
                "mean": 50400000.0,
                "max": 86400000
              }
            },
            {
              "from": "Pay",
              "to": null,
              "events": 2,
              "cases": 2,
              "durations": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/variants?limit=1&order=median"), "").await,
        expect![[r#"
        200 application/json
        {
          "cases": 2,
          "total": 2,
          "variants": [
            {
              "id": "a68b203739266df6",
              "activities": [
                "Order",
                "Pay"
              ],
              "cases": 1,
              "share": 0.5,
              "durations": {
                "count": 1,
                "min": 86400000,
                "median": 86400000,
                "p95": 86400000,
                "mean": 86400000.0,
                "max": 86400000
              },
              "firstSeen": "2026-01-01T00:00:00.000Z",
              "lastSeen": "2026-01-01T00:00:00.000Z",
              "example": "1"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/cases?order=id&limit=1"), "").await,
        expect![[r#"
        200 application/json
        {
          "total": 2,
          "cases": [
            {
              "id": "1",
              "start": "2026-01-01T00:00:00.000Z",
              "end": "2026-01-02T00:00:00.000Z",
              "duration": 86400000,
              "events": 2,
              "lastActivity": "Pay",
              "variant": "a68b203739266df6"
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/cases/2"), "").await,
        expect![[r#"
            200 application/json
            {
              "id": "2",
              "start": "2026-01-01T01:00:00.000Z",
              "end": "2026-01-01T05:00:00.000Z",
              "duration": 14400000,
              "variant": "cfe2ff114b6148f5",
              "variantCases": 1,
              "cases": 2,
              "values": {
                "CASE": 2
              },
              "events": [
                {
                  "activity": "Order",
                  "at": "2026-01-01T01:00:00.000Z",
                  "wait": null,
                  "values": {
                    "CASE": 2,
                    "STEP": "Order",
                    "AT": "2026-01-01T01:00:00.000Z",
                    "_CELONIS_CHANGE_DATE": "2026-01-01T00:00:00.000Z"
                  }
                },
                {
                  "activity": "Check",
                  "at": "2026-01-01T02:00:00.000Z",
                  "wait": 3600000,
                  "values": {
                    "CASE": 2,
                    "STEP": "Check",
                    "AT": "2026-01-01T02:00:00.000Z",
                    "_CELONIS_CHANGE_DATE": "2026-01-01T00:00:00.000Z"
                  }
                },
                {
                  "activity": "Pay",
                  "at": "2026-01-01T05:00:00.000Z",
                  "wait": 10800000,
                  "values": {
                    "CASE": 2,
                    "STEP": "Pay",
                    "AT": "2026-01-01T05:00:00.000Z",
                    "_CELONIS_CHANGE_DATE": "2026-01-01T00:00:00.000Z"
                  }
                }
              ],
              "instances": [
                {
                  "trigger": "LONG",
                  "identifier": "2",
                  "matches": true,
                  "episode": 1,
                  "since": "2026-01-01T00:00:00.000Z"
                }
              ],
              "signals": [
                {
                  "at": "2026-01-01T00:00:00.000Z",
                  "trigger": "LONG",
                  "identifier": "2",
                  "key": "LONG/2/1",
                  "event": "<1>",
                  "offset": 2,
                  "reason": "data",
                  "change": null,
                  "causes": []
                }
              ],
              "actions": []
            }
        "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/throughput?bins=2&filterIds=MANY_STEPS"), "").await,
        expect![[r#"
        200 application/json
        {
          "width": 86400000,
          "bins": [
            {
              "from": 0,
              "to": 86400000,
              "cases": 1
            },
            {
              "from": 86400000,
              "to": 172800000,
              "cases": 1
            }
          ],
          "durations": {
            "count": 2,
            "min": 14400000,
            "median": 86400000,
            "p95": 86400000,
            "mean": 50400000.0,
            "max": 86400000
          },
          "medianLinear": 50400000.0,
          "p95Linear": 82800000.0
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {LATE}/activities?to=2025-01-01T00:00:00Z"), "").await,
        expect![[r#"
        200 application/json
        {
          "cases": 0,
          "reworkCases": 0,
          "events": 0,
          "reworkEvents": 0,
          "activities": []
        }
    "#]],
    );
    let allowed = r#"{"variants": [["Order", "Check", "Pay"]]}"#;
    check(
        &house.call(&format!("POST {LATE}/conformance"), allowed).await,
        expect![[r#"
        200 application/json
        {
          "cases": 2,
          "casesFitting": 1,
          "share": 0.5,
          "variants": 2,
          "variantsFitting": 1,
          "fitness": 0.9,
          "deviations": [
            {
              "kind": "missing",
              "activity": "Check",
              "after": "Order",
              "cases": 1,
              "occurrences": 1,
              "examples": [
                "1"
              ]
            }
          ],
          "unfitting": [
            {
              "id": "a68b203739266df6",
              "cases": 1,
              "changes": 1
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn a_trigger_is_explained_and_replayed() {
    let house = House::open().await;
    house.explored().await;
    check(
        &house.call(&format!("GET {LATE}/triggers/LONG/why/2"), "").await,
        expect![[r#"
            200 application/json
            {
              "model": "purchasing.late",
              "trigger": "LONG",
              "name": "Long order",
              "record": "PURCHASE",
              "identifier": "2",
              "now": "2026-01-01T00:00:00.000Z",
              "satisfies": true,
              "case": {
                "id": "2",
                "events": 3
              },
              "filters": [
                {
                  "id": "MANY_STEPS",
                  "pql": "PURCHASE.STEPS > 1",
                  "truth": true,
                  "comparisons": [
                    {
                      "pql": "\"PURCHASE\".\"STEPS\" > 1",
                      "left": "\"PURCHASE\".\"STEPS\"",
                      "right": "1",
                      "rowCount": 1,
                      "rows": [
                        {
                          "left": 3,
                          "right": 1,
                          "truth": true
                        }
                      ]
                    }
                  ]
                }
              ],
              "detector": null,
              "standing": {
                "state": "in",
                "since": "2026-01-01T00:00:00.000Z",
                "episode": 1
              },
              "next": {
                "kind": "noClock"
              },
              "remarks": [
                "the case has events that lie ahead of the process clock, the last at 2026-01-01T05:00:00.000Z"
              ]
            }
        "#]],
    );
    let wish = r#"{"outcome": "\"EVENTS\".\"STEP\" = 'Check'", "limit": 1}"#;
    check(
        &house.call(&format!("POST {LATE}/triggers/LONG/backtest"), wish).await,
        expect![[r#"
        200 application/json
        {
          "model": "purchasing.late",
          "trigger": "LONG",
          "from": "2025-12-31T23:59:59.999Z",
          "to": "2026-01-02T00:00:00.000Z",
          "endSet": null,
          "cases": 2,
          "events": 5,
          "timeless": 0,
          "commits": 5,
          "deadlines": 0,
          "knownBefore": 0,
          "matching": 2,
          "fired": 2,
          "firedByData": 2,
          "firedByTime": 0,
          "perDay": [
            {
              "day": "2026-01-01",
              "fired": 1
            },
            {
              "day": "2026-01-02",
              "fired": 1
            }
          ],
          "perDayMean": 1.999999976851852,
          "score": {
            "bad": 1,
            "warned": 1,
            "warnedInTime": 0,
            "falseAlarms": 1,
            "undecided": 0,
            "badBefore": 0,
            "precision": 0.5,
            "recall": 1.0,
            "recallInTime": 0.0,
            "lead": null
          },
          "truncated": true,
          "signals": [
            {
              "identifier": "2",
              "at": "2026-01-01T02:00:00.000Z",
              "by": "data",
              "episode": 1,
              "leftAt": null,
              "fields": {
                "ORDER_ID": 2,
                "STEPS": 2
              }
            }
          ]
        }
    "#]],
    );
    check(
        &house.call("GET /api/v1/backtests", "").await,
        expect![[r#"
        200 application/json
        []
    "#]],
    );
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let house = House::open().await;
    house.explored().await;
    for (what, body, code) in [
        ("GET /map?activities=2", "", "query-malformed"),
        ("GET /map?within=near", "", "query-malformed"),
        ("GET /variants?order=age", "", "query-malformed"),
        ("GET /map?filter=1%20%3D", "", "pql-invalid"),
        ("GET /map?filterIds=NOPE", "", "filter-unknown"),
        ("GET /cases/77", "", "case-unknown"),
        ("GET /triggers/LONG/why/77", "", "instance-unknown"),
        ("GET /triggers/SHORT/why/1", "", "trigger-unknown"),
        ("POST /conformance", "{}", "allowed-path-invalid"),
        ("POST /triggers/SHORT/backtest", "", "trigger-unknown"),
        ("POST /triggers/LONG/backtest", r#"{"endSet": {"share": 0.1}}"#, "backtest-invalid"),
        ("POST /triggers/LONG/backtest", r#"{"everySeconds": 0}"#, "constraint-broken"),
    ] {
        let (method, path) = what.split_once(' ').expect("a method and a path");
        let answer = house.call(&format!("{method} {LATE}{path}"), body.to_owned()).await;
        assert_eq!(answer.json()["code"], code, "{what}: {}", answer.body);
    }
    assert_eq!(house.call("DELETE /api/v1/backtests/9", "").await.status, 404);
    for what in ["map", "cases/1", "triggers/LONG/why/1"] {
        assert_eq!(house.call_as_stranger(&format!("GET {LATE}/{what}")).await.status, 403, "{what}");
    }
}

#[tokio::test]
async fn runs_are_event_logs() {
    let house = House::open().await;
    let flow =
        "name: Note\nflow:\n  - { id: 1, module: 'util:SetVariable2', version: 1, mapper: { name: a, value: '1' } }\n";
    let put = house.call("PUT /api/v1/flows/note", flow).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let published = house.call("POST /api/v1/flows/note/publish", "").await;
    assert_eq!(published.status, 200, "{}", published.body);
    let run = house.call("POST /api/v1/flows/note/run", Body::empty()).await;
    assert_eq!(run.status, 202, "{}", run.body);
    let run = run.json()["id"].as_str().expect("a run has an id").parse().expect("an id");
    let stop = CancellationToken::new();
    let engine = tokio::spawn(house.app.flows.clone().run(stop.clone()));
    while house.app.flows.run_details(run).await.expect("a run").info.ended_at.is_none() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    engine.await.expect("an engine ends when it is told");
    check(
        &house.call("GET /api/v1/flows/events.csv", "").await,
        expect![[r#"
        200 text/csv; charset=utf-8
        EVENT,RUN,ACTIVITY,AT,ENDED_AT,STATE,FLOW,VERSION,STARTED_BY,MODULE,KIND,STATUS_CODE,PATH,DETAIL
        <1>/0,<1>,Run started,2026-01-01T00:00:00.000Z,,started,note,584694f89974c08e5bd556ba1a06a70961cb672c679d33205a2fb2faa13bc1f1,manual,,,,,
        <1>/1,<1>,1 util:SetVariable2,2026-01-01T00:00:00.000Z,2026-01-01T00:00:00.000Z,success,note,584694f89974c08e5bd556ba1a06a70961cb672c679d33205a2fb2faa13bc1f1,manual,1,util:SetVariable2,,,
        <1>/end,<1>,Run succeeded,2026-01-01T00:00:00.000Z,,success,note,584694f89974c08e5bd556ba1a06a70961cb672c679d33205a2fb2faa13bc1f1,manual,,,,,
    "#]],
    );
    check(
        &house.call("GET /api/v1/jobs/events.csv?limit=5", "").await,
        expect![[r#"
        200 text/csv; charset=utf-8
        EVENT,RUN,ACTIVITY,AT,ENDED_AT,STATE,JOB,JOB_NAME,CREATOR,TASK,ATTEMPT,DURATION_MS,DETAIL
    "#]],
    );
    let job = r#"{"name": "score, daily", "tasks": [
        { "task_key": "score", "spark_python_task": { "python_file": "/Shared/score.py" } }]}"#;
    let job = house.call_workspace("POST /api/2.1/jobs/create", job).await.json()["job_id"].clone();
    let body = format!(r#"{{"job_id": {job}}}"#);
    let asked = house.call_workspace("POST /api/2.1/jobs/run-now", body).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    let run = asked.json()["run_id"].to_string();
    let text = house.call("GET /api/v1/jobs/events.csv", "").await.body;
    let line = text.lines().nth(1).expect("the run has begun");
    assert!(line.starts_with(&format!("{run}/start,{run},Run asked for,2026-01-01T00:00:00.000Z,,started,")), "{line}");
    assert!(line.contains(",\"score, daily\","), "{line}");
    assert_eq!(house.call_as_stranger("GET /api/v1/flows/events.csv").await.status, 403);
}
