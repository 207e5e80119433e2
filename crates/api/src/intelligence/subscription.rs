//! What a subscription looks like on the wire: the request, the list's item,
//! and what describes them in the document.

use std::collections::{BTreeMap, BTreeSet};

use base::{Secret, Timestamp};
use events::{LastSuccess, Listed, NewSubscription, Offset, OnError, Sink, SubscriptionId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{Object as ObjectSchema, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::event::CallbackBody;
use super::page;
use crate::body::{Object, Whole};

/// The fields by which the list can be sorted.
const SORT_FIELDS: [&str; 11] = [
    "id",
    "name",
    "knowledgeModelId",
    "triggerId",
    "ownerName",
    "status",
    "creationDate",
    "latestSucceedEvent",
    "offset",
    "lastSuccessEventOffset",
    "latestSucceedOffset",
];

/// What a subscription is to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "late orders, to the warehouse",
    "callbackInfo": {
        "uri": "https://warehouse.example.com/events",
        "protocol": "HTTPS",
        "headers": { "Authorization": "Bearer of-the-receiver" }
    },
    "configurations": []
})))]
pub(super) struct SubscriptionRequest {
    /// What its owner calls it: not blank, without zero characters.
    #[schema(min_length = 1, max_length = 1024, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    name: String,
    #[schema(value_type = CallbackRequest)]
    callback_info: Object<CallbackRequest>,
    /// What is different from the usual.
    #[serde(default, deserialize_with = "each_once")]
    configurations: Option<BTreeSet<Configuration>>,
}

/// Where the events go.
#[derive(Deserialize, ToSchema)]
struct CallbackRequest {
    /// An absolute address that begins with `https`, without credentials. (A
    /// server may be set to take `http`, for people who develop a receiver.)
    #[schema(min_length = 1, max_length = 1024, format = "uri")]
    uri: String,
    #[expect(dead_code, reason = "reading it is the check: there is only one")]
    protocol: Protocol,
    /// Sent with every call, and never told again; 8192 bytes in all.
    #[schema(schema_with = headers_schema)]
    headers: Option<BTreeMap<String, Option<String>>>,
}

/// How the callback is called.
#[derive(Serialize, Deserialize, ToSchema)]
enum Protocol {
    #[serde(rename = "HTTPS")]
    Https,
}

/// A way to be different from the usual.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
enum Configuration {
    /// An event that cannot be delivered is passed over, on record.
    #[serde(rename = "SKIP_ERRORS")]
    SkipErrors,
}

/// A subscription. Its headers are never told.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    #[schema(value_type = String, format = "uuid")]
    id: SubscriptionId,
    /// What its owner calls it.
    name: String,
    /// The knowledge model, `package.key`.
    knowledge_model_id: String,
    /// The trigger's id in it.
    trigger_id: String,
    /// Who made it.
    owner_name: String,
    /// `active`, `failed`, `suspended`, `paused` or `rejected`.
    #[schema(pattern = "^(active|failed|suspended|paused|rejected)$", examples("active"))]
    status: &'static str,
    /// What is different from the usual.
    configurations: Vec<Configuration>,
    /// When the last event was delivered.
    #[schema(value_type = Option<String>, format = DateTime)]
    latest_succeed_event: Option<Timestamp>,
    /// The last event that was delivered; 0 before the first.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The same.
    #[schema(value_type = u64)]
    last_success_event_offset: Offset,
    /// The same, by the name that the API's prose has for it.
    #[schema(value_type = u64)]
    latest_succeed_offset: Offset,
    #[schema(value_type = String, format = DateTime)]
    creation_date: Timestamp,
    callback_info: CallbackShown,
}

/// Where the events go, as far as it is told.
#[derive(Serialize, ToSchema)]
struct CallbackShown {
    uri: String,
    protocol: Protocol,
}

/// The id of a new subscription.
#[derive(Serialize, ToSchema)]
pub(super) struct Created {
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: SubscriptionId,
}

/// Events that were taken out by hand, as the callback would have had them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extracted {
    /// So many at most.
    pub(super) page_size: usize,
    #[schema(value_type = Vec<CallbackBody>)]
    pub(super) content: Vec<Box<RawValue>>,
}

/// Where a replay begins.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ReplayAsked {
    /// The first event to be delivered again; 0, or nothing, means as early as
    /// possible.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub(super) from_offset: Option<Whole>,
}

/// For the document: which subscription.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what the path is matched with")]
pub(super) struct Which {
    /// The subscription's id.
    #[param(value_type = String, format = "uuid")]
    subscription: SubscriptionId,
}

/// For the document: the orders of the list.
pub(super) struct Order;

impl IntoParams for Order {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![page::sort_parameter(&SORT_FIELDS)]
    }
}

/// For the document: which headers may be set. What is refused beyond it is a
/// name that stands there twice, in different case.
fn headers_schema() -> ObjectSchema {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^(Authorization|Content-Type|User-Agent|Host|Accept|[Xx]-[A-Za-z0-9-]*)$"));
    let value = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$"));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .property_names(Some(name.build()))
        .additional_properties(Some(AdditionalProperties::RefOr(value.build().into())))
        .build()
}

/// Reads a list in which nothing stands twice.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeSet<Configuration>>, D::Error> {
    let Some(given) = Option::<Vec<Configuration>>::deserialize(deserializer)? else { return Ok(None) };
    let count = given.len();
    let once: BTreeSet<Configuration> = given.into_iter().collect();
    if once.len() < count {
        return Err(serde::de::Error::custom("an entry stands there twice"));
    }
    Ok(Some(once))
}

impl From<SubscriptionRequest> for NewSubscription {
    fn from(request: SubscriptionRequest) -> Self {
        let Object(callback) = request.callback_info;
        let headers = callback.headers.unwrap_or_default();
        let configurations = request.configurations.unwrap_or_default();
        NewSubscription {
            name: request.name,
            uri: callback.uri,
            headers: headers.into_iter().map(|(name, value)| (name, Secret::new(value.unwrap_or_default()))).collect(),
            skip_errors: configurations.contains(&Configuration::SkipErrors),
        }
    }
}

impl From<Listed> for Subscription {
    fn from(listed: Listed) -> Self {
        let subscription = listed.subscription;
        let (offset, latest) = match subscription.standing.last_success {
            LastSuccess::None => (Offset::START, None),
            LastSuccess::Event { offset, at } => (offset, Some(at)),
        };
        let configurations = match subscription.policy.on_error {
            OnError::Skip => vec![Configuration::SkipErrors],
            OnError::Keep => Vec::new(),
        };
        let uri = match subscription.sink {
            Sink::Https { uri } => uri,
            Sink::Local { hook } => format!("loopwright://hook/{hook}"),
        };
        Subscription {
            id: subscription.id,
            name: subscription.name,
            knowledge_model_id: subscription.trigger.knowledge_model,
            trigger_id: subscription.trigger.trigger,
            owner_name: subscription.owner.name,
            status: subscription.standing.state.word(),
            configurations,
            latest_succeed_event: latest,
            offset,
            last_success_event_offset: offset,
            latest_succeed_offset: offset,
            creation_date: subscription.created_at,
            callback_info: CallbackShown { uri, protocol: Protocol::Https },
        }
    }
}

#[cfg(test)]
mod tests {
    use events::Sort;

    use super::*;

    #[test]
    fn every_field_that_the_document_names_can_be_sorted_by() {
        for field in SORT_FIELDS {
            assert!(Sort::parse(field).is_ok(), "{field}");
            assert!(Sort::parse(&format!("-{}", field.to_uppercase())).is_ok(), "{field}");
        }
    }
}
