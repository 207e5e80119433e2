//! `map`, `variants` and `case`: what the process looks like, on a terminal.
//! The words for cases, tables and times are those of `measure` too.

use anyhow::Result;
use base::Timestamp;
use clap::Args;
use serde_json::Value as Json;

use super::table::Table;
use super::{ClientFlags, remark, say, short};
use crate::client::segment;

/// Which cases, and how they are shown.
#[derive(Args)]
pub(super) struct Which {
    /// Only cases that satisfy this condition in PQL.
    #[arg(long, value_name = "PQL")]
    filter: Option<String>,
    /// Only cases that satisfy this filter of the model; may be repeated.
    #[arg(long = "filter-id", value_name = "ID")]
    filter_ids: Vec<String>,
    /// Only cases that are under way at or after this time.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Only cases that are under way before this time.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// What of a case has to lie between the two: touching (any moment), started, ended or whole.
    #[arg(long, value_name = "WHAT")]
    within: Option<String>,
    /// The whole answer as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Comma-separated values with a header, durations in milliseconds.
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    pub(super) client: ClientFlags,
}

/// Show the process map: which activity follows which, how often and how fast.
#[derive(Args)]
pub(crate) struct MapFlags {
    /// The knowledge model: package.key.
    model: String,
    /// Share of events whose activities are shown, such as 0.8.
    #[arg(long, default_value_t = 1.0)]
    activities: f64,
    /// Share of steps that are shown; what connects an activity stays.
    #[arg(long, default_value_t = 1.0)]
    edges: f64,
    #[command(flatten)]
    which: Which,
}

/// Show the ways that cases take, from the most trodden on.
#[derive(Args)]
pub(crate) struct VariantsFlags {
    /// The knowledge model: package.key.
    model: String,
    /// Write repetitions in a row at most so often.
    #[arg(long, value_name = "TIMES")]
    shortened: Option<u32>,
    /// What comes first: cases, median, length, lastSeen or firstSeen.
    #[arg(long)]
    order: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    which: Which,
}

/// Show one case: its events, the waits between them, what triggers know of it.
#[derive(Args)]
pub(crate) struct CaseFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The case, by its id.
    case: String,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

impl Which {
    /// Writes the query string of a question.
    pub(super) fn query(&self, more: &[(&str, String)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("filter", self.filter.clone()),
            ("filterIds", (!self.filter_ids.is_empty()).then(|| self.filter_ids.join(","))),
            ("from", self.from.map(|at| at.to_string())),
            ("to", self.to.map(|at| at.to_string())),
            ("within", self.within.clone()),
        ] {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        for (name, value) in more {
            query.append_pair(name, value);
        }
        query.finish()
    }

    /// Asks a question about a model.
    pub(super) async fn ask(&self, model: &str, what: &str, more: &[(&str, String)]) -> Result<Json> {
        let path = format!("/api/v1/models/{}/{what}?{}", segment(model), self.query(more));
        self.client.client().get(&path).await
    }

    /// Prints an answer: as it is, as CSV, or for a person; and says beside it
    /// what to do if there is no case in it.
    pub(super) fn print(
        &self,
        answer: &Json,
        csv: impl FnOnce(&Json) -> (Vec<&'static str>, Vec<Vec<String>>),
        lines: impl FnOnce(&Json) -> Vec<String>,
    ) -> Result<()> {
        if self.json {
            say(&serde_json::to_string_pretty(answer)?);
        } else if self.csv {
            let (head, rows) = csv(answer);
            print_csv(&head, &rows)?;
        } else {
            for line in &lines(answer) {
                say(line);
            }
        }
        let cases = answer["cases"].as_u64().or(answer["total"].as_u64());
        if cases == Some(0) {
            remark(self.nothing());
        }
        Ok(())
    }

    fn nothing(&self) -> &'static str {
        let is_narrow = self.filter.is_some() || !self.filter_ids.is_empty() || self.from.or(self.to).is_some();
        match is_narrow {
            true => "no case is left: widen --filter, --from and --to",
            false => "there is no case with events yet: push rows by `loopwright push POOL TABLE FILE`",
        }
    }
}

/// Prints rows as CSV, with a header.
pub(super) fn print_csv(head: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head)?;
    for row in rows {
        writer.write_record(row)?;
    }
    super::write(&String::from_utf8(writer.into_inner()?)?);
    Ok(())
}

