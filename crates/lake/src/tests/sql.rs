//! Questions in SQL, asked before a flush, after it, and with rows on both
//! sides.

use std::time::Duration;

use base::sql::{Sql, SqlError, SqlRequest};
use expect_test::{Expect, expect};

use super::*;

impl Pond {
    pub(super) fn request(&self, statement: &str) -> SqlRequest {
        SqlRequest {
            pool: self.pool.to_string(),
            statement: statement.into(),
            rows_max: 100,
            at_least: None,
            asked_by: "ann".into(),
            pages: false,
        }
    }

    pub(super) async fn ask(&self, statement: &str, rows_max: usize) -> Result<String, SqlError> {
        let request = SqlRequest { rows_max, ..self.request(statement) };
        let answer = Sql::run(&**self.lake(), request).await?;
        let header = answer.columns.iter().map(|column| format!("{}:{}", column.name, column.kind));
        let mut lines = vec![header.collect::<Vec<_>>().join(" ")];
        for row in answer.rows {
            lines.push(row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        }
        if answer.truncated {
            lines.push("…".into());
        }
        Ok(lines.join("\n") + "\n")
    }

    pub(super) async fn answers(&self, statement: &str, expected: &Expect) {
        let answer = match self.ask(statement, 100).await {
            Ok(answer) => answer,
            Err(error) => format!("{}\n", base::error::chain(&error)),
        };
        expected.assert_eq(&answer);
    }
}

/// Orders by key, and some events.
pub(super) async fn push_all(pond: &Pond, flush_between: bool) {
    let orders = "Id:integer Price:float Placed:time Done:boolean Name
        1 10.5 2026-01-01T08:00:00Z true Ann
        2 20 2026-01-02T08:00:00.123456Z false Bob
        3 0.5 - - -";
    let events = "CaseID:integer Activity
        1 Create
        1 Pay
        2 Create
        9007199254740993 Create";
    pond.push("pushCSV", by_id(false), vec![Piece::Upsert(rows(orders))]).await.unwrap();
    pond.push("Event Log", Mode::Append, vec![Piece::Upsert(rows(events))]).await.unwrap();
    if flush_between {
        pond.flush("pushCSV").await.unwrap();
        pond.flush("Event Log").await.unwrap();
    }
    let pieces = vec![Piece::Upsert(rows("Id:integer Price:float\n2 21\n4 4")), Piece::Delete(rows("Id:integer\n3"))];
    pond.push("pushCSV", by_id(true), pieces).await.unwrap();
}

/// Asks the same before a flush, between two, and after.
async fn check(statement: &str, expected: Expect) {
    let pond = Pond::new();
    push_all(&pond, false).await;
    pond.answers(statement, &expected).await;
    let mut pond = Pond::new();
    push_all(&pond, true).await;
    pond.answers(statement, &expected).await;
    pond.flush("pushCSV").await.unwrap();
    pond.answers(statement, &expected).await;
    pond.restart();
    pond.answers(statement, &expected).await;
}

#[tokio::test]
async fn names_match_in_any_case_quoted_or_not() {
    let expected = || {
        expect![[r#"
        Id:integer Name:text
        1 "Ann"
        2 "Bob"
        4 null
    "#]]
    };
    check("SELECT ID, name FROM pushcsv ORDER BY iD", expected()).await;
    check(r#"select "id", "NAME" from "PUSHCSV" order by 1"#, expected()).await;
    check("SELECT p.id, P.`name` FROM PushCsv AS p WHERE \"P\".Id > 0 ORDER BY P.ID;", expected()).await;
}

#[tokio::test]
async fn a_star_shows_every_column_but_the_sequence() {
    check(
        "SELECT*FROM pushCSV ORDER BY Id",
        expect![[r#"
            Id:integer Price:float Placed:time Done:boolean Name:text _CELONIS_CHANGE_DATE:time
            1 10.5 "2026-01-01T08:00:00.000Z" true "Ann" "2026-01-01T00:00:00.000Z"
            2 21.0 "2026-01-02T08:00:00.123456Z" false "Bob" "2026-01-01T00:00:00.000Z"
            4 4.0 null null null "2026-01-01T00:00:00.000Z"
        "#]],
    )
    .await;
    check(
        "SELECT Id, _SEQ / 4294967296 AS CommitNumber, _seq % 4294967296 AS row FROM pushCSV ORDER BY _seq",
        expect![[r"
            Id:integer CommitNumber:integer row:integer
            1 1 0
            2 3 0
            4 3 1
        "]],
    )
    .await;
}

#[tokio::test]
async fn whole_numbers_are_exact_and_odd_floats_are_null() {
    check(
        r#"SELECT DISTINCT CaseId AS big FROM "event log" WHERE caseid > 2"#,
        expect![[r"
            big:integer
            9007199254740993
        "]],
    )
    .await;
    check(
        "SELECT 0.0 / 0.0 AS nan, 1e308 * 10 AS Inf, CAST(18446744073709551615 AS BIGINT UNSIGNED) AS huge, DATE '2026-02-03' AS day",
        expect![[r#"
            nan:float Inf:float huge:integer day:date32
            null null 18446744073709551615 "2026-02-03"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tables_join_group_and_nest() {
    check(
        r#"WITH Cases AS (SELECT caseid, COUNT(*) AS events FROM "Event Log" GROUP BY CASEID)
           SELECT o.Name, c.Events FROM PUSHCSV o LEFT JOIN cases C ON c.caseid = O.ID
           WHERE o.price > (SELECT MIN(price) FROM pushCSV) ORDER BY c.events DESC NULLS LAST"#,
        expect![[r#"
            Name:text events:integer
            "Ann" 2
            "Bob" 1
        "#]],
    )
    .await;
    check(
        "SELECT count(*), SUM(Price) AS Total, max(PLACED) FROM pushCSV",
        expect![[r#"
            count(*):integer Total:float max(pushCSV.Placed):time
            3 35.5 "2026-01-02T08:00:00.123456Z"
        "#]],
    )
    .await;
    check(
        "SELECT date_trunc('day', placed) AS Day FROM pushCSV WHERE placed < '2026-01-02' AND upper(name) LIKE 'A%'",
        expect![[r#"
            Day:time
            "2026-01-01T00:00:00.000Z"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn statements_only_read() {
    for statement in [
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE pushCSV",
        "INSERT INTO pushCSV SELECT * FROM pushCSV",
        "UPDATE pushCSV SET Id = 1",
        "DELETE FROM pushCSV",
        "COPY pushCSV TO '/tmp/x.csv'",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE DELETE FROM pushCSV",
    ] {
        check(
            statement,
            expect![[r"
            statements here only read: SELECT, WITH, VALUES or EXPLAIN
        "]],
        )
        .await;
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    for (statement, expected) in [
        (
            "",
            expect![[r"
            there is no statement
        "]],
        ),
        (
            "SELECT 1; SELECT 2",
            expect![[r"
            only one statement can be run at a time
        "]],
        ),
        (
            "SELECT Id FROM pushCSV WHERE",
            expect![[r"
            expected: an expression, found: EOF
        "]],
        ),
        (
            "SELECT 'open",
            expect![[r"
            unterminated string literal at Line: 1, Column: 8
        "]],
        ),
        (
            "SELECT * FROM nowhere",
            expect![[r"
            table 'nowhere' not found
        "]],
        ),
        (
            "SELECT nothing FROM pushCSV",
            expect![[r#"
            no field named nothing. Valid fields are "pushCSV"."Id", "pushCSV"."Price", "pushCSV"."Placed", "pushCSV"."Done", "pushCSV"."Name", "pushCSV"."_CELONIS_CHANGE_DATE"
        "#]],
        ),
        (
            "SELECT * FROM '/etc/passwd'",
            expect![[r"
            table '/etc/passwd' not found
        "]],
        ),
        (
            "SELECT CAST(Name AS INT) FROM pushCSV",
            expect![[r"
            cannot cast string 'Ann' to value of Int32 type
        "]],
        ),
    ] {
        pond.answers(statement, &expected).await;
    }
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let pond = Pond::with(Options { sql_bytes_max: 1_000_000, sql_time_max: Duration::from_millis(300), ..small() });
    push_all(&pond, true).await;
    assert_eq!(pond.ask("SELECT Id FROM pushCSV ORDER BY Id", 2).await.unwrap(), "Id:integer\n1\n2\n…\n");
    assert_eq!(pond.ask("SELECT Id FROM pushCSV ORDER BY Id", 3).await.unwrap(), "Id:integer\n1\n2\n4\n");
    let heavy = "SELECT count(*) FROM generate_series(1, 100000000) AS a, generate_series(1, 1000) AS b";
    let stopped = pond.ask(heavy, 10).await.unwrap_err();
    assert_eq!(
        stopped.to_string(),
        "the statement was stopped: it took longer than 0.3 s (setting \"sql_seconds_max\")"
    );
    let greedy = "SELECT array_agg(value) FROM generate_series(1, 10000000)";
    let stopped = pond.ask(greedy, 10).await.unwrap_err();
    assert!(matches!(stopped, SqlError::Stopped { .. }), "{stopped}");
}

#[tokio::test]
async fn a_question_waits_for_the_commit_that_it_names() {
    let pond = Pond::new();
    let request = SqlRequest { rows_max: 1, at_least: Some(2), ..pond.request("SELECT count(*) AS n FROM Orders") };
    let asked = Sql::run(&**pond.lake(), request.clone());
    let pushed = async {
        for id in 1..=2 {
            let piece = Piece::Upsert(rows(&format!("Id:integer\n{id}")));
            pond.push("Orders", Mode::Append, vec![piece]).await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(asked, pushed);
    assert_eq!(answer.unwrap().rows, [[2]]);
    let elsewhere = SqlRequest { pool: "elsewhere".into(), ..request };
    let error = Sql::run(&**pond.lake(), elsewhere).await.unwrap_err();
    assert_eq!(error.to_string(), "pool \"elsewhere\" does not exist");
}
