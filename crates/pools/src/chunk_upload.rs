//! A chunk on its way from a caller into the spool and into its job.

use std::sync::Arc;

use base::Clock;
use base::db::{Control, Db};
use bytes::Bytes;

use crate::pools::job_of;
use crate::push_job::{Chunk, ChunkKind, PushJob, State};
use crate::spool::{Spool, Upload};
use crate::{Error, PoolId, PushJobId, kept, tables};

/// A chunk that is on its way in.
pub struct ChunkUpload {
    pub(crate) upload: Upload,
    pub(crate) db: Db<Control>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) bytes_max: u64,
    pub(crate) pool: PoolId,
    pub(crate) job: PushJobId,
    pub(crate) kind: ChunkKind,
    pub(crate) file_name: String,
}

impl ChunkUpload {
    /// Takes the next bytes. After an error, drop the upload.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.upload.bytes() + bytes.len() as u64 > self.bytes_max {
            return Err(Error::ChunkTooLarge { bytes_max: self.bytes_max });
        }
        if !self.upload.has_room(bytes.len()) {
            kept::make_room(&self.db, &self.spool, bytes.len() as u64).await?;
        }
        let written = self.upload.write(&bytes).await;
        if matches!(written, Err(Error::SpoolFull)) {
            // The next try finds what could be had.
            kept::let_all_go(&self.db, &self.spool).await?;
        }
        written
    }

    /// Makes the chunk part of its job; it is durable when this returns.
    pub async fn finish(mut self) -> Result<Chunk, Error> {
        let spooled = self.upload.finish().await?;
        let chunk = Chunk {
            id: self.upload.id(),
            job: self.job,
            kind: self.kind,
            file_name: self.file_name.clone(),
            checksum: spooled.checksum,
            bytes: spooled.bytes,
            created_at: self.clock.now(),
        };
        // Whoever called may go away while the row is written; then the file
        // must stay, for the row may have made it.
        self.upload.keep();
        let (pool, made) = (self.pool, chunk.clone());
        let kept = self
            .db
            .write("pools.finish_chunk", move |tx| {
                takes_chunks(&job_of(tx, pool, made.job)?)?;
                Ok(tables::insert_chunk(tx, &made)?)
            })
            .await;
        if kept.is_err() {
            self.upload.discard();
        }
        kept.map(|()| chunk)
    }
}

/// Lets through a job that was not executed yet.
pub(crate) fn takes_chunks(job: &PushJob) -> Result<(), Error> {
    match job.state {
        State::New => Ok(()),
        state => Err(Error::NoMoreChunks { job: job.id, state }),
    }
}
