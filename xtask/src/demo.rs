//! Building the program and letting a person see it.

use anyhow::Result;

use crate::command::{cargo, command, find, root, target};
use crate::ui;

/// Builds the UI and the program, then runs `loopwright demo`.
pub(crate) fn run(passed_on: &[String]) -> Result<()> {
    if let Err(error) = ui::build() {
        eprintln!("the browser UI is left out: {error:#}");
    }
    build()?;
    let mut arguments = vec!["demo"];
    arguments.extend(passed_on.iter().map(String::as_str).filter(|argument| *argument != "--"));
    crate::command::run(&mut command(program(), &arguments))
}

/// Starts the server on the default ports and the UI's own server, which
/// reloads on every change and passes API calls on.
pub(crate) fn dev() -> Result<()> {
    build()?;
    let mut server = command(program(), &["serve"]).spawn()?;
    let npm = find(&["npm"], &[]).unwrap_or_else(|| "npm".into());
    let ended = run_ui(&npm);
    let _ = server.kill();
    let _ = server.wait();
    ended
}

fn run_ui(npm: &std::path::Path) -> Result<()> {
    let ui = root().join("ui");
    run_in(npm, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &ui)?;
    run_in(npm, &["run", "dev"], &ui)
}

fn run_in(program: &std::path::Path, arguments: &[&str], folder: &std::path::Path) -> Result<()> {
    crate::command::run(command(program, arguments).current_dir(folder))
}

/// Builds the program with full optimisation, the UI inside.
pub(crate) fn dist() -> Result<()> {
    ui::build()?;
    crate::command::run(&mut cargo(&["build", "--release", "-p", "loopwright"]))
}

/// Builds the program in the shared profile.
pub(crate) fn build() -> Result<()> {
    crate::command::run(&mut cargo(&["build", "--locked", "-p", "loopwright"]))
}

/// Returns the path of the program in the shared profile.
pub(crate) fn program() -> std::path::PathBuf {
    target().join("debug/loopwright")
}
