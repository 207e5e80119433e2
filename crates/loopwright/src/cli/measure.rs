//! `cases`, `throughput`, `activities` and `conformance`: what there is to count
//! about a process, on a terminal.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use http::Method;
use serde_json::Value as Json;

use super::explain::bar;
use super::explore::{Which, items, percent, span_words, text_of};
use super::short;
use super::table::Table;
use crate::client::segment;

/// List cases: when they began, how long they took, where they stand.
#[derive(Args)]
pub(crate) struct CasesFlags {
    /// The knowledge model: package.key.
    model: String,
    /// Only those of this variant; `loopwright variants` shows its id.
    #[arg(long, value_name = "ID")]
    variant: Option<String>,
    /// What comes first: start (the latest), duration, events or id.
    #[arg(long)]
    order: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    which: Which,
}

/// Show how long cases take, as a histogram.
#[derive(Args)]
pub(crate) struct ThroughputFlags {
    /// The knowledge model: package.key.
    model: String,
    /// Bins at most.
    #[arg(long, default_value_t = 24)]
    bins: usize,
    #[command(flatten)]
    which: Which,
}

/// Show each activity: how often, how fast, and how much of it is rework.
#[derive(Args)]
pub(crate) struct ActivitiesFlags {
    /// The knowledge model: package.key.
    model: String,
    #[command(flatten)]
    which: Which,
}

/// Compare cases with what is allowed, and list the deviations.
#[derive(Args)]
#[command(
    after_help = "The file names the allowed paths, in YAML or JSON:\n  variants:\n    - [Create, Approve, Pay]\n\
                        or the allowed steps:\n  start: [Create]\n  end: [Pay]\n  edges: [[Create, Approve], [Approve, Pay]]"
)]
pub(crate) struct ConformanceFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The file that says what is allowed.
    allowed: PathBuf,
    /// Deviations shown at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run_cases(flags: CasesFlags) -> Result<()> {
    let mut more = vec![("limit", flags.limit.to_string())];
    more.extend(flags.variant.clone().map(|variant| ("variant", variant)));
    more.extend(flags.order.clone().map(|order| ("order", order)));
    let mut page = flags.which.ask(&flags.model, "cases", &more).await?;
    if let Some(list) = page.get("cases").cloned() {
        // What counts the cases is called so in every answer but this one.
        page["list"] = list;
        page["cases"] = page["total"].clone();
    }
    flags.which.print(&page, cases_csv, case_lines)
}

pub(super) async fn run_throughput(flags: ThroughputFlags) -> Result<()> {
    let histogram = flags.which.ask(&flags.model, "throughput", &[("bins", flags.bins.to_string())]).await?;
    flags.which.print(&histogram, throughput_csv, throughput_lines)
}

pub(super) async fn run_activities(flags: ActivitiesFlags) -> Result<()> {
    let found = flags.which.ask(&flags.model, "activities", &[]).await?;
    flags.which.print(&found, activities_csv, activity_lines)
}

pub(super) async fn run_conformance(flags: ConformanceFlags) -> Result<()> {
    let file = &flags.allowed;
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let path = format!("/api/v1/models/{}/conformance?{}", segment(&flags.model), flags.which.query(&[]));
    let client = flags.which.client.client();
    let answer = client.call(Method::POST, &path, Some("application/yaml"), text.into()).await?;
    let found = answer.json(&Method::POST, &path)?;
    flags.which.print(&found, conformance_csv, |found| conformance_lines(found, flags.limit))
}

fn cells(one: &Json, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| text_of(&one[*name])).collect()
}

const CASE_COLUMNS: [&str; 7] = ["id", "start", "end", "duration", "events", "lastActivity", "variant"];

fn cases_csv(page: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    (CASE_COLUMNS.to_vec(), items(&page["list"]).iter().map(|one| cells(one, &CASE_COLUMNS)).collect())
}

