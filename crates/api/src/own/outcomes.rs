//! What became of the cases: which were acted on, how long until the condition
//! went away, and how that compares with the time before.
//!
//! `mining` knows the episodes and `flows` the runs; here the two are joined.
//! Nothing is stored here, and no log is read: what both keep is bounded.

mod joined;

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{Acts, Listening, Outcome, RunId};
use mining::episodes::{self, Ending, Episode, Episodes, Window};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::joined::{Acted, Joined, Length, compare, join, left_by, spans};
use crate::app::App;
use crate::body::{Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Which episodes are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Those that entered then or later, on the process clock.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Those that entered before, on the process clock.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Also counts them by the `hour`, `day` or `week` in which they entered.
    bucket: Option<String>,
}

/// Episodes in a list, if nothing is said.
const LIMIT_USUAL: usize = 100;
/// Episodes in a list at most.
const LIMIT_MAX: usize = 10_000;

/// Which episodes are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listed {
    /// Those that entered then or later, on the process clock.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Those that entered before, on the process clock.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only those of this record instance.
    identifier: Option<String>,
    /// At most so many, 100 if nothing is said. Above 10000 it means 10000.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// The time that a record instance spent in the set of a trigger.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TriggerEpisode)]
pub(super) struct EpisodeShown {
    identifier: String,
    /// The how-manieth of this instance.
    episode: u64,
    /// When it entered, on the process clock.
    #[schema(value_type = String, format = DateTime)]
    entered_at: Timestamp,
    /// Whether it was found in the set: since when is not known.
    found: bool,
    /// When it left, on the process clock; `null` while it is there.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    left_at: Option<Timestamp>,
    /// How it ended: `chain`, `rows`, `time` or `catchUp` if the condition went
    /// away, else `madeRoom`, `redefined` or `setBack`.
    #[schema(required = true)]
    ending: Option<&'static str>,
    /// Milliseconds of the process clock until it ended, or until now; `null`
    /// if that is not known.
    #[schema(required = true)]
    lasted: Option<u64>,
    /// Runs that acted on it while it lasted, the first one first.
    runs: Vec<RunShown>,
    /// How many runs came after its end.
    too_late: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TriggerEpisodeRun)]
struct RunShown {
    /// Its id; it may be forgotten by now.
    #[schema(value_type = String)]
    run: RunId,
    flow: String,
    /// On the wall clock.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// `null` while it has not ended.
    #[schema(required = true)]
    outcome: Option<Outcome>,
}

/// What became of the record instances that satisfied a trigger.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TriggerOutcomes)]
pub(super) struct OfTrigger {
    model: String,
    trigger: String,
    /// What the process clock shows; until then those count as watched that are
    /// still in the set.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// Of what entered from then on, on the process clock, nothing is missing;
    /// `null` if nothing is missing at all.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    complete_from: Option<Timestamp>,
    /// Flows that listen or have listened, the first one first.
    flows: Vec<Listener>,
    /// All episodes since the trigger is watched, whatever window is wanted.
    ever: EpisodeCounts,
    /// Those that entered within the window.
    episodes: EpisodeCounts,
    acted_on: ActedOn,
    compared: Compared,
    /// Those that entered within the window, by when they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    buckets: Option<Vec<Bucket>>,
}

/// What became of the record instances for whose triggers a flow is there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowOutcomes)]
pub(super) struct OfFlow {
    flow: String,
    /// By trigger, that to which it listened first in front. Only runs of this
    /// flow count as acting, and what began before it listened is `before`.
    triggers: Vec<OfTrigger>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutcomesListener)]
