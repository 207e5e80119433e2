//! What a statement can see: the tables of its pool at one commit, and the
//! views that stood then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::ScalarValue;
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
    /// Other pools that a statement may name, as `pool.table`.
    pub(crate) neighbours: Arc<Vec<Neighbour>>,
    /// Values for the markers `:name`, by name in lower case.
    pub(crate) parameters: Arc<HashMap<String, ScalarValue>>,
}

/// A pool beside the one in which a statement is at home.
pub(crate) struct Neighbour {
    /// Its name, as people write it.
    pub(crate) name: String,
    /// What is in it; it has no neighbours of its own.
    pub(crate) scope: Scope,
}

impl Scope {
    /// Makes the scope of a pool alone.
    pub(crate) fn of(view: Arc<View>, views: Views) -> Self {
        Scope { view, views, neighbours: Arc::default(), parameters: Arc::default() }
    }

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
        let mut relations: Vec<Relation> = tables.map(|(_, table)| Relation::of(table)).collect();
        for neighbour in self.named(words) {
            relations.push(Relation { name: neighbour.name.clone(), columns: Vec::new() });
            relations.extend(neighbour.scope.relations(words));
        }
        relations
    }

    /// Returns the neighbours among some words.
    pub(crate) fn named(&self, words: &HashSet<String>) -> Vec<&Neighbour> {
        self.neighbours.iter().filter(|neighbour| words.contains(&neighbour.name.to_ascii_lowercase())).collect()
    }
}

impl Relation {
    /// Returns a table's name and columns.
    pub(crate) fn of(table: &Table) -> Self {
        let columns = table.shape.schema.columns.iter().map(|column| column.name.clone());
        Relation { name: table.name.clone(), columns: columns.collect() }
    }
}
