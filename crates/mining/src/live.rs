//! A data model that is followed: its root, its clock, and the published
//! models that stand on it.
//!
//! Everything here is synchronous and happens on one thread at a time. There
//! are two occasions to evaluate, and no third: a commit ([`Live::commit`]) and
//! an instant at which time alone changes an answer ([`Live::walk`]). Each
//! yields differences, and [`Live`] records them: closures of at most
//! [`ITEMS_MAX`] items, each of which moves matched sets and appends the events
//! of what starts to match, on condition that nobody else has written since.
//! If the process dies between two closures, the next one loads the stored
//! sets and evaluates again at the recorded instant: what is stored already is
//! no longer in the difference, and what was appended already has its key.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use base::db::{Control, Db};
use pools::{Change, DataModel};

use crate::clock::ProcessClock;
use crate::evaluate::Evaluator;
use crate::knowledge_model::KnowledgeModel;
use crate::log::{Applied, EventLog};
use crate::matched_set::{Difference, Enter, signal};
use crate::ports::Outbox;
use crate::post::Shown;
use crate::tables::{self, Progress};
use crate::trigger::{OpenCases, Published, check_model};
use crate::watch::{Watch, Which};
use crate::{Error, Signal};

/// Items that one closure moves at most.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// What is needed to record.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) db: Db<Control>,
    pub(crate) outbox: Arc<dyn Outbox>,
}

/// A data model that is followed.
pub(crate) struct Live {
    pub(crate) model: DataModel,
    pub(crate) log: Arc<EventLog>,
    pub(crate) clock: ProcessClock,
    pub(crate) models: Vec<LiveModel>,
}

/// A published model that is followed.
pub(crate) struct LiveModel {
    pub(crate) id: String,
    pub(crate) published: Published,
    pub(crate) watches: Vec<Watch>,
    progress: Progress,
}

/// Whether a commit could be applied in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    Yes,
    /// Load the data model anew.
    Reload,
}

