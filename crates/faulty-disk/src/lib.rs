//! A disk that fails on purpose, under SQLite.
//!
//! A [`Disk`] stands between SQLite and one folder. SQLite sees an ordinary
//! disk: locks, shared memory and several connections work, because all of it
//! is passed on to the operating system. Meanwhile the disk keeps account of
//! what a real one would have promised: what was *synced* is durable, what was
//! written since may be lost, kept, or kept in part. It fails when told:
//!
//! * a *crash* strikes at the Nth write, sync, cut or delete. From then on
//!   everything that would change a file fails, so that the program under test
//!   comes to its end, and [`Disk::after_crash`] lays into another folder what
//!   such a crash leaves behind;
//! * a *broken* operation fails with an I/O error, once. What a failed sync was
//!   to make durable is gone, and no later sync brings it back; each handle
//!   that was open on the file hears of it at its own next sync, as on Linux;
//! * a *full* disk lets nothing grow, and is as good as before when there is
//!   room again;
//! * reads of a place return one *flipped bit*;
//! * a *lying* disk says that it has synced and has not.
//!
//! ```ignore
//! let disk = Disk::at(folder)?;
//! let db = Db::open_sqlite(folder, &[MIGRATIONS], Options { vfs: Some(faulty_disk::VFS.into()), ..Options::default() })?;
//! disk.plan(Fault::Crash, Point::Sync, 3);
//! …
//! drop(db);
//! disk.after_crash(other_folder, &chance)?;
//! ```
//!
//! The same seed and the same operations give the same faults and the same
//! remains. Only tests use this crate. It never sees a row; whether the program
//! kept its promises is for the test to say.

mod content;
// The only chapter with `unsafe`: the functions that SQLite calls.
#[expect(unsafe_code, reason = "SQLite calls its file system through C function pointers")]
mod vfs;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use base::Chance;
use parking_lot::Mutex;

use content::{Change, Content, Survival};

pub use content::Remains;

/// The name under which SQLite knows this file system, for
/// `base::db::Options::vfs`. Folders without a [`Disk`] are not touched by it.
pub const VFS: &str = "faulty-disk";

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Bytes are written.
    Write,
    /// What was written is made durable.
    Sync,
    /// The file's end is moved.
    Cut,
    /// The file is removed.
    Delete,
    /// Bytes are read. No crash is planned for that: it changes nothing.
    Read,
}

/// What can happen at a [`Point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine is gone, in the middle of it.
    Crash,
    /// An I/O error, once.
    Broken,
}

/// What was done to a disk, and what it did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Writes that went through.
    pub writes: u64,
    /// Syncs that went through.
    pub syncs: u64,
    /// Operations that failed with an I/O error by plan.
    pub broken: u64,
    /// Writes that found the disk full.
    pub full: u64,
    /// Reads that returned a flipped bit.
    pub flipped: u64,
}

/// A folder on a disk that fails on purpose.
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Entry>,
    plan: Option<Plan>,
    /// Where the crash struck, if it was planned for an operation.
    crashed: Option<Point>,
    /// Nothing changes any more.
    dead: bool,
    /// The last operation was the one that the crash struck.
    fresh_crash: bool,
    full: bool,
    lying: bool,
    flip: Option<Flip>,
    tally: Tally,
}

/// A name in the folder. What a crash may bring back in its place is what the
/// folder held when it was last synced.
#[derive(Default)]
struct Entry {
    now: Option<Content>,
    /// The name stands in the durable folder as it does in the present one.
    linked: bool,
    before: Option<Content>,
    /// Syncs that failed.
    failed_syncs: u64,
}

struct Plan {
    fault: Fault,
    point: Point,
    /// Nothing: every file.
    file: Option<String>,
    /// Operations of this kind that still go through.
    left: u64,
}

struct Flip {
    file: String,
    at: u64,
    bit: u8,
}

/// What an operation comes to.
enum Verdict {
    Goes,
    Fails,
    Full,
}

/// All disks, by their folder.
static DISKS: LazyLock<Mutex<HashMap<PathBuf, Arc<Disk>>>> = LazyLock::new(Mutex::default);

