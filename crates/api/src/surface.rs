//! Routes that know their own names.
//!
//! A router does not tell what it routes. Operations that a document describes
//! are put together here, so that a test can hold the two lists against each
//! other.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;

use crate::app::App;

/// Operations below one prefix: a router, and the list of what is in it.
#[derive(Default)]
pub(crate) struct Surface {
    router: Router<App>,
    operations: Vec<(Method, &'static str)>,
}

impl Surface {
    /// Adds an operation.
    pub(crate) fn on<H, T>(mut self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that HTTP itself has");
        self.router = self.router.route(path, on(filter, handler));
        self.operations.push((method, path));
        self
    }

    /// Returns the router.
    pub(crate) fn into_router(self) -> Router<App> {
        self.router
    }

    /// Returns what is in it: method and path, without the prefix.
    #[cfg(test)]
    pub(crate) fn operations(&self) -> &[(Method, &'static str)] {
        &self.operations
    }
}
