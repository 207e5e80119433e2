//! Episodes: each begins and ends once, and how it ended is said as far as it
//! is known.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use base::Causes;
use base::causes::Link;
use expect_test::{Expect, expect};
use pools::{Mode, Piece};
use proptest::prelude::*;

use super::triggers::{CHANGED, STUCK, house, keyed, one_trigger};
use super::{House, actor, at, rows};
use crate::episodes::{Episodes, Window, times};
use crate::tables::EPISODES_KEPT;

const HEADER: &str = "ID | CASE | ACT | TS:time | USER\n";

impl House {
    async fn upsert(&self, lines: &str) {
        self.push("EV", keyed(), vec![Piece::Upsert(rows(&format!("{HEADER}{lines}")))]).await;
        self.mining().catch_up().await.expect("it follows");
    }

    async fn delete(&self, ids: &str) {
        self.push("EV", keyed(), vec![Piece::Delete(rows(&format!("ID\n{ids}")))]).await;
        self.mining().catch_up().await.expect("it follows");
    }

    fn led_to_by(&self, causes: Causes) {
        *self.causes.lock() = causes;
    }

    async fn episodes(&self) -> Episodes {
        self.mining().episodes("p.km", "T", Window::default()).await.expect("there is such a trigger")
    }

    async fn check_episodes(&self, expected: Expect) {
        expected.assert_eq(&told(&self.episodes().await));
    }
}

fn told(found: &Episodes) -> String {
    let clock = |at: base::Timestamp| at.to_string()[11..16].to_owned();
    let mut text = String::new();
    for episode in &found.episodes {
        let (id, number, from) = (&episode.identifier, episode.number, clock(episode.entered_at));
        write!(text, "{id}/{number} {from}").expect("a string takes it");
        match episode.end {
            Some(end) => write!(text, " to {} {:?}", clock(end.at), end.ending).expect("a string takes it"),
            None => text.push_str(" open"),
        }
        text.push_str(if episode.seen { "" } else { ", found" });
        text.push_str(if episode.timed { "\n" } else { ", clock set back\n" });
    }
    let ever = &found.ever;
    writeln!(text, "entered {} found {} ended {:?} open {}", ever.entered, ever.found, ever.ended, ever.open)
        .expect("a string takes it");
    text
}

fn signal_of(trigger: &str, case: &str) -> Causes {
    Causes::NONE.then(Link::new(["p.km", trigger, case]))
}

async fn published(filter: &str, more: &str) -> House {
    let house = house().await;
    house.mining().put_draft(&actor(), "p", &one_trigger(filter, more)).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 12:00").await;
    house.mining().publish(&actor(), "p.km").await.expect("it fits");
    house
}

