//! What is held in memory of the logs, and how much of it is read at a time.

use std::collections::VecDeque;

use super::schedule::{NOW, answered, id, outlet, subscription};
use super::*;
use crate::log::{Log, size_of};
use crate::outlet::Call;
use crate::roster::{Order, Roster, Slots, WINDOW_BYTES_MAX};
use crate::tables::{LogId, LogRow};

const MIB: usize = 1 << 20;

fn large(offset: u64) -> Event {
    Event {
        id: event::event_id(&late_orders(), &format!("order {offset}")),
        offset: Offset(offset),
        at: NOW,
        document: format!("\"{}\"", "x".repeat(MIB)).into(),
    }
}

fn row(log: LogId, head: u64) -> LogRow {
    LogRow { log, head: Offset(head), trimmed: Offset::START }
}

/// A database that reads one thing after the other, and receivers of whom one
/// answers at a time.
#[derive(Default)]
struct Reads {
    asked_for: VecDeque<(LogId, Offset, usize)>,
    served: usize,
    events_read: usize,
    called: VecDeque<Call>,
    received: Vec<u64>,
}

impl Reads {
    /// Does what a turn asks for: one call is answered, and one read is served
    /// from a log of large events with this head.
    fn turn(&mut self, roster: &mut Roster, head: u64) {
        for order in roster.turn(NOW) {
            match order {
                Order::Call(call) => self.called.push_back(*call),
                Order::Read { log, after, bytes_max } => self.asked_for.push_back((log, after, bytes_max)),
                _ => {}
            }
        }
        if let Some(call) = self.called.pop_front() {
            self.received.push(call.load.first().offset.0);
            roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
        }
        let Some((log, after, bytes_max)) = self.asked_for.pop_front() else { return };
        let events: Vec<Event> = (after.0 + 1..=head).take((bytes_max / MIB).max(1)).map(large).collect();
        self.events_read += events.len();
        roster.read(log, after, Ok((row(log, head), events)), NOW);
        self.served += 1;
        assert!(roster.window_bytes() <= WINDOW_BYTES_MAX);
    }
}

#[test]
fn a_piece_takes_along_only_what_no_later_piece_has_brought() {
    let mut log = Log::at(row(1, 8), late_orders());
    let mut bytes = log.remember(1, (5..=8).map(large).collect());
    bytes += log.remember(2, (1..=6).map(large).collect());
    assert_eq!(bytes, 8 * size_of(&large(1)));
    bytes -= log.forget(1, Offset(5)..=Offset(8));
    assert_eq!(log.window.keys().map(|offset| offset.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(bytes, 6 * size_of(&large(1)));
    assert_eq!(log.forget_all(), bytes);
}

#[test]
fn a_long_log_is_read_in_pieces_and_the_oldest_are_forgotten() {
    let mut roster = Roster::new(Slots::new(9, 1), NOW);
    roster.seat(subscription(1), row(1, 200), outlet(), NOW);
    let mut reads = Reads::default();
    while reads.received.len() < 200 {
        reads.turn(&mut roster, 200);
    }
    assert_eq!(reads.received, (1..=200).collect::<Vec<_>>());
    assert_eq!(reads.served, 200 / 4, "4 MiB at a time");
    let a_piece = 4 * size_of(&large(1));
    assert!(roster.window_bytes() > WINDOW_BYTES_MAX - 2 * a_piece, "no more is given back than has to be");
    roster.unseat(id(1));
    assert_eq!(roster.window_bytes(), 0);
}

#[test]
fn many_who_lag_in_one_log_share_the_window_too() {
    let mut roster = Roster::new(Slots::new(99, 1), NOW);
    for number in 1..=40 {
        let standing = Standing::new(Offset((u64::from(number) - 1) * 20));
        roster.seat(Subscription { standing, ..subscription(number) }, row(1, 800), outlet(), NOW);
    }
    let mut reads = Reads::default();
    while reads.received.len() < 400 {
        reads.turn(&mut roster, 800);
    }
    assert!(reads.events_read <= 400 + 40, "{} events read for 400", reads.events_read);
}

#[test]
fn many_who_lag_share_the_window_and_nobody_reads_in_vain() {
    // Forty logs with a reader each, all of them far behind.
    let mut roster = Roster::new(Slots::new(99, 1), NOW);
    for log in 1..=40 {
        let trigger = TriggerRef::new("purchasing.orders", format!("trigger-{log}"));
        let reader = Subscription { trigger, ..subscription(u8::try_from(log).expect("a small number")) };
        roster.seat(reader, row(log, 10), outlet(), NOW);
    }
    let mut reads = Reads::default();
    while reads.received.len() < 400 {
        reads.turn(&mut roster, 10);
    }
    // What does not fit is read again; but nobody reads far ahead of its turn.
    assert!(reads.events_read <= 400 + 40, "{} events read for 400", reads.events_read);
}
