//! Which rows belong together: the events of a case, the children and the
//! parents of a key.

use std::ops::Range;
use std::sync::Arc;

use super::blocks::{Chunked, Map};
use super::narrow::Narrow;
use super::table::{NO_ROW, Table};

/// To which group each row of a base belongs.
#[derive(Clone, Debug)]
pub(crate) enum GroupOf {
    /// Row and group have the same number.
    Same(u32),
    /// As listed.
    Listed(Narrow),
    /// Groups are runs of rows; the rows behind the last run are in none.
    Runs(Runs),
}

impl Default for GroupOf {
    fn default() -> Self {
        GroupOf::Same(0)
    }
}

impl GroupOf {
    /// Returns the group of a row, or [`NO_ROW`].
    #[inline]
    pub(crate) fn get(&self, row: u32) -> u32 {
        match self {
            GroupOf::Same(length) => {
                if row < *length {
                    row
                } else {
                    NO_ROW
                }
            }
            GroupOf::Listed(groups) => groups.get(row as usize),
            GroupOf::Runs(runs) => runs.group(row),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            GroupOf::Same(_) => 0,
            GroupOf::Listed(groups) => groups.bytes(),
            GroupOf::Runs(runs) => runs.hints.len() * 4,
        }
    }
}

/// Rows between two hints.
const HINT: usize = 64;

/// Groups that are runs of rows.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    /// Where each run starts, and where the last one ends.
    offsets: Arc<Vec<u32>>,
    /// The group of each 64th row.
    hints: Arc<Vec<u32>>,
}

impl Default for Runs {
    fn default() -> Self {
        Runs::new(vec![0])
    }
}

impl Runs {
    pub(crate) fn new(offsets: Vec<u32>) -> Self {
        let rows = *offsets.last().expect("there is always an end") as usize;
        let mut hints = Vec::with_capacity(rows / HINT + 1);
        for (group, end) in offsets[1..].iter().enumerate() {
            while hints.len() * HINT < *end as usize {
                hints.push(group as u32);
            }
        }
        Runs { offsets: Arc::new(offsets), hints: Arc::new(hints) }
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(crate) fn rows(&self) -> u32 {
        *self.offsets.last().expect("there is always an end")
    }

    #[inline]
    pub(crate) fn run(&self, group: u32) -> Range<u32> {
        let group = group as usize;
        if group + 1 < self.offsets.len() { self.offsets[group]..self.offsets[group + 1] } else { 0..0 }
    }

    fn group(&self, row: u32) -> u32 {
        if row >= self.rows() {
            return NO_ROW;
        }
        let block = row as usize / HINT;
        let first = self.hints[block] as usize;
        let last = self.hints.get(block + 1).map_or(self.len() - 1, |group| *group as usize);
        // Runs may be empty, so the group is the last one that starts at or
        // before the row.
        let ends = &self.offsets[first + 1..=last];
        (first + ends.partition_point(|end| *end <= row)) as u32
    }
}

/// The group of each row, base and tail.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupOfRow {
    base: GroupOf,
    base_length: usize,
    tail: Chunked<u32>,
}

impl GroupOfRow {
    pub(crate) fn new(base: GroupOf, base_length: usize) -> Self {
        GroupOfRow { base, base_length, tail: Chunked::default() }
    }

    #[inline]
    pub(crate) fn get(&self, row: u32) -> u32 {
        let row_of_tail = (row as usize).checked_sub(self.base_length);
        row_of_tail.map_or_else(|| self.base.get(row), |row| *self.tail.get(row))
    }

    pub(crate) fn push(&mut self, group: u32) {
        self.tail.push(group);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.base.bytes() + self.tail.len() * 4
    }
}

/// The events of a case, in their order.
#[derive(Clone, Copy, Debug)]
pub enum Events<'a> {
    /// Rows that follow each other.
    Run(u32, u32),
    /// These rows.
    Listed(&'a [u32]),
}

impl<'a> Events<'a> {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self {
            Events::Run(start, end) => (end - start) as usize,
            Events::Listed(rows) => rows.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the row at a 0-based place.
    pub fn get(&self, place: usize) -> Option<u32> {
        match self {
            Events::Run(start, end) => (place < (end - start) as usize).then(|| start + place as u32),
            Events::Listed(rows) => rows.get(place).copied(),
        }
    }

    /// Returns the last row.
    pub fn last(&self) -> Option<u32> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Goes through the rows.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + use<'a> {
        let (run, listed) = match *self {
            Events::Run(start, end) => (start..end, &[][..]),
            Events::Listed(rows) => (0..0, rows),
        };
        run.chain(listed.iter().copied())
    }
}

/// The events of all cases.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventsOfCases {
    pub(crate) base: Runs,
    /// Of the cases that were touched since.
    touched: Map<Arc<[u32]>>,
    count: usize,
}

impl EventsOfCases {
    pub(crate) fn new(base: Runs) -> Self {
        let count = base.rows() as usize;
        EventsOfCases { base, touched: Map::default(), count }
    }

    /// Returns how many events there are in all.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the runs, if no case was touched since they were made.
    pub(crate) fn untouched(&self) -> Option<&Runs> {
        self.touched.is_empty().then_some(&self.base)
    }

