//! The signature on every call: [Standard Webhooks], version `v1`.
//!
//! Signed is `id.timestamp.body` with HMAC-SHA256. During a rotation a call
//! bears a signature for each secret that is valid, so that the receiver may
//! change over whenever it likes.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

use std::time::Duration;

use base::{Chance, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the standard asks for 24 to 64.
const SECRET_BYTES: usize = 32;
/// How far a receiver's clock and ours may lie apart.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// The key with which calls are signed, ready for use. Making it is the
/// costly half of a signature, so it is kept.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// Why a call is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The secret is not one.
    #[error("a secret begins with \"whsec_\" and continues in base64")]
    NotASecret,
    /// The timestamp is not a number.
    #[error("the timestamp \"{text}\" is not a number of seconds")]
    NotATimestamp {
        /// As it came.
        text: String,
    },
    /// The call is too old, or comes from the future: it may be a recording.
    #[error("the timestamp {at} lies more than {} s from now", TOLERANCE.as_secs())]
    TooFar {
        /// When it was signed.
        at: Timestamp,
    },
    /// No signature of the list fits.
    #[error("no signature fits the body and the secret")]
    NoMatch,
}

impl SigningKey {
    /// Makes the key that belongs to a `whsec_` text.
    pub fn new(secret: &Secret) -> Result<Self, SignatureError> {
        let text = secret.expose().strip_prefix(PREFIX).ok_or(SignatureError::NotASecret)?;
        let bytes = STANDARD.decode(text).map_err(|_| SignatureError::NotASecret)?;
        // Everybody has the empty key.
        if bytes.is_empty() {
            return Err(SignatureError::NotASecret);
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| SignatureError::NotASecret)?;
        Ok(SigningKey(mac))
    }

    /// Signs a call: `v1,` and the base64 of the signature.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.mac(id, seconds(at), body).finalize().into_bytes()))
    }

    /// Checks the three headers of a call against its body, as a receiver does.
    pub fn verify(
        &self,
        id: &str,
        timestamp: &str,
        signatures: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let signed_at: i64 =
            timestamp.parse().map_err(|_| SignatureError::NotATimestamp { text: timestamp.to_owned() })?;
        let at = Timestamp::from_millis(signed_at.saturating_mul(1_000));
        if now.since(at).max(at.since(now)) > TOLERANCE {
            return Err(SignatureError::TooFar { at });
        }
        let mac = self.mac(id, signed_at, body);
        for signature in signatures.split(' ').filter_map(|listed| listed.strip_prefix("v1,")) {
            let fits = STANDARD.decode(signature).is_ok_and(|bytes| mac.clone().verify_slice(&bytes).is_ok());
            if fits {
                return Ok(());
            }
        }
        Err(SignatureError::NoMatch)
    }

    fn mac(&self, id: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// Makes a new secret.
pub fn new_secret(chance: &dyn Chance) -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    chance.fill(&mut bytes);
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// Returns the `webhook-timestamp` of a point in time.
pub(crate) fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1_000)
}

#[cfg(test)]
mod tests;
