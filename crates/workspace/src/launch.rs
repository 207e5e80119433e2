//! The command line of a task: what its supervisor has to run, in full.
//!
//! A Python file is started as it is. A notebook, or a function of a package,
//! is run by a small program of ours, which lies in the task's folder.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use base::Actor;
use serde_json::json;

use crate::decide::Execution;
use crate::error::Error;
use crate::folder::{TaskFile, TaskFolder};
use crate::parameters::{self, References};
use crate::references::{self, Given};
use crate::run::{Run, TaskRun};
use crate::secret_acls::SecretPermission;
use crate::secrets::SecretRef;
use crate::settings::{Body, NotebookTask, Task};
use crate::workspace::Workspace;
use crate::{files, tables, volumes};

/// Runs notebooks.
const NOTEBOOK: &str = include_str!("python/notebook.py");

/// Calls functions of packages.
const WHEEL: &str = include_str!("python/wheel.py");

/// The endings under which a notebook may have been stored.
const NOTEBOOK_ENDINGS: [&str; 3] = ["", ".py", ".sql"];

/// Where SQL cells go of a notebook that names no warehouse: it is always there.
const WAREHOUSE: &str = "local";

/// Secrets of a notebook that are shorter would be found in its output where
/// nobody meant them, whether it asks for them or not. The notebook's own
/// program looks for them when it has.
const SECRET_BYTES_MIN: usize = 8;

/// Secrets, by scope and key.
type Secrets = BTreeMap<String, BTreeMap<String, String>>;

impl Workspace {
    /// Says in full what a supervisor has to run.
    pub(crate) async fn task_file(
        &self,
        execution: &Execution,
        attempt: &TaskRun,
        task: &Task,
        folder: &TaskFolder,
    ) -> Result<TaskFile, Error> {
        let given = references::given(execution, attempt, task, self.place())?;
        let mut file = TaskFile { limits: self.options.limits, ..self.surroundings(execution, attempt, task).await? };
        file.program = text(self.interpreter(&execution.run.settings, task).await?.as_os_str());
        match (&task.body, given) {
            (Body::SparkPythonTask(python), Given::List(list)) => {
                let place = self.existing_file(&python.python_file)?;
                file.arguments = vec![text(place.as_os_str())];
                file.arguments.extend(list);
                // Where the real service starts a Python file: beside its own modules.
                file.directory = place.parent().unwrap_or(&self.folder).to_owned();
            }
            (Body::NotebookTask(notebook), Given::Named(widgets)) => {
                self.add_notebook(&mut file, execution, notebook, &widgets, folder).await?;
            }
            (Body::PythonWheelTask(wheel), given) => {
                file.runner = Some(WHEEL.to_owned());
                file.arguments =
                    vec![text(folder.runner().as_os_str()), wheel.package_name.clone(), wheel.entry_point.clone()];
                match given {
                    Given::List(list) => file.arguments.extend(list),
                    Given::Named(named) => {
                        file.arguments.extend(named.iter().map(|(name, value)| format!("--{name}={value}")));
                    }
                    Given::Sides(..) | Given::Inputs(_) => {}
                }
                file.directory = folder.out();
            }
            (body, _) => {
                return Err(Error::TaskType { task: task.task_key.clone(), body: body.name().into() });
            }
        }
        Ok(file)
    }

    async fn add_notebook(
        &self,
        file: &mut TaskFile,
        execution: &Execution,
        notebook: &NotebookTask,
        widgets: &BTreeMap<String, String>,
        folder: &TaskFolder,
    ) -> Result<(), Error> {
        let place = self.existing_notebook(&notebook.notebook_path)?;
        let secrets = self.secrets_of(execution.run.run_as.as_ref()).await?;
        let context = json!({
            "notebook": text(place.as_os_str()),
            "path": notebook.notebook_path,
            "root": text(self.files_folder().as_os_str()),
            "out": text(folder.out().as_os_str()),
            "widgets": widgets,
            "task_values": references::task_values(execution),
            "secrets": secrets,
            "warehouse_id": notebook.warehouse_id.as_deref().unwrap_or(WAREHOUSE),
            "pip_arguments": self.options.pip_arguments,
        });
        file.input = context.to_string();
        let all = secrets.into_values().flat_map(BTreeMap::into_values);
        file.secrets.extend(all.filter(|secret| secret.len() >= SECRET_BYTES_MIN));
        file.runner = Some(NOTEBOOK.to_owned());
        file.arguments = vec![text(folder.runner().as_os_str())];
        place.parent().unwrap_or(&self.folder).clone_into(&mut file.directory);
        Ok(())
    }

