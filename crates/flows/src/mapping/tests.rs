mod documented;
mod moment;
mod pages;
mod tryout;

use std::sync::Arc;

use base::chance::SeededChance;
use base::{Chance, Timestamp};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;

struct Desk {
    chance: SeededChance,
}

impl Surroundings for Desk {
    fn bundle(&self, module: u32) -> Option<Value> {
        (module == 1).then(|| {
            Value::from_json(json!({
                "name": "Ann \"A\"", "n": 5, "text": "7", "list": [1, 2, 3], "Data Pool ID": "p-1", "0": "zero",
                "rows": [{"id": 1, "kind": "a"}, {"id": 2, "kind": "b"}], "empty": "", "nothing": null,
                "run_id": 912_345_678_901_234_567_i64, "json": "{\"a\":1}", "date": "2026-03-04T05:06:07.089Z",
            }))
        })
    }
    fn name(&self, name: &str) -> Option<Value> {
        match name {
            "celonis" => self.bundle(1),
            "var" => Some(Value::from_json(json!({"flow": {"job_id": 42}}))),
            _ => None,
        }
    }
    fn now(&self) -> Timestamp {
        "2026-02-03T09:15:00Z".parse().expect("a time")
    }
    fn chance(&self) -> &dyn Chance {
        &self.chance
    }
}

fn comes_to(template: Result<Template, Problem>) -> String {
    let desk = Desk { chance: SeededChance::new(7) };
    match template.and_then(|template| template.evaluate(&desk)) {
        Ok(Value::Text(text)) => format!("{text:?}"),
        Ok(Value::Absent) => "absent".into(),
        Ok(value) => value.to_json().to_string(),
        Err(problem) => format!("error: {problem}"),
    }
}

fn check(template: &str, expected: Expect) {
    expected.assert_eq(&comes_to(Template::parse(template)));
}

