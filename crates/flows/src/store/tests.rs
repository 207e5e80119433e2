//! Laws of stores, over records in memory.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value(json: Json) -> Value {
    Value::from_json(json)
}

static UTC: TimeZone = TimeZone::UTC;

fn asker(semantics: &Semantics) -> Asker<'_> {
    Asker { semantics, zone: &UTC, bytes_max: usize::MAX }
}

#[test]
fn an_update_sets_what_is_filled_in() {
    let check = |before: Json, new: Json, overwrites_arrays: bool, expected: Json| {
        let change = Change::Update { key: "k".into(), data: value(new), adds: false, overwrites_arrays };
        let after = change.apply(Some(value(before))).expect("it is there").expect("it stays");
        assert_eq!(after.to_json(), expected);
    };
    check(json!({"a": 1, "b": 2}), json!({"a": 3}), false, json!({"a": 3, "b": 2}));
    check(json!({"a": 1, "b": 2}), json!({"a": "", "b": null}), false, json!({"a": 1, "b": null}));
    check(json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), false, json!({"a": {"x": 1, "y": 2}}));
    check(json!({"a": [1]}), json!({"a": [2]}), false, json!({"a": [1, 2]}));
    check(json!({"a": [1]}), json!({"a": [2]}), true, json!({"a": [2]}));
    check(json!({"a": 1}), json!({"a": {"y": ""}}), false, json!({"a": {"y": ""}}));
}

#[test]
fn a_search_reads_columns_and_not_mappings() {
    let mut shelf: InMemory = [("a", json!({"n": 7, "in": {"x": "Y"}})), ("b", json!({"n": "51"})), ("c", json!({}))]
        .into_iter()
        .map(|(key, data)| (key.to_owned(), value(data)))
        .collect();
    let mut found = |filter: Json, sort: Json, limit: Option<usize>| {
        let search = Search::read(&value(filter), &value(sort), limit, false).expect("a search");
        let bundles = Act::Search(search).read(&mut shelf, &asker(&Semantics::default())).expect("memory");
        let keys: Vec<String> = bundles.expect("records").iter().map(|bundle| bundle.field("key").to_text()).collect();
        keys.join("")
    };
    assert_eq!(found(json!(null), json!(null), None), "abc");
    assert_eq!(found(json!([[{"a": "n", "o": "number:greater", "b": "8"}]]), json!([]), None), "b");
    assert_eq!(found(json!([[{"a": "in.x", "o": "text:equal:ci", "b": "y"}]]), json!([]), None), "a");
    assert_eq!(found(json!([[{"a": "key", "o": "text:equal", "b": "c"}], [{"a": "n"}]]), json!([]), None), "abc");
    assert_eq!(found(json!([[{"a": "n", "o": "nobody:knows", "b": 1}]]), json!([]), None), "");
    assert_eq!(found(json!([]), json!([{"key": "n", "order": "desc"}]), None), "bac");
    assert_eq!(found(json!([]), json!([{"key": "key", "order": "desc"}]), Some(2)), "cb");
}

#[test]
fn what_is_no_search_is_told() {
    let told = |filter: Json, sort: Json| Search::read(&value(filter), &value(sort), None, false).expect_err("refused");
    assert_eq!(told(json!([[{"o": "exist"}]]), json!([])), "a condition of \"filter\" has no field \"a\"");
    assert!(told(json!([]), json!([{"key": "a", "order": "up"}])).starts_with("\"sort\" has the order \"up\""));
}

fn scalars() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-5_i64..5).prop_map(Json::from),
        (-5_i32..5).prop_map(|number| Json::from(f64::from(number) / 2.0)),
        "[a-c0-3]{0,2}".prop_map(Json::from),
    ]
}

fn records() -> impl Strategy<Value = Vec<(String, Json)>> {
    let data = prop::collection::btree_map("[xyz]", scalars(), 0..3).prop_map(|fields| json!(fields));
    prop::collection::vec(("[a-f]", data), 0..12)
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let data = prop::collection::btree_map("[xyz]", scalars(), 0..3).prop_map(|fields| value(json!(fields)));
    let change = ("[a-c]", data, any::<bool>(), 0..9_u8).prop_map(|(key, data, flag, kind)| match kind {
        0..=2 => Change::Add { key, data, overwrites: flag },
        3..=5 => Change::Update { key, data, adds: flag, overwrites_arrays: false },
        6..=7 => Change::Delete { key },
        _ => Change::Clear,
    });
    prop::collection::vec(change, 0..8)
}

proptest! {
    /// A search with a limit and an order is the first part of all that its
    /// filter finds, in order.
    #[test]
    fn a_search_is_a_filter_over_all(
        records in records(),
        column in "[xyz]",
        operator in prop::sample::select(vec!["number:less", "text:equal", "exist", "number:greaterorequal", "text:contain"]),
        operand in scalars(),
        limit in prop::option::of(1_usize..6),
        descends in any::<bool>(),
    ) {
        let mut shelf: InMemory = records.into_iter().map(|(key, data)| (key, value(data))).collect();
        let filter = json!([[{"a": column, "o": operator, "b": operand}]]);
        let order = if descends { "desc" } else { "asc" };
        let read = |sort: Json, limit| Search::read(&value(filter.clone()), &value(sort), limit, false).expect("a search");
        let semantics = Semantics::default();
        let keys = |search: Search, shelf: &mut InMemory| -> Vec<String> {
            let bundles = search.run(shelf, &asker(&semantics)).expect("memory").expect("records");
            bundles.iter().map(|bundle| bundle.field("key").to_text()).collect()
        };
        let all: Vec<String> = shelf
            .iter()
            .filter(|(_, data)| {
                let left = semantics.left_side(operator, data.field(&column));
                crate::filter::holds(operator, &left, &value(operand.clone()), &TimeZone::UTC)
            })
            .map(|(key, _)| key.clone())
            .collect();
        prop_assert_eq!(keys(read(json!([]), None), &mut shelf), all.clone());
        let sorted = keys(read(json!([{"key": column, "order": order}]), None), &mut shelf);
        let mut same = sorted.clone();
        same.sort();
        prop_assert_eq!(same, all);
        let first = keys(read(json!([{"key": column, "order": order}]), limit), &mut shelf);
        prop_assert_eq!(&first[..], &sorted[..sorted.len().min(limit.unwrap_or(usize::MAX))]);
    }

    #[test]
    fn a_stored_change_is_read_back(changes in changes()) {
        for change in changes {
            prop_assert_eq!(Change::from_stored(&change.to_stored()), Some(change));
        }
    }
}
