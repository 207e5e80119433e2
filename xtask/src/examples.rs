//! The examples, each a closed loop with a driver of its own.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{command, find, root};
use crate::{demo, ui};

/// Plays an example for a person, or all of them to their end.
///
/// An example is a folder with a `play.py`, which needs nothing but Python and
/// the program. `loopwright demo` is the first of them, and has its driver in
/// the program.
pub(crate) fn run(name: Option<&str>, passed_on: &[String]) -> Result<()> {
    let known = names()?;
    match name {
        Some(name) if known.iter().any(|known| known == name) => {
            if let Err(error) = ui::build() {
                eprintln!("the browser UI is left out: {error:#}");
            }
            demo::build()?;
            let asked: Vec<&str> = passed_on.iter().map(String::as_str).filter(|word| *word != "--").collect();
            play(name, &asked)
        }
        Some(name) => bail!("no example is called {name}; there are {}", known.join(", ")),
        None => {
            demo::run(&["--once".to_owned()])?;
            all()
        }
    }
}

/// Plays each example to its end, with the program as it was built last, and
/// before that the cases that stand beside their flows, and the tests of the
/// order system.
pub(crate) fn all() -> Result<()> {
    let folder = root().join("examples");
    let flows = ["action-flows", "recipes", "late-delivery/flows"].map(|name| folder.join(name));
    crate::command::run(command(demo::program(), &["flow", "test"]).args(flows))?;
    crate::command::run(command(python()?, &["test_source_system.py"]).current_dir(folder.join("source-system")))?;
    for name in names()? {
        eprintln!("\n-- {name}");
        play(&name, &["--once"]).with_context(|| format!("the example {name}"))?;
    }
    Ok(())
}

fn play(name: &str, asked: &[&str]) -> Result<()> {
    let driver = root().join("examples").join(name).join("play.py");
    let driver = driver.to_string_lossy();
    let mut words = vec![&*driver];
    words.extend(asked);
    crate::command::run(command(python()?, &words).arg("--program").arg(demo::program()))
}

fn python() -> Result<PathBuf> {
    find(&["python3"], &[]).ok_or_else(|| anyhow!("python3 is missing"))
}

/// The folders that have a driver, by name.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("examples"))? {
        let entry = entry?;
        if entry.path().join("play.py").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
