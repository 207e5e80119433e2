//! `flow`: what can be said of a flow's file without a server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use flows::Severity;
use flows::coverage::coverage;
use flows::program::Program;
use serde_json::json;

use super::say;

/// Check flows in files, without a server.
#[derive(Args)]
pub(crate) struct FlowFlags {
    #[command(subcommand)]
    verb: FlowVerb,
}

#[derive(Subcommand)]
enum FlowVerb {
    /// Read flows and tell what would not run, and what may run otherwise than meant.
    ///
    /// Ends with 0 if all of them can run.
    Lint {
        /// Blueprints in JSON, or flows in YAML.
        files: Vec<PathBuf>,
        /// List the modules and functions of the original engine that are here, and those that are not.
        #[arg(long)]
        coverage: bool,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(flags: FlowFlags) -> Result<()> {
    let FlowVerb::Lint { files, coverage, json } = flags.verb;
    if files.is_empty() && !coverage {
        bail!("which files? loopwright flow lint FILE…, or --coverage");
    }
    let read = files.iter().map(|file| Ok((file.as_path(), Program::compile(&text_of(file)?))));
    let read = read.collect::<Result<Vec<_>>>()?;
    if json {
        say(&serde_json::to_string_pretty(&as_json(&read, coverage))?);
    } else {
        let told = read.iter().flat_map(|(file, program)| lines(file, program));
        let covered = coverage.then(coverage_lines).into_iter().flatten();
        told.chain(covered).for_each(|line| say(&line));
    }
    let is_broken =
        |program: &Result<Program, String>| program.as_ref().map_or(true, |it| it.errors().next().is_some());
    match read.iter().filter(|(_, program)| is_broken(program)).count() {
        0 => Ok(()),
        broken => bail!("{broken} of {} would not run", read.len()),
    }
}

fn text_of(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn lines(file: &Path, program: &Result<Program, String>) -> Vec<String> {
    let file = file.display();
    let program = match program {
        Ok(program) => program,
        Err(problem) => return vec![format!("{file}: cannot be read: {problem}")],
    };
    let modules = program.steps.len();
    let mut lines = vec![format!("{file}: \"{}\", {modules} modules, {} notices", program.name, program.notices.len())];
    lines.extend(program.notices.iter().map(|notice| format!("  {}: {notice}", word(notice.severity))));
    lines
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn coverage_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for covered in coverage() {
        let (here, all) = (covered.here.len(), covered.here.len() + covered.absent.len());
        lines.push(format!("{}: {here} of {all}", covered.of));
        lines.extend(covered.absent.iter().map(|name| format!("  absent: {name}")));
    }
    lines
}

fn as_json(read: &[(&Path, Result<Program, String>)], with_coverage: bool) -> serde_json::Value {
    let flow = |(file, program): &(&Path, Result<Program, String>)| match program {
        Ok(program) => json!({
            "file": file, "name": program.name, "modules": program.steps.len(), "notices": program.notices,
        }),
        Err(problem) => json!({ "file": file, "problem": problem }),
    };
    let flows: Vec<_> = read.iter().map(flow).collect();
    let covered = coverage().map(|covered| {
        let (here, absent) = (covered.here, covered.absent);
        json!({ "of": covered.of, "here": here, "absent": absent })
    });
    if with_coverage { json!({ "flows": flows, "coverage": covered }) } else { json!({ "flows": flows }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lines(Path::new("f.yaml"), &Program::compile(text)), expected);
    }

    #[test]
    fn what_would_not_run_is_told_with_its_place() {
        check(
            "name: Late\nflow:\n  - { id: 1, module: \"loopwright:Manual\" }\n  - { id: 2, module: \"slack:CreateMessage\", \
             mapper: { text: \"{{run_id}}\" } }\n",
            &[
                "f.yaml: \"Late\", 2 modules, 2 notices",
                "  error: module 2: module \"slack:CreateMessage\" does not exist here",
                "  warning: module 2, mapper.text: \"run_id\" stands for nothing: write {{1.run_id}}",
            ],
        );
        let told = lines(Path::new("f.json"), &Program::compile("{"));
        assert!(told[0].starts_with("f.json: cannot be read: "), "{told:?}");
    }
}
