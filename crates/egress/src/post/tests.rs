//! Mail to a small server of our own, which says what it is told to say.

use base::Secret;
use base::http::HttpError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::Origins;

/// Answers each line that begins with a word of the script as it says there,
/// and returns what was said. An empty answer hangs up.
async fn server(script: &'static [(&'static str, &'static str)]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 here\r\n").await.expect("a reader");
        let (mut heard, mut is_data) = (Vec::new(), false);
        let mut line = String::new();
        while {
            line.clear();
            stream.read_line(&mut line).await.is_ok_and(|length| length > 0)
        } {
            let said = line.trim_end().to_owned();
            heard.push(said.clone());
            if is_data && said != "." {
                continue;
            }
            is_data = said == "DATA";
            let answer = script.iter().find(|(word, _)| said.starts_with(word)).map_or("250 ok", |(_, answer)| answer);
            if answer.is_empty() {
                break;
            }
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.expect("a reader");
        }
        heard
    });
    (port, heard)
}

fn letter() -> Letter {
    Letter { from: "a@x.example".into(), to: vec!["b@x.example".into()], message: "Subject: hi\r\n\r\n.dot".into() }
}

async fn posted(
    script: &'static [(&'static str, &'static str)],
    login: bool,
) -> (Result<String, PostError>, Vec<String>) {
    let (port, heard) = server(script).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    let login = login.then(|| MailLogin { user: "ann".into(), password: Secret::new("s3cret") });
    let server = MailServer { host: "127.0.0.1".into(), port, security: MailSecurity::None, login };
    let result = egress.post(server, letter(), Duration::from_secs(5)).await;
    (result, heard.await.expect("the server ran"))
}

const OPEN: &[(&str, &str)] = &[("DATA", "354 go on"), (".", "250 2.0.0 queued as 7")];

#[tokio::test]
async fn a_letter_is_handed_in() {
    let (result, heard) = posted(OPEN, false).await;
    assert_eq!(result.expect("it is taken"), "250 2.0.0 queued as 7");
    let said = ["MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "Subject: hi", "", "..dot", ".", "QUIT"];
    assert_eq!(heard[1..], said);
}

#[tokio::test]
async fn what_was_not_handed_over_was_not_sent() {
    for (script, expected) in [
        (
            &[("MAIL", "451 4.7.1 slow down")][..],
            "the mail server refused the sender a@x.example: transient error (451): 4.7.1 slow down",
        ),
        (
            &[("RCPT", "550 nobody")][..],
            "the mail server refused the recipient b@x.example: permanent error (550): nobody",
        ),
        (
            &[("DATA", "354 go on"), (".", "554 spam")][..],
            "the mail server refused the mail: permanent error (554): spam",
        ),
        (&[("RCPT", "")][..], "incomplete response"),
    ] {
        let (result, _) = posted(script, false).await;
        let error = result.expect_err("it is refused");
        assert!(!matches!(error, PostError::Unknown { .. }), "{error:?}");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    let (result, _) = posted(&[("DATA", "354 go on"), (".", "")], false).await;
    assert!(matches!(result, Err(PostError::Unknown { .. })), "{result:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_as_one_and_not_shown() {
    let script: &[(&str, &str)] = &[("EHLO", "250-here\r\n250 AUTH PLAIN"), ("AUTH", "535 5.7.8 no")];
    let (result, _) = posted(script, true).await;
    let error = result.expect_err("it is refused");
    assert_eq!(error.to_string(), "the mail server refused the login: permanent error (535): 5.7.8 no");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn the_guard_stands_before_mail_servers_too() {
    let egress = Egress::new(Vec::new(), Origins::default());
    let server = MailServer { host: "localhost".into(), port: 25, security: MailSecurity::None, login: None };
    let refused = egress.post(server, letter(), Duration::from_secs(5)).await.expect_err("loopback is closed");
    assert!(matches!(refused, PostError::Unreached(HttpError::Forbidden { .. })), "{refused}");
}
