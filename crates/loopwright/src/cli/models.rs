//! `models`, `triggers` and `held`: how knowledge models and their triggers
//! stand, and a person's hand on what a cap holds back.

use anyhow::Result;
use clap::Args;
use serde_json::{Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say, short};
use crate::client::segment;

/// List the knowledge models and whether they are followed.
#[derive(Args)]
pub(crate) struct ModelsFlags {
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

/// Show the triggers of a model: class, cost, cadence, what matches, what is held.
#[derive(Args)]
pub(crate) struct TriggersFlags {
    /// The knowledge model: package.key.
    model: String,
    /// Only this trigger, with all that is known of it.
    trigger: Option<String>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

/// Show the signals of a trigger that a cap holds back; send or drop them.
#[derive(Args)]
pub(crate) struct HeldFlags {
    /// The knowledge model: package.key.
    model: String,
    /// The trigger.
    trigger: String,
    /// Send them now, whatever the cap says.
    #[arg(long, conflicts_with = "drop")]
    release: bool,
    /// Never send them; the instances stay in the matched set.
    #[arg(long)]
    drop: bool,
    /// The first so many; to send or drop, all if left out.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientFlags,
}

pub(super) async fn run_models(flags: ModelsFlags) -> Result<()> {
    let client = flags.client.client();
    let mut models = client.get("/api/v1/models").await?;
    for model in models.as_array_mut().into_iter().flatten() {
        if !model["published"].is_null() {
            let path = format!("/api/v1/models/{}/state", segment(&text_of(&model["id"])));
            // A model that cannot be looked at must not hide the others.
            model["standing"] = client.get(&path).await.unwrap_or_else(|error| json!({ "reason": error.to_string() }));
        }
    }
    if flags.json {
        say(&serde_json::to_string_pretty(&models)?);
        return Ok(());
    }
    if items(&models).is_empty() {
        remark("there is no knowledge model yet: `loopwright apply FOLDER` makes what a folder describes");
        return Ok(());
    }
    for line in &model_lines(&models) {
        say(line);
    }
    Ok(())
}

pub(super) async fn run_triggers(flags: TriggersFlags) -> Result<()> {
    let client = flags.client.client();
    let path = format!("/api/v1/models/{}", segment(&flags.model));
    if let Some(trigger) = &flags.trigger {
        let one = client.get(&format!("{path}/triggers/{}", segment(trigger))).await?;
        if flags.json {
            say(&serde_json::to_string_pretty(&one)?);
        } else {
            for line in &trigger_lines(&one) {
                say(line);
            }
        }
        return Ok(());
    }
    let state = client.get(&format!("{path}/state")).await?;
    let notices = client.get(&format!("{path}/notices")).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&state)?);
    } else {
        for line in &state_lines(&state) {
            say(line);
        }
    }
    for notice in items(&notices) {
        let [path, line, detail] = ["path", "line", "detail"].map(|name| text_of(&notice[name]));
        remark(&format!("note: {path} (line {line}): {detail}"));
    }
    Ok(())
}

pub(super) async fn run_held(flags: HeldFlags) -> Result<()> {
    let client = flags.client.client();
    let path = format!("/api/v1/models/{}/triggers/{}/held", segment(&flags.model), segment(&flags.trigger));
    if flags.release || flags.drop {
        let verb = if flags.release { "release" } else { "drop" };
        let settled = client.post(&format!("{path}/{verb}"), &json!({ "count": flags.count })).await?;
        if flags.json {
            say(&settled.to_string());
            return Ok(());
        }
        let done = if flags.release { "sent" } else { "dropped" };
        say(&format!("{} signals {done}, {} still held", text_of(&settled["settled"]), text_of(&settled["held"])));
        return Ok(());
    }
    let page = client.get(&format!("{path}?limit={}", flags.count.unwrap_or(20))).await?;
    if flags.json {
        say(&serde_json::to_string_pretty(&page)?);
        return Ok(());
    }
    for line in &held_lines(&page) {
        say(line);
    }
    Ok(())
}

