//! Against a server that somebody else wrote: what leaves is read by it, and
//! what it says is read here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::any;
use base::Secret;
use egress::{Egress, Origins};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::connection::{ConnectionInfo, ConnectionSpec, Credentials, Grant, Tokens, Unsealed};

type Served = (SocketAddr, Arc<AtomicUsize>);

/// Starts the server; the number counts the tokens that it has given out.
async fn server() -> Served {
    let tokens = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let app = Router::new()
        .route("/echo", any(echo))
        .route("/parts", any(parts))
        .route("/packed", any(packed))
        .route("/login", any(|| async { ([("set-cookie", "sid=1; Path=/")], Redirect::to("/echo?from=login")) }))
        .route("/moved", any(|| async { Redirect::to("/echo?from=moved") }))
        .route("/temporary", any(|| async { Redirect::temporary("/echo?from=temporary") }))
        .route("/round", any(|| async { Redirect::to("/round") }))
        .route("/xml", any(|| async { ([("content-type", "text/xml; charset=utf-8")], "<a><b>1</b></a>") }))
        .route("/latin", any(|| async { ([("content-type", "text/plain; charset=ISO-8859-1")], vec![b'h', 0xe4]) }))
        .route("/bytes", any(|| async { vec![0xff_u8, 0x00] }))
        .route("/file", any(|| async { ([("content-disposition", "attachment; filename=\"a b.csv\"")], "x,y") }))
        .route("/busy", any(|| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "17")], "later") }))
        .route("/token", any(token))
        .route("/guarded", any(guarded))
        .with_state(tokens.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, tokens)
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let of = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let told = json!({"method": method.as_str(), "query": uri.query(), "body": String::from_utf8_lossy(&body),
        "type": of("content-type"), "cookie": of("cookie"), "authorization": of("authorization")});
    ([("content-type", "application/json")], told.to_string())
}

async fn parts(mut parts: Multipart) -> impl IntoResponse {
    let mut told = Vec::new();
    while let Ok(Some(part)) = parts.next_field().await {
        let (name, file, kind) = (
            part.name().map(str::to_owned),
            part.file_name().map(str::to_owned),
            part.content_type().map(str::to_owned),
        );
        let bytes = part.bytes().await.expect("a part");
        told.push(json!([name, file, kind, String::from_utf8_lossy(&bytes)]));
    }
    ([("content-type", "application/json")], Json::from(told).to_string())
}

async fn packed(headers: HeaderMap) -> impl IntoResponse {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, br#"{"packed": true}"#).expect("memory suffices");
    let bytes = encoder.finish().expect("memory suffices");
    assert!(headers["accept-encoding"].to_str().is_ok_and(|text| text.contains("gzip")));
    ([("content-type", "application/json"), ("content-encoding", "gzip")], bytes)
}

async fn token(State(tokens): State<Arc<AtomicUsize>>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let proof = headers.get("authorization").and_then(|value| value.to_str().ok());
    // "flow:s3 cret", each part written as in a form.
    assert_eq!(proof, Some("Basic ZmxvdzpzMyUyMGNyZXQ="));
    assert_eq!(body, "grant_type=client_credentials&scope=read%20write");
    let number = tokens.fetch_add(1, Ordering::SeqCst) + 1;
    axum::Json(json!({"access_token": format!("t{number}"), "expires_in": 3600, "token_type": "Bearer"}))
}

/// The first token is not accepted.
async fn guarded(headers: HeaderMap) -> impl IntoResponse {
    if headers["authorization"] == "Bearer t1" {
        (StatusCode::UNAUTHORIZED, "old")
    } else {
        (StatusCode::OK, "welcome")
    }
}

fn door() -> Egress {
    Egress::new(vec!["127.0.0.0/8".parse().expect("a rule")], Origins::default())
}

async fn settled(module: &Module, parameters: Json, mapper: Json, jar: Option<&Jar>) -> crate::modules::Settled {
    let mut call = planned(module, &parameters, mapper).expect("a call");
    if let Some(jar) = jar {
        call.jar = Some(jar.clone());
    }
    send(&call, &door(), &[], "0a1b", None, Timestamp::EPOCH).await.0
}

