//! Questions to the data of a model: what the Intelligence API asks.
#![expect(clippy::needless_raw_string_hashes, reason = "updated snapshots are written with them")]

mod filters;

use std::fmt::Write as _;

use base::error::Coded;
use expect_test::{Expect, expect};
use pools::{Mode, Piece};

use super::{House, model, rows};
use crate::{DataQuestion, Search};

const EVENTS: &str = "
    CASE | ACT    | TS:time
    1    | Create | 2026-03-01 08:00
    1    | Ship   | 2026-03-02 08:00
    2    | Create | 2026-03-01 09:00
    3    | Create | 2026-03-01 10:00
    3    | Ship   | 2026-03-03 10:00
    4    | Create | 2026-03-04 10:00";

const ORDERS: &str = "
    CASE | VENDOR | VALUE:int | CITY      | DUE:time
    1  | v1     | 100       | New York  | 2026-03-05 00:00
    2  | v1     | 250       | O'Fallon  | 2026-03-06 12:00
    3  | v2     | -         | Ulm       | -
    4  | v9     | 40        | New Delhi | 2026-03-05 00:00";

const VENDORS: &str = "
    ID | NAME
    v1 | Miller
    v2 | Meyer
    v3 | Nobody";

const MODEL: &str = r#"
metadata: { key: km }
dataModelId: orders
records:
  - id: ORDER
    displayName: Order
    pql: '"ORDERS"'
    identifier: { id: ID, displayName: Number, pql: '"ORDERS"."CASE"' }
    attributes:
      - { id: VALUE, pql: '"ORDERS"."VALUE"', unit: EUR }
      - { id: CITY, pql: '"ORDERS"."CITY"' }
      - { id: DUE, pql: '"ORDERS"."DUE"', columnType: date }
      - { id: STEPS, pql: 'PU_COUNT("ORDERS", "EV"."ACT")' }
    flags:
      - { id: SHIPPED, pql: 'CASE WHEN PU_COUNT("ORDERS", "EV"."ACT", "EV"."ACT" = ''Ship'') > 0 THEN 1 ELSE 0 END' }
  - id: VENDOR
    pql: '"VENDORS"'
    identifier: { id: ID, pql: '"VENDORS"."ID"' }
    filterIds: [KNOWN]
    attributes:
      - { id: NAME, pql: '"VENDORS"."NAME"' }
filters:
  - { id: KNOWN, pql: '"VENDORS"."NAME" != ''Nobody''' }
  - { id: DEAR, pql: 'ORDER.VALUE >= 100' }
kpis:
  - { id: COUNT, pql: 'COUNT("ORDERS"."CASE")' }
  - { id: SUM, pql: 'SUM(ORDER.VALUE)', unit: EUR }
"#;

async fn house() -> House {
    let keys = [("ORDERS", "VENDOR", "VENDORS", "ID")];
    let house = House::new(model(&["EV", "ORDERS", "VENDORS"], Some("ORDERS"), &keys));
    for (table, text) in [("EV", EVENTS), ("ORDERS", ORDERS), ("VENDORS", VENDORS)] {
        house.push(table, Mode::Append, vec![Piece::Upsert(rows(text))]).await;
    }
    house.publish(MODEL).await;
    house
}

