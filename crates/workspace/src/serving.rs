//! Serving endpoints: a name under which something answers at once.
//!
//! An endpoint serves entities: Python functions of workspace files, and HTTP
//! addresses. A configuration that is deployed keeps a copy of its file and of
//! those beside it, which it may import or read, so that what answers is what
//! was deployed, whatever becomes of them. While
//! a new configuration starts, the old one answers; if the new one does not
//! start, the old one stays, and the endpoint says why.
//!
//! ```text
//!   create, update ─▶ IN_PROGRESS ─┬─ all functions are loaded ─▶ NOT_UPDATING, the new one answers
//!                                  └─ one is not               ─▶ UPDATE_FAILED, the old one answers on
//! ```
//!
//! Endpoints are rows, and survive a restart: what was deployed is started
//! again, what was being deployed is taken up.

mod config;
mod child;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::db::{Row, Tx};
use base::http::{HeaderName, HeaderValue, Http, Method, Request};
use base::{Actor, Coded as _, Kind, Secret, Timestamp, args};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use crate::data_error::DataError;
use crate::parameters::{self, References};
use crate::secret_acls::SecretPermission;
use crate::secrets::SecretRef;
use crate::serving_acls::{self, EndpointLevel};
use crate::workspace::{Workspace, note};

use child::Function;
pub use config::{EndpointConfig, Entity, EntityKind};
use config::{Plain, check_name};

/// What speaks with the functions.
const HARNESS: &str = include_str!("serving/function.py");
/// Where a deployment keeps its copy of the file, and of those beside it.
const FILES: &str = "files";
/// For what the secrets of upstreams are sealed.
const UPSTREAM: &str = "workspace serving upstream";
/// How long an upstream may take.
const UPSTREAM_MAX: Duration = Duration::from_secs(297);
/// Bytes of a log that are shown.
const LOG_SHOWN: usize = 100 * 1024;

/// Where an endpoint is with a new configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// There is none.
    NotUpdating,
    /// It is being started.
    InProgress,
    /// It did not start.
    Failed,
}

impl UpdateState {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            UpdateState::NotUpdating => "NOT_UPDATING",
            UpdateState::InProgress => "IN_PROGRESS",
            UpdateState::Failed => "UPDATE_FAILED",
        }
    }
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Who made it.
    pub creator: String,
    creator_id: String,
    /// What answers.
    pub config: Option<EndpointConfig>,
    /// What is being started, or did not start.
    pub pending: Option<EndpointConfig>,
    /// How far that is.
    pub update: UpdateState,
    /// Why it did not start.
    pub message: String,
    /// Tags and description; given back as they came.
    pub document: Map<String, Json>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last deployed to.
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// Tells whether an actor has made it.
    pub(crate) fn is_of(&self, actor: &Actor) -> bool {
        self.creator_id == actor.id
    }
}

/// What an endpoint answered.
#[derive(Clone, Debug)]
pub struct Served {
    /// Which entity.
    pub entity: String,
    /// The status: 200, or what an upstream said.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What is alive of the endpoints.
#[derive(Default)]
pub(crate) struct Serving {
    /// By endpoint, version and entity.
    functions: Mutex<HashMap<(String, u64, String), Arc<Function>>>,
    /// The endpoint and version that are being started by this process.
    starting: Mutex<HashMap<String, u64>>,
    pub(crate) http: std::sync::OnceLock<Arc<dyn Http>>,
}

impl Workspace {
    /// Says through what upstreams and notification destinations are called.
    pub fn set_http(&self, http: Arc<dyn Http>) {
        // Only the first word counts: the house is wired once.
        let _ = self.serving.http.set(http);
    }

    /// Starts again what was deployed, and takes up what was being deployed.
    pub async fn recover_serving(self: &Arc<Self>) -> Result<(), DataError> {
        for endpoint in self.endpoints().await? {
            let Some(config) = endpoint.pending.filter(|_| endpoint.update == UpdateState::InProgress) else {
                // The functions of what was deployed start with their first call.
                continue;
            };
            self.start_config(&endpoint.name, config);
        }
        Ok(())
    }

