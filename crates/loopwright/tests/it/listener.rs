//! `listen`, `deliveries` and `verify`, as somebody runs them who writes a
//! receiver.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::house::{House, KEY, command_at};
use crate::marks::{self, MODEL, TRIGGER};
use crate::receiver::{Answer, PATIENCE, Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn verb(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopwright"));
    command
        .args(arguments)
        .env("LOOPWRIGHT_URL", url)
        .env("LOOPWRIGHT_APP_KEY", KEY)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

struct Listening {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    remarks: Lines<BufReader<ChildStderr>>,
}

impl Listening {
    fn start(url: &str, flags: &[&str]) -> Self {
        let mut command = verb(url, &[&["listen", MODEL, TRIGGER], flags].concat());
        let mut child = command.env("LOOPWRIGHT_SECRET", SECRET).spawn().expect("the program starts");
        let events = BufReader::new(child.stdout.take().expect("piped")).lines();
        let remarks = BufReader::new(child.stderr.take().expect("piped")).lines();
        Listening { child, events, remarks }
    }

    async fn event(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.events.next_line()).await.expect("an event comes");
        line.expect("readable").expect("it goes on")
    }

    async fn remark(&mut self, part: &str) {
        let mut heard = Vec::new();
        let looking = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.remarks.next_line().await.expect("readable") {
                heard.push(line);
                if heard.last().is_some_and(|line| line.contains(part)) {
                    return true;
                }
            }
            false
        });
        let found = looking.await == Ok(true);
        assert!(found, "no remark with \"{part}\" among {heard:?}");
    }
}

