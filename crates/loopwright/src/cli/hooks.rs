//! `hooks`: making webhooks, and finding out what comes to them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value as Json, json};

use super::table::Table;
use super::{ClientFlags, say};
use crate::client::{Client, segment};

/// Pause between two looks at a hook that listens.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Make, list and remove webhooks: addresses at which requests start flows.
#[derive(Args)]
#[command(
    after_help = "Example:\n  loopwright hooks put deliveries --allow 10.0.0.0/8\n  loopwright hooks learn deliveries"
)]
pub(crate) struct HooksFlags {
    #[command(subcommand)]
    verb: HooksVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum HooksVerb {
    /// List hooks without their addresses.
    List,
    /// Show a hook with its address.
    Show {
        /// Its name.
        name: String,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a hook, or set the one of this name anew, and print its address.
    Put {
        /// Its name; a flow names it in `parameters.hook`.
        name: String,
        /// What people call it.
        #[arg(long, default_value = "")]
        label: String,
        /// From where requests may come: addresses and ranges, with commas.
        #[arg(long, value_name = "ADDRESSES")]
        allow: Option<String>,
        /// Add the headers of a request to its data.
        #[arg(long)]
        with_headers: bool,
        /// Add the method of a request to its data.
        #[arg(long)]
        with_method: bool,
        /// Do not read JSON: its text is the data.
        #[arg(long)]
        pass_through: bool,
        /// A file with what data must be made of, in JSON.
        #[arg(long, value_name = "FILE")]
        structure: Option<PathBuf>,
        /// The name of a data structure that says what data must be made of.
        #[arg(long, value_name = "NAME", conflicts_with = "structure")]
        structure_name: Option<String>,
        /// Accept data that does not fit, and drop it.
        #[arg(long)]
        ignore_mismatch: bool,
        /// A number under which flows that were drawn elsewhere name it.
        #[arg(long = "imported-id", value_name = "NUMBER")]
        imported_ids: Vec<u64>,
        /// Take no requests.
        #[arg(long)]
        disabled: bool,
    },
    /// Wait for a request, and tell what its data is made of; Ctrl-C stops that.
    Learn {
        /// The name of the hook.
        name: String,
    },
    /// Give a hook another address; the old one is forgotten at once.
    Renew {
        /// Its name.
        name: String,
    },
    /// Remove a hook with everything that waits on it.
    Delete {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(flags: HooksFlags) -> Result<()> {
    let client = flags.client.client();
    match flags.verb {
        HooksVerb::List => list(&client).await?,
        HooksVerb::Show { name, json } => {
            let hook = client.get(&path_of(&name)).await?;
            if json {
                say(&serde_json::to_string_pretty(&hook)?);
            } else {
                say(&lines(&hook, client.url()).join("\n"));
            }
        }
        HooksVerb::Put {
            name,
            label,
            allow,
            with_headers,
            with_method,
            pass_through,
            structure,
            structure_name,
            ignore_mismatch,
            imported_ids,
            disabled,
        } => {
            let structure = structure.map(|file| -> Result<Json> {
                let text =
                    std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
            });
            let settings = json!({
                "label": label, "addresses": allow.unwrap_or_default(), "withHeaders": with_headers,
                "withMethod": with_method, "passThrough": pass_through, "structure": structure.transpose()?.or(structure_name.map(Json::from)),
                "onMismatch": if ignore_mismatch { "ignore" } else { "refuse" }, "enabled": !disabled,
                "importedIds": imported_ids,
            });
            let hook = client.json(Method::PUT, &path_of(&name), Some(&settings)).await?;
            say(&address_of(&hook, client.url()));
        }
        HooksVerb::Learn { name } => learn(&client, &name).await?,
        HooksVerb::Renew { name } => {
            let hook = client.json(Method::POST, &format!("{}/renew", path_of(&name)), None).await?;
            say(&address_of(&hook, client.url()));
        }
        HooksVerb::Delete { name } => {
            client.json(Method::DELETE, &path_of(&name), None).await?;
            say(&format!("hook \"{name}\" is removed"));
        }
    }
    Ok(())
}

async fn list(client: &Client) -> Result<()> {
    let hooks = client.get("/api/v1/hooks").await?;
    let row = |hook: &Json| {
        let text = |member: &str| hook[member].as_str().unwrap_or_default().to_owned();
        let state = if hook["enabled"] == true { "on" } else { "off" };
        let mut cells = vec![text("name"), text("flow"), state.to_owned()];
        cells.extend(["waiting", "refused", "ignored"].map(|member| hook[member].to_string()));
        cells
    };
    let rows: Vec<Vec<String>> = hooks.as_array().into_iter().flatten().map(row).collect();
    let head =
        [("name", false), ("flow", false), ("state", false), ("waiting", true), ("refused", true), ("ignored", true)];
    say(&Table::of(&head, &rows).join("\n"));
    Ok(())
}

/// Lets a hook listen, and tells what came.
async fn learn(client: &Client, name: &str) -> Result<()> {
    let path = format!("{}/listen", path_of(name));
    client.json(Method::POST, &path, None).await?;
    let hook = client.get(&path_of(name)).await?;
    say(&format!("listening… send a request to {}", address_of(&hook, client.url())));
    let learned = tokio::select! {
        learned = determined(client, name) => learned?,
        pressed = tokio::signal::ctrl_c() => {
            pressed.context("Ctrl-C cannot be listened to")?;
            client.json(Method::DELETE, &path, None).await?;
            bail!("nothing came; the hook no longer listens");
        }
    };
    say("successfully determined");
    for line in items(&learned["items"], 1) {
        say(&line);
    }
    Ok(())
}

async fn determined(client: &Client, name: &str) -> Result<Json> {
    loop {
        let mut hook = client.get(&path_of(name)).await?;
        match hook["learning"]["state"].as_str() {
            Some("listening") => tokio::time::sleep(LOOK_EVERY).await,
            Some("determined") => return Ok(hook["learning"].take()),
            _ => bail!("somebody has stopped it"),
        }
    }
}

fn path_of(name: &str) -> String {
    format!("/api/v1/hooks/{}", segment(name))
}

fn address_of(hook: &Json, server: &str) -> String {
    match hook["path"].as_str() {
        Some(path) => format!("{}{path}", server.trim_end_matches('/')),
        None => "(its address is for those who may change flows)".into(),
    }
}

fn lines(hook: &Json, server: &str) -> Vec<String> {
    let text = |member: &str| hook[member].as_str().unwrap_or("–").to_owned();
    let mut lines = vec![
        format!("address   {}", address_of(hook, server)),
        format!("flow      {}", text("flow")),
        format!("waiting   {} of {} bytes", hook["waiting"], hook["waitingBytes"]),
        format!("refused   {}, ignored {}", hook["refused"], hook["ignored"]),
    ];
    let allowed: Vec<&str> = hook["addresses"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    lines.push(format!("open to   {}", if allowed.is_empty() { "everyone".into() } else { allowed.join(", ") }));
    match &hook["structure"] {
        Json::Null => {}
        Json::String(name) => lines.push(format!("checks    with data structure \"{name}\"")),
        _ => lines.push("checks    with a data structure of its own".into()),
    }
    match hook["learning"]["state"].as_str() {
        Some("listening") => lines.push("listening…".into()),
        Some("determined") => {
            lines.push("items     as the last request that was looked at had them".into());
            lines.extend(items(&hook["learning"]["items"], 1));
        }
        _ => {}
    }
    lines
}

/// Lists fields with their types, those inside others indented.
fn items(fields: &Json, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for field in fields.as_array().into_iter().flatten() {
        let text = |member: &str| field[member].as_str().unwrap_or_default();
        lines.push(format!("{}{}: {}", "  ".repeat(depth), text("name"), text("type")));
        lines.extend(items(&field["spec"], depth + 1));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_hook_is_shown_with_what_it_has_learned() {
        let hook = json!({
            "name": "deliveries", "path": "/hooks/abc", "flow": null, "waiting": 3, "waitingBytes": 120, "refused": 1, "ignored": 0,
            "addresses": ["10.0.0.0/8"], "structure": "order", "learning": {"state": "determined", "items": [
                {"name": "OrderId", "type": "text"},
                {"name": "rows", "type": "array", "spec": [{"name": "price", "type": "number"}]},
            ]},
        });
        expect![[r#"
            address   http://h:1/hooks/abc
            flow      –
            waiting   3 of 120 bytes
            refused   1, ignored 0
            open to   10.0.0.0/8
            checks    with data structure "order"
            items     as the last request that was looked at had them
              OrderId: text
              rows: array
                price: number"#]]
        .assert_eq(&lines(&hook, "http://h:1/").join("\n"));
    }
}
