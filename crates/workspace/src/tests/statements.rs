//! Statements: answered in chunks, kept for an hour, stopped, and lost with
//! their server. The engine is a script.

use std::sync::Arc;
use std::time::Duration;

use base::{BoxFuture, Coded as _, Kind};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{House, admin};
use crate::sql::{AnswerColumn, Answered, Asked, Form, Piece, StatementError, Statements};
use crate::{Disposition, Options, StatementSpec, StatementState};

/// Answers `rows N` with N rows, `fail` with an error, and `hang` never.
#[derive(Default)]
struct Script {
    asked: Mutex<Vec<String>>,
}

impl Statements for Script {
    fn run(&self, asked: Asked) -> BoxFuture<'_, Result<Answered, StatementError>> {
        Box::pin(async move {
            self.asked.lock().push(asked.statement.clone());
            let Some(count) = asked.statement.strip_prefix("rows ") else {
                if asked.statement == "fail" {
                    return Err(StatementError::bad("it does not make sense"));
                }
                return std::future::pending().await;
            };
            let count: u64 = count.parse().expect("a number");
            let (sender, pieces) = mpsc::channel(64);
            for from in (0..count).step_by(usize::try_from(asked.chunk.rows).expect("a small one")) {
                let to = count.min(from + asked.chunk.rows);
                let rows: Vec<String> = (from..to).map(|row| format!("[\"{row}\"]")).collect();
                let bytes = format!("[{}]", rows.join(",")).into_bytes();
                sender.try_send(Ok(Piece { rows: to - from, bytes, truncated: false })).expect("room");
            }
            let columns = vec![AnswerColumn {
                name: "n".into(),
                type_name: "LONG".into(),
                type_text: "BIGINT".into(),
                precision: None,
                scale: None,
            }];
            Ok(Answered { columns, pieces, used: None })
        })
    }
}

fn spec(statement: &str) -> StatementSpec {
    StatementSpec {
        statement: statement.into(),
        warehouse: "local".into(),
        catalog: None,
        schema: None,
        parameters: Vec::new(),
        form: Form::JsonArray,
        disposition: Disposition::Inline,
        rows_max: None,
        bytes_max: None,
        wait: Duration::from_secs(50),
        cancel_if_slow: false,
    }
}

fn house() -> House {
    let house = House::asleep(Options { chunk_rows: 4, ..Options::default() });
    house.workspace.set_statements(Arc::new(Script::default()));
    house
}

#[tokio::test]
async fn an_answer_comes_in_chunks_and_is_kept_for_an_hour() {
    let mut house = house();
    let view = house.workspace.execute_statement(&admin(), spec("rows 10")).await.expect("an answer");
    assert_eq!(view.state, StatementState::Succeeded);
    let manifest = view.manifest.clone().expect("a manifest");
    assert_eq!((manifest.rows(), manifest.chunks.len(), manifest.offset(2)), (10, 3, 8));
    // It outlives the server.
    house.come_back();
    let view = house.workspace.statement(&admin(), &view.id).await.expect("still there");
    let last = house.workspace.statement_chunk(&view, 2).await.expect("a chunk");
    assert_eq!(last, b"[[\"8\"],[\"9\"]]");
    assert_eq!(house.workspace.statement_chunk(&view, 3).await.expect_err("no chunk").kind(), Kind::Invalid);

    house.clock.advance(Duration::from_hours(1));
    let view = house.workspace.statement(&admin(), &view.id).await.expect("it is remembered");
    assert_eq!(view.state, StatementState::Closed);
    assert_eq!(house.workspace.statement_chunk(&view, 0).await.expect_err("gone").kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_link_opens_for_a_quarter_of_an_hour() {
    let house = house();
    let asked = StatementSpec { disposition: Disposition::ExternalLinks, ..spec("rows 5") };
    let view = house.workspace.execute_statement(&admin(), asked).await.expect("an answer");
    let (link, _) = house.workspace.statement_link(&view, 1).expect("a link");
    let key = link.split_once("key=").expect("a key").1;
    let (form, file) = house.workspace.open_statement_link(key).await.expect("it opens");
    assert_eq!((form, std::fs::read(file).expect("a file")), (Form::JsonArray, b"[[\"4\"]]".to_vec()));
    let forged = key.replace(|letter: char| letter.is_ascii_digit(), "x");
    assert_eq!(house.workspace.open_statement_link(&forged).await.expect_err("forged").kind(), Kind::Denied);
    house.clock.advance(Duration::from_mins(15));
    assert_eq!(house.workspace.open_statement_link(key).await.expect_err("too late").kind(), Kind::Denied);
}

#[tokio::test]
async fn a_failure_is_an_answer() {
    let house = house();
    let view = house.workspace.execute_statement(&admin(), spec("fail")).await.expect("an answer");
    assert_eq!(view.state, StatementState::Failed);
    let (code, message, _) = view.error.expect("an error");
    assert_eq!((code.as_str(), message.as_str()), ("BAD_REQUEST", "it does not make sense"));
    let nowhere = StatementSpec { warehouse: "nope".into(), ..spec("rows 1") };
    let refused = house.workspace.execute_statement(&admin(), nowhere).await.expect_err("no warehouse");
    assert_eq!(refused.kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_statement_is_canceled_or_ends_with_its_server() {
    let mut house = house();
    let at_once = StatementSpec { wait: Duration::ZERO, ..spec("hang") };
    let view = house.workspace.execute_statement(&admin(), at_once.clone()).await.expect("a statement");
    assert!(!view.state.is_final(), "{:?}", view.state);
    house.workspace.cancel_statement(&admin(), &view.id).await.expect("it is there");
    let slow = StatementSpec { cancel_if_slow: true, ..at_once.clone() };
    let slow = house.workspace.execute_statement(&admin(), slow).await.expect("a statement");
    assert_eq!(slow.state, StatementState::Canceled);
    let stranger = base::Actor { id: "u-2".into(), name: "bob".into(), administrator: false, ..admin() };
    let hidden = house.workspace.statement(&stranger, &view.id).await.expect_err("somebody else's");
    assert_eq!(hidden.kind(), Kind::NotFound);

    let lost = house.workspace.execute_statement(&admin(), at_once).await.expect("a statement");
    house.come_back();
    let lost = house.workspace.statement(&admin(), &lost.id).await.expect("it is remembered");
    assert_eq!(lost.state, StatementState::Failed);
    assert!(lost.error.expect("a reason").1.contains("the server stopped"));
}

#[tokio::test]
async fn a_warehouse_that_stands_still_is_woken() {
    let house = house();
    house.workspace.run_warehouse(&admin(), "local", false).await.expect("it stops");
    assert!(!house.workspace.warehouse("local").await.expect("it is there").is_running);
    house.workspace.execute_statement(&admin(), spec("rows 1")).await.expect("an answer");
    assert!(house.workspace.warehouse("local").await.expect("it is there").is_running);
}
