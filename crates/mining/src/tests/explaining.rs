//! One case, and why a trigger holds it: what a person reads.

use expect_test::{Expect, expect};

use super::{House, actor, at, model};
use crate::explore::{CaseOrder, Coverage, Wanted, WhyNext, WhyStanding, Within};

const EVENTS: &str = "
    CASE | ACT     | USER | TS:time
    1    | Create  | ann  | 2026-03-01 08:00
    1    | Approve | ann  | 2026-03-01 09:00
    1    | Pay     | cid  | 2026-03-01 12:00
    2    | Create  | ann  | 2026-03-01 10:00
    2    | Approve | ben  | 2026-03-02 10:00
    3    | Create  | -    | 2026-03-02 00:00
";

const ORDERS: &str = "
    CASE | VENDOR | VALUE:int
    1    | v1     | 100
    2    | v1     | 250
    3    | v2     | -
    4    | v2     | 70
";

const MODEL: &str = r#"
metadata: { key: orders }
dataModelId: orders
variables: [ { id: HOURS_MAX, value: 48 } ]
records:
  - id: ORDER
    pql: '"ORDERS"'
    identifier: { id: ID, pql: '"ORDERS"."CASE"' }
    attributes:
      - { id: SINCE, pql: 'PU_LAST("ORDERS", "EV"."TS")' }
filters:
  - { id: OPEN, pql: "MATCH_ACTIVITIES(ENDING['Pay']) = 0" }
  - { id: WAITS, pql: 'HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>', filterIds: [OPEN] }
  - { id: BIG, pql: '"ORDERS"."VALUE" >= 80 AND NOT "ORDERS"."VENDOR" IN (''v2'', ''v3'')' }
  - { id: BY_ANN, pql: '"EV"."USER" = ''ann''' }
triggers:
  - { id: WAITS, record: ORDER, filterIds: [WAITS] }
  - { id: BIG, record: ORDER, filterIds: [BIG, BY_ANN], displayName: Big orders }
"#;

async fn house() -> House {
    let house = House::new(model(&["EV", "ORDERS"], Some("ORDERS"), &[]));
    house.append("EV", EVENTS).await;
    house.append("ORDERS", ORDERS).await;
    house.mining().put_draft(&actor(), "p", MODEL).await.expect("a draft");
    house.set_clock("p.orders", "2026-03-03 09:00").await;
    house
}

async fn check(house: &House, trigger: &str, identifier: &str, expected: &Expect) {
    let why = match house.mining().why("p.orders", trigger, identifier).await {
        Ok(why) => why,
        Err(error) => return expected.assert_eq(&error.to_string()),
    };
    let mut text = format!("{} at {}: {}\n", why.identifier, why.now, why.satisfies);
    for filter in why.filters {
        text += &format!("{} {:?}: {}\n", filter.id, filter.truth, filter.pql);
        for one in filter.comparisons {
            text += &format!("  {}", one.pql);
            for (left, right, truth) in one.rows {
                let right = right.map_or_else(|| one.right.clone(), |right| right.to_string());
                text += &format!(" | {left} to {right}: {truth:?}");
            }
            text += "\n";
        }
    }
    text += &match why.standing {
        WhyStanding::Never => "never in".to_owned(),
        WhyStanding::In { since, episode } => format!("in since {since}, episode {episode}"),
        other => format!("{other:?}"),
    };
    text += &match why.next {
        WhyNext::NoClock => "; only data can change it".to_owned(),
        WhyNext::At(at, to) => format!("; {to} from {at} on"),
        other => format!("; {other:?}"),
    };
    for remark in why.remarks {
        text += &format!("\n{remark}");
    }
    expected.assert_eq(&text);
}

