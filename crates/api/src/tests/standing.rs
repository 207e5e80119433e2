//! How models and triggers stand, over our own interface: what is held and
//! shadowed, what publishing would do, who is told of names that nothing bears.

use expect_test::expect;

use super::models::MODEL;
use super::{House, check};

const LATE: &str = "/api/v1/models/purchasing.late";

impl House {
    /// Publishes the model with more keys of its trigger.
    async fn publish_with(&self, keys: &str) {
        self.published().await;
        let text = MODEL.replace("outputs: [STEPS]", &format!("outputs: [STEPS], {keys}"));
        assert_eq!(self.call(&format!("PUT {LATE}"), text).await.status, 200);
        let published = self.call(&format!("POST {LATE}/publish"), "").await;
        assert_eq!(published.status, 200, "{}", published.body);
    }

    async fn second_steps(&self) {
        self.push_events("CASE,STEP,AT\n1,Pay,2026-01-02T00:00:00Z\n2,Pay,2026-01-02T01:00:00Z\n").await;
        self.app.mining.catch_up().await.expect("it follows");
    }
}

#[tokio::test]
async fn a_model_tells_how_it_stands() {
    let house = House::open().await;
    house.publish_with("itemLimit: 1").await;
    house.second_steps().await;
    check(
        &house.call(&format!("GET {LATE}/state"), "").await,
        expect![[r#"
            200 application/json
            {
              "model": "purchasing.late",
              "version": 2,
              "state": "followed",
              "reason": null,
              "againAt": null,
              "now": "2026-01-01T00:00:00.000Z",
              "evaluatedAt": "2026-01-01T00:00:00.000Z",
              "commit": 2,
              "head": 2,
              "nextDeadline": null,
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
                  "itemLimit": 1,
                  "matched": 1,
                  "fired": 1,
                  "held": 0,
                  "shadowed": 0,
                  "shadow": false,
                  "evaluatedAt": "2026-01-01T00:00:00.000Z",
                  "commit": 2,
                  "nextDeadline": null,
                  "restsUntil": null,
                  "waiting": 1,
                  "sendsAt": null
                }
              ],
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
    let one = house.call(&format!("GET {LATE}/triggers/LONG"), "").await.json();
    assert_eq!((&one["waiting"], &one["matched"], &one["class"]), (&1.into(), &1.into(), &"L".into()));
    assert_eq!(house.call(&format!("GET {LATE}/triggers/LOG"), "").await.status, 404);
}

#[tokio::test]
async fn what_a_cap_holds_is_sent_or_dropped_by_hand() {
    let house = House::open().await;
    house.publish_with("caps: { perCommit: 1, perMinute: 1 }").await;
    house.second_steps().await;
    check(
        &house.call(&format!("GET {LATE}/triggers/LONG/held"), "").await,
        expect![[r#"
            200 application/json
            {
              "total": 1,
              "reason": "a cap of the trigger: \"perCommit\" or \"perMinute\" below \"caps\"",
              "sendsAt": "2026-01-01T00:01:00.000Z",
              "signals": [
                {
                  "place": 0,
                  "key": "LONG/2/1",
                  "identifier": "2",
                  "at": "2026-01-01T00:00:00.000Z",
                  "reason": "data",
                  "fields": {
                    "ORDER_ID": 2,
                    "STEPS": 2,
                    "evaluatedAt": "2026-01-01T00:00:00.000Z",
                    "reason": "data"
                  },
                  "causes": []
                }
              ]
            }
        "#]],
    );
    let settled = house.call(&format!("POST {LATE}/triggers/LONG/held/release"), r#"{"count": 7}"#).await;
    assert_eq!(settled.json(), serde_json::json!({ "settled": 1, "held": 0 }), "{}", settled.body);
    let triggers = house.call(&format!("GET {LATE}/triggers"), "").await.json();
    assert_eq!((&triggers[0]["fired"], &triggers[0]["held"]), (&2.into(), &0.into()));

    house.push_events("CASE,STEP,AT\n3,Order,2026-01-03T00:00:00Z\n3,Pay,2026-01-03T01:00:00Z\n").await;
    house.app.mining.catch_up().await.expect("it follows");
    let dropped = house.call(&format!("POST {LATE}/triggers/LONG/held/drop"), "").await;
    assert_eq!(dropped.json(), serde_json::json!({ "settled": 1, "held": 0 }), "{}", dropped.body);
    let triggers = house.call(&format!("GET {LATE}/triggers"), "").await.json();
    assert_eq!((&triggers[0]["fired"], &triggers[0]["matched"]), (&2.into(), &3.into()));
    let audit = house.call("GET /api/v1/audit?limit=1", "").await.json();
    assert_eq!((&audit[0]["verb"], &audit[0]["after"]["first"]), (&"drop-held".into(), &"LONG/3/1".into()));

    let refused = house.call_as_stranger(&format!("POST {LATE}/triggers/LONG/held/drop")).await;
    assert_eq!(refused.status, 403);
    check(
        &house.call(&format!("GET {LATE}/triggers/LONG/held?limit=many"), "").await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:query-malformed",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"limit\" must be a whole number from 0 to 9223372036854775807, not \"many\"",
              "instance": "<1>",
              "code": "query-malformed",
              "attribute": "limit"
            }
        "#]],
    );
}

#[tokio::test]
async fn a_trigger_in_the_shadow_shows_what_it_would_have_sent() {
    let house = House::open().await;
    house.publish_with("shadow: true").await;
    house.second_steps().await;
    let shadows = house.call(&format!("GET {LATE}/triggers/LONG/shadows"), "").await.json();
    let keys: Vec<&str> = shadows.as_array().expect("a list").iter().filter_map(|one| one["key"].as_str()).collect();
    assert_eq!(keys, ["LONG/1/1", "LONG/2/1"]);
    assert_eq!(shadows[0]["fields"]["STEPS"], 2);
}

#[tokio::test]
async fn a_case_lists_the_signals_that_were_sent_for_it() {
    let house = House::open().await;
    house.published().await;
    house.second_steps().await;
    let case = house.call(&format!("GET {LATE}/cases/1"), "").await.json();
    let event = house.call("GET /api/v1/triggers/purchasing.late/LONG/events", "").await.json()["events"][0].clone();
    assert_eq!(case["signals"][0]["event"], event["id"]);
    expect![[r#""LONG/1/1" "data" 1 []"#]].assert_eq(&format!(
        "{} {} {} {}",
        case["signals"][0]["key"],
        case["signals"][0]["reason"],
        case["signals"][0]["offset"],
        case["signals"][0]["causes"]
    ));
}

#[tokio::test]
async fn names_that_no_event_bears_are_told() {
    let house = House::open().await;
    house.published().await;
    let question = r#"{"pql": "FILTER \"EVENTS\".\"STEP\" IN ('Order', 'Ordr'); COUNT_TABLE(\"EVENTS\")"}"#;
    let answer = house.call(&format!("POST {LATE}/query"), question).await.json();
    assert_eq!(answer["notes"], serde_json::json!(["no event bears the name 'Ordr'; did you mean \"Order\"?"]));

    let text = MODEL.replace("PURCHASE.STEPS > 1", "MATCH_ACTIVITIES(NODE[''Oder'']) = 1");
    assert_eq!(house.call(&format!("PUT {LATE}"), text).await.status, 200);
    let checked = house.call(&format!("POST {LATE}/check"), "").await.json();
    expect![[r#"
        [
          {
            "path": "filters.MANY_STEPS",
            "line": 13,
            "detail": "no event bears the name 'Oder'; did you mean \"Order\"?"
          }
        ]"#]]
    .assert_eq(&format!("{:#}", checked["notices"]));
    let previews = house.call(&format!("GET {LATE}/preview"), "").await.json();
    assert_eq!((&previews[0]["matching"], &previews[0]["fires"]), (&0.into(), &false.into()));
    let published = house.call(&format!("POST {LATE}/publish"), "").await.json();
    assert_eq!(published["notices"], checked["notices"]);
    assert_eq!(published["previews"], previews);
    assert_eq!(house.call(&format!("GET {LATE}/notices"), "").await.json(), checked["notices"]);
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_is_named_with_what_would() {
    let house = House::open().await;
    house.published().await;
    let mut told = String::new();
    for query in ["variants?order=best", "cases?within=some", "map?edges=2", "map?bins=3", "throughput?bins=-1"] {
        let answer = house.call(&format!("GET {LATE}/{query}"), "").await;
        assert_eq!(answer.status, 400, "{query}");
        told += &format!(
            "{query}: {} ({})\n",
            answer.json()["detail"].as_str().unwrap_or_default(),
            answer.json()["attribute"]
        );
    }
    expect![[r#"
        variants?order=best: "order" does not fit: unknown variant `best`, expected one of `cases`, `median`, `length`, `lastSeen`, `firstSeen` ("order")
        cases?within=some: "within" does not fit: unknown variant `some`, expected one of `touching`, `started`, `ended`, `whole` ("within")
        map?edges=2: "edges" must be a number from 0 to 1, not "2" ("edges")
        map?bins=3: "bins" does not fit: unknown field `bins`, expected one of `filter`, `filterIds`, `from`, `to`, `within`, `activities`, `edges` ("bins")
        throughput?bins=-1: "bins" must be a whole number from 0 to 9223372036854775807, not "-1" ("bins")
    "#]].assert_eq(&told);
}