    /// Lists the endpoints by name.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, DataError> {
        self.db.read("workspace.endpoints", all).await
    }

    /// Returns an endpoint.
    pub async fn endpoint(&self, name: &str) -> Result<Endpoint, DataError> {
        let name = name.to_owned();
        self.db.read("workspace.endpoint", move |tx| one(tx, &name)).await
    }

    /// Makes an endpoint, and begins to start what it serves.
    pub async fn create_endpoint(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        config: &Json,
        document: Map<String, Json>,
    ) -> Result<Endpoint, DataError> {
        check_name("an endpoint", name)?;
        if self.endpoint(name).await.is_ok() {
            return Err(DataError::Exists(format!("there is already an endpoint \"{name}\"")));
        }
        let config = self.prepared(actor, name, config, 1).await?;
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes);
        let now = self.clock.now();
        let made = Endpoint {
            name: name.to_owned(),
            id: hex::encode(bytes),
            creator: actor.name.clone(),
            creator_id: actor.id.clone(),
            config: None,
            pending: Some(config.clone()),
            update: UpdateState::InProgress,
            message: String::new(),
            document,
            created_at: now,
            updated_at: now,
        };
        let (known, actor) = (made.clone(), actor.clone());
        self.db
            .write("workspace.create_endpoint", move |tx| {
                let added = tx.execute(
                    "INSERT INTO workspace_endpoints (name, id, creator, creator_id, config, pending, update_state, \
                     message, document, created_at, updated_at) VALUES ($1, $2, $3, $4, NULL, $5, $6, '', $7, $8, $8) \
                     ON CONFLICT (name) DO NOTHING",
                    args![
                        &known.name,
                        &known.id,
                        &known.creator,
                        &known.creator_id,
                        json!(known.pending).to_string(),
                        known.update.as_str(),
                        json!(known.document).to_string(),
                        now
                    ],
                )?;
                if added == 0 {
                    return Err(DataError::Exists(format!("there is already an endpoint \"{}\"", known.name)));
                }
                Ok(note(tx, &actor, "create", "serving-endpoint", &known.name, (None, None), now)?)
            })
            .await?;
        self.start_config(name, config);
        Ok(made)
    }

    /// Deploys another configuration. The one before answers until it is up.
    pub async fn deploy_endpoint(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        config: &Json,
    ) -> Result<Endpoint, DataError> {
        let (before, _) = self.endpoint_for(actor, name, EndpointLevel::Manage).await?;
        if before.update == UpdateState::InProgress {
            return Err(DataError::Exists(format!("the endpoint \"{name}\" is being updated: wait until it is not")));
        }
        let last = before.config.iter().chain(&before.pending).map(|config| config.version).max().unwrap_or(0);
        let config = self.prepared(actor, name, config, last + 1).await?;
        let (known, actor, row, now) = (config.clone(), actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("workspace.deploy_endpoint", move |tx| {
                let touched = tx.execute(
                    "UPDATE workspace_endpoints SET pending = $2, update_state = 'IN_PROGRESS', message = '', \
                     updated_at = $3 WHERE name = $1 AND update_state <> 'IN_PROGRESS'",
                    args![&row, json!(known).to_string(), now],
                )?;
                if touched == 0 {
                    return Err(DataError::Exists(format!("the endpoint \"{row}\" is being updated, or is gone")));
                }
                let after = json!({ "version": known.version });
                Ok(note(tx, &actor, "deploy", "serving-endpoint", &row, (None, Some(after)), now)?)
            })
            .await?;
        self.start_config(name, config);
        self.endpoint(name).await
    }

    /// Removes an endpoint with what it serves.
    pub async fn delete_endpoint(&self, actor: &Actor, name: &str) -> Result<(), DataError> {
        let id = self.endpoint_for(actor, name, EndpointLevel::Manage).await?.0.id;
        let (row, actor, now) = (name.to_owned(), actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_endpoint", move |tx| {
                tx.execute("DELETE FROM workspace_endpoints WHERE name = $1", args![&row])?;
                serving_acls::forget(tx, &id)?;
                Ok::<_, DataError>(note(tx, &actor, "delete", "serving-endpoint", &row, (None, None), now)?)
            })
            .await?;
        self.serving.functions.lock().retain(|(endpoint, ..), _| endpoint != name);
        let _ = tokio::fs::remove_dir_all(self.serving_folder(name)).await;
        Ok(())
    }

    /// Calls an endpoint with a body. The caller needs [`EndpointLevel::Query`].
    pub async fn invoke_endpoint(&self, actor: &Actor, name: &str, body: &[u8]) -> Result<Served, DataError> {
        let (endpoint, _) = self.endpoint_for(actor, name, EndpointLevel::Query).await?;
        let Some(config) = endpoint.config else {
            return Err(match endpoint.update {
                UpdateState::Failed => DataError::State(format!(
                    "the endpoint \"{name}\" is not ready: what it serves did not start: {}",
                    endpoint.message
                )),
                _ => DataError::Unavailable(format!("the endpoint \"{name}\" is not ready yet: it is being started")),
            });
        };
        let entity = &config.entities[config.choose(self.chance.fraction())];
        match &entity.kind {
            EntityKind::Function { .. } => {
                let input = input_of(body)?;
                let function = self.function(name, config.version, entity).await?;
                let predictions = function.call(&input).await?;
                let body = json!({ "predictions": predictions }).to_string().into_bytes();
                Ok(Served { entity: entity.name.clone(), status: 200, body })
            }
            EntityKind::Upstream { url, header, sealed, .. } => {
                let header = self.header_of(header.as_ref(), sealed.as_ref()).await?;
                let (status, body) = self.call_upstream(url, header, body).await?;
                Ok(Served { entity: entity.name.clone(), status, body })
            }
        }
    }

    /// Returns the end of what a served function has printed.
    pub async fn endpoint_log(&self, actor: &Actor, name: &str, entity: &str) -> Result<String, DataError> {
        let (endpoint, _) = self.endpoint_for(actor, name, EndpointLevel::Manage).await?;
        let configs = [endpoint.config, endpoint.pending];
        let known = configs.iter().flatten().find(|config| config.entities.iter().any(|one| one.name == entity));
        let version = known
            .map(|config| config.version)
            .ok_or_else(|| DataError::NotFound(format!("the endpoint \"{name}\" serves no \"{entity}\"")))?;
        let log = tokio::fs::read(self.entity_folder(name, version, entity).join("log")).await.unwrap_or_default();
        Ok(String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_SHOWN)..]).into_owned())
    }

    /// Reads a configuration, copies its files and seals its secrets.
    async fn prepared(
        &self,
        actor: &Actor,
        name: &str,
        config: &Json,
        version: u64,
    ) -> Result<EndpointConfig, DataError> {
        let (mut config, plains) = config::read(config, version)?;
        for Plain { entity, header, value } in plains {
            let sealed = self.keys.seal(UPSTREAM, &value, &*self.chance);
            if let EntityKind::Upstream { sealed: place, .. } = &mut config.entities[entity].kind {
                *place = Some((header, BASE64.encode(sealed)));
            }
        }
        for entity in &config.entities {
            let named = match &entity.kind {
                EntityKind::Upstream { header: Some((_, text)), .. } => Some(text),
                _ => None,
            };
            for text in entity.environment.iter().map(|(_, value)| value).chain(named) {
                for place in parameters::references(text).into_iter().filter_map(SecretRef::parse) {
                    // Whoever deploys must be allowed to use what is named.
                    self.check_secret_permission(actor, &place.scope, SecretPermission::Read).await?;
                    self.open_secret(&place).await?;
                }
            }
            if let EntityKind::Function { path, .. } = &entity.kind {
                let folder = self.entity_folder(name, version, &entity.name);
                let fail = |source| DataError::Disk { deed: "write", path: path.clone(), source };
                // What an endpoint of this name has left behind is of no use.
                let _ = tokio::fs::remove_dir_all(&folder).await;
                tokio::fs::create_dir_all(&folder).await.map_err(fail)?;
                self.copy_with_neighbours(path, folder.join(FILES)).await?;
            }
        }
        Ok(config)
    }

    /// Starts what a configuration serves, and puts it in place if all of it
    /// is up.
    fn start_config(self: &Arc<Self>, name: &str, config: EndpointConfig) {
        if self.serving.starting.lock().insert(name.to_owned(), config.version) == Some(config.version) {
            return;
        }
        let (workspace, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let mut outcome = Ok(());
            for entity in &config.entities {
                if matches!(entity.kind, EntityKind::Function { .. }) {
                    outcome = match workspace.function(&name, config.version, entity).await {
                        Ok(function) => function.load().await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = outcome {
                        outcome = Err(DataError::Function(format!("\"{}\": {error}", entity.name)));
                        break;
                    }
                }
            }
            let version = config.version;
            if let Err(error) = workspace.end_update(&name, config, outcome).await {
                tracing::error!(endpoint = name, error = %base::error::chain(&error), "a deployment cannot be written");
            }
            workspace.serving.starting.lock().retain(|other, started| *other != name || *started != version);
        });
    }

    async fn end_update(
        &self,
        name: &str,
        config: EndpointConfig,
        outcome: Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (row, now, version) = (name.to_owned(), self.clock.now(), config.version);
        let message = outcome.as_ref().err().map(ToString::to_string);
        self.db
            .write("workspace.end_update", move |tx| {
                match &message {
                    None => tx.execute(
                        "UPDATE workspace_endpoints SET config = $2, pending = NULL, update_state = 'NOT_UPDATING', \
                         message = '', updated_at = $3 WHERE name = $1",
                        args![&row, json!(config).to_string(), now],
                    )?,
                    Some(message) => tx.execute(
                        "UPDATE workspace_endpoints SET update_state = 'UPDATE_FAILED', message = $2, updated_at = $3 \
                         WHERE name = $1",
                        args![&row, message, now],
                    )?,
                };
                Ok::<_, DataError>(())
            })
            .await?;
        let is_up = outcome.is_ok();
        // Dropping a function ends its process; calls that are with it end first.
        self.serving.functions.lock().retain(|(endpoint, one, _), _| endpoint != name || (*one == version) == is_up);
        tracing::info!(endpoint = name, version, is_up, "an endpoint was deployed to");
        Ok(())
    }

    /// Returns a served function, alive or to be started by its first call.
    async fn function(&self, name: &str, version: u64, entity: &Entity) -> Result<Arc<Function>, DataError> {
        let key = (name.to_owned(), version, entity.name.clone());
        if let Some(function) = self.serving.functions.lock().get(&key) {
            return Ok(function.clone());
        }
        let EntityKind::Function { path, function } = &entity.kind else {
            return Err(DataError::Invalid(format!("\"{}\" is no function", entity.name)));
        };
        let fail = |source| DataError::Disk { deed: "write", path: path.clone(), source };
        let folder = self.entity_folder(name, version, &entity.name);
        tokio::fs::create_dir_all(&folder).await.map_err(fail)?;
        let harness = folder.join("function.py");
        tokio::fs::write(&harness, HARNESS).await.map_err(fail)?;
        let mut secrets = Vec::new();
        let mut environment: Vec<(OsString, OsString)> = self.options.environment.clone();
        environment.push((crate::VOLUMES_VARIABLE.into(), self.volumes_folder().into()));
        for (variable, text) in &entity.environment {
            let value = self.revealed(text, &mut secrets).await?;
            environment.push((variable.into(), value.into()));
        }
        let own = path.rsplit('/').next().map(|own| folder.join(FILES).join(own)).filter(|file| file.is_file());
        // Earlier versions of the program kept the one file under this name.
        let file = (own.unwrap_or_else(|| folder.join("model.py")), function.clone());
        let made = Function::new(&self.options.python, harness, file, environment, secrets, folder.join("log"));
        Ok(self.serving.functions.lock().entry(key).or_insert_with(|| Arc::new(made)).clone())
    }

    async fn revealed(&self, text: &str, secrets: &mut Vec<String>) -> Result<String, DataError> {
        let mut values = BTreeMap::new();
        for name in parameters::references(text) {
            let Some(place) = SecretRef::parse(name) else { continue };
            let value = self.open_secret(&place).await?;
            secrets.push(value.expose().to_owned());
            values.insert(name.to_owned(), value.expose().to_owned());
        }
        Ok(parameters::resolve(text, &References { values })?)
    }

    async fn header_of(
        &self,
        header: Option<&(String, String)>,
        sealed: Option<&(String, String)>,
    ) -> Result<Option<(String, Secret)>, DataError> {
        if let Some((name, text)) = header {
            return Ok(Some((name.clone(), Secret::new(self.revealed(text, &mut Vec::new()).await?))));
        }
        let Some((name, sealed)) = sealed else { return Ok(None) };
        let bytes = BASE64.decode(sealed).unwrap_or_default();
        let opened = self.keys.open(UPSTREAM, &bytes).map_err(crate::Error::from)?;
        Ok(Some((name.clone(), opened)))
    }

    async fn call_upstream(
        &self,
        url: &str,
        header: Option<(String, Secret)>,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), DataError> {
        let http = self.serving.http.get().ok_or_else(|| {
            DataError::Unsupported("upstreams cannot be called: no way out is wired to the workspace".into())
        })?;
        let mut request = Request::new(Method::POST, url);
        request.timeout = UPSTREAM_MAX;
        request.headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Some((name, value)) = header {
            let wrong = || DataError::Invalid("the secret of the upstream cannot stand in a header".into());
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            request.headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
        }
        request.body = body.to_vec().into();
        let answer = http.send(request).await;
        let answer = answer.map_err(|error| match error.kind() {
            // To ask again would not help: an address or a rule must change.
            Kind::Invalid | Kind::Denied => DataError::State(format!("the upstream cannot be called: {error}")),
            _ => DataError::Upstream(format!("the upstream did not answer: {error}")),
        })?;
        if answer.truncated {
            return Err(DataError::Upstream("the answer of the upstream is longer than is taken".into()));
        }
        Ok((answer.status.as_u16(), answer.body.to_vec()))
    }

    fn serving_folder(&self, name: &str) -> PathBuf {
        self.folder.join("serving").join(name)
    }

    fn entity_folder(&self, name: &str, version: u64, entity: &str) -> PathBuf {
        self.serving_folder(name).join(version.to_string()).join(entity)
    }
}