impl Disk {
    /// Lays a disk under a folder; what lies there already is durable. It stays
    /// until [`Disk::remove`].
    pub fn at(folder: &Path) -> io::Result<Arc<Disk>> {
        vfs::register();
        let folder = folder.canonicalize()?;
        let mut files = BTreeMap::new();
        for file in std::fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let content = Content::durable(std::fs::read(file.path())?);
            files.insert(name, Entry { now: Some(content), linked: true, ..Entry::default() });
        }
        let disk = Arc::new(Disk { folder: folder.clone(), state: Mutex::new(State { files, ..State::default() }) });
        DISKS.lock().insert(folder, disk.clone());
        Ok(disk)
    }

    /// Takes the disk away; its files stay as the operating system has them.
    pub fn remove(&self) {
        DISKS.lock().remove(&self.folder);
    }

    // Faults.

    /// Plans a fault for the `nth` operation of a kind from now on, beginning
    /// with 1. A plan replaces the one before.
    pub fn plan(&self, fault: Fault, point: Point, nth: u64) {
        self.state.lock().plan = Some(Plan { fault, point, file: None, left: nth.saturating_sub(1) });
    }

    /// Does so for the operations on one file.
    pub fn plan_for(&self, file: &str, fault: Fault, point: Point, nth: u64) {
        let plan = Plan { fault, point, file: Some(file.to_owned()), left: nth.saturating_sub(1) };
        self.state.lock().plan = Some(plan);
    }

    /// Tells whether a fault is planned that has not struck yet.
    pub fn has_plans(&self) -> bool {
        self.state.lock().plan.is_some()
    }

    /// Lets no file grow, or gives room again.
    pub fn fill(&self, full: bool) {
        self.state.lock().full = full;
    }

    /// From now on syncs are answered and not done.
    pub fn lie(&self) {
        self.state.lock().lying = true;
    }

    /// Flips one bit of a byte of a file in every read that covers it, until
    /// [`Disk::mend`].
    pub fn flip(&self, file: &str, at: u64, bit: u8) {
        self.state.lock().flip = Some(Flip { file: file.to_owned(), at, bit: bit % 8 });
    }

    /// Tells whether the machine is gone: nothing changes any more.
    pub fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// Lets reads be sound again.
    pub fn mend(&self) {
        self.state.lock().flip = None;
    }

    /// Brings the crash about now, between two operations.
    pub fn crash(&self) {
        self.state.lock().dead = true;
    }

    // What came of it.

    /// Tells at which operation the crash struck, if one was planned and has.
    pub fn crashed(&self) -> Option<Point> {
        self.state.lock().crashed
    }

    /// Returns the counts so far.
    pub fn tally(&self) -> Tally {
        self.state.lock().tally.clone()
    }

    /// Lays into `folder` what a crash at this moment leaves behind: all that is
    /// durable, and a choice of the rest by `chance`.
    pub fn after_crash(&self, folder: &Path, chance: &dyn Chance) -> io::Result<Remains> {
        let state = self.state.lock();
        let mut remains = Remains::default();
        // One crash treats all files alike: a disk that keeps its order keeps
        // it over files, too.
        let survival = Survival::draw(chance);
        for (name, entry) in &state.files {
            let keeps_name = entry.linked || survival.keeps(chance);
            let content = if keeps_name { &entry.now } else { &entry.before };
            let Some(content) = content else { continue };
            std::fs::write(folder.join(name), content.after_crash(survival, chance, &mut remains))?;
        }
        Ok(remains)
    }
}

/// Finds the disk under a file, and the file's name on it.
fn find(path: &Path) -> Option<(Arc<Disk>, String)> {
    let disk = DISKS.lock().get(path.parent()?)?.clone();
    Some((disk, path.file_name()?.to_string_lossy().into_owned()))
}

/// What the file system tells the disk.
impl Disk {
    /// Makes the file if there is none, and returns how many of its syncs have
    /// failed.
    fn opened(&self, name: &str) -> u64 {
        let mut state = self.state.lock();
        let entry = state.files.entry(name.to_owned()).or_default();
        if entry.now.is_none() {
            entry.now = Some(Content::default());
            entry.linked = false;
        }
        entry.failed_syncs
    }

    fn write(&self, name: &str, at: u64, bytes: &[u8]) -> Verdict {
        let mut state = self.state.lock();
        let Some(content) = state.files.get_mut(name).and_then(|entry| entry.now.as_mut()) else {
            return Verdict::Goes;
        };
        let grows = content.len() < at + bytes.len() as u64;
        match state.meets(name, Point::Write) {
            Verdict::Goes if state.full && grows => {
                state.tally.full += 1;
                Verdict::Full
            }
            Verdict::Goes => {
                state.tally.writes += 1;
                state.change(name, Change::Write { at, bytes: bytes.to_vec() });
                Verdict::Goes
            }
            verdict => {
                if state.fresh_crash {
                    // The bytes were on their way; some of them may arrive.
                    state.change(name, Change::Write { at, bytes: bytes.to_vec() });
                }
                verdict
            }
        }
    }

