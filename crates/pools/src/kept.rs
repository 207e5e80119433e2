//! Chunks that stay after their job, so that it can be loaded again.
//!
//! Who gets the separator wrong finds a table of one column, or an error. The
//! file was good; only the options were not. So the chunks of such a CSV job
//! stay for a while, within a bound of bytes, and *reload* makes and executes
//! a new job from them under other options.
//!
//! What the first job wrote goes where that is certain to lose nothing else:
//! the new job replaces the table if the table still is what that job left and
//! holds rows of no other one. Whether that is so is asked again when its turn
//! has come. Chunks make room for new ones, the oldest first, before a caller
//! hears that the disk is full.

use std::sync::Arc;

use base::db::{Control, Db};
use base::{Actor, Timestamp, audit};
use serde_json::json;

use crate::csv;
use crate::pools::job_of;
use crate::push_job::{self, Chunk, FileType, Input, PushJob, PushJobSpec, PushType, State};
use crate::spool::Spool;
use crate::{Error, PoolId, Pools, PushJobId, TableInfo, push_tables, tables};

/// Jobs that are looked at in one transaction.
const JOBS_AT_ONCE: usize = 100;
/// Jobs that a list shows at most.
const LISTED_MAX: usize = 1_000;

/// A push job with its chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDetails {
    /// The job.
    pub job: PushJob,
    /// Its chunks, also those whose files are gone.
    pub chunks: Vec<Chunk>,
    /// Until when its files stay, so that it can be loaded again.
    pub kept_until: Option<Timestamp>,
}

impl Pools {
    /// Returns a push job with its chunks.
    pub async fn job_details(&self, pool: PoolId, job: PushJobId) -> Result<JobDetails, Error> {
        self.db
            .read("pools.job_details", move |tx| {
                Ok(JobDetails {
                    job: job_of(tx, pool, job)?,
                    chunks: tables::chunks(tx, job)?,
                    kept_until: push_tables::kept_until(tx, job)?,
                })
            })
            .await
    }

    /// Lists the push jobs of a pool, those of continuous push among them, the
    /// newest first, at most 1,000.
    pub async fn recent_jobs(&self, pool: PoolId) -> Result<Vec<PushJob>, Error> {
        self.db
            .read("pools.recent_jobs", move |tx| {
                crate::pools::must_have_pool(tx, pool)?;
                Ok(push_tables::recent(tx, pool, LISTED_MAX)?)
            })
            .await
    }

    /// Makes a new job from the chunks of one that has ended, and executes it.
    /// `spec` is the specification of that one with other options.
    pub async fn reload(
        &self,
        actor: &Actor,
        pool: PoolId,
        job: PushJobId,
        spec: PushJobSpec,
    ) -> Result<PushJob, Error> {
        let details = self.job_details(pool, job).await?;
        let table = self.tables.table(pool, &details.job.spec.target).await?;
        let refuse = |detail| Error::CannotReload { job, detail };
        let job_type = reload_as(&details, table.as_ref()).map_err(refuse)?;
        let instead_of = match details.job.state {
            State::Done => table.map(|table| table.changed_by),
            _ => None,
        };
        let now = self.clock.now();
        self.count_execution(now)?;
        let target = details.job.spec.target.clone();
        let made = PushJob {
            id: PushJobId::new(now, &*self.chance),
            pool,
            spec: PushJobSpec { target, job_type, instead_of, causes: actor.causes.clone(), ..spec }.checked()?,
            state: push_job::next(State::New, Input::Execute).expect("a new job can be executed"),
            logs: Vec::new(),
            committed: None,
            created_at: now,
            created_by: actor.name.clone(),
            executed_at: Some(now),
            changed_at: now,
        };
        let (new, actor) = (made.clone(), actor.clone());
        self.db
            .write("pools.reload", move |tx| {
                let known = job_of(tx, pool, job)?;
                tables::insert_job(tx, &new)?;
                // Somebody may have been here since: then nothing moves.
                if push_tables::kept_until(tx, job)?.is_none() || push_tables::move_chunks(tx, job, new.id)? == 0 {
                    return Err(Error::CannotReload { job, detail: GONE.into() });
                }
                push_tables::set_kept(tx, job, None)?;
                let mut logs = known.logs.clone();
                logs.push(format!("its chunks were loaded again by push job {}", new.id));
                tables::set_logs(tx, job, &logs)?;
                tables::enqueue_job(tx, new.id, now)?;
                let after = json!({ "pool": pool, "table": new.spec.target, "from": job });
                audit::record(tx, &actor, "reload", "push-job", &new.id.to_string(), None, Some(&after), now)?;
                Ok(())
            })
            .await?;
        self.nudge.notify_one();
        Ok(made)
    }

