//! Bytes, and the texts that stand for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::{Digest, OutputSizeUser, block_api::EagerHash};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{Function, at, function, text_at};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("toString", "toString(value)", 1, 1, |arguments, _| Ok(Value::text(text_at(arguments, 0)))),
    function("toBinary", "toBinary(value; [hex or base64])", 1, 2, |arguments, _| {
        let text = text_at(arguments, 0);
        let bytes = match text_at(arguments, 1).as_str() {
            "hex" => hex::decode(&text).map_err(|_| "the text is not hexadecimal")?,
            "base64" => BASE64.decode(&text).map_err(|_| "the text is not Base64")?,
            "" => return Ok(Value::Buffer(arguments[0].to_bytes())),
            other => return Err(format!("\"{other}\" is neither hex nor base64")),
        };
        Ok(Value::Buffer(bytes.into()))
    }),
    function("base64", "base64(text)", 1, 1, |arguments, _| Ok(Value::text(BASE64.encode(arguments[0].to_bytes())))),
    function("md5", "md5(text)", 1, 1, |arguments, _| {
        Ok(Value::text(hex::encode(Md5::digest(arguments[0].to_bytes()))))
    }),
    function("sha1", "sha1(text; [encoding]; [key]; [key encoding])", 1, 4, |arguments, _| hash::<Sha1>(arguments)),
    function("sha256", "sha256(text; [encoding]; [key]; [key encoding])", 1, 4, |arguments, _| {
        hash::<Sha256>(arguments)
    }),
    function("sha512", "sha512(text; [encoding]; [key]; [key encoding])", 1, 4, |arguments, _| {
        hash::<Sha512>(arguments)
    }),
];

/// The hash of a text; with a key its HMAC.
fn hash<D>(arguments: &[Value]) -> Result<Value, String>
where
    Hmac<D>: KeyInit + Mac,
    D: Digest + EagerHash + OutputSizeUser,
{
    let bytes = arguments[0].to_bytes();
    let hash = match key(arguments)? {
        Some(key) => {
            let mut mac = <Hmac<D> as KeyInit>::new_from_slice(&key).map_err(|_| "the key cannot be used")?;
            mac.update(&bytes);
            mac.finalize().into_bytes().to_vec()
        }
        None => D::digest(&bytes).to_vec(),
    };
    match text_at(arguments, 1).as_str() {
        "" | "hex" => Ok(Value::text(hex::encode(hash))),
        "base64" => Ok(Value::text(BASE64.encode(hash))),
        "latin1" => Ok(Value::text(hash.into_iter().map(char::from).collect::<String>())),
        other => Err(format!("\"{other}\" is not an encoding: hex, base64 or latin1")),
    }
}

fn key(arguments: &[Value]) -> Result<Option<Vec<u8>>, String> {
    let value = at(arguments, 2);
    if value.is_empty() {
        return Ok(None);
    }
    let text = value.to_text();
    match text_at(arguments, 3).as_str() {
        "" | "text" => Ok(Some(value.to_bytes().to_vec())),
        "hex" => hex::decode(&text).map(Some).map_err(|_| "the key is not hexadecimal".into()),
        "base64" => BASE64.decode(&text).map(Some).map_err(|_| "the key is not Base64".into()),
        "binary" => match value {
            Value::Buffer(bytes) => Ok(Some(bytes.to_vec())),
            _ => Err("a key with the encoding binary must be bytes, such as toBinary(…)".to_owned()),
        },
        other => Err(format!("\"{other}\" is not an encoding of keys: text, hex, base64 or binary")),
    }
}
