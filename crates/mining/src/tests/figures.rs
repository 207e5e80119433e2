//! What exploration finds in two real logs, against figures that DuckDB and
//! plain Python computed (`figures/make.py`).

use std::io::Read as _;
use std::sync::Arc;

use pools::rows::ColumnType;
use pools::{Mode, Piece};
use serde_json::{Value as Json, json};

use super::{House, actor, model, table};
use crate::Mining;
use crate::explore::{Allowed, Coverage, Durations, VariantsWanted, Wanted};

const NAMES: &str = "{ metadata: { key: log }, dataModelId: orders }";

/// Brings a log into a house; its columns `case_id`, `activity`, `timestamp`.
async fn loaded(packed: &[u8]) -> (House, Arc<Mining>) {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("the log unpacks");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().expect("a header");
    let wanted = ["case_id", "activity", "timestamp"];
    let places = wanted.map(|name| head.iter().position(|column| *column == name).expect("the column"));
    let lines: Vec<Vec<String>> = lines
        .inspect(|line| assert_eq!(line.len(), head.len(), "no cell of this log holds a comma"))
        .map(|line| places.iter().map(|place| line[*place].to_owned()).collect())
        .collect();
    let columns = [("CASE", ColumnType::Text), ("ACT", ColumnType::Text), ("TS", ColumnType::Time)];
    let columns = columns.map(|(name, column_type)| (name.to_owned(), column_type));
    let house = House::new(model(&["EV"], None, &[]));
    house.push("EV", Mode::Append, vec![Piece::Upsert(table(&columns, &lines))]).await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", NAMES).await.expect("a draft");
    (house, mining)
}

fn figures(durations: Option<Durations>) -> Json {
    durations.map_or(Json::Null, |took| {
        let (count, min, max) = (took.count, took.min, took.max);
        json!({ "count": count, "min": min, "median": took.median, "p95": took.p95, "mean": round(took.mean), "max": max })
    })
}

/// Sums in another order differ in the last digits.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn rounded(durations: &Json) -> Json {
    let mut durations = durations.clone();
    if let Some(mean) = durations["mean"].as_f64() {
        durations["mean"] = json!(round(mean));
    }
    durations
}

async fn check(packed: &[u8], expected: &str) {
    let expected: Json = serde_json::from_str(expected).expect("figures");
    let (_house, mining) = loaded(packed).await;
    let map = mining.process_map("p.log", Wanted::default(), Coverage::default()).await.expect("a map");
    assert_eq!((json!(map.cases), json!(map.events)), (expected["cases"].clone(), expected["events"].clone()));
    let mut edges: Vec<Json> = map
        .edges
        .iter()
        .filter_map(|edge| Some((edge.from.as_deref()?, edge.to.as_deref()?, edge)))
        .map(|(from, to, edge)| {
            let (events, cases) = (edge.events, edge.cases);
            json!({ "from": from, "to": to, "events": events, "cases": cases, "durations": figures(edge.durations) })
        })
        .collect();
    edges.sort_by_key(|edge| (edge["from"].to_string(), edge["to"].to_string()));
    let mut known: Vec<Json> = expected["edges"].as_array().expect("edges").clone();
    for edge in &mut known {
        edge["durations"] = rounded(&edge["durations"]);
    }
    known.sort_by_key(|edge| (edge["from"].to_string(), edge["to"].to_string()));
    assert_eq!(edges, known);
    // The virtual ones carry as many cases as there are.
    let virtual_ones = |starts: bool| {
        map.edges
            .iter()
            .filter(move |edge| if starts { edge.from.is_none() } else { edge.to.is_none() })
            .map(|edge| edge.events)
    };
    assert_eq!((virtual_ones(true).sum::<u64>(), virtual_ones(false).sum::<u64>()), (map.cases, map.cases));

    let variants = VariantsWanted { limit: 25, ..VariantsWanted::default() };
    let page = mining.variants("p.log", Wanted::default(), variants).await.expect("variants");
    assert_eq!(json!(page.total), expected["variants_total"]);
    let variants: Vec<Json> = page
        .variants
        .iter()
        .map(|one| {
            let names: Vec<&str> = one.activities.iter().map(|name| &**name).collect();
            json!({ "activities": names, "cases": one.cases, "median": one.durations.median, "p95": one.durations.p95,
                    "first_seen": one.first_seen, "last_seen": one.last_seen })
        })
        .collect();
    assert_eq!(Json::from(variants), expected["variants"]);

    let histogram = mining.throughput("p.log", Wanted::default(), 30).await.expect("a histogram");
    let mut durations = figures(histogram.durations);
    durations["median_linear"] = json!(round(histogram.median_linear.expect("cases")));
    durations["p95_linear"] = json!(round(histogram.p95_linear.expect("cases")));
    let mut known = rounded(&expected["durations"]);
    for name in ["median_linear", "p95_linear"] {
        known[name] = json!(round(known[name].as_f64().expect("a number")));
    }
    assert_eq!(durations, known);
    assert_eq!(histogram.bins.iter().map(|bin| bin.cases).sum::<u64>(), map.cases);

    let rework = mining.activities("p.log", Wanted::default()).await.expect("figures");
    assert_eq!(json!(rework.rework_cases), expected["rework_cases"]);
    let activities: Vec<Json> = rework
        .activities
        .iter()
        .map(|one| {
            json!({ "name": *one.name, "events": one.events, "cases": one.cases, "starts": one.starts, "ends": one.ends,
                    "self_loops": one.self_loops, "ping_pongs": one.ping_pongs, "rework_cases": one.rework_cases })
        })
        .collect();
    assert_eq!(Json::from(activities), expected["activities"]);

    let told = &expected["conformance"];
    let allowed = Allowed::parse(&json!({ "variants": told["allowed"] }).to_string()).expect("it is allowed");
    let found = mining.conformance("p.log", Wanted::default(), allowed).await.expect("it is compared");
    assert_eq!(json!(found.cases_fitting), told["cases_fitting"]);
    assert_eq!(json!(found.variants), expected["variants_total"]);
    assert!((found.fitness - told["fitness"].as_f64().expect("a number")).abs() < 1e-9, "{}", found.fitness);
}

#[tokio::test]
async fn purchase_orders_look_as_others_see_them() {
    let log = include_bytes!("../../../../examples/purchase-to-pay/events.csv.gz");
    check(log, include_str!("figures/purchase-to-pay.json")).await;
}

#[tokio::test]
async fn loan_applications_look_as_others_see_them() {
    let log = include_bytes!("../../../../examples/logs/loan-application.csv.gz");
    check(log, include_str!("figures/loan-application.json")).await;
}
