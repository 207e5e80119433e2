//! `outcomes`: what became of the cases of a trigger.

use anyhow::Result;
use base::Timestamp;
use clap::Args;
use serde_json::Value as Json;

use super::explore::{instant, items, span_words, text_of};
use super::table::Table;
use super::{ClientFlags, say};
use crate::client::segment;

/// Show what became of the cases of a trigger: acted on or not, how long the
/// condition held, and how that compares.
#[derive(Args)]
pub(crate) struct OutcomesFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The trigger.
    trigger: String,
    /// Cases that entered then or later, on the process clock.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Cases that entered before, on the process clock.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run_outcomes(flags: OutcomesFlags) -> Result<()> {
    let mut path = format!("/api/v1/models/{}/triggers/{}/outcomes", segment(&flags.model), segment(&flags.trigger));
    let window = [("from", flags.from), ("to", flags.to)];
    for (place, (name, at)) in window.into_iter().filter_map(|(name, at)| Some((name, at?))).enumerate() {
        path.push_str(&format!("{}{name}={at}", if place == 0 { '?' } else { '&' }));
    }
    let outcomes = flags.client.client().get(&path).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&outcomes)?);
        return Ok(());
    }
    for line in &lines(&outcomes) {
        say(line);
    }
    Ok(())
}

fn lines(outcomes: &Json) -> Vec<String> {
    let (episodes, acted) = (&outcomes["episodes"], &outcomes["actedOn"]);
    let count = |of: &Json, name: &str| of[name].as_u64().unwrap_or_default();
    let all = count(episodes, "entered") + count(episodes, "found");
    if all == 0 {
        return vec!["no case has satisfied the trigger yet".to_owned()];
    }
    let mut lines = vec![format!(
        "{all} cases: {} acted on, {} went away ({} of them because of what a flow did), {} still there",
        count(acted, "episodes"),
        count(episodes, "left"),
        count(&episodes["leftBy"], "chain"),
        count(episodes, "stillThere"),
    )];
    let groups = [("acted on", "actedOn"), ("not acted on", "notActedOn"), ("before", "before")];
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|(name, key)| {
            let group = &outcomes["compared"][*key];
            let mut cells = vec![(*name).to_owned()];
            cells.extend(["episodes", "left", "leftByChain", "stillThere"].map(|name| count(group, name).to_string()));
            cells.extend(["median", "p90"].map(|name| span_words(&group[name])));
            cells
        })
        .collect();
    let head = [
        ("cases", false),
        ("how many", true),
        ("went away", true),
        ("by the loop", true),
        ("still there", true),
        ("half within", true),
        ("90 % within", true),
    ];
    lines.extend(Table::of(&head, &rows));
    for flow in items(&outcomes["flows"]) {
        lines.push(format!("flow \"{}\" has listened since {}", text_of(&flow["flow"]), text_of(&flow["since"])));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_stand_below_each_other() {
        let group = |episodes: u64, median: Option<u64>| json!({ "episodes": episodes, "left": episodes, "leftByChain": 1, "stillThere": 0, "median": median, "p90": median });
        let outcomes = json!({
            "episodes": { "entered": 3, "found": 1, "left": 3, "leftBy": { "chain": 1 }, "stillThere": 1 },
            "actedOn": { "episodes": 2 },
            "compared": { "actedOn": group(2, Some(7_200_000)), "notActedOn": group(1, None), "before": group(0, None) },
            "flows": [{ "flow": "chase", "since": "2026-01-01T00:00:00.000Z" }],
        });
        expect![[r#"
            4 cases: 2 acted on, 3 went away (1 of them because of what a flow did), 1 still there
            cases         how many  went away  by the loop  still there  half within  90 % within
            ────────────  ────────  ─────────  ───────────  ───────────  ───────────  ───────────
            acted on             2          2            1            0          2 h          2 h
            not acted on         1          1            1            0
            before               0          0            1            0
            flow "chase" has listened since 2026-01-01T00:00:00.000Z"#]]
        .assert_eq(&lines(&outcomes).join("\n"));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let nothing = json!({ "episodes": { "entered": 0, "found": 0 } });
        assert_eq!(lines(&nothing), ["no case has satisfied the trigger yet"]);
    }
}
