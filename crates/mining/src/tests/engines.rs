//! What is stored, on every database engine.

use base::Timestamp;
use base::db::{Control, Db};
use base::testing;
use pools::{DataModelId, Piece};

use super::triggers::{CHANGED, EVENTS, STUCK, keyed, one_trigger};
use super::{House, MIGRATIONS, actor, at, model, rows};
use crate::clock::ProcessClock;
use crate::episodes::{Ending, Window};
use crate::knowledge_model::Source;
use crate::matched_set::{Difference, Enter, Standing};
use crate::ports::Reason;
use crate::tables::{self, Moment};
use crate::trigger::Noted;
use crate::views::ModelSummary;

/// Runs a check on every engine, each time in a runtime of its own.
fn on_every_engine<F: Future<Output = ()>>(check: impl Fn(Db<Control>) -> F) {
    testing::on_every_engine::<Control>(MIGRATIONS, |db| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(check(db));
    });
}

#[test]
fn texts_versions_and_clocks_come_back() {
    on_every_engine(async |db| {
        let now = at("2026-03-01 00:00");
        let id = DataModelId::from_bytes([9; 16]);
        let write = db.write("test", move |tx| {
            let draft = ModelSummary {
                id: "p.km".into(),
                package: "p".into(),
                key: "km".into(),
                display_name: "Orders".into(),
                published: None,
                changed_at: now,
                published_at: None,
            };
            tables::put_draft(tx, &draft, "first")?;
            assert_eq!(tables::published(tx, "p.km")?, None);
            assert_eq!(tables::publish(tx, "p.km", &Source::from("first"), id, "ann", now)?, 1);
            tables::put_draft(tx, &draft, "second")?;
            let second = Source { text: "second".into(), bases: vec!["third".into()] };
            assert_eq!(tables::publish(tx, "p.km", &second, id, "ann", now)?, 2);
            assert_eq!(tables::models(tx)?, [ModelSummary { published: Some(2), published_at: Some(now), ..draft }]);
            assert_eq!(tables::draft(tx, "p.km")?.as_deref(), Some("second"));
            assert_eq!(tables::published(tx, "p.km")?, Some((second.clone(), id)));
            assert_eq!(tables::published_on(tx, id)?, [("p.km".to_owned(), second)]);
            assert_eq!(tables::published_data_models(tx)?, [id]);
            assert_eq!(tables::clock(tx, id)?, ProcessClock::Wall);
            for speed in [0.0, 2.5] {
                tables::set_clock(tx, id, now, now, speed)?;
                assert_eq!(tables::clock(tx, id)?, ProcessClock::Replay { shown: now, wall: now, speed });
            }
            Ok::<_, base::db::Error>(())
        });
        write.await.expect("a write");
    });
}

#[test]
fn only_one_owner_moves_the_progress() {
    on_every_engine(async |db| {
        let now = at("2026-03-01 00:00");
        let write = db.write("test", move |tx| {
            let first = tables::take_over(tx, "p.km", 3, now)?;
            assert!(tables::move_on(tx, "p.km", &first, 4, now, true)?);
            assert!(!tables::move_on(tx, "p.km", &first, 4, now, false)?, "that step was made");
            let second = tables::take_over(tx, "p.km", 9, now)?;
            assert_eq!((second.epoch, second.step, second.through), (first.epoch + 1, 0, 4));
            let late = tables::Progress { step: 1, ..first };
            assert!(!tables::move_on(tx, "p.km", &late, 5, now, false)?, "another one owns it");
            assert!(tables::move_on(tx, "p.km", &second, 5, now, false)?);
            Ok::<_, base::db::Error>(())
        });
        write.await.expect("a write");
    });
}

#[test]
fn matched_sets_remember_episodes_and_who_made_room() {
    on_every_engine(async |db| {
        let now = at("2026-03-01 00:00");
        let write = db.write("test", move |tx| {
            let note =
                |logic: &str| [Noted { id: "T".into(), logic: logic.into(), fire_existing: true, fire_changed: false }];
            tables::put_triggers(tx, "p.km", &note("a"), (Timestamp::EPOCH, Timestamp::EPOCH))?;
            assert_eq!(tables::trigger(tx, "p.km", "T")?, (false, 0));
            let enter = |identifier: &str, episode| Enter {
                identifier: identifier.into(),
                episode,
                typed: identifier.into(),
                fields: Vec::new(),
                quiet: false,
                reason: Reason::Data,
            };
            tables::enter(tx, "p.km", "T", &[enter("1", 1), enter("2", 1), enter("3", 1)], now, false)?;
            tables::leave(tx, "p.km", "T", &["1".into()])?;
            tables::displace(tx, "p.km", "T", &["2".into()])?;
            tables::enter(tx, "p.km", "T", &[enter("1", 2)], now, false)?;
            tables::count_fired(tx, "p.km", "T", 4)?;
            let stored = tables::stored(tx, "p.km", "T")?;
            let standing = |identifier: &str| (stored[identifier].standing, stored[identifier].episode);
            assert_eq!(standing("1"), (Standing::In, 2));
            assert_eq!(standing("2"), (Standing::Displaced, 1));
            assert_eq!(tables::count_matched(tx, "p.km", "T")?, 2);
            let matched: Vec<_> = tables::matched(tx, "p.km", "T")?.into_iter().map(|one| one.identifier).collect();
            assert_eq!(matched, ["1", "3"]);
            assert_eq!(tables::fired(tx)?, 4);

            tables::put_triggers(tx, "p.km", &note("b"), (Timestamp::EPOCH, Timestamp::EPOCH))?;
            assert_eq!(tables::trigger(tx, "p.km", "T")?, (true, 4), "another logic starts silently");
            tables::end_silence(tx, "p.km")?;
            tables::put_triggers(tx, "p.km", &[], (Timestamp::EPOCH, Timestamp::EPOCH))?;
            let stored = tables::stored(tx, "p.km", "T")?;
            assert!(stored.values().all(|stored| stored.standing == Standing::Out), "it is gone");
            Ok::<_, base::db::Error>(())
        });
        write.await.expect("a write");
    });
}