struct Listener {
    flow: String,
    /// When it was active for the first time, on the wall clock.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// How many episodes began, and how many ended in which way: `entered` and
/// `found` together are `left`, `madeRoom`, `redefined`, `setBack` and
/// `stillThere` together.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesEpisodes)]
struct EpisodeCounts {
    /// They were seen to begin.
    entered: u64,
    /// Their instances were in the set when the trigger was published, or the
    /// clock was set back: when they began is not known.
    found: u64,
    /// The condition went away.
    left: u64,
    left_by: LeftBy,
    /// They made room for newer ones, and the condition still held.
    made_room: u64,
    /// The trigger was published with another meaning, or without it.
    redefined: u64,
    /// The process clock was set back.
    set_back: u64,
    /// They last.
    still_there: u64,
}

/// What made the condition go away.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesLeftBy)]
struct LeftBy {
    /// Rows to which the trigger's own signal for the instance had led.
    chain: u64,
    /// Rows of which that is not known.
    rows: u64,
    /// Time.
    time: u64,
    /// It was gone when the trigger was evaluated again after a while.
    catch_up: u64,
}

/// How many episodes of the window runs acted on while they lasted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesActedOn)]
struct ActedOn {
    episodes: u64,
    /// A run succeeded.
    succeeded: u64,
    /// None did, and one has not ended.
    under_way: u64,
    /// None did, and one ended with something that deserves a look.
    warning: u64,
    /// None did, and one failed.
    failed: u64,
    /// A person ended all runs.
    cancelled: u64,
    /// No run started before the condition had gone away, and one did afterwards.
    too_late: u64,
    /// Milliseconds of the wall clock from entering to the first run: half of
    /// them are not longer.
    #[schema(required = true)]
    median_until_run: Option<u64>,
    /// Runs that started from then on are all known; `null` if all are.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    complete_from: Option<Timestamp>,
}

/// Episodes whose beginning was seen, in three groups.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesCompared)]
struct Compared {
    /// A run started while they lasted.
    acted_on: Group,
    /// A flow listened when they began, and no run started while they lasted.
    not_acted_on: Group,
    /// No flow listened when they began, and no run started while they lasted.
    before: Group,
}

/// How long the condition held in a group, in milliseconds of the process
/// clock, as Kaplan and Meier estimate it: those that are still there, made
/// room or were redefined count for as long as they were watched.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesGroup)]
struct Group {
    episodes: u64,
    left: u64,
    /// By rows to which the trigger's own signal had led.
    left_by_chain: u64,
    still_there: u64,
    /// Episodes on which the times stand; not those during which the clock was
    /// set back.
    timed: u64,
    /// After so long the condition has gone away for half of them; `null` if that
    /// was not seen.
    #[schema(required = true)]
    median: Option<u64>,
    /// The same for nine of ten.
    #[schema(required = true)]
    p90: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutcomesBucket)]
struct Bucket {
    /// When it begins, on the process clock; one without episodes is left out.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    entered: u64,
    found: u64,
    acted_on: u64,
    left: u64,
    left_by_chain: u64,
    still_there: u64,
}

/// Tells what became of the instances of a trigger.
pub(super) async fn of_trigger(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Json<OfTrigger>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let length = asked.length()?;
    let window = Window { from: asked.from, to: None };
    let episodes = app.mining.episodes(&model, &trigger, window).await?;
    let listeners = app.flows.listening_to(&model, &trigger).await?;
    let acts = acts(&app, &model, &trigger, &episodes).await?;
    Ok(Json(OfTrigger::new((model, trigger), &asked, length, &episodes, listeners, &acts)))
}

/// Lists episodes of a trigger, those that entered last first.
pub(super) async fn episodes(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    Query(listed): Query<Listed>,
) -> Result<Json<Vec<EpisodeShown>>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let limit = listed.limit.map_or(LIMIT_USUAL, |limit| limit.clamped(1, LIMIT_MAX));
    let known = app.mining.episodes(&model, &trigger, Window { from: listed.from, to: None }).await?;
    let acts = acts(&app, &model, &trigger, &known).await?;
    let joined = join((&model, &trigger), &known.episodes, &acts.runs);
    let is_wanted = |one: &&Joined<'_>| {
        let Episode { identifier, entered_at, .. } = one.episode;
        listed.to.is_none_or(|to| *entered_at < to) && listed.identifier.as_ref().is_none_or(|id| id == identifier)
    };
    let wanted = joined.iter().rev().filter(is_wanted).take(limit);
    Ok(Json(wanted.map(|one| EpisodeShown::new(one, known.now)).collect()))
}

/// Tells what became of the instances of the triggers that start a flow.
pub(super) async fn of_flow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<OfFlow>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let length = asked.length()?;
    let mut triggers = Vec::new();
    for listening in app.flows.listening_of(&flow).await? {
        let (model, trigger) = (listening.knowledge_model.clone(), listening.trigger.clone());
        let window = Window { from: asked.from, to: None };
        let episodes = match app.mining.episodes(&model, &trigger, window).await {
            Ok(episodes) => episodes,
            // A flow may listen to what is not published yet.
            Err(error) if base::error::Coded::kind(&error) == base::Kind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let mut acts = acts(&app, &model, &trigger, &episodes).await?;
        acts.runs.retain(|run| run.flow == flow);
        triggers.push(OfTrigger::new((model, trigger), &asked, length, &episodes, vec![listening], &acts));
    }
    Ok(Json(OfFlow { flow, triggers }))
}

async fn acts(app: &App, model: &str, trigger: &str, episodes: &Episodes) -> Result<Acts, Fault> {
    let first = episodes.episodes.iter().map(|episode| episode.entered_recorded).min();
    match first {
        Some(first) => Ok(app.flows.acted_on(model, trigger, first).await?),
        None => Ok(Acts::default()),
    }
}

impl Asked {
    fn length(&self) -> Result<Option<Length>, Fault> {
        let wrong =
            || Fault::invalid("bucket", "constraint-broken", "\"bucket\" must be \"hour\", \"day\" or \"week\"");
        self.bucket.as_deref().map(|word| Length::named(word).ok_or_else(wrong)).transpose()
    }
}

