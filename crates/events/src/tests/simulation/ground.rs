//! What a life stands on: SQLite on a disk that fails on purpose, or a
//! PostgreSQL whose sessions are killed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use base::chance::SeededChance;
use base::db::{self, Control, Db};
use base::testing::DatabaseGuard;
use faulty_disk::{Disk, Remains, VFS};

use super::*;

/// Where the books of a life are kept.
pub(super) enum Ground {
    Disk(Box<OnDisk>),
    Server(Arc<DatabaseGuard>),
}

/// A folder for each time that the engine is opened, on one disk after the other.
pub(super) struct OnDisk {
    home: tempfile::TempDir,
    openings: usize,
    pub(super) disk: Arc<Disk>,
    is_broken: Arc<AtomicBool>,
    chance: SeededChance,
}

/// The file of an empty database: making it anew for every seed would take
/// longer than its life.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let opened = Db::<Control>::open_sqlite(folder.path(), &[base::MIGRATIONS, MIGRATIONS], db::Options::default());
    drop(opened.expect("a new database opens"));
    std::fs::read(folder.path().join("control.db")).expect("it is one file when it is closed")
});

impl OnDisk {
    pub(super) fn build(seed: u64) -> (OnDisk, Db<Control>) {
        // What counts as durable is the faulty disk's to say, so the real one
        // need not be waited for.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
        let first = home.path().join("0");
        std::fs::create_dir(&first).expect("a folder");
        std::fs::write(first.join("control.db"), &*EMPTY).expect("a file");
        let disk = Disk::at(&first).expect("a disk");
        // Not the chance of the acts: how a crash ends must not change what follows.
        let chance = SeededChance::new(seed ^ 0xd15c);
        let on_disk = OnDisk { home, openings: 0, disk, is_broken: Arc::default(), chance };
        let db = on_disk.open().expect("an empty database opens");
        (on_disk, db)
    }

    fn open(&self) -> Result<Db<Control>, db::Error> {
        let told = self.is_broken.clone();
        let options = db::Options {
            // One thing at a time, so that a seed tells one story.
            readers: 1,
            fold_max: 1,
            // Checkpoints are acts of the simulation.
            checkpoint_pages: u32::MAX,
            vfs: Some(VFS.into()),
            on_broken_disk: Arc::new(move |_| told.store(true, Ordering::SeqCst)),
            ..db::Options::default()
        };
        Db::open_sqlite(&self.folder(), &[base::MIGRATIONS, MIGRATIONS], options)
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(self.openings.to_string())
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder().join("control.db")
    }

    /// Tells whether the program was told to end, or is no more.
    pub(super) fn has_ended(&self) -> bool {
        self.disk.is_dead() || self.is_broken.load(Ordering::SeqCst)
    }

    /// Opens what a crash leaves behind. The old database is still to be dropped.
    pub(super) fn crash(&mut self) -> (Db<Control>, Remains) {
        self.disk.crash();
        let old = self.disk.clone();
        self.openings += 1;
        std::fs::create_dir(self.folder()).expect("a folder");
        let remains = old.after_crash(&self.folder(), &self.chance).expect("the remains are written");
        old.remove();
        self.disk = Disk::at(&self.folder()).expect("a disk");
        self.is_broken = Arc::default();
        match self.open() {
            Ok(db) => (db, remains),
            Err(error) => broken(Property::Conservation, format!("what a crash left does not open: {error}")),
        }
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.disk.remove();
    }
}
