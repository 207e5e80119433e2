//! The process behind a served function: started, asked, restarted.
//!
//! It is a child of the server and ends with it. One call is with it at a
//! time; others wait, and too many are refused. A call that takes too long, or
//! that the process does not survive, costs that call: the next one finds a
//! fresh process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, Semaphore};

use crate::data_error::DataError;
use crate::redact::Redactor;

/// How long a call may take.
const CALL_MAX: Duration = Duration::from_secs(297);
/// How long a function may take to load.
const LOAD_MAX: Duration = Duration::from_mins(5);
/// Calls that wait for one function at most.
const WAITING_MAX: usize = 64;
/// Memory of a process.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Bytes of a log; a log that has grown beyond is begun anew.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// A function that is served.
pub(crate) struct Function {
    pub(crate) python: PathBuf,
    /// What speaks with us.
    pub(crate) harness: PathBuf,
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What must not be seen in the log.
    pub(crate) secrets: Vec<String>,
    pub(crate) log: PathBuf,
    waiting: Arc<Semaphore>,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next: u64,
}

impl Function {
    pub(crate) fn new(
        python: &Path,
        harness: PathBuf,
        (file, name): (PathBuf, String),
        environment: Vec<(OsString, OsString)>,
        secrets: Vec<String>,
        log: PathBuf,
    ) -> Self {
        Function {
            python: python.to_owned(),
            harness,
            file,
            name,
            environment,
            secrets,
            log,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            process: Mutex::default(),
        }
    }

    /// Starts the process and waits until the function is loaded.
    pub(crate) async fn load(&self) -> Result<(), DataError> {
        let mut process = self.process.lock().await;
        if process.is_none() {
            *process = Some(self.start().await?);
        }
        Ok(())
    }

    /// Calls the function.
    pub(crate) async fn call(&self, input: &Json) -> Result<Json, DataError> {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(DataError::TooMany(format!("{WAITING_MAX} calls wait for this function already: slow down")));
        };
        let mut held = self.process.lock().await;
        let mut process = match held.take() {
            Some(process) => process,
            None => self.start().await?,
        };
        let answered = tokio::time::timeout(CALL_MAX, process.ask(input)).await;
        match answered {
            Ok(Ok(mut answer)) => {
                *held = Some(process);
                if let Some(error) = answer["error"].as_str() {
                    return Err(DataError::Function(error.to_owned()));
                }
                Ok(answer["predictions"].take())
            }
            Ok(Err(error)) => {
                let status =
                    process.child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(DataError::Function(format!(
                    "the process of the function ended during the call ({status}): {error}; the next call starts it anew"
                )))
            }
            Err(_) => {
                let _ = process.child.kill().await;
                Err(DataError::Function(format!(
                    "the function took longer than {} s and was stopped",
                    CALL_MAX.as_secs()
                )))
            }
        }
    }

    async fn start(&self) -> Result<Process, DataError> {
        let cannot = |what: &str, error: std::io::Error| {
            DataError::Function(format!("the function cannot be started: {what}: {error}"))
        };
        let mut child = Command::new(&self.python)
            .arg("-u")
            .arg(&self.harness)
            .arg(&self.file)
            .arg(&self.name)
            .arg(MEMORY_BYTES_MAX.to_string())
            .current_dir(self.file.parent().unwrap_or(Path::new("/")))
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| cannot(&self.python.display().to_string(), error))?;
        let missing = || DataError::Function("the function cannot be started: it has no pipes".into());
        let (input, output) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        if let Some(errors) = child.stderr.take() {
            tokio::spawn(keep_log(self.log.clone(), self.secrets.clone(), errors));
        }
        let mut process = Process { child, input, output: BufReader::new(output).lines(), next: 0 };
        let first = tokio::time::timeout(LOAD_MAX, process.line()).await;
        match first {
            Ok(Ok(answer)) if answer["ready"] == true => Ok(process),
            Ok(Ok(answer)) => Err(DataError::Function(format!(
                "the function cannot be loaded: {}",
                answer["error"].as_str().unwrap_or("it did not say why")
            ))),
            Ok(Err(error)) => {
                Err(DataError::Function(format!("the function cannot be loaded: {error}; its log says more")))
            }
            Err(_) => {
                Err(DataError::Function(format!("the function took longer than {} s to load", LOAD_MAX.as_secs())))
            }
        }
    }
}

impl Process {
    async fn ask(&mut self, input: &Json) -> std::io::Result<Json> {
        self.next += 1;
        let id = self.next;
        let mut line = json!({ "id": id, "input": input }).to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes()).await?;
        self.input.flush().await?;
        loop {
            let answer = self.line().await?;
            if answer["id"] == id {
                return Ok(answer);
            }
        }
    }

    async fn line(&mut self) -> std::io::Result<Json> {
        let line = self.output.next_line().await?;
        let line = line.ok_or_else(|| std::io::Error::other("it has closed its output"))?;
        serde_json::from_str(&line)
            .map_err(|error| std::io::Error::other(format!("it did not answer in JSON: {error}")))
    }
}

/// Carries what the function prints to its log, without secrets.
async fn keep_log(log: PathBuf, secrets: Vec<String>, mut errors: tokio::process::ChildStderr) {
    let mut redactor = Redactor::new(&secrets);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = errors.read(&mut buffer).await.unwrap_or(0);
        let shown = if length == 0 { redactor.finish() } else { redactor.push(&buffer[..length]) };
        let is_long = tokio::fs::metadata(&log).await.is_ok_and(|known| known.len() > LOG_BYTES_MAX);
        let opened =
            tokio::fs::OpenOptions::new().create(true).write(true).append(!is_long).truncate(is_long).open(&log).await;
        if let Ok(mut file) = opened {
            // A line that cannot be logged is lost; the function must not stall.
            let _ = file.write_all(&shown).await;
            let _ = file.flush().await;
        }
        if length == 0 {
            return;
        }
    }
}
