//! Posts: where a data model is followed from, one evaluation at a time.
//!
//! A [`Post`] guards what is in memory of a data model. Whoever wants it to be
//! up to date, be it a question, a publication or the follower in the
//! background, waits for the post, lets it catch up ([`Mining::caught_up`]),
//! and goes. What only reads takes the last root that was shown and holds up
//! nobody.
//!
//! While the background follows, the post keeps a *place* at the pool: the
//! commits after the ones that were evaluated are kept there for it. The place
//! is given up when nobody follows any more, or the pool would keep its log
//! for someone who never comes.

use std::sync::Arc;

use base::error::chain;
use base::{Causes, Timestamp};
use pools::{CommitNumber, DataModel, DataModelId, PoolId, TablesError};
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::clock::ProcessClock;
use crate::live::{Desk, Followed, HandedIn, Live};
use crate::log::{self, EventLog};
use crate::mining::Mining;
use crate::presence::Loading;
use crate::trigger::OpenCases;
use crate::watch::Survey;
use crate::{Error, tables};

/// Changes read at once while following.
const CHANGES_AT_ONCE: usize = 256;

/// Where a data model is followed from.
pub(crate) struct Post {
    pub(crate) id: DataModelId,
    /// Nothing while it is not loaded, or after it could not be recorded.
    pub(crate) live: Arc<tokio::sync::Mutex<Option<Live>>>,
    /// What was evaluated last, for those who need nothing newer.
    shown: parking_lot::Mutex<Option<Shown>>,
    place: parking_lot::Mutex<Place>,
    /// How it was loaded, or why it was not.
    pub(crate) loading: parking_lot::Mutex<Loading>,
    /// The clock was set, a model published, or a survey recorded.
    pub(crate) changed: Notify,
    /// Whether a trigger is being looked at whole beside those that are followed.
    pub(crate) surveys: tokio::sync::watch::Sender<bool>,
    /// Tests hold up the next survey.
    #[cfg(test)]
    pub(crate) gate: parking_lot::Mutex<Option<Gate>>,
}

/// Holds up a survey: says that it has begun, and waits for a word, or for
/// nobody to be left who would give it.
#[cfg(test)]
pub(crate) struct Gate {
    pub(crate) begun: tokio::sync::oneshot::Sender<()>,
    /// False breaks the survey.
    pub(crate) go: std::sync::mpsc::Receiver<bool>,
}

/// A root that was evaluated, with what it takes to ask it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) root: Arc<EventLog>,
    pub(crate) clock: ProcessClock,
    /// What makes a case open, if a model says so.
    pub(crate) open: Option<Arc<OpenCases>>,
    /// Models whose evaluation failed, each with why.
    pub(crate) detached: Vec<(String, String)>,
}

/// Whether a pool keeps commits for a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nobody follows in the background.
    Away,
    /// Somebody does, and the pool is to be told how far.
    Wanted,
    /// The pool was told.
    At(PoolId),
}

impl Post {
    pub(crate) fn new(id: DataModelId) -> Self {
        Post {
            id,
            live: Arc::default(),
            shown: parking_lot::Mutex::default(),
            place: parking_lot::Mutex::new(Place::Away),
            loading: parking_lot::Mutex::default(),
            changed: Notify::new(),
            surveys: tokio::sync::watch::Sender::new(false),
            #[cfg(test)]
            gate: parking_lot::Mutex::default(),
        }
    }

    /// Returns what was evaluated last.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.shown.lock().clone()
    }

    /// Returns the number up to which every commit was evaluated.
    pub(crate) fn evaluated(&self) -> CommitNumber {
        self.shown.lock().as_ref().map_or(0, |shown| shown.root.number)
    }

    /// Begins to follow: from the next evaluation on the pool keeps what was
    /// not evaluated.
    pub(crate) fn take_place(&self) {
        let mut place = self.place.lock();
        if *place == Place::Away {
            *place = Place::Wanted;
        }
    }

    /// Names the post to the pool.
    fn consumer(&self) -> String {
        format!("mining:{}", self.id)
    }

    fn show(&self, live: Option<&Live>) {
        let shown = |live: &Live| Shown {
            root: live.log.clone(),
            clock: live.clock,
            open: live.open_cases(),
            detached: live.detached(),
        };
        if let Some(live) = live {
            *self.shown.lock() = Some(shown(live));
        }
    }

    /// Forgets what is in memory, for nobody needs it any more.
    fn clear(&self, mut guard: OwnedMutexGuard<Option<Live>>) {
        *guard = None;
        *self.shown.lock() = None;
        *self.loading.lock() = Loading::default();
    }
}

