//! The SQL of this crate: plain functions over a transaction.

mod flows;
mod hooks;
mod runs;

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::run::RunId;

use flows::{FLOW_COLUMNS, flow_row};

pub(crate) use flows::{
    FlowRow, add_return, add_version, connection, connections, delete_connection, flow, flows, forget_returns,
    move_schedule, pause, put_connection, put_draft, put_text, returns, set_active, set_told, set_variables, text,
    untold,
};
pub(crate) use hooks::{Item, add_item, has_item, make_hook, take_items, waiting, waiting_items};
pub(crate) use runs::{
    Asked, Barrier, NewRun, Then, abandon, counts, has_open_run, insert_run, insert_unstarted, journal, operations,
    record, release, run, runs, set_begun,
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
    let runs = tx.query(sql, args![now, runs_max])?.iter().map(|row| row.get(0)).collect::<Result<Vec<_>, _>>()?;
    let earliest = |row: Option<Row>| row.map_or(Ok(None), |row| row.get::<Option<Timestamp>>(0));
    let sql = "SELECT MIN(wakes_at) FROM runs WHERE state = 'live' AND wakes_at > $1";
    let run = earliest(tx.query_one(sql, args![now])?)?;
    let sql = "SELECT MIN(next_at) FROM flows WHERE next_at > $1 AND active = 1 AND paused IS NULL";
    let schedule = earliest(tx.query_one(sql, args![now])?)?;
    let next = [run, schedule].into_iter().flatten().min();
    Ok(Agenda { schedules, hooks, runs, next })
}
