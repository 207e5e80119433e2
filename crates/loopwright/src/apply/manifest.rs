//! What a `loopwright.yaml` says.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// The parts of a folder, in the order in which they are made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    /// Name of the data pool; a folder of flows may have none.
    pub(super) pool: Option<String>,
    /// Files, each a data model with its `key`.
    #[serde(default)]
    pub(super) data_models: Vec<PathBuf>,
    /// Files, each a source with its `key`.
    #[serde(default)]
    pub(super) sources: Vec<PathBuf>,
    /// Files, each a data job with its `name`.
    #[serde(default)]
    pub(super) data_jobs: Vec<PathBuf>,
    #[serde(default)]
    pub(super) packages: Vec<Package>,
    #[serde(default)]
    pub(super) knowledge_models: Vec<KnowledgeModel>,
    #[serde(default)]
    pub(super) connections: Vec<Connection>,
    /// Data structures that flows name.
    #[serde(default)]
    pub(super) structures: Vec<Structure>,
    /// Data stores that flows use; records are not among what is applied.
    #[serde(default)]
    pub(super) data_stores: Vec<Hook>,
    /// Webhooks that flows take from.
    #[serde(default)]
    pub(super) hooks: Vec<Hook>,
    pub(super) workspace: Option<Workspace>,
    #[serde(default)]
    pub(super) flows: Vec<Flow>,
}

impl Manifest {
    /// Reads a manifest; an error names line and column.
    pub(super) fn parse(text: &str) -> Result<Self> {
        Ok(serde_saphyr::from_str(text)?)
    }
}

/// The outline of a file with a source; the server looks into the parts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Source {
    pub(super) key: String,
    #[serde(rename = "table")]
    _table: String,
    #[serde(rename = "push")]
    _push: Option<Map<String, Json>>,
    #[serde(rename = "folder")]
    _folder: Option<Map<String, Json>>,
    #[serde(rename = "url")]
    _url: Option<Map<String, Json>>,
    #[serde(rename = "postgres")]
    _postgres: Option<Map<String, Json>>,
    #[serde(rename = "schedule")]
    _schedule: Option<Map<String, Json>>,
    #[serde(rename = "paused")]
    _paused: Option<bool>,
}

/// The outline of a file with a data job.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DataJob {
    pub(super) name: String,
    #[serde(rename = "connection")]
    _connection: Option<String>,
    #[serde(rename = "transformations")]
    _transformations: Vec<Map<String, Json>>,
    #[serde(rename = "schedule")]
    _schedule: Option<Map<String, Json>>,
    #[serde(rename = "onChangeOf")]
    _on_change_of: Option<Vec<String>>,
    #[serde(rename = "enabled")]
    _enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    pub(super) key: String,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnowledgeModel {
    /// `package.key`.
    pub(super) id: String,
    pub(super) file: PathBuf,
    /// `{now, speed}` of the process clock, for a log that is replayed.
    pub(super) clock: Option<Json>,
    #[serde(default = "yes")]
    pub(super) publish: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Structure {
    pub(super) name: String,
    /// A file with its `spec`, as the API takes it.
    pub(super) file: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) name: String,
    /// What is set of it, as the API takes it; `structure` may be the name of one.
    #[serde(flatten)]
    pub(super) settings: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connection {
    pub(super) name: String,
    /// Kind and credentials, as the API takes them.
    #[serde(flatten)]
    pub(super) settings: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workspace {
    #[serde(default)]
    pub(super) files: Vec<WorkspaceFile>,
    #[serde(default)]
    pub(super) secrets: Vec<WorkspaceSecret>,
    /// Files with job settings as the Jobs API takes them.
    #[serde(default)]
    pub(super) jobs: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceFile {
    /// Where it lies in the workspace.
    pub(super) path: String,
    pub(super) file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceSecret {
    pub(super) scope: String,
    pub(super) key: String,
    /// Usually `${env.NAME}`.
    pub(super) value: String,
}

impl std::fmt::Debug for WorkspaceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.scope, self.key)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flow {
    pub(super) key: String,
    pub(super) file: PathBuf,
    /// The package in which it lies.
    pub(super) package: Option<String>,
    #[serde(default)]
    pub(super) variables: Map<String, Json>,
    #[serde(default = "yes")]
    pub(super) publish: bool,
    #[serde(default = "yes")]
    pub(super) activate: bool,
}

fn yes() -> bool {
    true
}
