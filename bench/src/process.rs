//! A purchasing process with loops, made up from a seed.
//!
//! Twelve activities, ten events a case on average, five hundred vendors. A
//! case depends on the seed and its own number alone, so logs of any size have
//! the same beginning. Rows arrive as a source delivers them: many cases at
//! once, in the order of time.

use std::sync::Arc;

use pools::rows::{Column, Dictionary, Values};
use pools::{Rows, SEQ_COLUMN};

/// What happens in a case.
pub(crate) const ACTIVITIES: [&str; 12] = [
    "Create order",
    "Check limit",
    "Change price",
    "Change quantity",
    "Approve order",
    "Reject order",
    "Send order",
    "Send reminder",
    "Receive goods",
    "Receive invoice",
    "Block invoice",
    "Pay invoice",
];

/// Who sells.
pub(crate) const VENDORS: u32 = 500;
const USERS: u32 = 300;

/// Cases that are under way at the same time.
const ABREAST: usize = 20_000;

const HOUR: i64 = 3_600_000_000;

/// Noon of 1 January 2024, in microseconds.
pub(crate) const START: i64 = 1_704_110_400_000_000;

/// Seeded numbers (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 33) as u32) % end
    }
}

/// One row of the activity table, by codes.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) case: u32,
    pub(crate) activity: u8,
    pub(crate) user: u16,
    /// Microseconds since 1970, whole seconds.
    pub(crate) time: i64,
    pub(crate) cost: u16,
}

/// Makes the events of a case, in order. One of eight is not at its end.
pub(crate) fn case(seed: u64, case: u32, span_hours: u32, into: &mut Vec<Event>) {
    let mut chance = Chance::new(seed ^ (u64::from(case) << 20));
    let mut time = START + i64::from(chance.below(span_hours)) * HOUR;
    let mut steps: Vec<u8> = vec![0, 1];
    while chance.below(5) < 2 && steps.len() < 8 {
        steps.push(2 + chance.below(2) as u8);
        steps.push(1);
    }
    if chance.below(12) == 0 {
        steps.push(5);
    } else {
        steps.extend([4, 6]);
        while chance.below(3) == 0 && steps.len() < 14 {
            steps.push(7);
        }
        steps.extend([8, 9]);
        while chance.below(4) == 0 && steps.len() < 18 {
            steps.extend([10, 9]);
        }
        steps.push(11);
    }
    if chance.below(8) == 0 {
        steps.truncate(1 + chance.below(steps.len() as u32 - 1) as usize);
    }
    for activity in steps {
        into.push(Event { case, activity, user: chance.below(USERS) as u16, time, cost: chance.below(900) as u16 });
        // Some events of a case bear the same second.
        let pause = if chance.below(10) == 0 { 0 } else { chance.below(60 * 3_600) };
        time += i64::from(pause) * 1_000_000;
    }
}

/// A log of at least so many events.
pub(crate) struct Log {
    pub(crate) cases: u32,
    pub(crate) case_of: Vec<u32>,
    pub(crate) activities: Vec<u8>,
    pub(crate) users: Vec<u16>,
    pub(crate) times: Vec<i64>,
    pub(crate) costs: Vec<u16>,
    /// The time of the last event.
    pub(crate) end: i64,
}

impl Log {
    pub(crate) fn new(seed: u64, events: usize) -> Self {
        let mut log = Log {
            cases: 0,
            case_of: Vec::with_capacity(events),
            activities: Vec::with_capacity(events),
            users: Vec::with_capacity(events),
            times: Vec::with_capacity(events),
            costs: Vec::with_capacity(events),
            end: 0,
        };
        let mut block = Vec::new();
        while log.case_of.len() < events {
            for _ in 0..ABREAST {
                if log.case_of.len() + block.len() < events {
                    case(seed, log.cases, 24 * 365, &mut block);
                    log.cases += 1;
                }
            }
            block.sort_by_key(|event| event.time);
            for event in block.drain(..) {
                log.case_of.push(event.case);
                log.activities.push(event.activity);
                log.users.push(event.user);
                log.times.push(event.time);
                log.costs.push(event.cost);
                log.end = log.end.max(event.time);
            }
        }
        log
    }
}

