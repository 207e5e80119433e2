//! Mail, Slack and our own interface, as the engine calls them.

use base::BoxFuture;
use base::mail::{Letter, MailSecurity, MailServer, Post, PostError};
use parking_lot::Mutex;

use super::*;
use crate::connection::{Slack, Smtp};
use crate::feedback::{FlowNotice, Notices};

fn spec(kind: &str, credentials: Credentials) -> ConnectionSpec {
    ConnectionSpec { kind: kind.into(), credentials, origin: None, expires_at: None, imported_ids: Vec::new() }
}

async fn run(flows: &Arc<Flows>, text: &str) -> RunDetails {
    flows.put(&ann(), "f", text).await.expect("a flow");
    let run = flows.run_once(&ann(), "f", json!({})).await.expect("a run");
    flows.run_until_idle().await;
    flows.run_details(run).await.expect("a run")
}

const PUSH: &str = r#"
flow:
  - { id: 1, module: "loopwright:PushRows", parameters: { keys: [id] }, mapper: { pool: p 1, table: T, rows: "{{parseRows}}" } }
"#;

fn push() -> String {
    PUSH.replace("\"{{parseRows}}\"", "[{ id: 1, name: a }, { id: 2 }]")
}

fn told(http: &ScriptedHttp) -> Vec<String> {
    let line = |request: &base::http::Request| format!("{} {}", request.method, request.url);
    http.requests().iter().map(line).collect()
}

const JOBS: &str = "loopwright://this/integration/api/v1/data-push/p%201/jobs";

#[tokio::test]
async fn rows_are_pushed_by_a_job_in_the_name_of_the_author() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        for answer in ["[]", r#"{"id": "j", "status": "NEW"}"#, "{}", "", r#"{"id": "j", "status": "DONE"}"#] {
            http.push(200, answer);
        }
        let flows = house.engine(http.clone(), 1);
        let run = run(&flows, &push()).await;
        assert_eq!(run.operations[0].output, [json!({"rows": 2, "job": "j", "status": "DONE"})], "{run:?}");
        let one = format!("{JOBS}/j");
        assert_eq!(
            told(&http),
            [
                format!("GET {JOBS}"),
                format!("POST {JOBS}"),
                format!("POST {one}/chunks/upserted"),
                format!("POST {one}"),
                format!("GET {one}")
            ]
        );
        let sent = http.requests();
        assert_eq!(sent[2].body, "id,name\n1,a\n2,\n");
        let caller = flows.caller_of(sent[0].headers["authorization"].to_str().expect("text")).expect("our own seal");
        assert_eq!((caller.flow.as_str(), caller.author), ("f", ann().id));
        assert!(!serde_json::to_string(&run).expect("JSON").contains("Flow "));
    }
}

#[tokio::test]
async fn a_push_that_is_performed_again_finds_its_job() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "f", &push()).await.expect("a flow");
        flows.run_once(&ann(), "f", json!({})).await.expect("a run");
        // The program dies while the first call of it is under way.
        let peer = Arc::new(Silence(ScriptedHttp::default()));
        die_in_flight(&house, peer.clone()).await;
        let key = peer.0.requests()[0].headers["idempotency-key"].to_str().expect("text").to_owned();
        let http = Arc::new(ScriptedHttp::default());
        let known = json!([
            {"id": "other", "status": "DONE", "loopwrightOperation": "another"},
            {"id": "unsent", "status": "NEW", "loopwrightOperation": key},
            {"id": "j", "status": "RUNNING", "loopwrightOperation": key},
        ]);
        http.push(200, &known.to_string());
        http.push(200, "");
        http.push(200, r#"{"id": "j", "status": "DONE"}"#);
        let flows = house.engine(http.clone(), 2);
        flows.run_until_idle().await;
        assert_eq!(only_run(&flows, "f").await.info.outcome, Some(Outcome::Success));
        assert_eq!(told(&http), [format!("GET {JOBS}"), format!("DELETE {JOBS}/unsent"), format!("GET {JOBS}/j")]);
    }
}

#[tokio::test]
async fn slack_is_called_with_a_token_or_at_a_secret_address() {
    const MESSAGE: &str = r##"
flow:
  - { id: 1, module: "slack:CreateMessage", version: 4, parameters: { connection: slack }, mapper: { channel: "#c", text: late, blocks: '[{"type": "divider"}]', link_names: false, parse: false } }
"##;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        let bot = |base: Option<&str>| Slack::Bot { token: Secret::new("xoxb-1"), base: base.map(str::to_owned) };
        let hook = Slack::Webhook { url: Secret::new("https://hooks.slack.example/services/s3cret") };
        for (slack, kind, url, header) in [
            (bot(None), "slack", "https://slack.com/api/chat.postMessage", Some("Bearer xoxb-1")),
            (
                bot(Some("https://chat.example/api/")),
                "slack",
                "https://chat.example/api/chat.postMessage",
                Some("Bearer xoxb-1"),
            ),
            (hook, "slack-webhook", "https://hooks.slack.example/services/s3cret", None),
        ] {
            flows.put_connection(&ann(), "slack", spec(kind, Credentials::Slack(slack))).await.expect("a connection");
            http.push(200, r#"{"ok": true, "ts": "1.2"}"#);
            let run = run(&flows, MESSAGE).await;
            assert_eq!(run.info.outcome, Some(Outcome::Success), "{run:?}");
            let sent = http.requests().pop().expect("a request");
            assert_eq!(sent.url, url);
            assert_eq!(sent.headers.get("authorization").and_then(|value| value.to_str().ok()), header);
            assert_eq!(
                serde_json::from_slice::<Json>(&sent.body).expect("JSON"),
                json!({"channel": "#c", "text": "late", "blocks": [{"type": "divider"}], "link_names": false, "parse": "none"})
            );
        }
        let timeout = base::http::HttpError::Timeout {
            target: "https://hooks.slack.example/services/s3cret".into(),
            after_ms: 5,
        };
        http.push_error(timeout);
        let run = run(&flows, MESSAGE).await;
        assert!(!serde_json::to_string(&run).expect("JSON").contains("s3cret"), "{run:?}");
        let tested = flows.test_connection(&ann(), "slack", None).await.expect("an answer");
        assert!(!tested.ok && !serde_json::to_string(&tested).expect("JSON").contains("s3cret"), "{tested:?}");
    }
}

