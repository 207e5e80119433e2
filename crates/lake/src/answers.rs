//! The port through which SQL is asked, over the lake.

use base::BoxFuture;
use base::sql::{Sql, SqlAnswer, SqlDownload, SqlError, SqlForm, SqlRequest, SqlRunning};
use pools::{PoolId, Tables as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::asking::{Begun, Resumed};
use crate::download::{received, send};
use crate::lake::Lake;
use crate::query::{Answering, plan};
use crate::scope::Scope;

/// Pieces of a download between the engine and the reader.
const PIECES_AHEAD: usize = 2;

impl Lake {
    /// Returns what a statement sees now.
    pub(crate) fn scope(&self, pool: PoolId) -> Scope {
        Scope::of(self.pool(pool).view(), self.asking.views(pool))
    }

    /// Takes a statement in, once the pool is where the request wants it.
    async fn begin(&self, request: &SqlRequest) -> Result<(Begun, Scope), SqlError> {
        let id = pool_id(&request.pool)?;
        let begun = self.asking.begin(id, &request.statement, &request.asked_by);
        if let Some(number) = request.at_least {
            let patience = self.asking.time_max();
            if !self.wait_for(id, number, patience).await {
                return Err(SqlError::Stopped { detail: format!("the pool has not reached commit {number} in time") });
            }
        }
        Ok((begun, self.scope(id)))
    }

    /// Works on the lake's own threads; whoever no longer waits for the answer
    /// does not want the work either.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SqlError>> + Send + 'static,
    ) -> Result<T, SqlError> {
        let work = AbortOnDropHandle::new(self.runtime().spawn(work));
        work.await.unwrap_or_else(|error| Err(SqlError::Engine(error.into())))
    }

    pub(crate) async fn start(
        &self,
        begun: &mut Begun,
        scope: Scope,
        statement: String,
    ) -> Result<Answering, SqlError> {
        let environment = self.asking.environment();
        let started = self.work(async move { plan(&scope, &statement, &environment).await?.start().await });
        begun.work.on(started).await?
    }
}

fn pool_id(pool: &str) -> Result<PoolId, SqlError> {
    pool.parse().map_err(|_| SqlError::Statement { detail: format!("pool \"{pool}\" does not exist") })
}

impl Sql for Lake {
    fn run(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlAnswer, SqlError>> {
        Box::pin(async move {
            let (mut begun, scope) = self.begin(&request).await?;
            let answering = self.start(&mut begun, scope, request.statement).await?;
            self.work(begun.first_page(answering, request.rows_max, request.pages)).await
        })
    }

    fn page<'a>(
        &'a self,
        pool: &'a str,
        cursor: &'a str,
        rows_max: usize,
    ) -> BoxFuture<'a, Result<SqlAnswer, SqlError>> {
        Box::pin(async move {
            match self.asking.resume(pool_id(pool)?, cursor)? {
                Resumed::Shown(answer) => Ok(answer),
                // A page that was begun comes to its end, so that it can be
                // shown again to somebody who did not wait for it.
                Resumed::Next(begun, open) => {
                    let page = self.runtime().spawn(begun.next_page(open, rows_max, true));
                    page.await.unwrap_or_else(|error| Err(SqlError::Engine(error.into())))
                }
            }
        })
    }

    fn download(&self, request: SqlRequest, form: SqlForm) -> BoxFuture<'_, Result<SqlDownload, SqlError>> {
        Box::pin(async move {
            let (mut begun, scope) = self.begin(&request).await?;
            let answering = self.start(&mut begun, scope, request.statement).await?;
            let (ready, begins) = oneshot::channel();
            let (pieces, arriving) = mpsc::channel(PIECES_AHEAD);
            let task = AbortOnDropHandle::new(self.runtime().spawn(send(begun, answering, form, ready, pieces)));
            match begins.await {
                Ok(Ok(())) => Ok(received(arriving, task)),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(SqlError::Engine(error.into())),
            }
        })
    }

    fn running(&self, pool: &str) -> Vec<SqlRunning> {
        pool_id(pool).map(|pool| self.asking.running(pool)).unwrap_or_default()
    }

    fn cancel(&self, pool: &str, id: &str) -> bool {
        pool_id(pool).is_ok_and(|pool| self.asking.cancel(pool, id))
    }
}
