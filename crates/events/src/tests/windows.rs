//! What is held in memory of the logs, and how much of it is read at a time.

use super::schedule::{NOW, id, log, outlet, subscription};
use super::*;
use crate::log::size_of;
use crate::outlet::Call;
use crate::roster::{Order, Roster, Slots, WINDOW_BYTES_MAX};
use crate::tables::LogRow;

const MIB: usize = 1 << 20;

fn large(offset: u64) -> Event {
    Event {
        id: event::event_id(&late_orders(), &format!("order {offset}")),
        offset: Offset(offset),
        at: NOW,
        document: format!("\"{}\"", "x".repeat(MIB)).into(),
    }
}

/// Does what a turn asks for, reading from logs of large events; returns the
/// calls, and how many bytes each read was allowed to bring.
fn turn(roster: &mut Roster, heads: &[(u64, u64)]) -> (Vec<Call>, Vec<usize>) {
    let (mut calls, mut reads) = (Vec::new(), Vec::new());
    for order in roster.turn(NOW) {
        match order {
            Order::Call(call) => calls.push(*call),
            Order::Read { log, after, bytes_max } => {
                reads.push(bytes_max);
                let head = heads.iter().find(|(known, _)| *known == log).expect("a log that is there").1;
                let events: Vec<Event> = (after.0 + 1..=head).take((bytes_max / MIB).max(1)).map(large).collect();
                let row = LogRow { log, head: Offset(head), trimmed: Offset::START };
                roster.read(log, after, Ok((row, events)), NOW);
                assert!(roster.window_bytes() <= WINDOW_BYTES_MAX);
            }
            _ => {}
        }
    }
    (calls, reads)
}

#[test]
fn a_long_log_is_read_in_pieces_and_the_oldest_are_forgotten() {
    let mut roster = Roster::new(Slots::new(9, 1), NOW);
    roster.seat(subscription(1), log(200), outlet(), NOW);
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let (calls, reads) = turn(&mut roster, &[(1, 200)]);
        assert!(reads.iter().all(|bytes_max| *bytes_max == 4 * MIB));
        for call in calls {
            seen.push(call.load.first().offset.0);
            roster.finished(schedule::answered(&call, Outcome::Delivered), 0.5, NOW);
        }
        if let Some(Order::Save(batch)) = roster.last_turn(NOW) {
            roster.saved(batch, Ok(()), NOW);
        }
    }
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
    let a_piece = 4 * size_of(&large(1));
    assert!(roster.window_bytes() > WINDOW_BYTES_MAX - 2 * a_piece, "no more is given back than has to be");
    roster.unseat(id(1));
    assert_eq!(roster.window_bytes(), 0);
}

#[test]
fn many_who_lag_share_the_window_and_nobody_reads_in_vain() {
    // Twenty logs with a reader each, all of them far behind.
    let mut roster = Roster::new(Slots::new(99, 1), NOW);
    let heads: Vec<(u64, u64)> = (1..=20).map(|log| (log, 10)).collect();
    for (log, head) in &heads {
        let number = u8::try_from(*log).expect("a small number");
        let trigger = TriggerRef::new("purchasing.orders", format!("trigger-{log}"));
        let row = LogRow { log: *log, head: Offset(*head), trimmed: Offset::START };
        roster.seat(Subscription { trigger, ..subscription(number) }, row, outlet(), NOW);
    }
    let (mut delivered, mut bytes_read) = (0, Vec::new());
    while delivered < 200 {
        let (calls, reads) = turn(&mut roster, &heads);
        bytes_read.extend(reads);
        for call in calls {
            delivered += 1;
            roster.finished(schedule::answered(&call, Outcome::Delivered), 0.5, NOW);
        }
    }
    // 32 MiB shared by twenty: one event of 1 MiB at a time.
    assert!(bytes_read.iter().filter(|bytes| **bytes < 4 * MIB).count() >= 200);
    assert!(bytes_read.len() <= 200 + 2 * 20, "{} reads for 200 events", bytes_read.len());
}
