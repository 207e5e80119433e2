//! What happens, as it happens: server-sent events for whoever shows it.
//!
//! An event says of which kind something changed and not what it is now: who is
//! shown it reads it by the calls that there are, with the rights that these
//! ask for. So a stream cannot tell anybody more than they may know, and what is
//! told twice does no harm. Events come from the names of committed writes, are
//! gathered for a moment, and each kind is told once: a thousand runs a second
//! are a few lines.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

use crate::app::App;
use crate::body::Query;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// What is committed within this time is told together.
const GATHERED_FOR: Duration = Duration::from_millis(200);
/// A line goes out so often even if nothing happens, so that a dead connection
/// is noticed.
const KEPT_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What somebody wants to hear of.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Any of `runs`, `flows`, `tasks`, `push-jobs`, `models` and
    /// `subscriptions`, with commas between; all if nothing is said.
    topics: Option<String>,
}

/// What can be heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Runs,
    Flows,
    Tasks,
    PushJobs,
    Models,
    Subscriptions,
}

impl Topic {
    const ALL: [Topic; 6] =
        [Topic::Runs, Topic::Flows, Topic::Tasks, Topic::PushJobs, Topic::Models, Topic::Subscriptions];

    fn word(self) -> &'static str {
        match self {
            Topic::Runs => "runs",
            Topic::Flows => "flows",
            Topic::Tasks => "tasks",
            Topic::PushJobs => "push-jobs",
            Topic::Models => "models",
            Topic::Subscriptions => "subscriptions",
        }
    }

    /// The name of its events.
    fn event(self) -> &'static str {
        match self {
            Topic::Runs => "run",
            Topic::Flows => "flow",
            Topic::Tasks => "task",
            Topic::PushJobs => "push-job",
            Topic::Models => "model",
            Topic::Subscriptions => "subscription",
        }
    }

    /// Returns what a committed write concerns.
    fn of(write: &str) -> Option<Topic> {
        let (part, verb) = write.split_once('.')?;
        match part {
            "flows" => Some(match verb {
                "put" | "publish" | "publish_package" | "put_in_package" | "activate" | "deactivate"
                | "set_variables" | "put_hook" | "learn_hook" | "listen_on_hook" | "accept" | "accept_at_once"
                | "put_connection" | "delete_connection" => Topic::Flows,
                "answer_task" => Topic::Tasks,
                _ => Topic::Runs,
            }),
            "pools" => Some(Topic::PushJobs),
            "mining" => Some(Topic::Models),
            "events" => Some(Topic::Subscriptions),
            _ => None,
        }
    }
}

/// Tells what happens, until the listener goes or the program stops.
pub(super) async fn listen(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    let topics = match wanted.topics.as_deref() {
        None | Some("") => Topic::ALL.into_iter().collect(),
        Some(list) => list.split(',').map(named).collect::<Result<BTreeSet<Topic>, Fault>>()?,
    };
    if topics.iter().any(|topic| matches!(topic, Topic::Runs | Topic::Flows | Topic::Tasks)) {
        rights::use_flows(&app, &actor).await?;
    }
    let listener = Listener {
        topics,
        flows: app.flows.committed(),
        control: app.pools.committed(),
        app,
        greeted: false,
        number: 0,
        waiting: Vec::new(),
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEPT_ALIVE_EVERY)))
}

fn named(word: &str) -> Result<Topic, Fault> {
    Topic::ALL.into_iter().find(|topic| topic.word() == word).ok_or_else(|| {
        let words: Vec<&str> = Topic::ALL.iter().map(|topic| topic.word()).collect();
        let detail = format!("\"{word}\" is no topic: {} are", words.join(", "));
        Fault::invalid("topics", "topic-unknown", detail)
    })
}

struct Listener {
    topics: BTreeSet<Topic>,
    flows: Receiver<&'static str>,
    control: Receiver<&'static str>,
    app: App,
    greeted: bool,
    /// Of the last event.
    number: u64,
    /// Names of events that are to be told.
    waiting: Vec<&'static str>,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(self.event("hello"));
        }
        while self.waiting.is_empty() {
            self.gather().await?;
        }
        let name = self.waiting.remove(0);
        Some(self.event(name))
    }

    fn event(&mut self, name: &'static str) -> Event {
        self.number += 1;
        let data = json!({ "at": self.app.clock.now() });
        Event::default().id(self.number.to_string()).event(name).data(data.to_string())
    }

    /// Waits for something, and for what follows it within a moment; nothing
    /// if the program stops.
    async fn gather(&mut self) -> Option<()> {
        let mut heard = BTreeSet::new();
        let mut missed = false;
        note(self.one().await, &mut heard, &mut missed)?;
        let pause = tokio::time::sleep(GATHERED_FOR);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                one = self.one() => note(one, &mut heard, &mut missed)?,
            }
        }
        if missed {
            self.waiting.push("missed");
        } else {
            self.waiting.extend(heard.intersection(&self.topics).map(|topic| topic.event()));
        }
        Some(())
    }

    async fn one(&mut self) -> Result<&'static str, RecvError> {
        tokio::select! {
            one = self.flows.recv() => one,
            one = self.control.recv() => one,
            () = self.app.readiness.stopped() => Err(RecvError::Closed),
        }
    }
}

fn note(one: Result<&'static str, RecvError>, heard: &mut BTreeSet<Topic>, missed: &mut bool) -> Option<()> {
    match one {
        Ok(write) => heard.extend(Topic::of(write)),
        Err(RecvError::Lagged(_)) => *missed = true,
        Err(RecvError::Closed) => return None,
    }
    Some(())
}
