//! A PostgreSQL that lives as long as the tests do.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow};

use crate::command::{command, find, install_debian_package, is_root, run_quiet};

/// A running server in a folder of its own; it ends when dropped.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    /// Connection URL of an empty database whose owner we are.
    pub(crate) url: String,
}

impl Postgres {
    /// Makes a folder, starts a server on a free port of loopback, and waits
    /// until it answers. Durability is off: the tests are about meaning.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with("off")
    }

    /// The same with its usual durability, for measurements.
    pub(crate) fn start_durable() -> Result<Self> {
        Self::start_with("on")
    }

    /// Returns the process that is the server.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    fn start_with(fsync: &str) -> Result<Self> {
        let initdb = program("initdb")?;
        let postgres = program("postgres")?;
        let folder = std::env::temp_dir().join(format!("loopwright-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            run_quiet(&mut command("chown", &["postgres", &folder.to_string_lossy()]))
                .context("there is no user \"postgres\" to run the server as")?;
        }
        let data = folder.join("data");
        let data_text = data.to_string_lossy().into_owned();
        run_quiet(&mut as_postgres(&initdb, &["-D", &data_text, "-U", "loopwright", "-A", "trust", "-E", "UTF8"]))?;
        let port = free_port()?;
        let port_text = port.to_string();
        let socket = folder.to_string_lossy().into_owned();
        let server = as_postgres(
            &postgres,
            &[
                "-D",
                &data_text,
                "-p",
                &port_text,
                "-k",
                &socket,
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                &format!("fsync={fsync}"),
                "-c",
                "max_connections=300",
            ],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("PostgreSQL cannot be started")?;
        let url = format!("postgresql://loopwright@127.0.0.1:{port}/postgres");
        let mut started = Postgres { server, folder, url };
        started.wait_until_ready(port)?;
        Ok(started)
    }

    /// `pg_ctl` has no word for "wait until it answers" that works without
    /// its own start, so the port is asked until somebody listens.
    fn wait_until_ready(&mut self, port: u16) -> Result<()> {
        let isready = program("pg_isready")?;
        let port = port.to_string();
        for _ in 0..300 {
            let ready = run_quiet(&mut command(&isready, &["-q", "-h", "127.0.0.1", "-p", &port]));
            if ready.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                return Err(anyhow!("PostgreSQL ended with {status}"));
            }
            #[expect(clippy::disallowed_methods, reason = "a chore waits for another program to start")]
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(anyhow!("PostgreSQL did not answer within 30 s"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Under `setpriv` the child is the server itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn program(name: &str) -> Result<PathBuf> {
    let mut folders = Vec::new();
    for version in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        folders.push(version.path().join("bin"));
    }
    if let Some(found) = find(&[name], &folders) {
        return Ok(found);
    }
    install_debian_package("postgresql")?;
    for version in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        folders.push(version.path().join("bin"));
    }
    find(&[name], &folders).ok_or_else(|| anyhow!("PostgreSQL's \"{name}\" is missing"))
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path, arguments: &[&str]) -> Command {
    let program_text = program.to_string_lossy().into_owned();
    let mut command = if is_root() {
        let mut all = vec!["--reuid=postgres", "--regid=postgres", "--init-groups", "--", program_text.as_str()];
        all.extend_from_slice(arguments);
        command("setpriv", &all)
    } else {
        command(&program_text, arguments)
    };
    command.current_dir(std::env::temp_dir());
    command
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}