#[tokio::test]
async fn whoever_leaves_by_rows_that_its_signal_led_to_leaves_by_the_chain() {
    let house = published(CHANGED, "").await;
    house.upsert("d | 1 | Change | 2026-03-01 11:00 | cid\ne | 3 | Change | 2026-03-01 11:00 | cid").await;
    house.set_clock("p.km", "2026-03-01 13:30").await;
    // One commit for both; only the signal of one led to it, and by way of another trigger.
    house.led_to_by(signal_of("T", "1").then(Link::new(["p.km", "SCORED", "1"])));
    house.delete("d\ne").await;
    house.led_to_by(Causes::NONE);
    house
        .check_episodes(expect![[r"
        1/1 12:00 to 13:30 Chain
        2/1 12:00 open, found
        3/1 12:00 to 13:30 Rows
        entered 2 found 1 ended {Chain: 1, Rows: 1} open 1
    "]])
        .await;
}

#[tokio::test]
async fn time_alone_brings_some_and_takes_others() {
    let house = published(r"HOURS_BETWEEN(ORDER.SINCE, NOW()) < 6 AND ORDER.LAST = 'Create'", "").await;
    house.upsert("d | 3 | Create | 2026-03-01 12:00 | cid").await;
    house.set_clock("p.km", "2026-03-01 20:00").await;
    house
        .check_episodes(expect![[r"
        1/1 12:00 to 14:00 Time, found
        3/1 12:00 to 18:00 Time
        entered 1 found 1 ended {Time: 2} open 0
    "]])
        .await;
}

#[tokio::test]
async fn who_makes_room_still_satisfies_the_trigger() {
    let house = published(CHANGED, ", itemLimit: 1, whenFull: REPLACE_EXISTING").await;
    house.upsert("d | 1 | Change | 2026-03-01 11:00 | cid").await;
    house.set_clock("p.km", "2026-03-01 13:00").await;
    house.upsert("e | 3 | Change | 2026-03-01 11:00 | cid").await;
    house.delete("d").await;
    let found = house.episodes().await;
    let all = times(found.episodes.iter().filter_map(|episode| episode.spell(found.now)));
    assert_eq!((all.spells, all.over, all.median), (2, 0, None), "nothing went away");
    house
        .check_episodes(expect![[r"
        1/1 12:00 to 13:00 MadeRoom
        2/1 12:00 to 12:00 MadeRoom, found
        3/1 13:00 open
        entered 2 found 1 ended {MadeRoom: 2} open 1
    "]])
        .await;
}

#[tokio::test]
async fn another_meaning_and_a_clock_set_back_say_nothing_about_the_process() {
    let house = published(STUCK, "").await;
    house.upsert("d | 3 | Create | 2026-03-01 11:00 | cid").await;
    house.set_clock("p.km", "2026-03-01 14:00").await;
    house.set_clock("p.km", "2026-03-01 11:30").await;
    house
        .check_episodes(expect![[r"
        1/1 12:00 open, found, clock set back
        2/1 12:00 to 12:00 SetBack, clock set back
        3/1 13:00 to 13:00 SetBack, clock set back
        entered 2 found 1 ended {SetBack: 2} open 1
    "]])
        .await;
    house.publish(&one_trigger(CHANGED, "")).await;
    house
        .check_episodes(expect![[r"
        2/2 11:30 open, found
        1/1 12:00 to 12:00 Redefined, found, clock set back
        2/1 12:00 to 12:00 SetBack, clock set back
        3/1 13:00 to 13:00 SetBack, clock set back
        entered 2 found 2 ended {Redefined: 1, SetBack: 2} open 1
    "]])
        .await;
    // A trigger that is gone watches nobody, and its past stays.
    house.publish(&one_trigger(CHANGED, "").replace("id: T,", "id: OTHER,")).await;
    house
        .check_episodes(expect![[r"
        2/2 11:30 to 11:30 Redefined, found
        1/1 12:00 to 12:00 Redefined, found, clock set back
        2/1 12:00 to 12:00 SetBack, clock set back
        3/1 13:00 to 13:00 SetBack, clock set back
        entered 2 found 2 ended {Redefined: 2, SetBack: 2} open 0
    "]])
        .await;
    let unknown = house.mining().episodes("p.km", "NEVER", Window::default()).await.expect_err("nobody knows it");
    expect![[r#"knowledge model "p.km" has no trigger "NEVER""#]].assert_eq(&unknown.to_string());
}

#[tokio::test]
async fn a_table_that_is_replaced_ends_what_is_not_in_it() {
    let house = published(CHANGED, "").await;
    house.upsert("d | 1 | Change | 2026-03-01 11:00 | cid").await;
    house.set_clock("p.km", "2026-03-01 13:00").await;
    house.led_to_by(signal_of("T", "1"));
    let left = format!("{HEADER}a | 1 | Create | 2026-03-01 08:00 | ann\nx | 4 | Change | 2026-03-01 09:00 | ann");
    house.push("EV", Mode::Replace, vec![Piece::Upsert(rows(&left))]).await;
    house.mining().catch_up().await.expect("it follows");
    house
        .check_episodes(expect![[r"
        1/1 12:00 to 13:00 Chain
        2/1 12:00 to 13:00 Rows, found
        4/1 13:00 open
        entered 2 found 1 ended {Chain: 1, Rows: 1} open 1
    "]])
        .await;
}

#[tokio::test]
async fn a_crash_in_the_midst_of_a_commit_counts_nothing_twice() {
    let house = published(CHANGED, ", caps: { perCommit: null, perMinute: null }").await;
    let lines = |act: &str| {
        let line = |case: usize| format!("c{case} | {} | {act} | 2026-03-01 11:00 | cid\n", case + 10);
        (0..2_500).map(line).collect::<String>()
    };
    // The second of three closures is lost with the process.
    house.outbox.lock().calls_left.store(1, Ordering::SeqCst);
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&format!("{HEADER}{}", lines("Change"))))]).await;
    house.mining().catch_up().await.expect_err("it crashed");
    house.restart();
    house.mining().catch_up().await.expect("it follows");
    let found = house.episodes().await;
    assert_eq!((found.ever.entered, found.ever.open, found.episodes.len()), (2_500, 2_501, 2_501));
    house.upsert(&lines("Create")).await;
    let found = house.episodes().await;
    assert_eq!((found.ever.entered, found.ever.left(), found.ever.open), (2_500, 2_500, 1));
    assert_eq!(found.episodes.len() as u64, EPISODES_KEPT + 1, "what ended first is forgotten, and still counted");
    assert_eq!(found.complete_from.map(|at| at.to_string()), Some("2026-03-01T12:00:00.000001Z".into()));
}

/// What may happen to a house.
#[derive(Clone, Debug)]
enum Step {
    /// An event of a case is such an activity now.
    Event(u8, u8, bool),
    /// The same, by rows that the signal of that case led to.
    Caused(u8, u8),
    Delete(u8, u8),
    /// Only these cases have changed.
    Replace(Vec<u8>),
    /// To this hour.
    Clock(u8),
    Publish(bool),
    Restart,
    /// The next transaction with a signal is the last one.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5_u8, 0..3_u8, any::<bool>()).prop_map(|(case, event, changes)| Step::Event(case, event, changes)),
        2 => (0..5_u8, 0..3_u8).prop_map(|(case, event)| Step::Caused(case, event)),
        2 => (0..5_u8, 0..3_u8).prop_map(|(case, event)| Step::Delete(case, event)),
        1 => prop::collection::vec(0..5_u8, 0..3).prop_map(Step::Replace),
        3 => (8..20_u8).prop_map(Step::Clock),
        1 => any::<bool>().prop_map(Step::Publish),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

const MORE: [&str; 3] = ["", ", itemLimit: 2, whenFull: REPLACE_EXISTING", ", itemLimit: 2, onLogicChange: FIRE"];

async fn act(house: &House, step: &Step, more: &str) {
    let line = |case: u8, event: u8, act: &str| {
        let hour = 8 + event;
        format!("{case}-{event} | {case} | {act} | 2026-03-01 {hour:02}:00 | ann")
    };
    let mining = house.mining();
    let mut crashes = false;
    match step {
        Step::Event(case, event, changes) => {
            let text = format!("{HEADER}{}", line(*case, *event, if *changes { "Change" } else { "Pay" }));
            house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
        }
        Step::Caused(case, event) => {
            house.led_to_by(signal_of("T", &case.to_string()));
            let text = format!("{HEADER}{}", line(*case, *event, "Pay"));
            house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
            house.led_to_by(Causes::NONE);
        }
        Step::Delete(case, event) => {
            house.push("EV", keyed(), vec![Piece::Delete(rows(&format!("ID\n{case}-{event}")))]).await;
        }
        Step::Replace(cases) => {
            let lines: Vec<String> = cases.iter().map(|case| line(*case, 0, "Change")).collect();
            let text = format!("{HEADER}{}\nz | 9 | Create | 2026-03-01 08:00 | ann", lines.join("\n"));
            house.push("EV", Mode::Replace, vec![Piece::Upsert(rows(&text))]).await;
        }
        Step::Clock(hour) => {
            let to = at(&format!("2026-03-01 {hour:02}:00"));
            mining.set_clock(&actor(), "p.km", to, 0.0).await.map(drop).ok();
        }
        Step::Publish(stuck) => {
            let text = one_trigger(if *stuck { STUCK } else { CHANGED }, more);
            mining.put_draft(&actor(), "p", &text).await.expect("a draft");
            mining.publish(&actor(), "p.km").await.map(drop).ok();
        }
        Step::Restart => house.restart(),
        Step::Crash => crashes = true,
    }
    if crashes {
        house.outbox.lock().calls_left.store(1, Ordering::SeqCst);
    }
    if house.mining().catch_up().await.is_err() || house.outbox.lock().crashed.load(Ordering::SeqCst) {
        house.restart();
        house.mining().catch_up().await.expect("it follows again");
    }
}

/// The law of episodes, after anything that may happen.
async fn holds(house: &House) -> Result<(), TestCaseError> {
    let mining = house.mining();
    let found = mining.episodes("p.km", "T", Window::default()).await.expect("it is published");
    let matched = mining.matched("p.km", "T").await.expect("it is published");
    let ever = &found.ever;
    let ended: u64 = ever.ended.values().sum();
    prop_assert_eq!(ever.entered + ever.found, ended + ever.open, "what began has ended or lasts");
    let set: BTreeSet<_> = matched.iter().map(|one| (one.identifier.clone(), one.episode, one.since)).collect();
    let open = found.episodes.iter().filter(|episode| episode.end.is_none());
    let open: BTreeSet<_> =
        open.map(|episode| (episode.identifier.clone(), episode.number, episode.entered_at)).collect();
    prop_assert_eq!(&open, &set, "those that last are the set");
    prop_assert_eq!(ever.open, open.len() as u64);
    for episode in &found.episodes {
        let Some(end) = episode.end else { continue };
        prop_assert!(end.at >= episode.entered_at && end.recorded >= episode.entered_recorded, "{:?}", episode);
    }
    let kept = found.episodes.iter().filter(|episode| episode.end.is_some()).count() as u64;
    prop_assert!(kept <= EPISODES_KEPT && (ended > EPISODES_KEPT || kept == ended), "{} of {}", kept, ended);
    prop_assert_eq!(found.complete_from.is_some(), kept < ended);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_entered_has_left_or_is_still_there(
        steps in prop::collection::vec(step(), 1..40),
        more in prop::sample::select(&MORE[..]),
        stuck in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let house = published(if stuck { STUCK } else { CHANGED }, more).await;
            for step in &steps {
                act(&house, step, more).await;
                holds(&house).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
