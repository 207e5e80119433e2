//! Addresses as clients really write them.
//!
//! A widely copied sample builds `…/jobs//{id}/chunks/upserted` and
//! `…/jobs//{id}/`. Both mean the route without the superfluous slashes, so a
//! path is tidied before it is routed. A letter, a digit or a dash that was
//! escaped without need means itself, as RFC 3986 says; nothing else is
//! decoded: `%2F` stays what it is, a slash inside a name.

use std::borrow::Cow;

use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;

/// Rewrites the request's path to the form in which routes are written.
pub(crate) fn tidied(mut request: Request) -> Request {
    if let Cow::Owned(path) = tidy(request.uri().path()) {
        let path_and_query = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        // Slashes were taken away and plain letters added, so it still parses;
        // if it ever should not, the address stays as it came.
        if let Ok(path_and_query) = path_and_query.parse::<PathAndQuery>() {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

/// Returns a path without empty segments, the last one included, and without
/// needless escapes.
fn tidy(path: &str) -> Cow<'_, str> {
    let superfluous = path.contains("//") || (path.len() > 1 && path.ends_with('/')) || path.contains('%');
    if !superfluous {
        return Cow::Borrowed(path);
    }
    let mut tidied = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        tidied.push('/');
        push_plain(&mut tidied, segment);
    }
    if tidied.is_empty() {
        tidied.push('/');
    }
    Cow::Owned(tidied)
}

/// Adds a segment, in which only what has to be escaped is. Behind a `%` that
/// escapes nothing all stays as it is, or it might become an escape.
fn push_plain(tidied: &mut String, segment: &str) {
    let mut rest = segment;
    while let Some(place) = rest.find('%') {
        let Some(byte) = rest.get(place + 1..place + 3).and_then(hex_byte) else { break };
        let (before, behind) = (&rest[..place], &rest[place + 3..]);
        tidied.push_str(before);
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            tidied.push(char::from(byte));
        } else {
            tidied.push_str(&rest[place..place + 3]);
        }
        rest = behind;
    }
    tidied.push_str(rest);
}

/// Reads two hexadecimal digits, and nothing that only looks like them.
fn hex_byte(digits: &str) -> Option<u8> {
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn superfluous_slashes_are_taken_away_and_nothing_else() {
        for (given, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/api/v1/pools", "/api/v1/pools"),
            ("/api/v1/pools/", "/api/v1/pools"),
            ("/jobs//7/chunks/upserted", "/jobs/7/chunks/upserted"),
            ("/jobs//7/", "/jobs/7"),
            ("/tables/a%2F%2Fb/", "/tables/a%2F%2Fb"),
            ("/knowledge%2Dmodels/%4c%7E", "/knowledge-models/L~"),
            ("/a%2e%2e/%25/%", "/a%2e%2e/%25/%"),
            ("/100%+4/%+1", "/100%+4/%+1"),
        ] {
            assert_eq!(tidy(given), expected);
        }
    }

    proptest! {
        #[test]
        fn segments_stay_and_tidying_again_changes_nothing(path in "(/{1,3}[a-f2-6%.]{0,5}){1,6}/{0,2}") {
            let tidied = tidy(&path);
            prop_assert_eq!(tidy(&tidied), tidied.as_ref());
            let segments = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(segments(&tidied).len(), segments(&path).len());
            let decoded = |path: &str| percent_encoding::percent_decode_str(path).collect::<Vec<u8>>();
            let slashes = |path: &str| format!("/{}", segments(path).join("/"));
            prop_assert_eq!(decoded(&tidied), decoded(&slashes(&path)));
            prop_assert!(!tidied.contains("//"));
        }
    }

    #[test]
    fn the_query_stays_as_it_came() {
        let request = Request::builder().uri("/a//b/?x=//&y=/").body(axum::body::Body::empty());
        let request = tidied(request.expect("a plain request"));
        assert_eq!(request.uri(), "/a/b?x=//&y=/");
    }
}
