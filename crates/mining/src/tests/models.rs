//! The form of a knowledge model: what is read, what is told, what it means.

use base::error::Coded;
use expect_test::{Expect, expect};

use super::triggers::house;
use super::{House, actor, at};

/// A model in which every key of the form has a meaning.
const WHOLE: &str = r#"
kind: BASE
metadata: { key: km, displayName: Orders, version: 1.2.0 }
dataModelId: ${{data}}
variables:
  - { id: data, value: orders }
  - { id: MANY, value: 2 }
records:
  - id: ORDER
    displayName: Order
    shortDisplayName: Order
    description: One order
    pql: '"EV_CASES"'
    identifier: { id: CASE, displayName: Order, pql: '"EV_CASES"."CASE"', columnType: string }
    attributes:
      - { id: STEPS, pql: 'PU_COUNT("EV_CASES", "EV"."ACT")', columnType: integer, unit: steps }
      - { id: LAST, pql: 'PU_LAST("EV_CASES", "EV"."ACT")', filterIds: [LONG] }
    newAttributes:
      - { id: FIRST, pql: 'PU_FIRST("EV_CASES", "EV"."ACT")' }
    augmentedAttributes:
      - { id: REMARK, columnType: string, defaultValue: none yet }
      - { id: SHADE, columnType: integer, defaultValue: 7, scope: DISABLED }
    flags:
      - { id: CHANGED, pql: 'CASE WHEN PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = ''Change'') > 0 THEN 1 ELSE 0 END' }
    priorities:
      - { id: URGENCY, pql: 'ORDER.STEPS * 10', kpi: ORDERS }
    dataTriggers:
      - { id: OLDER, displayName: Older form, filterIds: [LONG] }
filters:
  - { id: LONG, pql: 'FILTER ORDER.STEPS >= <%= MANY %>;' }
  - { id: LONG_ONES, pql: 'ORDER.CHANGED = 1', filterIds: [LONG] }
  - { id: SHORT, pql: 'ORDER.STEPS = 1' }
  - { id: OFF, scope: DISABLED, pql: 'nonsense (' }
kpis:
  - id: ORDERS
    pql: 'COUNT("EV_CASES"."CASE")'
    desiredDirection: INCREASE
    targets:
      - { id: NOW, value: 3, dateFrom: 2026-03-01, dateUntil: 2026-04-01 }
  - { id: LONG_ORDERS, pql: 'KPI("ORDERS")', filterIds: [LONG] }
  - { id: SHARE, pql: 'KPI("LONG_ORDERS") / {p1}', parameters: [{ id: OF, defaultValue: 2, type: INTEGER }] }
  - id: LONGER_THAN
    pql: 'COUNT(CASE WHEN ORDER.STEPS > {p1} THEN ORDER.STEPS END) * 100 + KPI("SHARE", {p1})'
    filterIds: [LONG]
    parameters: [{ id: STEPS, defaultValue: 1, type: INTEGER }]
  - { id: LONG_AND_SHORT, pql: 'KPI("LONG_ORDERS")', filterIds: [SHORT] }
activities:
  - { id: CREATE, value: Create }
eventLogs:
  - { id: LOG, pql: '"EV"."ACT"', recordId: ORDER, defaultEventLog: true }
eventLogsMetadata:
  transitions: [{ firstEventLogId: LOG, secondEventLogId: LOG, type: INTERLEAVED }]
anomalies:
  - { id: A, kpiIds: [ORDERS] }
actions:
  - { id: NUDGE, records: [ORDER], filters: [LONG], inputs: [{ name: order, attribute: CASE }] }
customObjects:
  - { anything: goes }
"#;

