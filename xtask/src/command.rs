//! Running other programs, and finding them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Returns the folder of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the repository").to_owned()
}

/// Returns the folder of build results.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Starts a command in the repository's folder.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Starts a cargo command with the cargo that runs us.
///
/// What cargo told *us* about our own package is taken out of the environment:
/// build scripts that watch those variables would believe that they have
/// changed, and half the house would be built again whenever a person builds
/// by hand in between.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments);
    for (name, _) in std::env::vars_os() {
        let about_us = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || ABOUT_US.contains(&name));
        if about_us {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Variables that cargo sets for a program that it runs, besides `CARGO_PKG_…`.
const ABOUT_US: [&str; 4] = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME"];

/// Runs a command to its end; anything but success is an error that shows it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = shown(command);
    eprintln!("$ {text}");
    let status = command.status().with_context(|| format!("cannot start: {text}"))?;
    if !status.success() {
        bail!("{text}: {status}");
    }
    Ok(())
}

/// Runs a command silently; on failure its output is part of the error.
pub(crate) fn run_quiet(command: &mut Command) -> Result<String> {
    let text = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start: {text}"))?;
    if !output.status.success() {
        bail!(
            "{text}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Finds a program on the path or in one of some folders.
pub(crate) fn find(names: &[&str], folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all: Vec<PathBuf> = std::env::split_paths(&path).chain(folders.iter().cloned()).collect();
    names.iter().find_map(|name| all.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Installs a Debian package where that is possible: as root, with `apt-get`.
pub(crate) fn install_debian_package(package: &str) -> Result<()> {
    if find(&["apt-get"], &[]).is_none() || !is_root() {
        bail!("\"{package}\" is missing, and only root on Debian or Ubuntu can have it installed by this chore");
    }
    eprintln!("installing {package} …");
    run_quiet(command("apt-get", &["update", "-q"]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    run_quiet(
        command("apt-get", &["install", "-q", "-y", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    Ok(())
}

/// Tells whether this process may do everything.
pub(crate) fn is_root() -> bool {
    run_quiet(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}
