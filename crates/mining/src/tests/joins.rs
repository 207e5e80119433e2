//! How tables meet: sides, paths, and what is said where they do not.

use std::sync::Arc;

use base::Timestamp;
use expect_test::{Expect, expect};
use pools::{Change, Mode, Rows};

use super::asking::told;
use super::{model, rows};
use crate::log::{Applied, EventLog};

const EVENTS: &str = "CASE | ACT | TS:time
    1 | A | 2026-03-01 08:00
    1 | B | 2026-03-01 09:00
    2 | A | 2026-03-01 08:00";
const ORDERS: &str = "CASE | VENDOR | PAYER\n1 | v1 | v2\n2 | v1 | -";
const VENDORS: &str = "ID | NAME\nv1 | Miller\nv2 | Smith";

fn load(tables: &[(&str, &str)], joins: &[(&str, &str, &str, &str)]) -> Result<Arc<EventLog>, String> {
    let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
    let loaded: Vec<(Rows, Vec<String>)> = tables.iter().map(|(_, text)| (rows(text), Vec::new())).collect();
    EventLog::new(&model(&names, Some("ORDERS"), joins), &loaded, 1).map(Arc::new)
}

fn check(tables: &[(&str, &str)], joins: &[(&str, &str, &str, &str)], pql: &str, expected: &Expect) {
    let found = load(tables, joins).map_or_else(|said| said, |log| told(&log, pql, Timestamp::EPOCH));
    expected.assert_eq(found.trim_end());
}