    pub(crate) fn get(&self, case: u32) -> Events<'_> {
        if !self.touched.is_empty()
            && let Some(rows) = self.touched.get(case.into())
        {
            return Events::Listed(rows);
        }
        let run = self.base.run(case);
        Events::Run(run.start, run.end)
    }

    pub(crate) fn put(&mut self, case: u32, events: Vec<u32>) {
        self.count = self.count - self.get(case).len() + events.len();
        self.touched.put(case.into(), events.into());
    }

    pub(crate) fn bytes(&self) -> usize {
        let touched: usize = self.touched.iter().map(|(_, rows)| rows.len() * 4 + 64).sum();
        (self.base.offsets.len()) * 4 + touched
    }
}

/// Rows by group, in order of arrival; dead ones stay listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowsOfGroups {
    base: Base,
    more: Map<Chunked<u32, 32>>,
}

#[derive(Clone, Debug)]
enum Base {
    /// Row and group have the same number.
    Same(u32),
    /// At most one row each.
    Single(Arc<Vec<u32>>),
    /// Any number each.
    Listed { offsets: Arc<Vec<u32>>, rows: Arc<Vec<u32>> },
}

impl Default for Base {
    fn default() -> Self {
        Base::Same(0)
    }
}

impl RowsOfGroups {
    /// Row and group have the same number.
    pub(crate) fn same(length: u32) -> Self {
        RowsOfGroups { base: Base::Same(length), more: Map::default() }
    }

    /// Lists rows by group; they come in order of arrival, with their groups.
    pub(crate) fn new(groups: usize, members: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut offsets = vec![0_u32; groups + 1];
        let mut single = true;
        for (group, _) in members.clone() {
            offsets[group as usize] += 1;
            single &= offsets[group as usize] == 1;
        }
        if single {
            let mut rows = offsets;
            rows.pop();
            rows.fill(NO_ROW);
            for (group, row) in members {
                rows[group as usize] = row;
            }
            return RowsOfGroups { base: Base::Single(Arc::new(rows)), more: Map::default() };
        }
        let mut start = 0;
        for offset in &mut offsets {
            start += std::mem::replace(offset, start);
        }
        let mut rows = vec![0; start as usize];
        for (group, row) in members {
            rows[offsets[group as usize] as usize] = row;
            offsets[group as usize] += 1;
        }
        // Each offset has moved on to the next one's place.
        offsets.rotate_right(1);
        offsets[0] = 0;
        RowsOfGroups { base: Base::Listed { offsets: Arc::new(offsets), rows: Arc::new(rows) }, more: Map::default() }
    }

    /// Returns the rows of a group that live, in order of arrival.
    pub(crate) fn living<'a>(&'a self, group: u32, table: &'a Table) -> impl DoubleEndedIterator<Item = u32> + 'a {
        let base = match &self.base {
            Base::Same(length) => Some(group).filter(|group| group < length),
            Base::Single(rows) => rows.get(group as usize).copied().filter(|row| *row != NO_ROW),
            Base::Listed { .. } => None,
        };
        let listed = match &self.base {
            Base::Listed { offsets, rows } if (group as usize) + 1 < offsets.len() => {
                &rows[offsets[group as usize] as usize..offsets[group as usize + 1] as usize]
            }
            _ => &[],
        };
        let more = self.more.get(group.into());
        let more = more.into_iter().flat_map(|rows| rows.iter().copied());
        base.into_iter().chain(listed.iter().copied()).chain(more).filter(|row| table.is_alive(*row))
    }

    /// Returns the last row of a group that lives, or [`NO_ROW`].
    #[inline]
    pub(crate) fn last(&self, group: u32, table: &Table) -> u32 {
        let only = match &self.base {
            _ if !self.more.is_empty() && self.more.get(group.into()).is_some() => None,
            Base::Same(length) => Some(if group < *length { group } else { NO_ROW }),
            Base::Single(rows) => Some(rows.get(group as usize).copied().unwrap_or(NO_ROW)),
            Base::Listed { .. } => None,
        };
        match only {
            Some(NO_ROW) => NO_ROW,
            Some(row) => {
                if table.is_alive(row) {
                    row
                } else {
                    NO_ROW
                }
            }
            None => self.living(group, table).next_back().unwrap_or(NO_ROW),
        }
    }

    /// Adds a row to a group.
    pub(crate) fn push(&mut self, group: u32, row: u32, table: &Table) {
        match self.more.change(group.into()) {
            Some(rows) => {
                // A key that is written over and over leaves one row.
                while !rows.is_empty() && !table.is_alive(*rows.get(rows.len() - 1)) {
                    rows.pop();
                }
                rows.push(row);
            }
            None => self.more.add(group.into(), Chunked::from_iter([row])),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let base = match &self.base {
            Base::Same(_) => 0,
            Base::Single(rows) => rows.len() * 4,
            Base::Listed { offsets, rows } => (offsets.len() + rows.len()) * 4,
        };
        base + self.more.iter().map(|(_, rows)| rows.len() * 4 + 64).sum::<usize>()
    }
}
