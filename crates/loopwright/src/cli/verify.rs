//! `verify`: does a signature fit? Asked offline, of a call that was kept.
//!
//! Whoever writes a receiver stands before "no signature fits" and does not
//! know why. So the usual mistakes are tried one by one, and the one that
//! explains the call is named with its mend.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::time::SystemClock;
use base::{Clock, Secret, Timestamp};
use clap::Args;
use events::signature::{SignatureError, SigningKey, TOLERANCE};

use super::say;

/// The call cannot be judged: something is missing or cannot be read.
const CANNOT_TELL: u8 = 2;

/// Check the signature of a call that a receiver has kept, without a server.
///
/// Ends with 0 if it is valid, 1 if it is not, 2 if that cannot be told.
#[derive(Args)]
#[command(after_help = "Example:\n  LOOPWRIGHT_SECRET=whsec_… loopwright verify --headers call.headers call.body")]
pub(crate) struct VerifyFlags {
    /// The body exactly as it came; standard input if not given.
    body: Option<PathBuf>,
    /// The headers as they came, one "name: value" a line.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// The header webhook-id.
    #[arg(long)]
    id: Option<String>,
    /// The header webhook-timestamp.
    #[arg(long)]
    timestamp: Option<String>,
    /// The header webhook-signature; may list several.
    #[arg(long)]
    signature: Option<String>,
    /// The secret, whsec_…; better set LOOPWRIGHT_SECRET, or be asked, so that
    /// it stays out of the shell's history.
    #[arg(long, env = "LOOPWRIGHT_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Accept a call of any age.
    #[arg(long, conflicts_with = "at")]
    ignore_time: bool,
    /// Judge the call's age as of this time, such as 2026-02-03T09:15:00Z.
    #[arg(long)]
    at: Option<Timestamp>,
}

/// What is signed, and the signatures.
struct Call {
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
}

/// What was found out about a call.
#[derive(Debug, PartialEq)]
enum Finding {
    Valid(String),
    NotValid { wrong: String, mend: String },
}

/// Answers on standard output and by the exit code.
pub(crate) fn run(flags: &VerifyFlags) -> ExitCode {
    let now = SystemClock.now();
    let judged_at = if flags.ignore_time { None } else { Some(flags.at.unwrap_or(now)) };
    let finding = read(flags).and_then(|(secret, call)| examine(&secret, &call, judged_at));
    match finding {
        Ok(Finding::Valid(words)) => {
            say(&format!("valid: {words}"));
            ExitCode::SUCCESS
        }
        Ok(Finding::NotValid { wrong, mend }) => {
            say(&format!("not valid: {wrong}\n  {mend}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("loopwright: {error:#}");
            ExitCode::from(CANNOT_TELL)
        }
    }
}

fn read(flags: &VerifyFlags) -> Result<(Secret, Call)> {
    let block = match &flags.headers {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?,
        None => String::new(),
    };
    let header = |given: &Option<String>, name: &str, flag: &str| {
        let found = given.clone().or_else(|| header_of(&block, name));
        found.with_context(|| format!("the header {name} is missing; give it by --{flag}, or all by --headers FILE"))
    };
    let id = header(&flags.id, "webhook-id", "id")?;
    let timestamp = header(&flags.timestamp, "webhook-timestamp", "timestamp")?;
    let signatures = header(&flags.signature, "webhook-signature", "signature")?;
    let body_from_input = flags.body.as_deref().is_none_or(|path| path == Path::new("-"));
    let secret = match &flags.secret {
        Some(secret) => Secret::new(secret.trim()),
        None if body_from_input && !std::io::stdin().is_terminal() => {
            bail!("the secret is missing; set LOOPWRIGHT_SECRET, or name the body's file to be asked for the secret")
        }
        None => ask_for_secret()?,
    };
    let body = match flags.body.as_deref().filter(|_| !body_from_input) {
        Some(file) => std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?,
        None => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).context("the body cannot be read from standard input")?;
            body
        }
    };
    Ok((secret, Call { id, timestamp, signatures, body }))
}

/// Finds a header in a block, also in one that `curl -v` has printed.
fn header_of(block: &str, name: &str) -> Option<String> {
    let lines = block.lines().map(|line| line.trim_start_matches(['>', '<', ' ', '*']));
    let mut fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

/// Asks for the secret; on a terminal it is not shown.
fn ask_for_secret() -> Result<Secret> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = std::io::stdin();
    let shown = tcgetattr(&input).ok();
    if let Some(shown) = &shown {
        eprint!("secret (whsec_…): ");
        std::io::stderr().flush()?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Now, &hidden).context("the terminal cannot hide the secret")?;
    }
    let mut line = String::new();
    let read = input.read_line(&mut line);
    if let Some(shown) = &shown {
        eprintln!();
        tcsetattr(&input, OptionalActions::Now, shown).context("the terminal cannot be set back")?;
    }
    read.context("the secret cannot be read")?;
    match line.trim() {
        "" => bail!("no secret was given"),
        secret => Ok(Secret::new(secret)),
    }
}

