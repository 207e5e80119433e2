//! A consumer of events goes through everything that can happen to a
//! subscription, over the public surface, with the real program.

use http::Method;
use serde_json::{Value as Json, json};

use crate::house::House;
use crate::marks::{self, MODEL, TRIGGER};
use crate::receiver::{Answer, Receiver};

const SUBSCRIPTIONS: &str = "/intelligence/api/subscriptions";

/// A consumer with one subscription, whose path at the receiver is `/orders`.
struct Consumer {
    house: House,
    receiver: Receiver,
    pool: String,
    id: String,
    /// Cases that were marked, which is the offset of the last event.
    marked: u64,
}

impl Consumer {
    async fn mark(&mut self) -> u64 {
        self.marked += 1;
        marks::mark(&self.house, &self.pool, &format!("case-{}", self.marked)).await;
        self.marked
    }

    /// Does something to the subscription.
    async fn does(&self, verb: &str) {
        let path = format!("{SUBSCRIPTIONS}/{}/{verb}", self.id);
        let (status, answer) = self.house.call(Method::PATCH, &path, "").await;
        assert_eq!(status, 204, "{verb}: {answer}");
    }

    /// Expects to be refused, and returns the code.
    async fn is_refused(&self, verb: &str) -> String {
        let path = format!("{SUBSCRIPTIONS}/{}/{verb}", self.id);
        let (status, answer) = self.house.call(Method::PATCH, &path, "").await;
        assert_eq!(status, 400, "{verb}: {answer}");
        answer.to_string()
    }

    async fn set(&self, settings: Json) {
        let path = format!("/api/v1/subscriptions/{}/delivery", self.id);
        self.house.expect(Method::PATCH, &path, settings).await;
    }

    async fn wait_for_state(&self, state: &str) -> Json {
        let path = format!("/api/v1/subscriptions/{}", self.id);
        self.house.wait_for(&path, state, |shown| shown["status"] == state).await
    }

    /// Waits until the receiver has accepted an offset so many times.
    async fn wait_for_offset(&self, offset: u64, times: usize) {
        let come = |book: &[crate::receiver::Receipt]| {
            book.iter().filter(|receipt| receipt.offset == offset && receipt.accepted).count() == times
        };
        self.receiver.wait_for(&format!("offset {offset}"), come).await;
    }

    /// Waits until the program, too, knows that an offset was accepted: what
    /// it has not heard of yet is sent after a verb as if for the first time.
    async fn wait_for_success(&self, offset: u64) {
        self.wait_for_offset(offset, 1).await;
        let path = format!("/api/v1/subscriptions/{}", self.id);
        self.house.wait_for(&path, "the success", |shown| shown["lastSuccessOffset"] == offset).await;
    }
}

