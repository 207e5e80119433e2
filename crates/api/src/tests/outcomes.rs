//! What became of the cases, all the way round: before a flow listened, with a
//! flow that answers, and while it was off.

use std::time::Duration;

use expect_test::expect;

use super::feedback::{MODEL, connect, flow, push_row, until, wired, work};
use super::*;

const ASKED: &str = "/api/v1/models/purchasing.asks/triggers/ASKED/outcomes";
const FLOW: &str = "/api/v1/flows/answer";

impl House {
    /// Sets the process clock, an hour of the second of January.
    async fn hour(&self, hour: u8) {
        self.clock.advance(Duration::from_secs(1));
        let body = format!(r#"{{"now": "2026-01-02T{hour:02}:00:00Z", "speed": 0}}"#);
        let set = self.call("POST /api/v1/models/purchasing.asks/clock", body).await;
        assert_eq!(set.status, 200, "{}", set.body);
    }

    /// Pushes a step of a case, and waits until so many episodes of the trigger
    /// have begun and so many have ended.
    async fn step(&self, case: u8, step: &str, begun: u64, left: u64) {
        push_row(self, &format!("{case},{step},2026-01-02T00:00:00Z"), None).await;
        until("what the step changes", async || {
            let ever = self.call(&format!("GET {ASKED}"), "").await.json()["ever"].clone();
            (&ever["entered"], &ever["left"]) == (&json!(begun), &json!(left))
        })
        .await;
    }

    async fn flow_is(&self, verb: &str) {
        self.clock.advance(Duration::from_secs(1));
        let answer = self.call(&format!("POST {FLOW}/{verb}"), "").await;
        assert!(answer.status.is_success(), "{}", answer.body);
        self.clock.advance(Duration::from_secs(1));
    }
}

/// Three cases ask. The first is answered by somebody before there is a flow,
/// the second by the flow, the third by nobody: the flow is off.
async fn three_cases(stop: &CancellationToken) -> House {
    let house = wired().await;
    house.published().await;
    let model = MODEL.replace(", fireOn: BOTH", "");
    assert_eq!(house.call("PUT /api/v1/models/purchasing.asks", model).await.status, 200);
    assert_eq!(house.call("POST /api/v1/models/purchasing.asks/publish", "").await.status, 200);
    connect(&house).await;
    let text = flow("EVENTS").replace(r#"{{if(1.LAST = \"Ask\"; \"Answer\"; \"Ask\")}}"#, "Answer");
    assert_eq!(house.call(&format!("PUT {FLOW}"), text).await.status, 200);
    work(&house, stop);
    house.hour(1).await;
    house.step(1, "Ask", 1, 0).await;
    house.hour(5).await;
    house.step(1, "Answer", 1, 1).await;
    house.flow_is("publish").await;
    house.flow_is("activate").await;
    house.hour(6).await;
    house.step(2, "Ask", 2, 2).await;
    house.flow_is("deactivate").await;
    house.hour(7).await;
    house.step(3, "Ask", 3, 2).await;
    house.hour(30 - 8).await;
    until("the end of the run", async || {
        house.call(&format!("GET {ASKED}"), "").await.json()["actedOn"]["succeeded"] == 1
    })
    .await;
    house
}

#[tokio::test]
async fn what_became_of_the_cases_of_a_trigger() {
    let stop = CancellationToken::new();
    let house = three_cases(&stop).await;
    check(
        &house.call(&format!("GET {ASKED}?bucket=hour"), "").await,
        expect![[r#"
        200 application/json
        {
          "model": "purchasing.asks",
          "trigger": "ASKED",
          "now": "2026-01-02T22:00:00.000Z",
          "completeFrom": null,
          "flows": [
            {
              "flow": "answer",
              "since": "2026-01-01T00:00:05.000Z"
            }
          ],
          "ever": {
            "entered": 3,
            "found": 0,
            "left": 2,
            "leftBy": {
              "chain": 1,
              "rows": 1,
              "time": 0,
              "catchUp": 0
            },
            "madeRoom": 0,
            "redefined": 0,
            "setBack": 0,
            "stillThere": 1
          },
          "episodes": {
            "entered": 3,
            "found": 0,
            "left": 2,
            "leftBy": {
              "chain": 1,
              "rows": 1,
              "time": 0,
              "catchUp": 0
            },
            "madeRoom": 0,
            "redefined": 0,
            "setBack": 0,
            "stillThere": 1
          },
          "actedOn": {
            "episodes": 1,
            "succeeded": 1,
            "underWay": 0,
            "warning": 0,
            "failed": 0,
            "cancelled": 0,
            "tooLate": 0,
            "medianUntilRun": 0,
            "completeFrom": null
          },
          "compared": {
            "actedOn": {
              "episodes": 1,
              "left": 1,
              "leftByChain": 1,
              "stillThere": 0,
              "timed": 1,
              "median": 0,
              "p90": 0
            },
            "notActedOn": {
              "episodes": 1,
              "left": 0,
              "leftByChain": 0,
              "stillThere": 1,
              "timed": 1,
              "median": null,
              "p90": null
            },
            "before": {
              "episodes": 1,
              "left": 1,
              "leftByChain": 0,
              "stillThere": 0,
              "timed": 1,
              "median": 14400000,
              "p90": 14400000
            }
          },
          "buckets": [
            {
              "from": "2026-01-02T01:00:00.000Z",
              "entered": 1,
              "found": 0,
              "actedOn": 0,
              "left": 1,
              "leftByChain": 0,
              "stillThere": 0
            },
            {
              "from": "2026-01-02T06:00:00.000Z",
              "entered": 1,
              "found": 0,
              "actedOn": 1,
              "left": 1,
              "leftByChain": 1,
              "stillThere": 0
            },
            {
              "from": "2026-01-02T07:00:00.000Z",
              "entered": 1,
              "found": 0,
              "actedOn": 0,
              "left": 0,
              "leftByChain": 0,
              "stillThere": 1
            }
          ]
        }
    "#]],
    );
    let window = house.call(&format!("GET {ASKED}?from=2026-01-02T05:00:00Z&to=2026-01-02T07:00:00Z"), "").await;
    let window = window.json();
    assert_eq!((&window["episodes"]["entered"], &window["ever"]["entered"]), (&json!(1), &json!(3)));
    check(
        &house.call(&format!("GET {ASKED}?bucket=year"), "").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:constraint-broken",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"bucket\" must be \"hour\", \"day\" or \"week\"",
          "instance": "<1>",
          "code": "constraint-broken",
          "attribute": "bucket"
        }
    "#]],
    );
    check(
        &house.call(&format!("GET {}", ASKED.replace("ASKED", "ASK")), "").await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:trigger-unknown",
          "title": "Not Found",
          "status": 404,
          "detail": "knowledge model \"purchasing.asks\" has no trigger \"ASK\"",
          "instance": "<1>",
          "code": "trigger-unknown"
        }
    "#]],
    );
    let episodes = format!("GET {}", ASKED.replace("outcomes", "episodes"));
    check(
        &house.call(&episodes, "").await,
        expect![[r#"
        200 application/json
        [
          {
            "identifier": "3",
            "episode": 1,
            "enteredAt": "2026-01-02T07:00:00.000Z",
            "found": false,
            "leftAt": null,
            "ending": null,
            "lasted": 54000000,
            "runs": [],
            "tooLate": 0
          },
          {
            "identifier": "2",
            "episode": 1,
            "enteredAt": "2026-01-02T06:00:00.000Z",
            "found": false,
            "leftAt": "2026-01-02T06:00:00.000Z",
            "ending": "chain",
            "lasted": 0,
            "runs": [
              {
                "run": "<1>",
                "flow": "answer",
                "startedAt": "2026-01-01T00:00:07.000Z",
                "outcome": "success"
              }
            ],
            "tooLate": 0
          },
          {
            "identifier": "1",
            "episode": 1,
            "enteredAt": "2026-01-02T01:00:00.000Z",
            "found": false,
            "leftAt": "2026-01-02T05:00:00.000Z",
            "ending": "rows",
            "lasted": 14400000,
            "runs": [],
            "tooLate": 0
          }
        ]
    "#]],
    );
    for (asked, expected) in
        [("?limit=1", vec!["3"]), ("?identifier=2", vec!["2"]), ("?to=2026-01-02T06:00:00Z", vec!["1"])]
    {
        let listed = house.call(&format!("{episodes}{asked}"), "").await.json();
        let listed: Vec<&str> =
            listed.as_array().expect("a list").iter().filter_map(|one| one["identifier"].as_str()).collect();
        assert_eq!(listed, expected, "{asked}");
    }
    for path in [ASKED, &episodes[4..]] {
        assert_eq!(house.call_as_stranger(&format!("GET {path}")).await.status, 403);
    }
    stop.cancel();
}

#[tokio::test]
async fn what_became_of_the_cases_of_a_flow() {
    let stop = CancellationToken::new();
    let house = three_cases(&stop).await;
    let of_flow = house.call(&format!("GET {FLOW}/outcomes"), "").await.json();
    let mut of_trigger = house.call(&format!("GET {ASKED}"), "").await.json();
    assert_eq!(of_flow, json!({"flow": "answer", "triggers": [of_trigger.take()]}), "no other flow listens");
    // What is known of a run's end stays when the run is forgotten.
    house.clock.advance(Duration::from_hours(24 * 90));
    let before = house.app.clock.now().minus(Duration::from_hours(24 * 60));
    assert_eq!(house.app.flows.forget_runs_before(before).await.expect("an hour later"), 1);
    let later = house.call(&format!("GET {FLOW}/outcomes"), "").await.json();
    assert_eq!(later, of_flow);
    assert_eq!(house.call("GET /api/v1/flows/none/outcomes", "").await.status, 404);
    stop.cancel();
}