/// Takes the input out of a call: exactly one of the four forms.
fn input_of(body: &[u8]) -> Result<Json, DataError> {
    let invalid = |detail: String| DataError::Invalid(detail);
    let mut body: Json = serde_json::from_slice(body)
        .map_err(|error| DataError::Malformed(format!("the body is not valid JSON: {error}")))?;
    const FORMS: [&str; 4] = ["dataframe_records", "dataframe_split", "inputs", "instances"];
    let given: Vec<&str> = FORMS.into_iter().filter(|form| body.get(form).is_some()).collect();
    let [form] = given[..] else {
        return Err(invalid(format!(
            "exactly one of {} must be given; there {}",
            FORMS.map(|form| format!("\"{form}\"")).join(", "),
            match given.len() {
                0 => "is none".into(),
                count => format!("are {count}"),
            }
        )));
    };
    let input = body[form].take();
    match form {
        "dataframe_records" if !input.as_array().is_some_and(|rows| rows.iter().all(Json::is_object)) => {
            Err(invalid("\"dataframe_records\" must be an array of objects".into()))
        }
        "dataframe_split" => records_of(&input),
        "instances" if !input.is_array() => Err(invalid("\"instances\" must be an array".into())),
        _ => Ok(input),
    }
}

/// Turns columns and rows into objects.
fn records_of(split: &Json) -> Result<Json, DataError> {
    let wrong = || {
        DataError::Invalid(
            "\"dataframe_split\" must have \"columns\", an array of names, and \"data\", rows as long".into(),
        )
    };
    let columns = split["columns"].as_array().ok_or_else(wrong)?;
    let names: Option<Vec<&str>> = columns.iter().map(Json::as_str).collect();
    let names = names.ok_or_else(wrong)?;
    let mut records = Vec::new();
    for row in split["data"].as_array().ok_or_else(wrong)? {
        let cells = row.as_array().filter(|cells| cells.len() == names.len()).ok_or_else(wrong)?;
        let record: Map<String, Json> =
            names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect();
        records.push(Json::Object(record));
    }
    Ok(Json::Array(records))
}