#[tokio::test]
async fn a_consumer_goes_through_every_state() {
    let data = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let house = marks::house(data.path()).await;
    let pool = marks::publish(&house).await;

    // Discover.
    let triggers = format!("/intelligence/api/knowledge-models/{MODEL}/triggers");
    let (_, found) = house.get(&triggers).await;
    assert_eq!((&found["total"], &found["content"][0]["id"]), (&json!(1), &json!(TRIGGER)), "{found}");
    let (_, trigger) = house.get(&format!("{triggers}/{TRIGGER}")).await;
    let fields: Vec<&Json> = trigger["fields"].as_array().expect("fields").iter().map(|field| &field["name"]).collect();
    assert!(fields.contains(&&json!("Steps")), "{trigger}");

    // A callback that is not there is refused; one that is there is not.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let nowhere = json!({ "name": "x", "callbackInfo": { "uri": format!("http://{closed}/"), "protocol": "HTTPS" } });
    let (status, answer) = house.post(&marks::subscriptions(), nowhere).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.to_string().contains("SUBSCRIPTION_CALLBACK_FAILED"), "{answer}");
    assert_eq!(house.get(SUBSCRIPTIONS).await.1["total"], 0);
    let swift = json!({ "retryPausesMs": [5], "probeFirstMs": 100, "probeMaxMs": 100 });
    let id = marks::subscribe(&house, &receiver, "/orders", swift).await;
    let mut it = Consumer { house, receiver, pool, id, marked: 0 };
    let (_, listed) = it.house.get(SUBSCRIPTIONS).await;
    assert_eq!(listed["content"][0]["status"], "active", "{listed}");
    assert_eq!(listed["content"][0]["triggerId"], TRIGGER, "{listed}");

    // Receive.
    it.mark().await;
    it.mark().await;
    it.wait_for_offset(2, 1).await;
    let book = it.receiver.book();
    assert!(book.iter().all(|receipt| receipt.believed), "every call is signed");
    let body: Json = serde_json::from_slice(&book[0].body).expect("JSON");
    assert_eq!(body["subscriberId"], it.id, "{body}");
    assert_eq!(body["event"]["identifier"], "case-1", "{body}");
    assert_eq!(book[0].headers["webhook-id"], body["event"]["id"].as_str().expect("an id"));
    assert_eq!(book[0].headers["loopwright-replay"], "false");

    // Fail, and recover by itself.
    it.receiver.answer(|_, _, _| Answer::Status(503));
    let third = it.mark().await;
    let failed = it.wait_for_state("failed").await;
    assert_eq!((&failed["queued"], &failed["lastSuccessOffset"]), (&json!(1), &json!(2)), "{failed}");
    it.receiver.answer(|_, _, _| Answer::Status(200));
    it.wait_for_success(third).await;
    it.wait_for_state("active").await;

    // Pause: events queue. Resume: they come. Or only fresh ones do.
    it.does("pause").await;
    let fourth = it.mark().await;
    let queue = format!("/api/v1/subscriptions/{}", it.id);
    let paused = it.house.wait_for(&queue, "a queue", |shown| shown["queued"] == 1).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    it.does("resume").await;
    it.wait_for_success(fourth).await;
    it.does("pause").await;
    let fifth = it.mark().await;
    it.house.wait_for(&queue, "a queue", |shown| shown["head"] == fifth).await;
    it.does("resume-from-latest").await;
    let sixth = it.mark().await;
    it.wait_for_success(sixth).await;
    assert!(!it.receiver.offsets("/orders").contains(&fifth), "what had queued was passed over");

    // Replay: the same bytes again, and what had been passed over too.
    it.does("replay?fromOffset=2").await;
    it.wait_for_offset(sixth, 2).await;
    let book = it.receiver.book();
    let replayed: Vec<u64> = book
        .iter()
        .filter(|receipt| receipt.headers["loopwright-replay"] == "true")
        .map(|receipt| receipt.offset)
        .collect();
    assert_eq!(replayed, [2, 3, 4, 5, 6]);
    for receipt in &book {
        let first = book.iter().find(|first| first.offset == receipt.offset).expect("it is one itself");
        assert_eq!((&first.id, &first.body), (&receipt.id, &receipt.body), "offset {}", receipt.offset);
    }

    // Extraction: not while events flow; then what was in the way is taken out.
    let refused = it.is_refused("events").await;
    assert!(refused.contains("active"), "{refused}");
    it.receiver.answer(|_, _, _| Answer::HangUp);
    let seventh = it.mark().await;
    it.wait_for_state("failed").await;
    let page = format!("{SUBSCRIPTIONS}/{}/events", it.id);
    let extracted = it.house.expect(Method::PATCH, &page, Json::Null).await;
    let offsets: Vec<&Json> =
        extracted["content"].as_array().expect("events").iter().map(|event| &event["offset"]).collect();
    assert_eq!(offsets, [&json!(seventh)], "{extracted}");
    let empty = it.house.expect(Method::PATCH, &page, Json::Null).await;
    assert_eq!(empty["content"], json!([]), "{empty}");
    it.wait_for_state("active").await;

    // Suspend: by the clock, with the queue destroyed. Only an update helps.
    it.set(json!({ "suspendAfterMs": 1_000 })).await;
    let eighth = it.mark().await;
    let suspended = it.wait_for_state("suspended").await;
    assert_eq!(suspended["queued"], 0, "{suspended}");
    let refused = it.is_refused("replay?fromOffset=1").await;
    assert!(refused.contains("suspended"), "{refused}");
    it.receiver.answer(|_, _, _| Answer::Status(200));
    let mut anew = marks::definition(&it.receiver, "/orders");
    anew["name"] = json!("orders, anew");
    let path = format!("{SUBSCRIPTIONS}/{}", it.id);
    let (status, answer) = it.house.call(Method::PUT, &path, anew.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    let ninth = it.mark().await;
    it.wait_for_success(ninth).await;
    let eighths = it.receiver.book().iter().filter(|receipt| receipt.offset == eighth && receipt.accepted).count();
    assert_eq!(eighths, 0, "its queue was destroyed");
    let saved = |listed: &Json| listed["content"][0]["offset"] == ninth;
    let listed = it.house.wait_for(SUBSCRIPTIONS, "the success", saved).await;
    assert_eq!(listed["content"][0]["name"], "orders, anew", "{listed}");

    // Delete: the others go on.
    let other = marks::subscribe(&it.house, &it.receiver, "/other", json!({})).await;
    let (status, answer) = it.house.call(Method::DELETE, &path, "").await;
    assert_eq!(status, 204, "{answer}");
    let tenth = it.mark().await;
    it.wait_for_offset(tenth, 1).await;
    assert_eq!(it.receiver.offsets("/other"), [tenth]);
    assert!(!it.receiver.offsets("/orders").contains(&tenth), "nobody is there any more");
    assert_eq!(it.house.get(&format!("/api/v1/subscriptions/{}", it.id)).await.0, 404);
    let (_, listed) = it.house.get(SUBSCRIPTIONS).await;
    assert_eq!((&listed["total"], &listed["content"][0]["id"]), (&json!(1), &json!(other)), "{listed}");
}
