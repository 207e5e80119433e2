//! `apply`: bringing into being what a folder describes.
//!
//! A folder holds a `loopwright.yaml` that lists its parts in words: pool,
//! data models, sources, data jobs, knowledge models, connections, data
//! structures, data stores, webhooks, jobs of the local workspace, flows. Applying it twice
//! changes nothing the second time. Everything goes through the public surface,
//! as the person who applies it.

mod environment;
mod manifest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use serde_json::{Map, Value as Json, json};

use crate::client::{Client, segment};
pub(crate) use environment::Environment;
use environment::Known;
use manifest::{Flow, KnowledgeModel, Manifest};

/// The file that describes a folder.
const MANIFEST_NAME: &str = "loopwright.yaml";

/// Where to apply, and with which values.
pub(crate) struct Target<'a> {
    /// The main surface.
    pub(crate) main: &'a Client,
    /// The local workspace, if the person gave its address and token.
    pub(crate) workspace: Option<&'a Client>,
    /// Values for `${env.NAME}`.
    pub(crate) values: BTreeMap<String, Secret>,
    /// What things are called there.
    pub(crate) environment: Environment,
    /// Only tell what would happen.
    pub(crate) dry_run: bool,
}

/// Applies a folder, or a manifest given by its own path, and prints each
/// part as it is done.
pub(crate) async fn apply(path: &Path, target: Target<'_>, say: &mut dyn FnMut(&str)) -> Result<()> {
    let file = if path.is_dir() { path.join(MANIFEST_NAME) } else { path.to_owned() };
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read; a folder to apply has one", file.display()))?;
    let manifest = Manifest::parse(&text).with_context(|| format!("{} is not as expected", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    Application { folder, target, say, names: BTreeMap::new() }.run(&manifest).await
}

/// Says what publishing made of a model: each trigger with its class and cost
/// and what became of those that match already, and what is strange.
fn told_of(publication: &Json) -> Vec<String> {
    let list = |name: &str| publication[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for trigger in list("triggers") {
        let (id, class, cost) = (text(&trigger["id"]), text(&trigger["class"]), text(&trigger["cost"]));
        let mut line = format!("trigger \"{id}\" is of class {class}: {cost}");
        if let Some(preview) = list("previews").iter().find(|preview| preview["trigger"] == id.as_str()) {
            line += &match (preview["matching"].as_u64(), preview["new"].as_u64(), preview["fires"] == true) {
                (Some(0), ..) => "; nothing matches yet".to_owned(),
                (Some(matching), Some(0), _) => format!("; {matching} match, as before"),
                (matching, new, fires) => {
                    let fires = if fires { "fire" } else { "are known and do not fire" };
                    format!("; {} match, {} of them newly: they {fires}", matching.unwrap_or(0), new.unwrap_or(0))
                }
            };
        }
        lines.push(line);
    }
    let note = |notice: &Json| {
        let (path, detail) = (text(&notice["path"]), text(&notice["detail"]));
        format!("note: {path} (line {}): {detail}", notice["line"])
    };
    lines.extend(list("notices").iter().map(note));
    lines
}

/// One application of one manifest.
struct Application<'a> {
    folder: PathBuf,
    target: Target<'a>,
    say: &'a mut dyn FnMut(&str),
    /// What earlier parts came to: `pool`, `job.NAME`.
    names: BTreeMap<String, Json>,
}

impl Application<'_> {
    async fn run(&mut self, manifest: &Manifest) -> Result<()> {
        self.plan(manifest).await?;
        if !self.target.dry_run {
            self.target.environment.set_shared(self.target.main).await?;
        }
        let pool = match &manifest.pool {
            Some(pool) => self.pool(&self.target.environment.pool(pool)).await?,
            None if manifest.sources.is_empty() && manifest.data_jobs.is_empty() && manifest.data_models.is_empty() => {
                String::new()
            }
            None => bail!("sources, data jobs and data models lie in a pool: name it by \"pool\""),
        };
        for file in &manifest.sources {
            self.source(&pool, file).await?;
        }
        for file in &manifest.data_jobs {
            self.data_job(&pool, file).await?;
        }
        for file in &manifest.data_models {
            self.data_model(&pool, file).await?;
        }
        for package in &manifest.packages {
            let path = format!("/api/v1/packages/{}", segment(&package.key));
            if self.target.dry_run
                && self.find(&path).await?.is_some_and(|known| known["name"] == package.name.as_str())
            {
                (self.say)(&format!("package \"{}\" is there", package.key));
                continue;
            }
            self.put(&format!("package \"{}\"", package.key), &path, &json!({ "name": package.name })).await?;
        }
        for model in &manifest.knowledge_models {
            self.knowledge_model(model).await?;
        }
        for connection in &manifest.connections {
            let path = format!("/api/v1/connections/{}", segment(&connection.name));
            let body = self.fill(&Json::Object(connection.settings.clone()))?;
            self.put(&format!("connection \"{}\"", connection.name), &path, &body).await?;
        }
        for structure in &manifest.structures {
            let path = format!("/api/v1/data-structures/{}", segment(&structure.name));
            let spec: Json = serde_saphyr::from_str(&self.read(&structure.file)?)
                .with_context(|| format!("{} is not YAML", structure.file.display()))?;
            self.put(&format!("data structure \"{}\"", structure.name), &path, &spec).await?;
        }
        for store in &manifest.data_stores {
            let path = format!("/api/v1/data-stores/{}", segment(&store.name));
            let body = self.fill(&Json::Object(store.settings.clone()))?;
            self.put(&format!("data store \"{}\"", store.name), &path, &body).await?;
        }
        for hook in &manifest.hooks {
            let path = format!("/api/v1/hooks/{}", segment(&hook.name));
            let body = self.fill(&Json::Object(hook.settings.clone()))?;
            let put = self.put(&format!("hook \"{}\"", hook.name), &path, &body).await;
            put.with_context(|| format!("hook \"{}\" is refused", hook.name))?;
        }
        if let Some(workspace) = &manifest.workspace {
            self.workspace(workspace).await?;
        }
        for flow in &manifest.flows {
            self.flow(flow).await?;
        }
        Ok(())
    }

    /// Finds the pool by name, or makes it.
    async fn pool(&mut self, name: &str) -> Result<String> {
        let pools = self.target.main.get("/api/v1/pools").await?;
        let known = pools.as_array().into_iter().flatten().find(|pool| pool["name"] == name);
        let id = match known {
            Some(pool) => pool["id"].clone(),
            None if self.target.dry_run => json!("(new)"),
            None => self.target.main.post("/api/v1/pools", &json!({ "name": name })).await?["id"].clone(),
        };
        let word = if known.is_some() { "is there" } else { "is new" };
        (self.say)(&format!("pool \"{name}\" {word}"));
        self.names.insert("pool".into(), id.clone());
        id.as_str().map(str::to_owned).ok_or_else(|| anyhow!("the server did not name the pool"))
    }

    async fn data_model(&mut self, pool: &str, file: &Path) -> Result<()> {
        let text = self.read(file)?;
        let spec: Json = serde_saphyr::from_str(&text).with_context(|| format!("{} is not YAML", file.display()))?;
        let spec = self.fill(&spec)?;
        let key = spec["key"].as_str().ok_or_else(|| anyhow!("{} has no \"key\"", file.display()))?.to_owned();
        let path = format!("/api/v1/pools/{}/data-models/{}", segment(pool), segment(&key));
        let model = self.put(&format!("data model \"{key}\""), &path, &spec).await?;
        self.names.insert(format!("dataModel.{key}"), model["id"].clone());
        Ok(())
    }

    /// Puts a source; its secrets come from the environment by `${env.NAME}`.
    async fn source(&mut self, pool: &str, file: &Path) -> Result<()> {
        let text = self.read(file)?;
        let wrong = || format!("{} is no source", self.folder.join(file).display());
        let outline: manifest::Source = serde_saphyr::from_str(&text).with_context(wrong)?;
        let document: Json = serde_saphyr::from_str(&text).with_context(wrong)?;
        let document = self.fill(&document)?;
        let what = format!("source \"{}\"", outline.key);
        if self.target.dry_run {
            (self.say)(&format!("{what} would be put"));
            return Ok(());
        }
        let path = format!("/api/v1/pools/{}/sources/{}", segment(pool), segment(&outline.key));
        let answer = self.target.main.json(Method::PUT, &path, Some(&document)).await;
        let answer = answer.with_context(|| format!("{} is refused", file.display()))?;
        let word = if answer["changed"] == false { "is there" } else { "is put" };
        (self.say)(&format!("{what} {word}"));
        Ok(())
    }

    async fn data_job(&mut self, pool: &str, file: &Path) -> Result<()> {
        let text = self.read(file)?;
        let wrong = || format!("{} is no data job", self.folder.join(file).display());
        let outline: manifest::DataJob = serde_saphyr::from_str(&text).with_context(wrong)?;
        let document: Json = serde_saphyr::from_str(&text).with_context(wrong)?;
        let document = self.fill(&document)?;
        let path = format!("/api/v1/pools/{}/data-jobs/{}", segment(pool), segment(&outline.name));
        self.put(&format!("data job \"{}\"", outline.name), &path, &document).await?;
        Ok(())
    }

    /// Stores the draft, sets the clock, and publishes. A model whose published
    /// text is this one already is left alone, its clock included: it may have
    /// moved on since.
    async fn knowledge_model(&mut self, model: &KnowledgeModel) -> Result<()> {
        let text = self.fill_text(&self.read(&model.file)?)?;
        let path = format!("/api/v1/models/{}", segment(&model.id));
        if model.publish && self.published_text(&path).await?.as_deref() == Some(text.as_str()) {
            (self.say)(&format!("knowledge model \"{}\" is there", model.id));
            return Ok(());
        }
        if self.target.dry_run {
            let is_there = !model.publish && self.draft_text(&path).await?.as_deref() == Some(text.as_str());
            let word = match (is_there, model.publish) {
                (true, _) => "is there",
                (false, true) => "would be published",
                (false, false) => "would be put",
            };
            (self.say)(&format!("knowledge model \"{}\" {word}", model.id));
            return Ok(());
        }
        self.target.main.put_text(&path, "application/yaml", text).await?;
        if let Some(clock) = &model.clock {
            self.target.main.post(&format!("{path}/clock"), &self.fill(clock)?).await?;
        }
        if model.publish {
            let publication = self.target.main.post(&format!("{path}/publish"), &json!({})).await?;
            (self.say)(&format!("knowledge model \"{}\" is published, version {}", model.id, publication["version"]));
            for line in told_of(&publication) {
                (self.say)(&format!("  {line}"));
            }
        } else {
            (self.say)(&format!("knowledge model \"{}\" is stored as a draft", model.id));
        }
        Ok(())
    }

    /// Reads the published text of a model; nothing if there is none.
    async fn published_text(&self, path: &str) -> Result<Option<String>> {
        let model = self.find(path).await?;
        Ok(model.and_then(|model| model["publishedText"].as_str().map(str::to_owned)))
    }

    /// Reads the draft of a model; nothing if there is no such model.
    async fn draft_text(&self, path: &str) -> Result<Option<String>> {
        let model = self.find(path).await?;
        Ok(model.and_then(|model| model["draft"].as_str().map(str::to_owned)))
    }

    /// Reads what may not be there.
    async fn find(&self, path: &str) -> Result<Option<Json>> {
        let answer = self.target.main.call(Method::GET, path, None, bytes::Bytes::new()).await?;
        if answer.status == http::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.json(&Method::GET, path).map(Some)
    }

    /// Reads the text of a flow, with the names of the environment.
    fn text_of(&self, flow: &Flow) -> Result<String> {
        let text = self.read(&flow.file)?;
        self.target.environment.renamed(&text).with_context(|| format!("{} cannot be read", flow.file.display()))
    }

    /// Tells what is other about a flow than what is there; nothing if all is
    /// the same.
    async fn differs(
        &self,
        flow: &Flow,
        path: &str,
        text: &str,
        variables: &Map<String, Json>,
    ) -> Result<Option<String>> {
        let Some(there) = self.find(path).await? else { return Ok(Some("it is new".into())) };
        let mut what = Vec::new();
        if there["draft"] != text {
            what.push("another text");
        } else if flow.publish && there["draftAhead"] == true {
            what.push("its draft is to be published");
        }
        if flow.package.is_some() && there["package"].as_str() != flow.package.as_deref() {
            what.push("another package");
        }
        let filled = self.fill(&Json::Object(variables.clone()))?;
        if !variables.is_empty() && there["variables"] != filled {
            what.push("other variables");
        }
        if flow.activate && there["state"] != "active" {
            what.push("it is to be activated");
        }
        Ok((!what.is_empty()).then(|| what.join(", ")))
    }

    /// Looks up everything that the flows name before anything is changed. With
    /// an environment, what is not there and not mapped stops the application:
    /// half of it would be worse than nothing.
    async fn plan(&mut self, manifest: &Manifest) -> Result<()> {
        if !self.target.environment.is_given() || manifest.flows.is_empty() {
            return Ok(());
        }
        let mut known = Known::default();
        let names = |answer: &Json, key: &str| -> Vec<String> {
            answer.as_array().into_iter().flatten().filter_map(|it| it[key].as_str().map(str::to_owned)).collect()
        };
        let main = self.target.main;
        known.connections = names(&main.get("/api/v1/connections").await?, "name");
        known.connections.extend(manifest.connections.iter().map(|connection| connection.name.clone()));
        known.hooks = names(&main.get("/api/v1/hooks").await?, "name");
        known.hooks.extend(manifest.hooks.iter().map(|hook| hook.name.clone()));
        known.models = names(&main.get("/api/v1/models").await?, "id");
        known.models.extend(manifest.knowledge_models.iter().map(|model| model.id.clone()));
        let pools = main.get("/api/v1/pools").await?;
        known.pools = [names(&pools, "id"), names(&pools, "name")].concat();
        known.pools.extend(manifest.pool.iter().map(|pool| self.target.environment.pool(pool)));
        let imports = main.get("/api/v1/flow-imports").await?;
        known.imports = imports.as_object().into_iter().flatten().map(|(number, _)| number.clone()).collect();
        let mut unmapped = Vec::new();
        for flow in &manifest.flows {
            let document = flows::blueprint::document(&self.text_of(flow)?).map_err(|problem| anyhow!(problem))?;
            unmapped.extend(known.missing(&flow.key, &document));
        }
        if unmapped.is_empty() {
            return Ok(());
        }
        for line in &unmapped {
            (self.say)(&format!("unmapped: {line}"));
        }
        bail!("nothing was changed: {} names have no meaning there; map them in the file of --env", unmapped.len())
    }

    async fn workspace(&mut self, part: &manifest::Workspace) -> Result<()> {
        let Some(client) = self.target.workspace else {
            bail!(
                "the folder has jobs for the local workspace: give its address and token by \
                 LOOPWRIGHT_WORKSPACE_URL and LOOPWRIGHT_WORKSPACE_TOKEN"
            );
        };
        if self.target.dry_run {
            (self.say)(&format!("{} jobs of the local workspace would be put", part.jobs.len()));
            return Ok(());
        }
        for file in &part.files {
            let content = BASE64.encode(self.read(&file.file)?);
            let body = json!({
                "path": file.path, "format": "AUTO", "overwrite": true, "content": content,
            });
            client.post("/api/2.0/workspace/import", &body).await?;
            (self.say)(&format!("workspace file \"{}\" is stored", file.path));
        }
        for secret in &part.secrets {
            self.secret(client, secret).await?;
        }
        for file in &part.jobs {
            self.job(client, file).await?;
        }
        Ok(())
    }

    async fn secret(&mut self, client: &Client, secret: &manifest::WorkspaceSecret) -> Result<()> {
        let scopes = client.get("/api/2.0/secrets/scopes/list").await?;
        let known = scopes["scopes"].as_array().into_iter().flatten().any(|scope| scope["name"] == secret.scope);
        if !known {
            client.post("/api/2.0/secrets/scopes/create", &json!({ "scope": secret.scope })).await?;
        }
        let value = self.fill_text(&secret.value)?;
        let body = json!({ "scope": secret.scope, "key": secret.key, "string_value": value });
        client.post("/api/2.0/secrets/put", &body).await?;
        (self.say)(&format!("secret \"{}/{}\" is sealed", secret.scope, secret.key));
        Ok(())
    }

    /// Creates the job, or resets the one of the same name.
    async fn job(&mut self, client: &Client, file: &Path) -> Result<()> {
        let text = self.read(file)?;
        let settings: Json = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
        let settings = self.fill(&settings)?;
        let name = settings["name"].as_str().ok_or_else(|| anyhow!("{} has no \"name\"", file.display()))?.to_owned();
        let known = client.get(&format!("/api/2.2/jobs/list?name={}", segment(&name))).await?;
        let id = match known["jobs"][0]["job_id"].as_i64() {
            Some(id) => {
                client.post("/api/2.2/jobs/reset", &json!({ "job_id": id, "new_settings": settings })).await?;
                id
            }
            None => {
                let made = client.post("/api/2.2/jobs/create", &settings).await?;
                made["job_id"].as_i64().ok_or_else(|| anyhow!("the workspace did not name the job"))?
            }
        };
        (self.say)(&format!("job \"{name}\" is {id}"));
        self.names.insert(format!("job.{name}"), json!(id));
        Ok(())
    }

    async fn flow(&mut self, flow: &Flow) -> Result<()> {
        let path = format!("/api/v1/flows/{}", segment(&flow.key));
        let text = self.text_of(flow)?;
        let mut variables = flow.variables.clone();
        variables.extend(self.target.environment.variables_of(&flow.key));
        if self.target.dry_run {
            let differs = self.differs(flow, &path, &text, &variables).await?;
            let word = differs.map_or_else(|| "is there".to_owned(), |what| format!("would be put: {what}"));
            (self.say)(&format!("flow \"{}\" {word}", flow.key));
            return Ok(());
        }
        let notices = self.target.main.put_text(&path, "application/yaml", text).await?;
        for notice in notices["notices"].as_array().into_iter().flatten() {
            (self.say)(&format!("flow \"{}\": {}", flow.key, notice["text"].as_str().unwrap_or_default()));
        }
        if let Some(package) = &flow.package {
            let path = format!("/api/v1/packages/{}/flows/{}", segment(package), segment(&flow.key));
            self.target.main.json(Method::PUT, &path, None).await?;
        }
        if !variables.is_empty() {
            let variables = self.fill(&Json::Object(variables))?;
            self.target.main.json(Method::PUT, &format!("{path}/variables"), Some(&variables)).await?;
        }
        if flow.publish {
            self.target.main.post(&format!("{path}/publish"), &json!({})).await?;
        }
        if flow.activate {
            self.target.main.post(&format!("{path}/activate"), &json!({})).await?;
        }
        let word = match (flow.publish, flow.activate) {
            (_, true) => "is active",
            (true, false) => "is published",
            (false, false) => "is stored as a draft",
        };
        (self.say)(&format!("flow \"{}\" {word}", flow.key));
        Ok(())
    }

    async fn put(&mut self, what: &str, path: &str, body: &Json) -> Result<Json> {
        if self.target.dry_run {
            (self.say)(&format!("{what} would be put"));
            return Ok(Json::Null);
        }
        let answer = self.target.main.json(Method::PUT, path, Some(body)).await?;
        // Where the server tells a difference, so do we.
        let word = if answer["changed"] == true { "is put" } else { "is there" };
        (self.say)(&format!("{what} {word}"));
        Ok(answer)
    }

    fn read(&self, file: &Path) -> Result<String> {
        let path = self.folder.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Fills `${…}` in every text of a document. A text that is one
    /// placeholder and nothing else takes the value's own type.
    fn fill(&self, document: &Json) -> Result<Json> {
        Ok(match document {
            Json::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !name.contains('}') => self.value(name)?,
                _ => Json::String(self.fill_text(text)?),
            },
            Json::Array(items) => Json::Array(items.iter().map(|item| self.fill(item)).collect::<Result<_>>()?),
            Json::Object(members) => {
                let filled = members.iter().map(|(key, value)| Ok((key.clone(), self.fill(value)?)));
                Json::Object(filled.collect::<Result<Map<_, _>>>()?)
            }
            other => other.clone(),
        })
    }

    /// Fills `${…}` inside a text. `${{…}}` belongs to knowledge models and
    /// stays as it is.
    fn fill_text(&self, text: &str) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, placeholder) = rest.split_at(start);
            filled.push_str(before);
            if let Some(after) = placeholder.strip_prefix("${{") {
                filled.push_str("${{");
                rest = after;
                continue;
            }
            let end = placeholder.find('}').ok_or_else(|| anyhow!("a \"${{\" has no \"}}\""))?;
            match self.value(&placeholder[2..end])? {
                Json::String(value) => filled.push_str(&value),
                value => filled.push_str(&value.to_string()),
            }
            rest = &placeholder[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str) -> Result<Json> {
        if let Some(variable) = name.strip_prefix("env.") {
            let value = self.target.values.get(variable);
            let value = value.ok_or_else(|| anyhow!("\"{variable}\" is asked for, but not set; see --env"))?;
            return Ok(Json::String(value.expose().to_owned()));
        }
        match self.names.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.target.dry_run => Ok(Json::String(format!("({name})"))),
            None => bail!("\"${{{name}}}\" names nothing that was made before it"),
        }
    }
}
