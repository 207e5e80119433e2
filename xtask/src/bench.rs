//! Benchmarks by name.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::command::{cargo, command, target};
use crate::{demo, python};

/// Benchmarks that exist, and what they print.
const BENCHES: [(&str, &str); 4] = [
    ("loop", "push answered DONE to first byte of the callback; start to ready; memory when idle"),
    ("deliver", "deliveries of events: rates, latencies, crashes; \"-- --quick\" for less than a minute"),
    ("push", "rows on their way in, beside DuckDB and Polars; memory; \"-- --quick\" for a few minutes"),
    (
        "signals",
        "event logs of 1 to 100 million events, beside DuckDB, Polars and PM4Py; \"-- --quick\" up to 10 million",
    ),
];

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
    if name == "push" {
        let python = python::with_packages()?;
        let program = optimised("loopwright")?.to_string_lossy().into_owned();
        own.splice(0..0, ["tests/bench_push.py", &program]);
        return crate::command::run(&mut command(python, &own));
    }
    if name == "signals" {
        let python = python::with_packages()?;
        let program = optimised("bench")?.to_string_lossy().into_owned();
        own.splice(0..0, ["tests/bench_signals.py", &program]);
        return crate::command::run(&mut command(python, &own));
    }
    demo::build()?;
    own.splice(0..0, ["bench", name]);
    crate::command::run(&mut command(demo::program(), &own))
}

/// Builds a program with our own crates as they are handed out, optimised and
/// without assertions, and those that every row passes through optimised; the
/// rest stays as the tests have it (`Cargo.toml` says so aloud), because all of
/// it would take an hour. Returns a copy, which the next build leaves alone.
fn optimised(program: &str) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--locked", "-p", program]);
    for (what, value) in [("OPT_LEVEL", "3"), ("DEBUG_ASSERTIONS", "false"), ("OVERFLOW_CHECKS", "false")] {
        build.env(format!("CARGO_PROFILE_DEV_{what}"), value);
    }
    crate::command::run(&mut build)?;
    let copy = target().join(format!("{program}-optimised"));
    std::fs::copy(target().join("debug").join(program), &copy)?;
    Ok(copy)
}
