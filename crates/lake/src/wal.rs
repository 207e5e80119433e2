//! What the files of the log hold. Pure: bytes in, bytes out.
//!
//! ```text
//! segment = "loopwal\n", format u32, pool 16 bytes, first commit u64, checksum u32, group*
//! group   = "WALG", length u64, checksum u32, record*        (length is that of the records)
//! record  = length u64, commit u64, job 16 bytes, at i64, upserted u64, deleted u64,
//!           table text, mode, keys of the table, upserts rows, deletes rows, [run], [causes text]
//! run     = count u32, (name text, kind u8, rows u64, bytes u64, columns u16, (name text, type u8)*)*
//! ```
//!
//! The rows of a big job lie in a run, see [`crate::run`]. Its record says so
//! by its mode, holds no rows but their columns, and names the run's files.
//!
//! A group is what one sync made durable. It is whole or it is not: the
//! checksum covers all its records, and the segment's first number and the
//! group's offset besides, so that bytes in the wrong place do not pass. A
//! torn group at the end was never acknowledged, and is cut. A bad group with
//! a whole one behind it *was* acknowledged, since no group is written before
//! the one ahead of it has lasted: then the log is damaged, and says where.

use std::sync::Arc;

use base::{Causes, Timestamp};
use pools::rows::{ColumnSchema, Schema};
use pools::{Change, CommitNumber, Committed, Mode, PoolId, PushJobId};

use crate::checksum::crc32c;
use crate::columns::{Malformed, Reader, code_of, read_rows, type_of, write_rows, write_text};
use crate::run::{Kind, RunFile};

const MAGIC: &[u8; 8] = b"loopwal\n";
const FORMAT: u32 = 1;
const GROUP_MARK: &[u8; 4] = b"WALG";
const GROUP_HEAD_BYTES: usize = 16;

/// Bytes of a segment before its first group.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 40;

/// One commit in the log.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The push job.
    pub(crate) job: PushJobId,
    /// What its sender is told.
    pub(crate) committed: Committed,
    /// Key columns of the table after the commit. Its columns are those of the
    /// upserts, `_seq` last.
    pub(crate) keys: Vec<String>,
    /// What it changed; without its rows if they lie in a run.
    pub(crate) change: Arc<Change>,
    /// The files of the run that holds the rows.
    pub(crate) run: Option<Vec<RunFile>>,
}

impl Record {
    /// Returns how many bytes lie in the run.
    pub(crate) fn run_bytes(&self) -> u64 {
        self.run.iter().flatten().map(|file| file.bytes).sum()
    }
}

/// Added to the mode of a record whose rows lie in a run.
const IN_A_RUN: u8 = 0x10;

/// Returns the name of the segment whose first commit is this.
pub(crate) fn segment_name(first: CommitNumber) -> String {
    format!("{first:020}.wal")
}

/// Returns the first commit of a segment by its name.
pub(crate) fn first_of(segment_name: &str) -> Option<CommitNumber> {
    segment_name.strip_suffix(".wal")?.parse().ok()
}

/// Returns an id's sixteen bytes.
pub(crate) fn id_bytes(id: &dyn std::fmt::Display) -> [u8; 16] {
    *uuid::Uuid::parse_str(&id.to_string()).expect("an id writes itself as a UUID").as_bytes()
}

/// Returns the bytes that open a segment.
pub(crate) fn segment_head(pool: PoolId, first: CommitNumber) -> Vec<u8> {
    let mut head = Vec::with_capacity(SEGMENT_HEAD_BYTES);
    head.extend(MAGIC);
    head.extend(FORMAT.to_le_bytes());
    head.extend(id_bytes(&pool));
    head.extend(first.to_le_bytes());
    head.extend(crc32c(&[&head]).to_le_bytes());
    head
}

/// Checks the bytes that open a segment.
pub(crate) fn check_segment_head(bytes: &[u8], pool: PoolId, first: CommitNumber) -> Result<(), Malformed> {
    let head = bytes.get(..SEGMENT_HEAD_BYTES).ok_or(Malformed("the segment is shorter than its head"))?;
    let (named, checksum) = head.split_at(SEGMENT_HEAD_BYTES - 4);
    if &named[..8] != MAGIC {
        return Err(Malformed("this is not a segment of a log"));
    }
    if crc32c(&[named]).to_le_bytes() != checksum {
        return Err(Malformed("the segment's head does not match its checksum"));
    }
    if named[8..12] != FORMAT.to_le_bytes() {
        return Err(Malformed("the segment is of a format that this version does not know"));
    }
    if head != segment_head(pool, first) {
        return Err(Malformed("the segment belongs to another pool or place"));
    }
    Ok(())
}

