//! The work that goes on without being asked: an explicit list.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::wire::House;

/// Takes up what was in flight when the process last ended. It comes before
/// the first request is answered, so that nobody sees half a state.
pub(crate) async fn recover(house: &House) -> Result<()> {
    house.pools.recover().await.context("push jobs cannot be taken up again")?;
    house.pools.show_views().await.context("the views cannot be read")?;
    house.workspace.recover().await.context("job runs cannot be taken up again")?;
    house.workspace.recover_serving().await.context("serving endpoints cannot be taken up again")?;
    Ok(())
}

/// Starts every worker. Each ends when `stop` is cancelled.
pub(crate) fn start(house: &House, tracker: &TaskTracker, stop: &CancellationToken) {
    let work = |name: &'static str, worker: base::BoxFuture<'static, ()>| {
        tracker.spawn(worker.instrument(tracing::info_span!("worker", name)));
    };
    work("tables", Box::pin(Arc::clone(&house.lake).run(stop.clone())));
    work("push jobs", Box::pin(Arc::clone(&house.pools).run(stop.clone())));
    work("data jobs", Box::pin(Arc::clone(&house.pools).run_data_jobs(stop.clone())));
    work("sources", Box::pin(Arc::clone(&house.pools).run_sources(stop.clone())));
    work(
        "imports",
        Box::pin({
            let (pools, stop) = (Arc::clone(&house.pools), stop.clone());
            async move { pools.sweep_imports(stop).await }
        }),
    );
    work("triggers", Box::pin(Arc::clone(&house.mining).run(stop.clone())));
    work("deliveries", Box::pin(Arc::clone(&house.events).run(stop.clone())));
    work("flows", Box::pin(Arc::clone(&house.flows).run(stop.clone())));
    work("workspaces of flows", Box::pin(Arc::clone(&house.flows).watch_workspaces(stop.clone())));
    work("job runs", Box::pin(Arc::clone(&house.workspace).run(stop.clone())));
}
