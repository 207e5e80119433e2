//! The verbs that bring flows in and hand them on.

use std::collections::{BTreeMap, BTreeSet};

use base::Actor;
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{Flows, Reading, check_name};
use crate::blueprint::{self, Carried, Entry, Format, Named, Upload};
use crate::error::Error;
use crate::flow::Notice;
use crate::literal::{self, Literal};
use crate::program::Program;

/// How an upload is brought in.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Key of the flow, if the upload is one; else keys are made of names.
    pub key: Option<String>,
    /// The package into which the flows go.
    pub package: Option<String>,
    /// Only tell what would come.
    pub dry_run: bool,
}

/// A flow that was brought in, or would be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedFlow {
    /// Its key here.
    pub key: String,
    /// Name of its file in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<String>,
    /// What people read.
    pub name: String,
    /// Modules that are known here, and those that are not.
    pub modules: usize,
    /// Names of the modules that are not known here.
    pub unknown_modules: Vec<String>,
    /// There was a flow of this key before.
    pub replaces: bool,
    /// What is noteworthy.
    pub notices: Vec<Notice>,
    /// Numbers that nobody has mapped yet, such as `connection:12`.
    pub unmapped: Vec<String>,
    /// Secrets that stand in the text.
    pub secrets: Vec<Literal>,
}

impl Flows {
    /// Stores every flow of an upload as a draft: the archive of a package, or
    /// the text of one flow in any container. Everything is read before
    /// anything is stored.
    pub async fn import(
        &self,
        actor: &Actor,
        bytes: &[u8],
        options: ImportOptions,
    ) -> Result<Vec<ImportedFlow>, Error> {
        let called = options.key.clone().unwrap_or_else(|| "upload".to_owned());
        let upload = Upload::read(bytes).map_err(|detail| Error::BadDocument { key: called.clone(), detail })?;
        let mut imported: Vec<(ImportedFlow, String)> = Vec::new();
        let is_one = upload.flows.len() == 1;
        for Carried { file, text } in upload.flows {
            let text = with_mappings(&text, &upload.metadata["mappings"])
                .map_err(|detail| Error::BadDocument { key: called.clone(), detail })?;
            let told = file.as_deref().and_then(|file| told_key(file, &upload.metadata));
            let called = file.clone().unwrap_or_else(|| called.clone());
            let program = self.compiled_today(&text).await?;
            let program = program.map_err(|detail| Error::BadDocument { key: called, detail })?;
            let wanted = options.key.clone().filter(|_| is_one).or(told).unwrap_or_else(|| key_of(&program.name));
            check_name(&wanted)?;
            let mut key = wanted.clone();
            let mut number = 2;
            let is_named = options.key.is_some() && is_one;
            while imported.iter().any(|(flow, _)| flow.key == key)
                || !is_named && self.is_elsewhere(&key, options.package.as_deref()).await?
            {
                key = format!("{wanted}-{number}");
                number += 1;
            }
            let flow = self.imported(key, file, &text, &program).await?;
            imported.push((flow, text));
        }
        if !options.dry_run {
            for (flow, text) in &imported {
                self.put(actor, &flow.key, text).await?;
                if let Some(package) = &options.package {
                    self.put_in_package(actor, &flow.key, Some(package)).await?;
                }
            }
        }
        Ok(imported.into_iter().map(|(flow, _)| flow).collect())
    }

