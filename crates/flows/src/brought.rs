//! Numbers that blueprints bring along.
//!
//! A flow that was drawn elsewhere names its connections, keys and its webhook
//! by numbers of that place, which mean nothing here. A person says which of
//! ours each stands for ([`Flows::map_import`](crate::Flows::map_import)); then
//! the blueprint runs as it came. Until then the flow's notices, and `flow
//! lint`, name each number and the command that maps it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::flow::{Notice, Severity};
use crate::modules::http::named;
use crate::modules::{datastore, gateway};
use crate::program::{Program, Start, Step};

/// Our webhooks by the numbers for which they stand.
pub type Hooks = BTreeMap<u64, String>;

/// Something that a blueprint names by its number elsewhere: `connection:12`,
/// `key:34`, `hook:77`, `datastore:5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Imported {
    /// A connection, or a key.
    Connection(String),
    /// A webhook.
    Hook(u64),
    /// A data store.
    Store(u64),
}

/// Says that a text is not the number of something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not connection:NUMBER, key:NUMBER, hook:NUMBER or datastore:NUMBER")]
pub struct NotImported(String);

impl FromStr for Imported {
    type Err = NotImported;

    fn from_str(text: &str) -> Result<Self, NotImported> {
        let wrong = || NotImported(text.to_owned());
        let (kind, number) = text.split_once(':').ok_or_else(wrong)?;
        if number.is_empty() || !number.bytes().all(|letter| letter.is_ascii_digit()) {
            return Err(wrong());
        }
        match kind {
            "connection" | "key" => Ok(Imported::Connection(text.to_owned())),
            "hook" => number.parse().map(Imported::Hook).map_err(|_| wrong()),
            "datastore" => number.parse().map(Imported::Store).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Imported::Connection(id) => f.write_str(id),
            Imported::Hook(number) => write!(f, "hook:{number}"),
            Imported::Store(number) => write!(f, "datastore:{number}"),
        }
    }
}

/// A number in a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// What it stands for elsewhere.
    pub imported: Imported,
    /// Id of the module.
    pub module: u32,
    /// Setting of the module in which it stands.
    pub setting: String,
}

impl Brought {
    /// Tells a person that it is not mapped, and how to map it.
    pub fn notice(&self) -> Notice {
        let imported = &self.imported;
        let text = match imported {
            Imported::Connection(_) => format!(
                "\"{imported}\" is of the place where the flow was drawn: make a connection, then map it by \
                 `loopwright flow map {imported} CONNECTION`"
            ),
            Imported::Store(_) => format!(
                "\"{imported}\" is of the place where the flow was drawn: make a data store, then map it by \
                 `loopwright flow map {imported} STORE`"
            ),
            Imported::Hook(_) => format!(
                "\"{imported}\" is of the place where the flow was drawn, so the flow gets a hook of its own name; \
                 `loopwright flow map {imported} HOOK` lets it take from another one"
            ),
        };
        let field = Some(format!("parameters.{}", self.setting));
        Notice { severity: Severity::Warning, module: Some(self.module), field, text }
    }
}

impl Program {
    /// Returns the numbers in the text that it cannot do without knowing what
    /// they stand for, in the order of the modules.
    pub fn brought(&self) -> Vec<Brought> {
        self.steps.iter().flat_map(brought_by).collect()
    }

    /// Lets the flow take from the webhook for which its number stands. That
    /// is part of its version: what is published goes on with the hook that it
    /// began with.
    #[must_use]
    pub fn with_hooks(mut self, known: &Hooks) -> Self {
        let mut numbers = self.steps.iter().filter_map(hook_number);
        let Some((number, name)) = numbers.find_map(|number| Some((number, known.get(&number)?))) else {
            return self;
        };
        if let Start::Webhook { hook: hook @ None, .. } = &mut self.start {
            *hook = Some(name.clone());
            self.hash = hex::encode(Sha256::digest(format!("{}\0hook:{number}={name}", self.hash)));
            self.hooks = [(number, name.clone())].into();
        }
        self
    }
}