    /// What every process of a task has around it.
    async fn surroundings(&self, execution: &Execution, attempt: &TaskRun, task: &Task) -> Result<TaskFile, Error> {
        let own = self.options.environment.iter().map(|(name, value)| (text(name), text(value)));
        let mut environment: BTreeMap<String, String> = own.collect();
        environment.insert(volumes::VOLUMES_VARIABLE.into(), text(self.volumes_folder().as_os_str()));
        if let Some(remote) = &self.options.spark_remote {
            environment.insert("SPARK_REMOTE".into(), remote.clone());
        }
        let mut secrets = Vec::new();
        if let Some(owner) = &execution.run.run_as {
            let token = self.create_task_token(owner, attempt.id, self.token_life(task)).await?;
            environment.insert("DATABRICKS_HOST".into(), self.options.public_url.clone());
            environment.insert("DATABRICKS_TOKEN".into(), token.expose().to_owned());
            secrets.push(token.expose().to_owned());
        }
        for (name, value) in execution.run.settings.variables_of(task) {
            let value = self.reveal(&execution.run, &value, &mut secrets).await?;
            environment.insert(name, value);
        }
        Ok(TaskFile { environment, secrets, ..TaskFile::default() })
    }

    /// How long the token of a task is good: as long as the task may run.
    fn token_life(&self, task: &Task) -> Duration {
        match task.timeout_seconds {
            0 => self.options.task_token_life,
            seconds => Duration::from_secs(seconds) + self.options.stop_grace,
        }
    }

    /// Puts secrets in the place of their references, and lists them.
    async fn reveal(&self, run: &Run, text: &str, revealed: &mut Vec<String>) -> Result<String, Error> {
        let mut known = References::default();
        for name in parameters::references(text) {
            let Some(place) = SecretRef::parse(name) else { continue };
            let owner = run.run_as.as_ref().ok_or(Error::NobodyToActFor(run.id))?;
            if let Err(error) = self.check_secret_permission(owner, &place.scope, SecretPermission::Read).await {
                return Err(Error::SecretDenied {
                    place: format!("{}/{}", place.scope, place.key),
                    why: error.to_string(),
                });
            }
            let value = self.open_secret(&place).await?;
            revealed.push(value.expose().to_owned());
            known.values.insert(name.to_owned(), value.expose().to_owned());
        }
        parameters::resolve(text, &known)
    }

    /// Opens the secrets that a notebook may ask for: those that its owner may
    /// read. All of them are known before it starts, so that none of them gets
    /// past whoever redacts.
    async fn secrets_of(&self, owner: Option<&Actor>) -> Result<Secrets, Error> {
        let mut secrets = Secrets::new();
        let Some(owner) = owner else { return Ok(secrets) };
        let names = self.db.read("workspace.all_secrets", |tx| {
            let mut names = Vec::new();
            for scope in tables::scopes(tx)? {
                let keys = tables::secrets(tx, &scope.name)?;
                names.push((scope.name, keys.into_iter().map(|secret| secret.key).collect::<Vec<_>>()));
            }
            Ok::<_, Error>(names)
        });
        for (scope, keys) in names.await? {
            if self.check_secret_permission(owner, &scope, SecretPermission::Read).await.is_err() {
                continue;
            }
            let opened = secrets.entry(scope.clone()).or_default();
            for key in keys {
                let place = SecretRef { scope: scope.clone(), key };
                match self.open_secret(&place).await {
                    Ok(value) => drop(opened.insert(place.key, value.expose().to_owned())),
                    // It was removed just now.
                    Err(Error::NoSecret { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(secrets)
    }

    /// Finds a file of the workspace, or of a volume, on disk.
    pub(crate) fn existing_file(&self, path: &str) -> Result<PathBuf, Error> {
        let place = if volumes::is_in_one(path) {
            self.volume_path(path)?
        } else {
            files::disk_path(&self.files_folder(), path)?
        };
        if place.is_file() { Ok(place) } else { Err(Error::NoFile(path.to_owned())) }
    }

    /// Finds a notebook: its path on the wire has no ending, on disk it may have one.
    fn existing_notebook(&self, path: &str) -> Result<PathBuf, Error> {
        let place = files::disk_path(&self.files_folder(), path)?;
        let with = |ending: &&str| PathBuf::from(OsString::from_iter([place.as_os_str(), ending.as_ref()]));
        let found = NOTEBOOK_ENDINGS.iter().map(with).find(|place| place.is_file());
        found.ok_or_else(|| Error::NoFile(path.to_owned()))
    }
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
