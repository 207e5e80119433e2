//! How a data model stands in memory: not there, on its way, loaded, or refused.
//!
//! A data model that does not fit its rows, or for which there is no room, is
//! *refused*: its published models are set aside, their matched sets are kept,
//! and administrators get a notice. The refusal stands until something changed
//! that could mend it: a commit of its pool, another version of the data model,
//! or the memory that other data models take. So asking again costs nothing,
//! and the commit that mends the data brings the models back.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use pools::{CommitNumber, DataModel, DataModelId};

use crate::error::Error;
use crate::log::{EventLog, Room, Size, TableSize};
use crate::mining::Mining;
use crate::ports::DataModelNews;
use crate::post::{Post, blocking};
use crate::tables;

/// A refused data model rests so many times as long as it took to refuse it.
const REST_SHARE: u32 = 10;

/// The shortest rest after a refusal.
const REST_MIN: Duration = Duration::from_secs(1);

/// The longest rest after a refusal.
const REST_MAX: Duration = Duration::from_mins(1);

/// A data model in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataModelView {
    /// How it stands.
    pub state: DataModelState,
    /// What was loaded last; a data model that is loaded anew, or was refused,
    /// still answers from it where nothing newer is asked for.
    pub load: Option<LoadView>,
    /// Bytes that all data models may take together, if that is limited.
    pub bytes_max: Option<u64>,
    /// Bytes that the others take.
    pub bytes_of_others: u64,
}

/// How a data model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataModelState {
    /// Nobody has asked for it.
    NotLoaded,
    /// It is being read.
    Loading {
        /// Since when.
        since: Timestamp,
    },
    /// It answers.
    Loaded,
    /// It cannot be loaded for now.
    Refused {
        /// Since when.
        since: Timestamp,
        /// Why, and the mend.
        detail: String,
    },
}

/// A load, and what it has become by following.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadView {
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// The commit at which it was loaded.
    pub loaded_commit: CommitNumber,
    /// How long that took, in milliseconds.
    pub load_ms: u64,
    /// The commit up to which everything is in.
    pub commit: CommitNumber,
    /// Rows of the case table; without one, cases with events.
    pub cases: u64,
    /// Rows of the activity table that are no events, because their case,
    /// activity or time is missing.
    pub excluded: u64,
    /// Rows, events and bytes by part.
    pub size: Size,
    /// Bytes by table and column.
    pub tables: Vec<TableSize>,
}

/// What a post remembers of loading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loading {
    since: Option<Timestamp>,
    loaded: Option<Loaded>,
    refusal: Option<Refusal>,
}

/// A load that came to its end.
#[derive(Clone, Copy, Debug)]
struct Loaded {
    at: Timestamp,
    took: Duration,
    commit: CommitNumber,
}

/// Why a data model was refused, and what that depends on.
#[derive(Clone, Debug)]
struct Refusal {
    error: Refused,
    since: Timestamp,
    model: DataModel,
    /// The head of the pool when it was tried.
    head: CommitNumber,
    /// What other data models took.
    taken: usize,
    /// How long it is not tried again.
    rest: Duration,
}

/// The errors that are refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refused {
    Unfit { data_model: String, detail: String },
    TooLarge { data_model: String, detail: String },
}

impl Refused {
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::BadDataModel { data_model, detail } => {
                Some(Refused::Unfit { data_model: data_model.clone(), detail: detail.clone() })
            }
            Error::DataModelTooLarge { data_model, detail } => {
                Some(Refused::TooLarge { data_model: data_model.clone(), detail: detail.clone() })
            }
            _ => None,
        }
    }

    fn is_about_room(&self) -> bool {
        matches!(self, Refused::TooLarge { .. })
    }

    fn error(&self) -> Error {
        match self.clone() {
            Refused::Unfit { data_model, detail } => Error::BadDataModel { data_model, detail },
            Refused::TooLarge { data_model, detail } => Error::DataModelTooLarge { data_model, detail },
        }
    }
}

impl Loading {
    /// Says that a load has begun.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.since = Some(now);
    }

    /// Says that it has come to its end.
    pub(crate) fn finish(&mut self, now: Timestamp, commit: CommitNumber) {
        let took = self.since.take().map_or(Duration::ZERO, |since| now.since(since));
        self.loaded = Some(Loaded { at: now, took, commit });
    }

    fn state(&self) -> DataModelState {
        match (&self.refusal, self.since, &self.loaded) {
            (_, Some(since), _) => DataModelState::Loading { since },
            (Some(refusal), None, _) => {
                DataModelState::Refused { since: refusal.since, detail: refusal.error.error().to_string() }
            }
            (None, None, Some(_)) => DataModelState::Loaded,
            (None, None, None) => DataModelState::NotLoaded,
        }
    }
}

