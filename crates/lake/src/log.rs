//! The log of one pool: segments on disk, the last of them growing.
//!
//! [`Log::append`] is the commit point of everything that is ever pushed. It
//! returns when a power loss can no longer undo the records, or with the log
//! as it was before. A failed sync is final: what the disk then holds is
//! anyone's guess, so nothing more is written before a restart has read it
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pools::{CommitNumber, PoolId};
use tracing::{info, warn};

use crate::disk::{Disk, DiskFile, is_full};
use crate::error::Error;
use crate::wal::{self, Found, Record};

/// A segment that grows no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first: CommitNumber,
    pub(crate) last: CommitNumber,
    pub(crate) bytes: u64,
    /// The size of the runs that it names, which go when it goes.
    pub(crate) run_bytes: u64,
}

/// Why records did not become durable. None of them is in the log then.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No room is left; the log is as it was.
    Full,
    /// The disk failed, now or earlier.
    Broken(String),
}

/// The log of a pool, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    pool: PoolId,
    segment_bytes_max: u64,
    closed: Vec<Segment>,
    first: CommitNumber,
    next: CommitNumber,
    file: Box<dyn DiskFile>,
    bytes: u64,
    run_bytes: u64,
    broken: Option<String>,
}

impl Log {
    /// Opens a log, or starts one, and shows each record that it holds, in
    /// order.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        pool: PoolId,
        segment_bytes_max: u64,
        mut show: impl FnMut(Record),
    ) -> Result<Log, Error> {
        let refused = |source| Error::Disk { path: folder.to_owned(), source };
        disk.make_folder(folder).map_err(refused)?;
        let mut names: Vec<_> = Vec::new();
        for entry in fs::read_dir(folder).map_err(refused)? {
            let name = entry.map_err(refused)?.file_name().to_string_lossy().into_owned();
            if let Some(first) = wal::first_of(&name) {
                names.push((first, folder.join(name)));
            }
        }
        names.sort();
        let mut segments: Vec<Segment> = Vec::new();
        let mut next = names.first().map_or(1, |(first, _)| *first);
        let mut torn = None;
        for (place, (first, path)) in names.iter().enumerate() {
            let damaged = |offset: u64, detail: &str| Error::DamagedLog {
                segment: path.clone(),
                offset,
                detail: detail.to_owned(),
            };
            let is_last = place + 1 == names.len();
            if *first != next {
                return Err(damaged(0, &format!("it begins with commit {first}, but {next} was expected")));
            }
            let bytes = fs::read(path).map_err(|source| Error::Disk { path: path.clone(), source })?;
            if let Err(malformed) = wal::check_segment_head(&bytes, pool, *first) {
                // A crash can stop a segment's making. Then nothing is in it.
                let unborn = is_last && matches!(wal::find(&bytes, 0, *first), Found::Torn | Found::End);
                if !unborn || bytes.len() > wal::SEGMENT_HEAD_BYTES {
                    return Err(damaged(0, &malformed.to_string()));
                }
                disk.remove(path).map_err(|source| Error::Disk { path: path.clone(), source })?;
                break;
            }
            let (mut at, mut run_bytes) = (wal::SEGMENT_HEAD_BYTES, 0);
            loop {
                match wal::find(&bytes, at, *first) {
                    Found::Group { records, end } => {
                        let records =
                            wal::read_records(records).map_err(|error| damaged(at as u64, &error.to_string()))?;
                        for record in records {
                            if record.change.number != next {
                                let detail = format!("commit {} stands where {next} belongs", record.change.number);
                                return Err(damaged(at as u64, &detail));
                            }
                            next += 1;
                            run_bytes += record.run_bytes();
                            show(record);
                        }
                        at = end;
                    }
                    Found::End => break,
                    Found::Torn if is_last => {
                        torn = Some(at as u64);
                        break;
                    }
                    Found::Torn => return Err(damaged(at as u64, "a later segment follows it")),
                    Found::Damaged { next } => {
                        return Err(damaged(at as u64, &format!("a whole group follows it at offset {next}")));
                    }
                }
            }
            segments.push(Segment { path: path.clone(), first: *first, last: next - 1, bytes: at as u64, run_bytes });
        }
        let Some(last) = segments.pop() else {
            let file = start_segment(&*disk, folder, pool, next).map_err(refused)?;
            let bytes = wal::SEGMENT_HEAD_BYTES as u64;
            let (folder, closed) = (folder.to_owned(), Vec::new());
            return Ok(Log {
                disk,
                folder,
                pool,
                segment_bytes_max,
                closed,
                first: next,
                next,
                file,
                bytes,
                run_bytes: 0,
                broken: None,
            });
        };
        let refused = |source| Error::Disk { path: last.path.clone(), source };
        let mut file = disk.open_end(&last.path).map_err(refused)?;
        if let Some(at) = torn {
            info!(segment = %last.path.display(), offset = at, "a group that was never acknowledged is cut from the log");
            file.cut(at).map_err(refused)?;
        }
        // What was read may so far only lie in the machine's memory, written
        // by a process that was killed before its sync. From now on it counts.
        file.sync().map_err(refused)?;
        disk.sync_folder(folder).map_err(refused)?;
        Ok(Log {
            disk,
            folder: folder.to_owned(),
            pool,
            segment_bytes_max,
            closed: segments,
            first: last.first,
            next,
            file,
            bytes: last.bytes,
            run_bytes: last.run_bytes,
            broken: None,
        })
    }

    /// Returns the number of the next commit.
    pub(crate) fn next(&self) -> CommitNumber {
        self.next
    }

    /// Returns the segments that hold commits after a number, the growing one
    /// last.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let mut segments = self.closed.clone();
        segments.push(self.growing());
        segments
    }

    fn growing(&self) -> Segment {
        let path = self.folder.join(wal::segment_name(self.first));
        Segment { path, first: self.first, last: self.next - 1, bytes: self.bytes, run_bytes: self.run_bytes }
    }

    /// Makes records durable as one group, all or none. They name runs of so
    /// many bytes.
    pub(crate) fn append(&mut self, records: &[Vec<u8>], run_bytes: u64) -> Result<(), Refused> {
        if let Some(broken) = &self.broken {
            return Err(Refused::Broken(broken.clone()));
        }
        if self.bytes + self.run_bytes > self.segment_bytes_max && self.next > self.first {
            self.roll()?;
        }
        let group = wal::group(self.first, self.bytes, records);
        if let Err(error) = self.file.write(&group) {
            let cut = self.file.cut(self.bytes);
            return Err(match cut {
                Ok(()) if is_full(&error) => Refused::Full,
                _ => self.breaks(&error),
            });
        }
        if let Err(error) = self.file.sync() {
            return Err(self.breaks(&error));
        }
        self.bytes += group.len() as u64;
        self.run_bytes += run_bytes;
        self.next += records.len() as u64;
        Ok(())
    }

    fn breaks(&mut self, error: &std::io::Error) -> Refused {
        let detail = error.to_string();
        warn!(pool = %self.pool, error = %detail, "the disk failed under the log; nothing more is written before a restart");
        self.broken = Some(detail.clone());
        Refused::Broken(detail)
    }

    /// Starts a new segment.
    fn roll(&mut self) -> Result<(), Refused> {
        match start_segment(&*self.disk, &self.folder, self.pool, self.next) {
            Ok(file) => {
                self.closed.push(self.growing());
                self.first = self.next;
                self.file = file;
                self.bytes = wal::SEGMENT_HEAD_BYTES as u64;
                self.run_bytes = 0;
                Ok(())
            }
            Err(error) => {
                // A torn segment without commits is taken away, here or by the
                // next start.
                let path = self.folder.join(wal::segment_name(self.next));
                let gone = !path.exists() || self.disk.remove(&path).is_ok();
                Err(if gone && is_full(&error) { Refused::Full } else { self.breaks(&error) })
            }
        }
    }

    /// Closes the growing segment if everything in it has been taken care of
    /// and it is worth it, and returns the last commit that can be cut.
    pub(crate) fn cuttable(&mut self, through: CommitNumber) -> Option<CommitNumber> {
        let worth_it = self.bytes + self.run_bytes > self.segment_bytes_max / 4;
        if worth_it && self.next > self.first && self.next - 1 <= through && self.broken.is_none() {
            // If there is no room for a new segment, the old one stays.
            let _ = self.roll();
        }
        self.closed.iter().take_while(|segment| segment.last <= through).map(|segment| segment.last).last()
    }

    /// Removes the segments whose last commit is not after `through`.
    pub(crate) fn cut(&mut self, through: CommitNumber) -> std::io::Result<()> {
        while let Some(segment) = self.closed.first().filter(|segment| segment.last <= through) {
            self.disk.remove(&segment.path)?;
            self.closed.remove(0);
        }
        self.disk.sync_folder(&self.folder)
    }
}

