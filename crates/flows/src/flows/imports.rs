//! The verbs about what numbers of blueprints stand for.

use std::collections::BTreeMap;

use base::db::Tx;
use base::{Actor, Timestamp, audit};
use serde_json::json;

use super::Flows;
use super::stores::map_store;
use crate::blueprint;
use crate::brought::{Hooks, Imported};
use crate::connection::built_in::BuiltIn;
use crate::error::Error;
use crate::flow::{Notice, Severity};
use crate::lint;
use crate::modules::datastore;
use crate::program::{Program, Step};
use crate::tables;

impl Flows {
    /// Says which of our connections or webhooks a number of a blueprint
    /// stands for from now on. Flows that start on the webhook take from it
    /// when they are published again; connections count at once.
    pub async fn map_import(&self, actor: &Actor, imported: Imported, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.map_import", move |tx| {
                let before = match &imported {
                    Imported::Connection(id) => map_connection(tx, id, &name)?,
                    Imported::Hook(number) => map_hook(tx, *number, &name, now)?,
                    Imported::Store(number) => map_store(tx, *number, &name, now)?,
                };
                if before.as_deref() != Some(&*name) {
                    let (before, after) = (before.map(|name| json!({"name": name})), json!({"name": name}));
                    let id = imported.to_string();
                    audit::record(tx, &actor, "map", "import", &id, before.as_ref(), Some(&after), now)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        Ok(())
    }

    /// Returns what is mapped, to the names of ours.
    pub async fn imports(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut imports = BTreeMap::new();
        for connection in self.connections().await? {
            imports.extend(connection.imported_ids.into_iter().map(|id| (id, connection.name.clone())));
        }
        let hooks = self.hooks_by_number().await?;
        imports.extend(hooks.into_iter().map(|(number, name)| (Imported::Hook(number).to_string(), name)));
        for store in self.stores().await? {
            let ids = store.settings.imported_ids.iter();
            imports.extend(ids.map(|number| (Imported::Store(*number).to_string(), store.name.clone())));
        }
        Ok(imports)
    }

    pub(super) async fn hooks_by_number(&self) -> Result<Hooks, Error> {
        let mut hooks = Hooks::new();
        for hook in self.hooks().await? {
            hooks.extend(hook.settings.imported_ids.iter().map(|number| (*number, hook.name.clone())));
        }
        Ok(hooks)
    }

    /// Returns what is noteworthy about a text and its program, with a notice
    /// for each number that nobody has mapped yet.
    pub(super) async fn notices_of(&self, text: &str, program: &Program) -> Result<Vec<Notice>, Error> {
        let mut notices = program.notices.clone();
        if let Ok(document) = blueprint::document(text) {
            notices.extend(lint::beyond(&document, program));
        }
        let brought = program.brought();
        if !brought.is_empty() {
            let imports = self.imports().await?;
            let unmapped = brought.iter().filter(|brought| !imports.contains_key(&brought.imported.to_string()));
            notices.extend(unmapped.map(crate::brought::Brought::notice));
        }
        notices.extend(self.connection_notices(program).await?);
        let named: Vec<(u32, String)> = program.steps.iter().filter_map(store_named_by).collect();
        if !named.is_empty() {
            let stores = self.stores().await?;
            let is_there = |name: &str| stores.iter().any(|store| store.name == name);
            notices.extend(named.into_iter().filter(|(_, name)| !is_there(name)).map(|(module, name)| Notice {
                severity: Severity::Warning,
                module: Some(module),
                field: Some("parameters.datastore".to_owned()),
                text: format!("data store \"{name}\" does not exist: `loopwright data-stores create {name}` makes it"),
            }));
        }
        Ok(notices)
    }
}

/// Returns the store that a step names by a name of ours.
fn store_named_by(step: &Step) -> Option<(u32, String)> {
    let name = datastore::store_of(&step.parameters).filter(|_| step.module_name.starts_with("datastore:"))?;
    (!name.starts_with("datastore:")).then_some((step.id, name))
}

/// Lets a connection stand for a number; returns which one did before.
fn map_connection(tx: &mut dyn Tx, id: &str, name: &str) -> Result<Option<String>, Error> {
    let before = Some(tables::stands_for(tx, id)?).filter(|before| before != id);
    let is_stored = tables::connections(tx)?.iter().any(|info| info.name == name);
    let name = match BuiltIn::named(name) {
        _ if is_stored => name,
        Some(built_in) => built_in.name(),
        None => return Err(Error::UnknownConnection { name: name.to_owned() }),
    };
    tables::map_connection(tx, id, name)?;
    Ok(before)
}

/// Lets a webhook stand for a number; returns which one did before.
fn map_hook(tx: &mut dyn Tx, number: u64, name: &str, now: Timestamp) -> Result<Option<String>, Error> {
    let Some(mut hook) = tables::webhook(tx, name)?.map(|row| row.info) else {
        return Err(Error::UnknownHook { hook: name.to_owned() });
    };
    let before = free_number(tx, number, name, now)?;
    if hook.settings.imported_ids.contains(&number) {
        return Ok(Some(name.to_owned()));
    }
    hook.settings.imported_ids.push(number);
    tables::set_webhook(tx, name, &hook.settings, now)?;
    Ok(before)
}

/// What another hook stood for before, it does no longer; returns which.
pub(super) fn free_number(tx: &mut dyn Tx, number: u64, but: &str, now: Timestamp) -> Result<Option<String>, Error> {
    for row in tables::webhooks(tx)? {
        let (name, mut settings) = (row.info.name, row.info.settings);
        if name != but && settings.imported_ids.contains(&number) {
            settings.imported_ids.retain(|id| *id != number);
            tables::set_webhook(tx, &name, &settings, now)?;
            return Ok(Some(name));
        }
    }
    Ok(None)
}
