//! Files of a folder as rows.
//!
//! A folder may be watched if it lies below one that the installation has
//! opened. Only ordinary files right in it count: no link is followed, and
//! what is opened must be what was listed. A file is known by name, size, time
//! of change and content; a time that changed alone makes no new file.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base::Timestamp;

use super::tables::{FileState, KnownFile};
use super::{Afterwards, Folder};

/// Files that one turn looks at.
const FILES_MAX: usize = 100_000;

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) modified_at: Timestamp,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Somebody may still be writing to it.
    Wait,
    /// It is looked into.
    Take,
    /// It is in, and goes where files go afterwards.
    Tidy,
    /// It is known.
    Leave,
}

/// Decides about a file.
pub(super) fn fate(candidate: &Candidate, known: Option<&KnownFile>, folder: &Folder, now: Timestamp) -> Fate {
    let unchanged = known.filter(|known| known.bytes == candidate.bytes && known.modified_at == candidate.modified_at);
    match unchanged.map(|known| known.state) {
        Some(FileState::Taken) if folder.afterwards != Afterwards::Keep => return Fate::Tidy,
        Some(_) => return Fate::Leave,
        None => {}
    }
    let settled = candidate.modified_at.plus(Duration::from_secs(folder.settle_seconds)) <= now;
    if settled { Fate::Take } else { Fate::Wait }
}

/// Returns where a folder really lies, if that is below one that is open.
pub(super) fn opened(path: &Path, roots: &[PathBuf]) -> Result<PathBuf, String> {
    if roots.is_empty() {
        return Err("no folder is open to sources: name those that are in LOOPWRIGHT_SOURCE_FOLDERS".into());
    }
    if !path.is_absolute() {
        return Err(format!("path \"{}\" is not a whole one: it begins with /", path.display()));
    }
    let refuse = |error: std::io::Error| format!("folder \"{}\" cannot be read: {error}", path.display());
    let real = path.canonicalize().map_err(refuse)?;
    let below = roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| real.starts_with(root));
    if !below {
        return Err(format!("folder \"{}\" is not below one of LOOPWRIGHT_SOURCE_FOLDERS", path.display()));
    }
    if !real.is_dir() {
        return Err(format!("\"{}\" is not a folder", path.display()));
    }
    Ok(real)
}

/// Lists the files that a folder's pattern means, by name.
pub(super) fn list(folder: &Folder, roots: &[PathBuf]) -> Result<Vec<Candidate>, String> {
    let real = opened(&folder.path, roots)?;
    let refuse = |error: std::io::Error| format!("folder \"{}\" cannot be read: {error}", folder.path.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&real).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        // A name that is no text cannot be told to anybody.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || !matches(&folder.pattern, &name) {
            continue;
        }
        // It may have gone since; links are not followed.
        let Ok(about) = std::fs::symlink_metadata(entry.path()) else { continue };
        if about.is_file() {
            found.push(Candidate { name, bytes: about.len(), modified_at: modified(&about) });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.truncate(FILES_MAX);
    Ok(found)
}

fn modified(about: &Metadata) -> Timestamp {
    let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Opens a file that was listed. It must be the ordinary file of that name in
/// that folder, whatever happened since.
pub(super) fn open(folder: &Folder, roots: &[PathBuf], candidate: &Candidate) -> Result<File, String> {
    let real = opened(&folder.path, roots)?;
    let path = real.join(&candidate.name);
    let refuse = |error: std::io::Error| format!("file \"{}\" cannot be read: {error}", candidate.name);
    let entry = std::fs::symlink_metadata(&path).map_err(refuse)?;
    if !entry.is_file() {
        return Err(format!("file \"{}\" is no ordinary file any more", candidate.name));
    }
    let file = File::open(&path).map_err(refuse)?;
    let about = file.metadata().map_err(refuse)?;
    if (about.dev(), about.ino()) != (entry.dev(), entry.ino()) {
        return Err(format!("file \"{}\" was replaced while it was opened", candidate.name));
    }
    Ok(file)
}

/// Tells whether an open file is still what was listed.
pub(super) fn is_still(file: &File, candidate: &Candidate) -> bool {
    file.metadata().is_ok_and(|about| about.len() == candidate.bytes && modified(&about) == candidate.modified_at)
}

/// Brings a file that is in to where such files go, unless it has changed.
pub(super) fn tidy(folder: &Folder, roots: &[PathBuf], candidate: &Candidate) -> Result<(), String> {
    let path = opened(&folder.path, roots)?.join(&candidate.name);
    let unchanged = std::fs::symlink_metadata(&path).is_ok_and(|about| {
        about.is_file() && about.len() == candidate.bytes && modified(&about) == candidate.modified_at
    });
    if !unchanged {
        return Ok(());
    }
    let refuse =
        |verb: &str, error: std::io::Error| format!("file \"{}\" is in, but cannot be {verb}: {error}", candidate.name);
    match &folder.afterwards {
        Afterwards::Keep => Ok(()),
        Afterwards::Delete => std::fs::remove_file(&path).map_err(|error| refuse("deleted", error)),
        Afterwards::Move(to) => {
            let to = opened(to, roots)?;
            std::fs::rename(&path, free_name(&to, &candidate.name)).map_err(|error| refuse("moved", error))
        }
    }
}

/// Nothing that is there is written over.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.join(name);
    let mut number = 1;
    while path.symlink_metadata().is_ok() {
        path = folder.join(format!("{name}.{number}"));
        number += 1;
    }
    path
}