fn start_segment(
    disk: &dyn Disk,
    folder: &Path,
    pool: PoolId,
    first: CommitNumber,
) -> std::io::Result<Box<dyn DiskFile>> {
    let mut file = disk.create(&folder.join(wal::segment_name(first)))?;
    file.write(&wal::segment_head(pool, first))?;
    file.sync()?;
    disk.sync_folder(folder)?;
    Ok(file)
}

/// Reads the commits after a number from segments, at most `limit`. The
/// growing segment is read as far as it had grown when `segments` was made.
pub(crate) fn read_after(segments: &[Segment], after: CommitNumber, limit: usize) -> std::io::Result<Vec<Record>> {
    let mut read = Vec::new();
    for segment in segments.iter().filter(|segment| segment.last > after) {
        let bytes = fs::read(&segment.path)?;
        let bytes = &bytes[..bytes.len().min(segment.bytes as usize)];
        let mut at = wal::SEGMENT_HEAD_BYTES;
        while let Found::Group { records, end } = wal::find(bytes, at, segment.first) {
            let records = wal::read_records(records).map_err(|error| std::io::Error::other(error.to_string()))?;
            read.extend(records.into_iter().filter(|record| record.change.number > after));
            at = end;
            if read.len() >= limit {
                read.truncate(limit);
                return Ok(read);
            }
        }
    }
    Ok(read)
}
