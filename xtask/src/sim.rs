//! Simulations by name: by seed, by count, and with bugs planted.
//!
//! A simulation that never fails may be right or blind. So `--planted` plants
//! bugs into a copy of the crates, one at a time, and each must be caught. The
//! bugs are data: what is found in which file, by what it is replaced, and which
//! properties may catch it. One that no longer fits the code, or that nobody
//! catches, is an error.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value as Json;

use crate::command::{cargo, root, target};
use crate::postgres::Postgres;

/// A simulation: the tests of a crate whose names begin with `simulation::`.
struct Simulation {
    /// The crate.
    name: &'static str,
    /// What bugs are planted in: crates, and what their tests read besides.
    copied: &'static [&'static str],
    /// Seeds of a change, and of a long run.
    seeds: u64,
    seeds_long: u64,
    /// A planted bug that so many seeds do not catch is not caught.
    seeds_planted: u64,
}

/// Simulations that exist.
const SIMULATIONS: [Simulation; 2] = [
    Simulation {
        name: "events",
        copied: &["crates/base", "crates/egress", "crates/faulty-disk", "crates/events"],
        seeds: 1_200,
        seeds_long: 30_000,
        seeds_planted: 600,
    },
    // A life of flows is longer: each run that ends in it is told again.
    Simulation {
        name: "flows",
        copied: &[
            "crates/base",
            "crates/egress",
            "crates/faulty-disk",
            "crates/flows",
            "docs/reference",
            "examples/purchase-to-pay/flows",
        ],
        seeds: 300,
        seeds_long: 10_000,
        seeds_planted: 400,
    },
];

/// What a person asked for.
pub(crate) struct Asked {
    pub(crate) seed: Option<u64>,
    pub(crate) seeds: Option<u64>,
    /// The bugs whose file names contain this.
    pub(crate) planted: Option<String>,
}

/// Runs a simulation; without a name, lists what there is.
pub(crate) fn run(name: Option<&str>, asked: &Asked) -> Result<()> {
    let Some(name) = name else {
        for simulation in SIMULATIONS {
            eprintln!("{}", simulation.name);
        }
        return Ok(());
    };
    let simulation = named(name)?;
    if let Some(text) = &asked.planted {
        return planted(simulation, &bugs_of(simulation, text)?);
    }
    if let Some(seed) = asked.seed {
        let program = build(name, &[name], &root())?;
        let mut life = lives(&program, name);
        life.arg("no_life").env("LOOPWRIGHT_TEST_SEED", seed.to_string());
        return crate::command::run(&mut life);
    }
    let postgres = Postgres::start().map_err(|error| eprintln!("on SQLite only: {error:#}")).ok();
    let url = postgres.as_ref().map(|server| server.url.as_str());
    all_seeds(name, &[name], asked.seeds.unwrap_or(simulation.seeds), url)
}

fn named(name: &str) -> Result<&'static Simulation> {
    let found = SIMULATIONS.iter().find(|known| known.name == name);
    found.ok_or_else(|| anyhow!("there is no simulation \"{name}\"; `cargo xtask sim` lists them"))
}

/// The step of `cargo xtask test`. `packages` are built together, as the tests
/// were before, so that nothing is built twice.
pub(crate) fn step(name: &str, packages: &[&str], postgres_url: Option<&str>, long: bool) -> Result<()> {
    let simulation = named(name)?;
    all_seeds(name, packages, if long { simulation.seeds_long } else { simulation.seeds }, postgres_url)
}

/// Looks that every planted bug fits the code as it is: whoever changes a text
/// that one is found by shall hear of it at once.
pub(crate) fn plants_fit() -> Result<()> {
    for simulation in SIMULATIONS {
        for bug in bugs_of(&simulation, "")? {
            bug.read_sound(&root())?;
        }
    }
    Ok(())
}

/// Reads the planted bugs whose files have a text in their names.
fn bugs_of(simulation: &Simulation, only: &str) -> Result<Vec<Bug>> {
    let folder = root().join("crates").join(simulation.name).join("planted");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(only)));
    paths.sort();
    if paths.is_empty() {
        bail!("no file in {} has \"{only}\" in its name", folder.display());
    }
    paths.iter().map(|path| Bug::read(path)).collect()
}

/// The parts of which one is planted by a change; a long run plants all.
const PARTS: usize = 3;

