//! The states of a push job, drawn from the code.

use std::fmt::Write as _;

use expect_test::expect;

use super::*;

#[test]
fn states_follow_each_other() {
    let inputs = [Input::Execute, Input::Claim, Input::Committed, Input::Refused, Input::Interrupted, Input::Cancel];
    let mut table = String::new();
    for state in State::ALL {
        for input in inputs {
            if let Some(next) = next(state, input) {
                writeln!(table, "{state} {input:?} {next}").unwrap();
            }
        }
    }
    expect![[r"
        NEW Execute QUEUED
        NEW Cancel CANCELED
        QUEUED Claim RUNNING
        QUEUED Cancel CANCELED
        RUNNING Committed DONE
        RUNNING Refused ERROR
        RUNNING Interrupted QUEUED
    "]]
    .assert_eq(&table);
    for state in State::ALL {
        assert_eq!(State::of(state.as_str()), Some(state));
        let ends = inputs.iter().all(|input| next(state, *input).is_none());
        assert_eq!(state.is_final(), ends, "{state}");
    }
}

#[test]
fn keys_and_type_say_what_happens_to_the_table() {
    let mut spec = PushJobSpec::csv("Orders");
    assert_eq!(spec.mode(), Mode::Append);
    spec.declared =
        vec![DeclaredColumn { name: "Id".into(), column_type: DeclaredType::String, length: None, key: true }];
    assert_eq!(spec.mode(), Mode::Upsert { keys: vec!["Id".into()], keep_missing: true });
    spec.keys = vec!["Id".into(), "Line".into()];
    spec.upsert_strategy = UpsertStrategy::UpsertWithNullification;
    assert_eq!(spec.mode(), Mode::Upsert { keys: vec!["Id".into(), "Line".into()], keep_missing: false });
    spec.job_type = PushType::Replace;
    assert_eq!(spec.mode(), Mode::Replace);
}

#[test]
fn contradictions_are_refused_and_zeros_mean_unset() {
    let mut spec = PushJobSpec::csv(" Orders ");
    spec.fallback_varchar_length = Some(0);
    let checked = spec.clone().checked().unwrap();
    assert_eq!((checked.target.as_str(), checked.fallback_varchar_length), ("Orders", None));

    let column = DeclaredColumn { name: "Id".into(), column_type: DeclaredType::String, length: None, key: false };
    spec.declared = vec![column.clone(), DeclaredColumn { name: "ID".into(), ..column }];
    let error = spec.checked().unwrap_err();
    expect![[r#"the push job cannot be made: tableSchema names column "ID" twice"#]].assert_eq(&error.to_string());

    let error = PushJobSpec::csv(" ").checked().unwrap_err();
    expect![[r#"" " is no name for a table: it is empty"#]].assert_eq(&error.to_string());
}
