//! A data model that is followed: its root, its clock, and the published
//! models that stand on it.
//!
//! Everything here is synchronous and happens on one thread at a time. There
//! are two occasions to evaluate, and no third: a commit ([`Live::commit`]) and
//! an instant at which time alone changes an answer ([`Live::walk`]). Each
//! yields differences, and [`Live`] records them: closures of a bounded size,
//! each of which moves matched sets and appends the events of what starts to
//! match, on condition that nobody else has written since.
//! If the process dies between two closures, the next one loads the stored
//! sets and evaluates again at the recorded instant: what is stored already is
//! no longer in the difference, and what was appended already has its key.

mod record;
mod whole;
mod detached;

use std::collections::HashSet;
use std::sync::Arc;

use base::db::{Control, Db};
use base::{Causes, Clock, Timestamp};
use pools::{Change, DataModel};

use self::detached::Detached;
pub(crate) use self::whole::HandedIn;
use crate::Error;
use crate::clock::ProcessClock;
use crate::evaluate::Evaluator;
use crate::figures::Figures;
use crate::knowledge_model::{KnowledgeModel, Source};
use crate::log::{Applied, EventLog, Renumbering, Touched};
use crate::matched_set::Difference;
use crate::pace::Pace;
use crate::ports::{Outbox, Reason};
use crate::post::Shown;
use crate::tables::{self, Progress};
use crate::trigger::{OpenCases, Published, check_model};
use crate::views::Preview;
use crate::watch::{self, News, Watch, Which};

/// What is needed to record.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) db: Db<Control>,
    pub(crate) outbox: Arc<dyn Outbox>,
    /// The wall clock: caps and rests go by it.
    pub(crate) clock: Arc<dyn Clock>,
}

/// A data model that is followed.
pub(crate) struct Live {
    pub(crate) model: DataModel,
    pub(crate) log: Arc<EventLog>,
    pub(crate) clock: ProcessClock,
    pub(crate) models: Vec<LiveModel>,
    /// The shared figures of all its models.
    figures: Figures,
}

/// A published model that is followed.
pub(crate) struct LiveModel {
    pub(crate) id: String,
    pub(crate) published: Published,
    pub(crate) watches: Vec<Watch>,
    pub(crate) progress: Progress,
    /// How fast each trigger has been sending.
    pub(crate) paces: Vec<Pace>,
    source: Source,
    /// What publishing did to the matched sets.
    pub(crate) previews: Vec<Preview>,
    /// Why its evaluation stopped, until it has caught up.
    pub(crate) detached: Option<Detached>,
    /// A test breaks its next evaluation.
    #[cfg(test)]
    pub(crate) breaks: bool,
}

/// From so many looks at a case on, the triggers of a model look side by side:
/// below that, waking another thread takes longer than they do.
const SIDE_BY_SIDE_MIN: usize = if cfg!(test) { 1 } else { 1_000 };

/// Whether a commit could be applied in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    Yes,
    /// Load the data model anew.
    Reload,
}