/// Calls the server and returns `data`, or the error.
async fn data(served: &Served, module: &Module, path: &str, mapper: Json) -> String {
    let mut mapper = mapper;
    mapper["url"] = format!("http://{}{path}", served.0).into();
    mapper["parseResponse"] = true.into();
    match settled(module, json!({"handleErrors": true, "inDoubt": "stop"}), mapper, None).await.result {
        Ok(bundles) => bundles[0].field("data").to_json().to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_multipart_body_is_read_by_others() {
    let served = server().await;
    let fields = json!([
        {"key": "note", "fieldType": "text", "value": "gr\u{fc}n \"and\" --boundary"},
        {"key": "file", "fieldType": "file", "fileName": "rows.csv", "data": "a,b\r\n1,2\r\n"},
    ]);
    let read = r#"[["note",null,null,"grün \"and\" --boundary"],["file","rows.csv","text/csv","a,b\r\n1,2\r\n"]]"#;
    let mapper = json!({"method": "post", "bodyType": "multipart_form_data", "formDataFields": fields});
    assert_eq!(data(&served, &SEND_DATA, "/parts", mapper).await, read);
    let mapper = json!({"method": "post", "contentType": "multipart", "multipartBodyContent": fields});
    assert_eq!(data(&served, &MAKE_REQUEST, "/parts", mapper).await, read);
}

#[tokio::test]
async fn forms_and_queries_are_written_as_the_settings_say() {
    let served = server().await;
    let list = json!([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}, {"name": "b", "value": "ä&"}]);
    for (repeats, query) in [(false, "a%5B0%5D=1&a%5B1%5D=2&b=%C3%A4%26"), (true, "a=1&a=2&b=%C3%A4%26")] {
        let told = data(&served, &SEND_DATA, "/echo", json!({"qs": list, "useQuerystring": repeats})).await;
        assert!(told.contains(&format!(r#""query":"{query}""#)), "{told}");
    }
    let told = data(&served, &MAKE_REQUEST, "/echo", json!({"queryParameters": list})).await;
    assert!(told.contains(r#""query":"a=1&a=2&b=%C3%A4%26""#), "{told}");
    let told = data(&served, &SEND_DATA, "/echo?q=a b|c", json!({"serializeUrl": true})).await;
    assert!(told.contains(r#""query":"q=a%20b%7Cc""#), "{told}");
    let mapper = json!({"method": "PUT", "contentType": "urlEncoded",
                        "urlEncodedBodyContent": [{"name": "a", "value": "1 2"}]});
    let told = data(&served, &MAKE_REQUEST, "/echo", mapper).await;
    assert!(told.contains(r#""body":"a=1%202","type":"application/x-www-form-urlencoded""#), "{told}");
    let mapper = json!({"method": "post", "contentType": "json", "inputMethod": "dataStructure",
                        "dataStructureBodyContent": {"n": 1, "at": null}});
    let told = data(&served, &MAKE_REQUEST, "/echo", mapper).await;
    assert!(told.contains(r#""body":"{\"n\":1,\"at\":null}","type":"application/json""#), "{told}");
    let mapper =
        json!({"method": "post", "contentType": "custom", "customContentType": "text/x", "customBodyContent": "hi"});
    let told = data(&served, &MAKE_REQUEST, "/echo", mapper).await;
    assert!(told.contains(r#""body":"hi","type":"text/x""#), "{told}");
}

#[tokio::test]
async fn redirects_are_followed_where_a_setting_says_so() {
    let served = server().await;
    let told = |method: &'static str, path: &'static str, settings: Json| {
        let served = &served;
        async move {
            let mut mapper = json!({"method": method, "bodyType": "raw", "data": "x"});
            mapper.as_object_mut().expect("a mapper").extend(settings.as_object().cloned().unwrap_or_default());
            let told = data(served, &SEND_DATA, path, mapper).await;
            let json: Json = serde_json::from_str(&told).unwrap_or_default();
            format!("{} {}", json["method"], json["body"])
        }
    };
    assert_eq!(told("get", "/moved", json!({"followRedirect": true})).await, r#""GET" """#);
    assert_eq!(told("get", "/moved", json!({})).await, "null null");
    // The second setting is for what does not only read.
    assert_eq!(told("post", "/moved", json!({"followRedirect": true})).await, "null null");
    let all = || json!({"followRedirect": true, "followAllRedirects": true});
    assert_eq!(told("post", "/moved", all()).await, r#""GET" """#);
    assert_eq!(told("post", "/temporary", all()).await, r#""POST" "x""#);
    assert_eq!(told("post", "/temporary", json!({"followAllRedirects": true})).await, "null null");
    // One that leads in a circle ends as an answer.
    let mapper = json!({"url": format!("http://{}/round", served.0), "allowRedirects": true});
    let around = settled(&MAKE_REQUEST, json!({}), mapper, None).await;
    assert_eq!(around.status_code, Some(303));
}

#[tokio::test]
async fn cookies_are_kept_on_the_way_and_shared() {
    let served = server().await;
    let url = |path: &str| format!("http://{}{path}", served.0);
    let login = json!({"url": url("/login"), "followRedirect": true, "parseResponse": true, "shareCookies": true});
    let logged_in = settled(&SEND_DATA, json!({}), login, Some(&Jar::default())).await;
    let bundle = &logged_in.result.as_ref().expect("an answer")[0];
    assert_eq!(bundle.field("data").field("cookie").to_text(), "sid=1", "it is sent behind the redirect already");
    let mut jar = Jar::default();
    logged_in.cookies.iter().cloned().for_each(|cookie| jar.add(cookie));
    let next = json!({"url": url("/echo"), "parseResponse": true, "headers": [{"name": "Cookie", "value": "own=2"}]});
    let shared = settled(&SEND_DATA, json!({}), next.clone(), Some(&jar)).await.result.expect("an answer");
    assert_eq!(shared[0].field("data").field("cookie").to_text(), "own=2; sid=1");
    let apart = settled(&SEND_DATA, json!({}), next, None).await.result.expect("an answer");
    assert_eq!(apart[0].field("data").field("cookie").to_text(), "own=2");
}

#[tokio::test]
async fn answers_are_unpacked_and_parsed() {
    let served = server().await;
    assert_eq!(data(&served, &SEND_DATA, "/packed", json!({"gzip": true})).await, r#"{"packed":true}"#);
    let packed = json!({"requestCompressedContent": true});
    assert_eq!(data(&served, &MAKE_REQUEST, "/packed", packed).await, r#"{"packed":true}"#);
    assert_eq!(data(&served, &SEND_DATA, "/xml", json!({})).await, r#"{"a":[{"b":[{"_value":"1"}]}]}"#);
    assert_eq!(data(&served, &SEND_DATA, "/latin", json!({})).await, "\"hä\"");
    assert_eq!(data(&served, &SEND_DATA, "/bytes", json!({})).await, "\"/wA=\"", "what is no text stays bytes");
}

#[tokio::test]
async fn a_file_has_a_name_and_an_address_an_end() {
    let served = server().await;
    let url = |path: &str| format!("http://{}{path}", served.0);
    let file = settled(&GET_FILE, json!({}), json!({"url": url("/file")}), None).await.result.expect("an answer");
    let told = (file[0].field("fileName").to_text(), file[0].field("data"), file[0].field("fileSize"));
    assert_eq!(told, ("a b.csv".into(), Value::Buffer("x,y".into()), Value::Int(3)));
    let file =
        settled(&DOWNLOAD_FILE, json!({}), json!({"url": url("/xml?v=1")}), None).await.result.expect("an answer");
    assert_eq!(file[0].field("fileName").to_text(), "xml");
    assert_eq!(file[0].field("headers").field("content-type").to_text(), "text/xml; charset=utf-8");
    let end = settled(&RESOLVE_URL, json!({}), json!({"url": url("/moved")}), None).await.result.expect("an answer");
    assert_eq!(end[0].field("url").to_text(), url("/echo?from=moved"));
}

#[tokio::test]
async fn errors_have_their_classes() {
    let served = server().await;
    let error = |url: String, seconds: f64| async move {
        let mut call = planned(&SEND_DATA, &json!({"handleErrors": true}), json!({"url": url})).expect("a call");
        call.timeout = std::time::Duration::from_secs_f64(seconds);
        let (settled, may_help) = send(&call, &door(), &[], "0a1b", None, Timestamp::EPOCH).await;
        (settled.result.expect_err("an error"), may_help)
    };
    let (busy, may_help) = error(format!("http://{}/busy", served.0), 5.0).await;
    assert_eq!(
        (busy.to_string().as_str(), busy.retry_after, may_help),
        ("RateLimitError: [429] later", Some(17), true)
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a port");
    let (nobody, may_help) = error(format!("http://{closed}/"), 5.0).await;
    assert_eq!((nobody.class, may_help), (Class::ConnectionError, true));
    // It listens and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (late, may_help) = error(format!("http://{}/", silent.local_addr().expect("a port")), 0.05).await;
    assert_eq!((late.class, may_help), (Class::ModuleTimeoutError, true));
    let (wrong, may_help) = error("ftp://x/".into(), 5.0).await;
    assert_eq!((wrong.class, may_help), (Class::RuntimeError, false));
}

fn opened(credentials: Credentials, kind: &str) -> Unsealed {
    let spec =
        ConnectionSpec { kind: kind.into(), credentials, origin: None, expires_at: None, imported_ids: Vec::new() };
    spec.check().expect("a complete connection");
    let info = ConnectionInfo {
        name: "c".into(),
        kind: kind.into(),
        origin: None,
        expires_at: None,
        imported_ids: Vec::new(),
        updated_at: Timestamp::EPOCH,
        built_in: false,
        warning: None,
    };
    Unsealed::new(info, &spec.sealable(), Arc::new(Tokens::default())).expect("what was sealed")
}

#[tokio::test]
async fn a_token_is_fetched_kept_and_replaced_when_it_is_refused() {
    let served = server().await;
    let grant = Grant {
        workspace: None,
        token_url: format!("http://{}/token", served.0),
        client_id: "flow".into(),
        client_secret: Secret::new("s3 cret"),
        scope: Some("read write".into()),
        in_body: false,
    };
    let connection = [opened(Credentials::OAuth(grant), "oauth-client-credentials")];
    for path in ["/guarded", "/guarded", "/echo"] {
        let mapper = json!({"url": format!("http://{}{path}", served.0), "method": "post", "parseResponse": true});
        let call = planned(&OAUTH, &json!({"connection": "c"}), mapper).expect("a call");
        let (settled, _) = send(&call, &door(), &connection, "0a1b", None, Timestamp::EPOCH).await;
        let told = settled.result.expect("an answer")[0].field("data");
        match path {
            "/guarded" => assert_eq!(told.to_text(), "welcome"),
            _ => assert_eq!(told.field("authorization").to_text(), "Bearer t2"),
        }
    }
    assert_eq!(served.1.load(Ordering::SeqCst), 2, "one token, and one in place of it");
}

#[tokio::test]
async fn a_key_in_the_query_is_sent_and_not_told() {
    let served = server().await;
    let key = Credentials::Query { parameter: "api key".into(), value: Secret::new("s3cret&") };
    let connection = [opened(key, "query")];
    for (path, module) in [("/echo?a=1", &API_KEY_AUTH), ("/echo", &RESOLVE_URL)] {
        let url = format!("http://{}{path}", served.0);
        let parameters = json!({"auth": 7, "authenticationType": "apiKey", "apiKeyKeychain": 7});
        let call = planned(module, &parameters, json!({"url": url, "parseResponse": true})).expect("a call");
        assert_eq!(call.connection.as_deref(), Some("key:7"));
        let (settled, _) = send(&call, &door(), &connection, "0a1b", None, Timestamp::EPOCH).await;
        let bundle = &settled.result.expect("an answer")[0];
        match path {
            "/echo" => assert_eq!(bundle.field("url").to_text(), url, "the address is told without the key"),
            _ => assert_eq!(bundle.field("data").field("query").to_text(), "a=1&api%20key=s3cret%26"),
        }
    }
}
