//! The pages of the reference: every function has one, and every example on it
//! says what the program answers.
//!
//! A page is `docs/reference/mapping/NAME.md`. Its title lists the functions
//! that it is about; each of them is used in at least one of its examples. An
//! example is a line `expression => value` in a block marked `mapping`. With
//! `UPDATE_EXPECT=1` the values are written anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::chance::SeededChance;
use base::{Chance, Timestamp};

use crate::mapping::functions::summaries;
use crate::mapping::{FUNCTIONS, Surroundings, Template, handbook, is_known};
use crate::value::Value;

struct Page {
    bundle: Value,
    chance: SeededChance,
}

impl Surroundings for Page {
    fn bundle(&self, module: u32) -> Option<Value> {
        (module == 1).then(|| self.bundle.clone())
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
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/mapping")
}

fn page() -> Page {
    Page { bundle: Value::from_json(handbook::example_bundle().clone()), chance: SeededChance::new(1) }
}

fn answered(page: &Page, expression: &str) -> String {
    let value = Template::parse(&format!("{{{{{expression}}}}}")).and_then(|template| template.evaluate(page));
    match value {
        Ok(Value::Absent) => "absent".to_owned(),
        Ok(value) => value.to_json().to_string(),
        Err(problem) => format!("error: {}", problem.text),
    }
}

/// A page with its values as they are now, and its expressions.
fn rewritten(page: &Page, text: &str) -> (String, String) {
    let (mut out, mut expressions) = (String::new(), String::new());
    let mut is_inside = false;
    for line in text.lines() {
        let expression = line.rsplit_once(" =>").map(|(expression, _)| expression).filter(|_| is_inside);
        match expression {
            Some(expression) => {
                out.push_str(&format!("{expression} => {}\n", answered(page, expression)));
                expressions.push_str(expression);
                expressions.push('\n');
            }
            None => out.push_str(&format!("{line}\n")),
        }
        is_inside = line == "```mapping" || is_inside && line != "```";
    }
    (out, expressions)
}

#[test]
fn every_function_has_a_page_whose_examples_hold() {
    let page = page();
    let mut pages_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let entries = std::fs::read_dir(folder()).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| !path.ends_with("README.md")) {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("a page");
        let (now, expressions) = rewritten(&page, &text);
        if !handbook::PAGES.contains(&text.as_str()) {
            wrong.push(format!("{name}: the handbook does not have the page; add it there"));
        }
        if now != text {
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(path, &now).expect("the page can be written");
            } else {
                wrong.push(format!("{name}: the examples come to other values; UPDATE_EXPECT=1 writes them anew"));
            }
        }
        let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a page has a title");
        for function in title.split(", ") {
            if !expressions.contains(&format!("{function}(")) {
                wrong.push(format!("{name}: no example uses {function}"));
            }
            pages_of.entry(function.to_owned()).or_default().push(name.clone());
        }
    }
    for function in FUNCTIONS.iter().flat_map(|(_, family)| family.iter()) {
        match pages_of.remove(function.name).as_deref() {
            None => wrong.push(format!("{} has no page", function.name)),
            Some([_]) => {}
            Some(several) => wrong.push(format!("{} has the pages {}", function.name, several.join(", "))),
        }
    }
    wrong.extend(pages_of.keys().map(|name| format!("there is a page for {name}, and no such function")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_handbook_tells_every_function_with_an_example_that_holds() {
    let page = page();
    let explained = handbook::functions();
    assert_eq!(explained.len(), FUNCTIONS.iter().map(|(_, family)| family.len()).sum::<usize>());
    for each in explained {
        let name = each.function.name;
        assert!(each.function.summary().ends_with('.'), "{name} has no sentence in summaries.rs");
        assert!(!each.examples.is_empty(), "no example of {name} comes to a value");
        for example in &each.examples {
            let value = Template::parse(&example.template).and_then(|template| template.evaluate(&page));
            assert_eq!(value.expect("it can be evaluated").to_json(), example.result, "{}", example.template);
        }
    }
    let about_functions_that_are_none =
        summaries().filter(|name| !explained.iter().any(|each| each.function.name == *name));
    assert_eq!(about_functions_that_are_none.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_handbook_tells_names_and_operators() {
    let names: Vec<&str> = handbook::names().map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| is_known(name)) && names.contains(&"now") && names.contains(&"var"), "{names:?}");
    let operators: Vec<(&str, String)> =
        handbook::operators().into_iter().map(|operator| (operator.name, operator.also.join(" "))).collect();
    expect_test::expect![[r#"[("|", "|| or"), ("&", "&& and"), ("=", "== ==="), ("!=", ""), ("<", ""), ("<=", ""), (">", ""), (">=", ""), ("+", ""), ("-", ""), ("*", ""), ("/", ""), ("%", "")]"#]].assert_eq(&format!("{operators:?}"));
}
