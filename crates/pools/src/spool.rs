//! The spool: where chunks wait until their job has run.
//!
//! A chunk is a file named after its id. It is synced before its row is
//! written, so that a chunk that the database knows is whole on disk; a file
//! that no row knows is the trace of an upload that did not come to its end,
//! and is swept away at the next start.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{ChunkId, Error};

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// The folder of the chunk files.
pub(crate) struct Spool {
    folder: PathBuf,
    /// Bytes that all files may have together.
    bytes_max: u64,
    /// Bytes that they have; counted when it is first asked for, which is
    /// before this process writes a file.
    used: OnceLock<AtomicU64>,
    /// Files whose rows are yet to come; the sweep leaves them alone.
    uploading: Mutex<HashSet<ChunkId>>,
}

/// What came of an upload.
pub(crate) struct Spooled {
    pub(crate) checksum: String,
    pub(crate) bytes: u64,
}

impl Spool {
    pub(crate) fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Spool { folder, bytes_max, used: OnceLock::new(), uploading: Mutex::default() }
    }

    /// Returns where a chunk lies.
    pub(crate) fn path(&self, id: ChunkId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Begins an upload.
    pub(crate) fn upload(self: &Arc<Self>, id: ChunkId) -> Upload {
        self.uploading.lock().insert(id);
        Upload {
            spool: self.clone(),
            id,
            part: Some(Part { file: None, path: self.path(id), hash: Sha256::new() }),
            gathered: Vec::new(),
            bytes: 0,
            kept: false,
        }
    }

    /// Gives a file a second name: both are the same bytes until one is
    /// removed. Dropped before [`Upload::keep`], the name goes away again.
    pub(crate) async fn link(self: &Arc<Self>, from: ChunkId, to: ChunkId) -> Result<Upload, Error> {
        let mut link = self.upload(to);
        link.part = None;
        let (old, new) = (self.path(from), self.path(to));
        let linked = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::metadata(&old)?.len();
            // Where names cannot be given twice, the bytes are.
            std::fs::hard_link(&old, &new).or_else(|_| std::fs::copy(&old, &new).map(drop))?;
            let folder = new.parent().unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()?;
            Ok::<_, io::Error>(bytes)
        });
        let source = match linked.await {
            Ok(Ok(bytes)) => {
                self.take(bytes)?;
                link.bytes = bytes;
                return Ok(link);
            }
            Ok(Err(source)) => source,
            Err(_) => io::Error::other("a link was broken off"),
        };
        Err(Error::Spool { file: from.to_string(), source })
    }

    /// Removes the files of chunks that are not needed any more. What cannot
    /// be removed now is swept away at the next start.
    pub(crate) async fn remove(self: &Arc<Self>, ids: Vec<ChunkId>) {
        let spool = self.clone();
        let removal = move || {
            for id in ids {
                spool.remove_one(id);
            }
        };
        if tokio::task::spawn_blocking(removal).await.is_err() {
            tracing::warn!("a removal of chunk files was broken off");
        }
    }

    fn remove_one(&self, id: ChunkId) {
        let path = self.path(id);
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        match std::fs::remove_file(&path) {
            Ok(()) => self.give_back(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, file = %path.display(), "a chunk file cannot be removed"),
        }
    }

    /// Lists the files whose upload has ended. Who wants to [`Spool::sweep`]
    /// lists them before reading which are needed: whatever ends its upload in
    /// between is not in the list.
    pub(crate) fn list(&self) -> io::Result<Vec<ChunkId>> {
        let mut files = Vec::new();
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.parse::<ChunkId>().ok());
            files.extend(id.filter(|id| !self.uploading.lock().contains(id)));
        }
        Ok(files)
    }

    /// Removes those of the listed files that are not needed.
    pub(crate) fn sweep(&self, files: &[ChunkId], needed: &HashSet<ChunkId>) {
        let gone: Vec<_> = files.iter().filter(|id| !needed.contains(id)).collect();
        for id in &gone {
            self.remove_one(**id);
        }
        if !gone.is_empty() {
            tracing::info!(files = gone.len(), "chunk files that nobody needs were removed");
        }
    }

    fn used(&self) -> &AtomicU64 {
        self.used.get_or_init(|| {
            let files = self.list().unwrap_or_default();
            let lengths = files.iter().map(|id| std::fs::metadata(self.path(*id)).map_or(0, |file| file.len()));
            AtomicU64::new(lengths.sum())
        })
    }

    fn take(&self, bytes: u64) -> Result<(), Error> {
        let used = self.used().fetch_add(bytes, Ordering::SeqCst) + bytes;
        if used > self.bytes_max {
            self.give_back(bytes);
            return Err(Error::SpoolFull);
        }
        Ok(())
    }

    /// Tells whether so many bytes more would fit.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.used().load(Ordering::SeqCst).saturating_add(bytes) <= self.bytes_max
    }

    fn give_back(&self, bytes: u64) {
        // Where nothing was counted yet, what is gone will not be counted.
        let Some(used) = self.used.get() else { return };
        let _ = used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| Some(used.saturating_sub(bytes)));
    }
}