/// Returns the bytes of a group of records that will stand at `offset`.
pub(crate) fn group(first: CommitNumber, offset: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let length: usize = records.iter().map(|record| record.len() + 8).sum();
    let mut group = Vec::with_capacity(GROUP_HEAD_BYTES + length);
    group.extend(GROUP_MARK);
    group.extend((length as u64).to_le_bytes());
    group.extend([0; 4]);
    for record in records {
        group.extend((record.len() as u64).to_le_bytes());
        group.extend(record);
    }
    let checksum = group_checksum(first, offset, &group[GROUP_HEAD_BYTES..]);
    group[12..16].copy_from_slice(&checksum.to_le_bytes());
    group
}

fn group_checksum(first: CommitNumber, offset: u64, records: &[u8]) -> u32 {
    crc32c(&[&first.to_le_bytes(), &offset.to_le_bytes(), records])
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole group, and where it ends.
    Group { records: &'a [u8], end: usize },
    /// The end of the segment.
    End,
    /// Bytes that are no whole group, and no whole group behind them.
    Torn,
    /// Bytes that are no whole group, and a whole one behind them.
    Damaged { next: usize },
}

/// Tells what stands at a place of the segment that begins with commit `first`.
pub(crate) fn find(segment: &[u8], at: usize, first: CommitNumber) -> Found<'_> {
    if at >= segment.len() {
        return Found::End;
    }
    if let Some((records, end)) = whole_group(segment, at, first) {
        return Found::Group { records, end };
    }
    let marks = segment[at..].windows(GROUP_MARK.len()).enumerate();
    let mut places = marks.filter(|(_, window)| window == GROUP_MARK).map(|(place, _)| at + place);
    match places.find(|place| whole_group(segment, *place, first).is_some()) {
        Some(next) => Found::Damaged { next },
        None => Found::Torn,
    }
}

fn whole_group(segment: &[u8], at: usize, first: CommitNumber) -> Option<(&[u8], usize)> {
    let head = segment.get(at..at + GROUP_HEAD_BYTES)?;
    let length = u64::from_le_bytes(head[4..12].try_into().expect("eight bytes"));
    let start = at + GROUP_HEAD_BYTES;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    let records = segment.get(start..end)?;
    let checksum = group_checksum(first, at as u64, records);
    (&head[..4] == GROUP_MARK && head[12..16] == checksum.to_le_bytes()).then_some((records, end))
}

/// Reads the records of a group.
pub(crate) fn read_records(records: &[u8]) -> Result<Vec<Record>, Malformed> {
    let mut reader = Reader(records);
    let mut read = Vec::new();
    while !reader.0.is_empty() {
        let length = reader.u64()? as usize;
        read.push(read_record(reader.bytes(length)?)?);
    }
    Ok(read)
}

/// Returns the bytes of a record.
pub(crate) fn write_record(record: &Record) -> Vec<u8> {
    let change = &record.change;
    let mut out = Vec::new();
    out.extend(change.number.to_le_bytes());
    out.extend(id_bytes(&record.job));
    out.extend(change.at.as_micros().to_le_bytes());
    out.extend(record.committed.upserted.to_le_bytes());
    out.extend(record.committed.deleted.to_le_bytes());
    write_text(&change.table, &mut out);
    let place = if record.run.is_some() { IN_A_RUN } else { 0 };
    match &change.mode {
        Mode::Replace => out.push(1 | place),
        Mode::Append => out.push(2 | place),
        Mode::Upsert { keys, keep_missing } => {
            out.push(if *keep_missing { 4 } else { 3 } | place);
            write_names(keys, &mut out);
        }
    }
    write_names(&record.keys, &mut out);
    write_rows(&change.upserts, &mut out);
    write_rows(&change.deletes, &mut out);
    if let Some(files) = &record.run {
        write_run(files, &mut out);
    }
    // A record of old ends here, and so does one that has no cause.
    if !change.causes.is_empty() {
        write_text(&change.causes.to_string(), &mut out);
    }
    out
}

