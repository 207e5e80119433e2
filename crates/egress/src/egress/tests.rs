//! What leaves, and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use base::causes;
use base::http::{Identity, Method, StatusCode, Tls};
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
    let asked = asked.await.expect("the server ran");
    assert!(asked.starts_with("GET /x HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {address}\r\n")), "{asked}");
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
async fn our_workspace_is_open_by_its_address_and_what_is_beside_it_is_not() {
    let (address, asked) = one_answer(HELLO).await;
    let egress = Egress::new(Vec::new(), Origins { workspace: Some(address), ..Origins::default() });
    let answer = egress.send(Request::new(Method::GET, format!("http://{address}/x?y=1"))).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    assert!(asked.await.expect("the server ran").starts_with("GET /x?y=1 HTTP/1.1\r\n"));
    let other = egress.send(Request::new(Method::GET, "http://127.0.0.1:9/")).await;
    assert!(matches!(other, Err(HttpError::Forbidden { .. })));
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
    request.headers.insert(causes::HEADER, HeaderValue::from_static("a/b/c"));
    request.redirects_max = 1;
    let answer = egress.send(request).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    let asked = second_asked.await.expect("the second server ran");
    assert!(asked.starts_with("GET /there "), "{asked}");
    assert!(!asked.contains("Bearer") && !asked.contains("a/b/c"), "{asked}");
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

/// Answers `calls` calls on every connection with `reply`, then closes it;
/// returns the address and how many connections there were.
async fn server(calls: usize, reply: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                for _ in 0..calls {
                    // A small request comes in one piece.
                    if stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                        stream.write_all(reply.as_bytes()).await.expect("a reader");
                    }
                }
            });
        }
    });
    (address, connections)
}

const HELLO_AND_STAY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

async fn hello(egress: &Egress, address: SocketAddr) -> Response {
    egress.send(Request::new(Method::GET, format!("http://{address}/"))).await.expect("an answer")
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (address, connections) = server(10, HELLO_AND_STAY).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    for _ in 0..10 {
        assert_eq!(&hello(&egress, address).await.body[..], b"hello");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn calls_at_the_same_time_have_a_connection_each() {
    let (address, connections) = server(2, HELLO_AND_STAY).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    for _ in 0..2 {
        let answers = futures::future::join_all((0..20).map(|_| hello(&egress, address))).await;
        assert!(answers.iter().all(|answer| &answer.body[..] == b"hello"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_no_failed_call() {
    let (address, connections) = server(1, HELLO_AND_STAY).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    for round in 1..=5 {
        assert_eq!(&hello(&egress, address).await.body[..], b"hello");
        assert_eq!(connections.load(Ordering::SeqCst), round);
        // Whatever else goes over the network lets the close arrive.
        let (elsewhere, _) = one_answer(HELLO).await;
        hello(&egress, elsewhere).await;
    }
}

#[tokio::test]
async fn a_connection_with_an_unread_rest_is_not_used_again() {
    let (address, connections) = server(10, HELLO_AND_STAY).await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    for _ in 0..3 {
        let mut request = Request::new(Method::GET, format!("http://{address}/"));
        request.response_bytes_max = 2;
        let answer = egress.send(request).await.expect("an answer");
        assert_eq!((&answer.body[..], answer.truncated), (&b"he"[..], true));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_and_so_does_its_connection() {
    let (address, connections) = server(0, "").await;
    let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default());
    let hangs = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut request = Request::new(Method::GET, format!("http://{}/x", hangs.local_addr().expect("a bound port")));
    request.timeout = Duration::from_millis(20);
    let (answer, stream) = tokio::join!(egress.send(request), hangs.accept());
    assert!(matches!(answer, Err(HttpError::Timeout { after_ms: 20, .. })));
    let mut rest = Vec::new();
    stream.expect("a caller").0.read_to_end(&mut rest).await.expect("the caller closes");
    assert!(rest.starts_with(b"GET /x "));
    // A server that closes without an answer is an error, and says where.
    let error = egress.send(Request::new(Method::GET, format!("http://{address}/"))).await.expect_err("no answer");
    assert!(matches!(error, HttpError::Broken { .. }), "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// A server with TLS whose certificate an authority of its own house vouches
/// for, and a client certificate of the same house.
struct House {
    port: u16,
    root: rcgen::Certificate,
    client: Identity,
}

/// Opens a house; it may ask whoever calls for a certificate.
async fn house(asks_for_certificates: bool) -> House {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).expect("a root");
    let issuer = rcgen::Issuer::new(authority, key);
    let signed = |name: &str| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (leaf.signed_by(&key, &issuer).expect("a certificate"), key)
    };
    let (leaf, key) = signed("localhost");
    let (client, client_key) = signed("client");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = match asks_for_certificates {
        true => config.with_client_cert_verifier(verifier.expect("a verifier")),
        false => config.with_no_client_auth(),
    };
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = config.with_single_cert(vec![leaf.der().clone()], key.into()).expect("they belong together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust us hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(HELLO.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let client = Identity { certificates: client.pem(), key: base::Secret::new(client_key.serialize_pem()) };
    House { port, root, client }
}

fn loopback() -> Vec<Allowed> {
    vec!["127.0.0.0/8".parse().expect("a rule"), "::1/128".parse().expect("a rule")]
}

/// Calls a house; `Ok` is the body.
async fn called(house: &House, authorities: &[CertificateDer<'static>], tls: Option<Tls>) -> Result<String, String> {
    let mut request = Request::new(Method::GET, format!("https://localhost:{}/", house.port));
    request.tls = tls.map(Arc::new);
    let answer = Egress::trusting(loopback(), Origins::default(), authorities).send(request).await;
    answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_if_it_is_named() {
    let house = house(false).await;
    let error = called(&house, &[], None).await.expect_err("nobody vouches for it");
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(called(&house, &[house.root.der().clone()], None).await.as_deref(), Ok("hello"));
    // A call may bring its own authority, or believe anybody.
    let authority = Tls { authorities: Some(house.root.pem()), ..Tls::default() };
    assert_eq!(called(&house, &[], Some(authority)).await.as_deref(), Ok("hello"));
    let anybody = Tls { believes_anybody: true, ..Tls::default() };
    assert_eq!(called(&house, &[], Some(anybody)).await.as_deref(), Ok("hello"));
    let error = called(&house, &[], Some(Tls::default())).await.expect_err("nobody vouches for it");
    assert!(error.contains("certificate"), "{error}");
    let nonsense = Tls { authorities: Some("no certificate".into()), ..Tls::default() };
    let error = called(&house, &[], Some(nonsense)).await.expect_err("no authority");
    assert!(error.ends_with("the authority is not PEM"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_given() {
    let house = house(true).await;
    let trusting = || Tls { authorities: Some(house.root.pem()), ..Tls::default() };
    assert!(called(&house, &[], Some(trusting())).await.is_err(), "the server wants a certificate");
    let known = Tls { identity: Some(house.client.clone()), ..trusting() };
    assert_eq!(called(&house, &[], Some(known)).await.as_deref(), Ok("hello"));
    let key = base::Secret::new("no key");
    let broken = Tls { identity: Some(Identity { key, ..house.client.clone() }), ..trusting() };
    let error = called(&house, &[], Some(broken)).await.expect_err("no key");
    assert!(error.ends_with("the private key of the client certificate is not PEM"), "{error}");
}
