//! Text that must not be seen.
//!
//! A [`Secret`] has no `Debug`, no `Display` and no serde: whoever needs the
//! text calls [`Secret::expose`], and that call can be searched for. At rest
//! secrets are sealed by a [`KeyRing`] with XChaCha20-Poly1305: whoever has
//! the database but not the ring learns nothing but lengths, and cannot alter
//! a secret or move it to another place unnoticed, because each is sealed for
//! a *purpose*, such as `connection c-7 password`, which must be named again
//! to open it.
//!
//! A sealed secret is `version (1) · key id (4) · nonce (24) · ciphertext and
//! tag`. Keys have ids so that they can rotate: the first key of the ring
//! seals, all of them open.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::error::{Coded, Kind};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
/// Version and key id.
const HEADER_BYTES: usize = 5;

/// A text that never reaches a log, an error or a `Debug`.
///
/// Comparison takes the same time wherever two texts of equal length differ.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text. Every call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares with what somebody presented, in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

/// Why a secret cannot be opened, or a ring cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The bytes were altered, cut, or sealed for something else.
    #[error("the sealed secret for \"{purpose}\" is damaged or belongs to something else")]
    Damaged {
        /// What it was to be opened for.
        purpose: String,
    },
    /// It was sealed with a key that the ring does not have.
    #[error("the secret for \"{purpose}\" was sealed with key {key:08x}, which is not on the key ring")]
    UnknownKey {
        /// What it was to be opened for.
        purpose: String,
        /// Id of the missing key.
        key: u32,
    },
    /// The text of a ring is not one. It is not shown, because it is a secret.
    #[error("line {line} of the key ring is not \"<8 hexadecimal digits> <64 hexadecimal digits>\"")]
    BadRing {
        /// 1-based.
        line: usize,
    },
    /// A ring needs at least one key, each with an id of its own.
    #[error("the key ring has {problem}")]
    UselessRing {
        /// `no key`, or which id stands twice.
        problem: String,
    },
    /// The file of the ring cannot be read or made.
    #[error("the key ring \"{file}\" cannot be read or made")]
    File {
        /// Its path.
        file: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl Coded for SecretError {
    fn kind(&self) -> Kind {
        Kind::Internal
    }

    fn code(&self) -> &'static str {
        match self {
            SecretError::Damaged { .. } => "secret-damaged",
            SecretError::UnknownKey { .. } => "secret-key-unknown",
            SecretError::BadRing { .. } | SecretError::UselessRing { .. } => "key-ring-invalid",
            SecretError::File { .. } => "key-ring-file",
        }
    }
}

/// The keys with which secrets are sealed at rest.
pub struct KeyRing {
    /// The first one seals; never empty.
    keys: Vec<(u32, Zeroizing<[u8; KEY_BYTES]>)>,
}

impl KeyRing {
    /// Makes a ring with one new key.
    pub fn generate(chance: &dyn Chance) -> Self {
        let mut id = [0; 4];
        chance.fill(&mut id);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        chance.fill(&mut *key);
        KeyRing { keys: vec![(u32::from_be_bytes(id), key)] }
    }

