//! `check`: would the server start? Nothing is changed by asking.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Result, bail};

use super::say;
use crate::config::Config;

pub(super) async fn run(config: &Config) -> Result<()> {
    let findings = [
        data_folder(&config.data),
        port("listen", Some(config.listen)),
        port("workspace_listen", config.workspace_listen),
        python(&config.python).await,
    ];
    let mut wrong = 0;
    for finding in findings {
        match finding {
            Ok(fine) => say(&format!("ok     {fine}")),
            Err(problem) => {
                wrong += 1;
                say(&format!("wrong  {problem}"));
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of the checks failed");
    }
    Ok(())
}

fn data_folder(data: &Path) -> Result<String, String> {
    let shown = data.display();
    match std::fs::metadata(data) {
        Ok(about) if !about.is_dir() => Err(format!("the data folder {shown} is not a folder")),
        Ok(about) if about.permissions().readonly() => Err(format!("the data folder {shown} cannot be written")),
        Ok(_) => Ok(format!("the data folder {shown} is there")),
        Err(_) => Ok(format!("the data folder {shown} will be made")),
    }
}

fn port(setting: &str, address: Option<SocketAddr>) -> Result<String, String> {
    let Some(address) = address else { return Ok(format!("{setting} is off")) };
    match TcpListener::bind(address) {
        Ok(_) => Ok(format!("{setting} can take {address}")),
        Err(error) => Err(format!("{setting} cannot take {address}: {error}")),
    }
}

async fn python(python: &Path) -> Result<String, String> {
    let answer = tokio::process::Command::new(python).arg("--version").output().await;
    match answer {
        Ok(output) if output.status.success() => {
            Ok(format!("jobs run with {}", String::from_utf8_lossy(&output.stdout).trim()))
        }
        _ => Err(format!("the Python interpreter \"{}\" cannot be started", python.display())),
    }
}