pub(super) async fn run_map(flags: MapFlags) -> Result<()> {
    let more = [("activities", flags.activities.to_string()), ("edges", flags.edges.to_string())];
    let map = flags.which.ask(&flags.model, "map", &more).await?;
    flags.which.print(&map, map_csv, map_lines)
}

pub(super) async fn run_variants(flags: VariantsFlags) -> Result<()> {
    let mut more = vec![("limit", flags.limit.to_string())];
    more.extend(flags.shortened.map(|times| ("shortened", times.to_string())));
    more.extend(flags.order.clone().map(|order| ("order", order)));
    let variants = flags.which.ask(&flags.model, "variants", &more).await?;
    flags.which.print(&variants, variants_csv, variant_lines)
}

pub(super) async fn run_case(flags: CaseFlags) -> Result<()> {
    let path = format!("/api/v1/models/{}/cases/{}", segment(&flags.model), segment(&flags.case));
    let case = flags.client.client().get(&path).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&case)?);
        return Ok(());
    }
    for line in &case_lines(&case) {
        say(line);
    }
    Ok(())
}

/// Edges, one a line.
fn map_csv(map: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let row = |edge: &Json| {
        let mut cells = ["from", "to", "events", "cases"].map(|name| text_of(&edge[name])).to_vec();
        cells.extend(["median", "p95", "mean", "min", "max"].map(|name| text_of(&edge["durations"][name])));
        cells
    };
    let head = vec!["from", "to", "events", "cases", "median", "p95", "mean", "min", "max"];
    (head, items(&map["edges"]).iter().map(row).collect())
}

fn variants_csv(page: &Json) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let row = |one: &Json| {
        let names: Vec<String> = items(&one["activities"]).iter().map(text_of).collect();
        let took = |name: &str| text_of(&one["durations"][name]);
        let [id, cases, share, first, last] =
            ["id", "cases", "share", "firstSeen", "lastSeen"].map(|name| text_of(&one[name]));
        vec![id, cases, share, took("median"), took("p95"), first, last, names.join(" → ")]
    };
    let head = vec!["id", "cases", "share", "median", "p95", "firstSeen", "lastSeen", "variant"];
    (head, items(&page["variants"]).iter().map(row).collect())
}

