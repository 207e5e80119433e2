//! `flow test`: the cases in flows' files, played without a server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use flows::cases::{Report, Verdict, play};
use flows::program::Structures;
use flows::semantics::Semantics;
use flows::{OperationStatus, Structure};
use serde_json::{Value as Json, json};

use super::super::say;

/// Play the cases that stand in flows' files, against a script instead of the world.
///
/// Cases stand under `tests` in a flow's file, or in a file beside it: of order.blueprint.json or order.yaml that is
/// order.tests.yaml. Needs no server, no connection and no time. Ends with 0 if all cases hold.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright flow test flows/\n  \
                        loopwright flow test order.blueprint.json --case refused --trace")]
pub(super) struct TestFlags {
    /// Flows, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only cases whose name holds this.
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Also say what happened in cases that hold.
    #[arg(long)]
    trace: bool,
    /// A data structure that flows name, as `structures show` prints it.
    #[arg(long = "structure", value_name = "NAME=FILE")]
    structures: Vec<String>,
    /// The answer as JSON, one line per flow.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(flags: TestFlags) -> Result<()> {
    let structures = flags.structures.iter().map(|given| structure(given)).collect::<Result<Structures>>()?;
    let wanted = |verdict: &Verdict| flags.case.as_ref().is_none_or(|part| verdict.case.contains(part.as_str()));
    let (mut cases, mut failed) = (0, 0);
    for file in files(&flags.paths)? {
        let text = read(&file)?;
        let beside = beside(&file).filter(|beside| beside.exists());
        let beside_text = beside.as_deref().map(read).transpose()?;
        let played = play(&text, beside_text.as_deref(), &structures, &Semantics::default()).await;
        let mut report = match played {
            Ok(report) => report,
            Err(problem) => {
                failed += 1;
                if flags.json {
                    say(&json!({"file": file, "problem": problem}).to_string());
                } else {
                    say(&format!("{}: cannot be read: {problem}", file.display()));
                }
                continue;
            }
        };
        report.verdicts.retain(wanted);
        cases += report.verdicts.len();
        failed += report.verdicts.iter().filter(|verdict| !verdict.holds()).count();
        if flags.json {
            let mut told = serde_json::to_value(&report)?;
            told["file"] = json!(file);
            say(&told.to_string());
        } else {
            for line in lines(&file, &report, flags.trace, flags.case.is_none()) {
                say(&line);
            }
        }
    }
    match (cases, failed) {
        (0, 0) => {
            bail!("there is no case: write some under \"tests\" in a flow, as docs/reference/flow-tests.md shows")
        }
        (_, 0) => Ok(()),
        _ => bail!("{failed} of {} do not hold", if cases == 1 { "1 case".into() } else { format!("{cases} cases") }),
    }
}

fn structure(given: &str) -> Result<(String, Structure)> {
    let (name, file) = given.split_once('=').with_context(|| format!("\"{given}\" is not NAME=FILE"))?;
    let text = read(Path::new(file))?;
    let document: Json = serde_saphyr::from_str(&text).with_context(|| format!("{file} cannot be read"))?;
    let structure = Structure::read(&document).map_err(anyhow::Error::msg).with_context(|| file.to_owned())?;
    Ok((name.to_owned(), structure))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Returns the files that are named, and of folders the flows in them, in the
/// order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        in_folder(path, &mut found)?;
        ensure!(found.len() > before, "{} holds no flow", path.display());
    }
    Ok(found)
}

