//! The server's side of a task's process: start it or adopt it, wait for its
//! end, ask it to end.
//!
//! Starting and adopting are one act, because after a crash nobody can tell
//! which of them is due: [`attend`] starts a supervisor where nobody has
//! claimed the task, and waits for whoever has. Waiting for a child costs
//! nothing: the runtime is told of its end. An adopted process is nobody's
//! child here, so it is looked for ten times a second: there are few of them,
//! only after a restart, and the ways of the system to be told (a pidfd in the
//! runtime's poller) cannot be had without `unsafe` today.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use crate::decide::{Ending, How};
use crate::folder::{ExitFile, Identity, Processes, TaskFolder};
use crate::output;

/// How often an adopted process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes sure that a task runs, once, and waits until it is over.
pub(crate) async fn attend(folder: TaskFolder, supervisor: Vec<OsString>) -> Ending {
    if folder.claim().is_none()
        && folder.exit().is_none()
        && let Err(error) = run_supervisor(&folder, &supervisor).await
    {
        forget_secrets(&folder);
        return ending(&folder, How::NotStarted(error), None);
    }
    // Ours may have found that another supervisor, from before a restart, was faster.
    if folder.exit().is_none()
        && let Some(claim) = folder.claim()
    {
        wait_for(&claim).await;
    }
    forget_secrets(&folder);
    match (folder.exit(), folder.claim()) {
        (Some(exit), _) => {
            let ran = Duration::from_millis(exit.ran_ms);
            ending(&folder, how(exit), Some(ran))
        }
        (None, Some(_)) => {
            end_orphans(&folder);
            ending(&folder, How::Gone, None)
        }
        (None, None) => ending(&folder, How::NotStarted("its supervisor did not take it up".into()), None),
    }
}

/// Asks a task's process to end, or kills it. It has a whole process group;
/// and should it not be there yet, it finds word in its folder.
pub(crate) fn stop(folder: &TaskFolder, signal: Signal) -> io::Result<()> {
    folder.ask_to_stop()?;
    let Some(processes) = folder.processes() else { return Ok(()) };
    signal_group(&processes.task, signal);
    Ok(())
}

async fn run_supervisor(folder: &TaskFolder, supervisor: &[OsString]) -> Result<(), String> {
    let Some((program, arguments)) = supervisor.split_first() else {
        return Err("no supervisor is configured".into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .arg(&folder.path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("supervisor \"{}\": {error}", program.display()))?;
    child.wait().await.map(drop).map_err(|error| error.to_string())
}

/// Waits until a process is over that is not our child.
async fn wait_for(identity: &Identity) {
    while !identity.is_gone() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Makes sure that no secret stays on disk. The supervisor does so at once; but
/// around a restart two servers may have written the file one after the other.
pub(crate) fn forget_secrets(folder: &TaskFolder) {
    if let Err(error) = folder.forget_all_secrets() {
        tracing::warn!(folder = %folder.path.display(), %error, "secrets of a task stay on disk");
    }
}

/// A supervisor that was killed leaves the process without anyone to tell of
/// its end; the attempt has failed, so the process must not go on.
fn end_orphans(folder: &TaskFolder) {
    let Some(Processes { supervisor, task }) = folder.processes() else { return };
    if let Some(group) = Pid::from_raw(task.pid).filter(|_| task.is_alive() || task.has_left_a_group(&supervisor)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn signal_group(leader: &Identity, signal: Signal) {
    if let Some(group) = Pid::from_raw(leader.pid).filter(|_| leader.is_alive()) {
        // It may just have ended.
        let _ = kill_process_group(group, signal);
    }
}

fn how(exit: ExitFile) -> How {
    match (exit.not_started, exit.code, exit.signal) {
        (Some(why), _, _) => How::NotStarted(why),
        (None, Some(code), _) => How::Exited(code),
        (None, None, Some(signal)) => How::Signaled(signal),
        (None, None, None) => How::Gone,
    }
}

fn ending(folder: &TaskFolder, how: How, ran: Option<Duration>) -> Ending {
    let (error, error_trace) = match how {
        How::Exited(0) | How::NotStarted(_) | How::Done(_) | How::Refused(_) => (None, None),
        _ => output::exception(folder).unwrap_or_default(),
    };
    // For a process that did not end by itself, its last words are not the reason.
    let error = error.filter(|_| matches!(how, How::Exited(_)));
    let values = output::values(folder).unwrap_or_default();
    Ending { how, ran, error, error_trace, values }
}
