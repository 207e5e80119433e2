//! The law of the store: after any history, cut into any commits and folded
//! at any time, the log says what a list of rows says that is looked through
//! from end to end, and so does a log that is loaded anew.

use std::collections::BTreeMap;

use base::Timestamp;
use pools::rows::ColumnType;
use pools::{Change, Mode, Rows};
use proptest::prelude::*;

use super::{model, table};
use crate::evaluate::answer;
use crate::log::{Applied, EventLog, NO_ROW, Touched};
use crate::pql::check::{Checker, Vocabulary};

/// `-` stands for nothing.
type Line = Vec<String>;

const TABLES: [&str; 3] = ["EV", "ORDERS", "VENDOR"];

fn columns(table: usize, case_type: ColumnType) -> Vec<(String, ColumnType)> {
    let text = ColumnType::Text;
    let columns = match table {
        0 => {
            vec![("ID", text), ("CASE", case_type), ("ACT", text), ("TS", ColumnType::Time), ("N", ColumnType::Integer)]
        }
        1 => vec![("CASE", case_type), ("VENDOR", text), ("VALUE", ColumnType::Float)],
        _ => vec![("ID", text), ("RATING", ColumnType::Integer)],
    };
    columns.into_iter().map(|(name, column_type)| (name.to_owned(), column_type)).collect()
}

fn rows(place: usize, case_type: ColumnType, lines: &[Line]) -> Rows {
    table(&columns(place, case_type), lines)
}

/// What a test case does, one commit after the other.
#[derive(Clone, Debug)]
enum Step {
    /// Rows for a table; with keys they replace others.
    Push(usize, bool, Vec<Line>),
    /// Keys of a table.
    Delete(usize, Vec<String>),
    /// A new base.
    Fold,
}

