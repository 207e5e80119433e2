//! Files of volumes and of DBFS: written whole or not at all, read in part,
//! listed in order.
//!
//! A file goes to disk as it comes, under a name that nobody sees, is synced,
//! and then takes its place in one step. So a reader never meets half of one,
//! and five gigabytes need no memory.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base::{Actor, Timestamp};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::data_error::DataError;
use crate::error::Error;
use crate::volumes::volume_path;
use crate::workspace::{Workspace, note};

/// Bytes that a file may have.
const FILE_BYTES_MAX: u64 = 5 << 30;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its name within its folder.
    pub name: String,
    /// Its path, as the API writes it.
    pub path: String,
    /// It is a folder.
    pub is_directory: bool,
    /// Bytes of a file.
    pub bytes: u64,
    /// When it was written last.
    pub modified_at: Timestamp,
}

/// A file on its way in. Dropped before its end, nothing of it stays.
pub struct StoredUpload {
    path: String,
    place: PathBuf,
    new: PathBuf,
    file: tokio::fs::File,
    bytes: u64,
    is_done: bool,
}

impl Drop for StoredUpload {
    fn drop(&mut self) {
        if !self.is_done {
            // Nobody waits for it; what stays is swept with its folder.
            let _ = std::fs::remove_file(&self.new);
        }
    }
}

impl StoredUpload {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > FILE_BYTES_MAX {
            return Err(DataError::TooLarge(format!("a file has at most {FILE_BYTES_MAX} bytes")));
        }
        let written = self.file.write_all(bytes).await;
        written.map_err(|source| failed("write", &self.path, source))
    }
}

impl Workspace {
    /// Finds where a path of the Files or DBFS API is on disk: below
    /// `/Volumes`, or in the root of DBFS.
    pub fn stored_path(&self, path: &str) -> Result<PathBuf, DataError> {
        let plain = path.strip_prefix("dbfs:").unwrap_or(path);
        if plain.starts_with("/Volumes/") {
            return Ok(volume_path(&self.volumes_folder(), plain)?);
        }
        Ok(inside(&self.folder.join("dbfs"), plain)?)
    }