impl Live {
    /// Takes over the published models of a data model and evaluates them
    /// where they stood: at the recorded instant; or, if a commit asked for it,
    /// at that one's, with what led to it.
    pub(crate) fn open(
        desk: &Desk,
        model: DataModel,
        log: EventLog,
        clock: ProcessClock,
        wall_now: Timestamp,
        arrived: Option<(Timestamp, Causes)>,
    ) -> Result<Self, Error> {
        let id = model.id;
        let texts = desk.db.read_blocking("mining.published_on", move |tx| tables::published_on(tx, id))?;
        let log = Arc::new(log);
        let mut live = Live { model, figures: Figures::new(log.clone()), log, clock, models: Vec::new() };
        let (at, news) = match arrived {
            Some((at, causes)) => (Some(at), News { causes, ..News::of(Reason::Data) }),
            None => (None, News::of(Reason::CatchUp)),
        };
        for (id, source) in texts {
            match live.take_over(desk, &id, &source, wall_now, at, &news) {
                Ok(()) => {}
                // One model that no longer fits must not hold up the others.
                Err(error @ (Error::Yaml { .. } | Error::InvalidModel { .. } | Error::InvalidModelInPlaces { .. })) => {
                    tracing::warn!(knowledge_model.id = %id, %error, "knowledge model no longer fits its data; it is not followed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(live)
    }

    /// Starts to follow a published model, in place of its version before.
    pub(crate) fn take_over(
        &mut self,
        desk: &Desk,
        id: &str,
        source: &Source,
        wall_now: Timestamp,
        at: Option<Timestamp>,
        news: &News,
    ) -> Result<(), Error> {
        let published = check_model(id, &KnowledgeModel::of(source)?, &self.model, self.log.catalog())?;
        let now = self.clock.now(wall_now);
        let (name, through) = (id.to_owned(), self.log.number);
        let noted = published.noted();
        let (progress, states) = desk.db.write_blocking("mining.take_over", move |tx| {
            let progress = tables::take_over(tx, &name, through, now)?;
            // Another version of the data model may have changed what they mean.
            tables::put_triggers(tx, &name, &noted, (now, wall_now))?;
            let mut states = Vec::new();
            for trigger in &noted {
                let (silent, _) = tables::trigger(tx, &name, &trigger.id)?;
                let (from, until) = tables::held(tx, &name, &trigger.id)?;
                states.push((silent, tables::stored(tx, &name, &trigger.id)?, Pace::new(from, until)));
            }
            Ok::<_, Error>((progress, states))
        })?;
        let watches = published.triggers.iter().zip(states);
        let (figures, log) = (&mut self.figures, &self.log);
        let mut paces = Vec::new();
        let watches = watches.map(|(trigger, (silent, stored, pace))| {
            paces.push(pace);
            Watch::new(trigger.clone(), figures, log.clone(), stored, silent)
        });
        let watches = watches.collect();
        self.models.retain(|model| model.id != id);
        self.models.push(LiveModel {
            id: id.to_owned(),
            published,
            watches,
            progress,
            paces,
            source: source.clone(),
            previews: Vec::new(),
            detached: None,
            #[cfg(test)]
            breaks: false,
        });
        self.models.sort_by(|one, other| one.id.cmp(&other.id));
        let watches = self.models.iter().flat_map(|model| &model.watches);
        self.figures.keep_only(watches.map(Watch::links));
        let place = self.models.iter().position(|model| model.id == id).expect("it was just put there");
        let model = &self.models[place];
        let all_silent = model.watches.iter().all(|watch| watch.silent);
        // What time alone has changed since the last evaluation fires at its
        // own instant, unless all that matches now is only to be noted.
        let instant = at.unwrap_or(if all_silent { now.max(progress.at) } else { progress.at });
        // A replay that was set back while nobody followed starts from there,
        // silently.
        let set_back = matches!(self.clock, ProcessClock::Replay { .. }) && now < instant;
        let instant = if set_back { now } else { instant };
        if set_back {
            self.models[place].hush();
            let news = News { reason: Reason::SetBack, ..news.clone() };
            return self.look(desk, place, instant, |watch, _| watch.at_the_beginning(&news), true, &news);
        }
        self.look(desk, place, instant, |watch, _| watch.at_the_beginning(news), true, news)
    }

    /// Applies a commit and evaluates what it touched, at the clock's time.
    pub(crate) fn commit(&mut self, desk: &Desk, change: &Change, wall_now: Timestamp) -> Result<Followed, Error> {
        self.walk(desk, self.clock.now(wall_now))?;
        if let Some(folded) = self.log.folded_meanwhile() {
            self.stand_on(Arc::new(folded));
        }
        let mut root = (*self.log).clone();
        let touched = match root.apply(change) {
            Applied::Touched(touched) => touched,
            Applied::Reload => return Ok(Followed::Reload),
        };
        self.log = Arc::new(root);
        if !touched.any {
            return Ok(Followed::Yes);
        }
        let now = self.clock.now(wall_now);
        self.figures.follow(&self.log, &touched);
        let log = self.log.clone();
        let late = late_cases(&log, &touched);
        let news = News { late, touched: touched.cases.len(), causes: change.causes.clone(), ..News::of(Reason::Data) };
        for place in 0..self.models.len() {
            let instant = now.max(self.models[place].progress.at);
            let at = instant.as_millis();
            let after = |watch: &mut Watch, figures: &Figures| {
                let which = watch.after_commit(&log, &touched, figures, at);
                watch.stale_by(&news);
                Some(which)
            };
            self.attend(desk, place, instant, after, true, &news)?;
        }
        Ok(Followed::Yes)
    }

    /// Moves to a root that says the same with other row numbers, with all that
    /// stand on the one before.
    fn stand_on(&mut self, folded: Arc<EventLog>) {
        let before = std::mem::replace(&mut self.log, folded.clone());
        let rows = Renumbering::new(&before, &folded);
        self.figures.stand_on(folded.clone(), &rows);
        for watch in self.models.iter_mut().flat_map(|model| &mut model.watches) {
            watch.stand_on(folded.clone(), &rows);
        }
    }

    /// Folds the log now, or begins to in the background.
    #[cfg(test)]
    pub(crate) fn fold(&mut self, now: bool) {
        if now {
            self.stand_on(Arc::new(self.log.folded()));
        } else {
            Arc::make_mut(&mut self.log).begin_fold();
        }
    }

    /// Does what need not be done at a commit: sends what was held, and lets
    /// models that were detached catch up.
    pub(crate) fn settle(&mut self, desk: &Desk) -> Result<(), Error> {
        for place in 0..self.models.len() {
            let wall = desk.clock.now();
            let now = self.clock.now(wall).max(self.models[place].progress.at);
            if let Some(detached) = self.models[place].detached.clone() {
                if detached.again_at <= wall {
                    self.catch_up(desk, place, wall, detached)?;
                }
                continue;
            }
            if self.models[place].has_room(wall) {
                self.attend(desk, place, now, |_, _| None, true, &News::of(Reason::Data))?;
            }
        }
        Ok(())
    }

    /// Returns when there is something to settle next, on the wall clock.
    pub(crate) fn next_errand(&self, wall: Timestamp) -> Option<Timestamp> {
        let of_model = |model: &LiveModel| {
            if let Some(detached) = &model.detached {
                return Some(detached.again_at);
            }
            let held = model.paces.iter().zip(&model.watches);
            held.filter_map(|(pace, watch)| pace.next(&watch.trigger.wishes.caps, wall)).min()
        };
        self.models.iter().filter_map(of_model).min()
    }

    /// Evaluates every deadline up to an instant, each at its own.
    pub(crate) fn walk(&mut self, desk: &Desk, until: Timestamp) -> Result<(), Error> {
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            for place in 0..self.models.len() {
                let instant = next.max(self.models[place].progress.at);
                let due = |watch: &mut Watch, _: &Figures| watch.due(instant.as_millis());
                self.attend(desk, place, instant, due, false, &News::of(Reason::Time))?;
            }
        }
        Ok(())
    }

    /// Returns the next instant at which time alone may change an answer.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let followed = self.models.iter().filter(|model| model.detached.is_none());
        let watches = followed.flat_map(|model| &model.watches);
        watches.filter_map(Watch::next_deadline).min().map(Timestamp::from_millis)
    }

    /// Starts from an earlier time: what matches then is known, nothing fires.
    pub(crate) fn set_back(&mut self, desk: &Desk, now: Timestamp) -> Result<(), Error> {
        for place in 0..self.models.len() {
            self.models[place].hush();
            let all = |watch: &mut Watch, _: &Figures| {
                watch.forget_survey();
                Some(Which::All)
            };
            self.attend(desk, place, now, all, true, &News::of(Reason::SetBack))?;
        }
        Ok(())
    }

    /// Returns what makes a case open, if a model says so.
    pub(crate) fn open_cases(&self) -> Option<Arc<OpenCases>> {
        self.models.iter().find_map(|model| model.published.open.clone())
    }

    /// Evaluates a model at an instant and records by how much it differs.
    fn look(
        &mut self,
        desk: &Desk,
        place: usize,
        instant: Timestamp,
        which: impl Fn(&mut Watch, &Figures) -> Option<Which> + Sync,
        always: bool,
        news: &News,
    ) -> Result<(), Error> {
        let side_by_side = news.touched * self.models[place].watches.len() >= SIDE_BY_SIDE_MIN;
        let through = self.log.number;
        let model = &mut self.models[place];
        #[cfg(test)]
        assert!(!std::mem::take(&mut model.breaks), "a test broke it");
        let figures = &self.figures;
        let looks = |watch: &mut Watch| {
            let looked = which(watch, figures);
            let looked = looked.map(|which| watch.advance(&which, instant.as_millis(), figures, news));
            let difference = looked.unwrap_or_default();
            (watch.told_of(&difference), difference)
        };
        let (previews, differences): (Vec<_>, Vec<_>) = if side_by_side {
            watch::side_by_side(&mut model.watches, looks).into_iter().unzip()
        } else {
            model.watches.iter_mut().map(looks).unzip()
        };
        if news.reason == Reason::LogicChange {
            model.previews = previews;
        }
        let items: usize = differences.iter().map(Difference::len).sum();
        if items > 0 || always {
            model.record(desk, &differences, through, instant, news)?;
        }
        Ok(())
    }
}

impl LiveModel {
    /// Tells how many cases each trigger looked at since the model is followed.
    #[cfg(test)]
    pub(crate) fn looked_at(&self) -> impl Iterator<Item = (String, u64)> {
        self.watches.iter().map(|watch| (format!("{}/{}", self.id, watch.trigger.id), watch.looked_at))
    }

    /// Tells whether something that is held may be sent now.
    fn has_room(&self, wall: Timestamp) -> bool {
        let mut held = self.paces.iter().zip(&self.watches);
        held.any(|(pace, watch)| pace.has_room(&watch.trigger.wishes.caps, wall))
    }

    fn hush(&mut self) {
        for watch in &mut self.watches {
            watch.silent = true;
        }
    }
}

/// Lists the cases of which a commit told something earlier than was known.
fn late_cases(log: &EventLog, touched: &Touched) -> HashSet<u32> {
    let table = log.catalog().roles.activity_table;
    let mut late = HashSet::new();
    for (_, row) in touched.rows.iter().filter(|(changed, _)| *changed == table) {
        let Some(case) = log.case_of(table, *row) else { continue };
        let is_new = |row: u32| touched.rows.contains(&(table, row));
        if log.events(case).iter().rev().skip_while(|row| is_new(*row)).any(is_new) {
            late.insert(case);
        }
    }
    late
}

/// Counts the cases that are open; every case is, if no model says otherwise.
pub(crate) fn open_cases(shown: &Shown, wall_now: Timestamp) -> u64 {
    let Some(open) = &shown.open else {
        return shown.root.table(shown.root.catalog().roles.case_table).len() as u64;
    };
    let now = shown.clock.now(wall_now).as_millis();
    let evaluator = Evaluator::new(shown.root.clone(), open.program.clone(), now);
    evaluator.everything(|scope| {
        let selected = scope.selected(open.selection.target, &open.selection.conditions);
        selected.into_iter().filter(|selected| *selected).count() as u64
    })
}
