//! Laws of the disk, and of what stands on it: the control database.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base::args;
use base::chance::SeededChance;
use base::db::{Control, Db, Error, Migration, Options, Tx};

use super::*;

const TABLES: &[Migration] = &[Migration {
    name: "test/0001_notes",
    sql: "CREATE TABLE notes (writer BIGINT, number BIGINT, text TEXT NOT NULL, PRIMARY KEY (writer, number));
          CREATE INDEX notes_by_text ON notes (text);",
}];

/// Rows of one transaction: it is there wholly, or wholly not.
const ROWS: i64 = 3;

/// One database on a disk that lives through crashes, in a folder for each life.
struct House {
    home: tempfile::TempDir,
    lives: usize,
    disk: Arc<Disk>,
    db: Option<Db<Control>>,
    is_broken: Arc<AtomicBool>,
    /// Hears when the disk is said to be broken.
    told: Receiver<()>,
    options: Options,
    /// Transactions that were answered.
    answered: Vec<i64>,
    /// Transactions whose answer was a failure: there or not.
    unclear: Vec<i64>,
    next: i64,
    chance: SeededChance,
}

impl House {
    fn build(seed: u64, checkpoint_pages: u32) -> House {
        House::with(seed, &Options { checkpoint_pages, ..Options::default() })
    }

    fn with(seed: u64, options: &Options) -> House {
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
        std::fs::create_dir(home.path().join("0")).expect("a folder");
        let disk = Disk::at(&home.path().join("0")).expect("a disk");
        let is_broken = Arc::new(AtomicBool::new(false));
        let (tell, told) = channel();
        let note = is_broken.clone();
        let options = Options {
            readers: 1,
            vfs: Some(VFS.into()),
            on_broken_disk: Arc::new(move |_| {
                note.store(true, Ordering::SeqCst);
                // Nobody listens once the test is over.
                let _ = tell.send(());
            }),
            ..options.clone()
        };
        let chance = SeededChance::new(seed);
        let mut house = House {
            home,
            lives: 0,
            disk,
            db: None,
            is_broken,
            told,
            options,
            answered: Vec::new(),
            unclear: Vec::new(),
            next: 0,
            chance,
        };
        house.db = Some(house.open().expect("a new database opens"));
        house
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(self.lives.to_string())
    }

    fn open(&self) -> Result<Db<Control>, Error> {
        Db::open_sqlite(&self.folder(), &[TABLES], self.options.clone())
    }

    fn draw(&self, below: u64) -> u64 {
        self.chance.number() % below
    }

