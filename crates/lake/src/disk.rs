//! The port to the disk: every verb that changes a file.
//!
//! What the log and the tables at rest promise after a power loss hangs on the
//! order of writes and syncs. So each of them passes through this port, and
//! tests put a disk behind it that fills up, fails, or stops in the middle of
//! any single step. Reading needs no port: tests read the same real files.

use std::fmt::Debug;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// A folder tree whose changes can be made to last.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Makes a folder and those above it, and makes them last.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a new, empty file; fails if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to write at its end.
    fn open_end(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, over one that may be there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name; fails if it is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder last.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A file open for writing at its end.
pub(crate) trait DiskFile: Debug + Send {
    /// Writes all bytes. After an error some of them may be there.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written last.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to a length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Tells whether an error means that no room is left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What to do when the name of a new file is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Fail with [`io::ErrorKind::AlreadyExists`].
    Refuse,
    /// Put the new file in its place.
    Overwrite,
}

/// Writes a file that is there either whole and lasting, or not at all.
pub(crate) fn write_whole(disk: &dyn Disk, path: &Path, bytes: &[u8], taken: Taken) -> io::Result<()> {
    let folder = path.parent().expect("a file lies in a folder");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    // Readers of Delta logs pass over names that begin like this.
    let draft = &folder.join(format!("_{name}.draft"));
    if draft.exists() {
        disk.remove(draft)?;
    }
    let write = || {
        let mut file = disk.create(draft)?;
        file.write(bytes)?;
        file.sync()?;
        match taken {
            Taken::Refuse => {
                disk.link(draft, path)?;
                disk.remove(draft)
            }
            Taken::Overwrite => disk.rename(draft, path),
        }
    };
    if let Err(error) = write() {
        if draft.exists() {
            // The draft is of no use to anyone; the error that counts is the first.
            let _ = disk.remove(draft);
        }
        return Err(error);
    }
    disk.sync_folder(folder)
}

/// The disk of the machine.
#[derive(Debug)]
pub(crate) struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl Disk for RealDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.make_folder(above)?;
        }
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => self.sync_folder(above),
            _ => Ok(()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_end(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }
}

impl DiskFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}
