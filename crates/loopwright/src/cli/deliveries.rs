//! `deliveries`: what was tried, as a table that a person can read.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::time::SystemClock;
use base::{Clock, Timestamp};
use clap::Args;
use serde_json::Value as Json;

use super::table::Table;
use super::{ClientFlags, local_time, say};
use crate::client::Client;

/// Pause between two looks of `--follow`.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Attempts are listed by their beginning, but told at their end: a look
/// reaches back as far as the longest call.
const CALL_LONGEST: Duration = Duration::from_mins(5);
/// Entries that are asked for at once.
const PAGE_SIZE: usize = 500;
/// Characters of an answer that are shown.
const ANSWER_CHARS: usize = 60;

/// Show what was tried: every attempt with its answer and the next try.
///
/// The latest stand at the end. Without filters, the last 50 attempts of all
/// your subscriptions are shown.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright deliveries --verdict failed --since 1h --follow")]
pub(crate) struct DeliveriesFlags {
    /// Only this subscription, by its id.
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Only subscriptions in this state: active, failed, suspended, paused, rejected.
    #[arg(long)]
    state: Option<String>,
    /// Only attempts that ended so: delivered, failed, skipped, rejected, busy, late.
    #[arg(long)]
    verdict: Option<String>,
    /// Only the last while, such as 90s, 15m, 1h or 2d.
    #[arg(long, value_parser = span)]
    since: Option<Duration>,
    /// So many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// One JSON object per attempt.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run(flags: DeliveriesFlags) -> Result<()> {
    let client = flags.client.client();
    let from = flags.since.map(|since| SystemClock.now().minus(since));
    let mut latest = read(&client, &flags, from, flags.limit).await?;
    latest.reverse();
    let mut printer = Printer::new(flags.json);
    printer.print(&latest);
    if !flags.follow {
        if latest.is_empty() && !flags.json {
            say("nothing was tried; `loopwright deliveries --since 2d` looks further back");
        }
        return Ok(());
    }
    tokio::select! {
        ended = follow(&client, &flags, printer, &latest) => ended,
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be listened to"),
    }
}

/// Prints what comes, until it is stopped.
async fn follow(client: &Client, flags: &DeliveriesFlags, mut printer: Printer, shown: &[Json]) -> Result<()> {
    let mut seen: BTreeSet<(String, String)> = shown.iter().map(key_of).collect();
    let mut last = shown.last().and_then(started_at).unwrap_or_else(|| SystemClock.now());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let from = last.minus(CALL_LONGEST);
        let mut news = match read(client, flags, Some(from), usize::MAX).await {
            Ok(news) => news,
            // A server that restarts is worth waiting for; one that refuses is not.
            Err(error) if error.downcast_ref::<crate::client::Unreachable>().is_some() => continue,
            Err(error) => return Err(error),
        };
        news.retain(|delivery| seen.insert(key_of(delivery)));
        news.reverse();
        printer.print(&news);
        last = news.iter().filter_map(started_at).fold(last, Timestamp::max);
        let horizon = last.minus(CALL_LONGEST).minus(CALL_LONGEST).to_string();
        seen = seen.split_off(&(horizon, String::new()));
    }
}

/// Reads the latest attempts, the latest first, by pages.
async fn read(client: &Client, flags: &DeliveriesFlags, from: Option<Timestamp>, limit: usize) -> Result<Vec<Json>> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let filters = [("subscription", &flags.subscription), ("state", &flags.state), ("verdict", &flags.verdict)];
    for (name, value) in filters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if let Some(from) = from {
        query.append_pair("from", &from.to_string());
    }
    let query = query.finish();
    let mut all = Vec::new();
    for page in 0.. {
        let size = PAGE_SIZE.min(limit);
        let path = format!("/api/v1/deliveries?{query}&page={page}&pageSize={size}");
        let mut answer = client.get(&path).await?;
        let Json::Array(content) = answer["deliveries"].take() else { bail!("the server's answer has no deliveries") };
        let whole = content.len() == size;
        all.extend(content);
        if !whole || all.len() >= limit {
            break;
        }
    }
    all.truncate(limit);
    Ok(all)
}

fn started_at(delivery: &Json) -> Option<Timestamp> {
    delivery["startedAt"].as_str()?.parse().ok()
}

/// What tells an attempt from every other: when it began, first of all.
fn key_of(delivery: &Json) -> (String, String) {
    let begun = delivery["startedAt"].as_str().unwrap_or_default().to_owned();
    let rest = ["subscription", "generation", "offset", "attempt"].map(|member| delivery[member].to_string());
    (begun, rest.join(" "))
}

/// Prints attempts as a table, whose head comes once, or as JSON.
struct Printer {
    json: bool,
    table: Option<Table>,
}

impl Printer {
    fn new(json: bool) -> Self {
        Printer { json, table: None }
    }

