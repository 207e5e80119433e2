//! What the port promises, told on the tables in memory.

use std::fmt::Write as _;
use std::time::Duration;

use base::Timestamp;
use base::chance::SeededChance;
use expect_test::{Expect, expect};

use super::*;

/// Reads rows from a small drawing: first line the columns `name:type`, then a
/// line per row, `-` for nothing.
fn rows(drawing: &str) -> Rows {
    let mut lines = drawing.trim().lines();
    let header = lines.next().expect("a header");
    let mut builders: Vec<_> = header
        .split_whitespace()
        .map(|column| {
            let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
            let column_type = match kind {
                "integer" => ColumnType::Integer,
                "float" => ColumnType::Float,
                _ => ColumnType::Text,
            };
            (ColumnBuilder::new(name, column_type), column_type)
        })
        .collect();
    for line in lines {
        for (text, (builder, column_type)) in line.split_whitespace().zip(&mut builders) {
            builder.push(match (text, column_type) {
                ("-", _) => Cell::Null,
                (text, ColumnType::Integer) => Cell::Integer(text.parse().expect("an integer")),
                (text, ColumnType::Float) => Cell::Float(text.parse().expect("a float")),
                (text, _) => Cell::Text(text),
            });
        }
    }
    Rows::new(builders.into_iter().map(|(builder, _)| builder.finish()).collect())
}

