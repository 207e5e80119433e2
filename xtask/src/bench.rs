//! Benchmarks by name.

use anyhow::{Result, bail};

use crate::command::command;
use crate::demo;

/// Benchmarks that exist, and what they print.
const BENCHES: [(&str, &str); 1] =
    [("loop", "push answered DONE to first byte of the callback; start to ready; memory when idle")];

/// Runs a benchmark with the optimised program.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        for (name, what) in BENCHES {
            eprintln!("{name:<8} {what}");
        }
        return Ok(());
    };
    if !BENCHES.iter().any(|(known, _)| *known == name) {
        bail!("there is no benchmark \"{name}\"; `cargo xtask bench` lists them");
    }
    demo::build()?;
    crate::command::run(&mut command(demo::program(), &["bench", name]))
}
