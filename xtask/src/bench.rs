//! Benchmarks and simulations by name.

use anyhow::{Result, bail};

use crate::command::{cargo, command};
use crate::demo;

/// Benchmarks that exist, and what they print.
const BENCHES: [(&str, &str); 1] =
    [("loop", "push answered DONE to first byte of the callback; start to ready; memory when idle")];

/// Simulations that exist: crate, and the test that reads the seed.
const SIMULATIONS: [(&str, &str); 0] = [];

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

/// Runs a simulation, all its seeds or one.
pub(crate) fn simulate(name: Option<&str>, seed: Option<u64>) -> Result<()> {
    let Some(name) = name else {
        if SIMULATIONS.is_empty() {
            eprintln!("no crate has a simulation of its own yet");
        }
        for (name, _) in SIMULATIONS {
            eprintln!("{name}");
        }
        return Ok(());
    };
    let Some((package, test)) = SIMULATIONS.iter().find(|(known, _)| *known == name) else {
        bail!("there is no simulation \"{name}\"; `cargo xtask sim` lists them");
    };
    let mut command = cargo(&["test", "-p", package, test, "--", "--nocapture"]);
    if let Some(seed) = seed {
        command.env("LOOPWRIGHT_TEST_SEED", seed.to_string());
    }
    crate::command::run(&mut command)
}