/// A post that has caught up and is held until this goes.
type Held = OwnedMutexGuard<Option<Live>>;

impl Mining {
    /// Returns the post of a data model.
    pub(crate) fn post(&self, id: DataModelId) -> Arc<Post> {
        self.posts.lock().entry(id).or_insert_with(|| Arc::new(Post::new(id))).clone()
    }

    /// Follows no more: the pool need keep nothing.
    pub(crate) fn give_up_place(&self, post: &Post) {
        let before = std::mem::replace(&mut *post.place.lock(), Place::Away);
        if let Place::At(pool) = before {
            self.tables.release(pool, &post.consumer(), CommitNumber::MAX);
        }
    }

    /// Tells the pool how far everything was evaluated.
    fn release(&self, post: &Post, pool: PoolId, through: CommitNumber) {
        // Under the lock, so that a place that is given up stays so.
        let mut place = post.place.lock();
        match *place {
            Place::Away => return,
            Place::At(before) if before != pool => {
                self.tables.release(before, &post.consumer(), CommitNumber::MAX);
            }
            Place::Wanted | Place::At(_) => {}
        }
        *place = Place::At(pool);
        self.tables.release(pool, &post.consumer(), through);
    }

    /// Gives up the memory of a data model that no published model needs.
    pub(crate) async fn abandon(&self, post: &Post) {
        self.give_up_place(post);
        post.clear(post.live.clone().lock_owned().await);
    }

    /// Catches up with a data model in its present version: loads it if need
    /// be, and evaluates every commit that is durable now and every deadline
    /// that has passed.
    pub(crate) async fn caught_up(&self, post: &Arc<Post>) -> Result<Held, Error> {
        let wanted = self.data_models.find(&post.id.to_string()).await?;
        if let Some(error) = self.still_refused(post, &wanted) {
            return Err(error);
        }
        // Whatever is committed from now on may mend what is found.
        let head = self.head_of(&wanted);
        let caught_up = self.caught_up_with(post, wanted.clone()).await;
        self.note(post, &wanted, head, caught_up.as_ref().err()).await?;
        caught_up
    }

    async fn caught_up_with(&self, post: &Arc<Post>, wanted: DataModel) -> Result<Held, Error> {
        let mut guard = post.live.clone().lock_owned().await;
        let known = guard.as_ref().map(|live| live.model.clone());
        match known {
            // It became newer while the post was waited for.
            Some(known) if known.version > wanted.version => {}
            Some(known) if known == wanted => {}
            Some(_) => {
                // What came before belongs to the version before, as far as it
                // can still be evaluated.
                guard = match self.follow_commits(guard, post).await {
                    Ok(guard) => guard,
                    Err(error) => {
                        let (key, error) = (&wanted.key, chain(&error).to_string());
                        tracing::warn!(data_model.key = %key, %error, "a new version begins without the last commits");
                        post.live.clone().lock_owned().await
                    }
                };
                guard = self.load(guard, post, wanted, None).await?;
            }
            None => guard = self.load(guard, post, wanted, None).await?,
        }
        self.follow_commits(guard, post).await
    }

