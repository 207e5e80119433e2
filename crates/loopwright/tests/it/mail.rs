//! A subscription that fails becomes a mail that a person can read.

use http::Method;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::house::{House, command};
use crate::marks;
use crate::receiver::{Answer, PATIENCE, Receiver};

/// A mail as a mail server has it.
#[derive(Debug)]
struct Mail {
    from: String,
    to: Vec<String>,
    /// Headers and text.
    content: String,
}

/// Starts a mail server that takes everything.
async fn mail_server() -> (String, mpsc::UnboundedReceiver<Mail>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("smtp://{}", listener.local_addr().expect("a bound address"));
    let (taken, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take_mails(stream, taken.clone()));
        }
    });
    (url, mails)
}

/// Speaks SMTP with one sender.
async fn take_mails(stream: TcpStream, taken: mpsc::UnboundedSender<Mail>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await?;
    let mut mail = Mail { from: String::new(), to: Vec::new(), content: String::new() };
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let (word, rest) = line.trim_end().split_once([' ', ':']).unwrap_or((line.trim_end(), ""));
        let address = || rest.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match word.to_ascii_uppercase().as_str() {
            "MAIL" => mail.from = address(),
            "RCPT" => mail.to.push(address()),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                loop {
                    line.clear();
                    stream.read_line(&mut line).await?;
                    match line.trim_end() {
                        "." => break,
                        text => mail.content.push_str(&format!("{}\n", text.strip_prefix("..").unwrap_or(text))),
                    }
                }
                let empty = Mail { from: String::new(), to: Vec::new(), content: String::new() };
                // A test that has ended reads no more.
                let _ = taken.send(std::mem::replace(&mut mail, empty));
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n").await,
            _ => {}
        }
        stream.write_all(b"250 well\r\n").await?;
        line.clear();
    }
    Ok(())
}

#[tokio::test]
async fn a_failing_subscription_is_a_mail_to_each_administrator() {
    let (server, mut mails) = mail_server().await;
    let data = tempfile::tempdir().expect("a folder");
    let mut serve = marks::allowed(command(data.path()));
    serve
        .env("LOOPWRIGHT_MAIL_SERVER", server)
        .env("LOOPWRIGHT_MAIL_FROM", "Loopwright <loopwright@example.org>")
        .env("LOOPWRIGHT_MAIL_TO", "ann@example.org, bob@example.org")
        .env("LOOPWRIGHT_NOTICE_SECONDS", "1");
    let house = House::start_by(serve).await;
    let receiver = Receiver::start();
    let pool = marks::publish(&house).await;
    let id = marks::subscribe(&house, &receiver, "/bills", json!({ "retryPausesMs": [], "probeFirstMs": 100 })).await;
    receiver.answer(|_, _, _| Answer::Status(503));
    marks::mark(&house, &pool, "4711").await;
    house.wait_for(&format!("/api/v1/subscriptions/{id}"), "the failure", |shown| shown["status"] == "failed").await;

    let mut got: Vec<&str> = Vec::new();
    while got.len() < 2 {
        let mail = tokio::time::timeout(PATIENCE, mails.recv()).await.expect("a mail comes").expect("it listens");
        assert_eq!(mail.from, "loopwright@example.org");
        // The first batch may have been the news that it was created.
        if !mail.content.contains("has failed") {
            continue;
        }
        let recipient = ["ann@example.org", "bob@example.org"].into_iter().find(|known| mail.to == [*known]);
        let recipient = recipient.unwrap_or_else(|| panic!("who is {:?}?", mail.to));
        assert!(!got.contains(&recipient), "one mail for each");
        got.push(recipient);
        let shown = |name: &str| mail.content.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(shown("Subject: ").contains("Loopwright: "), "{}", mail.content);
        assert_eq!(shown("To: "), format!("To: {recipient}"));
        assert_eq!(shown("Content-Type: "), "Content-Type: text/plain; charset=utf-8");
        assert_eq!(shown("Auto-Submitted: "), "Auto-Submitted: auto-generated");
        assert!(mail.content.contains("/bills"), "{}", mail.content);
        assert!(mail.content.contains(&format!("loopwright deliveries --subscription {id}")), "{}", mail.content);
    }
    let kinds = |notices: &Json| {
        let all = notices["notices"].as_array().expect("notices").iter();
        all.filter_map(|notice| notice["kind"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let notices = house.expect(Method::GET, "/api/v1/notices", Json::Null).await;
    assert_eq!(kinds(&notices), ["failed", "created"], "{notices}");
}
