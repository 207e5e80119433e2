//! A disk that stops, fills up or fails at any step, and forgets what was not
//! synced when the power goes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Chance;
use base::chance::SeededChance;
use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, RealDisk};

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The machine stops in the middle of the step.
    Stop,
    /// The step finds no room.
    Full,
    /// The step fails.
    Fail,
}

/// Which steps are counted for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Any,
    Write,
    Sync,
}

#[derive(Debug)]
enum Undo {
    /// The name was new.
    Appeared(PathBuf),
    /// The name was gone, or pointed to other content.
    Changed(PathBuf, Vec<u8>),
}

impl Undo {
    fn path(&self) -> &Path {
        let (Undo::Appeared(path) | Undo::Changed(path, _)) = self;
        path
    }
}

#[derive(Debug, Default)]
struct State {
    steps: u64,
    planned: Option<(Step, u64, Fault)>,
    stopped: bool,
    /// Length that would survive a power loss, by file.
    synced: BTreeMap<PathBuf, u64>,
    /// What a power loss may undo, by time.
    unsynced: Vec<Undo>,
}

/// The disk.
#[derive(Debug)]
pub(super) struct FaultyDisk {
    state: Arc<Mutex<State>>,
    dice: Arc<Dice>,
}

impl FaultyDisk {
    pub(super) fn new(seed: u64) -> Self {
        FaultyDisk { state: Arc::default(), dice: Arc::new(Dice(SeededChance::new(seed))) }
    }

    /// Plans a fault at the n-th step from now, counted from 1.
    pub(super) fn plan(&self, step: Step, number: u64, fault: Fault) {
        self.state.lock().planned = Some((step, number, fault));
    }

    /// Returns how many steps there were.
    pub(super) fn steps(&self) -> u64 {
        self.state.lock().steps
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Turns the power off and on: what was not synced may be gone, wholly or
    /// in part.
    pub(super) fn lose_power(&self) {
        let mut state = self.state.lock();
        state.planned = None;
        state.stopped = false;
        for (path, synced) in std::mem::take(&mut state.synced) {
            let Ok(file) = fs::OpenOptions::new().write(true).open(&path) else { continue };
            let length = file.metadata().expect("an open file has a length").len();
            if length > synced {
                let kept = synced + self.dice.below(length - synced + 1);
                file.set_len(kept).expect("a test's file can be cut");
            }
        }
        let mut unsynced = std::mem::take(&mut state.unsynced);
        let undone = self.dice.below(unsynced.len() as u64 + 1) as usize;
        for undo in unsynced.drain(unsynced.len() - undone..).rev() {
            match undo {
                Undo::Appeared(path) => drop(fs::remove_file(path)),
                Undo::Changed(path, content) => fs::write(path, content).expect("a test's file can be restored"),
            }
        }
    }
}

struct Dice(SeededChance);

impl Dice {
    fn below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dice")
    }
}

/// A step that a fault hit.
struct Hit {
    error: io::Error,
    /// It was under way, and part of it may have happened.
    partly: bool,
}

impl State {
    /// Counts a step, and says if a fault hits it.
    fn step(&mut self, kind: Step) -> Result<(), Hit> {
        let stopped = || io::Error::other("the machine has stopped");
        if self.stopped {
            return Err(Hit { error: stopped(), partly: false });
        }
        self.steps += 1;
        let Some((counted, left, fault)) = &mut self.planned else { return Ok(()) };
        if *counted != Step::Any && *counted != kind {
            return Ok(());
        }
        *left -= 1;
        if *left > 0 {
            return Ok(());
        }
        let error = match fault {
            Fault::Stop => {
                self.stopped = true;
                stopped()
            }
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::Fail => io::Error::other("the disk failed"),
        };
        self.planned = None;
        Err(Hit { error, partly: true })
    }

    fn plain_step(&mut self) -> io::Result<()> {
        self.step(Step::Any).map_err(|hit| hit.error)
    }

    fn changing(&mut self, path: &Path) {
        self.unsynced.push(match fs::read(path) {
            Ok(content) => Undo::Changed(path.to_owned(), content),
            Err(_) => Undo::Appeared(path.to_owned()),
        });
    }
}

impl Disk for FaultyDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.state.lock().plain_step()?;
        RealDisk.make_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.plain_step()?;
        let file = RealDisk.create(path)?;
        state.unsynced.push(Undo::Appeared(path.to_owned()));
        state.synced.insert(path.to_owned(), 0);
        Ok(self.file(path, 0, file))
    }

    fn open_end(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.plain_step()?;
        let file = RealDisk.open_end(path)?;
        let length = fs::metadata(path)?.len();
        state.synced.entry(path.to_owned()).or_insert(length);
        Ok(self.file(path, length, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.plain_step()?;
        state.changing(to);
        RealDisk.rename(from, to)?;
        if let Some(synced) = state.synced.remove(from) {
            state.synced.insert(to.to_owned(), synced);
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.plain_step()?;
        RealDisk.link(from, to)?;
        state.unsynced.push(Undo::Appeared(to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.plain_step()?;
        state.changing(path);
        state.synced.remove(path);
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(Step::Sync).map_err(|hit| hit.error)?;
        state.unsynced.retain(|undo| undo.path().parent() != Some(path));
        Ok(())
    }
}

impl FaultyDisk {
    fn file(&self, path: &Path, length: u64, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let (state, dice) = (self.state.clone(), self.dice.clone());
        Box::new(FaultyFile { state, dice, path: path.to_owned(), length, file })
    }
}

#[derive(Debug)]
struct FaultyFile {
    state: Arc<Mutex<State>>,
    dice: Arc<Dice>,
    path: PathBuf,
    length: u64,
    file: Box<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let hit = self.state.lock().step(Step::Write).err();
        let written = match &hit {
            None => bytes.len(),
            Some(hit) if hit.partly => self.dice.below(bytes.len() as u64 + 1) as usize,
            Some(_) => 0,
        };
        self.file.write(&bytes[..written])?;
        self.length += written as u64;
        hit.map_or(Ok(()), |hit| Err(hit.error))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step(Step::Sync).map_err(|hit| hit.error)?;
        state.synced.insert(self.path.clone(), self.length);
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.plain_step()?;
        self.file.cut(length)?;
        self.length = length;
        let synced = state.synced.get(&self.path).copied().unwrap_or(0);
        state.synced.insert(self.path.clone(), synced.min(length));
        Ok(())
    }
}
