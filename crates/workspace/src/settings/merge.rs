//! Applying an update to a settings document.

use serde_json::Value as Json;

use crate::error::Error;

/// Applies an update: a field of `changes` replaces that of `document`, but
/// lists with keys are merged by key; `removed` are names of fields, or
/// `tasks/KEY` and the like.
pub(crate) fn merge(document: &mut Json, changes: Json, removed: &[String]) -> Result<(), Error> {
    let (Json::Object(fields), Json::Object(changes)) = (document, changes) else {
        return Err(Error::Settings { detail: "\"new_settings\" is not an object".into() });
    };
    for name in removed {
        match name.split_once('/') {
            None => drop(fields.remove(name)),
            Some((list, key)) => {
                let (Some(Json::Array(items)), Some(key_name)) = (fields.get_mut(list), key_of(list)) else { continue };
                items.retain(|item| item.get(key_name).and_then(Json::as_str) != Some(key));
            }
        }
    }
    for (name, change) in changes {
        match (fields.get_mut(&name), change, key_of(&name)) {
            (Some(Json::Array(items)), Json::Array(news), Some(key)) => merge_by_key(items, news, key),
            (_, change, _) => drop(fields.insert(name, change)),
        }
    }
    Ok(())
}

/// Which field tells the items of a list apart.
fn key_of(list: &str) -> Option<&'static str> {
    match list {
        "tasks" => Some("task_key"),
        "job_clusters" => Some("job_cluster_key"),
        "environments" => Some("environment_key"),
        "parameters" => Some("name"),
        _ => None,
    }
}

fn merge_by_key(items: &mut Vec<Json>, news: Vec<Json>, key: &str) {
    for new in news {
        match items.iter_mut().find(|item| item.get(key) == new.get(key)) {
            Some(item) => *item = new,
            None => items.push(new),
        }
    }
}
