//! `demo`: the closed loop on a real event log, through the public surface.
//!
//! The demo is a client and a supervisor. It starts the server as a child,
//! pushes the log (history first, then live on the replay clock), watches the
//! signals arrive at its own receiver and the flow act on each, kills the
//! server in the middle of a job, starts it again, and in the end believes
//! only what it reads back.

pub(crate) mod example;
pub(crate) mod receiver;
mod replay;
mod report;
pub(crate) mod server;
mod story;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use clap::Args;

use crate::cli::say;
use receiver::Receiver;
use server::{Server, ServerPlan};
use story::Story;

#[derive(Args)]
pub(crate) struct DemoFlags {
    /// The data folder; a new one under the system's temporary folder if not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where the API and the browser UI listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the local workspace listens.
    #[arg(long, default_value = "127.0.0.1:8081")]
    workspace_listen: SocketAddr,
    /// End after the loop was closed and verified, on free ports.
    #[arg(long)]
    once: bool,
    /// Write what was verified to this file, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Plays the example to its end and reports; with `--once` it then stops,
/// else the server stays up for the browser.
pub(crate) async fn run(flags: DemoFlags) -> Result<()> {
    let begun = Instant::now();
    let (data, temporary) = match &flags.data {
        Some(data) => (data.clone(), false),
        None => (std::env::temp_dir().join(format!("loopwright-demo-{}", std::process::id())), true),
    };
    std::fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let receiver = Receiver::start().await?;
    let plan = ServerPlan {
        data: data.clone(),
        listen: if flags.once { any } else { flags.listen },
        workspace_listen: if flags.once { any } else { flags.workspace_listen },
        app_key: Secret::new(format!("demo:{}", random_text()?)),
        workspace_token: Secret::new(format!("dapi{}", random_text()?)),
        receiver: receiver.address(),
    };
    let server = Server::start(plan.clone()).await?;
    say(&format!("the server listens on {}", server.url()));
    if !flags.once {
        say(&format!("sign in there with the app key  {}", plan.app_key.expose()));
    }

    let (server, report) = Story::begin(server, &plan, receiver).await?.tell().await?;
    say(&report.summary(begun.elapsed()));
    if let Some(path) = &flags.report {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let holds = report.holds();
    if flags.once {
        server.stop().await?;
    } else {
        stay(server, &plan).await?;
    }
    if temporary {
        // It is only the demo's own; a folder that cannot be removed is no failure.
        let _ = std::fs::remove_dir_all(&data);
    }
    if !holds {
        bail!("the loop was not closed as it should be");
    }
    Ok(())
}

/// Leaves the server up until the person ends the demo.
async fn stay(mut server: Server, plan: &ServerPlan) -> Result<()> {
    say(&format!("the server stays up on {}; sign in with  {}", server.url(), plan.app_key.expose()));
    say("press Ctrl-C to end the demo");
    tokio::select! {
        ended = server.ended() => return ended,
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be listened to")?,
    }
    server.stop().await
}

/// Makes a credential that nobody can guess.
pub(crate) fn random_text() -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).context("the operating system has no random bytes")?;
    Ok(BASE64.encode(bytes))
}
