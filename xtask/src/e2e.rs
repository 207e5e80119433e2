//! The UI in a real browser.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::command::{command, find, install_debian_package, root};
use crate::{demo, ui};

/// Builds everything, starts the program and lets Playwright walk through it.
/// Any error on the browser's console fails the walk.
///
/// A long run compares what each page tells people who do not see it, too, and
/// walks once more with answers that come late, as they do from afar.
pub(crate) fn run(long: bool) -> Result<()> {
    if !long {
        return chore("e2e", &[], &[]);
    }
    chore("e2e", &[], &[("LOOPWRIGHT_TEST_SNAPSHOTS", "compare")])?;
    chore("e2e", &[], &[("LOOPWRIGHT_TEST_LATENCY_MS", "300")])
}

/// Measures the UI in a browser.
pub(crate) fn bench(asked: &[&str]) -> Result<()> {
    chore("bench", asked, &[])
}

/// Builds everything and runs a script of the UI that wants program and browser.
fn chore(script: &str, asked: &[&str], settings: &[(&str, &str)]) -> Result<()> {
    let chromium = chromium()?;
    let npm = find(&["npm"], &[]).ok_or_else(|| anyhow!("npm is missing"))?;
    ui::build()?;
    demo::build()?;
    let mut all = vec!["run", script, "--"];
    all.extend(asked);
    crate::command::run(
        command(&npm, &all)
            .current_dir(root().join("ui"))
            .env("LOOPWRIGHT_TEST_PROGRAM", demo::program())
            .env("LOOPWRIGHT_TEST_CHROMIUM", chromium)
            .envs(settings.iter().copied()),
    )
}

/// Finds a browser, or installs Debian's.
pub(crate) fn chromium() -> Result<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    if let Some(found) = find(&names, &[]) {
        return Ok(found);
    }
    install_debian_package("chromium").context("no browser")?;
    find(&names, &[]).ok_or_else(|| anyhow!("no browser was found"))
}
