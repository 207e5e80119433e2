//! What a statement can see: the tables of its pool at one commit, and the
//! views that stood then.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use pools::ViewDefinition;

use crate::pool::View;
use crate::spelling::Relation;
use crate::table::Table;

/// The views of a pool, by name in lower case.
pub(crate) type Views = Arc<BTreeMap<String, ViewDefinition>>;

/// What a statement can see.
#[derive(Clone)]
pub(crate) struct Scope {
    /// The tables.
    pub(crate) view: Arc<View>,
    /// The views.
    pub(crate) views: Views,
}

impl Scope {
    /// Finds a table, its name in any case.
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.view.tables.get(&name.to_ascii_lowercase()).filter(|table| !table.is_dropped())
    }

    /// Finds a view, its name in any case.
    pub(crate) fn view(&self, name: &str) -> Option<&ViewDefinition> {
        self.views.get(&name.to_ascii_lowercase())
    }

    /// Returns the tables among some words, in order of their names.
    pub(crate) fn relations(&self, words: &HashSet<String>) -> Vec<Relation> {
        let tables = self.view.tables.iter().filter(|(name, table)| words.contains(*name) && !table.is_dropped());
        tables.map(|(_, table)| Relation::of(table)).collect()
    }
}

impl Relation {
    /// Returns a table's name and columns.
    pub(crate) fn of(table: &Table) -> Self {
        let columns = table.shape.schema.columns.iter().map(|column| column.name.clone());
        Relation { name: table.name.clone(), columns: columns.collect() }
    }
}
