//! `listen`: the events of a trigger as they come, for people who write a
//! receiver.
//!
//! Listening needs no subscription and no address that the server could reach:
//! this program asks, and the server answers as soon as there is something.
//! With `--forward` each event is handed to a local port as the server would
//! hand it to a callback.

mod forward;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::Timestamp;
use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{ClientFlags, local_time, say, short};
use crate::client::{Answer, Client, segment};
use forward::Forward;

/// The server answers after this time even if there is nothing.
const WAIT_SECONDS: u64 = 25;
/// First and longest pause before a server that does not answer is asked again.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);
/// Events that are asked for at once.
const LIMIT: usize = 100;
/// Behind every event.
const END: u64 = i64::MAX as u64;
/// Characters of a field's value that are shown.
const VALUE_CHARS: usize = 40;

/// Print a trigger's events live, and hand them to a local port if you like.
///
/// It follows the trigger from now on, survives restarts of the server and of
/// your receiver, and ends with Ctrl-C.
#[derive(Args)]
#[command(
    after_help = "Example:\n  loopwright listen shop.orders LATE --from-start --forward http://localhost:3000/hook"
)]
pub(crate) struct ListenFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The trigger's id.
    trigger: String,
    /// Begin after this offset instead of now.
    #[arg(long, value_name = "OFFSET", conflicts_with = "from_start")]
    after: Option<u64>,
    /// Begin with the first event that is kept.
    #[arg(long)]
    from_start: bool,
    /// Hand each event to this address, in order, as the server would: same
    /// headers, same body, signed.
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// Sign with this secret instead of a new one that is printed.
    #[arg(long, env = "LOOPWRIGHT_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Pass over events that the local port does not take.
    #[arg(long, requires = "forward")]
    skip_errors: bool,
    /// What stands as subscriberId in the bodies.
    #[arg(long, default_value = "listener", value_name = "ID")]
    subscriber: String,
    /// One JSON object per event.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

/// A piece of a trigger's log, as the server shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tail {
    head: u64,
    first_kept: u64,
    events: Vec<Event>,
}

/// One event. The body keeps its very bytes, because they are signed.
#[derive(Deserialize)]
struct Event {
    offset: u64,
    id: String,
    at: Timestamp,
    body: Box<RawValue>,
}

pub(super) async fn run(flags: ListenFlags) -> Result<()> {
    let forward = match &flags.forward {
        Some(url) => Some(Forward::new(url, flags.secret.as_deref(), &flags.subscriber, flags.skip_errors)?),
        None => None,
    };
    let mut listener = Listener { client: flags.client.client(), after: 0, forward, flags };
    let ended = tokio::select! {
        ended = listener.listen() => ended,
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be listened to"),
    };
    if ended.is_ok() {
        remark(&format!("ended after offset {}; --after {} goes on there", listener.after, listener.after));
    }
    ended
}

/// Says something that is not an event.
fn remark(text: &str) {
    eprintln!("{text}");
}

struct Listener {
    client: Client,
    /// The last event that was dealt with.
    after: u64,
    forward: Option<Forward>,
    flags: ListenFlags,
}

impl Listener {
    async fn listen(&mut self) -> Result<()> {
        self.after = match self.flags.after {
            Some(after) => after,
            None if self.flags.from_start => 0,
            None => self.ask(END, 0).await?.head,
        };
        let (model, trigger) = (&self.flags.model, &self.flags.trigger);
        remark(&format!("listening to {model}/{trigger} after offset {}; Ctrl-C ends", self.after));
        if let Some(forward) = &self.forward {
            remark(&forward.introduction());
        }
        loop {
            let tail = self.ask(self.after, WAIT_SECONDS).await?;
            if tail.first_kept > self.after + 1 {
                remark(&format!("offsets {} to {} are no longer kept", self.after + 1, tail.first_kept - 1));
                self.after = tail.first_kept - 1;
            }
            for event in &tail.events {
                self.show(event).await?;
                self.after = event.offset;
            }
        }
    }

