//! The verbs about data structures.
//!
//! A flow takes a structure as it is when its text is put or published: runs
//! that are under way keep what they began with. The name of a version
//! ([`Program::hash`](crate::program::Program::hash)) is made of the text and
//! of the structures that it names.

use base::{Actor, audit};
use serde_json::{Map, Value as Json, json};

use super::{Flows, check_name};
use crate::brought::{Hooks, Imported};
use crate::error::Error;
use crate::hook::Expected;
use crate::program::{Program, Structures};
use crate::structure::{Structure, StructureInfo};
use crate::tables::{self, WebhookRow};

impl Flows {
    /// Stores a structure; replaces one of the same name. `imported_ids` are
    /// the numbers under which flows that were drawn elsewhere name it. Flows
    /// that name it take the new one when they are published again, webhooks
    /// at once.
    pub async fn put_structure(
        &self,
        actor: &Actor,
        name: &str,
        structure: Structure,
        imported_ids: Vec<u64>,
    ) -> Result<(), Error> {
        check_name(name)?;
        let now = self.clock.now();
        let info = StructureInfo { name: name.to_owned(), structure, imported_ids, updated_at: now };
        let actor = actor.clone();
        self.db
            .write("flows.put_structure", move |tx| {
                let before = tables::structure(tx, &info.name)?;
                if before.as_ref().is_some_and(|before| before.is_as(&info)) {
                    return Ok(());
                }
                tables::put_structure(tx, &info)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let (before, after) = (before.as_ref().map(StructureInfo::to_json), info.to_json());
                audit::record(tx, &actor, verb, "structure", &info.name, before.as_ref(), Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        Ok(())
    }

    /// Returns all structures by name.
    pub async fn structures(&self) -> Result<Vec<StructureInfo>, Error> {
        Ok(self.db.read("flows.structures", tables::structures).await?)
    }

    /// Returns a structure.
    pub async fn structure(&self, name: &str) -> Result<StructureInfo, Error> {
        let name = name.to_owned();
        let unknown = Error::UnknownStructure { name: name.clone() };
        let found = self.db.read("flows.structure", move |tx| tables::structure(tx, &name)).await?;
        found.ok_or(unknown)
    }

    /// Removes a structure. Published flows keep theirs; while a webhook checks
    /// with it, it stays.
    pub async fn delete_structure(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("flows.delete_structure", move |tx| {
                let Some(info) = tables::structure(tx, &name)? else {
                    return Err(Error::UnknownStructure { name: name.clone() });
                };
                let names_it = |row: &WebhookRow| {
                    row.info.settings.structure.as_ref().and_then(Expected::name) == Some(name.as_str())
                };
                let hooks: Vec<String> =
                    tables::webhooks(tx)?.into_iter().filter(names_it).map(|row| row.info.name).collect();
                if !hooks.is_empty() {
                    return Err(Error::StructureInUse { name: name.clone(), hooks });
                }
                tables::delete_structure(tx, &name)?;
                audit::record(tx, &actor, "delete", "structure", &name, Some(&info.to_json()), None, now)?;
                Ok(())
            })
            .await
    }

    /// Returns the structures under all names that flows may have for them.
    pub(crate) async fn structures_by_name(&self) -> Result<Structures, Error> {
        let mut by_name = Structures::new();
        for info in self.structures().await? {
            for id in info.imported_ids {
                by_name.insert(id.to_string(), info.structure.clone());
            }
            by_name.insert(info.name, info.structure);
        }
        Ok(by_name)
    }
}

/// Writes for the database what a text was compiled with: structures, and
/// webhooks under `hook:` and their number. Nothing if it named none.
pub(crate) fn written(program: &Program) -> Option<String> {
    let structures = program.structures.iter().map(|(name, structure)| (name.clone(), structure.to_json()));
    let hooks = program.hooks.iter().map(|(number, name)| (Imported::Hook(*number).to_string(), name.clone().into()));
    let all: Map<String, Json> = structures.chain(hooks).collect();
    (!all.is_empty()).then(|| Json::Object(all).to_string())
}

/// Reads what [`written`] wrote.
pub(crate) fn read(text: &str) -> (Structures, Hooks) {
    let json: Map<String, Json> = serde_json::from_str(text).unwrap_or_default();
    let mut read = (Structures::new(), Hooks::new());
    for (name, spec) in json {
        match (spec.as_str(), name.parse()) {
            (Some(hook), Ok(Imported::Hook(number))) => drop(read.1.insert(number, hook.to_owned())),
            _ => read.0.extend(Structure::read(&spec).ok().map(|structure| (name, structure))),
        }
    }
    read
}

impl StructureInfo {
    fn is_as(&self, other: &StructureInfo) -> bool {
        self.structure == other.structure && self.imported_ids == other.imported_ids
    }

    /// Writes it for people.
    pub fn to_json(&self) -> Json {
        let mut json = json!({"name": self.name});
        if let (Json::Object(all), Json::Object(parts)) = (&mut json, self.structure.to_json()) {
            all.extend(parts);
            all.insert("importedIds".into(), self.imported_ids.clone().into());
            all.insert("updatedAt".into(), self.updated_at.to_string().into());
        }
        json
    }
}