#[test]
fn templates() {
    check("plain", expect![[r#""plain""#]]);
    check("{{1.n}}", expect!["5"]);
    check("n = {{1.n}}!", expect![[r#""n = 5!""#]]);
    check("{{1.list}}", expect!["[1,2,3]"]);
    check("list: {{1.list}}", expect![[r#""list: 1,2,3""#]]);
    check("[{{1.missing}}]", expect![[r#""[]""#]]);
    check("{{1.missing}}", expect!["absent"]);
    check(r#"{{"}}"}}"#, expect![[r#""}}""#]]);
    check("{{1.run_id}}", expect!["912345678901234567"]);
    check("{{var.flow.job_id}}", expect!["42"]);
    check("{{celonis.n}}", expect!["5"]);
}

#[test]
fn references() {
    check("{{1.`Data Pool ID`}}", expect![[r#""p-1""#]]);
    check("{{1.`0`}}", expect![[r#""zero""#]]);
    check("{{1.list[1]}}", expect!["1"]);
    check("{{1.list[-1]}}", expect!["3"]);
    check("{{1.list[0]}}", expect!["absent"]);
    check("{{1.list[1 + 1]}}", expect!["2"]);
    check("{{1.rows[].id}}", expect!["1"]);
    check("{{1.rows[2].kind}}", expect![[r#""b""#]]);
    check("{{length(1.list[])}}", expect!["3"]);
    check("{{length(keys(`1`))}}", expect!["12"]);
    check("{{1}}", expect!["1"]);
    check("{{9.data.run_id}}", expect!["absent"]);
}

#[test]
fn operators() {
    check("{{1.n + 1.text}}", expect!["12"]);
    check(r#"{{"id-" + 1.n}}"#, expect![[r#""id-5""#]]);
    check("{{2 + 3 * 4 - 6 / 4}}", expect!["12.5"]);
    check("{{7 % 4}}", expect!["3"]);
    check("{{-1.n + 1}}", expect!["-4"]);
    check("{{1.n = \"5\"}}", expect!["true"]);
    check("{{1.n > 4 & 1.text < 8}}", expect!["true"]);
    check("{{1.missing = null}}", expect!["true"]);
    check("{{1.nothing = 1.empty}}", expect!["false"]);
    check("{{1.n = 4 | 1.n = 5}}", expect!["true"]);
    check("{{1.n = 4 or 1.n = 6 and true}}", expect!["false"]);
    check("{{9223372036854775807 + 1}}", expect!["9.223372036854776e+18"]);
}

#[test]
fn general_functions() {
    check(r#"{{if(1.n > 3; "big"; "small")}}"#, expect![[r#""big""#]]);
    check(r#"{{if(1.n > 9; "big")}}"#, expect!["absent"]);
    check(r#"{{ifempty(1.empty; "none")}}"#, expect![[r#""none""#]]);
    check(r#"{{switch(1.n; 4; "four"; 5; "five"; "many")}}"#, expect![[r#""five""#]]);
    check(r#"{{get(split("a b c"; " "); 2)}}"#, expect![[r#""b""#]]);
    check(r#"{{get(`1`; "rows.2.kind")}}"#, expect![[r#""b""#]]);
    check(r#"{{pick(`1`; "n"; "text")}}"#, expect![[r#"{"n":5,"text":"7"}"#]]);
}

#[test]
fn text_functions() {
    check(
        r#"{{upper("abc")}} {{capitalize("hello World")}} {{startcase("hello WORLD")}}"#,
        expect![[r#""ABC Hello World Hello World""#]],
    );
    check(r#"{{replace("a-b-c"; "-"; "+")}}"#, expect![[r#""a+b+c""#]]);
    check(r#"{{replace("lunedi 17"; "/(\d)(\d)/g"; "$2$1 ($&)")}}"#, expect![[r#""lunedi 71 (17)""#]]);
    check(r#"{{replace("a"; "a"; """x""")}}"#, expect![[r#""\"x\"""#]]);
    check(r#"{{substring("Hello"; 1; 3)}}"#, expect![[r#""el""#]]);
    check(r#"{{indexOf("Hello"; "l")}} {{indexOf("Hello"; "z")}}"#, expect![[r#""2 -1""#]]);
    check(r#"{{encodeURL("a b&c")}}"#, expect![[r#""a%20b%26c""#]]);
    check(r#"{{base64("hi")}} {{md5("hi")}}"#, expect![[r#""aGk= 49f68a5c8493ec2c0bf489821c21fc3b""#]]);
    check(r#"{{sha256("hi"; "base64")}}"#, expect![[r#""j0NDRmSPa5bfid2pAcUXaxCm2Dlh3TwayItZstwyeqQ=""#]]);
    check(r#"{{last(split(trim("a\n"); newline))}}"#, expect![[r#""a\\n""#]]);
}

#[test]
fn number_functions() {
    check("{{round(2.5)}} {{round(-2.5)}} {{round(1.005; 1)}}", expect![[r#""3 -2 1""#]]);
    check("{{sum(1.list)}} {{average(1.list)}} {{max(3; 9; 4)}} {{median(1.list)}}", expect![[r#""6 2 9 2""#]]);
    check(r#"{{parseNumber("1 756,456"; ",")}}"#, expect!["1756.456"]);
    check("{{formatNumber(1234567.891; 2)}}", expect![[r#""1.234.567,89""#]]);
    check("{{formatNumber(1234.5; 2; \".\"; \",\")}}", expect![[r#""1,234.50""#]]);
}

#[test]
fn array_functions() {
    check(r#"{{map(1.rows; "id")}}"#, expect!["[1,2]"]);
    check(r#"{{map(1.rows; "id"; "kind"; "b,c")}}"#, expect!["[2]"]);
    check(r#"{{join(sort(1.list; "desc"); ", ")}}"#, expect![[r#""3, 2, 1""#]]);
    check("{{slice(1.list; 1)}}", expect!["[2,3]"]);
    check("{{merge(1.list; add(emptyarray; 9))}}", expect!["[1,2,3,9]"]);
    check("{{toCollection(1.rows; \"kind\"; \"id\")}}", expect![[r#"{"a":1,"b":2}"#]]);
    check("{{map(1.n; \"id\")}}", expect![[r#"error: map: "5" is not a valid array (at position 3)"#]]);
}

#[test]
fn dates_as_texts() {
    check(r#"{{formatDate(now; "YYYY-MM-DD HH:mm:ss")}}"#, expect![[r#""2026-02-03 09:15:00""#]]);
    check(
        r#"{{formatDate(1.date; "dddd, MMMM Do YYYY, h:mm:ss a")}}"#,
        expect![[r#""Wednesday, March 4th 2026, 5:06:07 am""#]],
    );
    check(r#"{{formatDate(1.date; "x [ms] SSS Q E WW ww")}}"#, expect![[r#""1772600767089 ms 089 1 3 10 10""#]]);
    check(
        r#"{{formatDate(now; "YYYY-MM-DDTHH:mm:ssZ"; "Europe/Berlin")}}"#,
        expect![[r#""2026-02-03T10:15:00+01:00""#]],
    );
    check(r#"{{parseDate("3.2.2026 9:05"; "D.M.YYYY H:mm")}}"#, expect![[r#""2026-02-03T09:05:00.000Z""#]]);
    check(r#"{{parseDate("Feb 3, 26 01:05 pm"; "MMM D, YY hh:mm a")}}"#, expect![[r#""2026-02-03T13:05:00.000Z""#]]);
    check(
        r#"{{parseDate("yesterday"; "YYYY")}}"#,
        expect![[r#"error: parseDate: "yesterday" does not fit the format "YYYY" (at position 3)"#]],
    );
    check("{{addMonths(parseDate(\"2026-01-31\"; \"YYYY-MM-DD\"); 1)}}", expect![[r#""2026-02-28T00:00:00.000Z""#]]);
    check("{{now - addHours(now; -1)}}", expect!["3600000"]);
}

#[test]
fn problems_tell_their_place_and_the_fix() {
    check("{{1.n", expect![[r#"error: the expression is not closed by "}}" (at position 6)"#]]);
    check("{{add(1, 2)}}", expect![[r#"error: "," does not separate arguments, use ";" (at position 8)"#]]);
    check("{{1.n +}}", expect![[r#"error: a value is missing before "}}" (at position 8)"#]]);
    check("{{multiply(2; 3)}}", expect![[r#"error: function "multiply" does not exist; use a * b (at position 3)"#]]);
    check(
        "{{format(now)}}",
        expect![[
            r#"error: function "format" does not exist, perhaps formatNumber(number; decimals; [decimal separator]; [thousand separator]) is meant (at position 3)"#
        ]],
    );
    check(
        "{{last(1.rows).id}}",
        expect![[r#"error: a path cannot follow a call; use get(call; "path") (at position 15)"#]],
    );
    check("{{split(1.text)}}", expect!["error: split(text; separator) was given 1 argument (at position 3)"]);
    check("{{lower(\u{201c}x\u{201d})}}", expect![[r#"error: “ is a typographic quote, use " (at position 9)"#]]);
}

#[test]
fn a_mapped_value_cannot_break_out_of_its_place_in_json() {
    let check = |template: &str, expected: Expect| expected.assert_eq(&comes_to(Template::json(template)));
    check(r#"{"name": "{{1.name}}"}"#, expect![[r#""{\"name\": \"Ann \\\"A\\\"\"}""#]]);
    check(r#"{"name": {{1.name}}}"#, expect![[r#""{\"name\": \"Ann \\\"A\\\"\"}""#]]);
    check(
        r#"{"n": {{1.n}}, "t": {{1.text}}, "x": {{1.missing}}}"#,
        expect![[r#""{\"n\": 5, \"t\": 7, \"x\": null}""#]],
    );
    check(r#"{"o": {{1.json}}, "l": {{1.list}}}"#, expect![[r#""{\"o\": {\"a\":1}, \"l\": [1,2,3]}""#]]);
}

fn any_expression() -> impl Strategy<Value = Expression> {
    let form = |form| Expression { at: 0, form };
    let name = "[a-z_][a-z0-9_]{0,5}".prop_filter("words of operators", |name| name != "or" && name != "and");
    let leaf = prop_oneof![
        (0..1000i64).prop_map(move |number| form(Form::Literal(Value::Int(number)))),
        "[ -~]{0,6}".prop_map(move |text| form(Form::Literal(Value::text(text)))),
        (1..99u32, prop::collection::vec("[ a-zA-Z0-9_.-]{1,6}", 0..3)).prop_map(move |(id, path)| {
            form(Form::Reference(Root::Module(id), path.into_iter().map(Segment::Name).collect()))
        }),
        name.prop_map(move |name| form(Form::Reference(Root::Name(name), Vec::new()))),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(move |(left, right)| {
                form(Form::Binary(Binary::Subtract, Box::new(left), Box::new(right)))
            }),
            (inner.clone(), inner.clone())
                .prop_map(move |(left, right)| { form(Form::Binary(Binary::And, Box::new(left), Box::new(right))) }),
            inner.clone().prop_map(move |operand| form(Form::Negative(Box::new(operand)))),
            (1..9u32, inner.clone()).prop_map(move |(id, index)| {
                form(Form::Reference(Root::Module(id), vec![Segment::Index(Box::new(index)), Segment::First]))
            }),
            prop::collection::vec(inner, 1..4).prop_map(move |arguments| {
                form(Form::Call { name: "join".into(), function: functions::find("join"), arguments })
            }),
        ]
    })
}

fn without_places(text: &str) -> String {
    Template::parse(&format!("{{{{{text}}}}}")).map_or_else(
        |problem| format!("error: {problem}"),
        |template| template.expressions().map(ToString::to_string).collect(),
    )
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(expression in any_expression()) {
        let printed = expression.to_string();
        prop_assert_eq!(without_places(&printed), printed);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[{}a-z0-9.\\[\\]();\"'` +\u{e4}-]{0,40}") {
        let desk = Desk { chance: SeededChance::new(1) };
        if let Ok(template) = Template::parse(&text) {
            let _ = template.evaluate(&desk);
        }
    }

    #[test]
    fn json_stays_json_whatever_is_mapped_into_it(text in any::<String>()) {
        struct One(Arc<str>, SeededChance);
        impl Surroundings for One {
            fn bundle(&self, _module: u32) -> Option<Value> { Some(Value::collection([("x", Value::Text(self.0.clone()))])) }
            fn name(&self, _name: &str) -> Option<Value> { None }
            fn now(&self) -> Timestamp { Timestamp::EPOCH }
            fn chance(&self) -> &dyn Chance { &self.1 }
        }
        let template = Template::json(r#"{"a": "{{1.x}}", "b": [{{1.x}}]}"#).expect("a template");
        let value = template.evaluate(&One(text.as_str().into(), SeededChance::new(1))).expect("a value");
        let json: serde_json::Value = serde_json::from_str(&value.to_text()).expect("JSON");
        prop_assert_eq!(json["a"].as_str(), Some(text.as_str()));
        prop_assert_eq!(json["b"].as_array().map(Vec::len), Some(1));
        prop_assert_eq!(json.as_object().map(serde_json::Map::len), Some(2));
    }
}
