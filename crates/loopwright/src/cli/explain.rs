//! `backtest` and `why`: what a trigger would have done, and why it does what
//! it does.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context, Result};
use base::Timestamp;
use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::explore::{instant, items, percent, span_words, text_of};
use super::table::Table;
use super::{ClientFlags, say};
use crate::client::{Client, segment};

/// Replay history on a trigger: what would have fired, when, and was it right?
///
/// Nothing is sent and nothing is stored. Rows become known at their own time.
#[derive(Args)]
#[command(
    after_help = "Example:\n  loopwright backtest purchasing.late LONG_WAIT --from 2026-01-01 --every 12h \\\n    \
                        --outcome 'PU_COUNT(\"CASES\", \"EV\".\"ACT\", \"EV\".\"ACT\" = '\\''Cancel'\\'') > 0'"
)]
pub(crate) struct BacktestFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The trigger.
    trigger: String,
    /// Begin here, with all that was known by then, such as 2026-01-01 or 2026-01-01T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// End here; at the last event if left out.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// From one push to the next, such as 15m or 1d; each instant is one if left out.
    #[arg(long, value_name = "SPAN", value_parser = super::deliveries::span)]
    every: Option<Duration>,
    /// A condition in PQL that says that a case went badly.
    #[arg(long, value_name = "PQL")]
    outcome: Option<String>,
    /// A condition in PQL that says that a case is finished.
    #[arg(long, value_name = "PQL", requires = "outcome")]
    finished: Option<String>,
    /// An activity that ends a case, in place of the filter OPEN; may be repeated.
    #[arg(long = "end", value_name = "ACTIVITY")]
    ends: Vec<String>,
    /// Learn at --from which activities end at least this share of cases, such as 0.1.
    #[arg(long, value_name = "SHARE", conflicts_with = "ends", requires = "from")]
    learn_ends: Option<f64>,
    /// A value of a variable of the model; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// The column that says when a row of a table becomes known; may be repeated.
    #[arg(long = "known-by", value_name = "TABLE=COLUMN")]
    known_by: Vec<String>,
    /// The draft instead of the published version.
    #[arg(long)]
    draft: bool,
    /// Signals shown at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

/// Explain one case: each filter of a trigger, its values, and what time will do.
#[derive(Args)]
pub(crate) struct WhyFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The trigger.
    trigger: String,
    /// The record instance, by its identifier.
    case: String,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run_backtest(flags: BacktestFlags) -> Result<()> {
    let client = flags.client.client();
    let end_set = match (flags.learn_ends, flags.ends.is_empty()) {
        (Some(share), _) => json!({ "share": share }),
        (None, false) => json!(flags.ends),
        (None, true) => Json::Null,
    };
    let wish = json!({
        "from": flags.from, "to": flags.to, "everySeconds": flags.every.map(|every| every.as_secs_f64()),
        "outcome": flags.outcome, "finished": flags.finished, "endSet": end_set,
        "variables": pairs(&flags.variables)?, "knownBy": pairs(&flags.known_by)?, "draft": flags.draft,
        "limit": if flags.json { usize::from(u16::MAX) } else { flags.limit },
    });
    let path = format!("/api/v1/models/{}/triggers/{}/backtest", segment(&flags.model), segment(&flags.trigger));
    let found = patiently(&client, &path, &wish, (&flags.model, &flags.trigger)).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    for line in backtest_lines(&found) {
        say(&line);
    }
    Ok(())
}

/// Reads `NAME=VALUE` pairs.
fn pairs(texts: &[String]) -> Result<Map<String, Json>> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').with_context(|| format!("\"{text}\" is not NAME=VALUE"))?;
        Ok((name.to_owned(), json!(value)))
    };
    texts.iter().map(pair).collect()
}

