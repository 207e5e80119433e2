//! Serving endpoints: deployed, called, deployed again, taken up.

use base::{Coded as _, Kind};
use serde_json::{Map, Value as Json, json};

use super::{House, admin};
use crate::{Options, UpdateState};

fn config(function: &str) -> Json {
    json!({ "served_entities": [{ "name": "v", "entity_name": format!("/Shared/score.py:{function}") }] })
}

/// Waits until nothing is being deployed any more.
async fn settled(house: &House) -> UpdateState {
    loop {
        let endpoint = house.workspace.endpoint("risk").await.expect("an endpoint");
        if endpoint.update != UpdateState::InProgress {
            return endpoint.update;
        }
        tokio::task::yield_now().await;
    }
}

async fn call(house: &House, value: Json) -> Result<String, crate::DataError> {
    let body = json!({ "instances": value }).to_string();
    let served = house.workspace.invoke_endpoint("risk", body.as_bytes()).await?;
    Ok(String::from_utf8(served.body).expect("JSON"))
}

#[tokio::test]
async fn what_was_deployed_answers_until_the_next_one_is_up() {
    let mut house = House::asleep(Options::default());
    let file = "import os\ndef twice(xs):\n    return [x * 2 for x in xs]\ndef die(xs):\n    os._exit(3)\n";
    house.script("/Shared/score.py", file).await;
    house.workspace.create_endpoint(&admin(), "risk", &config("twice"), Map::default()).await.expect("a new one");
    assert_eq!(settled(&house).await, UpdateState::NotUpdating);
    assert_eq!(call(&house, json!([1, 2])).await.expect("an answer"), r#"{"predictions":[2,4]}"#);

    // The file changes, what was deployed does not.
    house.script("/Shared/score.py", "def thrice(xs):\n    return [x * 3 for x in xs]\n").await;
    assert_eq!(call(&house, json!([1])).await.expect("an answer"), r#"{"predictions":[2]}"#);
    house.workspace.deploy_endpoint(&admin(), "risk", &config("nope")).await.expect("it begins");
    assert_eq!(settled(&house).await, UpdateState::Failed);
    let endpoint = house.workspace.endpoint("risk").await.expect("an endpoint");
    assert!(endpoint.message.contains("there is no function 'nope'"), "{}", endpoint.message);
    assert_eq!(call(&house, json!([1])).await.expect("the old one"), r#"{"predictions":[2]}"#);
    house.workspace.deploy_endpoint(&admin(), "risk", &config("thrice")).await.expect("it begins");
    assert_eq!(settled(&house).await, UpdateState::NotUpdating);
    assert_eq!(call(&house, json!([1])).await.expect("the new one"), r#"{"predictions":[3]}"#);

    house.come_back();
    assert_eq!(call(&house, json!([2])).await.expect("after a restart"), r#"{"predictions":[6]}"#);
    let stranger = base::Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
    let refused = house.workspace.delete_endpoint(&stranger, "risk").await.expect_err("not his");
    assert_eq!(refused.kind(), Kind::Denied);
}

#[tokio::test]
async fn a_call_that_ends_the_process_costs_only_itself() {
    let house = House::asleep(Options::default());
    let file = "import os\ndef f(xs):\n    if xs == ['die']:\n        os._exit(3)\n    if xs == ['raise']:\n        raise ValueError('no')\n    return xs\n";
    house.script("/Shared/score.py", file).await;
    house.workspace.create_endpoint(&admin(), "risk", &config("f"), Map::default()).await.expect("a new one");
    assert_eq!(settled(&house).await, UpdateState::NotUpdating);
    let raised = call(&house, json!(["raise"])).await.expect_err("it raises");
    assert_eq!(raised.to_string(), "ValueError: no");
    let died = call(&house, json!(["die"])).await.expect_err("it dies");
    assert!(died.to_string().contains("exit status: 3"), "{died}");
    assert_eq!(call(&house, json!([1])).await.expect("a fresh process"), r#"{"predictions":[1]}"#);
}