    /// Decides how long the chunks of an ended job stay, and says in its log
    /// what they are good for.
    pub(crate) fn kept_until(
        &self,
        job: &PushJob,
        state: State,
        logs: &mut Vec<String>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let is_wrong = state == State::Error || logs.iter().any(|line| line.ends_with(csv::SUSPICION));
        // An import has a way of its own to be told otherwise.
        let of_use = job.spec.file_type == FileType::Csv && is_wrong && job.spec.import.is_none();
        if !of_use || self.options.keep_chunks.is_zero() {
            return None;
        }
        let until = now.plus(self.options.keep_chunks);
        let (pool, id) = (job.pool, job.id);
        logs.push(format!(
            "the chunks are kept until {until}: POST /api/v1/pools/{pool}/push-jobs/{id}/reload with other \
             csvParsingOptions loads them again"
        ));
        Some(until)
    }

    /// Lets go what was kept for long enough, and forgets files of continuous
    /// push that ended as long ago.
    pub(crate) async fn tidy(&self) -> Result<(), Error> {
        let now = self.clock.now();
        loop {
            let freed = let_go(&self.db, &self.spool, Some(now)).await?;
            if freed.is_none() {
                break;
            }
        }
        while self.kept_bytes().await? > self.options.keep_chunks_bytes_max {
            if let_go(&self.db, &self.spool, None).await?.is_none() {
                break;
            }
        }
        let before = now.minus(self.options.keep_chunks);
        self.db
            .write("pools.forget_items", move |tx| Ok::<_, Error>(push_tables::forget_items(tx, before, JOBS_AT_ONCE)?))
            .await?;
        Ok(())
    }

    async fn kept_bytes(&self) -> Result<u64, Error> {
        self.db
            .read("pools.kept_bytes", |tx| {
                let mut bytes = 0;
                for job in push_tables::kept(tx, None, LISTED_MAX)? {
                    bytes += tables::chunks(tx, job)?.iter().map(|chunk| chunk.bytes).sum::<u64>();
                }
                Ok::<_, Error>(bytes)
            })
            .await
    }
}

const GONE: &str = "its chunks are no longer kept; push the file again";

/// Decides what a job is when it is loaded again; the error says why it cannot
/// be, and the mend.
fn reload_as(details: &JobDetails, table: Option<&TableInfo>) -> Result<PushType, String> {
    let JobDetails { job, chunks, kept_until } = details;
    if !job.state.is_final() {
        return Err(format!("it is {}, and has not ended", job.state));
    }
    if kept_until.is_none() || chunks.is_empty() {
        return Err(GONE.into());
    }
    let (Some(committed), Some(table)) = (job.committed, table) else {
        // Nothing of it is there.
        return Ok(job.spec.job_type);
    };
    let untouched = table.changed_by == committed.number;
    let all_its_own = job.spec.job_type == PushType::Replace || table.rows == committed.upserted;
    if untouched && all_its_own && table.keys.is_empty() {
        return Ok(PushType::Replace);
    }
    let name = &table.name;
    Err(format!("table \"{name}\" has rows or keys of other jobs, which would be lost; push the file again"))
}

/// Makes room for new chunks at the cost of kept ones, as far as there are any.
pub(crate) async fn make_room(db: &Db<Control>, spool: &Arc<Spool>, bytes: u64) -> Result<(), Error> {
    while !spool.has_room(bytes) {
        if let_go(db, spool, None).await?.is_none() {
            break;
        }
    }
    Ok(())
}

/// Lets everything go that is kept: the disk is full.
pub(crate) async fn let_all_go(db: &Db<Control>, spool: &Arc<Spool>) -> Result<(), Error> {
    while let_go(db, spool, None).await?.is_some() {}
    Ok(())
}

/// Lets go the chunks of the job that is to go first, or of the first that is
/// due; none if there is none.
async fn let_go(db: &Db<Control>, spool: &Arc<Spool>, due: Option<Timestamp>) -> Result<Option<PushJobId>, Error> {
    let gone = db
        .write("pools.let_go", move |tx| {
            let Some(job) = push_tables::kept(tx, due, 1)?.first().copied() else { return Ok(None) };
            push_tables::set_kept(tx, job, None)?;
            let files: Vec<_> = tables::chunks(tx, job)?.into_iter().map(|chunk| chunk.id).collect();
            Ok::<_, Error>(Some((job, files)))
        })
        .await?;
    let Some((job, files)) = gone else { return Ok(None) };
    spool.remove(files).await;
    tracing::info!(push_job.id = %job, "the chunks of a push job are no longer kept");
    Ok(Some(job))
}