/// Waits as long as it takes, and tells a person how far it is. Whoever
/// presses Ctrl-C ends the connection, and with it the replay.
async fn patiently(client: &Client, path: &str, wish: &Json, (model, trigger): (&str, &str)) -> Result<Json> {
    let mut out = Vec::new();
    let mut shown = false;
    {
        let work = client.download(path, wish, &mut out);
        tokio::pin!(work);
        let somebody = std::io::stderr().is_terminal();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.tick().await;
        loop {
            tokio::select! {
                done = &mut work => break done?,
                _ = ticks.tick(), if somebody => {
                    let running = client.get("/api/v1/backtests").await.unwrap_or_default();
                    let mut own = running.as_array().into_iter().flatten();
                    let own = own.rfind(|one| one["model"] == model && one["trigger"] == trigger);
                    if let Some(own) = own {
                        let percent = own["share"].as_f64().unwrap_or_default() * 100.0;
                        show_progress(&format!("{percent:3.0} %, at {}", text_of(&own["at"])));
                        shown = true;
                    }
                }
            }
        }
    }
    if shown {
        show_progress("");
    }
    serde_json::from_slice(&out).context("the backtest did not answer with JSON")
}

#[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
fn show_progress(text: &str) {
    eprint!("\r\x1b[K{text}");
}

/// Writes a backtest for a person.
fn backtest_lines(found: &Json) -> Vec<String> {
    let text = |name: &str| text_of(&found[name]);
    let mut lines = vec![
        format!("{} of {}, {} to {}", text("trigger"), text("model"), text("from"), text("to")),
        format!(
            "{} commits and {} deadlines over {} events of {} cases",
            text("commits"),
            text("deadlines"),
            text("events"),
            text("cases")
        ),
    ];
    if let Some(ends) = found["endSet"].as_array() {
        lines.push(format!("a case ends with: {}", ends.iter().map(text_of).collect::<Vec<_>>().join(", ")));
    }
    lines.push(format!(
        "fired {}: {} by data, {} by time alone; {:.2} a day; {} known before, {} match at the end",
        text("fired"),
        text("firedByData"),
        text("firedByTime"),
        found["perDayMean"].as_f64().unwrap_or_default(),
        text("knownBefore"),
        text("matching"),
    ));
    let score = &found["score"];
    if score.is_object() {
        let text = |name: &str| text_of(&score[name]);
        lines.push(format!(
            "precision {}, recall {}, recall in time {}",
            percent(&score["precision"]),
            percent(&score["recall"]),
            percent(&score["recallInTime"])
        ));
        lines.push(format!(
            "{} went badly: {} warned of, {} in time; {} false alarms, {} undecided, {} bad before",
            text("bad"),
            text("warned"),
            text("warnedInTime"),
            text("falseAlarms"),
            text("undecided"),
            text("badBefore")
        ));
        let lead = &score["lead"];
        if lead.is_object() {
            let words = |name: &str| span_words(&lead[name]);
            lines.push(format!(
                "warned {} ahead in the median, {} at least, {} at most",
                words("median"),
                words("min"),
                words("max")
            ));
        }
    }
    let rows = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    lines.push(String::new());
    lines.extend(rate_lines(&rows("perDay")));
    if rows("signals").is_empty() {
        lines.push("nothing fired: look at one case by `loopwright why`, or replay more of the history".to_owned());
        return lines;
    }
    lines.push(String::new());
    let signals: Vec<Vec<String>> = rows("signals")
        .iter()
        .map(|one| ["at", "identifier", "by", "episode", "leftAt"].map(|name| text_of(&one[name])).to_vec())
        .collect();
    let head = [("at", false), ("identifier", false), ("by", false), ("episode", true), ("left at", false)];
    lines.extend(Table::of(&head, &signals));
    if found["truncated"] == true {
        lines.push("… and more: see --limit or --json".to_owned());
    }
    lines
}

/// Days that are shown one by one; of more, weeks are.
const DAYS_SHOWN: i64 = 31;
/// Signs in the longest bar.
const BAR_SIGNS: u64 = 40;

