//! The one way out.
//!
//! Whatever a user directs to the outside (the HTTP modules of flows, the
//! callbacks of subscriptions, mail) leaves through [`Egress`]. It knows no word of
//! the domain: it is handed a [`Request`](base::http::Request), judges the
//! address that would be dialled, and brings back the answer.
//!
//! A crate of its own, so that the guard can be tested and the speed of calls
//! be measured without building the rest of the program
//! (docs/decisions/0009-a-crate-for-the-way-out.md).

mod egress;
mod connections;
mod identity;
mod network;
mod dial;
mod post;
mod alias;

pub use alias::{HostAlias, NotAnAlias};
pub use egress::{Egress, Origins};
pub use network::{Allowed, NotARange};