    fn print(&mut self, deliveries: &[Json]) {
        if self.json {
            for delivery in deliveries {
                say(&delivery.to_string());
            }
            return;
        }
        for line in self.lines(deliveries) {
            say(&line);
        }
    }

    fn lines(&mut self, deliveries: &[Json]) -> Vec<String> {
        let rows: Vec<Vec<String>> = deliveries.iter().map(row).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let begun = self.table.is_some();
        let table = self.table.get_or_insert_with(|| {
            Table::new([
                ("time", false),
                ("subscription", false),
                ("offset", true),
                ("try", true),
                ("verdict", false),
                ("status", true),
                ("took", true),
                ("next try", false),
                ("answer", false),
            ])
        });
        table.widen(&rows);
        let head = if begun { Vec::new() } else { table.head().to_vec() };
        head.into_iter().chain(rows.iter().map(|row| table.line(row))).collect()
    }
}

fn row(delivery: &Json) -> Vec<String> {
    let text = |member: &str| delivery[member].as_str().unwrap_or_default().to_owned();
    let number = |member: &str| delivery[member].as_u64().map(|number| number.to_string()).unwrap_or_default();
    let next = delivery["nextAt"].as_str().and_then(|at| at.parse().ok()).map(|at| local_time(at)[11..19].to_owned());
    let name = match text("name") {
        empty if empty.is_empty() => text("subscription"),
        name => name,
    };
    let said = if text("answer").is_empty() { text("detail") } else { text("answer") };
    vec![
        started_at(delivery).map(local_time).unwrap_or_default(),
        super::short(&name, 30),
        number("offset"),
        number("attempt"),
        text("verdict"),
        delivery["status"].as_u64().map_or_else(|| "–".to_owned(), |status| status.to_string()),
        format!("{} ms", number("tookMs")),
        next.unwrap_or_else(|| "–".to_owned()),
        super::short(&said, ANSWER_CHARS),
    ]
}

/// Reads a span such as `90s` or `2d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let unit = text.chars().last().and_then(|last| UNITS.iter().find(|(unit, _)| *unit == last));
    let seconds = unit.and_then(|(unit, seconds)| text.strip_suffix(*unit)?.parse::<u64>().ok()?.checked_mul(*seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "write a number and s, m, h or d, such as 15m".to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn attempts_stand_below_each_other() {
        let attempt = |offset: u64, number: u64, rest: Json| {
            let mut attempt = json!({
                "subscription": "0197", "name": "orders", "offset": offset, "eventId": "e", "generation": 0,
                "attempt": number, "startedAt": "2026-02-03T09:15:00.250Z", "tookMs": 12, "verdict": "delivered",
                "status": 200, "detail": "", "answer": "", "nextAt": null,
            });
            attempt.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            attempt
        };
        let mut printer = Printer::new(false);
        let first = [
            attempt(7, 1, json!({})),
            attempt(
                1024,
                1,
                json!({
                    "verdict": "failed", "status": 500, "tookMs": 1400, "answer": "no\nroom  here",
                    "nextAt": "2026-02-03T09:15:01.250Z",
                }),
            ),
        ];
        let second = [attempt(
            1024,
            2,
            json!({
                "name": "", "verdict": "failed", "status": null, "detail": "cannot connect to shop: refused",
            }),
        )];
        let mut lines = printer.lines(&first);
        lines.extend(printer.lines(&second));
        // The zone of the machine is not the test's to choose.
        let zoned = local_time("2026-02-03T09:15:00.250Z".parse().expect("a time"));
        let next = local_time("2026-02-03T09:15:01.250Z".parse().expect("a time"));
        let text = lines.join("\n").replace(&zoned, "(the time of the attempt)").replace(&next[11..19], "(at this)");
        expect![[r"
            time                     subscription  offset  try  verdict    status     took  next try  answer
            ───────────────────────  ────────────  ──────  ───  ─────────  ──────  ───────  ────────  ────────────
            (the time of the attempt)  orders             7    1  delivered     200    12 ms  –
            (the time of the attempt)  orders          1024    1  failed        500  1400 ms  (at this)  no room here
            (the time of the attempt)  0197            1024    2  failed          –    12 ms  –         cannot connect to shop: refused"]].assert_eq(&text);
    }

    #[test]
    fn spans_are_read() {
        for (text, expected) in [("90s", Some(90)), ("15m", Some(900)), ("1h", Some(3_600)), ("2d", Some(172_800))] {
            assert_eq!(span(text).ok().map(|span| span.as_secs()), expected, "{text}");
        }
        for text in ["", "h", "5", "1w", "-1h", "1.5h", "99999999999999999999d"] {
            assert_eq!(span(text), Err("write a number and s, m, h or d, such as 15m".to_owned()), "{text}");
        }
    }
}