    /// Asks until there is an answer. Only a refusal ends the waiting.
    async fn ask(&self, after: u64, wait_seconds: u64) -> Result<Tail> {
        let path = format!(
            "/api/v1/triggers/{}/{}/events?after={after}&limit={LIMIT}&waitSeconds={wait_seconds}&subscriber={}",
            segment(&self.flags.model),
            segment(&self.flags.trigger),
            segment(&self.flags.subscriber),
        );
        let mut pause = PAUSE_FIRST;
        let mut missed = false;
        loop {
            let answer = self.client.call(Method::GET, &path, None, bytes::Bytes::new()).await;
            match answer {
                Ok(answer) if !answer.status.is_server_error() => {
                    if missed {
                        remark("the server answers again");
                    }
                    return tail_of(answer, &path);
                }
                Ok(_) | Err(_) if missed => {}
                Ok(answer) => remark(&format!("the server answered {}; waiting for it", answer.status)),
                Err(error) => remark(&format!("{error:#}; waiting for it")),
            }
            missed = true;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }

    /// Prints an event and hands it on. With `--json` the line comes when it
    /// has been handed on, because it tells of that too.
    async fn show(&self, event: &Event) -> Result<()> {
        if !self.flags.json {
            say(&line_of(event));
            if let Some(forward) = &self.forward {
                forward.hand_over(event, |line| say(&format!("    {line}"))).await?;
            }
            return Ok(());
        }
        let forwarded = match &self.forward {
            Some(forward) => Some(forward.hand_over(event, remark).await?),
            None => None,
        };
        let body: Json = serde_json::from_str(event.body.get()).context("the event is not JSON")?;
        let mut shown = serde_json::json!({ "offset": event.offset, "id": event.id, "at": event.at, "body": body });
        if let Some(forwarded) = forwarded {
            shown["forwarded"] = serde_json::json!({ "status": forwarded.status, "tookMs": forwarded.took_ms });
        }
        say(&shown.to_string());
        Ok(())
    }
}

fn tail_of(answer: Answer, path: &str) -> Result<Tail> {
    if answer.status == http::StatusCode::UNAUTHORIZED {
        bail!("the server does not know this app key; set LOOPWRIGHT_APP_KEY to \"id:secret\"");
    }
    let body = answer.successful(&Method::GET, path)?;
    serde_json::from_slice(&body).context("the server's answer is not a piece of a log")
}

/// Shows an event in one line.
fn line_of(event: &Event) -> String {
    let body: Json = serde_json::from_str(event.body.get()).unwrap_or_default();
    let mut line = format!("{}  #{:<6} ", local_time(event.at), event.offset);
    line.push_str(&text_of(&body["event"]["identifier"]));
    for field in body["event"]["fields"].as_array().into_iter().flatten() {
        if field["isIdentifier"] != true {
            line.push_str(&format!("  {}={}", text_of(&field["id"]), text_of(&field["value"])));
        }
    }
    line
}

fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => short(text, VALUE_CHARS),
        other => short(&other.to_string(), VALUE_CHARS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let body = serde_json::json!({
            "subscriberId": "listener", "triggerId": "LATE", "offset": 7,
            "event": { "id": "e-7", "identifier": "4711", "typedIdentifier": 4711, "fields": [
                { "id": "ORDER", "value": 4711, "type": "INT", "isIdentifier": true },
                { "id": "CITY", "value": "Ulm", "type": "STRING", "isIdentifier": false },
                { "id": "NOTE", "value": "two\nlines", "type": "STRING", "isIdentifier": false },
                { "id": "LONG", "value": "x".repeat(60), "type": "STRING", "isIdentifier": false },
                { "id": "NONE", "value": null, "type": "FLOAT", "isIdentifier": false },
            ]},
        });
        let at: Timestamp = "2026-02-03T09:15:00.250Z".parse().expect("a time");
        let body = RawValue::from_string(body.to_string()).expect("JSON");
        let line = line_of(&Event { offset: 7, id: "e-7".into(), at, body });
        let expected = format!("  #7      4711  CITY=Ulm  NOTE=two lines  LONG={}…  NONE=null", "x".repeat(39));
        assert_eq!(line, format!("{}{expected}", local_time(at)));
    }
}
