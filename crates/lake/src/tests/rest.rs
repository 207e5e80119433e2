//! What lies on disk, read by others; and when it comes to lie there.

use std::fs::File;
use std::time::Duration;

use arrow::compute::concat_batches;
use expect_test::{Expect, expect};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;

/// Reads a table as any Delta reader does: by its log, then its files.
async fn read_alone(pond: &Pond, folder: &str) -> (u64, String) {
    let folder = pond.path().join(pond.pool.to_string()).join(folder);
    let place = Url::from_directory_path(&folder).expect("an absolute path");
    let table = deltalake::open_table(place).await.expect("it is a Delta table");
    let protocol = table.snapshot().unwrap().protocol().clone();
    assert_eq!((protocol.min_reader_version(), protocol.min_writer_version()), (1, 2));
    let mut batches = Vec::new();
    for uri in table.get_file_uris().unwrap() {
        let path = uri.strip_prefix("file://").unwrap_or(&uri);
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        batches.extend(reader.map(Result::unwrap));
    }
    let schema =
        batches.iter().map(arrow::array::RecordBatch::schema).max_by_key(|schema| schema.fields().len()).unwrap();
    let batches: Vec<_> = batches.iter().map(|batch| crate::arrow_rows::conform(batch, &schema).unwrap()).collect();
    let whole = concat_batches(&schema, &batches).unwrap();
    let rows = crate::arrow_rows::to_rows(&schema, &[whole]);
    let drawn = drawing(&rows);
    let (header, body) = drawn.split_once('\n').unwrap();
    let mut lines: Vec<_> = body.lines().collect();
    lines.sort_unstable();
    (table.version().unwrap(), format!("{header}\n{}\n", lines.join("\n")))
}

async fn check(pond: &Pond, folder: &str, version: u64, expected: Expect) {
    let (seen, drawn) = read_alone(pond, folder).await;
    assert_eq!(seen, version);
    expected.assert_eq(&drawn);
}

