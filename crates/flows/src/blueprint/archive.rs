//! Zip archives, as far as packages need them: files whole or deflated, no
//! encryption, sizes below 4 GB.

use std::io::{Read as _, Write as _};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Bytes that the files of an archive have together at most, so that a small
/// upload cannot fill the memory.
const BYTES_MAX: u64 = 256 << 20;
/// Files in an archive at most.
const FILES_MAX: usize = 10_000;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Bytes of the record at the end, without a comment.
const END_BYTES: usize = 22;
const DEFLATED: u16 = 8;
/// 1980-01-01, the first day that an archive can name: files of the same text
/// make the same archive.
const DAY_ONE: u16 = 0x21;
/// The names are UTF-8.
const UTF_8: u16 = 1 << 11;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with `/` between folders.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Tells whether bytes begin as an archive does.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Reads the files of an archive in the order of its table. Folders are left
/// out. The error is a sentence.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let broken = || "the archive is cut off or broken".to_owned();
    let end = (0..=bytes.len().saturating_sub(END_BYTES))
        .rev()
        .take(1 << 16)
        .find(|at| word(bytes, *at) == Some(END))
        .ok_or_else(broken)?;
    let files = half(bytes, end + 10).ok_or_else(broken)? as usize;
    if files > FILES_MAX {
        return Err(format!("the archive has {files} files, and at most {FILES_MAX} are read"));
    }
    let mut at = word(bytes, end + 16).ok_or_else(broken)? as usize;
    let mut entries = Vec::new();
    let mut left = BYTES_MAX;
    for _ in 0..files {
        if word(bytes, at) != Some(CENTRAL) {
            return Err(broken());
        }
        let number = |offset: usize| half(bytes, at + offset).ok_or_else(broken);
        let (flags, method) = (number(8)?, number(10)?);
        let crc = word(bytes, at + 16).ok_or_else(broken)?;
        let packed = word(bytes, at + 20).ok_or_else(broken)? as usize;
        let (name, extra, comment) = (number(28)? as usize, number(30)? as usize, number(32)? as usize);
        let start = word(bytes, at + 42).ok_or_else(broken)? as usize;
        let name_bytes = bytes.get(at + 46..at + 46 + name).ok_or_else(broken)?;
        at += 46 + name + extra + comment;
        let name = String::from_utf8_lossy(name_bytes).into_owned();
        if name.ends_with('/') {
            continue;
        }
        if flags & 1 != 0 {
            return Err(format!("\"{name}\" is encrypted"));
        }
        if word(bytes, start) != Some(LOCAL) {
            return Err(broken());
        }
        let skip = |offset: usize| half(bytes, start + offset).map(usize::from).ok_or_else(broken);
        let data = start + 30 + skip(26)? + skip(28)?;
        let content = data.checked_add(packed).and_then(|end| bytes.get(data..end)).ok_or_else(broken)?;
        let content = match method {
            0 => content.to_vec(),
            DEFLATED => {
                let mut inflated = Vec::new();
                let read = DeflateDecoder::new(content).take(left + 1).read_to_end(&mut inflated);
                read.map_err(|error| format!("\"{name}\" cannot be unpacked: {error}"))?;
                inflated
            }
            other => return Err(format!("\"{name}\" is packed in a way ({other}) that is not known here")),
        };
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| format!("the files of the archive have more than {} MB together", BYTES_MAX >> 20))?;
        if crc_of(&content) != crc {
            return Err(format!("\"{name}\" is damaged"));
        }
        entries.push(Entry { name, bytes: content });
    }
    Ok(entries)
}

/// Writes an archive. The same files make the same bytes.
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut table = Vec::new();
    for entry in entries {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&entry.bytes).and_then(|()| encoder.finish());
        let packed = packed.expect("writing into memory does not fail");
        let mut head = Vec::new();
        for number in [20, UTF_8, DEFLATED, 0, DAY_ONE] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        for number in [crc_of(&entry.bytes), packed.len() as u32, entry.bytes.len() as u32] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        for number in [entry.name.len() as u16, 0] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        let start = archive.len() as u32;
        archive.extend_from_slice(&LOCAL.to_le_bytes());
        archive.extend_from_slice(&head);
        archive.extend_from_slice(entry.name.as_bytes());
        archive.extend_from_slice(&packed);
        table.extend_from_slice(&CENTRAL.to_le_bytes());
        table.extend_from_slice(&20_u16.to_le_bytes());
        table.extend_from_slice(&head);
        // No comment, first disk, no attributes.
        table.extend_from_slice(&[0; 10]);
        table.extend_from_slice(&start.to_le_bytes());
        table.extend_from_slice(entry.name.as_bytes());
    }
    let at = archive.len() as u32;
    archive.extend_from_slice(&table);
    archive.extend_from_slice(&END.to_le_bytes());
    archive.extend_from_slice(&[0; 4]);
    let files = (entries.len() as u16).to_le_bytes();
    archive.extend_from_slice(&files);
    archive.extend_from_slice(&files);
    archive.extend_from_slice(&(table.len() as u32).to_le_bytes());
    archive.extend_from_slice(&at.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    archive
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().expect("two bytes")))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}
