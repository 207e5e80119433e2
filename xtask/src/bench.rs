//! Benchmarks and simulations by name.

use anyhow::{Result, bail};

use crate::command::{cargo, command, target};
use crate::demo;

/// Benchmarks that exist, and what they print.
const BENCHES: [(&str, &str); 2] = [
    ("loop", "push answered DONE to first byte of the callback; start to ready; memory when idle"),
    ("deliver", "deliveries of events: rates, latencies, crashes; \"-- --quick\" for less than a minute"),
];

/// Simulations that exist: crate, and the test that reads the seed.
const SIMULATIONS: [(&str, &str); 0] = [];

/// Runs a benchmark; `passed_on` is for the benchmark itself.
pub(crate) fn run(name: Option<&str>, passed_on: &[String]) -> Result<()> {
    let Some(name) = name else {
        for (name, what) in BENCHES {
            eprintln!("{name:<8} {what}");
        }
        return Ok(());
    };
    if !BENCHES.iter().any(|(known, _)| *known == name) {
        bail!("there is no benchmark \"{name}\"; `cargo xtask bench` lists them");
    }
    let mut own: Vec<&str> = passed_on.iter().map(String::as_str).filter(|argument| *argument != "--").collect();
    if name == "deliver" {
        own.splice(0..0, ["bench", "--locked", "-p", "events", "--bench", "deliver", "--"]);
        // Measured on the disk that builds lie on.
        return crate::command::run(cargo(&own).env("CARGO_TARGET_DIR", target()));
    }
    demo::build()?;
    own.splice(0..0, ["bench", name]);
    crate::command::run(&mut command(demo::program(), &own))
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
