//! `flow`: flows on a server, and what can be said of their files without one.

mod carry;
mod lint;
mod test;
mod versions;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value as Json, json};

use super::explore::{items, text_of};
use super::runs::{self, Ended};
use super::table::Table;
use super::{ClientFlags, remark, say, short, time_of};
use crate::client::{Client, segment};

/// Pause between two looks at a run that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// List, change, start and check Action Flows.
#[derive(Args)]
pub(crate) struct FlowFlags {
    #[command(subcommand)]
    verb: FlowVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum FlowVerb {
    /// List the flows and how they stand.
    List {
        /// The whole answer as JSON.
        #[arg(long)]
        json: bool,
        /// Times in UTC instead of the zone of this machine.
        #[arg(long)]
        utc: bool,
    },
    /// Show a flow, what is noteworthy about its draft, and the form of its inputs.
    Show {
        /// The flow.
        key: String,
        /// Only the text of the draft.
        #[arg(long, conflicts_with_all = ["published", "json"])]
        draft: bool,
        /// Only the text of the published version.
        #[arg(long, conflicts_with = "json")]
        published: bool,
        /// The whole answer as JSON.
        #[arg(long)]
        json: bool,
        /// Times in UTC instead of the zone of this machine.
        #[arg(long)]
        utc: bool,
    },
    /// Store a file as the draft of a flow.
    Put {
        /// The flow; it is made if there is none yet.
        key: String,
        /// A blueprint in JSON or a flow in YAML; "-" reads standard input.
        file: PathBuf,
        /// Publish it as well.
        #[arg(long)]
        publish: bool,
    },
    /// Make the draft the version that runs.
    Publish {
        /// The flow.
        key: String,
        /// What to remember about it.
        #[arg(long)]
        note: Option<String>,
    },
    Import(carry::ImportFlags),
    Export(carry::ExportFlags),
    Secrets(carry::SecretsFlags),
    New(carry::NewFlags),
    Versions(versions::VersionsFlags),
    Diff(versions::DiffFlags),
    Rollback(versions::RollbackFlags),
    /// Switch schedule or hook on.
    Activate {
        /// The flow.
        key: String,
    },
    /// Switch schedule or hook off.
    Deactivate {
        /// The flow.
        key: String,
    },
    Run(RunFlags),
    Runs {
        /// The flow.
        key: String,
        #[command(flatten)]
        list: runs::ListFlags,
    },
    /// End a run that has not ended; what is in flight cannot be called back.
    Cancel {
        /// The run.
        run: String,
    },
    /// Let failed bundles that are stored go on now: all that wait, the oldest first, or the named ones.
    Retry {
        /// The flow.
        key: String,
        /// Incomplete executions, as GET /api/v1/flows/KEY/incomplete lists them; all open ones if none is named.
        ids: Vec<String>,
        /// With which version: same, published or draft.
        #[arg(long, default_value = "same")]
        version: String,
    },
    Lint(lint::LintFlags),
    Test(test::TestFlags),
    /// Say which connection or hook a number stands for in flows that were drawn elsewhere.
    ///
    /// `flow lint FILE` lists the numbers. A flow that starts on a hook takes from it when it is published again.
    #[command(after_help = "Example:\n  loopwright flow map connection:12 databricks\n  \
                            loopwright flow map hook:77 deliveries")]
    Map {
        /// `connection:NUMBER`, `key:NUMBER`, `hook:NUMBER` or `datastore:NUMBER`.
        imported: String,
        /// Name of the connection or hook.
        name: String,
    },
}

/// Start a run by hand.
///
/// With --wait it ends with 0 for a success, 1 for an error or a cancelled run,
/// 3 for a warning and 4 for a run that waits for a person's decision.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright flow run expedite --input order.json --wait\n  \
                        loopwright flow run expedite --module 3 --bundle 1=signal.json --wait")]
struct RunFlags {
    /// The flow.
    key: String,
    /// Its inputs, or the fields of --module: JSON, or a file with it; "-" reads standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Run the draft.
    #[arg(long, conflicts_with = "published")]
    draft: bool,
    /// Run the published version; without it and --draft, the draft runs if nothing is published yet.
    #[arg(long)]
    published: bool,
    /// With what waits on the flow's hook, as its schedule would.
    #[arg(long, conflicts_with_all = ["input", "module"])]
    waiting: bool,
    /// Run only this module.
    #[arg(long, value_name = "ID")]
    module: Option<u32>,
    /// A bundle that the module sees: the id of the module that gave it, and a JSON file.
    #[arg(long, value_name = "ID=FILE", requires = "module")]
    bundle: Vec<String>,
    /// Wait for its end and show what happened.
    #[arg(long)]
    wait: bool,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the zone of this machine.
    #[arg(long)]
    utc: bool,
}

pub(super) async fn run(flags: FlowFlags) -> Result<()> {
    let client = flags.client.client();
    match flags.verb {
        FlowVerb::Retry { key, ids, version } => retry(&client, &key, ids, &version).await,
        FlowVerb::Lint(flags) => lint::run(flags),
        FlowVerb::Test(flags) => test::run(flags).await,
        FlowVerb::List { json, utc } => list(&client, json, utc).await,
        FlowVerb::Show { key, draft, published, json, utc } => {
            let flow = client.get(&path_of(&key)).await?;
            if draft || published {
                let text = flow[if published { "published" } else { "draft" }].as_str();
                let text = text.with_context(|| format!("flow \"{key}\" has no published version yet"))?;
                super::write(text);
                return Ok(());
            }
            if json {
                say(&serde_json::to_string_pretty(&flow)?);
                return Ok(());
            }
            let form = client.get(&format!("{}/form", path_of(&key))).await?;
            for line in show_lines(&flow, &form, utc) {
                say(&line);
            }
            Ok(())
        }
        FlowVerb::Put { key, file, publish } => {
            let text = text_in(&file)?;
            let content_type = if text.trim_start().starts_with('{') { "application/json" } else { "application/yaml" };
            let answer = client.put_text(&path_of(&key), content_type, text).await?;
            for line in notice_lines(&answer) {
                say(&line);
            }
            say(&format!("flow \"{key}\": the draft is stored"));
            if publish { published(&client, &key, None).await } else { Ok(()) }
        }
        FlowVerb::Publish { key, note } => published(&client, &key, note.as_deref()).await,
        FlowVerb::Import(flags) => carry::import(&client, flags).await,
        FlowVerb::Export(flags) => carry::export(&client, flags).await,
        FlowVerb::Secrets(flags) => carry::secrets(&client, flags).await,
        FlowVerb::New(flags) => carry::new(&client, flags).await,
        FlowVerb::Versions(flags) => versions::list(&client, flags).await,
        FlowVerb::Diff(flags) => versions::diff(&client, flags).await,
        FlowVerb::Rollback(flags) => versions::roll_back(&client, flags).await,
        FlowVerb::Activate { key } => {
            let answer = client.post(&format!("{}/activate", path_of(&key)), &json!({})).await?;
            for line in &notice_lines(&answer) {
                say(line);
            }
            say(&format!("flow \"{key}\" is active"));
            Ok(())
        }
        FlowVerb::Deactivate { key } => {
            client.post(&format!("{}/deactivate", path_of(&key)), &json!({})).await?;
            say(&format!("flow \"{key}\" is inactive; runs that have begun go on"));
            Ok(())
        }
        FlowVerb::Run(flags) => start(&client, flags).await,
        FlowVerb::Runs { key, list } => runs::list(&client, Some(&key), list).await,
        FlowVerb::Map { imported, name } => {
            let path = format!("/api/v1/flow-imports/{}", segment(&imported));
            client.json(Method::PUT, &path, Some(&json!({ "name": name }))).await?;
            say(&format!("\"{imported}\" stands for \"{name}\""));
            Ok(())
        }
        FlowVerb::Cancel { run } => runs::cancel(&client, &run).await,
    }
}

async fn list(client: &Client, json: bool, utc: bool) -> Result<()> {
    let flows = client.get("/api/v1/flows").await?;
    if json {
        say(&serde_json::to_string_pretty(&flows)?);
        return Ok(());
    }
    if items(&flows).is_empty() {
        remark("there is no flow yet: `loopwright flow put KEY FILE` stores one");
        return Ok(());
    }
    for line in list_lines(&flows, utc) {
        say(&line);
    }
    Ok(())
}

fn list_lines(flows: &Json, utc: bool) -> Vec<String> {
    let row = |flow: &Json| {
        let version = match (&flow["version"], flow["draftAhead"].as_bool()) {
            (Json::Null, _) => "draft".to_owned(),
            (version, Some(true)) => format!("{version} + draft"),
            (version, _) => version.to_string(),
        };
        vec![
            text_of(&flow["key"]),
            short(&text_of(&flow["name"]), 40),
            text_of(&flow["state"]),
            version,
            flow["waiting"].to_string(),
            time_of(&flow["nextAt"], utc),
        ]
    };
    let rows: Vec<_> = items(flows).iter().map(row).collect();
    let head =
        [("flow", false), ("name", false), ("state", false), ("version", false), ("waiting", true), ("next", false)];
    Table::of(&head, &rows)
}

fn show_lines(flow: &Json, form: &Json, utc: bool) -> Vec<String> {
    let mut lines = list_lines(&Json::Array(vec![flow.clone()]), utc);
    let mut say_if = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{name}: {text}"));
        }
    };
    say_if("paused", text_of(&flow["paused"]));
    say_if("hook", text_of(&flow["hook"]));
    say_if("draft stored", time_of(&flow["updatedAt"], utc));
    let variables: Vec<String> =
        flow["variables"].as_object().into_iter().flatten().map(|(name, value)| format!("{name} = {value}")).collect();
    say_if("variables", variables.join(", "));
    let required = items(&form["required"]);
    let inputs: Vec<String> = form["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| {
            let kind = text_of(&field["type"]);
            let rest = match (required.contains(&Json::from(name.as_str())), &field["default"]) {
                (true, _) => ", required".to_owned(),
                (false, Json::Null) => String::new(),
                (false, default) => format!(", {default} if left out"),
            };
            format!("{name} ({kind}{rest})")
        })
        .collect();
    say_if("inputs", inputs.join(", "));
    lines.extend(notice_lines(flow));
    lines
}

