//! `structures`: which fields data has, for flows that create JSON or CSV and
//! for webhooks that check what comes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use flows::Structure;
use http::Method;
use serde_json::{Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say};
use crate::client::segment;

/// Data structures: write them by hand, or learn them from a sample.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright structures learn order.json --as order\n  \
                        loopwright structures show order > order.yaml\n  \
                        loopwright structures put order order.yaml")]
pub(crate) struct StructuresFlags {
    #[command(subcommand)]
    verb: StructuresVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum StructuresVerb {
    /// List them.
    List,
    /// Print one as JSON, as `put` takes it.
    Show {
        /// Its name.
        name: String,
    },
    /// Store one: a file with `spec`, a list of fields, in YAML or JSON.
    Put {
        /// What flows call it.
        name: String,
        /// The file.
        file: PathBuf,
        /// A number under which flows that were drawn elsewhere name it.
        #[arg(long = "imported-id", value_name = "NUMBER")]
        imported_ids: Vec<u64>,
    },
    /// Learn one from a sample: JSON, CSV with a row of headers, or XML.
    Learn {
        /// The file with the sample.
        sample: PathBuf,
        /// Store it under this name; otherwise it is only printed.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Items that are not in the sample are refused.
        #[arg(long)]
        strict: bool,
    },
    /// Remove one; published flows keep theirs.
    Remove {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(flags: StructuresFlags) -> Result<()> {
    const ALL: &str = "/api/v1/data-structures";
    let of = |name: &str| format!("{ALL}/{}", segment(name));
    match flags.verb {
        StructuresVerb::List => {
            let structures = flags.client.client().get(ALL).await?;
            if items(&structures).is_empty() {
                remark("there is no data structure yet: `loopwright structures learn SAMPLE --as NAME` makes one");
                return Ok(());
            }
            for line in &lines(&structures) {
                say(line);
            }
        }
        StructuresVerb::Show { name } => {
            say(&serde_json::to_string_pretty(&flags.client.client().get(&of(&name)).await?)?);
        }
        StructuresVerb::Put { name, file, imported_ids } => {
            let mut body = written(&file)?;
            if !imported_ids.is_empty() {
                body["importedIds"] = imported_ids.into();
            }
            flags.client.client().json(Method::PUT, &of(&name), Some(&body)).await?;
            remark(&format!("data structure \"{name}\" is put"));
        }
        StructuresVerb::Learn { sample, name, strict } => {
            let learnt = Structure::learn_text(&text_in(&sample)?).map_err(|detail| anyhow!(detail))?;
            let learnt = Structure { strict, ..learnt }.to_json();
            say(&serde_json::to_string_pretty(&learnt)?);
            if let Some(name) = name {
                flags.client.client().json(Method::PUT, &of(&name), Some(&learnt)).await?;
                remark(&format!("data structure \"{name}\" is put"));
            }
        }
        StructuresVerb::Remove { name } => {
            flags.client.client().json(Method::DELETE, &of(&name), None).await?;
            remark(&format!("data structure \"{name}\" is removed"));
        }
    }
    Ok(())
}

fn text_in(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Reads a file as the API takes it; what `show` prints beside the fields is
/// left out.
fn written(file: &Path) -> Result<Json> {
    let document: Json =
        serde_saphyr::from_str(&text_in(file)?).with_context(|| format!("{} is not YAML", file.display()))?;
    Ok(match document {
        Json::Array(_) => json!({ "spec": document }),
        mut document => {
            if let Json::Object(parts) = &mut document {
                parts.remove("name");
                parts.remove("updatedAt");
            }
            document
        }
    })
}

fn lines(structures: &Json) -> Vec<String> {
    let row = |structure: &Json| {
        let fields: Vec<String> = items(&structure["spec"]).iter().map(|field| text_of(&field["name"])).collect();
        let strict = if structure["strict"] == true { "strict" } else { "" };
        vec![text_of(&structure["name"]), strict.to_owned(), fields.join(", ")]
    };
    let rows: Vec<Vec<String>> = items(structures).iter().map(row).collect();
    Table::of(&[("NAME", false), ("STRICT", false), ("FIELDS", false)], &rows)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_list_shows_names_and_fields() {
        let structures = json!([
            {"name": "order", "strict": true, "spec": [{"name": "id"}, {"name": "lines"}]},
            {"name": "ping", "strict": false, "spec": []},
        ]);
        expect![[r"
            NAME   STRICT  FIELDS
            ─────  ──────  ─────────
            order  strict  id, lines
            ping"]]
        .assert_eq(&lines(&structures).iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"));
    }
}
