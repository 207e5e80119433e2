//! Data jobs and SQL as a person has them: a file, `apply`, tables that are
//! made of others, and answers in each form.

use http::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, command};
use crate::sources::apply;

const NIGHTLY: &str = "\
name: Nightly
transformations:
  - name: Steps
    sql: |
      CREATE OR REPLACE TABLE steps AS SELECT id AS case_id, 'Created' AS activity FROM orders;
      INSERT INTO steps SELECT id, 'Paid' FROM orders WHERE amount > 10;
      CREATE OR REPLACE VIEW paid AS SELECT case_id FROM steps WHERE activity = 'Paid';
onChangeOf: [Orders]
";

const JOB: &str = "/api/v1/pools/p/data-jobs/Nightly";

async fn last_run(house: &House, count: usize) -> Json {
    let runs = format!("{JOB}/runs");
    let are_done = |runs: &Json| {
        let runs = runs.as_array().expect("a list");
        runs.len() == count && runs.iter().all(|run| run["state"] != "QUEUED" && run["state"] != "RUNNING")
    };
    let listed = house.wait_for(&runs, "a run", are_done).await;
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    house.expect(Method::GET, &format!("{runs}/{id}"), Json::Null).await
}

#[tokio::test]
async fn a_data_job_makes_tables_of_tables_whenever_these_change() {
    let ground = tempfile::tempdir().expect("a folder");
    let (data, files) = (ground.path().join("data"), ground.path().join("files"));
    std::fs::create_dir_all(&files).expect("a folder");
    std::fs::write(files.join("loopwright.yaml"), "pool: p\ndataJobs: [nightly.yaml]\n").expect("a file");
    std::fs::write(files.join("nightly.yaml"), NIGHTLY).expect("a file");
    let files = files.to_str().expect("a plain path");

    let mut house = House::start(&data).await;
    let pool = house.pool("p").await;
    for word in ["put", "there"] {
        let (good, words) = apply(&house, files).await;
        assert!(good && words.contains(&format!("data job \"Nightly\" is {word}")), "{words}");
    }

    // A push starts it; each statement says what it did.
    house.push(&pool, "Orders", "id,amount\n1,5\n2,50\n3,70\n").await;
    let run = last_run(&house, 1).await;
    assert_eq!((&run["state"], &run["cause"]), (&json!("DONE"), &json!("CHANGE")), "{run}");
    let statements = run["statements"].as_array().expect("a list");
    let told: Vec<_> = statements.iter().map(|one| (one["verb"].as_str(), one["upserted"].as_u64())).collect();
    assert_eq!(told, [(Some("CREATE"), Some(3)), (Some("INSERT"), Some(2)), (Some("VIEW"), Some(0))]);
    assert_eq!(house.sql(&pool, "SELECT * FROM paid ORDER BY 1").await, json!([{ "case_id": 2 }, { "case_id": 3 }]));

    // Tables, views and the job itself outlive a sudden end.
    house.child.kill().await.expect("it can be killed");
    let house = House::start(&data).await;
    house.push(&pool, "Orders", "id,amount\n4,90\n").await;
    assert_eq!(last_run(&house, 2).await["state"], "DONE");
    assert_eq!(house.sql(&pool, "SELECT count(*) AS n FROM Paid").await, json!([{ "n": 3 }]));
    let shown = house.expect(Method::GET, "/api/v1/pools/p/tables/PAID", Json::Null).await;
    assert_eq!(shown["sample"].as_array().map(Vec::len), Some(3), "{shown}");

    // By hand, as clients of the original do; what it says of a mistake.
    let path = format!("/integration/api/v2/data-pools/{pool}/data-jobs/Nightly/execute?mode=FULL");
    house.expect(Method::POST, &path, Json::Null).await;
    assert_eq!(last_run(&house, 3).await["cause"], "HAND");
    let wrong = NIGHTLY.replace("amount > 10", "amont > 10");
    std::fs::write(format!("{files}/nightly.yaml"), wrong).expect("a file");
    let (good, words) = apply(&house, files).await;
    assert!(good, "{words}");
    house.expect(Method::POST, &format!("{JOB}/run"), json!({})).await;
    let run = last_run(&house, 4).await;
    assert_eq!(run["state"], "ERROR", "{run}");
    assert!(run["error"].as_str().is_some_and(|error| error.contains("amont")), "{run}");
    assert_eq!(
        house.sql(&pool, "SELECT count(*) AS n FROM steps").await,
        json!([{ "n": 4 }]),
        "only the first was done"
    );
}

#[tokio::test]
async fn answers_come_in_pages_and_as_files() {
    let data = tempfile::tempdir().expect("a folder");
    let mut limited = command(data.path());
    limited.env("LOOPWRIGHT_SQL_SECONDS_MAX", "1");
    let house = House::start_by(limited).await;
    let pool = house.pool("p").await;
    house.push(&pool, "Numbers", "n,word\n1,a\n2,\"b,c\"\n3,\n4,NA\n5,e\n").await;
    let sql = format!("/api/v1/pools/{pool}/sql");

    // Pages are of one moment, whatever is pushed in between.
    let ask = json!({ "query": "SELECT n FROM numbers ORDER BY n", "limit": 2, "pages": true });
    let mut page = house.expect(Method::POST, &sql, ask).await;
    house.push(&pool, "Numbers", "n,word\n0,new\n").await;
    let mut seen = Vec::new();
    loop {
        seen.extend(page["rows"].as_array().expect("rows").iter().map(|row| row["n"].as_i64().expect("a number")));
        let Some(cursor) = page["next"].as_str() else { break };
        let next = json!({ "cursor": cursor, "limit": 2 });
        page = house.expect(Method::POST, &sql, next).await;
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);

    let query = "SELECT n, word FROM numbers WHERE n > 1 ORDER BY n";
    let (status, csv) = house.post(&sql, json!({ "query": query, "format": "csv" })).await;
    assert_eq!((status, csv.as_str()), (200, Some("n,word\n2,\"b,c\"\n3,\n4,NA\n5,e\n")));

    // A statement that takes too long says which limit it met.
    let endless = "SELECT count(*) FROM numbers a, numbers b, numbers c, numbers d, numbers e, numbers f, numbers g, \
                   numbers h, numbers i, numbers j, numbers k, numbers l, numbers m WHERE a.n + b.n + m.n = -1";
    let (status, answer) = house.post(&sql, json!({ "query": endless })).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains("1 s")), "{answer}");
    let (status, answer) = house.post(&sql, json!({ "query": "SELECT m FROM numbers" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("sql-statement")), "{answer}");
    // What is left is the question whose last page may be asked for again.
    let left = house.expect(Method::GET, &sql, Json::Null).await;
    let left = left.as_array().expect("a list");
    assert!(left.iter().all(|one| one["betweenPages"] == true), "{left:?}");
    for one in left {
        let path = format!("{sql}/{}", one["id"].as_str().expect("an id"));
        house.expect(Method::DELETE, &path, Json::Null).await;
    }
    assert_eq!(house.expect(Method::GET, &sql, Json::Null).await, json!([]));
}
