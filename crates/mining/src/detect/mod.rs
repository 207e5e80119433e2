//! Detectors: what PQL cannot say, by name and with parameters.
//!
//! PQL compares values of a row with values of other rows. Whether a
//! *distribution* has moved, whether a source has fallen *silent*, whether two
//! documents are *nearly* the same, or whether more waits than usual at this
//! hour of the week, is another kind of question. Each of them is a detector:
//! a pure function of the event log and an instant, which yields
//! [findings](Finding). A trigger stands on a detector as it stands on a
//! record, and everything behind it (matched set, episodes, caps, events) is
//! the same.
//!
//! A detector looks at everything that it needs each time it is asked; whoever
//! asks decides how often. Events that lie in the future of the instant do not
//! exist for it.

mod story;
mod drift;
mod silence;
mod backlog;
mod duplicates;

pub(crate) use backlog::next_hour;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::log::EventLog;
use crate::pql::catalog::Catalog;
use crate::value::{Type, Value};

/// A detector with its parameters, as a knowledge model writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Detector {
    /// The variants of finished cases are distributed otherwise than before.
    VariantDrift {
        /// Finished cases that are compared, the last ones.
        #[serde(default = "cases")]
        window_cases: usize,
        /// Finished cases that they are compared with.
        #[serde(default = "cases")]
        reference_cases: usize,
        /// Which cases these are.
        #[serde(default)]
        reference: Reference,
        /// Fires above this total variation distance, from 0 to 1.
        distance: f64,
        /// So many windows in a row have to be above it.
        #[serde(default = "two")]
        windows_in_a_row: usize,
        /// Activities with which a case ends; without them, those in which at
        /// least a tenth of all cases end.
        #[serde(default)]
        end_activities: Vec<String>,
    },
    /// The time from one activity to the next has changed.
    DurationDrift {
        /// Steps that are compared, for each pair of activities the last ones.
        #[serde(default = "cases")]
        window_steps: usize,
        /// Steps before them that they are compared with.
        #[serde(default = "cases")]
        reference_steps: usize,
        /// Which element of the sorted durations is compared.
        #[serde(default = "median")]
        quantile: f64,
        /// Fires if it grew by more than this factor.
        factor: f64,
        /// Fires also if it shrank by more than that.
        #[serde(default)]
        both_ways: bool,
    },
    /// Nothing has come from a source for longer than its longest pauses.
    Silence {
        /// The column of the activity table that names the source; without it
        /// the whole log is one.
        #[serde(default)]
        column: Option<String>,
        /// Which element of a source's sorted pauses counts as its longest.
        #[serde(default = "longest")]
        quantile: f64,
        /// By how much that has to be exceeded.
        #[serde(default = "one")]
        factor: f64,
        /// Pauses that a source must have made before it is judged.
        #[serde(default = "some")]
        pauses_min: usize,
    },
    /// More cases wait in an activity than usual at this hour of the week.
    Backlog {
        /// Weeks that make what is usual.
        #[serde(default = "weeks")]
        weeks: u32,
        /// Fires above the mean by so many standard deviations.
        #[serde(default = "three")]
        deviations: f64,
        /// And only if at least so many wait.
        #[serde(default = "ten")]
        cases_min: u64,
        /// Activities with which a case ends, as for the drift of variants.
        #[serde(default)]
        end_activities: Vec<String>,
    },
    /// Two rows of a table seem to be the same thing, booked twice.
    FuzzyDuplicates {
        /// The table.
        table: String,
        /// The column that tells rows apart.
        identifier: String,
        /// Columns that have to be equal, such as the vendor.
        #[serde(default)]
        equal: Vec<String>,
        /// Texts that have to be alike, such as the reference.
        #[serde(default)]
        alike: Vec<String>,
        /// How much alike, from 0 to 1.
        #[serde(default = "alike")]
        similarity: f64,
        /// A number that has to be about the same, such as the amount.
        #[serde(default)]
        number: Option<String>,
        /// By which share of the larger one it may differ.
        #[serde(default)]
        tolerance: f64,
        /// A date that has to be near.
        #[serde(default)]
        date: Option<String>,
        /// How near, in days.
        #[serde(default = "ninety")]
        days: f64,
    },
}

/// With which cases a window is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reference {
    /// Those right before the window.
    #[default]
    Before,
    /// The first ones of the log.
    First,
}

fn cases() -> usize {
    500
}
fn two() -> usize {
    2
}
fn median() -> f64 {
    0.5
}
fn longest() -> f64 {
    0.999
}
fn one() -> f64 {
    1.0
}
fn some() -> usize {
    100
}
fn ten() -> u64 {
    10
}
fn weeks() -> u32 {
    4
}
fn three() -> f64 {
    3.0
}
fn alike() -> f64 {
    0.9
}
fn ninety() -> f64 {
    90.0
}