#[tokio::test]
async fn the_tables_on_disk_are_plain_delta() {
    let pond = Pond::new();
    let first = "Id:integer Price:float When:time Done:boolean Name
        1 0.5 2026-01-01T00:00:00Z true a
        2 - - - -";
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows(first))]).await.unwrap();
    assert_eq!(pond.flush("orders").await.unwrap(), 0);
    check(
        &pond,
        "Orders",
        0,
        expect![[r"
        Id:integer Price:float When:time Done:boolean Name:text _CELONIS_CHANGE_DATE:time _seq:integer
        1 0.5 2026-01-01T00:00:00.000Z true a 2026-01-01T00:00:00.000Z 1/0
        2 - - - - 2026-01-01T00:00:00.000Z 1/1
    "]],
    )
    .await;
    pond.push("Orders", by_id(true), vec![Piece::Upsert(rows("Id:integer Note\n2 x\n3 y"))]).await.unwrap();
    pond.push("Orders", by_id(true), vec![Piece::Delete(rows("Id:integer\n1"))]).await.unwrap();
    assert_eq!(pond.flush("Orders").await.unwrap(), 1);
    // Nothing is pending, and so nothing is written.
    assert_eq!(pond.flush("Orders").await.unwrap(), 1);
    check(
        &pond,
        "Orders",
        1,
        expect![[r"
        Id:integer Price:float When:time Done:boolean Name:text _CELONIS_CHANGE_DATE:time Note:text _seq:integer
        2 - - - - 2026-01-01T00:00:00.000Z x 2/0
        3 - - - - 2026-01-01T00:00:00.000Z y 2/1
    "]],
    )
    .await;
    pond.agree().await;
}

#[tokio::test]
async fn types_widen_at_rest_too() {
    let mut pond = Pond::new();
    pond.push("Ids", by_id(false), vec![Piece::Upsert(rows("Id:integer\n4711\n4712"))]).await.unwrap();
    pond.flush("Ids").await.unwrap();
    pond.push("Ids", by_id(false), vec![Piece::Upsert(rows("Id\n4711\nA-12"))]).await.unwrap();
    pond.agree().await;
    pond.flush("Ids").await.unwrap();
    check(
        &pond,
        "Ids",
        1,
        expect![[r"
        Id:text _CELONIS_CHANGE_DATE:time _seq:integer
        4711 2026-01-01T00:00:00.000Z 2/0
        4712 2026-01-01T00:00:00.000Z 1/1
        A-12 2026-01-01T00:00:00.000Z 2/1
    "]],
    )
    .await;
    pond.restart();
    pond.agree().await;
}

#[tokio::test]
async fn names_that_no_folder_takes_are_written_in_a_way_that_it_does() {
    let pond = Pond::new();
    for (name, folder) in [("../a b.c", "~2E~2E~2Fa~20b~2Ec"), ("Größe", "Gr~C3~B6~C3~9Fe"), ("_x-1", "_x-1")] {
        pond.push(name, Mode::Append, vec![Piece::Upsert(rows("Case~ID Preis\n1 2"))]).await.unwrap();
        pond.flush(name).await.unwrap();
        let (_, drawn) = read_alone(&pond, folder).await;
        assert!(drawn.lines().nth(1).is_some_and(|line| line.starts_with("1 2 2026-")), "{drawn}");
    }
    let (one, other) = ("x".repeat(300), "X".repeat(300) + "y");
    assert_ne!(crate::rest::folder_name(&one), crate::rest::folder_name(&other));
    assert_eq!(crate::rest::folder_name(&one).len(), 153);
    pond.agree().await;
}

#[tokio::test]
async fn many_small_files_become_one() {
    let pond = Pond::new();
    for id in 0..10 {
        pond.push("Log", Mode::Append, vec![Piece::Upsert(rows(&format!("Id:integer\n{id}")))]).await.unwrap();
        pond.flush("Log").await.unwrap();
    }
    let files = || pond.lake().shared().pool(pond.pool).table("Log").unwrap().rest.files.len();
    assert_eq!(files(), 10);
    assert_eq!(pond.lake().tidy(pond.pool, "Log").await.unwrap().joined, 10);
    assert_eq!(files(), 1);
    assert_eq!(pond.lake().tidy(pond.pool, "Log").await.unwrap(), crate::tidy::Tidied::default());
    pond.agree().await;
    // Who follows the Delta log sees that no row has changed.
    let log = pond.path().join(pond.pool.to_string()).join("Log/_delta_log/00000000000000000010.json");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!((log.matches("\"dataChange\":false").count(), log.matches("\"dataChange\":true").count()), (11, 0));
}

#[tokio::test]
async fn a_hundred_commits_are_folded_into_a_checkpoint() {
    let mut pond = Pond::new();
    for id in 0..=101 {
        pond.push("Log", by_id(false), vec![Piece::Upsert(rows(&format!("Id:integer\n{}", id % 7)))]).await.unwrap();
        pond.flush("Log").await.unwrap();
    }
    let log = pond.path().join(pond.pool.to_string()).join("Log/_delta_log");
    assert!(log.join("_last_checkpoint").exists());
    pond.restart();
    pond.agree().await;
    assert_eq!(read_alone(&pond, "Log").await.0, 101);
    assert_eq!(pond.flush("Log").await.unwrap(), 101);
}

#[tokio::test]
async fn rows_come_to_rest_by_themselves() {
    let pond = Pond::with(Options { flush_after: Duration::from_secs(5), ..small() });
    pond.push("Log", Mode::Append, vec![Piece::Upsert(rows("Id:integer\n1"))]).await.unwrap();
    let shared = pond.lake().shared();
    let due = |now| {
        let pool = shared.pool(pond.pool);
        let table = pool.table("Log").unwrap();
        crate::flusher::is_due(&table, u64::MAX, now, &pond.options)
    };
    let now = base::Clock::now(&*pond.clock);
    assert!(!due(now) && !due(now.plus(Duration::from_secs(4))) && due(now.plus(Duration::from_secs(5))));

    pond.clock.advance(Duration::from_secs(5));
    let stop = CancellationToken::new();
    let running = tokio::spawn(pond.lake().clone().run(stop.clone()));
    while shared.pool(pond.pool).table("Log").unwrap().rest.version.is_none() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.expect("it stops when told to");
    pond.agree().await;
}

#[tokio::test]
async fn updates_wait_until_they_are_worth_a_rewrite() {
    let pond = Pond::new();
    let many: Vec<_> = (0..100).map(|id| format!("{id} a")).collect();
    let many = format!("Id:integer Name\n{}", many.join("\n"));
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows(&many))]).await.unwrap();
    pond.flush("Orders").await.unwrap();
    let due_after = |seconds| {
        let table = pond.lake().shared().pool(pond.pool).table("Orders").unwrap();
        let now = base::Clock::now(&*pond.clock).plus(Duration::from_secs(seconds));
        crate::flusher::is_due(&table, u64::MAX, now, &pond.options)
    };
    assert!(!due_after(1_000_000), "nothing is pending");
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 b"))]).await.unwrap();
    assert!(!due_after(60) && due_after(15 * 60));
    let some = "Id:integer Name\n2 b\n3 b\n4 b\n5 b";
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows(some))]).await.unwrap();
    assert!(due_after(60) && !due_after(1));
    pond.agree().await;
}