fn drawing(rows: &Rows) -> String {
    let mut out = String::new();
    let columns: Vec<_> = rows.columns().iter().filter(|column| column.name != CHANGE_DATE_COLUMN).collect();
    writeln!(out, "{}", columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")).unwrap();
    for row in 0..rows.len() {
        let cells = columns.iter().map(|column| match column.cell(row) {
            Cell::Null => "-".to_owned(),
            Cell::Integer(seq) if column.name == SEQ_COLUMN => format!("{}/{}", seq >> 32, seq & 0xffff_ffff),
            cell => schema::text_of(cell),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(" ")).unwrap();
    }
    out
}

struct Pond {
    tables: MemTables,
    pool: PoolId,
    chance: SeededChance,
}

impl Pond {
    fn new() -> Self {
        let chance = SeededChance::new(7);
        Pond { tables: MemTables::new(), pool: PoolId::new(Timestamp::EPOCH, &chance), chance }
    }

    fn job(&self) -> PushJobId {
        PushJobId::new(Timestamp::EPOCH, &self.chance)
    }

    async fn push(&self, mode: Mode, pieces: Vec<Piece>) -> Result<Committed, TablesError> {
        let job = self.job();
        for piece in pieces {
            self.tables.stage(self.pool, job, piece).await?;
        }
        let at = Timestamp::from_millis(1_000);
        self.tables
            .commit(Commit { pool: self.pool, table: "Orders".into(), job, mode, at, causes: base::Causes::NONE })
            .await
    }

    async fn see(&self, expected: Expect) {
        let seen = self.tables.scan(self.pool, "ORDERS", None).await.expect("the table is there");
        expected.assert_eq(&drawing(&seen.rows));
    }
}

fn by_id(keep_missing: bool) -> Mode {
    Mode::Upsert { keys: vec!["id".into()], keep_missing }
}

#[tokio::test]
async fn appended_rows_stand_in_order_of_arrival() {
    let pond = Pond::new();
    pond.push(Mode::Append, vec![Piece::Upsert(rows("Id:integer Name\n1 a\n2 b"))]).await.unwrap();
    pond.push(Mode::Append, vec![Piece::Upsert(rows("Id:integer Name\n1 c"))]).await.unwrap();
    pond.see(expect![[r"
        Id Name _seq
        1 a 1/0
        2 b 1/1
        1 c 2/0
    "]])
        .await;
}

#[tokio::test]
async fn an_upsert_is_a_new_arrival_and_the_last_of_a_key_wins() {
    let pond = Pond::new();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 a\n2 b"))]).await.unwrap();
    let committed = pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 c\n1 d\n3 e"))]).await.unwrap();
    assert_eq!(committed, Committed { number: 2, upserted: 2, deleted: 0 });
    pond.see(expect![[r"
        Id Name _seq
        2 b 1/1
        1 d 2/1
        3 e 2/2
    "]])
        .await;
}

#[tokio::test]
async fn missing_columns_are_kept_or_emptied() {
    let pond = Pond::new();
    pond.push(by_id(true), vec![Piece::Upsert(rows("Id:integer Name\n1 a\n2 b"))]).await.unwrap();
    pond.push(by_id(true), vec![Piece::Upsert(rows("Id:integer Price:float\n1 0.5"))]).await.unwrap();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer Price:float\n2 1.5"))]).await.unwrap();
    pond.see(expect![[r"
        Id Name Price _seq
        1 a 0.5 2/0
        2 - 1.5 3/0
    "]])
        .await;
}

#[tokio::test]
async fn columns_widen_and_keys_still_match() {
    let pond = Pond::new();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer\n4711\n4712"))]).await.unwrap();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id\n4711\nA-12"))]).await.unwrap();
    pond.see(expect![[r"
        Id _seq
        4712 1/1
        4711 2/0
        A-12 2/1
    "]])
        .await;
}

#[tokio::test]
async fn a_delete_and_an_upsert_of_one_key_follow_each_other() {
    let pond = Pond::new();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 a\n2 b\n3 c"))]).await.unwrap();
    let pieces = vec![Piece::Delete(rows("Id:integer\n1\n2\n9")), Piece::Upsert(rows("Id:integer Name\n2 again"))];
    let committed = pond.push(by_id(false), pieces).await.unwrap();
    assert_eq!(committed, Committed { number: 2, upserted: 1, deleted: 2 });
    pond.see(expect![[r"
        Id Name _seq
        3 c 1/2
        2 again 2/0
    "]])
        .await;
    let change = pond.tables.changes(pond.pool, 1, 10).await.unwrap().remove(0);
    let mut deleted: Vec<_> = drawing(&change.deletes).lines().map(str::to_owned).collect();
    deleted.sort();
    assert_eq!(deleted, ["1", "9", "Id"]);
    assert_eq!(change.upserts.column("Name").unwrap().cell(0), Cell::Text("again"));
    assert_eq!(change.upserts.column(CHANGE_DATE_COLUMN).unwrap().cell(0), Cell::Time(1_000_000));
}

#[tokio::test]
async fn a_replacement_leaves_nothing_of_before() {
    let pond = Pond::new();
    pond.push(by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 a"))]).await.unwrap();
    pond.push(Mode::Replace, vec![Piece::Upsert(rows("Other\nx"))]).await.unwrap();
    pond.see(expect![[r"
        Other _seq
        x 2/0
    "]])
        .await;
    let info = pond.tables.table(pond.pool, "orders").await.unwrap().expect("the table is there");
    assert_eq!((info.name.as_str(), info.rows, info.changed_by, info.keys.len()), ("Orders", 1, 2, 0));
}

#[tokio::test]
async fn one_job_counts_once_and_a_refused_one_leaves_no_trace() {
    let pond = Pond::new();
    let job = pond.job();
    let commit = Commit {
        pool: pond.pool,
        table: "Orders".into(),
        job,
        mode: Mode::Append,
        at: Timestamp::EPOCH,
        causes: base::Causes::NONE,
    };
    pond.tables.stage(pond.pool, job, Piece::Upsert(rows("Id:integer\n1"))).await.unwrap();
    assert_eq!(pond.tables.outcome(pond.pool, job).await.unwrap(), None);
    let first = pond.tables.commit(commit.clone()).await.unwrap();
    assert_eq!(pond.tables.commit(commit).await.unwrap(), first);
    assert_eq!(pond.tables.outcome(pond.pool, job).await.unwrap(), Some(first));

    let refused = pond.push(Mode::Append, vec![Piece::Delete(rows("Id:integer\n1"))]).await;
    assert_eq!(refused.unwrap_err().to_string(), "the rows do not fit table \"Orders\": deletes need keys");
    let refused = pond.push(by_id(false), vec![Piece::Upsert(rows("Name\na"))]).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the rows do not fit table \"Orders\": key column \"Id\" is missing in a chunk"
    );
    assert_eq!(*pond.tables.head(pond.pool).borrow(), 1);
}

#[tokio::test]
async fn who_waits_for_a_commit_is_woken_by_it() {
    let pond = Pond::new();
    assert!(!pond.tables.wait_for(pond.pool, 1, Duration::ZERO).await);
    let waiting = pond.tables.wait_for(pond.pool, 1, Duration::from_mins(1));
    let pushing = pond.push(Mode::Append, vec![Piece::Upsert(rows("Id:integer\n1"))]);
    let (reached, pushed) = tokio::join!(waiting, pushing);
    pushed.unwrap();
    assert!(reached);
}

#[tokio::test]
async fn forgotten_changes_ask_for_a_snapshot() {
    let pond = Pond::new();
    for _ in 0..3 {
        pond.push(Mode::Append, vec![Piece::Upsert(rows("Id:integer\n1"))]).await.unwrap();
    }
    pond.tables.forget(pond.pool, 2);
    assert!(matches!(pond.tables.changes(pond.pool, 1, 10).await, Err(TablesError::Forgotten { gone: 2 })));
    assert_eq!(pond.tables.changes(pond.pool, 2, 10).await.unwrap().len(), 1);
}
