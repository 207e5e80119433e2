//! In which ways a real workspace is imitated: choices that concern the wire
//! alone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;

use super::faults::Faults;
use super::limits::WorkspaceLimits;
use crate::app::App;
use crate::fault::Fault;

/// In which ways the local workspace behaves as others do.
#[derive(Clone, Default)]
pub struct WorkspaceWays {
    /// Whether a job or a run that is not there is 400, as it was for years,
    /// and not 404.
    pub missing_is_400: bool,
    /// How often it may be called.
    pub limits: WorkspaceLimits,
    /// Faults on purpose, where they are permitted.
    pub faults: Option<Arc<Faults>>,
}

/// Says of a missing job or run what older workspaces said.
pub(super) async fn as_before(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if app.workspace_ways.missing_is_400
        && let Some(fault) = response.extensions_mut().get_mut::<Fault>()
        && matches!(fault.code, "job-not-found" | "run-not-found")
    {
        fault.status = StatusCode::BAD_REQUEST;
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}
