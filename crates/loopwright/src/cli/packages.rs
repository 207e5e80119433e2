//! `packages`: what is published together; and `export`, which writes it into a
//! folder that `apply` takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say, time_of, write};
use crate::client::{Client, segment};

/// List, fill, publish, compare and roll back packages.
#[derive(Args)]
pub(crate) struct PackagesFlags {
    #[command(subcommand)]
    verb: Option<PackagesVerb>,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum PackagesVerb {
    /// List what lies in a package.
    Show {
        /// The package.
        package: String,
    },
    /// Make a package, or give it another name.
    Put {
        /// The package.
        package: String,
        /// What people call it.
        name: String,
    },
    /// Put flows into a package.
    Add {
        /// The package.
        package: String,
        /// The flows.
        #[arg(required = true)]
        flows: Vec<String>,
    },
    /// Take flows out of a package; they stay as they are.
    Remove {
        /// The package.
        package: String,
        /// The flows.
        #[arg(required = true)]
        flows: Vec<String>,
    },
    /// Publish all drafts of a package, or none.
    Publish {
        /// The package.
        package: String,
        /// What to remember about it.
        #[arg(long)]
        note: Option<String>,
    },
    /// Switch schedules and hooks of all flows of a package on.
    Activate {
        /// The package.
        package: String,
    },
    /// List what was published of a package: when, by whom, and why.
    Versions {
        /// The package.
        package: String,
        /// Times in UTC instead of the zone of this machine.
        #[arg(long)]
        utc: bool,
    },
    /// Tell what two versions differ in; without numbers, what publishing would change.
    Diff {
        /// The package.
        package: String,
        /// A number, `published` or `draft`.
        #[arg(default_value = "published")]
        from: String,
        /// The same.
        #[arg(default_value = "draft")]
        to: String,
    },
    /// Publish an older version again, as a new one.
    Rollback {
        /// The package.
        package: String,
        /// Number of the version.
        version: u64,
        /// What to remember about it.
        #[arg(long)]
        note: Option<String>,
    },
}

/// Write flows and knowledge models into a folder, one file each, that `apply` takes.
#[derive(Args)]
pub(crate) struct ExportFlags {
    /// The folder; files in it that have other names stay.
    folder: PathBuf,
    /// Only what lies in this package.
    #[arg(long)]
    package: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run(flags: PackagesFlags) -> Result<()> {
    let client = flags.client.client();
    let path = |package: &str| format!("/api/v1/packages/{}", segment(package));
    match flags.verb {
        None => {
            for package in items(&client.get("/api/v1/packages").await?) {
                say(&format!("{}: {}", text_of(&package["key"]), text_of(&package["name"])));
            }
            Ok(())
        }
        Some(PackagesVerb::Show { package }) => {
            let contents = client.get(&format!("{}/contents", path(&package))).await?;
            let row = |part: &Json| {
                let version = match (&part["version"], part["draftAhead"] == true) {
                    (Json::Null, _) => "draft".to_owned(),
                    (version, true) => format!("{version} + draft"),
                    (version, false) => version.to_string(),
                };
                let active = if part["active"] == true { "active" } else { "" };
                vec![text_of(&part["kind"]), text_of(&part["key"]), text_of(&part["name"]), version, active.to_owned()]
            };
            let rows: Vec<_> = items(&contents).iter().map(row).collect();
            let head = [("kind", false), ("key", false), ("name", false), ("version", false), ("state", false)];
            for line in &Table::of(&head, &rows) {
                say(line);
            }
            Ok(())
        }
        Some(PackagesVerb::Put { package, name }) => {
            client.json(Method::PUT, &path(&package), Some(&json!({ "name": name }))).await?;
            say(&format!("package \"{package}\" is put"));
            Ok(())
        }
        Some(PackagesVerb::Add { package, flows }) => {
            for flow in flows {
                client.json(Method::PUT, &format!("{}/flows/{}", path(&package), segment(&flow)), None).await?;
                say(&format!("flow \"{flow}\" lies in package \"{package}\""));
            }
            Ok(())
        }
        Some(PackagesVerb::Remove { package, flows }) => {
            for flow in flows {
                client.json(Method::DELETE, &format!("{}/flows/{}", path(&package), segment(&flow)), None).await?;
                say(&format!("flow \"{flow}\" lies in package \"{package}\" no longer"));
            }
            Ok(())
        }
        Some(PackagesVerb::Publish { package, note }) => {
            let version = client.post(&format!("{}/publish", path(&package)), &json!({ "note": note })).await?;
            published(&package, &version);
            Ok(())
        }
        Some(PackagesVerb::Activate { package }) => {
            let answer = client.post(&format!("{}/activate", path(&package)), &json!({})).await?;
            for notice in items(&answer["notices"]) {
                say(&format!("warning: flow \"{}\": {}", text_of(&notice["flow"]), text_of(&notice["text"])));
            }
            say(&format!("the flows of package \"{package}\" are active"));
            Ok(())
        }
        Some(PackagesVerb::Versions { package, utc }) => versions(&client, &path(&package), utc).await,
        Some(PackagesVerb::Diff { package, from, to }) => {
            let (from, to) = (segment(&from), segment(&to));
            let answer = client.get(&format!("{}/versions/{from}/diff/{to}", path(&package))).await?;
            for part in items(&answer["parts"]) {
                say(&format!("{} \"{}\": {}", text_of(&part["kind"]), text_of(&part["key"]), text_of(&part["change"])));
                write(&text_of(&part["text"]));
            }
            if items(&answer["parts"]).is_empty() {
                remark("both are the same");
            }
            Ok(())
        }
        Some(PackagesVerb::Rollback { package, version, note }) => {
            let path = format!("{}/versions/{version}/publish", path(&package));
            published(&package, &client.post(&path, &json!({ "note": note })).await?);
            Ok(())
        }
    }
}

fn published(package: &str, version: &Json) {
    say(&format!("package \"{package}\": version {} is published", version["version"]));
    for part in items(&version["parts"]) {
        say(&format!("  {} \"{}\" version {}", text_of(&part["kind"]), text_of(&part["key"]), part["version"]));
    }
}

async fn versions(client: &Client, path: &str, utc: bool) -> Result<()> {
    let versions = client.get(&format!("{path}/versions")).await?;
    let row = |version: &Json| {
        let of = version["ofVersion"].as_u64().map_or_else(String::new, |of| format!("again {of}"));
        let note = [text_of(&version["note"]), of].into_iter().filter(|text| !text.is_empty());
        vec![
            version["version"].to_string(),
            time_of(&version["publishedAt"], utc),
            text_of(&version["publishedBy"]),
            items(&version["parts"]).len().to_string(),
            note.collect::<Vec<_>>().join("; "),
        ]
    };
    let rows: Vec<_> = items(&versions).iter().map(row).collect();
    if rows.is_empty() {
        remark("nothing is published yet");
    }
    let head = [("version", true), ("published", false), ("by", false), ("parts", true), ("note", false)];
    for line in &Table::of(&head, &rows) {
        say(line);
    }
    Ok(())
}

/// Writes a folder. Drafts are written: what a person works on is what they
/// want in version control.
pub(super) async fn export(flags: ExportFlags) -> Result<()> {
    let client = flags.client.client();
    let folder = &flags.folder;
    let is_wanted = |package: &Json| flags.package.is_none() || package.as_str() == flags.package.as_deref();
    let mut manifest = Map::new();
    let mut packages: BTreeMap<String, Json> = BTreeMap::new();
    for package in items(&client.get("/api/v1/packages").await?) {
        if is_wanted(&package["key"]) {
            packages.insert(text_of(&package["key"]), json!({"key": package["key"], "name": package["name"]}));
        }
    }
    let mut models = Vec::new();
    for model in items(&client.get("/api/v1/models").await?).iter().filter(|model| is_wanted(&model["package"])) {
        let id = text_of(&model["id"]);
        let whole = client.get(&format!("/api/v1/models/{}", segment(&id))).await?;
        let file = format!("models/{id}.yaml");
        keep(folder, &file, whole["draft"].as_str().unwrap_or_default())?;
        models.push(json!({"id": id, "file": file, "publish": !model["published"].is_null()}));
    }
    let mut flows = Vec::new();
    for flow in items(&client.get("/api/v1/flows").await?).iter().filter(|flow| is_wanted(&flow["package"])) {
        let key = text_of(&flow["key"]);
        let whole = client.get(&format!("/api/v1/flows/{}", segment(&key))).await?;
        let text = whole["draft"].as_str().unwrap_or_default();
        let end = if flows::blueprint::is_json(text) { "json" } else { "yaml" };
        let file = format!("flows/{key}.{end}");
        keep(folder, &file, text)?;
        let mut entry = Map::new();
        entry.insert("key".into(), json!(key));
        entry.insert("file".into(), json!(file));
        if let Some(package) = flow["package"].as_str() {
            entry.insert("package".into(), json!(package));
        }
        if whole["variables"].as_object().is_some_and(|variables| !variables.is_empty()) {
            entry.insert("variables".into(), whole["variables"].clone());
        }
        // A draft that is ahead is written as what it is: not published yet.
        entry.insert("publish".into(), json!(!flow["version"].is_null() && flow["draftAhead"] != true));
        entry.insert("activate".into(), json!(flow["state"] == "active"));
        flows.push(Json::Object(entry));
    }
    let (count, model_count) = (flows.len(), models.len());
    manifest.insert("packages".into(), packages.into_values().collect());
    manifest.insert("knowledgeModels".into(), models.into());
    manifest.insert("flows".into(), flows.into());
    keep(folder, "loopwright.yaml", &serde_saphyr::to_string(&Json::Object(manifest))?)?;
    say(&format!("{}: {count} flows and {model_count} knowledge models", folder.display()));
    Ok(())
}

fn keep(folder: &Path, file: &str, text: &str) -> Result<()> {
    let path = folder.join(file);
    let wrong = || format!("{} cannot be written", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(wrong)?;
    if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    std::fs::write(&path, text).with_context(wrong)
}
