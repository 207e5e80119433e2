//! What a trigger is told about its class and cost, and who is looked at when:
//! pairs of events, values that are looked up, calendars in tables, windows.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use pools::{Mode, Piece};

use super::{House, actor, model, rows};
use crate::{Class, TriggerView};

const CASES: usize = 300;

/// A trigger on orders with one condition.
fn on_orders(condition: &str) -> String {
    format!(
        "metadata: {{ key: km }}\ndataModelId: orders\nrecords:\n  - id: ORDER\n    pql: '\"ORDERS\"'\n    \
         identifier: {{ id: CASE, pql: '\"ORDERS\".\"CASE\"' }}\nfilters:\n  - id: WANTED\n    pql: |\n      \
         {condition}\ntriggers:\n  - {{ id: T, record: ORDER, filterIds: [WANTED], itemLimit: 1000 }}\n"
    )
}

fn keyed(key: &str) -> Mode {
    Mode::Upsert { keys: vec![key.into()], keep_missing: false }
}

async fn upsert(house: &House, table: &str, key: &str, text: &str) {
    house.push(table, keyed(key), vec![Piece::Upsert(rows(text))]).await;
    house.mining().catch_up().await.expect("it follows");
}

/// 300 orders of three countries, each with two events; it takes an order of
/// each country from one hour to ten.
async fn house() -> House {
    let house = House::new(model(&["EV", "ORDERS", "LIMITS", "SHIFTS"], Some("ORDERS"), &[]));
    let (mut orders, mut events) = (String::from("CASE | LAND\n"), String::from("ID | CASE | ACT | TS:time | H:int\n"));
    for case in 0..CASES {
        let (land, hours) = (["de", "fr", "it"][case % 3], 1 + case / 3 % 10);
        writeln!(orders, "{case} | {land}").expect("a string takes it");
        writeln!(events, "a{case} | {case} | Create | 2026-03-02 08:00 | 1").expect("a string takes it");
        writeln!(events, "b{case} | {case} | {land} | 2026-03-02 {:02}:00 | {hours}", 8 + hours)
            .expect("a string takes it");
    }
    upsert(&house, "ORDERS", "CASE", &orders).await;
    upsert(&house, "EV", "ID", &events).await;
    upsert(&house, "LIMITS", "LAND", "LAND | HOURS:int\nde | 4\nfr | 5").await;
    let shifts = "ID | IDENT | WEEKDAY | SHIFT_BEGIN | SHIFT_END\nd | de | MONDAY | 08:00 | 16:00\nf | fr | MONDAY | 08:00 | 16:00";
    upsert(&house, "SHIFTS", "ID", shifts).await;
    house
}

async fn publish(house: &House, condition: &str, class: Class, cost: &Expect) -> TriggerView {
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &on_orders(condition)).await.expect("a draft");
    house.set_clock("p.km", "2026-03-02 20:30").await;
    let trigger = mining.publish(&actor(), "p.km").await.expect("it fits").triggers.remove(0);
    cost.assert_eq(&trigger.cost);
    assert_eq!(trigger.class, class);
    trigger
}

/// Returns how many orders a change makes the trigger look at.
async fn looks(house: &House, table: &str, key: &str, text: &str) -> u64 {
    let id = house.data_model.now().id;
    let before = house.mining().looked_at(id).await;
    upsert(house, table, key, text).await;
    house.mining().looked_at(id).await - before
}

#[tokio::test]
async fn a_transition_is_compared_with_others_of_its_kind() {
    let house = house().await;
    let slow = r#"HOURS_BETWEEN(SOURCE("EV"."TS"), TARGET("EV"."TS")) >
        PU_QUANTILE(DOMAIN_TABLE(SOURCE("EV"."ACT"), TARGET("EV"."ACT")),
          HOURS_BETWEEN(SOURCE("EV"."TS"), TARGET("EV"."TS")), 0.8)"#;
    let cost = expect!["at each commit the cases that it touches; when a shared figure moves, those that it passes"];
    let trigger = publish(&house, slow, Class::T, &cost).await;
    assert_eq!(trigger.matched, 30, "those of ten hours, for nine hours are the figure of each country");
    let later = |hours: usize| format!("ID | CASE | ACT | TS:time | H:int\nb0 | 0 | de | 2026-03-02 {hours:02}:00 | 1");
    assert_eq!(looks(&house, "EV", "ID", &later(10)).await, 1, "the figure stays");
    // Ten and more become the figure of de, once there are twenty of 100.
    let mut passed = 0;
    for case in (0..CASES).step_by(3).take(11) {
        let text = format!("ID | CASE | ACT | TS:time | H:int\nb{case} | {case} | de | 2026-03-02 19:00 | 1");
        passed += looks(&house, "EV", "ID", &text).await;
    }
    assert!((11..=11 + 4 * 10).contains(&passed), "{passed}: the touched, and those of ten hours in de");
}

