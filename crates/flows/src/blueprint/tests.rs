use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::program::Program;

mod generator;

fn plain() -> Json {
    json!({
        "name": "Late", "flow": [{"id": 7, "module": "acme#inc:Do", "version": 2, "mapper": null, "later": {"b": 1, "a": [null]}}],
        "metadata": {"version": 1, "instant": false, "designer": {"orphans": [[{"id": 9, "module": "util:FunctionSleep"}]]}, "notes": [{"text": "x"}]},
        "zone": "eu1", "unknown": {"z": 1, "a": 2},
    })
}

/// What the container holds, and when that runs.
fn check(container: &str, expected: &Json) {
    let found = document(container).expect("a document");
    assert_eq!(&found, expected);
    Blueprint::read(container).expect("a blueprint");
}

#[test]
fn a_blueprint_is_found_in_every_container() {
    let scheduling = json!({"type": "indefinitely", "interval": 900});
    let mut scheduled = plain();
    scheduled["scheduling"] = scheduling.clone();
    check(&plain().to_string(), &plain());
    check(&format!("\u{feff}\r\n {}", plain()), &plain());
    check(
        &json!({"code": "OK", "response": {"blueprint": plain(), "scheduling": scheduling, "idSequence": 9, "created": "x"}})
            .to_string(),
        &scheduled,
    );
    check(
        &json!({"teamId": 1, "blueprint": plain().to_string(), "scheduling": scheduling.to_string()}).to_string(),
        &scheduled,
    );
    check(&json!({"blueprint": plain(), "controller": {"steps": []}, "usage": "…"}).to_string(), &plain());
    check(&json!({"template": {"id": 3, "blueprint": plain()}}).to_string(), &plain());
    let other = json!([{"id": 3, "module": "util:FunctionSleep"}]);
    check(
        &json!({"subflows": [{"flow": plain()["flow"]}, {"flow": other}], "metadata": {"version": 1}}).to_string(),
        &json!({"metadata": {"version": 1, "designer": {"orphans": [other]}}, "flow": plain()["flow"]}),
    );
    // What stands inside goes before what stands beside.
    check(&json!({"response": {"blueprint": scheduled, "scheduling": {"type": "on-demand"}}}).to_string(), &scheduled);
}