    /// Tells whether a key belongs to a flow that does not lie in `package`. An
    /// import into a package leaves that one alone.
    async fn is_elsewhere(&self, key: &str, package: Option<&str>) -> Result<bool, Error> {
        let Some(package) = package else { return Ok(false) };
        match self.flow(key).await {
            Ok(flow) => Ok(flow.package.as_deref() != Some(package)),
            Err(Error::UnknownFlow { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn imported(
        &self,
        key: String,
        file: Option<String>,
        text: &str,
        program: &Program,
    ) -> Result<ImportedFlow, Error> {
        let imports = self.imports().await?;
        let mut unmapped: Vec<String> = program.brought().iter().map(|brought| brought.imported.to_string()).collect();
        unmapped.retain(|id| !imports.contains_key(id));
        unmapped.sort();
        unmapped.dedup();
        let mut unknown_modules: Vec<String> = program.unknown().map(|step| step.module_name.clone()).collect();
        unknown_modules.sort();
        unknown_modules.dedup();
        let replaces = match self.flow(&key).await {
            Ok(_) => true,
            Err(Error::UnknownFlow { .. }) => false,
            Err(error) => return Err(error),
        };
        let notices = self.notices_of(text, program).await?;
        let secrets = blueprint::document(text).map(|document| literal::find(&document)).unwrap_or_default();
        let (name, modules) = (program.name.clone(), program.steps.len());
        Ok(ImportedFlow { key, file, name, modules, unknown_modules, replaces, notices, unmapped, secrets })
    }

    /// Returns the drafts of a package as an archive: a blueprint for each flow,
    /// and what else must be known to bring them to another place.
    pub async fn export_package(&self, package: &str) -> Result<Vec<u8>, Error> {
        let mut entries = Vec::new();
        let day = self.clock.now().to_string().chars().filter(char::is_ascii_digit).take(8).collect::<String>();
        for flow in self.in_package(package).await? {
            let text = self.export(&flow.key, Reading::Draft, Format::Json).await?;
            let name = format!("{day}-scenario-{}.json", scenario_of(&flow.key));
            entries.push(Entry { name, bytes: text.into_bytes() });
        }
        let metadata = serde_json::to_vec_pretty(&self.package_metadata(package).await?);
        let bytes = metadata.expect("what was JSON is JSON");
        entries.push(Entry { name: "metadata.json".into(), bytes });
        Ok(blueprint::write_archive(&entries))
    }

    /// Returns what is said of the flows of a package: which things of this
    /// place they name. `mappings`, filled in, gives these other names when the
    /// archive is brought in.
    pub async fn package_metadata(&self, package: &str) -> Result<Json, Error> {
        let mut told = Vec::new();
        let mut all: BTreeMap<Named, BTreeSet<String>> = BTreeMap::new();
        for flow in self.in_package(package).await? {
            let text = self.text(&flow.key, Reading::Draft).await?;
            let document = blueprint::document(&text);
            let document = document.map_err(|detail| Error::BadDocument { key: flow.key.clone(), detail })?;
            let mut of: BTreeMap<Named, BTreeSet<String>> = BTreeMap::new();
            for name in blueprint::names(&document) {
                of.entry(name.of).or_default().insert(name.name.clone());
                all.entry(name.of).or_default().insert(name.name);
            }
            let list = |kind: Named| of.get(&kind).cloned().unwrap_or_default();
            let variables = self.get(&flow.key).await?.variables;
            told.push(json!({
                "key": flow.key,
                "rootNodeKey": package,
                "parentNodeKey": package,
                "name": flow.name,
                "scenarioId": scenario_of(&flow.key).to_string(),
                "webHookUrl": null,
                "version": flow.version.map_or_else(|| "draft".to_owned(), |version| version.to_string()),
                "sensorType": flow.hook.is_some().then_some("WEBHOOK"),
                "schedule": document["scheduling"],
                "teamSpecific": {
                    "connections": list(Named::Connection),
                    "variables": variables,
                    "celonisApps": [],
                    "callingOtherAf": called_flows(&document),
                    "datastructures": [],
                    "hooks": list(Named::Hook),
                    "dataPools": list(Named::Pool),
                    "knowledgeModels": list(Named::Model),
                },
            }));
        }
        let list = |kind: Named| all.get(&kind).cloned().unwrap_or_default();
        Ok(json!({
            "actionFlows": told,
            "connections": list(Named::Connection),
            "dataPools": list(Named::Pool),
            "dataModels": [],
            "knowledgeModels": list(Named::Model),
            "skills": [],
            "analyses": [],
            "datastructures": [],
            "mappings": {"connections": {}, "hooks": {}, "pools": {}, "models": {}},
            "actionFlowsTeamId": "loopwright",
        }))
    }

    /// Returns a flow as a blueprint in JSON, or in YAML. It imports back to
    /// the same flow.
    pub async fn export(&self, key: &str, reading: Reading, format: Format) -> Result<String, Error> {
        let text = self.text(key, reading).await?;
        blueprint::export(&text, format).map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })
    }
}

/// Returns a number that stands for a flow in an archive: the same each time.
fn scenario_of(key: &str) -> u32 {
    let hash = Sha256::digest(key.as_bytes());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 4
}

/// Finds the key that an archive tells for a file, by the number in its name.
fn told_key(file: &str, metadata: &Json) -> Option<String> {
    let number = file.strip_suffix(".json")?.rsplit('-').next()?;
    let flows = metadata["actionFlows"].as_array()?;
    let is_it = |flow: &&Json| match &flow["scenarioId"] {
        Json::String(text) => text == number,
        other => other.as_u64().is_some_and(|other| Ok(other) == number.parse()),
    };
    flows.iter().find(is_it)?["key"].as_str().map(str::to_owned)
}

/// Gives a text the names that an archive maps.
fn with_mappings(text: &str, mappings: &Json) -> Result<String, String> {
    let other = |of: Named, name: &str| {
        let list = match of {
            Named::Connection => "connections",
            Named::Hook => "hooks",
            Named::Pool => "pools",
            Named::Model => "models",
        };
        mappings[list][name].as_str().map(str::to_owned)
    };
    if !mappings.is_object() {
        return Ok(text.to_owned());
    }
    blueprint::renamed(text, &other)
}

/// Lists the flows that a flow calls.
fn called_flows(document: &Json) -> BTreeSet<String> {
    let of = |node: &serde_json::Map<String, Json>| {
        let parameters = node.get("parameters")?;
        ["flow", "scenario"].iter().find_map(|name| parameters[*name].as_str()).map(str::to_owned)
    };
    blueprint::modules(document).iter().filter_map(|(_, node)| of(node)).collect()
}

/// Makes a key of what people call a flow.
fn key_of(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' };
    let words: String = name.chars().map(plain).collect();
    let key = words.split_whitespace().collect::<Vec<_>>().join("-");
    let key: String = key.chars().take(80).collect();
    if key.is_empty() { "imported".to_owned() } else { key }
}
