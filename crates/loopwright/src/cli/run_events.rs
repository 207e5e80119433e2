//! `run-events`: runs of flows or jobs as an event log, to be pushed and mined
//! like any other.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base::Timestamp;
use clap::{Args, ValueEnum};
use http::Method;

use super::explore::instant;
use super::{ClientFlags, remark};

/// Export the runs of flows or jobs as an event log in CSV.
///
/// A case is a run, an event an operation of a module or an attempt of a task.
#[derive(Args)]
#[command(after_help = "Example:\n  loopwright run-events flows --out FlowEvents.csv\n  \
                        loopwright push automation FlowEvents FlowEvents.csv --key EVENT --create-pool")]
pub(crate) struct RunEventsFlags {
    /// Runs of what.
    #[arg(value_enum)]
    of: Of,
    /// Only runs that started at this time or later.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Only runs of this flow.
    #[arg(long)]
    flow: Option<String>,
    /// The newest so many runs; of flows, per flow.
    #[arg(long)]
    limit: Option<u64>,
    /// The file to write; standard output if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Of {
    /// Action flows.
    Flows,
    /// Jobs of the local workspace.
    Jobs,
}

pub(super) async fn run(flags: RunEventsFlags) -> Result<()> {
    ensure!(flags.of == Of::Flows || flags.flow.is_none(), "--flow is for runs of flows; leave it out for jobs");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let more = [
        ("from", flags.from.map(|at| at.to_string())),
        ("flow", flags.flow.clone()),
        ("limit", flags.limit.map(|limit| limit.to_string())),
    ];
    for (name, value) in more {
        query.extend_pairs(value.map(|value| (name, value)));
    }
    let of = if flags.of == Of::Flows { "flows" } else { "jobs" };
    let path = format!("/api/v1/{of}/events.csv?{}", query.finish());
    let answer = flags.client.client().call(Method::GET, &path, None, bytes::Bytes::new()).await?;
    let csv = answer.successful(&Method::GET, &path)?;
    let events = csv.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count().saturating_sub(1);
    match &flags.out {
        Some(file) => {
            std::fs::write(file, &csv).with_context(|| format!("{} cannot be written", file.display()))?;
            remark(&format!("{events} lines of events are in {}", file.display()));
        }
        None => super::write(&String::from_utf8_lossy(&csv)),
    }
    if events == 0 {
        remark(match flags.of {
            Of::Flows => "no flow has run yet; see --from and --flow",
            Of::Jobs => "no job has run yet; see --from",
        });
    }
    Ok(())
}
