//! Open points of the language, read one way and the other.

use serde_json::json;

use super::play;

/// What the last module of a flow gave, with these semantics of its own.
fn last(semantics: &str, flow: &str) -> String {
    let head = format!("metadata: {{ loopwright: {{ semantics: {semantics} }} }}\nflow:\n");
    let happened = play(&(head + flow), &[json!({"empty": "", "zero": 0})]);
    happened.lines().rev().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_flow_reads_open_points_its_own_way() {
    let start = "  - { id: 1, module: \"loopwright:Manual\" }\n";
    let filter = |a: &str, rest: &str| {
        format!(
            "{start}  - {{ id: 2, module: \"util:ComposeTransformer\", mapper: {{ value: passed }}, filter: {{ conditions: [[{{ a: \"{{{{{a}}}}}\", {rest} }}]] }} }}\n"
        )
    };
    let compose = |value: &str| {
        format!(
            "{start}  - {{ id: 2, module: \"util:ComposeTransformer\", mapper: {{ value: \"{{{{{value}}}}}\" }} }}\n"
        )
    };
    let empty_aggregator = format!(
        "{start}  - {{ id: 2, module: \"builtin:BasicRepeater\", mapper: {{ repeats: 0 }} }}\n  - {{ id: 3, module: \"builtin:BasicAggregator\", parameters: {{ feeder: 2 }} }}\n"
    );
    for (semantics, flow, usually, otherwise) in [
        ("emptyExists: false", filter("1.empty", "o: exist"), "2 @1.1 success", "2 @1.1 filtered"),
        (
            "absentIsFalse: true",
            filter("1.none", "o: \"boolean:equal\", b: \"false\""),
            "2 @1.1 filtered",
            "2 @1.1 success",
        ),
        ("zeroIsTrue: true", compose("if(1.zero; 7; 8)"), "{\"value\":\"8\"}", "{\"value\":\"7\"}"),
        ("emptyListsAreTrue: false", compose("if(emptyarray; 7; 8)"), "{\"value\":\"7\"}", "{\"value\":\"8\"}"),
        ("emptyAggregates: false", empty_aggregator, "3 @1.1 success", "2 @1.1 success"),
    ] {
        assert!(last("{}", &flow).contains(usually), "{semantics} usually: {}", last("{}", &flow));
        let own = last(&format!("{{ {semantics} }}"), &flow);
        assert!(own.contains(otherwise), "{semantics}: {own}");
    }
}

#[test]
fn a_bad_status_can_be_an_error_where_the_module_says_nothing() {
    let call = |parameters: &str| {
        format!(
            "  - {{ id: 1, module: \"http:ActionSendData\", parameters: {parameters}, mapper: {{ url: \"https://x/500\" }} }}\n"
        )
    };
    let semantics = "{ badStatusIsError: true }";
    assert!(last("{}", &call("{}")).starts_with("1 warning"));
    assert!(
        last(semantics, &call("{}")).starts_with("1 error (RuntimeError: [500]"),
        "{}",
        last(semantics, &call("{}"))
    );
    assert!(last(semantics, &call("{ handleErrors: false }")).starts_with("1 warning"));
}
