//! Files of the workspace: paths, and where they are on disk.
//!
//! A workspace path is absolute, `/Shared/score.py`, or the same behind
//! `/Workspace`. On disk it is a file below the workspace's folder, and no
//! path leads out of there.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use base::{Actor, Chance};
use serde_json::json;

use crate::error::Error;
use crate::workspace::{Workspace, note};

/// Bytes that a file may have.
const FILE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes that a file and those beside it may have together, where all of them
/// are copied.
const BESIDE_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Workspace {
    /// Stores a file of the workspace under a path such as `/Shared/score.py`.
    /// Folders on the way are made.
    pub async fn import_file(&self, actor: &Actor, path: &str, content: Vec<u8>, overwrite: bool) -> Result<(), Error> {
        let bytes = content.len();
        if bytes > FILE_BYTES_MAX {
            return Err(Error::FileTooLarge { bytes, bytes_max: FILE_BYTES_MAX });
        }
        let (folder, shown, chance) = (self.files_folder(), path.to_owned(), self.chance.clone());
        let stored = tokio::task::spawn_blocking(move || store(&folder, &shown, &content, overwrite, &*chance)).await;
        stored.unwrap_or_else(|error| Err(failed("write", path, std::io::Error::other(error))))?;
        let (actor, path, now) = (actor.clone(), path.to_owned(), self.clock.now());
        self.db
            .write("workspace.import_file", move |tx| {
                note(tx, &actor, "import", "workspace-file", &path, (None, Some(json!({ "bytes": bytes }))), now)
            })
            .await
    }

    /// Reads a file of the workspace.
    pub async fn export_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        let (folder, shown) = (self.files_folder(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || load(&folder, &shown)).await;
        read.unwrap_or_else(|error| Err(failed("read", path, std::io::Error::other(error))))
    }

    /// Copies a file of the workspace, and those that lie beside it and that it
    /// may read or import, into a folder. Returns the file's name there.
    pub(crate) async fn copy_with_neighbours(&self, path: &str, to: PathBuf) -> Result<String, Error> {
        let (folder, shown) = (self.files_folder(), path.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy_beside(&folder, &shown, &to)).await;
        copied.unwrap_or_else(|error| Err(failed("copy", path, std::io::Error::other(error))))
    }
}

/// Finds where a workspace path is on disk, below `folder`.
pub(crate) fn disk_path(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let refuse = |problem| Err(Error::Path { path: path.to_owned(), problem });
    if path.contains("://") || path.starts_with("dbfs:") || path.starts_with("/Volumes/") {
        return refuse("only files that were imported into the workspace can be run");
    }
    let Some(inside) = path.strip_prefix("/Workspace/").or_else(|| path.strip_prefix('/')) else {
        return refuse("it does not begin with \"/\"");
    };
    let mut place = folder.to_owned();
    for name in inside.split('/') {
        match name {
            "" => return refuse("a part of it is empty"),
            "." | ".." => return refuse("\".\" and \"..\" are not followed"),
            _ if name.contains(['\0', '\\']) || name.len() > 255 => return refuse("a part of it is not a file name"),
            _ => place.push(name),
        }
    }
    Ok(place)
}

/// Writes a file whole or not at all.
fn store(folder: &Path, path: &str, content: &[u8], overwrite: bool, chance: &dyn Chance) -> Result<(), Error> {
    let place = disk_path(folder, path)?;
    if place.is_dir() {
        return Err(Error::Path { path: path.to_owned(), problem: "it is a folder" });
    }
    let parent = place.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|source| failed("write", path, source))?;
    let new = parent.join(format!(".new-{:016x}", chance.number()));
    let written = write_synced(&new, content).and_then(|()| {
        if overwrite {
            fs::rename(&new, &place)
        } else {
            fs::hard_link(&new, &place).and_then(|()| fs::remove_file(&new))
        }
    });
    written.map_err(|source| {
        // The new file is of no use any more, whether it can be removed or not.
        let _ = fs::remove_file(&new);
        match source.kind() {
            ErrorKind::AlreadyExists => Error::FileExists(path.to_owned()),
            _ => failed("write", path, source),
        }
    })
}

/// Reads a file.
fn load(folder: &Path, path: &str) -> Result<Vec<u8>, Error> {
    let place = disk_path(folder, path)?;
    fs::read(&place).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory => Error::NoFile(path.to_owned()),
        _ => failed("read", path, source),
    })
}

fn copy_beside(folder: &Path, path: &str, to: &Path) -> Result<String, Error> {
    let place = disk_path(folder, path)?;
    if !place.is_file() {
        return Err(Error::NoFile(path.to_owned()));
    }
    let fail = |source| failed("copy", path, source);
    fs::create_dir_all(to).map_err(fail)?;
    let mut sum = 0;
    for entry in fs::read_dir(place.parent().unwrap_or(folder)).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // A file that is being stored has such a name until it is there.
        let is_new = entry.file_name().to_string_lossy().starts_with(".new-");
        if is_new || !entry.file_type().map_err(fail)?.is_file() {
            continue;
        }
        sum += fs::copy(entry.path(), to.join(entry.file_name())).map_err(fail)?;
        if sum > BESIDE_BYTES_MAX {
            let problem = "more than 64 MiB lie beside it and would be kept with it: give it a folder of its own";
            return Err(Error::Path { path: path.to_owned(), problem });
        }
    }
    Ok(place.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

fn failed(deed: &'static str, path: &str, source: io::Error) -> Error {
    Error::Disk { deed, path: path.to_owned(), source }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use base::chance::SeededChance;

    use super::*;

    #[test]
    fn paths_stay_below_the_folder() {
        for (path, expected) in [
            ("/Shared/score.py", Some("/w/Shared/score.py")),
            ("/Workspace/Shared/score.py", Some("/w/Shared/score.py")),
            ("/Users/a@example.org/x.py", Some("/w/Users/a@example.org/x.py")),
            ("score.py", None),
            ("/../etc/passwd", None),
            ("/Shared/./x", None),
            ("/Workspace/../../x", None),
            ("//etc/passwd", None),
            ("/Shared/", None),
            ("/", None),
            ("dbfs:/x.py", None),
            ("s3://bucket/x.py", None),
            ("/Volumes/a/b/c/x.py", None),
        ] {
            let found = disk_path(Path::new("/w"), path).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{path}");
        }
    }

    #[test]
    fn a_file_is_replaced_only_on_request() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let chance = SeededChance::new(1);
        let store = |content: &[u8], overwrite| store(place.path(), "/a/b.py", content, overwrite, &chance);
        store(b"one", false).expect("a new file");
        assert!(matches!(store(b"two", false), Err(Error::FileExists(_))));
        assert_eq!(load(place.path(), "/a/b.py").expect("a file"), b"one");
        store(b"two", true).expect("an overwrite");
        assert_eq!(load(place.path(), "/a/b.py").expect("a file"), b"two");
        assert!(matches!(load(place.path(), "/a"), Err(Error::NoFile(_))));
        assert_eq!(fs::read_dir(place.path().join("a")).expect("a folder").count(), 1, "nothing is left over");
    }
}
