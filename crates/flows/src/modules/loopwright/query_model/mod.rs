//! PQL to bundles.

use serde_json::Map;

use super::{in_path, needed, question};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Asks a knowledge model in PQL; each row is a bundle.
pub const QUERY_MODEL: Module = module!("loopwright:QueryModel", versions[1], Behaviour::Effect(query));

fn query(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let model = needed(call, "model")?;
    let pql = needed(call, "pql")?;
    let body = Map::from_iter([("pql".to_owned(), pql.into())]);
    question(call, &format!("/api/v1/models/{}/query", in_path(&model)), body)
}
