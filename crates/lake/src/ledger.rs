//! What outlives the oldest part of the log.
//!
//! Before segments are cut from the log, the ledger takes down what they alone
//! knew: which push jobs were committed, and how. Beside that it remembers the
//! consumers, so that after a restart nothing is cut before they have come
//! back. It is one small file, replaced whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use pools::{CommitNumber, Committed, PushJobId};

use crate::checksum::crc32c;
use crate::columns::{Malformed, Reader, write_text};
use crate::disk::{Disk, Taken, write_whole};
use crate::wal::id_bytes;

const MAGIC: &[u8; 12] = b"loopledger1\n";

/// The ledger of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Jobs by commit, oldest first.
    pub(crate) jobs: Vec<(PushJobId, Committed)>,
    /// How far each consumer has said that it is.
    pub(crate) consumers: BTreeMap<String, CommitNumber>,
}

impl Ledger {
    /// Reads the ledger in a log's folder; an empty one if there is none.
    pub(crate) fn read(folder: &Path) -> io::Result<Ledger> {
        match fs::read(folder.join("ledger")) {
            Ok(bytes) => decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the ledger in a log's folder.
    pub(crate) fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        write_whole(disk, &folder.join("ledger"), &self.encode(), Taken::Overwrite)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend((self.jobs.len() as u64).to_le_bytes());
        for (job, committed) in &self.jobs {
            out.extend(id_bytes(job));
            for number in [committed.number, committed.upserted, committed.deleted] {
                out.extend(number.to_le_bytes());
            }
        }
        out.extend((self.consumers.len() as u64).to_le_bytes());
        for (consumer, through) in &self.consumers {
            write_text(consumer, &mut out);
            out.extend(through.to_le_bytes());
        }
        out.extend(crc32c(&[&out]).to_le_bytes());
        out
    }
}

fn decode(bytes: &[u8]) -> Result<Ledger, Malformed> {
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(Malformed("the ledger is empty"))?;
    if crc32c(&[content]).to_le_bytes() != *checksum {
        return Err(Malformed("the ledger does not match its checksum"));
    }
    let mut reader = Reader(content);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(Malformed("this is not a ledger that this version knows"));
    }
    let mut ledger = Ledger::default();
    for _ in 0..reader.u64()? {
        let job = PushJobId::from_bytes(reader.id()?);
        let (number, upserted, deleted) = (reader.u64()?, reader.u64()?, reader.u64()?);
        ledger.jobs.push((job, Committed { number, upserted, deleted }));
    }
    for _ in 0..reader.u64()? {
        let consumer = reader.text()?.to_owned();
        ledger.consumers.insert(consumer, reader.u64()?);
    }
    Ok(ledger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_ledger_reads_back_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Ledger::read(folder.path()).expect("there is none yet"), Ledger::default());
        let committed = Committed { number: 7, upserted: 300, deleted: 2 };
        let ledger = Ledger {
            jobs: vec![(PushJobId::from_bytes([7; 16]), committed)],
            consumers: BTreeMap::from([("model".to_owned(), 5)]),
        };
        ledger.write(&RealDisk, folder.path()).expect("it is written");
        ledger.write(&RealDisk, folder.path()).expect("it is replaced");
        assert_eq!(Ledger::read(folder.path()).expect("it reads"), ledger);

        let file = folder.path().join("ledger");
        let mut bytes = fs::read(&file).expect("it is there");
        bytes[20] ^= 1;
        fs::write(&file, bytes).expect("it can be damaged");
        let error = Ledger::read(folder.path()).expect_err("it is damaged");
        assert_eq!(error.to_string(), "the ledger does not match its checksum");
    }
}
