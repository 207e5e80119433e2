//! The law of this crate: after any history, cut into any commits, with the
//! clock moved in between, the matched sets are those of a full evaluation of
//! a freshly loaded log, and the signals those of somebody who looks at
//! everything at every commit and every instant. And nobody is looked at beyond
//! those whom a step touches, makes due, or whom a shared figure passes.

mod looked_at;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use pools::{Mode, Piece, Tables};
use proptest::prelude::*;

use self::looked_at::Picture;
use super::{House, actor, at, model, rows};
use crate::evaluate::answer;
use crate::log::{self, EventLog};
use crate::pql::check::{Checker, Vocabulary};

/// One trigger of each reach: own events, 1-side partner, a group of cases, a
/// common threshold, the clock alone, clock and threshold; figures of every
/// kind, over several kinds of groups and over other figures.
const CONDITIONS: [(&str, &str); 26] = [
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
    (
        "STEP",
        r#"MATCH_ACTIVITIES(ENDING['C']) = 0 AND HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) >=
           PU_LAST("ORDERS",
             CASE WHEN PU_COUNT(DOMAIN_TABLE("EV"."ACT"), ACTIVITY_LEAD("EV"."TS")) >= 2 THEN
               PU_QUANTILE(DOMAIN_TABLE("EV"."ACT"), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.5) END,
             INDEX_ACTIVITY_ORDER_REVERSE("EV"."ACT") = 1)"#,
    ),
    (
        "ANY_STEP",
        r#"PU_MEDIAN(CONSTANT(), "EV"."H") + 2 >= HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) AND
           HOURS_BETWEEN(NOW(), PU_LAST("ORDERS", "EV"."TS")) <
           0 - PU_MAX("ORDERS", BIND("EV", PU_MIN(DOMAIN_TABLE("EV"."ACT"), "EV"."H")))"#,
    ),
    ("DISTINCT", r#"PU_COUNT_DISTINCT("VENDOR", "EV"."ACT") = 2"#),
    (
        "MOST",
        r#"PU_COUNT("ORDERS", "EV"."ACT") = PU_MAX("VENDOR", PU_COUNT("ORDERS", "EV"."ACT")) OR
           NOT PU_SUM("VENDOR", "EV"."H" * 0.1) > 1.0"#,
    ),
    ("MEAN", r#"PU_SUM("ORDERS", "EV"."H" * 0.1) >= PU_AVG("VENDOR", "EV"."H" * 0.1) * 2 + 0.1"#),
    ("FEW_EVENTS", r#"PU_COUNT("ORDERS", "EV"."ACT", "EV"."H" <= PU_MIN("VENDOR", "EV"."H")) > 1"#),
    (
        "LATEST",
        r#"PU_LAST(CONSTANT(), "EV"."ACT" ORDER BY "EV"."TS", "EV"."ID") != 'B' AND
           PU_COUNT("ORDERS", "EV"."ACT",
             "EV"."H" <= PU_LAST(DOMAIN_TABLE("EV"."ACT"), "EV"."H" ORDER BY "EV"."TS", "EV"."ID")) > 1"#,
    ),
    ("NESTED", r#"PU_SUM("ORDERS", "EV"."H") > PU_AVG(CONSTANT(), PU_SUM("VENDOR", "EV"."H"))"#),
    (
        "COMBINATIONS",
        r#"PU_COUNT("ORDERS", "EV"."ACT") >=
           PU_MEDIAN(CONSTANT(), PU_COUNT(DOMAIN_TABLE("EV"."ACT", "ORDERS"."VENDOR"), "EV"."ACT"))"#,
    ),
    (
        "FROM_SCRATCH",
        r#"PU_COUNT(CONSTANT(), "ORDERS"."CASE", PU_SUM("ORDERS", "EV"."H") > PU_QUANTILE(CONSTANT(), "EV"."H", 0.75))
           > 1"#,
    ),
    (
        "ENDS",
        r#"PU_MIN("VENDOR", "EV"."ACT") = 'B' OR HOURS_BETWEEN(PU_MIN("VENDOR", "EV"."TS"), PU_MAX("VENDOR", "EV"."TS")) > 4
           OR PU_LAST("VENDOR", "EV"."ACT" ORDER BY "EV"."TS", "EV"."ID" DESC) = 'C'"#,
    ),
    ("BUDGET", r#"PU_SUM("VENDOR", "BUDGET"."AMOUNT") > 5"#),
    ("ALL_BUDGETS", r#"PU_SUM("ORDERS", "EV"."H") > PU_AVG(CONSTANT(), "BUDGET"."AMOUNT")"#),
    ("RATINGS", r#"PU_COUNT("ORDERS", "EV"."ACT") > PU_MEDIAN(CONSTANT(), "BUDGET"."AMOUNT", "VENDOR"."RATING" > 1)"#),
    ("ANY_BUDGET", r#""BUDGET"."AMOUNT" > 3 AND "BUDGET"."AMOUNT" < 7"#),
    ("OVERDRAWN", r#"PU_SUM("ORDERS", "EV"."H") > PU_SUM("VENDOR", "BUDGET"."AMOUNT", "VENDOR"."RATING" > 1)"#),
    ("OF_VENDOR", r#"PU_COUNT("VENDOR", "EV"."ACT") > 3 AND "VENDOR"."RATING" < 4"#),
    ("VENDOR_WITH", r#""EV"."H" > 5 AND "EV"."ACT" = 'B'"#),
];

/// Conditions whose triggers and figures name no row by its number, so that the
/// log may be folded below them.
const FOLDABLE: [&str; 14] = [
    "EVENTS",
    "PAIRS",
    "PATTERN",
    "PARTNER",
    "THRESHOLD",
    "CLOCK",
    "BOTH",
    "STEP",
    "ANY_STEP",
    "LATEST",
    "COMBINATIONS",
    "FROM_SCRATCH",
    "ALL_BUDGETS",
    "RATINGS",
];

type Conditions = [(&'static str, &'static str)];

fn foldable() -> Vec<(&'static str, &'static str)> {
    CONDITIONS.into_iter().filter(|(id, _)| FOLDABLE.contains(id)).collect()
}

/// Conditions of the record of vendors; the others are of orders.
fn is_of_vendor(id: &str) -> bool {
    id == "OF_VENDOR" || id == "VENDOR_WITH"
}

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
    DeleteVendors(Vec<u8>),
    /// Budgets to upsert: id, vendor, amount.
    Budgets(Vec<(u8, u8, u8)>),
    DeleteBudgets(Vec<u8>),
    /// The clock shows so many hours after the beginning.
    Clock(u8),
    /// The process ends and begins.
    Restart,
    /// The log is folded, now or in the background, where that may be.
    Fold(bool),
}

fn step() -> impl Strategy<Value = Step> {
    use prop::collection::vec;
    prop_oneof![
        5 => vec((0..12_u8, 0..5_u8, 0..3_u8, 0..9_u8, 0..9_u8), 1..5).prop_map(Step::Events),
        2 => vec(0..12_u8, 1..4).prop_map(Step::DeleteEvents),
        2 => vec((0..5_u8, 0..3_u8), 1..4).prop_map(Step::Orders),
        1 => vec(0..5_u8, 1..3).prop_map(Step::DeleteOrders),
        1 => vec((0..3_u8, 0..5_u8), 1..3).prop_map(Step::Vendors),
        1 => vec(0..3_u8, 1..2).prop_map(Step::DeleteVendors),
        3 => vec((0..4_u8, 0..3_u8, 0..9_u8), 1..3).prop_map(Step::Budgets),
        1 => vec(0..4_u8, 1..3).prop_map(Step::DeleteBudgets),
        3 => (0..24_u8).prop_map(Step::Clock),
        1 => Just(Step::Restart),
        3 => any::<bool>().prop_map(Step::Fold),
    ]
}

fn keyed(key: &str) -> Mode {
    Mode::Upsert { keys: vec![key.into()], keep_missing: false }
}

fn knowledge_model(conditions: &Conditions) -> String {
    let mut yaml = String::from(
        "metadata: { key: km }\ndataModelId: orders\nrecords:\n  - id: ORDER\n    pql: '\"ORDERS\"'\n    \
         identifier: { id: CASE, pql: '\"ORDERS\".\"CASE\"' }\n  - id: VENDOR\n    pql: '\"VENDOR\"'\n    \
         identifier: { id: ID, pql: '\"VENDOR\".\"ID\"' }\nfilters:\n",
    );
    for (id, pql) in conditions {
        write!(yaml, "  - id: {id}\n    pql: |\n      {pql}\n").expect("a string takes it");
    }
    yaml.push_str("triggers:\n");
    for (id, _) in conditions {
        let record = if is_of_vendor(id) { "VENDOR" } else { "ORDER" };
        writeln!(yaml, "  - {{ id: {id}, record: {record}, filterIds: [{id}], fireOn: BOTH }}")
            .expect("a string takes it");
    }
    yaml
}

const FIRST_EVENT: &str = "ID | CASE | ACT | TS:time | H:int\nfirst | c0 | A | 2026-03-01 00:00 | 1";
const FIRST_ORDER: &str = "CASE | VENDOR\nc0 | v0";
const FIRST_VENDOR: &str = "ID | RATING:int\nv0 | 3";
const FIRST_BUDGET: &str = "ID | VENDOR | AMOUNT:int\nb0 | v0 | 4";

async fn act(house: &House, step: &Step, folds: bool) {
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
        Step::Fold(now) => {
            let folded = house.mining().fold(house.data_model.now().id, *now).await;
            return assert_eq!(folded, folds, "it folds unless rows are named by number");
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
        Step::DeleteVendors(vendors) => ("VENDOR", "ID", Piece::Delete(ids("v", "ID", vendors))),
        Step::Budgets(budgets) => {
            text.push_str("ID | VENDOR | AMOUNT:int\n");
            for (id, vendor, amount) in budgets {
                writeln!(text, "b{id} | v{vendor} | {amount}").expect("a string takes it");
            }
            ("BUDGET", "ID", Piece::Upsert(rows(&text)))
        }
        Step::DeleteBudgets(budgets) => ("BUDGET", "ID", Piece::Delete(ids("b", "ID", budgets))),
    };
    house.push(table, keyed(key), vec![piece]).await;
    house.mining().catch_up().await.expect("it follows");
}

/// Knows nothing of touched cases, figures that are kept, or deadlines: asks
/// everything of a freshly loaded log, after each commit and at each instant at
/// which anything could change. All times are whole hours, so that those are
/// the hours and what follows them.
#[derive(Default)]
struct Oracle {
    now: i64,
    matched: BTreeMap<&'static str, BTreeSet<String>>,
    episodes: BTreeMap<(&'static str, String), u64>,
    fired: BTreeSet<(i64, String)>,
}

const HOUR: i64 = 3_600_000;

impl Oracle {
    async fn look(&mut self, house: &House, conditions: &Conditions, until: i64, silent: bool) {
        let root = log::load(&*house.tables as &dyn Tables, &house.data_model.now()).await.expect("it loads");
        let root = Arc::new(root);
        let instants = if silent { vec![until] } else { instants(self.now, until) };
        for instant in instants {
            for &(trigger, condition) in conditions {
                let satisfying = full(&root, trigger, condition, instant);
                let before = self.matched.insert(trigger, satisfying.clone()).unwrap_or_default();
                for identifier in before.difference(&satisfying).filter(|_| !silent) {
                    let episode = self.episodes[&(trigger, identifier.clone())];
                    self.fired.insert((instant, format!("{trigger}/{identifier}/{episode}/left")));
                }
                for identifier in satisfying.difference(&before) {
                    let episode = self.episodes.entry((trigger, identifier.clone())).or_default();
                    *episode += 1;
                    if !silent {
                        self.fired.insert((instant, format!("{trigger}/{identifier}/{episode}")));
                    }
                }
            }
        }
        self.now = until;
    }
}

/// Lists the instants at which anything could change, from one to another.
fn instants(from: i64, until: i64) -> Vec<i64> {
    let mut instants = vec![from];
    let mut hour = from.div_euclid(HOUR) * HOUR;
    while hour <= until {
        instants.extend([hour, hour + 1].into_iter().filter(|at| *at > from && *at <= until));
        hour += HOUR;
    }
    instants
}

/// Returns a freshly loaded log with what stands in it.
async fn picture(house: &House, now: i64) -> Picture {
    let root = log::load(&*house.tables as &dyn Tables, &house.data_model.now()).await.expect("it loads");
    Picture::new(Arc::new(root), now)
}

fn full(root: &Arc<EventLog>, trigger: &str, condition: &str, now: i64) -> BTreeSet<String> {
    let words = Vocabulary::default();
    let identifier = if is_of_vendor(trigger) { r#""VENDOR"."ID""# } else { r#""ORDERS"."CASE""# };
    let query = format!("FILTER {condition}; TABLE(DISTINCT {identifier} AS \"it\")");
    let plan = Checker::new(root.catalog().clone(), &words).query(&query).expect("it fits");
    answer(root.clone(), &plan, now).rows.into_iter().map(|row| row[0].to_string()).collect()
}

async fn play(steps: Vec<Step>, conditions: &Conditions) -> Result<(), TestCaseError> {
    let folds = conditions.iter().all(|(id, _)| FOLDABLE.contains(id));
    let keys = [("ORDERS", "VENDOR", "VENDOR", "ID"), ("BUDGET", "VENDOR", "VENDOR", "ID")];
    let house = House::new(model(&["EV", "ORDERS", "VENDOR", "BUDGET"], Some("ORDERS"), &keys));
    house.push("EV", keyed("ID"), vec![Piece::Upsert(rows(FIRST_EVENT))]).await;
    house.push("ORDERS", keyed("CASE"), vec![Piece::Upsert(rows(FIRST_ORDER))]).await;
    house.push("VENDOR", keyed("ID"), vec![Piece::Upsert(rows(FIRST_VENDOR))]).await;
    house.push("BUDGET", keyed("ID"), vec![Piece::Upsert(rows(FIRST_BUDGET))]).await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &knowledge_model(conditions)).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 00:30").await;
    let published = mining.publish(&actor(), "p.km").await.expect("it fits");
    for trigger in &published.triggers {
        prop_assert_eq!(
            trigger.class,
            looked_at::class(&trigger.id, &looked_at::reads(&trigger.id)),
            "{}",
            &trigger.id
        );
    }
    let mut oracle = Oracle::default();
    oracle.look(&house, conditions, at("2026-03-01 00:30").as_millis(), true).await;
    let data_model = house.data_model.now().id;
    let mut before = picture(&house, oracle.now).await;
    for (number, step) in steps.iter().enumerate() {
        let looked_before = house.mining().looked_at_by_trigger(data_model).await;
        act(&house, step, folds).await;
        let looked_after = house.mining().looked_at_by_trigger(data_model).await;
        let now = house.mining().clock("p.km").await.expect("a clock").now.as_millis();
        let after = picture(&house, now).await;
        // After a restart, and when the clock is set back, all are looked at.
        if !matches!(step, Step::Restart) && now >= oracle.now {
            let until = instants(oracle.now, now);
            for (trigger, _) in conditions {
                let most =
                    looked_at::most(step, &before, &after, &looked_at::reads(trigger), is_of_vendor(trigger), &until);
                let looked = looked_after[*trigger] - looked_before[*trigger];
                prop_assert!(
                    looked <= most,
                    "{trigger} looked at {looked} and not at most {most} at step {number} of {steps:?}"
                );
            }
        }
        before = after;
        oracle.look(&house, conditions, now, now < oracle.now).await;
        for (trigger, _) in conditions {
            let matched = house.mining().matched("p.km", trigger).await.expect("a trigger");
            let matched: BTreeSet<String> = matched.into_iter().map(|one| one.identifier).collect();
            prop_assert_eq!(&matched, &oracle.matched[*trigger], "{} after step {} of {:?}", trigger, number, steps);
        }
        let fired = house.fired().await.into_iter().map(|(at, _, key)| (at.as_millis(), key)).collect();
        prop_assert_eq!(&oracle.fired, &fired, "fired after step {} of {:?}", number, steps);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_full(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(steps, &CONDITIONS))?;
    }

    #[test]
    fn incremental_equals_full_with_folds_in_between(steps in prop::collection::vec(step(), 1..32)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(steps, &foldable()))?;
    }
}
