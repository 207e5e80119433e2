//! A run taken up from its row: the machine is led through what the journal
//! holds, up to the effect that is in flight.
//!
//! A run whose text or data makes the whole program die would be taken up
//! again at each start, and the program would never come up. So a run that was
//! in hand when the program died several times is a *suspect*: its row says
//! when a step of it is computed, and if the program dies several times in
//! such steps the run is parked. One that only waits for an answer meanwhile is
//! never parked, however often the program is killed.

use std::sync::Arc;

use base::db::Tx;
use serde_json::Value as Json;

use super::advance::{Held, InFlight, Whose};
use crate::engine::{Facts, Intent, Machine};
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::Settled;
use crate::program::Program;
use crate::run::{RunId, RunState};
use crate::tables::{self, JournalRow, RunRow};
use crate::value::Value;
use crate::work::advance::Walked;

/// What a death counts in the midst of a step; one in between counts 1.
const COMPUTING: u32 = 1_000;

/// What is stored of a run, if there is one: its row, and what came of its effects.
pub(super) type Rows = (Option<RunRow>, Vec<JournalRow>);

/// What keeps a run from being taken up.
pub(super) enum Obstacle {
    /// It has ended or is held.
    NotLive,
    /// A person decides.
    Hold(RunState, String),
    /// Nothing can be said now.
    Later(Error),
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Obstacle::Later(error)
    }
}

impl From<base::db::Error> for Obstacle {
    fn from(error: base::db::Error) -> Self {
        Obstacle::Later(error.into())
    }
}

impl Flows {
    /// Reads what is stored of a run.
    pub(super) async fn read_run(&self, run: RunId) -> Result<Rows, base::db::Error> {
        self.db.read("flows.load", move |tx| rows(tx, run)).await
    }

    /// Reads what is stored of some runs that are in hand. Where that does not
    /// work out, each is left to be read alone.
    pub(super) async fn read_runs(&self, runs: Vec<RunId>) -> Vec<(RunId, Option<Rows>)> {
        if runs.is_empty() {
            return Vec::new();
        }
        let asked = runs.clone();
        let read = move |tx: &mut dyn Tx| {
            asked.iter().map(|run| Ok((*run, Some(rows(tx, *run)?)))).collect::<Result<Vec<_>, base::db::Error>>()
        };
        match self.db.read("flows.load_some", read).await {
            Ok(read) => read,
            Err(_) => runs.into_iter().map(|run| (run, None)).collect(),
        }
    }

    /// Replays a run from its journal up to the effect that is in flight.
    pub(super) async fn load(&self, run: RunId, (row, journal): Rows) -> Result<Held, Obstacle> {
        let Some(row) = row.filter(|row| row.info.state == RunState::Live) else { return Err(Obstacle::NotLive) };
        if row.deaths / COMPUTING >= self.options.deaths_max {
            let text = "the program died several times while it worked on this run, the last time while it computed a \
                        step of it";
            return Err(Obstacle::Hold(RunState::Parked, text.into()));
        }
        let program = match self.program(&row.info.version).await {
            Ok(program) => program,
            Err(Error::BadDocument { detail, .. }) => return Err(changed(&detail)),
            Err(error) => return Err(error.into()),
        };
        let is_suspect = row.deaths >= self.options.deaths_max;
        let suspect = is_suspect.then_some(row.deaths);
        if let Some(deaths) = suspect {
            self.suspect_computes(run, deaths).await?;
        }
        // Of a confidential run nothing is kept from which it could be recomputed.
        let recorded_max = if program.is_confidential { self.options.operations_kept_max } else { 0 };
        let mut machine = machine_of(&program, run, &row, recorded_max);
        self.replay(&mut machine, journal).await?;
        let mut asked = None;
        if let Some(effect) = &row.asked {
            let Walked::Effect(intent) = self.walk(&mut machine).await else {
                return Err(changed("the run would be through by now"));
            };
            same_effect(&intent, (effect.number, effect.module, &effect.path))?;
            if !effect.begun {
                self.set_begun(run, &intent, true, None).await?;
            } else if !effect.safe {
                let text = format!("module {} may have sent its request at {}", intent.module, effect.at);
                return Err(Obstacle::Hold(RunState::InDoubt, text));
            }
            let at = row.info.wakes_at.unwrap_or(effect.at);
            asked = Some(InFlight { intent, attempt: effect.attempt, asked_at: effect.at, at });
            // What failed before this intent was recorded with it.
            machine.take_incomplete();
            // Whoever waited for an answer was told at that barrier, or is gone.
            machine.take_responses();
        }
        if let Some(deaths) = suspect {
            self.set_deaths(run, deaths).await?;
        }
        let whose = Whose { flow: row.info.flow, started_by: row.info.started_by };
        Ok(Held::new(run, whose, machine, program, asked, row.causes, suspect))
    }

    /// Leads a machine through what came of the effects of its run.
    pub(super) async fn replay(&self, machine: &mut Machine, journal: Vec<JournalRow>) -> Result<(), Obstacle> {
        for effect in journal {
            let Walked::Effect(intent) = self.walk(machine).await else {
                return Err(changed("the run would be through by now"));
            };
            same_effect(&intent, (effect.number, effect.module, &effect.path))?;
            let settled = serde_json::from_str(&effect.result).ok().and_then(Settled::from_stored);
            let Some(settled) = settled else { return Err(changed("a recorded result cannot be read")) };
            machine.settle(settled, effect.settled_at);
        }
        Ok(())
    }

    /// Marks a suspect: a step of it is computed from here on.
    pub(super) async fn suspect_computes(&self, run: RunId, deaths: u32) -> Result<(), Error> {
        self.set_deaths(run, deaths + COMPUTING).await
    }

    async fn set_deaths(&self, run: RunId, deaths: u32) -> Result<(), Error> {
        Ok(self.db.write("flows.set_deaths", move |tx| tables::set_deaths(tx, run, deaths)).await?)
    }
}

fn rows(tx: &mut dyn Tx, run: RunId) -> Result<Rows, base::db::Error> {
    Ok((tables::run(tx, run)?, tables::journal(tx, run)?))
}

/// Makes the machine of a run as it was at its beginning.
pub(super) fn machine_of(program: &Arc<Program>, run: RunId, row: &RunRow, recorded_max: u64) -> Machine {
    let parse = |text: &str| Value::from_json(serde_json::from_str(text).unwrap_or(Json::Null));
    let bundles = match parse(&row.input) {
        Value::Array(bundles) => bundles.to_vec(),
        _ => Vec::new(),
    };
    let facts = Facts {
        run,
        flow: row.info.flow.clone(),
        name: program.name.clone(),
        variables: parse(&row.variables),
        seed: row.seed,
    };
    Machine::of_run(program.clone(), facts, &row.info.started_by, bundles, row.info.started_at, recorded_max)
}

fn same_effect(intent: &Intent, (number, module, path): (u64, u32, &str)) -> Result<(), Obstacle> {
    if (intent.number, intent.module, &*intent.path) == (number, module, path) {
        return Ok(());
    }
    Err(changed(&format!("module {} would run where module {module} ran", intent.module)))
}

fn changed(detail: &str) -> Obstacle {
    Obstacle::Hold(RunState::Parked, format!("changed by upgrade: {detail}"))
}