/// Draws how many signals fired per day or, over a long time, per week. The
/// answer has the days on which something fired; those between are quiet.
fn rate_lines(days: &[Json]) -> Vec<String> {
    const DAY_MILLIS: i64 = 86_400_000;
    let number = |day: &Json| instant(&text_of(&day["day"])).map_or(0, |at| at.as_millis().div_euclid(DAY_MILLIS));
    let numbered: Vec<(i64, u64)> =
        days.iter().map(|day| (number(day), day["fired"].as_u64().unwrap_or_default())).collect();
    let (Some((first, _)), Some((last, _))) = (numbered.first(), numbered.last()) else { return Vec::new() };
    let (name, span) = if last - first >= DAYS_SHOWN { ("week from", 7) } else { ("day", 1) };
    let mut counts = vec![0; ((last - first) / span + 1) as usize];
    for (day, fired) in &numbered {
        counts[((day - first) / span) as usize] += fired;
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let row = |(place, fired): (usize, &u64)| {
        let day = Timestamp::from_millis((first + place as i64 * span) * DAY_MILLIS).to_string();
        vec![day.chars().take(10).collect(), fired.to_string(), bar(*fired, most)]
    };
    let rows: Vec<Vec<String>> = counts.iter().enumerate().map(row).collect();
    Table::of(&[(name, false), ("fired", true), ("", false)], &rows)
}

/// Draws a bar; what is there is never drawn as nothing.
pub(super) fn bar(count: u64, most: u64) -> String {
    let signs = if most <= BAR_SIGNS { count } else { (count * BAR_SIGNS).div_ceil(most) };
    "▇".repeat(signs as usize)
}

pub(super) async fn run_why(flags: WhyFlags) -> Result<()> {
    let path = format!(
        "/api/v1/models/{}/triggers/{}/why/{}",
        segment(&flags.model),
        segment(&flags.trigger),
        segment(&flags.case)
    );
    let why = flags.client.client().get(&path).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&why)?);
        return Ok(());
    }
    for line in why_lines(&why) {
        say(&line);
    }
    Ok(())
}

/// Writes an explanation for a person.
fn why_lines(why: &Json) -> Vec<String> {
    let text = |name: &str| text_of(&why[name]);
    let verdict = if why["satisfies"] == true { "satisfies" } else { "does not satisfy" };
    let mut lines = vec![
        format!("{} {} {verdict} {} now, at {}", text("record"), text("identifier"), text("trigger"), text("now")),
        String::new(),
    ];
    for filter in why["filters"].as_array().into_iter().flatten() {
        lines.push(format!("{} {}: {}", sign(&filter["truth"]), text_of(&filter["id"]), one_line(&filter["pql"])));
        for one in items(&filter["comparisons"]) {
            // What only says the filter once more is not repeated.
            if bare(&one["pql"]) != bare(&filter["pql"]) {
                lines.push(format!("    {}", one_line(&one["pql"])));
            }
            let rows = one["rows"].as_array().map_or(&[][..], Vec::as_slice);
            for row in rows {
                let left = value(&row["left"]);
                let right = row.get("right").map_or_else(|| text_of(&one["right"]), value);
                lines.push(format!("      {} {left}  against  {right}", sign(&row["truth"])));
            }
            let more = one["rowCount"].as_u64().unwrap_or_default().saturating_sub(rows.len() as u64);
            if more > 0 {
                lines.push(format!("      … and {more} more rows"));
            }
        }
    }
    lines.extend(detector_lines(&why["detector"]));
    lines.push(String::new());
    let standing = &why["standing"];
    let [since, episode] = ["since", "episode"].map(|name| text_of(&standing[name]));
    lines.push(match standing["state"].as_str() {
        Some("in") => format!("it is in the matched set since {since}, for the {episode}. time"),
        Some("left") => format!("it was in the matched set {episode} times, last from {since} on, and has left it"),
        Some("displaced") => "it had to make room in the matched set for newer ones".to_owned(),
        Some("unpublished") => "the model is not published, so there is no matched set".to_owned(),
        _ => "it was never in the matched set".to_owned(),
    });
    let next = &why["next"];
    lines.push(match next["kind"].as_str() {
        Some("at") => {
            let will = if next["satisfies"] == true { "satisfy" } else { "no longer satisfy" };
            let ahead = ahead(&why["now"], &next["at"]);
            format!("time alone makes it {will} the trigger at {}, in {ahead}", text_of(&next["at"]))
        }
        Some("never") => "with the data as it is, time alone will not change that".to_owned(),
        Some("notBefore") => format!("time alone will not change that before {}", text_of(&next["at"])),
        _ => "the clock has no part in it: only data can change that".to_owned(),
    });
    lines.extend(why["remarks"].as_array().into_iter().flatten().map(text_of));
    lines
}

