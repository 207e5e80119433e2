//! Packages: where knowledge models and flows live, and what permissions on
//! them are granted on.

use base::Timestamp;

use crate::error::Error;

const KEY_LENGTH_MAX: usize = 100;

/// A folder of things that are developed, published and shared together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// How it is called in addresses; a model in it is `package.key`.
    pub key: String,
    /// What people read.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Checks that a text can be a package key. A dot cannot stand in it, because
/// a dot separates it from what lies in the package.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    let fits = !key.is_empty()
        && key.len() <= KEY_LENGTH_MAX
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits { Ok(()) } else { Err(Error::BadPackageKey { key: key.to_owned() }) }
}
