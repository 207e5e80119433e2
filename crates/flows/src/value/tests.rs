use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Absent),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e9..1e9f64).prop_map(Value::Float),
        "[ -~]{0,8}".prop_map(Value::text),
        any::<i64>().prop_map(|micros| Value::Date(Timestamp::from_micros(micros))),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Buffer(bytes.into())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::array),
            prop::collection::vec(("[$a-c]{1,5}|\\$date|\\$fields", inner), 0..4)
                .prop_map(|fields| Value::Collection(Arc::new(fields.into_iter().collect()))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_stored_is_read_back(value in any_value()) {
        prop_assert_eq!(Value::from_stored(value.to_stored()), value);
    }
}

#[test]
fn ids_of_eighteen_digits_stay_exact() {
    let json: Json = serde_json::from_str(r#"{"run_id": 912345678901234567}"#).expect("JSON");
    assert_eq!(Value::from_json(json).field("run_id").to_text(), "912345678901234567");
}

#[test]
fn absent_is_left_out_and_null_is_not() {
    let value = Value::collection([("a", Value::Absent), ("b", Value::Null), ("c", Value::number(2.0))]);
    assert_eq!(value.to_json().to_string(), r#"{"b":null,"c":2}"#);
}

#[test]
fn text_reads_as_a_number_only_where_a_person_would() {
    for (text, number) in [
        ("7", Some("7")),
        (" 1.50 ", Some("1.5")),
        ("-3", Some("-3")),
        ("inf", None),
        ("", None),
        ("1e3", Some("1000")),
    ] {
        assert_eq!(read_number(text).map(|value| value.to_text()).as_deref(), number, "{text:?}");
    }
}
