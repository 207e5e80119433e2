//! The folder of a task run: how a server and a supervisor tell each other
//! what they know, also when one of them is gone.
//!
//! | file | written by | says |
//! |---|---|---|
//! | `task.json` | server | what to run; once it runs, without its environment |
//! | `runner.py` | server | the program that runs a notebook or calls a package |
//! | `out/` | task | what it leaves beside its output: see [`Left`] |
//! | `claimed` | supervisor | who runs it; made only once, by a hard link |
//! | `pid` | supervisor | supervisor and process, each by pid, start time and boot |
//! | `stop` | server | that it is to end, should it only be about to begin |
//! | `stdout.log`, `stderr.log` | supervisor | what it printed, without secrets |
//! | `exit.json` | supervisor | how it ended; there is no half of it |
//!
//! A pid alone names nobody, because the system uses it again. With the start
//! time (field 22 of `/proc/PID/stat`) and the number of the boot it does.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a supervisor has to run.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskFile {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    /// What must not be seen in the output.
    pub(crate) secrets: Vec<String>,
    /// What it finds on its standard input; may hold secrets.
    #[serde(default)]
    pub(crate) input: String,
    /// A program that is put into the folder as `runner.py`.
    #[serde(default)]
    pub(crate) runner: Option<String>,
    /// What it may use.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// What each process of a task may use; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory that it may ask for.
    pub memory_bytes: u64,
    /// Seconds that it may compute.
    pub cpu_seconds: u64,
    /// Files that it may have open.
    pub open_files: u64,
}

/// What a task leaves beside its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Values for the tasks behind it, as a JSON object.
    Values,
    /// What a notebook ended with.
    Exit,
    /// The notebook, as it ran.
    Source,
}

impl Left {
    fn file(self) -> &'static str {
        match self {
            Left::Values => "values.json",
            Left::Exit => "exit.txt",
            Left::Source => "source.txt",
        }
    }
}

/// Names a process beyond its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// In ticks since the boot.
    pub(crate) start: u64,
    pub(crate) boot: String,
}

/// The processes of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Processes {
    pub(crate) supervisor: Identity,
    /// Leads a process group of its own.
    pub(crate) task: Identity,
}

/// How a task's process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitFile {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// Why there never was a process.
    pub(crate) not_started: Option<String>,
    pub(crate) ran_ms: u64,
}

/// One of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub(crate) fn file(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout.log",
            Stream::Stderr => "stderr.log",
        }
    }

    /// Where the beginning of a long output goes.
    pub(crate) fn older_file(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout.older.log",
            Stream::Stderr => "stderr.older.log",
        }
    }
}

impl Identity {
    /// Returns the identity of a process that is there now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Identity::found(pid).ok().flatten()
    }

    /// Tells whether that very process is still there, for sure.
    pub(crate) fn is_alive(&self) -> bool {
        Identity::of(self.pid).as_ref() == Some(self)
    }

    /// Tells whether that very process is gone, for sure.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone_by(&Identity::found(self.pid))
    }

    /// A look that failed (no file handle is left, say) tells nothing. A
    /// process that is taken for gone would be started beside itself.
    fn is_gone_by(&self, found: &io::Result<Option<Identity>>) -> bool {
        matches!(found, Ok(found) if found.as_ref() != Some(self))
    }

    /// Tells whether this process is over and others of its group are not. A
    /// number is not used again while a group bears it; that the group is the
    /// one which is meant, its session says, which the supervisor leads.
    pub(crate) fn has_left_a_group(&self, supervisor: &Identity) -> bool {
        let is_of_this_boot = Identity::of(std::process::id() as i32).is_some_and(|own| own.boot == self.boot);
        let Ok(all) = fs::read_dir("/proc") else { return false };
        let mut stats = all.flatten().filter_map(|entry| fs::read(entry.path().join("stat")).ok());
        is_of_this_boot
            && stats
                .any(|stat| group_and_session_in(&String::from_utf8_lossy(&stat)) == Some((self.pid, supervisor.pid)))
    }

    fn found(pid: i32) -> io::Result<Option<Self>> {
        let stat = match fs::read(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat,
            Err(error) if is_no_process(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A process may give itself any name, also one that is not UTF-8.
        let Some(start) = start_in(&String::from_utf8_lossy(&stat)) else { return Ok(None) };
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Some(Identity { pid, start, boot: boot.trim().to_owned() }))
    }
}

