//! What is not read, told by taking it away: whoever opens a file that is not
//! there fails.

use std::collections::HashSet;
use std::fs;

use base::sql::{Sql, SqlRequest};
use expect_test::{Expect, expect};

use super::*;
use crate::files::Batches;
use crate::keys::{Coder, Key, Sought};
use crate::skipping::{Choice, keys_in};
use crate::table::Table;

/// Ids from a range with a name, as a drawing.
fn many(ids: std::ops::Range<i64>) -> String {
    let lines: Vec<_> = ids.map(|id| format!("sap {id} n{id}")).collect();
    format!("Client Id:integer Name\n{}", lines.join("\n"))
}

fn keyed(keep_missing: bool) -> Mode {
    Mode::Upsert { keys: vec!["Client".into(), "Id".into()], keep_missing }
}

fn at_rest(pond: &Pond) -> Arc<Table> {
    pond.lake().shared().pool(pond.pool).table("Orders").expect("it is there")
}

/// Three files: ids 0 to 9, 10 to 19, 20 to 29, under a client that is the
/// same in all.
async fn three_files() -> Pond {
    let pond = Pond::new();
    for tens in 0..3 {
        pond.push("Orders", keyed(false), vec![Piece::Upsert(rows(&many(tens * 10..tens * 10 + 10)))]).await.unwrap();
        pond.flush("Orders").await.unwrap();
    }
    pond
}

/// Takes away all files of a table but some, by their place.
fn keep_only(pond: &Pond, places: &[usize]) {
    for (place, file) in at_rest(pond).rest.files.iter().enumerate() {
        if !places.contains(&place) {
            fs::remove_file(&file.path).expect("it was there");
        }
    }
}

