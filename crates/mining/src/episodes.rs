//! Episodes: what became of the record instances that satisfied a trigger.
//!
//! An episode begins when an instance enters the matched set and ends when it
//! is in it no more. Both are written down in the transaction that moves the
//! set (`live`), so the two cannot disagree: of all episodes that ever
//! began, those that have not ended are the set.
//!
//! Not every end means that the condition went away. Who makes room for others
//! still satisfies it; a trigger that means something else, or a clock that is
//! set back, tells nothing about the process ([`Ending`]). And the beginning of
//! an episode that was found, when the trigger was published, is not known.
//! [`times()`] goes by what is known and says how much that is.

mod times;

use std::collections::BTreeMap;

use base::Timestamp;
use base::causes::Link;

pub use self::times::{Spell, Times, times};
use crate::mining::Mining;
use crate::{Error, tables};

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// The condition went away by rows to which the trigger's own signal for
    /// this instance had led: the loop was closed.
    Chain,
    /// It went away by rows of which that is not known.
    Rows,
    /// It went away because time passed.
    Time,
    /// It was gone when the trigger was evaluated again after a while.
    CatchUp,
    /// It still held, and the instance made room for newer ones.
    MadeRoom,
    /// The trigger was published with another meaning, or without it.
    Redefined,
    /// The process clock was set back.
    SetBack,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 7] = [
        Ending::Chain,
        Ending::Rows,
        Ending::Time,
        Ending::CatchUp,
        Ending::MadeRoom,
        Ending::Redefined,
        Ending::SetBack,
    ];

    /// Tells whether the condition went away.
    pub fn is_left(self) -> bool {
        matches!(self, Ending::Chain | Ending::Rows | Ending::Time | Ending::CatchUp)
    }

    /// Returns the word under which it is stored.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Ending::Chain => "chain",
            Ending::Rows => "rows",
            Ending::Time => "time",
            Ending::CatchUp => "catch-up",
            Ending::MadeRoom => "made room",
            Ending::Redefined => "redefined",
            Ending::SetBack => "set back",
        }
    }

    /// Reads what [`Ending::word`] wrote.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Ending::ALL.into_iter().find(|ending| ending.word() == word)
    }
}

/// The end of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How it came.
    pub ending: Ending,
    /// When, on the process clock.
    pub at: Timestamp,
    /// When that was written down, on the wall clock.
    pub recorded: Timestamp,
}

/// The time that an instance spent in a trigger's set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The record instance.
    pub identifier: String,
    /// The how-manieth of this instance.
    pub number: u64,
    /// Whether its beginning was seen. If not, the instance was found in the
    /// set when the trigger was published or the clock was set back.
    pub seen: bool,
    /// Whether the process clock ran forward while it lasted.
    pub timed: bool,
    /// When it entered, on the process clock.
    pub entered_at: Timestamp,
    /// When that was written down, on the wall clock.
    pub entered_recorded: Timestamp,
    /// How it ended; nothing while it lasts.
    pub end: Option<End>,
}

impl Episode {
    /// Returns the link of the signal at its beginning, as it stands in the
    /// chains of what that led to.
    pub fn link(&self, model: &str, trigger: &str) -> Link {
        Link::new([model, trigger, &self.identifier])
    }

    /// Tells how long the condition held until it went away, or at least; as
    /// far as that is known.
    pub fn spell(&self, now: Timestamp) -> Option<Spell> {
        if !self.seen || !self.timed {
            return None;
        }
        let until = self.end.map_or(now, |end| end.at);
        let is_over = self.end.is_some_and(|end| end.ending.is_left());
        Some(Spell { lasted: until.since(self.entered_at), is_over })
    }
}

/// How many episodes there were. All that began have ended or are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// So many were seen to begin.
    pub entered: u64,
    /// So many instances were found in the set.
    pub found: u64,
    /// So many ended like this.
    pub ended: BTreeMap<Ending, u64>,
    /// So many last.
    pub open: u64,
}

impl Counts {
    /// Counts episodes.
    pub fn of<'a>(episodes: impl IntoIterator<Item = &'a Episode>) -> Self {
        let mut counts = Counts::default();
        for episode in episodes {
            counts.add(episode);
        }
        counts
    }

    /// Counts an episode.
    pub fn add(&mut self, episode: &Episode) {
        *if episode.seen { &mut self.entered } else { &mut self.found } += 1;
        match episode.end {
            Some(end) => *self.ended.entry(end.ending).or_default() += 1,
            None => self.open += 1,
        }
    }

    /// Returns how many ended because the condition went away.
    pub fn left(&self) -> u64 {
        self.ended.iter().filter(|(ending, _)| ending.is_left()).map(|(_, episodes)| episodes).sum()
    }

    /// Returns how many ended in a way.
    pub fn ended_by(&self, ending: Ending) -> u64 {
        self.ended.get(&ending).copied().unwrap_or(0)
    }
}

/// Which episodes are asked for, by when they entered on the process clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Then or later.
    pub from: Option<Timestamp>,
    /// Before that.
    pub to: Option<Timestamp>,
}

/// What is known of the episodes of a trigger.
#[derive(Clone, Debug)]
pub struct Episodes {
    /// What the process clock shows.
    pub now: Timestamp,
    /// All that ever were, also those that were forgotten.
    pub ever: Counts,
    /// Those that entered within the window, in the order of time.
    pub episodes: Vec<Episode>,
    /// From this instant on none is missing; nothing if none is missing at all.
    pub complete_from: Option<Timestamp>,
}

/// Episodes that are read at once.
const READ_MAX: u64 = 100_000;

impl Mining {
    /// Reads the episodes of a trigger that entered within a window. They stay
    /// when the trigger is published no more.
    pub async fn episodes(&self, model: &str, trigger: &str, window: Window) -> Result<Episodes, Error> {
        let (id, name) = (model.to_owned(), trigger.to_owned());
        let read = self.desk.db.read("mining.episodes", move |tx| {
            let own = (id.as_str(), name.as_str());
            let Some((ever, forgotten)) = tables::episode_counts(tx, own)? else { return Ok(None) };
            Ok::<_, Error>(Some((ever, forgotten, tables::episodes(tx, own, &window, READ_MAX + 1)?)))
        });
        let found = read.await?;
        if found.is_none() {
            self.expect_trigger(model, trigger).await?;
        }
        let (ever, forgotten, mut episodes) = found.unwrap_or_default();
        let mut complete_from = forgotten.map(just_after);
        if episodes.len() as u64 > READ_MAX {
            let first_left_out = episodes.pop().map(|episode| just_after(episode.entered_at));
            complete_from = complete_from.max(first_left_out);
        }
        let order = |episode: &Episode| (episode.entered_at, episode.identifier.clone(), episode.number);
        episodes.sort_by_cached_key(order);
        let now = self.clock(model).await?.now;
        Ok(Episodes { now, ever, episodes, complete_from })
    }
}

fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(1))
}
