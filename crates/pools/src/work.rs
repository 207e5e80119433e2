//! The worker: executes push jobs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{Error, Pools};

impl Pools {
    /// Settles what a crash left behind: jobs that ran become DONE if their
    /// commit is there, else they wait for their turn again; files of the
    /// spool that nobody needs are removed. [`Pools::run`] begins with it.
    pub async fn recover(&self) -> Result<(), Error> {
        todo!()
    }

    /// Executes push jobs until `stop`, several tables at once, the jobs of
    /// one table in order.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let _ = stop;
        todo!()
    }

    /// Executes what waits until nothing waits any more.
    pub async fn drain(&self) -> Result<(), Error> {
        todo!()
    }
}
