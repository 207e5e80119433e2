//! The house rules that a program can check.
//!
//! They are statements of absence: which crate must not know which, who alone
//! may speak to a database or to Arrow, who alone writes a table. A rule that
//! is only written down is forgotten; one that fails a build is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::command::{cargo, root, run_quiet};

/// Which of our crates a crate may use, besides `base`, which all may.
const ARROWS: [(&str, &[&str]); 14] = [
    ("base", &[]),
    ("egress", &[]),
    // Nobody lists it: it is for tests, and what tests use is not looked at.
    ("faulty-disk", &[]),
    // They only measure.
    ("bench", &["pools", "events", "mining"]),
    ("bench-flows", &["egress", "flows"]),
    ("access", &[]),
    ("pools", &[]),
    ("events", &[]),
    ("flows", &[]),
    ("workspace", &[]),
    ("mining", &["pools", "events"]),
    ("lake", &["pools"]),
    ("api", &["access", "pools", "events", "flows", "workspace", "mining"]),
    ("loopwright", &["egress", "access", "pools", "events", "flows", "workspace", "mining", "lake", "api"]),
];

/// Which crates alone may use an outside package. A name that ends in `*`
/// stands for all that begin so.
const RESERVED: [(&str, &[&str]); 8] = [
    // What `bench-flows` compares us with is written without our waist.
    ("rusqlite", &["base", "faulty-disk", "bench-flows"]),
    ("tokio-postgres", &["base"]),
    ("arrow*", &["lake"]),
    ("parquet", &["lake"]),
    ("deltalake*", &["lake"]),
    ("datafusion*", &["lake"]),
    ("axum", &["api", "loopwright"]),
    ("reqwest", &[]),
];

/// Names that attract everything and explain nothing.
const JUNK_ROOMS: [&str; 6] = ["utils", "util", "common", "helper", "helpers", "manager"];

/// Checks all rules and reports every breach at once.
pub(crate) fn check() -> Result<()> {
    let house = House::read()?;
    let mut breaches = Vec::new();
    breaches.extend(arrows(&house));
    breaches.extend(reserved(&house));
    breaches.extend(features(&house));
    breaches.extend(lints(&house)?);
    breaches.extend(tables(&house)?);
    breaches.extend(names(&house)?);
    breaches.extend(map(&house)?);
    if breaches.is_empty() {
        eprintln!("the house rules hold for {} crates", house.crates.len());
        return Ok(());
    }
    bail!("house rules are broken:\n  {}", breaches.join("\n  "))
}

/// Our crates as cargo sees them.
struct House {
    crates: BTreeMap<String, Member>,
}

struct Member {
    folder: PathBuf,
    /// What it is built with, tests left aside.
    uses: Vec<String>,
    features: Vec<String>,
}

impl House {
    fn read() -> Result<Self> {
        let text = run_quiet(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
        let metadata: Json = serde_json::from_str(&text).context("cargo metadata is JSON")?;
        let mut crates = BTreeMap::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let name = package["name"].as_str().unwrap_or_default().to_owned();
            if name == "xtask" {
                continue;
            }
            let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let uses = dependencies
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
                .collect();
            let features =
                package["features"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
            let folder = manifest.parent().context("a manifest lies in a folder")?.to_owned();
            crates.insert(name, Member { folder, uses, features });
        }
        Ok(House { crates })
    }
}

fn files(member: &Member, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(&member.folder, ending, &mut found)?;
    Ok(found)
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, ending, found)?;
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    Ok(())
}

fn arrows(house: &House) -> Vec<String> {
    let mut breaches = Vec::new();
    let planned: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let ours: Vec<&str> = house.crates.keys().map(String::as_str).collect();
    for name in &ours {
        if !planned.contains(name) {
            breaches.push(format!("crate \"{name}\" has no place in the plan of the house"));
        }
    }
    for (name, allowed) in ARROWS {
        let Some(member) = house.crates.get(name) else {
            breaches.push(format!("crate \"{name}\" of the plan does not exist"));
            continue;
        };
        for used in member.uses.iter().filter(|used| ours.contains(&used.as_str())) {
            if used != "base" && !allowed.contains(&used.as_str()) {
                breaches.push(format!("\"{name}\" must not know \"{used}\""));
            }
        }
    }
    breaches
}

fn reserved(house: &House) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, member) in &house.crates {
        for (package, homes) in RESERVED {
            let matches = |used: &&String| match package.strip_suffix('*') {
                Some(start) => used.starts_with(start),
                None => used.as_str() == package,
            };
            if !homes.contains(&name.as_str())
                && let Some(used) = member.uses.iter().find(matches)
            {
                breaches.push(format!("\"{name}\" must not use \"{used}\": its home is {homes:?}"));
            }
        }
    }
    breaches
}

