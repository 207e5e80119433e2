//! Why does a trigger hold an instance, or why does it not?
//!
//! Each filter is shown with its text, its truth now and the two sides of each
//! comparison in it. What time alone will do is found by asking: the same
//! watch that follows the trigger names its next deadline for the instance and
//! looks again, until the answer is another one.

use std::collections::HashMap;
use std::sync::Arc;

use base::Timestamp;

use super::verbs::{Ground, filter_closure};
use crate::Error;
use crate::detect::{self, Detector, Measure};
use crate::evaluate::{Evaluator, InScope};
use crate::figures::Figures;
use crate::knowledge_model::KnowledgeModel;
use crate::log::NO_ROW;
use crate::matched_set::Standing;
use crate::mining::Mining;
use crate::ports::Reason;
use crate::post::blocking;
use crate::pql::check::Checker;
use crate::pql::operators::hint;
use crate::pql::parse;
use crate::pql::plan::{Grain, Node, Selection, Way};
use crate::pql::syntax::{Expr, ExprKind};
use crate::tables;
use crate::trigger::{Trigger, check_model};
use crate::value::Value;
use crate::watch::{News, Watch, Which};

/// Rows of the N-side shown per comparison.
const ROWS_SHOWN: usize = 5;
/// Things that are named where the detector does not know the one asked for.
const MEASURES_SHOWN: usize = 20;
/// Instants that are tried before the answer is "not before".
const DEADLINES_TRIED: usize = 500;

/// Why a trigger holds an instance or does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The knowledge model's id.
    pub model: String,
    /// The trigger's id.
    pub trigger: String,
    /// What people read.
    pub name: String,
    /// The record whose instances it watches.
    pub record: String,
    /// The instance as text.
    pub identifier: String,
    /// The instant at which it was looked at, on the process clock.
    pub now: Timestamp,
    /// Whether it satisfies all filters now.
    pub satisfies: bool,
    /// In the order in which the trigger names them.
    pub filters: Vec<WhyFilter>,
    /// How it stands to the matched set.
    pub standing: WhyStanding,
    /// What time alone will do.
    pub next: WhyNext,
    /// The case that the instance belongs to, if it is of one; how many events
    /// it has.
    pub case: Option<(Arc<str>, u64)>,
    /// What its detector measures, if it stands on one; there are no filters
    /// then.
    pub detector: Option<WhyDetector>,
    /// What else a person should know, in whole sentences.
    pub remarks: Vec<String>,
}

/// What a detector makes of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyDetector {
    /// Kind and parameters as a knowledge model writes them, those included
    /// that were left out.
    pub parameters: serde_json::Value,
    /// The names of the values of a measure.
    pub fields: Vec<String>,
    /// What was asked for, if the detector knows it; else some of what it does.
    pub measures: Vec<WhyMeasure>,
    /// How many things it measures.
    pub measured: u64,
}

/// One thing that a detector measures.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyMeasure {
    /// What it is about.
    pub identifier: String,
    /// In the order of the fields.
    pub values: Vec<Value>,
    /// Whether it satisfies the trigger.
    pub fires: bool,
    /// When it will with the rows as they are, if time alone can bring it about.
    pub due: Option<Timestamp>,
}

/// One filter.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyFilter {
    /// Its id.
    pub id: String,
    /// Its text, as it is written.
    pub pql: String,
    /// Whether it holds for the instance; nothing if it is unknown, which
    /// counts as no.
    pub truth: Option<bool>,
    /// The comparisons in it.
    pub comparisons: Vec<WhyComparison>,
}

/// A comparison inside a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyComparison {
    /// Its text.
    pub pql: String,
    /// The text of the left side.
    pub left: String,
    /// The text of the right side; empty for a test such as IS NULL.
    pub right: String,
    /// Per row that is looked at: left value, right value if the right side
    /// has one, truth. One row, if there is one value per instance; some of
    /// them, if it is compared per event or the like.
    pub rows: Vec<(Value, Option<Value>, Option<bool>)>,
    /// How many rows there are.
    pub row_count: u64,
}

