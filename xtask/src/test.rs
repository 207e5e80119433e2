//! Everything that CI runs, in the order in which it says most soonest.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{cargo, command, find, root, run_quiet, target};
use crate::postgres::Postgres;
use crate::steps::{Outcome, Steps};
use crate::{demo, e2e, examples, python, sim, tidy, ui};

/// Crates that build without Arrow and DataFusion.
const LIGHT: [&str; 11] =
    ["base", "egress", "access", "pools", "events", "flows", "workspace", "mining", "api", "faulty-disk", "xtask"];

/// Runs all steps; `only` picks some by name.
pub(crate) fn run(long: bool, only: Option<&str>) -> Result<()> {
    let mut steps = Steps::new(only);
    steps.step("house rules", || {
        tidy::check()?;
        sim::plants_fit()?;
        Ok(Outcome::Done)
    })?;
    steps.step("format", || {
        crate::command::run(&mut cargo(&["fmt", "--all", "--check"]))?;
        Ok(Outcome::Done)
    })?;
    let postgres = match Postgres::start() {
        Ok(server) => Some(server),
        Err(error) => {
            eprintln!("the tests run on SQLite only: {error:#}");
            None
        }
    };
    let postgres_url = postgres.as_ref().map(|server| server.url.clone());
    steps.step("tests of the light crates", || tests(&LIGHT, postgres_url.as_deref(), long))?;
    steps.step("lints", lints)?;
    for name in ["events", "flows"] {
        steps.step(&format!("simulation of {name}"), || {
            sim::step(name, &LIGHT, postgres_url.as_deref(), long)?;
            Ok(Outcome::Done)
        })?;
        steps.step(&format!("planted bugs in {name}"), || {
            sim::planted_step(name, long)?;
            Ok(Outcome::Done)
        })?;
    }
    steps.step("browser UI", || match ui::build() {
        Ok(()) => ui::check().map(|()| Outcome::Done),
        Err(error) if find(&["npm"], &[]).is_none() => Ok(Outcome::Skipped(format!("{error:#}"))),
        Err(error) => Err(error),
    })?;
    steps.step("tests of lake and the program", || tests(&["lake", "loopwright"], postgres_url.as_deref(), long))?;
    steps.step("demo, checked from outside", checked_demo)?;
    steps.step("examples, played to their end", || {
        demo::build()?;
        examples::all().map(|()| Outcome::Done)
    })?;
    steps.step("official clients", official_clients)?;
    steps.step("generations of the Databricks SDK", databricks_generations)?;
    steps.step("flows in a Databricks workspace", || from_outside("tests/check_databricks_flows.py", None))?;
    steps.step("guides, as they stand", || {
        demo::build()?;
        let Some(python) = find(&["python3"], &[]) else {
            return Ok(Outcome::Skipped("python3 is missing".into()));
        };
        let program = demo::program().to_string_lossy().into_owned();
        let guide = "docs/guide/tutorial-databricks.md";
        crate::command::run(&mut command(python, &["tests/check_guide.py", &program, guide]))?;
        Ok(Outcome::Done)
    })?;
    steps.step("mail and messages to receivers of others", || from_outside("tests/check_receivers.py", None))?;
    steps.step("tables read from outside", || from_outside("tests/check_tables.py", None))?;
    steps.step("logs mined from outside", || from_outside("tests/check_mining.py", None))?;
    steps.step("contract of the subscription API", || from_outside("tests/check_contract.py", None))?;
    steps.step("browser walk", || match e2e::chromium() {
        Ok(_) => e2e::run(long).map(|()| Outcome::Done),
        Err(error) => Ok(Outcome::Skipped(format!("{error:#}"))),
    })?;
    steps.print();
    Ok(())
}

/// The entry of the chore `check`.
pub(crate) fn check() -> Result<()> {
    tidy::check()?;
    sim::plants_fit()?;
    crate::command::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    lints().map(|_| ())
}

