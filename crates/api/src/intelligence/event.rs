//! What a callback receives, for the document. The bytes themselves are
//! written once, by the engine; a test reads them back as these types.

use base::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The body of the call that hands an event to a subscription.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Event)]
#[expect(dead_code, reason = "it describes, and is read by a test as a whole")]
pub(crate) struct CallbackBody {
    /// The id of the subscription. (Where somebody looks on without one, the
    /// name that was given.)
    #[schema(examples("01977a4e-5b1c-7c3a-9d0e-6f2b8a41c7d5"))]
    subscriber_id: String,
    /// The trigger that fired.
    #[schema(examples("LATE_ORDERS"))]
    trigger_id: String,
    /// The event's position in the log of its trigger, counted from 1.
    #[schema(minimum = 1, examples(17))]
    offset: u64,
    /// When the condition became true.
    #[schema(value_type = String, format = DateTime)]
    creation_date: Timestamp,
    event: Inner,
}

/// What happened, and to which record.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EventDocument)]
#[expect(dead_code, reason = "it describes, and is read by a test as a whole")]
struct Inner {
    /// The event's id, the same as in the header `webhook-id`.
    #[schema(format = "uuid")]
    id: String,
    /// The record's business key as text.
    #[schema(examples("4711"))]
    identifier: String,
    /// The same key in its own type.
    #[schema(examples(4711))]
    typed_identifier: Value,
    /// What the record looked like.
    fields: Vec<Field>,
}

/// A value that the record had when the trigger fired.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EventField)]
#[expect(dead_code, reason = "it describes, and is read by a test as a whole")]
struct Field {
    /// The attribute's id in the knowledge model.
    #[schema(examples("ORDER_ID"))]
    id: String,
    /// Its value.
    #[schema(examples(4711))]
    value: Value,
    /// What the value is.
    #[serde(rename = "type")]
    #[schema(examples("DATE", "STRING", "FLOAT", "INT"))]
    kind: String,
    /// Whether the attribute identifies the record.
    is_identifier: bool,
}
