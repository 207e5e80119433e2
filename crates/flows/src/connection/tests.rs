use base::http::Method;

use super::*;

fn connection(origin: Option<&str>, expires_at: Option<Timestamp>) -> Unsealed {
    Unsealed {
        name: "ws".into(),
        credentials: Credentials::Bearer(Secret::new("dapi-1")),
        origin: origin.map(str::to_owned),
        expires_at,
    }
}

fn sent_to(connection: &Unsealed, url: &str) -> Result<String, String> {
    let mut request = Request::new(Method::GET, url);
    connection.apply(&mut request, Timestamp::EPOCH.plus(std::time::Duration::from_mins(1))).map_err(|e| e.message)?;
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
    assert_eq!(refused, "connection \"ws\" expired on 1970-01-01T00:00:00.000Z");
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
    };
    spec.check().expect("a complete connection");
    let info = ConnectionInfo {
        name: "b".into(),
        kind: "basic".into(),
        origin: None,
        expires_at: None,
        updated_at: Timestamp::EPOCH,
    };
    let opened = Unsealed::new(info, &spec.sealable()).expect("a connection");
    assert_eq!(sent_to(&opened, "https://a.example").as_deref(), Ok("Basic YW5uOnAidw=="));
}

#[test]
fn an_incomplete_connection_is_refused() {
    let spec = |kind: &str, expires_at| ConnectionSpec {
        kind: kind.into(),
        credentials: Credentials::Bearer(Secret::new("x")),
        origin: None,
        expires_at,
    };
    assert_eq!(spec("databricks-pat", None).check().unwrap_err(), "a personal access token needs its expiry date");
    assert_eq!(spec("basic", None).check().unwrap_err(), "its secret is not one of kind \"basic\"");
    assert!(spec("databricks-pat", Some(Timestamp::EPOCH)).check().is_ok());
}
