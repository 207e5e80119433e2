//! Variables that flows share, as a run keeps them: beside the flow's own,
//! under names that no flow can give one.

use serde_json::{Map, Value as Json};

use crate::value::{Collection, Value};

/// Where the variables of the team and of the organization lie, and what
/// mappings call them.
const KEPT: [(&str, &str); 2] = [("$team", "team"), ("$organization", "organization")];

/// Puts shared variables beside those of a flow; each is an object in JSON.
pub(crate) fn add(variables: &mut Map<String, Json>, shared: &[Option<String>; 2]) {
    for ((kept, _), text) in KEPT.iter().zip(shared) {
        variables.shift_remove(*kept);
        let read = text.as_ref().and_then(|text| serde_json::from_str::<Json>(text).ok());
        if let Some(read) = read.filter(|read| read.as_object().is_some_and(|fields| !fields.is_empty())) {
            variables.insert((*kept).to_owned(), read);
        }
    }
}

/// Returns what `var` has of the variables that a run keeps: `flow`, `team`
/// and `organization`.
pub(super) fn told(variables: &Value) -> Vec<(&'static str, Value)> {
    let Value::Collection(fields) = variables else { return vec![("flow", variables.clone())] };
    let mut told: Vec<(&'static str, Value)> = Vec::new();
    let is_kept = |name: &str| KEPT.iter().any(|(kept, _)| *kept == name);
    if fields.keys().any(|name| is_kept(name)) {
        let own: Collection = fields
            .iter()
            .filter(|(name, _)| !is_kept(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        told.push(("flow", Value::Collection(own.into())));
    } else {
        told.push(("flow", variables.clone()));
    }
    told.extend(KEPT.iter().filter_map(|(kept, word)| Some((*word, fields.get(*kept)?.clone()))));
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flow_sees_its_own_variables_and_the_shared_ones_apart() {
        let mut variables = Map::new();
        variables.insert("own".into(), json!(1));
        variables.insert("$team".into(), json!("set by hand"));
        add(&mut variables, &[Some(r#"{"env": "eu-1"}"#.into()), Some("{}".into())]);
        let told = told(&Value::from_json(Json::Object(variables)));
        let shown: Vec<String> = told.iter().map(|(name, value)| format!("{name} {}", value.to_json())).collect();
        assert_eq!(shown, [r#"flow {"own":1}"#, r#"team {"env":"eu-1"}"#]);
    }
}
