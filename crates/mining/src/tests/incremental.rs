//! The law of this crate: after any history, cut into any commits, with the
//! clock moved in between, the matched sets are those of a full evaluation of
//! a freshly loaded log.

use std::fmt::Write as _;
use std::sync::Arc;

use pools::{Mode, Piece, Tables};
use proptest::prelude::*;

use super::{House, actor, model, rows};
use crate::evaluate::answer;
use crate::log;
use crate::pql::check::{Checker, Vocabulary};

/// One trigger of each reach: own events, 1-side partner, a group of cases, a
/// common threshold, the clock alone, clock and threshold.
const CONDITIONS: [(&str, &str); 8] = [
    ("EVENTS", r#"CALC_REWORK("EV"."ACT" = 'B') > 1 OR MATCH_ACTIVITIES(STARTING['C'], EXCLUDING['A']) = 1"#),
    ("PAIRS", r#"SOURCE("EV"."ACT") = 'A' AND TARGET("EV"."ACT") != 'B' AND "VENDOR"."RATING" > 1"#),
    ("PATTERN", "MATCH_PROCESS_REGEX('A' >> ['B', 'C']+ >> 'A') = 1 OR PROCESS EQUALS START 'B' TO ANY END"),
    ("PARTNER", r#""VENDOR"."RATING" > 2 AND PU_LAST("ORDERS", "EV"."ACT") != 'C'"#),
    ("GROUP", r#"PU_COUNT("VENDOR", "EV"."ACT") > 4"#),
    ("THRESHOLD", r#"PU_SUM("ORDERS", "EV"."H") > PU_QUANTILE(CONSTANT(), "EV"."H", 0.75)"#),
    ("CLOCK", r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) > 3 AND "ORDERS"."VENDOR" = 'v1'"#),
    (
        "BOTH",
        r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) >
           PU_QUANTILE(CONSTANT(), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.5)"#,
    ),
];

#[derive(Clone, Debug)]
enum Step {
    /// Events to upsert: id, case, activity, hour, value.
    Events(Vec<(u8, u8, u8, u8, u8)>),
    DeleteEvents(Vec<u8>),
    /// Orders to upsert: case, vendor.
    Orders(Vec<(u8, u8)>),
    DeleteOrders(Vec<u8>),
    /// Vendors to upsert: id, rating.
    Vendors(Vec<(u8, u8)>),
    /// The clock shows so many hours after the beginning.
    Clock(u8),
    /// The process ends and begins.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    use prop::collection::vec;
    prop_oneof![
        5 => vec((0..12_u8, 0..5_u8, 0..3_u8, 0..9_u8, 0..9_u8), 1..5).prop_map(Step::Events),
        2 => vec(0..12_u8, 1..4).prop_map(Step::DeleteEvents),
        2 => vec((0..5_u8, 0..3_u8), 1..4).prop_map(Step::Orders),
        1 => vec(0..5_u8, 1..3).prop_map(Step::DeleteOrders),
        1 => vec((0..3_u8, 0..5_u8), 1..3).prop_map(Step::Vendors),
        3 => (0..24_u8).prop_map(Step::Clock),
        1 => Just(Step::Restart),
    ]
}

fn keyed(key: &str) -> Mode {
    Mode::Upsert { keys: vec![key.into()], keep_missing: false }
}

fn knowledge_model() -> String {
    let mut yaml = String::from(
        "metadata: { key: km }\ndataModelId: orders\nrecords:\n  - id: ORDER\n    pql: '\"ORDERS\"'\n    \
         identifier: { id: CASE, pql: '\"ORDERS\".\"CASE\"' }\nfilters:\n",
    );
    for (id, pql) in CONDITIONS {
        write!(yaml, "  - id: {id}\n    pql: |\n      {pql}\n").expect("a string takes it");
    }
    yaml.push_str("triggers:\n");
    for (id, _) in CONDITIONS {
        writeln!(yaml, "  - {{ id: {id}, record: ORDER, filterIds: [{id}] }}").expect("a string takes it");
    }
    yaml
}

const FIRST_EVENT: &str = "ID | CASE | ACT | TS:time | H:int\nfirst | c0 | A | 2026-03-01 00:00 | 1";
const FIRST_ORDER: &str = "CASE | VENDOR\nc0 | v0";
const FIRST_VENDOR: &str = "ID | RATING:int\nv0 | 3";

async fn act(house: &House, step: &Step) {
    let mut text = String::new();
    let ids = |prefix: &str, column: &str, ids: &[u8]| {
        let lines: Vec<String> = ids.iter().map(|id| format!("{prefix}{id}")).collect();
        rows(&format!("{column}\n{}", lines.join("\n")))
    };
    let (table, key, piece) = match step {
        Step::Clock(hours) => {
            return house.set_clock("p.km", &format!("2026-03-01 {hours:02}:30")).await;
        }
        Step::Restart => {
            house.restart();
            return house.mining().catch_up().await.expect("it follows");
        }
        Step::Events(events) => {
            text.push_str("ID | CASE | ACT | TS:time | H:int\n");
            for (id, case, activity, hour, value) in events {
                let activity = ["A", "B", "C"][usize::from(*activity)];
                writeln!(text, "e{id} | c{case} | {activity} | 2026-03-01 {hour:02}:00 | {value}")
                    .expect("a string takes it");
            }
            ("EV", "ID", Piece::Upsert(rows(&text)))
        }
        Step::DeleteEvents(events) => ("EV", "ID", Piece::Delete(ids("e", "ID", events))),
        Step::Orders(orders) => {
            text.push_str("CASE | VENDOR\n");
            for (case, vendor) in orders {
                writeln!(text, "c{case} | v{vendor}").expect("a string takes it");
            }
            ("ORDERS", "CASE", Piece::Upsert(rows(&text)))
        }
        Step::DeleteOrders(orders) => ("ORDERS", "CASE", Piece::Delete(ids("c", "CASE", orders))),
        Step::Vendors(vendors) => {
            text.push_str("ID | RATING:int\n");
            for (id, rating) in vendors {
                writeln!(text, "v{id} | {rating}").expect("a string takes it");
            }
            ("VENDOR", "ID", Piece::Upsert(rows(&text)))
        }
    };
    house.push(table, keyed(key), vec![piece]).await;
    house.mining().catch_up().await.expect("it follows");
}

/// Asks a freshly loaded log, without triggers, cases or deadlines.
async fn full(house: &House, condition: &str) -> Vec<String> {
    let root = log::load(&*house.tables as &dyn Tables, &house.data_model.now()).await.expect("it loads");
    let now = house.mining().clock("p.km").await.expect("a clock").now.as_millis();
    let words = Vocabulary::default();
    let query = format!("FILTER {condition}; TABLE(DISTINCT \"ORDERS\".\"CASE\" AS \"case\") ORDER BY \"case\"");
    let plan = Checker::new(root.catalog().clone(), &words).query(&query).expect("it fits");
    let answer = answer(Arc::new(root), &plan, now);
    answer.rows.into_iter().map(|row| row[0].to_string()).collect()
}

async fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let house = House::new(model(&["EV", "ORDERS", "VENDOR"], Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]));
    house.push("EV", keyed("ID"), vec![Piece::Upsert(rows(FIRST_EVENT))]).await;
    house.push("ORDERS", keyed("CASE"), vec![Piece::Upsert(rows(FIRST_ORDER))]).await;
    house.push("VENDOR", keyed("ID"), vec![Piece::Upsert(rows(FIRST_VENDOR))]).await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &knowledge_model()).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 00:30").await;
    mining.publish(&actor(), "p.km").await.expect("it fits");
    for (number, step) in steps.iter().enumerate() {
        act(&house, step).await;
        for (trigger, condition) in CONDITIONS {
            let matched = house.mining().matched("p.km", trigger).await.expect("a trigger");
            let matched: Vec<String> = matched.into_iter().map(|one| one.identifier).collect();
            prop_assert_eq!(matched, full(&house, condition).await, "{} after step {} of {:?}", trigger, number, steps);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_full(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(steps))?;
    }
}