/// Tells whether a name is of a pattern: `*` is any letters, `?` one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut letter) = (0, 0);
    // Where the last star stands, and how many letters it has taken.
    let mut star: Option<(usize, usize)> = None;
    while letter < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, letter));
                at += 1;
            }
            Some(sign) if *sign == '?' || *sign == name[letter] => {
                at += 1;
                letter += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, letter) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_names() {
        for (pattern, name, expected) in [
            ("*.csv", "orders.csv", true),
            ("*.csv", "orders.csv.gz", false),
            ("orders-*.csv*", "orders-2026-01.csv.gz", true),
            ("orders-????.csv", "orders-2026.csv", true),
            ("orders-????.csv", "orders-26.csv", false),
            ("*", "x", true),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("Grü*", "Grüße", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_fate_of_a_file() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let candidate = Candidate { name: "a.csv".into(), bytes: 7, modified_at: at(100) };
        let known =
            |state, bytes, seconds| Some(KnownFile { bytes, modified_at: at(seconds), checksum: "c".into(), state });
        let folder = |afterwards| Folder { path: "/in".into(), pattern: "*".into(), settle_seconds: 10, afterwards };
        for (known, afterwards, now, expected) in [
            (None, Afterwards::Keep, 105, Fate::Wait),
            (None, Afterwards::Keep, 110, Fate::Take),
            (known(FileState::Taken, 7, 100), Afterwards::Keep, 999, Fate::Leave),
            (known(FileState::Taken, 7, 100), Afterwards::Delete, 999, Fate::Tidy),
            (known(FileState::Bad, 7, 100), Afterwards::Delete, 999, Fate::Leave),
            (known(FileState::Pushing, 7, 100), Afterwards::Delete, 999, Fate::Leave),
            (known(FileState::Bad, 7, 99), Afterwards::Keep, 105, Fate::Wait),
            (known(FileState::Bad, 7, 99), Afterwards::Keep, 110, Fate::Take),
            (known(FileState::Taken, 6, 100), Afterwards::Delete, 110, Fate::Take),
        ] {
            let told = fate(&candidate, known.as_ref(), &folder(afterwards.clone()), at(now));
            assert_eq!(told, expected, "{known:?} {afterwards:?} at {now}");
        }
    }

    #[test]
    fn nothing_outside_the_open_folders_is_read() {
        let ground = tempfile::tempdir().expect("a folder");
        let (open_root, secret) = (ground.path().join("open"), ground.path().join("secret"));
        std::fs::create_dir_all(open_root.join("in")).expect("a folder");
        std::fs::create_dir_all(&secret).expect("a folder");
        std::fs::write(secret.join("keys.csv"), "a\n1\n").expect("a file");
        std::os::unix::fs::symlink(&secret, open_root.join("link")).expect("a link");
        std::os::unix::fs::symlink(secret.join("keys.csv"), open_root.join("in/keys.csv")).expect("a link");
        let roots = vec![open_root.clone()];
        let of = |path: PathBuf| Folder { path, pattern: "*".into(), settle_seconds: 0, afterwards: Afterwards::Keep };
        assert_eq!(list(&of(open_root.join("in")), &roots), Ok(Vec::new()), "a link is no file");
        for path in [secret.clone(), open_root.join("link"), open_root.join("in/../../secret"), "in".into()] {
            let error = list(&of(path.clone()), &roots).expect_err("it is not open");
            assert!(error.contains("not below") || error.contains("not a whole one"), "{path:?}: {error}");
        }
        let swapped = Candidate { name: "keys.csv".into(), bytes: 4, modified_at: Timestamp::EPOCH };
        assert!(open(&of(open_root.join("in")), &roots, &swapped).is_err(), "a link took the place of a file");
        assert!(opened(&open_root, &[]).expect_err("none is open").contains("LOOPWRIGHT_SOURCE_FOLDERS"));
    }
}
