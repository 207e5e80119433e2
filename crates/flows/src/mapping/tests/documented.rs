//! Examples that the documentation of the same engine prints.

use base::chance::SeededChance;
use base::{Chance, Timestamp};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use crate::mapping::{Surroundings, Template};
use crate::value::Value;

struct Page {
    zone: TimeZone,
    chance: SeededChance,
}

impl Surroundings for Page {
    fn bundle(&self, module: u32) -> Option<Value> {
        let bundle = json!({
            "array": [1, 2, 3],
            "User": {"name": "Bob", "email": "bob@example.com", "password": "x"},
            "Emails": [
                {"email": "a@example.com", "label": "work", "sender": {"name": "Mia"}},
                {"email": "b@example.com", "label": "home", "sender": {"name": "Leo"}},
                {"email": "c@example.com", "label": "work", "sender": {"name": "Zoe"}},
            ],
            "Contacts": [{"name": "cid"}, {"name": "Bo"}, {"name": "ann"}],
            "people": [{"name": "Bob", "age": 22}, {"name": "Tim", "age": 23}],
            "myArray": [1, 2, 3, 4, 5], "yourArray": [3, 4, 5, 6, 7], "tens": [10, 20, 30],
        });
        let mut bundle = Value::from_json(bundle);
        let date = |text: &str| Value::Date(text.parse().expect("a time"));
        if let Value::Collection(fields) = &mut bundle {
            let mut fields = (**fields).clone();
            // Days on both sides of the change to daylight saving.
            fields.insert("earlier".into(), date("2018-10-20T22:00:00Z"));
            fields.insert("later".into(), date("2018-10-29T23:00:00Z"));
            bundle = Value::Collection(fields.into());
        }
        (module == 1).then_some(bundle)
    }
    fn name(&self, _name: &str) -> Option<Value> {
        None
    }
    fn now(&self) -> Timestamp {
        "2026-02-03T09:15:00Z".parse().expect("a time")
    }
    fn chance(&self) -> &dyn Chance {
        &self.chance
    }
    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }
}

#[test]
fn documented_examples_come_to_their_documented_values() {
    let mut page = Page { zone: TimeZone::UTC, chance: SeededChance::new(1) };
    let (mut wrong, mut number) = (Vec::new(), 0);
    for line in include_str!("documented.txt").lines() {
        if let Some(zone) = line.strip_prefix('@') {
            page.zone = TimeZone::get(zone).expect("a zone");
        }
        if line.is_empty() || line.starts_with(['#', '@']) {
            continue;
        }
        number += 1;
        let (expression, expected) = line.rsplit_once(" => ").expect("an example has a value");
        let expected: Json = serde_json::from_str(expected).expect(line);
        let value = Template::parse(&format!("{{{{{expression}}}}}")).and_then(|template| template.evaluate(&page));
        match value {
            Ok(value) if value.to_json() == expected => {}
            Ok(value) => wrong.push(format!("{line}\n  is {}", value.to_json())),
            Err(problem) => wrong.push(format!("{line}\n  is an error: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {number} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(number > 150, "only {number} examples were read");
}
