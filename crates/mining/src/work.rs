//! Following commits and deadlines in the background.
//!
//! One task per data model with a published model: it catches up, then waits
//! for the next commit of its pool, the next deadline of its clock, or a word
//! that something was published or set. A data model that cannot be followed
//! now is tried again at the next commit, and after a while in any case.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use pools::{DataModelId, PoolId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::mining::{Mining, Post};

/// The longest wait without another look; a wall clock may be set meanwhile.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// How long a data model rests that could not be followed.
const REST: Duration = Duration::from_secs(5);

impl Mining {
    /// Follows commits and deadlines until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut followed: HashSet<DataModelId> = HashSet::new();
        loop {
            match self.followed().await {
                Ok(ids) => {
                    for id in ids {
                        if followed.insert(id) {
                            tasks.spawn(self.clone().follow(id, stop.clone()));
                        }
                    }
                }
                Err(error) => tracing::warn!(error = %chain(&error), "the published models could not be listed"),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.published.notified() => {}
                () = tokio::time::sleep(WAIT_MAX) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn follow(self: Arc<Self>, id: DataModelId, stop: CancellationToken) {
        let post = self.post(id);
        let mut pool = None;
        while !stop.is_cancelled() {
            let wait = match self.follow_once(&post).await {
                Ok((found, next)) => {
                    pool = Some(found);
                    next.map_or(WAIT_MAX, |at| at.since(self.clock.now()).min(WAIT_MAX))
                }
                Err(error) => {
                    tracing::warn!(data_model.id = %id, error = %chain(&error), "data model is not followed for now");
                    REST
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.next_commit(pool, &post) => {}
                () = post.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Returns when the pool has a commit that was not evaluated yet.
    async fn next_commit(&self, pool: Option<PoolId>, post: &Post) {
        let Some(pool) = pool else { return std::future::pending().await };
        let evaluated = post.evaluated();
        let mut head = self.tables.head(pool);
        if head.wait_for(|head| *head > evaluated).await.is_err() {
            // Nobody writes to the pool any more.
            std::future::pending::<()>().await;
        }
    }
}