#[tokio::test]
async fn every_key_of_the_form_is_read_and_means_something() {
    let house = house().await;
    let published = house.publish(WHOLE).await;
    assert_eq!(published.notices, [], "nothing is said in vain");
    let triggers: Vec<_> = published.triggers.iter().map(|trigger| (trigger.id.as_str(), trigger.matched)).collect();
    assert_eq!(triggers, [("OLDER", 1)], "the older form is a trigger");
    let mining = house.mining();
    let asked = mining.query(
        "p.km",
        r"TABLE(ORDER.CASE AS c, ORDER.LAST AS last, ORDER.FIRST AS first, ORDER.REMARK AS remark, ORDER.URGENCY AS u)
          ORDER BY ORDER.CASE",
    );
    let rows = asked.await.expect("it fits").rows;
    let rows: Vec<String> = rows.iter().map(|row| row.iter().map(|v| format!("{v} ")).collect()).collect();
    assert_eq!(rows, ["1 NULL Create none yet 10 ", "2 Change Create none yet 20 "], "LAST has a filter");
    let asked = mining.query("p.km", r#"TABLE(KPI("ORDERS") AS a, KPI("LONG_ORDERS") AS b, KPI("SHARE") AS c)"#);
    let rows = asked.await.expect("it fits").rows;
    assert_eq!(format!("{:?}", rows[0]), "[Int(2), Int(1), Float(0.5)]", "only LONG_ORDERS is narrowed");
    let asked = mining.query("p.km", r#"TABLE(KPI("LONGER_THAN") AS a, KPI("LONGER_THAN", 2) AS b)"#);
    let rows = asked.await.expect("it fits").rows;
    assert_eq!(format!("{:?}", rows[0]), "[Float(101.0), Float(0.5)]", "a KPI with filters takes arguments");
    let rows = mining.query("p.km", r#"TABLE(KPI("LONG_AND_SHORT") AS a)"#).await.expect("it fits").rows;
    assert_eq!(format!("{:?}", rows[0]), "[Int(0)]", "the filters of a KPI inside count as well");
    let told = house.mining().describe("p.km").await.expect("it is published");
    let kpi = &told.kpis[0];
    assert_eq!((kpi.target.as_deref(), kpi.direction), (Some("3"), crate::Direction::Increase));
    house.set_clock("p.km", "2026-04-01 00:00").await;
    let told = house.mining().describe("p.km").await.expect("it is published");
    assert_eq!(told.kpis[0].target, None, "the target has had its time");
}

#[tokio::test]
async fn a_global_filter_is_one_of_every_question_and_trigger() {
    let house = house().await;
    let text = WHOLE.replace("{ id: LONG_ONES, ", "{ id: LONG_ONES, global: true, ");
    let text = text.replace("filterIds: [LONG] }\nfilters", "filterIds: [] }\nfilters");
    let published = house.publish(&text).await;
    assert_eq!(published.triggers[0].matched, 1);
    let rows = house.mining().query("p.km", r#"TABLE("EV"."ACT")"#).await.expect("it fits").rows;
    assert_eq!(rows.len(), 2, "events of the one long order with a change");
    let rows = house.mining().query("p.km", "TABLE(1 AS one)").await.expect("it fits").rows;
    assert_eq!(rows.len(), 1);
}

/// Tells what keeps a text from being published, and what it says in vain.
async fn findings(text: &str) -> String {
    let house = house().await;
    let mining = house.mining();
    if let Err(error) = mining.put_draft(&actor(), "p", text).await {
        let lines = error.model_mistakes();
        let lines: Vec<String> =
            lines.iter().map(|one| format!("{} {}: {}\n", one.line, one.path, one.detail)).collect();
        return format!("{}\n{}", error.code(), lines.concat());
    }
    let found = mining.check_draft("p.km").await.expect("there is a draft");
    let mistakes = found.mistakes.iter().map(|one| format!("{} {}: {}\n", one.line, one.path, one.detail));
    let notices = found.notices.iter().map(|one| format!("notice {} {}: {}\n", one.line, one.path, one.detail));
    mistakes.chain(notices).collect()
}

async fn check(text: &str, expected: Expect) {
    expected.assert_eq(&findings(text).await);
}

#[tokio::test]
async fn all_mistakes_of_the_form_are_told_at_once() {
    check(
        r#"
kind: BASIS
metadata: { keey: km }
dataModelId: [orders]
variables: { id: A }
records:
  - id: ORDER
    shortDisplayName: much too long for a short name
    pql: '"EV_CASES"'
    attributes:
      - { id: A, pql: '1', columnType: text }
      - { id: A, pql: '2' }
      - { pql: '3' }
filters:
  - { id: F, global: maybe, pql: '1 = 1', scope: OFF }
kpis:
  - { id: K, targets: [{ value: many, dateFrom: soon }] }
eventLogs:
  - just a word
"#,
        expect![[r#"
            knowledge-model-invalid
            2 kind: "BASIS" is not one of BASE, EXTENSION
            3 metadata: the key "key" is missing; is it meant by "keey"?
            4 dataModelId: "dataModelId" takes one value, not a list or an object
            5 variables: "variables" takes a list: begin each entry with "- "
            7 records.ORDER: the key "identifier" is missing; write identifier: { id: ID, pql: '"TABLE"."KEY"' }
            8 records.ORDER.shortDisplayName: "much too long for a short name" is longer than 20 characters; shorten it
            11 records.ORDER.attributes.A.columnType: "text" is not one of string, integer, int, float, number, boolean, date, time, datetime, timestamp
            13 records.ORDER.attributes.3: the key "id" is missing
            15 filters.F.scope: "OFF" is not one of ENABLED, DISABLED
            15 filters.F.global: "maybe" is not one of true, false
            17 kpis.K.targets.1.value: "many" is not a number
            17 kpis.K.targets.1.dateFrom: "soon" is not a date such as 2026-02-01 or 2026-02-01T08:00:00Z
            17 kpis.K: the key "pql" is missing
            19 eventLogs.1: an entry of "eventLogs" takes keys and values
        "#]],
    )
    .await;
}

#[tokio::test]
async fn all_mistakes_of_the_meaning_are_told_at_once() {
    let text = WHOLE
        .replace("columnType: integer, unit", "columnType: date, unit")
        .replace(r#"PU_FIRST("EV_CASES", "EV"."ACT")"#, r#""EV"."ACT""#)
        .replace(
            "{ id: LONG_ONES, pql: 'ORDER.CHANGED = 1', filterIds: [LONG] }",
            "{ id: LONG_ONES, pql: 'ORDER.CHANGD = 1', filterIds: [LONG_ONES, OFF] }",
        )
        .replace("id: OLDER, displayName: Older form, filterIds: [LONG]", "id: OLDER, filterIds: [LNG]")
        .replace(r#"pql: 'COUNT("EV_CASES"."CASE")'"#, r#"pql: 'COUNT_TABLE("EV_CASES")'"#)
        .replace("recordId: ORDER, default", "recordId: ORDRE, default")
        .replace("kpiIds: [ORDERS]", "kpiIds: [ORDER]")
        .replace("attribute: CASE", "attribute: CAES")
        .replace("firstEventLogId: LOG", "firstEventLogId: LOOG");
    check(&text, expect![[r#"
        16 records.ORDER.STEPS: the expression yields INT, which is no such type; write columnType: integer
        19 records.ORDER.FIRST: it has one value per row of table "EV", but the record has one instance per row of table "EV_CASES"; pull it up with a PU operator
        28 triggers.OLDER: there is no filter "LNG"; did you mean "LONG"?
        31 filters.LONG_ONES: filter "OFF" is switched off; take scope: DISABLED away there, or the reference here
        31 filters.LONG_ONES: it refers to itself: LONG_ONES > LONG_ONES; leave one reference out
        31 filters.LONG_ONES: line 1, column 1: record "ORDER" has no attribute "CHANGD"; did you mean "CHANGED"?
        40 kpis.LONG_ORDERS: its "filterIds" cannot be brought into its expression; count with COUNT("TABLE"."KEY") instead of COUNT_TABLE, and aggregate all that is filtered
        46 kpis.LONG_AND_SHORT: its "filterIds" cannot be brought into its expression; count with COUNT("TABLE"."KEY") instead of COUNT_TABLE, and aggregate all that is filtered
        50 eventLogs.LOG: there is no record "ORDRE"; did you mean "ORDER"?
        52 eventLogsMetadata: there is no event log "LOOG"; did you mean "LOG"?
        54 anomalies.A: there is no KPI "ORDER"; did you mean "ORDERS"?
        56 actions.NUDGE.inputs.order: record "ORDER" has no attribute "CAES"; did you mean "CASE"?
    "#]]).await;
}

#[tokio::test]
async fn an_extension_overrides_by_id_and_inherits_the_rest() {
    let house = house().await;
    let mining = house.mining();
    house
        .publish(&WHOLE.replace("dataTriggers:\n      - { id: OLDER, displayName: Older form, filterIds: [LONG] }", ""))
        .await;
    let extension = r"
kind: EXTENSION
metadata: { key: more, displayName: More orders }
base: { key: km, version: 1.2.0 }
variables:
  - { id: MANY, value: 1 }
records:
  - id: ORDER
    description: One of our orders
    attributes:
      - { id: TWICE, pql: 'ORDER.STEPS * 2' }
triggers:
  - { id: T, record: ORDER, filterIds: [LONG], outputs: [TWICE] }
";
    mining.put_draft(&actor(), "p", extension).await.expect("a draft");
    let published = mining.publish(&actor(), "p.more").await.expect("it fits");
    assert_eq!(published.triggers[0].matched, 2, "the variable is the extension's");
    let told = mining.describe("p.more").await.expect("it is published");
    assert_eq!(told.extends.as_deref(), Some("p.km"));
    assert_eq!(told.records[0].about.description.as_deref(), Some("One of our orders"));
    let fields: Vec<&str> = told.records[0].fields.iter().map(|field| field.id.as_str()).collect();
    assert_eq!(fields, ["CASE", "STEPS", "LAST", "TWICE", "FIRST", "REMARK", "CHANGED", "URGENCY"]);
    // The base goes on; the extension stays on what it was published with.
    house
        .publish(&WHOLE.replace("version: 1.2.0", "version: 2.0.0").replace("ORDER.STEPS >= <%= MANY %>", "1 = 2"))
        .await;
    house.restart();
    assert_eq!(house.mining().matched("p.more", "T").await.expect("a trigger").len(), 2);
    for (base, expected) in [
        (
            "{ key: km, version: 9 }",
            expect![[
                r#"knowledge-model-base-invalid: knowledge model "p.more" cannot extend "km": knowledge model "p.km" has no version 9; publish it, or name a version that was published"#
            ]],
        ),
        (
            "{ key: none }",
            expect![[
                r#"knowledge-model-base-invalid: knowledge model "p.more" cannot extend "none": knowledge model "p.none" does not exist; publish it, or name a version that was published"#
            ]],
        ),
        (
            "{ key: more }",
            expect![[
                r#"knowledge-model-base-invalid: knowledge model "p.more" cannot extend "more": it would extend itself"#
            ]],
        ),
    ] {
        let text = extension.replace("{ key: km, version: 1.2.0 }", base);
        house.mining().put_draft(&actor(), "p", &text).await.expect("a draft");
        let error = house.mining().publish(&actor(), "p.more").await.expect_err("it cannot extend that");
        expected.assert_eq(&format!("{}: {error}", error.code()));
    }
}

#[tokio::test]
async fn what_is_switched_off_is_gone_and_missed() {
    let house = house().await;
    let trigger = "\ntriggers:\n  - { id: T, scope: DISABLED, record: ORDER, filterIds: [LONG] }\n";
    let published = house.publish(&format!("{WHOLE}{trigger}")).await;
    assert_eq!(published.triggers.len(), 1, "T is off");
    let told = house.mining().describe("p.km").await.expect("it is published");
    assert_eq!(told.filters.len(), 3, "OFF is off");
    check(
        &format!("{WHOLE}{}", trigger.replace("scope: DISABLED, ", "").replace("LONG", "OFF")),
        expect![[r#"
            61 triggers.T: filter "OFF" is switched off; take scope: DISABLED away there, or the reference here
        "#]],
    )
    .await;
}

impl House {
    /// Publishes as the wall clock shows this time.
    pub(super) async fn publish_at(&self, time: &str, yaml: &str) -> crate::Publication {
        self.clock.set(at(time));
        self.publish(yaml).await
    }
}