    /// Evaluates every commit that is durable now and every deadline that has
    /// passed.
    async fn follow_commits(&self, mut guard: Held, post: &Arc<Post>) -> Result<Held, Error> {
        let model = guard.as_ref().expect("only a loaded data model is followed").model.clone();
        let pool = model.pool;
        let head = *self.tables.head(pool).borrow();
        loop {
            let number = guard.as_ref().map_or(0, |live| live.log.number);
            self.release(post, pool, number);
            if number >= head {
                break;
            }
            let changes = match self.tables.changes(pool, number, CHANGES_AT_ONCE).await {
                Ok(changes) => changes,
                Err(TablesError::Forgotten { .. }) => {
                    guard = self.load(guard, post, model.clone(), None).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if changes.is_empty() {
                // The commits up to the head left nothing behind to follow.
                let pass = move |live: &mut Live| {
                    Arc::make_mut(&mut live.log).number = head;
                    Ok(())
                };
                guard = self.with_live(guard, post, pass).await?.1;
                continue;
            }
            let (desk, wall_now) = (self.desk.clone(), self.clock.now());
            let apply = move |live: &mut Live| {
                for (place, change) in changes.iter().enumerate() {
                    if live.commit(&desk, change, wall_now)? == Followed::Reload {
                        // What is loaded anew holds those behind it too.
                        let causes = Causes::together(changes[place..].iter().map(|change| &change.causes));
                        return Ok(Some(causes));
                    }
                }
                Ok(None)
            };
            let (reload, back) = self.with_live(guard, post, apply).await?;
            guard = back;
            if let Some(causes) = reload {
                guard = self.load(guard, post, model.clone(), Some((wall_now, causes))).await?;
            }
        }
        let (desk, wall_now) = (self.desk.clone(), self.clock.now());
        let walk = move |live: &mut Live| {
            live.walk(&desk, live.clock.now(wall_now))?;
            live.settle(&desk)
        };
        let ((), mut guard) = self.with_live(guard, post, walk).await?;
        self.begin_survey(&mut guard, post);
        Ok(guard)
    }

    /// Lets a trigger that is evaluated whole be looked at, if one is due and
    /// none is under way: one after the other, beside those that are followed.
    fn begin_survey(&self, guard: &mut Held, post: &Arc<Post>) {
        if *post.surveys.borrow() {
            return;
        }
        let live = guard.as_mut().expect("only a loaded data model is followed");
        if let Some(survey) = live.next_survey(self.clock.now()) {
            post.surveys.send_replace(true);
            tokio::spawn(take_surveys(self.desk.clone(), post.clone(), survey));
        }
    }

    /// Loads a data model and takes over its published models. `arrived` is the
    /// wall time of the commit that asked for it and what led to that, if one did.
    async fn load(
        &self,
        mut guard: Held,
        post: &Arc<Post>,
        model: DataModel,
        arrived: Option<(Timestamp, Causes)>,
    ) -> Result<Held, Error> {
        *guard = None;
        post.loading.lock().begin(self.clock.now());
        let log = self.root_for(&model, arrived.is_some()).await?;
        post.loading.lock().finish(self.clock.now(), log.number);
        let id = model.id;
        let clock = self.desk.db.read("mining.clock", move |tx| Ok::<_, Error>(tables::clock(tx, id)?)).await?;
        tracing::info!(
            data_model.key = %model.key,
            commit = log.number,
            cases = log.case_count(),
            rows_without_case_or_time = log.excluded(),
            size = %log.size(),
            "data model loaded"
        );
        let (desk, wall_now) = (self.desk.clone(), self.clock.now());
        let at = arrived.map(|(wall, causes)| (clock.now(wall), causes));
        let guard = blocking(move || {
            *guard = Some(Live::open(&desk, model, log, clock, wall_now, at)?);
            Ok(guard)
        })
        .await?;
        post.show(guard.as_ref());
        Ok(guard)
    }

    /// Loads the root to begin with: where the models had come to, so that what
    /// was committed since is evaluated commit by commit; the head, where that
    /// is not known any more or a table was replaced.
    async fn root_for(&self, model: &DataModel, was_replaced: bool) -> Result<EventLog, Error> {
        let (id, room) = (model.id, self.room_for(model.id));
        if !was_replaced
            && let Some(through) =
                self.desk.db.read("mining.fired_through", move |tx| tables::fired_through(tx, id)).await?
            && let Some(log) = log::load_at(&*self.tables, model, room, through).await?
        {
            return Ok(log);
        }
        log::load(&*self.tables, model, room).await
    }

    /// Works on a loaded data model, as [`work_on`] says.
    pub(crate) async fn with_live<T: Send + 'static>(
        &self,
        guard: Held,
        post: &Post,
        work: impl FnOnce(&mut Live) -> Result<T, Error> + Send + 'static,
    ) -> Result<(T, Held), Error> {
        work_on(guard, post, work).await
    }

    /// Returns a root that holds every commit that is durable now.
    pub(crate) async fn fresh_root(&self, data_model: DataModelId) -> Result<(Arc<EventLog>, ProcessClock), Error> {
        let guard = self.caught_up(&self.post(data_model)).await?;
        let live = guard.as_ref().expect("a model that was caught up with is loaded");
        Ok((live.log.clone(), live.clock))
    }
}

/// Works on a loaded data model on a thread of its own. If that fails, or
/// panics, what is in memory may be ahead of what is stored; it is dropped, and
/// the next one to ask loads it anew.
async fn work_on<T: Send + 'static>(
    mut guard: Held,
    post: &Post,
    work: impl FnOnce(&mut Live) -> Result<T, Error> + Send + 'static,
) -> Result<(T, Held), Error> {
    let (result, guard) = blocking(move || {
        let mut live = guard.take().expect("only a loaded data model is worked on");
        let result = work(&mut live)?;
        *guard = Some(live);
        Ok((result, guard))
    })
    .await?;
    post.show(guard.as_ref());
    Ok((result, guard))
}

