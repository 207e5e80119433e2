//! Telling others how runs went.
//!
//! What is to be told is a row that is written in the commit in which the run
//! moved, so that no crash can lose it. It goes when its destination has
//! answered with a status of 2xx; until then it is tried again, later and
//! later, for a day. A crash between the answer and the removal tells twice:
//! whoever is told looks at the run, and not only at what it was told.

use std::time::Duration;

use base::Timestamp;
use base::db::Tx;
use base::error::chain;
use base::http::{HeaderValue, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::RunId;
use crate::destinations::Address;
use crate::error::Error;
use crate::run::{ResultState, Run, RunState};
use crate::settings::Webhook;
use crate::tables;
use crate::workspace::Workspace;

/// What is told at the same time.
const NOTICES_AT_ONCE: u32 = 16;
/// How long a destination may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// How long it waits after the first failure; then twice as long, and so on.
const RETRY: Duration = Duration::from_secs(10);
const RETRY_MAX: Duration = Duration::from_hours(1);
/// What is older than this is given up.
const AGE_MAX: Duration = Duration::from_hours(24);
const SLEEP_MAX: Duration = Duration::from_mins(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Something about a run that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEvent {
    Start,
    Success,
    Failure,
    DurationWarning,
}

impl RunEvent {
    const ALL: [RunEvent; 4] = [RunEvent::Start, RunEvent::Success, RunEvent::Failure, RunEvent::DurationWarning];

    /// Returns the word of the API, behind `jobs.`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RunEvent::Start => "on_start",
            RunEvent::Success => "on_success",
            RunEvent::Failure => "on_failure",
            RunEvent::DurationWarning => "on_duration_warning_threshold_exceeded",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

/// What is still to be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) destination: String,
    pub(crate) run: RunId,
    pub(crate) event: RunEvent,
    /// Job and name, as they were.
    pub(crate) told: Json,
    pub(crate) attempts: u32,
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
}

/// Tells what there is to tell when a run has moved from one state to another;
/// a new run was nowhere before.
pub(crate) fn events(before: Option<&Run>, after: &Run) -> Vec<RunEvent> {
    let goes_on = |run: &Run| matches!(run.state, RunState::Active | RunState::Stopping(_));
    let settings = after.settings.notification_settings.unwrap_or_default();
    let mut events = Vec::new();
    let has_started = goes_on(after) || (before.is_none() && after.started_at.is_some());
    if has_started && !before.is_some_and(goes_on) {
        events.push(RunEvent::Start);
    }
    if after.warned_at.is_some() && before.is_none_or(|before| before.warned_at.is_none()) {
        events.push(RunEvent::DurationWarning);
    }
    let had_ended = before.is_some_and(|before| !before.state.is_open());
    if let RunState::Ended(result) = after.state
        && !had_ended
    {
        match result {
            ResultState::MaximumConcurrentRunsReached if settings.no_alert_for_skipped_runs => {}
            ResultState::Canceled | ResultState::UpstreamCanceled if settings.no_alert_for_canceled_runs => {}
            result if result.is_success() || result == ResultState::SuccessWithFailures => {
                events.push(RunEvent::Success);
            }
            _ => events.push(RunEvent::Failure),
        }
    }
    events
}

/// Writes down what there is to tell, in the commit in which a run moves.
pub(crate) fn announce(tx: &mut dyn Tx, before: Option<&Run>, after: &Run, now: Timestamp) -> Result<(), Error> {
    let wanted = &after.settings.webhook_notifications;
    if wanted.is_empty() {
        return Ok(());
    }
    for event in events(before, after) {
        let told: &[Webhook] = match event {
            RunEvent::Start => &wanted.on_start,
            RunEvent::Success => &wanted.on_success,
            RunEvent::Failure => &wanted.on_failure,
            RunEvent::DurationWarning => &wanted.on_duration_warning_threshold_exceeded,
        };
        for webhook in told {
            if tables::destination(tx, &webhook.id)?.is_none() {
                warn!(run.id = %after.id, destination.id = webhook.id, "the notification destination is gone");
                continue;
            }
            let mut job = json!({ "name": after.name });
            if let Some(id) = after.job {
                job["job_id"] = id.to_string().into();
            }
            let notice = Notice {
                // A repaired run ends once more, at another time.
                id: format!("{} {} {} {}", after.id, event.as_str(), webhook.id, now.as_micros()),
                destination: webhook.id.clone(),
                run: after.id,
                event,
                told: job,
                attempts: 0,
                due_at: now,
                created_at: now,
            };
            tables::insert_notice(tx, &notice)?;
        }
    }
    Ok(())
}

/// What became of telling something.
enum Told {
    Done,
    /// Why not, for people.
    Failed(String),
}

impl Workspace {
    /// Tells what is to be told until told to stop.
    pub(crate) async fn run_notices(&self, stop: &CancellationToken) {
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => return,
                told = self.tell_due() => match told {
                    Ok(next) => next.map_or(SLEEP_MAX, |due| due.since(self.clock.now()).min(SLEEP_MAX)),
                    Err(error) => {
                        error!(error = %chain(&error), "notices of runs cannot be read or written");
                        AFTER_A_FAILURE
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.notice_wake.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Tells what is due; returns when there is more to tell.
    pub(crate) async fn tell_due(&self) -> Result<Option<Timestamp>, Error> {
        loop {
            let now = self.clock.now();
            let due = self.db.read("workspace.due_notices", move |tx| tables::due_notices(tx, now, NOTICES_AT_ONCE));
            let due = due.await?;
            if due.is_empty() {
                return self.db.read("workspace.next_notice", tables::next_notice).await;
            }
            let mut calls = JoinSet::new();
            for notice in due {
                let request = self.request_of(&notice).await?;
                let http = self.serving.http.get().cloned();
                calls.spawn(async move {
                    let told = match (request, http) {
                        // Its destination was removed just now, and so was it.
                        (None, _) => Told::Done,
                        (_, None) => Told::Failed("no way out is wired to the workspace".into()),
                        (Some(request), Some(http)) => match http.send(request).await {
                            Ok(answer) if answer.status.is_success() => Told::Done,
                            Ok(answer) => Told::Failed(format!("it answered with status {}", answer.status)),
                            Err(error) => Told::Failed(chain(&error).to_string()),
                        },
                    };
                    (notice, told)
                });
            }
            while let Some(called) = calls.join_next().await {
                let Ok((notice, told)) = called else { continue };
                self.record_told(notice, told).await?;
            }
        }
    }

    async fn record_told(&self, notice: Notice, told: Told) -> Result<(), Error> {
        let now = self.clock.now();
        let attempts = notice.attempts + 1;
        let (run, destination, event) = (notice.run, notice.destination.clone(), notice.event.as_str());
        let due_at = now.plus(RETRY.saturating_mul(1 << (attempts - 1).min(16)).min(RETRY_MAX));
        let is_over = match &told {
            Told::Done => {
                info!(run.id = %run, destination.id = destination, event, "a run was told of");
                true
            }
            Told::Failed(why) if due_at.since(notice.created_at) > AGE_MAX => {
                error!(run.id = %run, destination.id = destination, event, why, "a run is not told of any more");
                true
            }
            Told::Failed(why) => {
                warn!(run.id = %run, destination.id = destination, event, why, "a run could not be told of");
                false
            }
        };
        self.db
            .write("workspace.record_told", move |tx| {
                if is_over {
                    tables::delete_notice(tx, &notice.id)
                } else {
                    tables::put_off_notice(tx, &notice.id, attempts, due_at)
                }
            })
            .await
    }

    /// Returns the call that tells something; nothing if its destination is gone.
    async fn request_of(&self, notice: &Notice) -> Result<Option<Request>, Error> {
        let Some(address) = self.address_of(&notice.destination).await? else { return Ok(None) };
        let event = format!("jobs.{}", notice.event.as_str());
        let (url, body) = match &address {
            Address::Webhook { url, .. } => {
                let body = json!({
                    "event_type": event,
                    "workspace_id": self.options.workspace_id.to_string(),
                    "run": { "run_id": notice.run.to_string() },
                    "job": notice.told,
                });
                (url, body)
            }
            Address::Slack { url } => (url, json!({ "text": self.in_words(notice) })),
        };
        let mut request = Request::new(Method::POST, url.expose());
        request.timeout = ANSWER_MAX;
        request.response_bytes_max = ANSWER_BYTES_MAX;
        request.headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Address::Webhook { username: Some(user), password, .. } = &address {
            let password = password.as_ref().map_or("", |password| password.expose());
            let pair = BASE64.encode(format!("{user}:{password}"));
            let mut value = HeaderValue::from_str(&format!("Basic {pair}")).expect("base64 can stand in a header");
            value.set_sensitive(true);
            request.headers.insert("authorization", value);
        }
        request.body = body.to_string().into();
        Ok(Some(request))
    }

    fn in_words(&self, notice: &Notice) -> String {
        let name = notice.told["name"].as_str().unwrap_or_default();
        let what = match notice.event {
            RunEvent::Start => "has started",
            RunEvent::Success => "ended well",
            RunEvent::Failure => "failed",
            RunEvent::DurationWarning => "takes longer than it should",
        };
        let job = notice.told["job_id"].as_str().unwrap_or("0");
        let (own, workspace) = (&self.options.public_url, self.options.workspace_id);
        format!("Run {run} of \"{name}\" {what}: {own}/?o={workspace}#job/{job}/run/{run}", run = notice.run)
    }
}