fn in_folder(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            in_folder(&path, found)?;
        } else if is_flow(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Tells whether a file in a folder is a flow: other files may lie beside it.
fn is_flow(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_text = [".json", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    let is_cases = name.ends_with(".tests.yaml");
    is_text && !is_cases && read(file).is_ok_and(|text| flows::blueprint::Blueprint::read(&text).is_ok())
}

/// Returns where cases of a flow may lie that shall not stand in its own file.
fn beside(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let stem = [".json", ".yaml", ".yml"].iter().find_map(|ending| name.strip_suffix(ending))?;
    let stem = stem.strip_suffix(".blueprint").unwrap_or(stem);
    Some(file.with_file_name(format!("{stem}.tests.yaml")))
}

fn lines(file: &Path, report: &Report, trace: bool, is_whole: bool) -> Vec<String> {
    let (all, held) = (report.verdicts.len(), report.verdicts.iter().filter(|verdict| verdict.holds()).count());
    let mut lines = vec![match all {
        0 => format!("{}: no cases", file.display()),
        _ => format!("{}: {held} of {all} cases hold", file.display()),
    }];
    for verdict in &report.verdicts {
        lines.push(format!("  {} {}", if verdict.holds() { "ok     " } else { "differs" }, verdict.case));
        lines.extend(verdict.differences.iter().map(|difference| format!("            {difference}")));
        if trace || !verdict.holds() {
            lines.extend(happened(verdict).into_iter().map(|line| format!("          | {line}")));
        }
    }
    if is_whole && all > 0 && !report.untouched.is_empty() {
        let ids: Vec<_> = report.untouched.iter().map(ToString::to_string).collect();
        lines.push(format!("  no case comes to module {}", ids.join(", ")));
    }
    lines
}

/// Says what happened in a case, an operation per line.
fn happened(verdict: &Verdict) -> Vec<String> {
    let line = |operation: &flows::Operation| {
        let status = match (operation.status, operation.status_code) {
            (OperationStatus::Success, None) => "ok".to_owned(),
            (OperationStatus::Success | OperationStatus::Warning, Some(code)) => code.to_string(),
            (status, _) => format!("{status:?}").to_lowercase(),
        };
        let path = if operation.path.is_empty() { String::new() } else { format!(" @{}", operation.path) };
        let detail = operation.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let output: Vec<_> = operation.output.iter().map(ToString::to_string).collect();
        let output: String = output.join(" ").chars().take(160).collect();
        format!("{} {}{path} {status}{detail} {output}", operation.module, operation.kind).trim_end().to_owned()
    };
    let mut lines: Vec<String> = verdict.operations.iter().map(line).collect();
    if let Some(outcome) = verdict.outcome {
        let reason = verdict.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(format!("{}{reason}", outcome.word()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const FLOW: &str = "name: Ask\nflow:\n  - { id: 1, module: \"loopwright:Manual\" }\n  - { id: 2, module: \
                        \"http:ActionSendData\", mapper: { url: \"https://x.example/{{1.a}}\", method: get } }\n";

    #[tokio::test]
    async fn a_report_says_what_holds_what_differs_and_what_happened() {
        let cases = "tests:\n  - { name: fine, start: { a: 1 }, answers: { 2: { status: 200 } } }\n  \
                     - { name: refused, answers: { 2: { status: 403, body: { message: no } } } }\n  \
                     - { name: never asked, start: { a: b }, answers: { 2: { error: DataError } }, expect: { outcome: error } }\n";
        let report = play(FLOW, Some(cases), &Structures::new(), &Semantics::default()).await.expect("it can be read");
        expect![[r#"
            ask.yaml: 2 of 3 cases hold
              ok      fine
              differs refused
                        outcome: expected success, but it is warning: module 2 (http:ActionSendData) answered 403 and nothing in the flow looks at the status
                      | 1 loopwright:Manual ok {}
                      | 2 http:ActionSendData @1.1 403 {"statusCode":403,"headers":[{"name":"content-type","value":"application/json"}],"data":"{\"message\":\"no\"}","fileSize":16}
                      | warning: module 2 (http:ActionSendData) answered 403 and nothing in the flow looks at the status
              ok      never asked
        "#]]
        .assert_eq(&(lines(Path::new("ask.yaml"), &report, false, true).join("\n") + "\n"));
    }

    #[tokio::test]
    async fn the_examples_hold() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/action-flows");
        let flags = TestFlags { paths: vec![folder], case: None, trace: false, structures: Vec::new(), json: false };
        run(flags).await.expect("each case holds");
    }

    #[test]
    fn cases_lie_in_the_file_or_beside_it() {
        for (file, expected) in [
            ("a/order.yaml", "a/order.tests.yaml"),
            ("order.blueprint.json", "order.tests.yaml"),
            ("order.json", "order.tests.yaml"),
        ] {
            assert_eq!(beside(Path::new(file)), Some(expected.into()));
        }
    }

    #[test]
    fn of_a_folder_the_flows_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
        put("b.yaml", FLOW);
        put("a.blueprint.json", r#"{"flow": []}"#);
        put("b.tests.yaml", "tests: []");
        put("other.yaml", "spec: []");
        put("notes.md", FLOW);
        let found = files(&[folder.path().to_owned()]).expect("flows");
        let names: Vec<_> = found.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["a.blueprint.json", "b.yaml"]);
    }
}
