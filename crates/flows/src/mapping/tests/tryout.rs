//! What an editor is told about a template while it is written.

use base::chance::SeededChance;
use expect_test::{Expect, expect};
use serde_json::json;

use crate::mapping::tryout::{Mistake, Refused, TEMPLATE_BYTES_MAX, Trial, Tried, Tryout, VALUE_BYTES_MAX};

fn tried(tryout: Tryout) -> Result<Tried, Refused> {
    tryout.evaluate("2026-02-03T09:15:00Z".parse().expect("a time"), &SeededChance::new(1))
}

fn tryout(template: &str) -> Tryout {
    let bundle =
        json!({"n": 5, "text": "7", "name": "J\u{f6}rg \u{1f680}", "list": [1, 2], "when": "2026-01-02T03:04:05Z"});
    Tryout { template: template.to_owned(), bundles: [(2, bundle)].into(), ..Tryout::default() }
}

fn shown(template: &str, tried: Result<Tried, Refused>) -> String {
    match tried {
        Ok(Tried::Value(value)) => format!("{} is {}", value.to_json(), value.kind()),
        Ok(Tried::Mistake(Mistake { message, start, end, fix })) => {
            let units: Vec<u16> = template.encode_utf16().collect();
            let place = String::from_utf16(&units[start..end]).expect("whole letters");
            format!("{place} ({start} to {end}): {message}{}", fix.map_or(String::new(), |fix| format!("; put {fix}")))
        }
        Err(refused) => format!("refused: {refused}"),
    }
}

fn check(template: &str, expected: Expect) {
    expected.assert_eq(&shown(template, tried(tryout(template))));
}

