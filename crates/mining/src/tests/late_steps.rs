//! The example of this house, on its whole log: which orders wait too long, and
//! when it is noticed, against a computation by plain loops.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base::Timestamp;
use pools::rows::ColumnType;
use pools::{Mode, Piece, Rows};

use super::{House, actor, at, table};

const LOG: &[u8] = include_bytes!("../../../../examples/purchase-to-pay/events.csv.gz");
pub(super) const MODEL: &str = include_str!("../../../../examples/purchase-to-pay/knowledge-model.yaml");
pub(super) const DATA_MODEL: &str = r#"{
    "id": "09090909-0909-0909-0909-090909090909", "pool": "07070707-0707-0707-0707-070707070707",
    "key": "orders", "version": 1, "name": "Purchase orders", "tables": ["PurchaseEvents"], "foreignKeys": [],
    "activity": { "table": "PurchaseEvents", "caseColumn": "case_id", "activityColumn": "activity",
                  "timestampColumn": "timestamp" }
}"#;

/// Columns as in the file, in order of their end; the file's order on ties.
pub(super) fn log() -> Vec<Vec<String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(LOG).read_to_string(&mut text).expect("the log unpacks");
    let mut lines: Vec<Vec<String>> =
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 5), "no cell of this log holds a comma");
    lines.sort_by(|one, other| one[4].cmp(&other[4]));
    lines
}

pub(super) fn push(lines: &[Vec<String>]) -> Vec<Piece> {
    let columns = [
        ("case_id", ColumnType::Text),
        ("activity", ColumnType::Text),
        ("resource", ColumnType::Text),
        ("start_timestamp", ColumnType::Time),
        ("timestamp", ColumnType::Time),
    ];
    let columns = columns.map(|(name, column_type)| (name.to_owned(), column_type));
    let rows: Rows = table(&columns, lines);
    vec![Piece::Upsert(rows)]
}

/// Knows nothing of queries, cases touched or deadlines: looks at every order
/// at every occasion.
#[derive(Default)]
struct Oracle {
    orders: BTreeMap<String, Vec<(i64, String)>>,
    waiting: BTreeSet<String>,
    fired: BTreeSet<(i64, String)>,
}

const ENDS: [&str; 3] = ["Pay Invoice", "Analyze Request for Quotation", "Analyze Purchase Requisition"];

impl Oracle {
    fn arrive(&mut self, lines: &[Vec<String>]) {
        for line in lines {
            let order = self.orders.entry(line[0].clone()).or_default();
            order.push((at(&line[4]).as_millis(), line[1].clone()));
            order.sort_by_key(|(at, _)| *at);
        }
    }

    /// For each open order whose step was seen often enough, the first
    /// millisecond at which it has waited too long.
    fn too_long_from(&self) -> Vec<(String, i64)> {
        let mut waits: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for order in self.orders.values() {
            for pair in order.windows(2) {
                waits.entry(&pair[0].1).or_default().push(pair[1].0 - pair[0].0);
            }
        }
        let mut found = Vec::new();
        for (order, steps) in &self.orders {
            let (since, step) = steps.last().expect("an order has a step");
            let Some(waits) = waits.get(step.as_str()) else { continue };
            if waits.len() < 20 || ENDS.contains(&step.as_str()) {
                continue;
            }
            let mut waits = waits.clone();
            waits.sort_unstable();
            let limit = waits[(waits.len() * 95 / 100).min(waits.len() - 1)];
            found.push((order.clone(), since + limit + 1));
        }
        found
    }

    fn commit(&mut self, now: i64, silent: bool) {
        let waiting: BTreeSet<String> =
            self.too_long_from().into_iter().filter(|(_, from)| *from <= now).map(|(order, _)| order).collect();
        if !silent {
            self.fired.extend(waiting.difference(&self.waiting).map(|order| (now, order.clone())));
        }
        self.waiting = waiting;
    }

    fn pass(&mut self, until: i64) {
        for (order, from) in self.too_long_from() {
            if from <= until && self.waiting.insert(order.clone()) {
                self.fired.insert((from, order));
            }
        }
    }
}

#[tokio::test]
async fn orders_fire_when_they_wait_too_long() {
    let house = House::new(serde_json::from_str(DATA_MODEL).expect("a data model"));
    let mut oracle = Oracle::default();
    let lines = log();
    let start = at("2011-09-26T00:00:00Z");
    let split = lines.partition_point(|line| at(&line[4]) <= start);
    house.push("PurchaseEvents", Mode::Append, push(&lines[..split])).await;
    oracle.arrive(&lines[..split]);
    oracle.commit(start.as_millis(), true);

    let mining = house.mining();
    mining.put_draft(&actor(), "purchase-to-pay", MODEL).await.expect("a draft");
    let model = "purchase-to-pay.late-steps";
    mining.set_clock(&actor(), model, start, 0.0).await.expect("the clock is set");
    mining.publish(&actor(), model).await.expect("it fits");

    let hours = std::time::Duration::from_hours(12);
    let (mut now, mut next) = (start, split);
    let mut by_time_alone = 0;
    let looked_at = async || mining.looked_at(house.data_model.now().id).await;
    let (at_publication, mut touched) = (looked_at().await, 0);
    while next < lines.len() {
        now = now.plus(hours);
        let before = house.fired().await.len();
        mining.set_clock(&actor(), model, now, 0.0).await.expect("the clock is set");
        by_time_alone += house.fired().await.len() - before;
        oracle.pass(now.as_millis());
        let until = lines.partition_point(|line| at(&line[4]) <= now);
        if until > next {
            touched += lines[next..until].iter().map(|line| &line[0]).collect::<BTreeSet<_>>().len();
            house.push("PurchaseEvents", Mode::Append, push(&lines[next..until])).await;
            mining.catch_up().await.expect("it follows");
            oracle.arrive(&lines[next..until]);
            oracle.commit(now.as_millis(), false);
            next = until;
        }
    }
    let fired: BTreeSet<(i64, String)> =
        house.fired().await.into_iter().map(|(at, order, _)| (at.as_millis(), order)).collect();
    let shown = |set: &BTreeSet<(i64, String)>| {
        set.iter().map(|(at, order)| format!("{} {order}", Timestamp::from_millis(*at))).collect::<Vec<_>>()
    };
    assert_eq!(shown(&fired), shown(&oracle.fired));
    assert_eq!(house.fired().await.len(), fired.len(), "each once");
    assert!(fired.len() > 20 && by_time_alone > 10, "{} fired, {by_time_alone} because time passed", fired.len());

    // Beside what commits touch, those are looked at that time or a threshold
    // passes: about once on the way in, and once if it moves away again.
    let (looked_at, orders) = (looked_at().await - at_publication, oracle.orders.len());
    let passed = looked_at - touched as u64;
    assert!(
        passed <= 4 * fired.len() as u64,
        "{looked_at} looked at, {touched} touched, {} fired, {orders} orders",
        fired.len()
    );

    let waiting: Vec<String> =
        mining.matched(model, "LONG_WAIT").await.expect("a trigger").into_iter().map(|one| one.identifier).collect();
    assert_eq!(waiting, oracle.waiting.iter().cloned().collect::<Vec<_>>());
    let open = mining.query(model, r#"FILTER MATCH_ACTIVITIES(ENDING['Pay Invoice', 'Analyze Request for Quotation', 'Analyze Purchase Requisition']) = 0; COUNT_TABLE("PurchaseEvents_CASES")"#);
    let open = open.await.expect("an answer").rows[0][0].to_string();
    assert_eq!(mining.counters().await.expect("figures").cases_open.to_string(), open);
}