const ENDPOINT: &str = "SELECT name, id, creator, creator_id, config, pending, update_state, message, document, \
                        created_at, updated_at FROM workspace_endpoints";

/// Lists the endpoints by name.
pub(crate) fn all(tx: &mut dyn Tx) -> Result<Vec<Endpoint>, DataError> {
    tx.query(&format!("{ENDPOINT} ORDER BY name"), args![])?.iter().map(endpoint_of).collect()
}

/// Finds an endpoint by its name.
pub(crate) fn one(tx: &mut dyn Tx, name: &str) -> Result<Endpoint, DataError> {
    let row = tx.query_one(&format!("{ENDPOINT} WHERE name = $1"), args![name])?;
    endpoint_of(&row.ok_or_else(|| DataError::NotFound(format!("Endpoint with name '{name}' does not exist.")))?)
}

fn endpoint_of(row: &Row) -> Result<Endpoint, DataError> {
    let shape = |column| base::db::Error::Shape { column };
    let config = |column: usize| -> Result<Option<EndpointConfig>, DataError> {
        let text: Option<String> = row.get(column)?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| shape(column))?)
    };
    Ok(Endpoint {
        name: row.get(0)?,
        id: row.get(1)?,
        creator: row.get(2)?,
        creator_id: row.get(3)?,
        config: config(4)?,
        pending: config(5)?,
        update: match row.get::<String>(6)?.as_str() {
            "IN_PROGRESS" => UpdateState::InProgress,
            "UPDATE_FAILED" => UpdateState::Failed,
            _ => UpdateState::NotUpdating,
        },
        message: row.get(7)?,
        document: serde_json::from_str(&row.get::<String>(8)?).map_err(|_| shape(8))?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(body: &str, expected: Expect) {
        expected.assert_eq(&match input_of(body.as_bytes()) {
            Ok(input) => input.to_string(),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn a_call_has_one_form() {
        check(r#"{"dataframe_records": [{"a": 1}]}"#, expect![[r#"[{"a":1}]"#]]);
        check(
            r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}}"#,
            expect![[r#"[{"a":1,"b":2},{"a":3,"b":4}]"#]],
        );
        check(r#"{"inputs": {"a": [1]}}"#, expect![[r#"{"a":[1]}"#]]);
        check(r#"{"instances": [[1]]}"#, expect!["[[1]]"]);
        check(
            r#"{"instances": [1], "inputs": [1]}"#,
            expect![[
                r#"exactly one of "dataframe_records", "dataframe_split", "inputs", "instances" must be given; there are 2"#
            ]],
        );
        check(
            "{}",
            expect![[
                r#"exactly one of "dataframe_records", "dataframe_split", "inputs", "instances" must be given; there is none"#
            ]],
        );
        check(
            r#"{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}"#,
            expect![[r#""dataframe_split" must have "columns", an array of names, and "data", rows as long"#]],
        );
        check("{", expect!["the body is not valid JSON: EOF while parsing an object at line 1 column 1"]);
    }
}
