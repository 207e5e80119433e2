//! SQL to bundles.

use serde_json::Map;

use super::{in_path, needed, question};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Asks the tables of a pool in SQL; each row is a bundle.
pub const QUERY_POOL: Module = module!("loopwright:QueryPool", versions[1], Behaviour::Effect(query));

fn query(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let pool = needed(call, "pool")?;
    let sql = needed(call, "sql")?;
    let body = Map::from_iter([("query".to_owned(), sql.into())]);
    question(call, &format!("/api/v1/pools/{}/sql", in_path(&pool)), body)
}
