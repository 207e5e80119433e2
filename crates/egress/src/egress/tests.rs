//! What leaves, and what does not.

use base::http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers one call with `reply` and returns the address and what was asked.
async fn one_answer(reply: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut seen = Vec::new();
        let mut buffer = [0; 1024];
        while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
            let length = stream.read(&mut buffer).await.expect("a request");
            seen.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(reply.as_bytes()).await.expect("a reader");
        String::from_utf8_lossy(&seen).into_owned()
    });
    (address, asked)
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

#[tokio::test]
async fn loopback_is_closed_and_the_text_says_how_to_open_it() {
    let egress = Egress::new(Vec::new(), Origins::default());
    let error = egress
        .send(Request::new(Method::GET, "http://127.0.0.1:9/secret?token=1"))
        .await
        .expect_err("loopback is closed");
    assert_eq!(
        error.to_string(),
        "calls to 127.0.0.1:9 are not allowed: 127.0.0.1 is a loopback address; \
         to open it, add \"127.0.0.1:9\" to LOOPWRIGHT_EGRESS_ALLOW"
    );
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_closed_too() {
    let egress = Egress::new(Vec::new(), Origins::default());
    let error = egress.send(Request::new(Method::GET, "http://localhost:9/")).await.expect_err("loopback is closed");
    assert!(matches!(error, HttpError::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn an_opened_port_is_reached_and_only_that_port() {
    let (address, asked) = one_answer(HELLO).await;
    let egress =
        Egress::new(vec![format!("127.0.0.1/32:{}", address.port()).parse().expect("a rule")], Origins::default());
    let answer = egress.send(Request::new(Method::GET, format!("http://{address}/x"))).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello"[..]));
    assert!(asked.await.expect("the server ran").starts_with("GET /x HTTP/1.1\r\n"));
    let other = egress.send(Request::new(Method::GET, "http://127.0.0.1:9/")).await;
    assert!(matches!(other, Err(HttpError::Forbidden { .. })));
}

#[tokio::test]
async fn our_own_listeners_are_open_by_name() {
    let (address, _asked) = one_answer(HELLO).await;
    let egress = Egress::new(Vec::new(), Origins { this: Some(address), ..Origins::default() });
    let answer = egress.send(Request::new(Method::GET, "loopwright://this/health/live")).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    let other = egress.send(Request::new(Method::GET, "loopwright://workspace/")).await;
    assert!(matches!(other, Err(HttpError::UnknownHost { .. })));
}

#[tokio::test]
async fn a_long_answer_is_cut_and_says_so() {
    let (address, _asked) = one_answer(HELLO).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    let mut request = Request::new(Method::GET, format!("http://{address}/"));
    request.response_bytes_max = 3;
    let answer = egress.send(request).await.expect("an answer");
    assert_eq!((&answer.body[..], answer.truncated), (&b"hel"[..], true));
}

#[tokio::test]
async fn a_redirect_is_an_answer_unless_asked_to_follow_and_credentials_stay_at_home() {
    let (second, second_asked) = one_answer(HELLO).await;
    let reply = format!("HTTP/1.1 302 Found\r\nlocation: http://{second}/there\r\ncontent-length: 0\r\n\r\n").leak();
    let (first, _) = one_answer(reply).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    let mut request = Request::new(Method::POST, format!("http://{first}/"));
    request.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    request.redirects_max = 1;
    let answer = egress.send(request).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    let asked = second_asked.await.expect("the second server ran");
    assert!(asked.starts_with("GET /there "), "{asked}");
    assert!(!asked.contains("Bearer"), "{asked}");
}

#[tokio::test]
async fn what_is_no_address_is_refused_without_its_query() {
    let egress = Egress::new(Vec::new(), Origins::default());
    for (url, text) in [
        ("ftp://example.org/?key=1", "\"ftp://example.org/\" is not an http or https address"),
        ("/relative", "\"/relative\" is not an http or https address"),
    ] {
        let error = egress.send(Request::new(Method::GET, url)).await.expect_err("no address");
        assert_eq!(error.to_string(), text);
    }
}
