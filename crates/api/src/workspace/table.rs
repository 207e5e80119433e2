//! The routes of the listener, and a list of them.
//!
//! A router does not tell which routes it has. This one does, so that a test
//! can try each of them as a stranger, and fails when one is added that it has
//! no expectation of.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use axum::{Extension, response::IntoResponse};
use tower::{Layer, Service};

use crate::app::App;
use crate::fault::{self, Voice};

/// Routes, and their paths.
pub(crate) struct Table {
    router: Router<App>,
    paths: Vec<String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Table { router: Router::new(), paths: Vec::new() }
    }

    pub(crate) fn route(mut self, path: &str, methods: MethodRouter<App>) -> Self {
        self.paths.push(path.to_owned());
        Table { router: self.router.route(path, methods), ..self }
    }

    /// Puts a table below a path.
    pub(crate) fn nest(mut self, path: &str, table: Table) -> Self {
        self.paths.extend(table.paths.iter().map(|below| format!("{path}{below}")));
        Table { router: self.router.nest(path, table.router), ..self }
    }

    /// Adds the routes of a table.
    pub(crate) fn merge(mut self, table: Table) -> Self {
        self.paths.extend(table.paths);
        Table { router: self.router.merge(table.router), ..self }
    }

    /// Puts a layer around the routes.
    pub(crate) fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<std::convert::Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Table { router: self.router.layer(layer), ..self }
    }

    /// Lets the handlers of these routes know something.
    pub(crate) fn knowing<T: Clone + Send + Sync + 'static>(self, what: T) -> Self {
        self.layer(Extension(what))
    }

    /// Says the faults of these routes in a shape of their own.
    pub(crate) fn speaking(self, voice: Voice) -> Self {
        self.layer(from_fn_with_state(voice, fault::speak))
    }

    /// Returns the router.
    pub(crate) fn router(self) -> Router<App> {
        self.router
    }

    /// Returns the paths of all routes.
    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }
}
