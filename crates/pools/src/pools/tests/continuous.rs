//! Continuous push: files without a job around them.
//!
//! What these tests take for Parquet is CSV behind the four letters with which
//! Parquet begins.

use super::*;
use crate::rows::{ColumnBuilder, ColumnType};
use crate::{Continuous, ItemUpload};

fn read(file: &Path) -> Result<Rows, TablesError> {
    let text = std::fs::read_to_string(file).expect("a chunk that was written");
    let bad = |detail: &str| TablesError::BadFile { file: "chunk".into(), detail: detail.into() };
    let text = text.strip_prefix("PAR1").ok_or_else(|| bad("it is not Parquet"))?;
    if text.contains("broken page") && !text.starts_with("Id\n") {
        return Err(bad("a page is broken"));
    }
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let lines: Vec<_> = lines.collect();
    let columns = header.iter().enumerate().map(|(place, name)| {
        let is_number = |line: &Vec<&str>| line[place].is_empty() || line[place].parse::<i64>().is_ok();
        let numbers = lines.iter().all(is_number);
        let mut column = ColumnBuilder::new(*name, if numbers { ColumnType::Integer } else { ColumnType::Text });
        for line in &lines {
            column.push(match line[place] {
                "" => Cell::Null,
                value if numbers => Cell::Integer(value.parse().expect("just looked at")),
                value => Cell::Text(value),
            });
        }
        column.finish()
    });
    Ok(Rows::new(columns.collect()))
}

fn house() -> House {
    House { tables: Arc::new(MemTables::with_parquet(read)), ..House::new() }
}

fn into(table: &str) -> PushJobSpec {
    PushJobSpec { continuous: Some(Continuous::default()), ..PushJobSpec::csv(table) }
}

fn newest_by(table: &str, order: &str) -> PushJobSpec {
    PushJobSpec { keys: vec!["Id".into()], newest_by: Some(order.into()), ..into(table) }
}

async fn send(house: &House, pools: &Pools, pool: PoolId, spec: PushJobSpec, text: &str) -> Result<PushJob, Error> {
    let mut item: ItemUpload = pools.add_item(pool, "orders.parquet").await?;
    for bite in text.as_bytes().chunks(3) {
        item.write(Bytes::copy_from_slice(bite)).await?;
    }
    pools.accept_item(&house.actor, pool, spec, item).await
}

/// Sends files one after the other, brings in what waits, and draws the table.
async fn check(before: &str, spec: PushJobSpec, files: &[&str], expected: Expect) {
    let house = house();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    if !before.is_empty() {
        house.push(&pools, pool, keyed("Orders"), before).await;
        pools.drain().await.unwrap();
    }
    let mut out = String::new();
    for file in files {
        if let Err(error) = send(&house, &pools, pool, spec.clone(), &format!("PAR1{file}")).await {
            out.push_str(&format!("{}: {error}\n", error.code()));
        }
    }
    pools.drain().await.unwrap();
    let table = pools.tables.table(pool, "Orders").await.unwrap();
    let keys = table.map(|table| table.keys.join(", ")).unwrap_or_default();
    out.push_str(&format!("({keys}) {}\n", house.see(pool, "Orders").await));
    for job in pools.recent_jobs(pool).await.unwrap().iter().rev().filter(|job| job.spec.continuous.is_some()) {
        let logs = job.logs.join("; ").replace(&first_item(&pools, pool).await, "<1>");
        out.push_str(&format!("{}: {logs}\n", job.state));
    }
    assert_eq!(house.files(), 0);
    expected.assert_eq(&out);
}

async fn first_item(pools: &Pools, pool: PoolId) -> String {
    let jobs = pools.recent_jobs(pool).await.unwrap();
    let first = jobs.iter().rev().find(|job| job.spec.continuous.is_some());
    first.map_or_else(|| "none".into(), |job| job.id.to_string())
}

