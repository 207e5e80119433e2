//! The answer of an address as rows.
//!
//! It is asked only for what has changed since, and an answer with the content
//! of the last one makes no push job. An address that says when to come back
//! is taken at its word.

use std::io::Read;
use std::time::Duration;

use base::Timestamp;
use base::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::work::{Find, Found};
use super::{Cursor, Outside, Source, SourceFormat, SourceSecrets, Trouble, Url};
use crate::Pools;

/// Bytes that are unpacked at once.
const BLOCK_BYTES: usize = 1 << 20;
/// An address does not keep us away for longer.
const WAIT_MAX: Duration = Duration::from_hours(24);

impl Pools {
    /// Asks an address.
    pub(super) async fn look_at_url(
        &self,
        source: &Source,
        url: &Url,
        secrets: &SourceSecrets,
        outside: &Outside,
    ) -> Result<Found, Trouble> {
        let request = request_of(url, secrets, &source.cursor)?;
        let answer = outside.http.send(request).await.map_err(|error| Trouble::new(error.to_string()))?;
        if answer.status.as_u16() == 304 {
            return Ok(Found::Nothing);
        }
        judge(&answer, url, self.clock.now())?;
        let format = url.format.unwrap_or_else(|| format_of(&answer, &url.address));
        let (file_name, mut push) = (file_name_of(&url.address), source.spec.push.clone());
        let body = answer.body.clone();
        let brought = if format == SourceFormat::Json {
            let bytes = self.unpacked_whole(body).await?;
            let Some(brought) = self.spool_json(bytes, file_name, &mut push).await? else { return Ok(Found::Nothing) };
            brought
        } else {
            push.file_type =
                if format == SourceFormat::Parquet { crate::FileType::Parquet } else { crate::FileType::Csv };
            self.spool_unpacked(body, file_name).await?
        };
        let content = Some(brought.spooled.checksum.clone());
        if content == source.cursor.content {
            return Ok(Found::Nothing);
        }
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let cursor =
            Cursor { etag: header("etag"), last_modified: header("last-modified"), content, ..source.cursor.clone() };
        Ok(Found::Rows(Box::new(Find { label: url.address.clone(), push, chunks: vec![brought], cursor, file: None })))
    }

    /// Unpacks what is packed, and spools it.
    async fn spool_unpacked(&self, body: Bytes, file_name: String) -> Result<super::work::Brought, Trouble> {
        let mut filling = self.begin_chunk(file_name);
        if !is_gzip(&body) {
            filling.write(body).await?;
            return filling.finish().await;
        }
        let mut packed = MultiGzDecoder::new(std::io::Cursor::new(body));
        loop {
            let (block, rest) = tokio::task::spawn_blocking(move || (block_of(&mut packed), packed))
                .await
                .map_err(|_| Trouble::new("the unpacking was broken off"))?;
            packed = rest;
            let block = block.map_err(|error| Trouble::new(format!("the answer is not whole gzip: {error}")))?;
            if block.is_empty() {
                return filling.finish().await;
            }
            filling.write(block.into()).await?;
        }
    }
}

fn block_of(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut block = Vec::new();
    from.take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
    Ok(block)
}

/// Tells whether bytes are packed, whatever anybody says of them.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn request_of(url: &Url, secrets: &SourceSecrets, cursor: &Cursor) -> Result<Request, Trouble> {
    let address = secrets.url.as_ref().ok_or_else(|| Trouble::new("its address is missing: put it again"))?;
    let mut headers = HeaderMap::new();
    headers.insert("accept-encoding", HeaderValue::from_static("gzip"));
    let conditions = [("if-none-match", &cursor.etag), ("if-modified-since", &cursor.last_modified)];
    for (name, value) in conditions {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    for (name, value) in &secrets.headers {
        let Some(value) = value else { continue };
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| Trouble::new(format!("headers: \"{name}\" is no name of a header")))?;
        let mut secret = HeaderValue::from_str(value.expose())
            .map_err(|_| Trouble::new(format!("headers: the value of \"{name}\" holds what a header cannot hold")))?;
        secret.set_sensitive(true);
        headers.insert(name, secret);
    }
    // What we were given for one host must not travel to another.
    let redirects_max = if secrets.headers.is_empty() { 5 } else { 0 };
    Ok(Request {
        headers,
        timeout: Duration::from_secs(url.timeout_seconds),
        response_bytes_max: usize::try_from(url.bytes_max).unwrap_or(usize::MAX),
        redirects_max,
        ..Request::new(Method::GET, address.expose())
    })
}

