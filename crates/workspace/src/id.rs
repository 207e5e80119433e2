//! Numbers that name jobs and runs.
//!
//! The API of Databricks names jobs and runs by 64-bit integers, and real ones
//! have up to 18 digits. Ours are drawn from that whole range, so that a client
//! which pushes them through a double loses digits here, at its desk, and not
//! in production.

use base::Chance;
use base::db::{FromValue, Value};
use serde::{Deserialize, Serialize};

const SMALLEST: u64 = 100_000_000_000_000;
const LARGEST: u64 = 999_999_999_999_999_999;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Draws a new one.
            pub fn new(chance: &dyn Chance) -> Self {
                $name((SMALLEST + chance.number() % (LARGEST - SMALLEST)) as i64)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                Value::Int(id.0)
            }
        }

        impl FromValue for $name {
            fn from_value(value: Value) -> Option<Self> {
                i64::from_value(value).map($name)
            }
        }
    };
}

number! {
    /// Names a job.
    JobId
}

number! {
    /// Names a run, or one attempt of a task within a run: the API uses one
    /// sort of number for both.
    RunId
}
