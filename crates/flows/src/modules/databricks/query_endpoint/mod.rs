//! A model answers.

use crate::databricks::act::Act;
use crate::databricks::body;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Asks a serving endpoint, in any of the forms that endpoints understand.
pub const QUERY_ENDPOINT: Module = module!("databricks:QueryEndpoint", versions[1], Behaviour::Effect(query));

fn query(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let endpoint = body::needed(call, "endpoint")?;
    let body = body::query(call)?;
    super::planned(call, QUERY_ENDPOINT.name, Act::Query { endpoint, body })
}
