//! Who may do what with a serving endpoint.
//!
//! Whoever makes an endpoint manages it, and so do administrators; others look
//! at it or call it where a rule says so. `users` stands for everybody.

use base::db::Tx;
use base::{Actor, args};
use serde_json::{Value as Json, json};

use crate::data_error::DataError;
use crate::permission::{Principal, entries_of};
use crate::serving::{self, Endpoint};
use crate::workspace::{Workspace, note};

/// What somebody may do with an endpoint; each level holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointLevel {
    /// Look at it.
    View,
    /// Call it.
    Query,
    /// Deploy to it, read its logs, remove it, and say who may do what.
    Manage,
}

impl EndpointLevel {
    /// All of them, in order.
    pub const ALL: [EndpointLevel; 3] = [EndpointLevel::View, EndpointLevel::Query, EndpointLevel::Manage];

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            EndpointLevel::View => "CAN_VIEW",
            EndpointLevel::Query => "CAN_QUERY",
            EndpointLevel::Manage => "CAN_MANAGE",
        }
    }

    /// Tells people what it allows.
    pub fn description(self) -> &'static str {
        match self {
            EndpointLevel::View => "Can view the endpoint",
            EndpointLevel::Query => "Can view and call the endpoint",
            EndpointLevel::Manage => "Can deploy to and delete the endpoint, and change its permissions",
        }
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRule {
    /// Who.
    pub principal: Principal,
    /// What.
    pub level: EndpointLevel,
}

impl EndpointRule {
    /// Reads an `access_control_list`.
    pub fn read_list(list: &Json) -> Result<Vec<Self>, DataError> {
        let levels = EndpointLevel::ALL.map(|level| (level.as_str(), level));
        let rules = entries_of(list, &levels)?.into_iter().map(|(principal, level)| {
            principal.check()?;
            Ok(EndpointRule { principal, level })
        });
        rules.collect()
    }
}

/// Returns the highest level that an actor has.
fn level_of(actor: &Actor, endpoint: &Endpoint, rules: &[EndpointRule]) -> Option<EndpointLevel> {
    if actor.administrator || endpoint.is_of(actor) {
        return Some(EndpointLevel::Manage);
    }
    rules.iter().filter(|rule| rule.principal.is(actor)).map(|rule| rule.level).max()
}

impl Workspace {
    /// Returns an endpoint to whoever has at least a level on it, and the level.
    pub async fn endpoint_for(
        &self,
        actor: &Actor,
        name: &str,
        least: EndpointLevel,
    ) -> Result<(Endpoint, EndpointLevel), DataError> {
        let (actor, name) = (actor.clone(), name.to_owned());
        self.db
            .read("workspace.endpoint_for", move |tx| {
                let endpoint = serving::one(tx, &name)?;
                let level = demand(tx, &actor, &endpoint, least)?;
                Ok((endpoint, level))
            })
            .await
    }

    /// Lists the endpoints that an actor may see, by name.
    pub async fn endpoints_seen_by(&self, actor: &Actor) -> Result<Vec<(Endpoint, EndpointLevel)>, DataError> {
        let actor = actor.clone();
        self.db
            .read("workspace.endpoints_seen_by", move |tx| {
                let mut seen = Vec::new();
                for endpoint in serving::all(tx)? {
                    if let Some(level) = level_of(&actor, &endpoint, &rules(tx, &endpoint.id)?) {
                        seen.push((endpoint, level));
                    }
                }
                Ok(seen)
            })
            .await
    }

    /// Returns the endpoint with an id, and who may do what with it. Whoever
    /// asks needs [`EndpointLevel::View`].
    pub async fn endpoint_rules(&self, actor: &Actor, id: &str) -> Result<(Endpoint, Vec<EndpointRule>), DataError> {
        let (actor, id) = (actor.clone(), id.to_owned());
        self.db
            .read("workspace.endpoint_rules", move |tx| {
                let endpoint = by_id(tx, &actor, &id, EndpointLevel::View)?;
                let rules = rules(tx, &id)?;
                Ok((endpoint, rules))
            })
            .await
    }

