//! `runs` and `run`: what flows did, and a person's hand on it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use base::Clock;
use base::time::SystemClock;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value as Json, json};

use super::deliveries::span;
use super::explore::{items, text_of};
use super::flow;
use super::table::Table;
use super::{ClientFlags, remark, say, short, time_of};
use crate::client::{Client, segment};

/// Characters of a bundle or reason in a table.
const WHAT_CHARS: usize = 60;
/// Runs that are asked for at once.
const PAGE_SIZE: usize = 500;

/// Find runs of flows, the newest first.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright runs --status error,warning --since 1d --text 4711")]
pub(crate) struct RunsFlags {
    /// Only runs of this flow.
    #[arg(long)]
    flow: Option<String>,
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    client: ClientFlags,
}

/// Which runs are listed, and how.
#[derive(Args)]
pub(super) struct ListFlags {
    /// Only runs that stand so, several with commas between: running, sleeping, held, success, warning, error, cancelled.
    #[arg(long)]
    status: Option<String>,
    /// Only runs with this text in their id, reason, input or recorded results, in whatever case.
    #[arg(long)]
    text: Option<String>,
    /// Only the last while, such as 90s, 15m, 1h or 2d.
    #[arg(long, value_parser = span)]
    since: Option<Duration>,
    /// Only runs that were started so: signal, schedule, manual, replay, module.
    #[arg(long)]
    started_by: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// One JSON object per run.
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the zone of this machine.
    #[arg(long)]
    utc: bool,
}