    /// Reads a ring from its text: a key a line (or separated by commas, for
    /// the environment), `<id> <key>` in hexadecimal, the one that seals
    /// first. Empty lines and lines that begin with `#` say nothing.
    pub fn parse(text: &Secret) -> Result<Self, SecretError> {
        let mut keys: Vec<(u32, Zeroizing<[u8; KEY_BYTES]>)> = Vec::new();
        for (index, line) in text.expose().split(['\n', ',']).enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, key) = parse_key(line).ok_or(SecretError::BadRing { line: index + 1 })?;
            if keys.iter().any(|(known, _)| *known == id) {
                return Err(SecretError::UselessRing { problem: format!("two keys with the id {id:08x}") });
            }
            keys.push((id, key));
        }
        if keys.is_empty() {
            return Err(SecretError::UselessRing { problem: "no key".into() });
        }
        Ok(KeyRing { keys })
    }

    /// Returns the text that [`KeyRing::parse`] reads.
    pub fn text(&self) -> Secret {
        let mut text = Zeroizing::new(String::new());
        for (id, key) in &self.keys {
            let key = Zeroizing::new(hex::encode(**key));
            for part in [&hex::encode(id.to_be_bytes()), " ", &key, "\n"] {
                text.push_str(part);
            }
        }
        Secret(text)
    }

    /// Reads the ring from a file; if there is none, makes one that only its
    /// owner can read. The file must be kept apart from backups of the
    /// database, and must not be lost: without it no sealed secret opens.
    pub fn open_or_create(path: &Path, chance: &dyn Chance) -> Result<Self, SecretError> {
        let at = |source| SecretError::File { file: path.display().to_string(), source };
        match read(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let ring = Self::generate(chance);
                match create(path, &ring.text()) {
                    Ok(()) => Ok(ring),
                    // Somebody else was faster; theirs counts.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::parse(&read(path).map_err(at)?),
                    Err(error) => Err(at(error)),
                }
            }
            Err(error) => Err(at(error)),
        }
    }

    /// Puts a new key in front: it seals from now on, the others still open.
    pub fn rotate(&mut self, chance: &dyn Chance) {
        let fresh = Self::generate(chance);
        self.keys.splice(0..0, fresh.keys);
    }

    /// Seals a secret for a purpose. The same secret never looks the same twice.
    pub fn seal(&self, purpose: &str, secret: &Secret, chance: &dyn Chance) -> Vec<u8> {
        let (id, key) = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        // 24 random bytes do not repeat, however many secrets there are.
        chance.fill(&mut nonce);
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&id.to_be_bytes());
        let bound = bound_to(&sealed, purpose);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &bound };
        let ciphertext = XChaCha20Poly1305::new(Key::from_slice(&**key))
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("only texts beyond 256 GiB cannot be sealed");
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, SecretError> {
        let damaged = || SecretError::Damaged { purpose: purpose.to_owned() };
        let (header, rest) = sealed.split_at_checked(HEADER_BYTES).ok_or_else(damaged)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let [VERSION, a, b, c, d] = *header else { return Err(damaged()) };
        let id = u32::from_be_bytes([a, b, c, d]);
        let (_, key) = self
            .keys
            .iter()
            .find(|(known, _)| *known == id)
            .ok_or_else(|| SecretError::UnknownKey { purpose: purpose.to_owned(), key: id })?;
        let payload = Payload { msg: ciphertext, aad: &bound_to(header, purpose) };
        let text = XChaCha20Poly1305::new(Key::from_slice(&**key))
            .decrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_| damaged())?;
        let text = String::from_utf8(text).map_err(|_| damaged())?;
        Ok(Secret::new(text))
    }
}

impl std::fmt::Debug for KeyRing {
    /// Shows how many keys there are, and none of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys.len())
    }
}

fn bound_to(header: &[u8], purpose: &str) -> Vec<u8> {
    [header, purpose.as_bytes()].concat()
}

fn parse_key(line: &str) -> Option<(u32, Zeroizing<[u8; KEY_BYTES]>)> {
    let (id, key) = line.split_once(char::is_whitespace)?;
    let id = if id.len() == 8 { u32::from_str_radix(id, 16).ok()? } else { return None };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(key.trim(), &mut *bytes).ok()?;
    Some((id, bytes))
}

fn read(path: &Path) -> std::io::Result<Secret> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        // Mounted secrets of containers look like this, so it is no error.
        tracing::warn!(file = %path.display(), "the key ring can be read by other users than its owner");
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    Ok(Secret(text))
}

/// Writes beside the place first and links the finished file there: a crash
/// never leaves half a ring behind, and an existing ring is never replaced.
fn create(path: &Path, text: &Secret) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = tempfile::Builder::new()
        .prefix(".key-ring-")
        .make_in(folder, |draft| OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft))?;
    draft.as_file().write_all(text.expose().as_bytes())?;
    draft.as_file().sync_all()?;
    std::fs::hard_link(draft.path(), path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
