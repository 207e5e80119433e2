//! Pages of lists, newest first, forward and back.
//!
//! A page token names an item, by its time and number, and the side of it on
//! which the page lies. So a page is found whatever was added or removed
//! meanwhile, and no item comes twice.

use crate::error::Error;

/// Items in an answer that does not say how many.
const PAGE_DEFAULT: u32 = 20;

/// Some items of a list, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    /// Where the page before is, if there is one.
    pub previous: Option<String>,
}

/// An item of a list that is sorted by time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) micros: i64,
    pub(crate) id: i64,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It begins the list.
    Start,
    /// It begins somewhere within, as the old way to page has it.
    Within,
    /// It begins behind an item.
    Behind(Cursor),
    /// It ends before an item.
    Before(Cursor),
}

impl Place {
    /// Reads a page token; none, or an empty one, is the start.
    pub(crate) fn parse(token: Option<&str>) -> Result<Self, Error> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(Place::Start) };
        let place = match token.strip_prefix("before-") {
            Some(cursor) => Cursor::parse(cursor).map(Place::Before),
            None => Cursor::parse(token).map(Place::Behind),
        };
        place.ok_or_else(|| Error::Parameter { detail: format!("\"{token}\" is not a page token of this list") })
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('-')?;
        Some(Cursor { micros: micros.parse().ok()?, id: id.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.micros, self.id)
    }
}

/// Returns how many items a page has.
pub(crate) fn limit_of(wanted: Option<u32>, most: u32) -> Result<u32, Error> {
    match wanted.unwrap_or(PAGE_DEFAULT) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        limit => Err(Error::Parameter { detail: format!("limit {limit} is not between 1 and {most}") }),
    }
}

/// Cuts a list, newest first, that was read at a place with one item too many,
/// to see whether there is more.
pub(crate) fn page<T>(mut items: Vec<T>, limit: u32, place: Place, of: impl Fn(&T) -> Cursor) -> Page<T> {
    let has_more = items.len() > limit as usize;
    if let Place::Before(_) = place
        && has_more
    {
        // The one too many is the one farthest from where the page ends.
        items.remove(0);
    }
    items.truncate(limit as usize);
    let (has_next, has_previous) = match place {
        Place::Start => (has_more, false),
        Place::Within | Place::Behind(_) => (has_more, true),
        Place::Before(_) => (true, has_more),
    };
    let next = items.last().filter(|_| has_next).map(|last| of(last).to_string());
    let previous = items.first().filter(|_| has_previous).map(|first| format!("before-{}", of(first)));
    Page { items, next, previous }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a page of the numbers 9 to 0 as a database would.
    fn read(token: Option<&str>) -> Page<i64> {
        let place = Place::parse(token).expect("a good token");
        let all = (0..10).rev();
        let mut found: Vec<i64> = match place {
            Place::Start | Place::Within => all.take(5).collect(),
            Place::Behind(cursor) => all.filter(|item| *item < cursor.id).take(5).collect(),
            Place::Before(cursor) => all.rev().filter(|item| *item > cursor.id).take(5).collect(),
        };
        if let Place::Before(_) = place {
            found.reverse();
        }
        page(found, 4, place, |item| Cursor { micros: 0, id: *item })
    }

    #[test]
    fn whoever_goes_forth_and_back_sees_the_same() {
        let mut forth = vec![read(None)];
        while let Some(token) = forth.last().and_then(|page| page.next.clone()) {
            forth.push(read(Some(&token)));
        }
        let items: Vec<_> = forth.iter().map(|page| page.items.clone()).collect();
        assert_eq!(items, [vec![9, 8, 7, 6], vec![5, 4, 3, 2], vec![1, 0]]);
        let mut back = vec![forth[2].clone()];
        while let Some(token) = back.last().and_then(|page| page.previous.clone()) {
            back.push(read(Some(&token)));
        }
        let items: Vec<_> = back.iter().map(|page| page.items.clone()).collect();
        assert_eq!(items, [vec![1, 0], vec![5, 4, 3, 2], vec![9, 8, 7, 6]]);
        assert_eq!((&forth[0].previous, &back[2].previous), (&None, &None));
        assert!(Place::parse(Some("before-x")).is_err());
    }
}
