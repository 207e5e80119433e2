//! Benchmarks by name.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use crate::command::{cargo, command, find, target};
use crate::postgres::Postgres;
use crate::{demo, e2e, python};

/// Benchmarks that exist, and what they print.
const BENCHES: [(&str, &str); 7] = [
    ("loop", "push answered DONE to first byte of the callback; start to ready; memory when idle"),
    ("deliver", "deliveries of events: rates, latencies, crashes; \"-- --quick\" for less than a minute"),
    ("push", "rows on their way in, beside DuckDB and Polars; memory; \"-- --quick\" for a few minutes"),
    (
        "signals",
        "event logs of 1 to 100 million events, beside DuckDB, Polars and PM4Py; \"-- --quick\" up to 10 million",
    ),
    (
        "flows",
        "runs of flows, beside Node-RED, n8n, Restate, DBOS and a bare loop; \"-- --quick\" for a few minutes, \
         \"--peers ours,bare\" for some",
    ),
    (
        "workspace",
        "runs of jobs in the local workspace, beside MiniLake, and flows that wait for 1,000 of them, beside threads; \
         \"-- --quick\" for two minutes",
    ),
    ("ui", "the editor with 1,000 modules, beside the canvas library alone; \"-- --quick\" for two minutes"),
];

/// The version of the other local workspace that ours is measured beside.
const MINILAKE: &str = "1.9.0";

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
    if name == "workspace" {
        let peer = python::with_package("minilake", MINILAKE)?.to_string_lossy().into_owned();
        let program = optimised("loopwright")?.to_string_lossy().into_owned();
        own.splice(0..0, ["tests/bench_workspace.py", &program, "--minilake", &peer]);
        return crate::command::run(&mut command(python::with_packages()?, &own));
    }
    if name == "signals" {
        let python = python::with_packages()?;
        let program = optimised("bench")?.to_string_lossy().into_owned();
        own.splice(0..0, ["tests/bench_signals.py", &program]);
        return crate::command::run(&mut command(python, &own));
    }
    if name == "flows" {
        return flows(&own);
    }
    if name == "ui" {
        return e2e::bench(&own);
    }
    demo::build()?;
    own.splice(0..0, ["bench", name]);
    crate::command::run(&mut command(demo::program(), &own))
}

/// Compares flow engines. The others are installed on first use and kept
/// beside what we build; a disk that tests may share is not measured.
fn flows(asked: &[&str]) -> Result<()> {
    let python = find(&["python3"], &[]).ok_or_else(|| anyhow!("python3 is missing"))?;
    let asks = |peer: &str| {
        let peers = asked.iter().skip_while(|word| **word != "--peers").nth(1);
        peers.is_none_or(|peers| peers.split(',').any(|name| name == peer))
    };
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut all = vec!["tests/bench_flows.py".to_owned(), "--bench".to_owned(), text(as_handed_out("bench-flows")?)];
    if asks("ours") || asks("loopwright") {
        all.extend(["--program".to_owned(), text(optimised("loopwright")?)]);
    }
    all.extend(["--peers-folder".to_owned(), text(target().join("peers"))]);
    // Without it DBOS runs on SQLite, and says so.
    let postgres = if asks("dbos") { Postgres::start_durable().ok() } else { None };
    if let Some(postgres) = &postgres {
        let url = format!("{}/dbos", postgres.url.trim_end_matches("/postgres"));
        all.extend(["--postgres".to_owned(), url, postgres.pid().to_string()]);
    }
    all.extend(asked.iter().map(|&word| word.to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    crate::command::run(&mut command(python, &all))
}

/// Builds a small program, with all that it depends on, as it would be handed
/// out but for the linker's optimisation.
fn as_handed_out(program: &str) -> Result<PathBuf> {
    crate::command::run(&mut cargo(&["build", "--locked", "--profile", "bench", "-p", program]))?;
    Ok(target().join("release").join(program))
}

/// Builds a program with our own crates as they are handed out, optimised and
/// without assertions, and those that every row passes through optimised; the
/// rest stays as the tests have it (`Cargo.toml` says so aloud), because all of
/// it would take an hour. Returns a copy, which the next build leaves alone.
fn optimised(program: &str) -> Result<PathBuf> {
    // What embeds the browser's files must agree with our crates on whether it does.
    let embeds = "profile.dev.package.rust-embed.debug-assertions=false";
    let mut build = cargo(&["build", "--locked", "--config", embeds, "-p", program]);
    for (what, value) in [("OPT_LEVEL", "3"), ("DEBUG_ASSERTIONS", "false"), ("OVERFLOW_CHECKS", "false")] {
        build.env(format!("CARGO_PROFILE_DEV_{what}"), value);
    }
    crate::command::run(&mut build)?;
    let copy = target().join(format!("{program}-optimised"));
    std::fs::copy(target().join("debug").join(program), &copy)?;
    Ok(copy)
}
