//! The server of the demo: a child process that can be killed.
//!
//! The demo is a client like any other. It starts `loopwright serve` from its
//! own binary, reads the two addresses that it prints, and, in the middle of
//! the loop, ends it with SIGKILL and starts it again on the same folder and
//! the same ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use base::Secret;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Time that the server may take from its start to its readiness.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// What the child is started with.
#[derive(Clone)]
pub(crate) struct ServerPlan {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Where the API listens; port 0 at first, then what was taken.
    pub(crate) listen: SocketAddr,
    /// Where the local workspace listens.
    pub(crate) workspace_listen: SocketAddr,
    /// `id:secret` of the administrator.
    pub(crate) app_key: Secret,
    /// Token of the local workspace.
    pub(crate) workspace_token: Secret,
    /// The only address that outgoing calls may reach: the demo's own receiver.
    pub(crate) receiver: SocketAddr,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    plan: ServerPlan,
}

impl Server {
    /// Starts the server and waits until it is ready.
    pub(crate) async fn start(mut plan: ServerPlan) -> Result<Self> {
        let program = std::env::current_exe().context("the program cannot find itself")?;
        let log_path = plan.data.join("server.log");
        let log = open_log(&log_path)?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--data")
            .arg(&plan.data)
            .args(["--listen", &plan.listen.to_string()])
            .args(["--workspace-listen", &plan.workspace_listen.to_string()])
            .env("LOOPWRIGHT_BOOTSTRAP_APP_KEY", plan.app_key.expose())
            .env("LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN", plan.workspace_token.expose())
            .env("LOOPWRIGHT_EGRESS_ALLOW", plan.receiver.to_string())
            .env("LOOPWRIGHT_CALLBACK_HTTP", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("the server cannot be started")?;
        let output = child.stdout.take().expect("standard output is piped");
        let addresses = tokio::time::timeout(START_TIMEOUT, read_addresses(output)).await;
        let addresses = match addresses {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(error.context(format!("its log is {}", log_path.display()))),
            Err(_) => {
                bail!("the server was not ready after {} s; its log is {}", START_TIMEOUT.as_secs(), log_path.display())
            }
        };
        (plan.listen, plan.workspace_listen) = addresses;
        Ok(Server { child, plan })
    }

    /// Returns the address of the API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.plan.listen)
    }

    /// Returns the address of the local workspace.
    pub(crate) fn workspace_url(&self) -> String {
        format!("http://{}", self.plan.workspace_listen)
    }

    /// Ends the server as a power cut would, and starts it again.
    pub(crate) async fn kill_and_start_again(mut self) -> Result<Self> {
        self.child.kill().await.context("the server cannot be killed")?;
        Server::start(self.plan).await
    }

    /// Returns the process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the server to end and waits for it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .context("the server cannot be stopped")?;
        }
        let status = self.child.wait().await.context("the server's end cannot be waited for")?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }

    /// Waits until the server ends by itself.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        let status = self.child.wait().await?;
        bail!("the server ended with {status}")
    }
}

fn open_log(path: &Path) -> Result<std::fs::File> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("the log {} cannot be written", path.display()))
}

/// Reads the two lines that `serve` prints when it is ready: the API first,
/// then the workspace.
async fn read_addresses(output: tokio::process::ChildStdout) -> Result<(SocketAddr, SocketAddr)> {
    let mut lines = BufReader::new(output).lines();
    let mut addresses = Vec::new();
    while addresses.len() < 2 {
        let line = lines.next_line().await?.ok_or_else(|| anyhow!("the server ended before it was ready"))?;
        if let Some(address) = line.strip_prefix("listening on http://") {
            addresses.push(address.parse::<SocketAddr>().context("the server printed no address")?);
        }
    }
    // Nobody reads further; the pipe is kept open so that a later line does
    // not end the server.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((addresses[0], addresses[1]))
}