pub(super) fn items(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn map_lines(map: &Json) -> Vec<String> {
    let text = |name: &str| text_of(&map[name]);
    let shown = items(&map["activities"]).len();
    let mut lines = vec![
        format!(
            "{} cases, {} events; {shown} of {} activities, {} of {} edges shown",
            text("cases"),
            text("events"),
            text("activitiesTotal"),
            items(&map["edges"]).len(),
            text("edgesTotal")
        ),
        String::new(),
    ];
    let activities: Vec<Vec<String>> = items(&map["activities"])
        .iter()
        .map(|one| {
            let mut cells = ["name", "events", "cases", "starts", "ends"].map(|name| text_of(&one[name])).to_vec();
            cells.extend(["median", "p95"].map(|name| span_words(&one["sojourn"][name])));
            cells
        })
        .collect();
    let head = [
        ("activity", false),
        ("events", true),
        ("cases", true),
        ("starts", true),
        ("ends", true),
        ("median to next", true),
        ("p95", true),
    ];
    lines.extend(Table::of(&head, &activities));
    lines.push(String::new());
    let edges: Vec<Vec<String>> = items(&map["edges"])
        .iter()
        .map(|edge| {
            let end = |name: &str, sign: &str| edge[name].as_str().map_or(sign.to_owned(), str::to_owned);
            let mut cells = vec![end("from", "▶"), end("to", "■"), text_of(&edge["events"]), text_of(&edge["cases"])];
            cells.extend(["median", "p95"].map(|name| span_words(&edge["durations"][name])));
            cells
        })
        .collect();
    let head = [("from", false), ("to", false), ("events", true), ("cases", true), ("median", true), ("p95", true)];
    lines.extend(Table::of(&head, &edges));
    lines
}

/// Characters of a variant that are shown.
const VARIANT_CHARS: usize = 150;

fn variant_lines(page: &Json) -> Vec<String> {
    let rows: Vec<Vec<String>> = items(&page["variants"])
        .iter()
        .map(|one| {
            let names: Vec<String> = items(&one["activities"]).iter().map(text_of).collect();
            let took = |name: &str| span_words(&one["durations"][name]);
            vec![
                text_of(&one["cases"]),
                percent(&one["share"]),
                took("median"),
                took("p95"),
                names.len().to_string(),
                text_of(&one["id"]),
                folded(&names, VARIANT_CHARS),
            ]
        })
        .collect();
    let head = [
        ("cases", true),
        ("share", true),
        ("median", true),
        ("p95", true),
        ("steps", true),
        ("id", false),
        ("variant", false),
    ];
    let mut lines = Table::of(&head, &rows);
    let shown: u64 = items(&page["variants"]).iter().filter_map(|one| one["cases"].as_u64()).sum();
    lines.push(format!(
        "{} of {} variants, {shown} of {} cases",
        rows.len(),
        text_of(&page["total"]),
        text_of(&page["cases"])
    ));
    lines
}

/// Writes the steps of a variant; of a long one the beginning and the end,
/// which tell more than the beginning alone.
fn folded(names: &[String], chars_max: usize) -> String {
    let whole = names.join(" → ");
    if whole.chars().count() <= chars_max {
        return whole;
    }
    let mut head = 0;
    let mut tail = 0;
    let width = |names: &[String]| names.iter().map(|name| name.chars().count() + 3).sum::<usize>();
    // One from the front, one from the back, as long as there is room.
    while head + tail < names.len() {
        let takes_tail = tail < head;
        let (more_head, more_tail) = if takes_tail { (head, tail + 1) } else { (head + 1, tail) };
        let room = width(&names[..more_head]) + width(&names[names.len() - more_tail..]) + 6;
        if room > chars_max && head + tail >= 2 {
            break;
        }
        (head, tail) = (more_head, more_tail);
    }
    let hidden = names.len() - head - tail;
    let (front, back) = (names[..head].join(" → "), names[names.len() - tail..].join(" → "));
    short(&format!("{front} → … {hidden} … → {back}"), chars_max.max(60))
}

fn case_lines(case: &Json) -> Vec<String> {
    let text = |name: &str| text_of(&case[name]);
    let mut lines = vec![
        format!("{}: {} to {}, {}", text("id"), text("start"), text("end"), span_words(&case["duration"])),
        format!("{} of {} cases take this way", text("variantCases"), text("cases")),
        String::new(),
    ];
    let events = items(&case["events"]);
    let mut columns: Vec<&str> = Vec::new();
    for event in events {
        for (name, value) in event["values"].as_object().into_iter().flatten() {
            // What stands on the left already is not repeated.
            let known = [&event["activity"], &case["id"], &event["at"]].map(text_of);
            let is_known = columns.contains(&name.as_str()) || name.starts_with('_') || known.contains(&text_of(value));
            if !is_known && !value.is_null() {
                columns.push(name);
            }
        }
    }
    let signals = items(&case["signals"]);
    let event_cells = |event: &Json| {
        let mut cells = vec![text_of(&event["at"]), span_words(&event["wait"]), text_of(&event["activity"])];
        cells.extend(columns.iter().map(|name| short(&text_of(&event["values"][*name]), 40)));
        cells
    };
    let flag_cells = |signal: &Json| {
        let flag = format!("⚑ {} fires", text_of(&signal["trigger"]));
        let mut cells = vec![text_of(&signal["at"]), String::new(), flag];
        cells.resize(3 + columns.len(), String::new());
        cells
    };
    let mut rows: Vec<Vec<String>> = events.iter().map(event_cells).chain(signals.iter().map(flag_cells)).collect();
    // Instants as text stand in the order of time; of equal ones the event is
    // the first, for the signal follows from it.
    rows.sort_by(|one, other| one[0].cmp(&other[0]));
    let head = [("at", false), ("wait", true), ("activity", false)];
    let head: Vec<(&str, bool)> = head.into_iter().chain(columns.iter().map(|name| (*name, false))).collect();
    lines.extend(Table::of(&head, &rows));
    if !signals.is_empty() {
        lines.push(String::new());
        let rows: Vec<Vec<String>> = signals.iter().map(signal_cells).collect();
        let head = [("signal at", false), ("trigger", false), ("why", false), ("event", false), ("led to by", false)];
        lines.extend(Table::of(&head, &rows));
    }
    let instances = items(&case["instances"]);
    if !instances.is_empty() {
        lines.push(String::new());
    }
    for one in instances {
        let state = if one["matches"] == true { "matches" } else { "matched" };
        let (trigger, since) = (text_of(&one["trigger"]), text_of(&one["since"]));
        lines.push(format!("{trigger} {state} since {since}, for the {}. time", text_of(&one["episode"])));
    }
    lines
}

fn signal_cells(signal: &Json) -> Vec<String> {
    let why = [&signal["reason"], &signal["change"]].map(text_of);
    let causes: Vec<String> = items(&signal["causes"]).iter().map(text_of).collect();
    let why = why.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    vec![text_of(&signal["at"]), text_of(&signal["trigger"]), why, text_of(&signal["event"]), causes.join(" > ")]
}

/// Writes a value without the quotes of JSON.
pub(super) fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a share as a percentage; nothing as a dash.
pub(super) fn percent(share: &Json) -> String {
    share.as_f64().map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Writes milliseconds in the two largest units that matter, such as `2 d 4 h`.
pub(super) fn span_words(millis: &Json) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    let Some(millis) = millis.as_i64() else { return String::new() };
    if millis == 0 {
        return "0".to_owned();
    }
    let sign = if millis < 0 { "-" } else { "" };
    let mut left = millis.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if left >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", left / size));
            left %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { format!("{sign}{left} ms") } else { format!("{sign}{}", parts.join(" ")) }
}

/// Reads a time such as `2026-01-01` or `2026-01-01T08:00:00Z`.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z").replace(' ', "T"),
        _ => text.to_owned(),
    };
    whole.parse().map_err(|_| "write a day or a time, such as 2026-01-31 or 2026-01-31T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_are_said_in_two_units() {
        for (millis, words) in [
            (0, "0"),
            (999, "999 ms"),
            (61_000, "1 min 1 s"),
            (86_400_000, "1 d"),
            (86_460_000, "1 d"),
            (187_200_000, "2 d 4 h"),
            (-3_600_000, "-1 h"),
        ] {
            assert_eq!(span_words(&json!(millis)), words);
        }
        assert_eq!(span_words(&Json::Null), "");
    }

    #[test]
    fn times_may_be_short() {
        for text in ["2026-01-31", "2026-01-31 00:00", "2026-01-31T00:00:00Z"] {
            assert_eq!(instant(text).map(|at| at.to_string()), Ok("2026-01-31T00:00:00.000Z".to_owned()), "{text}");
        }
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn a_case_reads_like_a_story() {
        let case = json!({
            "id": "7", "start": "2026-01-01T00:00:00.000Z", "end": "2026-01-02T01:00:00.000Z", "duration": 90_000_000,
            "variantCases": 3, "cases": 10,
            "events": [
                { "at": "2026-01-01T00:00:00.000Z", "wait": null, "activity": "Create",
                  "values": { "CASE": "7", "ACT": "Create", "USER": "ann", "_SEQ": 1 } },
                { "at": "2026-01-02T01:00:00.000Z", "wait": 90_000_000, "activity": "Pay",
                  "values": { "CASE": "7", "ACT": "Pay", "USER": null, "_SEQ": 2 } },
            ],
            "signals": [{ "at": "2026-01-01T12:00:00.000Z", "trigger": "LATE", "reason": "time", "change": null,
                          "event": "e-1", "causes": ["push 7", "commit 9"] }],
            "instances": [{ "trigger": "LATE", "matches": true, "since": "2026-01-01T12:00:00.000Z", "episode": 1 }],
        });
        expect![[r"
            7: 2026-01-01T00:00:00.000Z to 2026-01-02T01:00:00.000Z, 1 d 1 h
            3 of 10 cases take this way

            at                           wait  activity      USER
            ────────────────────────  ───────  ────────────  ────
            2026-01-01T00:00:00.000Z           Create        ann
            2026-01-01T12:00:00.000Z           ⚑ LATE fires
            2026-01-02T01:00:00.000Z  1 d 1 h  Pay

            signal at                 trigger  why   event  led to by
            ────────────────────────  ───────  ────  ─────  ─────────────────
            2026-01-01T12:00:00.000Z  LATE     time  e-1    push 7 > commit 9

            LATE matches since 2026-01-01T12:00:00.000Z, for the 1. time"]]
        .assert_eq(&case_lines(&case).join("\n"));
    }

    #[test]
    fn a_map_and_variants_are_tables() {
        let durations = json!({ "median": 3_600_000, "p95": 7_200_000 });
        let map = json!({
            "cases": 2, "events": 4, "activitiesTotal": 2, "edgesTotal": 3,
            "activities": [{ "name": "Create", "events": 2, "cases": 2, "starts": 2, "ends": 0, "sojourn": durations }],
            "edges": [{ "from": null, "to": "Create", "events": 2, "cases": 2, "durations": null },
                      { "from": "Create", "to": "Pay", "events": 2, "cases": 2, "durations": durations }],
        });
        expect![[r"
            2 cases, 4 events; 1 of 2 activities, 2 of 3 edges shown

            activity  events  cases  starts  ends  median to next  p95
            ────────  ──────  ─────  ──────  ────  ──────────────  ───
            Create         2      2       2     0             1 h  2 h

            from    to      events  cases  median  p95
            ──────  ──────  ──────  ─────  ──────  ───
            ▶       Create       2      2
            Create  Pay          2      2     1 h  2 h"]]
        .assert_eq(&map_lines(&map).join("\n"));
        let page = json!({ "cases": 2, "total": 9, "variants": [
            { "id": "a1", "activities": ["Create", "Pay"], "cases": 2, "share": 0.5, "durations": durations }] });
        expect![[r"
            cases   share  median  p95  steps  id  variant
            ─────  ──────  ──────  ───  ─────  ──  ────────────
                2  50.0 %     1 h  2 h      2  a1  Create → Pay
            1 of 9 variants, 2 of 2 cases"]]
        .assert_eq(&variant_lines(&page).join("\n"));
    }

    #[test]
    fn of_a_long_way_both_ends_are_shown() {
        let names: Vec<String> = (1..=9).map(|step| format!("Step number {step}")).collect();
        assert_eq!(folded(&names, 70), "Step number 1 → Step number 2 → … 5 … → Step number 8 → Step number 9");
        assert_eq!(folded(&names[..2], 70), "Step number 1 → Step number 2");
    }
}
