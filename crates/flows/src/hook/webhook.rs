//! A hook with an address of its own.

use std::net::IpAddr;

use base::{AddressRange, Causes, Secret, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::callers::Ticket;
use crate::feedback;
use crate::structure::Structure;
use crate::value::Value;

/// Returns the name of the queue in which the requests to a webhook wait.
pub fn queue_of(name: &str) -> String {
    format!("hook.{name}")
}

/// What becomes of data that does not fit the structure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// The caller is told what does not fit.
    #[default]
    Refuse,
    /// The caller is told that it was accepted, and it is dropped.
    Ignore,
}

/// What the data of a webhook must be made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// What the stored structure of this name says at the time.
    Named(String),
    /// What stands here.
    Written(Structure),
}

impl Expected {
    /// Reads the name of a structure, or the structure itself.
    pub fn read(document: &Json) -> Result<Self, String> {
        match document {
            Json::String(name) => Ok(Expected::Named(name.clone())),
            written => Ok(Expected::Written(Structure::read(written)?)),
        }
    }

    /// Writes what [`Expected::read`] reads.
    pub fn to_json(&self) -> Json {
        match self {
            Expected::Named(name) => name.clone().into(),
            Expected::Written(structure) => structure.to_json(),
        }
    }

    /// Returns the name of a stored structure.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Expected::Named(name) => Some(name),
            Expected::Written(_) => None,
        }
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Expected::read(&Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a person sets of a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HookSettings {
    /// What people call it.
    pub label: String,
    /// Requests are taken.
    pub enabled: bool,
    /// From where requests may come; empty for everywhere.
    pub addresses: Vec<AddressRange>,
    /// The headers are part of the data.
    pub with_headers: bool,
    /// The method is part of the data.
    pub with_method: bool,
    /// JSON is not read: its text is the data.
    pub passes_through: bool,
    /// What data must be made of, if that matters.
    pub structure: Option<Expected>,
    /// What becomes of data that is not.
    pub on_mismatch: OnMismatch,
    /// Numbers under which flows that were drawn elsewhere name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imported_ids: Vec<u64>,
}

impl Default for HookSettings {
    fn default() -> Self {
        HookSettings {
            label: String::new(),
            enabled: true,
            addresses: Vec::new(),
            with_headers: false,
            with_method: false,
            passes_through: false,
            structure: None,
            on_mismatch: OnMismatch::default(),
            imported_ids: Vec::new(),
        }
    }
}

/// How far a hook is with finding out what its data is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Learning {
    /// Nobody asked.
    Never,
    /// The next request shall tell.
    Listening {
        /// Since when.
        since: Timestamp,
    },
    /// A request has told.
    Determined {
        /// When.
        at: Timestamp,
        /// What it had.
        items: Structure,
    },
}

/// A webhook in a list. Its address is not here: whoever knows that can bring
/// data.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookInfo {
    /// What flows call it.
    pub name: String,
    /// What was set.
    pub settings: HookSettings,
    /// Key of the flow that takes from it, if one does.
    pub flow: Option<String>,
    /// How far it is with learning.
    pub learning: Learning,
    /// Requests that wait.
    pub waiting: u64,
    /// Bytes of their data.
    pub waiting_bytes: u64,
    /// Requests whose data did not fit, and whose callers were told so.
    pub refused: u64,
    /// Requests whose data did not fit and was dropped.
    pub ignored: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// A webhook with its address.
#[derive(Clone)]
pub struct WebhookDetails {
    /// As in a list.
    pub info: WebhookInfo,
    /// The secret part of its address.
    pub token: Secret,
}

/// A webhook as the door needs it: found by its address, and open to the
/// caller.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub(crate) name: String,
    pub(crate) settings: HookSettings,
    /// What data must be made of.
    pub(crate) structure: Option<Structure>,
    /// The next request shall tell what its data is made of.
    pub(crate) is_listening: bool,
    /// An active flow takes from it.
    pub(crate) is_taken: bool,
    /// That flow starts at once, and answers.
    pub(crate) responds: bool,
    /// What comes is only a hint for this flow, which asks a workspace whether
    /// it is true.
    pub(crate) hints: Option<String>,
}

impl Webhook {
    /// Tells whether JSON is not to be read.
    pub fn passes_through(&self) -> bool {
        self.settings.passes_through
    }
}

/// A request to a webhook, read.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What it holds.
    pub data: Value,
    /// GET, POST …
    pub method: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The caller's name for it: the same one is stored once.
    pub key: Option<String>,
    /// What led to it.
    pub causes: Causes,
}

/// What a flow answers the request that started its run.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// From 100 on.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// A text, bytes, or what is to be written as JSON.
    pub body: Value,
}

/// What the caller of a webhook is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is stored, or there was no need to.
    Accepted,
    /// The flow has answered.
    Response(Response),
    /// The run ended without an answer: it failed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What became of a request.
pub enum Brought {
    /// It is stored, or there was no need to; nobody will say more.
    Accepted,
    /// It is stored, and its flow will answer.
    Waits(Ticket),
}

impl Brought {
    /// Waits for what the caller is to be told, as long as callers wait.
    pub async fn answer(self) -> Answer {
        match self {
            Brought::Accepted => Answer::Accepted,
            Brought::Waits(ticket) => ticket.answer().await,
        }
    }
}

/// Items of the data that are about the request itself.
const HEADERS_ITEM: &str = "__IMTHEADERS__";
const METHOD_ITEM: &str = "__IMTMETHOD__";

impl Arrival {
    /// Returns the data of a bundle, after `settings`: what was sent, and what
    /// is to be said of the request itself.
    pub(crate) fn bundle(&self, data: Value, settings: &HookSettings) -> Value {
        let mut bundle = match data {
            Value::Collection(fields) => (*fields).clone(),
            other => [("value".to_owned(), other)].into_iter().collect(),
        };
        if settings.with_headers {
            let header = |(name, value): &(String, String)| {
                Value::collection([("name", Value::text(name)), ("value", Value::text(value))])
            };
            // What proves that we sent it is nobody's data.
            let headers = self.headers.iter().filter(|(name, _)| name.as_str() != feedback::SEAL_HEADER.as_str());
            bundle.insert(HEADERS_ITEM.into(), Value::array(headers.map(header).collect()));
        }
        if settings.with_method {
            bundle.insert(METHOD_ITEM.into(), Value::text(&self.method));
        }
        Value::Collection(bundle.into())
    }
}

/// Tells whether a caller may come from an address. Nothing is known of the
/// address where a door has none; then only an open hook is open.
pub(crate) fn is_open_to(addresses: &[AddressRange], from: Option<IpAddr>) -> bool {
    addresses.is_empty() || from.is_some_and(|from| addresses.iter().any(|range| range.contains(from)))
}
