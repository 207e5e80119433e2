//! App keys: the long-lived credentials of programs.

use base::actor::{Actor, ActorKind};
use base::{Causes, Timestamp};

use crate::credential::Credential;
use crate::error::Error;

const NAME_LENGTH_MAX: usize = 200;

/// A program's way in. Its secret is not here: only its hash is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppKey {
    /// The part of the credential before the colon.
    pub id: String,
    /// What people read.
    pub name: String,
    /// May do everything.
    pub administrator: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Id of the actor who made it.
    pub created_by: String,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl AppKey {
    /// Returns the actor that the key stands for.
    pub fn actor(&self) -> Actor {
        Actor {
            id: self.id.clone(),
            name: self.name.clone(),
            kind: ActorKind::AppKey,
            administrator: self.administrator,
            causes: Causes::NONE,
        }
    }
}

/// An app key as it is handed to the one who asked for it: the only time that
/// its secret is seen.
pub struct NewAppKey {
    /// The key.
    pub app_key: AppKey,
    /// What the program presents.
    pub credential: Credential,
}

/// What [`Access::bootstrap_app_key`](crate::Access::bootstrap_app_key) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// The key was made.
    Created,
    /// The key was there.
    Unchanged,
    /// The key was there with another secret; the given one counts now.
    SecretReplaced,
    /// The key was there and has been revoked since; it stays revoked.
    StaysRevoked,
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let length = name.trim().chars().count();
    if (1..=NAME_LENGTH_MAX).contains(&length) { Ok(()) } else { Err(Error::BadName) }
}