fn lints() -> Result<Outcome> {
    crate::command::run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(Outcome::Done)
}

/// Runs the tests of some packages, by nextest where it is installed.
fn tests(packages: &[&str], postgres_url: Option<&str>, long: bool) -> Result<Outcome> {
    let mut arguments = match find(&["cargo-nextest"], &[]) {
        Some(_) => vec!["nextest", "run", "--locked"],
        None => vec!["test", "--locked"],
    };
    for package in packages {
        arguments.extend(["-p", package]);
    }
    let mut command = cargo(&arguments);
    if let Some(url) = postgres_url {
        command.env("LOOPWRIGHT_TEST_POSTGRES", url);
    }
    if long {
        command.env("LOOPWRIGHT_TEST_LONG", "true");
    }
    crate::command::run(&mut command)?;
    Ok(Outcome::Done)
}

/// Lets clients that we did not write talk to a fresh server.
fn official_clients() -> Result<Outcome> {
    let node = node_with_packages()?.map(|node| node.to_string_lossy().into_owned());
    if node.is_none() {
        eprintln!("npm is missing: the clients for Node are left out");
    }
    from_outside("tests/check_clients.py", node.as_deref())
}

/// Versions of the Databricks SDK that are tried beside the current one: the
/// last but one generation, and one from the first year.
const OLDER_SDKS: [&str; 2] = ["0.40.0", "0.12.0"];

/// Lets three generations of the Databricks SDK work with the workspace.
fn databricks_generations() -> Result<Outcome> {
    demo::build()?;
    let pythons: Result<Vec<PathBuf>> = std::iter::once(python::with_packages())
        .chain(OLDER_SDKS.map(|version| python::with_package("databricks-sdk", version)))
        .collect();
    let pythons = match pythons {
        Ok(pythons) => pythons,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let texts: Vec<String> = pythons.iter().map(|python| python.to_string_lossy().into_owned()).collect();
    let program = demo::program().to_string_lossy().into_owned();
    let mut arguments = vec!["tests/check_databricks.py", &program];
    arguments.extend(texts[1..].iter().map(String::as_str));
    crate::command::run(&mut command(&pythons[0], &arguments))?;
    Ok(Outcome::Done)
}

/// Lets programs that we did not write talk to a fresh server.
fn from_outside(script: &str, node: Option<&str>) -> Result<Outcome> {
    demo::build()?;
    let python = match python::with_packages() {
        Ok(python) => python,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let program = demo::program().to_string_lossy().into_owned();
    let arguments: Vec<&str> = [script, &program].into_iter().chain(node).collect();
    crate::command::run(&mut command(python, &arguments))?;
    Ok(Outcome::Done)
}

/// Returns a Node that has the packages of `tests/node`, if there is an npm.
fn node_with_packages() -> Result<Option<PathBuf>> {
    let (Some(npm), Some(node)) = (find(&["npm"], &[]), find(&["node"], &[])) else { return Ok(None) };
    let folder = root().join("tests/node");
    run_quiet(command(npm, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))?;
    Ok(Some(node))
}

/// Runs the demo to its end, then lets programs that we did not write compute
/// and read the same: which cases had to fire, and what lies in the tables.
fn checked_demo() -> Result<Outcome> {
    demo::build()?;
    let data = target().join("demo-check");
    let _ = std::fs::remove_dir_all(&data);
    let data_text = data.to_string_lossy().into_owned();
    let report = data.join("report.json");
    let report_text = report.to_string_lossy().into_owned();
    let mut show = command(demo::program(), &["demo", "--once", "--data", &data_text, "--report", &report_text]);
    crate::command::run(&mut show)?;
    let python = match python::with_packages() {
        Ok(python) => python,
        Err(error) => return Ok(Outcome::Skipped(format!("no check from outside: {error:#}"))),
    };
    crate::command::run(&mut command(python, &["tests/check_demo.py", &data_text, &report_text]))?;
    Ok(Outcome::Done)
}