    /// Says who may do what with an endpoint: all of it, or some rules more.
    /// Whoever says so needs [`EndpointLevel::Manage`].
    pub async fn set_endpoint_rules(
        &self,
        actor: &Actor,
        id: &str,
        wanted: Vec<EndpointRule>,
        replaces: bool,
    ) -> Result<(Endpoint, Vec<EndpointRule>), DataError> {
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.set_endpoint_rules", move |tx| {
                let endpoint = by_id(tx, &actor, &id, EndpointLevel::Manage)?;
                let before = rules(tx, &id)?;
                if replaces {
                    forget(tx, &id)?;
                }
                for rule in &wanted {
                    tx.execute(
                        "INSERT INTO workspace_endpoint_rules (endpoint_id, sort, principal, level) \
                         VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (endpoint_id, sort, principal) DO UPDATE SET level = EXCLUDED.level",
                        args![&id, rule.principal.sort(), rule.principal.name(), rule.level.as_str()],
                    )?;
                }
                let after = rules(tx, &id)?;
                let states = (Some(shown(&before)), Some(shown(&after)));
                note(tx, &actor, "permit", "serving-endpoint", &endpoint.name, states, now)?;
                Ok((endpoint, after))
            })
            .await
    }
}

/// Removes the rules of an endpoint.
pub(crate) fn forget(tx: &mut dyn Tx, id: &str) -> Result<(), DataError> {
    tx.execute("DELETE FROM workspace_endpoint_rules WHERE endpoint_id = $1", args![id])?;
    Ok(())
}

fn demand(
    tx: &mut dyn Tx,
    actor: &Actor,
    endpoint: &Endpoint,
    least: EndpointLevel,
) -> Result<EndpointLevel, DataError> {
    let level = level_of(actor, endpoint, &rules(tx, &endpoint.id)?);
    level.filter(|level| *level >= least).ok_or_else(|| {
        DataError::Denied(format!(
            "User {} does not have {} permission on serving endpoint {}; {} or an administrator can give it",
            actor.name,
            least.as_str(),
            endpoint.name,
            endpoint.creator
        ))
    })
}

/// Finds the endpoint with an id for whoever has a level on it. An id is told to
/// nobody else, so somebody who lacks the level is told the same of any.
fn by_id(tx: &mut dyn Tx, actor: &Actor, id: &str, level: EndpointLevel) -> Result<Endpoint, DataError> {
    let endpoint = serving::all(tx)?.into_iter().find(|endpoint| endpoint.id == id);
    match endpoint {
        Some(endpoint) => {
            demand(tx, actor, &endpoint, level)?;
            Ok(endpoint)
        }
        None if actor.administrator => Err(DataError::NotFound(format!("there is no serving endpoint with id {id}"))),
        None => Err(DataError::Denied(format!(
            "User {} does not have {} permission on serving endpoint {id}",
            actor.name,
            level.as_str()
        ))),
    }
}

fn rules(tx: &mut dyn Tx, id: &str) -> Result<Vec<EndpointRule>, DataError> {
    let rows = tx.query(
        "SELECT sort, principal, level FROM workspace_endpoint_rules WHERE endpoint_id = $1 ORDER BY sort, principal",
        args![id],
    )?;
    let mut rules = Vec::new();
    for row in rows {
        let level: String = row.get(2)?;
        let level = EndpointLevel::ALL.into_iter().find(|known| known.as_str() == level);
        // A rule in words of a later version gives nothing.
        if let (Some(principal), Some(level)) = (Principal::stored(&row.get::<String>(0)?, row.get(1)?), level) {
            rules.push(EndpointRule { principal, level });
        }
    }
    Ok(rules)
}

/// What the audit trail says of rules.
fn shown(rules: &[EndpointRule]) -> Json {
    rules
        .iter()
        .map(|rule| json!({ rule.principal.field(): rule.principal.name(), "level": rule.level.as_str() }))
        .collect()
}