#[tokio::test]
async fn a_small_change_opens_only_the_files_that_hold_its_keys() {
    let pond = three_files().await;
    keep_only(&pond, &[1]);
    let pieces =
        vec![Piece::Upsert(rows("Client Id:integer\nsap 12")), Piece::Delete(rows("Client Id:integer\nsap 13"))];
    let committed = pond.push("Orders", keyed(true), pieces).await.unwrap();
    assert_eq!((committed.upserted, committed.deleted), (1, 1));
    assert_eq!(pond.lake().table(pond.pool, "Orders").await.unwrap().unwrap().rows, 29);
    pond.flush("Orders").await.unwrap();
    let names: Vec<_> = at_rest(&pond).rest.files.iter().map(|file| file.name.clone()).collect();
    expect![[r#"
        [
            "00000000000000000001-0.parquet",
            "00000000000000000003-0.parquet",
            "00000000000000000004-0.parquet",
        ]
    "#]]
    .assert_debug_eq(&names);
}

#[tokio::test]
async fn keys_beyond_all_others_rest_soon_and_rewrite_nothing() {
    let pond = three_files().await;
    let due_soon = || {
        let now = base::Clock::now(&*pond.clock).plus(pond.options.flush_after);
        crate::flusher::is_due(&at_rest(&pond), u64::MAX, now, &pond.options)
    };
    pond.push("Orders", keyed(false), vec![Piece::Upsert(rows(&many(30..31)))]).await.unwrap();
    assert!(due_soon());
    keep_only(&pond, &[]);
    pond.flush("Orders").await.unwrap();
    // A row in a file of ten is a tenth of what is to be rewritten, not a
    // thirtieth.
    let fewer = Options { flush_share: 0.1, ..pond.options.clone() };
    pond.push("Orders", keyed(false), vec![Piece::Upsert(rows(&many(5..6)))]).await.unwrap();
    let now = base::Clock::now(&*pond.clock).plus(pond.options.flush_after);
    assert!(crate::flusher::is_due(&at_rest(&pond), u64::MAX, now, &fewer));
    let more = Options { flush_share: 0.11, ..pond.options.clone() };
    assert!(!crate::flusher::is_due(&at_rest(&pond), u64::MAX, now, &more));
}

async fn check(pond: &Pond, condition: &str, places: &[usize], expected: Expect) {
    let kept: HashSet<_> = places.iter().copied().collect();
    let table = at_rest(pond);
    let aside = |path: &Path| path.with_extension("aside");
    let others = || table.rest.files.iter().enumerate().filter(|(place, _)| !kept.contains(place));
    others().for_each(|(_, file)| fs::rename(&file.path, aside(&file.path)).expect("it is there"));
    let statement = format!("SELECT count(*) AS n, min(id) AS a, max(id) AS z FROM orders WHERE {condition}");
    let request = SqlRequest {
        pool: pond.pool.to_string(),
        statement,
        rows_max: 10,
        at_least: None,
        asked_by: String::new(),
        pages: false,
    };
    let answer = Sql::run(&**pond.lake(), request).await;
    expected.assert_eq(&answer.map_or_else(|error| error.to_string(), |answer| format!("{:?}", answer.rows)));
    others().for_each(|(_, file)| fs::rename(aside(&file.path), &file.path).expect("it was put there"));
}

#[tokio::test]
async fn statements_pass_over_files_that_hold_nothing_they_ask_for() {
    let pond = three_files().await;
    check(&pond, "id = 12", &[1], expect!["[[Number(1), Number(12), Number(12)]]"]).await;
    check(&pond, "8 < ID AND name <> 'x' AND id <= 11", &[0, 1], expect!["[[Number(3), Number(9), Number(11)]]"]).await;
    check(&pond, "id BETWEEN 25 AND 40", &[2], expect!["[[Number(5), Number(25), Number(29)]]"]).await;
    check(&pond, "id IN (3, 5)", &[0], expect!["[[Number(2), Number(3), Number(5)]]"]).await;
    check(&pond, "client = 'SAP'", &[], expect!["[[Number(0), Null, Null]]"]).await;
    check(&pond, "name >= 'n5' AND id >= 10", &[], expect!["[[Number(0), Null, Null]]"]).await;
    // Half of an "or" leaves nothing out.
    check(&pond, "id = 3 OR name = 'n12'", &[0, 1, 2], expect!["[[Number(2), Number(3), Number(12)]]"]).await;
    // Rows in motion are asked as well.
    pond.push("Orders", keyed(true), vec![Piece::Upsert(rows(&many(100..102)))]).await.unwrap();
    check(&pond, "id > 100", &[], expect!["[[Number(1), Number(101), Number(101)]]"]).await;
    // A column that has become a text is compared as texts are.
    pond.push("Orders", keyed(true), vec![Piece::Upsert(rows("Client Id\nsap A-12"))]).await.unwrap();
    check(&pond, "id >= '3' AND id < '5'", &[0, 1, 2], expect![[r#"[[Number(2), String("3"), String("4")]]"#]]).await;
}

#[tokio::test]
async fn of_a_large_file_only_the_pages_that_may_hold_a_key_are_read() {
    let pond = Pond::with(Options { file_bytes_max: 64 * 1024 * 1024, ..small() });
    pond.push("Orders", keyed(false), vec![Piece::Upsert(rows(&many(0..40_000)))]).await.unwrap();
    pond.flush("Orders").await.unwrap();
    let table = at_rest(&pond);
    let (rest, coder) = (&table.rest, Coder::new(&table.shape).unwrap());
    assert_eq!(rest.files.len(), 1);
    let rows_read = |ids: &[i64]| {
        let lines: Vec<_> = ids.iter().map(|id| format!("sap {id}")).collect();
        let wanted = rows(&format!("Client Id:integer\n{}", lines.join("\n")));
        let batches = crate::arrow_rows::to_batches(&wanted).collect::<Result<Vec<_>, _>>().unwrap();
        let mut keys: Vec<Key> = coder.keys(&batches[0]).unwrap().iter().map(|key| key.data().into()).collect();
        let sought = Sought::new(&coder, &mut keys);
        let choice = keys_in(rest, &rest.files[0], sought)?;
        assert!(matches!(choice, Choice::Keys(_)));
        let batches = Batches::open(&rest.files[0].path, &table.arrow_schema(), &[], choice).unwrap();
        Some(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>())
    };
    assert_eq!(rows_read(&[40_000]), None);
    assert!(rows_read(&[20_000]).is_some_and(|rows| (1..=10_000).contains(&rows)));
    assert!(rows_read(&[0, 39_999]).is_some_and(|rows| (2..=20_000).contains(&rows)));
}

#[tokio::test]
async fn keys_of_every_kind_are_found_where_they_lie() {
    let drawings = [
        "Id:float\n-0.5\n0\n1e300",
        "Id:float\ninf\n1\n-inf",
        "Id:float\nNaN\n1\n2",
        "Id:boolean\ntrue\nfalse\n-",
        "Id:time\n2026-01-01T00:00:00.0005Z\n1969-12-31T23:59:59.9999Z\n-",
        "Id\na\näöü\n-",
        "Id:integer\n-\n-\n-",
        "Id:integer\n9223372036854775807\n-9223372036854775808\n0",
    ];
    for drawing in drawings {
        let mut lines: Vec<String> = drawing.lines().map(ToOwned::to_owned).collect();
        if lines[0] == "Id" {
            lines.push("x".repeat(200));
            lines.push("\u{10ffff}".repeat(50));
        }
        let pond = Pond::new();
        pond.push("Orders", by_id(false), vec![Piece::Upsert(rows(&lines.join("\n")))]).await.unwrap();
        pond.flush("Orders").await.unwrap();
        for line in &lines[1..] {
            let piece = Piece::Delete(rows(&format!("{}\n{line}", lines[0])));
            pond.push("Orders", by_id(true), vec![piece]).await.unwrap();
            pond.agree().await;
        }
        pond.flush("Orders").await.unwrap();
        assert_eq!(pond.lake().table(pond.pool, "Orders").await.unwrap().unwrap().rows, 0, "{drawing}");
    }
}