    /// Writes some transactions, each alone or folded with others.
    fn write(&mut self) {
        let count = 1 + self.draw(3) as i64;
        let numbers: Vec<i64> = (self.next..self.next + count).collect();
        self.next += count;
        let db = self.db.as_ref().expect("it is open");
        let text = "x".repeat(1 + self.draw(6_000) as usize);
        let writes = numbers.iter().map(|&number| {
            let text = text.clone();
            db.write("test.write", move |tx| insert(tx, number, &text))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let answers = runtime.block_on(futures::future::join_all(writes));
        for (number, answer) in numbers.into_iter().zip(answers) {
            match answer {
                Ok(()) => self.answered.push(number),
                Err(_) => self.unclear.push(number),
            }
        }
    }

    fn read(&self) -> Vec<(i64, i64)> {
        let db = self.db.as_ref().expect("it is open");
        let counted = db.read_blocking("test.read", |tx| {
            tx.query("SELECT writer, COUNT(*) FROM notes GROUP BY writer ORDER BY writer", args![])
        });
        let rows = counted.expect("a sound database is read");
        rows.iter().map(|row| (row.get(0).expect("a writer"), row.get(1).expect("a count"))).collect()
    }

    /// Ends the process, and opens what the crash left behind.
    fn crash(&mut self) -> Remains {
        self.disk.crash();
        self.db = None;
        let (old, disk) = (self.folder(), self.disk.clone());
        self.lives += 1;
        std::fs::create_dir(self.folder()).expect("a folder");
        let remains = disk.after_crash(&self.folder(), &self.chance).expect("the remains are written");
        disk.remove();
        std::fs::remove_dir_all(old).expect("the old folder is ours");
        self.disk = Disk::at(&self.folder()).expect("a disk");
        self.is_broken.store(false, Ordering::SeqCst);
        self.db = Some(self.open().expect("the remains open"));
        remains
    }

    /// What was answered is there, and everything is there wholly or not at all.
    fn check(&mut self) -> Result<(), String> {
        let there = self.read();
        if let Some((number, count)) = there.iter().find(|(_, count)| *count != ROWS) {
            return Err(format!("transaction {number} has {count} rows"));
        }
        let there: Vec<i64> = there.into_iter().map(|(number, _)| number).collect();
        if let Some(lost) = self.answered.iter().find(|number| !there.contains(number)) {
            return Err(format!("transaction {lost} was answered and is lost"));
        }
        // What is there now stays.
        let (unclear, answered) = (std::mem::take(&mut self.unclear), &mut self.answered);
        answered.extend(unclear.into_iter().filter(|number| there.contains(number)));
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.db = None;
        self.disk.remove();
    }
}

fn insert(tx: &mut dyn Tx, number: i64, text: &str) -> Result<(), Error> {
    for row in 0..ROWS {
        let text = format!("{row} {text}");
        tx.execute("INSERT INTO notes (writer, number, text) VALUES ($1, $2, $3)", args![number, row, text])?;
    }
    Ok(())
}

/// Lives one life full of crashes.
fn live(mut house: House, lying: bool) -> Result<Remains, String> {
    let mut sum = Remains::default();
    for _ in 0..5 {
        if lying {
            house.disk.lie();
        }
        let point = [Point::Write, Point::Write, Point::Sync, Point::Cut][house.draw(4) as usize];
        let fault = if house.draw(4) == 0 { Fault::Broken } else { Fault::Crash };
        house.disk.plan(fault, point, 1 + house.draw(40));
        for _ in 0..12 {
            house.write();
            if house.draw(4) == 0 {
                // A checkpoint may meet the fault, too; it is not ours to answer for.
                let _ = checkpoint(&house.folder().join("control.db"), house.draw(2) == 0);
            }
            if house.disk.is_dead() || house.is_broken.load(Ordering::SeqCst) {
                break;
            }
        }
        let remains = house.crash();
        sum.kept += remains.kept;
        sum.lost += remains.lost;
        sum.torn += remains.torn;
        house.check()?;
    }
    Ok(sum)
}

#[test]
fn what_was_answered_survives_every_crash_and_nothing_is_there_by_halves() {
    let mut sum = Remains::default();
    for seed in 0..150 {
        let remains = live(House::build(seed, 4_096), false).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        sum.kept += remains.kept;
        sum.lost += remains.lost;
        sum.torn += remains.torn;
    }
    // A law that never met its case proves nothing.
    assert!(sum.kept > 100 && sum.lost > 100 && sum.torn > 100, "{sum:?}");
}

#[test]
fn it_does_so_beside_a_checkpointer_that_never_rests() {
    for seed in 1_000..1_050 {
        live(House::build(seed, 4), false).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn a_disk_that_lies_about_its_syncs_is_found_out() {
    let caught = (0..20).filter(|seed| {
        // What it loses may be a row or the whole structure.
        let end = std::panic::catch_unwind(|| live(House::build(*seed, 4_096), true));
        !matches!(end, Ok(Ok(_)))
    });
    assert!(caught.count() > 10, "hardly anybody noticed");
}

#[test]
fn the_same_seed_leaves_the_same_remains() {
    // Whether what waits is folded into one commit is a matter of luck.
    let alone = || House::with(7, &Options { fold_max: 1, ..Options::default() });
    assert_eq!(live(alone(), false), live(alone(), false));
}

#[test]
fn a_full_disk_is_named_and_then_forgotten() {
    let mut house = House::build(1, 4_096);
    house.write();
    house.disk.fill(true);
    let db = house.db.clone().expect("it is open");
    let refused = db.write_blocking("test.write", |tx| insert(tx, 1_000, &"x".repeat(5_000)));
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(!house.is_broken.load(Ordering::SeqCst), "a full disk is not a broken one");
    house.disk.fill(false);
    house.write();
    assert!(house.unclear.is_empty());
    house.crash();
    house.check().expect("both writes are there, and the one between is not");
}

#[test]
fn what_a_failed_sync_loses_no_later_sync_brings_back() {
    let mut house = House::build(2, 4_096);
    house.write();
    house.disk.plan(Fault::Broken, Point::Sync, 1);
    house.write();
    assert!(house.is_broken.load(Ordering::SeqCst), "the program was told to end");
    assert!(!house.unclear.is_empty(), "nothing was answered");
    house.crash();
    house.check().expect("what was answered is there");
    assert!(house.unclear.is_empty());
    assert!(house.read().len() == house.answered.len(), "and the rest is not");
}

#[test]
fn a_broken_sync_of_a_checkpoint_ends_the_program_too() {
    let mut house = House::build(3, 1);
    // Only a checkpoint syncs the file itself.
    house.disk.plan_for("control.db", Fault::Broken, Point::Sync, 1);
    house.write();
    house.told.recv_timeout(Duration::from_mins(1)).expect("the program was told to end");
    house.crash();
    house.check().expect("what was answered is there");
}

#[test]
fn a_flipped_bit_at_the_beginning_of_the_file_is_refused() {
    let mut house = House::build(4, 4_096);
    house.write();
    checkpoint(&house.folder().join("control.db"), true).expect("a checkpoint");
    house.crash();
    house.db = None;
    // A writer and a reader that close at once leave the log to each other, and
    // a page that the log holds is not read from the file. A lone connection
    // folds it when it closes.
    checkpoint(&house.folder().join("control.db"), true).expect("a checkpoint");
    assert!(!house.folder().join("control.db-wal").exists(), "the log is folded");
    house.disk.flip("control.db", 5, 3);
    assert!(house.open().is_err(), "the file is not a database");
    assert!(house.disk.tally().flipped > 0);
    house.disk.mend();
    house.db = Some(house.open().expect("the next read is sound"));
    house.check().expect("what was answered is there");
}

#[test]
fn a_failed_sync_is_told_to_all_who_had_the_file_open() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::at(home.path()).expect("a disk");
    let goes = |told: &AtomicU64| matches!(disk.sync("file", told), Verdict::Goes);
    let (one, other) = (AtomicU64::new(disk.opened("file")), AtomicU64::new(disk.opened("file")));
    assert!(matches!(disk.write("file", 0, b"from the other"), Verdict::Goes));
    disk.plan(Fault::Broken, Point::Sync, 1);
    assert!(!goes(&one), "as planned");
    assert!(!goes(&other), "its bytes are gone");
    let late = AtomicU64::new(disk.opened("file"));
    assert!(goes(&late) && goes(&one) && goes(&other), "and that is all");
    disk.remove();
}
