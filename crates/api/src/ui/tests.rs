//! Which file answers which address, and with which headers.

#![expect(clippy::needless_raw_string_hashes, reason = "updated snapshots are written with them")]

use std::fmt::Write;

use expect_test::{Expect, expect};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::*;

/// A build as Vite leaves it: a page, a hashed script and its packed form.
fn vite(path: &str) -> Option<File> {
    let data: &'static [u8] = match path {
        "index.html" => b"<!doctype html>page",
        "assets/main-1a2b.js" => b"script()",
        "assets/main-1a2b.js.br" => b"packed",
        _ => return None,
    };
    Some(File { bytes: data.into(), sha256: Sha256::digest(data).into() })
}

fn nothing(_: &str) -> Option<File> {
    None
}

async fn check(file: fn(&str) -> Option<File>, path: &str, headers: &[(&str, &str)], expected: Expect) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = answer(request.body(Body::empty()).expect("a plain request"), "index.html", file);
    let mut seen = response.status().to_string();
    for name in ["content-type", "content-encoding", "cache-control"] {
        if let Some(value) = response.headers().get(name) {
            let _ = write!(seen, "\n{name}: {}", value.to_str().expect("plain headers"));
        }
    }
    let body = response.into_body().collect().await.expect("a body in memory").to_bytes();
    let body = String::from_utf8_lossy(&body);
    let _ = write!(seen, "\n{}\n", body.lines().next().unwrap_or_default());
    expected.assert_eq(&seen);
}

#[tokio::test]
async fn the_page_answers_its_own_addresses_only() {
    let html = [("accept", "text/html,application/xhtml+xml;q=0.9")];
    let page = || {
        expect![[r#"
            200 OK
            content-type: text/html; charset=utf-8
            cache-control: no-cache
            <!doctype html>page
        "#]]
    };
    check(vite, "/", &[], page()).await;
    check(vite, "/pools/7", &html, page()).await;
    check(vite, "/models/orders.late-steps", &html, page()).await;
    let missing = || {
        expect![[r#"
            404 Not Found

        "#]]
    };
    check(vite, "/pools/7", &[("accept", "application/json")], missing()).await;
    check(vite, "/old-script.js", &html, missing()).await;
    check(vite, "/assets/old-1a2b.js", &html, missing()).await;
    check(vite, "/api/v2/pools", &html, missing()).await;
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_packed_where_welcome() {
    check(
        vite,
        "/assets/main-1a2b.js",
        &[],
        expect![[r#"
            200 OK
            content-type: text/javascript; charset=utf-8
            cache-control: public, max-age=31536000, immutable
            script()
        "#]],
    )
    .await;
    check(
        vite,
        "/assets/main-1a2b.js",
        &[("accept-encoding", "gzip, br;q=0.8")],
        expect![[r#"
            200 OK
            content-type: text/javascript; charset=utf-8
            content-encoding: br
            cache-control: public, max-age=31536000, immutable
            packed
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_known_tag_is_answered_without_the_file() {
    let first = answer(Request::builder().uri("/").body(Body::empty()).expect("a plain request"), "index.html", vite);
    let tag = first.headers()[ETAG].to_str().expect("a plain tag").to_owned();
    check(
        vite,
        "/",
        &[("if-none-match", &tag)],
        expect![[r#"
            304 Not Modified
            cache-control: no-cache

        "#]],
    )
    .await;
}

#[tokio::test]
async fn without_a_build_the_root_says_how_to_make_one() {
    let response =
        answer(Request::builder().uri("/").body(Body::empty()).expect("a plain request"), "index.html", nothing);
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.expect("a body in memory").to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("cargo xtask demo"));
}

#[test]
fn the_policy_knows_no_inline_script() {
    assert!(!CONTENT_POLICY.contains("unsafe"));
}