/// Says whether a signature of the call fits, and if none does, why not.
/// Without `now` a call of any age will do.
fn examine(secret: &Secret, call: &Call, now: Option<Timestamp>) -> Result<Finding> {
    let key = SigningKey::new(secret).context("the secret cannot be used")?;
    let listed: Vec<&str> = call.signatures.split_whitespace().collect();
    let seconds = call.timestamp.trim().parse::<i64>();
    let Ok(seconds) = seconds else {
        let wrong = SignatureError::NotATimestamp { text: call.timestamp.clone() }.to_string();
        return Ok(not_valid(wrong, "it is the header webhook-timestamp, as it came: whole seconds since 1970"));
    };
    if !listed.iter().any(|signature| signature.starts_with("v1,")) {
        let wrong = format!("no \"v1,…\" stands among the {} signatures", listed.len());
        return Ok(not_valid(
            wrong,
            "give the header webhook-signature as it came: v1, and base64, several with spaces",
        ));
    }
    let signed_at = Timestamp::from_millis(seconds.saturating_mul(1_000));
    let fitting = |call: &Call| {
        let fits =
            |signature: &&&str| key.verify(&call.id, &call.timestamp, signature, &call.body, at_of(call)).is_ok();
        listed.iter().filter(fits).count()
    };
    let place = listed
        .iter()
        .position(|signature| key.verify(&call.id, call.timestamp.trim(), signature, &call.body, signed_at).is_ok());
    let Some(place) = place else { return Ok(explain(call, fitting)) };
    let which = if listed.len() == 1 { String::new() } else { format!(" {} of {}", place + 1, listed.len()) };
    let Some(now) = now else {
        return Ok(Finding::Valid(format!("the signature{which} fits; it was made at {signed_at}")));
    };
    let (apart, direction) = match (now.since(signed_at), signed_at.since(now)) {
        (Duration::ZERO, ahead) => (ahead, "in the future"),
        (ago, _) => (ago, "ago"),
    };
    let words = format!("the signature{which} fits; it was made at {signed_at}, {} s {direction}", apart.as_secs());
    if apart <= TOLERANCE {
        return Ok(Finding::Valid(words));
    }
    let mend = if direction == "ago" {
        "an old call is checked with --ignore-time, or --at TIME; a fresh one means that this clock is ahead"
    } else {
        "the clock of this machine is behind, or the sender's is ahead: let both follow a time server"
    };
    Ok(not_valid(format!("{words}, and {} s are allowed", TOLERANCE.as_secs()), mend))
}

fn not_valid(wrong: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding::NotValid { wrong: wrong.into(), mend: mend.into() }
}

/// The time at which a call is neither old nor new.
fn at_of(call: &Call) -> Timestamp {
    Timestamp::from_millis(call.timestamp.trim().parse::<i64>().unwrap_or(0).saturating_mul(1_000))
}