fn case_lines(page: &Json) -> Vec<String> {
    let row = |one: &Json| {
        let mut row = cells(one, &CASE_COLUMNS);
        row[3] = span_words(&one["duration"]);
        row
    };
    let rows: Vec<Vec<String>> = items(&page["list"]).iter().map(row).collect();
    let head = [
        ("case", false),
        ("start", false),
        ("last event", false),
        ("took", true),
        ("events", true),
        ("last activity", false),
        ("variant", false),
    ];
    let mut lines = Table::of(&head, &rows);
    lines.push(format!("{} of {} cases", rows.len(), text_of(&page["total"])));
    lines
}

fn throughput_csv(histogram: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let columns = ["from", "to", "cases"];
    (columns.to_vec(), items(&histogram["bins"]).iter().map(|bin| cells(bin, &columns)).collect())
}

fn throughput_lines(histogram: &Json) -> Vec<String> {
    let took = &histogram["durations"];
    if took.is_null() {
        return vec!["no case, so there is nothing to count".to_owned()];
    }
    let words = |name: &str| span_words(&took[name]);
    let mut lines = vec![
        format!(
            "{} cases took {} in the median and {} in 95 of 100; {} at least, {} at most",
            text_of(&took["count"]),
            words("median"),
            words("p95"),
            words("min"),
            words("max")
        ),
        String::new(),
    ];
    let bins = items(&histogram["bins"]);
    let most = bins.iter().filter_map(|bin| bin["cases"].as_u64()).max().unwrap_or_default();
    let row = |bin: &Json| {
        let cases = bin["cases"].as_u64().unwrap_or_default();
        vec![span_words(&bin["from"]), span_words(&bin["to"]), cases.to_string(), bar(cases, most)]
    };
    let head = [("from", true), ("to", true), ("cases", true), ("", false)];
    lines.extend(Table::of(&head, &bins.iter().map(row).collect::<Vec<_>>()));
    lines
}

const ACTIVITY_COLUMNS: [&str; 9] =
    ["name", "events", "cases", "reworkCases", "reworkEvents", "selfLoops", "pingPongs", "eventsInCaseMax", "lastSeen"];

fn activities_csv(found: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    (ACTIVITY_COLUMNS.to_vec(), items(&found["activities"]).iter().map(|one| cells(one, &ACTIVITY_COLUMNS)).collect())
}

fn activity_lines(found: &Json) -> Vec<String> {
    let share = |part: &Json, whole: &Json| {
        let share = part.as_f64().zip(whole.as_f64()).filter(|(_, whole)| *whole > 0.0);
        percent(&share.map_or(Json::Null, |(part, whole)| (part / whole).into()))
    };
    let mut lines = vec![
        format!(
            "{} of {} cases have rework ({}); {} of {} events are repetitions",
            text_of(&found["reworkCases"]),
            text_of(&found["cases"]),
            share(&found["reworkCases"], &found["cases"]),
            text_of(&found["reworkEvents"]),
            text_of(&found["events"])
        ),
        String::new(),
    ];
    let row = |one: &Json| {
        let mut row = cells(one, &["name", "events", "cases"]);
        row.push(text_of(&one["reworkCases"]));
        row.push(share(&one["reworkCases"], &one["cases"]));
        row.extend(cells(one, &["selfLoops", "pingPongs", "eventsInCaseMax"]));
        row.extend(["median", "p95"].map(|name| span_words(&one["sojourn"][name])));
        row
    };
    let head = [
        ("activity", false),
        ("events", true),
        ("cases", true),
        ("with rework", true),
        ("share", true),
        ("self-loops", true),
        ("ping-pongs", true),
        ("most in a case", true),
        ("median to next", true),
        ("p95", true),
    ];
    lines.extend(Table::of(&head, &items(&found["activities"]).iter().map(row).collect::<Vec<_>>()));
    lines
}

const DEVIATION_COLUMNS: [&str; 5] = ["kind", "activity", "after", "cases", "occurrences"];

fn conformance_csv(found: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let rows = items(&found["deviations"]).iter().map(|one| cells(one, &DEVIATION_COLUMNS));
    (DEVIATION_COLUMNS.to_vec(), rows.collect())
}

/// Characters of examples that are shown.
const EXAMPLES_CHARS: usize = 40;