#[test]
fn the_rows_say_which_side_repeats() {
    let tables = [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", VENDORS)];
    let pql = r#""ORDERS"."CASE", "VENDOR"."NAME""#;
    check(&tables, &[("ORDERS", "VENDOR", "VENDOR", "ID")], pql, &expect!["1 | Miller\n2 | Miller"]);
    // Declared the wrong way round.
    check(&tables, &[("VENDOR", "ID", "ORDERS", "VENDOR")], pql, &expect!["1 | Miller\n2 | Miller"]);
    // One to one stays as it was declared.
    check(&tables, &[("VENDOR", "ID", "ORDERS", "PAYER")], pql, &expect!["NULL | Miller\n1 | Smith"]);
}

#[test]
fn many_to_many_is_refused_with_the_mend() {
    let vendors = "ID | NAME\nv1 | Miller\nv1 | Muller\n- | Nobody\n- | Nobody";
    let tables = [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", vendors)];
    check(
        &tables,
        &[("ORDERS", "VENDOR", "VENDOR", "ID")],
        r#""ORDERS"."CASE""#,
        &expect![[
            r#"tables "ORDERS" and "VENDOR" are joined N:M, because values of "VENDOR" = "ID" occur several times in both, such as "VENDOR" = 'v1' in the rows 1 and 2 of "ORDERS" and "ID" = 'v1' in the rows 1 and 2 of "VENDOR"; leave one of the rows out, or put a mapping table between them that has one row per pair, and join both to it"#
        ]],
    );
    // With it, both hang on the mapping table.
    let mapping = "CASE | ID\n1 | v1\n2 | v1\n2 | v2";
    check(
        &[("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", VENDORS), ("MAP", mapping)],
        &[("MAP", "CASE", "ORDERS", "CASE"), ("MAP", "ID", "VENDOR", "ID")],
        r#""ORDERS"."CASE", "VENDOR"."NAME", COUNT_TABLE("MAP")"#,
        &expect!["1 | Miller | 1\n2 | Miller | 1\n2 | Smith | 1"],
    );
}

#[test]
fn a_key_that_comes_to_repeat_asks_for_a_new_look() {
    let tables = [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", VENDORS)];
    let log = load(&tables, &[("ORDERS", "VENDOR", "VENDOR", "ID")]).expect("it loads");
    let arriving = |table: &str, text: &str| Change {
        number: 2,
        table: table.into(),
        mode: Mode::Append,
        upserts: rows(text),
        deletes: rows("ID"),
        at: Timestamp::EPOCH,
        causes: base::Causes::NONE,
    };
    let applied = |change: Change| EventLog::clone(&log).apply(&change);
    assert!(matches!(applied(arriving("VENDOR", "ID | NAME\nv3 | Nobody")), Applied::Touched(_)));
    assert!(matches!(applied(arriving("ORDERS", "CASE | VENDOR | PAYER\n3 | v1 | v1")), Applied::Touched(_)));
    assert!(matches!(applied(arriving("VENDOR", "ID | NAME\nv1 | Muller")), Applied::Reload));
}

#[test]
fn two_ways_are_told_with_the_mend() {
    let tables = [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", VENDORS)];
    let joins = [("ORDERS", "VENDOR", "VENDOR", "ID"), ("ORDERS", "PAYER", "VENDOR", "ID")];
    check(
        &tables,
        &joins,
        r#""ORDERS"."CASE", "VENDOR"."NAME""#,
        &expect![[
            r#"line 1, column 18: table "ORDERS" and table "VENDOR" are joined in more than one way; say which one with a PU operator, or with BIND over a table in between"#
        ]],
    );
    check(
        &tables,
        &joins,
        r#"FILTER "VENDOR"."NAME" = 'Smith'; "ORDERS"."CASE""#,
        &expect![[
            r#"line 1, column 8: table "VENDOR" and table "ORDERS" are joined in more than one way, so the condition does not reach it; use a PU operator, BIND or LOOKUP"#
        ]],
    );
    check(
        &tables,
        &joins,
        r#"PU_COUNT("VENDOR", "ORDERS"."CASE")"#,
        &expect![[
            r#"line 1, column 10: table "ORDERS" is joined to table "VENDOR" in more than one way; go over one table in between with BIND"#
        ]],
    );
    // A lookup says by which keys.
    check(
        &tables,
        &joins,
        r#""ORDERS"."CASE", LOOKUP("ORDERS", "VENDOR"."NAME", ("ORDERS"."PAYER", "VENDOR"."ID"))"#,
        &expect!["1 | Smith\n2 | NULL"],
    );
}

#[test]
fn tables_apart_are_told_with_the_mend() {
    let tables = [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", VENDORS)];
    check(
        &tables,
        &[],
        r#""ORDERS"."CASE", "VENDOR"."NAME""#,
        &expect![[
            r#"line 1, column 18: table "ORDERS" and table "VENDOR" have no common table; pull one up with a PU operator or use BIND"#
        ]],
    );
    check(
        &tables,
        &[],
        r#"FILTER "VENDOR"."NAME" = 'Smith'; "ORDERS"."CASE""#,
        &expect![[
            r#"line 1, column 8: table "VENDOR" and table "ORDERS" are not joined, so the condition does not reach it; use a PU operator, BIND or LOOKUP"#
        ]],
    );
}

#[test]
fn each_source_row_counts_once_over_several_joins() {
    let vendors = "ID | NAME | COUNTRY\nv1 | Miller | DE\nv2 | Smith | DE\nv3 | Nobody | FR";
    check(
        &[("EV", EVENTS), ("ORDERS", ORDERS), ("VENDOR", vendors), ("COUNTRY", "CODE\nDE\nFR")],
        &[("ORDERS", "VENDOR", "VENDOR", "ID"), ("VENDOR", "COUNTRY", "COUNTRY", "CODE")],
        r#""COUNTRY"."CODE", PU_COUNT("COUNTRY", "EV"."ACT"), PU_COUNT("COUNTRY", "ORDERS"."CASE"),
           PU_COUNT("COUNTRY", "VENDOR"."ID"), PU_SUM("COUNTRY", PU_COUNT("VENDOR", "EV"."ACT"))"#,
        &expect!["DE | 3 | 2 | 2 | 3\nFR | 0 | 0 | 1 | 0"],
    );
}
