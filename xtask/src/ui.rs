//! Building the browser UI.

use anyhow::{Result, bail};

use crate::command::{command, find, root, run};

/// Installs the UI's packages and builds it into `ui/dist`, unless it is
/// already newer than its sources.
pub(crate) fn build() -> Result<()> {
    let ui = root().join("ui");
    if !ui.join("package.json").is_file() {
        bail!("there is no ui/package.json");
    }
    let Some(npm) = find(&["npm"], &[]) else {
        bail!("npm is missing: install Node.js 20 or newer to build the browser UI");
    };
    if is_built() {
        return Ok(());
    }
    run(command(&npm, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&ui))?;
    run(command(&npm, &["run", "build"]).current_dir(&ui))
}

/// Runs the tests of the UI's pure parts, and looks that a first visit does not
/// load more than it may.
pub(crate) fn check() -> Result<()> {
    let Some(npm) = find(&["npm"], &[]) else { return Ok(()) };
    let ui = root().join("ui");
    run(command(&npm, &["run", "test"]).current_dir(&ui))?;
    run(command(&npm, &["run", "budget"]).current_dir(&ui))
}

fn is_built() -> bool {
    let ui = root().join("ui");
    let Ok(built) = std::fs::metadata(ui.join("dist/index.html")).and_then(|file| file.modified()) else {
        return false;
    };
    let sources = ["src", "index.html", "workspace.html", "package-lock.json", "vite.config.ts", "public"];
    // The types of the calls are made from the API's description.
    let sources = sources.into_iter().chain(["../docs/reference/openapi.json"]);
    sources.into_iter().all(|source| newest(&ui.join(source)).is_none_or(|changed| changed <= built))
}

fn newest(path: &std::path::Path) -> Option<std::time::SystemTime> {
    let own = std::fs::metadata(path).ok()?;
    if !own.is_dir() {
        return own.modified().ok();
    }
    let inside = std::fs::read_dir(path).ok()?;
    inside.flatten().filter_map(|entry| newest(&entry.path())).max()
}