/// The step of `cargo xtask test` for the planted bugs: each bug is a build, so
/// a change tries every third, and which third is drawn by the commit.
pub(crate) fn planted_step(name: &str, long: bool) -> Result<()> {
    let simulation = named(name)?;
    let mut bugs = bugs_of(simulation, "")?;
    if !long {
        let commit = git_head().unwrap_or_default();
        let part = commit.bytes().map(usize::from).sum::<usize>() % PARTS;
        let all = bugs.len();
        bugs = bugs.into_iter().skip(part).step_by(PARTS).collect();
        eprintln!("{} of {all} planted bugs: part {} of {PARTS}, by the commit", bugs.len(), part + 1);
    }
    planted(simulation, &bugs)
}

/// The hash of the commit that is checked out, where git knows it.
fn git_head() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn all_seeds(name: &str, packages: &[&str], seeds: u64, postgres_url: Option<&str>) -> Result<()> {
    let program = build(name, packages, &root())?;
    let mut all = lives(&program, name);
    all.arg("simulation::").env("LOOPWRIGHT_TEST_SEEDS", seeds.to_string());
    if let Some(url) = postgres_url {
        all.env("LOOPWRIGHT_TEST_POSTGRES", url);
    }
    crate::command::run(&mut all)
}

fn lives(program: &Path, name: &str) -> Command {
    let mut lives = Command::new(program);
    // The tale of a life says more than a list of functions.
    lives.arg("--nocapture").current_dir(root().join("crates").join(name)).env("RUST_BACKTRACE", "0");
    lives
}

/// Builds the tests of a crate, and returns their program.
fn build(name: &str, packages: &[&str], workspace: &Path) -> Result<PathBuf> {
    let mut arguments = vec!["test", "--no-run", "--message-format", "json"];
    for package in packages {
        arguments.extend(["-p", package]);
    }
    let mut build = cargo(&arguments);
    build.current_dir(workspace).env("CARGO_TARGET_DIR", target());
    if workspace != root() {
        // One file changes from bug to bug.
        build.env("CARGO_INCREMENTAL", "1");
    }
    let told = crate::command::run_quiet(&mut build)?;
    let mut programs = told.lines().filter_map(|line| {
        let message: Json = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"] == true && message["target"]["name"] == name;
        is_test.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    programs.next_back().ok_or_else(|| anyhow!("cargo did not say where the tests of \"{name}\" lie"))
}

// Planted bugs.

/// A bug to plant.
struct Bug {
    title: String,
    file: PathBuf,
    /// The properties that may catch it, as `P1`.
    caught_by: Vec<String>,
    find: String,
    replace: String,
}

impl Bug {
    fn read(path: &Path) -> Result<Bug> {
        let text = std::fs::read_to_string(path)?;
        let wrong = || anyhow!("{} is not the description of a bug", path.display());
        let head = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim().to_owned()).ok_or_else(wrong)
        };
        let (_, rest) = text.split_once("--- find\n").ok_or_else(wrong)?;
        let (find, rest) = rest.split_once("\n--- replace\n").ok_or_else(wrong)?;
        let (replace, _) = rest.split_once("\n--- end").ok_or_else(wrong)?;
        Ok(Bug {
            title: head("title:")?,
            file: PathBuf::from(head("file:")?),
            caught_by: head("caught by:")?.split(' ').map(str::to_owned).collect(),
            find: find.to_owned(),
            replace: replace.to_owned(),
        })
    }
}

impl Bug {
    /// Reads the file that it is planted in, and looks whether it fits.
    fn read_sound(&self, copy: &Path) -> Result<String> {
        let place = self.file.display();
        let sound = std::fs::read_to_string(copy.join(&self.file)).with_context(|| format!("{place} is gone"))?;
        if sound.matches(&self.find).count() != 1 {
            bail!("the bug \"{}\" no longer fits {place}: say anew what is to be found there", self.title);
        }
        Ok(sound)
    }
}