/// Tries the usual mistakes on a call that no signature fits.
fn explain(call: &Call, fitting: impl Fn(&Call) -> usize) -> Finding {
    const AS_IT_CAME: &str = "check the bytes as they came, before anything reads or prints them";
    for (mistake, body) in other_bodies(&call.body) {
        let other = Call { body, id: call.id.clone(), timestamp: call.timestamp.clone(), signatures: String::new() };
        if fitting(&other) > 0 {
            return not_valid(format!("the body was changed: {mistake}"), AS_IT_CAME);
        }
    }
    let id = call.id.trim().trim_matches('"').to_owned();
    let timestamp = call.timestamp.trim().to_owned();
    let thousands = timestamp.strip_suffix("000").filter(|rest| rest.len() >= 9).map(str::to_owned);
    for (mistake, id, timestamp) in [
        ("the id has quotes or spaces around it", id, timestamp.clone()),
        ("the timestamp is in milliseconds", call.id.clone(), thousands.unwrap_or(timestamp)),
    ] {
        let other = Call { body: call.body.clone(), id, timestamp, signatures: String::new() };
        if fitting(&other) > 0 {
            return not_valid(mistake, "take the headers as they came");
        }
    }
    if call.body.is_empty() {
        return not_valid(
            "the body is empty",
            "a body can be read once only: keep its bytes before a framework parses them",
        );
    }
    let mut mend =
        String::from("either the secret is of another subscription, or from before a rotation whose overlap");
    mend.push_str(" has ended;\n  or the body, the id or the timestamp is not what was sent: ");
    let _ = write!(mend, "{} bytes of body, id {}, timestamp {}", call.body.len(), call.id, call.timestamp);
    not_valid("no signature fits this secret and this call", mend)
}

/// What a body may have been before somebody touched it.
fn other_bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut others = Vec::new();
    if let Some(rest) = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")) {
        others.push(("a newline was added at its end", rest.to_vec()));
    }
    if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        others.push(("a byte order mark was added at its beginning", rest.to_vec()));
    }
    let Ok(text) = std::str::from_utf8(body) else { return others };
    let trimmed = text.trim();
    if trimmed.len() < text.len() {
        others.push(("there is white space around it", trimmed.as_bytes().to_vec()));
    }
    if text.contains("\r\n") {
        others.push(("its line ends were changed", text.replace("\r\n", "\n").into_bytes()));
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::String(inner)) => {
            others.push(("it was put into quotes, as a JSON text", inner.into_bytes()));
        }
        Ok(_) => others.push(("it was parsed and printed anew, with other white space", without_white_space(trimmed))),
        Err(_) => {}
    }
    others
}

