//! The history of a run, recomputed: another machine is led through the
//! journal and records what the first one only counted.

use std::collections::VecDeque;
use std::sync::Arc;

use base::Timestamp;
use serde_json::{Value as Json, json};

use super::advance::Walked;
use super::load::{Obstacle, machine_of};
use crate::engine::Place;
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::Settled;
use crate::run::{Choice, InFlight, Operation, RunDetails, RunId, RunState, goes_on};
use crate::tables::{self, JournalRow, RunRow};

/// Operations of all runs together that are kept after they were recomputed.
const KEPT_MAX: usize = 50_000;

/// What is recomputed of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recomputed {
    operations: Arc<Vec<Operation>>,
    choices: Arc<Vec<Choice>>,
    /// What came of the effect in flight after the run was cancelled.
    late: Option<Operation>,
    /// Why the operations are not all there.
    note: Option<String>,
}

/// A run that has ended, and whether something came late.
type Ended = (RunId, bool);

/// The runs that were looked at last, the latest behind.
#[derive(Debug, Default)]
pub(crate) struct LookedAt(VecDeque<(Ended, Recomputed)>);

impl LookedAt {
    fn get(&mut self, key: Ended) -> Option<Recomputed> {
        let place = self.0.iter().position(|(kept, _)| *kept == key)?;
        let found = self.0.remove(place)?;
        let recomputed = found.1.clone();
        self.0.push_back(found);
        Some(recomputed)
    }

    fn keep(&mut self, key: Ended, recomputed: Recomputed) {
        self.0.retain(|(kept, _)| *kept != key);
        self.0.push_back((key, recomputed));
        let mut sum: usize = self.0.iter().map(|(_, one)| one.operations.len()).sum();
        while sum > KEPT_MAX
            && let Some((_, oldest)) = self.0.pop_front()
        {
            sum -= oldest.operations.len();
        }
    }
}

impl Flows {
    /// Returns a run with its operations. Those of a run that has not ended are
    /// the ones up to the effect in flight.
    pub async fn run_details(&self, id: RunId) -> Result<RunDetails, Error> {
        let (row, journal, stored, late) = self
            .db
            .read("flows.run_details", move |tx| {
                let row = tables::run(tx, id)?.ok_or(Error::UnknownRun { id })?;
                Ok::<_, Error>((row, tables::journal(tx, id)?, tables::operations(tx, id)?, tables::late(tx, id)?))
            })
            .await?;
        let in_flight = row.asked.as_ref().filter(|_| row.info.state != RunState::Ended).map(|asked| InFlight {
            module: asked.module,
            path: asked.path.clone(),
            since: asked.at,
            attempt: asked.attempt,
        });
        let mut input: Vec<Json> = serde_json::from_str(&row.input).unwrap_or_default();
        if goes_on(&row.info.started_by) {
            let place = input.first().and_then(Place::from_stored);
            let program = self.program(&row.info.version).await.ok();
            // A place holds what no history shows.
            input = place.zip(program).map(|(place, program)| Json::Object(place.told(&program))).into_iter().collect();
        }
        // What cannot be read any more cannot say that it may be shown.
        if self.program(&row.info.version).await.map_or(true, |program| program.is_confidential) {
            input.clear();
        }
        let is_stored = (row.info.operations == 0 && late.is_none()) || !stored.is_empty();
        let recomputed = if is_stored {
            Recomputed { operations: Arc::new(self.shown(stored)), ..Recomputed::default() }
        } else {
            self.recomputed(id, &row, journal, late).await?
        };
        let Recomputed { operations, choices, late, note } = recomputed;
        Ok(RunDetails { info: row.info, input, causes: row.causes, operations, choices, in_flight, late, note })
    }

    /// Returns what is recomputed of a run. Of one that has ended nothing
    /// changes any more, so it is kept for those who look at it piece by piece.
    async fn recomputed(
        &self,
        id: RunId,
        row: &RunRow,
        journal: Vec<JournalRow>,
        late: Option<(Timestamp, String)>,
    ) -> Result<Recomputed, Error> {
        if row.info.state != RunState::Ended {
            return self.recompute(id, row, journal, late).await;
        }
        let key = (id, late.is_some());
        if let Some(kept) = self.recomputed.lock().get(key) {
            return Ok(kept);
        }
        let recomputed = self.recompute(id, row, journal, late).await?;
        self.recomputed.lock().keep(key, recomputed.clone());
        Ok(recomputed)
    }

