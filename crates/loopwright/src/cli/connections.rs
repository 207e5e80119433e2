//! `connections`: the secrets that flows name and never contain.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say};
use crate::client::segment;

/// Connections of flows: list, put, test, map and remove them.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright connections put mail --kind smtp --set host=mail.example.org \
                        --set user=orders \\\n    --set from=orders@example.org --secret-file password.txt\n  \
                        loopwright connections test mail\n  \
                        printf %s \"$TOKEN\" | loopwright connections put slack --kind slack --secret-file -\n\n\
                        A secret comes from a file or from standard input, never from an argument: those can be seen by \
                        everyone on the machine.")]
pub(crate) struct ConnectionsFlags {
    #[command(subcommand)]
    verb: ConnectionsVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum ConnectionsVerb {
    /// List them.
    List,
    /// Show one without its secret, and the flows that name it.
    Show {
        /// Its name.
        name: String,
    },
    /// Store one; replaces one of the same name.
    Put {
        /// What flows call it.
        name: String,
        /// A file in YAML or JSON with its fields, as the API takes them.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Its kind, such as bearer, basic, smtp, slack, databricks-oauth.
        #[arg(long)]
        kind: Option<String>,
        /// A field that is no secret.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        fields: Vec<String>,
        /// The file with the secret, or - for standard input.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// A number of flows that were drawn elsewhere: connection:12, key:34.
        #[arg(long = "imported-id", value_name = "ID")]
        imported_ids: Vec<String>,
    },
    /// Try one by a call that does no harm.
    Test {
        /// Its name.
        name: String,
        /// What to call, where the kind does not say it.
        #[arg(long = "at", value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// List the calls to Databricks workspaces made with it, the newest first.
    Calls {
        /// Its name.
        name: String,
        /// Calls at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// List the jobs of its Databricks workspace.
    Jobs {
        /// Its name.
        name: String,
    },
    /// Let it stand for a number of flows that were drawn elsewhere.
    Map {
        /// connection:12 or key:34.
        imported: String,
        /// The connection.
        name: String,
    },
    /// Remove one that no flow names.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Names of fields whose values are secrets.
const SECRETS: [&str; 7] = ["secret", "key", "token", "password", "value", "url", "certificate"];

pub(super) async fn run(flags: ConnectionsFlags) -> Result<()> {
    const ALL: &str = "/api/v1/connections";
    let of = |name: &str| format!("{ALL}/{}", segment(name));
    let client = flags.client.client();
    match flags.verb {
        ConnectionsVerb::List => {
            for line in &lines(&client.get(ALL).await?) {
                say(line);
            }
        }
        ConnectionsVerb::Show { name } => say(&serde_json::to_string_pretty(&client.get(&of(&name)).await?)?),
        ConnectionsVerb::Put { name, file, kind, fields, secret_file, imported_ids } => {
            let mut body = match file {
                Some(file) => written(&file)?,
                None => Map::new(),
            };
            body.extend(set(&fields)?);
            if let Some(kind) = kind {
                body.insert("kind".into(), kind.into());
            }
            if let Some(file) = secret_file {
                body.insert("secret".into(), secret_in(&file)?.into());
            }
            if !imported_ids.is_empty() {
                body.insert("importedIds".into(), imported_ids.into());
            }
            client.json(Method::PUT, &of(&name), Some(&Json::Object(body))).await?;
            remark(&format!("connection \"{name}\" is put; `loopwright connections test {name}` tries it"));
        }
        ConnectionsVerb::Test { name, address } => {
            let body = address.map_or(json!({}), |address| json!({"url": address}));
            let tested = client.json(Method::POST, &format!("{}/test", of(&name)), Some(&body)).await?;
            for line in &told(&tested) {
                say(line);
            }
            if tested["ok"] != true {
                bail!("connection \"{name}\" does not work");
            }
        }
        ConnectionsVerb::Calls { name, limit } => {
            let calls = client.get(&format!("{}/calls?limit={limit}", of(&name))).await?;
            for line in &calls_told(&calls) {
                say(line);
            }
        }
        ConnectionsVerb::Jobs { name } => {
            let jobs = client.get(&format!("{}/databricks/jobs", of(&name))).await?;
            let row = |job: &Json| vec![text_of(&job["jobId"]), text_of(&job["name"]), optional(&job["creator"])];
            let rows: Vec<Vec<String>> = items(&jobs).iter().map(row).collect();
            for line in &Table::of(&[("JOB", true), ("NAME", false), ("MADE BY", false)], &rows) {
                say(line);
            }
        }
        ConnectionsVerb::Map { imported, name } => {
            let path = format!("/api/v1/flow-imports/{}", segment(&imported));
            client.json(Method::PUT, &path, Some(&json!({ "name": name }))).await?;
            remark(&format!("{imported} is \"{name}\" from now on"));
        }
        ConnectionsVerb::Remove { name } => {
            client.json(Method::DELETE, &of(&name), None).await?;
            remark(&format!("connection \"{name}\" is removed"));
        }
    }
    Ok(())
}

fn written(file: &std::path::Path) -> Result<Map<String, Json>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    match serde_saphyr::from_str(&text) {
        Ok(Json::Object(fields)) => Ok(fields),
        // What is wrong may quote a secret.
        _ => bail!("{} is not a list of fields in YAML or JSON", file.display()),
    }
}

fn set(fields: &[String]) -> Result<Map<String, Json>> {
    let mut set = Map::new();
    for field in fields {
        let (name, value) = field.split_once('=').with_context(|| format!("--set {field}: write NAME=VALUE"))?;
        if SECRETS.contains(&name) {
            bail!(
                "--set {name}: a secret is not an argument, which everyone on the machine can see: use --secret-file"
            );
        }
        let value = match value.parse::<u64>() {
            Ok(number) if name == "port" => number.into(),
            _ if matches!(value, "true" | "false") => (value == "true").into(),
            _ => Json::from(value),
        };
        set.insert(name.to_owned(), value);
    }
    Ok(set)
}

fn secret_in(file: &std::path::Path) -> Result<String> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn lines(connections: &Json) -> Vec<String> {
    let row = |connection: &Json| {
        let imported: Vec<String> = items(&connection["importedIds"]).iter().map(text_of).collect();
        let expires = connection["expiresAt"].as_str().map(|at| at.get(..10).unwrap_or(at)).unwrap_or_default();
        let soon = if connection["warning"].is_string() { " (!)" } else { "" };
        vec![
            text_of(&connection["name"]),
            text_of(&connection["kind"]),
            connection["origin"].as_str().unwrap_or_default().to_owned(),
            format!("{expires}{soon}"),
            imported.join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = items(connections).iter().map(row).collect();
    Table::of(&[("NAME", false), ("KIND", false), ("ONLY FOR", false), ("ENDS", false), ("STANDS FOR", false)], &rows)
}

fn optional(value: &Json) -> String {
    if value.is_null() { String::new() } else { text_of(value) }
}

fn calls_told(calls: &Json) -> Vec<String> {
    let row = |call: &Json| {
        let outcome = match (call["status"].as_u64(), call["errorCode"].as_str()) {
            (Some(status), Some(code)) => format!("{status} {code}"),
            (Some(status), None) => status.to_string(),
            (None, code) => code.unwrap_or_default().to_owned(),
        };
        vec![
            text_of(&call["at"]).chars().take(19).collect(),
            format!("{} {}", text_of(&call["method"]), text_of(&call["path"])),
            outcome,
            text_of(&call["durationMs"]),
            optional(&call["databricksRun"]),
            optional(&call["flow"]),
            text_of(&call["operation"]),
            text_of(&call["who"]),
        ]
    };
    let rows: Vec<Vec<String>> = items(calls).iter().map(row).collect();
    let heads = [
        ("AT (UTC)", false),
        ("CALL", false),
        ("ANSWER", false),
        ("MS", true),
        ("RUN", true),
        ("FLOW", false),
        ("FOR", false),
        ("WHO", false),
    ];
    Table::of(&heads, &rows)
}

fn told(tested: &Json) -> Vec<String> {
    let status = tested["status"].as_u64().map(|status| format!(" -> {status}")).unwrap_or_default();
    let mut lines = vec![
        format!("called  {}{status} ({} ms)", text_of(&tested["called"]), tested["tookMs"]),
        format!("{}  {}", if tested["ok"] == true { "ok    " } else { "failed" }, text_of(&tested["said"])),
    ];
    lines.extend(tested["mend"].as_str().map(|mend| format!("mend    {mend}")));
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_list_shows_everything_but_secrets() {
        let connections = json!([
            {"name": "dbx", "kind": "databricks-pat", "origin": "https://adb-1.azuredatabricks.net",
             "expiresAt": "2026-04-01T00:00:00.000Z", "warning": "…", "importedIds": ["connection:12"]},
            {"name": "this-loopwright", "kind": "built-in", "origin": "loopwright://this", "expiresAt": null},
        ]);
        expect![[r"
            NAME             KIND            ONLY FOR                           ENDS            STANDS FOR
            ───────────────  ──────────────  ─────────────────────────────────  ──────────────  ─────────────
            dbx              databricks-pat  https://adb-1.azuredatabricks.net  2026-04-01 (!)  connection:12
            this-loopwright  built-in        loopwright://this"]]
        .assert_eq(&lines(&connections).iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_secret_is_no_argument() {
        let error = set(&["user=ann".into(), "password=p".into()]).expect_err("it is refused").to_string();
        assert!(error.starts_with("--set password: a secret is not an argument") && !error.contains("=p"), "{error}");
        let fields = set(&["port=587".into(), "user=7".into(), "secretInBody=true".into()]).expect("fields");
        assert_eq!(Json::Object(fields), json!({"port": 587, "user": "7", "secretInBody": true}));
    }

    #[test]
    fn what_came_of_a_test_is_told_in_words() {
        let tested = json!({"ok": false, "called": "GET https://x.example/", "status": 401, "tookMs": 12,
            "said": "the secret was not accepted", "mend": "put the right secret into the connection"});
        expect![[r"
            called  GET https://x.example/ -> 401 (12 ms)
            failed  the secret was not accepted
            mend    put the right secret into the connection"]]
        .assert_eq(&told(&tested).join("\n"));
    }
}