/// How an instance stands to the matched set of its trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyStanding {
    /// It was never in it.
    Never,
    /// It is in it.
    In {
        /// Since then.
        since: Timestamp,
        /// For the how-manieth time.
        episode: u64,
    },
    /// It was in it, and is not any more.
    Left {
        /// When it entered last.
        since: Timestamp,
        /// How often it has been.
        episodes: u64,
    },
    /// It satisfies the trigger, but had to make room for newer ones.
    Displaced {
        /// How often it has been in.
        episodes: u64,
    },
    /// The trigger is not published, so that there is no matched set.
    Unpublished,
}

/// What time alone will do.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyNext {
    /// The clock has no part in the filters: only data can change the answer.
    NoClock,
    /// The answer changes then, to this.
    At(Timestamp, bool),
    /// The clock has a part, but with the data as it is the answer stays.
    Never,
    /// It was not found up to then.
    NotBefore(Timestamp),
}

impl Mining {
    /// Tells why a trigger holds an instance or does not.
    pub async fn why(&self, model: &str, trigger: &str, identifier: &str) -> Result<Why, Error> {
        let is_published = match self.published_text(model).await {
            Ok(_) => true,
            Err(Error::NotPublished { .. }) => false,
            Err(error) => return Err(error),
        };
        let ground = self.ground(model).await?;
        let known = || ground.model.triggers.iter().map(|trigger| trigger.id.value.as_str());
        if !known().any(|known| known == trigger) {
            let hint = hint(trigger, known());
            return Err(Error::UnknownTrigger { model: model.to_owned(), trigger: trigger.to_owned(), hint });
        }
        let data_model = self.data_model_of(model).await?;
        let (name, id, wanted) = (model.to_owned(), trigger.to_owned(), identifier.to_owned());
        let mut why = blocking(move || {
            let published = check_model(&name, &ground.model, &data_model, ground.log.catalog())?;
            let trigger = published.triggers.iter().find(|trigger| trigger.id == id);
            let trigger = trigger.expect("it was among those of the text");
            explain(&name, &ground, trigger, &wanted)
        })
        .await?;
        if !is_published {
            why.standing = WhyStanding::Unpublished;
            return Ok(why);
        }
        let (model, trigger, identifier) = (model.to_owned(), trigger.to_owned(), why.identifier.clone());
        let stored = self.desk.db.read("mining.why", move |tx| {
            Ok::<_, Error>(tables::stored(tx, &model, &trigger)?.remove(identifier.as_str()))
        });
        if let Some(stored) = stored.await? {
            why.standing = match stored.standing {
                Standing::In => WhyStanding::In { since: stored.since, episode: stored.episode },
                Standing::Displaced => WhyStanding::Displaced { episodes: stored.episode },
                Standing::Out => WhyStanding::Left { since: stored.since, episodes: stored.episode },
            };
        }
        let is_in = matches!(why.standing, WhyStanding::In { .. });
        if why.satisfies && matches!(why.standing, WhyStanding::Never | WhyStanding::Left { .. }) {
            why.remarks.push("it satisfies the trigger but is not in the matched set: the set is full, or the next evaluation takes it in".into());
        }
        if !why.satisfies && is_in {
            why.remarks.push(
                "it is in the matched set though it no longer satisfies the trigger: the next evaluation takes it out"
                    .into(),
            );
        }
        Ok(why)
    }
}

/// An instance: where its row is, and which case it belongs to.
struct Place {
    rows: Vec<usize>,
    case: Option<u32>,
}

