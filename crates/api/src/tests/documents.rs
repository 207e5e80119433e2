//! What an editor works with: documents over the draft that was seen, the list
//! of modules, samples, operations page by page, and the stream.

use expect_test::expect;
use http_body_util::BodyExt as _;

use super::hooks::at_work;
use super::*;

const FLOW: &str = r#"
# Counts to three.
name: Count
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicRepeater", mapper: { start: 1, repeats: 3, step: 1 } }
  - { id: 3, module: "util:ComposeTransformer", mapper: { value: "turn {{2.i}}" } }
"#;

async fn put_over(house: &House, header: (&'static str, &str), document: &Value) -> Answer {
    let mut request = request("PUT /api/v1/flows/count/document", Some(&app_key(ADMINISTRATOR)), document.to_string());
    request.headers_mut().insert(header.0, header.1.parse().expect("a header"));
    send(&house.main, request).await
}

#[tokio::test]
async fn of_two_who_store_over_the_same_draft_one_is_shown_the_others() {
    let house = House::open().await;
    assert_eq!(house.call("PUT /api/v1/flows/count", FLOW).await.status, StatusCode::OK);
    let seen = house.call("GET /api/v1/flows/count/document", "").await;
    let tag = seen.header("etag").to_owned();
    let mut document = seen.json()["document"].clone();

    document["name"] = json!("Count to three");
    let first = put_over(&house, ("if-match", &tag), &document).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    document["name"] = json!("Count to four");
    let second = put_over(&house, ("if-match", &tag), &document).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    let problem = second.json();
    assert_eq!(problem["code"], "flow-changed");
    assert_eq!(problem["theirs"]["document"]["name"], "Count to three");
    assert_eq!(problem["theirs"]["revision"], first.json()["revision"]);

    // Over what is there now it is stored; the comment at the head stays.
    let theirs = format!("\"{}\"", problem["theirs"]["revision"].as_str().expect("a revision"));
    assert_eq!(put_over(&house, ("if-match", &theirs), &document).await.status, StatusCode::OK);
    let draft = house.call("GET /api/v1/flows/count", "").await.json()["draft"].clone();
    let draft = draft.as_str().expect("a text");
    assert!(draft.contains("# Counts to three.\nname: Count to four\n"), "{draft}");
}

#[tokio::test]
async fn who_says_nothing_of_what_was_seen_stores_nothing() {
    let house = House::open().await;
    let document = json!({ "name": "New", "flow": [{ "id": 1, "module": "loopwright:Manual" }] });
    let answer = house.call("PUT /api/v1/flows/count/document", document.to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (428, &json!("revision-missing")));
    assert_eq!(put_over(&house, ("if-match", "\"abc\""), &document).await.status, StatusCode::NOT_FOUND);
    assert_eq!(put_over(&house, ("if-none-match", "*"), &document).await.status, StatusCode::OK);
    let again = put_over(&house, ("if-none-match", "*"), &document).await;
    assert_eq!(again.json()["theirs"]["document"]["name"], "New");
    // What cannot be read as a flow is refused with its place, and changes nothing.
    let seen = house.call("GET /api/v1/flows/count/document", "").await;
    let refused = put_over(&house, ("if-match", seen.header("etag")), &json!({ "flow": [{ "module": 1 }] })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
}

#[tokio::test]
async fn modules_are_listed_with_their_forms() {
    let house = House::open().await;
    let modules = house.call("GET /api/v1/modules", "").await.json();
    let http = modules.as_array().expect("a list").iter().find(|module| module["name"] == "http:ActionSendData");
    let http = http.expect("the request module");
    assert_eq!((&http["appName"], &http["label"]), (&json!("HTTP"), &json!("Make a request")));
    assert!(http["schema"]["properties"]["mapper"]["properties"]["url"].is_object());
    let outputs: Vec<&Value> =
        http["outputs"].as_array().expect("outputs").iter().map(|field| &field["name"]).collect();
    expect![[
        r#"[String("statusCode"), String("headers"), String("cookieHeaders"), String("data"), String("fileSize")]"#
    ]]
    .assert_eq(&format!("{outputs:?}"));
    let page = house.call("GET /api/v1/modules/http:ActionSendData/page", "").await;
    assert!(page.body.starts_with("# Make a request"), "{}", page.body);
    assert_eq!(house.call("GET /api/v1/modules/none:Such/page", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_run_did_is_told_page_by_page_and_as_samples() {
    let house = House::open().await;
    assert_eq!(house.call("PUT /api/v1/flows/count", FLOW).await.status, StatusCode::OK);
    let started = house.call("POST /api/v1/flows/count/run?of=draft", "{}").await;
    let run = started.json()["runId"].as_str().or(started.json()["id"].as_str()).map(str::to_owned);
    let run = run.unwrap_or_else(|| panic!("a run: {}", started.body));
    at_work(&house, async {
        while house.call(&format!("GET /api/v1/runs/{run}"), "").await.json()["state"] != "ended" {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let page = async |query: &str| house.call(&format!("GET /api/v1/runs/{run}/operations?{query}"), "").await;
    let first = page("limit=2&light=true").await.json();
    assert_eq!((&first["total"], &first["next"]), (&json!(5), &json!(2)));
    assert!(first["operations"][0].get("output").is_none(), "{first}");
    let of_three = page("module=3").await.json();
    let values: Vec<&Value> =
        of_three["operations"].as_array().expect("a list").iter().map(|one| &one["output"][0]["value"]).collect();
    assert_eq!(values, ["turn 1", "turn 2", "turn 3"]);
    assert_eq!(page("after=5").await.json()["operations"], json!([]));
    let head = house.call(&format!("GET /api/v1/runs/{run}?operations=false"), "").await.json();
    assert_eq!(head["operations"], json!([]));
    assert_eq!(head["modules"].as_array().map(Vec::len), Some(3), "{head}");
    let one = house.call(&format!("GET /api/v1/runs/{run}/operations/2"), "").await.json();
    assert_eq!(one["number"], 2);
    assert_eq!(house.call(&format!("GET /api/v1/runs/{run}/operations/6"), "").await.status, StatusCode::NOT_FOUND);

    let samples = house.call("GET /api/v1/flows/count/samples", "").await.json();
    assert_eq!(samples["modules"]["3"]["bundles"][2]["value"], "turn 3");
    assert_eq!(samples["modules"]["2"]["run"], run);
}

#[tokio::test]
async fn the_stream_tells_what_changes_after_it_was_stored() {
    let house = House::open().await;
    let request = request("GET /api/v1/stream?topics=flows", Some(&app_key(ADMINISTRATOR)), "");
    let answer = house.main.clone().oneshot(request).await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
    let mut body = answer.into_body();
    let mut next = async || {
        let frame = body.frame().await.expect("the stream goes on").expect("a frame");
        let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text");
        text.lines().find_map(|line| line.strip_prefix("event: ")).expect("an event").to_owned()
    };
    assert_eq!(next().await, "hello");
    // A pool is none of the listener's affairs, a flow is.
    house.pool().await;
    assert_eq!(house.call("PUT /api/v1/flows/count", FLOW).await.status, StatusCode::OK);
    assert_eq!(next().await, "flow");
    let unknown = house.call("GET /api/v1/stream?topics=weather", "").await;
    assert_eq!(unknown.json()["code"], "topic-unknown");
    assert_eq!(house.call_as_stranger("GET /api/v1/stream?topics=runs").await.status, StatusCode::FORBIDDEN);
}
