//! Jobs that are too big for memory, and tables whose rows in motion are.

use super::disks::{Fault, Step};
use super::*;

fn runs(pond: &Pond) -> usize {
    let folder = pond.path().join(pond.pool.to_string()).join("~runs");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Waits until the writer has ended what it was at, by a job that it refuses.
async fn settled(pond: &Pond) {
    pond.lake().commit(pond.commit("Nothing", pond.job(), Mode::Append)).await.unwrap_err();
}

fn up(drawing: &str) -> Piece {
    Piece::Upsert(rows(drawing))
}

fn down(drawing: &str) -> Piece {
    Piece::Delete(rows(drawing))
}

/// Pushes jobs upon a table of three rows, with everything on disk and with
/// nothing, before a flush, after it and after a restart.
async fn check(mode: Mode, pieces: Vec<Piece>, expected: Committed) {
    for options in [small(), spilling(), Options { staged_bytes_max: 40, ..small() }] {
        for flushed_before in [false, true] {
            let mut pond = Pond::with(options.clone());
            let first = up("Id:integer Name:text Price:float\n1 a 0.5\n2 b 1.5\n3 c 2.5");
            pond.push("Orders", by_id(false), vec![first]).await.unwrap();
            pond.lake().release(pond.pool, "model", 0);
            if flushed_before {
                pond.flush("Orders").await.unwrap();
            }
            assert_eq!(pond.push("Orders", mode.clone(), pieces.clone()).await.unwrap(), expected);
            pond.agree().await;
            pond.agree_on_changes(1).await;
            pond.restart();
            pond.agree().await;
            pond.flush("Orders").await.unwrap();
            pond.agree().await;
            pond.agree_on_changes(0).await;
        }
    }
}

#[tokio::test]
async fn a_job_on_disk_does_what_it_does_in_memory() {
    let committed = |upserted, deleted| Committed { number: 2, upserted, deleted };
    let again = || vec![up("Id:integer Name\n2 x\n4 y"), up("Id:integer Name\n4 z\n2 w\n2 v")];
    check(by_id(false), again(), committed(2, 0)).await;
    check(by_id(true), again(), committed(2, 0)).await;
    check(Mode::Append, again(), committed(5, 0)).await;
    check(Mode::Replace, again(), committed(5, 0)).await;
    // There before; by an earlier row; deleted twice; never there; not a key.
    let deletes = vec![down("Id\n1\n9\nA-1"), up("Id:integer\n7\n8"), down("Id:integer\n7\n1\n7"), up("Id:integer\n1")];
    check(by_id(false), deletes.clone(), committed(2, 2)).await;
    check(by_id(true), deletes, committed(2, 2)).await;
    // The table's column was never a float in between.
    let widening =
        vec![up("Id:integer Name:integer\n1 4711"), up("Id Name:float\nA-12 1.5\n1 2.5"), up("Id Price\n3 x")];
    check(by_id(false), widening.clone(), committed(3, 0)).await;
    check(by_id(true), widening, committed(3, 0)).await;
    // Columns that only some pieces have, and a piece without rows.
    let omitted = vec![up("Id:integer Price:float\n1 9.5"), up("ID:integer name\n1 n"), up("Id:integer More:time")];
    check(by_id(true), omitted, committed(1, 0)).await;
    check(by_id(false), vec![up("Id:integer _celonis_change_date\n1 never")], committed(1, 0)).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_the_same_words() {
    let pond = Pond::with(spilling());
    pond.push("Orders", by_id(false), vec![up("Id:integer\n1")]).await.unwrap();
    let bad: [(Mode, Vec<Piece>); 4] = [
        (Mode::Append, vec![down("Id:integer\n1")]),
        (by_id(false), vec![up("Id:integer\n1"), up("Name\nx")]),
        (Mode::Append, vec![up("_SEQ:integer\n1")]),
        (Mode::Upsert { keys: vec!["Name".into()], keep_missing: true }, vec![up("Id:integer Name\n1 x")]),
    ];
    for (mode, pieces) in bad {
        pond.push("Orders", mode, pieces).await.unwrap_err();
    }
    pond.agree().await;
    settled(&pond).await;
    assert_eq!(runs(&pond), 1, "only what was committed stays");
}

#[tokio::test]
async fn a_run_stays_as_long_as_it_is_needed() {
    let mut pond = Pond::with(Options { segment_bytes_max: 100, ..spilling() });
    pond.lake().release(pond.pool, "model", 0);
    pond.push("Orders", by_id(false), vec![up("Id:integer Name\n1 a")]).await.unwrap();
    // Staged and never committed, then given up.
    let job = pond.job();
    pond.lake().stage(pond.pool, job, up("Id:integer\n1")).await.unwrap();
    assert_eq!(runs(&pond), 2);
    pond.lake().abandon(job);
    assert_eq!(runs(&pond), 1);
    // The consumer has yet to read it.
    pond.flush("Orders").await.unwrap();
    pond.restart();
    pond.agree_on_changes(0).await;
    assert_eq!(runs(&pond), 1);
    // So has whoever began to read before.
    let reader = pond.lake().shared().pool(pond.pool).table("Orders").unwrap();
    pond.push("Orders", by_id(false), vec![up("Id:integer Name\n2 b")]).await.unwrap();
    let reader_of_run = pond.lake().shared().pool(pond.pool).table("Orders").unwrap();
    pond.lake().release(pond.pool, "model", 2);
    pond.flush("Orders").await.unwrap();
    settled(&pond).await;
    assert_eq!(runs(&pond), 1, "the second is being read");
    assert_eq!(reader_of_run.scan(&reader_of_run.arrow_schema()).unwrap().len(), 2);
    drop((reader, reader_of_run));
    assert_eq!(runs(&pond), 0);
    pond.agree().await;
    // A crash in the middle of a job leaves a file that nobody names.
    let job = pond.job();
    pond.lake().stage(pond.pool, job, up("Id:integer\n1")).await.unwrap();
    pond.disk.plan(Step::Any, 1, Fault::Stop);
    assert!(pond.lake().stage(pond.pool, job, up("Id:integer Other\n1 x")).await.is_err());
    pond.lake = None;
    pond.disk.lose_power();
    pond.open().unwrap();
    assert_eq!(runs(&pond), 0);
    pond.agree().await;
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_of_a_big_job() {
    let mut pond = Pond::with(spilling());
    pond.push("Orders", by_id(false), vec![up("Id:integer\n1")]).await.unwrap();
    let before = runs(&pond);
    for step in 1..=2 {
        pond.disk.plan(Step::Write, step, Fault::Full);
        let refused = pond.push_job("Orders", pond.job(), by_id(false), vec![up("Id:integer\n2")]).await;
        assert!(matches!(refused, Err(TablesError::Full)), "{refused:?}");
        settled(&pond).await;
        assert_eq!(runs(&pond), before);
    }
    // A piece that did not find room is missed by the commit.
    let job = pond.job();
    pond.lake().stage(pond.pool, job, up("Id:integer\n2")).await.unwrap();
    pond.disk.plan(Step::Write, 1, Fault::Full);
    assert!(pond.lake().stage(pond.pool, job, up("Id:integer Other\n3 x")).await.is_err());
    let refused = pond.lake().commit(pond.commit("Orders", job, by_id(false))).await;
    assert!(matches!(refused, Err(TablesError::Full)), "{refused:?}");
    pond.agree().await;
    pond.restart();
    pond.agree().await;
}

#[tokio::test]
async fn a_run_that_is_not_as_it_was_written_stops_the_start() {
    let mut pond = Pond::with(spilling());
    pond.push("Orders", Mode::Append, vec![up("Id:integer\n1")]).await.unwrap();
    pond.lake = None;
    let folder = pond.path().join(pond.pool.to_string()).join("~runs");
    let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::OpenOptions::new().write(true).open(&run).unwrap().set_len(10).unwrap();
    let error = pond.open().expect_err("it is damaged").to_string();
    assert!(error.contains("has 10 bytes, but"), "{error}");
}

#[tokio::test]
async fn big_jobs_that_overtake_each_other_all_count() {
    let pond = Pond::with(spilling());
    pond.push("Orders", by_id(false), vec![up("Id:integer\n1")]).await.unwrap();
    // Each depends on what was there before, so each is planned until it fits.
    let pushes = (0..8).map(|id| {
        let pieces = vec![down(&format!("Id:integer\n{id}")), up(&format!("Id:integer\n{}", id + 1))];
        pond.push_job("Orders", pond.job(), by_id(true), pieces)
    });
    for committed in futures::future::join_all(pushes).await {
        committed.unwrap();
    }
    assert_eq!(*pond.lake().head(pond.pool).borrow(), 9);
}

#[tokio::test]
async fn a_big_parquet_file_goes_to_disk_batch_by_batch() {
    use arrow::array::{Int32Array, RecordBatch, StringArray};
    let pond = Pond::with(Options { staged_bytes_max: 100_000, ..small() });
    let file = pond.path().join("upload.parquet");
    let texts: Vec<_> = (0..20_000).map(|row| format!("text {row}")).collect();
    let batch = RecordBatch::try_from_iter([
        ("Id", Arc::new(Int32Array::from_iter_values(0..20_000)) as arrow::array::ArrayRef),
        ("Name", Arc::new(StringArray::from(texts))),
    ])
    .unwrap();
    let to = std::fs::File::create(&file).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(to, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    pond.push_job("Up", pond.job(), by_id(false), vec![Piece::UpsertParquet(file)]).await.unwrap();
    assert_eq!(runs(&pond), 1);
    let seen = pond.lake().scan(pond.pool, "up", None).await.unwrap().rows;
    assert_eq!((seen.len(), seen.column("name").unwrap().cell(19_999)), (20_000, Cell::Text("text 19999")));
}

#[tokio::test]
async fn a_consumer_that_lags_does_not_fill_memory() {
    let mut pond = Pond::new();
    pond.lake().release(pond.pool, "model", 0);
    for id in 0..50 {
        let piece = up(&format!("Id:integer Name\n{} a\n{} b", id % 7, id + 100));
        pond.push("Orders", by_id(id % 2 == 0), vec![piece]).await.unwrap();
        let pool = pond.lake().shared().pool(pond.pool);
        pond.lake().relieve(&pool, 2_000).await;
        let table = pool.table("Orders").unwrap();
        let rows = |layer: &crate::hot::Layer| if layer.spilled.is_none() { layer.memory_bytes() } else { 0 };
        assert!(table.layers.iter().map(|layer| rows(layer)).sum::<u64>() <= 2_000);
    }
    assert!(runs(&pond) > 0);
    pond.agree().await;
    pond.agree_on_changes(0).await;
    pond.restart();
    assert_eq!(runs(&pond), 0, "the log has the rows");
    pond.agree().await;
    pond.flush("Orders").await.unwrap();
    pond.agree().await;
}
