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

/// Simulations that exist: the crate, and the crates that its bugs are planted in.
const SIMULATIONS: [(&str, &[&str]); 1] = [("events", &["base", "egress", "faulty-disk", "events"])];

/// Seeds of a change, and of a long run.
const SEEDS: u64 = 2_000;
const SEEDS_LONG: u64 = 30_000;
/// A planted bug that so many seeds do not catch is not caught.
const SEEDS_PLANTED: u64 = 600;

/// What a person asked for.
pub(crate) struct Asked {
    pub(crate) seed: Option<u64>,
    pub(crate) seeds: Option<u64>,
    pub(crate) planted: bool,
}

/// Runs a simulation; without a name, lists what there is.
pub(crate) fn run(name: Option<&str>, asked: &Asked) -> Result<()> {
    let Some(name) = name else {
        for (name, _) in SIMULATIONS {
            eprintln!("{name}");
        }
        return Ok(());
    };
    let Some((name, crates)) = SIMULATIONS.iter().find(|(known, _)| *known == name) else {
        bail!("there is no simulation \"{name}\"; `cargo xtask sim` lists them");
    };
    if asked.planted {
        return planted(name, crates);
    }
    if let Some(seed) = asked.seed {
        let program = build(name, &[name], &root())?;
        let mut life = lives(&program, name);
        life.arg("no_life").env("LOOPWRIGHT_TEST_SEED", seed.to_string());
        return crate::command::run(&mut life);
    }
    let postgres = Postgres::start().map_err(|error| eprintln!("on SQLite only: {error:#}")).ok();
    let url = postgres.as_ref().map(|server| server.url.as_str());
    all_seeds(name, &[name], asked.seeds.unwrap_or(SEEDS), url)
}

/// The step of `cargo xtask test`. `packages` are built together, as the tests
/// were before, so that nothing is built twice.
pub(crate) fn step(packages: &[&str], postgres_url: Option<&str>, long: bool) -> Result<()> {
    for (name, _) in SIMULATIONS {
        all_seeds(name, packages, if long { SEEDS_LONG } else { SEEDS }, postgres_url)?;
    }
    Ok(())
}

/// The step of `cargo xtask test` for the planted bugs.
pub(crate) fn planted_step() -> Result<()> {
    SIMULATIONS.iter().try_for_each(|(name, crates)| planted(name, crates))
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

fn planted(name: &str, crates: &[&str]) -> Result<()> {
    let folder = root().join("crates").join(name).join("planted");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let bugs = paths.iter().map(|path| Bug::read(path)).collect::<Result<Vec<_>>>()?;
    let copy = copy(crates)?;
    eprintln!("without a bug, nothing is caught:");
    let sound = live_with(name, &copy, 20)?;
    if let Some(caught) = sound {
        bail!("the simulation of the copy fails without a bug: {}", caught.what);
    }
    let (mut table, mut missed) = (Vec::new(), 0);
    for bug in &bugs {
        let start = Instant::now();
        let line = match plant(name, &copy, bug)? {
            Some(caught) => {
                let seconds = start.elapsed().as_secs();
                if !bug.caught_by.iter().any(|property| caught.what.starts_with(property)) {
                    missed += 1;
                }
                format!("{:<58} caught after {:>3} seeds by {} ({seconds} s)", bug.title, caught.seeds, caught.what)
            }
            None => {
                missed += 1;
                format!("{:<58} NOT CAUGHT in {SEEDS_PLANTED} seeds", bug.title)
            }
        };
        eprintln!("{line}");
        table.push(line);
    }
    eprintln!("\nplanted bugs\n{}", table.join("\n"));
    if missed > 0 {
        bail!("{missed} of {} planted bugs are not caught, or by another property than expected", bugs.len());
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
fn plant(name: &str, copy: &Path, bug: &Bug) -> Result<Option<Caught>> {
    let file = copy.join(&bug.file);
    let sound = std::fs::read_to_string(&file).with_context(|| format!("{} is gone", bug.file.display()))?;
    if sound.matches(&bug.find).count() != 1 {
        bail!("the bug \"{}\" no longer fits {}: say anew what is to be found there", bug.title, bug.file.display());
    }
    std::fs::write(&file, sound.replace(&bug.find, &bug.replace))?;
    let lived = live_with(name, copy, SEEDS_PLANTED).with_context(|| format!("with the bug \"{}\"", bug.title));
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
fn copy(crates: &[&str]) -> Result<PathBuf> {
    let copy = target().join("planted");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let members: Vec<String> = crates.iter().map(|name| format!("\"crates/{name}\"")).collect();
    let members = format!("members = [{}]", members.join(", "));
    let line = |line: &str| if line.starts_with("members = [") { members.clone() } else { line.to_owned() };
    let manifest = manifest.lines().map(line).collect::<Vec<_>>().join("\n");
    if !manifest.contains(&members) {
        bail!("Cargo.toml names the members of the workspace in another way than expected");
    }
    std::fs::create_dir_all(&copy)?;
    write(&copy.join("Cargo.toml"), manifest.as_bytes())?;
    std::fs::copy(root().join("Cargo.lock"), copy.join("Cargo.lock"))?;
    std::fs::copy(root().join("rust-toolchain.toml"), copy.join("rust-toolchain.toml"))?;
    for name in crates {
        let _ = std::fs::create_dir_all(copy.join("crates"));
        copy_folder(&root().join("crates").join(name), &copy.join("crates").join(name))?;
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