/// Keeps letters; says no to everybody called nobody.
#[derive(Default)]
struct PostBox(Mutex<Vec<Letter>>);

impl Post for PostBox {
    fn post(&self, _: MailServer, letter: Letter, _: Duration) -> BoxFuture<'_, Result<String, PostError>> {
        let is_nobody = letter.to.iter().any(|address| address.starts_with("nobody"));
        self.0.lock().push(letter);
        let refused = PostError::Refused { what: "the recipient".into(), code: 550, text: "no such user".into() };
        Box::pin(async move { if is_nobody { Err(refused) } else { Ok("250 queued".into()) } })
    }

    fn greet(&self, server: MailServer, _: Duration) -> BoxFuture<'_, Result<String, PostError>> {
        Box::pin(async move { Ok(format!("250 {}", server.host)) })
    }
}

#[tokio::test]
async fn a_mail_is_sent_once_with_the_key_as_its_name() {
    const MAIL: &str = r#"
metadata: { loopwright: { retries: 3 } }
flow:
  - { id: 1, module: "email:ActionSendEmail", version: 7, parameters: { account: 5 }, mapper: { to: ["ann@x.example"], subject: Late, contentType: text, text: hi } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let post = Arc::new(PostBox::default());
        flows.set_post(post.clone());
        let smtp = Smtp {
            host: "mail.example".into(),
            port: 587,
            security: MailSecurity::StartTls,
            login: Some(("ann".into(), Secret::new("s3cret"))),
            from: "Orders <orders@y.example>".into(),
        };
        let connection =
            ConnectionSpec { imported_ids: vec!["connection:5".into()], ..spec("smtp", Credentials::Smtp(smtp)) };
        flows.put_connection(&ann(), "mail", connection).await.expect("a connection");
        let sent = run(&flows, MAIL).await;
        let bundle = &sent.operations[0].output[0];
        let letter = post.0.lock()[0].clone();
        assert_eq!((letter.from.as_str(), &letter.to[..]), ("orders@y.example", &["ann@x.example".to_owned()][..]));
        let name = bundle["messageId"].as_str().expect("a name").to_owned();
        assert!(String::from_utf8_lossy(&letter.message).contains(&format!("Message-ID: {name}\r\n")));
        assert_eq!(bundle["response"], "250 queued");
        let refused = run(&flows, &MAIL.replace("ann@", "nobody@")).await;
        let reason = refused.info.reason.expect("it failed");
        assert!(reason.contains("DataError: the mail server refused the recipient: no such user"), "{reason}");
        assert_eq!(post.0.lock().len(), 2, "it is not tried again");
        let tested = flows.test_connection(&ann(), "mail", None).await.expect("an answer");
        assert_eq!((tested.ok, tested.said.as_str()), (true, "it works: the server said 250 mail.example"));
    }
}

/// Keeps notices.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Notices for Told {
    fn tell(&self, notice: FlowNotice) -> BoxFuture<'_, bool> {
        self.0.lock().push(notice.text);
        Box::pin(async { true })
    }
}

#[tokio::test]
async fn people_are_told_once_before_a_connection_ends() {
    const CALL: &str = r#"
flow:
  - { id: 1, module: "http:ActionSendData", parameters: { connection: dbx }, mapper: { url: "https://x.example" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let notices = Arc::new(Told::default());
        flows.set_notices(notices.clone());
        let expires_at = Some(flows.clock.now().plus(Duration::from_hours(24 * 20)));
        let token = Credentials::Bearer(Secret::new("dapi"));
        let connection = ConnectionSpec { expires_at, ..spec("databricks-pat", token) };
        flows.put_connection(&ann(), "dbx", connection).await.expect("a connection");
        assert!(flows.put(&ann(), "f", CALL).await.expect("a flow").is_empty());
        flows.tell_of_ends().await.expect("nothing to tell");
        assert!(notices.0.lock().is_empty());
        house.clock.advance(Duration::from_hours(24 * 10));
        for _ in 0..2 {
            flows.tell_of_ends().await.expect("it is told");
        }
        let text = "connection \"dbx\" expires in 10 days, on 2026-01-21T00:00:00.000Z: put a new secret into it before. \
                    Flows that name it: f.";
        assert_eq!(*notices.0.lock(), [text]);
        assert!(
            flows.get("f").await.expect("a flow").notices[0].text.starts_with("connection \"dbx\" expires in 10 days")
        );
        house.clock.advance(Duration::from_hours(24 * 11));
        let reason = run(&flows, CALL).await.info.reason.expect("it failed");
        assert!(reason.contains("connection \"dbx\" expired on 2026-01-21T00:00:00.000Z: put a new secret into it"));
    }
}
