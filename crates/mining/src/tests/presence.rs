//! Data models that cannot be loaded: what is said, what is kept, and what
//! brings them back.

use base::error::Coded;
use expect_test::{Expect, expect};
use pools::{Mode, Piece};
use tokio_util::sync::CancellationToken;

use super::triggers::{CHANGED, house, keyed, one_trigger};
use super::{House, actor, model, rows};
use crate::{DataModelState, Error};

const ORDERS: &str = "
    CASE | VENDOR
    1    | v1
    2    | v1";

const EVENTS: &str = "
    ID | CASE | ACT    | TS:time
    a  | 1    | Create | 2026-03-01 08:00
    b  | 2    | Change | 2026-03-01 09:00";

/// Fires for the orders that were changed, whose vendor is called Miller.
const OF_MILLER: &str = r#"
kind: BASE
metadata: { key: km, displayName: Orders }
dataModelId: orders
records:
  - id: ORDER
    pql: '"ORDERS"'
    identifier: { id: CASE, pql: '"ORDERS"."CASE"' }
filters:
  - id: WANTED
    pql: PU_COUNT("ORDERS", "EV"."ACT", "EV"."ACT" = 'Change') > 0 AND "VENDOR"."NAME" = 'Miller'
triggers:
  - { id: T, record: ORDER, filterIds: [WANTED] }
"#;

/// Events, orders and vendors; the vendors are joined by their ids, and have
/// another push key.
async fn joined() -> House {
    let house = House::new(model(&["EV", "ORDERS", "VENDOR"], Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]));
    house.push("EV", keyed(), vec![Piece::Upsert(rows(EVENTS))]).await;
    house.append("ORDERS", ORDERS).await;
    vendor(&house, "K | ID | NAME\n1 | v1 | Miller\n2 | v2 | Smith").await;
    house
}

async fn vendor(house: &House, text: &str) {
    let by_k = Mode::Upsert { keys: vec!["K".into()], keep_missing: false };
    house.push("VENDOR", by_k, vec![Piece::Upsert(rows(text))]).await;
}

async fn change(house: &House, id: &str, case: &str) {
    let line = format!("ID | CASE | ACT | TS:time\n{id} | {case} | Change | 2026-03-01 11:00");
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&line))]).await;
}

async fn state(house: &House) -> DataModelState {
    let id = house.data_model.now().id;
    house.mining().data_model_in_memory(id).await.expect("a view").state
}

async fn refused(house: &House, expected: &Expect) -> Error {
    let error = house.mining().catch_up().await.expect_err("it cannot be followed");
    expected.assert_eq(&error.to_string());
    let DataModelState::Refused { detail, .. } = state(house).await else { panic!("its state says so") };
    assert_eq!(detail, error.to_string());
    error
}

async fn matched(house: &House) -> Vec<String> {
    let matched = house.mining().matched("p.km", "T").await.expect("a trigger");
    matched.into_iter().map(|one| one.identifier).collect()
}

fn told(house: &House) -> String {
    std::mem::take(&mut *house.outbox.lock().told.lock()).join("\n")
}

