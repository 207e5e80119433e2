//! Identifiers.
//!
//! An id is a UUID of version 7: it sorts by the millisecond in which it was
//! made, so that index pages stay warm, and it is unique without asking
//! anyone. Each noun has its own type, made by [`id!`](crate::id!); swapping
//! two of them does not compile.

/// Says that a text is not an id.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not an id")]
pub struct NotAnId {
    /// What was given instead.
    pub text: String,
}

/// Makes an id type: time-ordered, comparable, written as lower-case UUID text.
///
/// ```ignore
/// base::id! {
///     /// Names a data pool.
///     pub PoolId
/// }
/// let id = PoolId::new(clock.now(), &*chance);
/// ```
#[macro_export]
macro_rules! id {
    ($(#[$meta:meta])* $visibility:vis $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility struct $name($crate::id::Uuid);

        impl $name {
            /// Makes a new id; `now` is its sorting part.
            pub fn new(now: $crate::Timestamp, chance: &dyn $crate::Chance) -> Self {
                $name($crate::id::uuid_v7(now, chance))
            }

            /// Returns the id whose 16 bytes are these, for ids derived from content.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                $name($crate::id::Uuid::from_bytes(bytes))
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

        impl std::str::FromStr for $name {
            type Err = $crate::id::NotAnId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match $crate::id::Uuid::parse_str(text) {
                    Ok(uuid) => Ok($name(uuid)),
                    Err(_) => Err($crate::id::NotAnId { text: text.to_owned() }),
                }
            }
        }

        impl $crate::id::Serialize for $name {
            fn serialize<S: $crate::id::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> $crate::id::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err($crate::id::custom_error)
            }
        }

        impl From<$name> for $crate::db::Value {
            fn from(id: $name) -> Self {
                $crate::db::Value::Text(id.to_string())
            }
        }

        impl From<&$name> for $crate::db::Value {
            fn from(id: &$name) -> Self {
                $crate::db::Value::Text(id.to_string())
            }
        }

        impl $crate::db::FromValue for $name {
            fn from_value(value: $crate::db::Value) -> Option<Self> {
                match value {
                    $crate::db::Value::Text(text) => text.parse().ok(),
                    _ => None,
                }
            }
        }
    };
}

#[doc(hidden)]
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[doc(hidden)]
pub use uuid::Uuid;

#[doc(hidden)]
pub fn uuid_v7(now: crate::Timestamp, chance: &dyn crate::Chance) -> Uuid {
    let mut random = [0; 10];
    chance.fill(&mut random);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[doc(hidden)]
pub fn custom_error<E: serde::de::Error>(error: NotAnId) -> E {
    E::custom(error)
}
