use super::*;

#[test]
fn every_schema_is_json_and_has_a_title() {
    for module in MODULES {
        let schema: Json = serde_json::from_str(module.schema).expect(module.name);
        assert!(schema["title"].is_string(), "{}", module.name);
        assert!(!module.versions.is_empty(), "{}", module.name);
    }
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