/// Such a process was not there, or ended while it was looked at.
fn is_no_process(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Takes the start time out of `/proc/PID/stat`, unless the process is over and
/// only waits for its parent to take notice. The name in the second field may
/// hold blanks and brackets.
fn start_in(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // The state is field 3, the start time field 22.
    fields.nth(18)?.parse().ok()
}

/// Takes the process group and the session out of `/proc/PID/stat`.
fn group_and_session_in(stat: &str) -> Option<(i32, i32)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    // The state is field 3, the group field 5, the session field 6.
    let mut fields = behind_name.split_whitespace().skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The folder of a task run.
#[derive(Clone, Debug)]
pub(crate) struct TaskFolder {
    pub(crate) path: PathBuf,
}

impl TaskFolder {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        TaskFolder { path: path.into() }
    }

    /// Makes the folder and writes what is to run, unless it is claimed
    /// already. Only its owner may read it.
    pub(crate) fn prepare(&self, task: &TaskFile) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        if self.claim().is_some() {
            return Ok(());
        }
        if let Some(runner) = &task.runner {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(self.out())?;
            fs::write(self.runner(), runner)?;
        }
        self.write("task.json", &TaskFile { runner: None, ..task.clone() })
    }

    /// Where the program lies that runs a notebook or calls a package.
    pub(crate) fn runner(&self) -> PathBuf {
        self.path.join("runner.py")
    }

    /// Where a task leaves what it has to say beside its output.
    pub(crate) fn out(&self) -> PathBuf {
        self.path.join("out")
    }

    /// Reads at most so many bytes of what a task has left, and tells whether
    /// there was more.
    pub(crate) fn left(&self, what: Left, bytes_max: u64) -> io::Result<Option<(Vec<u8>, bool)>> {
        let file = match File::open(self.out().join(what.file())) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_more = file.metadata()?.len() > bytes_max;
        let mut bytes = Vec::new();
        file.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(Some((bytes, is_more)))
    }

    pub(crate) fn task(&self) -> io::Result<TaskFile> {
        self.read("task.json")
    }

    /// Makes sure that no secret stays in the folder, in whatever state a
    /// server that is no more has left it.
    pub(crate) fn forget_all_secrets(&self) -> io::Result<()> {
        remove(&self.path.join("task.json.new"))?;
        match self.task() {
            Ok(task) if task.environment.is_empty() && task.secrets.is_empty() && task.input.is_empty() => Ok(()),
            Ok(task) => self.forget_secrets(&task),
            // Nobody can run what cannot be read.
            Err(_) => remove(&self.path.join("task.json")),
        }
    }

    /// Takes the environment and the secrets out of `task.json`.
    pub(crate) fn forget_secrets(&self, task: &TaskFile) -> io::Result<()> {
        let input = String::new();
        self.write("task.json", &TaskFile { environment: BTreeMap::new(), secrets: Vec::new(), input, ..task.clone() })
    }

    /// Claims the task for a process; false if another has it.
    pub(crate) fn make_claim(&self, identity: &Identity) -> io::Result<bool> {
        let own = self.path.join(format!("claimed.{}", identity.pid));
        write_synced(&own, &encode(identity)?)?;
        // A link fails if the name is taken, and what it names is whole.
        let linked = fs::hard_link(&own, self.path.join("claimed"));
        fs::remove_file(&own)?;
        match linked {
            Ok(()) => File::open(&self.path)?.sync_all().map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn claim(&self) -> Option<Identity> {
        self.read("claimed").ok()
    }

    pub(crate) fn set_processes(&self, processes: &Processes) -> io::Result<()> {
        self.write("pid", processes)
    }

    pub(crate) fn processes(&self) -> Option<Processes> {
        self.read("pid").ok()
    }

    /// Leaves word that the task is to end.
    pub(crate) fn ask_to_stop(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        File::create(self.path.join("stop")).map(drop)
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.path.join("stop").exists()
    }

    /// Leaves the result, which must survive the machine.
    pub(crate) fn set_exit(&self, exit: &ExitFile) -> io::Result<()> {
        let new = self.path.join("exit.json.new");
        write_synced(&new, &encode(exit)?)?;
        fs::rename(&new, self.path.join("exit.json"))?;
        File::open(&self.path)?.sync_all()
    }

    pub(crate) fn exit(&self) -> Option<ExitFile> {
        self.read("exit.json").ok()
    }

    /// Opens the log of a stream, to write at its end.
    pub(crate) fn open_log(&self, stream: Stream) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.path.join(stream.file()))
    }

    /// Puts a log aside that has become long; the one put aside before is lost.
    pub(crate) fn put_log_aside(&self, stream: Stream) -> io::Result<()> {
        fs::rename(self.path.join(stream.file()), self.path.join(stream.older_file()))
    }

    /// Reads at most the last `bytes` of a stream, and tells whether there was more.
    pub(crate) fn read_log(&self, stream: Stream, bytes: u64) -> io::Result<(Vec<u8>, bool)> {
        let (mut text, mut has_more) = end_of(&self.path.join(stream.file()), bytes)?;
        let left = bytes - text.len() as u64;
        let (mut older, older_has_more) = end_of(&self.path.join(stream.older_file()), left)?;
        has_more |= older_has_more;
        older.append(&mut text);
        Ok((older, has_more))
    }

    /// Reads on in a stream: whole letters only, and where to go on.
    pub(crate) fn read_on(&self, stream: Stream, from: u64, bytes_max: u64) -> io::Result<(String, u64)> {
        let mut file = match File::open(self.path.join(stream.file())) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((String::new(), 0)),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        // A new file was begun.
        let from = if from > length { 0 } else { from };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(bytes_max).read_to_end(&mut bytes)?;
        let whole = match std::str::from_utf8(&bytes) {
            // The rest of the last letter is still to come.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        Ok((String::from_utf8_lossy(&bytes[..whole]).into_owned(), from + whole as u64))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_slice(&fs::read(self.path.join(name))?)?)
    }

    /// Writes a file whole or not at all. It need not survive the machine:
    /// neither do the processes that it tells of.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let bytes = encode(value)?;
        let written = create(&new).and_then(|mut file| file.write_all(&bytes));
        written.and_then(|()| fs::rename(&new, self.path.join(name))).inspect_err(|_| {
            // Half of a file may be half of a secret.
            let _ = fs::remove_file(&new);
        })
    }
}

fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)
}

/// Removes a file; one that is not there is as good as removed.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads the end of a file; one that is not there is empty.
fn end_of(path: &Path, bytes: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok((text, start > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_in(&format!("42 (a) b) R) S {numbers}")), Some(4711));
        assert_eq!(start_in(&format!("42 (python3) Z {numbers}")), None);
        assert_eq!(start_in("nonsense"), None);
        assert_eq!(group_and_session_in(&format!("42 (a) b) R) S {numbers}")), Some((2, 3)));
    }

    #[test]
    fn a_process_is_itself_and_no_other() {
        let own = Identity::of(std::process::id() as i32).expect("this process is there");
        assert!(own.is_alive());
        assert!(!Identity { start: own.start + 1, ..own.clone() }.is_alive());
        let other = Identity { boot: "another".into(), ..own.clone() };
        assert!(!other.is_alive() && other.is_gone() && !own.is_gone());
        let no_handle_left = Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()));
        assert!(!own.is_gone_by(&no_handle_left), "a look that fails tells nothing");
        assert!(own.is_gone_by(&Ok(None)));
    }

    #[test]
    fn a_process_may_have_any_name() {
        use std::os::unix::ffi::OsStrExt;
        let place = tempfile::tempdir().expect("a temporary folder");
        let program = place.path().join(std::ffi::OsStr::from_bytes(b"\xff) R"));
        fs::copy("/bin/sleep", &program).expect("a program");
        let mut child = std::process::Command::new(&program).arg("60").spawn().expect("it starts");
        let identity = Identity::of(child.id() as i32);
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert!(identity.is_some_and(|identity| identity.is_gone()));
    }

    #[test]
    fn no_secret_stays_in_whatever_was_left_behind() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = TaskFolder::at(place.path());
        folder.forget_all_secrets().expect("nothing is there, nothing to do");
        let task = TaskFile { program: "sh".into(), secrets: vec!["geheim".into()], ..TaskFile::default() };
        folder.prepare(&task).expect("the folder is there");
        fs::write(place.path().join("task.json.new"), "{\"secrets\": [\"geh").expect("half of a file");
        folder.forget_all_secrets().expect("the folder is there");
        assert_eq!(folder.task().expect("a task").program, "sh");
        fs::write(place.path().join("task.json"), "{\"secrets\": [\"geh").expect("half of a file");
        folder.forget_all_secrets().expect("the folder is there");
        assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn only_one_can_claim_a_task() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = TaskFolder::at(place.path());
        let identity = |pid| Identity { pid, start: 1, boot: "b".into() };
        assert!(folder.make_claim(&identity(1)).expect("the folder is there"));
        assert!(!folder.make_claim(&identity(2)).expect("the folder is there"));
        assert_eq!(folder.claim(), Some(identity(1)));
    }
}
