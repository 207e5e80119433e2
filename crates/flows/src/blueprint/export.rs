//! A flow as it is handed on: as a blueprint in JSON, or in YAML for a folder
//! under version control.
//!
//! Nothing is lost and nothing is added, but for one key: the same structure
//! has other defaults in YAML than in a blueprint, so whoever changes the form
//! says in `manners` whose defaults hold. It goes away on the way back.

use serde_json::{Value as Json, json};

use super::Manners;
use super::container::{document, is_json};

/// The key that says whose defaults hold.
const MANNERS: &str = "manners";

/// What a flow is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A blueprint.
    Json,
    /// A file for people and for git.
    Yaml,
}

/// Writes a flow in a format; the error says why its text cannot be read.
pub fn export(text: &str, format: Format) -> Result<String, String> {
    let was = if is_json(text) { Format::Json } else { Format::Yaml };
    let document = with_manners(document(text)?, was, format);
    write(&document, format)
}

/// Writes a document in a format.
pub fn write(document: &Json, format: Format) -> Result<String, String> {
    match format {
        Format::Json => {
            serde_json::to_string_pretty(document).map(|text| text + "\n").map_err(|error| error.to_string())
        }
        Format::Yaml => serde_saphyr::to_string(document).map_err(|error| error.to_string()),
    }
}

/// Whose manners hold in a format where nothing is said.
fn usual(format: Format) -> &'static str {
    match format {
        Format::Json => Manners::Origin.word(),
        Format::Yaml => Manners::Ours.word(),
    }
}

fn with_manners(mut document: Json, was: Format, becomes: Format) -> Json {
    let Some(fields) = document.as_object_mut().filter(|_| was != becomes) else { return document };
    match fields.get(MANNERS).and_then(Json::as_str) {
        Some(said) if said == usual(becomes) => {
            fields.shift_remove(MANNERS);
        }
        Some(_) => {}
        None => {
            fields.insert(MANNERS.into(), json!(usual(was)));
        }
    }
    document
}
