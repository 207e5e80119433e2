//! From a planned request to its answer: redirects followed hop by hop, so
//! that cookies are kept on the way, and a token that is no longer accepted
//! replaced once.

use std::sync::Arc;

use base::http::{HeaderMap, HeaderName, HeaderValue, Http, HttpError, Request, Response, StatusCode, Tls};
use base::{Timestamp, causes};
use tokio::time::Instant;

use super::answer::{self, Answered};
use super::{Cookie, HttpCall};
use crate::connection::Unsealed;
use crate::modules::{Class, ModuleError, Settled};

/// Header that tells a receiver that a repeated request is the same one.
const KEY_HEADER: &str = "idempotency-key";

/// Sends a request with the key of its operation, and to ourselves with what
/// led to it (`why`). `connections` are those that the call names, opened. The second
/// part of the answer tells whether trying again may help: nobody answered, or
/// somebody asked for patience where a bad status is an error.
pub async fn send(
    call: &HttpCall,
    http: &dyn Http,
    connections: &[Unsealed],
    key: &str,
    why: Option<&HeaderMap>,
    now: Timestamp,
) -> (Settled, bool) {
    let sender = Sender { call, http, connections, key, why, now };
    let mut answered = sender.try_once().await;
    let is_refused = |answered: &Answered| answered.response.status == StatusCode::UNAUTHORIZED;
    if answered.as_ref().is_ok_and(is_refused) && connections.iter().any(Unsealed::forget_token) {
        // What is answered by 401 was not done, so it is safe to ask once more.
        answered = sender.try_once().await;
    }
    match answered {
        Ok(answered) => {
            let asks_for_patience = matches!(answered.response.status.as_u16(), 429 | 502 | 503 | 504);
            (answer::settled(call, answered, now), call.evaluate_errors && asks_for_patience)
        }
        Err(error) => {
            let may_help = matches!(error.class, Class::ConnectionError | Class::ModuleTimeoutError);
            (Settled::new(Err(error)), may_help)
        }
    }
}

struct Sender<'a> {
    call: &'a HttpCall,
    http: &'a dyn Http,
    connections: &'a [Unsealed],
    key: &'a str,
    /// Headers that say what led to a call to ourselves; nothing where it goes
    /// to somebody else.
    why: Option<&'a HeaderMap>,
    now: Timestamp,
}

impl Sender<'_> {
    async fn try_once(&self) -> Result<Answered, ModuleError> {
        let until = Instant::now() + self.call.timeout;
        let mut request = self.request()?;
        for connection in self.connections {
            connection.apply(&mut request, self.http, self.now).await?;
        }
        let is_ours = |url: &str| self.http.own_address(url).is_some();
        // The address with what the connection added to it is not told.
        let mut address = self.call.url.clone();
        let mut jar = self.call.jar.clone();
        let mut cookies = Vec::new();
        for hop in 0.. {
            let mut outgoing = request.clone();
            outgoing.timeout = until.saturating_duration_since(Instant::now());
            if let Some(shared) = jar.as_ref().and_then(|jar| jar.header(&request.url)) {
                add_cookies(&mut outgoing, &shared);
            }
            let response = self.http.send(outgoing).await.map_err(|error| self.failed(&error))?;
            if let Some(jar) = &mut jar {
                for cookie in set_by(&response, &request.url) {
                    jar.add(cookie.clone());
                    cookies.push(cookie);
                }
            }
            let next = request.redirected(&response).filter(|_| hop < self.call.redirects_max);
            // Nobody outside may send us to ourselves, by whatever name.
            let next = next.filter(|next| is_ours(&request.url) || !is_ours(&next.url));
            let Some(next) = next else { return Ok(Answered { response, address, cookies }) };
            request = next;
            address.clone_from(&request.url);
        }
        unreachable!("the loop ends where no more redirects are followed")
    }

    fn failed(&self, error: &HttpError) -> ModuleError {
        let failed = failed(error);
        if !self.connections.iter().any(Unsealed::hides_address) {
            return failed;
        }
        let message = match error {
            HttpError::Timeout { after_ms, .. } => format!("no complete answer within {after_ms} ms"),
            HttpError::BadAddress { .. } => "the address of the connection is not one that can be called".to_owned(),
            _ => failed.message,
        };
        ModuleError { message, ..failed }
    }

    fn request(&self) -> Result<Request, ModuleError> {
        let call = self.call;
        let moved = self.connections.iter().find_map(|connection| connection.moved(call));
        let mut request = Request::new(call.method.clone(), moved.unwrap_or_else(|| call.url.clone()));
        request.body = call.body.clone();
        for (name, value) in &call.headers {
            let bad = || ModuleError::new(Class::BundleValidationError, format!("\"{name}\" is not a header"));
            let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
            request.headers.append(header, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
        }
        let key = HeaderValue::from_str(self.key).expect("an operation's key is hexadecimal");
        request.headers.entry(KEY_HEADER).or_insert(key);
        if call.compressed {
            request.headers.entry("accept-encoding").or_insert(HeaderValue::from_static("gzip, deflate"));
        }
        if call.believes_anybody || call.authorities.is_some() {
            let (authorities, believes_anybody) = (call.authorities.clone(), call.believes_anybody);
            request.tls = Some(Arc::new(Tls { authorities, believes_anybody, identity: None }));
        }
        if let Some(why) = self.why {
            // Only we ourselves learn why, and only from here: what a flow's author
            // wrote into that header is not what happened.
            request.headers.remove(causes::HEADER);
            request.headers.extend(why.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok(request)
    }
}

fn failed(error: &HttpError) -> ModuleError {
    ModuleError::new(class_of(error), error.to_string())
}

/// Returns the class of a failure to get an answer.
pub(crate) fn class_of(error: &HttpError) -> Class {
    match error {
        HttpError::Timeout { .. } => Class::ModuleTimeoutError,
        HttpError::BadAddress { .. } | HttpError::Forbidden { .. } => Class::RuntimeError,
        _ => Class::ConnectionError,
    }
}

/// Adds cookies behind those that the flow's author wrote.
fn add_cookies(request: &mut Request, shared: &str) {
    let own = request.headers.get("cookie").and_then(|own| own.to_str().ok());
    let text = own.map_or_else(|| shared.to_owned(), |own| format!("{own}; {shared}"));
    if let Ok(value) = HeaderValue::from_str(&text) {
        request.headers.insert("cookie", value);
    }
}

fn set_by(response: &Response, url: &str) -> Vec<Cookie> {
    let headers = response.headers.get_all("set-cookie").iter();
    headers.filter_map(|header| Cookie::read(&String::from_utf8_lossy(header.as_bytes()), url)).collect()
}