/// What is noteworthy about a draft, a line each.
fn notice_lines(answer: &Json) -> Vec<String> {
    let line = |notice: &Json| {
        let mut place = String::new();
        if let Some(module) = notice["module"].as_u64() {
            place = format!("module {module}");
            if let Some(field) = notice["field"].as_str() {
                place += &format!(", {field}");
            }
            place += ": ";
        }
        format!("{}: {place}{}", text_of(&notice["severity"]), text_of(&notice["text"]))
    };
    items(&answer["notices"]).iter().map(line).collect()
}

async fn published(client: &Client, key: &str, note: Option<&str>) -> Result<()> {
    let answer = client.post(&format!("{}/publish", path_of(key)), &json!({ "note": note })).await?;
    say(&format!("flow \"{key}\": version {} is published", text_of(&answer["version"])));
    Ok(())
}

async fn retry(client: &Client, key: &str, ids: Vec<String>, version: &str) -> Result<()> {
    let mut body = json!({ "version": version });
    if !ids.is_empty() {
        body["ids"] = ids.into();
    }
    let told = client.post(&format!("{}/incomplete/retry", path_of(key)), &body).await?;
    let (started, refused) = (items(&told["started"]), items(&told["refused"]));
    for one in started {
        say(&format!("{} → {}", text_of(&one["incomplete"]), text_of(&one["id"])));
    }
    for one in refused {
        remark(&format!("{}: {}", text_of(&one["incomplete"]), text_of(&one["detail"])));
    }
    remark(&format!("{} started, {} refused", started.len(), refused.len()));
    ensure!(refused.is_empty(), "{} incomplete executions could not go on", refused.len());
    Ok(())
}

