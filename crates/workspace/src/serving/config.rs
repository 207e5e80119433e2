//! What an endpoint serves: entities, and how calls are spread over them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::data_error::DataError;

/// A configuration of an endpoint, with its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// Counts the configurations of the endpoint, from 1.
    pub version: u64,
    /// What is served.
    pub entities: Vec<Entity>,
    /// The name of an entity, and its share of the calls in percent.
    pub routes: Vec<(String, u32)>,
}

/// Something that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its name within the endpoint.
    pub name: String,
    /// The version that its maker gave it.
    pub entity_version: Option<String>,
    /// Variables of the environment; values may refer to secrets.
    pub environment: Vec<(String, String)>,
    /// What it is.
    pub kind: EntityKind,
    /// What was said besides; given back as it came.
    pub kept: Map<String, Json>,
}

/// What an entity is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EntityKind {
    /// A function in a Python file of the workspace.
    Function {
        /// The file, as it was given.
        path: String,
        /// The function.
        function: String,
    },
    /// An HTTP address that is called with the body as it came.
    Upstream {
        /// The address.
        url: String,
        /// The model, as it was given.
        model: Json,
        /// A header with a secret: its name, and the text with a reference.
        header: Option<(String, String)>,
        /// The same, sealed, where it was given in the clear.
        sealed: Option<(String, String)>,
    },
}

/// A value that was given in the clear, and must be sealed before it is stored.
pub(crate) struct Plain {
    pub(crate) entity: usize,
    pub(crate) header: String,
    pub(crate) value: base::Secret,
}

/// Reads a configuration of the API.
pub(crate) fn read(config: &Json, version: u64) -> Result<(EndpointConfig, Vec<Plain>), DataError> {
    let Json::Object(fields) = config else { return Err(invalid("\"config\" must be an object")) };
    for name in fields.keys() {
        if !["served_entities", "served_models", "traffic_config", "name"].contains(&name.as_str())
            && !is_empty(&fields[name])
        {
            return Err(unsupported(format!("\"config.{name}\" is not there: leave it out")));
        }
    }
    let given = fields.get("served_entities").or_else(|| fields.get("served_models"));
    let Some(Json::Array(given)) = given.filter(|given| !is_empty(given)) else {
        return Err(invalid("\"config.served_entities\" names nothing that could be served"));
    };
    let (mut entities, mut plains) = (Vec::new(), Vec::new());
    for (place, one) in given.iter().enumerate() {
        let entity = entity_of(one, place, version, &mut plains)?;
        if entities.iter().any(|other: &Entity| other.name == entity.name) {
            return Err(invalid(format!("two served entities are called \"{}\"", entity.name)));
        }
        entities.push(entity);
    }
    let routes = routes_of(fields.get("traffic_config"), &entities)?;
    Ok((EndpointConfig { version, entities, routes }, plains))
}

fn entity_of(one: &Json, place: usize, version: u64, plains: &mut Vec<Plain>) -> Result<Entity, DataError> {
    let at = |field: &str| format!("config.served_entities[{place}].{field}");
    let Json::Object(fields) = one else { return Err(invalid(format!("{} must be an object", at("")))) };
    let text = |name: &str| fields.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let mut kept = Map::new();
    for (name, value) in fields {
        match name.as_str() {
            "name" | "entity_name" | "model_name" | "entity_version" | "model_version" | "external_model"
            | "environment_vars" => {}
            // One process answers, whatever its size; and none is ever cold.
            "workload_size" | "scale_to_zero_enabled" => {
                kept.insert(name.clone(), value.clone());
            }
            "workload_type" if value == "CPU" => {
                kept.insert(name.clone(), value.clone());
            }
            "workload_type" => {
                return Err(unsupported(format!(
                    "{} {value}: there is no GPU here, write \"CPU\"",
                    at("workload_type")
                )));
            }
            _ if is_empty(value) => {}
            _ => return Err(unsupported(format!("{} is not there: leave it out", at(name)))),
        }
    }
    let mut environment = Vec::new();
    if let Some(Json::Object(variables)) = fields.get("environment_vars") {
        for (name, value) in variables {
            let value = value.as_str().ok_or_else(|| invalid(format!("{} must hold texts", at("environment_vars"))))?;
            environment.push((name.clone(), value.to_owned()));
        }
    }
    let entity_version = text("entity_version").or(text("model_version")).map(str::to_owned);
    let usual = format!("entity-{place}-{}", entity_version.clone().unwrap_or_else(|| version.to_string()));
    let name = text("name").unwrap_or(&usual).to_owned();
    check_name("a served entity", &name)?;
    let kind =
        match (text("entity_name").or(text("model_name")), fields.get("external_model").filter(|one| !is_empty(one))) {
            (Some(_), Some(_)) => {
                return Err(invalid(format!("{} and external_model exclude each other", at("entity_name"))));
            }
            (Some(entity), None) => function_of(entity, &at("entity_name"))?,
            (None, Some(model)) => upstream_of(model, place, &at("external_model"), plains)?,
            (None, None) => return Err(invalid(format!("{} or external_model is missing", at("entity_name")))),
        };
    Ok(Entity { name, entity_version, environment, kind, kept })
}

