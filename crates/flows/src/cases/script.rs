//! What the outside answers in a case, and what it was asked.

use std::collections::BTreeMap;
use std::time::Duration;

use base::BoxFuture;
use base::http::{Http, HttpError, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::modules::http::{HttpCall, redacted_output};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// What is answered to a module.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// One after the other, and no more than these.
    InTurn(Vec<Answer>),
    /// Always the same.
    Always(Answer),
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, because an error shall say which key is wrong.
        let read = match Json::deserialize(deserializer)? {
            Json::Array(answers) => serde_json::from_value(answers.into()).map(Answers::InTurn),
            answer => serde_json::from_value(answer).map(Answers::Always),
        };
        read.map_err(serde::de::Error::custom)
    }
}

/// One answer: exactly one of `status`, `bundles`, `error` and `timeout`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Answer {
    /// A status of HTTP.
    status: Option<u16>,
    /// Headers of that answer.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Its body: a text as it is, anything else as JSON.
    #[serde(default)]
    body: Json,
    /// What the module gives, whatever it is.
    bundles: Option<Vec<Json>>,
    /// Class of the error with which it fails, such as `ConnectionError`.
    error: Option<String>,
    /// What that error says.
    message: Option<String>,
    /// Nobody answers in time.
    #[serde(default)]
    timeout: bool,
    /// How long the answer takes; the clock of the case goes on by it.
    #[serde(default)]
    pub(super) takes_seconds: f64,
}

/// What an answer comes to.
pub(super) enum Reply {
    /// An answer of HTTP, or none.
    Http(Result<Response, HttpError>),
    /// What the module gives or how it fails, however that came about.
    Module(Result<Vec<Value>, ModuleError>),
}

impl Answer {
    /// Reads it; the error says what is wrong with how it is written.
    pub(super) fn reply(&self, target: &str) -> Result<Reply, String> {
        let said = [self.status.is_some(), self.bundles.is_some(), self.error.is_some(), self.timeout];
        if said.iter().filter(|is_said| **is_said).count() != 1 {
            return Err("an answer needs one of status, bundles, error, and timeout: true".into());
        }
        if let Some(bundles) = &self.bundles {
            return Ok(Reply::Module(Ok(bundles.iter().cloned().map(Value::from_json).collect())));
        }
        if let Some(name) = &self.error {
            let class = Class::named(name);
            if class.as_str() != name {
                return Err(format!("\"{name}\" is no class of errors, such as ConnectionError or RuntimeError"));
            }
            let message = self.message.clone().unwrap_or_else(|| "as the case says".into());
            return Ok(Reply::Module(Err(ModuleError::new(class, message))));
        }
        let Some(status) = self.status else {
            return Ok(Reply::Http(Err(HttpError::Timeout { target: target.to_owned(), after_ms: self.takes_ms() })));
        };
        let status = StatusCode::from_u16(status).map_err(|_| format!("{status} is no status of HTTP"))?;
        self.response(status).map(|response| Reply::Http(Ok(response)))
    }

    fn response(&self, status: StatusCode) -> Result<Response, String> {
        let (body, content_type) = match &self.body {
            Json::Null => (String::new(), None),
            Json::String(text) => (text.clone(), None),
            body => (body.to_string(), Some("application/json")),
        };
        let mut headers = base::http::HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert("content-type", content_type.parse().expect("it is a header"));
        }
        for (name, value) in &self.headers {
            let name: base::http::HeaderName =
                name.parse().map_err(|_| format!("\"{name}\" is not the name of a header"))?;
            headers.insert(name, value.parse().map_err(|_| format!("\"{value}\" cannot stand in a header"))?);
        }
        Ok(Response { status, headers, body: body.into(), truncated: false })
    }

    fn takes_ms(&self) -> u64 {
        self.takes().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Returns how long it takes.
    pub(super) fn takes(&self) -> Duration {
        Duration::try_from_secs_f64(self.takes_seconds).unwrap_or_default()
    }
}

/// The answers that are left, by module.
pub(super) struct Script {
    left: BTreeMap<u32, Left>,
}

struct Left {
    answers: Answers,
    used: usize,
}

impl Script {
    pub(super) fn new(answers: &BTreeMap<u32, Answers>) -> Self {
        let left = |(module, answers): (&u32, &Answers)| (*module, Left { answers: answers.clone(), used: 0 });
        Script { left: answers.iter().map(left).collect() }
    }

    /// Tells whether anything is said of a module.
    pub(super) fn knows(&self, module: u32) -> bool {
        self.left.contains_key(&module)
    }

    /// Takes the next answer to a module. The error says what to write.
    pub(super) fn take(&mut self, module: u32, asked: &str) -> Result<Answer, String> {
        let Some(left) = self.left.get_mut(&module) else {
            return Err(format!("{asked}, and the case has no answer to it: write answers: {{ {module}: … }}"));
        };
        left.used += 1;
        match &left.answers {
            Answers::Always(answer) => Ok(answer.clone()),
            Answers::InTurn(answers) => answers.get(left.used - 1).cloned().ok_or_else(|| {
                format!("{asked} for the {} time, and the case has {} answers to it", nth(left.used), answers.len())
            }),
        }
    }

    /// Tells whether another answer follows for a module whose answers come in
    /// turn.
    pub(super) fn has_another(&self, module: u32) -> bool {
        let left = self.left.get(&module);
        left.is_some_and(|left| matches!(&left.answers, Answers::InTurn(answers) if left.used < answers.len()))
    }

    /// Says which answers nobody asked for.
    pub(super) fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for (module, left) in &self.left {
            match &left.answers {
                _ if left.used == 0 => unused.push(format!("answers.{module}: nobody asked for it")),
                Answers::InTurn(answers) if left.used < answers.len() => {
                    let (count, used) = (answers.len(), left.used);
                    unused.push(format!("answers.{module}: only {used} of {count} were asked for"));
                }
                _ => {}
            }
        }
        unused
    }
}

fn nth(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Answers one request, and keeps what was asked.
pub(super) struct Once {
    reply: Mutex<Option<Result<Response, HttpError>>>,
    asked: Mutex<Option<Request>>,
}

impl Once {
    pub(super) fn new(reply: Result<Response, HttpError>) -> Self {
        Once { reply: Mutex::new(Some(reply)), asked: Mutex::new(None) }
    }

    /// Returns what was asked as a case writes it, without its secrets.
    pub(super) fn asked(&self, call: &HttpCall) -> Json {
        let asked = self.asked.lock().take();
        let headers = asked.iter().flat_map(|request| &request.headers);
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
        });
        let headers: Map<String, Json> = headers.filter(|(name, _)| name != "idempotency-key").collect();
        let shown = redacted_output(&Value::from_json(json!({"headers": headers, "url": call.url}))).to_json();
        let text = String::from_utf8_lossy(&call.body);
        let body = if text.is_empty() { Json::Null } else { serde_json::from_str(&text).unwrap_or(text.into()) };
        let mut told = json!({"method": call.method.as_str(), "url": shown["url"], "headers": shown["headers"]});
        if !body.is_null() {
            told["body"] = body;
        }
        if let Some(connection) = &call.connection {
            told["connection"] = connection.clone().into();
        }
        told
    }
}

impl Http for Once {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let target = request.url.clone();
        *self.asked.lock() = Some(request);
        let reply = self.reply.lock().take();
        // Only a followed redirect asks again.
        let none = || HttpError::Broken { target, detail: "the case has one answer for each operation".into() };
        Box::pin(async move { reply.unwrap_or_else(|| Err(none())) })
    }
}