fn line(table: usize) -> BoxedStrategy<Line> {
    let case = || prop_oneof![8 => (0..6_u8).prop_map(|case| case.to_string()), 1 => Just("-".to_owned())];
    let vendor = prop_oneof![6 => (0..4_u8).prop_map(|vendor| format!("v{vendor}")), 1 => Just("-".to_owned())];
    match table {
        0 => {
            let activity = prop_oneof![8 => "[A-C]", 1 => Just("-".to_owned())];
            let time = prop_oneof![9 => (0..5_u8).prop_map(|hour| format!("2026-03-01 {hour:02}:00")), 1 => Just("-".to_owned())];
            let number = prop_oneof![4 => (0..3_u8).prop_map(|number| number.to_string()), 1 => Just("-".to_owned())];
            (0..15_u8, case(), activity, time, number)
                .prop_map(|(id, case, activity, time, number)| vec![format!("e{id}"), case, activity, time, number])
                .boxed()
        }
        1 => {
            (case(), vendor, 0..9_u8).prop_map(|(case, vendor, value)| vec![case, vendor, format!("{value}.5")]).boxed()
        }
        _ => (vendor, 0..5_u8).prop_map(|(vendor, rating)| vec![vendor, rating.to_string()]).boxed(),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let push = (0..3_usize, any::<bool>()).prop_flat_map(|(table, keyed)| {
        prop::collection::vec(line(table), 1..6).prop_map(move |lines| (table, keyed, lines))
    });
    let delete = (0..3_usize).prop_flat_map(|table| {
        prop::collection::vec(line(table), 1..3)
            .prop_map(move |lines| Step::Delete(table, lines.into_iter().map(|line| line[0].clone()).collect()))
    });
    prop_oneof![
        // A vendor comes with its key, so that the 1-side stays one.
        6 => push.prop_map(|(table, keyed, lines)| Step::Push(table, keyed || table == 2, lines)),
        2 => delete,
        1 => Just(Step::Fold),
    ]
}

/// Rows in order of arrival.
#[derive(Clone, Default)]
struct Naive {
    tables: [Vec<Line>; 3],
}

/// Events in order, the order's line, its vendor's line.
type CaseTold = (Vec<Line>, Option<Line>, Option<Line>);

/// What both can say, in order of ids.
#[derive(Debug, Default, PartialEq)]
struct Told {
    cases: BTreeMap<String, CaseTold>,
    /// Per vendor that counts, its orders that live.
    orders_of: BTreeMap<Line, Vec<Line>>,
    excluded: usize,
    rows: [usize; 3],
}

impl Naive {
    fn tell(&self, has_cases: bool, sorted: bool) -> Told {
        let [events, orders, vendors] = &self.tables;
        let mut told = Told { rows: self.tables.each_ref().map(Vec::len), ..Told::default() };
        for event in events {
            if event[1..4].iter().any(|cell| cell == "-") {
                told.excluded += 1;
            } else {
                told.cases.entry(event[1].clone()).or_default().0.push(event.clone());
            }
        }
        let missing_first = |cell: &String| (cell != "-").then(|| cell.clone());
        for (events, ..) in told.cases.values_mut() {
            events.sort_by_key(|event| (event[3].clone(), sorted.then(|| missing_first(&event[4]))));
        }
        for order in orders.iter().filter(|order| has_cases && order[0] != "-") {
            told.cases.entry(order[0].clone()).or_default().1 = Some(order.clone());
        }
        let vendor_of = |order: &Line| vendors.iter().rfind(|vendor| order[1] != "-" && vendor[0] == order[1]).cloned();
        for (_, order, vendor) in told.cases.values_mut() {
            *vendor = order.as_ref().and_then(vendor_of);
        }
        for vendor in vendors.iter().filter(|vendor| vendor[0] != "-") {
            let orders = orders.iter().filter(|order| order[1] == vendor[0]).cloned();
            let mut orders: Vec<Line> = orders.collect();
            orders.sort();
            told.orders_of.insert(vendor.clone(), orders);
        }
        told
    }
}

fn line_of(log: &EventLog, table: usize, row: u32) -> Line {
    let table = log.table(table);
    let cell = |place| match table.column(place).value(row).to_string() {
        text if text == "NULL" => "-".to_owned(),
        text => text.replace('T', " ").replace(":00.000Z", ""),
    };
    (0..table.columns().count()).map(cell).collect()
}

fn tell(log: &EventLog, has_cases: bool) -> Told {
    let mut told = Told { excluded: log.excluded(), ..Told::default() };
    for (place, rows) in told.rows.iter_mut().enumerate() {
        assert_eq!(log.table(place).rows().count(), log.table(place).len());
        *rows = log.table(place).len();
    }
    let case_table = log.catalog().roles.case_table;
    for number in 0..log.case_count() {
        let case = log.case(number);
        let events: Vec<u32> = case.events.iter().collect();
        for event in &events {
            assert_eq!(log.case_of(0, *event), Some(number));
            assert_eq!(log.partner(0, *event), Some(case.row).filter(|row| *row != NO_ROW));
        }
        let row = Some(case.row).filter(|row| *row != NO_ROW);
        let vendor = row.filter(|_| has_cases).and_then(|row| log.partner(1, row)).map(|row| line_of(log, 2, row));
        let order = row.filter(|_| has_cases).map(|row| line_of(log, 1, row));
        let events: Vec<Line> = events.into_iter().map(|event| line_of(log, 0, event)).collect();
        let id = events.first().map(|event| event[1].clone()).or(order.as_ref().map(|order| order[0].clone()));
        let Some(id) = id else {
            assert_eq!(row, None, "a made-up row goes with its last event");
            continue;
        };
        if let Some(row) = row {
            assert_eq!(log.table(case_table).column(0).value(row).to_string(), id);
            assert_eq!(log.case_of(case_table, row), Some(number));
        }
        assert!(told.cases.insert(id, (events, order, vendor)).is_none(), "one number for each case");
    }
    for vendor in log.table(2).rows().filter(|row| log.table(2).column(0).code(*row) != NO_ROW) {
        let orders = log.children(1, vendor).map(|row| line_of(log, 1, row));
        let mut orders: Vec<Line> = orders.collect();
        orders.sort();
        told.orders_of.insert(line_of(log, 2, vendor), orders);
    }
    told
}

fn change(number: u64, place: usize, mode: Mode, upserts: Rows, deletes: Rows) -> Change {
    Change {
        number,
        table: TABLES[place].into(),
        mode,
        upserts,
        deletes,
        at: Timestamp::EPOCH,
        causes: base::Causes::NONE,
    }
}

/// Applies a step to both, and returns what it touched.
fn act(log: &mut EventLog, naive: &mut Naive, step: &Step, case_type: ColumnType) -> Option<Touched> {
    if let Some(folded) = log.folded_meanwhile() {
        *log = folded;
    }
    let number = log.number + 1;
    let change = match step {
        Step::Fold => {
            *log = log.folded();
            return None;
        }
        Step::Push(place, keyed, lines) => {
            // As the port has it: a key that comes twice stands in it once.
            let mut net: Vec<Line> = Vec::new();
            for line in lines {
                net.retain(|known| !keyed || known[0] != line[0]);
                net.push(line.clone());
            }
            let own = &mut naive.tables[*place];
            own.retain(|known| !keyed || net.iter().all(|line| line[0] != known[0]));
            own.extend(net.iter().cloned());
            let key = columns(*place, case_type)[0].0.clone();
            let mode = if *keyed { Mode::Upsert { keys: vec![key], keep_missing: false } } else { Mode::Append };
            change(number, *place, mode, rows(*place, case_type, &net), Rows::default())
        }
        Step::Delete(place, ids) => {
            naive.tables[*place].retain(|known| !ids.contains(&known[0]));
            let key = columns(*place, case_type)[0].clone();
            let ids: Vec<Line> = ids.iter().map(|id| vec![id.clone()]).collect();
            let deletes = table(std::slice::from_ref(&key), &ids);
            let mode = Mode::Upsert { keys: vec![key.0], keep_missing: false };
            change(number, *place, mode, rows(*place, case_type, &[]), deletes)
        }
    };
    match log.apply(&change) {
        Applied::Touched(touched) => Some(touched),
        Applied::Reload => panic!("nothing here changes a column"),
    }
}

fn play(
    steps: &[Step],
    loaded: usize,
    has_cases: bool,
    sorted: bool,
    case_type: ColumnType,
) -> Result<(), TestCaseError> {
    let mut data_model = model(&TABLES, has_cases.then_some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]);
    data_model.activity.sorting_column = sorted.then(|| "N".to_owned());
    let fresh = |naive: &Naive| {
        let loaded = [0, 1, 2].map(|place| {
            let key = columns(place, case_type)[0].0.clone();
            (rows(place, case_type, &naive.tables[place]), vec![key])
        });
        EventLog::new(&data_model, &loaded, 1).expect("it loads")
    };
    let mut naive = Naive::default();
    let mut log = fresh(&naive);
    for (number, step) in steps.iter().enumerate() {
        let before = (log.clone(), tell(&log, has_cases));
        let touched = act(&mut log, &mut naive, step, case_type);
        let expected = naive.tell(has_cases, sorted);
        let after = tell(&log, has_cases);
        prop_assert_eq!(&after, &expected, "after step {} of {:?}", number, steps);
        prop_assert_eq!(&tell(&fresh(&naive), has_cases), &expected, "loaded after step {} of {:?}", number, steps);
        prop_assert_eq!(&tell(&before.0, has_cases), &before.1, "the root before step {} of {:?}", number, steps);
        if let Some(touched) = touched {
            let touched: Vec<_> = touched.cases.iter().map(|case| id_of(&before.0, &log, *case)).collect();
            let changed = |id: &String| before.1.cases.get(id) != after.cases.get(id);
            let all = before.1.cases.keys().chain(after.cases.keys());
            let forgotten: Vec<_> = all.filter(|id| changed(id) && !touched.contains(&Some((*id).clone()))).collect();
            prop_assert!(forgotten.is_empty(), "{:?} changed in step {} of {:?}", forgotten, number, steps);
        }
        if number + 1 == loaded {
            let number = log.number;
            log = fresh(&naive);
            log.number = number;
        }
    }
    prop_assert_eq!(answers(&log, has_cases), answers(&fresh(&naive), has_cases), "after {:?}", steps);
    Ok(())
}

