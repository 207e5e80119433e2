//! Steps with their time, and what was skipped.

use std::time::Instant;

use anyhow::Result;

/// What became of a step.
pub(crate) enum Outcome {
    /// It ran and all was well.
    Done,
    /// It could not run here; the reason is one line.
    Skipped(String),
}

/// Runs steps one after the other and prints how long each took.
#[derive(Default)]
pub(crate) struct Steps {
    only: Option<String>,
    lines: Vec<String>,
}

impl Steps {
    /// Makes a list that runs only steps whose name contains `only`.
    pub(crate) fn new(only: Option<&str>) -> Self {
        Steps { only: only.map(str::to_owned), lines: Vec::new() }
    }

    /// Runs a step, unless the person asked for others only.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        if self.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            return Ok(());
        }
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = work();
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        let word = match &outcome {
            Ok(Outcome::Done) => "done".to_owned(),
            Ok(Outcome::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        let line = format!("{minutes:6.1} min  {name:<34} {word}");
        eprintln!("{line}");
        self.lines.push(line);
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                self.print();
                Err(error.context(format!("step \"{name}\" failed")))
            }
        }
    }

    /// Prints all steps with their minutes.
    pub(crate) fn print(&self) {
        eprintln!("\nminutes per step");
        for line in &self.lines {
            eprintln!("{line}");
        }
    }
}
