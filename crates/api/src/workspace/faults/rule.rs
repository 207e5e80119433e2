//! A fault rule: which requests it is about, and what happens to them.
//!
//! A rule is data, and which of them acts on a request is decided here,
//! without a clock and without a socket.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::Fault;

/// How long a request may be held back.
const DELAY_MAX: Duration = Duration::from_hours(1);
/// How far a clock may jump, in seconds: ten years.
const JUMP_MAX: i64 = 10 * 366 * 86_400;
/// Characters of a route.
const ROUTE_MAX: usize = 300;
/// The methods that a route may name.
const METHODS: [&str; 7] = ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// A rule as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    route: String,
    #[serde(default)]
    after: u64,
    times: Option<u64>,
    delay_ms: Option<u64>,
    clock_jump_seconds: Option<i64>,
    status: Option<u16>,
    error_code: Option<String>,
    message: Option<String>,
    retry_after_ms: Option<u64>,
    retry_after_style: Option<Style>,
    drop: Option<Moment>,
    truncate_bytes: Option<usize>,
    expired_token: Option<bool>,
}

/// How an answer says when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Style {
    /// `Retry-After: 2`, rounded up.
    Seconds,
    /// `Retry-After` with a date of HTTP.
    Date,
    /// `RetryInfo` among the details of the body, to the millisecond.
    Details,
}

/// When a connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    /// Before anything was done.
    Before,
    /// After all was done.
    After,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// It goes its way, late perhaps.
    Nothing,
    /// It gets an error instead.
    Error { status: StatusCode, error_code: Option<String>, message: Option<String>, retry: Option<(Duration, Style)> },
    /// It gets no answer.
    Drop(Moment),
    /// It gets so many bytes of its answer.
    Truncate(usize),
    /// It is taken for one whose token has expired.
    ExpiredToken,
}

/// What a rule does to a request, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    /// Seconds by which the workspace's clock jumps.
    pub(super) jump_seconds: i64,
    /// How long the request is held back.
    pub(super) delay: Duration,
    /// What becomes of it then.
    pub(super) harm: Harm,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Names it.
    pub(super) id: u64,
    method: String,
    path: String,
    after: u64,
    /// How often it acts; 0 is always.
    times: u64,
    strike: Strike,
    /// Requests that came to it, and those that it acted on.
    seen: u64,
    struck: u64,
}

impl Rule {
    /// Reads a rule. `paths` are those of the listener: a rule that is about
    /// none of them would never act.
    pub(super) fn read(id: u64, sent: Sent, paths: &[String]) -> Result<Self, Fault> {
        let (method, path) = route_of(&sent.route, paths)?;
        let delay = Duration::from_millis(sent.delay_ms.unwrap_or(0));
        if delay > DELAY_MAX {
            return Err(wrong("delay_ms", format!("\"delay_ms\" is at most {}", DELAY_MAX.as_millis())));
        }
        let jump_seconds = checked_jump(sent.clock_jump_seconds.unwrap_or(0))?;
        let strike = Strike { jump_seconds, delay, harm: harm_of(&sent)? };
        if strike == (Strike { jump_seconds: 0, delay: Duration::ZERO, harm: Harm::Nothing }) {
            let detail = "the rule does nothing: give it \"status\", \"drop\", \"truncate_bytes\", \"expired_token\", \
                          \"delay_ms\" or \"clock_jump_seconds\"";
            return Err(wrong("route", detail));
        }
        Ok(Rule { id, method, path, after: sent.after, times: sent.times.unwrap_or(1), strike, seen: 0, struck: 0 })
    }

    /// Tells whether the rule is about a request.
    fn is_about(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method == method) && meet(&self.path, path)
    }

    /// Counts a request that comes to the rule, and tells whether it acts.
    fn takes(&mut self) -> bool {
        self.seen += 1;
        let acts = self.seen > self.after && (self.times == 0 || self.struck < self.times);
        self.struck += u64::from(acts);
        acts
    }

    /// Shows the rule in the words in which it was sent, with its counts.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "route": format!("{} {}", self.method, self.path),
            "after": self.after,
            "times": self.times,
            "seen": self.seen,
            "struck": self.struck,
        });
        if self.strike.jump_seconds != 0 {
            shown["clock_jump_seconds"] = self.strike.jump_seconds.into();
        }
        if !self.strike.delay.is_zero() {
            shown["delay_ms"] = millis(self.strike.delay).into();
        }
        match &self.strike.harm {
            Harm::Nothing => {}
            Harm::Error { status, error_code, message, retry } => {
                shown["status"] = status.as_u16().into();
                for (word, text) in [("error_code", error_code), ("message", message)] {
                    if let Some(text) = text {
                        shown[word] = text.as_str().into();
                    }
                }
                if let Some((after, style)) = retry {
                    shown["retry_after_ms"] = millis(*after).into();
                    shown["retry_after_style"] = json!(style);
                }
            }
            Harm::Drop(moment) => shown["drop"] = json!(moment),
            Harm::Truncate(bytes) => shown["truncate_bytes"] = json!(bytes),
            Harm::ExpiredToken => shown["expired_token"] = true.into(),
        }
        shown
    }
}