#[tokio::test]
async fn it_is_an_upsert_by_the_named_keys_or_by_all_columns() {
    let named = PushJobSpec { keys: vec!["id".into()], ..into("Orders") };
    check(
        "",
        named.clone(),
        &["Id,Name\n1,a\n2,b\n", "Id,Name\n2,c\n"],
        expect![[r"
        (Id) 1 a, 2 c
        DONE: 2 rows came in and 0 were deleted with commit 1
        DONE: the rows came in with those of push job <1>, commit 1
    "]],
    )
    .await;
    check(
        "",
        into("Orders"),
        &["Id,Name\n1,a\n1,b\n", "Id,Name\n1,a\n"],
        expect![[r"
        (Id, Name) 1 b, 1 a
        DONE: 2 rows came in and 0 were deleted with commit 1
        DONE: the rows came in with those of push job <1>, commit 1
    "]],
    )
    .await;
    check(
        "Id,Name\n1,a\n",
        into("Orders"),
        &["Id,Name\n1,c\n"],
        expect![[r"
        (Id) 1 c
        DONE: 1 rows came in and 0 were deleted with commit 2
    "]],
    )
    .await;
    let others = PushJobSpec { keys: vec!["Name".into()], ..into("Orders") };
    check(
        "Id,Name\n1,a\n",
        others,
        &["Id,Name\n1,c\n"],
        expect![[r"
        (Id) 1 c
        DONE: the table's own keys were taken: (Id); 1 rows came in and 0 were deleted with commit 2
    "]],
    )
    .await;
    check(
        "Id,Name\n1,a\n",
        named,
        &["Name\nc\n", ""],
        expect![[r#"
        parquet-invalid: file "orders.parquet" failed Parquet validation: key column "Id" is missing; there are "Name"
        parquet-invalid: file "orders.parquet" failed Parquet validation: key column "Id" is missing; there are 
        (Id) 1 a
    "#]],
    )
    .await;
}

#[tokio::test]
async fn the_order_column_picks_the_newest() {
    let spec = newest_by("Orders", "Age");
    check(
        "",
        spec.clone(),
        &["Id,Age,Name\n1,2,b\n1,1,a\n", "Id,Age,Name\n1,1,c\n"],
        expect![[r"
        (Id) 1 2 b
        DONE: 2 rows were outdone by newer rows of the same push; 1 rows came in and 0 were deleted with commit 1
        DONE: the rows came in with those of push job <1>, commit 1
    "]],
    )
    .await;
    check(
        "Id,Age,Name\n1,5,a\n2,1,b\n",
        spec.clone(),
        &["Id,Age,Name\n1,4,x\n2,1,y\n"],
        expect![[r"
        (Id) 1 5 a, 2 1 y
        DONE: 1 rows are older than the stored ones and were left out; 1 rows came in and 0 were deleted with commit 2
    "]],
    )
    .await;
    check(
        "Id,Name\n1,a\n",
        spec.clone(),
        &["Id,Age,Name\n1,4,x\n"],
        expect![[r"
        (Id) 1 x 4
        DONE: 1 rows came in and 0 were deleted with commit 2
    "]],
    )
    .await;
    check("", spec, &["Id,Name\n1,a\n"], expect![[r#"
        parquet-invalid: file "orders.parquet" failed Parquet validation: duplicateRemovalOrderColumn "Age" is missing; there are "Id", "Name"
        () no table
    "#]]).await;
}

#[tokio::test]
async fn files_of_one_table_come_in_with_one_commit_and_one_bad_file_alone_fails() {
    let named = PushJobSpec { keys: vec!["Id".into()], ..into("Orders") };
    let files = ["Id,Name\n1,a\n", "Id,Name\n2,b\n", "Id,Name\n1,c\n"];
    check(
        "",
        named.clone(),
        &files,
        expect![[r"
        (Id) 2 b, 1 c
        DONE: 2 rows came in and 0 were deleted with commit 1
        DONE: the rows came in with those of push job <1>, commit 1
        DONE: the rows came in with those of push job <1>, commit 1
    "]],
    )
    .await;
    let house = house();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let mut items = Vec::new();
    for file in files {
        items.push(send(&house, &pools, pool, named.clone(), &format!("PAR1{file}")).await.unwrap());
    }
    // The disk bites a file that was whole at the door.
    let chunk = pools.chunks(pool, items[1].id).await.unwrap().remove(0);
    std::fs::write(pools.spool.path(chunk.id), "PAR1broken page").unwrap();
    pools.drain().await.unwrap();
    let mut states = Vec::new();
    for item in &items {
        states.push(pools.job(pool, item.id).await.unwrap().state);
    }
    assert_eq!(states, [State::Done, State::Error, State::Done]);
    assert_eq!(house.see(pool, "Orders").await, "1 c");
    assert_eq!(pools.jobs(pool).await.unwrap().len(), 0, "clients of push jobs do not see them");
}

#[tokio::test]
async fn what_is_not_parquet_is_refused_at_the_door() {
    let house = house();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    refused(
        send(&house, &pools, pool, into("Orders"), "Id,Name\n1,a\n").await,
        Kind::Invalid,
        expect![[
            r#"parquet-invalid: file "orders.parquet" failed Parquet validation: it is not Parquet, and continuous push takes nothing else; push CSV by a data push job"#
        ]],
    );
    refused(
        send(&house, &pools, pool, into("Orders"), "").await,
        Kind::Invalid,
        expect![[
            r#"parquet-invalid: file "orders.parquet" failed Parquet validation: it is not Parquet, and continuous push takes nothing else; push CSV by a data push job"#
        ]],
    );
    refused(
        send(&house, &pools, pool, into(" "), "PAR1Id\n1").await,
        Kind::Invalid,
        expect![[r#"name-invalid: " " is no name for a table: it is empty"#]],
    );
    assert_eq!((house.files(), pools.recent_jobs(pool).await.unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_group_ends_exactly_once_wherever_the_process_ends() {
    for step in [Step::BeforeStage, Step::AfterStage, Step::BeforeCommit, Step::AfterCommit] {
        let house = house();
        let tables = Arc::new(StopsAt::new(&house, step));
        let before = house.pools_over(tables.clone(), Options::default());
        let pool = before.create(&house.actor, "Purchasing").await.unwrap().id;
        let named = PushJobSpec { keys: vec!["Id".into()], ..into("Orders") };
        let mut items = Vec::new();
        for file in ["PAR1Id,Name\n1,a\n", "PAR1Id,Name\n2,b\n", "PAR1Id,Name\n1,c\n"] {
            items.push(send(&house, &before, pool, named.clone(), file).await.unwrap().id);
        }
        tokio::select! {
            outcome = before.drain() => panic!("it went through: {outcome:?}"),
            () = tables.reached.notified() => {}
        }
        drop(before);
        house.tables.restart();

        let after = house.pools();
        after.recover().await.unwrap();
        let expected = if step == Step::AfterCommit { State::Done } else { State::Queued };
        for item in &items {
            assert_eq!(after.job(pool, *item).await.unwrap().state, expected, "after a stop at {step:?}");
        }
        after.drain().await.unwrap();
        assert_eq!(house.see(pool, "Orders").await, "2 b, 1 c", "after a stop at {step:?}");
        let status = after.status().await.unwrap();
        assert_eq!((status.rows_in, status.jobs_done, house.files()), (2, 3, 0), "after a stop at {step:?}");
        let head = *after.rows().head(pool).borrow();
        assert_eq!(head, 1, "one commit, after a stop at {step:?}");
    }
}

#[test]
fn they_are_forgotten_after_a_while_on_every_engine() {
    on_every_engine(|house| async move {
        let house = House { tables: Arc::new(MemTables::with_parquet(read)), ..house };
        let pools = house.pools();
        let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
        let first = send(&house, &pools, pool, into("Orders"), "PAR1Id\n1").await.unwrap().id;
        let second = send(&house, &pools, pool, into("Orders"), "PAR1Id\n2").await.unwrap().id;
        pools.drain().await.unwrap();
        pools.tidy().await.unwrap();
        assert_eq!(pools.job(pool, first).await.unwrap().state, State::Done);
        house.clock.advance(Duration::from_hours(25));
        pools.tidy().await.unwrap();
        for item in [first, second] {
            assert!(pools.job(pool, item).await.is_err());
        }
        assert_eq!(house.see(pool, "Orders").await, "1, 2");
    });
}
