//! A Python of our own with the packages that check us from outside.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::command::{command, find, root, run_quiet, target};

/// Returns a Python interpreter that has the packages of
/// `tests/requirements.txt`; they are installed on first use.
pub(crate) fn with_packages() -> Result<PathBuf> {
    let venv = target().join("venv");
    let python = venv.join("bin/python");
    let wanted = std::fs::read_to_string(root().join("tests/requirements.txt"))?;
    let installed = venv.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let system = find(&["python3"], &[]).ok_or_else(|| anyhow!("python3 is missing"))?;
    let venv_text = venv.to_string_lossy().into_owned();
    run_quiet(&mut command(system, &["-m", "venv", &venv_text])).context("a virtual environment cannot be made")?;
    run_quiet(&mut command(&python, &["-m", "pip", "install", "--quiet", "-r", "tests/requirements.txt"]))
        .context("the packages of tests/requirements.txt cannot be installed")?;
    std::fs::write(installed, wanted)?;
    Ok(python)
}
