//! What led to a commit stands in the signals that it makes fire.

use base::Causes;
use base::causes::Link;
use pools::{Mode, Piece};

use super::triggers::{CHANGED, house, keyed, one_trigger};
use super::{House, at, rows};

/// Lists the signals by key, each with the chain that its event shows.
async fn shown(house: &House) -> Vec<(String, String)> {
    let select = "SELECT event_key, fields FROM outbox ORDER BY event_key";
    let rows = house.db.read("test.fields", move |tx| tx.query(select, base::args![])).await.expect("a read");
    let text = |row: &base::db::Row, column| row.get::<String>(column).expect("a text");
    let chain = |fields: String| {
        let (_, behind) = fields.split_once("causes=")?;
        Some(behind.split('"').nth(1)?.to_owned())
    };
    rows.iter().map(|row| (text(row, 0), chain(text(row, 1)).unwrap_or_default())).collect()
}

async fn changes(house: &House, line: &str, causes: &Causes) {
    *house.causes.lock() = causes.clone();
    let text = format!("ID | CASE | ACT | TS:time | USER\n{line}");
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
}

fn chain() -> Causes {
    Causes::NONE.then(Link::new(["p.km", "T", "1"])).then(Link::new(["p.km", "OTHER", "a > b"]))
}

#[tokio::test]
async fn signals_show_what_led_to_their_commit_and_to_no_other() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    changes(&house, "d | 1 | Change | 2026-03-01 11:00 | cid", &chain()).await;
    changes(&house, "e | 3 | Change | 2026-03-01 11:00 | cid", &Causes::NONE).await;
    // They are evaluated after a restart, and all at once.
    house.restart();
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(
        shown(&house).await,
        [("T/1/1".into(), "p.km/T/1 > p.km/OTHER/a%20%3E%20b".into()), ("T/3/1".into(), String::new())]
    );
}

#[tokio::test]
async fn what_is_held_keeps_what_led_to_it() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", caps: { perCommit: 1 }")).await;
    let lines = "d | 1 | Change | 2026-03-01 11:00 | cid\ne | 3 | Change | 2026-03-01 11:00 | cid";
    changes(&house, lines, &chain()).await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(shown(&house).await.len(), 1);
    house.restart();
    house.clock.set(at("2026-03-01 00:01"));
    house.mining().catch_up().await.expect("it follows");
    let chains: Vec<String> = shown(&house).await.into_iter().map(|(_, chain)| chain).collect();
    assert_eq!(chains, [chain().to_string(), chain().to_string()]);
}

#[tokio::test]
async fn a_table_that_is_replaced_has_causes_too() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    *house.causes.lock() = chain();
    let text = "ID | CASE | ACT | TS:time | USER\nd | 1 | Change | 2026-03-01 11:00 | cid";
    house.push("EV", Mode::Replace, vec![Piece::Upsert(rows(text))]).await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(shown(&house).await, [("T/1/1".into(), chain().to_string())]);
}
