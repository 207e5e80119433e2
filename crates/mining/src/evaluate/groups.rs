//! Which rows belong to which group, and their values side by side.

use std::ops::Range;

use super::frame::Frame;
use super::keys::Keys;
use super::operand::Operand;
use super::row_list::RowList;
use super::threads::{at_once, parts};
use crate::log::NO_ROW;

/// Which rows belong to which group.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    /// The rows, in the order that FIRST and LAST mean.
    pub(super) rows: &'a RowList,
    /// To which group they belong.
    pub(super) of: Of<'a>,
    /// How many groups there are.
    pub(super) count: usize,
    /// Of the rows only those count for which it holds.
    pub(super) filter: Option<&'a Operand>,
}

/// How the group of a row is told.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// There is only one.
    One,
    /// By the place of the row in the list; [`NO_ROW`] is no group.
    Each(&'a [u32]),
    /// The rows are all events, and those of a case are in one group: one per
    /// case that has events, or [`NO_ROW`].
    Cases(&'a Frame, &'a [u32]),
}

impl Groups<'_> {
    /// Tells whether a row counts.
    #[inline]
    pub(super) fn counts(self, row: usize) -> bool {
        self.filter.is_none_or(|filter| filter.truth(row) == Some(true))
    }

    /// Goes through the rows that count, in order: row and group.
    fn each(self, mut see: impl FnMut(usize, usize)) {
        let mut one = |row: usize, group: u32| {
            if group != NO_ROW && self.counts(row) {
                see(row, group as usize);
            }
        };
        match self.of {
            Of::One => self.rows.iter().for_each(|row| one(row as usize, 0)),
            Of::Each(groups) => self.rows.iter().zip(groups).for_each(|(row, group)| one(row as usize, *group)),
            Of::Cases(frame, groups) => {
                for ((_, places), group) in frame.segments().zip(groups) {
                    places.for_each(|row| one(row, *group));
                }
            }
        }
    }

    /// Counts the rows of each group.
    pub(super) fn sizes(self) -> Vec<i64> {
        let mut sizes = vec![0; self.count];
        self.each(|_, group| sizes[group] += 1);
        sizes
    }

    /// Goes through the rows that have a value, in order: row and group.
    pub(super) fn each_present(self, value: &Operand, mut see: impl FnMut(usize, usize)) {
        self.each(|row, group| {
            if !value.is_null(row) {
                see(row, group);
            }
        });
    }

    /// Goes through the values in order: row, group and key.
    pub(super) fn each_key(self, keys: Keys<'_>, see: impl FnMut(u32, usize, u64)) {
        self.each_key_in(0..self.rows.len(), keys, see);
    }

    fn each_key_in(self, places: Range<usize>, keys: Keys<'_>, mut see: impl FnMut(u32, usize, u64)) {
        let mut one = |row: u32, group: u32, key: Option<u64>| {
            if let Some(key) = key.filter(|_| group != NO_ROW && self.counts(row as usize)) {
                see(row, group as usize, key);
            }
        };
        match self.of {
            Of::One => keys.each(self.rows, places, |_, row, key| one(row, 0, key)),
            Of::Each(groups) => keys.each(self.rows, places, |place, row, key| one(row, groups[place], key)),
            Of::Cases(frame, groups) => {
                debug_assert_eq!(places, 0..self.rows.len(), "cases are not cut");
                let mut cases = frame.segments().zip(groups);
                let (mut end, mut group) = (0, NO_ROW);
                keys.each(self.rows, places, |_, row, key| {
                    if row as usize >= end
                        && let Some(((_, places), own)) = cases.next()
                    {
                        (end, group) = (places.end, *own);
                    }
                    one(row, group, key);
                });
            }
        }
    }

    /// Lists what `read` makes of row and key, group by group.
    pub(super) fn cut<T: Copy + Default + Send + Sync>(
        self,
        keys: Keys<'_>,
        read: impl Fn(u32, u64) -> T + Sync,
    ) -> Cut<T> {
        let length = self.rows.len();
        // Each part has a place for each group, so there are not to be more of
        // these than rows.
        let count = if matches!(self.of, Of::Cases(..)) { 1 } else { parts(length) };
        let count = if self.count * count > length { 1 } else { count };
        let cut = |part: usize| length * part / count;
        let read = &read;
        let job = |part: usize| move || self.cut_part(cut(part)..cut(part + 1), keys, read);
        Cut { parts: at_once((0..count).map(job).collect()), count: self.count }
    }

    fn cut_part<T: Copy + Default>(
        self,
        places: Range<usize>,
        keys: Keys<'_>,
        read: impl Fn(u32, u64) -> T,
    ) -> Part<T> {
        // Room for all rows of a group, whether they have a value or not: that
        // is known without reading any.
        let mut starts = vec![0_u32; self.count + 1];
        match self.of {
            Of::One => starts[1] = places.len() as u32,
            Of::Each(groups) => {
                let groups = groups[places.clone()].iter().filter(|group| **group != NO_ROW);
                groups.for_each(|group| starts[*group as usize + 1] += 1);
            }
            Of::Cases(frame, groups) => {
                let cases = frame.segments().zip(groups).filter(|(_, group)| **group != NO_ROW);
                cases.for_each(|((_, events), group)| starts[*group as usize + 1] += events.len() as u32);
            }
        }
        for group in 0..self.count {
            starts[group + 1] += starts[group];
        }
        let mut items = vec![T::default(); starts[self.count] as usize];
        let mut ends = starts[..self.count].to_vec();
        self.each_key_in(places, keys, |row, group, key| {
            let end = &mut ends[group];
            items[*end as usize] = read(row, key);
            *end += 1;
        });
        Part { starts, ends, items }
    }
}

/// Long lists, cut by group; the items of a group stand in all of them.
pub(super) struct Cut<T> {
    parts: Vec<Part<T>>,
    count: usize,
}

struct Part<T> {
    starts: Vec<u32>,
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Part<T> {
    fn of(&self, group: usize) -> Range<usize> {
        self.starts[group] as usize..self.ends[group] as usize
    }
}

impl<T: Copy + Send + Sync> Cut<T> {
    /// Reduces each group's items, those of several groups at the same time.
    pub(super) fn map<R: Send>(self, reduce: impl Fn(&mut [T]) -> R + Sync) -> Vec<R> {
        let before = |group: usize| self.parts.iter().map(|part| part.starts[group] as usize).sum::<usize>();
        let all = before(self.count);
        let count = parts(all);
        // Groups with about as many items for each thread.
        let cut = |part: usize| {
            let wanted = all * part / count;
            let (mut low, mut high) = (0, self.count);
            while low < high {
                let middle = usize::midpoint(low, high);
                if before(middle) < wanted { low = middle + 1 } else { high = middle }
            }
            if part == count { self.count } else { low }
        };
        let (own, reduce) = (&self, &reduce);
        let job = |part: usize| {
            let groups = cut(part)..cut(part + 1);
            move || {
                let mut items = Vec::new();
                let one = |group: usize| {
                    items.clear();
                    own.parts.iter().for_each(|part| items.extend_from_slice(&part.items[part.of(group)]));
                    reduce(&mut items)
                };
                groups.map(one).collect::<Vec<R>>()
            }
        };
        at_once((0..count).map(job).collect()).into_iter().flatten().collect()
    }
}