#[tokio::test]
async fn a_limit_that_is_looked_up_asks_those_whom_it_passes() {
    let house = house().await;
    let over =
        r#"PU_LAST("ORDERS", "EV"."H") > LOOKUP("ORDERS", "LIMITS"."HOURS", ("ORDERS"."LAND", "LIMITS"."LAND"))"#;
    let cost = expect!["at each commit the cases that it touches; when a shared figure moves, those that it passes"];
    let trigger = publish(&house, over, Class::T, &cost).await;
    assert_eq!(trigger.matched, 60 + 50, "it has no limit");
    assert_eq!(looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nde | 4").await, 0, "the same again");
    let asked = looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nde | 5").await;
    assert!((10..=20).contains(&asked), "{asked}: those of five hours, and perhaps those of four");
    assert_eq!(looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nit | 5").await, 100, "now there is a limit");
    assert_eq!(looks(&house, "ORDERS", "CASE", "CASE | LAND\n0 | fr").await, 1, "another key of one's own");
    let before = house.mining().matched("p.km", "T").await.expect("a trigger").len();
    assert_eq!(before, 50 + 50 + 50);
}

#[tokio::test]
async fn a_word_that_is_looked_up_asks_those_with_its_key() {
    let house = house().await;
    let known = r#"LOOKUP("ORDERS", "LIMITS"."HOURS", ("ORDERS"."LAND", "LIMITS"."LAND")) IN (4, 6) AND
        PU_LAST("ORDERS", "EV"."H") > 8"#;
    let cost = expect!["at each commit the cases that it touches; those of a group whose shared condition turns"];
    let trigger = publish(&house, known, Class::K, &cost).await;
    assert_eq!(trigger.matched, 20);
    assert_eq!(looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nde | 6").await, 0, "the answer stays");
    assert_eq!(looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nfr | 6").await, 20, "those that wait for it");
}

#[tokio::test]
async fn a_calendar_that_changes_arms_those_anew_who_go_by_it() {
    let house = house().await;
    let late = r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), WEEKDAY_CALENDAR("SHIFTS"), "ORDERS"."LAND") > 9"#;
    let cost = expect![
        "at each commit the cases that it touches; when a working calendar changes, those that go by it; each case once more at the instant at which time alone changes its answer"
    ];
    let trigger = publish(&house, late, Class::T, &cost).await;
    assert_eq!(trigger.matched, 0);
    assert_eq!(
        looks(&house, "EV", "ID", "ID | CASE | ACT | TS:time | H:int\nb0 | 0 | de | 2026-03-02 15:00 | 1").await,
        1
    );
    // Without it each of de would be due on the next Monday.
    let tuesday = "ID | IDENT | WEEKDAY | SHIFT_BEGIN | SHIFT_END\nt | de | TUESDAY | 08:00 | 18:00";
    assert_eq!(looks(&house, "SHIFTS", "ID", tuesday).await, 100, "those of de");
    assert_eq!(looks(&house, "SHIFTS", "ID", tuesday).await, 0, "the same calendar again");
    house.set_clock("p.km", "2026-03-03 16:30").await;
    let fired = house.fired().await;
    assert_eq!(fired.len(), 70, "whoever came to rest by four o'clock: {fired:?}");
    let (first, ..) = &fired[0];
    assert_eq!(first.to_string(), "2026-03-03T10:00:00.001Z", "seven hours on Monday and two on Tuesday");
}

#[tokio::test]
async fn a_window_of_a_case_is_its_own() {
    let house = house().await;
    let jump = r#"PU_MAX("ORDERS", "EV"."H" - LAG("EV"."H", ORDER BY ("EV"."TS"), PARTITION BY ("EV"."CASE"))) > 7"#;
    let trigger = publish(&house, jump, Class::L, &expect!["at each commit the cases that it touches"]).await;
    assert_eq!(trigger.matched, 60);
    assert_eq!(
        looks(&house, "EV", "ID", "ID | CASE | ACT | TS:time | H:int\nc0 | 0 | de | 2026-03-02 15:00 | 99").await,
        1
    );
    assert_eq!(house.fired().await.len(), 1);
}

#[tokio::test]
async fn a_figure_that_is_made_of_figures_is_told() {
    let house = house().await;
    let crowd = r#"PU_COUNT(CONSTANT(), "ORDERS"."CASE",
        PU_SUM("ORDERS", "EV"."H") > PU_AVG(CONSTANT(), "EV"."H")) > 1000"#;
    let cost = expect![
        "at each commit the cases that it touches; those of a group whose shared condition turns; a figure that is made of other figures is computed from scratch when one of them moves"
    ];
    publish(&house, crowd, Class::K, &cost).await;
    // One value per row of what it goes over moves that row alone.
    let most = r#"PU_MEDIAN(CONSTANT(), PU_COUNT(DOMAIN_TABLE("EV"."ACT"), "EV"."ID")) > 1000"#;
    let cost = expect!["at each commit the cases that it touches; those of a group whose shared condition turns"];
    publish(&house, most, Class::K, &cost).await;
}

#[tokio::test]
async fn the_model_as_a_whole_is_looked_at_when_its_figures_move() {
    let house = house().await;
    let on_model = |condition: &str| on_orders(condition).replace("record: ORDER", "record: MODEL");
    let crowd = r#"PU_COUNT(CONSTANT(), "EV"."ID", "EV"."ACT" = 'Pay') > 1"#;
    let trigger = house.publish(&on_model(crowd)).await.triggers.remove(0);
    assert_eq!((trigger.class, trigger.matched), (Class::K, 0));
    expect!["at each commit the records that it touches; those of a group whose shared condition turns"]
        .assert_eq(&trigger.cost);
    let paid = |case: u8| format!("ID | CASE | ACT | TS:time | H:int\nc{case} | {case} | Pay | 2026-03-02 20:00 | 1");
    assert_eq!(looks(&house, "EV", "ID", &paid(1)).await, 1);
    assert_eq!(looks(&house, "EV", "ID", &paid(1)).await, 0, "the same again");
    assert_eq!(house.fired().await.len(), 0);
    assert_eq!(looks(&house, "EV", "ID", &paid(2)).await, 1);
    assert_eq!(house.fired().await.len(), 1, "at once, without a rest");
    // An order that has been paid for is a figure of the model too.
    let any = r#""EV"."ACT" = 'Pay' AND "EV"."H" > 1"#;
    let trigger = house.publish(&on_model(any)).await.triggers.remove(0);
    assert_eq!((trigger.class, trigger.matched), (Class::K, 0));
    looks(&house, "EV", "ID", &paid(3).replace("| 1", "| 2")).await;
    let matched = house.mining().matched("p.km", "T").await.expect("a trigger");
    assert_eq!(matched.iter().map(|one| one.identifier.as_str()).collect::<Vec<_>>(), ["orders"]);
    // The clock has no case here whose deadline it could be.
    let late = r#"PU_MAX(CONSTANT(), "EV"."TS") < NOW()"#;
    assert_eq!(house.publish(&on_model(late)).await.triggers[0].class, Class::F);
}

#[tokio::test]
async fn a_record_of_a_side_table_does_not_keep_the_log_from_being_folded() {
    let house = house().await;
    let text = on_orders(r#""LIMITS"."HOURS" > 4"#).replace("ORDERS", "LIMITS").replace("CASE", "LAND");
    let published = house.publish(&text).await;
    assert_eq!(published.triggers[0].matched, 1);
    let mut events = String::from("ID | CASE | ACT | TS:time | H:int\n");
    for case in 0..80 {
        writeln!(events, "c{case} | {case} | Pay | 2026-03-02 20:00 | 1").expect("a string takes it");
    }
    upsert(&house, "LIMITS", "LAND", "LAND | HOURS:int\nde | 3").await;
    upsert(&house, "EV", "ID", &events).await;
    let id = house.data_model.now().id;
    let root = house.mining().post(id).shown().expect("it is followed").root;
    assert!(root.is_folding(), "what came is a sixteenth of the base");
    house.mining().fold(id, true).await;
    assert_eq!(
        looks(&house, "LIMITS", "LAND", "LAND | HOURS:int\nfr | 1\nde | 9").await,
        4,
        "the rows before and after"
    );
    let matched = house.mining().matched("p.km", "T").await.expect("a trigger");
    assert_eq!(matched.iter().map(|one| one.identifier.as_str()).collect::<Vec<_>>(), ["de"]);
}

#[tokio::test]
async fn what_looks_further_than_its_case_is_evaluated_whole() {
    let house = house().await;
    let whole = "all cases, in the background after a commit, at most every 5 seconds and at most a twentieth of the time, because it depends on more than can be followed row by row";
    for condition in [
        // Cases without a row in the case table would be one part.
        r#"PU_MAX("ORDERS", LAG("EV"."H", PARTITION BY ("ORDERS"."CASE"))) > 5"#,
        r#"PU_MAX("ORDERS", LAG("EV"."H", PARTITION BY ("EV"."ACT"))) > 5"#,
        r#"LOOKUP("ORDERS", "LIMITS"."HOURS", (PU_MAX(CONSTANT(), "ORDERS"."LAND"), "LIMITS"."LAND")) > 5"#,
        r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW(), FACTORY_CALENDAR("EV"."TS", "EV"."TS")) > 5"#,
        // In which order combinations stand is known only to who sees them all.
        r#"PU_STDEV(CONSTANT(), PU_COUNT(DOMAIN_TABLE("EV"."ACT"), "EV"."ID")) > PU_COUNT("ORDERS", "EV"."ID")"#,
    ] {
        let mining = house.mining();
        mining.put_draft(&actor(), "p", &on_orders(condition)).await.expect("a draft");
        let trigger = mining.publish(&actor(), "p.km").await.expect("it fits").triggers.remove(0);
        assert_eq!((trigger.class, trigger.cost.as_str()), (Class::F, whole), "{condition}");
    }
}
