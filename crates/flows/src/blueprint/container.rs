//! What a blueprint comes in.
//!
//! The same document lies in a file by itself, in what the API of the original
//! answers and is sent (there twice written as JSON), in what its editor puts
//! on the clipboard, in a template, and in the archive of a package. Here it is
//! taken out, with every key that nobody knows, in its order.

use serde_json::{Map, Value as Json, json};

use super::archive;

/// Where the document lies in a container, the innermost first.
const PLACES: [&str; 5] =
    ["/response/blueprint", "/blueprint", "/template/blueprint", "/templatePublic/blueprint", "/scenario/blueprint"];

/// Says how the texts of a package's archive are called.
const SCENARIO: &str = "-scenario-";
/// What describes the texts of a package's archive.
const METADATA: &str = "metadata.json";

/// A flow out of an upload.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// Name of its file in the archive; nothing where the upload is the flow.
    pub file: Option<String>,
    /// Its text, as it came.
    pub text: String,
}

/// What an upload carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Its flows.
    pub flows: Vec<Carried>,
    /// `metadata.json` of a package's archive, else null.
    pub metadata: Json,
}

impl Upload {
    /// Reads an upload: the archive of a package, or the text of one flow in
    /// any container. The error is a sentence for its sender.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if !archive::is_archive(bytes) {
            let text = text_of(bytes)?;
            return Ok(Upload { flows: vec![Carried { file: None, text }], metadata: Json::Null });
        }
        let mut upload = Upload { flows: Vec::new(), metadata: Json::Null };
        for entry in archive::read(bytes)? {
            let name = entry.name.rsplit('/').next().unwrap_or_default();
            if name == METADATA {
                let text = text_of(&entry.bytes)?;
                let text = text.trim_start_matches('\u{feff}');
                upload.metadata = serde_json::from_str(text).map_err(|error| format!("{METADATA}: {error}"))?;
            } else if name.contains(SCENARIO) && name.to_ascii_lowercase().ends_with(".json") {
                upload.flows.push(Carried { file: Some(name.to_owned()), text: text_of(&entry.bytes)? });
            }
        }
        if upload.flows.is_empty() {
            return Err("the archive holds no flow: a file DATE-scenario-ID.json is one".into());
        }
        Ok(upload)
    }
}

fn text_of(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| format!("it is not UTF-8: {error}"))
}

/// Reads a text as it is, and takes the document out of whatever it lies in.
/// It is JSON if it begins with a brace, else YAML.
pub fn document(text: &str) -> Result<Json, String> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with('{') {
        return super::yaml(text);
    }
    unpack(serde_json::from_str(text).map_err(|error| error.to_string())?)
}

/// Tells whether a text is a blueprint in JSON, and not YAML.
pub fn is_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// Takes the document out of what it lies in.
pub(super) fn unpack(outside: Json) -> Result<Json, String> {
    if outside.get("flow").is_some() {
        return Ok(outside);
    }
    if outside.get("subflows").is_some() {
        return from_clipboard(outside);
    }
    let Some(place) = PLACES.iter().find(|place| outside.pointer(place).is_some()) else { return Ok(outside) };
    let inside = twice_written(outside.pointer(place).unwrap_or(&Json::Null), "blueprint")?;
    let beside = place.rsplit_once('/').and_then(|(above, _)| outside.pointer(above)).unwrap_or(&Json::Null);
    let Json::Object(mut inside) = inside else { return Err("\"blueprint\" is not an object".into()) };
    // When it runs stands beside it, and is part of the flow here.
    let has = |inside: &Map<String, Json>, key: &str| inside.get(key).is_some_and(|value| !value.is_null());
    if !has(&inside, "scheduling") {
        let scheduling = twice_written(beside.get("scheduling").unwrap_or(&Json::Null), "scheduling")?;
        if !scheduling.is_null() {
            inside.insert("scheduling".into(), scheduling);
        }
    }
    if !has(&inside, "name")
        && let Some(name) = beside.get("name").filter(|name| name.is_string())
    {
        inside.insert("name".into(), name.clone());
    }
    Ok(Json::Object(inside))
}

/// Reads what may be JSON in a text of JSON.
fn twice_written(value: &Json, what: &str) -> Result<Json, String> {
    match value {
        Json::String(text) if text.trim().is_empty() => Ok(Json::Null),
        Json::String(text) => serde_json::from_str(text).map_err(|error| format!("{what}: {error}")),
        other => Ok(other.clone()),
    }
}

/// Makes a flow of copied modules: the first of the connected pieces is the
/// flow, the others lie beside it.
fn from_clipboard(outside: Json) -> Result<Json, String> {
    let Json::Object(mut document) = outside else { return Err("it is not an object".into()) };
    let Some(Json::Array(pieces)) = document.shift_remove("subflows") else {
        return Err("\"subflows\" is not a list".into());
    };
    let mut pieces = pieces.into_iter().map(|mut piece| piece["flow"].take());
    let first = pieces.next().ok_or("\"subflows\" is empty: no module was copied")?;
    let others: Vec<Json> = pieces.filter(|flow| flow.as_array().is_some_and(|flow| !flow.is_empty())).collect();
    document.insert("flow".into(), first);
    if !others.is_empty() {
        let metadata = document.entry("metadata").or_insert_with(|| json!({}));
        metadata["designer"]["orphans"] = Json::Array(others);
    }
    Ok(Json::Object(document))
}
