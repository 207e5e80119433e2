//! What the mapping language offers, for whoever writes in it: functions with
//! examples, names, operators.
//!
//! Nothing is told here twice. Functions, names and operators are the tables
//! by which expressions are read and evaluated; the examples are those of the
//! reference, whose values a test holds against what they come to.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::evaluate::KEYWORDS;
use super::expression::Binary;
use super::functions::{FUNCTIONS, Function};
use super::parse::LEVELS;

/// The pages of the reference.
pub(super) const PAGES: [&str; 36] = [
    include_str!("../../../../docs/reference/mapping/add-to-date.md"),
    include_str!("../../../../docs/reference/mapping/add.md"),
    include_str!("../../../../docs/reference/mapping/arithmetic.md"),
    include_str!("../../../../docs/reference/mapping/ascii.md"),
    include_str!("../../../../docs/reference/mapping/bytes.md"),
    include_str!("../../../../docs/reference/mapping/case-of-letters.md"),
    include_str!("../../../../docs/reference/mapping/contains.md"),
    include_str!("../../../../docs/reference/mapping/dateDifference.md"),
    include_str!("../../../../docs/reference/mapping/distinct.md"),
    include_str!("../../../../docs/reference/mapping/ends-of-arrays.md"),
    include_str!("../../../../docs/reference/mapping/flatten.md"),
    include_str!("../../../../docs/reference/mapping/formatDate.md"),
    include_str!("../../../../docs/reference/mapping/get.md"),
    include_str!("../../../../docs/reference/mapping/hash.md"),
    include_str!("../../../../docs/reference/mapping/html.md"),
    include_str!("../../../../docs/reference/mapping/if.md"),
    include_str!("../../../../docs/reference/mapping/in.md"),
    include_str!("../../../../docs/reference/mapping/join.md"),
    include_str!("../../../../docs/reference/mapping/keys.md"),
    include_str!("../../../../docs/reference/mapping/length.md"),
    include_str!("../../../../docs/reference/mapping/map.md"),
    include_str!("../../../../docs/reference/mapping/month-limits.md"),
    include_str!("../../../../docs/reference/mapping/number.md"),
    include_str!("../../../../docs/reference/mapping/parseDate.md"),
    include_str!("../../../../docs/reference/mapping/parts-of-date.md"),
    include_str!("../../../../docs/reference/mapping/pick.md"),
    include_str!("../../../../docs/reference/mapping/replace.md"),
    include_str!("../../../../docs/reference/mapping/round.md"),
    include_str!("../../../../docs/reference/mapping/set-in-date.md"),
    include_str!("../../../../docs/reference/mapping/sort-texts.md"),
    include_str!("../../../../docs/reference/mapping/sort.md"),
    include_str!("../../../../docs/reference/mapping/split.md"),
    include_str!("../../../../docs/reference/mapping/sum.md"),
    include_str!("../../../../docs/reference/mapping/trim.md"),
    include_str!("../../../../docs/reference/mapping/url.md"),
    include_str!("../../../../docs/reference/mapping/weekdays.md"),
];

const INTRODUCTION: &str = include_str!("../../../../docs/reference/mapping/README.md");

/// Examples of one function.
const EXAMPLES_MAX: usize = 4;

/// Names that the engine adds to those of the language, and what they stand
/// for. One without words is another way to write the one before.
const ENGINE_NAMES: [(&str, &str); 5] = [
    ("celonis", "What began the run."),
    (
        "var",
        "Variables of the flow, inputs of the run, facts about it: `var.flow.x`, `var.input.x`, `var.scenario.name`.",
    ),
    ("executionId", "The id of the run."),
    ("executionID", ""),
    ("operationKey", "The same text whenever this operation is repeated: an idempotency key."),
];

/// A function, as it is explained.
#[derive(Debug)]
pub struct Explained {
    /// Where an editor shows it: `general`, `text`, `math`, `array` or `date`.
    pub group: &'static str,
    /// The function itself.
    pub function: &'static Function,
    /// How it is used.
    pub examples: Vec<Example>,
}

/// A template, and what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// One expression in braces.
    pub template: String,
    /// Its value, where module 1 has given [`example_bundle`].
    pub result: Json,
}

/// An operator, as it is explained.
#[derive(Debug)]
pub struct Operator {
    /// As it is usually written.
    pub name: &'static str,
    /// How else it may be written.
    pub also: Vec<&'static str>,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

/// Explains every function.
pub fn functions() -> &'static [Explained] {
    static EXPLAINED: LazyLock<Vec<Explained>> = LazyLock::new(|| {
        let all = FUNCTIONS.iter().flat_map(|(group, family)| family.iter().map(|function| (*group, function)));
        all.map(|(group, function)| Explained { group, function, examples: examples_of(function) }).collect()
    });
    &EXPLAINED
}

/// Lists names: those of the language, then those of the engine; each with
/// what it stands for.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let engine = ENGINE_NAMES.into_iter().filter(|(_, summary)| !summary.is_empty());
    KEYWORDS.iter().map(|keyword| (keyword.name, keyword.summary)).chain(engine)
}

/// Tells whether a name stands for something.
pub(crate) fn is_known(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.name == name) || ENGINE_NAMES.iter().any(|(known, _)| *known == name)
}

/// Lists the operators, the weakest first.
pub fn operators() -> Vec<Operator> {
    let mut listed: Vec<(Binary, Operator)> = Vec::new();
    for (name, binary) in LEVELS.iter().copied().flatten().copied() {
        match listed.iter_mut().find(|(known, _)| *known == binary) {
            Some((_, operator)) => operator.also.push(name),
            None => listed.push((binary, Operator { name, also: Vec::new(), summary: binary.summary() })),
        }
    }
    listed.into_iter().map(|(_, operator)| operator).collect()
}

/// Returns the bundle of module 1 that the examples take from.
pub fn example_bundle() -> &'static Json {
    static BUNDLE: LazyLock<Json> = LazyLock::new(|| {
        let json = INTRODUCTION.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        serde_json::from_str(json.expect("the introduction shows a bundle")).expect("a test reads it, too")
    });
    &BUNDLE
}

/// Finds the examples that use a function, those that are about it first.
/// Those that come to nothing, or to a mistake, teach less and are left out.
fn examples_of(function: &Function) -> Vec<Example> {
    let call = format!("{}(", function.name);
    let mut found: Vec<(bool, Example)> = Vec::new();
    for page in PAGES.iter().filter(|page| title(page).any(|name| name == function.name)) {
        for (expression, result) in examples_in(page).filter(|(expression, _)| expression.contains(&call)) {
            let Ok(result) = serde_json::from_str(result) else { continue };
            let is_about_it = expression.starts_with(&call);
            found.push((is_about_it, Example { template: format!("{{{{{expression}}}}}"), result }));
        }
    }
    found.sort_by_key(|(is_about_it, _)| !is_about_it);
    found.into_iter().map(|(_, example)| example).take(EXAMPLES_MAX).collect()
}

/// Returns the functions that a page is about.
fn title(page: &str) -> impl Iterator<Item = &str> {
    page.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().split(", ")
}

/// Returns the lines of the blocks of examples on a page.
fn examples_in(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = page.split("```mapping\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).filter_map(|line| line.rsplit_once(" => "))
}