#[test]
fn episodes_end_once_and_the_first_that_ended_are_forgotten() {
    on_every_engine(async |db| {
        let moment = |minute: i64, reason| Moment {
            at: Timestamp::from_millis(60_000 * minute),
            recorded: Timestamp::from_millis(60_000 * minute),
            reason,
            causes: base::Causes::NONE,
        };
        let own = ("p.km", "T");
        let write = db.write("test", move |tx| {
            let last = i64::try_from(tables::EPISODES_KEPT).expect("a few") + 9;
            for number in 0..=last {
                let enter = Enter {
                    identifier: "1".into(),
                    episode: number as u64,
                    typed: "1".into(),
                    fields: Vec::new(),
                    quiet: false,
                    reason: Reason::Data,
                };
                let enters = Difference { enters: vec![enter], ..Difference::default() };
                tables::move_episodes(tx, own, &enters, number == 0, &moment(2 * number, Reason::Data))?;
                tables::move_episodes(tx, own, &enters, false, &moment(2 * number, Reason::Data))?;
                if number == last {
                    break;
                }
                // Time went back; whoever leaves twice has left once.
                let leaves = Difference { leaves: vec!["1".into(), "2".into()], ..Difference::default() };
                tables::move_episodes(tx, own, &leaves, false, &moment(2 * number - 1, Reason::Time))?;
                tables::move_episodes(tx, own, &leaves, false, &moment(2 * number + 1, Reason::Data))?;
            }
            tables::untime(tx, "p.km")?;
            let (counts, forgotten) = tables::episode_counts(tx, own)?.expect("it had some");
            assert_eq!((counts.entered, counts.found, counts.open), (last as u64, 1, 1));
            assert_eq!(counts.ended.into_iter().collect::<Vec<_>>(), [(Ending::Time, last as u64)]);
            let known = tables::episodes(tx, own, &Window::default(), 1_000)?;
            // Each pass counts two that leave, twice; of the numbers the last are kept.
            let first = known.last().expect("some are kept");
            assert!(forgotten.is_some_and(|at| at < first.entered_at));
            assert!(known.len() as u64 <= tables::EPISODES_KEPT + 1);
            assert!(known.iter().all(|episode| episode.end.is_none_or(|end| end.at >= episode.entered_at)));
            assert_eq!((known[0].number, known[0].timed, known[1].timed), (last as u64, false, true));
            let window = Window { from: Some(known[2].entered_at), to: Some(known[0].entered_at) };
            assert_eq!(tables::episodes(tx, own, &window, 1_000)?, known[1..3]);
            Ok::<_, base::db::Error>(())
        });
        write.await.expect("a write");
    });
}

#[test]
fn signals_fire_once_over_commits_deadlines_and_restarts() {
    on_every_engine(async |db| {
        let house = House::on(db, model(&["EV"], None, &[]));
        house.push("EV", keyed(), vec![Piece::Upsert(rows(EVENTS))]).await;
        let mining = house.mining();
        mining.put_draft(&actor(), "p", &one_trigger(STUCK, "")).await.expect("a draft");
        house.set_clock("p.km", "2026-03-01 08:30").await;
        mining.publish(&actor(), "p.km").await.expect("it fits");
        house.append("EV", "ID | CASE | ACT | TS:time | USER\nx | 4 | Create | 2026-03-01 05:00 | ann").await;
        house.set_clock("p.km", "2026-03-01 11:00").await;
        house.restart();
        house.set_clock("p.km", "2026-03-02 00:00").await;
        house.restart();
        house.mining().catch_up().await.expect("it follows");
        let keys: Vec<_> = house.fired().await.into_iter().map(|(_, _, key)| key).collect();
        assert_eq!(keys, ["T/4/1", "T/1/1", "T/2/1"]);
        house.publish(&one_trigger(CHANGED, "")).await;
        assert_eq!(house.mining().counters().await.expect("figures").signals, 3);
    });
}