/// Questions whose answers hang on an order in which several cases stand, of
/// which some are equal in all that is asked for.
const ORDERED: [&str; 5] = [
    r#"PU_FIRST(CONSTANT(), "EV"."ID"), PU_LAST(CONSTANT(), "EV"."ID"), PU_LAST(CONSTANT(), "EV"."ID" ORDER BY "EV"."N")"#,
    r#"PU_STRING_AGG(CONSTANT(), "EV"."ID", '-'), PU_LAST(DOMAIN_TABLE("EV"."ACT"), "EV"."ID"), "EV"."ACT""#,
    r#"TABLE("EV"."ACT" AS "a", FIRST("EV"."ID"), LAST("EV"."ID"), LAST("EV"."ID" ORDER BY "EV"."N"), STRING_AGG("EV"."ID", '-'))"#,
    r#""EV"."ID", INDEX_ORDER("EV"."ID"), LAG("EV"."ID", ORDER BY ("EV"."N")), RUNNING_SUM("EV"."N")"#,
    r#""EV"."ID", LEAD("EV"."ID", PARTITION BY ("EV"."ACT")), LAG("EV"."ID", PARTITION BY ("EV"."CASE"))"#,
];

/// The same over a case table and what stands above it.
const ORDERED_ABOVE: [&str; 2] = [
    r#""VENDOR"."ID", PU_FIRST("VENDOR", "EV"."ID"), PU_LAST("VENDOR", "EV"."ID"), PU_LAST("VENDOR", "ORDERS"."CASE"),
       PU_FIRST("VENDOR", "ORDERS"."CASE" ORDER BY "ORDERS"."VALUE")"#,
    r#""ORDERS"."CASE", INDEX_ORDER("ORDERS"."CASE", ORDER BY ("ORDERS"."VALUE")), LAG("ORDERS"."VALUE")"#,
];

