//! Exploration: what the process looks like, for people and for the UI.
//!
//! Each chapter is a pure function of a [`Slice`]: the cases that a question is
//! about, cut out of a root once, with activities as codes and times in
//! milliseconds. Nothing here is maintained between questions; a slice of ten
//! million events is cut in well under a second.
//!
//! * [`slice`]: which cases, by PQL and by time;
//! * [`durations`]: percentiles by the rule of PQL, and the linear ones;
//! * [`map`]: the directly-follows graph and what of it is shown;
//! * [`variants`], [`cases`]: from the many to the one;
//! * [`activities`]: statistics of activities, rework;
//! * [`histogram`]: how long cases take;
//! * [`conformance`]: how far cases keep to what is allowed;
//! * [`verbs`]: the same on the facade;
//! * [`why`]: one instance, and what a trigger makes of it.
//!
//! A case is kept or dropped as a whole. Case ids are as their column has them,
//! a case without a single event is none.

mod slice;
mod durations;
mod map;
mod variants;
mod cases;
mod actions;
mod activities;
mod histogram;
mod conformance;
mod verbs;
mod why;

pub use actions::CaseAction;
pub use activities::{ActivityFigures, Rework};
pub use cases::{CaseEvent, CaseOrder, CaseRow, CaseView, CasesPage, Instance};
pub use conformance::{Allowed, AllowedFlow, Conformance, Deviation, DeviationKind};
pub use durations::{Durations, linear_quantile, pql_quantile};
pub use histogram::{Bin, Histogram};
pub use map::{Coverage, MapActivity, MapEdge, ProcessMap};
pub(crate) use slice::Slice;
pub use slice::{Wanted, Within};
pub use variants::{Variant, VariantOrder, VariantsPage, VariantsWanted};
pub use why::{Why, WhyComparison, WhyDetector, WhyFilter, WhyMeasure, WhyNext, WhyStanding};
