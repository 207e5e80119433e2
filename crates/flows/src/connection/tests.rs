use base::http::Method;
use base::testing::ScriptedHttp;

use super::*;

fn connection(origin: Option<&str>, expires_at: Option<Timestamp>) -> Unsealed {
    Unsealed {
        name: "ws".into(),
        kind: "bearer".into(),
        updated_at: Timestamp::EPOCH,
        tokens: Arc::default(),
        credentials: Credentials::Bearer(Secret::new("dapi-1")),
        origin: origin.map(str::to_owned),
        expires_at,
    }
}

fn sent_to(connection: &Unsealed, url: &str) -> Result<String, String> {
    let mut request = Request::new(Method::GET, url);
    let now = Timestamp::EPOCH.plus(std::time::Duration::from_mins(1));
    connection
        .judge(&request, None, now)
        .and_then(|()| connection.add(&mut request, None))
        .map_err(|error| error.message)?;
    Ok(request.headers["authorization"].to_str().expect("ASCII").to_owned())
}

#[test]
fn credentials_go_to_their_origin_and_nowhere_else() {
    let bound = connection(Some("loopwright://workspace"), None);
    assert_eq!(sent_to(&bound, "loopwright://workspace/api/2.1/jobs/run-now").as_deref(), Ok("Bearer dapi-1"));
    for elsewhere in [
        "loopwright://this/api",
        "https://workspace/api",
        "loopwright://workspace.evil.example/api",
        "loopwright://workspace@evil.example/api",
        "not an address",
    ] {
        let refused = sent_to(&bound, elsewhere).expect_err(elsewhere);
        assert_eq!(refused, "connection \"ws\" may only be used for loopwright://workspace");
    }
    assert!(sent_to(&connection(None, None), "https://anywhere.example").is_ok());
}

#[test]
fn an_expired_connection_says_so() {
    let refused = sent_to(&connection(None, Some(Timestamp::EPOCH)), "https://a.example").expect_err("expired");
    assert_eq!(refused, "connection \"ws\" expired on 1970-01-01T00:00:00.000Z: put a new secret into it");
}

#[test]
fn an_app_key_is_encoded_unless_it_is_already() {
    for (secret, header) in [("id:secret", "AppKey aWQ6c2VjcmV0"), ("aWQ6c2VjcmV0", "AppKey aWQ6c2VjcmV0")] {
        let connection = Unsealed { credentials: Credentials::AppKey(Secret::new(secret)), ..connection(None, None) };
        assert_eq!(sent_to(&connection, "https://a.example").as_deref(), Ok(header));
    }
}

#[test]
fn what_is_sealed_opens_to_the_same_credentials() {
    let spec = ConnectionSpec {
        kind: "basic".into(),
        credentials: Credentials::Basic { user: "ann".into(), password: Secret::new("p\"w") },
        origin: None,
        expires_at: None,
        imported_ids: Vec::new(),
    };
    spec.check().expect("a complete connection");
    let info = ConnectionInfo {
        name: "b".into(),
        kind: "basic".into(),
        origin: None,
        expires_at: None,
        imported_ids: Vec::new(),
        updated_at: Timestamp::EPOCH,
        built_in: false,
        warning: None,
    };
    let opened = Unsealed::new(info, &spec.sealable(), Arc::default()).expect("a connection");
    assert_eq!(sent_to(&opened, "https://a.example").as_deref(), Ok("Basic YW5uOnAidw=="));
}

#[test]
fn an_incomplete_connection_is_refused() {
    let spec = |kind: &str, expires_at| ConnectionSpec {
        kind: kind.into(),
        credentials: Credentials::Bearer(Secret::new("x")),
        origin: None,
        expires_at,
        imported_ids: Vec::new(),
    };
    assert_eq!(spec("databricks-pat", None).check().unwrap_err(), "a personal access token needs its expiry date");
    assert_eq!(spec("basic", None).check().unwrap_err(), "its secret is not one of kind \"basic\"");
    assert!(spec("databricks-pat", Some(Timestamp::EPOCH)).check().is_ok());
}

/// A connection that fetches its token.
fn fetching(tokens: &Arc<Tokens>, put: Timestamp, in_body: bool) -> Unsealed {
    let grant = Grant {
        token_url: "https://login.example/token".into(),
        workspace: None,
        client_id: "flow".into(),
        client_secret: Secret::new("s3cret"),
        scope: None,
        in_body,
    };
    let origin = Some("https://api.example".to_owned());
    Unsealed {
        credentials: Credentials::OAuth(grant),
        origin,
        tokens: tokens.clone(),
        updated_at: put,
        ..connection(None, None)
    }
}

