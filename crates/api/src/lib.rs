//! The only place that speaks HTTP inward: routes, wire types, problem
//! details, and the browser's files.
//!
//! A request comes through [`door`], finds its surface in [`router`], and ends
//! in a handler of a few lines: it reads the wire type, asks for the right,
//! asks a facade, and turns the answer into a wire type again. If it needs
//! more, the facade lacks a verb.
//!
//! * [`own`] is our own interface, `/api/v1`;
//! * [`hooks`] takes requests that start flows, from whoever knows an address;
//! * [`push`] and [`intelligence`] answer as Celonis does, [`workspace`] as a
//!   Databricks workspace does, each failing in that product's words;
//! * [`openapi`] describes what concerns subscriptions, for programs;
//! * [`ui`] hands out the browser's files.
//!
//! What cannot happen here: a domain type on the wire, an internal cause in an
//! answer, a route that forgot to ask who is calling.

mod app;
mod router;
mod door;
mod path;
mod surface;
mod fault;
mod problem;
mod body;
mod caller;
mod peer;
mod forwarded;
mod rights;
mod own;
mod hooks;
mod tasks;
mod mail;
mod push;
mod automation;
mod intelligence;
mod openapi;
mod workspace;
mod ui;
mod figures;
mod metrics;
mod health;

pub use app::App;
pub use health::Readiness;
pub use intelligence::RequestLimits;
pub use mail::take_mails;
pub use metrics::Metrics;
pub use peer::WithPeers;
pub use router::{main_router, workspace_router};
pub use workspace::{Faults, WorkspaceLimits, WorkspaceWays};

#[cfg(test)]
mod tests;
