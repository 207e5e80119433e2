//! Bodies and query strings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// What stays as it is in a query or a form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*');

/// One part of a multipart body.
pub(super) struct Part {
    pub(super) name: String,
    /// A part with a file's name is a file.
    pub(super) file_name: Option<String>,
    pub(super) content: Bytes,
}

pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Numbers the names that come more than once, `foo[0]`, `foo[1]`, as the
/// original does unless it is told to repeat them.
pub(super) fn keyed(fields: Vec<(String, String)>, repeats_names: bool) -> Vec<(String, String)> {
    if repeats_names {
        return fields;
    }
    let count = |name: &str| fields.iter().filter(|(known, _)| known == name).count();
    let numbered = |(place, (name, value)): (usize, &(String, String))| match count(name) {
        1 => (name.clone(), value.clone()),
        _ => {
            let before = fields[..place].iter().filter(|(known, _)| known == name).count();
            (format!("{name}[{before}]"), value.clone())
        }
    };
    fields.iter().enumerate().map(numbered).collect()
}

/// Writes a form, or a query string without its question mark.
pub(crate) fn urlencoded(fields: &[(String, String)]) -> Bytes {
    let pair = |(name, value): &(String, String)| {
        format!("{}={}", utf8_percent_encode(name, FORM), utf8_percent_encode(value, FORM))
    };
    Bytes::from(fields.iter().map(pair).collect::<Vec<_>>().join("&"))
}

/// Writes a name as one part of a path.
pub(crate) fn path_part(name: &str) -> String {
    utf8_percent_encode(name, FORM).to_string()
}

/// Adds to the query string of an address.
pub(crate) fn with_query(url: &str, query: &[(String, String)]) -> String {
    if query.is_empty() {
        return url.to_owned();
    }
    let (address, fragment) = url.split_once('#').map_or((url, None), |(address, rest)| (address, Some(rest)));
    let sign = if address.contains('?') { '&' } else { '?' };
    let query = String::from_utf8_lossy(&urlencoded(query)).into_owned();
    let fragment = fragment.map(|rest| format!("#{rest}")).unwrap_or_default();
    format!("{address}{sign}{query}{fragment}")
}

/// Returns content type and body. The boundary is made from the content, so
/// that the same parts give the same bytes.
pub(super) fn multipart(parts: &[Part]) -> (String, Bytes) {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(&part.content);
    }
    let boundary = format!("loopwright-{}", &hex::encode(hash.finalize())[..32]);
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        let name = quoted(&part.name);
        match &part.file_name {
            Some(file) => {
                let file_name = quoted(file);
                body.extend_from_slice(
                    format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n").as_bytes(),
                );
                let content_type = type_of(file);
                body.extend_from_slice(format!("Content-Type: {content_type}\r\n\r\n").as_bytes());
            }
            None => {
                body.extend_from_slice(format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
            }
        }
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

/// Says what a file is, by its name.
fn type_of(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

/// Escapes a name as browsers do, so that it cannot end its header.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
