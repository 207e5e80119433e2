//! `flow import`, `flow export`, `flow secrets` and `flow new`: flows on their
//! way in and out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use flows::Credentials;
use flows::blueprint::{self, Format};
use flows::literal;
use http::Method;
use serde_json::{Map, Value as Json, json};

use super::{notice_lines, path_of};
use crate::cli::explore::{items, text_of};
use crate::cli::{remark, say, write};
use crate::client::{Client, segment};

/// Store what was exported elsewhere as drafts: a blueprint in any form, or the archive of a package.
#[derive(Args)]
pub(super) struct ImportFlags {
    /// A blueprint, an answer of the API, a clipboard copy, a template, or a zip.
    file: PathBuf,
    /// Key of the flow, if the file is one; else it is made of its name.
    #[arg(long)]
    key: Option<String>,
    /// The package into which the flows go.
    #[arg(long)]
    package: Option<String>,
    /// Only tell what would come.
    #[arg(long)]
    dry_run: bool,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Print a flow as a blueprint, or in YAML; it imports back to the same flow.
#[derive(Args)]
pub(super) struct ExportFlags {
    /// The flow.
    key: String,
    /// In YAML, as a folder under version control has it.
    #[arg(long)]
    yaml: bool,
    /// `draft`, `published`, or the number of a version.
    #[arg(long, default_value = "draft")]
    of: String,
}

/// Find secrets that stand in the text of a flow, and move them into a connection.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright flow secrets late.json\n  \
                        loopwright flow secrets late.json --move databricks")]
pub(super) struct SecretsFlags {
    /// A file, or the key of a flow on the server.
    flow: String,
    /// Make connections of them; the first has this name.
    #[arg(long = "move", value_name = "NAME")]
    to: Option<String>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Make a draft of a template; without one, list the templates.
#[derive(Args)]
#[command(
    after_help = "Example:\n  loopwright flow new webhook-to-pool --key orders --set pool=p-1 --set table=Orders \
                        --set 'columns=[\"OrderId\",\"Date\"]'"
)]
pub(super) struct NewFlags {
    /// The template.
    template: Option<String>,
    /// Key of the flow that is made; that of the template if it is left out.
    #[arg(long)]
    key: Option<String>,
    /// What to fill in: NAME=VALUE, a text or JSON.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

pub(super) async fn import(client: &Client, flags: ImportFlags) -> Result<()> {
    let ImportFlags { file, key, package, dry_run, json } = flags;
    let bytes = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut path = format!("/api/v1/flow-imports?dryRun={dry_run}");
    for (name, value) in [("key", key), ("package", package)] {
        if let Some(value) = value {
            path += &format!("&{name}={}", segment(&value));
        }
    }
    let answer = client.call(Method::POST, &path, Some("application/octet-stream"), bytes.into()).await?;
    let answer = answer.json(&Method::POST, &path)?;
    if json {
        say(&serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    for flow in items(&answer["flows"]) {
        for line in &import_lines(flow, dry_run) {
            say(line);
        }
    }
    Ok(())
}

fn import_lines(flow: &Json, dry_run: bool) -> Vec<String> {
    let word = match (dry_run, flow["replaces"] == true) {
        (true, true) => "would replace the draft",
        (true, false) => "would be made",
        (false, true) => "has a new draft",
        (false, false) => "is stored as a draft",
    };
    let mut lines = vec![format!(
        "flow \"{}\" {word}: \"{}\", {} modules",
        text_of(&flow["key"]),
        text_of(&flow["name"]),
        flow["modules"]
    )];
    let list = |name: &str| items(&flow[name]).iter().map(text_of).collect::<Vec<_>>().join(", ");
    for (name, words) in
        [("unknownModules", "not known here, a run fails at them"), ("unmapped", "to map by `loopwright flow map`")]
    {
        let listed = list(name);
        if !listed.is_empty() {
            lines.push(format!("  {words}: {listed}"));
        }
    }
    lines.extend(notice_lines(flow).iter().map(|line| format!("  {line}")));
    lines
}

pub(super) async fn export(client: &Client, flags: ExportFlags) -> Result<()> {
    let format = if flags.yaml { "yaml" } else { "json" };
    let path = format!("{}/blueprint?format={format}&of={}", path_of(&flags.key), segment(&flags.of));
    let answer = client.call(Method::GET, &path, None, bytes::Bytes::new()).await?;
    let text = String::from_utf8(answer.successful(&Method::GET, &path)?.to_vec())?;
    write(&text);
    let literals = blueprint::document(&text).map(|document| literal::find(&document)).unwrap_or_default();
    for literal in literals {
        remark(&format!("note: {}", literal.notice()));
    }
    Ok(())
}

pub(super) async fn secrets(client: &Client, flags: SecretsFlags) -> Result<()> {
    let SecretsFlags { flow, to, json } = flags;
    let file = Path::new(&flow);
    if !file.exists() {
        return on_server(client, &flow, to.as_deref(), json).await;
    }
    let text = super::text_in(file)?;
    let unreadable = |problem| anyhow!("{} cannot be read: {problem}", file.display());
    let document = blueprint::document(&text).map_err(unreadable)?;
    let Some(name) = to else {
        return told(&serde_json::to_value(literal::find(&document))?, json);
    };
    let moved = literal::move_into_connections(&document, &name);
    let there = client.get("/api/v1/connections").await?;
    for (name, spec, of) in &moved.connections {
        if items(&there).iter().any(|known| known["name"] == name.as_str()) {
            bail!("connection \"{name}\" is there already: choose another name");
        }
        let body = wire_of(&spec.kind, &spec.credentials)?;
        client.json(Method::PUT, &format!("/api/v1/connections/{}", segment(name)), Some(&body)).await?;
        say(&format!("connection \"{name}\" of kind {} is made", spec.kind));
        for literal in of {
            say(&format!("  from {literal:?}"));
        }
    }
    if !moved.connections.is_empty() {
        let format = if blueprint::is_json(&text) { Format::Json } else { Format::Yaml };
        let text = blueprint::write(&moved.document, format).map_err(|problem| anyhow!(problem))?;
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        say(&format!("{} no longer contains them", file.display()));
        if format == Format::Yaml {
            remark("the file was written anew, without its comments; what version control keeps still has the secrets");
        }
    }
    told(&serde_json::to_value(moved.left)?, json)
}

/// Finds or moves the secrets of a draft on the server.
async fn on_server(client: &Client, flow: &str, to: Option<&str>, json: bool) -> Result<()> {
    let path = format!("{}/secrets", path_of(flow));
    let Some(name) = to else {
        return told(&client.get(&path).await?, json);
    };
    let moved = client.post(&path, &json!({ "connection": name })).await?;
    if json {
        say(&serde_json::to_string_pretty(&moved)?);
        return Ok(());
    }
    for made in items(&moved["connections"]) {
        say(&format!("connection \"{}\" of kind {} is made", text_of(&made["connection"]), text_of(&made["kind"])));
    }
    if moved["keptInHistory"] == true {
        remark("versions or runs of before keep the old text: replace the secret where it was given out");
    }
    told(&moved["left"], false)
}

fn told(literals: &Json, json: bool) -> Result<()> {
    if json {
        say(&serde_json::to_string_pretty(literals)?);
        return Ok(());
    }
    for literal in items(literals) {
        let home = match (&literal["home"]["connection"], &literal["home"]["nowhere"]) {
            (Json::String(kind), _) => format!("it can become a connection of kind {kind}"),
            (_, Json::String(why)) => why.clone(),
            _ => String::new(),
        };
        let (field, what) = (text_of(&literal["field"]), text_of(&literal["what"]));
        say(&format!("module {}, {field}: {what} ({}): {home}", literal["module"], text_of(&literal["shown"])));
    }
    if items(literals).is_empty() {
        remark("no secret stands in the text");
    }
    Ok(())
}

/// Writes a connection as the API takes it.
fn wire_of(kind: &str, credentials: &Credentials) -> Result<Json> {
    Ok(match credentials {
        Credentials::AppKey(secret) | Credentials::Bearer(secret) => json!({"kind": kind, "secret": secret.expose()}),
        Credentials::Basic { user, password } => json!({"kind": kind, "user": user, "secret": password.expose()}),
        Credentials::Header { header, value } => json!({"kind": kind, "header": header, "secret": value.expose()}),
        Credentials::Query { parameter, value } => {
            json!({"kind": kind, "parameter": parameter, "secret": value.expose()})
        }
        _ => bail!("a connection of kind {kind} is not made of a text"),
    })
}

pub(super) async fn new(client: &Client, flags: NewFlags) -> Result<()> {
    let NewFlags { template, key, set } = flags;
    let Some(template) = template else {
        for template in items(&client.get("/api/v1/flow-templates").await?) {
            say(&format!("{}: {}", text_of(&template["key"]), text_of(&template["title"])));
            say(&format!("  {}", text_of(&template["description"])));
            let required = items(&template["form"]["required"]);
            for (name, field) in template["form"]["properties"].as_object().into_iter().flatten() {
                let rest = match &field["default"] {
                    _ if required.contains(&Json::from(name.as_str())) => "required".to_owned(),
                    Json::Null => "optional".to_owned(),
                    default => format!("{default} if left out"),
                };
                say(&format!("  --set {name}=… {} ({rest})", text_of(&field["title"])));
            }
        }
        return Ok(());
    };
    let mut parameters = Map::new();
    for pair in &set {
        let (name, value) = pair.split_once('=').with_context(|| format!("\"{pair}\" is not NAME=VALUE"))?;
        let value = if value.starts_with(['[', '{']) {
            serde_json::from_str(value).with_context(|| format!("{value} is not JSON"))?
        } else {
            Json::from(value)
        };
        parameters.insert(name.to_owned(), value);
    }
    let key = key.unwrap_or_else(|| template.clone());
    let path = format!("/api/v1/flow-templates/{}", segment(&template));
    let made = client.post(&path, &json!({ "key": key, "parameters": parameters })).await?;
    for line in &notice_lines(&made) {
        say(line);
    }
    say(&format!("flow \"{key}\": the draft is stored; `loopwright flow publish {key}` makes it run"));
    Ok(())
}