/// Writes what a detector measures.
fn detector_lines(detector: &Json) -> Vec<String> {
    let Some(parameters) = detector["parameters"].as_object() else { return Vec::new() };
    let told = parameters.iter().filter(|(name, value)| *name != "kind" && !value.is_null());
    let told: Vec<String> = told.map(|(name, value)| format!("{name} {}", text_of(value))).collect();
    let mut lines = vec![format!("{} with {}", text_of(&parameters["kind"]), told.join(", ")), String::new()];
    let fields: Vec<&str> = items(&detector["fields"]).iter().filter_map(Json::as_str).collect();
    let measures = items(&detector["measures"]);
    if measures.is_empty() {
        lines.push("it has measured nothing yet".to_owned());
        return lines;
    }
    let rows: Vec<Vec<String>> = measures
        .iter()
        .map(|one| {
            let mut cells = vec![sign(&one["fires"]).to_owned(), text_of(&one["identifier"])];
            cells.extend(fields.iter().map(|field| value(&one["figures"][*field])));
            cells.push(text_of(&one["due"]));
            cells
        })
        .collect();
    let head = [("", false), ("what", false)].into_iter().chain(fields.iter().map(|field| (*field, false)));
    let head: Vec<(&str, bool)> = head.chain([("fires at", false)]).collect();
    lines.extend(Table::of(&head, &rows));
    let more = detector["measured"].as_u64().unwrap_or_default().saturating_sub(rows.len() as u64);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// Writes a value; a fraction with four digits behind the point.
fn value(value: &Json) -> String {
    match value.as_f64().filter(|number| value.is_f64() && number.fract() != 0.0) {
        Some(number) => format!("{number:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        None if value.is_null() => "NULL".to_owned(),
        None => text_of(value),
    }
}

/// Returns a text without blanks and quotes, so that two ways to write the same
/// are equal.
fn bare(text: &Json) -> String {
    text_of(text).chars().filter(|letter| !letter.is_whitespace() && *letter != '"').collect()
}

/// Returns the span between two instants in words.
fn ahead(now: &Json, at: &Json) -> String {
    let millis = |value: &Json| text_of(value).parse::<Timestamp>().map(Timestamp::as_millis).unwrap_or_default();
    span_words(&json!(millis(at) - millis(now)))
}

fn sign(truth: &Json) -> &'static str {
    match truth.as_bool() {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "?",
    }
}

fn one_line(text: &Json) -> String {
    text_of(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_explanation_reads_like_one() {
        let why = json!({
            "record": "ORDER", "identifier": "7", "trigger": "LONG_WAIT", "now": "2026-03-09T08:00:00.000Z",
            "satisfies": false,
            "filters": [
                { "id": "OPEN", "pql": "MATCH_ACTIVITIES(\n  ENDING['Pay']) = 0", "truth": true, "comparisons": [
                    { "pql": "MATCH_ACTIVITIES(ENDING['Pay']) = 0", "left": "…", "right": "0", "rowCount": 1,
                      "rows": [{ "left": 0, "right": 0, "truth": true }] }] },
                { "id": "BY_ANN", "pql": "\"EV\".\"USER\" IS NULL", "truth": null, "comparisons": [
                    { "pql": "\"EV\".\"USER\" IS NULL", "left": "…", "right": "NULL", "rowCount": 9,
                      "rows": [{ "left": "ann", "truth": false }] }] },
            ],
            "standing": { "state": "never" },
            "next": { "kind": "at", "at": "2026-03-11T08:00:00.000Z", "satisfies": true },
            "remarks": ["2 rows bear this identifier"],
        });
        expect![[r#"
            ORDER 7 does not satisfy LONG_WAIT now, at 2026-03-09T08:00:00.000Z

            ✓ OPEN: MATCH_ACTIVITIES( ENDING['Pay']) = 0
                  ✓ 0  against  0
            ? BY_ANN: "EV"."USER" IS NULL
                  ✗ ann  against  NULL
                  … and 8 more rows

            it was never in the matched set
            time alone makes it satisfy the trigger at 2026-03-11T08:00:00.000Z, in 2 d
            2 rows bear this identifier"#]]
        .assert_eq(&why_lines(&why).join("\n"));
    }

    #[test]
    fn a_detector_shows_what_it_measures() {
        let why = json!({
            "record": "MODEL", "identifier": "SAP", "trigger": "QUIET", "now": "2026-03-09T08:00:00.000Z",
            "satisfies": false, "filters": [], "remarks": [],
            "detector": {
                "parameters": { "kind": "SILENCE", "column": "SRC", "factor": 2.0 }, "measured": 3,
                "fields": ["LAST_EVENT", "SILENT_HOURS"],
                "measures": [{ "identifier": "SAP", "fires": false, "due": "2026-03-09T12:00:00.000Z",
                               "figures": { "LAST_EVENT": "2026-03-09T06:30:00.000Z", "SILENT_HOURS": 1.533_333_3 } }],
            },
            "standing": { "state": "never" },
            "next": { "kind": "at", "at": "2026-03-09T12:00:00.000Z", "satisfies": true },
        });
        expect![[r"
            MODEL SAP does not satisfy QUIET now, at 2026-03-09T08:00:00.000Z

            SILENCE with column SRC, factor 2.0

               what  LAST_EVENT                SILENT_HOURS  fires at
            ─  ────  ────────────────────────  ────────────  ────────────────────────
            ✗  SAP   2026-03-09T06:30:00.000Z  1.5333        2026-03-09T12:00:00.000Z
            … and 2 more

            it was never in the matched set
            time alone makes it satisfy the trigger at 2026-03-09T12:00:00.000Z, in 4 h"]]
        .assert_eq(&why_lines(&why).join("\n"));
    }

    #[test]
    fn a_backtest_reads_like_one() {
        let found = json!({
            "model": "p.late", "trigger": "LONG", "from": "2026-01-01T00:00:00.000Z", "to": "2026-01-03T00:00:00.000Z",
            "commits": 5, "deadlines": 2, "events": 40, "cases": 9, "endSet": ["Pay"], "fired": 2, "firedByData": 1,
            "firedByTime": 1, "perDayMean": 1.0, "knownBefore": 0, "matching": 1, "truncated": true,
            "perDay": [{ "day": "2026-01-01", "fired": 2 }],
            "score": { "precision": 0.5, "recall": null, "recallInTime": 1.0, "bad": 1, "warned": 1, "warnedInTime": 1,
                       "falseAlarms": 1, "undecided": 0, "badBefore": 0,
                       "lead": { "median": 7_200_000, "min": 60_000, "max": 260_000_000 } },
            "signals": [{ "at": "2026-01-01T08:00:00.000Z", "identifier": "7", "by": "time", "episode": 1, "leftAt": null }],
        });
        expect![[r"
            LONG of p.late, 2026-01-01T00:00:00.000Z to 2026-01-03T00:00:00.000Z
            5 commits and 2 deadlines over 40 events of 9 cases
            a case ends with: Pay
            fired 2: 1 by data, 1 by time alone; 1.00 a day; 0 known before, 1 match at the end
            precision 50.0 %, recall –, recall in time 100.0 %
            1 went badly: 1 warned of, 1 in time; 1 false alarms, 0 undecided, 0 bad before
            warned 2 h ahead in the median, 1 min at least, 3 d at most

            day         fired
            ──────────  ─────  ──
            2026-01-01      2  ▇▇

            at                        identifier  by    episode  left at
            ────────────────────────  ──────────  ────  ───────  ───────
            2026-01-01T08:00:00.000Z  7           time        1
            … and more: see --limit or --json"]]
        .assert_eq(&backtest_lines(&found).join("\n"));
    }

    #[test]
    fn quiet_days_count_as_days() {
        let days = json!([{ "day": "2026-01-01", "fired": 3 }, { "day": "2026-01-03", "fired": 1 }]);
        expect![[r"
            day         fired
            ──────────  ─────  ───
            2026-01-01      3  ▇▇▇
            2026-01-02      0
            2026-01-03      1  ▇"]]
        .assert_eq(&rate_lines(days.as_array().expect("a list")).join("\n"));
        let days = json!([{ "day": "2026-01-01", "fired": 50 }, { "day": "2026-01-16", "fired": 1 },
                          { "day": "2026-02-04", "fired": 1 }]);
        expect![[r"
            week from   fired
            ──────────  ─────  ────────────────────────────────────────
            2026-01-01     50  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
            2026-01-08      0
            2026-01-15      1  ▇
            2026-01-22      0
            2026-01-29      1  ▇"]]
        .assert_eq(&rate_lines(days.as_array().expect("a list")).join("\n"));
    }
}