/// Takes out what stands between the parts of a JSON text. Numbers keep their
/// form, which parsing would lose.
fn without_white_space(json: &str) -> Vec<u8> {
    let (mut kept, mut in_text, mut escaped) = (Vec::with_capacity(json.len()), false, false);
    for byte in json.bytes() {
        if in_text || !byte.is_ascii_whitespace() {
            kept.push(byte);
        }
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
    }
    kept
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &str = "{\"offset\":7,\"price\":1.50}";
    const SIGNED_AT: i64 = 1_800_000_000;

    fn call(change: impl FnOnce(&mut Call)) -> Call {
        let key = SigningKey::new(&Secret::new(SECRET)).expect("a secret");
        let signature = key.sign("e-7", Timestamp::from_millis(SIGNED_AT * 1_000), BODY.as_bytes());
        let mut call =
            Call { id: "e-7".into(), timestamp: SIGNED_AT.to_string(), signatures: signature, body: BODY.into() };
        change(&mut call);
        call
    }

    fn told(secret: &str, call: &Call, seconds_later: Option<i64>) -> String {
        let now = seconds_later.map(|later| Timestamp::from_millis((SIGNED_AT + later) * 1_000));
        match examine(&Secret::new(secret), call, now) {
            Ok(Finding::Valid(words)) => format!("valid: {words}"),
            Ok(Finding::NotValid { wrong, mend }) => format!("not valid: {wrong}\n  {mend}"),
            Err(error) => format!("cannot tell: {error:#}"),
        }
    }

    fn check(secret: &str, seconds_later: Option<i64>, change: impl FnOnce(&mut Call), expected: Expect) {
        expected.assert_eq(&told(secret, &call(change), seconds_later));
    }

    #[test]
    fn what_fits_is_valid() {
        check(
            SECRET,
            Some(3),
            |_| {},
            expect!["valid: the signature fits; it was made at 2027-01-15T08:00:00.000Z, 3 s ago"],
        );
        check(
            SECRET,
            Some(-3),
            |call| call.signatures = format!("v1,AAAA {} v1a,future", call.signatures),
            expect!["valid: the signature 2 of 3 fits; it was made at 2027-01-15T08:00:00.000Z, 3 s in the future"],
        );
        check(SECRET, None, |_| {}, expect!["valid: the signature fits; it was made at 2027-01-15T08:00:00.000Z"]);
    }

    #[test]
    fn the_time_is_judged_for_itself() {
        check(
            SECRET,
            Some(301),
            |_| {},
            expect![[r"
            not valid: the signature fits; it was made at 2027-01-15T08:00:00.000Z, 301 s ago, and 300 s are allowed
              an old call is checked with --ignore-time, or --at TIME; a fresh one means that this clock is ahead"]],
        );
        check(
            SECRET,
            Some(-900),
            |_| {},
            expect![[r"
            not valid: the signature fits; it was made at 2027-01-15T08:00:00.000Z, 900 s in the future, and 300 s are allowed
              the clock of this machine is behind, or the sender's is ahead: let both follow a time server"]],
        );
        check(
            SECRET,
            Some(0),
            |call| call.timestamp = "soon".into(),
            expect![[r#"
            not valid: the timestamp "soon" is not a number of seconds
              it is the header webhook-timestamp, as it came: whole seconds since 1970"#]],
        );
        check(
            SECRET,
            Some(0),
            |call| call.timestamp.push_str("000"),
            expect![[r"
            not valid: the timestamp is in milliseconds
              take the headers as they came"]],
        );
    }

    #[test]
    fn a_changed_body_is_explained() {
        for (body, expected) in [
            (format!("{BODY}\n"), "a newline was added at its end"),
            (format!("{BODY}\r\n"), "a newline was added at its end"),
            (format!("\u{feff}{BODY}"), "a byte order mark was added at its beginning"),
            (format!("  {BODY} "), "there is white space around it"),
            (
                "{\n  \"offset\": 7,\n  \"price\": 1.50\n}".to_owned(),
                "it was parsed and printed anew, with other white space",
            ),
            (serde_json::Value::String(BODY.into()).to_string(), "it was put into quotes, as a JSON text"),
        ] {
            let text = told(SECRET, &call(|call| call.body = body.into_bytes()), Some(0));
            assert!(text.starts_with(&format!("not valid: the body was changed: {expected}\n")), "{text}");
        }
        // A number that is written in another way cannot be brought back.
        let other_number = |call: &mut Call| call.body = b"{\"offset\":7,\"price\":1.5}".to_vec();
        check(
            SECRET,
            Some(0),
            other_number,
            expect![[r"
            not valid: no signature fits this secret and this call
              either the secret is of another subscription, or from before a rotation whose overlap has ended;
              or the body, the id or the timestamp is not what was sent: 24 bytes of body, id e-7, timestamp 1800000000"]],
        );
        check(
            SECRET,
            Some(0),
            |call| call.body.clear(),
            expect![[r"
            not valid: the body is empty
              a body can be read once only: keep its bytes before a framework parses them"]],
        );
    }

    #[test]
    fn what_is_not_a_secret_or_a_signature_is_named() {
        check(
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            Some(0),
            |_| {},
            expect![[
                r#"cannot tell: the secret cannot be used: a secret begins with "whsec_" and continues in base64"#
            ]],
        );
        check(
            SECRET,
            Some(0),
            |call| call.signatures = "abc".into(),
            expect![[r#"
            not valid: no "v1,…" stands among the 1 signatures
              give the header webhook-signature as it came: v1, and base64, several with spaces"#]],
        );
        check(
            SECRET,
            Some(0),
            |call| call.id = "\"e-7\"".into(),
            expect![[r"
            not valid: the id has quotes or spaces around it
              take the headers as they came"]],
        );
    }

    #[test]
    fn headers_are_found_in_any_block() {
        let block =
            "POST /hook HTTP/1.1\r\nHost: x\r\nWebhook-Id: e-7\r\n> webhook-timestamp:  18\r\n\r\nwebhook-id: no";
        assert_eq!(header_of(block, "webhook-id").as_deref(), Some("e-7"));
        assert_eq!(header_of(block, "webhook-timestamp").as_deref(), Some("18"));
        assert_eq!(header_of(block, "webhook-signature"), None);
    }
}