async fn sent_with(
    connection: &Unsealed,
    url: &str,
    http: &ScriptedHttp,
    now: Timestamp,
) -> Result<String, ModuleError> {
    let mut request = Request::new(Method::GET, url);
    connection.apply(&mut request, http, now).await?;
    let header = &request.headers["authorization"];
    assert!(header.is_sensitive());
    Ok(header.to_str().expect("ASCII").to_owned())
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_ends() {
    let tokens = Arc::new(Tokens::default());
    let at = |seconds| Timestamp::EPOCH.plus(std::time::Duration::from_secs(seconds));
    let http = ScriptedHttp::default();
    for token in ["t1", "t2", "t3"] {
        http.push(200, &format!(r#"{{"access_token": "{token}", "expires_in": 100}}"#));
    }
    let api = "https://api.example/x";
    let connection = fetching(&tokens, Timestamp::EPOCH, false);
    // It is not even asked for where it may not go.
    let elsewhere = sent_with(&connection, "https://evil.example/", &http, at(0)).await.expect_err("another origin");
    assert_eq!(elsewhere.message, "connection \"ws\" may only be used for https://api.example");
    assert!(http.requests().is_empty());
    for (seconds, expected) in [(0, "Bearer t1"), (49, "Bearer t1"), (50, "Bearer t2"), (71, "Bearer t2")] {
        assert_eq!(sent_with(&connection, api, &http, at(seconds)).await.as_deref(), Ok(expected));
    }
    // Whoever puts the connection anew asks anew, here with the proof in the body.
    let renewed = fetching(&tokens, at(72), true);
    assert_eq!(sent_with(&renewed, api, &http, at(72)).await.as_deref(), Ok("Bearer t3"));
    let asked = http.requests();
    assert!(asked[0].headers.contains_key("authorization") && !asked[2].headers.contains_key("authorization"));
    assert_eq!(&asked[2].body[..], b"grant_type=client_credentials&client_id=flow&client_secret=s3cret");
}

#[tokio::test]
async fn a_token_that_is_not_given_is_told_without_what_was_said() {
    for (status, body, expected) in [
        (
            401,
            r#"{"error": "invalid_client", "echo": "s3cret"}"#,
            "InvalidConfigurationError: connection \"ws\" is given no token: the answer is 401 (invalid_client)",
        ),
        (503, "s3cret", "ConnectionError: connection \"ws\" is given no token: the answer is 503"),
        (
            200,
            "s3cret",
            "InvalidConfigurationError: connection \"ws\" is given no token: the answer has no \"access_token\"",
        ),
    ] {
        let http = ScriptedHttp::default();
        http.push(status, body);
        let connection = fetching(&Arc::default(), Timestamp::EPOCH, false);
        let refused = sent_with(&connection, "https://api.example/x", &http, Timestamp::EPOCH).await.expect_err("none");
        assert_eq!(refused.to_string(), expected);
    }
}

#[tokio::test]
async fn a_workspace_says_itself_where_its_tokens_are_given_out() {
    let workspace = "https://adb-1.2.azuredatabricks.net";
    let spec = ConnectionSpec {
        kind: "databricks-oauth".into(),
        credentials: Credentials::OAuth(Grant {
            token_url: String::new(),
            workspace: None,
            client_id: "app".into(),
            client_secret: Secret::new("s3cret"),
            scope: Some("all-apis".into()),
            in_body: false,
        }),
        origin: Some(format!("{workspace}/?o=1")),
        expires_at: None,
        imported_ids: Vec::new(),
    };
    let spec = spec.completed(Timestamp::EPOCH).expect("it is mended");
    spec.check().expect("it is complete");
    let connected = |tokens: &Arc<Tokens>| Unsealed {
        credentials: spec.credentials.clone(),
        origin: spec.origin.clone(),
        tokens: tokens.clone(),
        ..connection(None, None)
    };
    let http = ScriptedHttp::default();
    http.push(200, r#"{"oidc_endpoint": "https://login.example/oidc/accounts/{account_id}", "account_id": "a-1"}"#);
    http.push(200, r#"{"token_endpoint": "https://login.example/oidc/accounts/a-1/v1/token"}"#);
    http.push(200, r#"{"access_token": "t1", "expires_in": 3600}"#);
    let unsealed = connected(&Arc::default());
    let api = format!("{workspace}/api");
    assert_eq!(sent_with(&unsealed, &api, &http, Timestamp::EPOCH).await.as_deref(), Ok("Bearer t1"));
    let asked: Vec<String> = http.requests().iter().map(|request| request.url.clone()).collect();
    assert_eq!(
        asked,
        [
            format!("{workspace}/.well-known/databricks-config"),
            "https://login.example/oidc/accounts/a-1/.well-known/oauth-authorization-server".into(),
            "https://login.example/oidc/accounts/a-1/v1/token".into(),
        ]
    );
    // A token that was refused is forgotten, and one that has taken its place is not.
    let other = HeaderValue::from_static("Bearer other");
    assert!(unsealed.forget_used_token(Some(&other)));
    assert_eq!(sent_with(&unsealed, &api, &http, Timestamp::EPOCH).await.as_deref(), Ok("Bearer t1"));
    // The secret goes nowhere without protection.
    let http = ScriptedHttp::default();
    http.push(200, r#"{"oidc_endpoint": "http://evil.example/oidc"}"#);
    let refused = sent_with(&connected(&Arc::default()), &api, &http, Timestamp::EPOCH).await.expect_err("refused");
    assert!(refused.message.contains("which is not protected"), "{refused}");
    assert_eq!(http.requests().len(), 1);
}

/// Our own workspace, which is called by the address at which it listens.
struct AtHome(ScriptedHttp);

impl Http for AtHome {
    fn send(&self, request: Request) -> base::BoxFuture<'_, Result<base::http::Response, base::http::HttpError>> {
        self.0.send(request)
    }

    fn own_address(&self, url: &str) -> Option<String> {
        url.strip_prefix("http://127.0.0.1:8081").map(|rest| format!("loopwright://workspace{rest}"))
    }
}

#[tokio::test]
async fn our_own_workspace_gives_out_its_tokens_where_the_connection_calls_it() {
    let http = AtHome(ScriptedHttp::default());
    // It knows itself by the name under which we reach it.
    http.0.push(200, r#"{"oidc_endpoint": "http://workspace/oidc"}"#);
    http.0.push(200, r#"{"token_endpoint": "http://workspace/oidc/v1/token"}"#);
    let found = discovery::token_url("dbx", "http://127.0.0.1:8081", &http).await;
    assert_eq!(found, Ok("http://127.0.0.1:8081/oidc/v1/token".to_owned()));
}
