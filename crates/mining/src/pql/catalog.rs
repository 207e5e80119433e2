//! The tables, columns and joins against which a text is checked.

use crate::value::Type;

/// What a data model offers to queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// In the order of the data model; a made-up case table is the last.
    pub tables: Vec<CatalogTable>,
    /// From the N-side to the 1-side; the first one leads from activities to
    /// cases.
    pub joins: Vec<(usize, usize)>,
    /// Who plays which part.
    pub roles: Roles,
}

/// A table that can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogTable {
    /// Its name; matches without case.
    pub name: String,
    /// Names and types.
    pub columns: Vec<(String, Type)>,
}

/// Tables and columns with a role, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Holds one row per activity.
    pub activity_table: usize,
    /// Names the case.
    pub case_column: usize,
    /// Names the activity.
    pub activity_column: usize,
    /// Orders the events of a case.
    pub timestamp_column: usize,
    /// When the activity ended.
    pub end_timestamp_column: Option<usize>,
    /// Orders events of equal time.
    pub sorting_column: Option<usize>,
    /// Holds one row per case.
    pub case_table: usize,
    /// Its key.
    pub case_table_column: usize,
}

/// How one table is reached from another, to the 1-side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Over these joins, none if it is the same table.
    Over(Vec<usize>),
    /// Over more than one path.
    Ambiguous,
    /// Not at all.
    None,
}

impl Catalog {
    /// Returns the place of a table, ignoring case.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Finds the way from a table to one on its 1-side.
    pub fn path(&self, from: usize, to: usize) -> Path {
        let mut found = Path::None;
        // A path never visits more tables than there are, so a cycle ends.
        let mut open = vec![(from, Vec::new())];
        while let Some((table, joins)) = open.pop() {
            if table == to {
                if found != Path::None {
                    return Path::Ambiguous;
                }
                found = Path::Over(joins);
                continue;
            }
            if joins.len() >= self.tables.len() {
                return Path::Ambiguous;
            }
            for (place, (_, one)) in self.joins.iter().enumerate().filter(|(_, (many, _))| *many == table) {
                let mut further = joins.clone();
                further.push(place);
                open.push((*one, further));
            }
        }
        found
    }

    /// Tells whether a table is reached from another, to the 1-side.
    pub fn leads_to(&self, from: usize, to: usize) -> bool {
        self.path(from, to) != Path::None
    }
}
