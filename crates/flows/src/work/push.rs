//! Pushing rows: the calls of the Data Push API, one after the other.
//!
//! All of them together are one effect, which may be repeated: the job bears
//! the key of the operation as a mark. Whoever performs the effect again finds
//! the job by it. One that was executed is only waited for; one that was not
//! has done nothing, and is made anew.

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::perform::For;
use crate::flows::Flows;
use crate::modules::http::{self, HttpCall, Shape, path_part};
use crate::modules::loopwright::THIS;
use crate::modules::loopwright::push_rows::{PushCall, pushed};
use crate::modules::{Class, ModuleError, Settled};

/// A key of the job that only we know; the API gives it back as it came.
const MARK: &str = "loopwrightOperation";
/// The job is looked at after so long, then after twice that …
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// … and at least so often.
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// Letters of a job's log that are told.
const LOG_CHARS_MAX: usize = 500;

/// A job, as far as it matters here.
struct Job {
    id: String,
    status: String,
    logs: String,
}

impl Flows {
    /// Pushes rows and waits until they are there. The second part tells that
    /// trying again may help.
    pub(super) async fn push(&self, push: &PushCall, key: &str, whom: &For<'_>) -> (Settled, bool) {
        match self.push_through(push, key, whom).await {
            Ok(job) => (Settled::new(Ok(vec![pushed(push.rows.unwrap_or(job.1), Some(&job.0))])), false),
            Err(error) => {
                let may_help = error.class.may_pass();
                (Settled::new(Err(error)), may_help)
            }
        }
    }

    /// Returns the job that is done, and the rows of the CSV that was sent.
    async fn push_through(&self, push: &PushCall, key: &str, whom: &For<'_>) -> Result<(String, u64), ModuleError> {
        let jobs = format!("/integration/api/v1/data-push/{}/jobs", path_part(&push.pool));
        let call = Calls { flows: self, push, key, whom };
        let listed = call.json(Method::GET, &jobs, None).await?;
        let marked = listed.as_array().into_iter().flatten().filter(|job| job[MARK] == key);
        let mut begun = None;
        for job in marked.map(read) {
            match job.status.as_str() {
                // Nothing came of it, and nobody else knows it.
                "NEW" => drop(call.json(Method::DELETE, &format!("{jobs}/{}", path_part(&job.id)), None).await),
                _ => begun = Some(job),
            }
        }
        let mut job = match begun {
            Some(job) => job,
            None => {
                let mut body = push.job.clone();
                body[MARK] = key.into();
                let job = read(&call.json(Method::POST, &jobs, Some(body)).await?);
                let one = format!("{jobs}/{}", path_part(&job.id));
                let kind = if push.deletes { "deleted" } else { "upserted" };
                call.file(&format!("{one}/chunks/{kind}"), push.csv.clone()).await?;
                call.json(Method::POST, &one, None).await?;
                job
            }
        };
        let mut look = FIRST_LOOK;
        let one = format!("{jobs}/{}", path_part(&job.id));
        loop {
            match job.status.as_str() {
                "DONE" => {
                    let mut lines = csv::ReaderBuilder::new().flexible(true).from_reader(&push.csv[..]);
                    return Ok((job.id, lines.byte_records().count() as u64));
                }
                "ERROR" | "CANCELED" | "CANCELLED" => {
                    let logs: String = job.logs.chars().take(LOG_CHARS_MAX).collect();
                    let message = format!("push job {} ended as {}: {logs}", job.id, job.status);
                    return Err(ModuleError::new(Class::DataError, message));
                }
                _ => {}
            }
            job = read(&call.json(Method::GET, &one, None).await?);
            if !matches!(job.status.as_str(), "DONE" | "ERROR" | "CANCELED" | "CANCELLED") {
                tokio::time::sleep(look).await;
                look = (look * 2).min(LONGEST_LOOK);
            }
        }
    }
}

fn read(job: &Json) -> Job {
    let text = |name: &str| match &job[name] {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    Job { id: text("id"), status: text("status"), logs: text("logs") }
}

/// The calls of one push.
struct Calls<'a> {
    flows: &'a Flows,
    push: &'a PushCall,
    key: &'a str,
    whom: &'a For<'a>,
}

impl Calls<'_> {
    async fn json(&self, method: Method, path: &str, body: Option<Json>) -> Result<Json, ModuleError> {
        let connection = self.push.connection.clone();
        let mut call = HttpCall::of_service(THIS, path, &body.clone().unwrap_or(json!({})), connection, Shape::Second);
        call.method = method;
        if body.is_none() {
            call.body = Bytes::new();
        }
        self.send(&call).await
    }

    async fn file(&self, path: &str, csv: Bytes) -> Result<Json, ModuleError> {
        let connection = self.push.connection.clone();
        let mut call = HttpCall::of_service(THIS, path, &Json::Null, connection, Shape::Second);
        call.headers = vec![("Content-Type".into(), "text/csv".into())];
        call.body = csv;
        self.send(&call).await
    }

    async fn send(&self, call: &HttpCall) -> Result<Json, ModuleError> {
        let (settled, _) = self.flows.call(call, self.key, self.whom).await;
        let bundles = settled.result.map_err(|error| http::of_status(error, settled.status_code))?;
        Ok(bundles.first().map(|bundle| bundle.field("data").to_json()).unwrap_or_default())
    }
}
