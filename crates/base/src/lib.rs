//! The ground on which every other crate stands.
//!
//! `base` knows no word of the domain: no pool, no trigger, no flow. It holds
//! what all of them need and what must be the same everywhere:
//!
//! * [`error`]: the closed set of kinds that an error can be, whoever raised it;
//! * [`time`] and [`chance`]: the clock and the source of randomness as values.
//!   Nobody below the program reads the wall clock or the operating system's
//!   random numbers; a test passes a [`time::SimClock`] and a seed instead;
//! * [`id`]: identifiers that sort by the time they were made;
//! * [`actor`]: who is doing this now, and [`causes`]: what led there;
//! * [`secret`]: text that must not be seen, and the key ring that seals it;
//! * [`db`]: the control database, one SQL text for SQLite and PostgreSQL;
//! * [`audit`]: the row that says who changed what, in the change's transaction;
//! * [`address`]: ranges of network addresses, written and judged in one way;
//! * [`schedule`] and [`work`]: when something is due, and who holds it;
//! * [`http`], [`mail`], [`sql`], [`foreign`]: the ports through which effects
//!   leave, and rows of other databases come.
//!
//! The shape of everything that lives in this house is *decide, record, act*:
//! a pure function decides, one transaction records, a port acts, and the
//! outcome is the next input.

pub mod error;
pub mod time;
pub mod chance;
pub mod id;
pub mod causes;
pub mod actor;
pub mod secret;
pub mod db;
pub mod audit;
pub mod address;
pub mod schedule;
pub mod work;
pub mod http;
pub mod mail;
pub mod sql;
pub mod foreign;
pub mod testing;

pub use actor::Actor;
pub use address::AddressRange;
pub use causes::Causes;
pub use chance::Chance;
pub use error::{Coded, Kind};
pub use secret::Secret;
pub use time::{Clock, Timestamp};

/// The tables that `base` owns, in every database file: the audit trail and
/// the due work. They come first in the list given to [`db::Db::open_sqlite`].
pub const MIGRATIONS: &[db::Migration] = &[
    db::Migration { name: "base/0001_audit", sql: include_str!("../migrations/0001_audit.sql") },
    db::Migration { name: "base/0002_due_work", sql: include_str!("../migrations/0002_due_work.sql") },
];

/// A future that owns what it needs to cross a port, boxed so that ports stay
/// object-safe and no generics travel between crates.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
