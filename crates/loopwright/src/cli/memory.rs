//! `memory`: what a data model takes in memory, or why it is not there.

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use super::explore::text_of;
use super::table::Table;
use super::{ClientFlags, say};
use crate::client::segment;

/// Show what a data model takes in memory, by table and column, or why it is not loaded.
#[derive(Args)]
pub(crate) struct MemoryFlags {
    /// The pool: its name or id.
    pool: String,
    /// The data model's key.
    data_model: String,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run(flags: MemoryFlags) -> Result<()> {
    let client = flags.client.client();
    let path = format!("/api/v1/pools/{}/data-models/{}/memory", segment(&flags.pool), segment(&flags.data_model));
    let told = client.get(&path).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    for line in lines(&told) {
        say(&line);
    }
    Ok(())
}

/// Says how it stands, and lists its columns, the largest of each table first.
fn lines(told: &Json) -> Vec<String> {
    let mut lines = vec![match told["since"].as_str() {
        Some(since) => format!("{} since {since}", text_of(&told["state"])),
        None => text_of(&told["state"]),
    }];
    lines.extend(told["detail"].as_str().map(str::to_owned));
    let limit = told["bytesMax"].as_u64().map_or("no limit".to_owned(), amount);
    let others = amount(told["bytesOfOthers"].as_u64().unwrap_or(0));
    lines.push(format!("memory for data models: {limit}, of which others take {others}"));
    let load = &told["load"];
    let number = |name: &str| load[name].as_u64().unwrap_or(0);
    if load.is_null() {
        return lines;
    }
    lines.push(format!(
        "loaded at {} in {} ms at commit {}, now at commit {}: {} cases, {} events, {} rows ({} without case, activity \
         or time)",
        text_of(&load["loadedAt"]),
        number("loadMs"),
        number("loadedCommit"),
        number("commit"),
        number("cases"),
        number("events"),
        number("rows"),
        number("excluded"),
    ));
    let bytes = |name: &str| amount(load["bytes"][name].as_u64().unwrap_or(0));
    lines.push(format!(
        "it takes {}: columns {}, texts {}, joins {}, push keys {}",
        bytes("all"),
        bytes("columns"),
        bytes("texts"),
        bytes("joins"),
        bytes("pushKeys")
    ));
    let mut rows = Vec::new();
    for table in load["tables"].as_array().into_iter().flatten() {
        let mut columns: Vec<&Json> = table["columns"].as_array().into_iter().flatten().collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column["bytes"].as_u64()));
        for column in columns {
            let cells = [&table["name"], &column["name"], &column["type"], &table["rows"]].map(text_of);
            let bytes = amount(column["bytes"].as_u64().unwrap_or(0));
            rows.push(cells.into_iter().chain([bytes]).collect());
        }
    }
    let head = [("table", false), ("column", false), ("type", false), ("rows", true), ("bytes", true)];
    lines.extend(Table::of(&head, &rows));
    lines
}

/// Bytes as people read them.
fn amount(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        1..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_it_takes_is_told_by_column() {
        let told = json!({
            "state": "loaded", "bytesMax": 8_589_934_592_u64, "bytesOfOthers": 1_048_576,
            "load": {
                "loadedAt": "2026-03-01T08:00:00.000Z", "loadMs": 2_100, "loadedCommit": 7, "commit": 9,
                "cases": 100_000, "events": 1_000_000, "rows": 1_100_000, "excluded": 3,
                "bytes": { "all": 8_388_608, "columns": 5_242_880, "texts": 2_097_152, "joins": 1_048_576, "pushKeys": 0 },
                "tables": [
                    { "name": "EV", "rows": 1_000_000, "columns": [
                        { "name": "CASE", "type": "STRING", "bytes": 2_097_152 },
                        { "name": "TS", "type": "DATE", "bytes": 4_194_304 },
                    ] },
                ],
            },
        });
        let expected = [
            "loaded",
            "memory for data models: 8192.0 MiB, of which others take 1.0 MiB",
            "loaded at 2026-03-01T08:00:00.000Z in 2100 ms at commit 7, now at commit 9: 100000 cases, 1000000 events, \
             1100000 rows (3 without case, activity or time)",
            "it takes 8.0 MiB: columns 5.0 MiB, texts 2.0 MiB, joins 1.0 MiB, push keys 0",
            "table  column  type       rows    bytes",
            "─────  ──────  ──────  ───────  ───────",
            "EV     TS      DATE    1000000  4.0 MiB",
            "EV     CASE    STRING  1000000  2.0 MiB",
        ];
        assert_eq!(lines(&told), expected);
    }

    #[test]
    fn why_it_is_refused_is_told() {
        let told = json!({
            "state": "refused", "since": "2026-03-01T08:00:00.000Z", "detail": "data model \"orders\" cannot be loaded",
            "bytesMax": null, "bytesOfOthers": 0, "load": null,
        });
        let expected = [
            "refused since 2026-03-01T08:00:00.000Z",
            "data model \"orders\" cannot be loaded",
            "memory for data models: no limit, of which others take 0",
        ];
        assert_eq!(lines(&told), expected);
    }
}