/// Takes surveys, one after the other, until none is due. Each stands on a root
/// of its own, so that it holds up nobody until there is something to record,
/// and then for one closure at a time.
async fn take_surveys(desk: Desk, post: Arc<Post>, first: Survey) {
    let mut next = Some(first);
    while let Some(survey) = next.take() {
        next = match take_survey(&desk, &post, survey).await {
            Ok(next) => next,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(data_model.id = %post.id, %error, "what a survey found could not be recorded; it is taken anew");
                // With the model out of memory nothing waits for it any more.
                post.surveys.send_replace(false);
                None
            }
        };
    }
    post.changed.notify_one();
}

/// Takes a survey, records what it found, and returns the next one that is due.
/// Without one, says so while it still holds the post.
async fn take_survey(desk: &Desk, post: &Arc<Post>, survey: Survey) -> Result<Option<Survey>, Error> {
    #[cfg(test)]
    let gate = post.gate.lock().take();
    let ticket = survey.ticket.clone();
    let surveyed = blocking(move || {
        #[cfg(test)]
        if let Some(Gate { begun, go }) = gate {
            begun.send(()).ok();
            assert!(go.recv().unwrap_or(true), "a test broke it");
        }
        Ok(survey.take())
    });
    let mut surveyed = surveyed.await;
    loop {
        let guard = post.live.clone().lock_owned().await;
        if guard.is_none() {
            post.surveys.send_replace(false);
            return Ok(None);
        }
        let (desk, ticket) = (desk.clone(), ticket.clone());
        let hand_in = move |live: &mut Live| {
            let wall = desk.clock.now();
            let handed_in = match &mut surveyed {
                Ok(surveyed) => live.hand_in(&desk, surveyed)?,
                Err(error) => {
                    live.survey_failed(&ticket, error.to_string(), wall);
                    HandedIn::Done
                }
            };
            let next = if handed_in == HandedIn::Done { live.next_survey(wall) } else { None };
            Ok((handed_in, next, surveyed))
        };
        let ((handed_in, next, back), _guard) = work_on(guard, post, hand_in).await?;
        if handed_in == HandedIn::Done {
            post.surveys.send_if_modified(|busy| std::mem::replace(busy, next.is_some()) != next.is_some());
            return Ok(next);
        }
        surveyed = back;
    }
}

/// Computes on a thread where it may take its time. A panic there is a mistake
/// of ours in one evaluation; it becomes an error, so that whoever follows
/// reports it and goes on.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) if stopped.is_panic() => {
            let said = stopped.into_panic();
            let text = said.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| said.downcast_ref::<String>().cloned());
            Err(Error::Broken { detail: text.unwrap_or_else(|| "it panicked without a word".into()) })
        }
        Err(_) => Err(Error::Database(base::db::Error::Unavailable { detail: "it is shutting down".into() })),
    }
}