fn features(house: &House) -> Vec<String> {
    let with = house.crates.iter().filter(|(_, member)| !member.features.is_empty());
    with.map(|(name, _)| format!("\"{name}\" has cargo features; variation is configuration or a trait object"))
        .collect()
}

/// Every crate keeps the lints of the workspace, which forbid `unsafe`. Only the
/// disk that fails on purpose cannot: SQLite asks for C functions.
fn lints(house: &House) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for (name, member) in house.crates.iter().filter(|(name, _)| *name != "faulty-disk") {
        let manifest = std::fs::read_to_string(member.folder.join("Cargo.toml"))?;
        if !manifest.contains("[lints]\nworkspace = true") {
            breaches.push(format!("\"{name}\" has not the lints of the workspace"));
        }
    }
    Ok(breaches)
}

/// A table is written by exactly the crate whose migrations make it.
fn tables(house: &House) -> Result<Vec<String>> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut breaches = Vec::new();
    for (name, member) in &house.crates {
        for file in files(member, "sql")? {
            let sql = std::fs::read_to_string(&file)?;
            for table in words_after(&sql, &["CREATE TABLE IF NOT EXISTS ", "CREATE TABLE "]) {
                if let Some(other) = owners.insert(table.clone(), name.clone())
                    && other != *name
                {
                    breaches.push(format!("table \"{table}\" is made by \"{other}\" and by \"{name}\""));
                }
            }
        }
    }
    for (name, member) in &house.crates {
        for file in files(member, "rs")? {
            let code = std::fs::read_to_string(&file)?;
            for table in words_after(&code, &["INSERT INTO ", "UPDATE ", "DELETE FROM "]) {
                if let Some(owner) = owners.get(&table).filter(|owner| *owner != name) {
                    breaches.push(format!("{}: \"{name}\" writes table \"{table}\" of \"{owner}\"", shown(&file)));
                }
            }
        }
    }
    Ok(breaches)
}

/// Returns the names that stand after one of some phrases.
fn words_after(text: &str, phrases: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for phrase in phrases {
        for (place, _) in text.match_indices(phrase) {
            let rest = &text[place + phrase.len()..];
            let word: String =
                rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "_-".contains(*letter)).collect();
            if !word.is_empty() {
                words.push(word);
            }
        }
    }
    words
}

fn names(house: &House) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for member in house.crates.values() {
        for file in files(member, "rs")? {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if JUNK_ROOMS.contains(&stem.as_str()) {
                breaches.push(format!("{}: \"{stem}\" is a junk room, not a chapter", shown(&file)));
            }
        }
    }
    Ok(breaches)
}

/// The map names every crate, and no crate that is gone.
fn map(house: &House) -> Result<Vec<String>> {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).context("ARCHITECTURE.md is the map")?;
    let missing = house.crates.iter().filter(|(name, member)| {
        let folder = if member.folder.starts_with(root().join("crates")) { "crates/" } else { "" };
        !map.contains(&format!("`{folder}{name}`"))
    });
    let mut breaches: Vec<String> =
        missing.map(|(name, _)| format!("ARCHITECTURE.md does not name `crates/{name}`")).collect();
    for named in words_after(&map, &["`crates/"]) {
        if !house.crates.contains_key(&named) {
            breaches.push(format!("ARCHITECTURE.md names `crates/{named}`, which does not exist"));
        }
    }
    Ok(breaches)
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_rules_hold() {
        check().expect("every rule holds; the text lists what does not");
    }

    fn house(name: &str, uses: &[&str]) -> House {
        let mut crates = BTreeMap::new();
        for (known, _) in ARROWS {
            let uses = if known == name { uses.iter().map(|used| (*used).to_owned()).collect() } else { Vec::new() };
            crates.insert(known.to_owned(), Member { folder: root(), uses, features: Vec::new() });
        }
        House { crates }
    }

    #[test]
    fn an_arrow_that_points_up_is_a_breach() {
        assert_eq!(arrows(&house("events", &["base", "serde"])), Vec::<String>::new());
        assert_eq!(arrows(&house("events", &["mining"])), ["\"events\" must not know \"mining\""]);
        assert_eq!(arrows(&house("api", &["lake"])), ["\"api\" must not know \"lake\""]);
    }

    #[test]
    fn a_package_outside_its_home_is_a_breach() {
        assert_eq!(reserved(&house("lake", &["arrow-array"])), Vec::<String>::new());
        assert_eq!(
            reserved(&house("mining", &["arrow-array"])),
            ["\"mining\" must not use \"arrow-array\": its home is [\"lake\"]"]
        );
        assert_eq!(reserved(&house("flows", &["axum"])).len(), 1);
    }

    #[test]
    fn names_stand_after_phrases() {
        assert_eq!(
            words_after("DELETE FROM notes; x UPDATE jobs SET", &["DELETE FROM ", "UPDATE "]),
            ["notes", "jobs"]
        );
    }
}
