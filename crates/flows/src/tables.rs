//! The SQL of this crate: plain functions over a transaction.

mod aftermath;
mod calls;
mod counters;
mod databricks;
mod flows;
mod hooks;
mod incomplete;
mod journal;
mod long;
mod packages;
mod pages;
mod runs;
mod tasks;
mod history;
mod outcomes;
mod stores;
mod structures;
mod webhooks;

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::run::RunId;

use flows::{FLOW_COLUMNS, flow_row};

pub(crate) use aftermath::{
    Aftermath, End, Failure, StoreCommit, forget_notice, next_release, record_aftermath, release_held_flows,
    untold_notices,
};
pub(crate) use calls::{add_call, call_depth, flows_above, outputs, sleep_until};
pub(crate) use counters::count;
pub(crate) use databricks::{
    Conversation, Open, ToWatch, add_call_to_workspace, add_hint, add_open_runs, calls_to_workspace, close_run,
    ended_runs, forget_calls_to_workspace, forget_conversations, forget_listening, has_ended, keep_known, known,
    listen, listening_flows, look_again, look_for_ends_at, note_end, open_conversations, open_runs, see_end, tell_long,
};
pub(crate) use flows::{
    FlowRow, NewVersion, add_return, add_version, author, connection, connections, delete_connection, ending_untold,
    flow, flows, forget_returns, forget_text, imported_ids, map_connection, move_schedule, pause, put_connection,
    put_draft, put_text, returns, set_active, set_author, set_draft, set_told, set_told_of, set_variables, stands_for,
    text, untold, versions,
};
pub(crate) use history::{
    alike as alike_runs, cancel as cancel_run, ended_before, find as find_runs, forget as forget_run, late,
    search as search_runs,
};
pub(crate) use hooks::{
    Item, Queue, add_item, add_taken_item, flow_of_hook, forget_items, has_item, hooks_with_old_items, make_hook,
    oldest_waiting, queue, take_items, waiting, waiting_as_seen, waiting_items,
};
pub(crate) use incomplete::{
    IncompleteRow, begin_attempt, close_incomplete, due_incompletes, incomplete, incompletes, next_incomplete,
};
pub(crate) use journal::{
    Asked, Barrier, Came, IN_HAND, JournalRow, Then, abandon, journal, record, release, set_begun, set_deaths,
    take_back, take_in_hand,
};
pub(crate) use outcomes::{acted_on, listening_of, listening_to, note_listening};
pub(crate) use packages::{
    add_package_version, package_version, package_versions, put_in_package, set_shared_variables, shared_variables,
};
pub(crate) use pages::{delete_page, page, pages, put_page};
pub(crate) use runs::{
    NewRun, RunRow, counts, expect_live, has_live_run, has_open_run, insert_begun_run, insert_ended, insert_run,
    insert_run_in_hand, insert_unstarted, operations, run, runs,
};
#[cfg(test)]
pub(crate) use stores::end_changes;
pub(crate) use stores::{
    SeenBy, StoreId, StoreRow, add_store, change_store, delete_store, make as change_records, no_store, set_store,
    store, store_record, store_records, stores,
};
pub(crate) use structures::{
    delete_structure, put_structure, put_text_structures, structure, structures, text_structures,
};
pub(crate) use tasks::{TaskRow, add_task, answer_task, await_task, forget_tasks, task, task_by_token, tasks};

pub(crate) use webhooks::{
    StoredToken, WebhookRow, add_webhook, claim_webhook, count_mismatch, delete_webhook, release_webhooks, set_learned,
    set_listening, set_token, set_webhook, webhook, webhook_by_token, webhooks,
};

/// What there is to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    /// Flows whose schedule is due.
    pub(crate) schedules: Vec<FlowRow>,
    /// Hooks with items whose flow is active, and the flow.
    pub(crate) hooks: Vec<(String, FlowRow)>,
    /// Runs that are due, the longest waiting first.
    pub(crate) runs: Vec<RunId>,
    /// When something that is not due yet will be.
    pub(crate) next: Option<Timestamp>,
}

pub(crate) fn agenda(tx: &mut dyn Tx, now: Timestamp, runs_max: usize) -> Result<Agenda, Error> {
    let sql = format!("SELECT {FLOW_COLUMNS} FROM flows WHERE next_at <= $1 AND active = 1 AND paused IS NULL");
    let schedules = tx.query(&sql, args![now])?.iter().map(flow_row).collect::<Result<Vec<_>, _>>()?;
    let mut hooks = Vec::new();
    for row in tx.query("SELECT hook, flow FROM hooks WHERE waiting > 0 ORDER BY hook", args![])? {
        if let Some(flow) = flow(tx, &row.get::<String>(1)?)?.filter(FlowRow::takes_items) {
            hooks.push((row.get(0)?, flow));
        }
    }
    let sql = "SELECT id FROM runs WHERE state = 'live' AND wakes_at <= $1 ORDER BY wakes_at, id LIMIT $2";
    let runs = tx.query(sql, args![now, runs_max])?;
    let runs = runs.iter().map(|row| row.get(0)).collect::<Result<Vec<_>, Error>>()?;
    let earliest = |row: Option<Row>| row.map_or(Ok(None), |row| row.get::<Option<Timestamp>>(0));
    let sql = "SELECT MIN(wakes_at) FROM runs WHERE state = 'live' AND wakes_at > $1 AND wakes_at < $2";
    let run = earliest(tx.query_one(sql, args![now, IN_HAND])?)?;
    let sql = "SELECT MIN(next_at) FROM flows WHERE next_at > $1 AND active = 1 AND paused IS NULL";
    let schedule = earliest(tx.query_one(sql, args![now])?)?;
    let next = [run, schedule].into_iter().flatten().min();
    Ok(Agenda { schedules, hooks, runs, next })
}