/// Something that a detector has found: it satisfies the trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is about: a source, a pair of activities, a document.
    pub identifier: Arc<str>,
    /// What is known of it beside that, in the order of [`Detector::fields`].
    pub values: Vec<Value>,
}

/// What a detector has measured of one thing, whether that is worth a finding
/// or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it is about.
    pub identifier: Arc<str>,
    /// In the order of [`Detector::fields`], without the identifier.
    pub values: Vec<Value>,
    /// Whether it satisfies the trigger.
    pub fires: bool,
    /// When it will with the rows as they are, in milliseconds, where time
    /// alone can bring it about.
    pub due: Option<i64>,
}

/// What a detector says at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// By identifier.
    pub found: Vec<Finding>,
    /// The next instant at which time alone may change the answer, in
    /// milliseconds.
    pub next: Option<i64>,
}

impl Detector {
    /// Returns name and type of what is known of a finding; the identifier is
    /// the first.
    pub fn fields(&self) -> Vec<(&'static str, Type)> {
        let mut fields = vec![("IDENTIFIER", Type::String)];
        fields.extend_from_slice(match self {
            Detector::VariantDrift { .. } => drift::VARIANT_FIELDS,
            Detector::DurationDrift { .. } => drift::DURATION_FIELDS,
            Detector::Silence { .. } => silence::FIELDS,
            Detector::Backlog { .. } => backlog::FIELDS,
            Detector::FuzzyDuplicates { .. } => duplicates::FIELDS,
        });
        fields
    }

    /// Checks the parameters against the tables of a data model; the error
    /// says what is wrong and what could be meant.
    pub fn check(&self, catalog: &Catalog) -> Result<(), String> {
        let share = |name: &str, value: f64| {
            let fits = (0.0..=1.0).contains(&value);
            if fits { Ok(()) } else { Err(format!("\"{name}\" is {value}, and goes from 0 to 1")) }
        };
        let positive = |name: &str, value: f64| {
            if value > 0.0 { Ok(()) } else { Err(format!("\"{name}\" is {value}, and must be above 0")) }
        };
        match self {
            Detector::VariantDrift { window_cases, reference_cases, distance, windows_in_a_row, .. } => {
                positive("windowCases", *window_cases as f64)?;
                positive("referenceCases", *reference_cases as f64)?;
                positive("windowsInARow", *windows_in_a_row as f64)?;
                share("distance", *distance)
            }
            Detector::DurationDrift { window_steps, reference_steps, quantile, factor, .. } => {
                positive("windowSteps", *window_steps as f64)?;
                positive("referenceSteps", *reference_steps as f64)?;
                positive("factor", *factor)?;
                share("quantile", *quantile)
            }
            Detector::Silence { column, quantile, factor, .. } => {
                positive("factor", *factor)?;
                share("quantile", *quantile)?;
                let table = catalog.roles.activity_table;
                column.iter().try_for_each(|column| story::column(catalog, table, column).map(drop))
            }
            Detector::Backlog { weeks, .. } => positive("weeks", f64::from(*weeks)),
            Detector::FuzzyDuplicates { .. } => {
                let sought = duplicates::Sought::of(self, catalog)?;
                share("similarity", sought.similarity)?;
                share("tolerance", sought.tolerance)
            }
        }
    }

    /// Looks at a log at an instant, in milliseconds.
    pub fn look(&self, log: &EventLog, now: i64) -> Findings {
        let measures = self.measure(log, now);
        let next = match self {
            // What is usual changes with the hour, not only with the rows.
            Detector::Backlog { .. } => Some(backlog::next_hour(now)),
            _ => measures.iter().filter_map(|measure| measure.due).min(),
        };
        let found = measures.into_iter().filter(|measure| measure.fires);
        let found = found.map(|Measure { identifier, values, .. }| Finding { identifier, values });
        Findings { found: found.collect(), next }
    }

    /// Measures a log at an instant, in milliseconds: also what is as it should
    /// be. Of rows that may be duplicates only those that seem to be are told.
    /// Sorted by identifier.
    pub fn measure(&self, log: &EventLog, now: i64) -> Vec<Measure> {
        let mut measures = match self {
            Detector::VariantDrift { .. } => drift::variants(self, log, now),
            Detector::DurationDrift { .. } => drift::durations(self, log, now),
            Detector::Silence { .. } => silence::look(self, log, now),
            Detector::Backlog { .. } => backlog::look(self, log, now),
            Detector::FuzzyDuplicates { .. } => duplicates::look(self, log, now),
        };
        measures.sort_by(|one, other| one.identifier.cmp(&other.identifier));
        measures
    }

    /// Returns kind and parameters as a knowledge model writes them, those
    /// included that were left out.
    pub fn described(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("parameters have text keys and finite numbers only")
    }
}

#[cfg(test)]
mod tests;