/// Show a run of a flow, start it again, or end it.
#[derive(Args)]
pub(crate) struct RunFlags {
    #[command(subcommand)]
    verb: RunVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum RunVerb {
    /// Show what happened, operation by operation.
    Show {
        /// The run.
        run: String,
        /// The whole answer as JSON, with all bundles.
        #[arg(long)]
        json: bool,
        /// Times in UTC instead of the zone of this machine.
        #[arg(long)]
        utc: bool,
    },
    Replay(ReplayFlags),
    /// End it, if it has not ended; what is in flight cannot be called back.
    Cancel {
        /// The run.
        run: String,
    },
}

/// Run again what runs did: from their start, or from an operation on.
///
/// What was done outside is done again from there on. Several runs, or those that --flow, --status, --since and --text find,
/// are started one after the other; one that cannot be does not keep the others from it.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright run replay 0199… --from failure --of draft\n  \
                        loopwright run replay 0199… --from 4 --bundle 3=corrected.json\n  \
                        loopwright run replay --flow late-orders --status error --since 1d --from failure")]
struct ReplayFlags {
    /// The runs; else those that are found.
    runs: Vec<String>,
    /// Of which text: its-version, current, published or draft.
    #[arg(long, default_value = "its-version")]
    of: String,
    /// From where: start, failure, or the number of an operation as `run show` tells it.
    #[arg(long, default_value = "start")]
    from: String,
    /// Other start bundles than the run's: JSON, or a file of it.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Another bundle than a module gave, for a run from an operation behind it.
    #[arg(long, value_name = "ID=FILE")]
    bundle: Vec<String>,
    /// Runs of this flow.
    #[arg(long, conflicts_with = "runs")]
    flow: Option<String>,
    /// Runs that stand so, several with commas between.
    #[arg(long, conflicts_with = "runs")]
    status: Option<String>,
    /// Runs with this text.
    #[arg(long, conflicts_with = "runs")]
    text: Option<String>,
    /// Runs of the last while, such as 15m, 1h or 2d.
    #[arg(long, value_parser = span, conflicts_with = "runs")]
    since: Option<Duration>,
    /// So many at most.
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
}

/// A run that was waited for and is no success. Each sort has an exit code of
/// its own; 2 is what wrong arguments end with.
#[derive(Debug, thiserror::Error)]
#[error("the run ended as {status}{reason}")]
pub(crate) struct Ended {
    status: String,
    reason: String,
    /// What the program ends with.
    pub(crate) exit_code: u8,
}

impl Ended {
    /// Fails for a run that is no success.
    pub(super) fn check(run: &Json) -> Result<()> {
        let status = text_of(&run["status"]);
        let exit_code = match status.as_str() {
            "success" => return Ok(()),
            "warning" => 3,
            "held" => 4,
            _ => 1,
        };
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        Err(Ended { status, reason, exit_code }.into())
    }
}

pub(super) async fn run_runs(flags: RunsFlags) -> Result<()> {
    list(&flags.client.client(), flags.flow.as_deref(), flags.list).await
}

pub(super) async fn run_run(flags: RunFlags) -> Result<()> {
    let client = flags.client.client();
    match flags.verb {
        RunVerb::Show { run, json, utc } => print(&client.get(&path_of(&run)).await?, json, utc),
        RunVerb::Replay(flags) => replay(&client, flags).await,
        RunVerb::Cancel { run } => cancel(&client, &run).await,
    }
}

async fn replay(client: &Client, flags: ReplayFlags) -> Result<()> {
    let from = flags.from.parse::<u64>().map_or_else(|_| json!(flags.from), |number| json!(number));
    let mut body = json!({"of": flags.of, "from": from});
    if let [run] = flags.runs.as_slice() {
        if let Some(input) = &flags.input {
            body["input"] = flow::json_in(input)?;
        }
        if !flags.bundle.is_empty() {
            body["bundles"] = flow::bundles(&flags.bundle)?.into();
        }
        let started = client.post(&format!("{}/replay", path_of(run)), &body).await?;
        say(&text_of(&started["id"]));
        return Ok(());
    }
    ensure!(flags.input.is_none() && flags.bundle.is_empty(), "--input and --bundle are for one run");
    if flags.runs.is_empty() {
        let is_bounded =
            flags.flow.is_some() || flags.status.is_some() || flags.text.is_some() || flags.since.is_some();
        ensure!(is_bounded, "which runs? name some, or find them by --flow, --status, --since and --text");
        let since = flags.since.map(|span| SystemClock.now().minus(span));
        let mut found = json!({
            "flow": flags.flow, "status": flags.status, "text": flags.text, "from": since, "limit": flags.limit,
        });
        found.as_object_mut().expect("it is an object").retain(|_, value| !value.is_null());
        body["where"] = found;
    } else {
        body["runs"] = flags.runs.into();
    }
    let told = client.post("/api/v1/runs/replay", &body).await?;
    let (started, refused) = (items(&told["started"]), items(&told["refused"]));
    for one in started {
        say(&format!("{} → {}", text_of(&one["run"]), text_of(&one["id"])));
    }
    for one in refused {
        remark(&format!("{}: {}", text_of(&one["run"]), text_of(&one["detail"])));
    }
    if told["next"].is_string() {
        remark("there are more: narrow the search, or run it again with a larger --limit");
    }
    remark(&format!("{} started, {} refused", started.len(), refused.len()));
    ensure!(refused.is_empty(), "{} runs could not be run again", refused.len());
    Ok(())
}

pub(super) async fn cancel(client: &Client, run: &str) -> Result<()> {
    client.json(Method::POST, &format!("{}/cancel", path_of(run)), None).await?;
    let told = client.get(&path_of(run)).await?;
    say(&text_of(&told["reason"]));
    Ok(())
}

pub(super) fn path_of(run: &str) -> String {
    format!("/api/v1/runs/{}", segment(run))
}

/// Lists runs, page by page, until there are enough.
pub(super) async fn list(client: &Client, flow: Option<&str>, flags: ListFlags) -> Result<()> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let since = flags.since.map(|since| SystemClock.now().minus(since).to_string());
    let filters = [
        ("flow", flow),
        ("status", flags.status.as_deref()),
        ("text", flags.text.as_deref()),
        ("startedBy", flags.started_by.as_deref()),
        ("from", since.as_deref()),
    ];
    query.extend_pairs(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let query = query.finish();
    let (mut runs, mut before) = (Vec::new(), String::new());
    while runs.len() < flags.limit {
        let size = PAGE_SIZE.min(flags.limit - runs.len());
        let page = client.get(&format!("/api/v1/runs?{query}&limit={size}{before}")).await?;
        runs.extend(items(&page["runs"]).iter().cloned());
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    if flags.json {
        for run in &runs {
            say(&run.to_string());
        }
    } else if runs.is_empty() {
        remark("no run fits");
    } else {
        for line in list_lines(&runs, flags.utc) {
            say(&line);
        }
    }
    Ok(())
}

fn list_lines(runs: &[Json], utc: bool) -> Vec<String> {
    let row = |run: &Json| {
        let what = match run["wakesAt"].as_str() {
            Some(_) if run["status"] == "sleeping" => format!("until {}", time_of(&run["wakesAt"], utc)),
            _ => text_of(&run["reason"]),
        };
        vec![
            time_of(&run["startedAt"], utc),
            text_of(&run["id"]),
            text_of(&run["flow"]),
            text_of(&run["startedBy"]),
            text_of(&run["status"]),
            run["durationMs"].as_u64().map_or_else(|| "–".to_owned(), took),
            run["operationCount"].to_string(),
            short(&what, WHAT_CHARS),
        ]
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    let head = [
        ("started", false),
        ("run", false),
        ("flow", false),
        ("by", false),
        ("status", false),
        ("took", true),
        ("operations", true),
        ("reason", false),
    ];
    Table::of(&head, &rows)
}

/// Prints a run with its operations.
pub(super) fn print(run: &Json, as_json: bool, utc: bool) -> Result<()> {
    if as_json {
        say(&serde_json::to_string_pretty(run)?);
    } else {
        for line in show_lines(run, utc) {
            say(&line);
        }
    }
    Ok(())
}

fn show_lines(run: &Json, utc: bool) -> Vec<String> {
    let mut lines = list_lines(std::slice::from_ref(run), utc);
    if let Some(reason) = run["reason"].as_str() {
        lines.push(format!("reason: {reason}"));
    }
    for bundle in items(&run["input"]) {
        lines.push(format!("input: {bundle}"));
    }
    if let Some(asked) = run["inFlight"].as_object() {
        let since = asked.get("since").map(|since| time_of(since, utc)).unwrap_or_default();
        lines.push(format!("in flight: module {} since {since}", asked.get("module").unwrap_or(&Json::Null)));
    }
    if run["late"].is_object() {
        let late = &run["late"];
        let answer = late["statusCode"].as_u64().map_or_else(|| text_of(&late["status"]), |code| code.to_string());
        let at = time_of(&late["endedAt"], utc);
        lines.push(format!("after the cancel: module {} was answered {answer} at {at}", late["module"]));
    }
    if let Some(note) = run["note"].as_str() {
        lines.push(format!("note: {note}"));
    }
    let operations = items(&run["operations"]);
    if operations.is_empty() {
        return lines;
    }
    lines.push(String::new());
    let rows: Vec<_> = rows_in_order(operations, items(&run["choices"]));
    let head = [
        ("no", true),
        ("module", false),
        ("status", false),
        ("code", true),
        ("took", true),
        ("bundles", true),
        ("what", false),
    ];
    lines.extend(Table::of(&head, &rows));
    lines.push(String::new());
    let row = |total: &Json| {
        vec![
            format!("{} {}", total["module"], text_of(&total["kind"])),
            total["operations"].to_string(),
            total["bundles"].to_string(),
            total["filtered"].to_string(),
            took(total["durationMs"].as_u64().unwrap_or(0)),
        ]
    };
    let rows: Vec<_> = items(&run["modules"]).iter().map(row).collect();
    let head = [("module", false), ("operations", true), ("bundles", true), ("kept out", true), ("took", true)];
    lines.extend(Table::of(&head, &rows));
    lines
}

/// The operations, and between them the ways that bundles went, where the
/// operation right behind does not tell the same.
fn rows_in_order(operations: &[Json], choices: &[Json]) -> Vec<Vec<String>> {
    let is_told = |choice: &Json| {
        let number = |value: &Json| value.as_u64().unwrap_or(0);
        let next = operations.iter().find(|operation| number(&operation["number"]) == number(&choice["after"]) + 1);
        let tells = |next: &Json| {
            let is_there = next["module"] == choice["leadsTo"] || next["module"] == choice["module"];
            is_there && next["path"] == choice["path"] && !choice["filter"].is_null()
        };
        next.is_some_and(tells)
    };
    let mut choices = choices.iter().filter(|choice| !is_told(choice)).peekable();
    let mut rows = Vec::new();
    for operation in operations {
        while let Some(choice) = choices.next_if(|choice| choice["after"].as_u64() < operation["number"].as_u64()) {
            rows.push(choice_row(choice));
        }
        rows.push(operation_row(operation));
    }
    rows.extend(choices.map(choice_row));
    rows
}

/// A way that a bundle went or not.
fn choice_row(choice: &Json) -> Vec<String> {
    let path = text_of(&choice["path"]);
    let depth = path.split('/').filter(|part| !part.is_empty()).count();
    let way = choice["way"].as_u64().map(|way| format!(" way {way}")).unwrap_or_default();
    let target = choice["leadsTo"].as_u64().map(|module| format!(" → {module}")).unwrap_or_default();
    let status = if choice["taken"] == true { "taken" } else { "not taken" };
    let none = || "–".to_owned();
    let what = choice["reason"].as_str().map(str::to_owned).or_else(|| why(&choice["filter"])).unwrap_or_default();
    let module = format!("{}{}{way}{target}", "  ".repeat(depth), choice["module"]);
    vec![String::new(), module, status.to_owned(), none(), none(), none(), what]
}

/// One operation, indented by the loops in which it is.
fn operation_row(operation: &Json) -> Vec<String> {
    let path = text_of(&operation["path"]);
    let depth = path.split('/').filter(|part| !part.is_empty()).count();
    let turn =
        path.rsplit('/').next().filter(|turn| !turn.is_empty()).map(|turn| format!(" @{turn}")).unwrap_or_default();
    let at = |name: &str| operation[name].as_str().and_then(|at| at.parse::<base::Timestamp>().ok());
    let span = at("startedAt").zip(at("endedAt")).map(|(start, end)| end.since(start).as_millis() as u64);
    let mut what = Vec::new();
    if let Some(detail) = operation["detail"].as_str() {
        what.push(detail.to_owned());
    } else if let Some(why) = why(&operation["filter"]) {
        what.push(why);
    }
    let output = items(&operation["output"]);
    what.extend(output.first().map(Json::to_string));
    vec![
        operation["number"].to_string(),
        format!("{}{} {}{turn}", "  ".repeat(depth), operation["module"], text_of(&operation["kind"])),
        text_of(&operation["status"]),
        operation["statusCode"].as_u64().map_or_else(|| "–".to_owned(), |code| code.to_string()),
        took(span.unwrap_or(0)),
        output.len().to_string(),
        short(&what.join("; "), WHAT_CHARS),
    ]
}

/// Why a filter let a bundle pass or not: the conditions of the list that held,
/// or the one of each list that did not.
fn why(filter: &Json) -> Option<String> {
    let side = |judged: &Json, name: &str| judged.get(name).map(|value| format!(" {value}")).unwrap_or_default();
    let told = |judged: &Json| {
        let left = side(judged, "left");
        let text = format!("{} {}{}", left.trim_start(), text_of(&judged["operator"]), side(judged, "right"));
        text.trim_start().to_owned()
    };
    let any = items(&filter["any"]);
    let held = any.iter().find(|all| items(all).iter().all(|judged| judged["holds"] == true));
    let conditions = match held {
        Some(held) => items(held).iter().map(told).collect::<Vec<_>>().join(" and "),
        None => any.iter().filter_map(|all| items(all).last()).map(told).collect::<Vec<_>>().join("; "),
    };
    if conditions.is_empty() {
        return None;
    }
    let name = filter["name"].as_str().unwrap_or(if held.is_some() { "passed" } else { "not" });
    Some(format!("{name}: {conditions}"))
}

/// Shows a span as people say it.
fn took(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{millis} ms"),
        10_000..600_000 => format!("{:.1} s", millis as f64 / 1_000.0),
        600_000..36_000_000 => format!("{:.1} min", millis as f64 / 60_000.0),
        _ => format!("{:.1} h", millis as f64 / 3_600_000.0),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_run_is_shown_operation_by_operation() {
        let operation = |number: u64, module: u64, kind: &str, path: &str, rest: Json| {
            let mut operation = json!({
                "number": number, "module": module, "kind": kind, "path": path, "status": "success", "statusCode": null,
                "input": {}, "output": [{"a": number}], "detail": null,
                "startedAt": "2026-02-03T09:15:00.000Z", "endedAt": "2026-02-03T09:15:00.000Z",
            });
            operation.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            operation
        };
        let run = json!({
            "id": "0197", "flow": "delay", "startedBy": "signal", "status": "warning", "durationMs": 31_250,
            "reason": "module 6 answered 401", "startedAt": "2026-02-03T09:15:00.000Z", "operationCount": 4,
            "input": [{"case_id": "17"}],
            "operations": [
                operation(1, 1, "loopwright:Signal", "", json!({})),
                operation(2, 4, "builtin:BasicRepeater", "1.1", json!({"output": [{"i": 1}, {"i": 2}]})),
                operation(3, 6, "http:ActionSendData", "1.1/4.1", json!({
                    "status": "warning", "statusCode": 401, "endedAt": "2026-02-03T09:15:30.500Z",
                    "filter": {"name": "Success", "passes": true, "any": [[{"left": 200, "operator": "number:equal", "right": "200", "holds": true}]]},
                })),
                operation(4, 8, "util:ComposeTransformer", "1.1/4.1", json!({
                    "status": "filtered", "output": [], "detail": "\"RUNNING\" text:equal \"TERMINATED\"",
                })),
            ],
            "choices": [
                {"after": 2, "module": 5, "path": "1.1/4.1", "way": 1, "leadsTo": 6, "taken": true, "filter": {"name": "Success", "passes": true, "any": []}},
                {"after": 4, "module": 5, "path": "1.1/4.1", "way": 3, "leadsTo": 10, "taken": false, "filter": {"passes": false, "any": [[{"left": 1, "operator": "number:equal", "right": "2", "holds": false}], [{"operator": "exist", "holds": false}]]}},
                {"after": 4, "module": 5, "path": "1.1/4.1", "way": 2, "leadsTo": 9, "taken": false, "reason": "another route was taken"},
            ],
            "modules": [
                {"module": 1, "kind": "loopwright:Signal", "operations": 1, "bundles": 1, "filtered": 0, "durationMs": 0},
                {"module": 6, "kind": "http:ActionSendData", "operations": 1, "bundles": 1, "filtered": 0, "durationMs": 30_500},
            ],
        });
        expect![[r#"
            started                   run   flow   by      status     took  operations  reason
            ────────────────────────  ────  ─────  ──────  ───────  ──────  ──────────  ─────────────────────
            2026-02-03T09:15:00.000Z  0197  delay  signal  warning  31.2 s           4  module 6 answered 401
            reason: module 6 answered 401
            input: {"case_id":"17"}

            no  module                              status     code    took  bundles  what
            ──  ──────────────────────────────────  ─────────  ────  ──────  ───────  ────────────────────────────────────────
             1  1 loopwright:Signal                 success       –    0 ms        1  {"a":1}
             2    4 builtin:BasicRepeater @1.1      success       –    0 ms        2  {"i":1}
             3      6 http:ActionSendData @4.1      warning     401  30.5 s        1  Success: 200 number:equal "200"; {"a":3}
             4      8 util:ComposeTransformer @4.1  filtered      –    0 ms        0  "RUNNING" text:equal "TERMINATED"
                    5 way 3 → 10                    not taken     –       –        –  not: 1 number:equal "2"; exist
                    5 way 2 → 9                     not taken     –       –        –  another route was taken

            module                 operations  bundles  kept out    took
            ─────────────────────  ──────────  ───────  ────────  ──────
            1 loopwright:Signal             1        1         0    0 ms
            6 http:ActionSendData           1        1         0  30.5 s"#]].assert_eq(&show_lines(&run, true).join("\n"));
    }

    #[test]
    fn how_a_run_ended_is_an_exit_code() {
        let code = |status: &str| {
            let ended = Ended::check(&json!({"status": status, "reason": "why"})).err()?;
            ended.downcast_ref::<Ended>().map(|ended| (ended.exit_code, ended.to_string()))
        };
        assert_eq!(code("success"), None);
        assert_eq!(code("warning"), Some((3, "the run ended as warning: why".to_owned())));
        assert_eq!(code("cancelled").map(|(code, _)| code), Some(1));
        assert_eq!(code("held").map(|(code, _)| code), Some(4));
    }

    #[test]
    fn spans_are_shown_as_people_say_them() {
        let shown = [7, 31_250, 900_000, 90_000_000].map(took);
        assert_eq!(shown, ["7 ms", "31.2 s", "15.0 min", "25.0 h"]);
    }
}
