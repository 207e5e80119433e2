//! Models whose evaluation failed: each stops alone, and catches up later.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use base::Timestamp;

use super::{Desk, Live};
use crate::Error;
use crate::figures::Figures;
use crate::ports::Reason;
use crate::watch::{News, SurveyFault, Watch, Which};

/// A model whose evaluation failed; the others on its data model go on.
#[derive(Clone, Debug)]
pub(crate) struct Detached {
    pub(crate) detail: String,
    /// When it is tried again, on the wall clock.
    pub(crate) again_at: Timestamp,
    rest: Duration,
}

/// How long a model rests whose evaluation failed once.
const REST: Duration = Duration::from_secs(1);

/// The longest rest.
const REST_MAX: Duration = Duration::from_mins(5);

impl Live {
    /// Lists the models whose evaluation failed, or that of a trigger that is
    /// evaluated whole, each with why.
    pub(crate) fn detached(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for model in &self.models {
            found.extend(model.detached.as_ref().map(|detached| (model.id.clone(), detached.detail.clone())));
            for watch in &model.watches {
                let told = |fault: &SurveyFault| format!("trigger \"{}\": {}", watch.trigger.id, fault.detail);
                found.extend(watch.survey_fault.as_ref().map(|fault| (model.id.clone(), told(fault))));
            }
        }
        found
    }

    /// Takes over a model that has rested, at one instant for all that it missed.
    pub(super) fn catch_up(
        &mut self,
        desk: &Desk,
        place: usize,
        wall: Timestamp,
        detached: Detached,
    ) -> Result<(), Error> {
        let (id, source) = (self.models[place].id.clone(), self.models[place].source.clone());
        let at = self.clock.now(wall).max(self.models[place].progress.at);
        let again = panic::catch_unwind(AssertUnwindSafe(|| {
            self.take_over(desk, &id, &source, wall, Some(at), &News::of(Reason::CatchUp))
        }));
        match again {
            Ok(result) => {
                result?;
                tracing::info!(knowledge_model.id = %id, "knowledge model caught up and is followed again");
            }
            Err(panic) => {
                let rest = (detached.rest * 2).min(REST_MAX);
                let place = self.models.iter().position(|model| model.id == id);
                if let Some(place) = place {
                    self.detach(place, &*panic, wall, rest);
                }
            }
        }
        Ok(())
    }

    /// Evaluates a model; if that panics, only this model stops.
    pub(super) fn attend(
        &mut self,
        desk: &Desk,
        place: usize,
        instant: Timestamp,
        which: impl Fn(&mut Watch, &Figures) -> Option<Which> + Sync,
        always: bool,
        news: &News,
    ) -> Result<(), Error> {
        if self.models[place].detached.is_some() {
            return Ok(());
        }
        let look = AssertUnwindSafe(|| self.look(desk, place, instant, which, always, news));
        match panic::catch_unwind(look) {
            Ok(result) => result,
            Err(panic) => {
                self.detach(place, &*panic, desk.clock.now(), REST);
                Ok(())
            }
        }
    }

    fn detach(&mut self, place: usize, panic: &(dyn Any + Send), wall: Timestamp, rest: Duration) {
        let model = &mut self.models[place];
        let detail = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let detail = detail.or_else(|| panic.downcast_ref::<String>().cloned());
        let detail = detail.unwrap_or_else(|| "it panicked without a word".to_owned());
        tracing::error!(
            knowledge_model.id = %model.id, %detail, ?rest,
            "the evaluation of a knowledge model failed; the others go on, and it catches up later"
        );
        model.detached = Some(Detached { detail, again_at: wall.plus(rest), rest });
    }
}