impl Live {
    /// Takes over the published models of a data model and evaluates them
    /// where they stood: at the recorded instant, or at `at`.
    pub(crate) fn open(
        desk: &Desk,
        model: DataModel,
        log: EventLog,
        clock: ProcessClock,
        wall_now: Timestamp,
        at: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let id = model.id;
        let texts = desk.db.read_blocking("mining.published_on", move |tx| tables::published_on(tx, id))?;
        let mut live = Live { model, log: Arc::new(log), clock, models: Vec::new() };
        for (id, text) in texts {
            match live.take_over(desk, &id, &text, wall_now, at) {
                Ok(()) => {}
                // One model that no longer fits must not hold up the others.
                Err(error @ (Error::Yaml { .. } | Error::InvalidModel { .. })) => {
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
        text: &str,
        wall_now: Timestamp,
        at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let published = check_model(id, &KnowledgeModel::parse(text)?, &self.model, self.log.catalog())?;
        self.models.retain(|model| model.id != id);
        let now = self.clock.now(wall_now);
        let (name, through) = (id.to_owned(), self.log.number);
        let noted = published.noted();
        let (progress, states) = desk.db.write_blocking("mining.take_over", move |tx| {
            let progress = tables::take_over(tx, &name, through, now)?;
            // Another version of the data model may have changed what they mean.
            tables::put_triggers(tx, &name, &noted)?;
            let mut states = Vec::new();
            for (trigger, _, _) in &noted {
                let (silent, _) = tables::trigger(tx, &name, trigger)?;
                states.push((silent, tables::stored(tx, &name, trigger)?));
            }
            Ok::<_, Error>((progress, states))
        })?;
        let watches = published.triggers.iter().zip(states);
        let watches =
            watches.map(|(trigger, (silent, stored))| Watch::new(trigger.clone(), self.log.clone(), stored, silent));
        let watches = watches.collect();
        self.models.push(LiveModel { id: id.to_owned(), published, watches, progress });
        self.models.sort_by(|one, other| one.id.cmp(&other.id));
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
        }
        self.look(desk, place, instant, |_| Some(Which::All), true)
    }

    /// Applies a commit and evaluates what it touched, at the clock's time.
    pub(crate) fn commit(&mut self, desk: &Desk, change: &Change, wall_now: Timestamp) -> Result<Followed, Error> {
        self.walk(desk, self.clock.now(wall_now))?;
        if let Some(folded) = self.log.folded_meanwhile() {
            self.log = Arc::new(folded);
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
        for place in 0..self.models.len() {
            for watch in &mut self.models[place].watches {
                watch.set_root(self.log.clone());
            }
            let instant = now.max(self.models[place].progress.at);
            self.look(desk, place, instant, |watch| Some(watch.after_commit(&touched.cases)), true)?;
        }
        Ok(Followed::Yes)
    }

    /// Evaluates every deadline up to an instant, each at its own.
    pub(crate) fn walk(&mut self, desk: &Desk, until: Timestamp) -> Result<(), Error> {
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            for place in 0..self.models.len() {
                let instant = next.max(self.models[place].progress.at);
                self.look(desk, place, instant, |watch| watch.due(instant.as_millis()), false)?;
            }
        }
        Ok(())
    }

    /// Returns the next instant at which time alone may change an answer.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let watches = self.models.iter().flat_map(|model| &model.watches);
        watches.filter_map(Watch::next_deadline).min().map(Timestamp::from_millis)
    }

    /// Starts from an earlier time: what matches then is known, nothing fires.
    pub(crate) fn set_back(&mut self, desk: &Desk, now: Timestamp) -> Result<(), Error> {
        for place in 0..self.models.len() {
            self.models[place].hush();
            self.look(desk, place, now, |_| Some(Which::All), true)?;
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
        which: impl Fn(&Watch) -> Option<Which>,
        always: bool,
    ) -> Result<(), Error> {
        let through = self.log.number;
        let model = &mut self.models[place];
        let mut differences = Vec::new();
        for watch in &mut model.watches {
            let looked = which(watch).map(|which| watch.advance(&which, instant.as_millis()));
            differences.push(looked.unwrap_or_default());
        }
        let items: usize = differences.iter().map(Difference::len).sum();
        if items > 0 || always {
            model.record(desk, differences, through, instant)?;
        }
        Ok(())
    }
}

impl LiveModel {
    /// Returns how many cases were looked at since the model is followed.
    #[cfg(test)]
    pub(crate) fn looked_at(&self) -> u64 {
        self.watches.iter().map(|watch| watch.looked_at).sum()
    }

    fn hush(&mut self) {
        for watch in &mut self.watches {
            watch.silent = true;
        }
    }

    fn record(&mut self, desk: &Desk, differences: Vec<Difference>, through: u64, at: Timestamp) -> Result<(), Error> {
        let named: Vec<(String, bool)> =
            self.watches.iter().map(|watch| (watch.trigger.id.clone(), watch.silent)).collect();
        let named = Arc::new(named);
        let chunks = chunks(&differences);
        let last = chunks.len() - 1;
        for (number, chunk) in chunks.into_iter().enumerate() {
            let is_last = number == last;
            let (model, progress, named) = (self.id.clone(), self.progress, named.clone());
            let outbox = desk.outbox.clone();
            let appended = desk.db.write_blocking("mining.fire", move |tx| {
                let mut appended = Vec::new();
                if !tables::move_on(tx, &model, &progress, through, at, !is_last)? {
                    return Err(Error::Overtaken { model: model.clone() });
                }
                for (place, part) in &chunk {
                    let (trigger, silent) = &named[*place];
                    tables::leave(tx, &model, trigger, &part.leaves)?;
                    tables::displace(tx, &model, trigger, &part.displaced)?;
                    tables::enter(tx, &model, trigger, &part.enters, at)?;
                    if !silent && !part.enters.is_empty() {
                        let signals: Vec<Signal> =
                            part.enters.iter().map(|enter| signal(&model, trigger, enter, at)).collect();
                        appended.extend(outbox.append(tx, &signals)?);
                        tables::count_fired(tx, &model, trigger, signals.len() as u64)?;
                    }
                }
                if !is_last {
                    // Should this be the last closure before a crash, the rest
                    // must stay silent too.
                    for (trigger, _) in named.iter().filter(|(_, silent)| *silent) {
                        tables::keep_silence(tx, &model, trigger)?;
                    }
                }
                if is_last && named.iter().any(|(_, silent)| *silent) {
                    tables::end_silence(tx, &model)?;
                }
                Ok(appended)
            })?;
            for appended in appended {
                desk.outbox.announce(appended);
            }
            self.progress = Progress { step: progress.step + 1, through, at, ..progress };
        }
        for (watch, difference) in self.watches.iter_mut().zip(&differences) {
            watch.accept(difference, at);
        }
        Ok(())
    }
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

/// Cuts the differences of all triggers into closures; at least one, even of
/// nothing. Whoever leaves does so before others enter.
fn chunks(differences: &[Difference]) -> Vec<BTreeMap<usize, Difference>> {
    enum Item {
        Leave(Arc<str>),
        Displace(Arc<str>),
        Enter(Enter),
    }
    let mut items = Vec::new();
    for (place, difference) in differences.iter().enumerate() {
        items.extend(difference.leaves.iter().map(|identifier| (place, Item::Leave(identifier.clone()))));
        items.extend(difference.displaced.iter().map(|identifier| (place, Item::Displace(identifier.clone()))));
        items.extend(difference.enters.iter().map(|enter| (place, Item::Enter(enter.clone()))));
    }
    let mut chunks = vec![BTreeMap::new()];
    for (number, (place, item)) in items.into_iter().enumerate() {
        if number > 0 && number % ITEMS_MAX == 0 {
            chunks.push(BTreeMap::new());
        }
        let chunk: &mut BTreeMap<usize, Difference> = chunks.last_mut().expect("there is always one");
        let part = chunk.entry(place).or_default();
        match item {
            Item::Leave(identifier) => part.leaves.push(identifier),
            Item::Displace(identifier) => part.displaced.push(identifier),
            Item::Enter(enter) => part.enters.push(enter),
        }
    }
    chunks
}