fn conformance_lines(found: &Json, limit: usize) -> Vec<String> {
    let text = |name: &str| text_of(&found[name]);
    let mut lines = vec![format!(
        "{} of {} cases keep to it ({}), in {} of {} variants; fitness {:.3}",
        text("casesFitting"),
        text("cases"),
        percent(&found["share"]),
        text("variantsFitting"),
        text("variants"),
        found["fitness"].as_f64().unwrap_or_default()
    )];
    let deviations = items(&found["deviations"]);
    if deviations.is_empty() {
        return lines;
    }
    lines.push(String::new());
    let row = |one: &Json| {
        let after = one["after"].as_str().map_or("▶".to_owned(), str::to_owned);
        let kind = if one["kind"] == "extra" { "too much" } else { "missing" };
        let examples: Vec<String> = items(&one["examples"]).iter().map(text_of).collect();
        vec![
            kind.to_owned(),
            text_of(&one["activity"]),
            after,
            text_of(&one["cases"]),
            text_of(&one["occurrences"]),
            short(&examples.join(", "), EXAMPLES_CHARS),
        ]
    };
    let rows: Vec<Vec<String>> = deviations.iter().take(limit).map(row).collect();
    let head = [
        ("what", false),
        ("activity", false),
        ("after", false),
        ("cases", true),
        ("times", true),
        ("such as case", false),
    ];
    lines.extend(Table::of(&head, &rows));
    if deviations.len() > limit {
        lines.push(format!("… and {} more: see --limit, --csv or --json", deviations.len() - limit));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_drawn() {
        let histogram = json!({
            "durations": { "count": 50, "median": 3_600_000, "p95": 7_200_000, "min": 60_000, "max": 9_000_000 },
            "bins": [{ "from": 0, "to": 3_600_000, "cases": 30 }, { "from": 3_600_000, "to": 7_200_000, "cases": 0 },
                     { "from": 7_200_000, "to": 10_800_000, "cases": 20 }],
        });
        expect![[r"
            50 cases took 1 h in the median and 2 h in 95 of 100; 1 min at least, 2 h 30 min at most

            from   to  cases
            ────  ───  ─────  ──────────────────────────────
               0  1 h     30  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
             1 h  2 h      0
             2 h  3 h     20  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇"]]
        .assert_eq(&throughput_lines(&histogram).join("\n"));
    }

    #[test]
    fn deviations_are_listed() {
        let found = json!({
            "cases": 10, "casesFitting": 7, "share": 0.7, "variants": 3, "variantsFitting": 1, "fitness": 0.91234,
            "deviations": [
                { "kind": "missing", "activity": "Approve", "after": "Create", "cases": 2, "occurrences": 2,
                  "examples": ["4", "9"] },
                { "kind": "extra", "activity": "Change", "after": null, "cases": 1, "occurrences": 3, "examples": ["5"] },
            ],
        });
        expect![[r"
            7 of 10 cases keep to it (70.0 %), in 1 of 3 variants; fitness 0.912

            what     activity  after   cases  times  such as case
            ───────  ────────  ──────  ─────  ─────  ────────────
            missing  Approve   Create      2      2  4, 9
            … and 1 more: see --limit, --csv or --json"]]
        .assert_eq(&conformance_lines(&found, 1).join("\n"));
    }

    #[test]
    fn activities_tell_their_rework() {
        let found = json!({
            "cases": 4, "reworkCases": 1, "events": 9, "reworkEvents": 2,
            "activities": [{ "name": "Change", "events": 5, "cases": 3, "reworkCases": 1, "selfLoops": 2, "pingPongs": 0,
                             "eventsInCaseMax": 3, "sojourn": { "median": 60_000, "p95": 120_000 } }],
        });
        expect![[r"
            1 of 4 cases have rework (25.0 %); 2 of 9 events are repetitions

            activity  events  cases  with rework   share  self-loops  ping-pongs  most in a case  median to next    p95
            ────────  ──────  ─────  ───────────  ──────  ──────────  ──────────  ──────────────  ──────────────  ─────
            Change         5      3            1  33.3 %           2           0               3           1 min  2 min"]]
        .assert_eq(&activity_lines(&found).join("\n"));
    }
}
