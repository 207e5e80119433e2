//! What becomes of a verb whose commit has no answer: it counts, or not, and
//! the engine knows which without a restart.

use base::testing::ScriptedHttp;

use super::*;
use crate::change::moved;
use crate::held::{Held, Row};
use crate::tables;

fn lost() -> Error {
    Error::Database(base::db::Error::Unavailable { detail: "the connection was lost while it committed".into() })
}

/// A subscription whose first event was received, and is not saved.
async fn with_progress() -> (House, Arc<ScriptedHttp>, SubscriptionId) {
    let (house, http) = House::scripted().await;
    let id = house.subscribe().await;
    http.push(200, "");
    house.append([1]).await;
    house.events.step().await;
    (house, http, id)
}

/// Writes what an update would, and tells what the row is then.
async fn update(house: &House, id: SubscriptionId) -> Row {
    let write = move |tx: &mut dyn base::db::Tx| {
        let stored = tables::find(tx, id)?.expect("it is there");
        let after = moved(tx, &stored, Input::Update, stored.subscription.created_at)?;
        Ok::<_, Error>(Row::of(&after, &tables::secrets(tx, id)?))
    };
    house.db.write("test.update", write).await.expect("it is written")
}

#[tokio::test]
async fn a_verb_that_counts_is_taken_over_and_what_follows_is_saved() {
    let (house, http, id) = with_progress().await;
    let held = Held::take(&house.events, id).await.expect("it has a seat");
    let row = update(&house, id).await;
    held.find_out(Some(row), lost()).await.expect("it counts");
    assert_eq!(house.events.roster().standing(id).map(|standing| standing.generation), Some(2));
    http.push(200, "");
    http.push(200, "");
    house.append([2]).await;
    house.events.step().await;
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.generation, standing.cursor), (2, Offset(2)), "nothing is passed over in silence");
}

#[tokio::test]
async fn a_verb_that_does_not_count_leaves_the_seat_as_it_was() {
    let (house, _http, id) = with_progress().await;
    let held = Held::take(&house.events, id).await.expect("it has a seat");
    let mut decided = house.events.get(&ada(), id).await.expect("it is there").subscription;
    decided.standing.state = State::Paused;
    let never_written = house.db.read("test.row", move |tx| {
        let stored = tables::find(tx, id)?.expect("it is there");
        Ok::<_, Error>(Row::of(&tables::Stored { subscription: decided, ..stored }, &tables::secrets(tx, id)?))
    });
    let row = never_written.await.expect("it is read");
    let answer = held.find_out(Some(row), lost()).await;
    assert!(matches!(answer, Err(Error::Database(base::db::Error::Unavailable { .. }))), "{answer:?}");
    house.save().await;
    let standing = house.standing(id).await;
    assert_eq!((standing.state, standing.cursor), (State::Active, Offset(1)), "what was received is saved");
}

#[tokio::test]
async fn a_delete_that_counts_takes_the_seat_away() {
    let (house, _http, id) = with_progress().await;
    let held = Held::take(&house.events, id).await.expect("it has a seat");
    let delete = move |tx: &mut dyn base::db::Tx| {
        let stored = tables::find(tx, id)?.expect("it is there");
        tables::delete(tx, &stored)
    };
    house.db.write("test.delete", delete).await.expect("it is written");
    held.find_out(None, lost()).await.expect("it counts");
    assert_eq!(house.events.roster().standing(id), None);
}
