//! A Python of our own with the packages that check us from outside.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::command::{command, find, root, run_quiet, target};

/// Returns a Python interpreter that has the packages of
/// `tests/requirements.txt`; they are installed on first use.
pub(crate) fn with_packages() -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(root().join("tests/requirements.txt"))?;
    environment("venv", &wanted, &["-r", "tests/requirements.txt"])
}

/// Returns a Python interpreter that has one package, and what that needs,
/// apart from all others.
pub(crate) fn with_package(name: &str, version: &str) -> Result<PathBuf> {
    let wanted = format!("{name}=={version}");
    environment(&format!("venv-{name}-{version}"), &wanted, &[&wanted])
}

/// Makes an environment, unless it is there with just what is wanted.
fn environment(folder: &str, wanted: &str, packages: &[&str]) -> Result<PathBuf> {
    let venv = target().join(folder);
    let python = venv.join("bin/python");
    let installed = venv.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let system = find(&["python3"], &[]).ok_or_else(|| anyhow!("python3 is missing"))?;
    let venv_text = venv.to_string_lossy().into_owned();
    run_quiet(&mut command(system, &["-m", "venv", &venv_text])).context("a virtual environment cannot be made")?;
    let mut install = vec!["-m", "pip", "install", "--quiet"];
    install.extend(packages);
    run_quiet(&mut command(&python, &install))
        .with_context(|| format!("{} cannot be installed", wanted.lines().collect::<Vec<_>>().join(", ")))?;
    std::fs::write(installed, wanted)?;
    Ok(python)
}
