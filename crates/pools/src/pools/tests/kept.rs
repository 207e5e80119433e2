//! Chunks that stay after their job, and loading them again.

use super::*;
use crate::CsvOptions;

fn appending() -> PushJobSpec {
    PushJobSpec::csv("Orders")
}

fn semicolons(spec: PushJobSpec) -> PushJobSpec {
    PushJobSpec { csv: CsvOptions { separator: Some(";".into()), ..CsvOptions::default() }, ..spec }
}

/// Pushes a file, lets something happen, loads it again with semicolons, and
/// draws what came of it.
async fn check(spec: PushJobSpec, text: &str, between: &[(PushJobSpec, &str)], expected: Expect) {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = house.push(&pools, pool, spec.clone(), text).await;
    pools.drain().await.unwrap();
    for (spec, text) in between {
        house.push(&pools, pool, spec.clone(), text).await;
        pools.drain().await.unwrap();
    }
    let again = pools.reload(&house.actor, pool, job, semicolons(spec)).await;
    pools.drain().await.unwrap();
    let plain = |text: String| text.replace(&job.to_string(), "<job>").replace(&pool.to_string(), "<pool>");
    let mut out = Vec::new();
    match again {
        Ok(again) => {
            let again = pools.job(pool, again.id).await.unwrap();
            let logs = pools.job(pool, job).await.unwrap().logs.join("\n");
            out.push(plain(logs).replace(&again.id.to_string(), "<again>"));
            out.push(format!("{}: {}", again.state, again.logs[0]));
        }
        Err(error) => out.push(plain(error.to_string())),
    }
    out.push(house.see(pool, "Orders").await);
    expected.assert_eq(&(out.join("\n") + "\n"));
}

#[tokio::test]
async fn a_wrong_separator_is_mended() {
    check(appending(), "Id;Name\n1;a\n2;b\n", &[], expect![[r"
        one column, its header contains `;`: check separatorSequence
        2 rows came in and 0 were deleted with commit 1
        the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/<pool>/push-jobs/<job>/reload with other csvParsingOptions loads them again
        its chunks were loaded again by push job <again>
        DONE: 2 rows came in and 0 were deleted with commit 2
        1 a, 2 b
    "]]).await;
    let replace = PushJobSpec { job_type: PushType::Replace, ..appending() };
    check(replace, "Id;Name\n1;a\n2;b\n", &[], expect![[r"
        one column, its header contains `;`: check separatorSequence
        2 rows came in and 0 were deleted with commit 1
        the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/<pool>/push-jobs/<job>/reload with other csvParsingOptions loads them again
        its chunks were loaded again by push job <again>
        DONE: 2 rows came in and 0 were deleted with commit 2
        1 a, 2 b
    "]]).await;
}

#[tokio::test]
async fn a_job_that_failed_is_loaded_as_what_it_was() {
    check(keyed("Orders"), "Id;Name\n1;a\n", &[], expect![[r#"
        file "orders.csv": key column "Id" is missing; there are "Id;Name"
        the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/<pool>/push-jobs/<job>/reload with other csvParsingOptions loads them again
        its chunks were loaded again by push job <again>
        DONE: 1 rows came in and 0 were deleted with commit 1
        1 a
    "#]]).await;
    check(keyed("Orders"), "Id;Name\n1;a\n", &[(keyed("Orders"), "Id,Name\n2,b\n")], expect![[r#"
        file "orders.csv": key column "Id" is missing; there are "Id;Name"
        the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/<pool>/push-jobs/<job>/reload with other csvParsingOptions loads them again
        its chunks were loaded again by push job <again>
        DONE: 1 rows came in and 0 were deleted with commit 2
        2 b, 1 a
    "#]]).await;
}

#[tokio::test]
async fn what_would_be_lost_is_not_replaced() {
    check(appending(), "Id;Name\n1;a\n", &[(appending(), "Id\n2\n")], expect![[r#"
        push job "<job>" cannot be loaded again: table "Orders" has rows or keys of other jobs, which would be lost; push the file again
        1;a -, - 2
    "#]]).await;
    check(
        appending(),
        "Id,Name\n1,a\n",
        &[],
        expect![[r#"
        push job "<job>" cannot be loaded again: its chunks are no longer kept; push the file again
        1 a
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_reload_that_others_overtake_loads_nothing() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = house.push(&pools, pool, appending(), "Id;Name\n1;a\n").await;
    pools.drain().await.unwrap();
    // It was executed before, and has not run yet.
    house.push(&pools, pool, appending(), "Id\n7\n").await;
    let again = pools.reload(&house.actor, pool, job, semicolons(appending())).await.unwrap();
    let twice = pools.reload(&house.actor, pool, job, semicolons(appending())).await;
    assert_eq!(twice.unwrap_err().code(), "push-job-not-reloadable");
    pools.drain().await.unwrap();
    let again = pools.job_details(pool, again.id).await.unwrap();
    assert_eq!((again.job.state, again.kept_until.is_some(), house.files()), (State::Error, true, 1));
    expect![[r#"table "Orders" was changed by commit 2 since; it would be lost, so nothing was loaded again"#]]
        .assert_eq(&again.job.logs[0]);
    assert_eq!(house.see(pool, "Orders").await, "1;a -, - 7");
}

#[tokio::test]
async fn chunks_go_when_their_time_is_over_or_others_need_the_room() {
    let house = House::new();
    let bytes = "Id;Name\n1;a\n".len() as u64;
    let options = Options { spool_bytes_max: 2 * bytes, keep_chunks_bytes_max: bytes, ..Options::default() };
    let pools = house.pools_over(house.tables.clone(), options);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(house.push(&pools, pool, appending(), "Id;Name\n1;a\n").await);
        house.clock.advance(Duration::from_secs(1));
        pools.drain().await.unwrap();
    }
    assert_eq!(house.files(), 2, "the third took the place of the first");
    pools.recover().await.unwrap();
    assert_eq!(house.files(), 2, "a restart keeps what is kept");
    pools.tidy().await.unwrap();
    assert_eq!(house.files(), 1, "within the bound of bytes");
    house.clock.advance(Duration::from_hours(24));
    pools.tidy().await.unwrap();
    assert_eq!(house.files(), 0);
    for job in jobs {
        assert_eq!(pools.job_details(pool, job).await.unwrap().kept_until, None);
    }
    let none = Options { keep_chunks: Duration::ZERO, ..Options::default() };
    let pools = house.pools_over(house.tables.clone(), none);
    house.push(&pools, pool, appending(), "Id;Name\n1;a\n").await;
    pools.drain().await.unwrap();
    assert_eq!(house.files(), 0);
}
