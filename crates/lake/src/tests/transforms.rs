//! Statements of data jobs, on rows in motion, at rest, and on both sides.

use expect_test::{Expect, expect};
use pools::{Transform, Transformed, ViewDefinition};
use tokio_util::sync::CancellationToken;

use super::sql::push_all;
use super::*;

impl Pond {
    async fn transform_as(&self, job: PushJobId, statement: &str) -> Result<Transformed, TablesError> {
        let (at, stop) = (Timestamp::from_millis(1_767_225_600_000), CancellationToken::new());
        let transform =
            Transform { pool: self.pool, job, statement: statement.into(), at, causes: base::Causes::NONE, stop };
        let done = self.lake().transform(transform).await?;
        let mut views: Vec<ViewDefinition> = self.lake().asking.views(self.pool).values().cloned().collect();
        match &done {
            Transformed::ViewMade(view) => {
                views.retain(|other| !other.name.eq_ignore_ascii_case(&view.name));
                views.push(view.clone());
            }
            Transformed::ViewDropped(name) => views.retain(|other| other.name != *name),
            _ => {}
        }
        self.lake().show_views(self.pool, views);
        Ok(done)
    }

    async fn transform(&self, statement: &str) -> Result<Transformed, TablesError> {
        self.transform_as(self.job(), statement).await
    }
}

/// Runs statements one after the other, the last of them a question: before a
/// flush, with rows on both sides, and after one; and asks again after a
/// flush and a restart.
async fn check(statements: &[&str], expected: Expect) {
    let (question, statements) = statements.split_last().expect("a question");
    for flushed in 0..3 {
        let mut pond = Pond::new();
        push_all(&pond, flushed == 1).await;
        if flushed == 2 {
            pond.flush("pushCSV").await.unwrap();
            pond.flush("Event Log").await.unwrap();
        }
        let mut told = String::new();
        for statement in statements {
            told += &match pond.transform(statement).await {
                Ok(Transformed::Committed(committed)) => format!("+{} -{}\n", committed.upserted, committed.deleted),
                Ok(other) => format!("{other:?}\n"),
                Err(error) => format!("{error}\n"),
            };
        }
        let asked = |pond: &Pond| {
            let request = pond.request(question);
            let lake = pond.lake().clone();
            async move {
                let answer = base::sql::Sql::run(&*lake, request).await;
                let answer = answer.map(|answer| {
                    answer.rows.iter().map(|row| format!("{}\n", serde_json::to_string(row).unwrap())).collect()
                });
                answer.unwrap_or_else(|error| format!("{error}\n"))
            }
        };
        let before: String = asked(&pond).await;
        expected.assert_eq(&format!("{told}{before}"));
        let views: Vec<_> = pond.lake().asking.views(pond.pool).values().cloned().collect();
        for table in pond.lake().shared().pool(pond.pool).view().tables.values() {
            pond.flush(&table.name).await.unwrap();
        }
        assert_eq!(asked(&pond).await, before);
        pond.restart();
        pond.lake().show_views(pond.pool, views);
        assert_eq!(asked(&pond).await, before);
    }
}

