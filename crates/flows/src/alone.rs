//! One module alone: the flow that runs it and nothing else.
//!
//! A run is pinned to a text, so what runs one module is a text too, made from
//! the flow's: the module with its settings, and in front of it a
//! `loopwright:Given` for each bundle that it is to see. Filter, error route
//! and whatever stands around the module are left out: whoever tries a module
//! wants its own answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::blueprint::{Blueprint, ModuleNode};
use crate::modules::{self, Behaviour};

/// What a module is to run with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Its fields, typed in: nothing in them is mapped. Without them the
    /// module's own mapping is used.
    pub input: Option<Map<String, Json>>,
    /// Bundles of modules before it, by their ids.
    pub bundles: BTreeMap<u32, Json>,
}

/// Makes the text of the flow that runs `module` alone, and the bundle that it
/// starts with. The error says why that module cannot.
pub(crate) fn text_of(flow: &str, module: u32, trial: &Trial) -> Result<(String, Json), String> {
    let document = Blueprint::read(flow)?;
    let node = find(&document.flow, module).ok_or_else(|| format!("there is no module {module}"))?;
    let refuse = |why: &str| Err(format!("module {module} ({}) cannot run alone: {why}", node.module));
    match modules::find(&node.module).map(|module| module.behaviour) {
        Some(Behaviour::Pure(_) | Behaviour::Loop(_) | Behaviour::Effect(_)) => {}
        Some(Behaviour::Start(_)) => return refuse("it begins runs; start the flow instead"),
        Some(Behaviour::Directive(_)) => return refuse("it says what becomes of a failed bundle"),
        Some(_) => return refuse("it does something with the modules around it"),
        None => return refuse("it does not exist here"),
    }
    // What begins a run can be seen without naming its module.
    let first = document.flow.first().filter(|node| {
        modules::find(&node.module).is_some_and(|module| matches!(module.behaviour, Behaviour::Start(_)))
    });
    let start = first.and_then(|node| trial.bundles.get(&node.id)).cloned().unwrap_or_else(|| json!({}));

    let given =
        |id: u32, bundle: &Json| json!({"id": id, "module": "loopwright:Given", "parameters": {"bundle": bundle}});
    let before = trial.bundles.iter().filter(|(id, _)| **id != module);
    let mut steps: Vec<Json> = before.map(|(id, bundle)| given(*id, bundle)).collect();
    let (mapper, escape_json) = match &trial.input {
        None => (node.mapper.clone(), document.metadata.loopwright.escape_json.unwrap_or(true)),
        Some(input) => {
            // The fields are mapped from a bundle, because what stands in a
            // mapper would be read as a mapping.
            let id = trial.bundles.keys().copied().max().unwrap_or(0).max(module) + 1;
            steps.push(given(id, &Json::Object(input.clone())));
            let mut mapper = Map::new();
            for name in input.keys() {
                if name.contains('`') {
                    return Err(format!("the field \"{name}\" has a backtick in its name"));
                }
                mapper.insert(name.clone(), format!("{{{{{id}.`{name}`}}}}").into());
            }
            (Json::Object(mapper), false)
        }
    };
    steps.push(json!({
        "id": node.id, "module": node.module, "version": node.version, "parameters": node.parameters, "mapper": mapper,
        "flags": node.flags, "metadata": node.metadata,
    }));
    let own = &document.metadata.loopwright;
    let text = json!({
        "name": format!("{}: module {module} alone", document.name),
        "flow": steps,
        "variables": document.variables,
        "metadata": {
            "scenario": {"confidential": document.metadata.scenario.confidential},
            "loopwright": {"escapeJson": escape_json, "retries": own.retries},
        },
    });
    Ok((text.to_string(), start))
}

fn find(nodes: &[ModuleNode], id: u32) -> Option<&ModuleNode> {
    for node in nodes {
        if node.id == id {
            return Some(node);
        }
        let inside = node.routes.iter().map(|route| &route.flow).chain(node.branches.iter().map(|branch| &branch.flow));
        for nodes in inside.chain([&node.onerror, &node.flow]) {
            if let Some(found) = find(nodes, id) {
                return Some(found);
            }
        }
    }
    None
}