fn texts(list: &str) -> Vec<String> {
    list.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn of_order(fields: &str, filter: &str, sort: &str) -> DataQuestion {
    DataQuestion {
        record: Some("ORDER".into()),
        fields: texts(fields),
        filter_exprs: Some(filter).filter(|filter| !filter.is_empty()).map(str::to_owned).into_iter().collect(),
        sort: texts(sort),
        page_size: 50,
        ..DataQuestion::default()
    }
}

fn across(fields: &str, kpis: &str, sort: &str) -> DataQuestion {
    let (fields, kpis, sort) = (texts(fields), texts(kpis), texts(sort));
    DataQuestion { fields, kpis, sort, page_size: 50, ..DataQuestion::default() }
}

async fn told(house: &House, question: DataQuestion) -> String {
    match house.mining().data("p.km", question).await {
        Err(error) => format!("{}: {error}\n", error.code()),
        Ok(answer) => {
            let mut text = format!("{} in all\n", answer.total);
            for row in &answer.rows {
                let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
                let _ = writeln!(text, "{}", cells.join(" | "));
            }
            text
        }
    }
}

async fn check(house: &House, question: DataQuestion, expected: Expect) {
    expected.assert_eq(&told(house, question).await);
}

#[tokio::test]
async fn the_data_of_a_record_is_filtered_sorted_and_cut() {
    let house = house().await;
    for (filter, expected) in [
        (
            "",
            expect![[r#"
            4 in all
            2 | 250 | O'Fallon
            1 | 100 | New York
            4 | 40 | New Delhi
            3 | NULL | Ulm
        "#]],
        ),
        (
            "VALUE gt 50 and not (CITY eq 'Ulm')",
            expect![[r#"
            2 in all
            2 | 250 | O'Fallon
            1 | 100 | New York
        "#]],
        ),
        (
            "CITY eq 'O''Fallon' or VALUE eq null",
            expect![[r#"
            2 in all
            2 | 250 | O'Fallon
            3 | NULL | Ulm
        "#]],
        ),
        (
            "CITY eq New York,VALUE ge 100",
            expect![[r#"
            1 in all
            1 | 100 | New York
        "#]],
        ),
        (
            "CITY in ('Ulm', 'New Delhi')",
            expect![[r#"
            2 in all
            4 | 40 | New Delhi
            3 | NULL | Ulm
        "#]],
        ),
        (
            "contains(CITY,'ew ') and startswith(CITY,'New') and endswith(CITY, 'i')",
            expect![[r#"
            1 in all
            4 | 40 | New Delhi
        "#]],
        ),
        (
            "contains(CITY,'%')",
            expect![[r#"
            0 in all
        "#]],
        ),
        (
            "DUE ge 2026-03-06T13:00:00+01:00",
            expect![[r#"
            1 in all
            2 | 250 | O'Fallon
        "#]],
        ),
        (
            "DUE lt '2026-03-06'",
            expect![[r#"
            2 in all
            1 | 100 | New York
            4 | 40 | New Delhi
        "#]],
        ),
        (
            "SHIPPED eq true",
            expect![[r#"
            2 in all
            1 | 100 | New York
            3 | NULL | Ulm
        "#]],
        ),
        (
            "VALUE lt 99.5",
            expect![[r#"
            1 in all
            4 | 40 | New Delhi
        "#]],
        ),
        (
            "VALUE in (40, 250.0)",
            expect![[r#"
            2 in all
            2 | 250 | O'Fallon
            4 | 40 | New Delhi
        "#]],
        ),
        (
            "VALUE gt many",
            expect![[r#"
            filter-expression-invalid: filterExpr "VALUE gt many", column 10: "many" is not a whole number, or true or false, which the field holds
        "#]],
        ),
        (
            "CITTY eq 'Ulm'",
            expect![[r#"
            filter-expression-invalid: filterExpr "CITTY eq 'Ulm'", column 1: there is no field "CITTY"; did you mean "CITY"?
        "#]],
        ),
        (
            "VALUE EQ 5",
            expect![[r#"
            filter-expression-invalid: filterExpr "VALUE EQ 5", column 7: expected eq, ne, gt, ge, lt, le or in, found "EQ"; write it in lower case, "eq"
        "#]],
        ),
        (
            "VALUE gt 5 and",
            expect![[r#"
            filter-expression-invalid: filterExpr "VALUE gt 5 and", column 15: expected a field, the text ends
        "#]],
        ),
        (
            "CITY eq 'Ulm",
            expect![[r#"
            filter-expression-invalid: filterExpr "CITY eq 'Ulm", column 9: the text that begins here has no quote at its end
        "#]],
        ),
        (
            "contains(VALUE,'4')",
            expect![[r#"
            filter-expression-invalid: filterExpr "contains(VALUE,'4')", column 10: "VALUE" is no text; compare it with eq, ne, gt, ge, lt, le or in
        "#]],
        ),
    ] {
        check(&house, of_order("ID,VALUE,CITY", filter, "-VALUE"), expected).await;
    }
    check(
        &house,
        DataQuestion { page: 1, page_size: 3, ..of_order("ID", "", "ID") },
        expect![[r#"
        4 in all
        4
    "#]],
    )
    .await;
    check(
        &house,
        DataQuestion { distinct: true, ..of_order("DUE", "", "+DUE") },
        expect![[r#"
        3 in all
        NULL
        2026-03-05T00:00:00.000Z
        2026-03-06T12:00:00.000Z
    "#]],
    )
    .await;
    check(
        &house,
        DataQuestion { filters: texts("DEAR"), ..of_order("ID,STEPS", "", "ID") },
        expect![[r#"
        2 in all
        1 | 2
        2 | 1
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_search_finds_what_is_like_its_term() {
    let house = house().await;
    let search = |term: &str, precision| DataQuestion {
        search: Some(Search { term: term.into(), field: "CITY".into(), precision }),
        ..of_order("CITY", "", "CITY")
    };
    check(
        &house,
        search("new", None),
        expect![[r#"
        2 in all
        New Delhi
        New York
    "#]],
    )
    .await;
    check(
        &house,
        search("nev york", None),
        expect![[r#"
        1 in all
        New York
    "#]],
    )
    .await;
    check(
        &house,
        search("nev york", Some(100)),
        expect![[r#"
        0 in all
    "#]],
    )
    .await;
    check(
        &house,
        search("x", Some(0)),
        expect![[r#"
        search-invalid: the precision of a search is a number from 1 to 100
    "#]],
    )
    .await;
    check(
        &house,
        search(" ", None),
        expect![[r#"
        search-invalid: the search has no term
    "#]],
    )
    .await;
}

#[tokio::test]
async fn data_across_records_is_grouped_by_its_fields() {
    let house = house().await;
    check(
        &house,
        across("VENDOR.NAME,ORDER.ID", "", "-ORDER.ID"),
        expect![[r#"
        3 in all
        Meyer | 3
        Miller | 2
        Miller | 1
    "#]],
    )
    .await;
    check(
        &house,
        across("VENDOR.NAME", "COUNT,SUM", "-SUM"),
        expect![[r#"
        2 in all
        Miller | 2 | 350
        Meyer | 1 | NULL
    "#]],
    )
    .await;
    check(
        &house,
        across("", "SUM", ""),
        expect![[r#"
        1 in all
        390
    "#]],
    )
    .await;
    check(
        &house,
        across("NAME", "", ""),
        expect![[r#"
        field-unknown: there is no field "NAME"; a field is written RECORD.FIELD here
    "#]],
    )
    .await;
    check(
        &house,
        across("VENDOR.NAM", "", ""),
        expect![[r#"
        field-unknown: there is no field "VENDOR.NAM"; did you mean "VENDOR.NAME"?
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_the_name() {
    let house = house().await;
    let record = |record: &str| DataQuestion { record: Some(record.into()), ..of_order("ID", "", "") };
    check(
        &house,
        record("ORDRE"),
        expect![[r#"
        record-unknown: knowledge model "p.km" has no record "ORDRE"; did you mean "ORDER"?
    "#]],
    )
    .await;
    check(
        &house,
        of_order("", "", ""),
        expect![[r#"
        fields-missing: nothing is asked for: name at least one field or KPI
    "#]],
    )
    .await;
    check(
        &house,
        of_order("ID", "", "VALUE"),
        expect![[r#"
        sort-illegal: cannot sort by "VALUE", which is not among the fields and KPIs that are asked for
    "#]],
    )
    .await;
    check(
        &house,
        of_order("ID", "", "ID,-ID"),
        expect![[r#"
        sort-opposite: the sort names "ID" in both directions; leave one out
    "#]],
    )
    .await;
    check(
        &house,
        DataQuestion { sort: vec!["+".into()], ..of_order("ID", "", "") },
        expect![[r#"
        sort-empty: an entry of the sort names no field
    "#]],
    )
    .await;
    check(&house, DataQuestion { kpis: texts("SUM"), ..of_order("ID", "", "") }, expect![[r#"
        kpi-of-record: a KPI has no place in the data of one record; ask at the model, where fields are written RECORD.FIELD
    "#]]).await;
    check(
        &house,
        DataQuestion { filters: texts("dear"), ..of_order("ID", "", "") },
        expect![[r#"
        filter-unknown: there is no filter "dear"; did you mean "DEAR"?
    "#]],
    )
    .await;
    check(
        &house,
        across("ORDER.ID", "COUNTT", ""),
        expect![[r#"
        kpi-unknown: there is no KPI "COUNTT"; did you mean "COUNT"?
    "#]],
    )
    .await;
    let many = vec!["ID".to_owned(); 201];
    check(
        &house,
        DataQuestion { fields: many, ..of_order("", "", "") },
        expect![[r#"
        fields-too-many: 201 fields and KPIs are asked for; at most 200 are possible
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_answer_has_everything_that_is_committed_and_the_clock_of_the_process() {
    let house = house().await;
    let question = across("", "COUNT", "");
    assert_eq!(told(&house, question.clone()).await, "1 in all\n4\n");
    let more = "CASE | VENDOR | VALUE:int | CITY | DUE:time\n 5 | v1 | 1 | Bonn | -";
    house.append("ORDERS", more).await;
    assert_eq!(told(&house, question).await, "1 in all\n5\n");
}

#[tokio::test]
async fn a_summary_tells_what_values_are_like() {
    let house = house().await;
    let mut text = String::new();
    for field in house.mining().record_summary("p.km", "ORDER").await.expect("a record") {
        let crate::FieldSummary { id, count, distinct, min, max, avg, .. } = field;
        let _ = writeln!(text, "{id}: {count} values, {distinct} different, {min} to {max}, {avg} on average");
    }
    expect![[r#"
        ID: 4 values, 4 different, 1 to 4, NULL on average
        VALUE: 3 values, 3 different, 40 to 250, 130.0 on average
        CITY: 4 values, 4 different, New Delhi to Ulm, NULL on average
        DUE: 3 values, 2 different, 2026-03-05T00:00:00.000Z to 2026-03-06T12:00:00.000Z, NULL on average
        STEPS: 4 values, 2 different, 1 to 2, 1.5 on average
        SHIPPED: 4 values, 2 different, 0 to 1, 0.5 on average
    "#]]
    .assert_eq(&text);
}
