//! Answers in pages and as downloads, and statements that are stopped.

use base::sql::{Sql, SqlError, SqlForm};
use datafusion::arrow::ipc::reader::StreamReader;
use expect_test::expect;
use futures::StreamExt as _;
use std::time::Duration;

use super::sql::push_all;
use super::*;

impl Pond {
    async fn download(&self, statement: &str, form: SqlForm) -> Result<Vec<u8>, SqlError> {
        let mut pieces = Sql::download(&**self.lake(), self.request(statement), form).await?;
        let mut all = Vec::new();
        while let Some(piece) = pieces.next().await {
            all.extend(piece?);
        }
        Ok(all)
    }
}

#[tokio::test]
async fn pages_show_the_pool_as_it_was_at_the_first() {
    let pond = Pond::new();
    push_all(&pond, true).await;
    let lake = pond.lake();
    let pool = pond.pool.to_string();
    let mut request = pond.request("SELECT Id FROM pushCSV ORDER BY Id");
    (request.rows_max, request.pages) = (2, true);
    let first = Sql::run(&**lake, request.clone()).await.unwrap();
    assert_eq!(first.rows, [[1], [2]]);
    let next = first.next.clone().expect("there is more");
    assert!(Sql::running(&**lake, &pool)[0].between_pages);
    pond.push("pushCSV", by_id(false), vec![Piece::Upsert(rows("Id:integer\n9"))]).await.unwrap();
    let second = lake.page(&pool, &next, 2).await.unwrap();
    assert_eq!((second.rows.clone(), second.next.clone()), (vec![vec![4.into()]], None));
    // Whoever did not get the answer asks again.
    assert_eq!(lake.page(&pool, &next, 2).await.unwrap().rows, second.rows);
    let gone = lake.page(&pool, "77.2", 2).await.unwrap_err();
    expect![[r#"there is no page "77.2": pages are kept for 5 minutes, and only the last one is shown again"#]]
        .assert_eq(&gone.to_string());
    pond.clock.advance(Duration::from_mins(6));
    assert!(matches!(lake.page(&pool, &next, 2).await, Err(SqlError::PageGone { .. })));
    assert!(Sql::running(&**lake, &pool).is_empty());
}

#[tokio::test]
async fn too_many_open_statements_close_the_oldest() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    let mut request = pond.request("SELECT Id FROM pushCSV ORDER BY Id");
    (request.rows_max, request.pages) = (1, true);
    let mut cursors = Vec::new();
    for _ in 0..18 {
        cursors.push(Sql::run(&**pond.lake(), request.clone()).await.unwrap().next.expect("more"));
        pond.clock.advance(Duration::from_secs(1));
    }
    let pool = pond.pool.to_string();
    assert!(matches!(pond.lake().page(&pool, &cursors[0], 1).await, Err(SqlError::PageGone { .. })));
    assert_eq!(pond.lake().page(&pool, &cursors[17], 1).await.unwrap().rows, [[2]]);
}

#[tokio::test]
async fn rows_leave_as_csv_and_as_arrow() {
    let pond = Pond::new();
    push_all(&pond, true).await;
    let statement =
        "SELECT Id, Price, Placed, Done, Name AS Customer, 'a \"b\", c' AS t, '' AS e FROM pushcsv ORDER BY id";
    let csv = pond.download(statement, SqlForm::Csv).await.unwrap();
    expect![[r#"
        Id,Price,Placed,Done,Customer,t,e
        1,10.5,2026-01-01T08:00:00.000Z,true,Ann,"a ""b"", c",""
        2,21.0,2026-01-02T08:00:00.123456Z,false,Bob,"a ""b"", c",""
        4,4.0,,,,"a ""b"", c",""
    "#]]
    .assert_eq(std::str::from_utf8(&csv).unwrap());
    assert_eq!(pond.download("SELECT Id FROM pushCSV WHERE Id > 9", SqlForm::Csv).await.unwrap(), b"Id\n");
    let arrow = pond.download(statement, SqlForm::Arrow).await.unwrap();
    let reader = StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.schema().field(4).name(), "Customer");
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
    let wrong = pond.download("SELECT nothing FROM pushCSV", SqlForm::Csv).await.unwrap_err();
    assert!(wrong.to_string().starts_with("no field named nothing"), "{wrong}");
}

#[tokio::test]
async fn a_statement_can_be_cancelled() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    let pool = pond.pool.to_string();
    let heavy = "SELECT count(*) FROM generate_series(1, 100000000) AS a, generate_series(1, 1000) AS b";
    let lake = pond.lake().clone();
    let asked = Sql::run(&*lake, pond.request(heavy));
    let cancelled = async {
        loop {
            if let Some(one) = Sql::running(&*lake, &pool).first() {
                assert_eq!((one.statement.as_str(), one.asked_by.as_str()), (heavy, "ann"));
                assert!(!Sql::cancel(&*lake, "elsewhere", &one.id));
                return Sql::cancel(&*lake, &pool, &one.id);
            }
            tokio::task::yield_now().await;
        }
    };
    let (answer, cancelled) = tokio::join!(asked, cancelled);
    assert!(cancelled);
    assert_eq!(answer.unwrap_err().to_string(), "the statement was stopped: it was cancelled");
    assert!(Sql::running(&*lake, &pool).is_empty());
    assert!(!Sql::cancel(&*lake, &pool, "1"));
}

#[tokio::test]
async fn a_sort_that_does_not_fit_goes_by_way_of_the_disk() {
    let pond = Pond::with(Options { sql_bytes_max: 6_000_000, ..small() });
    push_all(&pond, false).await;
    let statement = "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY x) AS n \
                     FROM (SELECT value % 1000003 AS x FROM generate_series(1, 500000) ORDER BY x))";
    assert_eq!(pond.ask(statement, 2).await.unwrap(), "n:integer\n500000\n");
}

#[tokio::test]
async fn functions_that_people_bring_along_are_there() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    pond.answers(
        "SELECT DATEDIFF(day, TIMESTAMP '2026-01-01 23:00:00', '2026-01-02 01:00:00') AS a, \
         TIMESTAMPDIFF(DAY, '2026-01-01 23:00:00', '2026-01-02 01:00:00') AS b, DATEDIFF('year', '2025-12-31', '2026-01-01') AS c, \
         ADD_MONTHS('2026-01-31', 1) AS d, TIMESTAMPADD(hour, -2, '2026-01-01') AS e, LAST_DAY('2024-02-03') AS f, \
         ISNULL(NULL, 'x') AS g, NVL(NULL, 1) AS h, MD5('a') AS i, LEN('abc') AS j, YEAR('2026-05-06') + QUARTER('2026-05-06') AS k, \
         COALESCE(NULL, 2) || 'z' AS l, CONCAT('a', 'b') AS m, TO_TIMESTAMP('2026-01-01 10:00:00') AS n",
        &expect![[r#"
            a:integer b:integer c:integer d:time e:time f:time g:text h:integer i:text j:integer k:integer l:text m:text n:time
            1 0 1 "2026-02-28T00:00:00.000Z" "2025-12-31T22:00:00.000Z" "2024-02-29T00:00:00.000Z" "x" 1 "0cc175b9c0f1b6a831c399e269772661" 3 2028 "2z" "ab" "2026-01-01T10:00:00.000Z"
        "#]],
    )
    .await;
    pond.answers(
        "SELECT DATEDIFF(fortnight, Placed, Placed) FROM pushCSV",
        &expect![[r#"
            "fortnight" is no unit of time: year, quarter, month, week, day, hour, minute, second, millisecond or microsecond
        "#]],
    )
    .await;
}
