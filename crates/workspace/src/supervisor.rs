//! The process above a task's process.
//!
//! It leads a session of its own, so that neither the end of the server nor
//! that of a terminal reaches it, and it does little: it claims the task,
//! starts the process in a process group of its own, takes secrets out of what
//! it prints, and leaves the exit status in a file. All it knows stands in the
//! task's folder (see `folder`), and all it has to say
//! goes there.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit, setsid};

use crate::folder::{ExitFile, Identity, Limits, Processes, Stream, TaskFile, TaskFolder};
use crate::redact::Redactor;

/// After so many bytes a log is put aside and a new one begun, so that a
/// chatty task cannot fill the disk: what is kept is at least the last so many.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long output is waited for after the process has ended: something that
/// left the group may still hold the other end.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// Runs the task that is described in a folder, and returns when it is over.
///
/// The program calls this behind a hidden verb, in a process of its own: see
/// [`Options::supervisor`](crate::Options::supervisor).
pub fn supervise(folder: &Path) -> ExitCode {
    // It fails for the leader of a group, who already stands apart.
    let _ = setsid();
    let folder = TaskFolder::at(folder);
    let own = Identity::of(std::process::id() as i32);
    let Some(own) = own else { return ExitCode::FAILURE };
    match folder.make_claim(&own) {
        Ok(true) => {}
        // Another supervisor has the task: that is how a start happens once.
        Ok(false) => return ExitCode::SUCCESS,
        Err(_) => return ExitCode::FAILURE,
    }
    let exit = run(&folder, own).unwrap_or_else(|error| not_started(&error.to_string()));
    match folder.set_exit(&exit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn not_started(why: &str) -> ExitFile {
    ExitFile { not_started: Some(why.to_owned()), ..ExitFile::default() }
}

fn run(folder: &TaskFolder, supervisor: Identity) -> io::Result<ExitFile> {
    let task = folder.task()?;
    if folder.is_asked_to_stop() {
        folder.forget_secrets(&task)?;
        return Ok(not_started("it was asked to stop before"));
    }
    let begin = Instant::now();
    let started = start(&task);
    // If this fails, the server does it when the task is over.
    let _ = folder.forget_secrets(&task);
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Ok(not_started(&format!("\"{}\": {error}", task.program))),
    };
    let group = Pid::from_child(&child);
    limit(group, task.limits);
    say(&mut child, task.input.clone());
    let outputs =
        tell_who_runs(folder, supervisor, group).and_then(|()| Outputs::follow(folder, &mut child, &task.secrets));
    if outputs.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
    } else if folder.is_asked_to_stop() {
        // Whoever asked in the meantime did not find the pid yet.
        let _ = kill_process_group(group, Signal::TERM);
    }
    let status = child.wait()?;
    let ran_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    // What the process left behind in its group ends with it.
    let _ = kill_process_group(group, Signal::KILL);
    outputs?.wait();
    Ok(ExitFile { code: status.code(), signal: status.signal(), not_started: None, ran_ms })
}

/// Leaves the pids before any output: whoever sees a line can find the process.
fn tell_who_runs(folder: &TaskFolder, supervisor: Identity, group: Pid) -> io::Result<()> {
    match Identity::of(group.as_raw_pid()) {
        Some(task) => folder.set_processes(&Processes { supervisor, task }),
        // It is over already.
        None => Ok(()),
    }
}

fn start(task: &TaskFile) -> io::Result<Child> {
    Command::new(&task.program)
        .args(&task.arguments)
        .current_dir(&task.directory)
        .env_clear()
        .envs(&task.environment)
        .process_group(0)
        .stdin(if task.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Writes the input, in a thread: a process need not read it.
fn say(child: &mut Child, input: String) {
    if let Some(mut pipe) = child.stdin.take() {
        let thread = std::thread::Builder::new().name("stdin".into());
        // It ends with the process, whose end of the pipe is then closed.
        let _ = thread.spawn(move || pipe.write_all(input.as_bytes()));
    }
}

/// Sets what a process may use, and with it those that it starts. It has run
/// for a moment by then, which is too short to use up any of it.
fn limit(process: Pid, limits: Limits) {
    let all = [
        (Resource::As, limits.memory_bytes),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nofile, limits.open_files),
    ];
    for (resource, most) in all.into_iter().filter(|(_, most)| *most > 0) {
        // It may be over already.
        let _ = prlimit(Some(process), resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}

/// The threads that carry the output into files.
struct Outputs {
    done: mpsc::Receiver<()>,
}

impl Outputs {
    fn follow(folder: &TaskFolder, child: &mut Child, secrets: &[String]) -> io::Result<Self> {
        let (tell, done) = mpsc::channel();
        let stdout = child.stdout.take().map(|pipe| (Stream::Stdout, Box::new(pipe) as Box<dyn Read + Send>));
        let stderr = child.stderr.take().map(|pipe| (Stream::Stderr, Box::new(pipe) as Box<dyn Read + Send>));
        for (stream, pipe) in stdout.into_iter().chain(stderr) {
            let carrier = Carrier::new(folder, stream, secrets)?;
            let tell = tell.clone();
            std::thread::Builder::new().name(stream.file().into()).spawn(move || {
                carrier.carry(pipe);
                // Nobody listens once the grace is over.
                let _ = tell.send(());
            })?;
        }
        Ok(Outputs { done })
    }

    /// Waits for the end of both streams, but not for ever.
    fn wait(self) {
        for _ in 0..2 {
            if self.done.recv_timeout(OUTPUT_GRACE).is_err() {
                return;
            }
        }
    }
}

struct Carrier {
    folder: TaskFolder,
    stream: Stream,
    redactor: Redactor,
    log: std::fs::File,
    written: u64,
}

impl Carrier {
    fn new(folder: &TaskFolder, stream: Stream, secrets: &[String]) -> io::Result<Self> {
        let log = folder.open_log(stream)?;
        Ok(Carrier { folder: folder.clone(), stream, redactor: Redactor::new(secrets), log, written: 0 })
    }

    /// Carries until the end of the stream. A log that cannot be written is
    /// lost, but the process must not stall on it: so it goes on reading.
    fn carry(mut self, mut pipe: Box<dyn Read + Send>) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    let shown = self.redactor.push(&buffer[..length]);
                    let _ = self.write(&shown);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let rest = self.redactor.finish();
        let _ = self.write(&rest);
        let _ = self.log.sync_all();
    }

    fn write(&mut self, shown: &[u8]) -> io::Result<()> {
        if self.written > LOG_BYTES_MAX {
            self.folder.put_log_aside(self.stream)?;
            self.log = self.folder.open_log(self.stream)?;
            self.written = 0;
        }
        self.log.write_all(shown)?;
        self.written += shown.len() as u64;
        Ok(())
    }
}