async fn start(client: &Client, flags: RunFlags) -> Result<()> {
    let input = flags.input.as_deref().map(json_in).transpose()?;
    let of = match (flags.draft, flags.published) {
        (true, _) => "?of=draft",
        (_, true) => "?of=published",
        _ => "",
    };
    let (path, body) = match flags.module {
        None if flags.waiting => {
            let and = if of.is_empty() { "?" } else { "&" };
            (format!("{}/run{of}{and}with=waiting", path_of(&flags.key)), Json::Null)
        }
        None => (format!("{}/run{of}", path_of(&flags.key)), input.unwrap_or_else(|| json!({}))),
        Some(module) => {
            let mut body = json!({"bundles": bundles(&flags.bundle)?});
            if let Some(input) = input {
                body["input"] = input;
            }
            (format!("{}/modules/{module}/run{of}", path_of(&flags.key)), body)
        }
    };
    let started = client.json(Method::POST, &path, Some(&body).filter(|body| !body.is_null())).await?;
    let run = text_of(&started["id"]);
    if !flags.wait {
        if flags.json {
            say(&started.to_string());
        } else {
            say(&run);
            remark(&format!("it is under way; `loopwright run show {run}` tells how it goes"));
        }
        return Ok(());
    }
    let told = loop {
        let told = client.get(&runs::path_of(&run)).await?;
        if !matches!(told["status"].as_str(), Some("running" | "sleeping")) {
            break told;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    runs::print(&told, flags.json, flags.utc)?;
    Ended::check(&told)
}

/// Reads `ID=FILE`, each the bundle of a module.
pub(super) fn bundles(given: &[String]) -> Result<Map<String, Json>> {
    let read = |text: &String| {
        let (module, file) = text.split_once('=').with_context(|| format!("\"{text}\" is not ID=FILE"))?;
        ensure!(module.parse::<u32>().is_ok(), "\"{module}\" is not the id of a module, which is a number");
        Ok((module.to_owned(), json_in(Path::new(file))?))
    };
    given.iter().map(read).collect()
}

fn path_of(key: &str) -> String {
    format!("/api/v1/flows/{}", segment(key))
}

/// Reads JSON from a file, or from the argument itself where it is an object or
/// a list: few people have it in a file.
pub(super) fn json_in(file: &Path) -> Result<Json> {
    let written = file.to_string_lossy();
    if written.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(&written).with_context(|| format!("{written} is not JSON"));
    }
    serde_json::from_str(&text_in(file)?).with_context(|| format!("{} is not JSON", file.display()))
}

fn text_in(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_flow_is_shown_with_its_inputs_and_what_is_noteworthy() {
        let flow = json!({
            "key": "late", "name": "Late orders", "state": "active", "version": 3, "draftAhead": true, "hook": null,
            "waiting": 2, "nextAt": "2026-02-03T09:15:00.000Z", "updatedAt": "2026-02-01T00:00:00.000Z",
            "variables": {"limit": 3},
            "notices": [{"severity": "warning", "module": 2, "field": "mapper.url", "text": "\"run_id\" stands for nothing"}],
        });
        let form = json!({
            "type": "object", "required": ["order"],
            "properties": {"order": {"type": "string"}, "days": {"type": "integer", "default": 5}, "note": {"type": "string"}},
        });
        expect![[r#"
            flow  name         state   version    waiting  next
            ────  ───────────  ──────  ─────────  ───────  ────────────────────────
            late  Late orders  active  3 + draft        2  2026-02-03T09:15:00.000Z
            draft stored: 2026-02-01T00:00:00.000Z
            variables: limit = 3
            inputs: order (string, required), days (integer, 5 if left out), note (string)
            warning: module 2, mapper.url: "run_id" stands for nothing"#]]
        .assert_eq(&show_lines(&flow, &form, true).join("\n"));
    }

    #[test]
    fn bundles_are_named_by_their_modules() {
        let refused = |text: &str| format!("{:#}", bundles(&[text.to_owned()]).expect_err("it is refused"));
        assert_eq!(refused("file.json"), "\"file.json\" is not ID=FILE");
        assert_eq!(refused("one=file.json"), "\"one\" is not the id of a module, which is a number");
        assert!(refused("1=/nowhere/file.json").starts_with("/nowhere/file.json cannot be read"));
    }
}
