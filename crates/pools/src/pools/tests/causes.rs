//! What led to a push job stands in its commit, wherever the process ends.

use base::causes::{Causes, Link};

use super::*;

fn chain(record: &str) -> Causes {
    Causes::NONE.then(Link::new(["orders.late", "LATE", record]))
}

fn caused(house: &House, record: &str) -> Actor {
    Actor { causes: chain(record), ..house.actor.clone() }
}

/// Makes, fills and executes a job, by whom and by whom.
async fn push(pools: &Pools, pool: PoolId, maker: &Actor, executor: &Actor) -> PushJobId {
    // Nobody may ask for a chain: it is the caller's.
    let spec = PushJobSpec { causes: chain("asked for"), ..PushJobSpec::csv("Orders") };
    let job = pools.create_job(maker, pool, spec).await.unwrap().id;
    add(pools, pool, job, ChunkKind::Upsert, "Id\n1\n").await.unwrap();
    pools.execute(executor, pool, job).await.unwrap();
    job
}

#[tokio::test]
async fn a_commit_carries_what_led_to_its_job() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let (nobody, one, other) = (house.actor.clone(), caused(&house, "1"), caused(&house, "2"));
    for (maker, executor) in [(&nobody, &nobody), (&one, &one), (&one, &nobody), (&nobody, &other), (&one, &other)] {
        push(&pools, pool, maker, executor).await;
    }
    // The process ends before they run.
    let pools = house.pools();
    pools.recover().await.unwrap();
    pools.drain().await.unwrap();
    let changes = house.tables.changes(pool, 0, 10).await.unwrap();
    let chains: Vec<String> = changes.iter().map(|change| change.causes.to_string()).collect();
    let (one, other) = (chain("1").to_string(), chain("2").to_string());
    assert_eq!(chains, ["", &one, &one, &other, &other], "whoever executes it is nearest");
}
