//! Which rows take part, without listing them as long as it is all of them.

/// Row numbers in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowList {
    /// So many, from the first one on.
    Start(u32),
    /// These.
    Listed(Vec<u32>),
}

impl RowList {
    /// Takes all rows below `length`.
    pub(crate) fn all(length: usize) -> Self {
        RowList::Start(length as u32)
    }

    /// Takes the rows for which something holds.
    pub(crate) fn kept(kept: &[bool]) -> Self {
        if kept.iter().all(|kept| *kept) {
            return RowList::all(kept.len());
        }
        RowList::Listed((0..kept.len() as u32).filter(|row| kept[*row as usize]).collect())
    }

    /// Takes rows that were listed.
    pub(crate) fn of(rows: Vec<u32>) -> Self {
        let is_start = rows.iter().enumerate().all(|(place, row)| *row as usize == place);
        if is_start { RowList::all(rows.len()) } else { RowList::Listed(rows) }
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            RowList::Start(length) => *length as usize,
            RowList::Listed(rows) => rows.len(),
        }
    }

    /// Tells whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the row at a 0-based place.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> u32 {
        match self {
            RowList::Start(_) => place as u32,
            RowList::Listed(rows) => rows[place],
        }
    }

    /// Goes through the rows.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        let (start, listed) = match self {
            RowList::Start(length) => (0..*length, &[][..]),
            RowList::Listed(rows) => (0..0, &rows[..]),
        };
        start.chain(listed.iter().copied())
    }

    /// Lists the rows.
    pub(crate) fn into_list(self) -> Vec<u32> {
        match self {
            RowList::Start(length) => (0..length).collect(),
            RowList::Listed(rows) => rows,
        }
    }
}