fn explain(model: &str, ground: &Ground, trigger: &Arc<Trigger>, identifier: &str) -> Result<Why, Error> {
    if let Some(detector) = &trigger.detector {
        return Ok(explain_detector(model, ground, trigger, detector, identifier));
    }
    let log = &ground.log;
    let evaluator = Evaluator::new(log.clone(), trigger.program.clone(), ground.now);
    let case_table = log.catalog().roles.case_table;
    let place = evaluator.everything(|scope| find(scope, trigger, case_table, identifier));
    let place = place
        .ok_or_else(|| Error::UnknownInstance { record: trigger.record.clone(), identifier: identifier.to_owned() })?;
    let mut remarks = Vec::new();
    if place.rows.len() > 1 {
        let count = place.rows.len();
        remarks.push(format!("{count} rows bear this identifier; the instance matches as soon as one of them does"));
    }
    let case = place.case.map(|case| (case_id(ground, case), log.case(case).events.len() as u64));
    if let Some((_, 0)) = case {
        remarks
            .push("the case has no events: what is computed from its events is NULL, and counts of them are 0".into());
    }
    let roles = &log.catalog().roles;
    let last = place.case.and_then(|case| log.events(case).last());
    let last = last.map(|event| log.table(roles.activity_table).column(roles.timestamp_column).value(event));
    if let Some(Value::Date(last)) = last.filter(|last| matches!(last, Value::Date(at) if *at > ground.now)) {
        let last = Timestamp::from_millis(last);
        remarks.push(format!("the case has events that lie ahead of the process clock, the last at {last}"));
    }
    let mut filters = Vec::new();
    for (id, pql) in named_filters(model, &ground.model, trigger)? {
        filters.push(look_at(ground, trigger.target, &place, id, pql)?);
    }
    let (satisfies, next) = ahead(ground, trigger, &place, identifier);
    Ok(Why {
        model: model.to_owned(),
        trigger: trigger.id.clone(),
        name: trigger.name.clone(),
        record: trigger.record.clone(),
        identifier: identifier.to_owned(),
        now: Timestamp::from_millis(ground.now),
        satisfies,
        filters,
        standing: WhyStanding::Never,
        next,
        case,
        detector: None,
        remarks,
    })
}

/// Explains a trigger that stands on a detector: what it measures of the thing
/// asked for, against its parameters.
fn explain_detector(model: &str, ground: &Ground, trigger: &Trigger, detector: &Detector, identifier: &str) -> Why {
    let measures = detector.measure(&ground.log, ground.now);
    let measured = measures.len() as u64;
    let shown = |measure: &Measure| WhyMeasure {
        identifier: measure.identifier.to_string(),
        values: measure.values.clone(),
        fires: measure.fires,
        due: measure.due.map(Timestamp::from_millis),
    };
    let own = measures.iter().find(|measure| *measure.identifier == *identifier).map(shown);
    let mut remarks = Vec::new();
    if own.is_none() {
        remarks.push(unmeasured(detector, identifier, &measures));
    }
    let satisfies = own.as_ref().is_some_and(|measure| measure.fires);
    let next = match (&own, detector) {
        (Some(WhyMeasure { due: Some(due), .. }), _) => WhyNext::At(*due, true),
        (Some(_), Detector::Backlog { .. }) => {
            WhyNext::NotBefore(Timestamp::from_millis(detect::next_hour(ground.now)))
        }
        (Some(_), Detector::Silence { .. }) => WhyNext::Never,
        _ => WhyNext::NoClock,
    };
    // Those that satisfy it are the ones to look at first.
    let mut others: Vec<&Measure> = measures.iter().collect();
    others.sort_by_key(|measure| !measure.fires);
    let others = others.into_iter().take(MEASURES_SHOWN).map(shown).collect();
    Why {
        model: model.to_owned(),
        trigger: trigger.id.clone(),
        name: trigger.name.clone(),
        record: trigger.record.clone(),
        identifier: identifier.to_owned(),
        now: Timestamp::from_millis(ground.now),
        satisfies,
        filters: Vec::new(),
        standing: WhyStanding::Never,
        next,
        case: None,
        detector: Some(WhyDetector {
            parameters: detector.described(),
            fields: detector.fields().into_iter().skip(1).map(|(name, _)| name.to_owned()).collect(),
            measures: own.map_or(others, |own| vec![own]),
            measured,
        }),
        remarks,
    }
}

