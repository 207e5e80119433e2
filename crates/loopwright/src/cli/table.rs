//! Tables for people: columns that stand below each other.

/// A table that is printed line by line; its columns only grow.
pub(crate) struct Table {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    width: usize,
    /// Numbers stand to the right.
    right: bool,
}

impl Table {
    /// Makes a table; a column whose flag is set stands to the right.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let column = |(name, right): (&str, bool)| Column { name: name.to_owned(), width: name.chars().count(), right };
        Table { columns: columns.into_iter().map(column).collect() }
    }

    /// Lays out rows below named columns; a column whose flag is set stands to
    /// the right.
    pub(crate) fn of(head: &[(&str, bool)], rows: &[Vec<String>]) -> Vec<String> {
        let mut table = Table::new(head.iter().copied());
        table.widen(rows);
        let mut lines = table.head().to_vec();
        lines.extend(rows.iter().map(|row| table.line(row)));
        lines
    }

    /// Makes room for some rows.
    pub(crate) fn widen(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.width = column.width.max(cell.chars().count());
            }
        }
    }

    /// Returns the names of the columns and a rule below them.
    pub(crate) fn head(&self) -> [String; 2] {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let rule: Vec<String> = self.columns.iter().map(|column| "─".repeat(column.width)).collect();
        [self.line(&names), rule.join("  ")]
    }

    /// Lays out one row.
    pub(crate) fn line(&self, cells: &[String]) -> String {
        let parts = self.columns.iter().zip(cells).map(|(column, cell)| {
            let pad = " ".repeat(column.width.saturating_sub(cell.chars().count()));
            if column.right { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        parts.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}