/// Lets through an answer with rows.
fn judge(answer: &Response, url: &Url, now: Timestamp) -> Result<(), Trouble> {
    let status = answer.status;
    if status.is_redirection() {
        return Err(Trouble::new(format!("{} answers {status}: give the address that it names", url.address)));
    }
    if !status.is_success() {
        let wait = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| wait_of(text, now));
        return Err(Trouble { wait, ..Trouble::new(format!("{} answers {status}", url.address)) });
    }
    if answer.truncated {
        let detail = format!("{} answers with more than {} bytes: raise bytesMax", url.address, url.bytes_max);
        return Err(Trouble::new(detail));
    }
    if answer.body.is_empty() {
        return Err(Trouble::new(format!("{} answers with nothing", url.address)));
    }
    Ok(())
}

/// Reads `Retry-After`: seconds, or a date.
fn wait_of(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
            Timestamp::from_micros(date.timestamp().as_microsecond()).since(now)
        }
    };
    Some(wait.min(WAIT_MAX))
}

/// Goes by what the server says, then by the address, then by the first bytes.
fn format_of(answer: &Response, address: &str) -> SourceFormat {
    let said = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.to_ascii_lowercase();
    if said.contains("csv") {
        return SourceFormat::Csv;
    }
    if said.contains("json") {
        return SourceFormat::Json;
    }
    if said.contains("parquet") || answer.body.starts_with(b"PAR1") {
        return SourceFormat::Parquet;
    }
    SourceFormat::of_name(&file_name_of(address)).unwrap_or(match answer.body.trim_ascii_start().first() {
        Some(b'[' | b'{') => SourceFormat::Json,
        _ => SourceFormat::Csv,
    })
}

fn file_name_of(address: &str) -> String {
    let name = address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "answer".into() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use base::testing::reply;
    use expect_test::{Expect, expect};

    use super::*;

    fn url() -> Url {
        Url {
            address: "https://example.org/orders".into(),
            format: None,
            headers: Vec::new(),
            timeout_seconds: 30,
            bytes_max: 100,
        }
    }

    fn check(status: u16, headers: &[(&'static str, &'static str)], body: &str, expected: Expect) {
        let mut answer = reply(status, body);
        for (name, value) in headers {
            answer.headers.insert(*name, HeaderValue::from_static(value));
        }
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let told = match judge(&answer, &url(), now) {
            Ok(()) => format!("{:?}", format_of(&answer, &url().address)),
            Err(Trouble { sentence, wait, .. }) => format!("{sentence}; {wait:?}"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn an_answer_is_judged() {
        check(200, &[("content-type", "text/csv; charset=utf-8")], "[1]", expect!["Csv"]);
        check(200, &[("content-type", "application/x-ndjson")], "{}", expect!["Json"]);
        check(200, &[("content-type", "text/plain")], " [{}]", expect!["Json"]);
        check(200, &[("content-type", "application/octet-stream")], "PAR1…", expect!["Parquet"]);
        check(200, &[("content-type", "text/plain")], "a,b\n", expect!["Csv"]);
        check(200, &[], "", expect!["https://example.org/orders answers with nothing; None"]);
        check(404, &[], "gone", expect!["https://example.org/orders answers 404 Not Found; None"]);
        check(
            503,
            &[("retry-after", "120")],
            "",
            expect!["https://example.org/orders answers 503 Service Unavailable; Some(120s)"],
        );
        check(
            429,
            &[("retry-after", "Thu, 01 Jan 2026 00:05:00 GMT")],
            "",
            expect!["https://example.org/orders answers 429 Too Many Requests; Some(300s)"],
        );
        check(
            429,
            &[("retry-after", "999999999")],
            "",
            expect!["https://example.org/orders answers 429 Too Many Requests; Some(86400s)"],
        );
        check(
            302,
            &[],
            "",
            expect!["https://example.org/orders answers 302 Found: give the address that it names; None"],
        );
    }
}
