//! `flow versions`, `flow diff` and `flow rollback`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::path_of;
use crate::cli::explore::{items, text_of};
use crate::cli::table::Table;
use crate::cli::{remark, say, time_of, write};
use crate::client::{Client, segment};

/// List what was published of a flow: when, by whom, and why.
#[derive(Args)]
pub(super) struct VersionsFlags {
    /// The flow.
    key: String,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    /// Times in UTC instead of the zone of this machine.
    #[arg(long)]
    utc: bool,
}

/// Tell what two versions of a flow differ in, module by module.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright flow diff late            # what publishing would change\n  \
                        loopwright flow diff late 3 published")]
pub(super) struct DiffFlags {
    /// The flow.
    key: String,
    /// A number, `published` or `draft`.
    #[arg(default_value = "published")]
    from: String,
    /// The same.
    #[arg(default_value = "draft")]
    to: String,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Publish an older version again, as a new one.
#[derive(Args)]
pub(super) struct RollbackFlags {
    /// The flow.
    key: String,
    /// Number of the version.
    version: u64,
    /// What to remember about it.
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn list(client: &Client, flags: VersionsFlags) -> Result<()> {
    let versions = client.get(&format!("{}/versions", path_of(&flags.key))).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&versions)?);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&versions)
        .iter()
        .map(|version| {
            let of = version["ofVersion"].as_u64().map_or_else(String::new, |of| format!("again {of}"));
            let now = if version["current"] == true { "runs" } else { "" };
            let note = [text_of(&version["note"]), of].into_iter().filter(|text| !text.is_empty());
            vec![
                version["version"].to_string(),
                time_of(&version["publishedAt"], flags.utc),
                text_of(&version["publishedBy"]),
                now.to_owned(),
                note.collect::<Vec<_>>().join("; "),
            ]
        })
        .collect();
    if rows.is_empty() {
        remark("nothing is published yet");
    }
    let head = [("version", true), ("published", false), ("by", false), ("now", false), ("note", false)];
    for line in &Table::of(&head, &rows) {
        say(line);
    }
    Ok(())
}

pub(super) async fn diff(client: &Client, flags: DiffFlags) -> Result<()> {
    let (from, to) = (segment(&flags.from), segment(&flags.to));
    let answer = client.get(&format!("{}/versions/{from}/diff/{to}", path_of(&flags.key))).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    match answer["text"].as_str().unwrap_or_default() {
        "" => remark("both are the same"),
        text => write(text),
    }
    Ok(())
}

pub(super) async fn roll_back(client: &Client, flags: RollbackFlags) -> Result<()> {
    let RollbackFlags { key, version, note } = flags;
    let path = format!("{}/versions/{version}/publish", path_of(&key));
    let answer = client.post(&path, &json!({ "note": note })).await?;
    say(&format!("flow \"{key}\": version {} is published, which is version {version} again", answer["version"]));
    Ok(())
}