fn planted(simulation: &Simulation, bugs: &[Bug]) -> Result<()> {
    let name = simulation.name;
    let copy = copy(simulation)?;
    // Nobody waits for an hour to hear that the last one fits no more.
    bugs.iter().try_for_each(|bug| bug.read_sound(&copy).map(drop))?;
    eprintln!("without a bug, nothing is caught:");
    let sound = live_with(name, &copy, 20)?;
    if let Some(caught) = sound {
        bail!("the simulation of the copy fails without a bug: {}", caught.what);
    }
    let (mut table, mut missed) = (Vec::new(), 0);
    for bug in bugs {
        let start = Instant::now();
        let line = match plant(simulation, &copy, bug)? {
            Some(caught) => {
                let seconds = start.elapsed().as_secs();
                // Two threads live; which of their seeds breaks first is not ours to say.
                let is_expected = bug.caught_by.iter().any(|property| caught.what.starts_with(property));
                let unlike = if is_expected { String::new() } else { format!(", not {}", bug.caught_by.join(" ")) };
                let Caught { seeds, what } = caught;
                format!("{:<58} caught after {seeds:>3} seeds by {what}{unlike} ({seconds} s)", bug.title)
            }
            None => {
                missed += 1;
                format!("{:<58} NOT CAUGHT in {} seeds", bug.title, simulation.seeds_planted)
            }
        };
        eprintln!("{line}");
        table.push(line);
    }
    eprintln!("\nplanted bugs\n{}", table.join("\n"));
    if missed > 0 {
        bail!("{missed} of {} planted bugs are not caught", bugs.len());
    }
    Ok(())
}

/// How a bug was caught.
struct Caught {
    /// Lives that were lived to their end before.
    seeds: u64,
    /// The property.
    what: String,
}

/// Plants a bug, lives, and takes the bug out again.
fn plant(simulation: &Simulation, copy: &Path, bug: &Bug) -> Result<Option<Caught>> {
    let file = copy.join(&bug.file);
    let sound = bug.read_sound(copy)?;
    std::fs::write(&file, sound.replace(&bug.find, &bug.replace))?;
    let lived = live_with(simulation.name, copy, simulation.seeds_planted)
        .with_context(|| format!("with the bug \"{}\"", bug.title));
    std::fs::write(&file, sound)?;
    lived
}

fn live_with(name: &str, copy: &Path, seeds: u64) -> Result<Option<Caught>> {
    let program = build(name, &[name], copy)?;
    let mut lives = lives(&program, name);
    let output = lives.arg("no_life").env("LOOPWRIGHT_TEST_SEEDS", seeds.to_string()).output()?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let what = text.lines().find_map(|line| line.strip_prefix("broken "));
    let what = what.and_then(|line| line.split(':').next()).map(str::to_owned);
    let lived = text.lines().find_map(|line| line.strip_prefix("a life broke a promise, after "));
    let lived = lived.and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let (Some(what), Some(seeds)) = (what, lived) else {
        bail!("the simulation ended in a way that nobody expected:\n{}{text}", String::from_utf8_lossy(&output.stdout));
    };
    Ok(Some(Caught { seeds: seeds + 1, what }))
}

/// Copies some crates into a workspace of their own. Files that have not
/// changed are left alone, so that nothing is built without need.
fn copy(simulation: &Simulation) -> Result<PathBuf> {
    let copy = target().join("planted").join(simulation.name);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let crates = simulation.copied.iter().filter(|path| path.starts_with("crates/"));
    let members: Vec<String> = crates.map(|path| format!("\"{path}\"")).collect();
    let members = format!("members = [{}]", members.join(", "));
    // Cargo tells crates of the same name and version apart by their place in
    // the workspace only. With another version what is built here, bugs and
    // all, is never taken for what is built there.
    let version = format!("version = \"0.0.0-planted-{}\"", simulation.name);
    let line = |line: &str| match line {
        line if line.starts_with("members = [") => members.clone(),
        line if line.starts_with("version = ") => version.clone(),
        line => line.to_owned(),
    };
    let manifest = manifest.lines().map(line).collect::<Vec<_>>().join("\n");
    if !manifest.contains(&members) || !manifest.contains(&version) {
        bail!("Cargo.toml names the members or the version of the workspace in another way than expected");
    }
    std::fs::create_dir_all(&copy)?;
    write(&copy.join("Cargo.toml"), manifest.as_bytes())?;
    std::fs::copy(root().join("Cargo.lock"), copy.join("Cargo.lock"))?;
    std::fs::copy(root().join("rust-toolchain.toml"), copy.join("rust-toolchain.toml"))?;
    for path in simulation.copied {
        copy_folder(&root().join(path), &copy.join(path))?;
    }
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            write(&to, &std::fs::read(&from)?)?;
        }
    }
    // What is gone in the original is gone in the copy.
    for entry in std::fs::read_dir(to)? {
        let path = entry?.path();
        if !from.join(path.file_name().context("a file has a name")?).exists() {
            if path.is_dir() { std::fs::remove_dir_all(&path)? } else { std::fs::remove_file(&path)? }
        }
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|before| before == content) {
        return Ok(());
    }
    Ok(std::fs::write(path, content)?)
}