impl OfTrigger {
    fn new(
        (model, trigger): (String, String),
        asked: &Asked,
        length: Option<Length>,
        known: &Episodes,
        listeners: Vec<Listening>,
        acts: &Acts,
    ) -> Self {
        // Runs are joined with all that came later too, or those of a later
        // episode would count for the last one of the window.
        let joined = join((&model, &trigger), &known.episodes, &acts.runs);
        let wanted: Vec<&Joined<'_>> =
            joined.iter().filter(|one| asked.to.is_none_or(|to| one.episode.entered_at < to)).collect();
        let counts = episodes::Counts::of(wanted.iter().map(|one| one.episode));
        let since = listeners.iter().map(|listener| listener.since).min();
        OfTrigger {
            now: known.now,
            complete_from: known.complete_from,
            flows: listeners.into_iter().map(|one| Listener { flow: one.flow, since: one.since }).collect(),
            ever: (&known.ever).into(),
            episodes: (&counts).into(),
            acted_on: ActedOn::new(&wanted, acts.complete_from),
            compared: compare(&wanted, since, known.now).into(),
            buckets: length.map(|length| spans(&wanted, length).into_iter().map(Bucket::from).collect()),
            model,
            trigger,
        }
    }
}

impl EpisodeShown {
    fn new(one: &Joined<'_>, now: Timestamp) -> Self {
        let episode = one.episode;
        let run = |run: &&flows::ActedOn| RunShown {
            run: run.run,
            flow: run.flow.clone(),
            started_at: run.started_at,
            outcome: run.outcome,
        };
        EpisodeShown {
            identifier: episode.identifier.clone(),
            episode: episode.number,
            entered_at: episode.entered_at,
            found: !episode.seen,
            left_at: episode.end.map(|end| end.at),
            ending: episode.end.map(|end| word(end.ending)),
            lasted: episode.spell(now).map(|spell| millis(spell.lasted)),
            runs: one.in_time.iter().map(run).collect(),
            too_late: one.too_late,
        }
    }
}

/// Names an ending as the counts do.
fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Chain => "chain",
        Ending::Rows => "rows",
        Ending::Time => "time",
        Ending::CatchUp => "catchUp",
        Ending::MadeRoom => "madeRoom",
        Ending::Redefined => "redefined",
        Ending::SetBack => "setBack",
    }
}

impl ActedOn {
    fn new(wanted: &[&Joined<'_>], complete_from: Option<Timestamp>) -> Self {
        let count = |acted: Acted| wanted.iter().filter(|one| one.acted() == Some(acted)).count() as u64;
        let mut waits: Vec<Duration> = wanted
            .iter()
            .filter_map(|one| one.in_time.first().map(|run| run.started_at.since(one.episode.entered_recorded)))
            .collect();
        waits.sort_unstable();
        ActedOn {
            episodes: waits.len() as u64,
            succeeded: count(Acted::Succeeded),
            under_way: count(Acted::UnderWay),
            warning: count(Acted::Warning),
            failed: count(Acted::Failed),
            cancelled: count(Acted::Cancelled),
            too_late: wanted.iter().filter(|one| one.in_time.is_empty() && one.too_late > 0).count() as u64,
            median_until_run: waits.get(waits.len().saturating_sub(1) / 2).map(|wait| millis(*wait)),
            complete_from,
        }
    }
}

impl From<&episodes::Counts> for EpisodeCounts {
    fn from(counts: &episodes::Counts) -> Self {
        let [chain, rows, time, catch_up] = left_by(counts);
        EpisodeCounts {
            entered: counts.entered,
            found: counts.found,
            left: counts.left(),
            left_by: LeftBy { chain, rows, time, catch_up },
            made_room: counts.ended_by(Ending::MadeRoom),
            redefined: counts.ended_by(Ending::Redefined),
            set_back: counts.ended_by(Ending::SetBack),
            still_there: counts.open,
        }
    }
}

impl From<joined::Compared> for Compared {
    fn from(compared: joined::Compared) -> Self {
        let joined::Compared { acted_on, not_acted_on, before } = compared;
        Compared { acted_on: acted_on.into(), not_acted_on: not_acted_on.into(), before: before.into() }
    }
}

impl From<joined::Group> for Group {
    fn from(group: joined::Group) -> Self {
        let joined::Group { counts, times } = group;
        Group {
            episodes: counts.entered,
            left: counts.left(),
            left_by_chain: counts.ended_by(Ending::Chain),
            still_there: counts.open,
            timed: times.spells,
            median: times.median.map(millis),
            p90: times.p90.map(millis),
        }
    }
}

impl From<joined::Span> for Bucket {
    fn from(span: joined::Span) -> Self {
        Bucket {
            from: span.from,
            entered: span.counts.entered,
            found: span.counts.found,
            acted_on: span.acted_on,
            left: span.counts.left(),
            left_by_chain: span.counts.ended_by(Ending::Chain),
            still_there: span.counts.open,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
