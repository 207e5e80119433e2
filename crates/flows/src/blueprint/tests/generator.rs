//! Blueprints as they are found and as they could be: every construct, modules
//! that nobody knows, keys that nobody knows, texts that YAML could take for
//! something else.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// A blueprint whose ids are unique.
pub(super) fn blueprint() -> impl Strategy<Value = Json> {
    (text(), flow(3), proptest::collection::vec(flow(1), 0..2), extra(), any::<bool>(), extra()).prop_map(
        |(name, flow, orphans, extra, is_sequential, note)| {
            let mut document = json!({
                "name": name,
                "flow": flow,
                "metadata": {
                    "version": 1,
                    "scenario": {"roundtrips": 1, "maxErrors": 3, "sequential": is_sequential, "dlq": true, "slots": null},
                    "designer": {"orphans": orphans},
                    "zone": "eu1.make.com",
                    "notes": [note],
                },
                "x-unknown": extra,
            });
            let mut id = 0;
            number(&mut document["flow"], &mut id);
            number(&mut document["metadata"]["designer"]["orphans"], &mut id);
            document
        },
    )
}

/// Gives every module an id of its own, in no order that means anything.
fn number(json: &mut Json, id: &mut u64) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| number(item, id)),
        Json::Object(fields) => {
            if fields.contains_key("module") {
                *id += 1;
                let place = (*id * 7) % 1_009;
                fields.insert("id".into(), place.into());
            }
            for key in ["flow", "routes", "branches", "onerror"] {
                if let Some(inside) = fields.get_mut(key) {
                    number(inside, id);
                }
            }
        }
        _ => {}
    }
}

fn flow(depth: u32) -> BoxedStrategy<Json> {
    proptest::collection::vec(module(depth), 1..4)
        .prop_map(|modules| Json::Array(modules.into_iter().flatten().collect()))
        .boxed()
}

/// A module, or an if-else with its merge.
fn module(depth: u32) -> BoxedStrategy<Vec<Json>> {
    if depth == 0 {
        return prop_oneof![known(), unknown()].prop_map(|module| vec![module]).boxed();
    }
    prop_oneof![
        3 => known().prop_map(|module| vec![module]),
        2 => unknown().prop_map(|module| vec![module]),
        1 => (known(), flow(depth - 1)).prop_map(|(mut module, handler)| {
            module["onerror"] = handler;
            vec![module]
        }),
        1 => (proptest::collection::vec(flow(depth - 1), 1..3), any::<bool>(), filter()).prop_map(
            |(flows, has_else, filter)| {
                let parameters = if has_else { json!({"else": 0}) } else { json!({}) };
                let routes: Vec<Json> = flows.into_iter().map(|flow| json!({"flow": flow})).collect();
                vec![json!({"id": 0, "module": "builtin:BasicRouter", "version": 1, "parameters": parameters,
                    "mapper": null, "filter": filter, "routes": routes})]
            }
        ),
        1 => (flow(0), flow(0), text()).prop_map(|(one, two, label)| vec![
            json!({"id": 0, "module": "builtin:BasicIfElse", "version": 1, "mapper": null, "branches": [
                {"type": "condition", "label": label, "merge": true, "flow": one,
                    "conditions": [[{"a": "{{1.x}}", "o": "exist"}]]},
                {"type": "else", "merge": true, "disabled": false, "flow": two},
            ]}),
            json!({"id": 0, "module": "builtin:BasicMerge", "version": 1, "mapper": null,
                "outputs": [{"name": "y", "mappings": ["{{1.x}}", "b"]}], "filters": [null, {"name": "l"}]}),
        ]),
    ]
    .boxed()
}

fn known() -> BoxedStrategy<Json> {
    (text(), text(), filter(), extra())
        .prop_map(|(url, value, filter, extra)| {
            json!({"id": 0, "module": "http:ActionSendData", "version": 3, "parameters": {"handleErrors": false},
                "mapper": {"url": url, "headers": [{"name": "x", "value": value}], "timeout": ""}, "filter": filter,
                "metadata": {"designer": {"x": -300, "y": 0.5, "name": value}, "restore": extra, "advanced": true}})
        })
        .boxed()
}

fn unknown() -> BoxedStrategy<Json> {
    (extra(), extra(), filter())
        .prop_map(|(parameters, mapper, filter)| {
            json!({"id": 0, "module": "acme-app#x1:DoIt", "version": 4, "parameters": {"__IMTCONN__": 12, "x": parameters},
                "mapper": {"f": mapper}, "filter": filter, "listener": true,
                "metadata": {"expect": [{"name": "f", "type": "text", "required": true}]}, "tools": []})
        })
        .boxed()
}

fn filter() -> BoxedStrategy<Json> {
    prop_oneof![
        Just(Json::Null),
        text().prop_map(|name| json!({"name": name})),
        (text(), text()).prop_map(|(name, b)| json!({"name": name, "conditions":
            [[{"a": "{{1.statusCode}}", "o": "number:equal", "b": b}, {"a": "x", "o": "exist"}]]})),
    ]
    .boxed()
}

/// Anything. Numbers have no more digits than every reader of JSON keeps.
fn extra() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1_000_000_i32..1_000_000).prop_map(|number| Json::from(f64::from(number) / 8.0)),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            proptest::collection::vec((key(), inner), 0..3)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
    .boxed()
}

fn key() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-zA-Z_]{1,6}",
        "[ -~]{1,8}",
        Just("no".to_owned()),
        Just("1".to_owned()),
        Just("__IMTX__".to_owned())
    ]
    .boxed()
}

/// Texts, also those that look like something else.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-z ]{0,12}",
        2 => "[ -~]{0,16}".prop_map(|text| text.replace("{{", "(")),
        1 => "(\\PC|\n|\t|\r|\u{e4}|\u{1f600}){0,8}".prop_map(|text| text.replace("{{", "(")),
        1 => proptest::sample::select(vec![
            "", "no", "yes", "on", "null", "~", "true", "1", "1.0", "0x1f", "1e3", ".5", "2026-01-01", "12:30", "- a", "a: b", "#x", "'", "\"",
            "{{1.data}}", "{{if(1.x = \"a\"; 1; 2)}}", " lead", "trail ", "line\nline\n", "|", ">", "&a", "*a", "!t", "%", "@", "`", ",", "[", "{",
            "=", "<<", "?", "-", ":", "---", "...", "\u{85}", "\u{2028}", "\u{feff}x", "\u{7f}", "\u{1}",
        ])
        .prop_map(str::to_owned),
    ]
    .boxed()
}
