//! Who may do what: team, app keys, packages, permissions, and reading the
//! audit trail.
//!
//! There is one team, and everything belongs to it. A program signs in with an
//! *app key*, `id:secret`, sent as `Authorization: AppKey base64(id:secret)` or
//! the same as `Bearer`; [`Access::authenticate`] turns the header into a
//! [`base::Actor`]. What an actor may do is written down as *grants*: a
//! [`Permission`] on a [`Scope`], which is the whole team, a data pool or a
//! package. An administrator may do everything. [`Access::require`] is the
//! question that a verb asks first.
//!
//! This crate does not know what the permissions protect: a pool is a text
//! here.
//!
//! What cannot happen: a secret at rest (only its argon2 hash is stored), a
//! change without its audit row (they share a transaction), an accepted key
//! after its revocation has been answered.

mod error;
mod team;
mod credential;
mod app_key;
mod permission;
mod package;
mod tables;
mod memory;
mod access;

pub use access::Access;
pub use app_key::{AppKey, Bootstrap, NewAppKey};
pub use credential::Credential;
pub use error::Error;
pub use package::Package;
pub use permission::{Grant, Permission, Reach, Scope};
pub use team::Team;

/// The tables that this crate owns, in the control file.
pub const MIGRATIONS: &[base::db::Migration] =
    &[base::db::Migration { name: "access/0001_access", sql: include_str!("../migrations/0001_access.sql") }];