fn model_lines(models: &Json) -> Vec<String> {
    let row = |model: &Json| {
        let standing = &model["standing"];
        let state = if model["published"].is_null() { "draft".to_owned() } else { text_of(&standing["state"]) };
        let triggers = items(&standing["triggers"]);
        let sum = |name: &str| triggers.iter().filter_map(|one| one[name].as_u64()).sum::<u64>().to_string();
        let number = |name: &str| standing[name].as_u64().unwrap_or_default();
        let behind = number("head").saturating_sub(number("commit"));
        let behind = if behind == 0 { String::new() } else { behind.to_string() };
        vec![
            text_of(&model["id"]),
            text_of(&model["published"]),
            state,
            text_of(&standing["evaluatedAt"]),
            behind,
            triggers.len().to_string(),
            sum("matched"),
            sum("fired"),
            sum("held"),
            short(&text_of(&standing["reason"]), 60),
        ]
    };
    let head = [
        ("model", false),
        ("version", true),
        ("state", false),
        ("evaluated at", false),
        ("commits behind", true),
        ("triggers", true),
        ("matched", true),
        ("fired", true),
        ("held", true),
        ("why", false),
    ];
    Table::of(&head, &items(models).iter().map(row).collect::<Vec<_>>())
}

fn state_lines(state: &Json) -> Vec<String> {
    let mut lines = standing_lines(state).to_vec();
    if !state["reason"].is_null() {
        let again = state["againAt"].as_str().map_or(String::new(), |at| format!("; it is tried again at {at}"));
        lines.push(format!("{}{again}", text_of(&state["reason"])));
    }
    let triggers = items(&state["triggers"]);
    lines.push(String::new());
    if triggers.is_empty() {
        lines.push("it has no triggers: add some below \"triggers\" and publish it".to_owned());
        return lines;
    }
    let row = |one: &Json| {
        let mut cells = ["id", "class", "matched", "waiting", "fired", "held", "shadowed", "nextDeadline"]
            .map(|name| text_of(&one[name]))
            .to_vec();
        if one["shadow"] == true {
            cells[0].push_str(" (shadow)");
        }
        cells
    };
    let head = [
        ("trigger", false),
        ("class", false),
        ("matched", true),
        ("waiting", true),
        ("fired", true),
        ("held", true),
        ("shadowed", true),
        ("next deadline", false),
    ];
    lines.extend(Table::of(&head, &triggers.iter().map(row).collect::<Vec<_>>()));
    lines.push(String::new());
    lines.extend(triggers.iter().map(|one| format!("{}: {}", text_of(&one["id"]), text_of(&one["cost"]))));
    lines
}

fn standing_lines(state: &Json) -> [String; 2] {
    let [model, version, word, now, at, commit, head] =
        ["model", "version", "state", "now", "evaluatedAt", "commit", "head"].map(|name| text_of(&state[name]));
    let word = if word == "notLoaded" { "not loaded" } else { &word };
    [
        format!("{model}, version {version}, is {word}; its clock shows {now}"),
        format!("evaluated last at {at}, up to commit {commit} of {head}"),
    ]
}