    fn cut(&self, name: &str, to: u64) -> Verdict {
        let mut state = self.state.lock();
        let verdict = state.meets(name, Point::Cut);
        if let Verdict::Goes = verdict {
            state.change(name, Change::Cut { to });
        }
        verdict
    }

    /// Syncs a file through a handle that was told of so many failed syncs.
    fn sync(&self, name: &str, told: &AtomicU64) -> Verdict {
        let mut state = self.state.lock();
        let failed = state.files.get(name).map_or(0, |entry| entry.failed_syncs);
        if told.swap(failed, Ordering::SeqCst) < failed {
            // What the other handle's sync lost may have been written by this one.
            return Verdict::Fails;
        }
        match state.meets(name, Point::Sync) {
            Verdict::Goes if state.lying => Verdict::Goes,
            Verdict::Goes => {
                state.tally.syncs += 1;
                state.made_durable(name);
                Verdict::Goes
            }
            verdict => {
                // The operating system takes the pages for written from here on.
                if !state.dead
                    && let Some(entry) = state.files.get_mut(name)
                {
                    entry.failed_syncs += 1;
                    told.store(entry.failed_syncs, Ordering::SeqCst);
                    entry.now.iter_mut().for_each(Content::forget_pending);
                }
                verdict
            }
        }
    }

    fn delete(&self, name: &str, durably: bool) -> Verdict {
        let mut state = self.state.lock();
        let verdict = state.meets(name, Point::Delete);
        if let Verdict::Goes = verdict
            && let Some(entry) = state.files.get_mut(name)
        {
            let gone = entry.now.take();
            if entry.linked {
                entry.before = gone;
            }
            entry.linked = false;
            if durably {
                state.made_folder_durable();
            }
        }
        verdict
    }

    fn read(&self, name: &str, at: u64, bytes: &mut [u8]) -> Verdict {
        let mut state = self.state.lock();
        if !state.dead
            && let verdict @ (Verdict::Fails | Verdict::Full) = state.meets(name, Point::Read)
        {
            return verdict;
        }
        let Some(flip) = &state.flip else { return Verdict::Goes };
        let end = at + bytes.len() as u64;
        if flip.file == name && (at..end).contains(&flip.at) {
            bytes[(flip.at - at) as usize] ^= 1 << flip.bit;
            state.tally.flipped += 1;
        }
        Verdict::Goes
    }
}

impl State {
    fn meets(&mut self, name: &str, point: Point) -> Verdict {
        self.fresh_crash = false;
        if self.dead {
            return Verdict::Fails;
        }
        let is_meant = |plan: &&mut Plan| plan.point == point && plan.file.as_ref().is_none_or(|file| file == name);
        let Some(plan) = self.plan.as_mut().filter(is_meant) else { return Verdict::Goes };
        if plan.left > 0 {
            plan.left -= 1;
            return Verdict::Goes;
        }
        match plan.fault {
            Fault::Crash => (self.dead, self.fresh_crash, self.crashed) = (true, true, Some(point)),
            Fault::Broken => self.tally.broken += 1,
        }
        self.plan = None;
        Verdict::Fails
    }

    fn change(&mut self, name: &str, change: Change) {
        if let Some(content) = self.files.get_mut(name).and_then(|entry| entry.now.as_mut()) {
            content.change(change);
        }
    }

    /// Whoever syncs a new file has its folder synced as well.
    fn made_durable(&mut self, name: &str) {
        let Some(entry) = self.files.get_mut(name) else { return };
        if let Some(content) = entry.now.as_mut() {
            content.sync();
        }
        if !entry.linked {
            self.made_folder_durable();
        }
    }

    fn made_folder_durable(&mut self) {
        for entry in self.files.values_mut() {
            entry.before = None;
            entry.linked = true;
        }
        self.files.retain(|_, entry| entry.now.is_some());
    }
}

/// Folds the log of a database on a [`Disk`] back into its file, as a
/// checkpointer would: PASSIVE waits for nobody, RESTART lets the log begin
/// anew. Tells whether that succeeded.
pub fn checkpoint(database: &Path, anew: bool) -> Result<(), rusqlite::Error> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags_and_vfs(database, flags, VFS)?;
    let mode = if anew { "RESTART" } else { "PASSIVE" };
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

#[cfg(test)]
mod tests;
