//! Pages of lists: `page`, `pageSize`, `sort`, and the envelope around them.

use std::cmp::Ordering;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{Query, Whole};
use crate::fault::Fault;

/// Entries on a page, if nothing is said.
const SIZE_USUAL: u64 = 50;
/// Entries on a page at most.
const SIZE_MAX: u64 = 1_000;

/// The query string of a list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The first page is 0.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    page: Option<Whole>,
    /// Entries on a page, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_223_372_036_854_775_807_i64)]
    page_size: Option<Whole>,
    /// Which fields there are is different from list to list.
    #[param(ignore)]
    sort: Option<String>,
}

/// Which part of a list is wanted, in which order.
pub(super) struct Wanted {
    pub(super) page: u64,
    pub(super) size: u64,
    /// As it was written, without spaces around; empty if nothing was said.
    pub(super) sort: String,
}

/// A part of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The first page is 0.
    #[serde(rename = "page")]
    number: u64,
    /// How many entries a page has at most.
    #[serde(rename = "pageSize")]
    size: u64,
    /// How many entries there are on all pages.
    total: u64,
    /// The order that was asked for.
    sort: String,
    /// The entries.
    content: Vec<T>,
}

/// A key by which a list in memory can be sorted.
pub(super) type Key<T> = (&'static str, Order<T>);
type Order<T> = fn(&T, &T) -> Ordering;

impl FromRequestParts<App> for Wanted {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let Query(asked) = Query::<Asked>::from_request_parts(parts, app).await?;
        let page = asked.page.map_or(0, |page| page.0);
        let size = asked.page_size.map_or(SIZE_USUAL, |size| size.0);
        if size == 0 {
            return Err(Fault::invalid("pageSize", "constraint-broken", "\"pageSize\" must be at least 1"));
        }
        let sort = match asked.sort {
            None => String::new(),
            Some(text) => checked_form(&text)?.to_owned(),
        };
        Ok(Wanted { page, size: size.min(SIZE_MAX), sort })
    }
}

/// Asks for one field with at most one sign. A `+` that was not escaped is a
/// space here, and means the same as none.
fn checked_form(sort: &str) -> Result<&str, Fault> {
    let name = sort.strip_prefix(['+', '-', ' ']).unwrap_or(sort).trim();
    if name.is_empty() {
        return Err(Fault::invalid("sort", "sort-empty", "\"sort\" names no field"));
    }
    if name.contains([',', ' ', '+', '-', ';']) {
        return Err(Fault::invalid("sort", "parameter-illegal", "\"sort\" takes exactly one field and one sign"));
    }
    Ok(sort.trim())
}

impl Wanted {
    /// Puts a part of a list, cut elsewhere, into its envelope.
    pub(super) fn envelope<T>(self, content: Vec<T>, total: u64) -> Page<T> {
        Page { number: self.page, size: self.size, total, sort: self.sort, content }
    }

    /// Sorts and cuts a list that is in memory as a whole.
    pub(super) fn cut<T>(self, mut all: Vec<T>, keys: &[Key<T>]) -> Result<Page<T>, Fault> {
        if !self.sort.is_empty() {
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
            None => (false, self.sort.strip_prefix('+').unwrap_or(&self.sort)),
        };
        let known = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.trim()));
        let unknown = || {
            let known: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            let detail = format!("cannot sort by \"{}\", only by {}", name.trim(), known.join(", "));
            Fault::invalid("sort", "sort-illegal", detail)
        };
        known.map(|(_, order)| (descending, *order)).ok_or_else(unknown)
    }
}

/// For the document: the parameter `sort` of a list that has these fields.
pub(super) fn sort_parameter(fields: &[&str]) -> Parameter {
    let forms = fields.iter().flat_map(|field| [(*field).to_owned(), format!("+{field}"), format!("-{field}")]);
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(forms));
    ParameterBuilder::new()
        .name("sort")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "One field; `-` in front begins with the largest. Case does not matter, and a `+` that was not escaped \
             may arrive as a space.",
        ))
        .schema(Some(schema))
        .build()
}
