//! `flow lint`: what can be said of a flow's file without a server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use flows::Severity;
use flows::coverage::coverage;
use flows::lint::{Remark, Report, lint};
use serde_json::json;

use crate::cli::say;

/// Read flows and tell what would not run, and what may run otherwise than meant.
///
/// Needs no server. Ends with 0 if all of them can run.
#[derive(Args)]
pub(super) struct LintFlags {
    /// Blueprints in JSON, or flows in YAML.
    files: Vec<PathBuf>,
    /// List the modules and functions of the original engine that are here, and those that are not.
    #[arg(long)]
    coverage: bool,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: LintFlags) -> Result<()> {
    let LintFlags { files, coverage, json } = flags;
    if files.is_empty() && !coverage {
        bail!("which files? loopwright flow lint FILE…, or --coverage");
    }
    let read = files.iter().map(|file| Ok((file.as_path(), lint(&text_of(file)?))));
    let read = read.collect::<Result<Vec<_>>>()?;
    if json {
        say(&serde_json::to_string_pretty(&as_json(&read, coverage))?);
    } else {
        let told = read.iter().flat_map(|(file, report)| lines(file, report));
        let covered = coverage.then(coverage_lines).into_iter().flatten();
        told.chain(covered).for_each(|line| say(&line));
    }
    match read.iter().filter(|(_, report)| report.is_broken()).count() {
        0 => Ok(()),
        broken => bail!("{broken} of {} would not run", read.len()),
    }
}

fn text_of(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn lines(file: &Path, report: &Report) -> Vec<String> {
    let file = file.display();
    let mut lines = match &report.problem {
        Some(problem) => vec![format!("{file}: cannot be read: {problem}")],
        None => {
            let (name, modules, notices) = (&report.name, report.modules, report.remarks.len());
            vec![format!("{file}: \"{name}\", {modules} modules, {notices} notices")]
        }
    };
    lines.extend(report.remarks.iter().map(line));
    lines
}

fn line(remark: &Remark) -> String {
    let place = remark.place.map_or_else(String::new, |place| format!("{}:{}: ", place.line, place.column));
    format!("  {place}{}: {}", word(remark.notice.severity), remark.notice)
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

fn as_json(read: &[(&Path, Report)], with_coverage: bool) -> serde_json::Value {
    let flow = |(file, report): &(&Path, Report)| {
        let mut flow = json!({
            "file": file, "name": report.name, "modules": report.modules, "notices": report.remarks,
            "secrets": report.literals,
        });
        if let Some(problem) = &report.problem {
            flow["problem"] = problem.as_str().into();
        }
        flow
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
        assert_eq!(lines(Path::new("f.yaml"), &lint(text)), expected);
    }

    #[test]
    fn what_would_not_run_is_told_with_its_place() {
        check(
            "name: Late\nflow:\n  - { id: 1, module: \"loopwright:Manual\" }\n  - { id: 2, module: \"acme:Do\", \
             mapper: { text: \"{{run_id}}\" } }\n",
            &[
                "f.yaml: \"Late\", 2 modules, 2 notices",
                "  4:5: warning: module 2: module \"acme:Do\" does not exist here: a run fails when it comes to it",
                "  4:43: warning: module 2, mapper.text: \"run_id\" stands for nothing: write {{1.run_id}}",
            ],
        );
        check(
            r#"{"name": "In", "flow": [
                {"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": 77}},
                {"id": 2, "module": "http:ActionSendDataBasicAuth", "version": 3, "parameters": {"key": 34}, "mapper": {"url": "https://x.example", "method": "get"}}
            ]}"#,
            &[
                "f.yaml: \"In\", 2 modules, 2 notices",
                "  2:77: warning: module 1, parameters.hook: \"hook:77\" is of the place where the flow was drawn, so the flow gets a \
                 hook of its own name; `loopwright flow map hook:77 HOOK` lets it take from another one",
                "  3:98: warning: module 2, parameters.key: \"key:34\" is of the place where the flow was drawn: make a connection, \
                 then map it by `loopwright flow map key:34 CONNECTION`",
            ],
        );
        let told = lines(Path::new("f.json"), &lint("{"));
        assert!(told[0].starts_with("f.json: cannot be read: "), "{told:?}");
    }
}