#[test]
fn a_template_is_tried_with_bundles() {
    check("{{2.n + 2.text}}", expect!["12 is number"]);
    check("Hello {{2.name}}", expect![[r#""Hello Jörg 🚀" is text"#]]);
    check("{{2.list}}", expect!["[1,2] is array"]);
    check("{{2.missing}}", expect!["null is absent"]);
    check("{{now}}", expect![[r#""2026-02-03T09:15:00.000Z" is date"#]]);
    check("{{toBinary(\"x\")}}", expect![[r#""x" is buffer"#]]);
    check("", expect![[r#""" is text"#]]);
}

#[test]
fn a_mistake_is_an_answer_with_its_place() {
    check("a {{add(2.list, 3)}}", expect![[r#", (14 to 15): "," does not separate arguments, use ";"; put ;"#]]);
    check(
        "\u{1f680} {{lower(\u{201c}X\u{201d})}}",
        expect![[r#"“ (11 to 12): “ is a typographic quote, use "; put ""#]],
    );
    check(
        "{{formatDat(2.when; \"YYYY\")}}",
        expect![[
            r#"formatDat (2 to 11): function "formatDat" does not exist, perhaps formatDate(date; format; [time zone]) is meant; put formatDate"#
        ]],
    );
    check("{{multiply(2; 3)}}", expect![[r#"multiply (2 to 10): function "multiply" does not exist; use a * b"#]]);
    check("{{2.n + }}", expect![[r#"}} (8 to 10): a value is missing before "}}""#]]);
    check("{{2.n", expect![[r#"{{2.n (0 to 5): the expression is not closed by "}}"; put {{2.n}}"#]]);
    check("{{\"abc}}", expect![[r#""abc}} (2 to 8): the text that begins here is not closed by ""#]]);
    check("x {{split(2.text)}}", expect!["split (4 to 9): split(text; separator) was given 1 argument"]);
    check("{{formatDate(\"soon\"; \"YYYY\")}}", expect![[r#"formatDate (2 to 12): formatDate: "soon" is not a date"#]]);
    check("{{2.n # 3}}", expect![[r##"# (6 to 7): "#" has no meaning inside an expression"##]]);
}

#[test]
fn the_field_and_the_flow_say_how_it_is_read() {
    let with = |template: &str, change: &dyn Fn(&mut Tryout)| {
        let mut tryout = tryout(template);
        change(&mut tryout);
        shown(template, tried(tryout))
    };
    let kind = |kind: &'static str| move |tryout: &mut Tryout| tryout.kind = Some(kind.to_owned());
    expect![[r#""5" is text"#]].assert_eq(&with("{{2.n}}", &kind("text")));
    expect![[r#""2026-01-02T03:04:05.000Z" is date"#]].assert_eq(&with("{{2.when}}", &kind("date")));
    expect![[r#"{{2.name}} (0 to 10): "Jörg 🚀" is not a number"#]].assert_eq(&with("{{2.name}}", &kind("number")));
    expect![[r#"refused: "soup" is not a type of a field"#]].assert_eq(&with("{{2.name}}", &kind("soup")));
    let zone = |zone: &'static str| move |tryout: &mut Tryout| tryout.zone = Some(zone.to_owned());
    expect![[r#""04:04" is text"#]].assert_eq(&with("{{formatDate(2.when; \"HH:mm\")}}", &zone("Europe/Berlin")));
    expect![[r#"refused: "Europe/Entenhausen" is not a time zone; names are such as "Europe/Berlin""#]]
        .assert_eq(&with("x", &zone("Europe/Entenhausen")));
    expect![[r#""{\"a\": \"Jörg 🚀\"}" is text"#]]
        .assert_eq(&with("{\"a\": {{2.name}}}", &|tryout| tryout.is_json = true));
    let var = |tryout: &mut Tryout| tryout.names = [("var".to_owned(), json!({"flow": {"job": 42}}))].into();
    expect!["42 is number"].assert_eq(&with("{{var.flow.job}}", &var));
}

#[test]
fn a_trial_stays_small() {
    let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
    assert_eq!(tried(tryout(&long)), Err(Refused::TemplateTooLong(long.len())));
    let large = |bytes: usize| [(2, json!({"text": "x".repeat(bytes)}))].into();
    let of = |template: &str, bytes| tried(Tryout { bundles: large(bytes), ..tryout(template) });
    assert_eq!(of("x", VALUE_BYTES_MAX), Err(Refused::BundlesTooLarge));
    for template in [
        "{{2.text}}{{2.text}}{{2.text}}".to_owned(),
        "{{2.text + 2.text + 2.text}}".to_owned(),
        "{{join(split(2.text; emptystring); 2.text)}}".to_owned(),
        "{{replace(2.text; \"x\"; 2.text)}}".to_owned(),
        "{{replacePattern(2.text; \".\"; 2.text)}}".to_owned(),
        "{{concat(2.text; 1; 2; 3)}}".to_owned(),
        format!("{{{{concat(2.text; {})}}}}", ";".repeat(20_000)),
        "{{add(emptyarray; 2.text; 2.text; 2.text)}}".to_owned(),
        "{{sortAscString(2.text; 2.text; 2.text)}}".to_owned(),
    ] {
        let Ok(Tried::Mistake(mistake)) = of(&template, VALUE_BYTES_MAX / 2) else { panic!("{template} has a value") };
        assert!(mistake.message.contains("more than"), "{}", mistake.message);
    }
}

#[test]
fn conditions_are_tried_with_bundles() {
    let check = |conditions: serde_json::Value, expected: Expect| {
        let trial =
            Trial { conditions, bundles: [(2, json!({"code": 401, "state": "DONE"}))].into(), ..Trial::default() };
        let told = trial.judge("2026-02-03T09:15:00Z".parse().expect("a time"), &SeededChance::new(1));
        expected.assert_eq(&match told {
            Ok(Ok(judgement)) => serde_json::to_string(&judgement).expect("JSON"),
            Ok(Err(wrong)) => format!("wrong: {wrong}"),
            Err(refused) => format!("refused: {refused}"),
        });
    };
    let code = json!({"a": "{{2.code}}", "o": "number:equal", "b": "200"});
    let done = json!({"a": "{{2.state}}", "o": "text:equal:ci", "b": "done"});
    check(
        json!([[code]]),
        expect![[r#"{"passes":false,"any":[[{"left":401,"operator":"number:equal","right":"200","holds":false}]]}"#]],
    );
    check(
        json!([[code], [done]]),
        expect![[
            r#"{"passes":true,"any":[[{"left":401,"operator":"number:equal","right":"200","holds":false}],[{"left":"DONE","operator":"text:equal:ci","right":"done","holds":true}]]}"#
        ]],
    );
    check(json!([]), expect![[r#"{"passes":true,"any":[]}"#]]);
    check(
        json!([[{"a": "{{2.missing}}", "o": "exist"}]]),
        expect![[r#"{"passes":false,"any":[[{"operator":"exist","holds":false}]]}"#]],
    );
    check(
        json!([[{"a": "{{uper(2.state)}}", "o": "exist"}]]),
        expect![[r#"wrong: function "uper" does not exist, perhaps upper(text) is meant"#]],
    );
    check(json!([[{"a": "x", "o": "soup"}]]), expect![[r#"wrong: "soup" is not an operator"#]]);
    check(json!([{"a": "x"}]), expect!["wrong: conditions must be a list of lists"]);
    check(json!("x".repeat(40_000)), expect!["refused: the conditions have 40002 bytes; 32768 can be tried"]);
}