fn function_of(entity: &str, at: &str) -> Result<EntityKind, DataError> {
    let function = entity.starts_with('/').then(|| entity.rsplit_once(':')).flatten();
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|letter: char| letter.is_ascii_digit())
            && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    match function {
        Some((path, function)) if is_name(function) => {
            Ok(EntityKind::Function { path: path.to_owned(), function: function.to_owned() })
        }
        _ => Err(unsupported(format!(
            "{at} \"{entity}\": registered and foundation models are not there; name a Python function of a workspace \
             file, \"/Shared/score.py:predict\""
        ))),
    }
}

fn upstream_of(model: &Json, place: usize, at: &str, plains: &mut Vec<Plain>) -> Result<EntityKind, DataError> {
    if model["provider"] != "custom" {
        return Err(unsupported(format!(
            "{at}.provider {}: only \"custom\" is there, with custom_provider_config.custom_provider_url",
            model["provider"]
        )));
    }
    let config = &model["custom_provider_config"];
    let url = config["custom_provider_url"].as_str().unwrap_or_default();
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(invalid(format!(
            "{at}.custom_provider_config.custom_provider_url must be an http or https address"
        )));
    }
    let bearer = &config["bearer_token_auth"];
    let key = &config["api_key_auth"];
    let (name, prefix, reference, clear) = match (bearer.is_object(), key.is_object()) {
        (true, true) => return Err(invalid(format!("{at}: bearer_token_auth and api_key_auth exclude each other"))),
        (true, false) => ("authorization".to_owned(), "Bearer ", &bearer["token"], &bearer["token_plaintext"]),
        (false, true) => (
            key["key"].as_str().unwrap_or("x-api-key").to_ascii_lowercase(),
            "",
            &key["value"],
            &key["value_plaintext"],
        ),
        (false, false) => (String::new(), "", &Json::Null, &Json::Null),
    };
    let mut header = None;
    match (reference.as_str(), clear.as_str()) {
        (Some(reference), None) => header = Some((name, format!("{prefix}{reference}"))),
        (None, Some(clear)) => {
            plains.push(Plain { entity: place, header: name, value: base::Secret::new(format!("{prefix}{clear}")) });
        }
        (None, None) if name.is_empty() => {}
        _ => return Err(invalid(format!("{at}: exactly one of the secret and its plaintext must be given"))),
    }
    let model = json!({
        "name": model["name"], "provider": "custom", "task": model["task"],
        "custom_provider_config": { "custom_provider_url": url },
    });
    Ok(EntityKind::Upstream { url: url.to_owned(), model, header, sealed: None })
}

fn routes_of(traffic: Option<&Json>, entities: &[Entity]) -> Result<Vec<(String, u32)>, DataError> {
    let given = traffic.and_then(|traffic| traffic["routes"].as_array()).filter(|routes| !routes.is_empty());
    let Some(given) = given else {
        return match entities {
            [only] => Ok(vec![(only.name.clone(), 100)]),
            _ => Err(invalid("\"config.traffic_config.routes\" must say how calls are spread over several entities")),
        };
    };
    let mut routes = Vec::new();
    for route in given {
        let name = route["served_entity_name"].as_str().or(route["served_model_name"].as_str()).unwrap_or_default();
        if !entities.iter().any(|entity| entity.name == name) {
            return Err(invalid(format!("a route leads to \"{name}\", which is no served entity")));
        }
        let share = route["traffic_percentage"].as_u64().filter(|share| *share <= 100);
        let share = share.ok_or_else(|| invalid("\"traffic_percentage\" must be a whole number from 0 to 100"))?;
        routes.push((name.to_owned(), share as u32));
    }
    let sum: u32 = routes.iter().map(|(_, share)| share).sum();
    if sum != 100 {
        return Err(invalid(format!("the routes take {sum} percent of the calls: they must sum up to 100")));
    }
    Ok(routes)
}

impl EndpointConfig {
    /// Chooses the entity of a call; `fraction` is a number from 0 to 1.
    pub(crate) fn choose(&self, fraction: f64) -> usize {
        let mut rest = fraction * 100.0;
        let mut chosen = 0;
        for (name, share) in self.routes.iter().filter(|(_, share)| *share > 0) {
            chosen = self.entities.iter().position(|entity| entity.name == *name).unwrap_or(0);
            rest -= f64::from(*share);
            if rest < 0.0 {
                break;
            }
        }
        chosen
    }
}

