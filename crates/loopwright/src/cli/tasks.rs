//! `tasks`: what flows ask people.

use anyhow::Result;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value as Json, json};

use super::explore::{items, text_of};
use super::table::Table;
use super::{ClientFlags, remark, say, short, time_of};
use crate::client::segment;

/// Tasks: what flows ask people, and their answers.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright tasks list\n  loopwright tasks approve ID --comment \"go ahead\"")]
pub(crate) struct TasksFlags {
    #[command(subcommand)]
    verb: TasksVerb,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Subcommand)]
enum TasksVerb {
    /// List those that somebody may answer.
    List {
        /// Those too that are answered or withdrawn.
        #[arg(long)]
        all: bool,
    },
    /// Show one, with the link at which anybody may answer it.
    Show {
        /// Its id.
        id: String,
    },
    /// Say yes.
    Approve {
        /// Its id.
        id: String,
        /// What there is to say.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Say no.
    Reject {
        /// Its id.
        id: String,
        /// What there is to say.
        #[arg(long, default_value = "")]
        comment: String,
    },
}

pub(super) async fn run(flags: TasksFlags) -> Result<()> {
    const ALL: &str = "/api/v1/tasks";
    let client = flags.client.client();
    let (id, decision, comment) = match flags.verb {
        TasksVerb::List { all } => {
            let tasks = client.get(&format!("{ALL}?state={}", if all { "all" } else { "open" })).await?;
            if items(&tasks).is_empty() {
                remark("nobody is asked anything");
                return Ok(());
            }
            for line in &lines(&tasks) {
                say(line);
            }
            return Ok(());
        }
        TasksVerb::Show { id } => {
            let task = client.get(&format!("{ALL}/{}", segment(&id))).await?;
            say(&serde_json::to_string_pretty(&task)?);
            return Ok(());
        }
        TasksVerb::Approve { id, comment } => (id, "approve", comment),
        TasksVerb::Reject { id, comment } => (id, "reject", comment),
    };
    let body = json!({"decision": decision, "comment": comment});
    let task = client.json(Method::POST, &format!("{ALL}/{}/answer", segment(&id)), Some(&body)).await?;
    remark(&format!(
        "\"{}\" is {}; run {} goes on",
        text_of(&task["title"]),
        text_of(&task["decision"]),
        text_of(&task["run"])
    ));
    Ok(())
}

fn lines(tasks: &Json) -> Vec<String> {
    let row = |task: &Json| {
        let stands = task["decision"].as_str().map_or_else(|| text_of(&task["state"]), str::to_owned);
        vec![
            text_of(&task["id"]),
            stands,
            short(&text_of(&task["title"]), 50),
            text_of(&task["assignee"]),
            text_of(&task["flow"]),
            time_of(&task["deadline"], true),
        ]
    };
    let rows: Vec<Vec<String>> = items(tasks).iter().map(row).collect();
    let heads = [("ID", false), ("STATE", false), ("TITLE", false), ("FOR", false), ("FLOW", false), ("UNTIL", false)];
    Table::of(&heads, &rows)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_list_shows_what_is_asked_of_whom() {
        let tasks = json!([
            {"id": "t-1", "state": "open", "title": "Expedite order 17?", "assignee": "purchasing", "flow": "late",
             "deadline": "2026-01-02T00:00:00.000Z", "decision": null},
            {"id": "t-2", "state": "answered", "title": "Pay?", "assignee": "", "flow": "pay", "deadline": null,
             "decision": "rejected"},
        ]);
        expect![[r"
            ID   STATE     TITLE               FOR         FLOW  UNTIL
            ───  ────────  ──────────────────  ──────────  ────  ────────────────────────
            t-1  open      Expedite order 17?  purchasing  late  2026-01-02T00:00:00.000Z
            t-2  rejected  Pay?                            pay"]]
        .assert_eq(&lines(&tasks).iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"));
    }
}