#[tokio::test]
async fn parquet_can_be_pushed() {
    use arrow::array::{Date32Array, DictionaryArray, Int32Array, RecordBatch, TimestampMillisecondArray, UInt64Array};
    let pond = Pond::new();
    let file = pond.path().join("upload.parquet");
    let texts: DictionaryArray<arrow::datatypes::Int8Type> = ["a", "b", "a"].into_iter().collect();
    let batch = RecordBatch::try_from_iter([
        ("Id", Arc::new(Int32Array::from(vec![1, 2, 3])) as arrow::array::ArrayRef),
        ("Big", Arc::new(UInt64Array::from(vec![Some(1), None, Some(1 << 62)]))),
        ("Day", Arc::new(Date32Array::from(vec![0, 1, 20_454]))),
        ("At", Arc::new(TimestampMillisecondArray::from(vec![0, 1, 1_767_225_600_001]))),
        ("Name", Arc::new(texts)),
    ])
    .unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(File::create(&file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    pond.push_job("Up", pond.job(), by_id(false), vec![Piece::UpsertParquet(file.clone())]).await.unwrap();
    let seen = pond.lake().scan(pond.pool, "up", None).await.unwrap();
    expect![[r"
        Id:integer Big:integer Day:time At:time Name:text _CELONIS_CHANGE_DATE:time _seq:integer
        1 1 1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.000Z a 2026-01-01T00:00:00.000Z 1/0
        2 - 1970-01-02T00:00:00.000Z 1970-01-01T00:00:00.001Z b 2026-01-01T00:00:00.000Z 1/1
        3 4611686018427387904 2026-01-01T00:00:00.000Z 2026-01-01T00:00:00.001Z a 2026-01-01T00:00:00.000Z 1/2
    "]]
    .assert_eq(&drawing(&seen.rows));
    let deleted = pond.push_job("Up", pond.job(), by_id(false), vec![Piece::DeleteParquet(file)]).await.unwrap();
    assert_eq!(deleted.deleted, 3);

    std::fs::write(pond.path().join("no.parquet"), "Id,Name\n1,a\n").unwrap();
    let bad = Piece::UpsertParquet(pond.path().join("no.parquet"));
    let refused = pond.lake().stage(pond.pool, pond.job(), bad).await.unwrap_err();
    assert!(refused.to_string().starts_with("file \"no.parquet\" cannot be read: "), "{refused}");
}