/// Refuses what cannot name an endpoint or an entity.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), DataError> {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > 63 || !name.chars().all(is_fine) || name.starts_with('.') {
        return Err(invalid(format!("\"{name}\" cannot name {what}: 1 to 63 letters, digits, \"-\", \"_\" and \".\"")));
    }
    Ok(())
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::String(text) => text.is_empty(),
        _ => false,
    }
}

fn invalid(detail: impl Into<String>) -> DataError {
    DataError::Invalid(detail.into())
}

fn unsupported(detail: String) -> DataError {
    DataError::Unsupported(detail)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(config: Json, expected: Expect) {
        let shown = match read(&config, 3) {
            Ok((config, _)) => config
                .entities
                .iter()
                .map(|entity| format!("{} {:?}\n", entity.name, entity.kind))
                .chain([format!("{:?}", config.routes)])
                .collect(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn what_is_served_is_said_in_the_words_of_the_api() {
        check(
            json!({ "served_entities": [{ "entity_name": "/Shared/score.py:predict", "scale_to_zero_enabled": true, "workload_size": "Small" }] }),
            expect![[r#"
                entity-0-3 Function { path: "/Shared/score.py", function: "predict" }
                [("entity-0-3", 100)]"#]],
        );
        check(
            json!({
                "served_entities": [
                    { "name": "a", "entity_name": "/a.py:f" },
                    { "name": "b", "external_model": { "name": "m", "provider": "custom", "task": "llm/v1/chat",
                        "custom_provider_config": { "custom_provider_url": "http://127.0.0.1:1/v1",
                            "bearer_token_auth": { "token": "{{secrets/s/k}}" } } } },
                ],
                "traffic_config": { "routes": [
                    { "served_model_name": "a", "traffic_percentage": 90 },
                    { "served_entity_name": "b", "traffic_percentage": 10 },
                ] },
            }),
            expect![[r#"
                a Function { path: "/a.py", function: "f" }
                b Upstream { url: "http://127.0.0.1:1/v1", model: Object {"name": String("m"), "provider": String("custom"), "task": String("llm/v1/chat"), "custom_provider_config": Object {"custom_provider_url": String("http://127.0.0.1:1/v1")}}, header: Some(("authorization", "Bearer {{secrets/s/k}}")), sealed: None }
                [("a", 90), ("b", 10)]"#]],
        );
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let one = |entity: Json| json!({ "served_entities": [entity] });
        check(json!({}), expect![[r#""config.served_entities" names nothing that could be served"#]]);
        check(
            one(json!({ "entity_name": "main.models.risk", "entity_version": "1" })),
            expect![[
                r#"config.served_entities[0].entity_name "main.models.risk": registered and foundation models are not there; name a Python function of a workspace file, "/Shared/score.py:predict""#
            ]],
        );
        check(
            one(json!({ "entity_name": "/a.py:f", "workload_type": "GPU_SMALL" })),
            expect![[r#"config.served_entities[0].workload_type "GPU_SMALL": there is no GPU here, write "CPU""#]],
        );
        check(
            one(json!({ "entity_name": "/a.py:f", "instance_profile_arn": "x" })),
            expect!["config.served_entities[0].instance_profile_arn is not there: leave it out"],
        );
        check(
            json!({ "served_entities": [{ "entity_name": "/a.py:f" }], "auto_capture_config": { "enabled": true } }),
            expect![[r#""config.auto_capture_config" is not there: leave it out"#]],
        );
        check(
            json!({ "served_entities": [{ "name": "a", "entity_name": "/a.py:f" }], "traffic_config": { "routes": [{ "served_model_name": "a", "traffic_percentage": 90 }] } }),
            expect!["the routes take 90 percent of the calls: they must sum up to 100"],
        );
    }

    #[test]
    fn calls_are_spread_by_shares() {
        let config = json!({
            "served_entities": [{ "name": "a", "entity_name": "/a.py:f" }, { "name": "b", "entity_name": "/a.py:g" }],
            "traffic_config": { "routes": [
                { "served_model_name": "a", "traffic_percentage": 0 }, { "served_model_name": "b", "traffic_percentage": 100 },
            ] },
        });
        let (config, _) = read(&config, 1).expect("a good one");
        assert_eq!([0.0, 0.5, 0.999].map(|fraction| config.choose(fraction)), [1, 1, 1]);
        let config = EndpointConfig { routes: vec![("a".into(), 25), ("b".into(), 75)], ..config };
        assert_eq!([0.0, 0.2, 0.3, 0.999].map(|fraction| config.choose(fraction)), [0, 0, 1, 1]);
    }
}
