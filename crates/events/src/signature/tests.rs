//! Signatures, against the published example of the standard.

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn key(secret: &str) -> SigningKey {
    SigningKey::new(&Secret::new(secret)).expect("a secret of the right form")
}

fn signed_at() -> Timestamp {
    Timestamp::from_millis(1_614_265_330_000)
}

fn check(signatures: &str, body: &[u8], now: Timestamp, expected: Result<(), SignatureError>) {
    assert_eq!(key(SECRET).verify(ID, "1614265330", signatures, body, now), expected, "{signatures}");
}

#[test]
fn the_published_example_gives_the_published_signature() {
    assert_eq!(key(SECRET).sign(ID, signed_at(), BODY), SIGNATURE);
}

#[test]
fn a_signature_is_believed_if_one_of_the_list_fits() {
    let now = signed_at();
    check(SIGNATURE, BODY, now, Ok(()));
    check(&format!("v1,bm90IGl0 {SIGNATURE}"), BODY, now, Ok(()));
    check(&format!("v1a,ignored v1,!! {SIGNATURE}"), BODY, now, Ok(()));
    check("", BODY, now, Err(SignatureError::NoMatch));
    check("v1,bm90IGl0", BODY, now, Err(SignatureError::NoMatch));
    check(SIGNATURE, br#"{"test": 2432232315}"#, now, Err(SignatureError::NoMatch));
    check(&SIGNATURE.replace("v1,", "v2,"), BODY, now, Err(SignatureError::NoMatch));
}

#[test]
fn a_recording_is_not_believed() {
    let at = signed_at();
    check(SIGNATURE, BODY, at.plus(TOLERANCE), Ok(()));
    check(SIGNATURE, BODY, at.minus(TOLERANCE), Ok(()));
    let late = at.plus(TOLERANCE).plus(Duration::from_micros(1));
    check(SIGNATURE, BODY, late, Err(SignatureError::TooFar { at }));
    let early = at.minus(TOLERANCE).minus(Duration::from_secs(1));
    check(SIGNATURE, BODY, early, Err(SignatureError::TooFar { at }));
    let soon = key(SECRET).verify(ID, "soon", SIGNATURE, BODY, at);
    assert_eq!(soon.expect_err("not a number").to_string(), r#"the timestamp "soon" is not a number of seconds"#);
}

#[test]
fn a_new_secret_signs_and_an_odd_text_does_not() {
    let chance = base::chance::SeededChance::new(7);
    let secret = new_secret(&chance);
    let signature = key(secret.expose()).sign(ID, signed_at(), BODY);
    assert_eq!(key(secret.expose()).verify(ID, "1614265330", &signature, BODY, signed_at()), Ok(()));
    assert!(!new_secret(&chance).matches(secret.expose()), "two secrets are never the same");
    for text in ["", "whsec_", "whsec_%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        let refused = SigningKey::new(&Secret::new(text));
        assert_eq!(refused.err(), Some(SignatureError::NotASecret), "{text}");
    }
}