#[tokio::test]
async fn events_are_handed_on_in_order_whoever_restarts_meanwhile() {
    let data = tempfile::tempdir().expect("a folder");
    let mut house = marks::house(data.path()).await;
    let pool = marks::publish(&house).await;
    marks::mark(&house, &pool, "first").await;
    let url = house.url.clone();
    let listen = url.strip_prefix("http://").expect("no TLS here").to_owned();
    let subscriber = Receiver::start();
    marks::subscribe(&house, &subscriber, "/", json!({})).await;

    // The developer's receiver is not there yet, and then it is.
    let port: SocketAddr =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let forward = format!("http://{port}/hook");
    let mut listening = Listening::start(&url, &["--from-start", "--json", "--forward", &forward]);
    listening.remark("forwarding to").await;
    listening.remark("waiting for http://").await;
    let receiver = Receiver::start_at(port);
    receiver.believe("/hook", SECRET);
    let event: Json = serde_json::from_str(&listening.event().await).expect("JSON");
    assert_eq!((&event["offset"], &event["forwarded"]["status"]), (&json!(1), &json!(200)), "{event}");
    assert_eq!(event["body"]["event"]["identifier"], "first", "{event}");

    // It answers badly: the same event comes again, and no other before it.
    receiver.answer(|_, _, times| Answer::Status(if times == 0 { 500 } else { 200 }));
    marks::mark(&house, &pool, "second").await;
    let event: Json = serde_json::from_str(&listening.event().await).expect("JSON");
    assert_eq!(event["offset"], 2, "{event}");

    // The server restarts.
    house.child.kill().await.expect("SIGKILL");
    listening.remark("no answer from").await;
    house = House::start_by(marks::allowed(command_at(data.path(), &listen))).await;
    marks::mark(&house, &pool, "third").await;
    let event: Json = serde_json::from_str(&listening.event().await).expect("JSON");
    assert_eq!(event["offset"], 3, "{event}");

    let book = receiver.book();
    let calls: Vec<(u64, &str)> =
        book.iter().map(|receipt| (receipt.offset, receipt.headers["loopwright-attempt"].as_str())).collect();
    assert_eq!(calls, [(1, "1"), (2, "1"), (2, "2"), (3, "1"), (3, "2")]);
    assert!(book.iter().all(|receipt| receipt.believed), "every call is signed with the given secret");

    // Ctrl-C ends it and tells where it was.
    let pid = rustix::process::Pid::from_raw(listening.child.id().expect("it runs").cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    listening.remark("ended after offset 3; --after 3 goes on there").await;
    assert_eq!(listening.child.wait().await.expect("an end").code(), Some(0));

    // What a subscription receives is the same, but for the subscriber.
    subscriber.wait_for("the third event", |book| book.last().is_some_and(|receipt| receipt.offset == 3)).await;
    let (theirs, ours) = (subscriber.book(), receiver.book());
    let without = |body: &[u8]| {
        let mut body: Json = serde_json::from_slice(body).expect("JSON");
        body["subscriberId"] = Json::Null;
        body.to_string()
    };
    assert_eq!(without(&theirs.last().expect("one").body), without(&ours.last().expect("one").body));
    let names = |headers: &std::collections::HashMap<String, String>| {
        let mut names: Vec<String> = headers.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(&theirs[0].headers), names(&ours[0].headers));
}

#[tokio::test]
async fn events_and_attempts_are_shown_to_people() {
    let data = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let house = marks::house(data.path()).await;
    let pool = marks::publish(&house).await;
    let settings = json!({ "retryPausesMs": [5, 5, 5] });
    let id = marks::subscribe(&house, &receiver, "/shown", settings).await;
    let mut listening = Listening::start(&house.url, &[]);
    listening.remark("after offset 0").await;
    receiver.answer(|_, _, times| Answer::Status(if times == 0 { 503 } else { 200 }));
    marks::mark(&house, &pool, "4711").await;
    let line = listening.event().await;
    assert!(line.contains("  #1      4711  STEPS=1"), "{line}");

    let shown = format!("/api/v1/subscriptions/{id}");
    house.wait_for(&shown, "the delivery", |shown| shown["delivered"] == 1).await;
    let output = verb(&house.url, &["deliveries", "--since", "1h"]).output().await.expect("the program starts");
    let table = String::from_utf8(output.stdout).expect("text");
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().skip(2).collect()).collect();
    assert_eq!(words.len(), 4, "{table}");
    let [failed, delivered] = [&words[2], &words[3]];
    assert_eq!(failed[..5], ["/shown", "1", "1", "failed", "503"], "{table}");
    assert_eq!(failed.last(), Some(&"well"), "the first bytes of the answer: {table}");
    assert_eq!(delivered[..5], ["/shown", "1", "2", "delivered", "200"], "{table}");

    let only = ["deliveries", "--subscription", &id, "--verdict", "failed", "--json"];
    let output = verb(&house.url, &only).output().await.expect("the program starts");
    let line = String::from_utf8(output.stdout).expect("text");
    let attempt: Json = serde_json::from_str(&line).expect("one line of JSON");
    assert_eq!((&attempt["offset"], &attempt["status"]), (&json!(1), &json!(503)), "{attempt}");

    for (arguments, expected) in [
        (vec!["deliveries", "--state", "tired"], "tired"),
        (vec!["deliveries", "--since", "soon"], "such as 15m"),
        (vec!["listen", MODEL, "NOPE"], "NOPE"),
        (vec!["listen", MODEL, TRIGGER, "--skip-errors"], "--forward"),
    ] {
        let output = verb(&house.url, &arguments).output().await.expect("the program starts");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(expected), "{arguments:?}: {words}");
    }

    // The call that was received is checked by hand, offline.
    let call = receiver.book().pop().expect("a call");
    let headers = data.path().join("call.headers");
    let body = data.path().join("call.body");
    let block: Vec<String> = call.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    std::fs::write(&headers, block.join("\r\n")).expect("a writable folder");
    let secret = house.expect(http::Method::POST, &format!("{shown}/secret/rotate"), json!({})).await;
    let secret = secret["secret"].as_str().expect("a secret").to_owned();
    receiver.believe("/shown", &secret);
    house.expect(http::Method::PATCH, &format!("/intelligence/api/subscriptions/{id}/replay"), Json::Null).await;
    receiver.wait_for("the replay", |book| book.len() > 2 && book.iter().all(|receipt| receipt.believed)).await;
    let verify = [headers.to_str().expect("plain"), body.to_str().expect("plain")];
    for (secret, bytes, code, expected) in [
        (SECRET, call.body.clone(), 1, "not valid: no signature fits"),
        (secret.as_str(), call.body.clone(), 1, "not valid: no signature fits"),
        ("hush", call.body.clone(), 2, ""),
    ] {
        std::fs::write(&body, bytes).expect("a writable folder");
        let mut command = verb(&house.url, &["verify", "--headers", verify[0], verify[1]]);
        let output = command.env("LOOPWRIGHT_SECRET", secret).output().await.expect("the program starts");
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words}");
        assert!(words.starts_with(expected), "{words}");
    }
    let signed = receiver.book().pop().expect("the replay");
    let block: Vec<String> = signed.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    std::fs::write(&headers, block.join("\r\n")).expect("a writable folder");
    for (bytes, code, expected) in [
        (signed.body.clone(), 0, "valid: the signature "),
        ([signed.body.as_slice(), b"\n"].concat(), 1, "not valid: the body was changed: a newline was added"),
    ] {
        std::fs::write(&body, bytes).expect("a writable folder");
        let mut command = verb(&house.url, &["verify", "--headers", verify[0], verify[1]]);
        let output = command.env("LOOPWRIGHT_SECRET", &secret).output().await.expect("the program starts");
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words}");
        assert!(words.starts_with(expected), "{words}");
    }
}