fn brought_by(step: &Step) -> Vec<Brought> {
    let named = |imported: Imported| {
        let number = imported.to_string().split_once(':').map(|(_, number)| number.to_owned());
        let has_it = |value: &Json| match value {
            Json::Number(value) => Some(value.to_string()) == number,
            Json::String(text) => Some(text) == number.as_ref(),
            _ => false,
        };
        let setting = step.parameters.iter().find(|(_, value)| has_it(value)).map(|(name, _)| name.clone());
        Brought { imported, module: step.id, setting: setting.unwrap_or_default() }
    };
    let hook = hook_number(step).map(Imported::Hook);
    let store = datastore::store_of(&step.parameters).filter(|_| step.module_name.starts_with("datastore:"));
    let store = store.and_then(|store| store.parse().ok());
    let connections = [named::connection(&step.parameters), named::certificate(&step.parameters)];
    // Of modules that send nothing these settings mean something else.
    let connections = connections.into_iter().flatten().filter(|_| named::are_connections(&step.module_name));
    connections.filter_map(|id| id.parse().ok()).chain(hook).chain(store).map(named).collect()
}

/// Returns the number of the webhook on which a flow starts.
fn hook_number(step: &Step) -> Option<u64> {
    let is_start = gateway::takes_from_hook(&step.module_name);
    step.parameters.get("hook").filter(|_| is_start).and_then(Json::as_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUEPRINT: &str = r#"{"name": "F", "flow": [
        {"id": 1, "module": "gateway:CustomWebHook", "version": 1, "parameters": {"hook": 77, "maxResults": 1}},
        {"id": 2, "module": "http:ActionSendDataBasicAuth", "version": 3, "parameters": {"key": 34, "handleErrors": true}, "mapper": {"url": "https://x.example"}},
        {"id": 3, "module": "http:ActionSendData", "version": 3, "parameters": {"connection": "mine"}, "mapper": {"url": "https://x.example"}},
        {"id": 4, "module": "http:MakeRequest", "version": 4, "parameters": {"authenticationType": "apiKey", "apiKeyKeychain": "5", "tlsType": "mTls", "mTlsKeychain": 6}, "mapper": {"url": "https://x.example"}},
        {"id": 5, "module": "datastore:GetRecord", "version": 1, "parameters": {"datastore": 9}, "mapper": {"key": "k"}}
    ]}"#;

    #[test]
    fn each_number_is_named_with_its_place() {
        let program = Program::compile(BLUEPRINT).expect("a flow");
        let brought: Vec<String> = program
            .brought()
            .iter()
            .map(|brought| format!("{} {} {}", brought.module, brought.setting, brought.imported))
            .collect();
        assert_eq!(
            brought,
            [
                "1 hook hook:77",
                "2 key key:34",
                "4 apiKeyKeychain key:5",
                "4 mTlsKeychain key:6",
                "5 datastore datastore:9"
            ]
        );
    }

    #[test]
    fn a_number_stands_for_one_of_our_hooks() {
        let plain = Program::compile(BLUEPRINT).expect("a flow");
        let hash = plain.hash.clone();
        let other = Program::compile(BLUEPRINT).expect("a flow").with_hooks(&[(78, "other".to_owned())].into());
        assert_eq!((&other.hash, other.hooks.len()), (&hash, 0));
        let mapped = plain.with_hooks(&[(77, "ours".to_owned())].into());
        assert_eq!(mapped.start, Start::Webhook { hook: Some("ours".into()), results_max: 1 });
        assert_ne!(mapped.hash, hash, "it is another version");
    }

    #[test]
    fn what_is_imported_has_a_kind_and_a_number() {
        for text in ["connection:12", "key:3", "hook:77", "datastore:5"] {
            assert_eq!(text.parse::<Imported>().expect("it is").to_string(), text);
        }
        for text in ["hook", "hook:", "hook:x", "pool:1", "hook:99999999999999999999"] {
            let error = text.parse::<Imported>().expect_err("it is not");
            assert_eq!(
                error.to_string(),
                format!("\"{text}\" is not connection:NUMBER, key:NUMBER, hook:NUMBER or datastore:NUMBER")
            );
        }
    }
}
