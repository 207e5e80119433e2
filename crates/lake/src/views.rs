//! Views: questions with a name.
//!
//! A view is planned anew for each statement that names it, over the tables as
//! that statement sees them, and stands in its plan like a table. Views may
//! name views; one that comes back to itself is refused with the way it took.

use std::sync::Arc;

use base::BoxFuture;
use base::sql::SqlError;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, DataFusionError};
use datafusion::datasource::ViewTable;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use pools::ViewDefinition;

use crate::query;
use crate::scope::Scope;
use crate::spelling::{Relation, Spelled};

/// Views that may stand inside each other.
const DEPTH_MAX: usize = 32;

/// A view that is understood.
pub(crate) struct PlannedView {
    /// As first written.
    pub(crate) name: String,
    columns: Vec<String>,
    plan: LogicalPlan,
}

/// Plans a view for a statement that stands in the views `inside`.
pub(crate) fn plan<'a>(
    scope: &'a Scope,
    definition: &'a ViewDefinition,
    environment: &'a Arc<RuntimeEnv>,
    inside: &'a [String],
) -> BoxFuture<'a, Result<PlannedView, SqlError>> {
    Box::pin(async move {
        let refused = |detail: String| Err(SqlError::Statement { detail });
        let mut path = inside.to_vec();
        path.push(definition.name.clone());
        if inside.iter().any(|name| name.eq_ignore_ascii_case(&definition.name)) {
            return refused(format!("view \"{}\" leads back to itself: {}", definition.name, path.join(" → ")));
        }
        if path.len() > DEPTH_MAX {
            return refused(format!("more than {DEPTH_MAX} views stand inside each other: {}", path[0]));
        }
        let planned = match query::plan_inside(scope, &definition.query, environment, &path).await {
            Ok(planned) => planned,
            // The innermost view says where it is.
            Err(SqlError::Statement { detail }) if detail.starts_with("view \"") => return refused(detail),
            Err(SqlError::Statement { detail }) => return refused(format!("view \"{}\": {detail}", definition.name)),
            Err(error) => return Err(error),
        };
        let fields = planned.plan.schema().fields().iter();
        let columns: Vec<String> = fields.map(|field| planned.spelled.answer_column(field.name())).collect();
        if let Some(column) = twice(&columns) {
            return refused(format!(
                "view \"{}\" has two columns called \"{column}\": give one another name with AS",
                definition.name
            ));
        }
        Ok(PlannedView { name: definition.name.clone(), columns, plan: planned.plan })
    })
}

/// Finds a name that stands in a list twice, case aside.
pub(crate) fn twice(names: &[String]) -> Option<&String> {
    names
        .iter()
        .enumerate()
        .find_map(|(place, name)| names[..place].iter().any(|other| other.eq_ignore_ascii_case(name)).then_some(name))
}

impl PlannedView {
    /// Returns its name and columns.
    pub(crate) fn relation(&self) -> Relation {
        Relation { name: self.name.clone(), columns: self.columns.clone() }
    }

    /// Returns the plan behind it.
    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Shows it to a statement in that statement's spelling.
    pub(crate) fn shown(self, spelled: &Spelled) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let columns: Vec<Expr> = self
            .plan
            .schema()
            .iter()
            .zip(&self.columns)
            .map(|((qualifier, field), name)| {
                Expr::Column(Column::new(qualifier.cloned(), field.name())).alias(spelled.word(name))
            })
            .collect();
        let plan = LogicalPlanBuilder::from(self.plan).project(columns)?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}
