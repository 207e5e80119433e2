//! What happens when the disk does not do as it is told, and when what it
//! gives back is not what it was given.

use std::fs;
use std::time::Duration;

use expect_test::expect;

use super::disks::{Fault, Step};
use super::*;

fn one(id: i64) -> Vec<Piece> {
    vec![Piece::Upsert(rows(&format!("Id:integer Name\n{id} a")))]
}

#[tokio::test]
async fn a_full_disk_refuses_a_job_and_takes_the_next() {
    let mut pond = Pond::new();
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.disk.plan(Step::Write, 1, Fault::Full);
    let job = pond.job();
    let refused = pond.push_job("Orders", job, by_id(false), one(2)).await;
    assert!(matches!(refused, Err(TablesError::Full)), "{refused:?}");
    assert_eq!(pond.lake().outcome(pond.pool, job).await.unwrap(), None);
    pond.agree().await;
    // Room was made, and the sender tries again.
    let again = pond.push_job("Orders", job, by_id(false), one(2)).await.unwrap();
    pond.push_model("Orders", job, by_id(false), one(2)).await.unwrap();
    assert_eq!(again.number, 2);
    pond.restart();
    pond.agree().await;
}

#[tokio::test]
async fn a_disk_that_is_full_from_the_start_leaves_nothing_behind() {
    let pond = Pond::new();
    for step in 1..=2 {
        pond.disk.plan(Step::Write, step, Fault::Full);
        let refused = pond.push_job("Orders", pond.job(), by_id(false), one(1)).await;
        assert!(matches!(refused, Err(TablesError::Full)), "{refused:?}");
    }
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.agree().await;
}

#[tokio::test]
async fn a_full_disk_does_not_hurt_a_flush() {
    let pond = Pond::new();
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.flush("Orders").await.unwrap();
    pond.push("Orders", by_id(false), one(2)).await.unwrap();
    // Into the Parquet file, into the Delta log.
    for step in 1..=2 {
        pond.disk.plan(Step::Write, step, Fault::Full);
        let refused = pond.flush("Orders").await;
        assert!(matches!(refused, Err(TablesError::Full)), "{refused:?}");
        pond.agree().await;
    }
    assert_eq!(pond.flush("Orders").await.unwrap(), 1);
    pond.agree().await;
}

#[tokio::test]
async fn a_failed_sync_is_final() {
    let mut pond = Pond::new();
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.disk.plan(Step::Sync, 1, Fault::Fail);
    let job = pond.job();
    let broken = pond.push_job("Orders", job, by_id(false), one(2)).await;
    assert_eq!(broken.unwrap_err().to_string(), "the disk failed under the tables: the disk failed");
    // The disk works again, but what it holds is not known.
    let broken = pond.push_job("Orders", pond.job(), by_id(false), one(3)).await;
    assert!(matches!(broken, Err(TablesError::BrokenDisk { .. })), "{broken:?}");
    pond.agree().await;
    // Whether the job is in the log can only be told by reading it anew. Then
    // it is there or not, but nothing in between.
    let unknown = pond.lake().outcome(pond.pool, job).await;
    assert!(matches!(unknown, Err(TablesError::BrokenDisk { .. })), "{unknown:?}");
    pond.restart();
    if pond.lake().outcome(pond.pool, job).await.unwrap().is_some() {
        pond.push_model("Orders", job, by_id(false), one(2)).await.unwrap();
    }
    pond.agree().await;
    pond.push("Orders", by_id(false), one(4)).await.unwrap();
}

