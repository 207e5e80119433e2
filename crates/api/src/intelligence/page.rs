//! Pages of lists: `page`, `pageSize`, `sort`, and the envelope around them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;

use crate::body::Query;
use crate::fault::Fault;

/// Entries on a page, if nothing is said.
const SIZE_USUAL: u64 = 50;
/// Entries on a page at most.
const SIZE_MAX: u64 = 1_000;

/// Which part of a list is wanted, in which order.
pub(super) struct Wanted {
    pub(super) page: u64,
    pub(super) size: u64,
    /// As it was written; a `+` that was not escaped is a space here.
    pub(super) sort: String,
}

/// A part of a list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    #[serde(rename = "page")]
    number: u64,
    #[serde(rename = "pageSize")]
    size: u64,
    total: u64,
    sort: String,
    content: Vec<T>,
}

/// A key by which a list in memory can be sorted.
pub(super) type Key<T> = (&'static str, Order<T>);
type Order<T> = fn(&T, &T) -> Ordering;

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Query(mut given) = Query::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        let page = number(&given, "page")?.unwrap_or(0);
        let size = number(&given, "pageSize")?.unwrap_or(SIZE_USUAL);
        if size == 0 {
            return Err(Fault::invalid("pageSize", "constraint-broken", "\"pageSize\" must be at least 1"));
        }
        Ok(Wanted { page, size: size.min(SIZE_MAX), sort: given.remove("sort").unwrap_or_default() })
    }
}

/// Reads a whole number from 0 on out of the query string.
pub(super) fn number<T: FromStr>(given: &HashMap<String, String>, name: &'static str) -> Result<Option<T>, Fault> {
    let Some(text) = given.get(name) else { return Ok(None) };
    let mismatch = |_| {
        let detail = format!("\"{name}\" must be a whole number from 0 on, not \"{text}\"");
        Fault::invalid(name, "parameter-mismatch", detail)
    };
    text.parse().map(Some).map_err(mismatch)
}

impl Wanted {
    /// Puts a part of a list, cut elsewhere, into its envelope.
    pub(super) fn envelope<T>(self, content: Vec<T>, total: u64) -> Page<T> {
        Page { number: self.page, size: self.size, total, sort: self.sort.trim().to_owned(), content }
    }

    /// Sorts and cuts a list that is in memory as a whole.
    pub(super) fn cut<T>(self, mut all: Vec<T>, keys: &[Key<T>]) -> Result<Page<T>, Fault> {
        if !self.sort.trim().is_empty() {
            let (descending, order) = self.order(keys)?;
            all.sort_by(|a, b| if descending { order(b, a) } else { order(a, b) });
        }
        let total = all.len() as u64;
        let first = usize::try_from(self.page.saturating_mul(self.size)).unwrap_or(usize::MAX);
        let content = all.into_iter().skip(first).take(usize::try_from(self.size).unwrap_or(usize::MAX)).collect();
        Ok(self.envelope(content, total))
    }

    fn order<T>(&self, keys: &[Key<T>]) -> Result<(bool, Order<T>), Fault> {
        let (descending, name) = match self.sort.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, self.sort.strip_prefix(['+', ' ']).unwrap_or(&self.sort)),
        };
        if name.contains(',') {
            return Err(Fault::invalid("sort", "parameter-illegal", "\"sort\" takes exactly one field"));
        }
        let known = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.trim()));
        let unknown = || {
            let known: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            let detail = format!("cannot sort by \"{}\", only by {}", name.trim(), known.join(", "));
            Fault::invalid("sort", "sort-illegal", detail)
        };
        known.map(|(_, order)| (descending, *order)).ok_or_else(unknown)
    }
}