/// Says that a detector knows nothing of a thing, and why that may be.
fn unmeasured(detector: &Detector, identifier: &str, measures: &[Measure]) -> String {
    let because = match detector {
        Detector::VariantDrift { window_cases, reference_cases, .. } if measures.is_empty() => {
            format!("it needs {} finished cases", window_cases + reference_cases)
        }
        Detector::DurationDrift { window_steps, reference_steps, .. } => {
            format!(
                "a pair of activities needs {} steps, and is written SOURCE → TARGET",
                window_steps + reference_steps
            )
        }
        Detector::Silence { pauses_min, .. } => format!("a source is judged after {pauses_min} pauses"),
        Detector::Backlog { .. } => "an activity is judged when cases have waited in it and two weeks are known".into(),
        Detector::FuzzyDuplicates { .. } => {
            return format!("no row that is near enough to \"{identifier}\" is like it, or there is no such row");
        }
        Detector::VariantDrift { .. } => "it measures the log as a whole".into(),
    };
    let hint = hint(identifier, measures.iter().map(|measure| &*measure.identifier));
    format!("the detector has no figure for \"{identifier}\": {because}{hint}")
}

/// Finds the rows of an instance.
fn find(scope: &InScope<'_>, trigger: &Trigger, case_table: usize, identifier: &str) -> Option<Place> {
    let values = scope.operand(&trigger.values[0], trigger.target);
    let is_it = |row: &usize| match values.text(*row) {
        Some(text) => text == identifier,
        None => {
            let value = values.value(*row);
            value != Value::Null && value.to_string() == identifier
        }
    };
    let rows: Vec<usize> = (0..scope.length(trigger.target)).filter(is_it).collect();
    let first = *rows.first()?;
    let case = scope.cases_of(trigger.target, case_table).get(first).copied();
    Some(Place { rows, case: case.filter(|case| trigger.in_case && *case != NO_ROW) })
}

fn case_id(ground: &Ground, case: u32) -> Arc<str> {
    let log = &ground.log;
    let roles = &log.catalog().roles;
    let known = log.case(case);
    let value = match known.events.get(0) {
        Some(event) => log.table(roles.activity_table).column(roles.case_column).value(event),
        None => log.table(roles.case_table).column(roles.case_table_column).value(known.row),
    };
    super::slice::text(&value)
}

/// Lists the filters of a trigger: those of its record, its own, and those
/// that they refer to.
fn named_filters(name: &str, model: &KnowledgeModel, trigger: &Trigger) -> Result<Vec<(String, String)>, Error> {
    let record = model.records.iter().find(|record| record.id.value == trigger.record);
    let text = model.triggers.iter().find(|text| text.id.value == trigger.id);
    let of_record = record.into_iter().flat_map(|record| &record.filter_ids);
    let own = text.into_iter().flat_map(|text| &text.filter_ids);
    let mut named: Vec<(String, String)> = Vec::new();
    for id in of_record.chain(own) {
        for filter in filter_closure(name, model, &id.value)? {
            if !named.iter().any(|(known, _)| *known == filter.id.value) {
                named.push((filter.id.value.clone(), filter.pql.value.clone()));
            }
        }
    }
    Ok(named)
}

fn look_at(ground: &Ground, target: Grain, place: &Place, id: String, pql: String) -> Result<WhyFilter, Error> {
    let expr = parse::condition(&pql)?;
    let truths = ask(ground, target, place, &expr.to_string())?;
    // As everywhere: one row of the instance that satisfies it is enough.
    let truth = if truths.contains(&Some(true)) {
        Some(true)
    } else if truths.contains(&Some(false)) {
        Some(false)
    } else {
        None
    };
    let mut comparisons = Vec::new();
    for part in comparisons_of(&expr) {
        comparisons.push(compare(ground, target, place, part)?);
    }
    Ok(WhyFilter { id, pql: pql.trim().to_owned(), truth, comparisons })
}