/// Answers them; in which order the rows of an answer stand is not asked for.
fn answers(log: &EventLog, has_cases: bool) -> Vec<Vec<String>> {
    let log = std::sync::Arc::new(log.clone());
    let answered = |pql: &&str| {
        let plan = Checker::new(log.catalog().clone(), &Vocabulary::default()).query(pql);
        let plan = plan.unwrap_or_else(|faults| panic!("{pql}: {faults}"));
        let line = |row: &Vec<_>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        let mut lines: Vec<String> = answer(log.clone(), &plan, 0).rows.iter().map(line).collect();
        lines.sort();
        lines
    };
    let above = ORDERED_ABOVE.iter().filter(|_| has_cases);
    ORDERED.iter().chain(above).map(answered).collect()
}

/// Loads a thousand events or orders, or none, and counts cases with a row,
/// events, rows that are no events, orders with a vendor, and orders of which
/// the one vendor knows. A log that is folded says the same.
fn check_thousands(events: Option<&str>, orders: Option<&str>, vendor: &str, expected: [usize; 5]) {
    let data_model = model(&TABLES, Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]);
    let many = |line: Option<&str>| -> Vec<Line> {
        let written = |line: &str, number: usize| line.replace('#', &number.to_string());
        let cells = |line: String| line.split('|').map(|cell| cell.trim().to_owned()).collect();
        line.into_iter().flat_map(|line| (0..1_000).map(move |number| cells(written(line, number)))).collect()
    };
    let vendors = if vendor.is_empty() { Vec::new() } else { vec![vec![vendor.to_owned(), "1".to_owned()]] };
    let loaded = [(0, many(events)), (1, many(orders)), (2, vendors)]
        .map(|(place, lines)| (rows(place, ColumnType::Text, &lines), Vec::new()));
    let log = EventLog::new(&data_model, &loaded, 1).expect("it loads");
    let owned = EventLog::of_rows(&data_model, loaded.into(), 1).expect("it loads");
    for log in [&log, &owned, &log.folded()] {
        let with_row = (0..log.case_count()).filter(|case| log.case(*case).row != NO_ROW).count();
        let joined = log.table(1).rows().filter(|row| log.partner(1, *row).is_some()).count();
        let known = log.table(2).rows().map(|row| log.children(1, row).count()).sum();
        assert_eq!([with_row, log.event_count(), log.excluded(), joined, known], expected);
        let told = tell(log, true);
        assert_eq!(told.cases.len(), log.case_count() as usize);
        let columns =
            log.size_by_table().iter().flat_map(|table| &table.columns).map(|column| column.bytes).sum::<usize>();
        assert!(columns <= log.size().bytes());
    }
}

