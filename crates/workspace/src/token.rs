//! Access tokens of the workspace.
//!
//! A token is 32 random bytes behind the prefix that secret scanners know. It
//! is shown once; at rest there is its SHA-256, which suffices because there
//! is nothing to guess. (A bootstrap token is chosen by a person; it is as good
//! as that person's choice.)

use base::{Actor, Chance, Secret, Timestamp};
use sha2::{Digest, Sha256};

/// What can be shown of a token after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Names it; not secret.
    pub id: String,
    /// What it is for.
    pub comment: String,
    /// On whose behalf calls are that present it.
    pub owner: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
}

/// Draws a new token.
pub(crate) fn draw(chance: &dyn Chance) -> Secret {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    Secret::new(format!("dapi{}", hex::encode(bytes)))
}

/// Returns what is kept of a token.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Takes the token out of an `Authorization` header: `Bearer` in any case.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