#[tokio::test]
async fn two_processes_cannot_share_a_folder() {
    let pond = Pond::new();
    let clock = pond.clock.clone();
    let second = Lake::open(pond.path(), clock, small()).err().expect("it is in use");
    let text = second.to_string().replace(&pond.path().display().to_string(), "DATA");
    expect![[r#"the folder "DATA" is in use by another process"#]].assert_eq(&text);
}

#[tokio::test]
async fn one_job_counts_once_even_when_the_log_has_forgotten_it() {
    let mut pond = Pond::new();
    let job = pond.job();
    let first = pond.push_job("Orders", job, Mode::Append, one(1)).await.unwrap();
    pond.push_model("Orders", job, Mode::Append, one(1)).await.unwrap();
    assert_eq!(pond.push_job("orders", job, Mode::Append, one(1)).await.unwrap(), first);
    while pond.log_folder().join("00000000000000000001.wal").exists() {
        pond.push("Orders", Mode::Append, one(2)).await.unwrap();
        pond.flush("Orders").await.unwrap();
    }
    pond.restart();
    assert_eq!(pond.lake().outcome(pond.pool, job).await.unwrap(), Some(first));
    assert_eq!(pond.push_job("Orders", job, Mode::Append, one(1)).await.unwrap(), first);
    pond.agree().await;
    let forgotten = pond.lake().changes(pond.pool, 0, 10).await;
    assert!(matches!(forgotten, Err(TablesError::Forgotten { gone }) if gone >= 1), "{forgotten:?}");
}

#[tokio::test]
async fn what_a_consumer_still_needs_is_kept() {
    let mut pond = Pond::new();
    pond.lake().release(pond.pool, "model", 0);
    for id in 0..40 {
        pond.push("Orders", by_id(false), one(id)).await.unwrap();
    }
    pond.flush("Orders").await.unwrap();
    pond.restart();
    pond.flush("Orders").await.unwrap();
    pond.agree_on_changes(0).await;
    pond.lake().release(pond.pool, "model", 30);
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.flush("Orders").await.unwrap();
    pond.restart();
    let forgotten = pond.lake().changes(pond.pool, 0, 10).await;
    assert!(matches!(forgotten, Err(TablesError::Forgotten { gone }) if gone <= 30), "{forgotten:?}");
    pond.agree_on_changes(30).await;
}

#[tokio::test]
async fn a_table_is_read_as_it_was_where_a_consumer_stands() {
    for options in [small(), spilling()] {
        let mut pond = Pond::with(options);
        pond.lake().release(pond.pool, "model", 0);
        let mut known = vec![None];
        for number in 1..=40_u64 {
            let mode = if number == 17 { Mode::Replace } else { by_id(false) };
            pond.push("Orders", mode, one(number as i64 % 7)).await.unwrap();
            known.push(Some(pond.lake().scan(pond.pool, "Orders", None).await.unwrap().rows));
            if number == 10 {
                pond.lake().release(pond.pool, "model", 10);
            }
            if number == 6 {
                // Whoever asks for a flush himself gets all that there is.
                pond.flush("Orders").await.unwrap();
            }
            if number == 20 {
                pond.restart();
            }
        }
        for asked in 10..=45 {
            let seen = pond.lake().scan_at(pond.pool, "orders", asked).await.unwrap();
            // Layers may have grown together over the number that was asked for;
            // the changes since are still there to be read.
            assert!((6..=asked.min(40)).contains(&seen.number), "{asked} gives {}", seen.number);
            pond.agree_on_changes(seen.number).await;
            assert_eq!(Some(&seen.rows), known[seen.number as usize].as_ref(), "as of {asked}, at {}", seen.number);
        }
        let forgotten = pond.lake().scan_at(pond.pool, "Orders", 2).await;
        assert!(matches!(forgotten, Err(TablesError::Forgotten { gone }) if gone <= 10), "{forgotten:?}");
        let unknown = pond.lake().scan_at(pond.pool, "Nothing", 20).await;
        assert!(matches!(unknown, Err(TablesError::UnknownTable { .. })), "{unknown:?}");
    }
}

#[tokio::test]
async fn who_is_gone_is_not_waited_for() {
    let pond = Pond::new();
    let ceiling = || {
        let shared = pond.lake().shared();
        shared.ceiling(&shared.pool(pond.pool))
    };
    pond.push("Orders", by_id(false), one(1)).await.unwrap();
    pond.lake().release(pond.pool, "quick", 1);
    pond.lake().release(pond.pool, "slow", 0);
    assert_eq!(ceiling(), 0);
    pond.lake().release(pond.pool, "slow", u64::MAX);
    assert_eq!(ceiling(), 1);
    // Nothing happened for an hour; only then did "quick" fall behind.
    pond.clock.advance(Duration::from_hours(1));
    pond.push("Orders", by_id(false), one(2)).await.unwrap();
    pond.clock.advance(Duration::from_mins(10));
    assert_eq!(ceiling(), 1);
    pond.clock.advance(Duration::from_mins(6));
    assert_eq!(ceiling(), u64::MAX);
    pond.lake().release(pond.pool, "quick", 2);
    assert_eq!(ceiling(), 2);
}

/// The segment of a pond with three commits, closed, and where its groups are.
async fn logged() -> (Pond, std::path::PathBuf, Vec<usize>) {
    let mut pond = Pond::new();
    let segment = pond.log_folder().join("00000000000000000001.wal");
    let mut ends = Vec::new();
    for id in 1..=3 {
        pond.push("Orders", by_id(false), one(id)).await.unwrap();
        ends.push(fs::read(&segment).unwrap().len());
    }
    pond.lake = None;
    (pond, segment, ends)
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_length() {
    let (mut pond, segment, ends) = logged().await;
    let whole = fs::read(&segment).unwrap();
    for length in (ends[1]..ends[2]).step_by(7) {
        fs::write(&segment, &whole[..length]).unwrap();
        pond.open().expect("a torn tail was never acknowledged");
        let seen = pond.lake().scan(pond.pool, "Orders", None).await.unwrap();
        assert_eq!((seen.number, seen.rows.len()), (2, 2));
        pond.lake = None;
        assert_eq!(fs::read(&segment).unwrap().len(), ends[1]);
    }
}

#[tokio::test]
async fn damage_before_whole_records_stops_the_start_and_says_where() {
    let (mut pond, segment, ends) = logged().await;
    let whole = fs::read(&segment).unwrap();
    for place in (ends[0]..ends[1]).step_by(5) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        fs::write(&segment, &damaged).unwrap();
        let error = pond.open().expect_err("it is damaged").to_string();
        let expected = format!("offset {}: a whole group follows it at offset {}", ends[0], ends[1]);
        assert!(error.contains("00000000000000000001.wal") && error.ends_with(&expected), "{error}");
    }
    for place in 0..crate::wal::SEGMENT_HEAD_BYTES {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        fs::write(&segment, &damaged).unwrap();
        assert!(matches!(pond.open(), Err(Error::DamagedLog { offset: 0, .. })), "byte {place} of the head");
    }
    fs::write(&segment, &whole).unwrap();
    pond.open().expect("nothing else was changed");
    pond.agree().await;
}

#[tokio::test]
async fn a_missing_segment_stops_the_start() {
    let mut pond = Pond::with(Options { segment_bytes_max: 100, ..small() });
    for id in 1..=4 {
        pond.push("Orders", by_id(false), one(id)).await.unwrap();
    }
    pond.lake = None;
    fs::remove_file(pond.log_folder().join("00000000000000000002.wal")).unwrap();
    let error = pond.open().expect_err("a commit is missing").to_string();
    assert!(error.ends_with("offset 0: it begins with commit 3, but 2 was expected"), "{error}");
}

#[tokio::test]
async fn nobody_below_the_reserved_columns() {
    let pond = Pond::new();
    let refused = pond.push("Orders", Mode::Append, vec![Piece::Upsert(rows("_SEQ:integer\n1"))]).await;
    expect![[r#"the rows do not fit table "Orders": "_seq" is a column of ours and cannot be pushed"#]]
        .assert_eq(&refused.unwrap_err().to_string());
    let refused = pond.push("Orders", by_id(false), vec![Piece::Upsert(rows("Name\na"))]).await;
    expect![[r#"the rows do not fit table "Orders": key column "id" is missing"#]]
        .assert_eq(&refused.unwrap_err().to_string());
    assert!(pond.lake().list(pond.pool).await.unwrap().is_empty());
    assert_eq!(*pond.lake().head(pond.pool).borrow(), 0);
}