fn write_run(files: &[RunFile], out: &mut Vec<u8>) {
    out.extend((files.len() as u32).to_le_bytes());
    for file in files {
        write_text(&file.name, out);
        out.push(match file.kind {
            Kind::Upsert => 1,
            Kind::Delete => 2,
        });
        out.extend(file.rows.to_le_bytes());
        out.extend(file.bytes.to_le_bytes());
        out.extend((file.schema.columns.len() as u16).to_le_bytes());
        for column in &file.schema.columns {
            write_text(&column.name, out);
            out.push(code_of(column.column_type));
        }
    }
}

fn read_run(reader: &mut Reader<'_>) -> Result<Vec<RunFile>, Malformed> {
    let count = reader.u32()?;
    let file = |_| {
        let name = reader.text()?.to_owned();
        let kind = match reader.u8()? {
            1 => Kind::Upsert,
            2 => Kind::Delete,
            _ => return Err(Malformed("a run is of an unknown kind")),
        };
        let (rows, bytes) = (reader.u64()?, reader.u64()?);
        let mut schema = Schema::default();
        for _ in 0..reader.u16()? {
            let name = reader.text()?.to_owned();
            schema.columns.push(ColumnSchema { name, column_type: type_of(reader.u8()?)? });
        }
        Ok(RunFile { name, kind, schema, rows, bytes })
    };
    (0..count).map(file).collect()
}

fn write_names(names: &[String], out: &mut Vec<u8>) {
    out.extend((names.len() as u16).to_le_bytes());
    for name in names {
        write_text(name, out);
    }
}

fn read_names(reader: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    let count = reader.u16()?;
    (0..count).map(|_| reader.text().map(str::to_owned)).collect()
}

fn read_record(bytes: &[u8]) -> Result<Record, Malformed> {
    let mut reader = Reader(bytes);
    let number = reader.u64()?;
    let job = PushJobId::from_bytes(reader.id()?);
    let at = Timestamp::from_micros(reader.i64()?);
    let (upserted, deleted) = (reader.u64()?, reader.u64()?);
    let table = reader.text()?.to_owned();
    let mode = reader.u8()?;
    let in_a_run = mode & IN_A_RUN != 0;
    let mode = match mode & !IN_A_RUN {
        1 => Mode::Replace,
        2 => Mode::Append,
        mode @ (3 | 4) => Mode::Upsert { keys: read_names(&mut reader)?, keep_missing: mode == 4 },
        _ => return Err(Malformed("a commit is of an unknown mode")),
    };
    let keys = read_names(&mut reader)?;
    let (upserts, deletes) = (read_rows(&mut reader)?, read_rows(&mut reader)?);
    let run = if in_a_run { Some(read_run(&mut reader)?) } else { None };
    // What only explains must not make a log unreadable.
    let causes = if reader.0.is_empty() { Causes::NONE } else { Causes::parse(reader.text()?).unwrap_or_default() };
    let change = Arc::new(Change { number, table, mode, upserts, deletes, at, causes });
    Ok(Record { job, committed: Committed { number, upserted, deleted }, keys, change, run })
}

#[cfg(test)]
mod tests {
    use base::causes::Link;
    use pools::rows::Rows;

    use super::*;

    fn record(causes: Causes, run: Option<Vec<RunFile>>) -> Record {
        let change = Change {
            number: 7,
            table: "Orders".into(),
            mode: Mode::Append,
            upserts: Rows::default(),
            deletes: Rows::default(),
            at: Timestamp::from_millis(1_000),
            causes,
        };
        let committed = Committed { number: 7, upserted: 0, deleted: 0 };
        Record { job: PushJobId::from_bytes([7; 16]), committed, keys: Vec::new(), change: Arc::new(change), run }
    }

    #[test]
    fn a_record_keeps_what_led_to_it_and_one_of_old_has_nothing_to_say() {
        let causes = Causes::NONE.then(Link::new(["orders.late", "LATE", "4711"]));
        let file = RunFile { name: "1".into(), kind: Kind::Upsert, schema: Schema::default(), rows: 1, bytes: 2 };
        for run in [None, Some(vec![file])] {
            // What no cause led to is written as it was before there were causes.
            let plain = write_record(&record(Causes::NONE, run.clone()));
            let caused = write_record(&record(causes.clone(), run.clone()));
            assert!(caused.starts_with(&plain) && caused.len() > plain.len());
            let read = |bytes: &[u8]| read_record(bytes).expect("it reads").change.causes.clone();
            assert_eq!((read(&plain), read(&caused)), (Causes::NONE, causes.clone()));
            // What only explains is passed over where it is not understood.
            let mut strange = plain;
            write_text("from a later version", &mut strange);
            assert_eq!(read(&strange), Causes::NONE);
        }
    }
}
