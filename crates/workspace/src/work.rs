//! The background of the workspace.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::workspace::Workspace;

impl Workspace {
    /// Takes up the tasks that were in flight when the server ended.
    pub async fn recover(&self) -> Result<(), Error> {
        todo!()
    }

    /// Runs what is to run, until told to stop; processes go on.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let _ = stop;
        todo!()
    }
}
