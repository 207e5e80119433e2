//! A whole conversation with somebody who answers at once: a case that stands
//! in a flow's file, or the page of a module. Nobody sleeps; the clock goes on
//! by itself.

use base::Timestamp;
use base::http::{HttpError, Response};

use super::act::{Answer, Ask, Errand, Known, Next};
use super::pace::Pacing;
use super::problem::{self, Facts, Refusal};
use crate::modules::{ModuleError, Settled};
use crate::value::Value;

/// What somebody says to a question.
pub(crate) enum Said {
    /// An answer of HTTP.
    Response(Response),
    /// Nobody is there.
    Nobody(HttpError),
    /// What the module gives, however that came about.
    Module(Result<Vec<Value>, ModuleError>),
    /// There is no second answer to a question that is asked again.
    NothingMore,
}

/// Holds a conversation. `answer` is told whether a question is asked again.
pub(crate) fn hold<E>(
    errand: &Errand,
    key: &str,
    now: &mut Timestamp,
    mut answer: impl FnMut(&Ask, bool, &mut Timestamp) -> Result<Said, E>,
) -> Result<Settled, E> {
    let facts = Facts { connection: errand.connection.clone(), workspace: "the workspace".into(), ..Facts::default() };
    let mut known = Known::default();
    let mut failed: Option<Settled> = None;
    loop {
        known.begin_rows();
        let (ask, looked_for) = match errand.next(&known, key, *now) {
            Next::Done(result) => return Ok(Settled::new(result)),
            Next::Keep => {
                known.was_kept();
                continue;
            }
            Next::Watch(watched) => {
                let pause = Pacing::default().look_after(now.since(watched.since), false);
                let until = watched.deadline.unwrap_or_else(|| now.plus(pause));
                *now = now.plus(pause).min(until.max(*now));
                if watched.deadline.is_some_and(|deadline| deadline <= *now) {
                    continue;
                }
                (watched.kind.look(&watched.id), Some(watched.kind))
            }
            Next::Ask(ask) => (ask, None),
        };
        let response = match answer(&ask, failed.is_some(), now)? {
            Said::Response(response) => response,
            Said::Module(result) => return Ok(Settled::new(result)),
            Said::Nobody(error) => {
                let told = problem::unanswered(&error, &facts);
                if !problem::may_be_answered_later(&error) {
                    return Ok(Settled::new(Err(told)));
                }
                failed = Some(Settled::new(Err(told)));
                continue;
            }
            Said::NothingMore => match failed.take() {
                Some(failed) => return Ok(failed),
                None => continue,
            },
        };
        let status = response.status.as_u16();
        if status >= 300 {
            let refusal = Refusal::read(status, &response.body);
            let error = problem::explain(&refusal, &facts, ask.subject.as_ref(), &ask.body);
            if errand.overlooks(&mut known, &ask, status, &error.message) {
                continue;
            }
            let status_code = Some(status).filter(|status| *status != 429);
            let settled = Settled { status_code, ..Settled::new(Err(error)) };
            if !refusal.may_pass() {
                return Ok(settled);
            }
            failed = Some(settled);
            continue;
        }
        failed = None;
        if let Some(kind) = looked_for {
            let seen: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
            known.ended = kind.is_over(&seen).then_some(seen);
            continue;
        }
        let model = response.headers.get("served-model-name").and_then(|name| name.to_str().ok()).map(str::to_owned);
        if let Err(error) = errand.take(&mut known, &ask, &Answer { body: &response.body, model }, *now) {
            return Ok(Settled::new(Err(error)));
        }
    }
}
