//! Serving endpoints: deployed, called, deployed again, taken up.

use base::{Coded as _, Kind};
use serde_json::{Map, Value as Json, json};

use super::{House, admin};
use crate::{EndpointLevel, EndpointRule, Options, UpdateState};

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
    let served = house.workspace.invoke_endpoint(&admin(), "risk", body.as_bytes()).await?;
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
async fn what_lies_beside_the_file_is_deployed_with_it() {
    let mut house = House::asleep(Options::default());
    house
        .script("/Shared/model/score.py", "import factor\ndef times(xs):\n    return [x * factor.READ for x in xs]\n")
        .await;
    house.script("/Shared/model/factor.py", "READ = int(open('factor.txt').read())\n").await;
    house.script("/Shared/model/factor.txt", "3").await;
    let config = json!({ "served_entities": [{ "name": "v", "entity_name": "/Shared/model/score.py:times" }] });
    house.workspace.create_endpoint(&admin(), "risk", &config, Map::default()).await.expect("a new one");
    assert_eq!(settled(&house).await, UpdateState::NotUpdating);
    assert_eq!(call(&house, json!([2])).await.expect("an answer"), r#"{"predictions":[6]}"#);
    house.script("/Shared/model/factor.txt", "5").await;
    house.come_back();
    assert_eq!(call(&house, json!([2])).await.expect("as it was deployed"), r#"{"predictions":[6]}"#);
}

#[tokio::test]
async fn whoever_calls_an_endpoint_needs_the_right_to() {
    let house = House::asleep(Options::default());
    house.script("/Shared/score.py", "def same(xs):\n    return xs\n").await;
    let made =
        house.workspace.create_endpoint(&admin(), "risk", &config("same"), Map::default()).await.expect("a new one");
    assert_eq!(settled(&house).await, UpdateState::NotUpdating);
    let bob = base::Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
    let may = async || {
        let called = house.workspace.invoke_endpoint(&bob, "risk", br#"{"instances": [1]}"#).await;
        let deleted = house.workspace.endpoint_for(&bob, "risk", EndpointLevel::Manage).await;
        let seen = house.workspace.endpoints_seen_by(&bob).await.expect("a list").len();
        (seen, called.map_err(|error| error.kind()).is_ok(), deleted.is_ok())
    };
    let permit = async |list: Json, replaces: bool| {
        let rules = EndpointRule::read_list(&list).expect("good rules");
        house.workspace.set_endpoint_rules(&admin(), &made.id, rules, replaces).await.expect("it is there").1.len()
    };
    assert_eq!(may().await, (0, false, false));
    assert_eq!(permit(json!([{ "user_name": "bob", "permission_level": "CAN_VIEW" }]), false).await, 1);
    assert_eq!(may().await, (1, false, false));
    assert_eq!(permit(json!([{ "group_name": "users", "permission_level": "CAN_QUERY" }]), false).await, 2);
    assert_eq!(may().await, (1, true, false));
    assert_eq!(permit(json!([{ "user_name": "bob", "permission_level": "CAN_MANAGE" }]), true).await, 1);
    assert_eq!(may().await, (1, true, true));
    assert_eq!(permit(json!([]), true).await, 0);
    let refused = house.workspace.invoke_endpoint(&bob, "risk", b"{}").await.expect_err("not his any more");
    let expected =
        "User bob does not have CAN_QUERY permission on serving endpoint risk; ada or an administrator can give it";
    assert_eq!((refused.kind(), refused.to_string().as_str()), (Kind::Denied, expected));
    for list in [
        json!([{ "user_name": "bob", "permission_level": "CAN_RUN" }]),
        json!([{ "group_name": "them", "permission_level": "CAN_VIEW" }]),
    ] {
        assert_eq!(EndpointRule::read_list(&list).expect_err("there is none").kind(), Kind::Invalid);
    }
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