    /// Begins to take a file. The folder above it is made.
    pub async fn begin_upload(&self, path: &str) -> Result<StoredUpload, DataError> {
        let place = self.stored_path(path)?;
        let fail = |source| failed("write", path, source);
        if place.is_dir() {
            return Err(DataError::Invalid(format!("\"{path}\" is a folder")));
        }
        let parent = place.parent().unwrap_or(&self.folder).to_owned();
        tokio::fs::create_dir_all(&parent).await.map_err(|source| match source.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                DataError::Invalid(format!("a part of \"{path}\" is a file, not a folder"))
            }
            _ => fail(source),
        })?;
        let uploads = self.folder.join("uploads");
        tokio::fs::create_dir_all(&uploads).await.map_err(fail)?;
        let new = uploads.join(format!("{:016x}", self.chance.number()));
        let file = tokio::fs::File::create_new(&new).await.map_err(fail)?;
        Ok(StoredUpload { path: path.to_owned(), place, new, file, bytes: 0, is_done: false })
    }

    /// Puts a file that has come to its place. It is durable when this returns.
    pub async fn finish_upload(
        &self,
        actor: &Actor,
        mut upload: StoredUpload,
        overwrite: bool,
    ) -> Result<(), DataError> {
        let path = upload.path.clone();
        let fail = |source| failed("write", &path, source);
        upload.file.flush().await.map_err(fail)?;
        upload.file.sync_all().await.map_err(fail)?;
        let (new, place) = (upload.new.clone(), upload.place.clone());
        let placed = tokio::task::spawn_blocking(move || {
            if overwrite {
                std::fs::rename(&new, &place)?;
            } else {
                std::fs::hard_link(&new, &place)?;
                std::fs::remove_file(&new)?;
            }
            sync_folder(&place)
        });
        let placed = placed.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        placed.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => {
                DataError::Exists(format!("there is already a file \"{path}\": say \"overwrite\" to replace it"))
            }
            _ => fail(source),
        })?;
        upload.is_done = true;
        let bytes = upload.bytes;
        self.note_stored(actor, "put", &path, json!({ "bytes": bytes })).await
    }

    /// Looks at what stands at a path.
    pub async fn stored(&self, path: &str) -> Result<StoredEntry, DataError> {
        let place = self.stored_path(path)?;
        let known = tokio::fs::metadata(&place).await.map_err(|source| missing("read", path, source))?;
        Ok(entry(path, &known))
    }

    /// Opens a file for reading.
    pub async fn open_stored(&self, path: &str) -> Result<(StoredEntry, tokio::fs::File), DataError> {
        let place = self.stored_path(path)?;
        let file = tokio::fs::File::open(&place).await.map_err(|source| missing("read", path, source))?;
        let known = file.metadata().await.map_err(|source| missing("read", path, source))?;
        if known.is_dir() {
            return Err(DataError::NotFound(format!("\"{path}\" is a folder, not a file")));
        }
        Ok((entry(path, &known), file))
    }

    /// Removes a file.
    pub async fn delete_stored_file(&self, actor: &Actor, path: &str) -> Result<(), DataError> {
        if self.stored(path).await?.is_directory {
            return Err(DataError::Invalid(format!("\"{path}\" is a folder, not a file")));
        }
        let place = self.stored_path(path)?;
        tokio::fs::remove_file(&place).await.map_err(|source| missing("delete", path, source))?;
        self.note_stored(actor, "delete", path, json!(null)).await
    }

    /// Makes a folder, and those above it.
    pub async fn make_stored_folder(&self, actor: &Actor, path: &str) -> Result<(), DataError> {
        let place = self.stored_path(path)?;
        tokio::fs::create_dir_all(&place).await.map_err(|source| match source.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                DataError::Exists(format!("\"{path}\" or a part of it is a file"))
            }
            _ => failed("make", path, source),
        })?;
        self.note_stored(actor, "mkdirs", path, json!(null)).await
    }

    /// Removes a folder: an empty one, or with all that is in it.
    pub async fn delete_stored_folder(&self, actor: &Actor, path: &str, recursive: bool) -> Result<(), DataError> {
        if !self.stored(path).await?.is_directory {
            return Err(DataError::Invalid(format!("\"{path}\" is a file, not a folder")));
        }
        let place = self.stored_path(path)?;
        if recursive {
            tokio::fs::remove_dir_all(&place).await.map_err(|source| missing("delete", path, source))?;
        } else {
            tokio::fs::remove_dir(&place).await.map_err(|source| match source.kind() {
                ErrorKind::DirectoryNotEmpty => DataError::Invalid(format!("the folder \"{path}\" is not empty")),
                _ => missing("delete", path, source),
            })?;
        }
        self.note_stored(actor, "delete", path, json!(null)).await
    }

    /// Lists the volumes of a schema of the catalog `loopwright`.
    pub async fn volumes(&self, schema: &str) -> Result<Vec<StoredEntry>, DataError> {
        let folder = self.volumes_folder().join("loopwright").join(schema.to_lowercase());
        let mut volumes = Vec::new();
        let mut entries = match tokio::fs::read_dir(&folder).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(volumes),
            Err(source) => return Err(failed("list", schema, source)),
        };
        while let Some(found) = entries.next_entry().await.map_err(|source| failed("list", schema, source))? {
            let known = found.metadata().await.map_err(|source| failed("list", schema, source))?;
            if known.is_dir() {
                let name = found.file_name().to_string_lossy().into_owned();
                volumes.push(entry(&format!("/Volumes/loopwright/{schema}/{name}"), &known));
            }
        }
        volumes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(volumes)
    }

    /// Moves a file or a folder to a path where nothing is.
    pub async fn move_stored(&self, actor: &Actor, from: &str, to: &str) -> Result<(), DataError> {
        self.stored(from).await?;
        if self.stored(to).await.is_ok() {
            return Err(DataError::Exists(format!("there is already something at \"{to}\"")));
        }
        let (source, target) = (self.stored_path(from)?, self.stored_path(to)?);
        if target.starts_with(&source) {
            return Err(DataError::Invalid(format!("\"{from}\" cannot be moved into itself")));
        }
        if let Some(parent) = target.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(|source| failed("make", to, source))?;
        }
        tokio::fs::rename(&source, &target).await.map_err(|source| missing("move", from, source))?;
        self.note_stored(actor, "move", from, json!({ "to": to })).await
    }

    /// Lists a folder by name.
    pub async fn list_stored(&self, path: &str) -> Result<Vec<StoredEntry>, DataError> {
        let place = self.stored_path(path)?;
        let shown = path.trim_end_matches('/').to_owned();
        let listed = tokio::task::spawn_blocking(move || {
            let mut entries = Vec::new();
            for found in std::fs::read_dir(&place)? {
                let found = found?;
                let name = found.file_name().to_string_lossy().into_owned();
                entries.push(entry(&format!("{shown}/{name}"), &found.metadata()?));
            }
            entries.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(entries)
        });
        let listed = listed.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        listed.map_err(|source| match source.kind() {
            ErrorKind::NotADirectory => DataError::Invalid(format!("\"{path}\" is a file, not a folder")),
            _ => missing("list", path, source),
        })
    }

    async fn note_stored(
        &self,
        actor: &Actor,
        verb: &'static str,
        path: &str,
        after: serde_json::Value,
    ) -> Result<(), DataError> {
        let (actor, path, now) = (actor.clone(), path.to_owned(), self.clock.now());
        self.db
            .write("workspace.note_stored", move |tx| {
                Ok(note(tx, &actor, verb, "volume-file", &path, (None, Some(after.clone())), now)?)
            })
            .await
    }
}