    async fn recompute(
        &self,
        id: RunId,
        row: &RunRow,
        journal: Vec<JournalRow>,
        late: Option<(Timestamp, String)>,
    ) -> Result<Recomputed, Error> {
        let program = match self.program(&row.info.version).await {
            Err(Error::BadDocument { detail, .. }) => {
                let note = Some(format!("the flow's text can no longer be read: {detail}"));
                return Ok(Recomputed { note, ..Recomputed::default() });
            }
            program => program?,
        };
        let mut note = None;
        let mut machine = machine_of(&program, id, row, self.options.operations_kept_max);
        let mut is_settled = false;
        match self.replay(&mut machine, journal).await {
            Err(Obstacle::Hold(_, why)) => note = Some(why),
            Err(Obstacle::Later(error)) => return Err(error),
            Err(Obstacle::NotLive) => {}
            Ok(()) => {
                let recorded = row.info.operations;
                match self.walk_at_most(&mut machine, recorded).await {
                    Some(Walked::End(_)) if machine.operation_count() != recorded => {
                        let count = machine.operation_count();
                        note = Some(format!("the run had {recorded} operations, and this program comes to {count}"));
                    }
                    // The next operation is the one that ends with it.
                    Some(Walked::Effect(_)) => {
                        if let Some((at, settled)) = late.and_then(read_late) {
                            machine.settle(settled, at);
                            is_settled = true;
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut operations = machine.take_operations();
        let more = operations.iter().position(|operation| operation.number > row.info.operations);
        let more = more.map(|place| operations.split_off(place)).unwrap_or_default();
        let arrived_late = more.into_iter().next().filter(|_| is_settled);
        let mut choices = machine.take_choices();
        choices.retain(|choice| choice.after <= row.info.operations);
        let late = self.shown(arrived_late.into_iter().collect()).pop();
        Ok(Recomputed { operations: Arc::new(self.shown(operations)), choices: Arc::new(choices), late, note })
    }

    /// Returns the place in a run from which one of its operations began. The
    /// error says why it cannot be had any more.
    pub(crate) async fn place_of(&self, id: RunId, operation: &Operation) -> Result<Place, Error> {
        let lost = |detail: String| Error::NotReplayable { id, detail };
        let (row, journal) = self.read_run(id).await?;
        let row = row.ok_or(Error::UnknownRun { id })?;
        let program = self.program(&row.info.version).await?;
        let mut machine = machine_of(&program, id, &row, 0);
        machine.seek(operation.module, &operation.path);
        match self.replay(&mut machine, journal).await {
            Err(Obstacle::Hold(_, why)) if machine.sought().is_none() => return Err(lost(why)),
            Err(Obstacle::Later(error)) => return Err(error),
            _ => {}
        }
        if machine.sought().is_none() {
            self.walk_at_most(&mut machine, row.info.operations).await;
        }
        let nothing = || lost(format!("operation {} is no longer to be found in it", operation.number));
        machine.sought().ok_or_else(nothing)
    }

    /// Cuts what is shown of operations to size.
    pub(super) fn shown(&self, mut operations: Vec<Operation>) -> Vec<Operation> {
        let fits = |value: &Json| value.to_string().len() <= self.options.capture_bytes_max;
        let left_out = || json!("(left out: too long)");
        for operation in &mut operations {
            if !fits(&operation.input) {
                operation.input = left_out();
            }
            if !fits(&Json::from(operation.output.clone())) {
                operation.output = vec![left_out()];
            }
        }
        operations
    }
}

fn read_late((at, result): (Timestamp, String)) -> Option<(Timestamp, Settled)> {
    let settled = serde_json::from_str(&result).ok().and_then(Settled::from_stored)?;
    Some((at, settled))
}
