//! What is other in one environment than in another: names, values, variables.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use base::Secret;
use flows::blueprint::{self, Named};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::client::Client;

/// The file of `--env`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// Connections by what the folder calls them: names, `connection:12`, `key:34`.
    #[serde(default)]
    connections: BTreeMap<String, String>,
    /// Webhooks, also `hook:77`.
    #[serde(default)]
    hooks: BTreeMap<String, String>,
    /// Data pools.
    #[serde(default)]
    pools: BTreeMap<String, String>,
    /// Knowledge models.
    #[serde(default)]
    models: BTreeMap<String, String>,
    /// Variables by flow.
    #[serde(default)]
    variables: BTreeMap<String, Map<String, Json>>,
    /// `{{var.team.…}}`.
    #[serde(default)]
    team: Map<String, Json>,
    /// `${env.NAME}`; secrets come from the environment of the process instead.
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(skip)]
    is_given: bool,
}

/// What is there already, or comes with the folder.
#[derive(Default)]
pub(super) struct Known {
    pub(super) connections: Vec<String>,
    pub(super) hooks: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) pools: Vec<String>,
    /// Numbers that stand for something.
    pub(super) imports: Vec<String>,
}

impl Environment {
    /// Reads the file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let read: Environment =
            serde_saphyr::from_str(&text).with_context(|| format!("{} is not as expected", file.display()))?;
        Ok(Environment { is_given: true, ..read })
    }

    /// Tells whether there is a file.
    pub(super) fn is_given(&self) -> bool {
        self.is_given
    }

    /// Returns the values for `${env.NAME}`.
    pub(crate) fn values(&self) -> impl Iterator<Item = (String, Secret)> + '_ {
        self.values.iter().map(|(name, value)| (name.clone(), Secret::new(value)))
    }

    /// Sets the variables of the team, if there are any.
    pub(super) async fn set_shared(&self, client: &Client) -> Result<()> {
        if !self.team.is_empty() {
            client.json(Method::PUT, "/api/v1/variables/team", Some(&Json::Object(self.team.clone()))).await?;
        }
        Ok(())
    }

    pub(super) fn pool(&self, name: &str) -> String {
        self.pools.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(super) fn variables_of(&self, flow: &str) -> Map<String, Json> {
        self.variables.get(flow).cloned().unwrap_or_default()
    }

    /// Gives a flow the names of the environment.
    pub(super) fn renamed(&self, text: &str) -> Result<String> {
        let other = |of: Named, name: &str| {
            let names = match of {
                Named::Connection => &self.connections,
                Named::Hook => &self.hooks,
                Named::Pool => &self.pools,
                Named::Model => &self.models,
            };
            names.get(name).cloned()
        };
        blueprint::renamed(text, &other).map_err(|problem| anyhow!(problem))
    }
}

impl Known {
    /// Names what a flow names and nobody knows.
    pub(super) fn missing(&self, flow: &str, document: &Json) -> Vec<String> {
        let is_known = |name: &blueprint::Name| {
            let has = |names: &[String]| names.contains(&name.name);
            match name.of {
                Named::Connection => has(&self.connections) || has(&self.imports),
                // A hook that is named comes with the flow; a number says nothing.
                Named::Hook => !name.name.starts_with("hook:") || has(&self.hooks) || has(&self.imports),
                Named::Pool => has(&self.pools),
                Named::Model => has(&self.models),
            }
        };
        let names = blueprint::names(document).into_iter();
        let told = |name: blueprint::Name| {
            format!("{} \"{}\" (flow \"{flow}\", module {}, {})", name.of.word(), name.name, name.module, name.field)
        };
        names.filter(|name| !is_known(name)).map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_knows_is_named_with_its_place() {
        let environment: Environment =
            serde_saphyr::from_str("connections: { test: prod, \"key:34\": prod }\nvariables: { late: { a: 1 } }")
                .expect("YAML");
        let text = json!({"flow": [
            {"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": 77}},
            {"id": 2, "module": "http:ActionSendData", "parameters": {"connection": "test"}},
            {"id": 3, "module": "http:ActionSendDataAPIKeyAuth", "parameters": {"auth": 34}},
            {"id": 4, "module": "http:ActionSendData", "parameters": {"connection": "other"}},
        ]});
        let known = Known { connections: vec!["prod".into()], ..Known::default() };
        let renamed = environment.renamed(&text.to_string()).expect("a flow");
        let document = blueprint::document(&renamed).expect("JSON");
        assert_eq!(
            known.missing("late", &document),
            [
                "hook \"hook:77\" (flow \"late\", module 1, parameters.hook)",
                "connection \"other\" (flow \"late\", module 4, parameters.connection)",
            ]
        );
        assert_eq!(environment.variables_of("late"), *json!({"a": 1}).as_object().expect("an object"));
    }
}