/// A comparison with the texts of its sides.
struct Part<'a> {
    whole: &'a Expr,
    left: &'a Expr,
    right: Option<&'a Expr>,
    /// What to show on the right where it is no expression of its own.
    right_text: String,
}

/// Finds the comparisons that decide a condition, from left to right.
fn comparisons_of(expr: &Expr) -> Vec<Part<'_>> {
    match &expr.kind {
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            let mut found = comparisons_of(left);
            found.extend(comparisons_of(right));
            found
        }
        ExprKind::Not(inner) => comparisons_of(inner),
        ExprKind::Compare(_, left, right) => {
            vec![Part { whole: expr, left, right: Some(right), right_text: right.to_string() }]
        }
        ExprKind::Between { value, low, high, .. } => {
            vec![Part { whole: expr, left: value, right: None, right_text: format!("{low} AND {high}") }]
        }
        ExprKind::In { value, list, .. } => {
            let items: Vec<String> = list.iter().map(ToString::to_string).collect();
            vec![Part { whole: expr, left: value, right: None, right_text: format!("({})", items.join(", ")) }]
        }
        ExprKind::Like { value, pattern, .. } => {
            vec![Part { whole: expr, left: value, right: Some(pattern), right_text: pattern.to_string() }]
        }
        ExprKind::IsNull { value, .. } => {
            vec![Part { whole: expr, left: value, right: None, right_text: "NULL".into() }]
        }
        _ => Vec::new(),
    }
}

fn compare(ground: &Ground, target: Grain, place: &Place, part: Part<'_>) -> Result<WhyComparison, Error> {
    let (left, whole) = (part.left.to_string(), part.whole.to_string());
    let right = part.right.map(ToString::to_string);
    let mut texts = vec![left.as_str()];
    texts.extend(right.as_deref());
    let (row_count, rows) = values(ground, target, place, &whole, &texts)?;
    Ok(WhyComparison { pql: whole.clone(), left, right: part.right_text, rows, row_count })
}

type Rows = Vec<(Value, Option<Value>, Option<bool>)>;

/// Evaluates a condition and values beside it for an instance.
fn values(ground: &Ground, target: Grain, place: &Place, whole: &str, sides: &[&str]) -> Result<(u64, Rows), Error> {
    let mut checker = Checker::new(ground.log.catalog().clone(), &ground.vocabulary);
    let condition = checker.condition(whole)?;
    let nodes: Vec<Node> = sides.iter().map(|text| checker.value(text)).collect::<Result<_, _>>()?;
    let way = checker.way(&condition, target).map_err(|detail| Error::Unexplorable { detail })?;
    let evaluator = Evaluator::new(ground.log.clone(), Arc::new(checker.finish()), ground.now);
    Ok(on(&evaluator, ground.now, place, target, |scope, own| {
        let (grain, rows) = rows_of(scope, target, own, condition.grain, way);
        let truth = scope.operand(&condition, grain);
        let operands: Vec<_> = nodes.iter().map(|node| scope.operand(node, grain)).collect();
        let right = |row: usize| operands.get(1).map(|operand| operand.value(row));
        let shown = rows.iter().take(ROWS_SHOWN).map(|row| (operands[0].value(*row), right(*row), truth.truth(*row)));
        (rows.len() as u64, shown.collect())
    }))
}

/// Evaluates a condition for each row of an instance.
fn ask(ground: &Ground, target: Grain, place: &Place, text: &str) -> Result<Vec<Option<bool>>, Error> {
    let mut checker = Checker::new(ground.log.catalog().clone(), &ground.vocabulary);
    let condition = checker.condition(text)?;
    let way = checker.way(&condition, target).map_err(|detail| Error::Unexplorable { detail })?;
    let evaluator = Evaluator::new(ground.log.clone(), Arc::new(checker.finish()), ground.now);
    let selection = Selection { target, conditions: vec![(condition, way)] };
    Ok(on(&evaluator, ground.now, place, target, |scope, own| {
        let (node, way) = &selection.conditions[0];
        if *way == Way::Down {
            let truth = scope.operand(node, target);
            return own.iter().map(|row| truth.truth(*row)).collect();
        }
        let selected = scope.selected(target, &selection.conditions);
        own.iter().map(|row| Some(selected[*row])).collect()
    }))
}