impl Mining {
    /// Sets how many bytes all data models may take together in memory.
    #[must_use]
    pub fn with_memory(mut self, bytes_max: usize) -> Self {
        self.memory = bytes_max;
        self
    }

    /// Tells how a data model stands in memory, and what it takes.
    pub async fn data_model_in_memory(&self, id: DataModelId) -> Result<DataModelView, Error> {
        let (post, room) = (self.post(id), self.room_for(id));
        let (state, loaded) = {
            let loading = post.loading.lock();
            (loading.state(), loading.loaded)
        };
        let shown = post.shown().zip(loaded);
        let load = blocking(move || Ok(shown.map(|(shown, loaded)| look_at(&shown.root, loaded)))).await?;
        let bytes_max = (room != Room::BOUNDLESS).then_some(room.all as u64);
        Ok(DataModelView { state, load, bytes_max, bytes_of_others: room.taken as u64 })
    }

    /// Returns the memory for a data model beside the others.
    pub(crate) fn room_for(&self, id: DataModelId) -> Room {
        if self.memory == usize::MAX {
            return Room::BOUNDLESS;
        }
        let posts: Vec<Arc<Post>> = self.posts.lock().values().filter(|post| post.id != id).cloned().collect();
        let taken = posts.iter().filter_map(|post| post.shown()).map(|shown| shown.root.size().bytes()).sum();
        Room { all: self.memory, taken }
    }

    /// Returns the refusal of a data model, if nothing has changed since that
    /// could have mended it.
    pub(crate) fn still_refused(&self, post: &Post, model: &DataModel) -> Option<Error> {
        let refusal = post.loading.lock().refusal.clone()?;
        let is_same = refusal.model == *model && refusal.head == self.head_of(model);
        // There may be room now for what was too large.
        let has_room = || refusal.error.is_about_room() && self.room_for(model.id).taken < refusal.taken;
        (is_same && !has_room()).then(|| refusal.error.error())
    }

    /// Notes whether a data model could be caught up with, which was tried at
    /// a head, and tells administrators where that is news.
    pub(crate) async fn note(
        &self,
        post: &Post,
        model: &DataModel,
        head: CommitNumber,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let before = {
            let mut loading = post.loading.lock();
            let took = loading.since.take().map_or(Duration::ZERO, |since| now.since(since));
            let before = loading.refusal.clone();
            match error.map(Refused::of) {
                None => loading.refusal = None,
                Some(Some(error)) => {
                    let since = before.as_ref().map_or(now, |before| before.since);
                    let (model, taken) = (model.clone(), self.room_for(model.id).taken);
                    let rest = (took * REST_SHARE).clamp(REST_MIN, REST_MAX);
                    loading.refusal = Some(Refusal { error, since, model, head, taken, rest });
                }
                // Something else failed, and it stays as it was.
                Some(None) => return Ok(()),
            }
            before
        };
        if before.is_some() == error.is_some() {
            return Ok(());
        }
        let (id, outbox) = (model.id, self.desk.outbox.clone());
        let (key, about) = (model.key.clone(), format!("{id}/{}/{head}", model.version));
        let detail = error.map(ToString::to_string);
        let told = self.desk.db.write("mining.tell", move |tx| {
            let models: Vec<String> = tables::published_on(tx, id)?.into_iter().map(|(id, _)| id).collect();
            let Some(news) = DataModelNews::of(&key, &about, detail.as_deref(), &models) else { return Ok(false) };
            outbox.tell(tx, &news)?;
            Ok::<_, Error>(true)
        });
        if told.await? {
            self.desk.outbox.told();
        }
        Ok(())
    }

    /// Waits until a data model that was refused may have been mended by a
    /// commit, and has rested; for ever if it was not refused.
    pub(crate) async fn mended(&self, post: &Post) {
        let Some(refusal) = post.loading.lock().refusal.clone() else { return std::future::pending().await };
        tokio::time::sleep(refusal.rest).await;
        let mut head = self.tables.head(refusal.model.pool);
        if head.wait_for(|head| *head > refusal.head).await.is_err() {
            // Nobody writes to the pool any more.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn head_of(&self, model: &DataModel) -> CommitNumber {
        *self.tables.head(model.pool).borrow()
    }
}

fn look_at(root: &EventLog, loaded: Loaded) -> LoadView {
    let case_table = root.catalog().roles.case_table;
    LoadView {
        loaded_at: loaded.at,
        loaded_commit: loaded.commit,
        load_ms: loaded.took.as_millis() as u64,
        commit: root.number,
        cases: root.table(case_table).len() as u64,
        excluded: root.excluded() as u64,
        size: root.size(),
        tables: root.size_by_table(),
    }
}
