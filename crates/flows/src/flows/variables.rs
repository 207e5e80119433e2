//! The verbs about variables that flows share: `{{var.team.name}}` and
//! `{{var.organization.name}}`.

use base::{Actor, audit};
use serde_json::{Map, Value as Json};

use super::Flows;
use crate::error::Error;
use crate::tables;

/// Whose variables they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedScope {
    /// `var.team`.
    Team,
    /// `var.organization`.
    Organization,
}

impl SharedScope {
    /// Returns what mappings call it.
    pub fn word(self) -> &'static str {
        match self {
            SharedScope::Team => "team",
            SharedScope::Organization => "organization",
        }
    }

    /// Finds the scope that a word stands for.
    pub fn named(word: &str) -> Option<Self> {
        [SharedScope::Team, SharedScope::Organization].into_iter().find(|scope| scope.word() == word)
    }
}

impl Flows {
    /// Returns the variables of a scope.
    pub async fn shared_variables(&self, scope: SharedScope) -> Result<Map<String, Json>, Error> {
        let read = move |tx: &mut dyn base::db::Tx| tables::shared_variables(tx, scope.word());
        let text = self.db.read("flows.shared_variables", read).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Sets the variables of a scope; runs that have begun keep theirs.
    pub async fn set_shared_variables(
        &self,
        actor: &Actor,
        scope: SharedScope,
        variables: Map<String, Json>,
    ) -> Result<(), Error> {
        let (actor, variables, now) = (actor.clone(), Json::Object(variables), self.clock.now());
        self.db
            .write("flows.set_shared_variables", move |tx| {
                let before = tables::shared_variables(tx, scope.word())?;
                let before: Option<Json> = before.and_then(|text| serde_json::from_str(&text).ok());
                if before.as_ref() == Some(&variables) {
                    return Ok(());
                }
                tables::set_shared_variables(tx, scope.word(), &variables.to_string(), now)?;
                let word = scope.word();
                audit::record(tx, &actor, "set-variables", "variables", word, before.as_ref(), Some(&variables), now)?;
                Ok(())
            })
            .await
    }
}