#[test]
fn tables_without_rows_and_cases_without_events_are_a_log() {
    let event = Some("e# | c# | A | 2026-03-01 08:00 | 1");
    let order = Some("c# | v | 1.5");
    check_thousands(event, order, "v", [1_000, 1_000, 0, 1_000, 1_000]);
    check_thousands(None, None, "", [0, 0, 0, 0, 0]);
    // Cases without events, events without a row for their case.
    check_thousands(None, order, "v", [1_000, 0, 0, 1_000, 1_000]);
    check_thousands(event, None, "v", [0, 1_000, 0, 0, 0]);
    check_thousands(event, Some("d# | v | 1.5"), "v", [1_000, 1_000, 0, 1_000, 1_000]);
    // Orders of a vendor that is not there, or without one; rows that are no events.
    check_thousands(event, order, "", [1_000, 1_000, 0, 0, 0]);
    check_thousands(event, Some("c# | - | 1.5"), "v", [1_000, 1_000, 0, 0, 0]);
    check_thousands(Some("e# | c# | A | - | 1"), order, "v", [1_000, 0, 1_000, 1_000, 1_000]);
    check_thousands(Some("e# | - | A | 2026-03-01 08:00 | 1"), order, "", [1_000, 0, 1_000, 0, 0]);
    // One case for all of them.
    check_thousands(Some("e# | c | A | 2026-03-01 08:00 | 1"), order, "v", [1_000, 1_000, 0, 1_000, 1_000]);
}

#[test]
fn a_fold_in_the_background_misses_nothing() {
    let data_model = model(&TABLES, Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]);
    let loaded = [0, 1, 2].map(|place| (rows(place, ColumnType::Text, &[]), Vec::new()));
    let mut log = EventLog::new(&data_model, &loaded, 1).expect("it loads");
    let mut naive = Naive::default();
    let mut folds = 0;
    for number in 0..200 {
        let event = |id: usize| {
            let line = [format!("e{id}"), format!("{}", id % 7), "A".into(), "2026-03-01 08:00".into(), "1".into()];
            line.to_vec()
        };
        let was_folding = log.is_folding();
        let step = match number % 4 {
            0 => Step::Push(1, true, vec![vec![format!("{}", number % 7), format!("v{}", number % 3), "1.5".into()]]),
            1 => Step::Push(2, true, vec![vec![format!("v{}", number % 3), format!("{}", number % 5)]]),
            2 => Step::Push(0, true, vec![event(number), event(number + 1), event(number / 3)]),
            _ => Step::Delete(0, vec![format!("e{}", number / 2)]),
        };
        act(&mut log, &mut naive, &step, ColumnType::Text);
        folds += usize::from(was_folding && !log.is_folding());
        assert_eq!(tell(&log, true), naive.tell(true, false), "after step {number}");
    }
    while log.is_folding() {
        match log.folded_meanwhile() {
            Some(folded) => log = folded,
            None => std::thread::yield_now(),
        }
    }
    assert_eq!(tell(&log, true), naive.tell(true, false), "after {folds} folds");
}

/// Names a case by what it had or has.
fn id_of(before: &EventLog, after: &EventLog, case: u32) -> Option<String> {
    [after, before].into_iter().filter(|log| case < log.case_count()).find_map(|log| {
        let case = log.case(case);
        let event = case.events.get(0).map(|row| log.table(0).column(1).value(row));
        let roles = &log.catalog().roles;
        let row = Some(case.row).filter(|row| *row != NO_ROW);
        let order = row.map(|row| log.table(roles.case_table).column(roles.case_table_column).value(row));
        event.or(order).map(|id| id.to_string())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_in_any_pushes_is_what_its_rows_say(
        steps in prop::collection::vec(step(), 1..24),
        loaded in 0..30_usize,
        has_cases in any::<bool>(),
        sorted in any::<bool>(),
        numbered in any::<bool>(),
    ) {
        let case_type = if numbered { ColumnType::Integer } else { ColumnType::Text };
        play(&steps, loaded, has_cases, sorted, case_type)?;
    }
}