#[tokio::test]
async fn a_key_that_comes_to_repeat_on_both_sides_sets_models_aside_until_it_is_mended() {
    let house = joined().await;
    house.publish(OF_MILLER).await;
    assert_eq!((matched(&house).await.join(" "), state(&house).await), ("2".into(), DataModelState::Loaded));

    vendor(&house, "K | ID | NAME\n3 | v1 | Muller").await;
    change(&house, "c", "1").await;
    let said = expect![[
        r#"data model "orders" cannot be loaded: tables "ORDERS" and "VENDOR" are joined N:M, because values of "VENDOR" = "ID" occur several times in both, such as "VENDOR" = 'v1' in the rows 1 and 2 of "ORDERS" and "ID" = 'v1' in the rows "K" = '1' and "K" = '3' of "VENDOR"; leave one of the rows out, or put a mapping table between them that has one row per pair, and join both to it"#
    ]];
    refused(&house, &said).await;
    expect![[r#"Data model "orders" cannot be loaded: tables "ORDERS" and "VENDOR" are joined N:M, because values of "VENDOR" = "ID" occur several times in both, such as "VENDOR" = 'v1' in the rows 1 and 2 of "ORDERS" and "ID" = 'v1' in the rows "K" = '1' and "K" = '3' of "VENDOR"; leave one of the rows out, or put a mapping table between them that has one row per pair, and join both to it. The knowledge model "p.km" on it is set aside: what it matches is kept, nothing fires, and the commit that mends this brings all of it back."#]].assert_eq(&told(&house));
    assert_eq!((matched(&house).await.join(" "), house.fired().await.len()), ("2".into(), 0), "it is kept");
    // Asking again loads nothing, and tells nothing.
    refused(&house, &said).await;
    let error = house.mining().query("p.km", r#"COUNT_TABLE("ORDERS")"#).await.expect_err("it is refused");
    assert_eq!(error.code(), "data-model-unloadable");
    assert_eq!(told(&house), "");

    // Another commit that mends nothing, and the one that does.
    change(&house, "d", "2").await;
    refused(&house, &said).await;
    vendor(&house, "K | ID | NAME\n3 | v3 | Muller").await;
    house.mining().catch_up().await.expect("it was mended");
    expect![[r#"Data model "orders" is followed again. The knowledge model "p.km" on it is evaluated as before."#]]
        .assert_eq(&told(&house));
    expect![[r"
        2026-03-01T00:00:00.000Z 1 T/1/1
    "]]
    .assert_eq(&house.fired_text().await);
    assert_eq!((matched(&house).await.join(" "), state(&house).await), ("1 2".into(), DataModelState::Loaded));
}

#[tokio::test]
async fn the_commit_that_mends_brings_models_back_by_itself() {
    let house = joined().await;
    house.publish(OF_MILLER).await;
    vendor(&house, "K | ID | NAME\n3 | v1 | Muller").await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    while house.outbox.lock().told.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    vendor(&house, "K | ID | NAME\n3 | v3 | Muller").await;
    change(&house, "c", "1").await;
    let outbox = house.outbox.lock().clone();
    outbox.nudged.notified().await;
    stop.cancel();
    running.await.expect("it stops");
    assert_eq!(house.fired().await.len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_refused_with_the_figures() {
    let house = house().await;
    // What is known before anything is read is enough to refuse it.
    house.restart_with_memory(3);
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &one_trigger(CHANGED, "")).await.expect("a draft");
    let error = mining.publish(&actor(), "p.km").await.expect_err("there is no room");
    assert_eq!(error.code(), "data-model-too-large");
    expect![[r#"data model "orders" does not fit into the memory for data models: it takes 12 bytes at the least, for 3 rows, and the memory for data models is 3 bytes; its largest columns are "EV"."ACT" 3 bytes, "EV"."CASE" 3 bytes, "EV"."ID" 3 bytes, "EV"."TS" 3 bytes, "EV"."USER" 3 bytes: leave columns or tables out, or raise the setting "data_models_bytes_max""#]].assert_eq(&error.to_string());
    let findings = mining.check_draft("p.km").await.expect("findings");
    assert_eq!(findings.mistakes.len(), 1, "the draft is told so as well: {:?}", findings.mistakes);
    assert_eq!(told(&house), "", "whoever publishes is told by the error");

    house.restart_with_memory(300);
    let error = house.mining().publish(&actor(), "p.km").await.expect_err("there is no room");
    expect![[r#"data model "orders" does not fit into the memory for data models: it takes 378 bytes for 5 rows, 3 of them events (columns 15 bytes, texts 315 bytes, joins 16 bytes, push keys 32 bytes), and the memory for data models is 300 bytes; its largest columns are "EV"."ACT" 87 bytes, "EV"."ID" 82 bytes, "EV"."USER" 81 bytes, "EV"."CASE" 74 bytes, "EV"."TS" 3 bytes: leave columns or tables out, or raise the setting "data_models_bytes_max""#]].assert_eq(&error.to_string());
}

#[tokio::test]
async fn a_reload_that_does_not_fit_sets_models_aside_until_there_is_less() {
    let house = house().await;
    house.restart_with_memory(2_000);
    house.publish(&one_trigger(CHANGED, "")).await;
    let id = house.data_model.now().id;
    let view = house.mining().data_model_in_memory(id).await.expect("a view");
    let load = view.load.expect("it is loaded");
    let of_columns: usize = load.tables.iter().flat_map(|table| &table.columns).map(|column| column.bytes).sum();
    assert_eq!(of_columns, load.size.columns + load.size.words, "no join has texts of its own");
    assert_eq!((view.bytes_max, load.commit, load.loaded_commit, load.cases), (Some(2_000), 1, 1, 2));

    let many: String =
        (0..200).map(|number| format!("\nx{number} | {number} | Change | 2026-03-01 11:00 | ann")).collect();
    let header = "ID | CASE | ACT | TS:time | USER";
    house.push("EV", Mode::Replace, vec![Piece::Upsert(rows(&format!("{header}{many}")))]).await;
    refused(&house, &expect![[r#"data model "orders" does not fit into the memory for data models: it takes 8.6 KiB for 400 rows, 200 of them events (columns 1000 bytes, texts 6.9 KiB, joins 820 bytes, push keys 0 bytes), and the memory for data models is 2.0 KiB; its largest columns are "EV"."ID" 3.7 KiB, "EV"."CASE" 3.3 KiB, "EV"."ACT" 274 bytes, "EV"."USER" 271 bytes, "EV"."TS" 200 bytes: leave columns or tables out, or raise the setting "data_models_bytes_max""#]]).await;
    expect![[r#"Data model "orders" does not fit into the memory for data models: it takes 8.6 KiB for 400 rows, 200 of them events (columns 1000 bytes, texts 6.9 KiB, joins 820 bytes, push keys 0 bytes), and the memory for data models is 2.0 KiB; its largest columns are "EV"."ID" 3.7 KiB, "EV"."CASE" 3.3 KiB, "EV"."ACT" 274 bytes, "EV"."USER" 271 bytes, "EV"."TS" 200 bytes: leave columns or tables out, or raise the setting "data_models_bytes_max". The knowledge model "p.km" on it is set aside: what it matches is kept, nothing fires, and the commit that mends this brings all of it back."#]].assert_eq(&told(&house));
    assert_eq!(matched(&house).await, ["2"]);
    house
        .push(
            "EV",
            Mode::Replace,
            vec![Piece::Upsert(rows(&format!("{header}\nx | 7 | Change | 2026-03-01 11:00 | ann")))],
        )
        .await;
    house.mining().catch_up().await.expect("there is room");
    assert_eq!((matched(&house).await.join(" "), house.fired().await.len()), ("7".into(), 1));
}

#[tokio::test]
async fn data_models_share_the_memory() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, "")).await;
    let id = house.data_model.now().id;
    let load = house.mining().data_model_in_memory(id).await.expect("a view").load.expect("it is loaded");
    house.restart_with_memory(load.size.bytes() * 3 / 2);
    house.mining().catch_up().await.expect("there is room for one");
    let on_others =
        one_trigger(CHANGED, "").replace("key: km", "key: two").replace("dataModelId: orders", "dataModelId: others");
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &on_others).await.expect("a draft");
    let error = mining.publish(&actor(), "p.two").await.expect_err("the first one has it");
    expect![[r#"data model "others" does not fit into the memory for data models: it takes 378 bytes for 5 rows, 3 of them events (columns 15 bytes, texts 315 bytes, joins 16 bytes, push keys 32 bytes), and the memory for data models is 780 bytes, of which other data models take 444 bytes; its largest columns are "EV"."ACT" 87 bytes, "EV"."ID" 82 bytes, "EV"."USER" 81 bytes, "EV"."CASE" 74 bytes, "EV"."TS" 3 bytes: leave columns or tables out, or raise the setting "data_models_bytes_max""#]].assert_eq(&error.to_string());
    // Once nobody needs the first one any more, there is.
    let post = mining.post(house.data_model.now().id);
    mining.abandon(&post).await;
    mining.publish(&actor(), "p.two").await.expect("now there is room");
}
