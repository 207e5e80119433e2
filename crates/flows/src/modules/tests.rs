use super::*;

#[test]
fn every_schema_is_json_and_has_a_title() {
    for module in MODULES {
        let schema: Json = serde_json::from_str(module.schema).expect(module.name);
        assert!(schema["title"].is_string(), "{}", module.name);
        assert!(!module.versions.is_empty(), "{}", module.name);
    }
}

/// Pickers that the editor knows, and our own interface serves.
const PICKERS: [&str; 1] = ["databricks-jobs"];

/// Returns what is wrong with the keys of our own in a schema.
fn strange_keys(schema: &Json, at: &str, strange: &mut Vec<String>) {
    let is_property = at.contains("/properties/");
    for (key, value) in schema.as_object().into_iter().flatten() {
        let is_known = match (key.as_str(), value) {
            ("x-advanced", Json::Bool(true)) => is_property,
            ("x-picker", Json::String(picker)) => is_property && PICKERS.contains(&picker.as_str()),
            (key, _) => !key.starts_with("x-"),
        };
        if !is_known {
            strange.push(format!("{at}/{key}: {value}"));
        }
        strange_keys(value, &format!("{at}/{key}"), strange);
    }
}

#[test]
fn every_key_of_our_own_in_a_schema_is_one_that_the_editor_knows() {
    let mut strange = Vec::new();
    for module in MODULES {
        let schema = serde_json::from_str(module.schema).expect("JSON");
        strange_keys(&schema, module.name, &mut strange);
    }
    assert!(strange.is_empty(), "{strange:#?}");
    strange_keys(&serde_json::json!({"properties": {"job": {"x-picker": "moons"}}}), "a", &mut strange);
    assert_eq!(strange, [r#"a/properties/job/x-picker: "moons""#]);
}

#[test]
fn what_the_journal_keeps_is_read_back() {
    for settled in [
        Settled {
            result: Ok(vec![Value::collection([("a", Value::Absent), ("b", Value::Null)])]),
            status_code: Some(200),
            cookies: Vec::new(),
        },
        Settled::new(Ok(Vec::new())),
        Settled::new(Err(ModuleError { retry_after: Some(30), ..ModuleError::new(Class::RateLimitError, "late") })),
    ] {
        let stored = settled.to_stored().to_string();
        let json = serde_json::from_str(&stored).expect("JSON");
        assert_eq!(Settled::from_stored(json), Some(settled));
    }
}
