//! Files in the order of keys, and those that nobody needs any more.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::tidy::Tidied;

const WEEK: Duration = Duration::from_hours(7 * 24);
const ALMOST_A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600 - 1);

fn table(pond: &Pond) -> Arc<crate::table::Table> {
    pond.lake().shared().pool(pond.pool).table("Orders").expect("it is there")
}

/// The Parquet files in the table's folder.
fn files(pond: &Pond) -> Vec<String> {
    let folder = fs::read_dir(pond.path().join(pond.pool.to_string()).join("Orders")).expect("a folder");
    let mut names: Vec<_> =
        folder.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".parquet"));
    names.sort();
    names
}

async fn upsert(pond: &Pond, ids: impl Iterator<Item = i64>) {
    let lines: Vec<_> = ids.map(|id| format!("{id} n{}", id * 7919 % 10_007)).collect();
    let drawing = format!("Id:integer Name\n{}", lines.join("\n"));
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows(&drawing))]).await.unwrap();
    pond.flush("Orders").await.unwrap();
}

#[tokio::test]
async fn files_of_a_table_with_keys_hold_narrow_stretches_of_them() {
    let pond = Pond::new();
    upsert(&pond, (0..20_000).map(|id| id * 7919 % 20_011)).await;
    // A key in ten of the lower half, in no order.
    upsert(&pond, (0..1_000).map(|id| id * 7919 % 1_009 * 10)).await;
    let table = table(&pond);
    let mut ranges: Vec<_> = table.rest.files.iter().map(|file| file.keys.clone().expect("it is known")).collect();
    ranges.sort_by(|one, other| one.low().cmp(other.low()));
    assert!(ranges.len() > 2, "{} files", ranges.len());
    assert!(ranges.is_sorted_by(|one, next| !one.meets(next)), "{ranges:?}");
    pond.agree().await;
}

#[tokio::test]
async fn what_no_longer_counts_is_kept_for_a_while() {
    let pond = Pond::new();
    upsert(&pond, 0..3).await;
    upsert(&pond, 0..3).await;
    assert_eq!(files(&pond).len(), 2);
    pond.clock.advance(ALMOST_A_WEEK);
    assert_eq!(pond.lake().tidy(pond.pool, "Orders").await.unwrap(), Tidied::default());
    pond.clock.advance(Duration::from_secs(1));
    assert_eq!(pond.lake().tidy(pond.pool, "Orders").await.unwrap(), Tidied { joined: 0, removed: 1 });
    assert_eq!(files(&pond), ["00000000000000000002-0.parquet"]);
    pond.agree().await;
}

#[tokio::test]
async fn what_someone_reads_is_kept_until_he_is_done() {
    let pond = Pond::with(Options { retention: Duration::ZERO, ..small() });
    upsert(&pond, 0..3).await;
    let reader = table(&pond);
    upsert(&pond, 0..3).await;
    assert_eq!(pond.lake().tidy(pond.pool, "Orders").await.unwrap().removed, 0);
    assert_eq!(reader.scan(&reader.arrow_schema()).unwrap().len(), 3);
    drop(reader);
    assert_eq!(pond.lake().tidy(pond.pool, "Orders").await.unwrap().removed, 1);
    pond.agree().await;
}

#[tokio::test]
async fn what_a_crash_left_behind_goes_and_what_is_not_ours_stays() {
    let mut pond = Pond::new();
    upsert(&pond, 0..3).await;
    let folder = pond.path().join(pond.pool.to_string()).join("Orders");
    let now = base::Clock::now(&*pond.clock).as_millis() as u64;
    for (name, age) in [
        ("00000000000000000009-0.parquet", WEEK),
        ("00000000000000000009-1.parquet", ALMOST_A_WEEK),
        ("staged-by-a-job.parquet", 2 * WEEK),
        ("notes.txt", 2 * WEEK),
    ] {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_millis(now) - age).unwrap();
    }
    pond.restart();
    assert_eq!(pond.lake().tidy(pond.pool, "Orders").await.unwrap(), Tidied { joined: 0, removed: 1 });
    assert_eq!(
        files(&pond),
        ["00000000000000000001-0.parquet", "00000000000000000009-1.parquet", "staged-by-a-job.parquet"]
    );
    assert!(folder.join("notes.txt").exists());
    pond.agree().await;
}

#[tokio::test]
async fn the_delta_log_does_not_grow_without_end() {
    let mut pond = Pond::with(Options { retention: Duration::ZERO, ..small() });
    for id in 0..205 {
        upsert(&pond, std::iter::once(id % 3)).await;
    }
    let folder = pond.path().join(pond.pool.to_string()).join("Orders");
    let log = folder.join("_delta_log");
    let logs = fs::read_dir(&log).unwrap().count();
    assert!(logs < 150, "{logs} files in the log");
    let last: serde_json::Value = serde_json::from_slice(&fs::read(log.join("_last_checkpoint")).unwrap()).unwrap();
    assert_eq!(last["version"], 199);
    pond.restart();
    pond.agree().await;
    let place = url::Url::from_directory_path(&folder).unwrap();
    assert_eq!(deltalake::open_table(place).await.unwrap().version(), Some(204));
    upsert(&pond, 0..3).await;
    assert!(table(&pond).rest.files.iter().all(|file| file.keys.is_some()), "bounds outlive a checkpoint");
    pond.lake().tidy(pond.pool, "Orders").await.unwrap();
    pond.agree().await;
}
