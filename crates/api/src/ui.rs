//! The browser's files.
//!
//! `ui/dist` is built by Vite and not kept in git, so it may be missing when
//! this crate is compiled: then `/` says how to build it. The profile that
//! tests and the demo share reads the files from the clone when they are asked
//! for, so that a browser build needs no second Rust build; `release` carries
//! them inside the binary.
//!
//! Every file has a strong tag. Files whose names carry a hash (`assets/…`)
//! may be kept for ever; all others are asked for again. The content policy
//! knows no inline script.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rust_embed::RustEmbed;

use crate::fault;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../ui/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the build.
struct File {
    bytes: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

fn built(path: &str) -> Option<File> {
    let file = Dist::get(path)?;
    Some(File { sha256: file.metadata.sha256_hash(), bytes: file.data })
}

/// What `/` says while there is nothing to show.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<title>Loopwright</title>
<h1>Loopwright is running</h1>
<p>The browser files are not built yet. In the clone, run <code>cargo xtask demo</code>,
or build them alone: <code>cd ui &amp;&amp; npm ci &amp;&amp; npm run build</code>, then load this page again.</p>
<p>The API works without them: see <a href=\"/health/ready\">/health/ready</a>.</p>
</html>
";

/// Scripts, styles and connections from here and nowhere else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Answers whatever no route has: a file, the page of a single-page address,
/// or a fault.
pub(crate) async fn serve(request: Request) -> Response {
    answer(request, "index.html", built)
}

/// The same on the workspace's listener, which has pages of its own.
pub(crate) async fn serve_workspace(request: Request) -> Response {
    answer(request, "workspace.html", built)
}

/// Answers from a set of files; `home` is the page of every address of the
/// single-page application.
fn answer(request: Request, home: &str, file: fn(&str) -> Option<File>) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads {
        return unknown(request);
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let headers = request.headers();
    if let Some(response) = packed(&path, headers, file).or_else(|| plain(&path, headers, file)) {
        return response;
    }
    // An address of the single-page application: its own router reads it. A
    // file with an ending that is not there is a mistake, not a page; deeper
    // than that, names of ours have dots too, such as those of models.
    let wants_page = accepts(headers, ACCEPT, "text/html");
    let names_file = match path.split_once('/') {
        Some((folder, _)) => folder == "assets",
        None => path.contains('.'),
    };
    if path.is_empty() || (wants_page && !names_file && !belongs_to_api(&path)) {
        let page = packed(home, headers, file).or_else(|| plain(home, headers, file));
        return page.unwrap_or_else(not_built);
    }
    unknown(request)
}

fn unknown(request: Request) -> Response {
    let detail = format!("there is nothing at {} {}", request.method(), request.uri().path());
    fault::Fault::not_found("path-unknown", detail).into_response()
}

/// A mistyped API address must not be answered with a page and a 200.
fn belongs_to_api(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    ["api", "integration", "data-ingestion", "intelligence", "health", "metrics", "hooks", "oauth2", ".well-known"]
        .contains(&first)
}

/// Answers with the brotli form of a file, if it was built and is welcome.
fn packed(path: &str, headers: &HeaderMap, file: fn(&str) -> Option<File>) -> Option<Response> {
    if !accepts(headers, ACCEPT_ENCODING, "br") {
        return None;
    }
    let found = file(&format!("{path}.br"))?;
    let mut response = respond(path, headers, found);
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    Some(response)
}

fn plain(path: &str, headers: &HeaderMap, file: fn(&str) -> Option<File>) -> Option<Response> {
    Some(respond(path, headers, file(path)?))
}

fn respond(path: &str, headers: &HeaderMap, file: File) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.sha256));
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if known_to_caller(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match file.bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        let kind = content_type(path);
        ([(CONTENT_TYPE, kind)], body).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    guard(answer);
    response
}

fn not_built() -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = ([(CONTENT_TYPE, kind)], NOT_BUILT).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(response.headers_mut());
    response
}

fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", CONTENT_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

fn content_type(path: &str) -> HeaderValue {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let text = match kind.type_() {
        mime_guess::mime::TEXT => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    HeaderValue::from_str(&text).expect("media types are plain ASCII")
}

/// Tells whether the caller already has this content.
fn known_to_caller(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',')).map(str::trim).any(|known| known == "*" || known == tag)
}

/// Tells whether a list header names a value, be it with parameters.
fn accepts(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts.next().is_some_and(|entry| entry.eq_ignore_ascii_case(wanted));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests;
