//! The tables and views of a pool, with all that is known about them.

use base::Timestamp;
use base::sql::SqlError;
use pools::rows::{ColumnSchema, Schema};
use pools::{AtRest, Explored, PoolId, TableInfo, TablesError, ViewDefinition, ViewShown};

use crate::arrow_rows::column_type;
use crate::lake::{Lake, info};
use crate::rest::folder_name;
use crate::scope::Scope;
use crate::table::Table;
use crate::views;

impl Lake {
    /// Returns tables and views by name.
    pub(crate) async fn explored(&self, id: PoolId) -> Result<Vec<Explored>, TablesError> {
        let pool = self.pool(id);
        let scope = self.scope(id);
        let mut explored = Vec::new();
        for view in scope.views.values() {
            explored.push(self.explored_view(&scope, view).await);
        }
        let tables = self.read(move || {
            let tables = scope.view.tables.values().filter(|table| !table.is_dropped());
            tables.map(|table| explored_table(table, &pool.folder)).collect::<Result<Vec<_>, _>>()
        });
        explored.extend(tables.await?);
        explored.sort_by_key(|one| one.info.name.to_ascii_lowercase());
        Ok(explored)
    }

    async fn explored_view(&self, scope: &Scope, view: &ViewDefinition) -> Explored {
        let environment = self.asking.environment();
        let (columns, broken) = match views::plan(scope, view, &environment, &[]).await {
            Ok(planned) => {
                let names = planned.relation().columns;
                let fields = planned.plan().schema().fields().iter().zip(names);
                let columns = fields
                    .map(|(field, name)| ColumnSchema { name, column_type: column_type(field.data_type()) })
                    .collect();
                (columns, None)
            }
            Err(SqlError::Statement { detail }) => (Vec::new(), Some(detail)),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let schema = Schema { columns };
        let info = TableInfo { name: view.name.clone(), schema, rows: 0, keys: Vec::new(), changed_by: 0 };
        let shown = ViewShown { query: view.query.clone(), broken };
        Explored { info, view: Some(shown), rest: None, changed_at: None }
    }
}

fn explored_table(table: &Table, pool: &std::path::Path) -> Result<Explored, TablesError> {
    let rest = table.rest.version.map(|version| AtRest {
        path: pool.join(folder_name(&table.name)),
        version,
        files: table.rest.files.len(),
        bytes: table.rest.files.iter().map(|file| file.bytes).sum(),
        through: table.rest.through,
    });
    let hot = table.layers.iter().map(|layer| layer.since).max();
    Ok(Explored { info: info(table)?, view: None, rest, changed_at: hot.or_else(|| written_at(table)) })
}

/// Returns when the youngest file was written: the last change of a table that
/// is at rest as a whole was not much earlier.
fn written_at(table: &Table) -> Option<Timestamp> {
    let written = |path: &std::path::Path| {
        let written = std::fs::metadata(path).ok()?.modified().ok()?;
        let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
    };
    table.rest.files.iter().filter_map(|file| written(&file.path)).max()
}