/// Finds where a path is below a folder; the folder itself for `/`.
pub(crate) fn inside(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let refuse = |problem| Err(Error::Path { path: path.to_owned(), problem });
    let Some(rest) = path.strip_prefix('/') else { return refuse("it does not begin with \"/\"") };
    let mut place = folder.to_owned();
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        return Ok(place);
    }
    for name in rest.split('/') {
        match name {
            "" => return refuse("a part of it is empty"),
            "." | ".." => return refuse("\".\" and \"..\" are not followed"),
            _ if name.contains(['\0', '\\']) || name.len() > 255 => return refuse("a part of it is not a file name"),
            _ => place.push(name),
        }
    }
    Ok(place)
}

/// Makes the name of a file durable, which stands in its folder.
pub(crate) fn sync_folder(place: &Path) -> std::io::Result<()> {
    match place.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn entry(path: &str, known: &std::fs::Metadata) -> StoredEntry {
    let changed = known.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let path = path.trim_end_matches('/');
    StoredEntry {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        is_directory: known.is_dir(),
        bytes: if known.is_dir() { 0 } else { known.len() },
        modified_at: Timestamp::from_millis(i64::try_from(changed.as_millis()).unwrap_or(i64::MAX)),
    }
}

fn missing(deed: &'static str, path: &str, source: std::io::Error) -> DataError {
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            DataError::NotFound(format!("there is no file or folder \"{path}\""))
        }
        _ => failed(deed, path, source),
    }
}

fn failed(deed: &'static str, path: &str, source: std::io::Error) -> DataError {
    DataError::Disk { deed, path: path.to_owned(), source }
}

/// Files that come block by block, by handle. They do not survive a restart,
/// as the real ones do not survive ten minutes of silence.
#[derive(Default)]
pub(crate) struct Handles(tokio::sync::Mutex<HashMap<i64, Handle>>);

struct Handle {
    owner: String,
    upload: StoredUpload,
    overwrite: bool,
    touched_at: Timestamp,
}

/// Handles that are open at most.
const HANDLES_MAX: usize = 64;
/// How long a handle may be silent.
const HANDLE_LIVES: Duration = Duration::from_mins(10);

impl Workspace {
    /// Begins a file that comes in blocks, and returns its handle.
    pub async fn open_handle(&self, actor: &Actor, path: &str, overwrite: bool) -> Result<i64, DataError> {
        if !overwrite && self.stored(path).await.is_ok() {
            return Err(DataError::Exists(format!(
                "there is already a file \"{path}\": say \"overwrite\" to replace it"
            )));
        }
        let now = self.clock.now();
        let mut open = self.handles.0.lock().await;
        open.retain(|_, other| now.since(other.touched_at) < HANDLE_LIVES);
        if open.len() >= HANDLES_MAX {
            return Err(DataError::State(format!(
                "{HANDLES_MAX} files are being written already: close one, or use the Files API"
            )));
        }
        let upload = self.begin_upload(path).await?;
        let handle = i64::try_from(self.chance.number() >> 2).unwrap_or(i64::MAX);
        open.insert(handle, Handle { owner: actor.id.clone(), upload, overwrite, touched_at: now });
        Ok(handle)
    }

    /// Takes the next block of a file.
    pub async fn add_block(&self, actor: &Actor, handle: i64, bytes: &[u8]) -> Result<(), DataError> {
        let now = self.clock.now();
        let mut open = self.handles.0.lock().await;
        let file = open.get_mut(&handle).filter(|file| file.owner == actor.id).ok_or_else(|| no_handle(handle))?;
        file.upload.write(bytes).await?;
        file.touched_at = now;
        Ok(())
    }

    /// Puts a file to its place.
    pub async fn close_handle(&self, actor: &Actor, handle: i64) -> Result<(), DataError> {
        let mut open = self.handles.0.lock().await;
        if open.get(&handle).is_none_or(|file| file.owner != actor.id) {
            return Err(no_handle(handle));
        }
        let file = open.remove(&handle).ok_or_else(|| no_handle(handle))?;
        drop(open);
        self.finish_upload(actor, file.upload, file.overwrite).await
    }
}

fn no_handle(handle: i64) -> DataError {
    DataError::NotFound(format!("there is no open file with the handle {handle}"))
}