/// Names a case as the source does.
pub(crate) fn case_id(case: u32) -> String {
    format!("PO-{case:08}")
}

fn dictionary(count: u32, name: impl Fn(u32) -> String) -> Arc<Dictionary> {
    let mut dictionary = Dictionary::default();
    for code in 0..count {
        dictionary.push(&name(code));
    }
    Arc::new(dictionary)
}

fn text(name: &str, codes: Vec<u32>, dictionary: Arc<Dictionary>) -> Column {
    column(name, Values::Text { codes, dictionary })
}

fn column(name: &str, values: Values) -> Column {
    Column { name: name.into(), values, validity: None }
}

fn arrivals(rows: usize) -> Column {
    column(SEQ_COLUMN, Values::Integer((1 << 32..).take(rows).collect()))
}

/// Writes the activity table as a scan returns it.
pub(crate) fn events(log: &Log) -> Rows {
    Rows::new(vec![
        text("CASE", log.case_of.clone(), dictionary(log.cases, case_id)),
        text("ACT", log.activities.iter().map(|code| u32::from(*code)).collect(), activities()),
        column("TS", Values::Time(log.times.clone())),
        text("USER", log.users.iter().map(|code| u32::from(*code)).collect(), users()),
        column("COST", Values::Integer(log.costs.iter().map(|cost| i64::from(*cost)).collect())),
        arrivals(log.case_of.len()),
    ])
}

pub(crate) fn activities() -> Arc<Dictionary> {
    dictionary(12, |code| ACTIVITIES[code as usize].to_owned())
}

pub(crate) fn users() -> Arc<Dictionary> {
    dictionary(USERS, |code| format!("User {code:03}"))
}

/// Writes the case table.
pub(crate) fn orders(seed: u64, cases: u32) -> Rows {
    let mut chance = Chance::new(seed + 1);
    let vendors: Vec<u32> = (0..cases).map(|_| chance.below(VENDORS)).collect();
    let values = (0..cases).map(|_| f64::from(chance.below(1_000_000)) / 100.0).collect();
    Rows::new(vec![
        text("CASE", (0..cases).collect(), dictionary(cases, case_id)),
        text("VENDOR", vendors, dictionary(VENDORS, vendor)),
        column("VALUE", Values::Float(values)),
        arrivals(cases as usize),
    ])
}

fn vendor(code: u32) -> String {
    format!("V{code:03}")
}

/// Writes the vendors.
pub(crate) fn vendors() -> Rows {
    Rows::new(vec![
        text("ID", (0..VENDORS).collect(), dictionary(VENDORS, vendor)),
        column("RATING", Values::Integer((0..VENDORS).map(|code| i64::from(code % 5)).collect())),
        arrivals(VENDORS as usize),
    ])
}

/// Writes events that arrive in one push.
pub(crate) fn push(events: &[Event]) -> Rows {
    let mut ids = Dictionary::default();
    let mut codes = std::collections::HashMap::new();
    let case_codes =
        events.iter().map(|event| *codes.entry(event.case).or_insert_with(|| ids.push(&case_id(event.case))));
    let case_codes = case_codes.collect();
    Rows::new(vec![
        text("CASE", case_codes, Arc::new(ids)),
        text("ACT", events.iter().map(|event| u32::from(event.activity)).collect(), activities()),
        column("TS", Values::Time(events.iter().map(|event| event.time).collect())),
        text("USER", events.iter().map(|event| u32::from(event.user)).collect(), users()),
        column("COST", Values::Integer(events.iter().map(|event| i64::from(event.cost)).collect())),
        arrivals(events.len()),
    ])
}
