//! The OpenAPI document of our own interface and of the Intelligence API.
//!
//! What concerns subscriptions describes itself to the last bound: types where
//! they are defined, operations where they are handled. All other operations are
//! told in the tables of routes. Here the parts are put together, with what no
//! single operation can say: how one signs in, and what a callback receives.
//! Tests hold the document against the routers, and against the copy under
//! `docs/reference`.

use std::sync::LazyLock;

use axum::Json;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, ObjectBuilder, OneOfBuilder, OpenApi as Text, Paths, Ref, Required, ResponseBuilder, Type,
};
use utoipa::{IntoResponses, OpenApi};

use crate::{intelligence, own, problem};

/// For the document: what stands above all operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loopwright",
        description = "From process data to action: pools and their rows, knowledge models and their triggers, \
                       exploration, subscriptions and deliveries, flows. Below `/intelligence/api` lies the interface \
                       that clients of Celonis know, below `/api/v1` what it has no word for.",
        version = "1",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "triggers", description = "What can be subscribed to, and what they fired."),
        (name = "subscriptions", description = "Standing requests to receive the events of a trigger."),
        (name = "delivery", description = "How patient a subscription is, and what became of its events."),
        (name = "intelligence", description = "Knowledge models and their data, as clients of Celonis read them."),
        (name = "pools", description = "Pools, their tables, and how rows come into them."),
        (name = "imports", description = "Files that are looked at before they become rows."),
        (name = "sql", description = "Questions over the tables of a pool."),
        (name = "data jobs", description = "Tables that are made of tables."),
        (name = "data models", description = "Which tables belong together, and which one tells the story of a case."),
        (name = "sources", description = "Where rows are fetched from."),
        (name = "knowledge models", description = "Names for questions: drafts, versions, queries, the process clock."),
        (name = "model triggers", description = "How triggers stand, what they hold, why they fire and would have fired."),
        (name = "exploration", description = "What the process looks like."),
        (name = "flows", description = "Action flows, their connections and runs."),
        (name = "house", description = "Keys, permissions, the audit trail, the status."),
        (name = "document", description = "This document."),
    ),
    security(("bearer" = []), ("app-key" = []))
)]
struct Frame;

static DOCUMENT: LazyLock<Text> = LazyLock::new(|| {
    let mut document = Frame::openapi();
    document.merge(problem::Document::openapi());
    document.merge(intelligence::Document::openapi());
    document.merge(own::Document::openapi());
    document.webhooks = Some(webhooks());
    own::surface().write_into(&mut document, own::PREFIX, &problem::Problems::responses());
    own::uploads().write_into(&mut document, own::PREFIX, &problem::Problems::responses());
    intelligence::reads().write_into(&mut document, intelligence::PREFIX, &intelligence::Problems::responses());
    let components = document.components.get_or_insert_with(Components::new);
    for (_, name, response) in problem::Problems::described().into_iter().chain(intelligence::Problems::described()) {
        components.responses.insert(name.to_owned(), response.into());
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An app key, the Base64 text of `id:secret`."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let app_key = ApiKeyValue::with_description(
        "Authorization",
        "`AppKey` and a space in front of an app key, the Base64 text of `id:secret`.",
    );
    components.add_security_scheme("app-key", SecurityScheme::ApiKey(ApiKey::Header(app_key)));
    document
});

/// Returns this document.
///
/// It takes no key: it tells nothing that the source does not tell.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "showDocument",
    tag = "document",
    security(()),
    responses((status = 200, description = "This document.", body = Object))
)]
pub(crate) async fn show() -> Json<&'static Text> {
    Json(&DOCUMENT)
}

/// What we call: a description of the receiver.
fn webhooks() -> Paths {
    let always = |name: &str, kind: Type, description: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(kind)))
            .build()
    };
    let event = Ref::from_schema_name("Event");
    let batch = ArrayBuilder::new()
        .items(event.clone())
        .min_items(Some(1))
        .max_items(Some(100))
        .description(Some("Only where `batchEventsMax` is more than 1."));
    let body = OneOfBuilder::new().item(event).item(batch);
    let post = OperationBuilder::new()
        .operation_id(Some("consumeEvents"))
        .summary(Some("An event, or a batch of them, is handed to a callback."))
        .description(Some(
            "Calls of one subscription come one at a time and in order, each at least once: the same event has the \
             same `webhook-id` and the same bytes whenever it comes again. The headers of the subscription's callback \
             are sent along.",
        ))
        .parameter(always(
            "webhook-id",
            Type::String,
            "The event's id; of a batch that of its first event, `+`, and how many they are.",
        ))
        .parameter(always("webhook-timestamp", Type::Integer, "When this call was made, in seconds since 1970."))
        .parameter(always(
            "webhook-signature",
            Type::String,
            "`v1,` and the Base64 text of the HMAC-SHA256 over `{id}.{timestamp}.{body}`; several with spaces between \
             them while a secret is being replaced.",
        ))
        .parameter(always("loopwright-subscription", Type::String, "The subscription's id."))
        .parameter(always(
            "loopwright-offset",
            Type::String,
            "The event's place in its trigger's log; of a batch `first-last`.",
        ))
        .parameter(always("loopwright-attempt", Type::Integer, "1 for the first attempt."))
        .parameter(always("loopwright-replay", Type::Boolean, "Whether the subscription has seen the event before."))
        .request_body(Some(
            RequestBodyBuilder::new()
                .content("application/json", Content::new(Some(body)))
                .required(Some(Required::True))
                .build(),
        ))
        .response("2XX", ResponseBuilder::new().description("The receiver has it, and the next one may come."))
        .response("429", ResponseBuilder::new().description("Not now; `Retry-After` is obeyed."))
        .response("503", ResponseBuilder::new().description("Not now; `Retry-After` is obeyed."))
        .response("default", ResponseBuilder::new().description("The receiver does not have it; it comes again."))
        .build();
    PathsBuilder::new().path("event", PathItem::new(HttpMethod::Post, post)).build()
}

#[cfg(test)]
pub(crate) fn document() -> serde_json::Value {
    serde_json::to_value(&*DOCUMENT).expect("a document has text keys and finite numbers only")
}
