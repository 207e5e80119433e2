//! Who may be looked at, reckoned from the rows before and after alone: what
//! was touched and, of a class K or T, those who share a group with it or whom
//! a figure or the clock has passed. Nobody else is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Step;
use crate::Class;
use crate::evaluate::answer;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::value::Value;

/// What a condition reads beyond the rows of its own case and their 1-sides.
pub(super) enum Reads {
    /// A figure of its vendor.
    Vendor,
    /// A figure of everything, or of groups that anybody may read.
    Everything,
    /// A figure, or the clock, against a side of its own.
    Against(&'static str, &'static str),
}

use Reads::{Against, Everything, Vendor};

const WAITED: &str = r#"HOURS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW())"#;
const SUM: &str = r#"PU_SUM("ORDERS", "EV"."H")"#;
const COUNT: &str = r#"PU_COUNT("ORDERS", "EV"."ACT")"#;

/// Says what a trigger of the random histories reads, if that can be reckoned
/// from rows alone; of all others a step that they do not name moves nobody.
pub(super) fn reads(trigger: &str) -> Option<Vec<Reads>> {
    Some(match trigger {
        "EVENTS" | "PAIRS" | "PATTERN" | "PARTNER" => vec![],
        "GROUP" | "DISTINCT" | "MOST" | "FEW_EVENTS" | "ENDS" | "BUDGET" | "ANY_BUDGET" | "OF_VENDOR"
        | "VENDOR_WITH" => vec![Vendor],
        "LATEST" | "FROM_SCRATCH" => vec![Everything],
        "THRESHOLD" => vec![Against(SUM, r#"PU_QUANTILE(CONSTANT(), "EV"."H", 0.75)"#)],
        "CLOCK" => vec![Against(WAITED, "3")],
        "BOTH" => {
            vec![Against(WAITED, r#"PU_QUANTILE(CONSTANT(), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.5)"#)]
        }
        "STEP" => vec![Against(
            WAITED,
            r#"PU_LAST("ORDERS",
                 CASE WHEN PU_COUNT(DOMAIN_TABLE("EV"."ACT"), ACTIVITY_LEAD("EV"."TS")) >= 2 THEN
                   PU_QUANTILE(DOMAIN_TABLE("EV"."ACT"), HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS")), 0.5) END,
                 INDEX_ACTIVITY_ORDER_REVERSE("EV"."ACT") = 1)"#,
        )],
        // Of the second figure somebody may read several groups.
        "ANY_STEP" => vec![
            Against(WAITED, r#"PU_MEDIAN(CONSTANT(), "EV"."H") + 2"#),
            Against(
                r#"HOURS_BETWEEN(NOW(), PU_LAST("ORDERS", "EV"."TS"))"#,
                r#"0 - PU_MAX("ORDERS", BIND("EV", PU_MIN(DOMAIN_TABLE("EV"."ACT"), "EV"."H")))"#,
            ),
            Everything,
        ],
        "MEAN" => vec![Against(r#"PU_SUM("ORDERS", "EV"."H" * 0.1)"#, r#"PU_AVG("VENDOR", "EV"."H" * 0.1) * 2 + 0.1"#)],
        "NESTED" => vec![Against(SUM, r#"PU_AVG(CONSTANT(), PU_SUM("VENDOR", "EV"."H"))"#)],
        "COMBINATIONS" => vec![Against(
            COUNT,
            r#"PU_MEDIAN(CONSTANT(), PU_COUNT(DOMAIN_TABLE("EV"."ACT", "ORDERS"."VENDOR"), "EV"."ACT"))"#,
        )],
        "ALL_BUDGETS" => vec![Against(SUM, r#"PU_AVG(CONSTANT(), "BUDGET"."AMOUNT")"#)],
        "RATINGS" => vec![Against(COUNT, r#"PU_MEDIAN(CONSTANT(), "BUDGET"."AMOUNT", "VENDOR"."RATING" > 1)"#)],
        "OVERDRAWN" => vec![Against(SUM, r#"PU_SUM("VENDOR", "BUDGET"."AMOUNT", "VENDOR"."RATING" > 1)"#)],
        _ => return None,
    })
}

/// Returns the class that follows from what is read.
pub(super) fn class(trigger: &str, reads: &[Reads]) -> Class {
    match reads {
        [] => Class::L,
        // Each event stands against a figure; the bound goes by who reads it.
        _ if ["FEW_EVENTS", "LATEST"].contains(&trigger) => Class::T,
        reads if reads.iter().any(|read| matches!(read, Against(..))) => Class::T,
        _ => Class::K,
    }
}

/// The rows at one time.
pub(super) struct Picture {
    root: Arc<EventLog>,
    now: i64,
    /// Case of each event, vendor of each order, vendor of each budget.
    events: BTreeMap<String, String>,
    orders: BTreeMap<String, String>,
    budgets: BTreeMap<String, String>,
}

impl Picture {
    pub(super) fn new(root: Arc<EventLog>, now: i64) -> Self {
        let pairs = |one: &str, other: &str| {
            let rows = table(&root, &[one, other], now).into_iter();
            rows.map(|row| (row[0].to_string(), row[1].to_string())).collect()
        };
        Picture {
            events: pairs(r#""EV"."ID""#, r#""EV"."CASE""#),
            orders: pairs(r#""ORDERS"."CASE""#, r#""ORDERS"."VENDOR""#),
            budgets: pairs(r#""BUDGET"."ID""#, r#""BUDGET"."VENDOR""#),
            now,
            root,
        }
    }

    /// Measures how far each case is from a figure; nothing where either side
    /// has no value.
    fn distances(&self, own: &str, figure: &str, now: i64) -> BTreeMap<String, (Option<f64>, Option<f64>)> {
        let rows = table(&self.root, &[r#""ORDERS"."CASE""#, own, figure], now).into_iter();
        rows.map(|row| (row[0].to_string(), (number(&row[1]), number(&row[2])))).collect()
    }
}

fn table(root: &Arc<EventLog>, columns: &[&str], now: i64) -> Vec<Vec<Value>> {
    let columns: Vec<String> =
        columns.iter().enumerate().map(|(place, column)| format!("{column} AS \"c{place}\"")).collect();
    let words = Vocabulary::default();
    let query = format!("TABLE({})", columns.join(", "));
    let plan =
        Checker::new(root.catalog().clone(), &words).query(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
    answer(root.clone(), &plan, now).rows
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// What a step says of itself.
struct Touched {
    cases: BTreeSet<String>,
    /// With those of the cases.
    vendors: BTreeSet<String>,
}

impl Touched {
    fn of(step: &Step, before: &Picture, after: &Picture) -> Self {
        let (mut cases, mut vendors) = (BTreeSet::new(), BTreeSet::new());
        let mut of_event = |id: &u8| cases.extend(before.events.get(&format!("e{id}")).cloned());
        match step {
            Step::Events(events) => {
                for (id, ..) in events {
                    of_event(id);
                }
                cases.extend(events.iter().map(|(_, case, ..)| format!("c{case}")));
            }
            Step::DeleteEvents(events) => events.iter().for_each(of_event),
            Step::Orders(orders) => cases.extend(orders.iter().map(|(case, _)| format!("c{case}"))),
            Step::DeleteOrders(orders) => cases.extend(orders.iter().map(|case| format!("c{case}"))),
            Step::Vendors(changed) => vendors.extend(changed.iter().map(|(vendor, _)| format!("v{vendor}"))),
            Step::DeleteVendors(gone) => vendors.extend(gone.iter().map(|vendor| format!("v{vendor}"))),
            Step::Budgets(budgets) => {
                let ids = budgets.iter().map(|(id, ..)| format!("b{id}"));
                vendors.extend(ids.filter_map(|id| before.budgets.get(&id).cloned()));
                vendors.extend(budgets.iter().map(|(_, vendor, _)| format!("v{vendor}")));
            }
            Step::DeleteBudgets(gone) => {
                let ids = gone.iter().map(|id| format!("b{id}"));
                vendors.extend(ids.filter_map(|id| before.budgets.get(&id).cloned()));
            }
            // Nobody whose looks are reckoned here names these tables.
            Step::Limits(_) | Step::DeleteLimits(_) | Step::Shifts(_) | Step::DeleteShifts(_)
            // And these touch no row.
            | Step::Clock(_) | Step::Restart | Step::Fold(_) => {}
        }
        if matches!(step, Step::Vendors(_) | Step::DeleteVendors(_)) {
            cases.extend(members(&vendors, before, after));
        }
        for picture in [before, after] {
            vendors.extend(cases.iter().filter_map(|case| picture.orders.get(case).cloned()));
        }
        Touched { cases, vendors }
    }
}

/// Lists the cases of some vendors.
fn members(vendors: &BTreeSet<String>, before: &Picture, after: &Picture) -> BTreeSet<String> {
    let orders = before.orders.iter().chain(&after.orders);
    orders.filter(|(_, vendor)| vendors.contains(*vendor)).map(|(case, _)| case.clone()).collect()
}

/// Lists the cases whose own side a figure may have passed from one time to the
/// other, itself moving or by the clock.
fn crossed(before: (&Picture, i64), after: (&Picture, i64), own: &str, figure: &str) -> BTreeSet<String> {
    let was = before.0.distances(own, figure, before.1);
    let is = after.0.distances(own, figure, after.1);
    let passes = |case: &&String| {
        let (Some((own_before, figure_before)), Some((own_after, figure_after))) = (was.get(*case), is.get(*case))
        else {
            return false;
        };
        // Rounding may blur a millisecond.
        let side = |own: f64, figure: f64| if (own - figure).abs() < 1e-6 { 0.0 } else { (own - figure).signum() };
        match (own_before.zip(*figure_before), own_after.zip(*figure_after)) {
            (Some(was), Some(is)) => side(was.0, was.1) * side(is.0, is.1) <= 0.0,
            (None, None) => false,
            // A figure that comes or goes decides anew about all that read it.
            _ => true,
        }
    };
    was.keys().filter(passes).cloned().collect()
}

/// Returns how many instances a trigger may look at in one step.
pub(super) fn most(
    step: &Step,
    before: &Picture,
    after: &Picture,
    reads: &[Reads],
    is_of_vendor: bool,
    instants: &[i64],
) -> u64 {
    if matches!(step, Step::Clock(_)) {
        // Whoever is due is looked at where a comparison turns, and once more
        // where it holds strictly.
        let pairs = instants.windows(2).flat_map(|pair| reads.iter().map(move |read| (pair, read)));
        let due = pairs.map(|(pair, read)| match read {
            Against(own, figure) => 2 * crossed((before, pair[0]), (before, pair[1]), own, figure).len(),
            Vendor | Everything => 0,
        });
        return due.sum::<usize>() as u64;
    }
    let touched = Touched::of(step, before, after);
    if is_of_vendor {
        // Its rows are named by number: one that is written anew is gone under the
        // old number and there under another.
        return 2 * touched.vendors.len() as u64;
    }
    let mut cases = touched.cases;
    for read in reads {
        match read {
            Vendor => cases.extend(members(&touched.vendors, before, after)),
            Everything => cases.extend(before.orders.keys().chain(after.orders.keys()).cloned()),
            Against(own, figure) => cases.extend(crossed((before, before.now), (after, after.now), own, figure)),
        }
    }
    cases.len() as u64
}