#[tokio::test]
async fn tables_are_made_of_questions() {
    check(
        &[
            "CREATE TABLE Big AS SELECT id AS Customer, price * 2 AS Twice FROM PUSHCSV WHERE price > 5",
            "create table big as select 1 AS x",
            "CREATE TABLE IF NOT EXISTS big AS SELECT 1 AS x",
            "CREATE OR REPLACE TABLE BIG AS SELECT Customer, 'n' AS note FROM Big WHERE twice > 30",
            "SELECT customer, NOTE, _seq / 4294967296 AS n FROM big",
        ],
        expect![[r#"
            +2 -0
            table "Big" exists already: write CREATE OR REPLACE TABLE
            Nothing
            +1 -0
            [2,"n",5]
        "#]],
    )
    .await;
    check(
        &["CREATE TABLE none AS SELECT Id, Name FROM pushCSV WHERE FALSE", "SELECT count(*), count(Name) FROM none"],
        expect![[r"
            +0 -0
            [0,0]
        "]],
    )
    .await;
}

#[tokio::test]
async fn rows_are_inserted_by_place_and_by_name() {
    check(
        &[
            "INSERT INTO pushCSV (Name, Id) VALUES ('Cid', 7), ('Ann2', 1)",
            "INSERT INTO pushCSV SELECT * FROM pushCSV WHERE id = 7",
            "INSERT INTO pushCSV (Id, Placed) VALUES (8, '2026-03-04 05:06:07')",
            "INSERT INTO pushCSV (Name) VALUES ('x')",
            "INSERT INTO pushCSV (Id, Placed) VALUES (9, 'soon')",
            "INSERT INTO pushCSV (Id, Done) SELECT 1, 2",
            "INSERT INTO pushCSV VALUES (1, 2)",
            "INSERT INTO \"Event Log\" SELECT CaseID, 'Again' FROM \"event log\" WHERE CaseID = 2",
            "SELECT Id, Name, Price, Placed, (SELECT count(*) FROM \"Event Log\") AS events FROM pushCSV ORDER BY Id",
        ],
        expect![[r#"
            +2 -0
            +1 -0
            +1 -0
            INSERT INTO pushCSV brings no key column "Id"
            column "Placed": Parser error: Error parsing timestamp from 'soon': timestamp must contain at least 10 characters
            column "Done" of "pushCSV" holds booleans, and the value is integers: write CAST(… AS …)
            2 values are given for 5 columns of "pushCSV": Id, Price, Placed, Done, Name
            +1 -0
            [1,"Ann2",null,null,5]
            [2,"Bob",21.0,"2026-01-02T08:00:00.123456Z",5]
            [4,null,4.0,null,5]
            [7,"Cid",null,null,5]
            [8,null,null,"2026-03-04T05:06:07.000Z",5]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn rows_with_keys_are_changed_one_by_one() {
    check(
        &[
            "UPDATE pushCSV SET price = price + 1, name = 'X' WHERE id IN (SELECT CaseID FROM \"Event Log\")",
            "UPDATE pushCSV AS p SET done = NULL WHERE p.id = 99",
            "UPDATE pushCSV SET Id = 5",
            "DELETE FROM pushCSV WHERE Done IS NULL",
            "SELECT Id, Price, Done, Name FROM pushCSV ORDER BY _seq",
        ],
        expect![[r#"
            +2 -0
            Nothing
            "Id" is a key of "pushCSV": delete the row and insert another
            +0 -1
            [1,11.5,true,"X"]
            [2,22.0,false,"X"]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn rows_without_keys_are_changed_in_their_order() {
    check(
        &[
            "INSERT INTO \"Event Log\" VALUES (NULL, 'Odd')",
            "UPDATE \"Event Log\" AS e SET Activity = upper(activity) || '!' WHERE e.caseid = 1",
            "DELETE FROM \"Event Log\" WHERE CASEID > 2",
            "DELETE FROM \"Event Log\" WHERE CASEID > 2",
            "SELECT CaseID, Activity FROM \"Event Log\" ORDER BY _seq",
        ],
        expect![[r#"
            +1 -0
            +2 -0
            +0 -1
            Nothing
            [1,"CREATE!"]
            [1,"PAY!"]
            [2,"Create"]
            [null,"Odd"]
        "#]],
    )
    .await;
    check(
        &["DELETE FROM \"Event Log\"", "INSERT INTO \"Event Log\" VALUES (5, 'New')", "SELECT * FROM \"Event Log\""],
        expect![[r#"
            +0 -4
            +1 -0
            [5,"New","2026-01-01T00:00:00.000Z"]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_table_that_was_dropped_is_gone_and_can_come_again() {
    check(
        &[
            "DROP TABLE pushCSV",
            "DROP TABLE IF EXISTS pushCSV",
            "DROP TABLE pushCSV",
            "INSERT INTO pushCSV VALUES (1)",
            "SELECT * FROM pushCSV",
        ],
        expect![[r#"
            +0 -0
            Nothing
            table "pushCSV" does not exist in this pool
            table "pushCSV" does not exist in this pool
            table 'pushCSV' not found
        "#]],
    )
    .await;
    check(
        &["DROP TABLE pushCSV", "CREATE TABLE PushCsv AS SELECT 1 AS only", "SELECT * FROM pushcsv"],
        expect![[r#"
            +0 -0
            +1 -0
            [1,"2026-01-01T00:00:00.000Z"]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn views_nest_and_do_not_come_back_to_themselves() {
    check(
        &[
            "CREATE VIEW Rich AS SELECT ID AS Nr, Price FROM pushCSV WHERE price > 5 -- the rich",
            "CREATE VIEW \"Very Rich\" AS SELECT nr FROM rich WHERE PRICE > 15",
            "CREATE OR REPLACE VIEW Rich AS SELECT NR FROM \"very rich\"",
            "CREATE VIEW rich AS SELECT 1 AS x",
            "CREATE VIEW pushcsv AS SELECT 1 AS x",
            "CREATE VIEW broken AS SELECT nope FROM pushCSV",
            "CREATE VIEW twice AS SELECT a.Id, b.ID FROM pushCSV a JOIN pushCSV b ON a.Id = b.Id",
            "DELETE FROM Rich",
            "SELECT v.NR, r.price FROM \"VERY RICH\" v JOIN Rich r ON r.Nr = v.nr",
        ],
        expect![[r#"
            ViewMade(ViewDefinition { name: "Rich", query: "SELECT ID AS Nr, Price FROM pushCSV WHERE price > 5 -- the rich" })
            ViewMade(ViewDefinition { name: "Very Rich", query: "SELECT nr FROM rich WHERE PRICE > 15" })
            view "Rich" leads back to itself: Rich → Very Rich → Rich
            view "rich" exists already: write CREATE OR REPLACE VIEW
            "pushCSV" is a table: drop it first
            view "broken": no field named nope. Did you mean '"pushCSV"."Done"'? Valid fields are "pushCSV"."Id", "pushCSV"."Price", "pushCSV"."Placed", "pushCSV"."Done", "pushCSV"."Name", "pushCSV"."_CELONIS_CHANGE_DATE"
            view "twice" has two columns called "Id": give one another name with AS
            "Rich" is a view: change the tables behind it
            [2,21.0]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_same_statement_of_the_same_run_commits_once() {
    let mut pond = Pond::new();
    push_all(&pond, true).await;
    let job = pond.job();
    let statement = "INSERT INTO \"Event Log\" VALUES (5, 'Once')";
    let first = pond.transform_as(job, statement).await.unwrap();
    assert_eq!(pond.transform_as(job, statement).await.unwrap(), first);
    pond.restart();
    assert_eq!(pond.transform_as(job, statement).await.unwrap(), first);
    assert_eq!(pond.ask("SELECT count(*) AS n FROM \"Event Log\"", 5).await.unwrap(), "n:integer\n5\n");
}

#[tokio::test]
async fn what_is_pushed_while_a_table_is_rewritten_is_not_lost() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    let pushing = async {
        for number in 0..20 {
            let piece = Piece::Upsert(rows(&format!("CaseID:integer Activity\n{number} Pushed")));
            pond.push("Event Log", Mode::Append, vec![piece]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (done, ()) = tokio::join!(pond.transform("DELETE FROM \"Event Log\" WHERE Activity = 'Pay'"), pushing);
    let left = pond.ask("SELECT count(*) AS n FROM \"Event Log\" WHERE Activity = 'Pushed'", 5).await.unwrap();
    assert_eq!(left, "n:integer\n20\n");
    assert!(matches!(done, Ok(Transformed::Committed(_)) | Err(TablesError::Moved { .. })), "{done:?}");
}

#[tokio::test]
async fn a_statement_that_is_stopped_leaves_nothing() {
    let pond = Pond::new();
    push_all(&pond, false).await;
    let stop = CancellationToken::new();
    let statement = "CREATE TABLE x AS SELECT a.value FROM generate_series(1, 100000000) AS a, generate_series(1, 1000) AS b WHERE a.value < 0";
    let at = Timestamp::EPOCH;
    let transform = Transform {
        pool: pond.pool,
        job: pond.job(),
        statement: statement.into(),
        at,
        causes: base::Causes::NONE,
        stop: stop.clone(),
    };
    let lake = pond.lake().clone();
    let running = lake.transform(transform);
    let stopping = async { stop.cancel() };
    let (done, ()) = tokio::join!(running, stopping);
    assert_eq!(done.unwrap_err().to_string(), "the statement was stopped: it was cancelled");
    assert!(pond.lake().table(pond.pool, "x").await.unwrap().is_none());
}

#[tokio::test]
async fn the_explorer_shows_tables_and_views() {
    let pond = Pond::new();
    push_all(&pond, true).await;
    pond.transform("CREATE VIEW v AS SELECT Id, Name AS Customer FROM pushCSV").await.unwrap();
    pond.transform("CREATE VIEW w AS SELECT Customer FROM v").await.unwrap();
    pond.transform("DROP VIEW v").await.unwrap();
    let explored = pond.lake().explore(pond.pool).await.unwrap();
    let shown = explored.iter().map(|one| {
        let rest =
            one.rest.as_ref().map(|rest| (rest.version, rest.files, rest.through, rest.bytes > 0, rest.path.is_dir()));
        format!("{} {} rows {rest:?} {:?}\n", one.info.name, one.info.rows, one.view)
    });
    expect![[r#"
        Event Log 4 rows Some((0, 1, 2, true, true)) None
        pushCSV 3 rows Some((0, 1, 1, true, true)) None
        w 0 rows None Some(ViewShown { query: "SELECT Customer FROM v", broken: Some("view \"w\": table 'v' not found") })
    "#]]
    .assert_eq(&shown.collect::<String>());
}