fn trigger_lines(one: &Json) -> Vec<String> {
    let text = |name: &str| text_of(&one[name]);
    let fields: Vec<String> = items(&one["fields"])
        .iter()
        .map(|field| {
            let unit = field["unit"].as_str().map_or(String::new(), |unit| format!(", {unit}"));
            format!("{} ({}{unit})", text_of(&field["id"]), text_of(&field["type"]))
        })
        .collect();
    let class = match one["class"].as_str() {
        Some("L") => "L, local",
        Some("K") => "K, keyed",
        Some("T") => "T, threshold",
        _ => "F, full",
    };
    let mut rows = vec![
        ("name", text("name")),
        ("watches", text("record")),
        ("shows", fields.join(", ")),
        ("class", class.to_owned()),
        ("cost", text("cost")),
        ("cadence", text("cadence")),
        ("matched", format!("{} of at most {}", text("matched"), text("itemLimit"))),
        ("fired", text("fired")),
        ("evaluated", format!("at {} up to commit {}", text("evaluatedAt"), text("commit"))),
        ("next deadline", one["nextDeadline"].as_str().unwrap_or("none: only data can change who matches").to_owned()),
    ];
    let waiting = one["waiting"].as_u64().unwrap_or_default();
    if waiting > 0 {
        rows.push((
            "waiting",
            format!("{waiting} satisfy it and wait, because the matched set is full: see itemLimit"),
        ));
    }
    if one["held"].as_u64().unwrap_or_default() > 0 {
        let at = one["sendsAt"].as_str().map_or(String::new(), |at| format!(", the next one until {at}"));
        rows.push(("held", format!("{} by a cap{at}: see `loopwright held`", text("held"))));
    }
    if one["shadow"] == true {
        rows.push(("shadow", format!("it sends nothing; {} signals are recorded", text("shadowed"))));
    }
    if let Some(at) = one["restsUntil"].as_str() {
        rows.push(("rests until", at.to_owned()));
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut lines = vec![text("id")];
    lines.extend(rows.into_iter().map(|(name, value)| format!("  {name:<width$}  {value}")));
    lines
}

fn held_lines(page: &Json) -> Vec<String> {
    if page["total"] == 0 {
        return vec!["nothing is held".to_owned()];
    }
    let at = page["sendsAt"].as_str().map_or(String::new(), |at| format!("; the next one is sent at {at}"));
    let mut lines = vec![
        format!("{} signals are held by {}{at}", text_of(&page["total"]), text_of(&page["reason"])),
        String::new(),
    ];
    let signals = items(&page["signals"]);
    let row = |one: &Json| ["place", "at", "identifier", "reason", "key"].map(|name| text_of(&one[name])).to_vec();
    let head = [("place", true), ("at", false), ("identifier", false), ("why", false), ("key", false)];
    lines.extend(Table::of(&head, &signals.iter().map(row).collect::<Vec<_>>()));
    lines.push(format!("{} of {}; --release sends them, --drop forgets them", signals.len(), text_of(&page["total"])));
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn trigger() -> Json {
        json!({
            "id": "LONG_WAIT", "name": "Waits too long", "record": "ORDER", "class": "T", "cost": "touched cases",
            "cadence": "at each commit", "matched": 12, "itemLimit": 10_000, "fired": 40, "held": 3, "shadowed": 0,
            "shadow": false, "waiting": 2, "nextDeadline": "2026-03-09T12:00:00.000Z", "restsUntil": null,
            "sendsAt": "2026-03-09T08:01:00.000Z", "evaluatedAt": "2026-03-09T08:00:00.000Z", "commit": 7,
            "fields": [{ "id": "ID", "type": "STRING", "unit": null }, { "id": "HOURS", "type": "FLOAT", "unit": "h" }],
        })
    }

    #[test]
    fn triggers_are_listed_and_shown() {
        let state = json!({
            "model": "p.late", "version": 3, "state": "detached", "reason": "a division went wrong",
            "againAt": "2026-03-09T08:00:04.000Z", "now": "2026-03-09T08:30:00.000Z", "evaluatedAt": "2026-03-09T08:00:00.000Z", "commit": 7, "head": 9,
            "triggers": [trigger()],
        });
        expect![[r"
            p.late, version 3, is detached; its clock shows 2026-03-09T08:30:00.000Z
            evaluated last at 2026-03-09T08:00:00.000Z, up to commit 7 of 9
            a division went wrong; it is tried again at 2026-03-09T08:00:04.000Z

            trigger    class  matched  waiting  fired  held  shadowed  next deadline
            ─────────  ─────  ───────  ───────  ─────  ────  ────────  ────────────────────────
            LONG_WAIT  T           12        2     40     3         0  2026-03-09T12:00:00.000Z

            LONG_WAIT: touched cases"]]
        .assert_eq(&state_lines(&state).join("\n"));
        expect![[r"
            LONG_WAIT
              name           Waits too long
              watches        ORDER
              shows          ID (STRING), HOURS (FLOAT, h)
              class          T, threshold
              cost           touched cases
              cadence        at each commit
              matched        12 of at most 10000
              fired          40
              evaluated      at 2026-03-09T08:00:00.000Z up to commit 7
              next deadline  2026-03-09T12:00:00.000Z
              waiting        2 satisfy it and wait, because the matched set is full: see itemLimit
              held           3 by a cap, the next one until 2026-03-09T08:01:00.000Z: see `loopwright held`"]]
        .assert_eq(&trigger_lines(&trigger()).join("\n"));
    }

    #[test]
    fn what_is_held_is_listed() {
        let page = json!({
            "total": 3, "reason": "a cap", "sendsAt": "2026-03-09T08:01:00.000Z",
            "signals": [{ "place": 4, "at": "2026-03-09T08:00:00.000Z", "identifier": "7", "reason": "data", "key": "T/7/1" }],
        });
        expect![[r"
            3 signals are held by a cap; the next one is sent at 2026-03-09T08:01:00.000Z

            place  at                        identifier  why   key
            ─────  ────────────────────────  ──────────  ────  ─────
                4  2026-03-09T08:00:00.000Z  7           data  T/7/1
            1 of 3; --release sends them, --drop forgets them"]]
        .assert_eq(&held_lines(&page).join("\n"));
    }
}
