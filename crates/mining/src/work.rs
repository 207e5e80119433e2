//! Following commits and deadlines in the background.
//!
//! One task per data model with a published model: it catches up, then waits
//! for the next commit of its pool, the next deadline of its clock, or a word
//! that something was published or set. It ends when no published model stands
//! on the data model any more, and gives up its place at the pool.
//!
//! A data model that cannot be followed now is reported and tried again after
//! a rest, which grows as long as it fails. New commits do not cut the rest
//! short: a busy pool would make one broken model a busy loop. Publishing and
//! setting the clock do, for they may be the remedy, and so does a commit after
//! the one at which a data model was refused.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use pools::{DataModelId, PoolId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::mining::Mining;
use crate::post::Post;
use crate::{Error, tables};

/// The longest wait without another look; a wall clock may be set meanwhile.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// How long a data model rests that could not be followed once.
const REST: Duration = Duration::from_secs(1);

/// What a follower waits for.
struct Wait {
    /// For a commit of this pool that was not evaluated.
    pool: PoolId,
    /// At most so long.
    at_most: Duration,
}

impl Mining {
    /// Follows commits and deadlines until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut followed: HashMap<DataModelId, tokio::task::Id> = HashMap::new();
        loop {
            match self.followed().await {
                Ok(ids) => {
                    for id in ids {
                        let spawn = || tasks.spawn(self.clone().follow(id, stop.clone())).id();
                        followed.entry(id).or_insert_with(spawn);
                    }
                }
                Err(error) => tracing::warn!(error = %chain(&error), "the published models could not be listed"),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.published.notified() => {}
                Some(ended) = tasks.join_next_with_id() => {
                    let task = ended.map_or_else(|stopped| stopped.id(), |(task, ())| task);
                    followed.retain(|_, follower| *follower != task);
                }
                () = tokio::time::sleep(WAIT_MAX) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn follow(self: Arc<Self>, id: DataModelId, stop: CancellationToken) {
        let post = self.post(id);
        post.take_place();
        let mut rest = REST;
        while !stop.is_cancelled() {
            match self.follow_once(&post).await {
                Ok(ControlFlow::Break(())) => {
                    self.abandon(&post).await;
                    return;
                }
                Ok(ControlFlow::Continue(wait)) => {
                    rest = REST;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.next_commit(wait.pool, &post) => {}
                        () = post.changed.notified() => {}
                        () = tokio::time::sleep(wait.at_most) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(data_model.id = %id, error = %chain(&error), ?rest, "data model is not followed for now");
                    drop(error);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = post.changed.notified() => {}
                        () = self.mended(&post) => {}
                        () = tokio::time::sleep(rest) => {}
                    }
                    rest = (rest * 2).min(WAIT_MAX);
                }
            }
        }
        self.give_up_place(&post);
    }

    /// Catches up with a data model, if a published model stands on it, and
    /// says what to wait for.
    async fn follow_once(&self, post: &Arc<Post>) -> Result<ControlFlow<(), Wait>, Error> {
        if !self.followed().await?.contains(&post.id) {
            return Ok(ControlFlow::Break(()));
        }
        let guard = self.caught_up(post).await?;
        let live = guard.as_ref().expect("a model that was caught up with is loaded");
        let next = live.next_deadline().and_then(|instant| live.clock.wall_at(instant));
        let wall = self.clock.now();
        // While one is under way, its end is a word to look again.
        let survey = live.next_survey_at().filter(|_| !*post.surveys.borrow());
        let next = [next, live.next_errand(wall), survey].into_iter().flatten().min();
        let at_most = next.map_or(WAIT_MAX, |at| at.since(wall).min(WAIT_MAX));
        Ok(ControlFlow::Continue(Wait { pool: live.model.pool, at_most }))
    }

    /// Evaluates every commit that is durable now and every deadline that has
    /// passed, of every data model with a published model, and waits for what is
    /// evaluated whole and is due. One that fails does not keep the others from
    /// it; the first error is returned.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let mut result = Ok(());
        for id in self.followed().await? {
            let post = self.post(id);
            let caught_up = self.caught_up(&post).await.map(drop);
            // The post lives as long as this waits for it.
            post.surveys.subscribe().wait_for(|busy| !busy).await.ok();
            result = result.and(caught_up);
        }
        result
    }

    /// Lists the data models with a published model.
    async fn followed(&self) -> Result<Vec<DataModelId>, Error> {
        self.desk.db.read("mining.followed", |tx| Ok(tables::published_data_models(tx)?)).await
    }

    /// Returns when the pool has a commit that was not evaluated yet.
    async fn next_commit(&self, pool: PoolId, post: &Post) {
        let evaluated = post.evaluated();
        let mut head = self.tables.head(pool);
        if head.wait_for(|head| *head > evaluated).await.is_err() {
            // Nobody writes to the pool any more.
            std::future::pending::<()>().await;
        }
    }
}
