//! What a program presents: `id:secret`, how it travels in a header, and how
//! it is kept.
//!
//! At rest there is an argon2id hash. It costs some ten milliseconds on
//! purpose, so a credential that was found right is remembered in memory by
//! its SHA-256 (see [`crate::memory`]).

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use base::{Chance, Secret};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, general_purpose};
use sha2::{Digest, Sha256};

use crate::error::Error;

const ID_LENGTH_MAX: usize = 100;
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// Programs disagree about padding and about the two last letters.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ALPHABETS: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&alphabet::STANDARD, LENIENT), GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT)];

/// An app key's id and secret. It has no `Debug`.
#[derive(Clone)]
pub struct Credential {
    id: String,
    secret: Secret,
}

impl Credential {
    /// Reads `id:secret`, as it stands in a configuration.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (id, secret) = text.split_once(':').ok_or(Error::NotACredential)?;
        let id_fits = !id.is_empty()
            && id.len() <= ID_LENGTH_MAX
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !id_fits || secret.is_empty() {
            return Err(Error::NotACredential);
        }
        Ok(Credential { id: id.to_owned(), secret: Secret::new(secret) })
    }

    /// Reads the value of an `Authorization` header.
    pub fn from_header(header: &str) -> Result<Self, Error> {
        let (scheme, rest) = header.trim().split_once(char::is_whitespace).ok_or(Error::WrongScheme)?;
        if !scheme.eq_ignore_ascii_case("AppKey") && !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Error::WrongScheme);
        }
        let encoded = rest.trim();
        let decoded = ALPHABETS.iter().find_map(|alphabet| alphabet.decode(encoded).ok()).ok_or(Error::Malformed)?;
        let text = Secret::new(String::from_utf8(decoded).map_err(|_| Error::Malformed)?);
        Credential::parse(text.expose()).map_err(|_| Error::Malformed)
    }

    /// Makes a secret of 256 random bits for an id.
    pub(crate) fn generate(id: String, chance: &dyn Chance) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        chance.fill(&mut bytes);
        Credential { id, secret: Secret::new(URL_SAFE_NO_PAD.encode(bytes)) }
    }

    /// Returns the id, which is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns `id:secret`, as clients of ours take it from their environment.
    pub fn text(&self) -> Secret {
        Secret::new(format!("{}:{}", self.id, self.secret.expose()))
    }

    /// Returns base64 of `id:secret`, as it stands in a header after `AppKey`.
    pub fn encoded(&self) -> Secret {
        Secret::new(general_purpose::STANDARD.encode(self.text().expose()))
    }

    /// Returns what the credential is remembered by; the secret cannot be
    /// found from it, because it has 256 bits of chance or was checked slowly
    /// just before.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.text().expose().as_bytes()).into()
    }

    /// Returns the text that is stored. Takes some ten milliseconds.
    pub(crate) fn hash(&self, chance: &dyn Chance) -> String {
        let mut salt = [0; SALT_BYTES];
        chance.fill(&mut salt);
        let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
        let hash = Argon2::default().hash_password(self.secret.expose().as_bytes(), &salt);
        hash.expect("the default parameters are valid and a secret is not that long").to_string()
    }

    /// Compares with a stored hash, in constant time. Takes some ten milliseconds.
    pub(crate) fn matches(&self, hash: &str) -> bool {
        PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(self.secret.expose().as_bytes(), &hash).is_ok())
    }
}
