//! How the Delta log reaches the disk.
//!
//! The store that comes with the Delta library does not sync, so a commit
//! could be gone after a power loss although the write-ahead log was trimmed
//! on its word. This one reads as that does, and writes through our port: each
//! file is whole and lasting before its name appears.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::disk::{Disk, Taken, write_whole};

/// The machine's files, written so that they last.
#[derive(Debug)]
pub(crate) struct LastingStore {
    files: LocalFileSystem,
    disk: Arc<dyn Disk>,
}

impl LastingStore {
    /// Makes the store; its root is that of the file system.
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        LastingStore { files: LocalFileSystem::new(), disk }
    }
}

impl fmt::Display for LastingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lasting files")
    }
}

#[async_trait]
impl ObjectStore for LastingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let taken = match options.mode {
            PutMode::Create => Taken::Refuse,
            PutMode::Overwrite => Taken::Overwrite,
            PutMode::Update(_) => return Err(not_done("update")),
        };
        let path = self.files.path_to_filesystem(location)?;
        let bytes: Vec<u8> = payload.iter().flat_map(|run| run.iter().copied()).collect();
        let disk = self.disk.clone();
        let written = tokio::task::spawn_blocking(move || {
            if let Some(folder) = path.parent() {
                disk.make_folder(folder)?;
            }
            write_whole(&*disk, &path, &bytes, taken)
        });
        match written.await {
            Ok(Ok(())) => Ok(PutResult { e_tag: None, version: None }),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path: location.to_string(), source: error.into() })
            }
            Ok(Err(error)) => Err(Error::Generic { store: "lasting files", source: error.into() }),
            Err(error) => Err(Error::Generic { store: "lasting files", source: error.into() }),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(not_done("put in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    /// Removes logs that a checkpoint has made superfluous, one by one. Should
    /// a power loss bring some of them back, they are removed another time.
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (files, disk) = (LocalFileSystem::new(), self.disk.clone());
        let remove = move |location: Path| -> Result<Path> {
            let path = files.path_to_filesystem(&location)?;
            match disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::Generic { store: "lasting files", source: error.into() })
                }
                _ => Ok(location),
            }
        };
        locations.map(move |location| remove(location?)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_done("copy"))
    }
}

/// The Delta log is only ever put, whole.
fn not_done(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "lasting files".to_owned() }
}