/// Evaluates on the case of an instance if it is of one, else on everything;
/// says where its rows are there.
fn on<T>(
    evaluator: &Evaluator,
    now: i64,
    place: &Place,
    target: Grain,
    look: impl FnOnce(&InScope<'_>, &[usize]) -> T,
) -> T {
    let Some(case) = place.case else { return evaluator.everything(|scope| look(scope, &place.rows)) };
    // The frame of the whole says which rows they are; the frame of the case
    // says where these stand in it.
    let own: Vec<u32> = evaluator.everything(|scope| match target {
        Grain::Table(table) => {
            let frame = scope.frame(table);
            place.rows.iter().map(|row| frame.rows.get(*row)).collect()
        }
        _ => Vec::new(),
    });
    evaluator.cases(&[case], now, None, |scope| {
        let rows: Vec<usize> = match target {
            Grain::Table(table) => {
                let frame = scope.frame(table);
                own.iter().map(|row| frame.place(*row)).filter(|row| *row != NO_ROW).map(|row| row as usize).collect()
            }
            _ => vec![0],
        };
        look(scope, &rows)
    })
}

/// Returns the grain on which a condition is compared, and the rows of it that
/// belong to the instance.
fn rows_of(scope: &InScope<'_>, target: Grain, own: &[usize], grain: Grain, way: Way) -> (Grain, Vec<usize>) {
    use crate::evaluate::Places;
    let meeting = match way {
        Way::Down => return (target, own.to_vec()),
        Way::Up => target,
        Way::Over(table) => Grain::Table(table),
    };
    let place_of = |places: &Places, row: usize| match places {
        Places::Same => Some(row as u32),
        Places::First => Some(0),
        Places::Listed(listed) => Some(listed[row]).filter(|place| *place != NO_ROW),
    };
    let down = scope.places(target, meeting);
    let met: Vec<u32> = own.iter().filter_map(|row| place_of(&down, *row)).collect();
    let up = scope.places(grain, meeting);
    let rows = (0..scope.length(grain)).filter(|row| place_of(&up, *row).is_some_and(|place| met.contains(&place)));
    (grain, rows.collect())
}

/// Asks the watch of the trigger: does the instance satisfy it now, and when
/// does time alone change that?
fn ahead(ground: &Ground, trigger: &Arc<Trigger>, place: &Place, identifier: &str) -> (bool, WhyNext) {
    let mut figures = Figures::new(ground.log.clone());
    let mut watch = Watch::new(trigger.clone(), &mut figures, ground.log.clone(), HashMap::new(), true);
    let which = place.case.map_or(Which::All, |case| Which::Units(vec![case]));
    let mut matches = false;
    let mut look = |watch: &mut Watch, now: i64| {
        let difference = watch.advance(&which, now, &figures, &News::of(Reason::Data));
        matches &= !difference.leaves.iter().chain(&difference.displaced).any(|left| **left == *identifier);
        matches |= difference.enters.iter().any(|enter| *enter.identifier == *identifier);
        watch.accept(&difference, Timestamp::from_millis(now));
        matches
    };
    let mut now = ground.now;
    let first = look(&mut watch, now);
    if trigger.clock.is_none() {
        return (first, WhyNext::NoClock);
    }
    // What is not of one case is looked at as a whole each time.
    let tries = if place.case.is_some() { DEADLINES_TRIED } else { DEADLINES_TRIED / 25 };
    for _ in 0..tries {
        let Some(next) = watch.next_deadline() else { return (first, WhyNext::Never) };
        now = next.max(now + 1);
        if look(&mut watch, now) != first {
            return (first, WhyNext::At(Timestamp::from_millis(now), !first));
        }
    }
    (first, WhyNext::NotBefore(Timestamp::from_millis(now)))
}