#[tokio::test]
async fn each_filter_shows_its_values_and_time_says_when() {
    let house = house().await;
    check(
        &house,
        "WAITS",
        "2",
        &expect![[r#"
        2 at 2026-03-03T09:00:00.000Z: false
        WAITS Some(false): HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>
          HOURS_BETWEEN("ORDER"."SINCE", NOW()) > <%= HOURS_MAX %> | 23.0 to 48: Some(false)
        OPEN Some(true): MATCH_ACTIVITIES(ENDING['Pay']) = 0
          MATCH_ACTIVITIES(ENDING['Pay']) = 0 | 0 to 0: Some(true)
        Unpublished; true from 2026-03-04T10:00:00.001Z on"#]],
    )
    .await;
    house.mining().publish(&actor(), "p.orders").await.expect("it fits");
    check(
        &house,
        "WAITS",
        "2",
        &expect![[r#"
        2 at 2026-03-03T09:00:00.000Z: false
        WAITS Some(false): HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>
          HOURS_BETWEEN("ORDER"."SINCE", NOW()) > <%= HOURS_MAX %> | 23.0 to 48: Some(false)
        OPEN Some(true): MATCH_ACTIVITIES(ENDING['Pay']) = 0
          MATCH_ACTIVITIES(ENDING['Pay']) = 0 | 0 to 0: Some(true)
        never in; true from 2026-03-04T10:00:00.001Z on"#]],
    )
    .await;
    check(
        &house,
        "WAITS",
        "1",
        &expect![[r#"
        1 at 2026-03-03T09:00:00.000Z: false
        WAITS Some(false): HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>
          HOURS_BETWEEN("ORDER"."SINCE", NOW()) > <%= HOURS_MAX %> | 45.0 to 48: Some(false)
        OPEN Some(false): MATCH_ACTIVITIES(ENDING['Pay']) = 0
          MATCH_ACTIVITIES(ENDING['Pay']) = 0 | 1 to 0: Some(false)
        never in; Never"#]],
    )
    .await;
    house.set_clock("p.orders", "2026-03-05 09:00").await;
    check(
        &house,
        "WAITS",
        "2",
        &expect![[r#"
        2 at 2026-03-05T09:00:00.000Z: true
        WAITS Some(true): HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>
          HOURS_BETWEEN("ORDER"."SINCE", NOW()) > <%= HOURS_MAX %> | 71.0 to 48: Some(true)
        OPEN Some(true): MATCH_ACTIVITIES(ENDING['Pay']) = 0
          MATCH_ACTIVITIES(ENDING['Pay']) = 0 | 0 to 0: Some(true)
        in since 2026-03-04T10:00:00.001Z, episode 1; Never"#]],
    )
    .await;
}

#[tokio::test]
async fn conditions_on_events_show_the_events() {
    let house = house().await;
    house.mining().publish(&actor(), "p.orders").await.expect("it fits");
    check(
        &house,
        "BIG",
        "1",
        &expect![[r#"
        1 at 2026-03-03T09:00:00.000Z: true
        BIG Some(true): "ORDERS"."VALUE" >= 80 AND NOT "ORDERS"."VENDOR" IN ('v2', 'v3')
          "ORDERS"."VALUE" >= 80 | 100 to 80: Some(true)
          "ORDERS"."VENDOR" IN ('v2', 'v3') | v1 to ('v2', 'v3'): Some(false)
        BY_ANN Some(true): "EV"."USER" = 'ann'
          "EV"."USER" = 'ann' | ann to ann: Some(true) | ann to ann: Some(true) | cid to ann: Some(false)
        in since 2026-03-03T09:00:00.000Z, episode 1; only data can change it"#]],
    )
    .await;
    check(
        &house,
        "BIG",
        "3",
        &expect![[r#"
        3 at 2026-03-03T09:00:00.000Z: false
        BIG Some(false): "ORDERS"."VALUE" >= 80 AND NOT "ORDERS"."VENDOR" IN ('v2', 'v3')
          "ORDERS"."VALUE" >= 80 | NULL to 80: None
          "ORDERS"."VENDOR" IN ('v2', 'v3') | v2 to ('v2', 'v3'): Some(true)
        BY_ANN Some(false): "EV"."USER" = 'ann'
          "EV"."USER" = 'ann' | NULL to ann: None
        never in; only data can change it"#]],
    )
    .await;
}

#[tokio::test]
async fn who_is_not_there_is_told() {
    let house = house().await;
    check(&house, "WAITS", "99", &expect![[r#"record "ORDER" has no instance "99""#]]).await;
    check(
        &house,
        "WAIT",
        "1",
        &expect![[r#"knowledge model "p.orders" has no trigger "WAIT"; did you mean "WAITS"?"#]],
    )
    .await;
    // A row of the case table without an event.
    check(
        &house,
        "WAITS",
        "4",
        &expect![[r#"
        4 at 2026-03-03T09:00:00.000Z: false
        WAITS None: HOURS_BETWEEN(ORDER.SINCE, NOW()) > <%= HOURS_MAX %>
          HOURS_BETWEEN("ORDER"."SINCE", NOW()) > <%= HOURS_MAX %> | NULL to 48: None
        OPEN Some(true): MATCH_ACTIVITIES(ENDING['Pay']) = 0
          MATCH_ACTIVITIES(ENDING['Pay']) = 0 | 0 to 0: Some(true)
        Unpublished; Never
        the case has no events: what is computed from its events is NULL, and counts of them are 0"#]],
    )
    .await;
}

#[tokio::test]
async fn a_case_is_shown_with_all_its_columns() {
    let house = house().await;
    house.mining().publish(&actor(), "p.orders").await.expect("it fits");
    let view = house.mining().case("p.orders", "1").await.expect("it has events");
    let mut text = format!("{} of {} cases take this way\n", view.variant_cases, view.cases);
    let names: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
    text += &format!("{}\n", names.join(" | "));
    for event in view.events {
        let values: Vec<String> = event.values.iter().map(ToString::to_string).collect();
        text += &format!("{}, after {:?} ms\n", values.join(" | "), event.wait);
    }
    let values: Vec<String> = view.case_values.iter().map(ToString::to_string).collect();
    text += &format!("{}\n", values.join(" | "));
    for instance in view.instances {
        let (matches, episode) = (instance.matches, instance.episode);
        text += &format!("{} {}: {matches}, {episode} times\n", instance.trigger, instance.identifier);
    }
    expect![[r"
        1 of 3 cases take this way
        CASE | ACT | USER | TS | _CELONIS_CHANGE_DATE
        1 | Create | ann | 2026-03-01T08:00:00.000Z | 1970-01-01T00:00:00.000Z, after None ms
        1 | Approve | ann | 2026-03-01T09:00:00.000Z | 1970-01-01T00:00:00.000Z, after Some(3600000) ms
        1 | Pay | cid | 2026-03-01T12:00:00.000Z | 1970-01-01T00:00:00.000Z, after Some(10800000) ms
        1 | v1 | 100 | 1970-01-01T00:00:00.000Z
        BIG 1: true, 1 times
    "]]
    .assert_eq(&text);
    let unknown = house.mining().case("p.orders", "4").await.expect_err("it has none");
    expect![[r#"there is no case "4" with events"#]].assert_eq(&unknown.to_string());
}

/// What can be done about a case, as text.
async fn actions(house: &House, case: &str) -> String {
    let view = house.mining().case("p.orders", case).await.expect("it has events");
    let mut text = String::new();
    for action in view.actions {
        let inputs: Vec<String> = action.inputs.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let flow = action.flow.as_deref().unwrap_or("no flow");
        let (name, record, identifier) = (&action.name, &action.record, &action.identifier);
        text += &format!("{name} by {flow}, {record} {identifier}: {} {}\n", inputs.join(", "), action.applies);
    }
    text
}

#[tokio::test]
async fn actions_are_filled_with_what_is_known_of_the_case() {
    let house = house().await;
    let with_actions = format!(
        "{MODEL}{}",
        r"
actions:
  - { id: REMIND, displayName: Remind somebody, skillKey: remind, records: [ORDER], filters: [WAITS],
      inputs: [ { name: order, attribute: ID }, { name: since, attribute: ORDER.SINCE } ] }
  - { id: NOTE, records: [ORDER] }
"
    );
    house.mining().put_draft(&actor(), "p", &with_actions).await.expect("a draft");
    assert_eq!(actions(&house, "2").await, "", "nothing can be done by a draft");
    house.mining().publish(&actor(), "p.orders").await.expect("it fits");
    expect![[r"
        Remind somebody by remind, ORDER 2: order = 2, since = 2026-03-02T10:00:00.000Z false
        NOTE by no flow, ORDER 2:  true
    "]]
    .assert_eq(&actions(&house, "2").await);
    // Only time has passed.
    house.set_clock("p.orders", "2026-03-09 09:00").await;
    expect![[r"
        Remind somebody by remind, ORDER 2: order = 2, since = 2026-03-02T10:00:00.000Z true
        NOTE by no flow, ORDER 2:  true
    "]]
    .assert_eq(&actions(&house, "2").await);
}

#[tokio::test]
async fn a_question_is_about_some_cases() {
    let house = house().await;
    let mining = house.mining();
    let ids = |wanted: Wanted| {
        let mining = mining.clone();
        async move {
            match mining.cases("p.orders", wanted, None, CaseOrder::Id, 0, 0).await {
                Ok(page) => page.cases.iter().map(|case| case.id.to_string()).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_string(),
            }
        }
    };
    let by = |filter: &str| Wanted { filters: vec![filter.to_owned()], ..Wanted::default() };
    assert_eq!(ids(Wanted::default()).await, "1 2 3");
    assert_eq!(ids(by(r#""ORDERS"."VALUE" > 90"#)).await, "1 2");
    assert_eq!(ids(by(r#"FILTER "EV"."ACT" = 'Approve' AND "EV"."USER" = 'ben'"#)).await, "2");
    assert_eq!(ids(Wanted { filter_ids: vec!["WAITS".into()], ..Wanted::default() }).await, "");
    assert_eq!(ids(Wanted { filter_ids: vec!["open".into()], ..Wanted::default() }).await, "2 3");
    expect![[r#"knowledge model "p.orders" has no filter "OPENED"; did you mean "OPEN"?"#]]
        .assert_eq(&ids(Wanted { filter_ids: vec!["OPENED".into()], ..Wanted::default() }).await);
    expect![[r#"line 1, column 1: table "EV" has no column "ACTS"; did you mean "ACT"?"#]]
        .assert_eq(&ids(by(r#""EV"."ACTS" = 'Pay'"#)).await);
    let in_time = |within, from: &str, to: &str| Wanted {
        from: Some(at(from).as_millis()),
        to: Some(at(to).as_millis()),
        within,
        ..Wanted::default()
    };
    let second = ("2026-03-02 00:00", "2026-03-03 00:00");
    assert_eq!(ids(in_time(Within::Touching, second.0, second.1)).await, "2 3");
    assert_eq!(ids(in_time(Within::Started, second.0, second.1)).await, "3");
    assert_eq!(ids(in_time(Within::Ended, second.0, second.1)).await, "2 3");
    assert_eq!(ids(in_time(Within::Whole, second.0, second.1)).await, "3");
    let page = mining.cases("p.orders", Wanted::default(), None, CaseOrder::Duration, 0, 2).await.expect("a page");
    assert_eq!((page.total, page.cases.len(), &*page.cases[0].id), (3, 2, "2"));
    let of_variant = Some(page.cases[1].variant.clone());
    let page = mining.cases("p.orders", Wanted::default(), of_variant, CaseOrder::Start, 0, 0).await.expect("a page");
    assert_eq!((page.total, &*page.cases[0].id), (1, "1"));
    let map = mining.process_map("p.orders", by(r#""ORDERS"."VALUE" > 90"#), Coverage::default()).await;
    assert_eq!(map.expect("a map").cases, 2);
}

/// A source that has come every two hours or so, and an activity that has.
const DETECTORS: &str = r"
metadata: { key: orders }
dataModelId: orders
triggers:
  - { id: QUIET, record: MODEL, detector: { kind: SILENCE, column: USER, quantile: 0.5, factor: 30, pausesMin: 1 } }
  - id: SLOWER
    record: MODEL
    detector: { kind: DURATION_DRIFT, windowSteps: 1, referenceSteps: 1, factor: 10 }
";

async fn detect(house: &House, trigger: &str, identifier: &str, expected: &Expect) {
    let why = house.mining().why("p.orders", trigger, identifier).await.expect("a detector always answers");
    let detector = why.detector.expect("it stands on one");
    let mut text = format!("{} at {}: {}\n{}\n", why.identifier, why.now, why.satisfies, detector.parameters);
    for measure in &detector.measures {
        let figures = detector.fields.iter().zip(&measure.values);
        let figures: Vec<String> = figures.map(|(name, value)| format!("{name} {value}")).collect();
        let due = measure.due.map(|due| format!(", due {due}")).unwrap_or_default();
        text += &format!("  {}: {}, {}{due}\n", measure.identifier, measure.fires, figures.join(", "));
    }
    text += &format!("{:?}\n{}", why.next, why.remarks.join("\n"));
    expected.assert_eq(&text);
}

#[tokio::test]
async fn a_detector_tells_what_it_measures() {
    let house = house().await;
    house.publish(DETECTORS).await;
    // Ann came at 8, 9 and 10: the pauses are an hour each.
    detect(
        &house,
        "QUIET",
        "ann",
        &expect![[r#"
        ann at 2026-03-03T09:00:00.000Z: true
        {"kind":"SILENCE","column":"USER","quantile":0.5,"factor":30.0,"pausesMin":1}
          ann: true, LAST_EVENT 2026-03-01T10:00:00.000Z, SILENT_HOURS 47.0, LONGEST_PAUSE_HOURS 1.0
        Never
    "#]],
    )
    .await;
    detect(
        &house,
        "QUIET",
        "an",
        &expect![[r#"
        an at 2026-03-03T09:00:00.000Z: false
        {"kind":"SILENCE","column":"USER","quantile":0.5,"factor":30.0,"pausesMin":1}
          ann: true, LAST_EVENT 2026-03-01T10:00:00.000Z, SILENT_HOURS 47.0, LONGEST_PAUSE_HOURS 1.0
        NoClock
        the detector has no figure for "an": a source is judged after 1 pauses; did you mean "ann"?"#]],
    )
    .await;
    detect(
        &house,
        "SLOWER",
        "Create → Approve",
        &expect![[r#"
        Create → Approve at 2026-03-03T09:00:00.000Z: true
        {"kind":"DURATION_DRIFT","windowSteps":1,"referenceSteps":1,"quantile":0.5,"factor":10.0,"bothWays":false}
          Create → Approve: true, SOURCE Create, TARGET Approve, HOURS_BEFORE 1.0, HOURS_NOW 24.0, FACTOR 24.0
        NoClock
    "#]],
    )
    .await;
    detect(&house, "SLOWER", "Approve → Pay", &expect![[r#"
        Approve → Pay at 2026-03-03T09:00:00.000Z: false
        {"kind":"DURATION_DRIFT","windowSteps":1,"referenceSteps":1,"quantile":0.5,"factor":10.0,"bothWays":false}
          Create → Approve: true, SOURCE Create, TARGET Approve, HOURS_BEFORE 1.0, HOURS_NOW 24.0, FACTOR 24.0
        NoClock
        the detector has no figure for "Approve → Pay": a pair of activities needs 2 steps, and is written SOURCE → TARGET"#]]).await;
    house.set_clock("p.orders", "2026-03-02 10:00").await;
    detect(&house, "QUIET", "ann", &expect![[r#"
        ann at 2026-03-02T10:00:00.000Z: false
        {"kind":"SILENCE","column":"USER","quantile":0.5,"factor":30.0,"pausesMin":1}
          ann: false, LAST_EVENT 2026-03-01T10:00:00.000Z, SILENT_HOURS 24.0, LONGEST_PAUSE_HOURS 1.0, due 2026-03-02T16:00:00.001Z
        At(2026-03-02T16:00:00.001Z, true)
    "#]]).await;
}
