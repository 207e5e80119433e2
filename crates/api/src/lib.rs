//! The only place that speaks HTTP inward: routes, wire types, problem
//! details, and the browser's files.
//!
//! A handler is a few lines: it reads the wire type, asks a facade, and turns
//! the answer into a wire type again. If it needs more, the facade lacks a
//! verb. Domain types never travel.

mod app;
mod door;
mod path;
mod fault;
mod problem;
mod body;
mod health;
mod metrics;
mod ui;

pub use app::App;
pub use health::Readiness;
pub use metrics::Metrics;