/// A chunk file while it is written. Dropped before [`Upload::keep`], it takes
/// its file with it.
pub(crate) struct Upload {
    spool: Arc<Spool>,
    id: ChunkId,
    /// Away while a thread writes.
    part: Option<Part>,
    gathered: Vec<u8>,
    bytes: u64,
    kept: bool,
}

struct Part {
    file: Option<File>,
    path: PathBuf,
    hash: Sha256,
}

impl Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<&mut File> {
        if self.file.is_none() {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            self.file = Some(File::create_new(&self.path)?);
        }
        let file = self.file.as_mut().expect("just opened");
        self.hash.update(bytes);
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Sees to it that a power loss takes neither the bytes nor the name.
    fn sync(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?.sync_all()?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Upload {
    pub(crate) fn id(&self) -> ChunkId {
        self.id
    }

    /// Tells how many bytes came so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Tells whether so many bytes more would fit into the spool.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.spool.has_room(bytes as u64)
    }

    /// Takes the next bytes.
    pub(crate) async fn write(&mut self, bytes: &Bytes) -> Result<(), Error> {
        self.spool.take(bytes.len() as u64)?;
        self.bytes += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < WRITE_BYTES {
            return Ok(());
        }
        self.on_thread(|part, bytes| part.write(bytes).map(drop)).await
    }

    /// Writes what is left and syncs.
    pub(crate) async fn finish(&mut self) -> Result<Spooled, Error> {
        self.on_thread(Part::sync).await?;
        let part = self.part.as_ref().expect("the thread gave it back");
        let digest = part.hash.clone().finalize();
        let checksum = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Ok(Spooled { checksum, bytes: self.bytes })
    }

    /// Leaves the file where it is: its row is on the way.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Takes the file away after all: its row was refused.
    pub(crate) fn discard(&mut self) {
        self.kept = false;
    }

    async fn on_thread(
        &mut self,
        work: impl FnOnce(&mut Part, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let file = self.id.to_string();
        let broken = || io::Error::other("an earlier write was broken off");
        let Some(mut part) = self.part.take() else {
            return Err(Error::Spool { file, source: broken() });
        };
        let gathered = std::mem::take(&mut self.gathered);
        let written = tokio::task::spawn_blocking(move || {
            let outcome = work(&mut part, &gathered);
            (part, outcome)
        })
        .await;
        match written {
            Ok((part, Ok(()))) => {
                self.part = Some(part);
                Ok(())
            }
            Ok((_, Err(source))) if source.kind() == io::ErrorKind::StorageFull => Err(Error::SpoolFull),
            Ok((_, Err(source))) => Err(Error::Spool { file, source }),
            Err(_) => Err(Error::Spool { file, source: broken() }),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept {
            self.part = None;
            // Whether the file was begun or not, its bytes were counted.
            let _ = std::fs::remove_file(self.spool.path(self.id));
            self.spool.give_back(self.bytes);
        }
        self.spool.uploading.lock().remove(&self.id);
    }
}
