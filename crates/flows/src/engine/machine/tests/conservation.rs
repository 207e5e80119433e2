//! Aggregators lose no bundle and double none, whatever loops lie in between.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::play;

/// A loop in a loop, each closed by its own aggregator; what the inner one
/// collects may be filtered, and is grouped if `group_by` says by what.
fn flow(group_by: &str, keeps: &str) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - {{ id: 2, module: "builtin:BasicFeeder", mapper: {{ array: "{{{{1.outer}}}}" }} }}
  - {{ id: 3, module: "builtin:BasicFeeder", mapper: {{ array: "{{{{2.inner}}}}" }} }}
  - id: 4
    module: builtin:BasicAggregator
    parameters: {{ feeder: 3 }}
    mapper: {{ n: "{{{{3.value}}}}" }}
    filter: {{ conditions: {keeps} }}
    flags: {{ groupBy: "{group_by}" }}
  - {{ id: 5, module: "builtin:BasicAggregator", parameters: {{ feeder: 2 }}, mapper: {{ key: "{{{{4.key}}}}", all: "{{{{4.array}}}}" }} }}
"#
    )
}

/// What came out at the end: the numbers by the bundle that the inner
/// aggregator made of them.
fn collected(flow: &str, outer: &[Vec<i64>]) -> Vec<(Json, Vec<i64>)> {
    let outer: Vec<Json> = outer.iter().map(|inner| json!({ "inner": inner })).collect();
    let happened = play(flow, &[json!({ "outer": outer })]);
    let last = happened.lines().rev().nth(1).expect("the outer aggregator closed last");
    let bundle = last.split_once(" success ").filter(|(who, _)| who.starts_with("5 ")).expect("it is module 5").1;
    let bundle: Json = serde_json::from_str(bundle).expect("one bundle");
    let groups = bundle["array"].as_array().expect("an array").iter();
    let numbers = |group: &Json| {
        let items = group["all"].as_array().into_iter().flatten();
        items.map(|item| item["n"].as_i64().expect("a number")).collect()
    };
    groups.map(|group| (group["key"].clone(), numbers(group))).collect()
}

fn nested() -> impl Strategy<Value = Vec<Vec<i64>>> {
    prop::collection::vec(prop::collection::vec(0..5_i64, 0..6), 0..6)
}

proptest! {
    #[test]
    fn each_outer_turn_has_its_own_inner_array(outer in nested()) {
        let arrays: Vec<Vec<i64>> = collected(&flow("", "[]"), &outer).into_iter().map(|(_, numbers)| numbers).collect();
        prop_assert_eq!(arrays, outer);
    }

    #[test]
    fn groups_share_out_what_there_is(outer in nested()) {
        let expected: Vec<(Json, Vec<i64>)> = outer
            .iter()
            .flat_map(|inner| {
                // In the order in which each key came first; nothing makes one group without key.
                let mut keys: Vec<i64> = Vec::new();
                for n in inner {
                    if !keys.contains(n) {
                        keys.push(*n);
                    }
                }
                let group = |key: i64| (json!(key), inner.iter().copied().filter(|n| *n == key).collect());
                if keys.is_empty() { vec![(Json::Null, Vec::new())] } else { keys.into_iter().map(group).collect() }
            })
            .collect();
        prop_assert_eq!(collected(&flow("{{3.value}}", "[]"), &outer), expected);
    }

    #[test]
    fn a_filter_on_an_aggregator_decides_what_it_collects(outer in nested(), limit in 0..5_i64) {
        let keeps = format!(r#"[[{{ a: "{{{{3.value}}}}", o: "number:less", b: "{limit}" }}]]"#);
        let arrays: Vec<Vec<i64>> = collected(&flow("", &keeps), &outer).into_iter().map(|(_, numbers)| numbers).collect();
        let expected: Vec<Vec<i64>> =
            outer.iter().map(|inner| inner.iter().copied().filter(|n| *n < limit).collect()).collect();
        prop_assert_eq!(arrays, expected);
    }
}