/// Decides what happens to a request. The rules are asked in their order, and
/// the first that acts takes the request from those behind it.
pub(super) fn decide(rules: &mut [Rule], method: &str, path: &str) -> Option<Strike> {
    rules.iter_mut().find_map(|rule| (rule.is_about(method, path) && rule.takes()).then(|| rule.strike.clone()))
}

/// Checks how far a clock is to jump.
pub(super) fn checked_jump(seconds: i64) -> Result<i64, Fault> {
    if (-JUMP_MAX..=JUMP_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    let detail = format!("a clock jumps by {JUMP_MAX} seconds at most, forward or back, not by {seconds}");
    Err(wrong("clock_jump_seconds", detail))
}

fn wrong(place: &'static str, detail: impl Into<String>) -> Fault {
    Fault::invalid(place, "parameter-invalid", detail)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a method and a path with `*`, such as `POST /api/2.*/jobs/run-now`.
fn route_of(route: &str, paths: &[String]) -> Result<(String, String), Fault> {
    let example = "such as \"POST /api/2.*/jobs/run-now\" or \"* /api/2.0/sql/*\"";
    let Some((method, path)) = route.trim().split_once(' ').filter(|_| route.len() <= ROUTE_MAX) else {
        return Err(wrong("route", format!("\"route\" is a method and a path, {example}")));
    };
    let (method, path) = (method.to_ascii_uppercase(), path.trim());
    if !METHODS.contains(&method.as_str()) {
        return Err(wrong("route", format!("\"{method}\" in \"route\" is none of {}", METHODS.join(", "))));
    }
    if path.starts_with("/__control") {
        return Err(wrong("route", "no rule is about \"/__control\": else nobody could remove it"));
    }
    if !paths.iter().any(|known| meet(path, &opened(known))) {
        return Err(wrong("route", format!("no route of this workspace is like \"{path}\": name one, {example}")));
    }
    Ok((method, path.to_owned()))
}

/// Turns `/jobs/{id}` into `/jobs/*`.
fn opened(path: &str) -> String {
    let mut pieces = path.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + "*" + piece.split_once('}').map_or("", |(_, rest)| rest))
}

/// Tells whether some text fits two patterns, in which `*` stands for any text.
fn meet(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // reached[n]: what was read of `one` meets the first n bytes of `other`.
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    let pass_stars = |reached: &mut Vec<bool>| {
        for (place, byte) in other.iter().enumerate() {
            reached[place + 1] |= reached[place] && *byte == b'*';
        }
    };
    pass_stars(&mut reached);
    for byte in one {
        let mut next = vec![false; other.len() + 1];
        for place in 0..=other.len() {
            if !reached[place] {
                continue;
            }
            match (byte, other.get(place)) {
                (b'*', _) => next[place..].fill(true),
                (_, Some(b'*')) => next[place] = true,
                (byte, Some(there)) if byte == there => next[place + 1] = true,
                _ => {}
            }
        }
        reached = next;
        pass_stars(&mut reached);
    }
    reached[other.len()]
}

/// Reads what becomes of a request: one thing at most.
fn harm_of(sent: &Sent) -> Result<Harm, Fault> {
    let named: Vec<&'static str> = [
        ("status", sent.status.is_some()),
        ("drop", sent.drop.is_some()),
        ("truncate_bytes", sent.truncate_bytes.is_some()),
        ("expired_token", sent.expired_token == Some(true)),
    ]
    .into_iter()
    .filter_map(|(word, is_named)| is_named.then_some(word))
    .collect();
    if let [first, second, ..] = named[..] {
        return Err(wrong(second, format!("\"{first}\" and \"{second}\" exclude each other: make two rules")));
    }
    if sent.status.is_none() {
        let of_status = [
            ("error_code", sent.error_code.is_some()),
            ("message", sent.message.is_some()),
            ("retry_after_ms", sent.retry_after_ms.is_some()),
            ("retry_after_style", sent.retry_after_style.is_some()),
        ];
        if let Some((word, _)) = of_status.into_iter().find(|(_, is_named)| *is_named) {
            return Err(wrong(word, format!("\"{word}\" belongs to an error: name its \"status\" too")));
        }
    }
    if let Some(status) = sent.status {
        let detail = || format!("\"status\" {status} is not that of an error: 400 to 599 are");
        let status = StatusCode::from_u16(status).ok().filter(|_| (400..600).contains(&status));
        let status = status.ok_or_else(|| wrong("status", detail()))?;
        let retry = match (sent.retry_after_ms, sent.retry_after_style) {
            (Some(after), style) => Some((Duration::from_millis(after), style.unwrap_or(Style::Seconds))),
            (None, None) => None,
            (None, Some(_)) => {
                let detail = "\"retry_after_style\" says how \"retry_after_ms\" is told: give both, or none";
                return Err(wrong("retry_after_ms", detail));
            }
        };
        if retry.is_some_and(|(after, _)| after > DELAY_MAX) {
            return Err(wrong("retry_after_ms", format!("\"retry_after_ms\" is at most {}", DELAY_MAX.as_millis())));
        }
        return Ok(Harm::Error { status, error_code: sent.error_code.clone(), message: sent.message.clone(), retry });
    }
    Ok(match (sent.drop, sent.truncate_bytes) {
        (Some(moment), _) => Harm::Drop(moment),
        (None, Some(bytes)) => Harm::Truncate(bytes),
        (None, None) if sent.expired_token == Some(true) => Harm::ExpiredToken,
        (None, None) => Harm::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: Value) -> Result<Rule, String> {
        let sent: Sent = serde_json::from_value(rule).map_err(|error| error.to_string())?;
        let paths = ["/api/2.1/jobs/run-now".to_owned(), "/api/2.0/sql/statements/{id}".to_owned()];
        Rule::read(1, sent, &paths).map_err(|fault| fault.detail)
    }

    #[test]
    fn a_rule_acts_as_often_as_it_says_on_what_it_is_about() {
        let rule = |more: Value| {
            let mut rule = json!({ "route": "POST /api/2.*/jobs/run-now" });
            rule.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
            read(rule).expect("a good rule")
        };
        let mut rules = [
            rule(json!({ "after": 1, "times": 2, "status": 503 })),
            rule(json!({ "times": 1, "drop": "after" })),
            rule(json!({ "times": 0, "delay_ms": 5 })),
        ];
        let told: Vec<String> = (0..5)
            .map(|_| match decide(&mut rules, "POST", "/api/2.2/jobs/run-now") {
                Some(Strike { harm: Harm::Error { status, .. }, .. }) => status.as_u16().to_string(),
                Some(Strike { harm: Harm::Drop(Moment::After), .. }) => "drop".to_owned(),
                Some(Strike { delay, .. }) => format!("{} ms", delay.as_millis()),
                None => "nothing".to_owned(),
            })
            .collect();
        assert_eq!(told, ["drop", "503", "503", "5 ms", "5 ms"]);
        assert_eq!(decide(&mut rules, "GET", "/api/2.2/jobs/run-now"), None);
        assert_eq!(decide(&mut rules, "POST", "/api/2.2/jobs/create"), None);
        let counts = rules.each_ref().map(|rule| (rule.seen, rule.struck));
        assert_eq!(counts, [(5, 2), (3, 1), (2, 2)]);
    }

    #[test]
    fn a_bad_rule_is_refused_with_the_mend() {
        let run_now = "POST /api/2.1/jobs/run-now";
        for (rule, expected) in [
            (json!({ "route": run_now }), "the rule does nothing"),
            (json!({ "route": "/api/2.1/jobs/run-now", "status": 500 }), "\"route\" is a method and a path"),
            (json!({ "route": "FETCH /x", "status": 500 }), "is none of *, GET, HEAD"),
            (json!({ "route": "* /__control/faults", "status": 500 }), "else nobody could remove it"),
            (json!({ "route": "GET /api/2.1/job/run-now", "status": 500 }), "no route of this workspace is like"),
            (json!({ "route": run_now, "status": 200 }), "400 to 599 are"),
            (json!({ "route": run_now, "status": 500, "drop": "after" }), "exclude each other"),
            (json!({ "route": run_now, "drop": "later" }), "expected `before` or `after`"),
            (json!({ "route": run_now, "drop": "after", "retry_after_ms": 5 }), "name its \"status\" too"),
            (json!({ "route": run_now, "status": 429, "retry_after_style": "date" }), "give both, or none"),
            (json!({ "route": run_now, "delay_ms": 3_600_001 }), "at most 3600000"),
            (json!({ "route": run_now, "clock_jump_seconds": i64::MIN }), "forward or back"),
            (json!({ "route": run_now, "status": 500, "probability": 0.5 }), "unknown field `probability`"),
        ] {
            let refused = read(rule.clone()).expect_err("a bad rule");
            assert!(refused.contains(expected), "{rule}: {refused}");
        }
    }

    #[test]
    fn patterns_meet_where_a_text_fits_both() {
        for (one, other, expected) in [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a/*", "/a/{id}", true),
            ("/a/7", "/a/{id}", true),
            ("/a/7/b", "/a/{id}/b", true),
            ("/a/7/c", "/a/{id}/b", false),
            ("*b", "/a/{id}/b", true),
            ("*", "/a", true),
            ("/a/*/c*", "/a/b/c", true),
            ("/a/", "/a", false),
            ("/a*", "/a", true),
        ] {
            assert_eq!(meet(one, &opened(other)), expected, "{one} {other}");
        }
    }
}