#[test]
fn what_holds_no_blueprint_is_refused_with_the_reason() {
    for (text, expected) in [
        (r#"{"blueprint": "{"}"#, "blueprint: EOF while parsing an object at line 1 column 1"),
        (r#"{"subflows": []}"#, "\"subflows\" is empty: no module was copied"),
        (r#"{"blueprint": 3}"#, "\"blueprint\" is not an object"),
        (r#"{"name": "x"}"#, "missing field `flow`"),
    ] {
        assert_eq!(Blueprint::read(text).expect_err("it holds none"), expected);
    }
}

#[test]
fn an_archive_of_a_package_holds_its_flows() {
    let entries = vec![
        Entry { name: "20260101-scenario-12.json".into(), bytes: plain().to_string().into_bytes() },
        Entry { name: "metadata.json".into(), bytes: b"\xef\xbb\xbf{\"actionFlows\": []}".to_vec() },
        Entry { name: "readme.txt".into(), bytes: vec![b'x'; 10_000] },
    ];
    let bytes = write_archive(&entries);
    assert!(bytes.len() < 3_000, "it is packed: {}", bytes.len());
    assert_eq!(read_archive(&bytes).expect("an archive"), entries);
    let upload = Upload::read(&bytes).expect("an upload");
    assert_eq!(upload.metadata, json!({"actionFlows": []}));
    assert_eq!(upload.flows, [Carried { file: Some("20260101-scenario-12.json".into()), text: plain().to_string() }]);
    let mut damaged = bytes.clone();
    damaged[60] ^= 1;
    assert!(read_archive(&damaged).is_err());
    for cut in 0..bytes.len() {
        let _ = read_archive(&bytes[..cut]).expect_err("it is cut off");
    }
    assert_eq!(
        Upload::read(&write_archive(&[])).expect_err("empty"),
        "the archive holds no flow: a file DATE-scenario-ID.json is one"
    );
}

#[test]
fn names_change_and_the_rest_of_the_text_stays() {
    let other = |of: Named, name: &str| match (of, name) {
        (Named::Connection, "test" | "key:34") => Some("prod \"2\"".to_owned()),
        (Named::Model, "p2p.orders") => Some("p2p.orders-prod".to_owned()),
        _ => None,
    };
    let yaml = "# Mind the gap.\nname: F\nflow:\n  - id: 1\n    module: loopwright:Signal\n    parameters: { knowledgeModel: p2p.orders, trigger: LATE }\n\
        \x20 - id: 2\n    module: http:ActionSendData # the call\n    parameters:\n      connection: 'test'\n    mapper: { url: test }\n";
    let expected = yaml.replace("p2p.orders,", "\"p2p.orders-prod\",").replace("'test'", "\"prod \\\"2\\\"\"");
    assert_eq!(renamed(yaml, &other).expect("a flow"), expected);
    let json =
        r#"{"flow": [{"id": 2, "module": "http:ActionSendDataAPIKeyAuth", "parameters": {"auth": 34, "x": "test"}}]}"#;
    assert_eq!(renamed(json, &other).expect("a flow"), json.replace("34", r#""prod \"2\"""#));
    let twice = json!({"blueprint": json}).to_string();
    let read = document(&renamed(&twice, &other).expect("a flow")).expect("JSON");
    assert_eq!(read["flow"][0]["parameters"]["auth"], "prod \"2\"");
    assert_eq!(renamed(yaml, &|_, _| None).expect("a flow"), yaml);
}

/// What makes a flow run as it does, without the name of its version.
fn told(text: &str) -> Vec<String> {
    let program = Program::compile(text).expect("it compiles");
    let mut told: Vec<String> = program.notices.iter().map(ToString::to_string).collect();
    told.push(format!("{:?} {:?} {} {:?}", program.start, program.schedule, program.retries, program.rules));
    told.extend(
        program
            .steps
            .iter()
            .map(|step| format!("{} {} {:?} {:?}", step.id, step.module_name, step.mapper, step.filter)),
    );
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn import_export_import_is_the_identity(blueprint in generator::blueprint(), scheduled in any::<bool>()) {
        let text = blueprint.to_string();
        let exported = export(&text, Format::Json).expect("it is exported");
        prop_assert_eq!(&document(&exported).expect("JSON"), &blueprint);
        let mut expected = blueprint.clone();
        let mut reply = json!({"code": "OK", "response": {"blueprint": blueprint}});
        if scheduled {
            let scheduling = json!({"type": "daily", "time": "09:00"});
            reply["response"]["scheduling"] = scheduling.clone();
            expected["scheduling"] = scheduling;
        }
        prop_assert_eq!(&document(&reply.to_string()).expect("a reply"), &expected);
        let body = json!({"blueprint": text, "scheduling": reply["response"]["scheduling"].to_string()});
        prop_assert_eq!(&document(&body.to_string()).expect("a body"), &expected);
        let archive = write_archive(&[Entry { name: "20260101-scenario-1.json".into(), bytes: text.clone().into_bytes() }]);
        prop_assert_eq!(&Upload::read(&archive).expect("an archive").flows[0].text, &text);
    }

    #[test]
    fn a_flow_runs_the_same_in_both_formats(blueprint in generator::blueprint()) {
        let json = blueprint.to_string();
        let yaml = export(&json, Format::Yaml).expect("YAML");
        prop_assert_eq!(told(&yaml), told(&json));
        let back = export(&yaml, Format::Json).expect("JSON");
        prop_assert_eq!(&document(&back).expect("JSON"), &blueprint);
        // And the other way around, from a flow that was written in YAML.
        let ours = write(&blueprint, Format::Yaml).expect("YAML");
        let theirs = export(&ours, Format::Json).expect("JSON");
        prop_assert_eq!(told(&theirs), told(&ours));
        let again = export(&theirs, Format::Yaml).expect("YAML");
        prop_assert_eq!(&again, &ours);
    }
}
