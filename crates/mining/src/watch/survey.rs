//! Surveys: a look at everything by a trigger that cannot be followed row by
//! row, on a root of its own, while commits go on.
//!
//! A survey takes the trigger's members along as they stood when it began and
//! comes back with others, and by how much they differ from what is stored.
//! Whether that is still wanted is told by its ticket: a watch that was made
//! anew or has looked for itself meanwhile waits for another one, or for none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;

use super::{News, Watch, Which};
use crate::figures::Figures;
use crate::log::EventLog;
use crate::matched_set::Difference;
use crate::ports::Reason;

/// Tells surveys apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<()>);

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What went wrong with the last survey.
#[derive(Debug)]
pub(crate) struct SurveyFault {
    pub(crate) detail: String,
    rest: Duration,
}

/// How long a trigger rests whose survey failed once.
const REST: Duration = Duration::from_secs(1);

/// The longest such rest.
const REST_MAX: Duration = Duration::from_mins(5);

/// A look at everything that was not taken yet.
pub(crate) struct Survey {
    pub(crate) ticket: Ticket,
    /// The trigger as it stood, on its own root.
    watch: Watch,
    figures: Figures,
    /// The instant that it is taken at, on the process clock.
    at: Timestamp,
    news: News,
    /// When it began, on the wall clock.
    pub(crate) began: Timestamp,
}

/// What a survey found, as far as it was not recorded yet.
pub(crate) struct Surveyed {
    pub(crate) ticket: Ticket,
    pub(crate) at: Timestamp,
    pub(crate) news: News,
    pub(crate) began: Timestamp,
    /// The trigger as it stands now; nothing once its members were handed over.
    watch: Option<Watch>,
    /// Parts of the difference, each for one closure.
    pub(crate) parts: VecDeque<Difference>,
    /// Signals that were sent for it.
    pub(crate) sent: u64,
}

impl Survey {
    /// Looks, and decides by how much the members differ from what is stored.
    pub(crate) fn take(self) -> Surveyed {
        let Survey { ticket, mut watch, figures, at, news, began } = self;
        let difference = watch.advance(&Which::All, at.as_millis(), &figures, &news);
        let parts = difference.in_parts();
        Surveyed { ticket, at, news, began, watch: Some(watch), parts, sent: 0 }
    }
}

impl Watch {
    /// Tells whether it is time to look at everything.
    pub(crate) fn wants_survey(&self, wall: Timestamp) -> bool {
        self.stale.is_some() && self.rests_until <= wall && self.surveyed_by.is_none()
    }

    /// Lets what changes from here on make it stale anew, and everything as it
    /// stands now be looked at elsewhere.
    pub(crate) fn begin_survey(&mut self, log: &Arc<EventLog>, at: Timestamp, began: Timestamp) -> Option<Survey> {
        let news = self.stale.take()?;
        let ticket = Ticket::default();
        self.surveyed_by = Some(ticket.clone());
        let mut figures = Figures::new(log.clone());
        let mut watch =
            Watch::new(self.trigger.clone(), &mut figures, log.clone(), std::iter::empty().collect(), false);
        debug_assert!(self.trigger.reach.whole, "others are followed row by row");
        watch.members = self.members.clone();
        watch.deadlines.all = self.deadlines.all;
        Some(Survey { ticket, watch, figures, at, news, began })
    }

    /// Tells whether it waits for a survey that goes on.
    pub(crate) fn is_surveyed(&self) -> bool {
        self.surveyed_by.is_some()
    }

    /// Tells whether it waits for this survey.
    pub(crate) fn waits_for(&self, ticket: &Ticket) -> bool {
        self.surveyed_by.as_ref() == Some(ticket)
    }

    /// Takes over what a survey found; nothing of it is stored yet.
    pub(crate) fn take_back(&mut self, surveyed: &mut Surveyed) {
        let Some(watch) = surveyed.watch.take() else { return };
        self.members = watch.members;
        self.detected = watch.detected;
        self.deadlines.all = watch.deadlines.all;
        #[cfg(test)]
        {
            self.looked_at += watch.looked_at;
        }
    }

    /// Rests after a survey.
    pub(crate) fn end_survey(&mut self, rests_until: Timestamp) {
        self.surveyed_by = None;
        self.survey_fault = None;
        self.rests_until = rests_until;
    }

    /// Rests after a survey that failed, longer each time, and stays stale.
    pub(crate) fn fail_survey(&mut self, detail: String, wall: Timestamp) {
        let rest = self.survey_fault.as_ref().map_or(REST, |fault| (fault.rest * 2).min(REST_MAX));
        self.surveyed_by = None;
        self.survey_fault = Some(SurveyFault { detail, rest });
        self.rests_until = wall.plus(rest);
        self.stale.get_or_insert_with(|| News::of(Reason::CatchUp));
    }

    /// Waits for no survey any more: it looks for itself.
    pub(crate) fn forget_survey(&mut self) {
        self.surveyed_by = None;
        self.stale = None;
    }

    /// Takes note of what led to the rows that have made it stale.
    pub(crate) fn stale_by(&mut self, news: &News) {
        if let Some(stale) = &mut self.stale {
            stale.led_to_also_by(&news.causes);
        }
    }
}
