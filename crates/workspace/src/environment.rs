//! The virtual environments in which tasks find the packages they ask for.
//!
//! An environment is named by what is in it: the interpreter, the list of
//! dependencies and the bytes of their wheels. So it is made once, and every
//! task that asks for the same shares it. It is in use from the moment on at
//! which it is marked as ready; what a server left half made is made anew.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::error::Error;
use crate::settings::{JobSettings, Task};
use crate::workspace::Workspace;

/// Marks an environment that is whole.
const READY: &str = ".ready";

/// The locks of the environments that are being made, by name.
pub(crate) type Locks = parking_lot::Mutex<std::collections::HashMap<String, Arc<Mutex<()>>>>;

impl Workspace {
    /// Returns the interpreter of a task: the configured one, or that of an
    /// environment with everything that the task asks for.
    pub(crate) async fn interpreter(&self, settings: &JobSettings, task: &Task) -> Result<PathBuf, Error> {
        let wanted = settings.dependencies_of(task);
        if wanted.is_empty() {
            return Ok(self.options.python.clone());
        }
        let mut dependencies = Vec::new();
        for dependency in &wanted {
            dependencies.push(self.dependency(dependency)?);
        }
        let name = self.name_of(&dependencies).await?;
        let lock = self.environment_locks.lock().entry(name.clone()).or_default().clone();
        let _made_by_one = lock.lock().await;
        let root = self.options.environments_folder.clone().unwrap_or_else(|| self.folder.join("environments"));
        let place = root.join(&name);
        if !place.join(READY).is_file() {
            self.make_environment(&place, &dependencies).await?;
        }
        Ok(place.join("bin/python"))
    }

    async fn make_environment(&self, place: &Path, dependencies: &[OsString]) -> Result<(), Error> {
        let at_disk = |source| Error::Disk { deed: "write", path: place.display().to_string(), source };
        match tokio::fs::remove_dir_all(place).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at_disk(error)),
            _ => {}
        }
        tokio::fs::create_dir_all(place).await.map_err(at_disk)?;
        let mut venv = Command::new(&self.options.python);
        venv.args(["-m", "venv", "--system-site-packages"]).arg(place);
        self.install(venv, "a virtual environment").await?;
        let mut pip = Command::new(place.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]);
        pip.args(&self.options.pip_arguments).args(dependencies);
        let names: Vec<_> = dependencies.iter().map(|dependency| dependency.to_string_lossy()).collect();
        self.install(pip, &names.join(", ")).await?;
        tokio::fs::write(place.join(READY), names.join("\n")).await.map_err(at_disk)
    }

    /// Runs a command that makes something; it ends when nobody waits any more.
    async fn install(&self, mut command: Command, what: &str) -> Result<Output, Error> {
        let failed = |why: String| Error::Install { what: what.to_owned(), why };
        command.env_clear().envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        Err(failed(last.map_or_else(|| output.status.to_string(), str::to_owned)))
    }

    /// Puts paths on disk in the place of paths of the workspace.
    fn dependency(&self, text: &str) -> Result<OsString, Error> {
        if let Some(path) = text.strip_prefix("-r ") {
            return Ok(OsString::from_iter(["--requirement=".as_ref(), self.existing_file(path.trim())?.as_os_str()]));
        }
        if text.starts_with('/') { self.existing_file(text).map(PathBuf::into_os_string) } else { Ok(text.into()) }
    }

    /// Names an environment by what is in it.
    async fn name_of(&self, dependencies: &[OsString]) -> Result<String, Error> {
        let mut ask = Command::new(&self.options.python);
        ask.args(["-c", "import sys; print(sys.executable, sys.version)"]);
        let interpreter = self.install(ask, "an interpreter").await?.stdout;
        let mut sorted = dependencies.to_vec();
        sorted.sort();
        let arguments = self.options.pip_arguments.clone();
        let digest = tokio::task::spawn_blocking(move || {
            let mut hash = Sha256::new();
            let mut add = |bytes: &[u8]| {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            };
            add(&interpreter);
            for argument in &arguments {
                add(argument.as_bytes());
            }
            for dependency in &sorted {
                add(dependency.as_encoded_bytes());
                let text = dependency.to_string_lossy();
                let path = text.strip_prefix("--requirement=").unwrap_or(&text);
                if path.starts_with('/') {
                    add(&std::fs::read(path).unwrap_or_default());
                }
            }
            hex::encode(&hash.finalize()[..16])
        });
        digest.await.map_err(|error| Error::Install { what: "an environment".into(), why: error.to_string() })
    }
}
