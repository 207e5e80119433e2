//! What a life stands on: SQLite on a disk that fails on purpose, or a
//! PostgreSQL that is emptied between lives.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use base::chance::SeededChance;
use base::db::{self, Db};
use base::testing::DatabaseGuard;
use faulty_disk::{Disk, Remains, VFS};

use super::report::{Property, broken};

/// Where the rows of a life are kept.
pub(super) enum Ground {
    Disk(Box<OnDisk>),
    Server { db: Db<db::Flows>, _guard: Arc<DatabaseGuard>, ended: Arc<AtomicBool> },
}

/// A folder for each time that the engine is opened, on one disk after the other.
pub(super) struct OnDisk {
    home: tempfile::TempDir,
    openings: usize,
    pub(super) disk: Arc<Disk>,
    ended: Arc<AtomicBool>,
    chance: SeededChance,
}

/// The file of an empty database: making it anew for every seed would take
/// longer than its life.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let opened =
        Db::<db::Flows>::open_sqlite(folder.path(), &[base::MIGRATIONS, crate::MIGRATIONS], db::Options::default());
    drop(opened.expect("a new database opens"));
    std::fs::read(folder.path().join("flows.db")).expect("it is one file when it is closed")
});

impl Ground {
    /// Lays an empty database onto a disk that fails by `seed`.
    pub(super) fn on_disk(seed: u64) -> (Ground, Db<db::Flows>) {
        // What counts as durable is the faulty disk's to say, so the real one
        // need not be waited for.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
        let first = home.path().join("0");
        std::fs::create_dir(&first).expect("a folder");
        std::fs::write(first.join("flows.db"), &*EMPTY).expect("a file");
        let disk = Disk::at(&first).expect("a disk");
        // Not the chance of the acts: how a crash ends must not change what follows.
        let chance = SeededChance::new(seed ^ 0xd15c);
        let on_disk = OnDisk { home, openings: 0, disk, ended: Arc::default(), chance };
        let db = on_disk.open().expect("an empty database opens");
        (Ground::Disk(Box::new(on_disk)), db)
    }

    /// Empties a database that others have used before.
    pub(super) fn on_server(db: Db<db::Flows>, guard: Arc<DatabaseGuard>) -> (Ground, Db<db::Flows>) {
        guard.clear::<db::Flows>();
        (Ground::Server { db: db.clone(), _guard: guard, ended: Arc::default() }, db)
    }

    /// Tells whether the program has ended, without knowing it.
    pub(super) fn life(&self) -> Life {
        match self {
            Ground::Disk(ground) => Life { disk: Some(ground.disk.clone()), ended: ground.ended.clone() },
            Ground::Server { ended, .. } => Life { disk: None, ended: ended.clone() },
        }
    }

    /// Ends the program, and opens what that leaves behind. The old database
    /// is still to be dropped.
    pub(super) fn crash(&mut self) -> (Db<db::Flows>, Remains) {
        match self {
            Ground::Disk(ground) => ground.crash(),
            Ground::Server { db, ended, .. } => {
                ended.store(true, Ordering::SeqCst);
                *ended = Arc::default();
                (db.clone(), Remains::default())
            }
        }
    }
}

/// One life of the program.
#[derive(Clone)]
pub(super) struct Life {
    disk: Option<Arc<Disk>>,
    ended: Arc<AtomicBool>,
}

impl Life {
    /// Tells whether it is over: a crash struck, or the disk broke and the
    /// program has ended itself.
    pub(super) fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst) || self.disk.as_ref().is_some_and(|disk| disk.is_dead())
    }
}

impl OnDisk {
    fn open(&self) -> Result<Db<db::Flows>, db::Error> {
        let (ended, disk) = (self.ended.clone(), self.disk.clone());
        let options = db::Options {
            // One thing at a time, so that a seed tells one story.
            readers: 1,
            fold_max: 1,
            in_step: true,
            // Checkpoints are acts of the simulation.
            checkpoint_pages: u32::MAX,
            vfs: Some(VFS.into()),
            // The program ends itself at once, and writes nothing more.
            on_broken_disk: Arc::new(move |_| {
                ended.store(true, Ordering::SeqCst);
                disk.crash();
            }),
            ..db::Options::default()
        };
        Db::open_sqlite(&self.folder(), &[base::MIGRATIONS, crate::MIGRATIONS], options)
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(self.openings.to_string())
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder().join("flows.db")
    }

    fn crash(&mut self) -> (Db<db::Flows>, Remains) {
        self.disk.crash();
        self.ended.store(true, Ordering::SeqCst);
        let old = self.disk.clone();
        self.openings += 1;
        std::fs::create_dir(self.folder()).expect("a folder");
        let remains = old.after_crash(&self.folder(), &self.chance).expect("the remains are written");
        old.remove();
        self.disk = Disk::at(&self.folder()).expect("a disk");
        self.ended = Arc::default();
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
