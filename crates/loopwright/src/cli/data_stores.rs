//! `data-stores`: records that flows keep from run to run.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say};
use crate::client::segment;

const ALL: &str = "/api/v1/data-stores";

/// Data stores: records by key that flows keep from run to run.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright data-stores create seen --structure order\n  \
                        loopwright data-stores put seen 4711 '{\"state\": \"new\"}'\n  \
                        loopwright data-stores records seen")]
pub(crate) struct DataStoresFlags {
    #[command(subcommand)]
    verb: DataStoresVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum DataStoresVerb {
    /// List them.
    List,
    /// Make one, or set what there is of it; its records stay.
    Create {
        /// What flows call it.
        name: String,
        /// Data structure to which its records are converted; "" for none.
        #[arg(long)]
        structure: Option<String>,
        /// A number under which flows that were drawn elsewhere name it.
        #[arg(long = "imported-id", value_name = "NUMBER")]
        imported_ids: Vec<u64>,
    },
    /// Call one otherwise; flows that name it must be changed too.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Remove one with all its records.
    Remove {
        /// Its name.
        name: String,
    },
    /// Print its records, one JSON document in each line.
    Records {
        /// Its name.
        name: String,
        /// Records at most; all if nothing is said.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Print one record.
    Get {
        /// Name of the store.
        name: String,
        /// Key of the record.
        key: String,
    },
    /// Put a record in the place of one of the same key, or add it.
    Put {
        /// Name of the store.
        name: String,
        /// Key of the record.
        key: String,
        /// Its fields as a JSON object, or `@FILE`.
        data: String,
    },
    /// Remove a record.
    Delete {
        /// Name of the store.
        name: String,
        /// Key of the record.
        key: String,
    },
    /// Remove all its records.
    Clear {
        /// Its name.
        name: String,
        /// Do it without being asked.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(flags: DataStoresFlags) -> Result<()> {
    let of = |name: &str| format!("{ALL}/{}", segment(name));
    let record_of = |name: &str, key: &str| format!("{ALL}/{}/records/{}", segment(name), segment(key));
    let client = flags.client.client();
    match flags.verb {
        DataStoresVerb::List => {
            let stores = client.get(ALL).await?;
            if items(&stores).is_empty() {
                remark("there is no data store yet: `loopwright data-stores create NAME` makes one");
                return Ok(());
            }
            for line in &lines(&stores) {
                say(line);
            }
        }
        DataStoresVerb::Create { name, structure, imported_ids } => {
            let mut body = json!({});
            if let Some(structure) = structure {
                body["structure"] = if structure.is_empty() { Json::Null } else { structure.into() };
            }
            if !imported_ids.is_empty() {
                body["importedIds"] = imported_ids.into();
            }
            client.json(Method::PUT, &of(&name), Some(&body)).await?;
            remark(&format!("data store \"{name}\" is put"));
        }
        DataStoresVerb::Rename { name, to } => {
            let path = format!("{}/rename", of(&name));
            client.json(Method::POST, &path, Some(&json!({ "name": to }))).await?;
            remark(&format!("data store \"{name}\" is called \"{to}\" now"));
        }
        DataStoresVerb::Remove { name } => {
            client.json(Method::DELETE, &of(&name), None).await?;
            remark(&format!("data store \"{name}\" is removed"));
        }
        DataStoresVerb::Records { name, limit } => {
            let (mut after, mut left): (Option<String>, usize) = (None, limit.unwrap_or(usize::MAX));
            while left > 0 {
                let mut path = format!("{}/records?limit={}", of(&name), left.min(1_000));
                if let Some(after) = &after {
                    path = format!("{path}&after={}", segment(after));
                }
                let page = client.get(&path).await?;
                for record in items(&page["records"]) {
                    say(&json!({"key": record["key"], "data": record["data"]}).to_string());
                    left -= 1;
                }
                match page["next"].as_str() {
                    Some(next) => after = Some(next.to_owned()),
                    None => break,
                }
            }
        }
        DataStoresVerb::Get { name, key } => {
            let record = client.get(&record_of(&name, &key)).await?;
            say(&serde_json::to_string_pretty(&record["data"])?);
        }
        DataStoresVerb::Put { name, key, data } => {
            let text = match data.strip_prefix('@') {
                Some(file) => {
                    let file = PathBuf::from(file);
                    std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?
                }
                None => data,
            };
            let data: Json = serde_json::from_str(&text).context("the fields of a record are a JSON object")?;
            client.json(Method::PUT, &record_of(&name, &key), Some(&data)).await?;
            remark(&format!("record \"{key}\" is put"));
        }
        DataStoresVerb::Delete { name, key } => {
            client.json(Method::DELETE, &record_of(&name, &key), None).await?;
            remark(&format!("record \"{key}\" is removed"));
        }
        DataStoresVerb::Clear { name, yes } => {
            if !yes {
                bail!("all records of data store \"{name}\" would be lost: say --yes if that is meant");
            }
            client.json(Method::DELETE, &format!("{}/records", of(&name)), None).await?;
            remark(&format!("data store \"{name}\" is empty"));
        }
    }
    Ok(())
}

fn lines(stores: &Json) -> Vec<String> {
    let row = |store: &Json| {
        let structure = match &store["structure"] {
            Json::Null => String::new(),
            Json::String(name) => name.clone(),
            _ => "of its own".to_owned(),
        };
        vec![text_of(&store["name"]), store["records"].to_string(), store["bytes"].to_string(), structure]
    };
    let rows: Vec<Vec<String>> = items(stores).iter().map(row).collect();
    Table::of(&[("NAME", false), ("RECORDS", true), ("BYTES", true), ("STRUCTURE", false)], &rows)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_list_shows_how_much_is_in_each() {
        let stores = json!([
            {"name": "seen", "records": 3, "bytes": 120, "structure": "order"},
            {"name": "notes", "records": 0, "bytes": 0, "structure": null},
        ]);
        expect![[r"
            NAME   RECORDS  BYTES  STRUCTURE
            ─────  ───────  ─────  ─────────
            seen         3    120  order
            notes        0      0"]]
        .assert_eq(&lines(&stores).iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"));
    }
}
