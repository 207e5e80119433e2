//! Pages of our own lists: `page` and `pageSize`.

use events::Paging;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::body::Whole;
use crate::fault::Fault;

/// Entries on a page, if nothing is said.
const SIZE_USUAL: u64 = 50;
/// Entries on a page at most.
const SIZE_MAX: u64 = 1_000;

/// The query string of a list that has no filters.
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
}

impl Asked {
    /// Returns which part of the list is meant.
    pub(super) fn paging(&self) -> Result<Paging, Fault> {
        paging(self.page, self.page_size)
    }
}

/// Returns which part of a list is meant.
pub(super) fn paging(page: Option<Whole>, size: Option<Whole>) -> Result<Paging, Fault> {
    let size = size.map_or(SIZE_USUAL, |size| size.0).min(SIZE_MAX);
    if size == 0 {
        return Err(Fault::invalid("pageSize", "constraint-broken", "\"pageSize\" must be at least 1"));
    }
    Ok(Paging { page: page.map_or(0, |page| page.0), size })
}
